//! How things read: numbers, times, companies, conditions.

use flagstone::Key;
use flagstone::definition::{CompanyId, Condition, Percentage, Rule, Scalar, Test};
use flagstone::eval::time;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Display;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in microseconds since 1970, by the system's clock.
pub fn now() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(_) => 0,
    }
}

/// Today as `YYYY-MM-DD`, in UTC.
pub fn today() -> String {
    time::format_rfc3339(now()).chars().take(10).collect()
}

/// `2026-11-21T08:44:19Z`, to the second.
pub fn at(micros: i64) -> String {
    time::format_rfc3339(micros.div_euclid(1_000_000).saturating_mul(1_000_000))
}

/// `3 hours ago`.
pub fn ago(micros: i64) -> String {
    let seconds = (now().saturating_sub(micros)) / 1_000_000;
    let (count, unit) = match seconds {
        ..0 => return "in the future: a clock is wrong".to_owned(),
        0..5 => return "just now".to_owned(),
        5..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{} ago", counted(count.unsigned_abs(), unit))
}

/// `1,000,000`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 flag`, `2 flags`, `1,000 companies`.
pub fn counted(number: u64, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) if !noun.ends_with("day") => format!("{} {stem}ies", thousands(number)),
        _ => format!("{} {noun}s", thousands(number)),
    }
}

/// `10 %`, of thousandths of a percent.
pub fn percent(thousandths: u32) -> String {
    Percentage::from_thousandths(thousandths).unwrap_or_default().to_string()
}

/// A percentage as JSON.
pub fn percent_json(thousandths: u32) -> Value {
    serde_json::to_value(Percentage::from_thousandths(thousandths).unwrap_or_default()).unwrap_or_default()
}

/// A number from 0 to 100 with up to three decimals, and perhaps a percent sign; exactly.
pub fn parse_percentage(text: &str) -> Option<Percentage> {
    let text = text.strip_suffix('%').unwrap_or(text).trim();
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || whole.len() > 3 || decimals.len() > 3 {
        return None;
    }
    let thousandths = whole.parse::<u32>().ok()? * 1_000 + format!("{decimals:0<3}").parse::<u32>().ok()?;
    Percentage::from_thousandths(thousandths)
}

/// Text that somebody else wrote, with what could move a terminal's cursor or turn its text around written out.
pub fn plain(text: &str) -> Cow<'_, str> {
    escaped(text, |_, c| harmful(c), |c| c.escape_default().to_string())
}

/// What goes to a terminal: as [`plain`], but with the lines and styles that the command makes itself.
pub fn visible(text: &str) -> Cow<'_, str> {
    let harmful = |at, c| harmful(c) && !matches!(c, '\n' | '\t') && !is_style(&text[at..]);
    escaped(text, harmful, |c| c.escape_default().to_string())
}

/// Whether it begins with an escape sequence that changes colours and weight alone, and hides nothing (ECMA-48, SGR without 8).
fn is_style(text: &str) -> bool {
    let parameters = text.strip_prefix("\x1b[").and_then(|rest| Some(rest.split_once('m')?.0));
    parameters.is_some_and(|found| {
        found.bytes().all(|byte| byte.is_ascii_digit() || byte == b';')
            && found.split(';').all(|one| one != "8")
    })
}

/// A JSON document that says the same and moves no terminal: within its strings such characters are escaped.
pub fn visible_json(text: &str) -> Cow<'_, str> {
    let escape = |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
    escaped(text, |_, c| harmful(c) && !matches!(c, '\n' | '\t' | '\r'), escape)
}

/// Whether a terminal, or who reads it, may take it for something else than text.
fn harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `harmful` is told the place of each character in bytes.
fn escaped(
    text: &str,
    harmful: impl Fn(usize, char) -> bool,
    escape: impl Fn(char) -> String,
) -> Cow<'_, str> {
    if !text.char_indices().any(|(at, c)| harmful(at, c)) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 8);
    for (at, c) in text.char_indices() {
        match harmful(at, c) {
            true => clean.push_str(&escape(c)),
            false => clean.push(c),
        }
    }
    Cow::Owned(clean)
}

/// A key as people write it.
pub fn key(key: Key<'_>) -> String {
    match key {
        Key::Int(int) => int.to_string(),
        Key::Text(text) => plain(&String::from_utf8_lossy(text)).into_owned(),
    }
}

/// A key as JSON.
pub fn key_json(key: Key<'_>) -> Value {
    match key {
        Key::Int(int) => int.into(),
        Key::Text(text) => String::from_utf8_lossy(text).into(),
    }
}

/// A company of a list.
pub fn company(company: &CompanyId) -> String {
    match company {
        CompanyId::Int(int) => int.to_string(),
        CompanyId::Text(text) => plain(text).into_owned(),
    }
}

/// The first few, and how many more.
pub fn some<T: Display>(items: impl ExactSizeIterator<Item = T>, limit: usize) -> String {
    let left = items.len().saturating_sub(limit);
    let mut text = items.take(limit).map(|item| item.to_string()).collect::<Vec<_>>().join(", ");
    if left > 0 {
        let comma = if text.is_empty() { "" } else { " … and " };
        text.push_str(&format!("{comma}{} more", thousands(left as u64)));
    }
    text
}

/// JSON, cut where it gets long.
pub fn short(value: &Value, limit: usize) -> String {
    if let Value::Array(items) = value
        && items.len() > 8
    {
        return format!("[{}]", some(items.iter().map(|item| short(item, limit / 4)), 5));
    }
    let text = value.to_string();
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", plain(&text[..end])),
        None => plain(&text).into_owned(),
    }
}

