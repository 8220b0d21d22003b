//! A store while it is being changed: locked, judged again, its head mapped writable.
//!
//! A publish holds the publishers' lock for all of it, and that of the head for each record and for moving the head. A switch (kill, stop,
//! revive, resume) needs the second alone.

use super::audit::{Action, Audit, Outcome, Record};
use super::change::Change;
use super::directory::{Access, Folder};
use super::error::StoreError;
use super::head::{Current, Head, Pointer};
use super::layout::HEAD;
use super::lock::Lock;
use super::modes::Modes;
use super::open::{FileId, head_file, map_head};
use super::shared::PAGE_SIZE;
use super::{Store, now};
use crate::eval::time::format_rfc3339;
use crate::snapshot::Audited;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

pub(super) struct Session {
    pub(super) head: Head,
    pub(super) folder: Folder,
    pub(super) environment: String,
    pub(super) modes: Modes,
    pub(super) now: i64,
    /// Who is at it, for others who wait.
    holder: String,
    timeout: Duration,
    head_id: FileId,
    /// Open as long as its head is mapped.
    head_file: File,
    /// Why the head has not all its room on the disk, so that a write to it may fail.
    pub(super) unreserved: Option<io::Error>,
    /// The publishers'; none for a switch. Last: let go of when the rest is done.
    _lock: Option<Lock>,
}

impl Store {
    /// Waits for the publishers' lock and opens the store for a change.
    pub(super) fn session(&self, change: &Change, action: &str) -> Result<Session, StoreError> {
        let holder = holder(change, action);
        let (folder, lock) = self.locked(&holder)?;
        self.opened(folder, holder, Some(lock))
    }

    /// Opens the store for a change of the head or a record alone, which waits for no publish.
    pub(super) fn head_session(&self, change: &Change, action: &str) -> Result<Session, StoreError> {
        self.opened(self.folder()?, holder(change, action), None)
    }

    fn opened(&self, folder: Folder, holder: String, lock: Option<Lock>) -> Result<Session, StoreError> {
        let file = head_file(&folder, Access::Write)?;
        let (found, expected) = (&file.identity.environment, &self.identity.environment);
        if found != expected {
            let problem = format!("it is for the environment {found:?} by now, expected {expected:?}");
            return Err(StoreError::Head { path: self.directory.join(HEAD), problem });
        }
        // A copy may have holes (cp --sparse, rsync -S, tar -S), or share its blocks (a reflink). Where the disk is full already, what there
        // is has to do.
        let reserved = reserve(&file.file, PAGE_SIZE as u64);
        let modes = folder.modes().map_err(|source| StoreError::io("look at", folder.path(), source))?;
        let head = map_head(folder.path(), &file, true)?;
        head.read_whole();
        if head.lost() {
            let problem = format!("{}; nothing was changed", lost(&file.file));
            return Err(StoreError::Head { path: self.directory.join(HEAD), problem });
        }
        Ok(Session {
            head,
            unreserved: reserved.err(),
            environment: self.identity.environment.clone(),
            modes,
            folder,
            now: now(),
            holder,
            timeout: self.patience,
            head_id: file.id,
            head_file: file.file,
            _lock: lock,
        })
    }

    /// Waits for the publishers' lock. The directory is the one that the path leads to now, judged once more.
    pub(super) fn locked(&self, holder: &str) -> Result<(Folder, Lock), StoreError> {
        loop {
            let before = self.folder()?;
            let lock = Lock::publishing(&before, self.patience, holder)?;
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

    /// Waits for the lock of head and trail, no longer than any change waits.
    pub(super) fn lock_head(&self) -> Result<Lock, StoreError> {
        self.lock_head_within(self.timeout)
    }

    pub(super) fn lock_head_within(&self, timeout: Duration) -> Result<Lock, StoreError> {
        Lock::head(&self.folder, timeout.min(self.timeout), &self.holder)
    }

    /// The lock of head and trail, if it is free.
    pub(super) fn try_lock_head(&self) -> Option<Lock> {
        Lock::try_head(&self.folder, &self.holder)
    }

    /// Whether the head that this session has is still the one that its path leads to: a restore may replace it.
    pub(super) fn has_the_head(&self) -> bool {
        head_file(&self.folder, Access::Read).is_ok_and(|file| file.id == self.head_id)
    }

    /// Adds a record to the trail, and locks head and trail for as long as that takes.
    pub(super) fn append(&self, record: Record) -> Result<Audited, StoreError> {
        self.append_under(&self.lock_head()?, record)
    }

    /// Adds a record to the trail under the lock that the caller holds.
    pub(super) fn append_under(&self, _lock: &Lock, record: Record) -> Result<Audited, StoreError> {
        Audit::open(&self.folder, &self.modes, &self.head)?.append(record)
    }

    /// Opens the trail as for a record, under the lock that the caller holds.
    pub(super) fn try_trail(&self, _lock: &Lock) -> Result<(), StoreError> {
        Audit::open(&self.folder, &self.modes, &self.head).map(drop)
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
            commit: None,
            guard: None,
            notice: None,
            pulled: Vec::new(),
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
        let problem = format!(
            "{}, so the change is not in it; workers keep what they knew. Mend that, then try again",
            lost(&self.head_file)
        );
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

/// Takes the room on the disk that the first `size` bytes of a file need when they are written to, so that a store to a mapped page never
/// finds the disk full.
pub(super) fn reserve(file: &File, size: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, size) {
        // Writing the bytes takes the room as well, on any file system that writes in place.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
        done => done?,
    }
    // Of blocks that a reflinked copy shares. Most file systems share none, and do not know this.
    match fallocate(file, FallocateFlags::UNSHARE_RANGE, 0, size) {
        Err(Errno::NOSPC) => Err(Errno::NOSPC.into()),
        _ => Ok(()),
    }
}

/// Why pages of a head's file could not be reached.
fn lost(file: &File) -> &'static str {
    match file.metadata() {
        Ok(found) if found.len() == PAGE_SIZE as u64 => {
            "its file system has no room for it: it has holes, as a sparse copy has (cp --sparse, rsync -S, tar -S), shares its blocks with a copy, or is \
             kept by a quota. Make room there"
        }
        _ => "it was cut short meanwhile: put a backup of it back",
    }
}

/// Who makes that change, for others who wait for it.
fn holder(change: &Change, action: &str) -> String {
    let actor = &change.actor;
    let (user, host, process) = (&actor.user, &actor.host, std::process::id());
    format!("{user} on {host} (process {process}, {action} since {})", format_rfc3339(now()))
}
