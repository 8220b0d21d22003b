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
use super::written::Written;
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
    /// The segments as the file last said them, where others run; empty in files that people write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segments_base: Option<BTreeMap<String, Condition>>,
}

/// One flag.
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    /// For people.
    pub description: Option<String>,
    /// Whom to ask about it.
    pub owner: Option<String>,
    /// False: off for everybody, whatever else the flag says.
    pub enabled: bool,
    /// Who gets it where nothing more specific decides; absent: everybody.
    pub rollout: Option<Rollout>,
    /// Companies named one by one.
    pub companies: Companies,
    /// Flags that must be on for the same question.
    pub requires: Vec<String>,
    /// Asked in order; the first whose condition holds decides.
    pub rules: Vec<Rule>,
    /// Sorted by time, no two at one instant.
    pub schedule: Vec<Step>,
    /// By name; the weights add up to 100.
    pub variants: BTreeMap<String, Variant>,
    /// What a stop of everything does to the flag.
    pub emergency: Emergency,
    /// The day, as `YYYY-MM-DD`, after which `check` warns that the flag should be gone.
    pub expires: Option<String>,
    /// The stages of its rollout.
    pub plan: Option<Plan>,
    /// Whether the guard watches it, and what it holds it to; absent: to its own limits.
    pub guard: Option<GuardRule>,
    /// Whether the file wins over what was changed where the flag runs.
    pub managed: Managed,
    /// What a store keeps with it; empty in files that people write.
    pub state: FlagState,
    /// The fields that its text writes; it makes no flag differ from another.
    pub written: Written,
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

/// Who decides where the file and somebody where the flag runs both changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Managed {
    /// Neither: each change takes effect, and a conflict is told.
    #[default]
    Operations,
    /// The file; nobody else turns the flag.
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
            written: Written::ALL,
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
        plain.segments_base = None;
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
    pub(super) fn is_operations(&self) -> bool {
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
