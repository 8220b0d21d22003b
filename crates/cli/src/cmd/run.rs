//! `run`: the daemon that moves plans when their time has come, and tells endpoints what happens.
//!
//! It may be killed at any moment, and several may run on one store: every step is one publish on the generation that it was decided
//! on. What fails is told once and tried again, less and less often.

use super::guard;
use super::plan::{by_plan, line};
use crate::args::{Arguments, Run};
use crate::guarding::Watcher;
use crate::notify::{Told, deliver_due};
use crate::output::{Exit, Failure, Outcome, Output};
use crate::{identity, place, words};
use flagstone::plan::Step;
use flagstone::store::Ticker;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

/// The longest pause after failures.
const LONGEST: Duration = Duration::from_secs(300);
/// How long it waits for another change of the store.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks for what endpoints were not told.
const NOTIFY: Duration = Duration::from_secs(2);

/// Ends the process at once while it waits, and after its step while it does one.
pub struct Stop {
    asked: Arc<AtomicBool>,
    waiting: Arc<AtomicBool>,
}

impl Stop {
    pub fn listen() -> Result<Stop, Error> {
        let stop = Stop { asked: Arc::default(), waiting: Arc::default() };
        for signal in [SIGTERM, SIGINT] {
            signal_hook::flag::register(signal, Arc::clone(&stop.asked))?;
            signal_hook::flag::register_conditional_shutdown(signal, 0, Arc::clone(&stop.waiting))?;
        }
        Ok(stop)
    }

    /// Waits; false if the process is to end.
    pub fn wait(&self, pause: Duration) -> bool {
        self.waiting.store(true, Ordering::SeqCst);
        if self.asked.load(Ordering::SeqCst) {
            return false;
        }
        sleep(pause);
        self.waiting.store(false, Ordering::SeqCst);
        !self.asked.load(Ordering::SeqCst)
    }
}

pub fn run(arguments: &Arguments, word: &Run, output: &mut Output) -> Outcome {
    let directory = place::directory(arguments)?;
    let stop =
        Stop::listen().map_err(|error| Failure::Unknown(format!("cannot listen for signals: {error}")))?;
    let every = Duration::from_secs(word.interval);
    let host = by_plan(None).actor.host;
    output.line_now(format!(
        "{}: plans are moved every {}",
        words::plain(&format!("{} on {host}", directory.display())),
        words::counted(word.interval, "second")
    ));
    notifying(directory.clone());
    if !word.no_guard {
        guarding(directory.clone(), word.memory.clone(), output.is_json());
    }
    let mut ticker: Option<Ticker> = None;
    let mut told: Option<String> = None;
    let mut pause = every;
    loop {
        match round(&directory, &mut ticker, output) {
            None => {
                if told.take().is_some() {
                    output.line_now("it works again");
                }
                pause = every;
            }
            Some(problem) => {
                ticker = None;
                pause = (pause * 2).min(LONGEST.max(every));
                if told.as_deref() != Some(&problem) {
                    output.warn(format!("{}; tried again until it works", words::plain(&problem)));
                }
                told = Some(problem);
            }
        }
        if !stop.wait(pause) {
            output.line_now("stopped");
            return Ok(Exit::Yes);
        }
    }
}

/// Tells endpoints what happens, beside the plans: no endpoint that hangs holds up a plan. It ends with the process, at any moment.
/// A store that cannot be opened is the plans' to complain about.
fn notifying(directory: PathBuf) {
    std::thread::spawn(move || {
        let mut told: Vec<String> = Vec::new();
        loop {
            let problems = match identity::open(&directory) {
                Err(_) => Vec::new(),
                Ok(store) => match deliver_due(&store, words::now()) {
                    Err(problem) => vec![problem],
                    Ok(all) => {
                        let problem = |told: Told| Some(format!("{}: {}", told.endpoint, told.problem?));
                        all.into_iter().filter_map(problem).collect()
                    }
                },
            };
            for problem in problems.iter().filter(|problem| !told.contains(problem)) {
                eprintln!("notify: {}; tried again until it works", words::plain(problem));
            }
            told = problems;
            sleep(NOTIFY);
        }
    });
}

/// The guard, beside the plans: it looks each second, however long a plan takes. It ends with the process, at any moment.
fn guarding(directory: PathBuf, memory: PathBuf, json: bool) {
    std::thread::spawn(move || {
        let mut output = Output::new(json);
        let mut watcher = Watcher::new(&directory, &memory, false).beside_plans();
        loop {
            for event in watcher.look(words::now()) {
                guard::tell(&event, &mut output);
            }
            sleep(guard::SECOND);
        }
    });
}

/// One tick; what went wrong.
fn round(directory: &Path, ticker: &mut Option<Ticker>, output: &mut Output) -> Option<String> {
    let store = match identity::open(directory) {
        Ok(store) => store.with_patience(PATIENCE),
        Err(error) => return Some(error.to_string()),
    };
    let change = by_plan(None);
    let head = format!("{} on {}", store.environment(), words::plain(&change.actor.host));
    let verdicts = store.verdicts(words::now());
    let ticker = ticker.get_or_insert_with(|| Ticker::new(store));
    let ticked = match ticker.tick(&change, None, false, |flag| verdicts.of(flag)) {
        Ok(ticked) => ticked,
        Err(error) => return Some(error.to_string()),
    };
    let mut problem = None;
    for ticked in ticked.iter().filter(|ticked| !matches!(ticked.step, Step::Wait(_) | Step::Idle(_))) {
        match &ticked.published {
            Some(Err(error)) => problem = Some(format!("{head}: {}: {error}", ticked.flag)),
            _ => line(&head, ticked, false, output),
        }
    }
    problem
}
