//! Files that were named on the command line, opened before the process changes its user.

use crate::args::{Arguments, PlanSubcommand, Reach, Word};
use crate::entry::Entry;
use rustix::process::geteuid;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Each file, or the error of opening it.
static OPENED: OnceLock<BTreeMap<PathBuf, io::Result<File>>> = OnceLock::new();

/// Opens all files as the user that this process still is. Errors are reported by [`open`]. Returns the file to be written.
pub fn open_all(arguments: &Arguments) -> Option<Entry> {
    let mut written = None;
    let at_once =
        matches!(arguments.word, Word::Kill(_) | Word::Revive(_) | Word::StopAll(_) | Word::ResumeAll(_));
    let mut open = |path: &Path| {
        let entry = Entry::find(path)?;
        // A kill must not wait; its reach is counted after it.
        let file = if at_once { entry.open_at_once() } else { entry.open() }?;
        if matches!(&arguments.word, Word::Pull(word) if !word.dry_run) {
            written = Some(entry);
        }
        Ok(file)
    };
    let files = paths(&arguments.word).into_iter().filter(|path| *path != Path::new("-"));
    let _ = OPENED.set(files.map(|path| (path.to_owned(), open(path))).collect());
    written
}

/// Opens a file that was named on the command line.
pub fn open(path: &Path) -> io::Result<File> {
    match OPENED.get().and_then(|opened| opened.get(path)) {
        None if geteuid().is_root() => Entry::find(path)?.open(),
        None => File::open(path),
        Some(Err(error)) => Err(match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error.to_string()),
        }),
        Some(Ok(file)) => {
            let mut file = file.try_clone()?;
            // A pipe cannot be rewound.
            let _ = file.rewind();
            Ok(file)
        }
    }
}

/// The files on the command line that a command on a store reads.
fn paths(word: &Word) -> Vec<&Path> {
    fn listed(reach: &Reach) -> Option<&Path> {
        reach.list.as_deref()
    }
    let (file, list) = match word {
        Word::Publish(word) => (Some(&*word.file), listed(&word.terms.weighed.reach)),
        Word::Pull(word) => (Some(&*word.file), None),
        Word::Simulate(word) => (Some(&*word.companies), None),
        Word::Import(word) => (Some(&*word.file), listed(&word.how.terms.weighed.reach)),
        Word::Promote(word) => (None, listed(&word.how.terms.weighed.reach)),
        Word::Enable(word) => (None, listed(&word.changing.terms.weighed.reach)),
        Word::Disable(word) => (None, listed(&word.changing.terms.weighed.reach)),
        Word::Rollout(word) => (None, listed(&word.changing.terms.weighed.reach)),
        Word::Allow(word) | Word::Deny(word) | Word::Forget(word) => {
            (word.from_file.as_deref(), listed(&word.changing.terms.weighed.reach))
        }
        Word::Rollback(word) => (None, listed(&word.terms.weighed.reach)),
        Word::Plan(word) => match &word.word {
            PlanSubcommand::Start(start) => (None, listed(&start.typed.terms.weighed.reach)),
            PlanSubcommand::Hold(typed) | PlanSubcommand::Abort(typed) => {
                (None, listed(&typed.terms.weighed.reach))
            }
            PlanSubcommand::Resume(stage) | PlanSubcommand::Advance(stage) => {
                (None, listed(&stage.typed.terms.weighed.reach))
            }
            PlanSubcommand::Show(_) | PlanSubcommand::Tick(_) => (None, None),
        },
        Word::Kill(word) => (None, listed(&word.reach)),
        Word::Revive(word) => (None, listed(&word.reach)),
        Word::StopAll(word) => (None, listed(&word.reach)),
        Word::ResumeAll(word) => (None, listed(&word.reach)),
        Word::Diff(word) => {
            let sides = [&word.a, &word.b].into_iter().filter(|side| side.parse::<u64>().is_err());
            return sides.map(Path::new).collect();
        }
        _ => (None, None),
    };
    file.into_iter().chain(list).collect()
}
