//! A head that went back: bytes of it were damaged, or an older copy was written over it or put in its place.

mod support;

use flagstone::guard::NoticeKind;
use flagstone::merge::{PullResult, PulledField};
use flagstone::publish::{FileOptions, Store};
use flagstone::store::Source;
use flagstone::transfer::{ExportKey, Trusted};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::damage::{epoch, replace, write_head};
use support::stores::{change, definitions, new_store, on, publish, reader, snapshot_file};
use support::{TrustedDir, trusted_dir};

fn two(portal: bool, description: &str) -> flagstone::definition::Definitions {
    definitions(&format!(
        r#"{{"other":{{"description":"{description}","enabled":true}},"portal":{{"enabled":{portal}}}}}"#
    ))
}

/// Generation 1 with `portal` on and generation 2 with it off.
fn disabled(dir: &TrustedDir) -> (PathBuf, Store) {
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &two(true, ""));
    publish(&store, &two(false, ""));
    (path, store)
}

fn pulled() -> PullResult {
    let field = PulledField { flag: "portal".to_owned(), field: "enabled".to_owned(), value: false.into() };
    PullResult {
        text: String::new(),
        drift: Vec::new(),
        written: vec![field],
        unsaid: Vec::new(),
        planned: Vec::new(),
        orphans: Vec::new(),
        overlay: false,
    }
}

fn head(store: &Path) -> Vec<u8> {
    std::fs::read(store.join("head")).unwrap()
}

#[test]
fn a_damaged_word_of_the_generation_costs_no_content() {
    // One bit of it, 3 to 2, had workers that start answer from the generation before, and the next change publish that everywhere.
    let dir = trusted_dir();
    let (path, store) = disabled(&dir);
    let running = reader(&path);
    running.view();
    for word in [0_u64, 1, 3, 1 << 40] {
        write_head(&path, 264, &word.to_le_bytes());
        epoch(&path);
        assert!(!on(&running.view(), "portal"), "{word}");
        let starting = reader(&path);
        assert!(!on(&starting.view(), "portal"), "{word}, a worker that starts");
        let status = starting.status();
        assert!(status.last_error.is_some() && status.source != Source::Current, "{word}: {status:?}");
        assert!(store.status().unwrap().head_error.is_some(), "{word}");
    }
    write_head(&path, 264, &1_u64.to_le_bytes());
    assert_eq!(store.generation().unwrap(), 2);
    let edited = store.definitions(2).unwrap();
    assert!(!edited.flags["portal"].enabled, "what a change begins from");
    publish(&store, &two(false, "edited"));
    assert!(!on(&running.view(), "portal") && !on(&reader(&path).view(), "portal"));
    assert_eq!((running.status().source, running.status().last_error), (Source::Current, None));
    assert_eq!(store.status().unwrap().head_error, None);
}

#[test]
fn a_kill_holds_in_workers_where_an_older_head_is_written_over() {
    // Of the same generation, it ended the kill in workers that had read it, and nothing told of it.
    let dir = trusted_dir();
    let (path, store) = disabled(&dir);
    let older = head(&path);
    store.kill("other", change()).unwrap();
    let running = reader(&path);
    assert!(!on(&running.view(), "other"));
    write_head(&path, 0, &older);
    assert!(!on(&running.view(), "other"));
    epoch(&path);
    assert!(!on(&running.view(), "other"));
    let error = running.status().last_error.unwrap();
    assert!(error.contains("went back in place") && error.contains("other stays off here"), "{error}");
    let error = store.status().unwrap().head_error.unwrap();
    assert!(error.contains("the kill of other"), "{error}");

    // Others write and clear that slot.
    store.kill("portal", change()).unwrap();
    store.revive("portal", change()).unwrap();
    assert!(!on(&running.view(), "other"));
    store.kill("other", change()).unwrap();
    assert!(!on(&running.view(), "other"));
    assert_eq!(running.status().last_error, None);
    store.revive("other", change()).unwrap();
    assert!(on(&running.view(), "other"));
}

