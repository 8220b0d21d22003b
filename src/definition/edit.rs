//! Edits a document's text and leaves everything else as it was written: order, spaces, comments.
//!
//! A value is addressed by the keys of the objects around it. New text follows the layout of its surroundings: on one line where they
//! are, indented as they are.

use super::json::{Id, Kind, ROOT, Tree};
use super::reader;
use std::ops::Range;

/// A JSON value to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Json {
    /// Text that fits on a line.
    Raw(String),
    /// Written on one line if that is short.
    Object(Vec<(String, Json)>),
    List(Vec<Json>),
}

impl Json {
    pub fn bool(value: bool) -> Json {
        Json::Raw(value.to_string())
    }

    pub fn text(text: &str) -> Json {
        Json::Raw(serde_json::Value::from(text).to_string())
    }

    pub fn null() -> Json {
        Json::Raw("null".to_owned())
    }
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Json {
        match value {
            serde_json::Value::Object(members) => {
                Json::Object(members.iter().map(|(key, value)| (key.clone(), value.into())).collect())
            }
            serde_json::Value::Array(items) => Json::List(items.iter().map(Json::from).collect()),
            scalar => Json::Raw(scalar.to_string()),
        }
    }
}

/// The kind of value found at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    Null,
    Bool(bool),
    Object,
    List,
    Other,
}

/// A text that is sound JSON, before and after each edit.
pub(crate) struct Editor {
    tree: Tree,
}

/// Maximum width of a line, in characters; longer values are set out on several lines.
const LINE: usize = 80;

impl Editor {
    /// Returns `None` if the text is not sound JSON.
    pub fn new(text: String) -> Option<Editor> {
        Some(Editor { tree: reader::read(text).ok()?.0 })
    }

    pub fn into_text(self) -> String {
        self.tree.text
    }

    pub fn find(&self, path: &[&str]) -> Found {
        match self.id(path).map(|id| self.tree.kind(id)) {
            None => Found::Nothing,
            Some(Kind::Null) => Found::Null,
            Some(Kind::False) => Found::Bool(false),
            Some(Kind::True) => Found::Bool(true),
            Some(Kind::Object) => Found::Object,
            Some(Kind::List) => Found::List,
            Some(_) => Found::Other,
        }
    }

