//! Counting, by one thread.

use super::claim::claim;
use super::duration;
use super::error::TelemetryError;
use super::exposure::GROUPS;
use super::file::{self, Opened};
use super::layout::{self, FIRST, OTHERS, REGISTERS, UNKNOWN, cell, header, outcomes, sketch_of};
use super::memory::{Row, add_alone};
use super::outcome::Ending;
use super::tally::{self, ARM_OFF, ARM_ON, ARM_VARIANT, ArmName};
use super::{hours, sketch};
use crate::eval::{Key, Reason};
use crate::snapshot::format::{SHAPE_COMPANY_ROLLOUT, SHAPE_LISTS_AND_ROLLOUT, SHAPE_OFF, SHAPE_ON};
use crate::snapshot::{FlagId, Quick, Snapshot};
use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use xxhash_rust::xxh3::xxh3_64;

/// Flags whose outcome one request is followed for. More are counted as asked only: what a request costs is bounded.
const MOST_EXPOSURES: usize = 64;

/// What this thread knows of a flag.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// Its number in the memory, one of `FIRST` and above or `OTHERS`; 0: not looked up yet.
    slot: u32,
    /// The request that last asked it, shifted by two, and which answers that got: bit 0 off, bit 1 on.
    seen: u32,
}

/// A flag that the request asked for the first time.
#[derive(Debug, Clone, Copy)]
struct Exposure {
    slot: u32,
    /// In the snapshot of `entries`; `NONE` once another snapshot took its place.
    flag: u32,
    /// Answers that it got by the snapshots before.
    answers: u32,
    /// Of the company that was asked about first.
    group: u32,
    /// The cell of the variant that it showed, plus one; 0: nobody asked for one; `NONE`: several.
    variant: u32,
}

/// Events of one request that are counted.
const MOST_EVENTS: usize = 16;

/// What was tracked in a request: its name, and the sum of the values.
#[derive(Debug, Clone)]
struct Event {
    name: Box<[u8]>,
    value: f64,
}

type Cells = [AtomicU64; cell::WORDS];
type Outcomes = [AtomicU64; outcomes::WORDS];
type Sketch = [AtomicU8; REGISTERS];

const NONE: u32 = u32::MAX;
const OFF: u32 = 1;
const ON: u32 = 2;

/// A question that did not go the quick way, answered.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The flag.
    pub flag: FlagId,
    /// The answer.
    pub on: bool,
    /// Why.
    pub reason: Reason,
    /// Whom it was asked for.
    pub company: Option<Key<'a>>,
}

/// Counts what one thread answers, and what its requests come to.
#[derive(Debug)]
pub struct Recorder {
    /// By number of the flag in the snapshot.
    entries: Box<[Entry]>,
    /// This thread's.
    cells: Row<Cells>,
    /// What requests came to.
    outcomes: Row<Outcomes>,
    /// Those that are written now.
    sketches: Row<Sketch>,
    /// The request's number, 1 to 2^30 - 1.
    request: u32,
    /// The same where nobody else writes these cells; else one that no request has.
    quickly: u32,
    alone: bool,
    /// Whose cells these are; 0 for those that threads share.
    worker: usize,
    opened: Opened,
    exposures: Vec<Exposure>,
    /// Another snapshot was bound since the request began: some of its flags may be among `exposures` already.
    rebound: bool,
    /// Numbers of flags that ended the request.
    gates: Vec<u32>,
    events: Vec<Event>,
    /// When the request began, in nanoseconds of a clock that does not go back.
    begun: u64,
    hour: u64,
}

