//! The places of the counters in the memory.
//!
//! Every place follows from the number of a flag, a thread or an hour, and is never read from the memory.
//!
//! ```text
//! header | keys of flags | a page for each thread | group 0 | group 1 | …
//! group:  blocks of 18 flags | keys of tallies | tallies | 18 cells for each thread
//! ```
//!
//! The file is sparse: room is reserved page by page, before it is touched, and the file ends where the last reserved page does.

use super::duration::BUCKETS;
use super::exposure::GROUPS;
use crate::eval::Reason;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// Default directory of the memory: a file system that is memory. On a disk, the kernel's write-back would now and then delay
/// a request.
pub const DIRECTORY: &str = "/dev/shm";

/// Flags that there is room for, including the numbers below `FIRST`.
pub(super) const FLAGS: usize = 2048;

/// Threads that have cells of their own. Further threads share the cells before these, by atomic additions.
pub(super) const WORKERS: usize = 256;
/// Further threads that readers can see.
pub(super) const SEATS: usize = 1024;

/// Hours whose beginnings are kept: a day's, and the current one.
pub(super) const HOURS: usize = 25;

/// Hours of one sketch of companies.
pub(super) const SKETCH_HOURS: u64 = 3;
/// Sketches: a day's, the current one, and one that is empty until its time comes.
pub(super) const SKETCHES: usize = 10;
/// Registers of a sketch.
pub(super) const REGISTERS: usize = 512;

/// Bytes of a page of memory.
pub(super) const PAGE: usize = 4096;

/// Words of the header.
pub(super) mod header {
    /// Identifies the kind and version of the file.
    pub(in crate::telemetry) const MAGIC: usize = 0;
    /// Time at which it was made, in microseconds since 1970.
    pub(in crate::telemetry) const MADE: usize = 1;
    /// The current hour, since 1970.
    pub(in crate::telemetry) const HOUR: usize = 2;
    /// Time at which a thread began to turn the hour, in microseconds since 1970; 0 while none does.
    pub(in crate::telemetry) const TURNING: usize = 3;
    /// Times that a thread met a flag without room.
    pub(in crate::telemetry) const DROPPED_FLAGS: usize = 4;
    /// Flags of one request that were too many to follow.
    pub(in crate::telemetry) const DROPPED_EXPOSURES: usize = 5;
    /// Events and variants without room.
    pub(in crate::telemetry) const DROPPED_EVENTS: usize = 6;
    /// The mount namespace of the file's maker, where its store can be seen; 0 if unknown.
    pub(in crate::telemetry) const NAMESPACE: usize = 7;
    /// The inode of the file of claims.
    pub(in crate::telemetry) const CLAIMS: usize = 8;
    /// A hash of the store's id, and one of its directory's device and inode; 0 if unknown.
    pub(in crate::telemetry) const STORE: usize = 9;
    pub(in crate::telemetry) const DIRECTORY: usize = 10;
    /// First of the rows' words: the hour that a row is of, plus one; 0 for none.
    pub(in crate::telemetry) const ROWS: usize = 16;
    /// First of the words with a bit for each thread's page that was ever taken, including the page that threads share.
    pub(in crate::telemetry) const TAKEN: usize = 48;
    pub(in crate::telemetry) const TAKEN_WORDS: usize = 5;
    /// First of the words with the store's path, which ends with a zero.
    pub(in crate::telemetry) const PATH: usize = 64;
    /// Bytes of the header.
    pub(in crate::telemetry) const SIZE: usize = super::PAGE;
}

/// The value of `header::MAGIC`.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"flagcnt4");

/// The page of a thread, in words.
pub(super) mod page {
    use super::{PAGE, outcomes};

