//! Compiles flags to records.

use super::compiler::{Compiler, records};
use super::error::{CompileError, at_most};
use super::{index, lower, values, write};
use crate::definition::{Bucketing, Condition, Emergency, Flag};
use crate::eval::{seed, variant_seed};
use crate::snapshot::format::{
    ATTRIBUTE_COMPANY, AttributeRecord, BIT_CRC32, BIT_ENABLED, BIT_KEEP, BIT_ROLLOUT, FlagRecord, MAX_KEY,
    MAX_PROBE, MAX_REQUIRES, MAX_RULES, MAX_TESTS, RuleRecord, SHAPE_COMPANY_ROLLOUT, SHAPE_GENERAL,
    SHAPE_LISTS_AND_ROLLOUT, SHAPE_OFF, SHAPE_ON, StepRecord, VariantRecord,
};
use crate::snapshot::key_hash;
use crate::time;
use std::collections::BTreeSet;

/// The threshold of 100 %.
const FULL: u32 = 100_000;

/// Maximum number of flags, so that every table's numbers stay far from the reserved ones.
const MAX_FLAGS: u64 = 1_000_000;

impl<'a> Compiler<'a> {
    pub(super) fn flags(&mut self) -> Result<(), CompileError> {
        let records = records(self.definitions);
        let (found, limit) = (records.len() as u64, MAX_FLAGS);
        if found > limit {
            return Err(CompileError::TooMany { what: "flags", found, limit });
        }
        for (name, (key, flag)) in records {
            at_most("bytes of a flag's key", name.len(), MAX_KEY)?;
            at_most("rules of a flag", flag.rules.len(), MAX_RULES)?;
            let record = self.flag(name, key, flag)?;
            self.flags.push(record);
        }
        Ok(())
    }

    /// The record under which the flag `key` answers to `name`: its key or its former key.
    fn flag(&mut self, name: &'a str, key: &'a str, flag: &'a Flag) -> Result<FlagRecord, CompileError> {
        let (key_offset, key_length) = self.strings.add(name);
        let rollout = flag.rollout.as_ref();
        let salt = flag.salt(key).as_bytes();
        let current = if name == key { None } else { self.numbers.get(key).copied() };
        let threshold = rollout.map_or(FULL, |rollout| rollout.percentage.thousandths());
        let crc32 = rollout.is_some_and(|rollout| rollout.bucketing == Bucketing::Crc32);
        let by = match rollout.map_or("company", |rollout| &rollout.by) {
            "company" => ATTRIBUTE_COMPANY,
            name => self.attribute(name),
        };
        let bits = [
            (flag.enabled, BIT_ENABLED),
            (flag.emergency == Emergency::Keep, BIT_KEEP),
            (crc32, BIT_CRC32),
            (rollout.is_some(), BIT_ROLLOUT),
        ];
        let closure = self.closure(key)?;
        at_most("flags that a flag requires", closure.len(), MAX_REQUIRES)?;
        let needs = self.needs(key, &closure);
        let closure: Vec<u32> = closure.iter().filter_map(|key| self.numbers.get(key).copied()).collect();
        let plain = closure.is_empty() && flag.rules.is_empty() && flag.schedule.is_empty();
        let by_company = by == ATTRIBUTE_COMPANY && !crc32;
        let shape = match (flag.enabled, plain, flag.companies.is_empty(), threshold) {
            (false, ..) => SHAPE_OFF,
            (true, true, true, FULL) => SHAPE_ON,
            (true, true, true, _) if by_company => SHAPE_COMPANY_ROLLOUT,
            (true, true, false, _) if by_company => SHAPE_LISTS_AND_ROLLOUT,
            _ => SHAPE_GENERAL,
        };
        let requires_count = closure.len() as u32;
        let needs_count = needs.len() as u32;
        let record = FlagRecord {
            hash: key_hash(name.as_bytes()).into(),
            key_offset: key_offset.into(),
            key_length: (key_length as u16).into(),
            shape,
            bits: bits.iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum(),
            seed: seed(salt).into(),
            threshold: threshold.into(),
            by: by.into(),
            variant_seed: variant_seed(salt).into(),
            requires: append(&mut self.links, closure).into(),
            requires_count: requires_count.into(),
            needs: append(&mut self.links, needs).into(),
            needs_count: needs_count.into(),
            rules: self.rules(key, flag)?.into(),
            rules_count: (flag.rules.len() as u32).into(),
            steps: self.steps(key, flag)?.into(),
            steps_count: (flag.schedule.len() as u32).into(),
            variants: self.variants(flag).into(),
            variants_count: (flag.variants.len() as u32).into(),
            allow: self.lists.add(&flag.companies.allow)?.into(),
            deny: self.lists.add(&flag.companies.deny)?.into(),
            current: current.map_or(0, |number| number + 1).into(),
            reserved: [0; 36],
        };
        Ok(record)
    }

    /// All flags that it requires, directly and through others, each once and after those that it requires itself.
    fn closure(&self, flag: &'a str) -> Result<Vec<&'a str>, CompileError> {
        let mut done = Vec::new();
        let mut path = vec![(flag, self.required(flag))];
        while let Some((current, open)) = path.last_mut() {
            let current = *current;
            match open.split_first() {
                None => {
                    path.pop();
                    if !path.is_empty() {
                        done.push(current);
                    }
                }
                Some((next, rest)) => {
                    *open = rest;
                    if path.iter().any(|(above, _)| above == next) {
                        return Err(CompileError::Cycle { flag: flag.to_owned() });
                    }
                    if !self.numbers.contains_key(next.as_str()) {
                        return Err(CompileError::UnknownFlag {
                            flag: current.to_owned(),
                            missing: next.clone(),
                        });
                    }
                    if !done.contains(&next.as_str()) {
                        path.push((next, self.required(next)));
                    }
                }
            }
        }
        Ok(done)
    }

    fn required(&self, flag: &str) -> &'a [String] {
        self.definitions.flags.get(flag).map_or(&[], |flag| &flag.requires)
    }

