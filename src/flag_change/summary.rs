//! Describes a change in words.

use super::Edit;
use crate::definition::{CompanyId, Definitions, Flag, Percentage};
use crate::time;

/// Maximum number of companies named in a sentence.
const NAMED: usize = 5;

/// A flag in a few words: `off`, `on`, `10 % + 3 companies + 1 rule, 2 denied`. Companies allowed in addition to everybody are not
/// mentioned. `now` is in microseconds since 1970.
pub fn state(flag: &Flag, now: i64) -> String {
    let state = without_denied(flag, now);
    match flag.companies.deny.len() {
        denied @ 1.. if flag.enabled => format!("{state}, {} denied", thousands(denied)),
        _ => state,
    }
}

fn without_denied(flag: &Flag, now: i64) -> String {
    if !flag.enabled {
        return "off".to_owned();
    }
    let percentage = flag.percentage_at(now).0;
    let is_full = percentage == Percentage::FULL;
    let allowed = flag.companies.allow.len();
    if is_full && allowed > 0 && flag.companies.deny.is_empty() && flag.rules.is_empty() {
        return "on for everybody".to_owned();
    }
    let mut text = if is_full { "on".to_owned() } else { percentage.to_string() };
    let allowed = if is_full { 0 } else { allowed };
    for (count, one, many) in [(allowed, "company", "companies"), (flag.rules.len(), "rule", "rules")] {
        match count {
            0 => {}
            1 => text.push_str(&format!(" + 1 {one}")),
            count => text.push_str(&format!(" + {} {many}", thousands(count))),
        }
    }
    text
}

/// Formats a number as `1,000,000`.
fn thousands(number: usize) -> String {
    let mut parts = Vec::new();
    let mut rest = number;
    while rest >= 1_000 {
        parts.push(format!("{:03}", rest % 1_000));
        rest /= 1_000;
    }
    parts.push(rest.to_string());
    parts.reverse();
    parts.join(",")
}

/// `search: 10 % → on`.
pub(super) fn summary(key: &str, before: Option<&Flag>, after: &Flag, now: i64) -> String {
    let after_state = state(after, now);
    match before {
        None => format!("{key}: new, {after_state}"),
        Some(before) if before == after => format!("{key}: {after_state}"),
        // The difference is in fields that the state does not show, or in the denied ones.
        Some(before) if without_denied(before, now) == without_denied(after, now) => {
            format!("{key}: {}, as before but that {}", without_denied(after, now), listed(before, after))
        }
        Some(before) => format!("{key}: {} → {after_state}", state(before, now)),
    }
}

/// Describes the difference of the lists: `1 company more is denied, 2 companies fewer are allowed`.
fn listed(before: &Flag, after: &Flag) -> String {
    let difference = |was: &[CompanyId], is: &[CompanyId], word: &str| {
        let count = |a: &[CompanyId], b: &[CompanyId], how: &str| {
            let count = a.iter().filter(|company| b.binary_search(company).is_err()).count();
            let (noun, verb) = if count == 1 { ("company", "is") } else { ("companies", "are") };
            (count > 0).then(|| format!("{} {noun} {how} {verb} {word}", thousands(count)))
        };
        count(is, was, "more").into_iter().chain(count(was, is, "fewer"))
    };
    let (was, is) = (&before.companies, &after.companies);
    let denied = difference(&was.deny, &is.deny, "denied");
    let told: Vec<String> = denied.chain(difference(&was.allow, &is.allow, "allowed")).collect();
    match told.is_empty() {
        true => "its percentage, schedule or lists are written otherwise".to_owned(),
        false => told.join(", "),
    }
}

