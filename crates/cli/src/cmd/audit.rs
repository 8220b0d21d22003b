//! `audit`: is the trail what was written?

use crate::args::Arguments;
use crate::output::{BAD, Exit, Failure, GOOD, Outcome, Output};
use crate::progress::Progress;
use crate::{place, words};
use serde_json::json;

pub fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let store = place::store(arguments)?;
    let progress = Progress::begin("verifying the audit trail".to_owned());
    let check = store.verify_audit().map_err(Failure::asking)?;
    drop(progress);
    let good = words::counted(check.records, "record");
    match &check.first_bad {
        None => output.line(format!("{}: {good}, each as it was written", output.paint(GOOD, "whole"))),
        Some(bad) => {
            output.line(format!(
                "{} at record {} (line {}): {}",
                output.paint(BAD, "broken"),
                bad.seq,
                bad.line,
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
    output.json(&json!({
        "environment": store.environment(),
        "ok": check.first_bad.is_none(),
        "records": check.records,
        "first_bad": check.first_bad,
        "torn_end": check.torn_end,
    }));
    Ok(if check.first_bad.is_none() { Exit::Yes } else { Exit::No })
}
