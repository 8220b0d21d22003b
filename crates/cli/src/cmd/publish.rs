//! `publish`: check, compile, and make a new generation.

use super::change::{self, Begun};
use super::check;
use crate::args::{Arguments, Publish};
use crate::output::{Exit, Failure, GOOD, Outcome, Output, WARN};
use crate::progress::Progress;
use crate::{confirm, place, words};
use flagstone::definition::{self, Definitions, Report};
use flagstone::store::{Change, Difference, Store, StoreError, Undone, diff};
use flagstone::{Snapshot, compile};
use serde_json::json;

/// Changes listed that a file undoes.
const SHOWN: usize = 20;

pub fn run(arguments: &Arguments, word: &Publish, output: &mut Output) -> Outcome {
    let name = place::file_name(&word.file);
    let what = if word.dry_run { format!("publish {name} (dry run)") } else { format!("publish {name}") };
    let begun = change::begin(arguments, &word.by, &what, word.reason.as_deref(), output)?;
    let Begun { store, change, .. } = &begun;
    let bytes = check::read(&word.file)?;
    let (definitions, warnings) = match definitions(&name, &bytes, store)? {
        Ok(checked) => checked,
        Err(report) => {
            check::problems(&report, output);
            output.line(format!(
                "{} in {name}: nothing was published",
                output.paint(crate::output::BAD, words::counted(report.errors() as u64, "error"))
            ));
            output.json(&json!({
                "environment": store.environment(),
                "machine": change.actor.host,
                "published": false,
                "problems": report.problems,
            }));
            return Ok(Exit::No);
        }
    };
    check::problems(&warnings, output);
    match word.dry_run {
        true => dry_run(&begun, word, &definitions, &warnings, output),
        false => publish(&begun, word, bytes, &definitions, &warnings, output),
    }
}

/// The definitions for the store's environment and the warnings about them, or all that is wrong with them.
fn definitions(
    name: &str,
    bytes: &[u8],
    store: &Store,
) -> Result<Result<(Definitions, Report), Report>, Failure> {
    let progress = Progress::begin(format!("checking {name}"));
    let document = match definition::parse(name, bytes) {
        Ok(document) => document,
        Err(report) => return Ok(Err(report)),
    };
    let resolved = document.resolve(Some(store.environment()), &words::today());
    drop(progress);
    Ok(resolved)
}

fn publish(
    begun: &Begun,
    word: &Publish,
    bytes: Vec<u8>,
    definitions: &Definitions,
    warnings: &Report,
    output: &mut Output,
) -> Outcome {
    let (reach, base) = begun.weigh_all(&word.weighed, definitions, false, output)?;
    let store = &begun.store;
    // What was weighed is what is replaced.
    let change = Change { base: word.base.or(base), ..begun.change.clone() };
    let progress = Progress::begin("compiling and publishing".to_owned());
    let host = change.actor.host.clone();
    let published = store.publish(definitions, change.clone());
    drop(progress);
    let published = match published {
        Err(StoreError::Undoes { changes, current }) => {
            undoes(&changes, output);
            if !word.force && !confirm::confirmed("Publish all the same?", output) {
                output.line("nothing was published. Write them into the file, or publish with --force");
                output.json(&json!({
                    "environment": store.environment(),
                    "machine": host,
                    "published": false,
                    "base": current,
                    "undoes": changes,
                    "problems": warnings.problems,
                }));
                return Ok(Exit::No);
            }
            // What was shown is what is undone, or nothing is.
            store.publish_over(definitions, Change { base: Some(current), ..change })
        }
        published => published,
    }
    .map_err(Failure::changing)?;
    if published.unchanged {
        output
            .line(format!("generation {} holds just that already; nothing to publish", published.generation));
    } else {
        output.line(format!(
            "{} generation {}{}: {}",
            output.paint(GOOD, "published"),
            published.generation,
            if published.previous > 0 { format!(" after {}", published.previous) } else { String::new() },
            change::counted(&published.differences)
        ));
        change::differences(&published.differences, output);
        masked(store, &published.differences, output);
    }
    if let Some(warning) = &published.audit_warning {
        output.warn(words::plain(warning));
    }
    let force = word.force.then_some("--force");
    let sent = ["publish", "--yes"].into_iter().chain(force).chain(["--", "-"]).map(str::to_owned).collect();
    let arrived = begun.send(sent, Some(bytes)).tell(output);
    output.json(&json!({
        "environment": store.environment(),
        "machine": host,
        "published": !published.unchanged,
        "generation": published.generation,
        "previous": published.previous,
        "content_id": published.content_id.to_string(),
        "unchanged": published.unchanged,
        "differences": published.differences,
        "problems": warnings.problems,
        "reach": reach,
        "machines": arrived.json(),
        "warning": published.audit_warning,
    }));
    Ok(arrived.exit())
}

