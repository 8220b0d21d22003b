//! Keys that are hashed and listed: a company's id, or an attribute's value.

/// A key, normalized as PHP array keys are: `"42"` is the int 42, `"042"` is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// An integer, or a string that is the canonical decimal form of one.
    Int(i64),
    /// Any other string of 1 to 1,024 bytes.
    Text(&'a [u8]),
}

/// The longest string that is a key, in bytes; a longer one counts as missing.
const MAX_KEY_BYTES: usize = 1024;

impl<'a> Key<'a> {
    /// The key of a string; `None` if it is empty or longer than 1,024 bytes.
    #[inline]
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Key<'a>> {
        if bytes.is_empty() || bytes.len() > MAX_KEY_BYTES {
            return None;
        }
        Some(canonical_int(bytes).map_or(Key::Text(bytes), Key::Int))
    }
}

/// The int in canonical decimal form: no sign but a minus, no leading zero, no `-0`, in range.
fn canonical_int(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut value = 0i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        let digit = i64::from(digit - b'0');
        value = value.checked_mul(10)?.checked_add(if negative { -digit } else { digit })?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_canonical_integers_in_range_become_ints() {
        let int = |text: &'static str| match Key::from_bytes(text.as_bytes()) {
            Some(Key::Int(int)) => Some(int),
            _ => None,
        };
        assert_eq!(int("42"), Some(42));
        assert_eq!(int("0"), Some(0));
        assert_eq!(int("-5"), Some(-5));
        assert_eq!(int("9223372036854775807"), Some(i64::MAX));
        assert_eq!(int("-9223372036854775808"), Some(i64::MIN));
        for text in [
            "042",
            "-0",
            "+1",
            " 1",
            "1 ",
            "1.0",
            "1e3",
            "-",
            "",
            "9223372036854775808",
            "-9223372036854775809",
        ] {
            assert_eq!(int(text), None, "{text:?}");
        }
    }

    #[test]
    fn empty_and_overlong_strings_are_no_keys() {
        assert_eq!(Key::from_bytes(b""), None);
        assert!(Key::from_bytes(&[b'k'; 1024]).is_some());
        assert_eq!(Key::from_bytes(&[b'k'; 1025]), None);
    }

    proptest! {
        #[test]
        fn every_int_is_its_own_decimal_form(int: i64) {
            let digits = int.to_string();
            prop_assert_eq!(Key::from_bytes(digits.as_bytes()), Some(Key::Int(int)));
        }
    }
}
