//! Merges segments by name, like fields.

use super::conflict::Conflict;
use super::outcome::Outcome;
use super::{Merged, RenameOptions};
use crate::definition::{Condition, Definitions, KeptSegment};
use std::collections::BTreeMap;

type Segments = BTreeMap<String, Condition>;

impl Merged {
    /// Merges the file's segments into the running ones, and keeps or adds all that rules use.
    pub(super) fn segments(&mut self, running: &Definitions, file: &Definitions, asked: &RenameOptions) {
        if self.older_than.is_some() {
            self.definitions.segments.clone_from(&running.segments);
            self.definitions.segments_base.clone_from(&running.segments_base);
            self.definitions.segment_conflicts.clone_from(&running.segment_conflicts);
            self.definitions.segments_shared.clone_from(&running.segments_shared);
            self.bring_segments(running, file);
            return;
        }
        // A store without a base of any flag has none of segments: the file at hand counts as the base.
        let known = running.flags.is_empty() || running.flags.values().any(|flag| flag.state.file.is_some());
        let base = match (&running.segments_base, known) {
            (Some(base), _) => base.clone(),
            (None, true) => running.segments.clone(),
            (None, false) => file.segments.clone(),
        };
        let mut next = file.segments.clone();
        // Segments missing in the file go, unless a rule uses them.
        for (name, condition) in &file.segments {
            let (says, was, is) = (Some(condition), base.get(name), running.segments.get(name));
            let outcome = match (asked.reset.is_all(), asked.settle.is_all() && is.is_some()) {
                (true, _) => Outcome::Take,
                (_, true) => Outcome::Keep,
                _ => Outcome::of(&says, &was, &is),
            };
            let runs = match outcome {
                Outcome::Take | Outcome::Agree => says,
                Outcome::Keep => is,
                Outcome::Conflict if asked.settle.is_all() => is,
                Outcome::Conflict => {
                    match was {
                        Some(was) => next.insert(name.clone(), was.clone()),
                        None => next.remove(name),
                    };
                    let earlier = running.segment_conflicts.get(name).filter(|kept| kept.file == *condition);
                    let since = earlier.map_or(asked.now, |kept| kept.since);
                    let conflict = Conflict { since, ..Conflict::segment(name, [was, says, is]) };
                    self.opened.extend(earlier.is_none().then(|| conflict.clone()));
                    self.conflicts.push(conflict);
                    let kept = KeptSegment { file: condition.clone(), since };
                    self.definitions.segment_conflicts.insert(name.clone(), kept);
                    is
                }
            };
            if let Some(condition) = runs {
                self.definitions.segments.insert(name.clone(), condition.clone());
            }
        }
        self.bring_segments(running, file);
        self.definitions.segments_base = (next != self.definitions.segments).then_some(next);
    }

    /// Adds segments that rules use: the running ones, else the file's.
    fn bring_segments(&mut self, running: &Definitions, file: &Definitions) {
        let segments = &mut self.definitions.segments;
        for rule in self.definitions.flags.values().flat_map(|flag| &flag.rules) {
            bring(segments, &rule.when, [&running.segments, &file.segments]);
        }
        let named: Vec<Condition> = segments.values().cloned().collect();
        for condition in &named {
            bring(segments, condition, [&running.segments, &file.segments]);
        }
    }
}

/// Recurses no deeper than a document nests.
fn bring(segments: &mut Segments, condition: &Condition, from: [&Segments; 2]) {
    match condition {
        Condition::All { all: parts } | Condition::Any { any: parts } => {
            parts.iter().for_each(|part| bring(segments, part, from));
        }
        Condition::Not { not } => bring(segments, not, from),
        Condition::Segment { segment } => {
            if !segments.contains_key(segment)
                && let Some(used) = from.into_iter().find_map(|from| from.get(segment))
            {
                segments.insert(segment.clone(), used.clone());
                bring(segments, used, from);
            }
        }
        Condition::Test { .. } => {}
    }
}

/// Copies the base that `before` keeps into definitions that are not published from a file: a rollback, an import. A flag that `after`
/// lacks although the file has it stays, disabled: it stays back until it is edited. Definitions that would then fail a check are left
/// as they are.
pub fn keep_base(before: &Definitions, after: &mut Definitions, today: &str) {
    let mut kept = after.clone();
    super::rename::follow(before, &mut kept);
    for (key, was) in &before.flags {
        match kept.flags.get_mut(key) {
            Some(flag) => {
                flag.state.file.clone_from(&was.state.file);
                flag.state.orphaned = was.state.orphaned;
            }
            None if was.state.file.is_some() => {
                let mut flag = was.clone();
                flag.enabled = false;
                kept.flags.insert(key.clone(), flag);
            }
            None => {}
        }
    }
    let base = before.segments_base.as_ref().unwrap_or(&before.segments);
    for rule in before
        .flags
        .iter()
        .filter(|(key, _)| !after.flags.contains_key(*key))
        .flat_map(|(_, flag)| &flag.rules)
    {
        bring(&mut kept.segments, &rule.when, [&before.segments, base]);
    }
    let known = before.flags.values().any(|flag| flag.state.file.is_some());
    kept.segment_conflicts.clone_from(&before.segment_conflicts);
    kept.segments_shared.clone_from(&before.segments_shared);
    kept.segments_base = (known && *base != kept.segments).then(|| base.clone());
    if kept.check("merged", today).is_ok() {
        *after = kept;
    }
}
