//! Damaged kill slots of the head, and what the audit trail has of the kills that they held.

use super::{AuditCheck, Store};
use crate::audit::{Action, Outcome};
use crate::error::StoreError;
use crate::store::head::Head;
use crate::time::parse_rfc3339;
use std::collections::BTreeMap;

/// Damaged kill slots, and the audit trail's stand-in for them.
pub(crate) struct DamagedSlots {
    count: u64,
    /// Flags killed and not revived since, according to the trail, with the time in microseconds since 1970.
    pub(crate) killed: BTreeMap<String, i64>,
    /// The fault of the trail, if it has one.
    pub(crate) fault: Option<String>,
}

impl DamagedSlots {
    /// The damage, and the way out of it. A kill that was made on a full disk has no record, so that a person has to say that none is missing.
    pub(crate) fn text(&self) -> String {
        let killed: Vec<&str> = self.killed.keys().map(String::as_str).collect();
        let killed = match killed.as_slice() {
            [] => "no flag is killed".to_owned(),
            killed => format!("{} is killed", killed.join(", ")),
        };
        let fault = self
            .fault
            .as_ref()
            .map_or(String::new(), |fault| format!(", but it cannot be relied on ({fault})"));
        format!(
            "{} of its kill slots are damaged, so which flags are killed is not known. By the audit trail {killed}{fault}; a kill that it lacks would end. Kill \
             what else is to stay off: flagstone kill FLAG --reason WHY. Then type: flagstone resume-all --force",
            self.count
        )
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
        let count = head.damaged(head.slots().iter());
        if count == 0 {
            return None;
        }
        let mut killed = BTreeMap::new();
        let check = self.read_audit(|record| {
            if let (Outcome::Done, Some(flag)) = (record.outcome, record.flag) {
                match record.action {
                    Action::Kill => {
                        killed.entry(flag).or_insert(parse_rfc3339(record.at.as_bytes()).unwrap_or_default());
                    }
                    Action::Revive => _ = killed.remove(&flag),
                    _ => {}
                }
            }
        });
        Some(DamagedSlots { count, killed, fault: fault(check) })
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
