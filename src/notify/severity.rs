//! Urgency of an event, and the incident that it belongs to.

use crate::audit::{Action, Record};
use crate::guard::{Finding, Harm, NoticeKind, Policy};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Urgency of an event, the least urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No action is needed.
    Info,
    /// A person should look at it in working hours.
    Ticket,
    /// Wake a person.
    Page,
}

impl Severity {
    /// The severity of a record.
    pub(super) fn of(record: &Record) -> Severity {
        match (record.action, record.notice) {
            (Action::Kill | Action::StopAll, _) => Severity::Page,
            (Action::PlanBack, _) if record.guard.is_some() => Severity::Page,
            // The guard may not turn it off, and it goes on failing until a person acts.
            (Action::PlanHold, _) | (Action::Guard, None) if is_protected(record) => Severity::Page,
            // So does a flag that the guard leaves alone for a while.
            (Action::Guard, None) if record.guard.as_ref().is_some_and(is_grave) => Severity::Page,
            (Action::PlanHold, _) if record.guard.is_some() => Severity::Ticket,
            (Action::Guard, Some(notice)) => match notice {
                NoticeKind::Outage
                | NoticeKind::Worse
                | NoticeKind::Stopped
                | NoticeKind::Blind
                | NoticeKind::Unable
                | NoticeKind::Dead
                | NoticeKind::Unwritable => Severity::Page,
                NoticeKind::LeftOn if record.guard.as_ref().is_some_and(is_grave) => Severity::Page,
                NoticeKind::Pilots
                | NoticeKind::LeftOn
                | NoticeKind::NotYet
                | NoticeKind::StillKilled
                | NoticeKind::Conflict => Severity::Ticket,
                NoticeKind::OutageOver
                | NoticeKind::Helped
                | NoticeKind::CannotTell
                | NoticeKind::Resumed
                | NoticeKind::PauseOver
                | NoticeKind::HarmOver
                | NoticeKind::Sees
                | NoticeKind::Returned
                | NoticeKind::Writable => Severity::Info,
            },
            (Action::Note, Some(NoticeKind::Conflict)) => Severity::Ticket,
            (Action::Guard, None) => Severity::Ticket,
            _ => Severity::Info,
        }
    }
}

/// True if the guard found harm of a flag that it may not turn off.
fn is_protected(record: &Record) -> bool {
    record.guard.as_ref().is_some_and(|finding| finding.protection.is_some())
}

/// True if the error rate is more than three times the default `error_rate`.
fn is_grave(finding: &Finding) -> bool {
    finding.harm == Harm::Errors && finding.on.rate() > 3.0 * Policy::default().error_rate
}

/// The incident of a record, and true if this record ends it. All records of an incident give the same.
pub(super) fn incident(store: &str, record: &Record) -> Option<(String, bool)> {
    let of_flag = |ends| Some((flag_incident(store, record.flag.as_deref()?), ends));
    let named = |name: &str, ends| Some((format!("{store}-{name}"), ends));
    match (record.action, record.notice) {
        (Action::StopAll, _) => named("stop", false),
        (Action::ResumeAll, _) => named("stop", true),
        (Action::Kill, _) => of_flag(false),
        (Action::Revive, _) => of_flag(true),
        (Action::PlanBack | Action::PlanHold, _) if record.guard.is_some() => of_flag(false),
        (Action::PlanResume, _) => of_flag(true),
        (Action::GuardPause, _) => named("guard-pause", false),
        (Action::GuardResume, _) => named("guard-pause", true),
        (Action::Guard, Some(notice)) => match notice {
            NoticeKind::Outage => named("outage", false),
            NoticeKind::OutageOver => named("outage", true),
            NoticeKind::PauseOver => named("guard-pause", true),
            NoticeKind::Stopped => named("guard-stopped", false),
            NoticeKind::Resumed => named("guard-stopped", true),
            NoticeKind::Blind => named("guard-blind", false),
            NoticeKind::Sees => named("guard-blind", true),
            NoticeKind::Dead => named("guard-dead", false),
            NoticeKind::Returned => named("guard-dead", true),
            NoticeKind::Unwritable => named("store", false),
            NoticeKind::Writable => named("store", true),
            NoticeKind::Helped | NoticeKind::HarmOver => of_flag(true),
            NoticeKind::Worse
            | NoticeKind::NotYet
            | NoticeKind::CannotTell
            | NoticeKind::Pilots
            | NoticeKind::LeftOn
            | NoticeKind::Unable
            | NoticeKind::StillKilled => of_flag(false),
            NoticeKind::Conflict => None,
        },
        (Action::Guard, None) => of_flag(false),
        _ => None,
    }
}

