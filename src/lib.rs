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
pub mod answer_history;
#[cfg(feature = "publisher")]
pub mod audit;
#[cfg(feature = "publisher")]
mod compile;
#[cfg(feature = "publisher")]
pub mod definition;
mod error;
pub mod eval;
#[cfg(feature = "publisher")]
pub mod experiment;
mod fault;
pub mod files;
#[cfg(feature = "publisher")]
pub mod flag_change;
#[cfg(feature = "publisher")]
pub mod guard;
mod key;
#[cfg(feature = "publisher")]
pub mod merge;
#[cfg(feature = "publisher")]
pub mod notify;
#[cfg(feature = "publisher")]
pub mod plan;
#[cfg(feature = "publisher")]
pub mod publish;
mod room;
#[cfg_attr(
    not(feature = "publisher"),
    expect(dead_code, reason = "only definitions are checked for versions")
)]
mod semver;
pub mod session;
mod snapshot;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod time;
#[cfg(feature = "publisher")]
pub mod transfer;

#[cfg(feature = "publisher")]
pub use compile::{CompileError, compile};
pub use error::StoreError;
pub use eval::{
    Answer, Attribute, Context, Question, Quick, Reason, Switches, Unknown, blocker, dependents, enabled,
    evaluate, missing, possible, rule_name, unknown, variant, variant_named,
};
pub use fault::{BusHandler, bus_handler, lost_mappings, unblock_bus_errors};
pub use key::Key;
pub use room::{has_room, keep_room};
pub use snapshot::is_flag_key;
#[cfg(feature = "publisher")]
pub use snapshot::{Audited, FlagFields, Layout, ListFields, RuleFields, SectionLayout, TestFields};
pub use snapshot::{
    ContentId, FlagId, MapMode, Snapshot, SnapshotError, Value, ValueList, ValueMap, ValueRef, VariantRef,
    key_hash,
};
