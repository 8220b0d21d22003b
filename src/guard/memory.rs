//! The guard's memory for the next guard: it is written from time to time, and may be lost.

use super::aftermath::Aftermath;
use super::busy_hours::BusyHours;
use super::choose::SUSPECT;
use super::finding::Share;
use super::kind::Kind;
use super::pace::UsualPace;
use super::past_hours::PastHours;
use super::policy::Policy;
use super::sight::Blindness;
use crate::plan::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The state that one guard hands to the next.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GuardState {
    /// Time of writing, in microseconds since 1970.
    pub at: i64,
    /// Each flag under watch.
    pub flags: BTreeMap<String, FlagMemory>,
    /// Flags that must not be watched.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unwatched: BTreeSet<String>,
    /// The reason why the guard sees nothing, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blindness: Option<Blindness>,
    /// The reason why the guard can take nothing back, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helpless: Option<String>,
    /// The reason why the store's configuration cannot be read, if it cannot: the guard continues with the earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misconfigured: Option<String>,
    /// Start of the unbroken watch, in microseconds since 1970; 0 before it.
    #[serde(default)]
    pub began: i64,
    /// End of the pause, in microseconds since 1970; 0 if there is none.
    #[serde(default)]
    pub paused_until: i64,
    /// The process that watches, and its machine.
    #[serde(default)]
    pub by: String,
    /// Recent starts of guards of this store, in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts: Vec<i64>,
    /// Time at which acts on limits stopped, in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<i64>,
    /// Time at which a stage was last taken back on suspicion, in microseconds since 1970.
    #[serde(default)]
    pub stage_taken: i64,
    /// Nothing is evidence before this time, in microseconds since 1970.
    #[serde(default)]
    pub settling: i64,
    /// The hours of all requests together.
    #[serde(default, skip_serializing_if = "PastHours::is_empty")]
    pub site: PastHours,
    /// The last act on limits, while its effect is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Aftermath>,
    /// The flag of an act on limits whose effect was not found out, until requests were well for five minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unresolved: Option<String>,
    /// Last time of harm that no off-cohort confirms, in microseconds since 1970.
    #[serde(default)]
    pub troubled: i64,
    /// The outage that was reported and is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage: Option<KeptOutage>,
    /// True if requests of the last minute asked more flags than are counted: flags asked beyond those are not watched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overflows: bool,
    /// True if it was told to end, and did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}

/// An outage that was reported. Times are in microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptOutage {
    /// Beginning of the evidence, and the last time that something was wrong.
    pub since: i64,
    #[allow(missing_docs, reason = "said of `since`")]
    pub until: i64,
    /// The bucket of durations after which requests are slow; none where they fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<usize>,
    /// The flag whose requests it is known by; none where those are all requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
    /// These requests during the outage, and those that failed or were slow.
    pub all: Share,
}

/// The state of one flag. Times are in microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlagMemory {
    /// Time of its last change.
    pub changed_at: i64,
    /// The stakes: the beginning of their sum, the last change, and the number of changes.
    pub stakes: (i64, i64, u32),
    /// The busiest hours of its last days.
    #[serde(default)]
    pub busy: BusyHours,
    /// End of the cooldown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<i64>,
    /// The usual rates before the last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<Before>,
    /// How quick requests with it off usually are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<UsualPace>,
    /// True if off, before that change, was a page that is not there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_gate: bool,
    /// Hours in which requests were answered on, and off.
    #[serde(default, rename = "hours_on", skip_serializing_if = "PastHours::is_empty")]
    pub on: PastHours,
    #[serde(default, rename = "hours_off", skip_serializing_if = "PastHours::is_empty")]
    #[allow(missing_docs, reason = "said of `on`")]
    pub off: PastHours,
    /// The comparison that is possible, `branch`, `gate` or `full`, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Evidence against it, from 0 (none) to 1 (enough).
    #[serde(default)]
    pub evidence: f64,
    /// True if the finding is not acted on: requests that did not ask the flag are as badly off, or too few to tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubt: bool,
    /// True if its plan was held or people were told instead of killing it, since off would be an outage.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spared: bool,
    /// Flags that the same publish changed and that are found harmful too: none is acted on, since the requests do not tell them apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub together: Vec<String>,
    /// The verdict for its plan.
    pub verdict: Verdict,
}

impl FlagMemory {
    /// True if the flag may be acted on by limits: it was changed lately, or has seen no hour as busy as before.
    pub fn is_watched(&self, now: i64, policy: &Policy) -> bool {
        self.busy.is_watched(now, self.changed_at, policy)
    }

    /// True if enough speaks against it that its plan waits.
    pub fn is_suspected(&self) -> bool {
        self.evidence >= SUSPECT
    }

    /// The state of a flag that was never asked: only its last change is known.
    pub(super) fn unasked(changed_at: i64) -> Self {
        Self {
            changed_at,
            stakes: (0, 0, 0),
            busy: BusyHours::default(),
            cooldown: None,
            usual: None,
            pace: None,
            was_gate: false,
            on: PastHours::default(),
            off: PastHours::default(),
            kind: None,
            evidence: 0.0,
            doubt: false,
            spared: false,
            together: Vec::new(),
            verdict: Verdict::Go,
        }
    }
}

/// Usual rates of a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// Upper bound of the error rate, with a chance of 1 in 10,000 to be higher.
    pub error_rate: f64,
    /// Bucket of the 95th percentile.
    pub p95: usize,
    /// Bucket of the median.
    pub median: usize,
    /// True if the rates were measured where the flag was on.
    pub on: bool,
}
