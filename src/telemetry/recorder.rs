//! The counting of one thread.

use super::duration;
use super::error::TelemetryError;
use super::exposure::GROUPS;
use super::file::{self, Opened};
use super::layout::{
    self, FIRST, FLAGS, GROUP_FLAGS, OTHERS, REGISTERS, UNKNOWN, cell, header, outcomes, page, sketch_of,
};
use super::memory::{Area, Place, ThreadPage, add_alone, reserve};
use super::note::{Note, OFF, ON, UNNAMED};
use super::outcome::Ending;
use super::owner;
use super::tally::{self, ARM_OFF, ARM_ON, ARM_VARIANT, ArmName, Tallies};
use super::{hours, sketch};
use crate::eval::Quick;
use crate::eval::Reason;
use crate::key::Key;
use crate::room::has_room;
use crate::snapshot::format::{SHAPE_COMPANY_ROLLOUT, SHAPE_LISTS_AND_ROLLOUT, SHAPE_OFF, SHAPE_ON};
use crate::snapshot::{FlagId, Snapshot};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use xxhash_rust::xxh3::xxh3_64;

/// Flags of one request whose outcome is followed. Further flags are counted as asked only, which bounds the cost of a request.
const MAX_EXPOSURES: usize = page::EXPOSURE_COUNT;

/// A flag as this thread knows it.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// Its number in the memory, `FIRST` or above, or `OTHERS`; 0: not looked up yet.
    slot: u32,
    /// The request that last asked it, shifted left by two, and the answers that it got: bit 0 off, bit 1 on.
    seen: u32,
    /// This thread's cells for it.
    cells: Place<Cells>,
    /// The first of its sketches.
    sketch: Place<Sketch>,
}

/// Events of one request that are counted, at most.
const MOST_EVENTS: usize = 16;

/// An event tracked in a request: its name, and the sum of the values.
#[derive(Debug, Clone)]
struct TrackedEvent {
    name: Box<[u8]>,
    value: f64,
}

type Cells = [AtomicU64; cell::WORDS];
type Outcomes = [AtomicU64; outcomes::WORDS];
type Sketch = [AtomicU8; REGISTERS];

const NONE: u32 = u32::MAX;

/// An answered question that did not take the quick path.
#[derive(Debug, Clone, Copy)]
pub struct AnsweredQuestion<'a> {
    /// Number of the flag in the snapshot.
    pub flag: FlagId,
    /// True if the answer was on.
    pub on: bool,
    /// The reason of the answer.
    pub reason: Reason,
    /// The company that was asked about, if any.
    pub company: Option<Key<'a>>,
    /// The bucket that the rollout drew: it tells users apart where there is no company.
    pub bucket: Option<u32>,
}

/// Counts the answers of one thread and the outcomes of its requests.
#[derive(Debug)]
pub struct Recorder {
    /// Flags by their number in the snapshot.
    entries: Box<[Entry]>,
    /// The memory, not shifted.
    area: Area,
    /// The memory, shifted to the sketches that are written now.
    sketches: Area,
    /// The notes of the open request.
    page: ThreadPage,
    /// The page where all requests are added up: the same page, or the one that all threads without cells share.
    totals: ThreadPage,
    /// Number of notes of the open request.
    noted: usize,
    /// Number of the request, 1 to 2^30 - 1.
    request: u32,
    /// The request's number if no other thread writes these cells; else a number that no request has.
    quickly: u32,
    alone: bool,
    /// Number of this thread's cells; 0 if it shares cells.
    worker: usize,
    /// True while a request is open.
    open: bool,
    /// True if the cells belong to another process.
    abandoned: bool,
    /// True if another snapshot was bound since the request began: some of its flags may have been noted already.
    rebound: bool,
    opened: Opened,
    /// Numbers of flags whose keys were found in the memory, by hash.
    known: HashMap<u64, u32>,
    /// Keys before this number have been read.
    met: usize,
    /// One bit for each group of flags whose cells are reserved for this thread.
    reserved: [u64; page::RESERVED_WORDS],
    /// Lower bound of the file's size.
    least: u64,
    tallies: Option<Tallies>,
    /// Tallies of the variants that flags showed the request, plus one; `NONE` if there were several.
    shown: Vec<(u32, u32)>,
    /// Numbers of the flags that ended the request.
    gates: Vec<u32>,
    events: Vec<TrackedEvent>,
    /// Beginning of the request, in nanoseconds of a clock that does not go back.
    begun: u64,
    /// Group for its questions that name neither a company nor a bucket.
    unnamed: u32,
    hour: u64,
}

