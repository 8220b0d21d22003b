//! Shared file mappings, and the signal handler by which a process survives a file that is cut short.
//!
//! Touching a page that its file no longer reaches, or that the disk cannot give, raises SIGBUS. The handler answers for the mappings of
//! this module and for `BUS_ADRERR` alone: it marks the mapping lost, puts zeros in its place, and lets the access go on. Everything
//! else goes to the previous handler.
//!
//! A mapping for reading is replaced as a whole, so that it is lost only once: that takes no memory. One for writing is replaced around the
//! address alone, by shared memory: the whole of it, or private memory, would use up a limit of the process's data (`ulimit -d`), and what the
//! machine promises where it promises no more than it has (`vm.overcommit_memory=2`).
//!
//! Zeros are wrong data, so readers of a mapping ask [`Mapped::lost`] after reading and before answering. The mark comes before the
//! zeros: a reader that has seen a zero sees the mark.
//!
//! The handler takes no lock, allocates nothing, and reads a table of fixed size that each process has for itself after a fork.
//!
//! If the thread blocks the signal, a fault ends the process whatever handler is installed. So mapping a file unblocks the signal in its
//! thread, and callers of code that changes masks call [`unblock_bus_errors`] after it.

#![allow(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use libc::{c_int, c_void, siginfo_t};
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use std::fs::File;
use std::io;
use std::ptr::{NonNull, null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Once, OnceLock};

/// Maximum number of mappings in a process.
const SLOT_COUNT: usize = 1024;

/// Bytes that are replaced of a mapping for writing: a multiple of every system's page.
const REPLACED_AT_ONCE: usize = 64 * 1024;

/// Number of mappings lost by this process.
static LOST: AtomicU64 = AtomicU64::new(0);

/// A mapping as the handler sees it.
#[derive(Debug)]
struct Slot {
    taken: AtomicBool,
    /// Odd while the mapping exists; grows by one with each `mmap` and `munmap`.
    sequence: AtomicU32,
    start: AtomicUsize,
    size: AtomicUsize,
    writable: AtomicBool,
    lost: AtomicBool,
}

static SLOTS: [Slot; SLOT_COUNT] = [const {
    Slot {
        taken: AtomicBool::new(false),
        sequence: AtomicU32::new(0),
        start: AtomicUsize::new(0),
        size: AtomicUsize::new(0),
        writable: AtomicBool::new(false),
        lost: AtomicBool::new(false),
    }
}; SLOT_COUNT];

/// All slots ever taken are below this number.
static USED: AtomicUsize = AtomicUsize::new(0);

/// A mapped address range; `writable` is its protection.
#[derive(Clone, Copy)]
struct Range {
    start: usize,
    size: usize,
    writable: bool,
}

impl Range {
    /// The part that is replaced where an access to `address`, which it holds, fails.
    fn around(self, address: usize) -> Range {
        if !self.writable {
            return self;
        }
        let before = address.wrapping_sub(self.start) / REPLACED_AT_ONCE * REPLACED_AT_ONCE;
        let size = self.size.saturating_sub(before).min(REPLACED_AT_ONCE);
        Range { start: self.start.wrapping_add(before), size, ..self }
    }
}

impl Slot {
    /// The mapped range; `None` without a mapping or while it changes.
    fn range(&self) -> Option<Range> {
        let sequence = self.sequence.load(Ordering::Acquire);
        let range = Range {
            start: self.start.load(Ordering::Acquire),
            size: self.size.load(Ordering::Acquire),
            writable: self.writable.load(Ordering::Acquire),
        };
        (sequence % 2 == 1 && self.sequence.load(Ordering::Acquire) == sequence).then_some(range)
    }

    /// Marks the mapping lost, then puts zeros into `replaced`.
    ///
    /// # Safety
    ///
    /// The range is this slot's mapping, or a part of it that begins on a page, until the call returns.
    unsafe fn lose(&self, replaced: Range) -> bool {
        if !self.lost.swap(true, Ordering::SeqCst) {
            LOST.fetch_add(1, Ordering::SeqCst);
        }
        let (protection, sharing) = match replaced.writable {
            true => (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED),
            false => (ProtFlags::READ, MapFlags::PRIVATE),
        };
        let flags = sharing | MapFlags::FIXED | MapFlags::NORESERVE;
        // SAFETY: by the caller's promise the range is a mapping of this module. Its memory is read through atomics or
        // bounds-checked, and any bytes are valid there.
        unsafe { mmap_anonymous(replaced.start as *mut c_void, replaced.size, protection, flags) }.is_ok()
    }
}

