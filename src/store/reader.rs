//! A store as a worker sees it.
//!
//! A reader never panics, starts no thread, and waits only for the first snapshot of its process. The last good snapshot stays: one that
//! is missing, damaged, for another environment or older than the head named before is refused, counted and tried again with growing
//! pauses, while the answers go on. It is sound across `fork`, and independent of the process's id.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::load::Loader;
use super::open::{head_file, map_head};
use super::options::ReaderOptions;
use super::status::ReaderStatus;
use super::view::View;
use crate::error::StoreError;
use crate::files::{Access, Folder};
use crate::room::has_room;
use parking_lot::{Mutex, RwLock};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Milliseconds between two looks at the files.
const CHECK_INTERVAL_MILLIS: u64 = 1_000;
/// Milliseconds for which `check_replaced` keeps reporting a changed file, so that other threads see it too.
const REPLACED_NOTICE_MILLIS: u64 = 5_000;

/// Longest wait of a thread while another one loads the first snapshot of the process.
const FIRST_LOAD: Duration = Duration::from_secs(2);
/// Value of `View::heads` before the first look.
const NEVER_LOOKED: u64 = u64::MAX;

/// A store as a worker sees it; its threads share one.
#[derive(Debug)]
pub struct Reader {
    loader: Mutex<Loader>,
    present: RwLock<Arc<View>>,
    /// Makes the next `view` look, whatever the epoch says.
    stale: AtomicBool,
    heads: AtomicU64,
    /// Monotonic milliseconds: the last look at the files, the end of an announcement, the next attempt.
    looked: AtomicU64,
    announce_until: AtomicU64,
    retry_at: AtomicU64,
}

impl Reader {
    /// Opens the store at `directory`, also before its first publish.
    ///
    /// # Errors
    ///
    /// When there is no store, its head is not valid, or others could change it.
    pub fn open(directory: &Path, options: ReaderOptions) -> Result<Reader, StoreError> {
        if !has_room() {
            return Err(StoreError::io("open the store", directory, io::ErrorKind::OutOfMemory.into()));
        }
        let store = Folder::believing(directory, options.owner)?;
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

    /// True if `view` is what [`view`](Self::view) would return: a few loads.
    #[inline]
    pub fn is_current(&self, view: &View) -> bool {
        view.head.epoch() == view.epoch && self.heads.load(Ordering::Relaxed) == view.heads && !view.lost()
    }

    /// Returns the view to pin for a request. Cheap if nothing changed; otherwise the new snapshot is loaded, once for all threads:
    /// threads that ask meanwhile get the view before. They wait only for the very first.
    pub fn view(&self) -> Arc<View> {
        let present = self.present.read().clone();
        if self.is_current(&present) && !self.stale.load(Ordering::Acquire) {
            return present;
        }
        let loader = if present.heads == NEVER_LOOKED || present.lost() {
            // "Off" for lack of a snapshot would be a wrong answer: wait for the first one, and for one in place of a lost one.
            self.loader.try_lock_for(FIRST_LOAD)
        } else {
            self.loader.try_lock()
        };
        let Some(mut loader) = loader else { return present };
        let present = self.present.read().clone();
        if self.is_current(&present) && !self.stale.load(Ordering::Acquire) {
            // Another thread looked while this one waited.
            return present;
        }
        self.stale.store(false, Ordering::Release);
        // Without room, kills are still read: this frees the memory kept for that.
        let _ = has_room();
        let view = Arc::new(loader.load(monotonic_now()));
        self.heads.store(loader.heads(), Ordering::Relaxed);
        self.retry_at.store(loader.retry_at().unwrap_or(u64::MAX), Ordering::Release);
        let before = std::mem::replace(&mut *self.present.write(), view.clone());
        drop(loader);
        // Outside the locks: this may drop the last reference to a snapshot and unmap it.
        drop(before);
        view
    }

    /// The head's present generation and epoch. Loads nothing: for whoever only wants to know whether anything changed.
    #[cfg(feature = "publisher")]
    pub fn head_token(&self) -> (u64, u64) {
        let head = self.present.read().head.clone();
        (head.generation(), head.epoch())
    }

    /// Returns `view` with the current kills and stop, and the same content. None: another thread is loading, ask again.
    pub fn switched(&self, view: &View) -> Option<View> {
        let mut loader = self.loader.try_lock()?;
        let switched = loader.switched(view, monotonic_now());
        if self.heads.swap(loader.heads(), Ordering::Relaxed) != loader.heads() {
            self.stale.store(true, Ordering::Release);
        }
        Some(switched)
    }

    /// Checks the files, at most once a second: whether another one took the head's place (a restored backup) and must be mapped instead,
    /// and whether the mapped bytes were overwritten. True: call [`view`](Self::view) again, whatever the epoch says; also when a refused
    /// snapshot is due for another attempt. `now` is in milliseconds of a monotonic clock.
    pub fn check_replaced(&self, now: u64) -> bool {
        let looked = self.looked.load(Ordering::Relaxed);
        let announced = now < self.announce_until.load(Ordering::Relaxed);
        if looked != 0 && now.saturating_sub(looked) < CHECK_INTERVAL_MILLIS {
            return announced;
        }
        if self.looked.compare_exchange(looked, now.max(1), Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return announced;
        }
        let Some(mut loader) = self.loader.try_lock() else { return announced };
        let _ = has_room();
        let changed = loader.look(monotonic_now());
        self.heads.store(loader.heads(), Ordering::Relaxed);
        drop(loader);
        if changed {
            self.announce_until.store(now.saturating_add(REPLACED_NOTICE_MILLIS), Ordering::Relaxed);
        }
        let due = monotonic_now() >= self.retry_at.load(Ordering::Acquire);
        if due || changed {
            self.stale.store(true, Ordering::Release);
        }
        changed || announced || due
    }

    /// State of this reader. Reads only its own memory and the head's; waits for a load by another thread.
    pub fn status(&self) -> ReaderStatus {
        let view = self.present.read().clone();
        let loader = self.loader.lock();
        loader.status(&view)
    }

    /// Takes the lines for the log: the warning of a path that a group can write, each snapshot refused, each head replaced.
    pub fn take_notices(&self) -> Vec<String> {
        self.loader.try_lock().map(|mut loader| loader.take_notices()).unwrap_or_default()
    }
}

/// Milliseconds of a monotonic clock; no system call.
fn monotonic_now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.cast_unsigned().saturating_mul(1_000).saturating_add(now.tv_nsec.cast_unsigned() / 1_000_000)
}
