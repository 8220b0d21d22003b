//! Differences of the running flags from the file.

use super::companies;
use super::fields::{self, COMPANIES, FIELDS, Field};
use crate::definition::{Companies, CompanyId, FieldSet, Flag, ListDifference};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// A field whose running value differs from the file's, and stays.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// The flag's key.
    pub flag: String,
    /// The field's name: `percentage`.
    pub field: &'static str,
    /// The running value; companies are in the lists below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<Value>,
    /// The file's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Value>,
    /// Difference from the file's allow list to the running one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<ListDifference>,
    /// Difference from the file's deny list to the running one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deny: Option<ListDifference>,
    /// The last change of the field, if it was looked up and is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turned: Option<SwitchAuthor>,
}

/// The last change of a switch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SwitchAuthor {
    /// Time as RFC 3339.
    pub at: String,
    /// The author.
    pub by: String,
    /// The word for the action.
    pub action: &'static str,
    /// The stated reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Each field of the running flag that differs from the file. A field that the file does not write is compared only if its default
/// equals the base; else the file has no opinion any more.
pub(super) fn differences(key: &str, running: &Flag, file: &Flag, base: &Flag) -> Vec<Drift> {
    // A list that the file does not write any more keeps what runs of it, and misses nothing.
    let kept = |list, said: &[CompanyId], running: &[CompanyId]| -> Vec<CompanyId> {
        let stays = |id: &&CompanyId| file.written.has(list) || running.binary_search(id).is_ok();
        said.iter().filter(stays).cloned().collect()
    };
    let said = match companies::said(&file.companies, file.written, &base.companies, &running.companies) {
        Cow::Borrowed(said) => Cow::Borrowed(said),
        Cow::Owned(said) => Cow::Owned(Companies {
            allow: kept(FieldSet::ALLOW, &said.allow, &running.companies.allow),
            deny: kept(FieldSet::DENY, &said.deny, &running.companies.deny),
        }),
    };
    let differs = |field: &&Field| match field.name {
        COMPANIES => running.companies != *said,
        _ => unlike(key, field, running, file) && says(field, file, base),
    };
    let drift = |field: &Field| match field.name {
        COMPANIES => one(key, field, running, &Flag { companies: said.clone().into_owned(), ..file.clone() }),
        _ => one(key, field, running, file),
    };
    FIELDS.iter().filter(differs).map(drift).collect()
}

/// Differences of a running flag from its file at the last publish; empty if no file that had it was published.
pub fn unlike_its_file(key: &str, running: &Flag) -> Vec<Drift> {
    let Some(base) = running.state.base() else { return Vec::new() };
    let differs = |field: &&Field| unlike(key, field, running, base);
    FIELDS.iter().filter(differs).map(|field| one(key, field, running, base)).collect()
}

/// True if the running flag differs from the file. A former key, and the salt derived from it, need not be written.
pub(super) fn unlike(key: &str, field: &Field, running: &Flag, file: &Flag) -> bool {
    match field.name {
        "was" if file.was.is_none() => false,
        "salt" => running.salt(key) != file.salt(key),
        _ => !(field.same)(running, file),
    }
}

/// True if the file has an opinion on a field.
pub(super) fn says(field: &Field, file: &Flag, base: &Flag) -> bool {
    file.written.has(field.written) || (field.same)(file, base)
}

/// The field if the file said it earlier, does not write it any more, and something else runs than without it. Of companies, the lists of
/// which that holds.
pub(super) fn unsaid_field(
    key: &str,
    field: &Field,
    running: &Flag,
    file: &Flag,
    base: &Flag,
) -> Option<Drift> {
    if field.name != COMPANIES {
        let is_unsaid = unlike(key, field, running, file) && !says(field, file, base);
        return is_unsaid.then(|| one(key, field, running, file));
    }
    let list = |list, base: &[CompanyId], running: &[CompanyId]| {
        !file.written.has(list) && !base.is_empty() && !running.is_empty()
    };
    let allow = list(FieldSet::ALLOW, &base.companies.allow, &running.companies.allow);
    let deny = list(FieldSet::DENY, &base.companies.deny, &running.companies.deny);
    let name = match (allow, deny) {
        (false, false) => return None,
        (true, false) if file.written.has(FieldSet::DENY) => "companies.allow",
        (false, true) if file.written.has(FieldSet::ALLOW) => "companies.deny",
        _ => COMPANIES,
    };
    // Only here: comparing lists of a million companies takes long.
    let drift = one(key, field, running, file);
    Some(Drift {
        field: name,
        allow: drift.allow.filter(|_| allow),
        deny: drift.deny.filter(|_| deny),
        ..drift
    })
}

/// All such fields of a flag.
pub(super) fn unsaid(key: &str, running: &Flag, file: &Flag, base: &Flag) -> Vec<Drift> {
    FIELDS.iter().filter_map(|field| unsaid_field(key, field, running, file, base)).collect()
}

pub(super) fn one(key: &str, field: &Field, running: &Flag, file: &Flag) -> Drift {
    let mut drift = Drift {
        flag: key.to_owned(),
        field: field.name,
        running: None,
        file: None,
        allow: None,
        deny: None,
        turned: None,
    };
    if field.name == COMPANIES {
        let [allow, deny] =
            fields::companies(running, file).map(|list| Some(list).filter(|list| !list.is_empty()));
        return Drift { allow, deny, ..drift };
    }
    drift.running = Some((field.value)(running));
    drift.file = Some((field.value)(file));
    drift
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.flag, self.field)?;
        if let (Some(running), Some(file)) = (&self.running, &self.file) {
            write!(f, " is {}, the file says {}", shown(self.field, running), shown(self.field, file))?;
        }
        let mut comma = "";
        for (list, word) in [(&self.allow, "allowed"), (&self.deny, "denied")] {
            let Some(list) = list else { continue };
            for (count, first, how) in [
                (list.added, &list.first_added, "besides the file's"),
                (list.removed, &list.first_removed, "only by the file"),
            ] {
                if count > 0 {
                    let named: Vec<String> = first.iter().map(ToString::to_string).collect();
                    let more = count - first.len() as u64;
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    write!(f, "{comma} {word} {how}: {}{more}", named.join(", "))?;
                    comma = ";";
                }
            }
        }
        Ok(())
    }
}

/// A value for people, cut if it is long.
pub(super) fn shown(field: &str, value: &Value) -> String {
    const LONG: usize = 60;
    let text = match (field, value) {
        ("percentage", Value::Object(both)) => {
            let percentage = both.get("percentage").cloned().unwrap_or_default();
            let steps = both.get("schedule").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let steps: Vec<String> = steps.iter().filter_map(step).collect();
            format!("{percentage} %, {}", steps.join(", "))
        }
        ("percentage", value) => format!("{value} %"),
        (_, Value::Null) => "nothing".to_owned(),
        (_, Value::Array(list)) if list.is_empty() => "empty".to_owned(),
        (_, Value::Object(members)) if members.is_empty() => "empty".to_owned(),
        (_, value) => value.to_string(),
    };
    match text.char_indices().nth(LONG) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// `50 % from 2026-12-01T08:00:00Z`
fn step(step: &Value) -> Option<String> {
    Some(format!("{} % from {}", step.get("percentage")?, step.get("at")?.as_str()?))
}
