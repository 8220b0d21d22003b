//! The application to be deployed: the flags that its code names.

use super::store::Opened;
use super::{APPLICATION, CODE_UNDEFINED, CODE_UNUSED, Report, application};
use crate::display;
use crate::scan::{Scan, scan};
use flagstone::definition::{Definitions, nearest};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

/// The most flags that are named in a line.
const MAX_SHOWN_FLAGS: usize = 5;
/// Directories of tests, whose flags need not be published.
const TESTS: [&str; 3] = ["tests/", "test/", "spec/"];

/// Reports the checks as not asked for.
pub fn unasked(report: &mut Report) {
    for kind in [CODE_UNDEFINED, CODE_UNUSED, APPLICATION] {
        report.not_asked(kind, "name the application's directory: --code DIR");
    }
}

/// The content of the application's directory, read by the user who named it.
pub struct Read {
    scan: std::io::Result<Scan>,
    asked: application::Asked,
}

/// The content as read before this process changed its user.
static READ: Mutex<Option<Read>> = Mutex::new(None);

/// Reads the named directory before this process changes its user.
pub fn ahead(directory: &Path, php: Option<&Path>) {
    if let Ok(mut read) = READ.lock() {
        *read = Some(Read::of(directory, php));
    }
}

impl Read {
    fn of(directory: &Path, php: Option<&Path>) -> Read {
        Read { scan: scan(directory, false), asked: application::ask(directory, php) }
    }
}

pub fn checks(directory: &Path, php: Option<&Path>, opened: &Opened, report: &mut Report) {
    let Read { scan, asked } =
        READ.lock().ok().and_then(|mut read| read.take()).unwrap_or_else(|| Read::of(directory, php));
    application::check(asked, opened, report);
    let read = move || -> Result<(Scan, Definitions), String> {
        let named = display::plain(&directory.to_string_lossy()).into_owned();
        let scanned = scan.map_err(|error| format!("cannot read {named}: {error}"))?;
        if scanned.files == 0 {
            return Err(format!("{named} holds no files of PHP"));
        }
        let definitions = opened.store.definitions(opened.status.generation);
        Ok((scanned, definitions.map_err(|error| display::plain(&error.to_string()).into_owned())?))
    };
    let (scanned, definitions) = match read() {
        Ok(read) => read,
        Err(error) => {
            let mend = "name the directory that holds app, routes and resources: --code DIR";
            for kind in [CODE_UNDEFINED, CODE_UNUSED] {
                report.unknown(kind, error.clone(), Some(mend.to_owned()));
            }
            return;
        }
    };
    undefined(&scanned, &definitions, report);
    unused(&scanned, &definitions, report);
}

fn undefined(scanned: &Scan, definitions: &Definitions, report: &mut Report) {
    let mut missing: Vec<String> = Vec::new();
    let mut told = BTreeSet::new();
    let uses = scanned.uses.iter().filter(|found| !TESTS.iter().any(|tests| found.file.starts_with(tests)));
    let unpublished: Vec<_> =
        uses.filter(|found| !definitions.flags.contains_key(definitions.current_key(&found.flag))).collect();
    for found in unpublished.iter().filter(|found| !found.pennant) {
        if told.insert(found.flag.as_str()) {
            let near = nearest(&found.flag, definitions.flags.keys().map(String::as_str));
            let near = near.map_or(String::new(), |near| format!(", did you mean {near}?"));
            missing.push(format!("{} ({}:{}{near})", display::plain(&found.flag), found.file, found.line));
        }
    }
    let Some(first) = told.first() else {
        let flags = display::counted(scanned.flags().len() as u64, "flag");
        // Pennant's definitions and stores answer for these until a flag of that name is published.
        let pennants: BTreeSet<_> = unpublished.iter().map(|found| display::plain(&found.flag)).collect();
        let but = match pennants.len() as u64 {
            0 => String::new(),
            count => format!(
                ", but {} that only Pennant is asked for: {}",
                display::counted(count, "flag"),
                display::some(pennants.iter(), MAX_SHOWN_FLAGS)
            ),
        };
        return report.passed(
            CODE_UNDEFINED,
            format!("the code names {flags}, each published{but}{}", untold(scanned)),
        );
    };
    report.failed(
        CODE_UNDEFINED,
        format!(
            "{} named in the code and not published, so off: {}",
            display::counted(missing.len() as u64, "flag"),
            display::some(missing.iter(), MAX_SHOWN_FLAGS)
        ),
        format!(
            "flagstone add {} --file flags.json && flagstone publish flags.json",
            display::argument(first)
        ),
    );
}

fn unused(scanned: &Scan, definitions: &Definitions, report: &mut Report) {
    let mut named: BTreeSet<&str> =
        scanned.flags().into_iter().map(|flag| definitions.current_key(flag)).collect();
    named.extend(definitions.flags.values().flat_map(|flag| flag.requires.iter().map(String::as_str)));
    let unused: Vec<&String> = definitions.flags.keys().filter(|key| !named.contains(key.as_str())).collect();
    match unused.is_empty() {
        true => {
            report.passed(CODE_UNUSED, "every published flag is named in the code, or required by another")
        }
        false => report.warned(
            CODE_UNUSED,
            format!(
                "{} published and not named in the code: {}{}",
                display::counted(unused.len() as u64, "flag"),
                display::some(unused.iter(), MAX_SHOWN_FLAGS),
                untold(scanned)
            ),
            "if nothing asks for it any more, take it out of the file of definitions, and publish that",
        ),
    }
}

/// The number of places that name flags at run time only, and of paths that were not read.
fn untold(scanned: &Scan) -> String {
    let untold = match scanned.untold.len() as u64 {
        0 => String::new(),
        places => {
            format!(" ({} name one at run time only: flagstone scan DIR)", display::counted(places, "place"))
        }
    };
    match scanned.unread.first() {
        None => untold,
        Some(first) => format!(
            "{untold}; {} not read, such as {first}",
            display::counted(scanned.unread.len() as u64, "path")
        ),
    }
}
