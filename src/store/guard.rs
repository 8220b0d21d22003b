//! What the guard does to a store. It takes back and holds; it gives nobody anything, and undoes nothing.

use super::Store;
use super::audit::{Action, Outcome};
use super::change::Change;
use super::directory::Access;
use super::error::StoreError;
use super::open::head_file;
use super::post::{Place, Post};
use super::publish::Made;
use crate::definition::{Flag, Held, Soak, is_answering};
use crate::eval::time::{format_rfc3339, parse_rfc3339};
use crate::guard::{self, Finding, Memory, NoticeKind, Policy};
use crate::plan::{self, Step, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// No file of what a guard knows is longer, in bytes.
const LIMIT: u64 = 64 << 20;
/// What a guard said longer ago than that, in microseconds, is not its word any more: it writes three times as often.
const FRESH: u64 = 180_000_000;
/// For so long, in microseconds, plans wait for a guard that ended without being told to.
const EXPECTED: u64 = 86_400_000_000;
/// For so long, in microseconds, a guard watches before it lets a plan enter a stage; for less where the stage's soak is.
const FIRST_WATCH: i64 = 60_000_000;

/// The one guard of a store, until dropped; the kernel lets go of it when it dies.
#[derive(Debug)]
pub struct Guarding(Post);

/// What the guard says of the flags of a store at one moment.
#[derive(Debug, Clone)]
pub enum Verdicts {
    /// There is no guard, and nobody was meant to watch: all go on.
    Nobody,
    /// The guard ended without being told to, and last wrote then; microseconds since 1970.
    Ended(i64),
    /// There is one that said nothing yet, or nothing for minutes.
    Beginning,
    /// What it said.
    Said(Box<Memory>),
}

/// What people tell the guard of a store; times are in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Orders {
    /// Until when it does nothing.
    #[serde(default)]
    pub paused_until: i64,
    /// When a person let acts on limits go on.
    #[serde(default)]
    pub resumed_at: i64,
}

/// By what a plan goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GoesBy {
    /// By time alone, and why nobody watches.
    Time(&'static str),
    /// By time and the guard, which has watched since then; microseconds since 1970.
    Guard(i64),
    /// It does not go on, and why.
    Nothing(String),
}

impl Verdicts {
    /// Of one flag; `now` is in microseconds since 1970.
    pub fn of(&self, key: &str, flag: &Flag, now: i64) -> Verdict {
        let memory = match (self.goes_by(key, flag), self) {
            (GoesBy::Time(_), _) => return Verdict::Go,
            (GoesBy::Nothing(why), _) => return Verdict::Wait(why),
            (GoesBy::Guard(_), Self::Said(memory)) => memory,
            (GoesBy::Guard(_), _) => return Verdict::Wait("the guard does not watch it yet".to_owned()),
        };
        first_watch(memory.began, flag, now).unwrap_or_else(|| {
            let kept = memory.flags.get(key);
            kept.map_or_else(|| Verdict::Few("it was not asked yet".to_owned()), |kept| kept.verdict.clone())
        })
    }

    /// By what the plan of a flag goes on.
    pub fn goes_by(&self, key: &str, flag: &Flag) -> GoesBy {
        match Policy::of(flag.guard.as_ref()) {
            _ if matches!(self, Self::Nobody) => return GoesBy::Time("no guard watches this store"),
            None => return GoesBy::Time("the flag says \"guard\": false"),
            Some(policy) if policy.action == guard::Action::Notify => {
                return GoesBy::Time("the guard only tells of this flag");
            }
            Some(_) => {}
        }
        match self {
            Self::Nobody => GoesBy::Time("no guard watches this store"),
            Self::Ended(at) => GoesBy::Nothing(format!(
                "the guard of this store ended without being told to, and last watched at {}; start it again, or move plans \
                 without one: `flagstone run --no-guard`",
                format_rfc3339(*at)
            )),
            Self::Beginning => GoesBy::Nothing("the guard does not watch yet".to_owned()),
            Self::Said(memory) => match &memory.blindness {
                Some(blindness) => GoesBy::Nothing(format!("the guard is blind: {blindness}")),
                None if memory.unwatched.contains(key) => GoesBy::Time("the flag says \"guard\": false"),
                None if memory.paused_until > memory.at => GoesBy::Nothing(format!(
                    "the guard is paused until {}",
                    format_rfc3339(memory.paused_until)
                )),
                None => GoesBy::Guard(memory.began),
            },
        }
    }
}

