//! The view that one thread's requests are answered from: one generation and one instant, from a request's first question to its end.
//!
//! A process that is one long request (PHP's command line) moves on by itself: a question compares one word of the mapped head, and reads
//! a clock only when that word moved, or at every 16th question, and at each one where questions come seldom.
//!
//! A session decides when a store is opened, followed and checked again, and counts what its requests ask. Its [`Host`] provides clocks,
//! forks, the log and the paths that a request's code may open.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod counting;
mod host;
mod pinned;
mod stores;

pub use counting::Counting;
pub use host::{Host, Settings};

use crate::eval::Switches;
use crate::key::Key;
use crate::snapshot::{FlagId, Snapshot};
use crate::store::{MapPolicy, Reader, ReaderOptions, View};
use pinned::Pinned;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use stores::OpenStore;
use xxhash_rust::xxh3::xxh3_64;

/// Most questions between two checks of a long-lived process for a replaced head file. A clock at each question would make it half as dear
/// again; so a process that asked often, and then seldom, misses a restored head for so many questions once.
const QUESTIONS_BETWEEN_CHECKS: u32 = 16;
/// Milliseconds between two attempts to open a store that could not be opened, and between two checks of a path with symbolic links.
const RETRY_MS: u64 = 1_000;
/// Most milliseconds between two looks for kills and the stop in a long-lived process.
const SWITCHES_MS: u64 = 1_000;
/// Milliseconds within which a line is logged once.
const LOG_AGAIN_MS: u64 = 60_000;
/// Lines that are remembered for that.
const MAX_LOGGED: usize = 32;
/// Attempts to answer again after the snapshot was lost during an answer: each time from a copy, or from another.
const RECOVERIES: u32 = 8;

/// The state of one thread. The fields of the quickest path come first.
#[derive(Debug)]
pub struct Session<H> {
    pinned: Pinned,
    /// Questions left before a look.
    until_look: u32,
    /// Questions between two looks of a long-lived process: one if they come seldom, so that a look is never long in coming.
    look_every: u32,
    counts: bool,
    long_lived: bool,
    /// Microseconds since 1970: the instant of the request.
    now: i64,
    /// Coarse milliseconds of the last look at the head.
    looked: u64,
    /// Coarse milliseconds when the newest content was last taken.
    moved: u64,
    /// The view may hold older content than its epoch: a mark held it.
    held: bool,
    /// Answers were overridden by the code of the request.
    overridden: bool,
    /// SIGBUS reaches this thread: its mask was checked, and nothing known changed it since. Mapped memory is read only while this is
    /// true.
    faults_reach: bool,
    open: Option<OpenStore>,
    /// The store named by the code of the request.
    named: Option<Vec<u8>>,
    /// The path that `open` was opened for, as given.
    chosen: Vec<u8>,
    /// Coarse milliseconds of the next check of the path: a failed open is tried again, and symbolic links on the way may lead elsewhere.
    retry_at: u64,
    /// The reason why no store is open.
    error: Option<String>,
    answers: Answers,
    counting: Counting,
    /// Forks of this process that were seen.
    forks: u32,
    /// Lines for the log. They are written when nothing else is held.
    notices: Vec<String>,
    /// Hashes of the lines that were logged within the last minute, and the coarse milliseconds of each.
    logged: Vec<(u64, u64)>,
    host: H,
}

/// Counts of a thread's answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answers {
    /// All answers.
    pub asked: u64,
    /// Answers that were on.
    pub on: u64,
}

impl Answers {
    /// Two counters at fixed places: an address that depends on the answer makes the processor hold back the loads of the next call until
    /// the answer is known, which doubled the call's cost.
    #[inline(always)]
    fn add(&mut self, counts: bool, on: u32) {
        self.asked += u64::from(counts);
        self.on += u64::from(u32::from(counts) & on);
    }
}

/// The snapshot and switches that answer a question.
#[derive(Debug, Clone, Copy)]
pub struct Pin<'a> {
    /// The snapshot of the generation.
    pub snapshot: &'a Snapshot,
    /// Kills and the stop.
    pub switches: &'a Switches,
}

impl Pin<'_> {
    #[inline(always)]
    fn of(view: &View) -> Option<Pin<'_>> {
        Some(Pin { snapshot: view.snapshot.as_deref()?, switches: &view.switches })
    }
}

