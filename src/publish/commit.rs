//! Publish and rollback: a new generation, or nothing.
//!
//! publishers' lock → base → audit the intention → temporary file → fsync → open and verify it as a reader does → rename → fsync the
//! directory → lock of the head → head → audit the outcome → remove old generations. Until the head moves, an error or a death changes
//! nothing that readers see; the next publish removes what is left behind.

use super::Store;
use super::change_options::{Change, FileOptions, Published, Release};
use super::config::config_of;
use super::retention::{self, Candidate};
use super::switch::{former_keys, join_kills};
use super::transaction::Session;
use crate::audit::{Action, Difference, MAX_SHOWN_COMPANIES, Outcome, Record, diff_canonical, moved_bases};
use crate::definition::Definitions;
use crate::error::StoreError;
use crate::files::{Access, Folder, TEMPORARY};
use crate::guard::{Finding, NoticeKind};
use crate::merge::{Merged, Options, merge};
use crate::snapshot::mark::place;
use crate::snapshot::{Audited, ContentId, MapMode, Snapshot};
use crate::store::head::{Current, Head, Pointer};
use crate::store::layout::{HEAD, SNAPSHOT_LIMIT, SNAPSHOTS, retained, snapshot_name};
use crate::store::open::{MapPolicy, open_snapshot};
use crate::text::printable;
use crate::time::{SECOND, now};
use crate::transfer::Origin;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use zerocopy::IntoBytes;

/// A file that is removed on drop, unless it was renamed to its final name.
struct Temporary<'a> {
    folder: &'a Folder,
    name: &'a str,
    named: bool,
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.named {
            let _ = self.folder.remove(self.name);
        }
    }
}

impl Store {
    /// Compiles checked definitions and makes them the current generation, replacing everything that runs. Content that is already
    /// current makes no generation, and the result says so.
    ///
    /// # Errors
    ///
    /// When the definitions cannot be compiled, the base is stale, or anything cannot be written. Nothing was changed then.
    pub fn publish(&self, definitions: &Definitions, change: Change) -> Result<Published, StoreError> {
        let bytes = crate::compile(definitions, &self.identity.environment)?;
        let made = Cause::of(Action::Publish);
        self.session(&change, "publishing", |session| write_generation(session, &bytes, &made, &change))
    }

    /// Merges the checked definitions of a file into the current ones ([`merge`](crate::merge::merge)), and publishes the result.
    ///
    /// # Errors
    ///
    /// When the two conflict, or the current definitions cannot be read and `options` does not reset everything; and the errors of
    /// [`publish`](Self::publish).
    pub fn publish_file(
        &self,
        file: &Definitions,
        options: &FileOptions,
        change: Change,
    ) -> Result<(Published, Merged), StoreError> {
        self.session(&change, "publishing", |session| self.publish_merged(session, file, options, &change))
    }

