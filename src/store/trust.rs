//! Who else could change what a worker reads: the judgement of a store's path and of the files in it.
//!
//! Every directory on the way must belong to root, to this process's user or to the owner of the store. What lies below a
//! directory that everybody can write (`/tmp`, an `emptyDir`), symbolic links included, must belong to root or to this
//! process's user and must not be writable by everybody, since anybody could have put it there. The store's own directory
//! and its files are never accepted when everybody can write them. A directory that a group can write is accepted with a
//! warning, and its snapshots are copied instead of mapped. `docs/operations.md` has the table.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::error::StoreError;
use super::fuse::owner_of;
use super::open::FileId;
use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Makes a directory for stores where nobody but root can change the way.
const NEW_PLACE: &str = "install -d -m 0755 /var/lib/flagstone";
/// Symbolic links on one path, as the kernel allows them.
const MAX_LINKS: usize = 40;
/// Opens a directory or link so far that it can be looked at and passed through.
#[cfg(target_os = "linux")]
const PASS: OFlags = OFlags::PATH;
/// Without `O_PATH` a link cannot be opened: a path that holds one is refused.
#[cfg(not(target_os = "linux"))]
const PASS: OFlags = OFlags::NONBLOCK;

/// Whether others could change a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Only root, this user and the store's owner can.
    Trusted,
    /// A group can, too; says where.
    Warned(String),
}

/// A judged directory.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    /// Canonical.
    pub(crate) path: PathBuf,
    pub(crate) trust: Trust,
    /// The user to whom the directory belongs.
    pub(crate) owner: u32,
    /// The nearest directory above it that everybody can write: below that, a user believes what is root's and its own.
    #[cfg(feature = "publisher")]
    pub(crate) public: Option<PathBuf>,
}

/// A directory or link on the way to a store, or one of its files.
#[derive(Debug, Clone)]
struct Place {
    path: PathBuf,
    owner: u32,
    mode: u32,
    id: FileId,
    is_link: bool,
    /// The nearest directory above it that everybody can write, and its mode.
    public: Option<(PathBuf, u32)>,
}

impl Place {
    fn new(path: PathBuf, metadata: &Metadata, public: Option<(PathBuf, u32)>) -> Place {
        let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
        Place { path, owner, mode, id: FileId::of(metadata), is_link: metadata.is_symlink(), public }
    }

    /// As [`new`](Self::new), of a directory or link by its descriptor: whatever its file system says of owners, it is its mounter's word.
    fn opened(path: PathBuf, file: &File, metadata: &Metadata, public: Option<(PathBuf, u32)>) -> Place {
        let place = Place::new(path, metadata, public);
        Place { owner: owner_of(file, metadata.dev(), place.owner), ..place }
    }

    /// The nearest directory that everybody can write, for what lies in this one.
    fn public_for_entries(&self) -> Option<(PathBuf, u32)> {
        if self.mode & 0o002 != 0 { Some((self.path.clone(), self.mode)) } else { self.public.clone() }
    }
}

/// Judges the directory at `path` for a process of user `user`. The descriptor is that of the directory judged: it can be
/// passed through, not read.
pub(crate) fn judge(path: &Path, user: u32) -> Result<(Judged, File), StoreError> {
    judge_as(path, user, true)
}

/// As [`judge`], of a directory in which a store is to be made: everybody may write it, and it is not somebody's own.
#[cfg(feature = "publisher")]
pub(super) fn judge_parent(path: &Path, user: u32) -> Result<(Judged, File), StoreError> {
    judge_as(path, user, false)
}

fn judge_as(path: &Path, user: u32, is_store: bool) -> Result<(Judged, File), StoreError> {
    let failed = |source| StoreError::io("open the directory", path, source);
    let (places, directory) = walk(path).map_err(failed)?;
    let Some(last) = places.last().cloned() else {
        return Err(failed(io::ErrorKind::NotFound.into()));
    };
    let mut warning = None;
    let mut refusal = Refusal::new(user);
    for place in &places {
        match &place.public {
            Some(public) => refusal.judge_public(place, public),
            None => {
                let owner = if is_store { last.owner } else { user };
                refusal.judge(place, &[0, user, owner], is_store && place.id == last.id);
            }
        }
        // What everybody can write is no matter of a group: what lies in it was judged.
        if !place.is_link && place.mode & 0o022 == 0o020 && warning.is_none() {
            warning = Some(format!(
                "{} is writable by a group (mode {:04o}): snapshots are copied instead of mapped",
                printable(&place.path),
                place.mode
            ));
        }
    }
    refusal.result(&last.path)?;
    let trust = warning.map_or(Trust::Trusted, Trust::Warned);
    #[cfg(feature = "publisher")]
    let public = last.public.map(|(path, _)| path);
    let judged = Judged {
        path: last.path,
        trust,
        owner: last.owner,
        #[cfg(feature = "publisher")]
        public,
    };
    Ok((judged, directory))
}

