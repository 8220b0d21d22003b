//! Another program, run apart from this process and with a timeout.

use crate::display;
use flagstone::files::{Account, PROGRAM_PATH};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The most output that is kept of a program, in bytes: the last, where an answer is.
const MAX_OUTPUT_BYTES: usize = 4 << 20;
/// The wait for the last output once the program has ended.
const AFTERWARDS: Duration = Duration::from_millis(200);

/// The last descriptor that is closed one by one, if the kernel cannot close a range.
const DESCRIPTORS: libc::rlim_t = 65_536;

/// The end of a program, and its output.
#[derive(Debug)]
pub struct RunResult {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

/// Gives a program the environment of this process's user and nothing of this process's own, and `/` as its directory.
pub fn own_environment(command: &mut Command) {
    let account = Account::current();
    command.env_clear().current_dir("/");
    command.env("PATH", PROGRAM_PATH).env("LANG", "C.UTF-8").env("HOME", &account.home);
    command.env("USER", &account.name).env("LOGNAME", &account.name);
}

/// Has the program start in that open directory: its path may lead elsewhere by then. The program's user must be able to enter it.
pub fn within(command: &mut Command, directory: File) {
    // SAFETY: changing the directory is one system call, and allocates nothing.
    unsafe { command.pre_exec(move || Ok(rustix::process::fchdir(&directory)?)) };
}

/// Runs a program for at most that long, with this on its standard input. None if it took longer: then it is killed, with all that it
/// started. It has a session of its own, no terminal, and no descriptor but its standard three.
///
/// # Errors
///
/// A sentence on a program that could not be started, or not be waited for.
pub fn run(
    mut command: Command,
    input: Option<Arc<Vec<u8>>>,
    timeout: Duration,
) -> Result<Option<RunResult>, String> {
    let name = display::plain(&command.get_program().to_string_lossy()).into_owned();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // SAFETY: `isolate` makes system calls only, and allocates nothing.
    unsafe { command.pre_exec(isolate) };
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn().map_err(|error| format!("cannot run {name}: {error}"))?;
    let (out, err) = match beside(&mut child, input) {
        Ok(pipes) => pipes,
        Err(error) => {
            let _ = child.kill().and_then(|()| child.wait());
            return Err(format!("cannot run {name}: no thread can be started beside it: {error}"));
        }
    };
    let ended = wait(&mut child, timeout).map_err(|error| format!("cannot wait for {name}: {error}"))?;
    let [out, err] = [out, err].map(|kept| kept.map(BoundedOutput::text).unwrap_or_default());
    Ok(ended.map(|status| RunResult { status, out, err }))
}

/// Writes the program's input and reads its output, in threads of their own.
fn beside(
    child: &mut Child,
    input: Option<Arc<Vec<u8>>>,
) -> io::Result<(Option<BoundedOutput>, Option<BoundedOutput>)> {
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        // A program that does not read its input says itself what is wrong.
        thread::Builder::new().spawn(move || drop(stdin.write_all(&input)))?;
    }
    let out = child.stdout.take().map(kept).transpose()?;
    Ok((out, child.stderr.take().map(kept).transpose()?))
}

/// Runs in the new process before the program starts. A session is a group of its own as well, which ends with all its processes; without
/// it, the program could type into the terminal that this process was started from.
fn isolate() -> io::Result<()> {
    rustix::process::setsid()?;
    close_on_exec();
    Ok(())
}

/// Marks every descriptor but the standard three to be closed when the program starts. Some may have been
/// inherited without the mark.
fn close_on_exec() {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: the arguments are numbers, and marking descriptors changes no memory.
        let marked =
            unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
        if marked == 0 {
            return;
        }
    }
    let mut limit = libc::rlimit { rlim_cur: DESCRIPTORS, rlim_max: DESCRIPTORS };
    // SAFETY: the pointer is to a structure of the kind that is asked for.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    for descriptor in 3..limit.rlim_cur.min(DESCRIPTORS) as libc::c_int {
        // SAFETY: the arguments are numbers; one that is no descriptor is refused.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Waits for the program to end; kills it at the timeout and returns none.
fn wait(child: &mut Child, timeout: Duration) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + timeout;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The last output read from a pipe. Another process may hold the pipe open for ever.
struct BoundedOutput(Arc<Mutex<Vec<u8>>>, JoinHandle<()>);

fn kept(mut pipe: impl Read + Send + 'static) -> io::Result<BoundedOutput> {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&kept);
    let thread = thread::Builder::new().spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            let (Ok(mut kept), Some(bytes)) = (into.lock(), buffer.get(..read)) else { return };
            kept.extend_from_slice(bytes);
            if kept.len() > 2 * MAX_OUTPUT_BYTES {
                keep_last(&mut kept);
            }
        }
    })?;
    Ok(BoundedOutput(kept, thread))
}

impl BoundedOutput {
    fn text(self) -> String {
        let until = Instant::now() + AFTERWARDS;
        while !self.1.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        let Ok(mut kept) = self.0.lock() else { return String::new() };
        keep_last(&mut kept);
        String::from_utf8_lossy(&kept).into_owned()
    }
}

fn keep_last(kept: &mut Vec<u8>) {
    kept.drain(..kept.len().saturating_sub(MAX_OUTPUT_BYTES));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_end_is_killed_with_what_it_started() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & sleep 60"]);
        let began = Instant::now();
        assert!(run(command, None, Duration::from_millis(50)).is_ok_and(|ran| ran.is_none()));
        assert!(began.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_program_that_prints_much_ends() {
        let mut command = Command::new("head");
        command.args(["-c", "9000000", "/dev/zero"]);
        let ran = run(command, None, Duration::from_secs(60)).ok().flatten();
        assert_eq!(ran.map(|ran| ran.out.len()), Some(MAX_OUTPUT_BYTES));
    }
}
