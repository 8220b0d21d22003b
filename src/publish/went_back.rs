//! A head that went back: an older copy was written over it, or put in its place, while the audit trail went on.
//!
//! Workers that run keep what they knew. For all others the trail is what is left of the newest generation, the kills and the stop.

use super::Store;
use super::transaction::Session;
use crate::audit::{Action, Outcome, Record, each_record, is_ahead, last_record};
use crate::error::StoreError;
use crate::files::Folder;
use crate::snapshot::is_flag_key;
use crate::store::head::{Current, Head, Stop, damaged_text};
use crate::store::layout::{kept, retained};
use crate::time::parse_rfc3339;
use std::collections::BTreeMap;

/// What the audit trail has, and the head lacks.
#[derive(Default)]
struct Lost {
    /// The newest generation that was published.
    generation: Option<u64>,
    /// The generation of the last intention.
    intended: Option<u64>,
    /// Flags that were killed and not revived, with the time in microseconds since 1970.
    killed: BTreeMap<String, i64>,
    /// Time of the stop, if it did not end.
    stopped: Option<i64>,
}

impl Lost {
    /// None if the head lacks nothing. Reads the whole trail only where its end, or a snapshot, is newer than the head.
    fn of(folder: &Folder, head: &Head, current: u64) -> Result<Option<Lost>, StoreError> {
        let Some(last) = last_record(folder)? else { return Ok(None) };
        let (known, _) = head.audited();
        // Switches are recorded after they are made: one that died then leaves a record that the head does not know, and its slot.
        let has_gap = is_ahead(last.seq, head);
        let is_older = last.outcome == Outcome::Done && last.to > current;
        let newest = retained(folder)?.last().map_or(0, |kept| kept.0);
        if !has_gap && !is_older && newest <= current {
            return Ok(None);
        }
        let mut lost = Lost::default();
        each_record(folder, |record| lost.follow(record, has_gap && record.seq > known))?;
        lost.generation = lost.generation.filter(|generation| *generation > current);
        let killed = head.killed();
        lost.killed.retain(|flag, _| {
            is_flag_key(flag.as_bytes()) && killed.iter().all(|killed| killed.key != flag.as_bytes())
        });
        lost.stopped = lost.stopped.filter(|_| head.stop_state() == Stop::No);
        let is_empty = lost.generation.is_none() && lost.killed.is_empty() && lost.stopped.is_none();
        Ok((!is_empty).then_some(lost))
    }

    fn follow(&mut self, record: &Record, is_unknown: bool) {
        if record.action.publishes() && record.outcome == Outcome::Intended {
            self.intended = Some(record.to);
        }
        // A publish whose second record could not be written ran if later ones found it.
        if self.intended == Some(record.from) {
            self.generation = self.generation.max(self.intended);
        }
        if record.outcome != Outcome::Done {
            return;
        }
        if record.action.publishes() {
            self.generation = self.generation.max(Some(record.to));
        }
        let at = parse_rfc3339(record.at.as_bytes()).unwrap_or_default();
        match (record.action, &record.flag) {
            _ if !is_unknown => {}
            (Action::Kill, Some(flag)) => _ = self.killed.entry(flag.clone()).or_insert(at),
            (Action::Revive, Some(flag)) => _ = self.killed.remove(flag),
            (Action::StopAll, _) => self.stopped = self.stopped.or(Some(at)),
            (Action::ResumeAll, _) => self.stopped = None,
            _ => {}
        }
    }

    /// The switches, as a list; none if there is none.
    fn switches(&self) -> Option<String> {
        let mut lost: Vec<String> = self.killed.keys().map(|flag| format!("the kill of {flag}")).collect();
        lost.extend(self.stopped.map(|_| "the stop".to_owned()));
        (!lost.is_empty()).then(|| lost.join(", "))
    }
}

impl Store {
    /// The reason why the head cannot be relied on, and what to do; none if it can, or cannot be read at all.
    pub fn head_error(&self) -> Option<String> {
        let head = self.read_head().ok()?;
        self.damaged_slots(&head).map(|damaged| damaged.text()).or_else(|| self.outdated(&head))
    }

