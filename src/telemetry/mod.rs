//! Counters of a store's flags and of the requests that asked them, in memory that all workers of one user share.
//!
//! Each user's workers have one file for each store, in a directory of their own in a file system that is memory
//! (`/dev/shm`). It grows with the flags that are asked, and room is reserved before it is touched. It holds numbers, and
//! names of events, and no index or size is ever taken from it: random bytes in it are wrong numbers and nothing else.
//! Requests take no lock. Questions are counted in cells that one thread alone writes, with plain stores; after a thread is
//! killed, the next owner continues its cells. A request's flags are noted there as they are asked, so that a request whose
//! thread dies is counted too; outcomes are added with atomic additions when requests end.
//!
//! If counting is not possible, nothing is counted, and every answer stays the same.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod claim;
#[cfg(feature = "publisher")]
mod contents;
#[cfg(feature = "publisher")]
mod copies;
mod directory;
pub mod duration;
mod error;
mod exposure;
mod file;
mod held;
mod hours;
mod layout;
mod marks;
mod memory;
mod note;
mod outcome;
mod owner;
#[cfg(feature = "publisher")]
mod read;
mod recorder;
mod shown;
mod sketch;
mod store_note;
mod tally;

#[cfg(feature = "publisher")]
pub use copies::{Copies, StoreCopy, copies, readers};
pub use error::TelemetryError;
pub use exposure::{Cohort, Exposure, GROUPS, Group};
pub use held::let_go_in_child;
pub use layout::DIRECTORY;
pub use marks::{MarkBegun, Marks};
pub use outcome::{Ending, Observation, Status};
#[cfg(feature = "publisher")]
pub use read::{
    Counts, FlagCounts, Hour, OpenExposure, OpenRequest, Source, Tally, Total, Tracked, Worker, read,
};
pub use recorder::{AnsweredQuestion, Recorder};
pub use tally::Arm;
