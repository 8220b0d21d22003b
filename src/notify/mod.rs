//! Notifications: changes in a store, sent to webhooks.
//!
//! The audit trail is the outbox. Each endpoint has a cursor after the last acknowledged record, so nothing is lost when a sender dies,
//! and a change never waits for an endpoint. Pure functions: the text, the signature, the time of the next try. `docs/notifications.md`
//! states the guarantees.

mod config;
mod cursor;
mod event;
mod hmac;
mod severity;

pub use config::{Endpoint, Format};
pub use cursor::{Cursor, Dead, GIVE_UP, Pending};
pub use event::Event;
pub use hmac::{hmac_sha256, signature};
pub use severity::Severity;
pub(crate) use severity::ToldFlags;