impl Recorder {
    /// Counts for the store at `store`, a canonical path, in a file in `directory`, which is made if it is not there.
    /// There is room for the flags of that snapshot. `now` is in microseconds since 1970.
    ///
    /// # Errors
    ///
    /// When the file cannot be made or opened, or is somebody else's.
    pub fn open(
        directory: &Path,
        store: &Path,
        snapshot: &Snapshot,
        now: i64,
    ) -> Result<Recorder, TelemetryError> {
        let opened = file::open(directory, store, snapshot.flag_count() as usize, now)?;
        let worker = claim(&opened.file);
        hours::turn(&opened.memory, opened.layout, now);
        let (memory, layout) = (&opened.memory, opened.layout);
        let mut recorder = Recorder {
            entries: Box::default(),
            cells: Row::new(memory, layout.cells(worker), layout.flags),
            outcomes: Row::new(memory, layout.outcomes(0), layout.flags),
            sketches: Row::new(memory, layout.sketch(0), layout.flags),
            request: 0,
            quickly: 0,
            alone: worker > 0,
            worker,
            opened,
            exposures: Vec::with_capacity(MOST_EXPOSURES),
            rebound: false,
            gates: Vec::new(),
            events: Vec::new(),
            begun: 0,
            hour: 0,
        };
        recorder.follow_hour();
        recorder.bind(snapshot);
        recorder.begin(0);
        Ok(recorder)
    }

    /// Answers are of this snapshot from now on. What the request asked before stays asked.
    pub fn bind(&mut self, snapshot: &Snapshot) {
        self.rebound = !self.exposures.is_empty();
        for exposure in &mut self.exposures {
            exposure.answers |= answers(&self.entries, exposure.flag, self.request);
            exposure.flag = NONE;
        }
        self.entries = vec![Entry::default(); snapshot.flag_count() as usize].into_boxed_slice();
    }

    /// Says which generation this thread answers from. Threads that share cells cannot tell. `now` is in microseconds since
    /// 1970.
    pub fn serves(&self, generation: u64, now: i64) {
        if let Some(before) = self.worker.checked_sub(1) {
            let said = (header::SERVING + 2 * before) * 8;
            self.opened.memory.set(said, generation);
            self.opened.memory.set(said + 8, now.max(0).cast_unsigned());
        }
    }

    /// The path of the file that is counted in.
    pub fn path(&self) -> &Path {
        &self.opened.path
    }

    /// Whether what is counted can still be read by others: the file has its name, its size and what its header says. Where it
    /// is not so, open another.
    pub fn is_sound(&self) -> bool {
        !self.opened.memory.lost() && file::is_sound(&self.opened)
    }

    /// Whether the file has room for that snapshot's flags, as far as any has.
    pub fn fits(&self, snapshot: &Snapshot) -> bool {
        super::layout::Layout::for_flags(snapshot.flag_count() as usize).flags <= self.opened.layout.flags
    }

    /// Counts an answer of [`Snapshot::quick`] or [`Snapshot::quick_of`]. `snapshot` is the one that was bound last.
    #[inline(always)]
    pub fn quick(&mut self, snapshot: &Snapshot, quick: Quick, company: Option<Key<'_>>) {
        let Some(entry) = self.entries.get_mut(quick.flag as usize) else { return self.unknown() };
        if entry.seen >> 2 != self.quickly {
            return self.quick_first(snapshot, quick, company);
        }
        entry.seen |= OFF << (quick.answer & 1);
        let slot = entry.slot as usize;
        self.quick_alone(slot, quick);
        if let Some(company) = company {
            self.sketch(slot, sketch::hash(company));
        }
    }

    /// Counts in cells that nobody else writes.
    #[inline(always)]
    fn quick_alone(&self, slot: usize, quick: Quick) {
        let on = quick.answer & 1;
        if let Some([asked, let_in, further @ ..]) = self.cells.at(slot).get(quick.place()..) {
            add_alone(asked, 1);
            add_alone(let_in, on.into());
            if quick.has_lists() {
                for (bit, word) in (1..4).zip(further) {
                    add_alone(word, (quick.answer >> bit & 1).into());
                }
            }
        }
    }

