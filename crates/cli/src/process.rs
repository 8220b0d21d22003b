//! Another program, asked and not waited for without end.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The most that is kept of what a program prints, in bytes.
const LIMIT: u64 = 1 << 20;

/// What a program printed.
pub struct Ran {
    pub out: String,
    pub err: String,
}

/// Runs it without input, for at most that long; one that takes longer is killed.
///
/// # Errors
///
/// A sentence: that it could not be started, or did not end in time.
pub fn run(mut command: Command, patience: Duration) -> Result<Ran, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot run {name}: {error}"))?;
    let out = collect(child.stdout.take());
    let err = collect(child.stderr.take());
    let end = Instant::now() + patience;
    while child.try_wait().map_err(|error| format!("cannot wait for {name}: {error}"))?.is_none() {
        if Instant::now() >= end {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("{name} did not end within {} s", patience.as_secs()));
        }
        thread::sleep(Duration::from_millis(5));
    }
    // What it started itself may hold its output open.
    let rest = |text: mpsc::Receiver<Vec<u8>>| {
        let bytes = text.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Ran { out: rest(out), err: rest(err) })
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = (&mut pipe).take(LIMIT).read_to_end(&mut bytes);
            // Whoever prints more is not to block on it.
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
        let _ = send.send(bytes);
    });
    receive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_end_is_killed() {
        let mut command = Command::new("sleep");
        command.arg("60");
        let began = Instant::now();
        let error = run(command, Duration::from_millis(50)).err().unwrap_or_default();
        assert!(error.contains("did not end"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_program_that_prints_much_ends() {
        let mut command = Command::new("head");
        command.args(["-c", "5000000", "/dev/zero"]);
        let ran = run(command, Duration::from_secs(60)).ok();
        assert_eq!(ran.map(|ran| ran.out.len()), Some(1 << 20));
    }
}
