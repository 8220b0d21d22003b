//! Undoes a publish by the differences in its audit record.

use super::state::Unknown;
use crate::audit::{Difference, ListDifference, Record};
use crate::definition::{CompanyId, Definitions, Flag};
use serde_json::Value;

/// The definitions before the record, as far as its differences show, and the parts that stay unknown. Lists of companies are followed
/// for `company` only. `None` if the record does not name all changes.
pub(super) fn undo(
    after: &Definitions,
    unknown: &Unknown,
    record: &Record,
    company: &CompanyId,
) -> Option<(Definitions, Unknown)> {
    if record.more_differences > 0 || record.differences.is_empty() {
        return None;
    }
    let (mut before, mut unknown) = (after.clone(), unknown.clone());
    for changes in record.differences.chunk_by(|a, b| a.flag == b.flag) {
        let Some(key) = changes.first().and_then(|change| change.flag.as_ref()) else {
            segments(&mut before, &mut unknown, changes);
            continue;
        };
        match flag(before.flags.get(key), unknown.flags.contains(key), changes, company) {
            Some(Some(flag)) => {
                before.flags.insert(key.clone(), flag);
                unknown.flags.remove(key);
            }
            Some(None) => {
                before.flags.remove(key);
                unknown.flags.remove(key);
            }
            None => _ = unknown.flags.insert(key.clone()),
        }
    }
    for (key, was) in record.differences.iter().filter_map(renamed) {
        let is_told = record.differences.iter().any(|change| change.flag.as_deref() == Some(was));
        if is_told || before.flags.contains_key(was) {
            continue;
        }
        let flag = before.flags.remove(key);
        before.flags.extend(flag.map(|flag| (was.to_owned(), flag)));
        if unknown.flags.remove(key) {
            unknown.flags.insert(was.to_owned());
        }
    }
    Some((before, unknown))
}

/// The present key of a renamed flag, and its former one: a rename is recorded as a change of `was`.
fn renamed(change: &Difference) -> Option<(&str, &str)> {
    let key = change.flag.as_deref()?;
    let is_was = change.pointer.splitn(4, '/').nth(3) == Some("was");
    change.after.as_ref().filter(|_| is_was)?.as_str().map(|was| (key, was))
}

/// The flag before the changes: `Some(None)` if it did not exist, `None` if it cannot be known.
fn flag(
    after: Option<&Flag>,
    unknown: bool,
    changes: &[Difference],
    company: &CompanyId,
) -> Option<Option<Flag>> {
    if let [whole] = changes
        && whole.pointer.matches('/').count() == 2
    {
        let Some(before) = &whole.before else { return Some(None) };
        let mut flag: Flag = serde_json::from_value(before.clone()).ok()?;
        for list in [&mut flag.companies.allow, &mut flag.companies.deny] {
            list.retain(|listed| listed == company);
        }
        return Some(Some(flag));
    }
    let mut flag = after.filter(|_| !unknown)?.clone();
    let mut value = serde_json::to_value(&flag).ok()?;
    for change in changes {
        // /flags/KEY/FIELD/…
        let field = change.pointer.splitn(4, '/').nth(3)?;
        match &change.list {
            Some(list) => {
                let listed = if field.ends_with("deny") {
                    &mut flag.companies.deny
                } else {
                    &mut flag.companies.allow
                };
                let was = was_listed(list, listed.contains(company), company)?;
                listed.clear();
                listed.extend(was.then(|| company.clone()));
            }
            None => set(&mut value, field, change.before.as_ref(), change.after.as_ref())?,
        }
    }
    let companies = flag.companies;
    Some(Some(Flag { companies, ..serde_json::from_value(value).ok()? }))
}

/// True if the company was in the list; `None` if unknown, since only the first changes are recorded.
fn was_listed(list: &ListDifference, is: bool, company: &CompanyId) -> Option<bool> {
    let (count, told) = match is {
        true => (list.added, &list.first_added),
        false => (list.removed, &list.first_removed),
    };
    // The names are sorted: a company before the last one recorded would have been recorded.
    let whole = told.len() as u64 == count || told.last().is_some_and(|last| company <= last);
    whole.then(|| told.contains(company) != is)
}

fn segments(before: &mut Definitions, unknown: &mut Unknown, changes: &[Difference]) {
    for change in changes {
        let mut parts = change.pointer.splitn(4, '/').skip(2);
        let (name, field) = (parts.next().unwrap_or_default(), parts.next());
        let name = name.replace("~1", "/").replace("~0", "~");
        let was = match field {
            None => change.before.clone().map(serde_json::from_value).transpose().ok(),
            Some(_) if unknown.segments.contains(&name) => None,
            Some(field) => before.segments.get(&name).and_then(|after| {
                let mut value = serde_json::to_value(after).ok()?;
                set(&mut value, field, change.before.as_ref(), change.after.as_ref())?;
                serde_json::from_value(value).ok().map(Some)
            }),
        };
        match was {
            Some(Some(condition)) => _ = before.segments.insert(name.clone(), condition),
            Some(None) => _ = before.segments.remove(&name),
            None => {
                unknown.segments.insert(name);
                continue;
            }
        }
        if field.is_none() {
            unknown.segments.remove(&name);
        }
    }
}

/// Restores the value at a pointer without its first `/`. `None` if the present value is not the one in the trail.
fn set(root: &mut Value, pointer: &str, before: Option<&Value>, after: Option<&Value>) -> Option<()> {
    let (parent, name) = match pointer.rsplit_once('/') {
        Some((parent, name)) => (root.pointer_mut(&format!("/{parent}"))?, name),
        None => (root, pointer),
    };
    let name = name.replace("~1", "/").replace("~0", "~");
    match parent {
        Value::Object(members) => {
            if members.get(&name) != after {
                return None;
            }
            match before {
                Some(value) => _ = members.insert(name, value.clone()),
                None => _ = members.remove(&name),
            }
        }
        Value::Array(items) => {
            let item = items.get_mut(name.parse::<usize>().ok()?)?;
            if Some(&*item) != after {
                return None;
            }
            *item = before?.clone();
        }
        _ => return None,
    }
    Some(())
}
