//! Outcome of each change in the audit trail: made, or not.
//!
//! A publish has two records. Between them a kill may add its own, since it waits for no publish, and the publisher may die; then the
//! generations tell whether the publish was made.

use super::actor::Actor;
use super::record::{Action, Outcome, Record};
use crate::guard::NoticeKind;
use crate::time::parse_rfc3339;
use std::collections::{BTreeMap, BTreeSet};

/// A change that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct SettledChange {
    /// The record, with its differences; for a publish, the intention with the outcome `done`.
    pub record: Record,
    /// Time of the change, in microseconds since 1970.
    pub at: i64,
    /// Flags whose reported condition ends with this change; filled in for notifications only.
    pub ends: BTreeSet<String>,
}

impl SettledChange {
    /// A notice that cannot be written into the trail; `at` is in microseconds since 1970.
    pub fn unrecorded(notice: NoticeKind, environment: &str, reason: String, at: i64) -> SettledChange {
        let actor = Actor::named(Some("guard"));
        let record = Record {
            reason: Some(reason),
            notice: Some(notice),
            ..Record::new(at, actor, environment, Action::Guard, Outcome::Done)
        };
        SettledChange { record, at, ends: BTreeSet::new() }
    }
}

impl Action {
    /// True if it makes a new generation.
    pub fn publishes(self) -> bool {
        matches!(self, Action::Publish | Action::Rollback | Action::Promote | Action::Import)
            || self.is_edit()
            || self.is_plan()
    }
}

/// True if its writer held the publishers' lock.
fn publishing(record: &Record) -> bool {
    use Action::{Guard, GuardPause, GuardResume, Kill, Note, Pull, ResumeAll, Revive, StopAll};
    !matches!(
        record.action,
        Kill | Revive | StopAll | ResumeAll | Guard | GuardPause | GuardResume | Note | Pull
    )
}

/// Collects the changes that were made, from records in the order of the trail.
#[derive(Default)]
pub struct ChangeSettler {
    /// Publishes with unknown outcome.
    open: BTreeMap<u64, Record>,
}

impl ChangeSettler {
    /// Takes the next record; changes now known to be made go to `made`.
    pub fn next(&mut self, record: Record, made: &mut impl FnMut(SettledChange)) {
        // Only one publish runs at a time: the next one shows that an earlier intention is over, and was made if the next one found it. A
        // switch in between may also have found it made; if not, it proves nothing.
        for (seq, begun) in std::mem::take(&mut self.open) {
            let ended = record.intention == Some(seq);
            let found = record.from == begun.to;
            if if ended { record.outcome == Outcome::Done } else { found } {
                made(with_outcome_done(begun));
            } else if !ended && !publishing(&record) {
                self.open.insert(seq, begun);
            }
        }
        match (record.outcome, record.intention) {
            (Outcome::Intended, _) => _ = self.open.insert(record.seq, record),
            (Outcome::Done, None) => made(with_outcome_done(record)),
            (Outcome::Done | Outcome::Failed, _) => {}
        }
    }

    /// Ends the trail, while `generation` is the current one. Returns the number of the record from which on the outcome is unknown: the
    /// change may still be running.
    pub fn end(self, generation: u64, made: &mut impl FnMut(SettledChange)) -> Option<u64> {
        let mut unsettled = None;
        for (seq, begun) in self.open {
            match begun.to == generation {
                true => made(with_outcome_done(begun)),
                false => unsettled = Some(seq),
            }
        }
        unsettled
    }
}

fn with_outcome_done(record: Record) -> SettledChange {
    let at = parse_rfc3339(record.at.as_bytes()).unwrap_or_default();
    SettledChange { record: Record { outcome: Outcome::Done, ..record }, at, ends: BTreeSet::new() }
}

/// The changes that were made, in the order in which they took effect. The records must be in the order of the trail, and `generation` is
/// the current one after the last of them. The number is that of the record from which on the outcome is unknown, since the change may
/// still be running; without one, all are settled.
pub fn settle(records: Vec<Record>, generation: u64) -> (Vec<SettledChange>, Option<u64>) {
    let (mut settling, mut settled) = (ChangeSettler::default(), Vec::new());
    for record in records {
        settling.next(record, &mut |made| settled.push(made));
    }
    let unsettled = settling.end(generation, &mut |made| settled.push(made));
    (settled, unsettled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::actor::Actor;

    fn record(seq: u64, action: Action, outcome: Outcome, from: u64, to: u64) -> Record {
        let actor = Actor {
            user: "root".to_owned(),
            account: None,
            uid: 0,
            host: "web-1".to_owned(),
            claimed: false,
        };
        let record = Record::new(1_795_939_200_000_000, actor, "production", action, outcome);
        Record { seq, from, to, ..record }
    }

    fn publish(seq: u64) -> Record {
        record(seq, Action::Publish, Outcome::Intended, 1, 2)
    }

    fn outcome(outcome: Outcome) -> Record {
        Record { intention: Some(5), ..record(7, Action::Publish, outcome, 1, 2) }
    }

    fn kill(generation: u64) -> Record {
        record(6, Action::Kill, Outcome::Done, generation, generation)
    }

    fn settled(records: Vec<Record>, generation: u64) -> (Vec<u64>, Option<u64>) {
        let (settled, open) = settle(records, generation);
        (settled.iter().map(|settled| settled.record.seq).collect(), open)
    }

    #[test]
    fn a_kill_in_the_middle_of_a_publish_ends_nothing() {
        // A kill's record once closed the publish before it, which was then taken for one that was never made.
        assert_eq!(settled(vec![publish(5), kill(1), outcome(Outcome::Done)], 2), (vec![6, 5], None));
        assert_eq!(settled(vec![publish(5), kill(2), outcome(Outcome::Done)], 2), (vec![5, 6], None));
        assert_eq!(settled(vec![publish(5), kill(1), outcome(Outcome::Failed)], 1), (vec![6], None));
        assert_eq!(settled(vec![publish(5), kill(1)], 1), (vec![6], Some(5)));
    }

    #[test]
    fn the_next_publish_says_what_became_of_one_that_was_cut_short() {
        let next = record(7, Action::Publish, Outcome::Intended, 1, 3);
        assert_eq!(settled(vec![publish(5), kill(1), next], 1), (vec![6], Some(7)));
    }
}
