//! What systemd and its kin agree on with a service: its state (sd_notify(3)), the watchdog (sd_watchdog_enabled(3)), and sockets that they
//! made for it (sd_listen_fds(3)).

use crate::display;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::AddressFamily;
use rustix::net::sockopt::{socket_acceptconn, socket_domain};
use rustix::time::{ClockId, clock_gettime};
use std::env;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::process;
use std::time::{Duration, Instant};

/// The number of the first file that a service manager hands over.
const FIRST: RawFd = 3;

/// The service manager, as the environment names it.
pub struct ServiceManager {
    notify: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Watchdog>,
}

impl ServiceManager {
    pub fn of_environment() -> ServiceManager {
        let watchdog = number("WATCHDOG_USEC").filter(|usec| *usec > 0 && is_for_us("WATCHDOG_PID", true));
        let watchdog = watchdog.map(|usec| Watchdog::new(Duration::from_micros(usec), Instant::now()));
        ServiceManager { notify: env::var("NOTIFY_SOCKET").ok().and_then(|name| socket(&name)), watchdog }
    }

    /// Tells the manager, which may not listen: nothing waits for it.
    fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.notify {
            let _ = socket.send_to_addr(state.as_bytes(), address);
        }
    }

    /// The service works from here on.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The service reads its configuration again, until it is [`ready`](Self::ready).
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1_000));
    }

    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Shows a text beside the service's state.
    pub fn status(&self, text: &str) {
        self.tell(&format!("STATUS={}", display::plain(text)));
    }

    /// Says that the service lives. `turned` is when its slowest loop last did.
    pub fn beat(&mut self, turned: Instant) {
        if self.watchdog.as_mut().is_some_and(|watchdog| watchdog.is_due(Instant::now(), turned)) {
            self.tell("WATCHDOG=1");
        }
    }
}

/// The time within which a service has to say that it lives.
struct Watchdog {
    half: Duration,
    said: Instant,
}

impl Watchdog {
    fn new(limit: Duration, now: Instant) -> Watchdog {
        Watchdog { half: limit / 2, said: now }
    }

    /// True once in half of the time, while everything turns.
    fn is_due(&mut self, now: Instant, turned: Instant) -> bool {
        let is_due = now.duration_since(self.said) >= self.half && now.duration_since(turned) < self.half;
        if is_due {
            self.said = now;
        }
        is_due
    }
}

/// Takes the socket that the manager made, if it made one.
///
/// # Errors
///
/// When what it handed over is not one Unix socket that listens; a sentence.
pub fn inherited() -> Result<Option<UnixListener>, String> {
    let Some(count) = number("LISTEN_FDS").filter(|count| *count > 0 && is_for_us("LISTEN_PID", false))
    else {
        return Ok(None);
    };
    if count > 1 {
        return Err(format!("the service manager hands over {count} sockets, expected one"));
    }
    let wrong = || "the service manager hands over something else than a Unix socket that listens".to_owned();
    // Without procfs nothing is known of it.
    std::fs::metadata(format!("/proc/self/fd/{FIRST}")).map_err(|_| wrong())?;
    // SAFETY: the file is open, the manager says that it is this process's to take, and it is taken here alone, once.
    let file = unsafe { OwnedFd::from_raw_fd(FIRST) };
    if socket_domain(&file) != Ok(AddressFamily::UNIX) || socket_acceptconn(&file) != Ok(true) {
        return Err(wrong());
    }
    // Children are no part of the service.
    fcntl_setfd(&file, FdFlags::CLOEXEC).map_err(|error| error.to_string())?;
    Ok(Some(file.into()))
}

/// The manager's socket; `@` begins an abstract name.
fn socket(name: &str) -> Option<(UnixDatagram, SocketAddr)> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    Some((socket, address.ok()?))
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// True if the variable names this process; where it is missing, `otherwise`.
fn is_for_us(name: &str, otherwise: bool) -> bool {
    match env::var_os(name) {
        None => otherwise,
        Some(_) => number(name) == Some(process::id().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_is_told_in_half_of_its_time_while_everything_turns() {
        let start = Instant::now();
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        let mut watchdog = Watchdog::new(Duration::from_secs(60), start);
        assert!(!watchdog.is_due(after(29), after(29)));
        assert!(watchdog.is_due(after(30), after(30)) && !watchdog.is_due(after(31), after(31)));
        // A guard that hangs: the manager hears no more.
        assert!(!watchdog.is_due(after(61), after(31)) && !watchdog.is_due(after(600), after(31)));
        assert!(watchdog.is_due(after(601), after(601)));
    }
}
