//! The command where no thread can be started: a limit on processes, or a full cgroup.

use crate::shop::{FLAGS, Ran, Shop, ran};
use std::process::Command;

/// A published shop of a user that nobody else runs as, so that no other test's processes count.
struct Alone {
    shop: Shop,
    user: String,
}

impl Alone {
    fn new(user: u32, config: &str) -> Alone {
        assert!(
            rustix::process::geteuid().is_root(),
            "only root may become another user: run the tests as root"
        );
        let shop = Shop::passable();
        shop.write("flags.json", FLAGS);
        shop.run(["init", "store", "--environment", "production"]).exits(0);
        shop.run(["publish", "flags.json"]).exits(0);
        shop.write("store/config.json", config);
        let given = Command::new("chown").args(["-hR", &user.to_string()]).arg(&shop.directory).status();
        assert!(given.unwrap().success());
        Alone { shop, user: user.to_string() }
    }

    /// Runs the command in a process that can have no second thread.
    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &self.user, "--regid", &self.user, "--clear-groups"]);
        command.args(["prlimit", "--nproc=1:1", env!("CARGO_BIN_EXE_flagstone")]).args(arguments);
        command.current_dir(&self.shop.directory).env_clear().env("PATH", "/usr/bin:/bin");
        let ran = ran(command.env("FLAGSTONE_STORE", "store").output().unwrap());
        assert!(!ran.err.contains("panicked"), "{arguments:?}: {}", ran.err);
        ran
    }
}

// kill panicked, after the flag was off.
#[test]
fn a_kill_names_the_machines_that_could_not_be_told() {
    let config = r#"{"machines": {"web-2": {"run": ["true"]}, "web-3": {"run": ["true"]}}}"#;
    let alone = Alone::new(64_071, config);
    for arguments in [
        &["kill", "search", "--reason", "slow"][..],
        &["stop-all", "--yes", "--reason", "fire"],
        &["resume-all"],
        &["disable", "billing_v2", "--yes"],
    ] {
        let told = alone.run(arguments).exits(3);
        for machine in ["web-2", "web-3"] {
            let line = format!("{machine}: not done there: no thread can be started to run it: ");
            assert!(told.out.contains(&line), "{arguments:?}: {}{}", told.out, told.err);
        }
        assert!(told.err.contains("done here, but not on 2 of 2 machines"), "{}", told.err);
    }
    for flag in ["search", "billing_v2"] {
        alone.shop.run(["ask", flag, "--company", "1"]).exits(1);
    }
    let json = alone.run(&["kill", "by_user", "--reason", "slow", "--json"]).exits(3).json();
    assert_eq!(json["machines"][1]["done"], false, "{json}");
}

#[test]
fn what_needs_threads_says_so_or_does_without() {
    let alone =
        Alone::new(64_072, r#"{"notify": {"ops": {"url": "http://127.0.0.1:9/", "format": "slack"}}}"#);
    let told = alone.run(&["notify"]).exits(1);
    let all = format!("{}{}", told.out, told.err);
    assert!(all.contains("no thread can be started to send: "), "{all}");
    // What may pass ended as what never does, after which a service manager starts nothing again.
    let told = alone.run(&["run"]).exits(75);
    assert!(told.err.contains("no thread can be started: "), "{}", told.err);
    let probes = r#"{"base_url": "http://127.0.0.1:9", "probes": [{"url": "/", "expect": {"status": 200}}]}"#;
    alone.shop.write("probes.json", probes);
    let told = alone.run(&["probe", "probes.json"]);
    let all = format!("{}{}", told.out, told.err);
    assert!(all.contains("no thread can be started to send it: "), "{all}");
    alone.shop.write("one.php", "<?php feature_enabled('search');");
    alone.shop.write("two.php", "<?php feature_enabled('old');");
    let told = alone.run(&["scan", ".", "--json"]).exits(0).json();
    assert_eq!(told["found"].as_array().map(Vec::len), Some(2), "{told}");
}
