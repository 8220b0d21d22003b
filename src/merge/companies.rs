//! Companies, merged one by one: each is allowed, denied or neither.

use super::outcome::Outcome;
use crate::definition::{Companies, CompanyId, Written};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What a flag says of one company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Listing {
    /// In `companies.allow`.
    Allow,
    /// In `companies.deny`.
    Deny,
    /// In no list.
    Neither,
}

impl Listing {
    /// What the lists say of a company.
    pub(super) fn of(companies: &Companies, id: &CompanyId) -> Listing {
        if companies.allow.binary_search(id).is_ok() {
            Listing::Allow
        } else if companies.deny.binary_search(id).is_ok() {
            Listing::Deny
        } else {
            Listing::Neither
        }
    }

    /// As definitions write it.
    pub fn word(self) -> &'static str {
        match self {
            Listing::Allow => "allow",
            Listing::Deny => "deny",
            Listing::Neither => "neither",
        }
    }
}

/// A company that the file and somebody where the flag runs changed differently.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompanyConflict {
    /// The company.
    pub company: CompanyId,
    /// What runs.
    pub running: Listing,
    /// What the file says.
    pub file: Listing,
}

/// What comes of the lists.
#[derive(Debug)]
pub(super) struct MergedCompanies {
    pub running: Companies,
    pub base: Companies,
    pub conflicts: Vec<CompanyConflict>,
}

/// The lists as the file says them. A list that it does not write stays as it was, but for companies that it names in the other.
pub(super) fn said<'f>(file: &'f Companies, written: Written, base: &Companies) -> Cow<'f, Companies> {
    let as_written = |list: Written, said: &[CompanyId]| written.has(list) || said.is_empty();
    if as_written(Written::ALLOW, &base.allow) && as_written(Written::DENY, &base.deny) {
        return Cow::Borrowed(file);
    }
    let list = |written: bool, says: &[CompanyId], said: &[CompanyId], other: &[CompanyId]| match written {
        true => says.to_vec(),
        false => said.iter().filter(|id| other.binary_search(id).is_err()).cloned().collect(),
    };
    Cow::Owned(Companies {
        allow: list(written.has(Written::ALLOW), &file.allow, &base.allow, &file.deny),
        deny: list(written.has(Written::DENY), &file.deny, &base.deny, &file.allow),
    })
}

/// Merges the file's lists, what they were at its last publish, and those that run. None: the file edited none of them.
pub(super) fn merge(file: &Companies, base: &Companies, running: &Companies) -> Option<MergedCompanies> {
    if file == base {
        return None;
    }
    if running == base || running == file {
        let (running, base) = (file.clone(), file.clone());
        return Some(MergedCompanies { running, base, conflicts: Vec::new() });
    }
    let mut conflicts = Vec::new();
    let (mut run, mut said) = (BTreeMap::new(), BTreeMap::new());
    for id in file.allow.iter().chain(&file.deny).chain(&base.allow).chain(&base.deny) {
        let (says, was, is) = (Listing::of(file, id), Listing::of(base, id), Listing::of(running, id));
        match Outcome::of(&says, &was, &is) {
            Outcome::Keep => continue,
            Outcome::Take => {
                run.insert(id, says);
            }
            Outcome::Agree => {}
            Outcome::Conflict => {
                conflicts.push(CompanyConflict { company: id.clone(), running: is, file: says });
                continue;
            }
        }
        said.insert(id, says);
    }
    conflicts.sort_by(|a, b| a.company.cmp(&b.company));
    conflicts.dedup_by(|a, b| a.company == b.company);
    Some(MergedCompanies { running: put(running, &run), base: put(base, &said), conflicts })
}

/// The lists with those companies where they are to be.
pub(super) fn put(companies: &Companies, changes: &BTreeMap<&CompanyId, Listing>) -> Companies {
    let list = |list: &[CompanyId], wanted: Listing| -> Vec<CompanyId> {
        let stay = list.iter().filter(|id| !changes.contains_key(id));
        let come = changes.iter().filter(|(_, listing)| **listing == wanted).map(|(id, _)| *id);
        let mut list: Vec<CompanyId> = stay.chain(come).cloned().collect();
        list.sort_unstable();
        list
    };
    Companies { allow: list(&companies.allow, Listing::Allow), deny: list(&companies.deny, Listing::Deny) }
}

/// On for no more companies than either says.
pub(super) fn narrower(a: &Companies, b: &Companies) -> Companies {
    let mut deny: Vec<CompanyId> = a.deny.iter().chain(&b.deny).cloned().collect();
    deny.sort_unstable();
    deny.dedup();
    let both = |id: &&CompanyId| b.allow.binary_search(id).is_ok() && deny.binary_search(id).is_err();
    Companies { allow: a.allow.iter().filter(both).cloned().collect(), deny }
}
