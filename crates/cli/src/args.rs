//! What was typed, and its help.

mod ask;
pub mod candidates;
mod change;
mod plan;
mod refused_values;
mod transfer;
mod values;

pub use ask::*;
pub use change::*;
pub use plan::*;
pub use transfer::*;
pub use values::Named;

use crate::machines::encode;
use crate::output::Failure;
use clap::{Arg, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};
use flagstone::audit::Actor;
use flagstone::definition::nearest;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Feature flags answered from a memory-mapped snapshot: ask a store, or change it.
#[derive(Debug, Parser)]
#[command(name = "flagstone", version, disable_help_subcommand = true, max_term_width = 100)]
pub struct Arguments {
    /// The store's directory [env: FLAGSTONE_STORE; file: /etc/flagstone/store]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub store: Option<PathBuf>,

    /// Print JSON, one document on one line
    #[arg(long, global = true)]
    pub json: bool,

    /// Another machine's command sent this, for that environment: nothing is sent on. Known to `parse` alone
    #[arg(skip)]
    pub relayed: Option<String>,

    /// The sender of the request that this came in; none for what was typed
    #[arg(skip)]
    pub asking: Option<Actor>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands that only ask, those that change a store, and those that set up the machine.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check definitions, without a store: every problem at once, with its place
    Check(Check),
    /// Show what the store serves, what is killed or stopped, and whether workers accept it
    Status,
    /// Show what workers answered, and what the requests that asked came to
    Stats(Stats),
    /// Compare a flag's variants by what was tracked, and say whether one is ahead
    Experiment(Experiment),
    /// Print what was counted, and what is served, as OpenMetrics text
    Metrics(Memory),
    /// Say whether flags are answered, and from what; fails only where none is
    Health(Memory),
    /// List the flags with their state
    List,
    /// Show all that one flag says
    Show(Show),
    /// Answer on or off, by the exit code too: 0 on, 1 off, 2 could not tell
    Ask(Ask),
    /// Say in a sentence, then step by step, why a flag is on or off
    Explain(Ask),
    /// Verify a snapshot and print it field by field
    Inspect(Inspect),
    /// Say on one page what fails, what is off, and what changed before it began
    Incident(Incident),
    /// List the changes, newest first; for one company, the flags whose answer changed
    History(History),
    /// Show what differs between two generations or files, field by field
    Diff(Diff),
    /// Count who would be in, enter and leave at another percentage; publishes nothing
    Simulate(Simulate),
    /// Read the audit trail, oldest first and field by field, and verify its chain
    Audit(Audit),
    /// Say whether this machine is fit for a deployment, and how to mend what is not
    Doctor(Doctor),
    /// Find where PHP sources ask for flags
    Scan(Scan),
    /// Send HTTP probes, and say whether each company gets what it should
    Probe(ProbeArguments),

    /// Make an empty store for one environment
    Init(Init),
    /// Make the owner of a store the only one who publishes, where a group does
    Migrate(Migrate),
    /// Check, compile and publish definitions as a new generation
    Publish(Publish),
    /// Write what runs back into the file
    Pull(Pull),
    /// Turn a flag on: as it was before `disable`, for a percentage, or for companies
    Enable(Enable),
    /// Turn a flag off: for everybody, or for companies
    Disable(Disable),
    /// Give a flag another percentage
    Rollout(Rollout),
    /// Let companies in, whatever the percentage
    Allow(Companies),
    /// Keep companies out, whatever else the flag says
    Deny(Companies),
    /// Take companies out of both lists
    Forget(Companies),
    /// Delete a flag that the published file no longer has
    Delete(FlagArguments),
    /// Add a flag to a file of definitions, off
    Add(Add),
    /// Publish again what an earlier generation held
    Rollback(Rollback),
    /// Move a flag's rollout plan, or show how far it is
    Plan(Plan),
    /// Move all plans when their time has come, and be the guard, as a daemon
    Run(Run),
    /// Watch how requests end where flags are on, and take back the flag that does harm
    Guard(Guard),
    /// Note what else was changed, a deploy or a migration, in the audit trail
    Note(Note),
    /// Send what webhooks were not told yet, once; `run` does so all the time
    Notify(Notify),
    /// Take flags from another store of this machine, off where they are new
    Promote(Promote),
    /// Write flags into a signed file for another machine, on standard output
    Export(Export),
    /// Take flags from such a file, off where they are new
    Import(Import),
    /// Show or make the key that signs exports, and say which keys are trusted
    Key(Key),
    /// Turn one flag off at once, whatever is published, until it is revived
    Kill(Kill),
    /// Let a killed flag answer again
    Revive(Revive),
    /// Turn every flag off at once, but those whose emergency is "keep"
    StopAll(StopAll),
    /// Let all flags answer again after a stop
    ResumeAll(ResumeAll),
    /// Show or set how changes of this store are made: companies, confirm_above, machines
    Config(Config),

