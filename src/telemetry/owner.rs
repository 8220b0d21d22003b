//! Taking cells, and counting the request that their last owner left open.
//!
//! A thread that dies within a request leaves its notes behind. The next owner of the cells counts that request as failed
//! before it goes on; until then readers add it, so that no sum goes back. A new thread settles all cells that were left so,
//! not only its own.

use super::claim::{claim, release, sit};
use super::directory::Own;
use super::error::TelemetryError;
use super::file::{Opened, taken};
use super::layout::{self, FIRST, FLAGS, PAGE, WORKERS, header, outcomes, page};
use super::memory::{Memory, reserve};
use super::note::{Note, ON};
use std::sync::atomic::Ordering;

/// Takes cells for this thread: 1 to `WORKERS`; 0 if all are taken, or the file system has no locks.
pub(super) fn take(opened: &mut Opened, directory: &Own) -> Result<usize, TelemetryError> {
    let memory = opened.memory.clone();
    let mut own = None;
    let known: Vec<usize> = taken(|word| memory.get(word * 8)).filter(|worker| *worker > 0).collect();
    for worker in known.iter().copied().filter(|worker| is_open(&memory, *worker)) {
        if claim(&opened.claims, worker) {
            settle(&memory, worker);
            match own {
                None => own = Some(worker),
                Some(_) => release(&opened.claims, worker),
            }
        }
    }
    let free = || {
        let fresh = (1..=WORKERS).filter(|worker| !known.contains(worker));
        known.iter().copied().chain(fresh).find(|worker| claim(&opened.claims, *worker))
    };
    if let Some(worker) = own.or_else(free) {
        begin(opened, worker)?;
        if opened.show(directory, worker) {
            return Ok(worker);
        }
        release(&opened.claims, worker);
    }
    if let Some(seat) = sit(&opened.claims) {
        opened.show(directory, seat);
    }
    begin(opened, 0)?;
    Ok(0)
}

/// Reserves a thread's page and its cells of the first flags.
fn begin(opened: &Opened, worker: usize) -> Result<(), TelemetryError> {
    let memory = &opened.memory;
    for page in [layout::page(worker), layout::cells(worker, 0)] {
        reserve(&opened.file, page, PAGE)
            .map_err(|source| TelemetryError::io("make room in", &opened.path, source))?;
    }
    memory.word(layout::page(worker) + page::RESERVED * 8).fetch_or(1, Ordering::Relaxed);
    memory.word((header::TAKEN + worker / 64) * 8).fetch_or(1 << (worker % 64), Ordering::Release);
    if worker > 0 {
        // An earlier owner that died before it had fully taken the cells may have left a note.
        if is_open(memory, worker) {
            settle(memory, worker);
        }
        memory.add(layout::page(worker) + page::EPOCH * 8, 1);
        memory.set(layout::page(worker) + page::NOTED * 8, 0);
        memory.set(layout::page(worker) + page::SERVING * 8, 0);
        memory.set(layout::page(worker) + page::SEEN * 8, 0);
    }
    Ok(())
}

/// True if a request of that thread is not counted yet.
fn is_open(memory: &Memory, worker: usize) -> bool {
    let word = |number: usize| memory.get(layout::page(worker) + number * 8);
    word(page::OPEN) != 0 || word(page::SETTLING) != 0
}

/// Counts the request that the last owner of these cells left open. The caller has claimed them.
fn settle(memory: &Memory, worker: usize) {
    let at = |number: usize| layout::page(worker) + number * 8;
    memory.word(at(page::SETTLING)).store(1, Ordering::Release);
    memory.add(at(page::EPOCH), 1);
    if memory.get(at(page::OPEN)) != 0 {
        let noted = (memory.get(at(page::NOTED)) as usize).min(page::EXPOSURE_COUNT);
        let note = |number: usize| Note::of(memory.get(at(page::EXPOSURES + number)));
        let group = if noted > 0 { note(0).group() } else { 0 };
        for number in (0..noted).rev() {
            let note = note(number);
            if (FIRST as usize..FLAGS).contains(&(note.slot as usize)) {
                let cohort = if note.first == ON { 0 } else { outcomes::COHORT };
                died(memory, layout::outcomes(note.slot as usize) + cohort * 8, note.group());
            }
            memory.word(at(page::NOTED)).store(number as u64, Ordering::Release);
        }
        died(memory, at(page::TOTAL), group);
        memory.word(at(page::OPEN)).store(0, Ordering::Release);
    }
    memory.word(at(page::SETTLING)).store(0, Ordering::Release);
}

/// Adds a request whose thread died to a cohort.
fn died(memory: &Memory, cohort: usize, group: u32) {
    let group = group as usize;
    memory.add(cohort + outcomes::DIED * 8, 1);
    memory.add(cohort + (outcomes::GROUPS_AT + outcomes::GROUP * group) * 8, 1);
    memory.add(cohort + (outcomes::ERRORS_AT + group) * 8, 1);
}
