//! What differs between two lists of companies.

use super::company::CompanyId;
use serde::{Deserialize, Serialize};

/// What went into a list and what came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListDifference {
    /// How many are new.
    pub added: u64,
    /// How many are gone.
    pub removed: u64,
    /// The first ten that are new.
    pub first_added: Vec<CompanyId>,
    /// The first ten that are gone.
    pub first_removed: Vec<CompanyId>,
}

impl ListDifference {
    /// From `a` to `b`, both sorted, with the `first` of each: one pass over both.
    pub fn between(a: &[CompanyId], b: &[CompanyId], first: usize) -> ListDifference {
        let mut list =
            ListDifference { added: 0, removed: 0, first_added: Vec::new(), first_removed: Vec::new() };
        let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
        loop {
            let order = match (a.peek(), b.peek()) {
                (None, None) => return list,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(a), Some(b)) => a.cmp(b),
            };
            let removed = if order.is_le() { a.next() } else { None };
            let added = if order.is_ge() { b.next() } else { None };
            match (removed, added) {
                (Some(company), None) => note(&mut list.removed, &mut list.first_removed, company, first),
                (None, Some(company)) => note(&mut list.added, &mut list.first_added, company, first),
                _ => {}
            }
        }
    }

    /// Whether the lists hold the same companies.
    pub fn is_empty(&self) -> bool {
        self.added == 0 && self.removed == 0
    }
}

fn note(count: &mut u64, noted: &mut Vec<CompanyId>, company: &CompanyId, first: usize) {
    *count += 1;
    if noted.len() < first {
        noted.push(company.clone());
    }
}
