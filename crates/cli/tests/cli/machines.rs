//! A change that is made on every machine that the store's config declares.

use crate::shop::{FLAGS, Shop, ran, until};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A shop with a second store, and a script in the place of `ssh` that runs the command there: with a shell in between, as ssh
/// has it.
fn two_machines() -> Shop {
    let shop = Shop::published();
    shop.run(["init", "other", "--store", "other", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json", "--store", "other"]).exits(0);
    let command = format!("exec sh -c \"{} --store other $*\"", env!("CARGO_BIN_EXE_flagstone"));
    machine(&shop, "web-2", &command);
    shop
}

/// Declares a machine whose command is that script, run in the shop's directory.
fn machine(shop: &Shop, name: &str, script: &str) {
    machine_within(shop, name, script, 60);
}

/// Declares a machine with a timeout in seconds.
fn machine_within(shop: &Shop, name: &str, script: &str, timeout: u64) {
    let directory = shop.directory.display();
    let path = shop.write(&format!("{name}.sh"), format!("#!/bin/sh\ncd '{directory}'\n{script}\n"));
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    let run = serde_json::json!({ "run": [path], "timeout": timeout }).to_string();
    shop.run(["config", &format!("machines.{name}"), &run]).exits(0);
}

fn asked(shop: &Shop, store: &str, flag: &str, company: &str) -> i32 {
    shop.run(["ask", "--literal", flag, "--company", company, "--store", store]).code
}

#[test]
fn every_word_is_said_on_the_other_machine_too() {
    let shop = two_machines();
    let both = |flag: &str, company: &str| {
        [asked(&shop, "store", flag, company), asked(&shop, "other", flag, company)]
    };
    let ran = shop.run(["enable", "old", "--literal", "--company", "15", "--company", "a; b"]).exits(0);
    assert!(ran.out.ends_with("web-2: done there too, generation 2\n"), "{}", ran.out);
    assert_eq!(both("old", "15"), [0, 0]);
    assert_eq!(both("old", "a; b"), [0, 0]);
    assert_eq!(both("old", "16"), [1, 1]);
    shop.run(["rollout", "old", "12.5"]).exits(0);
    shop.run(["allow", "old", "-7", "x y"]).exits(0);
    assert_eq!(both("old", "-7"), [0, 0]);
    shop.run(["deny", "old", "-7"]).exits(0);
    assert_eq!(both("old", "-7"), [1, 1]);
    shop.run(["forget", "old", "-7"]).exits(0);
    shop.run(["disable", "old", "--company", "15"]).exits(0);
    assert_eq!(both("old", "15"), [1, 1]);
    shop.run(["disable", "old"]).exits(0);
    shop.run(["enable", "old"]).exits(0);
    shop.run(["rollback"]).exits(0);
    assert_eq!(both("old", "x y"), [1, 1]);
    shop.run(["enable", "old", "--percentage", "100"]).exits(0);
    assert_eq!(both("old", "16"), [0, 0]);
    shop.run(["kill", "search", "--reason", "it's \"slow\"; $HOME `id` %41"]).exits(0);
    assert_eq!(both("search", "2"), [1, 1]);
    shop.run(["revive", "search"]).exits(0);
    assert_eq!(both("search", "2"), [0, 0]);
    shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(0);
    assert_eq!(both("search", "2"), [1, 1]);
    shop.run(["resume-all"]).exits(0);
    assert_eq!(both("search", "2"), [0, 0]);
    let trails = ["store", "other"]
        .map(|store| shop.run(["history", "--limit", "0", "--store", store, "--json"]).json());
    let told = |trail: &serde_json::Value| {
        let told = |change: &serde_json::Value| {
            [&change["action"], &change["flag"], &change["reason"], &change["actor"]["user"]]
                .map(Clone::clone)
        };
        trail["changes"].as_array().unwrap().iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(told(&trails[0]), told(&trails[1]));
    assert!(format!("{trails:?}").contains("`id` %41"));
}

// What was done there was told as "not done there: No child processes".
#[test]
fn a_machine_answers_where_the_caller_ignores_sigchld() {
    let shop = two_machines();
    let mut command = Command::new("env");
    command.args([
        "--ignore-signal=CHLD",
        env!("CARGO_BIN_EXE_flagstone"),
        "kill",
        "search",
        "--reason",
        "slow",
    ]);
    command.current_dir(&shop.directory).env("FLAGSTONE_STORE", "store");
    let ran = ran(command.output().unwrap()).exits(0);
    assert!(ran.out.contains("web-2: done there too"), "{}", ran.out);
}

#[test]
fn a_file_that_is_published_gets_there_by_standard_input() {
    let shop = two_machines();
    shop.write("flags.json", FLAGS.replace("\"old\": false", "\"new\": true, \"old\": false"));
    let ran = shop.run(["publish", "flags.json"]).exits(0);
    assert!(ran.out.contains("web-2: done there too, generation 2"), "{}", ran.out);
    assert_eq!(asked(&shop, "other", "new", "1"), 0);
    shop.run(["publish", "flags.json"]).exits(0);
}

#[test]
fn a_machine_that_fails_or_hangs_is_named_and_the_others_are_reached() {
    let shop = two_machines();
    machine(&shop, "broken", "echo 'ssh: connect to host broken: No route to host' >&2; exit 255");
    machine_within(&shop, "hangs", "sleep 60 & echo $! > sleeper; sleep 60", 1);
    machine(&shop, "dumb", "true");
    shop.run(["config", "machines.nothing", r#"["./no-such-command"]"#]).exits(0);
    let began = Instant::now();
    let ran = shop.run(["disable", "billing_v2"]).exits(3);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    for told in [
        "broken: not done there: ssh: connect to host broken: No route to host (exit 255)",
        "hangs: not done there: no answer within 1 second",
        "dumb: not done there: its command ended well, but flagstone did not answer",
        "nothing: not done there: cannot run ./no-such-command: ",
        "web-2: done there too, generation 2",
    ] {
        assert!(ran.out.contains(told), "{told} in {}", ran.out);
    }
    assert!(ran.err.contains("done here, but not on 4 of 5 machines"), "{}", ran.err);
    assert_eq!([asked(&shop, "store", "billing_v2", "1"), asked(&shop, "other", "billing_v2", "1")], [1, 1]);
    let sleeper = std::fs::read_to_string(shop.directory.join("sleeper")).unwrap();
    let left = std::fs::read_to_string(format!("/proc/{}/stat", sleeper.trim())).unwrap_or_default();
    assert!(left.is_empty() || left.contains(") Z "), "what it started was left behind: {left}");
    // Said again, it reaches who was missed, and does nothing where it is done.
    let json = shop.run(["disable", "billing_v2", "--json"]).exits(3).json();
    assert_eq!(json["machines"].as_array().unwrap().len(), 5);
    assert_eq!(json["changed"], false);
    // A kill does not wait for them before it is done.
    let ran = shop.run(["kill", "search", "--reason", "slow"]).exits(3);
    assert!(
        ran.out.contains("killed search: off") && ran.out.contains("hangs: not done there"),
        "{}",
        ran.out
    );
    assert_eq!(asked(&shop, "other", "search", "2"), 1);
    shop.run(["enable", "billing_v2", "--local-only"]).exits(0);
    assert_eq!([asked(&shop, "store", "billing_v2", "1"), asked(&shop, "other", "billing_v2", "1")], [0, 1]);
}

#[test]
fn what_is_refused_here_is_not_sent_and_what_is_refused_there_is_told() {
    let shop = two_machines();
    shop.run(["enable", "serch"]).exits(1);
    shop.run(["enable", "old", "--dry-run"]).exits(0);
    assert_eq!(shop.run(["history", "--store", "other", "--json"]).json()["total"], 2);
    shop.write("flags.json", FLAGS.replace("\"old\": false", "\"new\": true, \"old\": false"));
    shop.run(["publish", "flags.json", "--local-only"]).exits(0);
    let ran = shop.run(["disable", "new"]).exits(3);
    assert!(
        ran.out.contains("web-2: not done there: generation 1 of production: there is no flag \"new\""),
        "{}",
        ran.out
    );
}

#[test]
fn a_store_of_another_environment_does_not_do_what_was_meant_for_this_one() {
    let shop = two_machines();
    shop.run(["init", "staging", "--store", "staging", "--environment", "staging"]).exits(0);
    let command = format!("exec {} --store staging \"$@\"", env!("CARGO_BIN_EXE_flagstone"));
    machine(&shop, "web-2", &command);
    let ran = shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(3);
    assert!(ran.out.contains("sent for production, and this store is for staging"), "{}", ran.out);
    assert_eq!(shop.run(["history", "--store", "staging", "--json"]).json()["total"], 1);
}

#[test]
fn two_machines_that_declare_each_other_do_not_answer_for_ever() {
    let shop = two_machines();
    let back = format!("echo again >> again; exec {} --store store \"$@\"", env!("CARGO_BIN_EXE_flagstone"));
    let directory = shop.directory.display();
    let path = shop.write("back.sh", format!("#!/bin/sh\ncd '{directory}'\n{back}\n"));
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    let run = serde_json::json!([path]).to_string();
    shop.run(["config", "machines.web-1", &run, "--store", "other"]).exits(0);
    shop.run(["disable", "billing_v2"]).exits(0);
    assert!(!shop.directory.join("again").exists());
}

#[test]
fn commands_that_others_could_have_written_are_not_run() {
    let shop = two_machines();
    let config = shop.directory.join("store/config.json");
    std::fs::set_permissions(&config, PermissionsExt::from_mode(0o664)).unwrap();
    // The config may name a list of companies as well: nobody knows whom the change turns off.
    shop.run(["disable", "billing_v2"]).exits(1);
    let ran = shop.run(["disable", "billing_v2", "--yes"]).exits(3);
    let told = "config.json is used, since others than its owner can write it (mode 0664). Read it first. Type: chmod go-w ";
    assert!(ran.err.contains(told), "{}", ran.err);
    assert_eq!(asked(&shop, "other", "billing_v2", "1"), 0);
    for words in [["config", "--store", "store"], ["notify", "--status", "--store=store"]] {
        let ran = shop.run(words).exits(0);
        assert!(ran.err.contains(told), "{}", ran.err);
    }
    std::fs::set_permissions(&config, PermissionsExt::from_mode(0o666)).unwrap();
    let ran = shop.run(["disable", "search"]).exits(1);
    assert!(ran.err.contains("config.json is writable by everybody"), "{}", ran.err);
    // What cannot wait is done all the same, and says that it cannot tell of the others.
    let ran = shop.run(["kill", "search", "--reason", "slow"]).exits(3);
    assert!(ran.err.contains("whether there are other machines is not known"), "{}", ran.err);
    assert_eq!(asked(&shop, "store", "search", "2"), 1);
}

#[test]
fn a_word_of_a_plan_is_said_on_the_other_machine_too() {
    let shop = two_machines();
    let planned = "\"old\": { \"enabled\": false, \"rollout\": { \"percentage\": 0 }, \"plan\": { \"stages\": [ { \"companies\": [15] }, { \"percentage\": 100 } ] } }";
    shop.write("flags.json", FLAGS.replace("\"old\": false", planned));
    shop.run(["publish", "flags.json"]).exits(0);
    let ran = shop.run(["plan", "start", "old", "--reason", "it's time; now"]).exits(0);
    assert!(ran.out.contains("web-2: done there too"), "{}", ran.out);
    assert_eq!([asked(&shop, "store", "old", "15"), asked(&shop, "other", "old", "15")], [0, 0]);
}

#[test]
fn a_config_says_where_it_is_wrong() {
    let shop = Shop::published();
    for (text, problem) in [
        (
            "{\n  \"compnies\": \"x\"\n}",
            "config.json:2:12: found the key \"compnies\", expected one of companies, confirm_above, machines, notify, retained_mib, agent, telemetry (did you mean \"companies\"?)",
        ),
        ("{\n  \"confirm_above\": 20\n}", "config.json:2:21: found 20, expected a share from 0 to 1"),
        ("{\"confirm_above\": \"x\"}", "config.json:1:21: found string \"x\", expected a share from 0 to 1"),
        ("{\"machines\": {\"web-2\": {\"run\": []}}}", "found an empty \"run\", expected a command such as"),
        ("{\"machines\": {\"web-2\": {\"run\": [\"ssh\"], \"timout\": 3}}}", "did you mean \"timeout\"?"),
        (
            "{\"machines\": {\"web 2\": {\"run\": [\"ssh\"]}}}",
            "found the name \"web 2\", expected 1 to 64 letters",
        ),
        // It was called a machine.
        (
            "{\"notify\": {\"../x\": {\"url\": \"https://x\"}}}",
            "found the name \"../x\", expected 1 to 64 letters",
        ),
        ("{", "config.json:1:1: EOF while parsing an object"),
    ] {
        shop.write("store/config.json", text);
        for arguments in [&["disable", "search"][..], &["config", "confirm_above", "0.5"]] {
            let ran = crate::shop::ran(shop.command([]).args(arguments).output().unwrap()).exits(1);
            assert!(ran.err.contains(problem), "{problem} in {}", ran.err);
        }
        let ran = shop.run(["config"]).exits(2);
        assert!(ran.err.contains(problem), "{problem} in {}", ran.err);
    }
    std::fs::remove_file(shop.directory.join("store/config.json")).unwrap();
    let ran = shop.run(["config", "compnies", "x"]).exits(1);
    assert!(
        ran.err.contains("did you mean \"companies\"?") && ran.err.contains("nothing was changed"),
        "{}",
        ran.err
    );
    shop.run(["config", "confirm_above", "0.5"]).exits(0);
    assert_eq!(shop.run(["config", "confirm_above"]).exits(0).out, "0.5\n");
    shop.run(["config", "machines.web-2", r#"["ssh", "web-2", "flagstone"]"#]).exits(0);
    assert_eq!(shop.run(["config", "machines.web-2.run", "--json"]).json()[1], "web-2");
    shop.run(["config", "confirm_above", "--unset"]).exits(0);
    assert_eq!(shop.run(["config", "confirm_above"]).exits(0).out, "0.2\n");
    shop.run(["config", "companies"]).exits(1);
    let mode = std::fs::metadata(shop.directory.join("store/config.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn a_former_key_of_a_config_is_used_and_every_command_says_what_to_type() {
    let shop = Shop::published();
    shop.write("store/config.json", "{\"off_share\": 0.5}");
    let line = "config.json has off_share, which is named confirm_above now and is used as that; type: flagstone config confirm_above 0.5";
    for command in ["status", "list", "config", "doctor", "disable search", "kill search --reason x"] {
        let ran = crate::shop::ran(shop.command([]).args(command.split(' ')).output().unwrap());
        assert_eq!(ran.err.matches(line).count(), 1, "{command}: {}", ran.err);
    }
    assert_eq!(shop.run(["config", "confirm_above"]).exits(0).out, "0.5\n");
    let ran = shop.run(["config", "off_share", "0.4"]).exits(1);
    assert!(ran.err.contains("off_share is named confirm_above now"), "{}", ran.err);
    shop.run(["config", "retained_mib", "64"]).exits(0);
    let ran = shop.run(["config", "--json"]).exits(0);
    assert_eq!((&ran.json()["confirm_above"], ran.err.as_str()), (&0.5.into(), ""));
}

#[test]
fn what_is_said_of_a_plan_is_said_on_the_other_machine_too() {
    let shop = two_machines();
    shop.write("flags.json", crate::plans::PLANNED);
    for store in ["store", "other"] {
        shop.run(["publish", "flags.json", "--yes", "--store", store]).exits(0);
    }
    let stages = || {
        ["store", "other"].map(|store| {
            let shown =
                shop.run(["plan", "show", "customer_portal", "--json", "--store", store]).exits(0).json();
            (shown["state"].as_str().unwrap().to_owned(), shown["stage"].as_u64())
        })
    };
    let both = |state: &str, stage: Option<u64>| [(state.to_owned(), stage), (state.to_owned(), stage)];
    let ran = shop.run(["plan", "start", "customer_portal", "--reason", "it's; time"]).exits(0);
    assert!(ran.out.contains("web-2: done there too, generation 3"), "{}", ran.out);
    assert_eq!(stages(), both("running", Some(1)));
    shop.run(["plan", "advance", "customer_portal", "--reason", "fine"]).exits(0);
    shop.run(["plan", "hold", "customer_portal"]).exits(0);
    assert_eq!(stages(), both("held", Some(2)));
    shop.run(["plan", "resume", "customer_portal", "--stage", "3", "--local-only"]).exits(0);
    assert_ne!(stages()[0], stages()[1]);
    // What is done here is said to the others all the same.
    let ran = shop.run(["plan", "resume", "customer_portal", "--stage", "3"]).exits(0);
    assert!(ran.out.contains("is running already, in stage 3 of 4; nothing was changed"), "{}", ran.out);
    assert_eq!(stages(), both("running", Some(3)));
    shop.run(["plan", "abort", "customer_portal"]).exits(0);
    assert_eq!(stages(), both("not started", None));
}

// "Type it again once they answer": typed again it was refused as done already, and the machine was never asked.
#[test]
fn a_command_typed_again_reaches_the_machine_that_did_not_answer() {
    let shop = two_machines();
    let planned = r#"{"flags": {
        "portal": { "enabled": false, "rollout": { "percentage": 0 },
            "plan": { "stages": [ { "percentage": 10, "soak": "7d" }, { "percentage": 50, "soak": "7d" } ] } },
        "short": { "enabled": false, "rollout": { "percentage": 0 }, "plan": { "stages": [ { "percentage": 100 } ] } },
        "search": true, "gone": true
    }}"#;
    shop.write("flags.json", planned);
    shop.run(["publish", "flags.json", "--yes"]).exits(0);
    let less = planned.replace(", \"gone\": true", "");
    shop.write("less.json", &less);
    shop.run(["publish", "less.json", "--yes"]).exits(0);
    shop.write("more.json", less.replace("\"search\"", "\"other\": true, \"search\""));
    let up = shop.directory.join("up");
    let command = format!(
        "[ -e up ] || {{ echo no route >&2; exit 255; }}; exec sh -c \"{} --store other $*\"",
        env!("CARGO_BIN_EXE_flagstone")
    );
    machine(&shop, "web-2", &command);
    let state = |store: &str| {
        let flags = shop.run(["inspect", "--definitions", "--store", store]).exits(0).out;
        let plans = ["portal", "short"].map(|flag| {
            let shown = shop.run(["plan", "show", flag, "--json", "--store", store]).exits(0).json();
            (shown["state"].clone(), shown["stage"].clone())
        });
        (flags, plans)
    };
    for typed in [
        "plan start short",
        "plan start portal",
        "plan hold portal --reason x",
        "plan resume portal",
        "plan advance portal --reason x --expect-generation B",
        "plan hold portal --expect-generation B",
        "plan resume portal --stage 2 --expect-generation B",
        "plan abort portal",
        "rollout search 50 --expect-generation B",
        "disable search --expect-generation B",
        "allow search 15 --expect-generation B",
        "delete gone --expect-generation B",
        "publish more.json --expect-generation B --yes",
    ] {
        let base = shop.run(["status", "--json"]).json()["store"]["generation"].to_string();
        let typed = typed.replace('B', &base);
        let run = |line: &str| {
            let words: Vec<String> = line.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect();
            crate::shop::ran(shop.command([]).args(words).output().unwrap())
        };
        let missed = run(&typed).exits(3);
        let again = missed.err.lines().find_map(|line| line.split_once("once they answer, type: flagstone "));
        let again = again.map_or(typed.clone(), |(_, line)| line.to_owned());
        assert_ne!(state("store"), state("other"), "{typed}");
        std::fs::write(&up, "").unwrap();
        let ran = run(&again).exits(0);
        assert!(ran.out.contains("web-2: done there too"), "{again}: {}", ran.out);
        let after = shop.run(["status", "--json"]).json()["store"]["generation"].to_string();
        run(&again).exits(0);
        assert_eq!(
            shop.run(["status", "--json"]).json()["store"]["generation"].to_string(),
            after,
            "{again}"
        );
        assert_eq!(state("store"), state("other"), "{typed}");
        std::fs::remove_file(&up).unwrap();
    }
    // Whoever mistypes a key is not told that it is done.
    shop.run(["delete", "serch"]).exits(1);
}

/// Takes a lease on a head, has a shell put another store in its place once somebody wants to write it, and gives the lease back.
const EXCHANGE: &str = "
import fcntl, os, signal, subprocess, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
head = os.open(sys.argv[1], os.O_RDONLY)
fcntl.fcntl(head, fcntl.F_SETLEASE, fcntl.F_RDLCK)
print('held', flush=True)
signal.sigwait([signal.SIGIO])
subprocess.check_call(['/bin/sh', '-c', sys.argv[2]])
fcntl.fcntl(head, fcntl.F_SETLEASE, fcntl.F_UNLCK)
";

// It ended with "it was done" and with "NOTHING WAS STOPPED: every flag answers as before", and the other machine was not told.
#[test]
fn a_switch_whose_path_leads_elsewhere_at_its_end_is_sent_all_the_same() {
    let shop = two_machines();
    let switched = |typed: &[&str], exchange: &str| {
        std::os::unix::fs::symlink("store", shop.directory.join("link")).unwrap();
        let mut holder = Command::new("/usr/bin/python3");
        holder.args(["-c", EXCHANGE, "store/head", exchange]).current_dir(&shop.directory);
        let mut holder = holder.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        let ran = ran(shop.command([]).args(["--store", "link"]).args(typed).output().unwrap());
        assert!(holder.wait().unwrap().success());
        std::fs::remove_file(shop.directory.join("link")).unwrap();
        ran
    };
    let here_and_there = || [asked(&shop, "store", "search", "2"), asked(&shop, "other", "search", "2")];
    for (typed, last, answers) in [
        (&["kill", "search", "--reason", "x"][..], "PERHAPS NOT STOPPED: search may answer as before", 1),
        (&["revive", "search"], "", 0),
        (&["stop-all", "--yes", "--reason", "x"], "PERHAPS NOT STOPPED: every flag may answer as before", 1),
        (&["resume-all"], "", 0),
    ] {
        let ran = switched(typed, "ln -sfn nowhere link").exits(2);
        assert!(ran.err.contains("it was done in the head that "), "{}", ran.err);
        assert!(!ran.err.contains("NOTHING") && !ran.err.contains("nothing was changed"), "{}", ran.err);
        assert!(ran.err.lines().last().unwrap().ends_with(last), "{}", ran.err);
        assert!(ran.out.contains("web-2: done there too"), "{}", ran.out);
        assert_eq!(here_and_there(), [answers; 2], "{typed:?}");
    }
    let json =
        switched(&["kill", "search", "--reason", "x", "--json"], "ln -sfn nowhere link").exits(2).json();
    assert_eq!(json["machines"][0]["done"], true, "{json}");
    shop.run(["revive", "search"]).exits(0);
    // Where the path leads to a store, the switch is made there as well.
    shop.run(["init", "standby", "--store", "standby", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json", "--store", "standby"]).exits(0);
    switched(&["kill", "search", "--reason", "x"], "ln -sfn standby link").exits(0);
    assert_eq!((here_and_there(), asked(&shop, "standby", "search", "2")), ([1, 1], 1));
}

// A stop that was done here ended with another machine's "NOTHING WAS STOPPED".
#[test]
fn another_machines_failure_does_not_say_that_nothing_was_stopped() {
    let shop = Shop::published();
    shop.write(
        "gone.sh",
        r#"printf '%s\n' '{"error": "cannot open the directory\nNOTHING WAS STOPPED: every flag answers as before"}'; exit 2"#,
    );
    let program = serde_json::json!(["/bin/sh", shop.directory.join("gone.sh")]).to_string();
    shop.run(["config", "machines.gone", &program]).exits(0);
    let ran = shop.run(["stop-all", "--yes", "--reason", "x"]).exits(3);
    assert!(ran.out.contains("gone: not done there: cannot open the directory (exit 2)"), "{}", ran.out);
    assert!(!ran.out.contains("NOTHING") && !ran.err.contains("NOTHING"), "{}{}", ran.out, ran.err);
}

// "web-2: done there too" with exit 0 stood over a store that printed "NOTHING WAS STOPPED", where `… | tee` lost its exit code; a number was an answer, too.
#[test]
fn only_an_answer_for_this_environment_says_that_it_is_done_there() {
    let shop = Shop::published();
    let answer = |environment: &str| {
        format!(r#"echo '{{"environment":"{environment}","machine":"web-2","generation":7,"changed":true}}'"#)
    };
    for (name, script) in [
        (
            "refused",
            r#"printf '%s\n' '{"error":"cannot open the directory\nNOTHING WAS STOPPED: search answers as before"}'"#,
        ),
        ("number", "nproc"),
        ("list", "echo '[]'"),
        ("other", &answer("staging")),
        (
            "conflict",
            r#"echo '{"environment":"production","machine":"web-2","published":false,"conflicts":[]}'"#,
        ),
        ("long", "head -c 5000000 /dev/zero"),
        ("noisy", &format!("head -c 5000000 /dev/zero; echo; {}; nproc", answer("production"))),
    ] {
        machine(&shop, name, script);
    }
    let ran = shop.run(["kill", "search", "--reason", "slow"]).exits(3);
    for told in [
        "refused: not done there: cannot open the directory (exit 0)\n",
        "number: not done there: its command ended well, but flagstone did not answer\n",
        "list: not done there: its command ended well, but flagstone did not answer\n",
        "other: not done there: its command ended well, but flagstone did not answer\n",
        "conflict: not done there: its command ended well, but flagstone did not answer\n",
        "long: not done there: its command ended well, but flagstone did not answer\n",
        "noisy: done there too, generation 7\n",
    ] {
        assert!(ran.out.contains(told), "{told} in {}", ran.out);
    }
    assert!(ran.err.contains("done here, but not on 6 of 7 machines"), "{}", ran.err);
}

// Another machine's workers that do not read its store, and its missing note in the trail, were "done there too".
#[test]
fn what_another_machine_warns_of_is_told() {
    let shop = Shop::published();
    machine(
        &shop,
        "web-2",
        r#"echo '{"environment":"production","generation":7,"warning":"the trail is full","unreached":["user www-data cannot read head. Type: x"]}'"#,
    );
    let ran = shop.run(["kill", "search", "--reason", "slow"]).exits(0);
    let except =
        "web-2: done there, except in workers that do not read this store (see the warning), generation 7\n";
    assert!(ran.out.contains(except), "{}", ran.out);
    for warned in ["web-2: the trail is full\n", "web-2: user www-data cannot read head. Type: x\n"] {
        assert!(ran.err.contains(&format!("warning: {warned}")), "{}", ran.err);
    }
    let json = shop.run(["kill", "search", "--reason", "slow", "--json"]).exits(0).json();
    let told = &json["machines"][0];
    assert_eq!(told["warning"], "the trail is full", "{json}");
    assert_eq!(told["unreached"][0], "user www-data cannot read head. Type: x", "{json}");
}

/// Holds the lock of the head, in which a kill that is in force waits to write its record, until its input ends.
fn hold_the_head(shop: &Shop) -> std::process::Child {
    let mut holder = Command::new("flock");
    let holder = holder.arg(shop.directory.join("store/head.lock")).args(["sh", "-c", "echo held; cat"]);
    let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut [0; 5]).unwrap();
    holder
}

/// Starts a kill or a stop with the signals' default actions, whoever runs the tests.
fn start(shop: &Shop, typed: &[&str]) -> std::process::Child {
    let mut command = Command::new("env");
    command.args(["--default-signal", env!("CARGO_BIN_EXE_flagstone")]).args(typed);
    command.args(["--reason", "fire"]).current_dir(&shop.directory).env("FLAGSTONE_STORE", "store");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &std::process::Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

// A terminal that went away in the second after the flag was off ended the command, and the other machine was not told.
#[test]
fn a_terminal_that_goes_away_ends_no_kill_before_the_other_machines_have_it() {
    let shop = two_machines();
    for typed in [&["kill", "search"][..], &["stop-all", "--yes"]] {
        let mut holder = hold_the_head(&shop);
        let kill = start(&shop, typed);
        until(|| asked(&shop, "store", "search", "2") == 1);
        signal(&kill, rustix::process::Signal::HUP);
        drop(holder.stdin.take());
        holder.wait().unwrap();
        let ran = ran(kill.wait_with_output().unwrap()).exits(0);
        assert!(ran.out.contains("web-2: done there too"), "{}", ran.out);
        assert_eq!(asked(&shop, "other", "search", "2"), 1);
        shop.run(["revive", "search"]).exits(0);
        shop.run(["resume-all"]).exits(0);
    }
}

// Ctrl-C in that second left open what was done and what was not.
#[test]
fn a_kill_that_is_interrupted_says_what_is_done_and_what_is_not() {
    let shop = two_machines();
    for interrupt in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let mut holder = hold_the_head(&shop);
        let kill = start(&shop, &["kill", "search"]);
        until(|| asked(&shop, "store", "search", "2") == 1);
        signal(&kill, interrupt);
        let ended = kill.wait_with_output().unwrap();
        drop(holder.stdin.take());
        holder.wait().unwrap();
        let err = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&ended.status),
            Some(interrupt.as_raw()),
            "{err}"
        );
        let said = "interrupted: it may be done here (`flagstone status` says), and no other machine was told; type it again\n";
        assert!(err.ends_with(said), "{err}");
        shop.run(["revive", "search"]).exits(0);
    }
    let wait = "touch waits; while [ -e waits ] && [ ! -e go ]; do sleep 0.05; done";
    machine(&shop, "web-2", wait);
    let kill = start(&shop, &["kill", "search"]);
    until(|| shop.directory.join("waits").exists());
    signal(&kill, rustix::process::Signal::INT);
    let err = String::from_utf8(kill.wait_with_output().unwrap().stderr).unwrap();
    shop.write("go", "");
    assert!(
        err.ends_with("interrupted: it is done here, and perhaps not on the other machines; type it again\n"),
        "{err}"
    );
}

// A pause of the guard, its end and a note stayed on the machine where they were typed, whatever --help said.
#[test]
fn the_guards_pause_its_end_and_a_note_reach_the_other_machine() {
    let shop = two_machines();
    let told = "web-2: done there too, generation 1\n";
    let last =
        || shop.run(["history", "--limit", "1", "--store", "other", "--json"]).json()["changes"][0].clone();
    for (typed, action, reason) in [
        (&["guard", "pause", "--for", "30m", "--reason", "load; test"][..], "guard_pause", "load; test"),
        (&["guard", "resume", "--reason", "over"], "guard_resume", "over"),
        (&["note", "--actor", "ann", "--", "-- deploy 42"], "note", "-- deploy 42"),
    ] {
        let ran = ran(shop.command([]).args(typed).output().unwrap()).exits(0);
        assert!(ran.out.ends_with(told), "{}", ran.out);
        assert_eq!((last()["action"].as_str(), last()["reason"].as_str()), (Some(action), Some(reason)));
    }
    assert_eq!(last()["actor"]["user"], "ann");
    machine(&shop, "web-2", "exit 255");
    let json = shop.run(["note", "deploy 43", "--json"]).exits(3).json();
    assert_eq!(json["machines"][0]["done"], false);
    shop.run(["note", "deploy 43", "--local-only"]).exits(0);
}
