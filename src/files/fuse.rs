//! Owners of files on FUSE file systems.
//!
//! A process of the mounting user makes up the owners and modes there. With `user_allow_other` in `/etc/fuse.conf`, other users see such
//! a file system, root included (fuse(4), `allow_other`). So every file there counts as the mounting user's.

#[cfg(feature = "publisher")]
use std::os::fd::AsFd;

/// A number that no user has.
pub const NOBODY: u32 = u32::MAX;

/// The owner of `file`, whose device and owner stat(2) tells. On a FUSE file system mounted by another user than root, that user.
/// [`NOBODY`] if the mount is not found, or the file system does not say what it is: the kernel asks the process behind a FUSE file
/// system, which may answer with an error.
#[cfg(all(target_os = "linux", feature = "publisher"))]
pub fn owner_of(file: impl AsFd, device: u64, owner: u32) -> u32 {
    owner_by(super::file_system::magic(file), device, owner)
}

/// Like [`owner_of`], given the kind of the file system, if known.
#[cfg(target_os = "linux")]
pub(crate) fn owner_by(magic: Option<u64>, device: u64, owner: u32) -> u32 {
    /// `FUSE_SUPER_MAGIC` of linux/magic.h.
    const FUSE: u64 = 0x6573_5546;
    match magic {
        Some(FUSE) => {}
        Some(_) => return owner,
        None => return NOBODY,
    }
    let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    match mounted_by(&String::from_utf8_lossy(&mounts), device) {
        Some(0) => owner,
        Some(user) => user,
        None => NOBODY,
    }
}

/// Only Linux tells the mounting user.
#[cfg(all(not(target_os = "linux"), feature = "publisher"))]
pub fn owner_of(_: impl AsFd, _: u64, owner: u32) -> u32 {
    owner
}

/// Only Linux tells the mounting user.
#[cfg(not(target_os = "linux"))]
pub(crate) fn owner_by(_: Option<u64>, _: u64, owner: u32) -> u32 {
    owner
}

/// `user_id=` of the mount of that device (proc_pid_mountinfo(5)). virtiofs is FUSE's protocol to a virtual machine's host; it names no user,
/// and root alone mounts it.
#[cfg(target_os = "linux")]
fn mounted_by(mounts: &str, device: u64) -> Option<u32> {
    let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    mounts.lines().find_map(|line| {
        let (place, system) = line.split_once(" - ")?;
        if place.split(' ').nth(2)? != number {
            return None;
        }
        if system.starts_with("virtiofs ") {
            return Some(0);
        }
        let options = system.rsplit(' ').next()?;
        options.split(',').find_map(|option| option.strip_prefix("user_id="))?.parse().ok()
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_fuse_file_system_is_its_mounters() {
        let mounts = "36 35 98:0 / /mnt rw,noatime master:1 - ext4 /dev/root rw,user_id=7\n\
            99 36 0:50 / /tmp/e rw,nosuid shared:2 - fuse.bindfs /home/eve/src rw,user_id=993,group_id=992,allow_other\n\
            100 36 0:51 / /data rw - fuse.s3 s3 rw,user_id=0,group_id=0\n\
            101 36 0:52 / /proc rw - proc proc rw\n\
            102 36 0:54 / /host rw,relatime - virtiofs shared rw\n";
        let device = |minor| rustix::fs::makedev(0, minor);
        assert_eq!(mounted_by(mounts, device(50)), Some(993));
        assert_eq!(mounted_by(mounts, device(51)), Some(0));
        assert_eq!(mounted_by(mounts, device(52)), None);
        assert_eq!(mounted_by(mounts, device(53)), None);
        assert_eq!(mounted_by(mounts, device(54)), Some(0));
    }

    #[test]
    fn what_lies_on_another_file_system_belongs_to_whom_stat_says() {
        let file = std::fs::File::open("/proc/self/status").expect("a file");
        assert_eq!(owner_by(crate::files::file_system::magic(&file), 0, 42), 42);
    }
}
