//! `enable`, `disable`, `rollout`, `allow`, `deny`, `forget`: change one published flag, or one in a file; `add`: adds a flag to a file.
//! The engine decides the result; this reads, prints and writes.

use super::change::{self, ChangeContext};
use super::kill::nothing_stopped;
use super::{check, publish};
use crate::args::{
    Add, Arguments, ChangeTerms, Changing, Companies, Disable, Enable, FlagArguments, Rollout,
};
use crate::entry::ReplaceResult;
use crate::output::{BOLD, DIM, Exit, Failure, GOOD, Outcome, Output, WARN};
use crate::switches::{self, Switches};
use crate::{companies, display, impact, machines, privileged, store_view};
use flagstone::StoreError;
use flagstone::audit::{Action, Actor, diff};
use flagstone::definition::{CompanyId, Emergency, Percentage};
use flagstone::flag_change::{ChangeError, Edit, FlagChange, Target, change as changed, change_published};
use flagstone::publish::Change;
use serde_json::{Value, json};
use std::io;
use std::path::Path;

/// The most companies that are typed at once, or sent to other machines as arguments.
const MAX_TYPED: usize = 100;

/// A change as typed.
struct TypedChange<'a> {
    action: Action,
    flag: &'a str,
    edit: Edit,
}

pub fn enable(arguments: &Arguments, command: &Enable, output: &mut Output) -> Outcome {
    let edit = match (command.percentage, command.companies.as_slice()) {
        (None, []) => Edit::Restore,
        (percentage, companies) => Edit::Enable { percentage, companies: typed(companies)? },
    };
    run(
        arguments,
        &command.changing,
        &TypedChange { action: Action::Enable, flag: &command.flag, edit },
        output,
    )
}

pub fn disable(arguments: &Arguments, command: &Disable, output: &mut Output) -> Outcome {
    let edit = match command.companies.as_slice() {
        [] => Edit::Disable,
        companies => Edit::Deny(typed(companies)?),
    };
    run(
        arguments,
        &command.changing,
        &TypedChange { action: Action::Disable, flag: &command.flag, edit },
        output,
    )
    .map_err(|failure| nothing_stopped(&arguments.command, failure))
}

pub fn rollout(arguments: &Arguments, command: &Rollout, output: &mut Output) -> Outcome {
    let edit = Edit::Rollout(command.percentage);
    run(
        arguments,
        &command.changing,
        &TypedChange { action: Action::Rollout, flag: &command.flag, edit },
        output,
    )
}

pub fn allow(arguments: &Arguments, command: &Companies, output: &mut Output) -> Outcome {
    let edit = Edit::Allow(named(command)?);
    run(
        arguments,
        &command.changing,
        &TypedChange { action: Action::Allow, flag: &command.flag, edit },
        output,
    )
}

pub fn deny(arguments: &Arguments, command: &Companies, output: &mut Output) -> Outcome {
    let edit = Edit::Deny(named(command)?);
    run(
        arguments,
        &command.changing,
        &TypedChange { action: Action::Deny, flag: &command.flag, edit },
        output,
    )
}

pub fn forget(arguments: &Arguments, command: &Companies, output: &mut Output) -> Outcome {
    let edit = Edit::Forget(named(command)?);
    run(
        arguments,
        &command.changing,
        &TypedChange { action: Action::Forget, flag: &command.flag, edit },
        output,
    )
}

pub fn delete(arguments: &Arguments, command: &FlagArguments, output: &mut Output) -> Outcome {
    let typed = TypedChange { action: Action::Delete, flag: &command.flag, edit: Edit::Delete };
    published(arguments, (&command.terms, command.expect_generation), &typed, output)
}

/// Checks the number of typed companies.
fn typed(companies: &[CompanyId]) -> Result<Vec<CompanyId>, Failure> {
    match companies.len() {
        ..=MAX_TYPED => Ok(companies.to_vec()),
        found => Err(Failure::Refused(format!(
            "found {found} companies, expected at most {MAX_TYPED} at once; nothing was changed. `allow`, `deny` and `forget` take more \
             from a file: --from-file LIST"
        ))),
    }
}

