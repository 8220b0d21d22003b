//! The report of a merge beside its changes: switches that stay as they run, flags that the file lacks.

use crate::display::{self, argument};
use crate::output::{BAD, BOLD, DIM, Output, WARN};
use flagstone::definition::Definitions;
use flagstone::merge::{Conflict, Drift, Merged, Renaming, Shadowed, SwitchAuthor, all_choice, field_choice};
use std::borrow::Cow;

/// The most differences and flags that are listed.
const MAX_SHOWN_DIFFERENCES: usize = 20;

/// A merged file, as the report names it.
#[derive(Clone, Copy)]
pub struct MergedFile<'a> {
    pub name: &'a str,
    pub is_stdin: bool,
    pub definitions: &'a Definitions,
}

impl<'a> MergedFile<'a> {
    /// The file as an argument of `publish`.
    fn argument(self) -> Cow<'a, str> {
        if self.is_stdin { "-".into() } else { argument(self.name) }
    }
}

/// Prints the report; with `only_drift`, without the effects of a publish.
pub fn merged(merged: &Merged, file: MergedFile, only_drift: bool, output: &mut Output) {
    if let Some(newest) = &merged.older_than {
        output.line(output.paint(
            WARN,
            format!(
                "an older release than {newest}, which was published: nothing was turned, nothing marked. If this one is the \
                 newest, say --mark-newest"
            ),
        ));
    }
    conflicts(&merged.conflicts, file, output);
    if !merged.unknown.is_empty() {
        let text = "what its file said before is not known: this file is taken for it, and turned nothing";
        list(&merged.unknown, text, output);
    }
    drift(&merged.drift, file, only_drift, output);
    unsaid(&merged.unsaid, file, only_drift, output);
    shadowed(&merged.shadowed, file.name, output);
    for (flags, what) in [
        (&merged.planned, "moved by a plan just now, and no drift"),
        (&merged.returned, "in the file again: on for no more than the file says and what ran"),
        (&merged.disabled, "brought back by an older release: disabled until somebody enables it"),
        (&merged.pruned, "removed: not in the file, and off for everybody"),
    ] {
        list(flags, what, output);
    }
    for renamed in &merged.renamed {
        let what = format!("called {} until now, and answers to that as well", display::plain(&renamed.from));
        list(std::slice::from_ref(&renamed.to), &what, output);
    }
    for renamed in &merged.ended {
        let what = format!("a former key of {}, no longer answers", display::plain(&renamed.to));
        list(std::slice::from_ref(&renamed.from), &what, output);
    }
    for Renaming { from, to } in merged.lookalikes.iter().take(MAX_SHOWN_DIFFERENCES) {
        let [from, to] = [from, to].map(|key| display::plain(key));
        output.warn(format!(
            "{to} is new and says all that {from} said, which the file has no more. If it was renamed, write \"was\": \"{from}\" into {to}: its \
             companies, kill and counters go along then"
        ));
    }
    list(&merged.held, "turned by this, which holds its plan", output);
    if !only_drift {
        let marked = |flag: &&String| !merged.orphaned.contains(flag);
        let earlier: Vec<String> = merged.orphans.iter().filter(marked).cloned().collect();
        let stays = "not in the file any more; stays as it is, until --prune finds it off for everybody";
        list(&merged.orphaned, stays, output);
        list(&earlier, "not in the file since an earlier publish", output);
    }
}

fn list(flags: &[String], what: &str, output: &mut Output) {
    if !flags.is_empty() {
        output.line(format!(
            "{}: {what}",
            output.paint(BOLD, display::some(flags.iter(), MAX_SHOWN_DIFFERENCES))
        ));
    }
}

/// Prints the fields that run otherwise than the file says, the reason that they stay, and the ways out.
fn drift(drift: &[Drift], file: MergedFile, only_drift: bool, output: &mut Output) {
    if drift.is_empty() {
        return;
    }
    let count = display::counted(drift.len() as u64, "field");
    let name = file.name;
    let head = match only_drift {
        true => format!("drift: {count} not as {name} says"),
        false => format!("kept: {count} not as {name} says. The file did not edit them, so what runs stays"),
    };
    output.line(output.paint(WARN, head));
    let quoted = file.argument();
    for drift in drift.iter().take(MAX_SHOWN_DIFFERENCES) {
        output.line(format!("  {}", display::plain(&drift.to_string())));
        print_author(drift.turned.as_ref(), output);
        let mut ways: Vec<String> = command(drift).into_iter().collect();
        ways.push(format!(
            "flagstone publish {quoted} --reset {}",
            argument(&field_choice(file.definitions, &drift.flag, drift.field))
        ));
        output.line(output.paint(DIM, format!("    as the file says: {}", ways.join(", or "))));
    }
    more(drift.len(), output);
    // It writes into the file.
    let pulled = if file.is_stdin { "FILE" } else { &quoted };
    output.line(format!("to have the file say what runs: flagstone pull {pulled}"));
}

