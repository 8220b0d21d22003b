//! The other machines that a store's config declares: the same word, on each of them.
//!
//! All at once, each by its own command and within its own time. None of them sends the word on.

use crate::output::{Exit, GOOD, Output, WARN};
use crate::{relay, words};
use flagstone::store::{Config, Machine, Runner};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Bytes kept of what a machine's command prints.
const KEPT: usize = 4 << 20;
/// How long what was printed last is waited for once the command has ended.
const AFTERWARDS: Duration = Duration::from_millis(200);

/// A word that is to be said elsewhere too.
pub struct Word {
    /// The word and its arguments, without the store.
    pub arguments: Vec<String>,
    /// What the word reads from standard input.
    pub input: Option<Vec<u8>>,
}

/// A word under way.
#[derive(Default)]
pub struct Sent {
    machines: Vec<(String, JoinHandle<Result<Value, String>>)>,
    /// Why it is not known where to send it.
    unknown: Option<String>,
}

/// Where a word arrived.
#[derive(Default)]
pub struct Arrived {
    machines: Vec<(String, Result<Value, String>)>,
    unknown: Option<String>,
}

/// Sends a word to every declared machine, and does not wait.
pub fn send(config: &Config, environment: &str, word: Word) -> Sent {
    let arguments = relay::encoded(environment, &word.arguments);
    let input = word.input.map(Arc::new);
    let machines = config.machines.iter().map(|(name, machine)| {
        let run = (machine.clone(), config.runner.clone(), arguments.clone(), input.clone());
        let thread = thread::spawn(move || {
            let (machine, runner, arguments, input) = run;
            answer(&machine, &runner, &arguments, input)
        });
        (name.as_str().to_owned(), thread)
    });
    Sent { machines: machines.collect(), unknown: None }
}

/// Of a word that could not be sent, since the config cannot be read.
pub fn unknown(problem: String) -> Sent {
    Sent { machines: Vec::new(), unknown: Some(problem) }
}

impl Sent {
    /// Waits for all of them, and tells of each.
    pub fn tell(self, output: &mut Output) -> Arrived {
        let ended =
            |thread: JoinHandle<_>| thread.join().unwrap_or_else(|_| Err("it could not be run".to_owned()));
        let machines: Vec<_> =
            self.machines.into_iter().map(|(name, thread)| (name, ended(thread))).collect();
        for (name, answer) in &machines {
            match answer {
                Ok(answer) => {
                    let generation = answer["generation"].as_u64();
                    let generation =
                        generation.map_or(String::new(), |number| format!(", generation {number}"));
                    output.line(format!("{name}: {}{generation}", output.paint(GOOD, "done there too")));
                }
                Err(problem) => {
                    output.line(format!("{name}: {}: {problem}", output.paint(WARN, "not done there")))
                }
            }
        }
        let missed = machines.iter().filter(|(_, answer)| answer.is_err()).count();
        if missed > 0 {
            output.warn(format!(
                "done here, but not on {missed} of {}; type it again once they answer",
                words::counted(machines.len() as u64, "machine")
            ));
        }
        if let Some(problem) = &self.unknown {
            output.warn(format!("done here; whether there are other machines is not known: {problem}"));
        }
        Arrived { machines, unknown: self.unknown }
    }
}

impl Arrived {
    /// Done, or done here only.
    pub fn exit(&self) -> Exit {
        match self.unknown.is_none() && self.machines.iter().all(|(_, answer)| answer.is_ok()) {
            true => Exit::Yes,
            false => Exit::Elsewhere,
        }
    }

    /// As `--json` has it.
    pub fn json(&self) -> Value {
        let machine = |(name, answer): &(String, Result<Value, String>)| match answer {
            Ok(answer) => json!({ "machine": name, "done": true, "generation": answer["generation"] }),
            Err(problem) => json!({ "machine": name, "done": false, "problem": problem }),
        };
        self.machines.iter().map(machine).collect()
    }
}

/// What a machine answers, or why it did not do it.
fn answer(
    machine: &Machine,
    runner: &Runner,
    arguments: &[String],
    input: Option<Arc<Vec<u8>>>,
) -> Result<Value, String> {
    let (program, rest) = machine.run.split_first().ok_or("it has no command")?;
    let mut command = Command::new(program);
    command.args(rest).args(arguments);
    match runner {
        Runner::Me => {}
        Runner::User { uid, gid } => {
            command.uid(*uid).gid(*gid);
        }
        Runner::Nobody(problem) => return Err(words::plain(problem).into_owned()),
    }
    // A group of its own, to end with all that it started.
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child =
        command.spawn().map_err(|error| format!("cannot run {}: {error}", words::plain(program)))?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        thread::spawn(move || {
            // A command that does not read it says itself what is wrong.
            let _ = stdin.write_all(&input);
        });
    }
    let printed = child.stdout.take().map(kept);
    let complained = child.stderr.take().map(kept);
    let ended = wait(&mut child, Duration::from_secs(machine.timeout));
    let [printed, complained] = [printed, complained].map(|kept| kept.map(Kept::text).unwrap_or_default());
    let status = ended
        .map_err(|error| error.to_string())?
        .ok_or_else(|| format!("no answer within {}", words::counted(machine.timeout, "second")))?;
    let told = printed.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
    match (status.code(), told) {
        (Some(0), Some(told)) => Ok(told),
        // Too much of it to be kept.
        (Some(0), None) if printed.len() == KEPT => Ok(Value::Null),
        (Some(0), None) => Err("its command ended well, but flagstone did not answer".to_owned()),
        (_, told) => {
            let told = told.as_ref().and_then(|told| told["error"].as_str()).map(str::to_owned);
            let first = complained.lines().find(|line| !line.trim().is_empty()).map(str::to_owned);
            let problem = told.or(first).unwrap_or_else(|| "it said nothing".to_owned());
            let problem: String = problem.trim_start_matches("flagstone: ").chars().take(500).collect();
            Err(format!("{} ({})", words::plain(&problem), ending(status)))
        }
    }
}

fn ending(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit {code}"),
        None => "ended by a signal".to_owned(),
    }
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