#[test]
fn a_kill_holds_where_an_older_head_is_written_over_in_two_writes() {
    // Between the two, the epoch was old already and the kill's slot was still there: after them nothing told that the head had gone back.
    let dir = trusted_dir();
    let (path, store) = disabled(&dir);
    let older = head(&path);
    store.kill("other", change()).unwrap();
    let running = reader(&path);
    assert!(!on(&running.view(), "other"));
    write_head(&path, 0, &older[..4_096]);
    assert!(!on(&running.view(), "other"));
    write_head(&path, 4_096, &older[4_096..]);
    epoch(&path);
    assert!(!on(&running.view(), "other"));
    let error = running.status().last_error.unwrap();
    assert!(error.contains("other stays off here"), "{error}");
    store.kill("other", change()).unwrap();
    assert!(!on(&running.view(), "other"));
    assert_eq!(running.status().last_error, None);
    store.revive("other", change()).unwrap();
    assert!(on(&running.view(), "other"));
}

#[test]
fn a_stop_holds_in_workers_where_an_older_head_is_written_over() {
    // Workers that run went from everything off to everything on, and nothing told of it.
    let ends: [fn(&Store); 2] = [
        |_| {},
        |store| {
            // Makes the stop again.
            store.kill("portal", change()).unwrap();
        },
    ];
    for (end, writes) in ends.into_iter().flat_map(|end| [272, 4_096, 65_536].map(|first| (end, first))) {
        let dir = trusted_dir();
        let (path, store) = disabled(&dir);
        let older = head(&path);
        store.stop_all(change()).unwrap();
        let running = reader(&path);
        assert!(!on(&running.view(), "other"));
        write_head(&path, 0, &older[..writes]);
        assert!(!on(&running.view(), "other"), "{writes}");
        write_head(&path, writes as u64, &older[writes..]);
        for _ in 0..2 {
            epoch(&path);
            assert!(!on(&running.view(), "other"), "{writes}");
        }
        let status = running.status();
        assert!(status.stopped);
        let error = status.last_error.unwrap();
        assert!(error.contains("went back in place") && error.contains("flagstone resume-all"), "{error}");
        end(&store);
        assert!(!on(&running.view(), "other"), "{writes}");
        store.resume_all(change(), false).unwrap();
        assert!(on(&running.view(), "other"), "{writes}");
        assert_eq!(running.status().last_error, None);
    }
}

#[test]
fn a_stop_holds_after_an_earlier_one_was_ended_by_a_clock_that_was_ahead() {
    // It seemed to have ended before it began: workers went from everything off to everything on.
    let dir = trusted_dir();
    let (path, store) = disabled(&dir);
    let ended = flagstone::time::now() + 86_400_000_000;
    write_head(&path, 448, &ended.to_le_bytes());
    let older = head(&path);
    store.stop_all(change()).unwrap();
    let running = reader(&path);
    assert!(!on(&running.view(), "other"));
    write_head(&path, 0, &older);
    for _ in 0..2 {
        epoch(&path);
        assert!(!on(&running.view(), "other"));
    }
    store.stop_all(change()).unwrap();
    store.resume_all(change(), false).unwrap();
    assert!(on(&running.view(), "other"));
}