    fn publish_merged(
        &self,
        session: &Session,
        file: &Definitions,
        options: &FileOptions,
        change: &Change,
    ) -> Result<(Published, Merged), StoreError> {
        let current = session.current().0;
        let named = change.base;
        let stale = || named.filter(|base| *base != current).map(|base| StoreError::Stale { base, current });
        let last = match &options.release {
            Some(Release::Commit { last, .. }) => {
                let published = self.last_commit()?;
                if published != *last {
                    return Err(StoreError::Refused(
                        "another release was published meanwhile; nothing was changed. Publish again"
                            .to_owned(),
                    ));
                }
                published
            }
            _ => None,
        };
        let merged = self.merged(file, options, &session.head, session.now);
        let merged = merged.and_then(|merged| match options.keep || merged.conflicts.is_empty() {
            true => Ok(merged),
            false => Err(StoreError::Conflict { conflicts: merged.conflicts }),
        });
        let merged = match (merged, stale()) {
            // A stale base is the more informative error.
            (Err(_), Some(stale)) => return Err(stale),
            (merged, _) => merged?,
        };
        let change = Change { base: Some(current), ..change.clone() };
        let settled = self.settled(&merged.definitions, Action::Publish, &change);
        let bytes = match settled {
            Ok(definitions) => crate::compile(&definitions, &self.identity.environment)?,
            // The current definitions cannot be read; the file decides everything.
            Err(_) => crate::compile(&merged.definitions, &self.identity.environment)?,
        };
        if let Some(stale) = stale()
            && (named > Some(current) || !is_current(session, &bytes))
        {
            return Err(stale);
        }
        let (mut number, mut commit) = (None, None);
        match &options.release {
            None => {}
            Some(Release::Number(release)) => number = Some(*release),
            Some(Release::Commit { id, descends, .. }) => {
                commit = (*descends || options.newest).then_some(id.as_str());
            }
        }
        let file = options.file.as_deref();
        // From now on, commits name the releases.
        let by_commits = commit.is_some() && session.head.release() > 0;
        let made = Cause { release: number, commit, file, ..Cause::of(Action::Publish) };
        let mut published = write_generation(session, &bytes, &made, &change)?;
        if let Some(release) = number
            && (options.newest || release > session.head.release())
        {
            session.head.set_release(release);
            if let Some(problem) = session.flush() {
                published.audit_warning.get_or_insert(problem);
            }
        }
        if by_commits {
            session.head.set_release(0);
            if let Some(problem) = session.flush() {
                published.audit_warning.get_or_insert(problem);
            }
        }
        for conflict in &merged.opened {
            let mut record = session.record(&change, Action::Note, Outcome::Done);
            record.flag = Some(conflict.flag.clone()).filter(|flag| flag != "segments");
            record.notice = Some(NoticeKind::Conflict);
            record.reason = Some(conflict.to_string());
            if let Err(error) = session.append(record) {
                published.audit_warning.get_or_insert(error.to_string());
            }
        }
        // A release that changes no flag is still recorded as the newest.
        if published.unchanged
            && let Some(id) = commit
            && last.as_deref() != Some(id)
        {
            let mut record = session.record(&change, Action::Note, Outcome::Done);
            record.reason = Some(format!("release {id}"));
            record.commit = Some(id.to_owned());
            if let Err(error) = session.append(record) {
                published.audit_warning.get_or_insert(error.to_string());
            }
        }
        Ok((published, merged))
    }

    /// Commit of the newest published release, if releases are named by commits.
    ///
    /// # Errors
    ///
    /// When the audit trail cannot be read.
    pub fn last_commit(&self) -> Result<Option<String>, StoreError> {
        let mut last = None;
        self.records(|record| {
            if record.outcome == Outcome::Done && record.commit.is_some() {
                last.clone_from(&record.commit);
            }
        })?;
        Ok(last)
    }

    /// Number of the newest published release, if releases are named by numbers.
    ///
    /// # Errors
    ///
    /// When the head cannot be read.
    pub fn last_number(&self) -> Result<Option<u64>, StoreError> {
        Ok(Some(self.read_head()?.release()).filter(|number| *number > 0))
    }

    /// Refuses a commit after a number, and a number after a commit: cannot tell which is newer.
    fn comparable(&self, release: &Release, newest: u64) -> Result<(), StoreError> {
        let (this, last, so) = match release {
            Release::Commit { id, .. } if newest > 0 => {
                let so = "Name this one by a number above that, or add --mark-newest to name releases by commits from now on".to_owned();
                (format!("the commit {id}"), format!("a number, {newest}"), so)
            }
            Release::Number(number) if newest == 0 => match self.last_commit()? {
                None => return Ok(()),
                Some(commit) => {
                    let so = "Name this one by a commit that git knows, --release \"$(git rev-parse HEAD)\", or add --mark-newest to name releases by \
                              numbers from now on".to_owned();
                    (format!("the number {number}"), format!("a commit, {commit}"), so)
                }
            },
            _ => return Ok(()),
        };
        Err(StoreError::Refused(format!(
            "cannot determine whether {this} is newer than the last release, which was published by {last}; nothing was changed. {so}"
        )))
    }

