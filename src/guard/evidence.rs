//! Evidence that remains valid however often it is looked at.
//!
//! A bet against "the flag does no harm": its stake is multiplied, second by second, by factors whose expectation is at
//! most 1 if the flag does none, whatever happened before. Such wealth grows by a factor of c with a probability of at most
//! 1/c, ever (Ville's inequality), so nothing is lost by looking each second and acting at once (Ramdas, Grünwald, Vovk and
//! Shafer 2023, "Game-theoretic statistics and safe anytime-valid inference"). Wealth is kept as its logarithm, in nats.
//!
//! **Against another cohort.** Let n requests be answered on and m off, with error rates p and q, and let p be at most r·q.
//! An error on multiplies by a, one off by b, where a = θ/θ₀, b = (1 − θ)/(1 − θ₀), θ₀ = rn/(rn + m) is an "on" error's share
//! of all errors at the limit, and θ = ρrn/(ρrn + m) its share if the limit is exceeded ρ times. The expectation is
//! (1 + p(a − 1))ⁿ (1 + q(b − 1))ᵐ ≤ exp(np(a − 1) + mq(b − 1)), which is at most 1, since rn(a − 1) = m(1 − b). The rates need be
//! neither known nor constant: an outage that hits both cohorts is within the limit in each second. It is the conditional
//! test of two Poisson rates, made a bet (compare Turner, Ly and Grünwald 2024, "Generic e-variables for exact sequential
//! k-sample tests").
//!
//! **Against a limit** q: an error multiplies by ρ, any other request by (1 − ρq)/(1 − q) (Wald 1945).
//!
//! **Without the worst companies.** Errors of one company are not independent, and one company must turn nothing off. So
//! evidence counts only as far as it remains when the k groups of companies which contribute most are left out: it is a bet
//! against "no more than k groups are harmed", the partial conjunction of Benjamini and Heller 2008, with a chance of a false
//! alarm of five times that of all groups together, which has to be kept as well. For the comparison, a group bears its share
//! of the off-cohort's errors: by the concavity of the logarithm, ln b · s ≤ ln(1 − s(1 − b)), so that the bet without some
//! groups is one at which the flag has no advantage.
//!
//! **The size of the harm** is unknown beforehand, so the stake is divided among three bets. A bet that came to nothing
//! starts again with a new stake; together they are bounded by the sum of their [stakes](super::stakes).

use super::control::Rate;
use super::counts::Counts;
use crate::telemetry::GROUPS;

/// Factors by which the limit is exceeded, and the part of the stake that is bet on each.
const BETS: [(f64, f64); 3] = [(1.5, 0.25), (3.5, 0.4), (10.0, 0.35)];

/// Factor by which the worst companies, whatever they do, can raise the chance of a false alarm.
const ALLOWED: f64 = 5.0;

/// Maximum rate that is bet on.
const HIGHEST: f64 = 0.95;

/// Three bets on one thing.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    bets: [Bet; BETS.len()],
    /// The least that the first bet came to, and requests and hits of the controls since: harm began then, so far as it can be told.
    lowest: f32,
    controls: (u32, u32),
    /// Groups that are left out.
    left_out: u8,
}

#[derive(Debug, Clone, Default)]
struct Bet {
    /// Nats that are enough.
    enough: f64,
    /// Nats of all groups together.
    total: f64,
    /// Nats of each group, at most: rounded up, which favors the flag.
    groups: [f32; GROUPS],
    seen: Sums,
}

/// The counts behind a bet.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Sums {
    since: i64,
    on: (u32, u32),
    off: (u32, u32),
}

/// The counts behind evidence.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Seen {
    /// Beginning of the evidence, in microseconds since 1970.
    pub since: i64,
    /// Requests and hits on.
    pub on: (u64, u64),
    /// Requests and hits of the cohort or controls that it is compared with.
    pub off: (u64, u64),
    /// Those of the controls since harm began: the evidence may begin up to a tick before it.
    pub during: (u64, u64),
    /// Groups of companies that speak against the flag.
    pub groups: usize,
}

/// Hits that become known long after the other requests of their time, and those requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Late {
    pub on: Counts,
    pub off: Counts,
    /// Beginning of the other requests' count, in microseconds since 1970; then their rates, on and off.
    pub since: i64,
    pub among: (Rate, Rate),
}