    /// The same for a flag that the request had not asked, and for cells that others write too.
    #[inline(never)]
    fn quick_first(&mut self, snapshot: &Snapshot, quick: Quick, company: Option<Key<'_>>) {
        let hash = company.map_or(0, sketch::hash);
        let on = quick.answer & 1;
        // As `expose` does it for a flag that is known and was not asked yet, which most are.
        if self.alone
            && !self.rebound
            && self.exposures.len() < MOST_EXPOSURES
            && let Some(entry) = self.entries.get_mut(quick.flag as usize)
            && entry.slot >= FIRST
        {
            entry.seen = self.request << 2 | OFF << on;
            let slot = entry.slot;
            let group = (hash >> 32) as u32 % GROUPS as u32;
            self.exposures.push(Exposure { slot, flag: quick.flag, answers: 0, group, variant: 0 });
            self.quick_alone(slot as usize, quick);
            if company.is_some() {
                self.sketch(slot as usize, hash);
            }
            return;
        }
        let slot = self.expose(snapshot, quick.flag, OFF << on, hash);
        if self.alone {
            self.quick_alone(slot as usize, quick);
        } else {
            self.add(slot, quick.place(), 1);
            self.add(slot, quick.place() + 1, on.into());
            if quick.has_lists() {
                for bit in 1..4 {
                    self.add(slot, quick.place() + 1 + bit, (quick.answer >> bit & 1).into());
                }
            }
        }
        if company.is_some() {
            self.sketch(slot as usize, hash);
        }
    }

    /// Counts an answer whose reason is known; `exposes`: it chose what the request does.
    pub fn answered(&mut self, snapshot: &Snapshot, asked: &Asked<'_>, exposes: bool) {
        let hash = asked.company.map_or(0, sketch::hash);
        let flag = asked.flag.0;
        let slot = if exposes {
            self.expose(snapshot, flag, OFF << u32::from(asked.on), hash)
        } else {
            self.slot(snapshot, flag)
        };
        let word = match asked.reason {
            Reason::Rule if !asked.on => cell::RULE_OFF,
            reason => cell::REASONS + reason as usize,
        };
        self.add(slot, word, 1);
        if asked.company.is_some() {
            self.sketch(slot as usize, hash);
        }
    }

    /// Counts a question for a flag that the snapshot does not have.
    pub fn unknown(&mut self) {
        self.add(UNKNOWN, cell::REASONS + Reason::UnknownFlag as usize, 1);
    }

    /// A request begins. `clock` is in nanoseconds of a clock that does not go back.
    pub fn begin(&mut self, clock: u64) {
        self.begun = clock;
        self.exposures.clear();
        self.rebound = false;
        self.gates.clear();
        self.events.clear();
        self.request += 1;
        if self.request >= 1 << 30 {
            self.request = 1;
            self.entries.iter_mut().for_each(|entry| entry.seen = 0);
        }
        self.quickly = if self.alone { self.request } else { NONE };
        if hours::current(&self.opened.memory) != self.hour {
            self.follow_hour();
        }
    }

    /// The flag showed the request that variant, after it was counted as answered.
    pub fn shows(&mut self, snapshot: &Snapshot, flag: FlagId, variant: &str) {
        let slot = self.slot(snapshot, flag.0);
        let hash = key_hash(snapshot.flag_key(flag).as_bytes());
        let arm = ArmName { kind: ARM_VARIANT, name: variant.as_bytes() };
        let (memory, layout) = (&self.opened.memory, self.opened.layout);
        let Some(exposure) = self.exposures.iter_mut().find(|exposure| exposure.slot == slot) else { return };
        match tally::find(memory, layout, hash, arm, b"") {
            Some(cell) if exposure.variant == 0 => exposure.variant = cell + 1,
            Some(cell) if exposure.variant == cell + 1 => {}
            Some(_) => exposure.variant = NONE,
            None => memory.add(header::DROPPED_EVENTS * 8, 1),
        }
    }

    /// Something happened in this request that experiments count, worth `value`, a finite number. It counts when the request
    /// ends, for each flag that the request asked. The name has 1 to 64 bytes.
    pub fn track(&mut self, event: &[u8], value: f64) {
        if let Some(known) = self.events.iter_mut().find(|known| *known.name == *event) {
            known.value += value;
        } else if self.events.len() < MOST_EVENTS && (1..=64).contains(&event.len()) {
            self.events.push(Event { name: event.into(), value });
        } else {
            self.opened.memory.add(header::DROPPED_EVENTS * 8, 1);
        }
    }

