//! A store whose disk is full or read-only, whose audit trail is gone, whose lock is held.

mod support;

use flagstone::publish::Store;
use rustix::fs::{FlockOperation, flock};
use std::path::Path;
use std::time::{Duration, Instant};
use support::children::Child;
use support::stores::{
    change, new_store, numbered, on, portal, publish, reader, snapshot_names, sound, temporaries,
};
use support::{NEEDS_ROOT, as_root, trusted_dir, user};

#[test]
fn a_child_process_does_what_its_parent_asks() {
    support::children::serve();
}

#[test]
fn a_full_disk_refuses_a_publish_and_still_kills_and_stops() {
    let dir = trusted_dir();
    let disk = dir.join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mount = |arguments: &[&str]| {
        let status = as_root("mount").args(arguments).arg(&disk).status();
        assert!(status.is_ok_and(|status| status.success()), "mount {arguments:?}: {NEEDS_ROOT}");
    };
    let options = format!("size=512k,mode=0755,uid={}", user());
    mount(&["-t", "tmpfs", "-o", &options, "flagstone-test"]);
    struct Unmount<'a>(&'a Path);
    impl Drop for Unmount<'_> {
        fn drop(&mut self) {
            let _ = as_root("umount").arg("-l").arg(self.0).status();
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
    let long = flagstone::publish::Change { reason: Some("x".repeat(1_500)), ..change() };
    let mut warnings = 0;
    for _ in 0..5 {
        for step in 0..4 {
            let done = match step {
                0 => store.kill("portal", long.clone()),
                1 => store.revive("portal", long.clone()),
                2 => store.stop_all(long.clone()),
                _ => store.resume_all(long.clone(), false),
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
    let mount = |arguments: &[&str]| as_root("mount").args(arguments).arg(dir.path()).status();
    let bound = mount(&["--bind", dir.path().to_str().unwrap()]);
    assert!(bound.is_ok_and(|status| status.success()), "mount --bind: {NEEDS_ROOT}");
    let readonly = mount(&["-o", "remount,bind,ro"]);
    let store = Store::open(&path).expect("asking needs no writing");
    let answers = (store.publish(&portal(false), change()), store.kill("portal", change()), store.status());
    let (read_only, locks) = (store.is_read_only(), store.try_locks());
    let view = reader(&path).view();
    let _ = as_root("umount").arg("-l").arg(dir.path()).status();
    assert!(readonly.is_ok_and(|status| status.success()));
    for (error, what) in [(answers.0.unwrap_err(), "lock"), (answers.1.unwrap_err(), "head")] {
        let error = error.to_string();
        assert!(
            error.contains(&format!("cannot open the {what}"))
                && error.contains("only where it can be written"),
            "{error}"
        );
    }
    assert!(read_only && !Store::open(&path).unwrap().is_read_only());
    assert!(locks.unwrap_err().to_string().contains("cannot open the head"));
    assert_eq!(answers.2.unwrap().generation, 1);
    assert!(on(&view, "portal"));
}

#[test]
fn the_lock_is_waited_for_a_bounded_time_and_then_its_holder_named() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path).with_lock_timeout(Duration::from_millis(300));
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
    let stuck =
        stuck.under(&["strace", "-f", "-o", "/dev/null", "-e", "inject=renameat:delay_enter=60000000"]);
    let mut strace = stuck.command().spawn().unwrap();
    let impatient = store.clone().with_lock_timeout(Duration::from_millis(100));
    let since = Instant::now();
    let error = loop {
        match impatient.make_export_key() {
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
    assert_eq!(publish(&store, &numbered(6)).previous, 1);
    assert_eq!(temporaries(&path), 0);
    assert_eq!(sound(&path), store.generation().unwrap());
}
