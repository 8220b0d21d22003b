//! The table that finds a flag by PHP's own hash of its key.

use crate::snapshot::format::{FIBONACCI, FlagRecord, Slot};

/// Longest probe that is accepted before the table is doubled, at most `DOUBLINGS` times: keys that share one hash stay together however
/// large the table is.
const MAX_ACCEPTED_PROBE: u32 = 8;
const DOUBLINGS: u32 = 3;

/// Returns the slots and the longest probe.
pub(super) fn build(flags: &[FlagRecord]) -> (Vec<Slot>, u32) {
    let mut slots = (flags.len() * 2).next_power_of_two().max(2);
    for _ in 0..DOUBLINGS {
        let (table, probe) = fill(flags, slots);
        if probe <= MAX_ACCEPTED_PROBE {
            return (table, probe);
        }
        slots *= 2;
    }
    fill(flags, slots)
}

fn fill(flags: &[FlagRecord], slots: usize) -> (Vec<Slot>, u32) {
    let empty = Slot { hash: 0.into(), flag: 0.into(), reserved: 0.into() };
    let mut table = vec![empty; slots];
    let mut longest = 0;
    for (number, flag) in flags.iter().enumerate() {
        let mut at = (flag.hash.get().wrapping_mul(FIBONACCI) >> (64 - slots.trailing_zeros())) as usize;
        let mut probe = 1;
        while table[at].hash.get() != 0 {
            at = (at + 1) & (slots - 1);
            probe += 1;
        }
        table[at] = Slot { hash: flag.hash, flag: (number as u32).into(), reserved: 0.into() };
        longest = longest.max(probe);
    }
    (table, longest)
}
