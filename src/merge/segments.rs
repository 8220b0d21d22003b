//! Segments, merged by name as fields are.

use super::conflict::Conflict;
use super::outcome::Outcome;
use super::{Asked, Merged};
use crate::definition::{Condition, Definitions};
use std::collections::BTreeMap;

type Segments = BTreeMap<String, Condition>;

impl Merged {
    /// Merges the file's segments into those that run, and keeps or brings all that rules use.
    pub(super) fn segments(&mut self, running: &Definitions, file: &Definitions, asked: &Asked) {
        if self.older_than.is_some() {
            self.definitions.segments.clone_from(&running.segments);
            self.definitions.segments_base.clone_from(&running.segments_base);
            self.bring_segments(running, file);
            return;
        }
        // A store that keeps no base of any flag keeps none of segments: the file at hand counts as it.
        let known = running.flags.is_empty() || running.flags.values().any(|flag| flag.state.file.is_some());
        let base = match (&running.segments_base, known) {
            (Some(base), _) => base.clone(),
            (None, true) => running.segments.clone(),
            (None, false) => file.segments.clone(),
        };
        let mut next = file.segments.clone();
        // One that the file does not have goes, unless a rule uses it.
        for (name, condition) in &file.segments {
            let (says, was, is) = (Some(condition), base.get(name), running.segments.get(name));
            let outcome = match asked.reset.is_all() {
                true => Outcome::Take,
                false => Outcome::of(&says, &was, &is),
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
                    self.conflicts.push(Conflict::segment(name, [was, says, is]));
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

    /// Adds segments that rules use: as they run, else as the file has them.
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

/// A condition nests no deeper than a document.
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

/// Puts what the file last said, as `before` keeps it, into definitions that are published by something else than a file: a rollback,
/// an import. A flag that `after` lacks although the file has it stays, disabled: what was taken back stays back until somebody
/// edits it. Definitions with which that does not pass a check are left as they are.
pub fn keep_base(before: &Definitions, after: &mut Definitions, today: &str) {
    let mut kept = after.clone();
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
    kept.segments_base = (known && *base != kept.segments).then(|| base.clone());
    if kept.check("merged", today).is_ok() {
        *after = kept;
    }
}