    /// Computes the result of [`publish_file`](Self::publish_file) without publishing it.
    ///
    /// # Errors
    ///
    /// The errors of [`publish_file`](Self::publish_file), except those of writing.
    pub fn merge(&self, file: &Definitions, options: &FileOptions) -> Result<Merged, StoreError> {
        self.merged(file, options, &self.read_head()?, now())
    }

    fn merged(
        &self,
        file: &Definitions,
        options: &FileOptions,
        head: &Head,
        now: i64,
    ) -> Result<Merged, StoreError> {
        let newest = head.release();
        if let Some(release) = options.release.as_ref().filter(|_| !options.newest) {
            self.comparable(release, newest)?;
        }
        let older = match &options.release {
            _ if options.newest => None,
            Some(Release::Number(release)) if *release < newest => Some(newest.to_string()),
            Some(Release::Commit { last, descends: false, .. }) => Some(last.clone().unwrap_or_default()),
            _ => None,
        };
        let all = options.reset.iter().any(|what| what == "all" || what == "*");
        let running = match self.generation()? {
            0 => None,
            generation => match self.definitions(generation) {
                Ok(running) => Some(running),
                Err(_) if all => None,
                Err(error) => {
                    return Err(StoreError::Refused(format!(
                        "generation {generation} cannot be read, so that it is not known which switches were turned: {error}; \
                         nothing was changed. Go back with `flagstone rollback`, or take all from the file with --reset all"
                    )));
                }
            },
        };
        let options = Options {
            reset: options.reset.clone(),
            settle: options.settle.clone(),
            prune: options.prune,
            lossy: options.lossy,
            older,
            overlaid: options.overlaid.clone(),
            now,
        };
        let merged = |options: &Options| {
            merge(running.as_ref(), file, options).map_err(|source| StoreError::Merge { source })
        };
        let first = merged(&options)?;
        if !options.lossy {
            not_revived_by_name(&first, head)?;
        }
        match self.pulled_since(file, &first.conflicts) {
            none if none.is_empty() => Ok(first),
            // A field that `pull` wrote is no edit: the current value stays.
            records => merged(&Options { settle: [options.settle, records].concat(), ..options }),
        }
    }

    /// Publishes definitions in which a command changed one flag.
    ///
    /// # Errors
    ///
    /// When the action does not edit a flag; and the errors of [`publish`](Self::publish).
    pub fn publish_edit(
        &self,
        definitions: &Definitions,
        (action, flag): (Action, &str),
        change: Change,
    ) -> Result<Published, StoreError> {
        if !action.is_edit() {
            return Err(StoreError::Refused(format!(
                "{} does not change the definitions of a flag",
                action.name()
            )));
        }
        let definitions = self.settled(definitions, action, &change)?;
        let bytes = crate::compile(&definitions, &self.identity.environment)?;
        let made = Cause { flag: Some(flag), ..Cause::of(action) };
        self.session(&change, "changing a flag", |session| write_generation(session, &bytes, &made, &change))
    }

    /// Like [`publish_edit`](Self::publish_edit), for a flag that was changed from `before` to `after` on the generation `change.base`.
    /// If a newer generation left this flag as it was, the flag is changed there.
    ///
    /// # Errors
    ///
    /// When the flag itself was changed since; and the errors of [`publish_edit`](Self::publish_edit).
    pub fn publish_flag(
        &self,
        (before, after): (&Definitions, &Definitions),
        (action, flag): (Action, &str),
        change: Change,
    ) -> Result<Published, StoreError> {
        let first = self.publish_edit(after, (action, flag), change.clone());
        let Err(StoreError::Stale { base, .. }) = first else { return first };
        let made = Cause { flag: Some(flag), ..Cause::of(action) };
        self.put_flag((before, after), &made, base, &change)
    }

    /// Applies the change of one flag, decided on the generation `base`, to the current generation, under the publishers' lock.
    pub(crate) fn put_flag(
        &self,
        (before, after): (&Definitions, &Definitions),
        made: &Cause,
        base: u64,
        change: &Change,
    ) -> Result<Published, StoreError> {
        self.session(change, "changing a flag", |session| {
            self.put_flag_in(session, (before, after), made, base, change)
        })
    }

