//! Counts the effects of flags on requests: when a request begins and ends, and in which memory it is counted.
//!
//! A request of the host counts as one by itself. In a long-lived process, and in a worker that serves many requests in one script, the
//! application marks its requests and jobs, and from the first mark on only those count.

use super::{Host, Session};
use crate::eval::Quick;
use crate::key::Key;
use crate::snapshot::{FlagId, Snapshot};
use crate::store::View;
use crate::telemetry::{AnsweredQuestion, Ending, MarkBegun, Marks, Recorder, Status};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Milliseconds between two attempts to open memory that could not be opened.
const RETRY_MS: u64 = 10_000;
/// Stores for which that pause is kept.
const MAX_RETRIES: usize = 32;
/// Milliseconds between two checks that the memory's file still has its name.
const LOOK_EVERY_MS: u64 = 1_000;

/// Counters of one thread.
#[derive(Debug, Default)]
pub struct Counting {
    recorder: Option<Box<Recorder>>,
    /// The reason why no recorder is open.
    error: Option<String>,
    /// Snapshot and store that the recorder counts for; the snapshot is held so that no other can have its address.
    bound: Option<Arc<Snapshot>>,
    memory: Memory,
    /// The path by which that store was chosen.
    chosen: Vec<u8>,
    /// The recorder counts for another store than the request's, or elsewhere, until a question chooses it.
    rests: bool,
    /// Memory that could not be opened, the coarse milliseconds of the next attempt of each, and the reason.
    retries: Vec<(Memory, u64, String)>,
    /// Coarse milliseconds of the last check of the memory's file.
    looked: u64,
    /// The head, by its number, that the memory's header names the store of.
    noted: Option<u64>,
    /// The host's own request counts.
    by_itself: bool,
    marks: Marks,
    /// Answers were overridden within the marked request.
    overridden_within: bool,
    /// A request began and has not ended.
    open: bool,
    /// A client waits for the request: false for a command, a job, or a worker's beginning.
    awaited: bool,
    /// A request ended: the memory is open by then, if there is any.
    ended: bool,
    /// Begin of the request, in nanoseconds.
    begun: u64,
}

/// The directory that is counted in, and the store that is counted there.
#[derive(Debug, Default)]
struct Memory {
    directory: PathBuf,
    store: PathBuf,
}

impl Memory {
    fn is(&self, directory: &Path, store: &Path) -> bool {
        self.store == store && self.directory.as_os_str() == directory.as_os_str()
    }
}

impl Counting {
    /// True within a request that the application marked: its content stays.
    pub(super) fn is_within_mark(&self, clock: u64) -> bool {
        !self.by_itself && self.marks.holds(clock)
    }

    pub(super) fn place(&self) -> (Option<&Path>, Option<&str>) {
        let recorder = self.recorder.as_ref().filter(|_| !self.rests);
        (recorder.map(|recorder| recorder.path()), self.error.as_deref().filter(|_| recorder.is_none()))
    }

