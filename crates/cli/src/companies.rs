//! A file of companies: one id a line, or a JSON array.

use crate::output::Failure;
use crate::words;
use flagstone::Key;
use flagstone::definition::CompanyId;
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Companies, each once: ints by value, then strings by bytes.
pub struct Companies<'a> {
    ids: Vec<Id<'a>>,
    /// How many ids had been named before.
    pub repeated: u64,
}

/// A company's id. Only a string with escapes is a copy.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Id<'a> {
    Int(i64),
    Text(Cow<'a, [u8]>),
}

impl<'a> Companies<'a> {
    /// Reads a file's bytes. `name` is for messages.
    pub fn read(name: &str, bytes: &'a [u8]) -> Result<Companies<'a>, Failure> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut ids = match bytes.trim_ascii_start().first() {
            Some(b'[') => serde_json::from_slice(bytes).map_err(|error| {
                Failure::Unknown(format!("{name}:{}:{}: {error}", error.line(), error.column()))
            })?,
            _ => {
                heading(name, bytes)?;
                lines(name, bytes)?
            }
        };
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        Ok(Companies { repeated: (all - ids.len()) as u64, ids })
    }

    /// As definitions have them; none where one is not UTF-8.
    pub fn ids(&self) -> Option<Vec<CompanyId>> {
        let id = |id: &Id| match id {
            Id::Int(int) => Some(CompanyId::Int(*int)),
            Id::Text(text) => CompanyId::from_text(std::str::from_utf8(text).ok()?),
        };
        self.ids.iter().map(id).collect()
    }

    /// As the evaluator takes them.
    pub fn keys(&self) -> Vec<Key<'_>> {
        let key = |id| match id {
            &Id::Int(int) => Key::Int(int),
            Id::Text(text) => Key::Text(text),
        };
        self.ids.iter().map(key).collect()
    }
}

impl<'a> Id<'a> {
    fn of(text: Cow<'a, [u8]>) -> Option<Id<'a>> {
        match Key::from_bytes(&text)? {
            Key::Int(int) => Some(Id::Int(int)),
            Key::Text(_) => Some(Id::Text(text)),
        }
    }
}

/// Names that a table gives to a column of ids.
const HEADINGS: [&[u8]; 12] = [
    b"id",
    b"ids",
    b"key",
    b"uuid",
    b"company",
    b"companies",
    b"company_id",
    b"companyid",
    b"tenant_id",
    b"customer_id",
    b"account_id",
    b"team_id",
];

/// Refuses a table of one column: a first line that is the name of one, or the only text above integers.
fn heading(name: &str, bytes: &[u8]) -> Result<(), Failure> {
    let mut lines = bytes
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .enumerate()
        .filter(|(_, line)| !line.is_empty());
    let Some((number, first)) = lines.next() else { return Ok(()) };
    let is_int = |line: &[u8]| matches!(Key::from_bytes(line), Some(Key::Int(_)));
    if is_int(first) || foreign(first).is_some() {
        return Ok(());
    }
    let mut below = lines.map(|(_, line)| line).peekable();
    if below.peek().is_none() {
        return Ok(());
    }
    if HEADINGS.iter().any(|heading| first.eq_ignore_ascii_case(heading)) || below.all(is_int) {
        return Err(Failure::Unknown(format!(
            "{name}:{}: found {}, which looks like the heading of a column, expected a company's id; remove the line, or write a JSON array \
             where it is a company",
            number + 1,
            words::quoted(&String::from_utf8_lossy(first))
        )));
    }
    Ok(())
}

/// What a line has that an id in a list of lines has not.
fn foreign(line: &[u8]) -> Option<&'static str> {
    match line {
        _ if line.iter().any(|byte| matches!(byte, b',' | b';' | b'\t')) => Some("columns"),
        [b'"', ..] => Some("quotes"),
        _ if line.iter().any(u8::is_ascii_control) => Some("a control character"),
        _ => None,
    }
}

fn lines<'a>(name: &str, bytes: &'a [u8]) -> Result<Vec<Id<'a>>, Failure> {
    let mut ids = Vec::with_capacity(bytes.len() / 8);
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if let Some(found) = foreign(line) {
            return Err(Failure::Unknown(format!(
                "{name}:{}: found {found}, expected one company's id a line; `cut -d, -f1 | tail -n +2` makes that of a table, and an id that \
                 has such characters goes into a JSON array",
                number + 1
            )));
        }
        let Some(id) = Id::of(Cow::Borrowed(line)) else {
            return Err(Failure::Unknown(format!(
                "{name}:{}: found a line of {} bytes, expected one company's id, of at most 1,024",
                number + 1,
                words::thousands(line.len() as u64)
            )));
        };
        ids.push(id);
    }
    Ok(ids)
}

impl<'de> Deserialize<'de> for Id<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id<'de>, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}

struct IdVisitor;

impl<'de> Visitor<'de> for IdVisitor {
    type Value = Id<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a company's id: an integer, or a string of 1 to 1,024 bytes")
    }

    fn visit_i64<E: Error>(self, int: i64) -> Result<Id<'de>, E> {
        Ok(Id::Int(int))
    }

    fn visit_u64<E: Error>(self, int: u64) -> Result<Id<'de>, E> {
        i64::try_from(int).map(Id::Int).map_err(|_| E::invalid_value(Unexpected::Unsigned(int), &self))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Id<'de>, E> {
        Id::of(Cow::Borrowed(text.as_bytes())).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Id<'de>, E> {
        let owned = Cow::Owned(text.as_bytes().to_vec());
        Id::of(owned).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<String> {
        let companies = Companies::read("companies", text).map_err(|error| format!("{error:?}"));
        companies.unwrap().keys().iter().map(|key| format!("{key:?}")).collect()
    }

    #[test]
    fn lines_and_arrays_give_the_same_companies() {
        let lines = read(b"\xef\xbb\xbf42\r\n\n 7\nacme-eu\n042\n42\n");
        let array = read(br#"[42, "7", "acme-eu", "042", 42]"#);
        assert_eq!(lines, array);
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn what_is_no_id_is_refused_with_its_place() {
        for text in ["[1, true]", "[1.5]", "[\"\"]", "[18446744073709551615]", "[1", "[null]", "[[1]]"] {
            let failure = Companies::read("ids.json", text.as_bytes()).err();
            assert!(
                matches!(&failure, Some(Failure::Unknown(text)) if text.starts_with("ids.json:1:")),
                "{text}"
            );
        }
        let long = format!("1\n{}\n", "x".repeat(1025));
        let failure = Companies::read("ids", long.as_bytes()).err();
        assert!(matches!(failure, Some(Failure::Unknown(text)) if text.starts_with("ids:2:")));
    }
}
