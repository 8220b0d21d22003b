//! The head's page, mapped shared: the only place that maps it.
//!
//! The page is never seen as bytes, only as atomic words, since other processes change it at any time. Its address
//! does not change while the `Page` lives, even when another file takes the place of the first.

#![allow(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
#[cfg(feature = "publisher")]
use rustix::mm::{MsyncFlags, msync};
use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// Size of a head in bytes.
pub(crate) const PAGE_SIZE: usize = 65_536;
/// Size of a head in words.
pub(crate) const PAGE_WORDS: usize = PAGE_SIZE / 8;

/// A mapped head. Readers map it read-only: storing to their words would end the process.
#[derive(Debug)]
pub(crate) struct Page {
    words: NonNull<[AtomicU64; PAGE_WORDS]>,
    protection: ProtFlags,
}

// SAFETY: the mapping belongs to the process, not to a thread, and is reached through atomics only.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}

impl Page {
    /// Maps the first 64 KiB of `file`, which must be that long: reading past a file's end kills the process.
    pub(crate) fn map(file: &File, write: bool) -> io::Result<Page> {
        long_enough(file)?;
        let protection = if write { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: with no address asked for, a new mapping takes nothing away from anybody.
        let address =
            unsafe { mmap(std::ptr::null_mut(), PAGE_SIZE, protection, MapFlags::SHARED, file, 0) }?;
        match NonNull::new(address.cast()) {
            Some(words) => Ok(Page { words, protection }),
            None => Err(io::ErrorKind::OutOfMemory.into()),
        }
    }

    /// Shows `file` instead, at the same address. Whoever reads meanwhile sees the one or the other.
    pub(crate) fn replace(&self, file: &File) -> io::Result<()> {
        // First elsewhere: what this file system refuses is refused before anything is taken away.
        drop(Page::map(file, self.protection.contains(ProtFlags::WRITE))?);
        let flags = MapFlags::SHARED | MapFlags::FIXED;
        let address = self.words.as_ptr().cast::<c_void>();
        // SAFETY: the range is exactly the mapping that this page owns, and the kernel swaps it as one step. Words
        // borrowed from it stay readable at their address.
        unsafe { mmap(address, PAGE_SIZE, self.protection, flags, file, 0) }?;
        Ok(())
    }

    /// The page's words, as they are in the file: little-endian.
    #[inline(always)]
    pub(crate) fn words(&self) -> &[AtomicU64; PAGE_WORDS] {
        // SAFETY: 64 KiB are mapped readable at that page-aligned address until the drop, any bits are a valid
        // `AtomicU64`, and the file is never shortened (docs/store-format.md).
        unsafe { self.words.as_ref() }
    }

    /// Writes the page to the disk and waits for it.
    #[cfg(feature = "publisher")]
    pub(crate) fn flush(&self) -> io::Result<()> {
        // SAFETY: the range is this page's own mapping.
        unsafe { msync(self.words.as_ptr().cast(), PAGE_SIZE, MsyncFlags::SYNC) }?;
        Ok(())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: the range is this page's own mapping, and no borrow of it outlives the page.
        let _ = unsafe { munmap(self.words.as_ptr().cast(), PAGE_SIZE) };
    }
}

fn long_enough(file: &File) -> io::Result<()> {
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.len() == PAGE_SIZE as u64 {
        return Ok(());
    }
    let message = format!("found {} bytes, expected a file of {PAGE_SIZE}", metadata.len());
    Err(io::Error::new(io::ErrorKind::InvalidData, message))
}
