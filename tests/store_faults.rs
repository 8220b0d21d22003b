//! A store whose publishers are killed, and whose disk is full or fails.

mod support;

use flagstone::store::{Reader, Store};
use rustix::fs::{FlockOperation, flock};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use support::children::{Child, answers};
use support::stores::{change, new_store, numbered, on, portal, publish, reader, snapshot_names};
use support::trusted_dir;

#[test]
fn a_child_process_does_what_its_parent_asks() {
    support::children::serve();
}

/// What holds at every moment, whatever happened: the head names a good snapshot, readers answer from it, the audit
/// trail is whole but for an end that was cut off.
fn sound(store: &Path) -> u64 {
    let fresh: Reader = reader(store);
    let view = fresh.view();
    assert!(!view.fallback, "{:?}", fresh.status());
    assert_eq!(fresh.status().last_error, None);
    if let Some(snapshot) = &view.snapshot {
        snapshot.verify().expect("a good snapshot");
        assert!(on(&view, "portal"));
    }
    let check = Store::open(store).unwrap().verify_audit().unwrap();
    assert_eq!(check.first_bad, None, "{check:?}");
    view.generation
}

fn temporaries(store: &Path) -> usize {
    snapshot_names(store).iter().filter(|name| name.ends_with(".tmp")).count()
}

/// How often to kill: `FLAGSTONE_TEST_KILLS`, or 300 times.
fn kills() -> u64 {
    std::env::var("FLAGSTONE_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(300)
}

#[test]
fn a_publisher_killed_at_any_moment_leaves_the_old_generation_or_the_new() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &numbered(0));
    let watching = reader(&path);
    let (mut last, mut orphans, mut torn) = (1, 0, 0);
    for round in 0..kills() {
        let first = (round * 10_000 + 3).to_string();
        let mut child =
            Child::new("change without end").store(&path).set("NUMBER", &first).command().spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains("=> ready") {
            let mut bytes = [0; 64];
            let read = stdout.read(&mut bytes).unwrap();
            assert!(read > 0, "the child ended: {}", String::from_utf8_lossy(&said));
            said.extend_from_slice(&bytes[..read]);
        }
        // Spread over the length of several changes, never the same twice.
        std::thread::sleep(Duration::from_micros(round * 7_919 % 20_000));
        child.kill().unwrap();
        stdout.read_to_end(&mut said).unwrap();
        child.wait().unwrap();

        let acknowledged =
            answers(&said).iter().filter_map(|answer| answer.strip_prefix("published ")?.parse().ok()).max();
        let now = sound(&path);
        assert!(
            now >= acknowledged.unwrap_or(last).max(last),
            "{now} after {acknowledged:?}, {last} before that"
        );
        let view = watching.view();
        assert!(!view.fallback && on(&view, "portal"));
        orphans += temporaries(&path);
        torn += usize::from(store.verify_audit().unwrap().torn_end);
        last = now;
    }
    println!("{} kills, generation {last}, {orphans} temporary files left, {torn} torn ends", kills());
    assert!(last > kills() / 4, "too few changes for this to mean anything: {last}");
    publish(&store, &numbered(1));
    assert_eq!(temporaries(&path), 0, "what the dead left is gone");
    assert!(snapshot_names(&path).len() <= 12);
    sound(&path);
    assert_eq!(watching.view().generation, store.generation().unwrap());
}

/// The system calls that a change of the store makes after it has opened the lock, and how often.
fn calls(store: &Path, what: &str) -> BTreeMap<String, (u32, u32)> {
    let log = store.with_extension("trace");
    let traced = Child::new(what).store(store).set("NUMBER", "2");
    let traced =
        traced.under(&["strace", "-f", "-o", log.to_str().unwrap(), "-e", &format!("trace={CALLS}")]).run();
    assert!(traced.done(), "strace: {}", String::from_utf8_lossy(&traced.output.stderr));
    let log = std::fs::read_to_string(log).unwrap();
    let lock = log.find("/lock\"").expect("the lock is opened");
    let from = log[..lock].rfind('\n').unwrap_or(0);
    let mut calls: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for (text, counts) in [(&log[..from], false), (&log[from..], true)] {
        for line in text.lines() {
            let Some(call) = line.split_whitespace().nth(1).and_then(|rest| rest.split_once('(')) else {
                continue;
            };
            let entry = calls.entry(call.0.to_owned()).or_default();
            if counts { entry.1 += 1 } else { entry.0 += 1 }
        }
    }
    calls.retain(|_, counts| counts.1 > 0);
    calls
}

