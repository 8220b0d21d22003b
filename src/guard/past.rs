//! What a cohort was like before: the hours of its last day.

use super::kind;
use super::memory::Hour;
use crate::telemetry::Cohort;
use crate::telemetry::duration;
use std::collections::VecDeque;

const HOUR: i64 = 3_600_000_000;
const HOURS: usize = 24;

/// The chance that a rate is higher than [`Usual::error_rate`] says, given its hour's numbers: one in so many, each time that it is asked.
const SURE: f64 = 10_000.0;

/// The hours of a cohort's last day.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    hours: VecDeque<Hour>,
    /// The counters when the last of them began.
    from: Cohort,
}

/// What was usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usual {
    /// At most so many of the requests failed, but for one chance in 10,000.
    pub error_rate: f64,
    /// The bucket of the 95th percentile.
    pub p95: usize,
    /// The bucket of the median.
    pub median: usize,
}

impl Past {
    /// Nothing is known of what was before these counters.
    pub(super) fn new(now: i64, cohort: &Cohort) -> Self {
        let mut past = Self { hours: VecDeque::new(), from: cohort.clone() };
        past.begin(now, cohort);
        past
    }

    /// Whether an hour that began after `changed_at` was as busy as the busiest of those that are known before it.
    pub(super) fn saw_busiest_hour(&self, changed_at: i64, now: i64) -> bool {
        let (changed, current) = (changed_at.div_euclid(HOUR), now.div_euclid(HOUR));
        let busiest = |within: &dyn Fn(&Hour) -> bool| {
            self.hours.iter().filter(|hour| within(hour)).map(|hour| hour.requests).max().unwrap_or(0)
        };
        let before = busiest(&|hour| hour.hour <= changed);
        busiest(&|hour| hour.hour > changed && hour.hour <= current) >= before
    }

    /// Takes the counters down, at least once an hour.
    pub(super) fn record(&mut self, now: i64, cohort: &Cohort) {
        if let Some(last) = self.hours.back_mut() {
            last.requests = cohort.requests.saturating_sub(self.from.requests);
            last.errors = cohort.errors.saturating_sub(self.from.errors);
            let durations = kind::durations(cohort, &self.from);
            last.p95 = duration::quantile(&durations, 0.95).unwrap_or(0);
            last.median = duration::quantile(&durations, 0.5).unwrap_or(0);
        }
        if self.hours.back().is_none_or(|last| last.hour != now.div_euclid(HOUR)) {
            self.begin(now, cohort);
        }
    }

    fn begin(&mut self, now: i64, cohort: &Cohort) {
        if self.hours.len() == HOURS {
            self.hours.pop_front();
        }
        self.from.clone_from(cohort);
        let hour = now.div_euclid(HOUR);
        self.hours.push_back(Hour { hour, ..Hour::default() });
    }

    /// What was usual, if there are hours of the last day with enough requests to tell.
    ///
    /// Days have their better and worse hours, so it is the worst of them; if there are three or more, the second worst,
    /// since one may have been out of the ordinary.
    pub(super) fn usual(&self, now: i64, enough: u64) -> Option<Usual> {
        self.usual_within(now, now.div_euclid(HOUR), enough)
    }

    /// The same, without the hour that goes on.
    pub(super) fn usual_until_now(&self, now: i64, enough: u64) -> Option<Usual> {
        self.usual_within(now, now.div_euclid(HOUR) - 1, enough)
    }

    fn usual_within(&self, now: i64, last: i64, enough: u64) -> Option<Usual> {
        let first = now.div_euclid(HOUR) - HOURS as i64;
        let within = |hour: &&Hour| hour.hour > first && hour.hour <= last;
        let hours: Vec<&Hour> =
            self.hours.iter().filter(within).filter(|hour| hour.requests >= enough.max(1)).collect();
        let second = usize::from(hours.len() >= 3);
        let worst = |mut values: Vec<f64>| {
            values.sort_unstable_by(|a, b| b.total_cmp(a));
            values.get(second).copied()
        };
        Some(Usual {
            error_rate: worst(hours.iter().map(|hour| highest(hour.errors, hour.requests)).collect())?,
            p95: worst(hours.iter().map(|hour| hour.p95 as f64).collect())? as usize,
            median: worst(hours.iter().map(|hour| hour.median as f64).collect())? as usize,
        })
    }
}

/// The highest rate at which so few hits are not a wonder: where n·KL(hits/n, rate) = ln 10,000 (Chernoff's bound).
fn highest(hits: u64, n: u64) -> f64 {
    let n = n.max(1) as f64;
    let seen = (hits as f64 / n).min(1.0);
    let term = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    let (mut low, mut high) = (seen, 1.0);
    for _ in 0..50 {
        let middle = (low + high) / 2.0;
        let divergence = term(seen, middle) + term(1.0 - seen, 1.0 - middle);
        if n * divergence < SURE.ln() { low = middle } else { high = middle }
    }
    high
}

impl Past {
    /// The hours, the one that goes on as far as it was taken down.
    pub(super) fn hours(&self) -> Vec<Hour> {
        self.hours.iter().copied().filter(|hour| hour.requests > 0).collect()
    }

    /// Hours that another guard saw come before those that this one sees.
    pub(super) fn remember(&mut self, hours: Vec<Hour>, now: i64) {
        let hour = now.div_euclid(HOUR);
        let known = hours.into_iter().filter(|known| known.hour > hour - HOURS as i64 && known.hour <= hour);
        let mut known: Vec<Hour> = known.filter(|known| known.errors <= known.requests).collect();
        known.sort_unstable_by_key(|known| known.hour);
        known.into_iter().rev().take(HOURS - 1).for_each(|known| self.hours.push_front(known));
    }

    /// Leaves out the hour that goes on: what the guard ended in it was not usual.
    pub(super) fn discard(&mut self, now: i64, cohort: &Cohort) {
        self.hours.pop_back();
        self.begin(now, cohort);
    }
}
