//! `help`: a page by task, or the help of one command.

use crate::args::{self, Help};
use crate::display;
use crate::output::{BOLD, Exit, Failure, Outcome, Output};
use flagstone::definition::{did_you_mean, nearest};

/// Tasks, each with lines to type and their effects.
const TASKS: [(&str, &[(&str, &str)]); 5] = [
    (
        "Something is wrong",
        &[
            ("kill FLAG --reason WHY", "one flag off at once; `revive FLAG` ends that"),
            ("stop-all --reason WHY", "every flag off at once; `resume-all` ends that"),
            ("incident", "one page: what fails, what is off, what changed"),
            ("rollback --reason WHY", "publish again what was published before"),
            ("status", "what is killed or stopped, since when, by whom and why"),
            ("history --company COMPANY", "what changed for a company in the last 24 hours"),
            ("history", "every change, the newest first"),
            ("guard status", "what watches, and what it would do"),
        ],
    ),
    (
        "Turn a flag on or off",
        &[
            ("list", "all flags, and where each stands"),
            ("enable FLAG --percentage 100", "on for everybody"),
            ("rollout FLAG 10", "on for 10 % of the companies"),
            ("allow FLAG COMPANY", "on for a company; `deny` is off, `forget` neither"),
            ("disable FLAG", "off; `enable FLAG` turns it on as it was"),
            ("explain FLAG --company C", "why it is on or off for a company"),
        ],
    ),
    (
        "Roll a flag out in stages",
        &[
            ("plan start FLAG", "begin; `plan hold`, `resume`, `advance`, `abort`"),
            ("plan show", "how far all plans are"),
        ],
    ),
    (
        "Publish definitions",
        &[
            ("check flags.json", "every problem, with its place"),
            ("publish flags.json", "as a new generation"),
            ("pull flags.json", "what was changed at run time, into the file"),
        ],
    ),
    (
        "Set up a machine",
        &[
            ("init DIR --environment E", "an empty store"),
            ("doctor --fpm SOCKET", "fit for a deployment, and how to mend what is not"),
            ("run", "the daemon: plans, the guard, webhooks"),
            ("config", "companies, other machines, limits"),
        ],
    ),
];

pub fn run(help: &Help, output: &mut Output) -> Outcome {
    if !help.command.is_empty() {
        return of_command(&help.command, output);
    }
    output.line("flagstone: ask a store of feature flags, or change it");
    for (task, lines) in TASKS {
        output.line("");
        output.line(output.paint(BOLD, task));
        for (line, what) in lines {
            output.line(format!("  {line:<30} {what}"));
        }
    }
    output.line("");
    output.line("`flagstone help COMMAND` tells more, `flagstone --help` lists every command.");
    output.line("The store: --store DIR, FLAGSTONE_STORE, or /etc/flagstone/store.");
    output.line("Exit: 0 yes or done, 1 no or refused, 2 could not tell, 3 not on every machine.");
    Ok(Exit::Yes)
}

/// Prints the same as `flagstone COMMAND --help`.
fn of_command(path: &[String], output: &mut Output) -> Outcome {
    let mut command = args::command();
    command.build();
    let mut found = &mut command;
    for name in path {
        let names: Vec<String> =
            found.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        found = found.find_subcommand_mut(name).ok_or_else(|| {
            let hint = did_you_mean(nearest(name, names.iter().map(String::as_str)));
            Failure::Unknown(format!("there is no command \"{}\"{hint}", display::plain(name)))
        })?;
    }
    let help = found.render_help();
    match output.is_coloured() {
        true => output.line(help.ansi()),
        false => output.line(help),
    }
    Ok(Exit::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_short_and_every_line_of_it_can_be_typed() {
        let lines: Vec<_> = TASKS.iter().flat_map(|(_, lines)| lines.iter()).collect();
        assert!(lines.len() + TASKS.len() * 2 + 5 <= 44, "a page is read at once");
        for (line, what) in lines {
            let line = line.replace("FLAG", "search").replace("COMPANY", "42").replace("WHY", "x");
            let line =
                line.replace("SOCKET", "/run/fpm.sock").replace(" C", " 42").replace(" E", " production");
            assert!(line.len() <= 36 && what.len() <= 60, "{line}");
            let typed = std::iter::once("flagstone").chain(line.split(' '));
            let parsed = args::command().try_get_matches_from(typed);
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
        }
    }
}
