//! Whose each field of a flag is. The one table that publish, drift, reset and pull go by, and the documentation is compared with.

use crate::definition::{Flag, ListDifference, Percentage, Rollout, Step};
use crate::eval::time;
use serde_json::Value;

/// Who decides what a field says once the flag is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The file, which is kept with the code.
    Code,
    /// Those who run it; a file gives the first value only.
    Operations,
}

/// One field of a flag.
#[derive(Debug)]
pub struct Field {
    /// As people write it: `percentage`.
    pub name: &'static str,
    /// Whose it is, where the flag does not say `"managed": "git"`.
    pub owner: Owner,
    /// Whether both flags say the same, however they write it.
    pub(super) same: fn(&Flag, &Flag) -> bool,
    /// Has the first flag say what the second says.
    pub(super) take: fn(&mut Flag, &Flag),
    /// What it says, for people; long lists are told elsewhere.
    pub(super) value: fn(&Flag) -> Value,
}

macro_rules! field {
    ($owner:ident $name:ident) => {
        Field {
            name: stringify!($name),
            owner: Owner::$owner,
            same: |a, b| a.$name == b.$name,
            take: |flag, from| flag.$name.clone_from(&from.$name),
            value: |flag| json(&flag.$name),
        }
    };
}

macro_rules! of_rollout {
    ($owner:ident $name:ident) => {
        Field {
            name: stringify!($name),
            owner: Owner::$owner,
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

/// Every field, the order that of the definition's documentation.
pub const FIELDS: [Field; 17] = [
    field!(Operations enabled),
    of_rollout!(Operations percentage),
    Field {
        name: "schedule",
        owner: Owner::Operations,
        same: |a, b| instants(&a.schedule).eq(instants(&b.schedule)),
        take: |flag, from| flag.schedule.clone_from(&from.schedule),
        value: |flag| json(&flag.schedule),
    },
    field!(Operations companies),
    field!(Operations emergency),
    of_rollout!(Code by),
    of_rollout!(Code salt),
    of_rollout!(Code bucketing),
    field!(Code requires),
    field!(Code rules),
    field!(Code variants),
    field!(Code plan),
    field!(Code guard),
    field!(Code managed),
    field!(Code expires),
    field!(Code description),
    field!(Code owner),
];

impl Field {
    /// The field of that name; `rollout.percentage` is `percentage`.
    pub fn named(name: &str) -> Option<&'static Field> {
        let name = name.strip_prefix("rollout.").unwrap_or(name);
        FIELDS.iter().find(|field| field.name == name)
    }

    /// Those that operations own.
    pub fn operational() -> impl Iterator<Item = &'static Field> {
        FIELDS.iter().filter(|field| field.owner == Owner::Operations)
    }
}

/// What two lists of companies differ in, with the first ten of each.
pub(super) fn companies(running: &Flag, file: &Flag) -> [ListDifference; 2] {
    const FIRST: usize = 10;
    let (is, says) = (&running.companies, &file.companies);
    [(&says.allow, &is.allow), (&says.deny, &is.deny)]
        .map(|(says, is)| ListDifference::between(says, is, FIRST))
}

/// What a flag says of its rollout, written or not.
fn rollout(flag: &Flag) -> Rollout {
    flag.rollout.clone().unwrap_or_else(Rollout::everybody)
}

/// The rollout of a flag to write into: none if neither flag writes one.
fn rollout_of<'f>(flag: &'f mut Flag, from: &Flag) -> Option<&'f mut Rollout> {
    if flag.rollout.is_none() && from.rollout.is_some() {
        flag.rollout = Some(rollout(flag));
    }
    flag.rollout.as_mut()
}

fn instants(steps: &[Step]) -> impl Iterator<Item = (Option<i64>, Percentage)> {
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
        // Whoever adds a field to a flag is led here, to say whose it is.
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
            state: _,
        } = Flag::new(true);
        let Rollout { percentage: _, by: _, salt: _, bucketing: _ } = rollout(&Flag::new(true));
        let mut names: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
        names.sort_unstable();
        names.dedup();
        // The flag's but for `rollout` and `state`, and the rollout's.
        assert_eq!(names.len(), 15 - 2 + 4);
        assert_eq!(Field::named("rollout.percentage").map(|field| field.name), Some("percentage"));
        assert!(Field::named("rollouts").is_none());
    }
}
