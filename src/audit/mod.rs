//! The audit trail: who changed what, when and why, a record a line.

mod actor;
mod differences;
mod record;
mod settle;

pub use actor::Actor;
pub use differences::{Difference, ListDifference, diff};
pub(crate) use differences::{MAX_SHOWN_COMPANIES, diff_canonical, moved_bases};
pub use record::{Action, Outcome, Record, Torn};
pub(crate) use record::{
    Audit, LINE_LIMIT, NO_HASH, PulledField, anchor, each_record, is_ahead, last_record, last_records,
    open_trail, parse_line, sha256,
};
pub(crate) use settle::ChangeSettler;
pub use settle::{SettledChange, settle};
