//! How many instructions does a question take, and the opening of a snapshot? Counted by valgrind's callgrind, so that the
//! machine's mood plays no part: the same build gives the same counts.
//!
//! Without arguments it makes the snapshots and runs itself once for each question under valgrind, which counts what
//! happens within [`measured`] and nothing else.

#[path = "common/questions.rs"]
mod questions;
#[path = "common/snapshots.rs"]
mod snapshots;

use flagstone::Snapshot;
use questions::{Snapshots, Visitor, visit};
use std::fmt::Write;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const QUESTIONS: u64 = 10_000;
const OPENINGS: u64 = 5;
/// With this in the environment one question is counted, only to see that it can be.
const QUICK: &str = "FLAGSTONE_QUICK";
const OPEN: &str = "open a snapshot of 10,000 flags";

fn main() -> ExitCode {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("instructions");
    if let Ok(name) = std::env::var("FLAGSTONE_COUNTED") {
        let snapshots = ["few", "many", "overrides"].map(|name| read(&directory, name));
        run(&name, &snapshots);
        return ExitCode::SUCCESS;
    }
    match count_all(&directory) {
        Ok(table) => {
            print!("{table}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("instructions: {problem}");
            ExitCode::from(2)
        }
    }
}

fn read(directory: &Path, name: &str) -> Vec<u8> {
    std::fs::read(directory.join(name)).expect("reads a snapshot that was written for this run")
}

/// Runs `what` so often. Valgrind counts from entering this to leaving it.
#[inline(never)]
fn measured(times: u64, what: impl Fn(u64) -> bool) -> u64 {
    (1..=times).filter(|n| black_box(what(black_box(*n)))).count() as u64
}

struct Counted<'a>(&'a str);

impl Visitor for Counted<'_> {
    fn question(&mut self, name: &str, ask: impl Fn(u64) -> bool) {
        if self.0 == name {
            black_box(measured(QUESTIONS, ask));
        }
    }
}

fn run(name: &str, snapshots: &[Vec<u8>; 3]) {
    if name == OPEN {
        let [_, many, _] = snapshots;
        black_box(measured(OPENINGS, |_| Snapshot::from_bytes(many).is_ok()));
    } else {
        visit(&Snapshots::open(snapshots), &mut Counted(name));
    }
}

struct Names(Vec<String>);

impl Visitor for Names {
    fn question(&mut self, name: &str, _: impl Fn(u64) -> bool) {
        self.0.push(name.to_owned());
    }
}

fn count_all(directory: &Path) -> Result<String, String> {
    std::fs::create_dir_all(directory)
        .map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
    let snapshots = [questions::few(), questions::many(), questions::overrides()];
    for (name, bytes) in ["few", "many", "overrides"].iter().zip(&snapshots) {
        let path = directory.join(name);
        std::fs::write(&path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    let mut names = Names(Vec::new());
    visit(&Snapshots::open(&snapshots), &mut names);
    if std::env::var_os(QUICK).is_some() {
        names.0.truncate(1);
    }
    let mut table = String::from("instructions, the loop included\n");
    for name in &names.0 {
        row(&mut table, name, count(name)? as f64 / QUESTIONS as f64);
    }
    if std::env::var_os(QUICK).is_none() {
        row(&mut table, OPEN, count(OPEN)? as f64 / OPENINGS as f64);
    }
    std::fs::remove_dir_all(directory)
        .map_err(|error| format!("cannot remove {}: {error}", directory.display()))?;
    Ok(table)
}

fn row(table: &mut String, name: &str, count: f64) {
    writeln!(table, "  {name:<32}{count:>14.1}").expect("a string takes everything");
}

/// Runs this program under valgrind; how many instructions it counted.
fn count(name: &str) -> Result<u64, String> {
    let this: PathBuf = std::env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--toggle-collect=*instructions*measured*",
        ])
        .arg(this)
        .env("FLAGSTONE_COUNTED", name)
        .output()
        .map_err(|error| {
            format!("cannot run valgrind: {error}; install it, on Debian with apt-get install valgrind")
        })?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split("Collected : ").nth(1)?.trim().parse().ok());
    match collected {
        Some(collected) if output.status.success() && collected > 0 => Ok(collected),
        _ => Err(format!("valgrind counted nothing of {name:?}; it said:\n{said}")),
    }
}
