//! A JSON document as a flat tree whose values know their place.
//!
//! A value takes 16 bytes in one list, in the order of the text; its text stays in the document and is decoded on demand. An object's
//! members are its key and its value in turn.

use std::borrow::Cow;
use std::collections::HashMap;

/// A value's number in the tree.
pub(super) type Id = u32;

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Null,
    False,
    True,
    /// A number that fits 64 bits.
    Int,
    /// A finite number.
    Float,
    /// Any other number; the reader has reported it.
    Unreadable,
    /// A string without escapes.
    Plain,
    /// A string with escapes.
    Escaped,
    List,
    Object,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    /// Offset of its first byte.
    pub start: u32,
    /// Bytes of a number, or of a string without its quotes; values in a list or an object.
    pub size: u32,
    /// The first value after this one and its contents.
    pub next: Id,
    pub kind: Kind,
}

/// A document's text and its values; value 0 is the whole.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub text: String,
    pub nodes: Vec<Node>,
}

pub(super) const ROOT: Id = 0;

const NOTHING: Node = Node { start: 0, size: 0, next: 0, kind: Kind::Null };

impl Tree {
    pub fn node(&self, id: Id) -> Node {
        self.nodes.get(id as usize).copied().unwrap_or(NOTHING)
    }

    pub fn kind(&self, id: Id) -> Kind {
        self.node(id).kind
    }

    /// The text of a number, or of a string between its quotes.
    pub fn raw(&self, id: Id) -> &str {
        let node = self.node(id);
        let quote = usize::from(matches!(node.kind, Kind::Plain | Kind::Escaped));
        let start = node.start as usize + quote;
        self.text.get(start..start + node.size as usize).unwrap_or_default()
    }

    /// A string, decoded; borrowed if it has no escapes.
    pub fn string(&self, id: Id) -> Cow<'_, str> {
        match self.kind(id) {
            Kind::Escaped => Cow::Owned(unescape(self.raw(id))),
            _ => Cow::Borrowed(self.raw(id)),
        }
    }

    /// The values of a list.
    pub fn items(&self, list: Id) -> impl Iterator<Item = Id> + '_ {
        self.children(list)
    }

    /// The keys and values of an object, in the order of the text.
    pub fn members(&self, object: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        let mut children = self.children(object);
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
    }

    /// The last value of that key.
    pub fn member(&self, object: Id, key: &str) -> Option<Id> {
        self.members(object).filter(|&(name, _)| self.string(name) == key).last().map(|(_, value)| value)
    }

    /// An object's members by name; the last one if a name occurs twice.
    pub fn by_name(&self, object: Id) -> HashMap<Cow<'_, str>, Id> {
        self.members(object).map(|(name, value)| (self.string(name), value)).collect()
    }

    /// A value's text, identical for equal values however they are written: members are sorted by name, plain values of a list by text.
    pub fn normal(&self, value: Id) -> String {
        let mut text = String::new();
        self.write_normal(value, &mut text);
        text
    }

    /// Recurses no deeper than a document nests.
    fn write_normal(&self, value: Id, to: &mut String) {
        match self.kind(value) {
            Kind::Null => to.push_str("null"),
            Kind::False => to.push_str("false"),
            Kind::True => to.push_str("true"),
            Kind::Int | Kind::Unreadable => to.push_str(self.raw(value)),
            Kind::Float => match self.raw(value).parse::<f64>() {
                Ok(number) => to.push_str(&number.to_string()),
                Err(_) => to.push_str(self.raw(value)),
            },
            Kind::Plain | Kind::Escaped => to.push_str(&format!("{:?}", self.string(value))),
            Kind::List => {
                let is_plain =
                    self.items(value).all(|item| !matches!(self.kind(item), Kind::List | Kind::Object));
                let mut items: Vec<String> = self.items(value).map(|item| self.normal(item)).collect();
                if is_plain {
                    items.sort_unstable();
                }
                to.extend(["[", &items.join(","), "]"]);
            }
            Kind::Object => {
                let mut members: Vec<(Cow<str>, Id)> =
                    self.members(value).map(|(key, value)| (self.string(key), value)).collect();
                members.sort_by(|(a, _), (b, _)| a.cmp(b));
                to.push('{');
                for (key, value) in members {
                    to.push_str(&format!("{key:?}:"));
                    self.write_normal(value, to);
                    to.push(',');
                }
                to.push('}');
            }
        }
    }

    fn children(&self, container: Id) -> impl Iterator<Item = Id> + '_ {
        let node = self.node(container);
        let end = if matches!(node.kind, Kind::List | Kind::Object) { node.next } else { 0 };
        let mut at = container + 1;
        std::iter::from_fn(move || {
            let child = (at < end).then_some(at)?;
            at = self.node(child).next.max(child + 1);
            Some(child)
        })
    }
}

/// Decodes escapes that the reader has validated.
fn unescape(raw: &str) -> String {
    let mut decoded = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        decoded.push_str(plain);
        let mut letters = escape.chars();
        let letter = letters.next().unwrap_or('\\');
        rest = letters.as_str();
        decoded.push(match letter {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (letter, length) =
                    code_point(rest.as_bytes()).unwrap_or((char::REPLACEMENT_CHARACTER, 0));
                rest = rest.get(length..).unwrap_or_default();
                letter
            }
            other => other,
        });
    }
    decoded.push_str(rest);
    decoded
}

/// The character after `\u`, and the bytes that it takes: 4, or 10 for a pair of surrogates.
pub(super) fn code_point(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = std::str::from_utf8(text.get(at..at + 4)?).ok()?;
        let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hex { u32::from_str_radix(digits, 16).ok() } else { None }
    };
    let high = unit(0)?;
    if !(0xD800..0xDC00).contains(&high) {
        return char::from_u32(high).map(|letter| (letter, 4));
    }
    let low = text.get(4..6).filter(|&bytes| bytes == b"\\u").and_then(|_| unit(6))?;
    if !(0xDC00..0xE000).contains(&low) {
        return None;
    }
    char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)).map(|letter| (letter, 10))
}
