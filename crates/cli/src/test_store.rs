//! A store for tests of this crate.

use flagstone::guard::NoticeKind;
use flagstone::publish::Store;
use std::path::{Path, PathBuf};

/// A store that only this user can write, removed when dropped.
pub struct TestStore(PathBuf);

impl TestStore {
    /// An empty store of the environment `testing`. Each test uses its own name.
    pub fn make(name: &str) -> TestStore {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
        let places = [home, Some("/var/lib".into()), Some(built)];
        let name = format!("flagstone-{name}-{}", std::process::id());
        let made = places.into_iter().flatten().find_map(|place| {
            let directory = place.join(&name);
            Store::init(&directory, "testing", None).is_ok().then_some(directory)
        });
        TestStore(made.expect("a trusted directory"))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn open(&self) -> Store {
        Store::open(&self.0).expect("the store")
    }

    /// The guard's notices in the trail.
    pub fn told(&self) -> Vec<(NoticeKind, String)> {
        let mut told = Vec::new();
        let read = self.open().read_audit(|record| {
            told.extend(record.notice.map(|notice| (notice, record.reason.unwrap_or_default())));
        });
        read.expect("the trail");
        told
    }
}

impl Drop for TestStore {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
