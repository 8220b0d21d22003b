//! Turning the hour: recording the number of answers at its beginning, and clearing a new sketch in time.
//!
//! The thread that first ends a request in an hour turns it, after that request; if it is killed meanwhile, another thread
//! repeats it. Hours without questions begin with the numbers before them.

use super::file::taken;
use super::layout::{
    self, FIRST, FLAGS, GROUP_FLAGS, HOURS, REGISTERS, SKETCH_HOURS, SKETCHES, cell, header, page, sketch_of,
};
use super::memory::Memory;
use crate::eval::Reason;
use std::sync::atomic::Ordering;

/// Microseconds after which a thread that turns the hour is taken for dead.
const TURN_TIMEOUT_MICROS: u64 = 10_000_000;
const MICROSECONDS: u64 = 3_600_000_000;

/// The hour since 1970 of an instant in microseconds.
pub(super) fn hour_of(now: i64) -> u64 {
    now.max(0).cast_unsigned() / MICROSECONDS
}

/// The current hour, as the memory has it.
#[inline]
pub(super) fn current(memory: &Memory) -> u64 {
    memory.get(header::HOUR * 8)
}

/// Turns the hour if it is over.
pub(super) fn turn(memory: &Memory, now: i64) {
    let hour = hour_of(now);
    let last = current(memory);
    // Processor clocks differ by less than an hour: one that is an hour behind waits; with a larger difference, the memory
    // holds no valid hour.
    if last == hour || last == hour + 1 {
        return;
    }
    let turning = memory.word(header::TURNING * 8);
    let begun = turning.load(Ordering::Acquire);
    let now = now.max(1).cast_unsigned();
    if begun != 0 && now.abs_diff(begun) < TURN_TIMEOUT_MICROS {
        return;
    }
    if turning.compare_exchange(begun, now, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        return;
    }
    let known = last != 0 && last < hour;
    begin_sketches(memory, hour, known.then_some(last));
    begin_rows(memory, hour, known.then_some(last));
    memory.set(header::HOUR * 8, hour);
    turning.store(0, Ordering::Release);
}

/// Clears the sketches that are written from now on, up to the one after the current one, so that it is empty when its time comes.
fn begin_sketches(memory: &Memory, hour: u64, last: Option<u64>) {
    let turns = |hour: u64| hour / SKETCH_HOURS;
    let from = last.map_or(0, |last| turns(last) + 2).max(turns(hour).saturating_sub(SKETCHES as u64 - 2));
    for turn in from..=turns(hour) + 1 {
        let sketch = sketch_of(turn * SKETCH_HOURS);
        for slot in known(memory) {
            let start = layout::sketch(slot, sketch);
            for register in 0..REGISTERS {
                memory.byte(start + register).store(0, Ordering::Relaxed);
            }
        }
    }
}

/// Records the present answers as the beginning of every hour since the last.
fn begin_rows(memory: &Memory, hour: u64, last: Option<u64>) {
    let oldest = hour.saturating_sub(HOURS as u64 - 1);
    let from = last.map_or(oldest, |last| (last + 1).max(oldest));
    for begun in from..=hour {
        memory.set(row_word(begun), 0);
    }
    let threads: Vec<(usize, [u64; page::RESERVED_WORDS])> = taken(|word| memory.get(word * 8))
        .map(|worker| {
            let at = layout::page(worker) + page::RESERVED * 8;
            (worker, std::array::from_fn(|word| memory.get(at + word * 8)))
        })
        .collect();
    for slot in known(memory) {
        let (on, off) = answers(memory, &threads, slot);
        for begun in from..=hour {
            let row = layout::row(slot, row_of(begun));
            memory.set(row, on);
            memory.set(row + 8, off);
        }
    }
    for begun in from..=hour {
        memory.set(row_word(begun), begun + 1);
    }
}

pub(super) fn row_of(hour: u64) -> usize {
    (hour % HOURS as u64) as usize
}

fn row_word(hour: u64) -> usize {
    (header::ROWS + row_of(hour)) * 8
}

/// Numbers of the flags that have room.
fn known(memory: &Memory) -> impl Iterator<Item = usize> {
    let asked = (FIRST as usize..FLAGS).take_while(|slot| memory.get(layout::key(*slot)) != 0);
    (0..FIRST as usize).chain(asked)
}

/// True if a thread has cells of that group, by the words of its page.
pub(super) fn has_cells(reserved: &[u64], group: usize) -> bool {
    reserved.get(group / 64).is_some_and(|word| word >> (group % 64) & 1 == 1)
}

/// All answers of a flag, on and off.
fn answers(memory: &Memory, threads: &[(usize, [u64; page::RESERVED_WORDS])], slot: usize) -> (u64, u64) {
    let (mut on, mut off) = (0_u64, 0_u64);
    for (worker, _) in threads.iter().filter(|(_, reserved)| has_cells(reserved, slot / GROUP_FLAGS)) {
        let cells = layout::cells(*worker, slot);
        let (some_on, some_off) = on_and_off(|word| memory.get(cells + word * 8));
        on = on.wrapping_add(some_on);
        off = off.wrapping_add(some_off);
    }
    (on, off)
}

/// The answers in one thread's cells of one flag.
fn on_and_off(cell: impl Fn(usize) -> u64) -> (u64, u64) {
    let mut on = cell(cell::LISTS + 1);
    let mut asked = cell(cell::LISTS);
    for shape in 0..3 {
        asked = asked.wrapping_add(cell(cell::SHAPES + shape * 2));
        on = on.wrapping_add(cell(cell::SHAPES + shape * 2 + 1));
    }
    let mut off = asked.wrapping_sub(on).wrapping_add(cell(cell::RULE_OFF));
    for (number, reason) in Reason::ALL.into_iter().enumerate() {
        let count = cell(cell::REASONS + number);
        match cell::counts_on(reason) {
            true => on = on.wrapping_add(count),
            false => off = off.wrapping_add(count),
        }
    }
    (on, off)
}
