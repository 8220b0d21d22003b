//! Kinds of file systems.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::fs::File;
use std::os::fd::AsFd;

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
pub(crate) fn is_local(file: &File) -> bool {
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
pub(crate) const BTRFS: u64 = 0x9123_683E;
/// `OVERLAYFS_SUPER_MAGIC` of linux/magic.h.
#[cfg(target_os = "linux")]
const OVERLAYFS: u64 = 0x794C_7630;

/// `ZFS_SUPER_MAGIC` of OpenZFS.
pub(crate) const ZFS: u64 = 0x2FC1_2FC1;
/// `BCACHEFS_SUPER_MAGIC` of bcachefs.
pub(crate) const BCACHEFS: u64 = 0xCA45_1A4E;
/// `AUTOFS_SUPER_MAGIC` of linux/magic.h.
pub(crate) const AUTOFS: u64 = 0x0187;
/// `PROC_SUPER_MAGIC` of linux/magic.h.
pub(crate) const PROCFS: u64 = 0x9FA0;

/// Kind of the file system that the file lies in, as its number in linux/magic.h.
#[cfg(target_os = "linux")]
pub(crate) fn magic(file: impl AsFd) -> Option<u64> {
    // Some are negative where the word is 32 bits wide.
    rustix::fs::fstatfs(file).ok().map(|found| found.f_type as u64 & 0xFFFF_FFFF)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn magic(_: impl AsFd) -> Option<u64> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_local(_: &File) -> bool {
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
