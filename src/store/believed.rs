//! The users whose counters are believed. Whoever makes them up can have the guard turn a feature off.

use super::Store;
use super::error::StoreError;
use super::users::{Account, user_name, user_number};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

/// How requests of a store are counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// The users that PHP runs as: their counters are believed, and no others'. Without it, the members of the readers' group, or the
    /// system's users where everybody reads the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<UserId>>,
}

impl TelemetryConfig {
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_none()
    }
}

/// A user by number or name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum UserId {
    /// By number.
    Number(u32),
    /// By name.
    Name(String),
}

/// Users below are the system's own: daemons run as such, people do not (`SYS_UID_MAX` of login.defs).
const SYSTEM_USERS: u32 = 1000;

/// The users whose counters of one store are believed.
#[derive(Debug, Clone)]
pub struct Believed {
    owner: u32,
    own: u32,
    others: Others,
    /// Users that the configuration names and this machine does not know.
    pub unknown: Vec<String>,
}

#[derive(Debug, Clone)]
enum Others {
    Listed(Vec<u32>),
    Members(u32),
    System,
}

impl Believed {
    /// Whether that user's are. Root's, the owner's and this process's user's always are.
    pub fn trusts(&self, user: u32) -> bool {
        let other = || match &self.others {
            Others::Listed(users) => users.contains(&user),
            Others::Members(group) => {
                let account = Account::of(user);
                account.gid == Some(*group) || account.groups.contains(group)
            }
            Others::System => user < SYSTEM_USERS,
        };
        user == 0 || user == self.owner || user == self.own || other()
    }

    /// Why that user's are not, and what to type.
    pub fn refusal(&self, user: u32) -> String {
        let name = user_name(user).unwrap_or_else(|| user.to_string());
        format!(
            "user {name} ({user}) is not one whose counters are believed; if PHP runs as {name}, type, as the store's owner: \
             flagstone config telemetry.users '{}'",
            self.with(&name)
        )
    }

    /// The list with that user in it, as JSON.
    fn with(&self, name: &str) -> String {
        let listed = match &self.others {
            Others::Listed(users) => users.as_slice(),
            Others::Members(_) | Others::System => &[],
        };
        let mut users: Vec<String> =
            listed.iter().map(|user| user_name(*user).unwrap_or_else(|| user.to_string())).collect();
        users.push(name.to_owned());
        serde_json::to_string(&users).unwrap_or_default()
    }
}

impl Store {
    /// The users whose counters of this store are believed.
    ///
    /// # Errors
    ///
    /// When the store or its configuration cannot be read.
    pub fn believed(&self) -> Result<Believed, StoreError> {
        let folder = self.folder()?;
        let (mut listed, mut unknown) = (Vec::new(), Vec::new());
        let users = self.config()?.telemetry.users;
        for user in users.iter().flatten() {
            match user {
                UserId::Number(number) => listed.push(*number),
                UserId::Name(name) => match user_number(name) {
                    Some(number) => listed.push(number),
                    None => unknown.push(name.clone()),
                },
            }
        }
        let modes = folder.modes().map_err(|error| StoreError::io("look at", self.directory(), error))?;
        let others = match (users, modes.group()) {
            (Some(_), _) => Others::Listed(listed),
            (None, Some(group)) => Others::Members(group),
            (None, None) => Others::System,
        };
        Ok(Believed { owner: folder.judged().owner, own: geteuid().as_raw(), others, unknown })
    }
}
