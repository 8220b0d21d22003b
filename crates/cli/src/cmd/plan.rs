//! `plan start|hold|resume|advance|abort`: what people say of a flag's rollout plan; `plan tick`: what time does.

use super::change;
use super::{plan_show, plan_wait, publish};
use crate::args::{Arguments, Plan, PlanStage, PlanStart, PlanTick, PlanTyped, PlanWord};
use crate::output::{DIM, Exit, Failure, Outcome, Output, WARN};
use crate::{confirm, identity, machines, place, words};
use flagstone::change::state;
use flagstone::definition::Soak;
use flagstone::plan::Step;
use flagstone::store::{self, Actor, Change, Planned, Published, StoreError, Ticked, Ticker, diff};
use serde_json::{Value, json};

pub fn run(arguments: &Arguments, plan: &Plan, output: &mut Output) -> Outcome {
    match &plan.word {
        PlanWord::Show(word) => plan_show::run(arguments, word, output),
        PlanWord::Start(PlanStart { typed, waiting }) => {
            say(arguments, typed, store::PlanWord::Start, waiting.wait, output)
        }
        PlanWord::Hold(typed) => say(arguments, typed, store::PlanWord::Hold, None, output),
        PlanWord::Resume(PlanStage { typed, stage, waiting }) => {
            let stage = stage.map(|stage| stage as usize - 1);
            say(arguments, typed, store::PlanWord::Resume(stage), waiting.wait, output)
        }
        PlanWord::Advance(PlanStage { typed, stage, waiting }) => {
            if typed.terms.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
                return Err(Failure::Unknown(
                    "plan advance leaves out the rest of a soak, and wants --reason R: why".to_owned(),
                ));
            }
            let stage = stage.map(|stage| stage as usize - 1);
            say(arguments, typed, store::PlanWord::Advance(stage), waiting.wait, output)
        }
        PlanWord::Abort(typed) => say(arguments, typed, store::PlanWord::Abort, None, output),
        PlanWord::Tick(word) => tick(arguments, word, output),
    }
}

fn say(
    arguments: &Arguments,
    typed: &PlanTyped,
    word: store::PlanWord,
    wait: Option<Soak>,
    output: &mut Output,
) -> Outcome {
    let dry = if typed.terms.dry_run { " (dry run)" } else { "" };
    let what = format!("plan {} {}{dry}", word.word(), typed.flag);
    let begun = change::begin(arguments, &typed.terms.by, &what, typed.terms.reason.as_deref(), output)?;
    let store = &begun.store;
    let change = &Change { base: typed.base, ..begun.change.clone() };
    if let Some(stage) = entered(store, &typed.flag, word) {
        return already(&begun, typed, stage, wait, output);
    }
    let planned = store.plan_word(&typed.flag, word, change).map_err(Failure::changing)?;
    tell(&typed.flag, &planned, output);
    let snapshot = store.snapshot(planned.base).ok();
    let definitions = (&planned.before, &planned.definitions);
    let reach =
        begun.weigh(&typed.terms.weighed, snapshot.as_ref(), definitions, typed.terms.dry_run, output)?;
    let mut answer = json!({
        "environment": store.environment(),
        "machine": change.actor.host,
        "flag": typed.flag,
        "changed": !typed.terms.dry_run,
        "dry_run": typed.terms.dry_run,
        "base": planned.base,
        "generation": planned.base,
        "stage": planned.moved.stage.map(|stage| stage + 1),
        "notes": planned.moved.notes,
        "reach": reach,
        "differences": [],
    });
    if typed.terms.dry_run {
        answer["differences"] = json!(diff(&planned.before, &planned.definitions));
        output.line("nothing was changed");
        output.json(&answer);
        return Ok(Exit::Yes);
    }
    let by_hand = word == store::PlanWord::Abort && !planned.moved.notes.is_empty();
    if by_hand && !typed.terms.weighed.yes && !confirm::confirmed("Take that back as well?", output) {
        return Err(Failure::Refused(
            "an abort returns to just what was before `start`, changes made by hand since included; nothing was changed. With --yes \
             it does"
                .to_owned(),
        ));
    }
    let published = store.publish_plan(&typed.flag, &planned, change.clone()).map_err(|error| match error {
        StoreError::Stale { base, current } => Failure::Refused(format!(
            "it was decided on generation {base}, but {current} is published by now; nothing was changed. Type it again"
        )),
        error => Failure::changing(error),
    })?;
    publish::done(store, &published, output);
    answer["generation"] = published.generation.into();
    answer["differences"] = json!(published.differences);
    answer["warning"] = json!(published.audit_warning);
    let sent = relayed(typed, word, planned.moved.stage);
    let again = again(typed, &sent);
    let arrived = begun.send(sent, None).tell(again.as_deref(), output);
    answer["machines"] = arrived.json();
    finish(store, &typed.flag, wait, (answer, arrived.exit()), output)
}

/// Prints the answer, at once or when the plan has ended.
fn finish(
    store: &store::Store,
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

/// The stage, counted from 0, where `advance` names one that the flag's plan has entered already.
fn entered(store: &store::Store, flag: &str, word: store::PlanWord) -> Option<usize> {
    let store::PlanWord::Advance(Some(stage)) = word else { return None };
    let definitions = store.definitions(store.generation().ok()?).ok()?;
    let state = definitions.flags.get(flag)?.state.plan.as_ref()?;
    (state.is_running() && state.stage() >= stage).then_some(stage)
}

/// Typed again: nothing to do here, but perhaps elsewhere.
fn already(
    begun: &change::Begun,
    typed: &PlanTyped,
    stage: usize,
    wait: Option<Soak>,
    output: &mut Output,
) -> Outcome {
    let flag = &typed.flag;
    output.line(format!("{flag}: its plan has entered stage {} already; nothing was changed", stage + 1));
    let sent = relayed(typed, store::PlanWord::Advance(Some(stage)), Some(stage));
    let again = again(typed, &sent);
    let arrived = match typed.terms.dry_run {
        true => machines::Arrived::default(),
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
        "stage": stage + 1,
        "notes": [],
        "reach": Value::Null,
        "differences": [],
        "machines": arrived.json(),
    });
    finish(&begun.store, flag, wait, (answer, arrived.exit()), output)
}