const CALLS: &str =
    "openat,read,write,pread64,pwrite64,fsync,fdatasync,rename,unlink,ftruncate,fchmod,msync,mmap,flock";

fn each_fault(what: &str, faults: &[&str], check: impl Fn(&Path, &str, bool, &str)) {
    let dir = trusted_dir();
    let path = dir.join("counted");
    publish(&new_store(&path), &numbered(1));
    let calls = calls(&path, what);
    for needed in ["write", "pwrite64", "fdatasync", "msync", "openat"] {
        assert!(calls.contains_key(needed), "no {needed} among {calls:?}");
    }
    let mut tried = 0;
    for (call, (before, during)) in &calls {
        for position in before + 1..=before + during {
            for fault in faults {
                let path = dir.join(&format!("{call}-{position}-{tried}"));
                publish(&new_store(&path), &numbered(1));
                let inject = format!("inject={call}:{}", fault.replace('#', &position.to_string()));
                let child = Child::new(what).store(&path).set("NUMBER", "2");
                let child = child.under(&["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject]).run();
                let stderr = String::from_utf8_lossy(&child.output.stderr);
                assert!(!stderr.contains("strace: "), "{inject}: {stderr}");
                check(&path, &inject, child.done(), &child.text());
                std::fs::remove_dir_all(&path).unwrap();
                tried += 1;
            }
        }
    }
    assert!(tried >= 20, "only {tried} faults were tried");
    println!("{tried} faults in {what}: {calls:?}");
}

#[test]
fn a_publish_that_any_system_call_fails_is_done_or_changes_nothing() {
    each_fault(
        "publish",
        &["error=EIO:when=#", "error=EIO:when=#+", "error=ENOSPC:when=#", "error=EINTR:when=#"],
        |path, fault, done, text| {
            let generation = sound(path);
            if done {
                assert!(text.starts_with("published 2"), "{fault}: {text}");
                assert_eq!(generation, 2, "{fault}: {text}");
            } else {
                // Once the head has moved a publish does not fail any more, whatever else goes wrong. What cannot be
                // known is what the harness itself did, of a child that could not even answer.
                assert!(generation == 1 || text.is_empty(), "{fault}: refused, but {generation}: {text}");
            }
            let unlinked = fault.contains("unlink") || fault.contains('+');
            assert!(unlinked || temporaries(path) == 0, "{fault}: {:?}", snapshot_names(path));
            let next = publish(&Store::open(path).unwrap(), &numbered(3));
            assert_eq!((sound(path), temporaries(path)), (next.generation, 0), "{fault}");
        },
    );
}

#[test]
fn a_publisher_killed_at_any_system_call_leaves_the_old_generation_or_the_new() {
    each_fault("publish", &["signal=KILL:when=#"], |path, fault, done, _| {
        let generation = sound(path);
        // Not every run makes as many calls: one that came to its end has published.
        assert!(generation == 2 || (generation == 1 && !done), "{fault}: {generation}");
        let next = publish(&Store::open(path).unwrap(), &numbered(3));
        assert_eq!((sound(path), temporaries(path)), (next.generation, 0), "{fault}");
    });
}

#[test]
fn a_kill_works_or_says_that_it_did_not_whatever_fails() {
    each_fault("kill", &["error=EIO:when=#", "error=ENOSPC:when=#+"], |path, fault, done, text| {
        let killed = !on(&reader(path).view(), "portal");
        assert!(killed == done || text.is_empty(), "{fault}: {text}");
        if fault.contains("write64") || fault.contains("sync") {
            assert!(killed, "{fault}: a kill needs no disk: {text}");
        }
    });
}

#[test]
fn the_audit_trail_is_on_the_disk_before_the_snapshot_gets_its_name_and_that_before_the_head_moves() {
    let dir = trusted_dir();
    let path = dir.join("store");
    publish(&new_store(&path), &numbered(1));
    let log = dir.join("trace");
    let traced = Child::new("publish").store(&path).set("NUMBER", "2");
    let traced =
        traced.under(&["strace", "-f", "-y", "-o", log.to_str().unwrap(), "-e", &format!("trace={CALLS}")]);
    assert!(traced.run().done());
    let log = std::fs::read_to_string(log).unwrap();
    let mut from = 0;
    for step in [
        "flock(",
        "audit.jsonl>, \"{",
        "fdatasync(",
        ".snapshot.tmp\", O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC",
        "\"\\x89FSNAP",
        "fchmod(",
        "0444",
        "fsync(",
        ".snapshot.tmp\", O_RDONLY",
        "rename(",
        "fsync(",
        "snapshots>",
        "msync(",
        "audit.jsonl>, \"{",
        "fdatasync(",
    ] {
        let step = step.replace("\\x89", "\\211");
        let found =
            log[from..].find(&step).unwrap_or_else(|| panic!("no {step} after\n{}\nin\n{log}", &log[..from]));
        from += found + step.len();
    }
}

#[test]
fn a_full_disk_refuses_a_publish_and_still_kills_and_stops() {
    let dir = trusted_dir();
    let disk = dir.join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mount = |arguments: &[&str]| {
        let status = Command::new(arguments[0]).args(&arguments[1..]).arg(&disk).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "{arguments:?} needs root: run the tests as root (sudo make test)"
        );
    };
    mount(&["mount", "-t", "tmpfs", "-o", "size=512k,mode=0755", "flagstone-test"]);
    struct Unmount<'a>(&'a Path);
    impl Drop for Unmount<'_> {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(self.0).status();
        }
    }
    let _unmount = Unmount(&disk);
    let path = disk.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    // To the last byte, before anybody has looked at the kill slots: had the head holes, they could not be filled now.
    std::fs::write(disk.join("ballast"), vec![0; 1 << 20]).unwrap_err();
    let reader = reader(&path);
    reader.view();
    let before = snapshot_names(&path);

    let error = store.publish(&numbered(2), change()).unwrap_err().to_string();
    assert!(
        error.contains("No space left") && error.contains("nothing was changed, generation 1 stays"),
        "{error}"
    );
    assert_eq!(snapshot_names(&path), before);
    assert_eq!(sound(&path), 1);

    // The trail's last block takes a few lines yet.
    let long = flagstone::store::Change { reason: Some("x".repeat(1_500)), ..change() };
    let mut warnings = 0;
    for _ in 0..5 {
        for step in 0..4 {
            let done = match step {
                0 => store.kill("portal", long.clone()),
                1 => store.revive("portal", long.clone()),
                2 => store.stop_all(long.clone()),
                _ => store.resume_all(long.clone()),
            };
            let done = done.expect("a change of the head needs no room");
            assert!(done.changed);
            assert_eq!(on(&reader.view(), "portal"), step % 2 == 1);
            let warning = done.audit_warning;
            warnings += usize::from(warning.is_some_and(|text| text.contains("not in the audit trail")));
        }
    }
    assert!(warnings > 10, "{warnings}");
    assert!(store.kill("portal", change()).unwrap().changed);
    assert!(!on(&reader.view(), "portal"));
    assert!(store.revive("portal", change()).unwrap().changed);
    assert!(on(&reader.view(), "portal"));

    std::fs::remove_file(disk.join("ballast")).unwrap();
    publish(&store, &numbered(2));
    assert_eq!(sound(&path), 2);
}

