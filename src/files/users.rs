//! Users and groups: from the local files, then from the machine's directories (`getent`).
//!
//! A process that becomes another user asks before that, and never afterwards: the other user could look into `getent`, and act through
//! the terminal that it has.

use super::local_users::{entry_of, local};
use rustix::process::geteuid;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Longest wait for a directory.
const DIRECTORY_TIMEOUT: Duration = Duration::from_secs(2);
/// Time for which a directory is not asked again for what it did not know, or did not tell in time.
const FAILURE_AGE: Duration = Duration::from_secs(15);
/// Bytes read of a directory's answer.
const MAX_ANSWER_BYTES: u64 = 1 << 16;

/// Search path of programs started on a store's behalf, independent of the caller's environment.
pub const PROGRAM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Group of an account that no directory of users knows.
const NOGROUP: u32 = 65_534;

/// Answers of the machine's directories by database and key, and whether others may still be asked for.
static ANSWERS: Mutex<Answers> = Mutex::new(Answers { known: BTreeMap::new(), is_closed: false });

struct Answers {
    /// Each answer, or the time when there was none.
    known: BTreeMap<(String, String), Result<Vec<u8>, Instant>>,
    is_closed: bool,
}

impl Answers {
    /// The answer for that database and key. It is kept, so that each is asked for once; a failure is kept for [`FAILURE_AGE`].
    fn get(
        &mut self,
        named: [&str; 2],
        now: Instant,
        ask: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let named = named.map(str::to_owned).into();
        match self.known.get(&named) {
            Some(Ok(answer)) => return Some(answer.clone()),
            Some(Err(failed)) if now.saturating_duration_since(*failed) < FAILURE_AGE => return None,
            _ if self.is_closed => return None,
            _ => {}
        }
        // What is not known is printed as nothing.
        let answer = ask().filter(|answer| !answer.is_empty());
        self.known.insert(named, answer.clone().ok_or(now));
        answer
    }
}

/// Stops asking directories for the rest of this process, which is about to become another user. Earlier answers are kept. `groups`, by
/// name or number, are looked up before.
pub fn close_directories(groups: &[&str]) {
    for group in groups {
        let matches = |fields: &[&str]| [fields.first(), fields.get(2)].contains(&Some(group));
        let _ = entry("group", group, matches);
    }
    if let Ok(mut answers) = ANSWERS.lock() {
        answers.is_closed = true;
    }
}

/// A user as a login would set it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user's number.
    pub uid: u32,
    /// The user's name; its number as text if it has none.
    pub name: String,
    /// The user's group; none if no directory of users knows the user.
    pub gid: Option<u32>,
    /// The other groups that the user is a member of.
    pub groups: Vec<u32>,
    /// The user's home directory; `/` if unknown.
    pub home: PathBuf,
}

impl Account {
    /// Looks up the account of a number. Groups of users that only a network's directory knows are asked there.
    pub fn of(uid: u32) -> Account {
        let number = uid.to_string();
        let known = entry("passwd", &number, |fields| fields.get(2) == Some(&number.as_str()));
        let Some(fields) = known else {
            return Account { uid, name: number, gid: None, groups: Vec::new(), home: "/".into() };
        };
        let field = |place: usize| fields.get(place).map(String::as_str).unwrap_or_default();
        let name = field(0).to_owned();
        let home = Some(field(5)).filter(|home| home.starts_with('/')).unwrap_or("/");
        Account { uid, groups: groups(&name), gid: field(3).parse().ok(), home: home.into(), name }
    }

    /// The account of this process's user.
    pub fn current() -> Account {
        Account::of(geteuid().as_raw())
    }

    /// The group that a process of this user's gets. An unknown user gets that of nobody: the group of a file of theirs may be one that they
    /// are no member of, as below a setgid directory.
    pub fn group(&self) -> u32 {
        self.gid.unwrap_or(NOGROUP)
    }
}

/// The groups that name the user as a member.
fn groups(user: &str) -> Vec<u32> {
    let local = std::fs::read("/etc/group").unwrap_or_default();
    let local = String::from_utf8_lossy(&local);
    let member = |line: &str| {
        let mut fields = line.split(':');
        let number = fields.nth(2)?.parse().ok()?;
        fields.next()?.split(',').any(|name| name.trim() == user).then_some(number)
    };
    let mut groups: Vec<u32> = local.lines().filter_map(member).collect();
    let passwd = std::fs::read("/etc/passwd").unwrap_or_default();
    let is_local = String::from_utf8_lossy(&passwd).lines().any(|line| line.split(':').next() == Some(user));
    if !is_local && let Some(text) = asked("initgroups", user) {
        let text = String::from_utf8_lossy(&text).into_owned();
        groups.extend(text.split_whitespace().skip(1).filter_map(|number| number.parse::<u32>().ok()));
    }
    groups.sort_unstable();
    groups.dedup();
    groups
}