    fn put_flag_in(
        &self,
        session: &Session,
        (before, after): (&Definitions, &Definitions),
        made: &Cause,
        base: u64,
        change: &Change,
    ) -> Result<Published, StoreError> {
        let (current, _) = session.current();
        let flag = made.flag.unwrap_or_default();
        let mut running = self.definitions(current)?;
        if running.flags.get(flag) != before.flags.get(flag) {
            return Err(StoreError::Stale { base, current });
        }
        match after.flags.get(flag) {
            Some(changed) => _ = running.flags.insert(flag.to_owned(), changed.clone()),
            None => _ = running.flags.remove(flag),
        }
        let today = crate::time::format_day(session.now);
        running.check(&format!("generation {current}"), &today).map_err(|report| {
            StoreError::Refused(format!(
                "{report}; generation {current} was published meanwhile; nothing was changed"
            ))
        })?;
        let change = Change { base: Some(current), ..change.clone() };
        let definitions = match made.action.is_edit() {
            true => self.settled(&running, made.action, &change)?.into_owned(),
            false => running,
        };
        write_generation(session, &crate::compile(&definitions, &self.identity.environment)?, made, &change)
    }

    /// Generation whose content runs as `generation`, followed back through rollbacks; `generation` itself if the trail tells of none.
    ///
    /// # Errors
    ///
    /// When the trail cannot be read.
    pub fn rolled_back_to(&self, generation: u64) -> Result<u64, StoreError> {
        let mut backs = std::collections::BTreeMap::new();
        self.records(|record| {
            if let (Outcome::Done | Outcome::Intended, Some(to)) = (record.outcome, record.rolled_back_to) {
                backs.insert(record.to, to);
            }
        })?;
        let mut found = generation;
        // A rollback only goes to a lower generation.
        while let Some(to) = backs.get(&found).filter(|to| **to < found) {
            found = *to;
        }
        Ok(found)
    }

    /// Publishes definitions that a step of a plan made.
    pub(crate) fn publish_made(
        &self,
        definitions: &Definitions,
        made: &Cause,
        change: Change,
    ) -> Result<Published, StoreError> {
        let bytes = crate::compile(definitions, &self.identity.environment)?;
        self.session(&change, "moving a plan", |session| write_generation(session, &bytes, made, &change))
    }

    /// Makes the content of an older generation current again, as a new generation: of `to`, or of the last one whose content is not the
    /// current. After a rollback, that is one before the generation that it went back to.
    ///
    /// # Errors
    ///
    /// When that generation is no longer kept or is damaged; and the errors of [`publish`](Self::publish).
    pub fn rollback(&self, to: Option<u64>, change: Change) -> Result<Published, StoreError> {
        self.session(&change, "rolling back", |session| {
            if to.is_none() {
                session.expect_newest(false)?;
            }
            let target = self.rollback_target(session, to)?;
            let bytes = read_snapshot(session, target)?;
            let bytes = self.plans_held(bytes, target.0, &change)?;
            let bytes = self.with_base(bytes, session.current().0, session.now)?;
            let made = Cause { rolled_back_to: Some(target.0), ..Cause::of(Action::Rollback) };
            write_generation(session, &bytes, &made, &change)
        })
    }

    /// Replaces the file's last values in an older generation by the latest ones: a rollback changes what runs, never those. Reverted
    /// values stay until someone edits them.
    fn with_base(&self, bytes: Vec<u8>, current: u64, now: i64) -> Result<Vec<u8>, StoreError> {
        // The current generation may be damaged: that is no reason to stay on it.
        let Some(before) = (current > 0).then(|| self.definitions(current).ok()).flatten() else {
            return Ok(bytes);
        };
        if before.flags.values().all(|flag| flag.state.file.is_none()) {
            return Ok(bytes);
        }
        let definitions = Snapshot::from_bytes(&bytes)
            .ok()
            .and_then(|snapshot| Definitions::from_canonical_json(snapshot.definitions_json().ok()?).ok());
        let Some(mut definitions) = definitions else { return Ok(bytes) };
        let today = crate::time::format_day(now);
        crate::merge::keep_base(&before, &mut definitions, &today);
        Ok(crate::compile(&definitions, &self.identity.environment)?)
    }

