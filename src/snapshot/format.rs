//! Offsets, sizes and records of the snapshot format; no logic. `docs/snapshot-format.md` is the authority.

use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub(crate) const MAGIC: [u8; 8] = *b"\x89FSNAP\r\n";
pub(crate) const MAJOR: u16 = 1;
pub(crate) const MINOR: u16 = 1;
pub(crate) const HEADER_SIZE: usize = 512;
pub(crate) const CHECKSUM_OFFSET: usize = 40;
pub(crate) const KNOWN_REQUIRED_FEATURES: u64 = 0;
pub(crate) const SECTION_ALIGNMENT: u64 = 64;
pub(crate) const SECTION_COUNT: usize = 14;

/// A number that refers to nothing: no list; for an attribute, the company.
pub(crate) const NONE: u32 = 0xFFFF_FFFF;
pub(crate) const ATTRIBUTE_COMPANY: u32 = 0xFFFF_FFFF;
pub(crate) const ATTRIBUTE_NOW: u32 = 0xFFFF_FFFE;

pub(crate) const SHAPE_GENERAL: u8 = 0;
pub(crate) const SHAPE_OFF: u8 = 1;
pub(crate) const SHAPE_ON: u8 = 2;
pub(crate) const SHAPE_COMPANY_ROLLOUT: u8 = 3;
pub(crate) const SHAPE_LISTS_AND_ROLLOUT: u8 = 4;

pub(crate) const BIT_ENABLED: u8 = 1;
pub(crate) const BIT_KEEP: u8 = 2;
pub(crate) const BIT_CRC32: u8 = 4;
pub(crate) const BIT_ROLLOUT: u8 = 8;

pub(crate) const JUMP_HOLDS: u32 = 0xFFFF_FFFF;
pub(crate) const JUMP_FAILS: u32 = 0xFFFF_FFFE;

pub(crate) const INTS_NONE: u32 = 0;
pub(crate) const INTS_BITMAP: u32 = 1;
pub(crate) const INTS_TABLE: u32 = 2;

/// Slots from which a filter follows a list's table: 256 KiB, more than stays in a processor's nearer caches.
pub(crate) const FILTERED_SLOTS: u64 = 1 << 15;

/// Multiplier of the index and of the tables of ints: 2^64 divided by the golden ratio (Knuth, TAOCP 6.4).
pub(crate) const FIBONACCI: u64 = 0x9E37_79B9_7F4A_7C15;

/// Maximum nesting of a variant's value.
pub(crate) const VALUE_DEPTH: u32 = 32;

/// Maximum length of a flag's key, in bytes.
pub(crate) const MAX_KEY: u32 = 191;
/// True for a valid flag key: `[A-Za-z0-9][A-Za-z0-9_.:\\-]{0,190}`. No such key can move a terminal or end a shell word.
pub fn is_flag_key(key: &[u8]) -> bool {
    let tail = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'\\' | b'-');
    key.len() <= MAX_KEY as usize
        && key.iter().all(tail)
        && key.first().is_some_and(u8::is_ascii_alphanumeric)
}

/// Maximum number of flags in one closure of `requires`.
pub(crate) const MAX_REQUIRES: u32 = 64;
/// Maximum number of rules of one flag.
pub(crate) const MAX_RULES: u32 = 1_000;
/// Maximum number of tests in all rules of one flag.
pub(crate) const MAX_TESTS: u32 = 10_000;
/// Maximum length of a string that a test compares with, in bytes.
pub(crate) const MAX_OPERAND: u32 = 1_024;
/// Maximum number of slots that a lookup reads. Tables are half empty: with a good hash, the longest probe among a million keys is some
/// 50.
pub(crate) const MAX_PROBE: u32 = 10_000;
/// Maximum size of the definitions in bytes, which a reader may copy with the rest: four times the limit of a file of definitions.
pub(crate) const MAX_DEFINITIONS: u64 = 256 << 20;

/// Sections in file order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Section {
    Strings,
    Index,
    Flags,
    Attributes,
    Links,
    Rules,
    Tests,
    Steps,
    Variants,
    Cells,
    Lists,
    Words,
    Keys,
    Definitions,
}

impl Section {
    pub(crate) const ALL: [Section; SECTION_COUNT] = [
        Section::Strings,
        Section::Index,
        Section::Flags,
        Section::Attributes,
        Section::Links,
        Section::Rules,
        Section::Tests,
        Section::Steps,
        Section::Variants,
        Section::Cells,
        Section::Lists,
        Section::Words,
        Section::Keys,
        Section::Definitions,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Section::Strings => "strings",
            Section::Index => "index",
            Section::Flags => "flags",
            Section::Attributes => "attributes",
            Section::Links => "links",
            Section::Rules => "rules",
            Section::Tests => "tests",
            Section::Steps => "steps",
            Section::Variants => "variants",
            Section::Cells => "cells",
            Section::Lists => "lists",
            Section::Words => "words",
            Section::Keys => "keys",
            Section::Definitions => "definitions",
        }
    }

    /// Size of one entry in bytes.
    pub(crate) fn entry_size(self) -> usize {
        match self {
            Section::Strings | Section::Keys | Section::Definitions => 1,
            Section::Links => size_of::<U32>(),
            Section::Words => size_of::<U64>(),
            Section::Index => size_of::<Slot>(),
            Section::Flags => size_of::<FlagRecord>(),
            Section::Attributes => size_of::<AttributeRecord>(),
            Section::Rules => size_of::<RuleRecord>(),
            Section::Tests => size_of::<TestRecord>(),
            Section::Steps => size_of::<StepRecord>(),
            Section::Variants => size_of::<VariantRecord>(),
            Section::Cells => size_of::<CellRecord>(),
            Section::Lists => size_of::<ListRecord>(),
        }
    }
}

