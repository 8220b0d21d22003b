//! The guard at work: reads the counters, decides, acts.

mod flags;
mod report;
mod sources;

use crate::counters::believed_counts;
use crate::{display, identity};
use flags::Flags;
use flagstone::StoreError;
use flagstone::audit::Actor;
use flagstone::guard::{
    Action, Blindness, Doubt, Finding, Guard, GuardState, Hangs, Harm, KeptOutage, Kind, NoActionReason,
    Notice, NoticeKind, Outcome, RESTART_WINDOW, Reading, Sample, Sight, Verdict, restarts_in_a_loop,
};
use flagstone::publish::{
    ActionTaken, BelievedUsers, Change, GuardOutcome, Guarding, HeldHead, Orders, Store, dependents_text,
};
use flagstone::telemetry::{Counts, Exposure, FlagCounts};
pub use report::GuardReport;
use serde::Serialize;
use sources::Sources;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::{Discriminant, discriminant};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Microseconds between two writes of the guard's memory; the second if what plans are told has changed.
const STATE_INTERVAL_MICROS: u64 = 60_000_000;
const KEEP_SOON: u64 = 5_000_000;
/// Microseconds without sight after which the trail says so.
const BLIND_FOR: i64 = 120_000_000;
/// Microseconds between two records of the same harm that is left on, or that nothing can be done about.
const LEFT_ON_AGAIN: i64 = 3_600_000_000;
/// Looks without a finding, one each second, after which harm that could not be stopped is over.
const WELL_LOOKS: u32 = 300;
/// The most starts of guards that are remembered.
const KEPT_STARTS: usize = 20;
/// Microseconds without a look after which a guard begins its watch afresh: it was stopped, or the machine was.
const FROZEN_MICROS: i64 = 30_000_000;
/// Microseconds by which the clock may go back, as it does where it is kept in step, before the watch begins afresh.
const BACK_MICROS: i64 = -1_000_000;
/// Timeout for another change of the store.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// A guard of one store.
pub struct Watcher {
    directory: PathBuf,
    memory: PathBuf,
    dry: bool,
    beside_plans: bool,
    guard: Guard,
    flags: Flags,
    sources: Sources,
    sight: Sight,
    hangs: Hangs,
    /// Flags under watch by the hash of their keys; true if compared with the off-cohort.
    compared: HashMap<u64, (String, bool)>,
    /// Held while this guard watches; a dry run needs none.
    lock: Option<Guarding>,
    /// The head of the watched store.
    head: Option<HeldHead>,
    /// True if another store took the place of the watched one.
    replaced: bool,
    /// Problems that were printed and still hold.
    said: BTreeSet<String>,
    /// The memory as last written.
    last: GuardState,
    /// True if this guard went on from another's memory.
    resumed: bool,
    /// Orders of people, as last read, to see whether a pause is over.
    orders: Orders,
    /// The end of a pause; 0: not paused.
    paused_until: i64,
    /// The users whose counters are believed, by the configuration as last read.
    believed: Option<BelievedUsers>,
    /// The reason that the configuration cannot be read, if so.
    misconfigured: Option<String>,
    /// The state as of the last look.
    state: State,
    /// The start of the watch without a break, in microseconds since 1970; 0: not watching.
    began: i64,
    /// The time of the last look, in microseconds since 1970.
    looked: Option<i64>,
    /// An outage that was recorded in a store that another one replaced.
    outage: Option<KeptOutage>,
    /// Recent starts of guards of this store.
    starts: Vec<i64>,
    /// The time of the last write of the memory, in microseconds since 1970, and what plans were told then.
    kept: (i64, Vec<(String, Discriminant<Verdict>, i64)>),
    /// Flags left on whose harm was recorded, each with the time until when it is not again, and that of the flag's last change: harm
    /// after a revive is new. Microseconds since 1970.
    recorded: BTreeMap<String, (i64, i64)>,
    /// The start of a blindness, and true if it was recorded.
    blind: Option<(i64, bool)>,
    /// Flags whose harm could not be stopped, as the trail has it.
    unable: BTreeMap<String, Unable>,
}

/// Harm that could not be stopped.
struct Unable {
    /// The time until which that is not repeated, in microseconds since 1970.
    until: i64,
    /// Looks in a row that found no such harm.
    well: u32,
}

/// The guard's ability to watch and act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Before the first look.
    Beginning,
    /// Watching since then, in microseconds since 1970.
    Watching(i64),
    /// Another guard watches.
    Waiting,
    /// The guard sees nothing, for this reason.
    Blind(Blindness),
    /// The guard can change nothing, for this reason.
    Helpless(String),
}

/// An event to print.
#[derive(Debug, Serialize)]
pub struct GuardEvent {
    /// RFC 3339.
    pub at: String,
    /// `killed`, `back`, `held`, `told`, `would`, `found`, `outcome`, `outage`, `over`, `stopped`, `resumed`, `paused`, `pilots`, `store`,
    /// `note` or `problem`.
    pub event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
    /// A sentence for people.
    pub text: String,
    /// The finding, with the numbers behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
}

impl Watcher {
    /// A guard of the store in `directory`, with counters in `memory`. A dry one changes nothing.
    pub fn new(directory: &Path, memory: &Path, dry: bool) -> Self {
        Self {
            directory: directory.to_owned(),
            memory: memory.to_owned(),
            dry,
            beside_plans: false,
            guard: Guard::new(),
            flags: Flags::default(),
            sources: Sources::default(),
            sight: Sight::default(),
            hangs: Hangs::new(),
            compared: HashMap::new(),
            lock: None,
            head: None,
            replaced: false,
            said: BTreeSet::new(),
            last: GuardState::default(),
            resumed: false,
            orders: Orders::default(),
            paused_until: 0,
            believed: None,
            misconfigured: None,
            state: State::Beginning,
            began: 0,
            looked: None,
            outage: None,
            starts: Vec::new(),
            kept: (0, Vec::new()),
            recorded: BTreeMap::new(),
            blind: None,
            unable: BTreeMap::new(),
        }
    }

    /// The same guard, within the daemon that moves plans.
    pub fn beside_plans(self) -> Self {
        Self { beside_plans: true, ..self }
    }

    /// The state as of the last look.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Writes down that the guard was told to end. Best effort: without it, plans wait for the next guard.
    pub fn end(&mut self, now: i64) {
        if let Some(lock) = &self.lock {
            let memory = GuardState { ended: true, at: now, ..self.last.clone() };
            let _ = lock.keep(&memory);
        }
    }

    /// Looks once and returns the events.
    pub fn look(&mut self, now: i64) -> Vec<GuardEvent> {
        let mut events = Vec::new();
        let mut problems = BTreeSet::new();
        let passed = self.looked.replace(now).map_or(0, |before| now - before);
        if !(BACK_MICROS..=FROZEN_MICROS).contains(&passed) {
            events.push(event(now, "note", None, self.begin_afresh(passed, now)));
        }
        let was_blind = matches!(self.state, State::Blind(_));
        if let Err(problem) = self.round(now, &mut events, &mut problems) {
            problems.insert(problem);
        }
        if was_blind && matches!(self.state, State::Watching(_)) {
            events.push(event(now, "note", None, "the guard sees again".to_owned()));
        }
        for problem in problems.difference(&self.said) {
            events.push(event(now, "problem", None, problem.clone()));
        }
        self.said = problems;
        events
    }

    /// Begins the watch afresh after a time without a look, or a change of the clock; in microseconds. Returns a sentence on it.
    fn begin_afresh(&mut self, passed: i64, now: i64) -> String {
        if matches!(self.state, State::Watching(_)) {
            (self.state, self.began) = (State::Watching(now), now);
        }
        if let Some((since, _)) = &mut self.blind {
            *since = now.min(*since);
        }
        for unable in self.unable.values_mut() {
            unable.until = unable.until.min(now + LEFT_ON_AGAIN);
        }
        let seconds = passed.abs() / 1_000_000;
        match passed {
            ..0 => format!("the clock went back by {seconds} s: the watch begins afresh"),
            _ => format!(
                "{seconds} s since the last look: the guard or its machine was stopped, or the clock was set; the watch begins afresh"
            ),
        }
    }

