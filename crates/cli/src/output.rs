//! The output of a command: text for people, or JSON with `--json`; and the exit code.

use crate::display;
use crate::log::{Level, Log};
use anstyle::{AnsiColor, Style};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;
use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stdout, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

/// Emphasizes a text.
pub const BOLD: Style = Style::new().bold();
/// Marks states that are on, or well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Marks states that are off by force, or broken.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Marks states that need attention.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// Marks details.
pub const DIM: Style = Style::new().dimmed();

/// Those whom a switch does not reach, after `off`.
pub const EXCEPT: &str = "except in workers that do not read this store (see the warning)";

/// Bytes that a daemon keeps while its output is not read: the buffer holds as many again.
const MAX_UNREAD: usize = 32 * 1024;

/// The exit code of a command that ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: yes, or done.
    Yes,
    /// 1: no.
    No,
    /// 2: could not tell; the answer says why.
    Unknown,
    /// 3: done here, but not on every machine.
    Elsewhere,
}

/// The failure of a command: the problem, its place, and the way out.
#[derive(Debug)]
pub enum Failure {
    /// Exit code 1: understood, and refused.
    Refused(String),
    /// Exit code 2: could not tell.
    Unknown(String),
    /// Exit code 2: something was changed all the same, as the text says.
    Partial(String),
    /// Exit code 75, `EX_TEMPFAIL` of sysexits(3): a daemon could not start, and may the next time.
    Passing(String),
}

impl Failure {
    /// Adds one more line at the end.
    pub fn ending(mut self, line: &str) -> Failure {
        let (Failure::Refused(text)
        | Failure::Unknown(text)
        | Failure::Partial(text)
        | Failure::Passing(text)) = &mut self;
        text.push_str(&format!("\n{line}"));
        self
    }

    pub fn text(&self) -> &str {
        let (Failure::Refused(text)
        | Failure::Unknown(text)
        | Failure::Partial(text)
        | Failure::Passing(text)) = self;
        text
    }
}

/// The result of a command.
pub type Outcome = Result<Exit, Failure>;

pub struct Cell {
    pub text: String,
    pub style: Style,
}

impl Cell {
    /// A cell without emphasis.
    pub fn of(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), style: Style::new() }
    }

    /// A cell that needs attention.
    pub fn warn(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), style: WARN }
    }
}

/// The output of a command. Errors of writing are kept until the end, so that no change is left half done because its reader went away.
pub struct Output {
    json: bool,
    colour: bool,
    terminal: bool,
    /// True for a terminal whose locale lacks the signs of tables and bars.
    ascii: bool,
    stdout: BufWriter<Sink>,
    error: Option<io::Error>,
    /// True if output is dropped rather than waited for.
    lives_on: bool,
    /// The number of dropped lines.
    dropped: u64,
    /// The log that lines and warnings go to, instead of standard output and standard error.
    log: Option<Log>,
    /// Members of a failure's document beside the sentence.
    details: serde_json::Map<String, serde_json::Value>,
    /// The beginning of a line to be typed that reaches the store of `--store`, if that is not the default.
    program: Option<String>,
    /// The warnings, where they belong into the answer; none where standard error takes them.
    warnings: Option<Vec<String>>,
    /// True if bytes were printed as they are.
    verbatim: bool,
}

/// The place where output goes.
enum Sink {
    Stdout(Stdout),
    Memory(Vec<u8>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Stdout(stdout) => stdout.write(bytes),
            Sink::Memory(memory) => memory.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Stdout(stdout) => stdout.flush(),
            Sink::Memory(_) => Ok(()),
        }
    }
}

/// The answer of a command that ran for a request.
pub struct Collected {
    /// The JSON document; a failure's has `error`.
    pub document: serde_json::Value,
    /// What was printed in place of a document, byte for byte: an export, whose signature is over its bytes.
    pub verbatim: Option<Vec<u8>>,
    /// The exit code that the command would have.
    pub code: u8,
    /// True if it is the document of a failure.
    pub is_failure: bool,
}

