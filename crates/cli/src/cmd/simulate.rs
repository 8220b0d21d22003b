//! `simulate`: shows the companies that would be in, enter and leave at another percentage, before anything is published.
//!
//! Nothing is decided here: the definitions are compiled again with the other percentage, and both snapshots are asked about each company.

use crate::args::{Arguments, Simulate};
use crate::companies::Companies;
use crate::display;
use crate::impact::{self, Side};
use crate::output::{BOLD, Exit, Failure, GOOD, Outcome, Output, WARN};
use crate::progress::Progress;
use crate::store_view::{self, WorkerView};
use flagstone::definition::{Definitions, Flag, Percentage, Rollout};
use flagstone::{FlagId, Key, Snapshot, Switches};
use serde::{Serialize, Serializer};
use serde_json::json;
use std::collections::BTreeSet;

pub fn run(arguments: &Arguments, command: &Simulate, output: &mut Output) -> Outcome {
    let served = store_view::served(arguments, output)?;
    let id = served.flag(&command.flag)?;
    let progress = Progress::begin("simulating".to_owned());
    let bytes = store_view::read(&command.companies, impact::MAX_COMPANIES_BYTES)?;
    let companies = Companies::read(&store_view::file_name(&command.companies), &bytes)?;
    let keys = companies.keys();
    let definitions = served.definitions()?;
    let key = served.current_key(&command.flag);
    let Some(flag) = definitions.flags.get(key) else {
        return Err(Failure::Unknown(
            "the snapshot's definitions do not hold the flag that it answers for".to_owned(),
        ));
    };
    let now = command.at.unwrap_or_else(flagstone::time::now);
    let remarks = remarks(&served, id, flag, command);
    let (before, _) = flag.percentage_at(now);
    let then = with_percentage(&definitions, key, command.percentage, served.snapshot.environment())?;
    let switches = Switches::none();
    let side = |snapshot| Some(Side { snapshot, switches: &switches });
    let sides = impact::sides(&command.flag, &keys, [side(&served.snapshot), side(&then)], now);
    drop(progress);

    let asked = display::counted(keys.len() as u64, "company");
    output.line(format!(
        "{} at {} instead of {before}: {asked}",
        output.paint(BOLD, &command.flag),
        output.paint(BOLD, command.percentage)
    ));
    if companies.repeated > 0 {
        output.line(format!(
            "{} of the file named before and counted once",
            display::counted(companies.repeated, "id")
        ));
    }
    for remark in &remarks {
        output.line(output.paint(WARN, remark));
    }
    let share = |count: usize| match keys.len() {
        0 => String::new(),
        all => format!(" {:>7.3} %", count as f64 * 100.0 / all as f64),
    };
    let list = |name: &str, keys: &[Key<'_>]| {
        let count = display::thousands(keys.len() as u64);
        let some = match (keys.is_empty(), command.limit) {
            (true, _) | (_, 0) => String::new(),
            (false, limit) => {
                format!("  {}", display::some(keys.iter().map(|key| display::key(*key)), limit))
            }
        };
        format!("  {name:<8} {count:>11}{}{some}", share(keys.len()))
    };
    output.line(format!(
        "  {:<8} {:>11}{}",
        "in now",
        display::thousands(sides.before as u64),
        share(sides.before)
    ));
    output.line(list("in then", &sides.inside));
    output.line(output.paint(GOOD, list("enters", &sides.enters)));
    output.line(output.paint(WARN, list("leaves", &sides.leaves)));
    output.line(format!(
        "Only the percentage is another: lists, rules and prerequisites hold, asked by the company alone. By {}, as of {}. Nothing was changed",
        served.name(),
        display::at(now)
    ));
    output.json(&json!({
        "flag": command.flag,
        "percentage": command.percentage,
        "percentage_now": before,
        "companies": keys.len(),
        "repeated": companies.repeated,
        "in_now": sides.before,
        "in": Keys(&sides.inside),
        "enters": Keys(&sides.enters),
        "leaves": Keys(&sides.leaves),
        "remarks": remarks,
        "environment": served.environment,
        "generation": served.view.generation,
    }));
    Ok(Exit::Yes)
}

/// A snapshot of the flag and all that it requires, with its rollout at that percentage and without a schedule.
fn with_percentage(
    definitions: &Definitions,
    key: &str,
    percentage: Percentage,
    environment: &str,
) -> Result<Snapshot, Failure> {
    let mut definitions = definitions.clone();
    if let Some(flag) = definitions.flags.get_mut(key) {
        flag.schedule.clear();
        match &mut flag.rollout {
            Some(rollout) => rollout.percentage = percentage,
            none => {
                let by = "company".to_owned();
                *none = Some(Rollout { percentage, by, salt: None, bucketing: Default::default() });
            }
        }
    }
    impact::part(&definitions, &BTreeSet::from([key]), environment)
}

/// The reasons that the numbers differ from the workers' answers.
fn remarks(served: &WorkerView, id: FlagId, flag: &Flag, command: &Simulate) -> Vec<String> {
    let mut remarks = Vec::new();
    let switches = &served.view.switches;
    if switches.killed(id) {
        remarks.push(format!("{} is killed: until it is revived, nobody is in", command.flag));
    }
    if switches.stopped() {
        remarks.push("everything is stopped: the numbers are as after `flagstone resume-all`".to_owned());
    }
    if !flag.enabled {
        remarks.push("the flag is not enabled: nobody is in at any percentage".to_owned());
    }
    if let Some(rollout) = &flag.rollout
        && rollout.by != "company"
    {
        remarks.push(format!(
            "the rollout goes by {}, which a list of companies does not tell: who is not decided by a list or a rule counts as out",
            rollout.by
        ));
    }
    let needs: Vec<&str> = served.snapshot.needs(id).collect();
    if !needs.is_empty() {
        remarks.push(format!("the flag also reads {}, which counts as missing", needs.join(", ")));
    }
    if !flag.schedule.is_empty() {
        remarks
            .push("the flag's schedule is left out: a publish would have to leave it out as well".to_owned());
    }
    if !flag.requires.is_empty() {
        remarks.push(format!("who lacks {} is out", flag.requires.join(" or ")));
    }
    remarks
}

/// Keys as a JSON list, without a copy of each.
struct Keys<'a>(&'a [Key<'a>]);

impl Serialize for Keys<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|key| display::key_json(*key)))
    }
}
