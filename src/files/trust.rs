//! Judgement of a store's path and files: could other users change what a worker reads?
//!
//! Every directory on the way must belong to root, to this process's user or to the owner of the store. Everything below a directory that
//! everybody can write (`/tmp`, an `emptyDir`), symbolic links included, must belong to root or to this process's user and must not be
//! writable by everybody, since anybody could have put it there. The store's own directory and its files are never accepted when
//! everybody can write them. One more user may be named whose files count as this process's own. In a directory without a sticky bit that everybody can write, anybody can exchange entries of these users with each
//! other: that is accepted with a warning, since Kubernetes makes an `emptyDir` so. A directory that a group can write is accepted with a
//! warning, and its snapshots are copied instead of mapped. `docs/operations.md` has the table.
//!
//! Links are followed by their text. Those of `/proc` lead elsewhere than their text says and are refused.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::descriptor::FileId;
use super::file_system::{AUTOFS, PROCFS, magic};
use super::fuse::{NOBODY, owner_by};
use super::namespace::is_unmapped;
use crate::error::{OPEN_STORE, StoreError};
use crate::text::{printable, shell};
use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat};
use rustix::process::geteuid;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

/// Makes a directory for stores where only root can change the way.
const NEW_PLACE: &str = "install -d -m 0755 /var/lib/flagstone";
/// Advice for the store of another process. It does not mention nsenter(1): entering the namespaces of a process that another user
/// started means running that user's programs.
const IN_CONTAINER: &str = "Where the store is a container's, run the command there (docker exec, podman exec, kubectl exec), by the path that it has there";
/// Symbolic links on one path, as the kernel allows them.
const MAX_LINKS: usize = 40;
/// Opens a directory or link only for looking at it and passing through.
#[cfg(target_os = "linux")]
const PASS: OFlags = OFlags::PATH;
/// Without `O_PATH` a link cannot be opened: a path that holds one is refused.
#[cfg(not(target_os = "linux"))]
const PASS: OFlags = OFlags::NONBLOCK;

/// The users whose files a process believes wherever they lie: root, its own, and one more if one is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Believed {
    user: u32,
    /// The named user, or this process's own.
    named: u32,
}

impl Believed {
    /// For this process. A user who stands for those that the user namespace does not map cannot be named.
    pub(crate) fn by_process(named: Option<u32>) -> Believed {
        let user = geteuid().as_raw();
        let named = named.filter(|named| !is_unmapped(*named)).unwrap_or(user);
        Believed { user, named }
    }

    /// This process's user.
    pub(crate) fn user(self) -> u32 {
        self.user
    }

    fn users(self) -> [u32; 3] {
        [0, self.user, self.named]
    }

    fn includes(self, owner: u32) -> bool {
        self.users().contains(&owner)
    }
}

/// Users who could change a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Only root, this user and the store's owner.
    Trusted,
    /// Like `Trusted`, but for another store of these users, which anybody can put in the place of this one.
    Exchangeable {
        /// What makes it so.
        reason: String,
        /// What to type, as a sentence.
        remedy: String,
    },
    /// A group, too; says where.
    Warned(String),
}

impl Trust {
    /// What is to be told of it.
    pub fn warning(&self) -> Option<String> {
        match self {
            Trust::Trusted => None,
            Trust::Exchangeable { reason, remedy } => Some(format!("{reason}. {remedy}")),
            Trust::Warned(warning) => Some(warning.clone()),
        }
    }

    /// True if others than root, this user and the store's owner could write files of it.
    pub(crate) fn is_exposed(&self) -> bool {
        matches!(self, Trust::Warned(_))
    }
}

/// A directory that everybody can write.
#[derive(Debug, Clone)]
struct Public {
    path: PathBuf,
    owner: u32,
    mode: u32,
}

impl Public {
    /// The warning of a directory without a sticky bit: anybody can rename what lies there, whoever owns it.
    fn exchangeable(&self, believed: Believed) -> Option<Trust> {
        if self.mode & 0o1000 != 0 {
            return None;
        }
        let whose = names(&believed.users()).join("'s or ");
        let reason = format!(
            "{} is writable by everybody and not sticky (mode {:04o}): any user can put another store of {whose}'s in the place of this one",
            printable(&self.path),
            self.mode
        );
        let command = [format!("chmod +t {}", shell(&self.path))];
        let remedy = match [0, self.owner].contains(&believed.user) {
            true => remedy(&command, &[]),
            false => remedy(&[], &command),
        };
        Some(Trust::Exchangeable { reason, remedy })
    }
}

