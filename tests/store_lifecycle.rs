//! A store from `init` to a thousand publishes, as its publisher and its readers see it.

mod support;

use flagstone::audit::{Action, Outcome};
use flagstone::publish::Store;
use flagstone::store::{Reader, ReaderOptions, Source};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use support::children::Child;
use support::stores::{
    change, definitions, new_store, numbered, on, on_base, portal, publish, reader, snapshot_file,
    snapshot_names,
};
use support::{mode, trusted_dir};

#[test]
fn a_published_flag_is_seen_by_a_reader_that_was_there_before() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    let reader = reader(&path);
    let empty = reader.view();
    assert!(empty.snapshot.is_none());
    assert_eq!((empty.generation, empty.fallback), (0, false));

    let published = publish(&store, &portal(true));
    assert_eq!((published.generation, published.previous, published.unchanged), (1, 0, false));
    assert_ne!(empty.epoch_cell().load(Ordering::Relaxed), empty.epoch, "the epoch tells");
    let view = reader.view();
    assert!(on(&view, "portal"));
    assert_eq!(view.generation, 1);
    assert!(view.published_at > 0);

    publish(&store, &portal(false));
    assert!(on(&view, "portal"), "a pinned view does not change");
    assert!(!on(&reader.view(), "portal"));
}

#[test]
fn nothing_is_loaded_again_when_nothing_changed() {
    let dir = trusted_dir();
    let store = new_store(&dir.join("store"));
    publish(&store, &portal(true));
    let reader = reader(&dir.join("store"));
    let view = reader.view();
    assert!(Arc::ptr_eq(&view, &reader.view()));
    assert!(reader.is_current(&view));
    assert_eq!(reader.status().loads, 1);
    store.kill("portal", change()).expect("a kill");
    assert!(!reader.is_current(&view));
    let killed = reader.view();
    assert!(Arc::ptr_eq(view.snapshot.as_ref().unwrap(), killed.snapshot.as_ref().unwrap()));
    assert_eq!(reader.status().loads, 1, "a kill loads nothing");
}

#[test]
fn the_same_content_makes_no_new_generation() {
    let dir = trusted_dir();
    let store = new_store(&dir.join("store"));
    publish(&store, &portal(true));
    let names = snapshot_names(&dir.join("store"));
    let again = publish(&store, &portal(true));
    assert_eq!((again.generation, again.unchanged), (1, true));
    assert_eq!(snapshot_names(&dir.join("store")), names);
    assert_eq!(store.history().unwrap().len(), 2, "init and one publish");
}

#[test]
fn the_same_content_is_published_again_where_its_file_is_damaged() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    std::fs::remove_file(snapshot_file(&path, 1)).unwrap();
    assert!(reader(&path).view().snapshot.is_none());
    assert_eq!(publish(&store, &portal(true)).generation, 2);
    assert!(on(&reader(&path).view(), "portal"));
}

#[test]
fn a_stale_base_is_refused_and_names_both_generations() {
    let dir = trusted_dir();
    let store = new_store(&dir.join("store"));
    store.publish(&numbered(1), on_base(0)).expect("nothing was published yet");
    store.publish(&numbered(2), on_base(1)).expect("the base is current");
    let error = store.publish(&numbered(3), on_base(1)).expect_err("the base is old");
    assert!(error.is_stale() && error.is_refusal());
    let text = error.to_string();
    assert!(
        text.contains("generation 1") && text.contains("but 2 is published") && text.contains("diff 1 2"),
        "{text}"
    );
    assert_eq!(store.generation().unwrap(), 2);
}

