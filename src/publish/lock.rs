//! The locks of a store: one publisher at a time, and one writer of head and trail at a time.
//!
//! Only users who can change the store can open the files, so no other user can hold a lock on them. A missing lock file is made again. A
//! publisher holds its own lock for as long as it compiles and writes, and [`HEAD_LOCK`] for milliseconds: a kill waits for no publish.

use crate::error::StoreError;
use crate::files::{Access, FileId, Folder, Modes, StoreFile, holder_of};
use crate::store::layout::{HEAD_LOCK, LOCK};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::{Duration, Instant};

/// Size of a lock's file in bytes; it holds a line about the holder.
pub(crate) const LOCK_SIZE: usize = 256;
/// Pause between two attempts.
const RETRY_INTERVAL: Duration = Duration::from_millis(1);

/// Held until dropped; the kernel releases it if its holder dies.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the publishers' lock, waiting no longer than `timeout`.
    pub(crate) fn publishing(store: &Folder, timeout: Duration, holder: &str) -> Result<Lock, StoreError> {
        Lock::take(store, LOCK, timeout, holder)
    }

    /// Takes the lock of head and trail, waiting no longer than `timeout`.
    pub(crate) fn head(store: &Folder, timeout: Duration, holder: &str) -> Result<Lock, StoreError> {
        Lock::take(store, HEAD_LOCK, timeout, holder)
    }

    /// Takes the lock of head and trail if it is free. Does not look up the holder, which takes milliseconds.
    pub(crate) fn try_head(store: &Folder, holder: &str) -> Option<Lock> {
        Lock::attempt(store, HEAD_LOCK, Duration::ZERO, holder).ok()?.ok()
    }

    fn take(store: &Folder, name: &'static str, timeout: Duration, holder: &str) -> Result<Lock, StoreError> {
        Lock::attempt(store, name, timeout, holder)?.map_err(|taken| {
            let process = lock_holder(taken.metadata.ino());
            let holder = signature(&taken.file)
                .or_else(|| process.map(|id| format!("process {id}")))
                .unwrap_or_else(|| "another process".to_owned());
            StoreError::Busy { path: store.path().to_owned(), holder, process }
        })
    }

    /// Tries for `timeout`; returns the lock's file if it stays taken.
    fn attempt(
        store: &Folder,
        name: &'static str,
        timeout: Duration,
        holder: &str,
    ) -> Result<Result<Lock, StoreFile>, StoreError> {
        let path = store.path().join(name);
        let began = Instant::now();
        loop {
            let opened = open_or_make(store, name)?;
            match flock(&opened.file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    let now = store.open(name, "open the lock", Access::Read)?;
                    // Another file took its place meanwhile: that one is the lock.
                    if now.is_some_and(|now| FileId::of(&now.metadata) == FileId::of(&opened.metadata)) {
                        let lock = Lock { file: opened.file };
                        lock.sign(holder);
                        return Ok(Ok(lock));
                    }
                }
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(StoreError::io("lock", &path, error.into())),
            }
            if began.elapsed() >= timeout {
                return Ok(Err(opened));
            }
            std::thread::sleep(RETRY_INTERVAL);
        }
    }

    /// Writes the holder into the file. Best effort: a failure does not affect the lock.
    fn sign(&self, holder: &str) {
        let mut line = [b' '; LOCK_SIZE];
        for (place, byte) in line.iter_mut().zip(holder.bytes().take(LOCK_SIZE - 1)) {
            *place = byte;
        }
        line[LOCK_SIZE - 1] = b'\n';
        let _: io::Result<()> = self.file.write_all_at(&line, 0);
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.sign("");
    }
}

/// Opens a lock's file, or makes it if it is missing: a cleanup, or a backup without it, must not end all changes.
pub(crate) fn open_or_make(folder: &Folder, name: &str) -> Result<StoreFile, StoreError> {
    let failed = |source| StoreError::io("open the lock", &folder.path().join(name), source);
    let open = || folder.open(name, "open the lock", Access::Write);
    let modes = folder.modes().map_err(failed)?;
    if let Some(opened) = open()? {
        close_to_others(&opened, &modes);
        return Ok(opened);
    }
    match folder.create(name) {
        // Best effort: the file may be in use already, and until then only its maker can open it.
        Ok(file) => drop(modes.apply(&file, modes.lock())),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    open()?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}

/// Takes the right to open a lock away from users who only read the store. Older stores granted it.
fn close_to_others(opened: &StoreFile, modes: &Modes) {
    let mine = opened.metadata.uid() == rustix::process::geteuid().as_raw();
    if mine && opened.metadata.mode() & 0o777 & !modes.lock() != 0 {
        drop(modes.apply(&opened.file, modes.lock()));
    }
}

fn signature(file: &File) -> Option<String> {
    let mut line = [0; LOCK_SIZE];
    let length = file.read_at(&mut line, 0).ok()?;
    let text = String::from_utf8_lossy(line.get(..length)?).into_owned();
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The process that holds a `flock` on that inode.
fn lock_holder(inode: u64) -> Option<u32> {
    holder_of(inode, &["FLOCK"])
}
