//! The stores that this process has opened, shared by its threads.

use super::Host;
use crate::error::{StoreError, missing_store};
use crate::store::{Location, Reader, ReaderOptions, ReaderStatus};
use parking_lot::Mutex;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Stores that stay open at most; the one used longest ago makes room, and stays alive while a thread pins it. A store that is opened
/// again begins as in a new worker: its last good answers are forgotten.
const MAX_OPEN: usize = 32;
/// Longest wait for the list. A child of `fork` may find it locked for ever by a thread that it does not have.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

static OPEN: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// A reader, keyed by the judged location and the options: threads may be set to map differently.
struct Entry {
    options: ReaderOptions,
    forks: u32,
    opened: OpenStore,
}

#[derive(Debug, Clone)]
pub(super) struct OpenStore {
    pub(super) reader: Arc<Reader>,
    /// The directory that the path led to, as judged.
    pub(super) location: Arc<Location>,
    pub(super) environment: Arc<str>,
}

/// Opens the store at `path`, or finds it open. The path is judged as given, symbolic links included, each time.
///
/// # Errors
///
/// The reason why it cannot be used, for status and the log.
pub(super) fn open(path: &[u8], options: ReaderOptions, host: &impl Host) -> Result<OpenStore, String> {
    let location = locate(path, options.owner)?;
    let forks = host.forks();
    let Some(mut open) = OPEN.try_lock_for(LOCK_TIMEOUT) else {
        return opened(path, location, options, host);
    };
    let known = |entry: &Entry| {
        *entry.opened.location == location && entry.options == options && entry.forks == forks
    };
    // The one used last stands last.
    if let Some(found) = open.iter().rposition(known) {
        let entry = open.remove(found);
        let opened = entry.opened.clone();
        open.push(entry);
        return Ok(opened);
    }
    let opened = opened(path, location, options, host)?;
    if open.len() >= MAX_OPEN {
        open.remove(0);
    }
    open.push(Entry { options, forks, opened: opened.clone() });
    Ok(opened)
}

/// Resolves the path as it leads now. It is judged as given, symbolic links included.
///
/// # Errors
///
/// The reason why it leads to no directory, or to one that is not trusted.
pub(super) fn locate(path: &[u8], owner: Option<u32>) -> Result<Location, String> {
    if !crate::has_room() {
        return Err("the process may have no more memory (`ulimit -v`, LimitAS= of the unit)".to_owned());
    }
    let given = Path::new(OsStr::from_bytes(path));
    Location::of(given, owner).map_err(|error| refusal(given, &error))
}

fn opened(
    path: &[u8],
    location: Location,
    options: ReaderOptions,
    host: &impl Host,
) -> Result<OpenStore, String> {
    host.watch_forks();
    let given = Path::new(OsStr::from_bytes(path));
    let reader = Arc::new(Reader::open(given, options).map_err(|error| refusal(given, &error))?);
    let ReaderStatus { directory, environment, .. } = reader.status();
    // The path may have been switched since it was judged.
    let location = Arc::new(Location { directory, ..location });
    Ok(OpenStore { reader, location, environment: environment.into() })
}

fn refusal(given: &Path, error: &StoreError) -> String {
    match error {
        StoreError::Io { what: "open the directory", source, .. }
            if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            format!(
                "cannot open the store {}: {source}; check flagstone.store{}",
                given.display(),
                missing_store(given)
            )
        }
        error => error.to_string(),
    }
}
