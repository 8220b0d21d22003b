//! Limits of a document. They bound memory and time for any text; none is near the needs of a real document.

/// Size of a file in bytes.
pub const FILE_SIZE: usize = 64 << 20;
/// Values in a document, objects and lists included.
pub const VALUES: usize = 4_194_304;
/// Nesting of objects and lists.
pub const NESTING: usize = 64;
/// Nesting of objects and lists in the value of a variant.
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
/// Comparisons in all rules of a flag, with every segment inlined.
pub const COMPARISONS: usize = 10_000;
/// Nesting of conditions, with every segment inlined.
pub const CONDITION_NESTING: usize = 128;
/// Size of a name, a salt or an operand in bytes.
pub const NAME: usize = 1_024;
/// Problems of each severity that a report keeps; more are only counted.
pub const PROBLEMS: usize = 1_000;
