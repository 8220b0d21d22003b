//! The decision of a tick for one flag.

use super::stage::{below, changed};
use super::track::fingerprint;
use super::verdict::Verdict;
use crate::definition::Flag;
use crate::time::format_rfc3339;

/// The head's state of the flag, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SwitchState {
    /// Time at which the flag was killed, if it is.
    pub killed: Option<i64>,
    /// Time of its last kill that was revived, if it is known.
    pub revived: Option<i64>,
    /// Time at which everything was stopped, if it is.
    pub stopped: Option<i64>,
    /// Time at which the head's file was made, if the file system tells. A restored or moved store has a younger one.
    pub made: Option<i64>,
}

/// The step to take now. At most one stage is entered at a time, however much time went by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanDecision {
    /// Does nothing until a person acts.
    Idle(Idle),
    /// Does nothing yet.
    Wait(Wait),
    /// Holds the plan, for this reason.
    Hold(String),
    /// Enters the next stage, counted from 0.
    Enter(usize),
    /// Finishes the plan: the last stage is over.
    Finish,
}

/// The reason why nothing happens until a person acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of `plan show`")]
pub enum Idle {
    NotStarted,
    Held,
    Done,
}

/// The reason why a plan waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// The stage soaks until this time; microseconds since 1970.
    Soak(i64),
    /// The stage has no soak: a person advances it.
    Person,
    /// The stage was entered in the future, so a clock was or is wrong.
    Clock(i64),
    /// Everything is stopped.
    Stopped,
    /// The guard is not content yet, for this reason.
    Guard(String),
}

/// Decides the step of a tick. `now` is in microseconds since 1970.
pub fn decide(flag: &Flag, now: i64, switched: SwitchState, verdict: &Verdict) -> PlanDecision {
    let Some(state) = &flag.state.plan else { return PlanDecision::Idle(Idle::NotStarted) };
    if state.done.is_some() {
        return PlanDecision::Idle(Idle::Done);
    }
    if state.held.is_some() {
        return PlanDecision::Idle(Idle::Held);
    }
    if switched.stopped.is_some() {
        return PlanDecision::Wait(Wait::Stopped);
    }
    if let Some(since) = switched.killed {
        return PlanDecision::Hold(format!("the flag was killed at {}", format_rfc3339(since)));
    }
    // Resuming begins the soak anew, so that this holds a plan once.
    if let Some(since) = switched.revived.filter(|since| state.since < *since && *since <= now) {
        return PlanDecision::Hold(format!(
            "the flag was killed at {} and revived: resume the plan to let it go on",
            format_rfc3339(since)
        ));
    }
    // The time of the store's file proves nothing if it lies in the future.
    if let Some(made) = switched.made.filter(|made| state.since < *made && *made <= now) {
        return PlanDecision::Hold(format!(
            "the store was restored from a backup, or copied, at {}: the stage's soak is of another time",
            format_rfc3339(made)
        ));
    }
    if fingerprint(flag) != state.left {
        return PlanDecision::Hold("the flag was changed otherwise than by its plan".to_owned());
    }
    if flag.state.orphaned.is_some() {
        return PlanDecision::Hold("the flag is not in the file any more".to_owned());
    }
    let Some(plan) = &flag.plan else {
        return PlanDecision::Hold("the plan was taken out of the file".to_owned());
    };
    if let Some(what) = changed(&state.stages, &plan.stages) {
        return PlanDecision::Hold(format!("the plan was changed in the file: {what}"));
    }
    if let Verdict::Trip(why) = verdict {
        return PlanDecision::Hold(format!("the guard: {why}"));
    }
    if now < state.since {
        return PlanDecision::Wait(Wait::Clock(state.since));
    }
    let stage = state.stage();
    let last = stage + 1 == plan.stages.len();
    let soak = match plan.stages.get(stage).and_then(|stage| stage.soak) {
        Some(soak) => soak.micros(),
        None if last => 0,
        None => return PlanDecision::Wait(Wait::Person),
    };
    let left = soak.saturating_sub(state.soaked(now));
    if left > 0 {
        return PlanDecision::Wait(Wait::Soak(now.saturating_add(left)));
    }
    match verdict {
        Verdict::Failing(why) => return PlanDecision::Hold(format!("the guard: {why}")),
        Verdict::Wait(why) => return PlanDecision::Wait(Wait::Guard(why.clone())),
        // Not for ever: a feature that few use goes on too, after twice its soak.
        Verdict::Few(why) if state.soaked(now) < soak.saturating_mul(2) => {
            return PlanDecision::Wait(Wait::Guard(why.clone()));
        }
        Verdict::Few(_) | Verdict::Go | Verdict::Trip(_) => {}
    }
    match plan.stages.get(stage + 1) {
        None => PlanDecision::Finish,
        Some(next) => match below(flag, next, now) {
            None => PlanDecision::Enter(stage + 1),
            Some((says, is)) => PlanDecision::Hold(format!(
                "stage {} says {says}, less than the {is} that have it; no stage takes it from anybody",
                stage + 2
            )),
        },
    }
}
