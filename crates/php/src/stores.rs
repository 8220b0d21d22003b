//! The stores that this process has opened, shared by its threads.

use crate::php::{self, Text};
use engine::store::{Location, MapPolicy, Reader, ReaderOptions, ReaderStatus, StoreError};
use parking_lot::Mutex;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Stores that stay open at most; the one opened longest ago makes room. Whoever pins it keeps it.
const MAX_OPEN: usize = 8;
/// How long a thread waits for the list. A child of `fork` may find it locked for ever by a thread that it does not have.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

static OPEN: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// A reader, by what was judged when it was opened and by how it maps: threads may be set to map differently.
struct Entry {
    map: MapPolicy,
    forks: u32,
    opened: Opened,
}

/// An open store.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) reader: Arc<Reader>,
    /// Where the path led, as it was judged.
    pub(crate) location: Arc<Location>,
    pub(crate) environment: Arc<str>,
}

/// The store at `path`, opened if it is not. The path is judged as it is given, symbolic links included, each time.
///
/// # Errors
///
/// Why it cannot be used, for status and the log.
pub(crate) fn open(path: &[u8], map: MapPolicy) -> Result<Opened, String> {
    let location = locate(path)?;
    let forks = php::forks();
    let Some(mut open) = OPEN.try_lock_for(LOCK_TIMEOUT) else { return opened(path, location, map) };
    let known =
        |entry: &&Entry| *entry.opened.location == location && entry.map == map && entry.forks == forks;
    if let Some(entry) = open.iter().find(known) {
        return Ok(entry.opened.clone());
    }
    let opened = opened(path, location, map)?;
    if open.len() >= MAX_OPEN {
        open.remove(0);
    }
    open.push(Entry { map, forks, opened: opened.clone() });
    Ok(opened)
}

/// Where the path leads now. It is judged as it is given, symbolic links included.
///
/// # Errors
///
/// Why it leads to no directory, or to one that is not trusted.
pub(crate) fn locate(path: &[u8]) -> Result<Location, String> {
    let given = Path::new(OsStr::from_bytes(path));
    Location::of(given).map_err(|error| refusal(given, &error))
}

fn opened(path: &[u8], location: Location, map: MapPolicy) -> Result<Opened, String> {
    php::watch_forks();
    let given = Path::new(OsStr::from_bytes(path));
    let options = ReaderOptions { map, ..ReaderOptions::default() };
    let reader = Arc::new(Reader::open(given, options).map_err(|error| refusal(given, &error))?);
    let ReaderStatus { directory, environment, .. } = reader.status();
    // The path may have been switched since it was judged.
    let location = Arc::new(Location { directory, ..location });
    Ok(Opened { reader, location, environment: environment.into() })
}

fn refusal(given: &Path, error: &StoreError) -> String {
    match error {
        StoreError::Io { what: "open the directory", source, .. } if source.raw_os_error().is_some() => {
            format!(
                "cannot open the store {}: {source}; check flagstone.store, or make one: flagstone init",
                given.display()
            )
        }
        error => error.to_string(),
    }
}

/// The path that PHP code names, made absolute, if it may name it where php.ini names `configured`.
///
/// # Errors
///
/// Why it may not, for status.
pub(crate) fn may_be_named(path: &[u8], configured: &[u8]) -> Result<Vec<u8>, String> {
    let shown = || String::from_utf8_lossy(path);
    let text = Text::of(path).filter(|_| !path.is_empty());
    let Some(text) = text else { return Err(format!("flagstone_use(): \"{}\" is no path", shown())) };
    if !php::allowed_by_open_basedir(&text) {
        return Err(format!("flagstone_use(): open_basedir does not allow {}", shown()));
    }
    let path = php::absolute(&text);
    if configured.is_empty() || configured == path || same_directory(configured, &path) {
        return Ok(path);
    }
    let configured = String::from_utf8_lossy(configured);
    Err(format!(
        "flagstone_use(): php.ini's flagstone.store is {configured}, which {} cannot replace",
        shown()
    ))
}

fn same_directory(a: &[u8], b: &[u8]) -> bool {
    let resolved = |path| Path::new(OsStr::from_bytes(path)).canonicalize().ok();
    resolved(a).is_some_and(|a| Some(a) == resolved(b))
}