impl Evidence {
    /// No evidence yet. `chance` is the chance of a false alarm that it starts with.
    pub(super) fn new(now: i64, chance: f64, left_out: usize) -> Self {
        let left_out = u8::try_from(left_out).unwrap_or(u8::MAX);
        let mut evidence = Self { bets: Default::default(), lowest: 0.0, controls: (0, 0), left_out };
        for (bet, (_, part)) in evidence.bets.iter_mut().zip(BETS) {
            bet.begin(now, chance * part);
        }
        evidence
    }

    /// Restarts bets that came to nothing.
    pub(super) fn renew(&mut self, now: i64, chance: f64) {
        let left_out = self.left_out();
        for (bet, (_, part)) in self.bets.iter_mut().zip(BETS) {
            if bet.nats(left_out) <= 0.0 {
                bet.begin(now, chance * part);
            }
        }
        if self.bets[0].total == 0.0 {
            (self.lowest, self.controls) = (0.0, (0, 0));
        }
    }

    /// Bets that the on-cohort has more than `ratio` times the other's rate of hits.
    pub(super) fn compare(&mut self, on: &Counts, off: &Counts, ratio: f64) {
        self.bets.iter_mut().for_each(|bet| bet.seen.add(on, off));
        if on.hits.max(off.hits) == 0 || on.requests == 0 || off.requests == 0 {
            return;
        }
        let share = |group: usize| {
            let part = on.groups.get(group).map_or(0, |part| part.requests);
            part as f64 / on.requests as f64
        };
        self.bet_on(on, off, (on.requests, off.requests), ratio, share);
    }

    /// Like [`compare`](Self::compare), for hits that become known long after the other requests of their time.
    ///
    /// The probability that a given hit is one of those on follows from the numbers of requests on and off, whenever the hit
    /// becomes known. Each group of companies bears the same share of a hit off.
    pub(super) fn compare_late(&mut self, late: &Late, ratio: f64) {
        let Late { on, off, since, among: (of_on, of_off) } = late;
        for bet in &mut self.bets {
            bet.seen.reach_back(*since, *of_on, *of_off);
            bet.seen.add(on, off);
        }
        if of_on.requests > 0 && of_off.requests > 0 {
            let all =
                (of_on.requests.saturating_add(on.requests), of_off.requests.saturating_add(off.requests));
            self.bet_on(on, off, all, ratio, |_| 1.0 / GROUPS as f64);
        }
    }

    /// Bets on hits among these numbers of requests on and off. `share`: the part of the hits off that each group bears.
    fn bet_on(
        &mut self,
        on: &Counts,
        off: &Counts,
        (requests_on, requests_off): (u64, u64),
        ratio: f64,
        share: impl Fn(usize) -> f64,
    ) {
        let (n, m) = (requests_on as f64 * ratio, requests_off as f64);
        let at_limit = n / (n + m);
        for (bet, (times, _)) in self.bets.iter_mut().zip(BETS) {
            let beyond = n * times / (n * times + m);
            let gain = (beyond / at_limit).ln();
            let loss = off.hits as f64 * ((1.0 - beyond) / (1.0 - at_limit)).ln();
            bet.total += on.hits as f64 * gain + loss;
            for (group, (nats, part)) in bet.groups.iter_mut().zip(&on.groups).enumerate() {
                *nats = up(f64::from(*nats) + part.hits_at_most * gain + share(group) * loss);
            }
        }
    }

    /// Bets that the on-cohort's rate of hits is higher than `limit`, which is below [`HIGHEST`].
    pub(super) fn exceed(&mut self, on: &Counts, limit: f64) {
        self.exceed_beside(on, Rate::default(), limit);
    }

    /// Like [`exceed`](Self::exceed). `controls` of the same time are kept in [`Seen::off`], and are no part of the bet.
    pub(super) fn exceed_beside(&mut self, on: &Counts, controls: Rate, limit: f64) {
        let beside = Counts { requests: controls.requests, hits: controls.hits, ..Counts::default() };
        for (bet, (times, _)) in self.bets.iter_mut().zip(BETS) {
            bet.seen.add(on, &beside);
            if on.requests == 0 {
                continue;
            }
            let beyond = (limit * times).min(HIGHEST);
            let gain = (beyond / limit).ln();
            let loss = ((1.0 - beyond) / (1.0 - limit)).ln();
            let nats = |requests: f64, hits: f64| hits * gain + (requests - hits).max(0.0) * loss;
            bet.total += nats(on.requests as f64, on.hits as f64);
            for (group, part) in bet.groups.iter_mut().zip(&on.groups) {
                *group = up(f64::from(*group) + nats(part.requests as f64, part.hits_at_most));
            }
        }
        let total = self.bets[0].total as f32;
        if total <= self.lowest {
            (self.lowest, self.controls) = (total, (0, 0));
        } else {
            self.controls = sum(self.controls, &beside);
        }
    }

