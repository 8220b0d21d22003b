//! `rollback`: publishes again the content of an earlier generation, and prints what that reverts.

use super::change::{self, ChangeContext};
use super::publish::print_masked;
use crate::args::{Arguments, Rollback, Target};
use crate::output::{BOLD, Exit, Failure, GOOD, Outcome, Output, WARN};
use crate::progress::Progress;
use crate::{confirm, display};
use flagstone::StoreError;
use flagstone::audit::{Difference, diff};
use flagstone::definition::Definitions;
use flagstone::publish::{Change, Store};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The effect of a rollback.
struct Plan {
    current: u64,
    to: u64,
    /// The reason that it is unknown what it reverts.
    unreadable: Option<String>,
    differences: Vec<Difference>,
    /// The reverted flags, each with the last generation up to now that changed it, if known.
    flags: BTreeMap<String, Option<u64>>,
    /// The generations that changed something, from the one after the target to the current one.
    changed_by: BTreeSet<u64>,
    /// The current definitions, and those after the rollback.
    definitions: Option<(Definitions, Definitions)>,
}

pub fn run(arguments: &Arguments, command: &Rollback, output: &mut Output) -> Outcome {
    let what = if command.terms.dry_run { "rollback (dry run)" } else { "rollback" };
    let begun = change::begin(arguments, &command.terms.by, what, command.terms.reason.as_deref(), output)?;
    let ChangeContext { store, change, .. } = &begun;
    let current = begun.generation;
    if let Some(base) = command.expect_generation.filter(|base| *base != current) {
        return Err(Failure::changing(StoreError::Stale { base, current }));
    }
    let progress = Progress::begin("comparing generations".to_owned());
    let plan = plan(store, command.to.as_ref())?;
    drop(progress);
    show(&plan, output);
    agreed(&plan, store, command.terms.weighed.yes || command.terms.dry_run, output)?;
    let (dependents, reach) = match &plan.definitions {
        None => Default::default(),
        Some((before, after)) => {
            let dependents = begun.tell_dependents((before, after), output);
            let current = store.snapshot(plan.current).map_err(Failure::changing)?;
            let (weighed, dry_run) = (&command.terms.weighed, command.terms.dry_run);
            (dependents, begun.weigh(weighed, Some(&current), (before, after), dry_run, output)?)
        }
    };
    let mut answer = json!({
        "environment": store.environment(),
        "machine": change.actor.host,
        "from": plan.current,
        "rolled_back_to": plan.to,
        "reverts": plan.flags,
        "widens": plan.widened(),
        "differences": plan.differences,
        "dependents": dependents,
        "unreadable": plan.unreadable,
        "reach": reach,
        "dry_run": command.terms.dry_run,
    });
    let mut exit = Exit::Yes;
    if command.terms.dry_run {
        output.line("nothing was changed");
    } else {
        // The rollback is made as shown and as expected, or not at all: judged under the publishers' lock.
        let base = command.expect_generation.or(plan.unreadable.is_none().then_some(plan.current));
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
        print_masked(store, &published.differences, output);
        change::warn(published.audit_warning.as_deref(), output);
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

impl Plan {
    /// The flags that it turns on for more than have them now, if it reverts more than the last change: that change's author knows
    /// what it turned off, and the others are not there to ask.
    fn widened(&self) -> BTreeSet<&str> {
        if self.changed_by.len() < 2 {
            return BTreeSet::new();
        }
        self.differences
            .iter()
            .filter(|difference| widens(difference))
            .filter_map(|d| d.flag.as_deref())
            .collect()
    }
}

/// True if the field turns its flag on for somebody.
fn widens(difference: &Difference) -> bool {
    let number = |value: &Option<Value>| value.as_ref().and_then(Value::as_f64);
    let field = difference.pointer.splitn(4, '/').nth(3).unwrap_or_default();
    let list = difference.list.as_ref();
    match field {
        "enabled" => difference.after == Some(Value::Bool(true)),
        "rollout/percentage" => {
            number(&difference.after).unwrap_or(100.0) > number(&difference.before).unwrap_or(100.0)
        }
        "companies/deny" => list.is_none_or(|list| list.removed > 0),
        "companies/allow" => list.is_none_or(|list| list.added > 0),
        _ => false,
    }
}

/// Asks before a rollback that turns on again what others turned off, unless `yes` was said.
fn agreed(plan: &Plan, store: &Store, yes: bool, output: &mut Output) -> Result<(), Failure> {
    let widened = plan.widened();
    if widened.is_empty() {
        return Ok(());
    }
    let mut records = BTreeMap::new();
    // An unreadable trail only keeps the names away.
    let _ = store.read_audit(|record| {
        if record.intention.is_none() && record.to > plan.to && record.action.publishes() {
            records.insert(record.to, record);
        }
    });
    let killed = store.killed().unwrap_or_default();
    let named = widened.iter().map(|flag| {
        let by = plan.flags.get(*flag).copied().flatten();
        let record = by.and_then(|by| records.get(&by));
        let by = match (by, record) {
            (Some(_), Some(record)) => {
                let why = record
                    .reason
                    .as_deref()
                    .map_or(String::new(), |why| format!(": {}", display::quoted(why)));
                format!(" ({} by {}{why})", record.action.name(), display::plain(&record.actor.to_string()))
            }
            (Some(by), None) => format!(" (changed by {by})"),
            (None, _) => String::new(),
        };
        let held = if killed.contains(*flag) { ", for nobody until its revive: it is killed" } else { "" };
        format!("{}{by}{held}", display::plain(flag))
    });
    let problem = format!(
        "it reverts more than the last change, and turns on for more companies: {}",
        display::some(named, 50)
    );
    if yes {
        output.line(output.paint(WARN, problem));
        return Ok(());
    }
    match confirm::confirmed(&format!("{problem}. Go on?"), output) {
        true => Ok(()),
        false => Err(Failure::Refused(format!("{problem}; nothing was changed. With --yes it is done"))),
    }
}

fn plan(store: &Store, to: Option<&Target>) -> Result<Plan, Failure> {
    let status = store.status().map_err(Failure::changing)?;
    let current = status.generation;
    if current == 0 && status.head_error.is_none() {
        return Err(Failure::Refused(
            "nothing is published yet, so there is nothing to roll back".to_owned(),
        ));
    }
    let ran = store.ran().map_err(Failure::changing)?;
    let earlier: Vec<u64> = ran
        .into_iter()
        .map(|(generation, _)| generation)
        .filter(|generation| *generation < current)
        .collect();
    let before = store.definitions(current);
    let target = match to {
        // A head that went back may name it although another was published last.
        Some(Target::Generation(to)) if *to == current && status.head_error.is_none() => {
            return Err(Failure::Refused(format!("generation {to} is the current one; nothing was changed")));
        }
        Some(Target::Generation(to)) => *to,
        Some(Target::Content(content)) if status.content_id.as_deref() == Some(content) => current,
        Some(Target::Content(content)) => holding(store, &earlier, content)?,
        None => {
            store.expect_newest().map_err(Failure::changing)?;
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
    flagstone::merge::keep_base(&before, &mut after, &display::today());
    let differences = diff(&before, &after);
    let mut flags: BTreeMap<String, Option<u64>> =
        change::flags(&differences).into_iter().map(|flag| (flag.to_owned(), None)).collect();
    // Finds the generation that changed each flag, from the target to the current one. A publish that only notes what the file lacks
    // changed no flag.
    let mut changed_by = BTreeSet::new();
    let mut changed = |from: &Definitions, to: &Definitions, generation| {
        for flag in change::flags(&diff(&from.without_state(), &to.without_state())) {
            changed_by.insert(generation);
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
    Ok(Plan { current, to: target, unreadable: None, differences, flags, changed_by, definitions })
}

fn blind(current: u64, to: u64, problem: String) -> Plan {
    let (differences, flags, changed_by) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    Plan { current, to, unreadable: Some(problem), differences, flags, changed_by, definitions: None }
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

/// The last generation of which a rollback would publish other definitions than the current ones: it keeps the keys of flags. The store's
/// own state of flags is left aside: going back over a plan that was held would change no answer.
fn previous(
    store: &Store,
    current: Option<&Definitions>,
    earlier: &[u64],
    content: Option<&str>,
) -> Result<u64, Failure> {
    let says = current.map(Definitions::without_state);
    for generation in earlier.iter().rev() {
        let Ok(snapshot) = store.snapshot(*generation) else { continue };
        let same = |(current, says): (&Definitions, &Definitions)| {
            store.definitions(*generation).is_ok_and(|mut then| {
                flagstone::merge::keep_base(current, &mut then, &display::today());
                then.without_state() == *says
            })
        };
        if content != Some(snapshot.content_id().to_string().as_str())
            && !current.zip(says.as_ref()).is_some_and(same)
        {
            return Ok(*generation);
        }
    }
    Err(Failure::Refused("there is no earlier content to go back to; nothing was changed".to_owned()))
}

fn show(plan: &Plan, output: &mut Output) {
    if let Some(problem) = &plan.unreadable {
        output.warn(format!("{}; what is reverted cannot be told", display::plain(problem)));
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
        output.line(format!("that reverts more than the last publish: {}", display::some(others.iter(), 50)));
    }
}
