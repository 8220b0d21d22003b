//! The state of a reader: follows the head, and decides which snapshot answers.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::head::{Current, Head, Identity, KillSlot, Pointer, SLOT_COUNT, SlotsTrust, Stop, damaged_text};
use super::layout::{HEAD, SNAPSHOTS, kept};
use super::open::{HeadFile, MapPolicy, Opened, head_file, map_head, open_snapshot};
use super::options::ReaderOptions;
use super::shared::PAGE_SIZE;
use super::status::{ReaderStatus, Source};
use super::view::View;
use crate::error::StoreError;
use crate::eval::Switches;
use crate::files::{Access, FileId, Folder, Judged, OwnFile, Stamp, Trust, is_layered};
use crate::room::has_room;
use crate::snapshot::{ContentId, MapMode, Snapshot};
use crate::text::printable;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// Pause before the second attempt to load a refused snapshot, in milliseconds; it doubles each time.
const FIRST_PAUSE: u64 = 1_000;
const LONGEST_PAUSE: u64 = 300_000;
/// Attempts of one look to read a head that moves on or is lost meanwhile.
const MOVES: usize = 4;
/// Notices kept until they are taken.
const NOTICES: usize = 16;
/// The problem of a head that is not the one that was followed.
const REPLACED: &str = "another file took its place while a snapshot was opened";
/// Milliseconds between two notices of one kind: anyone who can write the head could fill the log otherwise.
const NOTICE_INTERVAL: u64 = 60_000;

#[derive(Debug)]
struct Serving {
    snapshot: Arc<Snapshot>,
    generation: u64,
    content: ContentId,
    published_at: i64,
    map: MapMode,
    /// The file of a shared mapping, and its stamp when it was checked.
    file: Option<(OwnFile, Stamp)>,
}

/// A kill that was read, with its slot.
#[derive(Debug, Clone)]
struct KnownKill {
    slot: usize,
    sequence: u64,
    key: Vec<u8>,
    /// The head went back, and lacks it: what other slots say does not end it.
    held: bool,
}

/// One reading of a head that was not lost meanwhile.
struct Read {
    epoch: u64,
    identity: Result<Identity, String>,
    slots: Vec<(usize, KillSlot)>,
    /// The reason why `slots` do not tell which flags are killed.
    doubt: Option<String>,
    told: SlotsTrust,
    stop: Stop,
    /// Its start, and the end of the last one.
    stop_times: (i64, i64),
    current: Current,
}

/// The reason why a snapshot was not opened.
struct Unopened {
    error: StoreError,
    /// It was seen missing or damaged in the directory whose head names it. Otherwise it may be whole, and what it denies stays denied.
    damaged: bool,
}

impl From<StoreError> for Unopened {
    fn from(error: StoreError) -> Unopened {
        Unopened { error, damaged: false }
    }
}

/// Kind of a notice.
#[derive(Debug, Clone, Copy)]
enum Notice {
    Head = 0,
    File = 1,
    Snapshot = 2,
    Replaced = 3,
    Trust = 4,
    Before = 5,
}

#[derive(Debug, Clone, Copy)]
struct Refused {
    generation: u64,
    content: ContentId,
    pause: u64,
    retry_at: u64,
}

