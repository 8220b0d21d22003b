//! What the guard writes into the audit trail without having changed anything.

use serde::{Deserialize, Serialize};

/// What a record of the action `guard` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Requests fail or are slow, and nothing is taken back.
    Outage,
    /// They have been well for five minutes.
    OutageOver,
    /// An act on limits helped.
    Helped,
    /// It made things worse.
    Worse,
    /// It has not helped within five minutes.
    NotYet,
    /// Nothing tells whether it helped.
    CannotTell,
    /// Acts on limits stop.
    Stopped,
    /// The guard acts on limits again, or a pause is over.
    Resumed,
    /// Those few who have a flag fail.
    Pilots,
    /// A flag does harm and is left on.
    LeftOn,
    /// The guard has seen nothing for two minutes.
    Blind,
    /// It sees again.
    Sees,
}

impl NoticeKind {
    /// In a sentence.
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
            Self::Pilots => "pilots fail:",
            Self::LeftOn => "harm, left on:",
            Self::Blind => "guard blind",
            Self::Sees => "guard sees again",
        }
    }
}
