//! How quick requests with a flag off usually are.
//!
//! In an outage both cohorts take long, and a page that calls what is down twice where a flag is on takes twice as long. The present 95th
//! percentile of the off-cohort follows an outage within seconds, so it does not show one. The usual one falls with it at once, and rises
//! slowly: an outage that takes ten times as long is known for two hours, and a busy day is followed.

use crate::telemetry::duration::{self, BUCKETS};
use serde::{Deserialize, Serialize};

/// Seconds in which the usual duration rises by one bucket, an eighth.
const RISE: u32 = 300;
/// Multiple of the usual duration that is still within range.
const RANGE: f64 = 1.5;

/// The usual 95th percentile of an off-cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsualPace {
    /// Time from which on it rises, in seconds since 1970.
    second: u32,
    /// Its bucket of durations.
    p95: u8,
}

impl UsualPace {
    /// The usual pace after a look, in microseconds since 1970, at which the 95th percentile was in this bucket.
    pub(super) fn after(before: Option<Self>, at: i64, p95: usize) -> Self {
        let second = u32::try_from(at / 1_000_000).unwrap_or(0);
        let p95 = u8::try_from(p95.min(BUCKETS - 1)).unwrap_or(u8::MAX);
        let Some(before) = before.filter(|before| before.p95 < p95) else { return Self { second, p95 } };
        // A clock that was set back does not stop it.
        let since = before.second.min(second);
        let steps = (second - since) / RISE;
        let highest = before.p95.saturating_add(u8::try_from(steps).unwrap_or(u8::MAX));
        Self { second: since + steps * RISE, p95: p95.min(highest) }
    }

    /// The bucket after which requests are slower than usual.
    pub(super) fn slow(self) -> usize {
        duration::bucket((duration::upper(self.p95.into()) as f64 * RANGE) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_pace_falls_at_once_and_rises_by_an_eighth_in_five_minutes() {
        const SECOND: i64 = 1_000_000;
        let rise = i64::from(RISE) * SECOND;
        let usual = UsualPace::after(None, rise, 80);
        assert_eq!(UsualPace::after(Some(usual), rise, 70).p95, 70);
        let mut outage = usual;
        for second in 0..1500 {
            outage = UsualPace::after(Some(outage), rise + second * SECOND, 110);
        }
        assert_eq!(outage.p95, 84);
        assert_eq!(UsualPace::after(Some(usual), 31 * rise, 110).p95, 110, "after a rest");
        let back = UsualPace::after(Some(outage), 0, 110);
        assert_eq!(UsualPace::after(Some(back), rise, 110).p95, 85, "after a clock that was set back");
    }
}
