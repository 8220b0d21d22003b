//! The view that a request is answered from, and the word that says when to look again.

#![allow(unsafe_code)]

use crate::snapshot::Snapshot;
use crate::store::View;
use std::ptr::null;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Watched if the pin does not move, and the snapshot cannot be lost.
static NEVER_CHANGES: AtomicU64 = AtomicU64::new(0);
/// A value that `NEVER_CHANGES` never has: makes the next question look.
const UNSEEN: u64 = 1;

/// The pinned view. The quickest path reads only the pointers.
#[derive(Debug)]
pub(super) struct Pinned {
    /// Points into `view` if the snapshot alone may answer: nothing is killed, stopped or overridden, and no look is due.
    quick: *const Snapshot,
    /// Points to the head's epoch in `view` if the pin moves, else to the last word of a shared snapshot or to `NEVER_CHANGES`.
    watched: *const AtomicU64,
    seen: u64,
    /// `view` answers the current request.
    pinned: bool,
    view: Option<Arc<View>>,
}

impl Pinned {
    pub(super) fn nothing() -> Pinned {
        Pinned { quick: null(), watched: &raw const NEVER_CHANGES, seen: 0, pinned: false, view: None }
    }

    #[inline(always)]
    pub(super) fn is_quick(&self) -> bool {
        !self.quick.is_null()
    }

    /// The snapshot, if it alone may answer.
    #[inline(always)]
    pub(super) fn quick(&self) -> Option<&Snapshot> {
        // SAFETY: null, or it points into `view`, which is held and only changes together with it.
        unsafe { self.quick.as_ref() }
    }

    /// True if the head moved, or the pinned snapshot was lost.
    #[inline(always)]
    pub(super) fn has_moved(&self) -> bool {
        // SAFETY: it points to a static, or into what `view` keeps mapped at one address.
        let found = unsafe { (*self.watched).load(Ordering::Relaxed) };
        found != self.seen
    }

    #[inline(always)]
    pub(super) fn is_pinned(&self) -> bool {
        self.pinned
    }

    #[inline(always)]
    pub(super) fn view(&self) -> Option<&View> {
        self.view.as_deref()
    }

    /// Pins a view. If it `moves`, the head's epoch is watched.
    pub(super) fn set(&mut self, view: Arc<View>, moves: bool, quick: bool) {
        self.watch_nothing();
        let mut quick = quick && !view.switches.any();
        let last_word = view.snapshot.as_ref().and_then(|snapshot| snapshot.last_word());
        if moves {
            self.watched = view.epoch_cell();
            self.seen = view.epoch;
            // Only one word is compared, and the epoch does not reveal a lost snapshot.
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

    /// Pins nothing: no snapshot can answer.
    pub(super) fn pin_nothing(&mut self) {
        self.forget();
        self.pinned = true;
    }

    /// Makes the next question check everything again. The view stays.
    pub(super) fn unpin(&mut self) {
        self.quick = null();
        self.pinned = false;
    }

    /// Makes the next question check whether the pinned view can be read.
    pub(super) fn doubt(&mut self) {
        self.quick = null();
        self.watched = &raw const NEVER_CHANGES;
        self.seen = UNSEEN;
    }

    pub(super) fn forget(&mut self) {
        self.take();
    }

    /// Takes the view out. Nothing is pinned then.
    pub(super) fn take(&mut self) -> Option<Arc<View>> {
        self.unpin();
        self.watch_nothing();
        self.view.take()
    }

    fn watch_nothing(&mut self) {
        self.watched = &raw const NEVER_CHANGES;
        self.seen = 0;
    }
}
