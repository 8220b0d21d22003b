//! Reading the counters of the workers of one or several users.
//!
//! The files may hold anything, but every index comes from the layout.

use super::contents::{Contents, Progress, word};
use super::directory::{self, Found};
use super::error::TelemetryError;
use super::exposure::{Cohort, Exposure, GROUPS, Group};
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
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// Answers within one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hour {
    /// Hours since 1970.
    pub hour: u64,
    /// Answers that were on.
    pub on: u64,
    /// Answers that were off.
    pub off: u64,
}

/// The counts of one flag, over all files.
#[derive(Debug, Clone, PartialEq)]
pub struct FlagCounts {
    /// Answers that were on, by reason, as in [`Reason::ALL`].
    pub on: [u64; Reason::ALL.len()],
    /// Answers that were off, by reason.
    pub off: [u64; Reason::ALL.len()],
    /// The hours of the last 24 that are known, including the current one; oldest first.
    pub hours: Vec<Hour>,
    /// Distinct companies asked about in the last 24 hours, to 27: an estimate with a standard error of 4.6 %.
    pub companies: f64,
    /// Outcomes of the requests that asked it.
    pub exposure: Exposure,
    /// Requests of both cohorts that named no company.
    pub unnamed: u64,
    /// Counts for experiments, sorted by event and arm.
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
            unnamed: 0,
            tracked: Vec::new(),
            classes: [[0; outcomes::CLASS_COUNT]; 2],
            registers: Box::new([0; REGISTERS]),
        }
    }
}

impl FlagCounts {
    /// The share of the requests of both cohorts that named no company, 0 to 1.
    pub fn unnamed_share(&self) -> f64 {
        // Older counters lack the number, but still show when no request named a company.
        if self.companies < 1.0 {
            return 1.0;
        }
        let requests = self.exposure.on.requests.saturating_add(self.exposure.off.requests);
        (self.unnamed as f64 / requests.max(1) as f64).min(1.0)
    }

    /// All answers, on and off.
    pub fn answers(&self) -> (u64, u64) {
        let sum = |counts: &[u64]| counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
        (sum(&self.on), sum(&self.off))
    }

    /// The answers, `on` or `off`, with their reasons, as far as there were any; on first, then as in [`Reason::ALL`].
    pub fn reasons(&self) -> impl Iterator<Item = (&'static str, Reason, u64)> {
        let of = |answer, counts: &[u64; Reason::ALL.len()]| {
            Reason::ALL.into_iter().zip(*counts).map(move |(reason, count)| (answer, reason, count))
        };
        of("on", &self.on).chain(of("off", &self.off)).filter(|(_, _, count)| *count > 0)
    }
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.requests = self.requests.wrapping_add(other.requests);
        self.errors = self.errors.wrapping_add(other.errors);
        self.sum += other.sum;
        self.squares += other.squares;
    }
}

/// A living thread that counts in cells of its own: the first 256 of each user do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker {
    /// The user that it runs as.
    pub user: u32,
    /// The generation that it last answered from; 0 if it has not said yet.
    pub generation: u64,
    /// Time of that report, in microseconds since 1970: at each publish that it follows, and once a second while it is asked.
    pub seen: i64,
}

/// An open request of a living thread for which a client waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRequest {
    /// A hash of the file's path.
    pub file: u64,
    /// The thread's cells, and how often they were taken: a different count later means that the thread died.
    pub thread: (usize, u64),
    /// Beginning of the request, in nanoseconds by a clock of its thread; it differs between requests.
    pub began: u64,
    /// The flags that it asked so far.
    pub asked: Vec<OpenExposure>,
}

/// A flag that an open request asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenExposure {
    /// The hash of the flag's key, as [`Counts::flag_hash`] has it.
    pub flag: u64,
    /// True if the first answer was on.
    pub on: bool,
    /// Group of the company, below [`GROUPS`].
    pub group: usize,
}

/// The counts of an experiment's cell for one group of companies.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    /// All requests of the group.
    pub requests: u64,
    /// Requests with an error.
    pub errors: u64,
    /// Sum of the values; of requests themselves, their milliseconds.
    pub sum: f64,
    /// Sum of the values' squares.
    pub squares: f64,
}

/// The counts of one arm of a flag.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracked {
    /// Off, on, or a variant.
    pub arm: Arm,
    /// The event's name; none for the requests that were shown a variant.
    pub event: Option<String>,
    /// Counts by group of companies.
    pub groups: [Tally; GROUPS],
}

