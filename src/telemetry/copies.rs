//! Counters of a store's copies: workers that read one, as the one that a move left behind, see no change of the store.

use super::directory::{self, Own};
use super::layout::{self, COUNTERS, MAGIC, header};
use super::shown::is_shown;
use super::store_note::{directory_hash, id_hash};
use std::collections::{BTreeMap, BTreeSet};
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

/// What the counters tell of copies of a store.
#[derive(Debug, Default)]
pub struct Copies {
    /// Copies that are counted for.
    pub found: Vec<StoreCopy>,
    /// Users with more counters than are looked at.
    pub unseen: BTreeSet<u32>,
}

/// Names that are looked at in one directory, and directories of one user: anybody can make as many as memory holds.
const MAX_NAMES: usize = 65_536;
const MAX_DIRECTORIES: usize = 64;

/// Copies of the store with this id that living threads of the users `among` count for; `store` is the store's own path. `memory` is the
/// directory of the counters. No copy is looked at: it may lie on a mount that hangs.
///
/// # Errors
///
/// When the directory cannot be listed.
pub fn copies(memory: &Path, store: &Path, id: &str, among: impl Fn(u32) -> bool) -> io::Result<Copies> {
    let (own_file, here, id) = (layout::name(store), directory_hash(store), id_hash(id));
    let (mut copies, mut seen) = (Copies::default(), BTreeMap::<u32, usize>::new());
    for (own, user) in directory::directories(memory)?.filter(|(_, user)| among(*user)) {
        let directories = seen.entry(user).or_default();
        *directories += 1;
        if *directories > MAX_DIRECTORIES {
            copies.unseen.insert(user);
            continue;
        }
        let names = sorted_names(&own);
        if names.len() > MAX_NAMES {
            copies.unseen.insert(user);
        }
        let is_counters = |name: &&String| Path::new(name).extension() == Some(OsStr::new(COUNTERS));
        for name in names.iter().filter(is_counters).filter(|name| **name != own_file) {
            let Ok(header) = read_header(&own, name, user) else { continue };
            let is_copy = header.store == id && header.directory != here;
            let workers = if is_copy { living(&own, &names, name, user) } else { 0 };
            if workers > 0 {
                copies.found.push(StoreCopy { path: header.path, user, workers });
            }
        }
    }
    Ok(copies)
}

/// Users whose living threads count for this store and know its id, each with the group of its counters.
///
/// # Errors
///
/// When the directory cannot be listed.
pub fn readers(memory: &Path, store: &Path, id: &str) -> io::Result<BTreeMap<u32, Vec<u32>>> {
    let (id, mut readers) = (id_hash(id), BTreeMap::<u32, Vec<u32>>::new());
    for found in directory::files(memory, store)?.filter(|found| found.is_held) {
        let (own, name, user) = (&found.own, &found.name, found.user);
        let knows_it = read_header(own, name, user).is_ok_and(|header| header.store == id);
        if knows_it && living(own, &sorted_names(own), name, user) > 0 {
            readers.entry(user).or_default().extend(found.group);
        }
    }
    Ok(readers)
}

/// Names in a directory, sorted; where it holds more than are looked at, one more than that.
fn sorted_names(own: &Own) -> Vec<String> {
    let mut names: Vec<String> = own.names().into_iter().flatten().take(MAX_NAMES + 1).collect();
    names.sort_unstable();
    names
}

/// Number of threads that show that they count in that file; `names` are the directory's, sorted.
fn living(own: &Own, names: &[String], counters: &str, user: u32) -> usize {
    let is_alive = |sign: &&String| {
        layout::shown_by(counters, sign)
            .is_some_and(|number| own.holds(sign) && is_shown(own, counters, number, user))
    };
    signs(names, counters).filter(is_alive).count()
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
