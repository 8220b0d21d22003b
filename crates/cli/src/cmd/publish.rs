//! `publish`: checks, compiles, and makes a new generation.

use super::change::{self, ChangeContext};
use super::{check, drift};
use crate::args::{Arguments, Named, Publish};
use crate::git::{self, Standing};
use crate::output::{Exit, Failure, GOOD, Outcome, Output, WARN};
use crate::progress::Progress;
use crate::{display, store_view};
use flagstone::audit::{Difference, diff};
use flagstone::definition::{self, Definitions, OverlayValues, Report};
use flagstone::merge::Merged;
use flagstone::publish::{Change, FileOptions, Published, Release, Store};
use flagstone::{Snapshot, StoreError, compile};
use serde_json::{Value, json};
use std::path::Path;

pub fn run(arguments: &Arguments, command: &Publish, output: &mut Output) -> Outcome {
    let name = store_view::file_name(&command.file);
    let what = match (command.check_drift, command.terms.dry_run) {
        (true, _) => format!("publish {name} (looking for drift only)"),
        (false, true) => format!("publish {name} (dry run)"),
        (false, false) => format!("publish {name}"),
    };
    let begun = change::begin(arguments, &command.terms.by, &what, command.terms.reason.as_deref(), output)?;
    let ChangeContext { store, change, .. } = &begun;
    let bytes = check::read(&command.file)?;
    let (definitions, warnings, overlaid) = match definitions(&name, &bytes, store)? {
        Ok(checked) => checked,
        Err(report) => {
            check::problems(&report, output);
            output.line(format!(
                "{} in {name}: nothing was published",
                output.paint(crate::output::BAD, display::counted(report.errors() as u64, "error"))
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
    check::warnings(&command.file, &warnings, output);
    let options = FileOptions { overlaid, ..options(command, release(store, command)?) };
    let file = Checked { name, bytes, definitions, warnings, options };
    match (command.check_drift, command.terms.dry_run) {
        (true, _) => check_drift(store, change, &file, output),
        (false, true) => dry_run(&begun, command, &file, output),
        (false, false) => publish(&begun, command, file, output),
    }
}

/// A file without errors, with its warnings.
struct Checked {
    name: String,
    bytes: Vec<u8>,
    definitions: Definitions,
    warnings: Report,
    options: FileOptions,
}

impl Checked {
    fn merged(&self) -> drift::MergedFile<'_> {
        drift::MergedFile {
            name: &self.name,
            is_stdin: self.options.file.is_none(),
            definitions: &self.definitions,
        }
    }
}

fn options(command: &Publish, release: Option<Release>) -> FileOptions {
    FileOptions {
        reset: command.reset.clone(),
        settle: command.settle.clone(),
        keep: command.keep,
        lossy: command.terms.weighed.yes,
        prune: command.prune,
        release,
        newest: command.mark_newest,
        overlaid: OverlayValues::default(),
        file: path(&command.file),
    }
}

/// The file's absolute path, to be found later; none for standard input.
fn path(file: &Path) -> Option<String> {
    let file = Some(file).filter(|file| *file != Path::new("-"))?;
    std::path::absolute(file).ok().map(|path| path.to_string_lossy().into_owned())
}

/// The named release, with its commit compared with the last.
fn release(store: &Store, command: &Publish) -> Result<Option<Release>, Failure> {
    let (commit, number) = match &command.release {
        None => return Ok(None),
        Some(Named::Number(number)) => return Ok(Some(Release::Number(*number))),
        Some(Named::Commit(commit)) => (commit, None),
        Some(Named::Digits(digits, number)) => (digits, Some(Release::Number(*number))),
    };
    // A store whose releases had numbers so far goes on with numbers.
    if number.is_some() && !command.mark_newest && store.last_number().map_err(Failure::changing)?.is_some() {
        return Ok(number);
    }
    let last = store.last_commit().map_err(Failure::changing)?;
    let found = match command.lineage.as_deref() {
        Some(standing) => Ok(Standing { id: commit.clone(), descends: standing == "descends" }),
        // The last commit may be gone, such as after a squash, and is not compared then.
        None => git::standing(&command.file, commit, last.as_deref().filter(|_| !command.mark_newest)),
    };
    match (found, number) {
        (Ok(Standing { id, descends }), _) => Ok(Some(Release::Commit { id, last, descends })),
        (Err(problem), Some(number)) if !problem.has_commit => Ok(Some(number)),
        (Err(problem), _) => Err(problem.refusal(last.as_deref())),
    }
}

/// The definitions for the store's environment with their warnings, or all problems.
fn definitions(
    name: &str,
    bytes: &[u8],
    store: &Store,
) -> Result<Result<(Definitions, Report, OverlayValues), Report>, Failure> {
    let progress = Progress::begin(format!("checking {name}"));
    let document = match definition::parse(name, bytes) {
        Ok(document) => document,
        Err(report) => return Ok(Err(report)),
    };
    let resolved = document.resolve(Some(store.environment()), &display::today());
    drop(progress);
    Ok(resolved
        .map(|(definitions, warnings)| (definitions, warnings, document.overlaid(store.environment()))))
}

fn publish(begun: &ChangeContext, command: &Publish, file: Checked, output: &mut Output) -> Outcome {
    let store = &begun.store;
    let (mut reach, mut base) = (Value::Null, None);
    if begun.weighs_all(&command.terms.weighed) {
        let merged = store.merge(&file.definitions, &file.options).map_err(Failure::changing)?;
        if !command.keep && !merged.conflicts.is_empty() {
            return refuse(begun, &file, merged, output);
        }
        (reach, base) = begun.weigh_all(&command.terms.weighed, &merged, false, output)?;
    }
    // Only the generation that was weighed is replaced.
    let change = Change { base: command.expect_generation.or(base), ..begun.change.clone() };
    let progress = Progress::begin("compiling and publishing".to_owned());
    let host = change.actor.host.clone();
    let published = store.publish_file(&file.definitions, &file.options, change);
    drop(progress);
    let (published, mut merged) = match published {
        // A field was turned meanwhile.
        Err(StoreError::Conflict { conflicts }) => {
            return refuse(begun, &file, Merged { conflicts, ..Merged::default() }, output);
        }
        published => published.map_err(Failure::changing)?,
    };
    let told = shown_differences(&published.differences);
    if published.unchanged {
        output
            .line(format!("generation {} holds just that already; nothing to publish", published.generation));
    } else {
        let counted = match told.is_empty() {
            true => "no answer differs; it notes what the file says by now".to_owned(),
            false => change::counted(&told),
        };
        output.line(format!(
            "{} generation {}{}: {counted}",
            output.paint(GOOD, "published"),
            published.generation,
            if published.previous > 0 { format!(" after {}", published.previous) } else { String::new() },
        ));
        change::differences(&told, output);
        print_masked(store, &published.differences, output);
    }
    store.tell_turned(&mut merged);
    drift::merged(&merged, file.merged(), false, output);
    change::warn(published.audit_warning.as_deref(), output);
    let sent = sent(command, &file.options);
    let arrived = begun.send(sent, Some(file.bytes)).tell(None, output);
    output.json(&json!({
        "environment": store.environment(),
        "machine": host,
        "published": !published.unchanged,
        "generation": published.generation,
        "previous": published.previous,
        "content_id": published.content_id.to_string(),
        "unchanged": published.unchanged,
        "differences": published.differences,
        "merge": merged,
        "problems": file.warnings.problems,
        "reach": reach,
        "machines": arrived.json(),
        "warning": published.audit_warning,
    }));
    Ok(arrived.exit())
}

/// Prints the conflicts that end a publish. Nothing was changed.
fn refuse(begun: &ChangeContext, file: &Checked, mut merged: Merged, output: &mut Output) -> Outcome {
    let ChangeContext { store, change, .. } = begun;
    store.tell_turned(&mut merged);
    drift::conflicts(&merged.conflicts, file.merged(), output);
    output.line(format!("{}: nothing was published", output.paint(crate::output::BAD, "conflict")));
    output.json(&json!({
        "environment": store.environment(),
        "machine": change.actor.host,
        "published": false,
        "conflicts": merged.conflicts,
        "problems": file.warnings.problems,
    }));
    Ok(Exit::No)
}

/// The command for the other machines: the file from standard input, merged there as here.
fn sent(command: &Publish, options: &FileOptions) -> Vec<String> {
    let mut sent = vec!["publish".to_owned(), "--yes".to_owned()];
    sent.extend(command.reset.iter().map(|what| format!("--reset={what}")));
    sent.extend(command.settle.iter().map(|what| format!("--settle={what}")));
    match &options.release {
        None => {}
        Some(Release::Number(number)) => sent.push(format!("--release={number}")),
        // Other machines lack the work tree.
        Some(Release::Commit { id, descends, .. }) => {
            let standing = if *descends { "descends" } else { "older" };
            sent.extend([format!("--release={id}"), format!("--lineage={standing}")]);
        }
    }
    for (given, option) in
        [(command.keep, "--keep"), (command.prune, "--prune"), (command.mark_newest, "--mark-newest")]
    {
        sent.extend(given.then(|| option.to_owned()));
    }
    sent.extend(["--".to_owned(), "-".to_owned()]);
    sent
}

/// The differences to print; the store's own state of a flag is printed in words.
fn shown_differences(differences: &[Difference]) -> Vec<Difference> {
    let kept = |difference: &&Difference| {
        let field = difference.pointer.splitn(4, '/').nth(3).unwrap_or_default();
        difference.flag.is_none() || !(field == "state" || field.starts_with("state/"))
    };
    differences.iter().filter(kept).cloned().collect()
}

/// Compares the file with what runs; changes nothing.
fn check_drift(store: &Store, by: &Change, file: &Checked, output: &mut Output) -> Outcome {
    let generation = store.generation().map_err(Failure::asking)?;
    if generation == 0 {
        return Err(Failure::Unknown("nothing is published yet, so nothing drifts".to_owned()));
    }
    let mut merged = store.merge(&file.definitions, &file.options).map_err(Failure::asking)?;
    store.tell_turned(&mut merged);
    drift::merged(&merged, file.merged(), true, output);
    let running = store.definitions(generation).map_err(Failure::asking)?;
    let pending = shown_differences(&diff(&running, &merged.definitions));
    if !pending.is_empty() {
        output.line(format!("{} edited, and not published: {}", file.name, change::counted(&pending)));
        change::differences(&pending, output);
    }
    let same = merged.drift.is_empty()
        && merged.conflicts.is_empty()
        && merged.unsaid.is_empty()
        && pending.is_empty();
    if same {
        output.line(format!("{}: {} says what runs", output.paint(GOOD, "no drift"), file.name));
    }
    output.json(&json!({
        "environment": store.environment(),
        "machine": by.actor.host,
        "published": false,
        "ok": same,
        "pending": pending,
        "merge": merged,
        "problems": file.warnings.problems,
    }));
    Ok(if same { Exit::Yes } else { Exit::No })
}

/// Prints the result of a published change to one flag.
pub fn print_published(store: &Store, published: &Published, output: &mut Output) {
    output.line(format!(
        "{} generation {} after {}",
        output.paint(GOOD, "published"),
        published.generation,
        published.previous
    ));
    print_masked(store, &published.differences, output);
    change::warn(published.audit_warning.as_deref(), output);
}

/// Warns of changed flags that stay off by a kill or a stop: a published fix would not be seen.
pub fn print_masked(store: &Store, differences: &[Difference], output: &mut Output) {
    let Ok(status) = store.status() else { return };
    let changed = change::flags(differences);
    for killed in status.killed.iter().filter(|killed| changed.contains(killed.flag.as_str())) {
        let (flag, typed) = (display::plain(&killed.flag), display::argument(&killed.flag));
        let line = match killed.known {
            Some(true) | None => format!("{flag} is killed and stays off until `flagstone revive {typed}`"),
            // If the kill ended with the flag, a rollback would turn it on.
            Some(false) => format!(
                "the kill of {flag} holds in case a rollback brings it back; `flagstone revive {typed}` ends it, and frees its place"
            ),
        };
        output.line(output.paint(WARN, line));
    }
    if status.stopped.is_some() {
        output.line(output.paint(WARN, "everything is stopped, until `flagstone resume-all`"));
    }
}

fn dry_run(begun: &ChangeContext, command: &Publish, file: &Checked, output: &mut Output) -> Outcome {
    let ChangeContext { store, change, .. } = begun;
    let current = store.generation().map_err(Failure::changing)?;
    if let Some(base) = command.expect_generation.filter(|base| *base != current) {
        return Err(Failure::changing(StoreError::Stale { base, current }));
    }
    let progress = Progress::begin("compiling".to_owned());
    let failed = |error: &dyn std::fmt::Display| Failure::Refused(format!("cannot be published: {error}"));
    let mut merged: Merged = store.merge(&file.definitions, &file.options).map_err(Failure::changing)?;
    let bytes = compile(&merged.definitions, store.environment()).map_err(|error| failed(&error))?;
    let snapshot = Snapshot::from_bytes(&bytes).map_err(|error| failed(&error))?;
    snapshot.verify().map_err(|error| failed(&error))?;
    let before = match current {
        0 => Definitions::default(),
        generation => store.definitions(generation).unwrap_or_else(|error| {
            output.warn(format!("{}; compared with nothing", display::plain(&error.to_string())));
            Definitions::default()
        }),
    };
    let differences = diff(&before, &merged.definitions);
    let told = shown_differences(&differences);
    drop(progress);
    if before == merged.definitions && current > 0 {
        output
            .line(format!("generation {current} holds just that already; there would be nothing to publish"));
    } else {
        let refused = !command.keep && !merged.conflicts.is_empty();
        let would = if refused { "would be refused, and with --keep publish" } else { "would publish" };
        output.line(format!(
            "{would} after generation {current}: {}; a snapshot of {} bytes. Nothing was changed",
            if told.is_empty() { "no answer differs".to_owned() } else { change::counted(&told) },
            display::thousands(snapshot.size())
        ));
        change::differences(&told, output);
        print_masked(store, &differences, output);
    }
    let (reach, _) = begun.weigh_all(&command.terms.weighed, &merged, true, output)?;
    store.tell_turned(&mut merged);
    drift::merged(&merged, file.merged(), false, output);
    let refused = !command.keep && !merged.conflicts.is_empty();
    if refused {
        output.line(format!("{}: a publish would be refused", output.paint(crate::output::BAD, "conflict")));
    }
    output.json(&json!({
        "environment": store.environment(),
        "machine": change.actor.host,
        "published": false,
        "dry_run": true,
        "refused": refused,
        "reach": reach,
        "base": current,
        "content_id": snapshot.content_id().to_string(),
        "size": snapshot.size(),
        "differences": differences,
        "merge": merged,
        "problems": file.warnings.problems,
    }));
    Ok(if refused { Exit::No } else { Exit::Yes })
}
