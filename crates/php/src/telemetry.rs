//! Counting what flags did to requests: when one begins and ends, and which memory it is counted in.
//!
//! A request of PHP's is one by itself. In a process that lives long, and in a worker of FrankenPHP, the application
//! marks its requests and jobs, and from the first mark on only those count.

use crate::php;
use crate::pin::{self, Globals, wall_clock};
use engine::store::View;
use engine::telemetry::{Asked, Ending, MarkBegun, Marks, Recorder, Status};
use engine::{FlagId, Key, Quick, Snapshot};
use rustix::time::{ClockId, clock_gettime};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Milliseconds between two attempts to open memory that could not be opened.
const RETRY: u64 = 10_000;
/// Milliseconds between two looks at whether the memory's file still has its name.
const LOOK_EVERY: u64 = 1_000;

/// What one thread knows about counting.
#[derive(Default)]
pub(crate) struct Telemetry {
    pub(crate) recorder: Option<Box<Recorder>>,
    /// Why there is none.
    pub(crate) error: Option<String>,
    /// What the recorder counts for: the snapshot, held so that no other can have its address, and the store.
    bound: Option<Arc<Snapshot>>,
    store: PathBuf,
    /// Coarse monotonic milliseconds.
    retry_at: u64,
    looked: u64,
    /// PHP's own request counts.
    by_itself: bool,
    marks: Marks,
    /// Overrides were set within the request that is marked.
    overrides_within: bool,
    /// A request is open: it began and did not end.
    open: bool,
    /// A request ended: memory is opened by then, where there is any.
    ended: bool,
    /// When it began, in nanoseconds.
    begun: u64,
}

impl Telemetry {
    /// The application marked a request that goes on: its content stays.
    pub(crate) fn within_mark(&self, clock: u64) -> bool {
        !self.by_itself && self.marks.holds(clock)
    }

    /// Overrides that are set now go when the request that is marked ends.
    pub(crate) fn overridden(&mut self) {
        self.overrides_within = !self.by_itself && self.marks.is_open();
    }

    /// Gives up its cells. A child of `fork` shares its parent's claim to them, which one thread alone may write.
    pub(crate) fn forget(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            recorder.abandon();
        }
        self.bound = None;
    }

    fn begin(&mut self) {
        self.begun = clock();
        self.open = true;
        if let Some(recorder) = &mut self.recorder {
            recorder.begin(self.begun);
        }
    }

    fn end(&mut self, status: Status) {
        self.open = false;
        if let Some(recorder) = &mut self.recorder {
            recorder.end(&Ending { status, clock: clock(), now: wall_clock() });
        }
    }

    /// Counts an answer that the snapshot pinned gave by the quick way.
    #[inline(always)]
    pub(crate) fn quick(&mut self, snapshot: &Snapshot, quick: Quick, company: Option<Key<'_>>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.quick(snapshot, quick, company);
        }
    }

    /// Counts an answer of a flag of the snapshot that is pinned.
    pub(crate) fn answered(&mut self, snapshot: &Snapshot, asked: &Asked<'_>, exposes: bool) {
        if let Some(recorder) = &mut self.recorder {
            recorder.answered(snapshot, asked, exposes);
        }
    }

    /// Counts a question for a flag that there is not.
    pub(crate) fn unknown(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.unknown();
        }
    }

    /// The flag showed the request that variant.
    pub(crate) fn shows(&mut self, snapshot: &Snapshot, flag: FlagId, variant: &str) {
        if let Some(recorder) = &mut self.recorder {
            recorder.shows(snapshot, flag, variant);
        }
    }

    /// Something happened that experiments count.
    pub(crate) fn track(&mut self, event: &[u8], value: f64) {
        if let Some(recorder) = &mut self.recorder {
            recorder.track(event, value);
        }
    }

    /// The request was ended by that flag.
    pub(crate) fn gated(&mut self, snapshot: &Snapshot, flag: FlagId) {
        if let Some(recorder) = &mut self.recorder {
            recorder.gated(snapshot, flag);
        }
    }
}

/// A request of PHP's begins; under the CLI, the process.
pub(crate) fn request_begins(globals: &mut Globals) {
    pin::prepare(globals);
    php::forget_errors();
    globals.telemetry.marks.clear();
    globals.telemetry.by_itself = true;
    if globals.settings.telemetry.is_some() {
        globals.telemetry.begin();
    }
}

/// A worker that serves many requests in one script takes another: the application marks it.
pub(crate) fn worker_takes_request(globals: &mut Globals) {
    pin::prepare(globals);
    php::forget_errors();
    globals.telemetry.marks.clear();
    globals.telemetry.by_itself = false;
    if globals.settings.telemetry.is_some() {
        globals.telemetry.begin();
    }
}

