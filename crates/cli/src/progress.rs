//! A line on standard error during long work, if that is a terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Shows the present work, and its time so far, until it is dropped. Work that ends soon shows nothing.
pub struct Progress(Option<(Sender<()>, JoinHandle<()>)>);

/// The time before anything is shown.
const DELAY: Duration = Duration::from_millis(300);

impl Progress {
    /// Begins. `what` reads as "checking flags.json".
    pub fn begin(what: String) -> Progress {
        if !io::stderr().is_terminal() {
            return Progress(None);
        }
        let (stop, stopped) = mpsc::channel();
        let show = move || {
            let begun = Instant::now();
            let mut shown = false;
            while stopped.recv_timeout(if shown { DELAY / 3 } else { DELAY })
                == Err(RecvTimeoutError::Timeout)
            {
                shown = true;
                let _ = write!(io::stderr(), "\r\x1b[K{what} … {:.1} s", begun.elapsed().as_secs_f32());
            }
            if shown {
                let _ = write!(io::stderr(), "\r\x1b[K");
            }
        };
        Progress(std::thread::Builder::new().spawn(show).ok().map(|thread| (stop, thread)))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}
