//! The part of root's command that stays root when the rest becomes a store's owner.
//!
//! It is a process of its own, told what root typed: the directory, open already, and the name of the file that `pull` writes; the socket
//! that `doctor --fpm` asks; or the file and the commit of `publish --release`. It opens nothing else and nothing of the store. The other
//! side can have it write a text to that file, connect that socket, make or remove doctor's own script, and ask git, as the work tree's
//! owner, how that commit relates to another; its messages are bounded, and none holds a path.

use crate::args::{self, Arguments, Named};
use crate::doctor::fpm::Script;
use crate::entry::{Entry, ReplaceResult};
use crate::fastcgi::Address;
use crate::git::{self, Problem, Standing};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect as connect_socket,
    recvmsg, sendmsg, socket_with,
};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The first argument of the privileged process.
const MARK: &str = "--privileged";
const WRITE: &str = "write";
const ASK: &str = "ask";
const GIT: &str = "git";
/// The largest text in a message, in bytes: the limit of a file of definitions.
const MAX_TEXT_BYTES: usize = 64 << 20;
/// The pause between two tries to connect while all workers are busy.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

const DONE: u8 = 0;
const CHANGED: u8 = 1;
const FAILED: u8 = 2;
const CONNECT: u8 = 3;
const MAKE_SCRIPT: u8 = 4;
const REMOVE_SCRIPT: u8 = 5;
const DESCENDS: u8 = 6;
const NO_COMMIT: u8 = 7;

/// The other end of the channel.
static CHANNEL: OnceLock<Mutex<UnixStream>> = OnceLock::new();

/// Starts the privileged process while this one is still root, if the command needs it; `written` is the file to write.
///
/// # Errors
///
/// When the process cannot be started.
pub fn start(arguments: &Arguments, written: Option<Entry>) -> io::Result<()> {
    let mut folder = Stdio::null();
    let mut exposed = None;
    let (role, typed): (&str, OsString) = match (&arguments.command, written) {
        (_, Some(entry)) => {
            let (directory, name, why) = entry.into_parts();
            (folder, exposed) = (directory.into(), why);
            (WRITE, name)
        }
        (args::Command::Publish(command), _) => match &command.release {
            Some(Named::Commit(commit) | Named::Digits(commit, _)) if command.lineage.is_none() => {
                exposed = Some(commit.clone());
                (GIT, command.file.clone().into())
            }
            _ => return Ok(()),
        },
        (args::Command::Doctor(command), _) => match &command.fpm {
            Some(Address::Unix(socket)) => (ASK, socket.into()),
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    let (here, there) = UnixStream::pair()?;
    let program = Path::new("/proc/self/exe");
    let program = if program.exists() { program.to_owned() } else { std::env::current_exe()? };
    let mut command = Command::new(program);
    command.arg(MARK).arg(role).arg(typed).args(exposed);
    command.stdin(Stdio::from(OwnedFd::from(there))).stdout(folder).stderr(Stdio::null()).spawn()?;
    let _ = CHANNEL.set(Mutex::new(here));
    Ok(())
}

/// Replaces the typed file's content if it is still `before`, as the user who typed it.
///
/// # Errors
///
/// When it cannot be read or written.
pub fn write(path: &Path, before: &[u8], text: &[u8]) -> io::Result<ReplaceResult> {
    let Some(mut channel) = channel()? else { return Entry::find(path)?.replace(before, text) };
    send(&mut channel, DONE, before)?;
    send(&mut channel, DONE, text)?;
    match receive(&mut channel)? {
        (DONE, _) => Ok(ReplaceResult::Done),
        (CHANGED, _) => Ok(ReplaceResult::Changed),
        (_, problem) => Err(io::Error::other(String::from_utf8_lossy(&problem).into_owned())),
    }
}

/// Compares the typed commit with the last one; none if no process stayed root.
pub fn standing(last: Option<&str>) -> Option<Result<Standing, Problem>> {
    let asked = channel().transpose()?.and_then(|mut channel| {
        send(&mut channel, DONE, last.unwrap_or_default().as_bytes())?;
        receive(&mut channel)
    });
    Some(match asked {
        Err(error) => Err(Problem { text: error.to_string(), has_commit: true }),
        Ok((kind, text)) => {
            let text = String::from_utf8_lossy(&text).into_owned();
            match kind {
                DONE | DESCENDS => Ok(Standing { id: text, descends: kind == DESCENDS }),
                _ => Err(Problem { text, has_commit: kind != NO_COMMIT }),
            }
        }
    })
}

/// Connects the typed socket, as the user who typed it. Waits until `end` if its queue is full.
///
/// # Errors
///
/// When no server listens, or the user may not connect.
pub fn connect(path: &Path, end: Instant) -> io::Result<UnixStream> {
    loop {
        let connected = match channel()? {
            None => return UnixStream::connect(path),
            Some(mut channel) => ask_to_connect(&mut channel),
        };
        match connected {
            Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < end => {
                sleep(RETRY_INTERVAL)
            }
            connected => return connected,
        }
    }
}

fn ask_to_connect(channel: &mut UnixStream) -> io::Result<UnixStream> {
    send(channel, CONNECT, &[])?;
    let mut error = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(&*channel, &mut [IoSliceMut::new(&mut error)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let sockets = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
        _ => None,
    });
    match (sockets.last(), received.bytes, error) {
        (Some(socket), 1, [0]) => Ok(UnixStream::from(socket)),
        (None, 1, [error]) if error != 0 => Err(io::Error::from_raw_os_error(error.into())),
        _ => Err(ErrorKind::UnexpectedEof.into()),
    }
}

/// Makes doctor's script in one of its places, as root, and returns its path. None if no process stayed root.
pub fn make_script(place: u8) -> Option<io::Result<String>> {
    let made = channel().transpose()?.and_then(|mut channel| {
        send(&mut channel, MAKE_SCRIPT, &[place])?;
        match receive(&mut channel)? {
            (DONE, path) => String::from_utf8(path).map_err(io::Error::other),
            (_, problem) => Err(io::Error::other(String::from_utf8_lossy(&problem).into_owned())),
        }
    });
    Some(made)
}

/// Removes what [`make_script`] made.
pub fn remove_script() {
    if let Ok(Some(mut channel)) = channel() {
        // The process also removes it when it ends.
        let _ = send(&mut channel, REMOVE_SCRIPT, &[]).and_then(|()| receive(&mut channel));
    }
}

fn channel() -> io::Result<Option<std::sync::MutexGuard<'static, UnixStream>>> {
    let lock = CHANNEL.get().map(Mutex::lock).transpose();
    lock.map_err(|_| io::Error::other("the process that stayed root does not answer"))
}

/// Runs the privileged process, if this is one. None: this is the command.
pub fn serve() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() != Some(OsStr::new(MARK)) {
        return None;
    }
    let mut next = || arguments.next().unwrap_or_default();
    let (role, typed, exposed) = (next(), next(), next());
    let channel = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    let served = channel.and_then(|mut channel| match role.to_str() {
        Some(WRITE) => {
            let folder = io::stdout().as_fd().try_clone_to_owned()?;
            let exposed = exposed.into_string().ok().filter(|why| !why.is_empty());
            serve_write(&mut channel, &Entry::received(folder.into(), typed, exposed))
        }
        Some(ASK) => serve_ask(&mut channel, Path::new(&typed)),
        Some(GIT) => serve_git(&mut channel, Path::new(&typed), &exposed.to_string_lossy()),
        _ => Err(ErrorKind::InvalidInput.into()),
    });
    Some(ExitCode::from(u8::from(served.is_err())))
}

