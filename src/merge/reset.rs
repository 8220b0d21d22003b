//! What of the switches the file is to decide once: `FLAG.FIELD`, `FLAG` or `all`.

use super::fields::{Field, Owner};
use crate::definition::{Definitions, did_you_mean, nearest};
use std::collections::BTreeSet;

/// Why something cannot be reset.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetError {
    /// Neither the file nor what runs has it.
    #[error("--reset {what}: the file has no flag \"{flag}\"{}, so there is nothing to reset it to", did_you_mean(.near.as_deref()))]
    Unknown {
        /// As typed.
        what: String,
        /// The flag that was meant.
        flag: String,
        /// The nearest that the file has.
        near: Option<String>,
    },
    /// No such field.
    #[error("--reset {what}: expected one of {}{}", operational(), did_you_mean(.near.as_deref()))]
    NoField {
        /// As typed.
        what: String,
        /// The nearest that there is.
        near: Option<String>,
    },
    /// The file decides it at every publish.
    #[error(
        "--reset {what}: {field} is the file's already: a publish applies it. Reset can be {}",
        operational()
    )]
    OfCode {
        /// As typed.
        what: String,
        /// The field.
        field: &'static str,
    },
}

fn operational() -> String {
    Field::operational().map(|field| field.name).collect::<Vec<_>>().join(", ")
}

/// All that is to be reset.
#[derive(Debug, Default)]
pub(super) struct Resets<'a> {
    all: bool,
    flags: BTreeSet<&'a str>,
    fields: BTreeSet<(&'a str, &'static str)>,
}

impl<'a> Resets<'a> {
    /// Reads what was typed. The whole is a flag's key if there is such a flag, since keys may have dots.
    pub(super) fn of(
        typed: &'a [String],
        file: &Definitions,
        running: &Definitions,
    ) -> Result<Resets<'a>, ResetError> {
        let mut resets = Resets::default();
        for what in typed {
            let has = |key: &str| file.flags.contains_key(key);
            if what == "all" {
                resets.all = true;
            } else if has(what) {
                resets.flags.insert(what);
            } else {
                let (flag, field) = split(what, &has);
                if !has(flag) {
                    let known = file.flags.keys().map(String::as_str);
                    let near = nearest(flag, known).filter(|_| !running.flags.contains_key(flag));
                    let (what, flag, near) = (what.clone(), flag.to_owned(), near.map(str::to_owned));
                    return Err(ResetError::Unknown { what, flag, near });
                }
                resets.fields.insert((flag, operational_field(what, field)?));
            }
        }
        Ok(resets)
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

fn operational_field(what: &str, field: &str) -> Result<&'static str, ResetError> {
    let what = || what.to_owned();
    match Field::named(field) {
        Some(Field { name, owner: Owner::Operations, .. }) => Ok(name),
        Some(Field { name, .. }) => Err(ResetError::OfCode { what: what(), field: name }),
        None => {
            let near = nearest(field, Field::operational().map(|field| field.name)).map(str::to_owned);
            Err(ResetError::NoField { what: what(), near })
        }
    }
}
