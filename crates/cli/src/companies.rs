//! A list of companies: ids by line, a column of a table, or a JSON array. Ambiguous text is refused.

use crate::display;
use crate::output::Failure;
use flagstone::Key;
use flagstone::definition::{CompanyId, Meaning, meaning};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Companies, each once: ints by value, then strings by bytes.
pub struct Companies<'a> {
    ids: Vec<Id<'a>>,
    /// The number of ids that repeat an earlier one.
    pub repeated: u64,
}

/// A company's id. Only a string with escapes or in quotes is a copy.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Id<'a> {
    Int(i64),
    Text(Cow<'a, [u8]>),
}

impl<'a> Companies<'a> {
    /// Reads a file's bytes: UTF-8, or UTF-16 with its mark. `name` is for messages.
    pub fn read(name: &str, bytes: &'a [u8]) -> Result<Companies<'a>, Failure> {
        Companies::read_as(name, bytes, false)
    }

    /// Reads a list; `literal` takes ids as they are written, although they look like lists, options or numbers of a spreadsheet.
    pub fn read_as(name: &str, bytes: &'a [u8], literal: bool) -> Result<Companies<'a>, Failure> {
        let mut ids = match utf16(name, bytes)? {
            Some(text) => ids(name, text.as_bytes(), literal)?.into_iter().map(Id::into_owned).collect(),
            None => ids(name, bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes), literal)?,
        };
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        Ok(Companies { repeated: (all - ids.len()) as u64, ids })
    }

    /// The ids as definitions have them; none if one is not UTF-8.
    pub fn ids(&self) -> Option<Vec<CompanyId>> {
        let id = |id: &Id| match id {
            Id::Int(int) => Some(CompanyId::Int(*int)),
            Id::Text(text) => CompanyId::from_text(std::str::from_utf8(text).ok()?),
        };
        self.ids.iter().map(id).collect()
    }

    /// True if the list has that company.
    pub fn has(&self, company: &CompanyId) -> bool {
        let id = match company {
            CompanyId::Int(int) => Id::Int(*int),
            CompanyId::Text(text) => Id::Text(Cow::Borrowed(text.as_bytes())),
        };
        self.ids.binary_search_by(|known| known.cmp(&id)).is_ok()
    }

    /// The ids as the evaluator takes them.
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

    fn into_owned<'b>(self) -> Id<'b> {
        match self {
            Id::Int(int) => Id::Int(int),
            Id::Text(text) => Id::Text(Cow::Owned(text.into_owned())),
        }
    }
}

/// The text of a file in UTF-16, as spreadsheets write it; none for other files.
fn utf16(name: &str, bytes: &[u8]) -> Result<Option<String>, Failure> {
    let unit: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return Ok(None),
    };
    let (pairs, rest) = bytes[2..].as_chunks::<2>();
    let text = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect::<Result<String, _>>();
    match text {
        Ok(text) if rest.is_empty() => Ok(Some(text)),
        _ => Err(Failure::Unknown(format!("{name}: found UTF-16 that is broken; save the list as UTF-8"))),
    }
}

fn ids<'a>(name: &str, bytes: &'a [u8], literal: bool) -> Result<Vec<Id<'a>>, Failure> {
    match bytes.trim_ascii_start().first() {
        Some(b'[') => serde_json::from_slice(bytes).map_err(|error| {
            Failure::Unknown(format!("{name}:{}:{}: {error}", error.line(), error.column()))
        }),
        Some(b'{') => Err(Failure::Unknown(format!(
            "{name}: found a JSON object, expected one company's id a line, or a JSON array of ids"
        ))),
        _ => match Table::of(name, bytes, literal)? {
            Some(table) => table.ids(name, literal),
            None => column(name, bytes, literal),
        },
    }
}

/// Headings of a column of companies, without `_`, spaces and hyphens.
const HEADINGS: [&str; 16] = [
    "id",
    "ids",
    "key",
    "uuid",
    "company",
    "companies",
    "companyid",
    "companyuuid",
    "tenant",
    "tenantid",
    "customerid",
    "accountid",
    "teamid",
    "organizationid",
    "organisationid",
    "clientid",
];

