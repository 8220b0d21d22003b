//! Which store is counted, as the header of its counters says.

use super::layout::header;
use super::memory::Memory;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// Notes in the header which store is counted, and where it lies. Another store may have taken the path since the file was made.
pub(super) fn note(memory: &Memory, store: &Path, id: &str) {
    memory.set(header::STORE * 8, id_hash(id));
    memory.set(header::DIRECTORY * 8, directory_hash(store));
    let path = store.as_os_str().as_bytes();
    if path.len() < header::SIZE - header::PATH * 8 {
        for (number, part) in path.chunks(8).chain([&[][..]]).enumerate() {
            let mut word = [0; 8];
            word.iter_mut().zip(part).for_each(|(to, byte)| *to = *byte);
            memory.set((header::PATH + number) * 8, u64::from_le_bytes(word));
        }
    }
}

/// A hash of a store's id.
pub(super) fn id_hash(id: &str) -> u64 {
    xxh3_64(id.as_bytes())
}

/// A hash of the directory's device and inode, which a bind mount shares and a copy does not; 0 if there is none.
pub(super) fn directory_hash(directory: &Path) -> u64 {
    directory.metadata().map_or(0, |found| {
        let numbers = [found.dev(), found.ino()].map(u64::to_le_bytes);
        xxh3_64(numbers.as_flattened())
    })
}
