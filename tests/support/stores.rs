//! Stores to test with.

use flagstone::audit::Actor;
use flagstone::definition::Definitions;
use flagstone::publish::{Change, Published, Store};
use flagstone::store::{Reader, ReaderOptions, View};
use flagstone::{Question, enabled};
use std::path::{Path, PathBuf};

/// Definitions from the canonical form of their flags.
pub fn definitions(flags: &str) -> Definitions {
    Definitions::from_canonical_json(format!("{{\"flags\":{flags}}}").as_bytes())
        .expect("canonical definitions")
}

/// One flag, `portal`, on or off for everybody.
pub fn portal(on: bool) -> Definitions {
    definitions(&format!("{{\"portal\":{{\"enabled\":{on}}}}}"))
}

/// A flag `portal` whose description is `number`: different content for every number.
pub fn numbered(number: u64) -> Definitions {
    definitions(&format!("{{\"portal\":{{\"description\":\"{number}\",\"enabled\":true}}}}"))
}

/// The same, and a stop leaves it on.
pub fn kept(number: u64) -> Definitions {
    definitions(&format!(
        "{{\"portal\":{{\"description\":\"{number}\",\"emergency\":\"keep\",\"enabled\":true}}}}"
    ))
}

pub fn change() -> Change {
    let actor =
        Actor { user: "alice".to_owned(), account: None, uid: 1000, host: "web1".to_owned(), claimed: false };
    Change { actor, reason: Some("a test".to_owned()), base: None }
}

pub fn on_base(base: u64) -> Change {
    Change { base: Some(base), ..change() }
}

/// A new store for production.
pub fn new_store(path: &Path) -> Store {
    Store::init(path, "production", None).expect("a new store")
}

/// Makes of a store one whose group publishes, as `init --group` did.
pub fn publishers_store(path: &Path, group: u32) {
    let script = "chgrp -R $GROUP . && chmod 2770 . snapshots && chmod 0660 head lock head.lock audit.jsonl && chmod -f 0440 snapshots/* || true";
    let made =
        super::as_root("sh").args(["-ec", script]).env("GROUP", group.to_string()).current_dir(path).status();
    assert!(made.is_ok_and(|status| status.success()), "{}", super::NEEDS_ROOT);
}

/// Publishes, and expects nothing to complain about.
pub fn publish(store: &Store, definitions: &Definitions) -> Published {
    let published = store.publish(definitions, change()).expect("a publish");
    assert_eq!(published.audit_warning, None);
    published
}

pub fn reader(path: &Path) -> Reader {
    Reader::open(path, ReaderOptions::default()).expect("a reader")
}

/// Whether the flag is on in that view, for everybody.
pub fn on(view: &View, flag: &str) -> bool {
    let Some(snapshot) = &view.snapshot else { return false };
    let Some(flag) = snapshot.find(flag.as_bytes()) else { return false };
    enabled(snapshot, &view.switches, flag, &Question { company: None, context: &(), now: 0 })
}

/// The only file of `snapshots` whose name begins with that generation.
pub fn snapshot_file(store: &Path, generation: u64) -> PathBuf {
    let prefix = format!("{generation:020}-");
    let entries = std::fs::read_dir(store.join("snapshots")).expect("snapshots");
    let mut found = entries.map(|entry| entry.expect("an entry").path());
    found
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)))
        .unwrap_or_else(|| panic!("no snapshot of generation {generation}"))
}

/// Names in `snapshots`, sorted.
pub fn snapshot_names(store: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(store.join("snapshots")).expect("snapshots");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What holds at every moment, whatever happened: the head names a good snapshot, readers answer from it, the audit
/// trail is whole but for an end that was cut off.
pub fn sound(store: &Path) -> u64 {
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

/// Temporary files that are there.
pub fn temporaries(store: &Path) -> usize {
    snapshot_names(store).iter().filter(|name| name.ends_with(".tmp")).count()
}
