//! `guard`: watches how requests end where flags are on, and takes back the flag that does harm.

use super::guard_words;
use super::run::Stop;
use crate::args::{Arguments, Guard};
use crate::guarding::{Event, State, Watcher};
use crate::output::{BAD, Exit, Failure, Outcome, Output, WARN};
use crate::{place, words};
use std::time::Duration;

/// Looks of a guard that looks once: what happened is known from the second on.
const LOOKS: usize = 2;
/// Between two looks.
pub const SECOND: Duration = Duration::from_secs(1);

pub fn run(arguments: &Arguments, word: &Guard, output: &mut Output) -> Outcome {
    if let Some(word) = &word.word {
        return guard_words::run(arguments, word, output);
    }
    let directory = place::directory(arguments)?;
    let store = place::store(arguments)?;
    let stop =
        Stop::listen().map_err(|error| Failure::Unknown(format!("cannot listen for signals: {error}")))?;
    let mut watcher = Watcher::new(&directory, &word.memory, word.dry_run);
    let dry = if word.dry_run { ", and changes nothing" } else { "" };
    output.line_now(format!(
        "{}: watches{dry}",
        words::plain(&format!("{} in {}", store.environment(), directory.display()))
    ));
    let mut looks = 0;
    loop {
        for event in watcher.look(words::now()) {
            tell(&event, output);
        }
        looks += 1;
        match watcher.state() {
            State::Helpless(_) => return Ok(Exit::Unknown),
            State::Blind(_) if word.once && looks == LOOKS => return Ok(Exit::Unknown),
            _ if word.once && looks == LOOKS => return Ok(Exit::Yes),
            _ => {}
        }
        if !stop.wait(SECOND) {
            watcher.end(words::now());
            output.line_now("stopped");
            return Ok(Exit::Yes);
        }
    }
}

/// One line for each event; with `--json`, one document.
pub fn tell(event: &Event, output: &mut Output) {
    let text = words::plain(&event.text);
    match event.event {
        "problem" if !output.is_json() => output.warn(format!("guard: {text}")),
        "killed" | "back" => output.line_now(format!("{} guard: {text}", output.paint(BAD, &event.at))),
        _ => output.line_now(format!("{} guard: {text}", output.paint(WARN, &event.at))),
    }
    output.json(event);
    output.flush();
}
