//! Making and opening the file of counters.

use super::claim::is_any_claimed;
use super::directory::{self, Own, bits, is_own, is_users, temporary};
use super::error::TelemetryError;
use super::held::Held;
use super::layout::{self, FIRST, LEAST_SIZE, MAGIC, PAGE, SIZE, WORKERS, block, header, page};
use super::memory::{Memory, may_grow, reserve};
use super::shown::Shown;
use crate::files::OwnFile;
use rustix::fs::{Mode, Stat, fchmod, fstat};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that this process may count in.
#[derive(Debug)]
pub(super) struct Opened {
    /// First, so that it drops before the files that a child of `fork` lets go of.
    _held: [Held; 2],
    /// Shows readers that this thread holds its cells or its seat.
    shown: Option<Shown>,
    pub(super) file: OwnFile,
    pub(super) path: PathBuf,
    /// The file in which threads claim their cells.
    pub(super) claims: OwnFile,
    pub(super) memory: Arc<Memory>,
}

impl Opened {
    /// Shows readers that this thread holds these cells, or this seat; false if that is not possible.
    pub(super) fn show(&mut self, own: &Own, number: usize) -> bool {
        let name = self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        self.shown = Shown::new(own, name, number).ok();
        self.shown.is_some()
    }
}

/// Mode of the counters: any user may read these numbers, as any user may read the store.
const COUNTERS_MODE: u32 = 0o644;
/// Mode of the claims: a process that can open that file can hold a claim.
const CLAIMS_MODE: u32 = 0o600;

/// Opens this user's file for a store, or makes it, and the directory of both. A file that was cut short or overwritten is replaced, and
/// its counts are lost.
pub(super) fn open(directory: &Path, store: &Path, now: i64) -> Result<(Opened, Own), TelemetryError> {
    let user = geteuid().as_raw();
    let own = directory::own(directory, user)?;
    let name = Name::of(store);
    let path = own.path(&name.counters);
    let mut found = open_both(&own, &name, user);
    if let Ok((file, claims)) = &found
        && is_damaged(file, claims.as_ref(), user)
        && has_path(file, &path)
    {
        let _ = own.remove(&name.counters);
        found = open_both(&own, &name, user);
    }
    let mut is_new = false;
    let found = match found {
        Err(error) if error.is_missing() => {
            make(&own, &name, user, now)?;
            is_new = true;
            open_both(&own, &name, user)
        }
        found => found,
    };
    let (file, claims) = found?;
    ours(&file, &path, user)?;
    let Some(claims) = claims else {
        let source =
            io::Error::new(io::ErrorKind::InvalidData, "it is not the one that the counters were made with");
        return Err(TelemetryError::io("open", &own.path(&name.claims), source));
    };
    let memory = Memory::map(&file).map_err(|source| TelemetryError::io("map", &path, source))?;
    let own_file = |file| OwnFile::new(file).map_err(|source| TelemetryError::io("look at", &path, source));
    let (file, claims) = (own_file(file)?, own_file(claims)?);
    let _held = [&file, &claims].map(Held::remember);
    if is_new {
        sweep(&own, user, now);
    }
    Ok((Opened { _held, file, path, claims, shown: None, memory: Arc::new(memory) }, own))
}

/// The names of a store's two files.
struct Name {
    counters: String,
    claims: String,
}

impl Name {
    fn of(store: &Path) -> Name {
        Name::with(layout::name(store))
    }

    fn with(counters: String) -> Name {
        Name { claims: layout::claims(&counters), counters }
    }
}

/// Opens the counters, and the claims that they were made with if those exist and are closed to other users. Claims that
/// cannot be opened for lack of a resource are an error: other threads may count with them.
fn open_both(own: &Own, name: &Name, user: u32) -> Result<(File, Option<File>), TelemetryError> {
    let failed = |name: &str| {
        let path = own.path(name);
        move |source| TelemetryError::io("open", &path, source)
    };
    let file = open_own(own, &name.counters, user, COUNTERS_MODE).map_err(failed(&name.counters))?;
    let claims = match open_own(own, &name.claims, user, CLAIMS_MODE) {
        Ok(claims) => fstat(&claims).is_ok_and(|found| is_claims(&found, user)).then_some(claims),
        Err(_) if !own.look(&name.claims).is_ok_and(|found| is_claims(&found, user)) => None,
        Err(source) => return Err(failed(&name.claims)(source)),
    };
    let fits = |claims: &File| {
        claims.metadata().is_ok_and(|found| found.ino() == header_word(&file, header::CLAIMS))
    };
    let claims = claims.filter(fits);
    Ok((file, claims))
}

