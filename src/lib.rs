//! The engine of Flagstone: bytes in, answers out.
//!
//! Definitions that people write are checked ([`definition`]) and compiled ([`compile`]) to a snapshot, an immutable file that is mapped
//! into memory and answers questions without allocation, lock or system call ([`Snapshot`], [`evaluate`]). A [`store`] holds snapshots
//! and the head, which selects the current one.
//!
//! The engine knows nothing of PHP. Without the feature `publisher` it only reads and answers, which is all
//! that the extension links.

#![deny(unsafe_code)]

#[cfg(feature = "publisher")]
pub mod change;
#[cfg(feature = "publisher")]
mod compile;
#[cfg(feature = "publisher")]
pub mod definition;
pub mod eval;
#[cfg(feature = "publisher")]
pub mod experiment;
mod fault;
#[cfg(feature = "publisher")]
pub mod guard;
#[cfg(feature = "publisher")]
pub mod merge;
#[cfg(feature = "publisher")]
pub mod notify;
#[cfg(feature = "publisher")]
pub mod plan;
mod room;
pub mod session;
mod snapshot;
pub mod store;
pub mod telemetry;
pub mod text;
#[cfg(feature = "publisher")]
pub mod travel;
#[cfg(feature = "publisher")]
pub mod why;

#[cfg(feature = "publisher")]
pub use compile::{CompileError, compile};
pub use eval::{
    Answer, Attribute, Context, Key, Question, Reason, Switches, Unknown, enabled, evaluate, missing,
    possible, rule_name, unknown, variant, variant_named,
};
pub use fault::{BusHandler, bus_handler, lost_mappings, unblock_bus_errors};
pub use room::{has_room, keep_room};
pub use snapshot::is_flag_key;
#[cfg(feature = "publisher")]
pub use snapshot::{Audited, FlagFields, Layout, ListFields, RuleFields, SectionLayout, TestFields};
pub use snapshot::{
    ContentId, FlagId, MapMode, Quick, Snapshot, SnapshotError, Value, ValueList, ValueMap, ValueRef,
    VariantRef, key_hash,
};
