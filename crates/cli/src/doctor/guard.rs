//! Checks that the workers that answer are counted, that their counters are believed, and that a guard watches and may act.

use super::answer::Answer;
use super::store::Opened;
use super::{GUARD, Report};
use crate::guard::GuardReport;
use crate::{counters, display};
use flagstone::guard::Blindness;
use flagstone::telemetry::Source;
use std::ffi::OsStr;
use std::path::Path;

/// The way to mend workers that do not count, or are not believed.
const MEND_COUNTERS: &str =
    "see Where in docs/telemetry.md; `flagstone guard --once` says whether it sees them";

/// The way to mend workers that are told not to count.
const MEND_OFF: &str = "set flagstone.telemetry = On in php.ini or in the pool's file, and restart PHP";

/// The last two parts of a path.
fn last_two(path: &Path) -> (Option<&OsStr>, Option<&OsStr>) {
    (path.parent().and_then(Path::file_name), path.file_name())
}

/// Reports on the guard, and on its sight of the workers that answered.
pub fn checks(opened: &Opened, worker: Option<&Answer>, memory: &Path, report: &mut Report) {
    let store = &opened.store;
    let guard = GuardReport::of(store, flagstone::time::now());
    let telemetry = worker.and_then(|answer| answer.status.as_ref()?.telemetry.as_ref());
    let uncounted = telemetry
        .and_then(|telemetry| telemetry.error.as_deref())
        .map(|why| format!("a worker answers and does not count: {}", display::plain(why)));
    let counts = counters::quietly(store, memory);
    let left_out: Vec<_> = counts.iter().flat_map(counters::left_out).collect();
    let text = |(source, why): &(&Source, &str)| format!("{} is left out: {why}", source.path.display());
    // A pool may see that memory under another path: the user's directory and the file in it tell.
    let met = telemetry.and_then(|telemetry| telemetry.file.as_deref()).map(last_two);
    let met = left_out.iter().find(|(source, _)| met == Some(last_two(&source.path))).map(text);
    let left_out = left_out.first().map(text);
    if !guard.is_meant() {
        return match uncounted.or(left_out.filter(|_| worker.is_some())) {
            Some(found) => {
                let found = format!("no guard watches, and {}", display::plain(&found));
                report.warned(GUARD, found, MEND_COUNTERS);
            }
            None => report.not_asked(GUARD, "no guard watches this store"),
        };
    }
    let mend = match guard.state {
        "ended" => {
            "start it: systemctl restart flagstone; or, where nobody is to watch: flagstone run --no-guard"
        }
        "watching" => "mend config.json: `flagstone config` says where it is wrong",
        "helpless" => "give the store's owner the head back, as `flagstone status` names it",
        "restarting" | "silent" => "see what ends it or holds it up: journalctl -u flagstone, or its log",
        _ => MEND_COUNTERS,
    };
    let unseen = match &counts {
        Err(failure) => Some(failure.text().to_owned()),
        Ok(counts) => Blindness::of(counts, flagstone::time::now()).map(|blindness| blindness.to_string()),
    };
    // A worker that has no snapshot counts nothing either way.
    let answers =
        worker.and_then(|answer| answer.status.as_ref()).is_some_and(|status| status.source != "none");
    let off =
        answers && telemetry.is_some_and(|telemetry| telemetry.file.is_none() && telemetry.error.is_none());
    let off =
        off.then(|| ("a worker answers and does not count: flagstone.telemetry is off".to_owned(), MEND_OFF));
    let met = met.map(|found| format!("a worker answers and is not believed: {found}"));
    let uncounted = off.or(uncounted.or(met).or(unseen).map(|problem| (problem, MEND_COUNTERS)));
    if let Some((problem, mend)) = guard.problem.map(|problem| (problem, mend)).or(uncounted) {
        return report.failed(GUARD, display::plain(&problem), mend);
    }
    if let Some(found) = left_out {
        return report.warned(GUARD, display::plain(&found), MEND_COUNTERS);
    }
    let since = guard.since.map_or(String::new(), |since| format!(" since {}", display::at(since)));
    report.passed(GUARD, format!("a guard watches{since}"));
}
