//! The flags of a store as the guard sees them: their policies, and the times of their last changes.

use flagstone::StoreError;
use flagstone::definition::{Condition, Definitions, Emergency, Flag, Percentage};
use flagstone::guard::{LastChange, Policy, Protection, put_in_order};
use flagstone::publish::{ChangeTimes, Store};
use flagstone::time::parse_rfc3339;
use std::collections::{BTreeMap, BTreeSet};

/// All flags of a generation.
#[derive(Default)]
pub struct Flags {
    generation: Option<u64>,
    killed: BTreeSet<String>,
    stopped: bool,
    segments: BTreeMap<String, Condition>,
    flags: BTreeMap<String, Watch>,
    /// Former keys, each with the key that the flag has now.
    former: Vec<(String, String)>,
}

pub struct Watch {
    /// The guard's policy; none: the flag is not watched.
    pub policy: Option<Policy>,
    /// The fields that affect answers.
    answers: Flag,
    /// Steps of its schedule, in microseconds since 1970.
    steps: Vec<i64>,
    changed: i64,
    /// The time when a running plan entered the present stage, no later than it was seen there; in microseconds since 1970.
    pub stage: Option<i64>,
    /// The entry into the stage by the plan's own date.
    entered: Option<i64>,
    /// The reason that off is an outage, if a definition says so.
    pub protection: Option<Protection>,
    /// Required flags.
    requires: Vec<String>,
    /// Segments used by its rules.
    uses: Vec<String>,
    was: Option<String>,
}

impl Watch {
    /// True if only a list or a rule chooses the companies that have it at that time, in microseconds since 1970.
    pub fn is_chosen(&self, now: i64) -> bool {
        is_chosen(&self.answers, now)
    }

    /// The flag's own last change, in microseconds since 1970.
    fn changed_at(&self, now: i64) -> i64 {
        let step = self.steps.iter().copied().filter(|step| *step <= now).max();
        step.map_or(self.changed, |step| step.max(self.changed))
    }
}

impl Flags {
    /// Has the next look read the definitions and the trail again: both are another store's.
    pub fn read_again(&mut self) {
        self.generation = None;
    }

