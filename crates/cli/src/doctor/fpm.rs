//! The workers behind PHP-FPM's socket, asked over FastCGI.
//!
//! FPM runs files only, so that a script has to be where the pool's user can read it: one is made in a directory of its own and
//! removed afterwards, below the first of a few places that the pool can see. A pool with a chroot, an
//! `open_basedir` or a container of its own needs a copy that is there already.

use super::answer::{self, Answer, SCRIPT, Where};
use super::store::Opened;
use super::{FPM, FPM_ANSWERS, FPM_VERSION, FPM_WORKERS, Report, php};
use crate::fastcgi::{self, Address};
use crate::{privileged, words};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests at the same time, and one after the other on each.
const AT_ONCE: usize = 8;
const EACH: usize = 5;
/// How long each keeps its worker, in microseconds, so that the next goes to another one.
const PAUSE: &str = "20000";
/// Where the script may go. The first is root's; a service with a /tmp of its own does not see ours.
const PLACES: [&str; 4] = ["/run", "/tmp", "/dev/shm", "/var/tmp"];

/// What a worker's warning has in it where a web server sent settings.
const SENT: &str = "PHP_ADMIN_VALUE";
/// The setting that names a pool's store.
const SETTING: &str = "in the pool's file: php_admin_value[flagstone.store]";

/// Not asked for.
pub fn unasked(report: &mut Report) {
    for kind in [FPM, FPM_VERSION, FPM_ANSWERS, FPM_WORKERS] {
        report.not_asked(kind, "name what the pool listens on: --fpm SOCKET");
    }
}

/// The first answer, where there is one.
pub fn checks(
    socket: &Address,
    script: Option<&Path>,
    opened: &Opened,
    report: &mut Report,
) -> Option<Answer> {
    let asked = Asked::new(socket, opened);
    let (script, first) = match asked.first(script) {
        Ok(found) => found,
        Err((error, mend)) => {
            report.unknown(FPM, error, Some(mend));
            for kind in [FPM_VERSION, FPM_ANSWERS, FPM_WORKERS] {
                report.unknown(kind, "FPM did not answer", None);
            }
            return None;
        }
    };
    let reload = format!("systemctl restart php{}-fpm", minor(&first.php));
    let Some(status) = &first.status else {
        report.failed(
            FPM,
            format!("the workers behind {} (PHP {}) have no extension", asked.name, words::plain(&first.php)),
            format!("install it: make install, and: {reload}"),
        );
        for kind in [FPM_VERSION, FPM_ANSWERS, FPM_WORKERS] {
            report.unknown(kind, "there is no extension", None);
        }
        return Some(first);
    };
    report.passed(
        FPM,
        format!("the workers behind {} (PHP {}) have the extension", asked.name, words::plain(&first.php)),
    );
    let place = Where { name: "FPM", reload: &reload, setting: SETTING };
    answer::version(FPM_VERSION, status, &place, report);
    match answer::trouble(&first, opened, &place) {
        Some((found, mend)) => report.failed(FPM_ANSWERS, found, mend),
        None => {
            let found = format!("from generation {}{}", status.generation, php::named(&first));
            answer::answers(FPM_ANSWERS, status, found, report);
        }
    }
    asked.workers(&script.path, &reload, report);
    Some(first)
}

struct Asked<'a> {
    socket: &'a Address,
    name: String,
    opened: &'a Opened,
    store: String,
}

