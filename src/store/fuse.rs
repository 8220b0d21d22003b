//! Whose word the owners of a FUSE file system are.
//!
//! Owners and modes there are what a process of the user says who mounted it. With `user_allow_other` in `/etc/fuse.conf`, other users see
//! such a file system, root included (fuse(4), `allow_other`). So everything there counts as that user's.

use std::os::fd::AsFd;

/// The user to whom `file` belongs, whose device and owner stat(2) tells: on a FUSE file system that another user than root mounted, that
/// user. `u32::MAX`, which is nobody, where the mount is not to be found.
#[cfg(target_os = "linux")]
pub fn owner_of(file: impl AsFd, device: u64, owner: u32) -> u32 {
    /// `FUSE_SUPER_MAGIC` of linux/magic.h.
    const FUSE: u64 = 0x6573_5546;
    if super::open::magic(file) != Some(FUSE) {
        return owner;
    }
    let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    match mounted_by(&String::from_utf8_lossy(&mounts), device) {
        Some(0) => owner,
        Some(user) => user,
        None => u32::MAX,
    }
}

/// Only Linux tells who mounted what.
#[cfg(not(target_os = "linux"))]
pub fn owner_of(_: impl AsFd, _: u64, owner: u32) -> u32 {
    owner
}

/// `user_id=` of the mount of that device (proc_pid_mountinfo(5)).
#[cfg(target_os = "linux")]
fn mounted_by(mounts: &str, device: u64) -> Option<u32> {
    let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    mounts.lines().find_map(|line| {
        let (place, system) = line.split_once(" - ")?;
        let options = system.rsplit(' ').next()?;
        let user = options.split(',').find_map(|option| option.strip_prefix("user_id="))?;
        if place.split(' ').nth(2)? == number { user.parse().ok() } else { None }
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
            101 36 0:52 / /proc rw - proc proc rw\n";
        let device = |minor| rustix::fs::makedev(0, minor);
        assert_eq!(mounted_by(mounts, device(50)), Some(993));
        assert_eq!(mounted_by(mounts, device(51)), Some(0));
        assert_eq!(mounted_by(mounts, device(52)), None);
        assert_eq!(mounted_by(mounts, device(53)), None);
    }

    #[test]
    fn what_lies_on_another_file_system_belongs_to_whom_stat_says() {
        let file = std::fs::File::open("/proc/self/status").expect("a file");
        assert_eq!(owner_of(&file, 0, 42), 42);
    }
}
