//! Queries on a store: its state, its past, its retained snapshots.

use super::Store;
use super::dependents::dependents;
use crate::audit::{Action, Actor, ChangeSettler, Difference, Outcome, Record, SettledChange, each_record};
use crate::definition::Definitions;
use crate::error::StoreError;
use crate::files::Access;
use crate::snapshot::{ContentId, Snapshot};
use crate::store::head::{Current, Head};
use crate::store::layout::{SNAPSHOT_LIMIT, SNAPSHOTS, kept, retained, snapshot_name};
use crate::store::open::{MapPolicy, Opened, copy_head, head_file, open_snapshot};
use crate::time::format_rfc3339;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

/// State of a store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoreStatus {
    /// Canonical path of the store.
    pub directory: PathBuf,
    /// Name given to `init`.
    pub environment: String,
    /// Random, 32 hex digits.
    pub store_id: String,
    /// Time of `init`, in RFC 3339.
    pub created: String,
    /// The published generation; 0 if none.
    pub generation: u64,
    /// Content of the published snapshot.
    pub content_id: Option<String>,
    /// Time of the publish, in RFC 3339.
    pub published_at: Option<String>,
    /// The generation before; 0 if none.
    pub previous: u64,
    /// Grows with every change.
    pub epoch: u64,
    /// Number of flags in the published snapshot.
    pub flags: Option<u32>,
    /// Size of the published snapshot, in bytes.
    pub size: Option<u64>,
    /// Start of the stop, in RFC 3339, if everything is stopped.
    pub stopped: Option<String>,
    /// Number of the newest published release, if one was named.
    pub release: Option<u64>,
    /// Flags killed one by one.
    pub killed: Vec<KilledFlag>,
    /// The reason why the head does not tell which flags are killed, and what to do; none if it does.
    pub kills_unknown: Option<String>,
    /// Generations whose snapshots are kept, ascending.
    pub retained: Vec<u64>,
    /// The reason why the head does not name the newest generation, or lacks switches that the audit trail has, and what to do.
    pub head_error: Option<String>,
    /// A warning if a group can change the store.
    pub warning: Option<String>,
    /// The reason why the published snapshot cannot be read.
    pub error: Option<String>,
}

/// A flag killed in the head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KilledFlag {
    /// Key of the flag.
    pub flag: String,
    /// Time of the kill, in RFC 3339.
    pub since: String,
    /// True if the published snapshot holds the flag; none if it cannot be read.
    pub known: Option<bool>,
    /// Flags that require it, directly or through others, and are off because of it.
    pub dependents: Vec<String>,
}

impl KilledFlag {
    /// What to add to the flag's key where the published snapshot does not hold it.
    pub fn unpublished(&self) -> &'static str {
        match self.known {
            Some(true) => "",
            Some(false) => " (no such flag is published)",
            None => " (the published snapshot cannot be read)",
        }
    }
}

/// A change in the history of a store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryEntry {
    /// Number of the audit record; none if only the snapshot is left.
    pub seq: Option<u64>,
    /// Time in RFC 3339.
    pub at: Option<String>,
    /// Person and account that made the change.
    pub actor: Option<Actor>,
    /// Kind of the change; none if only the snapshot is left.
    pub action: Option<Action>,
    /// `intended`: still running, or the process died.
    pub outcome: Outcome,
    /// The flag killed, revived, or changed by a command.
    pub flag: Option<String>,
    /// Stage of the flag's plan after this, counted from 1.
    pub stage: Option<u32>,
    /// Reason given for the change.
    pub reason: Option<String>,
    /// Generation before the change.
    pub from: u64,
    /// Generation after the change.
    pub generation: u64,
    /// Content of `generation`, if the change made it.
    pub content_id: Option<String>,
    /// True of a kill or a stop that changed nothing: the flag was killed, or everything stopped, already.
    pub unchanged: bool,
    /// Generation whose content a rollback brought back.
    pub rolled_back_to: Option<u64>,
    /// Number of fields that differ.
    pub differences: u64,
    /// The first of the differences.
    pub first_difference: Option<Difference>,
    /// True if the snapshot of this generation is kept for `diff` and `rollback`.
    pub retained: bool,
    /// True if this generation is published now.
    pub current: bool,
    /// Error text of a failed change.
    pub error: Option<String>,
}

