//! Where in the memory what is counted.
//!
//! Everything follows from how many flags there is room for, which the file's name tells; the memory itself is never
//! asked.

use super::duration::BUCKETS;
use super::exposure::GROUPS;
use crate::eval::Reason;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// Where workers make the memory, unless the settings say otherwise: a file system that is memory. On a disk, the
/// kernel's writing back would now and then hold up a request.
pub const DIRECTORY: &str = "/dev/shm";

/// Flags that there is room for at least and at most; powers of two.
pub(super) const FEWEST_FLAGS: usize = 64;
pub(super) const MOST_FLAGS: usize = 2048;

/// Threads that have cells of their own. More share the cells before these, by atomic additions.
pub(super) const WORKERS: usize = 64;

/// Hours whose beginnings are kept: a day's, and the one that goes on.
pub(super) const HOURS: usize = 25;

/// Hours of one sketch of companies.
pub(super) const SKETCH_HOURS: u64 = 3;
/// Sketches: a day's, the one that goes on, and one that is empty until its time comes.
pub(super) const SKETCHES: usize = 10;
/// Registers of a sketch.
pub(super) const REGISTERS: usize = 512;

/// Words of the header.
pub(super) mod header {
    /// Says what kind of file this is.
    pub(in crate::telemetry) const MAGIC: usize = 0;
    /// Microseconds since 1970 when it was made.
    pub(in crate::telemetry) const MADE: usize = 1;
    /// The hour since 1970 that goes on.
    pub(in crate::telemetry) const HOUR: usize = 2;
    /// Microseconds since 1970 when somebody began to turn the hour; 0 if nobody is at it.
    pub(in crate::telemetry) const TURNING: usize = 3;
    /// Flags that there was no room for, each time that a thread met one.
    pub(in crate::telemetry) const DROPPED_FLAGS: usize = 4;
    /// Flags of one request that were too many to follow.
    pub(in crate::telemetry) const DROPPED_EXPOSURES: usize = 5;
    /// Events and variants that there was no room for.
    pub(in crate::telemetry) const DROPPED_EVENTS: usize = 6;
    /// The mount namespace of whoever made the file, where its store can be seen; 0 where that is not known.
    pub(in crate::telemetry) const NAMESPACE: usize = 7;
    /// From here on: the hour that each row of the hours is of, plus one; 0 for none.
    pub(in crate::telemetry) const ROWS: usize = 8;
    /// From here on, for each thread that has cells of its own: the generation that it answers from, and microseconds since
    /// 1970 when it last said so.
    pub(in crate::telemetry) const SERVING: usize = 40;
    /// The length of the store's path and, from the word after it on, its bytes: only so that somebody can tell whether the
    /// store is still there. 0 where it is too long.
    pub(in crate::telemetry) const STORE: usize = 176;
    /// Bytes of the header.
    pub(in crate::telemetry) const SIZE: usize = 4096;
}

/// What `header::MAGIC` holds.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"flagcnt3");

/// The cells of one flag for one thread, in words.
pub(super) mod cell {
    use super::Reason;

    /// By shape of a flag that the quick way answers: asked, and of those on. Off, on, a rollout.
    pub(in crate::telemetry) const SHAPES: usize = 0;
    /// The shape with lists: asked, on, denied, allowed, and on since everybody is.
    pub(in crate::telemetry) const LISTS: usize = 6;
    /// By reason, for all other ways; of rules those that were on.
    pub(in crate::telemetry) const REASONS: usize = 11;
    /// By a rule, and off.
    pub(in crate::telemetry) const RULE_OFF: usize = REASONS + Reason::ALL.len();
    /// Words of all.
    pub(in crate::telemetry) const WORDS: usize = RULE_OFF + 1;

    /// Whether the answers counted by that reason were on.
    pub(in crate::telemetry) fn counts_on(reason: Reason) -> bool {
        matches!(reason, Reason::Allowed | Reason::Rule | Reason::Full | Reason::RolloutIn)
    }
}

/// What requests came to, of one flag, in words: the on-cohort, the off-cohort, then these.
pub(super) mod outcomes {
    use super::{BUCKETS, GROUPS};