/// Judges an opened file of a judged directory; true if a group can write it.
pub(crate) fn judge_file(
    path: &Path,
    metadata: &Metadata,
    directory: &Judged,
    user: u32,
) -> Result<bool, StoreError> {
    let place = Place::new(path.to_owned(), metadata, None);
    // Who may create files in the directory may own them.
    let anybody = [0, user, directory.owner, place.owner];
    let owners = if directory.trust == Trust::Trusted { &anybody[..3] } else { &anybody[..] };
    let mut refusal = Refusal::new(user);
    refusal.judge_entry(&place, owners);
    refusal.result(&place.path)?;
    Ok(place.mode & 0o020 != 0)
}

/// What is wrong with a path, and the commands that mend it.
struct Refusal {
    user: u32,
    reasons: Vec<String>,
    /// What is to be considered before anything is typed.
    advice: Vec<String>,
    /// What this user can type.
    commands: Vec<String>,
    /// What only root can.
    for_root: Vec<String>,
}

impl Refusal {
    fn new(user: u32) -> Refusal {
        Refusal { user, reasons: Vec::new(), advice: Vec::new(), commands: Vec::new(), for_root: Vec::new() }
    }

    fn judge(&mut self, place: &Place, owners: &[u32], is_store: bool) {
        if is_store {
            self.judge_mode(place);
        }
        if !owners.contains(&place.owner) {
            self.belongs_to_another(place, owners);
            self.advise(format!("Let user {} own the store, or make it elsewhere", place.owner));
            self.add(NEW_PLACE.to_owned(), false);
        }
    }

    /// Judges what lies in the store. Root's word would make another user's content root's.
    fn judge_entry(&mut self, place: &Place, owners: &[u32]) {
        self.judge_mode(place);
        if !owners.contains(&place.owner) {
            self.belongs_to_another(place, owners);
            if place.path.file_name() == Some(OsStr::new("config.json")) {
                let path = shell(&place.path);
                self.advise("Read it before you write any of it anew".to_owned());
                return self.add(format!("mv {path} {path}.aside"), false);
            }
            self.advise(format!(
                "What user {} put there is not to be trusted: publish again, or restore the store (docs/operations.md, Restore)",
                place.owner
            ));
        }
    }

    fn belongs_to_another(&mut self, place: &Place, owners: &[u32]) {
        let path = printable(&place.path);
        self.reasons.push(format!("{path} belongs to user {}, expected {}", place.owner, one_of(owners)));
    }

    fn advise(&mut self, advice: String) {
        if !self.advice.contains(&advice) {
            self.advice.push(advice);
        }
    }

    /// Judges what lies below a directory that everybody can write.
    fn judge_public(&mut self, place: &Place, (public, mode): &(PathBuf, u32)) {
        if !place.is_link {
            self.judge_mode(place);
        }
        if [0, self.user].contains(&place.owner) {
            return;
        }
        let trusted = match self.user {
            0 => "only root is".to_owned(),
            user => format!("only root and user {user} are"),
        };
        self.reasons.push(format!(
            "{} belongs to user {}, and everybody can write {} (mode {mode:04o}), in which {trusted} trusted",
            printable(&place.path),
            place.owner,
            printable(public),
        ));
        self.add(
            match self.user {
                0 => NEW_PLACE.to_owned(),
                user => {
                    let folder = public.join("flagstone");
                    let folder = match folder == place.path {
                        true => public.join(format!("flagstone-{user}")),
                        false => folder,
                    };
                    format!("mkdir -m 0755 {}", shell(&folder))
                }
            },
            true,
        );
    }

    fn judge_mode(&mut self, place: &Place) {
        if place.mode & 0o002 != 0 {
            let path = printable(&place.path);
            self.reasons.push(format!("{path} is writable by everybody (mode {:04o})", place.mode));
            self.add(format!("chmod o-w {}", shell(&place.path)), place.owner == self.user);
        }
    }

