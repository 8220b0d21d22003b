//! Values of a document that an environment's overlay replaces, with their places: an edit of one does not reach the environment.

use super::clip::clip;
use super::document::Document;
use super::json::{Id, Kind, ROOT, Tree};
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64;

/// The values that the overlay of one environment replaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OverlayValues {
    /// The environment's name.
    pub environment: String,
    /// Replaced values by flag.
    pub flags: BTreeMap<String, Vec<ReplacedValue>>,
    /// Replaced values by segment.
    pub segments: BTreeMap<String, Vec<ReplacedValue>>,
}

/// A value of the overlay that replaces one of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplacedValue {
    /// The path below the flag or segment: `rollout/percentage`.
    pub path: String,
    /// The document's value, shared by all environments.
    pub shared: SourceValue,
    /// The overlay's value.
    pub overlay: SourceValue,
}

/// A value and its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceValue {
    /// Equal for equal values, however they are written; the order of a list of plain values makes no difference. Empty if there is no
    /// value.
    pub digest: String,
    /// The value as shown to people.
    pub text: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in bytes.
    pub column: usize,
}

impl Document {
    /// The values that the overlay of that environment replaces.
    pub fn overlaid(&self, environment: &str) -> OverlayValues {
        let mut overlaid = OverlayValues { environment: environment.to_owned(), ..OverlayValues::default() };
        let Some(patch) = self.patch(environment) else { return overlaid };
        let walk = Walk { tree: &self.tree, lines: line_starts(&self.tree.text) };
        overlaid.flags = walk.section(patch, "flags");
        overlaid.segments = walk.section(patch, "segments");
        overlaid
    }
}

struct Walk<'t> {
    tree: &'t Tree,
    /// Offsets of the first byte of each line.
    lines: Vec<u32>,
}

impl<'t> Walk<'t> {
    fn section(&self, patch: Id, name: &str) -> BTreeMap<String, Vec<ReplacedValue>> {
        let tree = self.tree;
        let (Some(patch), target) = (tree.member(patch, name), tree.member(ROOT, name)) else {
            return BTreeMap::new();
        };
        let known = tree.by_name(target.unwrap_or(patch));
        let replaced = |(key, patch): (Id, Id)| {
            let name = tree.string(key);
            let mut found = Vec::new();
            let target = known.get(&name).copied().filter(|_| target.is_some());
            self.replaced(patch, target, &mut String::new(), &mut found);
            (name.into_owned(), found)
        };
        tree.members(patch).map(replaced).collect()
    }

    /// Recurses no deeper than a document nests.
    fn replaced(&self, patch: Id, target: Option<Id>, path: &mut String, found: &mut Vec<ReplacedValue>) {
        let tree = self.tree;
        if tree.kind(patch) != Kind::Object {
            let shared = self.said(target, patch, path);
            found.push(ReplacedValue {
                path: path.clone(),
                shared,
                overlay: self.said(Some(patch), patch, path),
            });
            return;
        }
        // The short form of a flag replaces each of its fields.
        let short = target.filter(|&target| tree.kind(target) != Kind::Object);
        let known = target.filter(|_| short.is_none()).map(|target| tree.by_name(target)).unwrap_or_default();
        for (key, patch) in tree.members(patch) {
            let (name, length) = (tree.string(key), path.len());
            let slash = if path.is_empty() { "" } else { "/" };
            path.extend([slash, &name]);
            self.replaced(patch, short.or_else(|| known.get(&name).copied()), path, found);
            path.truncate(length);
        }
    }

    fn said(&self, value: Option<Id>, otherwise: Id, path: &str) -> SourceValue {
        let start = self.tree.node(value.unwrap_or(otherwise)).start;
        let line = self.lines.partition_point(|line| *line <= start);
        let line_start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let column = (start - line_start) as usize + 1;
        let Some(value) = value else {
            return SourceValue { digest: String::new(), text: String::new(), line, column };
        };
        let digest = format!("{:016x}", xxh3_64(self.tree.normal(value).as_bytes()));
        SourceValue { digest, text: self.shown(value, path), line, column }
    }

    fn shown(&self, value: Id, path: &str) -> String {
        let tree = self.tree;
        match tree.kind(value) {
            Kind::Null => "nothing".to_owned(),
            Kind::False => "false".to_owned(),
            Kind::True => "true".to_owned(),
            Kind::Object => "its own".to_owned(),
            Kind::List => match tree.node(value).size {
                1 => "a list of 1".to_owned(),
                size => format!("a list of {size}"),
            },
            Kind::Plain | Kind::Escaped => format!("\"{}\"", clip(&tree.string(value)).escape_debug()),
            Kind::Int | Kind::Float | Kind::Unreadable if path.ends_with("percentage") => {
                format!("{} %", clip(tree.raw(value)))
            }
            Kind::Int | Kind::Float | Kind::Unreadable => clip(tree.raw(value)).into_owned(),
        }
    }
}

fn line_starts(text: &str) -> Vec<u32> {
    let ends = text.bytes().zip(1..).filter(|(byte, _)| *byte == b'\n');
    std::iter::once(0).chain(ends.map(|(_, next)| next)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    fn replaced(text: &str) -> Vec<(String, String, String, usize, usize)> {
        let overlaid = parse("a.json", text.as_bytes()).unwrap().overlaid("production");
        let said = overlaid.flags.into_iter().flat_map(|(flag, said)| {
            said.into_iter().map(move |said| {
                let path = format!("{flag}/{}", said.path);
                (path, said.shared.text, said.overlay.text, said.shared.line, said.overlay.line)
            })
        });
        said.collect()
    }

    #[test]
    fn what_an_overlay_replaces_has_path_values_and_lines() {
        let text = r#"{"flags": {
            "search": {"rollout": {"percentage": 50, "by": "user"}, "companies": {"allow": [1, 2]}},
            "short": true
        }, "environments": {"production": {"flags": {
            "search": {"rollout": {"percentage": 75}, "companies": {"allow": [3]}, "schedule": null},
            "short": {"enabled": false},
            "own": {"enabled": true}
        }}}}"#;
        let expected = [
            ("own/enabled", "", "true", 7, 7),
            ("search/rollout/percentage", "50 %", "75 %", 2, 5),
            ("search/companies/allow", "a list of 2", "a list of 1", 2, 5),
            ("search/schedule", "", "nothing", 5, 5),
            ("short/enabled", "true", "false", 3, 6),
        ];
        let expected =
            expected.map(|(path, shared, says, a, b)| (path.into(), shared.into(), says.into(), a, b));
        assert_eq!(replaced(text), expected);
        assert_eq!(parse("a.json", text.as_bytes()).unwrap().overlaid("staging").flags.len(), 0);
    }

    #[test]
    fn a_value_written_otherwise_has_the_same_digest() {
        let digest = |value: &str| {
            let text = format!(
                r#"{{"flags": {{"a": {{"x": {value}}}}}, "environments": {{"production": {{"flags": {{"a": {{"x": 0}}}}}}}}}}"#
            );
            let overlaid = parse("a.json", text.as_bytes()).unwrap().overlaid("production");
            overlaid.flags["a"][0].shared.digest.clone()
        };
        assert_eq!(digest("[15, 42]"), digest("[42,\n15]"));
        assert_eq!(digest(r#"{"a": 1, "b": "ä"}"#), digest("{\"b\":\"\\u00e4\", \"a\":1}"));
        assert_eq!(digest("10.0"), digest("10.00"));
        assert_ne!(digest("[15, 42]"), digest("[15, 43]"));
        assert_ne!(digest(r#"["15"]"#), digest("[15]"));
    }
}
