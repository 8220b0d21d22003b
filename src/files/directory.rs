//! A store's files, each opened below the descriptor of the judged directory.
//!
//! This is the only way from a store's path to its files. No symbolic link is followed, only plain files and folders are opened, and each
//! is judged by its own descriptor before it is read, written, or given another owner or mode. So a user who can write the directory
//! cannot lead a process out of it by exchanging files at any moment.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::descriptor::{FileId, above_standard};
#[cfg(feature = "publisher")]
use super::trust::judge_parent;
use super::trust::{Believed, Judged, Trust, judge, judge_file, pass};
use crate::error::StoreError;
#[cfg(feature = "publisher")]
use crate::time::SECOND;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Mode in which a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    #[cfg(feature = "publisher")]
    Write,
    #[cfg(feature = "publisher")]
    Append,
}

/// A file of a store, open and judged.
#[derive(Debug)]
pub(crate) struct StoreFile {
    pub(crate) file: File,
    pub(crate) metadata: Metadata,
    pub(crate) group_writable: bool,
}

/// The directory of a store, or a folder in it, open and judged.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Only for passing through; a listing and a sync open it once more.
    directory: File,
    path: PathBuf,
    owner: u32,
    group_writable: bool,
    judged: Judged,
    believed: Believed,
}

impl Folder {
    /// Opens and judges the directory of a store, for this process's user.
    #[cfg(feature = "publisher")]
    pub(crate) fn store(path: &Path) -> Result<Folder, StoreError> {
        Folder::believing(path, None)
    }

    /// Opens and judges the directory of a store, which may be the named user's as well.
    pub(crate) fn believing(path: &Path, named: Option<u32>) -> Result<Folder, StoreError> {
        let believed = Believed::by_process(named);
        Folder::over(path, judge(path, believed)?, believed)
    }

    /// Opens and judges a directory in which a store is to be made.
    #[cfg(feature = "publisher")]
    pub(crate) fn parent(path: &Path) -> Result<Folder, StoreError> {
        let believed = Believed::by_process(None);
        Folder::over(path, judge_parent(path, believed)?, believed)
    }

    fn over(
        path: &Path,
        (judged, directory): (Judged, File),
        believed: Believed,
    ) -> Result<Folder, StoreError> {
        let metadata = directory.metadata().map_err(|source| StoreError::io("look at", path, source))?;
        Ok(Folder {
            directory,
            path: judged.path.clone(),
            owner: judged.owner,
            group_writable: metadata.mode() & 0o020 != 0,
            judged,
            believed,
        })
    }

    /// Opens and judges a folder; none if the name does not exist.
    pub(crate) fn folder(&self, name: &str) -> Result<Option<Folder>, StoreError> {
        let path = self.path.join(name);
        let failed = |source| StoreError::io("open the directory", &path, source);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = match openat(&self.directory, name, flags, Mode::empty()) {
            Ok(directory) => File::from(directory),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => {
                return Err(StoreError::Mismatch { path, problem: "expected a directory".to_owned() });
            }
            Err(error) => return Err(failed(error.into())),
        };
        let metadata = directory.metadata().map_err(failed)?;
        let group_writable = judge_file(&path, &metadata, &self.judged, self.believed)?;
        Ok(Some(Folder {
            directory,
            path,
            owner: metadata.uid(),
            group_writable,
            judged: self.judged.clone(),
            believed: self.believed,
        }))
    }

    /// Like [`folder`](Self::folder), but an error if it does not exist.
    pub(crate) fn expect_folder(&self, name: &str) -> Result<Folder, StoreError> {
        self.folder(name)?.ok_or_else(|| {
            StoreError::io(
                "open the store's directory",
                &self.path.join(name),
                io::ErrorKind::NotFound.into(),
            )
        })
    }