#[test]
fn the_first_change_makes_the_kills_and_the_stop_again_that_an_older_head_lacks() {
    // Each change went on without them, and a rollback said that killed flags stay killed. Then records alone made them again and did not
    // say so.
    type Act = fn(&Store) -> Option<String>;
    let acts: [(&str, Act); 10] = [
        ("publish", |store| store.publish(&two(false, "new"), change()).unwrap().audit_warning),
        ("rollback", |store| store.rollback(Some(1), change()).unwrap().audit_warning),
        ("kill", |store| store.kill("portal", change()).unwrap().audit_warning),
        ("revive", |store| store.revive("portal", change()).unwrap().audit_warning),
        ("note", |store| store.note(&change()).unwrap().audit_warning),
        ("pull", |store| store.note_pulled(&pulled(), &change()).unwrap().audit_warning),
        ("key trust", |store| {
            let key = Trusted::new("hub", &ExportKey::from_seed(&[7; 32]).public()).unwrap();
            store.trust_key("hub", Some(key), &change()).unwrap().audit_warning
        }),
        ("guard pause", |store| store.pause_guard(flagstone::time::now(), &change()).unwrap().audit_warning),
        ("guard resume", |store| store.resume_guard(&change()).unwrap().audit_warning),
        ("notice", |store| {
            let told = store.guard_notice(NoticeKind::Sees, None, (None, None), &change());
            told.unwrap().audit_warning
        }),
    ];
    for (name, act) in acts {
        let dir = trusted_dir();
        let (path, store) = disabled(&dir);
        let older = head(&path);
        store.kill("portal", change()).unwrap();
        store.revive("portal", change()).unwrap();
        store.kill("other", change()).unwrap();
        store.stop_all(change()).unwrap();
        write_head(&path, 0, &older);
        let warning = act(&store).expect(name);
        assert!(warning.contains("the kill of other, the stop"), "{name}: {warning}");
        let status = store.status().unwrap();
        assert_eq!(
            (status.killed.iter().any(|kill| kill.flag == "other"), status.head_error),
            (true, None),
            "{name}"
        );
        assert!(status.stopped.is_some(), "{name}");
        store.resume_all(change(), false).unwrap();
        assert!(!on(&reader(&path).view(), "other"), "{name}");
        let check = store.read_audit(|_| {}).unwrap();
        assert!(check.first_bad.is_none(), "{name}: {check:?}");
    }
    let dir = trusted_dir();
    let (path, store) = disabled(&dir);
    let older = head(&path);
    store.kill("other", change()).unwrap();
    store.kill("portal", change()).unwrap();
    write_head(&path, 0, &older);
    store.revive("other", change()).unwrap();
    assert!(on(&reader(&path).view(), "other"), "what a person revives is on");
}

#[test]
fn a_publish_that_fails_says_what_it_made_again_before() {
    // It said that nothing was changed.
    let dir = trusted_dir();
    let (path, store) = disabled(&dir);
    let older = head(&path);
    store.kill("other", change()).unwrap();
    write_head(&path, 0, &older);
    let _immutable = Immutable::of(path.join("snapshots"));
    let error = store.publish(&two(false, "new"), change()).unwrap_err();
    assert!(error.is_partial() && !error.is_refusal());
    let error = error.to_string();
    assert!(error.contains("nothing else was changed") && error.contains("made again"), "{error}");
    assert!(error.contains("the kill of other") && !error.contains("nothing was changed"), "{error}");
    assert!(store.killed().unwrap().contains("other"));
    let error = store.publish(&two(false, "new"), change()).unwrap_err();
    assert!(error.to_string().contains("nothing was changed"), "{error}");
}

#[test]
fn nothing_is_published_from_an_older_generation_than_the_newest_unless_it_is_named() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &two(true, ""));
    let older = head(&path);
    publish(&store, &two(false, ""));
    replace(&path.join("head"), &older);
    for refused in [store.publish(&two(true, "new"), change()), store.rollback(None, change())] {
        let error = refused.unwrap_err().to_string();
        assert!(
            error.contains("nothing was changed") && error.contains("flagstone rollback --to 2"),
            "{error}"
        );
    }
    store.kill("other", change()).unwrap();
    assert!(store.publish(&two(true, "new"), change()).is_err(), "a kill is no publish");
    let error = store.status().unwrap().head_error.unwrap();
    assert!(error.contains("generation 2") && error.contains("flagstone rollback --to 2"), "{error}");
    let published = store.rollback(Some(2), change()).unwrap();
    assert!(published.generation > 2 && !on(&reader(&path).view(), "portal"));
    assert_eq!(store.status().unwrap().head_error, None);

    // The content that runs can be kept as well.
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &two(true, ""));
    let older = head(&path);
    publish(&store, &two(false, ""));
    replace(&path.join("head"), &older);
    assert!(!store.rollback(Some(1), change()).unwrap().unchanged);
    publish(&store, &two(true, "new"));
}

