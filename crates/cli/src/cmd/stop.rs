//! `stop-all` and `resume-all`: turn everything off at once, and on again.

use super::change::{self, ChangeContext};
use super::kill::{SwitchResult, View, carry_out, nothing_stopped, print_switch, unreached};
use crate::args::{Arguments, ResumeAll, StopAll};
use crate::extent::{Extent, extent};
use crate::impact::Side;
use crate::output::{BAD, BOLD, EXCEPT, Failure, GOOD, Outcome, Output};
use crate::{confirm, display, signals};
use flagstone::publish::Store;
use flagstone::{FlagId, blocker};
use serde_json::json;
use std::collections::BTreeMap;

/// The most flags that are named.
const NAMED: usize = 20;

pub fn stop(arguments: &Arguments, command: &StopAll, output: &mut Output) -> Outcome {
    let (begun, result) = make_switch(arguments, command, output)
        .map_err(|failure| nothing_stopped(&arguments.command, failure))?;
    let unreached = unreached(&begun.store);
    let except = if unreached.0.is_empty() { String::new() } else { format!(" {EXCEPT}") };
    output.line_now(match result.switched.changed {
        true => format!(
            "{} everything{except}: each flag is off but those whose emergency is \"keep\", until `flagstone resume-all`",
            output.paint(BAD, "stopped")
        ),
        false => "everything was stopped already; nothing was changed".to_owned(),
    });
    if let Some(text) = also_off_text(&also_off(&begun.store)) {
        output.line(output.paint(BAD, text));
    }
    print_switch(&begun, &command.reach, (None, result, unreached), json!({}), output)
}

fn make_switch(
    arguments: &Arguments,
    command: &StopAll,
    output: &mut Output,
) -> Result<(ChangeContext, SwitchResult), Failure> {
    let what = "stop everything";
    let begun = change::begin_at_once(arguments, &command.by, what, Some(&command.reason), output)?;
    let before = View::of(&begun.store);
    let (full, partly) =
        before.side().map(|side| stopped_by(&side, flagstone::time::now())).unwrap_or_default();
    for (whom, flags) in [("on for everybody", full), ("on for some", partly)] {
        if !flags.is_empty() {
            let count = display::counted(flags.len() as u64, "flag");
            let named = display::some(flags.iter().map(|flag| display::plain(flag)), NAMED);
            output.line_now(format!("{whom}, {count}: {named}"));
        }
    }
    agreed(&begun, command, output)?;
    let sent = vec!["stop-all".to_owned(), "--yes".to_owned()];
    let result = carry_out(&begun, before, sent, output, Store::stop_all)?;
    Ok((begun, result))
}

/// Has the user name the environment to be stopped, unless they said beforehand that no person is there to be asked.
fn agreed(begun: &ChangeContext, command: &StopAll, output: &mut Output) -> Result<(), Failure> {
    let environment = begun.store.environment();
    let typed = match &command.environment {
        Some(named) => Some(named.clone()),
        None if command.yes => return Ok(()),
        None => {
            // Whoever cannot stop anything is not asked first.
            begun.store.can_change().map_err(Failure::changing)?;
            let question =
                format!("This stops {}. Type the environment's name: ", output.paint(BOLD, environment));
            if begun.is_typed {
                signals::ending_with(&"\nNOTHING WAS STOPPED: every flag answers as before\n");
            }
            confirm::answer(&question, output)
        }
    };
    match typed {
        Some(typed) if typed == environment => Ok(()),
        Some(typed) => Err(Failure::Refused(format!(
            "found the environment {}, expected {environment}, the store's",
            display::quoted(&typed)
        ))),
        None => Err(Failure::Refused(format!(
            "nobody is there to be asked. Type: flagstone stop-all --environment {environment} --reason {}",
            display::shell(&command.reason)
        ))),
    }
}

/// The flags that a stop turns off: those on for everybody, and those on for some.
fn stopped_by(side: &Side, now: i64) -> (Vec<String>, Vec<String>) {
    let (mut full, mut partly) = (Vec::new(), Vec::new());
    if side.switches.stopped() {
        return (full, partly);
    }
    let (snapshot, mut known) = (side.snapshot, BTreeMap::new());
    for id in snapshot.flag_ids().filter(|flag| snapshot.renamed_to(*flag).is_none()) {
        let keeps = snapshot.flag_fields(id).is_some_and(|flag| flag.bits.contains(&"keep"));
        let key = snapshot.flag_key(id).to_owned();
        match extent(side, id, now, &mut known) {
            _ if keeps => {}
            Extent::Everybody => full.push(key),
            Extent::Some => partly.push(key),
            Extent::Nobody => {}
        }
    }
    (full, partly)
}

/// The flags that the stop leaves on, and that are off with a flag that they require; empty while nothing is stopped.
pub fn also_off(store: &Store) -> Vec<String> {
    let (view, now) = (View::of(store), flagstone::time::now());
    let Some(Side { snapshot, switches }) = view.side().filter(|side| side.switches.stopped()) else {
        return Vec::new();
    };
    let off = |flag: &FlagId| {
        snapshot.renamed_to(*flag).is_none() && blocker(snapshot, switches, *flag, now).is_some()
    };
    snapshot.flag_ids().filter(off).map(|flag| snapshot.flag_key(flag).to_owned()).collect()
}

/// A sentence on the flags that are [`also_off`]; none if there are none.
pub fn also_off_text(flags: &[String]) -> Option<String> {
    let named = display::some(flags.iter().map(|flag| display::plain(flag)), NAMED);
    (!flags.is_empty()).then(|| {
        format!(
            "off as well, although their emergency is \"keep\", since they require stopped flags: {named}"
        )
    })
}

pub fn resume(arguments: &Arguments, command: &ResumeAll, output: &mut Output) -> Outcome {
    let begun = change::begin_at_once(arguments, &command.by, "resume", command.reason.as_deref(), output)?;
    let before = View::of(&begun.store);
    let known = killed(&begun.store);
    // Without --force: another machine's head has its own damage.
    let sent = vec!["resume-all".to_owned()];
    let result =
        carry_out(&begun, before, sent, output, |store, change| store.resume_all(change, command.force))?;
    output.line_now(match result.switched.changed {
        true => format!("{}: flags answer again as published", output.paint(GOOD, "resumed")),
        false => "nothing was stopped; nothing was changed".to_owned(),
    });
    let (still, again): (Vec<_>, Vec<_>) =
        killed(&begun.store).into_iter().partition(|flag| known.contains(flag));
    for (what, flags) in
        [("still killed one by one", still), ("killed again, as the audit trail has them", again)]
    {
        if !flags.is_empty() {
            output.line(format!(
                "{what}: {}",
                display::some(flags.iter().map(|flag| display::plain(flag)), NAMED)
            ));
        }
    }
    let unreached = unreached(&begun.store);
    print_switch(&begun, &command.reach, (None, result, unreached), json!({}), output)
}

fn killed(store: &Store) -> Vec<String> {
    let killed = store.status().map(|status| status.killed).unwrap_or_default();
    killed.into_iter().map(|killed| killed.flag).collect()
}
