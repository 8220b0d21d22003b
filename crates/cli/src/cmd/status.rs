//! `status`: prints what the store serves, and whether a worker would accept it.

use super::history;
use super::stop::{also_off, also_off_text};
use crate::args::Arguments;
use crate::counters;
use crate::guard::GuardReport;
use crate::output::{BAD, BOLD, Exit, Failure, GOOD, Outcome, Output, WARN};
use crate::switches::{Switch, Switches};
use crate::{display, identity, store_view};
use flagstone::audit::Actor;
use flagstone::publish::{HistoryEntry, StoreStatus, dependents_text};
use flagstone::store::{MapPolicy, Reader, ReaderOptions};
use flagstone::{telemetry, time};
use serde_json::{Value, json};
use std::path::Path;

pub fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let store = store_view::store(arguments)?;
    let status = store.status().map_err(Failure::asking)?;
    let reader =
        Reader::open(store.directory(), ReaderOptions { map: MapPolicy::Auto, ..Default::default() });
    let reader = reader.map_err(Failure::asking)?;
    reader.view();
    let served = reader.status();
    let troubles = [&status.kills_unknown, &status.head_error, &served.last_error, &status.error];
    let trouble = troubles.into_iter().flatten().next().cloned();
    // The trail gives the reasons; a store answers without it.
    let (history, untold) = match store.history() {
        Ok(history) => (history, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };

    let may_change = identity::may_change(&store);
    let frozen = may_change.then(|| store.frozen()).flatten();
    let machine = Actor::current().host;
    output.line(format!(
        "{} on {}, {}",
        output.paint(BOLD, &status.environment),
        display::plain(&machine),
        display::plain(&status.directory.to_string_lossy())
    ));
    let mut say = |name: &str, value: String| output.line(format!("  {name:<12} {value}"));
    say("generation", generation(&status));
    if let (Some(flags), Some(size)) = (status.flags, status.size) {
        say(
            "content",
            format!("{}, {} bytes", display::counted(flags.into(), "flag"), display::thousands(size)),
        );
    }
    say("served", format!("{} (generation {})", served.source.as_str(), served.generation));
    if let Some(trouble) = &trouble {
        say("trouble", display::plain(trouble).into_owned());
    }
    let bad = |text: String, output: &Output| output.paint(BAD, text);
    let last_change = history.last().cloned();
    let switches = Switches::new(status.clone(), history);
    let stop = switches.stop();
    let also_off = stop.as_ref().map_or_else(Vec::new, |_| also_off(&store));
    let stopped = match &stop {
        None => "no".to_owned(),
        Some(stop) => bad(format!("yes, {}", stop.text()), output),
    };
    output.line(format!("  {:<12} {stopped}", "stopped"));
    if let Some(text) = also_off_text(&also_off) {
        output.line(format!("  {:<12} {}", "", bad(text, output)));
    }
    if status.killed.is_empty() {
        output.line(format!("  {:<12} none", "killed"));
    }
    for (number, killed) in status.killed.iter().enumerate() {
        let text = switches.kill(&killed.flag).map_or_else(String::new, |kill| kill.text());
        let flag = display::plain(&killed.flag).into_owned();
        let name = if number == 0 { "killed" } else { "" };
        output.line(format!("  {name:<12} {}{}, {text}", bad(flag, output), killed.unpublished()));
        if let Some(text) = dependents_text(&killed.dependents) {
            output.line(format!("  {:<12} {}", "", bad(text, output)));
        }
    }
    let conflicts = store.open_conflicts().unwrap_or_default();
    for (number, conflict) in conflicts.iter().enumerate() {
        let name = if number == 0 { "conflicts" } else { "" };
        let text = display::plain(&conflict.to_string()).into_owned();
        output.line(format!("  {name:<12} {}", output.paint(WARN, text)));
    }
    output.line(format!("  {:<12} {}", "kept", retained(&status.retained)));
    match &status.warning {
        None => output.line(format!(
            "  {:<12} {}",
            "permissions",
            output.paint(GOOD, "only root and its owner can change it")
        )),
        Some(warning) => {
            output.line(format!("  {:<12} {}", "permissions", output.paint(WARN, display::plain(warning))))
        }
    }
    if let Some(why) = &frozen {
        let text = format!("kill and stop-all would stop nothing: {}", display::plain(why));
        output.line(format!("  {:<12} {}", "changes", output.paint(BAD, text)));
    }
    let shut_out = counters::shut_out(&store, Path::new(telemetry::DIRECTORY));
    for out in &shut_out {
        output.line(format!("  {:<12} {}", "shut out", output.paint(BAD, out)));
    }
    let guard = GuardReport::of(&store, time::now());
    if let Some(summary) = guard.summary(time::now()) {
        let style = if guard.problem.is_some() { WARN } else { GOOD };
        output.line(format!("  {:<12} {}", "guard", output.paint(style, display::plain(&summary))));
    }
    let last = match (&last_change, &untold) {
        (Some(entry), _) => line(entry),
        (None, Some(error)) => output.paint(WARN, display::plain(error)),
        (None, None) => output.paint(WARN, "empty"),
    };
    output.line(format!("  {:<12} {last}", "last change"));

    output.json(&json!({
        "machine": machine,
        "store": status,
        "age": status.published_at.as_deref().and_then(age),
        "served": {
            "generation": served.generation,
            "source": served.source.as_str(),
            "error": trouble,
        },
        "killed": status.killed.iter().map(|killed| json!({
            "flag": killed.flag,
            "since": killed.since,
            "known": killed.known,
            "dependents": killed.dependents,
            "reason": switches.kill(&killed.flag).as_ref().and_then(Switch::reason),
        })).collect::<Vec<Value>>(),
        "stopped": status.stopped.as_deref().zip(stop).map(|(since, stop)| json!({
            "since": since,
            "reason": stop.reason(),
            "dependents": also_off,
        })),
        "conflicts": conflicts,
        "permissions": status.warning,
        "read_only": may_change && store.is_read_only(),
        "emergency_error": frozen,
        "shut_out": shut_out,
        "guard": { "state": guard.state, "since": guard.since.map(display::at), "problem": guard.problem },
        "last_change": last_change,
        "audit_error": untold,
    }));
    Ok(if trouble.is_none() { Exit::Yes } else { Exit::No })
}

