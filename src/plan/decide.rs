//! What a tick has to do for one flag.

use super::stage::{below, changed};
use super::track::fingerprint;
use super::verdict::Verdict;
use crate::definition::Flag;
use crate::eval::time::format_rfc3339;

/// What the head says of the flag, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Switched {
    /// Since when it is killed.
    pub killed: Option<i64>,
    /// Since when everything is stopped.
    pub stopped: Option<i64>,
}

/// What is to be done now. At most one stage is entered at a time, however much time went by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing, until a person acts.
    Idle(Idle),
    /// Nothing yet.
    Wait(Wait),
    /// The plan is to be held, and why.
    Hold(String),
    /// The next stage is to be entered, counted from 0.
    Enter(usize),
    /// The last stage is over.
    Finish,
}

/// Why nothing happens until a person acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of `plan show`")]
pub enum Idle {
    NotStarted,
    Held,
    Done,
}

/// For what a plan waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// The stage soaks until then; microseconds since 1970.
    Soak(i64),
    /// The stage does not say how long it soaks: a person advances it.
    Person,
    /// The stage was entered at a time that is still to come, so that a clock was or is wrong.
    Clock(i64),
    /// Everything is stopped.
    Stopped,
    /// The guard is not content yet, and why.
    Guard(String),
}

/// Decides what a tick does. `now` is in microseconds since 1970.
pub fn decide(flag: &Flag, now: i64, switched: Switched, verdict: &Verdict) -> Step {
    let Some(state) = &flag.state.plan else { return Step::Idle(Idle::NotStarted) };
    if state.done.is_some() {
        return Step::Idle(Idle::Done);
    }
    if state.held.is_some() {
        return Step::Idle(Idle::Held);
    }
    if switched.stopped.is_some() {
        return Step::Wait(Wait::Stopped);
    }
    if let Some(since) = switched.killed {
        return Step::Hold(format!("the flag was killed at {}", format_rfc3339(since)));
    }
    if fingerprint(flag) != state.left {
        return Step::Hold("the flag was changed otherwise than by its plan".to_owned());
    }
    if flag.state.orphaned.is_some() {
        return Step::Hold("the flag is not in the file any more".to_owned());
    }
    let Some(plan) = &flag.plan else {
        return Step::Hold("the plan was taken out of the file".to_owned());
    };
    if let Some(what) = changed(&state.stages, &plan.stages) {
        return Step::Hold(format!("the plan was changed in the file: {what}"));
    }
    if let Verdict::Trip(why) = verdict {
        return Step::Hold(format!("the guard: {why}"));
    }
    if now < state.since {
        return Step::Wait(Wait::Clock(state.since));
    }
    let stage = state.stage();
    let last = stage + 1 == plan.stages.len();
    let soak = match plan.stages.get(stage).and_then(|stage| stage.soak) {
        Some(soak) => soak.micros(),
        None if last => 0,
        None => return Step::Wait(Wait::Person),
    };
    let left = soak.saturating_sub(state.soaked(now));
    if left > 0 {
        return Step::Wait(Wait::Soak(now.saturating_add(left)));
    }
    match verdict {
        Verdict::Failing(why) => return Step::Hold(format!("the guard: {why}")),
        Verdict::Wait(why) => return Step::Wait(Wait::Guard(why.clone())),
        // Not for ever: a feature that few use goes on as well, after twice its soak.
        Verdict::Few(why) if state.soaked(now) < soak.saturating_mul(2) => {
            return Step::Wait(Wait::Guard(why.clone()));
        }
        Verdict::Few(_) | Verdict::Go | Verdict::Trip(_) => {}
    }
    match plan.stages.get(stage + 1) {
        None => Step::Finish,
        Some(next) => match below(flag, next, now) {
            None => Step::Enter(stage + 1),
            Some((says, is)) => Step::Hold(format!(
                "stage {} says {says}, less than the {is} that have it; no stage takes it from anybody",
                stage + 2
            )),
        },
    }
}
