//! State of a reader.

use crate::files::Trust;
use crate::snapshot::MapMode;
use std::path::PathBuf;

/// Source of the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The generation that the head names.
    Current,
    /// The generation before: the current one was bad when this process began.
    Previous,
    /// The last good generation, after the current one turned out to be bad.
    LastGood,
    /// Nothing: every flag is off.
    None,
}

impl Source {
    /// `current`, `previous`, `last_good` or `none`.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Current => "current",
            Source::Previous => "previous",
            Source::LastGood => "last_good",
            Source::None => "none",
        }
    }
}

/// State of a reader, for health checks.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReaderStatus {
    /// Canonical path of the store.
    pub directory: PathBuf,
    /// Environment of the store.
    pub environment: String,
    /// The generation that answers; 0 if none.
    pub generation: u64,
    /// The generation that the head names.
    pub head_generation: u64,
    /// Publish of the answering generation, in microseconds since 1970.
    pub published_at: i64,
    /// Source of the answers.
    pub source: Source,
    /// The way that the snapshot is in memory; none without one.
    pub map: Option<MapMode>,
    /// Trust in the store: a group may be able to change it.
    pub trust: Trust,
    /// The reason why the current generation does not answer, or the store cannot be looked at.
    pub last_error: Option<String>,
    /// Number of snapshots loaded.
    pub loads: u64,
    /// Number of snapshots and heads refused.
    pub refused: u64,
    /// Number of attempts to load a refused snapshot again.
    pub retries: u64,
    /// Number of heads that took the place of the mapped one.
    pub heads_replaced: u64,
    /// Killed flags, whether or not the snapshot holds them.
    pub killed: Vec<String>,
    /// True if everything is stopped.
    pub stopped: bool,
    /// True if the head is cut short or damaged: its changes do not arrive.
    pub head_lost: bool,
}