/// A file of counters, read or left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Path of the file.
    pub path: PathBuf,
    /// The user in whose directory it lies.
    pub user: u32,
    /// The reason why its counts are left out, if they are.
    pub left_out: Option<String>,
}

/// All requests that one user's workers answered, including those that asked no flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// The user that the workers run as.
    pub user: u32,
    /// The requests' outcomes.
    pub all: Cohort,
}

/// The counts of one store.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    flags: HashMap<u64, Box<FlagCounts>>,
    /// The files, sorted by path.
    pub sources: Vec<Source>,
    /// Threads that count now.
    pub workers: Vec<Worker>,
    /// Threads that count without cells, since all of their user's are taken: requests that they die in are not counted.
    pub without_cells: usize,
    /// Requests that living threads are in and that clients wait for.
    pub open: Vec<OpenRequest>,
    /// Times that the cells of each thread were taken, by file and thread.
    pub threads: HashMap<(u64, usize), u64>,
    /// All requests, by user.
    pub totals: Vec<Total>,
    /// Time at which the newest of the counted files was made, in microseconds since 1970: earlier counts may be lost.
    pub since: Option<i64>,
    /// Questions for flags that the snapshot did not have.
    pub unknown: u64,
    /// Answers of flags that the file had no room for.
    pub others: u64,
    /// Times that a thread met a flag without room.
    pub dropped_flags: u64,
    /// Times that a request asked more flags than are followed.
    pub dropped_exposures: u64,
    /// Events and variants that the file had no room for.
    pub dropped_events: u64,
    /// The directory of the counters, if its file system has no room for one more thread.
    pub full: Option<PathBuf>,
}

impl Counts {
    /// The counts of a flag; none if it was never asked.
    pub fn flag(&self, key: &str) -> Option<&FlagCounts> {
        self.flags.get(&key_hash(key.as_bytes())).map(|flag| &**flag)
    }

    /// The counts of the flag whose key has this hash.
    pub(crate) fn flag_of_hash(&self, hash: u64) -> Option<&FlagCounts> {
        self.flags.get(&hash).map(|flag| &**flag)
    }

    /// The counts of the flag whose key has this hash, to be added to.
    pub(crate) fn flag_mut(&mut self, hash: u64) -> &mut FlagCounts {
        self.flags.entry(hash).or_default()
    }

    /// The hash that a flag is counted under.
    pub fn flag_hash(key: &str) -> u64 {
        key_hash(key.as_bytes())
    }

    /// All requests of all users.
    pub fn total(&self) -> Cohort {
        let mut total = Cohort::default();
        self.totals.iter().for_each(|user| total.add(&user.all));
        total
    }

    /// The flags of a snapshot that were asked, in its order.
    pub fn of<'a>(&'a self, snapshot: &'a Snapshot) -> impl Iterator<Item = (&'a str, &'a FlagCounts)> {
        let keys = snapshot.flag_ids().map(|flag| snapshot.flag_key(flag));
        keys.filter_map(|key| Some((key, self.flag(key)?)))
    }

    /// Adds the counts of each former key to the flag that now has it, and removes the former key's.
    pub fn join_former_keys<'a>(&mut self, keys: impl Iterator<Item = (&'a str, &'a str)>) {
        for (was, key) in keys {
            let (was_hash, hash) = (key_hash(was.as_bytes()), key_hash(key.as_bytes()));
            let asked = self.open.iter_mut().flat_map(|request| &mut request.asked);
            asked.filter(|asked| asked.flag == was_hash).for_each(|asked| asked.flag = hash);
            let Some(former) = self.flags.remove(&was_hash) else { continue };
            self.flags.entry(hash).or_default().add(*former);
        }
    }

    /// Number of workers that answered from another generation than this one 10 seconds or more after it was published (in
    /// microseconds since 1970). A worker that was not asked since is not behind: it looks when it is asked.
    pub fn behind(&self, generation: u64, published_at: i64) -> usize {
        let late = published_at.saturating_add(GRACE);
        let behind = |worker: &&Worker| worker.generation != generation && worker.seen >= late;
        self.workers.iter().filter(behind).count()
    }
}

/// Files that are read of one user: workers have one, and another if their directory's name was taken for a while.
const MAX_FILES: usize = 4;