impl<H: Host> Session<H> {
    /// A session for a thread that served no request yet.
    pub fn new(host: H) -> Session<H> {
        Session {
            pinned: Pinned::nothing(),
            until_look: 1,
            look_every: 1,
            counts: true,
            long_lived: false,
            now: 0,
            looked: 0,
            moved: 0,
            held: false,
            overridden: false,
            faults_reach: false,
            open: None,
            named: None,
            chosen: Vec::new(),
            retry_at: 0,
            error: None,
            answers: Answers::default(),
            counting: Counting::default(),
            forks: host.forks(),
            notices: Vec::new(),
            logged: Vec::new(),
            host,
        }
    }

    /// Answers for a company if the snapshot alone decides: 1 on, 0 off. It is counted.
    #[inline(always)]
    pub fn quick_int(&mut self, hash: u64, flag: &[u8], company: i64) -> Option<u32> {
        if !self.pinned.is_quick() || self.is_time_to_look() {
            return None;
        }
        let snapshot = self.pinned.quick()?;
        let quick = snapshot.quick(hash, flag, company)?;
        // After reading: if the snapshot was lost meanwhile, the watched word has changed. No instruction on x86-64.
        fence(Ordering::Acquire);
        if self.pinned.has_moved() {
            return None;
        }
        self.answers.add(self.counts, quick.on());
        self.counting.quick(snapshot, quick, Some(Key::Int(company)));
        Some(quick.on())
    }

    /// Like [`quick_int`](Self::quick_int) for any company, after the looks that are due. Counted for telemetry, not as an answer.
    ///
    /// # Errors
    ///
    /// The snapshot alone does not decide. Holds the flag, if the pinned snapshot has it and nothing is stopped or overridden.
    #[inline(always)]
    pub fn quick_key(
        &mut self,
        hash: u64,
        flag: &[u8],
        company: &Option<Key<'_>>,
    ) -> Result<u32, Option<FlagId>> {
        if self.overridden {
            return Err(None);
        }
        self.follow();
        let view = self.pinned.view().filter(|view| !view.switches.stopped()).ok_or(None)?;
        let snapshot = view.snapshot.as_deref().ok_or(None)?;
        let quick = snapshot.quick_key(hash, flag, *company)?;
        if snapshot.lost() {
            return Err(None);
        }
        let asked = FlagId(quick.flag);
        if view.switches.killed(asked) {
            return Err(Some(asked));
        }
        self.counting.quick(snapshot, quick, *company);
        Ok(quick.on())
    }

    /// True if a look is due. Counts a question.
    #[inline(always)]
    fn is_time_to_look(&mut self) -> bool {
        self.until_look = self.until_look.wrapping_sub(1);
        if self.until_look == 0 {
            // The look itself asks once more.
            self.until_look = 1;
            return true;
        }
        false
    }

    /// True if the head moved, or a look is due.
    #[inline(always)]
    fn must_look(&mut self) -> bool {
        self.is_time_to_look() || self.pinned.has_moved()
    }

    /// Counts an answer, 1 or 0.
    #[inline(always)]
    pub fn count(&mut self, on: u32) {
        self.answers.add(self.counts, on);
    }

