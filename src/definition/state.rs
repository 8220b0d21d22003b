//! What a store keeps with each flag besides its definition. It changes no answer.
//!
//! It is part of the canonical definitions of a snapshot, so that a plan's progress and the percentage it sets move in one
//! publish. Files written by people do not have it.

use super::model::Flag;
use super::progress::PlanState;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// What a store keeps with a flag.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FlagState {
    /// Since what day the file that is published no longer has the flag: its beginning in UTC, in microseconds since 1970.
    pub orphaned: Option<i64>,
    /// How far its plan is; none: it was not started.
    pub plan: Option<PlanState>,
    /// What the file said of it at its last publish; none: no file that had it was published.
    pub file: Option<Arc<FileState>>,
}

/// What the file said of a flag when it was last published. Only a publish of a file changes it.
#[derive(Debug, Clone, PartialEq)]
pub struct FileState {
    /// The flag as the file said it; of a field that it no longer says, what it said last. Its own state is empty.
    pub base: Flag,
    /// Fields in which a publish with `--keep` left what runs although the file was edited.
    pub conflicts: Vec<KeptConflict>,
}

/// A field that the file and somebody where the flag runs changed to different values, and that nobody has settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptConflict {
    /// The field: `percentage`.
    pub field: String,
    /// What the file says of it; of companies, `allow`, `deny` or `neither` by company.
    pub file: Value,
}

impl FlagState {
    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What the file said at its last publish, where that is known.
    pub fn base(&self) -> Option<&Flag> {
        self.file.as_ref().map(|file| &file.base)
    }
}
