//! What `--reset` and `--settle` name: `FLAG.FIELD`, `FLAG` or `all`.

use super::fields::{FIELDS, Field};
use crate::definition::{Definitions, did_you_mean, nearest};
use std::collections::BTreeSet;

/// Why an option names nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChoiceError {
    /// Neither the file nor what runs has it.
    #[error("{option} {what}: the file has no flag \"{flag}\"{}", did_you_mean(.near.as_deref()))]
    Unknown {
        /// `--reset` or `--settle`.
        option: &'static str,
        /// As typed.
        what: String,
        /// The flag that was meant.
        flag: String,
        /// The nearest that the file has.
        near: Option<String>,
    },
    /// No such field.
    #[error("{option} {what}: expected one of {}{}", names(), did_you_mean(.near.as_deref()))]
    NoField {
        /// `--reset` or `--settle`.
        option: &'static str,
        /// As typed.
        what: String,
        /// The nearest that there is.
        near: Option<String>,
    },
}

fn names() -> String {
    FIELDS.iter().map(|field| field.name).collect::<Vec<_>>().join(", ")
}

/// All that an option names.
#[derive(Debug, Default)]
pub(super) struct Choice<'a> {
    all: bool,
    flags: BTreeSet<&'a str>,
    fields: BTreeSet<(&'a str, &'static str)>,
}

impl<'a> Choice<'a> {
    /// Reads what was typed. The whole is a flag's key if there is such a flag, since keys may have dots.
    pub(super) fn of(
        option: &'static str,
        typed: &'a [String],
        file: &Definitions,
        running: &Definitions,
    ) -> Result<Choice<'a>, ChoiceError> {
        let mut choice = Choice::default();
        for what in typed {
            let has = |key: &str| file.flags.contains_key(key);
            if what == "all" {
                choice.all = true;
            } else if has(what) {
                choice.flags.insert(what);
            } else {
                let (flag, field) = split(what, &has);
                if !has(flag) {
                    let known = file.flags.keys().map(String::as_str);
                    let near = nearest(flag, known).filter(|_| !running.flags.contains_key(flag));
                    let (what, flag, near) = (what.clone(), flag.to_owned(), near.map(str::to_owned));
                    return Err(ChoiceError::Unknown { option, what, flag, near });
                }
                choice.fields.insert((flag, field_named(option, what, field)?));
            }
        }
        Ok(choice)
    }

    /// Whether it names a flag with all its fields.
    pub(super) fn has_flag(&self, flag: &str) -> bool {
        self.all || self.flags.contains(flag)
    }

    /// Whether it names everything.
    pub(super) fn is_all(&self) -> bool {
        self.all
    }

    pub(super) fn has(&self, flag: &str, field: &Field) -> bool {
        self.all || self.flags.contains(flag) || self.fields.contains(&(flag, field.name))
    }
}

/// The flag and the field; the field is empty where none is named.
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
