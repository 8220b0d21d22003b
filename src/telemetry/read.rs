//! Reading what the workers of one or several users counted.
//!
//! What the files hold may be wrong, but every index comes from the layout.

use super::contents::Contents;
use super::error::TelemetryError;
use super::exposure::{Cohort, Exposure, GROUPS, Group};
use super::file::files;
use super::hours::{hour_of, row_of};
use super::layout::{
    self, FIRST, HOURS, OTHERS, REGISTERS, SKETCH_HOURS, SKETCHES, UNKNOWN, cell, header, outcomes, page,
    sketch_of, tally,
};
use super::note::{Note, ON};
use super::outcome::{FAILED, SERVER_ERROR};
use super::recorder::key_hash;
use super::sketch::estimate;
use super::tally::{ARM_OFF, ARM_ON, ARM_VARIANT, Arm};
use crate::eval::Reason;
use crate::snapshot::Snapshot;
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Answers of one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hour {
    /// Hours since 1970.
    pub hour: u64,
    /// Answers.
    pub on: u64,
    /// Answers.
    pub off: u64,
}

/// What was counted of one flag, of all files together.
#[derive(Debug, Clone, PartialEq)]
pub struct FlagCounts {
    /// Answers that were on, by reason, as in [`Reason::ALL`].
    pub on: [u64; Reason::ALL.len()],
    /// Answers that were off, by reason.
    pub off: [u64; Reason::ALL.len()],
    /// Each hour of the last 24 that is known, the one that goes on among them; the oldest first.
    pub hours: Vec<Hour>,
    /// Distinct companies asked about in the last 24 hours, to 27: an estimate with a standard error of 4.6 %.
    pub companies: f64,
    /// What the requests came to.
    pub exposure: Exposure,
    /// What was counted for experiments, sorted by event and arm.
    pub tracked: Vec<Tracked>,
    /// Requests by class of status and cohort, on and off: 0 none, 1 to 5 the status's hundreds, 6 failed, those whose thread died
    /// included.
    pub classes: [[u64; outcomes::CLASS_COUNT]; 2],
    registers: Box<[u8; REGISTERS]>,
}

impl Default for FlagCounts {
    fn default() -> Self {
        FlagCounts {
            on: [0; Reason::ALL.len()],
            off: [0; Reason::ALL.len()],
            hours: Vec::new(),
            companies: 0.0,
            exposure: Exposure::default(),
            tracked: Vec::new(),
            classes: [[0; outcomes::CLASS_COUNT]; 2],
            registers: Box::new([0; REGISTERS]),
        }
    }
}

impl FlagCounts {
    /// All answers, on and off.
    pub fn answers(&self) -> (u64, u64) {
        let sum = |counts: &[u64]| counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
        (sum(&self.on), sum(&self.off))
    }

    /// The answers by what they were, `on` or `off`, and why, as far as there were any; on first, then as in [`Reason::ALL`].
    pub fn reasons(&self) -> impl Iterator<Item = (&'static str, Reason, u64)> {
        let of = |answer, counts: &[u64; Reason::ALL.len()]| {
            Reason::ALL.into_iter().zip(*counts).map(move |(reason, count)| (answer, reason, count))
        };
        of("on", &self.on).chain(of("off", &self.off)).filter(|(_, _, count)| *count > 0)
    }
}

/// A thread that counts in cells of its own, and lives: the first 256 of each user do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker {
    /// Whose.
    pub user: u32,
    /// What it last answered from; 0 if it did not say yet.
    pub generation: u64,
    /// When it said so, in microseconds since 1970: at each publish that it follows, and once a second while it is asked.
    pub seen: i64,
}

/// What an experiment's cell counted of one group of companies.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    /// Requests.
    pub requests: u64,
    /// Of these with an error.
    pub errors: u64,
    /// Sum of the values; of requests themselves, their milliseconds.
    pub sum: f64,
    /// Sum of the values' squares.
    pub squares: f64,
}

/// What was counted of one arm of a flag.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracked {
    /// Which.
    pub arm: Arm,
    /// The event's name; none for the requests that were shown a variant.
    pub event: Option<String>,
    /// By group of companies.
    pub groups: [Tally; GROUPS],
}