    /// The pin to answer from, after the looks that are due. None: no snapshot was ever loaded.
    #[inline]
    pub fn pin(&mut self) -> Option<Pin<'_>> {
        self.follow();
        self.pinned_as_it_is()
    }

    /// Looks, if a look is due.
    #[inline(always)]
    fn follow(&mut self) {
        if !self.pinned.is_pinned() || self.must_look() {
            self.look();
        }
    }

    /// The pin of the last question, without a look.
    #[inline]
    pub fn pinned_as_it_is(&self) -> Option<Pin<'_>> {
        self.pinned.view().and_then(Pin::of)
    }

    /// Like [`pinned_as_it_is`](Self::pinned_as_it_is), with the counters of its answers.
    #[inline]
    pub fn pinned_and_counting(&mut self) -> (Option<Pin<'_>>, &mut Counting) {
        let view = self.pinned.view();
        let pin =
            view.and_then(|view| Some(Pin { snapshot: view.snapshot.as_deref()?, switches: &view.switches }));
        (pin, &mut self.counting)
    }

    /// The view of the last question, with its generation.
    #[inline]
    pub fn view(&self) -> Option<&View> {
        self.pinned.view()
    }

    /// The reader of the store that is open.
    pub fn reader(&self) -> Option<&Arc<Reader>> {
        self.open.as_ref().map(|open| &open.reader)
    }

    /// The reason why no store is open, or why its path was not followed.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Counts of the answers since the thread began.
    pub fn answers(&self) -> Answers {
        self.answers
    }

    /// The counters of this thread.
    pub fn counting(&mut self) -> &mut Counting {
        &mut self.counting
    }

    /// Path of the memory counted in, and the reason why none is open.
    pub fn counted_in(&self) -> (Option<&Path>, Option<&str>) {
        self.counting.place()
    }

    /// The host, with its settings.
    pub fn host(&mut self) -> &mut H {
        &mut self.host
    }

    /// Adds a line to the log.
    pub fn notice(&mut self, line: String) {
        self.notices.push(line);
    }

    /// The request's instant, in microseconds since 1970. In a long-lived process it moves on at the refresh interval, but not within a
    /// request that the application marked.
    #[inline]
    pub fn instant(&mut self) -> i64 {
        if self.long_lived && self.host.settings().refresh_ms > 0 {
            let now = self.host.wall_clock();
            let is_over = now.abs_diff(self.now) >= self.host.settings().refresh_ms * 1000;
            if is_over && !self.counting.is_within_mark(self.host.coarse_ms()) {
                self.now = now;
            }
        }
        self.now
    }

    /// Notes that this thread's signal mask may have changed: the next question checks it.
    pub fn suspect_mask(&mut self) {
        self.faults_reach = false;
        self.pinned.doubt();
    }

    /// Unblocks SIGBUS for this thread if something may have blocked it.
    fn let_faults_reach(&mut self) {
        if !self.faults_reach {
            self.faults_reach = true;
            crate::unblock_bus_errors();
        }
    }

    /// Pins `view`, and watches the word that would move it.
    fn set(&mut self, view: Arc<View>) {
        self.let_faults_reach();
        self.pinned.set(view, self.long_lived && self.open.is_some(), !self.overridden);
    }

    /// True if the bytes read of the pinned snapshot were its file's. Ask after reading and before answering; if false, the next question
    /// uses another snapshot.
    #[inline]
    fn is_sound(&mut self) -> bool {
        let sound = !self.pinned.view().is_some_and(View::lost);
        if !sound {
            self.unpin();
        }
        sound
    }

    /// Makes the next question check everything again.
    pub fn unpin(&mut self) {
        self.pinned.unpin();
    }

    /// Starts a request: its instant is now, and its first question chooses the generation.
    pub fn request_starts(&mut self) {
        self.long_lived = self.host.is_long_lived();
        self.counts = self.host.settings().telemetry.is_some();
        self.now = self.host.wall_clock();
        self.unpin();
    }

    /// Ends a request and forgets the store that it named. The view stays until the next one is pinned, so that an unchanged request
    /// finds it again.
    pub fn request_is_over(&mut self) {
        self.unpin();
        self.named = None;
        self.overridden = false;
    }

    /// Moves to the newest generation now. True if it is another than before.
    pub fn refresh(&mut self) -> bool {
        self.now = self.host.wall_clock();
        let clock = self.host.coarse_ms();
        self.advance_to_newest(clock, false)
    }

    /// Something may have changed: moves the pin if it did and may.
    #[cold]
    #[inline(never)]
    fn look(&mut self) {
        if !self.faults_reach {
            self.let_faults_reach();
            self.reconsider();
            if self.pinned.is_pinned() && !self.must_look() {
                return;
            }
        }
        let clock = self.host.coarse_ms();
        if !self.pinned.is_pinned() {
            self.count_to_next_look();
            self.advance(clock);
            return;
        }
        if self.pinned.view().is_some_and(View::lost) {
            self.unpin();
            self.until_look = 1;
            self.advance(clock);
            return;
        }
        let interval = match self.host.settings().refresh_ms {
            0 => SWITCHES_MS,
            refresh => refresh.min(SWITCHES_MS),
        };
        let due = self.long_lived && clock.saturating_sub(self.looked) >= interval;
        self.look_every = if due { 1 } else { (self.look_every * 2).min(QUESTIONS_BETWEEN_CHECKS) };
        self.count_to_next_look();
        if due {
            self.advance(clock);
        }
    }

    /// Only a long-lived process looks without being told that something moved.
    fn count_to_next_look(&mut self) {
        self.until_look = if self.long_lived { self.look_every } else { u32::MAX };
    }

    /// Moves the pin to the newest generation. Within a request that the application marked, and until the refresh interval is over, only
    /// kills and the stop of the pinned generation are updated.
    fn advance(&mut self, clock: u64) {
        let is_over = match self.host.settings().refresh_ms {
            0 => false,
            refresh => clock.saturating_sub(self.moved) >= refresh,
        };
        let stays = !is_over || self.counting.is_within_mark(clock);
        let holds = self.pinned.is_pinned() && stays;
        self.advance_to_newest(clock, holds);
    }

    fn advance_to_newest(&mut self, clock: u64, holds: bool) -> bool {
        let generation = |session: &Session<H>| session.pinned.view().map(|view| view.generation);
        let before = generation(self);
        self.prepare();
        self.choose_store(clock);
        self.looked = clock;
        if !holds {
            self.moved = clock;
        }
        self.follow_head(clock, holds);
        self.log_notices();
        before != generation(self)
    }

    /// Pins what the head of the open store names.
    fn follow_head(&mut self, clock: u64, holds: bool) {
        // First of all: the quick path points into what is released below.
        self.unpin();
        let Some(open) = &self.open else {
            self.pinned.forget();
            return;
        };
        let (reader, location) = (open.reader.clone(), open.location.clone());
        let replaced = reader.check_replaced(clock);
        let current = |view: &View| !replaced && reader.is_current(view);
        let view = match self.pinned.take() {
            Some(view) if (holds || !self.held) && current(&view) => view,
            // Kills and the stop reach through the mark of a request; content does not.
            Some(view) if holds && view.snapshot.is_some() && !view.lost() => {
                self.held = true;
                reader.switched(&view).map_or(view, Arc::new)
            }
            _ => {
                self.held = false;
                reader.view()
            }
        };
        self.notices.extend(reader.take_notices());
        self.count_for(&view, &location.directory, clock);
        self.set(view);
    }

    /// Writes the pending lines to the log, with nothing else held. May not return.
    pub fn log_notices(&mut self) {
        // A log formats a date, and does not check whether it got the memory for that.
        if !self.notices.is_empty() && crate::has_room() {
            self.forget_repeated_notices();
            self.host.log(&mut self.notices);
        }
    }

    /// Drops lines that were logged within the last minute: a worker of several stores meets the trouble of one of them at each change.
    fn forget_repeated_notices(&mut self) {
        let clock = self.host.coarse_ms();
        let logged = &mut self.logged;
        logged.retain(|(_, at)| clock.saturating_sub(*at) < LOG_AGAIN_MS);
        self.notices.retain(|line| {
            let hash = xxh3_64(line.as_bytes());
            let is_new = logged.iter().all(|(known, _)| *known != hash);
            if is_new && logged.len() < MAX_LOGGED {
                logged.push((hash, clock));
            }
            is_new
        });
    }

    /// Call before reading mapped memory: SIGBUS reaches this thread, and after `fork` nothing is shared that the child must own.
    fn prepare(&mut self) {
        self.let_faults_reach();
        self.after_fork();
    }

    /// A child of `fork` counts in its own cells and, with threads, reads by its own reader: another thread may have held the locks of
    /// its parent's.
    fn after_fork(&mut self) {
        let forks = self.host.forks();
        if self.forks == forks {
            return;
        }
        self.forks = forks;
        self.counting.forget();
        if H::HAS_THREADS
            && self.open.is_some()
            && let Ok(opened) = stores::open(&self.chosen, self.options(), &self.host)
        {
            self.replace(Some(opened));
        }
    }

    /// Opens the store named by the settings or the application, unless it is open already.
    fn choose_store(&mut self, clock: u64) {
        let configured = self.host.settings().store.as_slice();
        let path = if configured.is_empty() { self.named.as_deref().unwrap_or_default() } else { configured };
        if path == self.chosen && (self.open.is_some() || clock < self.retry_at) {
            return self.follow_links(clock);
        }
        let path = path.to_vec();
        self.replace(None);
        self.retry_at = clock + RETRY_MS;
        self.chosen = path;
        let opened = if self.chosen.is_empty() {
            Err("no store: set flagstone.store in php.ini, or call flagstone_use() with the store's directory"
                .to_owned())
        } else if !self.chosen.starts_with(b"/") {
            // A relative path depends on the working directory, which the code of the request chooses.
            let found = String::from_utf8_lossy(&self.chosen);
            Err(format!(
                "flagstone.store is {found:?} in php.ini, expected an absolute path: every flag is off"
            ))
        } else {
            self.open_chosen()
        };
        self.store_opened(opened);
    }

    /// Opens the chosen store. If the code of a request named it, the store itself must lie where the host allows: the path may have been
    /// led elsewhere since it was judged.
    fn open_chosen(&self) -> Result<OpenStore, String> {
        let opened = stores::open(&self.chosen, self.options(), &self.host)?;
        let directory = &opened.location.directory;
        if self.host.settings().store.is_empty() && !self.host.allows(directory) {
            let named = String::from_utf8_lossy(&self.chosen);
            return Err(format!("open_basedir does not allow {}, where {named} leads", directory.display()));
        }
        Ok(opened)
    }

    /// Options of readers. Where the pin moves, the head is watched, and nothing would tell in time of a mapping that is cut
    /// short: there they are copied, unless the settings say otherwise.
    fn options(&self) -> ReaderOptions {
        let settings = self.host.settings();
        let map = match settings.map {
            MapPolicy::Auto if self.long_lived => MapPolicy::Private,
            map => map,
        };
        ReaderOptions { map, owner: settings.owner, ..ReaderOptions::default() }
    }

    /// Judges a path with symbolic links again, and opens the store that it leads to now: a release was switched. The store before stays
    /// if that one cannot be opened, could have been put there by others, or is for another environment.
    fn follow_links(&mut self, clock: u64) {
        let Some(open) = &self.open else { return };
        let linked = Path::new(OsStr::from_bytes(&self.chosen)) != open.location.directory;
        if !linked || clock < self.retry_at {
            return;
        }
        self.retry_at = clock + RETRY_MS;
        let opened = match stores::locate(&self.chosen, self.host.settings().owner) {
            Ok(location) if location == *open.location => {
                self.error = None;
                return;
            }
            Ok(_) => self.open_chosen(),
            Err(error) => Err(error),
        };
        let opened = opened.and_then(|new| {
            if new.environment == open.environment {
                return Ok(new);
            }
            Err(format!(
                "{} leads to {} now, a store for {:?}, expected {:?}; answering from {} as before. \
                 Lead it back, or restart PHP if the environment is meant to change",
                String::from_utf8_lossy(&self.chosen),
                new.location.directory.display(),
                new.environment,
                open.environment,
                open.location.directory.display()
            ))
        });
        self.store_opened(opened);
    }

    fn store_opened(&mut self, opened: Result<OpenStore, String>) {
        match opened {
            Ok(opened) => {
                self.replace(Some(opened));
                self.error = None;
            }
            Err(error) => {
                if !self.chosen.is_empty() && self.error.as_deref() != Some(&error) {
                    self.notices.push(error.clone());
                }
                self.error = Some(error);
            }
        }
    }

    /// Replaces the open store by another, or by none.
    fn replace(&mut self, open: Option<OpenStore>) {
        self.pinned.forget();
        self.open = open;
    }

    /// True if the code of the request named that store, as given.
    pub fn has_named(&self, path: &[u8]) -> bool {
        self.named.as_deref() == Some(path)
    }

    /// Names the store of the request, or none; the next question uses it. Ignored if the settings name one.
    pub fn name_store(&mut self, path: Option<Vec<u8>>) {
        self.named = path;
        if self.host.settings().store.is_empty() {
            self.unpin();
        }
    }

    /// Starts or ends answering from overrides instead of the snapshot: the next question looks again.
    pub fn override_answers(&mut self, overridden: bool) {
        self.overridden = overridden;
        self.reconsider();
    }

    fn reconsider(&mut self) {
        // The view of the last request is not this request's.
        match self.pinned.is_pinned() {
            true => {
                if let Some(view) = self.pinned.take() {
                    self.set(view);
                } else {
                    self.unpin();
                }
            }
            false => self.unpin(),
        }
    }
}

/// Attempts of one answer to read a snapshot that is not lost meanwhile.
#[derive(Debug, Default)]
pub struct Attempts(u32);

impl Attempts {
    /// True if the bytes just read may be answered. If not, ask again: another snapshot is pinned, and after [`RECOVERIES`] of them none.
    #[inline]
    pub fn is_answered<H: Host>(&mut self, session: &mut Session<H>) -> bool {
        if session.is_sound() || self.0 == RECOVERIES {
            if self.0 != 0 {
                session.unpin();
            }
            return true;
        }
        self.0 += 1;
        if self.0 == RECOVERIES {
            // One snapshot after another was lost: pin none.
            session.pinned.pin_nothing();
            session.until_look = QUESTIONS_BETWEEN_CHECKS;
        }
        false
    }
}
