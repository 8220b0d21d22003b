//! Percentages in integer thousandths; no float takes part in their meaning.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Thousandths of a percent, 0 to 100,000; written in JSON as a number from 0 to 100 with up to three decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Percentage(u32);

impl Percentage {
    /// 0 %.
    pub const NONE: Self = Self(0);
    /// 100 %.
    pub const FULL: Self = Self(100_000);

    /// Returns `None` above 100,000 thousandths of a percent.
    pub const fn from_thousandths(thousandths: u32) -> Option<Self> {
        if thousandths <= Self::FULL.0 { Some(Self(thousandths)) } else { None }
    }

    /// The value in thousandths of a percent, 0 to 100,000.
    pub const fn thousandths(self) -> u32 {
        self.0
    }

    /// Parses the text of a JSON number, exactly: `0.125`, `1e1` and `10.0` are percentages, `0.0001` is not.
    pub fn from_literal(literal: &str) -> Option<Self> {
        let (negative, literal) = match literal.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, literal),
        };
        let (mantissa, exponent) = literal.split_once(['e', 'E']).unwrap_or((literal, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let mut digits = [whole, fraction].concat();
        digits.truncate(digits.trim_end_matches('0').len());
        let significant = digits.trim_start_matches('0');
        if significant.is_empty() {
            return Some(Self::NONE);
        }
        // The value is `significant` with `decimals` of its digits after the point.
        let exponent = exponent.parse::<i64>().ok()?;
        let places = i64::try_from(fraction.len()).ok()?;
        let dropped = i64::try_from(whole.len() + fraction.len() - digits.len()).ok()?;
        let decimals = places.checked_sub(dropped)?.checked_sub(exponent)?;
        if negative || significant.len() > 6 || !(-2..=3).contains(&decimals) {
            return None;
        }
        let power = u32::try_from(3 - decimals).ok()?;
        significant.parse::<u32>().ok()?.checked_mul(10_u32.pow(power)).and_then(Self::from_thousandths)
    }
}

/// Formats thousandths like JSON: `10`, `0.125`.
pub(super) fn plain(thousandths: u64) -> String {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl fmt::Display for Percentage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} %", plain(u64::from(self.0)))
    }
}

impl Serialize for Percentage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 % 1000 {
            0 => serializer.serialize_u32(self.0 / 1000),
            // The quotient is the float nearest to the decimal, so it is written with those decimals.
            _ => serializer.serialize_f64(f64::from(self.0) / 1000.0),
        }
    }
}

impl<'de> Deserialize<'de> for Percentage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;

        impl Visitor<'_> for Visit {
            type Value = Percentage;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number from 0 to 100 with up to three decimals")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Percentage, E> {
                let thousandths = u32::try_from(value).ok().and_then(|value| value.checked_mul(1000));
                thousandths
                    .and_then(Percentage::from_thousandths)
                    .ok_or_else(|| E::custom("a percentage is at most 100"))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Percentage, E> {
                // Written by the shortest text that reads back, so the text has the original decimals.
                Percentage::from_literal(&value.to_string()).ok_or_else(|| E::custom("no percentage"))
            }
        }

        deserializer.deserialize_any(Visit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thousandths(literal: &str) -> Option<u32> {
        Percentage::from_literal(literal).map(Percentage::thousandths)
    }

    #[test]
    fn the_literal_counts_and_not_the_nearest_float() {
        for (literal, expected) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("0.0", Some(0)),
            ("0e99999999999999999999", Some(0)),
            ("100", Some(100_000)),
            ("100.000", Some(100_000)),
            ("1e2", Some(100_000)),
            ("1E+1", Some(10_000)),
            ("0.001e5", Some(100_000)),
            ("10.125", Some(10_125)),
            ("10.1250000", Some(10_125)),
            ("0.07", Some(70)),
            ("33.333", Some(33_333)),
            ("1e-3", Some(1)),
            ("12500e-3", Some(12_500)),
            ("1e-4", None),
            ("0.0001", None),
            ("33.3333", None),
            ("99.99999999999999999999", None),
            ("10.00000000000000000000001", None),
            ("100.001", None),
            ("101", None),
            ("1e3", None),
            ("1e99999999999999999999", None),
            ("1e-99999999999999999999", None),
            ("-1", None),
            ("-0.001", None),
        ] {
            assert_eq!(thousandths(literal), expected, "{literal}");
        }
    }

    #[test]
    fn every_percentage_survives_json_and_its_own_text() {
        for thousandths in 0..=100_000 {
            let percentage = Percentage::from_thousandths(thousandths).unwrap();
            let json = serde_json::to_string(&percentage).unwrap();
            assert_eq!(json, plain(u64::from(thousandths)));
            assert_eq!(serde_json::from_str::<Percentage>(&json).unwrap(), percentage, "{json}");
            assert_eq!(Percentage::from_literal(&json), Some(percentage), "{json}");
        }
        assert_eq!(Percentage::from_thousandths(100_001), None);
    }

    #[test]
    fn people_read_a_percentage_with_its_sign() {
        let show = |thousandths| Percentage::from_thousandths(thousandths).unwrap().to_string();
        assert_eq!([show(0), show(10_000), show(125), show(100_000)], ["0 %", "10 %", "0.125 %", "100 %"]);
    }
}