impl Store {
    /// The current state of the store. Needs no permission to write.
    ///
    /// # Errors
    ///
    /// When the head cannot be read. A damaged snapshot is reported in the status.
    pub fn status(&self) -> Result<StoreStatus, StoreError> {
        let head = self.read_head()?;
        let folder = self.folder()?;
        let is_damaged = matches!(head.current(), Current::Damaged(..));
        let (_, pointer) = head.current().settled(|generation| kept(&folder, generation));
        let mut error = None;
        let snapshot = pointer.and_then(|pointer| {
            let opened = self.open_retained((pointer.generation, pointer.content));
            opened.map_err(|problem| error.get_or_insert(problem.to_string()).clone()).ok()
        });
        let known = |key: &[u8]| match &snapshot {
            Some(snapshot) => Some(snapshot.find(key).is_some()),
            None => (error.is_none() && !is_damaged).then_some(false),
        };
        let dependents =
            |key: &str| snapshot.as_ref().map_or_else(Vec::new, |snapshot| dependents(snapshot, &head, key));
        let killed = head.killed().into_iter().map(|killed| KilledFlag {
            dependents: dependents(&String::from_utf8_lossy(&killed.key)),
            flag: String::from_utf8_lossy(&killed.key).into_owned(),
            since: format_rfc3339(killed.since),
            known: known(&killed.key),
        });
        Ok(StoreStatus {
            directory: self.directory.clone(),
            environment: self.identity.environment.clone(),
            store_id: ContentId(self.identity.store).to_string(),
            created: format_rfc3339(self.identity.created),
            generation: pointer.map_or(0, |pointer| pointer.generation),
            content_id: pointer.map(|pointer| pointer.content.to_string()),
            published_at: pointer
                .filter(|pointer| pointer.published_at != 0)
                .map(|pointer| format_rfc3339(pointer.published_at)),
            previous: pointer.map_or(0, |pointer| pointer.previous),
            epoch: head.epoch(),
            flags: snapshot.as_ref().map(Snapshot::flag_count),
            size: snapshot.as_ref().map(Snapshot::size),
            stopped: head.stopped().map(format_rfc3339),
            release: Some(head.release()).filter(|release| *release > 0),
            killed: killed.collect(),
            kills_unknown: self.damaged_slots(&head).map(|damaged| damaged.text()),
            head_error: self.outdated(&head),
            retained: self.kept()?.into_iter().map(|(generation, _)| generation).collect(),
            warning: self.trust.warning(),
            error,
        })
    }

    /// All changes in the audit trail, the newest last, and the snapshots that it does not tell of.
    ///
    /// # Errors
    ///
    /// When the audit trail or the snapshots cannot be listed.
    pub fn history(&self) -> Result<Vec<HistoryEntry>, StoreError> {
        let kept: HashMap<u64, ContentId> = self.kept()?.into_iter().collect();
        let current = self.generation()?;
        let mut entries: Vec<HistoryEntry> = Vec::new();
        let mut intended: HashMap<u64, usize> = HashMap::new();
        self.records(|record| {
            let entry = entry(record, &kept, current);
            match record.intention.and_then(|seq| intended.get(&seq)).and_then(|at| entries.get_mut(*at)) {
                Some(before) => {
                    let first_difference = before.first_difference.take();
                    *before = HistoryEntry { differences: before.differences, first_difference, ..entry };
                }
                None => {
                    intended.insert(record.seq, entries.len());
                    entries.push(entry);
                }
            }
        })?;
        let mut untold: Vec<_> = kept
            .iter()
            .filter(|(generation, _)| !entries.iter().any(|entry| entry.generation == **generation))
            .collect();
        untold.sort_unstable();
        for (generation, content) in untold {
            let at = entries.iter().position(|entry| entry.generation > *generation).unwrap_or(entries.len());
            entries.insert(at, untold_entry(*generation, *content, current));
        }
        Ok(entries)
    }

    /// A retained snapshot, verified.
    ///
    /// # Errors
    ///
    /// When it is no longer kept, or damaged.
    pub fn snapshot(&self, generation: u64) -> Result<Snapshot, StoreError> {
        let kept = self.kept()?;
        let Some(named) = kept.iter().rev().find(|kept| kept.0 == generation) else {
            let kept: Vec<String> = kept.iter().map(|(generation, _)| generation.to_string()).collect();
            let kept = if kept.is_empty() { "none".to_owned() } else { kept.join(", ") };
            return Err(StoreError::Refused(format!(
                "generation {generation} is not kept. Kept are: {kept}"
            )));
        };
        self.open_retained(*named)
    }

    /// The definitions of a retained generation.
    ///
    /// # Errors
    ///
    /// The errors of [`snapshot`](Self::snapshot).
    pub fn definitions(&self, generation: u64) -> Result<Definitions, StoreError> {
        let snapshot = self.snapshot(generation)?;
        let failed = |problem: String| StoreError::Mismatch { path: self.directory.clone(), problem };
        let json = snapshot.definitions_json().map_err(|error| failed(error.to_string()))?;
        Definitions::from_canonical_json(json)
            .map_err(|error| failed(format!("the definitions of generation {generation}: {error}")))
    }

