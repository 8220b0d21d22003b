//! What a store keeps with each flag besides its definition. It changes no answer.
//!
//! It is part of the canonical definitions of a snapshot, so that a plan's progress and the percentage it sets move in one
//! publish. Files written by people do not have it.

use super::progress::PlanState;
use serde::{Deserialize, Serialize};

/// What a store keeps with a flag.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagState {
    /// Since what day the file that is published no longer has the flag: its beginning in UTC, in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphaned: Option<i64>,
    /// How far its plan is; none: it was not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanState>,
}

impl FlagState {
    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