    /// The canonical path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn judged(&self) -> &Judged {
        &self.judged
    }

    /// True if a group can write the store, the way to it, or this folder.
    pub(crate) fn is_exposed(&self) -> bool {
        self.group_writable || self.judged.trust.is_exposed()
    }

    /// Treats the store as one that a group could write earlier, if it could.
    pub(crate) fn expose(&mut self, earlier: &Trust) {
        if earlier.is_exposed() && !self.judged.trust.is_exposed() {
            self.judged.trust = earlier.clone();
        }
    }

    /// Opens and judges a plain file without waiting; none if the name does not exist. `what` is for messages: "open the head".
    pub(crate) fn open(
        &self,
        name: &str,
        what: &'static str,
        access: Access,
    ) -> Result<Option<StoreFile>, StoreError> {
        let path = self.path.join(name);
        let failed = |source| StoreError::io(what, &path, source);
        // Opening a device or a pipe may have effects.
        let found = match statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(failed(error.into())),
        };
        plain(FileType::from_raw_mode(found.st_mode)).map_err(failed)?;
        let mode = match access {
            Access::Read => OFlags::RDONLY,
            #[cfg(feature = "publisher")]
            Access::Write => OFlags::RDWR,
            // Files with `chattr +a` can be opened only like this.
            #[cfg(feature = "publisher")]
            Access::Append => OFlags::RDWR | OFlags::APPEND,
        };
        let flags = mode | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let open = || openat(&self.directory, name, flags, Mode::empty());
        // Wait only for files of root, this user or the owner. Workers never wait.
        #[cfg(feature = "publisher")]
        let opened = match [0, self.believed.user(), self.judged.owner].contains(&found.st_uid) {
            true => super::lease::open(found.st_ino, open),
            false => open().map(File::from).map_err(io::Error::from),
        };
        #[cfg(not(feature = "publisher"))]
        let opened = open().map(File::from).map_err(io::Error::from);
        let file = match opened {
            Ok(file) => above_standard(file).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let metadata = file.metadata().map_err(failed)?;
        plain(FileType::from_raw_mode(metadata.mode())).map_err(failed)?;
        let group_writable = judge_file(&path, &metadata, &self.judged, self.believed)?;
        if access != Access::Read {
            self.refuse_links(&path, &metadata)?;
        }
        Ok(Some(StoreFile { file, metadata, group_writable }))
    }

    /// Device and inode of an entry, which is not read.
    pub(crate) fn entry_id(&self, name: &str) -> io::Result<FileId> {
        Ok(FileId::of(&pass(&self.directory, OsStr::new(name))?.metadata()?))
    }

    /// Names of its files and folders.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self.readable()?)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        Ok(names)
    }

    fn readable(&self) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(openat(&self.directory, ".", flags, Mode::empty())?))
    }

    /// Refuses a file with several names if another user could have put it here to be written by this process.
    fn refuse_links(&self, path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
        let mine = [0, self.believed.user()].contains(&self.owner) && !self.is_exposed();
        if mine || metadata.nlink() <= 1 {
            return Ok(());
        }
        let problem = format!(
            "it has {} names, and others could have given them to it (hard links); expected one. Put a copy in its place",
            metadata.nlink()
        );
        Err(StoreError::Mismatch { path: path.to_owned(), problem })
    }

    /// When an entry of the directory was last made, renamed or removed, or the directory itself renamed; in microseconds since 1970.
    #[cfg(feature = "publisher")]
    pub(crate) fn changed_at(&self) -> io::Result<i64> {
        let found = self.directory.metadata()?;
        Ok(found.ctime().saturating_mul(SECOND).saturating_add(found.ctime_nsec() / 1_000))
    }

    /// Device and inode of the directory.
    #[cfg(feature = "publisher")]
    pub(crate) fn id(&self) -> io::Result<FileId> {
        Ok(FileId::of(&self.directory.metadata()?))
    }
}

fn plain(found: FileType) -> io::Result<()> {
    let found = match found {
        FileType::RegularFile => return Ok(()),
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "something else",
    };
    Err(io::Error::other(format!("found {found}, expected a file")))
}

#[cfg(feature = "publisher")]
mod change {
    use super::{Folder, StoreFile, plain};
    use crate::error::StoreError;
    use crate::files::modes::Modes;
    use crate::files::trust::{judge_file, pass};
    use rustix::fs::{AtFlags, FileType, Mode, OFlags, mkdirat, openat, renameat, statat, unlinkat};
    use rustix::io::Errno;
    use std::ffi::OsStr;
    use std::fs::{File, Metadata};
    use std::io::{self, Read};
    use std::os::unix::fs::MetadataExt;

    impl Folder {
        /// Permissions of the store, derived from its directory.
        pub(crate) fn modes(&self) -> io::Result<Modes> {
            Ok(Modes::of(&self.directory.metadata()?))
        }