impl Output {
    /// Output to standard output, as JSON or text; in color if that is a terminal and `NO_COLOR` does not forbid it.
    pub fn new(json: bool) -> Output {
        let stdout = io::stdout();
        Output {
            json,
            colour: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
            terminal: stdout.is_terminal(),
            ascii: stdout.is_terminal() && is_foreign_locale(),
            stdout: BufWriter::with_capacity(64 * 1024, Sink::Stdout(stdout)),
            error: None,
            lives_on: false,
            dropped: 0,
            log: None,
            details: serde_json::Map::new(),
            program: None,
            warnings: None,
            verbatim: false,
        }
    }

    /// Output that is kept as the answer to a request, as JSON or text. Nobody is there to be asked.
    pub fn collecting(json: bool) -> Output {
        Output {
            json,
            colour: false,
            terminal: false,
            ascii: false,
            stdout: BufWriter::new(Sink::Memory(Vec::new())),
            error: None,
            lives_on: false,
            dropped: 0,
            log: None,
            details: serde_json::Map::new(),
            program: None,
            warnings: Some(Vec::new()),
            verbatim: false,
        }
    }

    /// The answer that was collected. Warnings are its member `warnings`, lines of text its member `text`.
    pub fn collected(self, outcome: Outcome) -> Collected {
        let (code, is_failure) = (code(&outcome), outcome.is_err());
        let written = match self.stdout.into_inner() {
            Ok(Sink::Memory(bytes)) => bytes,
            _ => Vec::new(),
        };
        let verbatim = self.verbatim && !is_failure;
        let mut document: serde_json::Value = match outcome {
            Ok(_) if verbatim => serde_json::Value::Null,
            Ok(_) if self.json => serde_json::from_slice(&written).unwrap_or_default(),
            Ok(_) => serde_json::json!({}),
            Err(failure) => {
                let mut document = self.details;
                document.insert("error".to_owned(), failure.text().into());
                document.into()
            }
        };
        if let Some(members) = document.as_object_mut().filter(|_| !self.json) {
            members.insert("text".to_owned(), String::from_utf8_lossy(&written).into());
        }
        if let (Some(warnings), Some(members)) =
            (self.warnings.filter(|warnings| !warnings.is_empty()), document.as_object_mut())
        {
            members.insert("warnings".to_owned(), warnings.into());
        }
        Collected { document, verbatim: verbatim.then_some(written), code, is_failure }
    }

    /// Has each line to be typed name this store, as it would reach another one without.
    pub fn name_store(&mut self, store: Option<&Path>) {
        self.program =
            store.map(|store| format!("flagstone --store {}", display::argument(&store.to_string_lossy())));
    }

    /// Output of a process that runs for days: a reader that stops (a stopped terminal, a log that hangs) does not stop the process.
    pub fn of_daemon(&self) -> Output {
        let colour = self.colour && self.log.is_none();
        Output {
            lives_on: true,
            colour,
            log: self.log,
            program: self.program.clone(),
            ..Output::new(self.json)
        }
    }

    /// As [`of_daemon`](Self::of_daemon), with lines and warnings in a log.
    pub fn logging(&self, log: Log) -> Output {
        Output { log: Some(log), colour: false, ..self.of_daemon() }
    }

    /// True if lines and warnings go to a log, which gives their times.
    pub fn is_log(&self) -> bool {
        self.log.is_some()
    }

    /// Prints a line of text; nothing with `--json`.
    pub fn line(&mut self, text: impl Display) {
        if let Some(log) = self.log {
            self.write_log(log, Level::Info, &text.to_string());
        } else if !self.json {
            let text = match self.ascii {
                true => in_ascii(&text.to_string()),
                false => text.to_string(),
            };
            let text = self.typable(&text).into_owned();
            self.write(|out| writeln!(out, "{}", display::visible(&text)));
        }
    }

