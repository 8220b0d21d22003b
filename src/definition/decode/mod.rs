//! Decodes the tree into the model. Decoding continues after a problem, without the broken part.

mod condition;
mod flag;
mod guard;
mod plan;
mod read;
mod value;

use super::clip::clip;
use super::json::{Id, Kind, ROOT, Tree};
use super::links::{Link, Links};
use super::merge::View;
use super::model::{Definitions, Flag};
use super::report::Findings;
use super::{Condition, GuardRule, limits, references};
use crate::snapshot::is_flag_key;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Allowed in every object, and ignored.
pub(super) const COMMENT: &str = "$comment";

/// The flag or segment being read, to which its references belong.
enum Owner {
    Flag(Rc<str>),
    Segment(Rc<str>),
}

struct Decoder<'m> {
    tree: &'m Tree,
    findings: Findings,
    links: Links,
    owner: Owner,
    /// The document's limits for all flags.
    guard: Option<GuardRule>,
    /// Days since 1970.
    today: i64,
}

/// Decodes the definitions and collects their problems: they are valid only if none is an error.
pub(super) fn document<'m>(
    tree: &'m Tree,
    view: View<'m>,
    environments: &[(String, Id)],
    today: i64,
    findings: Findings,
) -> (Definitions, Findings) {
    let owner = Owner::Flag(Rc::from(""));
    let mut decoder = Decoder { tree, findings, links: Links::default(), owner, guard: None, today };
    let definitions = decoder.definitions(view);
    decoder.environments(environments);
    let Decoder { mut findings, links, .. } = decoder;
    references::check(&definitions, &links, today, &mut findings);
    (definitions, findings)
}

fn is_environment(name: &str) -> bool {
    let tail = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    name.len() <= 64
        && name.bytes().all(tail)
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
}

fn is_attribute(name: &str) -> bool {
    let tail = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.len() <= 64 && name.bytes().all(tail) && name.bytes().next().is_some_and(first)
}

impl<'m> Decoder<'m> {
    fn definitions(&mut self, view: View<'m>) -> Definitions {
        const NAMES: [&str; 5] = ["flags", "segments", "guard", "environments", "$schema"];
        let Some([flags, segments, guard, environments, schema]) =
            self.fields(view, NAMES, "an object with \"flags\"")
        else {
            return Definitions::default();
        };
        if let Some(schema) = schema {
            self.string(schema, "the schema's address, a string");
        }
        if let Some(environments) = environments
            && environments.kind(self.tree) != Kind::Object
        {
            self.mismatch(environments, "an object of environments by name");
        }
        let segments = segments.map_or_else(BTreeMap::new, |segments| self.segments(segments));
        self.guard = guard.and_then(|guard| self.guard(guard));
        let Some(flags) = flags else {
            self.missing(view, "flags", "an object of flags by key");
            return Definitions::default();
        };
        Definitions { flags: self.flags(flags), segments, ..Definitions::default() }
    }

    fn flags(&mut self, view: View<'m>) -> BTreeMap<String, Flag> {
        let mut flags = BTreeMap::new();
        let mut count = 0;
        for (at, key, view) in self.entries(view, "an object of flags by key") {
            count += 1;
            let sound = is_flag_key(key.as_bytes());
            if !sound {
                let message = format!(
                    "found the flag key \"{}\", expected 1 to 191 letters, digits, or _ . : \\ - after the first",
                    clip(&key)
                );
                self.findings.error(at, message);
            }
            self.links.flags.insert(key.to_string(), at);
            // An invalid key may be as long as the file, and is shown in many messages.
            let shown: Rc<str> = if sound { Rc::from(&*key) } else { Rc::from(&*clip(&key)) };
            self.owner = Owner::Flag(shown.clone());
            if let Some(flag) = self.flag(at, &shown, view).filter(|_| sound) {
                flags.insert(key.into_owned(), flag);
            }
        }
        if count > limits::FLAGS {
            self.findings
                .error(view.place(), format!("found {count} flags, expected at most {}", limits::FLAGS));
        }
        flags
    }

    fn segments(&mut self, view: View<'m>) -> BTreeMap<String, Condition> {
        let mut segments = BTreeMap::new();
        for (at, name, view) in self.entries(view, "an object of conditions by segment name") {
            let sound = self.check_name(at, &name, "segment name");
            self.links.segments.insert(name.to_string(), at);
            self.owner = Owner::Segment(if sound { Rc::from(&*name) } else { Rc::from(&*clip(&name)) });
            if let Some(condition) = self.condition(view) {
                segments.insert(name.into_owned(), condition);
            }
        }
        segments
    }

    /// Checks overlays as far as that is possible without merging them.
    fn environments(&mut self, environments: &[(String, Id)]) {
        let tree = self.tree;
        if environments.len() > limits::ENVIRONMENTS {
            let (count, most) = (environments.len(), limits::ENVIRONMENTS);
            let at = environments.first().map_or(ROOT, |(_, overlay)| overlay.saturating_sub(1));
            self.findings.error(at, format!("found {count} environments, expected at most {most}"));
        }
        for (name, overlay) in environments {
            let key = overlay.saturating_sub(1);
            if !is_environment(name) {
                let message = format!(
                    "found the environment \"{}\", expected 1 to 64 lower-case letters, digits, _ or -, a letter first",
                    clip(name)
                );
                self.findings.error(key, message);
            }
            if tree.kind(*overlay) != Kind::Object {
                self.mismatch(View::Raw(*overlay), "an object: a merge patch (RFC 7386) on the document");
                continue;
            }
            for (key, value) in tree.members(*overlay) {
                match tree.string(key).as_ref() {
                    "flags" => self.overlay_of_flags(View::Raw(value)),
                    COMMENT | "segments" | "guard" => {}
                    "environments" => {
                        self.findings.error(key, "an environment cannot patch \"environments\"")
                    }
                    other => self.unknown(key, other, &["flags", "segments", "guard"]),
                }
            }
        }
    }

    /// Reports what RFC 7386 would do without a word: an object merged into a flag that is `false`, and a `null` that deletes `enabled` or a
    /// list of denied companies, turn a flag on although neither text says so.
    fn overlay_of_flags(&mut self, patch: View<'m>) {
        let tree = self.tree;
        let flags = tree.member(ROOT, "flags").map(|flags| tree.by_name(flags)).unwrap_or_default();
        for (key, change) in patch.members(tree).map(|(key, change)| (key, change.place())) {
            if tree.kind(change) != Kind::Object {
                continue;
            }
            let name = tree.string(key);
            let flag = flags.get(&name).copied();
            let enabled = tree.member(change, "enabled");
            if enabled.is_none() && flag.is_some_and(|flag| tree.kind(flag) == Kind::False) {
                let message =
                    format!("{name} is false in the document, and the patch does not say \"enabled\"");
                self.findings.error_with(key, message, "add \"enabled\": true or false".to_owned());
            }
            if let Some(enabled) = enabled.filter(|&enabled| tree.kind(enabled) == Kind::Null) {
                self.mismatch(View::Raw(enabled), "true or false: without it the flag is enabled");
            }
            let deny = |flag| tree.member(tree.member(flag, "companies")?, "deny");
            let denies = flag.and_then(deny).is_some_and(|deny| tree.items(deny).next().is_some());
            let nulls = [tree.member(change, "companies"), deny(change)];
            for null in nulls.into_iter().flatten().filter(|&value| denies && tree.kind(value) == Kind::Null)
            {
                let message = format!("found null, which deletes the list of companies that {name} denies");
                self.findings.error_with(null, message, "write \"deny\": [] if that is meant".to_owned());
            }
        }
    }
}
