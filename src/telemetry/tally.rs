//! Counting for experiments: requests by variant, and what was tracked in them, by arm and event.
//!
//! A table of cells, open and never losing one, in which a cell is found by a hash of flag, arm and event. The names are in
//! the cell: whoever takes it writes them, and whoever finds it without them, since that one was killed, writes the same.

use super::exposure::GROUPS;
use super::layout::{Layout, tally};
use super::memory::Memory;
use std::sync::atomic::Ordering;
use xxhash_rust::xxh3::Xxh3;

/// Which of the answers a request got.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arm {
    /// The flag was off.
    Off,
    /// It was on, and nobody asked for a variant.
    On,
    /// It showed the variant of that name.
    Variant(String),
}

/// An arm as it is written down: its kind, and the variant's name.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArmName<'a> {
    pub(super) kind: u8,
    pub(super) name: &'a [u8],
}

pub(super) const ARM_OFF: u8 = 0;
pub(super) const ARM_ON: u8 = 1;
pub(super) const ARM_VARIANT: u8 = 2;

/// The cell of that flag (by its hash), arm and event (none: the requests themselves); none where there is no room.
pub(super) fn find(
    memory: &Memory,
    layout: Layout,
    flag: u64,
    arm: ArmName<'_>,
    event: &[u8],
) -> Option<u32> {
    if arm.name.len() > tally::NAME || event.len() > tally::NAME {
        return None;
    }
    let mut hasher = Xxh3::new();
    hasher.update(&flag.to_le_bytes());
    hasher.update(&[arm.kind, arm.name.len() as u8]);
    hasher.update(arm.name);
    hasher.update(event);
    let hash = hasher.digest().max(1);
    let room = layout.tallies();
    let home = (hash % room as u64) as usize;
    for step in 0..tally::MOST_STEPS.min(room) {
        let number = (home + step) % room;
        let at = layout.tally(number);
        let word = memory.word(at + tally::KEY * 8);
        let held = match word.compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => hash,
            Err(held) => held,
        };
        if held == hash {
            let shape = memory.word(at + tally::SHAPE * 8);
            if shape.load(Ordering::Acquire) == 0 {
                memory.set(at + tally::FLAG * 8, flag);
                write(memory, at + tally::ARM * 8, arm.name);
                write(memory, at + tally::EVENT * 8, event);
                shape.store(tally::shape(arm.kind, arm.name.len(), event.len()), Ordering::Release);
            }
            return Some(number as u32);
        }
    }
    None
}

fn write(memory: &Memory, at: usize, name: &[u8]) {
    for (number, byte) in name.iter().enumerate() {
        memory.byte(at + number).store(*byte, Ordering::Relaxed);
    }
}

/// Adds a request to a cell: its group of companies, whether it failed, and a value, of which the sum and the sum of squares are
/// kept.
pub(super) fn add(memory: &Memory, layout: Layout, cell: u32, group: u32, error: bool, value: f64) {
    let at = layout.tally(cell as usize) + (tally::GROUPS_AT + group as usize % GROUPS * tally::GROUP) * 8;
    add_float(memory, at + 16, value);
    add_float(memory, at + 24, value * value);
    if error {
        memory.add(at + 8, 1);
    }
    memory.add(at, 1);
}

fn add_float(memory: &Memory, at: usize, value: f64) {
    let word = memory.word(at);
    // Fails never: the closure gives a value always.
    let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| {
        Some((f64::from_bits(bits) + value).to_bits())
    });
}

/// Copies the arm's name of a cell; its length.
pub(super) fn arm_of(
    memory: &Memory,
    layout: Layout,
    cell: u32,
    name: &mut [u8; tally::NAME],
) -> Option<usize> {
    let at = layout.tally(cell as usize);
    let length = memory.get(at + tally::SHAPE * 8).to_le_bytes()[1] as usize;
    for (number, byte) in name.get_mut(..length)?.iter_mut().enumerate() {
        *byte = memory.byte(at + tally::ARM * 8 + number).load(Ordering::Relaxed);
    }
    Some(length)
}
