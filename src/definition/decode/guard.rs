//! Decodes the guard's limits.

use super::Decoder;
use crate::definition::json::Kind;
use crate::definition::merge::View;
use crate::definition::{GuardAction, GuardBaseline, GuardLimits, GuardRelative, GuardRule, Soak};
use std::ops::RangeInclusive;

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1_440 * MINUTE;

impl<'m> Decoder<'m> {
    pub(super) fn guard(&mut self, view: View<'m>) -> Option<GuardRule> {
        const NAMES: [&str; 10] = [
            "error_rate",
            "p95_ms",
            "relative",
            "min_requests",
            "min_companies",
            "window",
            "cooldown",
            "watch",
            "action",
            "baseline",
        ];
        match view.kind(self.tree) {
            Kind::False => return Some(GuardRule::Off),
            Kind::True => return Some(GuardRule::On(GuardLimits::default())),
            _ => {}
        }
        const EXPECTED: &str = "true, false or an object of limits";
        let [
            error_rate,
            p95_ms,
            relative,
            min_requests,
            min_companies,
            window,
            cooldown,
            watch,
            action,
            baseline,
        ] = self.fields(view, NAMES, EXPECTED)?;
        const ACTIONS: [(&str, GuardAction); 3] = [
            ("rollback", GuardAction::Rollback),
            ("hold", GuardAction::Hold),
            ("notify", GuardAction::Notify),
        ];
        const BASELINES: [(&str, GuardBaseline); 3] =
            [("auto", GuardBaseline::Auto), ("off", GuardBaseline::Off), ("past", GuardBaseline::Past)];
        Some(GuardRule::On(GuardLimits {
            error_rate: error_rate.and_then(|rate| {
                self.above(rate, 0.0, 1.0, "a share of the requests, above 0 and at most 1, such as 0.05")
            }),
            p95_ms: p95_ms.and_then(|p95| self.between(p95, 1..=60_000)),
            relative: relative.and_then(|relative| self.relative(relative)).unwrap_or_default(),
            min_requests: min_requests.and_then(|least| self.between(least, 1..=1_000_000_000)),
            min_companies: min_companies.and_then(|least| self.between(least, 1..=16)),
            window: window.and_then(|window| self.span(window, DAY, "a day")),
            cooldown: cooldown.and_then(|cooldown| self.span(cooldown, 30 * DAY, "30 days")),
            watch: watch.and_then(|watch| self.span(watch, 8 * DAY, "8 days")),
            action: action.and_then(|action| self.choice(action, ACTIONS)),
            baseline: baseline.and_then(|baseline| self.choice(baseline, BASELINES)),
        }))
    }

    fn relative(&mut self, view: View<'m>) -> Option<GuardRelative> {
        const EXPECTED: &str = "a number above 1 and at most 100";
        let [errors, p95] = self.fields(view, ["errors", "p95"], "an object with \"errors\" or \"p95\"")?;
        let mut times = |view: Option<View<'m>>| view.and_then(|view| self.above(view, 1.0, 100.0, EXPECTED));
        Some(GuardRelative { errors: times(errors), p95: times(p95) })
    }

    /// Reads a number above `low` and up to `high`.
    fn above(&mut self, view: View<'m>, low: f64, high: f64, expected: &str) -> Option<f64> {
        let number = self.float(view).or_else(|| self.int(view).map(|int| int as f64));
        let number = number.filter(|number| *number > low && *number <= high);
        if number.is_none() {
            self.mismatch(view, expected);
        }
        number
    }

    fn between(&mut self, view: View<'m>, range: RangeInclusive<u64>) -> Option<u64> {
        let number = self.int(view).and_then(|int| u64::try_from(int).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            self.mismatch(view, &format!("an integer from {} to {}", range.start(), range.end()));
        }
        number
    }

    /// Reads a length of a minute to `most` microseconds; `named` is that maximum in messages.
    fn span(&mut self, view: View<'m>, most: i64, named: &str) -> Option<Soak> {
        const EXPECTED: &str = "a length of time such as \"5m\" or \"1h\": a number and s, m, h, d or w";
        let text = self.string(view, EXPECTED)?;
        let Some(span) = Soak::from_text(&text) else {
            self.mismatch(view, EXPECTED);
            return None;
        };
        if !(MINUTE..=most).contains(&span.micros()) {
            self.mismatch(view, &format!("at least a minute and at most {named}"));
            return None;
        }
        Some(span)
    }
}
