//! `explain`: one sentence for people, then the steps that led to it.

mod comparisons;
mod steps;

use crate::args::{Arguments, Ask};
use crate::output::{BAD, BOLD, DIM, Exit, Failure, GOOD, Outcome, Output, WARN};
use crate::question::{Attributes, question};
use crate::switches::Switches;
use crate::{display, store_view};
use flagstone::{Reason, evaluate, rule_name, variant};
use serde_json::json;
use steps::{ExplainedQuestion, Unknown, missing, reason, steps, unknown};

/// The most comparisons of one rule that are printed.
const TESTS: usize = 20;

pub fn run(arguments: &Arguments, command: &Ask, output: &mut Output) -> Outcome {
    let attributes = Attributes::read(command.context.as_deref())?;
    let served = store_view::served(arguments, output)?;
    let id = served.flag(&command.flag)?;
    let definitions = served.definitions()?;
    let Some(flag) = definitions.flags.get(served.current_key(&command.flag)) else {
        return Err(Failure::Unknown(
            "the snapshot's definitions do not hold the flag that it answers for".to_owned(),
        ));
    };
    let question = question(command, &attributes);
    let answer = evaluate(&served.snapshot, &served.view.switches, id, &question);
    let variant = if answer.on { variant(&served.snapshot, id, &question) } else { None };
    let asked = ExplainedQuestion {
        served: &served,
        definitions: &definitions,
        key: &command.flag,
        flag,
        question,
        answer,
    };
    let (mut steps, missing, unknown) = (steps(&asked)?, missing(&asked), unknown(&asked));
    if let (Reason::Killed | Reason::EmergencyStop, Some(last)) = (answer.reason, steps.last_mut())
        && let Some(told) = told(arguments, &command.flag, answer.reason)
    {
        last.found = format!("yes, {told}");
    }

    let state = if answer.on { output.paint(GOOD.bold(), "ON") } else { output.paint(BAD, "OFF") };
    let whom = match asked.question.company {
        Some(company) => format!("for company {}", display::key(company)),
        None => "without a company".to_owned(),
    };
    let mut sentence = format!("{state} {whom}: {}", reason(&command.flag, Some(flag), &answer, &attributes));
    if let (Reason::Prerequisite, Some(blocker)) = (answer.reason, answer.blocker) {
        sentence.push_str(&format!(", {} is off", served.snapshot.flag_key(blocker)));
    }
    if let Some(variant) = variant {
        sentence.push_str(&format!(", variant {}", display::plain(variant.name)));
    }
    output.line(sentence);
    store_view::tell_current_key(&command.flag, served.current_key(&command.flag), output);
    output.line("");
    let width = steps.iter().map(|step| step.step.chars().count()).max().unwrap_or(0);
    for step in &steps {
        output.line(format!("  {:width$}  {}", step.step, step.found));
        for test in step.tests.iter().take(TESTS) {
            let (style, found) = match (test.matches, test.unknown) {
                (true, _) => (GOOD, "matches"),
                (false, false) => (DIM, "does not match"),
                (false, true) => (WARN, "is unknown"),
            };
            let why = match &test.value {
                _ if test.missing => output.paint(WARN, ", the question lacks it"),
                Some(value) => format!(", it is {}", display::short(value, 40)),
                None => String::new(),
            };
            output.line(format!("  {:width$}    {}: {}{why}", "", test.test, output.paint(style, found)));
        }
        if step.tests.len() > TESTS {
            output.line(format!("  {:width$}    … and {} more", "", step.tests.len() - TESTS));
        }
    }
    output.line("");
    let looked = !matches!(answer.reason, Reason::Killed | Reason::EmergencyStop | Reason::Disabled);
    if looked && !missing.is_empty() {
        output.line(format!("The question lacks: {}", missing.join(", ")));
    }
    if !unknown.is_empty() {
        let named = unknown.iter().map(Unknown::to_string).collect::<Vec<_>>().join("; ");
        output.line(format!("Cannot be compared, so that conditions are unknown: {named}"));
    }
    output.line(format!(
        "{} as of {}, by {}, published {}",
        output.paint(BOLD, &command.flag),
        display::at(asked.question.now),
        served.name(),
        display::at(served.view.published_at),
    ));
    output.json(&json!({
        "flag": command.flag,
        "company": asked.question.company.map(display::key_json),
        "enabled": answer.on,
        "reason": answer.reason.as_str(),
        "rule": answer.rule,
        "rule_name": answer.rule.and_then(|rule| rule_name(&served.snapshot, id, rule)),
        "bucket": answer.bucket,
        "percentage": answer.percentage.map(display::percent_json),
        "variant": variant.map(|variant| variant.name),
        "prerequisite": answer.blocker.map(|blocker| served.snapshot.flag_key(blocker)),
        "missing": missing,
        "unknown": unknown,
        "environment": served.environment,
        "generation": served.view.generation,
        "steps": steps,
    }));
    Ok(Exit::Yes)
}

/// The start, author and reason of the kill or stop, as far as they can be read.
fn told(arguments: &Arguments, flag: &str, reason: Reason) -> Option<String> {
    let switches = Switches::of(&store_view::store(arguments).ok()?)?;
    let switch = match reason {
        Reason::Killed => switches.kill(flag)?,
        _ => switches.stop()?,
    };
    Some(switch.text())
}
