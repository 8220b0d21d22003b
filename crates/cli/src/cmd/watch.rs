//! `stats --watch`: draws the questions that are asked now, each second.

use super::stats::{bars, rate};
use crate::args::{Arguments, Stats};
use crate::counters::{self, Seen};
use crate::output::{BAD, BOLD, DIM, Exit, Failure, Outcome, Output, WARN};
use crate::terminal::{Terminal, TerminalEvent};
use crate::{display, store_view};
use flagstone::telemetry::{Cohort, Counts, FlagCounts};
use std::collections::{HashMap, VecDeque};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(1);
/// The length of the history, in seconds.
const MINUTE: usize = 60;
/// Seconds in one column of its sparkline, and the number of columns.
const IN_COLUMN: usize = 3;
const COLUMNS: usize = MINUTE / IN_COLUMN;
/// The width of the columns right of a flag's name, but for the last.
const RIGHT: usize = 1 + 8 + 1 + 6 + 2 + COLUMNS + 1 + 8 + 1 + 8;
/// Columns of the sparkline of the last day.
const DAY: usize = 24;

pub fn run(arguments: &Arguments, command: &Stats, output: &mut Output) -> Outcome {
    if output.is_json() || !std::io::stdout().is_terminal() {
        return Err(Failure::Unknown(
            "--watch draws on a terminal, and standard output is none, or JSON is wanted; without --watch, `flagstone stats` \
             prints once"
                .to_owned(),
        ));
    }
    let store = store_view::store(arguments)?;
    if let Some(key) = &command.flag {
        store_view::served(arguments, output)?.flag(key)?;
    }
    let mut past = LastMinute::default();
    // Warnings would be drawn over, so that problems at the start are printed before.
    counters::counts(&store, &command.memory.memory, output)?;
    let failed = |error| Failure::Unknown(format!("cannot draw on this terminal: {error}"));
    let terminal = Terminal::enter().map_err(failed)?;
    let ended = loop {
        let now = Instant::now();
        match Seen::of(&store).and_then(|seen| Ok((counters::quietly(&store, &command.memory.memory)?, seen)))
        {
            Ok((counts, seen)) => {
                past.add(now, known(command, &seen, &counts));
                Terminal::draw(&frame(command, &seen, &counts, &past, Terminal::size(), output), output);
            }
            Err(error) => break Err(error),
        }
        if terminal.wait(INTERVAL.saturating_sub(now.elapsed())) == TerminalEvent::End {
            break Ok(Exit::Yes);
        }
    };
    drop(terminal);
    ended
}

/// The flags to draw that were ever asked.
fn known<'a>(command: &Stats, seen: &'a Seen, counts: &'a Counts) -> Vec<(&'a str, &'a FlagCounts)> {
    let Some(snapshot) = &seen.view.snapshot else { return Vec::new() };
    let asked = command.flag.as_deref().map(|flag| store_view::current_key(snapshot, flag));
    counts.of(snapshot).filter(|(key, _)| asked.is_none_or(|flag| flag == *key)).collect()
}

/// The counters of one flag at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Moment {
    on: u64,
    off: u64,
    /// Requests of the on-cohort and the off-cohort, as in `Cohort`.
    requests: [u64; 2],
    errors: [u64; 2],
}

impl Moment {
    fn of(flag: &FlagCounts) -> Moment {
        let (on, off) = flag.answers();
        let cohorts = [&flag.exposure.on, &flag.exposure.off];
        Moment {
            on,
            off,
            requests: cohorts.map(|cohort| cohort.requests),
            errors: cohorts.map(|cohort| cohort.errors),
        }
    }

    fn asks(&self) -> u64 {
        self.on.saturating_add(self.off)
    }
}

/// Counters of the last minute.
#[derive(Debug, Default)]
struct LastMinute {
    /// The number of additions.
    added: usize,
    times: VecDeque<Instant>,
    flags: HashMap<String, VecDeque<Moment>>,
}

