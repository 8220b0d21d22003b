//! A store while it is being changed: locked, judged again, its head mapped writable.
//!
//! A publish holds the publishers' lock throughout, and the lock of the head for each record and for moving the head. A switch (kill,
//! stop, revive, resume) needs only the second.

use super::Store;
use super::change_options::{Change, Warned};
use super::lock::Lock;
use crate::audit::{Action, Audit, Outcome, Record};
use crate::error::StoreError;
use crate::files::{Access, FileId, Folder, Modes};
use crate::snapshot::Audited;
use crate::store::head::{Head, Pointer};
use crate::store::layout::{HEAD, kept};
use crate::store::open::{head_file, map_head};
use crate::store::shared::PAGE_SIZE;
use crate::time::{format_rfc3339, now};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::{Errno, retry_on_intr};
use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

pub(crate) struct Session {
    pub(crate) head: Head,
    pub(crate) folder: Folder,
    pub(crate) environment: String,
    pub(crate) modes: Modes,
    pub(crate) now: i64,
    /// Text about this process, for others that wait.
    holder: String,
    /// The longest that a change waits for others.
    pub(crate) timeout: Duration,
    head_id: FileId,
    /// Open as long as its head is mapped.
    head_file: File,
    /// What was made again because the head had lost it.
    pub(super) restored: RefCell<Option<String>>,
    /// The error of reserving the head's room on the disk, so that a write to it may fail.
    pub(crate) unreserved: Option<io::Error>,
    /// The publishers' lock; none for a switch. The last field: released when all else is done.
    _lock: Option<Lock>,
}

