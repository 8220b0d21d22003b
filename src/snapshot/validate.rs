//! The checks that make reading safe: any bytes in, an error or a sound snapshot out, in time linear in the file.
//!
//! The time is linear because every entry has one user: the ranges of flags and of rules ascend and do not overlap, and the strings are
//! checked for UTF-8 once, as a whole. Checking a text then takes two looks at its ends, however many records share it.

use super::format::{
    ATTRIBUTE_COMPANY, ATTRIBUTE_NOW, AuditRecord, CHECKSUM_OFFSET, FlagRecord, HEADER_SIZE, Header,
    INTS_TABLE, JUMP_FAILS, JUMP_HOLDS, KNOWN_REQUIRED_FEATURES, MAGIC, MAJOR, MAX_DEFINITIONS, MAX_KEY,
    MAX_OPERAND, MAX_PROBE, MAX_REQUIRES, MAX_RULES, MAX_TESTS, MINOR, NONE, SECTION_ALIGNMENT,
    SECTION_COUNT, SHAPE_LISTS_AND_ROLLOUT, Section, TestRecord, is_flag_key, op, operand, tag,
};
use super::{Snapshot, SnapshotError, table_words};
use crate::key::Key;
use std::ops::Range;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, IntoBytes};

const FULL: u64 = 100_000;

/// The header of a whole file, if it is valid and its checksum matches.
pub(super) fn header(all: &[u8]) -> Result<&Header, SnapshotError> {
    header_of(all, all.len() as u64)
}

/// The header of a file of that size from its first bytes.
pub(super) fn header_of(all: &[u8], size: u64) -> Result<&Header, SnapshotError> {
    let (header, _) =
        Header::ref_from_prefix(all).map_err(|_| SnapshotError::TooShort { found: all.len() as u64 })?;
    if header.magic != MAGIC {
        return Err(SnapshotError::Magic { found: header.magic });
    }
    if header.major.get() != MAJOR {
        return Err(SnapshotError::Major { found: header.major.get() });
    }
    let (found, expected) = (header_checksum(&all[..HEADER_SIZE]), header.checksum.get());
    if found != expected {
        return Err(SnapshotError::Checksum { section: "header", found, expected });
    }
    let unknown = header.required_features.get() & !KNOWN_REQUIRED_FEATURES;
    if unknown != 0 {
        return Err(SnapshotError::Feature { unknown });
    }
    let check = Place { section: "header", entry: 0 };
    check.is("header_size", u64::from(header.header_size.get()), HEADER_SIZE as u64)?;
    let expected = header.file_size.get();
    if size < expected {
        return Err(SnapshotError::CutOff { found: size, expected });
    }
    check.is("file_size", expected, size)?;
    let definitions = header.sections[Section::Definitions as usize].size.get();
    Place { section: Section::Definitions.name(), entry: 0 }.at_most("size", definitions, MAX_DEFINITIONS)?;
    Ok(header)
}

/// XXH3-64 of a header with its own checksum taken as zeros.
pub(crate) fn header_checksum(header: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    let (before, rest) = header.split_at(CHECKSUM_OFFSET.min(header.len()));
    hash.update(before);
    hash.update(&[0; 8]);
    hash.update(rest.get(8..).unwrap_or(&[]));
    hash.digest()
}

/// The range of each section, in order; every checksum but the definitions' matches.
pub(super) fn sections(all: &[u8], header: &Header) -> Result<[Range<usize>; SECTION_COUNT], SnapshotError> {
    let mut parts = [const { 0..0 }; SECTION_COUNT];
    let mut end = HEADER_SIZE as u64;
    for (section, part) in Section::ALL.into_iter().zip(&mut parts) {
        let record = &header.sections[section as usize];
        let check = Place { section: section.name(), entry: 0 };
        check.is("offset", record.offset.get(), end.next_multiple_of(SECTION_ALIGNMENT))?;
        let (offset, size) = (record.offset.get(), record.size.get());
        check.at_most("offset", offset, all.len() as u64)?;
        check.at_most("size", size, (all.len() as u64).saturating_sub(offset))?;
        check.is("size modulo entry", size % section.entry_size() as u64, 0)?;
        check.at_most("entries", size / section.entry_size() as u64, u64::from(u32::MAX) - 16).or_else(
            |error| {
                // The number of bytes and words may exceed a u32.
                if matches!(section, Section::Keys | Section::Words | Section::Definitions) {
                    Ok(())
                } else {
                    Err(error)
                }
            },
        )?;
        end = offset + size;
        *part = offset as usize..end as usize;
        let bytes = &all[part.clone()];
        if section != Section::Definitions {
            let (found, expected) = (xxh3_64(bytes), record.checksum.get());
            if found != expected {
                return Err(SnapshotError::Checksum { section: section.name(), found, expected });
            }
        }
        // No checksum covers the bytes between sections.
        let gap = (end as usize)..(end.next_multiple_of(SECTION_ALIGNMENT) as usize).min(all.len());
        check.is("gap", all[gap].iter().map(|byte| u64::from(*byte)).sum(), 0)?;
    }
    if header.minor.get() > 0 {
        end = audit(all, header, end)?;
    }
    // A later minor version may have sections after these.
    if header.minor.get() <= MINOR {
        Place { section: "header", entry: 0 }.is("file_size", all.len() as u64, end)?;
    }
    Ok(parts)
}

