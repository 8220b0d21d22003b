//! How urgent an event is, and to which incident it belongs.

use crate::guard::NoticeKind;
use crate::store::{Action, Record};
use serde::{Deserialize, Serialize};

/// How urgent an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nobody has to do anything.
    Info,
    /// A person is to look at it in working hours.
    Ticket,
    /// Wake a person.
    Page,
}

impl Severity {
    /// Of what a record tells.
    pub(super) fn of(record: &Record) -> Severity {
        match (record.action, record.notice) {
            (Action::Kill | Action::StopAll, _) => Severity::Page,
            (Action::PlanBack, _) if record.guard.is_some() => Severity::Page,
            (Action::PlanHold, _) if record.guard.is_some() => Severity::Ticket,
            (Action::Guard, Some(notice)) => match notice {
                NoticeKind::Outage | NoticeKind::Worse | NoticeKind::Stopped | NoticeKind::Blind => {
                    Severity::Page
                }
                NoticeKind::Pilots | NoticeKind::LeftOn | NoticeKind::NotYet => Severity::Ticket,
                NoticeKind::OutageOver
                | NoticeKind::Helped
                | NoticeKind::CannotTell
                | NoticeKind::Resumed
                | NoticeKind::Sees => Severity::Info,
            },
            (Action::Guard, None) => Severity::Ticket,
            _ => Severity::Info,
        }
    }
}

/// The incident that a record belongs to, the same for all records of one, and whether this one ends it.
pub(super) fn incident(store: &str, record: &Record) -> Option<(String, bool)> {
    let of_flag = |ends| Some((format!("{store}-flag-{}", record.flag.as_deref()?), ends));
    let named = |name: &str, ends| Some((format!("{store}-{name}"), ends));
    match (record.action, record.notice) {
        (Action::StopAll, _) => named("stop", false),
        (Action::ResumeAll, _) => named("stop", true),
        (Action::Kill, _) => of_flag(false),
        (Action::Revive, _) => of_flag(true),
        (Action::PlanBack | Action::PlanHold, _) if record.guard.is_some() => of_flag(false),
        (Action::PlanResume, _) => of_flag(true),
        (Action::GuardPause, _) => named("guard", false),
        (Action::GuardResume, _) => named("guard", true),
        (Action::Guard, Some(notice)) => match notice {
            NoticeKind::Outage => named("outage", false),
            NoticeKind::OutageOver => named("outage", true),
            NoticeKind::Stopped | NoticeKind::Blind => named("guard", false),
            NoticeKind::Resumed | NoticeKind::Sees => named("guard", true),
            NoticeKind::Helped => of_flag(true),
            NoticeKind::Worse
            | NoticeKind::NotYet
            | NoticeKind::CannotTell
            | NoticeKind::Pilots
            | NoticeKind::LeftOn => of_flag(false),
        },
        (Action::Guard, None) => of_flag(false),
        _ => None,
    }
}