/// A further incident of the guard that a record ends.
pub(super) fn also_ended(store: &str, record: &Record) -> Option<String> {
    (record.action == Action::GuardResume).then(|| format!("{store}-guard-stopped"))
}

/// Flags with an incident that changing the flag ends: the guard starts afresh then. A kill lasts until it is revived.
#[derive(Debug, Default)]
pub(crate) struct ToldFlags {
    told: BTreeSet<String>,
    killed: BTreeSet<String>,
}

impl ToldFlags {
    /// Reads the next change of a trail, and returns the flags whose incidents it ends although no record of it names them.
    pub(crate) fn next(&mut self, record: &Record) -> BTreeSet<String> {
        use Action::{Import, Kill, PlanAbort, PlanAdvance, PlanStart, Promote, Publish, Revive, Rollback};
        let flag = record.flag.as_ref();
        match (record.action, incident("", record), flag) {
            (Kill, _, Some(flag)) => {
                self.told.remove(flag);
                self.killed.insert(flag.clone());
            }
            (Revive, _, Some(flag)) => {
                self.told.remove(flag);
                self.killed.remove(flag);
            }
            (_, Some((_, true)), Some(flag)) => _ = self.told.remove(flag),
            (_, Some((_, false)), Some(flag)) if !self.killed.contains(flag) => {
                self.told.insert(flag.clone());
            }
            (PlanAbort | PlanAdvance | PlanStart, None, Some(flag)) => return self.end([flag]),
            (action, None, Some(flag)) if action.is_edit() => return self.end([flag]),
            // A plan's step by time ends no incident.
            (Publish | Rollback | Promote | Import, ..) => {
                let answering = record.differences.iter().filter(|difference| difference.is_answering());
                return self.end(answering.filter_map(|difference| difference.flag.as_ref()));
            }
            _ => {}
        }
        BTreeSet::new()
    }

    fn end<'a>(&mut self, flags: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
        flags.into_iter().filter_map(|flag| self.told.take(flag)).collect()
    }
}

