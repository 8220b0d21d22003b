//! A file that was typed, as a name in an open directory.
//!
//! Root goes to it step by step. It follows a symbolic link only if the link belongs to root or to the user who typed the command
//! (`SUDO_UID`), and if no other user can exchange it. Below a directory that others can change it opens regular files of one name, and
//! none that is private to root or to that user, since the others can give any of their own names to a file. Other users go everywhere as
//! the kernel lets them.

use flagstone::files::owner_of;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Stat, fchmod, fchown, fcntl_setfl, fstat, fstatfs, openat,
    readlinkat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::{geteuid, getpid};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// The limit of symbolic links on one path, the same as the kernel's.
const MAX_LINKS: usize = 40;
/// The magic number of procfs: its links lead to open files.
const PROC_SUPER_MAGIC: i128 = 0x9fa0;
/// Opens a directory only to pass through it.
#[cfg(target_os = "linux")]
pub const PASS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
pub const PASS: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);
/// Opens a file to look at it: without waiting, and without taking a terminal.
const LOOK: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// The effect of opening a pipe that has no writer yet.
#[derive(Clone, Copy)]
enum Pipes {
    Awaited,
    NotAwaited,
}

/// The result of [`Entry::replace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplaceResult {
    Done,
    /// The file did not hold the expected content, and is left as it is.
    Changed,
}

/// A name in an open directory. It is no symbolic link, or was none when it was found.
#[derive(Debug)]
pub struct Entry {
    folder: File,
    name: OsString,
    /// The path for messages.
    path: PathBuf,
    /// The reason that others could exchange what has the name; none if they cannot.
    exposed: Option<String>,
    /// True if the name leads to an open file of this process, as `/dev/stdin` does.
    is_open_file: bool,
}

impl Entry {
    /// Goes to that path. Its last name may be free.
    ///
    /// # Errors
    ///
    /// When a directory on the way cannot be passed, or a link on it must not be followed.
    pub fn find(path: &Path) -> io::Result<Entry> {
        match walk(path, &Trusted::users())? {
            Way::Name(entry) => Ok(entry),
            Way::Directory => Err(Errno::ISDIR.into()),
        }
    }

    /// An entry of a directory that another process opened.
    pub fn received(folder: File, name: OsString, exposed: Option<String>) -> Entry {
        let path = PathBuf::from(&name);
        Entry { folder, name, path, exposed, is_open_file: false }
    }

    /// The directory, the name, and the reason that others could exchange what has it.
    pub fn into_parts(self) -> (File, OsString, Option<String>) {
        (self.folder, self.name, self.exposed)
    }

    /// Opens the file to read it.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or others could have put it there for root to read.
    pub fn open(&self) -> io::Result<File> {
        Ok(self.look(Pipes::Awaited)?.0)
    }

    /// Opens the file as [`open`](Self::open) does, but a pipe without a writer ends at once.
    ///
    /// # Errors
    ///
    /// The errors of [`open`](Self::open).
    pub fn open_at_once(&self) -> io::Result<File> {
        let file = self.look(Pipes::NotAwaited)?.0;
        fcntl_setfl(&file, OFlags::empty())?;
        Ok(file)
    }

    fn look(&self, pipes: Pipes) -> io::Result<(File, Stat)> {
        if self.is_open_file {
            let mut flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
            flags.set(OFlags::NONBLOCK, matches!(pipes, Pipes::NotAwaited));
            let file = File::from(openat(&self.folder, &self.name, flags, Mode::empty())?);
            let found = fstat(&file)?;
            return Ok((file, found));
        }
        let found = statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        let mut flags = OFlags::RDONLY | LOOK;
        match &self.exposed {
            Some(why) => regular(&found, Some(why))?,
            // A pipe of the user's own may wait for its writer.
            None => flags.set(OFlags::NONBLOCK, matches!(pipes, Pipes::NotAwaited)),
        }
        let file = File::from(openat(&self.folder, &self.name, flags, Mode::empty())?);
        let found = fstat(&file)?;
        if let Some(why) = &self.exposed {
            regular(&found, Some(why))?;
            one_name(&found)?;
            Trusted::users().judge_content(&found, why)?;
        }
        Ok((file, found))
    }

    /// Replaces the file's content if it is still `before`. Readers see the old content or the new. Owner, group and mode stay.
    ///
    /// # Errors
    ///
    /// When it cannot be read or written, or is no regular file.
    pub fn replace(&self, before: &[u8], text: &[u8]) -> io::Result<ReplaceResult> {
        if self.is_open_file {
            return Err(io::Error::other("expected the path of a file in a directory"));
        }
        let found = statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        regular(&found, None)?;
        let (mut file, found) = self.look(Pipes::Awaited)?;
        let mut now = Vec::with_capacity(before.len());
        (&mut file).take(before.len() as u64 + 1).read_to_end(&mut now)?;
        if now != before {
            return Ok(ReplaceResult::Changed);
        }
        self.put(text, Some(&found))?;
        Ok(ReplaceResult::Done)
    }

