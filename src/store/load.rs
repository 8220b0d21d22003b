//! What a reader does when something changed: it reads the head, and decides which snapshot answers.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::directory::{Access, Folder};
use super::error::StoreError;
use super::head::{Current, Head, Identity, Pointer};
use super::open::{HeadFile, head_file, open_snapshot};
use super::reader::{ReaderOptions, ReaderStatus, View};
use super::trust::{Judged, Trust, printable};
use crate::eval::Switches;
use crate::snapshot::{ContentId, MapMode, Snapshot};
use std::sync::Arc;

/// Pause before the second attempt to load a refused snapshot, in milliseconds; it doubles each time.
const FIRST_PAUSE: u64 = 1_000;
const LONGEST_PAUSE: u64 = 300_000;
/// How often one look follows a head that moves on.
const MOVES: usize = 4;
/// Notices kept until somebody takes them.
const NOTICES: usize = 16;

/// Where answers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The generation that the head names.
    Current,
    /// The one before: the current one was bad when this process began.
    Previous,
    /// What was good before the current one turned out to be bad.
    LastGood,
    /// Nothing: every flag is off.
    None,
}

impl Source {
    /// `current`, `previous`, `last_good` or `none`.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Current => "current",
            Source::Previous => "previous",
            Source::LastGood => "last_good",
            Source::None => "none",
        }
    }
}

#[derive(Debug, Clone)]
struct Serving {
    snapshot: Arc<Snapshot>,
    generation: u64,
    content: ContentId,
    published_at: i64,
    map: MapMode,
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
    exposed: Option<String>,
    serving: Option<Serving>,
    source: Source,
    /// The highest generation that this head named.
    highest: u64,
    killed: Vec<Vec<u8>>,
    stopped: bool,
    refused: Option<Refused>,
    /// Why the current generation does not answer; why the head's file cannot be looked at.
    error: Option<String>,
    missing: Option<String>,
    loads: u64,
    refusals: u64,
    retries: u64,
    replaced: u64,
    notices: Vec<String>,
}

impl Loader {
    pub(crate) fn new(directory: Judged, file: HeadFile, options: ReaderOptions) -> Loader {
        let mut loader = Loader {
            directory,
            identity: file.identity,
            options,
            exposed: None,
            serving: None,
            source: Source::None,
            highest: 0,
            killed: Vec::new(),
            stopped: false,
            refused: None,
            error: None,
            missing: None,
            loads: 0,
            refusals: 0,
            retries: 0,
            replaced: 0,
            notices: Vec::new(),
        };
        if file.shared_with_group && loader.directory.trust == Trust::Trusted {
            let path = printable(&loader.directory.path);
            loader.directory.trust = Trust::Warned(format!("{path}/head is writable by a group"));
        }
        if let Trust::Warned(warning) = &loader.directory.trust {
            loader.exposed = Some(warning.clone());
            loader.notices.push(warning.clone());
        }
        loader
    }

    /// Reads the head and loads what it names, if that is not what is served already.
    pub(crate) fn load(&mut self, head: &Head, heads: u64, now: u64) -> View {
        // The epoch first: what changes after this is seen by the next look.
        let epoch = head.epoch();
        match head.identity() {
            Ok(found) if found == self.identity => {}
            Ok(found) => {
                let problem = format!(
                    "it was overwritten in place by the head of another store ({})",
                    found.environment
                );
                self.bad_head(problem);
                return self.view(epoch, heads);
            }
            Err(problem) => {
                self.bad_head(problem);
                return self.view(epoch, heads);
            }
        }
        self.killed = head.killed().into_iter().map(|killed| killed.key).collect();
        self.stopped = head.stopped().is_some();
        match head.current() {
            Current::Nothing if self.highest == 0 => {}
            Current::Nothing => {
                self.bad_head(format!("it went back from generation {} to none", self.highest))
            }
            Current::Pointer(pointer) => self.follow(&pointer, head, now),
            Current::Damaged(generation, other) => {
                self.bad_head(format!("its pointer to generation {generation} is not valid"));
                if self.serving.is_none()
                    && let Some(other) = other
                {
                    self.fall_back(other.generation, other.content, other.published_at);
                }
            }
        }
        self.view(epoch, heads)
    }

    /// What is served now.
    pub(crate) fn view(&self, epoch: u64, heads: u64) -> View {
        let serving = self.serving.as_ref();
        let switches = serving.map(|serving| {
            let killed = self.killed.iter().map(Vec::as_slice);
            Switches::new(&serving.snapshot, killed, self.stopped)
        });
        View {
            snapshot: serving.map(|serving| serving.snapshot.clone()),
            generation: serving.map_or(0, |serving| serving.generation),
            published_at: serving.map_or(0, |serving| serving.published_at),
            switches: switches.unwrap_or_else(Switches::none),
            epoch,
            fallback: matches!(self.source, Source::Previous | Source::LastGood),
            heads,
        }
    }

    /// When to try again, in monotonic milliseconds.
    pub(crate) fn retry_at(&self) -> Option<u64> {
        self.refused.map(|refused| refused.retry_at)
    }

    /// Opens the file that took the head's place, if it is a head for the same environment.
    pub(crate) fn accept_head(&self) -> Result<HeadFile, StoreError> {
        let file = head_file(&Folder::store(&self.directory.path)?, Access::Read)?;
        let (found, expected) = (&file.identity.environment, &self.identity.environment);
        if found == expected {
            return Ok(file);
        }
        let path = self.directory.path.join(super::layout::HEAD);
        Err(StoreError::Head {
            path,
            problem: format!("it is for the environment {found:?}, expected {expected:?}"),
        })
    }

