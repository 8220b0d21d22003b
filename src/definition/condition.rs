//! Conditions that rules and segments place on a question.

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// A condition on the question.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Condition {
    /// Every condition holds; true if there is none.
    All {
        /// Conditions that all have to hold.
        all: Vec<Condition>,
    },
    /// At least one condition holds; false if there is none.
    Any {
        /// Conditions of which one has to hold.
        any: Vec<Condition>,
    },
    /// The condition is false; unknown stays unknown.
    Not {
        /// The condition to negate.
        not: Box<Condition>,
    },
    /// The named segment's condition holds.
    Segment {
        /// The segment's name.
        segment: String,
    },
    /// A comparison of one attribute.
    Test {
        /// A context attribute's name, or `company`, or `now` (the request's start).
        attribute: String,
        /// The only comparison of the test.
        #[serde(flatten)]
        test: Test,
    },
}

/// A comparison. Numbers compare with numbers, strings with strings, booleans with booleans.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the operators are named as `docs/definitions.md` describes them")]
pub enum Test {
    In(Vec<Scalar>),
    NotIn(Vec<Scalar>),
    Eq(Scalar),
    Ne(Scalar),
    /// A number or a string, as in the next three comparisons.
    Lt(Scalar),
    Lte(Scalar),
    Gt(Scalar),
    Gte(Scalar),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Exists(bool),
    /// RFC 3339 with an offset. The attribute is such a string, or Unix seconds as a number.
    Before(String),
    After(String),
    /// SemVer 2.0.0, as in the next four comparisons.
    SemverEq(String),
    SemverLt(String),
    SemverLte(String),
    SemverGt(String),
    SemverGte(String),
}

/// A value that an attribute can be compared with.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the types of JSON")]
pub enum Scalar {
    Bool(bool),
    Int(i64),
    /// A finite number.
    Float(f64),
    Text(String),
}

impl Test {
    /// The names of all comparisons, as definitions spell them.
    pub const NAMES: [&'static str; 19] = [
        "in",
        "not_in",
        "eq",
        "ne",
        "lt",
        "lte",
        "gt",
        "gte",
        "starts_with",
        "ends_with",
        "contains",
        "exists",
        "before",
        "after",
        "semver_eq",
        "semver_lt",
        "semver_lte",
        "semver_gt",
        "semver_gte",
    ];
}

/// Written by hand, since a derived untagged enum copies its input once a level.
impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;

        impl<'de> Visitor<'de> for Visit {
            type Value = Condition;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a condition")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Condition, A::Error> {
                let mut condition = None;
                let (mut attribute, mut test) = (None, None);
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "all" => condition = Some(Condition::All { all: map.next_value()? }),
                        "any" => condition = Some(Condition::Any { any: map.next_value()? }),
                        "not" => condition = Some(Condition::Not { not: map.next_value()? }),
                        "segment" => condition = Some(Condition::Segment { segment: map.next_value()? }),
                        "attribute" => attribute = Some(map.next_value()?),
                        name => test = Some(read_test(name, &mut map)?),
                    }
                }
                match (condition, attribute, test) {
                    (Some(condition), None, None) => Ok(condition),
                    (None, Some(attribute), Some(test)) => Ok(Condition::Test { attribute, test }),
                    _ => Err(A::Error::custom(
                        "a condition is one of all, any, not, segment, or attribute and a comparison",
                    )),
                }
            }
        }

        deserializer.deserialize_map(Visit)
    }
}

fn read_test<'de, A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<Test, A::Error> {
    Ok(match name {
        "in" => Test::In(map.next_value()?),
        "not_in" => Test::NotIn(map.next_value()?),
        "eq" => Test::Eq(map.next_value()?),
        "ne" => Test::Ne(map.next_value()?),
        "lt" => Test::Lt(map.next_value()?),
        "lte" => Test::Lte(map.next_value()?),
        "gt" => Test::Gt(map.next_value()?),
        "gte" => Test::Gte(map.next_value()?),
        "starts_with" => Test::StartsWith(map.next_value()?),
        "ends_with" => Test::EndsWith(map.next_value()?),
        "contains" => Test::Contains(map.next_value()?),
        "exists" => Test::Exists(map.next_value()?),
        "before" => Test::Before(map.next_value()?),
        "after" => Test::After(map.next_value()?),
        "semver_eq" => Test::SemverEq(map.next_value()?),
        "semver_lt" => Test::SemverLt(map.next_value()?),
        "semver_lte" => Test::SemverLte(map.next_value()?),
        "semver_gt" => Test::SemverGt(map.next_value()?),
        "semver_gte" => Test::SemverGte(map.next_value()?),
        _ => return Err(A::Error::unknown_field(name, &Test::NAMES)),
    })
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;

        impl Visitor<'_> for Visit {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a boolean, a number or a string")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Int(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
                i64::try_from(value)
                    .map(Scalar::Int)
                    .map_err(|_| E::custom("the integer does not fit 64 bits"))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar::Float(value))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.to_owned()))
            }
        }

        deserializer.deserialize_any(Visit)
    }
}