#[test]
fn a_publish_without_its_second_record_is_missed_where_later_records_show_that_it_ran() {
    // The disk was full when it ended, and the head that went back before it was taken for the newest.
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &two(true, ""));
    let older = head(&path);
    publish(&store, &two(false, ""));
    let trail = path.join("audit.jsonl");
    let text = std::fs::read_to_string(&trail).unwrap();
    let (rest, done) = text.trim_end().rsplit_once('\n').unwrap();
    assert!(done.contains(r#""outcome":"done""#), "{done}");
    std::fs::write(&trail, format!("{rest}\n")).unwrap();
    store.kill("other", change()).unwrap();
    write_head(&path, 0, &older);
    let error = store.publish(&two(true, "new"), change()).unwrap_err().to_string();
    assert!(error.contains("flagstone rollback --to 2"), "{error}");
    assert!(store.status().unwrap().head_error.unwrap().contains("generation 2"));
}

#[test]
fn the_head_of_a_new_store_put_back_is_mended_by_a_rollback() {
    // The line that every error named was refused, and one of them named generation 0.
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    let new = head(&path);
    publish(&store, &two(true, ""));
    publish(&store, &two(false, ""));
    let running = reader(&path);
    running.view();
    write_head(&path, 0, &new);
    assert!(!on(&running.view(), "portal"));
    let error = running.status().last_error.unwrap();
    assert!(error.contains("flagstone rollback --to 2"), "{error}");
    for refused in [store.publish(&two(true, "new"), change()), store.rollback(None, change())] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("rollback --to 2") && !error.contains("--to 0"), "{error}");
    }
    store.rollback(Some(2), change()).unwrap();
    assert_eq!(store.status().unwrap().head_error, None);
    assert!(!on(&reader(&path).view(), "portal") && on(&reader(&path).view(), "other"));
    assert_eq!(running.view().generation, 3);
}

#[test]
fn a_damaged_pointer_costs_no_content_while_its_snapshot_is_there() {
    // Workers that started answered from the generation before, where what the newest one switches off is on.
    let damages: [&[u64]; 2] = [&[345], &[345, 409]];
    for damage in damages {
        let dir = trusted_dir();
        let (path, store) = disabled(&dir);
        let running = reader(&path);
        running.view();
        for at in damage {
            write_head(&path, *at, &[0xff]);
        }
        epoch(&path);
        for worker in [&running, &reader(&path)] {
            let view = worker.view();
            assert!(!on(&view, "portal") && on(&view, "other") && view.generation == 2, "{damage:?}");
            let status = worker.status();
            assert_ne!(status.source, Source::Current);
            let error = status.last_error.unwrap();
            assert!(
                error.contains("the next publish") && !error.contains("restore it from a backup"),
                "{error}"
            );
        }
        let status = store.status().unwrap();
        assert_eq!((status.generation, status.flags, status.error), (2, Some(2), None));
        assert!(status.head_error.unwrap().contains("the next publish"), "{damage:?}");
        assert!(!store.definitions(2).unwrap().flags["portal"].enabled, "what a change begins from");
        let published = publish(&store, &two(false, "edited"));
        assert_eq!((published.previous, published.unchanged), (2, false));
        assert_eq!(store.status().unwrap().head_error, None);
        for worker in [&running, &reader(&path)] {
            assert_eq!(worker.view().generation, published.generation, "{damage:?}");
            assert_eq!((worker.status().source, worker.status().last_error), (Source::Current, None));
        }
    }
}

#[test]
fn the_content_of_a_damaged_pointer_is_published_as_a_new_generation() {
    let dir = trusted_dir();
    let (path, store) = disabled(&dir);
    write_head(&path, 345, &[0xff]);
    let published = publish(&store, &two(false, ""));
    assert!(!published.unchanged && published.generation > 2);
    assert_eq!(store.status().unwrap().head_error, None);
}

#[test]
fn a_damaged_pointer_without_its_snapshot_leaves_the_generation_before_and_says_so() {
    // It said that the next publish mends it, which was refused and named a rollback to the generation that is gone.
    let dir = trusted_dir();
    let (path, store) = disabled(&dir);
    write_head(&path, 345, &[0xff]);
    std::fs::remove_file(snapshot_file(&path, 2)).unwrap();
    let starting = reader(&path);
    assert_eq!((starting.view().generation, starting.status().source), (1, Source::Previous));
    for told in [starting.status().last_error, store.status().unwrap().head_error] {
        let told = told.unwrap();
        assert!(told.contains("no snapshot of generation 2") && told.contains("flagstone kill"), "{told}");
        assert!(told.ends_with("`flagstone rollback --to 1` mends it"), "{told}");
    }
    let refused = store.publish(&two(false, "new"), change()).unwrap_err().to_string();
    assert!(refused.ends_with("Type: flagstone rollback --to 1"), "{refused}");
    store.rollback(Some(1), change()).unwrap();
    assert_eq!(store.status().unwrap().head_error, None);
    publish(&store, &two(false, "new"));
}

