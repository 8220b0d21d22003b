//! `probe`: checks over HTTP, after a deployment, that each company gets what it should.

use super::check;
use crate::args::ProbeArguments;
use crate::output::{BAD, Cell, Exit, GOOD, Outcome, Output};
use crate::probe::times::Times;
use crate::probe::{Probe, read, run};
use crate::progress::Progress;
use crate::{display, store_view};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The largest file of probes, in bytes.
const MAX_PROBES_BYTES: u64 = 4 << 20;

pub fn run(command: &ProbeArguments, output: &mut Output) -> Outcome {
    let name = store_view::file_name(&command.file);
    let bytes = store_view::read(&command.file, MAX_PROBES_BYTES)?;
    let variables = |name: &str| std::env::var(name).ok();
    let probes = match read::read(&name, &bytes, command.base_url.as_deref(), &variables) {
        Ok(probes) => probes,
        Err(report) => return Err(check::unusable(&name, &report, "nothing was sent", output)),
    };
    let requests = probes.len() * command.repeat;
    let progress = Progress::begin(format!("sending {}", display::counted(requests as u64, "request")));
    let ran = run::all(&probes, command.repeat, command.parallel);
    drop(progress);
    let results: Vec<Result> = (0..probes.len()).map(|number| Result::of(number, &ran)).collect();
    let times = Times::of(ran.iter().filter(|ran| ran.status.is_some()).map(|ran| ran.took).collect());
    let passed = ran.iter().filter(|ran| ran.wrong.is_none()).count();
    let score = passed * 100 / ran.len().max(1);
    let well = passed == ran.len();

    let rows: Vec<Vec<Cell>> =
        probes.iter().zip(&results).map(|(probe, result)| row(probe, result)).collect();
    output.table(&["STATE", "PROBE", "P50", "P95", "P99", "FOUND"], &rows);
    let verdict = match well {
        true => output.paint(GOOD, "as expected"),
        false => output.paint(BAD, "not as expected"),
    };
    output.line(format!(
        "{verdict}: {} of {}, score {score} of 100; p50 {}, p95 {}, p99 {}",
        display::thousands(passed as u64),
        display::counted(ran.len() as u64, "request"),
        or_none(times.shown(50)),
        or_none(times.shown(95)),
        or_none(times.shown(99)),
    ));
    output.json(&json!({
        "file": name,
        "ok": well,
        "score": score,
        "requests": ran.len(),
        "passed": passed,
        "times": times.json(),
        "probes": probes.iter().zip(&results).map(|(probe, result)| result.json(probe)).collect::<Vec<Value>>(),
    }));
    Ok(if well { Exit::Yes } else { Exit::No })
}

fn or_none(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}

/// The results of all requests of one probe.
struct Result {
    sent: usize,
    times: Times,
    /// Number of answers by status.
    statuses: BTreeMap<u16, usize>,
    /// Problems, each with its count.
    wrong: BTreeMap<String, usize>,
}

impl Result {
    fn of(probe: usize, all: &[run::ProbeResult]) -> Result {
        let mut result =
            Result { sent: 0, times: Times::default(), statuses: BTreeMap::new(), wrong: BTreeMap::new() };
        let mut times: Vec<Duration> = Vec::new();
        for ran in all.iter().filter(|ran| ran.probe == probe) {
            result.sent += 1;
            if let Some(status) = ran.status {
                times.push(ran.took);
                *result.statuses.entry(status).or_default() += 1;
            }
            if let Some(wrong) = &ran.wrong {
                *result.wrong.entry(wrong.clone()).or_default() += 1;
            }
        }
        result.times = Times::of(times);
        result
    }

    fn failed(&self) -> usize {
        self.wrong.values().sum()
    }

    fn json(&self, probe: &Probe) -> Value {
        json!({
            "probe": name(probe),
            "method": probe.method,
            "url": probe.shown,
            "company": probe.company,
            "ok": self.wrong.is_empty(),
            "sent": self.sent,
            "failed": self.failed(),
            "statuses": self.statuses,
            "times": self.times.json(),
            "wrong": self.wrong,
        })
    }
}

fn row(probe: &Probe, result: &Result) -> Vec<Cell> {
    let state = match result.wrong.is_empty() {
        true => Cell { text: "ok".to_owned(), style: GOOD },
        false => Cell { text: "FAILED".to_owned(), style: BAD },
    };
    let found = match result.wrong.iter().max_by_key(|(_, count)| **count) {
        None => result.statuses.keys().map(u16::to_string).collect::<Vec<_>>().join(" or "),
        Some((wrong, _)) if result.sent == 1 => wrong.clone(),
        Some((wrong, count)) => {
            let others = result.wrong.len() - 1;
            let more = if others > 0 { format!(", and {others} other") } else { String::new() };
            format!("{wrong} ({count} of {}{more})", result.sent)
        }
    };
    vec![
        state,
        Cell::of(name(probe)),
        Cell::of(result.times.shown(50)),
        Cell::of(result.times.shown(95)),
        Cell::of(result.times.shown(99)),
        Cell::of(display::plain(&found)),
    ]
}

/// The probe's name or `GET /portal`; with the company, as in `GET /portal as pilot`.
fn name(probe: &Probe) -> String {
    let what = match probe.name.as_str() {
        "" => format!("{} {}", probe.method, probe.shown),
        name => name.to_owned(),
    };
    let company = probe.company.as_deref().map_or(String::new(), |company| format!(" as {company}"));
    display::plain(&format!("{what}{company}")).into_owned()
}
