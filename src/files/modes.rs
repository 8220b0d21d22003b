//! Permissions of the files of a store. They are set explicitly, whatever the umask says.

use super::users::{group_name, user_name};
use rustix::fs::{Gid, Mode, Uid, fchmod, fchown};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;

/// Users who may read a store besides its owner, or publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// Every user of the machine reads.
    Everybody,
    /// The members of a group read.
    Readers(u32),
    /// The members of a group read and publish: a store made with the former `init --group`.
    Publishers(u32),
}

/// The permissions of one store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Modes {
    owner: u32,
    audience: Audience,
}

impl Modes {
    /// Permissions of a new store, which a group or everybody reads.
    pub(crate) fn new(owner: u32, readers: Option<u32>) -> Modes {
        Modes { owner, audience: readers.map_or(Audience::Everybody, Audience::Readers) }
    }

    /// Permissions of an existing store, derived from its directory.
    pub(crate) fn of(directory: &Metadata) -> Modes {
        let audience = match directory.mode() & 0o2077 {
            mode if mode & 0o2020 == 0o2020 => Audience::Publishers(directory.gid()),
            mode if mode & 0o057 == 0o050 => Audience::Readers(directory.gid()),
            _ => Audience::Everybody,
        };
        Modes { owner: directory.uid(), audience }
    }

    /// The group whose members publish.
    pub(crate) fn publishers(&self) -> Option<u32> {
        match self.audience {
            Audience::Publishers(group) => Some(group),
            Audience::Everybody | Audience::Readers(_) => None,
        }
    }

    /// The group of the store's files; none if everybody reads them.
    pub(crate) fn group(&self) -> Option<u32> {
        match self.audience {
            Audience::Everybody => None,
            Audience::Readers(group) | Audience::Publishers(group) => Some(group),
        }
    }

    pub(crate) fn directory(&self) -> u32 {
        self.by_audience(0o755, 0o750, 0o2770)
    }

    pub(crate) fn head(&self) -> u32 {
        self.by_audience(0o644, 0o640, 0o660)
    }

    /// Mode of a lock's file: a user who can open it can hold it.
    pub(crate) fn lock(&self) -> u32 {
        self.by_audience(0o600, 0o600, 0o660)
    }

    pub(crate) fn audit(&self) -> u32 {
        self.head()
    }

    /// Like the audit trail's mode, but only the owner writes it: its writer has commands run by those who change the store.
    pub(crate) fn config(&self) -> u32 {
        self.by_audience(0o644, 0o640, 0o640)
    }

    pub(crate) fn keys(&self) -> u32 {
        self.by_audience(0o755, 0o700, 0o2770)
    }

    /// Mode of the keys that exports may be signed by.
    pub(crate) fn trusted_keys(&self) -> u32 {
        self.by_audience(0o644, 0o600, 0o640)
    }

    /// Mode of files that only publishers read.
    pub(crate) fn secret(&self) -> u32 {
        self.by_audience(0o600, 0o600, 0o640)
    }

    pub(crate) fn snapshot(&self) -> u32 {
        self.by_audience(0o444, 0o440, 0o440)
    }

    fn by_audience(&self, everybody: u32, readers: u32, publishers: u32) -> u32 {
        match self.audience {
            Audience::Everybody => everybody,
            Audience::Readers(_) => readers,
            Audience::Publishers(_) => publishers,
        }
    }

    /// Gives `file`, which this process made, the store's group, and the store's owner if this is root; then sets the mode.
    pub(crate) fn apply(&self, file: &File, mode: u32) -> io::Result<()> {
        let root = geteuid().is_root() && self.owner != 0;
        let owner = root.then(|| Uid::from_raw(self.owner));
        let group = self.group();
        if owner.is_some() || group.is_some_and(|group| file.metadata().is_ok_and(|now| now.gid() != group)) {
            fchown(file, owner, group.map(Gid::from_raw)).map_err(|error| match group {
                Some(group) if error == Errno::PERM && owner.is_none() => no_member(group),
                _ => error.into(),
            })?;
        }
        Ok(fchmod(file, Mode::from_raw_mode(mode))?)
    }
}

/// Error of an owner who is no longer in the group of the store.
fn no_member(group: u32) -> io::Error {
    let (group, user) = (group_name(group).unwrap_or_else(|| group.to_string()), geteuid().as_raw());
    let user = user_name(user).unwrap_or_else(|| user.to_string());
    let text = format!(
        "this process of user {user} is not in the store's group {group}, and so cannot give it what it writes (as root: usermod -aG {group} {user}, then \
         restart what runs as {user})"
    );
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}
