//! What the guard does to a store. It takes back and holds; it gives nobody anything, and undoes nothing.

use super::Store;
use super::audit::{Action, Outcome};
use super::change::Change;
use super::error::StoreError;
use super::post::{Place, Post};
use super::publish::Made;
use crate::definition::{Flag, Held, is_answering};
use crate::eval::time::parse_rfc3339;
use crate::guard::{self, Finding, Memory};
use crate::plan::{self, Step, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// No file of what a guard knows is longer, in bytes.
const LIMIT: u64 = 64 << 20;
/// What a guard said longer ago than that, in microseconds, is not its word any more: it writes three times as often.
const FRESH: u64 = 180_000_000;

/// The one guard of a store, until dropped; the kernel lets go of it when it dies.
#[derive(Debug)]
pub struct Guarding(Post);

/// What the guard says of the flags of a store at one moment.
#[derive(Debug, Clone)]
pub enum Verdicts {
    /// There is no guard: all go on.
    Nobody,
    /// There is one that said nothing yet.
    Beginning,
    /// What it said.
    Said(Box<Memory>),
}

impl Verdicts {
    /// Of one flag.
    pub fn of(&self, flag: &str) -> Verdict {
        let kept = match self {
            Self::Nobody => return Verdict::Go,
            Self::Said(memory) if memory.blind || memory.unwatched.contains(flag) => return Verdict::Go,
            Self::Said(memory) => memory.flags.get(flag),
            Self::Beginning => None,
        };
        kept.map_or_else(
            || Verdict::Wait("the guard does not watch it yet".to_owned()),
            |kept| kept.verdict.clone(),
        )
    }
}

impl Guarding {
    /// Writes down what the next guard is to know, on the disk.
    ///
    /// # Errors
    ///
    /// When it cannot be written: the next one goes by what was written last.
    pub fn keep(&self, memory: &Memory) -> Result<(), StoreError> {
        self.0.keep(memory)
    }
}

/// What was done about a finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Acted {
    /// What.
    pub took: Took,
    /// The generation after it.
    pub generation: u64,
    /// As in [`Published`](super::Published).
    pub audit_warning: Option<String>,
    /// Why it is a kill, where the plan's stage before could not be published.
    pub instead: Option<String>,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Took {
    /// The flag is killed.
    Killed,
    /// It was killed already.
    Nothing,
    /// Its plan is in that stage again, counted from 1, and held.
    Back(usize),
    /// Its plan is held.
    Held,
    /// It is in the audit trail, and changes nothing.
    Told,
}

/// When each flag was changed last, as the audit trail has it; microseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    flags: BTreeMap<String, i64>,
    all: i64,
}

impl Changed {
    /// When that flag was; 0 where the trail does not tell.
    pub fn at(&self, flag: &str) -> i64 {
        self.flags.get(flag).copied().unwrap_or(0).max(self.all)
    }
}

impl Store {
    /// Becomes the one guard of this store. None: another process is.
    ///
    /// # Errors
    ///
    /// When the lock cannot be opened.
    pub fn guarding(&self) -> Result<Option<Guarding>, StoreError> {
        Ok(guard().take(&self.folder()?)?.map(Guarding))
    }

    /// What the last guard wrote down; none where there was none.
    ///
    /// # Errors
    ///
    /// When that cannot be read, or is damaged.
    pub fn guards_memory(&self) -> Result<Option<Memory>, StoreError> {
        guard().kept(&self.folder()?, LIMIT, "it is begun anew")
    }

    /// What the guard of this store says of its flags, if one watches; `now` is in microseconds since 1970.
    pub fn verdicts(&self, now: i64) -> Verdicts {
        if !self.folder().is_ok_and(|store| guard().is_taken(&store)) {
            return Verdicts::Nobody;
        }
        let memory = self.guards_memory().ok().flatten();
        let fresh = memory.filter(|memory| memory.at.abs_diff(now) < FRESH);
        fresh.map_or(Verdicts::Beginning, |memory| Verdicts::Said(Box::new(memory)))
    }

    /// Does what the guard's policy says of a finding, on the generation that it was decided on: `change.base`.
    ///
    /// `rollback` goes one stage back where a plan is running and has one, and kills otherwise, or where that cannot be published. `hold` holds the
    /// plan; without one that is running, and with `notify`, the finding is only written down.
    ///
    /// # Errors
    ///
    /// When something else was published in between, and when nothing could be done.
    pub fn guard(&self, finding: &Finding, change: &Change) -> Result<Acted, StoreError> {
        let reason = Some(finding.to_string());
        let change = Change { reason, ..change.clone() };
        match finding.action {
            guard::Action::Rollback => self.take_back(finding, &change),
            guard::Action::Hold => match self.running_plan(finding, &change)? {
                Some(flag) => self.hold_plan(finding, &flag, &change),
                None => self.tell(finding, &change),
            },
            guard::Action::Notify => self.tell(finding, &change),
        }
    }

