//! The last change of a flag's answers: its own change, or that of a flag that it requires.

use std::collections::BTreeSet;

/// The last change of a flag's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastChange<'a> {
    /// Time of the change, in microseconds since 1970.
    pub at: i64,
    /// The required flag that was changed then; none if the flag itself was.
    pub through: Option<&'a str>,
}

impl<'a> LastChange<'a> {
    /// The last change of `flag`. `look` returns the time of a flag's own change and the flags that it requires; none for
    /// flags that do not exist. Requirements may form a circle.
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

/// Corrects the times of changes, given in the order in which the changes were made: none is after `now`, and none at or
/// after the next. Clocks are set back; times are in microseconds since 1970.
pub fn put_in_order(times: &mut [i64], now: i64) {
    let mut latest = now;
    for at in times.iter_mut().rev() {
        *at = (*at).min(latest);
        latest = at.saturating_sub(1);
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
    fn times_of_a_clock_that_was_ahead_keep_the_order_of_their_changes() {
        let mut times = [10, 900, 20, 20, 30, 950];
        put_in_order(&mut times, 100);
        assert_eq!(times, [10, 18, 19, 20, 30, 100]);
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