    fn left_out(&self) -> usize {
        self.left_out.into()
    }

    /// The counts behind the bet that came furthest, if all three together are enough.
    pub(super) fn found(&self) -> Option<Seen> {
        (self.wealth() >= 1.0).then(|| self.seen())
    }

    /// The counts behind the bet that came furthest.
    pub(super) fn seen(&self) -> Seen {
        let far = |bet: &Bet| bet.nats(self.left_out()) - bet.enough;
        let [first, others @ ..] = &self.bets;
        let best = others.iter().fold(first, |best, bet| if far(bet) >= far(best) { bet } else { best });
        let wide = |(requests, hits): (u32, u32)| (u64::from(requests), u64::from(hits));
        let Sums { since, on, off } = best.seen;
        let during = wide(self.controls);
        Seen { since, on: wide(on), off: wide(off), during, groups: best.against() }
    }

    /// Progress of the evidence, from 0 (none) to 1 (enough).
    pub(super) fn progress(&self) -> f64 {
        if self.wealth() >= 1.0 {
            return 1.0;
        }
        let far = self.bets.iter().map(|bet| bet.nats(self.left_out()) / bet.enough);
        far.fold(0.0, f64::max).min(1.0)
    }

    /// Wealth of all three bets together, of which 1 is enough.
    fn wealth(&self) -> f64 {
        self.bets.iter().map(|bet| (bet.nats(self.left_out()) - bet.enough).exp()).sum()
    }
}

impl Bet {
    fn begin(&mut self, now: i64, chance: f64) {
        *self =
            Self { enough: -chance.ln(), seen: Sums { since: now, ..Sums::default() }, ..Self::default() };
    }

    /// Groups that speak against the flag, each even without those that contribute more. If two companies fail by themselves,
    /// a single error of a third does not count.
    fn against(&self) -> usize {
        // Slow requests: more of them are put down to the groups than there were, and to the others as well.
        let mut groups = self.groups.map(f64::from);
        let mut left = groups.iter().sum::<f64>();
        groups.sort_unstable_by(|a, b| b.total_cmp(a));
        let speaks = |nats: &&f64| {
            let speaks = left > 0.0 && **nats > 0.0;
            left -= **nats;
            speaks
        };
        groups.iter().take_while(speaks).count()
    }

    /// Nats of all groups, or if fewer, of all but the worst, at the higher chance allowed for these.
    fn nats(&self, left_out: usize) -> f64 {
        if self.total <= 0.0 || left_out == 0 {
            return self.total;
        }
        self.total.min(self.rest(left_out) + ALLOWED.ln())
    }

    /// Nats without the groups that contribute most: the minimum over all choices of groups to leave out.
    fn rest(&self, left_out: usize) -> f64 {
        let mut groups = self.groups;
        groups.sort_unstable_by(|a, b| b.total_cmp(a));
        self.total - groups.iter().take(left_out).map(|nats| f64::from(nats.max(0.0))).sum::<f64>()
    }
}

impl Sums {
    /// Adds requests from an earlier time, if those counted are fewer.
    fn reach_back(&mut self, since: i64, on: Rate, off: Rate) {
        let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let all = on.requests.saturating_add(off.requests);
        if u64::from(self.on.0) + u64::from(self.off.0) < all {
            let of = |rate: Rate| (number(rate.requests), number(rate.hits));
            *self = Self { since: since.min(self.since), on: of(on), off: of(off) };
        }
    }

    fn add(&mut self, on: &Counts, off: &Counts) {
        (self.on, self.off) = (sum(self.on, on), sum(self.off, off));
    }
}

fn sum(seen: (u32, u32), counts: &Counts) -> (u32, u32) {
    let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    (seen.0.saturating_add(number(counts.requests)), seen.1.saturating_add(number(counts.hits)))
}

/// The smallest `f32` that is not below `value`.
fn up(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) < value { near.next_up() } else { near }
}

impl Seen {
    pub(super) fn add(&mut self, on: &Counts, off: &Counts) {
        let sum = |seen: (u64, u64), counts: &Counts| {
            (seen.0.saturating_add(counts.requests), seen.1.saturating_add(counts.hits))
        };
        (self.on, self.off) = (sum(self.on, on), sum(self.off, off));
    }
}

