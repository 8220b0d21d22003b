//! The workers behind PHP-FPM's socket, asked over FastCGI.
//!
//! FPM runs files only, so that the pool's user needs a script to read: one is made in a directory of its own and removed afterwards,
//! below the first of a few places that the pool can see. A pool with a chroot, an `open_basedir` or a container of its own needs a copy
//! that is there already.

use super::answer::{self, Answer, SCRIPT, Where};
use super::store::Opened;
use super::{FPM, FPM_ANSWERS, FPM_VERSION, FPM_WORKERS, Report, php};
use crate::fastcgi::{self, Address};
use crate::{display, privileged};
use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, open, openat, unlinkat};
use rustix::process::geteuid;
use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Timeout for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests at the same time, and in sequence on each connection.
const AT_ONCE: usize = 8;
const EACH: usize = 5;
/// Microseconds for which each request keeps its worker, so that the next goes to another one.
const PAUSE: &str = "20000";
/// Places for the script. The first is root's; a service with a /tmp of its own does not see ours.
const PLACES: [&str; 4] = ["/run", "/tmp", "/dev/shm", "/var/tmp"];
/// The script's name, in a directory of its own.
const FILE: &str = "doctor.php";

/// Part of a worker's warning about settings that a web server sent.
const SENT: &str = "PHP_ADMIN_VALUE";
/// The setting that names a pool's store.
const SETTING: &str = "in the pool's file: php_admin_value[flagstone.store]";

/// Reports the checks as not asked for.
pub fn unasked(report: &mut Report) {
    for kind in [FPM, FPM_VERSION, FPM_ANSWERS, FPM_WORKERS] {
        report.not_asked(kind, "name what the pool listens on: --fpm SOCKET");
    }
}

