//! Authors of switches that differ from the file: the last change of each, as far as the end of the audit trail tells.

use super::Store;
use crate::audit::{Record, last_records, settle};
use crate::definition::{CompanyId, Definitions};
use crate::error::StoreError;
use crate::merge::{self, Conflict, Merged, SwitchAuthor};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// Bytes read of the trail's end: some thousand changes, in some milliseconds.
const TAIL_BYTES: u64 = 4 << 20;

impl Store {
    /// Adds to each drift and each conflict who turned the field, when and why. Changes further back, or unreadable, leave it open.
    pub fn tell_turned(&self, merged: &mut Merged) {
        let drift = merged.drift.iter_mut().map(|drift| {
            let lists = [&drift.allow, &drift.deny].into_iter().flatten();
            let companies = lists.flat_map(|list| list.first_added.iter().chain(&list.first_removed));
            (&drift.flag, drift.field, companies.cloned().collect(), &mut drift.turned)
        });
        let drift: Vec<_> = drift.collect();
        let conflicts = merged.conflicts.iter_mut().map(of_conflict);
        self.tell_fields(drift.into_iter().chain(conflicts).collect(), &merged.definitions);
    }

    /// Conflicts that publishes with `--keep` left open, with the author of each field's last change.
    ///
    /// # Errors
    ///
    /// When the published snapshot cannot be read.
    pub fn open_conflicts(&self) -> Result<Vec<Conflict>, StoreError> {
        let generation = self.generation()?;
        if generation == 0 {
            return Ok(Vec::new());
        }
        let snapshot = self.snapshot(generation)?;
        let json = snapshot
            .definitions_json()
            .map_err(|source| StoreError::Snapshot { path: self.directory.clone(), source })?;
        // Most have none, and looking for them takes a tenth of parsing all. Definitions that this fails on are parsed in full, for the
        // error.
        if serde_json::from_slice::<OpenConflicts>(json).is_ok_and(|kept| !kept.has_conflicts()) {
            return Ok(Vec::new());
        }
        let definitions = self.definitions(generation)?;
        let mut conflicts = merge::open_conflicts(&definitions);
        self.tell_fields(conflicts.iter_mut().map(of_conflict).collect(), &definitions);
        Ok(conflicts)
    }

    /// Fills in the author of each field's last change. The definitions hold the former keys of flags.
    fn tell_fields(&self, fields: Vec<AuthorQuery>, definitions: &Definitions) {
        if fields.is_empty() {
            return;
        }
        let Ok(generation) = self.generation() else { return };
        let settled = settle(self.last_records().unwrap_or_default(), generation).0;
        for (flag, field, companies, told) in fields {
            let last = settled.iter().rev().map(|settled| &settled.record);
            let was = definitions.flags.get(flag).and_then(|flag| flag.was.as_ref());
            let mut found = last.map(|record| {
                let touched = [Some(flag), was].into_iter().flatten().map(|key| match companies.as_slice() {
                    [] => Some(touches(record, key, field)),
                    companies => touches_companies(record, key, companies),
                });
                // A record that leaves out differences may have changed it.
                let all = (record.more_differences == 0).then_some(false);
                let touched = touched.fold(all, |found, touched| match (found, touched) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (None, _) | (_, None) => None,
                    _ => Some(false),
                });
                (touched, record)
            });
            let last = found.find(|(touched, _)| *touched != Some(false));
            *told = last.filter(|(touched, _)| touched.is_some()).map(|(_, record)| switch_author(record));
        }
    }

    /// File of the last publish, if its publisher named it and the end of the audit trail tells.
    pub fn last_file(&self) -> Option<String> {
        self.last_records().ok()?.into_iter().rev().find_map(|record| record.file)
    }

    pub(crate) fn last_records(&self) -> Result<Vec<Record>, StoreError> {
        last_records(&self.folder()?, TAIL_BYTES)
    }
}

/// A flag, one of its fields, the companies that matter in the field `companies`, and the author to fill in.
type AuthorQuery<'a> = (&'a String, &'a str, Vec<CompanyId>, &'a mut Option<SwitchAuthor>);

fn of_conflict(found: &mut Conflict) -> AuthorQuery<'_> {
    let companies = found.companies.iter().map(|conflict| conflict.company.clone()).collect();
    (&found.flag, found.field.as_str(), companies, &mut found.turned)
}

