//! The outcomes of the requests that one flag chose for.

use super::duration::BUCKETS;

/// Groups that companies fall into by a hash of the company's key.
///
/// All errors of one company fall into one group, so the number of groups with errors is a lower bound of the companies with errors.
pub const GROUPS: usize = 16;

/// Counters of one flag since some moment, the epoch. They only grow; one that shrank shows that they were reset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exposure {
    /// Requests for which the flag was on.
    pub on: Cohort,
    /// Requests for which it was off, without those in `gated`.
    pub off: Cohort,
    /// Requests that the flag ended itself, with a 404 say. They are in neither cohort.
    pub gated: u64,
    /// Requests in which it was on for one company and off for another. They are in neither cohort.
    pub mixed: u64,
}

/// The outcomes of one cohort's requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cohort {
    /// Requests that ended.
    pub requests: u64,
    /// Requests with a status of 500 to 599, an uncaught exception, or a fatal error.
    pub errors: u64,
    /// Requests that ended, by [duration](super::duration), without those whose thread died, which have no known duration.
    pub durations: [u64; BUCKETS],
    /// Requests that ended, by group of companies.
    pub groups: [Group; GROUPS],
    /// Distinct companies that had an error, estimated; 0 where there is no estimate.
    pub failing: u64,
    /// Distinct companies, estimated; 0 where there is no estimate.
    pub companies: u64,
}

/// The outcomes of one group of companies. Requests without a company go by the bucket of the rollout, or by the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Group {
    /// Requests that ended.
    pub requests: u64,
    /// Requests with an error, as in [`Cohort::errors`].
    pub errors: u64,
    /// Sum of the requests' durations, in microseconds. It tells one slow company from a slow feature.
    pub time: u64,
}

impl Cohort {
    /// Adds the requests of another cohort. Estimates do not add up and stay.
    pub fn add(&mut self, other: &Cohort) {
        self.requests = self.requests.wrapping_add(other.requests);
        self.errors = self.errors.wrapping_add(other.errors);
        for (held, found) in self.durations.iter_mut().zip(other.durations) {
            *held = held.wrapping_add(found);
        }
        for (held, found) in self.groups.iter_mut().zip(&other.groups) {
            held.requests = held.requests.wrapping_add(found.requests);
            held.errors = held.errors.wrapping_add(found.errors);
            held.time = held.time.wrapping_add(found.time);
        }
    }

    /// Adds a request whose thread died. It has no duration.
    #[cfg(feature = "publisher")]
    pub(crate) fn add_died(&mut self, group: u32) {
        self.requests = self.requests.wrapping_add(1);
        self.errors = self.errors.wrapping_add(1);
        if let Some(group) = self.groups.get_mut(group as usize) {
            group.requests = group.requests.wrapping_add(1);
            group.errors = group.errors.wrapping_add(1);
        }
    }
}

impl Default for Cohort {
    fn default() -> Self {
        Self {
            requests: 0,
            errors: 0,
            durations: [0; BUCKETS],
            groups: [Group::default(); GROUPS],
            failing: 0,
            companies: 0,
        }
    }
}