/// Microseconds in which every worker that is asked follows a publish.
const GRACE: i64 = 10_000_000;

/// Reads the files in `directory` of the store at `store`, a canonical path, that belong to users accepted by `believed`.
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
    let found = directory::files(directory, store);
    let found = found.map_err(|source| TelemetryError::io("list", directory, source))?;
    let (mut counts, mut files, mut unread) = (Counts::default(), HashMap::new(), Vec::new());
    for found in found {
        let (path, user) = (found.own.path(&found.name), found.user);
        let is_believed = believed(user);
        let number = files.entry(user).or_insert(0_usize);
        *number += 1;
        // One file is listed for each user who is not believed.
        if *number > if is_believed { MAX_FILES } else { 1 } {
            if *number == MAX_FILES + 1 && is_believed {
                unread.push(Source { path, user, left_out: None });
            }
            continue;
        }
        let left_out = if !is_believed {
            Some(format!("user {user} is not one whose counters are believed"))
        } else if !found.is_held {
            Some("it lies on another file system than its directory".to_owned())
        } else {
            match read_file(&found, &path, now) {
                Ok(found) => {
                    counts.add(found);
                    None
                }
                Err(error) => Some(error.to_string()),
            }
        };
        counts.sources.push(Source { path, user, left_out });
    }
    for source in unread {
        let (user, number) = (source.user, files.get(&source.user).copied().unwrap_or(0));
        let left_out = format!(
            "{} directories of user {user} that hold counters of this store are not read, of {number}: workers count in the first; have root remove \
             the others",
            number.saturating_sub(MAX_FILES)
        );
        counts.sources.push(Source { left_out: Some(left_out), ..source });
    }
    counts.full = (!has_room(directory)).then(|| directory.to_owned());
    counts.sources.sort_by(|a, b| a.path.cmp(&b.path));
    counts.totals.sort_by_key(|total| total.user);
    counts.flags.values_mut().for_each(|flag| flag.order());
    Ok(counts)
}

/// Pages that a thread takes, including those of its first flags.
const THREAD_PAGES: u64 = 4;
/// Files that a user's first thread makes, including its directory.
const USER_FILES: u64 = 4;

/// True if threads that start now can be counted, as far as the file system tells.
fn has_room(directory: &Path) -> bool {
    let Ok(found) = rustix::fs::statvfs(directory) else { return true };
    let bytes = found.f_bavail.saturating_mul(found.f_frsize);
    // Some file systems have no fixed number of files or bytes.
    let files = found.f_files == 0 || found.f_favail >= USER_FILES;
    files && (found.f_blocks == 0 || bytes >= THREAD_PAGES * super::layout::PAGE as u64)
}

/// The counts of one file.
fn read_file(of: &Found, path: &Path, now: i64) -> std::io::Result<Counts> {
    let mut found = Counts::default();
    let contents = Contents::read(of, |contents, progress| {
        let file = File { contents };
        match progress {
            Progress::Begun => found = file.begin(now),
            Progress::Group(slots) => file.add_group(slots, &mut found, now),
        }
    })?;
    File { contents: &contents }.add_threads(&mut found, of.user, xxh3_64(path.as_os_str().as_bytes()));
    Ok(found)
}

impl Counts {
    /// Adds the counts of another file.
    fn add(&mut self, other: Counts) {
        self.since = self.since.max(other.since);
        self.without_cells += other.without_cells;
        self.workers.extend(other.workers);
        self.open.extend(other.open);
        self.threads.extend(other.threads);
        for (held, found) in [
            (&mut self.unknown, other.unknown),
            (&mut self.others, other.others),
            (&mut self.dropped_flags, other.dropped_flags),
            (&mut self.dropped_exposures, other.dropped_exposures),
            (&mut self.dropped_events, other.dropped_events),
        ] {
            *held = held.wrapping_add(found);
        }
        for total in other.totals {
            match self.totals.iter_mut().find(|held| held.user == total.user) {
                Some(held) => held.all.add(&total.all),
                None => self.totals.push(total),
            }
        }
        for (key, found) in other.flags {
            match self.flags.entry(key) {
                Entry::Occupied(mut held) => held.get_mut().add(*found),
                Entry::Vacant(vacant) => _ = vacant.insert(found),
            }
        }
    }
}