impl Recorder {
    /// Counts for the store at `store`, a canonical path, in a file in `directory`, which is made if it is missing. No
    /// request is open. `now` is in microseconds since 1970.
    ///
    /// # Errors
    ///
    /// When the file cannot be made or opened, or belongs to another user.
    pub fn open(
        directory: &Path,
        store: &Path,
        snapshot: &Snapshot,
        now: i64,
    ) -> Result<Recorder, TelemetryError> {
        if !has_room() {
            return Err(TelemetryError::NoMemory);
        }
        let (mut opened, own) = file::open(directory, store, now)?;
        let worker = owner::take(&mut opened, &own)?;
        hours::turn(&opened.memory, now);
        let memory = &opened.memory;
        let mapped = || ThreadPage::mapped(memory, Place::new(layout::page(worker)));
        let alone = worker > 0;
        let least = (layout::cells(worker, 0) + layout::PAGE) as u64;
        let mut recorder = Recorder {
            entries: Box::default(),
            area: Area::new(memory, 0),
            sketches: Area::new(memory, 0),
            page: if alone { mapped() } else { ThreadPage::own() },
            totals: mapped(),
            noted: 0,
            request: 1,
            quickly: if alone { 1 } else { NONE },
            alone,
            worker,
            open: false,
            abandoned: false,
            rebound: false,
            known: HashMap::new(),
            met: FIRST as usize,
            reserved: [0; _],
            least,
            tallies: None,
            shown: Vec::new(),
            gates: Vec::new(),
            events: Vec::new(),
            begun: 0,
            unnamed: 0,
            hour: 0,
            opened,
        };
        recorder.reserved = std::array::from_fn(|word| u64::from(word == 0));
        recorder.follow_hour();
        recorder.bind(snapshot)?;
        Ok(recorder)
    }

    /// Binds the snapshot that answers come from. Flags that the open request asked before stay noted.
    ///
    /// # Errors
    ///
    /// When there is no memory for it: nothing can be counted then.
    pub fn bind(&mut self, snapshot: &Snapshot) -> Result<(), TelemetryError> {
        let count = snapshot.key_count() as usize;
        let mut entries: Vec<Entry> = Vec::new();
        entries.try_reserve_exact(count).map_err(|_| TelemetryError::NoMemory)?;
        entries.resize(count, Entry::default());
        self.rebound = self.noted > 0;
        for number in 0..self.noted {
            let note = self.note(number);
            let before = note.before | answers(&self.entries, note.flag, self.request);
            self.set_note(number, Note { flag: NONE, before, ..note });
        }
        self.entries = entries.into_boxed_slice();
        Ok(())
    }

    /// Records the generation that this thread answers from. Threads that share cells record nothing. `now` is in
    /// microseconds since 1970.
    pub fn serves(&self, generation: u64, now: i64) {
        if self.alone {
            set(self.page.words(), page::SERVING, generation);
            set(self.page.words(), page::SEEN, now.max(0).cast_unsigned());
        }
    }

    /// Notes the store's id beside its counters, by which those of its copies are found.
    pub fn note_store(&self, store: &Path, id: &str) {
        super::store_note::note(&self.opened.memory, store, id);
    }

    /// The path of the file of counters.
    pub fn path(&self) -> &Path {
        &self.opened.path
    }

    /// True if others can still read the counts: the file has its name, its size and its header. Otherwise open another.
    pub fn is_sound(&self) -> bool {
        !self.opened.memory.lost() && file::is_sound(&self.opened, self.least)
    }