/// A judged directory.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    /// Canonical path of the directory.
    pub(crate) path: PathBuf,
    pub(crate) trust: Trust,
    /// The owner of the directory.
    pub(crate) owner: u32,
    /// The nearest directory above that everybody can write: below that, a user trusts only files of root and its own.
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
    /// The nearest directory above that everybody can write.
    public: Option<Public>,
}

impl Place {
    fn new(path: PathBuf, metadata: &Metadata, public: Option<Public>) -> Place {
        let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
        Place { path, owner, mode, id: FileId::of(metadata), is_link: metadata.is_symlink(), public }
    }

    /// Like [`new`](Self::new), for an opened place. On a FUSE file system, the mounting user counts as the owner.
    fn passed(path: PathBuf, passed: &Passed, public: Option<Public>) -> Place {
        let place = Place::new(path, &passed.metadata, public);
        Place { owner: owner_by(passed.magic, passed.metadata.dev(), place.owner), ..place }
    }

    /// The nearest directory that everybody can write, for the entries of this one.
    fn public_for_entries(&self) -> Option<Public> {
        match self.mode & 0o002 != 0 {
            true => Some(Public { path: self.path.clone(), owner: self.owner, mode: self.mode }),
            false => self.public.clone(),
        }
    }
}

/// A directory or link that is passed on the way to another directory.
pub(crate) struct Step {
    pub(crate) path: PathBuf,
    pub(crate) owner: u32,
    pub(crate) mode: u32,
    pub(crate) is_link: bool,
}

/// Every step on the way to the directory at `path`, that directory the last, and its descriptor, which can be passed through and not
/// read.
pub(crate) fn way(path: &Path) -> io::Result<(Vec<Step>, File)> {
    let (places, directory) = walk(path).map_err(|stop| match stop {
        Stop::Failed(error) => error,
        stop @ Stop::Astray { .. } => io::Error::other(stop.into_error(path).to_string()),
    })?;
    let step = |place: Place| Step {
        path: place.path,
        owner: place.owner,
        mode: place.mode,
        is_link: place.is_link,
    };
    Ok((places.into_iter().map(step).collect(), directory))
}

/// Judges the directory at `path` for a process that believes those users. The descriptor is that of the judged directory: only for passing through,
/// not for reading.
pub(crate) fn judge(path: &Path, believed: Believed) -> Result<(Judged, File), StoreError> {
    judge_as(path, believed, true)
}

/// Like [`judge`], for a directory in which a store is to be made: everybody may write it, and it must belong to a user who is believed.
#[cfg(feature = "publisher")]
pub(crate) fn judge_parent(path: &Path, believed: Believed) -> Result<(Judged, File), StoreError> {
    judge_as(path, believed, false)
}

fn judge_as(path: &Path, believed: Believed, is_store: bool) -> Result<(Judged, File), StoreError> {
    let failed = |source| StoreError::io(OPEN_STORE, path, source);
    let (places, directory) = walk(path).map_err(|stop| stop.into_error(path))?;
    let Some(last) = places.last().cloned() else {
        return Err(failed(io::ErrorKind::NotFound.into()));
    };
    let (mut warning, mut exchangeable) = (None, None);
    let mut refusal = Refusal::new(believed);
    // Nothing is asked of a file system that another user mounted.
    let has_head = last.mode & 0o002 == 0 || !believed.includes(last.owner) || holds_head(&directory);
    for place in &places {
        let may_be_store = place.mode & 0o1000 == 0 && (has_head || place.id != last.id);
        match &place.public {
            Some(public) => {
                refusal.judge_public(place, public, may_be_store, &last.path);
                exchangeable = exchangeable.or_else(|| public.exchangeable(believed));
            }
            None => {
                let owner = if is_store { last.owner } else { believed.user };
                if is_store && place.id == last.id {
                    refusal.judge_mode(place, may_be_store);
                }
                let [root, user, named] = believed.users();
                refusal.judge(place, &[root, user, named, owner]);
            }
        }
        // If everybody can write it, the group does not matter: its entries were judged.
        if !place.is_link && place.mode & 0o022 == 0o020 && warning.is_none() {
            warning = Some(format!(
                "{} is writable by a group (mode {:04o}): snapshots are copied instead of mapped",
                printable(&place.path),
                place.mode
            ));
        }
    }
    refusal.result(&last.path)?;
    let trust = warning.map(Trust::Warned).or(exchangeable).unwrap_or(Trust::Trusted);
    #[cfg(feature = "publisher")]
    let public = last.public.map(|public| public.path);
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
    believed: Believed,
) -> Result<bool, StoreError> {
    let place = Place::new(path.to_owned(), metadata, None);
    // Users who may create files in the directory may own them.
    let [root, user, named] = believed.users();
    let anybody = [root, user, named, directory.owner, place.owner];
    let owners = if directory.trust.is_exposed() { &anybody[..] } else { &anybody[..4] };
    let mut refusal = Refusal::new(believed);
    refusal.judge_entry(&place, owners);
    refusal.result(&place.path)?;
    Ok(place.mode & 0o020 != 0)
}

