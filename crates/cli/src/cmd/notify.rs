//! `notify`: sends outstanding events to endpoints, or prints how far each is.

use super::change;
use crate::args::{Arguments, Notify};
use crate::notify::{self, deliver_due};
use crate::output::{Cell, Exit, Failure, Outcome, Output, WARN};
use crate::reminders::Reminders;
use crate::{display, identity, store_view};
use flagstone::publish::Store;
use serde_json::json;

/// The most events given up that are listed.
const DEAD: usize = 5;

pub fn run(arguments: &Arguments, command: &Notify, output: &mut Output) -> Outcome {
    let store = store_view::store(arguments)?;
    if command.status {
        return status(&store, output);
    }
    let warning = Reminders::once(&store, flagstone::time::now());
    change::warn(warning.unwrap_or_else(|error| Some(error.to_string())).as_deref(), output);
    let told = deliver_due(&store, flagstone::time::now())
        .map_err(|error| Failure::Unknown(display::plain(&error).into_owned()))?;
    if told.is_empty() {
        output.line("the store's config names no endpoint under \"notify\"");
    }
    for told in &told {
        let problem =
            told.problem.as_ref().map_or(String::new(), |problem| format!("; {}", display::plain(problem)));
        let dead = if told.dead > 0 { format!(", {} given up", told.dead) } else { String::new() };
        output.line(format!("{}: {} sent{dead}{problem}", told.endpoint, told.sent));
    }
    let well = told.iter().all(|told| told.problem.is_none() && told.dead == 0);
    let endpoint = |told: &crate::notify::RoundResult| json!({ "endpoint": told.endpoint, "sent": told.sent, "dead": told.dead, "problem": told.problem });
    output.json(&json!({ "environment": store.environment(), "endpoints": told.iter().map(endpoint).collect::<Vec<_>>() }));
    Ok(if well { Exit::Yes } else { Exit::No })
}

fn status(store: &Store, output: &mut Output) -> Outcome {
    let config = store.config().map_err(Failure::asking)?;
    if let Some(ignored) = &config.ignored {
        output.warn(display::plain(ignored));
    }
    let (mut rows, mut endpoints, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    for (name, endpoint) in &config.notify {
        let cursor = store.cursor(name.as_str()).map_err(Failure::asking)?;
        let unsent = store.unsent(cursor.as_ref()).map_err(Failure::asking)?;
        let waiting = unsent.changes.iter().filter(|change| endpoint.takes(change)).count();
        let pending = cursor.as_ref().and_then(|cursor| cursor.pending.clone());
        let dead = cursor.as_ref().map_or_else(Vec::new, |cursor| cursor.dead.clone());
        // Others may not read the endpoint's files, and do not send.
        let problem = identity::may_change(store).then(|| notify::problem(store, endpoint)).flatten();
        let state = match (&problem, &cursor, &pending) {
            (Some(problem), _, _) => Cell::warn(problem.as_str()),
            (None, None, _) => Cell::of("nobody has sent to it yet"),
            (None, Some(_), Some(pending)) => Cell::warn(format!(
                "{}; tried {}, again {}",
                display::plain(&pending.problem),
                display::counted(pending.tries.into(), "time"),
                display::at(pending.next)
            )),
            (None, Some(_), None) => Cell::of("well"),
        };
        rows.push(vec![
            Cell::of(name.as_str()),
            Cell::of(waiting.to_string()),
            state,
            Cell::of(if dead.is_empty() { String::new() } else { dead.len().to_string() }),
        ]);
        for dead in dead.iter().rev().take(DEAD) {
            let tries = display::counted(dead.tries.into(), "try");
            lost.push(format!(
                "{name}: given up record {} after {tries}: {}",
                dead.seq,
                display::plain(&dead.problem),
                name = name.as_str()
            ));
        }
        endpoints.push(
            json!({ "endpoint": name.as_str(), "waiting": waiting, "problem": problem, "cursor": cursor }),
        );
    }
    output.table(&["ENDPOINT", "WAITING", "STATE", "GIVEN UP"], &rows);
    for line in lost {
        output.line(output.paint(WARN, line));
    }
    output.json(&json!({ "environment": store.environment(), "endpoints": endpoints }));
    Ok(Exit::Yes)
}
