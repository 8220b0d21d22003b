//! Options of a reader.

use super::layout::SNAPSHOT_LIMIT;
use super::open::MapPolicy;

/// Options of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderOptions {
    /// Policy for loading a snapshot's file into memory.
    pub map: MapPolicy,
    /// The largest snapshot that is accepted, in bytes.
    pub size_limit: u64,
    /// A user whose store is believed wherever it lies, besides root's and that of this process's user.
    pub owner: Option<u32>,
}

impl Default for ReaderOptions {
    /// Maps as it sees fit; 4 GiB; nobody else's store.
    fn default() -> ReaderOptions {
        ReaderOptions { map: MapPolicy::Auto, size_limit: SNAPSHOT_LIMIT, owner: None }
    }
}
