//! `stats`: prints the workers' answers, and the results of the requests.

use super::watch;
use crate::args::{Arguments, Stats};
use crate::output::{Cell, DIM, Exit, Outcome, Output};
use crate::{counters, display, store_view};
use flagstone::telemetry::{Cohort, Counts, FlagCounts, duration};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Heights of a sparkline's columns.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub fn run(arguments: &Arguments, command: &Stats, output: &mut Output) -> Outcome {
    if command.watch {
        return watch::run(arguments, command, output);
    }
    let store = store_view::store(arguments)?;
    let served = store_view::served(arguments, output)?;
    let counts = counters::counts(&store, &command.memory.memory, output)?;
    let known: Vec<(&str, &FlagCounts)> = match &command.flag {
        Some(key) => {
            served.flag(key)?;
            let key = served.current_key(key);
            counts.flag(key).map(|flag| (key, flag)).into_iter().collect()
        }
        None => counts.of(&served.snapshot).collect(),
    };
    if command.flag.is_some() && !known.is_empty() {
        for (_, flag) in &known {
            one(flag, command.hours, output);
        }
    } else {
        all(&known, command.hours, output);
    }
    output.line(output.paint(DIM, summary(&known, &counts)));
    output.json(&json!({
        "environment": served.environment,
        "generation": served.view.generation,
        "flags": known.iter().map(|(key, flag)| to_json(key, flag)).collect::<Vec<_>>(),
        "requests": counts.total().requests,
        "errors": counts.total().errors,
        "unknown_flags": counts.unknown,
        "without_room": counts.others,
        "dropped_flags": counts.dropped_flags,
        "dropped_exposures": counts.dropped_exposures,
        "dropped_events": counts.dropped_events,
        "sources": counts.sources.iter().map(|source| json!({
            "path": source.path, "user": source.user, "left_out": source.left_out,
        })).collect::<Vec<_>>(),
    }));
    Ok(Exit::Yes)
}

fn all(known: &[(&str, &FlagCounts)], hours: usize, output: &mut Output) {
    let rows: Vec<Vec<Cell>> = known
        .iter()
        .map(|(key, flag)| {
            let (on, off) = flag.answers();
            vec![
                Cell::of(*key),
                Cell::of(display::thousands(on)),
                Cell::of(display::thousands(off)),
                Cell::of(sparkline(flag, hours)),
                Cell::of(format!("{:.0}", flag.companies)),
                Cell::of(rate(&flag.exposure.on)),
                Cell::of(rate(&flag.exposure.off)),
                Cell::of(p95(&flag.exposure.on)),
                Cell::of(p95(&flag.exposure.off)),
            ]
        })
        .collect();
    let header =
        ["FLAG", "ON", "OFF", "BY HOUR", "COMPANIES", "ERRORS ON", "ERRORS OFF", "P95 ON", "P95 OFF"];
    output.table(&header, &rows);
}

fn one(flag: &FlagCounts, hours: usize, output: &mut Output) {
    let reasons = flag.reasons();
    let rows: Vec<_> = reasons
        .map(|(on, reason, count)| {
            vec![Cell::of(on), Cell::of(reason.as_str()), Cell::of(display::thousands(count))]
        })
        .collect();
    output.table(&["ANSWER", "REASON", "COUNT"], &rows);
    output.line(format!("by hour    {}", sparkline(flag, hours)));
    output.line(format!("companies  about {:.0} in the last day", flag.companies));
    for (name, cohort) in [("on", &flag.exposure.on), ("off", &flag.exposure.off)] {
        let requests = display::counted(cohort.requests, "request");
        output.line(format!("{name:<10} {requests}, errors {}, p95 {}", rate(cohort), p95(cohort)));
    }
    output.line(format!(
        "besides    {} ended by the flag, {} with both answers",
        display::counted(flag.exposure.gated, "request"),
        display::counted(flag.exposure.mixed, "request")
    ));
}

fn summary(known: &[(&str, &FlagCounts)], counts: &Counts) -> String {
    let mut text = format!("{} asked", display::counted(known.len() as u64, "flag"));
    if counts.sources.is_empty() {
        text.push_str(
            "; no worker counts for this store: is flagstone.telemetry on, and in the same directory?",
        );
    }
    if counts.unknown > 0 {
        text.push_str(&format!(
            "; {} for flags that there are not",
            display::counted(counts.unknown, "question")
        ));
    }
    if counts.others > 0 {
        text.push_str(&format!(
            "; {} of flags that there was no room for",
            display::counted(counts.others, "answer")
        ));
    }
    text
}

/// The answers of the last hours, the newest on the right.
fn sparkline(flag: &FlagCounts, hours: usize) -> String {
    let counts: Vec<u64> =
        flag.hours.iter().rev().take(hours).rev().map(|hour| hour.on.saturating_add(hour.off)).collect();
    bars(&counts).trim_start().to_owned()
}

/// Each count as a bar relative to the highest; a space for 0.
pub fn bars(counts: &[u64]) -> String {
    let highest = counts.iter().copied().max().unwrap_or(0).max(1);
    let bar = |count: &u64| match *count {
        0 => ' ',
        count => BARS[((count as f64 / highest as f64 * 8.0).ceil() as usize).clamp(1, 8) - 1],
    };
    counts.iter().map(bar).collect()
}

pub fn rate(cohort: &Cohort) -> String {
    match cohort.requests {
        0 => "-".to_owned(),
        requests => format!("{:.2} %", cohort.errors as f64 * 100.0 / requests as f64),
    }
}

fn p95(cohort: &Cohort) -> String {
    match p95_ms(cohort) {
        Some(ms) if ms < 10.0 => format!("{ms:.1} ms"),
        Some(ms) => format!("{ms:.0} ms"),
        None => "-".to_owned(),
    }
}

/// The upper end of the bucket that includes the 95th percentile; the lower end of the last bucket, which has no upper one.
fn p95_ms(cohort: &Cohort) -> Option<f64> {
    let bucket = duration::quantile(&cohort.durations, 0.95)?;
    let micros =
        if bucket + 1 < duration::BUCKETS { duration::upper(bucket) } else { duration::lower(bucket) };
    Some(micros as f64 / 1000.0)
}

fn to_json(key: &str, flag: &FlagCounts) -> Value {
    let (on, off) = flag.answers();
    let reasons = |answer: &str| -> Value {
        let of = flag.reasons().filter(|(on, ..)| *on == answer);
        of.map(|(_, reason, count)| (reason.as_str().to_owned(), json!(count)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let cohort = |cohort: &Cohort, classes: &[u64]| {
        json!({
            "requests": cohort.requests,
            "errors": cohort.errors,
            "p95_ms": p95_ms(cohort),
            "status": counters::CLASSES.into_iter().zip(classes).collect::<BTreeMap<_, _>>(),
        })
    };
    json!({
        "flag": key,
        "on": on,
        "off": off,
        "reasons": {"on": reasons("on"), "off": reasons("off")},
        "hours": flag.hours.iter().map(|hour| json!({
            "at": display::at(hour.hour as i64 * 3_600_000_000), "on": hour.on, "off": hour.off,
        })).collect::<Vec<_>>(),
        "companies": flag.companies.round(),
        "cohorts": {
            "on": cohort(&flag.exposure.on, &flag.classes[0]),
            "off": cohort(&flag.exposure.off, &flag.classes[1]),
        },
        "gated": flag.exposure.gated,
        "mixed": flag.exposure.mixed,
    })
}
