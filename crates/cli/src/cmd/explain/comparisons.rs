//! The comparisons of a flag's rules, and their results.
//!
//! Nothing is decided here: the evaluator is asked about flags of one comparison each.

use super::steps::ExplainedQuestion;
use crate::display;
use crate::output::Failure;
use crate::question::Attributes;
use flagstone::definition::{Condition, Definitions, Flag, Percentage, Rollout, Rule};
use flagstone::{Attribute, Question, Snapshot, Switches, compile, enabled};
use serde::Serialize;
use std::collections::BTreeMap;

/// One comparison of a rule's condition, with its result.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The comparison as written.
    pub test: String,
    /// True if it matches by itself.
    pub matches: bool,
    /// The attribute's value in the question.
    pub value: Option<serde_json::Value>,
    /// True if it neither matches nor fails: the question lacks the attribute, or its value does not compare with the operand.
    pub unknown: bool,
    /// True if the question lacks the attribute.
    pub missing: bool,
}

/// Every comparison of each rule, with its result.
pub fn comparisons(asked: &ExplainedQuestion<'_>, rules: &[Rule]) -> Result<Vec<Vec<Comparison>>, Failure> {
    let mut leaves = Vec::new();
    for (number, rule) in rules.iter().enumerate() {
        collect(&rule.when, "", &asked.definitions.segments, number, 0, &mut leaves);
    }
    let conditions: Vec<&Condition> = leaves.iter().map(|(_, _, condition)| *condition).collect();
    let opposites: Vec<Condition> =
        conditions.iter().map(|condition| Condition::Not { not: Box::new((*condition).clone()) }).collect();
    let matches = holds(&conditions, &asked.question)?;
    let opposites = holds(&opposites.iter().collect::<Vec<_>>(), &asked.question)?;
    let mut tests: Vec<Vec<Comparison>> = rules.iter().map(|_| Vec::new()).collect();
    for (((number, prefix, condition), matches), opposite) in leaves.into_iter().zip(matches).zip(opposites) {
        let (mut value, mut missing) = (None, false);
        if let Condition::Test { attribute, .. } = condition {
            match attribute.as_str() {
                "company" => {
                    value = asked.question.company.map(display::key_json);
                    missing = value.is_none();
                }
                "now" => value = Some(display::at(asked.question.now).into()),
                name => {
                    value = asked.question.context.json(name).cloned();
                    missing = asked.question.context.value(name) == Attribute::Missing;
                }
            }
        }
        let test = format!("{prefix}{}", display::condition(condition));
        tests[number].push(Comparison { test, matches, value, unknown: !matches && !opposite, missing });
    }
    Ok(tests)
}

/// Collects the comparisons in a condition, those of its segments included.
fn collect<'a>(
    condition: &'a Condition,
    prefix: &str,
    segments: &'a BTreeMap<String, Condition>,
    rule: usize,
    depth: usize,
    leaves: &mut Vec<(usize, String, &'a Condition)>,
) {
    let mut deeper = |condition, prefix: &str| collect(condition, prefix, segments, rule, depth + 1, leaves);
    match condition {
        // Checked definitions nest less deeply, and their segments form no cycles.
        _ if depth > 512 => {}
        Condition::All { all: parts } | Condition::Any { any: parts } => {
            parts.iter().for_each(|part| deeper(part, prefix));
        }
        Condition::Not { not } => deeper(not, &format!("{prefix}not: ")),
        Condition::Segment { segment } => {
            if let Some(condition) = segments.get(segment) {
                deeper(condition, &format!("{prefix}segment {segment}: "));
            }
        }
        Condition::Test { .. } => leaves.push((rule, prefix.to_owned(), condition)),
    }
}

/// The result of each condition; none may name a segment.
fn holds(conditions: &[&Condition], question: &Question<'_, Attributes>) -> Result<Vec<bool>, Failure> {
    // The names give the snapshot this order.
    let flag = |(number, condition): (usize, &&Condition)| (format!("t{number:08}"), only(condition));
    let flags = conditions.iter().enumerate().map(flag).collect();
    let definitions = Definitions { flags, ..Definitions::default() };
    let failed =
        |error: &dyn std::fmt::Display| Failure::Unknown(format!("cannot tell how the rules hold: {error}"));
    let bytes = compile(&definitions, "explain").map_err(|error| failed(&error))?;
    let snapshot = Snapshot::from_bytes(&bytes).map_err(|error| failed(&error))?;
    let switches = Switches::none();
    Ok(snapshot.flag_ids().map(|flag| enabled(&snapshot, &switches, flag, question)).collect())
}

/// A flag that is on if the condition holds, and off otherwise.
fn only(condition: &Condition) -> Flag {
    let nobody = Rollout {
        percentage: Percentage::default(),
        by: "company".to_owned(),
        salt: None,
        bucketing: Default::default(),
    };
    Flag {
        rollout: Some(nobody),
        rules: vec![Rule { name: None, when: condition.clone(), percentage: None }],
        ..Flag::new(true)
    }
}
