//! Warnings about plans that are probably mistakes.

use super::clip::clip;
use super::merge::View;
use super::model::{Flag, Managed};
use super::percentage::Percentage;
use super::report::Findings;

/// Warns about a flag's plan at the place of `view`.
pub(super) fn check(findings: &mut Findings, key: &str, flag: &Flag, view: Option<View>) {
    let (Some(plan), Some(at)) = (&flag.plan, view.map(View::place)) else { return };
    let last = plan.stages.iter().filter_map(|stage| stage.percentage).max();
    if last != Some(Percentage::FULL) {
        let ends = last.map_or("companies".to_owned(), |last| last.to_string());
        let advice = "end it with a stage of 100 if everybody is to get the flag".to_owned();
        findings.warning(at, format!("the plan of {key} ends at {ends}"), advice);
    }
    for (number, stage) in plan.stages.iter().enumerate() {
        let denied = |company: &&_| flag.companies.deny.binary_search(company).is_ok();
        if let Some(company) = stage.companies.iter().find(denied) {
            let company = company.to_string();
            let message = format!(
                "stage {} of {key} lets company {} in, which the flag denies: it stays out",
                number + 1,
                clip(&company)
            );
            findings.warning(at, message, None);
        }
    }
    if !flag.schedule.is_empty() {
        let message = format!("{key} has a plan and a schedule: the schedule ends when the plan is started");
        findings.warning(at, message, "write the one or the other".to_owned());
    }
    if flag.managed == Managed::Git {
        let message = format!("{key} is managed by git, so that its plan cannot be started");
        findings.warning(at, message, "leave out \"plan\", or \"managed\"".to_owned());
    }
}
