//! A rollout in stages, as people write it.

use super::company::CompanyId;
use super::percentage::Percentage;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Stages of a flag, one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// At least one; each percentage is above those before it.
    pub stages: Vec<Stage>,
}

/// A stage of a plan. It lets companies in, or raises the percentage, or both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Companies let in besides those that the flag allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub companies: Vec<CompanyId>,
    /// Share of the buckets; absent: unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentage: Option<Percentage>,
    /// Minimum duration of the stage; absent: until a person advances it, or none if it is the last stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Soak>,
}

/// A length of time as people write it: `90m`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Soak {
    /// 1 to 999,999.
    count: u32,
    /// `s`, `m`, `h`, `d` or `w`.
    unit: char,
}

impl Soak {
    /// Parses a number from 1 to 999,999 without leading zeros, and one of `s`, `m`, `h`, `d`, `w`.
    pub fn from_text(text: &str) -> Option<Self> {
        let unit = text.chars().next_back()?;
        let digits = text.strip_suffix(unit)?;
        let number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        let count = digits.parse().ok().filter(|_| number && digits.len() <= 6)?;
        seconds(unit).map(|_| Self { count, unit })
    }

    /// Length in microseconds; at most 999,999 weeks.
    pub fn micros(self) -> i64 {
        i64::from(self.count) * seconds(self.unit).unwrap_or(1) * 1_000_000
    }
}

/// A unit's length in seconds.
fn seconds(unit: char) -> Option<i64> {
    match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3_600),
        'd' => Some(86_400),
        'w' => Some(604_800),
        _ => None,
    }
}

impl fmt::Display for Soak {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}{}", self.count, self.unit)
    }
}

impl Serialize for Soak {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Soak {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_text(&text).ok_or_else(|| serde::de::Error::custom("expected a length of time such as 7d"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_a_number_and_a_unit() {
        for (text, seconds) in
            [("1s", 1), ("90m", 5_400), ("36h", 129_600), ("7d", 604_800), ("999999w", 999_999 * 604_800)]
        {
            let soak = Soak::from_text(text);
            assert_eq!(soak.map(Soak::micros), Some(seconds * 1_000_000), "{text}");
            assert_eq!(soak.map(|soak| soak.to_string()).as_deref(), Some(text));
        }
        for text in
            ["", "d", "7", "0d", "07d", "1.5d", "-1d", "7D", "7 d", "1000000s", "7days", "1d12h", "７d", "7é"]
        {
            assert_eq!(Soak::from_text(text), None, "{text}");
        }
    }
}
