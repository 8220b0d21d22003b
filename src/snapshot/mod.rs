//! A snapshot: one immutable file that answers for one environment.
//!
//! Opening proves the checksums and that every number inside stays in bounds. Reads are bounds-checked all the same, since a shared
//! mapping shows what others write to the file. The definitions embedded at the end are neither touched nor checked before they are
//! asked for.

mod error;
#[cfg_attr(not(feature = "publisher"), expect(dead_code, reason = "some constants only the compiler writes"))]
pub(crate) mod format;
#[cfg(feature = "publisher")]
mod inspect;
mod lists;
mod map;
#[cfg(feature = "publisher")]
pub(crate) mod mark;
mod open;
mod validate;
mod value;
mod view;

pub use error::SnapshotError;
pub use format::is_flag_key;
#[cfg(feature = "publisher")]
pub use inspect::{FlagFields, Layout, ListFields, RuleFields, SectionLayout, TestFields};
pub use map::MapMode;
#[cfg(feature = "publisher")]
pub use mark::Audited;
pub use value::{Value, ValueList, ValueMap, ValueRef, VariantRef};

pub(crate) use format::VALUE_DEPTH;

use format::{
    AttributeRecord, CellRecord, FIBONACCI, FlagRecord, ListRecord, RuleRecord, Section, Slot, StepRecord,
    TestRecord, VariantRecord,
};
pub(crate) use lists::table_words;
#[cfg(feature = "publisher")]
pub(crate) use lists::{filter_word, first_int_slot, int_bits, text_bits, text_slot};
use map::Bytes;
use std::sync::Arc;
#[cfg(feature = "publisher")]
pub(crate) use validate::header_checksum;
use view::Table;
use xxhash_rust::xxh3::xxh3_64;
use zerocopy::little_endian::{U32, U64};

/// A flag's number in one snapshot. In another snapshot it means another flag, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlagId(pub(crate) u32);

impl FlagId {
    /// The number, below [`key_count`](Snapshot::key_count).
    pub fn number(self) -> u32 {
        self.0
    }
}

/// XXH3-128 of a snapshot's header, which holds the checksums of the rest: snapshots with the same id are equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub [u8; 16]);

impl std::fmt::Display for ContentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl std::fmt::Debug for ContentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ContentId({self})")
    }
}

impl std::str::FromStr for ContentId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<ContentId, Self::Err> {
        // Exactly 32 digits; `u128` alone would accept a sign and fewer.
        let digits = if text.len() == 32 && !text.starts_with('+') { text } else { "" };
        u128::from_str_radix(digits, 16).map(|id| ContentId(id.to_be_bytes()))
    }
}

/// A snapshot that passed the checks of opening.
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) flags: Table<FlagRecord>,
    index: Table<Slot>,
    index_shift: u32,
    index_probe: u32,
    strings: Table<u8>,
    pub(crate) attributes: Table<AttributeRecord>,
    pub(crate) links: Table<U32>,
    pub(crate) rules: Table<RuleRecord>,
    pub(crate) tests: Table<TestRecord>,
    pub(crate) steps: Table<StepRecord>,
    pub(crate) variants: Table<VariantRecord>,
    pub(crate) cells: Table<CellRecord>,
    pub(crate) lists: Table<ListRecord>,
    words: Table<U64>,
    keys: Table<u8>,
    definitions: Table<u8>,
    definitions_checksum: u64,
    environment: (u32, u32),
    content_id: ContentId,
    bytes: Arc<Bytes>,
}

/// PHP's own hash of a string, as `zend_string` caches it: DJBX33A with the top bit set.
#[inline]
pub fn key_hash(key: &[u8]) -> u64 {
    key.iter().fold(5381u64, |hash, byte| hash.wrapping_mul(33).wrapping_add(u64::from(*byte))) | 1 << 63
}

impl Snapshot {
    /// True if its file was cut short or overwritten under the mapping, or its disk failed: anything read since is not to be trusted.
    /// Ask after reading and before using the result. A private copy is never lost.
    #[inline]
    pub fn lost(&self) -> bool {
        self.bytes.lost()
    }

    /// A word that keeps that value until the snapshot is lost; `None` for a private copy, which never is. Readable as long as the
    /// snapshot lives; a store to it ends the process.
    pub fn last_word(&self) -> Option<(&std::sync::atomic::AtomicU64, u64)> {
        self.bytes.last_word()
    }

    /// Makes [`lost`](Self::lost) true for every reader.
    pub(crate) fn give_up(&self) {
        self.bytes.give_up();
    }

    /// The hash that identifies the content.
    pub fn content_id(&self) -> ContentId {
        self.content_id
    }

    /// The environment that it was compiled for.
    pub fn environment(&self) -> &str {
        self.text(self.environment.0, self.environment.1)
    }

    /// Number of flags, each counted once, whatever its former keys.
    pub fn flag_count(&self) -> u32 {
        self.flag_ids().filter(|flag| self.renamed_to(*flag).is_none()).count() as u32
    }

