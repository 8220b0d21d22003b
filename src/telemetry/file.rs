//! Making and opening the file that is counted in.

use super::claim::is_claimed;
use super::error::TelemetryError;
use super::layout::{self, DIRECTORIES, FIRST, LEAST_SIZE, MAGIC, PAGE, SIZE, WORKERS, block, header, page};
use super::memory::{Memory, may_grow, reserve};
use crate::store::open_plain;
use rustix::fs::{Mode, OFlags, RenameFlags, fchmod, fstat};
use rustix::process::geteuid;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that this process may count in.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// Where threads claim their cells.
    pub(super) claims: File,
    pub(super) memory: Arc<Memory>,
}

/// Opens this user's file for a store, or makes it. One that was cut short or overwritten makes room for another: what was
/// counted in it is lost.
pub(super) fn open(directory: &Path, store: &Path, now: i64) -> Result<Opened, TelemetryError> {
    let user = geteuid().as_raw();
    let path = own_directory(directory, user)?.join(layout::name(store));
    let mut found = open_both(&path);
    if let Ok((file, claims)) = &found
        && is_damaged(file, claims.as_ref(), user)
        && has_path(file, &path)
    {
        let _ = std::fs::remove_file(&path);
        found = open_both(&path);
    }
    let found = match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            sweep(directory, user, now);
            make(&path, store, now)?;
            open_both(&path)
        }
        found => found,
    };
    let (file, claims) = found.map_err(|source| TelemetryError::io("open", &path, source))?;
    ours(&file, &path, user)?;
    let claims = claims.filter(|claims| is_own(claims, user));
    let Some(claims) = claims else {
        let claims = path.with_extension(layout::CLAIMS);
        let source =
            io::Error::new(io::ErrorKind::InvalidData, "it is not the one that the counters were made with");
        return Err(TelemetryError::io("open", &claims, source));
    };
    let memory = Memory::map(&file).map_err(|source| TelemetryError::io("map", &path, source))?;
    Ok(Opened { file, path, claims, memory: Arc::new(memory) })
}

/// The counters, and the claims that they were made with, where those are there.
fn open_both(path: &Path) -> io::Result<(File, Option<File>)> {
    let file = open_plain(path, true)?;
    let claims = open_plain(&path.with_extension(layout::CLAIMS), true).ok();
    let fits = |claims: &File| {
        claims.metadata().is_ok_and(|found| found.ino() == header_word(&file, header::CLAIMS))
    };
    let claims = claims.filter(fits);
    Ok((file, claims))
}

fn header_word(file: &File, number: usize) -> u64 {
    let mut word = [0; 8];
    file.read_exact_at(&mut word, (number * 8) as u64).map_or(0, |()| u64::from_ne_bytes(word))
}

/// The mode of a user's directory.
const DIRECTORY_MODE: u32 = 0o755;

/// The directory of this user's files, which nobody else can write. Anybody may have made something of its name in a directory that
/// everybody can write: then it has another.
fn own_directory(directory: &Path, user: u32) -> Result<PathBuf, TelemetryError> {
    let name = format!("{DIRECTORIES}{user}");
    let first = directory.join(&name);
    if is_own_directory(&first, user) {
        return Ok(first);
    }
    let mut others: Vec<PathBuf> = std::fs::read_dir(directory)
        .map_err(|source| TelemetryError::io("make", &first, source))?
        .flatten()
        .filter(|entry| {
            let rest = entry.file_name();
            rest.to_str().and_then(|rest| rest.strip_prefix(&name)).is_some_and(|rest| rest.starts_with('-'))
        })
        .map(|entry| entry.path())
        .filter(|path| is_own_directory(path, user))
        .collect();
    others.sort();
    if let Some(other) = others.into_iter().next() {
        return Ok(other);
    }
    let free = directory.join(format!("{name}-{:016x}", unique()));
    for path in [first, free] {
        match std::fs::DirBuilder::new().mode(DIRECTORY_MODE).create(&path) {
            // The umask may have taken the readers' rights.
            Ok(()) => {
                let _ = rustix::fs::chmod(&path, Mode::from_raw_mode(DIRECTORY_MODE));
                return Ok(path);
            }
            // Another thread made it meanwhile.
            Err(_) if is_own_directory(&path, user) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(TelemetryError::io("make", &path, source)),
        }
    }
    let source = io::Error::from(io::ErrorKind::AlreadyExists);
    Err(TelemetryError::io("make", &directory.join(name), source))
}

