//! `plan start|hold|resume|advance|abort`: orders of people for a flag's rollout plan; `plan tick`: the steps of time.

use super::{change, plan_show, plan_wait, publish};
use crate::args::{Arguments, FlagArguments, Plan, PlanStage, PlanStart, PlanSubcommand, PlanTick};
use crate::output::{DIM, Exit, Failure, Outcome, Output, WARN};
use crate::{confirm, display, identity, machines, store_view};
use flagstone::StoreError;
use flagstone::audit::{Action, Actor, diff};
use flagstone::definition::{Managed, Soak};
use flagstone::flag_change::state;
use flagstone::plan::PlanDecision;
use flagstone::publish::{Change, PlanChange, PlanCommand, Published, Store, TickResult, Ticker};
use serde_json::{Value, json};

pub fn run(arguments: &Arguments, plan: &Plan, output: &mut Output) -> Outcome {
    match &plan.command {
        PlanSubcommand::Show(command) => plan_show::run(arguments, command, output),
        PlanSubcommand::Start(PlanStart { typed, waiting }) => {
            say(arguments, typed, PlanCommand::Start, waiting.wait, output)
        }
        PlanSubcommand::Hold(typed) => say(arguments, typed, PlanCommand::Hold, None, output),
        PlanSubcommand::Resume(PlanStage { typed, stage, waiting }) => {
            let stage = stage.map(|stage| stage as usize - 1);
            say(arguments, typed, PlanCommand::Resume(stage), waiting.wait, output)
        }
        PlanSubcommand::Advance(PlanStage { typed, stage, waiting }) => {
            if typed.terms.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
                return Err(Failure::Unknown(
                    "plan advance leaves out the rest of a soak, and wants --reason R: why".to_owned(),
                ));
            }
            let stage = stage.map(|stage| stage as usize - 1);
            say(arguments, typed, PlanCommand::Advance(stage), waiting.wait, output)
        }
        PlanSubcommand::Abort(typed) => say(arguments, typed, PlanCommand::Abort, None, output),
        PlanSubcommand::Tick(command) => tick(arguments, command, output),
    }
}

fn say(
    arguments: &Arguments,
    typed: &FlagArguments,
    command: PlanCommand,
    wait: Option<Soak>,
    output: &mut Output,
) -> Outcome {
    let dry = if typed.terms.dry_run { " (dry run)" } else { "" };
    let what = format!("plan {} {}{dry}", command.name(), typed.flag);
    let begun = change::begin(arguments, &typed.terms.by, &what, typed.terms.reason.as_deref(), output)?;
    let store = &begun.store;
    let change = &Change { base: typed.expect_generation, ..begun.change.clone() };
    let flag = begun.current_key(&typed.flag, output);
    if let Some(done) = already_done(store, &flag, command) {
        return already(&begun, typed, &flag, (command, done, wait), output);
    }
    let planned = store.plan_command(&flag, command, change).map_err(|error| {
        match (Failure::changing(error), managing_file(store, &flag)) {
            (Failure::Refused(text), Some(file)) => {
                Failure::Refused(format!("{text}. The file is {}", display::plain(&file)))
            }
            (failure, _) => failure,
        }
    })?;
    print_plan_change(&flag, &planned, output);
    let snapshot = store.snapshot(planned.base).ok();
    let definitions = (&planned.before, &planned.definitions);
    let dependents = begun.tell_dependents(definitions, output);
    let reach =
        begun.weigh(&typed.terms.weighed, snapshot.as_ref(), definitions, typed.terms.dry_run, output)?;
    let mut answer = json!({
        "environment": store.environment(),
        "machine": change.actor.host,
        "flag": flag,
        "changed": !typed.terms.dry_run,
        "dry_run": typed.terms.dry_run,
        "base": planned.base,
        "generation": planned.base,
        "stage": planned.moved.stage.map(|stage| stage + 1),
        "notes": planned.moved.notes,
        "dependents": dependents,
        "reach": reach,
        "differences": [],
    });
    if typed.terms.dry_run {
        answer["differences"] = json!(diff(&planned.before, &planned.definitions));
        output.line("nothing was changed");
        output.json(&answer);
        return Ok(Exit::Yes);
    }
    let by_hand = command == PlanCommand::Abort && !planned.moved.notes.is_empty();
    if by_hand && !typed.terms.weighed.yes && !confirm::confirmed("Take that back as well?", output) {
        return Err(Failure::Refused(
            "an abort returns to just what was before `start`, changes made by hand since included; nothing was changed. With --yes \
             it does"
                .to_owned(),
        ));
    }
    let sent = relayed(typed, command, planned.moved.stage);
    let again = again(typed, &sent);
    let published = store.publish_plan(&flag, &planned, change.clone()).map_err(|error| match error {
        StoreError::Stale { base, current } => {
            let again = again.as_ref().map_or("Type it again".to_owned(), |line| format!("Type: {line}"));
            Failure::Refused(format!(
                "it was decided on generation {base}, but {current} is published by now; nothing was changed. {again}"
            ))
        }
        error => Failure::changing(error),
    })?;
    publish::print_published(store, &published, output);
    answer["generation"] = published.generation.into();
    answer["differences"] = json!(published.differences);
    answer["warning"] = json!(published.audit_warning);
    let arrived = begun.send(sent, None).tell(again.as_deref(), output);
    answer["machines"] = arrived.json();
    finish(store, &flag, wait, (answer, arrived.exit()), output)
}

