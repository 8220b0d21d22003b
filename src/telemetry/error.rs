//! Reasons for which nothing is counted.

use crate::text::{printable, shell};
use std::io;
use std::path::{Path, PathBuf};

/// The reason why there is no memory to count in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The operating system refused something.
    #[error("nothing is counted: cannot {what} {}: {source}{}", printable(.path), hint(.source))]
    Io {
        /// The operation that failed, as a verb.
        what: &'static str,
        /// The file or directory that it was tried on.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The process may have no more memory.
    #[error(
        "nothing is counted: there is no memory for it; raise the limit (`ulimit -v`, LimitAS= of the unit)"
    )]
    NoMemory,
    /// A file of that name exists, and is not one that this process may count in.
    #[error(
        "nothing is counted: {} is {found}, expected a regular file of {expected} bytes that belongs to user {user} and that \
         nobody else can write; remove it", printable(.path)
    )]
    Foreign {
        /// The path of that file.
        path: PathBuf,
        /// Its kind, size, owner and mode.
        found: String,
        /// The size that it should have, in bytes.
        expected: u64,
        /// This process's user.
        user: u32,
    },
    /// The directory of all users' directories, or one on the way to it, belongs to another user, who could replace what is made there.
    #[error(
        "nothing is counted: {} belongs to user {owner}, expected root or user {user}: its owner could exchange what is made there; name another \
         directory in flagstone.telemetry, one that root made with mode 1777 below directories of root's", printable(.path)
    )]
    OthersMemory {
        /// The directory of all users' directories.
        path: PathBuf,
        /// User who owns it.
        owner: u32,
        /// This process's user.
        user: u32,
    },
    /// Other users can replace what is made in the directory of all users' directories, or in one on the way to it.
    #[error(
        "nothing is counted: {} is writable by others and not sticky (mode {mode:04o}), so that they could exchange what is made there; have its \
         owner type: chmod +t {}", printable(.path), shell(.path)
    )]
    OpenMemory {
        /// The directory of all users' directories.
        path: PathBuf,
        /// Permission bits of its mode.
        mode: u32,
    },
    /// Another user has the name of this user's directory, and that of many more.
    #[error(
        "nothing is counted: {} is another user's or others can write it, and so are {number} and more whose names begin so; have root remove \
         them and make that one for this user", printable(.first)
    )]
    Flooded {
        /// The first name that this user's directory would have.
        first: PathBuf,
        /// Entries that were looked at.
        number: usize,
    },
}

impl TelemetryError {
    pub(super) fn io(what: &'static str, path: &Path, source: io::Error) -> TelemetryError {
        TelemetryError::Io { what, path: path.to_owned(), source }
    }

    /// True if no entry has that name.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, TelemetryError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::FileTooLarge => {
            "; raise the limit of file sizes (`ulimit -f`, LimitFSIZE= of the unit)"
        }
        io::ErrorKind::StorageFull => "; make room there, or name another directory in flagstone.telemetry",
        // A file system that reserves no room, such as ext3.
        io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound | io::ErrorKind::Unsupported => {
            "; name another directory in flagstone.telemetry"
        }
        _ => "",
    }
}