/// Returns the end of the audit section, which begins after `end`. Its own checksum is left to its readers.
fn audit(all: &[u8], header: &Header, end: u64) -> Result<u64, SnapshotError> {
    let (record, check) = (&header.audit, Place { section: "audit", entry: 0 });
    let (offset, size) = (record.offset.get(), record.size.get());
    check.is("offset", offset, end.next_multiple_of(SECTION_ALIGNMENT))?;
    check.is("size", size, size_of::<AuditRecord>() as u64)?;
    check.is("checksum", record.checksum.get(), 0)?;
    check.at_most("offset", offset, (all.len() as u64).saturating_sub(size))?;
    Ok(offset + size)
}

/// XXH3-64 of the record without its checksum.
pub(super) fn audit_checksum(record: &AuditRecord) -> u64 {
    xxh3_64(record.as_bytes().get(..size_of::<AuditRecord>() - 8).unwrap_or(&[]))
}

/// The audit section, if there is one and its checksum matches.
pub(super) fn audit_record(all: &[u8]) -> Result<Option<&AuditRecord>, SnapshotError> {
    let header = header(all)?;
    let bytes = usize::try_from(header.audit.offset.get()).ok().and_then(|offset| all.get(offset..));
    let found = bytes.and_then(|bytes| AuditRecord::ref_from_prefix(bytes).ok());
    let Some((record, _)) = found.filter(|_| header.minor.get() > 0) else { return Ok(None) };
    match (audit_checksum(record), record.checksum.get()) {
        (found, expected) if found == expected => Ok(Some(record)),
        (found, expected) => Err(SnapshotError::Checksum { section: "audit", found, expected }),
    }
}

/// Names the entry in an error.
#[derive(Clone, Copy)]
struct Place {
    section: &'static str,
    entry: usize,
}

impl Place {
    fn fail(self, field: &'static str, found: u64, expected: String) -> SnapshotError {
        SnapshotError::Structure { section: self.section, entry: self.entry, field, found, expected }
    }

    fn is(self, field: &'static str, found: u64, expected: u64) -> Result<(), SnapshotError> {
        if found == expected { Ok(()) } else { Err(self.fail(field, found, expected.to_string())) }
    }

    fn at_most(self, field: &'static str, found: u64, most: u64) -> Result<(), SnapshotError> {
        if found <= most { Ok(()) } else { Err(self.fail(field, found, format!("at most {most}"))) }
    }

    fn below(self, field: &'static str, found: u64, limit: usize) -> Result<(), SnapshotError> {
        if found < limit as u64 { Ok(()) } else { Err(self.fail(field, found, format!("less than {limit}"))) }
    }

    /// Requires that `count` entries from `first` on stay inside a table of `length` and come after those of the records before, which
    /// end at `free`.
    fn own(
        self,
        field: &'static str,
        (first, count): (u32, u32),
        length: usize,
        free: &mut u64,
    ) -> Result<(), SnapshotError> {
        let (first, count) = (u64::from(first), u64::from(count));
        self.range(field, first, count, length)?;
        if count == 0 {
            return Ok(());
        }
        if first < *free {
            return Err(self.fail(field, first, format!("entries of its own, from {free} on")));
        }
        *free = first + count;
        Ok(())
    }

