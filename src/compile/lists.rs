//! Compiles allow and deny lists to tables that answer with one probe.

use super::error::{CompileError, at_most};
use crate::definition::CompanyId;
use crate::snapshot::format::{
    FILTERED_SLOTS, INTS_BITMAP, INTS_NONE, INTS_TABLE, ListRecord, MAX_PROBE, NONE,
};
use crate::snapshot::{filter_word, first_int_slot, int_bits, table_words, text_bits, text_slot};
use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_64;

/// Bits that a bitmap may take per int: a quarter of those in a table at half load, whose filter is smaller than a bitmap would be, and
/// stays in a processor's cache.
const BITS_AN_INT: u128 = 32;

#[derive(Default)]
pub(super) struct Lists {
    pub(super) records: Vec<ListRecord>,
    pub(super) words: Vec<u64>,
    pub(super) keys: Vec<u8>,
}

impl Lists {
    /// Adds a list and returns its number; none for no companies.
    pub(super) fn add(&mut self, companies: &[CompanyId]) -> Result<u32, CompileError> {
        if companies.is_empty() {
            return Ok(NONE);
        }
        let companies = in_order(companies);
        let texts_from = companies.partition_point(|company| matches!(company, CompanyId::Int(_)));
        let (ints, texts) = companies.split_at(texts_from);
        let ints: Vec<i64> = ints
            .iter()
            .filter_map(|company| match company {
                CompanyId::Int(int) => Some(*int),
                CompanyId::Text(_) => None,
            })
            .collect();
        let mut record = ListRecord {
            ints: INTS_NONE.into(),
            ints_probe: 0.into(),
            ints_count: (ints.len() as u64).into(),
            ints_base: 0.into(),
            ints_words: 0.into(),
            ints_size: 0.into(),
            texts_words: 0.into(),
            texts_slots: 0.into(),
            texts_probe: 0.into(),
            texts_count: (texts.len() as u32).into(),
        };
        self.ints(&mut record, &ints);
        self.texts(&mut record, texts);
        for probe in [record.ints_probe.get(), record.texts_probe.get()] {
            at_most("companies of a list whose hashes lie together", probe as usize, MAX_PROBE)?;
        }
        self.records.push(record);
        Ok(self.records.len() as u32 - 1)
    }

    /// Adds ascending `ints` to the record.
    fn ints(&mut self, record: &mut ListRecord, ints: &[i64]) {
        let (Some(&lowest), Some(&highest)) = (ints.first(), ints.last()) else { return };
        record.ints_words = (self.words.len() as u64).into();
        let span = (i128::from(highest) - i128::from(lowest)) as u128 + 1;
        if span <= BITS_AN_INT * ints.len() as u128 {
            let from = self.words.len();
            self.words.resize(from + (span as u64).div_ceil(64) as usize, 0);
            for int in ints {
                let bit = int.wrapping_sub(lowest) as u64;
                self.words[from + (bit >> 6) as usize] |= 1 << (bit & 63);
            }
            record.ints = INTS_BITMAP.into();
            record.ints_base = lowest.into();
            record.ints_size = (span as u64).into();
            return;
        }
        let empty = unlisted(ints);
        let slots = (ints.len() as u64 * 2).next_power_of_two();
        let (from, mut longest) = (self.words.len(), 0);
        self.words.resize(from + slots as usize, empty as u64);
        self.words.resize(from + table_words(slots) as usize, 0);
        for int in ints {
            let (mut at, mut probe) = (first_int_slot(*int, slots), 1);
            while self.words[from + at as usize] != empty as u64 {
                at = (at + 1) & (slots - 1);
                probe += 1;
            }
            self.words[from + at as usize] = *int as u64;
            self.filter(from, slots, first_int_slot(*int, slots), int_bits(*int));
            longest = longest.max(probe);
        }
        record.ints = INTS_TABLE.into();
        record.ints_base = empty.into();
        record.ints_size = slots.into();
        record.ints_probe = longest.into();
    }

    fn texts(&mut self, record: &mut ListRecord, texts: &[CompanyId]) {
        if texts.is_empty() {
            return;
        }
        let slots = (texts.len() as u64 * 2).next_power_of_two();
        let (from, mut longest) = (self.words.len(), 0);
        self.words.resize(from + table_words(slots) as usize, 0);
        for text in texts {
            let CompanyId::Text(text) = text else { continue };
            let offset = self.keys.len() as u64;
            self.keys.extend_from_slice(&(text.len() as u16).to_le_bytes());
            self.keys.extend_from_slice(text.as_bytes());
            let hash = xxh3_64(text.as_bytes());
            let (mut at, mut probe) = (hash & (slots - 1), 1);
            while self.words[from + at as usize] != 0 {
                at = (at + 1) & (slots - 1);
                probe += 1;
            }
            self.words[from + at as usize] = text_slot(hash, offset);
            self.filter(from, slots, hash & (slots - 1), text_bits(hash));
            longest = longest.max(probe);
        }
        record.texts_words = (from as u64).into();
        record.texts_slots = slots.into();
        record.texts_probe = longest.into();
    }

    /// Marks a key in the filter of a table, if it has one.
    fn filter(&mut self, from: usize, slots: u64, at: u64, bits: u64) {
        if slots >= FILTERED_SLOTS {
            self.words[from + (slots + filter_word(at)) as usize] |= bits;
        }
    }
}

/// Returns ints first, ascending, without duplicates. The canonical form is in this order already, and is not copied.
fn in_order(companies: &[CompanyId]) -> Cow<'_, [CompanyId]> {
    if companies.is_sorted_by(|a, b| a < b) {
        return Cow::Borrowed(companies);
    }
    let mut companies = companies.to_vec();
    companies.sort();
    companies.dedup();
    Cow::Owned(companies)
}

/// The lowest int that the ascending `ints` do not contain.
fn unlisted(ints: &[i64]) -> i64 {
    let mut free = i64::MIN;
    for int in ints {
        if *int != free {
            break;
        }
        free += 1;
    }
    free
}
