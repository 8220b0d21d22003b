//! The model: flags, segments and rules in their canonical form.
//!
//! Every map is sorted, every short form (`"key": true`) written out. The compiler resolves the defaults that change an answer. The
//! types serialize to the canonical definitions that a snapshot embeds, and deserialize from them; text written by people goes through
//! [`parse`](super::parse), which reports problems with their places.

use super::company::CompanyId;
use super::condition::Condition;
use super::conflict::{KeptConflict, KeptSegment};
use super::guard::GuardRule;
use super::percentage::Percentage;
use super::plan::Plan;
use super::progress::PlanState;
use super::schedule::{Emergency, ScheduleStep};
use super::written::FieldSet;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The whole document, with no environment applied or with one merged in.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definitions {
    /// Flags by key.
    pub flags: BTreeMap<String, Flag>,
    /// Named conditions that rules share.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub segments: BTreeMap<String, Condition>,
    /// The segments in the file at its last publish, if others run; empty in files that people write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segments_base: Option<BTreeMap<String, Condition>>,
    /// The file's version of segments that a publish with `--keep` left as they run although the file was edited.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub segment_conflicts: BTreeMap<String, KeptSegment>,
    /// Digests by segment, like [`FileState::shared`](super::FileState::shared).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub segments_shared: BTreeMap<String, BTreeMap<String, String>>,
}

/// A flag's definition, without its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    /// Free text; answers ignore it.
    pub description: Option<String>,
    /// The person or team to ask about it.
    pub owner: Option<String>,
    /// False: off for everybody, whatever else the flag says.
    pub enabled: bool,
    /// Share of the companies that get it unless something more specific decides; absent: everybody.
    pub rollout: Option<Rollout>,
    /// Companies listed individually.
    pub companies: Companies,
    /// Flags that must be on for the same question.
    pub requires: Vec<String>,
    /// Evaluated in order; the first rule whose condition holds decides.
    pub rules: Vec<Rule>,
    /// Sorted by time, no two at one instant.
    pub schedule: Vec<ScheduleStep>,
    /// Variants by name; the weights add up to 100.
    pub variants: BTreeMap<String, Variant>,
    /// Effect of an emergency stop on the flag.
    pub emergency: Emergency,
    /// The day, as `YYYY-MM-DD`, after which `check` warns that the flag should be gone.
    pub expires: Option<String>,
    /// The stages of its rollout.
    pub plan: Option<Plan>,
    /// The guard's limits for it, or that the guard leaves it alone; absent: the guard's own limits.
    pub guard: Option<GuardRule>,
    /// The side that wins if both the file and the store changed it.
    pub managed: Managed,
    /// The key that it had before it was renamed, under which it still answers.
    pub was: Option<String>,
    /// State that a store keeps with it; empty in files that people write.
    pub state: FlagState,
    /// The fields that its text writes; ignored in comparisons.
    pub written: FieldSet,
}

/// A share of the buckets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// Share of the buckets, from the lowest.
    pub percentage: Percentage,
    /// The hashed value: `company`, or the name of a context attribute.
    #[serde(default = "company", skip_serializing_if = "is_company")]
    pub by: String,
    /// Absent: the former key, else the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// The hash that maps a key to a bucket.
    #[serde(default, skip_serializing_if = "Bucketing::is_xxh3")]
    pub bucketing: Bucketing,
}

/// A hash that maps a key to a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bucketing {
    /// Flagstone's own: xxh3, 100,000 buckets, salted per flag.
    #[default]
    Xxh3,
    /// `crc32(key) % 100`, unsalted, as in home-grown rollouts.
    Crc32,
}

/// Companies listed individually. A company is in at most one of the two lists.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Companies {
    /// Companies for which it is on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<CompanyId>,
    /// Companies for which it is off; overrides everything but the steps before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<CompanyId>,
}

/// A rule of a flag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Name shown by `explain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The condition under which the rule decides.
    pub when: Condition,
    /// Share of the buckets; absent: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentage: Option<Percentage>,
}

/// A form of a feature that has several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Share of the companies for which the flag is on.
    pub weight: Percentage,
    /// The result of `feature_value()`: any JSON.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some")]
    pub value: Option<serde_json::Value>,
}

/// The side that wins if both the file and the store changed a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Managed {
    /// Neither: each change takes effect, and a conflict is reported.
    #[default]
    Operations,
    /// The file; changes elsewhere are refused.
    Git,
}

impl Flag {
    /// A flag that sets nothing but `enabled`.
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
            was: None,
            state: FlagState::default(),
            written: FieldSet::ALL,
        }
    }
}

impl Flag {
    /// The salt of the buckets of the flag of that key.
    pub fn salt<'a>(&'a self, key: &'a str) -> &'a str {
        let written = self.rollout.as_ref().and_then(|rollout| rollout.salt.as_deref());
        written.or(self.was.as_deref()).unwrap_or(key)
    }
}

impl Definitions {
    /// The former keys that still answer, each with the present key of its flag.
    pub fn former_keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.flags.iter().filter_map(|(key, flag)| Some((flag.was.as_deref()?, key.as_str())))
    }

    /// The present key of the flag of that name; the name itself if it is no former key.
    pub fn current_key<'a>(&'a self, name: &'a str) -> &'a str {
        let renamed = || self.former_keys().find(|(was, _)| *was == name).map(|(_, key)| key);
        if self.flags.contains_key(name) { name } else { renamed().unwrap_or(name) }
    }

    /// Compact JSON with every map sorted: the same definitions give the same bytes.
    pub fn to_canonical_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// A copy without the state that a store keeps, as a file may hold it.
    #[must_use]
    pub fn without_state(&self) -> Self {
        let mut plain = self.clone();
        plain.flags.values_mut().for_each(|flag| flag.state = FlagState::default());
        plain.segments_base = None;
        plain.segment_conflicts.clear();
        plain.segments_shared.clear();
        plain
    }

    /// Reads back what [`to_canonical_json`](Self::to_canonical_json) wrote. It checks types, not meaning.
    pub fn from_canonical_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

impl Companies {
    /// True if both lists are empty.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }
}

impl Rollout {
    /// The rollout of a flag that writes none.
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

fn company() -> String {
    "company".to_owned()
}

fn is_company(by: &str) -> bool {
    by == "company"
}

/// Reads a value that is written, `null` included.
fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

/// State that a store keeps with a flag.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FlagState {
    /// Day since which the published file lacks the flag: its beginning in UTC, in microseconds since 1970.
    pub orphaned: Option<i64>,
    /// Progress of its plan; none if it was not started.
    pub plan: Option<PlanState>,
    /// The flag in the file at its last publish; none if no file that had it was published.
    pub file: Option<Arc<FileState>>,
}

/// The file's version of a flag at its last publish. Only a publish of a file changes it.
#[derive(Debug, Clone, PartialEq)]
pub struct FileState {
    /// The flag as the file had it; a field that it no longer writes keeps the last value. Its own state is empty.
    pub base: Flag,
    /// Fields that a publish with `--keep` left as they run although the file was edited.
    pub conflicts: Vec<KeptConflict>,
    /// Digests of the file's shared values that the overlay of this environment replaces, by path: see [`Overlaid`].
    ///
    /// [`Overlaid`]: super::Overlaid
    pub shared: BTreeMap<String, String>,
}

impl FlagState {
    /// True if the store keeps nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The flag in the file at its last publish, if known.
    pub fn base(&self) -> Option<&Flag> {
        self.file.as_ref().map(|file| &file.base)
    }
}
