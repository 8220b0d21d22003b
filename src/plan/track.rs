//! Tracking of a flag under a plan: its state before the plan, and changes by others than the plan.

use crate::definition::{
    Before, Companies, CompanyId, Definitions, Emergency, Flag, ListChange, Percentage, PlanHold, PlanState,
    Rollout,
};
use xxhash_rust::xxh3::Xxh3;

/// The fields that decide who has the flag now.
fn operations(flag: &Flag) -> impl PartialEq {
    let percentage = flag.rollout.as_ref().map(|rollout| rollout.percentage);
    (flag.enabled, percentage, &flag.schedule, &flag.companies, flag.emergency)
}

/// Sixteen hex digits that differ between flags that are on for different companies.
pub(super) fn fingerprint(flag: &Flag) -> String {
    let mut hash = Xxh3::new();
    let mut number = |number: i64| hash.update(&number.to_le_bytes());
    number(flag.enabled.into());
    number((flag.emergency == Emergency::Keep).into());
    number(flag.rollout.as_ref().map_or(-1, |rollout| rollout.percentage.thousandths().into()));
    number(flag.schedule.len() as i64);
    for step in &flag.schedule {
        hash.update(step.at.as_bytes());
        hash.update(&step.percentage.thousandths().to_le_bytes());
    }
    for list in [&flag.companies.allow, &flag.companies.deny] {
        hash.update(&(list.len() as u64).to_le_bytes());
        for company in list {
            match company {
                CompanyId::Int(id) => hash.update(&id.to_le_bytes()),
                CompanyId::Text(id) => {
                    hash.update(&(id.len() as u64).to_le_bytes());
                    hash.update(id.as_bytes());
                }
            }
        }
    }
    format!("{:016x}", hash.digest())
}

/// The state of the flag to return to.
pub(super) fn before(flag: &Flag) -> Before {
    Before {
        enabled: flag.enabled,
        percentage: flag.rollout.as_ref().map(|rollout| rollout.percentage),
        schedule: flag.schedule.clone(),
        emergency: flag.emergency,
        allow: ListChange::default(),
        deny: ListChange::default(),
    }
}

/// Records in the plan's state the changes of the lists, and what is on now.
pub(super) fn track(was: &Companies, flag: &Flag, state: &mut PlanState) {
    if let Some(before) = &mut state.before {
        note(&mut before.allow, &was.allow, &flag.companies.allow);
        note(&mut before.deny, &was.deny, &flag.companies.deny);
    }
    state.left = fingerprint(flag);
}

/// Restores the flag to its state before its plan.
pub(super) fn restore(flag: &Flag, before: &Before) -> Flag {
    let mut flag = flag.clone();
    flag.enabled = before.enabled;
    flag.schedule.clone_from(&before.schedule);
    flag.emergency = before.emergency;
    undo(&mut flag.companies.allow, &before.allow);
    undo(&mut flag.companies.deny, &before.deny);
    match (before.percentage, &mut flag.rollout) {
        (Some(percentage), Some(rollout)) => rollout.percentage = percentage,
        (Some(percentage), none) => *none = Some(Rollout { percentage, ..Rollout::everybody() }),
        (None, Some(rollout)) => {
            rollout.percentage = Percentage::FULL;
            if *rollout == Rollout::everybody() {
                flag.rollout = None;
            }
        }
        (None, None) => {}
    }
    flag
}

/// Updates `change`, the difference between a list and the original, after another step.
fn note(change: &mut ListChange, was: &[CompanyId], is: &[CompanyId]) {
    for company in missing(was, is) {
        let (from, to) = (&mut change.removed, &mut change.added);
        move_between(from, to, company);
    }
    for company in missing(is, was) {
        let (from, to) = (&mut change.added, &mut change.removed);
        move_between(from, to, company);
    }
}

/// Removes the company from one list if it is there, else adds it to the other.
fn move_between(from: &mut Vec<CompanyId>, to: &mut Vec<CompanyId>, company: &CompanyId) {
    if let Ok(place) = from.binary_search(company) {
        from.remove(place);
    } else if let Err(place) = to.binary_search(company) {
        to.insert(place, company.clone());
    }
}

/// Companies in `is` that are not in `was`. Both are sorted.
fn missing<'a>(was: &[CompanyId], is: &'a [CompanyId]) -> Vec<&'a CompanyId> {
    if was == is { Vec::new() } else { is.iter().filter(|id| was.binary_search(id).is_err()).collect() }
}

fn undo(list: &mut Vec<CompanyId>, change: &ListChange) {
    list.retain(|company| change.added.binary_search(company).is_err());
    for company in &change.removed {
        if let Err(place) = list.binary_search(company) {
            list.insert(place, company.clone());
        }
    }
}

/// Holds the flag's plan if the flag was changed otherwise than by the plan, and records the change, so that `abort` still
/// returns to the state before `start`. `before` is the flag as published until now.
pub fn settle(before: &Flag, after: &mut Flag, held: &PlanHold) {
    let Some(state) = before.state.plan.as_ref().filter(|state| state.done.is_none()) else { return };
    if operations(before) == operations(after) {
        return;
    }
    let mut state = state.clone();
    track(&before.companies, after, &mut state);
    state.hold(held.clone());
    after.state.plan = Some(state);
}

/// Holds every running plan, because the definitions to publish come from an older generation. Returns the flags' keys.
pub fn hold_all(definitions: &mut Definitions, held: &PlanHold) -> Vec<String> {
    let mut flags = Vec::new();
    for (key, flag) in &mut definitions.flags {
        if let Some(state) = flag.state.plan.as_mut().filter(|state| state.is_running()) {
            state.hold(held.clone());
            flags.push(key.clone());
        }
    }
    flags
}
