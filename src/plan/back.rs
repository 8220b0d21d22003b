//! One stage back: the guard's act on a plan whose flag does harm.

use super::moves::PlanMove;
use super::stage::on_for;
use super::track::track;
use crate::definition::{Flag, Percentage, PlanHold};

/// The flag as the stage before had it, its plan held there. None if no plan is running, it is in its first stage, or the
/// stage before had the feature on for no fewer: then there is nothing to go back to.
///
/// It only takes away: no percentage is raised, no company let in.
pub fn back(flag: &Flag, held: &PlanHold) -> Option<PlanMove> {
    let state = flag.state.plan.as_ref().filter(|state| state.is_running())?;
    let before = state.before.as_ref()?;
    let stage = state.stage();
    let (passed, present) = (state.stages.get(..stage)?, state.stages.get(stage)?);
    if passed.is_empty() {
        return None;
    }
    let first = match before.enabled {
        true => before.percentage.unwrap_or(Percentage::FULL),
        false => Percentage::NONE,
    };
    let is = on_for(flag, held.at);
    let was = passed.iter().filter_map(|stage| stage.percentage).fold(first, Percentage::max).min(is);
    let mut lower = flag.clone();
    lower.rollout.as_mut()?.percentage = was;
    lower.companies.allow.retain(|company| {
        !present.companies.contains(company)
            || before.allow.added.binary_search(company).is_err()
            || passed.iter().any(|stage| stage.companies.contains(company))
    });
    if was == is && lower.companies == flag.companies {
        return None;
    }
    let mut state = state.clone();
    state.entered.truncate(stage);
    state.since = held.at;
    state.soaked = 0;
    state.held = Some(held.clone());
    track(&flag.companies, &lower, &mut state);
    let stage = Some(state.stage());
    lower.state.plan = Some(state);
    Some(PlanMove { flag: lower, stage, notes: Vec::new() })
}
