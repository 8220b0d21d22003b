//! Opening the files of a store as a reader does: judged, bounded, never waiting.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::head::{self, Head, Identity};
use super::layout::{HEAD, SNAPSHOTS, snapshot_name};
use super::shared::{PAGE_SIZE, Page};
use crate::error::StoreError;
use crate::files::{Access, FileId, Folder, Judged, OwnFile, Stamp, Trust, is_local};
use crate::snapshot::{ContentId, MapMode, Snapshot};
use crate::text::printable;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Largest file that is copied instead of mapped under [`MapPolicy::Auto`].
const COPY_LIMIT: u64 = 1 << 20;

/// Policy for loading a snapshot's file into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MapPolicy {
    /// A private copy up to 1 MiB, in a directory that others can write, and on a network's file system; otherwise shared.
    #[default]
    Auto,
    /// Always a private copy.
    Private,
    /// Always shared with the other processes.
    Shared,
}

/// A snapshot, with the way that it is in memory.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) snapshot: Snapshot,
    pub(crate) mode: MapMode,
    /// The file of a shared mapping, and its stamp before it was checked.
    pub(crate) file: Option<(OwnFile, Stamp)>,
}

/// A head's file, checked but not mapped yet.
pub(crate) struct HeadFile {
    pub(crate) file: File,
    pub(crate) id: FileId,
    pub(crate) stamp: Stamp,
    pub(crate) identity: Identity,
    pub(crate) shared_with_group: bool,
}

impl HeadFile {
    /// Trust in the store: its directory's judgement, and the head's.
    pub(crate) fn trust(&self, directory: &Judged) -> Trust {
        match &directory.trust {
            trust if self.shared_with_group && !trust.is_exposed() => {
                Trust::Warned(format!("{}/head is writable by a group", printable(&directory.path)))
            }
            trust => trust.clone(),
        }
    }
}

/// Opens and checks the head's file.
pub(crate) fn head_file(store: &Folder, access: Access) -> Result<HeadFile, StoreError> {
    let path = store.path().join(HEAD);
    let Some(opened) = store.open(HEAD, "open the head", access)? else {
        return Err(StoreError::NotAStore { path: store.path().to_owned() });
    };
    let broken = |problem: String| StoreError::Head { path: path.clone(), problem };
    let length = opened.metadata.len();
    if length != PAGE_SIZE as u64 {
        return Err(broken(format!("found {length} bytes, expected a file of {PAGE_SIZE}")));
    }
    let mut bytes = [0; head::FIXED_SIZE];
    let read = (&opened.file).read_exact(&mut bytes);
    read.map_err(|source| StoreError::io("read the head", &path, source))?;
    let identity = head::identity(&bytes).map_err(broken)?;
    Ok(HeadFile {
        id: FileId::of(&opened.metadata),
        stamp: Stamp::of(&opened.metadata),
        file: opened.file,
        identity,
        shared_with_group: opened.group_writable,
    })
}

pub(crate) fn map_head(directory: &Path, file: &HeadFile, write: bool) -> Result<Head, StoreError> {
    let page = Page::map(&file.file, write);
    page.map(Head::over).map_err(|source| StoreError::io("map the head", &directory.join(HEAD), source))
}

/// Copies the current content of a head's file.
#[cfg(feature = "publisher")]
pub(crate) fn copy_head(directory: &Path, file: &HeadFile) -> Result<Head, StoreError> {
    let page = Page::copy(&file.file);
    page.map(Head::over).map_err(|source| StoreError::io("read the head", &directory.join(HEAD), source))
}

/// Opens the snapshot of that generation and content, which must be for `environment`.
pub(crate) fn open_snapshot(
    store: &Folder,
    (generation, content): (u64, ContentId),
    environment: &str,
    (policy, size_limit): (MapPolicy, u64),
) -> Result<Opened, StoreError> {
    let folder = store.expect_folder(SNAPSHOTS)?;
    let name = snapshot_name(generation, content);
    let path = folder.path().join(&name);
    let Some(opened) = folder.open(&name, "open the snapshot", Access::Read)? else {
        return Err(StoreError::io("open the snapshot", &path, io::ErrorKind::NotFound.into()));
    };
    let exposed = folder.is_exposed() || opened.group_writable;
    let small = opened.metadata.len() <= COPY_LIMIT;
    let mode = match policy {
        MapPolicy::Private => MapMode::Private,
        MapPolicy::Shared => MapMode::Shared,
        MapPolicy::Auto if exposed || small || !is_local(&opened.file) => MapMode::Private,
        MapPolicy::Auto => MapMode::Shared,
    };
    let snapshot = Snapshot::open(&opened.file, mode, size_limit)
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
        let watched =
            || (OwnFile::of(opened.file, FileId::of(&opened.metadata)), Stamp::of(&opened.metadata));
        let file = (mode == MapMode::Shared).then(watched);
        return Ok(Opened { snapshot, mode, file });
    };
    Err(StoreError::Mismatch { path, problem })
}
