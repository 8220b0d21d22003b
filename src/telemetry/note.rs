//! An exposure, as a thread notes it when it is made: one word, so that it is there as a whole or not at all.

use super::exposure::GROUPS;

/// Answers that a flag gave within a request, as bits.
pub(super) const OFF: u32 = 1;
pub(super) const ON: u32 = 2;

/// Bit beside a group: the question named no company.
pub(super) const UNNAMED: u32 = 1 << 8;

/// A flag that the open request asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Note {
    /// Number of the flag in the snapshot; `u32::MAX` once another snapshot took its place.
    pub(super) flag: u32,
    /// Number of the flag in the memory.
    pub(super) slot: u32,
    /// The [group](Self::group) of the company that was asked about first, and [`UNNAMED`].
    pub(super) group: u32,
    /// The first answer.
    pub(super) first: u32,
    /// The answers that it gave under earlier snapshots.
    pub(super) before: u32,
}

impl Note {
    #[inline(always)]
    pub(super) fn word(self) -> u64 {
        let high = self.slot | self.group << 16 | self.first << 20 | self.before << 22;
        u64::from(self.flag) | u64::from(high) << 32
    }

    /// Decodes a note. Any bits are one, so its numbers must be checked before use.
    #[inline]
    pub(super) fn of(word: u64) -> Note {
        let high = (word >> 32) as u32;
        Note {
            flag: word as u32,
            slot: high & 0xffff,
            group: high >> 16 & (UNNAMED | 0xf),
            first: high >> 20 & 3,
            before: high >> 22 & 3,
        }
    }

    /// The group of the first company that was asked about; without one, of the bucket or the request.
    #[inline]
    pub(super) fn group(self) -> u32 {
        self.group % GROUPS as u32
    }

    #[inline]
    pub(super) fn is_unnamed(self) -> bool {
        self.group & UNNAMED != 0
    }
}

const _: () = assert!(GROUPS <= 16 && super::layout::FLAGS <= 1 << 16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written() {
        for flag in [0, 1, 2_000_000, u32::MAX] {
            for (slot, group, first, before) in
                [(2, 0, ON, 0), (2047, 15, OFF, ON | OFF), (2, 15 | UNNAMED, ON, 0)]
            {
                let note = Note { flag, slot, group, first, before };
                assert_eq!(Note::of(note.word()), note);
                assert_eq!((note.group(), note.is_unnamed()), (group & 15, group > 15));
            }
        }
    }
}
