//! Writes running values back into the file.

use super::drift::{self, Drift};
use super::fields::FIELDS;
use crate::definition::{self, Definitions, Managed};
use crate::flag_change::{ChangeError, Target};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A field that was written into a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PulledField {
    /// The flag's key.
    pub flag: String,
    /// The field's name: `percentage`.
    pub field: String,
    /// The value written.
    pub value: Value,
}

/// A file updated to the running values.
#[derive(Debug, Clone)]
pub struct PullResult {
    /// The changed text; order, spaces and comments are unchanged.
    pub text: String,
    /// The differences before the pull.
    pub drift: Vec<Drift>,
    /// The fields written for them.
    pub written: Vec<PulledField>,
    /// Fields that the file no longer writes, and that run. They are not added.
    pub unsaid: Vec<Drift>,
    /// Flags left unchanged, since a plan is moving them.
    pub planned: Vec<String>,
    /// Running flags that the file does not have. They are not added.
    pub orphans: Vec<String>,
    /// True if the environment's own part was written.
    pub overlay: bool,
}

/// Writes the running values of flags into a file, for the environment of `target`.
///
/// Changes only the environment's own part of a file that names environments, so that no other answers otherwise. Flags that the file
/// manages are not touched.
///
/// # Errors
///
/// When the file has errors, or is written in a way that allows no edit of just these values.
pub fn pull(target: Target, running: &Definitions) -> Result<PullResult, ChangeError> {
    let today = crate::time::format_day(target.now);
    let read = |text: &str, before: bool| {
        let failed = |report| ChangeError::Definitions { report, before };
        let document = definition::parse(target.file, text.as_bytes()).map_err(failed)?;
        let (definitions, _) = document.resolve(target.environment, &today).map_err(failed)?;
        Ok::<_, ChangeError>((!document.environments().is_empty(), definitions))
    };
    let (overlay, mut says) = read(target.text, true)?;
    let environment = target.environment.filter(|_| overlay);
    let mut pulled = PullResult {
        text: target.text.to_owned(),
        drift: Vec::new(),
        written: Vec::new(),
        unsaid: Vec::new(),
        planned: Vec::new(),
        orphans: Vec::new(),
        overlay,
    };
    for (key, is) in &running.flags {
        let Some(before) = says.flags.get(key) else {
            pulled.orphans.push(key.clone());
            continue;
        };
        let base = is.state.base().unwrap_or(before);
        let found = drift::differences(key, is, before, base);
        if before.managed != Managed::Git {
            pulled.unsaid.extend(drift::unsaid(key, is, before, base));
        }
        if found.is_empty() || before.managed == Managed::Git {
            continue;
        }
        if is.has_plan_under_way() {
            pulled.planned.push(key.clone());
            continue;
        }
        let mut after = before.clone();
        for field in FIELDS.iter().filter(|field| found.iter().any(|drift| drift.field == field.name)) {
            (field.take)(&mut after, is);
            let (flag, field, value) = (key.clone(), field.name.to_owned(), (field.value)(is));
            pulled.written.push(PulledField { flag, field, value });
        }
        after.say_percentage();
        let at = Target { text: &pulled.text, environment, ..target };
        let mut expected = says.clone();
        expected.flags.insert(key.clone(), after.clone());
        let texts = crate::flag_change::texts(at, key, Some(before), &after).unwrap_or_default();
        let mut refused = ChangeError::Unwritable { file: target.file.to_owned(), key: key.clone() };
        let written = texts.into_iter().find(|text| match read(text, false) {
            Ok((_, found)) => found == expected,
            Err(error) => {
                refused = error;
                false
            }
        });
        pulled.text = written.ok_or(refused)?;
        pulled.drift.extend(found);
        says = expected;
    }
    Ok(pulled)
}