fn is_heading(field: &[u8]) -> bool {
    let letters = field.iter().filter(|byte| !matches!(byte, b'_' | b' ' | b'-' | b'.'));
    let plain: Vec<u8> = letters.map(u8::to_ascii_lowercase).collect();
    HEADINGS.iter().any(|heading| heading.as_bytes() == plain)
}

/// Removes invisible space around the text, no-break spaces included.
fn trim(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    match (text.first(), text.last()) {
        (Some(first), Some(last)) if !first.is_ascii() || !last.is_ascii() => {
            let unseen = |c: char| c.is_whitespace() || matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}');
            std::str::from_utf8(text).map_or(text, |text| text.trim_matches(unseen).as_bytes())
        }
        _ => text,
    }
}

/// Lines with their numbers, ended by LF, CR LF or CR. Blank ones are left out.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut number = 0;
    let ended = bytes.split(|byte| *byte == b'\n').flat_map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        line.split(|byte| *byte == b'\r')
    });
    let numbered = ended.map(move |line| {
        number += 1;
        (number, trim(line))
    });
    numbered.filter(|(_, line)| !line.is_empty())
}

/// The content of quotes, with doubled quotes made one; none if there are no quotes, or text follows them.
fn unquoted(field: &[u8]) -> Option<Cow<'_, [u8]>> {
    let inner = field.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if !inner.contains(&b'"') {
        return Some(Cow::Borrowed(trim(inner)));
    }
    let text = inner.split(|byte| *byte == b'"').collect::<Vec<_>>();
    // Doubled quotes leave every second part between quotes empty.
    let doubled = text.len() % 2 == 1 && text.iter().skip(1).step_by(2).all(|part| part.is_empty());
    let joined = || text.iter().step_by(2).copied().collect::<Vec<_>>().join(&b'"');
    doubled.then(|| Cow::Owned(trim(&joined()).to_vec()))
}

/// Reads ids by line, with or without a heading.
fn column<'a>(name: &str, bytes: &'a [u8], literal: bool) -> Result<Vec<Id<'a>>, Failure> {
    let mut lines = lines(bytes).peekable();
    let mut ids = Vec::with_capacity(bytes.len() / 8);
    if let Some((number, first)) = lines.peek().copied() {
        let text = unquoted(first).unwrap_or(Cow::Borrowed(first));
        if is_heading(&text) {
            lines.next();
        } else if !literal {
            not_a_heading(name, number, &text, self::lines(bytes).skip(1).map(|(_, line)| line))?;
        }
    }
    let mut strays = Strays::default();
    for (number, line) in lines {
        ids.push(id(name, number, line, literal)?);
        strays.look_at(number, ids.last());
    }
    if !literal {
        strays.refuse(name, &ids)?;
    }
    Ok(ids)
}

/// Words below a column of numbers for their sum.
const TOTALS: [&str; 8] = ["total", "totals", "subtotal", "sum", "summe", "gesamt", "anzahl", "count"];

/// Texts that are hardly ids: one word among integers, such as the heading of a sum below its column, ranges, and a word for a total in the
/// last line.
#[derive(Default)]
struct Strays {
    /// The number of the last line.
    last: usize,
    ints: usize,
    words: Vec<(usize, String)>,
    ranges: Vec<(usize, String)>,
    /// True if other texts are ids here.
    others: bool,
}

