//! Opening the files of a store as a reader does: judged, bounded, never waiting.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::directory::{Access, Folder};
use super::error::StoreError;
use super::head::{self, Head, Identity};
use super::layout::{HEAD, SNAPSHOTS, snapshot_name};
use super::shared::{PAGE_SIZE, Page};
use super::trust::{Judged, Trust, printable};
use crate::snapshot::{ContentId, MapMode, Snapshot};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Largest file that is copied instead of mapped under [`MapPolicy::Auto`].
const COPY_LIMIT: u64 = 1 << 20;

/// Policy for loading a snapshot's file into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MapPolicy {
    /// A private copy up to 1 MiB, in a directory that others can write, and on a network's file system; otherwise shared.
    #[default]
    Auto,
    /// Always a private copy.
    Private,
    /// Always shared with the other processes.
    Shared,
}

/// Identity of a head's file, as long as it is open or mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

impl FileId {
    pub(crate) fn of(metadata: &std::fs::Metadata) -> FileId {
        FileId { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// Metadata of a file that changes with its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(metadata: &std::fs::Metadata) -> Stamp {
        Stamp {
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A snapshot, with the way that it is in memory.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) snapshot: Snapshot,
    pub(crate) mode: MapMode,
    /// The file of a shared mapping, and its stamp before it was checked.
    pub(crate) file: Option<(File, Stamp)>,
}

/// A head's file, checked but not mapped yet.
pub(crate) struct HeadFile {
    pub(crate) file: File,
    pub(crate) id: FileId,
    pub(crate) stamp: Stamp,
    pub(crate) identity: Identity,
    pub(crate) shared_with_group: bool,
}

impl HeadFile {
    /// Trust in the store: its directory's judgement, and the head's.
    pub(crate) fn trust(&self, directory: &Judged) -> Trust {
        match &directory.trust {
            Trust::Trusted if self.shared_with_group => {
                Trust::Warned(format!("{}/head is writable by a group", printable(&directory.path)))
            }
            trust => trust.clone(),
        }
    }
}

/// Opens and checks the head's file.
pub(crate) fn head_file(store: &Folder, access: Access) -> Result<HeadFile, StoreError> {
    let path = store.path().join(HEAD);
    let Some(opened) = store.open(HEAD, "open the head", access)? else {
        return Err(StoreError::NotAStore { path: store.path().to_owned() });
    };
    let broken = |problem: String| StoreError::Head { path: path.clone(), problem };
    let length = opened.metadata.len();
    if length != PAGE_SIZE as u64 {
        return Err(broken(format!("found {length} bytes, expected a file of {PAGE_SIZE}")));
    }
    let mut bytes = [0; head::FIXED_SIZE];
    let read = (&opened.file).read_exact(&mut bytes);
    read.map_err(|source| StoreError::io("read the head", &path, source))?;
    let identity = head::identity(&bytes).map_err(broken)?;
    Ok(HeadFile {
        id: FileId::of(&opened.metadata),
        stamp: Stamp::of(&opened.metadata),
        file: opened.file,
        identity,
        shared_with_group: opened.group_writable,
    })
}

pub(crate) fn map_head(directory: &Path, file: &HeadFile, write: bool) -> Result<Head, StoreError> {
    let page = Page::map(&file.file, write);
    page.map(Head::over).map_err(|source| StoreError::io("map the head", &directory.join(HEAD), source))
}

/// Copies the current content of a head's file.
#[cfg(feature = "publisher")]
pub(crate) fn copy_head(directory: &Path, file: &HeadFile) -> Result<Head, StoreError> {
    let page = Page::copy(&file.file);
    page.map(Head::over).map_err(|source| StoreError::io("read the head", &directory.join(HEAD), source))
}

/// Opens the snapshot of that generation and content, which must be for `environment`.
pub(crate) fn open_snapshot(
    store: &Folder,
    (generation, content): (u64, ContentId),
    environment: &str,
    (policy, size_limit): (MapPolicy, u64),
) -> Result<Opened, StoreError> {
    let folder = store.expect_folder(SNAPSHOTS)?;
    let name = snapshot_name(generation, content);
    let path = folder.path().join(&name);
    let Some(opened) = folder.open(&name, "open the snapshot", Access::Read)? else {
        return Err(StoreError::io("open the snapshot", &path, io::ErrorKind::NotFound.into()));
    };
    let exposed = folder.is_exposed() || opened.group_writable;
    let small = opened.metadata.len() <= COPY_LIMIT;
    let mode = match policy {
        MapPolicy::Private => MapMode::Private,
        MapPolicy::Shared => MapMode::Shared,
        MapPolicy::Auto if exposed || small || !is_local(&opened.file) => MapMode::Private,
        MapPolicy::Auto => MapMode::Shared,
    };
    let snapshot = Snapshot::open(&opened.file, mode, size_limit)
        .map_err(|source| StoreError::Snapshot { path: path.clone(), source })?;
    let problem = if snapshot.content_id() != content {
        format!(
            "its content is {}, expected {content}; it is another snapshot under this name",
            snapshot.content_id()
        )
    } else if snapshot.environment() != environment {
        let found = snapshot.environment();
        format!(
            "compiled for the environment {found:?}, expected {environment:?}, the store's; publish again"
        )
    } else {
        let file = (mode == MapMode::Shared).then(|| (opened.file, Stamp::of(&opened.metadata)));
        return Ok(Opened { snapshot, mode, file });
    };
    Err(StoreError::Mismatch { path, problem })
}

/// True if the file lies on overlayfs, where the first write may copy it to another layer.
#[cfg(target_os = "linux")]
pub(crate) fn is_layered(file: &File) -> bool {
    magic(file) == Some(OVERLAYFS)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_layered(_: &File) -> bool {
    false
}

/// True on file systems of this machine alone: ext2 to ext4, XFS, Btrfs, ZFS, F2FS, bcachefs, tmpfs, ramfs, overlayfs, squashfs, EROFS.
/// On any other, known or not (NFS, SMB, FUSE, 9p, virtiofs, Ceph, Lustre, GFS2, OCFS2), another machine is assumed to change or remove
/// pages.
#[cfg(target_os = "linux")]
fn is_local(file: &File) -> bool {
    const LOCAL: [u64; 11] = [
        0xEF53,
        0x5846_5342,
        BTRFS,
        ZFS,
        0xF2F5_2010,
        BCACHEFS,
        0x0102_1994,
        0x8584_58F6,
        OVERLAYFS,
        0x7371_7368,
        0xE0F5_E1E2,
    ];
    magic(file).is_some_and(|magic| LOCAL.contains(&magic))
}

/// `BTRFS_SUPER_MAGIC` of linux/magic.h.
#[cfg(target_os = "linux")]
pub(super) const BTRFS: u64 = 0x9123_683E;
/// `OVERLAYFS_SUPER_MAGIC` of linux/magic.h.
#[cfg(target_os = "linux")]
const OVERLAYFS: u64 = 0x794C_7630;

/// `ZFS_SUPER_MAGIC` of OpenZFS.
pub(super) const ZFS: u64 = 0x2FC1_2FC1;
/// `BCACHEFS_SUPER_MAGIC` of bcachefs.
pub(super) const BCACHEFS: u64 = 0xCA45_1A4E;
/// `AUTOFS_SUPER_MAGIC` of linux/magic.h.
pub(super) const AUTOFS: u64 = 0x0187;
/// `PROC_SUPER_MAGIC` of linux/magic.h.
pub(super) const PROCFS: u64 = 0x9FA0;

/// Kind of the file system that the file lies in, as its number in linux/magic.h.
#[cfg(target_os = "linux")]
pub(super) fn magic(file: impl AsFd) -> Option<u64> {
    // Some are negative where the word is 32 bits wide.
    rustix::fs::fstatfs(file).ok().map(|found| found.f_type as u64 & 0xFFFF_FFFF)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn magic(_: impl AsFd) -> Option<u64> {
    None
}

#[cfg(not(target_os = "linux"))]
fn is_local(_: &File) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::is_local;
    use std::fs::File;

    #[test]
    fn only_a_file_system_that_is_known_is_local() {
        let local = |path: &str| File::open(path).map(|file| is_local(&file)).ok();
        assert_eq!(local("/dev/shm"), Some(true), "a tmpfs");
        assert_eq!(local("/proc"), Some(false), "a file system that holds no store");
    }
}
