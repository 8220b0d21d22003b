//! Sends a command to the other machines that a store's config declares.
//!
//! All are sent at once, each by its own program and with its own timeout. None of them sends the command on.

pub mod encode;

use crate::output::{EXCEPT, Exit, GOOD, Output, WARN, cut};
use crate::{display, process};
use flagstone::publish::{Config, Machine};
use serde_json::{Value, json};
use std::io;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A command for other machines.
pub struct RemoteCommand {
    /// The command and its arguments, without the store.
    pub arguments: Vec<String>,
    /// The command's standard input.
    pub input: Option<Vec<u8>>,
}

/// A thread that waits for a machine's answer, if one could be started.
type Running = io::Result<JoinHandle<Result<Value, String>>>;

/// A command under way.
#[derive(Default)]
pub struct Relay {
    machines: Vec<(String, Running)>,
    /// The reason that the machines are unknown.
    unknown: Option<String>,
}

/// The results of a command on each machine.
#[derive(Default)]
pub struct Delivery {
    machines: Vec<(String, Result<Value, String>)>,
    unknown: Option<String>,
}

/// Sends a command to every declared machine, without waiting.
pub fn send(config: &Config, environment: &str, command: RemoteCommand) -> Relay {
    let arguments = encode::encoded(environment, &command.arguments);
    let input = command.input.map(Arc::new);
    let machines = config.machines.iter().map(|(name, machine)| {
        let run = (machine.clone(), environment.to_owned(), arguments.clone(), input.clone());
        let thread = thread::Builder::new().spawn(move || {
            let (machine, environment, arguments, input) = run;
            answer(&machine, &environment, &arguments, input)
        });
        (name.as_str().to_owned(), thread)
    });
    Relay { machines: machines.collect(), unknown: None }
}

/// A command that could not be sent, since the config cannot be read.
pub fn unknown(problem: String) -> Relay {
    Relay { machines: Vec::new(), unknown: Some(problem) }
}

impl Relay {
    /// Waits for all machines, and prints each result. `again` is the line to repeat if repeating the typed one would do something else.
    pub fn tell(self, again: Option<&str>, output: &mut Output) -> Delivery {
        let ended = |thread: Running| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|_| Err("it could not be run".to_owned())),
            Err(error) => Err(format!("no thread can be started to run it: {error}")),
        };
        let machines: Vec<_> =
            self.machines.into_iter().map(|(name, thread)| (name, ended(thread))).collect();
        for (name, answer) in &machines {
            match answer {
                Ok(answer) => {
                    let generation = answer["generation"].as_u64();
                    let generation =
                        generation.map_or(String::new(), |number| format!(", generation {number}"));
                    let done = match answer["unreached"].as_array().is_none_or(Vec::is_empty) {
                        true => output.paint(GOOD, "done there too"),
                        false => format!("done there, {EXCEPT}"),
                    };
                    output.line(format!("{name}: {done}{generation}"));
                }
                Err(problem) => {
                    output.line(format!("{name}: {}: {problem}", output.paint(WARN, "not done there")))
                }
            }
        }
        for (name, text) in
            machines.iter().flat_map(|(name, answer)| warnings(answer).map(move |text| (name, text)))
        {
            output.warn(format!("{name}: {}", line(text)));
        }
        let missed = machines.iter().filter(|(_, answer)| answer.is_err()).count();
        if missed > 0 {
            let of = display::counted(machines.len() as u64, "machine");
            output.warn(match again {
                None => format!("done here, but not on {missed} of {of}; type it again once they answer"),
                Some(line) => {
                    format!("done here, but not on {missed} of {of}; once they answer, type: {line}")
                }
            });
        }
        if let Some(problem) = &self.unknown {
            output.warn(format!("done here; whether there are other machines is not known: {problem}"));
        }
        Delivery { machines, unknown: self.unknown }
    }
}

impl Delivery {
    /// The exit code: done, or done here only.
    pub fn exit(&self) -> Exit {
        match self.unknown.is_none() && self.machines.iter().all(|(_, answer)| answer.is_ok()) {
            true => Exit::Yes,
            false => Exit::Elsewhere,
        }
    }

    /// The results as `--json` has them.
    pub fn json(&self) -> Value {
        let machine = |(name, answer): &(String, Result<Value, String>)| match answer {
            Ok(answer) => json!({
                "machine": name,
                "done": true,
                "generation": answer["generation"],
                "warning": answer["warning"],
                "unreached": answer["unreached"].as_array().unwrap_or(&Vec::new()),
            }),
            Err(problem) => json!({ "machine": name, "done": false, "problem": problem }),
        };
        self.machines.iter().map(machine).collect()
    }
}

/// What a machine warned of in its answer.
fn warnings(answer: &Result<Value, String>) -> impl Iterator<Item = &str> {
    let answer = answer.as_ref().ok();
    let unreached = answer.and_then(|answer| answer["unreached"].as_array());
    answer
        .into_iter()
        .map(|answer| &answer["warning"])
        .chain(unreached.into_iter().flatten())
        .filter_map(Value::as_str)
}

/// Another machine's text, in one line.
fn line(text: &str) -> String {
    cut(&display::plain(text), 1_000).into_owned()
}

/// Runs a machine's program. Returns its answer, or the problem. The exit code alone tells nothing: a pipe in the machine's command loses it.
fn answer(
    machine: &Machine,
    environment: &str,
    arguments: &[String],
    input: Option<Arc<Vec<u8>>>,
) -> Result<Value, String> {
    let (program, rest) = machine.run.split_first().ok_or("it has no command")?;
    let mut command = Command::new(program);
    command.args(rest).args(arguments);
    process::own_environment(&mut command);
    let ran = process::run(command, input, Duration::from_secs(machine.timeout))?
        .ok_or_else(|| format!("no answer within {}", display::counted(machine.timeout, "second")))?;
    let is_done = |told: &Value| told["environment"] == environment && told["generation"].is_u64();
    let mut documents = ran.out.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told = documents.find(|told| told["error"].is_string() || is_done(told));
    match (ran.status.code(), told) {
        (Some(0), Some(told)) if told["error"].is_null() => Ok(told),
        (Some(0), None) => Err("its command ended well, but flagstone did not answer".to_owned()),
        (_, told) => {
            let told = told.as_ref().and_then(|told| told["error"].as_str()).map(str::to_owned);
            let first = ran.err.lines().find(|line| !line.trim().is_empty()).map(str::to_owned);
            let problem = told.or(first).unwrap_or_else(|| "it said nothing".to_owned());
            // A line after it is about that machine alone, such as "NOTHING WAS STOPPED": it was done here.
            let problem = problem.lines().next().unwrap_or_default();
            Err(format!("{} ({})", line(problem.trim_start_matches("flagstone: ")), ending(ran.status)))
        }
    }
}

fn ending(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit {code}"),
        None => "ended by a signal".to_owned(),
    }
}
