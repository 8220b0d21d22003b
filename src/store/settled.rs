//! What became of each change that the audit trail tells of: made, or not.
//!
//! A publish has two records, and its publisher may die between them; then the generations tell whether it was made.

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

/// The changes that were made, in the order of the records, which must be that of the trail. `generation` is the current one
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
        // One change at a time: whatever was begun before is over. Made, if this one found it.
        for (_, begun) in std::mem::take(&mut open) {
            let ended = record.intention == Some(begun.seq);
            let done = if ended { record.outcome == Outcome::Done } else { record.from == begun.to };
            if done {
                make(begun, &mut settled);
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
