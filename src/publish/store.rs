//! A store as a publisher sees it.

use crate::error::StoreError;
use crate::files::{Access, Folder, Trust};
use crate::store::head::{Head, Identity};
use crate::store::layout::kept;
use crate::store::open::head_file;
use crate::text::printable;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait of a change for another one to end.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// A store, to query and to change. Holds no file open: every call looks at the store as it is then.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) directory: PathBuf,
    /// The path that it was opened by: a link in it may lead elsewhere by now.
    pub(crate) given: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) trust: Trust,
    /// The owner of the directory when it was judged.
    pub(crate) owner: u32,
    pub(crate) lock_timeout: Duration,
}

impl Store {
    /// Opens a store. Queries need no permission to write.
    ///
    /// # Errors
    ///
    /// When there is no store, its head is not valid, or others could change it.
    pub fn open(directory: &Path) -> Result<Store, StoreError> {
        let folder = Folder::store(directory)?;
        let head = head_file(&folder, Access::Read)?;
        let judged = folder.judged().clone();
        let (identity, trust) = (head.identity.clone(), head.trust(&judged));
        let (owner, directory, given) = (judged.owner, judged.path, directory.to_owned());
        Ok(Store { identity, trust, owner, directory, given, lock_timeout: LOCK_TIMEOUT })
    }

    /// Replaces the ten seconds that a change waits for another one to end.
    #[must_use]
    pub fn with_lock_timeout(self, lock_timeout: Duration) -> Store {
        Store { lock_timeout, ..self }
    }

    /// Canonical path of the store.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory above the store that everybody can write, if because of it only the owner's processes can read the store: below such
    /// a directory, a user trusts only files of root and its own.
    ///
    /// # Errors
    ///
    /// When the path no longer leads to a store that this user trusts.
    pub fn only_for_its_owner(&self) -> Result<Option<PathBuf>, StoreError> {
        let folder = self.folder()?;
        let judged = folder.judged();
        Ok(judged.public.clone().filter(|_| judged.owner != 0))
    }

    /// Name given to `init`.
    pub fn environment(&self) -> &str {
        &self.identity.environment
    }

    /// The current owner of the directory.
    ///
    /// # Errors
    ///
    /// When the directory can no longer be looked at, or others could change it by now.
    pub fn owner(&self) -> Result<u32, StoreError> {
        Ok(self.folder()?.judged().owner)
    }

    /// Opens and judges the directory as it is now.
    pub(crate) fn folder(&self) -> Result<Folder, StoreError> {
        let folder = Folder::store(&self.directory)?;
        // The opener of the store may have relied on its owner.
        match folder.judged().owner == self.owner {
            true => Ok(folder),
            false => Err(StoreError::Refused(format!(
                "{} belongs to user {} by now, and to user {} when it was opened; nothing was changed",
                printable(&self.directory),
                folder.judged().owner,
                self.owner
            ))),
        }
    }

    /// This store where the path that it was opened by leads now.
    pub(crate) fn followed(&self) -> Result<Store, StoreError> {
        let folder = Folder::store(&self.given).map_err(StoreError::before_change)?;
        Ok(Store { directory: folder.judged().path.clone(), ..self.clone() })
    }

    /// Owner of the directory when the store was opened.
    pub fn judged_owner(&self) -> u32 {
        self.owner
    }

    /// Trust in the store when it was opened: a group may be able to change it.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The published generation; 0 if none.
    ///
    /// # Errors
    ///
    /// When the head cannot be read.
    pub fn generation(&self) -> Result<u64, StoreError> {
        self.generation_of(&self.read_head()?)
    }

    /// The published generation by a head that was read; 0 if none.
    pub(crate) fn generation_of(&self, head: &Head) -> Result<u64, StoreError> {
        let folder = self.folder()?;
        Ok(head.current().settled(|generation| kept(&folder, generation)).0)
    }
}