    fn take_back(&self, finding: &Finding, change: &Change) -> Result<Acted, StoreError> {
        let back = self.running_plan(finding, change).and_then(|flag| match flag {
            Some(flag) => self.plan_back(finding, &flag, change),
            None => Ok(None),
        });
        let instead = match back {
            Ok(Some(acted)) => return Ok(acted),
            Ok(None) => None,
            Err(error @ StoreError::Stale { .. }) => return Err(error),
            // Nothing that can fail on a full disk is in the way of a kill.
            Err(error) => Some(error.to_string()),
        };
        let killed = self.kill_found(&finding.flag, Some(finding), change)?;
        let took = if killed.changed { Took::Killed } else { Took::Nothing };
        Ok(Acted { took, generation: killed.generation, audit_warning: killed.audit_warning, instead })
    }

    fn plan_back(
        &self,
        finding: &Finding,
        flag: &Flag,
        change: &Change,
    ) -> Result<Option<Acted>, StoreError> {
        let Some(moved) = plan::back(flag, &held(change)) else { return Ok(None) };
        let stage = moved.stage;
        let acted = self.publish_found(finding, Action::PlanBack, moved, change)?;
        Ok(Some(Acted { took: Took::Back(stage.map_or(0, |stage| stage + 1)), ..acted }))
    }

    fn hold_plan(&self, finding: &Finding, flag: &Flag, change: &Change) -> Result<Acted, StoreError> {
        let held = held(change);
        match plan::step(flag, &Step::Hold(held.reason.clone()), &held) {
            Some(moved) => self.publish_found(finding, Action::PlanHold, moved, change),
            None => self.tell(finding, change),
        }
    }

    fn publish_found(
        &self,
        finding: &Finding,
        action: Action,
        moved: plan::Moved,
        change: &Change,
    ) -> Result<Acted, StoreError> {
        let mut definitions = self.definitions(change.base.map_or_else(|| self.generation(), Ok)?)?;
        definitions.flags.insert(finding.flag.clone(), moved.flag);
        let made = Made::plan(action, &finding.flag, moved.stage).found(finding);
        let published = self.publish_made(&definitions, &made, change.clone())?;
        Ok(Acted {
            took: Took::Held,
            generation: published.generation,
            audit_warning: published.audit_warning,
            instead: None,
        })
    }

    /// The flag, if its plan is running.
    fn running_plan(&self, finding: &Finding, change: &Change) -> Result<Option<Flag>, StoreError> {
        let generation = change.base.map_or_else(|| self.generation(), Ok)?;
        if generation == 0 {
            return Ok(None);
        }
        let flag = self.definitions(generation)?.flags.remove(&finding.flag);
        Ok(flag.filter(|flag| flag.state.plan.as_ref().is_some_and(|plan| plan.is_running())))
    }

    /// Writes down what was found.
    fn tell(&self, finding: &Finding, change: &Change) -> Result<Acted, StoreError> {
        let session = self.session(change, "writing down what the guard found")?;
        let generation = session.current().0;
        let mut record = session.record(change, Action::Guard, Outcome::Done);
        record.flag = Some(finding.flag.clone());
        record.guard = Some(finding.clone());
        session.audit()?.append(record)?;
        Ok(Acted { took: Took::Told, generation, audit_warning: None, instead: None })
    }

    /// When each flag was changed last.
    ///
    /// # Errors
    ///
    /// When the audit trail cannot be read.
    pub fn changed(&self) -> Result<Changed, StoreError> {
        let mut changed = Changed::default();
        self.records(|record| {
            if record.action == Action::Guard || record.outcome == Outcome::Failed {
                return;
            }
            let Some(at) = parse_rfc3339(record.at.as_bytes()) else { return };
            if record.more_differences > 0 {
                changed.all = changed.all.max(at);
            }
            let mut note = |flag: &str| {
                changed.flags.insert(flag.to_owned(), at);
            };
            if !record.action.publishes()
                && let Some(flag) = &record.flag
            {
                note(flag);
            }
            for difference in &record.differences {
                match &difference.flag {
                    Some(flag) if answers(&difference.pointer) => note(flag),
                    Some(_) => {}
                    None => changed.all = changed.all.max(at),
                }
            }
        })?;
        Ok(changed)
    }

    /// The flags that are killed.
    ///
    /// # Errors
    ///
    /// When the head cannot be read.
    pub fn killed(&self) -> Result<BTreeSet<String>, StoreError> {
        let killed = self.read_head()?.killed();
        Ok(killed.iter().map(|killed| String::from_utf8_lossy(&killed.key).into_owned()).collect())
    }
}

/// Whether answers depend on what a difference's pointer names.
fn answers(pointer: &str) -> bool {
    is_answering(pointer.split('/').nth(3).unwrap_or(""))
}

fn guard() -> Place {
    Place { folder: "guard", lock: "lock".to_owned(), keeps: "state.json".to_owned() }
}

fn held(change: &Change) -> Held {
    let reason = change.reason.clone().unwrap_or_default();
    Held { reason: format!("the guard: {reason}"), by: change.actor.to_string(), at: super::now() }
}