/// The file of a flag that is managed in git, if the trail names it.
fn managing_file(store: &Store, flag: &str) -> Option<String> {
    let definitions = store.definitions(store.generation().ok()?).ok()?;
    let is_managed = definitions.flags.get(flag)?.managed == Managed::Git;
    if is_managed { store.last_file() } else { None }
}

/// Prints the answer, at once or when the plan has ended.
fn finish(
    store: &Store,
    flag: &str,
    wait: Option<Soak>,
    (mut answer, exit): (Value, Exit),
    output: &mut Output,
) -> Outcome {
    let Some(length) = wait else {
        output.json(&answer);
        return Ok(exit);
    };
    let waited = plan_wait::wait(store, flag, &length, output)?;
    answer["stage"] = waited.stage.into();
    answer["wait"] = json!({ "ended": waited.end.as_str(), "why": waited.why });
    output.json(&answer);
    Ok(match waited.end {
        plan_wait::End::Done => exit,
        plan_wait::End::Timeout => Exit::Unknown,
        _ => Exit::No,
    })
}

/// The result of a command whose work is done already.
struct AlreadyDone {
    /// A sentence for people.
    text: String,
    /// The plan's present stage, counted from 0.
    stage: Option<usize>,
}

/// The work that is done already; none if the command has something to do, or is refused.
fn already_done(store: &Store, flag: &str, command: PlanCommand) -> Option<AlreadyDone> {
    use PlanCommand::{Abort, Advance, Hold, Resume, Start};
    let definitions = store.definitions(store.generation().ok()?).ok()?;
    let Some(state) = definitions.flags.get(flag)?.state.plan.as_ref() else {
        let aborted =
            matches!(command, Abort) && store.last_plan_action(flag).ok()? == Some(Action::PlanAbort);
        let text = format!("the plan of {flag} was aborted already");
        return aborted.then_some(AlreadyDone { text, stage: None });
    };
    let place = format!("stage {} of {}", state.stage() + 1, state.stages.len());
    // The file may have fewer stages by now; a plan that is held or running is in one all the same.
    let (is, stage) = (state.stage(), Some(state.stage()));
    let ended = state.done.is_some();
    let text = match command {
        Hold if state.held.is_some() => format!("the plan of {flag} is held already, in {place}"),
        Start if state.is_running() => format!("the plan of {flag} is running already, in {place}"),
        Resume(to) if state.is_running() && to.is_none_or(|to| is >= to) => {
            format!("the plan of {flag} is running already, in {place}")
        }
        Advance(Some(to)) if state.held.is_none() && is >= to => {
            format!("{flag}: its plan has entered stage {} already", to + 1)
        }
        // The plan ended with this command's effect.
        Start | Resume(_) if ended && store.last_plan_action(flag).ok()? == Some(command.action()) => {
            format!("the plan of {flag} is done already, in {place}")
        }
        _ => return None,
    };
    let stage = if let Advance(to) = command { to } else { stage };
    Some(AlreadyDone { text, stage })
}

/// Repeats a command that has nothing to do here on other machines.
fn already(
    begun: &change::ChangeContext,
    typed: &FlagArguments,
    flag: &str,
    (command, done, wait): (PlanCommand, AlreadyDone, Option<Soak>),
    output: &mut Output,
) -> Outcome {
    output.line(format!("{}; nothing was changed", done.text));
    let sent = relayed(typed, command, done.stage);
    let again = again(typed, &sent);
    let arrived = match typed.terms.dry_run {
        true => machines::Delivery::default(),
        false => begun.send(sent, None).tell(again.as_deref(), output),
    };
    let answer = json!({
        "environment": begun.store.environment(),
        "machine": begun.change.actor.host,
        "flag": flag,
        "changed": false,
        "dry_run": typed.terms.dry_run,
        "base": begun.generation,
        "generation": begun.generation,
        "stage": done.stage.map(|stage| stage + 1),
        "notes": [],
        "dependents": [],
        "reach": Value::Null,
        "differences": [],
        "machines": arrived.json(),
    });
    finish(&begun.store, flag, wait, (answer, arrived.exit()), output)
}

/// A command that can be repeated without entering another stage; none if the typed one can.
fn again(typed: &FlagArguments, sent: &[String]) -> Option<String> {
    let stage = sent.iter().find(|argument| argument.starts_with("--stage="))?;
    let command = sent.get(1).filter(|command| *command == "advance")?;
    let reason = display::shell(typed.terms.reason.as_deref().unwrap_or_default());
    Some(format!("flagstone plan {command} {} {stage} --reason {reason}", display::plain(&typed.flag)))
}