    fn round(
        &mut self,
        now: i64,
        events: &mut Vec<GuardEvent>,
        problems: &mut BTreeSet<String>,
    ) -> Result<(), String> {
        let failed = |error: StoreError| error.to_string();
        let store = match identity::open(&self.directory) {
            Ok(store) => store.with_lock_timeout(LOCK_TIMEOUT),
            Err(error) => {
                self.see_nothing(None, error.to_string(), now, problems);
                // The daemon's plans report the same error.
                if self.beside_plans {
                    problems.clear();
                }
                return Ok(());
            }
        };
        match self.is_of(&store) {
            Ok(true) => {}
            Ok(false) => {
                self.forget_store();
                let text = "another store is in the place of the one that was watched, such as a backup: it is watched now";
                events.push(event(now, "store", None, text.to_owned()));
            }
            Err(error) => {
                self.see_nothing(Some(&store), error.to_string(), now, problems);
                return Ok(());
            }
        }
        if self.head.is_none() {
            // A head that cannot be opened is reported below.
            self.head = store.hold_head().ok();
        }
        if !self.dry {
            if let Err(error) = store.can_change() {
                self.state = State::Helpless(error.to_string());
                self.began = 0;
                let mount = match self.replaced {
                    true => {
                        "; if this service mounts the store itself (ReadWritePaths=), that mount went with the former store: restart the service"
                    }
                    false => "",
                };
                problems.insert(format!("{error}; the guard can take nothing back{mount}"));
            } else if matches!(self.state, State::Helpless(_)) {
                self.state = State::Beginning;
            }
            if self.lock.is_none() {
                match store.guarding() {
                    Ok(Some(lock)) => self.lock = Some(lock),
                    Ok(None) => {
                        self.state = State::Waiting;
                        problems.insert("another guard watches this store; waiting until it ends".to_owned());
                        return Ok(());
                    }
                    // Two guards that act do no harm: the second finds it done.
                    Err(error) => _ = problems.insert(format!("{error}; watching without the guard's lock")),
                }
            }
        }
        if !self.resumed {
            self.resumed = true;
            match store.guards_memory() {
                Ok(memory) => {
                    let mut memory = memory.unwrap_or_default();
                    if !self.replaced {
                        let before = if memory.ended { &[][..] } else { &memory.starts };
                        self.starts = started(before, now, self.lock.is_some());
                    }
                    // A cooldown lasts if the definitions or the trail cannot be read.
                    let _ = self
                        .flags
                        .refresh(&store, now)
                        .and_then(|()| self.forget_lost_acts(&store, &mut memory));
                    // The outage happened here, whatever the restored store knows.
                    if self.replaced {
                        memory.outage = self.outage.take();
                    }
                    self.guard = Guard::resumed(memory);
                    self.record_return(&store, problems);
                }
                Err(error) => _ = problems.insert(error.to_string()),
            }
        }
        if restarts_in_a_loop(&self.starts, now) {
            let starts = self.starts.len();
            let minutes = RESTART_WINDOW / 60_000_000;
            problems.insert(format!(
                "guards of this store were started {starts} times in {minutes} minutes: each begins to look anew, and no stage \
                 is entered; find what ends them (memory, a signal, a watchdog)"
            ));
        }
        match store.guard_orders() {
            Ok(orders) => {
                if self.obey(orders, now, events) {
                    self.record_pause_over(&store, problems);
                }
            }
            Err(error) => _ = problems.insert(error.to_string()),
        }
        let read = self.flags.refresh(&store, now).map_err(failed);
        let counts = read.and_then(|()| self.counts(&store, now, problems));
        self.guard.rename(self.flags.former_keys());
        for (former, key) in self.flags.former_keys() {
            if let Some(until) = self.recorded.remove(former) {
                self.recorded.entry(key.to_owned()).or_insert(until);
            }
        }
        let (counts, epoch, blindness) = match counts {
            Ok(mut counts) => {
                counts.join_former_keys(self.flags.former_keys());
                let blindness = self.sight.look(&counts, now);
                self.guard.overflows(self.sight.overflows(now));
                let epoch = self.sources.epoch(&counts);
                let compared = |flag: u64| self.compared.get(&flag).is_some_and(|(_, compared)| *compared);
                let changed = |flag: u64| {
                    let change =
                        self.compared.get(&flag).and_then(|(key, _)| self.flags.last_change(key, now));
                    change.map_or(i64::MIN, |change| change.at)
                };
                let stuck = self.hangs.look(&mut counts, epoch, now, compared, changed);
                self.guard.stuck(stuck.as_ref());
                let keys = || self.flags.all().map(|(key, _)| key);
                let blindness = blindness
                    .or_else(|| stuck.map(|stuck| stuck.blindness(keys())))
                    .or_else(|| self.unpublished(&store, &counts));
                (counts, epoch, blindness)
            }
            Err(why) => {
                self.see_nothing(Some(&store), why, now, problems);
                return Ok(());
            }
        };
        self.see(blindness.as_ref(), now, problems);
        self.record_blindness(&store, blindness.as_ref(), now, problems);
        for source in &counts.sources {
            if let Some(why) = &source.left_out {
                problems.insert(format!("{} is left out: {why}", source.path.display()));
            }
        }
        let decision = {
            let samples = samples(&self.flags, &counts, epoch, now, Some(&self.hangs));
            self.guard.watch(now, &samples, Some((&counts.total(), epoch)))
        };
        let compared = self.guard.standings().map(|(flag, standing)| {
            (Counts::flag_hash(flag), (flag.to_owned(), standing.kind == Some(Kind::Branch)))
        });
        self.compared = compared.collect();
        for notice in decision.notices {
            let mut told = noticed(now, &notice);
            let mut since = None;
            if let Notice::Outage { since: began, .. } = notice {
                told.text.push_str(&suspects(&store, &self.flags, began, now));
                since = Some(began);
            }
            let of = (told.flag.as_deref(), None, since);
            self.record_since(&store, kind(&notice), of, &told.text, problems);
            events.push(told);
        }
        for (finding, held) in decision.held {
            let changed = finding.through.as_deref().unwrap_or(&finding.flag);
            let scheduled = self.flags.was_scheduled(changed, finding.changed_at);
            let told = found(now, &finding, &held, scheduled);
            match (held, finding.action) {
                // The trail already has a plan that was held, or harm that was told.
                (NoActionReason::Cooldown(until), Action::Rollback) => {
                    self.record_cooling(&store, finding, until, problems);
                }
                (
                    NoActionReason::Unwatched
                    | NoActionReason::Together(_)
                    | NoActionReason::Stopped(_)
                    | NoActionReason::Paused(_)
                    | NoActionReason::After(_)
                    | NoActionReason::Unresolved(_),
                    _,
                ) => {
                    let of = (Some(finding.flag.as_str()), Some(&finding));
                    let before = self.recorded.get(&finding.flag);
                    let again = before
                        .is_none_or(|(until, changed_at)| *until <= now || *changed_at != finding.changed_at);
                    if again && self.record(&store, NoticeKind::LeftOn, of, &told.text, problems) {
                        self.recorded.insert(finding.flag.clone(), (now + LEFT_ON_AGAIN, finding.changed_at));
                    }
                }
                _ => {}
            }
            events.push(told);
        }
        let acted = match decision.act {
            Some(finding) => self.act(&store, finding, now, events, problems),
            None => Ok(()),
        };
        self.end_unable(&store, problems);
        self.keep(&counts, epoch, now, problems);
        acted
    }

    /// Records the end of harm that could not be stopped. What was done since, as a kill, ends with that.
    fn end_unable(&mut self, store: &Store, problems: &mut BTreeSet<String>) {
        let found = |flag: &str| {
            self.guard.standings().any(|(key, standing)| key == flag && standing.finding.is_some())
        };
        let sees = matches!(self.state, State::Watching(_));
        let mut unable = std::mem::take(&mut self.unable);
        unable.retain(|flag, unable| {
            let watched = self.flags.all().any(|(key, watch)| key == flag && watch.policy.is_some());
            unable.well = match (found(flag), sees) {
                (true, _) => 0,
                (false, sees) => unable.well + u32::from(sees),
            };
            let over = match watched {
                _ if self.flags.is_killed(flag) => return false,
                true if unable.well < WELL_LOOKS => return true,
                true => "nothing was found for five minutes",
                false => "the guard no longer watches the flag",
            };
            !self.record(store, NoticeKind::HarmOver, (Some(flag), None), over, problems)
        });
        self.unable = unable;
    }

    /// Workers answer from a store that an empty one replaced. What they ask is not known here.
    fn unpublished(&self, store: &Store, counts: &Counts) -> Option<Blindness> {
        // The first publish may have been made since the flags were read.
        let is_empty = self.flags.generation() == 0 && store.generation().is_ok_and(|current| current == 0);
        let answers = counts.workers.iter().map(|worker| worker.generation).max()?;
        (is_empty && answers > 0).then_some(Blindness::Unpublished(answers))
    }

    /// Reads the counters. If the configuration cannot be read, the users that it named before are believed.
    fn counts(&mut self, store: &Store, now: i64, problems: &mut BTreeSet<String>) -> Result<Counts, String> {
        match store.believed() {
            Ok(believed) => (self.believed, self.misconfigured) = (Some(believed), None),
            Err(error) if self.believed.is_some() => {
                let problem = format!(
                    "{error}; the guard goes on with the users that were believed before, and plans wait"
                );
                problems.insert(problem.clone());
                self.misconfigured = Some(problem);
            }
            Err(error) => return Err(error.to_string()),
        }
        let Some(believed) = &self.believed else { return Ok(Counts::default()) };
        believed_counts(store, believed, &self.memory, now).map_err(|error| error.to_string())
    }

    /// Notes that nothing of the store or its counters can be read.
    fn see_nothing(&mut self, store: Option<&Store>, why: String, now: i64, problems: &mut BTreeSet<String>) {
        let blindness = Blindness::Unreadable(why);
        self.see(Some(&blindness), now, problems);
        if let Some(store) = store {
            self.record_blindness(store, Some(&blindness), now, problems);
        }
        self.sources.lost();
        self.keep(&Counts::default(), 0, now, problems);
    }

