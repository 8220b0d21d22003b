//! Doing to a store's files what nobody should.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// A clock for `check_replaced` on which a second has always passed.
pub fn later() -> u64 {
    static CLOCK: AtomicU64 = AtomicU64::new(0);
    CLOCK.fetch_add(10_000, Ordering::Relaxed) + 10_000
}

/// Puts other bytes under the name of a snapshot, as a new file.
pub fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// Writes into the head without shortening it.
pub fn write_head(store: &Path, offset: u64, bytes: &[u8]) {
    let head = std::fs::OpenOptions::new().write(true).open(store.join("head")).unwrap();
    head.write_all_at(bytes, offset).unwrap();
}

/// Moves the head's epoch on, as every change does.
pub fn epoch(store: &Path) {
    let head = std::fs::read(store.join("head")).unwrap();
    let epoch = u64::from_le_bytes(head[256..264].try_into().unwrap());
    write_head(store, 256, &(epoch + 1).to_le_bytes());
}