/// Returns the typed companies, and those of the file.
pub fn named(command: &Companies) -> Result<Vec<CompanyId>, Failure> {
    let mut companies = typed(&command.companies)?;
    if let Some(path) = &command.from_file {
        let name = store_view::file_name(path);
        let bytes = store_view::read(path, impact::MAX_COMPANIES_BYTES)?;
        let listed =
            companies::Companies::read_as(&name, &bytes, command.literal)?.ids().ok_or_else(|| {
                Failure::Unknown(format!("{name}: found an id that is not UTF-8; nothing was changed"))
            })?;
        if listed.is_empty() {
            return Err(Failure::Unknown(format!("{name}: found no company; nothing was changed")));
        }
        companies.extend(listed);
    }
    Ok(companies)
}

pub fn add(command: &Add, output: &mut Output) -> Outcome {
    let edit = Edit::Add {
        description: command.description.clone(),
        owner: command.owner.clone(),
        expires: command.expires.clone(),
    };
    let what = What { command: "add", flag: &command.flag, edit: &edit, dry_run: command.dry_run };
    in_file(&command.file, None, &what, output)
}

/// Tells of numbers with leading zeros, which are other companies than the numbers.
fn tell_zeros(companies: &[CompanyId], output: &mut Output) {
    let is_padded = |id: &&str| id.starts_with('0') && id.bytes().all(|byte| byte.is_ascii_digit());
    let texts = companies.iter().filter_map(|company| match company {
        CompanyId::Text(id) => Some(id.as_str()).filter(is_padded),
        CompanyId::Int(_) => None,
    });
    let told: Vec<String> = texts
        .map(|id| match id.trim_start_matches('0') {
            "" => format!("{id} is a text, and not the company 0"),
            number => format!("{id} is a text, and not the company {number}"),
        })
        .collect();
    if !told.is_empty() {
        output.warn(display::some(told.iter(), 10));
    }
}

/// A change to a flag, published or in a file.
struct What<'a> {
    command: &'a str,
    flag: &'a str,
    edit: &'a Edit,
    dry_run: bool,
}

impl<'a> What<'a> {
    fn of(typed: &'a TypedChange<'a>, terms: &ChangeTerms) -> What<'a> {
        What { command: typed.action.name(), flag: typed.flag, edit: &typed.edit, dry_run: terms.dry_run }
    }

    fn title(&self) -> String {
        format!("{} {}{}", self.command, self.flag, if self.dry_run { " (dry run)" } else { "" })
    }
}

fn run(arguments: &Arguments, changing: &Changing, typed: &TypedChange, output: &mut Output) -> Outcome {
    if arguments.relayed.is_none() {
        tell_zeros(typed.edit.companies(), output);
    }
    match &changing.file {
        Some(file) => {
            in_file(file, changing.environment.as_deref(), &What::of(typed, &changing.terms), output)
        }
        None => published(arguments, (&changing.terms, changing.expect_generation), typed, output),
    }
}

/// Changes a published flag, unless another generation than the named one is current.
fn published(
    arguments: &Arguments,
    (terms, base): (&ChangeTerms, Option<u64>),
    typed: &TypedChange,
    output: &mut Output,
) -> Outcome {
    let what = What::of(typed, terms);
    let begun = change::begin(arguments, &terms.by, &what.title(), terms.reason.as_deref(), output)?;
    in_store(&begun, (terms, base), typed, &what, output)
}

impl TypedChange<'_> {
    /// The arguments for other machines, without the common ones, and standard input, which takes more companies than fit a command line.
    fn sent(&self) -> (Vec<String>, Option<Vec<u8>>) {
        if let Edit::Allow(companies) | Edit::Deny(companies) | Edit::Forget(companies) = &self.edit
            && self.action != Action::Disable
            && companies.len() > MAX_TYPED
        {
            let last = ["--yes", "--from-file=-", "--", self.flag].map(str::to_owned);
            let arguments = [self.action.name().to_owned()].into_iter().chain(last).collect();
            return (arguments, Some(json!(companies).to_string().into_bytes()));
        }
        (self.arguments(), None)
    }

    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![self.action.name().to_owned(), "--yes".to_owned()];
        let (mut last, mut named) = (Vec::new(), &[][..]);
        match &self.edit {
            Edit::Enable { percentage, companies } => {
                arguments.extend(percentage.map(|percentage| format!("--percentage={}", number(percentage))));
                named = companies;
            }
            Edit::Rollout(percentage) => last.push(number(*percentage)),
            Edit::Deny(companies) if self.action == Action::Disable => named = companies,
            Edit::Allow(companies) | Edit::Deny(companies) | Edit::Forget(companies) => {
                last.extend(companies.iter().map(ToString::to_string));
            }
            Edit::Restore | Edit::Disable | Edit::Delete | Edit::Add { .. } => {}
        }
        arguments.extend(named.iter().map(|company| format!("--company={company}")));
        arguments.extend(["--".to_owned(), self.flag.to_owned()]);
        arguments.extend(last);
        arguments
    }
}

