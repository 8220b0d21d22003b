//! Errors of opening and reading a snapshot.

use super::format::{HEADER_SIZE, MAJOR};

/// The reason why a snapshot was refused. The text says where, what was found, what was expected and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The file could not be read.
    #[error("cannot read the snapshot: {0}")]
    Io(#[from] std::io::Error),
    /// The file is no regular file.
    #[error("the snapshot is not a regular file")]
    NotAFile,
    /// The file is larger than the limit given to `open`.
    #[error(
        "the snapshot has {found} bytes, more than the limit of {limit}; raise the limit or publish less"
    )]
    TooLarge {
        /// The file's size in bytes.
        found: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file is shorter than a header.
    #[error("the snapshot has {found} bytes, expected at least {HEADER_SIZE}: it was cut off; publish again")]
    TooShort {
        /// The file's size in bytes.
        found: u64,
    },
    /// The first bytes are those of another kind of file.
    #[error("not a Flagstone snapshot: it starts with {found:02x?}")]
    Magic {
        /// The first eight bytes.
        found: [u8; 8],
    },
    /// The major version is not supported.
    #[error(
        "format {found}, this build reads {MAJOR}; publish again with this version, or upgrade the reader"
    )]
    Major {
        /// The file's major version.
        found: u16,
    },
    /// The snapshot needs a feature that this build does not know.
    #[error("the snapshot needs features {unknown:#x} that this build does not know; upgrade the reader")]
    Feature {
        /// The unknown bits.
        unknown: u64,
    },
    /// A checksum does not match.
    #[error("{section}: checksum {found:016x}, expected {expected:016x}: bytes were damaged; publish again")]
    Checksum {
        /// The header, or a section's name.
        section: &'static str,
        /// The checksum of the bytes.
        found: u64,
        /// The checksum in the file.
        expected: u64,
    },
    /// The file has fewer bytes than were written.
    #[error("found {found} bytes, expected {expected} as its header says: it was cut off; publish again")]
    CutOff {
        /// The file's size in bytes.
        found: u64,
        /// The size in the header.
        expected: u64,
    },
    /// Checksums match, but a number inside is out of bounds.
    #[error(
        "{section}[{entry}].{field}: found {found}, expected {expected}: not written by a sound compiler"
    )]
    Structure {
        /// The header, or a section's name.
        section: &'static str,
        /// The entry's number.
        entry: usize,
        /// The field's name.
        field: &'static str,
        /// The field's value.
        found: u64,
        /// The values allowed.
        expected: String,
    },
    /// The file was cut short or its disk failed while it was mapped.
    #[error("the snapshot was cut short while it was read; publish again")]
    Lost,
}
