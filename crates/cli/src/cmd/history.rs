//! `history`: lists the changes, newest first.

use super::{change, company_history};
use crate::args::{Arguments, History};
use crate::output::{BAD, Cell, DIM, Exit, Failure, GOOD, Outcome, Output};
use crate::{display, store_view};
use anstyle::Style;
use flagstone::answer_history;
use flagstone::audit;
use flagstone::audit::Action;
use flagstone::publish::HistoryEntry;
use flagstone::time::parse_rfc3339;
use serde_json::json;
use std::collections::BTreeSet;

/// The mark of a date that does not fit the order of the trail.
pub const WRONG_CLOCK: &str = " (wrong clock)";
/// The mark of a kill or a stop that changed nothing.
pub const ALREADY: &str = " (it was already)";

pub fn run(arguments: &Arguments, command: &History, output: &mut Output) -> Outcome {
    if let Some(company) = &command.company {
        return company_history::run(arguments, command, company, output);
    }
    let store = store_view::store(arguments)?;
    let mut entries = store.history().map_err(Failure::asking)?;
    let all = entries.len();
    let wrong = wrong_clocks(&entries);
    entries.reverse();
    if command.limit > 0 {
        entries.truncate(command.limit);
    }
    let rows: Vec<Vec<Cell>> = entries.iter().map(|entry| row(entry, &wrong)).collect();
    output.table(&["WHEN", "WHAT", "CONTENT", "WHY", "WHO"], &rows);
    let shown = entries.len();
    let counted = display::counted(all as u64, "change");
    let shown = if shown < all { format!("{counted}, the last {shown} shown") } else { counted };
    output.line(output.paint(DIM, format!("{shown}, {}", store.environment())));
    output.json(
        &json!({ "environment": store.environment(), "changes": entries, "total": all, "wrong_clocks": wrong }),
    );
    Ok(Exit::Yes)
}

/// Numbers of the records whose dates do not fit their order.
pub fn wrong_clocks(entries: &[HistoryEntry]) -> BTreeSet<u64> {
    let dated = |entry: &HistoryEntry| Some((entry.seq?, parse_rfc3339(entry.at.as_ref()?.as_bytes())?));
    let (numbers, times): (Vec<u64>, Vec<i64>) = entries.iter().filter_map(dated).unzip();
    let ordered = answer_history::in_order(&times, flagstone::time::now());
    numbers.into_iter().zip(ordered).filter(|(_, (_, fits))| !fits).map(|(seq, _)| seq).collect()
}

fn row(entry: &HistoryEntry, wrong: &BTreeSet<u64>) -> Vec<Cell> {
    let clock = if entry.seq.is_some_and(|seq| wrong.contains(&seq)) { WRONG_CLOCK } else { "" };
    let content = match (entry.current, entry.retained) {
        (true, _) => Cell { text: "current".to_owned(), style: GOOD },
        (false, true) => Cell::of("kept"),
        (false, false) => Cell::of(""),
    };
    let style = match (entry.outcome, entry.action) {
        (audit::Outcome::Done, Some(Action::Kill | Action::StopAll)) | (audit::Outcome::Failed, _) => BAD,
        _ => Style::new(),
    };
    vec![
        Cell::of(entry.at.as_deref().map(|at| format!("{}{clock}", second(at))).unwrap_or_default()),
        Cell { text: what(entry), style },
        content,
        Cell::of(display::plain(entry.error.as_deref().or(entry.reason.as_deref()).unwrap_or(""))),
        Cell::of(
            entry
                .actor
                .as_ref()
                .map_or(String::new(), |actor| display::plain(&actor.to_string()).into_owned()),
        ),
    ]
}

/// A time of the audit trail, to the second.
pub fn second(at: &str) -> String {
    match at.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => at.to_owned(),
    }
}

/// The first field of a flag's change, before and after; otherwise the number of changed fields.
fn fields(entry: &HistoryEntry) -> String {
    let first = entry
        .first_difference
        .as_ref()
        .filter(|first| entry.flag.is_some() && !change::is_state(first))
        .map(|first| (change::field(first), first));
    match (entry.differences, first) {
        (0, _) => String::new(),
        (count, Some(((field, false), first))) => {
            let more = match count {
                1 => String::new(),
                count => format!(" and {} more", display::counted(count - 1, "field")),
            };
            format!(" ({} {}{more})", display::plain(&field), change::values(first))
        }
        (count, _) => format!(" ({})", display::counted(count, "field")),
    }
}

/// The change as text: `publish 13 (2 fields)`, `rollout search, publish 14 (rollout.percentage 50 → 90)`, `kill checkout`.
pub fn what(entry: &HistoryEntry) -> String {
    let flag = display::plain(entry.flag.as_deref().unwrap_or(""));
    let fields = fields(entry);
    let text = match entry.action {
        None => format!("generation {}, not in the audit trail", entry.generation),
        Some(Action::Publish) => format!("publish {}{fields}", entry.generation),
        Some(Action::Rollback) => {
            let to = entry.rolled_back_to.map_or(String::new(), |to| format!(" as {to}"));
            format!("rollback {}{to}{fields}", entry.generation)
        }
        Some(action) if action.is_edit() => {
            format!("{} {flag}, publish {}{fields}", action.name(), entry.generation)
        }
        Some(action) if action.is_plan() => {
            let stage = entry.stage.map_or(String::new(), |stage| format!(", stage {stage}"));
            format!("{} {flag}{stage}, publish {}{fields}", action.name(), entry.generation)
        }
        Some(action) => {
            let already = if entry.unchanged { ALREADY } else { "" };
            format!("{}{already}", format!("{} {flag}", action.name()).trim_end())
        }
    };
    match entry.outcome {
        audit::Outcome::Done => text,
        audit::Outcome::Failed => format!("{text} FAILED"),
        audit::Outcome::Intended => format!("{text}, begun only"),
    }
}
