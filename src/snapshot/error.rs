//! Why bytes are not a snapshot that this build can read.

use super::format::{HEADER_SIZE, MAJOR};

/// Why a snapshot was refused. Its text says where, what was found, what was expected and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The file could not be read.
    #[error("cannot read the snapshot: {0}")]
    Io(#[from] std::io::Error),
    /// Not a regular file.
    #[error("the snapshot is not a regular file")]
    NotAFile,
    /// Larger than the limit given to `open`.
    #[error(
        "the snapshot has {found} bytes, more than the limit of {limit}; raise the limit or publish less"
    )]
    TooLarge {
        /// The file's size in bytes.
        found: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Shorter than a header.
    #[error("the snapshot has {found} bytes, expected at least {HEADER_SIZE}: it was cut off; publish again")]
    TooShort {
        /// The file's size in bytes.
        found: u64,
    },
    /// The first bytes are not a snapshot's.
    #[error("not a Flagstone snapshot: it starts with {found:02x?}")]
    Magic {
        /// The first eight bytes.
        found: [u8; 8],
    },
    /// Another major version.
    #[error(
        "format {found}, this build reads {MAJOR}; publish again with this version, or upgrade the reader"
    )]
    Major {
        /// The file's major version.
        found: u16,
    },
    /// A feature that a reader must know is not known here.
    #[error("the snapshot needs features {unknown:#x} that this build does not know; upgrade the reader")]
    Feature {
        /// The unknown bits.
        unknown: u64,
    },
    /// Bytes do not have their checksum.
    #[error("{section}: checksum {found:016x}, expected {expected:016x}: bytes were damaged; publish again")]
    Checksum {
        /// The header, or a section's name.
        section: &'static str,
        /// As computed.
        found: u64,
        /// As written.
        expected: u64,
    },
    /// The file has less bytes than were written.
    #[error("found {found} bytes, expected {expected} as its header says: it was cut off; publish again")]
    CutOff {
        /// The file's size.
        found: u64,
        /// As written.
        expected: u64,
    },
    /// Checksums agree, but a number inside leaves its bounds.
    #[error(
        "{section}[{entry}].{field}: found {found}, expected {expected}: not written by a sound compiler"
    )]
    Structure {
        /// The header, or a section's name.
        section: &'static str,
        /// The entry's number.
        entry: usize,
        /// The field.
        field: &'static str,
        /// What it holds.
        found: u64,
        /// What it may hold.
        expected: String,
    },
    /// The file was cut short or its disk failed while it was mapped.
    #[error("the snapshot was cut short while it was read; publish again")]
    Lost,
}
