//! `show`: prints all fields of one flag.

use super::plan_show;
use crate::args::{Arguments, Show};
use crate::display;
use crate::output::{BAD, BOLD, Exit, Failure, GOOD, Outcome, Output, WARN};
use crate::store_view::{self, WorkerView};
use crate::switches::{Switch, Switches, notices};
use anstyle::Style;
use flagstone::definition::{Bucketing, Emergency, Flag, Percentage};
use flagstone::publish::dependents_text;
use flagstone::{blocker, dependents, flag_change, merge, possible};
use serde_json::{Value, json};

/// The most companies that are listed.
const COMPANIES: usize = 20;

/// The state of a flag, in a few words.
pub struct State {
    pub text: String,
    pub style: Style,
    pub killed: bool,
    pub stopped: bool,
    /// The required flag that is off for everybody and keeps this one off.
    pub blocker: Option<String>,
    /// The percentage at that instant, even if a switch turns the flag off.
    pub percentage: Value,
}

/// The state, with the one without the kill or the stop in brackets: `KILLED (50 %)`.
fn forced(switch: &str, flag: &Flag, now: i64) -> String {
    format!("{switch} ({})", flag_change::state(flag, now))
}

/// The state of the flag at that instant: killed, stopped, off, on, or on for some.
pub fn state(served: &WorkerView, key: &str, flag: &Flag, now: i64) -> State {
    let switches = &served.view.switches;
    let id = served.snapshot.find(key.as_bytes());
    let killed = id.is_some_and(|flag| switches.killed(flag));
    let blocker = id.and_then(|flag| blocker(&served.snapshot, switches, flag, now));
    let blocker = blocker.map(|flag| served.snapshot.flag_key(flag).to_owned());
    let stopped = switches.stopped() && flag.emergency != Emergency::Keep;
    let (percentage, _) = flag.percentage_at(now);
    let (text, style) = match &blocker {
        _ if killed => (forced("KILLED", flag, now), BAD),
        _ if stopped => (forced("STOPPED", flag, now), BAD),
        _ if !flag.enabled => ("off".to_owned(), Style::new()),
        Some(blocker) => (forced(&format!("off, as {blocker} is"), flag, now), BAD),
        None => (flag_change::state(flag, now), if percentage == Percentage::FULL { GOOD } else { WARN }),
    };
    State {
        text,
        style,
        killed,
        stopped,
        blocker,
        percentage: display::percent_json(percentage.thousandths()),
    }
}

pub fn run(arguments: &Arguments, command: &Show, output: &mut Output) -> Outcome {
    let served = store_view::served(arguments, output)?;
    let id = served.flag(&command.flag)?;
    let definitions = served.definitions()?;
    let key = served.current_key(&command.flag);
    let Some(flag) = definitions.flags.get(key) else {
        return Err(Failure::Unknown(
            "the snapshot's definitions do not hold the flag that it answers for".to_owned(),
        ));
    };
    let now = flagstone::time::now();
    let state = state(&served, key, flag, now);
    let (snapshot, switches) = (&served.snapshot, &served.view.switches);
    let dependents: Vec<String> = match possible(snapshot, switches, id, now) {
        true => Vec::new(),
        false => dependents(snapshot, switches, id, now).map(|id| snapshot.flag_key(id).to_owned()).collect(),
    };
    let needs: Vec<&str> = served.snapshot.needs(id).collect();
    output.line(format!("{}  {}", output.paint(BOLD, key), output.paint(state.style, &state.text)));
    let off =
        (state.killed || state.stopped).then(|| Switches::of(&store_view::store(arguments).ok()?)).flatten();
    let kill = off.as_ref().and_then(|off| off.kill(key));
    let stop = off.as_ref().filter(|_| state.stopped).and_then(Switches::stop);
    for line in notices(key, kill.as_ref(), stop.as_ref()) {
        output.line(output.paint(BAD, line));
    }
    if let Some(blocker) = &state.blocker {
        let text = format!("it requires {blocker}, which is off for everybody: so is this one");
        output.line(output.paint(BAD, text));
    }
    if let Some(text) = dependents_text(&dependents) {
        output.line(output.paint(BAD, text));
    }
    store_view::tell_current_key(&command.flag, key, output);
    if let Some(description) = &flag.description {
        output.line(display::plain(description));
    }
    for (name, value) in fields(key, flag) {
        output.line(format!("  {name:<11} {value}"));
    }
    if !needs.is_empty() {
        output.line(format!("  {:<11} {}", "reads", needs.join(", ")));
    }
    let unlike = merge::unlike_its_file(key, flag);
    for drift in &unlike {
        let text = drift.to_string();
        let text = text.strip_prefix(&format!("{key}: ")).unwrap_or(&text);
        output.line(format!("  {:<11} {}", "changed", display::plain(text)));
    }
    output.line(format!("  {:<11} {}", "of", served.name()));
    output.json(&json!({
        "flag": key,
        "killed": state.killed,
        "kill": kill.as_ref().map(Switch::json),
        "stopped": state.stopped,
        "stop": stop.as_ref().map(Switch::json),
        "blocker": state.blocker,
        "dependents": dependents,
        "percentage": state.percentage,
        "needs": needs,
        "definition": flag,
        "unlike_file": unlike,
        "environment": served.environment,
        "generation": served.view.generation,
    }));
    Ok(Exit::Yes)
}