    /// Gives up its cells. A child of `fork` shares its parent's claim to them, which only one thread may write.
    pub(super) fn forget(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            recorder.abandon();
        }
        self.bound = None;
    }

    fn begin(&mut self, clock: u64, awaited: bool) {
        self.begun = clock;
        (self.open, self.awaited) = (true, awaited);
        self.open_in_recorder();
    }

    fn open_in_recorder(&mut self) {
        let begun = self.begun;
        match &mut self.recorder {
            _ if self.rests => {}
            Some(recorder) if self.awaited => recorder.begin_awaited(begun),
            Some(recorder) => recorder.begin(begun),
            None => {}
        }
    }

    fn end(&mut self, ending: &Ending) {
        self.open = false;
        if let Some(recorder) = self.active() {
            recorder.end(ending);
        }
    }

    /// Notes in the memory which store is counted, once for each head: one that took another's place may lie in another directory.
    fn note_store(&mut self, view: &View, store: &Path) {
        if self.noted != Some(view.heads)
            && let (Some(recorder), Some(id)) = (&self.recorder, view.store_id())
        {
            recorder.note_store(store, &id);
            self.noted = Some(view.heads);
        }
    }

    /// The reason why that memory could not be opened, if its next attempt is still to come.
    fn waits(&mut self, directory: &Path, store: &Path, clock: u64) -> Option<String> {
        self.retries.retain(|(_, at, _)| clock < *at);
        let waiting = self.retries.iter().find(|(waiting, ..)| waiting.is(directory, store))?;
        Some(waiting.2.clone())
    }

    /// The recorder, if it counts for the request's store. Whatever has a pinned snapshot need not ask.
    fn active(&mut self) -> Option<&mut Recorder> {
        self.recorder.as_deref_mut().filter(|_| !self.rests)
    }

    /// Counts an answer that the pinned snapshot gave on the quick path.
    #[inline(always)]
    pub(super) fn quick(&mut self, snapshot: &Snapshot, quick: Quick, company: Option<Key<'_>>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.quick(snapshot, quick, company);
        }
    }

    /// Counts an answer for a flag of the pinned snapshot; `exposes`: the answer decides what the request does.
    #[inline]
    pub fn answered(&mut self, snapshot: &Snapshot, asked: &AnsweredQuestion<'_>, exposes: bool) {
        if let Some(recorder) = &mut self.recorder {
            recorder.answered(snapshot, asked, exposes);
        }
    }

    /// Counts a question for an unknown flag.
    pub fn unknown(&mut self) {
        if let Some(recorder) = self.active() {
            recorder.unknown();
        }
    }

    /// Counts that the flag showed that variant to the request.
    pub fn shows(&mut self, snapshot: &Snapshot, flag: FlagId, variant: &str) {
        if let Some(recorder) = &mut self.recorder {
            recorder.shows(snapshot, flag, variant);
        }
    }

    /// Counts an event of experiments.
    pub fn track(&mut self, event: &[u8], value: f64) {
        if let Some(recorder) = self.active() {
            recorder.track(event, value);
        }
    }

    /// Counts that the flag ended the request.
    pub fn gated(&mut self, snapshot: &Snapshot, flag: FlagId) {
        if let Some(recorder) = &mut self.recorder {
            recorder.gated(snapshot, flag);
        }
    }
}

impl<H: Host> Session<H> {
    /// Begins a request of the host; on a command line, the process. `by_itself`: it counts; otherwise the application marks its own.
    /// `awaited`: a client waits for it.
    pub fn count_request(&mut self, by_itself: bool, awaited: bool) {
        self.prepare();
        self.counting.marks.clear();
        self.counting.by_itself = by_itself;
        self.begin_counting(awaited);
    }

    fn begin_counting(&mut self, awaited: bool) {
        let settings = self.host.settings();
        let path = self.named.as_deref().unwrap_or(&settings.store);
        let counted_in = self.counting.memory.directory.as_os_str();
        let directory = settings.telemetry.as_deref();
        self.counting.rests =
            path != self.counting.chosen || directory.is_none_or(|directory| directory != counted_in);
        if directory.is_some() {
            self.counting.begin(self.host.precise_ns(), awaited);
        }
    }

    fn end_counting(&mut self, status: Status) {
        let ending = Ending { status, clock: self.host.precise_ns(), now: self.host.wall_clock() };
        self.counting.end(&ending);
    }

    /// Ends a request of the host. `outcome` is called if the request counts.
    pub fn request_ends(&mut self, outcome: impl FnOnce() -> Status) {
        self.prepare();
        if self.counting.by_itself || self.counting.marks.is_open() {
            self.count_without_questions();
            self.end_counting(outcome());
        }
        self.counting.marks.clear();
        self.counting.by_itself = false;
    }

    /// Opens the memory for a request that asked no question, if no earlier one of its store did: all requests are counted.
    fn count_without_questions(&mut self) {
        let first = !std::mem::replace(&mut self.counting.ended, true);
        let has_store = self.named.is_some() || !self.host.settings().store.is_empty();
        if (first || self.counting.rests)
            && has_store
            && self.host.settings().telemetry.is_some()
            && !self.long_lived
        {
            self.pin();
        }
    }

    /// The process ends without a shutdown: counts the open request as it stands.
    pub fn process_ends(&mut self, outcome: impl FnOnce() -> Status) {
        self.prepare();
        if self.counting.open {
            self.end_counting(outcome());
        }
    }

    /// The process did not end after all: counts its request again.
    pub fn process_goes_on(&mut self) {
        if self.counting.by_itself || self.counting.marks.is_open() {
            self.begin_counting(self.counting.awaited);
        }
    }