/// A request of PHP's ends, while its status is still known.
pub(crate) fn request_ends(globals: &mut Globals) {
    pin::prepare(globals);
    if globals.telemetry.by_itself || globals.telemetry.marks.is_open() {
        count_without_questions(globals);
        globals.telemetry.end(php::outcome());
    }
    globals.telemetry.marks.clear();
    globals.telemetry.by_itself = false;
}

/// Opens the memory for a worker whose first request asked nothing: all requests are counted.
fn count_without_questions(globals: &mut Globals) {
    let first = !std::mem::replace(&mut globals.telemetry.ended, true);
    let has_store = globals.named.is_some() || !globals.settings.store.is_empty();
    if first && has_store && globals.settings.telemetry.is_some() && !php::lives_long() {
        globals.pin();
    }
}

/// The client of PHP's own request has its response: what runs from here on is no part of the request.
pub(crate) fn response_ends(globals: &mut Globals, status: Status) {
    pin::prepare(globals);
    if globals.telemetry.by_itself && !php::lives_long() {
        count_without_questions(globals);
        globals.telemetry.end(status);
    }
}

/// The application marks the begin of a request or job; `place` tells the call from others.
pub(crate) fn mark_begin(globals: &mut Globals, place: u64) -> MarkBegun {
    pin::prepare(globals);
    let lives_long = php::lives_long();
    let telemetry = &mut globals.telemetry;
    let begun = telemetry.marks.begin(place, pin::coarse_monotonic_ms());
    if !begun.outermost || (telemetry.by_itself && !lives_long) {
        return MarkBegun { outermost: false, ..begun };
    }
    telemetry.by_itself = false;
    telemetry.overrides_within = false;
    if globals.settings.telemetry.is_some() {
        telemetry.begin();
    }
    begun
}

/// The application marks an end. Within a request of PHP's that serves a client, an end without a mark is that of its response.
pub(crate) fn mark_end(globals: &mut Globals, status: Status, token: Option<u64>) {
    pin::prepare(globals);
    let telemetry = &mut globals.telemetry;
    if telemetry.by_itself && token.is_none() && !telemetry.marks.any() {
        let status = if status == Status::Done { php::outcome() } else { status };
        return response_ends(globals, status);
    }
    if telemetry.marks.end(token) && !telemetry.by_itself {
        telemetry.end(status);
        if std::mem::take(&mut telemetry.overrides_within) {
            pin::drop_overrides(globals);
        }
    }
}

/// Counts for the view that is pinned from now on, in memory that is opened if it is not. `clock` is in coarse monotonic
/// milliseconds. Nothing here changes an answer.
pub(crate) fn follow(globals: &mut Globals, view: &View, store: &Path, clock: u64) {
    let Some(directory) = globals.settings.telemetry.as_deref() else {
        globals.telemetry.recorder = None;
        globals.telemetry.bound = None;
        return;
    };
    let Some(snapshot) = &view.snapshot else { return };
    let telemetry = &mut globals.telemetry;
    if let Some(recorder) = &mut telemetry.recorder
        && telemetry.store == store
    {
        let look = clock.saturating_sub(telemetry.looked) >= LOOK_EVERY;
        telemetry.looked = if look { clock } else { telemetry.looked };
        let bound = telemetry.bound.as_ref().is_some_and(|bound| Arc::ptr_eq(bound, snapshot));
        if !look || recorder.is_sound() {
            if !bound {
                recorder.bind(snapshot);
                telemetry.bound = Some(snapshot.clone());
            }
            if look {
                recorder.tick(wall_clock());
            }
            if look || !bound {
                recorder.serves(view.generation, wall_clock());
            }
            return;
        }
    } else if telemetry.recorder.is_none() && clock < telemetry.retry_at && telemetry.store == store {
        return;
    }
    telemetry.recorder = None;
    telemetry.bound = None;
    telemetry.store = store.to_owned();
    telemetry.looked = clock;
    match Recorder::open(directory, store, snapshot, wall_clock()) {
        Ok(mut recorder) => {
            if telemetry.open {
                recorder.begin(telemetry.begun);
            }
            recorder.serves(view.generation, wall_clock());
            telemetry.recorder = Some(Box::new(recorder));
            telemetry.bound = Some(snapshot.clone());
            telemetry.error = None;
        }
        Err(error) => {
            let error = error.to_string();
            telemetry.retry_at = clock + RETRY;
            if telemetry.error.as_deref() != Some(&error) {
                globals.notices.push(error.clone());
            }
            globals.telemetry.error = Some(error);
        }
    }
}

/// Nanoseconds of a clock that does not go back, and whose reading makes no system call.
fn clock() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
}
