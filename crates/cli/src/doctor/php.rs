//! The PHP of the command line, which runs queue workers, artisan and cron jobs.

use super::answer::{self, Answer, SCRIPT, Where};
use super::store::Opened;
use super::{PHP, PHP_ANSWERS, PHP_VERSION, Report};
use crate::process::{self, RunResult};
use crate::{display, entry, identity};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

/// Settings of Debian's PHPs, by version and server interface.
const SETTINGS: &str = "/etc/php";
/// Timeout for PHP to start and answer.
const PHP_TIMEOUT: Duration = Duration::from_secs(10);

/// The answer to the user who typed the command, if this process has changed its user since.
static ASKED: Mutex<Option<Result<Option<RunResult>, String>>> = Mutex::new(None);

/// Asks the named PHP before this process changes its user.
pub fn ahead(php: &Path, store: &Path) {
    if let Ok(mut asked) = ASKED.lock() {
        *asked = Some(ask(php, store));
    }
}

fn ask(program: &Path, store: &Path) -> Result<Option<RunResult>, String> {
    entry::judge_program(program)
        .map_err(|error| format!("cannot run {}: {error}", display::plain(&program.to_string_lossy())))?;
    let mut command = Command::new(program);
    if identity::became().is_some() {
        process::own_environment(&mut command);
    }
    // Shows warnings here: they are worth reporting, and a log would hide them.
    command.args(["-d", "display_errors=1", "-d", "html_errors=0", "-d", "log_errors=0", "-r"]);
    command.arg(SCRIPT.trim_start_matches("<?php")).arg("--").arg(store);
    process::run(command, None, PHP_TIMEOUT)
}

/// Checks PHP.
pub fn checks(php: Option<&Path>, opened: &Opened, report: &mut Report) {
    let program = php.unwrap_or(Path::new("php"));
    let name = display::plain(&program.to_string_lossy()).into_owned();
    let asked = ASKED.lock().ok().and_then(|mut asked| asked.take());
    let ran = match asked.unwrap_or_else(|| ask(program, opened.store.directory())) {
        Ok(Some(ran)) => ran,
        Ok(None) => {
            return nothing(&format!("{name} did not end within {} s", PHP_TIMEOUT.as_secs()), report);
        }
        Err(error) => return nothing(&error, report),
    };
    let answer = match answer::parse(&ran.out) {
        Ok(answer) => answer,
        Err(error) => {
            let error = if ran.err.trim().is_empty() {
                error
            } else {
                display::plain(answer::told(&ran.err)).into_owned()
            };
            return nothing(&format!("{name} does not answer: {error}"), report);
        }
    };
    let place = Where {
        name: &name,
        reload: "restart what runs long, as the application's owner: sudo -u OWNER php artisan queue:restart",
        setting: &format!("in php.ini of `{name} --ini`: flagstone.store"),
    };
    let Some(status) = &answer.status else {
        if let Some((found, mend)) = answer.disabled(&place) {
            report.failed(PHP, found, mend);
            for kind in [PHP_VERSION, PHP_ANSWERS] {
                report.unknown(kind, "the extension gave no answer", None);
            }
            return;
        }
        let why = match answer::told(&ran.out) {
            "" => String::new(),
            told => format!(": {}", display::plain(told)),
        };
        report.failed(
            PHP,
            format!("{name} ({}) has no extension{why}", display::plain(&answer.php)),
            format!(
                "install it: make install, or add extension=flagstone to what `{} --ini` lists",
                display::argument(&program.to_string_lossy())
            ),
        );
        report.unknown(PHP_VERSION, "there is no extension", None);
        report.unknown(PHP_ANSWERS, "there is no extension", None);
        return;
    };
    let found = format!("{name} ({}) has the extension", display::plain(&answer.php));
    match lacking(&answer.php) {
        Some((directory, mend)) => report.warned(
            PHP,
            format!("{found}; {} lacks flagstone.ini, which another has", display::plain(&directory)),
            mend,
        ),
        None => report.passed(PHP, found),
    }
    answer::version(PHP_VERSION, status, &place, report);
    match answer::trouble(&answer, opened, &place) {
        Some((found, mend)) => report.failed(PHP_ANSWERS, found, mend),
        None => answer::answers(
            PHP_ANSWERS,
            &answer,
            opened.store.directory(),
            format!("from generation {}{}", status.generation, named(&answer)),
            report,
        ),
    }
}

/// The directory of settings of a server interface of that PHP that lacks the extension while another has it, as where it was installed
/// later, and the line that enables it there.
fn lacking(php: &str) -> Option<(String, String)> {
    let version = php.split('.').take(2).collect::<Vec<_>>().join(".");
    version.split('.').all(|part| part.parse::<u8>().is_ok()).then_some(())?;
    let interfaces = Path::new(SETTINGS).join(&version).read_dir().ok()?.flatten();
    let (mut with, mut without) = (false, Vec::new());
    for directory in interfaces.map(|interface| interface.path().join("conf.d")) {
        let Ok(files) = directory.read_dir() else { continue };
        match files.flatten().any(|file| file.file_name().to_string_lossy().ends_with("flagstone.ini")) {
            true => with = true,
            false => without.push(directory),
        }
    }
    let directory = without.into_iter().filter(|_| with).min()?;
    let interface = directory.parent()?.file_name()?.to_string_lossy();
    let restart = match &*interface {
        "fpm" => format!(" && sudo systemctl restart php{version}-fpm"),
        "apache2" => " && sudo systemctl restart apache2".to_owned(),
        _ => String::new(),
    };
    let mend = format!("sudo phpenmod -v {version} -s {} flagstone{restart}", display::argument(&interface));
    Some((directory.to_string_lossy().into_owned(), mend))
}

/// A remark for the case that PHP's own settings name no store.
pub fn named(answer: &Answer) -> &'static str {
    match answer.named.is_empty() {
        true => ", asked as an application that names this store",
        false => "",
    }
}

/// Reports the checks as left out.
pub fn unasked(report: &mut Report) {
    for kind in [PHP, PHP_VERSION, PHP_ANSWERS] {
        report.not_asked(kind, "left out (--skip php)");
    }
}

fn nothing(why: &str, report: &mut Report) {
    let mend = "name the PHP that runs artisan and queue workers: --php PATH".to_owned();
    report.unknown(PHP, why, Some(mend));
    for kind in [PHP_VERSION, PHP_ANSWERS] {
        report.unknown(kind, "PHP did not answer", None);
    }
}