    /// Number of keys that it answers to, former ones included.
    pub fn key_count(&self) -> u32 {
        self.flags.len() as u32
    }

    /// Size of the file in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.as_slice().len() as u64
    }

    /// Finds a flag by key; former keys count.
    pub fn find(&self, key: &[u8]) -> Option<FlagId> {
        self.find_hashed(key_hash(key), key)
    }

    /// Finds a flag by its key and the [`key_hash`] that the caller already has.
    #[inline]
    pub fn find_hashed(&self, hash: u64, key: &[u8]) -> Option<FlagId> {
        self.find_record(hash, key).map(|(id, _)| id)
    }

    #[inline(always)]
    pub(crate) fn find_record(&self, hash: u64, key: &[u8]) -> Option<(FlagId, &FlagRecord)> {
        let mask = self.index.len() - 1;
        let mut at = (hash.wrapping_mul(FIBONACCI) >> self.index_shift) as usize;
        for _ in 0..self.index_probe {
            let slot = self.index.get(at)?;
            let found = slot.hash.get();
            if found == hash {
                let number = slot.flag.get();
                let flag = self.flags.get(number as usize)?;
                let name =
                    self.strings.slice(flag.key_offset.get() as usize, usize::from(flag.key_length.get()))?;
                if same_bytes(name, key) {
                    return Some((FlagId(number), flag));
                }
            } else if found == 0 {
                return None;
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// All flags, sorted by key; a renamed flag also under its former key.
    pub fn flag_ids(&self) -> impl Iterator<Item = FlagId> + use<> {
        (0..self.key_count()).map(FlagId)
    }

    /// A flag's key; empty if the id is from another snapshot.
    pub fn flag_key(&self, flag: FlagId) -> &str {
        self.flag(flag).map_or("", |flag| self.text(flag.key_offset.get(), u32::from(flag.key_length.get())))
    }

    /// The flag whose former key this is; `None` for a flag's own key.
    pub fn renamed_to(&self, flag: FlagId) -> Option<FlagId> {
        let number = self.flag(flag)?.current.get().checked_sub(1)?;
        (number < self.key_count()).then_some(FlagId(number))
    }

    /// All keys under which the flag of that key answers, that key first.
    pub fn keys_of<'a>(&'a self, key: &'a str) -> Vec<&'a str> {
        let Some(id) = self.find(key.as_bytes()) else { return vec![key] };
        let flag = self.renamed_to(id).unwrap_or(id);
        let others = self.flag_ids().filter(|other| *other != id);
        let same = others.filter(|other| *other == flag || self.renamed_to(*other) == Some(flag));
        [key].into_iter().chain(same.map(|other| self.flag_key(other))).collect()
    }

    /// The context attributes that the flag and its requirements can read; sorted.
    pub fn needs(&self, flag: FlagId) -> impl Iterator<Item = &str> {
        self.flag(flag)
            .and_then(|flag| self.links.slice(flag.needs.get() as usize, flag.needs_count.get() as usize))
            .unwrap_or(&[])
            .iter()
            .map(|number| self.attribute_name(number.get()))
    }

    /// The canonical definitions that it was compiled from, as JSON.
    ///
    /// # Errors
    ///
    /// When their checksum does not match.
    pub fn definitions_json(&self) -> Result<&[u8], SnapshotError> {
        let (json, expected) = (self.definitions.all(), self.definitions_checksum);
        match xxh3_64(json) {
            found if found == expected => Ok(json),
            found => Err(SnapshotError::Checksum { section: Section::Definitions.name(), found, expected }),
        }
    }

    #[inline(always)]
    pub(crate) fn flag(&self, flag: FlagId) -> Option<&FlagRecord> {
        self.flags.get(flag.0 as usize)
    }

    pub(crate) fn attribute_name(&self, number: u32) -> &str {
        self.attributes
            .get(number as usize)
            .map_or("", |attribute| self.text(attribute.name_offset.get(), attribute.name_length.get()))
    }

    #[inline]
    pub(crate) fn string(&self, offset: u32, length: u32) -> &[u8] {
        self.strings.slice(offset as usize, length as usize).unwrap_or(&[])
    }

    /// Text that was UTF-8 at opening; empty if it no longer is.
    pub(crate) fn text(&self, offset: u32, length: u32) -> &str {
        std::str::from_utf8(self.string(offset, length)).unwrap_or("")
    }
}

/// Byte equality without a call: keys are short and nearly always equal here, so comparing words, the last overlapping the one before,
/// beats `memcmp` through the PLT.
#[inline(always)]
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if let (Some(last_a), Some(last_b)) = (a.last_chunk::<8>(), b.last_chunk::<8>()) {
        let ((chunks_a, _), (chunks_b, _)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
        return last_a == last_b && chunks_a.iter().zip(chunks_b).all(|(a, b)| a == b);
    }
    if let (Some(last_a), Some(last_b)) = (a.last_chunk::<4>(), b.last_chunk::<4>()) {
        return last_a == last_b && a.first_chunk::<4>() == b.first_chunk::<4>();
    }
    a.iter().zip(b).all(|(a, b)| a == b)
}