/// Opens one of the two files. If it is this user's, and a umask or chmod(1) took the user's own rights, its mode is restored.
fn open_own(own: &Own, name: &str, user: u32, mode: u32) -> io::Result<File> {
    match own.open(name, true) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let may = |found: &Stat| is_users(found, user) && bits(found) & !mode == 0;
            if !own.set_mode(name, mode, may)? {
                return Err(error);
            }
            own.open(name, true)
        }
        opened => opened,
    }
}

fn header_word(file: &File, number: usize) -> u64 {
    let mut word = [0; 8];
    file.read_exact_at(&mut word, (number * 8) as u64).map_or(0, |()| u64::from_ne_bytes(word))
}

/// True if this user made the file, no other user can write it, and its claims, size or header are not those it was made with.
fn is_damaged(file: &File, claims: Option<&File>, user: u32) -> bool {
    is_own(file, user)
        && (claims.is_none() || file.metadata().is_ok_and(|found| !is_whole(file, found.len())))
}

/// True for a file of claims that only this user can open.
fn is_claims(found: &Stat, user: u32) -> bool {
    is_users(found, user) && bits(found) == CLAIMS_MODE
}

/// True if the size and the first word are those of a file of counters.
fn is_whole(file: &File, size: u64) -> bool {
    is_size(size) && header_word(file, header::MAGIC) == MAGIC
}

/// True if a file of counters can have this size.
pub(super) fn is_size(size: u64) -> bool {
    (LEAST_SIZE as u64..=SIZE as u64).contains(&size) && size.is_multiple_of(PAGE as u64)
}

/// True if the path leads to this very file.
fn has_path(file: &File, path: &Path) -> bool {
    let here = std::fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()));
    let there = file.metadata().map(|found| (found.dev(), found.ino()));
    matches!((here, there), (Ok(here), Ok(there)) if here == there)
}

/// Refuses a file that is not wholly this user's.
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

/// Makes the file under a temporary name, with room reserved for the parts that every file has, and renames it unless another
/// thread's file got the name first.
fn make(own: &Own, name: &Name, user: u32, now: i64) -> Result<(), TelemetryError> {
    let claims = make_claims(own, &name.claims, user);
    let claims = claims.map_err(|source| TelemetryError::io("make", &own.path(&name.claims), source))?;
    let temporary = temporary(&name.counters);
    let made =
        fill(own, &temporary, &claims, now).and_then(|()| match own.rename_new(&temporary, &name.counters) {
            Err(Errno::EXIST) => Ok(()),
            renamed => Ok(renamed?),
        });
    // Already gone if it was renamed.
    let _ = own.remove(&temporary);
    made.map_err(|source| TelemetryError::io("make", &own.path(&name.counters), source))
}