    fn rollback_target(&self, session: &Session, to: Option<u64>) -> Result<(u64, ContentId), StoreError> {
        let kept = retained(&session.folder)?;
        let (current, pointer) = session.current();
        // Go further back than the last rollback did, not to the generation that it left.
        let before = self.rolled_back_to(current).unwrap_or(current);
        let ran;
        let found = match (to, pointer) {
            (Some(generation), _) => kept.iter().rev().find(|kept| kept.0 == generation),
            (None, Some(pointer)) => {
                ran = self.ran()?;
                ran.iter().rev().find(|kept| kept.0 < before && kept.1 != pointer.content)
            }
            (None, None) => None,
        };
        found.copied().ok_or_else(|| {
            let kept: Vec<String> = kept.iter().map(|(generation, _)| generation.to_string()).collect();
            let kept = if kept.is_empty() { "none".to_owned() } else { kept.join(", ") };
            StoreError::Refused(match to {
                Some(generation) => format!(
                    "generation {generation} is not kept; nothing was changed. Kept are: {kept}. Publish its definitions again"
                ),
                None => format!("there is no earlier content to go back to; nothing was changed. Kept are: {kept}"),
            })
        })
    }
}

/// Refuses a file that brings a killed flag back under another key.
fn not_revived_by_name(merged: &Merged, head: &Head) -> Result<(), StoreError> {
    let killed = head.killed();
    let killed = |key: &str| killed.iter().any(|killed| killed.key == key.as_bytes());
    let Some(renamed) = merged.lookalikes.iter().find(|renamed| killed(&renamed.from)) else { return Ok(()) };
    let (from, to) = (&renamed.from, &renamed.to);
    Err(StoreError::Refused(format!(
        "{from} is killed, and the file has all that it says under the key {to}, which would be on; nothing was changed. Write \"was\": \"{from}\" into \
         {to} if it was renamed, or say --yes if they are two"
    )))
}

/// Reads a whole retained snapshot, and verifies the bytes read.
fn read_snapshot(session: &Session, (generation, content): (u64, ContentId)) -> Result<Vec<u8>, StoreError> {
    let name = snapshot_name(generation, content);
    let folder = session.folder.expect_folder(SNAPSHOTS)?;
    let path = folder.path().join(&name);
    let failed = |source| StoreError::io("read the snapshot", &path, source);
    let opened = folder.open(&name, "read the snapshot", Access::Read)?;
    let opened = opened.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    // Mapped first, so that only snapshots are read into memory.
    let looked = Snapshot::open(&opened.file, MapMode::Shared, SNAPSHOT_LIMIT);
    drop(looked.map_err(|source| StoreError::Snapshot { path: path.clone(), source })?);
    let bytes = opened.read(SNAPSHOT_LIMIT).map_err(failed)?;
    let snapshot = Snapshot::from_bytes(&bytes).and_then(|snapshot| snapshot.verify().map(|()| snapshot));
    let snapshot = snapshot.map_err(|source| StoreError::Snapshot { path: path.clone(), source })?;
    if snapshot.content_id() == content {
        return Ok(bytes);
    }
    let problem = format!("its content is {}, expected {content}", snapshot.content_id());
    Err(StoreError::Mismatch { path, problem })
}

/// Source of a new generation, for the audit trail.
pub(crate) struct Cause<'a> {
    action: Action,
    flag: Option<&'a str>,
    /// Stage of the flag's plan, counted from 1.
    stage: Option<u32>,
    rolled_back_to: Option<u64>,
    /// Origin of promoted or imported flags.
    origin: Option<&'a Origin>,
    release: Option<u64>,
    commit: Option<&'a str>,
    file: Option<&'a str>,
    guard: Option<&'a Finding>,
}

impl Cause<'_> {
    fn of(action: Action) -> Self {
        Cause {
            action,
            flag: None,
            stage: None,
            rolled_back_to: None,
            origin: None,
            release: None,
            commit: None,
            file: None,
            guard: None,
        }
    }
}