#[derive(Debug)]
pub(crate) struct Loader {
    directory: Judged,
    identity: Identity,
    options: ReaderOptions,
    trust: Trust,
    head: Arc<Head>,
    /// Held open, so that no other file gets its inode.
    head_file: OwnFile,
    head_id: FileId,
    head_stamp: Stamp,
    /// The path was seen to lead to another head, which is not followed yet.
    moved: bool,
    layered: bool,
    /// Owner, group and mode of the directory and the head when they were last judged; none if `stat` failed.
    permissions: Option<[[u32; 3]; 2]>,
    /// Heads mapped before this one.
    heads: u64,
    serving: Option<Serving>,
    source: Source,
    /// The last pointer that was followed.
    pointer: Option<Pointer>,
    /// The highest generation that this head named.
    highest: u64,
    /// The epoch of the head when it was last read.
    epoch: u64,
    killed: Vec<KnownKill>,
    stopped: Option<bool>,
    /// Start of the stop that was read last.
    stop_since: i64,
    /// The head went back, and lacks that stop: it holds until the head says that a later one ended.
    stop_held: bool,
    /// Kills and stop of a head that another one replaced: they hold for its content, until that of the new head answers.
    former_kills: Vec<Vec<u8>>,
    former_stop: bool,
    /// The killed flags were read from intact slots at least once.
    kills_known: bool,
    /// The reason why the slots do not tell the killed flags now.
    doubt: Option<String>,
    refused: Option<Refused>,
    /// Load private copies: a mapped snapshot was damaged, and no newer one has replaced it yet.
    copies: bool,
    /// The reasons why the current generation does not answer, and why the head's file cannot be read.
    error: Option<String>,
    missing: Option<String>,
    loads: u64,
    refusals: u64,
    retries: u64,
    replaced: u64,
    notices: Vec<String>,
    /// Milliseconds of the last notice, by kind.
    noticed: [Option<u64>; 6],
    now: u64,
}

impl Loader {
    pub(crate) fn new(
        directory: Judged,
        file: HeadFile,
        head: Head,
        options: ReaderOptions,
        now: u64,
    ) -> Loader {
        let trust = file.trust(&directory);
        let directory = Judged { trust: trust.clone(), ..directory };
        let permissions = file.file.metadata().and_then(|head| permissions(&directory.path, &head)).ok();
        Loader {
            permissions,
            directory,
            identity: file.identity,
            options,
            notices: trust.warning().into_iter().collect(),
            trust,
            head: Arc::new(head),
            layered: is_layered(&file.file),
            head_file: OwnFile::of(file.file, file.id),
            head_id: file.id,
            head_stamp: file.stamp,
            moved: false,
            heads: 0,
            serving: None,
            source: Source::None,
            pointer: None,
            highest: 0,
            epoch: 0,
            killed: Vec::new(),
            stopped: None,
            stop_since: 0,
            stop_held: false,
            former_kills: Vec::new(),
            former_stop: false,
            kills_known: false,
            doubt: None,
            refused: None,
            copies: false,
            error: None,
            missing: None,
            loads: 0,
            refusals: 0,
            retries: 0,
            replaced: 0,
            noticed: [None; 6],
            now,
        }
    }

    /// Reads the head, and loads the snapshot that it names if another one is served.
    pub(crate) fn load(&mut self, now: u64) -> View {
        self.now = now;
        let mut epoch = 0;
        for _ in 0..MOVES {
            let moved = std::mem::take(&mut self.moved);
            if moved {
                self.refused = None;
            }
            if (moved || self.head.lost()) && !self.restore_head() {
                break;
            }
            // Before reading, so that the next look sees later writes.
            if let Some(metadata) = self.head_file.look() {
                self.head_stamp = Stamp::of(&metadata);
            }
            let Some(read) = self.read() else { continue };
            epoch = read.epoch;
            self.recover_if_lost();
            self.follow_head(read);
            if !self.recover_if_lost() && !self.head.lost() && !self.moved {
                break;
            }
        }
        self.recover_if_lost();
        if self.head.lost() && self.missing.is_none() {
            let problem = "its pages cannot be read: it was cut short, or has holes, as a sparse copy has, and its file system has no room";
            let path = self.directory.path.join(HEAD);
            self.missing(Some(StoreError::Head { path, problem: problem.to_owned() }));
        }
        self.view(epoch)
    }

    /// Reads the head. None: it was lost meanwhile.
    fn read(&self) -> Option<Read> {
        let head = &self.head;
        // The epoch first, so that the next look sees later changes.
        let epoch = head.epoch();
        let slots: Vec<_> = (0..SLOT_COUNT).filter_map(|slot| Some((slot, head.kill_slot(slot)?))).collect();
        let doubt = head.doubt(slots.iter().map(|(_, slot)| slot));
        let read = Read {
            epoch,
            identity: head.identity(),
            told: head.told(doubt.as_ref()),
            doubt,
            slots,
            stop: head.stop_state(),
            stop_times: head.stop_times(),
            current: head.current(),
        };
        (!head.lost()).then_some(read)
    }

