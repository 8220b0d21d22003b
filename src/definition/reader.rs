//! Parses JSON (RFC 8259) text to a [`Tree`], in one pass that does not recurse.
//!
//! The first breach of the grammar ends it. Sound JSON that still cannot be meant, such as a duplicate key or a number that no 64 bits
//! hold, is noted and reading goes on.

use super::clip::clip;
use super::json::{Id, Kind, Node, Tree, code_point};
use super::report::Findings;
use super::{duplicates, limits, place};

/// Place and reason of the end of reading.
#[derive(Debug)]
pub(super) struct Fatal {
    pub offset: usize,
    pub pointer: String,
    pub message: String,
    pub hint: Option<String>,
}

/// Returns the tree and the problems noted. The text is at most [`limits::FILE_SIZE`] long.
pub(super) fn read(text: String) -> Result<(Tree, Findings), (Fatal, String)> {
    let mut reader = Reader {
        bytes: text.as_bytes(),
        at: 0,
        nodes: Vec::with_capacity((text.len() / 12).min(1 << 20)),
        open: Vec::new(),
        values: 0,
        findings: Findings::default(),
    };
    let outcome = reader.document();
    let Reader { nodes, open, findings, at, .. } = reader;
    match outcome {
        Ok(()) => {
            let tree = Tree { text, nodes };
            let mut findings = findings;
            duplicates::note(&tree, &mut findings);
            Ok((tree, findings))
        }
        Err(Trouble { message, hint, offset }) => {
            let tree = Tree { text, nodes };
            let pointer = pointer(&tree, &open);
            Err((Fatal { offset: offset.unwrap_or(at), pointer, message, hint }, tree.text))
        }
    }
}

struct Reader<'t> {
    bytes: &'t [u8],
    at: usize,
    nodes: Vec<Node>,
    open: Vec<Open>,
    values: usize,
    findings: Findings,
}

/// A list or an object that is not closed yet.
struct Open {
    container: Id,
    /// The key of the member that is being read.
    key: Id,
    count: u32,
    is_object: bool,
    /// True if a value of it is due or being read.
    inside: bool,
}

struct Trouble {
    message: String,
    hint: Option<String>,
    /// Absent: the reader's position.
    offset: Option<usize>,
}

type Parsed<T = ()> = Result<T, Trouble>;

fn trouble(message: impl Into<String>) -> Trouble {
    Trouble { message: message.into(), hint: None, offset: None }
}

impl Trouble {
    fn hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }

    fn at(mut self, offset: usize) -> Self {
        self.offset = Some(offset);
        self
    }
}

