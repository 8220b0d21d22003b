//! Rollout plans of a store: commands for one plan, and the tick that moves them all. Each step is one publish, in which the flag's
//! percentage and its plan's progress move together, on the generation that it was decided on: of two processes that decide the same
//! step, one is refused.

use super::Store;
use super::change_options::{Change, Published};
use super::commit::Cause;
use crate::audit::{Action, SettledChange};
use crate::definition::{Definitions, Flag, PlanHold, did_you_mean, nearest};
use crate::error::StoreError;
use crate::plan::{self, PlanDecision, PlanMove, SwitchState, Verdict};
use crate::snapshot::Snapshot;
use crate::store::head::Killed;
use crate::time::now;
use std::borrow::Cow;

/// Start of a flag's state in canonical definitions.
const STATE: &[u8] = b"\"state\":";
/// Attempts to decide on a flag within one tick, if other changes are published in between.
const ATTEMPTS: usize = 10;

/// A command for a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanCommand {
    /// Enter the first stage.
    Start,
    /// Stop where it is.
    Hold,
    /// Go on from the current percentage, or from that stage, counted from 0.
    Resume(Option<usize>),
    /// Skip the rest of the soak, and enter that stage, counted from 0, or the next.
    Advance(Option<usize>),
    /// Return to the state before `start`.
    Abort,
}

/// Decision on a command, before it is published.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanChange {
    /// The generation that it was decided on.
    pub base: u64,
    /// The definitions published then.
    pub before: Definitions,
    /// The definitions to publish.
    pub definitions: Definitions,
    /// The flag with its plan moved.
    pub moved: PlanMove,
    /// Kind of the change, for the audit trail.
    action: Action,
}

/// Result of a tick for one flag with a running plan.
#[derive(Debug)]
pub struct TickResult {
    /// Key of the flag.
    pub flag: String,
    /// The step decided on.
    pub step: PlanDecision,
    /// The flag after it.
    pub after: Flag,
    /// Remarks, a sentence each.
    pub notes: Vec<String>,
    /// The publish; none if there was nothing to do, or for a dry run.
    pub published: Option<Result<Published, StoreError>>,
}

/// Moves the plans of a store when they are due. Keeps the running ones, so that a tick reads no definitions while nothing is published.
#[derive(Debug)]
pub struct Ticker {
    store: Store,
    read: Option<(u64, Vec<(String, Flag)>)>,
}

impl PlanCommand {
    /// The name of the command.
    pub fn name(self) -> &'static str {
        match self {
            PlanCommand::Start => "start",
            PlanCommand::Hold => "hold",
            PlanCommand::Resume(_) => "resume",
            PlanCommand::Advance(_) => "advance",
            PlanCommand::Abort => "abort",
        }
    }

    /// Kind of the change in the audit trail.
    pub fn action(self) -> Action {
        match self {
            PlanCommand::Start => Action::PlanStart,
            PlanCommand::Hold => Action::PlanHold,
            PlanCommand::Resume(_) => Action::PlanResume,
            PlanCommand::Advance(_) => Action::PlanAdvance,
            PlanCommand::Abort => Action::PlanAbort,
        }
    }
}

impl Store {
    /// Decides the effect of a command on a flag's plan, and changes nothing.
    ///
    /// # Errors
    ///
    /// When there is no such flag or the command is refused.
    pub fn plan_command(
        &self,
        flag: &str,
        command: PlanCommand,
        change: &Change,
    ) -> Result<PlanChange, StoreError> {
        let base = self.generation()?;
        if let Some(expected) = change.base.filter(|expected| *expected != base) {
            return Err(StoreError::Stale { base: expected, current: base });
        }
        if base == 0 {
            let problem =
                "nothing is published yet, so there is no plan; publish with `flagstone publish FILE`";
            return Err(StoreError::Refused(problem.to_owned()));
        }
        let switched = self.switched()?;
        let before = self.definitions(base)?;
        let Some(found) = before.flags.get(flag) else {
            let near = nearest(flag, before.flags.keys().map(String::as_str));
            let hint = did_you_mean(near);
            return Err(StoreError::Refused(format!(
                "generation {base} has no flag \"{}\"{hint}; nothing was changed",
                flag.escape_debug()
            )));
        };
        let (now, switched) = (now(), switched(flag));
        let moved = match command {
            PlanCommand::Start => plan::start(flag, found, now, switched),
            PlanCommand::Hold => plan::hold(flag, found, &held(change, now)),
            PlanCommand::Resume(stage) => plan::resume(flag, found, stage, now, switched),
            PlanCommand::Advance(stage) => plan::advance(flag, found, stage, now, switched),
            PlanCommand::Abort => plan::abort(flag, found),
        };
        let moved = moved.map_err(|error| StoreError::Refused(error.to_string()))?;
        let mut definitions = before.clone();
        definitions.flags.insert(flag.to_owned(), moved.flag.clone());
        Ok(PlanChange { base, before, definitions, moved, action: command.action() })
    }

