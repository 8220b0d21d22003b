//! Options of an import.

/// The parts to transfer besides definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportOptions {
    /// Keep the audience of the origin: enabled, percentage, schedule, emergency.
    pub keep_state: bool,
    /// Transfer companies as well: in lists, stages and rules.
    pub with_companies: bool,
}
