//! What a cohort was like before: the hours of its last day.

use super::kind;
use super::mark::CohortMark;
use super::memory::Hour;
use crate::telemetry::Cohort;
use crate::telemetry::duration;

const HOUR: i64 = 3_600_000_000;
const HOURS: usize = 24;

/// The chance that a rate is higher than [`Usual::error_rate`] says, given its hour's numbers: one in so many, each time that it is asked.
const SURE: f64 = 10_000.0;

/// The hours of a cohort's last day.
#[derive(Debug, Clone)]
pub(super) struct Past {
    hours: Vec<PackedHour>,
    /// The counters when the last of them began; none after a [rest](Self::rest), when nothing is to be added to it.
    from: Option<CohortMark>,
}

/// An [`Hour`] in less than half of the room.
#[derive(Debug, Clone, Copy)]
struct PackedHour {
    hour: u32,
    requests: u32,
    errors: u32,
    p95: u8,
    median: u8,
}

impl PackedHour {
    fn of(hour: Hour) -> Self {
        let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let bucket = |bucket: usize| u8::try_from(bucket).unwrap_or(u8::MAX);
        Self {
            hour: u32::try_from(hour.hour.max(0)).unwrap_or(u32::MAX),
            requests: number(hour.requests),
            errors: number(hour.errors),
            p95: bucket(hour.p95),
            median: bucket(hour.median),
        }
    }

    fn hour(self) -> Hour {
        Hour {
            hour: self.hour.into(),
            requests: self.requests.into(),
            errors: self.errors.into(),
            p95: self.p95.into(),
            median: self.median.into(),
        }
    }
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
        let mut past = Self { hours: Vec::new(), from: None };
        past.begin(now, cohort);
        past
    }

    fn each(&self) -> impl Iterator<Item = Hour> {
        self.hours.iter().map(|hour| hour.hour())
    }

    /// Takes the counters down, at least once an hour.
    pub(super) fn record(&mut self, now: i64, cohort: &Cohort) {
        if let (Some(last), Some(from)) = (self.hours.last_mut(), &self.from) {
            let from = from.cohort();
            let durations = kind::durations(cohort, &from);
            *last = PackedHour::of(Hour {
                hour: last.hour.into(),
                requests: cohort.requests.saturating_sub(from.requests),
                errors: cohort.errors.saturating_sub(from.errors),
                p95: duration::quantile(&durations, 0.95).unwrap_or(0),
                median: duration::quantile(&durations, 0.5).unwrap_or(0),
            });
        }
        if self.from.is_none() || self.each().last().is_none_or(|last| last.hour != now.div_euclid(HOUR)) {
            self.begin(now, cohort);
        }
    }

    fn begin(&mut self, now: i64, cohort: &Cohort) {
        if self.hours.len() >= HOURS {
            self.hours.remove(0);
        }
        self.from = Some(CohortMark::of(cohort));
        let hour = now.div_euclid(HOUR);
        self.hours.reserve_exact(1);
        self.hours.push(PackedHour::of(Hour { hour, ..Hour::default() }));
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
        let within = |hour: &Hour| hour.hour > first && hour.hour <= last;
        let hours: Vec<Hour> =
            self.each().filter(within).filter(|hour| hour.requests >= enough.max(1)).collect();
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
    /// Keeps what is known of the last day, while nothing is counted.
    pub(super) fn rest(&mut self, now: i64) {
        let first = now.div_euclid(HOUR) - HOURS as i64;
        self.hours.retain(|hour| hour.requests > 0 && i64::from(hour.hour) > first);
        self.hours.shrink_to_fit();
        self.from = None;
    }

    /// The hours, the one that goes on as far as it was taken down.
    pub(super) fn hours(&self) -> Vec<Hour> {
        self.each().filter(|hour| hour.requests > 0).collect()
    }

    /// Hours that another guard saw come before those that this one sees.
    pub(super) fn remember(&mut self, hours: Vec<Hour>, now: i64) {
        let hour = now.div_euclid(HOUR);
        let known = hours.into_iter().filter(|known| known.hour > hour - HOURS as i64 && known.hour <= hour);
        let mut known: Vec<Hour> = known.filter(|known| known.errors <= known.requests).collect();
        known.sort_unstable_by_key(|known| known.hour);
        let older = known.split_off(known.len().saturating_sub(HOURS - 1));
        self.hours.splice(0..0, older.into_iter().map(PackedHour::of));
    }

    /// Leaves out the hour that goes on: what the guard ended in it was not usual.
    pub(super) fn discard(&mut self, now: i64, cohort: &Cohort) {
        self.hours.pop();
        self.begin(now, cohort);
    }
}