/// Has a plan wait until a guard that began to watch then has done so for a minute, or for the stage's soak if that is shorter.
pub fn first_watch(began: i64, flag: &Flag, now: i64) -> Option<Verdict> {
    let stage = flag.state.plan.as_ref().map(|state| state.stage());
    let soak = flag.plan.as_ref().zip(stage).and_then(|(plan, stage)| plan.stages.get(stage)?.soak);
    let least = soak.map_or(0, Soak::micros).min(FIRST_WATCH);
    let watched = now.saturating_sub(began);
    (began == 0 || (0..least).contains(&watched)).then(|| {
        Verdict::Wait(match began {
            0 => "the guard does not watch yet".to_owned(),
            began => format!("the guard has watched only since {}", format_rfc3339(began)),
        })
    })
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

    /// What people told the guard last.
    ///
    /// # Errors
    ///
    /// When that cannot be read, or is damaged.
    pub fn guard_orders(&self) -> Result<Orders, StoreError> {
        Ok(orders()
            .kept(&self.folder()?, LIMIT, "`flagstone guard resume` writes it again")?
            .unwrap_or_default())
    }

    /// Has the guard do nothing until then, in microseconds since 1970. What could not be written down is returned.
    ///
    /// # Errors
    ///
    /// When the store cannot be changed.
    pub fn pause_guard(&self, until: i64, change: &Change) -> Result<(), StoreError> {
        self.order(Action::GuardPause, change, |orders, _| orders.paused_until = until)
    }

    /// Ends a pause, and lets acts on limits go on after one that did not help.
    ///
    /// # Errors
    ///
    /// When the store cannot be changed.
    pub fn resume_guard(&self, change: &Change) -> Result<(), StoreError> {
        self.order(Action::GuardResume, change, |orders, now| {
            *orders = Orders { paused_until: 0, resumed_at: now };
        })
    }

    /// Writes into the audit trail what else was changed: a deploy, a migration, a setting of the web server.
    ///
    /// # Errors
    ///
    /// When the store cannot be changed.
    pub fn note(&self, change: &Change) -> Result<(), StoreError> {
        let session = self.head_session(change, "noting something")?;
        session.append(session.record(change, Action::Note, Outcome::Done)).map(drop)
    }

    fn order(
        &self,
        action: Action,
        change: &Change,
        give: impl FnOnce(&mut Orders, i64),
    ) -> Result<(), StoreError> {
        let session = self.head_session(change, "telling the guard")?;
        let mut given = self.guard_orders().unwrap_or_default();
        give(&mut given, session.now);
        session.append(session.record(change, action, Outcome::Done))?;
        orders().write(&session.folder, &given)
    }

    /// Whether this process can change what the store answers: the head can be opened for writing.
    ///
    /// # Errors
    ///
    /// When it cannot, and why.
    pub fn can_change(&self) -> Result<(), StoreError> {
        head_file(&self.folder()?, Access::Write).map(drop)
    }

    /// What the guard of this store says of its flags, if one watches; `now` is in microseconds since 1970.
    pub fn verdicts(&self, now: i64) -> Verdicts {
        let memory = self.guards_memory().ok().flatten();
        let age = memory.as_ref().map_or(u64::MAX, |memory| memory.at.abs_diff(now));
        // Another user than the owner cannot open the lock, and goes by what the guard writes each minute.
        let taken = self.folder().ok().and_then(|store| guard().is_taken(&store));
        match (taken.unwrap_or(age < FRESH), memory) {
            (true, Some(memory)) if age < FRESH && !memory.ended => Verdicts::Said(Box::new(memory)),
            (true, _) => Verdicts::Beginning,
            (false, Some(memory)) if age < EXPECTED && !memory.ended => Verdicts::Ended(memory.at),
            (false, _) => Verdicts::Nobody,
        }
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
        let session = self.head_session(change, "writing down what the guard found")?;
        let generation = session.current().0;
        let mut record = session.record(change, Action::Guard, Outcome::Done);
        record.flag = Some(finding.flag.clone());
        record.guard = Some(finding.clone());
        session.append(record)?;
        Ok(Acted { took: Took::Told, generation, audit_warning: None, instead: None })
    }

    /// Writes into the audit trail what the guard tells, from where webhooks have it.
    ///
    /// # Errors
    ///
    /// When the store cannot be changed.
    pub fn guard_notice(
        &self,
        kind: NoticeKind,
        flag: Option<&str>,
        finding: Option<&Finding>,
        change: &Change,
    ) -> Result<(), StoreError> {
        let session = self.head_session(change, "writing down what the guard tells")?;
        let mut record = session.record(change, Action::Guard, Outcome::Done);
        record.flag = flag.map(str::to_owned);
        record.guard = finding.cloned();
        record.notice = Some(kind);
        session.append(record).map(drop)
    }

    /// What the guard did, by the audit trail: kills, plans taken back and held, and what it told, in this order.
    ///
    /// # Errors
    ///
    /// When the audit trail cannot be read.
    pub fn guard_acts(&self) -> Result<[(Action, u64); 4], StoreError> {
        let mut acts = [Action::Kill, Action::PlanBack, Action::PlanHold, Action::Guard].map(|act| (act, 0));
        self.records(|record| {
            let done = record.guard.is_some() && record.outcome == Outcome::Done;
            for (_, count) in acts.iter_mut().filter(|(act, _)| done && *act == record.action) {
                *count += 1;
            }
        })?;
        Ok(acts)
    }

    /// What was published, killed, revived and noted since then, the newest first: when, and in a few words; times are in
    /// microseconds since 1970.
    ///
    /// # Errors
    ///
    /// When the audit trail cannot be read.
    pub fn changes_since(&self, since: i64) -> Result<Vec<(i64, String)>, StoreError> {
        let mut changes = Vec::new();
        self.records(|record| {
            let Some(at) = parse_rfc3339(record.at.as_bytes()).filter(|at| *at >= since) else { return };
            let flag = record.flag.as_deref().map_or(String::new(), |flag| format!(" {flag}"));
            let text = match record.action {
                _ if record.outcome != Outcome::Done => return,
                Action::Guard | Action::GuardPause | Action::GuardResume | Action::Pull => return,
                Action::Note => format!("note: {}", record.reason.as_deref().unwrap_or("")),
                action if flag.is_empty() => format!("{} of generation {}", action.word(), record.to),
                action => format!("{}{flag}", action.word()),
            };
            changes.push((at, text));
        })?;
        changes.reverse();
        Ok(changes)
    }

    /// Says that a daemon moves this store's plans; to be said once a minute.
    ///
    /// # Errors
    ///
    /// When that cannot be written.
    pub fn daemon_runs(&self, now: i64) -> Result<(), StoreError> {
        daemon().write(&self.folder()?, &now)
    }

    /// When a daemon said last that it runs, in microseconds since 1970; none if none ever did.
    ///
    /// # Errors
    ///
    /// When that cannot be read.
    pub fn daemon_ran(&self) -> Result<Option<i64>, StoreError> {
        daemon().kept(&self.folder()?, LIMIT, "the next daemon writes it again")
    }

    /// When each flag was changed last.
    ///
    /// # Errors
    ///
    /// When the audit trail cannot be read.
    pub fn changed(&self) -> Result<Changed, StoreError> {
        let mut changed = Changed::default();
        self.records(|record| {
            let tells = matches!(
                record.action,
                Action::Guard | Action::GuardPause | Action::GuardResume | Action::Note | Action::Pull
            );
            if tells || record.outcome == Outcome::Failed {
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

fn daemon() -> Place {
    Place { folder: "guard", lock: "lock".to_owned(), keeps: "daemon.json".to_owned() }
}

fn orders() -> Place {
    Place { folder: "guard", lock: "lock".to_owned(), keeps: "orders.json".to_owned() }
}

fn held(change: &Change) -> Held {
    let reason = change.reason.clone().unwrap_or_default();
    Held { reason: format!("the guard: {reason}"), by: change.actor.to_string(), at: super::now() }
}
