//! The bytes of one file at one moment.
//!
//! The file is read, not mapped, so that a file that is cut short meanwhile is an error and does not kill the reader. Only
//! used parts are read, one group of flags at a time, so that memory does not grow with the flags.
//!
//! A request whose thread died counts once: either it is still open in cells that no thread holds, or the next owner has
//! counted it. So pages of threads are read before and after everything else, and the reading is repeated if an owner came
//! meanwhile or is about to count.

use super::claim::{self, is_claimed};
use super::directory::Found;
use super::file::{is_size, taken};
use super::hours::has_cells;
use super::layout::{
    self, FIRST, FLAGS, GROUP_COUNT, GROUP_FLAGS, GROUP_TALLIES, MAGIC, PAGE, block, cell, header, page,
    tally,
};
use super::shown::{self, is_shown};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::Duration;

/// Maximum readings of one file: a reading is repeated if an owner came meanwhile.
const MAX_READINGS: usize = 8;

/// A thread that has or had cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thread {
    /// Number of its cells; 0 for the cells that threads share.
    pub(super) worker: usize,
    /// True if it lives and has counted the request that the last owner left open.
    pub(super) is_claimed: bool,
    /// True if it died within a request that is not counted.
    pub(super) left_open: bool,
}

/// The progress of a reading.
pub(super) enum Progress {
    /// It begins, or begins again: everything gathered before is to be dropped.
    Begun,
    /// This group of flags has been read.
    Group(Range<usize>),
}

/// A file's contents: the header, the keys and the pages of threads, and one group of flags.
#[derive(Debug)]
pub(super) struct Contents {
    bytes: Vec<u8>,
    /// The group's blocks and tallies, and where they begin.
    group: Vec<u8>,
    group_start: usize,
    /// The group's cells, a page for each thread that has some.
    cells: Vec<u8>,
    /// The number of the last flag, plus one.
    pub(super) flags: usize,
    pub(super) threads: Vec<Thread>,
    /// Threads that have no cells.
    pub(super) without_cells: usize,
}

impl Contents {
    /// Reads a file of this user, and calls `gather` for each group. The groups are dropped at the end.
    pub(super) fn read(of: &Found, mut gather: impl FnMut(&Contents, Progress)) -> io::Result<Contents> {
        let user = &of.user;
        let file = of.own.open(&of.name, false)?;
        let found = file.metadata()?;
        let wrong = |found: String| Err(io::Error::new(io::ErrorKind::InvalidData, found));
        if !found.is_file() || found.uid() != *user {
            return wrong(format!("it belongs to user {}, its directory to {user}", found.uid()));
        }
        if found.mode() & 0o022 != 0 {
            return wrong(format!("others can write it (mode {:04o})", found.mode() & 0o7777));
        }
        if !is_size(found.len()) {
            return wrong(format!("it has {} bytes, which no such file has", found.len()));
        }
        let mut contents = Contents::empty();
        for reading in 0..MAX_READINGS {
            // An owner that waits for a processor gets its turn.
            std::thread::sleep(Duration::from_millis((1 << reading) / 2));
            contents = Contents::once(&file)?;
            if contents.word(header::MAGIC * 8) != MAGIC {
                return wrong("it does not begin as such files do".to_owned());
            }
            gather(&contents, Progress::Begun);
            contents.read_groups(&file, &mut gather)?;
            if contents.ask_claims(of, &file)? {
                break;
            }
        }
        Ok(contents)
    }

    fn empty() -> Contents {
        Contents {
            bytes: Vec::new(),
            group: Vec::new(),
            group_start: usize::MAX,
            cells: Vec::new(),
            flags: FIRST as usize,
            threads: Vec::new(),
            without_cells: 0,
        }
    }

    /// The word at an offset; 0 if it was not read.
    pub(super) fn word(&self, offset: usize) -> u64 {
        word(self.bytes(offset, 8), 0)
    }

    /// Bytes at an offset; empty if the file ends before them, or they belong to another group.
    pub(super) fn bytes(&self, offset: usize, size: usize) -> &[u8] {
        let (bytes, start) = match offset.checked_sub(self.group_start) {
            Some(within) => (&self.group, within),
            None => (&self.bytes, offset),
        };
        bytes.get(start..start + size).unwrap_or(&[])
    }

    /// Cells of a flag of this group, one slice for each thread that has some.
    pub(super) fn cells(&self, slot: usize) -> impl Iterator<Item = &[u8]> {
        let at = layout::cells(0, slot) - layout::cells(0, slot / GROUP_FLAGS * GROUP_FLAGS);
        self.cells.chunks_exact(PAGE).filter_map(move |page| page.get(at..at + cell::WORDS * 8))
    }

