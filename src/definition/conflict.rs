//! Conflicts that a publish left open.

use super::condition::Condition;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
