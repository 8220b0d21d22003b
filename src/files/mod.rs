//! The ways to a file: judged directories, what lies in them, and what the file system says of it.

mod descriptor;
mod directory;
mod file_system;
mod fuse;
#[cfg(feature = "publisher")]
mod holder;
#[cfg(feature = "publisher")]
mod lease;
mod local_users;
#[cfg(feature = "publisher")]
mod modes;
mod namespace;
mod own_file;
#[cfg(feature = "publisher")]
mod replace;
mod trust;
#[cfg(feature = "publisher")]
mod users;

pub(crate) use descriptor::{FileId, Stamp, above_standard};
pub(crate) use directory::{Access, Folder};
pub(crate) use file_system::{is_layered, is_local};
pub use local_users::local_user;
pub(crate) use own_file::OwnFile;
pub(crate) use trust::{Believed, Judged, Step, judge, way};
pub use trust::{Trust, absolute};

#[cfg(feature = "publisher")]
pub(crate) use directory::{StoreFile, read_bounded};
#[cfg(feature = "publisher")]
pub(crate) use file_system::{BCACHEFS, BTRFS, ZFS, magic};
#[cfg(feature = "publisher")]
pub use fuse::{NOBODY, owner_of};
#[cfg(feature = "publisher")]
pub(crate) use holder::holder_of;
#[cfg(feature = "publisher")]
pub(crate) use modes::Modes;
#[cfg(not(feature = "publisher"))]
pub(crate) use namespace::is_unmapped;
#[cfg(feature = "publisher")]
pub use namespace::is_unmapped;
#[cfg(feature = "publisher")]
pub(crate) use replace::{TEMPORARY, replace};
#[cfg(feature = "publisher")]
pub use trust::act_as_owner;
#[cfg(feature = "publisher")]
pub(crate) use trust::remedy_for;
#[cfg(feature = "publisher")]
pub use users::{Account, PROGRAM_PATH, close_directories, group_name, group_number};
#[cfg(feature = "publisher")]
pub(crate) use users::{user_name, user_number};
