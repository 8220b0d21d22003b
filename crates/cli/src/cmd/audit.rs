//! `audit`: prints the trail as written, oldest first, and verifies it.

use super::{change, history};
use crate::args::{Arguments, Audit};
use crate::output::{BAD, BOLD, DIM, Exit, Failure, GOOD, Outcome, Output, WARN};
use crate::progress::Progress;
use crate::{display, store_view};
use flagstone::audit::Record;
use flagstone::publish::{AuditCheck, Store};
use flagstone::{answer_history, audit, time};
use serde_json::json;
use std::collections::VecDeque;

pub fn run(arguments: &Arguments, command: &Audit, output: &mut Output) -> Outcome {
    let store = store_view::store(arguments)?;
    let keys = command.flag.as_deref().map(|flag| keys(&store, flag));
    let progress = Progress::begin("verifying the audit trail".to_owned());
    let limit = command.limit.unwrap_or(usize::MAX);
    let (mut records, mut places, mut times) = (VecDeque::new(), Vec::new(), Vec::new());
    let check = store.read_audit(|record| {
        times.push(time::parse_rfc3339(record.at.as_bytes()).unwrap_or_default());
        if !command.verify && concerns(keys.as_deref(), &record) {
            places.push(times.len() - 1);
            records.push_back((times.len() - 1, record));
            if records.len() > limit {
                records.pop_front();
            }
        }
    });
    let check = check.map_err(Failure::asking)?;
    drop(progress);
    // The order of the trail decides: a record that a wrong clock dated is neither hidden nor shown for its date.
    let ordered = answer_history::in_order(&times, time::now());
    let recent = |place: usize| {
        command.since.is_none_or(|since| ordered.get(place).is_none_or(|(at, _)| *at >= since))
    };
    records.retain(|(place, _)| recent(*place));
    let total = places.into_iter().filter(|place| recent(*place)).count();
    let wrong =
        records.iter().filter(|(place, _)| ordered.get(*place).is_some_and(|(_, fits)| !fits)).count();
    let older = total - records.len();
    let records: Vec<Record> = records.into_iter().map(|(_, record)| record).collect();
    if let Some(flag) = command.flag.as_ref().filter(|_| total == 0 && command.since.is_none()) {
        let served = store_view::served(arguments, output)?;
        if served.snapshot.find(flag.as_bytes()).is_none() {
            let unknown = store_view::unknown_flag(&served.snapshot, served.view.generation, flag);
            return Err(Failure::Refused(format!(
                "no record tells of it, and {}; {}",
                unknown.problem, unknown.hint
            )));
        }
    }
    if older > 0 {
        output.line(output.paint(DIM, format!("{} before these", display::counted(older as u64, "record"))));
    }
    for record in &records {
        print_record(record, keys.as_deref(), output);
    }
    if wrong > 0 {
        let records = display::counted(wrong as u64, "record");
        output.line(output.paint(
            WARN,
            format!("a clock was wrong: the dates of {records} do not fit the order of the trail"),
        ));
    }
    verdict(&check, output);
    output.json(&json!({
        "environment": store.environment(),
        "ok": check.first_bad.is_none(),
        "records": check.records,
        "snapshots": check.snapshots,
        "first_bad": check.first_bad,
        "torn_end": check.torn_end,
        "wrong_clocks": wrong,
        "total": total,
        "trail": (!command.verify).then_some(&records),
    }));
    Ok(if check.first_bad.is_none() { Exit::Yes } else { Exit::No })
}

/// All keys of the flag, the given one first.
fn keys(store: &Store, flag: &str) -> Vec<String> {
    let snapshot = store.generation().and_then(|generation| store.snapshot(generation));
    snapshot.map_or_else(
        |_| vec![flag.to_owned()],
        |snapshot| snapshot.keys_of(flag).into_iter().map(str::to_owned).collect(),
    )
}

/// True if the record concerns the flag that was asked for.
fn concerns(keys: Option<&[String]>, record: &Record) -> bool {
    let of = |keys: &[String]| {
        let named = |flag: Option<&String>| flag.is_some_and(|flag| keys.contains(flag));
        named(record.flag.as_ref())
            || record.differences.iter().any(|difference| named(difference.flag.as_ref()))
            // The flag may be among the differences that were not written out.
            || record.more_differences > 0
    };
    keys.is_none_or(of)
}

fn print_record(record: &Record, of: Option<&[String]>, output: &mut Output) {
    let flag = record.flag.as_deref().map_or(String::new(), |flag| format!(" {}", display::plain(flag)));
    let (outcome, style) = match record.outcome {
        audit::Outcome::Intended => ("begun", DIM),
        audit::Outcome::Done if record.unchanged => ("done already", DIM),
        audit::Outcome::Done => ("done", GOOD),
        audit::Outcome::Failed => ("FAILED", BAD),
    };
    let intention = record.intention.map_or(String::new(), |seq| format!(", as begun in {seq}"));
    let generations = match (record.from, record.to) {
        (from, to) if from == to => format!("generation {to}"),
        (from, to) => format!("generation {from} → {to}"),
    };
    output.line(format!(
        "{} {} {}{flag} {}{intention}, {generations}, by {}",
        output.paint(BOLD, record.seq),
        history::second(&display::plain(&record.at)),
        record.action.name(),
        output.paint(style, outcome),
        display::plain(&record.actor.to_string()),
    ));
    if let Some(reason) = &record.reason {
        output.line(format!("  {}", display::quoted(reason)));
    }
    if let Some(error) = &record.error {
        output.line(format!("  {}", output.paint(BAD, display::plain(error))));
    }
    if let Some(torn) = &record.torn {
        let bytes = display::counted(torn.bytes, "byte");
        output.line(format!("  it follows {bytes} of a line that was never finished"));
    }
    let mut differences = record.differences.clone();
    differences.retain(|difference| {
        of.is_none_or(|keys| difference.flag.as_ref().is_some_and(|flag| keys.contains(flag)))
    });
    change::differences(&differences, output);
    if record.more_differences > 0 {
        let more = display::counted(record.more_differences, "field");
        output.line(format!("  … and {more} that the trail only counts"));
    }
}

fn verdict(check: &AuditCheck, output: &mut Output) {
    let good = display::counted(check.records, "record");
    match &check.first_bad {
        None => {
            let agree = match check.snapshots {
                0 => String::new(),
                1 => "; 1 snapshot agrees".to_owned(),
                more => format!("; {} snapshots agree", display::thousands(more)),
            };
            output.line(format!("{}: {good}, each as it was written{agree}", output.paint(GOOD, "whole")));
        }
        Some(bad) => {
            output.line(format!(
                "{} at line {} (record {}): {}",
                output.paint(BAD, "broken"),
                bad.line,
                bad.seq,
                display::plain(&bad.problem)
            ));
            output.line(format!(
                "{good} before it are as they were written; compare with a copy kept elsewhere"
            ));
        }
    }
    if check.torn_end {
        output.line(
            "the last line was cut off, as by a writer's death; the next change closes over it and says so",
        );
    }
}
