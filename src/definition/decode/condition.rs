//! Decodes conditions.

use super::{Decoder, Link, Owner, is_attribute};
use crate::definition::json::Kind;
use crate::definition::merge::View;
use crate::definition::{Condition, Scalar, Test, limits};
use crate::{semver, time};
use std::borrow::Cow;
use std::rc::Rc;

const EXPECTED: &str = "a condition, an object with all, any, not, segment, or attribute and a comparison";

/// The keys of a condition: the five forms, then the comparisons.
const FORMS: usize = 5;
const KEYS: [&str; FORMS + Test::NAMES.len()] = {
    let mut keys = [""; FORMS + Test::NAMES.len()];
    (keys[0], keys[1], keys[2], keys[3], keys[4]) = ("all", "any", "not", "segment", "attribute");
    let mut index = 0;
    while index < Test::NAMES.len() {
        keys[FORMS + index] = Test::NAMES[index];
        index += 1;
    }
    keys
};

/// An operand that hardly means what it says, and the way out.
fn suspect_operand(attribute: &str, test: &Test) -> Option<(&'static str, Cow<'static, str>)> {
    const EXISTS: Cow<'_, str> = Cow::Borrowed("write \"exists\": true if that is meant");
    const ONE_KIND: Cow<'_, str> = Cow::Borrowed("list values of one kind");
    // A company's id is a number or a string, so a list of companies may have both.
    let is_blank =
        |list: &[Scalar]| list.iter().all(|value| matches!(value, Scalar::Text(text) if text.is_empty()));
    let mixes = |list: &[Scalar]| attribute != "company" && mixes_kinds(list);
    Some(match test {
        Test::In(list) if list.is_empty() => {
            ("an empty list, so it holds for nobody", "list a value, or remove the condition".into())
        }
        Test::NotIn(list) if list.is_empty() => {
            ("an empty list, which compares with nothing, so it holds for nobody", EXISTS)
        }
        Test::In(list) if is_blank(list) => (
            "a list of an empty text, so it holds for an empty text alone",
            "list a value, or write \"eq\": \"\" if that is meant".into(),
        ),
        Test::NotIn(list) if is_blank(list) => (
            "a list of an empty text, so it holds for every other text",
            "list a value, or write \"ne\": \"\" if that is meant".into(),
        ),
        Test::In(list) if mixes(list) => {
            ("a list that mixes kinds, so it is unknown for what is not listed", ONE_KIND)
        }
        Test::NotIn(list) if mixes(list) => ("a list that mixes kinds, so it holds for nobody", ONE_KIND),
        Test::StartsWith(text)
        | Test::EndsWith(text)
        | Test::Contains(text)
        | Test::Gte(Scalar::Text(text))
            if text.is_empty() =>
        {
            ("an empty text, so it holds for every text", EXISTS)
        }
        Test::Lt(Scalar::Text(text)) if text.is_empty() => {
            ("an empty text, so it holds for no text", "write what it is to be compared with".into())
        }
        Test::Lt(Scalar::Text(text))
        | Test::Lte(Scalar::Text(text))
        | Test::Gt(Scalar::Text(text))
        | Test::Gte(Scalar::Text(text))
            if text.parse::<serde_json::Number>().is_ok() =>
        {
            ("a text, which compares with texts alone, by their bytes", format!("write {text}").into())
        }
        _ => return None,
    })
}

/// True if no value compares with all of the list.
fn mixes_kinds(list: &[Scalar]) -> bool {
    let kind = |scalar: &Scalar| match scalar {
        Scalar::Bool(_) => 0,
        Scalar::Int(_) | Scalar::Float(_) => 1,
        Scalar::Text(_) => 2,
    };
    !list.iter().map(kind).is_sorted_by(|a, b| a == b)
}