#[test]
fn without_an_audit_trail_nothing_is_published_but_flags_are_killed() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    let audit = path.join("audit.jsonl");
    std::fs::rename(&audit, dir.join("aside")).unwrap();
    std::fs::create_dir(&audit).unwrap();
    let error = store.publish(&numbered(2), change()).unwrap_err().to_string();
    assert!(error.contains("audit trail") && error.contains("nothing was changed"), "{error}");
    assert_eq!(snapshot_names(&path).len(), 1);
    assert!(store.kill("portal", change()).unwrap().audit_warning.unwrap().contains("audit trail"));
    assert!(!on(&reader(&path).view(), "portal"));
    std::fs::remove_dir(&audit).unwrap();
    std::fs::rename(dir.join("aside"), &audit).unwrap();
    publish(&store, &numbered(2));
    assert_eq!(store.verify_audit().unwrap().first_bad, None);
}

#[test]
fn a_store_that_cannot_be_written_says_so() {
    let dir = trusted_dir();
    let path = dir.join("store");
    publish(&new_store(&path), &portal(true));
    let mount = |arguments: &[&str]| Command::new("mount").args(arguments).arg(dir.path()).status();
    let bound = mount(&["--bind", dir.path().to_str().unwrap()]);
    assert!(
        bound.is_ok_and(|status| status.success()),
        "mount needs root: run the tests as root (sudo make test)"
    );
    let readonly = mount(&["-o", "remount,bind,ro"]);
    let store = Store::open(&path).expect("asking needs no writing");
    let answers = (store.publish(&portal(false), change()), store.kill("portal", change()), store.status());
    let view = reader(&path).view();
    let _ = Command::new("umount").arg("-l").arg(dir.path()).status();
    assert!(readonly.is_ok_and(|status| status.success()));
    for error in [answers.0.unwrap_err().to_string(), answers.1.unwrap_err().to_string()] {
        assert!(
            error.contains("cannot open the lock") && error.contains("only where it can be written"),
            "{error}"
        );
    }
    assert_eq!(answers.2.unwrap().generation, 1);
    assert!(on(&view, "portal"));
}