/// Makes the file of claims, or opens the one that another thread made. Anything else of that name is removed.
fn make_claims(own: &Own, name: &str, user: u32) -> io::Result<File> {
    let is_other = |found: &Stat| !is_users(found, user) || bits(found) & !CLAIMS_MODE != 0;
    if own.look(name).is_ok_and(|found| is_other(&found)) {
        own.remove(name)?;
    }
    match own.create(name) {
        Ok(claims) => {
            // The umask may have taken this user's own rights.
            fchmod(&claims, Mode::from_raw_mode(CLAIMS_MODE))?;
            Ok(claims)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open_own(own, name, user, CLAIMS_MODE),
        Err(error) => Err(error),
    }
}

fn fill(own: &Own, temporary: &str, claims: &File, now: i64) -> io::Result<()> {
    let file = OwnFile::new(own.create(temporary)?)?;
    may_grow(&file, LEAST_SIZE as u64)?;
    rustix::fs::ftruncate(&*file, LEAST_SIZE as u64)?;
    for (offset, size) in [(0, layout::page(0)), (layout::flag_block(0), FIRST as usize * block::SIZE)] {
        reserve(&file, offset, size)?;
    }
    let memory = Memory::map(&file)?;
    memory.set(header::MAGIC * 8, MAGIC);
    memory.set(header::MADE * 8, now.cast_unsigned());
    memory.set(header::NAMESPACE * 8, mount_namespace());
    memory.set(header::CLAIMS * 8, claims.metadata()?.ino());
    fchmod(&*file, Mode::from_raw_mode(COUNTERS_MODE))?;
    Ok(())
}

/// Microseconds for which a file must lie unused before it may be swept: 30 days.
const UNUSED: i64 = 30 * 24 * 3_600 * 1_000_000;
/// Files of other stores that one sweep looks at.
const MAX_SWEPT: usize = 64;

/// Removes counters unused for long from this user's directory, so that memory does not fill up with them. It looks at some
/// of the files each time, from a random one on, so that all get their turn. It never looks at a store's path: on a mount
/// that hangs, this worker would hang too.
fn sweep(own: &Own, user: u32, now: i64) {
    let namespace = mount_namespace();
    let is_counters =
        |name: &String| Path::new(name).extension().is_some_and(|found| found == layout::COUNTERS);
    let names: Vec<String> = own.names().into_iter().flatten().collect();
    let files: Vec<Name> = names.iter().filter(|name| is_counters(name)).cloned().map(Name::with).collect();
    let first = usize::try_from(directory::unique() % files.len().max(1) as u64).unwrap_or(0);
    for name in files.iter().cycle().skip(first).take(files.len().min(MAX_SWEPT)) {
        if is_unused(own, name, user, namespace, now) {
            let _ = own.remove(&name.counters);
            let _ = own.remove(&name.claims);
            let shown = |found: &&String| layout::shown_by(&name.counters, found).is_some();
            names.iter().filter(shown).for_each(|shown| drop(own.remove(shown)));
        }
    }
}

/// True if no thread counts in a file, and none did for 30 days. A file of another mount namespace (a container) stays: its
/// workers may be on another machine, whose locks are invisible here.
fn is_unused(own: &Own, name: &Name, user: u32, namespace: u64, now: i64) -> bool {
    let mut bytes = [0; header::SIZE];
    let Ok(file) = own.open(&name.counters, true) else { return false };
    let Ok(found) = file.metadata() else { return false };
    if !found.is_file() || found.uid() != user || file.read_exact_at(&mut bytes, 0).is_err() {
        return false;
    }
    let (words, _) = bytes.as_chunks::<8>();
    let word = |number: usize| words.get(number).map_or(0, |word| u64::from_le_bytes(*word));
    if namespace == 0 || word(header::NAMESPACE) != namespace {
        return false;
    }
    // A store through a mapping does not change the times of a file in memory.
    let said = taken(word).map(|worker| {
        let mut seen = [0; 8];
        let at = layout::page(worker) + page::SEEN * 8;
        file.read_exact_at(&mut seen, at as u64).map_or(0, |()| u64::from_le_bytes(seen).cast_signed())
    });
    let written = found.mtime().saturating_mul(1_000_000);
    let hour = word(header::HOUR).saturating_mul(3_600_000_000).cast_signed();
    let last = said.chain([written, hour, word(header::MADE).cast_signed()]).max().unwrap_or(i64::MAX);
    if now.saturating_sub(last) < UNUSED {
        return false;
    }
    match open_own(own, &name.claims, user, CLAIMS_MODE) {
        Ok(claims) => !is_any_claimed(&claims),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Threads whose pages were ever taken, by the header's words.
pub(super) fn taken(word: impl Fn(usize) -> u64) -> impl Iterator<Item = usize> {
    (0..=WORKERS).filter(move |worker| word(header::TAKEN + worker / 64) >> (worker % 64) & 1 == 1)
}

/// A number that differs between this process's mount namespace and a container's; 0 if it is unknown.
fn mount_namespace() -> u64 {
    std::fs::metadata("/proc/self/ns/mnt").map_or(0, |found| found.ino())
}

/// True if the file still has its name (a removed one is used by no later worker), is what it was when it was made, and
/// belongs to this process's user, who may have been root when it was opened. `least` is the size that this thread knows it
/// to have had.
pub(super) fn is_sound(opened: &Opened, least: u64) -> bool {
    let Ok(found) = fstat(&*opened.file) else { return false };
    let size = u64::try_from(found.st_size).unwrap_or(0);
    found.st_nlink > 0
        && found.st_uid == geteuid().as_raw()
        && size >= least
        && is_size(size)
        && opened.memory.get(header::MAGIC * 8) == MAGIC
        && opened.file.has_path(&opened.path)
        && opened.claims.has_path(&opened.path.with_extension(layout::CLAIMS))
        && opened.shown.as_ref().is_none_or(Shown::is_sound)
}
