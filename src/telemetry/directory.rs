//! The directories of each user's counters, within one that all users can write.
//!
//! Any user can make entries there: a thousand directories of another user's name, or one of their own on which they mount a
//! FUSE file system whose process never answers. So entries are looked at without asking any such process, no directory on
//! another file system is opened, and no worker looks at more than a few thousand.
//!
//! Any user can also put a link in the place of a name at any moment. So everything is made, opened and given a mode below
//! descriptors of directories that were checked, and no link is followed except in the path that the settings name. Where
//! other users than root and this one could rename what this user makes, nothing is made.

use super::error::TelemetryError;
use super::layout::DIRECTORIES;
use crate::files::{Step, above_standard, is_unmapped, way};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, fchmod, fstat, mkdirat, openat, statat, unlinkat,
};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The mode of a user's directory.
const MODE: u32 = 0o755;

/// Directories that a worker looks at to find its user's own, if another user has its first name: some 10 ms.
const MAX_LOOKED_AT: usize = 4096;

/// Opens a directory only for looking at it and passing through.
#[cfg(target_os = "linux")]
const PASS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const PASS: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// The directory of this user's files, which no other user can write. It has another name where another user took the first,
/// in a directory that all users can write.
pub(super) fn own(directory: &Path, user: u32) -> Result<Own, TelemetryError> {
    let first = format!("{DIRECTORIES}{user}");
    let failed = |what, name: &str| {
        let path = directory.join(name);
        move |source| TelemetryError::io(what, &path, source)
    };
    let memory = Memory::judged(directory, user)?;
    if let Some(own) = memory.own(&first, user).map_err(failed("open", &first))? {
        return Ok(own);
    }
    let mut known: Option<String> = None;
    let start = format!("{first}-");
    for (number, name) in memory.named(&start).map_err(failed("make", &first))?.enumerate() {
        if number == MAX_LOOKED_AT {
            return Err(TelemetryError::Flooded { first: directory.join(&first), number });
        }
        if known.as_ref().is_none_or(|known| name < *known) && memory.owner(&name) == Some(user) {
            known = Some(name);
        }
    }
    if let Some(name) = known
        && let Some(own) = memory.own(&name, user).map_err(failed("open", &name))?
    {
        return Ok(own);
    }
    // One order, so that workers that begin at the same time make one directory.
    let further = (1..MAX_LOOKED_AT).map(|number| format!("{start}{number:04}"));
    for name in std::iter::once(first.clone()).chain(further) {
        if let Some(own) = memory.make(&name, user).map_err(failed("make", &name))? {
            return Ok(own);
        }
    }
    Err(TelemetryError::Flooded { first: directory.join(&first), number: MAX_LOOKED_AT })
}

/// The directory of all users' directories.
struct Memory<'a> {
    path: &'a Path,
    /// Opened for passing through; a listing opens it again.
    directory: File,
    device: (u32, u32),
}

impl Memory<'_> {
    /// Opens a directory to read from.
    #[cfg(feature = "publisher")]
    fn open(path: &Path) -> io::Result<Memory<'_>> {
        // The path from the settings may be a link.
        Memory::of(path, File::from(rustix::fs::open(path, PASS, Mode::empty())?))
    }

    fn of(path: &Path, directory: File) -> io::Result<Memory<'_>> {
        let found = directory.metadata()?.dev();
        Ok(Memory { path, directory, device: (rustix::fs::major(found), rustix::fs::minor(found)) })
    }

    /// Opens a directory to make something in. Refuses it if users other than root and this one can rename what this user makes, or can
    /// make the path lead elsewhere.
    fn judged(path: &Path, user: u32) -> Result<Memory<'_>, TelemetryError> {
        let own = || path.join(format!("{DIRECTORIES}{user}"));
        let failed = |source| TelemetryError::io("make", &own(), source);
        let (steps, directory) = way(path).map_err(failed)?;
        for Step { path, owner, mode, is_link } in steps {
            if ![0, user].contains(&owner) && !is_unmapped(owner) {
                return Err(TelemetryError::OthersMemory { path, owner, user });
            }
            if !is_link && mode & 0o022 != 0 && mode & 0o1000 == 0 {
                return Err(TelemetryError::OpenMemory { path, mode });
            }
        }
        Memory::of(path, directory).map_err(failed)
    }

    /// Opens the directory of that name, if it is this user's and no other user can write it.
    fn own(&self, name: &str, user: u32) -> io::Result<Option<Own>> {
        let Some((own, mode)) = self.open_of(name, user)? else { return Ok(None) };
        // A umask or chmod(1) may have taken this user's own rights.
        if mode & 0o700 != 0o700 {
            set_mode(&own.directory, Mode::from_raw_mode(MODE))?;
        }
        Ok(Some(own))
    }

    /// Opens the directory of that name, if it belongs to `user`, and returns its mode.
    fn open_of(&self, name: &str, user: u32) -> io::Result<Option<(Own, u32)>> {
        // Before it is opened: it may be a mount.
        if self.owner(name) != Some(user) {
            return Ok(None);
        }
        let directory = match openat(&self.directory, name, PASS | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Another entry may have taken its place.
        let found = look_at(&directory)?;
        let own = Own { directory: directory.into(), path: self.path.join(name) };
        Ok((found.owner(self.device) == Some(user)).then_some((own, found.mode)))
    }

    /// Makes a directory of that name, or opens the one that another thread of this user made.
    fn make(&self, name: &str, user: u32) -> io::Result<Option<Own>> {
        let is_new = match mkdirat(&self.directory, name, Mode::from_raw_mode(MODE)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(error.into()),
        };
        let own = self.own(name, user)?;
        match (is_new, &own) {
            (true, Some(own)) => own.open_to_readers()?,
            // Some file systems give files that root makes to `nobody`.
            (true, None) => return Err(io::Error::other("what was made there is another user's")),
            (false, _) => {}
        }
        Ok(own)
    }

    /// Entries whose names begin with `start`.
    fn named<'b>(&self, start: &'b str) -> io::Result<impl Iterator<Item = String> + use<'b>> {
        let names = list(&self.directory)?;
        Ok(names.filter(move |name| name.starts_with(start)))
    }

    /// The owner of the directory of that name, if it lies on this file system, is no link, and no other user can write it.
    fn owner(&self, name: &str) -> Option<u32> {
        look(&self.directory, name).ok()?.owner(self.device)
    }
}

