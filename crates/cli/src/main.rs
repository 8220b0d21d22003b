//! `flagstone`: the command that asks and changes a store of feature flags.
//!
//! Exit codes: 0 yes or done, 1 no or refused, 2 could not tell, 3 done here but not on every machine. A closed pipe is
//! no failure.

mod args;
mod cmd;
mod companies;
mod company_text;
mod confirm;
mod counters;
mod doctor;
mod entry;
mod extent;
mod fastcgi;
mod git;
mod guard;
mod http;
mod identity;
mod impact;
mod inputs;
mod machines;
mod notify;
mod openmetrics;
mod output;
mod privileged;
mod probe;
mod process;
mod progress;
mod question;
mod reminders;
mod scan;
mod signals;
mod store_view;
mod switches;
mod terminal;
#[cfg(test)]
mod test_store;
mod words;

use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    // The parent process may have blocked the signal, and threads inherit the mask.
    flagstone::unblock_bus_errors();
    // A write past the limit on file sizes becomes an error like that of a full disk, rather than the end in the middle of a change.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    // Without it, a process in the background of such a terminal is stopped, like any other.
    let _ = signals::write_from_the_background();
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
    output.name_store(store_view::named(&arguments));
    let outcome = identity::assume(&arguments)
        .map_err(|failure| cmd::kill::nothing_stopped(&arguments.word, failure))
        .and_then(|()| {
            // Before a daemon begins; after everything else, so that a kill waits for nothing.
            let is_daemon = matches!(arguments.word, args::Word::Guard(_) | args::Word::Run(_));
            let told = is_daemon.then(|| store_view::tell_former_config_keys(&arguments, &mut output));
            let outcome = cmd::run(&arguments, &mut output);
            told.unwrap_or_else(|| store_view::tell_former_config_keys(&arguments, &mut output));
            outcome
        });
    output.finish(outcome)
}