macro_rules! record {
    ($(#[$doc:meta])* $name:ident: $size:literal { $($field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
        #[repr(C)]
        pub(crate) struct $name { $(pub(crate) $field: $type,)* }
        const _: () = assert!(size_of::<$name>() == $size);
    };
}

record!(Header: 512 {
    magic: [u8; 8],
    major: U16,
    minor: U16,
    header_size: U32,
    file_size: U64,
    required_features: U64,
    optional_features: U64,
    checksum: U64,
    flag_count: U32,
    index_probe: U32,
    environment_offset: U32,
    environment_length: U32,
    sections: [SectionRecord; SECTION_COUNT],
    audit: SectionRecord,
    reserved: [u8; 88],
});

record!(SectionRecord: 24 { offset: U64, size: U64, checksum: U64, });

record!(
    /// After the sections, since 1.1. No checksum of the header covers it.
    AuditRecord: 48 { number: U64, hash: [u8; 32], checksum: U64, });

record!(Slot: 16 { hash: U64, flag: U32, reserved: U32, });

record!(FlagRecord: 128 {
    hash: U64,
    key_offset: U32,
    key_length: U16,
    shape: u8,
    bits: u8,
    seed: U64,
    threshold: U32,
    by: U32,
    variant_seed: U64,
    requires: U32,
    requires_count: U32,
    needs: U32,
    needs_count: U32,
    rules: U32,
    rules_count: U32,
    steps: U32,
    steps_count: U32,
    variants: U32,
    variants_count: U32,
    allow: U32,
    deny: U32,
    current: U32,
    reserved: [u8; 36],
});

record!(AttributeRecord: 16 { hash: U64, name_offset: U32, name_length: U32, });

record!(RuleRecord: 32 {
    name_offset: U32,
    name_length: U32,
    tests: U32,
    tests_count: U32,
    threshold: U32,
    reserved: [u8; 12],
});

record!(TestRecord: 32 {
    operation: u8,
    operand: u8,
    reserved: U16,
    attribute: U32,
    on_match: U32,
    on_mismatch: U32,
    a: U64,
    b: U64,
});

record!(StepRecord: 16 { at: I64, threshold: U32, reserved: U32, });

record!(VariantRecord: 32 {
    name_offset: U32,
    name_length: U32,
    upper: U32,
    has_value: U32,
    value: U32,
    reserved: [u8; 12],
});

record!(CellRecord: 16 { tag: U32, count: U32, payload: U64, });

record!(ListRecord: 64 {
    ints: U32,
    ints_probe: U32,
    ints_count: U64,
    ints_base: I64,
    ints_words: U64,
    ints_size: U64,
    texts_words: U64,
    texts_slots: U64,
    texts_probe: U32,
    texts_count: U32,
});

/// Operations of a test.
pub(crate) mod op {
    pub(crate) const NEVER: u8 = 0;
    pub(crate) const IN: u8 = 1;
    pub(crate) const NOT_IN: u8 = 2;
    pub(crate) const EQ: u8 = 3;
    pub(crate) const NE: u8 = 4;
    pub(crate) const LT: u8 = 5;
    pub(crate) const LTE: u8 = 6;
    pub(crate) const GT: u8 = 7;
    pub(crate) const GTE: u8 = 8;
    pub(crate) const STARTS_WITH: u8 = 9;
    pub(crate) const ENDS_WITH: u8 = 10;
    pub(crate) const CONTAINS: u8 = 11;
    pub(crate) const EXISTS: u8 = 12;
    pub(crate) const BEFORE: u8 = 13;
    pub(crate) const AFTER: u8 = 14;
    pub(crate) const SEMVER_EQ: u8 = 15;
    pub(crate) const SEMVER_LT: u8 = 16;
    pub(crate) const SEMVER_LTE: u8 = 17;
    pub(crate) const SEMVER_GT: u8 = 18;
    pub(crate) const SEMVER_GTE: u8 = 19;
    pub(crate) const ALWAYS: u8 = 20;
}

/// Kinds of a test's operand.
pub(crate) mod operand {
    pub(crate) const NONE: u8 = 0;
    pub(crate) const INT: u8 = 1;
    pub(crate) const FLOAT: u8 = 2;
    pub(crate) const TEXT: u8 = 3;
    pub(crate) const BOOL: u8 = 4;
    pub(crate) const SET: u8 = 5;
}

/// Tags of a cell.
pub(crate) mod tag {
    pub(crate) const NULL: u32 = 0;
    pub(crate) const BOOL: u32 = 1;
    pub(crate) const INT: u32 = 2;
    pub(crate) const FLOAT: u32 = 3;
    pub(crate) const TEXT: u32 = 4;
    pub(crate) const LIST: u32 = 5;
    pub(crate) const MAP: u32 = 6;
}