impl Strays {
    fn look_at(&mut self, number: usize, id: Option<&Id>) {
        self.last = number;
        let text = match id {
            Some(Id::Text(text)) if !self.others => String::from_utf8_lossy(text).into_owned(),
            Some(Id::Int(_)) => {
                self.ints += 1;
                return;
            }
            _ => return,
        };
        let int = |text: &str| text.parse::<u64>().ok().filter(|int| int.to_string() == text);
        let is_word = |c: char| c.is_alphabetic() || c.is_whitespace() || matches!(c, '.' | ':');
        match text.split_once(['-', '–']).map(|(from, to)| (int(from.trim()), int(to.trim()))) {
            Some((Some(from), Some(to))) if from < to => self.ranges.push((number, text)),
            _ if text.chars().all(is_word) => self.words.push((number, text)),
            _ => self.others = true,
        }
        // Several words are ids.
        self.others |= self.words.len() > 1;
    }

    fn refuse(self, name: &str, ids: &[Id]) -> Result<(), Failure> {
        let total = match ids {
            [_, .., Id::Text(text)] => std::str::from_utf8(text).ok(),
            _ => None,
        };
        let total = total.filter(|text| TOTALS.iter().any(|word| text.eq_ignore_ascii_case(word)));
        let strays = (self.words.into_iter().next(), self.ranges.into_iter().next());
        let (what, (number, text)) = match (total, strays) {
            (Some(total), _) => ("a total in the last line", (self.last, total.to_owned())),
            _ if self.others || self.ints < 2 => return Ok(()),
            (_, (_, Some(range))) => ("a range among integers", range),
            (_, (Some(word), None)) => ("a word among integers", word),
            (_, (None, None)) => return Ok(()),
        };
        Err(Failure::Unknown(format!(
            "{name}:{number}: found {}, {what}, expected a company's id; remove the line, or write a JSON array where it is a \
             company",
            display::quoted(&text)
        )))
    }
}

/// Refuses a first line of text above integers only: the unknown heading of a column.
fn not_a_heading<'l>(
    name: &str,
    number: usize,
    first: &[u8],
    below: impl Iterator<Item = &'l [u8]>,
) -> Result<(), Failure> {
    let is_int = |line: &[u8]| matches!(Key::from_bytes(line), Some(Key::Int(_)));
    let mut below = below.peekable();
    if is_int(first) || foreign(first).is_some() || below.peek().is_none() {
        return Ok(());
    }
    if below.all(|line| is_int(&unquoted(line).unwrap_or(Cow::Borrowed(line)))) {
        return Err(Failure::Unknown(format!(
            "{name}:{number}: found {}, which looks like the heading of a column, expected a company's id; remove the line, call it \
             company_id, or write a JSON array where it is a company",
            display::quoted(&String::from_utf8_lossy(first))
        )));
    }
    Ok(())
}

/// Reads the company of one field.
fn id<'a>(name: &str, number: usize, field: &'a [u8], literal: bool) -> Result<Id<'a>, Failure> {
    let (text, is_quoted) = match unquoted(field) {
        Some(text) => (text, true),
        None => (Cow::Borrowed(field), false),
    };
    let found = foreign(&text).filter(|found| !is_quoted || *found != COLUMNS);
    if let Some(found) = found.filter(|found| !literal || *found == CONTROL) {
        return Err(Failure::Unknown(format!(
            "{name}:{number}: found {found}, expected one company's id a line, or a table whose heading says which column they are in; an id \
             that has such characters goes into a JSON array"
        )));
    }
    let meant = std::str::from_utf8(&text).ok().filter(|_| !literal).and_then(meaning);
    if let Some(meant) = meant {
        return Err(Failure::Unknown(format!(
            "{name}:{number}: found {}, {}; an id that is written so goes into a JSON array, as a string",
            display::quoted(&String::from_utf8_lossy(&text)),
            meant.explain(|id| display::plain(id).into_owned())
        )));
    }
    let length = text.len();
    Id::of(text).ok_or_else(|| {
        Failure::Unknown(format!(
            "{name}:{number}: found a field of {} bytes, expected one company's id, of at most 1,024",
            display::thousands(length as u64)
        ))
    })
}

const COLUMNS: &str = "columns";
const CONTROL: &str = "a control character";

