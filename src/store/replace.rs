//! Replacing a small file beside the head, so that whoever reads it finds the old text or the new one.

use super::layout::TEMPORARY;
use super::modes::Modes;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Replaces the file by that text, with that mode, on the disk for good. Nobody else may be at it: a lock is held.
pub(super) fn replace(path: &Path, text: &[u8], modes: &Modes, mode: u32) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}{TEMPORARY}"));
    let written = (|| {
        // Somebody who died may have left one.
        let _ = std::fs::remove_file(&temporary);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(text)?;
        modes.apply(&file, mode)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}
