//! Whether a flag can be on for anyone, and the flags that keep others off.

use super::Switches;
use super::answer::{requires, rules, switched_off, threshold};
use crate::snapshot::{FlagId, Snapshot};

/// True if the flag could be on for anyone at that instant: it and all that it requires are neither killed, stopped nor disabled, and
/// each has some way to on.
pub fn possible(snapshot: &Snapshot, switches: &Switches, flag: FlagId, now: i64) -> bool {
    is_open(snapshot, switches, flag, now) && blocker(snapshot, switches, flag, now).is_none()
}

/// The required flag that is off for everybody and alone keeps this one off, or is the first of them, in an order in which a flag comes
/// after those that it requires.
pub fn blocker(snapshot: &Snapshot, switches: &Switches, flag: FlagId, now: i64) -> Option<FlagId> {
    let record = snapshot.flag(flag).filter(|_| is_open(snapshot, switches, flag, now))?;
    requires(snapshot, record).map(FlagId).find(|required| !is_open(snapshot, switches, *required, now))
}

/// The flags that are off while `flag` is off for everybody: they require it, directly or through others, and are not off by themselves.
pub fn dependents(
    snapshot: &Snapshot,
    switches: &Switches,
    flag: FlagId,
    now: i64,
) -> impl Iterator<Item = FlagId> {
    let flag = snapshot.renamed_to(flag).unwrap_or(flag);
    snapshot.flag_ids().filter(move |id| {
        snapshot.renamed_to(*id).is_none()
            && snapshot.flag(*id).is_some_and(|record| requires(snapshot, record).any(|link| link == flag.0))
            && is_open(snapshot, switches, *id, now)
    })
}

/// True if the flag by itself could be on for anyone.
fn is_open(snapshot: &Snapshot, switches: &Switches, flag: FlagId, now: i64) -> bool {
    snapshot.flag(flag).is_some_and(|record| {
        switched_off(switches, flag, record).is_none()
            && (snapshot.list_size(record.allow.get()) > 0
                || threshold(snapshot, record, now) > 0
                || rules(snapshot, record).iter().any(|rule| rule.threshold.get() > 0))
    })
}
