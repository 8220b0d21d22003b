//! One at a time: the lock of a store.

use super::directory::{Access, Folder};
use super::error::StoreError;
use super::layout::LOCK;
use super::open::FileId;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// Bytes of the lock's file, in which the holder says who it is.
pub(super) const LOCK_SIZE: usize = 256;
const PAUSE: Duration = Duration::from_millis(5);

/// Held until dropped; the kernel lets go of it when its holder dies.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Waits for the lock, no longer than `patience`.
    pub(super) fn take(store: &Folder, patience: Duration, holder: &str) -> Result<Lock, StoreError> {
        let path = store.path().join(LOCK);
        let since = Instant::now();
        loop {
            let opened = store.open(LOCK, "open the lock", Access::Write)?;
            let missing = || StoreError::io("open the lock", &path, io::ErrorKind::NotFound.into());
            let opened = opened.ok_or_else(missing)?;
            let file = opened.file;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    let now = store.open(LOCK, "open the lock", Access::Read)?;
                    // Another file took its place while we waited: that one is the lock.
                    if now.is_some_and(|now| FileId::of(&now.metadata) == FileId::of(&opened.metadata)) {
                        let lock = Lock { file };
                        lock.sign(holder);
                        return Ok(lock);
                    }
                }
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(StoreError::io("lock", &path, error.into())),
            }
            if since.elapsed() >= patience {
                let holder = held_by(&file).unwrap_or_else(|| "another process".to_owned());
                return Err(StoreError::Busy { path: store.path().to_owned(), holder });
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Best effort: who cannot say who it is holds the lock all the same.
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

fn held_by(file: &File) -> Option<String> {
    let mut line = [0; LOCK_SIZE];
    let length = file.read_at(&mut line, 0).ok()?;
    let text = String::from_utf8_lossy(line.get(..length)?).into_owned();
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