    /// Reads the published and the killed flags.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn refresh(&mut self, store: &Store, now: i64) -> Result<(), StoreError> {
        let (before, generation) = (self.generation, store.generation()?);
        let mut changed = Vec::new();
        if before != Some(generation) {
            let definitions = match generation {
                0 => Definitions::default(),
                generation => store.definitions(generation)?,
            };
            // The trail is read once; later changes are seen as they are made.
            let trail = if before.is_none() { Some(store.changed(now)?) } else { None };
            changed = self.take(definitions, trail.as_ref(), now);
            self.generation = Some(generation);
        }
        self.stopped = store.is_stopped()?;
        let killed = store.killed()?;
        let revived: Vec<String> = self.killed.difference(&killed).cloned().collect();
        self.killed = killed;
        // A revive is a change as well.
        let several = before.is_some_and(|before| generation > before + 1)
            || revived.len() + usize::from(!changed.is_empty()) > 1;
        changed.extend(revived);
        self.changed_now(&changed, if several { store.changed(now).ok() } else { None }, now);
        Ok(())
    }

    /// Dates the changes since the last look. The trail gives the order of several.
    fn changed_now(&mut self, changed: &[String], trail: Option<ChangeTimes>, now: i64) {
        let at = |key: &String, flags: &BTreeMap<String, Watch>| {
            let (trail, flag) = (trail.as_ref()?, flags.get(key)?);
            let names = flag.was.iter().chain([key]);
            names.map(|key| trail.at(key, flag.uses.iter().map(String::as_str))).max()
        };
        let ranks: BTreeSet<Option<i64>> = changed.iter().map(|key| at(key, &self.flags)).collect();
        // Known changes are older than those found now.
        self.not_after(now - ranks.len() as i64);
        for key in changed {
            let rank = at(key, &self.flags);
            let later = ranks.iter().filter(|other| **other > rank).count() as i64;
            if let Some(flag) = self.flags.get_mut(key) {
                flag.changed = now - later;
            }
        }
    }

    /// Moves dates that lie after `now`, given by a clock that was ahead, back to it in their order; entries into stages likewise.
    fn not_after(&mut self, now: i64) {
        let times: BTreeSet<i64> = self.flags.values().map(|flag| flag.changed).collect();
        if times.last().is_some_and(|last| *last > now) {
            let was: Vec<i64> = times.into_iter().collect();
            let mut is = was.clone();
            put_in_order(&mut is, now);
            let moved: BTreeMap<i64, i64> = was.into_iter().zip(is).collect();
            for flag in self.flags.values_mut() {
                flag.changed = moved.get(&flag.changed).copied().unwrap_or(flag.changed);
            }
        }
        for flag in self.flags.values_mut() {
            flag.stage = flag.stage.map(|stage| stage.min(now));
        }
    }

    /// True if a schedule changed the flag at that time, in microseconds since 1970: its own, or that of the flag behind the change.
    pub fn was_scheduled(&self, key: &str, at: i64) -> bool {
        self.flags.get(key).is_some_and(|flag| flag.changed < at && flag.steps.contains(&at))
    }

    /// Steps of schedules between two times, in microseconds since 1970, each with its flag.
    pub fn scheduled(&self, since: i64, until: i64) -> Vec<(i64, &str)> {
        let of = self.flags.iter().flat_map(|(key, flag)| flag.steps.iter().map(|at| (*at, key.as_str())));
        of.filter(|(at, _)| (since..=until).contains(at)).collect()
    }

    /// The published generation; 0 if there is none.
    pub fn generation(&self) -> u64 {
        self.generation.unwrap_or(0)
    }

    /// Former keys, each with the flag's present key.
    pub fn former_keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.former.iter().map(|(was, key)| (was.as_str(), key.as_str()))
    }

    /// True if the flag was killed as of the last look.
    pub fn is_killed(&self, key: &str) -> bool {
        self.killed.contains(key)
    }

    /// True if everything was stopped as of the last look.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Flags by key.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Watch)> {
        self.flags.iter().map(|(key, flag)| (key.as_str(), flag))
    }

    /// The last change of a flag, by itself or through a flag that it requires.
    pub fn last_change(&self, key: &str, now: i64) -> Option<LastChange<'_>> {
        LastChange::of(key, |key| {
            let flag = self.flags.get(key)?;
            Some((flag.changed_at(now), &flag.requires[..]))
        })
    }

    /// Takes the definitions over. Returns the flags that changed since the last ones; none if the trail tells.
    fn take(&mut self, definitions: Definitions, trail: Option<&ChangeTimes>, now: i64) -> Vec<String> {
        let mut found = Vec::new();
        let segments = edited(&self.segments, &definitions.segments);
        let mut before = std::mem::take(&mut self.flags);
        let former = definitions.former_keys().map(|(was, key)| (was.to_owned(), key.to_owned()));
        self.former = former.collect();
        let enabled = definitions.flags.values().filter(|flag| flag.enabled);
        let required: BTreeSet<String> = enabled.flat_map(|flag| flag.requires.iter().cloned()).collect();
        for (key, flag) in definitions.flags {
            let policy = Policy::of(flag.guard.as_ref());
            let instants = flag.schedule.iter().filter_map(|step| parse_rfc3339(step.at.as_bytes()));
            let steps = instants.collect();
            let plan = flag.state.plan.as_ref().filter(|plan| plan.is_running());
            let entered = plan.map(|plan| plan.since);
            let protection = match flag.emergency {
                Emergency::Keep => Some(Protection::Keep),
                _ => required.contains(&key).then_some(Protection::Required),
            };
            let requires = flag.requires.clone();
            let uses: Vec<String> =
                flag.segments(&definitions.segments).into_iter().map(str::to_owned).collect();
            let was = flag.was.clone();
            // The key itself affects no answer.
            let answers = Flag { was: None, ..flag.answering() };
            let earlier = before.remove(&key).or_else(|| before.remove(was.as_ref()?));
            let known = earlier.as_ref().filter(|earlier| earlier.entered == entered);
            let stage = known.map_or(entered.map(|at| at.min(now)), |earlier| earlier.stage);
            let changed = match (trail, earlier) {
                (Some(trail), _) => {
                    let at = |key: &str| trail.at(key, uses.iter().map(String::as_str));
                    was.iter().map(|was| at(was)).fold(at(&key), i64::max)
                }
                (None, Some(before)) => {
                    let same = before.answers == answers
                        && !before.uses.iter().any(|segment| segments.contains(segment));
                    if !same {
                        found.push(key.clone());
                    }
                    if same { before.changed } else { now }
                }
                (None, None) => {
                    found.push(key.clone());
                    now
                }
            };
            let watch =
                Watch { policy, answers, steps, changed, stage, entered, was, protection, requires, uses };
            self.flags.insert(key, watch);
        }
        self.segments = definitions.segments;
        found
    }
}

/// Segments that were changed or removed.
fn edited(before: &BTreeMap<String, Condition>, now: &BTreeMap<String, Condition>) -> BTreeSet<String> {
    before.iter().filter(|(name, was)| now.get(*name) != Some(was)).map(|(name, _)| name.clone()).collect()
}

