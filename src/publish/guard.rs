//! Actions of the guard on a store. It takes features away and holds plans; it never turns a flag on for anyone, and undoes nothing.

use super::Store;
use super::change_options::{Change, RecordOutcome, SwitchOutcome, Warned};
use super::commit::Cause;
use super::dependents::dependents_text;
use super::exclusive::{Place, Post};
use crate::answer_history::in_order;
use crate::audit::{Action, Difference, Outcome, SettledChange, diff};
use crate::definition::{Definitions, Flag, PlanHold, Soak};
use crate::error::StoreError;
use crate::files::{Access, FileId};
use crate::guard::{self, Finding, GuardState, NoticeKind, Policy};
use crate::plan::{self, PlanDecision, Verdict};
use crate::store::layout::HEAD;
use crate::store::open::head_file;
use crate::time::{format_rfc3339, parse_rfc3339};
use rustix::fs::{AtFlags, CWD, IFlags, accessat, ioctl_getflags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

/// Largest file of a guard's memory, in bytes.
const MAX_STATE_BYTES: u64 = 64 << 20;
/// Age in microseconds at which a guard's last word expires; it writes three times as often.
const STATE_LIFETIME_MICROS: u64 = 180_000_000;
/// Microseconds that plans wait for a guard that ended without being told to.
const EXPECTED: u64 = 86_400_000_000;
/// Microseconds that a guard watches before a plan may enter a stage; fewer if the stage's soak is shorter.
const FIRST_WATCH: i64 = 60_000_000;

/// The role of a store's only guard, until dropped; the kernel releases it if the process dies.
#[derive(Debug)]
pub struct Guarding(Post);

/// The head of a store, held open so that no other file gets its inode: a restore puts another head in its place.
#[derive(Debug)]
pub struct HeldHead(File);

/// Verdicts of the guard on the flags of a store, at one moment.
#[derive(Debug, Clone)]
pub enum Verdicts {
    /// There is no guard, and none is expected: all plans go on.
    Nobody,
    /// The guard ended without being told to, and last wrote then; microseconds since 1970.
    Ended(i64),
    /// A guard runs, but has written nothing yet, or nothing for minutes.
    Beginning,
    /// The guard's latest state.
    Said(Box<GuardState>),
}

/// Orders of people to the guard of a store; times are in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Orders {
    /// End of the pause.
    #[serde(default)]
    pub paused_until: i64,
    /// Time when a person last let acts on limits go on.
    #[serde(default)]
    pub resumed_at: i64,
}

impl Orders {
    /// The longest pause, in microseconds: 8 hours.
    pub const LONGEST_PAUSE: i64 = 8 * 3600 * 1_000_000;

    /// End of the pause at `now`, in microseconds since 1970. A pause longer than can be ordered comes from a wrong clock, and is
    /// ignored.
    pub fn pause(&self, now: i64) -> Option<i64> {
        let left = self.paused_until.saturating_sub(now);
        (1..=Self::LONGEST_PAUSE).contains(&left).then_some(self.paused_until)
    }
}

/// The basis on which a plan goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GoesBy {
    /// Time alone, and why no guard watches it.
    Time(&'static str),
    /// Time and the guard, which has watched since then; microseconds since 1970.
    Guard(i64),
    /// The plan does not go on, and why.
    Nothing(String),
}

impl Verdicts {
    /// The verdict on one flag; `now` is in microseconds since 1970.
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

    /// The basis on which the plan of a flag goes on.
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
                "the guard of this store ended without being told to, and last watched at or after {}; start it again, or move plans \
                 without one: `flagstone run --no-guard`",
                format_rfc3339(*at)
            )),
            Self::Beginning => GoesBy::Nothing("the guard does not watch yet".to_owned()),
            Self::Said(memory) if memory.helpless.is_some() => GoesBy::Nothing(format!(
                "the guard can take nothing back: {}",
                memory.helpless.as_deref().unwrap_or_default()
            )),
            Self::Said(memory) => match &memory.blindness {
                Some(blindness) => GoesBy::Nothing(format!("the guard is blind: {blindness}")),
                None if memory.misconfigured.is_some() => {
                    GoesBy::Nothing(memory.misconfigured.clone().unwrap_or_default())
                }
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

/// Makes a plan wait until a guard has watched since `began` for a minute, or for the stage's soak if that is shorter.
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
    /// True if it guards the store at that path now, and not one that was moved away.
    ///
    /// # Errors
    ///
    /// When the store cannot be looked at.
    pub fn is_of(&self, store: &Store) -> Result<bool, StoreError> {
        self.0.is_of(&store.folder()?)
    }

    /// Writes the state for the next guard, on the disk.
    ///
    /// # Errors
    ///
    /// When it cannot be written: the next guard uses the last state written.
    pub fn keep(&self, memory: &GuardState) -> Result<(), StoreError> {
        self.0.keep(memory)
    }
}

