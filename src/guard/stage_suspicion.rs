//! Whether a plan's young stage may be the cause of trouble of all requests.
//!
//! The trouble itself shows only that it began just after the stage was entered. Requests counted since then show more. A stage that hurts
//! everybody hurts its own requests too; and where another flag is the cause, requests without that flag are within their range.

use super::choose::LATER_CHANGE_WAIT_MICROS;
use super::control::{Rate, nats, slow_after};
use super::finding::Harm;
use super::mark::CohortMark;
use super::site::Trouble;
use crate::telemetry::Cohort;
use std::collections::BTreeMap;

/// Factor by which other requests must be worse than the stage's own, and nats of the likelihood ratio that are enough for it. At equal
/// rates a look exceeds it with a chance of less than 1 in 200, and the next looks correct it.
const WORSE: f64 = 1.5;
const ENOUGH: f64 = 3.0;
/// Hits among the stage's own requests, and all requests, from which on it is suspected at once: evidence against a flag needs as many.
const OWN_HITS: u64 = 3;
const MIN_REQUESTS: u64 = 200;
/// Other requests that are enough to tell whether they are in trouble as well.
const MIN_OTHERS: u64 = 20;
/// Microseconds after which counting starts again: a stage that was well while another flag did harm may do some later.
const LONGEST: i64 = 60_000_000;

/// What speaks for and against a young stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is to be taken back.
    Suspected,
    /// Too little was counted to tell.
    Open,
    /// Its own requests are clearly better off than others.
    Innocent,
}

/// The counters at an early look at trouble of all requests.
#[derive(Debug, Clone)]
pub(super) struct TroubleMark {
    at: i64,
    total: CohortMark,
    on: BTreeMap<String, CohortMark>,
}

impl TroubleMark {
    /// `flags`: each flag, and the requests that had it on.
    pub(super) fn new<'a>(
        at: i64,
        total: &Cohort,
        flags: impl Iterator<Item = (&'a str, &'a Cohort)>,
    ) -> Self {
        let on = flags.map(|(flag, on)| (flag.to_owned(), CohortMark::of(on))).collect();
        Self { at, total: CohortMark::of(total), on }
    }

    pub(super) fn is_recent(&self, now: i64) -> bool {
        (0..LONGEST).contains(&now.saturating_sub(self.at))
    }

    /// Judges a flag's stage by its own requests.
    pub(super) fn judge(
        &self,
        now: i64,
        total: &Cohort,
        own: (&str, &Cohort),
        trouble: &Trouble,
    ) -> Judgement {
        let (all, own) = self.since(total, own, trouble);
        let better = nats(all.since(own), own, WORSE);
        // Slowness of a flag is found later than its errors.
        let as_bad = better == 0.0 && own.hits >= OWN_HITS && trouble.harm == Harm::Errors;
        if better >= ENOUGH {
            Judgement::Innocent
        } else if (as_bad && all.requests >= MIN_REQUESTS) || now - self.at >= LATER_CHANGE_WAIT_MICROS {
            Judgement::Suspected
        } else {
            Judgement::Open
        }
    }

    /// True if the requests that did not have the flag on are within their range, or half as badly off as all.
    pub(super) fn is_explained_by(&self, total: &Cohort, on: (&str, &Cohort), trouble: &Trouble) -> bool {
        let (all, on) = self.since(total, on, trouble);
        are_well(all.since(on), all, trouble)
    }

    /// True if requests that did not have the flag on are in trouble too; none if too few of them ended to tell.
    pub(super) fn is_elsewhere(
        &self,
        total: &Cohort,
        on: (&str, &Cohort),
        trouble: &Trouble,
    ) -> Option<bool> {
        let (all, own) = self.since(total, on, trouble);
        let others = all.since(own);
        (others.requests >= MIN_OTHERS).then(|| !are_well(others, all, trouble))
    }

    /// All requests since the mark, and those that had the flag on.
    fn since(&self, total: &Cohort, (flag, on): (&str, &Cohort), trouble: &Trouble) -> (Rate, Rate) {
        let slow = slow_after(trouble.slower);
        let since =
            |now: &Cohort, before: &CohortMark| Rate::of(now, slow).since(Rate::of(&before.cohort(), slow));
        let on = self.on.get(flag).map(|before| since(on, before));
        (since(total, &self.total), on.unwrap_or_default())
    }
}

/// True if these of all requests are within their range, or half as badly off as all.
fn are_well(others: Rate, all: Rate, trouble: &Trouble) -> bool {
    others.share() <= trouble.limit.max(all.share() / 2.0)
}
