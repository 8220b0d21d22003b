//! Checks that the workers that answer are counted, that their counters are believed, and that a guard watches and may act.

use super::answer::Answer;
use super::store::Opened;
use super::{GUARD, Report};
use crate::guard::GuardReport;
use crate::output::Failure;
use crate::{counters, words};
use flagstone::guard::Blindness;
use std::path::Path;

/// The way to mend workers that do not count, or are not believed.
const MEND_COUNTERS: &str =
    "see Where in docs/telemetry.md; `flagstone guard --once` says whether it sees them";

/// Reports on the guard, and on its sight of the workers that answered.
pub fn checks(opened: &Opened, worker: Option<&Answer>, memory: &Path, report: &mut Report) {
    let store = &opened.store;
    let guard = GuardReport::of(store, flagstone::time::now());
    let uncounted = worker
        .and_then(|answer| answer.status.as_ref()?.telemetry.error.as_deref())
        .map(|why| format!("a worker answers and does not count: {}", words::plain(why)));
    let unseen = || match counters::quietly(store, memory) {
        Err(Failure::Refused(error) | Failure::Unknown(error)) => Some(words::plain(&error).into_owned()),
        Ok(counts) => Blindness::of(&counts, flagstone::time::now()).map(|blindness| blindness.to_string()),
    };
    if !guard.is_meant() {
        return match uncounted.filter(|_| worker.is_some()) {
            Some(found) => report.warned(GUARD, format!("no guard watches, and {found}"), MEND_COUNTERS),
            None => report.not_asked(GUARD, "no guard watches this store"),
        };
    }
    let problem = guard.problem.clone().or(uncounted).or_else(unseen);
    if let Some(problem) = problem {
        let mend = match guard.state {
            "ended" => {
                "start it: systemctl restart flagstone; or, where nobody is to watch: flagstone run --no-guard"
            }
            "watching" => "mend config.json: `flagstone config` says where it is wrong",
            "helpless" => "give the store's owner the head back, as `flagstone status` names it",
            "restarting" | "silent" => "see what ends it or holds it up: journalctl -u flagstone, or its log",
            _ => MEND_COUNTERS,
        };
        return report.failed(GUARD, words::plain(&problem), mend);
    }
    let since = guard.since.map_or(String::new(), |since| format!(" since {}", words::at(since)));
    report.passed(GUARD, format!("a guard watches{since}"));
}
