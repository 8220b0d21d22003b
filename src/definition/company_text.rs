//! Texts that are hardly meant as one company's id: lists, options, numbers of spreadsheets, frames of tables, and ids with characters
//! that nobody sees.
//!
//! The same rule holds for the command line, for lists and for files of definitions.

use crate::text::deceives;
use crate::time;

/// The probable meaning of a text that would be taken for one company's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// An option of a command.
    Option,
    /// The frame of a table, as psql and mysql draw it.
    Frame,
    /// Several ids in one text.
    Ids(Vec<String>),
    /// One id in brackets or quotes, with a bullet before it, or with spaces around it.
    Wrapped(String),
    /// A number as a spreadsheet writes it, with the company's id; none if it is no company's.
    Number(Option<String>),
    /// Brackets, separators or dots without an id.
    Nothing,
    /// A character that is not seen, and the id without such.
    Invisible(char, String),
    /// An integer in the digits of another script, in wide ones, or with another minus, and the same in ASCII.
    Digits(String),
    /// A missing value, as databases, languages and spreadsheets write it.
    Missing,
    /// A spreadsheet's formula.
    Formula,
    /// A comment; with the id before it, if there is one.
    Comment(Option<String>),
    /// An integer with text behind it.
    Followed(String),
    /// `true` or `false`.
    Boolean,
    /// A label, with or without a value behind it.
    Label,
    /// A line of HTML or XML.
    Markup,
    /// A day, with or without a time.
    Date,
    /// Digits with marks before or behind them, and what is between the marks.
    Marked(String),
}

/// The probable meaning of a text that is not one company's id; none if it is one.
pub fn meaning(text: &str) -> Option<Meaning> {
    if let Some(invisible) = text.chars().find(|c| is_invisible(*c)) {
        let seen: String = text.chars().filter(|c| !is_invisible(*c)).collect();
        return Some(Meaning::Invisible(invisible, seen.trim().to_owned()));
    }
    let drawn = |c: char| matches!(c, '-' | '+' | '|' | '=' | '─' | '┼');
    if text.len() > 1 && text.chars().all(drawn) {
        return Some(Meaning::Frame);
    }
    let is_option = text.starts_with("--")
        || text.strip_prefix('-').is_some_and(|rest| rest.starts_with(char::is_alphabetic));
    if is_option {
        return Some(Meaning::Option);
    }
    if let Some(meaning) = no_id(text).or_else(|| is_date(text).then_some(Meaning::Date)) {
        return Some(meaning);
    }
    let entry = text.strip_prefix(['-', '*', '•']).filter(|rest| rest.starts_with(char::is_whitespace));
    if let Some(id) = entry {
        return Some(Meaning::Wrapped(id.trim().to_owned()));
    }
    let is_open = text.starts_with(['[', '{', '(', '"', '\'']) || text.ends_with([']', '}', ')', '"', '\'']);
    if is_open || text.contains([',', ';', '|', '\t', '\n', '\r']) {
        let ids = text.split(|c: char| ",;|[]{}()\"\'".contains(c) || c.is_whitespace());
        let ids: Vec<String> = ids.filter(|id| !id.is_empty()).map(str::to_owned).collect();
        return Some(match ids.as_slice() {
            [] => Meaning::Nothing,
            [id] => Meaning::Wrapped(id.clone()),
            _ => Meaning::Ids(ids),
        });
    }
    if text.trim() != text {
        return Some(Meaning::Wrapped(text.trim().to_owned()));
    }
    if text.ends_with(':') && text.contains(char::is_alphabetic) || text.contains(": ") {
        return Some(Meaning::Label);
    }
    ascii_digits(text).map(Meaning::Digits).or_else(|| number_or_several(text)).or_else(|| marked(text))
}

/// A text without letters is an id if it begins and ends with a digit, such as `2026-17`, or is a negative integer.
fn marked(text: &str) -> Option<Meaning> {
    let inner = text.trim_matches(|c: char| !c.is_ascii_digit());
    let is_id = inner == text.strip_prefix('-').unwrap_or(text);
    (!is_id && !text.contains(char::is_alphabetic)).then(|| Meaning::Marked(inner.to_owned()))
}