/// Side effects of the change, and other fields that decide. `published`: the change goes to the store, not to a file.
pub(super) fn notes(
    edit: &Edit,
    before: Option<&Flag>,
    after: &Flag,
    definitions: &Definitions,
    now: i64,
    published: bool,
) -> Vec<String> {
    let mut notes = Vec::new();
    let Some(before) = before else { return notes };
    if after.schedule.is_empty() && !before.schedule.is_empty() {
        let steps: Vec<String> =
            before.schedule.iter().map(|step| format!("{} from {}", step.percentage, step.at)).collect();
        notes.push(format!("its schedule ends with this: {}", steps.join(", ")));
    }
    for (companies, was) in [
        (crossed(&before.companies.deny, &after.companies.allow), "denied"),
        (crossed(&before.companies.allow, &after.companies.deny), "allowed"),
    ] {
        if !companies.is_empty() {
            notes.push(format!("{} before: {}", was, some(&companies)));
        }
    }
    if let Some(state) = before.state.plan.as_ref().filter(|state| state.is_running()) {
        let (stage, count) = (state.entered.len(), state.stages.len());
        notes.push(format!("its plan is held with this, in stage {stage} of {count}"));
    }
    match edit {
        Edit::Enable { percentage, companies } => {
            let pilot = percentage.is_none() && !companies.is_empty() && !before.enabled;
            if pilot {
                notes.push(format!("a pilot: on for {}, and 0 % of the others", some_of(companies)));
                let others: Vec<&CompanyId> =
                    after.companies.allow.iter().filter(|company| !companies.contains(company)).collect();
                if !others.is_empty() {
                    notes.push(format!("on as well for those it allowed already: {}", some(&others)));
                }
            }
            notes.extend(others_decide(after, definitions, now));
        }
        Edit::Rollout(_) | Edit::Allow(_) if !after.enabled => {
            notes.push("it is off: nobody gets it until it is enabled".to_owned());
        }
        Edit::Restore | Edit::Rollout(_) | Edit::Allow(_) => {
            notes.extend(others_decide(after, definitions, now))
        }
        Edit::Disable if before.enabled && published => {
            let restored = state(before, now);
            notes.push(format!(
                "`flagstone enable` turns it on as it was ({restored}), `--percentage 100` for everybody"
            ));
        }
        Edit::Deny(_) | Edit::Forget(_) | Edit::Disable | Edit::Delete | Edit::Add { .. } => {}
    }
    notes
}

/// Fields that keep a flag off for some, or on for more than its percentage.
fn others_decide(flag: &Flag, definitions: &Definitions, now: i64) -> Vec<String> {
    let mut notes = Vec::new();
    if !flag.companies.deny.is_empty() {
        notes.push(format!("denied, and off all the same: {}", some_of(&flag.companies.deny)));
    }
    let off = |key: &&String| {
        definitions.flags.get(*key).is_none_or(|flag| !flag.enabled || without_denied(flag, now) == "0 %")
    };
    for required in flag.requires.iter().filter(off) {
        notes.push(format!("it requires {required}, which is off: so is this one"));
    }
    let percentage = flag.percentage_at(now).0;
    for (number, rule) in flag.rules.iter().enumerate() {
        let gives = rule.percentage.unwrap_or(Percentage::FULL);
        if gives != percentage {
            let name = rule.name.as_ref().map_or(String::new(), |name| format!(" {name:?}"));
            notes.push(format!("rule {}{name} decides where it holds: {gives}", number + 1));
        }
    }
    notes
}

/// Companies that moved from the one list to the other.
fn crossed<'a>(before: &'a [CompanyId], after: &[CompanyId]) -> Vec<&'a CompanyId> {
    before.iter().filter(|company| after.binary_search(company).is_ok()).collect()
}

fn some_of(companies: &[CompanyId]) -> String {
    some(&companies.iter().collect::<Vec<_>>())
}

fn some(companies: &[&CompanyId]) -> String {
    let shown: Vec<String> = companies.iter().take(NAMED).map(ToString::to_string).collect();
    match companies.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl Flag {
    /// The percentage of the rollout or the schedule at that time, in microseconds since 1970, and the step of the schedule that sets
    /// it.
    pub fn percentage_at(&self, now: i64) -> (Percentage, Option<usize>) {
        let come = |at: &str| time::parse_rfc3339(at.as_bytes()).is_some_and(|at| at <= now);
        match self.schedule.iter().enumerate().rev().find(|(_, step)| come(&step.at)) {
            Some((number, step)) => (step.percentage, Some(number)),
            None => (self.rollout.as_ref().map_or(Percentage::FULL, |rollout| rollout.percentage), None),
        }
    }
}
