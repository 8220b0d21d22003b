//! Duplicate keys in an object.
//!
//! JSON allows them and readers differ on which one counts, so none is accepted.

use super::clip::clip;
use super::json::{Id, Kind, Tree};
use super::report::Findings;
use std::collections::HashSet;

/// Up to this number of keys, comparing each pair is quicker than hashing them.
const MAX_PAIRWISE_KEYS: usize = 12;

/// Reports each key that its object has already.
pub(super) fn note(tree: &Tree, findings: &mut Findings) {
    for (id, node) in (0..).zip(&tree.nodes) {
        if node.kind == Kind::Object && node.size > 1 {
            note_object(tree, id, node.size as usize, findings);
        }
    }
}

fn note_object(tree: &Tree, object: Id, count: usize, findings: &mut Findings) {
    let mut note = |key: Id| {
        let message = format!("found the key \"{}\" again, expected it once", clip(&tree.string(key)));
        findings.error_with(key, message, "merge the two, or remove one".to_owned());
    };
    if count <= MAX_PAIRWISE_KEYS {
        for (index, (key, _)) in tree.members(object).enumerate() {
            let text = tree.string(key);
            if tree.members(object).take(index).any(|(earlier, _)| tree.string(earlier) == text) {
                note(key);
            }
        }
        return;
    }
    let mut seen = HashSet::with_capacity(count);
    for (key, _) in tree.members(object) {
        if !seen.insert(tree.string(key)) {
            note(key);
        }
    }
}