/// Prints the author, time and reason of a turned field, if known.
fn print_author(turned: Option<&SwitchAuthor>, output: &mut Output) {
    let Some(turned) = turned else { return };
    let reason =
        turned.reason.as_ref().map_or(String::new(), |reason| format!(", {}", display::quoted(reason)));
    output.line(format!(
        "    turned {} by {}: {}{reason}",
        super::second(&display::plain(&turned.at)),
        display::plain(&turned.by),
        turned.action,
    ));
}

/// Prints fields changed both in the file and in the store, with both values and the ways out.
pub fn conflicts(conflicts: &[Conflict], file: MergedFile, output: &mut Output) {
    if conflicts.is_empty() {
        return;
    }
    let count = display::counted(conflicts.len() as u64, "field");
    output.line(
        output.paint(BAD, format!("conflict: {count} changed in {} and where the flag runs", file.name)),
    );
    let quoted = file.argument();
    for conflict in conflicts.iter().take(MAX_SHOWN_DIFFERENCES) {
        output.line(format!("  {}", display::plain(&conflict.to_string())));
        print_author(conflict.turned.as_ref(), output);
        if conflict.planned {
            let line = format!(
                "    its plan moves it just now; `flagstone plan abort {}` ends that",
                argument(&conflict.flag)
            );
            output.line(output.paint(DIM, line));
        }
        let what = match conflict.flag.as_str() {
            "segments" => all_choice(file.definitions).to_owned(),
            flag => argument(&field_choice(file.definitions, flag, &conflict.field)).into_owned(),
        };
        for (meaning, option) in [("as the file says", "--reset"), ("as it runs", "--settle")] {
            let line = format!("    {meaning}: flagstone publish {quoted} {option} {what}");
            output.line(output.paint(DIM, line));
        }
    }
    more(conflicts.len(), output);
    output.line(format!("to publish all else, and decide later: flagstone publish {quoted} --keep"));
}

/// Prints fields that the file no longer sets.
fn unsaid(unsaid: &[Drift], file: MergedFile, only_drift: bool, output: &mut Output) {
    if unsaid.is_empty() {
        return;
    }
    let count = display::counted(unsaid.len() as u64, "field");
    let head = if only_drift { "drift: " } else { "" };
    output.line(format!("{head}{} does not say {count}; what runs stays:", file.name));
    for drift in unsaid.iter().take(MAX_SHOWN_DIFFERENCES) {
        let (flag, field) = (display::plain(&drift.flag), drift.field);
        // `--reset` decides about both lists of companies.
        let choice = field.split_once('.').map_or(field, |(companies, _)| companies);
        output.line(output.paint(
            DIM,
            format!(
                "  {flag}: {field}; without it: flagstone publish {} --reset {}",
                file.argument(),
                argument(&field_choice(file.definitions, &drift.flag, choice))
            ),
        ));
    }
    more(unsaid.len(), output);
}

/// Prints edits for every environment that this one's overlay replaces.
fn shadowed(shadowed: &[Shadowed], file: &str, output: &mut Output) {
    if shadowed.is_empty() {
        return;
    }
    let count = display::counted(shadowed.len() as u64, "edit");
    output.line(
        output.paint(WARN, format!("replaced: {count} in {file} that this environment's overlay replaces")),
    );
    for shadowed in shadowed.iter().take(MAX_SHOWN_DIFFERENCES) {
        output.line(format!("  {}", display::plain(&shadowed.to_string())));
    }
    more(shadowed.len(), output);
}

fn more(count: usize, output: &mut Output) {
    if count > MAX_SHOWN_DIFFERENCES {
        output.line(format!(
            "  … and {} more (--json shows all)",
            display::thousands((count - MAX_SHOWN_DIFFERENCES) as u64)
        ));
    }
}

/// The command that does what the file says, if there is one.
fn command(drift: &Drift) -> Option<String> {
    let (flag, file) = (argument(&drift.flag), drift.file.as_ref()?);
    match drift.field {
        "percentage" if file.is_number() => Some(format!("flagstone rollout {flag} {file}")),
        "enabled" if file.as_bool()? => Some(format!("flagstone enable {flag}")),
        "enabled" => Some(format!("flagstone disable {flag}")),
        _ => None,
    }
}
