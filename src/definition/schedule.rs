//! Steps of a schedule, and the effect of an emergency stop.

use super::percentage::Percentage;
use serde::{Deserialize, Serialize};

/// A step of a schedule: from `at` on, the rollout has this percentage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleStep {
    /// RFC 3339 with an offset.
    pub at: String,
    /// Share of the buckets.
    pub percentage: Percentage,
}

/// Effect of an emergency stop on a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Emergency {
    /// The flag goes off.
    #[default]
    Off,
    /// The flag stays as it is.
    Keep,
}

impl Emergency {
    pub(super) fn is_off(&self) -> bool {
        *self == Self::Off
    }
}
