//! Kill and revive of one flag, stop and resume of everything: in the head alone.
//!
//! They work with a full disk and without an audit trail, and say so. They hold across publishes, and wait for none. A kill and a stop
//! never wait: if the lock of the head is taken, they go on without it. On a busy machine a pause of a millisecond lasts for twenty.

use super::Store;
use super::change_options::{Change, SwitchOutcome, Warned};
use super::lock::Lock;
use super::transaction::Session;
use crate::audit::{Action, Outcome};
use crate::error::StoreError;
use crate::files::{Access, BCACHEFS, BTRFS, ZFS, magic};
use crate::guard::Finding;
use crate::snapshot::{Snapshot, is_flag_key};
use crate::store::head::{Head, SLOT_COUNT, Stop};
use crate::store::layout::HEAD;
use crate::store::open::head_file;
use crate::text::{printable, shell};
use crate::time::now;
use rustix::fs::{IFlags, ioctl_getflags};
use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

/// Longest wait of a kill or a stop, afterwards, to write its record into the trail.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);
/// Earlier generations whose keys of a flag are killed along with it: a kill reads each of them.
const EARLIER_GENERATIONS: usize = 10;
/// Time in which every reader that is asked sees that another head took the place of its own: the second of their look, and some.
const FOLLOW_TIME: Duration = Duration::from_millis(1_100);
/// Attempts to make a change again because another head took the place of the changed one.
const REPLACED_ATTEMPTS: usize = 3;

impl Store {
    /// Turns one flag off for everybody, at once, until it is revived; whether or not the snapshot holds it.
    ///
    /// # Errors
    ///
    /// When the key is no valid key of a flag, 240 flags are killed already, or the head cannot be written.
    pub fn kill(&self, flag: &str, change: Change) -> Result<SwitchOutcome, StoreError> {
        valid_key(flag)?;
        self.kill_found(flag, None, &change)
    }

    /// Like [`kill`](Self::kill), because of a finding of the guard.
    pub(crate) fn kill_found(
        &self,
        flag: &str,
        finding: Option<&Finding>,
        change: &Change,
    ) -> Result<SwitchOutcome, StoreError> {
        self.make_switch(Action::Kill, change, |store, session| {
            let act = |flag: &str| {
                make_switch_in(session, (Action::Kill, Some(flag), finding), change, |locked| {
                    kill(session, flag, session.now, locked)
                })
            };
            let mut switched = act(flag)?;
            // Read after the kill: a publish that renames the flag meanwhile finds it killed.
            for other in store.other_keys(flag) {
                switched.add_or_warn(&other, act(&other));
            }
            Ok(switched)
        })
    }

    /// The other keys under which a flag answers, and those of earlier generations, from which long requests may still be answered; none if
    /// the snapshot cannot be read. Keys that are another flag's by now are left out.
    fn other_keys(&self, flag: &str) -> Vec<String> {
        let current = self.generation().and_then(|generation| Ok((generation, self.snapshot(generation)?)));
        let Ok((generation, current)) = current else { return Vec::new() };
        let mut keys: Vec<String> = current.keys_of(flag).into_iter().map(str::to_owned).collect();
        let kept = self.kept().unwrap_or_default();
        let earlier = kept.into_iter().rev().filter(|(number, _)| *number < generation);
        for named in earlier.take(EARLIER_GENERATIONS) {
            let Ok(earlier) = self.open_retained(named) else { continue };
            let known = keys.clone();
            for key in known.iter().flat_map(|key| earlier.keys_of(key)) {
                if current.find(key.as_bytes()).is_none() && !keys.iter().any(|known| known == key) {
                    keys.push(key.to_owned());
                }
            }
        }
        keys.split_off(1)
    }

