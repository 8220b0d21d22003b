//! The store: a directory that holds snapshots, and the head that says which of them is current.
//!
//! Workers use [`Reader`], publishers [`Store`]. `docs/store-format.md` is the authority on the bytes, `docs/operations.md` tells
//! operators how to run a store.
//!
//! A reader follows the last good generation, whatever happens to the files. A publisher changes the head only after everything that it
//! names was written to the disk and read back.

mod directory;
mod error;
mod fuse;
mod head;
mod layout;
mod load;
mod location;
mod namespace;
mod open;
mod reader;
mod shared;
mod trust;

#[cfg(feature = "publisher")]
mod actor;
#[cfg(feature = "publisher")]
mod audit;
#[cfg(feature = "publisher")]
mod believed;
#[cfg(feature = "publisher")]
mod change;
#[cfg(feature = "publisher")]
mod config;
#[cfg(feature = "publisher")]
mod diff;
#[cfg(feature = "publisher")]
mod guard;
#[cfg(feature = "publisher")]
mod history;
#[cfg(feature = "publisher")]
mod init;
#[cfg(feature = "publisher")]
mod keys;
#[cfg(feature = "publisher")]
mod lease;
#[cfg(feature = "publisher")]
mod lock;
#[cfg(feature = "publisher")]
mod migrate;
#[cfg(feature = "publisher")]
mod modes;
#[cfg(feature = "publisher")]
mod named;
#[cfg(feature = "publisher")]
mod notify;
#[cfg(feature = "publisher")]
mod past;
#[cfg(feature = "publisher")]
mod permissions;
#[cfg(feature = "publisher")]
mod plan;
#[cfg(feature = "publisher")]
mod post;
#[cfg(feature = "publisher")]
mod publish;
#[cfg(feature = "publisher")]
mod replace;
#[cfg(feature = "publisher")]
mod retention;
#[cfg(feature = "publisher")]
mod session;
#[cfg(feature = "publisher")]
mod settled;
#[cfg(feature = "publisher")]
mod shut_out;
#[cfg(feature = "publisher")]
mod switch;
#[cfg(feature = "publisher")]
mod travel;
#[cfg(feature = "publisher")]
mod turned;
#[cfg(feature = "publisher")]
mod users;
#[cfg(feature = "publisher")]
mod verify;

pub use error::StoreError;
pub(crate) use layout::above_standard;
pub use load::Source;
pub use location::Location;
pub(crate) use open::FileId;
pub use open::MapPolicy;
pub use reader::{Reader, ReaderOptions, ReaderStatus, View};
pub(crate) use trust::{Step, printable, shell, way};
pub use trust::{Trust, absolute};

#[cfg(feature = "publisher")]
pub use actor::Actor;
#[cfg(feature = "publisher")]
pub use audit::{Action, Outcome, Record, Torn};
#[cfg(feature = "publisher")]
pub use believed::{Believed, TelemetryConfig, UserId};
#[cfg(feature = "publisher")]
pub use change::{Change, FileOptions, Published, Release, Switched};
#[cfg(feature = "publisher")]
pub use config::{Config, Machine, MachineName, Share};
#[cfg(feature = "publisher")]
pub use diff::{Difference, ListDifference, diff};
#[cfg(feature = "publisher")]
pub use fuse::{NOBODY, owner_of};
#[cfg(feature = "publisher")]
pub use guard::{Acted, Changed, GoesBy, Guarding, HeldHead, Noted, Orders, Took, Verdicts, first_watch};
#[cfg(feature = "publisher")]
pub use history::{HistoryEntry, KilledFlag, StoreStatus};
#[cfg(feature = "publisher")]
pub use init::no_member;
#[cfg(feature = "publisher")]
pub use migrate::Migrated;
#[cfg(feature = "publisher")]
pub use named::NamedFile;
#[cfg(not(feature = "publisher"))]
pub(crate) use namespace::is_unmapped;
#[cfg(feature = "publisher")]
pub use namespace::is_unmapped;
#[cfg(feature = "publisher")]
pub use notify::{Sender, Unsent};
#[cfg(feature = "publisher")]
pub use permissions::Permissions;
#[cfg(feature = "publisher")]
pub use plan::{PlanWord, Planned, Ticked, Ticker};
#[cfg(feature = "publisher")]
pub use publisher::Store;
#[cfg(feature = "publisher")]
use publisher::{PATIENCE, now};
#[cfg(feature = "publisher")]
pub use settled::{Settled, settle};
#[cfg(feature = "publisher")]
pub use shut_out::ShutOut;
#[cfg(feature = "publisher")]
pub use users::{Account, PROGRAM_PATH, close_directories, group_number};
#[cfg(feature = "publisher")]
pub use verify::{AuditCheck, BadRecord};

#[cfg(feature = "publisher")]
mod publisher;
#[cfg(feature = "publisher")]
mod pulled;
