//! `plan show`: shows the progress of a plan, with dates; of all flags, or of one.

use crate::args::{Arguments, PlanShow};
use crate::output::{BAD, BOLD, Cell, DIM, Exit, Failure, GOOD, Outcome, Output, WARN};
use crate::switches::{Switch, Switches, notices, revive};
use crate::{display, store_view};
use anstyle::Style;
use flagstone::definition::{Emergency, Flag};
use flagstone::flag_change::state;
use flagstone::plan::{Mark, PlanDecision, Progress, SwitchState, Wait, decide, progress, start};
use flagstone::publish::{GoesBy, Store, StoreStatus, Verdicts};
use flagstone::time;
use serde_json::{Value, json};

/// Width of a stage in the progress line, in columns.
const SEGMENT: usize = 12;

pub fn run(arguments: &Arguments, command: &PlanShow, output: &mut Output) -> Outcome {
    let store = store_view::store(arguments)?;
    let status = store.status().map_err(Failure::asking)?;
    if status.generation == 0 {
        return Err(Failure::Unknown("nothing is published yet, so there is no plan".to_owned()));
    }
    let definitions = store.definitions(status.generation).map_err(Failure::asking)?;
    let now = time::now();
    let verdicts = store.verdicts(now);
    let switched = store.switched().map_err(Failure::asking)?;
    let seen = Seen { status: &status, verdicts: &verdicts, switched: &switched };
    let switches = Switches::of(&store);
    let Some(key) = command.flag.as_deref().map(|key| definitions.current_key(key)) else {
        let plans =
            definitions.flags.iter().filter_map(|(key, flag)| Some((key, flag, progress(flag, now)?)));
        let plans: Vec<_> = plans.collect();
        let rows: Vec<Vec<Cell>> = plans
            .iter()
            .map(|(key, flag, progress)| row(key, flag, progress, &Off::of(&switches, key, flag)))
            .collect();
        output.table(&["FLAG", "PLAN", "ON", "NEXT"], &rows);
        let stop = switches.as_ref().and_then(Switches::stop);
        for line in notices("", None, stop.as_ref()) {
            output.line(output.paint(BAD, line));
        }
        let counted = display::counted(plans.len() as u64, "plan");
        output.line(output.paint(DIM, format!("{counted}, {}", store.environment())));
        let all: Vec<Value> = plans
            .iter()
            .map(|(key, flag, progress)| {
                one(&store, seen, key, flag, (progress, &Off::of(&switches, key, flag)))
            })
            .collect();
        output.json(&json!({ "environment": store.environment(), "plans": all }));
        return Ok(Exit::Yes);
    };
    let Some(flag) = definitions.flags.get(key) else {
        let near = flagstone::definition::nearest(key, definitions.flags.keys().map(String::as_str));
        let hint = flagstone::definition::did_you_mean(near);
        return Err(Failure::Unknown(format!(
            "generation {} has no flag \"{}\"{hint}",
            status.generation,
            display::plain(key)
        )));
    };
    let Some(found) = progress(flag, now) else {
        return Err(Failure::Unknown(format!("{key} has no plan")));
    };
    let off = Off::of(&switches, key, flag);
    show(key, flag, (&found, &off), seen, output);
    output.json(&one(&store, seen, key, flag, (&found, &off)));
    Ok(Exit::Yes)
}

/// Switches that turn a flag off despite its plan.
struct Off {
    kill: Option<Switch>,
    stop: Option<Switch>,
}

impl Off {
    fn of(switches: &Option<Switches>, key: &str, flag: &Flag) -> Off {
        let Some(switches) = switches else { return Off { kill: None, stop: None } };
        let stops = flag.emergency != Emergency::Keep;
        Off { kill: switches.kill(key), stop: switches.stop().filter(|_| stops) }
    }

    fn switched(&self) -> SwitchState {
        let (killed, stopped) = (self.kill.as_ref().map(|_| 0), self.stop.as_ref().map(|_| 0));
        SwitchState { killed, stopped, ..SwitchState::default() }
    }

    fn is_off(&self) -> bool {
        self.kill.is_some() || self.stop.is_some()
    }

    /// The state as text: `30 %`, or `KILLED (30 %)`.
    fn state(&self, flag: &Flag) -> String {
        let published = state(flag, time::now());
        match (&self.kill, &self.stop) {
            (Some(_), _) => format!("KILLED ({published})"),
            (None, Some(_)) => format!("STOPPED ({published})"),
            (None, None) => published,
        }
    }
}

/// The place of a plan, in a few words: `stage 2 of 4, 10 %`.
pub fn place(flag: &Flag) -> String {
    let Some(state) = &flag.state.plan else { return "not started".to_owned() };
    let (number, count) = (state.stage(), state.stages.len());
    let says =
        progress(flag, state.since).and_then(|progress| Some(progress.stages.get(number)?.says.clone()));
    let stage =
        format!("stage {} of {count}, {}", number + 1, says.as_deref().map_or("".into(), display::plain));
    match (&state.held, state.done) {
        (_, Some(_)) => format!("done, {stage}"),
        (Some(held), None) => format!("held in {stage}: {}", display::plain(&held.reason)),
        (None, None) => stage,
    }
}