/// The key of a flag's incident.
pub(super) fn flag_incident(store: &str, flag: &str) -> String {
    format!("{store}-flag-{flag}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::SettledChange;

    #[test]
    fn harm_of_a_flag_that_the_guard_may_not_turn_off_wakes_a_person() {
        for (protection, severity) in [(None, Severity::Ticket), (Some("required"), Severity::Page)] {
            for action in [Action::Guard, Action::PlanHold] {
                let mut record =
                    SettledChange::unrecorded(NoticeKind::LeftOn, "production", String::new(), 0).record;
                (record.action, record.notice) = (action, None);
                let mut finding = serde_json::json!({
                    "flag": "search", "harm": "errors", "against": "limit", "on": { "requests": 1000, "hits": 140 },
                    "off": { "requests": 0, "hits": 0 }, "limit": 0.05, "slower": 0, "companies": 16, "since": 0, "at": 0,
                    "changed_at": 0, "action": "hold",
                });
                if let Some(protection) = protection {
                    finding["protection"] = protection.into();
                }
                record.guard = Some(serde_json::from_value(finding).unwrap());
                assert_eq!(Severity::of(&record), severity, "{protection:?} {action:?}");
            }
        }
    }

    fn record(action: Action) -> Record {
        let record = SettledChange::unrecorded(NoticeKind::LeftOn, "production", String::new(), 0).record;
        Record { action, notice: None, flag: Some("search".to_owned()), ..record }
    }

    fn notice(notice: NoticeKind) -> Record {
        SettledChange::unrecorded(notice, "production", String::new(), 0).record
    }

    /// The incident stayed open after a plan was aborted or a flag disabled: PagerDuty swallowed the next page of that flag.
    #[test]
    fn whatever_a_person_does_with_a_flag_ends_what_was_told_of_it() {
        use Action::{
            Allow, Delete, Deny, Disable, Enable, Forget, PlanAbort, PlanAdvance, PlanStart, Rollout,
        };
        let told = || Record { notice: Some(NoticeKind::LeftOn), ..record(Action::Guard) };
        let search = BTreeSet::from(["search".to_owned()]);
        for action in
            [Allow, Delete, Deny, Disable, Enable, Forget, PlanAbort, PlanAdvance, PlanStart, Rollout]
        {
            let mut flags = ToldFlags::default();
            assert!(flags.next(&record(action)).is_empty(), "{action:?}: nothing was told");
            flags.next(&told());
            assert_eq!(flags.next(&record(action)), search, "{action:?}");
            assert!(flags.next(&record(action)).is_empty(), "{action:?}: it is over");
            let settled = SettledChange { record: record(action), at: 0, ends: search.clone() };
            let event = crate::notify::Event::new("5f3c", &settled);
            assert_eq!((event.incident.as_deref(), event.resolves), (Some("5f3c-flag-search"), true));
            // A kill lasts until it is revived.
            for before in [record(Action::Kill), told()] {
                flags.next(&before);
            }
            assert!(flags.next(&record(action)).is_empty(), "{action:?}");
        }
        for action in [Action::PlanStage, Action::PlanDone, Action::Kill, Action::Revive, Action::PlanResume]
        {
            let mut flags = ToldFlags::default();
            flags.next(&told());
            assert!(flags.next(&record(action)).is_empty(), "{action:?}");
        }
        for action in [Action::Rollback, Action::Publish] {
            let mut flags = ToldFlags::default();
            for flag in ["a", "b", "c", "d"] {
                flags.next(&Record { flag: Some(flag.to_owned()), ..told() });
            }
            let mut record = Record { flag: None, ..record(action) };
            record.differences = serde_json::from_value(serde_json::json!([
                { "flag": "a", "pointer": "/flags/a/rollout/percentage", "before": 1, "after": 2 },
                { "flag": "b", "pointer": "/flags/b/description", "before": "x", "after": "y" },
                { "flag": "c", "pointer": "/flags/c", "before": {}, "after": null },
                { "flag": "x", "pointer": "/flags/x/enabled", "before": false, "after": true },
            ]))
            .unwrap();
            let ends = flags.next(&record);
            assert_eq!(ends, BTreeSet::from(["a", "c"].map(str::to_owned)), "{action:?}");
            let event = crate::notify::Event::new("5f3c", &SettledChange { record, at: 0, ends });
            let ends = ["5f3c-flag-a", "5f3c-flag-c"].map(str::to_owned);
            assert_eq!((event.incident, event.resolves, event.ends), (None, false, BTreeSet::from(ends)));
        }
    }

    /// `guard pause` and `guard resume` ended the incident of a guard that was blind all the while.
    #[test]
    fn each_trouble_of_the_guard_is_an_incident_of_its_own() {
        let of = |record: &Record| incident("5f3c", record).unwrap();
        let pairs = [
            (notice(NoticeKind::Blind), notice(NoticeKind::Sees)),
            (notice(NoticeKind::Dead), notice(NoticeKind::Returned)),
            (notice(NoticeKind::Stopped), notice(NoticeKind::Resumed)),
            (record(Action::GuardPause), notice(NoticeKind::PauseOver)),
        ];
        let mut incidents = BTreeSet::new();
        for (begun, over) in &pairs {
            assert_eq!((of(begun).0, false, true), (of(over).0, of(begun).1, of(over).1));
            incidents.insert(of(begun).0);
        }
        assert_eq!(incidents.len(), pairs.len());
        let resumed = SettledChange { record: record(Action::GuardResume), at: 0, ends: BTreeSet::new() };
        let ends = ["5f3c-guard-pause", "5f3c-guard-stopped"].map(str::to_owned);
        assert_eq!(crate::notify::Event::new("5f3c", &resumed).ends, BTreeSet::from(ends));
    }

    /// It was a ticket, because the guard had acted on the flag before.
    #[test]
    fn grave_harm_of_a_flag_that_is_left_alone_wakes_a_person() {
        for (hits, severity) in [(140, Severity::Ticket), (350, Severity::Page)] {
            let mut record = record(Action::Guard);
            let finding = serde_json::json!({
                "flag": "search", "harm": "errors", "against": "limit", "on": { "requests": 1000, "hits": hits },
                "off": { "requests": 0, "hits": 0 }, "limit": 0.05, "slower": 0, "companies": 16, "since": 0, "at": 0,
                "changed_at": 0, "action": "notify",
            });
            record.guard = Some(serde_json::from_value(finding).unwrap());
            assert_eq!(Severity::of(&record), severity);
        }
    }

    #[test]
    fn harm_that_is_left_on_is_urgent_where_many_requests_fail() {
        for (hits, severity) in [(140, Severity::Ticket), (160, Severity::Page)] {
            let mut record =
                SettledChange::unrecorded(NoticeKind::LeftOn, "production", String::new(), 0).record;
            let finding = serde_json::json!({
                "flag": "search", "harm": "errors", "against": "limit", "on": { "requests": 1000, "hits": hits },
                "off": { "requests": 0, "hits": 0 }, "limit": 0.05, "slower": 0, "companies": 16, "since": 0, "at": 0,
                "changed_at": 0, "action": "rollback",
            });
            record.guard = Some(serde_json::from_value(finding).unwrap());
            assert_eq!(Severity::of(&record), severity, "{hits} of 1000");
        }
    }
}
