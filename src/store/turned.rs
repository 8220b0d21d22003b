//! Who turned a switch that is not as the file says: the last change of it that the end of the audit trail tells of.

use super::Store;
use super::audit::{Record, open_trail, parse_line};
use super::error::StoreError;
use super::settled::settle;
use crate::merge::{Drift, Turned};
use std::io::{Read, Seek, SeekFrom};

/// How much of the trail's end is read, in bytes: some thousand changes, in some milliseconds.
const END: u64 = 4 << 20;

impl Store {
    /// Says of each drift who turned the switch, when and why. What lies further back, or cannot be read, is left open.
    pub fn tell_turned(&self, drift: &mut [Drift]) {
        if drift.is_empty() {
            return;
        }
        let Ok(generation) = self.generation() else { return };
        let settled = settle(self.last_records().unwrap_or_default(), generation).0;
        for drift in drift {
            let last = settled.iter().rev().map(|settled| &settled.record);
            let last = last.filter(|record| touches(record, drift) || record.more_differences > 0).take(1);
            // One that does not tell all that it changed may have been it.
            drift.turned = last.filter(|record| touches(record, drift)).map(turned).next();
        }
    }

    fn last_records(&self) -> Result<Vec<Record>, StoreError> {
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
fn touches(record: &Record, drift: &Drift) -> bool {
    let path = if drift.field == "percentage" { "rollout/percentage" } else { drift.field };
    record.differences.iter().filter(|difference| difference.flag.as_ref() == Some(&drift.flag)).any(
        |difference| {
            // A key has no character that a pointer writes otherwise.
            let at = difference
                .pointer
                .strip_prefix("/flags/")
                .and_then(|at| at.strip_prefix(drift.flag.as_str()));
            let Some(at) = at else { return false };
            let at = at.trim_start_matches('/');
            // The field, something in it, or all that it is a part of.
            let part = |whole: &str, of: &str| {
                of.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            at.is_empty() || part(path, at) || part(at, path)
        },
    )
}

fn turned(record: &Record) -> Turned {
    Turned {
        at: record.at.clone(),
        by: record.actor.to_string(),
        action: record.action.word(),
        reason: record.reason.clone(),
    }
}
