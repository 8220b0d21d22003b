//! What is asked, and what answers depend on between two changes.

use crate::definition::{CompanyId, Definitions};
use crate::eval::Context;
use std::collections::BTreeSet;

/// The company, its attributes and the requested time.
#[derive(Clone, Copy)]
pub struct HistoryQuery<'a> {
    /// The company's id.
    pub company: &'a CompanyId,
    /// Further attributes.
    pub context: &'a dyn Context,
    /// Start, in microseconds since 1970.
    pub from: i64,
    /// End, in microseconds since 1970; none for now. A change whose clock was wrong counts up to the moment in which the trail was read.
    pub to: Option<i64>,
}

/// Unknown parts of the definitions.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Unknown {
    pub(super) all: bool,
    pub(super) flags: BTreeSet<String>,
    pub(super) segments: BTreeSet<String>,
}

/// Everything that answers depend on, between two changes.
pub(super) struct State {
    pub(super) definitions: Definitions,
    pub(super) generation: u64,
    pub(super) unknown: Unknown,
    pub(super) killed: BTreeSet<String>,
    pub(super) stopped: bool,
}
