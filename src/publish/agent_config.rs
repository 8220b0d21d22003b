//! The agent's settings: its socket, and the policy of who may ask for what.

use super::believed::is_no_name;
use crate::files::{NOBODY, group_number, is_unmapped, user_number};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The user and group that stand for those which a user namespace does not map.
const OVERFLOW: u32 = 65_534;

/// What a request to the agent may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// See flags, their state and their history.
    View,
    /// See the answers that companies get.
    Explain,
    /// Take flags out of the store, for another one.
    Export,
    /// Change flags: revive included.
    Change,
    /// Approve the changes of others.
    Approve,
    /// Take enrolments of companies.
    Enrol,
    /// Turn one flag off.
    Kill,
    /// Turn all flags off.
    Stop,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Right::View => "view",
            Right::Explain => "explain",
            Right::Export => "export",
            Right::Change => "change",
            Right::Approve => "approve",
            Right::Enrol => "enrol",
            Right::Kill => "kill",
            Right::Stop => "stop",
        })
    }
}

/// Users whom the policy names: `"deploy"`, `1000`, `"@ops"` for a group, `"*"` for everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "NumberOrText", into = "NumberOrText")]
pub enum Who {
    /// Every user but the overflow user.
    Everybody,
    /// A user by number or name.
    User(String),
    /// A group by number or name.
    Group(String),
}

#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a user's name or number, a group such as \"@ops\", or \"*\" for everybody"
)]
enum NumberOrText {
    Number(u32),
    Text(String),
}

impl TryFrom<NumberOrText> for Who {
    type Error = String;

    fn try_from(written: NumberOrText) -> Result<Who, String> {
        let text = match written {
            NumberOrText::Number(number) => return Ok(Who::User(number.to_string())),
            NumberOrText::Text(text) => text,
        };
        let (name, is_group) = match text.strip_prefix('@') {
            Some(name) => (name, true),
            None => (text.as_str(), false),
        };
        // A second `@`, or a `*` within a name, is a mistake as well.
        let is_wrong = is_no_name(name) || name.starts_with('@') || name.contains('*');
        match (text.as_str(), is_wrong) {
            ("*", _) => Ok(Who::Everybody),
            (_, true) => Err(format!(
                "found {text:?}, expected a user such as \"deploy\", a group such as \"@ops\", or \"*\" for everybody"
            )),
            (_, false) if is_group => Ok(Who::Group(name.to_owned())),
            (_, false) => Ok(Who::User(name.to_owned())),
        }
    }
}

impl From<Who> for NumberOrText {
    fn from(who: Who) -> NumberOrText {
        NumberOrText::Text(match who {
            Who::Everybody => "*".to_owned(),
            Who::User(name) => match name.parse() {
                Ok(number) => return NumberOrText::Number(number),
                Err(_) => name,
            },
            Who::Group(name) => format!("@{name}"),
        })
    }
}

/// Settings of the agent. Every field may be absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// The socket's path; absent: in `/run/flagstone` where that can be written, else in the store.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "absolute_path")]
    pub socket: Option<PathBuf>,
    /// The users who hold each right besides root and the store's owner. A right that is absent is nobody else's; `view` is that of those who can read the store.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policy: BTreeMap<Right, Vec<Who>>,
}

fn absolute_path<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    match path.is_absolute() && path.file_name().is_some() {
        true => Ok(Some(path)),
        false => {
            Err(serde::de::Error::custom(format!("found the socket {path:?}, expected an absolute path")))
        }
    }
}

impl AgentConfig {
    pub(crate) fn is_empty(&self) -> bool {
        *self == AgentConfig::default()
    }

    /// The policy with its names looked up, for a store of the user `owner`. A name that this machine does not know is nobody's. Without a
    /// list, those who can read the store may view it.
    pub fn policy(&self, owner: u32, readers: Readers) -> Policy {
        let holders = |listed: &Vec<Who>| {
            let mut holders = Holders::default();
            for who in listed {
                match who {
                    Who::Everybody => holders.everybody = true,
                    Who::User(name) => holders.users.extend(user_number(name)),
                    Who::Group(name) => holders.groups.extend(group_number(name)),
                }
            }
            holders
        };
        Policy {
            owner,
            readers,
            rights: self.policy.iter().map(|(right, listed)| (*right, holders(listed))).collect(),
        }
    }
}

/// The user who asks, as the kernel knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// The user's number.
    pub uid: u32,
    /// The numbers of the process's groups.
    pub groups: Vec<u32>,
}

/// Those who can read a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone.
    #[default]
    Owner,
    /// The members of a group, by its number.
    Group(u32),
    /// All users.
    Everybody,
}

/// Who holds which right.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    owner: u32,
    readers: Readers,
    rights: BTreeMap<Right, Holders>,
}

#[derive(Debug, Clone, Default)]
struct Holders {
    everybody: bool,
    users: Vec<u32>,
    groups: Vec<u32>,
}

impl Holders {
    fn names(&self, asker: &Asker) -> bool {
        let is_in = |group: &u32| *group != OVERFLOW && self.groups.contains(group);
        self.users.contains(&asker.uid) || asker.groups.iter().any(is_in)
    }
}

