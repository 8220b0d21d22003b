//! `rollback`: publishes again the content of an earlier generation, and prints what that reverts.

use super::change::{self, ChangeContext};
use crate::args::{Arguments, Rollback, Target};
use crate::output::{BOLD, Exit, Failure, GOOD, Outcome, Output};
use crate::progress::Progress;
use crate::words;
use flagstone::audit::{Difference, diff};
use flagstone::definition::Definitions;
use flagstone::publish::{Change, Store};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The effect of a rollback.
struct Plan {
    current: u64,
    to: u64,
    /// The reason that it is unknown what it reverts.
    unreadable: Option<String>,
    differences: Vec<Difference>,
    /// The reverted flags, each with the last generation up to now that changed it, if known.
    flags: BTreeMap<String, Option<u64>>,
    /// The current definitions, and those after the rollback.
    definitions: Option<(Definitions, Definitions)>,
}

pub fn run(arguments: &Arguments, word: &Rollback, output: &mut Output) -> Outcome {
    let what = if word.terms.dry_run { "rollback (dry run)" } else { "rollback" };
    let begun = change::begin(arguments, &word.terms.by, what, word.terms.reason.as_deref(), output)?;
    let ChangeContext { store, change, .. } = &begun;
    let progress = Progress::begin("comparing generations".to_owned());
    let plan = plan(store, word.to.as_ref())?;
    drop(progress);
    show(&plan, output);
    let reach = match &plan.definitions {
        None => Value::Null,
        Some((before, after)) => {
            let current = store.snapshot(plan.current).map_err(Failure::changing)?;
            begun.weigh(&word.terms.weighed, Some(&current), (before, after), word.terms.dry_run, output)?
        }
    };
    let mut answer = json!({
        "environment": store.environment(),
        "machine": change.actor.host,
        "from": plan.current,
        "rolled_back_to": plan.to,
        "reverts": plan.flags,
        "differences": plan.differences,
        "unreadable": plan.unreadable,
        "reach": reach,
        "dry_run": word.terms.dry_run,
    });
    let mut exit = Exit::Yes;
    if word.terms.dry_run {
        output.line("nothing was changed");
    } else {
        // The rollback is made as shown, or not at all.
        let base = plan.unreadable.is_none().then_some(plan.current);
        let change = Change { base, ..change.clone() };
        let published = store.rollback(Some(plan.to), change).map_err(Failure::changing)?;
        match published.unchanged {
            true => output.line("the content is the same; nothing was published"),
            false => output.line(format!(
                "{} generation {} with what {} held; killed flags stay killed",
                output.paint(GOOD, "published"),
                published.generation,
                plan.to
            )),
        }
        if let Some(warning) = &published.audit_warning {
            output.warn(words::plain(warning));
        }
        answer["generation"] = published.generation.into();
        answer["unchanged"] = published.unchanged.into();
        answer["warning"] = published.audit_warning.into();
        // Generations have other numbers on other machines; equal content has the same id.
        let to = format!("--to={}", published.content_id);
        let sent = begun.send(vec!["rollback".to_owned(), "--yes".to_owned(), to.clone()], None);
        let again = format!("flagstone rollback {to} --yes");
        let arrived = sent.tell(Some(&again), output);
        answer["machines"] = arrived.json();
        exit = arrived.exit();
    }
    output.json(&answer);
    Ok(exit)
}

