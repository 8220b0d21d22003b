//! The claim of a thread to its cells: a lock on one byte of a file, which ends with its holder.
//!
//! An open file description lock (fcntl(2), F_OFD_SETLK): each thread has its own, and the kernel lets go of it when the
//! thread's file is closed or its process killed.
//!
//! The file of claims is open to its user alone, so that no other user can hold a claim. Readers that cannot open it see by
//! [`Shown`](super::shown::Shown) which cells are held.

#![allow(unsafe_code)]

use super::layout::{SEATS, WORKERS};
use std::fs::File;
use std::os::fd::AsRawFd;

/// Takes a thread's cells. `claims` is open for writing.
pub(super) fn claim(claims: &File, worker: usize) -> bool {
    lock(claims, worker, Kind::Write)
}

/// Releases the cells.
pub(super) fn release(claims: &File, worker: usize) {
    let _ = lock(claims, worker, Kind::None);
}

/// Takes a lock that no reader of the file can take, and that no lock of a reader looks like.
pub(super) fn hold(file: &File) -> bool {
    lock(file, 0, Kind::Write)
}

/// True if a process that may write the file holds it by [`hold`].
#[cfg(feature = "publisher")]
pub(super) fn is_held(file: &File) -> bool {
    // Whoever may only read the file can take a lock for reading: that stands in the way of writers alone.
    is_locked(file, 0, 1, Kind::Read)
}

/// Takes a seat among the threads without cells, so that readers can count them.
pub(super) fn sit(claims: &File) -> Option<usize> {
    let first = std::process::id() as usize % SEATS;
    let mut seats = (0..SEATS).map(|step| WORKERS + 1 + (first + step) % SEATS);
    seats.find(|seat| claim(claims, *seat))
}

/// Number of threads without cells.
#[cfg(feature = "publisher")]
pub(super) fn seated(claims: &File) -> usize {
    count(claims, WORKERS + 1, SEATS)
}

/// Number of locked bytes within this range.
#[cfg(feature = "publisher")]
fn count(file: &File, first: usize, length: usize) -> usize {
    match length {
        _ if !is_locked(file, first, length, Kind::Write) => 0,
        1 => 1,
        _ => count(file, first, length / 2) + count(file, first + length / 2, length - length / 2),
    }
}

/// True if any thread counts, with cells or without.
pub(super) fn is_any_claimed(claims: &File) -> bool {
    is_locked(claims, 0, WORKERS + 1 + SEATS, Kind::Write)
}

/// True if the cells are claimed.
#[cfg(feature = "publisher")]
pub(super) fn is_claimed(claims: &File, worker: usize) -> bool {
    is_locked(claims, worker, 1, Kind::Write)
}

/// True if any process holds a lock on one of these bytes that keeps one of this kind away. The file may be open for reading only.
#[cfg(target_os = "linux")]
fn is_locked(file: &File, first: usize, length: usize, kind: Kind) -> bool {
    let mut lock = on(first, length, kind);
    // SAFETY: the descriptor is open as long as `file` is borrowed, and the kernel writes to the lock's description only
    // until the call ends.
    let asked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    asked == 0 && lock.l_type != libc::F_UNLCK as libc::c_short
}

#[cfg(not(target_os = "linux"))]
fn is_locked(_: &File, _: usize, _: usize, _: Kind) -> bool {
    false
}

#[derive(Clone, Copy)]
#[cfg_attr(not(all(target_os = "linux", feature = "publisher")), allow(dead_code))]
enum Kind {
    None,
    Read,
    Write,
}

/// A lock on some bytes.
#[cfg(target_os = "linux")]
fn on(first: usize, length: usize, kind: Kind) -> libc::flock {
    let kind = match kind {
        Kind::None => libc::F_UNLCK,
        Kind::Read => libc::F_RDLCK,
        Kind::Write => libc::F_WRLCK,
    };
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: first as libc::off_t,
        l_len: length as libc::off_t,
        l_pid: 0,
    }
}

#[cfg(target_os = "linux")]
fn lock(file: &File, byte: usize, kind: Kind) -> bool {
    let lock = on(byte, 1, kind);
    // SAFETY: the descriptor is open as long as `file` is borrowed, and the kernel only reads the lock's description.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn lock(_: &File, _: usize, _: Kind) -> bool {
    false
}
