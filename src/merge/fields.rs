//! The fields of a flag: the one table for publish, drift, `--reset` and `pull`, and the one that the documentation is compared with.

use crate::definition::{FieldSet, Flag, ListDifference, Percentage, Rollout, ScheduleStep};
use crate::time;
use serde_json::Value;

/// A field of a flag.
#[derive(Debug)]
pub struct Field {
    /// The name in definitions: `percentage`.
    pub name: &'static str,
    /// The bits that mark it as written.
    pub(super) written: FieldSet,
    /// True if both flags have the same value, however they write it.
    pub(super) same: fn(&Flag, &Flag) -> bool,
    /// Copies the second flag's value to the first.
    pub(super) take: fn(&mut Flag, &Flag),
    /// The value for people; long lists are shown elsewhere.
    pub(super) value: fn(&Flag) -> Value,
}

macro_rules! field {
    ($name:ident $written:ident) => {
        Field {
            name: stringify!($name),
            written: FieldSet::$written,
            same: |a, b| a.$name == b.$name,
            take: |flag, from| flag.$name.clone_from(&from.$name),
            value: |flag| json(&flag.$name),
        }
    };
}

macro_rules! of_rollout {
    ($name:ident $written:ident) => {
        Field {
            name: stringify!($name),
            written: FieldSet::$written,
            same: |a, b| rollout(a).$name == rollout(b).$name,
            take: |flag, from| {
                if let Some(to) = rollout_of(flag, from) {
                    to.$name = rollout(from).$name;
                }
            },
            value: |flag| json(&rollout(flag).$name),
        }
    };
}

/// Every field; first the switches.
pub const FIELDS: [Field; 17] = [
    field!(enabled ENABLED),
    // Includes the schedule: lowering a percentage is no consent to a schedule that the file adds.
    Field {
        name: "percentage",
        written: FieldSet::PERCENTAGE,
        same: |a, b| {
            rollout(a).percentage == rollout(b).percentage && instants(&a.schedule).eq(instants(&b.schedule))
        },
        take: |flag, from| {
            if let Some(to) = rollout_of(flag, from) {
                to.percentage = rollout(from).percentage;
            }
            flag.schedule.clone_from(&from.schedule);
        },
        value: |flag| match flag.schedule.is_empty() {
            true => json(&rollout(flag).percentage),
            false => {
                serde_json::json!({ "percentage": rollout(flag).percentage, "schedule": flag.schedule })
            }
        },
    },
    // Merged company by company, see `companies`.
    Field {
        name: COMPANIES,
        written: FieldSet::NONE,
        same: |a, b| a.companies == b.companies,
        take: |flag, from| flag.companies.clone_from(&from.companies),
        value: |flag| json(&flag.companies),
    },
    field!(emergency EMERGENCY),
    of_rollout!(by BY),
    of_rollout!(salt SALT),
    of_rollout!(bucketing BUCKETING),
    field!(requires REQUIRES),
    field!(rules RULES),
    field!(variants VARIANTS),
    field!(plan PLAN),
    field!(guard GUARD),
    field!(managed MANAGED),
    // Merged before all others, see `rename`.
    field!(was WAS),
    field!(expires EXPIRES),
    field!(description DESCRIPTION),
    field!(owner OWNER),
];

/// The field whose parts are merged individually.
pub(super) const COMPANIES: &str = "companies";

/// The field with the former key.
pub(super) const FORMER_KEY: &str = "was";

/// Number of fields that commands and plans change in the store.
const SWITCHES: usize = 4;

impl Field {
    /// Finds a field by name; `rollout.percentage` is `percentage`, which includes the schedule.
    pub fn named(name: &str) -> Option<&'static Field> {
        let name = name.strip_prefix("rollout.").unwrap_or(name);
        let name = if name == "schedule" { "percentage" } else { name };
        FIELDS.iter().find(|field| field.name == name)
    }

    /// True if commands and plans change it in the store.
    pub fn is_switch(&self) -> bool {
        FIELDS.iter().take(SWITCHES).any(|field| field.name == self.name)
    }

    /// True if answers depend on it.
    pub(super) fn is_answering(&self) -> bool {
        crate::definition::is_answering(self.name)
    }
}

/// Differences of the two lists of companies, with the first ten of each.
pub(super) fn companies(running: &Flag, file: &Flag) -> [ListDifference; 2] {
    const MAX_SHOWN_COMPANIES: usize = 10;
    let (is, says) = (&running.companies, &file.companies);
    [(&says.allow, &is.allow), (&says.deny, &is.deny)]
        .map(|(says, is)| ListDifference::between(says, is, MAX_SHOWN_COMPANIES))
}

/// A flag's rollout, written or default.
fn rollout(flag: &Flag) -> Rollout {
    flag.rollout.clone().unwrap_or_else(Rollout::everybody)
}

/// The rollout of a flag to write into: `None` if neither flag writes one.
fn rollout_of<'f>(flag: &'f mut Flag, from: &Flag) -> Option<&'f mut Rollout> {
    if flag.rollout.is_none() && from.rollout.is_some() {
        flag.rollout = Some(rollout(flag));
    }
    flag.rollout.as_mut()
}

fn instants(steps: &[ScheduleStep]) -> impl Iterator<Item = (Option<i64>, Percentage)> {
    steps.iter().map(|step| (time::parse_rfc3339(step.at.as_bytes()), step.percentage))
}

fn json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_of_a_flag_is_forgotten() {
        // Adding a field to a flag fails to compile here: decide how it merges.
        let Flag {
            description: _,
            owner: _,
            enabled: _,
            rollout: _,
            companies: _,
            requires: _,
            rules: _,
            schedule: _,
            variants: _,
            emergency: _,
            expires: _,
            plan: _,
            guard: _,
            managed: _,
            was: _,
            state: _,
            written: _,
        } = Flag::new(true);
        let Rollout { percentage: _, by: _, salt: _, bucketing: _ } = rollout(&Flag::new(true));
        let mut names: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
        names.sort_unstable();
        names.dedup();
        // The flag's but for `rollout`, `schedule`, `state` and `written`, and the rollout's.
        assert_eq!(names.len(), 17 - 4 + 4);
        assert_eq!(Field::named("rollout.percentage").map(|field| field.name), Some("percentage"));
        assert_eq!(Field::named("schedule").map(|field| field.name), Some("percentage"));
        assert!(Field::named("rollouts").is_none());
        let switches: Vec<_> =
            FIELDS.iter().filter(|field| field.is_switch()).map(|field| field.name).collect();
        assert_eq!(switches, ["enabled", "percentage", "companies", "emergency"]);
    }
}