/// The number without its percent sign: `12.5`.
fn number(percentage: Percentage) -> String {
    percentage.to_string().trim_end_matches([' ', '%']).to_owned()
}

/// Changes the published flag.
fn in_store(
    begun: &ChangeContext,
    (terms, named): (&ChangeTerms, Option<u64>),
    typed: &TypedChange,
    what: &What,
    output: &mut Output,
) -> Outcome {
    let ChangeContext { store, change, generation, .. } = begun;
    let generation = *generation;
    if generation == 0 {
        return Err(Failure::Refused(
            "nothing is published yet, so there is no flag to change; publish with `flagstone publish FILE`"
                .to_owned(),
        ));
    }
    let snapshot = store.snapshot(generation).map_err(Failure::changing)?;
    let definitions = store_view::definitions(&snapshot)?;
    let flag = store_view::current_key(&snapshot, what.flag);
    store_view::tell_current_key(what.flag, flag, output);
    if typed.action == Action::Delete
        && !definitions.flags.contains_key(flag)
        && store.was_deleted(flag).map_err(Failure::changing)?
    {
        return deleted(begun, terms, typed, flag, output);
    }
    let name = format!("generation {generation} of {}", store.environment());
    let made =
        change_published(&name, &definitions, flag, what.edit, flagstone::time::now()).map_err(|error| {
            match error {
                ChangeError::Managed { key, .. } => {
                    let file = store.last_file().unwrap_or_else(|| "its file".to_owned());
                    failure(ChangeError::Managed { key, file })
                }
                error => failure(error),
            }
        })?;
    // A repeated command finds its own change: an earlier base matters only if something would change.
    if let Some(base) = named.filter(|base| *base > generation || (made.changed && *base != generation)) {
        return Err(stale(base, generation));
    }
    print_change(&made, output);
    let (weighed, definitions_of) = (&terms.weighed, (&made.before, &made.definitions));
    let dependents = begun.tell_dependents(definitions_of, output);
    // Without a list, the command itself names the companies that lose the flag.
    let is_named = matches!(what.edit, Edit::Deny(_) | Edit::Forget(_)) && !begun.weighs(weighed);
    let own = [flag.to_owned()];
    let reviewed = if is_named { &own[..] } else { &[] };
    let reach = match made.changed {
        true => {
            begun.weigh_edits(weighed, Some(&snapshot), (definitions_of, reviewed), what.dry_run, output)?
        }
        false => Value::Null,
    };
    let switches = switch_notices(begun, flag, &made);
    // What a publish says itself.
    if what.dry_run || !made.changed {
        switches.iter().for_each(|notice| output.line(output.paint(WARN, notice)));
    }
    let mut answer = json!({
        "environment": store.environment(),
        "machine": change.actor.host,
        "flag": flag,
        "changed": made.changed && !what.dry_run,
        "dry_run": what.dry_run,
        "base": generation,
        "generation": generation,
        "summary": made.summary,
        "notes": made.notes.iter().chain(&switches).collect::<Vec<_>>(),
        "dependents": dependents,
        "reach": reach,
        "differences": [],
    });
    if what.dry_run {
        answer["differences"] = json!(diff(&made.before, &made.definitions));
        output.line("nothing was changed");
        output.json(&answer);
        return Ok(Exit::Yes);
    }
    if made.changed {
        let change = Change { base: Some(generation), ..change.clone() };
        let (definitions, edited) = ((&made.before, &made.definitions), (typed.action, flag));
        let published = match named {
            // A named base is to catch every other change.
            Some(_) => store.publish_edit(definitions.1, edited, change),
            None => store.publish_flag(definitions, edited, change),
        };
        let published = published.map_err(|error| match error {
            StoreError::Stale { base, current } => stale(base, current),
            error => Failure::changing(error),
        })?;
        publish::print_published(store, &published, output);
        answer["differences"] = json!(published.differences);
        answer["generation"] = published.generation.into();
        answer["warning"] = json!(published.audit_warning);
    }
    let (arguments, input) = typed.sent();
    let arrived = begun.send(arguments, input).tell(None, output);
    answer["machines"] = arrived.json();
    output.json(&answer);
    Ok(arrived.exit())
}

