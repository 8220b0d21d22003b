//! `health`: reports whether flags are answered, and from what; for health checks, which must not restart what is only stale.

use crate::args::{Arguments, Memory};
use crate::counters::{Seen, copies_read, counts, left_out, shut_out};
use crate::guard::GuardReport;
use crate::output::{BAD, Exit, GOOD, Outcome, Output, WARN};
use crate::{display, identity, store_view};
use flagstone::merge::Conflict;
use flagstone::publish::KillPlaces;
use flagstone::store::Source;
use flagstone::telemetry::Counts;
use serde_json::{Value, json};

/// Microseconds after which an open conflict degrades health: a day.
const OVERDUE: i64 = 24 * 3_600 * 1_000_000;

pub fn run(arguments: &Arguments, command: &Memory, output: &mut Output) -> Outcome {
    let directory = store_view::directory(arguments)?;
    let seen = store_view::store(arguments).and_then(|store| Ok((Seen::of(&store)?, store)));
    let (seen, store) = match seen {
        Ok(found) => found,
        Err(failure) => return Ok(nothing(failure.text(), output)),
    };
    // Flags answer even if the counters cannot be read.
    let (counts, uncounted) = match counts(&store, &command.memory, output) {
        Ok(counts) => (counts, None),
        Err(failure) => (Counts::default(), Some(failure.text().to_owned())),
    };
    let status = &seen.status;
    let head_error = store.head_error();
    let last_error = head_error.clone().or_else(|| status.last_error.clone());
    let behind = seen.behind(&counts);
    let guard = GuardReport::of(&store, flagstone::time::now());
    // A process that only reads the store may have it mounted read-only.
    let may_change = identity::may_change(&store);
    let frozen = may_change.then(|| store.frozen()).flatten();
    let shut_out = shut_out(&store, &command.memory);
    let copies_read = copies_read(&store, &command.memory);
    let conflicts = store.open_conflicts().unwrap_or_default();
    let overdue = overdue(&conflicts, flagstone::time::now());
    let full = may_change && store.is_full();
    let places = KillPlaces { taken: store.killed().map_or(0, |killed| killed.len()) };
    let is_well = behind == 0
        && head_error.is_none()
        && guard.problem.is_none()
        && frozen.is_none()
        && overdue == 0
        && !full
        && places.left() > 0
        && shut_out.is_empty()
        && copies_read.is_empty();
    let (said, style) = match status.source {
        Source::None => ("failing", BAD),
        _ if seen.is_current() && is_well => ("ok", GOOD),
        _ => ("degraded", WARN),
    };
    output.line(format!(
        "{}: generation {} of {} answers ({})",
        output.paint(style, said),
        status.generation,
        display::plain(&status.environment),
        status.source.as_str()
    ));
    if status.source == Source::None && status.head_generation == 0 && status.last_error.is_none() {
        let answering = counts.workers.iter().filter(|worker| worker.generation > 0).count();
        output.line(match answering {
            0 => "  nothing is published yet, so that every flag is off: `flagstone publish FILE`".to_owned(),
            workers => format!(
                "  nothing is published here, and {} {} from the store that was in this place, kills included; what starts \
                 now has all flags off: put that store back, or restore it (docs/runbooks/restore.md)",
                display::counted(workers as u64, "worker"),
                if workers == 1 { "still answers" } else { "still answer" }
            ),
        });
    }
    if let Some(error) = &last_error {
        output.line(format!("  {}", display::plain(error)));
    }
    if let Some(why) = &frozen {
        output.line(format!("  kill and stop-all would stop nothing: {}", display::plain(why)));
    }
    if full {
        output.line("  the file system of the store is full: nothing can be published, and the audit trail lacks what is killed");
    }
    if let Some(warning) = places.warning() {
        output.line(format!("  {warning}; {}", KillPlaces::REMEDY));
    }
    for workers in shut_out.iter().chain(&copies_read) {
        output.line(format!("  {workers}"));
    }
    if behind > 0 {
        let workers = display::counted(counts.workers.len() as u64, "worker");
        output.line(format!("  {behind} of {workers} answer from another generation"));
    }
    if let Some(summary) = guard.summary(flagstone::time::now()) {
        output.line(format!("  {}", display::plain(&summary)));
    }
    if counts.without_cells > 0 {
        let workers = display::counted(counts.without_cells as u64, "worker");
        output.line(format!(
            "  {workers} without cells of their own: requests that they die in are not counted"
        ));
    }
    if !conflicts.is_empty() {
        let count = display::counted(conflicts.len() as u64, "field");
        let older = if overdue > 0 { format!(", {overdue} for more than a day") } else { String::new() };
        output.line(format!(
            "  {count} in conflict between the file and what runs{older}: `flagstone status` lists them"
        ));
    }
    let left_out: Vec<Value> = left_out(&counts)
        .map(|(source, why)| json!({ "path": source.path, "user": source.user, "reason": why }))
        .collect();
    let flags = seen.view.snapshot.as_ref().map_or(0, |snapshot| snapshot.flag_count());
    output.json(&json!({
        "status": said,
        "environment": status.environment,
        "version": env!("CARGO_PKG_VERSION"),
        "flagstone": {
            "store": directory,
            "generation": status.generation,
            "head_generation": status.head_generation,
            "age": seen.age(),
            "source_state": status.source.as_str(),
            "last_error": last_error,
            "flags": flags,
            "killed": status.killed,
            "stopped": status.stopped,
            "workers": counts.workers.len(),
            "workers_behind": behind,
            "shut_out": shut_out,
            "copies_read": copies_read,
            "workers_without_cells": counts.without_cells,
            "conflicts": conflicts,
            "conflicts_overdue": overdue,
            "read_only": may_change && store.is_read_only(),
            "writable": frozen.is_none(),
            "full": full,
            "emergency_error": frozen,
            "kills_left": places.left(),
            "telemetry_error": uncounted,
            "telemetry_left_out": left_out,
            "guard": { "state": guard.state, "since": guard.since.map(display::at), "problem": guard.problem },
        },
    }));
    Ok(exit(said))
}

/// The number of conflicts open for longer than a team takes to see them.
fn overdue(conflicts: &[Conflict], now: i64) -> usize {
    let is_overdue = |conflict: &&Conflict| conflict.since > 0 && now - conflict.since > OVERDUE;
    conflicts.iter().filter(is_overdue).count()
}

/// Reports that no store can be opened.
fn nothing(error: &str, output: &mut Output) -> Exit {
    output.line(format!("{}: {error}", output.paint(BAD, "failing")));
    output.json(&json!({
        "status": "failing",
        "environment": Value::Null,
        "version": env!("CARGO_PKG_VERSION"),
        "flagstone": {
            "generation": 0, "age": Value::Null, "source_state": "none", "last_error": error, "workers_behind": 0,
        },
    }));
    exit("failing")
}

fn exit(said: &str) -> Exit {
    if said == "failing" { Exit::No } else { Exit::Yes }
}
