//! Compiles checked definitions to the bytes of a snapshot. The same definitions give the same bytes.

mod compiler;
mod error;
mod flags;
mod index;
mod lists;
mod lower;
mod strings;
mod values;
mod write;

use crate::definition::{Definitions, limits};
use crate::snapshot::format::{MAX_OPERAND, MAX_REQUIRES, MAX_RULES, MAX_TESTS};
use compiler::Compiler;
pub use error::CompileError;

/// The format has room for everything that `check` allows.
const _: () = {
    assert!(limits::REQUIRED <= MAX_REQUIRES as usize && limits::RULES <= MAX_RULES as usize);
    assert!(limits::COMPARISONS <= MAX_TESTS as usize && limits::NAME <= MAX_OPERAND as usize);
};

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
