//! Which permissions the files of a store have. They are set outright, whatever the umask says.

use rustix::fs::{Gid, Mode, Uid, fchmod, fchown};
use rustix::process::geteuid;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;

/// The permissions of one store: its owner's alone, or a group's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Modes {
    owner: u32,
    group: Option<u32>,
}

impl Modes {
    /// For a new store.
    pub(super) fn new(group: Option<u32>) -> Modes {
        Modes { owner: geteuid().as_raw(), group }
    }

    /// As the directory shows them: `init` gives a group's store the group's write permission and setgid.
    pub(super) fn of(directory: &Metadata) -> Modes {
        let group = (directory.mode() & 0o2020 == 0o2020).then(|| directory.gid());
        Modes { owner: directory.uid(), group }
    }

    pub(super) fn directory(&self) -> u32 {
        if self.group.is_some() { 0o2770 } else { 0o755 }
    }

    pub(super) fn head(&self) -> u32 {
        if self.group.is_some() { 0o660 } else { 0o644 }
    }

    pub(super) fn lock(&self) -> u32 {
        self.head()
    }

    pub(super) fn audit(&self) -> u32 {
        self.head()
    }

    /// As the audit trail's, but only its owner writes it: whoever does has commands run by those who change the store.
    pub(super) fn config(&self) -> u32 {
        if self.group.is_some() { 0o640 } else { 0o644 }
    }

    /// What only those who publish read.
    pub(super) fn secret(&self) -> u32 {
        if self.group.is_some() { 0o640 } else { 0o600 }
    }

    pub(super) fn snapshot(&self) -> u32 {
        if self.group.is_some() { 0o440 } else { 0o444 }
    }

    /// Gives `file` to the store's group, and root's files to the store's owner; then sets the mode.
    pub(super) fn apply(&self, file: &File, mode: u32) -> io::Result<()> {
        let root = geteuid().is_root() && self.owner != 0;
        let owner = root.then(|| Uid::from_raw(self.owner));
        if owner.is_some()
            || self.group.is_some_and(|group| file.metadata().is_ok_and(|now| now.gid() != group))
        {
            fchown(file, owner, self.group.map(Gid::from_raw))?;
        }
        Ok(fchmod(file, Mode::from_raw_mode(mode))?)
    }
}