/// A file that was read, or was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Whose.
    pub user: u32,
    /// Why its counts are left out, if they are.
    pub left_out: Option<String>,
}

/// What all requests came to that one user's workers answered, those that asked no flag included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// Whose workers.
    pub user: u32,
    /// The requests.
    pub all: Cohort,
}

/// What was counted for one store.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    flags: HashMap<u64, FlagCounts>,
    /// The files, sorted by path.
    pub sources: Vec<Source>,
    /// Threads that count now.
    pub workers: Vec<Worker>,
    /// Threads that count and have no cells, since all of their user's are taken: the requests that they die in are not counted.
    pub without_cells: usize,
    /// All requests, by user.
    pub totals: Vec<Total>,
    /// When the newest of the files that count was made, in microseconds since 1970: what was counted before may be lost.
    pub since: Option<i64>,
    /// Questions for flags that the snapshot did not have.
    pub unknown: u64,
    /// Answers of flags that there was no room for.
    pub others: u64,
    /// How often a thread met a flag that there was no room for.
    pub dropped_flags: u64,
    /// How often a request asked more flags than are followed.
    pub dropped_exposures: u64,
    /// Events and variants that there was no room for.
    pub dropped_events: u64,
}

impl Counts {
    /// What was counted of a flag; none if nobody asked it.
    pub fn flag(&self, key: &str) -> Option<&FlagCounts> {
        self.flags.get(&key_hash(key.as_bytes()))
    }

    /// All requests of all users.
    pub fn total(&self) -> Cohort {
        let mut total = Cohort::default();
        self.totals.iter().for_each(|user| total.add(&user.all));
        total
    }

    /// The flags of a snapshot that somebody asked, in its order.
    pub fn of<'a>(&'a self, snapshot: &'a Snapshot) -> impl Iterator<Item = (&'a str, &'a FlagCounts)> {
        let keys = snapshot.flag_ids().map(|flag| snapshot.flag_key(flag));
        keys.filter_map(|key| Some((key, self.flag(key)?)))
    }

    /// How many workers answered from another generation than this one, 10 seconds and more after it was published (in
    /// microseconds since 1970). One that nobody asked since is not behind: it looks when it is asked.
    pub fn behind(&self, generation: u64, published_at: i64) -> usize {
        let late = published_at.saturating_add(GRACE);
        let behind = |worker: &&Worker| worker.generation != generation && worker.seen >= late;
        self.workers.iter().filter(behind).count()
    }
}

/// Microseconds in which every worker that is asked follows a publish.
const GRACE: i64 = 10_000_000;

/// Reads the files in `directory` of the store at `store`, a canonical path, of those users that `believed` says yes to.
/// `now` is in microseconds since 1970. A file that cannot be read is left out and listed.
///
/// # Errors
///
/// When the directory cannot be listed.
pub fn read(
    directory: &Path,
    store: &Path,
    now: i64,
    believed: impl Fn(u32) -> bool,
) -> Result<Counts, TelemetryError> {
    std::fs::read_dir(directory).map_err(|source| TelemetryError::io("list", directory, source))?;
    let name = layout::name(store);
    let mut counts = Counts::default();
    for path in files(directory).filter(|path| path.file_name().is_some_and(|found| *found == *name)) {
        let Some(user) = owner(&path) else { continue };
        let left_out = if believed(user) {
            match Contents::read(&path, user) {
                Ok(contents) => {
                    File { contents }.add_to(&mut counts, user, now);
                    None
                }
                Err(error) => Some(error.to_string()),
            }
        } else {
            Some(format!("user {user} is not one whose counters are believed"))
        };
        counts.sources.push(Source { path, user, left_out });
    }
    counts.sources.sort_by(|a, b| a.path.cmp(&b.path));
    counts.totals.sort_by_key(|total| total.user);
    for flag in counts.flags.values_mut() {
        flag.companies = estimate(&flag.registers);
        flag.hours.sort_unstable_by_key(|hour| hour.hour);
        flag.tracked.sort_by(|a, b| (&a.event, &a.arm).cmp(&(&b.event, &b.arm)));
    }
    Ok(counts)
}

