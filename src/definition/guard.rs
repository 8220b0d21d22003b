//! What the guard holds a flag to, as people write it.

use super::plan::Soak;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Whether the guard watches a flag, and what it holds it to.
#[derive(Debug, Clone, PartialEq)]
pub enum GuardRule {
    /// It does not: `false`.
    Off,
    /// It does: `true`, or an object.
    On(GuardLimits),
}

/// What is not written is the document's, and what that does not say the guard's own.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardLimits {
    /// Of the requests for which the flag is on at most so many may fail; more than 0, at most 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<f64>,
    /// 95 of 100 of them have to be over within so many milliseconds; 1 to 60,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<u64>,
    /// Held against what it is compared with.
    #[serde(default, skip_serializing_if = "GuardRelative::is_empty")]
    pub relative: GuardRelative,
    /// Requests that evidence rests on at least; 1 to 1,000,000,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_requests: Option<u64>,
    /// Companies that are affected at least; 1 to 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_companies: Option<u64>,
    /// Over what numbers are taken for "now"; a minute to a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Soak>,
    /// How long a flag is left alone that was acted on; a minute to 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Soak>,
    /// For how long after a change a flag without an off-cohort may be acted on; an hour to eight days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Soak>,
    /// What is done to a flag that does harm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<GuardAction>,
    /// What the requests with the flag on are compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<GuardBaseline>,
}

/// How many times as bad the requests with the flag on may be as what they are compared with; more than 1, at most 100.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardRelative {
    /// Their error rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<f64>,
    /// The 95th percentile of how long they take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<f64>,
}

/// What the guard does to a flag that does harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuardAction {
    /// Takes it back: to the plan's earlier stage, or off.
    #[default]
    Rollback,
    /// Holds its plan.
    Hold,
    /// Tells people.
    Notify,
}

/// What the on-cohort is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuardBaseline {
    /// With the off-cohort where that does comparable work, else with the flag's own past.
    #[default]
    Auto,
    /// With the off-cohort.
    Off,
    /// With the flag's own past.
    Past,
}

impl GuardRule {
    /// What holds for a flag that says `own`, in a document that says `document`; none: the guard's own limits.
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
        enum Written {
            Whether(bool),
            Limits(GuardLimits),
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Whether(false) => Self::Off,
            Written::Whether(true) => Self::On(GuardLimits::default()),
            Written::Limits(limits) => Self::On(limits),
        })
    }
}
