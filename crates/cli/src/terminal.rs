//! A terminal that a program draws on as a whole, and that is restored on exit: by a key, by a signal, by a panic.

use crate::output::Output;
use crate::signals;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGWINCH};
use std::io::{self, IsTerminal, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Switches to another screen without a cursor, and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// The end of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminalEvent {
    /// The time is over, or the terminal has another size: draw again.
    Draw,
    /// `q`, Escape, Ctrl-C, Ctrl-D, a signal, or a terminal that is gone.
    End,
}

/// The terminal while it is drawn on.
pub struct Terminal {
    /// The former state of standard input; none if it is no terminal, and only signals end the program.
    before: Option<Termios>,
    ended: Arc<AtomicBool>,
    resized: Arc<AtomicBool>,
}

impl Terminal {
    /// Takes the terminal of standard output, which must be one.
    pub fn enter() -> io::Result<Terminal> {
        let terminal = Terminal { before: quiet()?, ended: Arc::default(), resized: Arc::default() };
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signals::listen(signal, &terminal.ended)?;
        }
        signals::listen(SIGWINCH, &terminal.resized)?;
        io::stdout().write_all(ENTER.as_bytes())?;
        io::stdout().flush()?;
        Ok(terminal)
    }

    /// Rows and columns; 24 and 80 if the size is unknown.
    pub fn size() -> (usize, usize) {
        match rustix::termios::tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row.into(), size.ws_col.into()),
            _ => (24, 80),
        }
    }

    /// Draws the lines from the top, each over the former one. They must fit.
    pub fn draw(lines: &[String], output: &mut Output) {
        let mut frame = String::from("\x1b[H");
        for (number, line) in lines.iter().enumerate() {
            let end = if number + 1 < lines.len() { "\r\n" } else { "" };
            frame.push_str(&format!("{line}\x1b[K{end}"));
        }
        frame.push_str("\x1b[J");
        output.bytes(frame.as_bytes());
        output.flush();
    }

    /// Waits for that long, or until an event.
    pub fn wait(&self, pause: Duration) -> TerminalEvent {
        let until = Instant::now() + pause;
        loop {
            if self.ended.load(Ordering::Relaxed) {
                return TerminalEvent::End;
            }
            let left = until.saturating_duration_since(Instant::now());
            if self.resized.swap(false, Ordering::Relaxed) || left.is_zero() {
                return TerminalEvent::Draw;
            }
            // A signal between the looks above and this wait is seen after a tenth of a second.
            let left = left.min(Duration::from_millis(100));
            if self.before.is_none() {
                std::thread::sleep(left);
            } else if pressed(left) {
                return TerminalEvent::End;
            }
        }
    }
}

/// True if a key that ends the program was pressed, or standard input is gone.
fn pressed(pause: Duration) -> bool {
    let stdin = io::stdin();
    let mut watched = [PollFd::new(&stdin, PollFlags::IN)];
    let pause = Timespec { tv_sec: 0, tv_nsec: pause.subsec_nanos().into() };
    if !matches!(poll(&mut watched, Some(&pause)), Ok(1..)) {
        return false;
    }
    let mut keys = [0; 64];
    match stdin.lock().read(&mut keys) {
        Ok(0) => true,
        // Escape alone ends; arrow keys begin with it and have more bytes.
        Ok(1) => matches!(keys[0], b'q' | b'Q' | 0x1b | 0x03 | 0x04),
        Ok(count) => keys[..count].contains(&b'q'),
        Err(error) => error.kind() != io::ErrorKind::Interrupted,
    }
}

/// Has standard input give each key at once and show none. Returns its former state.
fn quiet() -> io::Result<Option<Termios>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let before = tcgetattr(io::stdin())?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    // Ctrl-Z would leave the other screen on.
    quiet.special_codes[SpecialCodeIndex::VSUSP] = 0;
    tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
    Ok(Some(before))
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = io::stdout().write_all(LEAVE.as_bytes());
        let _ = io::stdout().flush();
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, before);
        }
    }
}
