//! Semantic Versioning 2.0.0, strictly: three numbers without leading zeros, an optional `-pre.release`,
//! an optional `+build` that precedence ignores. No leading `v`, no missing part, no white space.
//!
//! Numbers of any length compare exactly, digit by digit; nothing is allocated.

use std::cmp::Ordering;

/// Compares by precedence; `None` if either is not a version.
pub fn compare(a: &[u8], b: &[u8]) -> Option<Ordering> {
    Some(Version::parse(a)?.precedence(&Version::parse(b)?))
}

/// True if the text is a version.
pub fn is_valid(text: &[u8]) -> bool {
    Version::parse(text).is_some()
}

struct Version<'a> {
    core: [&'a [u8]; 3],
    /// Absent in a release, which comes after each of its pre-releases.
    pre: Option<&'a [u8]>,
}

impl<'a> Version<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (text, build) = cut(text, b'+');
        if build.is_some_and(|build| !identifiers(build).all(is_identifier)) {
            return None;
        }
        let (core, pre) = cut(text, b'-');
        if pre.is_some_and(|pre| !identifiers(pre).all(|part| is_identifier(part) && !is_padded(part))) {
            return None;
        }
        let mut parts = core.split(|&byte| byte == b'.');
        let core = [parts.next()?, parts.next()?, parts.next()?];
        let sound = parts.next().is_none() && core.iter().all(|part| is_number(part) && !is_padded(part));
        sound.then_some(Self { core, pre })
    }

    fn precedence(&self, other: &Self) -> Ordering {
        let core = self.core.iter().zip(&other.core).map(|(a, b)| compare_numbers(a, b));
        core.fold(Ordering::Equal, Ordering::then).then_with(|| match (self.pre, other.pre) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => compare_pre(a, b),
        })
    }
}

/// The text before the first `at`, and the text after it.
fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    let mut parts = text.splitn(2, |&byte| byte == at);
    (parts.next().unwrap_or_default(), parts.next())
}

fn identifiers(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'.')
}

fn is_identifier(part: &[u8]) -> bool {
    !part.is_empty() && part.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_number(part: &[u8]) -> bool {
    !part.is_empty() && part.iter().all(u8::is_ascii_digit)
}

/// True for a number with a leading zero.
fn is_padded(part: &[u8]) -> bool {
    part.len() > 1 && part.first() == Some(&b'0') && is_number(part)
}

/// Compares numbers without leading zeros: the longer one is greater.
fn compare_numbers(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Compares by identifier: numbers by value and before words, words by bytes, the shorter list first.
fn compare_pre(a: &[u8], b: &[u8]) -> Ordering {
    let (mut left, mut right) = (identifiers(a), identifiers(b));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (is_number(a), is_number(b)) {
                (true, true) => compare_numbers(a, b),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => a.cmp(b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn precedence_is_that_of_the_specification() {
        let ascending = [
            "0.0.0",
            "0.0.1-0",
            "0.0.1",
            "0.9.9",
            "0.10.0",
            "1.0.0-0",
            "1.0.0-2",
            "1.0.0-10",
            "1.0.0-99999999999999999999999999",
            "1.0.0--",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "2.0.0",
            "2.1.0",
            "2.1.1",
            "18446744073709551616.0.0",
            "99999999999999999999999.999999999999999999.99999999999999999",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a.as_bytes(), b.as_bytes()), Some(i.cmp(&j)), "{a} against {b}");
            }
        }
    }

    #[test]
    fn build_metadata_does_not_count() {
        assert_eq!(compare(b"1.2.3+a", b"1.2.3+b.001"), Some(Ordering::Equal));
        assert_eq!(compare(b"1.2.3-rc.1+a-b", b"1.2.3-rc.1"), Some(Ordering::Equal));
    }

    #[test]
    fn what_is_no_version_compares_with_nothing() {
        for text in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "v1.2.3",
            " 1.2.3",
            "1.2.3 ",
            "01.2.3",
            "1.02.3",
            "1.2.03",
            "1.2.3-",
            "1.2.3-a..b",
            "1.2.3-01",
            "1.2.3-a.00",
            "1.2.3+",
            "1.2.3+a..b",
            "1.2.3+a+b",
            "1.2.3-ä",
            "-1.2.3",
            "1.2.x",
            "+1.2.3",
            "1..3",
        ] {
            assert!(!is_valid(text.as_bytes()), "{text}");
            assert_eq!(compare(text.as_bytes(), b"1.2.3"), None, "{text}");
            assert_eq!(compare(b"1.2.3", text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_looks_odd_and_is_a_version_is_accepted() {
        for text in ["0.0.0", "1.2.3-0a", "1.2.3-a-b.0", "1.2.3---", "1.2.3+001", "1.2.3-a+01.b", "1.2.3+-"] {
            assert!(is_valid(text.as_bytes()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(a in proptest::collection::vec(any::<u8>(), 0..24), b in "[0-9a.+-]{0,24}") {
            let _ = compare(&a, b.as_bytes());
        }

        #[test]
        fn precedence_turns_round_with_its_sides(
            a in "[0-9]{1,2}\\.[0-9]\\.[0-9](-[0-9a-b.-]{1,6})?",
            b in "[0-9]{1,2}\\.[0-9]\\.[0-9](-[0-9a-b.-]{1,6})?",
        ) {
            let order = compare(a.as_bytes(), b.as_bytes());
            prop_assert_eq!(order, compare(b.as_bytes(), a.as_bytes()).map(Ordering::reverse));
        }
    }
}