impl HeldHead {
    /// True if it is still the head of the store.
    ///
    /// # Errors
    ///
    /// When either cannot be looked at.
    pub fn is_of(&self, store: &Store) -> Result<bool, StoreError> {
        let failed = |source| StoreError::io("look at the head", &store.directory().join(HEAD), source);
        let held = self.0.metadata().map_err(failed)?;
        Ok(FileId::of(&held) == head_file(&store.folder()?, Access::Read)?.id)
    }
}

/// Result of acting on a finding.
#[derive(Debug, Clone, PartialEq)]
pub struct GuardOutcome {
    /// The action taken.
    pub took: ActionTaken,
    /// The generation after it.
    pub generation: u64,
    /// See [`Published`](super::Published).
    pub audit_warning: Option<String>,
    /// The reason for a kill, if the plan's stage before could not be published.
    pub instead: Option<String>,
    /// Flags that require the killed one, directly or through others, and are off because of it.
    pub dependents: Vec<String>,
}

impl Warned for GuardOutcome {
    fn warning(&mut self) -> &mut Option<String> {
        &mut self.audit_warning
    }
}

/// Action taken on a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionTaken {
    /// The flag is killed.
    Killed,
    /// The flag was killed already.
    Nothing,
    /// The plan is back in that stage, counted from 1, and held.
    Back(usize),
    /// The plan is held.
    Held,
    /// A record in the audit trail; no flag is changed.
    Told,
}

/// A record of the audit trail with a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoticeRecord {
    /// Number of the record: their order, whatever clocks said.
    pub seq: u64,
    /// Time of the notice, in microseconds since 1970.
    pub at: i64,
}

/// Times of the last change of each flag, from the audit trail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeTimes {
    /// Times of the changes, in the order of the trail; microseconds since 1970.
    times: Vec<i64>,
    /// Last change of each flag, as an index of `times`.
    flags: BTreeMap<String, usize>,
    segments: BTreeMap<String, usize>,
}

impl ChangeTimes {
    /// Last change of that flag or of these segments, which its rules use, in microseconds since 1970; 0 if the trail does not tell.
    pub fn at<'a>(&self, flag: &str, segments: impl IntoIterator<Item = &'a str>) -> i64 {
        let own = self.flags.get(flag).copied();
        let of_segments = segments.into_iter().filter_map(|segment| self.segments.get(segment).copied());
        let last = own.into_iter().chain(of_segments).max();
        last.and_then(|last| self.times.get(last)).copied().unwrap_or(0)
    }

    fn note(&mut self, differences: &[Difference], order: usize) {
        for difference in differences {
            match &difference.flag {
                Some(flag) if difference.is_answering() => self.note_flag(flag, order),
                Some(_) => {}
                None => {
                    if let Some(segment) = segment(&difference.pointer) {
                        note(&mut self.segments, &segment, order);
                    }
                }
            }
        }
    }

    fn note_flag(&mut self, flag: &str, order: usize) {
        note(&mut self.flags, flag, order);
    }
}

fn note(last: &mut BTreeMap<String, usize>, key: &str, order: usize) {
    let known = last.entry(key.to_owned()).or_insert(order);
    *known = order.max(*known);
}

impl Store {
    /// Becomes the only guard of this store. None: another process is.
    ///
    /// # Errors
    ///
    /// When the lock cannot be opened.
    pub fn guarding(&self) -> Result<Option<Guarding>, StoreError> {
        Ok(guard().take(&self.folder()?)?.map(Guarding))
    }