    /// Ends a kill.
    ///
    /// # Errors
    ///
    /// When the key is no valid key of a flag, or the head cannot be written.
    pub fn revive(&self, flag: &str, change: Change) -> Result<SwitchOutcome, StoreError> {
        valid_key(flag)?;
        self.make_switch(Action::Revive, &change, |store, session| {
            let act = |flag: &str| {
                make_switch_in(session, (Action::Revive, Some(flag), None), &change, |_| {
                    Ok(session.head.revive(flag.as_bytes()))
                })
            };
            let mut switched = act(flag)?;
            for other in store.other_keys(flag) {
                switched.add_or_warn(&other, act(&other));
            }
            if let Ok(Some(damaged)) = store.kills_unknown() {
                switched.warn(format!("{}: {damaged}", printable(&store.directory.join(HEAD))));
            }
            Ok(switched)
        })
    }

    /// Turns off every flag whose `emergency` is not `keep`.
    ///
    /// # Errors
    ///
    /// When the head cannot be written.
    pub fn stop_all(&self, change: Change) -> Result<SwitchOutcome, StoreError> {
        self.make_switch(Action::StopAll, &change, |_, session| {
            make_switch_in(session, (Action::StopAll, None, None), &change, |_| {
                let changed = session.head.stop_state() != Stop::Yes;
                if changed {
                    session.head.stop(session.now);
                }
                Ok(changed)
            })
        })
    }

    /// Ends the stop, and the state in which damaged kill slots keep every flag off in new workers. Flags killed one by one stay killed.
    /// Where slots are damaged it refuses, since the audit trail may lack a kill that they held; with `force`, the kills that the trail
    /// holds are made again.
    ///
    /// # Errors
    ///
    /// When the head cannot be written, slots are damaged, or leave no room for the kills.
    pub fn resume_all(&self, change: Change, force: bool) -> Result<SwitchOutcome, StoreError> {
        let path = printable(&self.directory.join(HEAD));
        for _ in 0..=REPLACED_ATTEMPTS {
            let store = self.followed()?;
            // Without the lock, which changes of the head wait for.
            let head = store.read_head()?;
            let damaged = store.damaged_slots(&head);
            if let Some(damaged) = damaged.as_ref().filter(|_| !force) {
                return Err(StoreError::Refused(format!("nothing was changed: {path}: {}", damaged.text())));
            }
            let killed = damaged.iter().flat_map(|damaged| &damaged.killed);
            let killed: Vec<(String, i64)> = killed
                .flat_map(|(flag, since)| {
                    let keys = std::iter::once(flag.clone()).chain(store.other_keys(flag));
                    keys.map(|key| (key, *since))
                })
                .collect();
            let has_moved = Cell::new(false);
            let switched = store.make_switch(Action::ResumeAll, &change, |_, session| {
                make_switch_in(session, (Action::ResumeAll, None, None), &change, |locked| {
                    let state = |head: &Head| (head.audited(), head.slots());
                    let is_damaged = session.head.damaged(session.head.slots().iter()) > 0;
                    has_moved.set((is_damaged || damaged.is_some()) && state(&session.head) != state(&head));
                    if has_moved.get() {
                        return Ok(false);
                    }
                    for (flag, since) in &killed {
                        valid_key(flag)?;
                        kill(session, flag, *since, locked)?;
                    }
                    let changed = session.head.stopped().is_some();
                    session.head.resume(session.now);
                    Ok(session.head.settle_slots() || changed)
                })
            });
            if has_moved.get() {
                continue;
            }
            let mut switched = switched?;
            if let Some(fault) = damaged.and_then(|damaged| damaged.fault) {
                switched.warn(format!(
                    "kill slots were damaged, and the audit trail cannot be relied on ({fault}): a flag whose kill neither of them has is on again. \
                     Compare with what you know, and kill it again: flagstone kill FLAG"
                ));
            }
            return Ok(switched);
        }
        Err(StoreError::Refused(format!(
            "nothing was changed: kill slots of {path} are damaged, and others change it at the same time. Type it again"
        )))
    }