/// A user's open directory: no other user could write it when it was opened.
#[derive(Debug)]
pub(super) struct Own {
    directory: File,
    path: PathBuf,
}

impl Own {
    /// The path of a file in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file that is no symbolic link, without waiting for the other end of a pipe.
    pub(super) fn open(&self, name: &str, write: bool) -> io::Result<File> {
        let mode = if write { OFlags::RDWR } else { OFlags::RDONLY };
        let flags = mode | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        above_standard(File::from(openat(&self.directory, name, flags, Mode::empty())?))
    }

    /// Makes a new file, for this user alone.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        above_standard(File::from(openat(&self.directory, name, flags, Mode::RUSR | Mode::WUSR)?))
    }

    /// Stats the entry of that name, without opening it.
    pub(super) fn look(&self, name: &str) -> io::Result<Stat> {
        Ok(statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// True if the entry lies on the directory's own file system, which no user's process answers for.
    #[cfg(feature = "publisher")]
    pub(super) fn holds(&self, name: &str) -> bool {
        let device = |name| look(&self.directory, name).map(|found| found.device).ok();
        device(name).is_some_and(|found| device(".") == Some(found))
    }

    /// Sets the mode of a file, even one that this user cannot open; false if `may` rejects it.
    pub(super) fn set_mode(&self, name: &str, mode: u32, may: impl Fn(&Stat) -> bool) -> io::Result<bool> {
        #[cfg(target_os = "linux")]
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        #[cfg(not(target_os = "linux"))]
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = openat(&self.directory, name, flags, Mode::empty())?;
        if !may(&fstat(&file)?) {
            return Ok(false);
        }
        set_mode(&file, Mode::from_raw_mode(mode))?;
        Ok(true)
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.directory, name, AtFlags::empty())?)
    }

    /// Renames a file, unless the new name is taken.
    pub(super) fn rename_new(&self, from: &str, to: &str) -> rustix::io::Result<()> {
        use rustix::fs::{RenameFlags, renameat_with};
        renameat_with(&self.directory, from, &self.directory, to, RenameFlags::NOREPLACE)
    }

    /// Renames a file, in the place of any that has the new name.
    pub(super) fn rename(&self, from: &str, to: &str) -> rustix::io::Result<()> {
        rustix::fs::renameat(&self.directory, from, &self.directory, to)
    }

    pub(super) fn names(&self) -> io::Result<impl Iterator<Item = String> + use<>> {
        list(&self.directory)
    }

    fn open_to_readers(&self) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(&self.directory, ".", flags, Mode::empty())?;
        Ok(fchmod(directory, Mode::from_raw_mode(MODE))?)
    }
}

/// Sets the mode of a file opened with `O_PATH`: fchmod(2) takes no such descriptor, so the path is its own link in /proc,
/// which leads nowhere else.
fn set_mode(file: impl AsFd, mode: Mode) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    let set = rustix::fs::chmod(format!("/proc/self/fd/{}", file.as_fd().as_raw_fd()), mode);
    #[cfg(not(target_os = "linux"))]
    let set = fchmod(file, mode);
    Ok(set?)
}

/// Names in a directory that are valid text.
fn list(directory: &File) -> io::Result<impl Iterator<Item = String> + use<>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let entries = Dir::new(openat(directory, ".", flags, Mode::empty())?)?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned)))
}

/// A store's file in a user's directory.
#[cfg(feature = "publisher")]
pub(super) struct Found {
    pub(super) own: Own,
    pub(super) name: String,
    /// The owner of the directory, whatever the directory's name says.
    pub(super) user: u32,
    /// The group of the process that made it; none below a setgid directory.
    pub(super) group: Option<u32>,
    /// True if it lies on the directory's own file system.
    pub(super) is_held: bool,
}