#[test]
fn a_damaged_pointer_with_no_other_and_no_snapshot_names_the_publish_that_mends_it() {
    // The line said that any publish does, which is refused since the switches that were turned cannot be read.
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &two(true, ""));
    write_head(&path, 409, &[0xff]);
    std::fs::remove_file(snapshot_file(&path, 1)).unwrap();
    let told = store.status().unwrap().head_error.unwrap();
    assert!(told.ends_with("`flagstone publish FILE --reset all` mends it"), "{told}");
    let publish = |reset: &[&str]| {
        let reset = reset.iter().map(|what| (*what).to_owned()).collect();
        store.publish_file(&two(true, ""), &FileOptions { reset, ..FileOptions::default() }, change())
    };
    assert!(publish(&[]).is_err());
    publish(&["all"]).unwrap();
    assert_eq!(store.status().unwrap().head_error, None);
}

/// A trail that can be read and not written, until dropped.
struct Immutable(PathBuf);

impl Immutable {
    fn of(path: PathBuf) -> Immutable {
        chattr("+i", &path);
        Immutable(path)
    }
}

impl Drop for Immutable {
    fn drop(&mut self) {
        chattr("-i", &self.0);
    }
}

fn chattr(flag: &str, path: &Path) {
    let set = support::as_root("chattr").arg(flag).arg(path).status();
    assert!(set.is_ok_and(|set| set.success()), "chattr {flag}: {}", support::NEEDS_ROOT);
}

#[test]
fn kills_that_an_older_head_lacks_are_made_again_where_the_trail_cannot_be_written() {
    // Changes opened the trail for their own record first, and went on without it.
    type Act = fn(&Store) -> Option<String>;
    let acts: [Act; 2] = [
        |store| store.kill("portal", change()).unwrap().audit_warning,
        |store| store.revive("portal", change()).unwrap().audit_warning,
    ];
    for act in acts {
        let dir = trusted_dir();
        let (path, store) = disabled(&dir);
        store.kill("portal", change()).unwrap();
        store.revive("portal", change()).unwrap();
        let older = head(&path);
        store.kill("other", change()).unwrap();
        store.stop_all(change()).unwrap();
        write_head(&path, 0, &older);
        let _immutable = Immutable::of(path.join("audit.jsonl"));
        let warning = act(&store).unwrap();
        assert!(warning.contains("the kill of other, the stop"), "{warning}");
        let status = store.status().unwrap();
        assert!(status.killed.iter().any(|kill| kill.flag == "other") && status.stopped.is_some());
        assert_eq!(status.head_error, None);
        // What a person ends now stays ended, though the trail cannot tell.
        store.revive("other", change()).unwrap();
        store.resume_all(change(), false).unwrap();
        act(&store);
        assert!(on(&reader(&path).view(), "other"));
    }
}

#[test]
fn a_publisher_that_died_before_it_moved_the_head_hinders_nobody() {
    let dir = trusted_dir();
    let (path, store) = disabled(&dir);
    let before = head(&path);
    let trail = std::fs::read(path.join("audit.jsonl")).unwrap();
    publish(&store, &two(false, "died"));
    // Its intention and its snapshot are there.
    let now = std::fs::read(path.join("audit.jsonl")).unwrap();
    let line = now[trail.len()..].iter().position(|byte| *byte == b'\n').unwrap();
    std::fs::write(path.join("audit.jsonl"), &now[..=trail.len() + line]).unwrap();
    write_head(&path, 0, &before);
    assert_eq!(store.status().unwrap().head_error, None);
    publish(&store, &two(false, "next"));
}

#[test]
fn a_kill_reports_once_workers_have_followed_another_head() {
    // Workers look for another head once a second, and answered on for that long after the report.
    let dir = trusted_dir();
    let (path, store) = disabled(&dir);
    // A new store's workers have no other head.
    std::thread::sleep(Duration::from_millis(1_200));
    replace(&path.join("head"), &head(&path));
    let replaced = Instant::now();
    store.kill("other", change()).unwrap();
    assert!(replaced.elapsed() >= Duration::from_secs(1));
}

