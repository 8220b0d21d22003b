//! Which binary runs which command.
//!
//! `flagstone` runs another binary's command by that binary, which it expects beside itself, before it reads anything of a store.

use crate::args::{self, Arguments, Guard, Word};
use crate::output::{Failure, Outcome, Output};
use crate::{cmd, identity, privileged, signals, store_view, words};
use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

/// Asks and changes: all that is needed in an emergency.
pub const FLAGSTONE: Binary = Binary { name: "flagstone", run: cmd::ask_or_change };
/// Runs beside a store, and speaks to other machines.
pub const AGENT: Binary = Binary { name: "flagstone-agent", run: cmd::serve };
/// Looks at PHP, at its sources, and at a running application.
pub const DOCTOR: Binary = Binary { name: "flagstone-doctor", run: cmd::diagnose };

/// One binary.
pub struct Binary {
    name: &'static str,
    run: fn(&Arguments, &mut Output) -> Outcome,
}

impl Binary {
    /// Runs what was typed. The result is the process's exit code.
    pub fn start(&self) -> ExitCode {
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
            Err(failure) => return Output::new(true).finish(Err(failure)),
        };
        let mut output = Output::new(arguments.json);
        let name = name_of(&arguments.word);
        if name != self.name {
            let Err(failure) = self.hand_over(name, &typed);
            return output.finish(Err(cmd::kill::nothing_stopped(&arguments.word, failure)));
        }
        output.name_store(store_view::named(&arguments));
        let outcome = identity::assume(&arguments)
            .map_err(|failure| cmd::kill::nothing_stopped(&arguments.word, failure))
            .and_then(|()| {
                // Before a daemon begins; after everything else, so that a kill waits for nothing.
                let is_daemon = matches!(arguments.word, Word::Guard(_) | Word::Run(_));
                let told = is_daemon.then(|| store_view::tell_former_config_keys(&arguments, &mut output));
                let outcome = (self.run)(&arguments, &mut output);
                told.unwrap_or_else(|| store_view::tell_former_config_keys(&arguments, &mut output));
                outcome
            });
        output.finish(outcome)
    }

    /// Becomes the binary of that name.
    fn hand_over(&self, name: &str, typed: &[OsString]) -> Result<Infallible, Failure> {
        let own = std::env::current_exe()
            .map_err(|error| Failure::Unknown(format!("cannot find {name}: {error}; type {name} itself")))?;
        // A copy of `flagstone` under another's name would call itself for ever.
        let called = typed.first().and_then(|name| Path::new(name).file_name());
        if self.name != FLAGSTONE.name || called.is_some_and(|called| called == name) {
            return Err(Failure::Unknown(format!(
                "{} is {}, expected {name}: install the binaries of one build again",
                words::plain(&own.to_string_lossy()),
                self.name,
            )));
        }
        let program = own.with_file_name(name);
        let error = Command::new(&program).args(&typed[1..]).exec();
        Err(Failure::Unknown(format!(
            "cannot run {}: {error}; it is built and installed with {}",
            words::plain(&program.to_string_lossy()),
            self.name,
        )))
    }
}

/// The name of the binary that runs this command.
fn name_of(command: &Word) -> &'static str {
    match command {
        Word::Run(_) | Word::Guard(Guard { word: None, .. }) | Word::Notify(_) => AGENT.name,
        Word::Doctor(_) | Word::Scan(_) | Word::Probe(_) => DOCTOR.name,
        _ => FLAGSTONE.name,
    }
}