/// The user that a file's directory belongs to, as whose it is judged: nobody else can put a file there.
fn owner(path: &Path) -> Option<u32> {
    let found = std::fs::symlink_metadata(path.parent()?).ok()?;
    (found.is_dir() && found.mode() & 0o022 == 0).then(|| found.uid())
}

/// What one file holds.
struct File {
    contents: Contents,
}

impl File {
    fn word(&self, offset: usize) -> u64 {
        self.contents.word(offset)
    }

    fn add_to(&self, counts: &mut Counts, user: u32, now: i64) {
        let header = |word: usize| self.word(word * 8);
        let made = Some(header(header::MADE).cast_signed()).filter(|made| (1..=now).contains(made));
        counts.since = counts.since.max(made);
        counts.dropped_flags = counts.dropped_flags.wrapping_add(header(header::DROPPED_FLAGS));
        counts.dropped_exposures = counts.dropped_exposures.wrapping_add(header(header::DROPPED_EXPOSURES));
        counts.dropped_events = counts.dropped_events.wrapping_add(header(header::DROPPED_EVENTS));
        counts.without_cells += self.contents.without_cells;
        counts.unknown = counts.unknown.wrapping_add(sum(&self.answers(UNKNOWN as usize).1));
        let (on, off) = self.answers(OTHERS as usize);
        counts.others = counts.others.wrapping_add(sum(&on)).wrapping_add(sum(&off));
        for slot in FIRST as usize..self.contents.flags {
            let hash = self.word(layout::key(slot));
            self.add_flag(slot, counts.flags.entry(hash).or_default(), now);
        }
        let mut all = Cohort::default();
        for thread in &self.contents.threads {
            let at = layout::page(thread.worker);
            self.add_cohort(at + page::TOTAL * 8, &mut all, &mut [0; outcomes::CLASS_COUNT]);
            if thread.is_claimed && thread.worker > 0 {
                let seen = i64::try_from(self.word(at + page::SEEN * 8)).unwrap_or(i64::MAX);
                counts.workers.push(Worker { user, generation: self.word(at + page::SERVING * 8), seen });
            }
            if thread.left_open {
                self.add_open(at, counts, &mut all);
            }
        }
        match counts.totals.iter_mut().find(|total| total.user == user) {
            Some(total) => total.all.add(&all),
            None => counts.totals.push(Total { user, all }),
        }
        for number in self.contents.tallies() {
            let at = layout::tally(number);
            if let Some(flag) = counts.flags.get_mut(&self.word(at + tally::FLAG * 8)) {
                self.add_tally(at, flag);
            }
        }
    }

    /// Adds a request whose thread died, as the next owner of its cells will.
    fn add_open(&self, at: usize, counts: &mut Counts, all: &mut Cohort) {
        let noted = (self.word(at + page::NOTED * 8) as usize).min(page::EXPOSURE_COUNT);
        let note = |number: usize| Note::of(self.word(at + (page::EXPOSURES + number) * 8));
        for note in (0..noted).map(note) {
            let slot = note.slot as usize;
            if !(FIRST as usize..self.contents.flags).contains(&slot) {
                continue;
            }
            let flag = counts.flags.entry(self.word(layout::key(slot))).or_default();
            let [classes_on, classes_off] = &mut flag.classes;
            let (cohort, classes) = match note.first {
                ON => (&mut flag.exposure.on, classes_on),
                _ => (&mut flag.exposure.off, classes_off),
            };
            cohort.add_died(note.group);
            if let Some(failed) = classes.get_mut(FAILED) {
                *failed = failed.wrapping_add(1);
            }
        }
        all.add_died(if noted > 0 { note(0).group } else { 0 });
    }

