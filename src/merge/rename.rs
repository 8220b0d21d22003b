//! Renamed flags: `"was"` names the former key. The flag that runs under the old key is the same flag.

use super::choice::{Choice, Extent};
use super::conflict::Conflict;
use super::drift::{self, Drift};
use super::fields::{FIELDS, FORMER_KEY, Field};
use super::outcome::Outcome;
use super::take::{note, take};
use crate::definition::{Definitions, FileState, Flag, Rollout};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A flag with a new key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Renaming {
    /// The former key.
    pub from: String,
    /// The present key.
    pub to: String,
}

/// The running definitions, under the keys of a file.
#[derive(Debug)]
pub(super) struct RenamedFlags<'r> {
    pub running: Cow<'r, Definitions>,
    pub renamings: Vec<Renaming>,
    /// Running flags under both keys that are not united.
    pub apart: BTreeMap<String, Apart>,
    /// Former keys that are flags again in an older release: they stay former keys.
    pub former: Vec<String>,
}

/// The reason why a flag is not united with the one that its `"was"` names.
#[derive(Debug)]
pub(super) enum Apart {
    /// The two answer differently.
    Conflict(Box<Conflict>),
    /// Settled: the two stay apart.
    Settled,
}

/// Renames the running flags to the file's keys. An older release renames nothing back.
pub(super) fn renamed<'r>(
    running: &'r Definitions,
    file: &Definitions,
    older: bool,
    asked: &RenameOptions,
) -> RenamedFlags<'r> {
    let mut found = RenamedFlags {
        running: Cow::Borrowed(running),
        renamings: Vec::new(),
        apart: BTreeMap::new(),
        former: Vec::new(),
    };
    let former: BTreeMap<&str, &str> = running.former_keys().collect();
    for (key, says) in &file.flags {
        let was = says.was.as_deref();
        match (running.flags.get(key), former.get(key.as_str())) {
            (Some(is), _) => {
                let old = was.filter(|was| is.was.as_deref() != Some(*was));
                if let Some((was, old)) = old.and_then(|was| Some((was, running.flags.get(was)?))) {
                    found.unite(key, (was, old), is, older, asked);
                }
            }
            (None, Some(_)) if older => found.former.push(key.clone()),
            (None, Some(current)) if file.flags.contains_key(*current) => found.end_former_key(current),
            (None, Some(current)) => found.rename(current, key, says),
            (None, None) => {
                let runs = was.map(|was| former.get(was).copied().unwrap_or(was));
                let runs =
                    runs.filter(|runs| running.flags.contains_key(*runs) && !file.flags.contains_key(*runs));
                if let Some(runs) = runs {
                    found.rename(runs, key, says);
                }
            }
        }
    }
    found
}

/// Choices made by the options.
pub(super) struct RenameOptions<'a> {
    /// End former keys that the file does not have.
    pub prune: bool,
    pub reset: Choice<'a>,
    pub settle: Choice<'a>,
    /// Microseconds since 1970.
    pub now: i64,
}

/// The side that decides a field because an option says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// The file, by `--reset`.
    File,
    /// The running value, by `--settle`.
    Running,
}

impl RenameOptions<'_> {
    /// The decision of the options for a field; the narrower option wins.
    pub(super) fn decision(&self, flag: &str, field: &Field) -> Option<Decision> {
        let (reset, settle) = (self.reset.extent(flag, field), self.settle.extent(flag, field));
        match reset.max(settle) {
            Extent::Nothing => None,
            most if most == reset => Some(Decision::File),
            _ => Some(Decision::Running),
        }
    }
}

