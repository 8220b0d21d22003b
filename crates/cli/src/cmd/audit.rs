//! `audit`: the trail as it was written, oldest first, and whether it still is.

use super::{change, history};
use crate::args::{Arguments, Audit};
use crate::output::{BAD, BOLD, DIM, Exit, Failure, GOOD, Outcome, Output};
use crate::progress::Progress;
use crate::{place, words};
use flagstone::eval::time;
use flagstone::store::{self, AuditCheck, Record};
use serde_json::json;

pub fn run(arguments: &Arguments, word: &Audit, output: &mut Output) -> Outcome {
    let store = place::store(arguments)?;
    let progress = Progress::begin("verifying the audit trail".to_owned());
    let mut records = Vec::new();
    let check = store.read_audit(|record| {
        if !word.verify && concerns(word, &record) {
            records.push(record);
        }
    });
    let check = check.map_err(Failure::asking)?;
    drop(progress);
    for record in &records {
        tell(record, word.flag.as_ref(), output);
    }
    verdict(&check, output);
    output.json(&json!({
        "environment": store.environment(),
        "ok": check.first_bad.is_none(),
        "records": check.records,
        "snapshots": check.snapshots,
        "first_bad": check.first_bad,
        "torn_end": check.torn_end,
        "trail": (!word.verify).then_some(&records),
    }));
    Ok(if check.first_bad.is_none() { Exit::Yes } else { Exit::No })
}

/// Whether it was asked for.
fn concerns(word: &Audit, record: &Record) -> bool {
    let recent =
        word.since.is_none_or(|since| time::parse_rfc3339(record.at.as_bytes()).is_none_or(|at| at >= since));
    let of = |flag: &String| {
        record.flag.as_ref() == Some(flag)
            || record.differences.iter().any(|difference| difference.flag.as_ref() == Some(flag))
            // It may be one of those that were not written out.
            || record.more_differences > 0
    };
    recent && word.flag.as_ref().is_none_or(of)
}

fn tell(record: &Record, of: Option<&String>, output: &mut Output) {
    let flag = record.flag.as_deref().map_or(String::new(), |flag| format!(" {}", words::plain(flag)));
    let (outcome, style) = match record.outcome {
        store::Outcome::Intended => ("begun", DIM),
        store::Outcome::Done => ("done", GOOD),
        store::Outcome::Failed => ("FAILED", BAD),
    };
    let intention = record.intention.map_or(String::new(), |seq| format!(", as begun in {seq}"));
    let generations = match (record.from, record.to) {
        (from, to) if from == to => format!("generation {to}"),
        (from, to) => format!("generation {from} → {to}"),
    };
    output.line(format!(
        "{} {} {}{flag} {}{intention}, {generations}, by {}",
        output.paint(BOLD, record.seq),
        history::second(&words::plain(&record.at)),
        record.action.word(),
        output.paint(style, outcome),
        words::plain(&record.actor.to_string()),
    ));
    if let Some(reason) = &record.reason {
        output.line(format!("  {}", words::quoted(reason)));
    }
    if let Some(error) = &record.error {
        output.line(format!("  {}", output.paint(BAD, words::plain(error))));
    }
    if let Some(torn) = &record.torn {
        let bytes = words::counted(torn.bytes, "byte");
        output.line(format!("  it follows {bytes} of a line that was never finished"));
    }
    let mut differences = record.differences.clone();
    differences.retain(|difference| of.is_none() || difference.flag.as_ref() == of);
    change::differences(&differences, output);
    if record.more_differences > 0 {
        let more = words::counted(record.more_differences, "field");
        output.line(format!("  … and {more} that the trail only counts"));
    }
}

fn verdict(check: &AuditCheck, output: &mut Output) {
    let good = words::counted(check.records, "record");
    match &check.first_bad {
        None => {
            let agree = match check.snapshots {
                0 => String::new(),
                1 => "; 1 snapshot agrees".to_owned(),
                more => format!("; {} snapshots agree", words::thousands(more)),
            };
            output.line(format!("{}: {good}, each as it was written{agree}", output.paint(GOOD, "whole")));
        }
        Some(bad) => {
            output.line(format!(
                "{} at line {} (record {}): {}",
                output.paint(BAD, "broken"),
                bad.line,
                bad.seq,
                words::plain(&bad.problem)
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
