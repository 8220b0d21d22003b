//! Settings for changes of one store: `config.json` beside its head, written by hand or by `flagstone config`.
//!
//! Workers never read it. Its writer decides which commands run, which files are read and which addresses are called when the store is
//! changed: a file that does not belong to root or the process's own user is ignored as a whole.

use super::Store;
use super::agent_config::AgentConfig;
use super::believed::TelemetryConfig;
use crate::definition::{did_you_mean, nearest};
use crate::error::StoreError;
use crate::files::{Access, Folder, StoreFile, remedy_for, replace};
use crate::notify::Endpoint;
use crate::store::layout::CONFIG;
use crate::text::{printable, shell};
use rustix::process::geteuid;
use serde::de::{Deserializer, Error, IgnoredAny, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Name for a set-aside file of another user.
pub(crate) const ASIDE_NAME: &str = "config.json.aside";
/// Largest file, in bytes.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// The configuration of a store. Every field may be absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A file of companies, one id a line or a JSON array, to find those that a change reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub companies: Option<PathBuf>,
    /// Ask before a change that takes a flag from more than this share of the companies that have it.
    #[serde(default, alias = "off_share", skip_serializing_if = "Option::is_none")]
    pub confirm_above: Option<Share>,
    /// The other machines with a store for this environment, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub machines: BTreeMap<MachineName, Machine>,
    /// Endpoints that are told of changes, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notify: BTreeMap<MachineName, Endpoint>,
    /// Mebibytes that kept generations may take, the newest ten apart; absent: 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retained_mib: Option<u64>,
    /// The agent's socket, and who may ask it for what.
    #[serde(default, skip_serializing_if = "AgentConfig::is_empty")]
    pub agent: AgentConfig,
    /// Settings for counting requests.
    #[serde(default, skip_serializing_if = "TelemetryConfig::is_empty")]
    pub telemetry: TelemetryConfig,
    /// The reason why the whole file is ignored (others than root or this process's user control it), and what to type.
    #[serde(skip)]
    pub ignored: Option<String>,
    /// Keys that have another name now, as `(former, current)`: they are used, and people are told of them.
    #[serde(skip)]
    pub former_keys: Vec<(&'static str, &'static str)>,
}

/// Keys that the file may still have by a former name, with their names now.
const FORMER_KEYS: [(&str, &str); 1] = [("off_share", "confirm_above")];

impl Config {
    /// Default share above which a change asks: a fifth.
    pub const CONFIRM_ABOVE: Share = Share(0.2);

    /// Parses a text; `file` is its name in messages, `file:line:column: what was found and expected`.
    ///
    /// # Errors
    ///
    /// The first problem.
    pub fn parse(file: &str, text: &[u8]) -> Result<Config, String> {
        let parsed = serde_json::from_slice(text).map_err(|error| {
            let place = format!("{file}:{}:{}", error.line(), error.column());
            let text = error.to_string();
            let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
            format!("{place}: {}", explained(problem))
        });
        let config: Config = parsed?;
        let keys: BTreeMap<String, IgnoredAny> = serde_json::from_slice(text).unwrap_or_default();
        let former_keys = FORMER_KEYS.into_iter().filter(|(former, _)| keys.contains_key(*former)).collect();
        Ok(Config { former_keys, ..config })
    }

    /// The name now of a key that had another.
    pub fn current_key(key: &str) -> Option<&'static str> {
        FORMER_KEYS.into_iter().find_map(|(former, current)| (former == key).then_some(current))
    }

    /// The share above which a change asks.
    pub fn confirm_above(&self) -> f64 {
        self.confirm_above.unwrap_or(Config::CONFIRM_ABOVE).0
    }
}

/// A number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share(f64);

impl Share {
    /// The share, if the number is from 0 to 1.
    pub fn new(share: f64) -> Option<Share> {
        (0.0..=1.0).contains(&share).then_some(Share(share))
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
        struct Of;
        impl Visitor<'_> for Of {
            type Value = Share;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(SHARE)
            }

            fn visit_f64<E: Error>(self, share: f64) -> Result<Share, E> {
                Share::new(share).ok_or_else(|| E::custom(format!("found {share}, expected {SHARE}")))
            }

            fn visit_u64<E: Error>(self, share: u64) -> Result<Share, E> {
                self.visit_f64(share as f64)
            }

            fn visit_i64<E: Error>(self, share: i64) -> Result<Share, E> {
                self.visit_f64(share as f64)
            }
        }
        deserializer.deserialize_any(Of)
    }
}

const SHARE: &str = "a share from 0 to 1, such as 0.2 for a fifth";

/// Name of a machine: 1 to 64 letters, digits, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct MachineName(String);

impl MachineName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MachineName {
    type Error = String;

    fn try_from(name: String) -> Result<MachineName, String> {
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        match (1..=64).contains(&name.len()) && name.bytes().all(sound) {
            true => Ok(MachineName(name)),
            false => Err(format!("found the name {name:?}, expected 1 to 64 letters, digits, . _ and -")),
        }
    }
}

/// Command that carries a change to another machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "MachineFields")]
pub struct Machine {
    /// The command, one argument each; the subcommand and its arguments are appended. No shell is involved.
    pub run: Vec<String>,
    /// Longest run time, in seconds.
    #[serde(skip_serializing_if = "is_default")]
    pub timeout: u64,
}

impl Machine {
    /// Default run time in seconds: the other store's lock is waited for ten.
    pub const TIMEOUT: u64 = 15;
}

