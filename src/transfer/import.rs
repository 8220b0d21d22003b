//! Merges a bundle into the definitions of another store.

use super::flag::arrived;
use super::options::ImportOptions;
use super::{Bundle, TransferError, asks_company, used_by};
use crate::definition::Definitions;
use std::collections::BTreeSet;

/// Result of an import.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportResult {
    /// The destination's definitions, checked.
    pub definitions: Definitions,
    /// Flags that the destination did not have.
    pub new: Vec<String>,
    /// Flags that changed.
    pub changed: Vec<String>,
    /// Requested flags that did not change.
    pub same: Vec<String>,
    /// Flags that require fewer others, so that they may be on for more companies, each with the requirements dropped.
    pub loosened: Vec<(String, Vec<String>)>,
    /// Further notes, each with the flag in front.
    pub notes: Vec<String>,
}

/// Merges the requested flags into `there`, and those flags they need that it lacks. `today` is the day as `YYYY-MM-DD`.
///
/// # Errors
///
/// When a needed flag or segment is missing, ids of companies would travel unasked, or a segment would change flags that stay.
pub fn import(
    there: &Definitions,
    bundle: &Bundle,
    how: ImportOptions,
    today: &str,
) -> Result<ImportResult, TransferError> {
    let mut there = there.clone();
    for (key, flag) in &bundle.flags {
        if let Some(was) = flag.was.as_deref().filter(|_| !there.flags.contains_key(key)) {
            crate::merge::rename(&mut there, was, key);
        }
    }
    let there = &there;
    let mut definitions = there.clone();
    let (mut new, mut changed, mut same, mut notes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut loosened = Vec::new();
    let travels = |key: &String| bundle.asked.contains(key) || !there.flags.contains_key(key);
    let travelling: Vec<_> = bundle.flags.iter().filter(|(key, _)| travels(key)).collect();
    if !how.with_companies {
        let mut named = Vec::new();
        for (key, flag) in &travelling {
            let rules = flag.rules.iter().enumerate().filter(|(_, rule)| asks_company(&rule.when));
            named.extend(rules.map(|(number, _)| format!("rule {} of {key}", number + 1)));
        }
        let segments = bundle.segments.iter().filter(|(_, condition)| asks_company(condition));
        named.extend(segments.map(|(name, _)| format!("segment {name}")));
        if !named.is_empty() {
            return Err(TransferError::Companies(named));
        }
    }
    for (key, flag) in &travelling {
        let before = there.flags.get(*key);
        let (flag, told) = arrived(flag, before, how);
        notes.extend(told.into_iter().map(|note| format!("{key}: {note}")));
        let lost = before.into_iter().flat_map(|before| &before.requires);
        let lost: Vec<String> = lost.filter(|key| !flag.requires.contains(key)).cloned().collect();
        loosened.extend((!lost.is_empty()).then(|| ((*key).clone(), lost)));
        match before {
            None => new.push((*key).clone()),
            Some(before) if *before == flag => same.push((*key).clone()),
            Some(_) => changed.push((*key).clone()),
        }
        definitions.flags.insert((*key).clone(), flag);
    }
    segments(there, bundle, &travelling.iter().map(|(key, _)| key.as_str()).collect(), &mut definitions)?;
    let missing = missing(&definitions, travelling.iter().map(|(key, _)| key.as_str()));
    if !missing.is_empty() {
        return Err(TransferError::Missing(missing));
    }
    // An arrival does not change the base.
    crate::merge::keep_base(there, &mut definitions, today);
    if let Err(report) = definitions.check("the result", today) {
        return Err(TransferError::Check(report.to_string().trim_end().to_owned()));
    }
    Ok(ImportResult { definitions, new, changed, same, loosened, notes })
}

fn segments(
    there: &Definitions,
    bundle: &Bundle,
    travelling: &BTreeSet<&str>,
    definitions: &mut Definitions,
) -> Result<(), TransferError> {
    for (name, condition) in &bundle.segments {
        if there.segments.get(name).is_some_and(|existing| existing != condition) {
            let uses = |rule: &crate::definition::Rule| reaches(there, &used_by(&rule.when), name);
            let staying = there.flags.iter().filter(|(key, _)| !travelling.contains(key.as_str()));
            let flags: Vec<String> =
                staying.filter(|(_, flag)| flag.rules.iter().any(uses)).map(|(key, _)| key.clone()).collect();
            if !flags.is_empty() {
                return Err(TransferError::Segment { segment: name.clone(), flags });
            }
        }
        definitions.segments.insert(name.clone(), condition.clone());
    }
    Ok(())
}

/// True if one of the segments is `name`, or leads to it.
fn reaches(definitions: &Definitions, from: &[&str], name: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut due = from.to_vec();
    while let Some(segment) = due.pop() {
        if segment == name {
            return true;
        }
        if seen.insert(segment.to_owned())
            && let Some(condition) = definitions.segments.get(segment)
        {
            due.extend(used_by(condition));
        }
    }
    false
}

/// Missing references: the flag that needs each, and the name.
fn missing<'a>(definitions: &Definitions, flags: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    let mut missing = Vec::new();
    for key in flags {
        let Some(flag) = definitions.flags.get(key) else { continue };
        let required = flag.requires.iter().filter(|required| !definitions.flags.contains_key(*required));
        missing.extend(required.map(|required| (key.to_owned(), format!("flag {required}"))));
        let used = flag.rules.iter().flat_map(|rule| used_by(&rule.when));
        let lost = used.filter(|name| !definitions.segments.contains_key(*name));
        missing.extend(lost.map(|name| (key.to_owned(), format!("segment {name}"))));
    }
    missing
}
