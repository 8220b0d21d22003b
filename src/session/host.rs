//! Interface of a session to the process around it.

use crate::store::MapPolicy;
use std::path::{Path, PathBuf};

/// The process in which requests run.
pub trait Host {
    /// True if requests run on several threads of the process.
    const HAS_THREADS: bool;

    /// The current settings of the thread.
    fn settings(&self) -> &Settings;

    /// Milliseconds of a monotonic clock, to its tick; reading it makes no system call.
    fn coarse_ms(&self) -> u64;

    /// Nanoseconds of a monotonic clock, as precise as possible without a system call.
    fn precise_ns(&self) -> u64;

    /// Microseconds since 1970, to the tick of a clock whose reading makes no system call.
    fn wall_clock(&self) -> i64;

    /// True if the process is one long request, so that its pin moves by itself.
    fn is_long_lived(&self) -> bool;

    /// Number of forks that lead to this process, counted from the first store that was opened.
    fn forks(&self) -> u32;

    /// Starts the counting of [`forks`](Self::forks).
    fn watch_forks(&self);

    /// True if the code of a request may open that directory.
    fn allows(&self, directory: &Path) -> bool;

    /// Writes the lines to the log and empties them. May not return.
    fn log(&self, lines: &mut Vec<String>);
}

/// Settings of a thread.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Directory of the store, an absolute path; empty: the code of the request names one.
    pub store: Vec<u8>,
    /// Directory of the memory for counters; none: nothing is counted.
    pub telemetry: Option<PathBuf>,
    /// Milliseconds between two moves of a long-lived process; 0: never, but for kills and the stop.
    pub refresh_ms: u64,
    /// Policy for loading snapshots into memory.
    pub map: MapPolicy,
    /// A user whose store is believed wherever it lies, besides root's and that of this process's user.
    pub owner: Option<u32>,
}
