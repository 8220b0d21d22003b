//! Creation of a store.

use super::Store;
use super::change_options::{Change, RecordOutcome};
use super::lock::{LOCK_SIZE, Lock};
use super::store::LOCK_TIMEOUT;
use super::transaction::reserve;
use crate::audit::{Action, Outcome};
use crate::error::StoreError;
use crate::files::{Account, Folder, Modes, TEMPORARY, group_number};
use crate::store::head::{Head, Identity, environment_name};
use crate::store::layout::{CONFIG, HEAD, HEAD_LOCK, LOCK, SNAPSHOTS};
use crate::text::{printable, shell};
use crate::time::now;
use rustix::fs::{Access, IFlags, access, ioctl_setflags};
use rustix::process::{getegid, geteuid, getgroups};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

impl Store {
    /// Makes an empty store for an environment, which only its owner can change. With a group of readers, only its members can read it.
    /// Only the last directory of the path is made. An interrupted `init` is finished.
    ///
    /// # Errors
    ///
    /// When a store already exists, others could change it, or a name is not valid. Nothing was changed then.
    pub fn init(directory: &Path, environment: &str, readers: Option<&str>) -> Result<Store, StoreError> {
        if !environment_name(environment) {
            return Err(StoreError::Refused(format!(
                "{environment:?} cannot be an environment's name; expected a lowercase letter, then at most 63 \
                 lowercase letters, digits, _ and -, such as production"
            )));
        }
        let readers = readers.map(readers_group).transpose()?;
        let folder = open_or_make(directory)?;
        if folder.exists(HEAD).map_err(|source| StoreError::io("look at", folder.path(), source))? {
            return Err(exists(folder.path()));
        }
        refuse_other_files(&folder)?;
        let modes = Modes::new(folder.judged().owner, readers);
        folder.apply(&modes).map_err(|source| StoreError::io("make the directory", folder.path(), source))?;
        // Judged by its new permissions.
        let folder = Folder::store(folder.path())?;
        let path = folder.path();
        make_file(&folder, LOCK, &modes, modes.lock(), &[b' '; LOCK_SIZE])?;
        let lock = Lock::publishing(&folder, LOCK_TIMEOUT, "init")?;
        make_file(&folder, HEAD_LOCK, &modes, modes.lock(), &[b' '; LOCK_SIZE])?;
        if folder.exists(HEAD).map_err(|source| StoreError::io("look at", path, source))? {
            return Err(exists(path));
        }
        let snapshots = folder.make_folder(SNAPSHOTS, &modes, modes.directory())?;
        let made = snapshots.apply(&modes);
        made.map_err(|source| StoreError::io("make the directory", snapshots.path(), source))?;
        let identity = Identity { store: random(path)?, created: now(), environment: environment.to_owned() };
        let new = format!(".{HEAD}{TEMPORARY}");
        let _ = folder.remove(&new);
        make_file(&folder, &new, &modes, modes.head(), &Head::blank(&identity))?;
        folder.rename(&new, HEAD).map_err(|source| StoreError::io("make the head", path, source))?;
        sync(&folder)?;
        drop(lock);
        let store = Store::open(path)?;
        let change = Change::by_me(None);
        // A new store has no older head.
        let _ = store.session(&change, "init", |session| {
            session.append(session.record(&change, Action::Init, Outcome::Done))?;
            Ok(RecordOutcome::changed())
        })?;
        sync(&folder)?;
        Ok(store)
    }
}

/// The number of a group, given by name or number.
pub(crate) fn readers_group(name: &str) -> Result<u32, StoreError> {
    let group = group_number(name).ok_or_else(|| {
        StoreError::Refused(format!(
            "this machine has no group {name:?}; make it (as root: groupadd --system {name:?}) or name another"
        ))
    })?;
    let user = geteuid();
    let member = || getgroups().is_ok_and(|groups| groups.iter().any(|one| one.as_raw() == group));
    if !user.is_root() && getegid().as_raw() != group && !member() {
        return Err(no_member(&Account::of(user.as_raw()), name));
    }
    Ok(group)
}

