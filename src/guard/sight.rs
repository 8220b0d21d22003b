//! Whether a guard can see the requests that it is to judge by.
//!
//! A guard that sees nothing is none. What keeps it from seeing is decided here, from one reading of the counters.

use crate::telemetry::Counts;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Clocks that differ by less than this, in microseconds, agree.
pub const CLOCK_TOLERANCE: i64 = 60_000_000;

/// Starts of a guard within [`RESTART_WINDOW`] that are a crash loop.
pub const RESTARTS: usize = 5;
/// Microseconds in which starts are counted.
pub const RESTART_WINDOW: i64 = 600_000_000;

/// Why a guard sees nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blindness {
    /// The counters cannot be read, and why.
    Unreadable(String),
    /// There are no counters of this store.
    NoCounters,
    /// All counters are left out, and why the first of them is.
    LeftOut(String),
    /// Workers answer for flags that the counters have no room for, and when one did last, in microseconds since 1970; the others are watched.
    Full(i64),
    /// Workers date their answers at a time that is still to come: this clock or theirs is wrong. Microseconds since 1970.
    Clock(i64),
}

impl Blindness {
    /// Tells by one reading of the counters; `now` is in microseconds since 1970.
    pub fn of(counts: &Counts, now: i64) -> Option<Self> {
        if counts.sources.iter().all(|source| source.left_out.is_some()) {
            let first = counts.sources.iter().find_map(|source| {
                source.left_out.as_ref().map(|why| format!("{}: {why}", source.path.display()))
            });
            return Some(first.map_or(Self::NoCounters, Self::LeftOut));
        }
        let newest = counts.workers.iter().map(|worker| worker.seen).max().unwrap_or(0);
        (newest > now.saturating_add(CLOCK_TOLERANCE)).then_some(Self::Clock(newest))
    }
}

/// Microseconds for which counters stay full after an answer last found them so.
const FULL_FOR: i64 = 60_000_000;

/// What a guard sees from one reading of the counters to the next.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    /// Answers of flags that there was no room for.
    others: Option<u64>,
    /// When that grew last.
    full: Option<i64>,
}

impl Sight {
    /// What keeps it from seeing now; `now` is in microseconds since 1970.
    pub fn look(&mut self, counts: &Counts, now: i64) -> Option<Blindness> {
        // Counters that were made anew begin at zero.
        if self.others.replace(counts.others).is_some_and(|before| counts.others > before) {
            self.full = Some(now);
        }
        let full = self.full.filter(|at| (0..FULL_FOR).contains(&now.saturating_sub(*at)));
        Blindness::of(counts, now).or(full.map(Blindness::Full))
    }
}

impl fmt::Display for Blindness {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "{why}"),
            Self::NoCounters => write!(
                f,
                "no worker counts for this store: none has answered yet, the memory for counters is full, flagstone.telemetry is \
                 off or another directory, or the polyfill answers"
            ),
            Self::LeftOut(why) => write!(f, "all counters are left out: {why}"),
            Self::Full(_) => write!(
                f,
                "workers answer for flags that the counters have no room for, and those are not watched: make room where \
                 the counters lie (Where in docs/telemetry.md), or remove what no code asks any more"
            ),
            Self::Clock(at) => write!(
                f,
                "workers date their answers at {}, which is still to come: a clock is wrong",
                crate::eval::time::format_rfc3339(*at)
            ),
        }
    }
}

/// Whether these starts of guards, in microseconds since 1970, are a crash loop.
pub fn restarts_in_a_loop(starts: &[i64], now: i64) -> bool {
    let recent = starts.iter().filter(|at| (0..RESTART_WINDOW).contains(&now.saturating_sub(**at)));
    recent.count() >= RESTARTS
}
