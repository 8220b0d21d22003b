//! A flag's form in the canonical definitions.
//!
//! The file's version is written as its differences from the flag itself: nothing for most, and for a list of a million companies the
//! few that differ.

use super::company::CompanyId;
use super::condition::Condition;
use super::conflict::KeptConflict;
use super::guard::GuardRule;
use super::model::{Companies, Definitions, FileState, Flag, FlagState, Managed, Rollout, Rule, Variant};
use super::plan::Plan;
use super::progress::{ListChange, PlanState};
use super::schedule::{Emergency, ScheduleStep};
use super::written::FieldSet;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FlagRecord<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<Cow<'a, str>>,
    enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rollout: Option<Cow<'a, Rollout>>,
    #[serde(default, skip_serializing_if = "Companies::is_empty")]
    companies: Cow<'a, Companies>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    requires: Cow<'a, [String]>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    rules: Cow<'a, [Rule]>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    schedule: Cow<'a, [ScheduleStep]>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    variants: Cow<'a, BTreeMap<String, Variant>>,
    #[serde(default, skip_serializing_if = "Emergency::is_off")]
    emergency: Emergency,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plan: Option<Cow<'a, Plan>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guard: Option<Cow<'a, GuardRule>>,
    #[serde(default, skip_serializing_if = "Managed::is_operations")]
    managed: Managed,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    was: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<StateRecord<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateRecord<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    orphaned: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plan: Option<Cow<'a, PlanState>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<FileRecord<'a>>,
}

/// Differences from the flag that runs to the file's version.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRecord<'a> {
    /// Members of the flag, companies apart, that differ in the file; null: absent there.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    said: Map<String, Value>,
    #[serde(default, skip_serializing_if = "ListChange::is_empty")]
    allow: ListChange,
    #[serde(default, skip_serializing_if = "ListChange::is_empty")]
    deny: ListChange,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    conflicts: Cow<'a, [KeptConflict]>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    shared: Cow<'a, BTreeMap<String, String>>,
}

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let state = &self.state;
        let file = state.file.as_deref().map(|file| file_record(self, file)).transpose();
        let file = file.map_err(S::Error::custom)?;
        let kept = !state.is_empty();
        let state =
            StateRecord { orphaned: state.orphaned, plan: state.plan.as_ref().map(Cow::Borrowed), file };
        record(self, kept.then_some(state)).serialize(serializer)
    }
}

/// The canonical definitions without the state that a store keeps. Flags are not copied: their lists may be long.
pub(super) fn without_state(definitions: &Definitions) -> Vec<u8> {
    #[derive(Serialize)]
    struct Plain<'a> {
        flags: BTreeMap<&'a str, FlagRecord<'a>>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        segments: &'a BTreeMap<String, Condition>,
    }
    let flags = definitions.flags.iter().map(|(key, flag)| (key.as_str(), record(flag, None)));
    let plain = Plain { flags: flags.collect(), segments: &definitions.segments };
    serde_json::to_vec(&plain).unwrap_or_default()
}

fn record<'a>(flag: &'a Flag, state: Option<StateRecord<'a>>) -> FlagRecord<'a> {
    FlagRecord {
        description: flag.description.as_deref().map(Cow::Borrowed),
        owner: flag.owner.as_deref().map(Cow::Borrowed),
        enabled: flag.enabled,
        rollout: flag.rollout.as_ref().map(Cow::Borrowed),
        companies: Cow::Borrowed(&flag.companies),
        requires: Cow::Borrowed(&flag.requires),
        rules: Cow::Borrowed(&flag.rules),
        schedule: Cow::Borrowed(&flag.schedule),
        variants: Cow::Borrowed(&flag.variants),
        emergency: flag.emergency,
        expires: flag.expires.as_deref().map(Cow::Borrowed),
        plan: flag.plan.as_ref().map(Cow::Borrowed),
        guard: flag.guard.as_ref().map(Cow::Borrowed),
        managed: flag.managed,
        was: flag.was.as_deref().map(Cow::Borrowed),
        state,
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let record = FlagRecord::deserialize(deserializer)?;
        let mut flag = Flag {
            description: record.description.map(Cow::into_owned),
            owner: record.owner.map(Cow::into_owned),
            enabled: record.enabled,
            rollout: record.rollout.map(Cow::into_owned),
            companies: record.companies.into_owned(),
            requires: record.requires.into_owned(),
            rules: record.rules.into_owned(),
            schedule: record.schedule.into_owned(),
            variants: record.variants.into_owned(),
            emergency: record.emergency,
            expires: record.expires.map(Cow::into_owned),
            plan: record.plan.map(Cow::into_owned),
            guard: record.guard.map(Cow::into_owned),
            managed: record.managed,
            was: record.was.map(Cow::into_owned),
            state: FlagState::default(),
            written: FieldSet::ALL,
        };
        if let Some(state) = record.state {
            let file =
                state.file.map(|file| file_state(&flag, file)).transpose().map_err(D::Error::custom)?;
            flag.state = FlagState {
                orphaned: state.orphaned,
                plan: state.plan.map(Cow::into_owned),
                file: file.map(Arc::new),
            };
        }
        Ok(flag)
    }
}

