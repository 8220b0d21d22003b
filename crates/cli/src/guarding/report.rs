//! The state of a store's guard, for health checks, doctor, metrics and `guard status`.

use crate::words;
use flagstone::guard::{Memory, RESTART_WINDOW, restarts_in_a_loop};
use flagstone::store::{Store, Verdicts};

/// Who watches a store, and whether that is well.
pub struct GuardReport {
    /// `none`, `watching`, `paused`, `stopped`, `blind`, `silent`, `restarting` or `ended`.
    pub state: &'static str,
    /// Since when it has watched, in microseconds since 1970.
    pub since: Option<i64>,
    /// What is wrong, in a sentence; none where a guard watches or nobody was meant to.
    pub problem: Option<String>,
    /// What the guard wrote down last.
    pub memory: Option<Memory>,
}

impl GuardReport {
    /// Of a store at that time, in microseconds since 1970.
    pub fn of(store: &Store, now: i64) -> GuardReport {
        let none = GuardReport { state: "none", since: None, problem: None, memory: None };
        match store.verdicts(now) {
            Verdicts::Nobody => none,
            Verdicts::Ended(at) => GuardReport {
                state: "ended",
                problem: Some(format!(
                    "the guard ended without being told to, and last watched at {}",
                    words::at(at)
                )),
                ..none
            },
            Verdicts::Beginning => GuardReport {
                state: "silent",
                problem: Some("a guard runs, and has not said what it sees for minutes".to_owned()),
                ..none
            },
            Verdicts::Said(memory) => {
                let since = Some(memory.began).filter(|began| *began > 0);
                let (state, problem) = if let Some(blindness) = &memory.blindness {
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
                    ("paused", Some(format!("the guard is paused until {}", words::at(memory.paused_until))))
                } else if let Some(since) = memory.stopped {
                    (
                        "stopped",
                        Some(format!(
                            "no flag is turned off on limits alone since {}, because the last time did not help; \
                             `flagstone guard resume` lets that go on",
                            words::at(since)
                        )),
                    )
                } else {
                    ("watching", None)
                };
                GuardReport { state, since, problem, memory: Some(*memory) }
            }
        }
    }

    /// Whether somebody was meant to watch.
    pub fn is_meant(&self) -> bool {
        self.state != "none"
    }
}
