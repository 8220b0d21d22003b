//! The store of a command, and what it serves.

use crate::args::{Arguments, Command, Promote};
use crate::display::plain;
use crate::entry::Entry;
use crate::output::{DIM, Failure, Output};
use crate::{display, identity, inputs};
use flagstone::definition::{Definitions, nearest};
use flagstone::publish::Store;
use flagstone::store::{Reader, ReaderOptions, View};
use flagstone::{FlagId, Snapshot, StoreError};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The file that names this machine's store, if nothing else names one.
pub const DEFAULT_STORE: &str = "/etc/flagstone/store";
/// The first bytes of a file, which tell its type.
const START: u64 = 64;

/// The store that `--store`, `FLAGSTONE_STORE` or the machine's file names.
pub fn directory(arguments: &Arguments) -> Result<PathBuf, Failure> {
    if let Command::Promote(Promote { to: Some(directory), .. }) = &arguments.command {
        return Ok(directory.clone());
    }
    if let Some(directory) = &arguments.store {
        return Ok(directory.clone());
    }
    match unnamed() {
        Ok(Some(directory)) => Ok(directory),
        Ok(None) => Err(Failure::Unknown(format!(
            "which store? Name its directory with --store DIR, in the environment as FLAGSTONE_STORE, or for this machine in {DEFAULT_STORE}"
        ))),
        Err(problem) => Err(Failure::Unknown(format!("{DEFAULT_STORE}: {problem}"))),
    }
}

/// The store that a line without `--store` reaches.
fn unnamed() -> Result<Option<PathBuf>, String> {
    match std::env::var_os("FLAGSTONE_STORE").filter(|directory| !directory.is_empty()) {
        Some(directory) => Ok(Some(directory.into())),
        None => machines_store().clone(),
    }
}

/// The store that the machine's file names. It is root's file: root reads it before it becomes a store's owner, and once.
pub fn machines_store() -> &'static Result<Option<PathBuf>, String> {
    static FOUND: OnceLock<Result<Option<PathBuf>, String>> = OnceLock::new();
    FOUND.get_or_init(|| default_store(Path::new(DEFAULT_STORE), 0))
}

/// The store of `--store`, if a line without it would reach another one.
pub fn named(arguments: &Arguments) -> Option<&Path> {
    arguments.store.as_deref().filter(|store| unnamed().ok().flatten().as_deref() != Some(store))
}

/// What names another store than this one for lines without `--store`, and that store.
pub fn other_default(store: &Path) -> Option<(&'static str, PathBuf)> {
    let variable = std::env::var_os("FLAGSTONE_STORE").filter(|directory| !directory.is_empty());
    let file = machines_store().clone().ok().flatten();
    let named = [("FLAGSTONE_STORE", variable.map(PathBuf::from)), (DEFAULT_STORE, file)];
    let is_other = |path: &PathBuf| path.canonicalize().map_or(true, |path| path != store);
    named.into_iter().find_map(|(name, path)| Some((name, path.filter(is_other)?)))
}

/// The machine's store: the one line of a file that only its owner, root, can change. None if there is no such file.
fn default_store(path: &Path, owner: u32) -> Result<Option<PathBuf>, String> {
    let file = match open_plain(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(format!("{error}; type: sudo chmod go+rX /etc/flagstone {DEFAULT_STORE}"));
        }
        Err(error) => return Err(error.to_string()),
    };
    let found = file.metadata().map_err(|error| error.to_string())?;
    if !found.is_file() || found.uid() != owner || found.mode() & 0o022 != 0 {
        return Err("expected a file of root's that nobody else can write".to_owned());
    }
    let mut text = String::new();
    file.take(4_096).read_to_string(&mut text).map_err(|error| error.to_string())?;
    match text.trim() {
        line if line.starts_with('/') && !line.contains('\n') => Ok(Some(line.into())),
        _ => Err("expected one line, the absolute path of a store".to_owned()),
    }
}

/// Checks that the machine's store can be named: by root, if none is named yet. The error is the reason against it.
pub fn may_name_default() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err(format!(
            "only root may write {DEFAULT_STORE}, and names a store of its own there by this command. Without --default-store, the \
             command says what to type"
        ));
    }
    match machines_store() {
        Ok(None) => Ok(()),
        Ok(Some(named)) => Err(format!(
            "{DEFAULT_STORE} names {} already; to name another, first type: rm {DEFAULT_STORE}",
            plain(&named.to_string_lossy())
        )),
        Err(problem) => Err(format!("{DEFAULT_STORE}: {problem}; first type: rm {DEFAULT_STORE}")),
    }
}

