//! Why nothing is counted.

use crate::store::printable;
use std::io;
use std::path::{Path, PathBuf};

/// Why there is no memory to count in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The operating system refused something.
    #[error("nothing is counted: cannot {what} {}: {source}{}", printable(.path), hint(.source))]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file of that name is there, and is not one that this process may count in.
    #[error(
        "nothing is counted: {} is {found}, expected a regular file of {expected} bytes that belongs to user {user} and that \
         nobody else can write; remove it", printable(.path)
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
        /// Its size if it were ours.
        expected: u64,
        /// This process's user.
        user: u32,
    },
}

impl TelemetryError {
    pub(super) fn io(what: &'static str, path: &Path, source: io::Error) -> TelemetryError {
        TelemetryError::Io { what, path: path.to_owned(), source }
    }
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::FileTooLarge => {
            "; raise the limit of file sizes (`ulimit -f`, LimitFSIZE= of the unit)"
        }
        io::ErrorKind::StorageFull => "; make room there, or name another directory in flagstone.telemetry",
        io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound => {
            "; name another directory in flagstone.telemetry"
        }
        _ => "",
    }
}
