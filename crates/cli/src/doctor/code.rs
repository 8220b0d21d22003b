//! The application that is to be deployed: the flags that its code names, and the store that its `.env` does.

use super::store::Opened;
use super::{APPLICATION, CODE_UNDEFINED, CODE_UNUSED, Report};
use crate::scan::{Scan, scan};
use crate::{inputs, words};
use flagstone::definition::{Definitions, nearest};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Flags named in a line.
const SHOWN: usize = 5;
/// Tests name flags that need not be published.
const TESTS: [&str; 3] = ["tests/", "test/", "spec/"];

/// The most of `.env` that is read, in bytes.
const SETTINGS_LIMIT: u64 = 1 << 20;

/// Not asked for.
pub fn unasked(report: &mut Report) {
    for kind in [CODE_UNDEFINED, CODE_UNUSED, APPLICATION] {
        report.not_asked(kind, "name the application's directory: --code DIR");
    }
}

/// What the application's directory holds, read by the user who named it.
pub struct Read {
    scan: std::io::Result<Scan>,
    settings: std::io::Result<String>,
}

/// Read before this process changed its user.
static READ: Mutex<Option<Read>> = Mutex::new(None);

/// Reads the directory that was named before this process changes its user.
pub fn ahead(directory: &Path) {
    if let Ok(mut read) = READ.lock() {
        *read = Some(Read::of(directory));
    }
}

impl Read {
    fn of(directory: &Path) -> Read {
        Read { scan: scan(directory, false), settings: read(&directory.join(".env")) }
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    inputs::open(path)?.take(SETTINGS_LIMIT).read_to_string(&mut text)?;
    Ok(text)
}

pub fn checks(directory: &Path, opened: &Opened, report: &mut Report) {
    let Read { scan, settings } =
        READ.lock().ok().and_then(|mut read| read.take()).unwrap_or_else(|| Read::of(directory));
    application(directory, settings, opened, report);
    let read = move || -> Result<(Scan, Definitions), String> {
        let named = words::plain(&directory.to_string_lossy()).into_owned();
        let scanned = scan.map_err(|error| format!("cannot read {named}: {error}"))?;
        if scanned.files == 0 {
            return Err(format!("{named} holds no files of PHP"));
        }
        let definitions = opened.store.definitions(opened.status.generation);
        Ok((scanned, definitions.map_err(|error| words::plain(&error.to_string()).into_owned())?))
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
    for found in uses.filter(|found| !definitions.flags.contains_key(&found.flag)) {
        if told.insert(found.flag.as_str()) {
            let near = nearest(&found.flag, definitions.flags.keys().map(String::as_str));
            let near = near.map_or(String::new(), |near| format!(", did you mean {near}?"));
            missing.push(format!("{} ({}:{}{near})", words::plain(&found.flag), found.file, found.line));
        }
    }
    let Some(first) = told.first() else {
        let flags = words::counted(scanned.flags().len() as u64, "flag");
        return report
            .passed(CODE_UNDEFINED, format!("the code names {flags}, each published{}", untold(scanned)));
    };
    report.failed(
        CODE_UNDEFINED,
        format!(
            "{} named in the code and not published, so off: {}",
            words::counted(missing.len() as u64, "flag"),
            words::some(missing.iter(), SHOWN)
        ),
        format!("flagstone add {} --file flags.json && flagstone publish flags.json", words::plain(first)),
    );
}

fn unused(scanned: &Scan, definitions: &Definitions, report: &mut Report) {
    let mut named = scanned.flags();
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
                words::counted(unused.len() as u64, "flag"),
                words::some(unused.iter(), SHOWN),
                untold(scanned)
            ),
            "if nothing asks for it any more, take it out of the file of definitions, and publish that",
        ),
    }
}

/// That not everything can be read from the source.
fn untold(scanned: &Scan) -> String {
    match scanned.untold.len() as u64 {
        0 => String::new(),
        places => {
            format!(" ({} name one at run time only: flagstone scan DIR)", words::counted(places, "place"))
        }
    }
}

/// What the application's `.env` says of its environment and its store.
fn application(directory: &Path, settings: std::io::Result<String>, opened: &Opened, report: &mut Report) {
    let path = directory.join(".env");
    let named = words::plain(&path.to_string_lossy()).into_owned();
    let text = match settings {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return report.not_asked(APPLICATION, format!("there is no {named}"));
        }
        Err(error) => return report.unknown(APPLICATION, format!("cannot read {named}: {error}"), None),
    };
    let expected = opened.store.environment();
    let environment = setting(&text, "FLAGSTONE_ENVIRONMENT").or_else(|| setting(&text, "APP_ENV"));
    if let Some(found) = environment.as_deref().filter(|found| *found != expected) {
        let (found, expected) = (words::plain(found), words::plain(expected));
        return report.failed(
            APPLICATION,
            format!("{named} is for {found}, the store for {expected}"),
            format!("name the store of {found} in {named}: FLAGSTONE_STORE=DIRECTORY; or look at that one: --store DIRECTORY"),
        );
    }
    if let Some(store) =
        setting(&text, "FLAGSTONE_STORE").filter(|store| !store.is_empty() && !store.contains("${"))
    {
        let canonical = directory.join(&store).canonicalize().unwrap_or(PathBuf::from(&store));
        if canonical != opened.store.directory() {
            let shown = words::plain(&opened.store.directory().to_string_lossy()).into_owned();
            return report.failed(
                APPLICATION,
                format!("{named} names the store {}, not {shown}", words::plain(&store)),
                format!(
                    "write FLAGSTONE_STORE={shown} in {named}, or look at the other: --store {}",
                    words::plain(&store)
                ),
            );
        }
    }
    let said = environment
        .map_or("says no environment".to_owned(), |found| format!("is for {}", words::plain(&found)));
    report.passed(APPLICATION, format!("{named} {said}, as the store"));
}

/// A variable's value, without its quotes and what follows as a comment.
fn setting(text: &str, name: &str) -> Option<String> {
    let value = text.lines().rev().find_map(|line| {
        let line = line.trim();
        let (key, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        (key.trim() == name).then_some(value.trim())
    })?;
    let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.split(*quote).next());
    let bare = || value.split(" #").next().unwrap_or("").trim();
    Some(quoted.unwrap_or_else(bare).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_read_as_dotenv_reads_it() {
        let text = "# APP_ENV=no\nAPP_ENV=local\nexport APP_ENV=\"production\"\nX='a b' # c\nY=1 # two\nZ=\n";
        assert_eq!(setting(text, "APP_ENV").as_deref(), Some("production"));
        assert_eq!(setting(text, "X").as_deref(), Some("a b"));
        assert_eq!(setting(text, "Y").as_deref(), Some("1"));
        assert_eq!(setting(text, "Z").as_deref(), Some(""));
        assert_eq!(setting(text, "APP"), None);
    }
}
