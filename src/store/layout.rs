//! Where a store keeps what, and how its files are opened.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[cfg(feature = "publisher")]
use super::directory::Folder;
#[cfg(feature = "publisher")]
use super::error::StoreError;
use crate::snapshot::ContentId;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub(crate) const HEAD: &str = "head";
pub(crate) const SNAPSHOTS: &str = "snapshots";
#[cfg(feature = "publisher")]
pub(crate) const LOCK: &str = "lock";
#[cfg(feature = "publisher")]
pub(crate) const HEAD_LOCK: &str = "head.lock";
#[cfg(feature = "publisher")]
pub(crate) const AUDIT: &str = "audit.jsonl";
#[cfg(feature = "publisher")]
pub(crate) const CONFIG: &str = "config.json";
/// The largest snapshot that is read, in bytes.
pub(crate) const SNAPSHOT_LIMIT: u64 = 4 << 30;
#[cfg(feature = "publisher")]
pub(crate) const TEMPORARY: &str = ".tmp";

/// The name of a snapshot in `snapshots`.
pub(crate) fn snapshot_name(generation: u64, content: ContentId) -> String {
    format!("{generation:020}-{content}.snapshot")
}

/// What a name in `snapshots` says; `None` if it is not exactly such a name.
#[cfg(feature = "publisher")]
pub(crate) fn parse_snapshot_name(name: &str) -> Option<(u64, ContentId)> {
    let (generation, content) = name.strip_suffix(".snapshot")?.split_once('-')?;
    let (generation, content) = (generation.parse().ok()?, content.parse().ok()?);
    (snapshot_name(generation, content) == name).then_some((generation, content))
}

/// The generations whose snapshots are there, ascending.
#[cfg(feature = "publisher")]
pub(super) fn retained(store: &Folder) -> Result<Vec<(u64, ContentId)>, StoreError> {
    let snapshots = store.expect_folder(SNAPSHOTS)?;
    let names = snapshots.names();
    let names = names.map_err(|source| StoreError::io("list the snapshots of", store.path(), source))?;
    let mut found: Vec<_> =
        names.iter().filter_map(|name| name.to_str().and_then(parse_snapshot_name)).collect();
    found.sort_unstable();
    Ok(found)
}

/// Opens a file that is no symbolic link, without waiting for the other end of a pipe.
pub(crate) fn open_plain(path: &Path, write: bool) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    above_standard(
        OpenOptions::new().read(true).write(write).custom_flags(flags.bits().cast_signed()).open(path)?,
    )
}

/// Moves a descriptor to 3 or above. In a daemon that closed 0, 1 and 2 the next file that is opened would be its standard output,
/// and take what it prints.
pub(crate) fn above_standard(file: File) -> io::Result<File> {
    if file.as_raw_fd() > 2 {
        return Ok(file);
    }
    Ok(File::from(rustix::io::fcntl_dupfd_cloexec(&file, 3)?))
}

#[cfg(all(test, feature = "publisher"))]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_name_says_its_generation_and_content() {
        let content = ContentId([0xab; 16]);
        let name = snapshot_name(42, content);
        assert_eq!(name, format!("00000000000000000042-{}.snapshot", "ab".repeat(16)));
        assert_eq!(parse_snapshot_name(&name), Some((42, content)));
    }

    #[test]
    fn another_name_is_no_snapshot() {
        let name = snapshot_name(42, ContentId([0xab; 16]));
        for other in [
            name.to_uppercase(),
            name.replace("ab", "AB"),
            name.replacen("000", "", 1),
            format!(".{name}"),
            format!("{name}.tmp"),
            name.replacen('0', "+", 1),
            String::new(),
        ] {
            assert_eq!(parse_snapshot_name(&other), None, "{other}");
        }
    }
}
