//! What a guard knows that the next one is to know: it is written down now and then, and may be lost.

use super::busy_hours::BusyHours;
use super::kind::Kind;
use super::policy::Policy;
use super::sight::Blindness;
use crate::plan::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a guard knows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// When it was written down, in microseconds since 1970.
    pub at: i64,
    /// Each flag under watch.
    pub flags: BTreeMap<String, Kept>,
    /// Flags that are not to be watched.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unwatched: BTreeSet<String>,
    /// Why the guard sees nothing, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blindness: Option<Blindness>,
    /// Since when it has watched without a break, in microseconds since 1970; 0: it does not yet.
    #[serde(default)]
    pub began: i64,
    /// Until when it is paused, in microseconds since 1970; 0: it is not.
    #[serde(default)]
    pub paused_until: i64,
    /// Who watches: a process and its machine.
    #[serde(default)]
    pub by: String,
    /// When guards of this store were started lately, in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts: Vec<i64>,
    /// Since when acts on limits have stopped, in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<i64>,
    /// When a stage was taken back on suspicion last, in microseconds since 1970.
    #[serde(default)]
    pub stage_taken: i64,
    /// It was told to end, and did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}

/// What is known of one flag. Times are in microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// When it was changed last.
    pub changed_at: i64,
    /// The stakes: since when they add up, when the last change was, and how many there were.
    pub stakes: (i64, i64, u32),
    /// How busy its hours were.
    #[serde(default)]
    pub busy: BusyHours,
    /// Until when it is left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<i64>,
    /// What was usual before the last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<Before>,
    /// Hours in which requests were answered on, and off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<Hour>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[allow(missing_docs, reason = "said of `on`")]
    pub off: Vec<Hour>,
    /// What it can be compared with: `branch`, `gate` or `full`, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// How far evidence against it has come: 0, none, to 1, enough.
    #[serde(default)]
    pub evidence: f64,
    /// What its plan is told.
    pub verdict: Verdict,
}

impl Kept {
    /// Whether the flag may be acted on by limits: it was changed lately, or has seen no hour as busy as before.
    pub fn is_watched(&self, now: i64, policy: &Policy) -> bool {
        self.busy.is_watched(now, self.changed_at, policy)
    }

    /// Of a flag that nobody asked: nothing is known of it but when it was changed.
    pub(super) fn unasked(changed_at: i64) -> Self {
        Self {
            changed_at,
            stakes: (0, 0, 0),
            busy: BusyHours::default(),
            cooldown: None,
            usual: None,
            on: Vec::new(),
            off: Vec::new(),
            kind: None,
            evidence: 0.0,
            verdict: Verdict::Go,
        }
    }
}

/// What was usual.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// At most so many requests failed, but for one chance in 10,000.
    pub error_rate: f64,
    /// The bucket of the 95th percentile.
    pub p95: usize,
    /// The bucket of the median.
    pub median: usize,
    /// It was so where the flag was on.
    pub on: bool,
}

/// One hour of a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hour {
    /// Hours since 1970.
    pub hour: i64,
    /// All that ended.
    pub requests: u64,
    /// Of these with an error.
    pub errors: u64,
    /// The bucket of the 95th percentile.
    pub p95: usize,
    /// The bucket of the median.
    pub median: usize,
}
