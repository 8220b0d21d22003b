//! What a merge of a file tells besides what it changed: switches that stay as they run, flags that the file lacks.

use crate::output::{BOLD, DIM, Output, WARN};
use crate::words;
use flagstone::merge::{Drift, Merged};

/// Differences and flags listed.
const SHOWN: usize = 20;

/// Tells it. `file` is the file's name; with `only_drift`, nothing is said of what a publish would do.
pub fn merged(merged: &Merged, file: &str, only_drift: bool, output: &mut Output) {
    if let Some(newest) = merged.older_than {
        output.line(output.paint(
            WARN,
            format!(
                "an older release than {newest}, which was published: no switch was turned, nothing marked. If this one is the \
                 newest, say --newest"
            ),
        ));
    }
    drift(&merged.drift, file, only_drift, output);
    for (flags, what) in [
        (&merged.planned, "moved by a plan just now, and no drift"),
        (&merged.returned, "in the file again"),
        (&merged.disabled, "brought back by an older release: disabled until somebody enables it"),
        (&merged.pruned, "removed: not in the file, and off for everybody"),
    ] {
        list(flags, what, output);
    }
    list(&merged.held, "its switches are turned by this, which holds its plan", output);
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
    let count = match drift.len() {
        1 => "1 switch".to_owned(),
        count => format!("{} switches", words::thousands(count as u64)),
    };
    let head = match only_drift {
        true => format!("drift: {count} not as {file} says"),
        false => format!(
            "not applied: {count}. Once a flag is published its switches are turned where it runs; {file} gives first values only"
        ),
    };
    output.line(output.paint(WARN, head));
    let quoted = shell(file);
    for drift in drift.iter().take(SHOWN) {
        output.line(format!("  {}", words::plain(&drift.to_string())));
        if let Some(turned) = &drift.turned {
            let reason =
                turned.reason.as_ref().map_or(String::new(), |reason| format!(", {}", words::quoted(reason)));
            output.line(format!(
                "    turned {} by {}: {}{reason}",
                super::second(&words::plain(&turned.at)),
                words::plain(&turned.by),
                turned.action,
            ));
        }
        let mut ways: Vec<String> = command(drift).into_iter().collect();
        ways.push(format!("flagstone publish {quoted} --reset {}.{}", drift.flag, drift.field));
        output.line(output.paint(DIM, format!("    as the file says: {}", ways.join(", or "))));
    }
    if drift.len() > SHOWN {
        output.line(format!(
            "  … and {} more (--json shows all)",
            words::thousands((drift.len() - SHOWN) as u64)
        ));
    }
    output.line(format!("to have the file say what runs: flagstone pull {quoted}"));
}

/// The word that does what the file says, where there is one.
fn command(drift: &Drift) -> Option<String> {
    let (flag, file) = (&drift.flag, drift.file.as_ref()?);
    match drift.field {
        "percentage" => Some(format!("flagstone rollout {flag} {file}")),
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
