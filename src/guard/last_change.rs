//! When a flag's answers changed last: its own change, or that of a flag that it requires.

use std::collections::BTreeSet;

/// The last change of a flag's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastChange<'a> {
    /// Microseconds since 1970.
    pub at: i64,
    /// The required flag that was changed then; none where the flag itself was.
    pub through: Option<&'a str>,
}

impl<'a> LastChange<'a> {
    /// The last change of `flag`. `look` tells of a flag when it was changed itself, and which flags it requires; none of flags that
    /// do not exist. Requirements may form a circle.
    pub fn of(flag: &str, look: impl Fn(&str) -> Option<(i64, &'a [String])>) -> Option<LastChange<'a>> {
        let (at, requires) = look(flag)?;
        let mut last = LastChange { at, through: None };
        if requires.is_empty() {
            return Some(last);
        }
        let mut seen = BTreeSet::from([flag]);
        let mut open: Vec<&'a str> = requires.iter().map(String::as_str).collect();
        while let Some(required) = open.pop() {
            if !seen.insert(required) {
                continue;
            }
            let Some((at, requires)) = look(required) else { continue };
            if at > last.at {
                last = LastChange { at, through: Some(required) };
            }
            open.extend(requires.iter().map(String::as_str));
        }
        Some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn last<'a>(flags: &'a BTreeMap<&str, (i64, Vec<String>)>, flag: &str) -> LastChange<'a> {
        LastChange::of(flag, |key| flags.get(key).map(|(at, requires)| (*at, &requires[..]))).unwrap()
    }

    #[test]
    fn a_change_of_a_required_flag_is_one_of_those_that_require_it() {
        let requires = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let mut flags = BTreeMap::from([
            ("page", (10, requires(&["checkout", "gone"]))),
            ("checkout", (20, requires(&["payment"]))),
            ("payment", (5, requires(&[]))),
        ]);
        assert_eq!(last(&flags, "payment"), LastChange { at: 5, through: None });
        assert_eq!(last(&flags, "page"), LastChange { at: 20, through: Some("checkout") });
        flags.insert("payment", (30, requires(&["page"])));
        assert_eq!(last(&flags, "page"), LastChange { at: 30, through: Some("payment") });
        assert_eq!(last(&flags, "payment"), LastChange { at: 30, through: None });
        flags.insert("page", (30, requires(&["checkout"])));
        assert_eq!(last(&flags, "page"), LastChange { at: 30, through: None }, "one publish changed both");
    }
}
