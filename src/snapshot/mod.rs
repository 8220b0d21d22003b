//! A snapshot: one immutable file that answers for one environment.
//!
//! Opening proves the checksums and that every number inside stays inside. Reading is bounds-checked all the
//! same, since a shared mapping shows what others write to the file. The definitions embedded at the end
//! are not touched, nor checked, before they are asked for.

mod error;
#[cfg_attr(not(feature = "publisher"), expect(dead_code, reason = "some constants only the compiler writes"))]
pub(crate) mod format;
#[cfg(feature = "publisher")]
mod inspect;
mod lists;
mod map;
#[cfg(feature = "publisher")]
pub(crate) mod mark;
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
pub use value::{Value, ValueList, ValueMap, ValueRef};

pub(crate) use format::VALUE_DEPTH;

use crate::eval::Key;
use format::{
    AttributeRecord, CellRecord, FIBONACCI, FlagRecord, HEADER_SIZE, ListRecord, RuleRecord, Section, Slot,
    StepRecord, TestRecord, VariantRecord,
};
pub(crate) use lists::table_words;
#[cfg(feature = "publisher")]
pub(crate) use lists::{filter_word, first_int_slot, int_bits, text_bits, text_slot};
use map::Bytes;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
#[cfg(feature = "publisher")]
pub(crate) use validate::header_checksum;
use view::Table;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U32, U64};

/// A flag's number in one snapshot. In another snapshot it means another flag, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlagId(pub(crate) u32);

/// An answer by the quick way.
#[derive(Debug, Clone, Copy)]
pub struct Quick {
    /// The flag's number; one that no flag has where the snapshot has none of that key.
    pub(crate) flag: u32,
    /// Bit 0: on. The others are set for flags with lists only: denied, allowed, and on since everybody is.
    pub(crate) answer: u32,
    pub(crate) shape: u8,
}

impl Quick {
    /// 1 on, 0 off.
    #[inline(always)]
    pub fn on(self) -> u32 {
        self.answer & 1
    }
}

impl FlagId {
    /// The number, from 0 to one less than the flags of the snapshot.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// XXH3-128 of a snapshot's header, which holds the checksums of the rest: two snapshots with one id are the same.
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
        // 32 digits; u128 would take a sign and fewer.
        let digits = if text.len() == 32 && !text.starts_with('+') { text } else { "" };
        u128::from_str_radix(digits, 16).map(|id| ContentId(id.to_be_bytes()))
    }
}

/// A variant, as drawn.
#[derive(Debug, Clone, Copy)]
pub struct VariantRef<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value, if the definitions give one.
    pub value: Option<ValueRef>,
}

