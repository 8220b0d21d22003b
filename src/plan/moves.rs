//! People's commands for a plan, and the step that a tick takes when [`decide`](super::decide()) says so.

use super::decide::{PlanDecision, SwitchState};
use super::stage::{below, changed, describe, enter, on_for, reached, same};
use super::track::{before, fingerprint, restore, track};
use crate::definition::{Flag, Managed, Percentage, Plan, PlanHold, PlanState, Stage};

/// A flag whose plan moved.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanMove {
    /// The flag as it should be.
    pub flag: Flag,
    /// The stage that the plan is in, counted from 0; none after an abort.
    pub stage: Option<usize>,
    /// Further information, one sentence each.
    pub notes: Vec<String>,
}

/// The reason why a command was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; nothing was changed")]
pub struct PlanError(String);

impl PlanError {
    /// The reason alone, without the note that nothing was changed.
    pub fn reason(&self) -> &str {
        &self.0
    }
}

fn refused<T>(why: impl Into<String>) -> Result<T, PlanError> {
    Err(PlanError(why.into()))
}

/// Starts a flag's plan with its first stage. `now` is in microseconds since 1970.
///
/// # Errors
///
/// When the flag has no plan, its plan was started already, the stage would take the feature from any company, or the flag is
/// killed or everything stopped.
pub fn start(key: &str, flag: &Flag, now: i64, switched: SwitchState) -> Result<PlanMove, PlanError> {
    let plan = plan(key, flag)?;
    match &flag.state.plan {
        Some(state) if state.is_running() => {
            return refused(format!("the plan of {key} is running already, in {}", place(state)));
        }
        Some(state) if state.done.is_none() => {
            return refused(format!(
                "the plan of {key} is held in {}: `flagstone plan resume {key}` goes on with it, `flagstone plan abort {key}` returns \
                 to what was before it",
                place(state)
            ));
        }
        Some(_) | None => {}
    }
    answers(key, switched)?;
    let Some(first) = plan.stages.first() else { return refused(format!("the plan of {key} has no stages")) };
    let is = on_for(flag, now);
    if is == Percentage::FULL {
        return refused(format!(
            "{key} is on for everybody already; `flagstone disable {key}` first, to begin anew"
        ));
    }
    let lowers = plan.stages.iter().enumerate().find(|(_, stage)| below(flag, stage, now).is_some());
    if let Some((number, stage)) = lowers {
        return refused(format!(
            "{key} is on at {is}, and stage {} says {}: no stage takes it from anybody. Take the stages below {is} out of the plan, or \
             `flagstone disable {key}` first, to begin anew",
            number + 1,
            describe(stage)
        ));
    }
    let mut notes = skipped(flag, first);
    if !flag.schedule.is_empty() {
        notes.push("its schedule ends with this".to_owned());
    }
    let state = PlanState {
        stages: plan.stages.clone(),
        entered: Vec::new(),
        since: now,
        soaked: 0,
        held: None,
        done: None,
        left: String::new(),
        before: Some(before(flag)),
    };
    let mut flag = flag.clone();
    flag.state.plan = Some(state);
    Ok(entered(&flag, plan.clone(), 0, now, notes))
}

/// Takes the step that a tick decided; none if there is nothing to do. `held` holds the ticking process and the time.
pub fn step(flag: &Flag, step: &PlanDecision, held: &PlanHold) -> Option<PlanMove> {
    let plan = flag.plan.clone();
    match step {
        PlanDecision::Idle(_) | PlanDecision::Wait(_) => None,
        PlanDecision::Hold(reason) => {
            let mut flag = flag.clone();
            let state = flag.state.plan.as_mut()?;
            state.hold(PlanHold { reason: reason.clone(), ..held.clone() });
            let stage = Some(state.stage());
            Some(PlanMove { flag, stage, notes: Vec::new() })
        }
        PlanDecision::Enter(stage) => {
            let notes = plan.as_ref()?.stages.get(*stage).map_or_else(Vec::new, |stage| skipped(flag, stage));
            Some(entered(flag, plan?, *stage, held.at, notes))
        }
        PlanDecision::Finish => Some(finished(flag, held.at)),
    }
}

