//! What a request asks: one generation and one instant, from its first question to its end.
//!
//! A process that is one long request (the CLI) moves on by itself: a question compares one word of the mapped head,
//! and looks at a clock only when that word moved, or at every 64th question, and more often where questions come seldom.

use crate::ini::{PoolSettings, Settings};
use crate::overrides::Overrides;
use crate::php::{self, Text};
use crate::stores::{self, Opened};
use crate::telemetry::{self, Telemetry};
use engine::store::{MapPolicy, Reader, ReaderStatus, View};
use engine::{Key, Snapshot, Switches};
use ext_php_rs::ffi::zend_ini_entry;
use ext_php_rs::zend::{ModuleGlobal, ModuleGlobals};
use rustix::time::{ClockId, clock_gettime};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

pub(crate) static GLOBALS: ModuleGlobals<Globals> = ModuleGlobals::new();

/// Watched by requests whose pin does not move, and whose snapshot nobody can take away.
static STILL: AtomicU64 = AtomicU64::new(0);
/// What `STILL` never is: seen where the next question has to look.
const UNSEEN: u64 = 1;

/// How often an answer is looked for again because the snapshot was lost under it: each time from a copy, or from another.
const RECOVERIES: usize = 8;
/// Said of a process that was sent settings.
pub(crate) const REQUEST_SETTINGS: &str = "the web server sends settings of flagstone with a request (PHP_VALUE or \
     PHP_ADMIN_VALUE); each holds for that request alone. Give each application a pool of its own, and set \
     php_admin_value[flagstone.store] there";

/// Most questions between two looks of a process that lives long at whether the head's file was replaced.
const LOOK_EVERY: u32 = 64;

/// One thread's state. The pointers come first: they are all that the hot path reads.
pub(crate) struct Globals {
    /// Points into `view` where questions may be answered from the snapshot alone: nothing is killed, stopped or
    /// overridden, and nothing has to be looked at first.
    quick: *const Snapshot,
    /// Points into `view`, or to `STILL`: to the head's epoch where the pin moves, else to the last word of a shared snapshot.
    watched: *const AtomicU64,
    seen: u64,
    /// Questions left before a look; only where the process lives long.
    until_look: u32,
    /// Questions between two looks: fewer where they come seldom, so that a look is never long in coming.
    look_every: u32,
    counts: bool,
    lives_long: bool,
    /// Microseconds since 1970: the instant of the request.
    now: i64,
    /// Coarse monotonic milliseconds when the pin last moved.
    moved: u64,
    /// `view` may hold older content than its epoch: a mark held it.
    held: bool,
    /// `view` is what this request is answered from.
    pinned: bool,
    /// SIGBUS reaches this thread: its mask was looked at, and nothing that is known changed it since. Until then nothing that is
    /// mapped is read.
    faults_reach: bool,
    pub(crate) view: Option<Arc<View>>,
    open: Option<Opened>,
    /// What `flagstone_use` named.
    pub(crate) named: Option<Vec<u8>>,
    /// The path that `open` was opened for, as it was given.
    chosen: Vec<u8>,
    /// Coarse monotonic milliseconds when the path is looked at again: a store that could not be opened is tried again,
    /// and where symbolic links are on the way they may lead elsewhere.
    retry_at: u64,
    /// Why there is no store.
    pub(crate) error: Option<String>,
    /// Why the last `flagstone_use` of this request was refused.
    pub(crate) refused: Option<String>,
    pub(crate) overrides: Option<Box<Overrides>>,
    pub(crate) counters: Counters,
    pub(crate) telemetry: Telemetry,
    pub(crate) settings: Settings,
    /// What the pool set, while a request has brought settings of its own.
    pool: Option<Box<PoolSettings>>,
    /// A request of this process brought settings.
    pub(crate) request_settings: bool,
    /// Forks of this process that were seen.
    forks: u32,
    /// Lines for PHP's log. They are written when nothing else is held: PHP may not come back from writing one.
    pub(crate) notices: Vec<String>,
    /// What a status was made of, kept for the same reason.
    pub(crate) reported: Option<Box<ReaderStatus>>,
}

/// What this process (under threads, this thread) did since it started.
#[derive(Default)]
pub(crate) struct Counters {
    /// Answers by `feature_enabled`, and those of them that were on.
    pub(crate) asked: u64,
    pub(crate) on: u64,
    /// Panics that were turned into an answer.
    pub(crate) panics: u64,
}