    /// Writes the file over the one that is there.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&self, text: &[u8]) -> io::Result<()> {
        self.put(text, None)
    }

    /// Writes a new file and gives it the name, with the owner, group and mode of `like`.
    fn put(&self, text: &[u8], like: Option<&Stat>) -> io::Result<()> {
        struct Temporary<'a>(&'a File, OsString);
        impl Drop for Temporary<'_> {
            fn drop(&mut self) {
                let _ = unlinkat(self.0, &self.1, AtFlags::empty());
            }
        }
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(format!(".{}.tmp", getpid()));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(if like.is_some() { 0o600 } else { 0o644 });
        let mut file = File::from(openat(&self.folder, &name, flags, mode)?);
        let temporary = Temporary(&self.folder, name);
        file.write_all(text)?;
        if let Some(like) = like {
            give(&file, like)?;
        }
        file.sync_all()?;
        renameat(&self.folder, &temporary.1, &self.folder, &self.name).map_err(|error| match error {
            Errno::BUSY => io::Error::new(
                ErrorKind::ResourceBusy,
                "it is a mount point, and no other file can take its place: mount its directory instead",
            ),
            error => error.into(),
        })?;
        std::mem::forget(temporary);
        // A directory that can be written but not listed cannot be synchronized either.
        match openat(&self.folder, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(folder) => File::from(folder).sync_all(),
            Err(_) => Ok(()),
        }
    }
}

/// Refuses a directory that root would list by way of another user's links.
///
/// # Errors
///
/// The errors of [`Entry::find`], and when it is no directory.
pub fn judge_directory(path: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    match walk(path, &Trusted::users())? {
        Way::Directory => Ok(()),
        Way::Name(entry) => {
            openat(&entry.folder, &entry.name, PASS | OFlags::NOFOLLOW, Mode::empty())?;
            Ok(())
        }
    }
}

/// Refuses a program that another user could have changed, if this process is root. A program that was typed without a path is looked for
/// in the directories of root's own programs.
///
/// # Errors
///
/// The errors of [`Entry::find`], and when others could have changed it.
pub fn judge_program(path: &Path) -> io::Result<()> {
    if !geteuid().is_root() || !path.as_os_str().as_encoded_bytes().contains(&b'/') {
        return Ok(());
    }
    let trusted = Trusted::users();
    let Way::Name(entry) = walk(path, &trusted)? else { return Err(Errno::ISDIR.into()) };
    let found = owned(&entry.folder, statat(&entry.folder, &entry.name, AtFlags::SYMLINK_NOFOLLOW)?);
    let why = entry.exposed.or_else(|| trusted.exposure(&found, &entry.path).map(|exposure| exposure.why));
    match why {
        None => Ok(()),
        Some(why) => Err(refused(format!("{why}, and root runs no program that others can change"))),
    }
}

/// The users whose links are followed; none: those of every user.
struct Trusted(Option<[u32; 2]>);

/// The reason that others can change the content of a directory.
struct Exposure {
    why: String,
    /// True if the directory is sticky: a trusted user's files in it stay what they are.
    is_sticky: bool,
}

impl Trusted {
    fn users() -> Trusted {
        let typed = || std::env::var("SUDO_UID").ok()?.parse().ok();
        Trusted(geteuid().is_root().then(|| [0, typed().unwrap_or(0)]))
    }

    fn has(&self, user: u32) -> bool {
        self.0.is_none_or(|users| users.contains(&user))
    }

    /// The exposure of a directory, or of a file itself.
    fn exposure(&self, found: &Stat, path: &Path) -> Option<Exposure> {
        let path = path.display();
        if !self.has(found.st_uid) {
            return Some(Exposure {
                why: format!("{path} belongs to user {}", found.st_uid),
                is_sticky: false,
            });
        }
        // The right of root's group to write is root's own.
        let group = if found.st_gid == 0 { 0 } else { 0o020 };
        if self.0.is_none() || found.st_mode & (0o002 | group) == 0 {
            return None;
        }
        let mode = found.st_mode & 0o7777;
        Some(Exposure {
            why: format!("{path} is writable by others (mode {mode:04o})"),
            is_sticky: mode & 0o1000 != 0,
        })
    }

    /// Refuses a file that only a trusted user can read: those who can change its directory may have moved it there.
    fn judge_content(&self, found: &Stat, why: &str) -> io::Result<()> {
        if self.0.is_none() || !self.has(found.st_uid) || found.st_mode & 0o004 != 0 {
            return Ok(());
        }
        Err(refused(format!(
            "it is private to user {} (mode {:04o}) in a directory that others can change ({why}). Move it to one that they cannot, or let everybody read it",
            found.st_uid,
            found.st_mode & 0o7777,
        )))
    }

    fn judge_link(&self, found: &Stat, path: &Path, exposed: Option<&str>) -> io::Result<()> {
        let path = path.display();
        let what = match exposed {
            _ if !self.has(found.st_uid) => format!("{path} is a symbolic link of user {}", found.st_uid),
            Some(why) => format!("{path} is a symbolic link in a directory that others can change ({why})"),
            None => return Ok(()),
        };
        Err(refused(format!("{what}, which root does not follow. Type the path that it leads to")))
    }
}

