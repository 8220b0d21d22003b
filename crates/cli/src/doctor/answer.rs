//! The answer of a PHP about its extension, compared with the store.

use super::store::Opened;
use super::{Kind, Report};
use crate::{counters, display};
use serde::Deserialize;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The script that answers; `examples/doctor.php`.
pub const SCRIPT: &str = include_str!("../../../../examples/doctor.php");
/// Declares the extension's functions, each on a line that begins with `function`.
const STUB: &str = include_str!("../../../../php-stubs/flagstone.stub.php");
/// The beginning of the line with the answer.
const MARK: &str = "flagstone-doctor: ";

/// The answer of one process.
#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    /// Version of PHP.
    pub php: String,
    /// Process id.
    pub pid: u64,
    /// The store that php.ini or the pool names; empty if the application names it.
    pub named: String,
    /// The extension's status; none if it is not loaded.
    pub status: Option<Status>,
    /// The extension's functions that code can call; none if it is not loaded, or the script is an older one.
    #[serde(default)]
    pub functions: Option<Vec<String>>,
    /// Device and inode of the directory behind the answers, if PHP could tell.
    #[serde(default)]
    pub directory: Option<(u64, u64)>,
}

/// The directory behind an answer, compared with the store's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The store's directory, by whatever path.
    Same,
    /// The store's path. PHP could not tell which directory that is to it.
    SamePath,
    /// Another directory under the store's path, as a mount keeps it after the store was replaced.
    Replaced,
    Other,
}

impl Answer {
    /// Compares device and inode: a pool in a chroot, in a container or with mounts of its own can have the store under another path, and
    /// another directory under the store's path.
    fn origin(&self, found: &str, store: &Path) -> Origin {
        let own = store.metadata().ok().map(|own| (own.dev(), own.ino()));
        match (self.directory, Path::new(found) == store) {
            (Some(_), _) if self.directory == own => Origin::Same,
            (Some(_), true) => Origin::Replaced,
            (None, true) => Origin::SamePath,
            (_, false) => Origin::Other,
        }
    }

    /// The functions that its code cannot call, although the extension has them, with the way to mend it; none if there are none.
    pub fn disabled(&self, place: &Where<'_>) -> Option<(String, String)> {
        let found = self.functions.as_ref()?;
        // An older extension has fewer; its version is another check.
        if self.status.as_ref().is_some_and(|status| status.version != env!("CARGO_PKG_VERSION")) {
            return None;
        }
        let declared =
            STUB.lines().filter_map(|line| Some(line.strip_prefix("function ")?.split_once('(')?.0));
        let missing: Vec<&str> = declared.filter(|name| found.iter().all(|found| found != name)).collect();
        (!missing.is_empty()).then(|| {
            (
                format!("code in {} cannot call {}()", place.name, missing.join("(), ")),
                format!(
                    "take them out of disable_functions in php.ini or in the pool's file, and: {}",
                    place.reload
                ),
            )
        })
    }

    /// True if only the path says that the answers come from that store.
    fn is_from_path_alone(&self, store: &Path) -> bool {
        let found = self.status.as_ref().and_then(|status| status.store.as_deref());
        found.is_some_and(|found| self.origin(found, store) == Origin::SamePath)
    }
}

/// The result of `flagstone_status()`.
#[derive(Debug, Clone, Deserialize)]
pub struct Status {
    pub version: String,
    pub store: Option<String>,
    pub environment: Option<String>,
    pub generation: u64,
    pub source: String,
    pub last_error: Option<String>,
    #[serde(default)]
    pub warning: Option<String>,
    /// None if the extension is older than its SIGBUS handler.
    #[serde(default)]
    pub sigbus: Option<String>,
    /// The worker's counters; none if the extension is older than them.
    #[serde(default)]
    pub telemetry: Option<Telemetry>,
}

/// The file with a worker's counters, or the reason that it does not count; neither where `flagstone.telemetry` is off.
#[derive(Debug, Clone, Deserialize)]
pub struct Telemetry {
    #[serde(default)]
    pub file: Option<PathBuf>,
    #[serde(default)]
    pub error: Option<String>,
}

/// Finds the answer in the output; the error is the reason that there is none.
pub fn parse(printed: &str) -> Result<Answer, String> {
    let line = printed.lines().rev().find_map(|line| line.strip_prefix(MARK));
    match line {
        Some(json) => {
            serde_json::from_str(json).map_err(|error| format!("its answer is not as expected: {error}"))
        }
        None => Err(match told(printed) {
            "" => "it printed nothing".to_owned(),
            text => format!("it printed: {}", display::plain(text)),
        }),
    }
}