impl<'a> Asked<'a> {
    fn new(socket: &'a Address, opened: &'a Opened) -> Asked<'a> {
        let name = match socket {
            Address::Unix(path) => path.to_string_lossy().into_owned(),
            Address::Tcp(name) => name.clone(),
        };
        let store = opened.store.directory().to_string_lossy().into_owned();
        Asked { socket, name: words::plain(&name).into_owned(), opened, store }
    }

    /// The first answer, and the script that gave it; or what is wrong and how to mend it.
    fn first(&self, given: Option<&Path>) -> Result<(Script, Answer), (String, String)> {
        if let Some(path) = given {
            let script = Script { path: path.to_string_lossy().into_owned(), made: Made::No };
            let mend = "copy examples/doctor.php to where the pool can read it, and name the path as the pool sees it";
            return match self.ask(&script.path) {
                Ok(answer) => Ok((script, answer)),
                Err(error) => {
                    Err((format!("{} does not answer: {}", self.name, error.text()), mend.to_owned()))
                }
            };
        }
        let mut unseen = Vec::new();
        for (number, place) in PLACES.into_iter().enumerate() {
            let Ok(script) = Script::make(number) else { continue };
            match self.ask(&script.path) {
                Ok(answer) => return Ok((script, answer)),
                Err(Trouble::Unseen(why)) => unseen.push(format!("{place}: {why}")),
                Err(error) => {
                    let mend = "name what the pool listens on (its `listen`), and ask as a user who may connect to it, such as root";
                    return Err((
                        format!("{} does not answer: {}", self.name, error.text()),
                        mend.to_owned(),
                    ));
                }
            }
        }
        Err((
            format!("FPM cannot run a script of ours ({})", unseen.join("; ")),
            "copy examples/doctor.php to where the pool can read it, and name the path as the pool sees it: --fpm-script PATH".to_owned(),
        ))
    }

    fn ask(&self, script: &str) -> Result<Answer, Trouble> {
        let parameters = [("FLAGSTONE_DOCTOR_STORE", self.store.as_str()), ("FLAGSTONE_DOCTOR_PAUSE", PAUSE)];
        let response = fastcgi::ask(self.socket, script, &parameters, PATIENCE).map_err(Trouble::Other)?;
        match answer::parse(&response.body) {
            Ok(answer) => Ok(answer),
            Err(_) if matches!(response.status, 403 | 404) => {
                let why = if response.errors.trim().is_empty() { &response.body } else { &response.errors };
                Err(Trouble::Unseen(words::plain(answer::told(why)).into_owned()))
            }
            Err(error) => Err(Trouble::Other(format!("status {}, {error}", response.status))),
        }
    }

    /// Asks often enough to meet several workers.
    fn workers(&self, script: &str, reload: &str, report: &mut Report) {
        let asks = || (0..EACH).map(|_| self.ask(script)).collect::<Vec<_>>();
        let answers: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(asks)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
        });
        let requests = answers.len();
        let (mut workers, mut silent) = (HashMap::new(), Vec::new());
        for answer in answers {
            match answer {
                // The last answer of each counts.
                Ok(answer) => drop(workers.insert(answer.pid, answer)),
                Err(error) => silent.push(error.text()),
            }
        }
        let mut behind: Vec<(String, String)> = Vec::new();
        let mut sent = Vec::new();
        for answer in workers.values() {
            let name = format!("worker {}", answer.pid);
            let place = Where { name: &name, reload, setting: SETTING };
            match &answer.status {
                None => behind.push((format!("{name} has no extension"), reload.to_owned())),
                Some(status) => {
                    behind.extend(answer::trouble(answer, self.opened, &place));
                    let warning = status.warning.as_deref().filter(|warning| warning.contains(SENT));
                    sent.extend(warning.map(|warning| format!("{name}: {}", words::plain(warning))));
                }
            }
        }
        behind.sort();
        sent.sort();
        let met = format!("{} met in {requests} requests", words::counted(workers.len() as u64, "worker"));
        match (behind.first(), silent.first()) {
            (Some((_, mend)), _) => {
                let found = behind.iter().map(|(found, _)| found);
                report.failed(
                    FPM_WORKERS,
                    format!("{met}, {} not on the newest generation: {}", behind.len(), words::some(found, 3)),
                    format!("{mend}; and if that does not help: {reload}"),
                );
            }
            (None, None) if !sent.is_empty() => report.warned(
                FPM_WORKERS,
                format!("{met}; {}", words::some(sent.iter(), 1)),
                format!(
                    "give each application a pool of its own, and take flagstone's settings out of the web server's \
                     PHP_VALUE and PHP_ADMIN_VALUE: {SETTING} = {}",
                    words::plain(&self.store)
                ),
            ),
            (None, Some(error)) => report.warned(
                FPM_WORKERS,
                format!("{met}, {} without an answer: {error}", silent.len()),
                "look at the pool's log, and whether pm.max_children is reached",
            ),
            (None, None) => report.passed(FPM_WORKERS, format!("{met}, all on the newest generation")),
        }
    }
}

enum Trouble {
    /// FPM is there, and cannot run the script.
    Unseen(String),
    Other(String),
}

impl Trouble {
    fn text(&self) -> String {
        match self {
            Trouble::Unseen(text) | Trouble::Other(text) => text.clone(),
        }
    }
}

/// A script for the pool; what was made for it goes when this is dropped.
pub struct Script {
    path: String,
    made: Made,
}

enum Made {
    /// It was there.
    No,
    Here(PathBuf),
    /// By the process that stayed root.
    ByRoot,
}

impl Script {
    /// In that one of [`PLACES`], as the user who typed the command.
    fn make(place: usize) -> std::io::Result<Script> {
        let place = u8::try_from(place).unwrap_or(u8::MAX);
        match privileged::make_script(place) {
            Some(path) => Ok(Script { path: path?, made: Made::ByRoot }),
            None => Script::make_in(place),
        }
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// In a directory of its own, which nobody else can write, below a place that everybody may.
    pub fn make_in(place: u8) -> std::io::Result<Script> {
        let place = PLACES.get(usize::from(place)).ok_or(std::io::ErrorKind::InvalidInput)?;
        let random = RandomState::new().hash_one(std::process::id());
        let directory = Path::new(place).join(format!("flagstone-doctor-{random:016x}"));
        // Fails where something has that name already.
        std::fs::DirBuilder::new().mode(0o755).create(&directory)?;
        let path = directory.join("doctor.php");
        let script =
            Script { path: path.to_string_lossy().into_owned(), made: Made::Here(directory.clone()) };
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path)?;
        file.write_all(SCRIPT.as_bytes())?;
        // Whatever the umask took away.
        file.set_permissions(PermissionsExt::from_mode(0o644))?;
        std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o755))?;
        Ok(script)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        match &self.made {
            Made::No => {}
            Made::Here(directory) => _ = std::fs::remove_dir_all(directory),
            Made::ByRoot => privileged::remove_script(),
        }
    }
}

/// `8.2` of `8.2.29-1`.
fn minor(version: &str) -> String {
    version.split('.').take(2).map(|part| words::plain(part).into_owned()).collect::<Vec<_>>().join(".")
}