impl RenamedFlags<'_> {
    fn rename(&mut self, from: &str, to: &str, says: &Flag) {
        rename(self.running.to_mut(), from, to);
        if let Some(flag) = self.running.to_mut().flags.get_mut(to) {
            // An earlier former key that the file has, rather than the present key.
            let former = says.was.as_deref().filter(|was| *was != from);
            if let Some(former) = former {
                let salt = flag.salt(to).to_owned();
                flag.was = Some(former.to_owned());
                flag.keep_salt(to, &salt);
            }
            if let Some(file) = &mut flag.state.file {
                Arc::make_mut(file).base.was.clone_from(&says.was);
            }
        }
        self.renamings.push(Renaming { from: from.to_owned(), to: to.to_owned() });
    }

    /// Ends a former key that the file gives to another flag.
    fn end_former_key(&mut self, key: &str) {
        let Some(flag) = self.running.to_mut().flags.get_mut(key) else { return };
        end_former_key(key, flag);
        if let Some(file) = &mut flag.state.file {
            end_former_key(key, &mut Arc::make_mut(file).base);
        }
    }

    /// Unites two running flags if they answer alike or the file is to decide.
    fn unite(&mut self, key: &str, (was, old): (&str, &Flag), is: &Flag, older: bool, asked: &RenameOptions) {
        let Some(field) = Field::named(FORMER_KEY) else { return };
        if older {
            return;
        }
        let said = is.state.base().is_some_and(|base| base.was.as_deref() == Some(was));
        let decision = asked.decision(key, field);
        let reset = decision == Some(Decision::File);
        if decision == Some(Decision::Running) || (said && !reset) {
            self.apart.insert(key.to_owned(), Apart::Settled);
            return;
        }
        if !reset && !answers_alike((key, is), (was, old)) {
            let says = Flag { was: Some(was.to_owned()), ..is.clone() };
            let conflict = Conflict::field(key, field, [is, &says, is]);
            self.apart.insert(key.to_owned(), Apart::Conflict(Box::new(conflict)));
            return;
        }
        let running = self.running.to_mut();
        running.flags.remove(was);
        require(running, was, key);
        self.renamings.push(Renaming { from: was.to_owned(), to: key.to_owned() });
    }
}

/// Makes a flag answer to its key alone. It keeps its companies.
pub(super) fn end_former_key(key: &str, flag: &mut Flag) {
    let salt = flag.salt(key).to_owned();
    flag.was = None;
    flag.keep_salt(key, &salt);
}

/// Result of merging the field `was`.
#[derive(Default)]
pub(super) struct FormerKey {
    pub unsaid: Option<Drift>,
    pub conflict: Option<Conflict>,
}

/// Merges the field `was` of one flag: the flag and its base, after [`renamed`] moved them to the file's key.
pub(super) fn former_key(
    key: &str,
    field: &Field,
    says: &Flag,
    (flag, base): (&mut Flag, &mut Cow<Flag>),
    asked: &RenameOptions,
    apart: Option<&Apart>,
) -> FormerKey {
    let mut found = FormerKey::default();
    let decision = asked.decision(key, field);
    let (reset, settle) = (decision == Some(Decision::File), decision == Some(Decision::Running));
    match apart {
        Some(Apart::Conflict(conflict)) => found.conflict = Some((**conflict).clone()),
        Some(Apart::Settled) => note(field, base, says),
        None if !reset && !says.written.has(field.written) => {
            if asked.prune && flag.was.is_some() {
                end_former_key(key, flag);
                note(field, base, says);
            } else if !(field.same)(says, base) {
                found.unsaid = Some(drift::one(key, field, flag, says));
            }
        }
        None => {
            let salt = flag.salt(key).to_owned();
            let outcome = Outcome::of(&says.was, &base.was, &flag.was);
            if reset || (outcome == Outcome::Take && !settle) {
                take(field, flag, says);
            }
            if outcome == Outcome::Conflict && decision.is_none() {
                found.conflict = Some(Conflict::field(key, field, [base, says, flag]));
            } else {
                note(field, base, says);
            }
            // The same companies keep the flag, unless the file decides the salt as well.
            if !Field::named("salt").is_some_and(|field| asked.decision(key, field) == Some(Decision::File)) {
                flag.keep_salt(key, &salt);
            }
        }
    }
    found
}

