//! Publish and rollback: a new generation, or nothing.
//!
//! publishers' lock → base → audit the intention → temporary file → fsync → open and verify it as a reader does → rename →
//! fsync the directory → lock of the head → head → audit the outcome → remove old generations. Until the head moves, an error
//! or a death changes nothing that anybody reads; what is left behind goes with the next publish.

use super::audit::{Action, Outcome, Record};
use super::change::{Change, FileOptions, Published, Release};
use super::config::config_of;
use super::diff::{Difference, FIRST, diff_canonical, moved_bases};
use super::directory::{Access, Folder};
use super::error::StoreError;
use super::head::{Head, Pointer};
use super::layout::{SNAPSHOT_LIMIT, SNAPSHOTS, TEMPORARY, retained, snapshot_name};
use super::open::{MapPolicy, open_snapshot};
use super::retention::{self, Candidate};
use super::session::Session;
use super::{Store, now};
use crate::definition::Definitions;
use crate::eval::time::SECOND;
use crate::guard::Finding;
use crate::merge::{Merged, Options, merge};
use crate::snapshot::mark::place;
use crate::snapshot::{Audited, ContentId, MapMode, Snapshot};
use crate::travel::Origin;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use zerocopy::IntoBytes;

/// A file that is gone with this value, unless it got its name.
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
    /// Compiles checked definitions and makes them the current generation, whatever runs. Where the very same content is
    /// current already, nothing is made and the result says so.
    ///
    /// # Errors
    ///
    /// When the definitions cannot be compiled, the base is stale, or anything cannot be written; nothing was changed then.
    pub fn publish(&self, definitions: &Definitions, change: Change) -> Result<Published, StoreError> {
        let bytes = crate::compile(definitions, &self.identity.environment)?;
        let session = self.session(&change, "publishing")?;
        put(&session, &bytes, &Made::of(Action::Publish), &change)
    }

    /// Merges the checked definitions of a file into what runs ([`merge`](crate::merge::merge)), and publishes the result.
    ///
    /// # Errors
    ///
    /// When they do not go together, or what runs cannot be read and the file is not to decide everything; and as
    /// [`publish`](Self::publish).
    pub fn publish_file(
        &self,
        file: &Definitions,
        options: &FileOptions,
        change: Change,
    ) -> Result<(Published, Merged), StoreError> {
        let session = self.session(&change, "publishing")?;
        let current = session.current().0;
        // A stale base says more of what is wrong.
        if let Some(base) = change.base.filter(|base| *base != current) {
            return Err(StoreError::Stale { base, current });
        }
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
        let merged = self.merged(file, options, &session.head, session.now)?;
        if !options.keep && !merged.conflicts.is_empty() {
            return Err(StoreError::Conflict { conflicts: merged.conflicts });
        }
        let settled = self.settled(
            &merged.definitions,
            Action::Publish,
            &Change { base: Some(current), ..change.clone() },
        );
        let bytes = match settled {
            Ok(definitions) => crate::compile(&definitions, &self.identity.environment)?,
            // What ran cannot be read; the file decides everything.
            Err(_) => crate::compile(&merged.definitions, &self.identity.environment)?,
        };
        let (mut number, mut commit) = (None, None);
        match &options.release {
            None => {}
            Some(Release::Number(release)) => number = Some(*release),
            Some(Release::Commit { id, descends, .. }) => {
                commit = (*descends || options.newest).then_some(id.as_str());
            }
        }
        let made = Made { release: number, commit, ..Made::of(Action::Publish) };
        let mut published = put(&session, &bytes, &made, &change)?;
        if let Some(release) = number
            && (options.newest || release > session.head.release())
        {
            session.head.set_release(release);
            if let Some(problem) = session.flush() {
                published.audit_warning.get_or_insert(problem);
            }
        }
        // A release that changes no flag is the newest all the same.
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

    /// The commit of the newest release whose file was published, where releases are named by commits.
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

    /// What [`publish_file`](Self::publish_file) would publish.
    ///
    /// # Errors
    ///
    /// As that, but that nothing is written.
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
        let older = match &options.release {
            _ if options.newest => None,
            Some(Release::Number(release)) if *release < newest => Some(newest.to_string()),
            Some(Release::Commit { last, descends: false, .. }) => Some(last.clone().unwrap_or_default()),
            _ => None,
        };
        let all = options.reset.iter().any(|what| what == "all");
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
            now,
        };
        let merged = |options: &Options| {
            merge(running.as_ref(), file, options).map_err(|source| StoreError::Merge { source })
        };
        let first = merged(&options)?;
        match self.pulled_since(&first.conflicts) {
            none if none.is_empty() => Ok(first),
            // A record of what ran is no edit: what runs stays.
            records => merged(&Options { settle: [options.settle, records].concat(), ..options }),
        }
    }

    /// Publishes definitions in which one flag was changed by a word.
    ///
    /// # Errors
    ///
    /// When the action is no such word, and as [`publish`](Self::publish) but that it undoes nothing.
    pub fn publish_edit(
        &self,
        definitions: &Definitions,
        (action, flag): (Action, &str),
        change: Change,
    ) -> Result<Published, StoreError> {
        if !action.is_edit() {
            return Err(StoreError::Refused(format!(
                "{} does not change the definitions of a flag",
                action.word()
            )));
        }
        let definitions = self.settled(definitions, action, &change)?;
        let bytes = crate::compile(&definitions, &self.identity.environment)?;
        let session = self.session(&change, "changing a flag")?;
        put(&session, &bytes, &Made { flag: Some(flag), ..Made::of(action) }, &change)
    }

    /// As [`publish_edit`](Self::publish_edit), of a flag that was changed from `before` to `after`, on the generation `change.base`. Where
    /// another was published since, and it left this flag as it was, the flag is changed there.
    ///
    /// # Errors
    ///
    /// When the flag itself was changed since, and as [`publish_edit`](Self::publish_edit).
    pub fn publish_flag(
        &self,
        (before, after): (&Definitions, &Definitions),
        (action, flag): (Action, &str),
        change: Change,
    ) -> Result<Published, StoreError> {
        let first = self.publish_edit(after, (action, flag), change.clone());
        let Err(StoreError::Stale { base, .. }) = first else { return first };
        let made = Made { flag: Some(flag), ..Made::of(action) };
        self.put_flag((before, after), &made, base, &change)
    }

    /// Puts one flag, decided on the generation `base`, into what is published by now. Nobody else publishes meanwhile.
    pub(super) fn put_flag(
        &self,
        (before, after): (&Definitions, &Definitions),
        made: &Made,
        base: u64,
        change: &Change,
    ) -> Result<Published, StoreError> {
        let session = self.session(change, "changing a flag")?;
        let (current, _) = session.current();
        let flag = made.flag.unwrap_or_default();
        let mut running = self.definitions(current)?;
        if running.flags.get(flag) != before.flags.get(flag) {
            return Err(StoreError::Stale { base, current });
        }
        if let Some(changed) = after.flags.get(flag) {
            running.flags.insert(flag.to_owned(), changed.clone());
        }
        let today: String = crate::eval::time::format_rfc3339(session.now).chars().take(10).collect();
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
        put(&session, &crate::compile(&definitions, &self.identity.environment)?, made, &change)
    }

    /// The generation whose content a rollback, or several, brought back in that one; else that one itself. Of what the trail does not
    /// tell it is not known.
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
        // A generation only goes back to one before it.
        while let Some(to) = backs.get(&found).filter(|to| **to < found) {
            found = *to;
        }
        Ok(found)
    }

    /// Publishes definitions that a step of a plan made.
    pub(super) fn publish_made(
        &self,
        definitions: &Definitions,
        made: &Made,
        change: Change,
    ) -> Result<Published, StoreError> {
        let bytes = crate::compile(definitions, &self.identity.environment)?;
        put(&self.session(&change, "moving a plan")?, &bytes, made, &change)
    }

    /// Makes the content of an older generation current again, as a new generation: of `to`, or of the
    /// last one whose content is not the current. After a rollback that is one before the generation that it went back to.
    ///
    /// # Errors
    ///
    /// When that generation is not kept any more or is damaged, and as [`publish`](Self::publish).
    pub fn rollback(&self, to: Option<u64>, change: Change) -> Result<Published, StoreError> {
        let session = self.session(&change, "rolling back")?;
        let target = self.rollback_target(&session, to)?;
        let bytes = read_snapshot(&session, target)?;
        let bytes = self.plans_held(bytes, target.0, &change)?;
        let bytes = self.with_base(bytes, session.current().0, session.now)?;
        let made = Made { rolled_back_to: Some(target.0), ..Made::of(Action::Rollback) };
        put(&session, &bytes, &made, &change)
    }

    /// The bytes of an older generation, with what the file said by now: a rollback moves what runs, never that. What was taken back
    /// stays back until somebody edits it.
    fn with_base(&self, bytes: Vec<u8>, current: u64, now: i64) -> Result<Vec<u8>, StoreError> {
        // What is current may be damaged: that is no reason to stay on it.
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
        let today: String = crate::eval::time::format_rfc3339(now).chars().take(10).collect();
        crate::merge::keep_base(&before, &mut definitions, &today);
        Ok(crate::compile(&definitions, &self.identity.environment)?)
    }

    fn rollback_target(&self, session: &Session, to: Option<u64>) -> Result<(u64, ContentId), StoreError> {
        let kept = retained(&session.folder)?;
        let (current, pointer) = session.current();
        // Further back than the last rollback went, not to what it left.
        let before = self.rolled_back_to(current).unwrap_or(current);
        let found = match (to, pointer) {
            (Some(generation), _) => kept.iter().rev().find(|kept| kept.0 == generation),
            (None, Some(pointer)) => {
                kept.iter().rev().find(|kept| kept.0 < before && kept.1 != pointer.content)
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

/// Reads a retained snapshot whole, and verifies what was read.
fn read_snapshot(session: &Session, (generation, content): (u64, ContentId)) -> Result<Vec<u8>, StoreError> {
    let name = snapshot_name(generation, content);
    let folder = session.folder.expect_folder(SNAPSHOTS)?;
    let path = folder.path().join(&name);
    let failed = |source| StoreError::io("read the snapshot", &path, source);
    let opened = folder.open(&name, "read the snapshot", Access::Read)?;
    let opened = opened.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    // Mapped first: what is no snapshot is never read into memory.
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

/// What a new generation comes from.
pub(super) struct Made<'a> {
    action: Action,
    flag: Option<&'a str>,
    /// Of the flag's plan, counted from 1.
    stage: Option<u32>,
    rolled_back_to: Option<u64>,
    /// Where flags come from that arrive.
    origin: Option<&'a Origin>,
    release: Option<u64>,
    commit: Option<&'a str>,
    guard: Option<&'a Finding>,
}

impl Made<'_> {
    fn of(action: Action) -> Self {
        Made {
            action,
            flag: None,
            stage: None,
            rolled_back_to: None,
            origin: None,
            release: None,
            commit: None,
            guard: None,
        }
    }
}

impl<'a> Made<'a> {
    /// Flags that arrive from another store.
    pub(super) fn arrival(action: Action, origin: &'a Origin) -> Self {
        Made { origin: Some(origin), ..Made::of(action) }
    }

    /// A step of a flag's plan, in that stage, counted from 0.
    pub(super) fn plan(action: Action, flag: &'a str, stage: Option<usize>) -> Self {
        let stage = stage.and_then(|stage| u32::try_from(stage + 1).ok());
        Made { flag: Some(flag), stage, ..Made::of(action) }
    }

    /// Because the guard found that.
    pub(super) fn found(self, finding: &'a Finding) -> Self {
        Made { guard: Some(finding), ..self }
    }
}

pub(super) fn put(
    session: &Session,
    bytes: &[u8],
    made: &Made,
    change: &Change,
) -> Result<Published, StoreError> {
    let rolled_back_to = made.rolled_back_to;
    let (current, pointer) = session.current();
    if let Some(base) = change.base.filter(|base| *base != current) {
        return Err(StoreError::Stale { base, current });
    }
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
        && pointer.generation == current
        && pointer.content == content
    {
        // Whoever published it may have died before the readers were told.
        session.head.touch();
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
    // What a word changes is written out whole.
    let first = if made.action.is_edit() || made.action.is_plan() { usize::MAX } else { FIRST };
    let differences = differences(before.as_ref().map(|(_, snapshot)| snapshot), &snapshot, first);
    drop(before);
    drop(snapshot);

    let kept = retained(&session.folder).map_err(unchanged)?;
    let next = Pointer {
        generation: next_generation(session, &kept),
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
    intention.guard = made.guard.cloned();
    intention.differences.clone_from(&differences);
    let mut outcome = Record { outcome: Outcome::Done, differences: Vec::new(), ..intention.clone() };
    let audited = session.append(intention).map_err(unchanged)?;
    outcome.intention = Some(audited.record);

    let written = write_snapshot(session, bytes, &next, &audited).and_then(|()| {
        // Who cannot move the head leaves no snapshot behind that no record tells of.
        session.lock_head().inspect_err(|_| remove_snapshot(&session.folder, &next))
    });
    let lock = match written {
        Ok(lock) => lock,
        Err(error) => {
            outcome.outcome = Outcome::Failed;
            outcome.to = current;
            outcome.error = Some(error.to_string());
            let _ = session.append(outcome);
            return Err(unchanged(error));
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
    let mut warnings: Vec<String> = session.flush().into_iter().collect();
    if let Err(error) = session.append_under(&lock, outcome) {
        warnings.push(format!("it is published, but the audit trail holds only the intention: {error}"));
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

/// Higher than all there were, and of the parity whose pointer is not in use.
fn next_generation(session: &Session, kept: &[(u64, ContentId)]) -> u64 {
    let (current, pointer) = session.current();
    let next = kept.last().map_or(0, |kept| kept.0).max(current) + 1;
    match pointer {
        Some(pointer) if pointer.generation % 2 == next % 2 => next + 1,
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
        // No answer differs, and the trail says what does.
        Ok(none) if none.is_empty() => moved_bases(old, new).unwrap_or_default(),
        differences => differences.unwrap_or_default(),
    }
}

/// Brings the snapshot under its name, on the disk for good. It names the record that intends it.
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
    // A snapshot of version 1.0 that is rolled back to has no place for it.
    let section = place(bytes).zip(audited.section());
    if let Some((place, section)) = &section {
        file.write_all_at(section.as_bytes(), place.start as u64).map_err(failed("write"))?;
    }
    session.modes.apply(&file, session.modes.snapshot()).map_err(failed("set the permissions of"))?;
    // Never tried again on this file: the kernel may have dropped the pages that it could not write.
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

/// Temporary files of publishers that died. Nobody else can be writing one: the lock is held.
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

/// Removes the generations that are not kept any more, never the current one and the one before it. What cannot be removed stays
/// until the next publish.
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