#[test]
fn of_two_publishers_with_one_base_one_wins() {
    let dir = trusted_dir();
    let store = new_store(&dir.join("store"));
    publish(&store, &numbered(0));
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=8)
            .map(|n| {
                scope.spawn({
                    let store = &store;
                    move || store.publish(&numbered(n), on_base(1))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.iter().filter_map(|result| result.as_ref().err()).all(|error| error.is_stale()));
    assert_eq!(store.generation().unwrap(), 2);
}

#[test]
fn a_rollback_is_a_new_generation_with_old_content() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    let first = publish(&store, &portal(true));
    publish(&store, &portal(false));
    let rolled = store.rollback(None, change()).expect("a rollback");
    assert_eq!((rolled.generation, rolled.previous, rolled.rolled_back_to), (3, 2, Some(1)));
    assert_eq!(rolled.content_id, first.content_id);
    assert_eq!(rolled.differences.len(), 1);
    assert_eq!(rolled.differences[0].pointer, "/flags/portal/enabled");
    assert!(on(&reader(&path).view(), "portal"));
    let bytes = |generation| std::fs::read(snapshot_file(&path, generation)).unwrap();
    let (first, third) = (bytes(1), bytes(3));
    let audit = first.len() - 48;
    assert_eq!(first[..audit], third[..audit]);
    assert_ne!(first[audit..], third[audit..], "another record of the audit trail");
    let to = store.rollback(Some(2), change()).expect("a rollback to a named generation");
    assert_eq!((to.generation, to.rolled_back_to), (4, Some(2)));
    assert!(!on(&reader(&path).view(), "portal"));
}

#[test]
fn a_rollback_to_what_is_not_kept_says_what_is() {
    let dir = trusted_dir();
    let store = new_store(&dir.join("store"));
    let error = store.rollback(None, change()).unwrap_err();
    assert!(error.is_refusal() && error.to_string().contains("no earlier content"), "{error}");
    publish(&store, &portal(true));
    let error = store.rollback(Some(7), change()).unwrap_err().to_string();
    assert!(error.contains("generation 7 is not kept") && error.contains("Kept are: 1"), "{error}");
}

#[test]
fn kills_and_the_stop_hold_across_publishes_until_they_are_taken_back() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(
        &store,
        &definitions(r#"{"portal":{"enabled":true},"vital":{"enabled":true,"emergency":"keep"}}"#),
    );
    let reader = reader(&path);
    assert!(store.kill("portal", change()).unwrap().changed);
    assert!(!store.kill("portal", change()).unwrap().changed, "killed already");
    assert!(!on(&reader.view(), "portal"));
    publish(
        &store,
        &definitions(
            r#"{"portal":{"enabled":true},"vital":{"enabled":true,"emergency":"keep"},"x":{"enabled":true}}"#,
        ),
    );
    assert!(!on(&reader.view(), "portal"));
    assert!(store.revive("portal", change()).unwrap().changed);
    assert!(!store.revive("portal", change()).unwrap().changed);
    assert!(on(&reader.view(), "portal"));

    assert!(store.stop_all(change()).unwrap().changed);
    assert!(!store.stop_all(change()).unwrap().changed);
    let stopped = reader.view();
    assert!(!on(&stopped, "portal") && on(&stopped, "vital"));
    assert!(store.status().unwrap().stopped.is_some());
    assert!(store.resume_all(change(), false).unwrap().changed);
    assert!(!store.resume_all(change(), false).unwrap().changed);
    assert!(on(&reader.view(), "portal"));
}

#[test]
fn a_flag_that_no_snapshot_holds_can_be_killed_beforehand() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    store.kill("portal", change()).expect("a kill before the first publish");
    let killed = store.status().unwrap().killed;
    assert_eq!((killed[0].flag.as_str(), killed[0].known), ("portal", Some(false)));
    publish(&store, &portal(true));
    assert!(!on(&reader(&path).view(), "portal"));
    assert_eq!(store.status().unwrap().killed[0].known, Some(true));
    // A snapshot that could not be read passed for one without the flag.
    std::fs::write(support::stores::snapshot_file(&path, 1), "").unwrap();
    assert_eq!(store.status().unwrap().killed[0].unpublished(), " (the published snapshot cannot be read)");
    assert_eq!(reader(&path).status().killed, Vec::<String>::new(), "nothing was looked at yet");
}

