//! Check of the audit trail from its first record to its last.

use super::Store;
use crate::audit::{LINE_LIMIT, NO_HASH, Record, anchor, open_trail, parse_line, sha256};
use crate::error::StoreError;
use crate::store::layout::{AUDIT, SNAPSHOT_LIMIT};
use crate::store::open::{MapPolicy, open_snapshot};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

/// The other reason why a trail does not have what a snapshot names.
const OR_RESTORED: &str = "or the trail was restored from a backup that is older than that snapshot";

/// Result of checking an audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditCheck {
    /// Good records, up to the first bad one.
    pub records: u64,
    /// Kept snapshots that name the record of their publish, and were compared with it.
    pub snapshots: u64,
    /// The first record that is missing, out of order or not as it was written.
    pub first_bad: Option<BadRecord>,
    /// The last line was cut off, as when a writer dies. The next change closes over it and says so.
    pub torn_end: bool,
}

/// The first fault of an audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadRecord {
    /// Number that the record has, or should have.
    pub seq: u64,
    /// Line of the record, from 1.
    pub line: u64,
    /// Fault of the record.
    pub problem: String,
}

impl Store {
    /// Checks every record's hash, the chain, the numbers, that the end is not missing, and that each kept snapshot names the record of
    /// its publish.
    ///
    /// # Errors
    ///
    /// When the audit trail cannot be read. Faults of its content are in the result.
    pub fn verify_audit(&self) -> Result<AuditCheck, StoreError> {
        self.read_audit(|_| {})
    }

    /// Like [`verify_audit`](Self::verify_audit), and calls `each` with every record whose own hash is right, in the order of the file,
    /// including those behind the first bad one.
    ///
    /// # Errors
    ///
    /// The errors of [`verify_audit`](Self::verify_audit).
    pub fn read_audit(&self, mut each: impl FnMut(Record)) -> Result<AuditCheck, StoreError> {
        // Read the expected state before the trail: a change made meanwhile only adds.
        let (known, known_hash) = self.read_head()?.audited();
        let mut untold: BTreeMap<u64, String> =
            self.kept()?.into_iter().map(|(generation, content)| (generation, content.to_string())).collect();
        let (marks, snapshots) = self.marks();
        let path = self.directory.join(AUDIT);
        let Some(opened) = open_trail(&self.folder()?)? else {
            let problem = format!("there is no audit trail; the head knows of {known} records");
            let first_bad = (known > 0).then_some(BadRecord { seq: 1, line: 1, problem });
            return Ok(AuditCheck { records: 0, snapshots, first_bad, torn_end: false });
        };
        let hash = NO_HASH.to_owned();
        let mut check = Check {
            known,
            known_hash,
            marks,
            vouched: 0,
            seq: 0,
            hash,
            torn: Vec::new(),
            torn_from: 0,
            anchored: false,
        };
        let mut reader = BufReader::new(opened.file);
        let (mut line, mut number, mut bad) = (Vec::new(), 0, None);
        loop {
            line.clear();
            number += 1;
            let read = (&mut reader).take(2 * LINE_LIMIT as u64).read_until(b'\n', &mut line);
            if read.map_err(|source| StoreError::io("read the audit trail", &path, source))? == 0 {
                break;
            }
            let record = parse_line(line.strip_suffix(b"\n").unwrap_or(&line));
            if bad.is_none() {
                bad = check.line(number, &line, record.as_ref()).err();
            }
            if let Some((record, _)) = record {
                if untold.get(&record.to) == record.content.as_ref() {
                    untold.remove(&record.to);
                }
                each(record);
            }
        }
        let torn_end = bad.is_none() && !check.torn.is_empty();
        let bad = bad.or_else(|| check.end(number).err()).or_else(|| {
            let (generation, _) = untold.first_key_value()?;
            Some((number, format!("no record tells of generation {generation}, whose snapshot is there: the end is missing, with the head of then; {OR_RESTORED}")))
        });
        let bad = bad.or_else(|| {
            let (record, marks) = check.marks.first_key_value()?;
            let generation = marks.first()?.generation;
            Some((
                number,
                format!("the end is missing: the snapshot of generation {generation} names record {record}; {OR_RESTORED}"),
            ))
        });
        let first_bad = bad.map(|(line, problem)| BadRecord { seq: check.seq + 1, line, problem });
        Ok(AuditCheck { records: check.seq, snapshots, torn_end: torn_end && first_bad.is_none(), first_bad })
    }