    /// Requests by class of status, but for `COMMON`: those are the rest of all. What most requests come to is one addition less.
    pub(in crate::telemetry) const CLASSES: usize = 0;
    pub(in crate::telemetry) const COMMON: usize = 2;
    pub(in crate::telemetry) const CLASS_COUNT: usize = 8;
    /// Requests by duration.
    pub(in crate::telemetry) const DURATIONS: usize = CLASSES + CLASS_COUNT;
    /// By group of companies: requests, and what all took, in microseconds. Both lie in one line of the processor's cache.
    pub(in crate::telemetry) const GROUPS_AT: usize = DURATIONS + BUCKETS;
    pub(in crate::telemetry) const GROUP: usize = 2;
    /// Of these the errors.
    pub(in crate::telemetry) const ERRORS_AT: usize = GROUPS_AT + GROUP * GROUPS;
    /// Words of a cohort.
    pub(in crate::telemetry) const COHORT: usize = ERRORS_AT + GROUPS;
    /// After both cohorts: requests that the flag ended, and those that got both answers.
    pub(in crate::telemetry) const GATED: usize = 2 * COHORT;
    pub(in crate::telemetry) const MIXED: usize = GATED + 1;
    /// Words of all: whole lines of the cache.
    pub(in crate::telemetry) const WORDS: usize = (MIXED + 1).next_multiple_of(8);
}

const _: () = assert!(outcomes::GROUPS_AT.is_multiple_of(2) && outcomes::COHORT.is_multiple_of(2));

/// A cell of an experiment's table, in words.
pub(super) mod tally {
    use super::GROUPS;

    /// A hash of what it counts; 0: nobody's.
    pub(in crate::telemetry) const KEY: usize = 0;
    /// The hash of the flag's key.
    pub(in crate::telemetry) const FLAG: usize = 1;
    /// The arm's kind and the lengths of both names; 0 until they are written.
    pub(in crate::telemetry) const SHAPE: usize = 2;
    /// Bytes of a name at most.
    pub(in crate::telemetry) const NAME: usize = 64;
    pub(in crate::telemetry) const ARM: usize = 3;
    pub(in crate::telemetry) const EVENT: usize = ARM + NAME / 8;
    /// By group of companies: requests, of those errors, the sum of the values, the sum of their squares (doubles).
    pub(in crate::telemetry) const GROUPS_AT: usize = (EVENT + NAME / 8).next_multiple_of(4);
    pub(in crate::telemetry) const GROUP: usize = 4;
    pub(in crate::telemetry) const WORDS: usize = (GROUPS_AT + GROUP * GROUPS).next_multiple_of(8);
    /// Cells that are looked at for one.
    pub(in crate::telemetry) const MOST_STEPS: usize = 64;

    pub(in crate::telemetry) const fn shape(kind: u8, arm: usize, event: usize) -> u64 {
        1 << 63 | (kind as u64) << 16 | (arm as u64) << 8 | event as u64
    }

    /// Kind, and the lengths of both names; none where they are not written, or no such.
    #[cfg(feature = "publisher")]
    pub(in crate::telemetry) fn shape_of(word: u64) -> Option<(u8, usize, usize)> {
        let [event, arm, kind, ..] = word.to_le_bytes();
        let lengths = (usize::from(arm), usize::from(event));
        let written = word >> 63 == 1 && lengths.0 <= NAME && lengths.1 <= NAME;
        written.then_some((kind, lengths.0, lengths.1))
    }
}

/// The number under which questions for flags that the snapshot does not have are counted.
pub(super) const UNKNOWN: u32 = 0;
/// The number under which flags are counted together that there is no room for.
pub(super) const OTHERS: u32 = 1;
/// The first number that a flag can have for itself.
pub(super) const FIRST: u32 = 2;

/// Offsets in bytes for a number of flags. Every one is a multiple of 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Flags that there is room for.
    pub(super) flags: usize,
}