    /// Ends the host's own request for counting: its client has the response, and later work is no part of it.
    pub fn response_ends(&mut self, status: Status) {
        self.prepare();
        if self.counting.by_itself && !self.long_lived {
            self.count_without_questions();
            self.end_counting(status);
        }
    }

    /// Marks the begin of a request or job; `place` identifies the call. The outermost mark moves to the newest generation.
    pub fn mark_begin(&mut self, place: u64) -> MarkBegun {
        self.prepare();
        let begun = self.counting.marks.begin(place, self.host.coarse_ms());
        if !begun.outermost || (self.counting.by_itself && !self.long_lived) {
            return MarkBegun { outermost: false, ..begun };
        }
        self.counting.by_itself = false;
        self.begin_counting(!self.long_lived);
        self.refresh();
        begun
    }

    /// Marks an end. Within a request of the host that serves a client, an end without a mark is that of its response, and `outcome` is
    /// called if `status` says only that it is done. True: overrides made within it end.
    pub fn mark_end(&mut self, status: Status, token: Option<u64>, outcome: impl FnOnce() -> Status) -> bool {
        self.prepare();
        if self.counting.by_itself && token.is_none() && !self.counting.marks.any() {
            self.response_ends(if status == Status::Done { outcome() } else { status });
            return false;
        }
        if !self.counting.marks.end(token) || self.counting.by_itself {
            return false;
        }
        self.end_counting(status);
        self.ends_overrides()
    }

    /// True once, if answers were overridden within an outermost mark that ended or was lost.
    pub fn ends_overrides(&mut self) -> bool {
        std::mem::take(&mut self.counting.overridden_within)
    }

    /// Makes the current overrides end with the marked request.
    pub fn override_within_mark(&mut self) {
        self.counting.overridden_within = !self.counting.by_itself && self.counting.marks.is_open();
    }

    /// Counts for the pinned view from now on, and opens the memory if needed. It never changes an answer.
    pub(super) fn count_for(&mut self, view: &View, store: &Path, clock: u64) {
        let Some(directory) = self.host.settings().telemetry.as_deref() else {
            self.counting.recorder = None;
            self.counting.bound = None;
            return;
        };
        let Some(snapshot) = &view.snapshot else { return };
        let counting = &mut self.counting;
        if counting.chosen != self.chosen {
            counting.chosen.clone_from(&self.chosen);
        }
        let rested = std::mem::take(&mut counting.rests);
        if let Some(recorder) = &mut counting.recorder
            && counting.memory.is(directory, store)
        {
            let look = clock.saturating_sub(counting.looked) >= LOOK_EVERY_MS;
            counting.looked = if look { clock } else { counting.looked };
            let bound = counting.bound.as_ref().is_some_and(|bound| Arc::ptr_eq(bound, snapshot));
            if (!look || recorder.is_sound()) && (bound || recorder.bind(snapshot).is_ok()) {
                if !bound {
                    counting.bound = Some(snapshot.clone());
                }
                if look {
                    recorder.tick(self.host.wall_clock());
                }
                if look || !bound {
                    recorder.serves(view.generation, self.host.wall_clock());
                }
                if rested && counting.open {
                    counting.open_in_recorder();
                }
                counting.note_store(view, store);
                return;
            }
        }
        counting.recorder = None;
        counting.bound = None;
        counting.noted = None;
        counting.memory = Memory { directory: directory.to_owned(), store: store.to_owned() };
        counting.looked = clock;
        if let Some(error) = counting.waits(directory, store, clock) {
            counting.error = Some(error);
            return;
        }
        match Recorder::open(directory, store, snapshot, self.host.wall_clock()) {
            Ok(recorder) => {
                recorder.serves(view.generation, self.host.wall_clock());
                counting.recorder = Some(Box::new(recorder));
                counting.note_store(view, store);
                if counting.open {
                    counting.open_in_recorder();
                }
                counting.bound = Some(snapshot.clone());
                counting.error = None;
            }
            Err(error) => {
                let error = error.to_string();
                if counting.retries.len() == MAX_RETRIES {
                    counting.retries.remove(0);
                }
                let memory = Memory { directory: directory.to_owned(), store: store.to_owned() };
                counting.retries.push((memory, clock + RETRY_MS, error.clone()));
                if counting.error.as_deref() != Some(&error) {
                    self.notices.push(error.clone());
                }
                counting.error = Some(error);
            }
        }
    }
}