impl Reader<'_> {
    fn document(&mut self) -> Parsed {
        self.skip_space();
        loop {
            // A value is due. A value that opens a container with content makes the next one due.
            if self.value()? {
                continue;
            }
            // A value is complete, and perhaps its container with it.
            loop {
                self.skip_space();
                let Some(open) = self.open.last_mut() else {
                    return if self.at == self.bytes.len() {
                        Ok(())
                    } else {
                        Err(self.unexpected("the end of the file"))
                    };
                };
                open.count += 1;
                open.inside = false;
                let is_object = open.is_object;
                match self.peek() {
                    Some(b',') => {
                        let comma = self.at;
                        self.at += 1;
                        self.skip_space();
                        if matches!(self.peek(), Some(b'}' | b']')) {
                            let end = self.found();
                            return Err(trouble(format!(
                                "found a comma before {end}, expected none after the last value"
                            ))
                            .hint("remove the comma")
                            .at(comma));
                        }
                        match is_object {
                            true => self.key()?,
                            false => self.enter(),
                        }
                        break;
                    }
                    Some(b'}') if is_object => self.close(),
                    Some(b']') if !is_object => self.close(),
                    _ => {
                        return Err(self.unexpected(if is_object {
                            "\",\" or \"}\""
                        } else {
                            "\",\" or \"]\""
                        }));
                    }
                }
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Reads one value; true if it opened a list or an object with content.
    fn value(&mut self) -> Parsed<bool> {
        self.values += 1;
        if self.values > limits::VALUES {
            return Err(trouble(format!(
                "found more than {} values, expected at most that many",
                limits::VALUES
            )));
        }
        match self.peek() {
            Some(b'"') => {
                self.string()?;
                Ok(false)
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Ok(false)
            }
            Some(bracket @ (b'{' | b'[')) => self.open(bracket == b'{'),
            Some(b't') => self.word("true", Kind::True),
            Some(b'f') => self.word("false", Kind::False),
            Some(b'n') => self.word("null", Kind::Null),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn word(&mut self, word: &str, kind: Kind) -> Parsed<bool> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let follows = rest.get(word.len()).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if !rest.starts_with(word.as_bytes()) || follows {
            return Err(self.unexpected("a value"));
        }
        self.push(kind, self.at, word.len());
        self.at += word.len();
        Ok(false)
    }

    fn open(&mut self, is_object: bool) -> Parsed<bool> {
        if self.open.len() >= limits::NESTING {
            return Err(trouble(format!(
                "found more than {} objects and lists in each other",
                limits::NESTING
            )));
        }
        let container = self.push(if is_object { Kind::Object } else { Kind::List }, self.at, 0);
        self.open.push(Open { container, key: container, count: 0, is_object, inside: false });
        self.at += 1;
        self.skip_space();
        match self.peek() {
            Some(b'}') if is_object => self.close(),
            Some(b']') if !is_object => self.close(),
            _ if is_object => {
                self.key()?;
                return Ok(true);
            }
            _ => {
                self.enter();
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes a value of the innermost list or object due.
    fn enter(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.inside = true;
        }
    }

    fn close(&mut self) {
        self.at += 1;
        let next = self.nodes.len() as Id;
        if let Some(open) = self.open.pop()
            && let Some(node) = self.nodes.get_mut(open.container as usize)
        {
            (node.next, node.size) = (next, open.count);
        }
    }

    fn key(&mut self) -> Parsed {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a key in double quotes"));
        }
        let key = self.string()?;
        if let Some(open) = self.open.last_mut() {
            open.key = key;
        }
        self.enter();
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("\":\" after the key"));
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    fn string(&mut self) -> Parsed<Id> {
        let start = self.at;
        let mut kind = Kind::Plain;
        self.at += 1;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            self.at += rest.iter().take_while(|&&byte| byte >= b' ' && byte != b'"' && byte != b'\\').count();
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    kind = Kind::Escaped;
                    self.escape()?;
                }
                Some(byte) => {
                    let found = if byte == b'\n' || byte == b'\r' {
                        "the end of the line"
                    } else {
                        "a control character"
                    };
                    return Err(trouble(format!(
                        "found {found} (byte {byte}) in a string, expected it as an escape"
                    ))
                    .hint("close the string with a double quote, or write \\n, \\t or \\u00XX"));
                }
                None => {
                    return Err(
                        trouble("found the end of the file in a string, expected a double quote").at(start)
                    );
                }
            }
        }
        let id = self.push(kind, start, self.at - start - 1);
        self.at += 1;
        Ok(id)
    }

    fn escape(&mut self) -> Parsed {
        let length = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let Some((_, length)) = code_point(self.bytes.get(self.at + 2..).unwrap_or_default()) else {
                    return Err(trouble(
                        "found an escape \\u that is no character, expected four hexadecimal digits",
                    )
                    .hint("characters beyond U+FFFF take two: \\ud83d\\ude00"));
                };
                2 + length
            }
            _ => {
                return Err(trouble(
                    "found an unknown escape, expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u",
                )
                .hint("a backslash itself is written \\\\"));
            }
        };
        self.at += length;
        Ok(())
    }

    fn number(&mut self) -> Parsed {
        let start = self.at;
        let mut at = start + usize::from(self.peek() == Some(b'-'));
        let digits = |from: usize| {
            self.bytes.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
        };
        let whole = digits(at);
        if whole > 1 && self.bytes.get(at) == Some(&b'0') {
            return Err(trouble("found a number that starts with 0, expected none before other digits")
                .hint("write it without the zero, or as a string"));
        }
        at += whole;
        let (mut sound, mut kind) = (whole > 0, Kind::Int);
        if sound && self.bytes.get(at) == Some(&b'.') {
            let decimals = digits(at + 1);
            (sound, kind) = (decimals > 0, Kind::Float);
            at += 1 + decimals;
        }
        if sound && matches!(self.bytes.get(at), Some(b'e' | b'E')) {
            at += 1 + usize::from(matches!(self.bytes.get(at + 1), Some(b'+' | b'-')));
            let exponent = digits(at);
            (sound, kind) = (exponent > 0, Kind::Float);
            at += exponent;
        }
        if !sound {
            self.at = at;
            return Err(self.unexpected("a digit"));
        }
        self.at = at;
        let id = self.push(kind, start, at - start);
        // 18 digits always fit, and only 308 digits without an exponent exceed the range of floats.
        if at - start > 18 || kind == Kind::Float {
            self.judge_number(id, kind, start, at);
        }
        Ok(())
    }

    fn judge_number(&mut self, id: Id, kind: Kind, start: usize, end: usize) {
        let literal =
            self.bytes.get(start..end).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
        let (fits, expected) = match kind {
            Kind::Int => (literal.parse::<i64>().is_ok(), "an integer of 64 bits"),
            _ => (literal.parse::<f64>().is_ok_and(f64::is_finite), "a number below 1.8e308"),
        };
        if !fits {
            self.findings.error(id, format!("found {}, expected {expected}", clip(literal)));
            if let Some(node) = self.nodes.get_mut(id as usize) {
                node.kind = Kind::Unreadable;
            }
        }
    }

    fn push(&mut self, kind: Kind, start: usize, size: usize) -> Id {
        let id = self.nodes.len() as Id;
        self.nodes.push(Node { start: start as u32, size: size as u32, next: id + 1, kind });
        id
    }

    /// The text at the reader's position, for people.
    fn found(&self) -> String {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        // The text is UTF-8 and `at` is at a character boundary, so the part that is cut off is whole as well.
        let rest = match std::str::from_utf8(rest.get(..256).unwrap_or(rest)) {
            Ok(rest) => rest,
            Err(error) => {
                std::str::from_utf8(rest.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
            }
        };
        let is_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | '+');
        let word = rest.split(|letter| !is_word(letter)).next().unwrap_or_default();
        match (word, rest.chars().next()) {
            ("", None) => "the end of the file".to_owned(),
            ("", Some('"')) => "a string".to_owned(),
            ("", Some(letter)) if letter.is_control() || letter.is_whitespace() => {
                format!("U+{:04X}", letter as u32)
            }
            ("", Some(letter)) => format!("\"{letter}\""),
            (word, _) => format!("\"{}\"", clip(word)),
        }
    }

    fn unexpected(&self, expected: &str) -> Trouble {
        let found = self.found();
        let advice = match (self.peek(), found.as_str()) {
            (Some(b'/' | b'#'), _) => Some("JSON has no comments; write a \"$comment\""),
            (Some(b'\''), _) => Some("strings stand in double quotes"),
            (_, "\"NaN\"" | "\"Infinity\"" | "\"-Infinity\"" | "\"undefined\"") => {
                Some("JSON has no such value")
            }
            (_, "\"True\"" | "\"TRUE\"" | "\"False\"" | "\"FALSE\"" | "\"NULL\"" | "\"None\"") => {
                Some("true, false and null are written in lower case")
            }
            (Some(b'"'), _) if expected.starts_with("\",\"") => Some("add the comma"),
            _ if expected == "the end of the file" => Some("a file holds one document"),
            _ => None,
        };
        Trouble { hint: advice.map(str::to_owned), ..trouble(format!("found {found}, expected {expected}")) }
    }
}

/// The pointer of the value that is due, or else of its container.
fn pointer(tree: &Tree, open: &[Open]) -> String {
    let mut pointer = String::new();
    for level in open.iter().filter(|level| level.inside) {
        pointer.push('/');
        match level.is_object {
            true => pointer.push_str(&place::segment(&tree.string(level.key))),
            false => pointer.push_str(&level.count.to_string()),
        }
    }
    pointer
}
