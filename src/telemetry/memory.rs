//! A file of counters, mapped shared and writable.
//!
//! The mapping is seen as atomic words and bytes only, since other processes change it at any time. It covers the largest
//! size that the file can have; pages behind its end are reserved before they are touched. If the file is cut short, later
//! counts go to memory that no process reads, until [`Memory::lost`] is asked.

#![allow(unsafe_code)]

use super::layout::{PAGE, SIZE, block, page};
use crate::fault::Mapped;
use crate::files::OwnFile;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// A mapped file.
#[derive(Debug)]
pub(super) struct Memory {
    start: NonNull<u8>,
    mapped: Mapped,
}

// SAFETY: the mapping belongs to the process, not to a thread, and is reached through atomics only.
unsafe impl Send for Memory {}
// SAFETY: the same as for `Send`.
unsafe impl Sync for Memory {}

impl Memory {
    /// Maps `SIZE` bytes of `file`, which may be shorter.
    pub(super) fn map(file: &File) -> io::Result<Memory> {
        let mapped = Mapped::new(file, SIZE, true)?;
        Ok(Memory { start: mapped.start(), mapped })
    }

    /// True if the file was cut short: counts are lost.
    pub(super) fn lost(&self) -> bool {
        self.mapped.lost()
    }

    /// The word at an offset in bytes.
    ///
    /// # Panics
    ///
    /// If it is not within the memory or no multiple of 8: offsets come from the layout alone, so that is a defect.
    #[inline(always)]
    pub(super) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8) && offset < SIZE && SIZE - offset >= 8);
        // SAFETY: within the mapping, as asserted above.
        let word = unsafe { self.start.as_ptr().add(offset) };
        // SAFETY: a mapping begins on a page, so the word is aligned; any bits are a valid `AtomicU64`; it is mapped as long
        // as `self` lives, and is reached only through atomics.
        unsafe { AtomicU64::from_ptr(word.cast()) }
    }

    /// The byte at an offset.
    ///
    /// # Panics
    ///
    /// Like [`word`](Self::word).
    #[inline(always)]
    pub(super) fn byte(&self, offset: usize) -> &AtomicU8 {
        assert!(offset < SIZE);
        // SAFETY: within the mapping, as asserted above.
        let byte = unsafe { self.start.as_ptr().add(offset) };
        // SAFETY: as in `word`, except that a byte needs no alignment.
        unsafe { AtomicU8::from_ptr(byte) }
    }

    /// Adds to a word that other threads may add to.
    #[inline]
    pub(super) fn add(&self, offset: usize, number: u64) {
        self.word(offset).fetch_add(number, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn get(&self, offset: usize) -> u64 {
        self.word(offset).load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn set(&self, offset: usize, number: u64) {
        self.word(offset).store(number, Ordering::Relaxed);
    }
}

/// Reserves the pages that hold these bytes of a file: touching a page without room would kill the process.
pub(super) fn reserve(file: &OwnFile, offset: usize, size: usize) -> io::Result<()> {
    if !file.is_itself() {
        return Err(Errno::BADF.into());
    }
    let start = offset / PAGE * PAGE;
    let end = (offset + size).next_multiple_of(PAGE);
    may_grow(file, end as u64)?;
    let all = || fallocate(&**file, FallocateFlags::empty(), start as u64, (end - start) as u64);
    Ok(retry_on_intr(all)?)
}

/// Checks that a file may reach `end`: beyond `RLIMIT_FSIZE` (`ulimit -f`, `LimitFSIZE=`) the kernel sends SIGXFSZ, which
/// kills the process.
pub(super) fn may_grow(file: &File, end: u64) -> io::Result<()> {
    // Where a filter of system calls refuses the question, rustix answers from memory that nothing was written to.
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the pointer is to a structure of the kind that is asked for, which stays as it is if the call fails.
    unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    if end > limit.rlim_cur && file.metadata()?.len() < end {
        return Err(Errno::FBIG.into());
    }
    Ok(())
}

/// Adds to a word that no other thread writes: without a locked instruction, which would cost as much as an answer.
#[inline(always)]
pub(super) fn add_alone(word: &AtomicU64, number: u64) {
    word.store(word.load(Ordering::Relaxed).wrapping_add(number), Ordering::Relaxed);
}

/// Types that the memory may be seen as.
///
/// # Safety
///
/// Implementors are arrays of atomics, for which any bits are valid and which others may change.
pub(super) unsafe trait Atomics {}
// SAFETY: an array of atomics.
unsafe impl<const N: usize> Atomics for [AtomicU64; N] {}
// SAFETY: an array of atomics.
unsafe impl<const N: usize> Atomics for [AtomicU8; N] {}

/// Maximum shift of an [`Area`], in bytes.
const MAX_SHIFT: usize = block::SIZE;

/// The offset of a `T` in any memory, checked once, so that it is reached without a comparison.
#[derive(Debug)]
pub(super) struct Place<T> {
    /// Offset in bytes.
    offset: u32,
    kind: PhantomData<fn() -> T>,
}

impl<T> Clone for Place<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Place<T> {}

impl<T> Default for Place<T> {
    fn default() -> Self {
        Place { offset: 0, kind: PhantomData }
    }
}

const _: () = assert!(SIZE <= u32::MAX as usize);

impl<T: Atomics> Place<T> {
    /// The place at an offset in bytes.
    ///
    /// # Panics
    ///
    /// If it is not within every memory, shifted or not, or not aligned: offsets come from the layout alone, so that is a defect.
    #[inline]
    pub(super) fn new(offset: usize) -> Place<T> {
        assert!(offset + size_of::<T>() + MAX_SHIFT <= SIZE && offset.is_multiple_of(8));
        Place { offset: offset as u32, kind: PhantomData }
    }
}

/// A memory, from an offset on.
#[derive(Debug)]
pub(super) struct Area {
    start: NonNull<u8>,
    /// Keeps the mapping alive.
    _memory: Arc<Memory>,
}

// SAFETY: the same as for the memory that it points into.
unsafe impl Send for Area {}

impl Area {
    /// Views a memory with all places shifted by this many bytes.
    ///
    /// # Panics
    ///
    /// If the shift is larger than `MAX_SHIFT` or no multiple of 8.
    pub(super) fn new(memory: &Arc<Memory>, shift: usize) -> Area {
        assert!(shift <= MAX_SHIFT && shift.is_multiple_of(8));
        // SAFETY: within the mapping, which is longer than any shift.
        let start = unsafe { memory.start.add(shift) };
        Area { start, _memory: memory.clone() }
    }

    /// The `T` at that place.
    #[inline(always)]
    pub(super) fn at<T: Atomics>(&self, place: Place<T>) -> &T {
        // SAFETY: `Place::new` checked that it is within a memory with the largest shift; offset 0, the default, is within
        // the first blocks of every memory.
        let found = unsafe { self.start.add(place.offset as usize) };
        // SAFETY: mapped as long as the memory is held. A mapping begins on a page, so it is aligned; any bits are valid, and
        // it is reached only through atomics.
        unsafe { found.cast().as_ref() }
    }
}

const _: () = assert!(SIZE > 2 * MAX_SHIFT + PAGE);

/// The words of a thread's page.
pub(super) type Words = [AtomicU64; page::WORDS];

/// A thread's page: in the memory, or private if it has no cells.
#[derive(Debug)]
pub(super) struct ThreadPage {
    start: NonNull<Words>,
    _owner: Owner,
}

#[derive(Debug)]
enum Owner {
    Mapped { _memory: Arc<Memory> },
    Own { _words: Arc<Words> },
}

// SAFETY: the same as for the memory that it points into; private words are not shared.
unsafe impl Send for ThreadPage {}

impl ThreadPage {
    /// A page in the memory.
    pub(super) fn mapped(memory: &Arc<Memory>, place: Place<Words>) -> ThreadPage {
        let area = Area::new(memory, 0);
        let start = NonNull::from(area.at(place));
        ThreadPage { start, _owner: Owner::Mapped { _memory: memory.clone() } }
    }

    /// A private page.
    pub(super) fn own() -> ThreadPage {
        let words: Arc<Words> = Arc::new([const { AtomicU64::new(0) }; page::WORDS]);
        ThreadPage { start: NonNull::from(&*words), _owner: Owner::Own { _words: words } }
    }

    #[inline(always)]
    pub(super) fn words(&self) -> &Words {
        // SAFETY: mapped or allocated as long as `self` lives, and reached only through atomics.
        unsafe { self.start.as_ref() }
    }
}