    /// The text of a value.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        self.tree.text.get(self.range(self.id(path)?))
    }

    /// The keys of an object, `$comment` left out.
    pub fn keys(&self, path: &[&str]) -> Vec<String> {
        let Some(object) = self.id(path).filter(|id| self.tree.kind(*id) == Kind::Object) else {
            return Vec::new();
        };
        let keys = self.tree.members(object).map(|(key, _)| self.tree.string(key).into_owned());
        keys.filter(|key| key != "$comment").collect()
    }

    /// Sets a value, replacing any value there now. Objects on the way that are missing, or are something else, are created; the first
    /// `blocks` of them have a line for each member.
    pub fn set(&mut self, path: &[&str], value: Json, blocks: usize) {
        let mut at = ROOT;
        for (depth, key) in path.iter().enumerate() {
            let rest = path.get(depth + 1..).unwrap_or_default();
            let found = self.tree.member(at, key);
            match found {
                Some(next) if !rest.is_empty() && self.tree.kind(next) == Kind::Object => at = next,
                Some(next) => {
                    let value = nest(rest, value);
                    let range = self.range(next);
                    let style = Style { blocks: blocks.saturating_sub(depth + 1), ..self.style(at) };
                    return self.replace(range, style.write(&value));
                }
                None => return self.insert(at, key, nest(rest, value), blocks.saturating_sub(depth)),
            }
        }
    }

    /// Removes a member.
    pub fn remove(&mut self, path: &[&str]) {
        let Some((key, parent)) = path.split_last() else { return };
        let Some(object) = self.id(parent).filter(|id| self.tree.kind(*id) == Kind::Object) else { return };
        let members: Vec<(Id, Id)> = self.tree.members(object).collect();
        let Some(at) = members.iter().position(|(name, _)| self.tree.string(*name) == *key) else { return };
        let parts: Vec<Range<usize>> =
            members.iter().map(|(key, value)| self.range(*key).start..self.range(*value).end).collect();
        self.cut(object, &parts, at);
    }

    /// Adds items to the end of a list.
    pub fn push(&mut self, path: &[&str], new: &[Json]) {
        let Some(list) = self.id(path).filter(|id| self.tree.kind(*id) == Kind::List) else { return };
        let style = self.style(list);
        let new: Vec<String> = new.iter().map(|item| style.write(item)).collect();
        match self.tree.items(list).last().map(|last| self.range(last).end) {
            Some(end) => {
                let text: String = new.iter().map(|item| format!(",{}{item}", style.gap())).collect();
                self.replace(end..end, text);
            }
            None => {
                let comma = if style.compact { "," } else { ", " };
                self.replace(self.range(list), format!("[{}]", new.join(comma)));
            }
        }
    }

    /// Removes the items of a list whose decoded text `meant` accepts.
    pub fn take(&mut self, path: &[&str], meant: impl Fn(&str) -> bool) {
        loop {
            let Some(list) = self.id(path).filter(|id| self.tree.kind(*id) == Kind::List) else { return };
            let items: Vec<Id> = self.tree.items(list).collect();
            let Some(at) = items.iter().position(|id| meant(&self.tree.string(*id))) else { return };
            let parts: Vec<Range<usize>> = items.iter().map(|id| self.range(*id)).collect();
            self.cut(list, &parts, at);
        }
    }

    fn id(&self, path: &[&str]) -> Option<Id> {
        path.iter().try_fold(ROOT, |at, key| match self.tree.kind(at) {
            Kind::Object => self.tree.member(at, key),
            _ => None,
        })
    }

    /// The bytes of a value.
    fn range(&self, id: Id) -> Range<usize> {
        let node = self.tree.node(id);
        let start = node.start as usize;
        let length = match node.kind {
            Kind::Null | Kind::True => 4,
            Kind::False => 5,
            Kind::Int | Kind::Float | Kind::Unreadable => node.size as usize,
            Kind::Plain | Kind::Escaped => node.size as usize + 2,
            Kind::List | Kind::Object => {
                let last = match node.kind {
                    Kind::List => self.tree.items(id).last(),
                    _ => self.tree.members(id).last().map(|(_, value)| value),
                };
                let inside = last.map_or(start + 1, |last| self.range(last).end);
                // Only white space stands between the last value and the bracket.
                let rest = self.tree.text.get(inside..).unwrap_or_default();
                let bracket = rest.find([']', '}']).unwrap_or(rest.len());
                inside + bracket + 1 - start
            }
        };
        start..start + length
    }

    /// Puts in new text, whose lines end as the document's first one does.
    fn replace(&mut self, range: Range<usize>, mut text: String) {
        let mut whole = std::mem::take(&mut self.tree.text);
        if whole.split_once('\n').is_some_and(|(line, _)| line.ends_with('\r')) {
            text = text.replace('\n', "\r\n");
        }
        whole.replace_range(range, &text);
        // The text was sound before, and the replacement is sound where it is put.
        match reader::read(whole) {
            Ok((tree, _)) => self.tree = tree,
            Err((_, whole)) => self.tree.text = whole,
        }
    }

    /// Removes one of the parts of a list or an object, with its comma.
    fn cut(&mut self, container: Id, parts: &[Range<usize>], at: usize) {
        let Some(part) = parts.get(at).cloned() else { return };
        let before = at.checked_sub(1).and_then(|before| parts.get(before));
        let range = match (before, parts.get(at + 1)) {
            (Some(before), _) => before.end..part.end,
            (None, Some(after)) => part.start..after.start,
            (None, None) => {
                let whole = self.range(container);
                whole.start + 1..whole.end - 1
            }
        };
        self.replace(range, String::new());
    }

    /// Inserts a member at the end of an object.
    fn insert(&mut self, object: Id, key: &str, value: Json, blocks: usize) {
        let last = self.tree.members(object).last();
        let style = Style { blocks: blocks.saturating_sub(1), ..self.style(object) };
        match last {
            Some((_, last)) => {
                let end = self.range(last).end;
                let colon = if style.compact { ":" } else { ": " };
                let member = format!("{}{colon}{}", quoted(key), style.write(&value));
                self.replace(end..end, format!(",{}{member}", style.gap()));
            }
            None => {
                // Laid out from the line of the object itself.
                let style = Style { blocks, ..self.style_at(self.range(object).start) };
                let object_text = style.write(&Json::Object(vec![(key.to_owned(), value)]));
                self.replace(self.range(object), object_text);
            }
        }
    }

    /// The layout of the members or items of a container; of its line, if it is empty.
    fn style(&self, container: Id) -> Style {
        let start = self.tree.node(container).start as usize;
        let outer = self.style_at(start);
        let first = match self.tree.kind(container) {
            Kind::Object => self.tree.members(container).next().map(|(key, _)| key),
            Kind::List => self.tree.items(container).next(),
            _ => None,
        };
        let Some(first) = first else { return outer };
        let gap = self.tree.text.get(start + 1..self.range(first).start).unwrap_or_default();
        match gap.rfind('\n') {
            Some(line) => {
                let indent = gap.get(line + 1..).unwrap_or_default().to_owned();
                let unit = indent.strip_prefix(&outer.indent).filter(|unit| !unit.is_empty());
                let unit = unit.unwrap_or(&outer.unit).to_owned();
                Style { lines: true, indent, unit, ..outer }
            }
            None => Style { lines: false, ..outer },
        }
    }

    /// The layout of the line that holds a byte.
    fn style_at(&self, at: usize) -> Style {
        let text = &self.tree.text;
        let line = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |line| line + 1);
        let rest = text.get(line..).unwrap_or_default();
        let indent = rest.get(..rest.len() - rest.trim_start_matches([' ', '\t']).len()).unwrap_or_default();
        let mut members = self.tree.members(ROOT);
        let space = |key: Id| text.get(self.range(key).end..).is_some_and(|rest| rest.starts_with(":"));
        let tight = |key: Id| {
            let after = text.as_bytes().get(self.range(key).end + 1);
            space(key) && after.is_some_and(|byte| !byte.is_ascii_whitespace())
        };
        Style {
            indent: indent.to_owned(),
            unit: if indent.starts_with('\t') { "\t" } else { "  " }.to_owned(),
            lines: text.contains('\n'),
            compact: members.next().is_some_and(|(key, _)| tight(key)),
            blocks: 0,
        }
    }
}

