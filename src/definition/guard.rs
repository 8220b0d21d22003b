//! The guard's limits for a flag, as people write them.

use super::plan::Soak;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The guard's setting for a flag.
#[derive(Debug, Clone, PartialEq)]
pub enum GuardRule {
    /// The guard ignores the flag: `false`.
    Off,
    /// The guard watches the flag: `true`, or an object.
    On(GuardLimits),
}

/// Limits of a flag. A missing field takes the document's value, or else the guard's default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardLimits {
    /// Maximum share of failed requests among those with the flag on; more than 0, at most 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<f64>,
    /// Maximum 95th percentile of their duration in milliseconds; 1 to 60,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<u64>,
    /// Limits relative to the baseline.
    #[serde(default, skip_serializing_if = "GuardRelative::is_empty")]
    pub relative: GuardRelative,
    /// Minimum number of requests behind a finding; 1 to 1,000,000,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_requests: Option<u64>,
    /// Minimum number of affected companies; 1 to 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_companies: Option<u64>,
    /// Span of the numbers that count as "now"; a minute to a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Soak>,
    /// Pause after acting on a flag; a minute to 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Soak>,
    /// Time after a change in which a flag without an off-cohort may be acted on; an hour to eight days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Soak>,
    /// Action on a flag that does harm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<GuardAction>,
    /// The baseline of the requests with the flag on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<GuardBaseline>,
}

/// Maximum ratio of the requests with the flag on to their baseline; more than 1, at most 100.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardRelative {
    /// Ratio of the error rates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<f64>,
    /// Ratio of the 95th percentiles of duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<f64>,
}

/// The guard's action on a flag that does harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuardAction {
    /// Returns the flag to the plan's earlier stage, or turns it off.
    #[default]
    Rollback,
    /// Holds its plan.
    Hold,
    /// Notifies people.
    Notify,
}

/// The baseline of the on-cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuardBaseline {
    /// The off-cohort if its work is comparable, else the flag's own past.
    #[default]
    Auto,
    /// The off-cohort.
    Off,
    /// The flag's own past.
    Past,
}

impl GuardRule {
    /// The rule for a flag with `own`, in a document with `document`; none: the guard's own limits.
    pub(super) fn resolved(own: Option<Self>, document: Option<&Self>) -> Option<Self> {
        let resolved = match (own, document) {
            (None, document) => document.cloned(),
            (Some(Self::On(own)), Some(Self::On(document))) => Some(Self::On(own.over(document))),
            (own, _) => own,
        };
        resolved.filter(|rule| *rule != Self::On(GuardLimits::default()))
    }
}

impl GuardLimits {
    fn over(self, document: &Self) -> Self {
        Self {
            error_rate: self.error_rate.or(document.error_rate),
            p95_ms: self.p95_ms.or(document.p95_ms),
            relative: GuardRelative {
                errors: self.relative.errors.or(document.relative.errors),
                p95: self.relative.p95.or(document.relative.p95),
            },
            min_requests: self.min_requests.or(document.min_requests),
            min_companies: self.min_companies.or(document.min_companies),
            window: self.window.or(document.window),
            cooldown: self.cooldown.or(document.cooldown),
            watch: self.watch.or(document.watch),
            action: self.action.or(document.action),
            baseline: self.baseline.or(document.baseline),
        }
    }
}

impl GuardRelative {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Serialize for GuardRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::On(limits) => limits.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for GuardRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum BoolOrLimits {
            Whether(bool),
            Limits(GuardLimits),
        }
        Ok(match BoolOrLimits::deserialize(deserializer)? {
            BoolOrLimits::Whether(false) => Self::Off,
            BoolOrLimits::Whether(true) => Self::On(GuardLimits::default()),
            BoolOrLimits::Limits(limits) => Self::On(limits),
        })
    }
}
