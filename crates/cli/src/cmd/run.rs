//! `run`: the daemon that moves plans when their time has come, and tells endpoints what happens.
//!
//! It may be killed at any moment, and several may run on one store: every step is one publish on the generation that it was decided
//! on. What fails is told once and tried again, less and less often.

use super::guard;
use super::plan::{by_plan, line};
use crate::args::{Arguments, Run};
use crate::guarding::{State, Watcher};
use crate::notify::{Told, deliver_due};
use crate::output::{Exit, Failure, Outcome, Output};
use crate::{identity, place, words};
use flagstone::definition::Flag;
use flagstone::plan::Step;
use flagstone::store::{GoesBy, Ticker, Verdicts, first_watch};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The longest pause after failures.
const LONGEST: Duration = Duration::from_secs(300);
/// How long it waits for another change of the store.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the daemon says that it runs.
const DAEMON_SAYS: Duration = Duration::from_secs(60);
/// Between two looks for a signal.
const SLICE: Duration = Duration::from_millis(50);
/// How long the guard may take to write down that it ends.
const LAST_LOOK: Duration = Duration::from_secs(2);
/// Between two looks for what endpoints were not told.
const NOTIFY: Duration = Duration::from_secs(2);

/// Tells a loop that the process is to end, once it has done its step.
pub struct Stop {
    asked: Arc<AtomicBool>,
}

impl Stop {
    pub fn listen() -> Result<Stop, Error> {
        let asked = Arc::default();
        for signal in [SIGTERM, SIGINT] {
            signal_hook::flag::register(signal, Arc::clone(&asked))?;
        }
        Ok(Stop { asked })
    }

    /// Waits; false if the process is to end.
    pub fn wait(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        while !self.asked.load(Ordering::SeqCst) && Instant::now() < until {
            sleep(SLICE.min(until.saturating_duration_since(Instant::now())));
        }
        !self.asked.load(Ordering::SeqCst)
    }
}

/// What the guard within this process says of its own watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnWatch {
    /// It did not look yet, or sees or can do nothing.
    NotYet,
    /// Another guard watches the store.
    Another,
    /// It has watched since then; microseconds since 1970.
    Since(i64),
}

/// The guard within this process.
struct OwnGuard {
    watch: Mutex<OwnWatch>,
    /// Whether it wrote down that it ended.
    ended: AtomicBool,
}

impl OwnGuard {
    fn watch(&self) -> OwnWatch {
        self.watch.lock().map_or(OwnWatch::NotYet, |watch| *watch)
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
    // Where nothing can be written, nothing can be done; whoever starts it is to know.
    if let Ok(store) = identity::open(&directory)
        && let Err(error) = store.can_change()
        && error.is_denied()
    {
        return Err(Failure::Unknown(format!(
            "{error}; neither plans nor the guard nor notifications can do anything here"
        )));
    }
    notifying(directory.clone());
    let guard = (!word.no_guard).then(|| {
        let guard = Arc::new(OwnGuard { watch: Mutex::new(OwnWatch::NotYet), ended: AtomicBool::new(false) });
        let asked = Arc::clone(&stop.asked);
        guarding(directory.clone(), word.memory.clone(), output.is_json(), Arc::clone(&guard), asked);
        guard
    });
    let mut ticker: Option<Ticker> = None;
    let mut told: Option<String> = None;
    let mut pause = every;
    loop {
        match round(&directory, guard.as_deref(), &mut ticker, output) {
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
            let until = Instant::now() + LAST_LOOK;
            while guard.as_deref().is_some_and(|guard| !guard.ended.load(Ordering::SeqCst))
                && Instant::now() < until
            {
                sleep(SLICE);
            }
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
        let mut said: Option<Instant> = None;
        loop {
            let problems = match identity::open(&directory) {
                Err(_) => Vec::new(),
                Ok(store) if said.is_none_or(|at| at.elapsed() >= DAEMON_SAYS) => {
                    // Best effort, for metrics alone.
                    let _ = store.daemon_runs(words::now());
                    said = Some(Instant::now());
                    continue;
                }
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

/// The guard, beside the plans: it looks each second, however long a plan takes.
fn guarding(directory: PathBuf, memory: PathBuf, json: bool, guard: Arc<OwnGuard>, asked: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let mut output = Output::new(json);
        let mut watcher = Watcher::new(&directory, &memory, false).beside_plans();
        let stop = Stop { asked };
        loop {
            for event in watcher.look(words::now()) {
                guard::tell(&event, &mut output);
            }
            if let Ok(mut watch) = guard.watch.lock() {
                *watch = match watcher.state() {
                    State::Watching(began) => OwnWatch::Since(*began),
                    State::Waiting => OwnWatch::Another,
                    State::Beginning | State::Blind(_) | State::Helpless(_) => OwnWatch::NotYet,
                };
            }
            if !stop.wait(guard::SECOND) {
                watcher.end(words::now());
                guard.ended.store(true, Ordering::SeqCst);
                return;
            }
        }
    });
}

/// One tick; what went wrong.
fn round(
    directory: &Path,
    guard: Option<&OwnGuard>,
    ticker: &mut Option<Ticker>,
    output: &mut Output,
) -> Option<String> {
    let store = match identity::open(directory) {
        Ok(store) => store.with_patience(PATIENCE),
        Err(error) => return Some(error.to_string()),
    };
    let change = by_plan(None);
    let head = format!("{} on {}", store.environment(), words::plain(&change.actor.host));
    let verdicts = match (store.verdicts(words::now()), guard) {
        // Whoever says --no-guard expects no guard back.
        (Verdicts::Ended(_), None) => Verdicts::Nobody,
        (Verdicts::Ended(_) | Verdicts::Nobody, Some(_)) => Verdicts::Beginning,
        (verdicts, _) => verdicts,
    };
    let ticker = ticker.get_or_insert_with(|| Ticker::new(store));
    let verdict = |key: &str, flag: &Flag| {
        let now = words::now();
        // What a guard wrote that ended is not what the one of this process saw.
        let own = match guard.map(OwnGuard::watch) {
            Some(OwnWatch::NotYet) => Some(0),
            Some(OwnWatch::Since(began)) => Some(began),
            Some(OwnWatch::Another) | None => None,
        };
        let early = own.filter(|_| !matches!(verdicts.goes_by(key, flag), GoesBy::Time(_)));
        early.and_then(|began| first_watch(began, flag, now)).unwrap_or_else(|| verdicts.of(key, flag, now))
    };
    let ticked = match ticker.tick(&change, None, false, verdict) {
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