    /// The text with the store in its lines to be typed.
    fn typable<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.program {
            Some(program) => display::with_program(text, program).into(),
            None => text.into(),
        }
    }

    /// Prints and flushes a [`line`](Self::line): the first line of a change stands before the change is tried.
    pub fn line_now(&mut self, text: impl Display) {
        self.line(text);
        self.flush();
    }

    /// Flushes what was printed; a daemon whose reader hangs does it later, so that no change waits for its reader.
    pub fn flush(&mut self) {
        if matches!(self.stdout.get_ref(), Sink::Stdout(_)) && !has_room(io::stdout()) {
            return;
        }
        if self.log.is_none()
            && let dropped @ 1.. = std::mem::take(&mut self.dropped)
        {
            self.line(not_printed(dropped));
        }
        self.write(|out| out.flush());
    }

    /// True if colors are used.
    pub fn is_coloured(&self) -> bool {
        self.colour
    }

    /// True if JSON is wanted, for a program to read.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints the whole answer as JSON; nothing without `--json`.
    pub fn json(&mut self, value: &impl Serialize) {
        if self.json {
            self.json_always(value);
        }
    }

    /// Prints one JSON document and a newline, with or without `--json`.
    pub fn json_always(&mut self, value: &impl Serialize) {
        self.document(value, self.terminal);
    }

    /// Prints one JSON document for people, with or without `--json`. JSON is no [`line`](Self::line), whose escapes it does not know.
    pub fn json_pretty(&mut self, value: &impl Serialize) {
        self.document(value, true);
    }

    fn document(&mut self, value: &impl Serialize, pretty: bool) {
        self.write(|out| {
            let text = match pretty {
                true => serde_json::to_string_pretty(value)?,
                false => serde_json::to_string(value)?,
            };
            writeln!(out, "{}", display::visible_json(&text))
        });
    }

    /// Adds a member to the document that a failure prints, beside its sentence.
    pub fn detail(&mut self, name: &str, value: impl Serialize) {
        self.details.insert(name.to_owned(), serde_json::to_value(value).unwrap_or_default());
    }

    /// Prints bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.verbatim = true;
        self.write(|out| out.write_all(bytes));
    }

    /// Prints a warning to standard error.
    pub fn warn(&mut self, text: impl Display) {
        if let Some(warnings) = &mut self.warnings {
            warnings.push(display::visible(&text.to_string()).into_owned());
            return;
        }
        if let Some(log) = self.log {
            return self.write_log(log, Level::Warning, &text.to_string());
        }
        if self.lives_on && !has_room(io::stderr()) {
            self.dropped += 1;
            return;
        }
        // A closed standard error leaves no way to tell.
        let text = text.to_string();
        let text = self.typable(&text);
        let _ = writeln!(anstream::stderr(), "{WARN}warning:{WARN:#} {}", display::visible(&text));
    }

    /// Writes a line to the log, unless nobody reads on.
    fn write_log(&mut self, log: Log, level: Level, text: &str) {
        if !has_room(io::stderr()) {
            self.dropped += 1;
            return;
        }
        let now = flagstone::time::now();
        let mut lines = String::new();
        if let dropped @ 1.. = std::mem::take(&mut self.dropped) {
            lines = log.line(now, Level::Warning, &not_printed(dropped));
        }
        lines.push_str(&log.line(now, level, &self.typable(text)));
        // At once, as threads write to it. A closed standard error leaves no way to tell.
        let _ = io::stderr().write_all(lines.as_bytes());
    }

    /// Puts the text in that style if colors are used.
    pub fn paint(&self, style: Style, text: impl Display) -> String {
        match self.colour {
            true => format!("{style}{text}{style:#}"),
            false => text.to_string(),
        }
    }

    /// Prints rows in aligned columns, as wide as the terminal allows.
    pub fn table(&mut self, header: &[&str], rows: &[Vec<Cell>]) {
        if self.json {
            return;
        }
        let columns = columns(header, rows, self.width());
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
                let text = cut(&cell.text, *width);
                line.extend(std::iter::repeat_n(' ', gap));
                line.push_str(&self.paint(cell.style, &text));
                gap = width.saturating_sub(text.chars().count()) + 2;
            }
            self.line(line);
        }
        if let Some(hidden) = hidden(header, rows, &columns) {
            self.line(self.paint(DIM, hidden));
        }
    }

    /// The terminal's width in columns; none if the output is no terminal or the width is unknown.
    pub fn width(&self) -> Option<usize> {
        if !self.terminal {
            return None;
        }
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        (size.ws_col > 0).then_some(usize::from(size.ws_col))
    }

    /// Prints the failure, if any, and returns the process's exit code.
    pub fn finish(mut self, outcome: Outcome) -> ExitCode {
        let failure = outcome.as_ref().err().map(|failure| self.typable(failure.text()).into_owned());
        let is_read = !self.lives_on || (has_room(io::stdout()) && has_room(io::stderr()));
        if let Some(message) = failure.filter(|_| is_read) {
            let mut document = std::mem::take(&mut self.details);
            document.insert("error".to_owned(), message.clone().into());
            self.json(&document);
            let _ = self.stdout.flush();
            let _ = writeln!(anstream::stderr(), "{BAD}flagstone:{BAD:#} {}", display::visible(&message));
        }
        let code = code(&outcome);
        if !is_read {
            // Takes the buffer out: dropping it would write it.
            let _ = self.stdout.into_parts();
            return ExitCode::from(code);
        }
        self.write(|out| out.flush());
        match self.error {
            // A reader that has seen enough closes the pipe.
            Some(error) if error.kind() != ErrorKind::BrokenPipe => {
                // An error of output leaves no change half done.
                let done = if matches!(code, 0 | 3) { "; a change that was asked for is made" } else { "" };
                let _ = writeln!(anstream::stderr(), "{BAD}flagstone:{BAD:#} standard output: {error}{done}");
                ExitCode::from(2)
            }
            _ => ExitCode::from(code),
        }
    }

    fn write(&mut self, write: impl FnOnce(&mut BufWriter<Sink>) -> io::Result<()>) {
        if self.lives_on && self.stdout.buffer().len() > MAX_UNREAD {
            self.dropped += 1;
        } else if self.error.is_none() {
            self.error = write(&mut self.stdout).err();
        }
    }
}