impl Layout {
    /// With room for that many, within what is possible.
    pub(super) fn for_flags(count: usize) -> Layout {
        let flags = (count + FIRST as usize).next_power_of_two().clamp(FEWEST_FLAGS, MOST_FLAGS);
        Layout { flags }
    }

    /// What a file's name says, if it is a size that there is.
    #[cfg(any(test, feature = "publisher"))]
    pub(super) fn named(flags: usize) -> Option<Layout> {
        (flags.is_power_of_two() && (FEWEST_FLAGS..=MOST_FLAGS).contains(&flags)).then_some(Layout { flags })
    }

    /// The hashes of the flags' keys.
    pub(super) fn keys(self) -> usize {
        header::SIZE
    }

    /// The cells of a thread. The first are those that threads share.
    pub(super) fn cells(self, worker: usize) -> usize {
        self.keys() + self.flags * 8 + worker * self.cells_size()
    }

    /// Whole pages' worth, so that threads share no line of the processor's cache.
    fn cells_size(self) -> usize {
        self.flags * cell::WORDS * 8
    }

    /// A row of the hours: for each flag how many answers there were at its beginning, on and off.
    pub(super) fn row(self, row: usize) -> usize {
        self.cells(WORKERS + 1) + row * self.flags * 16
    }

    /// The registers of a sketch, of the flag of number 0.
    pub(super) fn sketch(self, sketch: usize) -> usize {
        self.row(HOURS) + sketch * self.flags * REGISTERS
    }

    /// What requests came to, of the flag of that number.
    pub(super) fn outcomes(self, slot: usize) -> usize {
        self.sketch(SKETCHES) + slot * outcomes::WORDS * 8
    }

    /// Cells for experiments.
    pub(super) fn tallies(self) -> usize {
        self.flags * 4
    }

    /// A cell of these.
    pub(super) fn tally(self, number: usize) -> usize {
        self.outcomes(self.flags) + number * tally::WORDS * 8
    }

    /// Size of the file in bytes: whole pages.
    pub(super) fn size(self) -> usize {
        self.tally(self.tallies()).next_multiple_of(4096)
    }
}

/// The sketch that is written in that hour.
pub(super) fn sketch_of(hour: u64) -> usize {
    (hour / SKETCH_HOURS % SKETCHES as u64) as usize
}

/// What the names of all such files begin with.
pub(super) const NAMES: &str = "flagstone-3-";

/// What the names of a store's files begin with. The store is told by its canonical path.
pub(super) fn prefix(store: &Path) -> String {
    format!("{NAMES}{:016x}-", xxh3_64(store.as_os_str().as_encoded_bytes()))
}

/// The file of a user's workers.
pub(super) fn path(directory: &Path, store: &Path, user: u32, layout: Layout) -> PathBuf {
    directory.join(format!("{}{user}-{}", prefix(store), layout.flags))
}

const _: () = assert!(header::SERVING >= header::ROWS + HOURS);
const _: () =
    assert!(header::STORE >= header::SERVING + 2 * WORKERS && header::SIZE > (header::STORE + 1) * 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_every_flag_within_bounds() {
        for (count, flags) in [(0, 64), (62, 64), (63, 128), (1000, 1024), (10_000, 2048)] {
            assert_eq!(Layout::for_flags(count).flags, flags, "{count} flags");
            assert_eq!(Layout::named(flags), Some(Layout { flags }));
        }
        for flags in [0, 1, 63, 65, 4096] {
            assert_eq!(Layout::named(flags), None, "{flags}");
        }
    }

    #[test]
    fn parts_follow_each_other_without_overlap_and_on_words() {
        let layout = Layout::for_flags(100);
        let starts = [
            layout.keys(),
            layout.cells(0),
            layout.cells(1),
            layout.row(0),
            layout.row(1),
            layout.sketch(0),
            layout.sketch(1),
            layout.outcomes(0),
            layout.outcomes(1),
            layout.tally(0),
            layout.tally(1),
            layout.size(),
        ];
        assert!(starts.is_sorted(), "{starts:?}");
        assert!(starts.iter().all(|start| start % 8 == 0), "{starts:?}");
    }
}
