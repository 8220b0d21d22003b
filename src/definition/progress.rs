//! Progress of a flag's rollout plan, as a store keeps it with the flag.
//!
//! All times are in microseconds since 1970, all lengths in microseconds.

use super::company::CompanyId;
use super::percentage::Percentage;
use super::plan::Stage;
use super::schedule::{Emergency, ScheduleStep};
use serde::{Deserialize, Serialize};

/// Maximum length of a kept reason, in characters; the audit trail has more of it.
const REASON: usize = 500;

/// Progress of a plan. There is none before `start` and after `abort`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanState {
    /// The stages that a person last accepted, by `start` or `resume`.
    pub stages: Vec<Stage>,
    /// Entry time of each stage; none for one that was passed by hand. The last is the present stage.
    pub entered: Vec<Option<i64>>,
    /// Time from which soak counts.
    pub since: i64,
    /// Soak of the stage accumulated before `since`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub soaked: i64,
    /// Reason for the hold, while the plan is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<PlanHold>,
    /// End of its last stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<i64>,
    /// Fingerprint of the flag as the plan left it, 16 hex digits: detects changes by others.
    pub left: String,
    /// State that `abort` returns to; none once the plan is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
}

/// Reason, author and time of a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanHold {
    /// Reason for the hold.
    pub reason: String,
    /// `deploy@web-1`, `alice (deploy@web-1)`; empty if only the audit trail has it.
    pub by: String,
    /// Time of the hold.
    pub at: i64,
}

/// A flag before its plan was started: the lists of companies as differences, since they may be long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// The flag's `enabled`.
    pub enabled: bool,
    /// The rollout's percentage; absent if there was no rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentage: Option<Percentage>,
    /// The flag's schedule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<ScheduleStep>,
    /// Difference of the allow list.
    #[serde(default, skip_serializing_if = "ListChange::is_empty")]
    pub allow: ListChange,
    /// Difference of the deny list.
    #[serde(default, skip_serializing_if = "ListChange::is_empty")]
    pub deny: ListChange,
    /// The flag's `emergency`.
    #[serde(default, skip_serializing_if = "Emergency::is_off")]
    pub emergency: Emergency,
}

/// Difference of a list of companies. Both parts are sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListChange {
    /// Companies added since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<CompanyId>,
    /// Companies removed since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<CompanyId>,
}

impl PlanState {
    /// Number of the present stage, from 0.
    pub fn stage(&self) -> usize {
        self.entered.len().saturating_sub(1)
    }

    /// Holds a running plan: no time counts as soak from now on. A clock that went back takes nothing away.
    pub fn hold(&mut self, held: PlanHold) {
        if self.is_running() {
            self.soaked = self.soaked(held.at);
            self.since = held.at;
            self.held = Some(PlanHold { reason: held.reason.chars().take(REASON).collect(), ..held });
        }
    }

    /// Soak of the present stage at that time.
    pub fn soaked(&self, now: i64) -> i64 {
        let running = if self.is_running() { now.saturating_sub(self.since).max(0) } else { 0 };
        self.soaked.saturating_add(running)
    }

    /// True if it proceeds by itself.
    pub fn is_running(&self) -> bool {
        self.held.is_none() && self.done.is_none()
    }
}

impl ListChange {
    /// True if the list is unchanged.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}
