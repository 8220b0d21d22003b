//! Flags, segments and rules as people write them in `flags.json`.
//!
//! [`parse`] reads the text, [`Document::resolve`] merges one environment into it, checks everything and gives the [`Definitions`], or a
//! [`Report`] of every problem with its place. Both are pure: the current day comes from the caller. The only files read are those given
//! to [`read_file`] and [`read_opened`].

mod answering;
mod check;
mod clip;
mod company;
mod company_text;
mod condition;
mod conflict;
mod decode;
mod document;
mod duplicates;
pub(crate) mod edit;
mod file;
mod guard;
mod json;
pub(crate) mod limits;
mod links;
mod lists;
mod locate;
mod merge;
mod model;
mod names;
mod overlay;
mod percentage;
mod place;
mod plan;
mod plan_check;
mod progress;
mod reader;
mod record;
mod references;
mod report;
mod schedule;
mod written;

pub(crate) use answering::is_answering;
pub use company::CompanyId;
pub use company_text::{Meaning, meaning};
pub use condition::{Condition, Scalar, Test};
pub use conflict::{KeptConflict, KeptSegment};
pub use document::{Checked, Document, load, parse};
pub use file::{ReadError, read_file, read_opened};
pub use guard::{GuardAction, GuardBaseline, GuardLimits, GuardRelative, GuardRule};
pub use lists::ListDifference;
pub use model::{
    Bucketing, Companies, Definitions, FileState, Flag, FlagState, Managed, Rollout, Rule, Variant,
};
pub use names::{did_you_mean, nearest};
pub use overlay::{OverlayValues, ReplacedValue, SourceValue};
pub use percentage::Percentage;
pub use plan::{Plan, Soak, Stage};
pub use progress::{Before, ListChange, PlanHold, PlanState};
pub use report::{Problem, Report, Severity};
pub use schedule::{Emergency, ScheduleStep};
pub use written::FieldSet;
