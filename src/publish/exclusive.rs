//! A role in a store that one process has at a time, beside the head, with a small file of its progress. The guard has one, and each
//! endpoint of notifications.

use super::lock::open_or_make;
use crate::error::StoreError;
use crate::files::{Access, FileId, Folder, Modes, replace};
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;

/// Files of a role, below the store's directory.
pub(crate) struct Place {
    /// A folder of the store.
    pub(crate) folder: &'static str,
    /// The file that is locked.
    pub(crate) lock: String,
    /// The file with the progress.
    pub(crate) keeps: String,
}

/// Held until dropped; the kernel releases it if its holder dies.
#[derive(Debug)]
pub(crate) struct Post {
    lock: File,
    place: &'static str,
    name: String,
    folder: Folder,
    keeps: String,
    modes: Modes,
}

impl Place {
    /// Takes the role. None: another process has it.
    pub(crate) fn take(&self, store: &Folder) -> Result<Option<Post>, StoreError> {
        let path = store.path().join(self.folder).join(&self.lock);
        let failed = |source| StoreError::io("open", &path, source);
        let modes = store.modes().map_err(failed)?;
        let folder = store.make_folder(self.folder, &modes, modes.directory())?;
        let lock = open_or_make(&folder, &self.lock)?.file;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                let (name, keeps) = (self.lock.clone(), self.keeps.clone());
                Ok(Some(Post { lock, place: self.folder, name, folder, keeps, modes }))
            }
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(StoreError::io("lock", &path, error.into())),
        }
    }

    /// Writes the progress without taking the role.
    pub(crate) fn write(&self, store: &Folder, what: &impl Serialize) -> Result<(), StoreError> {
        let path = store.path().join(self.folder).join(&self.keeps);
        let failed = |source| StoreError::io("write", &path, source);
        let modes = store.modes().map_err(failed)?;
        let folder = store.make_folder(self.folder, &modes, modes.directory())?;
        let text = serde_json::to_vec(what).unwrap_or_default();
        replace(&folder, &self.keeps, &text, &modes, modes.audit()).map_err(failed)
    }

    /// True if a process has the role; none if this user cannot tell.
    pub(crate) fn is_taken(&self, store: &Folder) -> Option<bool> {
        let Some(folder) = store.folder(self.folder).ok()? else { return Some(false) };
        let Some(lock) = folder.open(&self.lock, "open", Access::Read).ok()? else { return Some(false) };
        Some(flock(&lock.file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK))
    }

    /// The progress saved last; none if there is none. A file above `limit` bytes counts as damaged, and the error ends with `hint`.
    pub(crate) fn kept<T: DeserializeOwned>(
        &self,
        store: &Folder,
        limit: u64,
        hint: &str,
    ) -> Result<Option<T>, StoreError> {
        let Some(folder) = store.folder(self.folder)? else { return Ok(None) };
        let Some(opened) = folder.open(&self.keeps, "open", Access::Read)? else { return Ok(None) };
        let path = folder.path().join(&self.keeps);
        let damaged =
            |error: String| StoreError::Mismatch { path: path.clone(), problem: format!("{error}; {hint}") };
        let text = opened.read(limit).map_err(|source| match source.kind() {
            std::io::ErrorKind::FileTooLarge => damaged(source.to_string()),
            _ => StoreError::io("read", &path, source),
        })?;
        serde_json::from_slice(&text).map(Some).map_err(|error| damaged(error.to_string()))
    }
}

impl Post {
    /// True if the role is that of the store at that path now: a restore puts another in its place, with a free lock.
    pub(crate) fn is_of(&self, store: &Folder) -> Result<bool, StoreError> {
        let path = store.path().join(self.place).join(&self.name);
        let Some(folder) = store.folder(self.place)? else { return Ok(false) };
        let Some(there) = folder.open(&self.name, "open", Access::Read)? else { return Ok(false) };
        let held = self.lock.metadata().map_err(|source| StoreError::io("look at", &path, source))?;
        Ok(FileId::of(&held) == FileId::of(&there.metadata))
    }

    /// Saves the progress on the disk.
    pub(crate) fn keep(&self, what: &impl Serialize) -> Result<(), StoreError> {
        let text = serde_json::to_vec(what).unwrap_or_default();
        let written = replace(&self.folder, &self.keeps, &text, &self.modes, self.modes.audit());
        let path = self.folder.path().join(&self.keeps);
        written.map_err(|source| StoreError::io("write", &path, source))
    }
}
