//! Making a store.

use super::audit::{Action, Outcome};
use super::change::Change;
use super::error::StoreError;
use super::head::{Head, Identity, environment_name};
use super::layout::{CONFIG, HEAD, LOCK, SNAPSHOTS, TEMPORARY};
use super::lock::{LOCK_SIZE, Lock};
use super::modes::Modes;
use super::trust::{judge, printable, shell};
use super::users::group_number;
use super::{PATIENCE, Store, now};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::process::geteuid;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

impl Store {
    /// Makes an empty store for an environment. With a group, its members can publish as well, and nobody else
    /// can read. Only the last directory of the path is made. What an interrupted `init` left is finished.
    ///
    /// # Errors
    ///
    /// When there is a store already, others could change it, or a name is not valid.
    pub fn init(directory: &Path, environment: &str, group: Option<&str>) -> Result<Store, StoreError> {
        if !environment_name(environment) {
            return Err(StoreError::Refused(format!(
                "{environment:?} cannot be an environment's name; expected a lowercase letter, then at most 63 \
                 lowercase letters, digits, _ and -, such as production"
            )));
        }
        let group = group.map(|name| {
            group_number(name).ok_or_else(|| {
                StoreError::Refused(format!(
                    "this machine has no group {name:?}; type: groupadd --system {name:?}"
                ))
            })
        });
        let modes = Modes::new(group.transpose()?);
        if std::fs::symlink_metadata(directory.join(HEAD)).is_ok() {
            return Err(exists(directory));
        }
        refuse_other_files(directory)?;
        make_directory(directory, &modes)?;
        let judged = judge(directory, geteuid().as_raw())?;
        let path = &judged.path;
        make_file(&path.join(LOCK), &modes, modes.lock(), &[b' '; LOCK_SIZE])?;
        let lock = Lock::take(path, PATIENCE, "init")?;
        if std::fs::symlink_metadata(path.join(HEAD)).is_ok() {
            return Err(exists(path));
        }
        make_directory(&path.join(SNAPSHOTS), &modes)?;
        let identity = Identity { store: random(path)?, created: now(), environment: environment.to_owned() };
        let new = path.join(format!(".{HEAD}{TEMPORARY}"));
        let _ = std::fs::remove_file(&new);
        make_file(&new, &modes, modes.head(), &Head::blank(&identity))?;
        std::fs::rename(&new, path.join(HEAD))
            .map_err(|source| StoreError::io("make the head", path, source))?;
        sync(path)?;
        drop(lock);
        let store = Store::open(path)?;
        let change = Change::by_me(None);
        let session = store.session(&change, "init")?;
        session.audit()?.append(session.record(&change, Action::Init, Outcome::Done))?;
        drop(session);
        sync(path)?;
        Ok(store)
    }
}

fn exists(path: &Path) -> StoreError {
    StoreError::Refused(format!(
        "{} is a store already; nothing was changed. Look at it with `flagstone status --store {}`",
        printable(path),
        shell(path)
    ))
}

/// A directory that holds anything but what an interrupted `init` leaves keeps its permissions.
fn refuse_other_files(path: &Path) -> Result<(), StoreError> {
    let Ok(entries) = std::fs::read_dir(path) else { return Ok(()) };
    let unfinished = format!(".{HEAD}{TEMPORARY}");
    let mine = [LOCK, SNAPSHOTS, CONFIG, &unfinished, ".gitignore", ".gitkeep"];
    match entries.flatten().find(|entry| !mine.iter().any(|name| entry.file_name() == *name)) {
        None => Ok(()),
        Some(other) => Err(StoreError::Refused(format!(
            "{} holds other files, such as {}; nothing was changed. Make the store in a directory of its own, such as {}",
            printable(path),
            printable(Path::new(&other.file_name())),
            shell(&path.join("flagstone"))
        ))),
    }
}

/// Makes a directory with exactly those permissions, or gives them to an existing one.
fn make_directory(path: &Path, modes: &Modes) -> Result<(), StoreError> {
    let failed = |source| StoreError::io("make the directory", path, source);
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().unwrap_or(path);
            return Err(StoreError::Refused(format!(
                "there is no directory {}; type: install -d -m 0755 {}",
                printable(parent),
                shell(parent)
            )));
        }
        Err(error) => return Err(failed(error)),
    }
    let directory = File::open(path).map_err(failed)?;
    modes.apply(&directory, modes.directory()).map_err(failed)
}

/// Makes a file with exactly that content and those permissions, its room on the disk taken, unless it is there.
fn make_file(path: &Path, modes: &Modes, mode: u32, bytes: &[u8]) -> Result<(), StoreError> {
    let failed = |source| StoreError::io("make", path, source);
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let made = reserve(&file, bytes.len() as u64)
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| modes.apply(&file, mode))
        .and_then(|()| file.sync_all());
    made.map_err(|source| {
        let _ = std::fs::remove_file(path);
        failed(source)
    })
}

/// So that a store to the mapped page never finds the disk full, which would kill the process.
fn reserve(file: &File, size: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, size) {
        // Writing the bytes takes the room as well, on any file system that writes in place.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
        done => Ok(done?),
    }
}

pub(super) fn random(path: &Path) -> Result<[u8; 16], StoreError> {
    let mut bytes = [0; 16];
    let read = File::open("/dev/urandom").and_then(|mut file| io::Read::read_exact(&mut file, &mut bytes));
    read.map_err(|source| StoreError::io("find random bytes for", path, source))?;
    Ok(bytes)
}

fn sync(path: &Path) -> Result<(), StoreError> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(|source| StoreError::io("write to the disk", path, source))
}
