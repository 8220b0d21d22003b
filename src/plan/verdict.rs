//! What the guard says of a stage.

/// Whether a plan may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against it.
    Go,
    /// Not yet, and why: too few requests to tell, or a number that wants watching.
    Wait(String),
    /// The feature does harm, and how: the plan is held.
    Trip(String),
}

/// What the guard says of a flag whose plan is running.
///
/// The one place that is asked, by every tick, for every stage. No guard watches flags yet, so that nothing speaks against any.
pub fn verdict(_flag: &str) -> Verdict {
    Verdict::Go
}