/// What may be typed again without entering one stage more; none where that is what was typed.
fn again(typed: &PlanTyped, sent: &[String]) -> Option<String> {
    let stage = sent.iter().find(|argument| argument.starts_with("--stage="))?;
    let word = sent.get(1).filter(|word| *word == "advance")?;
    let reason = words::shell(typed.terms.reason.as_deref().unwrap_or_default());
    Some(format!("flagstone plan {word} {} {stage} --reason {reason}", words::plain(&typed.flag)))
}

/// As it is typed, but for what every word has.
fn relayed(typed: &PlanTyped, word: store::PlanWord, stage: Option<usize>) -> Vec<String> {
    let mut arguments = vec!["plan".to_owned(), word.word().to_owned(), "--yes".to_owned()];
    let stage = match word {
        store::PlanWord::Resume(stage) => stage,
        // Elsewhere just that one, or none.
        store::PlanWord::Advance(_) => stage,
        _ => None,
    };
    arguments.extend(stage.map(|stage| format!("--stage={}", stage + 1)));
    arguments.extend(["--".to_owned(), typed.flag.clone()]);
    arguments
}

/// What a word does, in a line, and what is to be known besides.
fn tell(flag: &str, planned: &Planned, output: &mut Output) {
    let now = words::now();
    let after = &planned.moved.flag;
    let was = planned.before.flags.get(flag).map_or_else(String::new, |flag| state(flag, now));
    let is = state(after, now);
    let on = if was == is { is } else { format!("{was} → {is}") };
    output.line(format!("{flag}: {on}; its plan: {}", plan_show::place(after)));
    for note in &planned.moved.notes {
        output.line(output.paint(DIM, format!("  {}", words::plain(note))));
    }
}

fn tick(arguments: &Arguments, word: &PlanTick, output: &mut Output) -> Outcome {
    let store = identity::open(&place::directory(arguments)?).map_err(Failure::changing)?;
    let change = by_plan(word.at);
    let head = format!("{} on {}", store.environment(), change.actor.host);
    let environment = store.environment().to_owned();
    let verdicts = store.verdicts(words::now());
    let ticked = Ticker::new(store).tick(&change, word.at, word.dry_run, |key, flag| {
        verdicts.of(key, flag, word.at.unwrap_or_else(words::now))
    });
    let ticked = ticked.map_err(Failure::changing)?;
    for ticked in ticked.iter().filter(|ticked| !matches!(ticked.step, Step::Wait(_) | Step::Idle(_))) {
        line(&head, ticked, word.dry_run, output);
    }
    output.json(&json!({
        "environment": environment,
        "machine": change.actor.host,
        "dry_run": word.dry_run,
        "plans": ticked.iter().map(ticked_json).collect::<Vec<_>>(),
    }));
    let failed = ticked.iter().filter(|ticked| matches!(ticked.published, Some(Err(_)))).count();
    match failed {
        0 => Ok(Exit::Yes),
        _ => Ok(Exit::No),
    }
}

/// A change made by time, on this machine; by the person who types another time than now.
pub fn by_plan(at: Option<i64>) -> Change {
    match at {
        None => Change { actor: Actor::named(Some("plan")), reason: None, base: None },
        Some(at) => Change::by_me(Some(&format!("as of {}", words::at(at)))),
    }
}

/// What a tick did for one flag: `production on web-1: search: stage 2 of 4, 10 %; published generation 18 after 17`.
pub fn line(head: &str, ticked: &Ticked, dry: bool, output: &mut Output) {
    let flag = &ticked.flag;
    let what = plan_show::place(&ticked.after);
    let end = match &ticked.published {
        None if dry => "would be published; nothing was changed".to_owned(),
        None => String::new(),
        Some(Ok(published)) => {
            format!("published generation {} after {}", published.generation, published.previous)
        }
        Some(Err(error)) => {
            output.warn(format!("{head}: {flag}: {}", words::plain(&error.to_string())));
            return;
        }
    };
    output.line_now(format!("{head}: {flag}: {what}; {end}"));
    for note in &ticked.notes {
        output.line_now(output.paint(DIM, format!("  {}", words::plain(note))));
    }
    if let Some(Ok(Published { audit_warning: Some(warning), .. })) = &ticked.published {
        output.warn(output.paint(WARN, words::plain(warning)));
    }
}

/// As `line`, for a program.
pub fn ticked_json(ticked: &Ticked) -> Value {
    let published = ticked.published.as_ref().and_then(|published| published.as_ref().ok());
    let error = ticked.published.as_ref().and_then(|published| published.as_ref().err());
    let (step, why) = match &ticked.step {
        Step::Idle(_) => ("idle", None),
        Step::Wait(wait) => ("wait", Some(plan_show::waits(wait))),
        Step::Hold(reason) => ("hold", Some(reason.clone())),
        Step::Enter(_) => ("enter", None),
        Step::Finish => ("done", None),
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
