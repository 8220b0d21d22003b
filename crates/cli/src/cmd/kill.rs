//! `kill` and `revive`: turn one flag off at once, and on again. No compile, no disk.

use super::change::{self, ChangeContext};
use crate::args::{self, Arguments, Command, Kill, Revive};
use crate::counters::{self, Unreached};
use crate::extent::{Extent, extent};
use crate::guard::GuardReport;
use crate::impact::{self, Listed, Side};
use crate::machines::Relay;
use crate::output::{BAD, EXCEPT, Failure, GOOD, Outcome, Output};
use crate::store_view::{self, UnknownFlag};
use crate::{display, signals};
use flagstone::definition::{Emergency, PlanState, nearest};
use flagstone::flag_change::state;
use flagstone::publish::{Change, Store, SwitchOutcome, dependents_text};
use flagstone::store::{Reader, ReaderOptions, ReaderStatus, Source};
use flagstone::{FlagId, StoreError, blocker, telemetry};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// The time after which a change of the head is slow: it takes milliseconds.
const UNUSUAL: Duration = Duration::from_secs(2);

/// The knowledge about a key.
enum Known {
    Yes,
    No(UnknownFlag),
    /// The current generation cannot be read.
    CannotTell(String),
}

pub fn kill(arguments: &Arguments, command: &Kill, output: &mut Output) -> Outcome {
    let flag = display::plain(&command.flag);
    let (begun, known, result) = make_switch(arguments, command, output)
        .map_err(|failure| nothing_stopped(&arguments.command, failure))?;
    let unreached = unreached(&begun.store);
    let [whom, except] = match unreached.0.is_empty() {
        true => ["for everybody at once".to_owned(), String::new()],
        false => [EXCEPT.to_owned(), format!(" {EXCEPT}")],
    };
    let by_key = |doubt| format!("off where it is asked by this key{except}; {doubt} (see the warning)");
    let off = match known {
        Known::Yes => format!("off {whom}"),
        Known::No(_) => by_key("no such flag is published"),
        Known::CannotTell(_) => by_key("whether the flag has another key cannot be read"),
    };
    output.line_now(match result.switched.changed {
        true => format!(
            "{} {flag}: {off}, whatever is published, until `flagstone revive {flag}`",
            output.paint(BAD, "killed"),
        ),
        false => format!("{flag} was killed already; nothing was changed"),
    });
    let dependents = begun.store.dependents(&command.flag);
    if let Some(text) = dependents_text(&dependents) {
        output.line(output.paint(BAD, text));
    }
    let more = json!({ "dependents": dependents });
    print_switch(&begun, &command.reach, (Some(&command.flag), result, unreached), more, output)
}

/// Ends the failure of a command that turns flags off for everybody with a line that says whether anything was stopped.
pub fn nothing_stopped(command: &Command, failure: Failure) -> Failure {
    let what = match command {
        Command::Kill(command) => display::plain(&command.flag),
        Command::Disable(command)
            if command.companies.is_empty()
                && command.changing.file.is_none()
                && !command.changing.terms.dry_run =>
        {
            display::plain(&command.flag)
        }
        Command::StopAll(_) => "every flag".into(),
        _ => return failure,
    };
    let perhaps = format!("PERHAPS NOT STOPPED: {what} may answer as before");
    let nothing = format!("NOTHING WAS STOPPED: {what} answers as before");
    match &failure {
        // By the agent, which ran the command.
        failed if [&perhaps, &nothing].iter().any(|line| failed.text().ends_with(*line)) => failure,
        Failure::Partial(_) => failure.ending(&perhaps),
        _ => failure.ending(&nothing),
    }
}