/// The exit code of that outcome.
fn code(outcome: &Outcome) -> u8 {
    match outcome {
        Ok(Exit::Yes) => 0,
        Ok(Exit::No) | Err(Failure::Refused(_)) => 1,
        Ok(Exit::Unknown) | Err(Failure::Unknown(_) | Failure::Partial(_)) => 2,
        Ok(Exit::Elsewhere) => 3,
        Err(Failure::Passing(_)) => 75,
    }
}

fn not_printed(lines: u64) -> String {
    format!("{lines} lines were not printed, since nobody read on")
}

/// True if the stream takes more without waiting for its reader (poll(2)).
fn has_room(stream: impl AsFd) -> bool {
    let mut polled = [PollFd::new(&stream, PollFlags::OUT)];
    !matches!(poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(0))
}

/// True if the environment names a locale whose characters are not UTF-8.
fn is_foreign_locale() -> bool {
    let value = |name: &&str| std::env::var_os(name).filter(|value| !value.is_empty());
    let named = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(value);
    named
        .map(|name| name.to_string_lossy().to_lowercase())
        .is_some_and(|name| !name.contains("utf-8") && !name.contains("utf8"))
}

/// Replaces the command's own signs by ASCII. Text of definitions stays as it is.
fn in_ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '→' => ascii.push_str("->"),
            '…' => ascii.push_str("..."),
            '●' => ascii.push('*'),
            '○' => ascii.push('o'),
            '━' | '█' => ascii.push('='),
            '╌' => ascii.push('-'),
            '✓' => ascii.push('x'),
            '▶' => ascii.push('>'),
            '▁'..='▇' => ascii.push('|'),
            '·' => ascii.push('.'),
            sign => ascii.push(sign),
        }
    }
    ascii
}