/// The part of a line that no id in a list of lines has.
fn foreign(line: &[u8]) -> Option<&'static str> {
    match line {
        _ if line.iter().any(|byte| matches!(byte, b',' | b';' | b'|' | b'\t')) => Some(COLUMNS),
        [b'"' | b'\'', ..] | [.., b'"' | b'\''] => Some("quotes"),
        _ if line.iter().any(u8::is_ascii_control) => Some(CONTROL),
        _ => None,
    }
}

/// A table with a heading.
struct Table<'a> {
    rows: Vec<Row<'a>>,
    /// The column of the ids, from 0.
    column: usize,
    heading: String,
    /// The number of cells that the heading has.
    width: usize,
}

/// A row's cells, with quotes and their content left as they are.
struct Row<'a> {
    /// The row's first line, from 1.
    line: usize,
    cells: Vec<&'a [u8]>,
    /// The first cell whose quotes cannot be understood, with its line.
    fault: Option<(usize, Fault)>,
}

/// Quotes that could be read in two ways.
#[derive(Clone, Copy)]
enum Fault {
    Unclosed,
    /// A quote within a cell that does not begin with one.
    Stray,
    /// Text after a closing quote.
    TextBehind,
}

impl Fault {
    fn explain(self) -> &'static str {
        match self {
            Fault::Unclosed => "a quote that is never closed",
            Fault::Stray => "a quote within a cell that does not begin with one",
            Fault::TextBehind => "text behind the quote that closes a cell",
        }
    }
}

impl<'a> Table<'a> {
    /// Reads a table; none if the bytes have no columns.
    fn of(name: &str, bytes: &'a [u8], literal: bool) -> Result<Option<Table<'a>>, Failure> {
        let (bytes, named) = match lines(bytes).next() {
            // The line by which Excel is told the separator.
            Some((1, [b's', b'e', b'p', b'=', separator])) => {
                let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(bytes.len());
                (&bytes[end..], Some(*separator))
            }
            _ => (bytes, None),
        };
        let separators = named.map_or_else(|| vec![b'\t', b';', b',', b'|'], |separator| vec![separator]);
        let Some((_, first)) = lines(bytes).next() else { return Ok(None) };
        let mut found = Vec::new();
        let mut columns = false;
        for separator in separators {
            let Some(Row { cells, .. }) = rows(first, separator).next() else { continue };
            if cells.len() < 2 {
                continue;
            }
            columns |= !literal;
            let named = cells.iter().enumerate().filter_map(|(column, cell)| {
                let text = unquoted(cell).unwrap_or(Cow::Borrowed(cell));
                is_heading(&text).then(|| (separator, column, String::from_utf8_lossy(&text).into_owned()))
            });
            found.extend(named);
        }
        let refused = |what: String| Err(Failure::Unknown(format!("{name}:1: found columns{what}")));
        match found.as_slice() {
            [] if columns => refused(
                " and no heading that says which one the companies are in, such as company_id; expected that, or one company's id a line"
                    .to_owned(),
            ),
            [] => Ok(None),
            [(separator, column, heading)] => {
                let mut rows = rows(bytes, *separator).peekable();
                let width = rows.peek().map_or(0, |row| row.cells.len());
                Ok(Some(Table { rows: rows.collect(), column: *column, heading: heading.clone(), width }))
            }
            several => {
                let names: Vec<_> = several.iter().map(|(_, _, heading)| display::quoted(heading)).collect();
                refused(format!(
                    " {}, each of which may be the companies'; leave one column of them",
                    names.join(" and ")
                ))
            }
        }
    }

    fn ids(self, name: &str, literal: bool) -> Result<Vec<Id<'a>>, Failure> {
        let mut ids = Vec::with_capacity(self.rows.len());
        let mut strays = Strays::default();
        for (index, Row { line, cells, fault }) in self.rows.into_iter().enumerate() {
            if let Some((line, fault)) = fault {
                return Err(Failure::Unknown(format!(
                    "{name}:{line}: found {}, expected quotes around a whole cell, and doubled inside: \"a \"\"b\"\"\"",
                    fault.explain()
                )));
            }
            if index == 0 || cells.iter().all(|cell| cell.is_empty()) {
                continue;
            }
            if cells.len() != self.width && !is_frame(&cells) {
                return Err(Failure::Unknown(format!(
                    "{name}:{line}: found {}, expected {} as in the heading; a separator within a cell needs quotes around the cell",
                    display::counted(cells.len() as u64, "cell"),
                    self.width
                )));
            }
            match cells.get(self.column).filter(|cell| !matches!(**cell, b"" | b"\"\"")) {
                Some(cell) => {
                    ids.push(id(name, line, cell, literal)?);
                    strays.look_at(line, ids.last());
                }
                None => {
                    return Err(Failure::Unknown(format!(
                        "{name}:{line}: found nothing in the column {}, expected a company's id",
                        display::quoted(&self.heading)
                    )));
                }
            }
        }
        if !literal {
            strays.refuse(name, &ids)?;
        }
        Ok(ids)
    }
}

