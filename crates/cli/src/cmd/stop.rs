//! `stop-all` and `resume-all`: everything off at once, and on again.

use super::change::{self, Begun};
use super::kill::{Thrown, View, done, nothing_stopped};
use crate::args::{Arguments, ResumeAll, StopAll};
use crate::output::{BAD, BOLD, Failure, GOOD, Outcome, Output};
use crate::{confirm, words};
use flagstone::Snapshot;
use flagstone::store::{Store, Switched};
use serde_json::json;

/// Flags named.
const NAMED: usize = 20;
/// 100 %, in thousandths.
const EVERYBODY: u32 = 100_000;

pub fn stop(arguments: &Arguments, word: &StopAll, output: &mut Output) -> Outcome {
    let unchanged = nothing_stopped("every flag answers as before");
    let (begun, before, switched) =
        throw(arguments, word, output).map_err(|failure| failure.ending(&unchanged))?;
    let sent = begun.send(vec!["stop-all".to_owned(), "--yes".to_owned()], None);
    output.line_now(match switched.changed {
        true => format!(
            "{} everything: each flag is off but those whose emergency is \"keep\", until `flagstone resume-all`",
            output.paint(BAD, "stopped")
        ),
        false => "everything was stopped already; nothing was changed".to_owned(),
    });
    done(&begun, &word.reach, Thrown { flag: None, switched, before, sent }, json!({}), output)
}

fn throw(
    arguments: &Arguments,
    word: &StopAll,
    output: &mut Output,
) -> Result<(Begun, View, Switched), Failure> {
    let what = "stop everything";
    let begun = change::begin_at_once(arguments, &word.by, what, Some(&word.reason), output)?;
    let before = View::of(&begun.store);
    let (full, partly) =
        before.snapshot().map(|snapshot| stopped_by(snapshot, words::now())).unwrap_or_default();
    for (whom, flags) in [("on for everybody", full), ("on for some", partly)] {
        if !flags.is_empty() {
            let count = words::counted(flags.len() as u64, "flag");
            let named = words::some(flags.iter().map(|flag| words::plain(flag)), NAMED);
            output.line_now(format!("{whom}, {count}: {named}"));
        }
    }
    agreed(&begun, word, output)?;
    let switched = begun.store.stop_all(begun.change.clone()).map_err(Failure::changing)?;
    Ok((begun, before, switched))
}

/// Whoever stops everything names the environment, or says beforehand that nobody is there to be asked.
fn agreed(begun: &Begun, word: &StopAll, output: &mut Output) -> Result<(), Failure> {
    let environment = begun.store.environment();
    let typed = match &word.environment {
        Some(named) => Some(named.clone()),
        None if word.yes => return Ok(()),
        None => {
            let question =
                format!("This stops {}. Type the environment's name: ", output.paint(BOLD, environment));
            confirm::answer(&question, output)
        }
    };
    match typed {
        Some(typed) if typed == environment => Ok(()),
        Some(typed) => Err(Failure::Refused(format!(
            "found the environment {}, expected {environment}, the store's",
            words::quoted(&typed)
        ))),
        None => Err(Failure::Refused(format!(
            "nobody is there to be asked. Type: flagstone stop-all --environment {environment} --reason {}",
            words::shell(&word.reason)
        ))),
    }
}

/// The flags that a stop turns off: those on for everybody, and those on for some.
fn stopped_by(snapshot: &Snapshot, now: i64) -> (Vec<String>, Vec<String>) {
    let (mut full, mut partly) = (Vec::new(), Vec::new());
    for flag in snapshot.flag_ids().filter_map(|flag| snapshot.flag_fields(flag)) {
        let has = |bit| flag.bits.contains(&bit);
        if !has("enabled") || has("keep") {
            continue;
        }
        let step = flag.steps.iter().rev().find(|(at, _)| *at <= now);
        let threshold = step.map_or(flag.threshold, |(_, threshold)| *threshold);
        if threshold >= EVERYBODY || (step.is_none() && !has("rollout")) {
            full.push(flag.flag);
        } else if threshold > 0 || flag.allow.is_some() || !flag.rules.is_empty() {
            partly.push(flag.flag);
        }
    }
    (full, partly)
}

pub fn resume(arguments: &Arguments, word: &ResumeAll, output: &mut Output) -> Outcome {
    let begun = change::begin_at_once(arguments, &word.by, "resume", word.reason.as_deref(), output)?;
    let before = View::of(&begun.store);
    let known = killed(&begun.store);
    let switched = begun.store.resume_all(begun.change.clone()).map_err(Failure::changing)?;
    let sent = begun.send(vec!["resume-all".to_owned()], None);
    output.line_now(match switched.changed {
        true => format!("{}: flags answer again as published", output.paint(GOOD, "resumed")),
        false => "nothing was stopped; nothing was changed".to_owned(),
    });
    let (still, again): (Vec<_>, Vec<_>) =
        killed(&begun.store).into_iter().partition(|flag| known.contains(flag));
    for (what, flags) in
        [("still killed one by one", still), ("killed again, as the audit trail has them", again)]
    {
        if !flags.is_empty() {
            output
                .line(format!("{what}: {}", words::some(flags.iter().map(|flag| words::plain(flag)), NAMED)));
        }
    }
    done(&begun, &word.reach, Thrown { flag: None, switched, before, sent }, json!({}), output)
}

fn killed(store: &Store) -> Vec<String> {
    let killed = store.status().map(|status| status.killed).unwrap_or_default();
    killed.into_iter().map(|killed| killed.flag).collect()
}
