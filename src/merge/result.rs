//! Result of a merge.

use super::choice::ChoiceError;
use super::conflict::Conflict;
use super::drift::Drift;
use super::rename::Renaming;
use crate::definition::{Definitions, Report};
use serde::Serialize;

/// Result of a merge.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Merged {
    /// The definitions to publish; a field in conflict keeps its running value.
    #[serde(skip)]
    pub definitions: Definitions,
    /// Fields that both sides changed to different values.
    pub conflicts: Vec<Conflict>,
    /// The conflicts that no earlier publish left open.
    #[serde(skip)]
    pub opened: Vec<Conflict>,
    /// Differences from the file that stay.
    pub drift: Vec<Drift>,
    /// Flags whose audience alone the file edits: the companies lost were reviewed there.
    pub reviewed: Vec<String>,
    /// Fields that the file no longer writes. The running value stays.
    pub unsaid: Vec<Drift>,
    /// Edits of the file that do not reach its environment, whose overlay replaces them.
    pub shadowed: Vec<Shadowed>,
    /// Flags whose last file is not known: the one at hand is taken for it.
    pub unknown: Vec<String>,
    /// Flags whose switches a plan is moving, and differ from the file for that reason.
    pub planned: Vec<String>,
    /// Flags that the file lacks for the first time.
    pub orphaned: Vec<String>,
    /// All flags that it lacks, and that stay.
    pub orphans: Vec<String>,
    /// Flags that return to the file: on for no more companies than in the file and than before.
    pub returned: Vec<String>,
    /// Flags that get another key.
    pub renamed: Vec<Renaming>,
    /// Flags that the file lost and gained with the same fields: probably renamed, without `"was"`.
    pub lookalikes: Vec<Renaming>,
    /// Former keys that no longer answer.
    pub ended: Vec<Renaming>,
    /// Flags removed from the store.
    pub pruned: Vec<String>,
    /// Flags with a plan under way whose switches change, which holds the plan.
    pub held: Vec<String>,
    /// Flags that an older release brings back: disabled.
    pub disabled: Vec<String>,
    /// The newest release that was published, if the file is of an older one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than: Option<String>,
}

/// The reason why a file cannot be merged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// An option names a flag or field that does not exist.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// An option would change switches from an older release.
    #[error("{0} with a release older than one that was published, which turns nothing; leave it out")]
    Older(&'static str),
    /// New flags lack both `enabled` and any targeting.
    #[error(
        "{}: new, and says neither \"enabled\" nor whom it is for; write \"enabled\": true if it is to be on for everybody",
        .0.join(", ")
    )]
    Silent(Vec<String>),
    /// The file lacks too many running flags.
    #[error("the file lacks {missing} of the {running} flags that run; if that is meant, say --yes")]
    Loss {
        /// Flags that the file lacks for the first time.
        missing: usize,
        /// Flags that run, orphans not counted.
        running: usize,
    },
    /// The result has errors.
    #[error(
        "the file and what stays as it runs do not go together:\n{}\nHave the file decide with --reset, remove flags that it no \
         longer has and that are off with --prune, or bring them back into the file",
        .0.to_string().trim_end()
    )]
    Result(Report),
}

/// An edit that does not reach the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shadowed {
    /// The flag's key; `segments` for a segment.
    pub flag: String,
    /// The path below the flag: `rollout/percentage`; for a segment, its name first.
    pub path: String,
    /// The file's value for every environment, for people.
    pub shared: String,
    /// Line of the shared value, from 1.
    pub shared_line: usize,
    /// The environment's name.
    pub environment: String,
    /// The file's value for that environment.
    pub overlay: String,
    /// Line of the overlay's value, from 1.
    pub overlay_line: usize,
}
