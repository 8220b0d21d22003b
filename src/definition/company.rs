//! Ids of companies, normalized as PHP normalizes array keys.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// A company's id, normalized as PHP array keys are: `"42"` is `42`, `"042"` is a string.
/// Lists in canonical form are sorted (ints first) and hold no duplicates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum CompanyId {
    /// An integer, or a string that is the canonical decimal form of one.
    Int(i64),
    /// Any other string of 1 to 1,024 bytes.
    Text(String),
}

impl CompanyId {
    /// Maximum length of an id in bytes.
    pub const MAX_BYTES: usize = 1024;

    /// Normalizes; `None` for text that is empty or too long, which names no company.
    pub fn from_text(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > Self::MAX_BYTES {
            return None;
        }
        Some(canonical_int(text).map_or_else(|| Self::Text(text.to_owned()), Self::Int))
    }
}

/// The integer whose canonical decimal form this is: no `+`, no leading zero, no `-0`, within 64 bits.
pub(super) fn canonical_int(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let first = digits.bytes().next()?;
    let canonical = first.is_ascii_digit() && (first != b'0' || text == "0");
    if canonical && digits.len() <= 19 { text.parse().ok() } else { None }
}

impl From<i64> for CompanyId {
    fn from(id: i64) -> Self {
        Self::Int(id)
    }
}

impl fmt::Display for CompanyId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Int(id) => write!(f, "{id}"),
            Self::Text(id) => f.write_str(id),
        }
    }
}

/// Written by hand: lists hold a million of them.
impl<'de> Deserialize<'de> for CompanyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;

        impl Visitor<'_> for Visit {
            type Value = CompanyId;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a company's id: an integer or a string of 1 to 1,024 bytes")
            }

            fn visit_i64<E: Error>(self, id: i64) -> Result<CompanyId, E> {
                Ok(CompanyId::Int(id))
            }

            fn visit_u64<E: Error>(self, id: u64) -> Result<CompanyId, E> {
                i64::try_from(id).map(CompanyId::Int).map_err(|_| E::custom("the id does not fit 64 bits"))
            }

            fn visit_str<E: Error>(self, id: &str) -> Result<CompanyId, E> {
                CompanyId::from_text(id).ok_or_else(|| E::custom("an id has 1 to 1,024 bytes"))
            }
        }

        deserializer.deserialize_any(Visit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_become_ints_exactly_where_php_array_keys_do() {
        for (text, int) in [
            ("0", Some(0)),
            ("42", Some(42)),
            ("-42", Some(-42)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("00", None),
            ("042", None),
            ("-0", None),
            ("-", None),
            ("+42", None),
            (" 42", None),
            ("42 ", None),
            ("4.0", None),
            ("1e3", None),
            ("４２", None),
            ("acme", None),
        ] {
            let expected = int.map_or_else(|| CompanyId::Text(text.to_owned()), CompanyId::Int);
            assert_eq!(CompanyId::from_text(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn nothing_and_too_much_are_no_ids() {
        assert_eq!(CompanyId::from_text(""), None);
        assert!(CompanyId::from_text(&"x".repeat(1024)).is_some());
        assert_eq!(CompanyId::from_text(&"x".repeat(1025)), None);
    }
}
