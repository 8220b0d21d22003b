//! `guard`: watches the results of requests where flags are on, and takes back the flag that does harm.

use super::run::Stop;
use crate::args::{Arguments, Guard};
use crate::guard::{GuardEvent, GuardReport, State, Watcher};
use crate::output::{BAD, Exit, Failure, Outcome, Output, WARN};
use crate::{display, store_view};
use std::time::Duration;

/// The number of looks with `--once`: events are known from the second on.
const LOOKS: usize = 2;
/// The pause between two looks.
pub const SECOND: Duration = Duration::from_secs(1);

pub fn run(arguments: &Arguments, command: &Guard, output: &mut Output) -> Outcome {
    *output = output.of_daemon();
    let directory = store_view::directory(arguments)?;
    let store = store_view::store(arguments)?;
    let stop =
        Stop::listen().map_err(|error| Failure::Unknown(format!("cannot listen for signals: {error}")))?;
    let mut watcher = Watcher::new(&directory, &command.memory, command.dry_run);
    let dry = if command.dry_run { ", and changes nothing" } else { "" };
    let place = format!("{} in {}", store.environment(), directory.display());
    let mut watches = false;
    let mut looks = 0;
    loop {
        let events = watcher.look(flagstone::time::now());
        if !watches && !matches!(watcher.state(), State::Waiting | State::Helpless(_)) {
            watches = true;
            output.line_now(format!("{}: watches{dry}", display::plain(&place)));
        }
        for event in events {
            print_event(&event, output);
        }
        looks += 1;
        let is_last = command.once && looks == LOOKS;
        let exit = match watcher.state() {
            State::Helpless(_) => return Ok(Exit::Unknown),
            State::Blind(_) if is_last => Exit::Unknown,
            // The exit code goes by what the other guard sees.
            State::Waiting if is_last => {
                let report = GuardReport::of(&store, flagstone::time::now());
                let works = !matches!(report.state, "blind" | "helpless");
                if let Some(problem) = report.problem.filter(|_| !works) {
                    output.warn(display::plain(&problem));
                }
                if works { Exit::Yes } else { Exit::Unknown }
            }
            _ => Exit::Yes,
        };
        if is_last || !stop.wait(SECOND) {
            watcher.end(flagstone::time::now());
            if !is_last {
                output.line_now("stopped");
            }
            return Ok(exit);
        }
    }
}

/// Prints one line for each event; with `--json`, one document.
pub fn print_event(event: &GuardEvent, output: &mut Output) {
    let text = display::plain(&event.text);
    match event.event {
        "problem" | "killed" | "back" if output.is_log() => output.warn(format!("guard: {text}")),
        _ if output.is_log() => output.line(format!("guard: {text}")),
        "problem" if !output.is_json() => output.warn(format!("{} guard: {text}", event.at)),
        "killed" | "back" => output.line_now(format!("{} guard: {text}", output.paint(BAD, &event.at))),
        _ => output.line_now(format!("{} guard: {text}", output.paint(WARN, &event.at))),
    }
    output.json(event);
    output.flush();
}