impl FlagCounts {
    /// Adds counts of the same flag, from another file or another key. A request that asked under both keys counts twice.
    fn add(&mut self, other: FlagCounts) {
        add_each(&mut self.on, &other.on);
        add_each(&mut self.off, &other.off);
        for hour in other.hours {
            add_hour(&mut self.hours, hour);
        }
        self.exposure.on.add(&other.exposure.on);
        self.exposure.off.add(&other.exposure.off);
        self.exposure.gated = self.exposure.gated.wrapping_add(other.exposure.gated);
        self.exposure.mixed = self.exposure.mixed.wrapping_add(other.exposure.mixed);
        self.unnamed = self.unnamed.wrapping_add(other.unnamed);
        for (held, found) in self.classes.iter_mut().zip(&other.classes) {
            add_each(held, found);
        }
        for (held, found) in self.registers.iter_mut().zip(other.registers.iter()) {
            *held = (*held).max(*found);
        }
        for tracked in other.tracked {
            let groups = self.tracked(tracked.arm, tracked.event).into_iter().flatten();
            groups.zip(&tracked.groups).for_each(|(held, found)| held.add(found));
        }
        self.order();
    }

    /// Estimates the companies, and sorts the lists.
    fn order(&mut self) {
        self.companies = estimate(&self.registers);
        self.hours.sort_unstable_by_key(|hour| hour.hour);
        self.tracked.sort_by(|a, b| (&a.event, &a.arm).cmp(&(&b.event, &b.arm)));
    }

    /// The counts of an arm and an event.
    fn tracked(&mut self, arm: Arm, event: Option<String>) -> Option<&mut [Tally; GROUPS]> {
        let known = self.tracked.iter().position(|known| known.arm == arm && known.event == event);
        let known = known.unwrap_or(self.tracked.len());
        if known == self.tracked.len() {
            self.tracked.push(Tracked { arm, event, groups: [Tally::default(); GROUPS] });
        }
        self.tracked.get_mut(known).map(|tracked| &mut tracked.groups)
    }
}

/// Adds answers of an hour.
fn add_hour(hours: &mut Vec<Hour>, found: Hour) {
    match hours.iter_mut().find(|known| known.hour == found.hour) {
        Some(known) => {
            known.on = known.on.saturating_add(found.on);
            known.off = known.off.saturating_add(found.off);
        }
        None => hours.push(found),
    }
}

/// A file as far as it was read.
struct File<'a> {
    contents: &'a Contents,
}