fn file_record<'a>(flag: &Flag, file: &'a FileState) -> Result<FileRecord<'a>, serde_json::Error> {
    let base = &file.base;
    let mut said = Map::new();
    if !same_but_for_companies(flag, base) {
        let (is, was) = (members(flag)?, members(base)?);
        for name in is.keys().chain(was.keys()) {
            if is.get(name) != was.get(name) && !said.contains_key(name) {
                said.insert(name.clone(), was.get(name).cloned().unwrap_or_default());
            }
        }
    }
    Ok(FileRecord {
        said,
        allow: change(&flag.companies.allow, &base.companies.allow),
        deny: change(&flag.companies.deny, &base.companies.deny),
        conflicts: Cow::Borrowed(&file.conflicts),
        shared: Cow::Borrowed(&file.shared),
    })
}

fn file_state(flag: &Flag, file: FileRecord) -> Result<FileState, serde_json::Error> {
    let mut base = match file.said.is_empty() {
        true => Flag { state: FlagState::default(), companies: Companies::default(), ..flag.clone() },
        false => {
            let mut members = members(flag)?;
            for (name, value) in file.said {
                match value {
                    Value::Null => members.remove(&name),
                    value => members.insert(name, value),
                };
            }
            serde_json::from_value(Value::Object(members))?
        }
    };
    base.companies.allow = changed(&flag.companies.allow, &file.allow);
    base.companies.deny = changed(&flag.companies.deny, &file.deny);
    Ok(FileState { base, conflicts: file.conflicts.into_owned(), shared: file.shared.into_owned() })
}

/// The flag's members without its companies and its state.
fn members(flag: &Flag) -> Result<Map<String, Value>, serde_json::Error> {
    let mut record = record(flag, None);
    record.companies = Cow::Owned(Companies::default());
    match serde_json::to_value(record)? {
        Value::Object(members) => Ok(members),
        _ => Ok(Map::new()),
    }
}

fn same_but_for_companies(a: &Flag, b: &Flag) -> bool {
    let Flag {
        description,
        owner,
        enabled,
        rollout,
        companies: _,
        requires,
        rules,
        schedule,
        variants,
        emergency,
        expires,
        plan,
        guard,
        managed,
        was,
        state: _,
        written: _,
    } = a;
    (description, owner, enabled, rollout) == (&b.description, &b.owner, &b.enabled, &b.rollout)
        && (requires, rules, schedule, variants) == (&b.requires, &b.rules, &b.schedule, &b.variants)
        && (emergency, expires, plan) == (&b.emergency, &b.expires, &b.plan)
        && (guard, managed, was) == (&b.guard, &b.managed, &b.was)
}

/// The difference between two sorted lists.
fn change(from: &[CompanyId], to: &[CompanyId]) -> ListChange {
    if from == to {
        return ListChange::default();
    }
    let missing = |of: &[CompanyId], list: &[CompanyId]| -> Vec<CompanyId> {
        list.iter().filter(|id| of.binary_search(id).is_err()).cloned().collect()
    };
    ListChange { added: missing(from, to), removed: missing(to, from) }
}

fn changed(list: &[CompanyId], change: &ListChange) -> Vec<CompanyId> {
    let stays = list.iter().filter(|id| change.removed.binary_search(id).is_err());
    let mut changed: Vec<CompanyId> = stays.chain(&change.added).cloned().collect();
    if !change.added.is_empty() {
        changed.sort_unstable();
        changed.dedup();
    }
    changed
}
