//! How much a document may hold. The bounds keep memory and time in hand whatever the text says; none is near what a
//! real document needs.

/// Bytes of a file.
pub const FILE_SIZE: usize = 64 << 20;
/// Values in a document, objects and lists included.
pub const VALUES: usize = 4_194_304;
/// Objects and lists within each other.
pub const NESTING: usize = 64;
/// Objects and lists within each other in the value of a variant.
pub const VALUE_NESTING: usize = 32;
/// Flags in a document.
pub const FLAGS: usize = 100_000;
/// Environments of a document: each is checked with the whole of it.
pub const ENVIRONMENTS: usize = 100;
/// Flags that a flag requires, directly or through others.
pub const REQUIRED: usize = 64;
/// Rules of a flag.
pub const RULES: usize = 1_000;
/// Stages of a plan.
pub const STAGES: usize = 100;
/// Comparisons in all rules of a flag, once each segment stands where it is named.
pub const COMPARISONS: usize = 10_000;
/// Conditions within each other, once each segment stands where it is named.
pub const CONDITION_NESTING: usize = 128;
/// Bytes of a name, a salt or an operand.
pub const NAME: usize = 1_024;
/// Problems of each severity that a report keeps; more are only counted.
pub const PROBLEMS: usize = 1_000;
