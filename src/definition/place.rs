//! Converts a value's number to line, column and JSON pointer, in one pass over the text and one over the tree.

use super::json::{Id, Kind, ROOT, Tree};
use super::limits;
use super::report::{Findings, Problem, Report};

/// Gives findings their places.
pub(super) fn report(file: &str, tree: &Tree, findings: Findings) -> Report {
    let omitted = findings.omitted();
    let mut list = findings.list;
    // Stable: two problems of one value keep their order.
    list.sort_by_key(|finding| finding.at);
    let mut lines = Lines::new(&tree.text);
    let mut pointers = Pointers { tree, open: vec![Open { container: ROOT, child: ROOT + 1, index: 0 }] };
    let problems = list.into_iter().map(|finding| {
        let (line, column) = lines.place(tree.node(finding.at).start as usize);
        Problem {
            severity: finding.severity,
            file: file.to_owned(),
            line,
            column,
            pointer: pointers.of(finding.at),
            message: finding.message,
            hint: finding.hint,
            environments: Vec::new(),
        }
    });
    Report { problems: problems.collect(), omitted }
}

/// Line and column of bytes in ascending order.
pub(super) struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: usize,
    column: usize,
}

impl<'t> Lines<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text: text.as_bytes(), at: 0, line: 1, column: 1 }
    }

    /// Line and column, both from 1, the column in characters.
    pub fn place(&mut self, offset: usize) -> (usize, usize) {
        for &byte in self.text.get(self.at..offset).unwrap_or_default() {
            match byte {
                b'\n' => (self.line, self.column) = (self.line + 1, 1),
                // Continuation bytes of a character.
                0x80..0xC0 => {}
                _ => self.column += 1,
            }
        }
        self.at = self.at.max(offset);
        (self.line, self.column)
    }
}

/// JSON pointers of values in ascending order.
struct Pointers<'t> {
    tree: &'t Tree,
    open: Vec<Open>,
}

/// A container on the way to the value, and the child that the way goes through.
struct Open {
    container: Id,
    /// The key, if the child is a member.
    child: Id,
    index: usize,
}

impl Pointers<'_> {
    /// The pointer of a value; a key has that of its value.
    fn of(&mut self, target: Id) -> String {
        while self.open.len() > 1
            && self.open.last().is_some_and(|open| target >= self.tree.node(open.container).next)
        {
            self.open.pop();
        }
        let mut pointer = String::new();
        if target == ROOT {
            return pointer;
        }
        while let Some(value) = self.open.last_mut().map(|open| advance(self.tree, open, target)) {
            let node = self.tree.node(value);
            if target <= value || !matches!(node.kind, Kind::List | Kind::Object) {
                break;
            }
            self.open.push(Open { container: value, child: value + 1, index: 0 });
        }
        for open in &self.open {
            pointer.push('/');
            match self.tree.kind(open.container) {
                Kind::List => pointer.push_str(&open.index.to_string()),
                _ => pointer.push_str(&segment(&self.tree.string(open.child))),
            }
        }
        pointer
    }
}

/// Moves to the child that is or holds the target, and returns the value of that child.
fn advance(tree: &Tree, open: &mut Open, target: Id) -> Id {
    let keyed = tree.kind(open.container) == Kind::Object;
    loop {
        let value = if keyed { open.child + 1 } else { open.child };
        let after = tree.node(value).next.max(value + 1);
        if target < after {
            return value;
        }
        open.child = after;
        open.index += 1;
    }
}

/// A key in a pointer (RFC 6901). A key longer than any name may be is cut: it may be as long as the file.
pub(super) fn segment(key: &str) -> String {
    let end = key.char_indices().nth(limits::NAME).map_or(key.len(), |(end, _)| end);
    let mut segment = key.get(..end).unwrap_or_default().replace('~', "~0").replace('/', "~1");
    if end < key.len() {
        segment.push('…');
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::super::{json::Tree, reader};
    use super::*;

    fn tree(text: &str) -> Tree {
        reader::read(text.to_owned()).unwrap_or_else(|_| panic!("{text}")).0
    }

    #[test]
    fn every_value_and_key_has_the_pointer_that_leads_to_it() {
        let tree = tree(r#"{"a": [1, {"b/c": null}, [[]]], "d~\u0065": {}, "": {"x": [true]}}"#);
        let mut findings = Findings::default();
        for id in 0..tree.nodes.len() {
            findings.error(id as u32, "");
        }
        let pointers: Vec<String> =
            report("f", &tree, findings).problems.into_iter().map(|problem| problem.pointer).collect();
        assert_eq!(
            pointers,
            [
                "",
                "/a",
                "/a",
                "/a/0",
                "/a/1",
                "/a/1/b~1c",
                "/a/1/b~1c",
                "/a/2",
                "/a/2/0",
                "/d~0e",
                "/d~0e",
                "/",
                "/",
                "//x",
                "//x",
                "//x/0"
            ]
        );
        for (id, pointer) in (0..).zip(&pointers) {
            let mut alone = Findings::default();
            alone.error(id, "");
            assert_eq!(&report("f", &tree, alone).problems[0].pointer, pointer, "asked alone");
        }
    }

    #[test]
    fn columns_count_characters() {
        let text = "{\n  \"ä€😀\": 1,\r\n\t\"b\": 2}";
        let mut lines = Lines::new(text);
        assert_eq!(lines.place(0), (1, 1));
        assert_eq!(lines.place(text.find('1').unwrap()), (2, 10));
        assert_eq!(lines.place(text.find('2').unwrap()), (3, 7));
    }
}