    /// True if this thread has cells of its own: requests that it dies in are counted.
    pub fn has_cells(&self) -> bool {
        self.alone
    }

    /// Counts an answer of [`Snapshot::quick`] or `Snapshot::quick_key`. `snapshot` is the one that was bound last.
    #[inline(always)]
    pub fn quick(&mut self, snapshot: &Snapshot, quick: Quick, company: Option<Key<'_>>) {
        let Some(entry) = self.entries.get_mut(quick.flag as usize) else { return self.unknown() };
        if entry.seen >> 2 != self.quickly {
            return self.quick_first(snapshot, quick, company);
        }
        entry.seen |= OFF << (quick.answer & 1);
        let (cells, sketch) = (entry.cells, entry.sketch);
        self.quick_alone(cells, quick);
        if let Some(company) = company {
            self.sketch(sketch, sketch::hash(company));
        }
    }

    /// Counts in cells that no other thread writes.
    #[inline(always)]
    fn quick_alone(&self, cells: Place<Cells>, quick: Quick) {
        let on = quick.answer & 1;
        if let Some([asked, let_in, further @ ..]) = self.area.at(cells).get(quick.place()..) {
            add_alone(asked, 1);
            add_alone(let_in, on.into());
            if quick.has_lists() {
                for (bit, word) in (1..4).zip(further) {
                    add_alone(word, (quick.answer >> bit & 1).into());
                }
            }
        }
    }

    /// Counts the first answer for a flag in a request, and answers in shared cells.
    #[inline(never)]
    fn quick_first(&mut self, snapshot: &Snapshot, quick: Quick, company: Option<Key<'_>>) {
        let hash = company.map_or(0, sketch::hash);
        let group = if company.is_some() { group_of(hash) } else { self.unnamed };
        let on = quick.answer & 1;
        // Same as `expose` for a flag that is known and was not asked yet, as most are.
        if self.alone
            && !self.rebound
            && self.noted < MAX_EXPOSURES
            && let Some(entry) = self.entries.get_mut(quick.flag as usize)
            && entry.slot >= FIRST
        {
            entry.seen = self.request << 2 | OFF << on;
            let Entry { slot, cells, sketch, .. } = *entry;
            self.add_note(Note { flag: quick.flag, slot, group, first: OFF << on, before: 0 });
            self.quick_alone(cells, quick);
            if company.is_some() {
                self.sketch(sketch, hash);
            }
            return;
        }
        let entry = self.expose(snapshot, quick.flag, OFF << on, group);
        if self.alone {
            self.quick_alone(entry.cells, quick);
        } else {
            self.add(entry.cells, quick.place(), 1);
            self.add(entry.cells, quick.place() + 1, on.into());
            if quick.has_lists() {
                for bit in 1..4 {
                    self.add(entry.cells, quick.place() + 1 + bit, (quick.answer >> bit & 1).into());
                }
            }
        }
        if company.is_some() {
            self.sketch(entry.sketch, hash);
        }
    }

    /// Counts an answer whose reason is known. `exposes`: the answer chose what the request does.
    pub fn answered(&mut self, snapshot: &Snapshot, asked: &AnsweredQuestion<'_>, exposes: bool) {
        let hash = asked.company.map_or(0, sketch::hash);
        let flag = asked.flag.0;
        let entry = if exposes {
            let group = match (asked.company, asked.bucket) {
                (Some(_), _) => group_of(hash),
                (None, Some(bucket)) => group_of(sketch::hash_int(bucket.into())) | UNNAMED,
                (None, None) => self.unnamed,
            };
            self.expose(snapshot, flag, OFF << u32::from(asked.on), group)
        } else {
            self.entry(snapshot, flag)
        };
        let word = match asked.reason {
            Reason::Rule if !asked.on => cell::RULE_OFF,
            reason => cell::REASONS + reason as usize,
        };
        self.add(entry.cells, word, 1);
        if asked.company.is_some() {
            self.sketch(entry.sketch, hash);
        }
    }

    /// Counts a question for a flag that the snapshot does not have.
    pub fn unknown(&mut self) {
        let cells = self.numbered(UNKNOWN).cells;
        self.add(cells, cell::REASONS + Reason::UnknownFlag as usize, 1);
    }

