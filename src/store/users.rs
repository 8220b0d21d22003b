//! Names of users and groups: the local files first, then whatever else the machine asks (`getent`).

use std::process::{Command, Stdio};

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
    find(&String::from_utf8_lossy(&local)).or_else(|| {
        let asked = Command::new("getent")
            .args([database, "--", key])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        find(&String::from_utf8_lossy(&asked.stdout))
    })
}