/// Repeats a deletion that was made here on machines that may lack it.
fn deleted(
    begun: &ChangeContext,
    terms: &ChangeTerms,
    typed: &TypedChange,
    flag: &str,
    output: &mut Output,
) -> Outcome {
    output.line(format!("{}: deleted already; nothing was changed", display::plain(flag)));
    let (arguments, input) = typed.sent();
    let arrived = match terms.dry_run {
        true => machines::Delivery::default(),
        false => begun.send(arguments, input).tell(None, output),
    };
    output.json(&json!({
        "environment": begun.store.environment(),
        "machine": begun.change.actor.host,
        "flag": flag,
        "changed": false,
        "dry_run": terms.dry_run,
        "base": begun.generation,
        "generation": begun.generation,
        "summary": "",
        "notes": [],
        "dependents": [],
        "reach": Value::Null,
        "differences": [],
        "machines": arrived.json(),
    }));
    Ok(arrived.exit())
}

/// Warnings that the flag is off by a kill or a stop, whatever its definition says.
fn switch_notices(begun: &ChangeContext, flag: &str, made: &FlagChange) -> Vec<String> {
    let Some(switches) = Switches::of(&begun.store) else { return Vec::new() };
    let keeps = made.definitions.flags.get(flag).is_some_and(|flag| flag.emergency == Emergency::Keep);
    let stop = switches.stop().filter(|_| !keeps);
    switches::notices(flag, switches.kill(flag).as_ref(), stop.as_ref())
}

/// Changes a file, and publishes nothing.
fn in_file(path: &Path, environment: Option<&str>, what: &What, output: &mut Output) -> Outcome {
    let name = store_view::file_name(path);
    let host = Actor::current().host;
    let of = environment.map_or(String::new(), |environment| format!(" for {}", display::plain(environment)));
    output.line_now(format!(
        "{}{of} on {}: {}",
        output.paint(BOLD, &name),
        display::plain(&host),
        display::plain(&what.title())
    ));
    if path == Path::new("-") {
        return Err(Failure::Unknown(
            "--file takes a file that can be written, not standard input".to_owned(),
        ));
    }
    let bytes = check::read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let target = Target { file: &name, text: &text, environment, now: flagstone::time::now() };
    let made = changed(target, what.flag, what.edit).map_err(failure)?;
    print_change(&made, output);
    if what.dry_run {
        output.line("nothing was changed");
    } else if made.changed {
        let failed =
            |error: io::Error| Failure::Unknown(format!("cannot write {name}: {error}; nothing was changed"));
        let written = privileged::write(path, &bytes, made.text.as_bytes()).map_err(failed)?;
        if let ReplaceResult::Changed = written {
            return Err(Failure::Refused(format!(
                "{name} was changed by somebody else just now; nothing was changed"
            )));
        }
        output.line(format!("{} {name}; nothing was published", output.paint(GOOD, "changed")));
    }
    output.json(&json!({
        "file": name,
        "environment": environment,
        "machine": host,
        "flag": what.flag,
        "changed": made.changed && !what.dry_run,
        "dry_run": what.dry_run,
        "summary": made.summary,
        "notes": made.notes,
    }));
    Ok(Exit::Yes)
}

fn print_change(made: &FlagChange, output: &mut Output) {
    output.line(display::plain(&made.summary));
    for note in &made.notes {
        output.line(output.paint(DIM, format!("  {}", display::plain(note))));
    }
}

/// The refusal of a change whose flag another one changed meanwhile: it may no longer be wanted.
fn stale(base: u64, current: u64) -> Failure {
    Failure::Refused(format!(
        "the change was decided on generation {base}, and by {current}, which is published now, the flag was changed; nothing was \
         changed. Look at what changed with `flagstone diff {base} {current}`, then type it again"
    ))
}

pub fn failure(error: ChangeError) -> Failure {
    let text = error.to_string();
    Failure::Refused(match error {
        // Problems of definitions have a line each; a typed name must not make a new line.
        ChangeError::Definitions { .. } => text.lines().map(display::plain).collect::<Vec<_>>().join("\n"),
        _ => display::plain(&text).into_owned(),
    })
}
