//! `promote`: takes flags of one store of this machine into another, off if they are new.

use super::change::{self, ChangeContext};
use super::publish::print_masked;
use crate::args::{Arguments, Promote, Travelling};
use crate::output::{BOLD, DIM, Exit, Failure, GOOD, Outcome, Output};
use crate::{display, identity, impact, machines};
use flagstone::audit::diff;
use flagstone::publish::{Change, Store};
use flagstone::transfer::{Bundle, ImportOptions, ImportResult, Origin, import, pack, without_flags};
use serde_json::{Value, json};

pub fn run(arguments: &Arguments, command: &Promote, output: &mut Output) -> Outcome {
    let from = identity::open(&command.from).map_err(Failure::changing)?;
    let origin = from.origin().map_err(Failure::changing)?;
    let what =
        format!("promote {} from {}{}", named(&command.what.flags), origin.environment, dry(&command.how));
    let begun =
        change::begin(arguments, &command.how.terms.by, &what, command.how.terms.reason.as_deref(), output)?;
    if from.directory() == begun.store.directory() {
        return Err(Failure::Refused("--from and --to are the same store; nothing was changed".to_owned()));
    }
    let bundle = skipping(&bundle(&from, &origin, &command.what.flags)?, &command.how)?;
    let landed = import_bundle(&begun, &command.how, &bundle, &origin, output)?;
    if landed.unchanged {
        output.json(&landed.answer);
        return Ok(if landed.refused { Exit::No } else { Exit::Yes });
    }
    // Other machines have no store to promote from.
    let arrived = match begun.config.machines.is_empty() || command.how.terms.by.local_only {
        true => machines::Relay::default(),
        false => machines::unknown(
            "a promotion is made on this machine only; take the flags to the others with `flagstone export` and `import`".to_owned(),
        ),
    }
    .tell(None, output);
    let mut answer = landed.answer;
    answer["machines"] = arrived.json();
    output.json(&answer);
    Ok(arrived.exit())
}

/// Packs those flags of a store, or all of them.
pub fn bundle(from: &Store, origin: &Origin, flags: &[String]) -> Result<Bundle, Failure> {
    if origin.generation == 0 {
        return Err(Failure::Refused(format!(
            "nothing is published in {}, so there is nothing to take from it",
            display::plain(&from.directory().to_string_lossy())
        )));
    }
    let definitions = from.definitions(origin.generation).map_err(Failure::changing)?;
    pack(&definitions, flags).map_err(|error| {
        Failure::Refused(format!(
            "{}: {}",
            display::plain(&origin.environment),
            display::plain(&error.to_string())
        ))
    })
}

/// Leaves out the flags that are to stay behind.
pub fn skipping(bundle: &Bundle, how: &Travelling) -> Result<Bundle, Failure> {
    without_flags(bundle, &how.skip).map_err(|error| {
        Failure::Refused(format!("--skip: {}; nothing was changed", display::plain(&error.to_string())))
    })
}

/// The result of taking flags in.
pub struct ImportOutcome {
    pub unchanged: bool,
    /// True for a dry run of an import that would be refused.
    pub refused: bool,
    pub answer: Value,
}

