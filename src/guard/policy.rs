//! The policy that a flag is held to.

pub use crate::definition::{GuardAction as Action, GuardBaseline as Baseline};
use crate::definition::{GuardRule, Soak};

/// The policy that a flag is held to, every value resolved: the flag's, else the document's, else the one built in.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Maximum error rate of requests for which the flag is on; 0 to 1.
    pub error_rate: f64,
    /// Maximum 95th percentile of their duration, in milliseconds.
    pub p95_ms: u64,
    /// Maximum error rate of the on-cohort, as a multiple of the rate that it is compared with; more than 1.
    pub relative_errors: f64,
    /// Maximum 95th percentile of the on-cohort, as a multiple of the one that it is compared with; more than 1.
    pub relative_p95: f64,
    /// Minimum requests behind evidence, of both cohorts where both are compared.
    pub min_requests: u64,
    /// Minimum companies affected: 1 to 16, since companies are told apart by 16 groups. Evidence must hold without the worst
    /// half of that number, rounded down: without the worst company, where it is 2 or 3.
    pub min_companies: usize,
    /// Length of the window of present numbers, in microseconds.
    pub window: i64,
    /// Time for which the guard leaves a flag alone that it acted on, in microseconds.
    pub cooldown: i64,
    /// Minimum time after a change in which a flag without an off-cohort may be acted on, in microseconds.
    pub watch: i64,
    /// Action on a finding.
    pub action: Action,
    /// Comparison for the on-cohort.
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
    /// The policy of a flag's definition; none if the flag is not watched.
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

    /// Groups of companies that evidence must hold without: those that contribute most.
    pub(super) fn left_out(&self) -> usize {
        self.min_companies / 2
    }
}