#[cfg(test)]
mod tests {
    use super::super::counts::Part;
    use super::*;

    fn counts(parts: &[(u64, u64)]) -> Counts {
        let mut counts = Counts::default();
        for (group, (requests, hits)) in counts.groups.iter_mut().zip(parts) {
            *group = Part { requests: *requests, hits_at_most: *hits as f64 };
            counts.requests += requests;
            counts.hits += hits;
        }
        counts
    }

    /// The probability of this number of hits out of n.
    fn binomial(n: u64, hits: u64, rate: f64) -> f64 {
        let ways: f64 = (0..hits).map(|i| (n - i) as f64 / (i + 1) as f64).product();
        ways * rate.powi(hits as i32) * (1.0 - rate).powi((n - hits) as i32)
    }

    /// The expected growth of each bet over all outcomes, without `left_out` of two groups.
    fn expected(
        rates: [f64; 2],
        off_rate: f64,
        left_out: usize,
        bet: impl Fn(&mut Evidence, &Counts, &Counts),
    ) -> f64 {
        const N: u64 = 6;
        let mut sums = [0.0; BETS.len()];
        for (a, b) in (0..=N).flat_map(|a| (0..=N).map(move |b| (a, b))) {
            for c in 0..=2 * N {
                let chance =
                    binomial(N, a, rates[0]) * binomial(N, b, rates[1]) * binomial(2 * N, c, off_rate);
                let mut evidence = Evidence::new(0, 0.5, left_out);
                bet(&mut evidence, &counts(&[(N, a), (N, b)]), &counts(&[(2 * N, c)]));
                for (sum, bet) in sums.iter_mut().zip(&evidence.bets) {
                    *sum += chance * bet.rest(left_out).exp();
                }
            }
        }
        sums.into_iter().fold(0.0, f64::max)
    }

    #[test]
    fn a_comparison_is_expected_to_gain_nothing_where_there_is_no_harm() {
        for off in [0.01, 0.05, 0.2, 0.45] {
            for times in [0.0, 0.5, 1.0, 2.0] {
                let mean = expected([off * times; 2], off, 0, |bet, on, off| bet.compare(on, off, 2.0));
                assert!(mean <= 1.0 + 1e-9, "{off} off, {times} times on: {mean}");
            }
        }
        let mean = expected([0.3; 2], 0.03, 0, |bet, on, off| bet.compare(on, off, 2.0));
        assert!(mean > 2.0, "and something where there is: {mean}");
    }

    #[test]
    fn a_limit_is_expected_to_gain_nothing_where_it_is_kept() {
        for rate in [0.0, 0.01, 0.05] {
            let mean = expected([rate; 2], 0.0, 0, |bet, on, _| bet.exceed(on, 0.05));
            assert!(mean <= 1.0 + 1e-9, "{rate}: {mean}");
        }
        assert!(expected([0.3; 2], 0.0, 0, |bet, on, _| bet.exceed(on, 0.05)) > 2.0);
    }

    #[test]
    fn one_group_that_is_harmed_is_expected_to_gain_nothing() {
        for bad in [0.02, 0.1, 0.5, 1.0] {
            let mean = expected([bad, 0.02], 0.01, 1, |bet, on, off| bet.compare(on, off, 2.0));
            assert!(mean <= 1.0 + 1e-9, "compared, {bad}: {mean}");
            let mean = expected([bad, 0.05], 0.01, 1, |bet, on, _| bet.exceed(on, 0.05));
            assert!(mean <= 1.0 + 1e-9, "limit, {bad}: {mean}");
        }
    }

    #[test]
    fn what_came_to_nothing_begins_anew_and_what_did_not_goes_on() {
        let (mut good, mut bad) = (Evidence::new(0, 0.01, 0), Evidence::new(0, 0.01, 0));
        good.exceed(&counts(&[(100, 1), (100, 1)]), 0.05);
        bad.exceed(&counts(&[(100, 30), (100, 30)]), 0.05);
        good.renew(7, 0.001);
        bad.renew(7, 0.001);
        assert!(good.bets.iter().all(|bet| bet.seen == Sums { since: 7, ..Sums::default() }));
        assert!(bad.bets.iter().all(|bet| bet.seen.since == 0 && bet.seen.on == (200, 60)));
        assert!(bad.found().is_some() && good.found().is_none() && good.progress() == 0.0);
    }
}