    /// Sets the state by the blindness found; a guard that can change nothing stays helpless.
    fn see(&mut self, blindness: Option<&Blindness>, now: i64, problems: &mut BTreeSet<String>) {
        match (blindness, &self.state) {
            (_, State::Helpless(_)) => {}
            (Some(blindness), _) => {
                self.state = State::Blind(blindness.clone());
                self.began = 0;
                problems.insert(match blindness {
                    Blindness::Full(_) | Blindness::NoRoom(_) => {
                        format!("not everything is watched: {blindness}")
                    }
                    Blindness::Stuck { .. } => blindness.to_string(),
                    _ => format!("nothing is watched: {blindness}"),
                });
            }
            (None, State::Watching(_)) => {}
            (None, _) => {
                self.began = now;
                self.state = State::Watching(now);
            }
        }
    }

    /// True if the store there now is the watched one.
    fn is_of(&self, store: &Store) -> Result<bool, StoreError> {
        let same_head = self.head.as_ref().map_or(Ok(true), |head| head.is_of(store))?;
        Ok(same_head && self.lock.as_ref().map_or(Ok(true), |lock| lock.is_of(store))?)
    }

    /// Begins again with the store that is there now: the guard's memory of the other one is not true of it.
    fn forget_store(&mut self) {
        (self.lock, self.head) = (None, None);
        self.outage = self.guard.outage();
        (self.replaced, self.resumed) = (true, false);
        (self.guard, self.hangs) = (Guard::new(), Hangs::new());
        self.compared.clear();
        (self.state, self.began, self.believed) = (State::Beginning, 0, None);
        (self.orders, self.paused_until) = (Orders::default(), 0);
        (self.last, self.kept) = (GuardState::default(), (0, Vec::new()));
        self.recorded.clear();
        self.unable.clear();
        self.blind = self.blind.map(|(since, _)| (since, false));
        self.flags.read_again();
    }

    /// Ends the cooldowns of acts that a restored store lacks. Acts on this head's own file count although the trail may lack them.
    fn forget_lost_acts(&self, store: &Store, memory: &mut GuardState) -> Result<(), StoreError> {
        let (acts, made) = (store.last_guard_acts()?, store.head_made()?);
        for (key, policy) in self.flags.all().filter_map(|(key, flag)| Some((key, flag.policy.as_ref()?))) {
            let Some(kept) = memory.flags.get_mut(key) else { continue };
            let own = |until: i64| until.saturating_sub(policy.cooldown) >= made.unwrap_or(i64::MIN);
            if self.replaced || !kept.cooldown.is_none_or(own) {
                let lasts = |at: &i64| at.saturating_add(policy.cooldown);
                kept.cooldown =
                    kept.cooldown.zip(acts.get(key).map(lasts)).map(|(until, end)| until.min(end));
            }
        }
        Ok(())
    }

    /// Does what people ordered. Returns true if a pause may have ended by time, during the watch or before it.
    fn obey(&mut self, orders: Orders, now: i64, events: &mut Vec<GuardEvent>) -> bool {
        let before = std::mem::replace(&mut self.orders, orders);
        let pause = orders.pause(now).unwrap_or(0);
        let over = pause == 0
            && orders.paused_until != 0
            && (self.paused_until != 0 || before.paused_until != orders.paused_until);
        if std::mem::replace(&mut self.paused_until, pause) != pause {
            self.guard.pause((pause != 0).then_some(pause));
            let until = display::at(orders.paused_until);
            let (kind, text) = match pause {
                0 if orders.paused_until > now => (
                    "resumed",
                    format!(
                        "the pause until {until} was ordered by a clock that is wrong, so it is over: the guard goes on"
                    ),
                ),
                0 if orders.paused_until == before.paused_until => {
                    ("resumed", "the pause is over: the guard goes on".to_owned())
                }
                0 => ("resumed", "a person ended the pause: the guard goes on".to_owned()),
                _ => ("paused", format!("paused until {until}: nothing is done, and plans wait")),
            };
            events.push(event(now, kind, None, text));
        }
        if orders == before {
            return over;
        }
        // The order is for what was stopped before it; a guard that starts reads older orders as well.
        if self.guard.stopped().is_some_and(|since| since <= orders.resumed_at) {
            self.guard.resume();
            events.push(event(now, "resumed", None, "acts on limits go on".to_owned()));
        }
        over
    }

    /// Records that a pause ended by time, if the trail does not tell its end.
    fn record_pause_over(&self, store: &Store, problems: &mut BTreeSet<String>) {
        if self.lock.is_some() && store.is_pause_open().unwrap_or(false) {
            let text = "nobody resumed it: its time is over";
            self.record(store, NoticeKind::PauseOver, (None, None), text, problems);
        }
    }

    /// Writes the memory that plans and the next guard go by: at intervals, and at once if the guard's own state has changed.
    fn keep(&mut self, counts: &Counts, epoch: u64, now: i64, problems: &mut BTreeSet<String>) {
        let Some(lock) = &self.lock else { return };
        let samples = samples(&self.flags, counts, epoch, now, None);
        let told = samples.iter().map(|sample| {
            let verdict = self.guard.verdict(sample.flag, sample.policy);
            (sample.flag.to_owned(), discriminant(&verdict), sample.reading.changed_at)
        });
        let told: Vec<_> = told.collect();
        let blindness = match &self.state {
            State::Blind(blindness) => Some(blindness.clone()),
            _ => None,
        };
        let helpless = match &self.state {
            State::Helpless(why) => Some(why.clone()),
            _ => None,
        };
        let changed = blindness != self.last.blindness
            || helpless != self.last.helpless
            || self.misconfigured != self.last.misconfigured
            || self.began != self.last.began
            || self.paused_until != self.last.paused_until
            || self.guard.outage().is_some() != self.last.outage.is_some()
            || self.guard.looks_after() != self.last.after.is_some()
            || self.guard.stopped() != self.last.stopped;
        let pause = if told == self.kept.1 { STATE_INTERVAL_MICROS } else { KEEP_SOON };
        if !changed && now.abs_diff(self.kept.0) < pause {
            return;
        }
        let off = self.flags.all().filter(|(_, flag)| flag.policy.is_none());
        let memory = GuardState {
            unwatched: off.map(|(key, _)| key.to_owned()).collect(),
            blindness,
            helpless,
            misconfigured: self.misconfigured.clone(),
            began: self.began,
            starts: self.starts.clone(),
            paused_until: self.paused_until,
            by: format!("process {} on {}", std::process::id(), Actor::current().host),
            ..self.guard.memory(now, &samples)
        };
        match lock.keep(&memory) {
            Ok(()) => {
                self.kept = (now, told);
                self.last = memory;
            }
            Err(error) => _ = problems.insert(format!("{error}; a guard that is started anew begins anew")),
        }
    }

    /// Writes a notice into the trail, from where webhooks have it. False: nothing was written.
    fn record(
        &self,
        store: &Store,
        kind: NoticeKind,
        (flag, finding): (Option<&str>, Option<&Finding>),
        text: &str,
        problems: &mut BTreeSet<String>,
    ) -> bool {
        self.record_since(store, kind, (flag, finding, None), text, problems)
    }

    /// As [`record`](Self::record), with the beginning of the harm, in microseconds since 1970.
    fn record_since(
        &self,
        store: &Store,
        kind: NoticeKind,
        (flag, finding, since): (Option<&str>, Option<&Finding>, Option<i64>),
        text: &str,
        problems: &mut BTreeSet<String>,
    ) -> bool {
        if self.dry {
            return false;
        }
        let reason = Some(text.to_owned());
        let change = Change { actor: Actor::named(Some("guard")), reason, base: None };
        match store.guard_notice(kind, flag, (finding, since), &change) {
            Ok(recorded) => {
                problems.extend(recorded.audit_warning);
                true
            }
            Err(error) => {
                problems.insert(format!("what the guard tells could not be recorded: {error}"));
                false
            }
        }
    }

    /// Records that a guard watches again, if the trail says that none did. A recorded blindness is carried on.
    fn record_return(&mut self, store: &Store, problems: &mut BTreeSet<String>) {
        let Some(told) = self.lock.is_some().then(|| store.last_notices().ok()).flatten() else { return };
        let last = |notice| told.get(&(notice, None)).map(|noted| noted.seq);
        if last(NoticeKind::Dead) > last(NoticeKind::Returned) {
            let text = "plans go by what it sees again, after a minute";
            self.record(store, NoticeKind::Returned, (None, None), text, problems);
        }
        if let Some(blind) = told.get(&(NoticeKind::Blind, None))
            && Some(blind.seq) > last(NoticeKind::Sees)
        {
            self.blind.get_or_insert((blind.at, true));
        }
        let unable = store.unstopped_harm().unwrap_or_default();
        let kept = |(flag, at): (String, i64)| (flag, Unable { until: at + LEFT_ON_AGAIN, well: 0 });
        self.unable = unable.into_iter().map(kept).collect();
    }

