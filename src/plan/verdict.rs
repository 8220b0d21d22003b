//! The guard's verdict on a stage.

use serde::{Deserialize, Serialize};

/// The guard's verdict on whether a plan may go on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing speaks against it, or no guard watches.
    #[default]
    Go,
    /// Too few requests to tell, with their number: the stage soaks for as long again, and then the plan goes on.
    Few(String),
    /// Too few to tell, but their own requests fail, with the numbers: once the stage has soaked, the plan is held.
    Failing(String),
    /// Not yet, for this reason: a number has to be watched further.
    Wait(String),
    /// The feature does harm, with the numbers: the plan is held.
    Trip(String),
}
