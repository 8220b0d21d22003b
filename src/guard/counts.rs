//! Counts between two samples.

use crate::telemetry::{Cohort, GROUPS, duration};

/// Requests of a cohort, and how many of them were hits: errors, or requests that took too long.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Counts {
    pub requests: u64,
    pub hits: u64,
    pub groups: [Part; GROUPS],
}

/// Requests and hits of one group of companies.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Part {
    pub requests: u64,
    /// Hits, or their upper bound where the group of a hit is unknown.
    pub hits_at_most: f64,
}

impl Counts {
    /// Errors of a cohort. The groups are the authority, so that all numbers agree even if the sample was read while it was written.
    pub(super) fn errors(now: &Cohort, before: &Cohort) -> Self {
        let mut counts = Self::default();
        for ((part, now), before) in counts.groups.iter_mut().zip(&now.groups).zip(&before.groups) {
            let requests = now.requests.saturating_sub(before.requests);
            let errors = now.errors.saturating_sub(before.errors);
            *part = Part { requests, hits_at_most: errors as f64 };
            counts.requests = counts.requests.saturating_add(requests);
            counts.hits = counts.hits.saturating_add(errors);
        }
        counts
    }

    /// Failed requests, by group.
    pub(super) fn failed(groups: &[u64; GROUPS]) -> Self {
        let mut counts = Self::default();
        for (part, failed) in counts.groups.iter_mut().zip(groups) {
            *part = Part { requests: *failed, hits_at_most: *failed as f64 };
            counts.requests = counts.requests.saturating_add(*failed);
        }
        counts.hits = counts.requests;
        counts
    }

    /// Leaves out the counts of `other`.
    pub(super) fn without(mut self, other: &Self) -> Self {
        for (part, other) in self.groups.iter_mut().zip(&other.groups) {
            part.requests = part.requests.saturating_sub(other.requests);
            part.hits_at_most = (part.hits_at_most - other.hits_at_most).max(0.0);
        }
        self.requests = self.requests.saturating_sub(other.requests);
        self.hits = self.hits.saturating_sub(other.hits);
        self
    }

    /// Requests that took longer than the bucket's durations.
    ///
    /// Durations are not kept by group. But each slow request took a known time at least, and the sum of a group's times is
    /// known: at most as many can have been slow as fit into it.
    pub(super) fn slow(now: &Cohort, before: &Cohort, bucket: usize) -> Self {
        let slow = duration::above(&now.durations, bucket)
            .saturating_sub(duration::above(&before.durations, bucket));
        let mut counts = Self::default();
        let least = duration::upper(bucket) as f64;
        for ((part, now), before) in counts.groups.iter_mut().zip(&now.groups).zip(&before.groups) {
            part.requests = now.requests.saturating_sub(before.requests);
            let fit = now.time.saturating_sub(before.time) as f64 / least;
            part.hits_at_most = fit.min(part.requests as f64).min(slow as f64);
        }
        counts.requests = counts.groups.iter().fold(0, |sum, part| sum.saturating_add(part.requests));
        counts.hits = slow.min(counts.requests);
        let fit: f64 = counts.groups.iter().map(|part| part.hits_at_most).sum();
        if fit < counts.hits as f64 {
            // Some times are missing: any group may have been the slow one.
            for part in &mut counts.groups {
                part.hits_at_most = part.requests.min(counts.hits) as f64;
            }
        }
        counts
    }
}