fn is_default(timeout: &u64) -> bool {
    *timeout == Machine::TIMEOUT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MachineFields {
    run: Vec<String>,
    #[serde(default = "timeout")]
    timeout: u64,
}

fn timeout() -> u64 {
    Machine::TIMEOUT
}

impl TryFrom<MachineFields> for Machine {
    type Error = String;

    fn try_from(written: MachineFields) -> Result<Machine, String> {
        let MachineFields { run, timeout } = written;
        match run.first() {
            None => {
                return Err(
                    r#"found an empty "run", expected a command such as ["ssh", "web-2", "flagstone"]"#
                        .into(),
                );
            }
            Some(program) if program.is_empty() || run.iter().any(|word| word.contains('\0')) => {
                return Err(r#"found a "run" that no program can have, expected a command such as ["ssh", "web-2", "flagstone"]"#.into());
            }
            Some(_) => {}
        }
        match (1..=300).contains(&timeout) {
            true => Ok(Machine { run, timeout }),
            false => Err(format!("found the timeout {timeout}, expected 1 to 300 seconds")),
        }
    }
}

/// Reads the configuration of the store in that folder.
pub(crate) fn config_of(folder: &Folder) -> Result<Config, StoreError> {
    let path = folder.path().join(CONFIG);
    let Some(opened) = open(folder)? else { return Ok(Config::default()) };
    let config = Config::parse(&printable(&path), &read(&opened, &path)?);
    match ignored(&path, &opened.metadata, folder.judged().owner, geteuid().as_raw()) {
        None => config.map_err(StoreError::Refused),
        Some(_) if config == Ok(Config::default()) => Ok(Config::default()),
        ignored => Ok(Config { ignored, ..Config::default() }),
    }
}

impl Store {
    /// The configuration; the default if there is no file. If neither root nor this process's user owns the file, or others can write it,
    /// the default as well, and [`Config::ignored`] says so.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is not valid.
    pub fn config(&self) -> Result<Config, StoreError> {
        config_of(&self.folder()?)
    }

    /// The text of the configuration, to detect that it was replaced; none if there is no file.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn config_text(&self) -> Result<Option<Vec<u8>>, StoreError> {
        config_text(&self.folder()?)
    }

    /// Replaces the configuration by that text, if it still is `before`.
    ///
    /// # Errors
    ///
    /// When the text is not valid, the file was changed meanwhile, or it cannot be written. The file stays as it was.
    pub fn write_config(&self, before: Option<&[u8]>, text: &[u8]) -> Result<(), StoreError> {
        let path = self.directory.join(CONFIG);
        Config::parse(&printable(&path), text).map_err(StoreError::Refused)?;
        let failed = |source| StoreError::io("write", &path, source);
        let (folder, _lock) = self.locked("config")?;
        if config_text(&folder)?.as_deref() != before {
            return Err(StoreError::Refused(format!(
                "{} was changed by somebody else just now; nothing was changed",
                printable(&path)
            )));
        }
        let modes = folder.modes().map_err(failed)?;
        replace(&folder, CONFIG, text, &modes, modes.config()).map_err(failed)
    }
}

fn open(store: &Folder) -> Result<Option<StoreFile>, StoreError> {
    store.open(CONFIG, "open", Access::Read)
}

fn config_text(store: &Folder) -> Result<Option<Vec<u8>>, StoreError> {
    let path = store.path().join(CONFIG);
    open(store)?.map(|opened| read(&opened, &path)).transpose()
}

fn read(opened: &StoreFile, path: &Path) -> Result<Vec<u8>, StoreError> {
    opened.read(MAX_CONFIG_BYTES).map_err(|source| match source.kind() {
        io::ErrorKind::FileTooLarge => StoreError::Refused(format!("{}: {source}", printable(path))),
        _ => StoreError::io("read", path, source),
    })
}

/// The reason why that user ignores the file, in a store of user `store`; none if it belongs to root or the user, and only its owner can
/// write it.
fn ignored(path: &Path, metadata: &Metadata, store: u32, user: u32) -> Option<String> {
    let (owner, name) = (metadata.uid(), printable(path));
    if metadata.mode() & 0o022 != 0 {
        let remedy = remedy_for(format!("chmod go-w {}", shell(path)), owner, user);
        return Some(format!(
            "nothing in {name} is used, since others than its owner can write it (mode {:04o}). Read it first. {remedy}",
            metadata.mode() & 0o7777
        ));
    }
    if [0, user].contains(&owner) {
        return None;
    }
    if owner == store {
        return Some(format!(
            "nothing in {name} is used by user {user}: it is for its owner, user {owner}. Type this as root or that user"
        ));
    }
    // Giving it to root would make root run what another user named.
    let aside = path.with_file_name(ASIDE_NAME);
    let remedy = remedy_for(format!("mv -T {} {}", shell(path), shell(&aside)), store, user);
    Some(format!(
        "nothing in {name} is used, since it belongs to user {owner}, expected root or user {user}. {remedy}; read it before you write any of it anew"
    ))
}

/// Explains a problem of serde, with the nearest key for an unknown one.
fn explained(problem: &str) -> String {
    let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    if problem.starts_with("unknown field") {
        let names = quoted(problem);
        if let Some((unknown, known)) = names.split_first() {
            let known: Vec<_> =
                known.iter().filter(|key| Config::current_key(key).is_none()).cloned().collect();
            let near = nearest(unknown, known.iter().map(String::as_str));
            let near = did_you_mean(near);
            return format!("found the key {unknown:?}, expected one of {}{near}", known.join(", "));
        }
    }
    for told in ["invalid type: ", "invalid value: "] {
        if let Some(rest) = problem.strip_prefix(told) {
            return format!("found {rest}");
        }
    }
    problem.to_owned()
}
