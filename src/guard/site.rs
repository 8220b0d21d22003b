//! The watch over all requests of a store together, whatever flags they asked.
//!
//! A canary that fills a shared database hurts all requests, so no comparison finds it. It leaves only a time: requests
//! anywhere left their range just after a stage was entered.

use super::control::Rate;
use super::counts::Counts;
use super::evidence::Evidence;
use super::finding::{Against, Ground, Harm, Share};
use super::past::{CohortPast, Usual};
use super::past_hours::PastHours;
use super::plausible::plausible_total;
use super::policy::Policy;
use super::stakes::TICK;
use crate::telemetry::{Cohort, duration};

/// The chance that evidence which begins while nothing is out of range comes to be enough.
const CHANCE: f64 = 1e-4;
/// Groups of companies that are left out, the worst first: one company takes nothing back.
const LEFT_OUT: usize = 1;
/// Minimum requests behind evidence.
const MIN_REQUESTS: u64 = 50;
/// Multiple of the usual error rate that is still in range.
const RANGE: f64 = 2.0;
/// Rates up to the least are always in range, and rates from the most on never are.
const LEAST_RANGE: f64 = 0.02;
const MOST_RANGE: f64 = 0.9;
/// Share of all requests that are slower than the 95th percentile.
const SLOWEST: f64 = 0.05;
/// Samples further apart than this, in microseconds, are not combined.
const GAP: i64 = 60_000_000;

/// The watch over all requests.
#[derive(Debug, Clone)]
pub(super) struct Site {
    at: i64,
    before: Cohort,
    past: CohortPast,
    next_tick: i64,
    /// True if the usual rates are known.
    compared: bool,
    /// True if the range of errors is a guess, since nothing was usual yet.
    guessed: bool,
    /// Errors, and slow requests, since the last tick.
    lately: (Rate, Rate),
    /// Evidence and limit for errors; evidence and bucket for slow requests.
    errors: (Evidence, f64),
    slow: Option<(Evidence, usize)>,
}

/// Requests that are out of their range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trouble {
    /// Errors or slowness.
    pub harm: Harm,
    /// The rate that they were compared with.
    pub against: Against,
    /// All requests, and those that failed or were slow.
    pub all: Share,
    /// The highest rate within range.
    pub limit: f64,
    /// Limit in microseconds; 0 where the harm is errors.
    pub slower: u64,
    /// Groups of companies affected.
    pub companies: usize,
    /// Beginning of the evidence, in microseconds since 1970.
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
            failed: None,
            companies: self.companies,
            since: self.since,
            at,
            changed_at,
            through: None,
            protection: None,
            action: policy.action,
        }
    }
}

/// The highest error rate that is in range.
fn highest_in_range(usual: Option<Usual>) -> f64 {
    let range = |usual: Usual| (usual.error_rate * RANGE).clamp(LEAST_RANGE, MOST_RANGE);
    usual.map_or(Policy::default().error_rate, range)
}

impl Site {
    pub(super) fn new(at: i64, total: &Cohort) -> Self {
        let errors = (Evidence::new(at, CHANCE, LEFT_OUT), Policy::default().error_rate);
        let past = CohortPast::new(at, total);
        Self {
            at,
            before: total.clone(),
            past,
            next_tick: at,
            compared: false,
            guessed: true,
            lately: Default::default(),
            errors,
            slow: None,
        }
    }

    /// A watch that knows the hours which another guard saw.
    pub(super) fn resumed(at: i64, total: &Cohort, hours: PastHours) -> Self {
        let mut site = Self::new(at, total);
        site.past.remember(hours, at);
        let usual = site.usual(at);
        site.compared = usual.is_some();
        site.guessed = usual.is_none();
        site.errors.1 = highest_in_range(usual);
        site
    }

    /// The hours, for the next guard.
    pub(super) fn hours(&self) -> PastHours {
        self.past.hours(MIN_REQUESTS)
    }

    /// Goes on from other counters: what they counted is of long ago.
    pub(super) fn recount(&mut self, at: i64, total: &Cohort) {
        self.past.recount(at, total, MIN_REQUESTS);
        self.skip(at, total);
    }

    /// The usual rates. Those of a week ago are usual too: a job that runs each week is no outage.
    fn usual(&self, at: i64) -> Option<Usual> {
        let week = self.past.usual_a_week_ago(at, at);
        let usual = self.past.usual(at, MIN_REQUESTS)?;
        Some(week.map_or(usual, |week| usual.or_worse(week)))
    }

    /// Drops all evidence until now.
    pub(super) fn skip(&mut self, at: i64, total: &Cohort) {
        self.at = at;
        self.before.clone_from(total);
        self.past.discard(at, total);
        self.errors.0 = Evidence::new(at, CHANCE, LEFT_OUT);
        self.slow = None;
        self.next_tick = at;
    }

    /// Takes in a sample; returns the trouble, if requests are out of their range.
    pub(super) fn observe(&mut self, at: i64, total: &Cohort) -> Option<Trouble> {
        let shrank = total.requests < self.before.requests || total.errors < self.before.errors;
        if shrank || at < self.at || !plausible_total(total, &self.before, at - self.at) {
            self.recount(at, total);
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

    /// Runs every ten seconds: updates the usual rates while nothing speaks against them, and restarts evidence.
    fn tick(&mut self, at: i64, earlier: i64) {
        self.next_tick = at + TICK;
        self.past.record(earlier, &self.before, MIN_REQUESTS);
        // Harm that is over counts no more, however much of it there was.
        let (errors, slow) = std::mem::take(&mut self.lately);
        let over = |rate: Rate, limit: f64| rate.requests >= MIN_REQUESTS && rate.share() <= limit;
        if over(errors, self.errors.1) {
            self.errors.0 = Evidence::new(earlier, CHANCE, LEFT_OUT);
        }
        if over(slow, SLOWEST) {
            self.slow = None;
        }
        let usual = self.usual(earlier);
        self.compared = usual.is_some();
        // Where more than the guess always fails, the first hour that is over says so.
        if self.guessed && self.past.usual_until_now(earlier).is_some() {
            self.errors.0 = Evidence::new(earlier, CHANCE, LEFT_OUT);
        }
        if self.errors.0.progress() == 0.0 {
            self.errors.1 = highest_in_range(usual);
            self.guessed = usual.is_none();
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
            (all.requests >= MIN_REQUESTS && all.rate() > limit).then_some(Trouble {
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
