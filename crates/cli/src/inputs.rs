//! Files that were named on the command line, opened before the process changes its user.

use crate::args::{Arguments, Command, PlanSubcommand, Reach};
use crate::entry::Entry;
use rustix::process::geteuid;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Each file, or the error of opening it.
static OPENED: OnceLock<BTreeMap<PathBuf, io::Result<File>>> = OnceLock::new();

/// Standard input, as a path.
pub const STDIN: &str = "-";

/// Texts by the paths that their command reads them under.
pub type Texts = BTreeMap<&'static str, Vec<u8>>;

thread_local! {
    /// The texts that a request brought, which its command reads as files.
    static REQUESTED: RefCell<Option<Texts>> = const { RefCell::new(None) };
}

/// Runs a request's command, which reads `texts` in place of files.
pub fn with_texts<R>(texts: Texts, run: impl FnOnce() -> R) -> R {
    REQUESTED.set(Some(texts));
    let result = run();
    REQUESTED.set(None);
    result
}

/// Takes the text with that path of this thread's request; none if it is a file. No request reads the agent's own standard input.
pub fn requested(path: &Path) -> Option<Vec<u8>> {
    REQUESTED.with_borrow_mut(|texts| match texts.as_mut()?.get_mut(path.to_str()?) {
        Some(text) => Some(std::mem::take(text)),
        None => (path == Path::new(STDIN)).then(Vec::new),
    })
}

/// Opens all files as the user that this process still is. Errors are reported by [`open`]. Returns the file to be written.
pub fn open_all(arguments: &Arguments) -> Option<Entry> {
    let mut written = None;
    let at_once = matches!(
        arguments.command,
        Command::Kill(_) | Command::Revive(_) | Command::StopAll(_) | Command::ResumeAll(_)
    );
    let mut open = |path: &Path| {
        let entry = Entry::find(path)?;
        // A kill must not wait; its reach is counted after it.
        let file = if at_once { entry.open_at_once() } else { entry.open() }?;
        if matches!(&arguments.command, Command::Pull(command) if !command.dry_run) {
            written = Some(entry);
        }
        Ok(file)
    };
    let files = paths(&arguments.command).into_iter().filter(|path| *path != Path::new("-"));
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
fn paths(command: &Command) -> Vec<&Path> {
    fn listed(reach: &Reach) -> Option<&Path> {
        reach.list.as_deref()
    }
    let (file, list) = match command {
        Command::Publish(command) => (Some(&*command.file), listed(&command.terms.weighed.reach)),
        Command::Pull(command) => (Some(&*command.file), None),
        Command::Simulate(command) => (Some(&*command.companies), None),
        Command::Import(command) => (Some(&*command.file), listed(&command.how.terms.weighed.reach)),
        Command::Promote(command) => (None, listed(&command.how.terms.weighed.reach)),
        Command::Enable(command) => (None, listed(&command.changing.terms.weighed.reach)),
        Command::Disable(command) => (None, listed(&command.changing.terms.weighed.reach)),
        Command::Rollout(command) => (None, listed(&command.changing.terms.weighed.reach)),
        Command::Allow(command) | Command::Deny(command) | Command::Forget(command) => {
            (command.from_file.as_deref(), listed(&command.changing.terms.weighed.reach))
        }
        Command::Rollback(command) => (None, listed(&command.terms.weighed.reach)),
        Command::Plan(command) => match &command.command {
            PlanSubcommand::Start(start) => (None, listed(&start.typed.terms.weighed.reach)),
            PlanSubcommand::Hold(typed) | PlanSubcommand::Abort(typed) => {
                (None, listed(&typed.terms.weighed.reach))
            }
            PlanSubcommand::Resume(stage) | PlanSubcommand::Advance(stage) => {
                (None, listed(&stage.typed.terms.weighed.reach))
            }
            PlanSubcommand::Show(_) | PlanSubcommand::Tick(_) => (None, None),
        },
        Command::Kill(command) => (None, listed(&command.reach)),
        Command::Revive(command) => (None, listed(&command.reach)),
        Command::StopAll(command) => (None, listed(&command.reach)),
        Command::ResumeAll(command) => (None, listed(&command.reach)),
        Command::Diff(command) => {
            let sides = [&command.a, &command.b].into_iter().filter(|side| side.parse::<u64>().is_err());
            return sides.map(Path::new).collect();
        }
        _ => (None, None),
    };
    file.into_iter().chain(list).collect()
}
