//! The stores that this process has opened, shared by its threads.

use crate::php;
use engine::store::{MapPolicy, Reader, ReaderOptions};
use parking_lot::Mutex;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most stores that stay open; the one opened longest ago makes room. Whoever pins it keeps it.
const MOST: usize = 8;

static OPEN: Mutex<Vec<Open>> = Mutex::new(Vec::new());

/// A reader, by its directory and by how it maps: threads may be set to map differently.
struct Open {
    directory: PathBuf,
    map: MapPolicy,
    reader: Arc<Reader>,
}

/// A store, and the directory that its path led to.
pub(crate) type Opened = (Arc<Reader>, PathBuf);

/// The store at `path`, opened if it is not.
///
/// # Errors
///
/// Why it cannot be used, for status and the log.
pub(crate) fn open(path: &[u8], map: MapPolicy) -> Result<Opened, String> {
    let given = Path::new(OsStr::from_bytes(path));
    let canonical = given.canonicalize().map_err(|error| {
        format!(
            "cannot open the store {}: {error}; check flagstone.store, or make one: flagstone init",
            given.display()
        )
    })?;
    let mut open = OPEN.lock();
    if let Some(known) = open.iter().find(|known| known.directory == canonical && known.map == map) {
        return Ok((known.reader.clone(), canonical));
    }
    let options = ReaderOptions { map, ..ReaderOptions::default() };
    let reader = Arc::new(Reader::open(&canonical, options).map_err(|error| error.to_string())?);
    if open.len() >= MOST {
        open.remove(0);
    }
    open.push(Open { directory: canonical.clone(), map, reader: reader.clone() });
    Ok((reader, canonical))
}

/// The path that PHP code names, made absolute, if it may name it where php.ini names `configured`.
///
/// # Errors
///
/// Why it may not, for status.
pub(crate) fn may_be_named(path: &[u8], configured: &[u8]) -> Result<Vec<u8>, String> {
    let shown = String::from_utf8_lossy(path);
    let text = CString::new(path).ok().filter(|path| !path.is_empty());
    let Some(text) = text else { return Err(format!("flagstone_use(): \"{shown}\" is no path")) };
    if !php::allowed_by_open_basedir(&text) {
        return Err(format!("flagstone_use(): open_basedir does not allow {shown}"));
    }
    let path = php::absolute(&text);
    if configured.is_empty() || configured == path || same_directory(configured, &path) {
        return Ok(path);
    }
    let configured = String::from_utf8_lossy(configured);
    Err(format!("flagstone_use(): php.ini's flagstone.store is {configured}, which {shown} cannot replace"))
}

/// The directory that a path leads to now.
pub(crate) fn resolved(path: &[u8]) -> Option<PathBuf> {
    Path::new(OsStr::from_bytes(path)).canonicalize().ok()
}

fn same_directory(a: &[u8], b: &[u8]) -> bool {
    resolved(a).is_some_and(|a| Some(a) == resolved(b))
}