/// Writes once. A channel that ends without a message means that there is nothing to write.
fn serve_write(channel: &mut UnixStream, entry: &Entry) -> io::Result<()> {
    let (_, before) = receive(channel)?;
    let (_, text) = receive(channel)?;
    match entry.replace(&before, &text) {
        Ok(ReplaceResult::Done) => send(channel, DONE, &[]),
        Ok(ReplaceResult::Changed) => send(channel, CHANGED, &[]),
        Err(error) => send(channel, FAILED, error.to_string().as_bytes()),
    }
}

/// Answers once. A commit that the store names is passed on only if it is an id.
fn serve_git(channel: &mut UnixStream, file: &Path, commit: &str) -> io::Result<()> {
    let (_, last) = receive(channel)?;
    let last = String::from_utf8(last).map_err(io::Error::other)?;
    if !last.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(ErrorKind::InvalidData.into());
    }
    match git::ask(file, commit, Some(&*last).filter(|last| !last.is_empty())) {
        Ok(found) => send(channel, if found.descends { DESCENDS } else { DONE }, found.id.as_bytes()),
        Err(problem) => {
            let kind = if problem.has_commit { FAILED } else { NO_COMMIT };
            send(channel, kind, problem.text.as_bytes())
        }
    }
}

/// Connects on every request. Ends with the channel, and removes the script then.
fn serve_ask(channel: &mut UnixStream, socket: &Path) -> io::Result<()> {
    let mut script: Option<Script> = None;
    loop {
        match receive(channel)? {
            (CONNECT, _) => answer_connection(channel, connected(socket))?,
            (MAKE_SCRIPT, place) => {
                drop(script.take());
                match Script::make_in(place.first().copied().unwrap_or(u8::MAX)) {
                    Ok(made) => send(channel, DONE, script.insert(made).path().as_bytes())?,
                    Err(error) => send(channel, FAILED, error.to_string().as_bytes())?,
                }
            }
            (REMOVE_SCRIPT, _) => {
                drop(script.take());
                send(channel, DONE, &[])?;
            }
            _ => return Err(ErrorKind::InvalidData.into()),
        }
    }
}

/// Connects without waiting for a full queue.
fn connected(path: &Path) -> rustix::io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect_socket(&socket, &SocketAddrUnix::new(path)?)?;
    let socket = UnixStream::from(socket);
    socket.set_nonblocking(false).map_err(|_| rustix::io::Errno::IO)?;
    Ok(socket)
}

/// Sends one byte: 0 with the socket, or the number of the error.
fn answer_connection(channel: &UnixStream, connected: rustix::io::Result<UnixStream>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let sockets = connected.as_ref().map(|socket| [socket.as_fd()]);
    let error = match &sockets {
        Ok(sockets) => u8::from(!ancillary.push(SendAncillaryMessage::ScmRights(sockets))),
        Err(error) => u8::try_from(error.raw_os_error()).unwrap_or(u8::MAX),
    };
    sendmsg(channel, &[IoSlice::new(&[error])], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Sends a message: its kind, its length, its text.
fn send(channel: &mut UnixStream, kind: u8, text: &[u8]) -> io::Result<()> {
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    channel.write_all(&[kind])?;
    channel.write_all(&length.to_le_bytes())?;
    channel.write_all(text)
}

fn receive(channel: &mut UnixStream) -> io::Result<(u8, Vec<u8>)> {
    let mut header = [0; 5];
    channel.read_exact(&mut header)?;
    let [kind, length @ ..] = header;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_TEXT_BYTES {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut text = Vec::new();
    channel.take(length as u64).read_to_end(&mut text)?;
    match text.len() == length {
        true => Ok((kind, text)),
        false => Err(ErrorKind::UnexpectedEof.into()),
    }
}