#[test]
fn a_key_that_no_flag_can_have_is_not_killed() {
    let dir = trusted_dir();
    let store = new_store(&dir.join("store"));
    for key in ["", "-a", "a b", "a\nb", "ä", &"a".repeat(192)] {
        assert!(store.kill(key, change()).unwrap_err().is_refusal(), "{key}");
        assert!(store.revive(key, change()).unwrap_err().is_refusal(), "{key}");
    }
    for key in ["a", "App\\Features\\Portal", "a.b:c_d-e", &"a".repeat(191)] {
        assert!(store.kill(key, change()).unwrap().changed, "{key}");
    }
}

#[test]
fn a_full_kill_table_says_so_and_has_room_again_after_a_revive() {
    let dir = trusted_dir();
    let store = new_store(&dir.join("store"));
    for number in 0..240 {
        assert!(store.kill(&format!("flag{number}"), change()).unwrap().changed);
    }
    let error = store.kill("one_more", change()).unwrap_err();
    assert!(error.is_refusal() && error.to_string().contains("240 flags are killed"), "{error}");
    assert!(!store.kill("flag7", change()).unwrap().changed, "killed already, so that no room is needed");
    store.revive("flag7", change()).unwrap();
    assert!(store.kill("one_more", change()).unwrap().changed);
    assert_eq!(store.status().unwrap().killed.len(), 240);
}

#[test]
fn history_tells_who_did_what_and_what_is_kept() {
    let dir = trusted_dir();
    let store = new_store(&dir.join("store"));
    for number in 1..=22 {
        publish(&store, &numbered(number));
    }
    store.kill("portal", change()).unwrap();
    let history = store.history().unwrap();
    assert_eq!(history.len(), 24);
    assert_eq!(history[0].action, Some(Action::Init));
    let generations: Vec<_> =
        history.iter().filter(|entry| entry.retained).map(|entry| entry.generation).collect();
    // The last twenty. Before them the newest of an hour, should one have ended just now.
    assert!(
        generations.ends_with(&(3..=22).collect::<Vec<_>>()) && generations.len() < 22,
        "{generations:?}"
    );
    let last = &history[22];
    assert_eq!((last.generation, last.from, last.current, last.outcome), (22, 21, true, Outcome::Done));
    assert_eq!(last.actor.as_ref().unwrap().user, "alice");
    assert_eq!(last.reason.as_deref(), Some("a test"));
    assert_eq!(last.differences, 1);
    assert_eq!((history[23].action, history[23].flag.as_deref()), (Some(Action::Kill), Some("portal")));
}

#[test]
fn snapshots_and_definitions_of_a_kept_generation_can_be_had() {
    let dir = trusted_dir();
    let store = new_store(&dir.join("store"));
    publish(&store, &numbered(1));
    publish(&store, &numbered(2));
    assert_eq!(store.definitions(1).unwrap(), numbered(1));
    assert_eq!(store.snapshot(2).unwrap().environment(), "production");
    assert!(store.snapshot(3).unwrap_err().is_refusal());
}

#[test]
fn init_takes_no_store_twice_and_no_bad_name() {
    let dir = trusted_dir();
    let path = dir.join("store");
    for name in ["", "Production", "1a", "a b", "ä", &"a".repeat(65)] {
        assert!(Store::init(&path, name, None).unwrap_err().is_refusal(), "{name}");
        assert!(!path.exists());
    }
    new_store(&path);
    let error = Store::init(&path, "staging", None).unwrap_err();
    assert!(error.is_refusal() && error.to_string().contains("is a store already"), "{error}");
    assert_eq!(Store::open(&path).unwrap().environment(), "production");
    let error = Store::init(&dir.join("no/such/parent"), "staging", None).unwrap_err().to_string();
    assert!(error.contains("install -d"), "{error}");
    let error = Store::init(&dir.join("x"), "staging", Some("no such group")).unwrap_err().to_string();
    assert!(error.contains("no group"), "{error}");
}

