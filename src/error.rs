//! Errors of opening, reading and changing a store.

use crate::snapshot::SnapshotError;
use crate::text::{printable, shell};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};
use std::io;
use std::path::{Path, PathBuf};

/// `what` of an error that found no store.
pub(super) const OPEN_STORE: &str = "open the directory";

/// An error of a store. Its text says where, what was found, what was expected and what to do. If a change failed with an error, nothing
/// was changed, unless it is partial (`is_partial`).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// An error of the operating system.
    #[error("cannot {what} {}: {source}{}", printable(path), hint(what, path, source))]
    Io {
        /// The failed action, such as "open the head".
        what: &'static str,
        /// The file or directory acted on.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The directory has no head.
    #[error("{} is not a store: it has no head{}", printable(path), missing_store(path))]
    NotAStore {
        /// The directory.
        path: PathBuf,
    },
    /// Other users could change it.
    #[error("{} is not trusted: {reasons}. {remedy}", printable(path))]
    Untrusted {
        /// The directory or file.
        path: PathBuf,
        /// Faults, each with the part of the path.
        reasons: String,
        /// A sentence that says what this user can type, and what to ask root for.
        remedy: String,
    },
    /// The head is not valid.
    #[error("{}: {problem}; restore it from a backup (docs/operations.md)", printable(path))]
    Head {
        /// Path of the head.
        path: PathBuf,
        /// The values found and expected.
        problem: String,
    },
    /// A snapshot is not valid.
    #[error("{}: {source}", printable(path))]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// Fault of the snapshot.
        source: SnapshotError,
    },
    /// A file is not the one that belongs there.
    #[error("{}: {problem}", printable(path))]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The values found and expected.
        problem: String,
    },
    /// Another process is changing the store.
    #[error(
        "the store {} is being changed by {holder}; nothing was changed. Wait for that to end and try again{}. `kill` and \
         `stop-all` wait for no publish",
        printable(path),
        process.map(|id| format!(", or end it if it hangs: kill -9 {id}")).unwrap_or_default()
    )]
    Busy {
        /// Directory of the store.
        path: PathBuf,
        /// The holder of the lock, as far as known.
        holder: String,
        /// The process that holds the lock, if the kernel tells.
        process: Option<u32>,
    },
    /// The change was prepared against another generation.
    #[error(
        "the change was made on generation {base}, but {current} is published by now; nothing was changed. \
             Look at what changed with `flagstone diff {base} {current}`, then publish on base {current}"
    )]
    Stale {
        /// The generation that the change names.
        base: u64,
        /// The published generation.
        current: u64,
    },
    /// A publish or rollback ended before the head moved.
    #[error("{}", untouched(source, &format!("nothing was changed, generation {current} stays")))]
    Unchanged {
        /// Cause of the end.
        source: Box<StoreError>,
        /// The published generation, which stays.
        current: u64,
    },
    /// A change ended before it began.
    #[error("{}", untouched(source, "nothing was changed"))]
    Untouched {
        /// Cause of the end.
        source: Box<StoreError>,
    },
    /// A change failed after it had made kills or the stop again that the head had lost.
    #[cfg(feature = "publisher")]
    #[error("{}; {restored}", source.to_string().replace("nothing was changed", "nothing else was changed"))]
    Restored {
        /// Cause of the failure.
        source: Box<StoreError>,
        /// What was made again.
        restored: String,
    },
    /// A switch was made in a head that the store's path may not lead to any more.
    #[cfg(feature = "publisher")]
    #[error(
        "it was done in the head that {} led to; {problem}. What answers from there may lack it: type it again",
        printable(path)
    )]
    Elsewhere {
        /// Path of the store.
        path: PathBuf,
        /// What is known of the head that it leads to now.
        problem: String,
    },
    /// A file cannot be merged into what runs with these options.
    #[cfg(feature = "publisher")]
    #[error("{source}; nothing was changed")]
    Merge {
        /// Cause of the refusal.
        source: crate::merge::MergeError,
    },
    /// The file and a change at run time set the same fields to different values.
    #[cfg(feature = "publisher")]
    #[error(
        "{}; nothing was changed. Say --reset for the file's value, --settle for the one that runs, --keep to publish all else",
        conflicts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Conflict {
        /// The conflicting fields.
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
    /// Marks an error from before the change: its text says that nothing was changed.
    #[cfg(feature = "publisher")]
    pub(super) fn before_change(self) -> StoreError {
        StoreError::Untouched { source: Box::new(self) }
    }

    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> StoreError {
        StoreError::Io { what, path: path.to_owned(), source }
    }

    /// True if the process or the machine has no free descriptor.
    pub(crate) fn lacks_descriptor(&self) -> bool {
        let found = match self {
            StoreError::Io { source, .. } => source.raw_os_error(),
            _ => None,
        };
        found.is_some_and(|found| [Errno::MFILE, Errno::NFILE].contains(&Errno::from_raw_os_error(found)))
    }

    /// True if the opened folder does not have the file, or has something else in its place than was written; false if the file may be
    /// whole: whatever the system reports (memory, descriptors, permissions, a disk) is no fault of its content.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            StoreError::Io { source, .. }
            | StoreError::Snapshot { source: SnapshotError::Io(source), .. } => {
                let found = matches!(
                    source.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof | io::ErrorKind::Other
                );
                found && source.raw_os_error().is_none()
            }
            // The file was cut, or its disk failed: the next look tells which.
            StoreError::Snapshot { source: SnapshotError::Lost, .. } => false,
            _ => true,
        }
    }

    /// True if the answer is a definite no, rather than unknown: a stale base, a request that cannot be carried out, a path that is not
    /// trusted.
    pub fn is_refusal(&self) -> bool {
        match self {
            StoreError::Unchanged { source, .. } | StoreError::Untouched { source } => source.is_refusal(),
            #[cfg(feature = "publisher")]
            StoreError::Merge { .. } | StoreError::Conflict { .. } => true,
            _ => matches!(
                self,
                StoreError::Stale { .. } | StoreError::Refused(_) | StoreError::Untrusted { .. }
            ),
        }
    }

    /// True if something was changed all the same, as the text says.
    #[cfg(feature = "publisher")]
    pub fn is_partial(&self) -> bool {
        matches!(self, StoreError::Restored { .. } | StoreError::Elsewhere { .. })
    }

    /// True if the named base is no longer the published generation.
    pub fn is_stale(&self) -> bool {
        matches!(self, StoreError::Stale { .. })
    }

    /// True if the operating system permanently denies this process writing there.
    pub fn is_denied(&self) -> bool {
        let denied =
            |kind| matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem);
        match self {
            StoreError::Io { source, .. } => denied(source.kind()),
            StoreError::Untouched { source } => source.is_denied(),
            _ => false,
        }
    }

    /// True if another process holds the lock.
    pub fn is_busy(&self) -> bool {
        match self {
            StoreError::Untouched { source } => source.is_busy(),
            _ => matches!(self, StoreError::Busy { .. }),
        }
    }
}

