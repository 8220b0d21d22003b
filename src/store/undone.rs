//! What a publish of a file would undo: fields that a word (`enable`, `allow` …) wrote since a file was last published, that
//! still have that value, and that the file says differently.
//!
//! The audit trail knows which fields those are. Of a change that something else has replaced by now, a rollback for
//! example, nothing is said.

use super::Store;
use super::actor::Actor;
use super::audit::{Action, Outcome, Record};
use super::diff::Difference;
use super::error::StoreError;
use crate::definition::{Companies, CompanyId, Definitions, Flag};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// A change by a word that a file would undo.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Undone {
    /// The flag.
    pub flag: String,
    /// The field, as `rollout.percentage`.
    pub field: String,
    /// The company that would come into the list, or go out of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<CompanyId>,
    /// What the word wrote; none: it took the field away, or the company out.
    pub served: Option<Value>,
    /// What the file says.
    pub file: Option<Value>,
    /// The word.
    pub action: Action,
    /// Who said it.
    pub actor: Actor,
    /// RFC 3339.
    pub at: String,
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (flag, field, word) = (&self.flag, &self.field, self.action.word());
        match (&self.company, &self.served) {
            (Some(company), Some(_)) => write!(f, "{flag}: company {company} in {field}")?,
            (Some(company), None) => write!(f, "{flag}: company {company} not in {field}")?,
            (None, served) => {
                write!(f, "{flag}: {field} {}, the file says {}", shown(served), shown(&self.file))?
            }
        }
        let day = self.at.split('.').next().unwrap_or_default();
        write!(f, " (`{word}` by {}, {day}Z)", self.actor)
    }
}

fn shown(value: &Option<Value>) -> String {
    let text = value.as_ref().map_or("nothing".to_owned(), Value::to_string);
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// The changes since a file was last published, by flag and field, the last of each; of a list by company.
#[derive(Default)]
struct Edits(BTreeMap<(String, String, Option<CompanyId>), Edited>);

struct Edited {
    seq: u64,
    /// What was written; of a company, whether it is in the list.
    after: Option<Value>,
    action: Action,
    actor: Actor,
    at: String,
}

impl Edits {
    fn record(&mut self, record: &Record) {
        match (record.action, record.outcome) {
            (Action::Publish | Action::Adopt, Outcome::Done) => self.0.clear(),
            (action, Outcome::Intended) if action.is_edit() => {
                record.differences.iter().for_each(|difference| self.difference(record, difference));
            }
            (action, Outcome::Failed) if action.is_edit() => {
                self.0.retain(|_, edited| Some(edited.seq) != record.intention);
            }
            _ => {}
        }
    }

    fn difference(&mut self, record: &Record, difference: &Difference) {
        let (Some(flag), Some(field)) = (&difference.flag, difference.pointer.splitn(4, '/').nth(3)) else {
            return;
        };
        let mut note = |company: Option<CompanyId>, after: Option<Value>| {
            let edited = Edited {
                seq: record.seq,
                after,
                action: record.action,
                actor: record.actor.clone(),
                at: record.at.clone(),
            };
            self.0.insert((flag.clone(), field.to_owned(), company), edited);
        };
        match &difference.list {
            None => note(None, difference.after.clone()),
            Some(list) => {
                for company in &list.first_added {
                    note(Some(company.clone()), Some(Value::Bool(true)));
                }
                for company in &list.first_removed {
                    note(Some(company.clone()), None);
                }
            }
        }
    }
}

impl Store {
    /// What a publish of these definitions would undo.
    ///
    /// # Errors
    ///
    /// When the audit trail cannot be read. A current generation that cannot is taken to hold what the words wrote.
    pub fn undone_by(&self, definitions: &Definitions) -> Result<Vec<Undone>, StoreError> {
        let edits = self.edits()?;
        if edits.0.is_empty() {
            return Ok(Vec::new());
        }
        let served = self.definitions(self.generation()?).ok();
        let undone = |(place, edited)| undone(served.as_ref(), definitions, place, edited);
        Ok(edits.0.into_iter().filter_map(undone).collect())
    }

    /// Whether a word has changed a flag since a file was last published.
    pub(super) fn edited(&self) -> Result<bool, StoreError> {
        Ok(!self.edits()?.0.is_empty())
    }

    fn edits(&self) -> Result<Edits, StoreError> {
        let mut edits = Edits::default();
        self.records(|record| edits.record(record))?;
        Ok(edits)
    }
}

fn undone(
    served: Option<&Definitions>,
    file: &Definitions,
    (flag, field, company): (String, String, Option<CompanyId>),
    edited: Edited,
) -> Option<Undone> {
    let served = match served {
        Some(served) => Some(served.flags.get(&flag)?),
        None => None,
    };
    let file = file.flags.get(&flag);
    let (is, says) = match &company {
        Some(company) => {
            let listed = |flag: &Flag| listed(flag, &field, company).then_some(Value::Bool(true));
            (served.map(listed), file.and_then(listed))
        }
        None => {
            let pointer = format!("/{field}");
            let value = |flag: &Flag| fields(flag).pointer(&pointer).cloned();
            (served.map(value), file.and_then(value))
        }
    };
    let is = is.unwrap_or_else(|| edited.after.clone());
    if is != edited.after || !lost(is.as_ref(), says.as_ref()) {
        return None;
    }
    let field = field.replace('/', ".");
    let Edited { action, actor, at, .. } = edited;
    Some(Undone { flag, field, company, served: is, file: says, action, actor, at })
}

/// A flag without its lists, which may be long.
fn fields(flag: &Flag) -> Value {
    let short = Flag { companies: Companies::default(), ..flag.clone() };
    serde_json::to_value(short).unwrap_or_default()
}

fn listed(flag: &Flag, field: &str, company: &CompanyId) -> bool {
    let list = if field.ends_with("deny") { &flag.companies.deny } else { &flag.companies.allow };
    list.binary_search(company).is_ok()
}

/// Whether something that is served is not in the file. What the file says besides is no loss.
fn lost(served: Option<&Value>, file: Option<&Value>) -> bool {
    match (served, file) {
        (Some(Value::Object(served)), Some(Value::Object(file))) => {
            served.iter().any(|(key, value)| lost(Some(value), file.get(key)))
        }
        (served, file) => served != file,
    }
}
