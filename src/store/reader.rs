//! One store as a worker sees it.
//!
//! It never panics, starts no thread, and waits for nobody but for the first snapshot of its process. What was good last stays: a snapshot that is
//! missing, damaged, of another environment or older than what this head named before is refused, counted and
//! tried again with growing pauses, while the answers go on. It is sound across `fork`, and nothing here depends on the
//! process's id.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::directory::{Access, Folder};
use super::error::StoreError;
use super::head::Head;
use super::layout::SNAPSHOT_LIMIT;
use super::load::{Loader, Source};
use super::open::{MapPolicy, head_file, map_head};
use super::trust::Trust;
use crate::eval::Switches;
use crate::snapshot::{MapMode, Snapshot};
use parking_lot::{Mutex, RwLock};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Milliseconds between two looks at the files.
const LOOK_EVERY: u64 = 1_000;
/// For so long `check_replaced` goes on saying that a file changed, so that other threads hear it too.
const ANNOUNCE: u64 = 5_000;

/// How long a thread waits while another one loads the first snapshot of the process.
const FIRST_LOAD: Duration = Duration::from_secs(2);
/// In the place of `View::heads` before anything was looked at.
const NEVER_LOOKED: u64 = u64::MAX;

/// How a reader reads.
#[derive(Debug, Clone, Copy)]
pub struct ReaderOptions {
    /// How a snapshot's file becomes memory.
    pub map: MapPolicy,
    /// The largest snapshot that is accepted, in bytes.
    pub size_limit: u64,
}

impl Default for ReaderOptions {
    /// Maps as it sees fit; 4 GiB.
    fn default() -> ReaderOptions {
        ReaderOptions { map: MapPolicy::Auto, size_limit: SNAPSHOT_LIMIT }
    }
}

/// What a request pins: one snapshot, and what the head says about its flags.
#[derive(Debug)]
pub struct View {
    /// None where nothing was published, or nothing good was ever found.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Of the snapshot; 0 without one.
    pub generation: u64,
    /// Microseconds since 1970; 0 where it is not known.
    pub published_at: i64,
    /// Kills and the stop.
    pub switches: Switches,
    /// The head's epoch that this was read at.
    pub epoch: u64,
    /// The head names another generation than this one, which could not be loaded.
    pub fallback: bool,
    /// How many heads this reader had mapped before the one that this was read from.
    pub(crate) heads: u64,
    /// The head that this was read from: what it is mapped at stays as long as this does.
    pub(crate) head: Arc<Head>,
}

impl View {
    /// The head's epoch: when it is not that of the view, ask for [`Reader::view`] again. Readable as long as the view lives; a
    /// store to it ends the process.
    #[inline(always)]
    pub fn epoch_cell(&self) -> &AtomicU64 {
        self.head.epoch_cell()
    }

    /// Whether its snapshot is lost (see [`Snapshot::lost`]). Ask after reading and before answering.
    #[inline]
    pub fn lost(&self) -> bool {
        self.snapshot.as_ref().is_some_and(|snapshot| snapshot.lost())
    }
}

/// What a reader knows about itself, for health checks.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReaderStatus {
    /// Canonical.
    pub directory: PathBuf,
    /// The store's.
    pub environment: String,
    /// Answering; 0 if none is.
    pub generation: u64,
    /// What the head names.
    pub head_generation: u64,
    /// Of the generation answering, in microseconds since 1970.
    pub published_at: i64,
    /// Where the answers come from.
    pub source: Source,
    /// How the snapshot is in memory.
    pub map: Option<MapMode>,
    /// Whether others could change the store.
    pub trust: Trust,
    /// Why the answers do not come from the current generation, or why the store cannot be looked at.
    pub last_error: Option<String>,
    /// Snapshots loaded.
    pub loads: u64,
    /// Snapshots and heads refused.
    pub refused: u64,
    /// Attempts to load a refused snapshot after all.
    pub retries: u64,
    /// Heads that took the place of the one mapped.
    pub heads_replaced: u64,
    /// Flags killed, whether or not the snapshot holds them.
    pub killed: Vec<String>,
    /// Everything is stopped.
    pub stopped: bool,
    /// The head is cut short or damaged: nothing that changes in it arrives.
    pub head_lost: bool,
}

/// One store as a worker sees it.
#[derive(Debug)]
pub struct Reader {
    loader: Mutex<Loader>,
    present: RwLock<Arc<View>>,
    /// The next `view` looks whatever the epoch says.
    stale: AtomicBool,
    heads: AtomicU64,
    /// Monotonic milliseconds: the last look at the files, the end of an announcement, the next attempt.
    looked: AtomicU64,
    announce_until: AtomicU64,
    retry_at: AtomicU64,
}