    /// Records a blindness once it has lasted, and its end.
    fn record_blindness(
        &mut self,
        store: &Store,
        blindness: Option<&Blindness>,
        now: i64,
        problems: &mut BTreeSet<String>,
    ) {
        match (blindness, self.blind) {
            (Some(why), Some((since, false)))
                if now - since >= BLIND_FOR || matches!(why, Blindness::Stuck { .. }) =>
            {
                let text = format!(
                    "the guard sees nothing since {}: {why}{}",
                    display::at(since),
                    self.unwatched(now)
                );
                let recorded = self.record(store, NoticeKind::Blind, (None, None), &text, problems);
                self.blind = Some((since, recorded));
            }
            (None, Some((since, recorded))) => {
                self.blind = None;
                if recorded {
                    let text = format!("the guard sees again what it did not since {}", display::at(since));
                    self.record(store, NoticeKind::Sees, (None, None), &text, problems);
                }
            }
            (Some(_), None) => self.blind = Some((now, false)),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// Counts the flags and plans that go unwatched while the guard sees nothing, as the end of a sentence.
    fn unwatched(&self, now: i64) -> String {
        let (mut plans, mut changed) = (0, 0);
        for (key, flag) in self.flags.all() {
            let Some(policy) = &flag.policy else { continue };
            let since = self.flags.last_change(key, now).map(|change| now.saturating_sub(change.at));
            plans += u64::from(flag.stage.is_some());
            changed += u64::from(since.is_some_and(|since| since < policy.watch));
        }
        match (plans, changed) {
            (0, 0) => String::new(),
            _ => format!(
                "; nobody watches {} that changed lately, and {} in their stage",
                display::counted(changed, "flag"),
                display::counted(plans, "plan")
            ),
        }
    }

    /// Writes harm that a cooldown leaves alone into the trail, from where webhooks have it; once after each change of the flag.
    fn record_cooling(
        &mut self,
        store: &Store,
        finding: Finding,
        until: i64,
        problems: &mut BTreeSet<String>,
    ) {
        let known = (until, finding.changed_at);
        if self.dry || self.recorded.insert(finding.flag.clone(), known) == Some(known) {
            return;
        }
        let told = Finding { action: Action::Notify, ..finding };
        let why = left_alone(&NoActionReason::Cooldown(until));
        let reason = Some(format!("{told}; nothing is done: {why}"));
        let change = Change { actor: Actor::named(Some("guard")), reason, base: None };
        match store.guard(&told, &change) {
            Ok(acted) => problems.extend(acted.audit_warning),
            Err(error) => {
                self.recorded.remove(&told.flag);
                problems.insert(format!("{} does harm, and that could not be recorded: {error}", told.flag));
            }
        }
    }

    /// Carries out a decision. Only an act that was made is recorded as one: any other is decided anew at the next look.
    fn act(
        &mut self,
        store: &Store,
        finding: Finding,
        now: i64,
        events: &mut Vec<GuardEvent>,
        problems: &mut BTreeSet<String>,
    ) -> Result<(), String> {
        let flag = finding.flag.clone();
        let name = display::plain(&flag).into_owned();
        if self.dry {
            self.record_act(&finding, now);
            let would = match finding.action {
                Action::Rollback => "would be taken back",
                Action::Hold => "its plan would be held",
                Action::Notify => "would be told of",
            };
            let text = format!("{name}: {would}, nothing was changed: {finding}");
            events.push(GuardEvent { finding: Some(finding), ..event(now, "would", Some(flag), text) });
            return Ok(());
        }
        let change =
            Change { actor: Actor::named(Some("guard")), reason: None, base: Some(self.flags.generation()) };
        match store.guard(&finding, &change) {
            Ok(acted) => {
                self.unable.remove(&flag);
                match acted.took {
                    ActionTaken::Nothing => {}
                    // The stage before may be as bad, so the watch goes on.
                    ActionTaken::Back(_) => {
                        self.record_act(&finding, now);
                        self.guard.end_cooldown(&flag);
                    }
                    ActionTaken::Killed | ActionTaken::Held | ActionTaken::Told => {
                        self.record_act(&finding, now);
                    }
                }
                events.extend(events_of(now, &name, &finding, &acted));
                Ok(())
            }
            // The next look reads the newer generation.
            Err(StoreError::Stale { .. }) => Ok(()),
            Err(error) => {
                self.guard.record_failure(&finding);
                let what = match error.is_partial() {
                    true => "it is not sure that it is off",
                    false => "nothing could be done",
                };
                let why = format!("{name} does harm, and {what}: {error}; tried again each second");
                if self.unable.get(&flag).is_none_or(|unable| unable.until <= now) {
                    let (of, text) = ((Some(flag.as_str()), Some(&finding)), format!("{why}: {finding}"));
                    if self.record(store, NoticeKind::Unable, of, &text, problems) {
                        self.unable.insert(flag, Unable { until: now + LEFT_ON_AGAIN, well: 0 });
                    }
                }
                Err(why)
            }
        }
    }

    /// Has the guard record an act, and its memory written down at once.
    fn record_act(&mut self, finding: &Finding, now: i64) {
        let policy = self.flags.all().find(|(key, _)| *key == finding.flag);
        if let Some(policy) = policy.and_then(|(_, flag)| flag.policy.as_ref()) {
            self.guard.record_act(now, finding, policy);
        }
        self.kept.0 = 0;
    }
}

/// The recent starts of guards, with this one's if it watches.
fn started(before: &[i64], now: i64, watches: bool) -> Vec<i64> {
    let recent = before.iter().copied().filter(|at| (0..RESTART_WINDOW).contains(&now.saturating_sub(*at)));
    let mut starts: Vec<i64> = recent.collect();
    starts.extend(watches.then_some(now));
    starts.drain(..starts.len().saturating_sub(KEPT_STARTS));
    starts
}

/// One sample of each watched flag with its counters.
fn samples<'a>(
    flags: &'a Flags,
    counts: &'a Counts,
    epoch: u64,
    now: i64,
    hangs: Option<&'a Hangs>,
) -> Vec<Sample<'a>> {
    static NOTHING: std::sync::LazyLock<Exposure> = std::sync::LazyLock::new(Exposure::default);
    let sample = |(key, flag): (&'a str, &'a flags::Watch)| {
        let policy = flag.policy.as_ref()?;
        let exposure = counts.flag(key).map_or(&*NOTHING, |counted| &counted.exposure);
        let change = flags.last_change(key, now)?;
        let hung = hangs.and_then(|hangs| hangs.found(Counts::flag_hash(key)));
        let earlier = hangs.and_then(|hangs| hangs.earlier(Counts::flag_hash(key)));
        let unnamed = counts.flag(key).map_or(0.0, FlagCounts::unnamed_share);
        let reading = Reading {
            chosen: flag.is_chosen(now),
            hung,
            earlier,
            unnamed,
            ..Reading::new(now, epoch, change.at, exposure)
        };
        let killed = flags.is_killed(key);
        let stage = flag.stage.filter(|_| !killed);
        let (protection, through) = (flag.protection, change.through);
        let stopped = flags.is_stopped();
        Some(Sample { stage, protection, through, killed, stopped, ..Sample::new(key, reading, policy) })
    };
    flags.all().filter_map(sample).collect()
}

fn events_of(now: i64, name: &str, finding: &Finding, acted: &GuardOutcome) -> Vec<GuardEvent> {
    let (kind, what) = match acted.took {
        ActionTaken::Killed => {
            let typed = display::argument(&finding.flag);
            ("killed", format!("{name} is killed, until `flagstone revive {typed}`"))
        }
        ActionTaken::Nothing => ("note", format!("{name} was killed already")),
        ActionTaken::Back(stage) => {
            ("back", format!("{name} is back in stage {stage} of its plan, which is held"))
        }
        ActionTaken::Held => ("held", format!("the plan of {name} is held")),
        ActionTaken::Told if finding.protection.is_some() => {
            ("told", format!("{name} does harm, and is left on"))
        }
        ActionTaken::Told => ("told", format!("{name} does harm")),
    };
    let of = |text| {
        let flag = Some(finding.flag.clone());
        GuardEvent { finding: Some(finding.clone()), ..event(now, kind, flag, text) }
    };
    let also = dependents_text(&acted.dependents).map_or(String::new(), |text| format!("; {text}"));
    let mut events = vec![of(format!("{what}: {finding}{also}"))];
    let more = acted.instead.iter().map(|why| format!("killed, since its plan could not go back: {why}"));
    for text in more.chain(acted.audit_warning.clone()) {
        events.push(event(now, "problem", Some(finding.flag.clone()), text));
    }
    events
}

fn found(now: i64, finding: &Finding, held: &NoActionReason, scheduled: bool) -> GuardEvent {
    let why = match held {
        NoActionReason::Together(others) if scheduled => format!(
            "its schedule changed it when those of {} did, and the requests do not tell them apart",
            display::some(others.iter(), 3)
        ),
        NoActionReason::Cooldown(until) if finding.action == Action::Notify => {
            format!("it was told lately, and is told again after {} if it goes on", display::at(*until))
        }
        held => left_alone(held),
    };
    let why = match held {
        NoActionReason::Together(_) => {
            format!("{why}; `flagstone kill {}` turns it off", display::argument(&finding.flag))
        }
        _ => why,
    };
    let text = format!("{}: {finding}; nothing is done: {why}", display::plain(&finding.flag));
    GuardEvent { finding: Some(finding.clone()), ..event(now, "found", Some(finding.flag.clone()), text) }
}

