//! What one request sees of a store.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::head::Head;
use crate::eval::Switches;
use crate::snapshot::{ContentId, Snapshot};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// A pinned view of one request: a snapshot, and the head's switches for its flags.
#[derive(Debug)]
pub struct View {
    /// None if nothing was published, or no good snapshot was ever found.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Generation of the snapshot; 0 without one.
    pub generation: u64,
    /// Microseconds since 1970; 0 if unknown.
    pub published_at: i64,
    /// Kills and the stop.
    pub switches: Switches,
    /// The head's epoch when this was read.
    pub epoch: u64,
    /// True if the head names another generation, which could not be loaded.
    pub fallback: bool,
    /// Number of heads that this reader had mapped before this one.
    pub(crate) heads: u64,
    /// The head that this was read from; stays mapped as long as this view lives.
    pub(crate) head: Arc<Head>,
}

impl View {
    /// The head's epoch: once it differs from that of the view, call [`Reader::view`] again. Readable as long as the view lives; a store
    /// to it ends the process.
    #[inline(always)]
    pub fn epoch_cell(&self) -> &AtomicU64 {
        self.head.epoch_cell()
    }

    /// The id of the store, 32 hex digits.
    pub(crate) fn store_id(&self) -> Option<String> {
        Some(ContentId(self.head.identity().ok()?.store).to_string())
    }

    /// True if its snapshot is lost (see [`Snapshot::lost`]). Ask after reading and before answering.
    #[inline]
    pub fn lost(&self) -> bool {
        self.snapshot.as_ref().is_some_and(|snapshot| snapshot.lost())
    }
}
