//! Signals that a process waits for.

use std::io::{self, Error};
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Sets `flag` whenever the signal comes, and unblocks it in this thread and those that it starts: the parent process may have blocked it,
/// and a mask is inherited.
pub fn listen(signal: libc::c_int, flag: &Arc<AtomicBool>) -> io::Result<()> {
    signal_hook::flag::register(signal, Arc::clone(flag))?;
    mask(libc::SIG_UNBLOCK, signal)
}

/// Has an interrupt (Ctrl-C) write `last` as the last line and end the process, until the returned value is dropped.
pub fn ending_with(last: &'static str) -> io::Result<impl Drop> {
    static ASKING: AtomicBool = AtomicBool::new(false);
    struct Asking;
    impl Drop for Asking {
        fn drop(&mut self) {
            ASKING.store(false, Ordering::SeqCst);
        }
    }
    let interrupted = move || {
        if ASKING.load(Ordering::SeqCst) {
            // SAFETY: the pointer and the length are those of one static text.
            unsafe { libc::write(libc::STDERR_FILENO, last.as_ptr().cast(), last.len()) };
        }
        let _ = signal_hook::low_level::emulate_default_handler(libc::SIGINT);
    };
    // SAFETY: the handler does an atomic load, write(2) and signal-hook's own action; all are safe in a handler.
    unsafe { signal_hook::low_level::register(libc::SIGINT, interrupted) }?;
    ASKING.store(true, Ordering::SeqCst);
    Ok(Asking)
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