    /// Times that it was claimed.
    pub(in crate::telemetry) const EPOCH: usize = 0;
    /// 1 while a new owner counts the request that the last one left open.
    pub(in crate::telemetry) const SETTLING: usize = 1;
    /// Not 0 while a request is open: its beginning, by its thread's clock, if a client waits for it; else `UNAWAITED`.
    pub(in crate::telemetry) const OPEN: usize = 2;
    pub(in crate::telemetry) const UNAWAITED: u64 = 1;
    /// Exposures that the open request noted and that are not counted yet.
    pub(in crate::telemetry) const NOTED: usize = 3;
    /// The generation that the thread answers from, and the time of its last report in microseconds since 1970.
    pub(in crate::telemetry) const SERVING: usize = 4;
    pub(in crate::telemetry) const SEEN: usize = 5;
    /// First of the words with a bit for each group of flags whose cells are reserved for this thread.
    pub(in crate::telemetry) const RESERVED: usize = 6;
    pub(in crate::telemetry) const RESERVED_WORDS: usize = 2;
    /// First of the exposures.
    pub(in crate::telemetry) const EXPOSURES: usize = 8;
    pub(in crate::telemetry) const EXPOSURE_COUNT: usize = 64;
    /// The outcomes of all requests, as a cohort.
    pub(in crate::telemetry) const TOTAL: usize = EXPOSURES + EXPOSURE_COUNT;
    pub(in crate::telemetry) const WORDS: usize = PAGE / 8;
    const _: () = assert!(TOTAL + outcomes::COHORT <= WORDS && EXPOSURES >= RESERVED + RESERVED_WORDS);
    const _: () = assert!(RESERVED_WORDS * 64 >= super::GROUP_COUNT);
}

/// The cells of one flag for one thread, in words.
pub(super) mod cell {
    use super::Reason;

    /// For each shape that the quick path answers (off, on, a rollout): asked, and on.
    pub(in crate::telemetry) const SHAPES: usize = 0;
    /// For the shape with lists: asked, on, denied, allowed, and on because the flag is on for all.
    pub(in crate::telemetry) const LISTS: usize = 6;
    /// Answers of all other paths by reason; for rules, only those that were on.
    pub(in crate::telemetry) const REASONS: usize = 11;
    /// Answers by a rule that were off.
    pub(in crate::telemetry) const RULE_OFF: usize = REASONS + Reason::ALL.len();
    /// Words in all.
    pub(in crate::telemetry) const WORDS: usize = RULE_OFF + 1;

    /// True if answers counted by that reason were on.
    pub(in crate::telemetry) fn counts_on(reason: Reason) -> bool {
        matches!(reason, Reason::Allowed | Reason::Rule | Reason::Full | Reason::RolloutIn)
    }
}

/// Outcomes of a flag's requests, in words: the on-cohort, the off-cohort, then the words below.
pub(super) mod outcomes {
    use super::{BUCKETS, GROUPS};

    /// Requests by class of status, except `COMMON`, which is the difference to all: the most frequent class saves one addition.
    pub(in crate::telemetry) const CLASSES: usize = 0;
    pub(in crate::telemetry) const COMMON: usize = 2;
    /// Requests whose thread died. They have no duration.
    pub(in crate::telemetry) const DIED: usize = 7;
    pub(in crate::telemetry) const CLASS_COUNT: usize = 8;
    /// Requests by duration.
    pub(in crate::telemetry) const DURATIONS: usize = CLASSES + CLASS_COUNT;
    /// Requests and the sum of their microseconds, by group of companies. Both lie in one cache line.
    pub(in crate::telemetry) const GROUPS_AT: usize = DURATIONS + BUCKETS;
    pub(in crate::telemetry) const GROUP: usize = 2;
    /// Errors by group of companies.
    pub(in crate::telemetry) const ERRORS_AT: usize = GROUPS_AT + GROUP * GROUPS;
    /// Words of a cohort.
    pub(in crate::telemetry) const COHORT: usize = ERRORS_AT + GROUPS;
    /// After both cohorts: requests that the flag ended, requests with both answers, and requests of the cohorts that named no company.
    pub(in crate::telemetry) const GATED: usize = 2 * COHORT;
    pub(in crate::telemetry) const MIXED: usize = GATED + 1;
    pub(in crate::telemetry) const UNNAMED: usize = MIXED + 1;
    /// Words in all: whole cache lines.
    pub(in crate::telemetry) const WORDS: usize = (UNNAMED + 1).next_multiple_of(8);
}

const _: () = assert!(outcomes::GROUPS_AT.is_multiple_of(2) && outcomes::COHORT.is_multiple_of(2));

/// A cell of an experiment's table, in words.
pub(super) mod tally {
    use super::GROUPS;

