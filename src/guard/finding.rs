//! A finding of the guard, with the numbers behind it.

use super::policy::Action;
use crate::telemetry::GROUPS;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A flag that does harm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The flag's key.
    pub flag: String,
    /// Errors or slowness where it is on.
    pub harm: Harm,
    /// The rate that it was compared with.
    pub against: Against,
    /// The kind of evidence behind the finding.
    #[serde(default)]
    pub ground: Ground,
    /// Requests answered on, and those that failed, or took longer than `slower`.
    pub on: Share,
    /// Requests answered off, and those that failed or were slow; zero if they were not compared.
    pub off: Share,
    /// The highest rate allowed, 0 to 1: of failures, or of requests that take longer than `slower`.
    pub limit: f64,
    /// Limit in microseconds; 0 where the harm is errors.
    pub slower: u64,
    /// Where a slow flag is compared with its off-cohort: requests on and off in the policy's window, and those that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Box<[Share; 2]>>,
    /// Lower bound of the companies affected; no more than 16 are told apart.
    pub companies: usize,
    /// Beginning of the evidence, in microseconds since 1970.
    pub since: i64,
    /// Time at which the evidence was enough, in microseconds since 1970.
    pub at: i64,
    /// Last change of the flag, in microseconds since 1970.
    pub changed_at: i64,
    /// The flag that was changed then, if it is another one, which this one requires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// The reason why the flag is not killed for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
    /// The action that the policy demands.
    pub action: Action,
}

/// The reason why a harmful flag is not killed: off would be an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// It says `"emergency": "keep"`.
    Keep,
    /// An enabled flag requires it.
    Required,
    /// It is a gate that is on for more than a fifth of those who ask.
    Gate,
}

impl Protection {
    /// Text for use as a clause.
    fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "its \"emergency\" is \"keep\"",
            Self::Required => "an enabled flag requires it",
            Self::Gate => "it is a gate that more than a fifth have",
        }
    }
}

/// The kind of harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Harm {
    /// Requests fail.
    Errors,
    /// Requests take long.
    Slow,
}

/// The rate that a flag was compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Against {
    /// The off-cohort, at the same time.
    Off,
    /// The usual rate before it was changed.
    Past,
    /// The policy's limit.
    Limit,
}

/// The kind of evidence behind a finding. The more an act takes away, the surer it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ground {
    /// The off-cohort, at the same time.
    #[default]
    Cohorts,
    /// Limits, confirmed by requests that did not ask the flag, which are not as badly off.
    Controls,
    /// Limits: requests that did not ask the flag are as badly off, or too few to tell. Such a finding is not acted on.
    Unconfirmed,
    /// Limits alone: every request asked the flag, so that there is nothing to compare with.
    Alone,
    /// A suspicion: the plan's stage is minutes old, and requests left their range since. The numbers may be of all requests.
    Stage,
}

/// Part of a number of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Share {
    /// All requests.
    pub requests: u64,
    /// Requests that were hits.
    pub hits: u64,
}

impl Share {
    /// The share, 0 to 1; 0 if there are no requests.
    pub fn rate(self) -> f64 {
        self.hits as f64 / self.requests.max(1) as f64
    }
}

/// A rate in percent, with two digits if it is small: a rate above zero does not read as 0.0 %.
struct Percent(f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let percent = self.0 * 100.0;
        match percent {
            0.000_01..0.05 => {
                let digits = 1 - percent.log10().floor() as i32;
                write!(f, "{percent:.*} %", usize::try_from(digits).unwrap_or(1))
            }
            _ => write!(f, "{percent:.1} %"),
        }
    }
}

/// A length of time in microseconds, with two digits or more.
struct Length(u64);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.0 {
            micros @ ..10_000 => write!(f, "{:.1} ms", micros as f64 / 1e3),
            micros @ ..1_000_000 => write!(f, "{:.0} ms", micros as f64 / 1e3),
            micros => write!(f, "{:.2} s", micros as f64 / 1e6),
        }
    }
}

impl fmt::Display for Finding {
    /// One sentence for people: `3.1 % of 520 requests with checkout on failed, …`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let seconds = |micros: u64| micros as f64 / 1e6;
        let (on, rate) = (self.on, Percent(self.on.rate()));
        match self.ground {
            Ground::Stage => write!(f, "{rate} of {} requests anywhere ", on.requests)?,
            _ => write!(f, "{rate} of {} requests with {} on ", on.requests, self.flag)?,
        }
        match self.harm {
            Harm::Errors => write!(f, "failed")?,
            Harm::Slow => write!(f, "took longer than {}", Length(self.slower))?,
        }
        let (off, limit) = (self.off, Percent(self.limit));
        match self.against {
            // Any multiple of zero is zero, which would read as a limit of 0 %.
            Against::Off if off.requests > 0 && self.limit == 0.0 => {
                write!(f, ", none of {} with it off", off.requests)?;
            }
            Against::Off if off.requests > 0 => {
                let rate = Percent(off.rate());
                write!(f, ", {rate} of {} with it off; up to {limit} would be accepted", off.requests)?;
            }
            Against::Off => write!(f, "; by what is usual with it off, up to {limit} would be accepted")?,
            Against::Past if self.ground == Ground::Stage => {
                write!(f, ", since the stage was entered; {limit} is within the usual range")?;
            }
            Against::Past => {
                write!(f, "; by what was usual before it was changed, up to {limit} would be accepted")?;
            }
            Against::Limit => write!(f, "; the limit is {limit}")?,
        }
        match self.ground {
            Ground::Controls => write!(f, "; requests that did not ask it are not as badly off")?,
            Ground::Alone => write!(f, "; every request asked it, so that there is nothing to compare with")?,
            Ground::Cohorts | Ground::Stage | Ground::Unconfirmed => {}
        }
        if let Some([on, off]) = self.failed.as_deref() {
            let [rate_on, rate_off] = [on, off].map(|failed| Percent(failed.rate()));
            write!(
                f,
                "; {rate_on} of {} with it on failed, {rate_off} of {} with it off",
                on.requests, off.requests
            )?;
        }
        if let Some(through) = &self.through {
            write!(f, "; {through}, which it requires, was changed last")?;
        }
        if let Some(protection) = self.protection {
            let why = protection.as_str();
            write!(f, "; {why}, so that it is killed only while more than half of its requests fail")?;
        }
        let took = seconds(u64::try_from(self.at - self.since).unwrap_or(0));
        write!(f, " (within {took:.0} s")?;
        match self.companies {
            0 => {}
            1 => write!(f, ", in 1 company or more")?,
            GROUPS => write!(f, ", in {GROUPS} groups of companies or more")?,
            companies => write!(f, ", in {companies} companies or more")?,
        }
        write!(f, ")")
    }
}
