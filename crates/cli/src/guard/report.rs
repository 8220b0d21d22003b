//! The state of a store's guard, for health checks, doctor, metrics and `guard status`.

use crate::display;
use flagstone::guard::{GuardState, RESTART_WINDOW, restarts_in_a_loop};
use flagstone::publish::{Store, Verdicts};

/// The state of a store's guard, and its problem if it has one.
pub struct GuardReport {
    /// `none`, `watching`, `paused`, `stopped`, `blind`, `helpless`, `silent`, `restarting` or `ended`.
    pub state: &'static str,
    /// The start of the watch, in microseconds since 1970.
    pub since: Option<i64>,
    /// The problem, in a sentence; none if a guard watches or none is expected.
    pub problem: Option<String>,
    /// The guard's memory as last written.
    pub memory: Option<GuardState>,
}

impl GuardReport {
    /// The report on a store at that time, in microseconds since 1970.
    pub fn of(store: &Store, now: i64) -> GuardReport {
        let none = GuardReport { state: "none", since: None, problem: None, memory: None };
        match store.verdicts(now) {
            Verdicts::Nobody => none,
            Verdicts::Ended(at) => GuardReport {
                state: "ended",
                problem: Some(format!(
                    "the guard ended without being told to, or cannot write to this store, and last watched at or after {}",
                    display::at(at)
                )),
                ..none
            },
            Verdicts::Beginning => GuardReport {
                state: "silent",
                problem: Some(
                    "a guard runs, and has not said yet what it sees, or not for minutes".to_owned(),
                ),
                ..none
            },
            Verdicts::Said(memory) => {
                let since = Some(memory.began).filter(|began| *began > 0);
                let (state, problem) = if let Some(why) = &memory.helpless {
                    ("helpless", Some(format!("the guard can take nothing back: {why}")))
                } else if let Some(blindness) = &memory.blindness {
                    ("blind", Some(format!("the guard is blind: {blindness}")))
                } else if restarts_in_a_loop(&memory.starts, now) {
                    let (times, minutes) = (memory.starts.len(), RESTART_WINDOW / 60_000_000);
                    (
                        "restarting",
                        Some(format!(
                            "the guard was started {times} times in {minutes} minutes and ended each time"
                        )),
                    )
                } else if memory.paused_until > now {
                    (
                        "paused",
                        Some(format!("the guard is paused until {}", display::at(memory.paused_until))),
                    )
                } else if let Some(since) = memory.stopped {
                    (
                        "stopped",
                        Some(format!(
                            "no flag is turned off on limits alone since {}, because the last time did not help; \
                             `flagstone guard resume` lets that go on",
                            display::at(since)
                        )),
                    )
                } else {
                    ("watching", memory.misconfigured.clone())
                };
                GuardReport { state, since, problem, memory: Some(*memory) }
            }
        }
    }

    /// True if a guard is expected.
    pub fn is_meant(&self) -> bool {
        self.state != "none"
    }

    /// One line for people; none if no guard is expected.
    pub fn summary(&self, now: i64) -> Option<String> {
        let Some(memory) = self.memory.as_ref().filter(|_| self.problem.is_none()) else {
            return self.problem.clone();
        };
        let since = self
            .since
            .map_or("does not watch yet".to_owned(), |since| format!("watches since {}", display::at(since)));
        let seconds = now.saturating_sub(memory.at).max(0) / 1_000_000;
        let suspects = memory.flags.values().filter(|kept| kept.is_suspected()).count();
        Some(format!(
            "the guard {since}, and said so {seconds} s ago: {} asked, {} suspected",
            display::counted(memory.flags.len() as u64, "flag"),
            suspects
        ))
    }
}
