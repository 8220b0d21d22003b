//! What every word that changes a store has in common: who does it, where, and what differs.

use crate::args::Arguments;
use crate::output::{BAD, BOLD, DIM, Failure, GOOD, Output};
use crate::{place, words};
use flagstone::definition::CompanyId;
use flagstone::store::{Change, Difference, Store};
use serde_json::Value;
use std::collections::BTreeSet;

/// Fields shown.
const FIELDS: usize = 100;

/// A change that begins: its store, and who makes it.
pub struct Begun {
    pub store: Store,
    pub change: Change,
}

/// Opens the store, and says in the first line of output which environment is changed, from which machine.
pub fn begin(
    arguments: &Arguments,
    what: &str,
    reason: Option<&str>,
    output: &mut Output,
) -> Result<Begun, Failure> {
    let store = Store::open(&place::directory(arguments)?).map_err(Failure::changing)?;
    let change = Change::by_me(reason.filter(|reason| !reason.trim().is_empty()));
    announce(&store, &change, what, output);
    Ok(Begun { store, change })
}

/// The first line of a change.
pub fn announce(store: &Store, change: &Change, what: &str, output: &mut Output) {
    output.line_now(format!(
        "{} on {}: {}",
        output.paint(BOLD, store.environment()),
        words::plain(&change.actor.host),
        words::plain(what)
    ));
}

/// What differs, by flag and field.
pub fn differences(differences: &[Difference], output: &mut Output) {
    let mut of: Option<&Option<String>> = None;
    for difference in differences.iter().take(FIELDS) {
        let (field, whole) = field(difference);
        if whole && difference.flag.is_some() {
            let (style, sign, word) = match difference.after {
                Some(_) => (GOOD, "+", "new"),
                None => (BAD, "-", "gone"),
            };
            let flag = difference.flag.as_deref().unwrap_or_default();
            output.line(format!(
                "  {} {}",
                output.paint(style, format!("{sign} {flag}")),
                output.paint(DIM, word)
            ));
            of = None;
            continue;
        }
        if of != Some(&difference.flag) {
            of = Some(&difference.flag);
            output
                .line(format!("  {}", output.paint(BOLD, difference.flag.as_deref().unwrap_or("segments"))));
        }
        output.line(format!("    {}  {}", words::plain(&field), values(difference)));
    }
    if differences.len() > FIELDS {
        let more = words::thousands((differences.len() - FIELDS) as u64);
        output.line(format!("  … and {more} more fields (--json shows all)"));
    }
}

/// `2 flags (3 fields)`.
pub fn counted(differences: &[Difference]) -> String {
    let flags: BTreeSet<_> = differences.iter().filter_map(|difference| difference.flag.as_deref()).collect();
    let segments = differences.iter().any(|difference| difference.flag.is_none());
    let fields = words::counted(differences.len() as u64, "field");
    let and = if segments { " and the segments" } else { "" };
    format!("{}{and} ({fields})", words::counted(flags.len() as u64, "flag"))
}

/// The field without its flag, and whether it is the whole flag.
fn field(difference: &Difference) -> (String, bool) {
    let depth = if difference.flag.is_some() { 3 } else { 2 };
    match difference.pointer.splitn(depth + 1, '/').nth(depth) {
        Some(field) => (field.replace('/', "."), false),
        None => (difference.pointer.clone(), true),
    }
}

fn values(difference: &Difference) -> String {
    if let Some(list) = &difference.list {
        let side = |sign, count: u64, first: &[CompanyId]| {
            let shown = first.iter().map(words::company).collect::<Vec<_>>().join(", ");
            let more = count.saturating_sub(first.len() as u64);
            let more =
                if more > 0 { format!(" … and {} more", words::thousands(more)) } else { String::new() };
            format!("{sign} {shown}{more}")
        };
        let added = (list.added > 0).then(|| side("added", list.added, &list.first_added));
        let removed = (list.removed > 0).then(|| side("removed", list.removed, &list.first_removed));
        return added.into_iter().chain(removed).collect::<Vec<_>>().join("; ");
    }
    let side =
        |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), |value| words::short(value, 60));
    format!("{} → {}", side(&difference.before), side(&difference.after))
}

/// The differences of a change that was made or would be.
pub fn flags(differences: &[Difference]) -> BTreeSet<&str> {
    differences.iter().filter_map(|difference| difference.flag.as_deref()).collect()
}