enum Way {
    Name(Entry),
    Directory,
}

fn walk(path: &Path, trusted: &Trusted) -> io::Result<Way> {
    let start = |path: &Path| -> io::Result<(File, Option<Exposure>)> {
        let folder = File::from(openat(CWD, path, PASS, Mode::empty())?);
        let exposure = trusted.exposure(&owned(&folder, fstat(&folder)?), path);
        Ok((folder, exposure))
    };
    if path.as_os_str().is_empty() {
        return Err(ErrorKind::NotFound.into());
    }
    let mut pending = parts(path);
    let mut at = PathBuf::from(if path.is_absolute() { "/" } else { "." });
    let (mut folder, mut here) = start(&at)?;
    // The exposure of a directory further up: everything below it can be exchanged.
    let mut above: Option<String> = None;
    let mut links = 0;
    while let Some(name) = pending.pop_front() {
        let path = match at == Path::new(".") {
            true => PathBuf::from(&name),
            false => at.join(&name),
        };
        let is_last = pending.is_empty();
        let found = match statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Some(owned(&folder, found)),
            Err(Errno::NOENT) if is_last => None,
            Err(error) => return Err(error.into()),
        };
        let exposed = above.clone().or_else(|| {
            let Exposure { why, is_sticky } = here.as_ref()?;
            let stays = *is_sticky && found.as_ref().is_none_or(|found| trusted.has(found.st_uid));
            (!stays).then(|| why.clone())
        });
        let is_link = found.as_ref().is_some_and(|found| kind(found) == FileType::Symlink);
        let is_open_file = is_link && on_procfs(&folder);
        if let Some(found) = found.as_ref().filter(|_| is_link) {
            trusted.judge_link(found, &path, exposed.as_deref())?;
            links += 1;
            if links > MAX_LINKS {
                return Err(Errno::LOOP.into());
            }
            if !is_open_file {
                let target = readlinkat(&folder, &name, Vec::new())?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                if target.is_absolute() {
                    at = PathBuf::from("/");
                    (folder, here) = start(&at)?;
                }
                for part in parts(&target).into_iter().rev() {
                    pending.push_front(part);
                }
                continue;
            }
        }
        if is_last && name != ".." {
            return Ok(Way::Name(Entry { folder, name, path, exposed, is_open_file }));
        }
        let follow = if is_open_file { OFlags::empty() } else { OFlags::NOFOLLOW };
        let next = match openat(&folder, &name, PASS | follow, Mode::empty()) {
            Ok(next) => File::from(next),
            Err(Errno::LOOP | Errno::NOTDIR) => {
                return Err(io::Error::other(format!("{} is not a directory", path.display())));
            }
            Err(error) => return Err(error.into()),
        };
        here = trusted.exposure(&owned(&next, fstat(&next)?), &path);
        above = exposed;
        (folder, at) = (next, path);
    }
    Ok(Way::Directory)
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect()
}

#[cfg(target_os = "linux")]
fn on_procfs(folder: impl AsFd) -> bool {
    fstatfs(folder).is_ok_and(|found| i128::from(found.f_type) == PROC_SUPER_MAGIC)
}

#[cfg(not(target_os = "linux"))]
fn on_procfs(_: impl AsFd) -> bool {
    false
}

/// The status of a file or of an entry of a folder, with its real owner.
fn owned(file: &File, mut found: Stat) -> Stat {
    found.st_uid = owner_of(file, found.st_dev, found.st_uid);
    found
}

fn kind(found: &Stat) -> FileType {
    FileType::from_raw_mode(found.st_mode)
}

fn regular(found: &Stat, why: Option<&str>) -> io::Result<()> {
    let found = match kind(found) {
        FileType::RegularFile => return Ok(()),
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        _ => "a device",
    };
    let why = why.map_or(String::new(), |why| format!(": others can change its directory ({why})"));
    Err(refused(format!("found {found}, expected a file{why}")))
}

fn one_name(found: &Stat) -> io::Result<()> {
    match found.st_nlink {
        0 | 1 => Ok(()),
        names => Err(refused(format!(
            "it has {names} names, and others could have given them to it (hard links); expected one. Put a copy in its place"
        ))),
    }
}

/// Gives a new file the owner, group and mode of another, as far as this user may. The group's rights are given only with the group.
fn give(file: &File, like: &Stat) -> io::Result<()> {
    use rustix::process::{Gid, Uid};
    let (user, group) = (Uid::from_raw(like.st_uid), Gid::from_raw(like.st_gid));
    let mine = fstat(file)?;
    let mut mode = like.st_mode & 0o777;
    if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid)
        && let Err(error) = fchown(file, Some(user), Some(group))
    {
        if geteuid().is_root() {
            return Err(error.into());
        }
        if mine.st_gid != like.st_gid && fchown(file, None, Some(group)).is_err() {
            mode = mode & !0o070 | (mode & 0o007) << 3;
        }
    }
    fchmod(file, Mode::from_raw_mode(mode))?;
    Ok(())
}

fn refused(message: String) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, crate::display::plain(&message).into_owned())
}
