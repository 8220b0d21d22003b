//! What flags did to the requests that asked them.
//!
//! [`Exposure`] is what is known of one flag: how the requests of each cohort ended, as counters that only grow.

pub mod duration;
mod exposure;

pub use exposure::{Cohort, Exposure, GROUPS, Group};