    /// The reason why the head does not name the newest generation, or lacks switches that the audit trail has, and what to do.
    pub(crate) fn outdated(&self, head: &Head) -> Option<String> {
        match head.current() {
            Current::Damaged(generation, other) => {
                let is_kept = self
                    .folder()
                    .and_then(|folder| kept(&folder, generation))
                    .is_ok_and(|kept| kept.is_some());
                Some(format!("the head is damaged: {}", damaged_text(generation, other.as_ref(), is_kept)))
            }
            Current::Pointer(pointer) => self.lost(head, pointer.generation),
            Current::Nothing => self.lost(head, 0),
        }
    }

    /// Refuses to go on from a generation that was not the last one.
    ///
    /// # Errors
    ///
    /// When a newer generation was published, or the trail cannot be read.
    pub fn expect_newest(&self) -> Result<(), StoreError> {
        let head = self.read_head()?;
        let expected = expect_newest(&self.folder()?, &head, self.generation_of(&head)?, false).map(drop);
        match expected {
            Err(StoreError::Refused(_)) if !self.is_unmoved(&head)? => Ok(()),
            expected => expected,
        }
    }

    /// True if nobody changed the head since it was read: what the trail has by now, the head has as well.
    fn is_unmoved(&self, head: &Head) -> Result<bool, StoreError> {
        Ok(self.read_head()?.epoch() == head.epoch())
    }

    /// What the head lost when it went back, and the way out; none if it lost nothing, or the trail cannot be read.
    fn lost(&self, head: &Head, current: u64) -> Option<String> {
        let folder = self.folder().ok()?;
        let lost = Lost::of(&folder, head, current).ok()??;
        self.is_unmoved(head).ok().filter(|is_unmoved| *is_unmoved)?;
        let generation = lost
            .generation
            .map(|newest| format!("generation {newest}, type: {}", commands(&folder, newest, current)));
        let switches = lost
            .switches()
            .map(|lost| format!("{lost}, which the next change makes again, as does typing it again"));
        let lost = [generation, switches].into_iter().flatten().collect::<Vec<_>>().join("; and ");
        Some(format!("the head went back, as an older copy of it would: by the audit trail it lacks {lost}"))
    }
}

impl Session {
    /// Like [`Store::expect_newest`]. With a named target of a rollback it refuses nothing. Returns the newer one that was published.
    pub(crate) fn expect_newest(&self, is_named: bool) -> Result<Option<u64>, StoreError> {
        match expect_newest(&self.folder, &self.head, self.current().0, is_named) {
            // A trail that cannot be read is reported when the intention is written.
            Err(error) if !matches!(error, StoreError::Refused(_)) => Ok(None),
            expected => expected,
        }
    }

    /// Makes the kills and the stop again that the head lost when it went back.
    pub(super) fn restore_switches(&self) -> Result<(), StoreError> {
        let Some(lost) = Lost::of(&self.folder, &self.head, self.current().0)? else { return Ok(()) };
        for (flag, since) in &lost.killed {
            if !self.head.kill(flag.as_bytes(), *since, true) {
                return Err(StoreError::Refused(format!(
                    "the head lost the kill of {flag}, and has room for no more kills"
                )));
            }
        }
        if let Some(since) = lost.stopped {
            self.head.stop(since);
        }
        if let Some(switches) = lost.switches() {
            let unwritten = self.flush().map_or(String::new(), |problem| format!("; {problem}"));
            *self.restored.borrow_mut() = Some(format!(
                "the head went back, as an older copy of it would: made again by the audit trail: {switches}{unwritten}"
            ));
        }
        Ok(())
    }
}

fn expect_newest(
    folder: &Folder,
    head: &Head,
    current: u64,
    is_named: bool,
) -> Result<Option<u64>, StoreError> {
    match Lost::of(folder, head, current)?.and_then(|lost| lost.generation) {
        Some(newest) if !is_named => {
            let named = match current {
                0 => "no generation".to_owned(),
                _ => format!("generation {current}"),
            };
            Err(StoreError::Refused(format!(
                "nothing was changed: the head names {named}, and generation {newest} was published after it, so the head went back, \
                 as an older copy of it would. Type: {}",
                commands(folder, newest, current),
            )))
        }
        newest => Ok(newest),
    }
}

/// The commands that end it: back to the newest generation, unless its snapshot is gone, or on from the current one.
fn commands(folder: &Folder, newest: u64, current: u64) -> String {
    let command = |generation| format!("flagstone rollback --to {generation}");
    let is_gone = kept(folder, newest).is_ok_and(|kept| kept.is_none());
    match current {
        0 => command(newest),
        _ if is_gone => command(current),
        _ => format!("{}; or {} to go on from this one", command(newest), command(current)),
    }
}