fn make_switch(
    arguments: &Arguments,
    command: &Kill,
    output: &mut Output,
) -> Result<(ChangeContext, Known, SwitchResult), Failure> {
    let what = format!("kill {}", command.flag);
    let begun = change::begin_at_once(arguments, &command.by, &what, Some(&command.reason), output)?;
    let before = View::of(&begun.store);
    let known = known(&before, &command.flag);
    match &known {
        Known::Yes => {}
        Known::No(unknown) if command.force => output.warn(&unknown.problem),
        Known::No(UnknownFlag { problem, hint }) => {
            let end = if hint.ends_with(['.', '?']) { "" } else { "." };
            return Err(Failure::Refused(format!(
                "{problem}; {hint}{end} With --force it is killed all the same."
            )));
        }
        Known::CannotTell(problem) => {
            output.warn(format!("{problem}; killed without knowing whether the flag is there"))
        }
    }
    let sent = relayed("kill", command.force.then_some("--force"), &command.flag);
    let result = carry_out(&begun, before, sent, output, |store, change| store.kill(&command.flag, change))?;
    Ok((begun, known, result))
}

/// Changes the head and notes it in the trail, and sends the command to the other machines: also where the change was made, and may be
/// missing in the store that the path leads to by now. Reports if the file system delays it, as one frozen for a backup does. A terminal
/// that goes away does not end it half-way, and an interrupt says what is done.
pub fn carry_out(
    begun: &ChangeContext,
    before: View,
    arguments: Vec<String>,
    output: &mut Output,
    act: impl FnOnce(&Store, Change) -> Result<SwitchOutcome, StoreError>,
) -> Result<SwitchResult, Failure> {
    signals::outlive_terminal();
    let [before_it, after_it]: [&'static &'static str; 2] = match begun.reaches_others() {
        true => [
            &"\nflagstone: interrupted: it may be done here (`flagstone status` says), and no other machine was told; type it again\n",
            &"\nflagstone: interrupted: it is done here, and perhaps not on the other machines; type it again\n",
        ],
        false => [
            &"\nflagstone: interrupted: it may be done; `flagstone status` says\n",
            &"\nflagstone: interrupted: it is done\n",
        ],
    };
    let interrupted = |last| begun.is_typed.then(|| signals::ending_with(last));
    interrupted(before_it);
    let (done, is_done) = mpsc::channel::<()>();
    // Without a thread there is no such report.
    let _ = thread::Builder::new().spawn(move || {
        if let Err(RecvTimeoutError::Timeout) = is_done.recv_timeout(UNUSUAL) {
            let _ = writeln!(
                io::stderr(),
                "flagstone: this takes long: another process holds the store's lock (lslocks), its disk is slow, or a backup has frozen its file system \
                 (fsfreeze --unfreeze MOUNTPOINT). \
                 Whether it is done by now: flagstone status"
            );
        }
    });
    let switched = act(&begun.store, begun.change.clone()).map_err(Failure::changing);
    drop(done);
    if switched.is_ok() {
        interrupted(after_it);
    }
    match switched {
        Ok(switched) => Ok(SwitchResult { switched, before, sent: begun.send(arguments, None) }),
        Err(failure @ Failure::Partial(_)) => {
            let arrived = begun.send(arguments, None).tell(None, output);
            output.detail("machines", arrived.json());
            Err(failure)
        }
        Err(failure) => Err(failure),
    }
}