impl Policy {
    /// True if the user is root or the store's owner, who hold every right.
    pub fn is_owner(&self, asker: &Asker) -> bool {
        !is_nobody(asker.uid) && [0, self.owner].contains(&asker.uid)
    }

    /// True if the user holds that right.
    pub fn allows(&self, asker: &Asker, right: Right) -> bool {
        if is_nobody(asker.uid) {
            return false;
        }
        let holds = match self.rights.get(&right) {
            None => match self.readers {
                Readers::Owner => false,
                Readers::Group(group) => {
                    right == Right::View && group != OVERFLOW && asker.groups.contains(&group)
                }
                Readers::Everybody => right == Right::View,
            },
            Some(holders) => holders.everybody || holders.names(asker),
        };
        holds || self.is_owner(asker)
    }

    /// True if a list names the user or a group of the user's, and not everybody alone.
    pub fn names(&self, asker: &Asker) -> bool {
        !is_nobody(asker.uid) && self.rights.values().any(|holders| holders.names(asker))
    }
}

/// True for a number that may stand for any user of another namespace.
fn is_nobody(uid: u32) -> bool {
    [OVERFLOW, NOBODY].contains(&uid) || is_unmapped(uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::Config;

    fn config(agent: &str) -> Result<AgentConfig, String> {
        Config::parse("config.json", format!(r#"{{"agent": {agent}}}"#).as_bytes()).map(|config| config.agent)
    }

    fn asker(uid: u32, groups: &[u32]) -> Asker {
        Asker { uid, groups: groups.to_vec() }
    }

    #[test]
    fn without_a_policy_the_owner_and_root_hold_all_rights_and_others_view() {
        let policy = AgentConfig::default().policy(1000, Readers::Everybody);
        for right in [Right::View, Right::Explain, Right::Change, Right::Kill, Right::Stop] {
            assert!(policy.allows(&asker(0, &[]), right) && policy.allows(&asker(1000, &[]), right));
            assert_eq!(policy.allows(&asker(33, &[0, 1000]), right), right == Right::View, "{right}");
        }
    }

    #[test]
    fn without_a_policy_only_those_who_can_read_the_store_view_it() {
        let views = |readers, uid, groups: &[u32]| {
            AgentConfig::default().policy(1000, readers).allows(&asker(uid, groups), Right::View)
        };
        assert!(views(Readers::Group(33), 1001, &[7, 33]) && !views(Readers::Group(33), 1001, &[7]));
        assert!(views(Readers::Owner, 1000, &[]) && !views(Readers::Owner, 1001, &[1000]));
        assert!(!views(Readers::Group(65_534), 1001, &[65_534]));
    }

    #[test]
    fn a_policy_names_users_and_groups_by_name_and_number() {
        let policy = config(
            r#"{"policy": {"kill": ["root", 33, "@daemon"], "change": ["@7"], "view": [], "stop": ["*"]}}"#,
        )
        .unwrap()
        .policy(1000, Readers::Everybody);
        let daemon = group_number("daemon").unwrap();
        assert!(policy.allows(&asker(33, &[]), Right::Kill));
        assert!(policy.allows(&asker(34, &[daemon]), Right::Kill));
        assert!(!policy.allows(&asker(34, &[7]), Right::Kill));
        assert!(policy.allows(&asker(34, &[7]), Right::Change));
        assert!(
            !policy.allows(&asker(34, &[7]), Right::View) && policy.allows(&asker(1000, &[]), Right::View)
        );
        assert!(policy.allows(&asker(34, &[]), Right::Stop));
    }

    #[test]
    fn the_overflow_user_and_group_hold_no_right_whatever_the_policy_says() {
        let agent = config(r#"{"policy": {"view": ["*", 65534], "kill": ["@65534"]}}"#).unwrap();
        for owner in [1000, 65_534] {
            let policy = agent.policy(owner, Readers::Everybody);
            assert!(!policy.allows(&asker(65_534, &[65_534]), Right::View));
            assert!(!policy.is_owner(&asker(65_534, &[])));
            assert!(!policy.allows(&asker(33, &[65_534]), Right::Kill));
        }
    }

    #[test]
    fn what_nobody_can_mean_is_refused_with_its_place() {
        for (agent, expected) in [
            (r#"{"socket": "agent.sock"}"#, "expected an absolute path"),
            (r#"{"socket": "/"}"#, "expected an absolute path"),
            (r#"{"policy": {"kills": []}}"#, "config.json:1:"),
            (r#"{"policy": {"kill": ["@"]}}"#, "expected a user such as"),
            (r#"{"policy": {"kill": ["a b"]}}"#, "expected a user such as"),
            (r#"{"policy": {"kill": [true]}}"#, "expected a user's name or number"),
            (r#"{"sockets": "/run/a"}"#, "socket"),
        ] {
            let problem = config(agent).unwrap_err();
            assert!(problem.contains(expected), "{agent}: {problem}");
        }
        let agent =
            config(r#"{"socket": "/run/a.sock", "policy": {"kill": [33, "ops", "@ops", "@8", "*"]}}"#)
                .unwrap();
        let text = serde_json::to_string(&agent).unwrap();
        assert_eq!(text, r#"{"socket":"/run/a.sock","policy":{"kill":[33,"ops","@ops","@8","*"]}}"#);
    }
}