/// True for a day as `2026-11-21`, `21.11.2026` or `11/21/2026`, also with a time behind it.
fn is_date(text: &str) -> bool {
    let day = text.split(['T', ' ']).next().unwrap_or_default();
    let parts: Vec<&str> = day.split(['-', '.', '/']).collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let [year, a, b] = match (parts.as_slice(), lengths.as_slice()) {
        ([year, month, day], [4, 1..=2, 1..=2]) => [*year, *month, *day],
        ([day, month, year], [1..=2, 1..=2, 4]) => [*year, *month, *day],
        _ => return false,
    };
    let is_day = |month: &str, day: &str| {
        time::parse_day(format!("{year}-{month:0>2}-{day:0>2}").as_bytes()).is_some()
    };
    is_day(a, b) || is_day(b, a)
}

/// True for characters without a mark of their own. ASCII's control characters are named otherwise.
fn is_invisible(c: char) -> bool {
    !c.is_ascii()
        && (deceives(c)
            || matches!(c, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}'))
}

/// The integer that a text of digits shows, where not all are ASCII's.
fn ascii_digits(text: &str) -> Option<String> {
    // Arabic, Persian, Devanagari and wide digits; each set has its ten in order.
    let value = |c: char| {
        let zeros = ['0', '\u{660}', '\u{6f0}', '\u{966}', '\u{ff10}'];
        let zero = zeros
            .into_iter()
            .find(|zero| (u32::from(*zero)..=u32::from(*zero) + 9).contains(&u32::from(c)))?;
        char::from_digit(u32::from(c) - u32::from(zero), 10)
    };
    if text.is_ascii() {
        return None;
    }
    // The minus of typesetting and the dash are taken for a minus, too.
    let digits = text.strip_prefix(['-', '\u{2212}', '–']).unwrap_or(text);
    let sign = if digits == text { "" } else { "-" };
    digits.chars().map(value).collect::<Option<String>>().map(|digits| format!("{sign}{digits}"))
}

impl Meaning {
    /// The text found, and the one expected; `each` writes an id for this place.
    pub fn explain(&self, each: impl Fn(&str) -> String) -> String {
        match self {
            Meaning::Option => "an option, expected a company's id".to_owned(),
            Meaning::Frame => {
                "the frame of a table, expected a company's id (psql -At and mysql -N -B print none)"
                    .to_owned()
            }
            Meaning::Ids(ids) => {
                let ids: Vec<String> = ids.iter().take(10).map(|id| each(id)).collect();
                format!("several ids, expected one company's id, and each of its own: {}", ids.join(" "))
            }
            Meaning::Wrapped(id) => {
                format!("expected an id without brackets, quotes, bullets and spaces: {}", each(id))
            }
            Meaning::Number(Some(number)) => {
                format!("a number as a spreadsheet writes it; write {number} if that is the company")
            }
            Meaning::Number(None) => "a number as a spreadsheet writes it, and no company's".to_owned(),
            Meaning::Nothing => "expected a company's id".to_owned(),
            Meaning::Invisible(c, id) => {
                let seen = if id.is_empty() { String::new() } else { format!(": {}", each(id)) };
                format!(
                    "with the invisible character U+{:04X}, expected an id without it{seen}",
                    u32::from(*c)
                )
            }
            Meaning::Digits(number) => {
                format!("characters that are not ASCII's; write {} if that is the company", each(number))
            }
            Meaning::Missing => "a missing value, expected a company's id".to_owned(),
            Meaning::Formula => "a formula, expected a company's id".to_owned(),
            Meaning::Comment(None) => "a comment, expected a company's id".to_owned(),
            Meaning::Comment(Some(id)) => format!("a comment, expected the id alone: {}", each(id)),
            Meaning::Followed(id) => format!("text behind an id, expected the id alone: {}", each(id)),
            Meaning::Boolean => "a boolean, expected a company's id".to_owned(),
            Meaning::Label => "a label before a colon, expected a company's id alone".to_owned(),
            Meaning::Markup => "a line of HTML or XML, expected a company's id".to_owned(),
            Meaning::Date => "a date, expected a company's id".to_owned(),
            Meaning::Marked(id) => format!("a mark beside digits, expected the id alone: {}", each(id)),
        }
    }
}

/// Values that are missing, in lower case.
const MISSING: [&str; 10] =
    ["null", "none", "nil", "undefined", "nan", "n/a", "#n/a", "#ref!", "#value!", "\\n"];

/// The meaning of a text that no system gives as an id.
fn no_id(text: &str) -> Option<Meaning> {
    if MISSING.iter().any(|missing| text.eq_ignore_ascii_case(missing)) {
        return Some(Meaning::Missing);
    }
    if ["true", "false"].iter().any(|boolean| text.eq_ignore_ascii_case(boolean)) {
        return Some(Meaning::Boolean);
    }
    if text.starts_with('=') {
        return Some(Meaning::Formula);
    }
    if text.starts_with('<') || text.ends_with('>') {
        return Some(Meaning::Markup);
    }
    let is_separated = |at: usize| at == 0 || text[..at].ends_with(char::is_whitespace);
    let comment = ["#", "//"]
        .into_iter()
        .filter_map(|mark| text.match_indices(mark).map(|(at, _)| at).find(|at| is_separated(*at)))
        .min();
    if let Some(at) = comment {
        let id = text[..at].trim();
        return Some(Meaning::Comment((!id.is_empty()).then(|| id.to_owned())));
    }
    let is_blank = !text.chars().any(|c| c.is_alphanumeric() || c.is_ascii_control());
    (is_blank && !text.is_empty() && !text.contains([',', ';', '|', '[', '(', '{', '"', '\'']))
        .then_some(Meaning::Nothing)
}

/// The meaning of a text that could pass for an id: a number as a spreadsheet writes it, or several ids.
fn number_or_several(id: &str) -> Option<Meaning> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = id.strip_prefix(['-', '+']).unwrap_or(id);
    let plus = id.starts_with('+') && digits(unsigned);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let fraction = mantissa.split_once('.');
    let is_mantissa = fraction.map_or(digits(mantissa), |(whole, part)| digits(whole) && digits(part));
    let is_exponent = exponent.is_none_or(|exponent| {
        // `12e5` may be the start of a hash.
        let signed = exponent.strip_prefix(['-', '+']);
        digits(signed.unwrap_or(exponent)) && (signed.is_some() || fraction.is_some())
    });
    let float = is_mantissa && is_exponent && (fraction.is_some() || exponent.is_some());
    let separator =
        |c: char| matches!(c, ' ' | '.' | ',' | '\'' | '’' | '_' | '\u{a0}' | '\u{202f}' | '\u{2009}');
    let mut groups = unsigned.split(separator);
    let first = groups.next().unwrap_or_default();
    let mut count = 0;
    let in_threes = groups.all(|group| {
        count += 1;
        digits(group) && group.len() == 3
    });
    let grouped = digits(first) && first.len() <= 3 && in_threes && count > 0;
    let number = match (plus || float, grouped) {
        (_, true) => {
            let digits: String = unsigned.chars().filter(char::is_ascii_digit).collect();
            Some(digits)
        }
        (true, false) => id
            .parse::<f64>()
            .ok()
            .filter(|number| number.fract() == 0.0 && number.abs() < 9e15)
            .map(|number| format!("{number}")),
        (false, false) => {
            let ids: Vec<&str> = id.split_whitespace().collect();
            let is_int = |id: &&str| digits(id.strip_prefix('-').unwrap_or(id));
            return match ids.as_slice() {
                [_, _, ..] if ids.iter().all(is_int) => {
                    Some(Meaning::Ids(ids.iter().map(|id| (*id).to_owned()).collect()))
                }
                [first, _, ..] if is_int(first) => Some(Meaning::Followed((*first).to_owned())),
                _ => None,
            };
        }
    };
    Some(Meaning::Number(number))
}