    /// The request was ended by that flag, which was off: what it came to says nothing about any flag.
    pub fn gated(&mut self, snapshot: &Snapshot, flag: FlagId) {
        let slot = self.slot(snapshot, flag.0);
        if slot >= FIRST && self.gates.len() < MOST_EXPOSURES && !self.gates.contains(&slot) {
            self.gates.push(slot);
        }
    }

    /// The request ends: what it came to is added to the cohorts of the flags that it asked.
    pub fn end(&mut self, ending: &Ending) {
        let (class, error) = (ending.status.class(), ending.status.is_error());
        let took = ending.clock.saturating_sub(self.begun) / 1000;
        let bucket = duration::bucket(took);
        for slot in &self.gates {
            add(self.outcomes.at(*slot as usize), outcomes::GATED, 1);
        }
        let exposures = if self.gates.is_empty() { self.exposures.as_slice() } else { &[] };
        for exposure in exposures {
            let seen = exposure.answers | answers(&self.entries, exposure.flag, self.request);
            let words = self.outcomes.at(exposure.slot as usize);
            let (on, further) = words.split_at(outcomes::COHORT);
            let cohort = match seen {
                ON => on,
                OFF => further,
                _ => {
                    add(words, outcomes::MIXED, 1);
                    continue;
                }
            };
            let group = exposure.group as usize;
            add(cohort, outcomes::DURATIONS + bucket, 1);
            if class != outcomes::COMMON {
                add(cohort, outcomes::CLASSES + class, 1);
            }
            if error {
                add(cohort, outcomes::ERRORS_AT + group, 1);
            }
            let group = outcomes::GROUPS_AT + outcomes::GROUP * group;
            add(cohort, group, 1);
            add(cohort, group + 1, took);
            if exposure.variant != 0 || !self.events.is_empty() {
                self.tally(exposure, seen == ON, error, took);
            }
        }
        self.exposures.clear();
        self.gates.clear();
        self.events.clear();
        hours::turn(&self.opened.memory, self.opened.layout, ending.now);
    }

    /// Counts a request for the variant that it was shown, and its events for its arm.
    #[cold]
    #[inline(never)]
    fn tally(&self, exposure: &Exposure, on: bool, error: bool, took: u64) {
        let (memory, layout) = (&self.opened.memory, self.opened.layout);
        let flag = memory.get(layout.keys() + exposure.slot as usize * 8);
        let mut name = [0; layout::tally::NAME];
        let mut arm = ArmName { kind: if on { ARM_ON } else { ARM_OFF }, name: b"" };
        match exposure.variant {
            // Two variants in one request say nothing about either.
            NONE => return,
            cell if cell > 0 && on => {
                tally::add(memory, layout, cell - 1, exposure.group, error, took as f64 / 1000.0);
                let Some(length) = tally::arm_of(memory, layout, cell - 1, &mut name) else { return };
                arm = ArmName { kind: ARM_VARIANT, name: name.get(..length).unwrap_or(&[]) };
            }
            _ => {}
        }
        for event in &self.events {
            match tally::find(memory, layout, flag, arm, &event.name) {
                Some(cell) => tally::add(memory, layout, cell, exposure.group, error, event.value),
                None => memory.add(header::DROPPED_EVENTS * 8, 1),
            }
        }
    }

    /// Turns the hour where no request ends for long.
    pub fn tick(&mut self, now: i64) {
        hours::turn(&self.opened.memory, self.opened.layout, now);
        self.follow_hour();
    }

    fn follow_hour(&mut self) {
        self.hour = hours::current(&self.opened.memory);
        let (memory, layout) = (&self.opened.memory, self.opened.layout);
        self.sketches = Row::new(memory, layout.sketch(sketch_of(self.hour)), layout.flags);
    }

    /// Notes that the request asked a flag and what it got; the flag's number in the memory.
    fn expose(&mut self, snapshot: &Snapshot, flag: u32, answer: u32, hash: u64) -> u32 {
        let slot = self.slot(snapshot, flag);
        let request = self.request;
        let Some(entry) = self.entries.get_mut(flag as usize) else { return slot };
        if entry.seen >> 2 == request {
            entry.seen |= answer;
            return slot;
        }
        entry.seen = request << 2 | answer;
        if slot < FIRST {
            return slot;
        }
        let known = match self.rebound {
            true => self.exposures.iter_mut().find(|known| known.slot == slot),
            false => None,
        };
        if let Some(known) = known {
            known.flag = flag;
        } else if self.exposures.len() < MOST_EXPOSURES {
            let group = (hash >> 32) as u32 % GROUPS as u32;
            self.exposures.push(Exposure { slot, flag, answers: 0, group, variant: 0 });
        } else {
            self.opened.memory.add(header::DROPPED_EXPOSURES * 8, 1);
        }
        slot
    }

