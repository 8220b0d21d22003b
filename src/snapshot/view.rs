//! Typed views over the bytes of a snapshot that keep their place without borrowing it, so that a call needs no lookup of its tables.
//!
//! Every read is checked against the length taken when the snapshot was opened. Records are made of byte
//! arrays (zerocopy's little-endian integers), so any bytes are a valid record and no address is misaligned.

#![allow(unsafe_code)]

use super::map::Bytes;
use std::ops::Range;
use std::sync::Arc;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// A table of `T` inside bytes that it keeps alive.
#[derive(Debug)]
pub(crate) struct Table<T> {
    first: *const T,
    count: usize,
    _bytes: Arc<Bytes>,
}

// SAFETY: a table only reads, and the bytes that it reads are not written through any Rust reference.
unsafe impl<T: Sync> Send for Table<T> {}
// SAFETY: as above; two threads may read the same bytes.
unsafe impl<T: Sync> Sync for Table<T> {}

impl<T: FromBytes + Immutable + KnownLayout + Unaligned> Table<T> {
    /// Views the whole entries that fit that part of the bytes; none if the part exceeds the bytes.
    pub(crate) fn over(bytes: &Arc<Bytes>, part: Range<usize>) -> Table<T> {
        let part = bytes.as_slice().get(part).unwrap_or(&[]);
        Table { first: part.as_ptr().cast(), count: part.len() / size_of::<T>(), _bytes: Arc::clone(bytes) }
    }

    #[inline(always)]
    pub(crate) fn get(&self, number: usize) -> Option<&T> {
        if number >= self.count {
            return None;
        }
        // SAFETY: `number` is below `count`, which `over` derived from the length of the bytes, so the offset stays inside them.
        let entry = unsafe { self.first.add(number) };
        // SAFETY: `_bytes` keeps the mapping, whose address does not move, for as long as `self` lives; `T` has no invalid bit patterns
        // (FromBytes) and an alignment of one (Unaligned).
        Some(unsafe { &*entry })
    }

    #[inline(always)]
    pub(crate) fn slice(&self, first: usize, count: usize) -> Option<&[T]> {
        if first > self.count || count > self.count - first {
            return None;
        }
        // SAFETY: `first` is at most `count`, so the offset stays inside the bytes or one past their end.
        let start = unsafe { self.first.add(first) };
        // SAFETY: `count` entries from `first` on lie inside the bytes, by the comparison above; for the rest as in `get`.
        Some(unsafe { std::slice::from_raw_parts(start, count) })
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn all(&self) -> &[T] {
        self.slice(0, self.count).unwrap_or(&[])
    }
}
