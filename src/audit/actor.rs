//! The actor of a change: the person, as far as known, and the account that the process runs as.

use crate::files::{Account, user_name};
use crate::text::deceives;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::io::IsTerminal;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

/// The actor before this process changed its user; unset if it did not.
static REMEMBERED: OnceLock<Actor> = OnceLock::new();

/// Person and account behind a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The person's name, or the account's if no other is known.
    pub user: String,
    /// The account that the process runs as, if it has another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The account's number.
    pub uid: u32,
    /// The machine's name.
    pub host: String,
    /// True if a request to the agent named the person: the account is what the kernel says of its sender.
    #[serde(default, skip_serializing_if = "is_false")]
    pub claimed: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Actor {
    /// Longest name in bytes; the rest is cut off.
    pub const MAX_NAME_BYTES: usize = 128;

    /// The actor of this process, on this machine: `FLAGSTONE_ACTOR`, else `SUDO_USER`, else the signed-in user, else the account.
    pub fn current() -> Actor {
        Actor::named(None)
    }

    /// Like [`current`](Self::current), but a given name takes precedence over all others.
    pub fn named(given: Option<&str>) -> Actor {
        match (REMEMBERED.get(), given.and_then(clean)) {
            (Some(remembered), None) => remembered.clone(),
            (Some(remembered), Some(name)) => {
                let account = remembered.account.clone().unwrap_or_else(|| remembered.user.clone());
                Actor::new(Some(name), account, remembered.uid)
            }
            (None, given) => Actor::found(given),
        }
    }

    /// The sender of a request, as the kernel knows its user, and the person that it names.
    pub fn asking(uid: u32, person: Option<&str>) -> Actor {
        let account = user_name(uid).unwrap_or_else(|| uid.to_string());
        let person = person.and_then(clean);
        Actor { claimed: person.is_some(), ..Actor::new(person, account, uid) }
    }

    /// The name for another machine's trail, which says, too, whose claim it is.
    pub fn name_elsewhere(&self) -> String {
        if self.claimed { self.to_string() } else { self.user.clone() }
    }

    /// Keeps the current actor for the rest of this process, which is about to become the user `account`.
    pub fn remember(account: &Account) {
        let before = Actor::found(None);
        let _ = REMEMBERED.set(Actor::new(Some(before.user), account.name.clone(), account.uid));
    }

    fn found(given: Option<String>) -> Actor {
        let uid = geteuid().as_raw();
        let account = user_name(uid).unwrap_or_else(|| uid.to_string());
        let of = |name: &str| std::env::var(name).ok().and_then(|name| clean(&name));
        let user = given
            .or_else(|| of("FLAGSTONE_ACTOR"))
            .or_else(|| of("SUDO_USER"))
            .or_else(|| signed_in().filter(|user| *user != uid).and_then(user_name));
        Actor::new(user, account, uid)
    }

    fn new(user: Option<String>, account: String, uid: u32) -> Actor {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        match user.filter(|user| *user != account) {
            Some(user) => Actor { user, account: Some(account), uid, host, claimed: false },
            None => Actor { user: account, account: None, uid, host, claimed: false },
        }
    }
}

/// `alice (deploy@web-1)`, or `deploy@web-1`; `alice, claimed (www-data@web-1)` of a request.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let account = self.account.as_deref().unwrap_or(&self.user);
        match (self.claimed, &self.account) {
            (true, _) => write!(f, "{}, claimed ({account}@{})", self.user, self.host),
            (false, Some(_)) => write!(f, "{} ({account}@{})", self.user, self.host),
            (false, None) => write!(f, "{account}@{}", self.host),
        }
    }
}

/// A name on one line, of at most [`Actor::MAX_NAME_BYTES`] bytes; none if nothing is left of it.
fn clean(name: &str) -> Option<String> {
    let plain = |c: char| if deceives(c) { ' ' } else { c };
    let name: String = name.chars().map(plain).collect();
    let mut name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    super::differences::cut(&mut name, Actor::MAX_NAME_BYTES);
    (!name.is_empty()).then_some(name)
}

/// Number of the signed-in user: the kernel keeps it for the audit system, through `su` and `sudo -i`. If it keeps none, the owner of the
/// terminal; root's may have been handed over.
fn signed_in() -> Option<u32> {
    if let Some(uid) = login("/proc/self/loginuid") {
        let file = |path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
        let (users, users_of_init) = (file("/etc/passwd"), file("/proc/1/root/etc/passwd"));
        return (!is_foreign(login("/proc/1/loginuid"), users, users_of_init)).then_some(uid);
    }
    let terminal = std::io::stdin().is_terminal().then(|| File::open("/proc/self/fd/0").ok())??;
    terminal.metadata().ok().map(|metadata| metadata.uid()).filter(|uid| *uid != 0)
}

/// The login user that the kernel keeps for a process; none if there is none.
fn login(path: &str) -> Option<u32> {
    let kept = std::fs::read_to_string(path).ok()?;
    kept.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

/// True if the sign-in happened outside of this container, whose users differ: on a machine itself, the first process has no signed-in
/// user, and all share its list of users. Unreadable files prove nothing.
fn is_foreign(
    login_of_init: Option<u32>,
    users: Option<(u64, u64)>,
    users_of_init: Option<(u64, u64)>,
) -> bool {
    let differ = users.zip(users_of_init).is_some_and(|(users, of_init)| users != of_init);
    login_of_init.is_some() || differ
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_of_plain_text() {
        assert_eq!(clean(" Alice \n\t Smith\u{1b}[31m ").as_deref(), Some("Alice Smith [31m"));
        assert_eq!(clean("\u{202e}ecila").as_deref(), Some("ecila"));
        assert_eq!(clean(" \n\u{200b}"), None);
        assert_eq!(clean(&"ä".repeat(100)).map(|name| name.len()), Some(128));
    }

    // In a container the host's user 1000 was given the name of the container's.
    #[test]
    fn who_signed_in_outside_of_a_container_has_no_name_in_it() {
        let (host, image) = (Some((1, 7)), Some((2, 9)));
        assert!(!is_foreign(None, host, host));
        assert!(!is_foreign(None, host, None));
        assert!(is_foreign(None, image, host));
        assert!(is_foreign(Some(1000), image, image));
    }

    #[test]
    fn a_name_that_is_given_goes_first_and_the_account_stays_known() {
        let actor = Actor::named(Some("Alice"));
        assert_eq!(actor.user, "Alice");
        assert_eq!(actor.uid, geteuid().as_raw());
        let account = actor.account.clone().unwrap();
        assert_eq!(actor.to_string(), format!("Alice ({account}@{})", actor.host));
        assert_eq!(Actor::named(Some(&account)).account, None);
    }

    #[test]
    fn a_person_that_a_request_names_is_marked_as_claimed() {
        let actor = Actor::asking(0, Some("Alice"));
        assert_eq!(actor.to_string(), format!("Alice, claimed (root@{})", actor.host));
        assert!(serde_json::to_string(&actor).unwrap().ends_with(r#","claimed":true}"#));
        let actor = Actor::asking(0, None);
        assert_eq!(actor.to_string(), format!("root@{}", actor.host));
        assert!(!serde_json::to_string(&actor).unwrap().contains("claimed"));
        // A claim to be the account itself is a claim all the same.
        assert_eq!(
            Actor::asking(0, Some("root")).to_string(),
            format!("root, claimed (root@{})", actor.host)
        );
    }
}