    /// Another file is mapped as the head.
    pub(crate) fn replaced(&mut self, file: HeadFile) {
        self.identity = file.identity;
        self.highest = 0;
        self.refused = None;
        self.error = None;
        self.missing = None;
        self.replaced += 1;
        let path = printable(&self.directory.path);
        self.notice(format!("{path}/head was replaced by another file; following that one"));
    }

    /// Whether the head's file can be looked at.
    pub(crate) fn missing(&mut self, error: Option<StoreError>) {
        let error = error.map(|error| error.to_string());
        if error != self.missing {
            if let Some(error) = &error {
                self.notice(error.clone());
            }
            self.missing = error;
        }
    }

    pub(crate) fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    pub(crate) fn status(&self, view: &View, head_generation: u64) -> ReaderStatus {
        ReaderStatus {
            directory: self.directory.path.clone(),
            environment: self.identity.environment.clone(),
            generation: view.generation,
            head_generation,
            published_at: view.published_at,
            source: self.source,
            map: self.serving.as_ref().map(|serving| serving.map),
            trust: self.exposed.clone().map_or(Trust::Trusted, Trust::Warned),
            last_error: self.error.clone().or_else(|| self.missing.clone()),
            loads: self.loads,
            refused: self.refusals,
            retries: self.retries,
            heads_replaced: self.replaced,
            killed: self.killed.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect(),
            stopped: self.stopped,
        }
    }

    fn follow(&mut self, pointer: &Pointer, head: &Head, now: u64) {
        if pointer.generation < self.highest {
            let (found, expected) = (pointer.generation, self.highest);
            return self.bad_head(format!(
                "it went back in place from generation {expected} to {found}; roll back with `flagstone rollback --to {found}`"
            ));
        }
        self.highest = pointer.generation;
        let named = (pointer.generation, pointer.content);
        if self.serving.as_ref().is_some_and(|serving| (serving.generation, serving.content) == named) {
            return self.served(Source::Current);
        }
        let again = self.refused.filter(|refused| (refused.generation, refused.content) == named);
        if again.is_some_and(|refused| now < refused.retry_at) {
            return;
        }
        self.retries += u64::from(again.is_some());
        let mut pointer = *pointer;
        let mut opened = self.open(named);
        for _ in 0..MOVES {
            // Beside a quick publisher, what a slow reader goes to open may be removed as too old meanwhile.
            match head.current() {
                Current::Pointer(next) if opened.is_err() && next.generation > pointer.generation => {
                    pointer = next
                }
                _ => break,
            }
            opened = self.open((pointer.generation, pointer.content));
        }
        self.highest = pointer.generation;
        let named = (pointer.generation, pointer.content);
        match opened {
            Ok((snapshot, map)) => {
                self.serve(Serving {
                    snapshot: Arc::new(snapshot),
                    generation: pointer.generation,
                    content: pointer.content,
                    published_at: pointer.published_at,
                    map,
                });
                self.served(Source::Current);
            }
            Err(error) => {
                let pause =
                    again.map_or(FIRST_PAUSE, |refused| refused.pause.saturating_mul(2).min(LONGEST_PAUSE));
                let retry_at = now.saturating_add(pause);
                self.refused = Some(Refused { generation: named.0, content: named.1, pause, retry_at });
                self.bad(format!("generation {} was refused: {error}", pointer.generation), again.is_none());
                if self.serving.is_none() && pointer.previous != 0 {
                    let before = head.pointer((pointer.generation & 1) ^ 1);
                    let before = before.filter(|before| before.generation == pointer.previous);
                    let published_at = before.map_or(0, |before| before.published_at);
                    self.fall_back(pointer.previous, pointer.previous_content, published_at);
                }
            }
        }
    }

    fn fall_back(&mut self, generation: u64, content: ContentId, published_at: i64) {
        match self.open((generation, content)) {
            Ok((snapshot, map)) => {
                self.serve(Serving { snapshot: Arc::new(snapshot), generation, content, published_at, map });
                self.source = Source::Previous;
            }
            Err(error) => {
                self.notice(format!("the generation before it, {generation}, was refused too: {error}"))
            }
        }
    }

    fn open(&mut self, named: (u64, ContentId)) -> Result<(Snapshot, MapMode), StoreError> {
        // Once more: the path may have been opened to others meanwhile.
        let mut store = Folder::store(&self.directory.path)?;
        if let Some(warning) = &self.exposed {
            store.expose(warning);
        }
        if let (Trust::Warned(warning), None) = (&store.judged().trust, &self.exposed) {
            self.exposed = Some(warning.clone());
            self.notice(warning.clone());
        }
        open_snapshot(&store, named, &self.identity.environment, (self.options.map, self.options.size_limit))
    }

    fn serve(&mut self, serving: Serving) {
        self.loads += 1;
        self.serving = Some(serving);
    }

    fn served(&mut self, source: Source) {
        self.source = source;
        self.refused = None;
        self.error = None;
    }

    fn bad_head(&mut self, problem: String) {
        let path = self.directory.path.join(super::layout::HEAD);
        let text = StoreError::Head { path, problem }.to_string();
        let new = self.error.as_ref() != Some(&text);
        self.bad(text, new);
    }

    fn bad(&mut self, text: String, new: bool) {
        if new {
            self.refusals += 1;
            self.notice(text.clone());
        }
        self.error = Some(text);
        if self.serving.is_some() && self.source == Source::Current {
            self.source = Source::LastGood;
        }
    }

    fn notice(&mut self, text: String) {
        if self.notices.len() < NOTICES {
            self.notices.push(text);
        }
    }
}
