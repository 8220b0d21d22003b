//! One flag in transfer, and after its arrival.

use super::options::ImportOptions;
use crate::definition::{Bucketing, Companies, CompanyId, Flag, FlagState, Percentage, Rollout};
use std::collections::BTreeSet;

/// A flag without the state that its store keeps.
pub(super) fn traveller(flag: &Flag) -> Flag {
    Flag { state: FlagState::default(), ..flag.clone() }
}

/// The flag for the other store, with notes; `there` is the one that exists in it already.
pub(super) fn arrived(flag: &Flag, there: Option<&Flag>, how: ImportOptions) -> (Flag, Vec<String>) {
    let mut notes = Vec::new();
    let mut new = traveller(flag);
    if !how.with_companies {
        new.companies = Companies::default();
        stages(&mut new, &mut notes);
    }
    match there {
        None if how.keep_state => {}
        None => {
            new.enabled = false;
            new.rollout.get_or_insert_with(everybody).percentage = Percentage::NONE;
            new.schedule.clear();
        }
        Some(there) => stays(&mut new, there, how, &mut notes),
    }
    if new.rollout.is_none()
        && (!new.rules.is_empty() || !new.schedule.is_empty() || !new.companies.allow.is_empty())
    {
        // The rollout of a flag that writes none.
        new.rollout = Some(everybody());
    }
    (new, notes)
}

/// Keeps the fields that belong to the destination's flag.
fn stays(new: &mut Flag, there: &Flag, how: ImportOptions, notes: &mut Vec<String>) {
    let arriving = std::mem::take(&mut new.companies);
    let allow: Vec<_> = joined(&there.companies.allow, &arriving.allow);
    let deny: Vec<_> = joined(&there.companies.deny, &arriving.deny);
    // For a company on both sides, the bundle decides the list.
    new.companies = Companies {
        allow: allow.into_iter().filter(|id| !arriving.deny.contains(id)).collect(),
        deny: deny.into_iter().filter(|id| !arriving.allow.contains(id)).collect(),
    };
    new.managed = there.managed;
    new.state = there.state.clone();
    if !how.keep_state {
        new.enabled = there.enabled;
        new.emergency = there.emergency;
        new.schedule.clone_from(&there.schedule);
        // Including key, salt and bucketing: they select the companies.
        new.rollout.clone_from(&there.rollout);
    }
    let running = there.state.plan.as_ref().is_some_and(|plan| plan.done.is_none());
    if running && new.plan != there.plan {
        new.plan.clone_from(&there.plan);
        notes.push("its plan is under way there and stays".to_owned());
    }
}

/// Removes companies from the plan's stages, and stages that had nothing else.
fn stages(flag: &mut Flag, notes: &mut Vec<String>) {
    let Some(plan) = &mut flag.plan else { return };
    let count = plan.stages.len();
    plan.stages.iter_mut().for_each(|stage| stage.companies.clear());
    plan.stages.retain(|stage| stage.percentage.is_some());
    match count - plan.stages.len() {
        0 => {}
        gone => notes.push(format!(
            "{gone} of {count} stages of its plan let in companies only, and stayed behind with them"
        )),
    }
    if plan.stages.is_empty() {
        flag.plan = None;
    }
}

fn everybody() -> Rollout {
    Rollout { percentage: Percentage::FULL, by: "company".to_owned(), salt: None, bucketing: Bucketing::Xxh3 }
}

/// The union of both lists, sorted, without duplicates.
fn joined(a: &[CompanyId], b: &[CompanyId]) -> Vec<CompanyId> {
    a.iter().chain(b).cloned().collect::<BTreeSet<_>>().into_iter().collect()
}
