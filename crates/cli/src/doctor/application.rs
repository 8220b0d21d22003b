//! The application's own settings: the store and environment that result from its `.env`, configuration and php.ini.
//!
//! Only the application knows them, so its artisan is asked: as its owner, and never as root.

use super::store::Opened;
use super::{APPLICATION, Report};
use crate::process::{self, RunResult};
use crate::{display, entry, identity};
use flagstone::files::{NOBODY, PROGRAM_PATH, owner_of};
use rustix::fs::{AtFlags, CWD, FileType, Mode, Stat, fstat, openat, statat};
use rustix::io::Errno;
use rustix::process::geteuid;
use serde::Deserialize;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Timeout for artisan.
const TIMEOUT: Duration = Duration::from_secs(20);

const ARTISAN: &str = "artisan";

/// The output of `php artisan feature:settings --json`.
#[derive(Debug, Deserialize)]
struct Settings {
    environment: String,
    store: Option<PathBuf>,
    /// The store that its `.env` or configuration names, where php.ini names another, which wins.
    #[serde(default)]
    overridden_store: Option<PathBuf>,
}

/// The result of asking.
pub enum Asked {
    Settings(String),
    /// The directory holds no Laravel application.
    Absent(String),
    /// The reason that it was not asked or gave no answer, and the way out.
    Unanswered(String, String),
}

/// Asks the application in that directory, with this PHP.
pub fn ask(directory: &Path, php: Option<&Path>) -> Asked {
    let named = display::plain(&directory.join(ARTISAN).to_string_lossy()).into_owned();
    let unanswered = |why: &str, mend: String| Asked::Unanswered(format!("{named}: {why}"), mend);
    let look = || -> std::io::Result<(File, Stat, Stat)> {
        entry::judge_directory(directory)?;
        let folder = File::from(openat(CWD, directory, entry::PASS, Mode::empty())?);
        let (mut found, mut of) = (statat(&folder, ARTISAN, AtFlags::SYMLINK_NOFOLLOW)?, fstat(&folder)?);
        for found in [&mut found, &mut of] {
            found.st_uid = owner_of(&folder, found.st_dev, found.st_uid);
        }
        Ok((folder, of, found))
    };
    let (folder, of, found) = match look() {
        Ok(looked) => looked,
        Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => {
            return Asked::Absent(format!("there is no {named}"));
        }
        Err(error) => return unanswered(&error.to_string(), "name the application's directory".to_owned()),
    };
    if let Some(why) = refusal(&of, &found) {
        return unanswered(
            &why,
            "type doctor as the user who deploys, to whom the application belongs".to_owned(),
        );
    }
    let program = php.unwrap_or(Path::new("php"));
    let mend = format!(
        "look at: {}{} artisan feature:settings",
        identity::as_user(found.st_uid),
        display::argument(&program.to_string_lossy())
    );
    match run(program, folder, &found) {
        Ok(Some(ran)) => match ran.out.lines().rev().find(|line| line.starts_with('{')) {
            Some(line) if ran.status.success() => Asked::Settings(line.to_owned()),
            _ => {
                let told = ran.out.lines().chain(ran.err.lines()).find(|line| !line.trim().is_empty());
                unanswered(&display::plain(told.unwrap_or("no answer").trim()), mend)
            }
        },
        Ok(None) => unanswered(&format!("no answer within {} s", TIMEOUT.as_secs()), mend),
        Err(error) => unanswered(&error, mend),
    }
}

/// The reason not to run that file, if there is one. A hard link to a user's file in another user's directory would run code of the latter
/// as the former.
fn refusal(of: &Stat, found: &Stat) -> Option<String> {
    let user = geteuid().as_raw();
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Some(match FileType::from_raw_mode(found.st_mode) {
            FileType::Symlink => "it is a symbolic link, expected a file".to_owned(),
            FileType::Fifo => "found a pipe, expected a file".to_owned(),
            _ => "it is no file".to_owned(),
        });
    }
    // A mount on the file alone is not to be trusted about its owner.
    if found.st_dev != of.st_dev || found.st_uid == NOBODY {
        return Some("its file system does not say whose it is".to_owned());
    }
    if found.st_uid != of.st_uid || found.st_nlink != 1 || (found.st_mode | of.st_mode) & 0o002 != 0 {
        return Some("others than its owner could have put it there".to_owned());
    }
    match (user, found.st_uid) {
        (0, 0) => Some("it belongs to root, and no application is run as root".to_owned()),
        (0, _) | (_, 0) => None,
        (user, owner) if user == owner => None,
        (_, owner) => Some(format!("it belongs to user {owner}")),
    }
}