/// The reason that a plan waits.
pub fn waits(wait: &Wait) -> String {
    match wait {
        Wait::Soak(until) => format!("it soaks until {}", display::at(*until)),
        Wait::Person => {
            "the stage does not say how long it soaks: `flagstone plan advance` goes on".to_owned()
        }
        Wait::Clock(entered) => format!(
            "the stage was entered at {}, which is still to come: a clock was or is wrong; `plan hold` and `plan resume` count anew",
            display::at(*entered)
        ),
        Wait::Stopped => "everything is stopped".to_owned(),
        Wait::Guard(why) => format!("the guard waits: {}", display::plain(why)),
    }
}

/// The condition on which a plan goes on, in a sentence.
fn goes_by(by: &GoesBy) -> String {
    match by {
        GoesBy::Time(why) => format!("it goes by time alone: {why}"),
        GoesBy::Guard(began) => {
            format!("it goes by time and the guard, which has watched since {}", display::at(*began))
        }
        GoesBy::Nothing(why) => format!("no stage is entered meanwhile: {}", display::plain(why)),
    }
}

fn row(key: &str, flag: &Flag, progress: &Progress, off: &Off) -> Vec<Cell> {
    let style = style(progress);
    let number = flag.state.plan.as_ref().map(|state| state.entered.len());
    let count = progress.stages.len();
    let text = match (progress.state, number) {
        ("done" | "not started", _) | (_, None) => {
            format!("{}, {}", progress.state, display::counted(count as u64, "stage"))
        }
        (state, Some(number)) => format!("{state}, stage {number} of {count}"),
    };
    let next = progress
        .stages
        .iter()
        .find(|mark| mark.state == "to come")
        .filter(|_| progress.state != "not started");
    let next = match next {
        Some(mark) if off.kill.is_some() => format!("{}, after a revive", display::plain(&mark.says)),
        Some(mark) if off.stop.is_some() => format!("{}, after the stop", display::plain(&mark.says)),
        Some(mark) => format!(
            "{}{}",
            display::plain(&mark.says),
            mark.at.map_or(String::new(), |at| format!(", about {}", display::at(at)))
        ),
        None => String::new(),
    };
    let on = Cell { text: off.state(flag), style: if off.is_off() { BAD } else { Style::new() } };
    vec![Cell::of(key), Cell { text, style }, on, Cell::of(next)]
}

fn style(progress: &Progress) -> Style {
    match progress.state {
        "held" => WARN,
        "running" | "done" => GOOD,
        _ => DIM,
    }
}

/// The store's state as read.
#[derive(Clone, Copy)]
struct Seen<'a> {
    status: &'a StoreStatus,
    verdicts: &'a Verdicts,
    /// Kill and stop of each flag.
    switched: &'a dyn Fn(&str) -> SwitchState,
}

/// The step that a tick would take now.
fn step(key: &str, flag: &Flag, seen: Seen) -> PlanDecision {
    decide(flag, time::now(), (seen.switched)(key), &seen.verdicts.of(key, flag, time::now()))
}

fn show(key: &str, flag: &Flag, (found, off): (&Progress, &Off), seen: Seen, output: &mut Output) {
    output.line(format!(
        "{} {}: the plan is {}",
        output.paint(BOLD, key),
        output.paint(if off.is_off() { BAD } else { Style::new() }, off.state(flag)),
        output.paint(style(found), found.state)
    ));
    for line in notices(key, off.kill.as_ref(), off.stop.as_ref()) {
        output.line(output.paint(BAD, line));
    }
    output.line("");
    let bar = bar(found, output);
    output.line(format!("  {bar}"));
    for (number, mark) in found.stages.iter().enumerate() {
        let sign = match mark.state {
            "passed" => output.paint(GOOD, "✓"),
            "present" => output.paint(style(found), "▶"),
            _ => output.paint(DIM, "·"),
        };
        let when = match (mark.state, mark.at) {
            ("to come", Some(_)) if off.is_off() => String::new(),
            ("to come", Some(at)) => format!("about {}", display::at(at)),
            (_, Some(at)) => display::at(at),
            ("passed", None) => "by hand".to_owned(),
            (_, None) => String::new(),
        };
        let widest = found.stages.iter().map(|mark| mark.says.chars().count()).max().unwrap_or(0);
        let line = format!(
            "  {sign} {:>2}  {:<widest$}  {when:<26}  {}",
            number + 1,
            display::plain(&mark.says),
            soak(mark),
        );
        output.line(line.trim_end());
    }
    output.line("");
    let last = match (found.state, found.ends) {
        ("done", Some(at)) => format!("done since {}", display::at(at)),
        ("running", Some(_)) if off.is_off() => String::new(),
        ("running", Some(at)) => format!("done about {}, if nothing holds it", display::at(at)),
        ("not started", _) => match start(key, flag, time::now(), off.switched()) {
            Ok(_) => format!("`flagstone plan start {key}` starts it"),
            Err(error) => format!("it cannot be started: {}", display::plain(error.reason())),
        },
        _ => String::new(),
    };
    if !last.is_empty() {
        output.line(last);
    }
    if let Some(held) = flag.state.plan.as_ref().and_then(|state| state.held.as_ref()) {
        let (since, by, why) = (display::at(held.at), display::plain(&held.by), display::plain(&held.reason));
        let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
        output.line(output.paint(WARN, format!("held since {since}{by}: {why}")));
        let first = match off.kill {
            Some(_) => format!("`{}` first, then ", revive(key)),
            None => String::new(),
        };
        output.line(format!(
            "{first}`flagstone plan resume {key}` goes on, `flagstone plan abort {key}` returns to what was before"
        ));
    }
    if found.state == "running" {
        output.line(goes_by(&seen.verdicts.goes_by(key, flag)));
    }
    match step(key, flag, seen) {
        PlanDecision::Wait(wait) => output.line(waits(&wait)),
        PlanDecision::Hold(why) => {
            output.line(output.paint(WARN, format!("the next tick holds it: {}", display::plain(&why))))
        }
        PlanDecision::Enter(stage) => output.line(format!("the next tick enters stage {}", stage + 1)),
        PlanDecision::Finish => output.line("the next tick ends it"),
        PlanDecision::Idle(_) => {}
    }
}

