//! The guard: finds flags that do harm, and says which one to turn off.
//!
//! Pure: counters and time in, decisions out. [`Detector`] watches one flag: it compares the requests that were answered on
//! with those answered off at the same time, or with the flag's own past where off does nothing comparable, and checks them
//! against the policy's limits. [`Guard`] watches all flags and [chooses](choose) among those found harmful. This module
//! never turns a flag on or undoes anything, and does nothing where the numbers are not enough. `docs/guard-method.md` has
//! the method.

mod aftermath;
mod busy_hours;
mod choose;
mod control;
mod counts;
mod detector;
mod evidence;
mod finding;
mod hangs;
mod hour;
mod kind;
mod last_change;
mod mark;
mod memory;
mod notice;
mod pace;
mod past;
mod past_hours;
mod plausible;
mod policy;
mod sight;
mod site;
mod stage_suspicion;
mod stakes;
mod watch;

pub use crate::plan::Verdict;
pub use aftermath::{Aftermath, Doubt, Outcome};
pub use busy_hours::BusyHours;
pub use choose::{NoActionReason, Suspect, choose};
pub use detector::{Detector, FALSE_ALARMS, Reading};
pub use finding::{Against, Finding, Ground, Harm, Protection, Share};
pub use hangs::{Earlier, HANGS_AFTER, Hangs, Hung};
pub use hour::Hour;
pub use kind::Kind;
pub use last_change::{LastChange, put_in_order};
pub use memory::{Before, FlagMemory, GuardState, KeptOutage};
pub use notice::NoticeKind;
pub use pace::UsualPace;
pub use past_hours::PastHours;
pub use policy::{Action, Baseline, Policy};
pub use sight::{Blindness, CLOCK_TOLERANCE, RESTART_WINDOW, RESTARTS, Sight, Stuck, restarts_in_a_loop};
pub use site::Trouble;
pub use watch::{Decision, Guard, Notice, Sample, Standing};
