//! `flagstone`: the command that asks a store of feature flags, and changes it.
//!
//! Exit codes: 0 yes or done, 1 no or refused, 2 could not tell, 3 done here but not on every machine. A closed pipe is
//! no failure.

mod args;
mod cmd;
mod companies;
mod confirm;
mod counted;
mod doctor;
mod fastcgi;
mod guarding;
mod http;
mod machines;
mod notify;
mod openmetrics;
mod output;
mod place;
mod probe;
mod process;
mod progress;
mod question;
mod reach;
mod relay;
mod scan;
mod terminal;
mod words;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = args::parse();
    let mut output = output::Output::new(arguments.json);
    let outcome = cmd::run(&arguments, &mut output);
    output.finish(outcome)
}
