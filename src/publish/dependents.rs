//! Flags that are off because another one, which they require, is off.

use super::Store;
use crate::eval::{self, Switches};
use crate::snapshot::Snapshot;
use crate::store::head::Head;
use crate::time::now;

/// The most flags that a sentence names.
const NAMED: usize = 10;

impl Store {
    /// Keys of the flags that are off while `flag` is off for everybody: they require it, directly or through others. None if the
    /// published snapshot cannot be read.
    pub fn dependents(&self, flag: &str) -> Vec<String> {
        let found = self
            .read_head()
            .and_then(|head| Ok(dependents(&self.snapshot(self.generation()?)?, &head, flag)));
        found.unwrap_or_default()
    }
}

pub(crate) fn dependents(snapshot: &Snapshot, head: &Head, flag: &str) -> Vec<String> {
    let Some(id) = snapshot.find(flag.as_bytes()) else { return Vec::new() };
    let killed = head.killed();
    let killed = killed.iter().map(|killed| killed.key.as_slice());
    let switches = Switches::new(snapshot, killed, head.stopped().is_some());
    let found = eval::dependents(snapshot, &switches, id, now());
    found.map(|id| snapshot.flag_key(id).to_owned()).collect()
}

/// A clause on the dependents of a flag; none if there are none.
pub fn dependents_text(flags: &[String]) -> Option<String> {
    let named = flags.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match flags.len() {
        0 => None,
        1..=NAMED => Some(format!("off as well, since they require it: {named}")),
        all => Some(format!("off as well, since they require it: {named} and {} more", all - NAMED)),
    }
}
