//! `kill` and `revive`: one flag off at once, and on again. No compile, no disk.

use super::change::{self, Begun};
use crate::args::{Arguments, Kill, Revive};
use crate::output::{BAD, Exit, Failure, GOOD, Outcome, Output};
use crate::place::{self, UnknownFlag};
use crate::words;
use flagstone::definition::nearest;
use flagstone::store::{Reader, ReaderOptions, Source, Store, Switched};
use serde_json::json;

/// What is known about a key.
enum Known {
    Yes,
    No(UnknownFlag),
    /// The current generation cannot be read.
    CannotTell(String),
}

pub fn kill(arguments: &Arguments, word: &Kill, output: &mut Output) -> Outcome {
    let Begun { store, change } =
        change::begin(arguments, &format!("kill {}", word.flag), Some(&word.reason), output)?;
    match known(&store, &word.flag) {
        Known::Yes => {}
        Known::No(unknown) if word.force => output.warn(unknown.problem),
        Known::No(UnknownFlag { problem, hint }) => {
            return Err(Failure::Refused(format!(
                "{problem}; nothing was killed; {hint} With --force it is killed all the same"
            )));
        }
        Known::CannotTell(problem) => {
            output.warn(format!("{problem}; killed without knowing whether the flag is there"))
        }
    }
    let host = change.actor.host.clone();
    let switched = store.kill(&word.flag, change).map_err(Failure::changing)?;
    output.line(match switched.changed {
        true => format!(
            "{} {}: off for everybody at once, whatever is published, until `flagstone revive {}`",
            output.paint(BAD, "killed"),
            word.flag,
            word.flag
        ),
        false => format!("{} was killed already; nothing was changed", word.flag),
    });
    done(&store, &host, Some(&word.flag), &switched, output)
}

pub fn revive(arguments: &Arguments, word: &Revive, output: &mut Output) -> Outcome {
    let Begun { store, change } =
        change::begin(arguments, &format!("revive {}", word.flag), word.reason.as_deref(), output)?;
    let host = change.actor.host.clone();
    let killed = store.status().map(|status| status.killed).unwrap_or_default();
    if !killed.is_empty()
        && killed.iter().all(|killed| killed.flag != word.flag)
        && let Known::No(unknown) = known(&store, &word.flag)
    {
        let names = killed.iter().map(|killed| killed.flag.as_str());
        let hint = match nearest(&word.flag, names.clone()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("killed are: {}", words::some(names.collect::<Vec<_>>().iter(), 10)),
        };
        return Err(Failure::Refused(format!(
            "{}, and it is not killed; nothing was changed; {hint}",
            unknown.problem
        )));
    }
    let switched = store.revive(&word.flag, change).map_err(Failure::changing)?;
    output.line(match switched.changed {
        true => format!("{} {}: it answers again as published", output.paint(GOOD, "revived"), word.flag),
        false => format!("{} was not killed; nothing was changed", word.flag),
    });
    done(&store, &host, Some(&word.flag), &switched, output)
}

/// What a switch says at its end. A warning is no failure: the switch is thrown.
pub fn done(
    store: &Store,
    host: &str,
    flag: Option<&str>,
    switched: &Switched,
    output: &mut Output,
) -> Outcome {
    if let Some(warning) = &switched.audit_warning {
        output.warn(words::plain(warning));
    }
    let mut answer = json!({
        "environment": store.environment(),
        "machine": host,
        "changed": switched.changed,
        "generation": switched.generation,
        "warning": switched.audit_warning,
    });
    if let Some(flag) = flag {
        answer["flag"] = flag.into();
    }
    output.json(&answer);
    Ok(Exit::Yes)
}

/// Whether the current generation has the flag.
fn known(store: &Store, flag: &str) -> Known {
    let reader = match Reader::open(store.directory(), ReaderOptions::default()) {
        Ok(reader) => reader,
        Err(error) => return Known::CannotTell(error.to_string()),
    };
    let view = reader.view();
    let status = reader.status();
    match &view.snapshot {
        Some(snapshot) if snapshot.find(flag.as_bytes()).is_some() => Known::Yes,
        Some(snapshot) if status.source == Source::Current => {
            Known::No(place::unknown_flag(snapshot, view.generation, flag))
        }
        None if status.head_generation == 0 => Known::No(UnknownFlag {
            problem: "nothing is published yet".to_owned(),
            hint: "publish first.".to_owned(),
        }),
        _ => Known::CannotTell(format!("generation {} cannot be read", status.head_generation)),
    }
}
