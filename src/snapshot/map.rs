//! The bytes of a snapshot: a private copy in an anonymous mapping, or the file mapped shared.
//!
//! The only place that maps a snapshot's file.

#![allow(unsafe_code)]

use memmap2::{Mmap, MmapMut, MmapOptions};
use std::fs::File;
use std::io::{self, Read};

/// How a snapshot's file becomes memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapMode {
    /// Read into private memory, which nobody else can change or truncate.
    Private,
    /// Mapped, so that all processes share its pages. Who may write the file can kill its readers.
    Shared,
}

/// Read-only bytes at an address that does not change while they live.
#[derive(Debug)]
pub(crate) struct Bytes(Mmap);

impl Bytes {
    /// The first `size` bytes of `file`.
    pub(crate) fn load(file: &File, size: usize, mode: MapMode) -> io::Result<Bytes> {
        match mode {
            MapMode::Private => {
                let mut copy = MmapMut::map_anon(size)?;
                let mut reader: &File = file;
                reader.read_exact(&mut copy)?;
                copy.make_read_only().map(Bytes)
            }
            MapMode::Shared => {
                // SAFETY: a store's snapshots are never written or truncated once they have their name: a publish
                // writes another file and renames it. Where the directory lets others do so, the reader of a store
                // takes `Private`. Bytes that change all the same are read bounds-checked (see `view`).
                unsafe { MmapOptions::new().len(size).map(file) }.map(Bytes)
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
        copy.make_read_only().map(Bytes)
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}