/// Stops the soak and every further stage, and turns nothing off.
///
/// # Errors
///
/// When no plan is running.
pub fn hold(key: &str, flag: &Flag, held: &PlanHold) -> Result<PlanMove, PlanError> {
    running(key, flag)?;
    step(flag, &PlanDecision::Hold(held.reason.clone()), held)
        .map_or_else(|| refused(format!("{key} has no plan")), Ok)
}

/// Resumes a held plan from what is on now.
///
/// The soak continues where it was held. If the flag was lowered by hand, the first stage that is no longer on is entered
/// again; if it was raised, the last stage that is on soaks from its beginning. `stage`, counted from 0, overrides the stage
/// to enter.
///
/// # Errors
///
/// When the plan is not held; when stages that it went through have changed in the file, unless `stage` is given; when the
/// stage would take the feature from any company; when the flag is killed or everything stopped.
pub fn resume(
    key: &str,
    flag: &Flag,
    stage: Option<usize>,
    now: i64,
    switched: SwitchState,
) -> Result<PlanMove, PlanError> {
    let plan = plan(key, flag)?;
    let state = match &flag.state.plan {
        None => {
            return refused(format!("the plan of {key} was not started; `flagstone plan start {key}` does"));
        }
        Some(state) if state.done.is_some() => return refused(format!("the plan of {key} is done")),
        Some(state) if state.held.is_none() => {
            return refused(format!("the plan of {key} is not held, but running in {}", place(state)));
        }
        Some(state) => state,
    };
    answers(key, switched)?;
    if let Some(number) = stage {
        let Some(stage) = plan.stages.get(number) else {
            return refused(format!(
                "the plan of {key} has {} stages, and no stage {}",
                plan.stages.len(),
                number + 1
            ));
        };
        if let Some((says, is)) = below(flag, stage, now) {
            return refused(format!(
                "stage {} says {says}, less than the {is} that have {key}: no stage takes it from anybody",
                number + 1
            ));
        }
        return Ok(entered(flag, plan.clone(), number, now, skipped(flag, stage)));
    }
    let was = state.stage();
    let passed = |stages: &[Stage]| stages.iter().take(was + 1).cloned().collect::<Vec<_>>();
    let (old, new) = (passed(&state.stages), passed(&plan.stages));
    if let Some(what) = changed(&old, &new) {
        return refused(format!(
            "the plan of {key} was changed in the file where it has been already: {what}. Say where to go on with \
             `flagstone plan resume {key} --stage N`, or `flagstone plan abort {key}` and start again"
        ));
    }
    let on = |number: usize| plan.stages.get(number).is_some_and(|stage| reached(flag, stage, now));
    if !on(was) {
        let last = (0..was).rev().find(|number| on(*number));
        let next = last.map_or(0, |last| last + 1);
        let stage = plan.stages.get(next);
        let mut notes = stage.map_or_else(Vec::new, |stage| skipped(flag, stage));
        notes.push(format!("it was lowered by hand: stage {} is entered again", next + 1));
        return Ok(entered(flag, plan.clone(), next, now, notes));
    }
    let so_far =
        plan.stages.iter().take(was + 1).filter_map(|stage| stage.percentage).max().unwrap_or_default();
    let raised = (was + 1..plan.stages.len()).take_while(|number| on(*number));
    let raised = raised
        .filter(|number| plan.stages.get(*number).and_then(|stage| stage.percentage) > Some(so_far))
        .last();
    let mut state = PlanState { held: None, since: now, stages: plan.stages.clone(), ..state.clone() };
    let mut notes = Vec::new();
    if let Some(raised) = raised {
        notes.push(format!(
            "it was raised by hand: it goes on after stage {}, which is on by now",
            raised + 1
        ));
        state.entered.resize(raised, None);
        state.entered.push(Some(now));
        state.soaked = 0;
    }
    state.left = fingerprint(flag);
    let at = state.stage();
    let ends = raised.is_some() && ends(plan, at);
    let mut flag = flag.clone();
    flag.state.plan = Some(state);
    Ok(if ends { finished(&flag, now) } else { PlanMove { flag, stage: Some(at), notes } })
}