    /// Adds a command, once; `mine`: this user can type it, although not root.
    fn add(&mut self, command: String, mine: bool) {
        let commands = if mine || self.user == 0 { &mut self.commands } else { &mut self.for_root };
        if !commands.contains(&command) {
            commands.push(command);
        }
    }

    fn remedy(&self) -> String {
        let mut sentences = self.advice.clone();
        if !self.commands.is_empty() || !self.for_root.is_empty() {
            sentences.push(remedy(&self.commands, &self.for_root));
        }
        sentences.join(". ")
    }

    fn result(self, path: &Path) -> Result<(), StoreError> {
        if self.reasons.is_empty() {
            return Ok(());
        }
        Err(StoreError::Untrusted {
            path: path.to_owned(),
            reasons: self.reasons.join("; "),
            remedy: self.remedy(),
        })
    }
}

/// A sentence that says what to type, and what to ask root for.
pub(super) fn remedy(commands: &[String], for_root: &[String]) -> String {
    let (mine, roots) = (commands.join(" && "), for_root.join(" && "));
    match (commands, for_root) {
        (_, []) => format!("Type: {mine}"),
        ([], _) => format!("Ask root to type: {roots}"),
        _ => format!("Type: {mine}; and ask root to type: {roots}"),
    }
}

/// A command that only root and `owner` can type, as a sentence.
#[cfg(feature = "publisher")]
pub(super) fn remedy_for(command: String, owner: u32, user: u32) -> String {
    match user == 0 || user == owner {
        true => remedy(&[command], &[]),
        false => remedy(&[], &[command]),
    }
}

/// Every place that is passed on the way to `path`, from the root, and the descriptor of the last one, whose path is
/// canonical. Each is judged by its own descriptor, so that nobody can exchange it between a look and the next step.
fn walk(path: &Path) -> io::Result<(Vec<Place>, File)> {
    let absolute = if path.is_absolute() { path.to_owned() } else { std::env::current_dir()?.join(path) };
    let mut pending = parts(&absolute);
    let root = pass(CWD, OsStr::new("/"))?;
    let mut at = root.try_clone()?;
    let first = Place::opened(PathBuf::from("/"), &at, &at.metadata()?, None);
    let mut chain = vec![first.clone()];
    let mut places = vec![first];
    let mut links = 0;
    while let Some(name) = pending.pop_front() {
        let Some(parent) = chain.last() else { return Err(io::ErrorKind::NotFound.into()) };
        if name == ".." {
            if chain.len() > 1 {
                at = pass(&at, &name)?;
                chain.pop();
            }
            let metadata = at.metadata()?;
            let Some(now) = chain.last_mut() else { return Err(io::ErrorKind::NotFound.into()) };
            if now.id != FileId::of(&metadata) {
                return Err(io::Error::other(format!("{} was moved meanwhile", printable(&now.path))));
            }
            *now = Place::opened(now.path.clone(), &at, &metadata, now.public.clone());
            places.push(now.clone());
            continue;
        }
        let next = pass(&at, &name)?;
        let metadata = next.metadata()?;
        let place = Place::opened(parent.path.join(&name), &next, &metadata, parent.public_for_entries());
        if metadata.is_symlink() {
            links += 1;
            if links > MAX_LINKS {
                return Err(io::Error::other("too many symbolic links"));
            }
            let target = PathBuf::from(OsString::from_vec(readlinkat(&next, "", Vec::new())?.into_bytes()));
            if target.is_absolute() {
                at = root.try_clone()?;
                chain.truncate(1);
            }
            for part in parts(&target).into_iter().rev() {
                pending.push_front(part);
            }
            if place.public.is_some() {
                places.push(place);
            }
            continue;
        }
        if !metadata.is_dir() {
            return Err(io::Error::other(format!("{} is not a directory", printable(&place.path))));
        }
        at = next;
        chain.push(place.clone());
        places.push(place);
    }
    // A link may have been the last thing passed.
    if let (Some(here), Some(last)) = (chain.last(), places.last())
        && here.path != last.path
    {
        places.push(here.clone());
    }
    Ok((places, at))
}

/// Opens what has that name in a directory, a link itself, so far that it can be looked at and passed through.
pub(super) fn pass(directory: impl AsFd, name: &OsStr) -> io::Result<File> {
    let flags = PASS | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(openat(directory, name, flags, Mode::empty())?))
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect()
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