pub(crate) fn user_name(uid: u32) -> Option<String> {
    let number = uid.to_string();
    entry("passwd", &number, |fields| fields.get(2) == Some(&number.as_str()))
        .and_then(|fields| fields.first().cloned())
}

/// The name of a group, if this machine knows it.
pub fn group_name(gid: u32) -> Option<String> {
    let number = gid.to_string();
    entry("group", &number, |fields| fields.get(2) == Some(&number.as_str()))
        .and_then(|fields| fields.first().cloned())
}

/// The number of a user, given by name or number.
pub(crate) fn user_number(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let fields = entry("passwd", name, |fields| fields.first() == Some(&name))?;
    fields.get(2)?.parse().ok()
}

/// The number of a group, given by name or number.
pub fn group_number(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        // `chown` takes this number as "no change".
        return Some(number).filter(|number| *number != u32::MAX);
    }
    let fields = entry("group", name, |fields| fields.first() == Some(&name))?;
    fields.get(2)?.parse().ok()
}

/// The fields of the first entry that matches.
fn entry(database: &str, key: &str, matches: impl Fn(&[&str]) -> bool) -> Option<Vec<String>> {
    entry_of(&local(database), &matches)
        .or_else(|| entry_of(&String::from_utf8_lossy(&asked(database, key)?), &matches))
}

/// The answer of the machine's directories.
fn asked(database: &str, key: &str) -> Option<Vec<u8>> {
    ANSWERS.lock().ok()?.get([database, key], Instant::now(), || ask(database, key))
}

/// Asks the machine's directories with a time limit: a kill does not wait for a directory that is down.
fn ask(database: &str, key: &str) -> Option<Vec<u8>> {
    let mut command = Command::new("getent");
    // Clear the caller's environment: another user may look into a program that runs as it.
    command.env_clear().env("PATH", PROGRAM_PATH);
    command.args([database, "--", key]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let until = Instant::now() + DIRECTORY_TIMEOUT;
    // An entry fits into a pipe, so the child never waits for a reader. An error says that it ended, in a process that ignores SIGCHLD.
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() >= until {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut text = Vec::new();
    child.stdout.take()?.take(MAX_ANSWER_BYTES).read_to_end(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    // A user whom the directory did not know once was unknown for as long as the process lived.
    #[test]
    fn a_directory_is_asked_again_for_what_it_did_not_know() {
        let mut answers = Answers { known: BTreeMap::new(), is_closed: false };
        let (now, named) = (Instant::now(), ["passwd", "alice"]);
        let entry = || Some(b"alice:x:1000:".to_vec());
        for (database, failed) in [("passwd", None), ("group", Some(Vec::new()))] {
            let named = [database, "alice"];
            assert_eq!(answers.get(named, now, || failed), None);
            assert_eq!(answers.get(named, now + FAILURE_AGE / 2, || unreachable!("asked too soon")), None);
            assert_eq!(answers.get(named, now + FAILURE_AGE, entry), entry());
        }
        assert_eq!(answers.get(named, now + 100 * FAILURE_AGE, || unreachable!("known")), entry());
        answers.is_closed = true;
        assert_eq!(answers.get(["passwd", "bob"], now, || unreachable!("closed")), None);
    }

    // A child's status is lost there, and its answer was, too.
    #[test]
    fn a_process_that_ignores_sigchld_reads_the_answer_of_the_directories() {
        const IGNORED: &str = "FLAGSTONE_TEST_SIGCHLD_IGNORED";
        if std::env::var_os(IGNORED).is_some() {
            assert!(ask("passwd", "root").is_some_and(|entry| entry.starts_with(b"root:")));
            return;
        }
        let mut again = Command::new("env");
        again.arg("--ignore-signal=CHLD").arg(std::env::current_exe().unwrap()).env(IGNORED, "1");
        let ran = again.arg("a_process_that_ignores_sigchld").output().unwrap();
        let printed = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success() && printed.contains("1 passed"), "{printed}");
    }
}
