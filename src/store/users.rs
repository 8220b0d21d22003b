//! Names of users and groups: the local files first, then whatever else the machine asks (`getent`).

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a directory is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes read of its answer.
const LIMIT: u64 = 1 << 16;

/// The name of a user.
pub(super) fn user_name(uid: u32) -> Option<String> {
    let number = uid.to_string();
    entry("passwd", &number, |fields| fields.get(2) == Some(&number.as_str())).map(|(name, _)| name)
}

/// The number of a group, given by name or number.
pub(super) fn group_number(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    entry("group", name, |fields| fields.first() == Some(&name)).and_then(|(_, number)| number.parse().ok())
}

/// Name and number of the first entry that matches.
fn entry(database: &str, key: &str, matches: impl Fn(&[&str]) -> bool) -> Option<(String, String)> {
    let find = |text: &str| {
        text.lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| matches(fields))
            .and_then(|fields| Some(((*fields.first()?).to_owned(), (*fields.get(2)?).to_owned())))
    };
    let local = std::fs::read(format!("/etc/{database}")).unwrap_or_default();
    find(&String::from_utf8_lossy(&local)).or_else(|| find(&String::from_utf8_lossy(&asked(database, key)?)))
}

/// What the machine's directories say, where they say it in time: a kill does not wait for a directory that is down.
fn asked(database: &str, key: &str) -> Option<Vec<u8>> {
    let mut command = Command::new("getent");
    command.args([database, "--", key]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let until = Instant::now() + PATIENCE;
    // An entry is smaller than a pipe, so that nobody waits for it to be read.
    while child.try_wait().ok()?.is_none() {
        if Instant::now() >= until {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut text = Vec::new();
    child.stdout.take()?.take(LIMIT).read_to_end(&mut text).ok()?;
    Some(text)
}
