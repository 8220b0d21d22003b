//! Changes to one flag by a command: turn it on, roll it out, let a company in.
//!
//! Definitions in, changed definitions out: [`change`] decides the result and writes just the difference into the text, whose order,
//! spaces and comments stay. It reads and writes no file and no store.

mod apply;
mod summary;
mod target;
mod text;

pub use apply::Edit;
pub use summary::state;
pub use target::Target;
pub(crate) use text::texts;

use crate::definition::{self, Definitions, Flag, Managed, Percentage, Report, did_you_mean, nearest};
use crate::snapshot::is_flag_key;

/// Result of a change.
#[derive(Debug, Clone)]
pub struct FlagChange {
    /// The changed text.
    pub text: String,
    /// The definitions after the change for the environment, checked.
    pub definitions: Definitions,
    /// The definitions before the change.
    pub before: Definitions,
    /// False if the change had no effect; the text is as it was.
    pub changed: bool,
    /// The difference in one line: `search: 10 % → on for everybody`.
    pub summary: String,
    /// Further notes, a sentence each.
    pub notes: Vec<String>,
}

/// The reason why a change was refused. The text stays as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The definitions have errors, before the change or with it.
    #[error("{}{}", if *.before { "" } else { "with that change there would be an error: " }, .report.to_string().trim_end())]
    Definitions {
        /// All problems found.
        report: Report,
        /// True if the errors exist without the change.
        before: bool,
    },
    /// The flag to be deleted is in the published file.
    #[error(
        "{key} is in the file of definitions: take it out there, publish that, and type this again; nothing was changed"
    )]
    InFile {
        /// The flag's key.
        key: String,
    },
    /// The flag to be deleted is required by another.
    #[error("{by} requires {key}, and would be off without it: take that out first; nothing was changed")]
    Required {
        /// The flag's key.
        key: String,
        /// A flag that requires it.
        by: String,
    },
    /// The flag does not exist.
    #[error("{file}: there is no flag \"{key}\"{}; nothing was changed", did_you_mean(.near.as_deref()))]
    Unknown {
        /// The file, as the target names it.
        file: String,
        /// The key given.
        key: String,
        /// The nearest existing key.
        near: Option<String>,
    },
    /// A flag with that key exists already.
    #[error("{file}: there is a flag \"{0}\" already; nothing was changed", .key)]
    Known {
        /// The file, as the target names it.
        file: String,
        /// The flag's key.
        key: String,
    },
    /// More companies than one change may name.
    #[error("found {0} companies, expected at most {most} at once; write long lists into the file and publish it", most = Edit::COMPANIES)]
    TooMany(usize),
    /// The key is not valid for a flag.
    #[error(
        "found the flag key {key:?}, expected 1 to 191 letters, digits, or _ . : \\ - after the first; nothing was changed"
    )]
    Key {
        /// The key given.
        key: String,
    },
    /// The flag would reach no company.
    #[error(
        "{file}: {key} says 0 %, no company and no rule, so that it would be on for nobody; nothing was changed. For everybody type \
         `flagstone enable {key} --percentage 100`, for some `flagstone enable {key} --company ID`"
    )]
    Nobody {
        /// The file, as the target names it.
        file: String,
        /// The flag's key.
        key: String,
    },
    /// The flag is managed by git, so only the file may change it.
    #[error(
        "{key} is managed in git: change it in {file} and publish that; nothing was changed. To turn it off at once type \
         `flagstone kill {key}`"
    )]
    Managed {
        /// The flag's key.
        key: String,
        /// The file's name in the message.
        file: String,
    },
    /// The text allows no edit that changes just this.
    #[error(
        "{file}: {key} is written in a way that this cannot change without changing more; edit the file by hand"
    )]
    Unwritable {
        /// The file, as the target names it.
        file: String,
        /// The flag's key.
        key: String,
    },
}

/// Changes one flag of published definitions. `name` is their name in messages, `now` is in microseconds since 1970. The text of the
/// result is empty.
///
/// # Errors
///
/// When there is no such flag, or the change would cause an error.
pub fn change_published(
    name: &str,
    definitions: &Definitions,
    key: &str,
    edit: &Edit,
    now: i64,
) -> Result<FlagChange, ChangeError> {
    not_too_many(edit)?;
    let file = || name.to_owned();
    let before = definitions.flags.get(key);
    there(before, definitions, key, edit, &file)?;
    if before.is_some_and(|flag| flag.managed == Managed::Git) && !matches!(edit, Edit::Delete) {
        return Err(ChangeError::Managed { key: key.to_owned(), file: "its file".to_owned() });
    }
    if let (Edit::Delete, Some(flag)) = (edit, before) {
        return delete(definitions, key, flag, now);
    }
    let after = edit.decide(before);
    for_somebody(edit, &after, key, &file)?;
    let summary = summary::summary(key, before, &after, now);
    let was = definitions.clone();
    if before == Some(&after) {
        let mut changed = FlagChange { summary, ..FlagChange::nothing(was) };
        if matches!(edit, Edit::Restore) && after.percentage_at(now).0 < Percentage::FULL {
            changed.notes.push(format!("for everybody type `flagstone enable {key} --percentage 100`"));
        }
        return Ok(changed);
    }
    let mut changed = definitions.clone();
    changed.flags.insert(key.to_owned(), after.clone());
    if let Err(report) = changed.check(name, &crate::time::format_day(now)) {
        let before = definitions.check(name, &crate::time::format_day(now)).is_err();
        return Err(ChangeError::Definitions { report, before });
    }
    let notes = summary::notes(edit, before, &after, &changed, now, true);
    Ok(FlagChange { text: String::new(), definitions: changed, before: was, changed: true, summary, notes })
}