    /// Requires that `first` and `count` stay inside a table of `length` entries.
    fn range(self, field: &'static str, first: u64, count: u64, length: usize) -> Result<(), SnapshotError> {
        match first.checked_add(count) {
            Some(end) if end <= length as u64 => Ok(()),
            _ => Err(self.fail(field, first, format!("{count} entries from there to stay within {length}"))),
        }
    }
}

impl Snapshot {
    pub(super) fn validate(&self, header: &Header) -> Result<(), SnapshotError> {
        let check = Place { section: "header", entry: 0 };
        check.is("flag_count", u64::from(header.flag_count.get()), self.flags.len() as u64)?;
        self.validate_strings()?;
        self.check_text(
            check,
            "environment",
            header.environment_offset.get(),
            header.environment_length.get(),
        )?;
        self.validate_index()?;
        self.validate_flags()?;
        self.validate_names()?;
        self.validate_tests()?;
        self.validate_cells()?;
        self.validate_lists()
    }

    fn validate_strings(&self) -> Result<(), SnapshotError> {
        let strings = self.strings.all();
        match std::str::from_utf8(strings) {
            Ok(_) => Ok(()),
            Err(error) => {
                let entry = error.valid_up_to();
                let found = strings.get(entry).copied().unwrap_or(0);
                let check = Place { section: Section::Strings.name(), entry };
                Err(check.fail("byte", u64::from(found), "UTF-8".into()))
            }
        }
    }

    fn validate_index(&self) -> Result<(), SnapshotError> {
        let (slots, flags) = (self.index.len(), self.flags.len());
        let check = Place { section: Section::Index.name(), entry: 0 };
        if !slots.is_power_of_two() || slots < 2 || slots < flags {
            return Err(check.fail("slots", slots as u64, format!("a power of two, at least 2 and {flags}")));
        }
        let most = (slots as u64).min(u64::from(MAX_PROBE));
        check.at_most("longest probe", u64::from(self.index_probe), most)?;
        let mut used = 0;
        for (entry, slot) in self.index.all().iter().enumerate() {
            if slot.hash.get() != 0 {
                used += 1;
                Place { entry, ..check }.below("flag", u64::from(slot.flag.get()), flags)?;
            }
        }
        check.is("slots in use", used, flags as u64)
    }

    fn validate_flags(&self) -> Result<(), SnapshotError> {
        let mut previous: &[u8] = &[];
        let mut ends = Ends::default();
        for (entry, flag) in self.flags.all().iter().enumerate() {
            let check = Place { section: Section::Flags.name(), entry };
            let (offset, length) = (flag.key_offset.get(), u32::from(flag.key_length.get()));
            check.at_most("key's length", u64::from(length), u64::from(MAX_KEY))?;
            self.check_text(check, "key", offset, length)?;
            let key = self.string(offset, length);
            if !is_flag_key(key) {
                let expected = "letters, digits, or _ . : \\ - after the first";
                return Err(check.fail("key", u64::from(offset), expected.into()));
            }
            if key <= previous {
                return Err(check.fail("key", u64::from(offset), "a key after the one before it".into()));
            }
            previous = key;
            self.validate_flag(check, flag, &mut ends)?;
        }
        Ok(())
    }

    fn validate_flag(&self, check: Place, flag: &FlagRecord, ends: &mut Ends) -> Result<(), SnapshotError> {
        check.at_most("shape", u64::from(flag.shape), u64::from(SHAPE_LISTS_AND_ROLLOUT))?;
        check.at_most("threshold", u64::from(flag.threshold.get()), FULL)?;
        if flag.by.get() != ATTRIBUTE_COMPANY {
            check.below("by", u64::from(flag.by.get()), self.attributes.len())?;
        }
        check.at_most("requires' count", u64::from(flag.requires_count.get()), u64::from(MAX_REQUIRES))?;
        check.at_most("needs' count", u64::from(flag.needs_count.get()), self.attributes.len() as u64)?;
        check.at_most("rules' count", u64::from(flag.rules_count.get()), u64::from(MAX_RULES))?;
        let range = |first: U32, count: U32| (first.get(), count.get());
        let (requires, needs) =
            (range(flag.requires, flag.requires_count), range(flag.needs, flag.needs_count));
        let (rules, steps) = (range(flag.rules, flag.rules_count), range(flag.steps, flag.steps_count));
        check.own("requires", requires, self.links.len(), &mut ends.links)?;
        check.own("needs", needs, self.links.len(), &mut ends.links)?;
        check.own("rules", rules, self.rules.len(), &mut ends.rules)?;
        check.own("steps", steps, self.steps.len(), &mut ends.steps)?;
        let variants = range(flag.variants, flag.variants_count);
        check.own("variants", variants, self.variants.len(), &mut ends.variants)?;
        let tests: u64 = self
            .rules
            .slice(flag.rules.get() as usize, flag.rules_count.get() as usize)
            .unwrap_or(&[])
            .iter()
            .map(|rule| u64::from(rule.tests_count.get()))
            .sum();
        check.at_most("rules' tests", tests, u64::from(MAX_TESTS))?;
        for (field, first, count, limit) in [
            ("requires", flag.requires, flag.requires_count, self.flags.len()),
            ("needs", flag.needs, flag.needs_count, self.attributes.len()),
        ] {
            let links = self.links.slice(first.get() as usize, count.get() as usize).unwrap_or(&[]);
            for link in links {
                check.below(field, u64::from(link.get()), limit)?;
            }
        }
        for (field, list) in [("allow", flag.allow.get()), ("deny", flag.deny.get())] {
            if list != NONE {
                check.below(field, u64::from(list), self.lists.len())?;
            }
        }
        Ok(())
    }

