//! Arguments of `--reset` and `--settle`: `FLAG.FIELD`, `FLAG` or `all`.
//!
//! Keys may have dots, and a flag may be called `all`: `FLAG/FIELD`, `FLAG/` and `*` are the unambiguous forms, since no key has those
//! characters.

use super::fields::{FIELDS, FORMER_KEY, Field};
use crate::definition::{Definitions, did_you_mean, nearest};
use std::collections::BTreeSet;

/// The reason why an argument names nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChoiceError {
    /// The flag is neither in the file nor running.
    #[error("{option} {what}: the file has no flag \"{flag}\"{}", did_you_mean(.near.as_deref()))]
    Unknown {
        /// `--reset` or `--settle`.
        option: &'static str,
        /// The argument as typed.
        what: String,
        /// The flag in the argument.
        flag: String,
        /// The nearest flag of the file.
        near: Option<String>,
    },
    /// The field does not exist.
    #[error("{option} {what}: expected one of {}{}", names(), did_you_mean(.near.as_deref()))]
    NoField {
        /// `--reset` or `--settle`.
        option: &'static str,
        /// The argument as typed.
        what: String,
        /// The nearest field's name.
        near: Option<String>,
    },
    /// The argument is ambiguous.
    #[error("{option} {what} names {}; write the one that is meant", .meanings.join(" and "))]
    Ambiguous {
        /// `--reset` or `--settle`.
        option: &'static str,
        /// The argument as typed.
        what: String,
        /// An unambiguous form of each meaning.
        meanings: Vec<String>,
    },
    /// Both options name the same.
    #[error("--reset and --settle both name {what}; leave one of them out")]
    Both {
        /// A field, a flag or all.
        what: String,
    },
    /// The flag is managed by git, so the file decides.
    #[error("--settle {flag}: it is managed by git, so that the file's value runs; change it in the file")]
    Managed {
        /// The flag's key.
        flag: String,
    },
}

fn names() -> String {
    FIELDS.iter().map(|field| field.name).collect::<Vec<_>>().join(", ")
}

/// Everything that an option names.
#[derive(Debug, Default)]
pub(super) struct Choice<'a> {
    all: bool,
    flags: BTreeSet<&'a str>,
    fields: BTreeSet<(&'a str, &'static str)>,
}

/// A single thing that an option names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named<'a> {
    All,
    Flag(&'a str),
    Field(&'a str, &'static str),
}

/// Extent of an argument that names a field; the narrowest argument wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Extent {
    Nothing,
    All,
    Flag,
    Field,
}

/// The argument of `--reset` and `--settle` for a field of a flag of the file.
pub fn field_choice(file: &Definitions, flag: &str, field: &str) -> String {
    let dotted = format!("{flag}.{field}");
    match meanings(&dotted, file).len() {
        1 => dotted,
        _ => format!("{flag}/{field}"),
    }
}

/// The argument of `--reset` and `--settle` for everything, for a shell.
pub fn all_choice(file: &Definitions) -> &'static str {
    if file.flags.contains_key(ALL) { "'*'" } else { ALL }
}

const ALL: &str = "all";

