//! Results of an experiment: the requests with an event in each arm of a flag, and whether one arm is ahead.

mod sequence;

pub use sequence::{Interval, Sample, interval};

use crate::telemetry::{Arm, FlagCounts, GROUPS, Group, Tally};

/// Probability, over all looks and all arms of an event together, that some interval does not hold its mean.
pub const ALPHA: f64 = 0.05;

/// The result of one arm.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmResult {
    /// Off, on, or a variant.
    pub arm: Arm,
    /// Requests that got the arm.
    pub requests: u64,
    /// Requests with the event.
    pub converted: u64,
    /// Sum of the event's values.
    pub sum: f64,
    /// The share of requests with the event. None while there are too few.
    pub rate: Option<Interval>,
    /// The value for each request; none where each event is worth 1, or while there are too few.
    pub value: Option<Interval>,
}

/// The result of one event.
#[derive(Debug, Clone, PartialEq)]
pub struct EventResult {
    /// The event's name.
    pub event: String,
    /// The arms, in the order off, on, variants by name.
    pub arms: Vec<ArmResult>,
    /// The arm whose rate is above those of all others, by intervals that do not overlap.
    pub winner: Option<Arm>,
}

/// The results of every event that was tracked with the flag.
pub fn results(flag: &FlagCounts) -> Vec<EventResult> {
    let mut names: Vec<&str> = flag.tracked.iter().filter_map(|tracked| tracked.event.as_deref()).collect();
    names.dedup();
    let arms = arms(flag);
    names.into_iter().map(|event| result(flag, &arms, event)).collect()
}

/// The arms that requests got, and their requests in each group of companies.
fn arms(flag: &FlagCounts) -> Vec<(Arm, [u64; GROUPS])> {
    let requests = |groups: &[Group; GROUPS]| groups.map(|group| group.requests);
    let mut on = requests(&flag.exposure.on.groups);
    let mut variants = Vec::new();
    for shown in flag.tracked.iter().filter(|tracked| tracked.event.is_none()) {
        let of_it = shown.groups.map(|group| group.requests);
        for (all, some) in on.iter_mut().zip(of_it) {
            *all = all.saturating_sub(some);
        }
        variants.push((shown.arm.clone(), of_it));
    }
    let mut arms = vec![(Arm::Off, requests(&flag.exposure.off.groups)), (Arm::On, on)];
    arms.append(&mut variants);
    arms.retain(|(_, groups)| groups.iter().any(|requests| *requests > 0));
    arms
}

fn result(flag: &FlagCounts, arms: &[(Arm, [u64; GROUPS])], event: &str) -> EventResult {
    let alpha = ALPHA / arms.len().max(1) as f64;
    let arms: Vec<ArmResult> =
        arms.iter().map(|(arm, requests)| of_arm(flag, arm, requests, event, alpha)).collect();
    let ahead = |one: &ArmResult| {
        let others = arms.iter().filter(|other| other.arm != one.arm);
        let below =
            |other: &ArmResult| other.rate.zip(one.rate).is_some_and(|(other, one)| other.high < one.low);
        arms.len() > 1 && others.clone().all(below)
    };
    let winner = arms.iter().find(|arm| ahead(arm)).map(|arm| arm.arm.clone());
    EventResult { event: event.to_owned(), winner, arms }
}

