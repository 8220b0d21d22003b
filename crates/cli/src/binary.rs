//! Which binary runs which command.
//!
//! `flagstone` runs another binary's command by that binary, which it expects beside itself, before it reads anything of a store.

use crate::args::{self, Arguments, Command, Guard};
use crate::output::{Failure, Outcome, Output};
use crate::{agent, cmd, display, doctor, identity, privileged, signals, store_view};
use rustix::fs::Mode;
use rustix::process::{geteuid, umask};
use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Asks and changes: all that is needed in an emergency.
pub const FLAGSTONE: Binary = Binary { name: "flagstone", ahead: |_, _| (), run: agent::ask_or_change };
/// Runs beside a store, and speaks to other machines.
pub const AGENT: Binary = Binary { name: "flagstone-agent", ahead: |_, _| (), run: cmd::serve };
/// Looks at PHP, at its sources, and at a running application.
pub const DOCTOR: Binary = Binary { name: "flagstone-doctor", ahead: doctor::ahead, run: cmd::diagnose };

/// One binary.
pub struct Binary {
    name: &'static str,
    /// Done by root's command before it becomes the store's owner. The second argument is the store.
    ahead: fn(&Arguments, &Path),
    run: fn(&Arguments, &mut Output) -> Outcome,
}

impl Binary {
    /// Runs what was typed. The result is the process's exit code.
    pub fn start(&self) -> ExitCode {
        // The parent process may have blocked the signal, and threads inherit the mask.
        flagstone::unblock_bus_errors();
        signals::keep_children();
        // The mode of what is made is set once it is open, which takes the owner's own rights.
        umask(umask(Mode::RWXU) & !Mode::RWXU);
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
        let name = name_of(&arguments.command);
        if name != self.name {
            let Err(failure) = self.hand_over(name, &typed);
            return output.finish(Err(cmd::kill::nothing_stopped(&arguments.command, failure)));
        }
        output.name_store(store_view::named(&arguments));
        let outcome = identity::assume(&arguments, self.ahead)
            .map_err(|failure| cmd::kill::nothing_stopped(&arguments.command, failure))
            .and_then(|()| {
                // Before a daemon begins; after everything else, so that a kill waits for nothing.
                let is_daemon = matches!(arguments.command, Command::Guard(_) | Command::Run(_));
                let told = is_daemon.then(|| store_view::tell_former_config_keys(&arguments, &mut output));
                let outcome = (self.run)(&arguments, &mut output);
                told.unwrap_or_else(|| store_view::tell_former_config_keys(&arguments, &mut output));
                outcome
            });
        output.finish(outcome)
    }

    /// Becomes the binary of that name.
    fn hand_over(&self, name: &str, typed: &[OsString]) -> Result<Infallible, Failure> {
        if self.name != FLAGSTONE.name {
            return Err(Failure::Unknown(format!(
                "{} runs other commands; type the same to {name}",
                self.name
            )));
        }
        let own = std::env::current_exe()
            .map_err(|error| Failure::Unknown(format!("cannot find {name}: {error}; type {name} itself")))?;
        let program = own.with_file_name(name);
        // A copy of `flagstone` under another's name would call itself for ever.
        let called = typed.first().and_then(|name| Path::new(name).file_name());
        let error = match called.is_some_and(|called| called == name) {
            true => io::Error::other("it is flagstone under that name"),
            false => match expect_as_safe(&program, &own) {
                Ok(()) => execute(&program, typed),
                Err(error) => error,
            },
        };
        Err(Failure::Unknown(format!(
            "cannot run {}: {error}; it is built and installed with {}",
            display::plain(&program.to_string_lossy()),
            self.name,
        )))
    }
}

/// Refuses a program that others can change who cannot change this one, as in a directory where everybody may put files.
fn expect_as_safe(program: &Path, own: &Path) -> io::Result<()> {
    let ours = own.metadata()?;
    let users = [0, geteuid().as_raw(), ours.uid()];
    let target = program.metadata()?;
    // A link is followed if its owner may name the program.
    for found in [program.symlink_metadata()?, target.clone()] {
        if !users.contains(&found.uid()) {
            return Err(io::Error::other(format!(
                "it belongs to user {}, who does not own flagstone",
                found.uid()
            )));
        }
    }
    match target.mode() & 0o022 & !ours.mode() {
        0 => Ok(()),
        _ => Err(io::Error::other(format!("it is writable by others (mode {:04o})", target.mode() & 0o7777))),
    }
}

/// Replaces this process, as `execv(3)` does: unlike `execvp`, it gives no file to a shell that is no program. Returns only the error.
fn execute(program: &Path, typed: &[OsString]) -> io::Error {
    let arguments = std::iter::once(program.as_os_str()).chain(typed.iter().skip(1).map(OsString::as_os_str));
    let arguments: Result<Vec<CString>, _> = arguments.map(|text| CString::new(text.as_bytes())).collect();
    let Ok(arguments) = arguments else { return io::ErrorKind::InvalidInput.into() };
    let mut pointers: Vec<_> = arguments.iter().map(|text| text.as_ptr()).collect();
    pointers.push(std::ptr::null());
    // SAFETY: the texts end with a zero, their list with a null, and both live until the call returns.
    unsafe { libc::execv(pointers[0], pointers.as_ptr()) };
    io::Error::last_os_error()
}

/// The name of the binary that runs this command.
fn name_of(command: &Command) -> &'static str {
    match command {
        Command::Run(_) | Command::Guard(Guard { command: None, .. }) | Command::Notify(_) => AGENT.name,
        Command::Doctor(_) | Command::Scan(_) | Command::Probe(_) => DOCTOR.name,
        _ => FLAGSTONE.name,
    }
}
