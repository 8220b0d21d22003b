//! Everything that changes a store, or reads it as those do who change it.

mod agent_config;
mod agent_counts;
mod believed;
mod change_options;
mod commit;
mod config;
mod damaged_slots;
mod dependents;
mod drift_history;
mod exclusive;
mod guard;
mod history;
mod init;
mod keys;
mod kill_places;
mod lock;
mod migrate;
mod named_file;
mod notify;
mod permissions;
mod plan;
mod pull;
mod retention;
mod shut_out;
mod state_at;
mod store;
mod switch;
mod transaction;
mod transfer;
mod verify;
mod went_back;

pub use agent_config::{AgentConfig, Asker, Policy, Readers, Right, Who};
pub use agent_counts::AgentCounts;
pub use believed::{BelievedUsers, TelemetryConfig, UserId};
pub use change_options::{Change, FileOptions, Published, RecordOutcome, Release, SwitchOutcome};
pub use config::{Config, Machine, MachineName, Share};
pub use dependents::dependents_text;
pub use guard::{
    ActionTaken, ChangeTimes, GoesBy, GuardOutcome, Guarding, HeldHead, NoticeRecord, Orders, Verdicts,
    first_watch,
};
pub use history::{HistoryEntry, KilledFlag, StoreStatus};
pub use init::no_member;
pub use kill_places::KillPlaces;
pub use migrate::MigrationResult;
pub use named_file::NamedFile;
pub use notify::{Sender, UnsentChanges};
pub use permissions::Permissions;
pub use plan::{PlanChange, PlanCommand, TickResult, Ticker};
pub use shut_out::ShutOut;
pub use store::Store;
pub use verify::{AuditCheck, BadRecord};
