//! Fields that were changed both in the file and in the store.

use super::companies::{CompanyConflict, Listing};
use super::drift::{SwitchAuthor, shown};
use super::fields::{COMPANIES, Field};
use crate::definition::{Companies, CompanyId, Condition, Definitions, Flag, KeptConflict};
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;

/// Companies of a conflict that messages name.
const MAX_SHOWN_COMPANIES: usize = 10;

/// A field that was changed on both sides to different values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conflict {
    /// The flag's key; `segments` for a segment.
    pub flag: String,
    /// The field: `percentage`; for a segment, its name.
    pub field: String,
    /// The file's value at its last publish; for companies, see `companies`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Value>,
    /// The file's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Value>,
    /// The running value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<Value>,
    /// The companies in conflict, if the field is `companies`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub companies: Vec<CompanyConflict>,
    /// True if a plan is moving it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub planned: bool,
    /// The last change of the running value, if it was looked up and is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turned: Option<SwitchAuthor>,
    /// Time of the publish with `--keep` that left it open, in microseconds since 1970; 0 if not known, or not left open.
    #[serde(skip)]
    pub since: i64,
}

impl Conflict {
    pub(super) fn field(key: &str, field: &Field, [base, file, running]: [&Flag; 3]) -> Conflict {
        let value = |flag| Some((field.value)(flag));
        Conflict {
            flag: key.to_owned(),
            field: field.name.to_owned(),
            base: value(base),
            file: value(file),
            running: value(running),
            companies: Vec::new(),
            planned: false,
            turned: None,
            since: 0,
        }
    }

    pub(super) fn of_companies(key: &str, companies: Vec<CompanyConflict>) -> Conflict {
        let (flag, field) = (key.to_owned(), COMPANIES.to_owned());
        let (base, file, running) = (None, None, None);
        Conflict { flag, field, base, file, running, companies, planned: false, turned: None, since: 0 }
    }

    pub(super) fn segment(name: &str, conditions: [Option<&Condition>; 3]) -> Conflict {
        let [base, file, running] = conditions.map(|condition| serde_json::to_value(condition).ok());
        let (flag, field, companies) = ("segments".to_owned(), name.to_owned(), Vec::new());
        Conflict { flag, field, base, file, running, companies, planned: false, turned: None, since: 0 }
    }

    /// The form in which the store keeps it if a publish leaves it open.
    pub(super) fn kept(&self) -> KeptConflict {
        let file = match &self.file {
            Some(file) => file.clone(),
            None => {
                let listing = |conflict: &CompanyConflict| {
                    (conflict.company.to_string(), Value::from(conflict.file.name()))
                };
                Value::Object(self.companies.iter().map(listing).collect())
            }
        };
        KeptConflict { field: self.field.clone(), file, since: self.since }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.flag, self.field)?;
        if let (Some(base), Some(file), Some(running)) = (&self.base, &self.file, &self.running) {
            let shown = |value| shown(&self.field, value);
            write!(f, " is {}, the file says {} and said {}", shown(running), shown(file), shown(base))?;
        }
        for (number, conflict) in self.companies.iter().take(MAX_SHOWN_COMPANIES).enumerate() {
            let comma = if number == 0 { "" } else { ";" };
            let (company, is, says) = (&conflict.company, conflict.running, conflict.file);
            write!(f, "{comma} {company} is in {}, the file says {}", is.name(), says.name())?;
        }
        match self.companies.len().saturating_sub(MAX_SHOWN_COMPANIES) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// The conflicts that publishes with `--keep` left open and that are not settled yet.
pub fn open_conflicts(running: &Definitions) -> Vec<Conflict> {
    let mut open = Vec::new();
    for (key, flag) in &running.flags {
        let Some(state) = &flag.state.file else { continue };
        let still = |kept: &KeptConflict| {
            let conflict = still_open(key, flag, &state.base, kept)?;
            Some(Conflict { since: kept.since, ..conflict })
        };
        open.extend(state.conflicts.iter().filter_map(still));
    }
    let base = running.segments_base.as_ref().unwrap_or(&running.segments);
    for (name, kept) in &running.segment_conflicts {
        let (says, is) = (Some(&kept.file), running.segments.get(name));
        if is != says {
            let conflict = Conflict::segment(name, [base.get(name), says, is]);
            open.push(Conflict { since: kept.since, ..conflict });
        }
    }
    open
}

fn still_open(key: &str, flag: &Flag, base: &Flag, kept: &KeptConflict) -> Option<Conflict> {
    let field = Field::named(&kept.field)?;
    if field.name == COMPANIES {
        let companies = companies(&flag.companies, kept.file.as_object()?);
        return (!companies.is_empty()).then(|| Conflict::of_companies(key, companies));
    }
    let running = (field.value)(flag);
    (running != kept.file).then(|| Conflict {
        file: Some(kept.file.clone()),
        ..Conflict::field(key, field, [base, base, flag])
    })
}

fn companies(running: &Companies, file: &Map<String, Value>) -> Vec<CompanyConflict> {
    let listings = [Listing::Allow, Listing::Deny, Listing::Neither];
    let open = file.iter().filter_map(|(company, says)| {
        let company = CompanyId::from_text(company)?;
        let says = listings.into_iter().find(|listing| listing.name() == says)?;
        let running = Listing::of(running, &company);
        (running != says).then_some(CompanyConflict { company, running, file: says })
    });
    open.collect()
}
