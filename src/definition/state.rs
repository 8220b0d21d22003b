//! What a store keeps with each flag besides its definition. It changes no answer.
//!
//! It is part of the canonical definitions of a snapshot, so that a plan's progress and the percentage it sets move in one
//! publish. Files written by people do not have it.

use super::model::{Companies, Emergency, Flag, Step};
use super::percentage::Percentage;
use serde::{Deserialize, Serialize};

/// What a store keeps with a flag.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagState {
    /// Since when the file that is published no longer has the flag, in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphaned: Option<i64>,
    /// How far its plan is; none: it was not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanState>,
}

/// How far a plan is. All times are in microseconds since 1970, all lengths in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanState {
    /// Whether it moves.
    pub status: PlanStatus,
    /// The stage that it is in, from 0.
    pub stage: usize,
    /// When that stage began, or went on after it was held.
    pub since: i64,
    /// How long the stage had lasted before it was held.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub soaked: i64,
    /// When the plan was started.
    pub started: i64,
    /// What the flag said before that.
    pub before: OperationalState,
    /// Why it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// The stages entered, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<StageEntered>,
}

/// Whether a plan moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlanStatus {
    /// It goes to the next stage when its time has come.
    Running,
    /// It stays where it is until somebody resumes it.
    Held,
    /// Its last stage is over.
    Done,
    /// It was given up; the flag says what it said before.
    Aborted,
}

/// A stage, and when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageEntered {
    /// From 0.
    pub stage: usize,
    /// In microseconds since 1970.
    pub at: i64,
}

/// What operations own of a flag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationalState {
    /// As the flag's.
    pub enabled: bool,
    /// Of its rollout; absent: it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentage: Option<Percentage>,
    /// As the flag's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<Step>,
    /// As the flag's.
    #[serde(default, skip_serializing_if = "Companies::is_empty")]
    pub companies: Companies,
    /// As the flag's.
    #[serde(default, skip_serializing_if = "Emergency::is_off")]
    pub emergency: Emergency,
}

impl FlagState {
    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl PlanState {
    /// Holds a plan that runs. `now` is in microseconds since 1970; a clock that went back adds nothing to what has soaked.
    pub fn hold(&mut self, why: &str, now: i64) {
        if self.status == PlanStatus::Running {
            self.status = PlanStatus::Held;
            self.soaked = self.soaked.saturating_add(now.saturating_sub(self.since).max(0));
            self.held = Some(why.to_owned());
        }
    }
}

impl OperationalState {
    /// What the flag says now.
    pub fn of(flag: &Flag) -> Self {
        Self {
            enabled: flag.enabled,
            percentage: flag.rollout.as_ref().map(|rollout| rollout.percentage),
            schedule: flag.schedule.clone(),
            companies: flag.companies.clone(),
            emergency: flag.emergency,
        }
    }
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}
