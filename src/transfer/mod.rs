//! Transfer of flags from one store to another: their definitions travel, their audience does not.
//!
//! [`pack`] takes flags out of one store's definitions with everything that they need, [`import`] puts them into another's. A flag that
//! is new there is off for everybody; one that is published there keeps its audience. Company ids have another meaning there, so they
//! are left behind unless they are requested. Pure functions; the result always passes `check`.

mod flag;
mod import;
mod options;
mod sealed;

pub use import::{ImportResult, import};
pub use options::ImportOptions;
pub use sealed::{ExportKey, Origin, SealError, Sealed, Trusted, open, seal};

use crate::definition::{Condition, Definitions, Flag, did_you_mean, nearest};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Flags with everything that they need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Keys of the requested flags.
    pub asked: BTreeSet<String>,
    /// The requested flags, and those that they require.
    pub flags: BTreeMap<String, Flag>,
    /// The segments used by the flags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub segments: BTreeMap<String, Condition>,
}

/// The reason why flags cannot be transferred. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The flag does not exist.
    #[error("there is no flag {key:?}{}", did_you_mean(near.as_deref()))]
    Unknown {
        /// The key given.
        key: String,
        /// The nearest existing key.
        near: Option<String>,
    },
    /// A flag or a segment that is needed is neither in the bundle nor at the destination.
    #[error("{}", missing(.0))]
    Missing(Vec<(String, String)>),
    /// Rules name companies by their ids.
    #[error("{}: these name companies by their ids, which mean others there; give --with-companies if they are the same", .0.join(", "))]
    Companies(Vec<String>),
    /// A segment differs at the destination, and flags that are not transferred use it.
    #[error("segment {segment} says something else there, where {} it too; let them travel along, or rename the segment", used(.flags))]
    Segment {
        /// The segment's name.
        segment: String,
        /// The flags that use it and are not transferred.
        flags: Vec<String>,
    },
    /// The result has errors.
    #[error("it would not pass `flagstone check`: {0}")]
    Check(String),
}

fn missing(names: &[(String, String)]) -> String {
    let names: Vec<String> = names.iter().map(|(by, name)| format!("{by} needs {name}")).collect();
    format!("{}: neither travels along nor is there", names.join(", "))
}

fn used(flags: &[String]) -> String {
    let verb = if flags.len() == 1 { "uses" } else { "use" };
    format!("{} {verb}", flags.join(", "))
}

/// Takes those flags out of the definitions, or all of them if none is named.
///
/// # Errors
///
/// When a flag does not exist. Definitions that passed `check` hold all that their flags need.
pub fn pack(definitions: &Definitions, flags: &[String]) -> Result<Bundle, TransferError> {
    let flags: Vec<String> = flags.iter().map(|flag| definitions.current_key(flag).to_owned()).collect();
    if let Some(key) = flags.iter().find(|key| !definitions.flags.contains_key(*key)) {
        let near = nearest(key, definitions.flags.keys().map(String::as_str)).map(str::to_owned);
        return Err(TransferError::Unknown { key: key.clone(), near });
    }
    let asked: BTreeSet<String> = match &flags[..] {
        [] => definitions.flags.keys().cloned().collect(),
        flags => flags.iter().cloned().collect(),
    };
    Ok(gathered(asked, &definitions.flags, &definitions.segments))
}

/// Leaves those flags out, with everything that only they need.
///
/// # Errors
///
/// When one of them is not in the bundle.
pub fn without_flags(bundle: &Bundle, skipped: &[String]) -> Result<Bundle, TransferError> {
    let (mut asked, mut flags) = (bundle.asked.clone(), bundle.flags.clone());
    for key in skipped {
        asked.remove(key);
        if flags.remove(key).is_none() {
            let near = nearest(key, bundle.flags.keys().map(String::as_str)).map(str::to_owned);
            return Err(TransferError::Unknown { key: key.clone(), near });
        }
    }
    Ok(gathered(asked, &flags, &bundle.segments))
}

/// The requested flags with everything that they need, as far as it is there.
fn gathered(
    asked: BTreeSet<String>,
    flags: &BTreeMap<String, Flag>,
    segments: &BTreeMap<String, Condition>,
) -> Bundle {
    let mut bundle = Bundle { asked, flags: BTreeMap::new(), segments: BTreeMap::new() };
    let mut due: Vec<&str> = bundle.asked.iter().map(String::as_str).collect();
    let mut used: Vec<&str> = Vec::new();
    while let Some(key) = due.pop() {
        if let Some(flag) = flags.get(key)
            && bundle.flags.insert(key.to_owned(), flag::traveller(flag)).is_none()
        {
            due.extend(flag.requires.iter().map(String::as_str));
            used.extend(flag.rules.iter().flat_map(|rule| used_by(&rule.when)));
        }
    }
    while let Some(name) = used.pop() {
        if let Some(condition) = segments.get(name)
            && bundle.segments.insert(name.to_owned(), condition.clone()).is_none()
        {
            used.extend(used_by(condition));
        }
    }
    bundle
}

/// Removes the companies that flags and stages of plans list: they are not even written into an export.
pub fn without_companies(mut bundle: Bundle) -> Bundle {
    for flag in bundle.flags.values_mut() {
        flag.companies = Default::default();
        for stage in flag.plan.iter_mut().flat_map(|plan| &mut plan.stages) {
            stage.companies = Vec::new();
        }
    }
    bundle
}

/// The segments that a condition names directly.
fn used_by(condition: &Condition) -> Vec<&str> {
    let mut used = Vec::new();
    let mut due = vec![condition];
    while let Some(condition) = due.pop() {
        match condition {
            Condition::All { all: parts } | Condition::Any { any: parts } => due.extend(parts),
            Condition::Not { not } => due.push(not),
            Condition::Segment { segment } => used.push(segment.as_str()),
            Condition::Test { .. } => {}
        }
    }
    used
}

/// True if a condition compares the company.
fn asks_company(condition: &Condition) -> bool {
    match condition {
        Condition::All { all: parts } | Condition::Any { any: parts } => parts.iter().any(asks_company),
        Condition::Not { not } => asks_company(not),
        Condition::Segment { .. } => false,
        Condition::Test { attribute, .. } => attribute == "company",
    }
}
