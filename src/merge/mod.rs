//! A file of definitions merged into what runs.
//!
//! The file is kept with the code, the switches are turned where they run, and neither takes back what the other did: each
//! field of a flag has an owner ([`FIELDS`]). Definitions in, definitions out; nothing is read or written here.

mod drift;
mod fields;
mod orphans;
mod pull;
mod reset;

pub use drift::{Drift, Turned};
pub use fields::{FIELDS, Field, Owner};
pub use pull::{Pulled, pull};
pub use reset::ResetError;

use crate::definition::{Definitions, Flag, Managed, Report};
use crate::eval::time;
use reset::Resets;
use serde::Serialize;

/// How a file is merged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Fields that operations own and the file is to decide once: `FLAG.FIELD`, `FLAG`, or `all`.
    pub reset: Vec<String>,
    /// Remove flags that the file does not have and that are off for everybody.
    pub prune: bool,
    /// The newest release that was published, where the file is of an older one: no switch is turned.
    pub older: Option<u64>,
    /// Microseconds since 1970.
    pub now: i64,
}

/// What comes of a merge.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Merged {
    /// To be published.
    #[serde(skip)]
    pub definitions: Definitions,
    /// Where what runs is not what the file says, and stays.
    pub drift: Vec<Drift>,
    /// Flags whose switches a plan moves just now, and that say something else than the file for that.
    pub planned: Vec<String>,
    /// Flags that the file no longer has, from now on.
    pub orphaned: Vec<String>,
    /// All that it does not have, and that stay.
    pub orphans: Vec<String>,
    /// Flags that the file has again.
    pub returned: Vec<String>,
    /// Flags removed.
    pub pruned: Vec<String>,
    /// Flags whose switches are turned by this while a plan is under way, which holds it.
    pub held: Vec<String>,
    /// Flags that an older release brings back: disabled.
    pub disabled: Vec<String>,
    /// The newest release that was published, where the file is of an older one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than: Option<u64>,
}

/// Why a file cannot be merged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// What is to be reset is not there.
    #[error(transparent)]
    Reset(#[from] ResetError),
    /// An older release may not turn switches.
    #[error(
        "{0} with a release older than one that was published: it may touch what the code owns only; leave it out"
    )]
    Older(&'static str),
    /// The file and the flags that it no longer has do not go together.
    #[error(
        "with the flags that the file no longer has there would be an error:\n{}\nRemove those that are off with --prune, \
         or bring them back into the file",
        .0.to_string().trim_end()
    )]
    Result(Report),
}

/// What is to be published, of the definitions of a file (checked, of one environment) and those that run; none run before
/// the first publish.
///
/// Flags that run keep what operations own, but for those that the file manages or that are to be reset. New flags are as
/// the file says. Flags that the file does not have stay, and are marked.
///
/// The merge of a file into its own result is that result.
///
/// # Errors
///
/// When there is nothing to reset as told, or the result would not pass a check.
pub fn merge(
    running: Option<&Definitions>,
    file: &Definitions,
    options: &Options,
) -> Result<Merged, MergeError> {
    if options.older.is_some() && !options.reset.is_empty() {
        return Err(MergeError::Older("there is nothing to reset"));
    }
    if options.older.is_some() && options.prune {
        return Err(MergeError::Older("nothing is pruned"));
    }
    let nothing = Definitions::default();
    let running = running.unwrap_or(&nothing);
    let resets = Resets::of(&options.reset, file, running)?;
    let mut merged = Merged { older_than: options.older, ..Merged::default() };
    for (key, says) in &file.flags {
        let flag = match running.flags.get(key) {
            Some(is) => merged.flag(key, is, says, &resets, options),
            None => merged.new_flag(key, says, options),
        };
        merged.definitions.flags.insert(key.clone(), flag);
    }
    merged.keep_orphans(running, file, options);
    let today: String = time::format_rfc3339(options.now).chars().take(10).collect();
    merged.definitions.check("merged", &today).map_err(MergeError::Result)?;
    Ok(merged)
}

impl Flag {
    /// Whether a plan was started and is not over, be it held.
    fn has_plan_under_way(&self) -> bool {
        self.state.plan.as_ref().is_some_and(|plan| plan.done.is_none())
    }
}

impl Merged {
    fn new_flag(&mut self, key: &str, says: &Flag, options: &Options) -> Flag {
        let mut flag = says.clone();
        if options.older.is_some() && flag.enabled {
            flag.enabled = false;
            self.disabled.push(key.to_owned());
            if says.managed == Managed::Operations {
                self.drift.extend(drift::of(key, &flag, says));
            }
        }
        flag
    }

    fn flag(&mut self, key: &str, is: &Flag, says: &Flag, resets: &Resets, options: &Options) -> Flag {
        let mut flag = is.clone();
        let git = says.managed == Managed::Git;
        let mut switched = false;
        for field in &FIELDS {
            let operational = field.owner == Owner::Operations;
            let decides = !operational || (options.older.is_none() && (git || resets.has(key, field)));
            if decides && !(field.same)(&flag, says) {
                (field.take)(&mut flag, says);
                switched |= operational;
            }
        }
        flag.say_percentage();
        if flag.state.orphaned.take().is_some() {
            self.returned.push(key.to_owned());
        }
        let planned = flag.has_plan_under_way();
        if planned && switched {
            self.held.push(key.to_owned());
        }
        if !git {
            let found = drift::of(key, &flag, says);
            match planned && !found.is_empty() {
                true => self.planned.push(key.to_owned()),
                false => self.drift.extend(found),
            }
        }
        flag
    }
}
