//! Changes that people make to one flag by a word: turn it on, roll it out, let a company in.
//!
//! Definitions in, changed definitions out: [`change`] decides what the flag is to say and writes just that into the text,
//! whose order, spaces and comments stay. It reads and writes no file and no store.

mod decide;
mod words;
mod write;

pub use decide::Edit;
pub use words::state;
pub(crate) use write::texts;

use crate::definition::{self, Definitions, Flag, Managed, Percentage, Report, did_you_mean, nearest};
use crate::snapshot::is_flag_key;

/// A text of definitions, and where in it a change goes.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// For messages.
    pub file: &'a str,
    /// The text of the definitions.
    pub text: &'a str,
    /// Whose overlay is changed; without one, the document itself, and with it every environment that does not say
    /// otherwise.
    pub environment: Option<&'a str>,
    /// Microseconds since 1970.
    pub now: i64,
}

/// What came of a change.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The changed text.
    pub text: String,
    /// What it says for the environment, checked.
    pub definitions: Definitions,
    /// What it said before.
    pub before: Definitions,
    /// False: the flag said so before, and the text is as it was.
    pub changed: bool,
    /// What differs, in one line: `search: 10 % → on for everybody`.
    pub summary: String,
    /// What else there is to know, a sentence each.
    pub notes: Vec<String>,
}

/// Why a change was refused. The text stays as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The definitions have errors, before the change or with it.
    #[error("{}{}", if *.before { "" } else { "with that change there would be an error: " }, .report.to_string().trim_end())]
    Definitions {
        /// All of them.
        report: Report,
        /// The errors are there without the change.
        before: bool,
    },
    /// No flag has that key.
    #[error("{file}: there is no flag \"{key}\"{}; nothing was changed", did_you_mean(.near.as_deref()))]
    Unknown {
        /// The file, as the target names it.
        file: String,
        /// What was asked for.
        key: String,
        /// The nearest key that there is.
        near: Option<String>,
    },
    /// A flag to be added is there already.
    #[error("{file}: there is a flag \"{0}\" already; nothing was changed", .key)]
    Known {
        /// The file, as the target names it.
        file: String,
        /// Its key.
        key: String,
    },
    /// More companies than one change may name.
    #[error("found {0} companies, expected at most {most} at once; write long lists into the file and publish it", most = Edit::COMPANIES)]
    TooMany(usize),
    /// A key that no flag may have.
    #[error(
        "found the flag key {key:?}, expected 1 to 191 letters, digits, or _ . : \\ - after the first; nothing was changed"
    )]
    Key {
        /// The key.
        key: String,
    },
    /// A flag that would be on for nobody.
    #[error(
        "{file}: {key} says 0 %, no company and no rule, so that it would be on for nobody; nothing was changed. For everybody type \
         `flagstone enable {key} --percentage 100`, for some `flagstone enable {key} --company ID`"
    )]
    Nobody {
        /// The file, as the target names it.
        file: String,
        /// The flag.
        key: String,
    },
    /// The file decides of the flag, and nobody else.
    #[error(
        "{key} is managed in git: change it in its file and publish that; nothing was changed. To turn it off at once type \
         `flagstone kill {key}`"
    )]
    Managed {
        /// The flag.
        key: String,
    },
    /// The text says it in a way that cannot be edited so that just this changes.
    #[error(
        "{file}: {key} is written in a way that this cannot change without changing more; edit the file by hand"
    )]
    Unwritable {
        /// The file, as the target names it.
        file: String,
        /// The flag.
        key: String,
    },
}

