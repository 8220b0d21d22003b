//! `completions` and `man`: what an installation puts in its places.

use crate::args::{self, Completions, Man};
use crate::entry::Entry;
use crate::output::{Exit, Failure, Outcome, Output};
use clap::Command;
use std::path::Path;

pub fn completions(word: &Completions, output: &mut Output) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(word.shell, &mut args::command(), "flagstone", &mut script);
    output.bytes(&script);
    Ok(Exit::Yes)
}

pub fn man(word: &Man, output: &mut Output) -> Outcome {
    let Some(directory) = &word.to else {
        output.bytes(&page(manual())?);
        return Ok(Exit::Yes);
    };
    write(directory, "flagstone", manual())?;
    let mut command = manual();
    command.build();
    for word in command.get_subcommands() {
        // As `build` has named it: flagstone-ask.
        let name = word.get_display_name().unwrap_or(word.get_name()).to_owned();
        write(directory, &name, word.clone())?;
    }
    Ok(Exit::Yes)
}

/// The command without the grouped help of the terminal, which a page has no place for.
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
    Ok(roff)
}
