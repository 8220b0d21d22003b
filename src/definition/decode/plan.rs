//! Decodes plans.

use super::Decoder;
use crate::definition::json::Kind;
use crate::definition::merge::View;
use crate::definition::percentage::plain;
use crate::definition::{Percentage, Plan, Soak, Stage, limits};

impl<'m> Decoder<'m> {
    pub(super) fn plan(&mut self, view: View<'m>) -> Option<Plan> {
        let [stages] = self.fields(view, ["stages"], "a plan, an object with \"stages\"")?;
        let Some(stages) = stages else {
            self.missing(view, "stages", "a list of stages");
            return None;
        };
        let items = self.items(stages, "a list of stages")?;
        let count = self.tree.node(stages.place()).size as usize;
        if !(1..=limits::STAGES).contains(&count) {
            let message = format!("found {count} stages, expected 1 to {}", limits::STAGES);
            self.findings.error(stages.place(), message);
        }
        let mut reached: Option<Percentage> = None;
        let stages = items.filter_map(|item| {
            let (stage, percentage) = self.stage(item)?;
            if let (Some(view), Some(found)) = (percentage, stage.percentage) {
                if let Some(reached) = reached.filter(|reached| found <= *reached) {
                    let [found, reached] =
                        [found, reached].map(|percentage| plain(percentage.thousandths().into()));
                    let message =
                        format!("found {found} after {reached}: a stage has to raise the percentage");
                    self.findings.error(view.place(), message);
                }
                reached = reached.max(Some(found));
            }
            Some(stage)
        });
        Some(Plan { stages: stages.collect() })
    }

    /// Returns the stage and the place of its percentage.
    fn stage(&mut self, view: View<'m>) -> Option<(Stage, Option<View<'m>>)> {
        const EXPECTED: &str = "a stage, an object with \"companies\" or \"percentage\"";
        let [companies, percentage, soak] =
            self.fields(view, ["companies", "percentage", "soak"], EXPECTED)?;
        if companies.is_none() && percentage.is_none() {
            self.findings.error(view.place(), format!("found neither, expected {EXPECTED}"));
        }
        let listed = companies.map_or_else(Vec::new, |list| self.company_list(list));
        let empty =
            |list: &View| list.kind(self.tree) == Kind::List && self.tree.node(list.place()).size == 0;
        if let Some(list) = companies.filter(empty) {
            self.mismatch(list, "companies to let in, one or more");
        }
        let stage = Stage {
            companies: listed,
            percentage: percentage.and_then(|percentage| self.percentage(percentage)),
            soak: soak.and_then(|soak| self.soak(soak)),
        };
        Some((stage, percentage))
    }

    fn soak(&mut self, view: View<'m>) -> Option<Soak> {
        const EXPECTED: &str = "a length of time such as \"12h\" or \"7d\": a number and s, m, h, d or w";
        let text = self.string(view, EXPECTED)?;
        let soak = Soak::from_text(&text);
        if soak.is_none() {
            self.mismatch(view, EXPECTED);
        }
        soak
    }
}