/// Lets an access to `address` go on, if it is to a mapping of this module. Fails if there is no memory even for the table of its pages.
fn survive(address: usize) -> bool {
    let found = SLOTS.iter().take(USED.load(Ordering::Acquire)).find_map(|slot| {
        let range = slot.range().filter(|range| address.wrapping_sub(range.start) < range.size)?;
        Some((slot, range))
    });
    let Some((slot, range)) = found else { return false };
    // SAFETY: the range holds the address being accessed, so it is mapped for the accessing thread, and stays so. It begins on a page, and so
    // does the part.
    unsafe { slot.lose(range.around(address)) }
}

/// The action for SIGBUS before this handler.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

extern "C" fn on_bus_error(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel hands a valid description to a handler that asked for one.
    let reported = unsafe { &*info };
    // SAFETY: the kernel's report of a bus error has an address; for a signal that was sent, the address is not used.
    let address = unsafe { reported.si_addr() } as usize;
    let code = reported.si_code;
    if code == libc::BUS_ADRERR && survive(address) {
        return;
    }
    chain(signal, code, info, context);
}

/// Passes the signal on to the action before this handler.
fn chain(signal: c_int, code: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let sent = code <= 0;
    let Some(previous) = PREVIOUS.get() else { return to_default(signal, true) };
    match previous.sa_sigaction {
        libc::SIG_IGN if sent => return,
        libc::SIG_DFL | libc::SIG_IGN => return to_default(signal, sent),
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: `SA_SIGINFO` was set at its registration, so it is such a function.
            let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
                unsafe { std::mem::transmute(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: without `SA_SIGINFO` it is a function of the older kind.
            let handler: extern "C" fn(c_int) = unsafe { std::mem::transmute(handler) };
            handler(signal);
        }
    }
    // Rust's own handler, and many others, restore the default action; some send the signal once more.
    if sent && current_action().is_some_and(|action| action.sa_sigaction == libc::SIG_DFL) {
        come_back();
    }
}

/// Ends the process as without a handler: the access faults again, and a signal that was sent is sent again. The first process of a PID
/// namespace survives a signal that is sent, and keeps the handler.
fn to_default(signal: c_int, sent: bool) {
    // SAFETY: all zeros are a valid `sigaction`: the default, with an empty mask.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the action is valid, and the old one is not asked for.
    unsafe { libc::sigaction(signal, &raw const default, null_mut()) };
    if sent {
        // SAFETY: sends a signal to this thread, which blocks it while the handler runs.
        unsafe { libc::raise(signal) };
        come_back();
    }
}

/// Reinstalls the handler after the default action: a pending signal ends the process here, or never.
fn come_back() {
    unblock_bus_errors();
    set_action();
}

fn current_action() -> Option<libc::sigaction> {
    // SAFETY: all zeros are a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: asks only; the kernel writes to a place that is as large as it expects.
    (unsafe { libc::sigaction(libc::SIGBUS, null(), &raw mut action) } == 0).then_some(action)
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Some(previous) = current_action() else { return };
        let _ = PREVIOUS.set(previous);
        set_action();
    });
}

/// Installs the handler for SIGBUS.
fn set_action() {
    // SAFETY: all zeros are a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_bus_error as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: the mask is this action's own.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    // SAFETY: the handler calls nothing that a signal handler may not call.
    unsafe { libc::sigaction(libc::SIGBUS, &raw const action, null_mut()) };
}

fn no_signals() -> libc::sigset_t {
    // SAFETY: all zeros are a valid set.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is this function's own.
    unsafe { libc::sigemptyset(&raw mut set) };
    set
}

/// Unblocks SIGBUS in this thread. A file that is cut short under a mapping ends a process whose thread blocks it, so a thread calls
/// this once before it reads one, and again after code that may have changed its mask. One system call.
pub fn unblock_bus_errors() {
    let mut set = no_signals();
    // SAFETY: the set is this function's own, and the signal exists.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGBUS) };
    // SAFETY: changes this thread's mask by that set, and asks for no old one.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, null_mut()) };
}

