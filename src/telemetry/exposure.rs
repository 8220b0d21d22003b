//! What is known of one flag: how the requests that it chose for ended.

use super::duration::BUCKETS;

/// Groups that companies fall into by a hash of the company's key.
///
/// So one company's errors are one group's, whoever it is, and a number of groups that have errors is a number of companies
/// at least.
pub const GROUPS: usize = 16;

/// Counters of one flag since some moment, the epoch. They only grow; where one shrank, they were begun anew.
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

/// How the requests of one cohort ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cohort {
    /// All that ended.
    pub requests: u64,
    /// Of these with a status of 500 to 599, an exception that nobody caught, or a fatal error.
    pub errors: u64,
    /// All that ended, by [duration](super::duration), without those whose thread died: nobody knows how long they took.
    pub durations: [u64; BUCKETS],
    /// All that ended, by group of companies.
    pub groups: [Group; GROUPS],
    /// Distinct companies that had an error, estimated; 0 where nobody estimates.
    pub failing: u64,
    /// Distinct companies, estimated; 0 where nobody estimates.
    pub companies: u64,
}

/// How the requests of one group of companies ended. Those without a company are a group of their own, or share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Group {
    /// All that ended.
    pub requests: u64,
    /// Of these with an error, as in [`Cohort::errors`].
    pub errors: u64,
    /// What all of them took together, in microseconds. It tells one company that is slow from a feature that is.
    pub time: u64,
}

impl Cohort {
    /// Adds another one's requests. Estimates do not add up and stay.
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
    pub(super) fn add_died(&mut self, group: u32) {
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
