//! State that a store keeps with each flag besides its definition. It changes no answer.
//!
//! Part of the canonical definitions of a snapshot, so that a plan's progress and the percentage it sets change in one publish. Files
//! written by people do not have it.

use super::condition::Condition;
use super::model::Flag;
use super::progress::PlanState;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// A field that was changed to different values in the file and in the store; the conflict is still open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptConflict {
    /// The field's name: `percentage`.
    pub field: String,
    /// The file's value; for companies, `allow`, `deny` or `neither` by company.
    pub file: Value,
    /// Time of the conflict, in microseconds since 1970; 0 if not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub since: i64,
}

/// A segment in conflict, like [`KeptConflict`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptSegment {
    /// The file's condition.
    pub file: Condition,
    /// Time of the conflict, in microseconds since 1970.
    pub since: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
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