    /// Applies a sound head: switches, then content.
    fn follow_head(&mut self, read: Read) {
        match &read.identity {
            Ok(found) if *found == self.identity => {}
            Ok(found) => {
                return self.broken(overwritten_by(found));
            }
            Err(problem) => return self.broken(problem.clone()),
        }
        self.follow_switches(&read);
        match read.current {
            Current::Nothing if self.highest == 0 && self.serving.is_none() => {}
            Current::Nothing if self.highest == 0 => self.broken(
                "it names no generation; the last one of the head before it answers on, with the flags that were killed then".to_owned(),
            ),
            Current::Nothing => {
                let highest = self.highest;
                self.broken(format!(
                    "it went back from generation {highest} to none; type: flagstone rollback --to {highest}"
                ))
            }
            Current::Pointer(pointer) => self.follow(&pointer),
            Current::Damaged(generation, other) => {
                self.follow_damaged(generation, other.as_ref())
            }
        }
    }

    /// Follows a head whose newest pointer is damaged: by the name of its snapshot, or by the pointer that is left.
    fn follow_damaged(&mut self, generation: u64, other: Option<&Pointer>) {
        let is_older = other.is_some_and(|newest| newest.generation == generation);
        let named = match if is_older { Ok(None) } else { self.by_name(generation) } {
            Ok(named) => named,
            Err(error) => {
                let (content, retry_at) = (ContentId([0; 16]), self.now.saturating_add(FIRST_PAUSE));
                self.refused = Some(Refused { generation, content, pause: FIRST_PAUSE, retry_at });
                return self.bad_head(error);
            }
        };
        if let Some(named) = named {
            let before = self.error.clone();
            self.follow(&Pointer::by_name(named, other));
            if self.source != Source::Current {
                return;
            }
            self.error = before;
        } else if let Some(other) = other.filter(|_| self.serving.is_none()) {
            self.fall_back(other.generation, other.content, other.published_at);
        }
        let problem = damaged_text(generation, other, named.is_some());
        self.bad_head(StoreError::Mismatch { path: self.directory.path.join(HEAD), problem });
    }

    /// That generation, if its snapshot lies beside this head.
    fn by_name(&self, generation: u64) -> Result<Option<(u64, ContentId)>, StoreError> {
        let store = Folder::believing(&self.directory.path, self.options.owner)?;
        let named = kept(&store, generation)?;
        let head = store.path().join(HEAD);
        match store.entry_id(HEAD).map_err(|source| StoreError::io("look at the head", &head, source))? {
            found if found == self.head_id => Ok(named),
            _ => Err(StoreError::Mismatch { path: head, problem: REPLACED.to_owned() }),
        }
    }

    /// True if the head is older than when it was last read, as a copy written over it is. Each change moves the epoch forward.
    fn went_back(&self, read: &Read) -> bool {
        let generation = match &read.current {
            Current::Nothing => 0,
            Current::Pointer(pointer) => pointer.generation,
            Current::Damaged(generation, _) => *generation,
        };
        generation < self.highest || read.epoch.wrapping_sub(self.epoch).cast_signed() < 0
    }

