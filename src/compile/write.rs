//! Writes the sections one after the other, below a header that holds their checksums.

use super::error::CompileError;
use super::lists::Lists;
use crate::snapshot::format::{
    AttributeRecord, AuditRecord, CellRecord, FlagRecord, HEADER_SIZE, Header, MAGIC, MAJOR, MAX_DEFINITIONS,
    MINOR, RuleRecord, SECTION_ALIGNMENT, SECTION_COUNT, Section, SectionRecord, Slot, StepRecord,
    TestRecord, VariantRecord,
};
use crate::snapshot::header_checksum;
use xxhash_rust::xxh3::xxh3_64;
use zerocopy::IntoBytes;

pub(super) struct Parts {
    pub(super) flag_count: u32,
    pub(super) index_probe: u32,
    pub(super) environment: (u32, u32),
    pub(super) strings: Vec<u8>,
    pub(super) index: Vec<Slot>,
    pub(super) flags: Vec<FlagRecord>,
    pub(super) attributes: Vec<AttributeRecord>,
    pub(super) links: Vec<u32>,
    pub(super) rules: Vec<RuleRecord>,
    pub(super) tests: Vec<TestRecord>,
    pub(super) steps: Vec<StepRecord>,
    pub(super) variants: Vec<VariantRecord>,
    pub(super) cells: Vec<CellRecord>,
    pub(super) lists: Lists,
    pub(super) definitions: Vec<u8>,
}

pub(super) fn write(parts: &Parts) -> Result<Vec<u8>, CompileError> {
    let links: Vec<_> = parts.links.iter().map(|link| zerocopy::little_endian::U32::new(*link)).collect();
    let words: Vec<_> =
        parts.lists.words.iter().map(|word| zerocopy::little_endian::U64::new(*word)).collect();
    let sections: [&[u8]; SECTION_COUNT] = [
        &parts.strings,
        parts.index.as_bytes(),
        parts.flags.as_bytes(),
        parts.attributes.as_bytes(),
        links.as_bytes(),
        parts.rules.as_bytes(),
        parts.tests.as_bytes(),
        parts.steps.as_bytes(),
        parts.variants.as_bytes(),
        parts.cells.as_bytes(),
        parts.lists.records.as_bytes(),
        words.as_bytes(),
        &parts.lists.keys,
        &parts.definitions,
    ];
    let empty = SectionRecord { offset: 0.into(), size: 0.into(), checksum: 0.into() };
    let mut records = [empty; SECTION_COUNT];
    let size: usize = sections.iter().map(|section| section.len() + SECTION_ALIGNMENT as usize).sum();
    let mut bytes = Vec::with_capacity(HEADER_SIZE + size);
    bytes.resize(HEADER_SIZE, 0);
    for ((section, part), record) in Section::ALL.iter().zip(sections).zip(&mut records) {
        let found = (part.len() / section.entry_size()) as u64;
        let limit = if *section == Section::Definitions { MAX_DEFINITIONS } else { u64::from(u32::MAX) - 16 };
        if found > limit {
            return Err(CompileError::TooMany { what: section.name(), found, limit });
        }
        bytes.resize(bytes.len().next_multiple_of(SECTION_ALIGNMENT as usize), 0);
        record.offset = (bytes.len() as u64).into();
        record.size = (part.len() as u64).into();
        record.checksum = xxh3_64(part).into();
        bytes.extend_from_slice(part);
    }
    // The audit section is zeros until the publish.
    bytes.resize(bytes.len().next_multiple_of(SECTION_ALIGNMENT as usize), 0);
    let (offset, audit) = (bytes.len() as u64, AuditRecord::of(0, [0; 32]));
    bytes.extend_from_slice(audit.as_bytes());
    let mut header = Header {
        magic: MAGIC,
        major: MAJOR.into(),
        minor: MINOR.into(),
        header_size: (HEADER_SIZE as u32).into(),
        file_size: (bytes.len() as u64).into(),
        required_features: 0.into(),
        optional_features: 0.into(),
        checksum: 0.into(),
        flag_count: parts.flag_count.into(),
        index_probe: parts.index_probe.into(),
        environment_offset: parts.environment.0.into(),
        environment_length: parts.environment.1.into(),
        sections: records,
        audit: SectionRecord { offset: offset.into(), size: (audit.as_bytes().len() as u64).into(), ..empty },
        reserved: [0; 88],
    };
    header.checksum = header_checksum(header.as_bytes()).into();
    bytes[..HEADER_SIZE].copy_from_slice(header.as_bytes());
    Ok(bytes)
}
