//! Who turned a switch that is not as the file says: the last change of it that the end of the audit trail tells of.

use super::Store;
use super::audit::{Record, open_trail, parse_line};
use super::error::StoreError;
use super::settled::settle;
use crate::merge::{self, Conflict, Merged, Turned};
use std::io::{Read, Seek, SeekFrom};

/// How much of the trail's end is read, in bytes: some thousand changes, in some milliseconds.
const END: u64 = 4 << 20;

impl Store {
    /// Says of each drift and each conflict who turned the field, when and why. What lies further back, or cannot be read, is left open.
    pub fn tell_turned(&self, merged: &mut Merged) {
        let drift = merged.drift.iter_mut().map(|drift| (&drift.flag, drift.field, &mut drift.turned));
        let conflicts =
            merged.conflicts.iter_mut().map(|found| (&found.flag, found.field.as_str(), &mut found.turned));
        self.tell_fields(drift.chain(conflicts).collect());
    }

    /// The conflicts that publishes with `--keep` left open, with who turned each field.
    ///
    /// # Errors
    ///
    /// When what is published cannot be read.
    pub fn open_conflicts(&self) -> Result<Vec<Conflict>, StoreError> {
        /// As the canonical definitions write it; in a text the quotes would be escaped.
        const CONFLICTS: &[u8] = br#""conflicts":"#;
        let generation = self.generation()?;
        if generation == 0 {
            return Ok(Vec::new());
        }
        let snapshot = self.snapshot(generation)?;
        // Most have none, and reading them takes long.
        let has_some = snapshot
            .definitions_json()
            .is_ok_and(|json| json.windows(CONFLICTS.len()).any(|found| found == CONFLICTS));
        if !has_some {
            return Ok(Vec::new());
        }
        let mut conflicts = merge::open_conflicts(&self.definitions(generation)?);
        self.tell_conflicts(&mut conflicts);
        Ok(conflicts)
    }

    fn tell_conflicts(&self, conflicts: &mut [Conflict]) {
        let told = conflicts.iter_mut().map(|found| (&found.flag, found.field.as_str(), &mut found.turned));
        self.tell_fields(told.collect());
    }

    fn tell_fields(&self, fields: Vec<(&String, &str, &mut Option<Turned>)>) {
        if fields.is_empty() {
            return;
        }
        let Ok(generation) = self.generation() else { return };
        let settled = settle(self.last_records().unwrap_or_default(), generation).0;
        for (flag, field, told) in fields {
            let last = settled.iter().rev().map(|settled| &settled.record);
            let last =
                last.filter(|record| touches(record, flag, field) || record.more_differences > 0).take(1);
            // One that does not tell all that it changed may have been it.
            *told = last.filter(|record| touches(record, flag, field)).map(turned).next();
        }
    }

    pub(super) fn last_records(&self) -> Result<Vec<Record>, StoreError> {
        let Some(opened) = open_trail(&self.folder()?)? else { return Ok(Vec::new()) };
        let from = opened.metadata.len().saturating_sub(END);
        let mut file = opened.file;
        let mut bytes = Vec::new();
        let read = file.seek(SeekFrom::Start(from)).and_then(|_| file.take(END).read_to_end(&mut bytes));
        read.map_err(|source| StoreError::io("read the audit trail of", &self.directory, source))?;
        Ok(bytes.split(|byte| *byte == b'\n').filter_map(parse_line).map(|(record, _)| record).collect())
    }
}

/// Whether that change set the field.
pub(super) fn touches(record: &Record, flag: &String, field: &str) -> bool {
    let paths: &[&str] = match field {
        "percentage" => &["rollout/percentage", "schedule"],
        "by" => &["rollout/by"],
        "salt" => &["rollout/salt"],
        "bucketing" => &["rollout/bucketing"],
        field => &[field],
    };
    record.differences.iter().filter(|difference| difference.flag.as_ref() == Some(flag)).any(|difference| {
        // A key has no character that a pointer writes otherwise.
        let at = difference.pointer.strip_prefix("/flags/").and_then(|at| at.strip_prefix(flag.as_str()));
        let Some(at) = at else { return false };
        let at = at.trim_start_matches('/');
        // The field, something in it, or all that it is a part of.
        let part = |whole: &str, of: &str| {
            of.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        at.is_empty() || paths.iter().any(|path| part(path, at) || part(at, path))
    })
}

fn turned(record: &Record) -> Turned {
    Turned {
        at: record.at.clone(),
        by: record.actor.to_string(),
        action: record.action.word(),
        reason: record.reason.clone(),
    }
}