    /// Takes and releases each lock that a change needs, and opens the trail. Returns what would hinder a publish, if anything. Changes
    /// nothing, except that a missing lock or trail is made.
    ///
    /// # Errors
    ///
    /// When a kill or a stop would not work.
    pub fn try_locks(&self) -> Result<Option<StoreError>, StoreError> {
        let session = self.trial_session(&Change::by_me(None), "trying the locks")?;
        if let Some(source) = session.unreserved {
            return Err(StoreError::io(
                "take the room on the disk that a change of the head needs,",
                &self.directory.join(HEAD),
                source,
            ));
        }
        session.head.write_whole();
        session.kept()?;
        let timeout = RECORD_TIMEOUT.min(self.lock_timeout);
        let hindered = match session.lock_head_within(timeout) {
            Ok(lock) => session.try_trail(&lock).err(),
            Err(busy) => Some(busy),
        };
        let impatient = self.clone().with_lock_timeout(timeout);
        Ok(hindered.or_else(|| impatient.try_locked("trying the locks").err()))
    }

    /// True if its file system is mounted read-only here; false if that cannot be determined.
    pub fn is_read_only(&self) -> bool {
        let found = rustix::fs::statvfs(&self.directory);
        found.is_ok_and(|found| found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
    }

    /// True if its file system has no room for what a publish writes; false if that cannot be determined.
    pub fn is_full(&self) -> bool {
        let found = rustix::fs::statvfs(&self.directory);
        found.is_ok_and(|found| found.f_bavail == 0 && found.f_blocks > 0)
    }

    /// The reason why a kill and a stop would fail, as far as can be seen without trying them; none if nothing is in the way. Call as a
    /// user who may change the store.
    pub fn frozen(&self) -> Option<String> {
        if self.is_read_only() {
            return Some("the file system is read-only".to_owned());
        }
        let denied = self.can_change().err()?;
        let head = self.folder().and_then(|folder| head_file(&folder, Access::Read)).ok();
        let flags = head.and_then(|head| ioctl_getflags(&head.file).ok()).unwrap_or_else(IFlags::empty);
        let found = [(IFlags::IMMUTABLE, "immutable", 'i'), (IFlags::APPEND, "append-only", 'a')];
        let path = self.directory.join(HEAD);
        match found.into_iter().find(|(flag, _, _)| flags.contains(*flag)) {
            Some((_, kind, letter)) => {
                Some(format!("the head is {kind}; type: chattr -{letter} {}", shell(&path)))
            }
            None => Some(denied.to_string()),
        }
    }

    /// The file system, if each write to the head needs new room, which a full disk lacks: Btrfs and bcachefs, unless the head is `NOCOW`
    /// (chattr(1), `C`), as `init` makes it and a copy is not; ZFS always.
    pub fn head_is_copied_on_write(&self) -> Option<&'static str> {
        let head = self.folder().and_then(|folder| head_file(&folder, Access::Read)).ok()?;
        copies_on_write(magic(&head.file)?, ioctl_getflags(&head.file).ok())
    }

    /// Makes a switch in the head that the path leads to when it ends.
    fn make_switch(
        &self,
        action: Action,
        change: &Change,
        act: impl Fn(&Store, &Session) -> Result<SwitchOutcome, StoreError>,
    ) -> Result<SwitchOutcome, StoreError> {
        let mut retries = 0;
        let problem = loop {
            let acted = self.followed().and_then(|store| {
                store.head_session(change, "switching", |session| {
                    let switched = act(&store, session)?;
                    if matches!(action, Action::Kill | Action::StopAll) {
                        wait_for_readers(session);
                    }
                    Ok((switched, session.is_at(&self.given)))
                })
            });
            match acted {
                Ok((switched, Ok(true))) => return Ok(switched),
                Ok((_, Ok(false))) if retries < REPLACED_ATTEMPTS => retries += 1,
                Ok((_, Ok(false))) => {
                    break "that path led to another one each time that this was tried".to_owned();
                }
                Ok((_, Err(error))) => break format!("cannot determine whether it still does: {error}"),
                Err(error) if retries == 0 => return Err(error),
                Err(error) => {
                    let error = error.to_string().replace("; nothing was changed", "");
                    break format!("that path leads elsewhere by now, and there it failed: {error}");
                }
            }
        };
        Err(StoreError::Elsewhere { path: self.given.clone(), problem })
    }
}