    /// Holds the current head open, to notice when another takes its place.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn hold_head(&self) -> Result<HeldHead, StoreError> {
        Ok(HeldHead(head_file(&self.folder()?, Access::Read)?.file))
    }

    /// Times of the guard's last act on each flag, from the audit trail; microseconds since 1970.
    ///
    /// # Errors
    ///
    /// When the audit trail cannot be read.
    pub fn last_guard_acts(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        let mut acts = BTreeMap::new();
        self.records(|record| {
            let done = record.guard.is_some() && record.notice.is_none() && record.outcome == Outcome::Done;
            if let (true, Some(flag), Some(at)) = (done, &record.flag, parse_rfc3339(record.at.as_bytes())) {
                acts.insert(flag.clone(), at);
            }
        })?;
        Ok(acts)
    }

    /// State that the last guard wrote; none if there was none.
    ///
    /// # Errors
    ///
    /// When that cannot be read, or is damaged.
    pub fn guards_memory(&self) -> Result<Option<GuardState>, StoreError> {
        guard().kept(&self.folder()?, MAX_STATE_BYTES, "it is begun anew")
    }

    /// The latest orders of people to the guard.
    ///
    /// # Errors
    ///
    /// When that cannot be read, or is damaged.
    pub fn guard_orders(&self) -> Result<Orders, StoreError> {
        Ok(orders()
            .kept(&self.folder()?, MAX_STATE_BYTES, "`flagstone guard resume` writes it again")?
            .unwrap_or_default())
    }

    /// Pauses the guard until then, in microseconds since 1970.
    ///
    /// # Errors
    ///
    /// When the store cannot be changed.
    pub fn pause_guard(&self, until: i64, change: &Change) -> Result<RecordOutcome, StoreError> {
        self.order(Action::GuardPause, change, |orders, _| orders.paused_until = until)
    }

    /// Ends a pause, and lets acts on limits go on after one that did not help.
    ///
    /// # Errors
    ///
    /// When the store cannot be changed.
    pub fn resume_guard(&self, change: &Change) -> Result<RecordOutcome, StoreError> {
        self.order(Action::GuardResume, change, |orders, now| {
            *orders = Orders { paused_until: 0, resumed_at: now };
        })
    }

    /// Notes another change in the audit trail: a deploy, a migration, a setting of the web server.
    ///
    /// # Errors
    ///
    /// When the store cannot be changed.
    pub fn note(&self, change: &Change) -> Result<RecordOutcome, StoreError> {
        self.head_session(change, "noting something", |session| {
            session.append(session.record(change, Action::Note, Outcome::Done))?;
            Ok(RecordOutcome::changed())
        })
    }

    fn order(
        &self,
        action: Action,
        change: &Change,
        give: impl FnOnce(&mut Orders, i64),
    ) -> Result<RecordOutcome, StoreError> {
        self.head_session(change, "telling the guard", |session| {
            let mut given = self.guard_orders().unwrap_or_default();
            give(&mut given, session.now);
            session.append(session.record(change, action, Outcome::Done))?;
            orders().write(&session.folder, &given)?;
            Ok(RecordOutcome::changed())
        })
    }

    /// Checks that this process can change the store: the head can be opened for writing, as far as that can be seen without opening it
    /// so, which would break leases on it each time.
    ///
    /// # Errors
    ///
    /// When it cannot, with the reason.
    pub fn can_change(&self) -> Result<(), StoreError> {
        let head = head_file(&self.folder()?, Access::Read)?;
        let path = self.directory().join(HEAD);
        let failed = |error: Errno| StoreError::io("open the head", &path, error.into());
        match accessat(CWD, &path, rustix::fs::Access::WRITE_OK, AtFlags::EACCESS) {
            // A kernel that does not know the call.
            Ok(()) | Err(Errno::NOSYS | Errno::INVAL) => {}
            Err(error) => return Err(failed(error)),
        }
        match ioctl_getflags(&head.file) {
            Ok(flags) if flags.contains(IFlags::APPEND) => Err(failed(Errno::PERM)),
            _ => Ok(()),
        }
    }

    /// Verdicts of this store's guard on its flags; `now` is in microseconds since 1970.
    pub fn verdicts(&self, now: i64) -> Verdicts {
        let memory = self.guards_memory().ok().flatten();
        let age = memory.as_ref().map_or(u64::MAX, |memory| memory.at.abs_diff(now));
        // Users other than the owner cannot open the lock; for them, the guard's state of each minute decides.
        let taken = self.folder().ok().and_then(|store| guard().is_taken(&store));
        let is_recent = age < STATE_LIFETIME_MICROS && memory.as_ref().is_some_and(|memory| !memory.ended);
        match (taken.unwrap_or(is_recent), memory) {
            (true, Some(memory)) if is_recent => Verdicts::Said(Box::new(memory)),
            (true, _) => Verdicts::Beginning,
            (false, Some(memory)) if age < EXPECTED && !memory.ended => Verdicts::Ended(memory.at),
            (false, _) => Verdicts::Nobody,
        }
    }

    /// Acts on a finding as the guard's policy says, on the generation that it was decided on: `change.base`.
    ///
    /// `rollback` goes one stage back if a plan is running and has one; otherwise, or if that cannot be published, it kills. `hold` holds
    /// a running plan; without one, and with `notify`, the finding is only recorded.
    ///
    /// # Errors
    ///
    /// When something else was published in between, and when no action was possible.
    pub fn guard(&self, finding: &Finding, change: &Change) -> Result<GuardOutcome, StoreError> {
        let reason = change.reason.clone().or_else(|| Some(finding.to_string()));
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

    fn take_back(&self, finding: &Finding, change: &Change) -> Result<GuardOutcome, StoreError> {
        let back = self.running_plan(finding, change).and_then(|flag| match flag {
            Some(flag) => self.plan_back(finding, &flag, change),
            None => Ok(None),
        });
        let instead = match back {
            Ok(Some(acted)) => return Ok(acted),
            Ok(None) => None,
            Err(error @ StoreError::Stale { .. }) => return Err(error),
            // A kill must not depend on anything that fails on a full disk.
            Err(error) => Some(error.to_string()),
        };
        let mut change = change.clone();
        let dependents = self.dependents(&finding.flag);
        if let (Some(reason), Some(text)) = (&mut change.reason, dependents_text(&dependents)) {
            reason.push_str(&format!("; {text}"));
        }
        let killed = self.kill_found(&finding.flag, Some(finding), &change)?;
        let took = if killed.changed { ActionTaken::Killed } else { ActionTaken::Nothing };
        let SwitchOutcome { generation, audit_warning, .. } = killed;
        Ok(GuardOutcome { took, generation, audit_warning, instead, dependents })
    }

    fn plan_back(
        &self,
        finding: &Finding,
        flag: &Flag,
        change: &Change,
    ) -> Result<Option<GuardOutcome>, StoreError> {
        let Some(moved) = plan::back(flag, &held(change)) else { return Ok(None) };
        let stage = moved.stage;
        let acted = self.publish_found(finding, Action::PlanBack, moved, change)?;
        Ok(Some(GuardOutcome { took: ActionTaken::Back(stage.map_or(0, |stage| stage + 1)), ..acted }))
    }

    fn hold_plan(&self, finding: &Finding, flag: &Flag, change: &Change) -> Result<GuardOutcome, StoreError> {
        let held = held(change);
        match plan::step(flag, &PlanDecision::Hold(held.reason.clone()), &held) {
            Some(moved) => self.publish_found(finding, Action::PlanHold, moved, change),
            None => self.tell(finding, change),
        }
    }

    fn publish_found(
        &self,
        finding: &Finding,
        action: Action,
        moved: plan::PlanMove,
        change: &Change,
    ) -> Result<GuardOutcome, StoreError> {
        let mut definitions = self.definitions(change.base.map_or_else(|| self.generation(), Ok)?)?;
        definitions.flags.insert(finding.flag.clone(), moved.flag);
        let made = Cause::plan(action, &finding.flag, moved.stage).found(finding);
        let published = self.publish_made(&definitions, &made, change.clone())?;
        Ok(GuardOutcome {
            took: ActionTaken::Held,
            generation: published.generation,
            audit_warning: published.audit_warning,
            instead: None,
            dependents: Vec::new(),
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

    /// Records a finding in the audit trail.
    fn tell(&self, finding: &Finding, change: &Change) -> Result<GuardOutcome, StoreError> {
        self.head_session(change, "writing down what the guard found", |session| {
            let generation = session.current().0;
            let mut record = session.record(change, Action::Guard, Outcome::Done);
            record.flag = Some(finding.flag.clone());
            record.guard = Some(finding.clone());
            session.append(record)?;
            Ok(GuardOutcome {
                took: ActionTaken::Told,
                generation,
                audit_warning: None,
                instead: None,
                dependents: Vec::new(),
            })
        })
    }

    /// Records a notice of the guard in the audit trail, from where webhooks have it. `since`: the beginning of the harm, in microseconds
    /// since 1970, where no finding tells it.
    ///
    /// # Errors
    ///
    /// When the store cannot be changed.
    pub fn guard_notice(
        &self,
        kind: NoticeKind,
        flag: Option<&str>,
        (finding, since): (Option<&Finding>, Option<i64>),
        change: &Change,
    ) -> Result<RecordOutcome, StoreError> {
        self.head_session(change, "writing down what the guard tells", |session| {
            let mut record = session.record(change, Action::Guard, Outcome::Done);
            record.flag = flag.map(str::to_owned);
            record.guard = finding.cloned();
            record.notice = Some(kind);
            record.since = since.map(format_rfc3339);
            session.append(record)?;
            Ok(RecordOutcome::changed())
        })
    }

    /// Counts the guard's acts in the audit trail: kills, plans taken back, plans held and findings told, in this order.
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

    /// Publishes, kills, revives and notes since then, the newest first, each with its time and a short text. Their order is that of the
    /// trail; a change that a fast clock dated after `now` counts as made by then. Times are in microseconds since 1970.
    ///
    /// # Errors
    ///
    /// When the audit trail cannot be read.
    pub fn changes_since(&self, since: i64, now: i64) -> Result<Vec<(i64, String)>, StoreError> {
        let mut changes = Vec::new();
        self.changes_made(|SettledChange { record, at, .. }| {
            if at < since {
                return;
            }
            let flag = record.flag.as_deref().map_or(String::new(), |flag| format!(" {flag}"));
            let text = match record.action {
                Action::Guard | Action::GuardPause | Action::GuardResume | Action::Pull => return,
                Action::Note => format!("note: {}", record.reason.as_deref().unwrap_or("")),
                action if flag.is_empty() => {
                    let release = record.commit.clone().or_else(|| Some(record.release?.to_string()));
                    let release = release.map_or(String::new(), |release| format!(", release {release}"));
                    format!("{} of generation {}{release}", action.name(), record.to)
                }
                action => format!("{}{flag}", action.name()),
            };
            changes.push((at, text));
        })?;
        let times: Vec<i64> = changes.iter().map(|(at, _)| *at).collect();
        let times = in_order(&times, now).into_iter().map(|(at, _)| at);
        for ((at, _), time) in changes.iter_mut().zip(times) {
            *at = time;
        }
        changes.retain(|(at, _)| *at >= since);
        changes.reverse();
        Ok(changes)
    }

    /// Notes that a daemon moves this store's plans; call it once a minute.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn daemon_runs(&self, now: i64) -> Result<(), StoreError> {
        daemon().write(&self.folder()?, &now)
    }

    /// Time of a daemon's last [`daemon_runs`](Self::daemon_runs), in microseconds since 1970; none if there was none.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn daemon_ran(&self) -> Result<Option<i64>, StoreError> {
        daemon().kept(&self.folder()?, MAX_STATE_BYTES, "the next daemon writes it again")
    }

    /// Times of the last change of each flag, by changes that were made. Their order is that of the trail, whatever clocks said; `now`
    /// and the times are in microseconds since 1970.
    ///
    /// A record lists its first differences only. For the others, the definitions before and after it are compared; if those are no
    /// longer kept, only the listed ones count, so that no flag is suspected for the change of another.
    /// # Errors
    ///
    /// When the audit trail cannot be read.
    pub fn changed(&self, now: i64) -> Result<ChangeTimes, StoreError> {
        let mut times = Vec::new();
        let mut changed = ChangeTimes::default();
        let mut cut_short = Vec::new();
        self.changes_made(|SettledChange { record, at, .. }| {
            let tells = matches!(
                record.action,
                Action::Guard | Action::GuardPause | Action::GuardResume | Action::Note | Action::Pull
            );
            if tells {
                return;
            }
            let order = times.len();
            times.push(at);
            if record.more_differences > 0 {
                cut_short.push((order, record.from, record.to));
            }
            if !record.action.publishes()
                && let Some(flag) = &record.flag
            {
                changed.note_flag(flag, order);
            }
            changed.note(&record.differences, order);
        })?;
        let mut read: Option<(u64, Definitions)> = None;
        for (order, from, to) in cut_short {
            let before = match read.take() {
                Some((generation, definitions)) if generation == from => Some(definitions),
                _ if from == 0 => Some(Definitions::default()),
                _ => self.definitions(from).ok(),
            };
            let Some(after) = self.definitions(to).ok() else { continue };
            if let Some(before) = before {
                changed.note(&diff(&before, &after), order);
            }
            read = Some((to, after));
        }
        let mut times: Vec<i64> = in_order(&times, now).into_iter().map(|(at, _)| at).collect();
        guard::put_in_order(&mut times, now);
        changed.times = times;
        Ok(changed)
    }

    /// The last record of each notice, by flag, from the audit trail.
    ///
    /// # Errors
    ///
    /// When the audit trail cannot be read.
    pub fn last_notices(&self) -> Result<BTreeMap<(NoticeKind, Option<String>), NoticeRecord>, StoreError> {
        let mut last = BTreeMap::new();
        self.records(|record| {
            let at = parse_rfc3339(record.at.as_bytes());
            if let (Some(notice), Some(at)) = (record.notice, at) {
                last.insert((notice, record.flag.clone()), NoticeRecord { seq: record.seq, at });
            }
        })?;
        Ok(last)
    }

    /// True if a pause was ordered, and the audit trail does not tell its end.
    ///
    /// # Errors
    ///
    /// When the audit trail cannot be read.
    pub fn is_pause_open(&self) -> Result<bool, StoreError> {
        let mut open = false;
        self.records(|record| match (record.action, record.notice) {
            (Action::GuardPause, _) => open = true,
            (Action::GuardResume, _) | (_, Some(NoticeKind::PauseOver)) => open = false,
            _ => {}
        })?;
        Ok(open)
    }

    /// Flags whose harm could not be stopped, each with the time when that was last told, in microseconds since 1970: none that anything
    /// was done about since.
    ///
    /// # Errors
    ///
    /// When the audit trail cannot be read.
    pub fn unstopped_harm(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        let mut open = BTreeMap::new();
        self.records(|record| match (&record.flag, record.notice) {
            (Some(flag), Some(NoticeKind::Unable)) => {
                let at = parse_rfc3339(record.at.as_bytes());
                open.insert(flag.clone(), at.unwrap_or_default());
            }
            (Some(flag), None | Some(NoticeKind::HarmOver)) => _ = open.remove(flag),
            _ => {}
        })?;
        Ok(open)
    }

    /// The killed flags with the time of the kill, in microseconds since 1970.
    ///
    /// # Errors
    ///
    /// When the head cannot be read.
    pub fn killed_since(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        let killed = self.read_head()?.killed();
        let since =
            killed.iter().map(|killed| (String::from_utf8_lossy(&killed.key).into_owned(), killed.since));
        Ok(since.collect())
    }

    /// True if everything is stopped.
    ///
    /// # Errors
    ///
    /// When the head cannot be read.
    pub fn is_stopped(&self) -> Result<bool, StoreError> {
        Ok(self.read_head()?.stopped().is_some())
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

/// The segment that a difference's pointer names.
fn segment(pointer: &str) -> Option<String> {
    let name = pointer.strip_prefix("/segments/")?.split('/').next()?;
    Some(name.replace("~1", "/").replace("~0", "~"))
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

fn held(change: &Change) -> PlanHold {
    let reason = change.reason.clone().unwrap_or_default();
    PlanHold { reason: format!("the guard: {reason}"), by: change.actor.to_string(), at: crate::time::now() }
}