/// What a question is answered from.
#[derive(Clone, Copy)]
pub(crate) struct Pin<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) switches: &'a Switches,
}

impl Default for Globals {
    fn default() -> Globals {
        Globals {
            quick: null(),
            watched: &raw const STILL,
            seen: 0,
            until_look: 1,
            look_every: 1,
            counts: true,
            lives_long: false,
            now: 0,
            moved: 0,
            held: false,
            pinned: false,
            faults_reach: false,
            view: None,
            open: None,
            named: None,
            chosen: Vec::new(),
            retry_at: 0,
            error: None,
            refused: None,
            overrides: None,
            counters: Counters::default(),
            telemetry: Telemetry::default(),
            settings: Settings::new(),
            pool: None,
            request_settings: false,
            forks: php::forks(),
            notices: Vec::new(),
            reported: None,
        }
    }
}

impl ModuleGlobal for Globals {}

impl Globals {
    /// The answer for a company, where the snapshot alone decides: 1 on, 0 off. It is counted.
    #[inline(always)]
    pub(crate) fn quickly(&mut self, hash: u64, flag: &[u8], company: i64) -> Option<u32> {
        if self.quick.is_null() || self.is_time_to_look() {
            return None;
        }
        // SAFETY: not null, so it points into `view`, which is held and only changes together with it.
        let snapshot = unsafe { &*self.quick };
        let quick = snapshot.quick(hash, flag, company)?;
        // After reading: where the snapshot is lost meanwhile, the word that is watched is another. No instruction on x86-64.
        fence(Ordering::Acquire);
        if self.has_moved() {
            return None;
        }
        self.count(quick.on());
        self.telemetry.quick(snapshot, quick, Some(Key::Int(company)));
        Some(quick.on())
    }

    /// Whether it is time for a look. Counts a question.
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

    /// Whether the head moved, or what is pinned was lost.
    #[inline(always)]
    fn has_moved(&self) -> bool {
        // SAFETY: `watched` points to `STILL`, or into what `view` keeps mapped at one address.
        let epoch = unsafe { (*self.watched).load(Ordering::Relaxed) };
        epoch != self.seen
    }

    /// Whether the head moved, or it is time for a look.
    #[inline(always)]
    fn must_look(&mut self) -> bool {
        self.is_time_to_look() || self.has_moved()
    }

    /// Counts an answer of `feature_enabled`, 1 or 0. Two counters at fixed places: an address that hangs on the answer makes the
    /// processor hold back the loads of the next call until the answer is known, which doubled the call's cost.
    #[inline(always)]
    pub(crate) fn count(&mut self, on: u32) {
        self.counters.asked += u64::from(self.counts);
        self.counters.on += u64::from(u32::from(self.counts) & on);
    }

