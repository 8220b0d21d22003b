//! Decodes the value of a variant: any JSON, which `feature_value()` gives to PHP.

use super::Decoder;
use crate::definition::json::Kind;
use crate::definition::limits;
use crate::definition::merge::View;
use serde_json::{Map, Value};

impl<'m> Decoder<'m> {
    /// Decodes the value, without the parts that could not be read and were reported.
    pub(super) fn value(&mut self, view: View<'m>) -> Value {
        self.nested_value(view, 0)
    }

    /// Recurses no deeper than the reader lets a document nest.
    fn nested_value(&mut self, view: View<'m>, depth: usize) -> Value {
        let tree = self.tree;
        let kind = view.kind(tree);
        if depth == limits::VALUE_NESTING && matches!(kind, Kind::List | Kind::Object) {
            let message = format!("found a value that nests deeper than {}", limits::VALUE_NESTING);
            self.findings.error(view.place(), message);
            return Value::Null;
        }
        match kind {
            Kind::Null | Kind::Unreadable => Value::Null,
            Kind::False => Value::Bool(false),
            Kind::True => Value::Bool(true),
            Kind::Int => self.int(view).map_or(Value::Null, Value::from),
            Kind::Float => self.float(view).map_or(Value::Null, Value::from),
            Kind::Plain | Kind::Escaped => Value::String(tree.string(view.place()).into_owned()),
            Kind::List => {
                let items =
                    tree.items(view.place()).map(|item| self.nested_value(View::Raw(item), depth + 1));
                Value::Array(items.collect())
            }
            Kind::Object => {
                let mut members: Vec<(String, Value)> = view
                    .members(tree)
                    .map(|(key, value)| (tree.string(key).into_owned(), self.nested_value(value, depth + 1)))
                    .collect();
                members.sort_by(|(a, _), (b, _)| a.cmp(b));
                Value::Object(Map::from_iter(members))
            }
        }
    }
}
