//! The guard's sight of the requests that it judges by.
//!
//! A guard that sees nothing is no guard. The reasons are determined here, from one reading of the counters.

use crate::telemetry::Counts;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;

/// Clocks that differ by less than this, in microseconds, agree.
pub const CLOCK_TOLERANCE: i64 = 60_000_000;

/// Starts of a guard within [`RESTART_WINDOW`] that are a crash loop.
pub const RESTARTS: usize = 5;
/// Microseconds in which starts are counted.
pub const RESTART_WINDOW: i64 = 600_000_000;

/// The reason why a guard sees nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blindness {
    /// The counters cannot be read, for this reason.
    Unreadable(String),
    /// There are no counters of this store.
    NoCounters,
    /// All counters are left out, the first of them for this reason.
    LeftOut(String),
    /// Workers answer for flags without room in the counters, last at this time, in microseconds since 1970; other flags are watched.
    Full(i64),
    /// Workers that start now cannot be counted: the file system of this directory is full. Other workers are watched.
    NoRoom(String),
    /// Workers date their answers in the future: this clock or theirs is wrong. Microseconds since 1970.
    Clock(i64),
    /// The store has published nothing, and workers answer from this generation of another one that it replaced.
    Unpublished(u64),
    /// No request ends, although threads are in requests.
    Stuck {
        /// Number of threads in requests.
        threads: usize,
        /// Time at which the first of them was seen, in microseconds since 1970; it may have begun earlier.
        since: i64,
        /// Flags that were on in the requests open longest, the most frequent first.
        flags: Vec<String>,
    },
}

/// Threads are in requests, and no request ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// Threads in requests.
    pub threads: usize,
    /// Those of them that hang.
    pub hanging: usize,
    /// Groups of companies that the hanging requests ask for.
    pub companies: usize,
    /// Time at which the first of them was seen, in microseconds since 1970; it may have begun earlier.
    pub since: i64,
    /// Hashes of the keys of flags that were on in those that hang, the most frequent first.
    pub on: Vec<u64>,
}

/// Maximum flags that are named.
const NAMED: usize = 5;

impl Stuck {
    /// The reason why a guard sees nothing. `keys`: the keys of all flags.
    pub fn blindness<'a>(&self, keys: impl Iterator<Item = &'a str>) -> Blindness {
        let keys: HashMap<u64, &str> = keys.map(|key| (Counts::flag_hash(key), key)).collect();
        let flags = self.on.iter().filter_map(|hash| keys.get(hash)).take(NAMED);
        let flags = flags.map(|key| (*key).to_owned()).collect();
        Blindness::Stuck { threads: self.threads, since: self.since, flags }
    }
}

impl Blindness {
    /// The reason by one reading of the counters, if any; `now` is in microseconds since 1970.
    pub fn of(counts: &Counts, now: i64) -> Option<Self> {
        if counts.sources.iter().all(|source| source.left_out.is_some()) {
            let first = counts.sources.iter().find_map(|source| {
                source.left_out.as_ref().map(|why| format!("{}: {why}", source.path.display()))
            });
            return Some(first.map_or(Self::NoCounters, Self::LeftOut));
        }
        let newest = counts.workers.iter().map(|worker| worker.seen).max().unwrap_or(0);
        if newest > now.saturating_add(CLOCK_TOLERANCE) {
            return Some(Self::Clock(newest));
        }
        counts.full.as_ref().map(|directory| Self::NoRoom(directory.display().to_string()))
    }
}

/// Microseconds for which counters stay full after an answer last found them so.
const FULL_FOR: i64 = 60_000_000;

/// The guard's sight over successive readings of the counters.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    /// Answers of flags without room.
    others: Option<u64>,
    /// Time at which that last grew.
    full: Option<i64>,
    /// Requests that asked more flags than are followed, and when that number last grew.
    dropped: Option<u64>,
    overflowed: Option<i64>,
    /// The first of the answers that are dated in the future.
    ahead: Option<i64>,
}

impl Sight {
    /// The reason why it sees nothing now, if any; `now` is in microseconds since 1970.
    pub fn look(&mut self, counts: &Counts, now: i64) -> Option<Blindness> {
        // Counters that were reset begin at zero.
        if self.others.replace(counts.others).is_some_and(|before| counts.others > before) {
            self.full = Some(now);
        }
        if self
            .dropped
            .replace(counts.dropped_exposures)
            .is_some_and(|before| counts.dropped_exposures > before)
        {
            self.overflowed = Some(now);
        }
        let full = self.full.filter(|at| (0..FULL_FOR).contains(&now.saturating_sub(*at)));
        let found = Blindness::of(counts, now);
        // One wrong clock is one reason, however it goes on.
        let ahead = match found {
            Some(Blindness::Clock(at)) => Some(*self.ahead.get_or_insert(at)),
            _ => None,
        };
        self.ahead = ahead;
        ahead.map(Blindness::Clock).or(found).or(full.map(Blindness::Full))
    }

    /// True if requests of the last minute asked more flags than are followed.
    pub fn overflows(&self, now: i64) -> bool {
        self.overflowed.is_some_and(|at| (0..FULL_FOR).contains(&now.saturating_sub(at)))
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
            Self::NoRoom(directory) => {
                write!(f, "workers that start now cannot be counted: {directory} is full; make room there")
            }
            Self::Unpublished(generation) => write!(
                f,
                "workers answer from generation {generation}, and this store has published nothing: it is in the place of theirs; put \
                 theirs back, or restore it (docs/runbooks/restore.md)"
            ),
            Self::Stuck { threads, since, flags } => {
                let (who, are) = if *threads == 1 { ("thread", "is") } else { ("threads", "are") };
                let since = crate::time::format_rfc3339(*since);
                write!(
                    f,
                    "no request ends: {threads} {who} {are} in requests, the first since {since} or before, "
                )?;
                match flags.is_empty() {
                    true => write!(f, "with no flag on")?,
                    false => write!(f, "with {} on", flags.join(", "))?,
                }
                write!(f, "; restart the workers that hang, and set request_terminate_timeout")
            }
            Self::Clock(at) => write!(
                f,
                "workers date their answers at {}, which is still to come: a clock is wrong",
                crate::time::format_rfc3339(*at)
            ),
        }
    }
}

/// True if these starts of guards, in microseconds since 1970, are a crash loop.
pub fn restarts_in_a_loop(starts: &[i64], now: i64) -> bool {
    let recent = starts.iter().filter(|at| (0..RESTART_WINDOW).contains(&now.saturating_sub(**at)));
    recent.count() >= RESTARTS
}