/// True if a list or a rule gives the flag to some companies, and the bucket to none.
fn is_chosen(flag: &Flag, now: i64) -> bool {
    let nobody = flag.percentage_at(now).0 == Percentage::NONE;
    nobody && (!flag.companies.allow.is_empty() || !flag.rules.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_store::TestStore;
    use flagstone::audit::Actor;
    use flagstone::publish::Change;
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

    /// A flag that its schedule raised from 0 % was judged as one that a list chooses, until the next publish.
    #[test]
    fn a_step_of_the_schedule_decides_whether_a_list_chooses_alone() {
        let step = |at: &str, percentage: u32| json!({ "at": at, "percentage": percentage });
        let flag = |first: u32, then: u32| {
            json!({
                "enabled": true, "rollout": { "percentage": first }, "companies": { "allow": [7] },
                "schedule": [step("1970-01-01T00:00:10Z", then)],
            })
        };
        let definitions = json!({ "flags": { "up": flag(0, 20), "down": flag(20, 0) } });
        let mut flags = Flags::default();
        flags.take(serde_json::from_value(definitions).unwrap(), Some(&ChangeTimes::default()), 1_000);
        let chosen = |key: &str, now: i64| flags.flags[key].is_chosen(now);
        assert_eq!((chosen("up", 9_000_000), chosen("down", 9_000_000)), (true, false));
        assert_eq!((chosen("up", 11_000_000), chosen("down", 11_000_000)), (false, true));
    }

    #[test]
    fn a_change_of_a_required_flag_is_the_last_one_of_those_that_require_it() {
        let mut flags = Flags::default();
        flags.take(definitions(10), Some(&ChangeTimes::default()), 1_000);
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

    /// An edit of any segment was taken for a change of every flag with rules.
    #[test]
    fn an_edited_segment_changes_the_flags_that_use_it_and_no_other() {
        let with = |plan: &str, country: &str| -> Definitions {
            let named =
                |segment: &str| json!({ "enabled": true, "rules": [{ "when": { "segment": segment } }] });
            serde_json::from_value(json!({
                "flags": {
                    "by_plan": named("plan"),
                    "through": named("outer"),
                    "by_country": named("country"),
                    "by_rule": { "enabled": true, "rules": [{ "when": { "attribute": "plan", "eq": "pro" } }] },
                },
                "segments": {
                    "plan": { "attribute": "plan", "eq": plan },
                    "outer": { "any": [{ "not": { "segment": "plan" } }] },
                    "country": { "attribute": "country", "eq": country },
                },
            }))
            .unwrap()
        };
        let mut flags = Flags::default();
        flags.take(with("pro", "ch"), Some(&ChangeTimes::default()), 1_000);
        let at = |flags: &Flags, key: &str| flags.last_change(key, 9_000).map(|last| last.at);
        let all = |flags: &Flags| ["by_plan", "through", "by_country", "by_rule"].map(|key| at(flags, key));
        flags.take(with("team", "ch"), None, 2_000);
        assert_eq!(all(&flags), [Some(2_000), Some(2_000), Some(0), Some(0)]);
        flags.take(with("team", "li"), None, 3_000);
        assert_eq!(all(&flags), [Some(2_000), Some(2_000), Some(3_000), Some(0)]);
    }

    fn change() -> Change {
        Change { actor: Actor::named(Some("alice")), reason: None, base: None }
    }

    fn two(first: u32, second: u32) -> Definitions {
        let flag = |percentage: u32| json!({ "enabled": true, "rollout": { "percentage": percentage } });
        serde_json::from_value(json!({ "flags": { "x": flag(first), "y": flag(second) } })).unwrap()
    }

    /// The last changes of x and y, as of that time.
    fn both(flags: &Flags, now: i64) -> (i64, i64) {
        let at = |key| flags.last_change(key, now).unwrap().at;
        (at("x"), at("y"))
    }

    /// Two publishes between two looks were taken for one, and no flag was killed.
    #[test]
    fn two_changes_between_two_looks_are_two_in_their_order() {
        let test = TestStore::make("two");
        let store = test.open();
        let now = flagstone::time::now();
        store.publish(&two(0, 0), change()).unwrap();
        let mut flags = Flags::default();
        flags.refresh(&store, now).unwrap();
        store.publish(&two(0, 100), change()).unwrap();
        store.publish(&two(100, 100), change()).unwrap();
        flags.refresh(&store, now + 1_000).unwrap();
        assert_eq!(both(&flags, now + 1_000), (now + 1_000, now + 999));
        store.publish(&two(50, 50), change()).unwrap();
        flags.refresh(&store, now + 2_000).unwrap();
        assert_eq!(both(&flags, now + 2_000), (now + 2_000, now + 2_000), "one publish changed both");
        for key in ["y", "x"] {
            store.kill(key, change()).unwrap();
        }
        flags.refresh(&store, now + 3_000).unwrap();
        for key in ["y", "x"] {
            store.revive(key, change()).unwrap();
        }
        flags.refresh(&store, now + 4_000).unwrap();
        assert_eq!(both(&flags, now + 4_000), (now + 4_000, now + 3_999));
        let mut started = Flags::default();
        started.refresh(&store, i64::MAX).unwrap();
        let (x, y) = both(&started, i64::MAX);
        assert!(y < x, "{y} {x}");
    }

    /// The harmless change of a clock that was ahead came first, and the harmful one went on.
    #[test]
    fn a_change_of_a_clock_that_was_ahead_comes_before_those_that_were_made_after_it() {
        let test = TestStore::make("ahead");
        let store = test.open();
        let (now, hour) = (flagstone::time::now(), 3_600_000_000);
        store.publish(&two(0, 0), change()).unwrap();
        let mut flags = Flags::default();
        flags.refresh(&store, now + hour).unwrap();
        store.publish(&two(0, 100), change()).unwrap();
        flags.refresh(&store, now + hour + 1_000).unwrap();
        assert_eq!(both(&flags, now + hour).1, now + hour + 1_000);
        // The clock is set back, and the harmful change follows.
        flags.refresh(&store, now).unwrap();
        assert_eq!(both(&flags, now).1, now);
        store.publish(&two(100, 100), change()).unwrap();
        flags.refresh(&store, now + 1_000).unwrap();
        assert_eq!(both(&flags, now + 1_000), (now + 1_000, now));
        // Both changes within one look.
        let mut flags = Flags::default();
        flags.refresh(&store, now + hour).unwrap();
        store.publish(&two(100, 50), change()).unwrap();
        flags.refresh(&store, now + hour + 1_000).unwrap();
        store.publish(&two(50, 50), change()).unwrap();
        flags.refresh(&store, now).unwrap();
        let (x, y) = both(&flags, now);
        assert!(y < x && x == now, "{y} {x}");
    }

    #[test]
    fn a_stage_that_a_clock_ahead_dated_was_entered_when_the_clock_was_right_again() {
        let entered = 3_600_000_000;
        let planned = |percentage: u32, since: i64| {
            let mut definitions: Definitions = serde_json::from_value(json!({ "flags": { "x": {
                "enabled": true, "rollout": { "percentage": percentage },
                "plan": { "stages": [{ "percentage": 10, "soak": "1h" }, { "percentage": 100 }] }
            } } }))
            .unwrap();
            let flag = definitions.flags.get_mut("x").unwrap();
            let moved =
                flagstone::plan::start("x", flag, since, flagstone::plan::SwitchState::default()).unwrap();
            *flag = moved.flag;
            definitions
        };
        let mut flags = Flags::default();
        flags.take(planned(0, entered), Some(&ChangeTimes::default()), entered + 8);
        let stage = |flags: &Flags| flags.all().next().and_then(|(_, flag)| flag.stage);
        assert_eq!(stage(&flags), Some(entered));
        flags.not_after(50);
        flags.not_after(90);
        assert_eq!(stage(&flags), Some(50));
        flags.take(planned(0, entered), None, 100);
        assert_eq!(stage(&flags), Some(50));
        let mut started = Flags::default();
        started.take(planned(0, entered), Some(&ChangeTimes::default()), 70);
        assert_eq!(stage(&started), Some(70));
    }

    /// After `resume-all` every flag would be suspected of the incident's tail.
    #[test]
    fn a_stop_and_its_end_and_a_start_of_the_guard_are_no_changes() {
        let test = TestStore::make("returns");
        let store = test.open();
        let change = || Change { actor: Actor::named(Some("alice")), reason: None, base: None };
        store.publish(&definitions(10), change()).unwrap();
        let now = flagstone::time::now();
        let mut flags = Flags::default();
        flags.refresh(&store, now + 1_000).unwrap();
        let at = |flags: &Flags| flags.last_change("other", i64::MAX).map(|last| last.at);
        let published = at(&flags);
        assert!(published.is_some_and(|at| at > 0));
        store.stop_all(change()).unwrap();
        flags.refresh(&store, now + 2_000).unwrap();
        store.resume_all(change(), false).unwrap();
        flags.refresh(&store, now + 3_000).unwrap();
        assert_eq!(at(&flags), published);
        let mut started = Flags::default();
        started.refresh(&store, now + 4_000).unwrap();
        assert_eq!(at(&started), published);
    }
}
