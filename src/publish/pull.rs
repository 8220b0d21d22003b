//! Fields that `pull` handed out. A file that repeats them records what ran, and is no edit.

use super::Store;
use super::change_options::{Change, RecordOutcome};
use super::drift_history::touches;
use crate::audit::{Action, Outcome, PulledField, Record, settle};
use crate::definition::Definitions;
use crate::error::StoreError;
use crate::merge::{Conflict, Listing, PullResult, field_choice};
use serde_json::Value;

/// Longest JSON of a value that is noted, in bytes; a longer one may end in a conflict with the file.
const VALUE_LIMIT: usize = 4_096;
/// Fields noted of one pull.
const FIELDS_LIMIT: usize = 200;

impl Store {
    /// Notes in the audit trail the fields that a pull wrote into a file.
    ///
    /// # Errors
    ///
    /// When the store cannot be changed.
    pub fn note_pulled(&self, pulled: &PullResult, change: &Change) -> Result<RecordOutcome, StoreError> {
        let short = pulled.written.iter().filter(|field| field.value.to_string().len() <= VALUE_LIMIT);
        let fields: Vec<PulledField> = short.take(FIELDS_LIMIT).cloned().collect();
        if fields.is_empty() {
            return Ok(RecordOutcome::default());
        }
        self.head_session(change, "noting what was pulled", |session| {
            let mut record = session.record(change, Action::Pull, Outcome::Done);
            record.pulled = fields;
            session.append(record)?;
            Ok(RecordOutcome::changed())
        })
    }

    /// Conflicts in which the file repeats a value of a pull since a publish last changed the field, as `FLAG.FIELD`.
    pub(crate) fn pulled_since(&self, file: &Definitions, conflicts: &[Conflict]) -> Vec<String> {
        if conflicts.is_empty() {
            return Vec::new();
        }
        let Ok(generation) = self.generation() else { return Vec::new() };
        let settled = settle(self.last_records().unwrap_or_default(), generation).0;
        let records: Vec<&Record> = settled.iter().map(|settled| &settled.record).collect();
        let found = conflicts.iter().filter(|conflict| was_pulled(conflict, &records));
        found.map(|conflict| field_choice(file, &conflict.flag, &conflict.field)).collect()
    }
}

fn was_pulled(conflict: &Conflict, records: &[&Record]) -> bool {
    let (flag, field) = (&conflict.flag, conflict.field.as_str());
    let edited = |record: &&&Record| record.action == Action::Publish && touches(record, flag, field);
    records.iter().rev().take_while(|record| !edited(record)).any(|record| {
        let mut pulled = record.pulled.iter();
        pulled.any(|pulled| pulled.flag == *flag && pulled.field == field && says(conflict, &pulled.value))
    })
}

/// True if the conflict's value in the file is the one handed out.
fn says(conflict: &Conflict, pulled: &Value) -> bool {
    if let Some(file) = &conflict.file {
        return file == pulled;
    }
    let listed = |list: &str, company: &Value| {
        pulled.get(list).and_then(Value::as_array).is_some_and(|list| list.contains(company))
    };
    conflict.companies.iter().all(|conflict| {
        let Ok(company) = serde_json::to_value(&conflict.company) else { return false };
        match conflict.file {
            Listing::Allow => listed("allow", &company),
            Listing::Deny => listed("deny", &company),
            Listing::Neither => !listed("allow", &company) && !listed("deny", &company),
        }
    })
}
