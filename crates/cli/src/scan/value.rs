//! The name of a flag: a literal, a constant, a concatenation, or an expression known only at run time.

use super::classes::Classes;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text(String),
    /// A class's constant or an enum's case.
    Constant {
        class: String,
        name: String,
    },
}

/// A string, as far as the source determines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Known(Vec<Part>),
    /// The source of an unknown value.
    Unknown(String),
}

impl Value {
    pub fn text(text: impl Into<String>) -> Value {
        Value::Known(vec![Part::Text(text.into())])
    }

    /// Concatenates two values; unknown, with this source, if either is.
    pub fn join(self, other: Value, source: &str) -> Value {
        match (self, other) {
            (Value::Known(mut a), Value::Known(b)) => {
                a.extend(b);
                Value::Known(a)
            }
            _ => Value::Unknown(source.to_owned()),
        }
    }

    /// The text of a value that is nothing but literal.
    pub fn literal(&self) -> Option<String> {
        let Value::Known(parts) = self else { return None };
        parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Constant { .. } => None,
            })
            .collect()
    }

    /// Looks up every constant. Returns the string, or the source of the first unknown part.
    pub fn resolve(&self, classes: &Classes) -> Result<String, String> {
        match self {
            Value::Unknown(source) => Err(source.clone()),
            Value::Known(parts) => parts
                .iter()
                .map(|part| match part {
                    Part::Text(text) => Ok(text.clone()),
                    Part::Constant { class, name } => {
                        classes.constant(class, name).ok_or_else(|| format!("{class}::{name}"))
                    }
                })
                .collect(),
        }
    }
}

/// The way in which flags stand in a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// The string is the flag's key.
    Whole,
    /// `feature:a,b`, `feature:a|b`, `can:feature,a`, or the middleware's class instead of its name.
    Middleware,
    /// `required|feature:a,b`.
    Rule,
}

impl Split {
    /// The flags in the string.
    pub fn flags(self, text: &str) -> Vec<String> {
        let list = |text: &str| text.split([',', '|']).map(|flag| flag.trim().to_owned()).collect();
        match self {
            Split::Whole => vec![text.to_owned()],
            Split::Middleware => match text.strip_prefix("can:feature,") {
                Some(gate) => {
                    // A quoted key is the flag's; without quotes Laravel takes it for a parameter of the route.
                    let key = |flag: &str| flag.trim().trim_matches(['\'', '"']).to_owned();
                    gate.split(',').next().map(|flag| vec![key(flag)]).unwrap_or_default()
                }
                None => text.split_once(':').map(|(_, flags)| list(flags)).unwrap_or_default(),
            },
            Split::Rule => {
                let rules = text.split('|').filter_map(|rule| rule.trim().strip_prefix("feature:"));
                rules.flat_map(|flags| flags.split(',').map(|flag| flag.trim().to_owned())).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_split_as_the_middleware_and_the_rule_split_them() {
        assert_eq!(Split::Whole.flags("a,b"), ["a,b"]);
        assert_eq!(Split::Middleware.flags("feature:a,b"), ["a", "b"]);
        assert_eq!(Split::Middleware.flags("feature:a|b,c"), ["a", "b", "c"]);
        assert_eq!(Split::Middleware.flags("can:feature,a"), ["a"]);
        assert_eq!(Split::Middleware.flags("can:feature,'a'"), ["a"]);
        assert_eq!(Split::Rule.flags("required|feature:a,b|max:3"), ["a", "b"]);
    }
}