/// The soak so far: `soaked 3 d of 7d`.
fn soak(mark: &Mark) -> String {
    match (&mark.soak, mark.soaked) {
        (Some(soak), Some(soaked)) => format!("soaked {} of {soak}", length(soaked)),
        (Some(soak), None) => format!("soak {soak}"),
        (None, _) => String::new(),
    }
}

/// A length in microseconds as text: `3d 4h`.
fn length(micros: i64) -> String {
    let seconds = micros / time::SECOND;
    match seconds {
        ..60 => "<1m".to_owned(),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// The progress as a line, `●━━━━━●━━╌╌╌○╌╌╌╌╌○`: a mark for each stage, followed by the part of it that is over.
fn bar(found: &Progress, output: &Output) -> String {
    let count = found.stages.len().max(1);
    let room =
        output.width().map_or(SEGMENT, |width| (width.saturating_sub(4) / count).clamp(2, SEGMENT + 1) - 1);
    let mut text = String::new();
    for (number, mark) in found.stages.iter().enumerate() {
        let last = number + 1 == found.stages.len();
        let room = if last && mark.soak.is_none() { 0 } else { room };
        let over = match (mark.state, mark.soaked) {
            ("passed", _) => room,
            ("present", Some(soaked)) => {
                let whole = mark.soak.as_deref().and_then(flagstone::definition::Soak::from_text);
                let whole = whole.map_or(i64::MAX, |soak| soak.micros().max(1));
                (i128::from(soaked.min(whole)) * room as i128 / i128::from(whole)) as usize
            }
            _ => 0,
        };
        let sign = if mark.state == "to come" {
            output.paint(DIM, "○")
        } else {
            output.paint(style(found), "●")
        };
        text.push_str(&sign);
        text.push_str(&output.paint(style(found), "━".repeat(over)));
        text.push_str(&output.paint(DIM, "╌".repeat(room - over)));
    }
    text
}

fn one(store: &Store, seen: Seen, key: &str, flag: &Flag, (found, off): (&Progress, &Off)) -> Value {
    let at = |micros: Option<i64>| micros.map(time::format_rfc3339);
    let stages: Vec<Value> = found
        .stages
        .iter()
        .enumerate()
        .map(|(number, mark)| {
            json!({
                "stage": number + 1,
                "says": mark.says,
                "state": mark.state,
                "at": at(mark.at),
                "estimated": mark.state == "to come" && mark.at.is_some(),
                "soak": mark.soak,
                "soaked_seconds": mark.soaked.map(|soaked| soaked / time::SECOND),
            })
        })
        .collect();
    let held = flag.state.plan.as_ref().and_then(|state| state.held.as_ref());
    let next = match step(key, flag, seen) {
        PlanDecision::Idle(_) => None,
        PlanDecision::Wait(wait) => Some(waits(&wait)),
        PlanDecision::Hold(why) => Some(format!("it is held at the next tick: {why}")),
        PlanDecision::Enter(stage) => Some(format!("stage {} is entered at the next tick", stage + 1)),
        PlanDecision::Finish => Some("it ends at the next tick".to_owned()),
    };
    json!({
        "environment": store.environment(),
        "generation": seen.status.generation,
        "flag": key,
        "on": off.state(flag),
        "kill": off.kill.as_ref().map(Switch::json),
        "stop": off.stop.as_ref().map(Switch::json),
        "state": found.state,
        "stage": flag.state.plan.as_ref().map(|state| state.entered.len()),
        "stages": stages,
        "held": held.map(|held| json!({ "reason": held.reason, "by": held.by, "at": time::format_rfc3339(held.at) })),
        "ends": at(found.ends),
        "next": next,
        "goes_by": (found.state == "running").then(|| goes_by(&seen.verdicts.goes_by(key, flag))),
    })
}