/// Names the hidden columns that hold something; none if all are shown.
fn hidden(header: &[&str], rows: &[Vec<Cell>], shown: &[(usize, usize)]) -> Option<String> {
    let all = columns(header, rows, None);
    let missing: Vec<&str> = all
        .iter()
        .filter(|(number, _)| shown.iter().all(|(shown, _)| shown != number))
        .filter_map(|(number, _)| header.get(*number).copied())
        .collect();
    let count = match missing.len() {
        0 => return None,
        1 => "1 column".to_owned(),
        count => format!("{count} columns"),
    };
    Some(format!("{count} hidden ({}): widen the terminal, or pipe through cat", missing.join(", ")))
}

/// The columns shown, by number, and their widths. Empty ones are left out. If the width is too small for all, the first column that does
/// not fit is cut, or left out if too little of it would remain, and so are those after it; never the first two.
fn columns(header: &[&str], rows: &[Vec<Cell>], width: Option<usize>) -> Vec<(usize, usize)> {
    const LEAST: usize = 12;
    let mut columns = Vec::new();
    let mut left = width.unwrap_or(usize::MAX);
    for (number, title) in header.iter().enumerate() {
        let texts = rows.iter().filter_map(|row| row.get(number)).map(|cell| cell.text.chars().count());
        let widest = texts.max().unwrap_or(0);
        let mut width = widest.max(title.chars().count());
        if number >= 2 {
            if widest == 0 {
                continue;
            }
            if width > left && left < LEAST {
                break;
            }
            width = width.min(left);
        }
        left = left.saturating_sub(width + 2);
        columns.push((number, width));
    }
    columns
}

/// The text, cut with a mark if it is longer.
pub fn cut(text: &str, width: usize) -> Cow<'_, str> {
    match text.char_indices().nth(width) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(text.chars().take(width.saturating_sub(1)).chain(['…']).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(texts: [&str; 4]) -> Vec<Cell> {
        texts.into_iter().map(Cell::of).collect()
    }

    #[test]
    fn a_narrow_terminal_gets_the_first_columns_and_what_fits_of_the_next() {
        let rows = [row(["checkout", "10 %", "a reason of thirty characters.", "root@web-1"])];
        let header = ["FLAG", "STATE", "WHY", "WHO"];
        assert_eq!(columns(&header, &rows, None), [(0, 8), (1, 5), (2, 30), (3, 10)]);
        assert_eq!(columns(&header, &rows, Some(80)), [(0, 8), (1, 5), (2, 30), (3, 10)]);
        assert_eq!(columns(&header, &rows, Some(40)), [(0, 8), (1, 5), (2, 23)]);
        assert_eq!(columns(&header, &rows, Some(20)), [(0, 8), (1, 5)]);
        assert_eq!(columns(&header, &rows, Some(1)), [(0, 8), (1, 5)]);
    }

    #[test]
    fn columns_that_do_not_fit_are_named() {
        let rows = [row(["checkout", "10 %", "a reason of thirty characters.", "root@web-1"])];
        let header = ["FLAG", "STATE", "WHY", "WHO"];
        let said = |width| hidden(&header, &rows, &columns(&header, &rows, width));
        assert_eq!(said(Some(80)), None);
        assert_eq!(said(Some(40)).unwrap(), "1 column hidden (WHO): widen the terminal, or pipe through cat");
        assert!(said(Some(20)).unwrap().starts_with("2 columns hidden (WHY, WHO)"));
    }

    #[test]
    fn a_column_without_text_takes_no_room() {
        let rows = [row(["checkout", "10 %", "", "root"])];
        assert_eq!(columns(&["FLAG", "STATE", "WHY", "WHO"], &rows, None), [(0, 8), (1, 5), (3, 4)]);
    }

    #[test]
    fn text_is_cut_by_characters_with_a_mark() {
        assert_eq!(cut("Öffnen", 6), "Öffnen");
        assert_eq!(cut("Öffnen", 3), "Öf…");
        assert_eq!(cut("Öffnen", 0), "…");
    }
}
