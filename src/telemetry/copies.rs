//! Counters of a store's copies: workers that read one, as the one that a move left behind, see no change of the store.

use super::directory::{self, Own};
use super::layout::{self, COUNTERS, MAGIC, header};
use super::shown::is_shown;
use super::store_note::{directory_hash, id_hash};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Threads of one user that count for a copy of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreCopy {
    /// The path at which they opened it.
    pub path: PathBuf,
    /// The user that they run as.
    pub user: u32,
    /// Number of the threads, all alive.
    pub workers: usize,
}

/// Files that are looked at in one directory, names in it, and directories: anybody can make counters.
const MAX_FILES: usize = 64;
const MAX_NAMES: usize = 8_192;
const MAX_DIRECTORIES: usize = 64;

/// Copies of the store with this id that living threads of the users `among` count for; `store` is the store's own path. `memory` is the
/// directory of the counters. No copy is looked at: it may lie on a mount that hangs.
///
/// # Errors
///
/// When the directory cannot be listed.
pub fn copies(
    memory: &Path,
    store: &Path,
    id: &str,
    among: impl Fn(u32) -> bool,
) -> io::Result<Vec<StoreCopy>> {
    let (own_file, here, mut found) = (layout::name(store), directory_hash(store), Vec::new());
    for (own, user) in directory::directories(memory)?.filter(|(_, user)| among(*user)).take(MAX_DIRECTORIES)
    {
        let mut names: Vec<String> = own.names().into_iter().flatten().take(MAX_NAMES).collect();
        names.sort_unstable();
        let is_counters = |name: &&String| Path::new(name).extension() == Some(OsStr::new(COUNTERS));
        for name in names.iter().filter(is_counters).filter(|name| **name != own_file).take(MAX_FILES) {
            let Ok(header) = read_header(&own, name, user) else { continue };
            let is_copy = header.store == id_hash(id) && header.directory != here;
            let is_alive = |sign: &&String| {
                layout::shown_by(name, sign)
                    .is_some_and(|number| own.holds(sign) && is_shown(&own, name, number, user))
            };
            let workers = if is_copy { signs(&names, name).filter(is_alive).count() } else { 0 };
            if workers > 0 {
                found.push(StoreCopy { path: header.path, user, workers });
            }
        }
    }
    Ok(found)
}

/// The names, of sorted ones, that begin as those by which threads show that they count in that file.
fn signs<'a>(names: &'a [String], counters: &str) -> impl Iterator<Item = &'a String> {
    let start = layout::shown_start(counters);
    let first = names.partition_point(|name| *name < start);
    names.iter().skip(first).take_while(move |name| name.starts_with(&start))
}

struct Header {
    store: u64,
    directory: u64,
    path: PathBuf,
}

/// Reads what [`note`](super::store_note::note) wrote.
fn read_header(own: &Own, name: &str, user: u32) -> io::Result<Header> {
    if !own.holds(name) {
        return Err(io::ErrorKind::CrossesDevices.into());
    }
    let file = own.open(name, false)?;
    let (found, mut bytes) = (file.metadata()?, [0; header::SIZE]);
    file.read_exact_at(&mut bytes, 0)?;
    let word = |number: usize| super::contents::word(&bytes, number);
    if !found.is_file() || found.uid() != user || found.mode() & 0o022 != 0 || word(header::MAGIC) != MAGIC {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let path = bytes.get(header::PATH * 8..).and_then(|path| path.split(|byte| *byte == 0).next());
    Ok(Header {
        store: word(header::STORE),
        directory: word(header::DIRECTORY),
        path: OsStr::from_bytes(path.unwrap_or_default()).into(),
    })
}