/// Runs artisan in the judged directory, as its owner.
fn run(program: &Path, folder: File, found: &Stat) -> Result<Option<RunResult>, String> {
    entry::judge_program(program)
        .map_err(|error| format!("cannot run {}: {error}", display::plain(&program.to_string_lossy())))?;
    let is_path = program.as_os_str().as_encoded_bytes().contains(&b'/');
    let program =
        if is_path { std::path::absolute(program).unwrap_or(program.to_owned()) } else { program.to_owned() };
    let mut command = Command::new(program);
    command.env_clear().env("PATH", PROGRAM_PATH).env("HOME", "/nonexistent").env("LANG", "C.UTF-8");
    command.args([
        "-d",
        "display_errors=0",
        ARTISAN,
        "feature:settings",
        "--json",
        "--no-interaction",
        "--no-ansi",
    ]);
    identity::run_as_owner(&mut command, found.st_uid);
    process::within(&mut command, folder);
    process::run(command, None, TIMEOUT)
}

pub fn check(asked: Asked, opened: &Opened, report: &mut Report) {
    let text = match asked {
        Asked::Settings(text) => text,
        Asked::Absent(why) => return report.not_asked(APPLICATION, why),
        Asked::Unanswered(why, mend) => return report.unknown(APPLICATION, why, Some(mend)),
    };
    let Ok(Settings { environment, store, overridden_store }) = serde_json::from_str(&text) else {
        let mend = "update flagstone/laravel to the version of this command".to_owned();
        return report.unknown(APPLICATION, "artisan's answer is not understood", Some(mend));
    };
    let (found, expected) = (display::plain(&environment), display::plain(opened.store.environment()));
    if found != expected {
        return report.failed(
            APPLICATION,
            format!("the application is for {found}, the store for {expected}"),
            format!("name the store of {found} in its .env: FLAGSTONE_STORE=DIRECTORY; or look at that one: --store DIRECTORY"),
        );
    }
    let canonical = |store: PathBuf| store.canonicalize().unwrap_or(store);
    let (named, overridden) = (store.map(canonical), overridden_store.map(canonical));
    if let (Some(wins), Some(loses)) = (&named, &overridden) {
        return report.failed(
            APPLICATION,
            format!(
                "php.ini names the store {}, which wins in artisan, queue workers and cron; the application names {}",
                display::plain(&wins.to_string_lossy()),
                display::plain(&loses.to_string_lossy())
            ),
            format!(
                "take flagstone.store out of the php.ini that several applications share (php --ini lists its files), and name each one's \
                 store in its .env; until then: php -d flagstone.store={} artisan",
                display::argument(&loses.to_string_lossy())
            ),
        );
    }
    let shown = display::plain(&opened.store.directory().to_string_lossy()).into_owned();
    match named {
        Some(named) if named == opened.store.directory() => {
            report
                .passed(APPLICATION, format!("the application is for {found}, and answers from this store"));
        }
        Some(named) => {
            let (named, typed) =
                (named.to_string_lossy(), display::argument(&named.to_string_lossy()).into_owned());
            let named = display::plain(&named);
            report.failed(
                APPLICATION,
                format!("the application names the store {named}, not {shown}"),
                format!("write FLAGSTONE_STORE={shown} in its .env, or look at the other: --store {typed}"),
            );
        }
        None => report.failed(
            APPLICATION,
            format!("the application is for {found}, and answers from flags.json"),
            format!("write FLAGSTONE_STORE={shown} in its .env, without FLAGSTONE_DRIVER"),
        ),
    }
}