/// Makes one change to one flag of definitions that are published. `name` is theirs in messages, `now` is in microseconds
/// since 1970. The text of the result is empty.
///
/// # Errors
///
/// When there is no such flag, or there would be an error with the change.
pub fn change_published(
    name: &str,
    definitions: &Definitions,
    key: &str,
    edit: &Edit,
    now: i64,
) -> Result<Changed, ChangeError> {
    not_too_many(edit)?;
    let file = || name.to_owned();
    let before = definitions.flags.get(key);
    there(before, definitions, key, edit, &file)?;
    if before.is_some_and(|flag| flag.managed == Managed::Git) {
        return Err(ChangeError::Managed { key: key.to_owned() });
    }
    let after = edit.decide(before);
    for_somebody(edit, &after, key, &file)?;
    let summary = words::summary(key, before, &after, now);
    let was = definitions.clone();
    if before == Some(&after) {
        let mut changed = Changed { summary, ..Changed::nothing(was) };
        if matches!(edit, Edit::Restore) && after.percentage_at(now).0 < Percentage::FULL {
            changed.notes.push(format!("for everybody type `flagstone enable {key} --percentage 100`"));
        }
        return Ok(changed);
    }
    let mut changed = definitions.clone();
    changed.flags.insert(key.to_owned(), after.clone());
    if let Err(report) = changed.check(name, &day(now)) {
        let before = definitions.check(name, &day(now)).is_err();
        return Err(ChangeError::Definitions { report, before });
    }
    let notes = words::notes(edit, before, &after, &changed, now, true);
    Ok(Changed { text: String::new(), definitions: changed, before: was, changed: true, summary, notes })
}

impl Changed {
    fn nothing(definitions: Definitions) -> Changed {
        let notes = vec!["it says so already; nothing to change".to_owned()];
        let (before, summary) = (definitions.clone(), String::new());
        Changed { text: String::new(), definitions, before, changed: false, summary, notes }
    }
}

fn not_too_many(edit: &Edit) -> Result<(), ChangeError> {
    match edit.companies().len() {
        count if count > Edit::COMPANIES => Err(ChangeError::TooMany(count)),
        _ => Ok(()),
    }
}

/// Whether the flag is there, or is not if it is to be added.
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

/// Whether a flag that is turned on as it was can be on for anybody, now or later.
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

/// The day of an instant, as `YYYY-MM-DD`.
fn day(now: i64) -> String {
    crate::eval::time::format_rfc3339(now).chars().take(10).collect()
}

/// Makes one change to one flag.
///
/// # Errors
///
/// When the definitions have errors, before or after; when there is no such flag, or with [`Edit::Add`], when there is.
pub fn change(target: Target, key: &str, edit: &Edit) -> Result<Changed, ChangeError> {
    not_too_many(edit)?;
    let file = || target.file.to_owned();
    let today = day(target.now);
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
    let summary = words::summary(key, before, &after, target.now);
    if before == Some(&after) {
        let text = target.text.to_owned();
        return Ok(Changed { text, summary, ..Changed::nothing(definitions) });
    }
    let mut expected = definitions.clone();
    expected.flags.insert(key.to_owned(), after.clone());
    let unwritable = || ChangeError::Unwritable { file: file(), key: key.to_owned() };
    let mut refused = unwritable();
    for text in write::texts(target, key, before, &after).ok_or_else(unwritable)? {
        match read(&text, false) {
            Ok((changed, found)) if found == expected => {
                // What holds here may contradict what an environment adds.
                let shared = target.environment.is_none() && !changed.environments().is_empty();
                let report = if shared { changed.check(&today) } else { Report::default() };
                if report.has_errors() {
                    let before = document.check(&today).has_errors();
                    return Err(ChangeError::Definitions { report, before });
                }
                let mut notes = words::notes(edit, before, &after, &expected, target.now, false);
                notes.extend(write::overlays(target, key));
                notes.extend(
                    unnamed.map(|name| format!("{} named no environment {name} until now", target.file)),
                );
                let before = definitions;
                return Ok(Changed { text, definitions: found, before, changed: true, summary, notes });
            }
            Ok(_) => {}
            Err(error) => refused = error,
        }
    }
    Err(refused)
}