/// The line for root to name it, if no store was named. Every user can read what it makes, under any umask.
pub fn naming_default(directory: &Path) -> Option<String> {
    let directory = display::argument(&directory.to_string_lossy()).into_owned();
    let line = format!(
        "sudo install -d -m 0755 /etc/flagstone && echo {directory} | sudo install -m 0644 /dev/stdin {DEFAULT_STORE}"
    );
    matches!(machines_store(), Ok(None)).then_some(line)
}

/// Names the machine's store, readable by every user.
pub fn name_default(directory: &Path) -> io::Result<()> {
    let path = Path::new(DEFAULT_STORE);
    let open = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
    if let Some(parent) = path.parent().filter(|parent| !parent.exists()) {
        std::fs::create_dir_all(parent)?;
        open(parent, 0o755)?;
    }
    let mut line = directory.as_os_str().as_bytes().to_vec();
    line.push(b'\n');
    Entry::find(path)?.write(&line)?;
    open(path, 0o644)
}

/// Opens a file without following a symbolic link or waiting.
fn open_plain(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    Ok(open(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?
        .into())
}

/// Opens the store, to ask about its past or to change it.
pub fn store(arguments: &Arguments) -> Result<Store, Failure> {
    identity::open(&directory(arguments)?).map_err(Failure::asking)
}

/// Tells of the keys of the store's config that have another name now, with what to type.
pub fn tell_former_config_keys(arguments: &Arguments, output: &mut Output) {
    let store = directory(arguments).ok().and_then(|directory| Store::open(&directory).ok());
    let config = store.and_then(|store| store.config().ok()).unwrap_or_default();
    let values = serde_json::to_value(&config).unwrap_or_default();
    for (former, current) in &config.former_keys {
        output.warn(format!(
            "config.json has {former}, which is named {current} now and is used as that; type: flagstone config {current} {}",
            values[current]
        ));
    }
}

/// A store as a worker sees it.
pub struct WorkerView {
    pub view: Arc<View>,
    pub environment: String,
    pub snapshot: Arc<Snapshot>,
}

/// Opens what workers answer from. Refuses what they would refuse; warns if they fall back.
pub fn served(arguments: &Arguments, output: &mut Output) -> Result<WorkerView, Failure> {
    let directory = directory(arguments)?;
    identity::admit(&directory).map_err(Failure::asking)?;
    let reader = Reader::open(&directory, ReaderOptions::default()).map_err(Failure::asking)?;
    let view = reader.view();
    let status = reader.status();
    if let Some(error) = &status.last_error {
        output.warn(plain(error));
    }
    let Some(snapshot) = view.snapshot.clone() else {
        return Err(Failure::Unknown(match status.head_generation {
            0 => format!(
                "nothing is published in {} yet, every flag is off (no_snapshot); publish with `flagstone publish FILE`",
                plain(&directory.to_string_lossy())
            ),
            generation => format!("generation {generation} cannot be read, every flag is off (no_snapshot)"),
        }));
    };
    Ok(WorkerView { view, environment: status.environment, snapshot })
}

impl WorkerView {
    /// Finds a flag by its key.
    pub fn flag(&self, key: &str) -> Result<FlagId, Failure> {
        self.snapshot.find(key.as_bytes()).ok_or_else(|| {
            let unknown = unknown_flag(&self.snapshot, self.view.generation, key);
            Failure::Unknown(format!(
                "{}, workers answer off (unknown_flag); {}",
                unknown.problem, unknown.hint
            ))
        })
    }

    /// The present key of the flag with that key or former key.
    pub fn current_key<'a>(&'a self, key: &'a str) -> &'a str {
        current_key(&self.snapshot, key)
    }

    /// The definitions that the snapshot was compiled from.
    pub fn definitions(&self) -> Result<Definitions, Failure> {
        definitions(&self.snapshot)
    }

    /// The name of what is served: `generation 12 of production`.
    pub fn name(&self) -> String {
        format!("generation {} of {}", self.view.generation, self.environment)
    }
}

/// The present key of the flag with that key or former key; the key itself if there is no such flag.
pub fn current_key<'a>(snapshot: &'a Snapshot, key: &'a str) -> &'a str {
    let renamed = snapshot.find(key.as_bytes()).and_then(|flag| snapshot.renamed_to(flag));
    renamed.map_or(key, |flag| snapshot.flag_key(flag))
}

/// Reports that a flag was named by its former key.
pub fn tell_current_key(key: &str, current: &str, output: &mut Output) {
    if key != current {
        output.line(output.paint(DIM, format!("{} is called {} now", plain(key), plain(current))));
    }
}

/// The message about a key that no flag has.
pub struct UnknownFlag {
    pub problem: String,
    pub hint: String,
}

/// The message that the snapshot has no such flag, with the nearest key.
pub fn unknown_flag(snapshot: &Snapshot, generation: u64, key: &str) -> UnknownFlag {
    let near = nearest(key, snapshot.flag_ids().map(|flag| snapshot.flag_key(flag)));
    UnknownFlag {
        problem: format!(
            "generation {generation} of {} has no flag \"{}\"",
            snapshot.environment(),
            plain(key)
        ),
        hint: match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "`flagstone list` shows those there are".to_owned(),
        },
    }
}

