//! Merges companies individually: each is allowed, denied or neither.

use super::outcome::Outcome;
use crate::definition::{Companies, CompanyId, FieldSet};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A flag's setting for one company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Listing {
    /// Listed in `companies.allow`.
    Allow,
    /// Listed in `companies.deny`.
    Deny,
    /// Not listed.
    Neither,
}

impl Listing {
    /// The listing of a company.
    pub(super) fn of(companies: &Companies, id: &CompanyId) -> Listing {
        if companies.allow.binary_search(id).is_ok() {
            Listing::Allow
        } else if companies.deny.binary_search(id).is_ok() {
            Listing::Deny
        } else {
            Listing::Neither
        }
    }

    /// The spelling in definitions.
    pub fn name(self) -> &'static str {
        match self {
            Listing::Allow => "allow",
            Listing::Deny => "deny",
            Listing::Neither => "neither",
        }
    }
}

/// A company that was changed differently in the file and in the store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompanyConflict {
    /// The company's id.
    pub company: CompanyId,
    /// The running listing.
    pub running: Listing,
    /// The file's listing.
    pub file: Listing,
}

/// Result of merging the lists.
#[derive(Debug)]
pub(super) struct MergedCompanies {
    pub running: Companies,
    pub base: Companies,
    pub conflicts: Vec<CompanyConflict>,
}

/// The lists as the file means them. An unwritten list stays as it was, without companies that the file has in the other list, and
/// without those that are in no running list: both sides removed them.
pub(super) fn said<'f>(
    file: &'f Companies,
    written: FieldSet,
    base: &Companies,
    running: &Companies,
) -> Cow<'f, Companies> {
    let as_written = |list: FieldSet, said: &[CompanyId]| written.has(list) || said.is_empty();
    if as_written(FieldSet::ALLOW, &base.allow) && as_written(FieldSet::DENY, &base.deny) {
        return Cow::Borrowed(file);
    }
    let list = |written: bool, says: &[CompanyId], said: &[CompanyId], other: &[CompanyId]| match written {
        true => says.to_vec(),
        false => {
            let stays = |id: &&CompanyId| {
                other.binary_search(id).is_err() && Listing::of(running, id) != Listing::Neither
            };
            said.iter().filter(stays).cloned().collect()
        }
    };
    Cow::Owned(Companies {
        allow: list(written.has(FieldSet::ALLOW), &file.allow, &base.allow, &file.deny),
        deny: list(written.has(FieldSet::DENY), &file.deny, &base.deny, &file.allow),
    })
}

/// Merges the file's lists, their base, and the running lists. `None` if the file edited none of them.
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
    Some(MergedCompanies {
        running: with_listings(running, &run),
        base: with_listings(base, &said),
        conflicts,
    })
}

/// Moves those companies to the given lists.
pub(super) fn with_listings(companies: &Companies, changes: &BTreeMap<&CompanyId, Listing>) -> Companies {
    let list = |list: &[CompanyId], wanted: Listing| -> Vec<CompanyId> {
        let stay = list.iter().filter(|id| !changes.contains_key(id));
        let come = changes.iter().filter(|(_, listing)| **listing == wanted).map(|(id, _)| *id);
        let mut list: Vec<CompanyId> = stay.chain(come).cloned().collect();
        list.sort_unstable();
        list
    };
    Companies { allow: list(&companies.allow, Listing::Allow), deny: list(&companies.deny, Listing::Deny) }
}

/// The lists that are on for no more companies than either of the two.
pub(super) fn narrower(a: &Companies, b: &Companies) -> Companies {
    let mut deny: Vec<CompanyId> = a.deny.iter().chain(&b.deny).cloned().collect();
    deny.sort_unstable();
    deny.dedup();
    let both = |id: &&CompanyId| b.allow.binary_search(id).is_ok() && deny.binary_search(id).is_err();
    Companies { allow: a.allow.iter().filter(both).cloned().collect(), deny }
}
