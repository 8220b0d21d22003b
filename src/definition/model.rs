//! The model: flags, segments and rules in their canonical form.
//!
//! Every map is sorted, every short form (`"key": true`) written out. The compiler resolves the defaults that change an
//! answer. The types serialise to the canonical definitions that a snapshot embeds, and deserialise from
//! them; text that people wrote goes through [`parse`](super::parse), which says what is wrong with it and where.

use super::company::CompanyId;
use super::condition::Condition;
use super::guard::GuardRule;
use super::percentage::Percentage;
use super::plan::Plan;
use super::state::FlagState;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// The whole document, with no environment applied or with one merged in.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definitions {
    /// Flags by key.
    pub flags: BTreeMap<String, Flag>,
    /// Named conditions that rules share.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub segments: BTreeMap<String, Condition>,
}

/// One flag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whom to ask about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// False: off for everybody, whatever else the flag says.
    pub enabled: bool,
    /// Who gets it where nothing more specific decides; absent: everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// Companies named one by one.
    #[serde(default, skip_serializing_if = "Companies::is_empty")]
    pub companies: Companies,
    /// Flags that must be on for the same question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// Asked in order; the first whose condition holds decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Sorted by time, no two at one instant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<Step>,
    /// By name; the weights add up to 100.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variants: BTreeMap<String, Variant>,
    /// What a stop of everything does to the flag.
    #[serde(default, skip_serializing_if = "Emergency::is_off")]
    pub emergency: Emergency,
    /// The day, as `YYYY-MM-DD`, after which `check` warns that the flag should be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// The stages of its rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// Whether the guard watches it, and what it holds it to; absent: to its own limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardRule>,
    /// Whose the switches are once the flag is published.
    #[serde(default, skip_serializing_if = "Managed::is_operations")]
    pub managed: Managed,
    /// What a store keeps with it; empty in files that people write.
    #[serde(default, skip_serializing_if = "FlagState::is_empty")]
    pub state: FlagState,
}

/// A share of the buckets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// Of the buckets, from the lowest.
    pub percentage: Percentage,
    /// What is hashed: `company`, or the name of a context attribute.
    #[serde(default = "company", skip_serializing_if = "is_company")]
    pub by: String,
    /// Absent: the flag's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// How a key becomes a bucket.
    #[serde(default, skip_serializing_if = "Bucketing::is_xxh3")]
    pub bucketing: Bucketing,
}

/// How a key becomes a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bucketing {
    /// Flagstone's own: xxh3, 100,000 buckets, salted per flag.
    #[default]
    Xxh3,
    /// `crc32(key) % 100`, unsalted, as home-grown rollouts do it.
    Crc32,
}

/// Companies named one by one. A company is in at most one of the two lists.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Companies {
    /// On for these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<CompanyId>,
    /// Off for these; wins over everything but the steps before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<CompanyId>,
}

/// One rule of a flag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Shown by `explain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When the rule decides.
    pub when: Condition,
    /// Of the buckets; absent: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentage: Option<Percentage>,
}

/// From `at` on, the rollout's percentage is this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// RFC 3339 with an offset.
    pub at: String,
    /// Of the buckets.
    pub percentage: Percentage,
}

/// One of several forms of a feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Share of those for whom the flag is on.
    pub weight: Percentage,
    /// Anything; what `feature_value()` returns.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some")]
    pub value: Option<serde_json::Value>,
}

/// What a stop of everything does to a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Emergency {
    /// It goes off.
    #[default]
    Off,
    /// It stays as it is.
    Keep,
}

/// Whose `enabled`, percentage, schedule, companies and `emergency` are once a flag is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Managed {
    /// Those who run it: a file gives the first values only.
    #[default]
    Operations,
    /// The file's.
    Git,
}

impl Flag {
    /// A flag that says nothing but whether it is enabled.
    pub fn new(enabled: bool) -> Self {
        Self {
            description: None,
            owner: None,
            enabled,
            rollout: None,
            companies: Companies::default(),
            requires: Vec::new(),
            rules: Vec::new(),
            schedule: Vec::new(),
            variants: BTreeMap::new(),
            emergency: Emergency::Off,
            expires: None,
            plan: None,
            guard: None,
            managed: Managed::Operations,
            state: FlagState::default(),
        }
    }
}

impl Definitions {
    /// Compact JSON with every map sorted: the same definitions give the same bytes.
    pub fn to_canonical_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The same without what a store keeps: as a file may have it.
    #[must_use]
    pub fn without_state(&self) -> Self {
        let mut plain = self.clone();
        plain.flags.values_mut().for_each(|flag| flag.state = FlagState::default());
        plain
    }

    /// Reads back what [`to_canonical_json`](Self::to_canonical_json) wrote. It checks types, not meaning.
    pub fn from_canonical_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

impl Companies {
    /// Whether neither list names anybody.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }
}

impl Rollout {
    /// What a flag without a rollout says.
    pub fn everybody() -> Self {
        Self { percentage: Percentage::FULL, by: company(), salt: None, bucketing: Bucketing::Xxh3 }
    }
}

impl Bucketing {
    fn is_xxh3(&self) -> bool {
        *self == Self::Xxh3
    }
}

impl Managed {
    fn is_operations(&self) -> bool {
        *self == Self::Operations
    }
}

impl Emergency {
    pub(super) fn is_off(&self) -> bool {
        *self == Self::Off
    }
}

fn company() -> String {
    "company".to_owned()
}

fn is_company(by: &str) -> bool {
    by == "company"
}

/// A value that is written, `null` included.
fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}