fn plan(store: &Store, to: Option<&Target>) -> Result<Plan, Failure> {
    let status = store.status().map_err(Failure::changing)?;
    let current = status.generation;
    if current == 0 {
        return Err(Failure::Refused(
            "nothing is published yet, so there is nothing to roll back".to_owned(),
        ));
    }
    let earlier: Vec<u64> =
        status.retained.iter().copied().filter(|generation| *generation < current).collect();
    let before = store.definitions(current);
    let target = match to {
        Some(Target::Generation(to)) if *to == current => {
            return Err(Failure::Refused(format!("generation {to} is the current one; nothing was changed")));
        }
        Some(Target::Generation(to)) => *to,
        Some(Target::Content(content)) if status.content_id.as_deref() == Some(content) => current,
        Some(Target::Content(content)) => holding(store, &earlier, content)?,
        None => {
            // Goes further back than the last rollback, rather than to the content that it left.
            let back = store.rolled_back_to(current).unwrap_or(current);
            let earlier: Vec<u64> = earlier.iter().copied().filter(|generation| *generation < back).collect();
            previous(store, before.as_ref().ok(), &earlier, status.content_id.as_deref())?
        }
    };
    let after = store.definitions(target).map_err(Failure::changing)?;
    // A broken current generation is no reason to keep it.
    let before = match (before, status.error) {
        (Ok(before), None) => before,
        (Ok(_), Some(error)) => return Ok(blind(current, target, error)),
        (Err(error), _) => return Ok(blind(current, target, error.to_string())),
    };
    // The content as it will be published: the file's last values stay noted, and a flag of the file stays, disabled.
    let mut after = after;
    flagstone::merge::keep_base(&before, &mut after, &words::today());
    let differences = diff(&before, &after);
    let mut flags: BTreeMap<String, Option<u64>> =
        change::flags(&differences).into_iter().map(|flag| (flag.to_owned(), None)).collect();
    // Finds the generation that changed each flag, from the target to the current one. A publish that only notes what the file lacks
    // changed no flag.
    let mut changed = |from: &Definitions, to: &Definitions, generation| {
        for flag in change::flags(&diff(&from.without_state(), &to.without_state())) {
            if let Some(by) = flags.get_mut(flag) {
                *by = Some(generation);
            }
        }
    };
    let mut last = None;
    for generation in earlier.iter().copied().filter(|generation| *generation > target) {
        let Ok(next) = store.definitions(generation) else { continue };
        changed(last.as_ref().unwrap_or(&after), &next, generation);
        last = Some(next);
    }
    match &last {
        Some(last) => changed(last, &before, current),
        None => changed(&after, &before, current),
    }
    let definitions = Some((before, after));
    Ok(Plan { current, to: target, unreadable: None, differences, flags, definitions })
}

fn blind(current: u64, to: u64, problem: String) -> Plan {
    let (differences, flags) = (Vec::new(), BTreeMap::new());
    Plan { current, to, unreadable: Some(problem), differences, flags, definitions: None }
}

/// The last generation with that content.
fn holding(store: &Store, earlier: &[u64], content: &str) -> Result<u64, Failure> {
    let held = |generation: &&u64| {
        store.snapshot(**generation).is_ok_and(|snapshot| snapshot.content_id().to_string() == content)
    };
    earlier.iter().rev().find(held).copied().ok_or_else(|| {
        Failure::Refused(format!(
            "no generation that is kept here holds the content {content}; nothing was changed"
        ))
    })
}

/// The last generation with other definitions than the current one. The store's own state of flags is left aside: going back over a plan
/// that was held would change no answer.
fn previous(
    store: &Store,
    current: Option<&Definitions>,
    earlier: &[u64],
    content: Option<&str>,
) -> Result<u64, Failure> {
    let kept = current.filter(|definitions| definitions.flags.values().any(|flag| !flag.state.is_empty()));
    let says = kept.map(Definitions::without_state);
    for generation in earlier.iter().rev() {
        let Ok(snapshot) = store.snapshot(*generation) else { continue };
        let same = |says: &Definitions| {
            let then = store.definitions(*generation).map(|definitions| definitions.without_state());
            then.is_ok_and(|then| then == *says)
        };
        if content != Some(snapshot.content_id().to_string().as_str()) && !says.as_ref().is_some_and(same) {
            return Ok(*generation);
        }
    }
    Err(Failure::Refused("there is no earlier content to go back to; nothing was changed".to_owned()))
}

fn show(plan: &Plan, output: &mut Output) {
    if let Some(problem) = &plan.unreadable {
        output.warn(format!("{}; what is reverted cannot be told", words::plain(problem)));
        output.line(format!("back to what {} held", output.paint(BOLD, plan.to)));
        return;
    }
    output.line(format!(
        "from generation {} back to what {} held, which reverts {}:",
        plan.current,
        output.paint(BOLD, plan.to),
        change::counted(&plan.differences)
    ));
    change::differences(&plan.differences, output);
    let others: Vec<String> = plan
        .flags
        .iter()
        .filter_map(|(flag, by)| {
            by.filter(|by| *by != plan.current).map(|by| format!("{flag} (changed by {by})"))
        })
        .collect();
    if !others.is_empty() {
        output.line(format!("that reverts more than the last publish: {}", words::some(others.iter(), 50)));
    }
}
