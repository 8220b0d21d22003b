//! Migration of a store from a publishing group to one owner and readers.
//!
//! Files that members of the group own, or could write and may have open, are copied and replaced, which the owner can do without being
//! root. Their `config.json` is put aside: the owner would run and read the files that it names.

use super::Store;
use super::change_options::{Change, RecordOutcome};
use super::config::ASIDE_NAME;
use super::init::readers_group;
use super::lock::Lock;
use crate::audit::{Action, Outcome};
use crate::error::StoreError;
use crate::files::{Access, Folder, Modes, StoreFile, TEMPORARY, Trust, group_name, remedy_for};
use crate::store::layout::{
    AUDIT, CONFIG, HEAD, HEAD_LOCK, LOCK, SNAPSHOT_LIMIT, SNAPSHOTS, parse_snapshot_name,
};
use crate::text::{printable, shell};
use rustix::process::geteuid;
use std::io;
use std::os::unix::fs::MetadataExt;

/// The folders of a store.
pub(crate) const FOLDERS: [&str; 4] = [SNAPSHOTS, "guard", "notify", "keys"];

/// Result of a migration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MigrationResult {
    /// Files that belonged to others or had other permissions.
    pub files: u64,
    /// Sentences about things that the owner should check.
    pub notes: Vec<String>,
}

impl Store {
    /// The group whose members publish, in a store made with the former `init --group`: its name, or its number if it has none.
    ///
    /// # Errors
    ///
    /// When the directory cannot be looked at, or others could change it.
    pub fn publishers(&self) -> Result<Option<String>, StoreError> {
        let modes = self.folder()?.modes();
        let modes = modes.map_err(|source| StoreError::io("look at", &self.directory, source))?;
        Ok(modes.publishers().map(|group| group_name(group).unwrap_or_else(|| group.to_string())))
    }

    /// Makes the owner of the store its only publisher, and a group or everybody its readers.
    ///
    /// # Errors
    ///
    /// When this process runs neither as the owner nor as root, the group is not known, or something cannot be written. Finished steps
    /// stay then, and the next call goes on.
    pub fn migrate(&self, readers: Option<&str>, change: &Change) -> Result<MigrationResult, StoreError> {
        let readers = readers.map(readers_group).transpose()?;
        let user = geteuid().as_raw();
        let (folder, lock) = self.locked("migrate")?;
        let owner = folder.judged().owner;
        if ![0, owner].contains(&user) {
            return Err(StoreError::Refused(format!(
                "only its owner, user {owner}, or root can migrate {}; nothing was changed. Type: sudo -u '#{owner}' flagstone migrate --store {}",
                printable(folder.path()),
                shell(folder.path())
            )));
        }
        let head_lock = Lock::head(&folder, self.lock_timeout, "migrate")?;
        let modes = Modes::new(owner, readers);
        let path = folder.path().to_owned();
        let failed = |source| StoreError::io("set the permissions of", &path, source);
        let mut migration = Migration { modes, owner, migrated: MigrationResult::default() };
        // First, so that the store can be opened after an interruption.
        migration.file(&folder, HEAD)?;
        // From now on, other users can add no file. Files that they added before are still accepted.
        folder.apply(&modes).map_err(failed)?;
        let mut folder = self.folder()?;
        folder.expose(&Trust::Warned("a group could write it".to_owned()));
        let folder = folder;
        migration.put_config_aside(&folder)?;
        for name in FOLDERS {
            migration.folder(&folder, name)?;
        }
        for name in [AUDIT, CONFIG, HEAD] {
            migration.file(&folder, name)?;
        }
        // Last: a process that waits for the old lock finds that another file took its place.
        migration.file(&folder, HEAD_LOCK)?;
        migration.file(&folder, LOCK)?;
        folder.sync().map_err(failed)?;
        drop((head_lock, lock));
        let recorded = self.session(change, "migrate", |session| {
            session.append(session.record(change, Action::Migrate, Outcome::Done))?;
            Ok(RecordOutcome::changed())
        })?;
        migration.migrated.notes.extend(recorded.audit_warning);
        Ok(migration.migrated)
    }
}

struct Migration {
    modes: Modes,
    owner: u32,
    migrated: MigrationResult,
}

impl Migration {
    /// Migrates a folder and its files. A folder that another user made is replaced.
    fn folder(&mut self, store: &Folder, name: &str) -> Result<(), StoreError> {
        let Some(folder) = store.folder(name)? else { return Ok(()) };
        let failed = |source| StoreError::io("migrate", folder.path(), source);
        let mode = if name == "keys" { self.modes.keys() } else { self.modes.directory() };
        let files = folder.names().map_err(failed)?;
        let files: Vec<&str> = files.iter().filter_map(|file| file.to_str()).collect();
        if folder.owner() == self.owner || geteuid().is_root() {
            folder.apply_mode(&self.modes, mode).map_err(failed)?;
            for file in files {
                self.file(&folder, file)?;
            }
            return Ok(());
        }
        let (new, old) = (format!(".{name}{TEMPORARY}"), format!(".{name}.old"));
        let target = store.make_folder(&new, &self.modes, mode)?;
        for file in files {
            self.copy(&folder, &target, file)?;
        }
        target.sync().map_err(failed)?;
        store.rename(name, &old).map_err(failed)?;
        store.rename(&new, name).map_err(failed)?;
        self.migrated.notes.push(format!(
            "{} is what another user made; remove it: rm -r {}",
            printable(&store.path().join(&old)),
            shell(&store.path().join(&old))
        ));
        Ok(())
    }

