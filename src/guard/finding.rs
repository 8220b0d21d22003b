//! What the guard found, with the numbers that led to it.

use super::policy::Action;
use crate::telemetry::GROUPS;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A flag does harm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The flag's key.
    pub flag: String,
    /// What is wrong where it is on.
    pub harm: Harm,
    /// What it was held against.
    pub against: Against,
    /// What the finding rests on.
    #[serde(default)]
    pub ground: Ground,
    /// Requests that were answered on, and how many of them failed, or took longer than `slower`.
    pub on: Share,
    /// The same of those answered off; of none where it was not compared with them.
    pub off: Share,
    /// The rate that must not be exceeded, 0 to 1: of failures, or of requests that take longer than `slower`.
    pub limit: f64,
    /// Microseconds; 0 where the harm is errors.
    pub slower: u64,
    /// Companies at least that it happened to; no more than 16 are told apart.
    pub companies: usize,
    /// When the evidence begins, in microseconds since 1970.
    pub since: i64,
    /// When it was enough.
    pub at: i64,
    /// When the flag was last changed.
    pub changed_at: i64,
    /// The flag that was changed then, where it is another one, which this one requires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// What the policy says is to be done.
    pub action: Action,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Harm {
    /// Requests fail.
    Errors,
    /// Requests take long.
    Slow,
}

/// What a flag was held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Against {
    /// The off-cohort, at the same time.
    Off,
    /// What was usual for it before it was changed.
    Past,
    /// The policy's limit.
    Limit,
}

/// What a finding rests on. How sure it has to be follows from what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ground {
    /// The off-cohort, at the same time.
    #[default]
    Cohorts,
    /// Limits, and requests that did not ask the flag, which are not as badly off.
    Controls,
    /// Limits alone: every request asked the flag, so that there is nothing to compare with.
    Alone,
    /// A suspicion: the plan's stage is minutes old, and requests left their range since. The numbers may be of all requests.
    Stage,
}

/// Some of several requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Share {
    /// All.
    pub requests: u64,
    /// Some of them.
    pub hits: u64,
}

impl Share {
    /// 0 to 1; 0 of none.
    pub fn rate(self) -> f64 {
        self.hits as f64 / self.requests.max(1) as f64
    }
}

impl fmt::Display for Finding {
    /// One sentence for people: `3.1 % of 520 requests with checkout on failed, …`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (percent, seconds) = (|rate: f64| rate * 100.0, |micros: u64| micros as f64 / 1e6);
        let on = self.on;
        match self.ground {
            Ground::Stage => write!(f, "{:.1} % of {} requests anywhere ", percent(on.rate()), on.requests)?,
            _ => write!(f, "{:.1} % of {} requests with {} on ", percent(on.rate()), on.requests, self.flag)?,
        }
        match self.harm {
            Harm::Errors => write!(f, "failed")?,
            Harm::Slow => write!(f, "took longer than {:.2} s", seconds(self.slower))?,
        }
        let (off, limit) = (self.off, percent(self.limit));
        match self.against {
            Against::Off if off.requests > 0 => {
                write!(
                    f,
                    ", {:.1} % of {} with it off; up to {limit:.1} % would be accepted",
                    percent(off.rate()),
                    off.requests
                )?;
            }
            Against::Off => {
                write!(f, "; by what is usual with it off, up to {limit:.1} % would be accepted")?
            }
            Against::Past if self.ground == Ground::Stage => {
                write!(f, ", since the stage was entered; {limit:.1} % is within the usual range")?;
            }
            Against::Past => {
                write!(f, "; by what was usual before it was changed, up to {limit:.1} % would be accepted")?;
            }
            Against::Limit => write!(f, "; the limit is {limit:.1} %")?,
        }
        match self.ground {
            Ground::Controls => write!(f, "; requests that did not ask it are not as badly off")?,
            Ground::Alone => write!(f, "; every request asked it, so that there is nothing to compare with")?,
            Ground::Cohorts | Ground::Stage => {}
        }
        if let Some(through) = &self.through {
            write!(f, "; {through}, which it requires, was changed last")?;
        }
        let took = seconds(u64::try_from(self.at - self.since).unwrap_or(0));
        write!(f, " (within {took:.0} s, in {} ", self.companies)?;
        if self.companies == GROUPS {
            write!(f, "groups of ")?;
        }
        write!(f, "companies or more)")
    }
}
