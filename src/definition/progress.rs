//! How far a flag's rollout plan has come, as a store keeps it with the flag.
//!
//! All times are in microseconds since 1970, all lengths in microseconds.

use super::company::CompanyId;
use super::model::{Emergency, Step};
use super::percentage::Percentage;
use super::plan::Stage;
use serde::{Deserialize, Serialize};

/// Characters of a reason that are kept; the audit trail has more of it.
const REASON: usize = 500;

/// How far a plan has come. There is none before `start` and after `abort`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanState {
    /// The stages as a person last accepted them, by `start` or `resume`.
    pub stages: Vec<Stage>,
    /// When each stage was entered; none for one that was passed by hand. The last is the present stage.
    pub entered: Vec<Option<i64>>,
    /// From when on time counts as soak.
    pub since: i64,
    /// Soaked before that.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub soaked: i64,
    /// Why it does not go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// When its last stage was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<i64>,
    /// Sixteen hex digits of what the plan left on, to tell whether somebody else changed it.
    pub left: String,
    /// What `abort` returns to; none once the plan is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
}

/// Why, by whom and since when a plan is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// Why.
    pub reason: String,
    /// `deploy@web-1`, `alice (deploy@web-1)`; empty where only the audit trail tells.
    pub by: String,
    /// Since when.
    pub at: i64,
}

/// What a flag said before its plan was started: the lists of companies as what differs, since they may be long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// As the flag's.
    pub enabled: bool,
    /// Of its rollout; absent: it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentage: Option<Percentage>,
    /// As the flag's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<Step>,
    /// What differs in the list of those allowed.
    #[serde(default, skip_serializing_if = "ListChange::is_empty")]
    pub allow: ListChange,
    /// What differs in the list of those denied.
    #[serde(default, skip_serializing_if = "ListChange::is_empty")]
    pub deny: ListChange,
    /// As the flag's.
    #[serde(default, skip_serializing_if = "Emergency::is_off")]
    pub emergency: Emergency,
}

/// How a list of companies differs from what it was. Both parts are sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListChange {
    /// In the list by now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<CompanyId>,
    /// Not in it any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<CompanyId>,
}

impl PlanState {
    /// The stage that the plan is in, counted from 0.
    pub fn stage(&self) -> usize {
        self.entered.len().saturating_sub(1)
    }

    /// Holds a plan that runs: no time counts as soak from now on. A clock that went back takes nothing away.
    pub fn hold(&mut self, held: Held) {
        if self.is_running() {
            self.soaked = self.soaked(held.at);
            self.since = held.at;
            self.held = Some(Held { reason: held.reason.chars().take(REASON).collect(), ..held });
        }
    }

    /// How long the present stage has soaked at that time.
    pub fn soaked(&self, now: i64) -> i64 {
        let running = if self.is_running() { now.saturating_sub(self.since).max(0) } else { 0 };
        self.soaked.saturating_add(running)
    }

    /// Whether it goes on by itself.
    pub fn is_running(&self) -> bool {
        self.held.is_none() && self.done.is_none()
    }
}

impl ListChange {
    /// Whether the list is as it was.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}
