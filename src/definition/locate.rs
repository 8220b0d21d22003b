//! Syntax problems of any JSON document, and the places of its values: for documents that are no definitions, such as those that
//! `flagstone probe` reads.

use super::document::Document;
use super::json::{Id, Kind, ROOT};
use super::{place, report::Report};

impl Document {
    /// Problems found while reading the text: duplicate keys, numbers that nothing holds.
    pub fn noted(&self) -> Report {
        place::report(&self.file, &self.tree, self.noted.clone())
    }

    /// Line and column, both from 1, of the value at a JSON pointer (RFC 6901); if there is none, of the last value on the way.
    pub fn locate(&self, pointer: &str) -> (usize, usize) {
        let mut at = ROOT;
        for segment in pointer.split('/').skip(1) {
            let name = segment.replace("~1", "/").replace("~0", "~");
            let next: Option<Id> = match self.tree.kind(at) {
                Kind::Object => self.tree.member(at, &name),
                Kind::List => name.parse().ok().and_then(|index| self.tree.items(at).nth(index)),
                _ => None,
            };
            match next {
                Some(next) => at = next,
                None => break,
            }
        }
        place::Lines::new(&self.tree.text).place(self.tree.node(at).start as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    #[test]
    fn a_pointer_leads_to_line_and_column() {
        let document = parse("a.json", b"{\n  \"a/b\": [1,\n    {\"\xc3\xa4\": 2, \"c\": 3}]\n}").unwrap();
        for (pointer, place) in [
            ("", (1, 1)),
            ("/a~1b", (2, 10)),
            ("/a~1b/0", (2, 11)),
            ("/a~1b/1/c", (3, 19)),
            ("/a~1b/1/missing", (3, 5)),
            ("/a~1b/7", (2, 10)),
            ("/missing/x", (1, 1)),
        ] {
            assert_eq!(document.locate(pointer), place, "{pointer}");
        }
    }

    #[test]
    fn keys_that_are_there_twice_are_noted() {
        let report = parse("a.json", b"{\"a\": 1, \"a\": 2}").unwrap().noted();
        assert_eq!(report.errors(), 1, "{report}");
    }
}