/// The reason for leaving a finding alone, in a clause.
fn left_alone(held: &NoActionReason) -> String {
    match held {
        NoActionReason::Later(other) => {
            format!("{} was changed later and comes first", display::plain(other))
        }
        NoActionReason::Cooldown(until) => {
            format!("it was acted on lately, and is left alone until {}", display::at(*until))
        }
        NoActionReason::Unwatched => "it was not changed for long, so that it is not suspected".to_owned(),
        NoActionReason::Everywhere => {
            "requests that did not ask it are as badly off, or are too few to tell".to_owned()
        }
        NoActionReason::Together(others) => format!(
            "one publish changed it and {}, and the requests do not tell them apart",
            display::some(others.iter(), 3)
        ),
        NoActionReason::After(flag) => {
            format!("it is looked at first whether turning {} off helped", display::plain(flag))
        }
        NoActionReason::Unresolved(flag) => format!(
            "nobody knows whether turning {} off helped, and requests have not been well for five minutes since",
            display::plain(flag)
        ),
        NoActionReason::Stopped(since) => format!(
            "acts on limits have stopped since {}, because the last did not help; `flagstone guard resume` lets them go on",
            display::at(*since)
        ),
        NoActionReason::Paused(until) => format!("the guard is paused until {}", display::at(*until)),
    }
}

/// Changes in the hour before an outage, the newest first, with the time between; steps of schedules are changes too.
fn suspects(store: &Store, flags: &Flags, since: i64, now: i64) -> String {
    const HOUR: i64 = 3_600_000_000;
    let hour = since.saturating_sub(HOUR);
    let mut changes = store.changes_since(hour, now).unwrap_or_default();
    let steps = flags.scheduled(hour, now).into_iter();
    changes.extend(steps.map(|(at, key)| (at, format!("a step of the schedule of {key}"))));
    // The changes of the trail stay in its order.
    changes.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let before = |(at, text): &(i64, String)| match display::seconds_to_harm(*at, since) {
        0 => format!("{} about when it began", display::plain(text)),
        seconds @ 1.. => format!("{} {seconds} s before", display::plain(text)),
        seconds => format!("{} {} s after it began", display::plain(text), -seconds),
    };
    match changes.is_empty() {
        true => ". Nothing was changed here in the hour before".to_owned(),
        false => format!(". Changed in the hour before: {}", display::some(changes.iter().map(before), 5)),
    }
}

/// The kind of a notice, for the trail.
fn kind(notice: &Notice) -> NoticeKind {
    match notice {
        Notice::Outcome { outcome: Outcome::Helped, .. } => NoticeKind::Helped,
        Notice::Outcome { outcome: Outcome::Worse, .. } => NoticeKind::Worse,
        Notice::Outcome { outcome: Outcome::NotYet, .. } => NoticeKind::NotYet,
        Notice::Outcome { outcome: Outcome::CannotTell(_), .. } => NoticeKind::CannotTell,
        Notice::Stopped => NoticeKind::Stopped,
        Notice::Rearmed => NoticeKind::Resumed,
        Notice::Outage { .. } => NoticeKind::Outage,
        Notice::OutageOver { .. } => NoticeKind::OutageOver,
        Notice::Pilots { .. } => NoticeKind::Pilots,
    }
}

/// The event of a notice.
fn noticed(now: i64, notice: &Notice) -> GuardEvent {
    let (kind, flag, text) = match notice {
        Notice::Outcome { flag, outcome, on } => {
            let name = display::plain(flag);
            let text = match outcome {
                Outcome::Helped => format!(
                    "turning {name} off helped: its requests fail no more, or half as often; {} of {} with it on were harmed before",
                    on.hits, on.requests
                ),
                Outcome::Worse => format!(
                    "`flagstone revive {}`: turning {name} off made it worse, twice as many of its requests fail",
                    display::argument(flag)
                ),
                Outcome::NotYet => {
                    format!("turning {name} off has not helped within five minutes")
                }
                Outcome::CannotTell(doubt) => {
                    format!("whether turning {name} off helped cannot be told: {}", doubted(*doubt))
                }
            };
            ("outcome", Some(flag), text)
        }
        Notice::Stopped => (
            "stopped",
            None,
            "no flag is turned off on limits alone any more, because the last time did not help; flags with an off-cohort are \
             judged as before. It goes on after six quiet hours, or with `flagstone guard resume`"
                .to_owned(),
        ),
        Notice::Rearmed => ("resumed", None, "six hours were quiet: acts on limits go on".to_owned()),
        Notice::Outage { trouble, since, suspected } => {
            let what = trouble.map_or_else(
                || "requests fail or are slow".to_owned(),
                |trouble| {
                    let verb = if trouble.harm == Harm::Errors { "failed" } else { "were slow" };
                    format!("{:.1} % of {} requests {verb}", trouble.all.rate() * 100.0, trouble.all.requests)
                },
            );
            let blame = match suspected.is_empty() {
                true => "no flag is to blame so far".to_owned(),
                false => format!(
                    "evidence speaks against {}, as `flagstone guard status` shows",
                    display::some(suspected.iter().map(|flag| display::plain(flag)), 3)
                ),
            };
            let text = format!("{what} since {}, and {blame}: nothing was turned off", display::at(*since));
            ("outage", None, text)
        }
        Notice::OutageOver { since, until, harm, all } => {
            let minutes = until.saturating_sub(*since) / 60_000_000;
            let verb = if *harm == Harm::Errors { "failed" } else { "were slow" };
            let harmed = all.map(|all| format!("; {} of {} requests {verb}", all.hits, all.requests));
            let text = format!(
                "requests are well again: the outage lasted from {} to {}, {}{}",
                display::at(*since),
                display::at(*until),
                display::counted(minutes.unsigned_abs(), "minute"),
                harmed.unwrap_or_default()
            );
            ("over", None, text)
        }
        Notice::Pilots { flag, why } => ("pilots", Some(flag), format!("{}: {why}", display::plain(flag))),
    };
    event(now, kind, flag.cloned(), text)
}

/// The doubt whether an act helped, in a clause.
fn doubted(doubt: Doubt) -> String {
    match doubt {
        Doubt::Late(seconds) => format!(
            "its requests fail no more, but only {seconds} s after it was turned off; a backlog that drained and an outage that \
             ended look the same"
        ),
        Doubt::ControlsFell => "requests that did not ask it fail less often as well".to_owned(),
        Doubt::NoControls => "every request asked it, so that there was nothing to compare with".to_owned(),
        Doubt::Gate => "off is another page, and a 404 is no error".to_owned(),
        Doubt::NoTraffic => "too few requests came afterwards".to_owned(),
    }
}