        pub(crate) fn metadata(&self) -> io::Result<Metadata> {
            self.directory.metadata()
        }

        /// Judges a file or folder without opening it. Returns its metadata, and whether a group can write it; none if it does not exist.
        pub(crate) fn look(&self, name: &str) -> Result<Option<(Metadata, bool)>, StoreError> {
            let path = self.path.join(name);
            let failed = |source| StoreError::io("look at", &path, source);
            let found = match pass(&self.directory, OsStr::new(name)) {
                Ok(found) => found.metadata().map_err(failed)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(failed(error)),
            };
            if !found.is_dir() {
                plain(FileType::from_raw_mode(found.mode())).map_err(failed)?;
            }
            let group_writable = judge_file(&path, &found, &self.judged, self.believed)?;
            Ok(Some((found, group_writable)))
        }

        /// True if the name exists, even as a broken link.
        pub(crate) fn exists(&self, name: &str) -> io::Result<bool> {
            match statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(_) => Ok(true),
                Err(Errno::NOENT) => Ok(false),
                Err(error) => Err(error.into()),
            }
        }

        /// Opens a folder; makes it with that mode if it does not exist.
        pub(crate) fn make_folder(&self, name: &str, modes: &Modes, mode: u32) -> Result<Folder, StoreError> {
            if let Some(folder) = self.folder(name)? {
                return Ok(folder);
            }
            let failed = |source| StoreError::io("make the directory", &self.path.join(name), source);
            let made = match mkdirat(&self.directory, name, Mode::RWXU) {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(error) => return Err(failed(error.into())),
            };
            let folder = self.expect_folder(name)?;
            // Another process may have made it in the meantime: its folder keeps its permissions.
            if made && folder.owner == self.believed.user() {
                modes.apply(&folder.directory, mode).map_err(failed)?;
            }
            Ok(folder)
        }

        /// Makes a directory that only this process's user can pass.
        pub(crate) fn make_directory(&self, name: &OsStr) -> io::Result<()> {
            Ok(mkdirat(&self.directory, name, Mode::RWXU)?)
        }

        /// Gives this directory the store's permissions.
        pub(crate) fn apply(&self, modes: &Modes) -> io::Result<()> {
            self.apply_mode(modes, modes.directory())
        }

        /// Gives this directory the store's owner and group, and that mode.
        pub(crate) fn apply_mode(&self, modes: &Modes, mode: u32) -> io::Result<()> {
            modes.apply(&self.readable()?, mode)
        }

        /// The user to whom it belongs.
        pub(crate) fn owner(&self) -> u32 {
            self.owner
        }

        /// The last part of its path.
        pub(crate) fn name(&self) -> &str {
            self.path.file_name().and_then(OsStr::to_str).unwrap_or_default()
        }

        /// Makes a new file, which no other user can read yet.
        pub(crate) fn create(&self, name: &str) -> io::Result<File> {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            Ok(File::from(openat(&self.directory, name, flags, Mode::RUSR | Mode::WUSR)?))
        }

        /// Renames a file, replacing any that has the new name.
        pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
            Ok(renameat(&self.directory, from, &self.directory, to)?)
        }

        /// Removes a file, or a link itself.
        pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
            Ok(unlinkat(&self.directory, name, AtFlags::empty())?)
        }

        /// Waits until its names are on the disk.
        pub(crate) fn sync(&self) -> io::Result<()> {
            self.readable()?.sync_all()
        }
    }

    impl StoreFile {
        /// Reads the whole file; an error above `limit` bytes.
        pub(crate) fn read(&self, limit: u64) -> io::Result<Vec<u8>> {
            read_bounded(&self.file, limit)
        }
    }

    /// Reads a file from its position to the end; an error above `limit` bytes.
    pub(crate) fn read_bounded(file: &File, limit: u64) -> io::Result<Vec<u8>> {
        let longer = || {
            let message = format!("found more than {limit} bytes, expected at most that");
            io::Error::new(io::ErrorKind::FileTooLarge, message)
        };
        // A sparse file is free on the disk, but not in memory.
        if file.metadata()?.len() > limit {
            return Err(longer());
        }
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit { Err(longer()) } else { Ok(bytes) }
    }
}

#[cfg(feature = "publisher")]
pub(crate) use change::read_bounded;