    /// A kill that was read holds until its slot says that the flag was revived, or that another is killed there; the stop holds until
    /// its words say that it ended. Damaged bytes say neither.
    fn follow_switches(&mut self, read: &Read) {
        // Its kills are outdated.
        let went_back = self.went_back(read);
        self.epoch = read.epoch;
        let mut killed = Vec::new();
        for (slot, found) in &read.slots {
            if let Some(flag) = found.flag.as_ref().filter(|_| found.sequence % 2 == 1) {
                let (sequence, key) = (found.sequence, flag.key.clone());
                killed.push(KnownKill { slot: *slot, sequence, key, held: false });
            }
        }
        let found = killed.len();
        for known in std::mem::take(&mut self.killed) {
            // A slot that changed while it was read says nothing.
            let slot = read.slots.iter().find(|(slot, _)| *slot == known.slot);
            let held = known.held || went_back;
            let told = if held { SlotsTrust::No } else { read.told };
            let over = slot.is_some_and(|(_, slot)| slot.ends(known.sequence, &known.key, told));
            match killed.iter_mut().find(|kill| kill.key == known.key) {
                // The very kill: its slot may be overwritten as well at the next look.
                Some(kill) if (kill.slot, kill.sequence) == (known.slot, known.sequence) => kill.held = held,
                None if !over => killed.push(KnownKill { held, ..known }),
                _ => {}
            }
        }
        self.killed = killed;
        self.kills_known |= read.doubt.is_none();
        self.follow_stop(read, went_back);
        let lacks_stop = self.stop_held && read.stop != Stop::Yes;
        let doubt = read.doubt.clone().or_else(|| held_text(self.killed.iter().skip(found), lacks_stop));
        let doubt = doubt.map(|doubt| format!("{}/head: {doubt}", printable(&self.directory.path)));
        if let Some(doubt) = doubt.as_ref().filter(|doubt| self.doubt.as_ref() != Some(doubt)) {
            self.notice(Notice::Head, doubt.clone());
        }
        self.doubt = doubt;
    }

    fn follow_stop(&mut self, read: &Read, went_back: bool) {
        let (since, ended) = read.stop_times;
        self.stop_held = (self.stop_held || went_back) && self.stopped == Some(true);
        self.stopped = match read.stop {
            Stop::Yes => {
                // The words of the very stop may be overwritten as well at the next look.
                self.stop_held &= since == self.stop_since;
                self.stop_since = since;
                Some(true)
            }
            Stop::No if self.stop_held && ended <= self.stop_since => Some(true),
            Stop::No => {
                self.stop_held = false;
                Some(false)
            }
            // A stop that was never read may be on.
            Stop::Unclear => Some(self.stopped.unwrap_or(true)),
        };
    }

    /// Returns `view` with the current kills and stop.
    pub(crate) fn switched(&mut self, view: &View, now: u64) -> View {
        self.now = now;
        let mut epoch = 0;
        if (!self.head.lost() || self.restore_head())
            && let Some(read) = self.read()
        {
            epoch = read.epoch;
            if read.identity.as_ref().is_ok_and(|found| *found == self.identity) {
                self.follow_switches(&read);
            }
        }
        View {
            snapshot: view.snapshot.clone(),
            generation: view.generation,
            published_at: view.published_at,
            switches: view.snapshot.as_ref().map_or_else(Switches::none, |snapshot| self.switches(snapshot)),
            epoch: self.head_epoch(epoch),
            fallback: view.fallback,
            heads: self.heads,
            head: self.head.clone(),
        }
    }

    fn switches(&self, snapshot: &Snapshot) -> Switches {
        if self.kills_unknown() {
            return Switches::all_killed(snapshot);
        }
        let killed = self.killed.iter().map(|known| known.key.as_slice());
        let former = self.former_kills.iter().map(Vec::as_slice);
        Switches::new(snapshot, killed.chain(former), self.stopped.unwrap_or(false) || self.former_stop)
    }

    /// True if the killed flags were never read from intact slots.
    fn kills_unknown(&self) -> bool {
        self.doubt.is_some() && !self.kills_known
    }

    /// Value to compare with the head's epoch, given the epoch before the head was read. A lost head reads as zero.
    fn head_epoch(&self, epoch: u64) -> u64 {
        if self.head.lost() { 0 } else { epoch }
    }

    /// The snapshot being served, with its switches.
    pub(crate) fn view(&self, epoch: u64) -> View {
        let serving = self.serving.as_ref();
        View {
            snapshot: serving.map(|serving| serving.snapshot.clone()),
            generation: serving.map_or(0, |serving| serving.generation),
            published_at: serving.map_or(0, |serving| serving.published_at),
            switches: serving.map_or_else(Switches::none, |serving| self.switches(&serving.snapshot)),
            epoch: self.head_epoch(epoch),
            fallback: matches!(self.source, Source::Previous | Source::LastGood),
            heads: self.heads,
            head: self.head.clone(),
        }
    }