    /// The hash of the flag's key.
    pub(in crate::telemetry) const FLAG: usize = 0;
    /// The arm's kind and the lengths of both names; 0 until the names are written.
    pub(in crate::telemetry) const SHAPE: usize = 1;
    /// Maximum bytes of a name.
    pub(in crate::telemetry) const NAME: usize = 64;
    pub(in crate::telemetry) const ARM: usize = 2;
    pub(in crate::telemetry) const EVENT: usize = ARM + NAME / 8;
    /// Counts by group of companies: requests, errors among them, the sum of the values, the sum of their squares (doubles).
    pub(in crate::telemetry) const GROUPS_AT: usize = (EVENT + NAME / 8).next_multiple_of(4);
    pub(in crate::telemetry) const GROUP: usize = 4;
    pub(in crate::telemetry) const WORDS: usize = (GROUPS_AT + GROUP * GROUPS).next_multiple_of(8);
    /// Maximum probes for a cell.
    pub(in crate::telemetry) const MOST_STEPS: usize = 64;

    pub(in crate::telemetry) const fn shape(kind: u8, arm: usize, event: usize) -> u64 {
        1 << 63 | (kind as u64) << 16 | (arm as u64) << 8 | event as u64
    }

    /// Kind, and the lengths of both names; none if they are unwritten or invalid.
    #[cfg(feature = "publisher")]
    pub(in crate::telemetry) fn shape_of(word: u64) -> Option<(u8, usize, usize)> {
        let [event, arm, kind, ..] = word.to_le_bytes();
        let lengths = (usize::from(arm), usize::from(event));
        let written = word >> 63 == 1 && lengths.0 <= NAME && lengths.1 <= NAME;
        written.then_some((kind, lengths.0, lengths.1))
    }
}

/// The number for questions about flags that the snapshot does not have.
pub(super) const UNKNOWN: u32 = 0;
/// The number that all flags without room share.
pub(super) const OTHERS: u32 = 1;
/// The first number that belongs to one flag alone.
pub(super) const FIRST: u32 = 2;

/// Flags of one group: as many as fit their cells for one thread into one page.
pub(super) const GROUP_FLAGS: usize = PAGE / (cell::WORDS * 8);
pub(super) const GROUP_COUNT: usize = FLAGS.div_ceil(GROUP_FLAGS);
/// Tallies of the flags of one group, and of all groups.
pub(super) const GROUP_TALLIES: usize = GROUP_FLAGS * 14;
pub(super) const TALLIES: usize = GROUP_COUNT * GROUP_TALLIES;

/// Counts of one flag by all threads, in bytes: sketches of companies, beginnings of hours, outcomes of requests.
pub(super) mod block {
    use super::{HOURS, REGISTERS, SKETCHES, outcomes};

    pub(in crate::telemetry) const ROWS: usize = SKETCHES * REGISTERS;
    pub(in crate::telemetry) const OUTCOMES: usize = ROWS + HOURS * 16;
    pub(in crate::telemetry) const SIZE: usize = (OUTCOMES + outcomes::WORDS * 8).next_multiple_of(64);
}

const KEYS: usize = header::SIZE;
const PAGES: usize = KEYS + FLAGS * 8;
/// Offset of the first group of flags.
pub(super) const GROUPS_START: usize = PAGES + (WORKERS + 1) * PAGE;
const TALLY_KEYS: usize = (GROUP_FLAGS * block::SIZE).next_multiple_of(PAGE);
const TALLIES_START: usize = TALLY_KEYS + (GROUP_TALLIES * 8).next_multiple_of(PAGE);
const CELLS: usize = TALLIES_START + (GROUP_TALLIES * tally::WORDS * 8).next_multiple_of(PAGE);
const GROUP_SIZE: usize = CELLS + (WORKERS + 1) * PAGE;

/// Minimum bytes of a file.
pub(super) const LEAST_SIZE: usize = GROUPS_START + PAGE;
/// Maximum bytes of a file, and the bytes mapped of each.
pub(super) const SIZE: usize = GROUPS_START + GROUP_COUNT * GROUP_SIZE;

/// Offset of the hash of a flag's key.
pub(super) const fn key(slot: usize) -> usize {
    KEYS + slot * 8
}

/// Bytes of the keys of all flags.
#[cfg(feature = "publisher")]
pub(super) const KEYS_SIZE: usize = FLAGS * 8;

/// Offset of a thread's page. The first belongs to the threads that share cells.
pub(super) const fn page(worker: usize) -> usize {
    PAGES + worker * PAGE
}

const fn group(slot: usize) -> usize {
    GROUPS_START + slot / GROUP_FLAGS * GROUP_SIZE
}

/// Offset of the counts of a flag by all threads.
pub(super) const fn flag_block(slot: usize) -> usize {
    group(slot) + slot % GROUP_FLAGS * block::SIZE
}

