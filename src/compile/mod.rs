//! Compiles checked definitions to the bytes of a snapshot. The same definitions give the same bytes.

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

/// The format has room for everything that `check` allows.
const _: () = {
    assert!(limits::REQUIRED <= MAX_REQUIRES as usize && limits::RULES <= MAX_RULES as usize);
    assert!(limits::COMPARISONS <= MAX_TESTS as usize && limits::NAME <= MAX_OPERAND as usize);
};

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

/// Compiles `definitions` to the bytes of a snapshot for the environment of that name.
///
/// # Errors
///
/// When the definitions were not checked, or are too large for the format.
pub fn compile(definitions: &Definitions, environment: &str) -> Result<Vec<u8>, CompileError> {
    let mut compiler = Compiler::new(definitions);
    compiler.flags()?;
    compiler.finish(environment)
}
