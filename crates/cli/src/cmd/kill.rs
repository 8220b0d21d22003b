//! `kill` and `revive`: one flag off at once, and on again. No compile, no disk.

use super::change::{self, Begun};
use crate::args::{self, Arguments, Kill, Revive};
use crate::guarding::GuardReport;
use crate::machines::Sent;
use crate::output::{BAD, Failure, GOOD, Outcome, Output};
use crate::place::{self, UnknownFlag};
use crate::reach::{self, Listed, Side};
use crate::words;
use flagstone::definition::nearest;
use flagstone::store::{Reader, ReaderOptions, ReaderStatus, Source, Store, StoreError, Switched};
use flagstone::{FlagId, Snapshot};
use serde_json::{Value, json};
use std::sync::Arc;

/// What is known about a key.
enum Known {
    Yes,
    No(UnknownFlag),
    /// The current generation cannot be read.
    CannotTell(String),
}

pub fn kill(arguments: &Arguments, word: &Kill, output: &mut Output) -> Outcome {
    let flag = words::plain(&word.flag);
    let unchanged = format!("{flag} answers as before");
    let (begun, switched) =
        throw(arguments, word, output).map_err(|failure| failure.ending(&nothing_stopped(&unchanged)))?;
    // First the others, then whom it reached.
    let sent = begun.send(relayed("kill", word.force.then_some("--force"), &word.flag), None);
    output.line_now(match switched.1.changed {
        true => format!(
            "{} {flag}: off for everybody at once, whatever is published, until `flagstone revive {flag}`",
            output.paint(BAD, "killed"),
        ),
        false => format!("{flag} was killed already; nothing was changed"),
    });
    let (before, switched) = switched;
    let thrown = Thrown { flag: Some(&word.flag), switched, before, sent };
    done(&begun, &word.reach, thrown, json!({}), output)
}

/// The last line of an emergency change that was not made.
pub fn nothing_stopped(unchanged: &str) -> String {
    format!("NOTHING WAS STOPPED: {unchanged}")
}

fn throw(
    arguments: &Arguments,
    word: &Kill,
    output: &mut Output,
) -> Result<(Begun, (View, Switched)), Failure> {
    let what = format!("kill {}", word.flag);
    let begun = change::begin_at_once(arguments, &word.by, &what, Some(&word.reason), output)?;
    let before = View::of(&begun.store);
    match known(&before, &word.flag) {
        Known::Yes => {}
        Known::No(unknown) if word.force => output.warn(unknown.problem),
        Known::No(UnknownFlag { problem, hint }) => {
            return Err(Failure::Refused(format!(
                "{problem}; {}. With --force it is killed all the same",
                hint.trim_end_matches('.')
            )));
        }
        Known::CannotTell(problem) => {
            output.warn(format!("{problem}; killed without knowing whether the flag is there"))
        }
    }
    let switched = begun.store.kill(&word.flag, begun.change.clone()).map_err(Failure::changing)?;
    Ok((begun, (before, switched)))
}

pub fn revive(arguments: &Arguments, word: &Revive, output: &mut Output) -> Outcome {
    let what = format!("revive {}", word.flag);
    let begun = change::begin_at_once(arguments, &word.by, &what, word.reason.as_deref(), output)?;
    let before = View::of(&begun.store);
    let killed = begun.store.status().map(|status| status.killed).unwrap_or_default();
    if !killed.is_empty()
        && killed.iter().all(|killed| killed.flag != word.flag)
        && let Known::No(unknown) = known(&before, &word.flag)
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
    let switched = begun.store.revive(&word.flag, begun.change.clone()).map_err(Failure::changing)?;
    let sent = begun.send(relayed("revive", None, &word.flag), None);
    let flag = words::plain(&word.flag);
    output.line_now(match switched.changed {
        true => format!("{} {flag}: it answers again as published", output.paint(GOOD, "revived")),
        false => format!("{flag} was not killed; nothing was changed"),
    });
    let cooldown = cooldown(&begun.store, &word.flag).filter(|_| switched.changed);
    if let Some(until) = cooldown {
        output.line(format!(
            "the guard acted on {flag} and leaves it alone until {}: harm is told until then, and not acted on; `flagstone kill {flag} --reason WHY` \
             turns it off again",
            words::at(until)
        ));
    }
    let thrown = Thrown { flag: Some(&word.flag), switched, before, sent };
    done(&begun, &word.reach, thrown, json!({ "guard_cooldown_until": cooldown.map(words::at) }), output)
}

/// Until when the guard that watches leaves the flag alone; microseconds since 1970.
fn cooldown(store: &Store, flag: &str) -> Option<i64> {
    let now = words::now();
    let memory = GuardReport::of(store, now).memory?;
    memory.flags.get(flag)?.cooldown.filter(|until| *until > now)
}