    /// Heads mapped before the current one.
    pub(crate) fn heads(&self) -> u64 {
        self.heads
    }

    /// Checks the files: maps another head that took the place of this one, and detects changes of the head other than by its words, and
    /// of the snapshot's file. True: load again.
    pub(crate) fn look(&mut self, now: u64) -> bool {
        self.now = now;
        let head = self.look_at_head();
        self.look_at_snapshot() || head
    }

    fn look_at_head(&mut self) -> bool {
        let path = self.directory.path.join(HEAD);
        let metadata = match std::fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(source) => {
                self.missing(Some(StoreError::io("look at the head", &path, source)));
                return false;
            }
        };
        let stamp = Stamp::of(&metadata);
        // On overlayfs, a file copied up keeps its device and inode, while the mapping stays with the lower one for ever.
        let copied_up = self.layered && self.head_stamp != stamp;
        if FileId::of(&metadata) != self.head_id || self.head.lost() || copied_up {
            return self.restore_head();
        }
        if metadata.len() != PAGE_SIZE as u64 {
            let problem = format!("found {} bytes, expected a file of {PAGE_SIZE}", metadata.len());
            self.head.give_up();
            self.missing(Some(StoreError::Head { path, problem }));
            return true;
        }
        if let Err(error) = self.judge_again(&metadata) {
            self.missing(Some(error));
            return false;
        }
        self.missing(None);
        // Every change moves it; so does writing over the file, which may not have moved the epoch.
        std::mem::replace(&mut self.head_stamp, stamp) != stamp
    }

    /// Judges the directory and the head if their owner or mode changed; otherwise it costs one `stat`.
    fn judge_again(&mut self, head: &Metadata) -> Result<(), StoreError> {
        let path = &self.directory.path;
        let found = permissions(path, head).map_err(|source| StoreError::io("look at", path, source))?;
        if self.permissions != Some(found) {
            self.accept_head()?;
            self.permissions = Some(found);
        }
        Ok(())
    }

    /// Maps the head's file as it is now. False: it cannot be followed.
    fn restore_head(&mut self) -> bool {
        let mapped = self.accept_head().and_then(|file| {
            let head = map_head(&self.directory.path, &file, false)?;
            if file.id == self.head_id && file.identity != self.identity {
                let path = self.directory.path.join(HEAD);
                return Err(StoreError::Head { path, problem: overwritten_by(&file.identity) });
            }
            Ok((file, head))
        });
        let (file, head) = match mapped {
            Ok(mapped) => mapped,
            Err(error) => {
                self.missing(Some(error));
                return false;
            }
        };
        self.head = Arc::new(head);
        self.heads += 1;
        self.head_stamp = file.stamp;
        self.missing = None;
        if file.id != self.head_id {
            self.head_id = file.id;
            self.head_file = OwnFile::of(file.file, file.id);
            self.identity = file.identity;
            self.highest = 0;
            self.epoch = 0;
            self.former_kills.extend(self.killed.drain(..).map(|known| known.key));
            self.former_stop |= self.stopped.take().unwrap_or(false);
            self.stop_held = false;
            self.kills_known = false;
            self.doubt = None;
            self.refused = None;
            self.error = None;
            self.replaced += 1;
            let path = printable(&self.directory.path);
            self.notice(
                Notice::Replaced,
                format!("{path}/head was replaced by another file; following that one"),
            );
        }
        true
    }

    /// Gives up a shared mapping whose file was changed, and reads its content once more, into private memory. True if it was changed.
    fn look_at_snapshot(&mut self) -> bool {
        let Some(serving) = &self.serving else { return false };
        let Some((file, stamp)) = &serving.file else { return false };
        if !serving.snapshot.lost() {
            match file.look() {
                Some(metadata) if Stamp::of(&metadata) == *stamp => return false,
                Some(_) => {}
                None => return self.open_again(),
            }
        }
        serving.snapshot.give_up();
        self.recover_if_lost()
    }

    /// Opens the file of a shared mapping once more: somebody else closed its descriptor in this process. True if that is possible.
    fn open_again(&mut self) -> bool {
        let Some((named, published_at)) = self
            .serving
            .as_ref()
            .map(|serving| ((serving.generation, serving.content), serving.published_at))
        else {
            return false;
        };
        let Ok(opened) = self.open(named) else { return false };
        self.serve(&Pointer { published_at, ..Pointer::of(named) }, opened);
        true
    }

    /// Replaces a lost mapping by a copy of the same generation, by the generation before, or by nothing. True if it was lost.
    fn recover_if_lost(&mut self) -> bool {
        let Some(lost) = self.serving.take_if(|serving| serving.snapshot.lost()) else { return false };
        self.copies = true;
        let named = (lost.generation, lost.content);
        let again = self.open(named).or_else(|unopened| match &lost.file {
            // The path may no longer lead anywhere while the open file is intact.
            Some((file, _)) if file.is_itself() => {
                match Snapshot::open(file, MapMode::Private, self.options.size_limit) {
                    Ok(snapshot) if snapshot.content_id() == lost.content => {
                        Ok(Opened { snapshot, mode: MapMode::Private, file: None })
                    }
                    _ => Err(unopened),
                }
            }
            _ => Err(unopened),
        });
        match again {
            Ok(opened) => {
                self.notice(
                    Notice::Snapshot,
                    format!(
                        "the file of generation {} was changed in place or cut short; its answers come from a copy of it",
                        lost.generation
                    ),
                );
                self.serve(&Pointer { published_at: lost.published_at, ..Pointer::of(named) }, opened);
            }
            Err(Unopened { error, damaged }) => {
                self.bad(
                    Notice::Snapshot,
                    format!(
                        "generation {} was cut short or overwritten, and is refused: {error}",
                        lost.generation
                    ),
                    true,
                );
                self.source = Source::None;
                let before = self.pointer.filter(|pointer| pointer.generation == lost.generation);
                if let Some(before) = before.filter(|before| before.previous != 0 && damaged) {
                    self.fall_back(before.previous, before.previous_content, 0);
                }
            }
        }
        true
    }

    /// Time of the next attempt, in monotonic milliseconds.
    pub(crate) fn retry_at(&self) -> Option<u64> {
        self.refused.map(|refused| refused.retry_at)
    }

    /// Opens the file that took the head's place, if it is a head for the same environment.
    fn accept_head(&self) -> Result<HeadFile, StoreError> {
        let file = head_file(&Folder::believing(&self.directory.path, self.options.owner)?, Access::Read)?;
        let (found, expected) = (&file.identity.environment, &self.identity.environment);
        if found == expected {
            return Ok(file);
        }
        let path = self.directory.path.join(HEAD);
        Err(StoreError::Head {
            path,
            problem: format!("it is for the environment {found:?}, expected {expected:?}"),
        })
    }

    /// Notes why the head's file cannot be read; none if it can.
    fn missing(&mut self, error: Option<StoreError>) {
        // Told again each minute: the log may have lacked the descriptor, too.
        let again = error.as_ref().is_some_and(StoreError::lacks_descriptor);
        let error = error.map(|error| match &error {
            error if again && !self.head.lost() => format!(
                "{error}. Whether another head took the place of this one cannot be seen, or it cannot be followed: answers and kills stay as they are"
            ),
            error => error.to_string(),
        });
        if again || error != self.missing {
            if let Some(error) = &error {
                self.notice(Notice::File, error.clone());
            }
            self.missing = error;
        }
    }

    pub(crate) fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    pub(crate) fn status(&self, view: &View) -> ReaderStatus {
        let generation = self.head.generation();
        ReaderStatus {
            directory: self.directory.path.clone(),
            environment: self.identity.environment.clone(),
            generation: view.generation,
            // For a lost head, the last generation that it named.
            head_generation: if self.head.lost() { self.highest } else { generation },
            published_at: view.published_at,
            source: self.source,
            map: self.serving.as_ref().map(|serving| serving.map),
            trust: self.trust.clone(),
            last_error: [&self.error, &self.missing, &self.doubt].into_iter().flatten().next().cloned(),
            loads: self.loads,
            refused: self.refusals,
            retries: self.retries,
            heads_replaced: self.replaced,
            killed: self
                .killed
                .iter()
                .map(|known| &known.key)
                .chain(
                    self.former_kills.iter().filter(|key| self.killed.iter().all(|known| known.key != **key)),
                )
                .map(|key| String::from_utf8_lossy(key).into_owned())
                .collect(),
            stopped: self.stopped.unwrap_or(false) || self.former_stop || self.kills_unknown(),
            head_lost: self.head.lost(),
        }
    }

    fn follow(&mut self, pointer: &Pointer) {
        if pointer.generation < self.highest {
            let (found, expected) = (pointer.generation, self.highest);
            return self.broken(format!(
                "it went back in place from generation {expected} to {found}; type: flagstone rollback --to {expected}"
            ));
        }
        // A newer file than the damaged one may be mapped shared again.
        self.copies &= self.pointer.is_some_and(|before| before.generation >= pointer.generation);
        self.highest = pointer.generation;
        self.pointer = Some(*pointer);
        let named = (pointer.generation, pointer.content);
        if self.serving.as_ref().is_some_and(|serving| (serving.generation, serving.content) == named) {
            return self.served(Source::Current);
        }
        let again = self.refused.filter(|refused| (refused.generation, refused.content) == named);
        if again.is_some_and(|refused| self.now < refused.retry_at) {
            return;
        }
        self.retries += u64::from(again.is_some());
        let mut pointer = *pointer;
        let mut opened = self.open(named);
        for _ in 0..MOVES {
            // With frequent publishes, a slow reader's snapshot may be removed as too old before it is opened.
            match self.head.current() {
                Current::Pointer(next) if opened.is_err() && next.generation > pointer.generation => {
                    pointer = next
                }
                _ => break,
            }
            opened = self.open((pointer.generation, pointer.content));
        }
        self.highest = pointer.generation;
        self.pointer = Some(pointer);
        let named = (pointer.generation, pointer.content);
        match opened {
            Ok(opened) => {
                self.serve(&pointer, opened);
                self.served(Source::Current);
            }
            Err(Unopened { error, damaged }) => {
                let pause =
                    again.map_or(FIRST_PAUSE, |refused| refused.pause.saturating_mul(2).min(LONGEST_PAUSE));
                let retry_at = self.now.saturating_add(pause);
                self.refused = Some(Refused { generation: named.0, content: named.1, pause, retry_at });
                self.bad(
                    Notice::Snapshot,
                    format!("generation {} was refused: {error}", pointer.generation),
                    again.is_none(),
                );
                if self.serving.is_none() && pointer.previous != 0 && damaged {
                    let before = self.head.pointer((pointer.generation & 1) ^ 1);
                    let before = before.filter(|before| before.generation == pointer.previous);
                    let published_at = before.map_or(0, |before| before.published_at);
                    self.fall_back(pointer.previous, pointer.previous_content, published_at);
                }
            }
        }
    }

    fn fall_back(&mut self, generation: u64, content: ContentId, published_at: i64) {
        match self.open((generation, content)) {
            Ok(opened) => {
                self.serve(&Pointer { published_at, ..Pointer::of((generation, content)) }, opened);
                self.source = Source::Previous;
            }
            Err(unopened) => self.notice(
                Notice::Before,
                format!("the generation before it, {generation}, was refused too: {}", unopened.error),
            ),
        }
    }

    /// Opens a snapshot in the directory that holds this head. The path may lead to another store by now, which has no say in what is
    /// missing in this one.
    fn open(&mut self, named: (u64, ContentId)) -> Result<Opened, Unopened> {
        if !has_room() {
            let path = self.directory.path.join(SNAPSHOTS);
            return Err(StoreError::io("load one of", &path, io::ErrorKind::OutOfMemory.into()).into());
        }
        // Judged again: the path may have been opened to others meanwhile.
        let mut store = Folder::believing(&self.directory.path, self.options.owner)?;
        store.expose(&self.trust);
        let trust = &store.judged().trust;
        // What it was by the path that was given stays: that may lead here by a link.
        if self.trust == Trust::Trusted && *trust != self.trust
            || trust.is_exposed() && !self.trust.is_exposed()
        {
            self.trust = trust.clone();
            if let Some(warning) = self.trust.warning() {
                self.notice(Notice::Trust, warning);
            }
        }
        let head = store.path().join(HEAD);
        let found =
            store.entry_id(HEAD).map_err(|source| StoreError::io("look at the head", &head, source))?;
        if found != self.head_id {
            self.moved = true;
            return Err(StoreError::Mismatch { path: head, problem: REPLACED.to_owned() }.into());
        }
        let policy = if self.copies { MapPolicy::Private } else { self.options.map };
        let limit = self.options.size_limit;
        open_snapshot(&store, named, &self.identity.environment, (policy, limit))
            .map_err(|error| Unopened { damaged: error.is_damage(), error })
    }

    fn serve(&mut self, pointer: &Pointer, opened: Opened) {
        self.loads += 1;
        self.serving = Some(Serving {
            snapshot: Arc::new(opened.snapshot),
            generation: pointer.generation,
            content: pointer.content,
            published_at: pointer.published_at,
            map: opened.mode,
            file: opened.file,
        });
    }

    /// The present head's content answers.
    fn served(&mut self, source: Source) {
        self.former_kills.clear();
        self.former_stop = false;
        self.source = source;
        self.refused = None;
        self.error = None;
    }

    fn bad_head(&mut self, error: StoreError) {
        let text = error.to_string();
        let new = self.error.as_ref() != Some(&text);
        self.bad(Notice::Head, text, new);
    }

    fn broken(&mut self, problem: String) {
        self.bad_head(StoreError::Head { path: self.directory.path.join(HEAD), problem });
    }

    fn bad(&mut self, about: Notice, text: String, new: bool) {
        if new {
            self.refusals += 1;
            self.notice(about, text.clone());
        }
        self.error = Some(text);
        if self.serving.is_some() && self.source == Source::Current {
            self.source = Source::LastGood;
        }
    }

    /// Keeps a notice for the log, at most one of each kind a minute.
    fn notice(&mut self, about: Notice, text: String) {
        let now = self.now;
        let Some(last) = self.noticed.get_mut(about as usize) else { return };
        if last.is_some_and(|last| now.saturating_sub(last) < NOTICE_INTERVAL)
            || self.notices.len() >= NOTICES
        {
            return;
        }
        *last = Some(now);
        self.notices.push(text);
    }
}

