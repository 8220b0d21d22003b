//! Checking the audit trail from its first record to its last.

use super::Store;
use super::audit::{LINE_LIMIT, NO_HASH, anchor, parse_line, sha256};
use super::error::StoreError;
use super::layout::{AUDIT, open_plain};
use serde::Serialize;
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
        // First what must be there, then what is there: a change made meanwhile only adds.
        let (known, known_hash) = self.read_head()?.audited();
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
        let mut check =
            Check { known, known_hash, seq: 0, hash: NO_HASH.to_owned(), torn: Vec::new(), anchored: false };
        let mut reader = BufReader::new(file);
        let (mut line, mut number) = (Vec::new(), 0);
        let bad = loop {
            line.clear();
            number += 1;
            let read = (&mut reader).take(2 * LINE_LIMIT as u64).read_until(b'\n', &mut line);
            if read.map_err(|source| StoreError::io("read the audit trail", &path, source))? == 0 {
                break check.end();
            }
            if let Err(problem) = check.line(&line) {
                break Err(problem);
            }
        };
        let torn_end = bad.is_ok() && !check.torn.is_empty();
        let first_bad = bad.err().map(|problem| BadRecord { seq: check.seq + 1, line: number, problem });
        Ok(AuditCheck { records: check.seq, first_bad, torn_end })
    }
}

struct Check {
    known: u64,
    known_hash: u64,
    seq: u64,
    hash: String,
    /// Bytes since the last good record that are none.
    torn: Vec<u8>,
    anchored: bool,
}

impl Check {
    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let whole = line.strip_suffix(b"\n").unwrap_or(line);
        let Some((record, hash)) = parse_line(whole) else {
            self.torn.extend_from_slice(line);
            return if self.torn.len() > 2 * LINE_LIMIT {
                Err("more bytes than any record has are not a record".to_owned())
            } else {
                Ok(())
            };
        };
        if !self.torn.is_empty() {
            // The newline that the closing record put in front of itself is not part of what it closes over.
            let torn = self.torn.strip_suffix(b"\n").unwrap_or(&self.torn);
            let told = record.torn.as_ref().map(|torn| (torn.bytes, torn.sha256.as_str()));
            if told != Some((torn.len() as u64, sha256(torn).as_str())) {
                return Err(format!(
                    "{} bytes in front of record {} are not what was written",
                    torn.len(),
                    record.seq
                ));
            }
            self.torn.clear();
        } else if record.torn.is_some() {
            return Err(format!("what record {} closes over is missing", record.seq));
        }
        let expected = self.seq + 1;
        if record.seq != expected {
            return Err(format!("found record {}, expected record {expected}", record.seq));
        }
        if record.prev != self.hash {
            return Err(format!(
                "record {expected} does not follow the one before it: its `prev` is another hash"
            ));
        }
        // The head may be one record behind, and its two words are not written as one.
        self.anchored |=
            (record.seq == self.known || record.seq == self.known + 1) && anchor(&hash) == self.known_hash;
        self.seq = record.seq;
        self.hash = hash;
        Ok(())
    }

    fn end(&self) -> Result<(), String> {
        if self.seq < self.known {
            let missing = self.known - self.seq;
            return Err(format!(
                "the end is missing: {missing} records that the head knows of, up to {}",
                self.known
            ));
        }
        if self.known > 0 && !self.anchored {
            return Err(format!("record {} is not the one that the head knows", self.known));
        }
        Ok(())
    }
}