/// Removes a flag from the published definitions.
fn delete(definitions: &Definitions, key: &str, flag: &Flag, now: i64) -> Result<FlagChange, ChangeError> {
    if flag.state.file.is_some() && flag.state.orphaned.is_none() {
        return Err(ChangeError::InFile { key: key.to_owned() });
    }
    if let Some((by, _)) =
        definitions.flags.iter().find(|(_, other)| other.requires.iter().any(|required| required == key))
    {
        return Err(ChangeError::Required { key: key.to_owned(), by: by.clone() });
    }
    let mut changed = definitions.clone();
    changed.flags.remove(key);
    Ok(FlagChange {
        text: String::new(),
        definitions: changed,
        before: definitions.clone(),
        changed: true,
        summary: format!("{key}: {} → deleted", state(flag, now)),
        notes: vec![
            "code that still asks for it gets off; a flag of that key that is made later begins anew"
                .to_owned(),
        ],
    })
}

impl FlagChange {
    fn nothing(definitions: Definitions) -> FlagChange {
        let notes = vec!["it says so already; nothing to change".to_owned()];
        let (before, summary) = (definitions.clone(), String::new());
        FlagChange { text: String::new(), definitions, before, changed: false, summary, notes }
    }
}

fn not_too_many(edit: &Edit) -> Result<(), ChangeError> {
    match edit.companies().len() {
        count if count > Edit::COMPANIES => Err(ChangeError::TooMany(count)),
        _ => Ok(()),
    }
}

/// Requires that the flag exists, or that it does not if it is to be added.
fn there(
    before: Option<&Flag>,
    definitions: &Definitions,
    key: &str,
    edit: &Edit,
    file: &impl Fn() -> String,
) -> Result<(), ChangeError> {
    match (before, edit) {
        (None, Edit::Add { .. }) if !is_flag_key(key.as_bytes()) => {
            Err(ChangeError::Key { key: key.to_owned() })
        }
        (Some(_), Edit::Add { .. }) => Err(ChangeError::Known { file: file(), key: key.to_owned() }),
        (None, Edit::Add { .. }) | (Some(_), _) => Ok(()),
        (None, _) => {
            let near = nearest(key, definitions.flags.keys().map(String::as_str)).map(str::to_owned);
            Err(ChangeError::Unknown { file: file(), key: key.to_owned(), near })
        }
    }
}

/// Refuses to restore a flag that can be on for no company, now or later.
fn for_somebody(edit: &Edit, after: &Flag, key: &str, file: &impl Fn() -> String) -> Result<(), ChangeError> {
    let some = after.rollout.as_ref().is_none_or(|rollout| rollout.percentage > Percentage::NONE)
        || after.schedule.iter().any(|step| step.percentage > Percentage::NONE)
        || !after.companies.allow.is_empty()
        || after
            .rules
            .iter()
            .any(|rule| rule.percentage.is_none_or(|percentage| percentage > Percentage::NONE))
        || after.plan.is_some();
    match edit {
        Edit::Restore if !some => Err(ChangeError::Nobody { file: file(), key: key.to_owned() }),
        _ => Ok(()),
    }
}

/// Changes one flag of a text.
///
/// # Errors
///
/// When the definitions have errors, before or after; when the flag is missing, or with [`Edit::Add`], exists.
pub fn change(target: Target, key: &str, edit: &Edit) -> Result<FlagChange, ChangeError> {
    not_too_many(edit)?;
    if matches!(edit, Edit::Delete) {
        return Err(ChangeError::InFile { key: key.to_owned() });
    }
    let file = || target.file.to_owned();
    let today = crate::time::format_day(target.now);
    let read = |text: &str, before: bool| {
        let failed = |report| ChangeError::Definitions { report, before };
        let document = definition::parse(target.file, text.as_bytes()).map_err(failed)?;
        let (definitions, _) = document.resolve(target.environment, &today).map_err(failed)?;
        Ok((document, definitions))
    };
    let (document, definitions) = read(target.text, true)?;
    let unnamed = target.environment.filter(|_| document.environments().is_empty());
    let before = definitions.flags.get(key);
    there(before, &definitions, key, edit, &file)?;
    let after = edit.decide(before);
    for_somebody(edit, &after, key, &file)?;
    let summary = summary::summary(key, before, &after, target.now);
    if before == Some(&after) {
        let text = target.text.to_owned();
        return Ok(FlagChange { text, summary, ..FlagChange::nothing(definitions) });
    }
    let mut expected = definitions.clone();
    expected.flags.insert(key.to_owned(), after.clone());
    let unwritable = || ChangeError::Unwritable { file: file(), key: key.to_owned() };
    let mut refused = unwritable();
    for text in text::texts(target, key, before, &after).ok_or_else(unwritable)? {
        match read(&text, false) {
            Ok((changed, found)) if found == expected => {
                // The shared result may contradict an environment's overlay.
                let shared = target.environment.is_none() && !changed.environments().is_empty();
                let report = if shared { changed.check(&today) } else { Report::default() };
                if report.has_errors() {
                    let before = document.check(&today).has_errors();
                    return Err(ChangeError::Definitions { report, before });
                }
                let mut notes = summary::notes(edit, before, &after, &expected, target.now, false);
                notes.extend(text::overlays(target, key));
                notes.extend(
                    unnamed.map(|name| format!("{} named no environment {name} until now", target.file)),
                );
                let before = definitions;
                return Ok(FlagChange { text, definitions: found, before, changed: true, summary, notes });
            }
            Ok(_) => {}
            Err(error) => refused = error,
        }
    }
    Err(refused)
}