    /// Publishes the decision of [`plan_command`](Self::plan_command).
    ///
    /// # Errors
    ///
    /// When something else was published in between; and the errors of [`publish`](Self::publish).
    pub fn publish_plan(
        &self,
        flag: &str,
        planned: &PlanChange,
        change: Change,
    ) -> Result<Published, StoreError> {
        let made = Cause::plan(planned.action, flag, planned.moved.stage);
        let (named, decided) = (change.base, Change { base: Some(planned.base), ..change });
        let published = self.publish_made(&planned.definitions, &made, decided.clone());
        match published {
            // Another flag was changed meanwhile.
            Err(StoreError::Stale { base, .. }) if named.is_none() => {
                self.put_flag((&planned.before, &planned.definitions), &made, base, &decided)
            }
            published => published,
        }
    }

    /// The last step of a flag's plan, from the audit trail.
    ///
    /// # Errors
    ///
    /// When the audit trail cannot be read.
    pub fn last_plan_action(&self, flag: &str) -> Result<Option<Action>, StoreError> {
        let last = self.last_change_of(flag, Action::is_plan)?;
        Ok(last.map(|settled| settled.record.action))
    }

    /// True if that flag was removed by `delete`, according to the audit trail.
    ///
    /// # Errors
    ///
    /// When the audit trail cannot be read.
    pub fn was_deleted(&self, flag: &str) -> Result<bool, StoreError> {
        Ok(self.last_change_of(flag, |action| action == Action::Delete)?.is_some())
    }

    fn last_change_of(
        &self,
        flag: &str,
        is_meant: impl Fn(Action) -> bool,
    ) -> Result<Option<SettledChange>, StoreError> {
        let mut last = None;
        self.changes_made(|settled| {
            if settled.record.flag.as_deref() == Some(flag) && is_meant(settled.record.action) {
                last = Some(settled);
            }
        })?;
        Ok(last)
    }

    /// Holds the plans of the flags that an edit changed.
    pub(crate) fn settled<'a>(
        &self,
        definitions: &'a Definitions,
        action: Action,
        change: &Change,
    ) -> Result<Cow<'a, Definitions>, StoreError> {
        let unfinished = |flag: &Flag| flag.state.plan.as_ref().is_some_and(|state| state.done.is_none());
        let base = change.base.map_or_else(|| self.generation(), Ok)?;
        if base == 0 || !definitions.flags.values().any(unfinished) {
            return Ok(Cow::Borrowed(definitions));
        }
        let published = self.definitions(base)?;
        let why = change.reason.as_deref().map_or(String::new(), |reason| format!(": {reason}"));
        let by_hand =
            PlanHold { reason: format!("`{}` changed the flag{why}", action.name()), ..held(change, now()) };
        let mut settled = definitions.clone();
        for (key, flag) in &mut settled.flags {
            if let Some(before) = published.flags.get(key) {
                plan::settle(before, flag, &by_hand);
            }
        }
        Ok(Cow::Owned(settled))
    }

    /// Holds the plans of an older generation: their soaks are long outdated.
    pub(crate) fn plans_held(
        &self,
        bytes: Vec<u8>,
        generation: u64,
        change: &Change,
    ) -> Result<Vec<u8>, StoreError> {
        let snapshot = Snapshot::from_bytes(&bytes);
        let definitions = snapshot.ok().and_then(|snapshot| {
            let json = snapshot.definitions_json().ok()?;
            // Most have no running plan, and parsing them takes as long as publishing. In a text, the quotes would be escaped.
            json.windows(STATE.len()).any(|found| found == STATE).then_some(())?;
            Definitions::from_canonical_json(json).ok()
        });
        // If this version cannot read an older one, it cannot move its plans either.
        let Some(mut definitions) = definitions else { return Ok(bytes) };
        let why = change.reason.as_deref().map_or(String::new(), |reason| format!(": {reason}"));
        let reason = format!("`rollback` to generation {generation}{why}");
        match plan::hold_all(&mut definitions, &PlanHold { reason, ..held(change, now()) }).is_empty() {
            true => Ok(bytes),
            false => Ok(crate::compile(&definitions, &self.identity.environment)?),
        }
    }

    /// Kill and stop of each flag, from the head.
    ///
    /// # Errors
    ///
    /// When the head cannot be read.
    pub fn switched(&self) -> Result<impl Fn(&str) -> SwitchState + use<>, StoreError> {
        let head = self.read_head()?;
        let (killed, revived) = (head.killed(), head.revived());
        let (stopped, made) = (head.stopped(), self.head_made()?);
        Ok(move |flag: &str| {
            let of = |kills: &[Killed]| {
                kills
                    .iter()
                    .filter(|kill| kill.key.as_slice() == flag.as_bytes())
                    .map(|kill| kill.since)
                    .max()
            };
            SwitchState { killed: of(&killed), revived: of(&revived), stopped, made }
        })
    }
}