/// True if this thread blocks SIGBUS.
fn blocks_bus_errors() -> bool {
    let mut mask = no_signals();
    // SAFETY: asks only; the mask has a place.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, null(), &raw mut mask) };
    // SAFETY: the set is this function's own, and the signal exists.
    unsafe { libc::sigismember(&raw const mask, libc::SIGBUS) == 1 }
}

/// The owner of SIGBUS in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusHandler {
    /// No file was mapped shared yet, so no handler is needed.
    Unused,
    /// The engine's handler: a file that is cut short ends no process.
    InPlace,
    /// Another handler was installed later: a file that is cut short ends the process, unless that handler passes the signal on.
    Replaced,
    /// The calling thread blocks the signal: a file that is cut short while this thread reads it ends the process.
    Blocked,
}

impl BusHandler {
    /// `unused`, `in_place`, `replaced` or `blocked`.
    pub fn as_str(self) -> &'static str {
        match self {
            BusHandler::Unused => "unused",
            BusHandler::InPlace => "in_place",
            BusHandler::Replaced => "replaced",
            BusHandler::Blocked => "blocked",
        }
    }
}

/// The present owner of SIGBUS, and whether the signal reaches the calling thread. Two system calls.
pub fn bus_handler() -> BusHandler {
    if PREVIOUS.get().is_none() {
        return BusHandler::Unused;
    }
    match current_action() {
        Some(action) if action.sa_sigaction == on_bus_error as *const () as usize => {
            if blocks_bus_errors() {
                BusHandler::Blocked
            } else {
                BusHandler::InPlace
            }
        }
        _ => BusHandler::Replaced,
    }
}

/// Number of mapped files that this process lost: cut short, overwritten, or on a disk that failed.
pub fn lost_mappings() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// A shared mapping of a file, at a constant address.
#[derive(Debug)]
pub(crate) struct Mapped {
    start: NonNull<u8>,
    size: usize,
    slot: &'static Slot,
}

// SAFETY: the mapping belongs to the process, not to a thread.
unsafe impl Send for Mapped {}
// SAFETY: as above; memory is read through atomics, or bounds-checked, and never written through a reference.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// Maps the first `size` bytes of `file`, and installs the handler for the first mapping. Unblocks SIGBUS in the calling thread.
    pub(crate) fn new(file: &File, size: usize, writable: bool) -> io::Result<Mapped> {
        install();
        unblock_bus_errors();
        let Some(slot) = take_slot() else {
            return Err(io::Error::other(format!("this process has mapped {SLOT_COUNT} files already")));
        };
        let protection = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: with no address asked for, a new mapping replaces no other.
        let mapped = unsafe { mmap(null_mut(), size, protection, MapFlags::SHARED, file, 0) };
        let start = mapped.map_err(io::Error::from).and_then(|start| {
            NonNull::new(start.cast::<u8>()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
        });
        let start = match start {
            Ok(start) => start,
            Err(error) => {
                slot.taken.store(false, Ordering::Release);
                return Err(error);
            }
        };
        slot.lost.store(false, Ordering::Release);
        slot.writable.store(writable, Ordering::Release);
        slot.start.store(start.as_ptr() as usize, Ordering::Release);
        slot.size.store(size, Ordering::Release);
        slot.sequence.fetch_add(1, Ordering::SeqCst);
        Ok(Mapped { start, size, slot })
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// True if the mapping no longer shows the file. Ask after reading: bytes read before a `false` are the file's.
    #[inline]
    pub(crate) fn lost(&self) -> bool {
        fence(Ordering::Acquire);
        self.slot.lost.load(Ordering::Relaxed)
    }

    /// Loses the mapping as a fault would: the file's bytes are not those that were checked.
    pub(crate) fn give_up(&self) {
        if let Some(range) = self.slot.range().filter(|_| !self.lost()) {
            // SAFETY: the range is this value's own, and it lives.
            unsafe { self.slot.lose(range) };
        }
    }
}

fn take_slot() -> Option<&'static Slot> {
    let free =
        |slot: &Slot| slot.taken.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).is_ok();
    let (number, slot) = SLOTS.iter().enumerate().find(|(_, slot)| free(slot))?;
    USED.fetch_max(number + 1, Ordering::AcqRel);
    Some(slot)
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // First, since the addresses may be mapped again by others and are then not the handler's.
        self.slot.sequence.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the range is this value's own mapping, and no borrow of it outlives it.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.size) };
        self.slot.taken.store(false, Ordering::Release);
    }
}
