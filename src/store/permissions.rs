//! Every file and folder of a store, judged as each is when it is opened.

use super::Store;
use super::directory::Folder;
use super::error::StoreError;
use super::keys::refuse_readable;
use super::layout::{AUDIT, HEAD, HEAD_LOCK, LOCK};
use super::migrate::FOLDERS;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// What [`Store::permissions`] found.
#[derive(Debug, Default)]
pub struct Permissions {
    /// Why files or folders are refused when they are opened.
    pub refused: Vec<StoreError>,
    /// Those that a group can write.
    pub group_writable: Vec<PathBuf>,
}

impl Store {
    /// Looks at the owner and mode of every file and folder without opening any. The config has a judgement of its own:
    /// [`Config::ignored`](super::Config::ignored).
    ///
    /// # Errors
    ///
    /// When the directory itself is refused.
    pub fn permissions(&self) -> Result<Permissions, StoreError> {
        let mut found = Permissions::default();
        let store = self.folder()?;
        for name in [HEAD, LOCK, HEAD_LOCK, AUDIT] {
            found.look(&store, name);
        }
        for name in FOLDERS {
            found.look(&store, name);
            let Ok(Some(folder)) = store.folder(name) else { continue };
            let names = match folder.names() {
                // Closed to this user, and so to those who could not change it either.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => continue,
                names => names.map_err(|source| StoreError::io("list", folder.path(), source))?,
            };
            for name in names.iter().filter_map(|name| name.to_str()).filter(|name| !name.starts_with('.')) {
                found.look(&folder, name);
            }
        }
        Ok(found)
    }
}

impl Permissions {
    fn look(&mut self, folder: &Folder, name: &str) {
        match folder.look(name) {
            Ok(None) => {}
            Ok(Some((metadata, group_writable))) => {
                if group_writable {
                    self.group_writable.push(folder.path().join(name));
                }
                self.refused.extend(refuse_readable(folder, name, metadata.mode()).err());
            }
            Err(error) => self.refused.push(error),
        }
    }
}