fn event(now: i64, event: &'static str, flag: Option<String>, text: String) -> GuardEvent {
    GuardEvent { at: display::at(now), event, flag, text, finding: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_store::TestStore;
    use flagstone::guard::{Protection, Share};
    use flagstone::store::{Reader, ReaderOptions};
    use flagstone::telemetry::Recorder;
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_guard_that_sees_nothing_for_two_minutes_is_told_of_once() {
        let store = TestStore::make("guarding");
        let memory = store.path().join("memory");
        let definitions = r#"{"flags": {"a": {"enabled": true}, "b": {"enabled": true, "guard": false}, "search": {"enabled": true,
            "rollout": {"percentage": 1}, "plan": {"stages": [{"percentage": 1, "soak": "1h"}, {"percentage": 100}]}}}}"#;
        store.open().publish(&serde_json::from_str(definitions).unwrap(), change()).unwrap();
        let mut dry = Watcher::new(store.path(), &memory, true);
        let mut guard = Watcher::new(store.path(), &memory, false);
        let begin = flagstone::time::now();
        for second in [0, 60, 119] {
            guard.look(begin + second * SECOND);
            dry.look(begin + second * SECOND);
        }
        assert_eq!(store.told(), []);
        for second in [121, 180, 600] {
            guard.look(begin + second * SECOND);
            dry.look(begin + second * SECOND);
        }
        let told = store.told();
        assert_eq!(told.len(), 1, "{told:?}");
        let (notice, why) = &told[0];
        assert_eq!(*notice, NoticeKind::Blind);
        assert!(why.starts_with(&format!("the guard sees nothing since {}: ", display::at(begin))), "{why}");
        assert!(
            why.ends_with("; nobody watches 2 flags that changed lately, and 0 plans in their stage"),
            "{why}"
        );
    }

    /// A worker that counts for the store for as long as this lives.
    fn worker(store: &Store, memory: &Path) -> Recorder {
        std::fs::create_dir(memory).unwrap();
        let reader = Reader::open(store.directory(), ReaderOptions::default()).unwrap();
        let snapshot = reader.view().snapshot.clone().unwrap();
        Recorder::open(memory, store.directory(), &snapshot, flagstone::time::now()).expect("a recorder")
    }

    fn change() -> Change {
        Change { actor: Actor::named(Some("alice")), reason: None, base: None }
    }

    /// A store with a flag, the directory of its counters, and a worker that counts there.
    fn published(test: &TestStore) -> (Store, PathBuf, Recorder) {
        let (store, memory) = (test.open(), test.path().join("memory"));
        let definitions = serde_json::from_str(r#"{"flags": {"a": {"enabled": true}}}"#).unwrap();
        store.publish(&definitions, change()).unwrap();
        let worker = worker(&store, &memory);
        (store, memory, worker)
    }

    /// A pause that was ordered while the clock was a day ahead paused the guard for a day and eight hours.
    #[test]
    fn a_pause_that_a_wrong_clock_ordered_is_none() {
        let test = TestStore::make("paused");
        let (store, memory, _worker) = published(&test);
        let (now, day) = (flagstone::time::now(), 24 * 3600 * SECOND);
        let until = now + day + Orders::LONGEST_PAUSE;
        let _ = store.pause_guard(until, &change()).unwrap();
        let mut guard = Watcher::new(test.path(), &memory, false);
        let texts = |events: &[GuardEvent]| {
            let orders = events.iter().filter(|event| event.event != "note");
            orders.map(|event| event.text.clone()).collect::<Vec<_>>()
        };
        assert_eq!(texts(&guard.look(now)), [""; 0]);
        assert_eq!(GuardReport::of(&store, now).state, "watching");
        // The clock is ahead again, and then right.
        let paused = format!("paused until {}: nothing is done, and plans wait", display::at(until));
        assert_eq!(texts(&guard.look(now + day)), std::slice::from_ref(&paused));
        assert_eq!(GuardReport::of(&store, now + day).state, "paused");
        let over = format!(
            "the pause until {} was ordered by a clock that is wrong, so it is over: the guard goes on",
            display::at(until)
        );
        assert_eq!(texts(&guard.look(now + SECOND)), [over]);
        assert_eq!(GuardReport::of(&store, now + SECOND).state, "watching");
        assert_eq!(texts(&guard.look(now + day + SECOND)), [paused]);
        assert_eq!(texts(&guard.look(until)), ["the pause is over: the guard goes on"]);
        let told: Vec<NoticeKind> = test.told().into_iter().map(|(notice, _)| notice).collect();
        assert_eq!(told.iter().filter(|told| **told == NoticeKind::PauseOver).count(), 1, "{told:?}");
    }

    // A notice made the kill again that an older head lacked, and the guard's log did not say so.
    #[test]
    fn a_guard_whose_notice_makes_a_kill_again_says_so() {
        let test = TestStore::make("made-again");
        let (store, memory, _worker) = published(&test);
        let now = flagstone::time::now();
        let _ = store.pause_guard(now + 60 * SECOND, &change()).unwrap();
        let mut guard = Watcher::new(test.path(), &memory, false);
        guard.look(now);
        let (head, older) = (test.path().join("head"), std::fs::read(test.path().join("head")).unwrap());
        store.kill("other", change()).unwrap();
        File::options().write(true).open(head).unwrap().write_all_at(&older, 0).unwrap();
        let told = format!("{:?}", guard.look(now + 60 * SECOND));
        assert!(told.contains("made again by the audit trail: the kill of other"), "{told}");
        let told = format!("{:?}", guard.look(now + 61 * SECOND));
        assert!(!told.contains("made again"), "{told}");
    }

    /// The end of a pause by time was not recorded, so that its incident stayed open.
    #[test]
    fn a_pause_that_ends_by_time_is_told_by_whichever_guard_watches_then() {
        let test = TestStore::make("pause-over");
        let (store, memory, _worker) = published(&test);
        let now = flagstone::time::now();
        let overs = || test.told().iter().filter(|(told, _)| *told == NoticeKind::PauseOver).count();
        let mut guard = Watcher::new(test.path(), &memory, false);
        let _ = store.pause_guard(now + 60 * SECOND, &change()).unwrap();
        guard.look(now);
        assert_eq!(overs(), 0);
        guard.look(now + 60 * SECOND);
        guard.look(now + 61 * SECOND);
        assert_eq!(overs(), 1);
        // A person resumes, and another guard finds a pause over.
        let _ = store.pause_guard(now + 120 * SECOND, &change()).unwrap();
        guard.look(now + 70 * SECOND);
        let _ = store.resume_guard(&change()).unwrap();
        guard.look(now + 71 * SECOND);
        assert_eq!(overs(), 1);
        let _ = store.pause_guard(now + 120 * SECOND, &change()).unwrap();
        guard.look(now + 72 * SECOND);
        drop(guard);
        for second in [130, 131] {
            Watcher::new(test.path(), &memory, false).look(now + second * SECOND);
        }
        assert_eq!(overs(), 2);
    }

    /// It looked at nothing, and was shown as watching.
    #[test]
    fn a_guard_goes_on_where_its_configuration_breaks_and_says_so() {
        let test = TestStore::make("misconfigured");
        let (store, memory) = (test.open(), test.path().join("memory"));
        let definitions = r#"{"flags": {"search": {"enabled": true, "rollout": {"percentage": 1},
            "plan": {"stages": [{"percentage": 1, "soak": "1h"}, {"percentage": 100}]}}}}"#;
        store.publish(&serde_json::from_str(definitions).unwrap(), change()).unwrap();
        let _worker = worker(&store, &memory);
        let config = test.path().join("config.json");
        let definitions = store.definitions(1).unwrap();
        let waits = |now: i64| match store.verdicts(now).of("search", &definitions.flags["search"], now) {
            Verdict::Wait(why) => why,
            verdict => panic!("{verdict:?}"),
        };
        let mut guard = Watcher::new(test.path(), &memory, false);
        let begin = flagstone::time::now();
        guard.look(begin);
        assert_eq!(guard.state(), &State::Watching(begin));
        std::fs::write(&config, r#"{"retained_mib": 100,}"#).unwrap();
        let told = guard.look(begin + SECOND);
        assert!(told.iter().any(|event| event.text.contains("config.json")), "{told:?}");
        assert_eq!(guard.state(), &State::Watching(begin));
        let problem = GuardReport::of(&store, begin + SECOND).problem.expect("it is said");
        assert!(problem.contains("config.json") && problem.contains("believed before"), "{problem}");
        assert!(waits(begin + 120 * SECOND).contains("config.json"));
        // The next guard believes no user.
        guard.end(begin + 2 * SECOND);
        drop(guard);
        let mut guard = Watcher::new(test.path(), &memory, false);
        guard.look(begin + 3 * SECOND);
        assert!(matches!(guard.state(), State::Blind(Blindness::Unreadable(_))), "{:?}", guard.state());
        let report = GuardReport::of(&store, begin + 3 * SECOND);
        assert_eq!((report.state, report.since), ("blind", None));
        assert!(report.problem.is_some_and(|problem| problem.contains("config.json")));
        assert!(waits(begin + 3 * SECOND).contains("config.json"));
        std::fs::remove_file(&config).unwrap();
        guard.look(begin + 4 * SECOND);
        let report = GuardReport::of(&store, begin + 4 * SECOND);
        assert_eq!((report.state, report.since), ("watching", Some(begin + 4 * SECOND)));
        assert_eq!(report.problem, None);
    }

    /// It was shown as watching since 1970.
    #[test]
    fn a_guard_that_can_take_nothing_back_is_not_shown_as_watching() {
        let test = TestStore::make("helpless");
        let (store, memory) = (test.open(), test.path().join("memory"));
        let definitions = serde_json::from_str(r#"{"flags": {"search": {"enabled": true}}}"#).unwrap();
        let change = Change { actor: Actor::named(Some("alice")), reason: None, base: None };
        store.publish(&definitions, change).unwrap();
        let _worker = worker(&store, &memory);
        let mut guard = Watcher::new(test.path(), &memory, false);
        let now = flagstone::time::now();
        guard.look(now);
        (guard.state, guard.began) = (State::Helpless("the head is immutable".to_owned()), 0);
        guard.keep(&Counts::default(), 0, now + SECOND, &mut BTreeSet::new());
        let report = GuardReport::of(&store, now + SECOND);
        assert_eq!((report.state, report.since), ("helpless", None));
        let summary = report.summary(now + SECOND);
        assert_eq!(summary.as_deref(), Some("the guard can take nothing back: the head is immutable"));
        let definitions = store.definitions(1).unwrap();
        let verdict = store.verdicts(now).of("search", &definitions.flags["search"], now + 120 * SECOND);
        assert!(matches!(&verdict, Verdict::Wait(why) if why.contains("immutable")), "{verdict:?}");
        guard.look(now + 2 * SECOND);
        assert_eq!(GuardReport::of(&store, now + 2 * SECOND).since, Some(now + 2 * SECOND));
    }

    #[test]
    fn an_outage_is_told_with_what_was_changed_in_the_hour_before_and_by_how_much() {
        let test = TestStore::make("suspects");
        let store = test.open();
        let change = |reason: &str| {
            let actor = Actor::named(Some("alice"));
            Change { actor, reason: Some(reason.to_owned()), base: None }
        };
        let definitions = serde_json::from_str(r#"{"flags": {"checkout": {"enabled": true}}}"#).unwrap();
        store.publish(&definitions, change("x")).unwrap();
        let _ = store.note(&change("nginx: new timeouts")).unwrap();
        let of = |since| suspects(&store, &Flags::default(), since, since.max(flagstone::time::now()));
        let told = of(flagstone::time::now() + 40 * SECOND);
        let order = told.find("note: nginx: new timeouts 4").zip(told.find("publish of generation 1 4"));
        assert!(order.is_some_and(|(note, publish)| note < publish), "{told}");
        assert!(told.contains(" s before"), "{told}");
        // Evidence begins up to ten seconds before the harm: the change that caused it was listed after it.
        let told = of(flagstone::time::now() - 8 * SECOND);
        assert!(told.contains("note: nginx: new timeouts about when it began"), "{told}");
        let told = of(flagstone::time::now() - 30 * SECOND);
        assert!(told.contains(" s after it began"), "{told}");
        let hour = of(flagstone::time::now() + 3_700 * SECOND);
        assert!(hour.contains("Nothing was changed here"), "{hour}");
    }

    /// The end of an incident was told without its cost.
    #[test]
    fn what_is_over_is_told_with_how_many_requests_it_harmed() {
        let over = |harm| {
            let all = Some(Share { requests: 66_000, hits: 30_000 });
            noticed(0, &Notice::OutageOver { since: 0, until: 300 * SECOND, harm, all }).text
        };
        assert!(
            over(Harm::Errors).ends_with(", 5 minutes; 30000 of 66000 requests failed"),
            "{}",
            over(Harm::Errors)
        );
        assert!(over(Harm::Slow).ends_with("; 30000 of 66000 requests were slow"), "{}", over(Harm::Slow));
        let on = Share { requests: 130, hits: 39 };
        let helped = Notice::Outcome { flag: "search".to_owned(), outcome: Outcome::Helped, on };
        assert!(noticed(0, &helped).text.ends_with("; 39 of 130 with it on were harmed before"));
    }

    /// The notice was that of any harm: it gave no reason for doing nothing, and woke no person.
    #[test]
    fn harm_of_a_flag_that_is_protected_says_why_it_is_left_on() {
        let test = TestStore::make("protected");
        let (store, memory) = (test.open(), test.path().join("memory"));
        std::fs::create_dir(&memory).unwrap();
        let definitions = serde_json::from_str(
            r#"{"flags": {"checkout": {"enabled": true, "emergency": "keep"}, "search": {"enabled": true}, "portal": {"enabled": true, "requires": ["search"]}}}"#,
        );
        let change = Change { actor: Actor::named(Some("alice")), reason: None, base: None };
        store.publish(&definitions.unwrap(), change).unwrap();
        let mut guard = Watcher::new(test.path(), &memory, false);
        let now = flagstone::time::now();
        guard.look(now);
        let protection = |flag: &str| {
            guard.flags.all().find(|(key, _)| *key == flag).and_then(|(_, flag)| flag.protection)
        };
        assert_eq!(protection("checkout"), Some(Protection::Keep));
        assert_eq!(protection("search"), Some(Protection::Required));
        assert_eq!(protection("portal"), None);
        let finding = serde_json::json!({
            "flag": "checkout", "harm": "errors", "against": "limit", "on": { "requests": 1000, "hits": 300 },
            "off": { "requests": 0, "hits": 0 }, "limit": 0.05, "slower": 0, "companies": 16, "since": now, "at": now,
            "changed_at": guard.flags.last_change("checkout", now).unwrap().at, "action": "hold", "protection": "keep",
        });
        let mut events = Vec::new();
        let finding = serde_json::from_value(finding).unwrap();
        guard.act(&store, finding, now + SECOND, &mut events, &mut BTreeSet::new()).unwrap();
        let told = events.iter().find(|event| event.event == "told").expect("it is told");
        assert!(told.text.starts_with("checkout does harm, and is left on: 30.0 % of 1000"), "{}", told.text);
        let why = "; its \"emergency\" is \"keep\", so that it is killed only while more than half of its requests fail";
        assert!(told.text.contains(why), "{}", told.text);
    }

    /// A flag that a person had killed was left alone for an hour after its revive, as if the guard had acted.
    #[test]
    fn a_flag_that_a_person_killed_has_no_cooldown() {
        let test = TestStore::make("person");
        let (store, memory) = (test.open(), test.path().join("memory"));
        std::fs::create_dir(&memory).unwrap();
        let definitions = serde_json::from_str(r#"{"flags": {"search": {"enabled": true}}}"#).unwrap();
        store.publish(&definitions, change()).unwrap();
        let mut guard = Watcher::new(test.path(), &memory, false);
        let now = flagstone::time::now();
        guard.look(now);
        let mut counts = Counts::default();
        let of = |guard: &Watcher, counts: &Counts| {
            let samples = samples(&guard.flags, counts, 1, now, None);
            samples.iter().map(|sample| (sample.flag.to_owned(), sample.killed)).collect::<Vec<_>>()
        };
        assert_eq!(of(&guard, &counts), [("search".to_owned(), false)]);
        store.kill("search", change()).unwrap();
        let finding = serde_json::json!({
            "flag": "search", "harm": "errors", "against": "limit", "on": { "requests": 1000, "hits": 300 },
            "off": { "requests": 0, "hits": 0 }, "limit": 0.05, "slower": 0, "companies": 16, "since": now, "at": now,
            "changed_at": guard.flags.last_change("search", now).unwrap().at, "action": "rollback",
        });
        // A finding from the second of the kill.
        let flags = BTreeMap::from([(
            "search".to_owned(),
            serde_json::from_value(
                serde_json::json!({ "changed_at": now, "stakes": [0, 0, 0], "verdict": "go" }),
            )
            .unwrap(),
        )]);
        guard.guard = Guard::resumed(GuardState { flags, ..GuardState::default() });
        let mut told = Vec::new();
        let finding = serde_json::from_value(finding).unwrap();
        guard.act(&store, finding, now + SECOND, &mut told, &mut BTreeSet::new()).unwrap();
        guard.look(now + SECOND);
        assert!(told.iter().any(|event| event.text.starts_with("search was killed already")), "{told:?}");
        assert_eq!(of(&guard, &counts), [("search".to_owned(), true)]);
        counts.others = 1;
        let memory = guard.guard.memory(now, &samples(&guard.flags, &counts, 1, now, None));
        assert_eq!(memory.flags["search"].cooldown, None);
    }

    /// It was stopped for four minutes, and a plan entered its next stage as it went on.
    #[test]
    fn a_guard_that_was_stopped_for_long_begins_its_watch_afresh() {
        let test = TestStore::make("frozen");
        let (store, memory) = (test.open(), test.path().join("memory"));
        let change = Change { actor: Actor::named(Some("alice")), reason: None, base: None };
        store
            .publish(&serde_json::from_str(r#"{"flags": {"a": {"enabled": true}}}"#).unwrap(), change)
            .unwrap();
        let _worker = worker(&store, &memory);
        // Plans wait until that is a minute ago.
        let since = |now: i64| GuardReport::of(&store, now).since;
        let mut guard = Watcher::new(test.path(), &memory, false);
        let begin = flagstone::time::now();
        for second in 0..90 {
            guard.look(begin + second * SECOND);
        }
        assert_eq!((guard.state(), since(begin)), (&State::Watching(begin), Some(begin)));
        let again = begin + 130 * SECOND;
        guard.look(again);
        guard.look(again + SECOND);
        assert_eq!((guard.state(), since(again)), (&State::Watching(again), Some(again)));
    }

    /// The trail said that the guard was blind, and never that another one sees.
    #[test]
    fn that_a_guard_sees_is_told_after_a_restart_as_well() {
        let test = TestStore::make("sees");
        let (store, memory) = (test.open(), test.path().join("memory"));
        let change = Change { actor: Actor::named(Some("alice")), reason: None, base: None };
        store
            .publish(&serde_json::from_str(r#"{"flags": {"a": {"enabled": true}}}"#).unwrap(), change)
            .unwrap();
        let begin = flagstone::time::now();
        let mut guard = Watcher::new(test.path(), &memory, false);
        for second in 0..125 {
            guard.look(begin + second * SECOND);
        }
        let _worker = worker(&store, &memory);
        let said = |events: Vec<GuardEvent>| {
            events.iter().filter(|event| event.text == "the guard sees again").count()
        };
        // Its log never said so.
        assert_eq!([126, 127].map(|second| said(guard.look(begin + second * SECOND))), [1, 0]);
        drop(guard);
        for _ in 0..2 {
            let mut guard = Watcher::new(test.path(), &memory, false);
            guard.look(begin + 130 * SECOND);
            guard.look(begin + 131 * SECOND);
        }
        let kinds: Vec<NoticeKind> = test.told().into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [NoticeKind::Blind, NoticeKind::Sees]);
    }

    /// The trail and the webhooks told of harm as if it were being dealt with.
    #[test]
    fn harm_that_a_cooldown_leaves_alone_says_that_nothing_is_done() {
        let test = TestStore::make("cooling");
        let store = test.open();
        let definitions = serde_json::from_str(r#"{"flags": {"search": {"enabled": true}}}"#).unwrap();
        let change = Change { actor: Actor::named(Some("alice")), reason: None, base: None };
        store.publish(&definitions, change).unwrap();
        let mut guard = Watcher::new(test.path(), &test.path().join("memory"), false);
        let finding = serde_json::json!({
            "flag": "search", "harm": "errors", "against": "limit", "on": { "requests": 1000, "hits": 362 },
            "off": { "requests": 0, "hits": 0 }, "limit": 0.05, "slower": 0, "companies": 16, "since": 0, "at": SECOND,
            "changed_at": 0, "action": "rollback",
        });
        let until = flagstone::time::now() + 60 * SECOND;
        let mut tell = |changed_at: i64| {
            let finding: Finding = serde_json::from_value(finding.clone()).unwrap();
            guard.record_cooling(&store, Finding { changed_at, ..finding }, until, &mut BTreeSet::new());
        };
        // Harm after a revive was told of in no other place than the log.
        for changed_at in [0, 0, SECOND] {
            tell(changed_at);
        }
        let mut reasons = Vec::new();
        store.read_audit(|record| reasons.extend(record.guard.and(record.reason))).unwrap();
        let [reason, after_revive] = &reasons[..] else { panic!("{reasons:?}") };
        let end = format!(
            "; nothing is done: it was acted on lately, and is left alone until {}",
            display::at(until)
        );
        assert!(reason.starts_with("36.2 % of 1000 requests") && reason.ends_with(&end), "{reason}");
        assert_eq!(reason, after_revive);
    }

    fn copy(from: &Path, to: &Path) {
        let copied = std::process::Command::new("cp").arg("-a").args([from, to]).status();
        assert!(copied.unwrap().success());
    }

    /// It went on with the cooldowns of the other store, and let plans enter a stage that it had not watched.
    #[test]
    fn a_guard_begins_with_the_state_of_the_store_that_was_restored() {
        let test = TestStore::make("replaced");
        let definitions =
            serde_json::from_str(r#"{"flags": {"lost": {"enabled": true}, "kept": {"enabled": true}}}"#);
        test.open().publish(&definitions.unwrap(), change()).unwrap();
        let [backup, damaged] = ["backup", "damaged"].map(|name| test.path().with_extension(name));
        let counters = test.path().join("memory");
        std::fs::create_dir(&counters).unwrap();
        let mut guard = Watcher::new(test.path(), &counters, false);
        let begin = flagstone::time::now();
        let act = |guard: &mut Watcher, flag: &str, now: i64| {
            let finding = serde_json::json!({
                "flag": flag, "harm": "errors", "against": "limit", "on": { "requests": 1000, "hits": 300 },
                "off": { "requests": 0, "hits": 0 }, "limit": 0.05, "slower": 0, "companies": 16, "since": now, "at": now,
                "changed_at": guard.flags.last_change(flag, now).unwrap().at, "action": "rollback",
            });
            let finding = serde_json::from_value(finding).unwrap();
            guard.act(&test.open(), finding, now, &mut Vec::new(), &mut BTreeSet::new()).unwrap();
            guard.look(now);
        };
        // The memory that a guard writes of each flag that it acted on.
        let keep = |guard: &mut Watcher, flags: &[&str]| {
            let kept = |flag: &&str| {
                let kept = serde_json::json!({ "changed_at": begin, "stakes": [0, 0, 0], "cooldown": begin + 3600 * SECOND, "verdict": "go" });
                ((*flag).to_owned(), serde_json::from_value(kept).unwrap())
            };
            let memory =
                GuardState { at: begin, flags: flags.iter().map(kept).collect(), ..GuardState::default() };
            guard.guard = Guard::resumed(memory);
            guard.kept.0 = 0;
        };
        let cooling = || {
            let memory = test.open().guards_memory().unwrap().unwrap();
            let cooling = memory.flags.into_iter().filter(|(_, kept)| kept.cooldown.is_some());
            cooling.map(|(flag, _)| flag).collect::<Vec<_>>()
        };
        guard.look(begin);
        act(&mut guard, "kept", begin);
        keep(&mut guard, &["kept"]);
        guard.look(begin + SECOND);
        copy(test.path(), &backup);
        act(&mut guard, "lost", begin + 2 * SECOND);
        keep(&mut guard, &["kept", "lost"]);
        guard.look(begin + 3 * SECOND);
        assert_eq!(cooling(), ["kept", "lost"]);
        // One file replaces another.
        for name in ["audit.jsonl", "head"] {
            let new = test.path().join(format!("{name}.new"));
            copy(&backup.join(name), &new);
            std::fs::rename(new, test.path().join(name)).unwrap();
        }
        let events = guard.look(begin + 4 * SECOND);
        assert!(
            events.iter().any(|event| event.text.starts_with("another store is in the place")),
            "{events:?}"
        );
        assert_eq!(cooling(), ["kept"]);
        // The whole directory.
        act(&mut guard, "lost", begin + 5 * SECOND);
        keep(&mut guard, &["kept", "lost"]);
        guard.look(begin + 6 * SECOND);
        std::fs::rename(test.path(), &damaged).unwrap();
        copy(&backup, test.path());
        guard.look(begin + 7 * SECOND);
        assert_eq!(cooling(), ["kept"]);
        assert_eq!(guard.starts.len(), 1, "a restore is no start");
        // Another guard takes over as well.
        keep(&mut guard, &["kept", "lost"]);
        guard.look(begin + 8 * SECOND);
        drop(guard);
        let mut next = Watcher::new(test.path(), &counters, false);
        next.look(begin + 9 * SECOND);
        assert_eq!(cooling(), ["kept"]);
        for directory in [backup, damaged] {
            std::fs::remove_dir_all(directory).unwrap();
        }
    }

    /// Harm that could not be stopped was reported in the daemon's output alone.
    #[test]
    fn harm_about_which_nothing_can_be_done_is_told_of_once() {
        let test = TestStore::make("unable");
        let (store, memory) = (test.open(), test.path().join("memory"));
        std::fs::create_dir(&memory).unwrap();
        let definitions = serde_json::from_str(r#"{"flags": {"checkout": {"enabled": true}}}"#).unwrap();
        store.publish(&definitions, change()).unwrap();
        let full = (0..1000).find(|number| store.kill(&format!("f{number}"), change()).is_err());
        assert!(full.is_some_and(|number| number > 100), "{full:?}");
        let mut guard = Watcher::new(test.path(), &memory, false);
        let now = flagstone::time::now();
        guard.look(now);
        let finding = serde_json::json!({
            "flag": "checkout", "harm": "errors", "against": "limit", "on": { "requests": 1000, "hits": 300 },
            "off": { "requests": 0, "hits": 0 }, "limit": 0.05, "slower": 0, "companies": 16, "since": now, "at": now,
            "changed_at": guard.flags.last_change("checkout", now).unwrap().at, "action": "rollback",
        });
        let finding: Finding = serde_json::from_value(finding).unwrap();
        let act = |guard: &mut Watcher, now: i64| {
            guard.act(&store, finding.clone(), now, &mut Vec::new(), &mut BTreeSet::new())
        };
        for second in 1..5 {
            act(&mut guard, now + second * SECOND).unwrap_err();
        }
        let told = test.told();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].0 == NoticeKind::Unable && told[0].1.contains("30.0 % of 1000 requests"), "{told:?}");
        store.revive("f0", change()).unwrap();
        act(&mut guard, now + 5 * SECOND).unwrap();
        assert!(store.killed().unwrap().contains("checkout"), "it is tried each second");
        // Only what was done may be looked after or begin a cooldown.
        assert!(guard.unable.is_empty());
    }

    /// The incident of such harm stayed open although the harm was over, or the flag gone.
    #[test]
    fn harm_about_which_nothing_could_be_done_ends() {
        let test = TestStore::make("harm-over");
        let (store, memory) = (test.open(), test.path().join("memory"));
        let publish = |flags: &str| {
            store.publish(&serde_json::from_str(flags).unwrap(), change()).unwrap();
        };
        publish(
            r#"{"flags": {"checkout": {"enabled": true}, "portal": {"enabled": true}, "search": {"enabled": true}}}"#,
        );
        let _worker = worker(&store, &memory);
        for flag in ["checkout", "portal", "search"] {
            let _ = store.guard_notice(NoticeKind::Unable, Some(flag), (None, None), &change()).unwrap();
        }
        store.kill("search", change()).unwrap();
        // Another guard was there when it was told.
        let (mut guard, mut at) = (Watcher::new(test.path(), &memory, false), flagstone::time::now());
        let mut over = |looks: i64| {
            for _ in 0..looks {
                at += SECOND;
                guard.look(at);
            }
            test.told().into_iter().filter(|(kind, _)| *kind == NoticeKind::HarmOver).count()
        };
        assert_eq!(over(200), 0);
        publish(r#"{"flags": {"checkout": {"enabled": true}, "search": {"enabled": true}}}"#);
        assert_eq!(over(1), 1, "the flag is gone");
        assert_eq!(over(150), 2, "the harm is over; a kill lasts until it is revived");
        assert!(store.unstopped_harm().unwrap().is_empty());
    }
}
