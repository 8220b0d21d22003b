//! Definitions that do not compile.

/// The reason why definitions do not compile. Definitions that passed `check` do, unless they are too large for the format.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompileError {
    /// `requires` names a flag that is not defined.
    #[error("{flag} requires {missing}, which is not defined; run `flagstone check`")]
    UnknownFlag {
        /// The flag's key.
        flag: String,
        /// The flag that it requires.
        missing: String,
    },
    /// A condition names a segment that is not defined.
    #[error("{flag} uses segment {missing}, which is not defined; run `flagstone check`")]
    UnknownSegment {
        /// The flag's key.
        flag: String,
        /// The segment's name.
        missing: String,
    },
    /// A flag requires itself through others, or segments contain each other.
    #[error("{flag} leads back to itself through `requires` or segments; run `flagstone check`")]
    Cycle {
        /// The flag's key.
        flag: String,
    },
    /// A time or a version that `check` would have refused.
    #[error("{flag}: {found:?} is not {expected}; run `flagstone check`")]
    Operand {
        /// The flag's key.
        flag: String,
        /// The invalid text.
        found: String,
        /// The expected kind of text.
        expected: &'static str,
    },
    /// More entries than the format can count.
    #[error("too many {what} for one snapshot: found {found}, at most {limit}")]
    TooMany {
        /// Plural noun of the things counted.
        what: &'static str,
        /// Number found.
        found: u64,
        /// Maximum number.
        limit: u64,
    },
}

/// Returns an error above the limit of readers of the format.
pub(super) fn at_most(what: &'static str, found: usize, limit: u32) -> Result<(), CompileError> {
    let (found, limit) = (found as u64, u64::from(limit));
    if found > limit { Err(CompileError::TooMany { what, found, limit }) } else { Ok(()) }
}
