//! Questions.

use crate::key::Key;

/// The company, its attributes and the time of a question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a, C: ?Sized> {
    /// The company, if there is one.
    pub company: Option<Key<'a>>,
    /// Further attributes.
    pub context: &'a C,
    /// The request's start, in microseconds since 1970.
    pub now: i64,
}