pub fn revive(arguments: &Arguments, command: &Revive, output: &mut Output) -> Outcome {
    let what = format!("revive {}", command.flag);
    let begun = change::begin_at_once(arguments, &command.by, &what, command.reason.as_deref(), output)?;
    let before = View::of(&begun.store);
    let killed = begun.store.status().map(|status| status.killed).unwrap_or_default();
    if killed.iter().all(|killed| killed.flag != command.flag)
        && let Known::No(unknown) = known(&before, &command.flag)
    {
        let names = killed.iter().map(|killed| killed.flag.as_str());
        let hint = match nearest(&command.flag, names.clone()) {
            _ if killed.is_empty() => unknown.hint,
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("killed are: {}", display::some(names.collect::<Vec<_>>().iter(), 10)),
        };
        return Err(Failure::Refused(format!(
            "{}, and it is not killed; nothing was changed; {hint}",
            unknown.problem
        )));
    }
    let sent = relayed("revive", None, &command.flag);
    let result =
        carry_out(&begun, before, sent, output, |store, change| store.revive(&command.flag, change))?;
    let flag = display::plain(&command.flag);
    let changed = result.switched.changed;
    output.line_now(match changed {
        true => format!("{} {flag}: {}", output.paint(GOOD, "revived"), answers(&begun, &command.flag)),
        false => format!("{flag} was not killed; nothing was changed"),
    });
    if let Some(plan) = changed.then(|| plan(&begun, &command.flag)).flatten() {
        let held = if plan.held.is_some() { "is held" } else { "is held at the next tick" };
        let typed = display::argument(&command.flag);
        output.line(format!("its plan {held}, until `flagstone plan resume {typed}`"));
    }
    let cooldown = cooldown(&begun.store, &command.flag).filter(|_| changed);
    if let Some(until) = cooldown {
        output.line(format!(
            "the guard acted on {flag} and leaves it alone until {}: harm is told until then, and not acted on; `flagstone kill {flag} --reason WHY` \
             turns it off again",
            display::at(until)
        ));
    }
    let unreached = unreached(&begun.store);
    let more = json!({ "guard_cooldown_until": cooldown.map(display::at) });
    print_switch(&begun, &command.reach, (Some(&command.flag), result, unreached), more, output)
}

/// The flag's plan, if it is started and not done.
fn plan(begun: &ChangeContext, flag: &str) -> Option<PlanState> {
    let mut definitions = begun.store.definitions(begun.generation).ok()?;
    definitions.flags.remove(flag)?.state.plan.filter(|plan| plan.done.is_none())
}

/// What a revived flag answers, in a clause: the published state, and what keeps the flag off for some, as far as that is known.
fn answers(begun: &ChangeContext, key: &str) -> String {
    let Ok(definitions) = begun.store.definitions(begun.generation) else {
        return "it answers again as published".to_owned();
    };
    let key = definitions.current_key(key);
    let Some(flag) = definitions.flags.get(key) else { return "no such flag is published".to_owned() };
    let (after, now, mut known) = (View::of(&begun.store), flagstone::time::now(), BTreeMap::new());
    let side = after.side();
    let is_stopped = side.as_ref().is_some_and(|Side { snapshot, switches }| {
        let is_blocked = || blocker(snapshot, switches, snapshot.find(key.as_bytes())?, now);
        switches.stopped() && (flag.emergency != Emergency::Keep || is_blocked().is_some())
    });
    let mut reaches = |key: &str| {
        let side = side.as_ref()?;
        Some(extent(side, side.snapshot.find(key.as_bytes())?, now, &mut known))
    };
    let mut limits = Vec::new();
    for required in &flag.requires {
        match reaches(required) {
            Some(Extent::Nobody) => {
                limits.push(format!("it requires {}, which is off", display::plain(required)))
            }
            Some(Extent::Some) => limits
                .push(format!("it requires {}, which is not on for everybody", display::plain(required))),
            Some(Extent::Everybody) | None => {}
        }
    }
    let published = state(flag, now);
    let text = match (reaches(key), published.as_str()) {
        (Some(Extent::Nobody), text) if !matches!(text, "off" | "0 %") => "off for everybody",
        (Some(Extent::Everybody), "on") => "on for everybody",
        (Some(Extent::Some), "on for everybody") => "on",
        _ => published.as_str(),
    };
    let limits = match limits.is_empty() || !flag.enabled {
        true => String::new(),
        false => format!(": {}", limits.join(", ")),
    };
    let answers = match is_stopped {
        true => "everything is stopped until `flagstone resume-all`; then it answers",
        false => "it answers again",
    };
    format!("{answers} as published, {text}{limits}")
}