/// Skips the rest of the soak: enters the next stage, or ends the plan after the last. With `to`, counted from 0, it enters
/// that stage, which must be the next.
///
/// # Errors
///
/// When no plan is running, `to` is not the next stage or has changed in the file, the stage would take the feature from any
/// company, or the flag is killed or everything stopped.
pub fn advance(
    key: &str,
    flag: &Flag,
    to: Option<usize>,
    now: i64,
    switched: SwitchState,
) -> Result<PlanMove, PlanError> {
    let plan = plan(key, flag)?;
    let state = running(key, flag)?;
    answers(key, switched)?;
    let otherwise = match changed(&state.stages, &plan.stages) {
        None if fingerprint(flag) == state.left => None,
        None => Some(format!("{key} was changed otherwise than by its plan")),
        Some(what) => Some(format!("the plan of {key} was changed in the file: {what}")),
    };
    if let Some(what) = otherwise {
        return refused(format!(
            "{what}. Look at it with `flagstone plan show {key}`; `flagstone plan hold {key}` and `flagstone plan resume {key}` \
             accept it"
        ));
    }
    let next = state.stage() + 1;
    if let Some(to) = to.filter(|to| *to != next) {
        return refused(format!(
            "the plan of {key} is in stage {}, so that the next is {}, not {}",
            next,
            next + 1,
            to + 1
        ));
    }
    let Some(stage) = plan.stages.get(next) else { return Ok(finished(flag, now)) };
    if let Some((says, is)) = below(flag, stage, now) {
        return refused(format!(
            "stage {} says {says}, less than the {is} that have {key}: no stage takes it from anybody",
            next + 1
        ));
    }
    Ok(entered(flag, plan.clone(), next, now, skipped(flag, stage)))
}

