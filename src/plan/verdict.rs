//! What the guard says of a stage.

use serde::{Deserialize, Serialize};

/// Whether a plan may go on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing speaks against it, or nobody watches.
    #[default]
    Go,
    /// Too few requests to tell, and how few: the stage soaks for as long again, and then the plan goes on.
    Few(String),
    /// Too few to tell, but their own requests fail, and how: once the stage has soaked, the plan is held.
    Failing(String),
    /// Not yet, and why: a number wants watching.
    Wait(String),
    /// The feature does harm, and how: the plan is held.
    Trip(String),
}
