//! Reads single values, and reports those of another kind.

use super::{COMMENT, Decoder};
use crate::definition::clip::clip;
use crate::definition::json::{Id, Kind};
use crate::definition::merge::View;
use crate::definition::{Percentage, limits};
use std::borrow::Cow;

impl<'m> Decoder<'m> {
    /// Reports a value of the wrong kind.
    pub(super) fn mismatch(&mut self, view: View, expected: &str) {
        self.mismatch_with(view, expected, None);
    }

    pub(super) fn mismatch_with(&mut self, view: View, expected: &str, hint: Option<String>) {
        // The reader has reported a number that it could not read.
        if view.kind(self.tree) == Kind::Unreadable {
            return;
        }
        if self.findings.is_full() {
            self.findings.error(view.place(), "");
        } else {
            let message = format!("found {}, expected {expected}", self.found(view));
            self.findings.error_with(view.place(), message, hint);
        }
    }

    /// Describes a value for people.
    pub(super) fn found(&self, view: View) -> String {
        let id = view.place();
        match view.kind(self.tree) {
            Kind::Null => "null".to_owned(),
            Kind::False => "false".to_owned(),
            Kind::True => "true".to_owned(),
            Kind::Int | Kind::Float | Kind::Unreadable => clip(self.tree.raw(id)).into_owned(),
            Kind::Plain | Kind::Escaped => format!("\"{}\"", clip(&self.tree.string(id)).escape_debug()),
            Kind::List if self.tree.node(id).size == 0 => "an empty list".to_owned(),
            Kind::List => "a list".to_owned(),
            Kind::Object => "an object".to_owned(),
        }
    }

    /// Reports that an object lacks a key.
    pub(super) fn missing(&mut self, view: View, key: &str, expected: &str) {
        self.findings.error(view.place(), format!("found no \"{key}\", expected {expected}"));
    }

    /// Reports an unknown key.
    pub(super) fn unknown(&mut self, key: Id, name: &str, known: &[&str]) {
        if self.findings.is_full() {
            return self.findings.error(key, "");
        }
        let hint = self.findings.suggestion(name, known.iter().copied());
        let listed = known.join(", ");
        let message =
            format!("found the unknown key \"{}\", expected one of {listed}", clip(name).escape_debug());
        self.findings.error_with(key, message, hint);
    }

    /// The values of an object by its allowed keys. All others are reported.
    pub(super) fn fields<const N: usize>(
        &mut self,
        view: View<'m>,
        names: [&'static str; N],
        expected: &str,
    ) -> Option<[Option<View<'m>>; N]> {
        self.fields_beside(view, names, None, expected)
    }

    /// Like [`fields`](Self::fields), with one key left to the caller.
    pub(super) fn fields_beside<const N: usize>(
        &mut self,
        view: View<'m>,
        names: [&'static str; N],
        beside: Option<&str>,
        expected: &str,
    ) -> Option<[Option<View<'m>>; N]> {
        let mut fields = [None; N];
        if view.kind(self.tree) != Kind::Object {
            self.mismatch(view, expected);
            return None;
        }
        let tree = self.tree;
        for (key, value) in view.members(tree) {
            let name = tree.string(key);
            match names.iter().position(|known| *known == name).and_then(|index| fields.get_mut(index)) {
                Some(field) => *field = Some(value),
                None if name == COMMENT || beside == Some(&*name) => {}
                None => self.unknown(key, &name, &names),
            }
        }
        Some(fields)
    }

    /// The members of an object whose keys people choose.
    pub(super) fn entries(&mut self, view: View<'m>, expected: &str) -> Vec<(Id, Cow<'m, str>, View<'m>)> {
        if view.kind(self.tree) != Kind::Object {
            self.mismatch(view, expected);
            return Vec::new();
        }
        let tree = self.tree;
        let named = view.members(tree).map(|(key, value)| (key, tree.string(key), value));
        named.filter(|(_, name, _)| name != COMMENT).collect()
    }

    /// The items of a list; reports a value of another kind.
    pub(super) fn items(
        &mut self,
        view: View<'m>,
        expected: &str,
    ) -> Option<impl Iterator<Item = View<'m>> + use<'m>> {
        if view.kind(self.tree) == Kind::List {
            return Some(self.tree.items(view.place()).map(View::Raw));
        }
        self.mismatch(view, expected);
        None
    }

    pub(super) fn string(&mut self, view: View<'m>, expected: &str) -> Option<Cow<'m, str>> {
        if matches!(view.kind(self.tree), Kind::Plain | Kind::Escaped) {
            return Some(self.tree.string(view.place()));
        }
        self.mismatch(view, expected);
        None
    }

    /// Reads a string that is not empty and not beyond the limit of names; `what` names it in messages.
    pub(super) fn name(&mut self, view: View<'m>, what: &str) -> Option<String> {
        let name = self.string(view, &format!("a {what}, a string"))?;
        self.check_name(view.place(), &name, what).then(|| name.into_owned())
    }

    pub(super) fn check_name(&mut self, at: Id, name: &str, what: &str) -> bool {
        let sound = (1..=limits::NAME).contains(&name.len());
        if !sound {
            let message = format!("found a {what} of {} bytes, expected 1 to {}", name.len(), limits::NAME);
            self.findings.error(at, message);
        }
        sound
    }

    pub(super) fn boolean(&mut self, view: View<'m>) -> Option<bool> {
        match view.kind(self.tree) {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => {
                self.mismatch(view, "true or false");
                None
            }
        }
    }

    pub(super) fn percentage(&mut self, view: View<'m>) -> Option<Percentage> {
        let is_number = matches!(view.kind(self.tree), Kind::Int | Kind::Float);
        let percentage = Percentage::from_literal(self.tree.raw(view.place())).filter(|_| is_number);
        if percentage.is_none() {
            self.mismatch(view, "a number from 0 to 100 with up to three decimals");
        }
        percentage
    }

    /// Returns an integer of 64 bits, exactly.
    pub(super) fn int(&self, view: View<'m>) -> Option<i64> {
        if view.kind(self.tree) == Kind::Int { self.tree.raw(view.place()).parse().ok() } else { None }
    }

    pub(super) fn float(&self, view: View<'m>) -> Option<f64> {
        if view.kind(self.tree) == Kind::Float { self.tree.raw(view.place()).parse().ok() } else { None }
    }
}