fn relayed(word: &str, option: Option<&str>, flag: &str) -> Vec<String> {
    [Some(word), option, Some("--"), Some(flag)].into_iter().flatten().map(str::to_owned).collect()
}

/// What workers answer from, at one moment.
pub struct View(Result<(Arc<flagstone::store::View>, ReaderStatus), StoreError>);

impl View {
    pub fn of(store: &Store) -> View {
        let reader = Reader::open(store.directory(), ReaderOptions::default());
        View(reader.map(|reader| (reader.view(), reader.status())))
    }

    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.side().map(|side| side.snapshot)
    }

    fn side(&self) -> Option<Side<'_>> {
        let (view, _) = self.0.as_ref().ok()?;
        Some(Side { snapshot: view.snapshot.as_deref()?, switches: &view.switches })
    }
}

/// A switch that was thrown, and what it was thrown on.
pub struct Thrown<'a> {
    /// None: all flags.
    pub flag: Option<&'a str>,
    pub switched: Switched,
    pub before: View,
    pub sent: Sent,
}

/// What a switch says at its end: whom it reached, and where else it was thrown. A warning is no failure: it is thrown.
///
/// `more` is an object, whose members the answer has too.
pub fn done(begun: &Begun, reach: &args::Reach, thrown: Thrown, more: Value, output: &mut Output) -> Outcome {
    let Thrown { flag, switched, before, sent } = thrown;
    if let Some(warning) = &switched.audit_warning {
        output.warn(words::plain(warning));
    }
    let reach = match switched.changed {
        true => reached(begun, reach, &before, flag, output),
        false => Value::Null,
    };
    let arrived = sent.tell(None, output);
    let mut answer = json!({
        "environment": begun.store.environment(),
        "machine": begun.change.actor.host,
        "changed": switched.changed,
        "generation": switched.generation,
        "reach": reach,
        "machines": arrived.json(),
        "warning": switched.audit_warning,
    });
    if let Some(flag) = flag {
        answer["flag"] = flag.into();
    }
    for (name, value) in more.as_object().into_iter().flatten() {
        answer[name] = value.clone();
    }
    output.json(&answer);
    Ok(arrived.exit())
}

/// Whom it reached. It is done: what cannot be told is no failure.
fn reached(
    begun: &Begun,
    word: &args::Reach,
    before: &View,
    flag: Option<&str>,
    output: &mut Output,
) -> Value {
    let list = begun.companies(word);
    let measured = list.and_then(|list| {
        let (list, side) = match (list, before.side()) {
            (Listed::List(list), Some(side)) => (list, side),
            (Listed::Unreadable(problem), _) => {
                output.warn(problem);
                return Ok(None);
            }
            _ => return Ok(None),
        };
        let after = View::of(&begun.store);
        let snapshot = side.snapshot;
        let differs = |id: &FlagId| match flag {
            // Also those that require it.
            Some(flag) => {
                snapshot.flag_key(*id) == flag
                    || snapshot
                        .flag_fields(*id)
                        .is_some_and(|fields| fields.requires.iter().any(|key| key == flag))
            }
            None => true,
        };
        let ids = snapshot.flag_ids().filter(differs);
        let flags = ids.map(|id| snapshot.flag_key(id)).collect();
        reach::measure(&list, begun.config.off_share(), [Some(side), after.side()], &flags).map(Some)
    });
    match measured {
        Ok(None) => Value::Null,
        Ok(Some(reach)) => {
            reach.tell(output);
            reach.json()
        }
        Err(Failure::Refused(problem) | Failure::Unknown(problem)) => {
            output.warn(format!("{problem}; whom it reaches cannot be told"));
            Value::Null
        }
    }
}

/// Whether the current generation has the flag.
fn known(view: &View, flag: &str) -> Known {
    let (view, status) = match &view.0 {
        Ok(seen) => seen,
        Err(error) => return Known::CannotTell(error.to_string()),
    };
    match &view.snapshot {
        Some(snapshot) if snapshot.find(flag.as_bytes()).is_some() => Known::Yes,
        Some(snapshot) if status.source == Source::Current => {
            Known::No(place::unknown_flag(snapshot, view.generation, flag))
        }
        None if status.head_lost => Known::CannotTell(
            status.last_error.clone().unwrap_or_else(|| "the head cannot be read".to_owned()),
        ),
        None if status.head_generation == 0 => Known::No(UnknownFlag {
            problem: "nothing is published yet".to_owned(),
            hint: "publish first.".to_owned(),
        }),
        _ => Known::CannotTell(format!("generation {} cannot be read", status.head_generation)),
    }
}