/// Waits until no reader has a head that another one replaced a moment ago.
fn wait_for_readers(session: &Session) {
    let (Ok(changed), Ok(identity)) = (session.folder.changed_at(), session.head.identity()) else { return };
    if let Some(rest) = rest_of_wait(now(), changed, identity.created) {
        std::thread::sleep(rest.min(session.timeout));
    }
}

/// The rest of the time in which readers follow another head, by the times when the store's directory was changed and the store was made;
/// none if it is over. A new store replaces none.
fn rest_of_wait(now: i64, changed: i64, created: i64) -> Option<Duration> {
    // None: the clock was set back since, which tells nothing of how long ago it was.
    let since = |at: i64| u64::try_from(now.saturating_sub(at)).ok().map(Duration::from_micros);
    let is_new = since(created).is_some_and(|since| since < FOLLOW_TIME);
    let rest = FOLLOW_TIME.checked_sub(since(changed).unwrap_or_default());
    rest.filter(|rest| !is_new && !rest.is_zero())
}

impl SwitchOutcome {
    /// Adds the result of the same switch under another key of the flag.
    fn add(&mut self, other: SwitchOutcome) {
        self.changed |= other.changed;
        if let Some(warning) = other.audit_warning {
            self.warn(warning);
        }
    }

    /// Adds the result of the same switch under another key: if that failed, the flag is still switched under its own.
    fn add_or_warn(&mut self, key: &str, other: Result<SwitchOutcome, StoreError>) {
        match other {
            Ok(other) => self.add(other),
            Err(error) => self.warn(format!("not under its other key {key}: {error}")),
        }
    }
}

/// Pairs of a flag's current and former key in a snapshot.
pub(crate) fn former_keys(snapshot: &Snapshot) -> Vec<[String; 2]> {
    let pair = |id| Some([snapshot.renamed_to(id)?, id].map(|id| snapshot.flag_key(id).to_owned()));
    snapshot.flag_ids().filter_map(pair).collect()
}

/// Kills each flag under all its keys if it is killed under one of them. Returns a warning if the trail could not be written.
pub(crate) fn join_kills(
    session: &Session,
    keys: &[[String; 2]],
    lock: &Lock,
    change: &Change,
) -> Result<Option<String>, StoreError> {
    let mut warning = None;
    for pair in keys {
        let since = |key: &String| {
            session
                .head
                .killed()
                .into_iter()
                .find(|killed| killed.key == key.as_bytes())
                .map(|kill| kill.since)
        };
        let (killed, flag, since) = match (since(&pair[0]), since(&pair[1])) {
            (Some(since), None) => (&pair[0], &pair[1], since),
            (None, Some(since)) => (&pair[1], &pair[0], since),
            _ => continue,
        };
        kill(session, flag, since, true)?;
        let mut record = session.record(change, Action::Kill, Outcome::Done);
        record.flag = Some(flag.clone());
        record.reason = Some(format!("{killed} is killed, which is the same flag"));
        if let Err(error) = session.append_under(lock, record) {
            warning = Some(format!("{flag} is killed, but not in the audit trail: {error}"));
        }
    }
    Ok(warning)
}

