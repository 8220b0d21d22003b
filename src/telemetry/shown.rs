//! The sign by which readers see that a thread holds its cells, those included that cannot open the claims.
//!
//! It is an empty file of the thread, beside the counters, with a lock for writing that ends with the thread. Other users may open it
//! for reading only, and take no lock but one for reading, which readers of the sign do not count. Nor can such a lock keep the
//! thread's away: the thread makes a new file each time, and locks it while no other user can open it and before it has its name.
//!
//! A thread shows itself once it has counted the request that the cells' last owner left open. Until then readers count that request
//! themselves, so that it is counted at each moment.

use super::claim::hold;
#[cfg(feature = "publisher")]
use super::claim::is_held;
use super::directory::{Own, temporary};
use super::held::Held;
use super::layout;
#[cfg(feature = "publisher")]
use super::layout::{SEATS, WORKERS};
use crate::files::OwnFile;
use rustix::fs::{Mode, fchmod};
use std::io;
#[cfg(feature = "publisher")]
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Mode of the file once it is locked: who may read the counters may see whose they are.
const MODE: u32 = 0o644;

/// A thread's sign.
#[derive(Debug)]
pub(super) struct Shown {
    /// First, so that it drops before the file that a child of `fork` lets go of.
    _held: Held,
    file: OwnFile,
    path: PathBuf,
}

impl Shown {
    /// Shows that a thread holds these cells, or this seat. `counters` is the name of its counters.
    pub(super) fn new(own: &Own, counters: &str, number: usize) -> io::Result<Shown> {
        let name = layout::shown(counters, number);
        let temporary = temporary(&name);
        let file = OwnFile::new(own.create(&temporary)?)?;
        let named = match hold(&file) {
            true => fchmod(&*file, Mode::from_raw_mode(MODE)).and_then(|()| own.rename(&temporary, &name)),
            false => Err(rustix::io::Errno::NOLCK),
        };
        if let Err(error) = named {
            let _ = own.remove(&temporary);
            return Err(error.into());
        }
        Ok(Shown { _held: Held::remember(&file), file, path: own.path(&name) })
    }

    /// True if readers can still see it.
    pub(super) fn is_sound(&self) -> bool {
        self.file.has_path(&self.path)
    }
}

/// True if a thread of this user shows that it holds these cells, or this seat.
#[cfg(feature = "publisher")]
pub(super) fn is_shown(own: &Own, counters: &str, number: usize, user: u32) -> bool {
    let Ok(file) = own.open(&layout::shown(counters, number), false) else { return false };
    let is_users = file
        .metadata()
        .is_ok_and(|found| found.is_file() && found.uid() == user && found.mode() & 0o022 == 0);
    is_users && is_held(&file)
}

/// Number of threads without cells that show it.
#[cfg(feature = "publisher")]
pub(super) fn seated(own: &Own, counters: &str, user: u32) -> usize {
    let seats = own.names().into_iter().flatten().filter_map(|name| layout::shown_by(counters, &name));
    seats
        .filter(|seat| (WORKERS + 1..=WORKERS + SEATS).contains(seat))
        .filter(|seat| is_shown(own, counters, *seat, user))
        .count()
}
