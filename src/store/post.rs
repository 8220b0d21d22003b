//! A post in a store: whoever works beside the head, one at a time, and a small file of how far that is. The guard has one, and each
//! endpoint of notifications.

use super::error::StoreError;
use super::layout::open_plain;
use super::modes::Modes;
use super::replace::replace;
use super::trust::judge;
use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where a post is, below the store's directory.
pub(super) struct Place {
    /// A folder of the store.
    pub(super) folder: &'static str,
    /// The file that is locked.
    pub(super) lock: String,
    /// The file that says how far it is.
    pub(super) keeps: String,
}

/// Held until dropped; the kernel lets go of it when its holder dies.
#[derive(Debug)]
pub(super) struct Post {
    _lock: File,
    path: PathBuf,
    modes: Modes,
}

impl Place {
    /// Takes the post. None: another process has it.
    pub(super) fn take(&self, store: &Path) -> Result<Option<Post>, StoreError> {
        judge(store, geteuid().as_raw())?;
        let folder = store.join(self.folder);
        let path = folder.join(&self.lock);
        let failed = |source| StoreError::io("open", &path, source);
        let modes = Modes::of(&std::fs::metadata(store).map_err(failed)?);
        let lock = open(&folder, &path, &modes).map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Post { _lock: lock, path: folder.join(&self.keeps), modes })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(StoreError::io("lock", &path, error.into())),
        }
    }

    /// Whether a process has it.
    pub(super) fn is_taken(&self, store: &Path) -> bool {
        open_plain(&store.join(self.folder).join(&self.lock), false).is_ok_and(|lock| {
            flock(&lock, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
        })
    }

    /// What was kept last; none if nobody ever had the post. Of more than `limit` bytes it is damaged, and `hint` says what then.
    pub(super) fn kept<T: DeserializeOwned>(
        &self,
        store: &Path,
        limit: u64,
        hint: &str,
    ) -> Result<Option<T>, StoreError> {
        let path = store.join(self.folder).join(&self.keeps);
        let file = match open_plain(&path, false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::io("open", &path, source)),
        };
        let mut text = Vec::new();
        file.take(limit).read_to_end(&mut text).map_err(|source| StoreError::io("read", &path, source))?;
        let damaged = |error| StoreError::Mismatch { path, problem: format!("{error}; {hint}") };
        serde_json::from_slice(&text).map(Some).map_err(damaged)
    }
}

impl Post {
    /// Keeps how far it is, on the disk.
    pub(super) fn keep(&self, what: &impl Serialize) -> Result<(), StoreError> {
        let text = serde_json::to_vec(what).unwrap_or_default();
        let written = replace(&self.path, &text, &self.modes, self.modes.audit());
        written.map_err(|source| StoreError::io("write", &self.path, source))
    }
}

fn open(folder: &Path, path: &Path, modes: &Modes) -> io::Result<File> {
    if !folder.exists() {
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => modes.apply(&File::open(folder)?, modes.directory())?,
        }
    }
    match open_plain(path, true) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
            modes.apply(&file, modes.lock())?;
            Ok(file)
        }
        opened => opened,
    }
}