/// Offset of the registers of a flag's sketch.
pub(super) const fn sketch(slot: usize, sketch: usize) -> usize {
    flag_block(slot) + sketch * REGISTERS
}

/// Offset of a flag's answers, on and off, at the beginning of an hour.
pub(super) const fn row(slot: usize, row: usize) -> usize {
    flag_block(slot) + block::ROWS + row * 16
}

/// Offset of the outcomes of a flag's requests.
pub(super) const fn outcomes(slot: usize) -> usize {
    flag_block(slot) + block::OUTCOMES
}

/// Offset of a flag's cells for a thread.
pub(super) const fn cells(worker: usize, slot: usize) -> usize {
    group(slot) + CELLS + worker * PAGE + slot % GROUP_FLAGS * cell::WORDS * 8
}

/// Offset of a tally's key.
pub(super) const fn tally_key(number: usize) -> usize {
    group(number / GROUP_TALLIES * GROUP_FLAGS) + TALLY_KEYS + number % GROUP_TALLIES * 8
}

/// Offset of a tally.
pub(super) const fn tally(number: usize) -> usize {
    let start = group(number / GROUP_TALLIES * GROUP_FLAGS) + TALLIES_START;
    start + number % GROUP_TALLIES * tally::WORDS * 8
}

/// Number of the sketch that is written in that hour.
pub(super) fn sketch_of(hour: u64) -> usize {
    (hour / SKETCH_HOURS % SKETCHES as u64) as usize
}

/// Start of the names of the users' directories.
pub(super) const DIRECTORIES: &str = "flagstone-4-";

/// Name of a store's file of counters. The store is identified by its canonical path.
pub(super) fn name(store: &Path) -> String {
    format!("{:016x}.{COUNTERS}", xxh3_64(store.as_os_str().as_encoded_bytes()))
}

/// Name of the file of claims that belongs to a file of counters.
pub(super) fn claims(counters: &str) -> String {
    format!("{}.{CLAIMS}", counters.strip_suffix(&format!(".{COUNTERS}")).unwrap_or(counters))
}

/// Name of the file by which the thread with these cells, or this seat, shows that it lives.
pub(super) fn shown(counters: &str, number: usize) -> String {
    format!("{}{number}", shown_start(counters))
}

/// Number of the cells or the seat that a file of that name is shown for.
pub(super) fn shown_by(counters: &str, name: &str) -> Option<usize> {
    name.strip_prefix(&shown_start(counters))?.parse().ok()
}

/// What the names of those files begin with.
pub(super) fn shown_start(counters: &str) -> String {
    format!("{}.thread-", counters.strip_suffix(&format!(".{COUNTERS}")).unwrap_or(counters))
}

/// Extension of the file of counters.
pub(super) const COUNTERS: &str = "counters";

/// Extension of the file in which threads claim their cells.
pub(super) const CLAIMS: &str = "claims";

const _: () = assert!(header::TAKEN >= header::ROWS + HOURS);
const _: () = assert!(header::TAKEN_WORDS * 64 > WORKERS);
const _: () = assert!(header::SIZE >= (header::TAKEN + header::TAKEN_WORDS) * 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_without_overlap_and_on_words() {
        let last = FLAGS - 1;
        let starts = [
            key(0),
            key(last),
            page(0),
            page(WORKERS),
            flag_block(0),
            row(0, 0),
            outcomes(0),
            flag_block(1),
            outcomes(GROUP_FLAGS - 1) + outcomes::WORDS * 8,
            tally_key(0),
            tally_key(GROUP_TALLIES - 1),
            super::tally(0),
            super::tally(GROUP_TALLIES - 1) + super::tally::WORDS * 8,
            cells(0, 0),
            cells(0, GROUP_FLAGS - 1) + cell::WORDS * 8,
            cells(1, 0),
            cells(WORKERS, GROUP_FLAGS - 1),
            flag_block(GROUP_FLAGS),
            cells(WORKERS, last),
            SIZE,
        ];
        assert!(starts.is_sorted(), "{starts:?}");
        assert!(starts.iter().all(|start| start % 8 == 0), "{starts:?}");
    }

    #[test]
    fn a_flag_that_eight_threads_asked_takes_less_than_eleven_kibibytes() {
        let shared = TALLY_KEYS as f64 / GROUP_FLAGS as f64;
        let own = PAGE as f64 / GROUP_FLAGS as f64;
        assert!(shared + 8.0 * own + 8.0 < 11.0 * 1024.0, "{shared} + 8 * {own}");
    }
}
