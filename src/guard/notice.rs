//! Notices that the guard, or a publish, writes into the audit trail without having changed anything.

use serde::{Deserialize, Serialize};

/// The kind of an audit record with the action `guard`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Requests fail or are slow, and nothing is taken back.
    Outage,
    /// An outage is over: requests have been well for five minutes.
    OutageOver,
    /// An act on limits helped.
    Helped,
    /// An act on limits made things worse.
    Worse,
    /// An act on limits has not helped within five minutes.
    NotYet,
    /// It is unknown whether an act on limits helped.
    CannotTell,
    /// Acts on limits stop.
    Stopped,
    /// The guard acts on limits again.
    Resumed,
    /// A pause ended by time.
    PauseOver,
    /// Requests of the few companies that have a flag fail.
    Pilots,
    /// A flag does harm and is left on.
    LeftOn,
    /// A flag does harm, and the action against it is impossible.
    Unable,
    /// The harm of a flag against which nothing could be done is over, or the guard no longer watches the flag.
    HarmOver,
    /// The guard has seen nothing for two minutes.
    Blind,
    /// The guard sees again.
    Sees,
    /// The guard ended without being told to, and no other has come.
    Dead,
    /// A guard watches again.
    Returned,
    /// A flag has been killed for a week, or for a further one.
    StillKilled,
    /// The store cannot be written. This notice is in no trail.
    Unwritable,
    /// The store can be written again.
    Writable,
    /// A publish left a conflict open between a file and the running state.
    Conflict,
}

impl NoticeKind {
    /// Text for use in a sentence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::OutageOver => "outage over",
            Self::Helped => "turning it off helped:",
            Self::Worse => "turning it off made it worse:",
            Self::NotYet => "turning it off has not helped:",
            Self::CannotTell => "nobody can tell whether turning it off helped:",
            Self::Stopped => "guard stopped",
            Self::Resumed => "guard resumed",
            Self::PauseOver => "guard's pause over",
            Self::Pilots => "pilots fail:",
            Self::LeftOn => "harm, left on:",
            Self::Unable => "harm, and nothing can be done:",
            Self::HarmOver => "harm over:",
            Self::Blind => "guard blind",
            Self::Sees => "guard sees again",
            Self::Dead => "guard dead",
            Self::Returned => "guard watches again",
            Self::StillKilled => "still killed:",
            Self::Unwritable => "store cannot be written",
            Self::Writable => "store can be written again",
            Self::Conflict => "conflict left open:",
        }
    }
}