/// An opened snapshot.
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
    /// Opens a copy of `bytes`, checking everything but the definitions' checksum.
    ///
    /// # Errors
    ///
    /// When the bytes are not a snapshot that this build reads; `docs/snapshot-format.md` lists the reasons.
    pub fn from_bytes(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
        Snapshot::over(Bytes::copy_of(bytes)?)
    }

    /// Opens a file, checking everything but the definitions' checksum. `size_limit` is in bytes.
    ///
    /// # Errors
    ///
    /// As [`from_bytes`](Self::from_bytes), or when the file cannot be read or is larger than the limit.
    pub fn open(file: &File, mode: MapMode, size_limit: u64) -> Result<Snapshot, SnapshotError> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(SnapshotError::NotAFile);
        }
        let size = metadata.len();
        if size > size_limit {
            return Err(SnapshotError::TooLarge { found: size, limit: size_limit });
        }
        let size = match usize::try_from(size) {
            Ok(size) if size >= HEADER_SIZE => size,
            _ => return Err(SnapshotError::TooShort { found: size }),
        };
        // Before memory is taken: a file of holes is as large as it likes, and costs nothing on the disk.
        let mut header = [0; HEADER_SIZE];
        file.read_exact_at(&mut header, 0)?;
        validate::header_of(&header, size as u64)?;
        Snapshot::over(Bytes::load(file, size, mode)?)
    }

    fn over(bytes: Bytes) -> Result<Snapshot, SnapshotError> {
        let bytes = Arc::new(bytes);
        let header = validate::header(bytes.as_slice())?;
        let parts = validate::sections(bytes.as_slice(), header)?;
        let part = |section: Section| parts[section as usize].clone();
        let index: Table<Slot> = Table::over(&bytes, part(Section::Index));
        let snapshot = Snapshot {
            index_shift: 64 - index.len().trailing_zeros().min(63),
            index,
            index_probe: header.index_probe.get(),
            flags: Table::over(&bytes, part(Section::Flags)),
            strings: Table::over(&bytes, part(Section::Strings)),
            attributes: Table::over(&bytes, part(Section::Attributes)),
            links: Table::over(&bytes, part(Section::Links)),
            rules: Table::over(&bytes, part(Section::Rules)),
            tests: Table::over(&bytes, part(Section::Tests)),
            steps: Table::over(&bytes, part(Section::Steps)),
            variants: Table::over(&bytes, part(Section::Variants)),
            cells: Table::over(&bytes, part(Section::Cells)),
            lists: Table::over(&bytes, part(Section::Lists)),
            words: Table::over(&bytes, part(Section::Words)),
            keys: Table::over(&bytes, part(Section::Keys)),
            definitions: Table::over(&bytes, part(Section::Definitions)),
            definitions_checksum: header.sections[Section::Definitions as usize].checksum.get(),
            environment: (header.environment_offset.get(), header.environment_length.get()),
            content_id: ContentId(xxh3_128(header.as_bytes()).to_be_bytes()),
            bytes: Arc::clone(&bytes),
        };
        snapshot.validate(header)?;
        if snapshot.lost() {
            return Err(SnapshotError::Lost);
        }
        Ok(snapshot)
    }

    /// Whether its file was cut short or overwritten under the mapping, or its disk failed: what was read of it since is not to be believed.
    /// Ask after reading and before using what was read. A private copy is never lost.
    #[inline]
    pub fn lost(&self) -> bool {
        self.bytes.lost()
    }

    /// A word that holds that value as long as the snapshot is not lost; none of a private copy, which never is. Readable as
    /// long as the snapshot lives; a store to it ends the process.
    pub fn last_word(&self) -> Option<(&std::sync::atomic::AtomicU64, u64)> {
        self.bytes.last_word()
    }

    /// Has every reader take it for lost.
    pub(crate) fn give_up(&self) {
        self.bytes.give_up();
    }

    /// Checks what opening leaves out: the checksums of the definitions and of the audit section, that each flag is found by its key, and every
    /// slot of the lists. A publish does this before the snapshot gets its name.
    ///
    /// # Errors
    ///
    /// As opening.
    pub fn verify(&self) -> Result<(), SnapshotError> {
        self.definitions_json()?;
        validate::audit_record(self.bytes.as_slice())?;
        self.verify_tables()
    }

    /// Identifies the content.
    pub fn content_id(&self) -> ContentId {
        self.content_id
    }

    /// The environment that it was compiled for.
    pub fn environment(&self) -> &str {
        self.text(self.environment.0, self.environment.1)
    }

    /// How many flags it holds.
    pub fn flag_count(&self) -> u32 {
        self.flags.len() as u32
    }

    /// Size of the file in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.as_slice().len() as u64
    }

    /// The flag of that key.
    pub fn find(&self, key: &[u8]) -> Option<FlagId> {
        self.find_hashed(key_hash(key), key)
    }

    /// The flag of that key, whose [`key_hash`] the caller already has.
    #[inline]
    pub fn find_hashed(&self, hash: u64, key: &[u8]) -> Option<FlagId> {
        self.find_record(hash, key).map(|(id, _)| id)
    }

    /// The answer for the flag of that key, whose [`key_hash`] the caller already has, where it is decided by nothing
    /// but the flag itself and the company: 1 on, 0 off; an unknown flag is off. None: it takes every step, as
    /// [`enabled`](crate::enabled) does. Only for a snapshot of whose flags none is killed or stopped.
    #[inline(always)]
    pub fn quick(&self, hash: u64, key: &[u8], company: i64) -> Option<Quick> {
        match self.find_record(hash, key) {
            Some((flag, record)) => {
                let answer = crate::eval::quick(self, record, Some(Key::Int(company)))?;
                Some(Quick { flag: flag.0, answer, shape: record.shape })
            }
            None => Some(Quick { flag: u32::MAX, answer: 0, shape: 0 }),
        }
    }

    /// The same of a flag of this snapshot, for any company or none.
    pub fn quick_of(&self, flag: FlagId, company: Option<Key<'_>>) -> Option<Quick> {
        let record = self.flag(flag)?;
        let answer = crate::eval::quick(self, record, company)?;
        Some(Quick { flag: flag.0, answer, shape: record.shape })
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

    /// All flags, sorted by key.
    pub fn flag_ids(&self) -> impl Iterator<Item = FlagId> + use<> {
        (0..self.flag_count()).map(FlagId)
    }

    /// A flag's key; empty where the id is another snapshot's.
    pub fn flag_key(&self, flag: FlagId) -> &str {
        self.flag(flag).map_or("", |flag| self.text(flag.key_offset.get(), u32::from(flag.key_length.get())))
    }

    /// The context attributes that the flag, or one that it requires, can read; sorted.
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

    /// Text that opening found to be UTF-8; empty if it no longer is.
    pub(crate) fn text(&self, offset: u32, length: u32) -> &str {
        std::str::from_utf8(self.string(offset, length)).unwrap_or("")
    }
}

/// Byte equality without a call: keys are short and nearly always equal here, so that words, the last overlapping the
/// one before, beat `memcmp` through the PLT.
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
