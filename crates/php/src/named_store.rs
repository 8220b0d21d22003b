//! The store that PHP code names.

use crate::php::{self, Text};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Makes absolute the path that PHP code names, if it may name one while php.ini names `configured`.
///
/// # Errors
///
/// The reason for the refusal, for status.
pub(crate) fn may_be_named(path: &[u8], configured: &[u8]) -> Result<Vec<u8>, String> {
    let shown = || String::from_utf8_lossy(path);
    let text = Text::of(path).filter(|_| !path.is_empty());
    let Some(text) = text else { return Err(format!("flagstone_use(): \"{}\" is no path", shown())) };
    if !php::allowed_by_open_basedir(&text) {
        return Err(format!("flagstone_use(): open_basedir does not allow {}", shown()));
    }
    let given = Path::new(OsStr::from_bytes(path));
    engine::files::absolute(given).map_err(|error| format!("flagstone_use(): {error}"))?;
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
