//! Signals that a process waits for.

use std::io::{self, Error};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Arc, Once};

/// Sets `flag` whenever the signal comes, and unblocks it in this thread and those that it starts: the parent process may have blocked it,
/// and a mask is inherited.
pub fn listen(signal: libc::c_int, flag: &Arc<AtomicBool>) -> io::Result<()> {
    signal_hook::flag::register(signal, Arc::clone(flag))?;
    mask(libc::SIG_UNBLOCK, signal)
}

/// Has an interrupt (Ctrl-C) or SIGTERM write `last` as the last line before it ends the process. Later calls replace the line. A signal
/// that the parent process had ignored stays so.
pub fn ending_with(last: &'static &'static str) {
    static LAST: AtomicPtr<&'static str> = AtomicPtr::new(std::ptr::null_mut());
    static REGISTERED: Once = Once::new();
    LAST.store(std::ptr::from_ref(last).cast_mut(), Ordering::SeqCst);
    REGISTERED.call_once(|| {
        for signal in [libc::SIGINT, libc::SIGTERM].into_iter().filter(|signal| !is_ignored(*signal)) {
            let ended = move || {
                // SAFETY: the pointer is one that was stored above: to a static text.
                let last = unsafe { *LAST.load(Ordering::SeqCst) };
                // SAFETY: the pointer and the length are those of one static text.
                unsafe { libc::write(libc::STDERR_FILENO, last.as_ptr().cast(), last.len()) };
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            };
            // Without a handler, the signal ends the process all the same.
            // SAFETY: the handler does an atomic load, write(2) and signal-hook's own action; all are safe in a handler.
            let _ = unsafe { signal_hook::low_level::register(signal, ended) };
        }
    });
}

fn is_ignored(signal: libc::c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: no new action is given, and the pointer is to room for the present one.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: zeros are a valid action, too.
    asked == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Keeps a terminal that goes away from ending this thread's process, as it would half-way through a change.
pub fn outlive_terminal() {
    let _ = mask(libc::SIG_BLOCK, libc::SIGHUP);
}

/// Lets a process in the background write to a terminal that stops such writers (`stty tostop`): a stopped process would change nothing.
/// Its children have an empty mask again.
pub fn write_from_the_background() -> io::Result<()> {
    mask(libc::SIG_BLOCK, libc::SIGTTOU)
}

/// Has the status of children wait for this process: the parent process may have ignored SIGCHLD, and children of such a process leave none.
pub fn keep_children() {
    // SAFETY: the default action runs no code of this process.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

fn mask(how: libc::c_int, signal: libc::c_int) -> io::Result<()> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the pointer is to room for a set, which the call initializes.
    succeeded(unsafe { libc::sigemptyset(set.as_mut_ptr()) })?;
    // SAFETY: the set was filled above.
    succeeded(unsafe { libc::sigaddset(set.as_mut_ptr(), signal) })?;
    // SAFETY: the set was filled above, and the former mask may be left out.
    match unsafe { libc::pthread_sigmask(how, set.as_ptr(), std::ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(Error::from_raw_os_error(error)),
    }
}

fn succeeded(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}