/// Gives a flag another key. It keeps its companies, and answers to its former key.
pub(crate) fn rename(definitions: &mut Definitions, from: &str, to: &str) {
    let Some(mut flag) = definitions.flags.remove(from) else { return };
    let rename = |flag: &mut Flag| {
        let salt = flag.salt(from).to_owned();
        flag.was = Some(from.to_owned());
        flag.keep_salt(to, &salt);
    };
    rename(&mut flag);
    if let Some(file) = &mut flag.state.file {
        rename(&mut Arc::make_mut(file).base);
    }
    definitions.flags.insert(to.to_owned(), flag);
    require(definitions, from, to);
}

/// Renames flags to the keys in other definitions: a rollback and an import change a flag's fields, not its name.
pub(super) fn follow(names: &Definitions, definitions: &mut Definitions) {
    let former = |definitions: &Definitions| -> Vec<(String, String)> {
        definitions.former_keys().map(|(was, key)| (was.to_owned(), key.to_owned())).collect()
    };
    // The names rename `was` to `key`; or the definitions do, whose `key` the names still call `was`.
    let known = former(names).into_iter();
    let unknown = former(definitions).into_iter().map(|(was, key)| (key, was));
    for (from, to) in known.chain(unknown) {
        let named = |definitions: &Definitions, key: &String| definitions.flags.contains_key(key);
        if named(definitions, &from) && !named(definitions, &to) && named(names, &to) && !named(names, &from)
        {
            rename(definitions, &from, &to);
        }
    }
}

/// Replaces `from` by `to` in the flags that require it, and in their bases.
fn require(definitions: &mut Definitions, from: &str, to: &str) {
    let replace = |requires: &mut Vec<String>| {
        requires
            .iter_mut()
            .filter(|required| *required == from)
            .for_each(|required| *required = to.to_owned());
    };
    for flag in definitions.flags.values_mut() {
        replace(&mut flag.requires);
        let requires = |file: &&mut Arc<FileState>| file.base.requires.iter().any(|key| key == from);
        if let Some(file) = flag.state.file.as_mut().filter(requires) {
            replace(&mut Arc::make_mut(file).base.requires);
        }
    }
}

fn answers_alike((key, flag): (&str, &Flag), (other_key, other): (&str, &Flag)) -> bool {
    let fields = FIELDS.iter().filter(|field| field.is_answering() && !matches!(field.name, "was" | "salt"));
    flag.salt(key) == other.salt(other_key) && fields.into_iter().all(|field| (field.same)(flag, other))
}

/// Flags that a file lost and gained with the same fields, and without `"was"`: probably renamed. `lost` run and were in the file until
/// now; `gained` run from now on.
pub(super) fn lookalikes<'a>(
    lost: impl Iterator<Item = (&'a str, &'a Flag)> + Clone,
    gained: impl Iterator<Item = (&'a str, &'a Flag)> + Clone,
) -> Vec<Renaming> {
    let alike = |(_, said): &(&str, &Flag), (_, says): &(&str, &Flag)| {
        let fields = FIELDS.iter().filter(|field| !matches!(field.name, "was" | "salt"));
        fields.into_iter().all(|field| (field.same)(said, says))
    };
    let mut found = Vec::new();
    for old in lost.clone() {
        let mut matches = gained.clone().filter(|new| alike(&old, new));
        let (Some(new), None) = (matches.next(), matches.next()) else { continue };
        // Among several equal flags it is not known which one became which.
        if lost.clone().filter(|other| alike(other, &new)).count() == 1 {
            found.push(Renaming { from: old.0.to_owned(), to: new.0.to_owned() });
        }
    }
    found
}

impl Flag {
    /// Writes the salt out if the flag of that key would otherwise have another.
    pub(super) fn keep_salt(&mut self, key: &str, salt: &str) {
        if self.salt(key) != salt {
            self.rollout.get_or_insert_with(Rollout::everybody).salt = Some(salt.to_owned());
        }
    }
}
