//! One stage of a plan: turning it on, and checking that it is on.

use crate::definition::{Flag, Percentage, Rollout, Stage};

/// Turns a stage of the flag on.
///
/// Denied companies stay denied: a person took them out. A company or percentage that is on stays on.
pub(super) fn enter(flag: &Flag, stage: &Stage, now: i64) -> Flag {
    let mut flag = flag.clone();
    let percentage = on_for(&flag, now).max(stage.percentage.unwrap_or_default());
    flag.enabled = true;
    flag.rollout.get_or_insert_with(Rollout::everybody).percentage = percentage;
    flag.schedule.clear();
    for company in &stage.companies {
        if flag.companies.deny.binary_search(company).is_err()
            && let Err(place) = flag.companies.allow.binary_search(company)
        {
            flag.companies.allow.insert(place, company.clone());
        }
    }
    flag
}

/// Percentage for which the flag is on; 0 % while it is off.
pub(super) fn on_for(flag: &Flag, now: i64) -> Percentage {
    if flag.enabled { flag.percentage_at(now).0 } else { Percentage::NONE }
}

/// The stage's percentage and the present one, if the stage would lower it.
pub(super) fn below(flag: &Flag, stage: &Stage, now: i64) -> Option<(Percentage, Percentage)> {
    let (says, is) = (stage.percentage?, on_for(flag, now));
    (says < is).then_some((says, is))
}

/// True if everything that the stage turns on is on.
pub(super) fn reached(flag: &Flag, stage: &Stage, now: i64) -> bool {
    let is = on_for(flag, now);
    let listed = |list: &[_], company| list.binary_search(company).is_ok();
    flag.enabled
        && stage.percentage.is_none_or(|says| says <= is)
        && (is == Percentage::FULL
            || stage.companies.iter().all(|company| {
                listed(&flag.companies.allow, company) || listed(&flag.companies.deny, company)
            }))
}

/// True if two stages turn the same on, however long they soak.
pub(super) fn same(one: &Stage, other: &Stage) -> bool {
    one.companies == other.companies && one.percentage == other.percentage
}

/// The difference between the stages that a plan was started with and its present ones; none if only soaks differ.
pub(super) fn changed(was: &[Stage], is: &[Stage]) -> Option<String> {
    let first = was.iter().zip(is).position(|(was, is)| !same(was, is));
    match first {
        None if was.len() == is.len() => None,
        None => {
            let ends = if is.len() > was.len() { "more stages follow at its end" } else { "it ends earlier" };
            Some(format!("{ends}: {} instead of {}", stages(is.len()), was.len()))
        }
        Some(place) => {
            let says = |stages: &[Stage]| stages.get(place).map_or_else(String::new, describe);
            Some(format!("stage {} was {}, and is {}", place + 1, says(was), says(is)))
        }
    }
}

fn stages(count: usize) -> String {
    if count == 1 { "1 stage".to_owned() } else { format!("{count} stages") }
}

/// The stage in words: `companies 15, 42`, `10 %`.
pub(super) fn describe(stage: &Stage) -> String {
    const NAMED: usize = 3;
    let mut parts = Vec::new();
    if !stage.companies.is_empty() {
        let named: Vec<String> = stage.companies.iter().take(NAMED).map(ToString::to_string).collect();
        let noun = if stage.companies.len() == 1 { "company" } else { "companies" };
        let more = match stage.companies.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        parts.push(format!("{noun} {}{more}", named.join(", ")));
    }
    parts.extend(stage.percentage.map(|percentage| percentage.to_string()));
    parts.join(" + ")
}