    /// Show a page by task, or one command's help
    Help(Help),
    /// Print a shell's completions
    Completions(Completions),
    /// Print the manual page, or write the pages of all commands
    Man(Man),
}

/// Headings of the help, and the commands under each.
const GROUPS: [(&str, &[&str]); 3] = [
    (
        "Ask",
        &[
            "check",
            "status",
            "stats",
            "experiment",
            "metrics",
            "health",
            "list",
            "show",
            "ask",
            "explain",
            "inspect",
            "incident",
            "history",
            "diff",
            "simulate",
            "audit",
            "doctor",
            "scan",
            "probe",
        ],
    ),
    (
        "Change",
        &[
            "init",
            "migrate",
            "publish",
            "pull",
            "enable",
            "disable",
            "rollout",
            "allow",
            "deny",
            "forget",
            "delete",
            "add",
            "rollback",
            "plan",
            "run",
            "guard",
            "note",
            "notify",
            "promote",
            "export",
            "import",
            "key",
            "kill",
            "revive",
            "stop-all",
            "resume-all",
            "config",
        ],
    ),
    ("Set up", &["help", "completions", "man"]),
];

/// Arguments of `help`.
#[derive(Debug, Args)]
pub struct Help {
    /// The command, such as kill or plan start
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell's
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Write flagstone.1 and a page of each command into this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub to: Option<PathBuf>,
}

/// Reads the process's arguments; prints help or version and ends the process, where that is all there is to do.
///
/// # Errors
///
/// Where they are wrong and JSON is wanted. In text that is printed here, and ends the process too.
pub fn parse() -> Result<Arguments, Failure> {
    let typed = encode::decoded(std::env::args_os());
    let json = typed.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json");
    let emergency = typed.iter().any(|argument| argument == "kill" || argument == "stop-all");
    let arguments = read(typed).or_else(|error| match (error.use_stderr(), json) {
        (false, _) => error.exit(),
        (true, true) => {
            let failure = Failure::Unknown(sentence(&error));
            let emergency = emergency || meant_emergency(&error);
            Err(if emergency { failure.ending(NOT_UNDERSTOOD) } else { failure })
        }
        (true, false) => {
            let _ = error.print();
            if emergency || meant_emergency(&error) {
                let _ = writeln!(io::stderr(), "\n{NOT_UNDERSTOOD}");
            }
            std::process::exit(error.exit_code())
        }
    })?;
    match arguments.command.text_only().filter(|_| json) {
        Some(why) => Err(Failure::Unknown(format!("{why}; leave --json out"))),
        None => Ok(arguments),
    }
}

/// The last line where an emergency command was typed wrongly.
const NOT_UNDERSTOOD: &str = "NOTHING WAS STOPPED: the command was not understood";

/// Whether a command that there is not was most likely meant for `kill` or `stop-all`.
fn meant_emergency(error: &clap::Error) -> bool {
    use clap::error::{ContextKind, ContextValue};
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else { return false };
    let typed = typed.to_lowercase();
    let command = command();
    let near = nearest(&typed, command.get_subcommands().map(|command| command.get_name()));
    ["kill", "stop"].iter().any(|name| typed.contains(name)) || matches!(near, Some("kill" | "stop-all"))
}

/// The arguments, or what is wrong with them.
fn read(typed: Vec<OsString>) -> Result<Arguments, clap::Error> {
    // Building it takes longer than reading a request by it.
    static PARSER: OnceLock<Mutex<clap::Command>> = OnceLock::new();
    let parser = PARSER.get_or_init(|| Mutex::new(command().arg(relayed())));
    let mut command = parser.lock().unwrap_or_else(PoisonError::into_inner);
    let mut matches = command.try_get_matches_from_mut(typed)?;
    let relayed: Option<String> = matches.remove_one("relayed");
    refused_values::check(&mut command, &matches, relayed.is_some())?;
    Arguments::from_arg_matches(&matches).map(|arguments| Arguments { relayed, ..arguments })
}

/// What was typed, argument by argument, once [`parse`] has understood it.
pub fn matches() -> Option<ArgMatches> {
    command().arg(relayed()).try_get_matches_from(encode::decoded(std::env::args_os())).ok()
}

/// Reads the arguments of a request.
///
/// # Errors
///
/// What is wrong with them, in a sentence.
pub fn of_request(typed: Vec<OsString>, asking: Actor) -> Result<Arguments, String> {
    let arguments = read(typed).map_err(|error| sentence(&error))?;
    Ok(Arguments { asking: Some(asking), ..arguments })
}

/// Takes a company's id as it is typed, though it looks like a list, an option or a number.
const LITERAL: &str = "literal";