/// Asks the kernel about a lease on this file, or sets it.
fn lease(file: &std::fs::File, command: libc::c_int, kind: libc::c_int) -> libc::c_int {
    use std::os::fd::AsRawFd;
    // SAFETY: reads and changes only this file's lease.
    unsafe { libc::fcntl(file.as_raw_fd(), command, kind) }
}

#[test]
fn a_switch_is_made_in_the_store_that_the_path_leads_to_when_it_ends() {
    // It was made in the directory that it had opened, and reported although another one was in its place.
    // SAFETY: ignores a signal that only tells of a lease.
    unsafe { libc::signal(libc::SIGIO, libc::SIG_IGN) };
    let acts: [fn(&Store) -> flagstone::publish::SwitchOutcome; 2] =
        [|store| store.kill("other", change()).unwrap(), |store| store.stop_all(change()).unwrap()];
    for act in acts {
        let dir = trusted_dir();
        let (path, store) = disabled(&dir);
        let standby = dir.join("standby");
        let copied = std::process::Command::new("cp").arg("-a").args([&path, &standby]).status();
        assert!(copied.unwrap().success());
        // The switch opens the directory, and waits for the head.
        let held = std::fs::File::open(path.join("head")).unwrap();
        assert_eq!(lease(&held, libc::F_SETLEASE, libc::F_RDLCK), 0);
        std::thread::scope(|scope| {
            let switch = scope.spawn(|| act(&store));
            while !switch.is_finished() && lease(&held, libc::F_GETLEASE, 0) == libc::F_RDLCK {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::fs::rename(&path, dir.join("damaged")).unwrap();
            std::fs::rename(&standby, &path).unwrap();
            assert_eq!(lease(&held, libc::F_SETLEASE, libc::F_UNLCK), 0);
            assert!(switch.join().unwrap().changed);
        });
        assert!(!on(&reader(&path).view(), "other"));
        assert!(!on(&reader(&dir.join("damaged")).view(), "other"));
    }
}

#[test]
fn a_switch_in_a_store_that_is_moved_away_is_no_success() {
    // It was reported as done, and the store that was put there afterwards lacked it.
    // SAFETY: ignores a signal that only tells of a lease.
    unsafe { libc::signal(libc::SIGIO, libc::SIG_IGN) };
    let dir = trusted_dir();
    let (path, store) = disabled(&dir);
    let standby = dir.join("standby");
    publish(&new_store(&standby), &two(true, ""));
    let link = dir.join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let by_link = Store::open(&link).unwrap();
    let relink = || {
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&standby, &link).unwrap();
    };
    let remove = || std::fs::rename(&path, dir.join("damaged")).unwrap();
    let switch = |store: &Store, exchange: &dyn Fn()| {
        let held = std::fs::File::open(path.join("head")).unwrap();
        assert_eq!(lease(&held, libc::F_SETLEASE, libc::F_RDLCK), 0);
        std::thread::scope(|scope| {
            let switch = scope.spawn(|| store.kill("other", change()));
            while !switch.is_finished() && lease(&held, libc::F_GETLEASE, 0) == libc::F_RDLCK {
                std::thread::sleep(Duration::from_millis(1));
            }
            exchange();
            assert_eq!(lease(&held, libc::F_SETLEASE, libc::F_UNLCK), 0);
            switch.join().unwrap()
        })
    };
    // Each attempt went to the store that a link had led to.
    assert!(switch(&by_link, &relink).unwrap().changed);
    assert!(!on(&reader(&path).view(), "other") && !on(&reader(&standby).view(), "other"));
    let error = switch(&store, &remove).unwrap_err();
    assert!(error.is_partial() && !error.is_refusal());
    let error = error.to_string();
    assert!(error.contains("it was done") && error.contains("type it again"), "{error}");
    assert!(!error.contains("nothing was changed") && !error.contains("took the place"), "{error}");
}