    /// Begins a request that no client is known to wait for: a job, a command. `clock` is in nanoseconds of a clock that does
    /// not go back.
    pub fn begin(&mut self, clock: u64) {
        self.open_request(clock, page::UNAWAITED);
    }

    /// Begins a request for which a client waits. Readers can tell if it never ends.
    pub fn begin_awaited(&mut self, clock: u64) {
        self.open_request(clock, clock.max(page::UNAWAITED + 1));
    }

    fn open_request(&mut self, clock: u64, open: u64) {
        self.begun = clock;
        self.clear();
        self.open = true;
        set(self.page.words(), page::OPEN, open);
        self.unnamed =
            group_of(sketch::hash_int((clock ^ (self.worker as u64) << 48).cast_signed())) | UNNAMED;
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

    /// Discards the open request, if there is one: it is not counted.
    pub fn discard(&mut self) {
        self.clear();
        self.open = false;
        set(self.page.words(), page::OPEN, 0);
    }

    /// Leaves everything as a dying thread does: in a child of a fork, the cells are its parent's.
    pub fn abandon(mut self) {
        self.abandoned = true;
    }

    fn clear(&mut self) {
        // First, so that no note belongs to a request that is over.
        set(self.page.words(), page::NOTED, 0);
        self.noted = 0;
        self.rebound = false;
        self.shown.clear();
        self.gates.clear();
        self.events.clear();
    }

    /// Records that the flag showed the request a variant, after its answer was counted.
    pub fn shows(&mut self, snapshot: &Snapshot, flag: FlagId, variant: &str) {
        let slot = self.entry(snapshot, flag.0).slot;
        let hash = key_hash(snapshot.flag_key(flag).as_bytes());
        let arm = ArmName { kind: ARM_VARIANT, name: variant.as_bytes() };
        if !(0..self.noted).any(|number| self.note(number).slot == slot) {
            return;
        }
        let Some(tally) = self.tally_of((slot, hash), arm, b"") else { return };
        match self.shown.iter_mut().find(|(known, _)| *known == slot) {
            None => self.shown.push((slot, tally + 1)),
            Some((_, known)) if *known == tally + 1 => {}
            Some((_, known)) => *known = NONE,
        }
    }

    fn tally_of(&mut self, flag: (u32, u64), arm: ArmName<'_>, event: &[u8]) -> Option<u32> {
        let (memory, file) = (&self.opened.memory, &self.opened.file);
        let tallies = self.tallies.get_or_insert_with(Tallies::new);
        let found = tallies.find(memory, file, flag, arm, event);
        if found.is_none() {
            memory.add(header::DROPPED_EVENTS * 8, 1);
        }
        found
    }

    /// Records an event of this request for experiments, worth `value`, a finite number. It counts when the request ends, for
    /// each flag that the request asked. The name has 1 to 64 bytes.
    pub fn track(&mut self, event: &[u8], value: f64) {
        if let Some(known) = self.events.iter_mut().find(|known| *known.name == *event) {
            known.value += value;
        } else if self.events.len() < MOST_EVENTS && (1..=64).contains(&event.len()) {
            self.events.push(TrackedEvent { name: event.into(), value });
        } else {
            self.opened.memory.add(header::DROPPED_EVENTS * 8, 1);
        }
    }

    /// Records that this flag, being off, ended the request: the request's outcome says nothing about any flag.
    pub fn gated(&mut self, snapshot: &Snapshot, flag: FlagId) {
        let slot = self.entry(snapshot, flag.0).slot;
        if slot >= FIRST && self.gates.len() < MAX_EXPOSURES && !self.gates.contains(&slot) {
            self.gates.push(slot);
        }
    }

    /// Ends the open request: adds its outcome to the cohorts of the flags that it asked, and to all requests.
    pub fn end(&mut self, ending: &Ending) {
        if !self.open {
            return;
        }
        let (class, error) = (ending.status.class(), ending.status.is_error());
        let took = ending.clock.saturating_sub(self.begun) / 1000;
        let request = Ended { class, error, took, bucket: duration::bucket(took) };
        let group = if self.noted > 0 { self.note(0).group() as usize } else { 0 };
        if !self.gates.is_empty() {
            self.end_gated();
        }
        // From the last to the first: a counted note is no longer one.
        while let Some(number) = self.noted.checked_sub(1) {
            let note = self.note(number);
            let seen = note.before | answers(&self.entries, note.flag, self.request);
            let words = self.area.at(outcomes_of(note.slot));
            let (on, further) = words.split_at(outcomes::COHORT);
            match seen {
                ON => request.add_to(on, note.group() as usize, add),
                OFF => request.add_to(further, note.group() as usize, add),
                _ => add(words, outcomes::MIXED, 1),
            }
            if note.is_unnamed() && matches!(seen, ON | OFF) {
                add(words, outcomes::UNNAMED, 1);
            }
            self.noted = number;
            set(self.page.words(), page::NOTED, number as u64);
            if matches!(seen, ON | OFF) && (!self.shown.is_empty() || !self.events.is_empty()) {
                self.tally(note, seen == ON, error, took);
            }
        }
        if let Some(total) = self.totals.words().get(page::TOTAL..) {
            if self.alone {
                request.add_to(total, group, add_own);
            } else {
                request.add_to(total, group, add);
            }
        }
        self.discard();
        hours::turn(&self.opened.memory, ending.now);
    }

    /// Drops the notes: the request's outcome says nothing about any flag.
    #[cold]
    fn end_gated(&mut self) {
        set(self.page.words(), page::NOTED, 0);
        self.noted = 0;
        for slot in &self.gates {
            let words: &Outcomes = self.area.at(outcomes_of(*slot));
            add(words, outcomes::GATED, 1);
        }
    }

    /// Counts a request for the variant that it was shown, and its events for its arm.
    #[cold]
    #[inline(never)]
    fn tally(&mut self, note: Note, on: bool, error: bool, took: u64) {
        let flag = self.opened.memory.get(layout::key((note.slot as usize).min(FLAGS - 1)));
        let shown = self.shown.iter().find(|(slot, _)| *slot == note.slot).map_or(0, |(_, tally)| *tally);
        let mut name = [0; layout::tally::NAME];
        let mut arm = ArmName { kind: if on { ARM_ON } else { ARM_OFF }, name: b"" };
        match shown {
            // Two variants in one request say nothing about either.
            NONE => return,
            shown if shown > 0 && on => {
                let memory = &self.opened.memory;
                tally::add(memory, shown - 1, note.group(), error, took as f64 / 1000.0);
                let Some(length) = tally::arm_of(memory, shown - 1, &mut name) else { return };
                arm = ArmName { kind: ARM_VARIANT, name: name.get(..length).unwrap_or(&[]) };
            }
            _ => {}
        }
        for event in std::mem::take(&mut self.events) {
            if let Some(tally) = self.tally_of((note.slot, flag), arm, &event.name) {
                tally::add(&self.opened.memory, tally, note.group(), error, event.value);
            }
            self.events.push(event);
        }
    }

    /// Turns the hour in a process where no request ends for long.
    pub fn tick(&mut self, now: i64) {
        hours::turn(&self.opened.memory, now);
        self.follow_hour();
    }

    fn follow_hour(&mut self) {
        self.hour = hours::current(&self.opened.memory);
        self.sketches = Area::new(&self.opened.memory, sketch_of(self.hour) * REGISTERS);
    }

    #[inline]
    fn note(&self, number: usize) -> Note {
        let word = self.page.words().get(page::EXPOSURES + number);
        Note::of(word.map_or(0, |word| word.load(Ordering::Relaxed)))
    }

    fn set_note(&self, number: usize, note: Note) {
        set(self.page.words(), page::EXPOSURES + number, note.word());
    }

    /// Adds a note. There must be room.
    #[inline(always)]
    fn add_note(&mut self, note: Note) {
        let words = self.page.words();
        if let Some(word) = words.get(page::EXPOSURES + self.noted) {
            word.store(note.word(), Ordering::Relaxed);
        }
        self.noted += 1;
        // After the note: a reader of the number reads that many notes. No instruction on x86-64.
        if let Some(noted) = words.get(page::NOTED) {
            noted.store(self.noted as u64, Ordering::Release);
        }
    }

    /// Notes the answer that a flag gave the request. Returns this thread's entry of the flag.
    fn expose(&mut self, snapshot: &Snapshot, flag: u32, answer: u32, group: u32) -> Entry {
        let known = self.entry(snapshot, flag);
        let request = self.request;
        let Some(entry) = self.entries.get_mut(flag as usize) else { return known };
        if entry.seen >> 2 == request {
            entry.seen |= answer;
            return known;
        }
        entry.seen = request << 2 | answer;
        let slot = known.slot;
        if slot < FIRST {
            return known;
        }
        let noted = (0..self.noted).filter(|_| self.rebound).find(|number| self.note(*number).slot == slot);
        if let Some(number) = noted {
            self.set_note(number, Note { flag, ..self.note(number) });
        } else if self.noted < MAX_EXPOSURES {
            self.add_note(Note { flag, slot, group, first: answer, before: 0 });
        } else {
            self.opened.memory.add(header::DROPPED_EXPOSURES * 8, 1);
        }
        known
    }

    /// This thread's entry of a flag: looked up, or created, once for each snapshot.
    fn entry(&mut self, snapshot: &Snapshot, flag: u32) -> Entry {
        match self.entries.get(flag as usize) {
            Some(entry) if entry.slot != 0 => return *entry,
            Some(_) => {}
            None => return self.numbered(UNKNOWN),
        }
        let slot = self.find(key_hash(snapshot.flag_key(FlagId(flag)).as_bytes()));
        let slot = if self.reserve_cells(slot) { slot } else { OTHERS };
        let found = self.numbered(slot);
        if let Some(entry) = self.entries.get_mut(flag as usize) {
            *entry = Entry { seen: entry.seen, ..found };
        }
        found
    }

    /// The places of the flag with this number.
    fn numbered(&self, slot: u32) -> Entry {
        let number = (slot as usize).min(FLAGS - 1);
        Entry {
            slot,
            seen: 0,
            cells: Place::new(layout::cells(self.worker, number)),
            sketch: Place::new(layout::sketch(number, 0)),
        }
    }

    /// The number of a key, by its hash. Keys follow each other in the order in which they were first asked for, and none is
    /// ever removed.
    fn find(&mut self, hash: u64) -> u32 {
        if let Some(slot) = self.known.get(&hash) {
            return *slot;
        }
        while self.met < FLAGS {
            let (slot, key) = (self.met, self.opened.memory.word(layout::key(self.met)));
            let mut held = key.load(Ordering::Acquire);
            if held == 0 {
                // First the room, so that a thread that finds the key finds the room too.
                let end = layout::flag_block(slot) + layout::block::SIZE;
                if reserve(&self.opened.file, layout::flag_block(slot), layout::block::SIZE).is_err() {
                    break;
                }
                self.least = self.least.max(end.next_multiple_of(layout::PAGE) as u64);
                let taken = key.compare_exchange(0, hash, Ordering::AcqRel, Ordering::Acquire);
                held = taken.map_or_else(|held| held, |_| hash);
            }
            self.known.insert(held, slot as u32);
            self.met += 1;
            if held == hash {
                return slot as u32;
            }
        }
        self.opened.memory.add(header::DROPPED_FLAGS * 8, 1);
        OTHERS
    }

    /// Reserves this thread's cells for a flag; false if there is no room.
    fn reserve_cells(&mut self, slot: u32) -> bool {
        let group = slot as usize / GROUP_FLAGS;
        let Some(word) = self.reserved.get_mut(group / 64) else { return false };
        if *word >> (group % 64) & 1 == 1 {
            return true;
        }
        let first = layout::cells(self.worker, group * GROUP_FLAGS);
        if reserve(&self.opened.file, first, layout::PAGE).is_err() {
            return false;
        }
        *word |= 1 << (group % 64);
        let said = layout::page(self.worker) + (page::RESERVED + group / 64) * 8;
        self.opened.memory.word(said).fetch_or(1 << (group % 64), Ordering::Relaxed);
        self.least = self.least.max((first + layout::PAGE) as u64);
        true
    }

    /// Adds to a word of this thread's cells.
    #[inline]
    fn add(&self, cells: Place<Cells>, word: usize, number: u64) {
        if let Some(word) = self.area.at(cells).get(word) {
            if self.alone {
                add_alone(word, number);
            } else {
                word.fetch_add(number, Ordering::Relaxed);
            }
        }
    }

    /// Raises the register of a company's hash.
    #[inline(always)]
    fn sketch(&self, sketch: Place<Sketch>, hash: u64) {
        let (register, rank) = sketch::place(hash);
        if let Some(register) = self.sketches.at(sketch).get(register)
            && register.load(Ordering::Relaxed) < rank
        {
            raise(register, rank);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if !self.abandoned {
            self.discard();
        }
    }
}

/// The group of companies that a hash falls into.
#[inline(always)]
fn group_of(hash: u64) -> u32 {
    (hash >> 32) as u32 % GROUPS as u32
}

/// A request that ended, as it is counted.
#[derive(Clone, Copy)]
struct Ended {
    class: usize,
    error: bool,
    took: u64,
    bucket: usize,
}

impl Ended {
    /// Adds it to a cohort.
    #[inline]
    fn add_to(self, cohort: &[AtomicU64], group: usize, add: impl Fn(&[AtomicU64], usize, u64)) {
        add(cohort, outcomes::DURATIONS + self.bucket, 1);
        if self.class != outcomes::COMMON {
            add(cohort, outcomes::CLASSES + self.class, 1);
        }
        if self.error {
            add(cohort, outcomes::ERRORS_AT + group, 1);
        }
        let group = outcomes::GROUPS_AT + outcomes::GROUP * group;
        add(cohort, group, 1);
        add(cohort, group + 1, self.took);
    }
}

/// The place of a flag's outcomes. The number comes from the memory, so it is clamped.
#[inline]
fn outcomes_of(slot: u32) -> Place<Outcomes> {
    Place::new(layout::outcomes((slot as usize).min(FLAGS - 1)))
}

/// Sets a word that no other thread writes.
#[inline(always)]
fn set(words: &[AtomicU64], number: usize, value: u64) {
    if let Some(word) = words.get(number) {
        word.store(value, Ordering::Release);
    }
}

/// Adds to a word that other threads may add to.
#[inline(always)]
fn add(words: &[AtomicU64], number: usize, count: u64) {
    if let Some(word) = words.get(number) {
        word.fetch_add(count, Ordering::Relaxed);
    }
}

/// Adds to a word that no other thread adds to.
#[inline(always)]
fn add_own(words: &[AtomicU64], number: usize, count: u64) {
    if let Some(word) = words.get(number) {
        add_alone(word, count);
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

/// Places where the quick path counts, within a thread's cells of a flag.
trait QuickCells {
    fn place(self) -> usize;
    fn has_lists(self) -> bool;
}

impl QuickCells for Quick {
    #[inline(always)]
    fn place(self) -> usize {
        cell::SHAPES + 2 * (self.shape as usize).wrapping_sub(SHAPE_OFF.into())
    }

    #[inline(always)]
    fn has_lists(self) -> bool {
        self.shape == SHAPE_LISTS_AND_ROLLOUT
    }
}

// The shapes are in the order of the cells.
const _: () = assert!(SHAPE_ON == SHAPE_OFF + 1 && SHAPE_COMPANY_ROLLOUT == SHAPE_OFF + 2);
const _: () = assert!(cell::SHAPES + 2 * (SHAPE_LISTS_AND_ROLLOUT - SHAPE_OFF) as usize == cell::LISTS);

/// The hash that a flag is counted under; never 0, which marks a free place.
pub(super) fn key_hash(key: &[u8]) -> u64 {
    xxh3_64(key).max(1)
}
