//! Counting for experiments: requests by variant, and tracked events by arm.
//!
//! Each group of flags has a hash table of tallies, with open addressing and without removal, keyed by flag, arm and event.
//! Names are stored in the tally: the thread that takes it writes them, and a thread that finds it without them, since that
//! one was killed, writes the same.

use super::exposure::GROUPS;
use super::layout::{self, GROUP_COUNT, GROUP_FLAGS, GROUP_TALLIES, TALLIES, tally};
use super::memory::{Memory, reserve};
use crate::files::OwnFile;
use std::sync::atomic::Ordering;
use xxhash_rust::xxh3::Xxh3;

/// The answer that a request got, as an experiment counts it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arm {
    /// The flag was off.
    Off,
    /// It was on, and no variant was asked for.
    On,
    /// It showed the variant with this name.
    Variant(String),
}

/// An encoded arm: its kind, and the variant's name.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArmName<'a> {
    pub(super) kind: u8,
    pub(super) name: &'a [u8],
}

pub(super) const ARM_OFF: u8 = 0;
pub(super) const ARM_ON: u8 = 1;
pub(super) const ARM_VARIANT: u8 = 2;

/// The tallies for which a thread has already reserved room.
#[derive(Debug)]
pub(super) struct Tallies {
    keys: [u64; GROUP_COUNT.div_ceil(64)],
    reserved: Box<[u64]>,
}

impl Tallies {
    pub(super) fn new() -> Tallies {
        Tallies { keys: [0; _], reserved: vec![0; TALLIES.div_ceil(64)].into_boxed_slice() }
    }

    /// Finds or takes the tally of a flag (its number and hash), an arm and an event (empty: the requests themselves); none
    /// if there is no room.
    pub(super) fn find(
        &mut self,
        memory: &Memory,
        file: &OwnFile,
        flag: (u32, u64),
        arm: ArmName<'_>,
        event: &[u8],
    ) -> Option<u32> {
        let (slot, flag) = flag;
        if arm.name.len() > tally::NAME || event.len() > tally::NAME {
            return None;
        }
        let mut hasher = Xxh3::new();
        hasher.update(&flag.to_le_bytes());
        hasher.update(&[arm.kind, arm.name.len() as u8]);
        hasher.update(arm.name);
        hasher.update(event);
        let hash = hasher.digest().max(1);
        let group = slot as usize / GROUP_FLAGS;
        let first = group * GROUP_TALLIES;
        let keys = || reserve(file, layout::tally_key(first), GROUP_TALLIES * 8);
        once(self.keys.get_mut(group / 64)?, group % 64, keys)?;
        let home = (hash % GROUP_TALLIES as u64) as usize;
        for step in 0..tally::MOST_STEPS.min(GROUP_TALLIES) {
            let number = first + (home + step) % GROUP_TALLIES;
            let key = memory.word(layout::tally_key(number));
            let held = key.load(Ordering::Relaxed);
            if held != 0 && held != hash {
                continue;
            }
            let at = layout::tally(number);
            let room = || reserve(file, at, tally::WORDS * 8);
            once(self.reserved.get_mut(number / 64)?, number % 64, room)?;
            let taken = key.compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed);
            if taken.is_err_and(|held| held != hash) {
                continue;
            }
            let shape = memory.word(at + tally::SHAPE * 8);
            if shape.load(Ordering::Acquire) == 0 {
                memory.set(at + tally::FLAG * 8, flag);
                write(memory, at + tally::ARM * 8, arm.name);
                write(memory, at + tally::EVENT * 8, event);
                shape.store(tally::shape(arm.kind, arm.name.len(), event.len()), Ordering::Release);
            }
            return Some(number as u32);
        }
        None
    }
}

/// Reserves room unless the bit says that it was done; none if there is no room.
fn once(word: &mut u64, bit: usize, room: impl Fn() -> std::io::Result<()>) -> Option<()> {
    if *word >> bit & 1 == 0 {
        room().ok()?;
        *word |= 1 << bit;
    }
    Some(())
}

fn write(memory: &Memory, at: usize, name: &[u8]) {
    for (number, byte) in name.iter().enumerate() {
        memory.byte(at + number).store(*byte, Ordering::Relaxed);
    }
}

/// Adds a request to a tally: its group of companies, whether it failed, and a value, which is added to the sum and its
/// square to the sum of squares.
pub(super) fn add(memory: &Memory, cell: u32, group: u32, error: bool, value: f64) {
    let at = layout::tally(cell as usize) + (tally::GROUPS_AT + group as usize % GROUPS * tally::GROUP) * 8;
    add_float(memory, at + 16, value);
    add_float(memory, at + 24, value * value);
    if error {
        memory.add(at + 8, 1);
    }
    memory.add(at, 1);
}

fn add_float(memory: &Memory, at: usize, value: f64) {
    let word = memory.word(at);
    // Never fails: the closure always returns a value.
    let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| {
        Some((f64::from_bits(bits) + value).to_bits())
    });
}

/// Copies the arm's name of a tally and returns its length.
pub(super) fn arm_of(memory: &Memory, cell: u32, name: &mut [u8; tally::NAME]) -> Option<usize> {
    let at = layout::tally(cell as usize);
    let length = memory.get(at + tally::SHAPE * 8).to_le_bytes()[1] as usize;
    for (number, byte) in name.get_mut(..length)?.iter_mut().enumerate() {
        *byte = memory.byte(at + tally::ARM * 8 + number).load(Ordering::Relaxed);
    }
    Some(length)
}
