//! The bytes of a snapshot: a private copy in an anonymous mapping, or the file mapped shared.

#![allow(unsafe_code)]

use crate::fault::Mapped;
use memmap2::{Mmap, MmapMut};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// The way a snapshot's file gets into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapMode {
    /// Read into private memory, which no other process can change or truncate.
    Private,
    /// Mapped, so that all processes share its pages. If the file changes, its readers lose this snapshot.
    Shared,
}

/// Read-only bytes at a constant address.
#[derive(Debug)]
pub(crate) enum Bytes {
    Private(Mmap),
    Shared(Mapped, LastWord),
}

/// The last whole word of a mapping, and its first value.
///
/// A file that is cut short shows zeros up to the end of the page of the cut, and no fault before the next page. In a snapshot the last
/// word is a checksum, or text, and never zero: so it detects every cut.
#[derive(Debug)]
pub(crate) struct LastWord {
    offset: usize,
    value: u64,
}

/// Size of a word in bytes.
const WORD: usize = size_of::<u64>();

impl Bytes {
    /// Loads the first `size` bytes of `file`.
    pub(crate) fn load(file: &File, size: usize, mode: MapMode) -> io::Result<Bytes> {
        match mode {
            MapMode::Private => {
                let mut copy = MmapMut::map_anon(size)?;
                let mut reader: &File = file;
                reader.rewind()?;
                reader.read_exact(&mut copy)?;
                copy.make_read_only().map(Bytes::Private)
            }
            MapMode::Shared => {
                let Some(offset) = (size / WORD * WORD).checked_sub(WORD) else {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                };
                let mapped = Mapped::new(file, size, false)?;
                let value = word(&mapped, offset).load(Ordering::Relaxed);
                Ok(Bytes::Shared(mapped, LastWord { offset, value }))
            }
        }
    }

    /// Copies `bytes`.
    pub(crate) fn copy_of(bytes: &[u8]) -> io::Result<Bytes> {
        let mut copy = MmapMut::map_anon(bytes.len().max(1))?;
        match copy.get_mut(..bytes.len()) {
            Some(target) => target.copy_from_slice(bytes),
            None => return Err(io::ErrorKind::OutOfMemory.into()),
        }
        copy.make_read_only().map(Bytes::Private)
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Private(copy) => copy,
            Bytes::Shared(mapped, _) => {
                // SAFETY: that number of bytes is mapped readable at that address as long as `self` lives: the file's, or zeros where it
                // was cut short. No Rust reference writes them. Bytes that change all the same are read bounds-checked (see `view`), and
                // the answer is discarded (see `lost`).
                unsafe { std::slice::from_raw_parts(mapped.start().as_ptr(), mapped.size()) }
            }
        }
    }

    /// A word of a shared mapping, and its value unless the file is cut short or the mapping lost.
    pub(crate) fn last_word(&self) -> Option<(&AtomicU64, u64)> {
        match self {
            Bytes::Private(_) => None,
            Bytes::Shared(mapped, last) => Some((word(mapped, last.offset), last.value)),
        }
    }

    /// True if some of the file's bytes are gone. Ask after reading.
    #[inline]
    pub(crate) fn lost(&self) -> bool {
        let Bytes::Shared(mapped, last) = self else { return false };
        fence(Ordering::Acquire);
        last.value == 0 || word(mapped, last.offset).load(Ordering::Acquire) != last.value || mapped.lost()
    }

    /// Makes `lost` true for every reader.
    pub(crate) fn give_up(&self) {
        if let Bytes::Shared(mapped, _) = self {
            mapped.give_up();
        }
    }
}

/// The word at the offset of a [`LastWord`].
fn word(mapped: &Mapped, offset: usize) -> &AtomicU64 {
    // SAFETY: the offset is a word's and at least one word before the end.
    let word = unsafe { mapped.start().as_ptr().add(offset) };
    // SAFETY: a mapping begins on a page, so the word is aligned; any bits are a valid `AtomicU64`; it is mapped as long as `mapped`
    // lives, and only other processes may write it.
    unsafe { AtomicU64::from_ptr(word.cast()) }
}
