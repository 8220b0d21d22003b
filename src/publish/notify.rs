//! Progress of each endpoint of notifications, `notify/NAME.json`, and the changes not sent yet.

use super::Store;
use super::exclusive::{Place, Post};
use crate::audit::{ChangeSettler, Record, SettledChange, settle};
use crate::error::StoreError;
use crate::notify::{Cursor, ToldFlags};
use crate::time::parse_rfc3339;
use std::collections::BTreeMap;

/// Largest file of a cursor, in bytes.
const MAX_CURSOR_BYTES: u64 = 4 << 20;

/// The role of the only sender to an endpoint, until dropped; the kernel releases it if the process dies.
pub struct Sender {
    post: Post,
    /// Progress of the endpoint; none if nothing was ever sent to it.
    pub cursor: Option<Cursor>,
}

/// Changes that an endpoint was not told yet.
pub struct UnsentChanges {
    /// The changes, the oldest first.
    pub changes: Vec<SettledChange>,
    /// The last record looked at, in front of one that may still be running.
    pub last: Option<(u64, String)>,
    /// The record of a publish that may still be made: the cursor stays in front of it.
    pub open: Option<u64>,
    /// Number of records in the trail, as the head knows it.
    pub audited: u64,
}

impl Store {
    /// The store's id, 32 hex digits.
    pub fn id(&self) -> String {
        crate::snapshot::ContentId(self.identity.store).to_string()
    }

    /// Progress of an endpoint; none if nothing was ever sent to it.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn cursor(&self, endpoint: &str) -> Result<Option<Cursor>, StoreError> {
        let hint = "remove it to begin with what happens from now on";
        place(endpoint).kept(&self.folder()?, MAX_CURSOR_BYTES, hint)
    }

    /// Becomes the only sender to an endpoint. None: another process is.
    ///
    /// # Errors
    ///
    /// When the endpoint's files cannot be written.
    pub fn sender(&self, endpoint: &str) -> Result<Option<Sender>, StoreError> {
        let Some(post) = place(endpoint).take(&self.folder()?)? else { return Ok(None) };
        Ok(Some(Sender { post, cursor: self.cursor(endpoint)? }))
    }

    /// Changes made after the cursor; without a cursor, none, and the place to begin.
    ///
    /// # Errors
    ///
    /// When the head or the audit trail cannot be read.
    pub fn unsent(&self, cursor: Option<&Cursor>) -> Result<UnsentChanges, StoreError> {
        let (audited, _) = self.read_head()?.audited();
        let quiet = cursor.is_some_and(|cursor| cursor.seen == audited && audited > 0);
        if quiet {
            return Ok(UnsentChanges { changes: Vec::new(), last: None, open: None, audited });
        }
        let mut records: Vec<Record> = Vec::new();
        let mut last: Option<(u64, String)> = None;
        let mut same = cursor.is_none_or(|cursor| cursor.seq == 0);
        let after = cursor.and_then(|cursor| parse_rfc3339(cursor.at.as_bytes()));
        let (mut settling, mut told, mut ends) =
            (ChangeSettler::default(), ToldFlags::default(), BTreeMap::new());
        let mut made = |change: SettledChange| {
            let ended = told.next(&change.record);
            if !ended.is_empty() {
                ends.insert(change.record.seq, ended);
            }
        };
        let (from, at) = cursor.map_or((u64::MAX, ""), |cursor| (cursor.seq, cursor.at.as_str()));
        self.records(|record| {
            same |= record.seq == from && record.at == at;
            last = Some((record.seq, record.at.clone()));
            settling.next(record.clone(), &mut made);
            // In another trail, one that was restored, records younger than the last one sent.
            let younger = || parse_rfc3339(record.at.as_bytes()) > after;
            if cursor.is_some() && (record.seq > from || younger()) {
                records.push(record.clone());
            }
        })?;
        if same {
            records.retain(|record| record.seq > from);
        } else {
            records.retain(|record| parse_rfc3339(record.at.as_bytes()) > after);
        }
        // Read after the trail: an intention that the head shows by now was made.
        let generation = self.generation()?;
        settling.end(generation, &mut made);
        let (mut changes, open) = settle(records, generation);
        for change in &mut changes {
            change.ends = ends.remove(&change.record.seq).unwrap_or_default();
        }
        // A kill during a publish is told at once, and the cursor waits in front of that publish.
        changes.sort_by_key(|change| change.record.seq);
        changes.retain(|change| cursor.is_none_or(|cursor| !cursor.ahead.contains(&change.record.seq)));
        if let Some(open) = open {
            last = last.filter(|(seq, _)| *seq < open);
        }
        Ok(UnsentChanges { changes, last, open, audited: if open.is_none() { audited } else { 0 } })
    }
}

impl Sender {
    /// Saves the progress of the endpoint, on the disk.
    ///
    /// # Errors
    ///
    /// When it cannot be written: the same changes will be sent again.
    pub fn save(&self, cursor: &Cursor) -> Result<(), StoreError> {
        self.post.keep(cursor)
    }
}

fn place(endpoint: &str) -> Place {
    Place { folder: "notify", lock: format!("{endpoint}.lock"), keeps: format!("{endpoint}.json") }
}
