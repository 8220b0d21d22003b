//! The quick path: the answer where the flag's record and the company alone decide.

use super::bucket::bucket;
use crate::key::Key;
use crate::snapshot::format::{
    FlagRecord, SHAPE_COMPANY_ROLLOUT, SHAPE_LISTS_AND_ROLLOUT, SHAPE_OFF, SHAPE_ON,
};
use crate::snapshot::{FlagId, Snapshot};

/// The threshold above every bucket.
pub(super) const FULL: u32 = 100_000;

/// The result of the quick path.
#[derive(Debug, Clone, Copy)]
pub struct Quick {
    /// The flag's number; `u32::MAX` if the snapshot has no flag of that key.
    pub(crate) flag: u32,
    /// Bit 0: on. The other bits are set for flags with lists only: denied, allowed, and on for everybody.
    pub(crate) answer: u32,
    pub(crate) shape: u8,
}

impl Quick {
    /// 1 if on, 0 if off.
    #[inline(always)]
    pub fn on(self) -> u32 {
        self.answer & 1
    }
}

impl Snapshot {
    /// The answer for the flag of that key, with its [`key_hash`] from the caller, if only the flag itself and the company decide it; an
    /// unknown flag is off. `None` if all steps are needed, as in [`enabled`](crate::enabled). Only for a snapshot with no flag killed
    /// or stopped.
    #[inline(always)]
    pub fn quick(&self, hash: u64, key: &[u8], company: i64) -> Option<Quick> {
        match self.find_record(hash, key) {
            Some((flag, record)) => {
                let answer = decide_quickly(self, record, Some(Key::Int(company)))?;
                Some(Quick { flag: flag.0, answer, shape: record.shape })
            }
            None => Some(Quick { flag: u32::MAX, answer: 0, shape: 0 }),
        }
    }

    /// Like [`quick`](Self::quick), for any company or none, and for an existing flag.
    ///
    /// # Errors
    ///
    /// The flag, if all steps are needed; `None` if there is no such flag.
    #[inline(always)]
    pub(crate) fn quick_key(
        &self,
        hash: u64,
        key: &[u8],
        company: Option<Key<'_>>,
    ) -> Result<Quick, Option<FlagId>> {
        let (flag, record) = self.find_record(hash, key).ok_or(None)?;
        let answer = decide_quickly(self, record, company).ok_or(Some(flag))?;
        Ok(Quick { flag: flag.0, answer, shape: record.shape })
    }
}

/// The answer for a flag that is neither killed nor stopped, if its record alone decides, in bit 0: 1 on, 0 off. An int, since the
/// compiler turns a bool into a branch, and the outcome of a 50 % rollout is unpredictable: that took 1.5 × as long.
#[inline(always)]
pub(super) fn decide_quickly(
    snapshot: &Snapshot,
    record: &FlagRecord,
    company: Option<Key<'_>>,
) -> Option<u32> {
    match (record.shape, company) {
        (SHAPE_COMPANY_ROLLOUT, Some(key)) => Some(in_rollout(record, key)),
        (SHAPE_ON, _) => Some(1),
        (SHAPE_OFF, _) => Some(0),
        (SHAPE_LISTS_AND_ROLLOUT, Some(key)) => Some(by_lists_and_rollout(snapshot, record, key)),
        _ => None,
    }
}

/// 1 if the key's bucket is below the threshold. Both are at most 100,000, so the difference is negative then.
#[inline(always)]
fn in_rollout(record: &FlagRecord, key: Key<'_>) -> u32 {
    bucket(key, record.seed.get()).wrapping_sub(record.threshold.get()) >> 31
}

/// Kept out of line, so that the most common questions do not pay for its registers. The further bits give the reason: 1 denied, 2
/// allowed, 3 everybody.
#[inline(never)]
fn by_lists_and_rollout(snapshot: &Snapshot, record: &FlagRecord, key: Key<'_>) -> u32 {
    if snapshot.lists_key(record.deny.get(), key) {
        0b0010
    } else if snapshot.lists_key(record.allow.get(), key) {
        0b0101
    } else {
        in_rollout(record, key) | u32::from(record.threshold.get() >= FULL) << 3
    }
}
