//! The comparison that is possible for an on-cohort.

use super::policy::Baseline;
use crate::telemetry::duration::{self, BUCKETS};
use crate::telemetry::{Cohort, Exposure};
use serde::{Deserialize, Serialize};

/// The comparison that is possible for an on-cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Both cohorts do comparable work: it is compared with the off-cohort.
    Branch,
    /// Off is a page that is not there: it is compared with the flag's own past.
    Gate,
    /// Hardly any request is answered off: it is compared with the flag's own past.
    Full,
}

/// Requests that are enough to determine the kind.
const MIN_REQUESTS: u64 = 50;

/// Requests on for each off from which on the off-cohort is too small.
const FULL: u64 = 20;

/// Requests off that the flag ended, for each that it did not, from which on it is a gate.
const GATED: u64 = 4;

/// An off-cohort that is this many times quicker, and nearly always over in [`QUICK`] microseconds, does nothing.
const QUICKER: u64 = 8;
const QUICK: u64 = 20_000;

impl Kind {
    /// The name in `guard status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Branch => "branch",
            Kind::Gate => "gate",
            Kind::Full => "full",
        }
    }

    /// Determines the kind by the requests between two samples, if there are enough.
    pub(super) fn tell(now: &Exposure, before: &Exposure, baseline: Baseline) -> Option<Self> {
        let since = |now: u64, before: u64| now.saturating_sub(before);
        let on = since(now.on.requests, before.on.requests);
        let off = since(now.off.requests, before.off.requests);
        let gated = since(now.gated, before.gated);
        if on.saturating_add(off) < MIN_REQUESTS || on == 0 {
            return None;
        }
        Some(match baseline {
            Baseline::Off => Self::Branch,
            _ if gated > off.saturating_mul(GATED) => Self::Gate,
            _ if off.saturating_mul(FULL) < on => Self::Full,
            Baseline::Past => Self::Full,
            Baseline::Auto if off_does_nothing(now, before) => Self::Gate,
            Baseline::Auto => Self::Branch,
        })
    }
}

fn off_does_nothing(now: &Exposure, before: &Exposure) -> bool {
    let failed = now.off.errors.saturating_sub(before.off.errors);
    // What fails at once is broken, not another page.
    if failed.saturating_mul(2) > now.off.requests.saturating_sub(before.off.requests) {
        return false;
    }
    let (on, off) = (durations(&now.on, &before.on), durations(&now.off, &before.off));
    let quantiles =
        (duration::quantile(&on, 0.5), duration::quantile(&off, 0.5), duration::quantile(&off, 0.95));
    matches!(quantiles, (Some(on), Some(off), Some(p95)) if nothing_is_done(on, off, p95))
}

/// True if off does too little to be compared with, such as an application's own 404. Takes buckets of durations: the medians
/// on and off, and the 95th percentile off.
pub(super) fn nothing_is_done(on: usize, off: usize, p95_off: usize) -> bool {
    duration::upper(off).saturating_mul(QUICKER) < duration::lower(on) && duration::lower(p95_off) < QUICK
}

/// The durations between two samples.
pub(super) fn durations(now: &Cohort, before: &Cohort) -> [u64; BUCKETS] {
    let mut durations = now.durations;
    durations.iter_mut().zip(&before.durations).for_each(|(now, before)| *now = now.saturating_sub(*before));
    durations
}
