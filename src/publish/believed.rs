//! The users whose counters are believed. A user who makes them up can have the guard turn a feature off.

use super::Store;
use crate::error::StoreError;
use crate::files::{Account, user_name, user_number};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

/// Settings for counting the requests of a store.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// The users that PHP runs as: only their counters are believed. Absent: the members of the readers' group, or the system's users if
    /// everybody reads the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<UserId>>,
}

impl TelemetryConfig {
    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_none()
    }
}

/// A user by number or name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "NumberOrName", untagged)]
pub enum UserId {
    /// The number of a user.
    Number(u32),
    /// The name of a user.
    Name(String),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a user's name, or its number from 0 to 4294967294")]
enum NumberOrName {
    Number(u32),
    Name(String),
}

impl TryFrom<NumberOrName> for UserId {
    type Error = String;

    fn try_from(written: NumberOrName) -> Result<UserId, String> {
        let no_name = |name: &str| is_no_name(name) || name.parse() == Ok(u32::MAX);
        match written {
            NumberOrName::Number(u32::MAX) => {
                Err(format!("found the number of no user, {}, expected a user", u32::MAX))
            }
            NumberOrName::Name(name) if no_name(&name) => {
                Err(format!("found the user {name:?}, expected a name such as \"www-data\", or a number"))
            }
            NumberOrName::Number(number) => Ok(UserId::Number(number)),
            NumberOrName::Name(name) => Ok(UserId::Name(name)),
        }
    }
}

/// True for a name that no database of users or groups can hold: a mistake on every machine, not only on this one.
pub(super) fn is_no_name(name: &str) -> bool {
    name.is_empty()
        || name.starts_with(['-', '#', '+'])
        || name.contains(|c: char| c.is_whitespace() || c.is_control() || ":,/".contains(c))
}

/// Users below are the system's own: daemons run as such, people do not (`SYS_UID_MAX` of login.defs).
const SYSTEM_USERS: u32 = 1000;

/// The users whose counters of one store are believed.
#[derive(Debug, Clone)]
pub struct BelievedUsers {
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

impl BelievedUsers {
    /// True if that user's counters are believed. Those of root, the owner and this process's user always are.
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

    /// True if workers may run as that user: believed users, and the system's if the configuration lists none. A store that lost its
    /// readers' group no longer believes its workers.
    pub fn may_run_workers(&self, user: u32) -> bool {
        (user < SYSTEM_USERS && !matches!(self.others, Others::Listed(_))) || self.trusts(user)
    }

    /// Explains why that user's counters are not believed, and what to type. `counting` are users whose counters exist and are believed.
    pub fn refusal(&self, user: u32, counting: impl Iterator<Item = u32>) -> String {
        let name = user_name(user).unwrap_or_else(|| user.to_string());
        format!(
            "user {name} ({user}) is not one whose counters are believed; if PHP runs as {name}, type, as the store's owner: \
             flagstone config telemetry.users '{}'",
            self.with(&name, counting)
        )
    }

    /// The list with that user added, as JSON. If there was none, all users that count now stay in it.
    fn with(&self, name: &str, counting: impl Iterator<Item = u32>) -> String {
        let listed: Vec<u32> = match &self.others {
            Others::Listed(users) => users.clone(),
            Others::Members(_) | Others::System => {
                counting.filter(|user| ![0, self.owner].contains(user)).collect()
            }
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
    pub fn believed(&self) -> Result<BelievedUsers, StoreError> {
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
        Ok(BelievedUsers { owner: folder.judged().owner, own: geteuid().as_raw(), others, unknown })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_names_a_user_takes_nobody_out_of_sight() {
        // Typed as it was printed, it left out the system's users, who had counted without being named.
        let said = |others: Others| {
            let believed = BelievedUsers { owner: 999, own: 0, others, unknown: Vec::new() };
            let text = believed.refusal(64_500, [0, 64_033, 999].into_iter());
            text.split_once("telemetry.users ").map(|(_, list)| list.to_owned()).unwrap()
        };
        assert_eq!(said(Others::System), r#"'["64033","64500"]'"#);
        assert_eq!(said(Others::Members(7)), r#"'["64033","64500"]'"#);
        assert_eq!(said(Others::Listed(vec![64_001])), r#"'["64001","64500"]'"#);
    }
}