/// Layout of new text.
#[derive(Debug, Clone)]
struct Style {
    /// Indentation of a member on a line of its own.
    indent: String,
    /// Indentation added one level deeper.
    unit: String,
    /// Members stand on lines of their own.
    lines: bool,
    /// No spaces around members.
    compact: bool,
    /// Levels from here that are never put on one line.
    blocks: usize,
}

impl Style {
    /// The text between a comma and the next value.
    fn gap(&self) -> String {
        match (self.lines, self.compact) {
            (true, _) => format!("\n{}", self.indent),
            (false, true) => String::new(),
            (false, false) => " ".to_owned(),
        }
    }

    fn write(&self, value: &Json) -> String {
        let line = self.line(value);
        let wide = line.chars().count() + self.indent.chars().count() > LINE || self.blocks > 0;
        let Json::Object(members) = value else { return line };
        if !self.lines || self.compact || members.is_empty() || !wide {
            return line;
        }
        let indent = format!("{}{}", self.indent, self.unit);
        let inner = Style { indent, blocks: self.blocks.saturating_sub(1), ..self.clone() };
        let members: Vec<String> = members
            .iter()
            .map(|(key, value)| format!("\n{}{}: {}", inner.indent, quoted(key), inner.write(value)))
            .collect();
        format!("{{{}\n{}}}", members.join(","), self.indent)
    }

    fn line(&self, value: &Json) -> String {
        let (comma, colon, pad) = if self.compact { (",", ":", "") } else { (", ", ": ", " ") };
        match value {
            Json::Raw(text) => text.clone(),
            Json::List(items) => {
                let items: Vec<String> = items.iter().map(|item| self.line(item)).collect();
                format!("[{}]", items.join(comma))
            }
            Json::Object(members) if members.is_empty() => "{}".to_owned(),
            Json::Object(members) => {
                let members: Vec<String> = members
                    .iter()
                    .map(|(key, value)| format!("{}{colon}{}", quoted(key), self.line(value)))
                    .collect();
                format!("{{{pad}{}{pad}}}", members.join(comma))
            }
        }
    }
}

fn nest(path: &[&str], value: Json) -> Json {
    path.iter().rev().fold(value, |value, key| Json::Object(vec![((*key).to_owned(), value)]))
}