    /// What to answer from, after looking at what has to be looked at. None: no snapshot was ever loaded.
    pub(crate) fn pin(&mut self) -> Option<Pin<'_>> {
        self.follow();
        self.pinned_as_it_is()
    }

    /// Looks at what has to be looked at.
    #[inline(always)]
    pub(crate) fn follow(&mut self) {
        if !self.pinned || self.must_look() {
            look(self);
        }
    }

    pub(crate) fn pinned_as_it_is(&self) -> Option<Pin<'_>> {
        let view = self.view.as_deref()?;
        Some(Pin { snapshot: view.snapshot.as_deref()?, switches: &view.switches })
    }

    pub(crate) fn view(&self) -> Option<&View> {
        self.view.as_deref()
    }

    pub(crate) fn reader(&self) -> Option<&Arc<Reader>> {
        self.open.as_ref().map(|open| &open.reader)
    }

    /// The request's instant. In a process that lives long it moves on at the refresh interval.
    pub(crate) fn instant(&mut self) -> i64 {
        if self.lives_long && self.settings.refresh_ms > 0 {
            let now = wall_clock();
            if now.abs_diff(self.now) >= self.settings.refresh_ms * 1000 {
                self.now = now;
            }
        }
        self.now
    }

    /// The request that comes brings a value for that directive; `before` are the settings without it.
    ///
    /// # Safety
    ///
    /// `entry` must point to a directive of this thread's table.
    pub(crate) unsafe fn set_for_request(&mut self, entry: *mut zend_ini_entry, before: Settings) {
        let pool = self.pool.get_or_insert_with(|| Box::new(PoolSettings::new(before)));
        // SAFETY: the caller's promise.
        unsafe { pool.keep(entry) };
        if !self.request_settings {
            self.request_settings = true;
            self.notices.push(REQUEST_SETTINGS.to_owned());
        }
    }

    /// The mask of this thread's signals may be another from here on: the next question looks.
    pub(crate) fn suspect_mask(&mut self) {
        self.faults_reach = false;
        self.quick = null();
        self.watched = &raw const STILL;
        self.seen = UNSEEN;
    }

    /// Lets SIGBUS through to this thread where something may have blocked it.
    fn let_faults_reach(&mut self) {
        if !self.faults_reach {
            self.faults_reach = true;
            engine::unblock_bus_errors();
        }
    }

    /// Pins `view`, and watches for what would move it.
    fn set(&mut self, view: Arc<View>) {
        self.let_faults_reach();
        self.watched = &raw const STILL;
        self.seen = 0;
        let mut quick = self.overrides.is_none() && !view.switches.any();
        let last_word = view.snapshot.as_ref().and_then(|snapshot| snapshot.last_word());
        if self.lives_long && self.settings.refresh_ms > 0 && self.open.is_some() {
            self.watched = view.epoch_cell();
            self.seen = view.epoch;
            // One word is compared, and it tells nothing of a snapshot that is lost.
            quick &= last_word.is_none();
        } else if let Some((word, value)) = last_word {
            self.watched = word;
            self.seen = value;
        }
        self.quick = match &view.snapshot {
            Some(snapshot) if quick => Arc::as_ptr(snapshot),
            _ => null(),
        };
        self.pinned = true;
        self.view = Some(view);
    }

    /// Whether what was read of the snapshot that is pinned was its file's. Ask after reading and before answering; where it was
    /// not, the next question is asked of another.
    pub(crate) fn is_sound(&mut self) -> bool {
        let sound = !self.view.as_deref().is_some_and(View::lost);
        if !sound {
            self.unpin();
        }
        sound
    }

    /// The next question looks at everything again.
    pub(crate) fn unpin(&mut self) {
        self.quick = null();
        self.pinned = false;
    }
}

/// What `answer` says, from a snapshot that is there all the while.
pub(crate) fn soundly<T>(globals: &mut Globals, mut answer: impl FnMut(&mut Globals) -> T) -> T {
    let mut recoveries = 0;
    // One call of `answer`, so that it is compiled into its place.
    loop {
        let answered = answer(globals);
        if globals.is_sound() || recoveries == RECOVERIES {
            if recoveries != 0 {
                globals.unpin();
            }
            return answered;
        }
        recoveries += 1;
        if recoveries == RECOVERIES {
            // One after the other was lost: there is none.
            globals.view = None;
            globals.pinned = true;
            globals.watched = &raw const STILL;
            globals.seen = 0;
            globals.until_look = LOOK_EVERY;
        }
    }
}

/// A request starts: its instant is now, and its first question chooses the generation.
pub(crate) fn request_starts(globals: &mut Globals) {
    globals.lives_long = php::lives_long();
    globals.counts = globals.settings.telemetry.is_some();
    globals.now = wall_clock();
    globals.unpin();
}

/// A request ends: what it named for itself goes. The view stays until the next one is pinned, so that an unchanged
/// request finds it again.
pub(crate) fn request_ends(globals: &mut Globals) {
    globals.unpin();
    globals.named = None;
    globals.refused = None;
    globals.overrides = None;
    if let Some(pool) = globals.pool.take() {
        globals.settings = pool.restore();
    }
}

/// Moves to the newest generation now.
pub(crate) fn refresh(globals: &mut Globals) -> bool {
    globals.now = wall_clock();
    move_on(globals, coarse_monotonic_ms(), false)
}