impl LastMinute {
    /// Adds the counters as of `at`. A new flag begins with its present ones.
    fn add(&mut self, at: Instant, known: Vec<(&str, &FlagCounts)>) {
        self.added += 1;
        self.times.push_back(at);
        if self.times.len() > MINUTE + 1 {
            self.times.pop_front();
        }
        let mut before = std::mem::take(&mut self.flags);
        for (key, flag) in known {
            let mut moments = before.remove(key).unwrap_or_default();
            let now = Moment::of(flag);
            // Counters that shrank were reset.
            if moments.back().is_some_and(|last| last.asks() > now.asks()) {
                moments.clear();
            }
            moments.push_back(now);
            while moments.len() > self.times.len() {
                moments.pop_front();
            }
            self.flags.insert(key.to_owned(), moments);
        }
    }

    /// Seconds that the last `moments` moments took.
    fn seconds(&self, moments: usize) -> f64 {
        let first = self.times.len().saturating_sub(moments);
        match (self.times.get(first), self.times.back()) {
            (Some(first), Some(last)) => last.duration_since(*first).as_secs_f64(),
            _ => 0.0,
        }
    }
}

struct Line<'a> {
    key: &'a str,
    flag: &'a FlagCounts,
    /// Questions in each second of the last minute, the newest last.
    seconds: Vec<u64>,
    /// Questions in the last minute, and of those on.
    asks: u64,
    on: u64,
    per_second: f64,
    cohorts: [Cohort; 2],
}

impl<'a> Line<'a> {
    fn of(key: &'a str, flag: &'a FlagCounts, past: &LastMinute) -> Line<'a> {
        let moments = past.flags.get(key).map(VecDeque::as_slices).unwrap_or_default();
        let moments: Vec<Moment> = moments.0.iter().chain(moments.1).copied().collect();
        let first = moments.first().copied().unwrap_or_default();
        let last = moments.last().copied().unwrap_or_default();
        let seconds = moments.windows(2).map(|pair| pair[1].asks().saturating_sub(pair[0].asks())).collect();
        let recent = moments.iter().rev().nth(5).copied().unwrap_or(first);
        let took = past.seconds(moments.len().min(6));
        let cohort = |number: usize| Cohort {
            requests: last.requests[number].saturating_sub(first.requests[number]),
            errors: last.errors[number].saturating_sub(first.errors[number]),
            ..Cohort::default()
        };
        Line {
            key,
            flag,
            seconds,
            asks: last.asks().saturating_sub(first.asks()),
            on: last.on.saturating_sub(first.on),
            per_second: if took > 0.0 {
                last.asks().saturating_sub(recent.asks()) as f64 / took
            } else {
                0.0
            },
            cohorts: [cohort(0), cohort(1)],
        }
    }

    /// The sparkline of the last minute: the same three seconds stay in one column, so that columns only move. A column is their mean.
    fn minute(&self, past: &LastMinute) -> String {
        let first = past.added.saturating_sub(self.seconds.len());
        let mut columns: Vec<(usize, Vec<u64>)> = Vec::new();
        for (number, count) in self.seconds.iter().enumerate() {
            let column = (first + number) / IN_COLUMN;
            match columns.last_mut() {
                Some((last, counts)) if *last == column => counts.push(*count),
                _ => columns.push((column, vec![*count])),
            }
        }
        let mean = |counts: &Vec<u64>| counts.iter().sum::<u64>() * 100 / counts.len() as u64;
        let means: Vec<u64> =
            columns.iter().rev().take(COLUMNS).rev().map(|(_, counts)| mean(counts)).collect();
        format!("{:>COLUMNS$}", bars(&means))
    }

    fn share(&self) -> String {
        match self.asks {
            0 => "-".to_owned(),
            asks => format!("{:.0} %", self.on as f64 * 100.0 / asks as f64),
        }
    }
}