    fn validate_names(&self) -> Result<(), SnapshotError> {
        for (entry, attribute) in self.attributes.all().iter().enumerate() {
            let check = Place { section: Section::Attributes.name(), entry };
            self.check_text(check, "name", attribute.name_offset.get(), attribute.name_length.get())?;
        }
        for (entry, step) in self.steps.all().iter().enumerate() {
            let check = Place { section: Section::Steps.name(), entry };
            check.at_most("threshold", u64::from(step.threshold.get()), FULL)?;
        }
        for (entry, variant) in self.variants.all().iter().enumerate() {
            let check = Place { section: Section::Variants.name(), entry };
            self.check_text(check, "name", variant.name_offset.get(), variant.name_length.get())?;
            check.at_most("upper", u64::from(variant.upper.get()), FULL)?;
            if variant.has_value.get() != 0 {
                check.below("value", u64::from(variant.value.get()), self.cells.len())?;
            }
        }
        Ok(())
    }

    fn validate_tests(&self) -> Result<(), SnapshotError> {
        let mut free = 0;
        for (entry, rule) in self.rules.all().iter().enumerate() {
            let check = Place { section: Section::Rules.name(), entry };
            self.check_text(check, "name", rule.name_offset.get(), rule.name_length.get())?;
            check.at_most("threshold", u64::from(rule.threshold.get()), FULL)?;
            let (first, count) = (rule.tests.get(), rule.tests_count.get());
            check.at_most("tests' count", u64::from(count), u64::from(MAX_TESTS))?;
            check.own("tests", (first, count), self.tests.len(), &mut free)?;
            let tests = self.tests.slice(first as usize, count as usize).unwrap_or(&[]);
            for (position, test) in tests.iter().enumerate() {
                let check = Place { section: Section::Tests.name(), entry: first as usize + position };
                for (field, jump) in
                    [("on_match", test.on_match.get()), ("on_mismatch", test.on_mismatch.get())]
                {
                    let forward = jump as usize > position && jump < count;
                    if !forward && jump != JUMP_HOLDS && jump != JUMP_FAILS {
                        return Err(check.fail(field, u64::from(jump), "a later test, or an end".into()));
                    }
                }
                self.validate_test(check, test)?;
            }
        }
        Ok(())
    }

    fn validate_test(&self, check: Place, test: &TestRecord) -> Result<(), SnapshotError> {
        check.at_most("operation", u64::from(test.operation), u64::from(op::ALWAYS))?;
        check.at_most("operand", u64::from(test.operand), u64::from(operand::SET))?;
        let attribute = test.attribute.get();
        let reads = test.operation != op::NEVER && test.operation != op::ALWAYS;
        if reads && attribute != ATTRIBUTE_COMPANY && attribute != ATTRIBUTE_NOW {
            check.below("attribute", u64::from(attribute), self.attributes.len())?;
        }
        let (a, b) = (test.a.get(), test.b.get());
        match test.operand {
            operand::TEXT => {
                check.at_most("operand's length", a >> 32, u64::from(MAX_OPERAND))?;
                self.check_text(check, "operand", a as u32, (a >> 32) as u32)
            }
            operand::SET => {
                let count = (a >> 32) + u64::from(b as u32);
                check.range("operand", u64::from(a as u32), count, self.cells.len())
            }
            _ => Ok(()),
        }
    }