/// Something may have changed: move the pin if it did and may.
#[cold]
#[inline(never)]
fn look(globals: &mut Globals) {
    if !globals.faults_reach {
        globals.let_faults_reach();
        reconsider(globals);
        if globals.pinned && !globals.must_look() {
            return;
        }
    }
    let clock = coarse_monotonic_ms();
    if !globals.pinned {
        globals.until_look = globals.look_every;
        advance(globals, clock);
        return;
    }
    let refresh = globals.settings.refresh_ms;
    if globals.view.as_deref().is_some_and(View::lost) {
        globals.unpin();
        globals.until_look = 1;
        advance(globals, clock);
        return;
    }
    let moves = globals.lives_long && refresh > 0;
    let due = moves && clock.saturating_sub(globals.moved) >= refresh;
    globals.look_every =
        if due { (globals.look_every / 2).max(1) } else { (globals.look_every * 2).min(LOOK_EVERY) };
    globals.until_look = globals.look_every;
    if due {
        advance(globals, clock);
    }
}

/// Moves the pin to the newest generation; within a request that the application marked, to what the head says about the
/// flags of the generation that is pinned. True if it is another than before.
fn advance(globals: &mut Globals, clock: u64) -> bool {
    let holds = globals.pinned && globals.telemetry.within_mark(clock);
    move_on(globals, clock, holds)
}

fn move_on(globals: &mut Globals, clock: u64, holds: bool) -> bool {
    let before = globals.view.as_ref().map(|view| view.generation);
    prepare(globals);
    choose_store(globals, clock);
    globals.moved = clock;
    follow_head(globals, clock, holds);
    log_notices(globals);
    before != globals.view.as_ref().map(|view| view.generation)
}

/// Pins what the head of the open store names.
fn follow_head(globals: &mut Globals, clock: u64, holds: bool) {
    // Before anything is let go that the quick way points into.
    globals.unpin();
    let Some(open) = &globals.open else {
        globals.view = None;
        return;
    };
    let (reader, location) = (open.reader.clone(), open.location.clone());
    let replaced = reader.check_replaced(clock);
    let current = |view: &View| !replaced && reader.is_current(view);
    let view = match globals.view.take() {
        Some(view) if (holds || !globals.held) && current(&view) => view,
        // Kills and the stop reach through the mark of a request; content does not.
        Some(view) if holds && view.snapshot.is_some() && !view.lost() => {
            globals.held = true;
            reader.switched(&view).map_or(view, Arc::new)
        }
        _ => {
            globals.held = false;
            reader.view()
        }
    };
    globals.notices.extend(reader.take_notices());
    telemetry::follow(globals, &view, &location.directory, clock);
    globals.set(view);
}

/// Writes the lines that were left for PHP's log, with nothing else held.
pub(crate) fn log_notices(globals: &mut Globals) {
    while !globals.notices.is_empty() {
        let line = Text::line(format_args!("{}", globals.notices.remove(0)));
        php::log(&line);
    }
}

/// To be called before memory is read that is mapped: SIGBUS reaches this thread, and what a child of `fork` must not share with its
/// parent is its own.
pub(crate) fn prepare(globals: &mut Globals) {
    globals.let_faults_reach();
    after_fork(globals);
}

/// A child of `fork` counts in cells of its own, and, where there are threads, reads by a reader of its own: another thread
/// may have held the locks of its parent's.
fn after_fork(globals: &mut Globals) {
    let forks = php::forks();
    if globals.forks == forks {
        return;
    }
    globals.forks = forks;
    globals.telemetry.forget();
    if php::HAS_THREADS
        && globals.open.is_some()
        && let Ok(opened) = stores::open(&globals.chosen, map(globals))
    {
        replace(globals, Some(opened));
    }
}

/// Milliseconds between two looks at a store that could not be opened, or whose path has symbolic links on it.
const RETRY: u64 = 1_000;

/// Opens the store that the settings or the application name, unless it is the one that is open.
fn choose_store(globals: &mut Globals, clock: u64) {
    let is_open = globals.open.is_some();
    let configured = globals.settings.store.as_slice();
    let path = if configured.is_empty() { globals.named.as_deref().unwrap_or_default() } else { configured };
    if path == globals.chosen && (is_open || clock < globals.retry_at) {
        return follow_links(globals, clock);
    }
    let path = path.to_vec();
    replace(globals, None);
    globals.retry_at = clock + RETRY;
    globals.chosen = path;
    let opened = if globals.chosen.is_empty() {
        Err("no store: set flagstone.store in php.ini, or call flagstone_use() with the store's directory"
            .to_owned())
    } else if !globals.chosen.starts_with(b"/") {
        // It would be another store in another working directory, and PHP code says which that is.
        let found = String::from_utf8_lossy(&globals.chosen);
        Err(format!("flagstone.store is {found:?} in php.ini, expected an absolute path: every flag is off"))
    } else {
        open_chosen(globals)
    };
    opened_or_not(globals, opened);
}

