//! `plan start|resume|advance --wait`: waits until a plan is through or held.
//!
//! It only looks, each second: the daemon or cron moves the plan.

use super::plan_show;
use crate::display;
use crate::output::{Failure, Output};
use crate::switches::Switches;
use flagstone::definition::{Flag, Soak};
use flagstone::publish::Store;
use std::thread;
use std::time::{Duration, Instant};

/// The time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// The end of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The plan is through.
    Done,
    /// The plan is held.
    Held,
    /// The flag was killed.
    Killed,
    /// The plan was aborted, or is gone.
    Gone,
    /// The timeout is over.
    Timeout,
}

impl End {
    /// The end as `--json` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            End::Done => "done",
            End::Held => "held",
            End::Killed => "killed",
            End::Gone => "gone",
            End::Timeout => "timeout",
        }
    }
}

/// The result of a wait.
pub struct Waited {
    pub end: End,
    /// A sentence for people.
    pub why: String,
    /// The stage at the end, counted from 1.
    pub stage: Option<usize>,
}

/// Waits for at most that long, and prints each stage that is entered. A bad end is a warning.
pub fn wait(store: &Store, key: &str, length: &Soak, output: &mut Output) -> Result<Waited, Failure> {
    let until = Instant::now() + Duration::from_micros(length.micros().unsigned_abs());
    let (mut generation, mut flag, mut said) = (0, None, None);
    loop {
        // A failed read is repeated at the next look.
        if let Ok(now) = store.generation()
            && now != generation
            && let Ok(mut definitions) = store.definitions(now)
        {
            (generation, flag) = (now, definitions.flags.remove(key));
        }
        let place = flag.as_ref().map(plan_show::place);
        if place != said {
            if let Some(place) = &place {
                output.line_now(format!(
                    "{}: {}",
                    display::at(flagstone::time::now()),
                    display::plain(place)
                ));
            }
            said = place;
        }
        let over = Instant::now() >= until;
        if let Some((end, why)) =
            ended(store, key, flag.as_ref()).or_else(|| over.then(|| timeout(length, &said)))
        {
            let stage = flag.as_ref().and_then(|flag| Some(flag.state.plan.as_ref()?.stage() + 1));
            if end != End::Done {
                output.warn(display::plain(&why));
            }
            return Ok(Waited { end, why, stage });
        }
        thread::sleep(INTERVAL.min(until.saturating_duration_since(Instant::now())));
    }
}

fn ended(store: &Store, key: &str, flag: Option<&Flag>) -> Option<(End, String)> {
    let plan = flag.and_then(|flag| flag.state.plan.as_ref());
    let Some(plan) = plan else {
        return Some((End::Gone, format!("{key} has no plan that was started any more")));
    };
    if plan.done.is_some() {
        return Some((End::Done, "the plan is through".to_owned()));
    }
    if store.killed().is_ok_and(|killed| killed.contains(key)) {
        let kill = Switches::of(store).and_then(|switches| switches.kill(key));
        let text = kill.map_or(String::new(), |kill| format!(" {}", kill.text()));
        return Some((End::Killed, format!("{key} is killed{text}")));
    }
    let held = plan.held.as_ref()?;
    Some((End::Held, format!("the plan of {key} is held since {}: {}", display::at(held.at), held.reason)))
}

fn timeout(length: &Soak, said: &Option<String>) -> (End, String) {
    let place = said.as_deref().unwrap_or("not started");
    (
        End::Timeout,
        format!(
            "the plan is not through after {length}: {place}; `flagstone plan show` says for what it waits"
        ),
    )
}