/// The arguments for other machines, without the common ones.
fn relayed(typed: &FlagArguments, command: PlanCommand, stage: Option<usize>) -> Vec<String> {
    let mut arguments = vec!["plan".to_owned(), command.name().to_owned(), "--yes".to_owned()];
    let stage = match command {
        PlanCommand::Resume(stage) => stage,
        // Other machines enter exactly this stage, or none.
        PlanCommand::Advance(_) => stage,
        _ => None,
    };
    arguments.extend(stage.map(|stage| format!("--stage={}", stage + 1)));
    arguments.extend(["--".to_owned(), typed.flag.clone()]);
    arguments
}

/// Prints the effect of a command in a line, and its notes.
fn print_plan_change(flag: &str, planned: &PlanChange, output: &mut Output) {
    let now = flagstone::time::now();
    let after = &planned.moved.flag;
    let was = planned.before.flags.get(flag).map_or_else(String::new, |flag| state(flag, now));
    let is = state(after, now);
    let on = if was == is { is } else { format!("{was} → {is}") };
    output.line(format!("{flag}: {on}; its plan: {}", plan_show::place(after)));
    for note in &planned.moved.notes {
        output.line(output.paint(DIM, format!("  {}", display::plain(note))));
    }
}

pub fn tick(arguments: &Arguments, command: &PlanTick, output: &mut Output) -> Outcome {
    let store = identity::open(&store_view::directory(arguments)?).map_err(Failure::changing)?;
    let change = by_plan(command.at);
    let head = format!("{} on {}", store.environment(), change.actor.host);
    let environment = store.environment().to_owned();
    let verdicts = store.verdicts(flagstone::time::now());
    let ticked = Ticker::new(store).tick(&change, command.at, command.dry_run, |key, flag| {
        verdicts.of(key, flag, command.at.unwrap_or_else(flagstone::time::now))
    });
    let ticked = ticked.map_err(Failure::changing)?;
    for ticked in
        ticked.iter().filter(|ticked| !matches!(ticked.step, PlanDecision::Wait(_) | PlanDecision::Idle(_)))
    {
        line(&head, ticked, command.dry_run, output);
    }
    output.json(&json!({
        "environment": environment,
        "machine": change.actor.host,
        "dry_run": command.dry_run,
        "plans": ticked.iter().map(ticked_json).collect::<Vec<_>>(),
    }));
    let failed = ticked.iter().filter(|ticked| matches!(ticked.published, Some(Err(_)))).count();
    match failed {
        0 => Ok(Exit::Yes),
        _ => Ok(Exit::No),
    }
}

/// A change made by time, on this machine; made by the user if a time other than now is typed.
pub fn by_plan(at: Option<i64>) -> Change {
    match at {
        None => Change { actor: Actor::named(Some("plan")), reason: None, base: None },
        Some(at) => Change::by_me(Some(&format!("as of {}", display::at(at)))),
    }
}

/// Prints a tick's result for one flag: `production on web-1: search: stage 2 of 4, 10 %; published generation 18 after 17`.
pub fn line(head: &str, ticked: &TickResult, dry: bool, output: &mut Output) {
    let flag = &ticked.flag;
    let what = plan_show::place(&ticked.after);
    let end = match &ticked.published {
        None if dry => "would be published; nothing was changed".to_owned(),
        None => String::new(),
        Some(Ok(published)) => {
            format!("published generation {} after {}", published.generation, published.previous)
        }
        Some(Err(error)) => {
            output.warn(format!("{head}: {flag}: {}", display::plain(&error.to_string())));
            return;
        }
    };
    let text = format!("{head}: {flag}: {what}; {end}");
    match ticked.step {
        // A plan held by itself stays so until a person acts.
        PlanDecision::Hold(_) if output.is_log() => output.warn(text),
        _ => output.line_now(text),
    }
    for note in &ticked.notes {
        let note = display::plain(note);
        match output.is_log() {
            true => output.line(format!("{head}: {flag}: {note}")),
            false => output.line_now(output.paint(DIM, format!("  {note}"))),
        }
    }
    if let Some(Ok(Published { audit_warning: Some(warning), .. })) = &ticked.published {
        output.warn(output.paint(WARN, display::plain(warning)));
    }
}

/// A tick's result for one flag as JSON.
pub fn ticked_json(ticked: &TickResult) -> Value {
    let published = ticked.published.as_ref().and_then(|published| published.as_ref().ok());
    let error = ticked.published.as_ref().and_then(|published| published.as_ref().err());
    let (step, why) = match &ticked.step {
        PlanDecision::Idle(_) => ("idle", None),
        PlanDecision::Wait(wait) => ("wait", Some(plan_show::waits(wait))),
        PlanDecision::Hold(reason) => ("hold", Some(reason.clone())),
        PlanDecision::Enter(_) => ("enter", None),
        PlanDecision::Finish => ("done", None),
    };
    let state = ticked.after.state.plan.as_ref();
    json!({
        "flag": ticked.flag,
        "step": step,
        "why": why,
        "stage": state.map(|state| state.stage() + 1),
        "stages": state.map(|state| state.stages.len()),
        "generation": published.map(|published| published.generation),
        "previous": published.map(|published| published.previous),
        "warning": published.and_then(|published| published.audit_warning.clone()),
        "error": error.map(ToString::to_string),
    })
}
