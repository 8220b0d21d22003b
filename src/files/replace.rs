//! Atomic replacement of a small file beside the head: readers find the old text or the new one.

use super::directory::Folder;
use super::modes::Modes;
use std::io::{self, Write};

/// Ending of the names of files that are not complete yet.
pub(crate) const TEMPORARY: &str = ".tmp";

/// Replaces the file by that text, with that mode, durably. The caller holds a lock that keeps other writers out.
pub(crate) fn replace(folder: &Folder, name: &str, text: &[u8], modes: &Modes, mode: u32) -> io::Result<()> {
    let temporary = format!(".{name}{TEMPORARY}");
    let written = (|| {
        // A process that died may have left one.
        let _ = folder.remove(&temporary);
        let mut file = folder.create(&temporary)?;
        file.write_all(text)?;
        modes.apply(&file, mode)?;
        file.sync_all()?;
        folder.rename(&temporary, name)?;
        folder.sync()
    })();
    if written.is_err() {
        let _ = folder.remove(&temporary);
    }
    written
}