impl<'a> Cause<'a> {
    /// Flags that arrive from another store.
    pub(crate) fn arrival(action: Action, origin: &'a Origin) -> Self {
        Cause { origin: Some(origin), ..Cause::of(action) }
    }

    /// A step of a flag's plan; `stage` is counted from 0.
    pub(crate) fn plan(action: Action, flag: &'a str, stage: Option<usize>) -> Self {
        let stage = stage.and_then(|stage| u32::try_from(stage + 1).ok());
        Cause { flag: Some(flag), stage, ..Cause::of(action) }
    }

    /// Adds the finding of the guard that caused the change.
    pub(crate) fn found(self, finding: &'a Finding) -> Self {
        Cause { guard: Some(finding), ..self }
    }
}

/// True if the snapshot has the content of the current one. Publishing it would change nothing, whatever its base.
fn is_current(session: &Session, bytes: &[u8]) -> bool {
    let content = Snapshot::from_bytes(bytes).map(|snapshot| snapshot.content_id());
    content.is_ok_and(|content| session.current().1.is_some_and(|pointer| pointer.content == content))
}

pub(crate) fn write_generation(
    session: &Session,
    bytes: &[u8],
    made: &Cause,
    change: &Change,
) -> Result<Published, StoreError> {
    let rolled_back_to = made.rolled_back_to;
    let before_writing = session.head.current();
    let (current, pointer) = session.current();
    if let Some(base) = change.base.filter(|base| *base != current) {
        return Err(StoreError::Stale { base, current });
    }
    // Another key, or a plan's next stage, would turn on what a slot that cannot be read has killed.
    if let Some(doubt) = session.head.doubt(session.head.slots().iter()) {
        let path = printable(&session.path().join(HEAD));
        return Err(StoreError::Refused(format!("nothing was changed: {path}: {doubt}")));
    }
    let newest = session.expect_newest(rolled_back_to.is_some())?;
    let unchanged = |error: StoreError| StoreError::Unchanged { source: Box::new(error), current };
    let folder = session.path().join(SNAPSHOTS);
    let snapshot = Snapshot::from_bytes(bytes)
        .map_err(|source| StoreError::Snapshot { path: folder.clone(), source })
        .map_err(unchanged)?;
    if snapshot.environment() != session.environment {
        let (found, expected) = (snapshot.environment(), &session.environment);
        return Err(StoreError::Refused(format!(
            "the snapshot is for the environment {found:?}, this store for {expected:?}; nothing was changed"
        )));
    }
    let content = snapshot.content_id();
    let before = pointer.and_then(|pointer| {
        let named = (pointer.generation, pointer.content);
        let policy = (MapPolicy::Shared, SNAPSHOT_LIMIT);
        let opened = open_snapshot(&session.folder, named, &session.environment, policy).ok()?;
        opened.snapshot.verify().is_ok().then_some((pointer, opened.snapshot))
    });
    if let Some((pointer, _)) = &before
        && before_writing == Current::Pointer(*pointer)
        && pointer.content == content
        && newest.is_none()
    {
        // The process that published it may have died before it told the readers.
        session.head.switch(pointer);
        return Ok(Published {
            generation: current,
            previous: pointer.previous,
            content_id: content,
            unchanged: true,
            rolled_back_to: None,
            differences: Vec::new(),
            audit_warning: session.flush(),
        });
    }
    // A change by a command is recorded in full.
    let first = if made.action.is_edit() || made.action.is_plan() { usize::MAX } else { MAX_SHOWN_COMPANIES };
    let differences = differences(before.as_ref().map(|(_, snapshot)| snapshot), &snapshot, first);
    let keys = former_keys(&snapshot);
    drop(before);
    drop(snapshot);

    let kept = retained(&session.folder).map_err(unchanged)?;
    let next = Pointer {
        generation: next_generation(session, &kept, newest),
        content,
        published_at: session.now,
        previous: pointer.map_or(0, |pointer| pointer.generation),
        previous_content: pointer.map_or(ContentId([0; 16]), |pointer| pointer.content),
    };
    let mut intention = session.record(change, made.action, Outcome::Intended);
    intention.flag = made.flag.map(str::to_owned);
    intention.stage = made.stage;
    intention.to = next.generation;
    intention.content = Some(content.to_string());
    intention.rolled_back_to = rolled_back_to;
    intention.origin = made.origin.cloned();
    intention.release = made.release;
    intention.commit = made.commit.map(str::to_owned);
    intention.file = made.file.map(str::to_owned);
    intention.guard = made.guard.cloned();
    intention.differences.clone_from(&differences);
    let mut outcome = Record { outcome: Outcome::Done, differences: Vec::new(), ..intention.clone() };
    let audited = session.append(intention).map_err(unchanged)?;
    outcome.intention = Some(audited.record);

    let written = write_snapshot(session, bytes, &next, &audited).and_then(|()| {
        let locked = session.lock_head().and_then(|lock| {
            // The lock file may have been removed: a publish without this session's lock may have been faster.
            if session.head.current() != before_writing {
                return Err(StoreError::Stale { base: current, current: session.current().0 });
            }
            // A renamed flag that is killed is off from its first answer on.
            let warning = join_kills(session, &keys, &lock, change)?;
            Ok((lock, warning))
        });
        // If the head cannot be moved, leave no snapshot behind that no record names.
        locked.inspect_err(|_| remove_snapshot(&session.folder, &next))
    });
    let (lock, warning) = match written {
        Ok(locked) => locked,
        Err(error) => {
            outcome.outcome = Outcome::Failed;
            outcome.to = current;
            outcome.error = Some(error.to_string());
            let _ = session.append(outcome);
            return Err(if error.is_stale() { error } else { unchanged(error) });
        }
    };
    session.head.switch(&next);
    if let Err(error) = session.kept() {
        outcome.outcome = Outcome::Failed;
        outcome.to = current;
        outcome.error = Some(error.to_string());
        let _ = session.append_under(&lock, outcome);
        return Err(error);
    }
    let mut warnings: Vec<String> = session.flush().into_iter().chain(warning).collect();
    // Kills wait for no lock: one under a former key may have come meanwhile.
    warnings
        .extend(join_kills(session, &keys, &lock, change).unwrap_or_else(|error| Some(error.to_string())));
    if let Err(error) = session.append_under(&lock, outcome) {
        warnings.push(format!("it is published, but the audit trail holds only the intention: {error}"));
    }
    if session.is_at(session.path()).is_ok_and(|is_there| !is_there) {
        let path = printable(session.path());
        warnings.push(format!(
            "another store, or another head, is at {path} by now, and lacks it: publish again"
        ));
    }
    drop(lock);
    remove_old(session, &next, kept);
    Ok(Published {
        generation: next.generation,
        previous: next.previous,
        content_id: content,
        unchanged: false,
        rolled_back_to,
        differences,
        audit_warning: (!warnings.is_empty()).then(|| warnings.join("; ")),
    })
}

