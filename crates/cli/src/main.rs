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
mod entry;
mod fastcgi;
mod git;
mod guarding;
mod http;
mod identity;
mod inputs;
mod machines;
mod notify;
mod openmetrics;
mod output;
mod place;
mod privileged;
mod probe;
mod process;
mod progress;
mod question;
mod reach;
mod relay;
mod scan;
mod switches;
mod terminal;
mod words;

use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    // Whoever started it may have blocked the signal, and threads have the mask of the one that starts them.
    flagstone::unblock_bus_errors();
    // A write past a limit on the size of files is an error like that of a full disk, and no end in the middle of a change.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    if let Some(code) = privileged::serve() {
        return code;
    }
    if std::env::var_os("TERM").is_some_and(|terminal| terminal.is_empty()) {
        anstream::ColorChoice::Never.write_global();
    }
    let typed: Vec<_> = std::env::args_os().collect();
    if let Some(code) = args::candidates::answer(&typed) {
        return code;
    }
    let arguments = match args::parse() {
        Ok(arguments) => arguments,
        Err(failure) => return output::Output::new(true).finish(Err(failure)),
    };
    let mut output = output::Output::new(arguments.json);
    let outcome = identity::assume(&arguments).and_then(|()| cmd::run(&arguments, &mut output));
    output.finish(outcome)
}
