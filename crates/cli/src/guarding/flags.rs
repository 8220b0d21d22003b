//! The flags of a store as the guard looks at them: what each is held to, and when it was changed last.

use flagstone::definition::{Condition, Definitions, Emergency, Flag, Percentage};
use flagstone::eval::time::parse_rfc3339;
use flagstone::guard::{LastChange, Policy};
use flagstone::store::{Changed, Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};

/// All flags of a generation.
#[derive(Default)]
pub struct Flags {
    generation: Option<u64>,
    killed: BTreeSet<String>,
    segments: BTreeMap<String, Condition>,
    flags: BTreeMap<String, Watch>,
}

/// One flag.
pub struct Watch {
    /// None: it is not watched.
    pub policy: Option<Policy>,
    /// What answers depend on.
    answers: Flag,
    /// When its schedule changes it, in microseconds since 1970.
    steps: Vec<i64>,
    changed: i64,
    /// When its plan entered the present stage, if the plan is running; microseconds since 1970.
    pub stage: Option<i64>,
    /// Off is an outage: it says so, or an enabled flag requires it.
    pub essential: bool,
    /// Whoever has it was chosen, by a list or a rule.
    pub chosen: bool,
    /// Flags that it requires.
    requires: Vec<String>,
}

impl Watch {
    /// When it was changed last itself; microseconds since 1970.
    fn changed_at(&self, now: i64) -> i64 {
        let step = self.steps.iter().copied().filter(|step| *step <= now).max();
        step.map_or(self.changed, |step| step.max(self.changed))
    }
}

impl Flags {
    /// Looks at what is published and what is killed.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn refresh(&mut self, store: &Store, now: i64) -> Result<(), StoreError> {
        let generation = store.generation()?;
        if self.generation != Some(generation) {
            let definitions = match generation {
                0 => Definitions::default(),
                generation => store.definitions(generation)?,
            };
            // The trail is read once; from then on a change is seen when it is made.
            let trail = if self.generation.is_none() { Some(store.changed()?) } else { None };
            self.take(definitions, trail.as_ref(), now);
            self.generation = Some(generation);
        }
        let killed = store.killed()?;
        for revived in self.killed.difference(&killed) {
            if let Some(flag) = self.flags.get_mut(revived) {
                flag.changed = now;
            }
        }
        self.killed = killed;
        Ok(())
    }

    /// The generation that is published; 0 if none is.
    pub fn generation(&self) -> u64 {
        self.generation.unwrap_or(0)
    }

    /// Each flag by its key.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Watch)> {
        self.flags.iter().map(|(key, flag)| (key.as_str(), flag))
    }

    /// When one was changed last, by itself or through a flag that it requires.
    pub fn last_change(&self, key: &str, now: i64) -> Option<LastChange<'_>> {
        LastChange::of(key, |key| {
            let flag = self.flags.get(key)?;
            Some((flag.changed_at(now), &flag.requires[..]))
        })
    }

    fn take(&mut self, definitions: Definitions, trail: Option<&Changed>, now: i64) {
        let segments = definitions.segments != self.segments;
        let mut before = std::mem::take(&mut self.flags);
        let enabled = definitions.flags.values().filter(|flag| flag.enabled);
        let required: BTreeSet<String> = enabled.flat_map(|flag| flag.requires.iter().cloned()).collect();
        for (key, flag) in definitions.flags {
            let policy = Policy::of(flag.guard.as_ref());
            let instants = flag.schedule.iter().filter_map(|step| parse_rfc3339(step.at.as_bytes()));
            let steps = instants.collect();
            let plan = flag.state.plan.as_ref().filter(|plan| plan.is_running());
            let stage = plan.map(|plan| plan.since);
            let essential = flag.emergency == Emergency::Keep || required.contains(&key);
            let chosen = is_chosen(&flag, now);
            let requires = flag.requires.clone();
            let answers = flag.answering();
            let changed = match (trail, before.remove(&key)) {
                (Some(trail), _) => trail.at(&key),
                (None, Some(before)) => {
                    let same = before.answers == answers && (!segments || answers.rules.is_empty());
                    if same { before.changed } else { now }
                }
                (None, None) => now,
            };
            self.flags
                .insert(key, Watch { policy, answers, steps, changed, stage, essential, chosen, requires });
        }
        self.segments = definitions.segments;
    }
}

/// Whether nobody has it by the bucket, but some by a list or a rule.
fn is_chosen(flag: &Flag, now: i64) -> bool {
    let nobody = flag.percentage_at(now).0 == Percentage::NONE;
    nobody && (!flag.companies.allow.is_empty() || !flag.rules.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definitions(base: u32) -> Definitions {
        serde_json::from_value(json!({ "flags": {
            "page": { "enabled": true, "requires": ["checkout"] },
            "checkout": { "enabled": true, "requires": ["base"] },
            "base": { "enabled": true, "rollout": { "percentage": base } },
            "other": { "enabled": true },
        }}))
        .unwrap()
    }

    #[test]
    fn a_change_of_a_required_flag_is_the_last_one_of_those_that_require_it() {
        let mut flags = Flags::default();
        flags.take(definitions(10), Some(&Changed::default()), 1_000);
        let last = |flags: &Flags, key| {
            flags.last_change(key, 3_000).map(|last| (last.at, last.through.map(str::to_owned)))
        };
        assert_eq!(last(&flags, "page"), Some((0, None)));
        flags.take(definitions(50), None, 2_000);
        assert_eq!(last(&flags, "base"), Some((2_000, None)));
        for through in ["page", "checkout"] {
            assert_eq!(last(&flags, through), Some((2_000, Some("base".to_owned()))), "{through}");
        }
        assert_eq!(last(&flags, "other"), Some((0, None)));
    }
}
