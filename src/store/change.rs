//! Who changes a store, why, and what came of it.

use super::actor::Actor;
use super::diff::Difference;
use crate::snapshot::ContentId;

/// What goes with every change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Who.
    pub actor: Actor,
    /// Why.
    pub reason: Option<String>,
    /// The generation that the change was prepared on; another one published by now refuses it. 0: none was published.
    pub base: Option<u64>,
}

impl Change {
    /// By whoever runs this process, on whatever is published.
    pub fn by_me(reason: Option<&str>) -> Change {
        Change { actor: Actor::current(), reason: reason.map(str::to_owned), base: None }
    }
}

/// How the file of a release is published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// Fields that the file decides, whatever was changed where they run: `FLAG.FIELD`, `FLAG` or `all`.
    pub reset: Vec<String>,
    /// Fields in which what runs stays, the edit in the file being answered: `FLAG.FIELD`, `FLAG` or `all`.
    pub settle: Vec<String>,
    /// Publish all else where the file and what runs are in conflict, and leave the conflicts open.
    pub keep: bool,
    /// A file that lacks more than half of the flags that run is meant.
    pub lossy: bool,
    /// Remove flags that the file does not have and that are off for everybody.
    pub prune: bool,
    /// The release that the file belongs to. A file of an older release than one that was published turns nothing.
    pub release: Option<Release>,
    /// That release is the newest from now on, whatever was published before.
    pub newest: bool,
}

/// Which release a file belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// At least 1; a later release has a higher number.
    Number(u64),
    /// A commit.
    Commit {
        /// Its full id.
        id: String,
        /// The last commit that was published, which it was compared with.
        last: Option<String>,
        /// Whether it descends from that, or is that.
        descends: bool,
    },
}

/// What a publish or a rollback did.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// Now current.
    pub generation: u64,
    /// Current before; 0 if none was.
    pub previous: u64,
    /// Of the current snapshot.
    pub content_id: ContentId,
    /// The content was published already: no generation was made.
    pub unchanged: bool,
    /// The generation whose content a rollback brought back.
    pub rolled_back_to: Option<u64>,
    /// Field by field, against the generation before.
    pub differences: Vec<Difference>,
    /// The change is made and every worker sees it, but the audit trail or the disk does not have it.
    pub audit_warning: Option<String>,
}

/// What a kill, revive, stop or resume did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switched {
    /// False: it was so before.
    pub changed: bool,
    /// The generation published at that moment; 0 if none.
    pub generation: u64,
    /// As in [`Published`].
    pub audit_warning: Option<String>,
}
