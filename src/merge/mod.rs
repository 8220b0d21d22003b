//! A file of definitions merged into what runs: a three-way merge.
//!
//! Flags are changed in two places: in a file, which is reviewed and deployed, and where they run. A store keeps with each flag what the
//! file said at its last publish (the base), and a publish compares the file and what runs with it, field by field: [`Outcome`] is the
//! rule. Definitions in, definitions out; nothing is read or written here.

mod choice;
mod companies;
mod conflict;
mod drift;
mod fields;
mod flag;
mod orphans;
mod outcome;
mod pull;
mod segments;

pub use choice::ChoiceError;
pub use companies::{CompanyConflict, Listing};
pub use conflict::{Conflict, open_conflicts};
pub use drift::{Drift, Turned, unlike_its_file};
pub use fields::{FIELDS, Field};
pub use outcome::Outcome;
pub use pull::{Pulled, PulledField, pull};
pub use segments::keep_base;

use crate::definition::{Definitions, Flag, Report};
use crate::eval::time;
use choice::Choice;
use serde::Serialize;

/// How a file is merged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Fields that the file decides, whatever was changed where they run: `FLAG.FIELD`, `FLAG`, or `all`.
    pub reset: Vec<String>,
    /// Fields in which what runs stays, the edit in the file being answered: `FLAG.FIELD`, `FLAG`, or `all`.
    pub settle: Vec<String>,
    /// Remove flags that the file does not have and that are off for everybody.
    pub prune: bool,
    /// A file that lacks more than half of the flags that run is meant.
    pub lossy: bool,
    /// The newest release that was published, where the file is of an older one: nothing is turned.
    pub older: Option<String>,
    /// Microseconds since 1970.
    pub now: i64,
}

/// What comes of a merge.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Merged {
    /// To be published; in a conflict with what runs, which stays.
    #[serde(skip)]
    pub definitions: Definitions,
    /// Fields that both sides changed, to different values.
    pub conflicts: Vec<Conflict>,
    /// Where what runs is not what the file says, and stays.
    pub drift: Vec<Drift>,
    /// Flags of which the file edits who has them, and nothing else: what they lose was reviewed there.
    pub reviewed: Vec<String>,
    /// Fields that the file said and no longer says. What runs stays.
    pub unsaid: Vec<Drift>,
    /// Flags whose last file is not known: the one at hand is taken for it.
    pub unknown: Vec<String>,
    /// Flags whose switches a plan moves just now, and that say something else than the file for that.
    pub planned: Vec<String>,
    /// Flags that the file no longer has, from now on.
    pub orphaned: Vec<String>,
    /// All that it does not have, and that stay.
    pub orphans: Vec<String>,
    /// Flags that the file has again: on for no more than the file says and what ran.
    pub returned: Vec<String>,
    /// Flags removed.
    pub pruned: Vec<String>,
    /// Flags whose switches are turned by this while a plan is under way, which holds it.
    pub held: Vec<String>,
    /// Flags that an older release brings back: disabled.
    pub disabled: Vec<String>,
    /// The newest release that was published, where the file is of an older one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than: Option<String>,
}

/// Why a file cannot be merged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// An option names what is not there.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// An older release may not turn anything.
    #[error("{0} with a release older than one that was published, which turns nothing; leave it out")]
    Older(&'static str),
    /// New flags that do not say for whom they are on.
    #[error(
        "{}: new, and says neither \"enabled\" nor whom it is for; write \"enabled\": true if it is to be on for everybody",
        .0.join(", ")
    )]
    Silent(Vec<String>),
    /// The file has lost flags.
    #[error("the file lacks {missing} of the {running} flags that run; if that is meant, say --yes")]
    Loss {
        /// Flags that run, and that the file lacks from now on.
        missing: usize,
        /// Flags that run.
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

/// What is to be published, of the definitions of a file (checked, of one environment) and those that run; none run before
/// the first publish.
///
/// New flags are as the file says. Flags that the file does not have stay, and are marked. Of a flag that runs, a field that the file
/// edited takes effect, and one that it did not edit stays as it runs. Where both sides changed one, what runs stays, and
/// [`Merged::conflicts`] has it.
///
/// The merge of a file into its own result is that result.
///
/// # Errors
///
/// When an option names nothing, a new flag does not say for whom it is, the file lost flags, or the result would not pass a check.
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
        reset: Choice::of("--reset", &options.reset, file, running)?,
        settle: Choice::of("--settle", &options.settle, file, running)?,
    };
    if options.older.is_none() && !options.lossy {
        orphans::not_lossy(running, file)?;
    }
    let mut merged = Merged { older_than: options.older.clone(), ..Merged::default() };
    let mut silent = Vec::new();
    for (key, says) in &file.flags {
        let flag = match running.flags.get(key) {
            Some(is) if options.older.is_some() => merged.older_flag(key, is, says),
            Some(is) => merged.flag(key, is, says, &asked),
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
    let today: String = time::format_rfc3339(options.now).chars().take(10).collect();
    merged.definitions.check("merged", &today).map_err(MergeError::Result)?;
    Ok(merged)
}

/// What the options name.
struct Asked<'a> {
    reset: Choice<'a>,
    settle: Choice<'a>,
}

impl Flag {
    /// Whether a plan was started and is not over, be it held.
    fn has_plan_under_way(&self) -> bool {
        self.state.plan.as_ref().is_some_and(|plan| plan.done.is_none())
    }

    /// Whether a plan is over, and the flag runs as its last stage says.
    fn is_as_its_plan_left_it(&self) -> bool {
        let Some(state) = self.state.plan.as_ref().filter(|state| state.done.is_some()) else { return false };
        let last = state.stages.iter().rev().find_map(|stage| stage.percentage);
        let runs = self.rollout.as_ref().map(|rollout| rollout.percentage);
        self.enabled && self.schedule.is_empty() && last.is_some() && last == runs
    }
}
