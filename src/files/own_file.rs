//! A file that stays open in an application's process. Code of the application or of another extension may close its descriptor by
//! mistake: then the number is soon that of another file, which is neither to be grown nor closed.

use super::descriptor::FileId;
use std::fs::{File, Metadata};
use std::io;
use std::ops::Deref;
use std::os::fd::IntoRawFd;
use std::path::Path;

#[derive(Debug)]
pub(crate) struct OwnFile {
    /// None only while it is dropped.
    file: Option<File>,
    id: FileId,
}

impl OwnFile {
    pub(crate) fn new(file: File) -> io::Result<OwnFile> {
        let id = FileId::of(&file.metadata()?);
        Ok(OwnFile::of(file, id))
    }

    /// A file that was looked at already.
    pub(crate) fn of(file: File, id: FileId) -> OwnFile {
        OwnFile { file: Some(file), id }
    }

    /// Metadata of the file; none if the descriptor no longer leads to it.
    pub(crate) fn look(&self) -> Option<Metadata> {
        self.metadata().ok().filter(|found| FileId::of(found) == self.id)
    }

    /// True if the descriptor still leads to the file that was opened.
    pub(crate) fn is_itself(&self) -> bool {
        self.look().is_some()
    }

    /// True if the descriptor still leads to the file that was opened, and the path does.
    pub(crate) fn has_path(&self, path: &Path) -> bool {
        self.is_itself() && std::fs::symlink_metadata(path).is_ok_and(|found| FileId::of(&found) == self.id)
    }

    pub(crate) fn id(&self) -> FileId {
        self.id
    }
}

impl Deref for OwnFile {
    type Target = File;

    fn deref(&self) -> &File {
        match &self.file {
            Some(file) => file,
            None => unreachable!("taken by drop alone"),
        }
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        if !self.is_itself()
            && let Some(file) = self.file.take()
        {
            let _ = file.into_raw_fd();
        }
    }
}
