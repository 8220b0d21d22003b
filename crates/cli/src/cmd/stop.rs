//! `stop-all` and `resume-all`: everything off at once, and on again.

use super::change::{self, Begun};
use super::kill::done;
use crate::args::{Arguments, ResumeAll, StopAll};
use crate::output::{BAD, Failure, GOOD, Outcome, Output};
use crate::words;

pub fn stop(arguments: &Arguments, word: &StopAll, output: &mut Output) -> Outcome {
    let Begun { store, change } = change::begin(arguments, "stop everything", Some(&word.reason), output)?;
    let host = change.actor.host.clone();
    let switched = store.stop_all(change).map_err(Failure::changing)?;
    output.line(match switched.changed {
        true => format!(
            "{} everything: each flag is off but those whose emergency is \"keep\", until `flagstone resume-all`",
            output.paint(BAD, "stopped")
        ),
        false => "everything was stopped already; nothing was changed".to_owned(),
    });
    done(&store, &host, None, &switched, output)
}

pub fn resume(arguments: &Arguments, word: &ResumeAll, output: &mut Output) -> Outcome {
    let Begun { store, change } = change::begin(arguments, "resume", word.reason.as_deref(), output)?;
    let host = change.actor.host.clone();
    let switched = store.resume_all(change).map_err(Failure::changing)?;
    output.line(match switched.changed {
        true => format!("{}: flags answer again as published", output.paint(GOOD, "resumed")),
        false => "nothing was stopped; nothing was changed".to_owned(),
    });
    let killed = store.status().map(|status| status.killed).unwrap_or_default();
    if !killed.is_empty() {
        let names = killed.iter().map(|killed| killed.flag.as_str());
        output.line(format!("still killed one by one: {}", words::some(names, 20)));
    }
    done(&store, &host, None, &switched, output)
}
