//! The evaluator: one question, one answer, no allocation, no error, no branch that can panic.
//!
//! `docs/evaluation.md` is the authority on the steps and their order.

mod answer;
mod bucket;
mod condition;
mod context;
mod possible;
mod question;
mod quick;
mod switches;

pub use answer::{
    Answer, Reason, Unknown, enabled, evaluate, missing, rule_name, unknown, variant, variant_named,
};
pub use bucket::{BUCKETS, bucket, crc32_bucket, seed, variant_seed};
#[cfg(feature = "publisher")]
pub(crate) use context::compare_numbers;
pub use context::{Attribute, Context};
pub use possible::{blocker, dependents, possible};
pub use question::Question;
pub use quick::Quick;
pub use switches::Switches;