/// A store's files in all users' directories, in the order in which each user's workers choose theirs.
#[cfg(feature = "publisher")]
pub(super) fn files<'a>(
    directory: &'a Path,
    store: &Path,
) -> io::Result<impl Iterator<Item = Found> + use<'a>> {
    let device = Memory::open(directory)?.device;
    let file = super::layout::name(store);
    Ok(directories(directory)?.filter_map(move |(own, user)| {
        let found = look(&own.directory, &file).ok()?;
        let is_inherited = look(&own.directory, ".").ok()?.mode & 0o2000 != 0;
        let group = (!is_inherited).then_some(found.group);
        Some(Found { own, name: file.clone(), user, group, is_held: found.device == device })
    }))
}

/// All users' directories, in the order in which each user's workers choose theirs, with their owners.
#[cfg(feature = "publisher")]
pub(super) fn directories(directory: &Path) -> io::Result<impl Iterator<Item = (Own, u32)> + use<'_>> {
    let memory = Memory::open(directory)?;
    let mut directories: Vec<(bool, String, u32)> = Vec::new();
    for name in memory.named(DIRECTORIES)? {
        let Some(user) = memory.owner(&name) else { continue };
        let own = format!("{DIRECTORIES}{user}");
        let is_own = name.strip_prefix(&own).is_some_and(|end| end.is_empty() || end.starts_with('-'));
        directories.push((!is_own, name, user));
    }
    directories.sort_unstable();
    Ok(directories.into_iter().filter_map(move |(_, name, user)| {
        let (own, _) = memory.open_of(&name, user).ok()??;
        Some((own, user))
    }))
}

/// The result of stat(2).
struct Look {
    mode: u32,
    user: u32,
    #[cfg(feature = "publisher")]
    group: u32,
    device: (u32, u32),
}

impl Look {
    /// The directory's owner, if it lies on that file system, is no link, and no other user can write it.
    fn owner(&self, device: (u32, u32)) -> Option<u32> {
        let is_directory = self.mode & 0o170_000 == 0o040_000;
        (is_directory && self.mode & 0o022 == 0 && self.device == device).then_some(self.user)
    }
}

/// Stats the entry of that name. The process behind a FUSE file system is not asked (statx(2), `AT_STATX_DONT_SYNC`): it may
/// never answer.
fn look(directory: impl AsFd, name: &str) -> io::Result<Look> {
    look_with(directory.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW)
}

/// Stats an open file, like [`look`].
#[cfg(target_os = "linux")]
fn look_at(file: impl AsFd) -> io::Result<Look> {
    look_with(file.as_fd(), "", AtFlags::EMPTY_PATH)
}

#[cfg(not(target_os = "linux"))]
fn look_at(file: impl AsFd) -> io::Result<Look> {
    Ok(Look::of(&fstat(file)?))
}

#[cfg(target_os = "linux")]
fn look_with(directory: BorrowedFd<'_>, name: &str, flags: AtFlags) -> io::Result<Look> {
    use rustix::fs::{StatxFlags, statx};
    let quietly = flags | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    let wanted = StatxFlags::TYPE | StatxFlags::MODE | StatxFlags::UID | StatxFlags::GID;
    match statx(directory, name, quietly, wanted) {
        Ok(found) => Ok(Look {
            mode: u32::from(found.stx_mode),
            user: found.stx_uid,
            #[cfg(feature = "publisher")]
            group: found.stx_gid,
            device: (found.stx_dev_major, found.stx_dev_minor),
        }),
        // A container's filter may not know the call.
        Err(Errno::NOSYS | Errno::PERM) => Ok(Look::of(&statat(directory, name, flags)?)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn look_with(directory: BorrowedFd<'_>, name: &str, flags: AtFlags) -> io::Result<Look> {
    Ok(Look::of(&statat(directory, name, flags)?))
}

impl Look {
    fn of(found: &Stat) -> Look {
        let device = found.st_dev;
        let device = (rustix::fs::major(device), rustix::fs::minor(device));
        Look {
            mode: found.st_mode,
            user: found.st_uid,
            #[cfg(feature = "publisher")]
            group: found.st_gid,
            device,
        }
    }
}

/// True for a file with one name that only this user can write.
pub(super) fn is_own(file: &File, user: u32) -> bool {
    fstat(file).is_ok_and(|found| is_users(&found, user) && bits(&found) & 0o022 == 0)
}

/// True for a file with one name that belongs to this user.
pub(super) fn is_users(found: &Stat, user: u32) -> bool {
    let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile;
    is_file && found.st_nlink == 1 && found.st_uid == user
}

pub(super) fn bits(found: &Stat) -> u32 {
    Mode::from_raw_mode(found.st_mode).bits()
}

/// A name that no other thread has. If a dead thread left it behind, it is not used: the next attempt has another name.
pub(super) fn temporary(name: &str) -> String {
    let nanoseconds = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic).tv_nsec;
    format!(".{name}.{}.{nanoseconds}", std::process::id())
}

/// A number that no other process can predict.
pub(super) fn unique() -> u64 {
    std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id())
}