/// Takes the flags into the store, prints the changes, and publishes them.
pub fn import_bundle(
    begun: &ChangeContext,
    how: &Travelling,
    bundle: &Bundle,
    origin: &Origin,
    output: &mut Output,
) -> Result<ImportOutcome, Failure> {
    let ChangeContext { store, change, generation, .. } = begun;
    let before = match generation {
        0 => Default::default(),
        generation => store.definitions(*generation).map_err(Failure::changing)?,
    };
    let arriving = ImportOptions { keep_state: how.keep_state, with_companies: how.with_companies };
    let arrival = import(&before, bundle, arriving, &display::today()).map_err(|error| {
        let text = error.to_string();
        let text = text.lines().map(display::plain).collect::<Vec<_>>().join("\n");
        Failure::Refused(format!("{text}; nothing was changed"))
    })?;
    print_import(&arrival, &how.skip, output);
    let differences = diff(&before, &arrival.definitions);
    change::differences(&differences, output);
    let snapshot = match generation {
        0 => None,
        generation => Some(store.snapshot(*generation).map_err(Failure::changing)?),
    };
    let reach = begun.weigh(
        &how.terms.weighed,
        snapshot.as_ref(),
        (&before, &arrival.definitions),
        how.terms.dry_run,
        output,
    )?;
    for problem in arrival.loosened.iter().map(loosening) {
        // A change that another machine sent was confirmed there.
        impact::agreed_unknown(&problem, how.terms.weighed.yes || how.terms.dry_run, output)?;
    }
    let loosened = arrival.loosened.iter().map(|(flag, lost)| json!({ "flag": flag, "requires": lost }));
    let mut answer = json!({
        "environment": store.environment(),
        "machine": change.actor.host,
        "origin": origin,
        "new": arrival.new,
        "changed": arrival.changed,
        "same": arrival.same,
        "skipped": how.skip,
        "loosened": loosened.collect::<Vec<_>>(),
        "notes": arrival.notes,
        "differences": differences,
        "reach": reach,
        "dry_run": how.terms.dry_run,
        "generation": generation,
    });
    if how.terms.dry_run {
        let asks = !arrival.loosened.is_empty() || reach["asks"] == true;
        let refused = asks && !how.terms.weighed.yes;
        answer["refused"] = refused.into();
        let end = if refused { "; without --yes it would be refused" } else { "" };
        output.line(format!("nothing was changed{end}"));
        return Ok(ImportOutcome { unchanged: true, refused, answer });
    }
    if differences.is_empty() {
        output.line("all of it is there already; nothing was published");
        return Ok(ImportOutcome { unchanged: true, refused: false, answer });
    }
    let change = Change { base: Some(*generation), ..change.clone() };
    let published = store.publish_arrival(&arrival.definitions, origin, change).map_err(Failure::changing)?;
    output.line(format!("{} generation {}", output.paint(GOOD, "published"), published.generation));
    print_masked(store, &published.differences, output);
    change::warn(published.audit_warning.as_deref(), output);
    answer["generation"] = published.generation.into();
    answer["warning"] = published.audit_warning.into();
    Ok(ImportOutcome { unchanged: false, refused: false, answer })
}

/// The warning that a flag no longer requires others.
fn loosening((flag, lost): &(String, Vec<String>)) -> String {
    let lost = display::some(lost.iter().map(|key| display::plain(key)), 10);
    format!("{} no longer requires {lost}, and may be on where that is off", display::plain(flag))
}

fn print_import(arrival: &ImportResult, skipped: &[String], output: &mut Output) {
    let all = |flags: &[String]| display::some(flags.iter().map(|flag| display::plain(flag)), 10);
    if !arrival.new.is_empty() {
        output.line(format!("{}: {}", output.paint(BOLD, "new"), all(&arrival.new)));
    }
    if !arrival.changed.is_empty() {
        output.line(format!("{}: {}", output.paint(BOLD, "changed"), all(&arrival.changed)));
    }
    if !arrival.same.is_empty() {
        output.line(output.paint(DIM, format!("the same there: {}", all(&arrival.same))));
    }
    if !skipped.is_empty() {
        output.line(format!("{}: {}", output.paint(BOLD, "left out"), all(skipped)));
    }
    for note in &arrival.notes {
        output.line(output.paint(DIM, display::plain(note)));
    }
}

/// The flags as text: `search, billing_v2`, or `all flags`.
pub fn named(flags: &[String]) -> String {
    match flags {
        [] => "all flags".to_owned(),
        flags => display::some(flags.iter(), 5),
    }
}

pub fn dry(how: &Travelling) -> &'static str {
    if how.terms.dry_run { " (dry run)" } else { "" }
}
