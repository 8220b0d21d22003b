//! The stores that this process has opened, shared by its threads.

use crate::{ini, php};
use engine::store::{Reader, ReaderOptions};
use parking_lot::Mutex;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most stores that stay open; the one opened longest ago makes room. Whoever pins it keeps it.
const MOST: usize = 8;

static OPEN: Mutex<Vec<(PathBuf, Arc<Reader>)>> = Mutex::new(Vec::new());

/// The store at `path`, opened if it is not.
///
/// # Errors
///
/// Why it cannot be used, for status and the log.
pub(crate) fn open(path: &[u8]) -> Result<Arc<Reader>, String> {
    let given = Path::new(OsStr::from_bytes(path));
    let canonical = given.canonicalize().map_err(|error| {
        format!(
            "cannot open the store {}: {error}; check flagstone.store, or make one: flagstone init",
            given.display()
        )
    })?;
    let mut open = OPEN.lock();
    if let Some((_, reader)) = open.iter().find(|(known, _)| *known == canonical) {
        return Ok(reader.clone());
    }
    let options = ReaderOptions { map: ini::map(), ..ReaderOptions::default() };
    let reader = Arc::new(Reader::open(&canonical, options).map_err(|error| error.to_string())?);
    if open.len() >= MOST {
        open.remove(0);
    }
    open.push((canonical, reader.clone()));
    Ok(reader)
}

/// Whether PHP code may name that path: it exists and `open_basedir` allows it.
pub(crate) fn may_be_named(path: &[u8]) -> bool {
    CString::new(path).is_ok_and(|path| php::allowed_by_open_basedir(&path))
}

/// Whether two paths lead to one directory.
pub(crate) fn same_directory(a: &[u8], b: &[u8]) -> bool {
    let canonical = |path| Path::new(OsStr::from_bytes(path)).canonicalize().ok();
    canonical(a).is_some_and(|a| Some(a) == canonical(b))
}