/// The line that says most about the failure.
pub fn told(printed: &str) -> &str {
    let lines = || printed.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(MARK));
    let line = lines().find(|line| line.contains("flagstone")).or_else(|| lines().next()).unwrap_or("");
    line.char_indices().nth(300).map_or(line, |(end, _)| &line[..end])
}

/// A PHP's name in a sentence, and the lines that mend it.
pub struct Where<'a> {
    /// The name: `php (8.2.29)`, `a worker behind /run/php/php8.2-fpm.sock (PHP 8.2.29)`.
    pub name: &'a str,
    /// The command that makes it load what is installed.
    pub reload: &'a str,
    /// The setting that names the store for it, and where it is set; ` = DIRECTORY` follows.
    pub setting: &'a str,
}

/// Checks that the extension's version is this command's.
pub fn version(kind: Kind, status: &Status, place: &Where<'_>, report: &mut Report) {
    let (found, own) = (&status.version, env!("CARGO_PKG_VERSION"));
    match found == own {
        true => report.passed(kind, format!("{own}, as this command")),
        false => report.failed(
            kind,
            format!("{} has {}, this command is {own}", place.name, display::plain(found)),
            format!("install both from one release (make install), then: {}", place.reload),
        ),
    }
}

/// The reason that PHP does not answer from the generation in the head, with the way to mend it; none if it does.
pub fn trouble(answer: &Answer, opened: &Opened, place: &Where<'_>) -> Option<(String, String)> {
    if let Some(disabled) = answer.disabled(place) {
        return Some(disabled);
    }
    let status = answer.status.as_ref()?;
    let (store, head) = (opened.store.directory(), opened.status.generation);
    let shown = display::plain(&store.to_string_lossy()).into_owned();
    let why =
        status.last_error.as_deref().map_or(String::new(), |error| format!(": {}", display::plain(error)));
    let Some(found) = &status.store else {
        let mend = match answer.named.is_empty() {
            true => format!("see that its user can read the store, or name it: {} = {shown}", place.setting),
            false => format!("see that its user can read it: ls -ld {}", display::argument(&answer.named)),
        };
        return Some((format!("{} opens no store{why}", place.name), mend));
    };
    match answer.origin(found, store) {
        Origin::Same | Origin::SamePath => {}
        Origin::Replaced => {
            let above = store.parent().unwrap_or(store).to_string_lossy();
            return Some((
                format!(
                    "{} answers from another directory under the path {shown}, such as a mount keeps after the store was replaced: no kill \
                     that is made here reaches it",
                    place.name
                ),
                format!(
                    "restart the service or container, which then mounts what is there now: {}; for the next time mount the directory above \
                     the store, {}",
                    place.reload,
                    display::argument(&above)
                ),
            ));
        }
        Origin::Other => {
            return Some((
                format!("{} answers from {}, not from {shown}", place.name, display::plain(found)),
                format!(
                    "name the same store: {} = {shown}; or ask about the other: --store {}; a chroot or container that mounted this store \
                     before it was replaced is restarted",
                    place.setting,
                    display::argument(found)
                ),
            ));
        }
    }
    let environment = status.environment.as_deref().unwrap_or("");
    if environment != opened.store.environment() {
        return Some((
            format!(
                "{} answers for {}, the store is for {}",
                place.name,
                display::plain(environment),
                display::plain(opened.store.environment())
            ),
            place.reload.to_owned(),
        ));
    }
    // A publish may come between the reading of the head and this answer.
    if status.generation < head || status.source != "current" {
        return Some((
            format!(
                "{} answers from generation {} ({}), the head names {head}{why}",
                place.name,
                status.generation,
                display::plain(&status.source)
            ),
            readers_back(status, store)
                .unwrap_or_else(|| "publish the same definitions again: flagstone publish FILE".to_owned()),
        ));
    }
    // The switches may be the same now: the next kill is what it misses.
    if status.last_error.is_some() {
        return Some((
            format!("{} cannot follow the store, so that no kill from now on reaches it{why}", place.name),
            readers_back(status, store).unwrap_or_else(|| "mend what that names".to_owned()),
        ));
    }
    None
}

/// The way to mend a worker's error, if it is one of permissions.
fn readers_back(status: &Status, store: &Path) -> Option<String> {
    let error = status.last_error.as_ref().filter(|error| error.contains("(os error 13)"))?;
    let named = ["snapshots", "head"].map(|name| store.join(name));
    let named = named.iter().find(|path| error.contains(&*path.to_string_lossy())).map(PathBuf::as_path);
    let is_closed = |path: &&Path| path.metadata().is_ok_and(|found| found.mode() & 0o001 == 0);
    let in_the_way = named.or_else(|| store.ancestors().skip(1).find(is_closed));
    Some(counters::readers_back(store, in_the_way.unwrap_or(store)))
}

