//! The store as workers read it: a directory that holds snapshots, and the head that says which of them is current.
//!
//! `docs/store-format.md` is the authority on the bytes, `docs/operations.md` tells operators how to run a store. A reader follows the last
//! good generation, whatever happens to the files.

pub(crate) mod head;
pub(crate) mod layout;
mod load;
mod location;
pub(crate) mod open;
mod options;
mod reader;
pub(crate) mod shared;
mod status;
mod view;

pub use location::Location;
pub use open::MapPolicy;
pub use options::ReaderOptions;
pub use reader::Reader;
pub use status::{ReaderStatus, Source};
pub use view::View;