    fn add_flag(&self, slot: usize, flag: &mut FlagCounts, now: i64) {
        let (on, off) = self.answers(slot);
        add_each(&mut flag.on, &on);
        add_each(&mut flag.off, &off);
        self.add_hours(slot, (sum(&on), sum(&off)), &mut flag.hours, now);
        // Sketches of later hours than the last that was turned are older ones, not emptied yet.
        let current = hour_of(now) / SKETCH_HOURS;
        let begun = current.min(self.word(header::HOUR * 8) / SKETCH_HOURS);
        for turn in current.saturating_sub(SKETCHES as u64 - 2)..=begun {
            let start = layout::sketch(slot, sketch_of(turn * SKETCH_HOURS));
            let registers = self.contents.bytes(start, REGISTERS);
            for (held, found) in flag.registers.iter_mut().zip(registers) {
                *held = (*held).max(*found);
            }
        }
        let outcomes = layout::outcomes(slot);
        let exposure = &mut flag.exposure;
        let [classes_on, classes_off] = &mut flag.classes;
        self.add_cohort(outcomes, &mut exposure.on, classes_on);
        self.add_cohort(outcomes + outcomes::COHORT * 8, &mut exposure.off, classes_off);
        exposure.gated = exposure.gated.wrapping_add(self.word(outcomes + outcomes::GATED * 8));
        exposure.mixed = exposure.mixed.wrapping_add(self.word(outcomes + outcomes::MIXED * 8));
    }

    fn add_tally(&self, at: usize, flag: &mut FlagCounts) {
        let Some((kind, arm, event)) = tally::shape_of(self.word(at + tally::SHAPE * 8)) else { return };
        let name = |start: usize, length: usize| {
            let bytes = self.contents.bytes(at + start * 8, length);
            String::from_utf8_lossy(bytes).into_owned()
        };
        let arm = match kind {
            ARM_OFF => Arm::Off,
            ARM_ON => Arm::On,
            ARM_VARIANT => Arm::Variant(name(tally::ARM, arm)),
            _ => return,
        };
        let event = (event > 0).then(|| name(tally::EVENT, event));
        let known = flag.tracked.iter().position(|known| known.arm == arm && known.event == event);
        let known = known.unwrap_or_else(|| {
            flag.tracked.push(Tracked { arm, event, groups: [Tally::default(); GROUPS] });
            flag.tracked.len() - 1
        });
        let Some(tracked) = flag.tracked.get_mut(known) else { return };
        for (number, held) in tracked.groups.iter_mut().enumerate() {
            let word = |word: usize| self.word(at + (tally::GROUPS_AT + number * tally::GROUP + word) * 8);
            // Random bytes are no numbers at times.
            let float =
                |bits: u64| Some(f64::from_bits(bits)).filter(|float| float.is_finite()).unwrap_or(0.0);
            held.requests = held.requests.wrapping_add(word(0));
            held.errors = held.errors.wrapping_add(word(1));
            held.sum += float(word(2));
            held.squares += float(word(3));
        }
    }

    /// All threads' answers of a flag by reason, on and off.
    fn answers(&self, slot: usize) -> ([u64; Reason::ALL.len()], [u64; Reason::ALL.len()]) {
        let mut words = [0_u64; cell::WORDS];
        for worker in self.contents.with_cells(slot) {
            let cells = layout::cells(worker, slot);
            for (number, word) in words.iter_mut().enumerate() {
                *word = word.wrapping_add(self.word(cells + number * 8));
            }
        }
        by_reason(&words)
    }

    /// `answers`: all there are until now, on and off.
    fn add_hours(&self, slot: usize, answers: (u64, u64), hours: &mut Vec<Hour>, now: i64) {
        let current = hour_of(now);
        let row = |hour: u64| {
            let known = self.word((header::ROWS + row_of(hour)) * 8) == hour + 1;
            let at = layout::row(slot, row_of(hour));
            known.then(|| (self.word(at), self.word(at + 8)))
        };
        // The last hour that was turned goes on until somebody turns it.
        let Some(last) =
            (0..HOURS as u64).map(|back| current.saturating_sub(back)).find(|hour| row(*hour).is_some())
        else {
            return;
        };
        for hour in current.saturating_sub(HOURS as u64 - 1)..=last {
            let (Some(begun), Some(ended)) =
                (row(hour), if hour == last { Some(answers) } else { row(hour + 1) })
            else {
                continue;
            };
            let (on, off) = (ended.0.saturating_sub(begun.0), ended.1.saturating_sub(begun.1));
            match hours.iter_mut().find(|known| known.hour == hour) {
                Some(known) => {
                    known.on = known.on.saturating_add(on);
                    known.off = known.off.saturating_add(off);
                }
                None => hours.push(Hour { hour, on, off }),
            }
        }
    }