    /// Reads the current head.
    pub(crate) fn read_head(&self) -> Result<Head, StoreError> {
        // A copy: it cannot be cut short while it is read.
        copy_head(&self.directory, &head_file(&self.folder()?, Access::Read)?)
    }

    /// Birth time of the head's file, in microseconds since 1970; none if the file system does not tell. Changes are written in place, so
    /// a younger file was restored from a backup, or copied.
    ///
    /// # Errors
    ///
    /// When the head cannot be opened.
    pub fn head_made(&self) -> Result<Option<i64>, StoreError> {
        let created =
            head_file(&self.folder()?, Access::Read)?.file.metadata().and_then(|found| found.created());
        let since = created.ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        Ok(since.and_then(|since| i64::try_from(since.as_micros()).ok()).filter(|at| *at > 0))
    }

    /// Calls `each` with every valid record, in the order of the file.
    pub(crate) fn records(&self, each: impl FnMut(&Record)) -> Result<(), StoreError> {
        each_record(&self.folder()?, each)
    }

    /// Calls `each` with every change that was made, in the order in which they took effect.
    pub(crate) fn changes_made(&self, mut each: impl FnMut(SettledChange)) -> Result<(), StoreError> {
        let mut settling = ChangeSettler::default();
        self.records(|record| settling.next(record.clone(), &mut each))?;
        settling.end(self.generation()?, &mut each);
        Ok(())
    }

    pub(crate) fn kept(&self) -> Result<Vec<(u64, ContentId)>, StoreError> {
        retained(&self.folder()?)
    }

    /// The kept generations that ever ran, by the trail: a publisher that died leaves a snapshot that did not, and a restore those of later.
    /// Of those before the trail begins nothing is known.
    ///
    /// # Errors
    ///
    /// When the snapshots cannot be listed.
    pub fn ran(&self) -> Result<Vec<(u64, ContentId)>, StoreError> {
        let (mut ran, mut first) = (HashSet::from([self.generation()?]), None);
        let read = self.records(|record| {
            first.get_or_insert(record.from);
            ran.insert(record.from);
            if record.outcome == Outcome::Done && record.action.publishes() {
                ran.insert(record.to);
            }
        });
        let is_told = |generation: u64| read.is_ok() && first.is_some_and(|first| generation > first);
        Ok(self.kept()?.into_iter().filter(|kept| !is_told(kept.0) || ran.contains(&kept.0)).collect())
    }

    pub(crate) fn open_retained(&self, named: (u64, ContentId)) -> Result<Snapshot, StoreError> {
        let policy = (MapPolicy::Private, SNAPSHOT_LIMIT);
        let Opened { snapshot, .. } =
            open_snapshot(&self.folder()?, named, &self.identity.environment, policy)?;
        snapshot.verify().map_err(|source| StoreError::Snapshot {
            path: self.directory.join(SNAPSHOTS).join(snapshot_name(named.0, named.1)),
            source,
        })?;
        Ok(snapshot)
    }
}

fn entry(record: &Record, kept: &HashMap<u64, ContentId>, current: u64) -> HistoryEntry {
    let made = record.action.publishes() && record.outcome == Outcome::Done;
    HistoryEntry {
        seq: Some(record.seq),
        at: Some(record.at.clone()),
        actor: Some(record.actor.clone()),
        action: Some(record.action),
        outcome: record.outcome,
        flag: record.flag.clone(),
        stage: record.stage,
        reason: record.reason.clone(),
        from: record.from,
        generation: record.to,
        content_id: record.content.clone(),
        unchanged: record.unchanged,
        rolled_back_to: record.rolled_back_to,
        differences: record.differences.len() as u64 + record.more_differences,
        first_difference: record.differences.first().cloned(),
        retained: made && kept.contains_key(&record.to),
        current: made && record.to == current,
        error: record.error.clone(),
    }
}

fn untold_entry(generation: u64, content: ContentId, current: u64) -> HistoryEntry {
    HistoryEntry {
        seq: None,
        at: None,
        actor: None,
        action: None,
        outcome: Outcome::Done,
        flag: None,
        stage: None,
        reason: None,
        from: 0,
        generation,
        content_id: Some(content.to_string()),
        unchanged: false,
        rolled_back_to: None,
        differences: 0,
        first_difference: None,
        retained: true,
        current: generation == current,
        error: None,
    }
}
