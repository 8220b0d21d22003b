//! A snapshot field by field, for `flagstone inspect`. `docs/snapshot-format.md` explains the fields.

use super::format::{
    ATTRIBUTE_COMPANY, ATTRIBUTE_NOW, BIT_CRC32, BIT_ENABLED, BIT_KEEP, BIT_ROLLOUT, FlagRecord, INTS_BITMAP,
    INTS_TABLE, JUMP_FAILS, JUMP_HOLDS, RuleRecord, SHAPE_COMPANY_ROLLOUT, SHAPE_LISTS_AND_ROLLOUT,
    SHAPE_OFF, SHAPE_ON, Section, TestRecord, op, operand,
};
use super::{Audited, FlagId, Snapshot, SnapshotError, validate};
use serde::Serialize;

/// The header and the sections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layout {
    /// Major version of the format.
    pub major: u16,
    /// Minor version of the format.
    pub minor: u16,
    /// Size in bytes.
    pub file_size: u64,
    /// Features that a reader must know.
    pub required_features: u64,
    /// Features that a reader may ignore.
    pub optional_features: u64,
    /// Checksum of the header, 16 hex digits.
    pub checksum: String,
    /// Number of flags.
    pub flags: u32,
    /// The longest probe of the index.
    pub index_probe: u32,
    /// The sections in file order.
    pub sections: Vec<SectionLayout>,
    /// The record of the audit trail that the snapshot names.
    pub audit: Option<Audited>,
}

/// A section's place and size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SectionLayout {
    /// The section's name.
    pub name: &'static str,
    /// Offset in bytes from the start of the file.
    pub offset: u64,
    /// Size in bytes.
    pub size: u64,
    /// Number of entries.
    pub entries: u64,
    /// XXH3-64, 16 hex digits.
    pub checksum: String,
}

/// A flag's record, with everything that it refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlagFields {
    /// The flag's key.
    pub flag: String,
    /// The flag whose former key it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_to: Option<String>,
    /// Hash of the key, 16 hex digits.
    pub hash: String,
    /// The kind of quick answer that the flag allows.
    pub shape: &'static str,
    /// Names of the bits that are set.
    pub bits: Vec<&'static str>,
    /// Seed of the rollout, 16 hex digits.
    pub seed: String,
    /// Rollout percentage × 1000.
    pub threshold: u32,
    /// Name of the value that the rollout hashes.
    pub by: String,
    /// Seed of the variants, 16 hex digits.
    pub variant_seed: String,
    /// All required flags, each after those that it requires.
    pub requires: Vec<String>,
    /// Attributes that an answer may read.
    pub needs: Vec<String>,
    /// Rules in the order of decision.
    pub rules: Vec<RuleFields>,
    /// Steps: instant in microseconds since 1970, and threshold.
    pub steps: Vec<(i64, u32)>,
    /// Variants: name, upper bound in thousandths, and true if it has a value.
    pub variants: Vec<(String, u32, bool)>,
    /// The list of companies allowed.
    pub allow: Option<ListFields>,
    /// The list of companies denied.
    pub deny: Option<ListFields>,
}

/// A rule's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleFields {
    /// The rule's name; empty if it has none.
    pub name: String,
    /// Percentage × 1000 of the rule.
    pub threshold: u32,
    /// The condition's program.
    pub tests: Vec<TestFields>,
}

/// A test's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestFields {
    /// The comparison's name.
    pub operation: &'static str,
    /// The attribute's name.
    pub attribute: String,
    /// The operand's kind.
    pub operand: &'static str,
    /// A string operand as text; else the operand's first word.
    pub a: String,
    /// The operand's second word.
    pub b: u64,
    /// Target on a match: number of the next test, `holds` or `fails`.
    pub on_match: String,
    /// Target on a mismatch.
    pub on_mismatch: String,
}

/// A list's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListFields {
    /// `none`, `bitmap` or `table`.
    pub ints: &'static str,
    /// Number of ints.
    pub ints_count: u64,
    /// Size in bits of a bitmap, in slots of a table.
    pub ints_size: u64,
    /// Longest probe of the ints.
    pub ints_probe: u32,
    /// Number of strings.
    pub texts_count: u32,
    /// Number of slots of the strings.
    pub texts_slots: u64,
    /// Longest probe of the strings.
    pub texts_probe: u32,
}

impl Snapshot {
    /// The header and the sections.
    ///
    /// # Errors
    ///
    /// When the header or the audit section has changed since the snapshot was opened.
    pub fn layout(&self) -> Result<Layout, SnapshotError> {
        let header = validate::header(self.bytes.as_slice())?;
        let sections = Section::ALL.iter().zip(&header.sections).map(|(section, record)| SectionLayout {
            name: section.name(),
            offset: record.offset.get(),
            size: record.size.get(),
            entries: record.size.get() / section.entry_size() as u64,
            checksum: hex(record.checksum.get()),
        });
        Ok(Layout {
            major: header.major.get(),
            minor: header.minor.get(),
            file_size: header.file_size.get(),
            required_features: header.required_features.get(),
            optional_features: header.optional_features.get(),
            checksum: hex(header.checksum.get()),
            flags: header.flag_count.get(),
            index_probe: header.index_probe.get(),
            sections: sections.collect(),
            audit: self.audited()?,
        })
    }

