//! Kills and the stop, as printed: the time, the author, the reason, and the command that ends them.

use crate::cmd::{WRONG_CLOCK, second, wrong_clocks};
use crate::display;
use flagstone::audit::{Action, Outcome};
use flagstone::publish::{HistoryEntry, Store, StoreStatus};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Kills and the stop of a store, with the trail's records of them.
pub struct Switches {
    status: StoreStatus,
    /// Empty if the trail cannot be read: flags are off without it.
    history: Vec<HistoryEntry>,
    /// Numbers of the records that a wrong clock dated.
    wrong_clocks: BTreeSet<u64>,
}

/// A kill, or the stop.
pub struct Switch {
    since: String,
    by: Option<String>,
    reason: Option<String>,
    /// True if a wrong clock dated it.
    wrong_clock: bool,
}

impl Switches {
    /// Reads them; none if the store cannot be opened.
    pub fn of(store: &Store) -> Option<Switches> {
        let status = store.status().ok()?;
        let off = status.stopped.is_some() || !status.killed.is_empty();
        let history = if off { store.history().unwrap_or_default() } else { Vec::new() };
        Some(Switches::new(status, history))
    }

    /// Those of that status, with the records in that history.
    pub fn new(status: StoreStatus, history: Vec<HistoryEntry>) -> Switches {
        let wrong_clocks = wrong_clocks(&history);
        Switches { status, history, wrong_clocks }
    }

    /// The flag's kill.
    pub fn kill(&self, flag: &str) -> Option<Switch> {
        let killed = self.status.killed.iter().find(|killed| killed.flag == flag)?;
        Some(self.switch(&killed.since, [Action::Kill, Action::Revive], Some(flag)))
    }

    /// The stop of everything.
    pub fn stop(&self) -> Option<Switch> {
        let since = self.status.stopped.as_deref()?;
        Some(self.switch(since, [Action::StopAll, Action::ResumeAll], None))
    }

    fn switch(&self, since: &str, actions: [Action; 2], flag: Option<&str>) -> Switch {
        let entry = first(&self.history, actions, flag);
        Switch {
            since: since.to_owned(),
            by: entry.and_then(|entry| entry.actor.as_ref()).map(ToString::to_string),
            reason: entry.and_then(|entry| entry.reason.clone()),
            wrong_clock: entry
                .and_then(|entry| entry.seq)
                .is_some_and(|seq| self.wrong_clocks.contains(&seq)),
        }
    }
}

impl Switch {
    /// The reason in the trail.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// True if the trail has a record of it.
    pub fn is_recorded(&self) -> bool {
        self.by.is_some()
    }

    /// The switch as text: `since 2026-11-21T02:14:03Z by deploy@web-1: wrong totals`.
    pub fn text(&self) -> String {
        let by = self.by.as_deref().map_or(String::new(), |by| format!(" by {}", display::plain(by)));
        let reason =
            self.reason.as_deref().map_or(String::new(), |reason| format!(": {}", display::plain(reason)));
        let clock = if self.wrong_clock { WRONG_CLOCK } else { "" };
        format!("since {}{clock}{by}{reason}", second(&self.since))
    }

    /// The switch as `--json` has it.
    pub fn json(&self) -> Value {
        json!({ "since": self.since, "wrong_clock": self.wrong_clock, "by": self.by, "reason": self.reason })
    }
}

/// The command that revives the flag.
pub fn revive(flag: &str) -> String {
    format!("flagstone revive {} --reason WHY", display::argument(flag))
}

/// The command that ends the stop.
pub const RESUME: &str = "flagstone resume-all --reason WHY";

/// Sentences on the kill and the stop of a flag: the time, the author, the reason, and the command that ends them.
pub fn notices(flag: &str, kill: Option<&Switch>, stop: Option<&Switch>) -> Vec<String> {
    let kill = kill.map(|kill| format!("killed {}; `{}` lets it answer again", kill.text(), revive(flag)));
    let stop = stop.map(|stop| format!("everything is stopped {}; `{RESUME}` ends that", stop.text()));
    kill.into_iter().chain(stop).collect()
}

/// The change that the switch is since: the first of its kind that was done since the last that ended one. One that was typed again
/// changed nothing.
fn first<'a>(
    history: &'a [HistoryEntry],
    [switched, ended]: [Action; 2],
    flag: Option<&str>,
) -> Option<&'a HistoryEntry> {
    let of_flag = |entry: &&HistoryEntry| entry.outcome == Outcome::Done && entry.flag.as_deref() == flag;
    let since = history.iter().rev().filter(of_flag).take_while(|entry| entry.action != Some(ended));
    since.filter(|entry| entry.action == Some(switched)).last()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_store::TestStore;
    use flagstone::audit::Actor;
    use flagstone::publish::Change;

    /// A forged key from the head was printed ready for root to paste.
    #[test]
    fn a_command_that_revives_has_the_key_as_one_word() {
        assert_eq!(revive("search"), "flagstone revive search --reason WHY");
        assert_eq!(revive("x'; id #"), r"flagstone revive 'x'\''; id #' --reason WHY");
        let since = "2026-11-21T02:14:03Z".to_owned();
        let kill = Switch { since, by: None, reason: None, wrong_clock: false };
        assert!(notices("$(id)", Some(&kill), None)[0].contains("`flagstone revive '$(id)' --reason WHY`"));
    }

    /// Only history and the list of changes said that a clock was wrong; status and incident gave the date as it was.
    #[test]
    fn a_switch_that_a_wrong_clock_dated_is_said_to_be() {
        let test = TestStore::make("slow-clock");
        let store = test.open();
        let change = Change { actor: Actor::named(Some("ann")), reason: Some("slow".to_owned()), base: None };
        let definitions = serde_json::from_str(r#"{"flags": {"search": {"enabled": true}}}"#).unwrap();
        store.publish(&definitions, change.clone()).unwrap();
        store.kill("search", change.clone()).unwrap();
        store.stop_all(change).unwrap();
        let mut history = store.history().unwrap();
        let of = |history: &[HistoryEntry]| {
            let switches = Switches::new(store.status().unwrap(), history.to_vec());
            [switches.kill("search"), switches.stop()].map(|switch| switch.unwrap().text())
        };
        assert!(of(&history).iter().all(|text| !text.contains("wrong clock")));
        for entry in history.iter_mut().rev().take(2) {
            entry.at = Some("2020-01-01T00:00:00Z".to_owned());
        }
        assert!(
            of(&history).iter().all(|text| text.contains("Z (wrong clock) by ann")),
            "{:?}",
            of(&history)
        );
    }
}