/// Whether it is a directory of that user's, no link, which nobody else can write.
pub(super) fn is_own_directory(path: &Path, user: u32) -> bool {
    std::fs::symlink_metadata(path)
        .is_ok_and(|found| found.is_dir() && found.uid() == user && found.mode() & 0o022 == 0)
}

/// A number that nobody can know before.
fn unique() -> u64 {
    std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id())
}

/// Whether this user made the file, nobody else can write it, and it is not what it was when it was made.
fn is_damaged(file: &File, claims: Option<&File>, user: u32) -> bool {
    is_own(file, user)
        && (claims.is_none() || file.metadata().is_ok_and(|found| !is_whole(file, found.len())))
}

/// Whether it is a file of one name that only this user can write.
fn is_own(file: &File, user: u32) -> bool {
    file.metadata().is_ok_and(|found| {
        found.is_file() && found.nlink() == 1 && found.uid() == user && found.mode() & 0o022 == 0
    })
}

/// Whether the size and the first word are those of such a file.
fn is_whole(file: &File, size: u64) -> bool {
    is_size(size) && header_word(file, header::MAGIC) == MAGIC
}

/// Whether such files can have that size.
pub(super) fn is_size(size: u64) -> bool {
    (LEAST_SIZE as u64..=SIZE as u64).contains(&size) && size.is_multiple_of(PAGE as u64)
}

/// Whether the path leads to that very file.
fn has_path(file: &File, path: &Path) -> bool {
    let here = std::fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()));
    let there = file.metadata().map(|found| (found.dev(), found.ino()));
    matches!((here, there), (Ok(here), Ok(there)) if here == there)
}

/// Leaves alone a file that is not wholly ours.
fn ours(file: &File, path: &Path, user: u32) -> Result<(), TelemetryError> {
    let failed = |source| TelemetryError::io("look at", path, source);
    let found = file.metadata().map_err(failed)?;
    let plain = found.is_file() && found.nlink() == 1;
    if is_own(file, user) && is_size(found.len()) {
        return Ok(());
    }
    let kind = if plain { "a file" } else { "no regular file of one name" };
    let found = format!(
        "{kind} of {} bytes, of user {}, mode {:04o}",
        found.len(),
        found.uid(),
        found.mode() & 0o7777
    );
    Err(TelemetryError::Foreign { path: path.to_owned(), found, expected: LEAST_SIZE as u64, user })
}

/// Makes the file under a temporary name, with the room reserved that every file has. Then it gets its name, unless another thread's
/// got it first.
fn make(path: &Path, store: &Path, now: i64) -> Result<(), TelemetryError> {
    let temporary = temporary(path);
    let made = fill(&temporary, path, store, now).and_then(|()| {
        let here = rustix::fs::CWD;
        match rustix::fs::renameat_with(here, &temporary, here, path, RenameFlags::NOREPLACE) {
            Err(rustix::io::Errno::EXIST) => Ok(()),
            renamed => Ok(renamed?),
        }
    });
    // Gone already if it got its name.
    let _ = std::fs::remove_file(&temporary);
    made.map_err(|source| TelemetryError::io("make", path, source))
}

fn new_file() -> OpenOptions {
    let flags = (OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed();
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(flags);
    options
}

fn fill(temporary: &Path, path: &Path, store: &Path, now: i64) -> io::Result<()> {
    let claims = new_file().create(true).truncate(false).open(path.with_extension(layout::CLAIMS))?;
    let file = new_file().create_new(true).open(temporary)?;
    may_grow(&file, LEAST_SIZE as u64)?;
    rustix::fs::ftruncate(&file, LEAST_SIZE as u64)?;
    for (offset, size) in [(0, layout::page(0)), (layout::flag_block(0), FIRST as usize * block::SIZE)] {
        reserve(&file, offset, size)?;
    }
    let memory = Memory::map(&file)?;
    memory.set(header::MAGIC * 8, MAGIC);
    memory.set(header::MADE * 8, now.cast_unsigned());
    memory.set(header::NAMESPACE * 8, mount_namespace());
    memory.set(header::CLAIMS * 8, claims.metadata()?.ino());
    let name = store.as_os_str().as_bytes();
    let start = (header::STORE + 1) * 8;
    if name.len() <= header::SIZE - start {
        file.write_all_at(name, start as u64)?;
        memory.set(header::STORE * 8, name.len() as u64);
    }
    // Numbers of questions: whoever may log in may read them, as they may read the store.
    fchmod(&file, Mode::from_raw_mode(0o644))?;
    Ok(())
}

/// Microseconds that a file has to lie unused before it may be swept: a day.
const UNUSED: i64 = 24 * 3_600 * 1_000_000;

/// Removes this user's files of stores that are gone, so that memory does not fill up with them.
fn sweep(directory: &Path, user: u32, now: i64) {
    let namespace = mount_namespace();
    for path in
        files(directory).filter(|path| path.parent().is_some_and(|parent| is_own_directory(parent, user)))
    {
        let claims = path.with_extension(layout::CLAIMS);
        let (Ok(file), Ok(held)) = (open_plain(&path, true), open_plain(&claims, true)) else { continue };
        if is_of_nothing(&file, &held, user, namespace, now) {
            let _ = std::fs::remove_file(&path);
            let _ = std::fs::remove_file(&claims);
        }
    }
}

/// All counters in a directory, by whoever made them.
pub(super) fn files(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let directories = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(DIRECTORIES)))
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let within = directories.filter_map(|entry| std::fs::read_dir(entry.path()).ok()).flatten().flatten();
    within.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|found| found == "counters"))
}

