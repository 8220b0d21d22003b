//! Reading what the workers of one or several users counted.
//!
//! The files are read, not mapped: one that is cut short meanwhile is an error and not the reader's end. What they hold
//! may be wrong, but every index comes from the layout that a file's name and size agree on.

use super::claim::is_claimed;
use super::error::TelemetryError;
use super::exposure::{Cohort, Exposure, GROUPS, Group};
use super::hours::{hour_of, row_of};
use super::layout::{
    FIRST, HOURS, Layout, MAGIC, OTHERS, REGISTERS, SKETCH_HOURS, SKETCHES, UNKNOWN, WORKERS, cell, header,
    outcomes, prefix, sketch_of, tally,
};
use super::outcome::{FAILED, SERVER_ERROR};
use super::recorder::key_hash;
use super::sketch::estimate;
use super::tally::{ARM_OFF, ARM_ON, ARM_VARIANT, Arm};
use crate::eval::Reason;
use crate::snapshot::Snapshot;
use crate::store::open_plain;
use rustix::process::geteuid;
use std::collections::HashMap;
use std::io::{self, Read};
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
    /// Requests by class of status and cohort, on and off: 0 none, 1 to 5 the status's hundreds, 6 failed.
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

/// A thread that counts in cells of its own, and lives: the first 64 of each user do.
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

/// What was counted for one store.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    flags: HashMap<u64, FlagCounts>,
    /// The files, sorted by path.
    pub sources: Vec<Source>,
    /// Threads that count now.
    pub workers: Vec<Worker>,
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

/// Users below are the system's own: daemons run as such, people do not (`SYS_UID_MAX` of login.defs).
const SYSTEM_USERS: u32 = 1000;

/// Whose counters are believed of a store that belongs to `owner`: root's, the owner's, this user's and the system's own
/// users', as whom web servers run. Anybody else could make up errors, and have a feature turned off.
pub fn trusts(user: u32, owner: u32) -> bool {
    user < SYSTEM_USERS || user == owner || user == geteuid().as_raw()
}

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
    let failed = |source| TelemetryError::io("list", directory, source);
    let prefix = prefix(store);
    let mut counts = Counts::default();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let Some((user, flags)) = name.to_str().and_then(|name| name.strip_prefix(&prefix)?.split_once('-'))
        else {
            continue;
        };
        let (Ok(user), Ok(flags)) = (user.parse(), flags.parse()) else { continue };
        let Some(layout) = Layout::named(flags) else { continue };
        let path = directory.join(&name);
        let left_out = if believed(user) {
            match contents(&path, user, layout) {
                Ok((bytes, claimed)) => {
                    let file = File { layout, bytes: &bytes };
                    file.add_to(&mut counts, now);
                    counts.workers.extend(claimed.into_iter().map(|worker| file.worker(worker, user)));
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
    for flag in counts.flags.values_mut() {
        flag.companies = estimate(&flag.registers);
        flag.hours.sort_unstable_by_key(|hour| hour.hour);
        flag.tracked.sort_by(|a, b| (&a.event, &a.arm).cmp(&(&b.event, &b.arm)));
    }
    Ok(counts)
}

/// What a file holds, and whose cells are claimed.
fn contents(path: &Path, user: u32, layout: Layout) -> io::Result<(Vec<u8>, Vec<usize>)> {
    let mut file = open_plain(path, false)?;
    let found = file.metadata()?;
    let wrong = |found: String| Err(io::Error::new(io::ErrorKind::InvalidData, found));
    if !found.is_file() || found.uid() != user {
        return wrong(format!("it belongs to user {}, its name says {user}", found.uid()));
    }
    if found.mode() & 0o022 != 0 {
        return wrong(format!("others can write it (mode {:04o})", found.mode() & 0o7777));
    }
    if found.len() != layout.size() as u64 {
        return wrong(format!("it has {} bytes, expected {}", found.len(), layout.size()));
    }
    let mut bytes = vec![0; layout.size()];
    file.read_exact(&mut bytes)?;
    let magic = bytes.get(..8).and_then(|word| word.try_into().ok()).map(u64::from_le_bytes);
    if magic != Some(MAGIC) {
        return wrong("it does not begin as such files do".to_owned());
    }
    Ok((bytes, (1..=WORKERS).filter(|worker| is_claimed(&file, *worker)).collect()))
}

/// A file's bytes.
struct File<'a> {
    layout: Layout,
    bytes: &'a [u8],
}

impl File<'_> {
    fn word(&self, offset: usize) -> u64 {
        let word = self.bytes.get(offset..offset + 8).and_then(|word| word.try_into().ok());
        word.map_or(0, u64::from_le_bytes)
    }

    fn worker(&self, worker: usize, user: u32) -> Worker {
        let said = (header::SERVING + 2 * worker.saturating_sub(1)) * 8;
        let seen = i64::try_from(self.word(said + 8)).unwrap_or(i64::MAX);
        Worker { user, generation: self.word(said), seen }
    }

    fn add_to(&self, counts: &mut Counts, now: i64) {
        let header = |word: usize| self.word(word * 8);
        let made = Some(header(header::MADE).cast_signed()).filter(|made| (1..=now).contains(made));
        counts.since = counts.since.max(made);
        counts.dropped_flags = counts.dropped_flags.wrapping_add(header(header::DROPPED_FLAGS));
        counts.dropped_exposures = counts.dropped_exposures.wrapping_add(header(header::DROPPED_EXPOSURES));
        counts.unknown = counts.unknown.wrapping_add(sum(&self.answers(UNKNOWN as usize).1));
        let (on, off) = self.answers(OTHERS as usize);
        counts.others = counts.others.wrapping_add(sum(&on)).wrapping_add(sum(&off));
        for slot in FIRST as usize..self.layout.flags {
            let hash = self.word(self.layout.keys() + slot * 8);
            if hash != 0 {
                self.add_flag(slot, counts.flags.entry(hash).or_default(), now);
            }
        }
        for number in 0..self.layout.tallies() {
            let at = self.layout.tally(number);
            if self.word(at + tally::KEY * 8) != 0
                && let Some(flag) = counts.flags.get_mut(&self.word(at + tally::FLAG * 8))
            {
                self.add_tally(at, flag);
            }
        }
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
            let start = self.layout.sketch(sketch_of(turn * SKETCH_HOURS)) + slot * REGISTERS;
            let registers = self.bytes.get(start..start + REGISTERS).unwrap_or(&[]);
            for (held, found) in flag.registers.iter_mut().zip(registers) {
                *held = (*held).max(*found);
            }
        }
        let outcomes = self.layout.outcomes(slot);
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
            let bytes = self.bytes.get(at + start * 8..at + start * 8 + length).unwrap_or(&[]);
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
        for worker in 0..=WORKERS {
            let cells = self.layout.cells(worker) + slot * cell::WORDS * 8;
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
            let at = self.layout.row(row_of(hour)) + slot * 16;
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
        cohort.requests = cohort.requests.wrapping_add(all);
        let mut common = all;
        for (class, count) in classes.iter_mut().enumerate().filter(|(class, _)| *class != outcomes::COMMON) {
            let found = word(outcomes::CLASSES + class);
            *count = count.wrapping_add(found);
            // A request is added to its duration first: there are never more of these than of all but for random bytes.
            common = common.saturating_sub(found);
            if matches!(class, SERVER_ERROR | FAILED) {
                cohort.errors = cohort.errors.wrapping_add(found);
            }
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
