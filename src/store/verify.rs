//! Checking the audit trail from its first record to its last.

use super::Store;
use super::audit::{LINE_LIMIT, NO_HASH, Record, anchor, parse_line, sha256};
use super::error::StoreError;
use super::layout::{AUDIT, open_plain};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

/// What came of checking an audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditCheck {
    /// Records that are good, up to the first that is not.
    pub records: u64,
    /// The first record that is missing, out of order or not as it was written.
    pub first_bad: Option<BadRecord>,
    /// The last line was cut off, as by a writer's death. The next change closes over it and says so.
    pub torn_end: bool,
}

/// Where an audit trail is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadRecord {
    /// The number that the record has, or should have.
    pub seq: u64,
    /// Its line, from 1.
    pub line: u64,
    /// What is wrong.
    pub problem: String,
}

impl Store {
    /// Checks every record's hash, the chain, the numbers, and that the end is not missing.
    ///
    /// # Errors
    ///
    /// When the audit trail cannot be read. What is wrong with its content is in the result.
    pub fn verify_audit(&self) -> Result<AuditCheck, StoreError> {
        self.read_audit(|_| {})
    }

    /// As [`verify_audit`](Self::verify_audit), and gives each record whose own hash is right, in the order of the file,
    /// those behind the first bad one too.
    ///
    /// # Errors
    ///
    /// As [`verify_audit`](Self::verify_audit).
    pub fn read_audit(&self, mut each: impl FnMut(Record)) -> Result<AuditCheck, StoreError> {
        // First what must be there, then what is there: a change made meanwhile only adds.
        let (known, known_hash) = self.read_head()?.audited();
        let mut untold: BTreeMap<u64, String> =
            self.kept()?.into_iter().map(|(generation, content)| (generation, content.to_string())).collect();
        let path = self.directory.join(AUDIT);
        let file = match open_plain(&path, false) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let problem = format!("there is no audit trail; the head knows of {known} records");
                let first_bad = (known > 0).then_some(BadRecord { seq: 1, line: 1, problem });
                return Ok(AuditCheck { records: 0, first_bad, torn_end: false });
            }
            Err(source) => return Err(StoreError::io("open the audit trail", &path, source)),
        };
        let hash = NO_HASH.to_owned();
        let mut check =
            Check { known, known_hash, seq: 0, hash, torn: Vec::new(), torn_from: 0, anchored: false };
        let mut reader = BufReader::new(file);
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
            Some((number, format!("no record tells of generation {generation}, whose snapshot is there: the end is missing, with the head of then")))
        });
        let first_bad = bad.map(|(line, problem)| BadRecord { seq: check.seq + 1, line, problem });
        Ok(AuditCheck { records: check.seq, torn_end: torn_end && first_bad.is_none(), first_bad })
    }
}

struct Check {
    known: u64,
    known_hash: u64,
    seq: u64,
    hash: String,
    /// Bytes since the last good record that are none.
    torn: Vec<u8>,
    /// The line at which they begin.
    torn_from: u64,
    anchored: bool,
}

/// A line, and what is wrong with it.
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
            // The newline that the closing record put in front of itself is not part of what it closes over.
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
        // The head may be one record behind, and its two words are not written as one.
        self.anchored |=
            (record.seq == self.known || record.seq == self.known + 1) && anchor(hash) == self.known_hash;
        self.seq = record.seq;
        self.hash.clone_from(hash);
        Ok(())
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