/// Checks the pool; returns the first answer, if there is one.
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
    let place = Where { name: "FPM", reload: &reload, setting: SETTING };
    let Some(status) = &first.status else {
        let (found, mend) = first.disabled(&place).unwrap_or_else(|| {
            (
                format!(
                    "the workers behind {} (PHP {}) have no extension",
                    asked.name,
                    display::plain(&first.php)
                ),
                format!("install it: make install, and: {reload}"),
            )
        });
        report.failed(FPM, found, mend);
        for kind in [FPM_VERSION, FPM_ANSWERS, FPM_WORKERS] {
            report.unknown(kind, "the extension gave no answer", None);
        }
        return Some(first);
    };
    report.passed(
        FPM,
        format!("the workers behind {} (PHP {}) have the extension", asked.name, display::plain(&first.php)),
    );
    answer::version(FPM_VERSION, status, &place, report);
    match answer::trouble(&first, opened, &place) {
        Some((found, mend)) => report.failed(FPM_ANSWERS, found, mend),
        None => {
            let found = format!("from generation {}{}", status.generation, php::named(&first));
            answer::answers(FPM_ANSWERS, &first, opened.store.directory(), found, report);
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
        Asked { socket, name: display::plain(&name).into_owned(), opened, store }
    }

    /// The first answer and its script; or the problem and the way to mend it.
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
        let response =
            fastcgi::ask(self.socket, script, &parameters, ANSWER_TIMEOUT).map_err(Trouble::Other)?;
        match answer::parse(&response.body) {
            Ok(answer) => Ok(answer),
            Err(_) if matches!(response.status, 403 | 404) => {
                let why = if response.errors.trim().is_empty() { &response.body } else { &response.errors };
                Err(Trouble::Unseen(display::plain(answer::told(why)).into_owned()))
            }
            Err(error) => Err(Trouble::Other(format!("status {}, {error}", response.status))),
        }
    }

    /// Sends enough requests to meet several workers.
    fn workers(&self, script: &str, reload: &str, report: &mut Report) {
        let asks = || (0..EACH).map(|_| self.ask(script)).collect::<Vec<_>>();
        let answers: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..AT_ONCE).map(|_| thread::Builder::new().spawn_scoped(scope, asks)).collect();
            let ended = threads.into_iter().flat_map(|thread| match thread {
                Ok(thread) => thread.join().unwrap_or_default(),
                Err(error) => vec![Err(Trouble::Other(fastcgi::no_thread(&error)))],
            });
            ended.collect()
        });
        let requests = answers.len();
        let (mut workers, mut silent) = (HashMap::new(), Vec::new());
        for answer in answers {
            match answer {
                // The last answer of each worker counts.
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
                None => behind.push(
                    answer
                        .disabled(&place)
                        .unwrap_or_else(|| (format!("{name} has no extension"), reload.to_owned())),
                ),
                Some(status) => {
                    behind.extend(answer::trouble(answer, self.opened, &place));
                    let warning = status.warning.as_deref().filter(|warning| warning.contains(SENT));
                    sent.extend(warning.map(|warning| format!("{name}: {}", display::plain(warning))));
                }
            }
        }
        behind.sort();
        sent.sort();
        let met = format!("{} met in {requests} requests", display::counted(workers.len() as u64, "worker"));
        match (behind.first(), silent.first()) {
            (Some((_, mend)), _) => {
                let found = behind.iter().map(|(found, _)| found);
                report.failed(
                    FPM_WORKERS,
                    format!("{met}, {} not on the newest generation: {}", behind.len(), display::some(found, 3)),
                    format!("{mend}; and if that does not help: {reload}"),
                );
            }
            (None, None) if !sent.is_empty() => report.warned(
                FPM_WORKERS,
                format!("{met}; {}", display::some(sent.iter(), 1)),
                format!(
                    "give each application a pool of its own, and take flagstone's settings out of the web server's \
                     PHP_VALUE and PHP_ADMIN_VALUE: {SETTING} = {}",
                    display::plain(&self.store)
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
    /// FPM answers, but cannot run the script.
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

/// A script for the pool; it is removed when this is dropped, if it was made here.
pub struct Script {
    path: String,
    made: Made,
}

enum Made {
    /// A script that was there before.
    No,
    Here {
        outer: File,
        name: String,
        directory: File,
    },
    /// Made by the process that stayed root.
    ByRoot,
}

impl Script {
    /// Makes it in one of [`PLACES`], as the user who typed the command.
    fn make(place: usize) -> io::Result<Script> {
        let place = u8::try_from(place).unwrap_or(u8::MAX);
        match privileged::make_script(place) {
            Some(path) => Ok(Script { path: path?, made: Made::ByRoot }),
            None => Script::make_in(place),
        }
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// Makes it in a directory of its own that only this user can write, below a place that every user can.
    pub fn make_in(place: u8) -> io::Result<Script> {
        let place = PLACES.get(usize::from(place)).ok_or(io::ErrorKind::InvalidInput)?;
        Script::make_below(Path::new(place))
    }

    /// Makes, gives modes and removes below descriptors only: those who can write the place may put a link there at any moment.
    fn make_below(place: &Path) -> io::Result<Script> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let outer = File::from(open(place, flags, Mode::empty())?);
        let (found, user) = (outer.metadata()?, geteuid().as_raw());
        let may_exchange = found.mode() & 0o022 != 0 && found.mode() & 0o1000 == 0;
        if may_exchange || ![0, user].contains(&found.uid()) {
            return Err(io::Error::other("others can exchange what is made there"));
        }
        let name = format!("flagstone-doctor-{:016x}", RandomState::new().hash_one(std::process::id()));
        // Fails if the name is taken.
        mkdirat(&outer, &name, Mode::RWXU)?;
        let directory = File::from(openat(&outer, &name, flags | OFlags::NOFOLLOW, Mode::empty())?);
        if directory.metadata()?.uid() != user {
            return Err(io::Error::other("something else took the place of what was made"));
        }
        let path = place.join(&name).join(FILE).to_string_lossy().into_owned();
        let script = Script { path, made: Made::Here { outer, name, directory } };
        let Made::Here { directory, .. } = &script.made else { return Ok(script) };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(directory, FILE, flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all(SCRIPT.as_bytes())?;
        // Restores rights that the umask took away.
        file.set_permissions(PermissionsExt::from_mode(0o644))?;
        directory.set_permissions(PermissionsExt::from_mode(0o755))?;
        Ok(script)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        match &self.made {
            Made::No => {}
            Made::Here { outer, name, directory } => {
                let _ = unlinkat(directory, FILE, AtFlags::empty());
                let _ = unlinkat(outer, name, AtFlags::REMOVEDIR);
            }
            Made::ByRoot => privileged::remove_script(),
        }
    }
}

/// Returns `8.2` for `8.2.29-1`.
fn minor(version: &str) -> String {
    // Root types it, and the pool's user says it.
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    version.split('.').take(2).take_while(digits).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// A pool could put a command of its own into the line that root is told to type.
    #[test]
    fn a_version_is_digits_whatever_a_pool_says() {
        for (version, expected) in
            [("8.2.29-1", "8.2"), ("8.4.1", "8.4"), ("8.2$(touch x);", "8"), ("$(touch x)", "")]
        {
            assert_eq!(minor(version), expected, "{version}");
        }
    }

    /// Root's doctor gave its directory a mode by its path: where `/tmp` is not sticky, a link in its place gave any file that mode.
    #[test]
    fn a_script_is_made_where_nobody_can_exchange_it() {
        let place = PathBuf::from(format!("/dev/shm/flagstone-place-{}", std::process::id()));
        let mode = |mode| std::fs::set_permissions(&place, PermissionsExt::from_mode(mode)).unwrap();
        let count = || std::fs::read_dir(&place).unwrap().count();
        std::fs::create_dir(&place).unwrap();
        for (bits, is_made) in [(0o755, true), (0o1777, true), (0o777, false), (0o775, false)] {
            mode(bits);
            let script = Script::make_below(&place);
            assert_eq!(script.is_ok(), is_made, "{bits:o}");
            if let Ok(script) = script {
                let found = std::fs::metadata(script.path()).unwrap();
                let outer = std::fs::metadata(Path::new(script.path()).parent().unwrap()).unwrap();
                assert_eq!([found.mode() & 0o7777, outer.mode() & 0o7777], [0o644, 0o755]);
            }
            assert_eq!(count(), 0, "{bits:o}");
        }
        mode(0o1777);
        let secret = place.join("secret");
        std::fs::write(&secret, "secret").unwrap();
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                use rustix::fs::{CWD, RenameFlags, renameat_with};
                while !ended.load(Ordering::Relaxed) {
                    let link = place.join("link");
                    let _ = std::os::unix::fs::symlink(&secret, &link);
                    let entries = std::fs::read_dir(&place).unwrap().flatten();
                    for made in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
                        let _ = renameat_with(CWD, &link, CWD, made.path(), RenameFlags::EXCHANGE);
                    }
                }
            });
            for _ in 0..1_000 {
                drop(Script::make_below(&place));
            }
            ended.store(true, Ordering::Relaxed);
        });
        assert_eq!(std::fs::metadata(&secret).unwrap().mode() & 0o7777, 0o600);
        std::fs::remove_dir_all(&place).unwrap();
    }
}
