//! Checks of a flag as a whole, each of whose parts is sound.

use super::clip::clip;
use super::company::CompanyId;
use super::json::{Id, Tree};
use super::merge::View;
use super::model::{Flag, Rollout, Variant};
use super::percentage::{Percentage, plain};
use super::report::Findings;
use super::written::FieldSet;
use crate::time;
use std::collections::HashSet;

/// Places of the parts of a flag.
pub(super) struct Places<'m> {
    pub key: Id,
    pub flag: Id,
    pub deny: Option<View<'m>>,
    pub variants: Option<View<'m>>,
    pub expires: Option<View<'m>>,
}

/// Checks a flag whose parts could all be read.
pub(super) fn flag(
    tree: &Tree,
    findings: &mut Findings,
    today: i64,
    key: &str,
    flag: &Flag,
    places: &Places,
) {
    percentage_is_written(findings, key, flag, places);
    no_company_twice(tree, findings, flag, places);
    weights_add_up(findings, flag, places);
    not_expired(findings, today, key, flag, places);
    if flag.is_silent() {
        let message = format!("{key} says neither \"enabled\" nor \"rollout\", so it is on for everybody");
        findings.warning(places.key, message, "write \"enabled\": true if that is meant".to_owned());
    } else if flag.enabled
        && flag.companies.is_empty()
        && flag.rollout.is_none()
        && !needs_percentage(flag)
        && let Some((_, says)) = [(FieldSet::ALLOW, "allows no company"), (FieldSet::RULES, "has no rule")]
            .into_iter()
            .find(|(list, _)| flag.written.has(*list))
    {
        // With one company or rule in the list, such as a query that found any, this is an error.
        let message = format!("{key} {says} and does not say what the others get, so it is on for everybody");
        let advice = "add \"rollout\": {\"percentage\": 0} for a pilot, or remove the list".to_owned();
        findings.warning(places.key, message, advice);
    }
}

fn needs_percentage(flag: &Flag) -> bool {
    !flag.companies.allow.is_empty()
        || !flag.rules.is_empty()
        || !flag.schedule.is_empty()
        || flag.plan.is_some()
}

/// Reports a flag that singles some out without a percentage for the others: nothing and everything are both plausible.
fn percentage_is_written(findings: &mut Findings, key: &str, flag: &Flag, places: &Places) {
    if flag.rollout.is_some() || !needs_percentage(flag) {
        return;
    }
    let mut says = Vec::new();
    match flag.companies.allow.len() {
        0 => {}
        1 => says.push("allows 1 company".to_owned()),
        count => says.push(format!("allows {count} companies")),
    }
    match flag.rules.len() {
        0 => {}
        1 => says.push("has 1 rule".to_owned()),
        count => says.push(format!("has {count} rules")),
    }
    if !flag.schedule.is_empty() {
        says.push("has a schedule".to_owned());
    }
    if flag.plan.is_some() {
        says.push("has a plan".to_owned());
    }
    let rest = match says.len() {
        1 if !flag.schedule.is_empty() || flag.plan.is_some() => "what holds before it",
        _ => "what the others get",
    };
    let message = format!("{key} {} but does not say {rest}", says.join(" and "));
    let advice = "add \"rollout\": {\"percentage\": 0} for a pilot, or 100".to_owned();
    findings.error_with(places.flag, message, advice);
}

fn no_company_twice(tree: &Tree, findings: &mut Findings, flag: &Flag, places: &Places) {
    let allow = &flag.companies.allow;
    let mut both: HashSet<&CompanyId> =
        flag.companies.deny.iter().filter(|id| allow.binary_search(id).is_ok()).collect();
    let Some(View::Raw(deny)) = places.deny.filter(|_| !both.is_empty()) else { return };
    for item in tree.items(deny) {
        if let Some(id) = CompanyId::from_text(&tree.string(item))
            && both.remove(&id)
        {
            let message = format!("company {} is both allowed and denied", clip(tree.raw(item)));
            findings.error_with(item, message, "keep it in one of the two lists".to_owned());
        }
    }
}

fn weights_add_up(findings: &mut Findings, flag: &Flag, places: &Places) {
    let Some(view) = places.variants.filter(|_| !flag.variants.is_empty()) else { return };
    let sum: u64 = flag.variants.values().map(|Variant { weight, .. }| u64::from(weight.thousandths())).sum();
    if sum != u64::from(Percentage::FULL.thousandths()) {
        let written: Vec<_> =
            flag.variants.values().map(|variant| plain(variant.weight.thousandths().into())).collect();
        let written = written.join(" + ");
        let message =
            format!("found weights of {} = {}, expected them to add up to 100", clip(&written), plain(sum));
        findings.error(view.place(), message);
    }
}

fn not_expired(findings: &mut Findings, today: i64, key: &str, flag: &Flag, places: &Places) {
    let (Some(day), Some(view)) = (&flag.expires, places.expires) else { return };
    if time::parse_day(day.as_bytes()).is_some_and(|day| day < today) {
        let advice = "remove the flag and the code that asks for it, or give it more time".to_owned();
        findings.warning(view.place(), format!("{key} expired on {day}"), advice);
    }
}

impl Flag {
    /// Writes the default rollout, if the flag singles some out and so needs a percentage.
    pub(crate) fn say_percentage(&mut self) {
        if self.rollout.is_none() && needs_percentage(self) {
            self.rollout = Some(Rollout::everybody());
        }
    }

    /// True if its text has neither `enabled` nor any targeting.
    pub(crate) fn is_silent(&self) -> bool {
        !self.written.has(FieldSet::ENABLED)
            && self.rollout.is_none()
            && self.requires.is_empty()
            && self.companies.is_empty()
            && !needs_percentage(self)
    }

    /// True if its own fields keep it off for everybody at that time, in microseconds since 1970.
    pub fn is_off_at(&self, now: i64) -> bool {
        !self.enabled || (names_nobody(self) && self.percentage_at(now).0 == Percentage::NONE)
    }

    /// True if its own fields keep it off for everybody from that time on, in microseconds since 1970.
    pub fn is_off_for_all(&self, now: i64) -> bool {
        is_off_for_all(self, now.div_euclid(86_400 * time::SECOND))
    }
}

/// True if no company has it by a list or a rule.
fn names_nobody(flag: &Flag) -> bool {
    flag.companies.allow.is_empty() && flag.rules.iter().all(|rule| rule.percentage == Some(Percentage::NONE))
}

/// True if a flag's own fields keep it off for everybody, today and on every later day.
pub(super) fn is_off_for_all(flag: &Flag, today: i64) -> bool {
    let nobody = |percentage: Percentage| percentage == Percentage::NONE;
    if !flag.enabled {
        return true;
    }
    if !names_nobody(flag) {
        return false;
    }
    let past = |at: &str| {
        time::parse_rfc3339(at.as_bytes()).is_some_and(|at| at.div_euclid(86_400 * time::SECOND) < today)
    };
    let passed = flag.schedule.iter().take_while(|step| past(&step.at)).count();
    let current = match passed.checked_sub(1).and_then(|last| flag.schedule.get(last)) {
        Some(step) => step.percentage,
        None => flag.rollout.as_ref().map_or(Percentage::FULL, |rollout| rollout.percentage),
    };
    nobody(current) && flag.schedule.iter().skip(passed).all(|step| nobody(step.percentage))
}
