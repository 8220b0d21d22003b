//! `list`: lists the flags with their state.

use super::show::{State, state};
use crate::args::Arguments;
use crate::output::{BAD, Cell, DIM, Exit, Outcome, Output};
use crate::switches::{Switch, Switches, notices};
use crate::{display, store_view};
use serde_json::json;

pub fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let served = store_view::served(arguments, output)?;
    let definitions = served.definitions()?;
    let now = flagstone::time::now();
    let today = display::today();
    let mut rows = Vec::with_capacity(definitions.flags.len());
    let mut flags = Vec::with_capacity(definitions.flags.len());
    for (key, flag) in &definitions.flags {
        let State { text, style, killed, stopped, blocker, percentage } = state(&served, key, flag, now);
        let expired = flag.expires.as_deref().is_some_and(|day| day < today.as_str());
        let variants = flag.variants.keys().map(|name| display::plain(name)).collect::<Vec<_>>().join(", ");
        let expires = flag.expires.as_deref().unwrap_or("");
        rows.push(vec![
            Cell::of(flag.was.as_ref().map_or(key.clone(), |was| format!("{key} (was {was})"))),
            Cell { text, style },
            Cell::of(display::plain(flag.owner.as_deref().unwrap_or(""))),
            if expired { Cell::warn(format!("{expires} past")) } else { Cell::of(expires) },
            Cell::of(variants),
        ]);
        flags.push(json!({
            "flag": key,
            "was": flag.was,
            "enabled": flag.enabled,
            "killed": killed,
            "stopped": stopped,
            "blocker": blocker,
            "percentage": percentage,
            "allowed": flag.companies.allow.len(),
            "denied": flag.companies.deny.len(),
            "rules": flag.rules.len(),
            "requires": flag.requires,
            "owner": flag.owner,
            "expires": flag.expires,
            "expired": expired,
            "variants": flag.variants.keys().collect::<Vec<_>>(),
        }));
    }
    output.table(&["FLAG", "STATE", "OWNER", "EXPIRES", "VARIANTS"], &rows);
    let stop =
        served.view.switches.stopped().then(|| Switches::of(&store_view::store(arguments).ok()?)?.stop());
    let stop = stop.flatten();
    for line in notices("", None, stop.as_ref()) {
        output.line(output.paint(BAD, line));
    }
    output.line(
        output.paint(DIM, format!("{}, {}", display::counted(rows.len() as u64, "flag"), served.name())),
    );
    output.json(&json!({
        "environment": served.environment,
        "generation": served.view.generation,
        "stopped": served.view.switches.stopped(),
        "stop": stop.as_ref().map(Switch::json),
        "flags": flags,
    }));
    Ok(Exit::Yes)
}
