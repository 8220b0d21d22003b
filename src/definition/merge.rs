//! An environment's overlay merged into the document: JSON Merge Patch (RFC 7386), with every value keeping its place.
//!
//! Only objects that a patch touches are built anew; all else stays a number in the tree.

use super::json::{Id, Kind, ROOT, Tree};
use std::borrow::Cow;
use std::collections::HashMap;

/// A value of the document as it is, or with a patch applied.
#[derive(Debug, Clone, Copy)]
pub(super) enum View<'m> {
    Raw(Id),
    Merged(&'m Merged),
}

/// An object that a patch touched.
#[derive(Debug)]
pub(super) struct Merged {
    /// Where it stands: in the document, or in the patch if only that has it.
    pub place: Id,
    pub members: Vec<Member>,
}

#[derive(Debug)]
pub(super) struct Member {
    /// Where the key stands.
    key: Id,
    value: Patched,
}

#[derive(Debug)]
pub(super) enum Patched {
    Raw(Id),
    Merged(Box<Merged>),
}

impl Patched {
    pub fn view(&self) -> View<'_> {
        match self {
            Self::Raw(id) => View::Raw(*id),
            Self::Merged(object) => View::Merged(object),
        }
    }
}

impl View<'_> {
    /// Where it stands.
    pub fn place(self) -> Id {
        match self {
            Self::Raw(id) => id,
            Self::Merged(object) => object.place,
        }
    }
}

impl<'m> View<'m> {
    /// The keys and values of an object.
    pub fn members(self, tree: &'m Tree) -> Box<dyn Iterator<Item = (Id, View<'m>)> + 'm> {
        match self {
            Self::Raw(id) => Box::new(tree.members(id).map(|(key, value)| (key, View::Raw(value)))),
            Self::Merged(object) => {
                Box::new(object.members.iter().map(|member| (member.key, member.value.view())))
            }
        }
    }

    pub fn kind(self, tree: &Tree) -> Kind {
        match self {
            Self::Raw(id) => tree.kind(id),
            Self::Merged(_) => Kind::Object,
        }
    }
}

/// The whole document with the patch applied.
pub(super) fn merge(tree: &Tree, patch: Id) -> Patched {
    apply(tree, Some(ROOT), patch)
}

/// MergePatch(target, patch) of RFC 7386.
fn apply(tree: &Tree, target: Option<Id>, patch: Id) -> Patched {
    if tree.kind(patch) != Kind::Object {
        return Patched::Raw(patch);
    }
    let target = target.filter(|&target| tree.kind(target) == Kind::Object);
    let mut changes: HashMap<Cow<str>, (Id, Id, bool)> =
        tree.members(patch).map(|(key, value)| (tree.string(key), (key, value, false))).collect();
    let mut members =
        Vec::with_capacity(target.map_or(0, |target| tree.node(target).size as usize) + changes.len());
    for (key, value) in target.into_iter().flat_map(|target| tree.members(target)) {
        match changes.get_mut(&tree.string(key)) {
            None => members.push(Member { key, value: Patched::Raw(value) }),
            Some((patch_key, change, used)) => {
                *used = true;
                match tree.kind(*change) {
                    Kind::Null => {}
                    Kind::Object => members.push(Member { key, value: apply(tree, Some(value), *change) }),
                    _ => members.push(Member { key: *patch_key, value: Patched::Raw(*change) }),
                }
            }
        }
    }
    for (key, _) in tree.members(patch) {
        if let Some((patch_key, value, false)) = changes.get(&tree.string(key))
            && *patch_key == key
            && tree.kind(*value) != Kind::Null
        {
            members.push(Member { key, value: apply(tree, None, *value) });
        }
    }
    Patched::Merged(Box::new(Merged { place: target.unwrap_or(patch), members }))
}

/// Members of the patch that delete what the document does not have.
pub(super) fn idle_deletions(tree: &Tree, patch: Id) -> Vec<Idle> {
    let mut idle = Vec::new();
    find_idle(tree, ROOT, patch, &mut idle);
    idle
}

/// A deletion of nothing, and the object in which there is no such key.
pub(super) struct Idle {
    pub key: Id,
    pub target: Id,
}

fn find_idle(tree: &Tree, target: Id, patch: Id, idle: &mut Vec<Idle>) {
    if tree.kind(target) != Kind::Object || tree.kind(patch) != Kind::Object {
        return;
    }
    let known: HashMap<Cow<str>, Id> =
        tree.members(target).map(|(key, value)| (tree.string(key), value)).collect();
    for (key, change) in tree.members(patch) {
        match (known.get(&tree.string(key)), tree.kind(change)) {
            (None, Kind::Null) => idle.push(Idle { key, target }),
            (Some(&value), Kind::Object) => find_idle(tree, value, change, idle),
            _ => {}
        }
    }
}
