//! Three-way merge of a file of definitions into the running ones.
//!
//! Flags are changed in two places: in a file, which is reviewed and deployed, and in the store. A store keeps each flag of the file at
//! its last publish (the base), and a publish compares the file and the running flag with it, field by field: [`Outcome`] is the rule.
//! Definitions in, definitions out; nothing is read or written here.

mod choice;
mod companies;
mod conflict;
mod drift;
mod fields;
mod flag;
mod orphans;
mod outcome;
mod pull;
mod rename;
mod segments;
mod shadow;

pub use choice::{ChoiceError, all_choice, field_choice};
pub use companies::{CompanyConflict, Listing};
pub use conflict::{Conflict, open_conflicts};
pub use drift::{Drift, Turned, unlike_its_file};
pub use fields::{FIELDS, Field};
pub use outcome::Outcome;
pub use pull::{Pulled, PulledField, pull};
pub use rename::Renaming;
pub(crate) use rename::rename;
pub use segments::keep_base;
pub use shadow::Shadowed;

use crate::definition::{Definitions, Flag, Overlaid, Report};
use crate::eval::time;
use choice::Choice;
use rename::{Asked, renamed};
use serde::Serialize;
use std::collections::BTreeSet;

/// Options of a merge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Fields decided by the file, whatever was changed in the store: `FLAG.FIELD`, `FLAG`, or `all`; if that is ambiguous,
    /// `FLAG/FIELD`, `FLAG/` or `*`.
    pub reset: Vec<String>,
    /// Fields whose running value stays, which settles the edit in the file: named like those of `reset`. The narrower of the two wins.
    pub settle: Vec<String>,
    /// Remove flags that the file does not have and that are off for everybody.
    pub prune: bool,
    /// Accept a file that lacks more than half of the running flags.
    pub lossy: bool,
    /// The newest release that was published, if the file is of an older one: no switch changes then.
    pub older: Option<String>,
    /// The values that the overlay of the file's environment replaces.
    pub overlaid: Overlaid,
    /// Present time, in microseconds since 1970.
    pub now: i64,
}

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

/// Merges the definitions of a file (checked, of one environment) into the running ones, of which there are none before the first
/// publish.
///
/// New flags are taken from the file. Flags that the file does not have stay, and are marked. In a running flag, a field that the file
/// edited takes effect, and any other keeps its running value. If both sides changed a field, the running value stays, and
/// [`Merged::conflicts`] lists it.
///
/// Merging a file into its own result changes nothing.
///
/// # Errors
///
/// When an option names nothing, a new flag has no audience, the file lost flags, or the result would not pass a check.
pub fn merge(
    running: Option<&Definitions>,
    file: &Definitions,
    options: &Options,
) -> Result<Merged, MergeError> {
    if options.older.is_some() && !(options.reset.is_empty() && options.settle.is_empty()) {
        return Err(MergeError::Older("there is nothing to decide"));
    }
    if options.older.is_some() && options.prune {
        return Err(MergeError::Older("nothing is pruned"));
    }
    let nothing = Definitions::default();
    let running = running.unwrap_or(&nothing);
    let asked = Asked {
        prune: options.prune,
        now: options.now,
        reset: Choice::of("--reset", &options.reset, file, running)?,
        settle: Choice::of("--settle", &options.settle, file, running)?,
    };
    asked.reset.differ(&asked.settle)?;
    for flag in asked.settle.named_flags() {
        let pair = running.flags.get(flag).zip(file.flags.get(flag));
        if pair.is_some_and(|(is, says)| flag::is_managed(is, says)) {
            return Err(ChoiceError::Managed { flag: flag.to_owned() }.into());
        }
    }
    if options.older.is_none() && !options.lossy {
        orphans::not_lossy(running, file)?;
    }
    let before = running;
    let renamed = renamed(running, file, options.older.is_some(), &asked);
    let running = &*renamed.running;
    let mut merged = Merged { older_than: options.older.clone(), ..Merged::default() };
    let mut silent = Vec::new();
    for (key, says) in file.flags.iter().filter(|(key, _)| !renamed.former.contains(*key)) {
        let apart = renamed.apart.get(key);
        let flag = match running.flags.get(key) {
            Some(is) if options.older.is_some() => merged.older_flag(key, is, says),
            Some(is) => merged.flag(key, is, says, &asked, apart),
            None => {
                silent.extend(says.is_silent().then(|| key.clone()));
                merged.new_flag(key, says, options)
            }
        };
        merged.definitions.flags.insert(key.clone(), flag);
    }
    if !silent.is_empty() {
        return Err(MergeError::Silent(silent));
    }
    merged.keep_orphans(running, file, options);
    merged.segments(running, file, &asked);
    if options.older.is_none() {
        merged.shadow(running, &options.overlaid);
    }
    merged.renamed.clone_from(&renamed.renamings);
    merged.tell_keys(before, file);
    let today: String = time::format_rfc3339(options.now).chars().take(10).collect();
    merged.definitions.check("merged", &today).map_err(MergeError::Result)?;
    Ok(merged)
}

/// Running flags that the file lacks, each with a new flag of the file that equals its base and has no `"was"`: probably renamed.
pub fn lookalikes(running: &Definitions, file: &Definitions) -> Vec<Renaming> {
    let former = |key: &str| running.former_keys().any(|(was, _)| was == key);
    let named = |key: &str| file.former_keys().any(|(was, _)| was == key);
    let lost: Vec<(&str, Flag)> = running
        .flags
        .iter()
        .filter(|(key, flag)| flag.state.orphaned.is_none() && !file.flags.contains_key(*key) && !named(key))
        .map(|(key, flag)| (key.as_str(), flag.state.base().unwrap_or(flag).clone()))
        .collect();
    if lost.is_empty() {
        return Vec::new();
    }
    let gained = file
        .flags
        .iter()
        .filter(|(key, flag)| flag.was.is_none() && !running.flags.contains_key(*key) && !former(key));
    let gained = gained.map(|(key, flag)| (key.as_str(), flag));
    rename::lookalikes(lost.iter().map(|(key, flag)| (*key, flag)), gained)
}

impl Merged {
    /// Reports former keys that end, and flags that look renamed.
    fn tell_keys(&mut self, before: &Definitions, file: &Definitions) {
        let answers: BTreeSet<&str> = self
            .definitions
            .former_keys()
            .map(|(was, _)| was)
            .chain(self.definitions.flags.keys().map(String::as_str))
            .collect();
        let renamed = self.renamed.iter().map(|renamed| (renamed.from.as_str(), renamed.to.as_str()));
        let ended = before.former_keys().chain(renamed).filter(|(was, _)| !answers.contains(was));
        self.ended = ended.map(|(from, to)| Renaming { from: from.to_owned(), to: to.to_owned() }).collect();
        if self.older_than.is_none() {
            self.lookalikes = lookalikes(before, file);
        }
    }
}

impl Flag {
    /// True if a plan was started and is not over; a held plan counts.
    fn has_plan_under_way(&self) -> bool {
        self.state.plan.as_ref().is_some_and(|plan| plan.done.is_none())
    }

    /// True if a plan is over, and the flag still has the percentage of its last stage.
    fn is_as_its_plan_left_it(&self) -> bool {
        let Some(state) = self.state.plan.as_ref().filter(|state| state.done.is_some()) else { return false };
        let last = state.stages.iter().rev().find_map(|stage| stage.percentage);
        let runs = self.rollout.as_ref().map(|rollout| rollout.percentage);
        self.enabled && self.schedule.is_empty() && last.is_some() && last == runs
    }
}
