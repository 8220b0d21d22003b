//! Behind what each endpoint of notifications is: `notify/NAME.json`, and the changes after that.

use super::Store;
use super::audit::Record;
use super::error::StoreError;
use super::post::{Place, Post};
use super::settled::{Settled, settle};
use crate::eval::time::parse_rfc3339;
use crate::notify::Cursor;

/// No file of a cursor is longer, in bytes.
const LIMIT: u64 = 4 << 20;

/// The one that sends to an endpoint, until dropped; the kernel lets go of it when it dies.
pub struct Sender {
    post: Post,
    /// Where the endpoint is; none: nobody ever sent to it.
    pub cursor: Option<Cursor>,
}

/// What an endpoint was not told yet.
pub struct Unsent {
    /// The oldest first.
    pub changes: Vec<Settled>,
    /// The last record looked at, but for one that somebody may be at.
    pub last: Option<(u64, String)>,
    /// The record of a publish that may still be made: the cursor stays in front of it.
    pub open: Option<u64>,
    /// The trail's last record, as the head knows it.
    pub audited: u64,
}

impl Store {
    /// The store's id, 32 hex digits.
    pub fn id(&self) -> String {
        crate::snapshot::ContentId(self.identity.store).to_string()
    }

    /// Where an endpoint is; none if nobody ever sent to it.
    ///
    /// # Errors
    ///
    /// When that cannot be read.
    pub fn cursor(&self, endpoint: &str) -> Result<Option<Cursor>, StoreError> {
        let hint = "remove it to begin with what happens from now on";
        place(endpoint).kept(&self.folder()?, LIMIT, hint)
    }

    /// Becomes the one that sends to an endpoint. None: another process is.
    ///
    /// # Errors
    ///
    /// When the endpoint's files cannot be written.
    pub fn sender(&self, endpoint: &str) -> Result<Option<Sender>, StoreError> {
        let Some(post) = place(endpoint).take(&self.folder()?)? else { return Ok(None) };
        Ok(Some(Sender { post, cursor: self.cursor(endpoint)? }))
    }

    /// The changes that were made after the cursor; without one, none, and where to begin.
    ///
    /// # Errors
    ///
    /// When the head or the audit trail cannot be read.
    pub fn unsent(&self, cursor: Option<&Cursor>) -> Result<Unsent, StoreError> {
        let (audited, _) = self.read_head()?.audited();
        let quiet = cursor.is_some_and(|cursor| cursor.seen == audited && audited > 0);
        if quiet {
            return Ok(Unsent { changes: Vec::new(), last: None, open: None, audited });
        }
        let mut records: Vec<Record> = Vec::new();
        let mut last: Option<(u64, String)> = None;
        let mut same = cursor.is_none_or(|cursor| cursor.seq == 0);
        let after = cursor.and_then(|cursor| parse_rfc3339(cursor.at.as_bytes()));
        let (from, at) = cursor.map_or((u64::MAX, ""), |cursor| (cursor.seq, cursor.at.as_str()));
        self.records(|record| {
            same |= record.seq == from && record.at == at;
            last = Some((record.seq, record.at.clone()));
            // Of another trail, one that was restored: what is younger than what was sent.
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
        let (mut changes, open) = settle(records, self.generation()?);
        // A kill in the middle of a publish is told at once, and the cursor waits in front of that publish.
        changes.sort_by_key(|change| change.record.seq);
        changes.retain(|change| cursor.is_none_or(|cursor| !cursor.ahead.contains(&change.record.seq)));
        if let Some(open) = open {
            last = last.filter(|(seq, _)| *seq < open);
        }
        Ok(Unsent { changes, last, open, audited: if open.is_none() { audited } else { 0 } })
    }
}

impl Sender {
    /// Keeps where the endpoint is, on the disk.
    ///
    /// # Errors
    ///
    /// When that cannot be written: what was sent will be sent again.
    pub fn save(&self, cursor: &Cursor) -> Result<(), StoreError> {
        self.post.keep(cursor)
    }
}

fn place(endpoint: &str) -> Place {
    Place { folder: "notify", lock: format!("{endpoint}.lock"), keeps: format!("{endpoint}.json") }
}
