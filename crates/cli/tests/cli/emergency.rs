//! `kill` and `stop-all` where something is in the way: they work, or their last line says that nothing was stopped.

use crate::shop::{Shop, ran};
use std::os::unix::fs::FileExt;
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

/// A file system of 1 MiB in memory, until dropped.
struct Small(PathBuf);

impl Small {
    fn mount(shop: &Shop) -> Small {
        let path = shop.directory.join("small");
        std::fs::create_dir(&path).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m,mode=755", "none"]).arg(&path).status();
        assert!(mounted.is_ok_and(|status| status.success()), "only root can mount: sudo make test");
        Small(path)
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let filler = std::fs::File::create(self.0.join("filler")).unwrap();
        let written = (0..).try_for_each(|page| filler.write_all_at(&[1; 4096], page * 4096));
        assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_restored_head_with_holes_takes_its_room_at_the_next_look_of_doctor_and_else_says_what_is_missing() {
    // Nothing could be stopped on a full disk after a restore by cp --sparse, rsync -S, tar -S or a reflink, and doctor had said ok.
    let restored = |shop: &Shop| {
        let small = Small::mount(shop);
        let copied = Command::new("cp")
            .args(["-a", "--sparse=always"])
            .args([shop.directory.join("store"), small.0.join("store")])
            .status();
        assert!(copied.is_ok_and(|status| status.success()));
        let store = small.0.join("store").to_str().unwrap().to_owned();
        (small, store)
    };
    let shop = Shop::published();
    let (small, store) = restored(&shop);
    let doctor = shop.run(["doctor", "--store", &store]).out;
    assert!(doctor.contains("kill and stop-all can change the head"), "{doctor}");
    small.fill();
    shop.run(["kill", "search", "--reason", "burning", "--store", &store]).exits(0);
    shop.run(["stop-all", "--yes", "--reason", "burning", "--store", &store]).exits(0);

    let shop = Shop::published();
    let (small, store) = restored(&shop);
    small.fill();
    let doctor = shop.run(["doctor", "--store", &store]).exits(1).out;
    assert!(doctor.contains("kill and stop-all would stop nothing"), "{doctor}");
    let status = shop.run(["status", "--store", &store]).exits(1);
    assert!(status.out.contains("its file system has no room"), "{}", status.out);
    let killed = shop.run(["kill", "search", "--reason", "burning", "--store", &store]).exits(2);
    assert!(
        killed.err.contains("Make room there") && killed.err.contains("NOTHING WAS STOPPED"),
        "{}",
        killed.err
    );
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

/// What comes before the kill is in force: the wait for a lock that another has took 10 ms, and looking for its holder as long again.
#[test]
fn a_kill_is_in_force_before_anybody_asks_who_holds_the_lock() {
    let shop = Shop::published();
    let mut holder = Command::new("flock");
    let holder = holder.arg(shop.directory.join("store/head.lock")).args(["sh", "-c", "echo held; cat"]);
    let holder = holder.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    let mut held = [0; 5];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut held).unwrap();
    for word in [&["kill", "search"][..], &["stop-all", "--yes"]] {
        let traced = shop.directory.join("trace");
        let status = Command::new("strace")
            .args(["-f", "-e", "trace=openat,clock_nanosleep,msync", "-o"])
            .arg(&traced)
            .arg(env!("CARGO_BIN_EXE_flagstone"))
            .args(word)
            .args(["--reason", "burning"])
            .env("FLAGSTONE_STORE", "store")
            .current_dir(&shop.directory)
            .output();
        assert!(status.unwrap().status.success());
        let trace = std::fs::read_to_string(traced).unwrap();
        let (before, after) = trace.split_once("msync").expect("the head is written");
        assert!(!before.contains("clock_nanosleep"), "{before}");
        assert!(!before.contains("/proc/locks") && after.contains("/proc/locks"), "{before}");
    }
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
}

/// With `chattr +a` on the trail no change could be made: the file lets nobody write it who does not say that he appends.
#[test]
fn the_trail_is_opened_to_append() {
    let shop = Shop::published();
    for word in [&["disable", "search", "--yes"][..], &["kill", "search", "--reason", "a"], &["doctor"]] {
        let traced = shop.directory.join("trace");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-e", "trace=openat", "-o"]).arg(&traced).arg(env!("CARGO_BIN_EXE_flagstone"));
        strace.args(word).env("FLAGSTONE_STORE", "store").current_dir(&shop.directory);
        strace.output().unwrap();
        let trace = std::fs::read_to_string(traced).unwrap();
        let opened = trace.lines().filter(|line| line.contains("audit.jsonl") && line.contains("O_RDWR"));
        let opened: Vec<_> = opened.collect();
        assert!(!opened.is_empty() && opened.iter().all(|line| line.contains("O_APPEND")), "{opened:#?}");
    }
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
