//! Finds places where PHP sources ask for flags, by a grammar of PHP: comments and strings do not count.
//!
//! Two passes. The first reads every file that can name a flag at all; the second looks for the enums and constants that those use as
//! names. A name that is put together at run time is listed as such: the source does not tell it.

mod asks;
mod blade;
mod classes;
mod files;
mod literal;
mod names;
mod php;
mod value;

use classes::Classes;
pub use files::{Listed, list};
use php::{File, Found};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The largest file that is read, in bytes; larger ones are generated.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// The longest chain of files through constants.
const ROUNDS: usize = 4;

/// One flag named at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Use {
    /// Path from the scanned directory.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    pub flag: String,
    /// The asking construct: `feature_enabled()`, `middleware`, `@flagstone`.
    pub how: String,
    /// True if Laravel Pennant is asked, which answers for features that are no flags.
    pub pennant: bool,
}

/// A place whose flag is known only at run time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Untold {
    pub file: String,
    pub line: usize,
    pub how: String,
    /// The source of the expression that names the flag.
    pub text: String,
}

/// All uses found, in the order of files and lines.
#[derive(Debug, Default)]
pub struct Scan {
    pub uses: Vec<Use>,
    pub untold: Vec<Untold>,
    /// The number of PHP files.
    pub files: usize,
    /// Files that could not be read, with the reason.
    pub unread: Vec<String>,
    /// Places of the first part in each file that the grammar does not know: something may be missed there.
    pub unparsed: Vec<String>,
    pub took: Duration,
}

impl Scan {
    /// The keys of all flags named.
    pub fn flags(&self) -> BTreeSet<&str> {
        self.uses.iter().map(|found| found.flag.as_str()).collect()
    }
}

/// Scans the files below `directory`; with `all`, also code of others (`vendor`, `node_modules`, `storage`).
///
/// # Errors
///
/// When the directory itself cannot be read.
pub fn scan(directory: &Path, all: bool) -> std::io::Result<Scan> {
    let began = Instant::now();
    let Listed { files, mut unread } = list(directory, all)?;
    let mut classes = Classes::default();
    let mut found: Vec<(usize, Found)> = Vec::new();
    let mut unparsed = Vec::new();
    let name = |path: &Path| files::name(directory, path);
    let parsed = each(&files, |path, bytes| mentions(bytes).then(|| php::read(path, bytes)));
    for (number, outcome) in parsed {
        match outcome {
            Err(error) => unread.push(format!("{}: {error}", name(&files[number]))),
            Ok(None) => {}
            Ok(Some(File { uses, declared, broken })) => {
                classes.add(declared);
                found.extend(uses.into_iter().map(|one| (number, one)));
                if let Some(line) = broken {
                    unparsed.push(format!("{}:{line}", name(&files[number])));
                }
            }
        }
    }
    declarations(&files, &found, &mut classes);
    let mut scan = Scan { files: files.len(), unread, unparsed, ..Scan::default() };
    for (number, Found { line, how, value, split }) in found {
        let file = name(&files[number]);
        match value.resolve(&classes) {
            Ok(text) => {
                let flags = split.flags(&text).into_iter().filter(|flag| !flag.is_empty());
                let how = how.into_owned();
                let pennant = asks::of_pennant(&how);
                scan.uses.extend(flags.map(|flag| Use {
                    file: file.clone(),
                    line,
                    flag,
                    how: how.clone(),
                    pennant,
                }));
            }
            Err(text) => scan.untold.push(Untold { file, line, how: how.into_owned(), text }),
        }
    }
    scan.uses.sort();
    scan.uses.dedup();
    scan.untold.sort();
    scan.untold.dedup();
    scan.took = began.elapsed();
    Ok(scan)
}

/// Reads the files that declare the constants used as names, as long as that leads to others.
fn declarations(files: &[PathBuf], found: &[(usize, Found)], classes: &mut Classes) {
    let mut asked = BTreeSet::new();
    for _ in 0..ROUNDS {
        let wanted: BTreeSet<String> = classes
            .missing(found.iter().map(|(_, found)| &found.value))
            .into_iter()
            .filter(|class| asked.insert(class.clone()))
            .collect();
        if wanted.is_empty() {
            return;
        }
        let short: BTreeSet<&str> = wanted.iter().map(|class| names::short(class)).collect();
        // Files named after a class, as Composer's autoloader finds them; then any others that declare it.
        let stem = |path: &Path| {
            path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| short.contains(stem))
        };
        let likely: Vec<PathBuf> = files.iter().filter(|path| stem(path)).cloned().collect();
        let read = |files: &[PathBuf], classes: &mut Classes| {
            let declares = |path: &Path, bytes: &[u8]| {
                let any = short.iter().any(|name| contains(bytes, name.as_bytes()));
                any.then(|| php::read(path, bytes).declared)
            };
            for (_, declared) in each(files, declares) {
                classes.add(declared.ok().flatten().unwrap_or_default());
            }
        };
        read(&likely, classes);
        if wanted.iter().any(|class| !classes.knows(class)) {
            read(files, classes);
        }
    }
}

/// Runs `work` on each file, on all processors.
fn each<T: Send>(
    files: &[PathBuf],
    work: impl Fn(&Path, &[u8]) -> T + Sync,
) -> Vec<(usize, std::io::Result<T>)> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(files.len()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len().max(1));
    let read = || {
        let mut mine = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = files.get(number) else { break };
            mine.push((number, files::read(path, MAX_FILE_BYTES).map(|bytes| work(path, &bytes))));
        }
        if let Ok(mut done) = done.lock() {
            done.append(&mut mine);
        }
    };
    std::thread::scope(|scope| {
        // This thread reads as well, alone if no other can be started.
        for _ in 1..threads {
            let _ = std::thread::Builder::new().spawn_scoped(scope, read);
        }
        read();
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(number, _)| *number);
    done
}

/// True if the file may ask for flags: each construct that asks, or is asked by, has one of these words in it.
fn mentions(bytes: &[u8]) -> bool {
    let word = |at: usize, word: &[u8]| {
        bytes.get(at..at + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
    };
    (0..bytes.len()).any(|at| match bytes.get(at) {
        Some(b'f' | b'F') => word(at, b"feature") || word(at, b"flagstone"),
        _ => false,
    })
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    !word.is_empty() && bytes.windows(word.len()).any(|found| found == word)
}