impl Ticker {
    /// A ticker for that store.
    pub fn new(store: Store) -> Ticker {
        Ticker { store, read: None }
    }

    /// Takes the due step of every running plan, at most one each.
    ///
    /// `at` replaces the clock, in microseconds since 1970. With `dry`, nothing is changed. `verdict` gives the guard's verdict on a
    /// flag. A step that could not be published is in the result; the next tick tries again.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn tick(
        &mut self,
        change: &Change,
        at: Option<i64>,
        dry: bool,
        verdict: impl Fn(&str, &Flag) -> Verdict,
    ) -> Result<Vec<TickResult>, StoreError> {
        let switched = self.store.switched()?;
        let mut ticked: Vec<TickResult> = Vec::new();
        let mut next = None;
        let mut attempts = 0;
        while let Some((base, key, flag)) = self.running(next.as_deref())? {
            let now = at.unwrap_or_else(now);
            let step = plan::decide(&flag, now, switched(&key), &verdict(&key, &flag));
            let moved = plan::step(&flag, &step, &held(change, now));
            let published = match &moved {
                Some(moved) if !dry => Some(self.publish(base, &key, &step, moved, change)),
                _ => None,
            };
            if matches!(published, Some(Err(StoreError::Stale { .. }))) && attempts < ATTEMPTS {
                attempts += 1;
                self.read = None;
                continue;
            }
            attempts = 0;
            let (after, notes) = moved.map_or((flag, Vec::new()), |moved| (moved.flag, moved.notes));
            ticked.push(TickResult { flag: key.clone(), step, after, notes, published });
            next = Some(key);
        }
        Ok(ticked)
    }

    /// The first running plan after the flag `behind`, with its generation.
    fn running(&mut self, behind: Option<&str>) -> Result<Option<(u64, String, Flag)>, StoreError> {
        let generation = self.store.generation()?;
        if self.read.as_ref().is_none_or(|(read, _)| *read != generation) {
            let definitions = match generation {
                0 => Definitions::default(),
                generation => self.store.definitions(generation)?,
            };
            let running = |flag: &Flag| flag.state.plan.as_ref().is_some_and(|state| state.is_running());
            let flags = definitions.flags.into_iter().filter(|(_, flag)| running(flag)).collect();
            self.read = Some((generation, flags));
        }
        let flags = self.read.as_ref().map_or(&[][..], |(_, flags)| flags);
        let found = flags.iter().find(|(key, _)| behind.is_none_or(|behind| key.as_str() > behind));
        Ok(found.map(|(key, flag)| (generation, key.clone(), flag.clone())))
    }

    fn publish(
        &self,
        base: u64,
        key: &str,
        step: &PlanDecision,
        moved: &PlanMove,
        change: &Change,
    ) -> Result<Published, StoreError> {
        let mut definitions = self.store.definitions(base)?;
        definitions.flags.insert(key.to_owned(), moved.flag.clone());
        let (action, reason) = match step {
            PlanDecision::Hold(reason) => (Action::PlanHold, Some(reason.clone())),
            PlanDecision::Finish => (Action::PlanDone, None),
            PlanDecision::Enter(_) | PlanDecision::Idle(_) | PlanDecision::Wait(_) => {
                (Action::PlanStage, None)
            }
        };
        let reason = reason.or_else(|| change.reason.clone());
        let change = Change { base: Some(base), reason, ..change.clone() };
        self.store.publish_made(&definitions, &Cause::plan(action, key, moved.stage), change)
    }
}

/// Holder and reason of a plan that this change holds.
fn held(change: &Change, now: i64) -> PlanHold {
    let reason = change.reason.clone().unwrap_or_else(|| "no reason was given".to_owned());
    PlanHold { reason, by: change.actor.to_string(), at: now }
}
