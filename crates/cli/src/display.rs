//! Readable text for numbers, times, companies and conditions.

use flagstone::Key;
use flagstone::definition::{CompanyId, Condition, Percentage, Rule, Scalar, Test};
use flagstone::text::deceives;
use flagstone::time;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Display;

/// Seconds from a change to harm whose evidence begins at `harm`. Evidence begins up to ten seconds before the harm, so that a change
/// within them may be its cause, and counts as 0 seconds before it.
pub fn seconds_to_harm(change: i64, harm: i64) -> i64 {
    let seconds = harm.saturating_sub(change) / 1_000_000;
    if (-10..0).contains(&seconds) { 0 } else { seconds }
}

/// Today as `YYYY-MM-DD`, in UTC.
pub fn today() -> String {
    time::format_day(time::now())
}

/// A time to the second: `2026-11-21T08:44:19Z`.
pub fn at(micros: i64) -> String {
    time::format_rfc3339(micros.div_euclid(1_000_000).saturating_mul(1_000_000))
}

/// The time since then: `3 hours ago`.
pub fn ago(micros: i64) -> String {
    let seconds = (time::now().saturating_sub(micros)) / 1_000_000;
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

/// A number with separators: `1,000,000`.
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

/// A number with its noun: `1 flag`, `2 flags`, `1,000 companies`.
pub fn counted(number: u64, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) if !noun.ends_with("day") => format!("{} {stem}ies", thousands(number)),
        _ => format!("{} {noun}s", thousands(number)),
    }
}

/// Thousandths of a percent as text: `10 %`.
pub fn percent(thousandths: u32) -> String {
    Percentage::from_thousandths(thousandths).unwrap_or_default().to_string()
}

/// A percentage as JSON.
pub fn percent_json(thousandths: u32) -> Value {
    serde_json::to_value(Percentage::from_thousandths(thousandths).unwrap_or_default()).unwrap_or_default()
}

/// Parses a number from 0 to 100 with up to three decimals and an optional percent sign; exactly.
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

/// Text from outside, with the characters escaped that could move a terminal's cursor or turn its text around.
pub fn plain(text: &str) -> Cow<'_, str> {
    escaped(text, |_, c| deceives(c), |c| c.escape_default().to_string())
}

/// Text for a terminal: as [`plain`], but with the command's own lines and styles.
pub fn visible(text: &str) -> Cow<'_, str> {
    let harmful = |at, c| deceives(c) && !matches!(c, '\n' | '\t') && !is_style(&text[at..]);
    escaped(text, harmful, |c| c.escape_default().to_string())
}

/// True if the text begins with an escape sequence that changes colors and weight alone, and hides nothing (ECMA-48, SGR without 8).
fn is_style(text: &str) -> bool {
    let parameters = text.strip_prefix("\x1b[").and_then(|rest| Some(rest.split_once('m')?.0));
    parameters.is_some_and(|found| {
        found.bytes().all(|byte| byte.is_ascii_digit() || byte == b';')
            && found.split(';').all(|one| one != "8")
    })
}

/// An equivalent JSON document that moves no terminal: such characters within its strings are escaped.
pub fn visible_json(text: &str) -> Cow<'_, str> {
    let escape = |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
    escaped(text, |_, c| deceives(c) && !matches!(c, '\n' | '\t' | '\r'), escape)
}

/// Escapes the characters for which `harmful` returns true; it is given their place in bytes.
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

/// The text with `program` for `flagstone` wherever a line to be typed begins, but for one that names a store itself.
pub fn with_program(text: &str, program: &str) -> String {
    const NAME: &str = "flagstone ";
    let mut parts = text.split(NAME);
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let begins = ["`", ": ", "or ", "&& ", "type ", "(", "with "].iter().any(|sign| told.ends_with(sign));
        let line = part.split('`').next().unwrap_or_default();
        let is_command = line.starts_with(|c: char| c.is_ascii_lowercase()) && !line.starts_with("help");
        match begins && is_command && !line.contains("--store") {
            true => told.push_str(&format!("{program} ")),
            false => told.push_str(NAME),
        }
        told.push_str(part);
    }
    told
}

/// A company's key as text.
pub fn key(key: Key<'_>) -> String {
    match key {
        Key::Int(int) => int.to_string(),
        Key::Text(text) => plain(&String::from_utf8_lossy(text)).into_owned(),
    }
}

/// A company's key as JSON.
pub fn key_json(key: Key<'_>) -> Value {
    match key {
        Key::Int(int) => int.into(),
        Key::Text(text) => String::from_utf8_lossy(text).into(),
    }
}

/// A company of a list as text.
pub fn company(company: &CompanyId) -> String {
    match company {
        CompanyId::Int(int) => int.to_string(),
        CompanyId::Text(text) => plain(text).into_owned(),
    }
}

/// The first few items, and the number of the others.
pub fn some<T: Display>(items: impl ExactSizeIterator<Item = T>, limit: usize) -> String {
    let left = items.len().saturating_sub(limit);
    let mut text = items.take(limit).map(|item| item.to_string()).collect::<Vec<_>>().join(", ");
    if left > 0 {
        let comma = if text.is_empty() { "" } else { " … and " };
        text.push_str(&format!("{comma}{} more", thousands(left as u64)));
    }
    text
}

/// JSON, cut if it is long.
pub fn short(value: &Value, limit: usize) -> String {
    if let Value::Array(items) = value
        && items.len() > 8
    {
        return format!("[{}]", some(items.iter().map(|item| short(item, limit / 4)), 5));
    }
    let text = value.to_string();
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", visible_json(&text[..end])),
        None => visible_json(&text).into_owned(),
    }
}

/// A condition as text: `plan in ["pro"] and not (country eq "CH")`.
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

/// The text in quotes, as JSON has them.
pub fn quoted(text: &str) -> String {
    visible_json(&Value::from(text).to_string()).into_owned()
}

/// The text as one word of a shell's command.
pub fn shell(text: &str) -> String {
    format!("'{}'", plain(text).replace('\'', "'\\''"))
}

/// The text as one word of a shell's command, unquoted if no shell reads anything into it.
pub fn argument(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%=".contains(c);
    match text.starts_with(|c: char| c != '-' && is_plain(c)) && text.chars().all(is_plain) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(shell(text)),
    }
}

/// A rule's number and name: `rule 1 "enterprise in DACH"`.
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
    fn what_is_to_be_pasted_is_one_word_of_a_shell() {
        for plain in ["search", "/var/lib/flagstone", "a.b_c-d", "DOM@user"] {
            assert_eq!(argument(plain), plain);
        }
        let quoted = |text: &str| argument(text).into_owned();
        assert_eq!(["", "a b", "x;id", "-x", "~"].map(quoted), ["''", "'a b'", "'x;id'", "'-x'", "'~'"]);
        assert_eq!(argument("x';id"), r"'x'\'';id'");
        assert!(!argument("x\n\u{1b}]0;y\u{7}").contains(['\n', '\u{1b}', '\u{7}']));
    }

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        // CSI as one character and marks of direction passed, since they are no control characters of ASCII.
        assert_eq!(visible("a\u{9b}31m\u{202e}b \x1b[1mbold\n"), "a\\u{9b}31m\\u{202e}b \x1b[1mbold\n");
        // A variant's name reached the terminal unchanged.
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
