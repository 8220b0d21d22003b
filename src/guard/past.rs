//! The past of a cohort: the hours of its last week.

use super::hour::{Hour, highest};
use super::kind;
use super::mark::CohortMark;
use super::past_hours::PastHours;
use crate::telemetry::Cohort;
use crate::telemetry::duration::{self, BUCKETS};

const HOUR: i64 = 3_600_000_000;
/// Hours of a day, and of a week.
const DAY: i64 = 24;
const WEEK: i64 = 7 * DAY;

/// Hours before an hour at which the day around it begins.
const HOURS_BEFORE: i64 = 11;

/// The hours of a cohort's last week.
#[derive(Debug, Clone)]
pub(super) struct CohortPast {
    /// The hours that are over.
    over: PastHours,
    /// The current hour.
    current: CurrentHour,
    /// The counters at its beginning; none after a [rest](Self::rest), when nothing is added to it.
    from: Option<CohortMark>,
}

/// An [`Hour`] in less than half the memory.
#[derive(Debug, Clone, Copy, Default)]
struct CurrentHour {
    hour: u32,
    requests: u32,
    errors: u32,
    p95: u8,
    median: u8,
}

impl CurrentHour {
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

    fn beginning(now: i64) -> Self {
        Self::of(Hour { hour: now.div_euclid(HOUR), ..Hour::default() })
    }
}

/// Usual rates of a cohort.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usual {
    /// Upper bound of the error rate, with a chance of 1 in 10,000 to be higher.
    pub error_rate: f64,
    /// The bucket of the 95th percentile.
    pub p95: usize,
    /// The bucket of the median.
    pub median: usize,
}

impl Usual {
    /// The worse of two, for each number.
    pub(super) fn or_worse(self, other: Usual) -> Usual {
        Usual {
            error_rate: self.error_rate.max(other.error_rate),
            p95: self.p95.max(other.p95),
            median: self.median,
        }
    }
}

impl CohortPast {
    /// A past that begins with these counters.
    pub(super) fn new(now: i64, cohort: &Cohort) -> Self {
        let current = CurrentHour::beginning(now);
        Self { over: PastHours::default(), current, from: Some(CohortMark::of(cohort)) }
    }

    /// Records the counters, at least once an hour. An hour with fewer than `enough` requests tells nothing.
    pub(super) fn record(&mut self, now: i64, cohort: &Cohort, enough: u64) {
        if let Some(from) = &self.from {
            let from = from.cohort();
            let durations = kind::durations(cohort, &from);
            let errors = cohort.errors.saturating_sub(from.errors);
            self.current = CurrentHour::of(Hour {
                hour: self.current.hour.into(),
                requests: cohort.requests.saturating_sub(from.requests),
                errors,
                p95: p95_of_well(&durations, errors).unwrap_or(0),
                median: duration::quantile(&durations, 0.5).unwrap_or(0),
            });
        }
        if self.from.is_none() || i64::from(self.current.hour) != now.div_euclid(HOUR) {
            self.end(enough);
            self.current = CurrentHour::beginning(now);
            self.from = Some(CohortMark::of(cohort));
        }
    }

    /// Ends the current hour.
    fn end(&mut self, enough: u64) {
        if self.tells(enough) {
            let CurrentHour { hour, p95, median, .. } = self.current;
            self.over.put(hour, self.current_rate(), p95, median);
        }
    }

    /// True if the current hour has enough requests.
    fn tells(&self, enough: u64) -> bool {
        u64::from(self.current.requests) >= enough.max(1)
    }

    fn current_rate(&self) -> f64 {
        highest(self.current.errors.into(), self.current.requests.into())
    }

    /// The usual rates, if hours of the last day have enough requests to tell.
    ///
    /// Days have their better and worse hours, so it is the worst of them; of three or more, the second worst, since one may
    /// have been exceptional.
    pub(super) fn usual(&self, now: i64, enough: u64) -> Option<Usual> {
        let current = self.tells(enough).then(|| (self.current_rate(), usize::from(self.current.p95)));
        self.usual_within(now, now.div_euclid(HOUR), current)
    }

