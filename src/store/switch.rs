//! Kill and revive of one flag, stop and resume of everything: in the head alone.
//!
//! They work with a full disk and without an audit trail, and say so. They hold across publishes, and wait for none. A kill and a stop wait
//! for nobody: where the lock of the head is taken, they go on without it. On a busy machine a pause of a millisecond lasts for twenty.

use super::Store;
use super::audit::{Action, Outcome};
use super::change::{Change, Switched};
use super::directory::Access;
use super::error::StoreError;
use super::head::{SLOT_COUNT, Stop};
use super::layout::HEAD;
use super::open::{BTRFS, head_file, magic};
use super::session::Session;
use crate::guard::Finding;
use crate::snapshot::is_flag_key;
use rustix::fs::{IFlags, ioctl_getflags};
use std::time::Duration;

/// How long a kill or a stop then waits to get its record into the trail.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a change is made again because another head took the place of the one that it was made in.
const REPLACED_ATTEMPTS: usize = 3;

impl Store {
    /// Turns one flag off for everybody, at once, until it is revived; whether or not the snapshot holds it.
    ///
    /// # Errors
    ///
    /// When the key could not be a flag's, 240 flags are killed already, or the head cannot be written.
    pub fn kill(&self, flag: &str, change: Change) -> Result<Switched, StoreError> {
        valid_key(flag)?;
        self.kill_found(flag, None, &change)
    }

    /// The same, because the guard found that.
    pub(super) fn kill_found(
        &self,
        flag: &str,
        finding: Option<&Finding>,
        change: &Change,
    ) -> Result<Switched, StoreError> {
        self.switch(Action::Kill, Some(flag), finding, change, |session, locked| {
            kill(session, flag, session.now, locked)
        })
    }

    /// Ends a kill.
    ///
    /// # Errors
    ///
    /// When the key could not be a flag's or the head cannot be written.
    pub fn revive(&self, flag: &str, change: Change) -> Result<Switched, StoreError> {
        valid_key(flag)?;
        self.switch(Action::Revive, Some(flag), None, &change, |session, _| {
            Ok(session.head.revive(flag.as_bytes()))
        })
    }

    /// Turns every flag off whose `emergency` is not `keep`.
    ///
    /// # Errors
    ///
    /// When the head cannot be written.
    pub fn stop_all(&self, change: Change) -> Result<Switched, StoreError> {
        self.switch(Action::StopAll, None, None, &change, |session, _| {
            let changed = session.head.stop_state() != Stop::Yes;
            if changed {
                session.head.stop(Some(session.now));
            }
            Ok(changed)
        })
    }

    /// Ends the stop, and what workers that start have off because kill slots are damaged. Flags killed one by one stay killed: what
    /// the audit trail says is killed, and damaged slots do not, is killed again.
    ///
    /// # Errors
    ///
    /// When the head cannot be written, or damaged slots leave no room for the kills; when the trail cannot be read where they are damaged.
    pub fn resume_all(&self, change: Change) -> Result<Switched, StoreError> {
        self.switch(Action::ResumeAll, None, None, &change, |session, locked| {
            if session.head.doubt_now().is_some() {
                for (flag, since) in self.killed_by_the_trail()? {
                    valid_key(&flag)?;
                    kill(session, &flag, since, locked)?;
                }
            }
            let changed = session.head.stopped().is_some();
            session.head.stop(None);
            Ok(session.head.settle_slots() || changed)
        })
    }

    /// Takes each lock that a change needs and lets go of it, and opens the trail: what would hinder a publish, if anything. Changes
    /// nothing but that a missing lock or trail is made.
    ///
    /// # Errors
    ///
    /// When a kill or a stop would not work.
    pub fn try_locks(&self) -> Result<Option<StoreError>, StoreError> {
        let session = self.head_session(&Change::by_me(None), "trying the locks")?;
        if let Some(source) = session.unreserved {
            return Err(StoreError::io(
                "take the room on the disk that a change of the head needs,",
                &self.directory.join(HEAD),
                source,
            ));
        }
        session.head.write_whole();
        session.kept()?;
        let timeout = RECORD_TIMEOUT.min(self.patience);
        let hindered = match session.lock_head_within(timeout) {
            Ok(lock) => session.try_trail(&lock).err(),
            Err(busy) => Some(busy),
        };
        let impatient = self.clone().with_patience(timeout);
        Ok(hindered.or_else(|| impatient.locked("trying the locks").err()))
    }

