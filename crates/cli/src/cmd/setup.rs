//! `completions` and `man`: files that an installation puts in their places.

use crate::args::{self, Completions, Man};
use crate::entry::Entry;
use crate::output::{Exit, Failure, Outcome, Output};
use clap::Command;
use clap_complete::Shell;
use std::borrow::Cow;
use std::path::Path;

pub fn completions(command: &Completions, output: &mut Output) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut args::command(), "flagstone", &mut script);
    let script = String::from_utf8_lossy(&script);
    output.bytes(with_candidates(command.shell, &script).as_bytes());
    Ok(Exit::Yes)
}

/// The script, extended to offer flags and generations (`args::candidates`).
fn with_candidates(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => format!("{script}{}", include_str!("../completions/candidates.bash")),
        Shell::Fish => format!("{script}{}", include_str!("../completions/candidates.fish")),
        Shell::Zsh => {
            let (head, body) = script.split_once("_flagstone() {").unwrap_or((script, ""));
            let body: Vec<_> = body.lines().map(asking).collect();
            let body = body.join("\n");
            format!("{head}{}_flagstone() {{{body}\n", include_str!("../completions/candidates.zsh"))
        }
        _ => script.to_owned(),
    }
}

/// A line of zsh's script that asks for what the command knows.
fn asking(line: &str) -> Cow<'_, str> {
    const KNOWN: [&str; 8] = [
        "':flag -- ",
        "'::flag -- ",
        "'*::flags -- ",
        "'--expect-generation=[",
        "'--generation=[",
        "'--flag=[",
        "'--to=[To what",
        "'(--all)*::flags -- ",
    ];
    match KNOWN.iter().any(|known| line.trim_start().starts_with(known)) {
        true => Cow::Owned(line.replace(":_default'", ":_flagstone_candidates'")),
        false => Cow::Borrowed(line),
    }
}

pub fn man(command: &Man, output: &mut Output) -> Outcome {
    let Some(directory) = &command.to else {
        output.bytes(&page(manual())?);
        return Ok(Exit::Yes);
    };
    write(directory, "flagstone", manual())?;
    let mut command = manual();
    command.build();
    subpages(directory, &command)?;
    Ok(Exit::Yes)
}

/// Writes a page for each command below that one.
fn subpages(directory: &Path, command: &Command) -> Result<(), Failure> {
    for command in command.get_subcommands() {
        // The name given by `build`: flagstone-ask, flagstone-plan-start.
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        write(directory, &name, command.clone())?;
        subpages(directory, command)?;
    }
    Ok(())
}

/// The command without the terminal's grouped help, which has no place in a page.
fn manual() -> Command {
    args::command().disable_help_flag(true)
}

fn write(directory: &Path, name: &str, command: Command) -> Result<(), Failure> {
    let path = directory.join(format!("{name}.1"));
    let page = page(command)?;
    let written = Entry::find(&path).and_then(|entry| entry.write(&page));
    written.map_err(|error| Failure::Unknown(format!("cannot write {}: {error}", path.display())))
}

fn page(command: Command) -> Result<Vec<u8>, Failure> {
    let mut roff = Vec::new();
    let page = clap_mangen::Man::new(command).manual("Flagstone");
    page.render(&mut roff).map_err(|error| Failure::Unknown(format!("cannot write the page: {error}")))?;
    roff.extend_from_slice(include_bytes!("../completions/common.roff"));
    Ok(roff)
}