/// The definitions embedded in a snapshot.
pub fn definitions(snapshot: &Snapshot) -> Result<Definitions, Failure> {
    let json = snapshot.definitions_json().map_err(|error| Failure::Unknown(error.to_string()))?;
    Definitions::from_canonical_json(json).map_err(|error| {
        Failure::Unknown(format!(
            "the definitions inside the snapshot cannot be read by this version: {error}"
        ))
    })
}

/// Reads a file, or standard input for `-`; an error if there are more than `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    read_by_start(path, |_| limit)
}

/// Reads as [`read`] does, with a limit that depends on the first bytes.
pub fn read_by_start(path: &Path, limit: impl Fn(&[u8]) -> u64) -> Result<Vec<u8>, Failure> {
    let name = file_name(path);
    let failed = |error: io::Error| Failure::Unknown(format!("cannot read {name}: {error}"));
    let mut bytes = Vec::new();
    let is_stdin = path == Path::new("-");
    let (mut source, size): (Box<dyn Read>, u64) = match (inputs::requested(path), is_stdin) {
        (Some(text), _) => (Box::new(io::Cursor::new(text)), 0),
        (None, true) => (Box::new(io::stdin().lock()), 0),
        (None, false) => {
            let file = inputs::open(path).map_err(failed)?;
            let size = file.metadata().map_or(0, |metadata| metadata.len());
            (Box::new(file), size)
        }
    };
    (&mut source).take(START).read_to_end(&mut bytes).map_err(failed)?;
    let limit = limit(&bytes);
    bytes.reserve_exact(size.min(limit).saturating_sub(START) as usize);
    source.take((limit + 1).saturating_sub(bytes.len() as u64)).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 > limit {
        true => Err(Failure::Refused(format!(
            "{name}: found more than {} MiB, expected at most that",
            limit >> 20
        ))),
        false => Ok(bytes),
    }
}

/// A file's name for messages.
pub fn file_name(path: &Path) -> String {
    match path == Path::new("-") {
        true => "standard input".to_owned(),
        false => plain(&path.to_string_lossy()).into_owned(),
    }
}

impl Failure {
    /// The failure of a command that asks: it could not tell, whatever the error.
    pub fn asking(error: StoreError) -> Failure {
        Failure::Unknown(error.to_string())
    }

    /// The failure of a command that changes: refused, or it could not be done.
    pub fn changing(error: StoreError) -> Failure {
        let text = error.to_string();
        match error.is_refusal() {
            _ if error.is_partial() => Failure::Partial(text),
            true => Failure::Refused(text),
            false => Failure::Unknown(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_store_is_one_line_of_a_file_that_nobody_else_can_write() {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target");
        let path = directory.join(format!("default-store-{}", std::process::id()));
        assert_eq!(default_store(&path, 0), Ok(None));
        let write = |text: &str, mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let owner = std::fs::metadata(&path).unwrap().uid();
            (default_store(&path, owner), default_store(&path, owner + 1))
        };
        let (own, others) = write("/var/lib/flagstone\n", 0o644);
        assert_eq!(own, Ok(Some("/var/lib/flagstone".into())));
        assert!(others.is_err());
        for (text, mode) in [("/a\n/b\n", 0o644), ("shop\n", 0o644), ("", 0o644), ("/a\n", 0o664)] {
            assert!(write(text, mode).0.is_err(), "{text:?}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