/// Returns the flag to its state before `start`.
///
/// # Errors
///
/// When there is no plan to abort, or it is done.
pub fn abort(key: &str, flag: &Flag) -> Result<PlanMove, PlanError> {
    let Some(state) = &flag.state.plan else { return refused(format!("the plan of {key} was not started")) };
    let Some(before) = &state.before else {
        return refused(format!(
            "the plan of {key} is done, and what was before it is not kept; `flagstone disable {key}` or `flagstone rollout {key} P` take it back"
        ));
    };
    let mut notes = Vec::new();
    let by_plan = |company: &_| {
        let mut stages = state.stages.iter().take(state.entered.len());
        stages.any(|stage| stage.companies.contains(company))
    };
    let mut undone = |companies: Vec<_>, what: &str| {
        let named: Vec<String> = companies.iter().take(5).map(ToString::to_string).collect();
        let more = companies.len().saturating_sub(named.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        if !named.is_empty() {
            notes.push(format!("{what} by hand since `start`, and taken back: {}{more}", named.join(", ")));
        }
    };
    undone(before.allow.added.iter().filter(|company| !by_plan(company)).collect(), "allowed");
    undone(before.deny.added.iter().collect(), "denied");
    let gone = |list: &crate::definition::ListChange, other: &crate::definition::ListChange| {
        let taken = list.removed.iter().filter(|company| other.added.binary_search(company).is_err());
        taken.cloned().collect::<Vec<_>>()
    };
    let (allowed, denied) = (gone(&before.allow, &before.deny), gone(&before.deny, &before.allow));
    undone(allowed.iter().chain(&denied).collect(), "forgotten");
    let mut flag = restore(flag, before);
    flag.state.plan = None;
    Ok(PlanMove { flag, stage: None, notes })
}

/// Enters one of the plan's stages.
fn entered(flag: &Flag, plan: Plan, number: usize, now: i64, notes: Vec<String>) -> PlanMove {
    let (Some(stage), Some(state)) = (plan.stages.get(number), &flag.state.plan) else {
        return PlanMove { flag: flag.clone(), stage: None, notes };
    };
    let mut on = enter(flag, stage, now);
    let mut state = PlanState { held: None, soaked: 0, since: now, ..state.clone() };
    let known = state.stages.iter().zip(&plan.stages).take_while(|(was, is)| same(was, is)).count();
    for passed in state.entered.iter_mut().skip(known) {
        *passed = None;
    }
    state.entered.resize(number, None);
    state.entered.push(Some(now));
    let ends = ends(&plan, number);
    state.stages = plan.stages;
    track(&flag.companies, &on, &mut state);
    on.state.plan = Some(state);
    let moved =
        if ends { finished(&on, now) } else { PlanMove { flag: on, stage: Some(number), notes: Vec::new() } };
    PlanMove { notes, ..moved }
}

/// True if the plan is done as soon as it enters that stage.
fn ends(plan: &Plan, stage: usize) -> bool {
    stage + 1 == plan.stages.len() && plan.stages.get(stage).is_some_and(|stage| stage.soak.is_none())
}

fn finished(flag: &Flag, now: i64) -> PlanMove {
    let mut flag = flag.clone();
    let mut stage = None;
    if let Some(state) = &mut flag.state.plan {
        state.soaked = state.soaked(now);
        state.since = now;
        state.done = Some(now);
        state.before = None;
        stage = Some(state.stage());
    }
    PlanMove { flag, stage, notes: Vec::new() }
}

fn plan<'a>(key: &str, flag: &'a Flag) -> Result<&'a Plan, PlanError> {
    if flag.state.orphaned.is_some() {
        return refused(format!("{key} is not in the file any more; publish a file that has it"));
    }
    if flag.managed == Managed::Git {
        return refused(format!(
            "{key} is managed by git: every publish sets what the file says, so that no plan can. Take \"managed\": \"git\" out of the file, \
             or write the percentage there"
        ));
    }
    flag.plan.as_ref().ok_or_else(|| {
        PlanError(format!(
            "{key} has no plan; write \"plan\": {{\"stages\": […]}} into the file and publish it"
        ))
    })
}

fn running<'a>(key: &str, flag: &'a Flag) -> Result<&'a PlanState, PlanError> {
    match &flag.state.plan {
        None => refused(format!("the plan of {key} was not started")),
        Some(state) if state.done.is_some() => refused(format!("the plan of {key} is done")),
        Some(state) => match &state.held {
            None => Ok(state),
            Some(held) => refused(format!("the plan of {key} is held in {}: {}", place(state), held.reason)),
        },
    }
}

fn answers(key: &str, switched: SwitchState) -> Result<(), PlanError> {
    match switched {
        SwitchState { killed: Some(_), .. } => {
            refused(format!("{key} is killed; `flagstone revive {key}` first"))
        }
        SwitchState { stopped: Some(_), .. } => {
            refused("everything is stopped; `flagstone resume-all` first")
        }
        SwitchState { .. } => Ok(()),
    }
}

fn place(state: &PlanState) -> String {
    format!("stage {} of {}", state.entered.len(), state.stages.len())
}

/// Reports companies that the stage names and that stay off.
fn skipped(flag: &Flag, stage: &Stage) -> Vec<String> {
    let denied = stage.companies.iter().filter(|company| flag.companies.deny.binary_search(company).is_ok());
    let denied: Vec<String> = denied.map(ToString::to_string).collect();
    if denied.is_empty() { Vec::new() } else { vec![format!("denied, and left so: {}", denied.join(", "))] }
}
