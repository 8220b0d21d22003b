//! Which thread counts in which cells: a lock on one byte of the file, which ends with whoever holds it.
//!
//! An open file description lock (fcntl(2), F_OFD_SETLK): each thread has its own, and the kernel lets go of it when the
//! thread's file is closed or its process killed. The next owner of the cells goes on from what they hold, so nothing has
//! to be tidied up.

#![allow(unsafe_code)]

use super::layout::WORKERS;
use std::fs::File;
use std::os::fd::AsRawFd;

/// Takes cells that nobody has: 1 to `WORKERS`; 0 if all are taken, or the file system has no such locks.
pub(super) fn claim(file: &File) -> usize {
    let first = std::process::id() as usize % WORKERS;
    (0..WORKERS).map(|step| 1 + (first + step) % WORKERS).find(|worker| lock(file, *worker)).unwrap_or(0)
}

/// Whether somebody has those cells. The file may be open for reading only.
#[cfg(target_os = "linux")]
pub(super) fn is_claimed(file: &File, worker: usize) -> bool {
    let mut lock = on(worker);
    // SAFETY: the descriptor is open as long as `file` is borrowed, and the lock's description is the kernel's to write to
    // until the call ends.
    let asked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    asked == 0 && lock.l_type != libc::F_UNLCK as libc::c_short
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_claimed(_: &File, _: usize) -> bool {
    false
}

/// A lock on one byte.
#[cfg(target_os = "linux")]
fn on(byte: usize) -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte as libc::off_t,
        l_len: 1,
        l_pid: 0,
    }
}

#[cfg(target_os = "linux")]
fn lock(file: &File, byte: usize) -> bool {
    let lock = on(byte);
    // SAFETY: the descriptor is open as long as `file` is borrowed, and the kernel only reads the lock's description.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn lock(_: &File, _: usize) -> bool {
    false
}
