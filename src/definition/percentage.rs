//! Percentages in integer thousandths.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Thousandths of a percent, 0 to 100,000; written in JSON as a number from 0 to 100 with up to three decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Percentage(u32);

impl Percentage {
    /// Nobody.
    pub const NONE: Percentage = Percentage(0);
    /// Everybody.
    pub const FULL: Percentage = Percentage(100_000);

    /// From thousandths of a percent; none above 100,000.
    pub fn from_thousandths(thousandths: u32) -> Option<Percentage> {
        (thousandths <= Percentage::FULL.0).then_some(Percentage(thousandths))
    }

    /// Thousandths of a percent, 0 to 100,000.
    pub fn thousandths(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Percentage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1000, self.0 % 1000);
        if rest == 0 {
            return write!(f, "{whole} %");
        }
        write!(f, "{whole}.{} %", format!("{rest:03}").trim_end_matches('0'))
    }
}

impl Serialize for Percentage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0 / 1000, self.0 % 1000) {
            (whole, 0) => serializer.serialize_u32(whole),
            // The shortest decimal that reads back as this float has at most three places.
            _ => serializer.serialize_f64(f64::from(self.0) / 1000.0),
        }
    }
}

impl<'de> Deserialize<'de> for Percentage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Percentage, D::Error> {
        let number = f64::deserialize(deserializer)?;
        let thousandths = (number * 1000.0).round();
        if (0.0..=100_000.0).contains(&thousandths) && (number * 1000.0 - thousandths).abs() < 1e-6 {
            return Ok(Percentage(thousandths as u32));
        }
        Err(serde::de::Error::custom(format_args!(
            "found {number}, expected a number from 0 to 100 with up to three decimals"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_percentage_survives_json() {
        for thousandths in 0..=100_000 {
            let json = serde_json::to_string(&Percentage(thousandths)).unwrap();
            assert!(json.len() <= 6, "{json}");
            assert_eq!(serde_json::from_str::<Percentage>(&json).unwrap(), Percentage(thousandths));
        }
    }

    #[test]
    fn a_percentage_reads_as_people_write_it() {
        assert_eq!(Percentage(10_000).to_string(), "10 %");
        assert_eq!(Percentage(125).to_string(), "0.125 %");
        assert_eq!(Percentage(33_300).to_string(), "33.3 %");
    }
}