impl Store {
    /// Waits for the publishers' lock and changes the store.
    pub(crate) fn session<T: Warned>(
        &self,
        change: &Change,
        action: &str,
        act: impl FnOnce(&Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let holder = holder(change, action);
        let (folder, lock) = self.locked(&holder)?;
        self.opened(folder, holder, Some(lock)).map_err(StoreError::before_change)?.run(act)
    }

    /// Changes the head or adds a record alone, which waits for no publish.
    pub(crate) fn head_session<T: Warned>(
        &self,
        change: &Change,
        action: &str,
        act: impl FnOnce(&Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.trial_session(change, action).map_err(StoreError::before_change)?.run(act)
    }

    /// Opens the store as [`head_session`](Self::head_session) does, to find out whether a change could be made.
    pub(crate) fn trial_session(&self, change: &Change, action: &str) -> Result<Session, StoreError> {
        self.opened(self.folder()?, holder(change, action), None)
    }

    fn opened(&self, folder: Folder, holder: String, lock: Option<Lock>) -> Result<Session, StoreError> {
        let file = head_file(&folder, Access::Write)?;
        let (found, expected) = (&file.identity.environment, &self.identity.environment);
        if found != expected {
            let problem = format!("it is for the environment {found:?} by now, expected {expected:?}");
            return Err(StoreError::Head { path: self.directory.join(HEAD), problem });
        }
        // A copy may have holes (cp --sparse, rsync -S, tar -S), or share its blocks (a reflink). If the disk is full already, go on with
        // the room there is.
        let reserved = reserve(&file.file, PAGE_SIZE as u64);
        let modes = folder.modes().map_err(|source| StoreError::io("look at", folder.path(), source))?;
        let head = map_head(folder.path(), &file, true)?;
        head.read_whole();
        if head.lost() {
            let problem = lost(&file.file).to_owned();
            return Err(StoreError::Head { path: self.directory.join(HEAD), problem });
        }
        Ok(Session {
            head,
            unreserved: reserved.err(),
            restored: RefCell::default(),
            environment: self.identity.environment.clone(),
            modes,
            folder,
            now: now(),
            holder,
            timeout: self.lock_timeout,
            head_id: file.id,
            head_file: file.file,
            _lock: lock,
        })
    }

    /// Takes the publishers' lock. The directory is the one that the path leads to now, judged once more.
    pub(crate) fn locked(&self, holder: &str) -> Result<(Folder, Lock), StoreError> {
        self.try_locked(holder).map_err(StoreError::before_change)
    }

    /// Like [`locked`](Self::locked), to find out whether a change could be made.
    pub(crate) fn try_locked(&self, holder: &str) -> Result<(Folder, Lock), StoreError> {
        loop {
            let before = self.folder()?;
            let lock = Lock::publishing(&before, self.lock_timeout, holder)?;
            let folder = self.folder()?;
            let same = before.id().and_then(|before| Ok(before == folder.id()?));
            if same.map_err(|source| StoreError::io("look at", &self.directory, source))? {
                return Ok((folder, lock));
            }
        }
    }
}

impl Session {
    /// Makes the change. Its result, or its error, also says what was made again on the way.
    fn run<T: Warned>(self, act: impl FnOnce(&Session) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let result = act(&self);
        let Some(restored) = self.restored.take() else { return result };
        match result {
            Ok(mut done) => {
                done.warn(restored);
                Ok(done)
            }
            Err(source) => Err(StoreError::Restored { source: Box::new(source), restored }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The current generation, and its pointer; the pointer before it if that is damaged.
    pub(crate) fn current(&self) -> (u64, Option<Pointer>) {
        self.head.current().settled(|generation| kept(&self.folder, generation))
    }

    /// Takes the lock of head and trail, waiting no longer than any change.
    pub(crate) fn lock_head(&self) -> Result<Lock, StoreError> {
        self.lock_head_within(self.timeout)
    }

    pub(crate) fn lock_head_within(&self, timeout: Duration) -> Result<Lock, StoreError> {
        Lock::head(&self.folder, timeout.min(self.timeout), &self.holder)
    }

    /// Takes the lock of head and trail if it is free.
    pub(crate) fn try_lock_head(&self) -> Option<Lock> {
        Lock::try_head(&self.folder, &self.holder)
    }

    /// True if that path leads to this session's head: a restore may put another head, or another store, in its place.
    pub(crate) fn is_at(&self, path: &Path) -> Result<bool, StoreError> {
        let failed = |source| StoreError::io("look at the head", &path.join(HEAD), source);
        match Folder::store(path).and_then(|folder| folder.entry_id(HEAD).map_err(failed)) {
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            found => Ok(found? == self.head_id),
        }
    }

    /// Adds a record to the trail, and locks head and trail for as long as that takes.
    pub(crate) fn append(&self, record: Record) -> Result<Audited, StoreError> {
        self.append_under(&self.lock_head()?, record)
    }

    /// Adds a record to the trail under the lock that the caller holds.
    pub(crate) fn append_under(&self, lock: &Lock, record: Record) -> Result<Audited, StoreError> {
        self.trail(lock)?.append(record)
    }

    /// Opens the trail for a record, under the lock that the caller holds. Switches that the trail has and the head lacks are made again
    /// before.
    pub(crate) fn trail(&self, _lock: &Lock) -> Result<Audit<'_>, StoreError> {
        let trail = Audit::open(&self.folder, &self.modes, &self.head);
        // What it holds counts, though nothing can be added to it.
        let readable = trail.is_err().then(|| Audit::read(&self.folder, &self.head).ok().flatten()).flatten();
        if let Some(known) = trail.as_ref().ok().or(readable.as_ref()).filter(|known| known.is_ahead()) {
            self.restore_switches()?;
            known.count();
        }
        trail
    }

    /// Opens the trail as for a record, under the lock that the caller holds.
    pub(crate) fn try_trail(&self, _lock: &Lock) -> Result<(), StoreError> {
        Audit::open(&self.folder, &self.modes, &self.head).map(drop)
    }

    /// A record of this change with actor, time, reason, action and generation; all else is empty.
    pub(crate) fn record(&self, change: &Change, action: Action, outcome: Outcome) -> Record {
        let generation = self.current().0;
        Record {
            reason: change.reason.clone(),
            from: generation,
            to: generation,
            ..Record::new(self.now, change.actor.clone(), &self.environment, action, outcome)
        }
    }

    /// Checks that writes to the head reached its file. Call after writing.
    pub(crate) fn kept(&self) -> Result<(), StoreError> {
        if !self.head.lost() {
            return Ok(());
        }
        let problem = format!(
            "{}, so the change is not in it; workers keep what they knew. Mend that, then try again",
            lost(&self.head_file)
        );
        Err(StoreError::Head { path: self.path().join(HEAD), problem })
    }

    /// Writes the head to the disk. A failure is only a warning, since every reader has seen the change already.
    pub(crate) fn flush(&self) -> Option<String> {
        let path = self.path().join(HEAD);
        let error = self.head.page().flush().err()?;
        let error = StoreError::io("write to the disk", &path, error);
        Some(format!("{error}; every reader sees the change, but it may not outlive a power failure"))
    }
}

/// Reserves the room on the disk for the first `size` bytes of a file, so that a store to a mapped page never finds the disk full.
pub(crate) fn reserve(file: &File, size: u64) -> io::Result<()> {
    match retry_on_intr(|| fallocate(file, FallocateFlags::empty(), 0, size)) {
        // Writing the bytes takes the room as well, on any file system that writes in place.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
        done => done?,
    }
    // Unshares blocks of a reflinked copy. Most file systems share none, and do not know this call.
    match retry_on_intr(|| fallocate(file, FallocateFlags::UNSHARE_RANGE, 0, size)) {
        Err(Errno::NOSPC) => Err(Errno::NOSPC.into()),
        _ => Ok(()),
    }
}

/// The reason why pages of a head's file could not be reached.
fn lost(file: &File) -> &'static str {
    match file.metadata() {
        Ok(found) if found.len() == PAGE_SIZE as u64 => {
            "its file system has no room for it: it has holes, as a sparse copy has (cp --sparse, rsync -S, tar -S), shares its blocks with a copy, or is \
             kept by a quota. Make room there"
        }
        _ => "it was cut short meanwhile: put a backup of it back",
    }
}

/// Text about the author of a change, for others that wait for it.
fn holder(change: &Change, action: &str) -> String {
    let actor = &change.actor;
    let (user, host, process) = (&actor.user, &actor.host, std::process::id());
    format!("{user} on {host} (process {process}, {action} since {})", format_rfc3339(now()))
}