/// True for a line of a table's frame, which is refused by its own name.
fn is_frame(cells: &[&[u8]]) -> bool {
    let text = cells.first().and_then(|cell| std::str::from_utf8(cell).ok());
    text.and_then(meaning) == Some(Meaning::Frame)
}

/// The position in a cell, as far as quotes matter.
#[derive(PartialEq, Eq)]
enum Position {
    Start,
    Plain,
    /// In quotes that were opened in that line.
    Quoted(usize),
    /// Behind closed quotes that were opened in that line.
    Closed(usize),
}

/// The rows of a table that are not blank.
fn rows(bytes: &[u8], separator: u8) -> impl Iterator<Item = Row<'_>> {
    let (mut at, mut line) = (0, 1);
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let (begun, mut start, mut position) = (line, at, Position::Start);
            let (mut cells, mut fault) = (Vec::new(), None);
            loop {
                let byte = bytes.get(at).copied();
                position = match (position, byte) {
                    (Position::Start, Some(b'"')) => Position::Quoted(line),
                    (Position::Quoted(opened), Some(b'"')) => Position::Closed(opened),
                    // A doubled quote.
                    (Position::Closed(opened), Some(b'"')) if bytes[at - 1] == b'"' => {
                        Position::Quoted(opened)
                    }
                    (Position::Quoted(opened), Some(byte)) => {
                        let ends_line = byte == b'\n' || byte == b'\r' && bytes.get(at + 1) != Some(&b'\n');
                        line += usize::from(ends_line);
                        Position::Quoted(opened)
                    }
                    (open, None | Some(b'\n' | b'\r')) => {
                        if let Position::Quoted(opened) = open {
                            fault.get_or_insert((opened, Fault::Unclosed));
                        }
                        cells.push(trim(&bytes[start..at.min(bytes.len())]));
                        let both = byte == Some(b'\r') && bytes.get(at + 1) == Some(&b'\n');
                        at += if both { 2 } else { 1 };
                        line += 1;
                        break;
                    }
                    (_, Some(byte)) if byte == separator => {
                        cells.push(trim(&bytes[start..at]));
                        start = at + 1;
                        Position::Start
                    }
                    (before, Some(b' ' | b'\t')) => before,
                    (Position::Closed(opened), Some(_)) => {
                        fault.get_or_insert((opened, Fault::TextBehind));
                        Position::Plain
                    }
                    (Position::Plain, Some(b'"')) => {
                        fault.get_or_insert((line, Fault::Stray));
                        Position::Plain
                    }
                    (Position::Start | Position::Plain, Some(_)) => Position::Plain,
                };
                at += 1;
            }
            if cells.len() > 1 || cells.iter().any(|cell| !cell.is_empty()) {
                return Some(Row { line: begun, cells, fault });
            }
        }
        None
    })
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
    fn what_spreadsheets_and_databases_write_is_read() {
        let expected = read(b"15\n42\nacme-eu\n");
        let utf16 = |text: &str, mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            mark.into_iter().chain(text.encode_utf16().flat_map(bytes)).collect()
        };
        let table = "id;name\r\n15;\"Acme; \"\"GmbH\"\"\"\r\n42;Foo\r\nacme-eu;Bar\r\n";
        let texts: Vec<Vec<u8>> = vec![
            b"\"15\"\n\"42\"\n\"acme-eu\"\n".to_vec(),
            b"company_id\n15\n42\nacme-eu\n".to_vec(),
            b"\"Company ID\"\r\n\"15\"\r\n\"42\"\r\n\"acme-eu\"\r\n".to_vec(),
            b"company_id,name\n15,Acme\n42,\"Foo, Inc\"\nacme-eu,\"two\nlines\"\n".to_vec(),
            b"name\tcompany_id\nAcme\t15\nFoo\t42\nBar\tacme-eu\n".to_vec(),
            b"name|companyId\nAcme|15\nFoo|42\nBar|acme-eu\n".to_vec(),
            b"sep=;\ncompany_id;name\n15;a\n42;b\nacme-eu;c\n".to_vec(),
            b"company_id;name\n15 ; \"a \"\"b\"\"\" \n42;\"\"\n\nacme-eu;\"\"\"\"\n;\n".to_vec(),
            table.as_bytes().to_vec(),
            utf16(table, [0xff, 0xfe], u16::to_le_bytes),
            utf16(table, [0xfe, 0xff], u16::to_be_bytes),
            b"15\r42\racme-eu\r".to_vec(),
            "\u{a0}15\u{a0}\n 42\t\n\u{200b}acme-eu\n".into(),
            b"15\n42\n15\nacme-eu\n42\n".to_vec(),
            b"\n\n15\n\n42\n   \nacme-eu".to_vec(),
        ];
        for text in texts {
            assert_eq!(read(&text), expected, "{}", String::from_utf8_lossy(&text));
        }
        for empty in [&b""[..], b"\n \r\n", b"company_id\n", b"id,name\n", b"[]", b"\xff\xfe"] {
            assert!(read(empty).is_empty(), "{}", String::from_utf8_lossy(empty));
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused_with_its_line() {
        for (text, problem) in [
            ("15,42,103\n", "ids:1: found columns and no heading"),
            ("15,Acme\n42,Foo\n", "ids:1: found columns and no heading"),
            ("id,company_id\n1,15\n", "ids:1: found columns \"id\" and \"company_id\""),
            ("id,name\n15,a\n,b\n", "ids:3: found nothing in the column \"id\""),
            ("15\n42;43\n", "ids:2: found columns"),
            ("15\n16\t17\n", "ids:2: found columns"),
            (
                "\"15,42\"\n",
                "ids:1: found \"15,42\", several ids, expected one company's id, and each of its own: 15 42",
            ),
            ("company_id,name\n\"15;42\",Acme\n", "ids:2: found \"15;42\", several ids"),
            ("16\n\"15|42\"\n", "ids:2: found \"15|42\", several ids"),
            (
                "16\n[15]\n",
                "ids:2: found \"[15]\", expected an id without brackets, quotes, bullets and spaces: 15",
            ),
            ("- 15\n- 42\n", "ids:1: found \"- 15\", expected an id without brackets"),
            ("* acme\n", "ids:1: found \"* acme\", expected an id without brackets"),
            ("16\n--yes\n", "ids:2: found \"--yes\", an option"),
            ("15|Acme\n42|Foo\n", "ids:1: found columns and no heading"),
            ("15\n42|Foo\n", "ids:2: found columns"),
            (
                " company_id \n------------\n 15\n(1 row)\n",
                "ids:2: found \"------------\", the frame of a table",
            ),
            (
                " company_id | name\n-----+-----\n 15 | Acme\n",
                "ids:2: found \"-----+-----\", the frame of a table",
            ),
            (" firma \n-------\n 15\n", "ids:2: found \"-------\", the frame of a table"),
            ("+----+\n| id |\n+----+\n| 15 |\n+----+\n", "ids:1: found \"+----+\", the frame of a table"),
            ("| id | name |\n|----|----|\n| 15 | a |\n", "ids:2: found \"----\", the frame of a table"),
            ("company_id\n15\n42\n(2 rows)\n", "ids:4: found \"(2 rows)\", several ids"),
            ("15\n'16'\n", "ids:2: found quotes"),
            ("15\n\"16\n", "ids:2: found quotes"),
            ("15\n1\u{0}6\n", "ids:2: found a control character"),
            ("firma\n15\n42\n", "ids:1: found \"firma\", which looks like the heading"),
            ("15.0\n", "ids:1: found \"15.0\", a number as a spreadsheet writes it; write 15 if"),
            ("15\n1.5E+3\n", "ids:2: found \"1.5E+3\", a number as a spreadsheet writes it; write 1500 if"),
            ("1.500\n", "ids:1: found \"1.500\", a number as a spreadsheet writes it; write 1500 if"),
            ("1 500\n", "write 1500 if"),
            (
                "15 42\n",
                "ids:1: found \"15 42\", several ids, expected one company's id, and each of its own: 15 42",
            ),
            ("15\n16\u{a0}-17\n", "ids:2: found \"16\u{a0}-17\", several ids"),
            ("1\u{a0}500\n", "write 1500 if"),
            ("1'500\n", "write 1500 if"),
            ("+15\n", "write 15 if"),
            ("company_id,name\n15.0,a\n", "ids:2: found \"15.0\""),
            (
                "company_id\n\u{202a}15\u{202c}\n42\n",
                "ids:2: found \"\\u202a15\\u202c\", with the invisible character U+202A, expected an id without it: 15",
            ),
            ("16\n1\u{200b}5\n", "ids:2: found \"1\\u200b5\", with the invisible character U+200B"),
            ("16\n15\u{fe0f}\n", "the invisible character U+FE0F"),
            ("16\n\u{ff11}\u{ff15}\n", "characters that are not ASCII's; write 15"),
            // One quote or one comma too many moved ids into other rows and columns.
            ("id,name\n15,5\" pipes\n42,B\n43,C\n", "ids:2: found a quote within a cell"),
            ("id,name\n15,\"Acme, Inc\n42,B\n43,C\n", "ids:2: found a quote that is never closed"),
            ("id,name\n14,A\n15,\"Acme\n42,B\n43,\"Corp\"\n", "ids:3: found text behind the quote"),
            ("id,name\n15,\"Acme\" Ltd\n", "ids:2: found text behind the quote"),
            ("id,name\n15,\"a\" \"b\"\n", "ids:2: found text behind the quote"),
            ("id,\"name\n15,a\n", "ids:1: found a quote that is never closed"),
            ("id,name\n15,\"two\r\nlines\"\n16,\"a\n", "ids:4: found a quote that is never closed"),
            ("name,id\nAcme, Inc,15\nB,42\n", "ids:2: found 3 cells, expected 2 as in the heading"),
            ("id,name,city\n15,a,b\n16,a\n", "ids:3: found 2 cells, expected 3 as in the heading"),
            ("id,name\n15\n", "ids:2: found 1 cell, expected 2"),
            ("id\tname\n15\t5\" pipes\n", "ids:2: found a quote within a cell"),
            ("15 # acme\n42 # foo\n", "ids:1: found \"15 # acme\", a comment, expected the id alone: 15"),
            ("15\n# pilots\n", "ids:2: found \"# pilots\", a comment, expected a company's id"),
            ("15\nacme // foo\n", "expected the id alone: acme"),
            ("15 acme\n", "text behind an id, expected the id alone: 15"),
            ("15\n#N/A\n42\n", "ids:2: found \"#N/A\", a missing value"),
            ("15\nNULL\n", "ids:2: found \"NULL\", a missing value"),
            ("id;name\n15;a\nnull;b\n", "ids:3: found \"null\", a missing value"),
            ("=15\n", "a formula"),
            ("15\n…\n", "ids:2: found \"…\", expected a company's id"),
            ("15\n...\n", "expected a company's id"),
            ("15\n42\nPilots\n", "ids:3: found \"Pilots\", a word among integers"),
            ("15\n42\nSumme\n", "ids:3: found \"Summe\", a total in the last line"),
            ("id,name\n15,a\n42,b\nTotal,2\n", "ids:4: found \"Total\", a total in the last line"),
            ("12\n15-20\n42\n", "ids:2: found \"15-20\", a range among integers"),
            ("15\nSumme\n", "ids:2: found \"Summe\", a total in the last line"),
            ("id,name\nacme,3\nshop.de,4\nTOTAL,7\n", "ids:4: found \"TOTAL\", a total in the last line"),
            ("15\nTotal: 1\n", "ids:2: found \"Total: 1\", a label before a colon"),
            ("acme\nPilots:\n", "ids:2: found \"Pilots:\", a label"),
            ("15\n103.\n", "ids:2: found \"103.\", a mark beside digits, expected the id alone: 103"),
            ("15:\n", "found \"15:\", a mark beside digits"),
            ("15/\n", "found \"15/\", a mark beside digits"),
            ("15%\n", "found \"15%\", a mark beside digits"),
            ("$42\n", "found \"$42\", a mark beside digits, expected the id alone: 42"),
            ("15\nNone\n", "ids:2: found \"None\", a missing value"),
            ("acme\nTRUE\nfalse\n", "ids:2: found \"TRUE\", a boolean"),
            ("acme\n2026-11-21\n", "ids:2: found \"2026-11-21\", a date"),
            ("acme\n21.11.2026 10:00\n", "a date"),
            ("acme\n11/21/2026\n", "a date"),
            ("acme\n\u{2212}15\n", "characters that are not ASCII's; write -15 if"),
            ("<!DOCTYPE html>\n<p>15</p>\n", "ids:1: found \"<!DOCTYPE html>\", a line of HTML"),
            ("{\"data\": [15]}", "ids: found a JSON object"),
            ("\u{feff}[15.0]", "ids:1:"),
        ] {
            let failure = Companies::read("ids", text.as_bytes()).err();
            let found = match failure {
                Some(Failure::Unknown(found)) => found,
                other => panic!("{text:?}: {other:?}"),
            };
            assert!(found.contains(problem), "{text:?}: {found}");
        }
        let wide = Companies::read("ids", b"\xff\xfe1").err();
        assert!(matches!(wide, Some(Failure::Unknown(text)) if text.contains("UTF-16")));
    }

    #[test]
    fn a_literal_list_takes_ids_as_they_are_written() {
        for (text, expected) in [
            ("\"15,42\"\n15|Acme\n[15]\n- 15\n", 4),
            ("company_id,name\n\"15,42\",Acme\n15.0,b\n", 2),
            ("15,42\n", 1),
            ("firma\n15\n", 2),
            ("15\u{200e}\n15\n", 2),
        ] {
            let companies = Companies::read_as("ids", text.as_bytes(), true).unwrap();
            assert_eq!(companies.keys().len(), expected, "{text:?}");
        }
        assert!(Companies::read_as("ids", b"15\n1\0\n", true).is_err());
    }

    #[test]
    fn ids_that_only_resemble_numbers_are_texts() {
        for id in [
            "042",
            "-5",
            "12e5",
            "1.2.3",
            "12345678-1234-1234-1234-123456789012",
            "v1.0",
            "1-2",
            "0x15",
            "acme",
            "1234.5678.9",
            "e5",
            "2026-17",
            "7:15",
            "A/7",
            "acme-1",
            "shop.de",
            "Acme Inc.",
            "C++",
            "99.99.2026",
        ] {
            assert_eq!(meaning(id), None, "{id}");
            assert_eq!(read(format!("acme-us\nb\n{id}\n").as_bytes()).len(), 3, "{id}");
        }
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
