//! Controls: requests that did not ask a flag, at the same time.
//!
//! A flag that is on for all has no off-cohort. Harm that hits requests that never asked the flag is not its doing, so its
//! own requests must be worse than those by half, beyond doubt.

use crate::telemetry::{Cohort, Exposure, duration};
use serde::{Deserialize, Serialize};

/// Factor by which a flag's requests must be worse than the controls.
const WORSE: f64 = 1.5;
/// The factor where the controls are out of their own range: something else is wrong as well, and it may hit the flag's
/// requests harder.
const WORSE_IN_TROUBLE: f64 = 5.0;

/// Controls are out of their range above this many times their usual rate of hits, and above the least range.
const RANGE: f64 = 2.0;
const LEAST_RANGE: f64 = 0.02;

/// Nats of the likelihood ratio that count as certain. Each look at equal rates exceeds it with a chance of 1 in 1,250.
const DOUBTLESS: f64 = 5.0;

/// Controls are present if they are more than one in this many requests.
const PRESENT: u64 = 200;

/// The bucket of durations up to this many microseconds; none where the harm is errors.
pub(super) fn slow_after(slower: u64) -> Option<usize> {
    (slower > 0).then(|| duration::bucket(slower.saturating_sub(1)))
}

/// Requests, and how many of them were hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Rate {
    pub requests: u64,
    pub hits: u64,
}

impl Rate {
    pub(super) fn share(self) -> f64 {
        self.hits as f64 / self.requests.max(1) as f64
    }

    /// True if the share is beyond this one by more than chance: four standard deviations.
    pub(super) fn is_clearly_above(self, share: f64) -> bool {
        let requests = self.requests as f64;
        self.hits as f64 > requests * share + 4.0 * (requests * share * (1.0 - share)).sqrt()
    }

    pub(super) fn add(&mut self, other: Rate) {
        self.requests = self.requests.saturating_add(other.requests);
        self.hits = self.hits.saturating_add(other.hits).min(self.requests);
    }

    pub(super) fn since(self, before: Rate) -> Rate {
        let requests = self.requests.saturating_sub(before.requests);
        Rate { requests, hits: self.hits.saturating_sub(before.hits).min(requests) }
    }

    /// All requests of a cohort, and those that failed, or were slower than the bucket.
    pub(super) fn of(cohort: &Cohort, slow: Option<usize>) -> Rate {
        let hits = slow.map_or(cohort.errors, |bucket| duration::above(&cohort.durations, bucket));
        Rate { requests: cohort.requests, hits }
    }

    /// The rate of a flag's requests, on and off.
    pub(super) fn of_page(exposure: &Exposure, slow: Option<usize>) -> Rate {
        let mut page = Rate::of(&exposure.on, slow);
        page.add(Rate::of(&exposure.off, slow));
        page
    }

    /// The rate of all requests that did not ask the flag.
    pub(super) fn of_controls(total: &Cohort, exposure: &Exposure, slow: Option<usize>) -> Rate {
        let (all, on, off) =
            (Rate::of(total, slow), Rate::of(&exposure.on, slow), Rate::of(&exposure.off, slow));
        let asked = [on.requests, off.requests, exposure.gated, exposure.mixed];
        let asked = asked.into_iter().fold(0, u64::saturating_add);
        let requests = all.requests.saturating_sub(asked);
        Rate { requests, hits: all.hits.saturating_sub(on.hits.saturating_add(off.hits)).min(requests) }
    }
}

/// The verdict of the controls on a flag whose requests are beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    /// There are no controls.
    Absent,
    /// The controls are not as badly off: the flag is at fault.
    Clear,
    /// The controls are as badly off, or there are too few to tell.
    Doubtful,
}

