//! Rollout plans: a flag goes on stage by stage, and each stage soaks before the next.
//!
//! Pure: a flag, its plan's state, the time, the switches and the guard's verdict in; the flag as it should be out. State and
//! percentage are parts of one flag, so one publish moves both, and nothing has to be reconciled after a crash. [`decide`]
//! determines the step of a tick; people's commands are [`start`], [`hold`], [`resume`], [`advance`] and [`abort`];
//! [`settle`] holds a plan whose flag was changed otherwise. `docs/plans.md` has the meaning of each.

mod back;
mod decide;
mod moves;
mod progress;
mod stage;
mod track;
mod verdict;

pub use back::back;
pub use decide::{Idle, PlanDecision, SwitchState, Wait, decide};
pub use moves::{PlanError, PlanMove, abort, advance, hold, resume, start, step};
pub use progress::{Mark, Progress, progress};
pub use track::{hold_all, settle};
pub use verdict::Verdict;