fn quoted(key: &str) -> String {
    serde_json::Value::from(key).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, edit: impl FnOnce(&mut Editor)) -> String {
        let mut editor = Editor::new(text.to_owned()).expect("sound JSON");
        edit(&mut editor);
        let text = editor.into_text();
        serde_json::from_str::<serde_json::Value>(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        text
    }

    fn number(number: i32) -> Json {
        Json::Raw(number.to_string())
    }

    #[test]
    fn a_value_is_replaced_where_it_stands_and_nothing_else_moves() {
        let text = "{\n\t\"a\" : {\"b\":[ 1 ,2], \"c\": { } } ,\n\t\"d\": null\n}\n";
        assert_eq!(
            edited(text, |editor| editor.set(&["a", "b"], number(7), 0)),
            text.replace("[ 1 ,2]", "7")
        );
        assert_eq!(
            edited(text, |editor| editor.set(&["d"], Json::bool(true), 0)),
            text.replace("null", "true")
        );
    }

    #[test]
    fn a_new_member_stands_as_its_neighbours_do() {
        let lines = "{\n    \"flags\": {\n        \"a\": true\n    }\n}\n";
        assert_eq!(
            edited(lines, |editor| editor.set(&["flags", "b", "enabled"], Json::bool(false), 2)),
            "{\n    \"flags\": {\n        \"a\": true,\n        \"b\": { \"enabled\": false }\n    }\n}\n"
        );
        assert_eq!(
            edited("{\"flags\":{\"a\":{\"x\":1}}}", |editor| editor.set(&["flags", "a", "y"], number(2), 2)),
            "{\"flags\":{\"a\":{\"x\":1,\"y\":2}}}"
        );
        assert_eq!(
            edited("{ \"a\": { \"x\": 1 } }", |editor| editor.set(&["a", "y", "z"], number(2), 0)),
            "{ \"a\": { \"x\": 1, \"y\": { \"z\": 2 } } }"
        );
    }

    #[test]
    fn a_new_line_ends_as_the_documents_lines_do() {
        // A document of CR LF lines got lines that end in LF.
        for text in ["{\n  \"flags\": {}\n}\n", "{\n  \"flags\": {\n    \"x\": true\n  }\n}\n"] {
            let add = |editor: &mut Editor| editor.set(&["flags", "a", "b"], number(1), 3);
            assert_eq!(edited(&text.replace('\n', "\r\n"), add), edited(text, add).replace('\n', "\r\n"));
        }
    }

    #[test]
    fn the_first_flag_of_an_empty_document_gets_a_line_of_its_own() {
        assert_eq!(
            edited("{\n  \"flags\": {}\n}\n", |editor| editor.set(&["flags", "a"], Json::bool(true), 2)),
            "{\n  \"flags\": {\n    \"a\": true\n  }\n}\n"
        );
        assert_eq!(
            edited("{\n  \"flags\": {}\n}\n", |editor| {
                editor.set(&["environments", "staging", "flags", "a"], Json::bool(true), 4);
            }),
            "{\n  \"flags\": {},\n  \"environments\": {\n    \"staging\": {\n      \"flags\": {\n        \
             \"a\": true\n      }\n    }\n  }\n}\n"
        );
    }

    #[test]
    fn what_is_too_long_for_a_line_is_set_out_on_several() {
        let flag = Json::Object(vec![
            ("enabled".to_owned(), Json::bool(false)),
            ("description".to_owned(), Json::text(&"long ".repeat(12))),
            ("owner".to_owned(), Json::text("a team")),
        ]);
        let text = edited("{\n  \"flags\": {\n  }\n}\n", |editor| editor.set(&["flags", "a"], flag, 2));
        assert!(text.contains("    \"a\": {\n      \"enabled\": false,\n      \"description\""), "{text}");
    }

    #[test]
    fn a_member_goes_with_its_comma() {
        let text = "{ \"a\": 1, \"b\": { \"c\": [] }, \"d\": 3 }";
        assert_eq!(edited(text, |editor| editor.remove(&["a"])), "{ \"b\": { \"c\": [] }, \"d\": 3 }");
        assert_eq!(edited(text, |editor| editor.remove(&["b"])), "{ \"a\": 1, \"d\": 3 }");
        assert_eq!(edited(text, |editor| editor.remove(&["d"])), "{ \"a\": 1, \"b\": { \"c\": [] } }");
        assert_eq!(edited(text, |editor| editor.remove(&["b", "c"])), "{ \"a\": 1, \"b\": {}, \"d\": 3 }");
        assert_eq!(edited(text, |editor| editor.remove(&["e"])), text);
    }

    #[test]
    fn items_come_and_go_in_lists_of_either_form() {
        let add = |text: &str| edited(text, |editor| editor.push(&["a"], &[number(9)]));
        assert_eq!(add("{\"b\": 0, \"a\": [1, 2]}"), "{\"b\": 0, \"a\": [1, 2, 9]}");
        assert_eq!(add("{\"b\": 0, \"a\": [ ]}"), "{\"b\": 0, \"a\": [9]}");
        assert_eq!(add("{\n  \"a\": [\n    1\n  ]\n}"), "{\n  \"a\": [\n    1,\n    9\n  ]\n}");
        let take = |text: &str| edited(text, |editor| editor.take(&["a"], |item| item == "2"));
        assert_eq!(take("{\"a\": [1, 2, 3, \"2\"]}"), "{\"a\": [1, 3]}");
        assert_eq!(take("{\"a\": [2]}"), "{\"a\": []}");
        assert_eq!(take("{\"a\": [\n 2,\n 1]}"), "{\"a\": [\n 1]}");
    }

    #[test]
    fn keys_with_escapes_are_found() {
        let text = r#"{"App\\Flags\\A": {"\u0065nabled": false}}"#;
        assert_eq!(
            edited(text, |editor| editor.set(&["App\\Flags\\A", "enabled"], Json::bool(true), 0)),
            text.replace("false", "true")
        );
    }
}
