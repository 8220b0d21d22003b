//! `kill` and `stop-all` where something is in the way: they work, or their last line says that nothing was stopped.

use crate::shop::{Shop, ran};
use std::path::PathBuf;
use std::process::Command;

/// A file system mounted read-only, until dropped.
struct ReadOnly(PathBuf);

impl ReadOnly {
    fn mount(shop: &Shop) -> ReadOnly {
        let path = shop.directory.join("store").canonicalize().unwrap();
        for arguments in [["--bind", path.to_str().unwrap()], ["-o", "remount,bind,ro"]] {
            let mounted = Command::new("mount").args(arguments).arg(&path).status();
            assert!(mounted.is_ok_and(|status| status.success()), "only root can mount: sudo make test");
        }
        ReadOnly(path)
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_read_only_store_says_beforehand_and_at_the_end_that_nothing_is_stopped() {
    let shop = Shop::published();
    assert!(!shop.run(["status"]).exits(0).out.contains("read-only"));
    let mounted = ReadOnly::mount(&shop);
    let health = shop.run(["health"]).exits(0).out;
    assert!(health.starts_with("degraded: ") && health.contains("stop-all would stop nothing"), "{health}");
    assert_eq!(shop.run(["health", "--json"]).exits(0).json()["flagstone"]["read_only"], true);
    assert!(shop.run(["status"]).exits(0).out.contains("kill and stop-all would stop nothing"));
    let doctor = shop.run(["doctor"]).exits(1).out;
    assert!(doctor.contains("kill and stop-all would stop nothing"), "{doctor}");
    for (typed, unchanged) in [
        (["kill", "search", "--reason", "burning"], "search answers as before"),
        (["stop-all", "--yes", "--reason", "burning"], "every flag answers as before"),
    ] {
        let ran = shop.run(typed).exits(2);
        assert!(ran.err.contains("Read-only file system"), "{}", ran.err);
        let last = ran.err.lines().last().unwrap();
        assert_eq!(last, format!("NOTHING WAS STOPPED: {unchanged}"));
        assert!(!ran.out.contains("until now") && !ran.out.contains("stopped everything"), "{}", ran.out);
        let json = shop.run([typed[0], typed[1], typed[2], typed[3], "--json"]).exits(2).json();
        assert!(json["error"].as_str().unwrap().contains("NOTHING WAS STOPPED"), "{json}");
    }
    drop(mounted);
    shop.run(["kill", "search", "--reason", "burning"]).exits(0);
}

#[test]
fn a_kill_that_is_refused_says_at_the_end_that_nothing_is_stopped() {
    let shop = Shop::published();
    let ran = shop.run(["kill", "serch", "--reason", "slow"]).exits(1);
    assert!(ran.err.contains(". With --force"), "{}", ran.err);
    assert_eq!(ran.err.lines().last(), Some("NOTHING WAS STOPPED: serch answers as before"));
    let ran = shop.run(["stop-all", "--environment", "staging", "--reason", "slow"]).exits(1);
    assert_eq!(ran.err.lines().last(), Some("NOTHING WAS STOPPED: every flag answers as before"));
}

#[test]
fn a_backup_that_holds_the_lock_stops_no_kill() {
    let shop = Shop::published();
    let mut backup = Command::new("flock");
    let backup = backup.arg(shop.directory.join("store/lock")).args(["sh", "-c", "echo held; cat"]);
    let backup = backup.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut backup = backup.spawn().unwrap();
    let mut held = [0; 5];
    std::io::Read::read_exact(backup.stdout.as_mut().unwrap(), &mut held).unwrap();
    shop.run(["kill", "search", "--reason", "slow"]).exits(0);
    shop.run(["stop-all", "--yes", "--reason", "slow"]).exits(0);
    let doctor = shop.run(["doctor"]).out;
    assert!(doctor.contains("kill and stop-all work, a publish does not"), "{doctor}");
    drop(backup.stdin.take());
    assert!(backup.wait().unwrap().success());
}

/// The signal that a write past the limit raises ended the command in the middle, before the head was written.
#[test]
fn a_limit_on_the_size_of_files_ends_no_kill() {
    let shop = Shop::published();
    let flagstone = env!("CARGO_BIN_EXE_flagstone");
    let limited = |word: &str| {
        let line = format!("ulimit -f 0; exec {flagstone} {word} --reason burning >&2");
        ran(Command::new("sh")
            .args(["-c", &line])
            .current_dir(&shop.directory)
            .env("FLAGSTONE_STORE", "store")
            .output()
            .unwrap())
    };
    for (word, before) in
        [("kill search", "killed       none"), ("stop-all --environment production", "stopped      no\n")]
    {
        assert!(shop.run(["status"]).out.contains(before));
        let ran = limited(word);
        assert_eq!(ran.code, 0, "{word}: {}", ran.err);
        let status = shop.run(["status"]).out;
        assert!(!status.contains(before), "{word}: {status}");
    }
}
