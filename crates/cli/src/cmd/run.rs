//! `run`: the daemon that moves plans when they are due, sends events to endpoints, and takes requests; `run --once`: one turn, for cron.
//!
//! It may be killed at any moment, and several may run on one store: every step is one publish on the generation that it was decided on. A
//! failure is reported once and tried again, at growing intervals.

use super::plan::{by_plan, line};
use super::{guard, notify, plan};
use crate::agent::{self, Agent};
use crate::args::{Arguments, Guard, Notify, PlanTick, Run};
use crate::guard::{State, Watcher};
use crate::log::Log;
use crate::notify::{RoundResult, deliver_due};
use crate::output::{Exit, Failure, Outcome, Output};
use crate::reminders::{AGAIN, Reminders};
use crate::service_manager::{self, ServiceManager};
use crate::{display, identity, signals, store_view};
use flagstone::definition::Flag;
use flagstone::plan::PlanDecision;
use flagstone::publish::{GoesBy, Ticker, Verdicts, first_watch};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{Error, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// The longest pause after failures.
const MAX_PAUSE: Duration = Duration::from_secs(300);
/// Timeout for another change of the store.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// The interval at which the daemon notes that it runs.
const DAEMON_SAYS: Duration = Duration::from_secs(60);
/// The pause between two looks for a signal.
const SLICE: Duration = Duration::from_millis(50);
/// The age at which the guard's last word is no longer valid.
const FROZEN: Duration = Duration::from_secs(30);
/// Timeout for the guard to write down that it ends.
const LAST_LOOK: Duration = Duration::from_secs(2);
/// The pause between two looks for outstanding events.
const NOTIFY: Duration = Duration::from_secs(2);

/// Tells a loop to end the process after its step.
pub struct Stop {
    asked: Arc<AtomicBool>,
}

impl Stop {
    pub fn listen() -> Result<Stop, Error> {
        let asked = Arc::default();
        for signal in [SIGTERM, SIGINT] {
            signals::listen(signal, &asked)?;
        }
        Ok(Stop { asked })
    }

    /// Waits; false if the process is to end.
    pub fn wait(&self, pause: Duration) -> bool {
        self.wait_with(pause, || ())
    }

    /// Waits, and does that with every look for a signal.
    fn wait_with(&self, pause: Duration, mut act: impl FnMut()) -> bool {
        let until = Instant::now() + pause;
        while !self.asked.load(Ordering::SeqCst) && Instant::now() < until {
            act();
            sleep(SLICE.min(until.saturating_duration_since(Instant::now())));
        }
        !self.asked.load(Ordering::SeqCst)
    }
}

/// The watch of the guard within this process, by its own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnWatch {
    /// The guard did not look yet, or can see or do nothing.
    NotYet,
    /// Another guard watches the store.
    Another,
    /// Watching since then, in microseconds since 1970.
    Since(i64),
}

/// The guard within this process.
struct OwnGuard {
    /// The guard's last word, and its time.
    watch: Mutex<(OwnWatch, Instant)>,
    /// True once the guard wrote down that it ended.
    ended: AtomicBool,
}

impl OwnGuard {
    fn last(&self) -> (OwnWatch, Instant) {
        self.watch.lock().map_or((OwnWatch::NotYet, Instant::now()), |watch| *watch)
    }

    fn watch(&self) -> OwnWatch {
        let (watch, said) = self.last();
        // A guard that was suspended and goes on did not watch meanwhile.
        if said.elapsed() < FROZEN { watch } else { OwnWatch::NotYet }
    }
}

