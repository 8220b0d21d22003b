//! Making and opening the file that is counted in.

use super::claim::is_claimed;
use super::error::TelemetryError;
use super::layout::{Layout, MAGIC, NAMES, WORKERS, header, path};
use super::memory::Memory;
use crate::store::open_plain;
use rustix::fs::{FallocateFlags, Mode, OFlags, RenameFlags, fallocate, fchmod, fstat};
use rustix::process::geteuid;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that this process may count in.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) memory: Arc<Memory>,
    pub(super) layout: Layout,
}

/// Opens this user's file for a store, or makes it. One that was cut short or overwritten makes room for another: what was
/// counted in it is lost.
pub(super) fn open(directory: &Path, store: &Path, flags: usize, now: i64) -> Result<Opened, TelemetryError> {
    let layout = Layout::for_flags(flags);
    let user = geteuid().as_raw();
    let path = path(directory, store, user, layout);
    let mut file = open_plain(&path, true);
    if let Ok(found) = &file
        && is_damaged(found, layout, user)
        && has_path(found, &path)
    {
        let _ = std::fs::remove_file(&path);
        file = open_plain(&path, true);
    }
    let file = match file {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            sweep(directory, user, now);
            make(&path, store, layout, now)?;
            open_plain(&path, true)
        }
        found => found,
    };
    let file = file.map_err(|source| TelemetryError::io("open", &path, source))?;
    ours(&file, &path, layout, user)?;
    let memory =
        Memory::map(&file, layout.size()).map_err(|source| TelemetryError::io("map", &path, source))?;
    Ok(Opened { file, path, memory: Arc::new(memory), layout })
}

/// Whether this user made the file, nobody else can write it, and it is not what it was when it was made.
fn is_damaged(file: &File, layout: Layout, user: u32) -> bool {
    file.metadata().is_ok_and(|found| {
        let own = found.is_file() && found.nlink() == 1 && found.uid() == user && found.mode() & 0o022 == 0;
        own && !is_whole(file, found.len(), layout)
    })
}

/// Whether the size and the first word are those of such a file.
fn is_whole(file: &File, size: u64, layout: Layout) -> bool {
    let mut magic = [0; 8];
    size == layout.size() as u64
        && file.read_exact_at(&mut magic, (header::MAGIC * 8) as u64).is_ok()
        && u64::from_ne_bytes(magic) == MAGIC
}

/// Whether the path leads to that very file.
fn has_path(file: &File, path: &Path) -> bool {
    let here = std::fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()));
    let there = file.metadata().map(|found| (found.dev(), found.ino()));
    matches!((here, there), (Ok(here), Ok(there)) if here == there)
}

/// Anybody may make files in `/dev/shm`: one that is not wholly ours is left alone.
fn ours(file: &File, path: &Path, layout: Layout, user: u32) -> Result<(), TelemetryError> {
    let failed = |source| TelemetryError::io("look at", path, source);
    let found = file.metadata().map_err(failed)?;
    let expected = layout.size() as u64;
    let plain = found.is_file() && found.nlink() == 1;
    if plain && found.uid() == user && found.mode() & 0o022 == 0 && found.len() == expected {
        return Ok(());
    }
    let kind = if plain { "a file" } else { "no regular file of one name" };
    let found = format!(
        "{kind} of {} bytes, of user {}, mode {:04o}",
        found.len(),
        found.uid(),
        found.mode() & 0o7777
    );
    Err(TelemetryError::Foreign { path: path.to_owned(), found, expected, user })
}

/// Makes the file under a temporary name, with all its room reserved: writing to a mapped file for which there is no room
/// would end the process. Then it gets its name, unless somebody else's got it first.
fn make(path: &Path, store: &Path, layout: Layout, now: i64) -> Result<(), TelemetryError> {
    let temporary = temporary(path);
    let made = fill(&temporary, store, layout, now).and_then(|()| {
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

fn fill(temporary: &Path, store: &Path, layout: Layout, now: i64) -> io::Result<()> {
    let flags = (OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(flags)
        .open(temporary)?;
    fallocate(&file, FallocateFlags::empty(), 0, layout.size() as u64)?;
    let memory = Memory::map(&file, layout.size())?;
    memory.set(header::MAGIC * 8, MAGIC);
    memory.set(header::MADE * 8, now.cast_unsigned());
    memory.set(header::NAMESPACE * 8, mount_namespace());
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
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let own = format!("-{user}-");
    let namespace = mount_namespace();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| name.starts_with(NAMES) && name.contains(&own));
        let of_nothing = |file: File| is_of_nothing(&file, user, namespace, now);
        if ours && open_plain(&entry.path(), true).is_ok_and(of_nothing) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Whether the store that a file counts for is gone for sure: it is not where this process would see it, nobody counts, and
/// nobody did for a day. A process in another mount namespace (a container) sees other stores at the same paths, or none.
fn is_of_nothing(file: &File, user: u32, namespace: u64, now: i64) -> bool {
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
    let said = (0..WORKERS).map(|worker| word(header::SERVING + 2 * worker + 1).cast_signed());
    let written = found.mtime().saturating_mul(1_000_000);
    let hour = word(header::HOUR).saturating_mul(3_600_000_000).cast_signed();
    let last = said.chain([written, hour, word(header::MADE).cast_signed()]).max().unwrap_or(i64::MAX);
    if now.saturating_sub(last) < UNUSED || (1..=WORKERS).any(|worker| is_claimed(file, worker)) {
        return false;
    }
    let name = bytes.get((header::STORE + 1) * 8..).unwrap_or(&[]);
    let name = usize::try_from(word(header::STORE)).ok().and_then(|length| name.get(..length));
    let Some(store) = name.map(|name| Path::new(OsStr::from_bytes(name))) else { return false };
    let missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
    store.is_absolute() && std::fs::symlink_metadata(store).is_err_and(missing)
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
/// when it was made.
pub(super) fn is_sound(opened: &Opened) -> bool {
    let Ok(found) = fstat(&opened.file) else { return false };
    let size = u64::try_from(found.st_size).unwrap_or(0);
    found.st_nlink > 0
        && size == opened.layout.size() as u64
        && opened.memory.get(header::MAGIC * 8) == MAGIC
        && has_path(&opened.file, &opened.path)
}
