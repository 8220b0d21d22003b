//! Counters of a store's copies: workers that read one, as the one that a move left behind, see no change of the store.

#[cfg(feature = "publisher")]
use super::directory::{self, Own};
use super::layout::header;
#[cfg(feature = "publisher")]
use super::layout::{self, COUNTERS, MAGIC};
use super::memory::Memory;
#[cfg(feature = "publisher")]
use super::shown::is_shown;
#[cfg(feature = "publisher")]
use std::ffi::OsStr;
#[cfg(feature = "publisher")]
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
#[cfg(feature = "publisher")]
use std::path::PathBuf;
use xxhash_rust::xxh3::xxh3_64;

/// Notes in the header which store is counted, and where it lies. Another store may have taken the path since the file was made.
pub(super) fn note(memory: &Memory, store: &Path, id: &str) {
    memory.set(header::STORE * 8, id_hash(id));
    memory.set(header::DIRECTORY * 8, place(store));
    let path = store.as_os_str().as_bytes();
    if path.len() < header::SIZE - header::PATH * 8 {
        for (number, part) in path.chunks(8).chain([&[][..]]).enumerate() {
            let mut word = [0; 8];
            word.iter_mut().zip(part).for_each(|(to, byte)| *to = *byte);
            memory.set((header::PATH + number) * 8, u64::from_le_bytes(word));
        }
    }
}

fn id_hash(id: &str) -> u64 {
    xxh3_64(id.as_bytes())
}

/// A hash of the directory's device and inode, which a bind mount shares and a copy does not; 0 if there is none.
fn place(directory: &Path) -> u64 {
    directory.metadata().map_or(0, |found| {
        let numbers = [found.dev(), found.ino()].map(u64::to_le_bytes);
        xxh3_64(numbers.as_flattened())
    })
}

/// Threads of one user that count for a copy of a store.
#[cfg(feature = "publisher")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreCopy {
    /// The path at which they opened it.
    pub path: PathBuf,
    /// The user that they run as.
    pub user: u32,
    /// Number of the threads, all alive.
    pub workers: usize,
}

/// Files that are looked at in one directory, names in it, and directories: anybody can make counters.
#[cfg(feature = "publisher")]
const MAX_FILES: usize = 64;
#[cfg(feature = "publisher")]
const MAX_NAMES: usize = 8_192;
#[cfg(feature = "publisher")]
const MAX_DIRECTORIES: usize = 64;

/// Copies of the store with this id that living threads of the users `among` count for; `store` is the store's own path. `memory` is the
/// directory of the counters. No copy is looked at: it may lie on a mount that hangs.
///
/// # Errors
///
/// When the directory cannot be listed.
#[cfg(feature = "publisher")]
pub fn copies(
    memory: &Path,
    store: &Path,
    id: &str,
    among: impl Fn(u32) -> bool,
) -> io::Result<Vec<StoreCopy>> {
    let (own_file, here, mut found) = (layout::name(store), place(store), Vec::new());
    for (own, user) in directory::directories(memory)?.filter(|(_, user)| among(*user)).take(MAX_DIRECTORIES)
    {
        let names: Vec<String> = own.names().into_iter().flatten().take(MAX_NAMES).collect();
        let is_counters = |name: &&String| Path::new(name).extension() == Some(OsStr::new(COUNTERS));
        for name in names.iter().filter(is_counters).filter(|name| **name != own_file).take(MAX_FILES) {
            let Ok(header) = read_header(&own, name, user) else { continue };
            let is_copy = header.store == id_hash(id) && header.directory != here;
            let is_sign = |sign: &&String| {
                layout::shown_by(name, sign)
                    .is_some_and(|number| own.holds(sign) && is_shown(&own, name, number, user))
            };
            let workers = if is_copy { names.iter().filter(is_sign).count() } else { 0 };
            if workers > 0 {
                found.push(StoreCopy { path: header.path, user, workers });
            }
        }
    }
    Ok(found)
}

#[cfg(feature = "publisher")]
struct Header {
    store: u64,
    directory: u64,
    path: PathBuf,
}

/// Reads what [`note`] wrote.
#[cfg(feature = "publisher")]
fn read_header(own: &Own, name: &str, user: u32) -> io::Result<Header> {
    use std::os::unix::fs::FileExt;
    if !own.holds(name) {
        return Err(io::ErrorKind::CrossesDevices.into());
    }
    let file = own.open(name, false)?;
    let (found, mut bytes) = (file.metadata()?, [0; header::SIZE]);
    file.read_exact_at(&mut bytes, 0)?;
    let word = |number: usize| super::contents::word(&bytes, number);
    if !found.is_file() || found.uid() != user || found.mode() & 0o022 != 0 || word(header::MAGIC) != MAGIC {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let path = bytes.get(header::PATH * 8..).and_then(|path| path.split(|byte| *byte == 0).next());
    Ok(Header {
        store: word(header::STORE),
        directory: word(header::DIRECTORY),
        path: OsStr::from_bytes(path.unwrap_or_default()).into(),
    })
}
