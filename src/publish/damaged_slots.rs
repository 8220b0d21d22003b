//! Damaged kill slots of the head, and what the audit trail has of the kills that they held.

use super::{AuditCheck, Store};
use crate::audit::{Action, Outcome};
use crate::error::StoreError;
use crate::store::head::{Head, KillSlot, doubt_text};
use crate::time::parse_rfc3339;
use std::collections::{BTreeMap, BTreeSet};

/// Damaged kill slots, and the audit trail's stand-in for them.
pub(crate) struct DamagedSlots {
    count: u64,
    /// Flags killed and not revived since, according to the trail, with the time in microseconds since 1970.
    pub(crate) killed: BTreeMap<String, i64>,
    /// The reason why the trail may lack a kill that a damaged slot held; none if it has them all.
    pub(crate) gap: Option<String>,
}

impl DamagedSlots {
    /// The damage, and the way out of it.
    pub(crate) fn text(&self) -> String {
        match &self.gap {
            None => doubt_text(self.count),
            Some(gap) => format!(
                "{} of its kill slots are damaged, and the audit trail does not tell what they held ({gap}): a flag that was killed may be on after \
                 `flagstone resume-all`, which is refused therefore. Kill what is to stay off: flagstone kill FLAG --reason WHY. Then type: \
                 flagstone resume-all --force",
                self.count
            ),
        }
    }
}

impl Store {
    /// The reason why the kill slots do not tell which flags are killed, and the way out; none if they tell. Reads the audit trail where
    /// slots are damaged.
    ///
    /// # Errors
    ///
    /// When the head cannot be read.
    pub fn kills_unknown(&self) -> Result<Option<String>, StoreError> {
        Ok(self.damaged_slots(&self.read_head()?).map(|damaged| damaged.text()))
    }

    /// The damaged slots of a head; none if there are none. It takes no lock.
    pub(crate) fn damaged_slots(&self, head: &Head) -> Option<DamagedSlots> {
        let slots = head.slots();
        let count = head.damaged(slots.iter());
        if count == 0 {
            return None;
        }
        let mut trail = Trail::default();
        let check = self.read_audit(|record| {
            if let (Outcome::Done, Some(flag)) = (record.outcome, record.flag) {
                match record.action {
                    Action::Kill => trail.kill(flag, parse_rfc3339(record.at.as_bytes()).unwrap_or_default()),
                    Action::Revive => _ = trail.killed.remove(&flag),
                    _ => {}
                }
            }
        });
        let gap = fault(check).or_else(|| trail.missing(count, &slots));
        Some(DamagedSlots { count, killed: trail.killed, gap })
    }
}

/// The fault of the trail as a whole.
fn fault(check: Result<AuditCheck, StoreError>) -> Option<String> {
    match check {
        Err(error) => Some(error.to_string()),
        Ok(AuditCheck { first_bad: Some(bad), .. }) => Some(format!("record {}: {}", bad.seq, bad.problem)),
        Ok(AuditCheck { torn_end: true, .. }) => Some("its last line was cut off".to_owned()),
        Ok(_) => None,
    }
}

/// Kills according to the audit trail.
#[derive(Default)]
struct Trail {
    killed: BTreeMap<String, i64>,
    ever: BTreeSet<String>,
    /// The most flags that were killed at one time.
    most: u64,
}

impl Trail {
    fn kill(&mut self, flag: String, at: i64) {
        self.ever.insert(flag.clone());
        self.killed.entry(flag).or_insert(at);
        self.most = self.most.max(self.killed.len() as u64);
    }

    /// The reason why a damaged slot may have held a kill without a record, as one made on a full disk. A kill takes the first slot that
    /// is free, so no more are in use than flags were killed at one time; one made without the lock may take another, which errs on the
    /// side of off.
    fn missing(&self, damaged: u64, slots: &[KillSlot]) -> Option<String> {
        let flags = slots.iter().filter_map(|slot| std::str::from_utf8(&slot.flag.as_ref()?.key).ok());
        let used = damaged + flags.filter(|flag| self.ever.contains(*flag)).count() as u64;
        (used > self.most).then(|| {
            format!(
                "{used} slots were in use, and by its records {} flags at most were killed at one time",
                self.most
            )
        })
    }
}