    /// Like [`usual`](Self::usual), without the current hour.
    pub(super) fn usual_until_now(&self, now: i64) -> Option<Usual> {
        self.usual_within(now, now.div_euclid(HOUR) - 1, None)
    }

    fn usual_within(&self, now: i64, last: i64, current: Option<(f64, usize)>) -> Option<Usual> {
        let over = (now.div_euclid(HOUR) - DAY + 1..=last).filter_map(|hour| self.over.get(hour));
        let median = self.over.median().or(current.map(|_| self.current.median));
        let (error_rate, p95) = second_worst(over.chain(current).collect())?;
        Some(Usual { error_rate, p95, median: median.unwrap_or(0).into() })
    }

    /// The usual rates around this hour of the week before, if that hour was over by `until`.
    ///
    /// They are the second worst hour of the day around that hour, as a single hour varies by chance. If that hour or those
    /// beside it are worse, these count: a weekly event comes some minutes earlier or later, and by local time an hour off
    /// twice a year.
    pub(super) fn usual_a_week_ago(&self, now: i64, until: i64) -> Option<Usual> {
        let hour = now.div_euclid(HOUR) - WEEK;
        let known = |hour: i64| self.over.get(hour).filter(|_| (hour + 1) * HOUR <= until);
        known(hour)?;
        let around = (hour - HOURS_BEFORE..hour - HOURS_BEFORE + DAY).filter_map(known);
        let beside = (hour - 1..=hour + 1).filter_map(known);
        let worst = second_worst(around.collect())?;
        let (error_rate, p95) =
            beside.fold(worst, |worst, (rate, p95)| (f64::max(worst.0, rate), usize::max(worst.1, p95)));
        Some(Usual { error_rate, p95, median: self.over.median().unwrap_or(0).into() })
    }

    /// Keeps only the last week, while nothing is counted.
    pub(super) fn rest(&mut self, now: i64, enough: u64) {
        self.end(enough);
        self.over.forget(now.div_euclid(HOUR));
        self.current = CurrentHour::beginning(now);
        self.from = None;
    }

    /// The hours, including the current one as far as it was recorded.
    pub(super) fn hours(&self, enough: u64) -> PastHours {
        let mut hours = self.over.clone();
        if self.tells(enough) {
            let CurrentHour { hour, p95, median, .. } = self.current;
            hours.put(hour, self.current_rate(), p95, median);
        }
        hours
    }

    /// Puts hours that another guard saw before those that this one sees.
    pub(super) fn remember(&mut self, hours: PastHours, now: i64) {
        self.over = hours.sound(now.div_euclid(HOUR));
    }

    /// Goes on from other counters, without losing the current hour.
    pub(super) fn recount(&mut self, now: i64, cohort: &Cohort, enough: u64) {
        self.end(enough);
        self.discard(now, cohort);
    }

    /// Drops the current hour: harm that the guard ended in it was not usual.
    pub(super) fn discard(&mut self, now: i64, cohort: &Cohort) {
        self.current = CurrentHour::beginning(now);
        self.from = Some(CohortMark::of(cohort));
    }
}

/// The 95th percentile of requests that ended well, if any did: what fails at once is not quick. Which of the durations are theirs is
/// not known; the failed ones are taken for the shortest.
pub(super) fn p95_of_well(durations: &[u64; BUCKETS], errors: u64) -> Option<usize> {
    duration::quantile_of_longest(durations, errors, 0.95)
}

/// The second worst rate, and the second worst 95th percentile; the worst of fewer than three hours.
fn second_worst(hours: Vec<(f64, usize)>) -> Option<(f64, usize)> {
    let second = usize::from(hours.len() >= 3);
    let mut rates: Vec<f64> = hours.iter().map(|(rate, _)| *rate).collect();
    let mut p95s: Vec<usize> = hours.into_iter().map(|(_, p95)| p95).collect();
    rates.sort_unstable_by(|a, b| b.total_cmp(a));
    p95s.sort_unstable_by(|a, b| b.cmp(a));
    Some((*rates.get(second)?, *p95s.get(second)?))
}