    /// Audit records named by the kept snapshots, and how many name one. Unreadable snapshots are skipped; `status` and `doctor` report
    /// them.
    fn marks(&self) -> (BTreeMap<u64, Vec<Mark>>, u64) {
        let Ok(store) = self.folder() else { return (BTreeMap::new(), 0) };
        let policy = (MapPolicy::Auto, SNAPSHOT_LIMIT);
        let (mut marks, mut snapshots) = (BTreeMap::<u64, Vec<Mark>>::new(), 0);
        for named in self.kept().unwrap_or_default() {
            let opened = open_snapshot(&store, named, &self.identity.environment, policy);
            let Ok(Some(audited)) = opened.map_or(Ok(None), |opened| opened.snapshot.audited()) else {
                continue;
            };
            snapshots += 1;
            marks.entry(audited.record).or_default().push(Mark { generation: named.0, hash: audited.hash });
        }
        (marks, snapshots)
    }
}

/// The hash of a record, as a kept snapshot names it.
struct Mark {
    generation: u64,
    hash: String,
}

struct Check {
    known: u64,
    known_hash: u64,
    /// Expected hashes, by the number of each record that a kept snapshot names.
    marks: BTreeMap<u64, Vec<Mark>>,
    /// The last line whose record matched the mark of a snapshot.
    vouched: u64,
    seq: u64,
    hash: String,
    /// Bytes since the last good record that form no record.
    torn: Vec<u8>,
    /// The line at which they begin.
    torn_from: u64,
    anchored: bool,
}

/// A line, and its fault.
type Bad = (u64, String);

impl Check {
    fn line(&mut self, number: u64, line: &[u8], record: Option<&(Record, String)>) -> Result<(), Bad> {
        let Some((record, hash)) = record else {
            if self.torn.is_empty() {
                self.torn_from = number;
            }
            self.torn.extend_from_slice(line);
            return if self.torn.len() > 2 * LINE_LIMIT {
                Err((self.torn_from, "more bytes than any record has are not a record".to_owned()))
            } else {
                Ok(())
            };
        };
        if !self.torn.is_empty() {
            // The newline in front of the closing record is not part of the bytes that it closes over.
            let torn = self.torn.strip_suffix(b"\n").unwrap_or(&self.torn);
            let told = record.torn.as_ref().map(|torn| (torn.bytes, torn.sha256.as_str()));
            if told != Some((torn.len() as u64, sha256(torn).as_str())) {
                return Err((
                    self.torn_from,
                    format!(
                        "{} bytes in front of record {} are not what was written",
                        torn.len(),
                        record.seq
                    ),
                ));
            }
            self.torn.clear();
        } else if record.torn.is_some() {
            return Err((number, format!("what record {} closes over is missing", record.seq)));
        }
        let expected = self.seq + 1;
        if record.seq != expected {
            return Err((number, format!("found record {}, expected record {expected}", record.seq)));
        }
        if record.prev != self.hash {
            let before = match number {
                1 => String::new(),
                _ => format!("; it, or line {}, was written over", number - 1),
            };
            return Err((
                number,
                format!(
                    "record {expected} does not follow the one before it: its `prev` is another hash{before}"
                ),
            ));
        }
        for mark in self.marks.remove(&record.seq).unwrap_or_default() {
            if mark.hash != *hash {
                return Err((number, self.rewritten(record.seq, number, mark.generation)));
            }
            self.vouched = number;
        }
        // The head may be one record behind, and its two words are not written as one.
        self.anchored |=
            (record.seq == self.known || record.seq == self.known + 1) && anchor(hash) == self.known_hash;
        self.seq = record.seq;
        self.hash.clone_from(hash);
        Ok(())
    }

    /// Explains a record that differs from the mark of a snapshot.
    fn rewritten(&self, seq: u64, line: u64, generation: u64) -> String {
        let from = self.vouched + 1;
        let lines = if from == line { format!("line {line}") } else { format!("lines {from} to {line}") };
        format!(
            "record {seq} is not the one that the snapshot of generation {generation} names: something in {lines} was \
             written over, and the hashes made to fit; {OR_RESTORED}"
        )
    }

    /// `number` is that of the line behind the last.
    fn end(&self, number: u64) -> Result<(), Bad> {
        if self.seq < self.known {
            let missing = self.known - self.seq;
            if !self.torn.is_empty() {
                let bytes = self.torn.len();
                return Err((
                    self.torn_from,
                    format!(
                        "{bytes} bytes are not the record that was written there, and the end is missing: the head knows of records up to {}",
                        self.known
                    ),
                ));
            }
            return Err((
                number,
                format!("the end is missing: {missing} records that the head knows of, up to {}", self.known),
            ));
        }
        if self.known > 0 && !self.anchored {
            return Err((
                number.saturating_sub(1),
                format!("record {} is not the one that the head knows", self.known),
            ));
        }
        Ok(())
    }
}