fn generation(status: &StoreStatus) -> String {
    match &status.published_at {
        None if status.generation > 0 => status.generation.to_string(),
        None => "none: nothing is published yet, every flag is off".to_owned(),
        Some(at) => {
            let ago = time::parse_rfc3339(at.as_bytes())
                .map_or(String::new(), |at| format!(", {}", display::ago(at)));
            format!("{}, published {}{ago}", status.generation, history::second(at))
        }
    }
}

/// Seconds since that time.
fn age(at: &str) -> Option<i64> {
    Some((time::now() - time::parse_rfc3339(at.as_bytes())?) / 1_000_000)
}

/// Ranges of numbers: `3 to 12`, `3, 5 to 7`.
fn retained(generations: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for generation in generations {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *generation => *last = *generation,
            _ => runs.push((*generation, *generation)),
        }
    }
    let noun = match generations.len() {
        0 => return "no generation".to_owned(),
        1 => "generation",
        _ => "generations",
    };
    let runs = runs.iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} to {last}"),
    });
    format!("{noun} {}", runs.collect::<Vec<_>>().join(", "))
}

fn line(entry: &HistoryEntry) -> String {
    let who = entry
        .actor
        .as_ref()
        .map_or(String::new(), |actor| format!(" by {}", display::plain(&actor.to_string())));
    let why = entry.reason.as_deref().map_or(String::new(), |reason| format!(": {}", display::plain(reason)));
    let at = entry.at.as_deref().map(history::second).unwrap_or_default();
    format!("{at} {}{who}{why}", history::what(entry))
}
