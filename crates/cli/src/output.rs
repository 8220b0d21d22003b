//! What is printed: text for people, or JSON with `--json`; and the exit code.

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stdout, Write};
use std::process::ExitCode;

/// Emphasis.
pub const BOLD: Style = Style::new().bold();
/// What is on, or well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What is off by force, or broken.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What wants attention.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// What matters less.
pub const DIM: Style = Style::new().dimmed();

/// What a word that ran answers by its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: yes, or done.
    Yes,
    /// 1: no.
    No,
}

/// Why a word did not do what it was asked for: what is wrong, where, and what to do about it.
#[derive(Debug)]
pub enum Failure {
    /// Exit code 1: understood, and refused.
    Refused(String),
    /// Exit code 2: could not tell.
    Unknown(String),
}

/// What a word that ran returns.
pub type Outcome = Result<Exit, Failure>;

/// A cell of a table.
pub struct Cell {
    pub text: String,
    pub style: Style,
}

impl Cell {
    /// Without emphasis.
    pub fn of(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), style: Style::new() }
    }

    /// That wants attention.
    pub fn warn(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), style: WARN }
    }
}

/// Where a word prints. Errors of writing are kept until the end, so that a change is never left half done because
/// nobody reads on.
pub struct Output {
    json: bool,
    colour: bool,
    terminal: bool,
    stdout: BufWriter<Stdout>,
    error: Option<io::Error>,
}

impl Output {
    /// On standard output, as JSON or text; in colour where that is a terminal and `NO_COLOR` does not forbid it.
    pub fn new(json: bool) -> Output {
        let stdout = io::stdout();
        Output {
            json,
            colour: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
            terminal: stdout.is_terminal(),
            stdout: BufWriter::with_capacity(64 * 1024, stdout),
            error: None,
        }
    }

    /// A line of text; nothing with `--json`.
    pub fn line(&mut self, text: impl Display) {
        if !self.json {
            self.write(|out| writeln!(out, "{text}"));
        }
    }

    /// As [`line`](Self::line), and out at once: the first line of a change stands before the change is tried.
    pub fn line_now(&mut self, text: impl Display) {
        self.line(text);
        self.write(|out| out.flush());
    }

    /// The whole answer as JSON; nothing without `--json`.
    pub fn json(&mut self, value: &impl Serialize) {
        if self.json {
            self.json_always(value);
        }
    }

    /// One JSON document and a newline, whether or not `--json` was given.
    pub fn json_always(&mut self, value: &impl Serialize) {
        let pretty = self.terminal;
        self.write(|out| {
            match pretty {
                true => serde_json::to_writer_pretty(&mut *out, value)?,
                false => serde_json::to_writer(&mut *out, value)?,
            }
            out.write_all(b"\n")
        });
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.write(|out| out.write_all(bytes));
    }

    /// A warning, on standard error.
    pub fn warn(&mut self, text: impl Display) {
        // Nothing can be told if standard error is closed.
        let _ = writeln!(anstream::stderr(), "{WARN}warning:{WARN:#} {text}");
    }

    /// The text in that style, where there are colours.
    pub fn paint(&self, style: Style, text: impl Display) -> String {
        match self.colour {
            true => format!("{style}{text}{style:#}"),
            false => text.to_string(),
        }
    }

    /// Rows in aligned columns. On a terminal too narrow for all, columns are left out from the right, but never the
    /// first two; so are those in which nothing stands.
    pub fn table(&mut self, header: &[&str], rows: &[Vec<Cell>]) {
        if self.json {
            return;
        }
        let wide = |text: &str| text.chars().count();
        let mut columns = Vec::new();
        let mut left = self.width().unwrap_or(usize::MAX);
        for (number, title) in header.iter().enumerate() {
            let widest =
                rows.iter().filter_map(|row| row.get(number)).map(|cell| wide(&cell.text)).max().unwrap_or(0);
            let width = widest.max(wide(title));
            if number >= 2 && (widest == 0 || width > left) {
                continue;
            }
            left = left.saturating_sub(width + 2);
            columns.push((number, width));
        }
        let titles: Vec<Cell> =
            header.iter().map(|title| Cell { text: (*title).to_owned(), style: DIM }).collect();
        for row in std::iter::once(&titles).chain(rows) {
            let mut line = String::new();
            let mut gap = 0;
            for (number, width) in &columns {
                let Some(cell) = row.get(*number).filter(|cell| !cell.text.is_empty()) else {
                    gap += width + 2;
                    continue;
                };
                line.extend(std::iter::repeat_n(' ', gap));
                line.push_str(&self.paint(cell.style, &cell.text));
                gap = width.saturating_sub(wide(&cell.text)) + 2;
            }
            self.line(line);
        }
    }

    /// How many columns a line may take; none where nobody counts them.
    pub fn width(&self) -> Option<usize> {
        if !self.terminal {
            return None;
        }
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        (size.ws_col > 0).then_some(usize::from(size.ws_col))
    }

    /// Prints what went wrong, and gives the process's exit code.
    pub fn finish(mut self, outcome: Outcome) -> ExitCode {
        let failure = match &outcome {
            Ok(_) => None,
            Err(Failure::Refused(message) | Failure::Unknown(message)) => Some(message.clone()),
        };
        if let Some(message) = failure {
            self.json(&serde_json::json!({ "error": message }));
            let _ = self.stdout.flush();
            let _ = writeln!(anstream::stderr(), "{BAD}flagstone:{BAD:#} {message}");
        }
        self.write(|out| out.flush());
        let code = match outcome {
            Ok(Exit::Yes) => 0,
            Ok(Exit::No) | Err(Failure::Refused(_)) => 1,
            Err(Failure::Unknown(_)) => 2,
        };
        match self.error {
            // A reader who has seen enough.
            Some(error) if error.kind() != ErrorKind::BrokenPipe => {
                let _ = writeln!(anstream::stderr(), "{BAD}flagstone:{BAD:#} standard output: {error}");
                ExitCode::from(2)
            }
            _ => ExitCode::from(code),
        }
    }

    fn write(&mut self, write: impl FnOnce(&mut BufWriter<Stdout>) -> io::Result<()>) {
        if self.error.is_none() {
            self.error = write(&mut self.stdout).err();
        }
    }
}