impl Reader {
    /// Opens the store at `directory`. One in which nothing was published yet opens as well.
    ///
    /// # Errors
    ///
    /// When there is no store, its head is not valid, or others could change it.
    pub fn open(directory: &Path, options: ReaderOptions) -> Result<Reader, StoreError> {
        let store = Folder::store(directory)?;
        let file = head_file(&store, Access::Read)?;
        let head = map_head(store.path(), &file, false)?;
        let loader = Loader::new(store.judged().clone(), file, head, options, monotonic_now());
        let nothing = View { heads: NEVER_LOOKED, ..loader.view(0) };
        Ok(Reader {
            present: RwLock::new(Arc::new(nothing)),
            loader: Mutex::new(loader),
            stale: AtomicBool::new(true),
            heads: AtomicU64::new(0),
            looked: AtomicU64::new(0),
            announce_until: AtomicU64::new(0),
            retry_at: AtomicU64::new(u64::MAX),
        })
    }

    /// Whether `view` is what [`view`](Self::view) would return: a few loads.
    #[inline]
    pub fn is_current(&self, view: &View) -> bool {
        view.head.epoch() == view.epoch && self.heads.load(Ordering::Relaxed) == view.heads && !view.lost()
    }

    /// What to pin for a request. Cheap when nothing changed; otherwise the new snapshot is loaded, once for all
    /// threads: those that ask meanwhile get what there was before. Only the very first is waited for.
    pub fn view(&self) -> Arc<View> {
        let present = self.present.read().clone();
        if self.is_current(&present) && !self.stale.load(Ordering::Acquire) {
            return present;
        }
        let loader = if present.heads == NEVER_LOOKED || present.lost() {
            // Off for want of a snapshot would be a wrong answer: the first is waited for, and one in place of a lost one.
            self.loader.try_lock_for(FIRST_LOAD)
        } else {
            self.loader.try_lock()
        };
        let Some(mut loader) = loader else { return present };
        let present = self.present.read().clone();
        if self.is_current(&present) && !self.stale.load(Ordering::Acquire) {
            // Somebody else looked while this thread waited.
            return present;
        }
        self.stale.store(false, Ordering::Release);
        let view = Arc::new(loader.load(monotonic_now()));
        self.heads.store(loader.heads(), Ordering::Relaxed);
        self.retry_at.store(loader.retry_at().unwrap_or(u64::MAX), Ordering::Release);
        let before = std::mem::replace(&mut *self.present.write(), view.clone());
        drop(loader);
        // Outside the locks: it may be the last to hold a snapshot, which is then unmapped.
        drop(before);
        view
    }

    /// `view` with what the head says now about kills and the stop. Its content stays. None: another thread is at it, ask
    /// again.
    pub fn switched(&self, view: &View) -> Option<View> {
        let mut loader = self.loader.try_lock()?;
        let switched = loader.switched(view, monotonic_now());
        if self.heads.swap(loader.heads(), Ordering::Relaxed) != loader.heads() {
            self.stale.store(true, Ordering::Release);
        }
        Some(switched)
    }

    /// Looks at the files, at most once a second: whether another one took the head's place (a restored backup) and is to be
    /// mapped instead, and whether somebody wrote over what is mapped. True: ask for [`view`](Self::view) again, whatever
    /// the epoch says; also when a refused snapshot is due for another attempt. `now` is in milliseconds of a clock that
    /// does not go back.
    pub fn check_replaced(&self, now: u64) -> bool {
        let looked = self.looked.load(Ordering::Relaxed);
        let announced = now < self.announce_until.load(Ordering::Relaxed);
        if looked != 0 && now.saturating_sub(looked) < LOOK_EVERY {
            return announced;
        }
        if self.looked.compare_exchange(looked, now.max(1), Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return announced;
        }
        let Some(mut loader) = self.loader.try_lock() else { return announced };
        let changed = loader.look(monotonic_now());
        self.heads.store(loader.heads(), Ordering::Relaxed);
        drop(loader);
        if changed {
            self.announce_until.store(now.saturating_add(ANNOUNCE), Ordering::Relaxed);
        }
        let due = monotonic_now() >= self.retry_at.load(Ordering::Acquire);
        if due || changed {
            self.stale.store(true, Ordering::Release);
        }
        changed || announced || due
    }

    /// What there is to say about this reader. Looks at nothing but its own memory and the head's; waits for a load that
    /// another thread is at.
    pub fn status(&self) -> ReaderStatus {
        let view = self.present.read().clone();
        let loader = self.loader.lock();
        loader.status(&view)
    }

    /// What should be logged, once: the warning of a path that a group can write, each snapshot refused,
    /// each head replaced.
    pub fn take_notices(&self) -> Vec<String> {
        self.loader.try_lock().map(|mut loader| loader.take_notices()).unwrap_or_default()
    }
}

/// Milliseconds of a clock that does not go back; no system call.
fn monotonic_now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.cast_unsigned().saturating_mul(1_000).saturating_add(now.tv_nsec.cast_unsigned() / 1_000_000)
}
