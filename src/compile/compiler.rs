//! State of a compilation: the tables that grow, and the numbers of names.

use super::lists::Lists;
use super::strings::Strings;
use crate::definition::{Condition, Definitions, Flag};
use crate::snapshot::format::{
    CellRecord, FlagRecord, NONE, RuleRecord, StepRecord, TestRecord, VariantRecord,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(super) struct Compiler<'a> {
    pub(super) definitions: &'a Definitions,
    pub(super) strings: Strings<'a>,
    pub(super) cells: Vec<CellRecord>,
    pub(super) attributes: BTreeMap<&'a str, u32>,
    pub(super) numbers: HashMap<&'a str, u32>,
    pub(super) flags: Vec<FlagRecord>,
    pub(super) links: Vec<u32>,
    pub(super) rules: Vec<RuleRecord>,
    pub(super) tests: Vec<TestRecord>,
    pub(super) steps: Vec<StepRecord>,
    pub(super) variants: Vec<VariantRecord>,
    pub(super) lists: Lists,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(definitions: &'a Definitions) -> Compiler<'a> {
        let mut names = BTreeSet::new();
        for flag in definitions.flags.values() {
            names.extend(flag.rollout.iter().map(|rollout| rollout.by.as_str()));
            flag.rules.iter().for_each(|rule| read_attributes(&rule.when, &mut names));
        }
        definitions.segments.values().for_each(|condition| read_attributes(condition, &mut names));
        names.retain(|name| *name != "company" && *name != "now");
        Compiler {
            definitions,
            strings: Strings::default(),
            cells: Vec::new(),
            attributes: names.into_iter().zip(0..).collect(),
            numbers: records(definitions).into_keys().zip(0..).collect(),
            flags: Vec::with_capacity(definitions.flags.len()),
            links: Vec::new(),
            rules: Vec::new(),
            tests: Vec::new(),
            steps: Vec::new(),
            variants: Vec::new(),
            lists: Lists::default(),
        }
    }

    /// The number of a context attribute. `new` numbered every name that conditions use.
    pub(super) fn attribute(&self, name: &str) -> u32 {
        self.attributes.get(name).copied().unwrap_or(NONE)
    }
}

/// Flags by each name that they answer to: their keys and their former keys.
pub(super) fn records(definitions: &Definitions) -> BTreeMap<&str, (&str, &Flag)> {
    let mut records: BTreeMap<&str, (&str, &Flag)> = BTreeMap::new();
    for (key, flag) in &definitions.flags {
        if let Some(was) = &flag.was {
            records.entry(was).or_insert((key, flag));
        }
    }
    records.extend(definitions.flags.iter().map(|(key, flag)| (key.as_str(), (key.as_str(), flag))));
    records
}

/// The attributes that the condition itself reads, without those of its segments.
fn read_attributes<'a>(condition: &'a Condition, names: &mut BTreeSet<&'a str>) {
    match condition {
        Condition::All { all: parts } | Condition::Any { any: parts } => {
            parts.iter().for_each(|part| read_attributes(part, names));
        }
        Condition::Not { not } => read_attributes(not, names),
        Condition::Segment { .. } => {}
        Condition::Test { attribute, .. } => {
            names.insert(attribute);
        }
    }
}