impl Control {
    /// Compares requests of the same time. `during`: controls since harm began, which may be part of that time; `asked`: numbers of
    /// both over a longer time, which tell whether there are controls; `usual`: the controls' share of hits before.
    pub(super) fn tell(on: Rate, control: Rate, during: Rate, asked: (u64, u64), usual: f64) -> Control {
        let (asked, others) = asked;
        if others.saturating_mul(PRESENT) <= asked.saturating_add(others) {
            return Control::Absent;
        }
        let in_trouble = control.share().max(during.share()) > (usual * RANGE).max(LEAST_RANGE);
        let times = if in_trouble { WORSE_IN_TROUBLE } else { WORSE };
        if nats(on, control, times) >= DOUBTLESS { Control::Clear } else { Control::Doubtful }
    }
}

/// True if the off-cohort is out of its own range, and the on-cohort is not so much worse that the flag is at fault all the same. `off`,
/// `during`: as [`Control::tell`] has the controls; `range`: the highest share of the off-cohort's hits that is within range.
pub(super) fn is_trouble_of_both(on: Rate, off: Rate, during: Rate, range: f64) -> bool {
    let worst = if during.share() > off.share() { during } else { off };
    (off.is_clearly_above(range) || during.is_clearly_above(range))
        && nats(on, worst, WORSE_IN_TROUBLE) < DOUBTLESS
}

/// True if the off-cohort fails more than the on-cohort, beyond doubt, and more than is within range.
pub(super) fn is_off_worse(on: Rate, off: Rate) -> bool {
    off.share() > LEAST_RANGE && nats(off, on, WORSE) >= DOUBTLESS
}

/// Log-likelihood ratio of the first rate being more than `times` the second against not; 0 where it is not.
pub(super) fn nats(one: Rate, other: Rate, times: f64) -> f64 {
    let (n, k) = (one.requests as f64, one.hits as f64);
    let (m, j) = (other.requests as f64, other.hits as f64);
    if n == 0.0 || m == 0.0 || k / n <= times * j / m {
        return 0.0;
    }
    let log = |hits: f64, of: f64, rate: f64| {
        let rate = rate.clamp(1e-9, 1.0 - 1e-9);
        hits * rate.ln() + (of - hits) * (1.0 - rate).ln()
    };
    // The most likely first rate if it is exactly `times` the second.
    let bound = ((k + j) / (n + m / times)).min(0.999);
    let free = log(k, n, k / n) + log(j, m, j / m);
    (free - log(k, n, bound) - log(j, m, bound / times)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(requests: u64, hits: u64) -> Rate {
        Rate { requests, hits }
    }

    #[test]
    fn a_few_good_requests_elsewhere_tell_that_it_is_the_flag() {
        let tell = |on, control| Control::tell(on, control, control, (100, 100), 0.0);
        assert_eq!(tell(rate(20, 10), rate(20, 0)), Control::Clear);
        assert_eq!(tell(rate(16, 8), rate(2, 0)), Control::Doubtful);
        assert_eq!(tell(rate(300, 30), rate(300, 3)), Control::Clear);
    }

    #[test]
    fn what_hits_all_requests_alike_is_not_the_flags_doing() {
        for (n, m) in [(1000, 1000), (1000, 20), (20, 1000)] {
            let others = rate(m, m / 2);
            let control = Control::tell(rate(n, n / 2), others, others, (n, m), 0.0);
            assert_eq!(control, Control::Doubtful, "{n} and {m}");
        }
    }

    #[test]
    fn where_other_requests_fail_more_than_usual_the_flags_have_to_be_much_worse() {
        let others = rate(1000, 100);
        let tell = |on, usual| Control::tell(on, others, others, (1000, 1000), usual);
        // A fifth of the others fails too: an outage of more than this page.
        assert_eq!(tell(rate(1000, 450), 0.002), Control::Doubtful);
        assert_eq!(tell(rate(1000, 800), 0.002), Control::Clear);
        // They always do.
        assert_eq!(tell(rate(1000, 450), 0.09), Control::Clear);
    }

    #[test]
    fn hardly_any_requests_elsewhere_are_no_controls() {
        let tell = |others, number| Control::tell(rate(1000, 500), others, others, (100_000, number), 0.0);
        assert_eq!((tell(rate(0, 0), 0), tell(rate(3, 0), 100)), (Control::Absent, Control::Absent));
    }
}