/// Owner, group and mode of the directory and of its head.
fn permissions(directory: &Path, head: &Metadata) -> io::Result<[[u32; 3]; 2]> {
    let directory = std::fs::symlink_metadata(directory)?;
    Ok([&directory, head].map(|found| [found.uid(), found.gid(), found.mode()]))
}

/// The kills and the stop that a head lacks since it went back, and how to end them; none if it lacks none.
fn held_text<'a>(kills: impl Iterator<Item = &'a KnownKill>, is_stopped: bool) -> Option<String> {
    let held = kills.filter(|known| known.held).map(|known| String::from_utf8_lossy(&known.key));
    let held = held.collect::<Vec<_>>().join(", ");
    let kills = format!(
        "kills that this process has read: {held} stays off here. Type `flagstone kill` for what is to stay off everywhere; what is to be on is \
         killed and revived once more"
    );
    let stop = "the stop that this process has read: everything stays off here. Type `flagstone stop-all` for everything to stay off everywhere, \
                or `flagstone resume-all`";
    let lacks = match (held.is_empty(), is_stopped) {
        (true, false) => return None,
        (true, true) => stop.to_owned(),
        (false, false) => kills,
        (false, true) => format!("{stop}; and {kills}"),
    };
    Some(format!("it went back in place, as an older copy of it would, and lacks {lacks}"))
}

fn overwritten_by(other: &Identity) -> String {
    format!("it was overwritten in place by the head of another store ({})", other.environment)
}
