//! Percentiles of response times.

use serde_json::{Value, json};
use std::time::Duration;

/// Times, sorted.
#[derive(Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn of(mut times: Vec<Duration>) -> Times {
        times.sort_unstable();
        Times(times)
    }

    /// The least time that this percentage of the requests did not exceed (nearest rank); none without requests.
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied()
    }

    /// A percentile as text: `12 ms`, `1.4 ms`.
    pub fn shown(&self, percent: usize) -> String {
        self.percentile(percent).map_or(String::new(), milliseconds)
    }

    /// Percentiles in milliseconds.
    pub fn json(&self) -> Value {
        let at = |percent| self.percentile(percent).map(|time| (time.as_secs_f64() * 1e6).round() / 1e3);
        json!({ "p50_ms": at(50), "p95_ms": at(95), "p99_ms": at(99), "max_ms": at(100) })
    }
}

/// A time in milliseconds, with a decimal if that is significant.
pub fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    match milliseconds < 10.0 {
        true => format!("{milliseconds:.1} ms"),
        false => format!("{milliseconds:.0} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_least_time_that_so_many_do_not_exceed() {
        let times = Times::of((1..=200).rev().map(Duration::from_millis).collect());
        for (percent, milliseconds) in [(50, 100), (95, 190), (99, 198), (100, 200), (0, 1)] {
            assert_eq!(times.percentile(percent), Some(Duration::from_millis(milliseconds)), "{percent}");
        }
        assert_eq!(Times::of(vec![Duration::from_millis(7)]).percentile(99), Some(Duration::from_millis(7)));
        assert_eq!(Times::default().percentile(50), None);
    }

    #[test]
    fn times_read_well() {
        assert_eq!(milliseconds(Duration::from_micros(1_440)), "1.4 ms");
        assert_eq!(milliseconds(Duration::from_micros(123_456)), "123 ms");
    }
}
