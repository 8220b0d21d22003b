//! Permissions of every file and folder of a store, judged as each is when it is opened.

use super::Store;
use super::keys::refuse_readable;
use super::migrate::FOLDERS;
use crate::error::StoreError;
use crate::files::Folder;
use crate::store::layout::{AUDIT, HEAD, HEAD_LOCK, LOCK, SNAPSHOTS};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Result of [`Store::permissions`].
#[derive(Debug, Default)]
pub struct Permissions {
    /// Errors of the files and folders that would be refused when opened.
    pub refused: Vec<StoreError>,
    /// Files and folders that a group can write.
    pub group_writable: Vec<PathBuf>,
    /// Files and folders for answers or history that some users who can enter the store's directory cannot read.
    pub unreadable: Vec<PathBuf>,
    /// Mode bits by which the group and others can read the store's directory and enter it.
    pub readers: u32,
    /// The only group that can enter the store's directory.
    group: Option<u32>,
}

impl Store {
    /// Checks the owner and mode of every file and folder without opening any. The config has its own judgement:
    /// [`Config::ignored`](super::Config::ignored).
    ///
    /// # Errors
    ///
    /// When the directory itself is refused.
    pub fn permissions(&self) -> Result<Permissions, StoreError> {
        let mut found = Permissions::default();
        let store = self.folder()?;
        let directory = store.metadata().map_err(|source| StoreError::io("look at", store.path(), source))?;
        let entered = directory.mode() & 0o055;
        found.readers = entered;
        found.group = (entered & 0o005 == 0 && entered != 0).then_some(directory.gid());
        for name in [HEAD, LOCK, HEAD_LOCK, AUDIT] {
            let is_read = matches!(name, HEAD | AUDIT);
            found.look(&store, name, if is_read { entered & 0o044 } else { 0 });
        }
        for name in FOLDERS {
            let is_read = name == SNAPSHOTS;
            found.look(&store, name, if is_read { entered } else { 0 });
            let Ok(Some(folder)) = store.folder(name) else { continue };
            let names = match folder.names() {
                // Closed to this user, and so to users who could not change it either.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => continue,
                names => names.map_err(|source| StoreError::io("list", folder.path(), source))?,
            };
            for name in names.iter().filter_map(|name| name.to_str()).filter(|name| !name.starts_with('.')) {
                found.look(&folder, name, if is_read { entered & 0o044 } else { 0 });
            }
        }
        Ok(found)
    }
}

impl Permissions {
    /// Judges one entry; its mode must have the bits of `read`.
    fn look(&mut self, folder: &Folder, name: &str, read: u32) {
        match folder.look(name) {
            Ok(None) => {}
            Ok(Some((metadata, group_writable))) => {
                if group_writable {
                    self.group_writable.push(folder.path().join(name));
                }
                let is_groups = self.group.is_none_or(|group| metadata.gid() == group);
                if metadata.mode() & read != read || (read != 0 && !is_groups) {
                    self.unreadable.push(folder.path().join(name));
                }
                self.refused.extend(refuse_readable(folder, name, metadata.mode()).err());
            }
            Err(error) => self.refused.push(error),
        }
    }
}