/// Advice where a directory is named that is none of a store's.
const NO_STORE: &str =
    "That is no store's directory: name the store's own, or for a new store one that is not there yet";

/// True if the directory has an entry of the head's name.
fn holds_head(directory: &File) -> bool {
    rustix::fs::statat(directory, "head", rustix::fs::AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

/// Faults of a path, and the commands that mend them.
struct Refusal {
    believed: Believed,
    reasons: Vec<String>,
    /// Advice to read before typing any command.
    advice: Vec<String>,
    /// Commands that this user can type.
    commands: Vec<String>,
    /// Commands that only root can type.
    for_root: Vec<String>,
}

impl Refusal {
    fn new(believed: Believed) -> Refusal {
        Refusal {
            believed,
            reasons: Vec::new(),
            advice: Vec::new(),
            commands: Vec::new(),
            for_root: Vec::new(),
        }
    }

    fn judge(&mut self, place: &Place, owners: &[u32]) {
        let is_nobodys = self.lies_on_nobodys_file_system(place);
        if !is_nobodys && !owners.contains(&place.owner) && !self.belongs_to_nobody_here(place) {
            self.belongs_to_another(place, owners);
            self.advise(format!("Let user {} own the store, or make it elsewhere", place.owner));
            if place.path != Path::new("/var/lib/flagstone") {
                self.add(NEW_PLACE.to_owned(), false);
            }
        }
    }

    /// Judges an entry of the store. Advising root to take it over would make another user's content root's.
    fn judge_entry(&mut self, place: &Place, owners: &[u32]) {
        self.judge_mode(place, true);
        if !owners.contains(&place.owner) && !self.belongs_to_nobody_here(place) {
            self.belongs_to_another(place, owners);
            if place.path.file_name() == Some(OsStr::new("config.json")) {
                let path = shell(&place.path);
                self.advise("Read it before you write any of it anew".to_owned());
                return self.add(format!("mv -T {path} {path}.aside"), false);
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

    /// True, with a reason added, if the owner is unknown. Such a place belongs to no trusted user, even if the store's owner is unknown
    /// as well.
    fn lies_on_nobodys_file_system(&mut self, place: &Place) -> bool {
        if place.owner != NOBODY {
            return false;
        }
        let path = printable(&place.path);
        self.reasons
            .push(format!("{path} lies on a file system that does not say what it is or who mounted it"));
        self.advise(
            "Put the store on a disk of this machine; where a seccomp filter refuses fstatfs(2), allow it"
                .to_owned(),
        );
        true
    }

    /// True, with a reason added, if the user namespace does not map the owner: changing the owner, or making it again, mends nothing.
    fn belongs_to_nobody_here(&mut self, place: &Place) -> bool {
        let unmapped = is_unmapped(place.owner);
        if unmapped {
            let path = printable(&place.path);
            self.reasons.push(format!(
                "{path} belongs to a user that this user namespace does not map, and all of those look like user {}",
                place.owner
            ));
            self.advise("Map its owner into the namespace, or run this outside of it".to_owned());
        }
        unmapped
    }

    fn advise(&mut self, advice: String) {
        if !self.advice.contains(&advice) {
            self.advice.push(advice);
        }
    }

    /// Judges a place below a directory that everybody can write, on the way to `end`.
    fn judge_public(&mut self, place: &Place, public: &Public, may_be_store: bool, end: &Path) {
        let Public { path: public, mode, .. } = public;
        if !place.is_link {
            self.judge_mode(place, may_be_store);
        }
        let is_nobodys = self.lies_on_nobodys_file_system(place);
        if is_nobodys || self.believed.includes(place.owner) || self.belongs_to_nobody_here(place) {
            return;
        }
        let trusted = names(&self.believed.users());
        let verb = if trusted.len() == 1 { "is" } else { "are" };
        let trusted = trusted.join(" and ");
        self.reasons.push(format!(
            "{} belongs to user {}, and everybody can write {} (mode {mode:04o}), in which only {trusted} {verb} trusted",
            printable(&place.path),
            place.owner,
            printable(public),
        ));
        if place.is_link {
            return self.advise(format!(
                "Name the store by its own path instead of that link; it leads to {}",
                printable(end)
            ));
        }
        self.add(
            match self.believed.user {
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

    /// Without `may_be_store` it is a directory like `/tmp`, from which nobody is to take the right to write.
    fn judge_mode(&mut self, place: &Place, may_be_store: bool) {
        if place.mode & 0o002 == 0 {
            return;
        }
        let path = printable(&place.path);
        self.reasons.push(format!("{path} is writable by everybody (mode {:04o})", place.mode));
        match may_be_store {
            true => self.add(format!("chmod o-w {}", shell(&place.path)), place.owner == self.believed.user),
            false => self.advise(NO_STORE.to_owned()),
        }
    }

    /// Adds a command, once; `mine`: this user can type it, although not root.
    fn add(&mut self, command: String, mine: bool) {
        let commands = if mine || self.believed.user == 0 { &mut self.commands } else { &mut self.for_root };
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

/// What stands before a command where root types, and this process became the owner; not set elsewhere.
static AS_OWNER: OnceLock<String> = OnceLock::new();

/// Notes that root types, and that this process acts as the user that `sudo -u` takes in this form. Root would follow links that the owner
/// puts on a path after it was judged.
#[cfg(feature = "publisher")]
pub fn act_as_owner(user: &str) {
    let _ = AS_OWNER.set(format!("sudo -u {user} "));
}

/// A sentence that says what to type, and what to ask root for.
pub(crate) fn remedy(commands: &[String], for_root: &[String]) -> String {
    let before = AS_OWNER.get().map_or("", String::as_str);
    let mine: Vec<String> = commands.iter().map(|command| format!("{before}{command}")).collect();
    let (mine, roots) = (mine.join(" && "), for_root.join(" && "));
    match (commands, for_root) {
        (_, []) => format!("Type: {mine}"),
        ([], _) => format!("Ask root to type: {roots}"),
        _ => format!("Type: {mine}; and ask root to type: {roots}"),
    }
}

/// A sentence with a command that only root and `owner` can type.
#[cfg(feature = "publisher")]
pub(crate) fn remedy_for(command: String, owner: u32, user: u32) -> String {
    match user == 0 || user == owner {
        true => remedy(&[command], &[]),
        false => remedy(&[], &[command]),
    }
}

/// The reason why a path was not walked to its end.
enum Stop {
    Failed(io::Error),
    /// A part of it leads elsewhere than its text says.
    Astray {
        reason: String,
        remedy: String,
    },
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Failed(error)
    }
}

impl Stop {
    fn into_error(self, path: &Path) -> StoreError {
        match self {
            Stop::Failed(source) => StoreError::io(OPEN_STORE, path, source),
            Stop::Astray { reason, remedy } => {
                StoreError::Untrusted { path: path.to_owned(), reasons: reason, remedy }
            }
        }
    }

    /// Stops at a link of `/proc`. `/proc/PID/root` has the text `/`, and leads to the root of that process, in its mount namespace.
    fn at_link_of_proc(place: &Path) -> Stop {
        let is_process = place.parent().is_some_and(|parent| {
            parent
                .components()
                .any(|part| part.as_os_str().to_str().is_some_and(|part| part.parse::<u32>().is_ok()))
        });
        Stop::Astray {
            reason: format!(
                "{} is a link of /proc, which does not lead where its text says",
                printable(place)
            ),
            remedy: match is_process {
                true => IN_CONTAINER.to_owned(),
                false => "Name the store by a path that does not begin with /proc".to_owned(),
            },
        }
    }
}

/// Path of the working directory, if it leads there. Below `/proc/PID/root`, in another mount namespace, getcwd(3) may return a path that
/// leads to something else here.
fn working_directory() -> Result<PathBuf, Stop> {
    let astray = |reason| {
        let remedy = format!("Name the store by an absolute path. {IN_CONTAINER}");
        Stop::Astray { reason, remedy }
    };
    let Ok(path) = std::env::current_dir() else {
        return Err(astray("the working directory has no path here".to_owned()));
    };
    let here = pass(CWD, OsStr::new("."))?.metadata()?;
    // A path that leads nowhere belongs to another namespace, too.
    let named = pass(CWD, path.as_os_str()).and_then(|named| named.metadata());
    match named {
        Ok(named) if path.is_absolute() && FileId::of(&named) == FileId::of(&here) => Ok(path),
        _ => Err(astray(format!("the working directory is not what {} leads to", printable(&path)))),
    }
}

/// Makes a path absolute.
///
/// # Errors
///
/// When it is relative, and the working directory has no path that leads to it.
pub fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    working_directory().map(|directory| directory.join(path)).map_err(|stop| stop.into_error(path))
}

/// Walks to `path` from the root. Returns every place passed and the descriptor of the last one, whose path is canonical. Each is judged
/// by its own descriptor, so that it cannot be exchanged between a look and the next step.
fn walk(path: &Path) -> Result<(Vec<Place>, File), Stop> {
    let absolute = if path.is_absolute() { path.to_owned() } else { working_directory()?.join(path) };
    let mut pending = parts(&absolute);
    let root = Passed::of(pass(CWD, OsStr::new("/"))?)?;
    let first = Place::passed(PathBuf::from("/"), &root, None);
    let root = root.file;
    let mut at = root.try_clone()?;
    let mut chain = vec![first.clone()];
    let mut places = vec![first];
    let mut links = 0;
    while let Some(name) = pending.pop_front() {
        let Some(parent) = chain.last() else { return Err(Stop::Failed(io::ErrorKind::NotFound.into())) };
        if name == ".." {
            if chain.len() > 1 {
                at = pass(&at, &name)?;
                chain.pop();
            }
            let passed = Passed::of(at)?;
            let Some(now) = chain.last_mut() else {
                return Err(Stop::Failed(io::ErrorKind::NotFound.into()));
            };
            if now.id != FileId::of(&passed.metadata) {
                return Err(Stop::Failed(io::Error::other(format!(
                    "{} was moved meanwhile",
                    printable(&now.path)
                ))));
            }
            *now = Place::passed(now.path.clone(), &passed, now.public.clone());
            places.push(now.clone());
            at = passed.file;
            continue;
        }
        let mut next = Passed::of(pass(&at, &name)?)?;
        if next.is_automount() {
            next = Passed::of(mounted(&at, &name)?)?;
        }
        let place = Place::passed(parent.path.join(&name), &next, parent.public_for_entries());
        if next.metadata.is_symlink() {
            if next.magic == Some(PROCFS) {
                return Err(Stop::at_link_of_proc(&place.path));
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(Stop::Failed(io::Error::other("too many symbolic links")));
            }
            let target = readlinkat(&next.file, "", Vec::new()).map_err(io::Error::from)?;
            let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
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
        if !next.metadata.is_dir() {
            return Err(Stop::Failed(io::Error::other(format!(
                "{} is not a directory",
                printable(&place.path)
            ))));
        }
        at = next.file;
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

/// A file opened by [`pass`], and what the system says of it.
struct Passed {
    file: File,
    metadata: Metadata,
    /// The kind of its file system, if known.
    magic: Option<u64>,
}

impl Passed {
    fn of(file: File) -> io::Result<Passed> {
        let (metadata, magic) = (file.metadata()?, magic(&file));
        Ok(Passed { file, metadata, magic })
    }

    /// True if going into the directory may mount something there (autofs, systemd.automount(5)), which opening it with `O_PATH` does
    /// not.
    fn is_automount(&self) -> bool {
        self.magic == Some(AUTOFS) && self.metadata.is_dir()
    }
}

/// Opens an entry of a directory, even a link itself, only for looking at it and passing through.
pub(crate) fn pass(directory: impl AsFd, name: &OsStr) -> io::Result<File> {
    let flags = PASS | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(openat(directory, name, flags, Mode::empty())?))
}

/// Like [`pass`], for a directory: `O_DIRECTORY` makes the kernel mount what belongs there.
fn mounted(directory: impl AsFd, name: &OsStr) -> io::Result<File> {
    let flags = PASS | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
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
    names(users).join(" or ")
}

/// The users as people call them, each once.
fn names(users: &[u32]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for user in users {
        let name = if *user == 0 { "root".to_owned() } else { format!("user {user}") };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn an_automount_is_known() -> io::Result<()> {
        let of = |path: &str, magic| {
            let passed = Passed::of(pass(CWD, OsStr::new(path))?)?;
            io::Result::Ok(Passed { magic, ..passed }.is_automount())
        };
        assert!(of("/", Some(AUTOFS))?);
        assert!(!of("/", magic(pass(CWD, OsStr::new("/"))?))?);
        assert!(!of("/proc/self", Some(AUTOFS))?, "a link");
        Ok(())
    }
}