/// `plan in ["pro"] and not (country eq "CH")`.
pub fn condition(condition: &Condition) -> String {
    match condition {
        Condition::All { all } => joined(all, " and ", "always"),
        Condition::Any { any } => joined(any, " or ", "never"),
        Condition::Not { not } => format!("not ({})", self::condition(not)),
        Condition::Segment { segment } => format!("segment {segment}"),
        Condition::Test { attribute, test } => format!("{attribute} {}", comparison(test)),
    }
}

fn joined(conditions: &[Condition], word: &str, none: &str) -> String {
    match conditions {
        [] => none.to_owned(),
        [one] => condition(one),
        several => {
            let parts = several.iter().map(|part| match part {
                Condition::All { .. } | Condition::Any { .. } => format!("({})", condition(part)),
                _ => condition(part),
            });
            parts.collect::<Vec<_>>().join(word)
        }
    }
}

fn comparison(test: &Test) -> String {
    let list = |items: &[Scalar]| format!("[{}]", some(items.iter().map(scalar), 8));
    match test {
        Test::In(items) => format!("in {}", list(items)),
        Test::NotIn(items) => format!("not_in {}", list(items)),
        Test::Eq(operand) => format!("eq {}", scalar(operand)),
        Test::Ne(operand) => format!("ne {}", scalar(operand)),
        Test::Lt(operand) => format!("lt {}", scalar(operand)),
        Test::Lte(operand) => format!("lte {}", scalar(operand)),
        Test::Gt(operand) => format!("gt {}", scalar(operand)),
        Test::Gte(operand) => format!("gte {}", scalar(operand)),
        Test::StartsWith(text) => format!("starts_with {}", quoted(text)),
        Test::EndsWith(text) => format!("ends_with {}", quoted(text)),
        Test::Contains(text) => format!("contains {}", quoted(text)),
        Test::Exists(exists) => format!("exists {exists}"),
        Test::Before(time) => format!("before {}", plain(time)),
        Test::After(time) => format!("after {}", plain(time)),
        Test::SemverEq(version) => format!("semver_eq {}", plain(version)),
        Test::SemverLt(version) => format!("semver_lt {}", plain(version)),
        Test::SemverLte(version) => format!("semver_lte {}", plain(version)),
        Test::SemverGt(version) => format!("semver_gt {}", plain(version)),
        Test::SemverGte(version) => format!("semver_gte {}", plain(version)),
    }
}

fn scalar(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Int(value) => value.to_string(),
        Scalar::Float(value) => value.to_string(),
        Scalar::Text(text) => quoted(text),
    }
}

/// In quotes, as JSON has them.
pub fn quoted(text: &str) -> String {
    plain(&Value::from(text).to_string()).into_owned()
}

/// As one word of a shell's command.
pub fn shell(text: &str) -> String {
    format!("'{}'", plain(text).replace('\'', "'\\''"))
}

/// `rule 1 "enterprise in DACH"`.
pub fn rule(number: usize, rule: Option<&Rule>) -> String {
    match rule.and_then(|rule| rule.name.as_deref()) {
        Some(name) => format!("rule {} {}", number + 1, quoted(name)),
        None => format!("rule {}", number + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        // CSI as one character and marks of direction went through, as they are no control characters of ASCII.
        assert_eq!(visible("a\u{9b}31m\u{202e}b \x1b[1mbold\n"), "a\\u{9b}31m\\u{202e}b \x1b[1mbold\n");
        // A variant's name reached the terminal as it was.
        for harm in ["\x1b]0;title\x07", "\x1b[2J", "\x1b[8m", "\x1b[1;8m", "\x1b[", "\x1b"] {
            assert!(!visible(harm).contains('\x1b'), "{harm:?}");
        }
        assert_eq!(plain("a\x1b[1m\n"), "a\\u{1b}[1m\\n");
        let document = "{\n  \"a\": \"\u{9b}\u{e0001}é\"\n}";
        let seen = visible_json(document);
        assert_eq!(seen, "{\n  \"a\": \"\\u009b\\udb40\\udc01é\"\n}");
        let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(same(&seen), same(document));
    }

    #[test]
    fn a_percentage_is_read_exactly_or_not_at_all() {
        let read = |text| parse_percentage(text).map(Percentage::thousandths);
        for (text, thousandths) in
            [("10", 10_000), ("0.125", 125), ("100", 100_000), ("99.9 %", 99_900), ("0", 0)]
        {
            assert_eq!(read(text), Some(thousandths), "{text}");
        }
        for text in ["", "%", "-1", "100.001", "101", "0.1234", "1e2", "ten", ".5", "5.", "9999999999999"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_and_nouns_read_well() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(73_104), "73,104");
        assert_eq!(thousands(1_000_000), "1,000,000");
        assert_eq!(counted(1, "company"), "1 company");
        assert_eq!(counted(2, "company"), "2 companies");
        assert_eq!(counted(0, "flag"), "0 flags");
        assert_eq!(counted(3, "day"), "3 days");
    }

    #[test]
    fn what_others_wrote_cannot_move_the_cursor() {
        assert_eq!(plain("\x1b[2Jgone\u{202e}"), "\\u{1b}[2Jgone\\u{202e}");
        assert_eq!(plain("Öffnen"), "Öffnen");
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(some([1, 2, 3].iter(), 3), "1, 2, 3");
        assert_eq!(some([1, 2, 3].iter(), 2), "1, 2 … and 1 more");
        assert_eq!(some([1, 2, 3].iter(), 0), "3 more");
    }
}
