//! Error rates and durations of each hour of the last week, in two bytes an hour.

use super::hour::{Hour, rate_of};
use crate::telemetry::duration::BUCKETS;
use serde::{Deserialize, Serialize};

/// Hours that are kept: those of a week, and eleven before.
const HOURS_KEPT: usize = 7 * 24 + 11;
/// Minimum rate: lower ones are stored as this one.
const LEAST_RATE: f64 = 1e-5;
/// Steps from the least rate to 1, each 4.6 % higher than the one before.
const STEPS: f64 = 254.0;

/// The hours of a cohort's last week that had enough requests to tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PastHours {
    /// The last recorded hour, since 1970.
    last: u32,
    /// Bucket of the median in the last recorded hour.
    median: Option<u8>,
    /// The hours up to the last, serialized in hexadecimal.
    #[serde(with = "hexadecimal")]
    hours: Vec<Recorded>,
}

/// One hour: the rate of errors, rounded up, as a step from 1 on, 0 if unknown; and the bucket of the 95th percentile.
type Recorded = [u8; 2];

impl PastHours {
    /// True if no hour is known.
    pub fn is_empty(&self) -> bool {
        self.hours.is_empty()
    }

    /// Records an hour. After a clock that went back, records of later hours are dropped.
    pub(super) fn put(&mut self, hour: u32, rate: f64, p95: u8, median: u8) {
        let ahead = usize::try_from(hour.saturating_sub(self.last)).unwrap_or(usize::MAX);
        if hour <= self.last {
            let later = (self.last - hour) as usize + 1;
            self.hours.truncate(self.hours.len().saturating_sub(later));
        } else if ahead > HOURS_KEPT {
            self.hours.clear();
        } else if !self.hours.is_empty() {
            let dropped = (self.hours.len() + ahead).saturating_sub(HOURS_KEPT);
            self.hours.drain(..dropped.min(self.hours.len()));
            self.hours.reserve_exact(ahead);
            self.hours.extend(std::iter::repeat_n([0, 0], ahead - 1));
        }
        self.hours.reserve_exact(1);
        self.hours.push([step_of(rate), p95]);
        (self.last, self.median) = (hour, Some(median));
    }

    /// The rate of errors and the bucket of the 95th percentile of an hour, counted since 1970.
    pub(super) fn get(&self, hour: i64) -> Option<(f64, usize)> {
        let back = usize::try_from(i64::from(self.last) - hour).ok()?;
        let [step, p95] = *self.hours.get(self.hours.len().checked_sub(back + 1)?)?;
        (step > 0).then(|| (rate_at(step), p95.into()))
    }

    /// Bucket of the median of the hour that was recorded last.
    pub(super) fn median(&self) -> Option<u8> {
        self.median
    }

    /// Drops hours older than a week. `now` is the current hour since 1970.
    pub(super) fn forget(&mut self, now: i64) {
        let first = now - HOURS_KEPT as i64 + 1;
        let oldest = i64::from(self.last) - self.hours.len() as i64 + 1;
        let old = usize::try_from(first - oldest).unwrap_or(0).min(self.hours.len());
        let unknown = self.hours.iter().skip(old).take_while(|[step, _]| *step == 0).count();
        self.hours.drain(..old + unknown);
        self.hours.shrink_to_fit();
    }

    /// Drops impossible entries. `now` is the current hour since 1970.
    pub(super) fn sound(mut self, now: i64) -> Self {
        let median = self.median.is_none_or(|median| usize::from(median) < BUCKETS);
        if !median || i64::from(self.last) > now || self.hours.len() > HOURS_KEPT {
            return Self::default();
        }
        for hour in &mut self.hours {
            if usize::from(hour[1]) >= BUCKETS {
                *hour = [0, 0];
            }
        }
        self.forget(now);
        self
    }
}

impl FromIterator<Hour> for PastHours {
    /// Takes hours in their order, without impossible ones.
    fn from_iter<T: IntoIterator<Item = Hour>>(hours: T) -> Self {
        let mut past = Self::default();
        for hour in hours.into_iter().filter(|hour| hour.errors <= hour.requests && hour.requests > 0) {
            let (Ok(number), Ok(p95), Ok(median)) =
                (u32::try_from(hour.hour), u8::try_from(hour.p95), u8::try_from(hour.median))
            else {
                continue;
            };
            past.put(number, rate_of(&hour), p95, median);
        }
        past
    }
}

/// The smallest step whose rate is not below `rate`.
fn step_of(rate: f64) -> u8 {
    let steps = (rate.clamp(LEAST_RATE, 1.0) / LEAST_RATE).ln() / LEAST_RATE.recip().ln() * STEPS;
    // A rate that differs from a step only by the last bits is that step.
    1 + (steps - 1e-9).ceil().clamp(0.0, STEPS) as u8
}

fn rate_at(step: u8) -> f64 {
    LEAST_RATE.powf(1.0 - f64::from(step.saturating_sub(1)) / STEPS)
}

/// Encoding of bytes as text.
mod hexadecimal {
    use super::Recorded;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::fmt::Write;

    pub(super) fn serialize<S: Serializer>(hours: &[Recorded], serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(hours.len() * 4);
        for [step, p95] in hours {
            let _ = write!(text, "{step:02x}{p95:02x}");
        }
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Recorded>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let hour = |four: &[u8]| {
            let four = std::str::from_utf8(four).ok()?;
            u16::from_str_radix(four, 16).ok().map(u16::to_be_bytes)
        };
        let hours: Option<Vec<Recorded>> = text.as_bytes().chunks(4).map(hour).collect();
        hours.ok_or_else(|| D::Error::custom("expected four hexadecimal digits an hour"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_rounded_up_by_a_step_at_most() {
        for rate in [0.0, 1e-7, 1e-5, 3e-5, 0.001, 0.0123, 0.5, 0.999, 1.0] {
            let kept = rate_at(step_of(rate));
            let least = f64::max(rate, LEAST_RATE);
            assert!(kept >= least * (1.0 - 1e-6) && kept <= least * 1.047, "{rate}: {kept}");
        }
    }

    #[test]
    fn hours_of_a_week_are_kept_and_no_others() {
        let mut past = PastHours::default();
        for hour in (1_000..1_400).filter(|hour| hour % 10 != 0) {
            past.put(hour, f64::from(hour) / 10_000.0, 7, 3);
        }
        assert_eq!((past.hours.len(), past.hours.capacity()), (HOURS_KEPT, HOURS_KEPT));
        assert_eq!(past.get(1_400), None);
        assert_eq!(past.get(1_390), None);
        assert!(past.get(1_399).is_some_and(|(rate, p95)| (0.139..0.147).contains(&rate) && p95 == 7));
        assert!(past.get(1_399 - HOURS_KEPT as i64 + 3).is_some());
        assert_eq!(past.get(1_399 - HOURS_KEPT as i64), None);
        let written = serde_json::to_string(&past).unwrap();
        assert_eq!(serde_json::from_str::<PastHours>(&written).unwrap(), past);
        assert!(written.len() < 800, "{}", written.len());
        // A clock that went back.
        past.put(1_395, 0.5, 9, 3);
        assert_eq!((past.get(1_396), past.get(1_395).map(|(_, p95)| p95)), (None, Some(9)));
        past.forget(1_395 + 100);
        assert!(past.get(1_395).is_some() && past.hours.len() <= HOURS_KEPT - 100);
        past.forget(1_395 + 1_000);
        assert!(past.is_empty());
        past.put(9_000, 0.5, 9, 3);
        assert_eq!(past.hours.len(), 1);
        assert_eq!(past.clone().sound(8_999), PastHours::default());
    }
}