    /// Whether its file system is mounted so that nobody can change it here; false where that cannot be told.
    pub fn is_read_only(&self) -> bool {
        let found = rustix::fs::statvfs(&self.directory);
        found.is_ok_and(|found| found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
    }

    /// Whether each write of the head takes room on the disk anew, which a full one does not have: on Btrfs, unless it is `NOCOW` (chattr(1), `C`), as
    /// `init` makes it and a copy is not.
    pub fn head_is_copied_on_write(&self) -> bool {
        let Ok(head) = self.folder().and_then(|folder| head_file(&folder, Access::Read)) else {
            return false;
        };
        magic(&head.file) == Some(BTRFS)
            && ioctl_getflags(&head.file).is_ok_and(|flags| !flags.contains(IFlags::NOCOW))
    }

    fn switch(
        &self,
        action: Action,
        flag: Option<&str>,
        finding: Option<&Finding>,
        change: &Change,
        act: impl Fn(&Session, bool) -> Result<bool, StoreError>,
    ) -> Result<Switched, StoreError> {
        let mut replaced = 0;
        loop {
            let session = self.head_session(change, "switching")?;
            let switched = throw(&session, (action, flag, finding), change, &act)?;
            // A restore may have put another head in the place of the one that was changed.
            if session.has_the_head() || replaced == REPLACED_ATTEMPTS {
                return Ok(switched);
            }
            replaced += 1;
        }
    }
}

fn throw(
    session: &Session,
    (action, flag, finding): (Action, Option<&str>, Option<&Finding>),
    change: &Change,
    act: &impl Fn(&Session, bool) -> Result<bool, StoreError>,
) -> Result<Switched, StoreError> {
    let lock = match action {
        Action::Kill | Action::StopAll => session.try_lock_head(),
        _ => match session.lock_head() {
            Err(error) if error.is_busy() => return Err(error),
            // A lock that cannot be made, as on a full disk, keeps nobody else out either.
            lock => lock.ok(),
        },
    };
    let current = session.current().0;
    if let Some(base) = change.base.filter(|base| *base != current) {
        return Err(StoreError::Stale { base, current });
    }
    let changed = act(session, lock.is_some())?;
    // Also where it was so before: whoever did it may have died before the readers were told.
    session.head.touch();
    session.kept()?;
    let mut warnings: Vec<String> = session.flush().into_iter().collect();
    if changed {
        let lock = lock.map_or_else(|| session.lock_head_within(RECORD_TIMEOUT), Ok);
        let recorded = lock.and_then(|lock| {
            let mut record = session.record(change, action, Outcome::Done);
            record.flag = flag.map(str::to_owned);
            record.guard = finding.cloned();
            session.append_under(&lock, record)
        });
        if let Err(error) = recorded {
            let error = error.to_string().replace("; nothing was changed", "");
            warnings.push(format!("it is done, but not in the audit trail: {error}"));
        }
    }
    let audit_warning = (!warnings.is_empty()).then(|| warnings.join("; "));
    Ok(Switched { changed, generation: current, audit_warning })
}

/// Kills a flag; false if it was killed already.
fn kill(session: &Session, flag: &str, since: i64, locked: bool) -> Result<bool, StoreError> {
    if session.head.killed().iter().any(|killed| killed.key == flag.as_bytes()) {
        return Ok(false);
    }
    if session.head.kill(flag.as_bytes(), since, locked) {
        return Ok(true);
    }
    Err(StoreError::Refused(format!(
        "cannot kill {flag}: {SLOT_COUNT} flags are killed already, and the head has room for no more. \
         Revive those that are off by now in the definitions, or stop everything with `flagstone stop-all`"
    )))
}

fn valid_key(key: &str) -> Result<(), StoreError> {
    if is_flag_key(key.as_bytes()) {
        return Ok(());
    }
    Err(StoreError::Refused(format!(
        "{key:?} cannot be a flag's key; expected 1 to 191 letters, digits and _ . : \\ -, the first a letter or digit"
    )))
}
