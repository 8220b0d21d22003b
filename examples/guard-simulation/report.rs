//! What is printed: a table, with a chart of how soon the guard acted.

use super::chart::Line;
use super::play::Played;
use std::process::ExitCode;

/// What a row has to keep to.
#[derive(Clone, Copy, PartialEq)]
pub enum Promise {
    /// Nothing is turned off.
    Never,
    /// Harm is found in 99 of 100.
    Found,
    /// That, and in the median within so many seconds.
    Within(f64),
    /// It is shown for what it is.
    None,
}

/// The table, as it goes.
#[derive(Default)]
pub struct Report {
    plays: usize,
    broken: Vec<String>,
    quiet: (usize, usize),
    /// What the chart is drawn of.
    pub lines: Vec<Line>,
}

/// Seconds that the columns of the chart end at.
const COLUMNS: [f64; 12] =
    [5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 21_600.0, f64::INFINITY];
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub fn heading(title: &str) {
    println!("\n{title}\n");
    println!(
        "{:44} {:>10} {:>9} {:>9} {:>9}  acted within 5 s … 6 h, later",
        "", "acted", "median", "95 %", "requests"
    );
}

impl Report {
    /// One line.
    pub fn row(&mut self, name: &str, played: &[Played], promise: Promise) {
        let mut acted: Vec<(f64, u64)> =
            played.iter().filter(|one| !one.early).filter_map(|one| one.acted).collect();
        acted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let early = played.iter().filter(|one| one.early).count();
        self.lines.push((name.to_owned(), acted.iter().map(|one| one.0).collect(), played.len()));
        let share = acted.len() as f64 / played.len() as f64;
        // Of all that were played: those in which it did not act took longer than any.
        let at = |part: f64| acted.get((played.len() as f64 * part) as usize);
        let seconds = |part: f64| at(part).map_or("—".to_owned(), |one| span(one.0));
        let requests = at(0.5).map_or("—".to_owned(), |one| one.1.to_string());
        let count = format!("{}/{}", acted.len() + early, played.len());
        println!(
            "{name:44} {count:>10} {:>9} {:>9} {requests:>9}  {}",
            seconds(0.5),
            seconds(0.95),
            chart(&acted, played.len())
        );
        self.plays += played.len();
        let kept = match promise {
            Promise::None => true,
            Promise::Never => acted.len() + early == 0,
            Promise::Found => share >= 0.99,
            Promise::Within(limit) => share >= 0.99 && at(0.5).is_some_and(|one| one.0 <= limit),
        };
        if promise == Promise::Never {
            self.quiet = (self.quiet.0 + acted.len() + early, self.quiet.1 + played.len());
        } else if !kept {
            self.broken.push(name.to_owned());
        }
        if promise == Promise::Never && !kept {
            println!(
                "    {:?}",
                played.iter().filter_map(|one| one.found.zip(one.acted)).collect::<Vec<_>>()
            );
        }
    }

    pub fn layout(&mut self, played: &[Vec<usize>]) {
        let harmful = played.iter().filter(|acted| acted.as_slice() == [0]).count();
        let missed = played.iter().filter(|acted| !acted.contains(&0)).count();
        let others = played.iter().filter(|acted| acted.iter().any(|flag| *flag != 0)).count();
        println!("only the harmful one {harmful}/{}, missed {missed}, any other {others}", played.len());
        self.plays += played.len();
        if harmful != played.len() {
            self.broken.push("a page that asks 20 flags".to_owned());
        }
    }

    pub fn end(self) -> ExitCode {
        let (acted, quiet) = self.quiet;
        println!("\n{} rollouts.", self.plays);
        if quiet > 0 {
            println!(
                "Without harm: {acted} of {quiet} rolled back, at most {:.2} % of such with 95 % confidence.",
                bound(acted, quiet) * 100.0
            );
        }
        let falls_short = acted * 100 > quiet || !self.broken.is_empty();
        if falls_short {
            println!("Falls short: {}", self.broken.join("; "));
        }
        if falls_short { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// The highest probability at which so few of `n` are rolled back in one of twenty cases (Clopper and Pearson 1934).
fn bound(acted: usize, n: usize) -> f64 {
    let at_most = |p: f64| {
        let (mut term, mut sum) = ((1.0 - p).powi(n as i32), 0.0);
        for k in 0..=acted {
            sum += term;
            term *= (n - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
        }
        sum
    };
    let (mut low, mut high) = (0.0, 1.0 - 1e-9);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if at_most(middle) > 0.05 { low = middle } else { high = middle }
    }
    high
}

fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.0} h", s / 3600.0),
    }
}

/// For each column how many acted in it.
fn chart(acted: &[(f64, u64)], played: usize) -> String {
    let mut from = f64::NEG_INFINITY;
    COLUMNS
        .iter()
        .map(|&to| {
            let count = acted.iter().filter(|(seconds, _)| *seconds > from && *seconds <= to).count();
            from = to;
            let height = (count as f64 / played as f64 * 8.0).ceil() as usize;
            BARS.get(height).copied().unwrap_or('█')
        })
        .collect()
}
