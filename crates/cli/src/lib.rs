//! The commands of Flagstone, in three binaries: what one of them does not run is not linked into it.
//!
//! Exit codes: 0 yes or done, 1 no or refused, 2 could not tell, 3 done here but not on every machine. A closed pipe is
//! no failure.

mod agent;
mod args;
mod binary;
mod cmd;
mod companies;
mod confirm;
mod counters;
mod display;
mod doctor;
mod entry;
mod extent;
mod fastcgi;
mod git;
mod guard;
mod http;
mod identity;
mod impact;
mod inputs;
mod log;
mod machines;
mod notify;
mod openmetrics;
mod output;
mod privileged;
mod probe;
mod process;
mod progress;
mod question;
mod reminders;
mod scan;
mod service_manager;
mod signals;
mod store_view;
mod switches;
mod terminal;
#[cfg(test)]
mod test_store;

pub use binary::{AGENT, Binary, DOCTOR, FLAGSTONE};