/// True if the change put one of those companies into a list of the flag, or took it out; none if it does not list all of them.
fn touches_companies(record: &Record, flag: &str, companies: &[CompanyId]) -> Option<bool> {
    let mut found = Some(false);
    for difference in record.differences.iter().filter(|found| found.flag.as_deref() == Some(flag)) {
        let field = difference.pointer.splitn(4, '/').nth(3);
        if field.is_some_and(|field| field != "companies" && !field.starts_with("companies/")) {
            continue;
        }
        let touched = match &difference.list {
            Some(list) => {
                let told = list.first_added.len() as u64 == list.added
                    && list.first_removed.len() as u64 == list.removed;
                let named = |id| list.first_added.contains(id) || list.first_removed.contains(id);
                if companies.iter().any(named) { Some(true) } else { told.then_some(false) }
            }
            None => {
                let of = |value: &Option<Value>| {
                    let value = value.as_ref();
                    let lists =
                        if field.is_none() { value.and_then(|flag| flag.get("companies")) } else { value };
                    listed(lists.unwrap_or(&Value::Null), companies)
                };
                of(&difference.before).zip(of(&difference.after)).map(|(before, after)| before != after)
            }
        };
        match touched {
            Some(true) => return touched,
            Some(false) => {}
            None => found = None,
        }
    }
    found
}

/// For each list, which of the companies it holds; none if a list is only given by its length.
fn listed(value: &Value, companies: &[CompanyId]) -> Option<Vec<bool>> {
    match value {
        Value::Null => Some(vec![false; 2 * companies.len()]),
        Value::Array(ids) => Some(
            companies
                .iter()
                .map(|id| ids.iter().any(|known| serde_json::to_value(id).is_ok_and(|id| id == *known)))
                .collect(),
        ),
        Value::Object(lists) if !lists.contains_key("count") => {
            let of = |name: &str| {
                lists.get(name).map_or(Some(vec![false; companies.len()]), |list| listed(list, companies))
            };
            Some([of("allow")?, of("deny")?].concat())
        }
        _ => None,
    }
}

/// The open conflicts of canonical definitions, without the rest.
#[derive(Deserialize)]
struct OpenConflicts {
    #[serde(deserialize_with = "members")]
    flags: Vec<KeptFlag>,
    #[serde(default, deserialize_with = "members")]
    segment_conflicts: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct KeptFlag {
    #[serde(default)]
    state: KeptState,
}

#[derive(Default, Deserialize)]
struct KeptState {
    #[serde(default)]
    file: KeptFile,
}

#[derive(Default, Deserialize)]
struct KeptFile {
    #[serde(default)]
    conflicts: Vec<IgnoredAny>,
}

/// The values of an object.
fn members<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct Members<T>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<T>, A::Error> {
            let mut values = Vec::new();
            while let Some((IgnoredAny, value)) = map.next_entry()? {
                values.push(value);
            }
            Ok(values)
        }
    }
    deserializer.deserialize_map(Members(std::marker::PhantomData))
}

impl OpenConflicts {
    fn has_conflicts(&self) -> bool {
        !self.segment_conflicts.is_empty()
            || self.flags.iter().any(|flag| !flag.state.file.conflicts.is_empty())
    }
}

/// True if the change set the field.
pub(crate) fn touches(record: &Record, flag: &String, field: &str) -> bool {
    let paths: &[&str] = match field {
        "percentage" => &["rollout/percentage", "schedule"],
        "by" => &["rollout/by"],
        "salt" => &["rollout/salt"],
        "bucketing" => &["rollout/bucketing"],
        field => &[field],
    };
    record.differences.iter().filter(|difference| difference.flag.as_ref() == Some(flag)).any(|difference| {
        // Keys hold no character that a pointer escapes.
        let at = difference.pointer.strip_prefix("/flags/").and_then(|at| at.strip_prefix(flag.as_str()));
        let Some(at) = at else { return false };
        let at = at.trim_start_matches('/');
        // The field, a part of it, or a whole that holds it.
        let part = |whole: &str, of: &str| {
            of.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        at.is_empty() || paths.iter().any(|path| part(path, at) || part(at, path))
    })
}

fn switch_author(record: &Record) -> SwitchAuthor {
    SwitchAuthor {
        at: record.at.clone(),
        by: record.actor.to_string(),
        action: record.action.name(),
        reason: record.reason.clone(),
    }
}
