//! What the flags of a store did to the requests that asked them, counted in memory that all workers of one user share.
//!
//! Each user's workers have one file for each store, in a directory of their own in a file system that is memory (`/dev/shm`). It grows
//! with what is asked, and room is reserved before it is touched. It holds numbers, and names of events, and no index or size is ever
//! taken from it: random bytes in it are wrong numbers and nothing else. Nobody locks on a request's way. Questions are counted in cells
//! that one thread alone writes, with plain stores, and whose next owner goes on counting where the last one was killed. A request's
//! flags are noted there as they are asked, so that one whose thread dies is counted too; what others come to is added with
//! atomic additions when they end.
//!
//! Where counting is not possible, nothing is counted, and every answer is what it would be.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod claim;
#[cfg(feature = "publisher")]
mod contents;
pub mod duration;
mod error;
mod exposure;
mod file;
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
mod sketch;
mod tally;

pub use error::TelemetryError;
pub use exposure::{Cohort, Exposure, GROUPS, Group};
pub use layout::DIRECTORY;
pub use marks::{MarkBegun, Marks};
pub use outcome::{Ending, Observation, Status};
#[cfg(feature = "publisher")]
pub use read::{Counts, FlagCounts, Hour, Source, Tally, Total, Tracked, Worker, read};
pub use recorder::{Asked, Recorder};
pub use tally::Arm;