    /// Requires that containers come in the order of their children, and that no two share any: so a value is a tree, and reading one
    /// takes no longer than the number of cells.
    fn validate_cells(&self) -> Result<(), SnapshotError> {
        let mut free = 0u64;
        for (entry, cell) in self.cells.all().iter().enumerate() {
            let check = Place { section: Section::Cells.name(), entry };
            check.at_most("tag", u64::from(cell.tag.get()), u64::from(tag::MAP))?;
            let (count, payload) = (u64::from(cell.count.get()), cell.payload.get());
            match cell.tag.get() {
                tag::TEXT => {
                    let offset = u32::try_from(payload).unwrap_or(u32::MAX);
                    self.check_text(check, "text", offset, cell.count.get())?;
                }
                kind @ (tag::LIST | tag::MAP) if count > 0 => {
                    let cells = if kind == tag::MAP { count * 2 } else { count };
                    if payload <= entry as u64 || payload < free {
                        return Err(check.fail("children", payload, "cells of its own after it".into()));
                    }
                    check.range("children", payload, cells, self.cells.len())?;
                    free = payload + cells;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn validate_lists(&self) -> Result<(), SnapshotError> {
        for (entry, list) in self.lists.all().iter().enumerate() {
            let check = Place { section: Section::Lists.name(), entry };
            check.at_most("ints", u64::from(list.ints.get()), u64::from(INTS_TABLE))?;
            let size = list.ints_size.get();
            let mut words = size.div_ceil(64);
            if list.ints.get() == INTS_TABLE {
                check.slots("ints' slots", size, list.ints_probe.get())?;
                words = table_words(size);
            }
            check.range("ints' words", list.ints_words.get(), words, self.words.len())?;
            let slots = list.texts_slots.get();
            if slots != 0 {
                check.slots("strings' slots", slots, list.texts_probe.get())?;
            }
            check.range("strings' words", list.texts_words.get(), table_words(slots), self.words.len())?;
        }
        Ok(())
    }

    /// Makes the checks that opening leaves to `verify`: every flag is found, every slot of a list names bytes that exist.
    pub(super) fn verify_tables(&self) -> Result<(), SnapshotError> {
        for id in self.flag_ids() {
            let check = Place { section: Section::Flags.name(), entry: id.0 as usize };
            if self.find(self.flag_key(id).as_bytes()) != Some(id) {
                return Err(check.fail("key", u64::from(id.0), "to be found by the index".into()));
            }
        }
        for (entry, list) in self.lists.all().iter().enumerate() {
            let check = Place { section: Section::Lists.name(), entry };
            let held = |key| self.lists_key(entry as u32, key);
            if list.ints.get() == INTS_TABLE {
                let found = self.table_ints(list).filter(|int| held(Key::Int(*int))).count() as u64;
                check.is("ints", found, list.ints_count.get())?;
            }
            let texts = self.text_slots(list).filter_map(|slot| self.listed_text(slot));
            let found = texts.filter(|text| held(Key::Text(text))).count() as u64;
            check.is("strings", found, u64::from(list.texts_count.get()))?;
        }
        Ok(())
    }

    /// Requires that a range of the strings begins and ends between characters. The strings as a whole are UTF-8.
    fn check_text(
        &self,
        check: Place,
        field: &'static str,
        offset: u32,
        length: u32,
    ) -> Result<(), SnapshotError> {
        check.range(field, u64::from(offset), u64::from(length), self.strings.len())?;
        let (first, end) = (offset as usize, offset as usize + length as usize);
        // A byte 10xxxxxx continues a character.
        let between = |at: usize| self.strings.get(at).is_none_or(|byte| byte & 0xC0 != 0x80);
        if between(first) && between(end) {
            Ok(())
        } else {
            Err(check.fail(field, u64::from(offset), "UTF-8".into()))
        }
    }
}

/// Ends of the entries that the flags so far refer to, by table.
#[derive(Default)]
struct Ends {
    links: u64,
    rules: u64,
    steps: u64,
    variants: u64,
}

impl Place {
    fn slots(self, field: &'static str, slots: u64, probe: u32) -> Result<(), SnapshotError> {
        if !slots.is_power_of_two() {
            return Err(self.fail(field, slots, "a power of two".into()));
        }
        self.at_most("longest probe", u64::from(probe), slots.min(u64::from(MAX_PROBE)))
    }
}
