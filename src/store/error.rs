//! Why a store could not be opened, read or changed.

use super::trust::{printable, shell};
use crate::snapshot::SnapshotError;
use std::io;
use std::path::{Path, PathBuf};

/// What went wrong with a store. Its text says where, what was found, what was expected and what to do.
/// Where a change failed with an error, nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Something of the operating system.
    #[error("cannot {what} {}: {source}{}", printable(path), hint(source))]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// No head there.
    #[error(
        "{} is not a store: it has no head; make one with `flagstone init {} --environment NAME`",
        printable(path),
        shell(path)
    )]
    NotAStore {
        /// The directory.
        path: PathBuf,
    },
    /// Others could change it.
    #[error("{} is not trusted: {reasons}. {remedy}", printable(path))]
    Untrusted {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong with which part of the path.
        reasons: String,
        /// A sentence that says what this user can type, and what to ask root for.
        remedy: String,
    },
    /// The head is not one.
    #[error("{}: {problem}; restore it from a backup (docs/operations.md)", printable(path))]
    Head {
        /// The head.
        path: PathBuf,
        /// What was found and expected.
        problem: String,
    },
    /// A snapshot is not good.
    #[error("{}: {source}", printable(path))]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SnapshotError,
    },
    /// A snapshot is good, but not the one that belongs there.
    #[error("{}: {problem}", printable(path))]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What was found and expected.
        problem: String,
    },
    /// Somebody else is changing the store.
    #[error(
        "the store {} is being changed by {holder}; nothing was changed. Wait for that to end and try again{}. `kill` and \
         `stop-all` wait for no publish",
        printable(path),
        process.map(|id| format!(", or end it if it hangs: kill -9 {id}")).unwrap_or_default()
    )]
    Busy {
        /// The directory.
        path: PathBuf,
        /// Who, as far as known.
        holder: String,
        /// The process that holds the lock, where the kernel tells.
        process: Option<u32>,
    },
    /// The change was prepared against another generation.
    #[error(
        "the change was made on generation {base}, but {current} is published by now; nothing was changed. \
             Look at what changed with `flagstone diff {base} {current}`, then publish on base {current}"
    )]
    Stale {
        /// What the change names.
        base: u64,
        /// What is published.
        current: u64,
    },
    /// A publish or rollback came to an end before the head moved.
    #[error("{source}; nothing was changed, generation {current} stays")]
    Unchanged {
        /// What happened.
        source: Box<StoreError>,
        /// What is published.
        current: u64,
    },
    /// A file and what runs do not go together as told.
    #[cfg(feature = "publisher")]
    #[error("{source}; nothing was changed")]
    Merge {
        /// Why.
        source: crate::merge::MergeError,
    },
    /// The file and somebody where the flags run changed the same fields to different values.
    #[cfg(feature = "publisher")]
    #[error(
        "{}; nothing was changed. Say --reset for the file's value, --settle for the one that runs, --keep to publish all else",
        conflicts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Conflict {
        /// The fields.
        conflicts: Vec<crate::merge::Conflict>,
    },
    /// The request cannot be carried out as it stands; says why and what to do.
    #[error("{0}")]
    Refused(String),
    /// The snapshot could not be compiled.
    #[cfg(feature = "publisher")]
    #[error("cannot compile the definitions: {0}")]
    Compile(#[from] crate::CompileError),
}

impl StoreError {
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> StoreError {
        StoreError::Io { what, path: path.to_owned(), source }
    }

    /// Whether the answer is no, rather than that it could not be found out: a stale base, a request that
    /// cannot be carried out, a path that is not trusted.
    pub fn is_refusal(&self) -> bool {
        match self {
            StoreError::Unchanged { source, .. } => source.is_refusal(),
            #[cfg(feature = "publisher")]
            StoreError::Merge { .. } | StoreError::Conflict { .. } => true,
            _ => matches!(
                self,
                StoreError::Stale { .. } | StoreError::Refused(_) | StoreError::Untrusted { .. }
            ),
        }
    }

    /// Whether the base named is no longer the generation published.
    pub fn is_stale(&self) -> bool {
        matches!(self, StoreError::Stale { .. })
    }

    /// Whether the operating system does not let this process write there, now or later.
    pub fn is_denied(&self) -> bool {
        let denied =
            |kind| matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem);
        matches!(self, StoreError::Io { source, .. } if denied(source.kind()))
    }

    /// Whether somebody else holds the lock.
    pub fn is_busy(&self) -> bool {
        matches!(self, StoreError::Busy { .. })
    }
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ". Make room on that file system; flags can be killed meanwhile, which needs none"
        }
        io::ErrorKind::ReadOnlyFilesystem => ". A store can be changed only where it can be written",
        io::ErrorKind::PermissionDenied => {
            ". Run it as the store's owner: sudo -u OWNER flagstone …; who only reads has to be in the group of the store's readers, if it has one"
        }
        _ => "",
    }
}
