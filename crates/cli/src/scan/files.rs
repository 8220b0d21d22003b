//! The PHP files below a directory.

use crate::{display, entry, inputs};
use rustix::fs::{Dir, DirEntry, FileType, Mode, OFlags, openat};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Directories of code that others wrote or a framework generated.
const SKIPPED_DIRECTORIES: [&str; 3] = ["vendor", "node_modules", "storage"];
/// Endings of files that PHP runs.
const ENDINGS: [&str; 3] = ["php", "phtml", "inc"];

/// The deepest nesting of directories that is read. Each is opened from the root on, and no path of a file is longer than 4096 bytes.
const MAX_DEPTH: usize = 64;

/// The content of a directory.
pub struct Listed {
    /// Paths, sorted.
    pub files: Vec<PathBuf>,
    /// Directories that could not be read, with the reason.
    pub unread: Vec<String>,
}

/// Lists the PHP files. Links to directories are not followed; directories that are hidden or in `SKIPPED_DIRECTORIES` are read only with `all`.
///
/// # Errors
///
/// When the directory itself cannot be read.
pub fn list(directory: &Path, all: bool) -> io::Result<Listed> {
    entry::judge_directory(directory)?;
    let root = File::open(directory)?;
    let mut listed = Listed { files: Vec::new(), unread: Vec::new() };
    let mut pending = vec![PathBuf::new()];
    while let Some(below) = pending.pop() {
        let at = directory.join(&below);
        if below.components().count() > MAX_DEPTH {
            let name = name(directory, &at);
            listed.unread.push(format!(
                "{name}: more than {MAX_DEPTH} directories within each other, which no application has"
            ));
            continue;
        }
        let entries = match open_below(&root, &below).and_then(|open| Ok(Dir::new(open)?)) {
            Ok(entries) => entries,
            Err(error) if below.as_os_str().is_empty() => return Err(error),
            Err(error) => {
                listed.unread.push(format!("{}: {error}", name(directory, &at)));
                continue;
            }
        };
        for entry in entries {
            let entry = entry?;
            let file_name = OsStr::from_bytes(entry.file_name().to_bytes());
            if file_name == "." || file_name == ".." {
                continue;
            }
            let (path, kind) = (at.join(file_name), kind(&entry, &at.join(file_name)));
            let hidden = file_name.as_encoded_bytes().starts_with(b".");
            let made = SKIPPED_DIRECTORIES.iter().any(|made| file_name == *made)
                || file_name == "cache" && at.file_name().is_some_and(|above| above == "bootstrap");
            if kind == FileType::Directory {
                if all || !hidden && !made {
                    pending.push(below.join(file_name));
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

/// Opens a directory below another, through no link: replacing one by a link leads nowhere else.
fn open_below(root: &File, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = OwnedFd::from(root.try_clone()?);
    for part in path {
        at = openat(&at, part, flags, Mode::empty())?;
    }
    // A descriptor of its own, since the position of a directory's reading belongs to the descriptor.
    Ok(openat(&at, ".", flags, Mode::empty())?)
}

/// The type of an entry; some file systems do not give it with the name.
fn kind(entry: &DirEntry, path: &Path) -> FileType {
    match entry.file_type() {
        FileType::Unknown => {
            path.symlink_metadata().map_or(FileType::Unknown, |found| FileType::from_raw_mode(found.mode()))
        }
        kind => kind,
    }
}

/// The path from the directory, fit for a terminal.
pub fn name(directory: &Path, path: &Path) -> String {
    display::plain(&path.strip_prefix(directory).unwrap_or(path).to_string_lossy()).into_owned()
}

/// Reads a file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    inputs::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > limit {
        true => Err(io::Error::other(format!("found more than {} MiB, which no source has", limit >> 20))),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three thousand took half a minute: the way to each was opened again.
    #[test]
    fn directories_within_each_other_end_somewhere() {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp/nested");
        let _ = std::fs::remove_dir_all(&root);
        let inner = root.join(["d"; 100].join("/"));
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(root.join("a.php"), "<?php").unwrap();
        std::fs::write(root.join(["d"; MAX_DEPTH].join("/")).join("b.php"), "<?php").unwrap();
        std::fs::write(inner.join("c.php"), "<?php").unwrap();
        let listed = list(&root, false).unwrap();
        let ends: Vec<_> = listed.files.iter().map(|file| file.file_name().unwrap()).collect();
        assert_eq!(ends, ["a.php", "b.php"]);
        let said = format!(
            "{}: more than 64 directories within each other, which no application has",
            ["d"; 65].join("/")
        );
        assert_eq!(listed.unread, [said]);
    }

    #[test]
    fn what_became_a_link_since_it_was_listed_leads_nowhere() {
        // With a directory exchanged for a link during root's scan, it listed files that only root may read.
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp/exchanged");
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(directory.join("app/real/below")).unwrap();
        for (target, link) in [("real", "app/link"), ("/etc", "app/away")] {
            std::os::unix::fs::symlink(target, directory.join(link)).unwrap();
        }
        let root = File::open(&directory).unwrap();
        let opens = |path: &str| open_below(&root, Path::new(path)).is_ok();
        assert_eq!(["app/real/below", "app/real", ""].map(opens), [true; 3]);
        assert_eq!(["app/link/below", "app/link", "app/away", "app/away/ssl"].map(opens), [false; 4]);
    }
}
