//! The steps of an answer, up to the one that decided.
//!
//! Nothing is decided here: the steps are read off the answer.

use super::comparisons::{Comparison, comparisons};
use crate::display;
use crate::output::Failure;
use crate::question::Attributes;
use crate::store_view::WorkerView;
use flagstone::definition::{Definitions, Emergency, Flag, Percentage};
use flagstone::{Answer, Attribute, Key, Question, Reason, evaluate};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct ExplainStep {
    /// The subject of the step.
    pub step: String,
    /// The finding.
    pub found: String,
    /// The comparisons of a rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<Comparison>,
}

/// The question and its answer, from which the steps are read off.
pub struct ExplainedQuestion<'a> {
    pub served: &'a WorkerView,
    pub definitions: &'a Definitions,
    pub key: &'a str,
    pub flag: &'a Flag,
    pub question: Question<'a, Attributes>,
    pub answer: Answer,
}

/// The attributes that the question lacks, and that the flag or one that it requires reads.
pub fn missing(asked: &ExplainedQuestion<'_>) -> Vec<String> {
    let Some(flag) = asked.served.snapshot.find(asked.key.as_bytes()) else { return Vec::new() };
    let lacks = |name: &&str| asked.question.context.value(name) == Attribute::Missing;
    asked.served.snapshot.needs(flag).filter(lacks).map(str::to_owned).collect()
}

/// An attribute of the question that could not be compared.
#[derive(Debug, Serialize)]
pub struct Unknown {
    pub attribute: String,
    /// The type found: "an array".
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The type expected: "a number".
    pub expected: &'static str,
}

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is {}, expected {}", self.attribute, self.kind, self.expected)
    }
}

/// The attributes that could not be compared before the answer, each once.
pub fn unknown(asked: &ExplainedQuestion<'_>) -> Vec<Unknown> {
    let snapshot = &asked.served.snapshot;
    let Some(flag) = snapshot.find(asked.key.as_bytes()) else { return Vec::new() };
    let mut found: Vec<Unknown> = Vec::new();
    flagstone::unknown(snapshot, &asked.served.view.switches, flag, &asked.question, |unknown| {
        if found.iter().any(|known| known.attribute == unknown.attribute) {
            return;
        }
        let company =
            asked.question.company.filter(|_| unknown.attribute == "company").map(display::key_json);
        let value = company.as_ref().or_else(|| asked.question.context.json(unknown.attribute));
        let kind = match value {
            Some(serde_json::Value::Bool(_)) => "a bool",
            Some(serde_json::Value::Number(number)) if number.is_i64() => "an int",
            Some(serde_json::Value::Number(_)) => "a float",
            Some(serde_json::Value::String(_)) => "a string",
            Some(serde_json::Value::Array(_)) => "an array",
            Some(serde_json::Value::Object(_)) => "an object",
            Some(serde_json::Value::Null) | None => "missing",
        };
        found.push(Unknown { attribute: unknown.attribute.to_owned(), kind, expected: unknown.expected });
    });
    found
}

/// All steps up to the one that decided.
pub fn steps(asked: &ExplainedQuestion<'_>) -> Result<Vec<ExplainStep>, Failure> {
    let (answer, flag) = (asked.answer, asked.flag);
    let mut steps = Vec::new();
    let mut say =
        |step: &str, found: String, tests| steps.push(ExplainStep { step: step.to_owned(), found, tests });
    let yes = |yes| if yes { "yes" } else { "no" }.to_owned();

    say("killed", yes(answer.reason == Reason::Killed), Vec::new());
    if answer.reason == Reason::Killed {
        return Ok(steps);
    }
    let stopped = asked.served.view.switches.stopped();
    let keeps = stopped && flag.emergency == Emergency::Keep;
    say(
        "everything stopped",
        if keeps { "yes, but the flag's emergency is \"keep\"".to_owned() } else { yes(stopped) },
        Vec::new(),
    );
    if answer.reason == Reason::EmergencyStop {
        return Ok(steps);
    }
    say("enabled", yes(flag.enabled), Vec::new());
    if answer.reason == Reason::Disabled {
        return Ok(steps);
    }
    if !flag.requires.is_empty() {
        say("requires", requires(asked), Vec::new());
        if answer.reason == Reason::Prerequisite {
            return Ok(steps);
        }
    }
    for (list, decides, what) in [
        (&flag.companies.deny, Reason::Denied, "denied"),
        (&flag.companies.allow, Reason::Allowed, "allowed"),
    ] {
        if !list.is_empty() {
            let size = display::counted(list.len() as u64, "company");
            say(what, format!("{}, of {size} listed", yes(answer.reason == decides)), Vec::new());
        }
        if answer.reason == decides {
            return Ok(steps);
        }
    }
    let decided = answer.rule.map(|rule| rule as usize);
    let reached = decided.map_or(flag.rules.len(), |rule| rule + 1);
    let rules = flag.rules.get(..reached).unwrap_or(&flag.rules);
    let tests = comparisons(asked, rules)?;
    for ((number, rule), tests) in rules.iter().enumerate().zip(tests) {
        let found = if decided == Some(number) { "holds" } else { "does not hold" };
        say(&display::rule(number, Some(rule)), found.to_owned(), tests);
    }
    say("percentage", percentage(asked), Vec::new());
    if answer.reason != Reason::Full && answer.percentage != Some(Percentage::FULL.thousandths()) {
        say("bucket", bucket(asked), Vec::new());
    }
    Ok(steps)
}

