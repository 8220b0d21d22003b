//! What the guard holds a flag to.

pub use crate::definition::{GuardAction as Action, GuardBaseline as Baseline};
use crate::definition::{GuardRule, Soak};

/// What the guard holds a flag to, every value resolved: the flag's, else the document's, else the one built in.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Of the requests for which the flag is on at most so many may fail; 0 to 1.
    pub error_rate: f64,
    /// 95 of 100 requests for which it is on have to be over within so many milliseconds.
    pub p95_ms: u64,
    /// The on-cohort's error rate may be so many times what it is compared with; more than 1.
    pub relative_errors: f64,
    /// Its 95th percentile may be so many times what it is compared with; more than 1.
    pub relative_p95: f64,
    /// Requests, of both cohorts where both are compared, that evidence has to rest on at least.
    pub min_requests: u64,
    /// Companies that have to be affected at least: 1 to 16, since companies are told apart by 16 groups. Evidence has to
    /// do without the worst half of that number, rounded down: without the worst company, where it is 2 or 3.
    pub min_companies: usize,
    /// Over what numbers are taken for "now", in microseconds.
    pub window: i64,
    /// How long the guard leaves a flag alone that it acted on, in microseconds.
    pub cooldown: i64,
    /// For how long after a change a flag without an off-cohort may be acted on, at least; in microseconds.
    pub watch: i64,
    /// What to do.
    pub action: Action,
    /// What the on-cohort is compared with.
    pub baseline: Baseline,
}

const MINUTE: i64 = 60_000_000;

impl Default for Policy {
    fn default() -> Self {
        Self {
            error_rate: 0.05,
            p95_ms: 2000,
            relative_errors: 2.0,
            relative_p95: 1.5,
            min_requests: 200,
            min_companies: 3,
            window: 5 * MINUTE,
            cooldown: 60 * MINUTE,
            watch: 24 * 60 * MINUTE,
            action: Action::Rollback,
            baseline: Baseline::Auto,
        }
    }
}

impl Policy {
    /// What a flag's definition comes to; none: the flag is not watched.
    pub fn of(rule: Option<&GuardRule>) -> Option<Self> {
        let own = Self::default();
        let limits = match rule {
            None => return Some(own),
            Some(GuardRule::Off) => return None,
            Some(GuardRule::On(limits)) => limits,
        };
        let companies = limits.min_companies.and_then(|least| usize::try_from(least).ok());
        Some(Self {
            error_rate: limits.error_rate.unwrap_or(own.error_rate),
            p95_ms: limits.p95_ms.unwrap_or(own.p95_ms),
            relative_errors: limits.relative.errors.unwrap_or(own.relative_errors),
            relative_p95: limits.relative.p95.unwrap_or(own.relative_p95),
            min_requests: limits.min_requests.unwrap_or(own.min_requests),
            min_companies: companies.unwrap_or(own.min_companies),
            window: limits.window.map_or(own.window, Soak::micros),
            cooldown: limits.cooldown.map_or(own.cooldown, Soak::micros),
            watch: limits.watch.map_or(own.watch, Soak::micros),
            action: limits.action.unwrap_or_default(),
            baseline: limits.baseline.unwrap_or_default(),
        })
    }

    /// Groups of companies without which the evidence still has to do: those that contribute most.
    pub(super) fn left_out(&self) -> usize {
        self.min_companies / 2
    }
}