/// The lines to draw, at most that many rows and columns.
fn frame(
    command: &Stats,
    seen: &Seen,
    counts: &Counts,
    past: &LastMinute,
    (rows, columns): (usize, usize),
    output: &Output,
) -> Vec<String> {
    let mut lines: Vec<Line<'_>> =
        known(command, seen, counts).into_iter().map(|(key, flag)| Line::of(key, flag, past)).collect();
    lines.sort_by(|a, b| (b.asks, b.flag.answers(), a.key).cmp(&(a.asks, a.flag.answers(), b.key)));
    let mut drawn = vec![output.paint(BOLD, cut(&head(seen, counts, lines.len()), columns))];
    if let Some((text, style)) = trouble(seen, counts) {
        drawn.push(output.paint(style, cut(&text, columns)));
    }
    drawn.push(String::new());
    let details: Vec<String> = match (&command.flag, lines.first()) {
        (Some(_), Some(line)) => details(line.flag),
        _ => Vec::new(),
    };
    let widest = lines.iter().map(|line| line.key.chars().count()).max().unwrap_or(0);
    // The flag's name is cut first, then the columns on the right.
    let name = widest.clamp(8, columns.saturating_sub(RIGHT).max(8));
    let has_day = columns >= name + RIGHT + 2 + DAY;
    let row = |texts: [&str; 6], day: &str| {
        let [key, asks, on, minute, errors_on, errors_off] = texts;
        let text = format!(
            "{:<name$} {asks:>8} {on:>6}  {minute:<COLUMNS$} {errors_on:>8} {errors_off:>8}",
            cut(key, name)
        );
        let text = if has_day { format!("{text}  {day:>DAY$}") } else { text };
        cut(text.trim_end(), columns)
    };
    let title = row(["FLAG", "ASKS/S", "ON", "LAST MINUTE", "ERR ON", "ERR OFF"], "LAST DAY");
    drawn.push(output.paint(DIM, title));
    let room = rows.saturating_sub(drawn.len() + details.len() + 2);
    for line in lines.iter().take(room) {
        let hours: Vec<u64> = line
            .flag
            .hours
            .iter()
            .rev()
            .take(command.hours)
            .rev()
            .map(|hour| hour.on.saturating_add(hour.off))
            .collect();
        let texts = [
            line.key,
            &number(line.per_second),
            &line.share(),
            &line.minute(past),
            &rate(&line.cohorts[0]),
            &rate(&line.cohorts[1]),
        ];
        drawn.push(row(texts, &bars(&hours)));
    }
    drawn.extend(details.iter().map(|line| cut(line, columns)));
    let more = match lines.len().saturating_sub(room) {
        0 => "q ends".to_owned(),
        more => format!("q ends; {more} more below"),
    };
    drawn.push(String::new());
    drawn.push(output.paint(DIM, cut(&more, columns)));
    drawn.truncate(rows.max(1));
    drawn
}

fn head(seen: &Seen, counts: &Counts, flags: usize) -> String {
    let status = &seen.status;
    let age =
        seen.age().map_or(String::new(), |_| format!(" published {}", display::ago(status.published_at)));
    format!(
        "{} generation {}{age}, {} asked, {}",
        display::plain(&status.environment),
        status.generation,
        display::counted(flags as u64, "flag"),
        display::counted(counts.workers.len() as u64, "worker"),
    )
}

/// The most important problem for the person who watches.
fn trouble(seen: &Seen, counts: &Counts) -> Option<(String, anstyle::Style)> {
    let status = &seen.status;
    let behind = seen.behind(counts);
    match () {
        () if status.stopped => Some(("everything is stopped".to_owned(), BAD)),
        () if status.last_error.is_some() => {
            status.last_error.as_ref().map(|error| (display::plain(error).into_owned(), BAD))
        }
        () if !status.killed.is_empty() => {
            let killed = display::some(status.killed.iter().map(|key| display::plain(key)), 3);
            Some((format!("killed: {killed}"), BAD))
        }
        () if behind > 0 => {
            let behind = display::counted(behind as u64, "worker");
            Some((format!("{behind} on another generation"), WARN))
        }
        () if counts.sources.is_empty() => Some((
            "no worker counts for this store: is flagstone.telemetry on, and in the same directory?"
                .to_owned(),
            WARN,
        )),
        () => None,
    }
}

/// The reasons of one flag's answers.
fn details(flag: &FlagCounts) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (answer, reason, count) in flag.reasons() {
        lines.push(format!("{answer:<4} {:<20} {:>15}", reason.as_str(), display::thousands(count)));
    }
    lines.push(format!("about {:.0} companies in the last day", flag.companies));
    lines
}

/// A number as text: `0`, `3.2`, `12,345`.
fn number(number: f64) -> String {
    match number {
        small if small > 0.0 && small < 9.95 => format!("{small:.1}"),
        other => display::thousands(other.round().max(0.0) as u64),
    }
}

fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
    }
}