/// What words changed since a file was last published, and this file does not have.
fn undoes(changes: &[Undone], output: &mut Output) {
    let head = format!(
        "this undoes {} made since a file was last published:",
        words::counted(changes.len() as u64, "change")
    );
    output.line(output.paint(WARN, head));
    for undone in changes.iter().take(SHOWN) {
        output.line(format!("  {}", words::plain(&undone.to_string())));
    }
    if changes.len() > SHOWN {
        output.line(format!("  … and {} more", words::thousands((changes.len() - SHOWN) as u64)));
    }
}

/// Says which of the flags changed stay off all the same: who publishes a fix should know.
pub fn masked(store: &Store, differences: &[Difference], output: &mut Output) {
    let Ok(status) = store.status() else { return };
    let changed = change::flags(differences);
    for killed in status.killed.iter().filter(|killed| changed.contains(killed.flag.as_str())) {
        let line =
            format!("{} is killed and stays off until `flagstone revive {}`", killed.flag, killed.flag);
        output.line(output.paint(WARN, line));
    }
    if status.stopped.is_some() {
        output.line(output.paint(WARN, "everything is stopped, until `flagstone resume-all`"));
    }
}

fn dry_run(
    begun: &Begun,
    word: &Publish,
    definitions: &Definitions,
    warnings: &Report,
    output: &mut Output,
) -> Outcome {
    let Begun { store, change, .. } = begun;
    let current = store.generation().map_err(Failure::changing)?;
    if let Some(base) = word.base.filter(|base| *base != current) {
        return Err(Failure::changing(StoreError::Stale { base, current }));
    }
    let progress = Progress::begin("compiling".to_owned());
    let failed = |error: &dyn std::fmt::Display| Failure::Refused(format!("cannot be published: {error}"));
    let bytes = compile(definitions, store.environment()).map_err(|error| failed(&error))?;
    let snapshot = Snapshot::from_bytes(&bytes).map_err(|error| failed(&error))?;
    snapshot.verify().map_err(|error| failed(&error))?;
    let before = match current {
        0 => Definitions::default(),
        generation => store.definitions(generation).unwrap_or_else(|error| {
            output.warn(format!("{}; compared with nothing", words::plain(&error.to_string())));
            Definitions::default()
        }),
    };
    let differences = diff(&before, definitions);
    drop(progress);
    let undone = store.undone_by(definitions).map_err(Failure::changing)?;
    if differences.is_empty() && current > 0 {
        output
            .line(format!("generation {current} holds just that already; there would be nothing to publish"));
    } else {
        output.line(format!(
            "would publish after generation {current}: {}; a snapshot of {} bytes. Nothing was changed",
            change::counted(&differences),
            words::thousands(snapshot.size())
        ));
        change::differences(&differences, output);
    }
    let (reach, _) = begun.weigh_all(&word.weighed, definitions, true, output)?;
    if !undone.is_empty() {
        undoes(&undone, output);
        output.line("without --force it would be refused");
    }
    output.json(&json!({
        "environment": store.environment(),
        "machine": change.actor.host,
        "published": false,
        "dry_run": true,
        "reach": reach,
        "undoes": undone,
        "base": current,
        "content_id": snapshot.content_id().to_string(),
        "size": snapshot.size(),
        "differences": differences,
        "problems": warnings.problems,
    }));
    Ok(if undone.is_empty() || word.force { Exit::Yes } else { Exit::No })
}
