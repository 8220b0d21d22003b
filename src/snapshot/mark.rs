//! The audit section: the record of the audit trail that intends the publish. It comes after everything that the content's id covers:
//! the same definitions have the same id, whenever and by whom they were published. No answer reads it.

use super::format::{AuditRecord, HEADER_SIZE, Header};
use super::{Snapshot, SnapshotError, validate};
use serde::Serialize;
use std::fmt::Write as _;
use std::ops::Range;
use zerocopy::FromBytes;

/// Position in the audit trail at the publish of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audited {
    /// Number of the record that intends the publish.
    pub record: u64,
    /// The record's hash, 64 hex digits.
    pub hash: String,
}

impl Audited {
    /// The section in a snapshot; `None` if the hash is invalid.
    pub(crate) fn section(&self) -> Option<AuditRecord> {
        let mut hash = [0; 32];
        let digits = self.hash.as_bytes().as_chunks::<2>().0;
        if digits.len() != hash.len() || self.hash.len() != 64 {
            return None;
        }
        for (byte, digits) in hash.iter_mut().zip(digits) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(AuditRecord::of(self.record, hash))
    }
}

impl AuditRecord {
    pub(crate) fn of(number: u64, hash: [u8; 32]) -> AuditRecord {
        let mut record = AuditRecord { number: number.into(), hash, checksum: 0.into() };
        record.checksum = validate::audit_checksum(&record).into();
        record
    }
}

/// Range of the audit section in a sound snapshot; `None` in version 1.0.
pub(crate) fn place(bytes: &[u8]) -> Option<Range<usize>> {
    let (header, _) = Header::ref_from_prefix(bytes).ok()?;
    let offset = usize::try_from(header.audit.offset.get()).ok()?;
    let range = offset..offset.checked_add(usize::try_from(header.audit.size.get()).ok()?)?;
    (header.minor.get() > 0 && offset >= HEADER_SIZE && range.end <= bytes.len()).then_some(range)
}

impl Snapshot {
    /// The record of the audit trail that it names; `None` before the publish, and in version 1.0.
    ///
    /// # Errors
    ///
    /// When the checksum of that section does not match.
    pub fn audited(&self) -> Result<Option<Audited>, SnapshotError> {
        let Some(record) = validate::audit_record(self.bytes.as_slice())? else { return Ok(None) };
        let mut hash = String::with_capacity(64);
        for byte in record.hash {
            let _ = write!(hash, "{byte:02x}");
        }
        Ok((record.number.get() > 0).then(|| Audited { record: record.number.get(), hash }))
    }
}