/// Whether the store that a file counts for is gone for sure: it is not where this process would see it, nobody counts, and
/// nobody did for a day. A process in another mount namespace (a container) sees other stores at the same paths, or none.
fn is_of_nothing(file: &File, claims: &File, user: u32, namespace: u64, now: i64) -> bool {
    let mut bytes = [0; header::SIZE];
    let Ok(found) = file.metadata() else { return false };
    if !found.is_file() || found.uid() != user || file.read_exact_at(&mut bytes, 0).is_err() {
        return false;
    }
    let (words, _) = bytes.as_chunks::<8>();
    let word = |number: usize| words.get(number).map_or(0, |word| u64::from_le_bytes(*word));
    if namespace == 0 || word(header::NAMESPACE) != namespace {
        return false;
    }
    // What is stored through a mapping moves no time of a file in memory.
    let said = taken(word).map(|worker| {
        let mut seen = [0; 8];
        let at = layout::page(worker) + page::SEEN * 8;
        file.read_exact_at(&mut seen, at as u64).map_or(0, |()| u64::from_le_bytes(seen).cast_signed())
    });
    let written = found.mtime().saturating_mul(1_000_000);
    let hour = word(header::HOUR).saturating_mul(3_600_000_000).cast_signed();
    let last = said.chain([written, hour, word(header::MADE).cast_signed()]).max().unwrap_or(i64::MAX);
    if now.saturating_sub(last) < UNUSED || taken(word).any(|worker| is_claimed(claims, worker)) {
        return false;
    }
    let name = bytes.get((header::STORE + 1) * 8..).unwrap_or(&[]);
    let name = usize::try_from(word(header::STORE)).ok().and_then(|length| name.get(..length));
    let Some(store) = name.map(|name| Path::new(OsStr::from_bytes(name))) else { return false };
    let missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
    store.is_absolute() && std::fs::symlink_metadata(store).is_err_and(missing)
}

/// Threads whose pages were ever taken, by the header's words.
pub(super) fn taken(word: impl Fn(usize) -> u64) -> impl Iterator<Item = usize> {
    (0..=WORKERS).filter(move |worker| word(header::TAKEN + worker / 64) >> (worker % 64) & 1 == 1)
}

/// What tells this process's view of the file system from a container's; 0 where there is no telling.
fn mount_namespace() -> u64 {
    std::fs::metadata("/proc/self/ns/mnt").map_or(0, |found| found.ino())
}

/// A name that no other thread has. Where one that died left it behind, it is not ours to use: another is tried next time.
fn temporary(path: &Path) -> PathBuf {
    let nanoseconds = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic).tv_nsec;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.{nanoseconds}", std::process::id()))
}

/// Whether the file still has a name, since one that was removed is counted in by nobody who comes later, and is what it was
/// when it was made, and still this process's user's, who may have been root when it was opened. `least` is the size that this thread knows
/// it to have had.
pub(super) fn is_sound(opened: &Opened, least: u64) -> bool {
    let Ok(found) = fstat(&opened.file) else { return false };
    let size = u64::try_from(found.st_size).unwrap_or(0);
    found.st_nlink > 0
        && found.st_uid == geteuid().as_raw()
        && size >= least
        && is_size(size)
        && opened.memory.get(header::MAGIC * 8) == MAGIC
        && has_path(&opened.file, &opened.path)
        && has_path(&opened.claims, &opened.path.with_extension(layout::CLAIMS))
}
