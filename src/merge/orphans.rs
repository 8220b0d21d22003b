//! Running flags that the file does not have: nothing is deleted unasked.

use super::options::Options;
use super::result::{MergeError, Merged};
use crate::definition::{Definitions, Flag};
use crate::time::SECOND;
use std::collections::BTreeSet;

impl Merged {
    /// Adds the running flags that the file lacks to those merged.
    pub(super) fn keep_orphans(&mut self, running: &Definitions, file: &Definitions, options: &Options) {
        let missing = || running.flags.iter().filter(|(key, _)| !file.flags.contains_key(*key));
        let off = match options.prune {
            true => {
                off_for_all(running, &self.definitions, missing().map(|(key, _)| key.as_str()), options.now)
            }
            false => BTreeSet::new(),
        };
        for (key, is) in missing() {
            if off.contains(key.as_str()) {
                self.pruned.push(key.clone());
                continue;
            }
            let mut flag = is.clone();
            // A newer release has it, so it is not orphaned.
            if flag.state.orphaned.is_none() && options.older.is_none() {
                // Rounded to the day, so that machines that publish the same file one after the other get the same content.
                flag.state.orphaned = Some(options.now - options.now.rem_euclid(86_400 * SECOND));
                self.orphaned.push(key.clone());
            }
            if flag.state.orphaned.is_some() {
                self.orphans.push(key.clone());
            }
            self.definitions.flags.insert(key.clone(), flag);
        }
    }
}

/// Refuses a file that lacks more than half of the running flags, flags orphaned before not counted. Renamed flags run under the file's
/// keys by now.
pub(super) fn not_lossy(running: &Definitions, file: &Definitions) -> Result<(), MergeError> {
    let in_file = running.flags.iter().filter(|(_, flag)| flag.state.orphaned.is_none());
    let (mut count, mut missing) = (0, 0);
    for (key, _) in in_file {
        count += 1;
        missing += usize::from(!file.flags.contains_key(key));
    }
    if missing * 2 > count { Err(MergeError::Loss { missing, running: count }) } else { Ok(()) }
}

/// Returns the flags that are off for everybody, and stay so: by their own fields, or because they require a flag that is. A flag that
/// requires one of them is among them, so none that stays requires one that goes.
fn off_for_all<'d>(
    running: &'d Definitions,
    merged: &Definitions,
    missing: impl Iterator<Item = &'d str>,
    now: i64,
) -> BTreeSet<&'d str> {
    let off_by_itself = |flag: &Flag| flag.is_off_for_all(now) && !flag.has_plan_under_way();
    let mut left: Vec<&str> = missing.collect();
    let mut off = BTreeSet::new();
    loop {
        let before = off.len();
        left.retain(|key| {
            let Some(flag) = running.flags.get(*key) else { return false };
            let required_off = |required: &String| {
                off.contains(required.as_str()) || merged.flags.get(required).is_some_and(off_by_itself)
            };
            let is_off = off_by_itself(flag) || flag.requires.iter().any(required_off);
            if is_off {
                off.insert(*key);
            }
            !is_off
        });
        if off.len() == before {
            return off;
        }
    }
}