/// The flag's fields, in the order in which they decide.
fn fields(key: &str, flag: &Flag) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    let mut say = |name, value: String| fields.push((name, value));
    if let Some(was) = &flag.was {
        say("was", format!("{was}, and answers to that as well"));
    }
    if let Some(owner) = &flag.owner {
        say("owner", display::plain(owner).into_owned());
    }
    if let Some(day) = &flag.expires {
        let past = if *day < display::today() { ", which is past: remove it" } else { "" };
        say("expires", format!("{day}{past}"));
    }
    if flag.emergency == Emergency::Keep {
        say("emergency", "keep: it goes on through a stop of everything".to_owned());
    }
    say("enabled", if flag.enabled { "yes" } else { "no" }.to_owned());
    if !flag.requires.is_empty() {
        say("requires", flag.requires.join(", "));
    }
    for (name, companies) in [("denied", &flag.companies.deny), ("allowed", &flag.companies.allow)] {
        if !companies.is_empty() {
            say(name, display::some(companies.iter().map(display::company), COMPANIES));
        }
    }
    for (number, rule) in flag.rules.iter().enumerate() {
        let percentage = rule.percentage.unwrap_or(Percentage::FULL);
        let text = format!(
            "{}: {percentage} where {}",
            display::rule(number, Some(rule)),
            display::condition(&rule.when)
        );
        say(if number == 0 { "rules" } else { "" }, text);
    }
    match &flag.rollout {
        None => say("rollout", "none written: everybody".to_owned()),
        Some(rollout) => {
            let hashed = match rollout.bucketing {
                Bucketing::Crc32 => "crc32".to_owned(),
                Bucketing::Xxh3 => {
                    format!("xxh3, salt {}", display::quoted(flag.salt(key)))
                }
            };
            say("rollout", format!("{} by {} ({hashed})", rollout.percentage, rollout.by));
        }
    }
    for (number, step) in flag.schedule.iter().enumerate() {
        say(if number == 0 { "schedule" } else { "" }, format!("{} from {}", step.percentage, step.at));
    }
    if let Some(plan) = &flag.plan {
        let stages = display::counted(plan.stages.len() as u64, "stage");
        say("plan", format!("{stages}: {}; `flagstone plan show {key}`", plan_show::place(flag)));
    }
    for (number, (name, variant)) in flag.variants.iter().enumerate() {
        let value =
            variant.value.as_ref().map_or(String::new(), |value| format!(" = {}", display::short(value, 60)));
        let text = format!("{} {}{value}", display::plain(name), variant.weight);
        say(if number == 0 { "variants" } else { "" }, text);
    }
    fields
}
