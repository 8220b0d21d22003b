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
mod options;
mod orphans;
mod outcome;
mod pull;
mod rename;
mod result;
mod segments;
mod shadow;
mod take;

pub use choice::{ChoiceError, all_choice, field_choice};
pub use companies::{CompanyConflict, Listing};
pub use conflict::{Conflict, open_conflicts};
pub use drift::{Drift, SwitchAuthor, unlike_its_file};
pub use fields::{FIELDS, Field};
pub use options::Options;
pub use outcome::Outcome;
pub use pull::{PullResult, PulledField, pull};
pub use rename::Renaming;
pub(crate) use rename::rename;
pub use result::{MergeError, Merged, Shadowed};
pub use segments::keep_base;

use crate::definition::{Definitions, Flag};
use crate::time;
use choice::Choice;
use rename::{RenameOptions, renamed};
use std::collections::BTreeSet;

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
    let asked = RenameOptions {
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
    let before = running;
    let renamed = renamed(running, file, options.older.is_some(), &asked);
    let running = &*renamed.running;
    if options.older.is_none() && !options.lossy {
        orphans::not_lossy(running, file)?;
    }
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
    let today = time::format_day(options.now);
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