pub fn run(arguments: &Arguments, command: &Run, output: &mut Output) -> Outcome {
    if command.once {
        return once(arguments, command, output);
    }
    *output = output.logging(Log::new(command.log_format));
    let handed = service_manager::inherited().map_err(Failure::Unknown)?;
    let mut manager = ServiceManager::of_environment();
    let directory = store_view::directory(arguments)?;
    let no_signals = |error| Failure::Passing(format!("cannot listen for signals: {error}"));
    let stop = Stop::listen().map_err(no_signals)?;
    let reload = Arc::new(AtomicBool::new(false));
    // A terminal that is closed ends what was started in it.
    if !std::io::stderr().is_terminal() {
        signals::listen(SIGHUP, &reload).map_err(no_signals)?;
    }
    let every = Duration::from_secs(command.interval);
    let host = by_plan(None).actor.host;
    let agent = Arc::new(Agent::new(directory.clone(), command.memory.clone(), output.of_daemon()));
    let socket = agent.begin(handed);
    let taken = match &socket {
        Ok(socket) => format!("; requests are taken at {}", display::plain(&socket.path.to_string_lossy())),
        Err(_) => String::new(),
    };
    let works = format!("plans are moved every {}{taken}", display::counted(command.interval, "second"));
    output.line(format!("{}: {works}", display::plain(&format!("{} on {host}", directory.display()))));
    // A store that cannot be written leaves nothing to do, and the start should fail.
    if let Ok(store) = identity::open(&directory)
        && let Err(error) = store.can_change()
        && error.is_denied()
    {
        let problem = format!("{error}; neither plans nor the guard nor notifications can do anything here");
        return Err(match store.is_read_only() {
            true => Failure::Passing(problem),
            false => Failure::Unknown(problem),
        });
    }
    let no_thread = |error| Failure::Passing(format!("no thread can be started: {error}"));
    notifying(directory.clone(), Arc::clone(&agent), output.of_daemon()).map_err(no_thread)?;
    agent::serve(&agent, socket).map_err(no_thread)?;
    let mut guard = None;
    if !command.no_guard {
        let own = Arc::new(OwnGuard {
            watch: Mutex::new((OwnWatch::NotYet, Instant::now())),
            ended: AtomicBool::new(false),
        });
        let asked = Arc::clone(&stop.asked);
        guarding(directory.clone(), command.memory.clone(), output.of_daemon(), Arc::clone(&own), asked)
            .map_err(no_thread)?;
        guard = Some(own);
    }
    manager.ready();
    manager.status(&works);
    let mut ticker: Option<Ticker> = None;
    let mut told: Option<String> = None;
    let mut pause = every;
    loop {
        match round(&directory, guard.as_deref(), &mut ticker, output) {
            None => {
                if told.take().is_some() {
                    output.line("plan: it works again");
                    manager.status(&works);
                }
                pause = every;
            }
            Some(problem) => {
                ticker = None;
                pause = (pause * 2).min(MAX_PAUSE.max(every));
                if told.as_deref() != Some(&problem) {
                    let problem = format!("plan: {}{AGAIN}", display::plain(&problem));
                    manager.status(&problem);
                    output.warn(problem);
                }
                told = Some(problem);
            }
        }
        let goes_on = stop.wait_with(pause, || {
            if reload.swap(false, Ordering::SeqCst) {
                manager.reloading();
                read_config(&directory, &agent, output);
                manager.ready();
            }
            // This loop turns right now.
            manager.beat(guard.as_deref().map_or_else(Instant::now, |guard| guard.last().1));
        });
        if !goes_on {
            manager.stopping();
            let until = Instant::now() + LAST_LOOK;
            let is_busy = || {
                let watches = guard.as_deref().is_some_and(|guard| !guard.ended.load(Ordering::SeqCst));
                watches || agent.is_changing()
            };
            while is_busy() && Instant::now() < until {
                sleep(SLICE);
            }
            // Best effort, for metrics alone.
            let _ = identity::open(&directory).and_then(|store| store.keep_agent_counts(&agent.counts()));
            output.line("stopped");
            return Ok(Exit::Yes);
        }
    }
}

/// One turn of the guard, the plans and the notifications. The exit code is the worst of theirs.
fn once(arguments: &Arguments, command: &Run, output: &mut Output) -> Outcome {
    let memory = command.memory.clone();
    let guard = Guard { dry_run: false, once: true, memory, command: None };
    let turns = [
        ("guard", (!command.no_guard).then(|| guard::run(arguments, &guard, output))),
        ("plans", Some(plan::tick(arguments, &PlanTick { at: None, dry_run: false }, output))),
        ("notify", Some(notify::run(arguments, &Notify { status: false }, output))),
    ];
    let mut exits = Vec::new();
    for (name, outcome) in turns {
        exits.extend(outcome.map(|outcome| {
            outcome.unwrap_or_else(|failure| {
                output.warn(format!("{name}: {}", failure.text()));
                if matches!(failure, Failure::Refused(_)) { Exit::No } else { Exit::Unknown }
            })
        }));
    }
    let worst = [Exit::Unknown, Exit::No].into_iter().find(|exit| exits.contains(exit));
    Ok(worst.unwrap_or(Exit::Yes))
}

/// Reads `config.json` again, which each part reads when it needs it, and tells what is wrong with it. The policy before holds then.
fn read_config(directory: &Path, agent: &Agent, output: &mut Output) {
    agent.read_policy();
    match identity::open(directory).and_then(|store| store.config()) {
        Ok(config) => match config.ignored {
            None => output.line("config.json is read again"),
            Some(ignored) => output.warn(display::plain(&ignored)),
        },
        Err(error) => output.warn(format!("{}; nothing of it is used", display::plain(&error.to_string()))),
    }
}

