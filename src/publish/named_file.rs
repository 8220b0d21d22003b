//! Files that a store's configuration names.
//!
//! Naming a file makes this process read it, so it must belong to a user who could read it anyway.

use super::Store;
use crate::error::StoreError;
use crate::files::{owner_of, read_bounded, remedy_for};
use crate::text::{printable, shell};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::geteuid;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Purpose of a file that a configuration names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedFile {
    /// A secret or a secret address, which not everybody may read.
    Secret,
    /// A list of companies.
    List,
}

impl NamedFile {
    /// The largest file that is read, in bytes.
    pub fn limit(self) -> u64 {
        match self {
            NamedFile::Secret => 4_096,
            NamedFile::List => 256 << 20,
        }
    }
}

impl Store {
    /// Reads a file that the configuration names; a relative path begins at the store's directory. It must be a plain file that belongs
    /// to root, this process's user or the store's owner, and that no other user can write. Never waits.
    ///
    /// # Errors
    ///
    /// When it is not such a file, or larger than [`NamedFile::limit`].
    pub fn read_named(&self, path: &Path, named: NamedFile) -> Result<Vec<u8>, StoreError> {
        let path = &self.directory.join(path);
        let failed = |source| StoreError::io("read", path, source);
        // Opening a pipe or a device may have effects.
        refuse_other_kinds(path, &std::fs::metadata(path).map_err(failed)?)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::from(open(path, flags, Mode::empty()).map_err(|error| failed(error.into()))?);
        let metadata = file.metadata().map_err(failed)?;
        refuse_other_kinds(path, &metadata)?;
        self.judge_named(path, &file, &metadata, named)?;
        read_bounded(&file, named.limit()).map_err(|source| match source.kind() {
            io::ErrorKind::FileTooLarge => StoreError::Refused(format!("{}: {source}", printable(path))),
            _ => failed(source),
        })
    }

    fn judge_named(
        &self,
        path: &Path,
        file: &File,
        metadata: &Metadata,
        named: NamedFile,
    ) -> Result<(), StoreError> {
        let user = geteuid().as_raw();
        let (owner, mode) = (owner_of(file, metadata.dev(), metadata.uid()), metadata.mode() & 0o7777);
        let (problem, command) = if ![0, user, self.owner()?].contains(&owner) {
            (
                format!("belongs to user {owner}, expected root or the owner of the store"),
                // The owner of the file decided what it holds.
                format!("cp -P --remove-destination {0} {0}.new && mv -T {0}.new {0}", shell(path)),
            )
        } else if mode & 0o022 != 0 {
            let problem = format!("can be written by others than its owner (mode {mode:04o})");
            (problem, format!("chmod go-w {}", shell(path)))
        } else if named == NamedFile::Secret && mode & 0o007 != 0 {
            let problem = format!("can be read by everybody (mode {mode:04o})");
            (problem, format!("chmod o= {}", shell(path)))
        } else {
            return Ok(());
        };
        let (read, may_type) = match command.starts_with("cp") {
            true => ("Read it, and put a copy in its place. ", self.owner()?),
            false => ("", owner),
        };
        let remedy = remedy_for(command, may_type, user);
        Err(StoreError::Refused(format!("{} {problem}. {read}{remedy}", printable(path))))
    }
}

fn refuse_other_kinds(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    match metadata.is_file() {
        true => Ok(()),
        false => Err(StoreError::Refused(format!(
            "{} is no plain file, expected one; nothing was read",
            printable(path)
        ))),
    }
}
