//! Location of a store: the target of a path, judged as given.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use crate::error::StoreError;
use crate::files::{Believed, Trust, judge};
use std::path::{Path, PathBuf};

/// The directory that a path leads to, and whether others could lead it elsewhere.
///
/// A reader that is already open may be reused for another path only after that path was judged, too: symbolic links that others can
/// replace lead to it as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Canonical path of the directory.
    pub directory: PathBuf,
    /// Trust in the whole path, links included.
    pub trust: Trust,
}

impl Location {
    /// Judges every directory on the path, for this process's user and one more that it believes. Opens no file.
    ///
    /// # Errors
    ///
    /// When there is no directory, or others could change the target of the path.
    pub fn of(path: &Path, owner: Option<u32>) -> Result<Location, StoreError> {
        let (judged, _) = judge(path, Believed::by_process(owner))?;
        Ok(Location { directory: judged.path, trust: judged.trust })
    }
}