#[test]
fn the_lock_is_waited_for_a_bounded_time_and_then_its_holder_named() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path).with_patience(Duration::from_millis(300));
    let lock = std::fs::OpenOptions::new().write(true).open(path.join("lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&lock, b"bob on web2 (process 7, publishing since 2026)", 0)
        .unwrap();
    let since = Instant::now();
    let error = store.publish(&portal(true), change()).unwrap_err();
    assert!(error.is_busy() && !error.is_refusal());
    assert!(
        error.to_string().contains("being changed by bob on web2 (process 7, publishing since 2026"),
        "{error}"
    );
    let waited = since.elapsed();
    assert!(waited >= Duration::from_millis(300) && waited < Duration::from_secs(3), "{waited:?}");
    drop(lock);
    publish(&store, &portal(true));
}

#[test]
fn the_lock_of_a_publisher_that_dies_is_free_at_once() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &numbered(0));
    // It waits in the middle of its publish, holding the lock, for longer than this test runs.
    let stuck = Child::new("publish").store(&path).set("NUMBER", "5");
    let stuck = stuck.under(&["strace", "-f", "-o", "/dev/null", "-e", "inject=rename:delay_enter=60000000"]);
    let mut strace = stuck.command().spawn().unwrap();
    let impatient = store.clone().with_patience(Duration::from_millis(100));
    let since = Instant::now();
    let error = loop {
        match impatient.kill("other", change()) {
            Err(error) => break error,
            Ok(_) => assert!(since.elapsed() < Duration::from_secs(20), "the child never came to its rename"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(error.to_string().contains("publishing since 20"), "{error}");
    let text = error.to_string();
    let process = text.split_once("process ").and_then(|(_, rest)| rest.split_once(',')).unwrap().0;
    let process = rustix::process::Pid::from_raw(process.parse().unwrap()).unwrap();
    let _ = strace.kill();
    let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
    let _ = strace.wait();
    let since = Instant::now();
    assert_eq!(publish(&store, &numbered(6)).previous, 1);
    assert!(since.elapsed() < Duration::from_secs(1));
    assert_eq!(temporaries(&path), 0);
    assert_eq!(sound(&path), store.generation().unwrap());
}

#[test]
fn a_snapshot_that_is_not_on_the_disk_as_it_was_written_never_becomes_current() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &numbered(1));
    // Where the disk lies, it has other bytes than were written: as its last step, before the snapshot is read back,
    // the publisher is stopped at its fsync until somebody has changed a byte of what no reader looks at.
    let child = Child::new("publish").store(&path).set("NUMBER", "2");
    let child =
        child.under(&["strace", "-f", "-o", "/dev/null", "-e", "inject=fsync:delay_exit=3000000:when=1"]);
    let running = child.command().spawn().unwrap();
    let since = Instant::now();
    let file = loop {
        let found = snapshot_names(&path).into_iter().find(|name| name.ends_with(".tmp"));
        let found = found.map(|name| path.join("snapshots").join(name));
        if let Some(found) = found.filter(|file| support::mode(file) == 0o444) {
            break found;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "no temporary file");
        std::thread::sleep(Duration::from_millis(5));
    };
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let open = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&open, &[bytes[bytes.len() - 1] ^ 1], bytes.len() as u64 - 1)
        .unwrap();
    let output = running.wait_with_output().unwrap();
    let text = answers(&output.stdout).join("\n");
    assert!(text.contains("checksum") && text.contains("generation 1 stays"), "{text}");
    assert_eq!((sound(&path), temporaries(&path)), (1, 0));
}