    /// Numbers of the tallies of a group that are in use.
    pub(super) fn tallies(&self, first: usize) -> impl Iterator<Item = usize> {
        tallies_of(first / GROUP_FLAGS).filter(|number| self.word(layout::tally_key(*number)) != 0)
    }

    /// Reads the header, the keys, and the pages of threads.
    fn once(file: &File) -> io::Result<Contents> {
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX).min(layout::SIZE);
        let mut contents = Contents { bytes: vec![0; size.min(layout::GROUPS_START)], ..Contents::empty() };
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

    /// Reads everything else, group by group.
    fn read_groups(&mut self, file: &File, gather: &mut impl FnMut(&Contents, Progress)) -> io::Result<()> {
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX).min(layout::SIZE);
        for group in 0..GROUP_COUNT {
            let first = group * GROUP_FLAGS;
            let flags = self.flags.saturating_sub(first).min(GROUP_FLAGS);
            if flags == 0 {
                break;
            }
            self.group_start = layout::flag_block(first);
            self.group.clear();
            self.group.resize(layout::cells(0, first).min(size).saturating_sub(self.group_start), 0);
            self.fill(file, layout::flag_block(first), flags * block::SIZE)?;
            self.fill(file, layout::tally_key(group * GROUP_TALLIES), GROUP_TALLIES * 8)?;
            for number in tallies_of(group) {
                if self.word(layout::tally_key(number)) != 0 {
                    self.fill(file, layout::tally(number), tally::WORDS * 8)?;
                }
            }
            let threads = self.threads.iter().map(|thread| thread.worker);
            let in_file = |worker: &usize| layout::cells(*worker, first) + PAGE <= size;
            let with_cells: Vec<usize> =
                threads.filter(|worker| self.has_cells(*worker, group)).filter(in_file).collect();
            self.cells.clear();
            self.cells.resize(with_cells.len() * PAGE, 0);
            for (page, worker) in self.cells.chunks_exact_mut(PAGE).zip(&with_cells) {
                read_at(file, page, layout::cells(*worker, first))?;
            }
            gather(self, Progress::Group(first..first + flags));
        }
        (self.group, self.cells, self.group_start) = (Vec::new(), Vec::new(), usize::MAX);
        Ok(())
    }

    /// Finds out which threads live; false if the file has to be read again.
    fn ask_claims(&mut self, of: &Found, file: &File) -> io::Result<bool> {
        let inode = self.word(header::CLAIMS * 8);
        let claims = of.own.open(&layout::claims(&of.name), false).ok();
        let claims = claims.filter(|claims| claims.metadata().is_ok_and(|found| found.ino() == inode));
        self.without_cells = match &claims {
            Some(claims) => claim::seated(claims),
            None => shown::seated(&of.own, &of.name, of.user),
        };
        let is_taken = |worker: usize| claims.as_ref().is_none_or(|claims| is_claimed(claims, worker));
        let mut stable = true;
        let mut threads = std::mem::take(&mut self.threads);
        for thread in threads.iter_mut().filter(|thread| thread.worker > 0) {
            let word = |number: usize| self.word(layout::page(thread.worker) + number * 8);
            let (is_taken, settling) = (is_taken(thread.worker), word(page::SETTLING) != 0);
            // Not by its claim as well, which a thread that dies may lose first: the next owner's would be taken for its own.
            thread.is_claimed = is_shown(&of.own, &of.name, thread.worker, of.user);
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

    /// Reads some bytes to the same offset as in the file.
    fn fill(&mut self, file: &File, offset: usize, size: usize) -> io::Result<()> {
        let (bytes, start) = match offset.checked_sub(self.group_start) {
            Some(within) => (&mut self.group, within),
            None => (&mut self.bytes, offset),
        };
        let end = (start + size).min(bytes.len());
        match bytes.get_mut(start..end) {
            Some(bytes) => read_at(file, bytes, offset),
            None => Ok(()),
        }
    }
}

/// The word of this number; 0 if the bytes end before it.
pub(super) fn word(bytes: &[u8], number: usize) -> u64 {
    let word = bytes.get(number * 8..number * 8 + 8).and_then(|word| word.try_into().ok());
    word.map_or(0, u64::from_le_bytes)
}

/// Fails where the file was cut short meanwhile.
fn read_at(file: &File, bytes: &mut [u8], offset: usize) -> io::Result<()> {
    file.read_exact_at(bytes, offset as u64)
}

fn tallies_of(group: usize) -> std::ops::Range<usize> {
    group * GROUP_TALLIES..(group + 1) * GROUP_TALLIES
}
