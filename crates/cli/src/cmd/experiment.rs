//! `experiment`: shows how often requests of each arm of a flag had an event, and whether one arm is ahead.

use crate::args::{Arguments, Experiment};
use crate::output::{BOLD, Cell, DIM, Exit, Failure, GOOD, Outcome, Output};
use crate::{counters, display, store_view};
use flagstone::experiment::{ArmResult, EventResult, Interval, results};
use flagstone::telemetry::{Arm, FlagCounts};
use serde_json::{Value, json};

pub fn run(arguments: &Arguments, command: &Experiment, output: &mut Output) -> Outcome {
    let store = store_view::store(arguments)?;
    let served = store_view::served(arguments, output)?;
    served.flag(&command.flag)?;
    let counts = counters::counts(&store, &command.memory.memory, output)?;
    let nothing = FlagCounts::default();
    let mut found = results(counts.flag(served.current_key(&command.flag)).unwrap_or(&nothing));
    if let Some(event) = &command.event {
        if !found.iter().any(|result| result.event == *event) {
            let known = display::some(found.iter().map(|result| display::plain(&result.event)), 8);
            return Err(Failure::Unknown(format!(
                "no event {} was tracked in a request that asked {}; those that were: {}",
                display::quoted(event),
                command.flag,
                if known.is_empty() { "none" } else { &known }
            )));
        }
        found.retain(|result| result.event == *event);
    }
    if found.is_empty() {
        output.line(format!(
            "no event was tracked in a request that asked {}: call feature_track() after asking it",
            command.flag
        ));
    }
    for result in &found {
        print(result, output);
    }
    if let Some(since) = counts.since {
        let since = format!("counted since {}, {}", display::at(since), display::ago(since));
        output.line(output.paint(DIM, since));
    }
    if counts.dropped_events > 0 {
        let dropped = display::counted(counts.dropped_events, "event");
        output.warn(format!("{dropped} or variants of this store had no room and were not counted"));
    }
    output.json(&json!({
        "flag": command.flag,
        "environment": served.environment,
        "since": counts.since.map(display::at),
        "confidence": 1.0 - flagstone::experiment::ALPHA,
        "events": found.iter().map(to_json).collect::<Vec<_>>(),
        "dropped_events": counts.dropped_events,
    }));
    Ok(Exit::Yes)
}

fn print(result: &EventResult, output: &mut Output) {
    output.line(output.paint(BOLD, display::plain(&result.event)));
    let rows: Vec<Vec<Cell>> = result
        .arms
        .iter()
        .map(|arm| {
            vec![
                Cell::of(name(&arm.arm)),
                Cell::of(display::thousands(arm.requests)),
                Cell::of(display::thousands(arm.converted)),
                Cell::of(share(arm)),
                Cell::of(between(arm.rate, |share| format!("{:.2} %", share * 100.0))),
                Cell::of(between(arm.value, |value| format!("{value:.2}"))),
                Cell::of(arm.rate.map_or(String::new(), |rate| format!("{:.1}", rate.design))),
            ]
        })
        .collect();
    output.table(&["ARM", "REQUESTS", "WITH IT", "RATE", "BETWEEN", "VALUE BETWEEN", "DESIGN"], &rows);
    let verdict = match &result.winner {
        Some(arm) => output.paint(GOOD, format!("{} is ahead", name(arm))),
        None => output.paint(DIM, "no winner yet"),
    };
    output.line(verdict);
}

/// The name of an arm, as in the definitions.
fn name(arm: &Arm) -> String {
    match arm {
        Arm::Off => "off".to_owned(),
        Arm::On => "on".to_owned(),
        Arm::Variant(name) => format!("variant {}", display::plain(name)),
    }
}

fn share(arm: &ArmResult) -> String {
    match arm.requests {
        0 => "-".to_owned(),
        requests => format!("{:.2} %", arm.converted as f64 * 100.0 / requests as f64),
    }
}

fn between(interval: Option<Interval>, write: impl Fn(f64) -> String) -> String {
    interval.map_or(String::new(), |found| format!("{} to {}", write(found.low), write(found.high)))
}

fn to_json(result: &EventResult) -> Value {
    let interval = |found: Option<Interval>| {
        found.map(|found| {
            json!({"mean": found.mean, "low": found.low, "high": found.high, "design_effect": found.design})
        })
    };
    let arm = |arm: &Arm| match arm {
        Arm::Off => json!({"arm": "off"}),
        Arm::On => json!({"arm": "on"}),
        Arm::Variant(name) => json!({"arm": "variant", "variant": name}),
    };
    let arms = result.arms.iter().map(|found| {
        let mut told = arm(&found.arm);
        told["requests"] = found.requests.into();
        told["converted"] = found.converted.into();
        told["sum"] = found.sum.into();
        told["rate"] = json!(interval(found.rate));
        told["value"] = json!(interval(found.value));
        told
    });
    json!({
        "event": result.event,
        "arms": arms.collect::<Vec<_>>(),
        "winner": result.winner.as_ref().map(arm),
    })
}
