//! How changes of one store are made: `config.json` beside its head, written by hand or by `flagstone config`.
//!
//! Workers never read it. Whoever may write it decides which commands run when somebody changes the store, hence
//! [`Runner`].

use super::Store;
use super::error::StoreError;
use super::layout::{CONFIG, open_plain};
use super::lock::Lock;
use super::modes::Modes;
use super::replace::replace;
use super::trust::{judge, judge_file, printable, shell};
use crate::definition::{did_you_mean, nearest};
use crate::notify::Endpoint;
use rustix::process::geteuid;
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// No file is longer, in bytes.
const LIMIT: u64 = 1 << 20;

/// The configuration of a store. Every field may be absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A file of companies, one id a line or a JSON array, to tell whom a change reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub companies: Option<PathBuf>,
    /// A change that takes a flag from more than this share of the companies that have it asks first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_share: Option<Share>,
    /// The other machines with a store for this environment, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub machines: BTreeMap<MachineName, Machine>,
    /// Who is told of changes, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notify: BTreeMap<MachineName, Endpoint>,
    /// Who may run the machines' commands.
    #[serde(skip)]
    pub runner: Runner,
}

impl Config {
    /// The share above which a change asks where the file says none: a fifth.
    pub const OFF_SHARE: Share = Share(0.2);

    /// Reads a text; `file` is its name in messages, `file:line:column: what was found and expected`.
    ///
    /// # Errors
    ///
    /// The first problem.
    pub fn parse(file: &str, text: &[u8]) -> Result<Config, String> {
        serde_json::from_slice(text).map_err(|error| {
            let place = format!("{file}:{}:{}", error.line(), error.column());
            let text = error.to_string();
            let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
            format!("{place}: {}", explained(problem))
        })
    }

    /// The share above which a change asks.
    pub fn off_share(&self) -> f64 {
        self.off_share.unwrap_or(Config::OFF_SHARE).0
    }
}

/// A number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share(f64);

impl Share {
    /// Out of the number, if it is one.
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

/// What a machine is called: 1 to 64 letters, digits, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct MachineName(String);

impl MachineName {
    /// As text.
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
            false => Err(format!(
                "found the machine {name:?}, expected a name of 1 to 64 letters, digits, . _ and -"
            )),
        }
    }
}

/// How a change gets to another machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Machine {
    /// The command, its arguments one by one; the word and what goes with it are added. No shell takes part in it.
    pub run: Vec<String>,
    /// How long it may take, in seconds.
    #[serde(skip_serializing_if = "is_default")]
    pub timeout: u64,
}

impl Machine {
    /// How long it may take where nothing is said, in seconds: the other store's lock is waited for ten.
    pub const TIMEOUT: u64 = 15;
}

fn is_default(timeout: &u64) -> bool {
    *timeout == Machine::TIMEOUT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    run: Vec<String>,
    #[serde(default = "timeout")]
    timeout: u64,
}

fn timeout() -> u64 {
    Machine::TIMEOUT
}

impl TryFrom<Written> for Machine {
    type Error = String;

    fn try_from(written: Written) -> Result<Machine, String> {
        let Written { run, timeout } = written;
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

/// As whom the machines' commands run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Runner {
    /// As the process's user, who wrote the file, or root did.
    #[default]
    Me,
    /// As the user who wrote the file, since root does not run what others wrote.
    User {
        /// The user's number.
        uid: u32,
        /// The number of the file's group.
        gid: u32,
    },
    /// Not at all; says why, and what to type.
    Nobody(String),
}

impl Store {
    /// The configuration; the default where there is no file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, others could change it, or something in it is not as it should be.
    pub fn config(&self) -> Result<Config, StoreError> {
        let user = geteuid().as_raw();
        let Some((file, path)) = self.open_config()? else { return Ok(Config::default()) };
        let metadata = file.metadata().map_err(|source| StoreError::io("read", &path, source))?;
        judge_file(&path, &metadata, &judge(&self.directory, user)?, user)?;
        let config = Config::parse(&printable(&path), &read(file, &path)?).map_err(StoreError::Refused)?;
        Ok(Config { runner: runner(&path, &metadata, user), ..config })
    }

    /// The configuration's text, and what tells that it was replaced; none where there is no file.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn config_text(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.open_config()?.map(|(file, path)| read(file, &path)).transpose()
    }

    /// Replaces the configuration by that text, if it was `before` until now.
    ///
    /// # Errors
    ///
    /// When the text is not sound, the file was changed meanwhile, or it cannot be written. It is as it was then.
    pub fn write_config(&self, before: Option<&[u8]>, text: &[u8]) -> Result<(), StoreError> {
        let path = self.directory.join(CONFIG);
        Config::parse(&printable(&path), text).map_err(StoreError::Refused)?;
        let failed = |source| StoreError::io("write", &path, source);
        let _lock = Lock::take(&self.directory, self.patience, "config")?;
        judge(&self.directory, geteuid().as_raw())?;
        if self.config_text()?.as_deref() != before {
            return Err(StoreError::Refused(format!(
                "{} was changed by somebody else just now; nothing was changed",
                printable(&path)
            )));
        }
        let modes = Modes::of(&std::fs::metadata(&self.directory).map_err(failed)?);
        replace(&path, text, &modes, modes.config()).map_err(failed)
    }

    fn open_config(&self) -> Result<Option<(File, PathBuf)>, StoreError> {
        let path = self.directory.join(CONFIG);
        match open_plain(&path, false) {
            Ok(file) => Ok(Some((file, path))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::io("open", &path, source)),
        }
    }
}

fn read(file: File, path: &Path) -> Result<Vec<u8>, StoreError> {
    let mut text = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut text).map_err(|source| StoreError::io("read", path, source))?;
    match text.len() as u64 > LIMIT {
        true => Err(StoreError::Refused(format!(
            "{}: found more than {LIMIT} bytes, expected at most that",
            printable(path)
        ))),
        false => Ok(text),
    }
}

fn runner(path: &Path, metadata: &std::fs::Metadata, user: u32) -> Runner {
    if metadata.mode() & 0o022 != 0 {
        return Runner::Nobody(format!(
            "{} is writable by others than its owner; type: chmod go-w {}",
            printable(path),
            shell(path)
        ));
    }
    match metadata.uid() {
        0 => Runner::Me,
        owner if owner == user => Runner::Me,
        owner if user == 0 => Runner::User { uid: owner, gid: metadata.gid() },
        owner => Runner::Nobody(format!(
            "{} belongs to user {owner}, whose commands nobody else runs; give it to root: chown root {}",
            printable(path),
            shell(path)
        )),
    }
}

/// A problem as serde tells it, with the nearest key for one that is unknown.
fn explained(problem: &str) -> String {
    let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    if problem.starts_with("unknown field") {
        let names = quoted(problem);
        if let Some((unknown, known)) = names.split_first() {
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
