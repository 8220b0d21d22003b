//! Actor, reason and result of a change.

use crate::audit::{Actor, Difference};
use crate::definition::OverlayValues;
use crate::snapshot::ContentId;

/// Actor, reason and base of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Person and account that make the change.
    pub actor: Actor,
    /// Reason for the audit trail.
    pub reason: Option<String>,
    /// Generation that the change was prepared on; it is refused if another one is current. 0: none was published.
    pub base: Option<u64>,
}

impl Change {
    /// A change by the user of this process, on any generation.
    pub fn by_me(reason: Option<&str>) -> Change {
        Change { actor: Actor::current(), reason: reason.map(str::to_owned), base: None }
    }
}

/// Options for publishing the file of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// Fields taken from the file, overriding changes made at run time: `FLAG.FIELD`, `FLAG` or `all`.
    pub reset: Vec<String>,
    /// Fields whose running value stays, so that the edit in the file is settled: `FLAG.FIELD`, `FLAG` or `all`.
    pub settle: Vec<String>,
    /// Publish everything but the conflicts between the file and what runs, and leave those open.
    pub keep: bool,
    /// Accept a file that lacks more than half of the running flags.
    pub lossy: bool,
    /// Remove flags that the file does not have and that are off for everybody.
    pub prune: bool,
    /// The release that the file belongs to. A file older than the newest published release changes no switch.
    pub release: Option<Release>,
    /// Make that release the newest, whatever was published before.
    pub newest: bool,
    /// Fields of the file that the overlay of the store's environment replaces.
    pub overlaid: OverlayValues,
    /// The path of the file, recorded for later readers.
    pub file: Option<String>,
}

/// Name of the release that a file belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// At least 1; a later release has a higher number.
    Number(u64),
    /// A git commit.
    Commit {
        /// Its full id.
        id: String,
        /// The last published commit, which this one was compared with.
        last: Option<String>,
        /// True if it descends from `last`, or is the same.
        descends: bool,
    },
}

/// Result of a publish or rollback.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The current generation.
    pub generation: u64,
    /// The generation before; 0 if none was.
    pub previous: u64,
    /// Content of the current generation.
    pub content_id: ContentId,
    /// The content was current already: no generation was made.
    pub unchanged: bool,
    /// Generation whose content a rollback brought back.
    pub rolled_back_to: Option<u64>,
    /// Differences from the generation before, field by field.
    pub differences: Vec<Difference>,
    /// Set if every worker sees the change, but the audit trail or the disk does not have it.
    pub audit_warning: Option<String>,
}

/// Result of a change of what lies beside the flags: a note, an order to the guard, a trusted key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct RecordOutcome {
    /// False if it was so before.
    pub changed: bool,
    /// See [`Published`].
    pub audit_warning: Option<String>,
}

impl RecordOutcome {
    pub(crate) fn changed() -> RecordOutcome {
        RecordOutcome { changed: true, audit_warning: None }
    }
}

/// Result of a kill, revive, stop or resume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchOutcome {
    /// False if it was so before.
    pub changed: bool,
    /// The generation published at that moment; 0 if none.
    pub generation: u64,
    /// See [`Published`].
    pub audit_warning: Option<String>,
}

/// A result of a change, which has room for warnings.
pub(crate) trait Warned {
    fn warning(&mut self) -> &mut Option<String>;

    fn warn(&mut self, warning: String) {
        match self.warning() {
            Some(first) if *first != warning => first.push_str(&format!("; {warning}")),
            Some(_) => {}
            none => *none = Some(warning),
        }
    }
}

impl Warned for Published {
    fn warning(&mut self) -> &mut Option<String> {
        &mut self.audit_warning
    }
}

impl Warned for RecordOutcome {
    fn warning(&mut self) -> &mut Option<String> {
        &mut self.audit_warning
    }
}

impl Warned for SwitchOutcome {
    fn warning(&mut self) -> &mut Option<String> {
        &mut self.audit_warning
    }
}

impl<T: Warned, U> Warned for (T, U) {
    fn warning(&mut self) -> &mut Option<String> {
        self.0.warning()
    }
}
