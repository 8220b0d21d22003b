//! The places for kills in the head, and the warning before all are taken.

use crate::store::head::SLOT_COUNT;

/// Number of places taken from which on people are warned.
const MANY: usize = 200;

/// The places for kills of a store, given the number of killed flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KillPlaces {
    /// Places that are taken.
    pub taken: usize,
}

impl KillPlaces {
    /// Number of further flags that can be killed.
    pub fn left(self) -> usize {
        SLOT_COUNT.saturating_sub(self.taken)
    }

    /// A warning where most places are taken; none where enough are left.
    pub fn warning(self) -> Option<String> {
        let now = if self.left() == 0 { ": neither you nor the guard can kill another flag" } else { "" };
        let taken = self.taken;
        (taken >= MANY).then(|| format!("{taken} of {SLOT_COUNT} places for kills are taken{now}"))
    }

    /// What frees places.
    pub const REMEDY: &str = "disable killed flags in the definitions, or take them out of the code; then `flagstone revive FLAG` frees the place of each";
}