    /// A flag's record and all that it refers to; `None` for a flag of another snapshot.
    pub fn flag_fields(&self, flag: FlagId) -> Option<FlagFields> {
        let record = self.flag(flag)?;
        let requires = self.links.slice(record.requires.get() as usize, record.requires_count.get() as usize);
        let rules = self.rules.slice(record.rules.get() as usize, record.rules_count.get() as usize);
        let steps = self.steps.slice(record.steps.get() as usize, record.steps_count.get() as usize);
        let variants =
            self.variants.slice(record.variants.get() as usize, record.variants_count.get() as usize);
        Some(FlagFields {
            flag: self.flag_key(flag).to_owned(),
            renamed_to: self.renamed_to(flag).map(|current| self.flag_key(current).to_owned()),
            hash: hex(record.hash.get()),
            shape: shape(record.shape),
            bits: bits(record),
            seed: hex(record.seed.get()),
            threshold: record.threshold.get(),
            by: self.attribute_label(record.by.get()),
            variant_seed: hex(record.variant_seed.get()),
            requires: requires
                .unwrap_or(&[])
                .iter()
                .map(|link| self.flag_key(FlagId(link.get())).to_owned())
                .collect(),
            needs: self.needs(flag).map(str::to_owned).collect(),
            rules: rules.unwrap_or(&[]).iter().map(|rule| self.rule_fields(rule)).collect(),
            steps: steps.unwrap_or(&[]).iter().map(|step| (step.at.get(), step.threshold.get())).collect(),
            variants: variants
                .unwrap_or(&[])
                .iter()
                .map(|variant| {
                    let name = self.text(variant.name_offset.get(), variant.name_length.get());
                    (name.to_owned(), variant.upper.get(), variant.has_value.get() != 0)
                })
                .collect(),
            allow: self.list_fields(record.allow.get()),
            deny: self.list_fields(record.deny.get()),
        })
    }

    fn rule_fields(&self, rule: &RuleRecord) -> RuleFields {
        let tests = self.tests.slice(rule.tests.get() as usize, rule.tests_count.get() as usize);
        RuleFields {
            name: self.text(rule.name_offset.get(), rule.name_length.get()).to_owned(),
            threshold: rule.threshold.get(),
            tests: tests.unwrap_or(&[]).iter().map(|test| self.test_fields(test)).collect(),
        }
    }

    fn test_fields(&self, test: &TestRecord) -> TestFields {
        let a = test.a.get();
        TestFields {
            operation: operation(test.operation),
            attribute: match test.operation {
                op::NEVER | op::ALWAYS => String::new(),
                _ => self.attribute_label(test.attribute.get()),
            },
            operand: operand_kind(test.operand),
            a: match test.operand {
                operand::TEXT => self.text(a as u32, (a >> 32) as u32).to_owned(),
                operand::INT => a.cast_signed().to_string(),
                operand::FLOAT => f64::from_bits(a).to_string(),
                _ => a.to_string(),
            },
            b: test.b.get(),
            on_match: jump(test.on_match.get()),
            on_mismatch: jump(test.on_mismatch.get()),
        }
    }

    fn list_fields(&self, list: u32) -> Option<ListFields> {
        let list = self.lists.get(list as usize)?;
        Some(ListFields {
            ints: match list.ints.get() {
                INTS_BITMAP => "bitmap",
                INTS_TABLE => "table",
                _ => "none",
            },
            ints_count: list.ints_count.get(),
            ints_size: list.ints_size.get(),
            ints_probe: list.ints_probe.get(),
            texts_count: list.texts_count.get(),
            texts_slots: list.texts_slots.get(),
            texts_probe: list.texts_probe.get(),
        })
    }

    fn attribute_label(&self, number: u32) -> String {
        match number {
            ATTRIBUTE_COMPANY => "company".to_owned(),
            ATTRIBUTE_NOW => "now".to_owned(),
            number => self.attribute_name(number).to_owned(),
        }
    }
}

fn hex(word: u64) -> String {
    format!("{word:016x}")
}

fn shape(shape: u8) -> &'static str {
    match shape {
        SHAPE_OFF => "off",
        SHAPE_ON => "on",
        SHAPE_COMPANY_ROLLOUT => "company rollout",
        SHAPE_LISTS_AND_ROLLOUT => "lists and company rollout",
        _ => "general",
    }
}

fn bits(record: &FlagRecord) -> Vec<&'static str> {
    let names =
        [(BIT_ENABLED, "enabled"), (BIT_KEEP, "keep"), (BIT_CRC32, "crc32"), (BIT_ROLLOUT, "rollout")];
    names.into_iter().filter(|(bit, _)| record.bits & bit != 0).map(|(_, name)| name).collect()
}

fn jump(to: u32) -> String {
    match to {
        JUMP_HOLDS => "holds".to_owned(),
        JUMP_FAILS => "fails".to_owned(),
        test => test.to_string(),
    }
}

fn operation(operation: u8) -> &'static str {
    match operation {
        op::NEVER => "never",
        op::IN => "in",
        op::NOT_IN => "not_in",
        op::EQ => "eq",
        op::NE => "ne",
        op::LT => "lt",
        op::LTE => "lte",
        op::GT => "gt",
        op::GTE => "gte",
        op::STARTS_WITH => "starts_with",
        op::ENDS_WITH => "ends_with",
        op::CONTAINS => "contains",
        op::EXISTS => "exists",
        op::BEFORE => "before",
        op::AFTER => "after",
        op::SEMVER_EQ => "semver_eq",
        op::SEMVER_LT => "semver_lt",
        op::SEMVER_LTE => "semver_lte",
        op::SEMVER_GT => "semver_gt",
        op::SEMVER_GTE => "semver_gte",
        op::ALWAYS => "always",
        _ => "unknown",
    }
}

fn operand_kind(kind: u8) -> &'static str {
    match kind {
        operand::NONE => "none",
        operand::INT => "int",
        operand::FLOAT => "float",
        operand::TEXT => "string",
        operand::BOOL => "bool",
        operand::SET => "set",
        _ => "unknown",
    }
}
