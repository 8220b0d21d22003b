//! A store as a publisher sees it.

use super::directory::{Access, Folder};
use super::error::StoreError;
use super::head::{Current, Identity};
use super::open::head_file;
use super::trust::{Trust, printable};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How long a change waits for another one to end.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A store, to be asked and changed. Holds nothing open: every call looks at the store as it is then.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) directory: PathBuf,
    pub(super) identity: Identity,
    pub(super) trust: Trust,
    /// The user to whom the judged directory belongs.
    pub(super) owner: u32,
    pub(super) patience: Duration,
}

impl Store {
    /// Opens a store. Asking needs no permission to write.
    ///
    /// # Errors
    ///
    /// When there is no store, its head is not valid, or others could change it.
    pub fn open(directory: &Path) -> Result<Store, StoreError> {
        let folder = Folder::store(directory)?;
        let head = head_file(&folder, Access::Read)?;
        let judged = folder.judged().clone();
        let (identity, trust) = (head.identity.clone(), head.trust(&judged));
        let (owner, directory) = (judged.owner, judged.path);
        Ok(Store { identity, trust, owner, directory, patience: PATIENCE })
    }

    /// Waits so long for another change to end, instead of ten seconds.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Store {
        Store { patience, ..self }
    }

    /// Canonical.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory on the way to the store that everybody can write, if it has the owner's processes alone read the store: below such a
    /// one a user believes what is root's and its own.
    ///
    /// # Errors
    ///
    /// When the path is no longer that of a store that this user trusts.
    pub fn only_for_its_owner(&self) -> Result<Option<PathBuf>, StoreError> {
        let folder = self.folder()?;
        let judged = folder.judged();
        Ok(judged.public.clone().filter(|_| judged.owner != 0))
    }

    /// As `init` was told.
    pub fn environment(&self) -> &str {
        &self.identity.environment
    }

    /// The user to whom it belongs.
    ///
    /// # Errors
    ///
    /// When the directory cannot be looked at any more, or others could change it by now.
    pub fn owner(&self) -> Result<u32, StoreError> {
        Ok(self.folder()?.judged().owner)
    }

    /// Opens and judges the directory as it is now.
    pub(super) fn folder(&self) -> Result<Folder, StoreError> {
        let folder = Folder::store(&self.directory)?;
        // Who opened the store may have asked whose it is.
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

    /// The user to whom its directory belonged when it was judged.
    pub fn judged_owner(&self) -> u32 {
        self.owner
    }

    /// Whether a group can change it.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The generation that is published; 0 if none is.
    ///
    /// # Errors
    ///
    /// When the head cannot be read.
    pub fn generation(&self) -> Result<u64, StoreError> {
        Ok(match self.read_head()?.current() {
            Current::Nothing => 0,
            Current::Pointer(pointer) => pointer.generation,
            Current::Damaged(generation, _) => generation,
        })
    }
}

/// Microseconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
