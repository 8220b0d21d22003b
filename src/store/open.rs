//! Opening the files of a store as a reader does: judged, bounded, never waiting.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::error::StoreError;
use super::head::{self, Head, Identity};
use super::layout::{HEAD, SNAPSHOTS, open_plain, snapshot_path};
use super::shared::{PAGE_SIZE, Page};
use super::trust::{Judged, Trust, judge_file};
use crate::snapshot::{ContentId, MapMode, Snapshot};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Files up to this size are copied, not mapped, where the choice is free.
const COPY_LIMIT: u64 = 1 << 20;

/// How a snapshot's file becomes memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MapPolicy {
    /// A private copy up to 1 MiB, of a directory that others can write and of a network's file system; else shared.
    #[default]
    Auto,
    /// A private copy, always.
    Private,
    /// Shared with the other processes, always.
    Shared,
}

/// Which file a head is, as long as it is open or mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

impl FileId {
    pub(crate) fn of(metadata: &std::fs::Metadata) -> FileId {
        FileId { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// A head's file, checked but not mapped yet.
pub(crate) struct HeadFile {
    pub(crate) file: File,
    pub(crate) id: FileId,
    pub(crate) identity: Identity,
    /// A group can write it.
    pub(crate) shared_with_group: bool,
}

/// Opens and checks the head's file.
pub(crate) fn head_file(directory: &Judged, user: u32, write: bool) -> Result<HeadFile, StoreError> {
    let path = directory.path.join(HEAD);
    let file = open_plain(&path, write).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => StoreError::NotAStore { path: directory.path.clone() },
        _ => StoreError::io("open the head", &path, source),
    })?;
    let io = |source| StoreError::io("read the head", &path, source);
    let metadata = file.metadata().map_err(io)?;
    let broken = |problem: String| StoreError::Head { path: path.clone(), problem };
    if !metadata.is_file() || metadata.len() != PAGE_SIZE as u64 {
        return Err(broken(format!("found {} bytes, expected a file of {PAGE_SIZE}", metadata.len())));
    }
    let shared_with_group = judge_file(&path, &metadata, directory, user)?;
    let mut bytes = [0; head::FIXED_SIZE];
    (&file).read_exact(&mut bytes).map_err(io)?;
    let identity = head::identity(&bytes).map_err(broken)?;
    Ok(HeadFile { id: FileId::of(&metadata), file, identity, shared_with_group })
}

/// Maps a head's file.
pub(crate) fn map_head(directory: &Path, file: &HeadFile, write: bool) -> Result<Head, StoreError> {
    let page = Page::map(&file.file, write);
    page.map(Head::over).map_err(|source| StoreError::io("map the head", &directory.join(HEAD), source))
}

/// Opens the snapshot of that generation and content, which must be for `environment`.
pub(crate) fn open_snapshot(
    directory: &Judged,
    user: u32,
    (generation, content): (u64, ContentId),
    environment: &str,
    (policy, size_limit): (MapPolicy, u64),
) -> Result<(Snapshot, MapMode), StoreError> {
    let folder = directory.path.join(SNAPSHOTS);
    let path = snapshot_path(&directory.path, generation, content);
    let metadata = std::fs::symlink_metadata(&folder)
        .map_err(|source| StoreError::io("open the directory", &folder, source))?;
    if !metadata.is_dir() {
        return Err(StoreError::Mismatch { path: folder, problem: "expected a directory".to_owned() });
    }
    let mut exposed = directory.trust != Trust::Trusted;
    exposed |= judge_file(&folder, &metadata, directory, user)?;
    let file =
        open_plain(&path, false).map_err(|source| StoreError::io("open the snapshot", &path, source))?;
    let metadata = file.metadata().map_err(|source| StoreError::io("read the snapshot", &path, source))?;
    exposed |= judge_file(&path, &metadata, directory, user)?;
    let mode = match policy {
        MapPolicy::Private => MapMode::Private,
        MapPolicy::Shared => MapMode::Shared,
        MapPolicy::Auto if exposed || metadata.len() <= COPY_LIMIT || on_a_network(&file) => MapMode::Private,
        MapPolicy::Auto => MapMode::Shared,
    };
    let snapshot = Snapshot::open(&file, mode, size_limit)
        .map_err(|source| StoreError::Snapshot { path: path.clone(), source })?;
    let problem = if snapshot.content_id() != content {
        format!(
            "its content is {}, expected {content}; it is another snapshot under this name",
            snapshot.content_id()
        )
    } else if snapshot.environment() != environment {
        let found = snapshot.environment();
        format!(
            "compiled for the environment {found:?}, expected {environment:?}, the store's; publish again"
        )
    } else {
        return Ok((snapshot, mode));
    };
    Err(StoreError::Mismatch { path, problem })
}

/// File systems whose pages another machine can change or take away: NFS, SMB, FUSE, 9p, Ceph, AFS, VirtualBox.
#[cfg(target_os = "linux")]
fn on_a_network(file: &File) -> bool {
    const NETWORK: [u64; 9] = [
        0x6969,
        0x517B,
        0xFF53_4D42,
        0xFE53_4D42,
        0x6573_5546,
        0x0102_1997,
        0x00C3_6400,
        0x5346_414F,
        0x786F_4256,
    ];
    match rustix::fs::fstatfs(file) {
        // Some are negative where the word is 32 bits wide.
        Ok(found) => NETWORK.contains(&(found.f_type as u64 & 0xFFFF_FFFF)),
        Err(_) => true,
    }
}

#[cfg(not(target_os = "linux"))]
fn on_a_network(_: &File) -> bool {
    false
}
