//! Notifications: what happened to a store, told to webhooks.
//!
//! The audit trail is the outbox. Each endpoint has a cursor of its own behind what it has acknowledged, so that nothing is lost when a sender
//! dies, and a change never waits for anybody. Pure functions: what to say, how to sign it, when to try again.
//! `docs/notifications.md` says what is promised.

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
