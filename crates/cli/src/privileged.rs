//! The part of root's command that stays root when the rest becomes a store's owner.
//!
//! It is a process of its own, told what root typed: the directory, open already, and the name of the file that `pull` writes,
//! or the socket that `doctor --fpm` asks. It opens nothing else and nothing of the store. The other side can have it write a text to that file,
//! connect that socket, and make or remove doctor's own script; its messages are bounded, and none holds a path.

use crate::args::{Arguments, Word};
use crate::doctor;
use crate::entry::{Entry, Written};
use crate::fastcgi::Address;
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

/// The first argument of that process.
const MARK: &str = "--privileged";
const WRITE: &str = "write";
const ASK: &str = "ask";
/// The largest text in a message, in bytes: a file of definitions has at most as many.
const LIMIT: usize = 64 << 20;
/// Between two tries to connect where all workers are busy.
const PAUSE: Duration = Duration::from_millis(10);

const DONE: u8 = 0;
const CHANGED: u8 = 1;
const FAILED: u8 = 2;
const CONNECT: u8 = 3;
const MAKE_SCRIPT: u8 = 4;
const REMOVE_SCRIPT: u8 = 5;

/// The other end.
static CHANNEL: OnceLock<Mutex<UnixStream>> = OnceLock::new();

/// Starts it while this process is still root, if what was typed needs it; and does what is read before anything of the store
/// is. `store` is where that is; `written` is the file to write.
///
/// # Errors
///
/// When it cannot be started.
pub fn start(arguments: &Arguments, store: &Path, written: Option<Entry>) -> io::Result<()> {
    let mut folder = Stdio::null();
    let mut exposed = None;
    let (role, typed): (&str, OsString) = match (&arguments.word, written) {
        (_, Some(entry)) => {
            let (directory, name, why) = entry.into_parts();
            (folder, exposed) = (directory.into(), why);
            (WRITE, name)
        }
        (Word::Doctor(word), _) => {
            doctor::ahead(word, store);
            match &word.fpm {
                Some(Address::Unix(socket)) => (ASK, socket.into()),
                _ => return Ok(()),
            }
        }
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

/// Replaces a file's content, if it was `before` until now: the file that was typed, by the user who typed it.
///
/// # Errors
///
/// When it cannot be read or written.
pub fn write(path: &Path, before: &[u8], text: &[u8]) -> io::Result<Written> {
    let Some(mut channel) = channel()? else { return Entry::find(path)?.replace(before, text) };
    send(&mut channel, DONE, before)?;
    send(&mut channel, DONE, text)?;
    match receive(&mut channel)? {
        (DONE, _) => Ok(Written::Done),
        (CHANGED, _) => Ok(Written::Changed),
        (_, problem) => Err(io::Error::other(String::from_utf8_lossy(&problem).into_owned())),
    }
}

/// Connects the socket that was typed, as the user who typed it. Waits until `end` where its queue is full.
///
/// # Errors
///
/// When nobody listens, or the user may not connect.
pub fn connect(path: &Path, end: Instant) -> io::Result<UnixStream> {
    loop {
        let connected = match channel()? {
            None => return UnixStream::connect(path),
            Some(mut channel) => ask_to_connect(&mut channel),
        };
        match connected {
            Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < end => sleep(PAUSE),
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

/// Makes doctor's script in one of its places, as root; its path. None where nothing stayed root.
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
        // The process removes it when it ends, too.
        let _ = send(&mut channel, REMOVE_SCRIPT, &[]).and_then(|()| receive(&mut channel));
    }
}

fn channel() -> io::Result<Option<std::sync::MutexGuard<'static, UnixStream>>> {
    let lock = CHANNEL.get().map(Mutex::lock).transpose();
    lock.map_err(|_| io::Error::other("the process that stayed root does not answer"))
}

/// Is that process, where this is what was started. None: it is the command.
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
        _ => Err(ErrorKind::InvalidInput.into()),
    });
    Some(ExitCode::from(u8::from(served.is_err())))
}

/// Writes once. The end of the channel instead of a message: there is nothing to write.
fn serve_write(channel: &mut UnixStream, entry: &Entry) -> io::Result<()> {
    let (_, before) = receive(channel)?;
    let (_, text) = receive(channel)?;
    match entry.replace(&before, &text) {
        Ok(Written::Done) => send(channel, DONE, &[]),
        Ok(Written::Changed) => send(channel, CHANGED, &[]),
        Err(error) => send(channel, FAILED, error.to_string().as_bytes()),
    }
}

/// Connects as often as it is asked. Ends with the channel, and removes the script then.
fn serve_ask(channel: &mut UnixStream, socket: &Path) -> io::Result<()> {
    let mut script: Option<doctor::fpm::Script> = None;
    loop {
        match receive(channel)? {
            (CONNECT, _) => answer_connection(channel, connected(socket))?,
            (MAKE_SCRIPT, place) => {
                drop(script.take());
                match doctor::fpm::Script::make_in(place.first().copied().unwrap_or(u8::MAX)) {
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

/// Without waiting where the queue is full.
fn connected(path: &Path) -> rustix::io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect_socket(&socket, &SocketAddrUnix::new(path)?)?;
    let socket = UnixStream::from(socket);
    socket.set_nonblocking(false).map_err(|_| rustix::io::Errno::IO)?;
    Ok(socket)
}

/// One byte: 0 with the socket, or the number of the error.
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

/// A message: its kind, its length, its text.
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
    if length > LIMIT {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut text = Vec::new();
    channel.take(length as u64).read_to_end(&mut text)?;
    match text.len() == length {
        true => Ok((kind, text)),
        false => Err(ErrorKind::UnexpectedEof.into()),
    }
}
