//! Locks of a store: an emergency change depends on nobody else.

mod support;

use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};
use support::children::Child;
use support::stores::{change, new_store, numbered, on, portal, publish, reader, sound};
use support::{NEEDS_ROOT, as_root, mode, trusted_dir, user};

/// By then a worker has the answer of a kill that waited for nobody.
const AT_ONCE: Duration = Duration::from_millis(500);

#[test]
fn a_child_process_does_what_its_parent_asks() {
    support::children::serve();
}

fn held(path: &Path, name: &str) -> File {
    let file = OpenOptions::new().write(true).open(path.join(name)).unwrap();
    flock(&file, FlockOperation::LockExclusive).unwrap();
    file
}

#[test]
fn kill_and_stop_wait_for_no_publish() {
    // A backup that held the lock, or a publisher that hung, once kept every kill out for ten seconds, and then refused it.
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path).with_lock_timeout(Duration::from_secs(5));
    publish(&store, &portal(true));
    let _backup = held(&path, "lock");
    let began = Instant::now();
    assert!(store.kill("portal", change()).unwrap().changed);
    assert!(!on(&reader(&path).view(), "portal"));
    assert!(store.stop_all(change()).unwrap().changed);
    assert!(store.resume_all(change(), false).unwrap().changed);
    let revived = store.revive("portal", change()).unwrap();
    assert!(revived.changed && revived.audit_warning.is_none(), "{revived:?}");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    let busy = store.try_locks().unwrap().expect("a publish would wait");
    assert!(busy.is_busy(), "{busy}");
    assert!(busy.to_string().contains(&format!("kill -9 {}", std::process::id())), "{busy}");
}

#[test]
fn a_kill_in_the_middle_of_a_publish_is_one_record_between_two() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &numbered(0));
    let slow = Child::new("publish").store(&path).set("NUMBER", "5");
    let slow = slow.under(&["strace", "-f", "-o", "/dev/null", "-e", "inject=renameat:delay_enter=2000000"]);
    let mut strace = slow.command().spawn().unwrap();
    let began = Instant::now();
    let intended = || std::fs::read_to_string(path.join("audit.jsonl")).unwrap().lines().count() == 4;
    while !intended() {
        assert!(began.elapsed() < Duration::from_secs(20), "the child never came to its rename");
        std::thread::sleep(Duration::from_millis(5));
    }
    let began = Instant::now();
    assert!(store.kill("other", change()).unwrap().changed);
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    assert!(strace.wait().unwrap().success());
    assert_eq!((store.generation().unwrap(), sound(&path)), (2, 2));
    assert_eq!(store.verify_audit().unwrap().first_bad, None);
    let history = store.history().unwrap();
    let told: Vec<_> = history.iter().map(|entry| entry.action.unwrap().name()).collect();
    assert_eq!(told, ["init", "publish", "publish", "kill"]);
    assert!(history.iter().all(|entry| entry.outcome == flagstone::audit::Outcome::Done));
}

#[test]
fn a_lock_that_is_missing_is_made_again() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    for name in ["lock", "head.lock"] {
        std::fs::remove_file(path.join(name)).unwrap();
    }
    let killed = store.kill("portal", change()).unwrap();
    assert!(killed.changed && killed.audit_warning.is_none(), "{killed:?}");
    publish(&store, &numbered(2));
    assert_eq!((mode(&path.join("lock")), mode(&path.join("head.lock"))), (0o600, 0o600));
}

#[test]
fn nobody_but_those_who_change_a_store_can_open_its_locks() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    let _guard = store.guarding().unwrap().expect("no other guard");
    let _sender = store.sender("chat").unwrap().expect("no other sender");
    for name in ["lock", "head.lock", "guard/lock", "notify/chat.lock"] {
        assert_eq!(mode(&path.join(name)), 0o600, "{name}");
        // As a store of an earlier version has it.
        std::fs::set_permissions(path.join(name), PermissionsExt::from_mode(0o644)).unwrap();
    }
    publish(&store, &portal(true));
    assert!(store.guarding().unwrap().is_none() && store.sender("chat").unwrap().is_none());
    for name in ["lock", "head.lock", "guard/lock", "notify/chat.lock"] {
        assert_eq!(mode(&path.join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_kill_goes_on_where_the_lock_of_the_head_is_held() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path).with_lock_timeout(Duration::from_millis(50));
    publish(&store, &portal(true));
    let hung = held(&path, "head.lock");
    let killed = store.kill("portal", change()).unwrap();
    assert!(killed.changed && !on(&reader(&path).view(), "portal"));
    let warning = killed.audit_warning.unwrap();
    assert!(warning.contains("it is done, but not in the audit trail") && !warning.contains("nothing was"));
    // What is no emergency waits, and says who is in the way.
    assert!(store.revive("portal", change()).unwrap_err().is_busy());
    // Each of those who are in a hurry at once finds a slot of its own.
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = store.clone();
            scope.spawn(move || {
                for flag in 0..10 {
                    assert!(store.kill(&format!("flag_{thread}_{flag}"), change()).unwrap().changed);
                }
            });
        }
    });
    let killed = store.killed().unwrap();
    let lost = (0..80).map(|flag| format!("flag_{}_{}", flag / 10, flag % 10));
    assert_eq!(lost.filter(|flag| !killed.contains(flag)).collect::<Vec<_>>(), Vec::<String>::new());
    assert!(store.stop_all(change()).unwrap().changed);
    drop(hung);
    assert!(store.revive("portal", change()).unwrap().changed);
    assert!(store.resume_all(change(), false).unwrap().changed);
    assert_eq!(store.verify_audit().unwrap().first_bad, None);
}

#[test]
fn a_kill_works_where_no_lock_can_be_made() {
    let dir = trusted_dir();
    let disk = dir.join("disk");
    std::fs::create_dir(&disk).unwrap();
    let options = format!("size=8m,nr_inodes=64,mode=0755,uid={}", user());
    let mounted =
        as_root("mount").args(["-t", "tmpfs", "-o", &options, "flagstone-test"]).arg(&disk).status();
    assert!(mounted.is_ok_and(|status| status.success()), "mount: {NEEDS_ROOT}");
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
    for name in ["lock", "head.lock"] {
        std::fs::remove_file(path.join(name)).unwrap();
    }
    let full = (0..64).any(|number| File::create(disk.join(format!("ballast-{number}"))).is_err());
    assert!(full, "there is room for a lock, so this shows nothing");
    let killed = store.kill("portal", change()).unwrap();
    assert!(killed.changed && !on(&reader(&path).view(), "portal"));
    assert!(store.publish(&numbered(2), change()).unwrap_err().to_string().contains("cannot open the lock"));
    assert!(store.stop_all(change()).unwrap().changed);
    assert!(store.resume_all(change(), false).unwrap().changed);
    assert!(store.revive("portal", change()).unwrap().changed);
}
