//! References between the names of a document.

use super::json::Id;
use std::collections::HashMap;
use std::rc::Rc;

/// A reference from a flag or a segment to another name, with its place.
#[derive(Debug)]
pub(super) struct Link {
    /// Shared: a flag may contain a million names.
    pub from: Rc<str>,
    pub to: String,
    pub at: Id,
}

/// References between names, for the checks that look at more than one flag.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Place of each flag's key, broken ones included.
    pub flags: HashMap<String, Id>,
    /// Place of each segment's key, broken ones included.
    pub segments: HashMap<String, Id>,
    /// References of flags to the flags that they require.
    pub requires: Vec<Link>,
    /// References of flags to their former keys.
    pub was: Vec<Link>,
    /// References of segments to segments.
    pub nested: Vec<Link>,
    /// References of flags to segments.
    pub used: Vec<Link>,
}
