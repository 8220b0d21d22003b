//! The head's page: mapped shared, or a copy of it.
//!
//! The page is read only as atomic words, never as bytes, since other processes change a mapped one at any time.

#![allow(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use crate::fault::Mapped;
#[cfg(feature = "publisher")]
use rustix::mm::{MsyncFlags, msync};
use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// Size of a head in bytes.
pub(crate) const PAGE_SIZE: usize = 65_536;
/// Size of a head in words.
pub(crate) const PAGE_WORDS: usize = PAGE_SIZE / 8;
/// Attempts to read a head that is being changed.
#[cfg(feature = "publisher")]
const COPY_ATTEMPTS: usize = 16;

type Words = [AtomicU64; PAGE_WORDS];

/// A head's words. Readers map them read-only: storing to them would end the process.
#[derive(Debug)]
pub(crate) struct Page {
    words: NonNull<Words>,
    /// None: an owned copy.
    mapped: Option<Mapped>,
}

// SAFETY: the words belong to the process, not to a thread, and are reached through atomics only.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}

impl Page {
    /// Maps the first 64 KiB of `file`, which must be that long.
    pub(crate) fn map(file: &File, write: bool) -> io::Result<Page> {
        long_enough(file)?;
        let mapped = Mapped::new(file, PAGE_SIZE, write)?;
        Ok(Page { words: mapped.start().cast(), mapped: Some(mapped) })
    }

    /// Copies the head of `file`, retrying while it changes.
    #[cfg(feature = "publisher")]
    pub(crate) fn copy(file: &File) -> io::Result<Page> {
        use std::os::unix::fs::FileExt;
        long_enough(file)?;
        let (mut bytes, mut before) = (vec![0; PAGE_SIZE], Vec::new());
        for _ in 0..COPY_ATTEMPTS {
            file.read_exact_at(&mut bytes, 0)?;
            if bytes == before {
                break;
            }
            before.clone_from(&bytes);
        }
        let (words, _) = bytes.as_chunks::<8>();
        let words: Box<[AtomicU64]> =
            words.iter().map(|word| AtomicU64::new(u64::from_ne_bytes(*word))).collect();
        let words: Box<Words> = words.try_into().map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(Page { words: NonNull::from(Box::leak(words)), mapped: None })
    }

    /// The page's words, as they are in the file: little-endian.
    #[inline(always)]
    pub(crate) fn words(&self) -> &Words {
        // SAFETY: `PAGE_WORDS` words are readable at that address until the drop, and aligned, in a mapping by its page and in a box by
        // its type. Any bits are a valid `AtomicU64`; where the file was cut short they are zeros (see `lost`).
        unsafe { self.words.as_ref() }
    }

    /// True if its words are no longer the file's. Ask after reading.
    pub(crate) fn lost(&self) -> bool {
        self.mapped.as_ref().is_some_and(Mapped::lost)
    }

    /// Makes every reader treat it as lost.
    pub(crate) fn give_up(&self) {
        if let Some(mapped) = &self.mapped {
            mapped.give_up();
        }
    }

    /// Writes the page to the disk and waits for it.
    #[cfg(feature = "publisher")]
    pub(crate) fn flush(&self) -> io::Result<()> {
        // SAFETY: the range is this page's own.
        unsafe { msync(self.words.as_ptr().cast(), PAGE_SIZE, MsyncFlags::SYNC) }?;
        Ok(())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if self.mapped.is_none() {
            // SAFETY: `copy` leaked that box, and no borrow of it outlives the page.
            drop(unsafe { Box::from_raw(self.words.as_ptr()) });
        }
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
