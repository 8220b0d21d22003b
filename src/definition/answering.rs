//! The fields of a flag that affect answers.

use super::{Condition, Flag, FlagState, Managed};
use std::collections::{BTreeMap, BTreeSet};

impl Flag {
    /// Keeps the fields that affect answers: two flags equal in them answer alike, as long as segments do.
    pub fn answering(self) -> Flag {
        Flag {
            description: None,
            owner: None,
            expires: None,
            plan: None,
            guard: None,
            managed: Managed::default(),
            state: FlagState::default(),
            ..self
        }
    }

    /// The defined segments that its rules use, directly or through other segments.
    pub fn segments<'a>(&'a self, segments: &'a BTreeMap<String, Condition>) -> BTreeSet<&'a str> {
        let mut used = BTreeSet::new();
        let mut open: Vec<&Condition> = self.rules.iter().map(|rule| &rule.when).collect();
        while let Some(condition) = open.pop() {
            match condition {
                Condition::All { all: parts } | Condition::Any { any: parts } => open.extend(parts),
                Condition::Not { not } => open.push(not),
                Condition::Segment { segment } => {
                    if let Some(named) = segments.get(segment)
                        && used.insert(segment.as_str())
                    {
                        open.push(named);
                    }
                }
                Condition::Test { .. } => {}
            }
        }
        used
    }
}

/// True if answers depend on a flag's field of that name.
pub(crate) fn is_answering(field: &str) -> bool {
    !matches!(field, "description" | "owner" | "expires" | "plan" | "guard" | "managed" | "state")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_a_flag_loses_is_what_no_answer_depends_on() {
        let flag: Flag = serde_json::from_value(json!({
            "enabled": true, "description": "d", "owner": "o", "expires": "2027-01-01", "guard": false, "managed": "git",
            "plan": { "stages": [{ "percentage": 10 }] }, "state": { "orphaned": 5 }, "requires": ["other"],
        }))
        .unwrap();
        let fields = |flag: &Flag| match serde_json::to_value(flag).unwrap() {
            Value::Object(fields) => fields,
            other => panic!("{other}"),
        };
        let all = fields(&flag);
        assert_eq!(all.len(), 9);
        let kept = fields(&flag.answering());
        for field in all.keys() {
            assert_eq!(kept.contains_key(field), is_answering(field), "{field}");
        }
    }
}
