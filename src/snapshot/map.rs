//! The bytes of a snapshot: a private copy in an anonymous mapping, or the file mapped shared.

#![allow(unsafe_code)]

use crate::fault::Mapped;
use memmap2::{Mmap, MmapMut};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// How a snapshot's file becomes memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapMode {
    /// Read into private memory, which nobody else can change or truncate.
    Private,
    /// Mapped, so that all processes share its pages. What others do to the file costs its readers this snapshot.
    Shared,
}

/// Read-only bytes at an address that does not change while they live.
#[derive(Debug)]
pub(crate) enum Bytes {
    Private(Mmap),
    Shared(Mapped, LastWord),
}

/// The last whole word of a mapping, and what it held at first.
///
/// A file that is cut short shows zeros up to the end of the page in which it is cut, and no fault before the next page. In
/// a snapshot the last word is a checksum, or text, and never zero: so it tells of every cut, wherever that is.
#[derive(Debug)]
pub(crate) struct LastWord {
    offset: usize,
    value: u64,
}

/// Bytes of a word.
const WORD: usize = size_of::<u64>();

impl Bytes {
    /// The first `size` bytes of `file`.
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

    /// A copy of `bytes`.
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
                // SAFETY: so many bytes are mapped readable at that address as long as `self` lives: the file's, or zeros
                // where it was cut short. No Rust reference writes them. Those that change all the same are read
                // bounds-checked (see `view`), and an answer that they gave is not believed (see `lost`).
                unsafe { std::slice::from_raw_parts(mapped.start().as_ptr(), mapped.size()) }
            }
        }
    }

    /// A word of a shared mapping, and what it holds as long as the file is not cut short and the mapping not lost.
    pub(crate) fn last_word(&self) -> Option<(&AtomicU64, u64)> {
        match self {
            Bytes::Private(_) => None,
            Bytes::Shared(mapped, last) => Some((word(mapped, last.offset), last.value)),
        }
    }

    /// Whether the file's bytes are no longer all there. Ask after reading.
    #[inline]
    pub(crate) fn lost(&self) -> bool {
        let Bytes::Shared(mapped, last) = self else { return false };
        fence(Ordering::Acquire);
        last.value == 0 || word(mapped, last.offset).load(Ordering::Acquire) != last.value || mapped.lost()
    }

    /// Has every reader of them take them for lost.
    pub(crate) fn give_up(&self) {
        if let Bytes::Shared(mapped, _) = self {
            mapped.give_up();
        }
    }
}

/// The word at an offset of [`LastWord`].
fn word(mapped: &Mapped, offset: usize) -> &AtomicU64 {
    // SAFETY: the offset is a word's and at least one word before the end.
    let word = unsafe { mapped.start().as_ptr().add(offset) };
    // SAFETY: a mapping begins on a page, so the word is aligned; any bits are a valid `AtomicU64`; it is mapped as long as
    // `mapped` lives, and others write it, if at all, from other processes.
    unsafe { AtomicU64::from_ptr(word.cast()) }
}
