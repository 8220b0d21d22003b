//! Attributes of a question besides the company.

use std::cmp::Ordering;

/// An attribute's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Attribute<'a> {
    /// The question lacks it.
    Missing,
    /// Present, but of a type that nothing compares with, such as a list: every condition on it is unknown.
    Incomparable,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float; NaN counts as [`Attribute::Incomparable`].
    Float(f64),
    /// Bytes, which need not be UTF-8.
    Text(&'a [u8]),
}

/// Attributes by name. `()` has none; a slice of pairs has those.
pub trait Context {
    /// The value of `name`, whose [`key_hash`](crate::key_hash) is `hash`.
    fn attribute(&self, name: &[u8], hash: u64) -> Attribute<'_>;
}

impl Context for () {
    fn attribute(&self, _: &[u8], _: u64) -> Attribute<'_> {
        Attribute::Missing
    }
}

impl Context for [(&str, Attribute<'_>)] {
    fn attribute(&self, name: &[u8], _: u64) -> Attribute<'_> {
        self.iter().find(|(key, _)| key.as_bytes() == name).map_or(Attribute::Missing, |(_, value)| *value)
    }
}

impl<const N: usize> Context for [(&str, Attribute<'_>); N] {
    fn attribute(&self, name: &[u8], hash: u64) -> Attribute<'_> {
        self.as_slice().attribute(name, hash)
    }
}

impl<C: Context + ?Sized> Context for &C {
    fn attribute(&self, name: &[u8], hash: u64) -> Attribute<'_> {
        (**self).attribute(name, hash)
    }
}

/// Compares two numbers by value, an int never rounded; `None` if either is NaN or no number.
pub(crate) fn compare_numbers(a: Attribute<'_>, b: Attribute<'_>) -> Option<Ordering> {
    match (a, b) {
        (Attribute::Int(a), Attribute::Int(b)) => Some(a.cmp(&b)),
        (Attribute::Float(a), Attribute::Float(b)) => a.partial_cmp(&b),
        (Attribute::Int(a), Attribute::Float(b)) => compare_int_float(a, b),
        (Attribute::Float(a), Attribute::Int(b)) => compare_int_float(b, a).map(Ordering::reverse),
        _ => None,
    }
}

fn compare_int_float(int: i64, float: f64) -> Option<Ordering> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() {
        None
    } else if float >= TWO_TO_63 {
        Some(Ordering::Less)
    } else if float < -TWO_TO_63 {
        Some(Ordering::Greater)
    } else {
        // The value is in range, so the whole part converts exactly; the fraction decides between equals.
        let whole = float.trunc();
        Some(int.cmp(&(whole as i64)).then(0.0f64.partial_cmp(&(float - whole)).unwrap_or(Ordering::Equal)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Ordering::{Equal, Greater, Less};

    #[test]
    fn an_int_and_a_float_compare_by_value_without_rounding() {
        for (int, float, expected) in [
            (1, 1.0, Some(Equal)),
            (1, 1.5, Some(Less)),
            (-1, -1.5, Some(Greater)),
            (0, -0.0, Some(Equal)),
            (0, 0.25, Some(Less)),
            (0, -0.25, Some(Greater)),
            ((1 << 53) + 1, (1u64 << 53) as f64, Some(Greater)),
            (i64::MAX, 9_223_372_036_854_775_808.0, Some(Less)),
            (i64::MIN, -9_223_372_036_854_775_808.0, Some(Equal)),
            (i64::MIN, f64::NEG_INFINITY, Some(Greater)),
            (i64::MAX, f64::INFINITY, Some(Less)),
            (0, f64::NAN, None),
        ] {
            assert_eq!(compare_int_float(int, float), expected, "{int} and {float}");
        }
    }
}
