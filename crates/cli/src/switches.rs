//! Kills and the stop, as printed: the time, the author, the reason, and the command that ends them.

use crate::cmd::second;
use crate::display;
use flagstone::audit::{Action, Outcome};
use flagstone::publish::{HistoryEntry, Store, StoreStatus};
use serde_json::{Value, json};

/// Kills and the stop of a store, with the trail's records of them.
pub struct Switches {
    status: StoreStatus,
    /// Empty if the trail cannot be read: flags are off without it.
    history: Vec<HistoryEntry>,
}

/// A kill, or the stop.
pub struct Switch {
    since: String,
    by: Option<String>,
    reason: Option<String>,
}

impl Switches {
    /// Reads them; none if the store cannot be opened.
    pub fn of(store: &Store) -> Option<Switches> {
        let status = store.status().ok()?;
        let off = status.stopped.is_some() || !status.killed.is_empty();
        let history = if off { store.history().unwrap_or_default() } else { Vec::new() };
        Some(Switches { status, history })
    }

    /// The flag's kill.
    pub fn kill(&self, flag: &str) -> Option<Switch> {
        let killed = self.status.killed.iter().find(|killed| killed.flag == flag)?;
        Some(Switch::kill(&killed.since, flag, &self.history))
    }

    /// The stop of everything.
    pub fn stop(&self) -> Option<Switch> {
        let since = self.status.stopped.as_deref()?;
        Some(Switch::stop(since, &self.history))
    }
}

impl Switch {
    /// The kill of that flag.
    pub fn kill(since: &str, flag: &str, history: &[HistoryEntry]) -> Switch {
        Switch::new(since, first(history, [Action::Kill, Action::Revive], Some(flag)))
    }

    /// The stop of everything.
    pub fn stop(since: &str, history: &[HistoryEntry]) -> Switch {
        Switch::new(since, first(history, [Action::StopAll, Action::ResumeAll], None))
    }

    /// The reason in the trail.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// True if the trail has a record of it.
    pub fn is_recorded(&self) -> bool {
        self.by.is_some()
    }

    fn new(since: &str, entry: Option<&HistoryEntry>) -> Switch {
        Switch {
            since: since.to_owned(),
            by: entry.and_then(|entry| entry.actor.as_ref()).map(ToString::to_string),
            reason: entry.and_then(|entry| entry.reason.clone()),
        }
    }

    /// The switch as text: `since 2026-11-21T02:14:03Z by deploy@web-1: wrong totals`.
    pub fn text(&self) -> String {
        let by = self.by.as_deref().map_or(String::new(), |by| format!(" by {}", display::plain(by)));
        let reason =
            self.reason.as_deref().map_or(String::new(), |reason| format!(": {}", display::plain(reason)));
        format!("since {}{by}{reason}", second(&self.since))
    }

    /// The switch as `--json` has it.
    pub fn json(&self) -> Value {
        json!({ "since": self.since, "by": self.by, "reason": self.reason })
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

    /// A forged key from the head was printed ready for root to paste.
    #[test]
    fn a_command_that_revives_has_the_key_as_one_word() {
        assert_eq!(revive("search"), "flagstone revive search --reason WHY");
        assert_eq!(revive("x'; id #"), r"flagstone revive 'x'\''; id #' --reason WHY");
        let kill = Switch { since: "2026-11-21T02:14:03Z".to_owned(), by: None, reason: None };
        assert!(notices("$(id)", Some(&kill), None)[0].contains("`flagstone revive '$(id)' --reason WHY`"));
    }
}
