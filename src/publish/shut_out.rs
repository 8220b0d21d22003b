//! Users whose workers can no longer read a store, as after a restore that lost its group.

use super::Store;
use crate::files::Account;
use crate::store::layout::{HEAD, SNAPSHOTS, snapshot_name};
use rustix::fs::getxattr;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A user, and the first thing on the way that it cannot read or enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShutOut {
    /// The number of the user.
    pub user: u32,
    /// The file or directory that it cannot read or enter.
    pub path: PathBuf,
}

/// Permission to pass through a directory.
const PASS: u32 = 0o1;
/// Permission to read a file.
const READ: u32 = 0o4;

impl Store {
    /// Those of the users who cannot read this store, by owners, groups and modes. Each comes with groups that it has beside those that it
    /// is a member of. A path with an access control list (acl(5)) shuts no user out, since the list may grant more.
    pub fn shut_out(&self, users: impl IntoIterator<Item = (u32, Vec<u32>)>) -> Vec<ShutOut> {
        let store = self.directory();
        let above = store.ancestors().skip(1).map(|path| (path.to_owned(), PASS));
        let own = [(store.to_owned(), PASS), (store.join(SNAPSHOTS), READ | PASS), (store.join(HEAD), READ)];
        let way: Vec<(PathBuf, u32)> =
            above.chain(own).chain(self.current_file().map(|file| (file, READ))).collect();
        let shut_out = |(user, more): (u32, Vec<u32>)| {
            let account = std::cell::OnceCell::new();
            let path = way.iter().find(|(path, need)| {
                let Ok(found) = path.symlink_metadata() else { return false };
                !is_granted(&found, *need, user, || {
                    account.get_or_init(|| {
                        let mut account = Account::of(user);
                        account.groups.extend(&more);
                        account
                    })
                }) && !has_list(path)
            });
            path.map(|(path, _)| ShutOut { user, path: path.clone() })
        };
        users.into_iter().filter(|(user, _)| *user != 0).filter_map(shut_out).collect()
    }

    /// The snapshot that the head names, if it is there.
    fn current_file(&self) -> Option<PathBuf> {
        let current = self.generation().ok()?;
        let (generation, content) = self.kept().ok()?.into_iter().rev().find(|kept| kept.0 == current)?;
        Some(self.directory().join(SNAPSHOTS).join(snapshot_name(generation, content)))
    }
}

/// True if the mode grants `need`. `account` is called only if the groups matter.
fn is_granted<'a>(found: &Metadata, need: u32, user: u32, account: impl FnOnce() -> &'a Account) -> bool {
    let grants = |bits: u32| found.mode() >> bits & need == need;
    if found.uid() == user {
        return grants(6);
    }
    // Both alike: no need to know the groups.
    if grants(3) == grants(0) {
        return grants(0);
    }
    let account = account();
    let is_member = account.gid == Some(found.gid()) || account.groups.contains(&found.gid());
    if is_member { grants(3) } else { grants(0) }
}

fn has_list(path: &Path) -> bool {
    getxattr(path, "system.posix_acl_access", &mut [0_u8; 0]).is_ok()
}