    /// The context attributes that the flag and its requirements can read, by number.
    fn needs(&self, flag: &'a str, closure: &[&'a str]) -> Vec<u32> {
        let mut names = BTreeSet::new();
        for flag in closure.iter().chain([&flag]).filter_map(|key| self.definitions.flags.get(*key)) {
            names.extend(flag.rollout.iter().map(|rollout| rollout.by.as_str()));
            let mut seen = BTreeSet::new();
            for rule in &flag.rules {
                self.condition_needs(&rule.when, &mut names, &mut seen);
            }
        }
        names.into_iter().filter_map(|name| self.attributes.get(name).copied()).collect()
    }

    fn condition_needs(
        &self,
        condition: &'a Condition,
        names: &mut BTreeSet<&'a str>,
        seen: &mut BTreeSet<&'a str>,
    ) {
        match condition {
            Condition::All { all: parts } | Condition::Any { any: parts } => {
                parts.iter().for_each(|part| self.condition_needs(part, names, seen));
            }
            Condition::Not { not } => self.condition_needs(not, names, seen),
            Condition::Segment { segment } => {
                if let Some(condition) = self.definitions.segments.get(segment)
                    && seen.insert(segment)
                {
                    self.condition_needs(condition, names, seen);
                }
            }
            Condition::Test { attribute, .. } => {
                names.insert(attribute);
            }
        }
    }

    fn rules(&mut self, key: &'a str, flag: &'a Flag) -> Result<u32, CompileError> {
        let (first, tests_before) = (self.rules.len() as u32, self.tests.len());
        for rule in &flag.rules {
            let tests = lower::lower(self, key, &rule.when)?;
            at_most("comparisons of a flag", self.tests.len() - tests_before + tests.len(), MAX_TESTS)?;
            let (name_offset, name_length) = self.strings.add(rule.name.as_deref().unwrap_or(""));
            self.rules.push(RuleRecord {
                name_offset: name_offset.into(),
                name_length: name_length.into(),
                tests_count: (tests.len() as u32).into(),
                tests: append(&mut self.tests, tests).into(),
                threshold: rule.percentage.map_or(FULL, |percentage| percentage.thousandths()).into(),
                reserved: [0; 12],
            });
        }
        Ok(first)
    }

    fn steps(&mut self, key: &str, flag: &Flag) -> Result<u32, CompileError> {
        let mut steps = Vec::with_capacity(flag.schedule.len());
        for step in &flag.schedule {
            let at = time::parse_rfc3339(step.at.as_bytes()).ok_or_else(|| CompileError::Operand {
                flag: key.to_owned(),
                found: step.at.clone(),
                expected: "an RFC 3339 time with an offset",
            })?;
            let threshold = step.percentage.thousandths().into();
            steps.push(StepRecord { at: at.into(), threshold, reserved: 0.into() });
        }
        steps.sort_by_key(|step| step.at.get());
        Ok(append(&mut self.steps, steps))
    }

    fn variants(&mut self, flag: &'a Flag) -> u32 {
        let first = self.variants.len() as u32;
        let mut upper = 0;
        for (name, variant) in &flag.variants {
            let (name_offset, name_length) = self.strings.add(name);
            upper = (upper + variant.weight.thousandths()).min(FULL);
            let value =
                variant.value.as_ref().map(|value| values::add(&mut self.cells, &mut self.strings, value));
            self.variants.push(VariantRecord {
                name_offset: name_offset.into(),
                name_length: name_length.into(),
                upper: upper.into(),
                has_value: u32::from(value.is_some()).into(),
                value: value.unwrap_or(0).into(),
                reserved: [0; 12],
            });
        }
        first
    }

    pub(super) fn finish(mut self, environment: &'a str) -> Result<Vec<u8>, CompileError> {
        let attributes: Vec<AttributeRecord> = self
            .attributes
            .keys()
            .map(|name| {
                let (name_offset, name_length) = self.strings.add(name);
                AttributeRecord {
                    hash: key_hash(name.as_bytes()).into(),
                    name_offset: name_offset.into(),
                    name_length: name_length.into(),
                }
            })
            .collect();
        let (environment_offset, environment_length) = self.strings.add(environment);
        let (slots, index_probe) = index::build(&self.flags);
        at_most("flags whose keys' hashes lie together", index_probe as usize, MAX_PROBE)?;
        write::write(&write::Parts {
            flag_count: self.flags.len() as u32,
            index_probe,
            environment: (environment_offset, environment_length),
            strings: self.strings.finish()?,
            index: slots,
            flags: self.flags,
            attributes,
            links: self.links,
            rules: self.rules,
            tests: self.tests,
            steps: self.steps,
            variants: self.variants,
            cells: self.cells,
            lists: self.lists,
            definitions: self.definitions.to_canonical_json(),
        })
    }
}

/// Appends `entries` and returns the number of the first.
fn append<T>(table: &mut Vec<T>, entries: Vec<T>) -> u32 {
    let first = table.len() as u32;
    table.extend(entries);
    first
}
