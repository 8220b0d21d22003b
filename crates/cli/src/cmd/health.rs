//! `health`: whether flags are answered, and from what; for health checks, which must not restart what is only stale.

use crate::args::{Arguments, Memory};
use crate::counted::{Seen, counts};
use crate::guarding::GuardReport;
use crate::output::{BAD, Exit, Failure, GOOD, Outcome, Output, WARN};
use crate::{identity, place, words};
use flagstone::store::Source;
use flagstone::telemetry::Counts;
use serde_json::{Value, json};

pub fn run(arguments: &Arguments, word: &Memory, output: &mut Output) -> Outcome {
    let directory = place::directory(arguments)?;
    let seen = place::store(arguments).and_then(|store| Ok((Seen::of(&store)?, store)));
    let (seen, store) = match seen {
        Ok(found) => found,
        Err(Failure::Refused(error) | Failure::Unknown(error)) => return Ok(nothing(&error, output)),
    };
    // Flags answer without being counted.
    let (counts, uncounted) = match counts(&store, &word.memory, output) {
        Ok(counts) => (counts, None),
        Err(Failure::Refused(error) | Failure::Unknown(error)) => (Counts::default(), Some(error)),
    };
    let status = &seen.status;
    let behind = seen.behind(&counts);
    let guard = GuardReport::of(&store, words::now());
    // Who only reads the store may well have it mounted so.
    let frozen = identity::may_change(&store) && store.is_read_only();
    let (said, style) = match status.source {
        Source::None => ("failing", BAD),
        _ if seen.is_current() && behind == 0 && guard.problem.is_none() && !frozen => ("ok", GOOD),
        _ => ("degraded", WARN),
    };
    output.line(format!(
        "{}: generation {} of {} answers ({})",
        output.paint(style, said),
        status.generation,
        words::plain(&status.environment),
        status.source.as_str()
    ));
    if status.source == Source::None && status.head_generation == 0 && status.last_error.is_none() {
        output.line("  nothing is published yet, so that every flag is off: `flagstone publish FILE`");
    }
    if let Some(error) = &status.last_error {
        output.line(format!("  {}", words::plain(error)));
    }
    if frozen {
        output.line("  the file system of the store is read-only: kill and stop-all would stop nothing");
    }
    if behind > 0 {
        let workers = words::counted(counts.workers.len() as u64, "worker");
        output.line(format!("  {behind} of {workers} answer from another generation"));
    }
    if let Some(problem) = &guard.problem {
        output.line(format!("  {}", words::plain(problem)));
    }
    if counts.without_cells > 0 {
        let workers = words::counted(counts.without_cells as u64, "worker");
        output.line(format!(
            "  {workers} without cells of their own: requests that they die in are not counted"
        ));
    }
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
            "last_error": status.last_error,
            "flags": flags,
            "killed": status.killed,
            "stopped": status.stopped,
            "workers": counts.workers.len(),
            "workers_behind": behind,
            "workers_without_cells": counts.without_cells,
            "read_only": frozen,
            "telemetry_error": uncounted,
            "guard": { "state": guard.state, "since": guard.since.map(words::at), "problem": guard.problem },
        },
    }));
    Ok(exit(said))
}

/// No store can be opened.
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