    fn add_cohort(&self, start: usize, cohort: &mut Cohort, classes: &mut [u64; outcomes::CLASS_COUNT]) {
        let word = |number: usize| self.word(start + number * 8);
        let mut all = 0_u64;
        for (bucket, count) in cohort.durations.iter_mut().enumerate() {
            let found = word(outcomes::DURATIONS + bucket);
            *count = count.wrapping_add(found);
            all = all.wrapping_add(found);
        }
        let died = word(outcomes::CLASSES + outcomes::DIED);
        cohort.requests = cohort.requests.wrapping_add(all).wrapping_add(died);
        cohort.errors = cohort.errors.wrapping_add(died);
        let mut common = all;
        let others = classes.iter_mut().enumerate();
        for (class, count) in others.filter(|(class, _)| !matches!(*class, outcomes::COMMON | outcomes::DIED))
        {
            let found = word(outcomes::CLASSES + class);
            *count = count.wrapping_add(found);
            // A request is added to its duration first: there are never more of these than of all but for random bytes.
            common = common.saturating_sub(found);
            if matches!(class, SERVER_ERROR | FAILED) {
                cohort.errors = cohort.errors.wrapping_add(found);
            }
        }
        if let Some(failed) = classes.get_mut(FAILED) {
            *failed = failed.wrapping_add(died);
        }
        if let Some(count) = classes.get_mut(outcomes::COMMON) {
            *count = count.wrapping_add(common);
        }
        for (number, Group { requests, errors, time }) in cohort.groups.iter_mut().enumerate() {
            let at = outcomes::GROUPS_AT + number * outcomes::GROUP;
            *requests = requests.wrapping_add(word(at));
            *errors = errors.wrapping_add(word(outcomes::ERRORS_AT + number));
            *time = time.wrapping_add(word(at + 1));
        }
    }
}

/// What a thread's cells say by reason, on and off.
fn by_reason(words: &[u64; cell::WORDS]) -> ([u64; Reason::ALL.len()], [u64; Reason::ALL.len()]) {
    let word = |number: usize| words.get(number).copied().unwrap_or(0);
    let (mut on, mut off) = ([0_u64; Reason::ALL.len()], [0_u64; Reason::ALL.len()]);
    let mut add = |is_on: bool, reason: Reason, count: u64| {
        let counts = if is_on { &mut on } else { &mut off };
        if let Some(held) = counts.get_mut(reason as usize) {
            *held = held.wrapping_add(count);
        }
    };
    let shape = |number: usize| (word(cell::SHAPES + number * 2), word(cell::SHAPES + number * 2 + 1));
    add(false, Reason::Disabled, shape(0).0);
    add(true, Reason::Full, shape(1).0);
    let (asked, let_in) = shape(2);
    add(true, Reason::RolloutIn, let_in);
    add(false, Reason::RolloutOut, asked.wrapping_sub(let_in));
    let [asked, let_in, denied, allowed, full] = std::array::from_fn(|number| word(cell::LISTS + number));
    add(false, Reason::Denied, denied);
    add(true, Reason::Allowed, allowed);
    add(true, Reason::Full, full);
    add(true, Reason::RolloutIn, let_in.wrapping_sub(allowed).wrapping_sub(full));
    add(false, Reason::RolloutOut, asked.wrapping_sub(let_in).wrapping_sub(denied));
    for (number, reason) in Reason::ALL.into_iter().enumerate() {
        add(cell::counts_on(reason), reason, word(cell::REASONS + number));
    }
    add(false, Reason::Rule, word(cell::RULE_OFF));
    (on, off)
}

fn sum(counts: &[u64]) -> u64 {
    counts.iter().fold(0, |sum, count| sum.wrapping_add(*count))
}

fn add_each(held: &mut [u64], found: &[u64]) {
    for (held, found) in held.iter_mut().zip(found) {
        *held = held.wrapping_add(*found);
    }
}
