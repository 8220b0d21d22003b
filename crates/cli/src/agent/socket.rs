//! The agent's socket: where it lies, and that it is this agent's.
//!
//! Whoever holds the lock beside it is the agent of the store; the kernel releases it when that process dies. What then lies in the
//! socket's place and takes no connection is a dead agent's, and is replaced.

use crate::display::plain;
use flagstone::publish::{AgentConfig, Config, Store};
use rustix::fs::{
    Access, AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, accessat, chmodat, flock, fstat, openat,
    statat, unlinkat,
};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use rustix::process::geteuid;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Component, Path, PathBuf};

/// The directory for sockets of a machine's agents.
const RUN: &str = "/run/flagstone";
/// The socket's name in its store.
const IN_STORE: &str = "agent.sock";
/// Passes a directory without following a link.
const PASS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A socket that takes connections.
pub struct Socket {
    pub listener: UnixListener,
    pub path: PathBuf,
    /// The device and the inode of its name; none for a socket that the service manager holds.
    place: Option<(u64, u64)>,
    /// Held for as long as the agent lives; none for a socket that the service manager holds.
    _lock: Option<File>,
}

impl Socket {
    /// Makes the socket of that store.
    ///
    /// # Errors
    ///
    /// When another agent has it, or its directory is not safe; a sentence.
    pub fn listen(store: &Store, config: &AgentConfig) -> Result<Socket, String> {
        let path = match &config.socket {
            Some(path) => path.clone(),
            None => match directory(Path::new(RUN), false).is_ok_and(|run| is_writable(&run)) {
                true => in_run(store),
                false => store.directory().join(IN_STORE),
            },
        };
        let failed = |problem: String| format!("{}: {problem}", plain(&path.to_string_lossy()));
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(failed("expected a name in a directory".to_owned()));
        };
        let folder = directory(parent, parent == store.directory()).map_err(failed)?;
        let name = name.to_string_lossy();
        let lock = lock(&folder, &format!("{name}.lock")).map_err(failed)?;
        replace_dead(&folder, &name).map_err(failed)?;
        let io = |error: io::Error| failed(error.to_string());
        // By the directory's descriptor, since a socket's path has at most 107 bytes, and the directory was judged.
        let listener =
            UnixListener::bind(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd())).map_err(io)?;
        // Every user may connect: the policy decides what each may ask.
        chmodat(&folder, &*name, Mode::from_raw_mode(0o666), AtFlags::empty())
            .map_err(|error| io(error.into()))?;
        listener.set_nonblocking(true).map_err(io)?;
        let place = place(&folder, Path::new(&*name)).map_err(|error| io(error.into()))?;
        Ok(Socket { listener, path, place: Some(place), _lock: Some(lock) })
    }

    /// True if its path leads to nothing or to another one, as where the store's directory was moved.
    pub fn is_lost(&self) -> bool {
        let found = self.place.map(|place| (place, self::place(CWD, &self.path)));
        found.is_some_and(|(place, found)| {
            found.map_or_else(|error| error == Errno::NOENT, |found| found != place)
        })
    }

    /// The socket that the service manager made, whose unit says who may connect.
    ///
    /// # Errors
    ///
    /// When it cannot be used; a sentence.
    pub fn handed(listener: UnixListener) -> Result<Socket, String> {
        let io = |error: io::Error| error.to_string();
        let path = listener.local_addr().map_err(io)?.as_pathname().map(Path::to_owned);
        listener.set_nonblocking(true).map_err(io)?;
        Ok(Socket { listener, path: path.unwrap_or_default(), place: None, _lock: None })
    }
}

/// The path in the directory of the machine's agents.
fn in_run(store: &Store) -> PathBuf {
    Path::new(RUN).join(format!("{}.sock", store.id()))
}

