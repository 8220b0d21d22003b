//! The place of a change.

/// A text of definitions, and the part of it to change.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The file's name in messages.
    pub file: &'a str,
    /// The text of the definitions.
    pub text: &'a str,
    /// The environment whose overlay is changed; `None` changes the document itself, and with it every environment that does not
    /// override it.
    pub environment: Option<&'a str>,
    /// Present time, in microseconds since 1970.
    pub now: i64,
}