/// The error's text with "nothing was changed" where the problem ends and the way out begins.
fn untouched(error: &StoreError, unchanged: &str) -> String {
    let text = error.to_string();
    if text.contains("nothing was changed") {
        return text;
    }
    match error {
        StoreError::Io { what, path, source } => {
            format!("cannot {what} {}: {source}; {unchanged}{}", printable(path), hint(what, path, source))
        }
        StoreError::Untrusted { path, reasons, remedy } => {
            format!("{} is not trusted: {reasons}; {unchanged}. {remedy}", printable(path))
        }
        StoreError::Head { path, problem } => format!(
            "{}: {problem}; {unchanged}; restore it from a backup (docs/operations.md)",
            printable(path)
        ),
        _ => format!("{text}; {unchanged}"),
    }
}

/// The way out where a store is missing: a new one in the place of one that was there knows none of its kills.
pub(crate) fn missing_store(path: &Path) -> String {
    format!(
        "; if there was a store, put it back first: mount its disk, move it back or restore it (docs/runbooks/restore.md). Only where there \
         never was one, make one with `flagstone init {} --environment NAME`",
        shell(path)
    )
}

fn hint(what: &str, path: &Path, error: &io::Error) -> String {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::MFILE) => {
            return ". The process has no free descriptor (`ulimit -n`, LimitNOFILE= of the unit): raise that, or find what holds them (lsof -p)"
                .to_owned();
        }
        Some(Errno::NFILE) => return ". The machine has no free descriptor (sysctl fs.file-max)".to_owned(),
        _ => {}
    }
    let hint = match error.kind() {
        io::ErrorKind::NotFound if what == OPEN_STORE => {
            return missing_store(path);
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ". Make room on that file system; flags can be killed meanwhile, which needs none"
        }
        io::ErrorKind::ReadOnlyFilesystem => ". A store can be changed only where it can be written",
        io::ErrorKind::PermissionDenied if error.raw_os_error() == Some(Errno::PERM.raw_os_error()) => {
            return format!(
                ". Run it as the store's owner: sudo -u OWNER flagstone …; where the owner is refused, too, see whether it is immutable or \
                 append-only: lsattr -d {}",
                shell(path)
            );
        }
        // Without the publisher it is a PHP that reads, and no command.
        io::ErrorKind::PermissionDenied if !cfg!(feature = "publisher") && error.get_ref().is_none() => {
            let (user, group) = (geteuid().as_raw(), getegid().as_raw());
            return format!(
                ". PHP runs as user {user} and group {group} here, and one of them has to be able to read that. Where the store has a readers' group, type \
                 as root: usermod -aG GROUP USER, and restart PHP; flagstone doctor names what else is in the way"
            );
        }
        // The error of an operation of this project's own says what to do.
        io::ErrorKind::PermissionDenied if error.get_ref().is_none() => {
            ". Run it as the store's owner: sudo -u OWNER flagstone …; who only reads has to be in the group of the store's readers, if it has one"
        }
        _ => "",
    };
    hint.to_owned()
}
