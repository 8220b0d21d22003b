//! The bytes of one file, as they were at one moment.
//!
//! The file is read, not mapped: one that is cut short meanwhile is an error and not the reader's end. Only what is in use is read.
//!
//! A request whose thread died counts once: either it still lies open in cells that nobody holds, or the next owner has
//! counted it. So pages of threads are read before and after everything else, and the reading is repeated where an owner came meanwhile
//! or is about to count.

use super::claim::{is_claimed, seated};
use super::file::{is_size, taken};
use super::hours::has_cells;
use super::layout::{
    self, CLAIMS, FIRST, FLAGS, GROUP_COUNT, GROUP_FLAGS, GROUP_TALLIES, MAGIC, PAGE, block, header, page,
    tally,
};
use crate::store::open_plain;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

/// How often a file is read again because an owner came meanwhile.
const MAX_READINGS: usize = 8;

/// A thread that has or had cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thread {
    /// The number of its cells; 0 for those that threads share.
    pub(super) worker: usize,
    /// It lives, and has counted what the last owner left open.
    pub(super) is_claimed: bool,
    /// It died within a request that nobody has counted.
    pub(super) left_open: bool,
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct Contents {
    bytes: Vec<u8>,
    /// The number of the last flag, plus one.
    pub(super) flags: usize,
    pub(super) threads: Vec<Thread>,
    /// Threads that have no cells.
    pub(super) without_cells: usize,
}

impl Contents {
    /// Reads a file of that user's.
    pub(super) fn read(path: &Path, user: u32) -> io::Result<Contents> {
        let file = open_plain(path, false)?;
        let found = file.metadata()?;
        let wrong = |found: String| Err(io::Error::new(io::ErrorKind::InvalidData, found));
        if !found.is_file() || found.uid() != user {
            return wrong(format!("it belongs to user {}, its directory to {user}", found.uid()));
        }
        if found.mode() & 0o022 != 0 {
            return wrong(format!("others can write it (mode {:04o})", found.mode() & 0o7777));
        }
        if !is_size(found.len()) {
            return wrong(format!("it has {} bytes, which no such file has", found.len()));
        }
        let mut contents = Contents { bytes: Vec::new(), flags: 0, threads: Vec::new(), without_cells: 0 };
        for reading in 0..MAX_READINGS {
            // An owner that waits for a processor gets its turn.
            std::thread::sleep(Duration::from_millis((1 << reading) / 2));
            contents = Contents::once(&file)?;
            if contents.word(header::MAGIC * 8) != MAGIC {
                return wrong("it does not begin as such files do".to_owned());
            }
            contents.follow(&file)?;
            if contents.ask_claims(path, &file)? {
                break;
            }
        }
        Ok(contents)
    }

    /// The word at an offset; 0 where nothing was read.
    pub(super) fn word(&self, offset: usize) -> u64 {
        let word = self.bytes.get(offset..offset + 8).and_then(|word| word.try_into().ok());
        word.map_or(0, u64::from_le_bytes)
    }

    /// Bytes at an offset; none where the file ends before.
    pub(super) fn bytes(&self, offset: usize, size: usize) -> &[u8] {
        self.bytes.get(offset..offset + size).unwrap_or(&[])
    }

    /// Threads that have cells of a flag.
    pub(super) fn with_cells(&self, slot: usize) -> impl Iterator<Item = usize> {
        let group = slot / GROUP_FLAGS;
        self.threads.iter().map(|thread| thread.worker).filter(move |worker| self.has_cells(*worker, group))
    }

    /// Numbers of the tallies that are in use.
    pub(super) fn tallies(&self) -> impl Iterator<Item = usize> {
        let groups = (0..self.flags.div_ceil(GROUP_FLAGS)).flat_map(tallies_of);
        groups.filter(|number| self.word(layout::tally_key(*number)) != 0)
    }