impl<'a> Choice<'a> {
    /// Reads the arguments and refuses ambiguous ones.
    pub(super) fn of(
        option: &'static str,
        typed: &'a [String],
        file: &Definitions,
        running: &Definitions,
    ) -> Result<Choice<'a>, ChoiceError> {
        let mut choice = Choice::default();
        for what in typed {
            match named(option, what, file, running)? {
                Named::All => choice.all = true,
                Named::Flag(flag) => _ = choice.flags.insert(flag),
                Named::Field(flag, field) => _ = choice.fields.insert((flag, field)),
            }
        }
        Ok(choice)
    }

    /// True if it names a flag with all its fields.
    pub(super) fn has_flag(&self, flag: &str) -> bool {
        self.all || self.flags.contains(flag)
    }

    /// True if it names everything.
    pub(super) fn is_all(&self) -> bool {
        self.all
    }

    /// The flags that it names, whole or by a field other than `was`: that one may be settled in every flag.
    pub(super) fn named_flags(&self) -> impl Iterator<Item = &'a str> {
        let fields = self.fields.iter().filter(|(_, field)| *field != FORMER_KEY);
        self.flags.iter().copied().chain(fields.map(|(flag, _)| *flag))
    }

    /// The narrowest argument that names the field.
    pub(super) fn extent(&self, flag: &str, field: &Field) -> Extent {
        match (self.fields.contains(&(flag, field.name)), self.flags.contains(flag), self.all) {
            (true, _, _) => Extent::Field,
            (_, true, _) => Extent::Flag,
            (_, _, true) => Extent::All,
            _ => Extent::Nothing,
        }
    }

    /// Refuses an argument that `other` has too.
    pub(super) fn differ(&self, other: &Choice) -> Result<(), ChoiceError> {
        let all = (self.all && other.all).then(|| ALL.to_owned());
        let flag = || self.flags.intersection(&other.flags).next().map(|flag| (*flag).to_owned());
        let field = || self.fields.intersection(&other.fields).next();
        let both = all.or_else(flag).or_else(|| field().map(|(flag, field)| format!("{flag}.{field}")));
        both.map_or(Ok(()), |what| Err(ChoiceError::Both { what }))
    }
}

/// Every meaning of a text without a slash.
fn meanings<'w>(what: &'w str, file: &Definitions) -> Vec<Named<'w>> {
    let all = (what == ALL).then_some(Named::All);
    let flag = file.flags.contains_key(what).then_some(Named::Flag(what));
    let fields = what.match_indices('.').filter_map(|(at, _)| {
        let (flag, field) = (&what[..at], Field::named(&what[at + 1..])?);
        file.flags.contains_key(flag).then_some(Named::Field(flag, field.name))
    });
    all.into_iter().chain(flag).chain(fields).collect()
}

fn named<'w>(
    option: &'static str,
    what: &'w str,
    file: &Definitions,
    running: &Definitions,
) -> Result<Named<'w>, ChoiceError> {
    if what == "*" {
        return Ok(Named::All);
    }
    let has = |key: &str| file.flags.contains_key(key);
    let (flag, field) = match (what.split_once('/'), meanings(what, file).as_slice()) {
        (Some((flag, "")), _) if has(flag) => return Ok(Named::Flag(flag)),
        (Some(parts), _) => parts,
        (None, [one]) => return Ok(*one),
        (None, []) => split(what, &has),
        (None, several) => {
            let meanings = several.iter().map(Named::meaning).collect();
            return Err(ChoiceError::Ambiguous { option, what: what.to_owned(), meanings });
        }
    };
    if !has(flag) {
        let known = file.flags.keys().map(String::as_str);
        let near = nearest(flag, known).filter(|_| !running.flags.contains_key(flag));
        let (what, flag, near) = (what.to_owned(), flag.to_owned(), near.map(str::to_owned));
        return Err(ChoiceError::Unknown { option, what, flag, near });
    }
    Ok(Named::Field(flag, field_named(option, what, field)?))
}

impl Named<'_> {
    fn meaning(&self) -> String {
        match self {
            Named::All => "everything ('*')".to_owned(),
            Named::Flag(flag) => format!("the flag {flag} ({flag}/)"),
            Named::Field(flag, field) => format!("the field {field} of {flag} ({flag}/{field})"),
        }
    }
}

/// Splits into flag and field; the field is empty if none is named.
fn split<'w>(what: &'w str, has: &impl Fn(&str) -> bool) -> (&'w str, &'w str) {
    let mut parts = what.rmatch_indices('.').map(|(at, _)| (&what[..at], &what[at + 1..]));
    let first = what.rsplit_once('.');
    parts
        .find(|(flag, _)| has(flag))
        .or(first.filter(|(_, field)| Field::named(field).is_some()))
        .unwrap_or((what, ""))
}

fn field_named(option: &'static str, what: &str, field: &str) -> Result<&'static str, ChoiceError> {
    Field::named(field).map(|field| field.name).ok_or_else(|| {
        let near = nearest(field, FIELDS.iter().map(|field| field.name)).map(str::to_owned);
        ChoiceError::NoField { option, what: what.to_owned(), near }
    })
}
