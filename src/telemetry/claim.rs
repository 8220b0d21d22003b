//! Which thread counts in which cells: a lock on one byte of a file, which ends with whoever holds it.
//!
//! An open file description lock (fcntl(2), F_OFD_SETLK): each thread has its own, and the kernel lets go of it when the
//! thread's file is closed or its process killed.
//!
//! The file of claims is open to its user alone, so that nobody else can hold a claim. Once a thread has settled what the cells' last
//! owner left open, it shows that it holds them: it locks the same byte of the counters for reading. Until then, readers count
//! that request themselves, so that it is counted at each moment. Who may only read the counters can make cells look held to readers
//! that cannot see the claims, and so delay the counting of a request whose thread died until the next thread comes; it can keep no
//! thread out.

#![allow(unsafe_code)]

use super::layout::{SEATS, WORKERS};
use std::fs::File;
use std::os::fd::AsRawFd;

/// Takes that thread's cells. `claims` is open for writing.
pub(super) fn claim(claims: &File, worker: usize) -> bool {
    lock(claims, worker, Kind::Write)
}

/// Tells readers that the cells are held; false where they cannot be told.
pub(super) fn show(counters: &File, worker: usize) -> bool {
    lock(counters, worker, Kind::Read)
}

/// Gives them back.
pub(super) fn release(claims: &File, counters: &File, worker: usize) {
    let _ = lock(counters, worker, Kind::None);
    let _ = lock(claims, worker, Kind::None);
}

/// Sits down among the threads that have no cells, so that they can be told from none.
pub(super) fn sit(claims: &File, counters: &File) {
    let first = std::process::id() as usize % SEATS;
    let seats = (0..SEATS).map(|step| WORKERS + 1 + (first + step) % SEATS);
    if let Some(seat) = { seats }.find(|seat| claim(claims, *seat)) {
        let _ = show(counters, seat);
    }
}

/// Threads without cells.
#[cfg(feature = "publisher")]
pub(super) fn seated(file: &File) -> usize {
    count(file, WORKERS + 1, SEATS)
}

/// Bytes that are claimed, of so many.
#[cfg(feature = "publisher")]
fn count(file: &File, first: usize, length: usize) -> usize {
    match length {
        _ if !is_locked(file, first, length) => 0,
        1 => 1,
        _ => count(file, first, length / 2) + count(file, first + length / 2, length - length / 2),
    }
}

/// Whether somebody has claimed those cells, by the file of claims, or shows that it holds them, by the counters.
pub(super) fn is_claimed(file: &File, worker: usize) -> bool {
    is_locked(file, worker, 1)
}

/// Whether anybody holds a lock on one of so many bytes. The file may be open for reading only.
#[cfg(target_os = "linux")]
fn is_locked(file: &File, first: usize, length: usize) -> bool {
    let mut lock = on(first, length, Kind::Write);
    // SAFETY: the descriptor is open as long as `file` is borrowed, and the lock's description is the kernel's to write to
    // until the call ends.
    let asked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    asked == 0 && lock.l_type != libc::F_UNLCK as libc::c_short
}

#[cfg(not(target_os = "linux"))]
fn is_locked(_: &File, _: usize, _: usize) -> bool {
    false
}

#[derive(Clone, Copy)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
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
