//! The daemon's log on standard error: a line for each event, with time and level.

use crate::display;
use clap::ValueEnum;
use rustix::fs::fstat;
use serde_json::json;
use std::io;

/// The weight of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Info,
    Warning,
}

impl Level {
    /// The level by syslog's numbers.
    fn number(self) -> u8 {
        match self {
            Level::Info => 6,
            Level::Warning => 4,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warning => "warning",
        }
    }
}

/// The format that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Time, level and text; for systemd's journal, which has the time itself, its prefix for the level
    Text,
    /// One JSON document a line
    Json,
}

/// The log of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    Text,
    Json,
    Journal,
}

impl Log {
    pub fn new(format: LogFormat) -> Log {
        match format {
            LogFormat::Json => Log::Json,
            LogFormat::Text if is_journal() => Log::Journal,
            LogFormat::Text => Log::Text,
        }
    }

    /// One line, with its end. `at` is in microseconds since 1970.
    pub fn line(self, at: i64, level: Level, text: &str) -> String {
        let at = display::at(at);
        match self {
            Log::Json => {
                let line = json!({ "at": at, "level": level.name(), "text": text });
                format!("{}\n", display::visible_json(&line.to_string()))
            }
            // A line break would begin a line without time and level.
            Log::Text => format!("{at} {} {}\n", level.name(), display::plain(text)),
            Log::Journal => format!("<{}>{}\n", level.number(), display::plain(text)),
        }
    }
}

/// True if standard error is the journal's stream, as systemd says with its device and inode.
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    fstat(io::stderr()).is_ok_and(|found| stream == format!("{}:{}", found.st_dev, found.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_has_the_level_and_keeps_to_one_line() {
        let line = |log: Log| log.line(0, Level::Warning, "plan: \"a\"\nb\u{1b}[2J");
        assert_eq!(line(Log::Text), "1970-01-01T00:00:00Z warning plan: \"a\"\\nb\\u{1b}[2J\n");
        assert_eq!(line(Log::Journal), "<4>plan: \"a\"\\nb\\u{1b}[2J\n");
        let document: serde_json::Value = serde_json::from_str(&line(Log::Json)).unwrap();
        let expected =
            json!({ "at": "1970-01-01T00:00:00Z", "level": "warning", "text": "plan: \"a\"\nb\u{1b}[2J" });
        assert_eq!(document, expected);
        assert!(!line(Log::Json).contains('\u{1b}'));
    }
}