/// The mark of a command that another machine sent. Nobody types it, so that no help, page or completion has it.
fn relayed() -> Arg {
    Arg::new("relayed").long("relayed").global(true).value_name("E").hide(true)
}

/// What is wrong with the arguments, without the usage.
fn sentence(error: &clap::Error) -> String {
    use clap::error::ErrorKind;
    if matches!(
        error.kind(),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        return "found no command, expected one of those that `flagstone help` lists".to_owned();
    }
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let end = ["\n\nUsage:", "\n\nFor more information"].iter().filter_map(|end| text.find(end)).min();
    let lines = text[..end.unwrap_or(text.len())].lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("; ")
}

impl Arguments {
    /// The person and the account behind the command; `named` is the person that was typed.
    pub fn actor(&self, named: Option<&str>) -> Actor {
        self.asking.clone().unwrap_or_else(|| Actor::named(named))
    }
}

impl Command {
    /// Why it prints no JSON, if it does not.
    fn text_only(&self) -> Option<&'static str> {
        match self {
            Command::Metrics(_) => {
                Some("`metrics` prints no JSON but OpenMetrics text: `stats --json` has the numbers")
            }
            Command::Completions(_) => Some("`completions` prints no JSON but a shell's script"),
            Command::Man(_) => Some("`man` prints no JSON but a manual page"),
            Command::Help(_) => Some("`help` prints no JSON but a page"),
            _ => None,
        }
    }
}

/// The command, its help grouped into commands that ask and commands that change.
pub fn command() -> clap::Command {
    let command = Arguments::command();
    let style = command.get_styles().clone();
    let (heading, literal) = (*style.get_header(), *style.get_literal());
    let mut help = "{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for (title, names) in GROUPS {
        help.push_str(&format!("\n{heading}{title}:{heading:#}\n"));
        for name in names {
            let about = command
                .find_subcommand(name)
                .and_then(|command| command.get_about())
                .cloned()
                .unwrap_or_default();
            help.push_str(&format!("  {literal}{name:<12}{literal:#} {about}\n"));
        }
    }
    help.push_str(&format!("\n{heading}Options:{heading:#}\n{{options}}\n\n"));
    help.push_str(
        "Exit: 0 yes or done, 1 no or refused, 2 could not tell, 3 done here, not everywhere.\n`flagstone help` is a page by task, `flagstone help COMMAND` tells more.\n",
    );
    command.help_template(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;
    use std::path::Path;

    #[test]
    fn the_arguments_hold_together() {
        command().debug_assert();
    }

    #[test]
    fn the_help_shows_every_command_under_one_heading() {
        let mut shown: Vec<_> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let command = command();
        let mut known: Vec<_> = command.get_subcommands().map(|command| command.get_name()).collect();
        shown.sort_unstable();
        known.sort_unstable();
        assert_eq!(shown, known);
    }

    /// Messages told people to type options that there were not.
    #[test]
    fn every_line_that_a_message_says_to_type_is_known() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut folders = vec![root.join("src"), root.join("../../src")];
        let (mut lines, mut wrong) = (0, Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
                // Text that goes on in the next line of the source.
                let code = code.join("\n").split("\\\n").map(str::trim_start).collect::<String>();
                for line in code.split("flagstone ").skip(1) {
                    let Some(line) = typed(line) else { continue };
                    let all = std::iter::once("flagstone").chain(line.split(' '));
                    let kind = command().try_get_matches_from(all).err().map(|error| error.kind());
                    let unknown =
                        matches!(kind, Some(ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand));
                    if unknown {
                        wrong.push(format!("{}: `flagstone {line}`: {kind:?}", path.display()));
                    }
                    lines += 1;
                }
            }
        }
        assert!(lines > 100, "{lines}");
        assert_eq!(wrong, [""; 0]);
    }

    /// What follows `flagstone ` in a text, up to where the line to type ends; none if that begins with no command.
    fn typed(text: &str) -> Option<String> {
        let end =
            text.find(['`', '"', '\n', ';', '…', '$', '\'', '(', '|', ',', '&', '\\']).unwrap_or(text.len());
        let end = [". ", " for "].iter().filter_map(|sign| text[..end].find(sign)).min().unwrap_or(end);
        let line = text[..end].trim_end();
        let (name, _) = line.split_once(' ').unwrap_or((line, ""));
        // Of a name or an option that the program puts in, only the running program knows.
        let is_put_in = ["rollback {", "plan {"].iter().any(|start| line.starts_with(start));
        let known = !is_put_in && command().get_subcommands().any(|command| command.get_name() == name);
        // A value that it puts in stands for whatever fits.
        (known && (text[end..].starts_with('`') || line.contains(" --"))).then(|| {
            line.replace(" {", " x{")
                .split('{')
                .map(|part| part.split_once('}').map_or(part, |(_, rest)| rest))
                .collect()
        })
    }
}
