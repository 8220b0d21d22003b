//! What became of each change that the audit trail tells of: made, or not.
//!
//! A publish has two records. Between them a kill may have its own, for it waits for no publish, and the publisher may die; then the
//! generations tell whether the publish was made.

use super::audit::{Action, Outcome, Record};
use crate::eval::time::parse_rfc3339;
use std::collections::BTreeMap;

/// A change that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The record, with its differences; of a publish that of the intention, but for its outcome.
    pub record: Record,
    /// When, in microseconds since 1970.
    pub at: i64,
}

impl Action {
    /// Whether it makes a new generation.
    pub fn publishes(self) -> bool {
        matches!(self, Action::Publish | Action::Rollback | Action::Promote | Action::Import)
            || self.is_edit()
            || self.is_plan()
    }
}

/// Whether its writer held the publishers' lock.
fn publishing(record: &Record) -> bool {
    use Action::{Guard, GuardPause, GuardResume, Kill, Note, Pull, ResumeAll, Revive, StopAll};
    !matches!(
        record.action,
        Kill | Revive | StopAll | ResumeAll | Guard | GuardPause | GuardResume | Note | Pull
    )
}

/// The changes that were made, in the order in which they took effect. The records must be in that of the trail. `generation` is the current one
/// after the last of them. The last number is that of the record from which on nothing can be said yet: somebody may be
/// at it. Without one, all are settled.
pub fn settle(records: Vec<Record>, generation: u64) -> (Vec<Settled>, Option<u64>) {
    let mut open: BTreeMap<u64, Record> = BTreeMap::new();
    let mut settled: Vec<Settled> = Vec::new();
    let make = |record: Record, settled: &mut Vec<Settled>| {
        let at = parse_rfc3339(record.at.as_bytes()).unwrap_or_default();
        settled.push(Settled { record: Record { outcome: Outcome::Done, ..record }, at });
    };
    for record in records {
        // One publish at a time: at the next one, whatever was begun before is over. Made, if that one found it. A switch in between
        // may have found it made, and says nothing where it did not.
        for (seq, begun) in std::mem::take(&mut open) {
            let ended = record.intention == Some(seq);
            let found = record.from == begun.to;
            if if ended { record.outcome == Outcome::Done } else { found } {
                make(begun, &mut settled);
            } else if !ended && !publishing(&record) {
                open.insert(seq, begun);
            }
        }
        match (record.outcome, record.intention) {
            (Outcome::Intended, _) => _ = open.insert(record.seq, record),
            (Outcome::Done, None) => make(record, &mut settled),
            (Outcome::Done | Outcome::Failed, _) => {}
        }
    }
    let mut unsettled = None;
    for (seq, begun) in open {
        match begun.to == generation {
            true => make(begun, &mut settled),
            false => unsettled = Some(seq),
        }
    }
    (settled, unsettled)
}

#[cfg(test)]
mod tests {
    use super::super::actor::Actor;
    use super::*;

    fn record(seq: u64, action: Action, outcome: Outcome, from: u64, to: u64) -> Record {
        let actor = Actor { user: "root".to_owned(), account: None, uid: 0, host: "web-1".to_owned() };
        Record {
            seq,
            at: "2026-11-29T08:00:00Z".to_owned(),
            actor,
            environment: "production".to_owned(),
            action,
            outcome,
            intention: None,
            flag: None,
            stage: None,
            reason: None,
            from,
            to,
            content: None,
            rolled_back_to: None,
            origin: None,
            release: None,
            commit: None,
            guard: None,
            notice: None,
            pulled: Vec::new(),
            differences: Vec::new(),
            more_differences: 0,
            error: None,
            torn: None,
            prev: String::new(),
        }
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
