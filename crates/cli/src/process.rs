//! Another program, run and not waited for without end.

use crate::words;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The most that is kept of what a program prints, in bytes.
pub const KEPT: usize = 4 << 20;
/// How long what was printed last is waited for once the program has ended.
const AFTERWARDS: Duration = Duration::from_millis(200);

/// How a program ended, and what it printed.
pub struct Ran {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

/// Runs it for at most that long, with this on its standard input. None if it took longer: then it is killed, with all that it
/// started.
///
/// # Errors
///
/// A sentence: that it could not be started, or not be waited for.
pub fn run(
    mut command: Command,
    input: Option<Arc<Vec<u8>>>,
    patience: Duration,
) -> Result<Option<Ran>, String> {
    let name = words::plain(&command.get_program().to_string_lossy()).into_owned();
    // A group of its own, to end with all that it started.
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn().map_err(|error| format!("cannot run {name}: {error}"))?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        thread::spawn(move || {
            // A program that does not read it says itself what is wrong.
            let _ = stdin.write_all(&input);
        });
    }
    let out = child.stdout.take().map(kept);
    let err = child.stderr.take().map(kept);
    let ended = wait(&mut child, patience).map_err(|error| format!("cannot wait for {name}: {error}"))?;
    let [out, err] = [out, err].map(|kept| kept.map(Kept::text).unwrap_or_default());
    Ok(ended.map(|status| Ran { status, out, err }))
}

/// How it ended; none if it did not in time, and was ended then.
fn wait(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + patience;
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

/// What is read from a pipe, up to a limit. Somebody may hold the pipe open for ever.
struct Kept(Arc<Mutex<Vec<u8>>>, JoinHandle<()>);

fn kept(mut pipe: impl Read + Send + 'static) -> Kept {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&kept);
    let thread = thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            let (Ok(mut kept), Some(bytes)) = (into.lock(), buffer.get(..read)) else { return };
            let room = KEPT.saturating_sub(kept.len()).min(read);
            kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
        }
    });
    Kept(kept, thread)
}

impl Kept {
    fn text(self) -> String {
        let until = Instant::now() + AFTERWARDS;
        while !self.1.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        self.0.lock().map_or_else(|_| String::new(), |kept| String::from_utf8_lossy(&kept).into_owned())
    }
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
        command.args(["-c", "5000000", "/dev/zero"]);
        let ran = run(command, None, Duration::from_secs(60)).ok().flatten();
        assert_eq!(ran.map(|ran| ran.out.len()), Some(KEPT));
    }
}