impl<'m> Decoder<'m> {
    /// Recurses no deeper than the reader lets a document nest.
    pub(super) fn condition(&mut self, view: View<'m>) -> Option<Condition> {
        let fields = self.fields(view, KEYS, EXPECTED)?;
        let written: Vec<(&str, View<'m>)> =
            KEYS.into_iter().zip(fields).filter_map(|(key, field)| Some((key, field?))).collect();
        let names = || written.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(", ");
        match written[..] {
            [("all", all)] => Some(Condition::All { all: self.conditions(all, "all", "everybody")? }),
            [("any", any)] => Some(Condition::Any { any: self.conditions(any, "any", "nobody")? }),
            [("not", not)] => Some(Condition::Not { not: Box::new(self.condition(not)?) }),
            [("segment", segment)] => self.segment(segment),
            [("attribute", attribute), (operator, operand)] => self.test(attribute, operator, operand),
            [] => {
                self.mismatch(view, EXPECTED);
                None
            }
            [("attribute", _)] => {
                let message = format!("found no comparison, expected one of {}", Test::NAMES.join(", "));
                self.findings.error(view.place(), message);
                None
            }
            [("attribute", _), ..] => {
                self.findings.error_with(
                    view.place(),
                    format!("found {}, expected one comparison", names()),
                    "several conditions are written { \"all\": [ … ] }".to_owned(),
                );
                None
            }
            [(first, _), ..] if written.len() == 1 || Test::NAMES.contains(&first) => {
                self.missing(view, "attribute", "the attribute that is compared");
                None
            }
            _ => {
                self.findings.error_with(
                    view.place(),
                    format!("found {}, expected one of them", names()),
                    "several conditions are written { \"all\": [ … ] }".to_owned(),
                );
                None
            }
        }
    }

    /// `whom` is for whom `name` of no conditions holds.
    fn conditions(&mut self, view: View<'m>, name: &str, whom: &str) -> Option<Vec<Condition>> {
        let items = self.items(view, "a list of conditions")?;
        // Reads each, so that the problems of all are reported.
        let conditions: Vec<_> = items.map(|item| self.condition(item)).collect();
        if conditions.is_empty() {
            let message = format!("found {name} with an empty list, so it holds for {whom}");
            self.findings.warning(view.place(), message, "list a condition".to_owned());
        }
        conditions.into_iter().collect()
    }

    fn segment(&mut self, view: View<'m>) -> Option<Condition> {
        let segment = self.name(view, "segment name")?;
        let link = |from: &Rc<str>| Link { from: Rc::clone(from), to: segment.clone(), at: view.place() };
        match &self.owner {
            Owner::Flag(flag) => self.links.used.push(link(flag)),
            Owner::Segment(outer) => self.links.nested.push(link(outer)),
        }
        Some(Condition::Segment { segment })
    }

    fn test(&mut self, attribute: View<'m>, operator: &str, operand: View<'m>) -> Option<Condition> {
        let test = self.operand(operator, operand);
        let name = self.attribute(attribute)?;
        let test = test?;
        if name == "now" && !matches!(test, Test::Before(_) | Test::After(_)) {
            let message = format!("found {operator} on \"now\", expected before or after");
            self.findings.error(operand.place(), message);
            return None;
        }
        if let Some((found, advice)) = suspect_operand(&name, &test) {
            let message = format!("found {operator} with {found}");
            self.findings.warning(operand.place(), message, advice.into_owned());
        }
        Some(Condition::Test { attribute: name, test })
    }

    pub(super) fn attribute(&mut self, view: View<'m>) -> Option<String> {
        let name = self.string(view, "an attribute's name, a string")?;
        if !is_attribute(&name) {
            let expected = "an attribute's name: 1 to 64 letters, digits, _ . or -, a letter or _ first";
            self.mismatch(view, expected);
            return None;
        }
        Some(name.into_owned())
    }

    fn operand(&mut self, operator: &str, view: View<'m>) -> Option<Test> {
        Some(match operator {
            "in" => Test::In(self.scalars(view)?),
            "not_in" => Test::NotIn(self.scalars(view)?),
            "eq" => Test::Eq(self.scalar(view)?),
            "ne" => Test::Ne(self.scalar(view)?),
            "lt" => Test::Lt(self.ordered(view)?),
            "lte" => Test::Lte(self.ordered(view)?),
            "gt" => Test::Gt(self.ordered(view)?),
            "gte" => Test::Gte(self.ordered(view)?),
            "starts_with" => Test::StartsWith(self.text(view)?),
            "ends_with" => Test::EndsWith(self.text(view)?),
            "contains" => Test::Contains(self.text(view)?),
            "exists" => Test::Exists(self.boolean(view)?),
            "before" => Test::Before(self.time(view)?),
            "after" => Test::After(self.time(view)?),
            "semver_eq" => Test::SemverEq(self.version(view)?),
            "semver_lt" => Test::SemverLt(self.version(view)?),
            "semver_lte" => Test::SemverLte(self.version(view)?),
            "semver_gt" => Test::SemverGt(self.version(view)?),
            "semver_gte" => Test::SemverGte(self.version(view)?),
            _ => return None,
        })
    }

    fn scalars(&mut self, view: View<'m>) -> Option<Vec<Scalar>> {
        let items = self.items(view, "a list of booleans, numbers and strings")?;
        let scalars: Vec<_> = items.map(|item| self.scalar(item)).collect();
        scalars.into_iter().collect()
    }

    fn scalar(&mut self, view: View<'m>) -> Option<Scalar> {
        match view.kind(self.tree) {
            Kind::True => Some(Scalar::Bool(true)),
            Kind::False => Some(Scalar::Bool(false)),
            Kind::Int => self.int(view).map(Scalar::Int),
            Kind::Float => self.float(view).map(Scalar::Float),
            Kind::Plain | Kind::Escaped => self.text(view).map(Scalar::Text),
            _ => {
                self.mismatch(view, "a boolean, a number or a string");
                None
            }
        }
    }

    fn ordered(&mut self, view: View<'m>) -> Option<Scalar> {
        if matches!(view.kind(self.tree), Kind::True | Kind::False) {
            self.mismatch(view, "a number or a string");
            return None;
        }
        self.scalar(view)
    }

    /// Reads a string operand.
    fn text(&mut self, view: View<'m>) -> Option<String> {
        let text = self.string(view, "a string")?;
        if text.len() > limits::NAME {
            let message =
                format!("found a string of {} bytes, expected at most {}", text.len(), limits::NAME);
            self.findings.error(view.place(), message);
            return None;
        }
        Some(text.into_owned())
    }

    pub(super) fn time(&mut self, view: View<'m>) -> Option<String> {
        const EXPECTED: &str = "a time with an offset (RFC 3339), such as \"2026-12-01T08:00:00Z\"";
        let text = self.string(view, EXPECTED)?;
        if time::parse_rfc3339(text.as_bytes()).is_none() {
            self.mismatch(view, EXPECTED);
            return None;
        }
        Some(text.into_owned())
    }

    fn version(&mut self, view: View<'m>) -> Option<String> {
        const EXPECTED: &str = "a version (SemVer 2.0.0), such as \"2.1.0\"";
        let text = self.text(view)?;
        if !semver::is_valid(text.as_bytes()) {
            let bare = text.strip_prefix(['v', 'V', '=']).filter(|bare| semver::is_valid(bare.as_bytes()));
            let hint = bare.map(|bare| format!("did you mean \"{bare}\"?"));
            self.mismatch_with(view, EXPECTED, hint);
            return None;
        }
        Some(text)
    }
}
