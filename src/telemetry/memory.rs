//! A file mapped shared and writable, for counting.
//!
//! It is seen as atomic words and bytes only, since other processes change it at any time. Where the file is cut short, what
//! is counted from then on is counted in memory that nobody reads, until [`Memory::lost`] is asked.

#![allow(unsafe_code)]

use crate::fault::Mapped;
use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// A mapped file.
#[derive(Debug)]
pub(super) struct Memory {
    start: NonNull<u8>,
    size: usize,
    mapped: Mapped,
}

// SAFETY: the mapping belongs to the process, not to a thread, and is reached through atomics only.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Maps `size` bytes of `file`, which must be that long.
    pub(super) fn map(file: &File, size: usize) -> io::Result<Memory> {
        let mapped = Mapped::new(file, size, true)?;
        Ok(Memory { start: mapped.start(), size, mapped })
    }

    /// Whether the file was cut short: what is counted here is lost.
    pub(super) fn lost(&self) -> bool {
        self.mapped.lost()
    }

    /// The word at an offset in bytes.
    ///
    /// # Panics
    ///
    /// Where it is not within the memory or no multiple of 8: offsets come from `Layout` alone, so that is a defect.
    #[inline(always)]
    pub(super) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8) && offset < self.size && self.size - offset >= 8);
        // SAFETY: within the mapping, as was just asked.
        let word = unsafe { self.start.as_ptr().add(offset) };
        // SAFETY: a mapping begins on a page, so the word is aligned; any bits are a valid `AtomicU64`; it is mapped as
        // long as `self` lives, and nobody reaches it but through atomics.
        unsafe { AtomicU64::from_ptr(word.cast()) }
    }

    /// The byte at an offset.
    ///
    /// # Panics
    ///
    /// As [`word`](Self::word).
    #[inline(always)]
    pub(super) fn byte(&self, offset: usize) -> &AtomicU8 {
        assert!(offset < self.size);
        // SAFETY: within the mapping, as was just asked.
        let byte = unsafe { self.start.as_ptr().add(offset) };
        // SAFETY: as in `word`, but for the alignment, of which a byte needs none.
        unsafe { AtomicU8::from_ptr(byte) }
    }

    /// Adds to a word that others may add to.
    #[inline]
    pub(super) fn add(&self, offset: usize, number: u64) {
        self.word(offset).fetch_add(number, Ordering::Relaxed);
    }

    /// What a word holds.
    #[inline]
    pub(super) fn get(&self, offset: usize) -> u64 {
        self.word(offset).load(Ordering::Relaxed)
    }

    /// Sets a word.
    #[inline]
    pub(super) fn set(&self, offset: usize, number: u64) {
        self.word(offset).store(number, Ordering::Relaxed);
    }
}

/// Adds to a word that nobody else writes: without a locked instruction, which would cost as much as an answer.
#[inline(always)]
pub(super) fn add_alone(word: &AtomicU64, number: u64) {
    word.store(word.load(Ordering::Relaxed).wrapping_add(number), Ordering::Relaxed);
}

/// Things that follow each other in a memory, at a place that is chosen once: reached with one comparison.
#[derive(Debug)]
pub(super) struct Row<T> {
    start: NonNull<T>,
    count: usize,
    /// Keeps the mapping.
    _memory: Arc<Memory>,
}

// SAFETY: as for the memory that it points into; `T` is one of the types of `Atomics`.
unsafe impl<T: Atomics> Send for Row<T> {}

/// What memory may be seen as.
///
/// # Safety
///
/// Arrays of atomics only, for which any bits are valid and which others may change.
pub(super) unsafe trait Atomics {}
// SAFETY: that is one.
unsafe impl<const N: usize> Atomics for [AtomicU64; N] {}
// SAFETY: that is one.
unsafe impl<const N: usize> Atomics for [AtomicU8; N] {}

impl<T: Atomics> Row<T> {
    /// `count` of them from an offset on, in bytes.
    ///
    /// # Panics
    ///
    /// Where they are not within the memory or not aligned: offsets come from `Layout` alone, so that is a defect.
    pub(super) fn new(memory: &Arc<Memory>, offset: usize, count: usize) -> Row<T> {
        let fits = count.checked_mul(size_of::<T>()).and_then(|size| size.checked_add(offset));
        assert!(fits.is_some_and(|end| end <= memory.size) && offset.is_multiple_of(align_of::<T>()));
        // SAFETY: within the mapping, as was just asked.
        let start = unsafe { memory.start.add(offset) };
        Row { start: start.cast(), count, _memory: memory.clone() }
    }

    /// The one of that number; the first for a number that there is none of.
    #[inline(always)]
    pub(super) fn at(&self, number: usize) -> &T {
        let number = if number < self.count { number } else { 0 };
        // SAFETY: within what `new` asked for.
        let found = unsafe { self.start.add(number) };
        // SAFETY: mapped as long as the memory is held. A mapping begins on a page, so it is aligned; any bits are valid, and
        // nobody reaches them but through atomics.
        unsafe { found.as_ref() }
    }
}