#[test]
fn a_publish_into_a_store_that_is_moved_away_says_so() {
    // It named the generation that it made, and the store at that path lacked it.
    // SAFETY: ignores a signal that only tells of a lease.
    unsafe { libc::signal(libc::SIGIO, libc::SIG_IGN) };
    let dir = trusted_dir();
    let (path, store) = disabled(&dir);
    let held = std::fs::File::open(path.join("head")).unwrap();
    assert_eq!(lease(&held, libc::F_SETLEASE, libc::F_RDLCK), 0);
    std::thread::scope(|scope| {
        let publish = scope.spawn(|| store.publish(&two(false, "new"), change()));
        while !publish.is_finished() && lease(&held, libc::F_GETLEASE, 0) == libc::F_RDLCK {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::fs::rename(&path, dir.join("damaged")).unwrap();
        assert_eq!(lease(&held, libc::F_SETLEASE, libc::F_UNLCK), 0);
        let warning = publish.join().unwrap().unwrap().audit_warning.unwrap_or_default();
        assert!(warning.contains("publish again"), "{warning}");
    });
}

#[test]
fn a_rollback_passes_over_a_generation_that_never_ran() {
    // A publisher that died left its snapshot, and the next rollback published it.
    let dir = trusted_dir();
    let (path, store) = disabled(&dir);
    let (before, trail) = (head(&path), std::fs::read(path.join("audit.jsonl")).unwrap());
    publish(&store, &two(true, "died"));
    let now = std::fs::read(path.join("audit.jsonl")).unwrap();
    let line = now[trail.len()..].iter().position(|byte| *byte == b'\n').unwrap();
    std::fs::write(path.join("audit.jsonl"), &now[..=trail.len() + line]).unwrap();
    write_head(&path, 0, &before);
    publish(&store, &two(false, "next"));
    let back = store.rollback(None, change()).unwrap();
    assert_eq!(back.rolled_back_to, Some(2));
    assert!(!on(&reader(&path).view(), "portal"));
}

#[test]
fn numbers_go_on_above_those_of_generations_that_are_gone() {
    // Workers that run took the new ones for a head that went back, and stayed where they were.
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &two(true, ""));
    let older = head(&path);
    for description in ["2", "3", "4"] {
        publish(&store, &two(true, description));
    }
    let running = reader(&path);
    running.view();
    write_head(&path, 0, &older);
    for entry in std::fs::read_dir(path.join("snapshots")).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_string_lossy().contains("00000000000000000001-") {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert!(store.rollback(Some(1), change()).unwrap().generation > 4);
    publish(&store, &two(false, "5"));
    assert!(!on(&running.view(), "portal"));
}

#[test]
fn a_generation_that_nothing_has_is_not_believed() {
    // A higher bit of the word had every change refused, or numbers go on from there.
    let dir = trusted_dir();
    let (path, store) = disabled(&dir);
    for bit in [0, 5, 62, 63] {
        let generation = store.generation().unwrap();
        write_head(&path, 264, &(generation | 1 << bit).to_le_bytes());
        let published = publish(&store, &two(false, &format!("bit {bit}")));
        assert!(published.generation < 100, "{published:?}");
        assert_eq!(store.status().unwrap().head_error, None, "bit {bit}");
    }
}

#[test]
fn a_key_that_no_flag_can_have_is_not_killed_again() {
    // The command ended by a panic before it killed what was typed.
    use sha2::Digest;
    let dir = trusted_dir();
    let (path, store) = disabled(&dir);
    let older = head(&path);
    store.kill("other", change()).unwrap();
    let trail = path.join("audit.jsonl");
    let text = std::fs::read_to_string(&trail).unwrap();
    let (rest, last) = text.trim_end().rsplit_once('\n').unwrap();
    let record = last.rsplit_once(",\"hash\":").unwrap().0;
    let forged = record.replace("\"other\"", &format!("{:?}", "k".repeat(300)));
    assert_ne!(forged, record);
    let hash: String = sha2::Sha256::digest(&forged).iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(&trail, format!("{rest}\n{forged},\"hash\":\"{hash}\"}}\n")).unwrap();
    write_head(&path, 0, &older);
    store.kill("portal", change()).unwrap();
    assert_eq!(store.status().unwrap().killed.len(), 1);
}
