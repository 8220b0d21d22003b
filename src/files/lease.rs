//! Files on which another process has a lease, as an NFS server has for its clients and Samba for its own.
//!
//! Opening such a file without waiting fails at once, and asks the holder to give the lease back. The kernel takes it away after
//! `fs.lease-break-time` seconds.

use super::holder::holder_of;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Default of `fs.lease-break-time`, in seconds.
const BREAK_TIME: u64 = 45;
/// Longest wait of a change, whatever the kernel does.
const MAX_WAIT: Duration = Duration::from_secs(90);
/// Pause between two attempts.
const RETRY_INTERVAL: Duration = Duration::from_millis(5);

/// Opens a file, and waits for leases on it to end. `inode` is the file's.
pub(crate) fn open(inode: u64, open: impl Fn() -> rustix::io::Result<OwnedFd>) -> io::Result<File> {
    open_within(inode, break_time(), open)
}

fn open_within(
    inode: u64,
    limit: Duration,
    open: impl Fn() -> rustix::io::Result<OwnedFd>,
) -> io::Result<File> {
    let began = Instant::now();
    loop {
        match open() {
            Err(Errno::WOULDBLOCK) if began.elapsed() < limit => std::thread::sleep(RETRY_INTERVAL),
            Err(Errno::WOULDBLOCK) => {
                return Err(io::Error::new(io::ErrorKind::WouldBlock, held(inode, limit)));
            }
            opened => return Ok(File::from(opened?)),
        }
    }
}

/// Time after which the kernel breaks a lease that another process waits for, and a second more.
fn break_time() -> Duration {
    let said = std::fs::read_to_string("/proc/sys/fs/lease-break-time").ok();
    let seconds = said.and_then(|text| text.trim().parse().ok()).unwrap_or(BREAK_TIME);
    Duration::from_secs(seconds).saturating_add(Duration::from_secs(1)).min(MAX_WAIT)
}

fn held(inode: u64, limit: Duration) -> String {
    let (holder, end) = match holder_of(inode, &["LEASE", "DELEG"]) {
        Some(process) => (format!("process {process}"), format!(", or end it: kill {process}")),
        None => ("another process".to_owned(), String::new()),
    };
    format!(
        "{holder} has a lease on it, as an NFS server has for its clients, and did not give it back within {} s. \
         Let it give the file back{end}",
        limit.as_secs_f64().ceil()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags};
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::MetadataExt;
    use std::process::{Child, Command, Stdio};

    /// Takes a lease, and gives it back the given seconds after another process wants the file.
    const HOLDER: &str = "
import fcntl, os, signal, sys, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
file = os.open(sys.argv[1], os.O_RDONLY)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
print('held', flush=True)
signal.sigwait([signal.SIGIO])
time.sleep(float(sys.argv[2]))
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
";

    struct Held(Child);

    impl Held {
        fn take(path: &std::path::Path, seconds: &str) -> Held {
            let mut command = Command::new("/usr/bin/python3");
            command.args(["-c", HOLDER]).arg(path).arg(seconds).stdout(Stdio::piped());
            let mut child = command.spawn().expect("python3, of Debian: scripts/setup");
            let mut line = String::new();
            let out = child.stdout.take().expect("its output");
            BufReader::new(out).read_line(&mut line).expect("a line");
            assert_eq!(line, "held\n", "no lease could be taken");
            Held(child)
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            let _ = self.0.kill().and_then(|()| self.0.wait());
        }
    }

    #[test]
    fn a_lease_is_waited_for_and_its_holder_named_where_it_stays() {
        let path = std::env::temp_dir().join(format!("flagstone-lease-{}", std::process::id()));
        std::fs::write(&path, "text").unwrap();
        let inode = path.metadata().unwrap().ino();
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let again = || rustix::fs::open(&path, flags, Mode::empty());
        let held = Held::take(&path, "60");
        let error = open_within(inode, Duration::from_millis(50), again).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let said = error.to_string();
        assert!(said.starts_with(&format!("process {} has a lease on it", held.0.id())), "{said}");
        drop(held);
        let _held = Held::take(&path, "0.3");
        let began = Instant::now();
        open_within(inode, Duration::from_secs(60), again).unwrap();
        assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
        std::fs::remove_file(&path).unwrap();
    }
}