/// The end of the watching guard's cooldown for the flag, in microseconds since 1970.
fn cooldown(store: &Store, flag: &str) -> Option<i64> {
    let now = flagstone::time::now();
    let memory = GuardReport::of(store, now).memory?;
    memory.flags.get(flag)?.cooldown.filter(|until| *until > now)
}

fn relayed(command: &str, option: Option<&str>, flag: &str) -> Vec<String> {
    [Some(command), option, Some("--"), Some(flag)].into_iter().flatten().map(str::to_owned).collect()
}

/// The view of the workers at one moment.
pub struct View(Result<(Arc<flagstone::store::View>, ReaderStatus), StoreError>);

impl View {
    pub fn of(store: &Store) -> View {
        let reader = Reader::open(store.directory(), ReaderOptions::default());
        View(reader.map(|reader| (reader.view(), reader.status())))
    }

    pub fn side(&self) -> Option<Side<'_>> {
        let (view, _) = self.0.as_ref().ok()?;
        Some(Side { snapshot: view.snapshot.as_deref()?, switches: &view.switches })
    }
}

/// A switch, the view before it, and its way to the other machines.
pub struct SwitchResult {
    pub switched: SwitchOutcome,
    before: View,
    sent: Relay,
}

/// Workers that may not see a switch, and the number of users who say so and are not believed.
pub fn unreached(store: &Store) -> (Vec<Unreached>, usize) {
    counters::unreached(store, Path::new(telemetry::DIRECTORY))
}

/// Prints the result of a switch of that flag, or of all: its reach, and the answers of other machines. A warning is no failure: the
/// switch is made.
///
/// `more` is an object whose members are added to the answer.
pub fn print_switch(
    begun: &ChangeContext,
    reach: &args::Reach,
    (flag, result, (unreached, others)): (Option<&str>, SwitchResult, (Vec<Unreached>, usize)),
    more: Value,
    output: &mut Output,
) -> Outcome {
    let SwitchResult { switched, before, sent } = result;
    let reach = match switched.changed {
        true => reached(begun, reach, &before, flag, output),
        false => Value::Null,
    };
    let arrived = sent.tell(None, output);
    change::warn(switched.audit_warning.as_deref(), output);
    for workers in &unreached {
        output.warn(workers);
    }
    if others > 0 {
        output.warn(format!(
            "{} whose counters are not believed may not read this store; if PHP runs as such a user, name it in telemetry.users (docs/telemetry.md)",
            display::counted(others as u64, "user")
        ));
    }
    let mut answer = json!({
        "environment": begun.store.environment(),
        "machine": begun.change.actor.host,
        "changed": switched.changed,
        "generation": switched.generation,
        "reach": reach,
        "machines": arrived.json(),
        "warning": switched.audit_warning,
        "unreached": unreached,
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

/// Measures the reach. The switch is made, so that an unknown reach is no failure.
fn reached(
    begun: &ChangeContext,
    command: &args::Reach,
    before: &View,
    flag: Option<&str>,
    output: &mut Output,
) -> Value {
    let list = begun.companies(command);
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
            // Flags that require it are measured as well.
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
        impact::measure(&list, begun.config.confirm_above(), [Some(side), after.side()], &flags, None)
            .map(Some)
    });
    match measured {
        Ok(None) => Value::Null,
        Ok(Some(reach)) => {
            reach.tell(output);
            reach.json()
        }
        Err(failure) => {
            output.warn(format!("{}; whom it reaches cannot be told", failure.text()));
            Value::Null
        }
    }
}

/// Checks that the current generation has the flag.
fn known(view: &View, flag: &str) -> Known {
    let (view, status) = match &view.0 {
        Ok(seen) => seen,
        Err(error) => return Known::CannotTell(error.to_string()),
    };
    match &view.snapshot {
        Some(snapshot) if status.source == Source::Current => match snapshot.find(flag.as_bytes()) {
            Some(_) => Known::Yes,
            None => Known::No(store_view::unknown_flag(snapshot, view.generation, flag)),
        },
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