    /// The flag's number in the memory: looked up, or taken, once for each snapshot.
    fn slot(&mut self, snapshot: &Snapshot, flag: u32) -> u32 {
        match self.entries.get(flag as usize) {
            Some(entry) if entry.slot != 0 => return entry.slot,
            Some(_) => {}
            None => return UNKNOWN,
        }
        let slot = self.find(key_hash(snapshot.flag_key(FlagId(flag)).as_bytes()));
        if let Some(entry) = self.entries.get_mut(flag as usize) {
            entry.slot = slot;
        }
        slot
    }

    /// The place of a key's hash in the table of keys, which is open and never loses one.
    fn find(&self, hash: u64) -> u32 {
        let (memory, layout) = (&self.opened.memory, self.opened.layout);
        let room = layout.flags - FIRST as usize;
        let home = (hash % room as u64) as usize;
        for step in 0..room {
            let slot = FIRST as usize + (home + step) % room;
            let word = memory.word(layout.keys() + slot * 8);
            let held = match word.compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => hash,
                Err(held) => held,
            };
            if held == hash {
                return slot as u32;
            }
        }
        memory.add(header::DROPPED_FLAGS * 8, 1);
        OTHERS
    }

    /// Adds to a word of this thread's cells.
    #[inline]
    fn add(&self, slot: u32, word: usize, number: u64) {
        if let Some(word) = self.cells.at(slot as usize).get(word) {
            if self.alone {
                add_alone(word, number);
            } else {
                word.fetch_add(number, Ordering::Relaxed);
            }
        }
    }

    /// Raises the register that a company's hash goes to.
    #[inline(always)]
    fn sketch(&self, slot: usize, hash: u64) {
        let (register, rank) = sketch::place(hash);
        if let Some(register) = self.sketches.at(slot).get(register)
            && register.load(Ordering::Relaxed) < rank
        {
            raise(register, rank);
        }
    }
}

/// Adds to one of those words, to which others may add.
#[inline(always)]
fn add(words: &[AtomicU64], number: usize, count: u64) {
    if let Some(word) = words.get(number) {
        word.fetch_add(count, Ordering::Relaxed);
    }
}

#[cold]
#[inline(never)]
fn raise(register: &AtomicU8, rank: u8) {
    register.fetch_max(rank, Ordering::Relaxed);
}

fn answers(entries: &[Entry], flag: u32, request: u32) -> u32 {
    match entries.get(flag as usize) {
        Some(entry) if entry.seen >> 2 == request => entry.seen & (ON | OFF),
        _ => 0,
    }
}

/// Where the quick way counts, within a thread's cells of a flag.
trait Place {
    fn place(self) -> usize;
    fn has_lists(self) -> bool;
}

impl Place for Quick {
    #[inline(always)]
    fn place(self) -> usize {
        cell::SHAPES + 2 * (self.shape as usize).wrapping_sub(SHAPE_OFF.into())
    }

    #[inline(always)]
    fn has_lists(self) -> bool {
        self.shape == SHAPE_LISTS_AND_ROLLOUT
    }
}

// The shapes follow each other as the cells do.
const _: () = assert!(SHAPE_ON == SHAPE_OFF + 1 && SHAPE_COMPANY_ROLLOUT == SHAPE_OFF + 2);
const _: () = assert!(cell::SHAPES + 2 * (SHAPE_LISTS_AND_ROLLOUT - SHAPE_OFF) as usize == cell::LISTS);

/// Under which hash a flag is counted; never 0, which marks a free place.
pub(super) fn key_hash(key: &[u8]) -> u64 {
    xxh3_64(key).max(1)
}