/// A generation higher than all before, with the parity of the pointer that is not in use, or is damaged.
fn next_generation(session: &Session, kept: &[(u64, ContentId)], newest: Option<u64>) -> u64 {
    let (current, _) = session.current();
    let next = kept.last().map_or(0, |kept| kept.0).max(current).max(newest.unwrap_or(0)) + 1;
    match session.head.current() {
        Current::Pointer(pointer) | Current::Damaged(_, Some(pointer))
            if pointer.generation % 2 == next % 2 =>
        {
            next + 1
        }
        _ => next,
    }
}

fn differences(before: Option<&Snapshot>, after: &Snapshot, first: usize) -> Vec<Difference> {
    let old = match before.map(Snapshot::definitions_json) {
        Some(Ok(json)) => json,
        _ => b"{\"flags\":{}}",
    };
    let Ok(new) = after.definitions_json() else { return Vec::new() };
    match diff_canonical(old, new, first) {
        // No answer differs; the trail still records the change.
        Ok(none) if none.is_empty() => moved_bases(old, new).unwrap_or_default(),
        differences => differences.unwrap_or_default(),
    }
}

/// Writes the snapshot durably under its name. It names the record of its intention.
fn write_snapshot(
    session: &Session,
    bytes: &[u8],
    pointer: &Pointer,
    audited: &Audited,
) -> Result<(), StoreError> {
    let folder = session.folder.expect_folder(SNAPSHOTS)?;
    remove_orphans(&folder);
    let name = snapshot_name(pointer.generation, pointer.content);
    let new = format!(".{name}{TEMPORARY}");
    let path = folder.path().join(&new);
    let failed = |what: &'static str| {
        let path = path.clone();
        move |source: io::Error| StoreError::Io { what, path, source }
    };
    let mut file = folder.create(&new).map_err(failed("create"))?;
    let mut temporary = Temporary { folder: &folder, name: &new, named: false };
    file.write_all(bytes).map_err(failed("write"))?;
    // Snapshots of version 1.0, as a rollback may bring back, have no place for it.
    let section = place(bytes).zip(audited.section());
    if let Some((place, section)) = &section {
        file.write_all_at(section.as_bytes(), place.start as u64).map_err(failed("write"))?;
    }
    session.modes.apply(&file, session.modes.snapshot()).map_err(failed("set the permissions of"))?;
    // Never retried on this file: the kernel may have dropped the pages that it could not write.
    file.sync_all().map_err(failed("write to the disk"))?;
    drop(file);

    let opened = folder.open(&new, "open", Access::Read)?;
    let opened = opened.ok_or_else(|| failed("open")(io::ErrorKind::NotFound.into()))?;
    let verified = Snapshot::open(&opened.file, MapMode::Shared, SNAPSHOT_LIMIT).and_then(|snapshot| {
        snapshot.verify()?;
        Ok((snapshot.content_id(), snapshot.audited()?))
    });
    let (found, named) = verified.map_err(|source| StoreError::Snapshot { path: path.clone(), source })?;
    if found != pointer.content || named.as_ref() != section.map(|_| audited) {
        let problem = format!("read back as {found}, expected {}", pointer.content);
        return Err(StoreError::Mismatch { path, problem });
    }
    folder.rename(&new, &name).map_err(failed("rename"))?;
    temporary.named = true;
    if let Err(source) = folder.sync() {
        let _ = folder.remove(&name);
        return Err(StoreError::io("write to the disk", folder.path(), source));
    }
    Ok(())
}

