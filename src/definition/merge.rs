//! Merges an environment's overlay into the document: JSON Merge Patch (RFC 7386), with every value keeping its place.
//!
//! Only objects that a patch touches are rebuilt; all else stays a number in the tree.

use super::json::{Id, Kind, ROOT, Tree};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// A value of the document as it is, or with a patch applied.
#[derive(Debug, Clone, Copy)]
pub(super) enum View<'m> {
    Raw(Id),
    Merged(&'m Merged),
}

/// An object that a patch touched.
#[derive(Debug)]
pub(super) struct Merged {
    /// Its place: in the document, or in the patch if only that has it.
    pub place: Id,
    pub members: Vec<Member>,
}

#[derive(Debug)]
pub(super) struct Member {
    /// Place of the key.
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
    /// Place of the value.
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

/// Members of the patch that delete keys missing in the document.
pub(super) fn idle_deletions(tree: &Tree, patch: Id) -> Vec<Idle> {
    let mut idle = Vec::new();
    find_idle(tree, ROOT, patch, &mut idle);
    idle
}

/// Lists of the patch that replace one of the document's and leave out some of its values. Lists of steps in time are not sets, and are
/// replaced on purpose.
pub(super) fn replaced_lists(tree: &Tree, patch: Id) -> Vec<ReplacedList> {
    let mut replaced = Vec::new();
    find_lists(tree, ROOT, patch, &mut replaced);
    replaced
}

/// A list of the patch that replaces one of the document's.
pub(super) struct ReplacedList {
    pub patch: Id,
    /// Number of values in the document's list.
    pub shared: usize,
    /// Number of those values missing in the patch.
    pub missing: usize,
}

fn find_lists(tree: &Tree, target: Id, patch: Id, replaced: &mut Vec<ReplacedList>) {
    if tree.kind(target) != Kind::Object || tree.kind(patch) != Kind::Object {
        return;
    }
    let known = tree.by_name(target);
    for (key, patch) in tree.members(patch) {
        let name = tree.string(key);
        let Some(&target) = known.get(&name) else { continue };
        if tree.kind(patch) != Kind::List || tree.kind(target) != Kind::List {
            find_lists(tree, target, patch, replaced);
            continue;
        }
        let is_companies = matches!(name.as_ref(), "allow" | "deny");
        // A company's number is the same with and without quotes.
        let normal = |item: Id| match is_companies {
            true => tree.string(item).into_owned(),
            false => tree.normal(item),
        };
        let kept: HashSet<String> = tree.items(patch).map(normal).collect();
        if kept.is_empty() || matches!(name.as_ref(), "schedule" | "stages") {
            continue;
        }
        let missing = tree.items(target).filter(|&item| !kept.contains(&normal(item))).count();
        if missing > 0 {
            replaced.push(ReplacedList { patch, shared: tree.node(target).size as usize, missing });
        }
    }
}

/// A deletion without effect, and the object that has no such key.
pub(super) struct Idle {
    pub key: Id,
    pub target: Id,
}

fn find_idle(tree: &Tree, target: Id, patch: Id, idle: &mut Vec<Idle>) {
    if tree.kind(target) != Kind::Object || tree.kind(patch) != Kind::Object {
        return;
    }
    let known = tree.by_name(target);
    for (key, change) in tree.members(patch) {
        match (known.get(&tree.string(key)), tree.kind(change)) {
            (None, Kind::Null) => idle.push(Idle { key, target }),
            (Some(&value), Kind::Object) => find_idle(tree, value, change, idle),
            _ => {}
        }
    }
}