impl File<'_> {
    fn word(&self, offset: usize) -> u64 {
        self.contents.word(offset)
    }

    /// The header's counts, and the number of flags.
    fn begin(&self, now: i64) -> Counts {
        let header = |word: usize| self.word(word * 8);
        let keys = FIRST as usize..self.contents.flags;
        Counts {
            flags: keys.map(|slot| (self.word(layout::key(slot)), Box::default())).collect(),
            since: Some(header(header::MADE).cast_signed()).filter(|made| (1..=now).contains(made)),
            dropped_flags: header(header::DROPPED_FLAGS),
            dropped_exposures: header(header::DROPPED_EXPOSURES),
            dropped_events: header(header::DROPPED_EVENTS),
            ..Counts::default()
        }
    }

    /// Adds one group of flags.
    fn add_group(&self, slots: Range<usize>, counts: &mut Counts, now: i64) {
        let tallies = self.contents.tallies(slots.start);
        for slot in slots {
            if slot == UNKNOWN as usize {
                counts.unknown = sum(&self.answers(slot).1);
            } else if slot == OTHERS as usize {
                let (on, off) = self.answers(slot);
                counts.others = sum(&on).wrapping_add(sum(&off));
            } else {
                let hash = self.word(layout::key(slot));
                self.add_flag(slot, counts.flags.entry(hash).or_default(), now);
            }
        }
        for number in tallies {
            let at = layout::tally(number);
            if let Some(flag) = counts.flags.get_mut(&self.word(at + tally::FLAG * 8)) {
                self.add_tally(at, flag);
            }
        }
    }

    /// Adds the threads, their open requests, and the requests of threads that died.
    fn add_threads(&self, counts: &mut Counts, user: u32, file: u64) {
        counts.without_cells = self.contents.without_cells;
        let mut all = Cohort::default();
        for thread in &self.contents.threads {
            let at = layout::page(thread.worker);
            self.add_cohort(at + page::TOTAL * 8, &mut all, &mut [0; outcomes::CLASS_COUNT]);
            if thread.is_claimed && thread.worker > 0 {
                let seen = i64::try_from(self.word(at + page::SEEN * 8)).unwrap_or(i64::MAX);
                counts.workers.push(Worker { user, generation: self.word(at + page::SERVING * 8), seen });
            }
            let (open, taken) = (self.word(at + page::OPEN * 8), self.word(at + page::EPOCH * 8));
            let thread_of = (file, thread.worker);
            if thread.left_open {
                // Its next owner counts it under the next number.
                counts.threads.insert(thread_of, taken.wrapping_add(1));
                self.add_left_open(at, counts, &mut all);
            } else if thread.worker > 0 {
                counts.threads.insert(thread_of, taken);
                if thread.is_claimed && open > page::UNAWAITED {
                    let asked = self.asked(at).collect();
                    let thread = (thread.worker, taken);
                    counts.open.push(OpenRequest { file, thread, began: open, asked });
                }
            }
        }
        counts.totals.push(Total { user, all });
    }

    /// The notes of a thread's open request.
    fn notes(&self, at: usize) -> impl Iterator<Item = Note> {
        let noted = (self.word(at + page::NOTED * 8) as usize).min(page::EXPOSURE_COUNT);
        (0..noted).map(move |number| Note::of(self.word(at + (page::EXPOSURES + number) * 8)))
    }

    /// The flags that a thread's open request asked.
    fn asked(&self, at: usize) -> impl Iterator<Item = OpenExposure> {
        let known = FIRST..self.contents.flags as u32;
        self.notes(at).filter(move |note| known.contains(&note.slot)).map(|note| OpenExposure {
            flag: self.word(layout::key(note.slot as usize)),
            on: note.first == ON,
            group: note.group() as usize,
        })
    }

    /// Adds a request whose thread died, as the next owner of its cells will.
    fn add_left_open(&self, at: usize, counts: &mut Counts, all: &mut Cohort) {
        for note in self.notes(at) {
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
            cohort.add_died(note.group());
            if let Some(failed) = classes.get_mut(FAILED) {
                *failed = failed.wrapping_add(1);
            }
        }
        all.add_died(self.notes(at).next().map_or(0, |first| first.group()));
    }

    fn add_flag(&self, slot: usize, flag: &mut FlagCounts, now: i64) {
        let (on, off) = self.answers(slot);
        add_each(&mut flag.on, &on);
        add_each(&mut flag.off, &off);
        self.add_hours(slot, (sum(&on), sum(&off)), &mut flag.hours, now);
        // Sketches of hours later than the last turned one are old ones, not emptied yet.
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
        flag.unnamed = flag.unnamed.wrapping_add(self.word(outcomes + outcomes::UNNAMED * 8));
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
        for (number, held) in flag.tracked(arm, event).into_iter().flatten().enumerate() {
            let word = |word: usize| self.word(at + (tally::GROUPS_AT + number * tally::GROUP + word) * 8);
            // Random bytes may be no finite number.
            let float =
                |bits: u64| Some(f64::from_bits(bits)).filter(|float| float.is_finite()).unwrap_or(0.0);
            held.requests = held.requests.wrapping_add(word(0));
            held.errors = held.errors.wrapping_add(word(1));
            held.sum += float(word(2));
            held.squares += float(word(3));
        }
    }

    /// Answers of a flag by all threads and by reason, on and off.
    fn answers(&self, slot: usize) -> ([u64; Reason::ALL.len()], [u64; Reason::ALL.len()]) {
        let mut words = [0_u64; cell::WORDS];
        for cells in self.contents.cells(slot) {
            for (number, sum) in words.iter_mut().enumerate() {
                *sum = sum.wrapping_add(word(cells, number));
            }
        }
        by_reason(&words)
    }

    /// Adds the answers of each hour. `answers`: all answers until now, on and off.
    fn add_hours(&self, slot: usize, answers: (u64, u64), hours: &mut Vec<Hour>, now: i64) {
        let current = hour_of(now);
        let row = |hour: u64| {
            let known = self.word((header::ROWS + row_of(hour)) * 8) == hour + 1;
            let at = layout::row(slot, row_of(hour));
            known.then(|| (self.word(at), self.word(at + 8)))
        };
        // The last turned hour goes on until some worker turns the next.
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
            add_hour(hours, Hour { hour, on, off });
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
            // A request is added to its duration first: only random bytes make these more than all.
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

/// A thread's cells by reason, on and off.
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