/// Removes temporary files of publishers that died. The lock is held, so none is being written.
fn remove_orphans(folder: &Folder) {
    for name in folder.names().unwrap_or_default() {
        let Some(name) = name.to_str() else { continue };
        if name.starts_with('.') && name.ends_with(TEMPORARY) {
            let _ = folder.remove(name);
        }
    }
}

fn remove_snapshot(store: &Folder, pointer: &Pointer) {
    if let Ok(folder) = store.expect_folder(SNAPSHOTS) {
        let _ = folder.remove(&snapshot_name(pointer.generation, pointer.content));
    }
}

/// Removes surplus generations, never the current one and the one before it. Failed removals are left to the next publish.
fn remove_old(session: &Session, pointer: &Pointer, mut kept: Vec<(u64, ContentId)>) {
    let Ok(folder) = session.folder.expect_folder(SNAPSHOTS) else { return };
    kept.push((pointer.generation, pointer.content));
    let candidates: Vec<Candidate> = kept
        .iter()
        .filter_map(|(generation, content)| {
            let (metadata, _) = folder.look(&snapshot_name(*generation, *content)).ok()??;
            let at = metadata.mtime().saturating_mul(SECOND);
            Some(Candidate { generation: *generation, at, size: metadata.len() })
        })
        .collect();
    let limit = config_of(&session.folder).ok().and_then(|config| config.retained_mib);
    let limit = limit.map_or(retention::SIZE_LIMIT, |mebibytes| mebibytes.saturating_mul(1 << 20));
    let surplus = retention::surplus(&candidates, session.now, limit);
    for (generation, content) in kept {
        let current = generation == pointer.generation || generation == pointer.previous;
        if !current && surplus.contains(&generation) {
            let _ = folder.remove(&snapshot_name(generation, content));
        }
    }
}
