//! The progress of a plan for display: each stage with its date, past or to come.

use super::stage::describe;
use crate::definition::{Flag, Soak};
use serde::Serialize;

/// The progress of a plan, stage by stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// `not started`, `running`, `held` or `done`.
    pub state: &'static str,
    /// All stages, in order.
    pub stages: Vec<Mark>,
    /// Expected end of the plan if nothing holds it, in microseconds since 1970. None if a stage waits for a person.
    pub ends: Option<i64>,
}

/// One stage of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// Companies or percentage: `companies 15, 42`, `10 %`.
    pub says: String,
    /// `passed`, `present` or `to come`.
    pub state: &'static str,
    /// Time at which it was entered, or will be at the earliest; microseconds since 1970. None if that is unknown.
    pub at: Option<i64>,
    /// The soak, as the plan says.
    pub soak: Option<String>,
    /// Time that the present stage has soaked, in microseconds; none for other stages.
    pub soaked: Option<i64>,
}

/// The progress of a flag's plan at `now`, in microseconds since 1970; none if the flag has no plan.
pub fn progress(flag: &Flag, now: i64) -> Option<Progress> {
    let state = flag.state.plan.as_ref();
    let stages = match (&flag.plan, state) {
        (Some(plan), _) => &plan.stages,
        (None, Some(state)) => &state.stages,
        (None, None) => return None,
    };
    let present = state.map(|state| state.stage());
    let running = state.is_some_and(|state| state.is_running());
    // Time of the next stage, if it comes by itself.
    let mut next: Option<i64> = None;
    let mut marks = Vec::new();
    for (number, stage) in stages.iter().enumerate() {
        let soak = stage.soak.map(Soak::micros);
        let mut mark = Mark {
            says: describe(stage),
            state: "to come",
            at: next,
            soak: stage.soak.map(|soak| soak.to_string()),
            soaked: None,
        };
        match (state, present) {
            (Some(state), Some(present)) if number <= present => {
                mark.at = state.entered.get(number).copied().flatten();
                mark.state = if number < present || state.done.is_some() { "passed" } else { "present" };
                if mark.state == "present" {
                    let soaked = state.soaked(now);
                    mark.soaked = Some(soaked);
                    let left = soak.map(|soak| soak.saturating_sub(soaked).max(0));
                    let from = now.max(state.since);
                    next = left.filter(|_| running).map(|left| from.saturating_add(left));
                }
            }
            _ => next = next.zip(soak).map(|(at, soak)| at.saturating_add(soak)),
        }
        marks.push(mark);
    }
    // The last stage ends the plan at once if it has no soak.
    let ends = match (state.and_then(|state| state.done), marks.last(), stages.last()) {
        (Some(done), ..) => Some(done),
        (None, Some(mark), Some(stage)) if stage.soak.is_none() => mark.at,
        _ => next,
    };
    let state = match state {
        None => "not started",
        Some(state) if state.done.is_some() => "done",
        Some(state) if state.held.is_some() => "held",
        Some(_) => "running",
    };
    Some(Progress { state, stages: marks, ends })
}