/// Part of a warning about a setting of PHP's that was not understood.
const NOT_UNDERSTOOD: &str = "; it is ignored";

/// The settings that were not understood.
fn refused_settings(status: &Status) -> Option<&str> {
    let warning = status.warning.as_deref()?;
    let last = warning.find(NOT_UNDERSTOOD)?;
    let first = warning.get(..last)?.rfind("; ").map_or(0, |end| end + 2);
    warning.get(first..)
}

/// Reports the answer, a store that is known by its path alone, settings that were not understood, and whether a truncated mapped file
/// can end the process.
pub fn answers(kind: Kind, answer: &Answer, store: &Path, found: String, report: &mut Report) {
    let Some(status) = &answer.status else { return };
    if answer.is_from_path_alone(store) {
        return report.warned(
            kind,
            format!("{found}; whether its path leads to this very directory cannot be determined"),
            "let PHP look at the store (stat() in disable_functions, open_basedir), or copy examples/doctor.php again",
        );
    }
    if let Some(refused) = refused_settings(status) {
        return report.warned(
            kind,
            format!("{found}; {}", display::plain(refused)),
            "mend the setting in php.ini or in the pool's file, and restart PHP",
        );
    }
    match status.sigbus.as_deref() {
        Some("in_place") => report.passed(kind, format!("{found}, SIGBUS handler in place")),
        Some("replaced") => report.warned(
            kind,
            format!("{found}, but something else in the process took SIGBUS: a file that is cut short can end it"),
            "find the extension that handles SIGBUS (a crash reporter), or set flagstone.map = private, which leaves the head",
        ),
        Some("blocked") => report.warned(
            kind,
            format!("{found}, but something in the process blocks SIGBUS: a file that is cut short can end it"),
            "find the extension that changes the mask of its thread's signals, and have it leave SIGBUS out",
        ),
        _ => report.passed(kind, found),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CODE_UNUSED, State};
    use super::*;

    #[test]
    fn the_answer_is_found_among_warnings() {
        let printed = "PHP Warning: something\n\nflagstone-doctor: {\"php\": \"8.2.1\", \"sapi\": \"cli\", \"pid\": 7, \"named\": \"\", \"status\": null}\n";
        assert_eq!(parse(printed).map(|answer| (answer.pid, answer.status.is_none())), Ok((7, true)));
    }

    #[test]
    fn without_an_answer_the_line_that_names_flagstone_is_told() {
        let printed =
            "\nNotice: other\nWarning: PHP Startup: Unable to load dynamic library 'flagstone.so'\n";
        assert_eq!(told(printed), "Warning: PHP Startup: Unable to load dynamic library 'flagstone.so'");
        assert_eq!(parse("").err().as_deref(), Some("it printed nothing"));
        assert!(parse("\x1b[2J").err().is_some_and(|error| !error.contains('\x1b')));
    }

    #[test]
    fn settings_that_were_not_understood_are_found_among_warnings() {
        let refused = "flagstone.map is \"x\", expected auto, private or shared; it is ignored";
        let of = |warning: &str| {
            let status = serde_json::json!({"version": "", "store": null, "environment": null, "generation": 1, "source": "current", "last_error": null, "warning": warning});
            let status: Status = serde_json::from_value(status).expect("a status");
            refused_settings(&status).map(str::to_owned)
        };
        assert_eq!(of("a group can write it; and more"), None);
        assert_eq!(of(refused).as_deref(), Some(refused));
        assert_eq!(
            of(&format!("a group can write it; {refused}; {refused}")),
            Some(format!("{refused}; {refused}"))
        );
    }

    #[test]
    fn whoever_keeps_a_fault_from_the_handler_is_warned_of() {
        for (sigbus, state) in
            [("in_place", State::Passed), ("replaced", State::Warned), ("blocked", State::Warned)]
        {
            let status = Status {
                version: String::new(),
                store: None,
                environment: None,
                generation: 1,
                source: "current".to_owned(),
                last_error: None,
                warning: None,
                telemetry: None,
                sigbus: Some(sigbus.to_owned()),
            };
            let answer = Answer {
                php: "8.2.29".to_owned(),
                pid: 7,
                named: String::new(),
                status: Some(status),
                functions: None,
                directory: None,
            };
            let mut report = Report::default();
            answers(CODE_UNUSED, &answer, Path::new("/"), "php answers".to_owned(), &mut report);
            let [check] = report.checks.as_slice() else { panic!("one check") };
            assert_eq!(check.state, state, "{sigbus}: {}", check.found);
        }
    }
}