fn requires(asked: &ExplainedQuestion<'_>) -> String {
    let snapshot = &asked.served.snapshot;
    let Some(blocker) = asked.answer.blocker else {
        return format!("{}, all on", asked.flag.requires.join(", "));
    };
    let key = snapshot.flag_key(blocker);
    let answer = evaluate(snapshot, &asked.served.view.switches, blocker, &asked.question);
    let flag = asked.definitions.flags.get(key);
    let via = match asked.flag.requires.iter().any(|required| required == key) {
        true => String::new(),
        false => format!(" (required by one of {})", asked.flag.requires.join(", ")),
    };
    format!("{key}{via} is off: {}", reason(key, flag, &answer, asked.question.context))
}

/// The reason with its details: `rollout_out, bucket 73,104 of 100,000, 10 %`.
pub fn reason(key: &str, flag: Option<&Flag>, answer: &Answer, attributes: &Attributes) -> String {
    let mut text = answer.reason.as_str().to_owned();
    if let Some(rule) = answer.rule {
        let rule = display::rule(rule as usize, flag.and_then(|flag| flag.rules.get(rule as usize)));
        text.push_str(&format!(", {rule}"));
    }
    match answer.reason {
        Reason::NoKey => {
            let by = flag.and_then(|flag| flag.rollout.as_ref()).map_or(key, |rollout| &rollout.by);
            let what =
                if attributes.json(by).is_some() { "is nothing that can be hashed" } else { "is missing" };
            text.push_str(&format!(", attribute \"{by}\" {what}"));
        }
        Reason::NoCompany => text.push_str(", the question names no company"),
        _ => {}
    }
    if let Some(bucket) = answer.bucket {
        text.push_str(&format!(", bucket {} of 100,000", display::thousands(bucket.into())));
    }
    if let Some(percentage) = answer.percentage {
        text.push_str(&format!(", {}", display::percent(percentage)));
    }
    text
}

fn percentage(asked: &ExplainedQuestion<'_>) -> String {
    let percentage = display::percent(asked.answer.percentage.unwrap_or_default());
    let flag = asked.flag;
    if let Some(rule) = asked.answer.rule {
        let rule = rule as usize;
        let from = match flag.rules.get(rule).is_some_and(|rule| rule.percentage.is_some()) {
            true => "the rule's",
            false => "the rule names none",
        };
        return format!("{percentage}, {from}");
    }
    let (_, step) = flag.percentage_at(asked.question.now);
    let from = match (step, &flag.rollout) {
        (Some(step), _) => format!("the schedule's since {}", flag.schedule[step].at),
        (None, Some(_)) => "the rollout's".to_owned(),
        (None, None) => "no rollout is written".to_owned(),
    };
    let next = flag.schedule.get(step.map_or(0, |step| step + 1));
    let next = next.map_or(String::new(), |next| format!("; {} from {}", next.percentage, next.at));
    format!("{percentage}, {from}{next}")
}

fn bucket(asked: &ExplainedQuestion<'_>) -> String {
    let rollout = asked.flag.rollout.as_ref();
    let by = rollout.map_or("company", |rollout| &rollout.by);
    let key = match by {
        "company" => asked.question.company.map(display::key),
        by => match asked.question.context.value(by) {
            Attribute::Int(int) => Some(display::key(Key::Int(int))),
            Attribute::Text(text) => Key::from_bytes(text).map(display::key),
            _ => None,
        },
    };
    let (Some(bucket), Some(key), Some(threshold)) = (asked.answer.bucket, key, asked.answer.percentage)
    else {
        return format!("none: the question lacks {by}");
    };
    let hashed = match rollout {
        Some(rollout) if rollout.bucketing == flagstone::definition::Bucketing::Crc32 => {
            "by crc32".to_owned()
        }
        rollout => {
            let salt = rollout.and_then(|rollout| rollout.salt.as_deref()).unwrap_or(asked.key);
            format!("by xxh3 with salt {}", display::quoted(salt))
        }
    };
    format!(
        "{} of 100,000 for {by} {key} {hashed}: {} {}",
        display::thousands(bucket.into()),
        if asked.answer.on { "below" } else { "not below" },
        display::thousands(threshold.into())
    )
}
