//! Checked definitions to the bytes of a snapshot. The same definitions give the same bytes.

mod flags;
mod index;
mod lists;
mod lower;
mod strings;
mod values;
mod write;

use crate::definition::{Definitions, limits};
use crate::snapshot::format::{MAX_OPERAND, MAX_REQUIRES, MAX_RULES, MAX_TESTS};
use flags::Compiler;

/// What `check` allows compiles.
const _: () = {
    assert!(limits::REQUIRED <= MAX_REQUIRES as usize && limits::RULES <= MAX_RULES as usize);
    assert!(limits::COMPARISONS <= MAX_TESTS as usize && limits::NAME <= MAX_OPERAND as usize);
};

/// Why definitions do not compile. Definitions that passed `check` do, unless they are too large for the format.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompileError {
    /// `requires` names a flag that is not defined.
    #[error("{flag} requires {missing}, which is not defined; run `flagstone check`")]
    UnknownFlag {
        /// The flag.
        flag: String,
        /// What it requires.
        missing: String,
    },
    /// A condition names a segment that is not defined.
    #[error("{flag} uses segment {missing}, which is not defined; run `flagstone check`")]
    UnknownSegment {
        /// The flag.
        flag: String,
        /// The segment.
        missing: String,
    },
    /// A flag requires itself through others, or segments contain each other.
    #[error("{flag} leads back to itself through `requires` or segments; run `flagstone check`")]
    Cycle {
        /// The flag.
        flag: String,
    },
    /// A time or a version that `check` would have refused.
    #[error("{flag}: {found:?} is not {expected}; run `flagstone check`")]
    Operand {
        /// The flag.
        flag: String,
        /// The text.
        found: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// More of something than the format counts.
    #[error("too many {what} for one snapshot: found {found}, at most {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: u64,
        /// How many there may be.
        limit: u64,
    },
}

/// The bytes of the snapshot that answers as `definitions` say, for the environment of that name.
///
/// # Errors
///
/// When the definitions were not checked, or are too large for the format.
pub fn compile(definitions: &Definitions, environment: &str) -> Result<Vec<u8>, CompileError> {
    let mut compiler = Compiler::new(definitions);
    compiler.flags()?;
    compiler.finish(environment)
}