/// Makes a switch in an open head, and its record.
fn make_switch_in(
    session: &Session,
    (action, flag, finding): (Action, Option<&str>, Option<&Finding>),
    change: &Change,
    act: impl Fn(bool) -> Result<bool, StoreError>,
) -> Result<SwitchOutcome, StoreError> {
    let lock = match action {
        Action::Kill | Action::StopAll => session.try_lock_head(),
        _ => match session.lock_head() {
            Err(error) if error.is_busy() => return Err(error),
            // A lock that cannot be made, as on a full disk, keeps no other process out either.
            lock => lock.ok(),
        },
    };
    let current = session.current().0;
    if let Some(base) = change.base.filter(|base| *base != current) {
        return Err(StoreError::Stale { base, current });
    }
    // A kill and a stop do not wait for the trail. Others end what the head may have lost: it comes first. What fails here fails again when
    // the record is written, and is told then.
    if let Some(lock) = lock.as_ref().filter(|_| !matches!(action, Action::Kill | Action::StopAll)) {
        let _ = session.trail(lock);
    }
    // Writes all of its pages or none, so that an error means that nothing was changed.
    session.head.write_whole();
    session.kept()?;
    let changed = act(lock.is_some())?;
    // Also if it was so before: the process that did it may have died before the readers were told.
    session.head.touch();
    session.kept()?;
    let mut warnings: Vec<String> = session.flush().into_iter().collect();
    // A kill or a stop that is typed again: the first may have found no room in the trail.
    if changed || matches!(action, Action::Kill | Action::StopAll) {
        let lock = lock.map_or_else(|| session.lock_head_within(RECORD_TIMEOUT), Ok);
        let recorded = lock.and_then(|lock| {
            let mut record = session.record(change, action, Outcome::Done);
            record.flag = flag.map(str::to_owned);
            record.unchanged = !changed;
            record.guard = finding.cloned();
            session.append_under(&lock, record)
        });
        if let Err(error) = recorded {
            let error = error.to_string().replace("; nothing was changed", "");
            warnings.push(format!("it is done, but not in the audit trail: {error}"));
        }
    }
    let audit_warning = (!warnings.is_empty()).then(|| warnings.join("; "));
    Ok(SwitchOutcome { changed, generation: current, audit_warning })
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
         To turn it off now: `flagstone disable {}`, or everything: `flagstone stop-all`. To free places: revive those that are off by now in \
         the definitions",
        shell(Path::new(flag))
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

/// Name of the file system, if it writes elsewhere at each write of a file with these flags (FS_IOC_GETFLAGS); `flags` is none if
/// unknown.
fn copies_on_write(magic: u64, flags: Option<IFlags>) -> Option<&'static str> {
    let is_nocow = flags.map(|flags| flags.contains(IFlags::NOCOW));
    match magic {
        BTRFS if is_nocow == Some(false) => Some("Btrfs"),
        BCACHEFS if is_nocow != Some(true) => Some("bcachefs"),
        ZFS => Some("ZFS"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_ends_no_wait() {
        // A head that seemed to be replaced in the future was not waited for, nor any in a store that seemed to be made then.
        let (hour, second) = (3_600_000_000, 1_000_000);
        let now = 10 * hour;
        assert_eq!(rest_of_wait(now, now + hour, hour), Some(FOLLOW_TIME));
        assert_eq!(rest_of_wait(now, now + hour, now + hour), Some(FOLLOW_TIME));
        assert_eq!(rest_of_wait(now, now - second, hour), Some(FOLLOW_TIME - Duration::from_secs(1)));
        assert_eq!(rest_of_wait(now, now - 2 * second, hour), None);
        assert_eq!(rest_of_wait(now, now, now - second), None, "a new store");
    }

    #[test]
    fn file_systems_that_write_elsewhere_are_known() {
        let (nocow, plain) = (Some(IFlags::NOCOW), Some(IFlags::empty()));
        assert_eq!(
            [plain, nocow, None].map(|flags| copies_on_write(BTRFS, flags)),
            [Some("Btrfs"), None, None]
        );
        let bcachefs = Some("bcachefs");
        assert_eq!(
            [plain, nocow, None].map(|flags| copies_on_write(BCACHEFS, flags)),
            [bcachefs, None, bcachefs]
        );
        assert_eq!([plain, nocow, None].map(|flags| copies_on_write(ZFS, flags)), [Some("ZFS"); 3]);
        assert_eq!(copies_on_write(0xEF53, plain), None);
    }
}