    /// Migrates a file of the store, known by its name. Other files are left alone.
    fn file(&mut self, folder: &Folder, name: &str) -> Result<(), StoreError> {
        let Some(mode) = self.mode(folder.name(), name) else {
            if name.ends_with(TEMPORARY) {
                let _ = folder.remove(name);
            }
            return Ok(());
        };
        let Some(opened) = self.open(folder, name)? else { return Ok(()) };
        let found = &opened.metadata;
        let mine = found.uid() == self.owner && found.nlink() == 1;
        if mine
            && found.mode() & 0o7777 == mode
            && self.modes.group().is_none_or(|group| group == found.gid())
        {
            return Ok(());
        }
        // A user who could write it may have it open, and would go on writing; a user who could read a lock may hold it.
        let others = if name.ends_with(LOCK) { 0o077 } else { 0o022 };
        if mine && found.mode() & others == 0 {
            let applied = self.modes.apply(&opened.file, mode);
            applied.map_err(|source| StoreError::io("migrate", &folder.path().join(name), source))?;
            self.migrated.files += 1;
            return Ok(());
        }
        self.copy(folder, folder, name)
    }

    /// Opens a file of the store. What is there in a file's place, such as a link that another user made, keeps the migration from its
    /// end.
    fn open(&self, folder: &Folder, name: &str) -> Result<Option<StoreFile>, StoreError> {
        folder.open(name, "open", Access::Read).map_err(|error| match error.is_damage() {
            true => {
                let command = format!("rm {}", shell(&folder.path().join(name)));
                let remedy = remedy_for(command, self.owner, geteuid().as_raw());
                StoreError::Refused(format!(
                    "{error}. The migration is not at its end: remove that, and type the same again. {remedy}"
                ))
            }
            false => error,
        })
    }

    /// Puts a copy that belongs to the owner into `to`.
    fn copy(&mut self, from: &Folder, to: &Folder, name: &str) -> Result<(), StoreError> {
        let Some(mode) = self.mode(from.name(), name) else { return Ok(()) };
        let Some(opened) = self.open(from, name)? else { return Ok(()) };
        let path = from.path().join(name);
        let failed = |source| StoreError::io("migrate", &path, source);
        if opened.metadata.len() > SNAPSHOT_LIMIT {
            let message = format!("found {} bytes, expected at most {SNAPSHOT_LIMIT}", opened.metadata.len());
            return Err(failed(io::Error::other(message)));
        }
        let new = format!(".{name}{TEMPORARY}");
        let _ = to.remove(&new);
        let mut file = to.create(&new).map_err(failed)?;
        let copied = io::copy(&mut io::Read::take(&opened.file, SNAPSHOT_LIMIT), &mut file)
            .and_then(|_| self.modes.apply(&file, mode))
            .and_then(|()| file.sync_all())
            .and_then(|()| to.rename(&new, name));
        if copied.is_err() {
            let _ = to.remove(&new);
        }
        copied.map_err(failed)?;
        self.migrated.files += 1;
        Ok(())
    }

    /// The new mode of a file in that folder; none if it is no file of a store.
    fn mode(&self, folder: &str, name: &str) -> Option<u32> {
        let modes = &self.modes;
        match (folder, name) {
            (SNAPSHOTS, name) => parse_snapshot_name(name).map(|_| modes.snapshot()),
            ("keys", "signing") => Some(modes.secret()),
            ("keys", "trusted") => Some(modes.trusted_keys()),
            ("guard" | "notify", name) if name.starts_with('.') => None,
            ("guard" | "notify", name) if name.ends_with(LOCK) => Some(modes.lock()),
            ("guard" | "notify", _) => Some(modes.audit()),
            (_, LOCK | HEAD_LOCK) => Some(modes.lock()),
            (_, HEAD | AUDIT) => Some(modes.head()),
            (_, CONFIG) => Some(modes.config()),
            _ => None,
        }
    }

    fn put_config_aside(&mut self, store: &Folder) -> Result<(), StoreError> {
        let Some(opened) = store.open(CONFIG, "open", Access::Read)? else { return Ok(()) };
        let others = ![0, self.owner].contains(&opened.metadata.uid())
            || opened.metadata.mode() & 0o022 != 0
            || opened.metadata.nlink() > 1;
        if !others {
            return Ok(());
        }
        let path = store.path().join(CONFIG);
        store.rename(CONFIG, ASIDE_NAME).map_err(|source| StoreError::io("put aside", &path, source))?;
        self.migrated.notes.push(format!(
            "{} could be written by others: it is {ASIDE_NAME} now, and not used; read it before you take it back",
            printable(&path)
        ));
        Ok(())
    }
}
