//! Confidence sequences: intervals that remain valid however often they are looked at.
//!
//! Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas: "Time-uniform central limit theory and asymptotic confidence sequences",
//! Annals of Statistics 52 (2024), theorem 2.2. Over all looks together the mean lies outside with a probability of about alpha at
//! most, once there is enough for the central limit theorem to hold; the tests here count how often it does.
//!
//! Requests of one company are not independent draws. So the spread between 16 groups of companies is compared with the
//! spread of independent requests, and the number of requests is divided by the ratio (Kish's design effect, with the
//! variance of a ratio over clusters: Cochran, "Sampling Techniques", 3rd edition, chapter 6).

use crate::telemetry::GROUPS;

/// Number of independent requests at which the interval is closest to the narrowest possible.
const TUNED_FOR: f64 = 10_000.0;
/// Minimum requests with the event, and without it, before there is an interval.
const MIN_REQUESTS: f64 = 30.0;
/// Minimum groups of companies with requests.
const LEAST_GROUPS: usize = 5;

/// The counts of one group of companies.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sample {
    /// All requests of the group.
    pub requests: f64,
    /// Requests with the event.
    pub converted: f64,
    /// Sum of the averaged values.
    pub sum: f64,
    /// Sum of their squares.
    pub squares: f64,
}

/// A mean for each request, with its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The observed mean.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Requests that count as one independent request: 1 or more.
    pub design: f64,
}

/// The interval of a mean for each request; the mean lies outside with a probability of `alpha` over all looks. None while
/// there are too few requests.
pub fn interval(groups: &[Sample; GROUPS], alpha: f64) -> Option<Interval> {
    let sum = |of: fn(&Sample) -> f64| groups.iter().map(of).sum::<f64>();
    let (requests, converted) = (sum(|group| group.requests), sum(|group| group.converted));
    let with = groups.iter().filter(|group| group.requests > 0.0).count();
    if converted < MIN_REQUESTS || requests - converted < MIN_REQUESTS || with < LEAST_GROUPS {
        return None;
    }
    let mean = sum(|group| group.sum) / requests;
    let variance = sum(|group| group.squares) / requests - mean * mean;
    if !mean.is_finite() || !variance.is_finite() || variance <= 0.0 {
        return None;
    }
    let between: f64 = groups.iter().map(|group| (group.sum - mean * group.requests).powi(2)).sum();
    let between = between * with as f64 / (with as f64 - 1.0);
    let design = (between / (requests * variance)).max(1.0);
    let count = requests / design;
    let log = -2.0 * alpha.ln();
    let rho_squared = (log + (log + 1.0).ln()) / TUNED_FOR;
    let scaled = count * rho_squared + 1.0;
    let radius =
        (variance * 2.0 * scaled / (count * count * rho_squared) * (scaled.sqrt() / alpha).ln()).sqrt();
    Some(Interval { mean, low: mean - radius, high: mean + radius, design })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64: the same draws in every run.
    struct Draws(u64);

    impl Draws {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    fn add(group: &mut Sample, value: f64) {
        group.requests += 1.0;
        group.converted += f64::from(value > 0.0);
        group.sum += value;
        group.squares += value * value;
    }

    /// The share of `runs` in which the interval does not hold the mean at some look: at each request, up to `requests`.
    fn missed(runs: u64, requests: u64, mean: f64, draw: impl Fn(&mut Draws) -> f64) -> f64 {
        let missed = (0..runs).filter(|run| {
            let mut draws = Draws(run * 7_919);
            let mut groups = [Sample::default(); GROUPS];
            (0..requests).any(|request| {
                add(&mut groups[request as usize % GROUPS], draw(&mut draws));
                let looked = request % 16 == 15;
                looked
                    && interval(&groups, 0.05).is_some_and(|found| !(found.low..=found.high).contains(&mean))
            })
        });
        missed.count() as f64 / runs as f64
    }

    #[test]
    fn the_rate_is_missed_in_one_run_of_twenty_at_most_however_often_one_looks() {
        for rate in [0.01, 0.1, 0.5] {
            let missed = missed(400, 20_000, rate, |draws| f64::from(draws.next() < rate));
            println!("a rate of {rate}: missed in {missed} of the runs");
            assert!(missed <= 0.05, "{rate}: {missed}");
        }
    }

    #[test]
    fn the_mean_of_a_skewed_value_is_missed_in_one_run_of_twenty_at_most() {
        // One request in ten orders, for an exponential total of 40 in the mean.
        let order = |draws: &mut Draws| match draws.next() < 0.1 {
            true => -40.0 * (1.0 - draws.next()).ln(),
            false => 0.0,
        };
        let missed = missed(400, 20_000, 4.0, order);
        println!("a skewed value: missed in {missed} of the runs");
        assert!(missed <= 0.05, "{missed}");
    }

    #[test]
    fn requests_of_few_companies_count_for_fewer() {
        let mut alike = [Sample { requests: 1_000.0, converted: 100.0, sum: 100.0, squares: 100.0 }; GROUPS];
        let independent = interval(&alike, 0.05).expect("an interval");
        assert_eq!(independent.design, 1.0);
        for group in alike.iter_mut().take(8) {
            *group = Sample { requests: 1_000.0, converted: 10.0, sum: 10.0, squares: 10.0 };
        }
        let clustered = interval(&alike, 0.05).expect("an interval");
        assert!(clustered.design > 30.0, "{clustered:?}");
        assert!(clustered.high - clustered.low > 4.0 * (independent.high - independent.low));
    }

    #[test]
    fn too_little_gives_no_interval() {
        let few = |requests, converted| {
            [Sample { requests, converted, sum: converted, squares: converted }; GROUPS]
        };
        assert_eq!(interval(&few(0.0, 0.0), 0.05), None);
        assert_eq!(interval(&few(1_000.0, 1.0), 0.05), None, "16 that have it");
        assert_eq!(interval(&few(1_000.0, 999.0), 0.05), None, "16 that have it not");
        let mut one = [Sample::default(); GROUPS];
        one[3] = Sample { requests: 9_000.0, converted: 900.0, sum: 900.0, squares: 900.0 };
        assert_eq!(interval(&one, 0.05), None, "one group of companies");
        one[4] = Sample { sum: f64::NAN, ..one[3] };
        assert_eq!(interval(&one, 0.05), None);
    }
}