/// Connects to the socket of that store's agent, whoever serves it; none where nobody takes this user's connections.
pub fn connect(store: &Store) -> Option<UnixStream> {
    // The owner's config, of which this user takes nothing else: who serves the socket is looked at then.
    let text = store.config_text().ok().flatten();
    let config = text.and_then(|text| Config::parse("config.json", &text).ok());
    let paths = match config.and_then(|config| config.agent.socket) {
        Some(path) => vec![path],
        None => vec![in_run(store), store.directory().join(IN_STORE)],
    };
    paths.into_iter().find_map(|path| {
        // By the directory's descriptor, as the socket was made.
        let folder = openat(CWD, path.parent()?, PASS, Mode::empty()).ok()?;
        let name = path.file_name()?.to_string_lossy().into_owned();
        UnixStream::connect(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd())).ok()
    })
}

/// Opens a directory in which only root and this process's user can make names, and no link leads to it. The way to a store was judged when
/// that was opened, and may lead through a directory that everybody can write, such as an `emptyDir`.
fn directory(path: &Path, is_store: bool) -> Result<File, String> {
    let mut at = PathBuf::from("/");
    let mut folder = File::from(openat(CWD, "/", PASS, Mode::empty()).map_err(|error| error.to_string())?);
    for part in path.components() {
        if !is_store {
            judge(&folder, &at, false)?;
        }
        match part {
            Component::RootDir | Component::CurDir => continue,
            Component::Normal(name) => {
                at.push(name);
                folder = match openat(&folder, name, PASS, Mode::empty()) {
                    Ok(next) => File::from(next),
                    Err(Errno::LOOP | Errno::NOTDIR) => {
                        return Err(format!(
                            "{} is a link or no directory, expected a directory",
                            plain(&at.to_string_lossy())
                        ));
                    }
                    Err(error) => return Err(error.to_string()),
                };
            }
            Component::ParentDir | Component::Prefix(_) => {
                return Err("expected a path without ..".to_owned());
            }
        }
    }
    judge(&folder, &at, true)?;
    Ok(folder)
}

/// Refuses a directory whose names others can exchange. On the way, a sticky one is safe: its names are their owners'.
fn judge(folder: &File, path: &Path, is_last: bool) -> Result<(), String> {
    let found = folder.metadata().map_err(|error| error.to_string())?;
    let path = plain(&path.to_string_lossy()).into_owned();
    if ![0, geteuid().as_raw()].contains(&found.uid()) {
        return Err(format!("{path} belongs to user {}, expected root or this agent's user", found.uid()));
    }
    let is_sticky = found.mode() & 0o1000 != 0 && !is_last;
    match found.mode() & 0o022 != 0 && !is_sticky {
        true => Err(format!("{path} is writable by others (mode {:04o})", found.mode() & 0o7777)),
        false => Ok(()),
    }
}

fn is_writable(folder: &File) -> bool {
    accessat(folder, ".", Access::WRITE_OK, AtFlags::EACCESS).is_ok()
}

/// Takes the lock that the store's agent holds.
fn lock(folder: &File, name: &str) -> Result<File, String> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let io = |error: Errno| error.to_string();
    let file = File::from(openat(folder, name, flags, Mode::RUSR | Mode::WUSR).map_err(io)?);
    if FileType::from_raw_mode(fstat(&file).map_err(io)?.st_mode) != FileType::RegularFile {
        return Err(format!("{}: expected a file", plain(name)));
    }
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err("another agent of this store takes requests there".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The device and the inode of a name.
fn place(folder: impl AsFd, name: &Path) -> Result<(u64, u64), Errno> {
    statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map(|found| (found.st_dev, found.st_ino))
}

/// True if a process listens there, such as a service manager that holds the socket for its agent. Nothing waits for a full queue.
fn is_live(folder: &File, name: &str) -> Result<bool, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(Errno::AGAIN) => Ok(true),
        Err(Errno::CONNREFUSED) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes the socket of an agent that died; anything else in its place is not touched.
fn replace_dead(folder: &File, name: &str) -> Result<(), String> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(found) => match FileType::from_raw_mode(found.st_mode) {
            FileType::Socket => match is_live(folder, name).map_err(|error| error.to_string())? {
                true => Err("another process takes requests there".to_owned()),
                false => unlinkat(folder, name, AtFlags::empty()).map_err(|error| error.to_string()),
            },
            _ => Err("found something else than a socket there, expected a free name".to_owned()),
        },
    }
}
