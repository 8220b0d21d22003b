//! Counters of a store's copies: workers that read one, as the one that a move left behind, see no change of the store.

use super::directory::{self, Own};
use super::layout::{self, COUNTERS, MAGIC, SEATS, WORKERS, header};
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
    /// Users who may run workers, and have more counters than are looked at.
    pub unseen: BTreeSet<u32>,
}

/// What is looked at of each user who may run workers, and of all others together: anybody can make as many as memory holds.
const MAX_DIRECTORIES: usize = 64;
const MAX_NAMES: usize = 65_536;
const MAX_COUNTERS: usize = 16_384;

/// What was looked at, by user; under none of those who may not run workers.
struct Looked<F> {
    may_run_workers: F,
    users: BTreeMap<u32, Option<u32>>,
    amounts: BTreeMap<Option<u32>, Amount>,
}

#[derive(Default)]
struct Amount {
    directories: usize,
    names: usize,
    counters: usize,
}

impl<F: Fn(u32) -> bool> Looked<F> {
    fn new(may_run_workers: F) -> Looked<F> {
        Looked { may_run_workers, users: BTreeMap::new(), amounts: BTreeMap::new() }
    }

    /// Counts a directory of that user. Returns the user if workers may run as it, and what was looked at so far.
    fn at(&mut self, user: u32) -> (Option<u32>, &mut Amount) {
        let may = &self.may_run_workers;
        let worker = *self.users.entry(user).or_insert_with(|| may(user).then_some(user));
        let amount = self.amounts.entry(worker).or_default();
        amount.directories += 1;
        (worker, amount)
    }
}

/// Copies of the store with this id that living threads count for; `store` is the store's own path. `memory` is the directory of the
/// counters. No copy is looked at: it may lie on a mount that hangs.
///
/// # Errors
///
/// When the directory cannot be listed.
pub fn copies(
    memory: &Path,
    store: &Path,
    id: &str,
    may_run_workers: impl Fn(u32) -> bool,
) -> io::Result<Copies> {
    let (own_file, here, id) = (layout::name(store), directory_hash(store), id_hash(id));
    let (mut copies, mut looked) = (Copies::default(), Looked::new(may_run_workers));
    for (own, user) in directory::directories(memory)? {
        let (worker, amount) = looked.at(user);
        let room = MAX_NAMES.saturating_sub(amount.names);
        if amount.directories > MAX_DIRECTORIES || room == 0 {
            copies.unseen.extend(worker);
            continue;
        }
        let names = sorted_names(&own, room);
        amount.names += names.len();
        let is_counters = |name: &&String| Path::new(name).extension() == Some(OsStr::new(COUNTERS));
        for name in names.iter().filter(is_counters).filter(|name| **name != own_file) {
            amount.counters += 1;
            if amount.counters > MAX_COUNTERS {
                break;
            }
            let Ok(header) = read_header(&own, name, user) else { continue };
            let is_copy = header.store == id && header.directory != here;
            let workers = if is_copy { living(&own, &names, name, user) } else { 0 };
            if workers > 0 {
                copies.found.push(StoreCopy { path: header.path, user, workers });
            }
        }
        if amount.names > MAX_NAMES || amount.counters > MAX_COUNTERS {
            copies.unseen.extend(worker);
        }
    }
    Ok(copies)
}

/// Users whose counters are this store's and know its id, each with the groups of the counters. Users who may not run workers count while
/// threads of theirs live.
///
/// # Errors
///
/// When the directory cannot be listed.
pub fn readers(
    memory: &Path,
    store: &Path,
    id: &str,
    may_run_workers: impl Fn(u32) -> bool,
) -> io::Result<BTreeMap<u32, Vec<u32>>> {
    let (id, mut readers) = (id_hash(id), BTreeMap::<u32, Vec<u32>>::new());
    let mut looked = Looked::new(may_run_workers);
    for found in directory::files(memory, store)?.filter(|found| found.is_held) {
        let (own, name, user) = (&found.own, &found.name, found.user);
        let (worker, amount) = looked.at(user);
        let is_readers = amount.directories <= MAX_DIRECTORIES
            && read_header(own, name, user).is_ok_and(|header| header.store == id)
            && (worker.is_some() || (1..=WORKERS + SEATS).any(|number| is_alive(own, name, number, user)));
        if is_readers {
            readers.entry(user).or_default().extend(found.group);
        }
    }
    Ok(readers)
}

/// Names in a directory, sorted; where it holds more than `limit`, one more than that.
fn sorted_names(own: &Own, limit: usize) -> Vec<String> {
    let mut names: Vec<String> = own.names().into_iter().flatten().take(limit + 1).collect();
    names.sort_unstable();
    names
}

/// Number of threads that show that they count in that file; `names` are the directory's, sorted.
fn living(own: &Own, names: &[String], counters: &str, user: u32) -> usize {
    let numbers = signs(names, counters).filter_map(|sign| layout::shown_by(counters, sign));
    numbers.filter(|number| is_alive(own, counters, *number, user)).count()
}

fn is_alive(own: &Own, counters: &str, number: usize, user: u32) -> bool {
    own.holds(&layout::shown(counters, number)) && is_shown(own, counters, number, user)
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
