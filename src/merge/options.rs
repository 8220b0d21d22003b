//! Options of a merge.

use crate::definition::OverlayValues;

/// Options of a merge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Fields decided by the file, whatever was changed in the store: `FLAG.FIELD`, `FLAG`, or `all`; if that is ambiguous,
    /// `FLAG/FIELD`, `FLAG/` or `*`.
    pub reset: Vec<String>,
    /// Fields whose running value stays, which settles the edit in the file: named like those of `reset`. The narrower of the two wins.
    pub settle: Vec<String>,
    /// Remove flags that the file does not have and that are off for everybody.
    pub prune: bool,
    /// Accept a file that lacks more than half of the running flags.
    pub lossy: bool,
    /// The newest release that was published, if the file is of an older one: no switch changes then.
    pub older: Option<String>,
    /// The values that the overlay of the file's environment replaces.
    pub overlaid: OverlayValues,
    /// Present time, in microseconds since 1970.
    pub now: i64,
}
