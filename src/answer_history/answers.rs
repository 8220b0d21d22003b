//! Answers of flags at one moment.

use super::state::{HistoryQuery, State};
use crate::definition::{CompanyId, Condition, Definitions, Flag, Test};
use crate::eval::{Question, Reason, Switches, evaluate, missing, variant};
use crate::key::Key;
use crate::snapshot::Snapshot;
use crate::time::parse_rfc3339;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// An answer at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PastAnswer {
    /// True if the flag was on.
    pub on: bool,
    /// The deciding step.
    #[serde(serialize_with = "word")]
    pub reason: Reason,
    /// The percentage that decided, in thousandths of a percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thousandths: Option<u32>,
    /// The required flag that is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prerequisite: Option<String>,
    /// The variant shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Attributes that the flag reads and the question lacks.
    #[serde(skip)]
    pub lacking: Vec<String>,
}

fn word<S: serde::Serializer>(reason: &Reason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(reason.as_str())
}

impl PastAnswer {
    /// True if the application saw no difference.
    pub(super) fn same_answer(&self, other: &PastAnswer) -> bool {
        (self.on, &self.variant) == (other.on, &other.variant)
    }

    fn unknown_flag() -> PastAnswer {
        let reason = Reason::UnknownFlag;
        PastAnswer {
            on: false,
            reason,
            thousandths: None,
            prerequisite: None,
            variant: None,
            lacking: Vec::new(),
        }
    }
}

/// The answers of those flags; unknown ones are left out.
pub(super) fn answers(
    environment: &str,
    state: &State,
    flags: &BTreeSet<String>,
    asked: &HistoryQuery,
    now: i64,
) -> BTreeMap<String, PastAnswer> {
    if state.unknown.all || flags.is_empty() {
        return BTreeMap::new();
    }
    let part = part(state, flags);
    let compiled = crate::compile(&part, environment).ok();
    let Some(snapshot) = compiled.and_then(|bytes| Snapshot::from_bytes(&bytes).ok()) else {
        return BTreeMap::new();
    };
    let switches = Switches::new(&snapshot, state.killed.iter().map(String::as_bytes), state.stopped);
    let company = match asked.company {
        CompanyId::Int(id) => Key::Int(*id),
        CompanyId::Text(id) => Key::Text(id.as_bytes()),
    };
    let question = Question { company: Some(company), context: asked.context, now };
    let mut answers = BTreeMap::new();
    for key in flags {
        let Some(id) = snapshot.find(key.as_bytes()) else {
            if !state.definitions.flags.contains_key(key) && !state.unknown.flags.contains(key) {
                answers.insert(key.clone(), PastAnswer::unknown_flag());
            }
            continue;
        };
        let answer = evaluate(&snapshot, &switches, id, &question);
        let shown = if answer.on { variant(&snapshot, id, &question) } else { None };
        let said = PastAnswer {
            on: answer.on,
            reason: answer.reason,
            thousandths: answer.percentage,
            prerequisite: answer.blocker.map(|blocker| snapshot.flag_key(blocker).to_owned()),
            variant: shown.map(|variant| variant.name.to_owned()),
            lacking: missing(&snapshot, id, asked.context).map(str::to_owned).collect(),
        };
        answers.insert(key.clone(), said);
    }
    answers
}

/// The flags and all that they require, unless a part that they depend on is unknown.
fn part(state: &State, flags: &BTreeSet<String>) -> Definitions {
    let mut part = Definitions { segments: state.definitions.segments.clone(), ..Definitions::default() };
    let mut told: BTreeMap<&str, bool> = BTreeMap::new();
    for key in flags {
        let mut closure: BTreeSet<&str> = BTreeSet::new();
        let mut due = vec![key.as_str()];
        let mut known = true;
        while let Some(key) = due.pop() {
            if !closure.insert(key) {
                continue;
            }
            known &= *told.entry(key).or_insert_with(|| told_itself(state, key));
            due.extend(
                state
                    .definitions
                    .flags
                    .get(key)
                    .into_iter()
                    .flat_map(|flag| &flag.requires)
                    .map(String::as_str),
            );
        }
        for key in closure.into_iter().filter(|_| known) {
            if let Some(flag) = state.definitions.flags.get(key) {
                part.flags.insert(key.to_owned(), flag.clone());
            }
        }
    }
    part
}

/// True if the flag's own fields, and the segments that it uses, are known.
fn told_itself(state: &State, key: &str) -> bool {
    let Some(flag) = state.definitions.flags.get(key) else { return false };
    !state.unknown.flags.contains(key)
        && segments(flag, &state.definitions).iter().all(|name| !state.unknown.segments.contains(*name))
}

/// Adds the flags that use one of the segments, and those that require one of all these, in either definitions.
pub(super) fn affected(
    definitions: [&Definitions; 2],
    flags: BTreeSet<String>,
    changed: &BTreeSet<String>,
) -> BTreeSet<String> {
    let mut affected = flags;
    for definitions in definitions {
        let mut requiring: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (key, flag) in &definitions.flags {
            for required in &flag.requires {
                requiring.entry(required).or_default().push(key);
            }
            if !changed.is_empty() && segments(flag, definitions).iter().any(|name| changed.contains(*name)) {
                affected.insert(key.clone());
            }
        }
        let mut due: Vec<String> = affected.iter().cloned().collect();
        while let Some(key) = due.pop() {
            for dependent in requiring.get(key.as_str()).into_iter().flatten() {
                if affected.insert((*dependent).to_owned()) {
                    due.push((*dependent).to_owned());
                }
            }
        }
    }
    affected
}

/// The segments that the flag uses, directly or through others.
pub(super) fn segments<'a>(flag: &'a Flag, definitions: &'a Definitions) -> BTreeSet<&'a str> {
    let mut used = BTreeSet::new();
    each_condition(flag, definitions, &mut used, &mut |_, _| {});
    used
}

/// Moments at which time alone may change the answer, in microseconds since 1970.
pub(super) fn instants(flag: &Flag, definitions: &Definitions) -> BTreeSet<i64> {
    let mut instants: BTreeSet<i64> =
        flag.schedule.iter().filter_map(|step| parse_rfc3339(step.at.as_bytes())).collect();
    each_condition(flag, definitions, &mut BTreeSet::new(), &mut |attribute, test| {
        if let ("now", Test::Before(at) | Test::After(at)) = (attribute, test)
            && let Some(at) = parse_rfc3339(at.as_bytes())
        {
            // `after` holds from the next microsecond on.
            instants.extend([at, at.saturating_add(1)]);
        }
    });
    instants
}

fn each_condition<'a>(
    flag: &'a Flag,
    definitions: &'a Definitions,
    used: &mut BTreeSet<&'a str>,
    each: &mut dyn FnMut(&str, &Test),
) {
    let mut due: Vec<&Condition> = flag.rules.iter().map(|rule| &rule.when).collect();
    while let Some(condition) = due.pop() {
        match condition {
            Condition::All { all: parts } | Condition::Any { any: parts } => due.extend(parts),
            Condition::Not { not } => due.push(not),
            Condition::Test { attribute, test } => each(attribute, test),
            Condition::Segment { segment } => {
                if used.insert(segment) {
                    due.extend(definitions.segments.get(segment));
                }
            }
        }
    }
}
