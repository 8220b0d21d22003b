//! Rollout plans: a flag goes on stage by stage, and each stage soaks before the next.
//!
//! Pure: a flag, its plan's state, the time, the switches and the guard's verdict in; the flag as it is to be out. State and percentage
//! are parts of one flag, so that one publish moves both, and nothing has to be reconciled after a death. [`decide`] says
//! what a tick has to do; the words of people are [`start`], [`hold`], [`resume`], [`advance`] and [`abort`]; [`settle`] holds a
//! plan whose flag somebody else changed. `docs/plans.md` tells what each means.

mod back;
mod decide;
mod progress;
mod stage;
mod track;
mod verdict;
mod words;

pub use back::back;
pub use decide::{Idle, Step, Switched, Wait, decide};
pub use progress::{Mark, Progress, progress};
pub use track::{hold_all, settle};
pub use verdict::Verdict;
pub use words::{Moved, PlanError, abort, advance, hold, resume, start, step};