/// Sends events to endpoints, beside the plans: a hanging endpoint holds up no plan. It ends with the process, at any moment. A store that
/// cannot be opened is reported by the plans.
fn notifying(directory: PathBuf, agent: Arc<Agent>, mut output: Output) -> Result<(), Error> {
    let tells = move || {
        let mut told: Vec<String> = Vec::new();
        let mut said: Option<Instant> = None;
        let mut reminders = Reminders::default();
        loop {
            let problems = match identity::open(&directory) {
                Err(_) => Vec::new(),
                Ok(store) if said.is_none_or(|at| at.elapsed() >= DAEMON_SAYS) => {
                    // Best effort, for metrics alone.
                    let _ = store.daemon_runs(flagstone::time::now());
                    let _ = store.keep_agent_counts(&agent.counts());
                    said = Some(Instant::now());
                    continue;
                }
                Ok(store) => {
                    let mut problems = reminders.look(&store, flagstone::time::now());
                    match deliver_due(&store, flagstone::time::now()) {
                        Err(problem) => problems.push(format!("{problem}{AGAIN}")),
                        Ok(all) => {
                            let problem = |told: RoundResult| {
                                Some(format!("{}: {}{AGAIN}", told.endpoint, told.problem?))
                            };
                            problems.extend(all.into_iter().filter_map(problem));
                        }
                    }
                    problems
                }
            };
            for problem in problems.iter().filter(|problem| !told.contains(problem)) {
                output.warn(format!("notify: {}", display::plain(problem)));
            }
            told = problems;
            sleep(NOTIFY);
        }
    };
    thread::Builder::new().spawn(tells).map(drop)
}

/// Runs the guard, beside the plans: it looks each second, however long a plan takes.
fn guarding(
    directory: PathBuf,
    memory: PathBuf,
    mut output: Output,
    guard: Arc<OwnGuard>,
    asked: Arc<AtomicBool>,
) -> Result<(), Error> {
    let watches = move || {
        let mut watcher = Watcher::new(&directory, &memory, false).beside_plans();
        let stop = Stop { asked };
        loop {
            for event in watcher.look(flagstone::time::now()) {
                guard::print_event(&event, &mut output);
            }
            if let Ok(mut watch) = guard.watch.lock() {
                let own = match watcher.state() {
                    State::Watching(began) => OwnWatch::Since(*began),
                    State::Waiting => OwnWatch::Another,
                    State::Beginning | State::Blind(_) | State::Helpless(_) => OwnWatch::NotYet,
                };
                *watch = (own, Instant::now());
            }
            if !stop.wait(guard::SECOND) {
                watcher.end(flagstone::time::now());
                guard.ended.store(true, Ordering::SeqCst);
                return;
            }
        }
    };
    thread::Builder::new().spawn(watches).map(drop)
}

/// Runs one tick; returns the problem, if any.
fn round(
    directory: &Path,
    guard: Option<&OwnGuard>,
    ticker: &mut Option<Ticker>,
    output: &mut Output,
) -> Option<String> {
    let store = match identity::open(directory) {
        Ok(store) => store.with_lock_timeout(LOCK_TIMEOUT),
        Err(error) => return Some(error.to_string()),
    };
    let change = by_plan(None);
    let head = format!("{} on {}", store.environment(), display::plain(&change.actor.host));
    let verdicts = match (store.verdicts(flagstone::time::now()), guard) {
        // With --no-guard, no guard is expected back.
        (Verdicts::Ended(_), None) => Verdicts::Nobody,
        (Verdicts::Ended(_) | Verdicts::Nobody, Some(_)) => Verdicts::Beginning,
        (verdicts, _) => verdicts,
    };
    let ticker = ticker.get_or_insert_with(|| Ticker::new(store));
    let verdict = |key: &str, flag: &Flag| {
        let now = flagstone::time::now();
        // The memory may be of a guard that ended: the one of this process did not see that.
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
    for ticked in
        ticked.iter().filter(|ticked| !matches!(ticked.step, PlanDecision::Wait(_) | PlanDecision::Idle(_)))
    {
        match &ticked.published {
            Some(Err(error)) => problem = Some(format!("{head}: {}: {error}", ticked.flag)),
            _ => line(&format!("plan: {head}"), ticked, false, output),
        }
    }
    problem
}
