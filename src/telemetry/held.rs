//! Descriptors whose locks a child of `fork` shares with its parent. As long as the child lived, the kernel would take the
//! cells of a dead parent for held, and the request that it died in would not be counted.

#![allow(unsafe_code)]

use crate::files::OwnFile;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// Files that are remembered, three for each thread that counts. Of further threads, a child keeps what it shares.
const FILES: usize = 768;
/// No descriptor.
const FREE: i32 = -1;
/// A descriptor that is about to be written down.
const TAKEN: i32 = -2;

/// A descriptor, and the file that it leads to.
#[derive(Debug)]
struct Place {
    descriptor: AtomicI32,
    device: AtomicU64,
    inode: AtomicU64,
}

static HELD: [Place; FILES] = [const {
    Place { descriptor: AtomicI32::new(FREE), device: AtomicU64::new(0), inode: AtomicU64::new(0) }
}; FILES];

/// A file that a child lets go of. It must be dropped before the file is closed.
#[derive(Debug)]
pub(super) struct Held(Option<&'static Place>);

impl Held {
    pub(super) fn remember(file: &OwnFile) -> Held {
        let take = |place: &&Place| {
            place.descriptor.compare_exchange(FREE, TAKEN, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        let place = HELD.iter().find(take);
        if let Some(place) = place {
            place.device.store(file.id().device, Ordering::Relaxed);
            place.inode.store(file.id().inode, Ordering::Relaxed);
            place.descriptor.store(file.as_raw_fd(), Ordering::Release);
        }
        Held(place)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(place) = self.0 {
            place.descriptor.store(FREE, Ordering::Release);
        }
    }
}

/// In a child of `fork`: replaces each of these files by a descriptor without locks, which the file's owner closes later.
/// Makes only system calls.
#[cfg(target_os = "linux")]
pub fn let_go_in_child() {
    let held = || HELD.iter().filter(|place| place.descriptor.load(Ordering::Acquire) >= 0);
    if held().next().is_none() {
        return;
    }
    // SAFETY: takes numbers, and opens a descriptor that nothing else uses.
    let nothing = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    if nothing < 0 {
        return;
    }
    for place in held().filter(|place| is_still_there(place)) {
        // SAFETY: the arguments are numbers. The descriptor is open: it is taken from the list before it is closed, and this process
        // has one thread.
        unsafe { libc::dup3(nothing, place.descriptor.load(Ordering::Acquire), libc::O_CLOEXEC) };
    }
    // SAFETY: opened above, and used by nothing else.
    unsafe { libc::close(nothing) };
}

/// True if the descriptor still leads to the file: whoever closed it by mistake may have another file by that number.
#[cfg(target_os = "linux")]
fn is_still_there(place: &Place) -> bool {
    let mut found = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: a number, and room for what is told of it.
    let result = unsafe { libc::fstat(place.descriptor.load(Ordering::Acquire), found.as_mut_ptr()) };
    if result != 0 {
        return false;
    }
    // SAFETY: written, since the call succeeded.
    let found = unsafe { found.assume_init() };
    found.st_dev == place.device.load(Ordering::Relaxed)
        && found.st_ino == place.inode.load(Ordering::Relaxed)
}

/// Does nothing: other systems than Linux have no such locks.
#[cfg(not(target_os = "linux"))]
pub fn let_go_in_child() {}
