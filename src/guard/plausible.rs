//! Plausibility of the counters' increase since the last sample.
//!
//! They lie in memory that may hold anything. An increase that no traffic explains is no evidence: the watch begins again from there.

use crate::telemetry::duration::BUCKETS;
use crate::telemetry::{Cohort, Exposure};

/// Maximum requests per second that ask a flag.
const PER_SECOND: u64 = 10_000_000;

/// Maximum requests counted at the same moment: a reader may see some of their numbers only.
const MAX_TORN_REQUESTS: u64 = 4_096;

/// True if the increase of a flag's counters in `micros` microseconds is possible.
pub(super) fn plausible(now: &Exposure, before: &Exposure, micros: i64) -> bool {
    let most = most(micros);
    let gated = now.gated.wrapping_sub(before.gated) <= most;
    gated && cohort(&now.on, &before.on, most) && cohort(&now.off, &before.off, most)
}

/// True if the increase of all requests in `micros` microseconds is possible.
pub(super) fn plausible_total(now: &Cohort, before: &Cohort, micros: i64) -> bool {
    cohort(now, before, most(micros))
}

fn most(micros: i64) -> u64 {
    let seconds = u64::try_from(micros).unwrap_or(0) / 1_000_000 + 1;
    seconds.saturating_mul(PER_SECOND)
}

/// True if all three ways to count a cohort's requests agree, and no more fail than there are.
fn cohort(now: &Cohort, before: &Cohort, most: u64) -> bool {
    let since = u64::wrapping_sub;
    let requests = since(now.requests, before.requests);
    let errors = since(now.errors, before.errors);
    if requests > most || errors > requests.saturating_add(MAX_TORN_REQUESTS) {
        return false;
    }
    let near = |sum: u64| sum.abs_diff(requests) <= MAX_TORN_REQUESTS;
    let durations = (0..BUCKETS).try_fold(0_u64, |sum, bucket| {
        let (now, before) = (now.durations.get(bucket)?, before.durations.get(bucket)?);
        Some(since(*now, *before)).filter(|count| *count <= most)?.checked_add(sum)
    });
    let groups = now.groups.iter().zip(&before.groups).try_fold((0_u64, 0_u64), |sum, (now, before)| {
        let requests = since(now.requests, before.requests);
        let errors = since(now.errors, before.errors);
        let sound = requests <= most && errors <= requests.saturating_add(MAX_TORN_REQUESTS);
        sound.then(|| (sum.0 + requests, sum.1 + errors))
    });
    let Some((durations, (in_groups, failed))) = durations.zip(groups) else { return false };
    // A request whose thread died counts as failed, without a duration.
    let untimed = requests.saturating_sub(durations);
    durations <= requests.saturating_add(MAX_TORN_REQUESTS)
        && untimed <= errors.saturating_add(MAX_TORN_REQUESTS)
        && near(in_groups)
        && failed.abs_diff(errors) <= MAX_TORN_REQUESTS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests of one group: `errors` of them fail, and only some have a duration.
    fn counted(requests: u64, errors: u64, timed: u64) -> Exposure {
        let mut exposure = Exposure::default();
        let cohort = &mut exposure.on;
        (cohort.requests, cohort.errors) = (requests, errors);
        cohort.durations[0] = timed;
        (cohort.groups[0].requests, cohort.groups[0].errors) = (requests, errors);
        exposure
    }

    #[test]
    fn requests_whose_thread_died_are_plausible_without_durations() {
        let none = Exposure::default();
        assert!(plausible(&counted(20_000, 20_000, 0), &none, 1_000_000));
        assert!(plausible(&counted(20_000, 10_000, 10_000), &none, 1_000_000));
        assert!(!plausible(&counted(20_000, 0, 0), &none, 1_000_000));
        assert!(!plausible(&counted(20_000, 10_000, 30_000), &none, 1_000_000));
    }
}