    /// The header, the keys, and the pages of threads.
    fn once(file: &File) -> io::Result<Contents> {
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX).min(layout::SIZE);
        let mut contents =
            Contents { bytes: vec![0; size], flags: FIRST as usize, threads: Vec::new(), without_cells: 0 };
        contents.fill(file, 0, layout::page(0))?;
        let known: Vec<usize> = taken(|word| contents.word(word * 8)).collect();
        for worker in known {
            contents.fill(file, layout::page(worker), PAGE)?;
            contents.threads.push(Thread { worker, is_claimed: false, left_open: false });
        }
        // After the pages: a flag that a thread noted has its key by then.
        contents.fill(file, layout::key(0), layout::KEYS_SIZE)?;
        while contents.flags < FLAGS && contents.word(layout::key(contents.flags)) != 0 {
            contents.flags += 1;
        }
        Ok(contents)
    }

    /// Everything else.
    fn follow(&mut self, file: &File) -> io::Result<()> {
        for group in 0..GROUP_COUNT {
            let first = group * GROUP_FLAGS;
            let flags = self.flags.saturating_sub(first).min(GROUP_FLAGS);
            if flags == 0 {
                break;
            }
            self.fill(file, layout::flag_block(first), flags * block::SIZE)?;
            let with_cells: Vec<usize> = self.with_cells(first).collect();
            for worker in with_cells {
                self.fill(file, layout::cells(worker, first), PAGE)?;
            }
            self.fill(file, layout::tally_key(group * GROUP_TALLIES), GROUP_TALLIES * 8)?;
            for number in tallies_of(group) {
                if self.word(layout::tally_key(number)) != 0 {
                    self.fill(file, layout::tally(number), tally::WORDS * 8)?;
                }
            }
        }
        Ok(())
    }

    /// Which threads live; false where the file has to be read again.
    fn ask_claims(&mut self, path: &Path, file: &File) -> io::Result<bool> {
        let claims = open_plain(&path.with_extension(CLAIMS), false).ok();
        let inode = self.word(header::CLAIMS * 8);
        let claims = claims.filter(|claims| claims.metadata().is_ok_and(|found| found.ino() == inode));
        self.without_cells = seated(claims.as_ref().unwrap_or(file));
        let is_taken = |worker: usize| claims.as_ref().is_none_or(|claims| is_claimed(claims, worker));
        let mut stable = true;
        let mut threads = std::mem::take(&mut self.threads);
        for thread in threads.iter_mut().filter(|thread| thread.worker > 0) {
            let word = |number: usize| self.word(layout::page(thread.worker) + number * 8);
            let (is_taken, settling) = (is_taken(thread.worker), word(page::SETTLING) != 0);
            thread.is_claimed = is_taken && is_claimed(file, thread.worker);
            thread.left_open = word(page::OPEN) != 0 && (!thread.is_claimed || settling);
            stable &= !(settling && is_taken);
        }
        for thread in threads.iter().filter(|thread| thread.worker > 0) {
            let at = layout::page(thread.worker);
            let mut again = [0; page::TOTAL * 8];
            read_at(file, &mut again, at)?;
            let same = |words: usize| self.bytes.get(at..at + words * 8) == again.get(..words * 8);
            stable &= if thread.left_open { same(page::TOTAL) } else { same(page::EPOCH + 1) };
        }
        self.threads = threads;
        Ok(stable)
    }

    fn has_cells(&self, worker: usize, group: usize) -> bool {
        let at = layout::page(worker) + page::RESERVED * 8;
        let reserved: [u64; page::RESERVED_WORDS] = std::array::from_fn(|word| self.word(at + word * 8));
        has_cells(&reserved, group)
    }

    /// Reads some bytes to where they are in the file.
    fn fill(&mut self, file: &File, offset: usize, size: usize) -> io::Result<()> {
        let end = (offset + size).min(self.bytes.len());
        match self.bytes.get_mut(offset..end) {
            Some(bytes) => read_at(file, bytes, offset),
            None => Ok(()),
        }
    }
}

/// Fails where the file was cut short meanwhile.
fn read_at(file: &File, bytes: &mut [u8], offset: usize) -> io::Result<()> {
    file.read_exact_at(bytes, offset as u64)
}

fn tallies_of(group: usize) -> std::ops::Range<usize> {
    group * GROUP_TALLIES..(group + 1) * GROUP_TALLIES
}
