//! Companies, their traffic and their errors.

use super::chance::Chance;
use flagstone::telemetry::{Cohort, Exposure, GROUPS, duration};

/// How many companies there are, and how unequal.
#[derive(Clone, Copy, Debug)]
pub enum Companies {
    /// Of much the same size: lognormal, σ = 0.5.
    Alike(usize),
    /// The n-th has a share of 1/n (Zipf): of 300, the largest makes 16 % of all requests.
    Unequal(usize),
}

/// One company.
#[derive(Clone, Debug)]
pub struct Company {
    /// Of all requests.
    pub share: f64,
    pub group: usize,
    /// Its error rate is so many times the usual one, lognormal, σ = 0.4: not all have the same data.
    pub frailty: f64,
    /// Its requests take so many times as long, lognormal, σ = 0.2.
    pub heaviness: f64,
    /// Where its bucket lies, 0 to 1.
    pub bucket: f64,
}

pub fn companies(kind: Companies, chance: &mut Chance) -> Vec<Company> {
    let (count, unequal) = match kind {
        Companies::Alike(count) => (count, false),
        Companies::Unequal(count) => (count, true),
    };
    let mut companies: Vec<Company> = (0..count)
        .map(|n| Company {
            share: if unequal { 1.0 / (n + 1) as f64 } else { (0.5 * chance.normal()).exp() },
            group: (chance.unit() * GROUPS as f64) as usize,
            frailty: (0.4 * chance.normal() - 0.08).exp(),
            heaviness: (0.2 * chance.normal()).exp(),
            bucket: chance.unit(),
        })
        .collect();
    let all: f64 = companies.iter().map(|company| company.share).sum();
    companies.iter_mut().for_each(|company| company.share /= all);
    companies
}

/// The companies of one cohort, taken together by group.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// Share of all requests by group.
    share: [f64; GROUPS],
    /// The same, each request counted by its company's frailty.
    frail: [f64; GROUPS],
    /// The same, by its company's heaviness.
    heavy: [f64; GROUPS],
    /// Fractions of requests that are still to come, so that traffic is even and its sum right.
    due: [f64; GROUPS],
    slow_due: f64,
}

/// What a cohort's requests are like in one step.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Of requests fail, before frailty.
    pub errors: f64,
    /// Median in seconds; durations are lognormal, σ = 0.6.
    pub median: f64,
}

/// One company that is different: in which group, its share of all requests, and how it fails and how long it takes.
#[derive(Clone, Copy, Debug)]
pub struct Odd {
    pub group: usize,
    pub share: f64,
    pub errors: f64,
    pub slower: f64,
}

/// Durations come in so many equally likely parts, each standing for its middle.
const PARTS: usize = 20;
/// `exp(0.6 z)` of the middles of 20 equal parts of the normal distribution.
const SPREAD: [f64; PARTS] = [
    0.308, 0.422, 0.502, 0.571, 0.635, 0.698, 0.762, 0.828, 0.893, 0.963, 1.039, 1.120, 1.208, 1.312, 1.432,
    1.574, 1.752, 1.991, 2.372, 3.242,
];

impl Side {
    pub fn of<'a>(companies: impl Iterator<Item = &'a Company>) -> Self {
        let mut side = Self::default();
        for company in companies {
            side.share[company.group] += company.share;
            side.frail[company.group] += company.share * company.frailty;
            side.heavy[company.group] += company.share * company.heaviness;
        }
        side
    }

    pub fn share(&self) -> f64 {
        self.share.iter().sum()
    }

    /// Counts a step's requests, of which `all` are expected of all companies, into a cohort.
    pub fn step(
        &mut self,
        cohort: &mut Cohort,
        all: f64,
        manner: Manner,
        odd: Option<Odd>,
        chance: &mut Chance,
    ) {
        let (share, mut frail) = (self.share(), self.frail);
        if let Some(odd) = odd {
            frail[odd.group] += odd.share * (odd.errors / manner.errors.max(1e-9) - 1.0);
        }
        let mut counts = [0_u64; GROUPS];
        for ((due, count), share) in self.due.iter_mut().zip(&mut counts).zip(&self.share) {
            *due += all * share;
            *count = *due as u64;
            *due -= *count as f64;
        }
        for (group, count) in counts.iter().enumerate() {
            // Of requests that are there, and no more of them than there are.
            let share = manner.errors * frail[group] / self.share[group].max(1e-12);
            let errors = chance.poisson(*count as f64 * share.min(1.0)).min(*count);
            cohort.groups[group].errors += errors;
            cohort.errors += errors;
        }
        let requests: u64 = counts.iter().sum();
        cohort.requests += requests;
        let heaviness = self.heavy.iter().sum::<f64>() / share.max(1e-12);
        let odd_slow = odd.filter(|odd| odd.slower > 1.0).map(|odd| {
            let count = (odd.share / self.share[odd.group].max(1e-12)).min(1.0) * counts[odd.group] as f64;
            (odd, count)
        });
        for (group, count) in counts.iter().enumerate() {
            let of = &mut cohort.groups[group];
            of.requests += count;
            let heavy = self.heavy[group] / self.share[group].max(1e-12);
            let mut mean = manner.median * heavy * 1.2;
            if let Some((odd, odd_count)) = odd_slow.filter(|(odd, _)| odd.group == group) {
                mean *= 1.0 + odd_count / (*count).max(1) as f64 * (odd.slower - 1.0);
            }
            let spread = 1.0 + 0.7 / (*count).max(1) as f64 * chance_near(chance);
            of.time += (*count as f64 * mean * spread.max(0.2) * 1e6) as u64;
        }
        let slow = odd_slow.map_or(0.0, |(_, count)| count) + self.slow_due;
        let slow_count = (slow as u64).min(requests);
        self.slow_due = slow - slow_count as f64;
        spread_over(cohort, requests - slow_count, manner.median * heaviness, chance);
        if let Some((odd, _)) = odd_slow {
            spread_over(cohort, slow_count, manner.median * heaviness * odd.slower, chance);
        }
    }
}

fn chance_near(chance: &mut Chance) -> f64 {
    chance.unit() * 2.0 - 1.0
}

/// Spreads requests over the parts: where there are many, each gets its share, and the rest falls where it may.
fn spread_over(cohort: &mut Cohort, requests: u64, median: f64, chance: &mut Chance) {
    let bucket = |part: usize| duration::bucket((median * SPREAD[part] * 1e6) as u64);
    let each = requests / PARTS as u64;
    if each > 0 {
        (0..PARTS).for_each(|part| cohort.durations[bucket(part)] += each);
    }
    for _ in 0..requests % PARTS as u64 {
        cohort.durations[bucket((chance.unit() * PARTS as f64) as usize)] += 1;
    }
}

/// The counters of a flag whose cohorts are these.
#[derive(Default)]
pub struct Counters {
    pub exposure: Exposure,
    pub gated_due: f64,
}

impl Counters {
    pub fn gated(&mut self, requests: f64) {
        self.gated_due += requests;
        self.exposure.gated += self.gated_due as u64;
        self.gated_due -= self.gated_due.floor();
    }
}
