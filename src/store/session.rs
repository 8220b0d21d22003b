//! A store while it is being changed: locked, judged again, its head mapped writable.

use super::audit::{Action, Audit, Outcome, Record};
use super::change::Change;
use super::directory::{Access, Folder};
use super::error::StoreError;
use super::head::{Current, Head, Pointer};
use super::layout::HEAD;
use super::lock::Lock;
use super::modes::Modes;
use super::open::{head_file, map_head};
use super::{Store, now};
use crate::eval::time::format_rfc3339;
use std::path::Path;

pub(super) struct Session {
    pub(super) head: Head,
    pub(super) folder: Folder,
    pub(super) environment: String,
    pub(super) modes: Modes,
    pub(super) now: i64,
    /// Last: let go of when the rest is done.
    _lock: Lock,
}

impl Store {
    /// Waits for the lock and opens the store for a change.
    pub(super) fn session(&self, change: &Change, action: &str) -> Result<Session, StoreError> {
        let actor = &change.actor;
        let holder = format!(
            "{} on {} (process {}, {action} since {})",
            actor.user,
            actor.host,
            std::process::id(),
            format_rfc3339(now())
        );
        let (folder, lock) = self.locked(&holder)?;
        let file = head_file(&folder, Access::Write)?;
        let (found, expected) = (&file.identity.environment, &self.identity.environment);
        if found != expected {
            let problem = format!("it is for the environment {found:?} by now, expected {expected:?}");
            return Err(StoreError::Head { path: self.directory.join(HEAD), problem });
        }
        let modes = folder.modes().map_err(|source| StoreError::io("look at", folder.path(), source))?;
        let head = map_head(folder.path(), &file, true)?;
        head.read_whole();
        if head.lost() {
            let problem = "it was cut short while it was opened; nothing was changed".to_owned();
            return Err(StoreError::Head { path: self.directory.join(HEAD), problem });
        }
        Ok(Session {
            head,
            environment: self.identity.environment.clone(),
            modes,
            folder,
            now: now(),
            _lock: lock,
        })
    }

    /// Waits for the lock. The directory is the one that the path leads to now, judged once more.
    pub(super) fn locked(&self, holder: &str) -> Result<(Folder, Lock), StoreError> {
        loop {
            let before = self.folder()?;
            let lock = Lock::take(&before, self.patience, holder)?;
            let folder = self.folder()?;
            let same = before.id().and_then(|before| Ok(before == folder.id()?));
            if same.map_err(|source| StoreError::io("look at", &self.directory, source))? {
                return Ok((folder, lock));
            }
        }
    }
}

impl Session {
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The current generation, and its pointer; the one before it where that is damaged.
    pub(super) fn current(&self) -> (u64, Option<Pointer>) {
        match self.head.current() {
            Current::Nothing => (0, None),
            Current::Pointer(pointer) => (pointer.generation, Some(pointer)),
            Current::Damaged(generation, other) => (generation, other),
        }
    }

    pub(super) fn audit(&self) -> Result<Audit<'_>, StoreError> {
        Audit::open(&self.folder, &self.modes, &self.head)
    }

    /// A record of this change that nothing is filled into yet but who, when, why and what.
    pub(super) fn record(&self, change: &Change, action: Action, outcome: Outcome) -> Record {
        let generation = self.current().0;
        Record {
            seq: 0,
            at: format_rfc3339(self.now),
            actor: change.actor.clone(),
            environment: self.environment.clone(),
            action,
            outcome,
            intention: None,
            flag: None,
            stage: None,
            reason: change.reason.clone(),
            from: generation,
            to: generation,
            content: None,
            rolled_back_to: None,
            origin: None,
            release: None,
            guard: None,
            differences: Vec::new(),
            more_differences: 0,
            error: None,
            torn: None,
            prev: String::new(),
        }
    }

    /// Whether what was written to the head is in the file. Ask after writing.
    pub(super) fn kept(&self) -> Result<(), StoreError> {
        if !self.head.lost() {
            return Ok(());
        }
        let problem = "it was cut short while it was changed, and the change is not in it; workers keep what they knew.                        Put a backup of the head back, then try again"
            .to_owned();
        Err(StoreError::Head { path: self.path().join(HEAD), problem })
    }

    /// Writes the head to the disk; what is wrong with that, since every reader has seen it already.
    pub(super) fn flush(&self) -> Option<String> {
        let path = self.path().join(HEAD);
        let error = self.head.page().flush().err()?;
        let error = StoreError::io("write to the disk", &path, error);
        Some(format!("{error}; every reader sees the change, but it may not outlive a power failure"))
    }
}