fn of_arm(flag: &FlagCounts, arm: &Arm, requests: &[u64; GROUPS], event: &str, alpha: f64) -> ArmResult {
    let tracked =
        flag.tracked.iter().find(|tracked| tracked.arm == *arm && tracked.event.as_deref() == Some(event));
    let tallies = tracked.map_or([Tally::default(); GROUPS], |tracked| tracked.groups);
    let all = tallies.iter().fold((0_u64, 0.0), |(converted, sum), tally| {
        (converted.saturating_add(tally.requests), sum + tally.sum)
    });
    let mut rates = [Sample::default(); GROUPS];
    let mut values = rates;
    for (((rate, value), tally), requests) in rates.iter_mut().zip(&mut values).zip(&tallies).zip(requests) {
        // A request and its events are added one after the other, so a reader may see only one of them.
        let (requests, converted) = (*requests.max(&tally.requests) as f64, tally.requests as f64);
        *rate = Sample { requests, converted, sum: converted, squares: converted };
        *value = Sample { requests, converted, sum: tally.sum, squares: tally.squares };
    }
    ArmResult {
        arm: arm.clone(),
        requests: requests.iter().fold(0, |sum, requests| u64::saturating_add(sum, *requests)),
        converted: all.0,
        sum: all.1,
        rate: interval(&rates, alpha).map(|found| Interval {
            low: found.low.max(0.0),
            high: found.high.min(1.0),
            ..found
        }),
        value: interval(&values, alpha).filter(|_| all.1 != all.0 as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Tracked;

    fn next(state: &mut u64) -> f64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Two variants of a flag. Companies differ in how often they ask and how often they order, and each has one variant; `lift` is
    /// how much more often those of the second order. Looks after every 200 requests, and says who was ever ahead.
    fn played(seed: u64, companies: usize, requests: usize, lift: f64) -> Option<Arm> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for _ in 0..50 {
            next(&mut state);
        }
        let company: Vec<(f64, bool, usize)> = (0..companies)
            .map(|_| {
                let (rate, second) = (0.02 + 0.28 * next(&mut state).powi(2), next(&mut state) < 0.5);
                let rate = if second { rate * lift } else { rate };
                (rate.min(1.0), second, (next(&mut state) * GROUPS as f64) as usize)
            })
            .collect();
        let arm = |second| Arm::Variant(if second { "b" } else { "a" }.to_owned());
        let cell = |event: Option<&str>, second| Tracked {
            arm: arm(second),
            event: event.map(str::to_owned),
            groups: [Tally::default(); GROUPS],
        };
        let mut flag = FlagCounts::default();
        flag.tracked =
            vec![cell(None, false), cell(None, true), cell(Some("order"), false), cell(Some("order"), true)];
        for request in 0..requests {
            // Few ask much: the company's number is the square of a uniform draw.
            let (rate, second, group) = company[(next(&mut state).powi(2) * companies as f64) as usize];
            flag.tracked[usize::from(second)].groups[group].requests += 1;
            if next(&mut state) < rate {
                let tally = &mut flag.tracked[2 + usize::from(second)].groups[group];
                tally.requests += 1;
                tally.sum += 1.0;
                tally.squares += 1.0;
            }
            if request % 200 == 199
                && let Some(winner) = results(&flag)[0].winner.clone()
            {
                return Some(winner);
            }
        }
        None
    }

    #[test]
    fn equal_variants_of_very_unequal_companies_have_a_winner_in_one_run_of_twenty_at_most() {
        for companies in [40, 300, 5_000] {
            let wrong = (0..200).filter(|seed| played(*seed, companies, 30_000, 1.0).is_some()).count();
            println!("{companies} companies, no difference: a winner in {wrong} of 200 runs");
            assert!(wrong <= 10, "{companies} companies: {wrong} of 200");
        }
    }

    #[test]
    fn a_variant_that_is_twice_as_good_wins() {
        let right = (0..40)
            .filter(|seed| played(*seed, 5_000, 40_000, 2.0) == Some(Arm::Variant("b".into())))
            .count();
        println!("twice as good: found in {right} of 40 runs");
        assert!(right >= 38, "{right}");
    }

    #[test]
    fn requests_that_were_on_without_a_variant_are_an_arm_of_their_own() {
        let mut flag = FlagCounts::default();
        flag.exposure.on.groups[0].requests = 10;
        flag.exposure.off.groups[1].requests = 5;
        let tally = |requests| {
            let mut groups = [Tally::default(); GROUPS];
            groups[0].requests = requests;
            groups
        };
        let shown = Arm::Variant("x".into());
        flag.tracked = vec![
            Tracked { arm: shown.clone(), event: None, groups: tally(4) },
            Tracked { arm: Arm::On, event: Some("order".into()), groups: tally(2) },
        ];
        let found = &results(&flag)[0];
        let arms: Vec<_> = found.arms.iter().map(|arm| (&arm.arm, arm.requests, arm.converted)).collect();
        assert_eq!(arms, [(&Arm::Off, 5, 0), (&Arm::On, 6, 2), (&shown, 4, 0)]);
        assert_eq!(found.winner, None);
    }
}