/// Opens the store that is chosen. One that PHP code named has to lie where `open_basedir` lets that code go: the store itself, for
/// the path may have been led elsewhere since it was judged.
fn open_chosen(globals: &Globals) -> Result<Opened, String> {
    let opened = stores::open(&globals.chosen, map(globals))?;
    let directory = &opened.location.directory;
    let text = Text::of(directory.as_os_str().as_bytes());
    if globals.settings.store.is_empty() && !text.is_some_and(|text| php::allowed_by_open_basedir(&text)) {
        let named = String::from_utf8_lossy(&globals.chosen);
        return Err(format!("open_basedir does not allow {}, where {named} leads", directory.display()));
    }
    Ok(opened)
}

/// How snapshots become memory. Where the pin moves the head is watched, and nothing would tell in time of a mapping that is cut
/// short: there they are copied, unless the settings say otherwise.
fn map(globals: &Globals) -> MapPolicy {
    match globals.settings.map {
        MapPolicy::Auto if globals.lives_long => MapPolicy::Private,
        map => map,
    }
}

/// Judges a path with symbolic links on it again, and opens the store anew where it leads elsewhere since: a release was
/// switched. One that cannot be opened, others could have put there, or is for another environment leaves the store
/// before in place.
fn follow_links(globals: &mut Globals, clock: u64) {
    let Some(open) = &globals.open else { return };
    let linked = Path::new(OsStr::from_bytes(&globals.chosen)) != open.location.directory;
    if !linked || clock < globals.retry_at {
        return;
    }
    globals.retry_at = clock + RETRY;
    let opened = match stores::locate(&globals.chosen) {
        Ok(location) if location == *open.location => {
            globals.error = None;
            return;
        }
        Ok(_) => open_chosen(globals),
        Err(error) => Err(error),
    };
    let opened = opened.and_then(|new| {
        if new.environment == open.environment {
            return Ok(new);
        }
        Err(format!(
            "{} leads to {} now, a store for {:?}, expected {:?}; answering from {} as before. \
             Lead it back, or restart PHP if the environment is meant to change",
            String::from_utf8_lossy(&globals.chosen),
            new.location.directory.display(),
            new.environment,
            open.environment,
            open.location.directory.display()
        ))
    });
    opened_or_not(globals, opened);
}

fn opened_or_not(globals: &mut Globals, opened: Result<Opened, String>) {
    match opened {
        Ok(opened) => {
            replace(globals, Some(opened));
            globals.error = None;
        }
        Err(error) => {
            if !globals.chosen.is_empty() && globals.error.as_deref() != Some(&error) {
                globals.notices.push(error.clone());
            }
            globals.error = Some(error);
        }
    }
}

/// Another store, or none, takes the place of the one that is open.
fn replace(globals: &mut Globals, open: Option<Opened>) {
    globals.unpin();
    globals.watched = &raw const STILL;
    globals.view = None;
    globals.open = open;
}

/// The application names its store; the next question is asked of that.
pub(crate) fn name_store(globals: &mut Globals, path: Vec<u8>) {
    globals.named = Some(path);
    globals.refused = None;
    globals.unpin();
}

/// What was told within a request goes with it.
pub(crate) fn drop_overrides(globals: &mut Globals) {
    globals.overrides = None;
    reconsider(globals);
}

/// Answers must be looked for again: overrides came or went.
pub(crate) fn reconsider(globals: &mut Globals) {
    match globals.view.take() {
        // What the request before was answered from is not this request's.
        Some(view) if globals.pinned => globals.set(view),
        view => {
            globals.unpin();
            globals.view = view;
        }
    }
}

/// Milliseconds of a clock that does not go back and whose reading makes no system call.
pub(crate) fn coarse_monotonic_ms() -> u64 {
    let now = clock_gettime(ClockId::MonotonicCoarse);
    (now.tv_sec as u64).wrapping_mul(1000).wrapping_add(now.tv_nsec as u64 / 1_000_000)
}

/// Microseconds since 1970, to the tick of a clock whose reading makes no system call.
pub(crate) fn wall_clock() -> i64 {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    now.tv_sec.wrapping_mul(1_000_000).wrapping_add(now.tv_nsec / 1000)
}