/// Error for a readers' group that the owner of the store is not in.
pub fn no_member(owner: &Account, group: &str) -> StoreError {
    StoreError::Refused(format!(
        "user {} is not in the group {group:?}, and so cannot give it what it publishes; nothing was changed. \
         Let root type: usermod -aG {group:?} {}",
        owner.name, owner.name
    ))
}

/// Opens and judges the directory; makes the last one of the path if it is missing.
fn open_or_make(path: &Path) -> Result<Folder, StoreError> {
    match Folder::store(path) {
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Folder::store(path) };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let parent = match Folder::parent(parent) {
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            let (who, owner) = match geteuid().is_root() || is_makeable(parent) {
                true => ("type", String::new()),
                false => ("let root type", format!(" -o {}", geteuid().as_raw())),
            };
            return Err(StoreError::Refused(format!(
                "there is no directory {}; {who}: install -d -m 0755{owner} {}",
                printable(parent),
                shell(parent)
            )));
        }
        parent => parent?,
    };
    match parent.make_directory(name) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(StoreError::io("make the directory", path, source)),
    }
    Folder::store(path)
}

/// True if this user can make that directory.
fn is_makeable(directory: &Path) -> bool {
    let nearest = directory.ancestors().skip(1).find(|above| above.is_dir());
    nearest.is_some_and(|above| access(above, Access::WRITE_OK).is_ok())
}

fn exists(path: &Path) -> StoreError {
    StoreError::Refused(format!(
        "{} is a store already; nothing was changed. Look at it with `flagstone status --store {}`",
        printable(path),
        shell(path)
    ))
}

/// Refuses a directory with other files than an interrupted `init` leaves, so that its permissions stay.
fn refuse_other_files(folder: &Folder) -> Result<(), StoreError> {
    let path = folder.path();
    let unfinished = format!(".{HEAD}{TEMPORARY}");
    let mine = [LOCK, HEAD_LOCK, SNAPSHOTS, CONFIG, &unfinished, ".gitignore", ".gitkeep"];
    let names = folder.names().map_err(|source| StoreError::io("list", path, source))?;
    match names.into_iter().find(|found| !mine.iter().any(|name| found == name)) {
        None => Ok(()),
        Some(other) => Err(StoreError::Refused(format!(
            "{} holds other files, such as {}; nothing was changed. Make the store in a directory of its own, such as {}",
            printable(path),
            printable(Path::new(&other)),
            shell(&path.join("flagstone"))
        ))),
    }
}

/// Makes a file with that content and those permissions, with its room on the disk reserved, unless it exists.
fn make_file(folder: &Folder, name: &str, modes: &Modes, mode: u32, bytes: &[u8]) -> Result<(), StoreError> {
    let path = folder.path().join(name);
    let failed = |source| StoreError::io("make", &path, source);
    let mut file = match folder.create(name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    // Btrfs writes every change elsewhere, which a full disk has no room for, unless the flag is set while the file is empty.
    let _ = ioctl_setflags(&file, IFlags::NOCOW);
    let made = reserve(&file, bytes.len() as u64)
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| modes.apply(&file, mode))
        .and_then(|()| file.sync_all());
    made.map_err(|source| {
        let _ = folder.remove(name);
        failed(source)
    })
}

pub(crate) fn random(path: &Path) -> Result<[u8; 16], StoreError> {
    let mut bytes = [0; 16];
    let read = File::open("/dev/urandom").and_then(|mut file| io::Read::read_exact(&mut file, &mut bytes));
    read.map_err(|source| StoreError::io("find random bytes for", path, source))?;
    Ok(bytes)
}

fn sync(folder: &Folder) -> Result<(), StoreError> {
    folder.sync().map_err(|source| StoreError::io("write to the disk", folder.path(), source))
}
