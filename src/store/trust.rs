//! Who else could change what a worker reads: the judgement of a store's path.
//!
//! Every directory that is passed on the way, those that hold symbolic links included, must belong to root, to
//! this process's user or to the owner of the store, and must not be writable by everybody. A directory
//! that a group can write is accepted with a warning, and its snapshots are copied instead of mapped.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::error::StoreError;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Symbolic links on one path, as the kernel allows them.
const LINKS: usize = 40;

/// Whether others could change a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Only root, this user and the store's owner can.
    Trusted,
    /// A group can, too; says where.
    Warned(String),
}

/// A judged directory.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Canonical.
    pub(crate) path: PathBuf,
    pub(crate) trust: Trust,
    /// The user to whom the directory belongs.
    pub(crate) owner: u32,
}

#[derive(Debug, Clone)]
struct Place {
    path: PathBuf,
    owner: u32,
    mode: u32,
}

/// Judges the directory at `path` for a process of user `user`.
pub(crate) fn judge(path: &Path, user: u32) -> Result<Judged, StoreError> {
    let places = walk(path).map_err(|source| StoreError::io("open the directory", path, source))?;
    let Some(last) = places.last().cloned() else {
        return Err(StoreError::io("open the directory", path, io::ErrorKind::NotFound.into()));
    };
    let mut warning = None;
    let (mut reasons, mut commands) = (Vec::new(), Vec::new());
    for place in &places {
        judge_place(place, &[0, user, last.owner], &mut reasons, &mut commands);
        if place.mode & 0o020 != 0 && warning.is_none() {
            warning = Some(format!(
                "{} is writable by a group (mode {:04o}): snapshots are copied instead of mapped",
                printable(&place.path),
                place.mode
            ));
        }
    }
    if reasons.is_empty() {
        let trust = warning.map_or(Trust::Trusted, Trust::Warned);
        return Ok(Judged { path: last.path, trust, owner: last.owner });
    }
    Err(StoreError::Untrusted {
        path: last.path,
        reasons: reasons.join("; "),
        commands: commands.join(" && "),
    })
}

/// Judges an opened file of a judged directory; true if a group can write it.
pub(crate) fn judge_file(
    path: &Path,
    metadata: &Metadata,
    directory: &Judged,
    user: u32,
) -> Result<bool, StoreError> {
    let place = Place { path: path.to_owned(), owner: metadata.uid(), mode: metadata.mode() & 0o7777 };
    // Who may create files in the directory may own them.
    let anybody = [0, user, directory.owner, place.owner];
    let owners = if directory.trust == Trust::Trusted { &anybody[..3] } else { &anybody[..] };
    let (mut reasons, mut commands) = (Vec::new(), Vec::new());
    judge_place(&place, owners, &mut reasons, &mut commands);
    if reasons.is_empty() {
        return Ok(place.mode & 0o020 != 0);
    }
    Err(StoreError::Untrusted {
        path: place.path,
        reasons: reasons.join("; "),
        commands: commands.join(" && "),
    })
}

fn judge_place(place: &Place, owners: &[u32], reasons: &mut Vec<String>, commands: &mut Vec<String>) {
    let (path, mode) = (&place.path, place.mode);
    if mode & 0o002 != 0 && mode & 0o1000 != 0 {
        reasons.push(format!(
            "{} is writable by everybody (mode {mode:04o}, and the sticky bit does not keep others from putting \
             a directory there first); use one that only its owner can write, such as /var/lib/flagstone",
            printable(path)
        ));
        commands.push("install -d -m 0755 /var/lib/flagstone".to_owned());
    } else if mode & 0o002 != 0 {
        reasons.push(format!("{} is writable by everybody (mode {mode:04o})", printable(path)));
        commands.push(format!("chmod o-w {}", shell(path)));
    }
    if !owners.contains(&place.owner) {
        reasons.push(format!(
            "{} belongs to user {}, expected {}",
            printable(path),
            place.owner,
            one_of(owners)
        ));
        commands.push(format!("chown root {}", shell(path)));
    }
}

/// Every directory that is passed on the way to `path`, from the root; the last is `path` itself, made canonical.
fn walk(path: &Path) -> io::Result<Vec<Place>> {
    let absolute = if path.is_absolute() { path.to_owned() } else { std::env::current_dir()?.join(path) };
    let mut pending = parts(&absolute);
    let mut at = PathBuf::from("/");
    let mut places = vec![place(&at)?];
    let mut links = 0;
    while let Some(name) = pending.pop_front() {
        if name == ".." {
            at.pop();
        } else {
            let next = at.join(&name);
            let metadata = std::fs::symlink_metadata(&next)?;
            if metadata.is_symlink() {
                links += 1;
                if links > LINKS {
                    return Err(io::Error::other("too many symbolic links"));
                }
                let target = std::fs::read_link(&next)?;
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                for part in parts(&target).into_iter().rev() {
                    pending.push_front(part);
                }
                continue;
            }
            at = next;
        }
        places.push(place(&at)?);
    }
    Ok(places)
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect()
}

fn place(path: &Path) -> io::Result<Place> {
    let metadata = std::fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Err(io::Error::other(format!("{} is not a directory", printable(path))));
    }
    Ok(Place { path: path.to_owned(), owner: metadata.uid(), mode: metadata.mode() & 0o7777 })
}

fn one_of(users: &[u32]) -> String {
    let mut names: Vec<String> = Vec::new();
    for user in users {
        let name = if *user == 0 { "root".to_owned() } else { format!("user {user}") };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(" or ")
}

/// A path for a line of text: control characters cannot forge another line.
pub(crate) fn printable(path: &Path) -> String {
    path.to_string_lossy().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A path as a word of a shell command.
pub(crate) fn shell(path: &Path) -> String {
    let text = printable(path);
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ',' | ':' | '@');
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
