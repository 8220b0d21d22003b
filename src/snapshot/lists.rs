//! Allow and deny lists: tests membership of a key, exactly, with one probe.
//!
//! A record that `validate` accepted may be invalid once another process has written into a shared mapping: sums wrap, every word is
//! looked up within the bytes, and no probe is longer than the format lets it be.

use super::Snapshot;
use super::format::{FIBONACCI, FILTERED_SLOTS, INTS_BITMAP, INTS_TABLE, ListRecord, MAX_PROBE};
use crate::key::Key;
use xxhash_rust::xxh3::xxh3_64;

impl Snapshot {
    /// True if list number `list` holds `key`; a missing list holds none.
    #[inline]
    pub(crate) fn lists_key(&self, list: u32, key: Key<'_>) -> bool {
        let Some(list) = self.lists.get(list as usize) else { return false };
        match key {
            Key::Int(key) => self.lists_int(list, key),
            Key::Text(key) => self.lists_text(list, key).unwrap_or(false),
        }
    }

    /// Number of keys in list number `list`.
    pub(crate) fn list_size(&self, list: u32) -> u64 {
        self.lists
            .get(list as usize)
            .map_or(0, |list| list.ints_count.get().saturating_add(u64::from(list.texts_count.get())))
    }

    #[inline]
    fn lists_int(&self, list: &ListRecord, key: i64) -> bool {
        let base = list.ints_base.get();
        let first = list.ints_words.get() as usize;
        match list.ints.get() {
            INTS_BITMAP => {
                let bit = key.wrapping_sub(base) as u64;
                bit < list.ints_size.get()
                    && self.word(first, bit >> 6).is_some_and(|word| word >> (bit & 63) & 1 == 1)
            }
            INTS_TABLE => {
                let slots = list.ints_size.get();
                let mut at = first_int_slot(key, slots);
                if !self.may_hold(first, slots, at, int_bits(key)) {
                    return false;
                }
                for _ in 0..list.ints_probe.get().min(MAX_PROBE) {
                    match self.word(first, at) {
                        Some(found) if found as i64 == base => return false,
                        Some(found) if found as i64 == key => return true,
                        Some(_) => at = at.wrapping_add(1) & slots.wrapping_sub(1),
                        None => return false,
                    }
                }
                false
            }
            _ => false,
        }
    }

    #[inline]
    fn lists_text(&self, list: &ListRecord, key: &[u8]) -> Option<bool> {
        let slots = list.texts_slots.get();
        let mask = slots.checked_sub(1)?;
        let hash = xxh3_64(key);
        let mut at = hash & mask;
        let first = list.texts_words.get() as usize;
        if !self.may_hold(first, slots, at, text_bits(hash)) {
            return Some(false);
        }
        for _ in 0..list.texts_probe.get().min(MAX_PROBE) {
            let slot = self.word(first, at)?;
            if slot == 0 {
                return Some(false);
            }
            if same_fingerprint(slot, hash) && self.listed_text(slot)? == key {
                return Some(true);
            }
            at = at.wrapping_add(1) & mask;
        }
        Some(false)
    }

    /// False if the filter after a large table proves the absence of the key with those bits, whose first slot is `at`.
    #[inline(always)]
    fn may_hold(&self, first: usize, slots: u64, at: u64, bits: u64) -> bool {
        slots < FILTERED_SLOTS
            || self.word(first, slots.wrapping_add(filter_word(at))).is_some_and(|word| word & bits == bits)
    }

    #[inline(always)]
    fn word(&self, first: usize, number: u64) -> Option<u64> {
        self.words.get(first.checked_add(number as usize)?).map(|word| word.get())
    }

    /// The ints of a table.
    pub(super) fn table_ints(&self, list: &ListRecord) -> impl Iterator<Item = i64> {
        let slots = if list.ints.get() == INTS_TABLE { list.ints_size.get() } else { 0 };
        self.words
            .slice(list.ints_words.get() as usize, slots as usize)
            .unwrap_or(&[])
            .iter()
            .map(|slot| slot.get() as i64)
            .filter(|int| *int != list.ints_base.get())
    }

    /// The used slots of a table of strings.
    pub(super) fn text_slots(&self, list: &ListRecord) -> impl Iterator<Item = u64> {
        self.words
            .slice(list.texts_words.get() as usize, list.texts_slots.get() as usize)
            .unwrap_or(&[])
            .iter()
            .map(|slot| slot.get())
            .filter(|slot| *slot != 0)
    }

    /// The string of a used slot.
    pub(super) fn listed_text(&self, slot: u64) -> Option<&[u8]> {
        let at = (slot & TEXT_OFFSET).checked_sub(1)? as usize;
        let length = self.keys.slice(at, 2)?.first_chunk::<2>()?;
        self.keys.slice(at + 2, usize::from(u16::from_le_bytes(*length)))
    }
}

/// The low 40 bits of a slot: one more than the string's offset.
const TEXT_OFFSET: u64 = (1 << 40) - 1;

#[inline(always)]
fn same_fingerprint(slot: u64, hash: u64) -> bool {
    (slot ^ hash) >> 40 == 0
}

/// First slot of `key` in a table of `slots` ints, a power of two.
#[inline(always)]
pub(crate) fn first_int_slot(key: i64, slots: u64) -> u64 {
    (key as u64).wrapping_mul(FIBONACCI).unbounded_shr(64 - slots.trailing_zeros())
}

/// Number of words of a table of `slots`, with its filter: a byte for each of the keys that half of the slots hold.
pub(crate) fn table_words(slots: u64) -> u64 {
    slots + if slots < FILTERED_SLOTS { 0 } else { filter_word(slots) }
}

/// The filter's word for a key whose first slot is `at`, or the number of words for a table of `at` slots.
#[inline(always)]
pub(crate) fn filter_word(at: u64) -> u64 {
    at >> 4
}

/// The bits of an int in its word of the filter.
#[inline(always)]
pub(crate) fn int_bits(key: i64) -> u64 {
    filter_bits((key as u64).wrapping_mul(FIBONACCI) >> 20)
}

/// The bits of a string with that hash in its word of the filter.
#[inline(always)]
pub(crate) fn text_bits(hash: u64) -> u64 {
    filter_bits(hash >> 32)
}

/// One to four bits, by the low 24 bits of `from`. F. Putze, P. Sanders, J. Singler, "Cache-, Hash- and Space-Efficient Bloom Filters",
/// 2007, with blocks of a word: about 1 in 25 unlisted keys passes.
#[inline(always)]
fn filter_bits(from: u64) -> u64 {
    1 << (from & 63) | 1 << (from >> 6 & 63) | 1 << (from >> 12 & 63) | 1 << (from >> 18 & 63)
}

/// The slot of a string with that hash which starts at `offset`.
#[cfg(feature = "publisher")]
pub(crate) fn text_slot(hash: u64, offset: u64) -> u64 {
    hash & !TEXT_OFFSET | (offset + 1)
}
