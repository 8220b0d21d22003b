//! The files of PHP below a directory.

use crate::{entry, inputs, words};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What others made, or a framework made of what is elsewhere.
const MADE: [&str; 3] = ["vendor", "node_modules", "storage"];
/// Endings of files that PHP runs.
const ENDINGS: [&str; 3] = ["php", "phtml", "inc"];

/// What is below a directory.
pub struct Listed {
    /// Sorted.
    pub files: Vec<PathBuf>,
    /// Directories that could not be read, with the reason.
    pub unread: Vec<String>,
}

/// Lists the files of PHP. Links to directories are not followed, what others made and hidden
/// directories only with `all`.
///
/// # Errors
///
/// When the directory itself cannot be read.
pub fn list(directory: &Path, all: bool) -> io::Result<Listed> {
    entry::judge_directory(directory)?;
    let mut listed = Listed { files: Vec::new(), unread: Vec::new() };
    let mut pending = vec![directory.to_owned()];
    while let Some(at) = pending.pop() {
        let entries = match std::fs::read_dir(&at) {
            Ok(entries) => entries,
            Err(error) if at == directory => return Err(error),
            Err(error) => {
                listed.unread.push(format!("{}: {error}", name(directory, &at)));
                continue;
            }
        };
        for entry in entries {
            let entry = entry?;
            let (path, kind, file_name) = (entry.path(), entry.file_type()?, entry.file_name());
            let hidden = file_name.as_encoded_bytes().starts_with(b".");
            let made = MADE.iter().any(|made| file_name == *made)
                || file_name == "cache" && at.file_name().is_some_and(|above| above == "bootstrap");
            if kind.is_dir() {
                if all || !hidden && !made {
                    pending.push(path);
                }
            } else if path
                .extension()
                .is_some_and(|end| ENDINGS.iter().any(|known| end.eq_ignore_ascii_case(known)))
                && path.is_file()
            {
                listed.files.push(path);
            }
        }
    }
    listed.files.sort();
    Ok(listed)
}

/// The path from the directory, fit for a terminal.
pub fn name(directory: &Path, path: &Path) -> String {
    words::plain(&path.strip_prefix(directory).unwrap_or(path).to_string_lossy()).into_owned()
}

/// The bytes of a file that has no more than `limit` of them.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    inputs::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > limit {
        true => Err(io::Error::other(format!("found more than {} MiB, which no source has", limit >> 20))),
        false => Ok(bytes),
    }
}