#[test]
fn init_keeps_its_hands_off_a_directory_that_holds_other_things() {
    let dir = trusted_dir();
    let path = dir.join("app");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("composer.json"), "{}").unwrap();
    let before = mode(&path);
    let error =
        Store::init(&path, "production", Some(&rustix::process::getegid().as_raw().to_string())).unwrap_err();
    assert!(error.is_refusal() && error.to_string().contains("composer.json"), "{error}");
    assert_eq!(mode(&path), before);
    std::fs::remove_file(path.join("composer.json")).unwrap();
    // What an init leaves that died before it made the head.
    std::fs::write(path.join("lock"), "").unwrap();
    std::fs::create_dir(path.join("snapshots")).unwrap();
    std::fs::write(path.join(".head.tmp"), "half").unwrap();
    publish(&new_store(&path), &portal(true));
}

#[test]
fn permissions_are_what_they_should_be_whatever_the_umask() {
    let dir = trusted_dir();
    for (umask, name, group) in
        [(0o077, "own", None), (0, "open", None), (0o077, "readers", Some(())), (0, "team", Some(()))]
    {
        let path = dir.join(name);
        // The umask belongs to the process: a child has its own.
        let own = rustix::process::getegid().as_raw().to_string();
        let group = group.map(|()| own.as_str()).unwrap_or("");
        let umask = format!("{umask:o}");
        let child = Child::new("init").store(&path).set("UMASK", &umask).set("READERS", group).run();
        assert!(child.done(), "{}", child.text());
        publish(&Store::open(&path).unwrap(), &portal(true));
        let [directory, head, snapshot] =
            if !group.is_empty() { [0o750, 0o640, 0o440] } else { [0o755, 0o644, 0o444] };
        assert_eq!(mode(&path), directory, "{name}");
        assert_eq!(mode(&path.join("snapshots")), directory, "{name}");
        for file in ["head", "audit.jsonl"] {
            assert_eq!(mode(&path.join(file)), head, "{name}/{file}");
        }
        for file in ["lock", "head.lock"] {
            assert_eq!(mode(&path.join(file)), 0o600, "{name}/{file}");
        }
        assert_eq!(mode(&snapshot_file(&path, 1)), snapshot, "{name}");
    }
}

#[test]
fn a_thousand_publishes_leave_twenty_generations_and_no_mapping() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    let reader =
        Reader::open(&path, ReaderOptions { map: flagstone::store::MapPolicy::Shared, ..Default::default() })
            .unwrap();
    for number in 1..=1_000 {
        publish(&store, &numbered(number));
        assert_eq!(reader.view().generation, number);
    }
    // And those that ended an hour meanwhile.
    assert!((20..=23).contains(&snapshot_names(&path).len()));
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let count = |name: &str| {
        maps.lines().filter(|line| line.contains(path.to_str().unwrap()) && line.contains(name)).count()
    };
    assert_eq!(count(".snapshot"), 1, "{maps}");
    assert_eq!(count("/head"), 1, "{maps}");
    assert_eq!(reader.status().source, Source::Current);
    let check = store.verify_audit().unwrap();
    assert_eq!((check.records, check.first_bad), (2_001, None));
}

#[test]
fn a_child_process_does_what_its_parent_asks() {
    support::children::serve();
}

#[test]
fn the_same_content_is_published_again_where_its_definitions_are_damaged() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    let file = snapshot_file(&path, 1);
    let mut bytes = std::fs::read(&file).unwrap();
    // The end of the file: what readers do not look at, but the next difference would.
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(publish(&store, &portal(true)).generation, 2);
    store.snapshot(2).unwrap().verify().unwrap();
}
