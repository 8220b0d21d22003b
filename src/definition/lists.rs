//! The difference between two lists of companies.

use super::company::CompanyId;
use serde::{Deserialize, Serialize};

/// Companies added to a list and removed from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListDifference {
    /// Number of companies added.
    pub added: u64,
    /// Number of companies removed.
    pub removed: u64,
    /// The first ten companies added.
    pub first_added: Vec<CompanyId>,
    /// The first ten companies removed.
    pub first_removed: Vec<CompanyId>,
}

impl ListDifference {
    /// Compares sorted lists in one pass and names the first `first` companies of each part.
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

    /// True if the lists hold the same companies.
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
