//! Counts of an hour, and the error rate that they allow to assume.

/// A rate is higher than [`Usual::error_rate`], given its hour's numbers, with a chance of one in this many, at each look.
const RATE_ODDS: f64 = 10_000.0;

/// Counts of one hour of a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hour {
    /// Hours since 1970.
    pub hour: i64,
    /// Requests that ended.
    pub requests: u64,
    /// Requests with an error.
    pub errors: u64,
    /// Bucket of the 95th percentile.
    pub p95: usize,
    /// Bucket of the median.
    pub median: usize,
}

/// The error rate of an hour, bounded as [`Usual::error_rate`] is.
pub(super) fn rate_of(hour: &Hour) -> f64 {
    highest(hour.errors, hour.requests)
}

/// The highest rate at which so few hits are still plausible: n·KL(hits/n, rate) = ln 10,000 (Chernoff's bound).
pub(super) fn highest(hits: u64, n: u64) -> f64 {
    let n = n.max(1) as f64;
    let seen = (hits as f64 / n).min(1.0);
    let term = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    let (mut low, mut high) = (seen, 1.0);
    for _ in 0..50 {
        let middle = (low + high) / 2.0;
        let divergence = term(seen, middle) + term(1.0 - seen, 1.0 - middle);
        if n * divergence < RATE_ODDS.ln() { low = middle } else { high = middle }
    }
    high
}
