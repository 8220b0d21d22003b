//! The question of `ask` and `explain`: company, context and time as typed.

use crate::args::Ask;
use crate::display;
use crate::output::Failure;
use flagstone::{Attribute, Context, Key, Question};
use serde_json::{Map, Value};

/// A context given as JSON.
pub struct Attributes(Map<String, Value>);

impl Attributes {
    /// Reads `--context`; empty without it.
    pub fn read(json: Option<&str>) -> Result<Attributes, Failure> {
        let Some(json) = json else { return Ok(Attributes(Map::new())) };
        let expected = r#"expected a JSON object such as {"plan": "pro", "user": 7}"#;
        match serde_json::from_str(json) {
            Ok(Value::Object(attributes)) => Ok(Attributes(attributes)),
            Ok(other) => {
                Err(Failure::Unknown(format!("--context: found {}, {expected}", display::short(&other, 40))))
            }
            Err(error) => Err(Failure::Unknown(format!("--context: {error}; {expected}"))),
        }
    }

    /// The attribute as written.
    pub fn json(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The attribute as the evaluator sees it.
    pub fn value(&self, name: &str) -> Attribute<'_> {
        match self.0.get(name) {
            Some(Value::Bool(value)) => Attribute::Bool(*value),
            Some(Value::String(text)) => Attribute::Text(text.as_bytes()),
            Some(Value::Number(number)) => match number.as_i64() {
                Some(int) => Attribute::Int(int),
                // PHP reads such a number as a float, too.
                None => number.as_f64().map_or(Attribute::Missing, Attribute::Float),
            },
            None | Some(Value::Null) => Attribute::Missing,
            Some(Value::Array(_) | Value::Object(_)) => Attribute::Incomparable,
        }
    }
}

impl Context for Attributes {
    fn attribute(&self, name: &[u8], _: u64) -> Attribute<'_> {
        std::str::from_utf8(name).map_or(Attribute::Missing, |name| self.value(name))
    }
}

/// The question as typed; `attributes` were read from the same arguments.
pub fn question<'a>(ask: &'a Ask, attributes: &'a Attributes) -> Question<'a, Attributes> {
    Question {
        company: ask.company.as_deref().and_then(|company| Key::from_bytes(company.as_bytes())),
        context: attributes,
        now: ask.at.unwrap_or_else(flagstone::time::now),
    }
}
