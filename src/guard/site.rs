//! All requests of a store together, whatever flags they asked.
//!
//! A canary that fills a shared database hurts everybody, so that no comparison finds it. What it leaves is a time: requests
//! anywhere left their range just after a stage was entered.

use super::control::Rate;
use super::counts::Counts;
use super::evidence::Evidence;
use super::finding::{Against, Ground, Harm, Share};
use super::past::Past;
use super::plausible::plausible_total;
use super::policy::Policy;
use super::stakes::TICK;
use crate::telemetry::{Cohort, duration};

/// The chance that a beginning of evidence comes to something although nothing is out of range.
const CHANCE: f64 = 1e-4;
/// Without the worst group of companies: one company takes nothing back.
const LEFT_OUT: usize = 1;
/// Requests that evidence rests on at least.
const ENOUGH: u64 = 50;
/// So many times the usual rate of errors is in range.
const RANGE: f64 = 2.0;
/// Rates up to here are in range whatever was usual, and rates from there on are not.
const LEAST_RANGE: f64 = 0.02;
const MOST_RANGE: f64 = 0.9;
/// Of all requests so many are slower than the 95th percentile.
const SLOWEST: f64 = 0.05;
/// Samples further apart than this, in microseconds, are not one story.
const GAP: i64 = 60_000_000;

/// Watches all requests.
#[derive(Debug, Clone)]
pub(super) struct Site {
    at: i64,
    before: Cohort,
    past: Past,
    next_tick: i64,
    /// Whether it is known what is usual.
    compared: bool,
    /// Errors, and slow requests, since the last tick.
    lately: (Rate, Rate),
    /// Errors, and slow requests with the bucket after which they are slow.
    errors: (Evidence, f64),
    slow: Option<(Evidence, usize)>,
}

/// Requests are out of their range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trouble {
    /// What is wrong.
    pub harm: Harm,
    /// What they were held against.
    pub against: Against,
    /// All requests, and those that failed or were slow.
    pub all: Share,
    /// The rate that is within range.
    pub limit: f64,
    /// Microseconds; 0 where the harm is errors.
    pub slower: u64,
    /// Groups of companies that it happened to.
    pub companies: usize,
    /// When the evidence begins, in microseconds since 1970.
    pub since: i64,
}

impl Trouble {
    pub(super) fn finding(self, flag: &str, at: i64, changed_at: i64, policy: &Policy) -> super::Finding {
        super::Finding {
            flag: flag.to_owned(),
            harm: self.harm,
            against: self.against,
            ground: Ground::Stage,
            on: self.all,
            off: Share::default(),
            limit: self.limit,
            slower: self.slower,
            companies: self.companies,
            since: self.since,
            at,
            changed_at,
            through: None,
            action: policy.action,
        }
    }
}

impl Site {
    pub(super) fn new(at: i64, total: &Cohort) -> Self {
        let errors = (Evidence::new(at, CHANCE, LEFT_OUT), Policy::default().error_rate);
        let past = Past::new(at, total);
        Self {
            at,
            before: total.clone(),
            past,
            next_tick: at,
            compared: false,
            lately: Default::default(),
            errors,
            slow: None,
        }
    }

    /// Nothing until now is evidence.
    pub(super) fn skip(&mut self, at: i64, total: &Cohort) {
        self.at = at;
        self.before.clone_from(total);
        self.past.discard(at, total);
        self.errors.0 = Evidence::new(at, CHANCE, LEFT_OUT);
        self.slow = None;
        self.next_tick = at;
    }

    /// Takes in a sample.
    pub(super) fn observe(&mut self, at: i64, total: &Cohort) -> Option<Trouble> {
        let shrank = total.requests < self.before.requests || total.errors < self.before.errors;
        if shrank || at < self.at || !plausible_total(total, &self.before, at - self.at) {
            *self = Self::new(at, total);
            return None;
        }
        if at - self.at > GAP {
            self.skip(at, total);
            return None;
        }
        let earlier = std::mem::replace(&mut self.at, at);
        if at >= self.next_tick {
            self.tick(at, earlier);
        }
        let errors = Counts::errors(total, &self.before);
        self.errors.0.exceed(&errors, self.errors.1);
        self.lately.0.add(Rate { requests: errors.requests, hits: errors.hits });
        if let Some((slow, bucket)) = &mut self.slow {
            let counts = Counts::slow(total, &self.before, *bucket);
            slow.exceed(&counts, SLOWEST);
            self.lately.1.add(Rate { requests: counts.requests, hits: counts.hits });
        }
        self.before.clone_from(total);
        self.trouble()
    }

    /// Every ten seconds: what is usual is brought up to date while nothing speaks against it, and evidence begins anew.
    fn tick(&mut self, at: i64, earlier: i64) {
        self.next_tick = at + TICK;
        self.past.record(earlier, &self.before);
        // What is over speaks against nothing any more, however much of it there was.
        let (errors, slow) = std::mem::take(&mut self.lately);
        let over = |rate: Rate, limit: f64| rate.requests >= ENOUGH && rate.share() <= limit;
        if over(errors, self.errors.1) {
            self.errors.0 = Evidence::new(earlier, CHANCE, LEFT_OUT);
        }
        if over(slow, SLOWEST) {
            self.slow = None;
        }
        let usual = self.past.usual(earlier, ENOUGH);
        self.compared = usual.is_some();
        if self.errors.0.progress() == 0.0 {
            self.errors.1 = usual.map_or(Policy::default().error_rate, |usual| {
                (usual.error_rate * RANGE).clamp(LEAST_RANGE, MOST_RANGE)
            });
        }
        self.errors.0.renew(earlier, CHANCE);
        let longest = |p95| (duration::upper(p95) as f64 * Policy::default().relative_p95) as u64;
        let bucket = usual.map(|usual| duration::bucket(longest(usual.p95)));
        self.slow = match (self.slow.take(), bucket) {
            (Some((mut slow, kept)), bucket) if slow.progress() > 0.0 || Some(kept) == bucket => {
                slow.renew(earlier, CHANCE);
                Some((slow, kept))
            }
            (_, bucket) => bucket.map(|bucket| (Evidence::new(earlier, CHANCE, LEFT_OUT), bucket)),
        };
    }

    fn trouble(&self) -> Option<Trouble> {
        let against = if self.compared { Against::Past } else { Against::Limit };
        let of = |evidence: &Evidence, limit: f64, slow: Option<usize>| {
            let seen = evidence.found()?;
            let all = Share { requests: seen.on.0, hits: seen.on.1 };
            let harm = if slow.is_some() { Harm::Slow } else { Harm::Errors };
            (all.requests >= ENOUGH && all.rate() > limit).then_some(Trouble {
                harm,
                against,
                all,
                limit,
                slower: slow.map_or(0, duration::upper),
                companies: seen.groups,
                since: seen.since,
            })
        };
        of(&self.errors.0, self.errors.1, None).or_else(|| {
            let (slow, bucket) = self.slow.as_ref()?;
            of(slow, SLOWEST, Some(*bucket))
        })
    }
}
