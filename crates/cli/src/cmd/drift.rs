//! What a merge of a file tells besides what it changed: switches that stay as they run, flags that the file lacks.

use crate::output::{BAD, BOLD, DIM, Output, WARN};
use crate::words;
use flagstone::merge::{Conflict, Drift, Merged, Turned};

/// Differences and flags listed.
const SHOWN: usize = 20;

/// Tells it. `file` is the file's name; with `only_drift`, nothing is said of what a publish would do.
pub fn merged(merged: &Merged, file: &str, only_drift: bool, output: &mut Output) {
    if let Some(newest) = &merged.older_than {
        output.line(output.paint(
            WARN,
            format!(
                "an older release than {newest}, which was published: nothing was turned, nothing marked. If this one is the \
                 newest, say --newest"
            ),
        ));
    }
    conflicts(&merged.conflicts, file, output);
    if !merged.unknown.is_empty() {
        let text = "what its file said before is not known: this file is taken for it, and turned nothing";
        list(&merged.unknown, text, output);
    }
    drift(&merged.drift, file, only_drift, output);
    unsaid(&merged.unsaid, file, output);
    for (flags, what) in [
        (&merged.planned, "moved by a plan just now, and no drift"),
        (&merged.returned, "in the file again: on for no more than the file says and what ran"),
        (&merged.disabled, "brought back by an older release: disabled until somebody enables it"),
        (&merged.pruned, "removed: not in the file, and off for everybody"),
    ] {
        list(flags, what, output);
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
        output.line(format!("{}: {what}", output.paint(BOLD, words::some(flags.iter(), SHOWN))));
    }
}

/// Where what runs is not what the file says, why it stays, and what to type.
fn drift(drift: &[Drift], file: &str, only_drift: bool, output: &mut Output) {
    if drift.is_empty() {
        return;
    }
    let count = words::counted(drift.len() as u64, "field");
    let head = match only_drift {
        true => format!("drift: {count} not as {file} says"),
        false => format!("kept: {count} not as {file} says. The file did not edit them, so what runs stays"),
    };
    output.line(output.paint(WARN, head));
    let quoted = shell(file);
    for drift in drift.iter().take(SHOWN) {
        output.line(format!("  {}", words::plain(&drift.to_string())));
        turned(drift.turned.as_ref(), output);
        let mut ways: Vec<String> = command(drift).into_iter().collect();
        ways.push(format!("flagstone publish {quoted} --reset {}.{}", drift.flag, drift.field));
        output.line(output.paint(DIM, format!("    as the file says: {}", ways.join(", or "))));
    }
    more(drift.len(), output);
    output.line(format!("to have the file say what runs: flagstone pull {quoted}"));
}

/// Who turned a field, when and why, where that is known.
fn turned(turned: Option<&Turned>, output: &mut Output) {
    let Some(turned) = turned else { return };
    let reason =
        turned.reason.as_ref().map_or(String::new(), |reason| format!(", {}", words::quoted(reason)));
    output.line(format!(
        "    turned {} by {}: {}{reason}",
        super::second(&words::plain(&turned.at)),
        words::plain(&turned.by),
        turned.action,
    ));
}

/// Fields changed in the file and where they run, with both values and the ways out.
pub fn conflicts(conflicts: &[Conflict], file: &str, output: &mut Output) {
    if conflicts.is_empty() {
        return;
    }
    let count = words::counted(conflicts.len() as u64, "field");
    output.line(output.paint(BAD, format!("conflict: {count} changed in {file} and where the flag runs")));
    let quoted = shell(file);
    for conflict in conflicts.iter().take(SHOWN) {
        output.line(format!("  {}", words::plain(&conflict.to_string())));
        turned(conflict.turned.as_ref(), output);
        if conflict.planned {
            let line =
                format!("    its plan moves it just now; `flagstone plan abort {}` ends that", conflict.flag);
            output.line(output.paint(DIM, line));
        }
        let what = match conflict.flag.as_str() {
            "segments" => "all".to_owned(),
            flag => format!("{flag}.{}", conflict.field),
        };
        for (meaning, option) in [("as the file says", "--reset"), ("as it runs", "--settle")] {
            let line = format!("    {meaning}: flagstone publish {quoted} {option} {what}");
            output.line(output.paint(DIM, line));
        }
    }
    more(conflicts.len(), output);
    output.line(format!("to publish all else, and decide later: flagstone publish {quoted} --keep"));
}

/// Fields that the file no longer says.
fn unsaid(unsaid: &[Drift], file: &str, output: &mut Output) {
    if unsaid.is_empty() {
        return;
    }
    let count = words::counted(unsaid.len() as u64, "field");
    output.line(format!("{file} does not say {count}; what runs stays:"));
    for drift in unsaid.iter().take(SHOWN) {
        let (flag, field) = (&drift.flag, drift.field);
        output.line(output.paint(
            DIM,
            format!(
                "  {flag}: {field}; without it: flagstone publish {} --reset {flag}.{field}",
                shell(file)
            ),
        ));
    }
    more(unsaid.len(), output);
}

fn more(count: usize, output: &mut Output) {
    if count > SHOWN {
        output.line(format!("  … and {} more (--json shows all)", words::thousands((count - SHOWN) as u64)));
    }
}

/// The word that does what the file says, where there is one.
fn command(drift: &Drift) -> Option<String> {
    let (flag, file) = (&drift.flag, drift.file.as_ref()?);
    match drift.field {
        "percentage" if file.is_number() => Some(format!("flagstone rollout {flag} {file}")),
        "enabled" if file.as_bool()? => Some(format!("flagstone enable {flag} --keep")),
        "enabled" => Some(format!("flagstone disable {flag}")),
        _ => None,
    }
}

/// A file's name as a shell takes it.
fn shell(file: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    match file.chars().all(plain) && !file.is_empty() {
        true => file.to_owned(),
        false => words::shell(file),
    }
}
