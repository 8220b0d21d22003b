//! The guard at work: reads the counters, decides, acts.

mod flags;
mod report;
mod sources;

use crate::counted::believed_counts;
use crate::{identity, words};
use flags::Flags;
use flagstone::guard::{
    Action, Blindness, Finding, Guard, Harm, Held, Memory, Notice, NoticeKind, Outcome, RESTART_WINDOW,
    Reading, Sample, Sight, Verdict, restarts_in_a_loop,
};
use flagstone::store::{Acted, Actor, Change, Guarding, Orders, Store, StoreError, Took};
use flagstone::telemetry::{Counts, Exposure};
pub use report::GuardReport;
use serde::Serialize;
use sources::Sources;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::{Discriminant, discriminant};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What it knows is written down so often, in microseconds, and so soon after plans are to be told another thing.
const KEEP: u64 = 60_000_000;
const KEEP_SOON: u64 = 5_000_000;
/// A guard that sees nothing for so long, in microseconds, is told of.
const BLIND_FOR: i64 = 120_000_000;
/// Harm that is left on is told of again after so long, in microseconds.
const LEFT_ON_AGAIN: i64 = 3_600_000_000;
/// Starts of guards that are remembered.
const KEPT_STARTS: usize = 20;
/// How long it waits for another change of the store.
const PATIENCE: Duration = Duration::from_secs(2);

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
    /// Held while it watches; a dry run needs none.
    lock: Option<Guarding>,
    /// What is to be done and could not be yet, and when the flag had been changed.
    pending: Option<Finding>,
    /// What was said, and holds.
    said: BTreeSet<String>,
    /// What it wrote down last.
    last: Memory,
    /// Whether it went on from what another one wrote down.
    resumed: bool,
    /// What people told it last, and whether a pause was over then.
    orders: Orders,
    pause_over: bool,
    /// What it can do, as of the last look.
    state: State,
    /// Since when it has watched without a break, in microseconds since 1970; 0: it does not.
    began: i64,
    /// When guards of this store were started lately.
    starts: Vec<i64>,
    /// When it wrote that down itself, in microseconds since 1970, and what plans were told then.
    kept: (i64, Vec<(String, Discriminant<Verdict>, i64)>),
    /// Flags in a cooldown whose harm was recorded, and until when it lasts; in microseconds since 1970.
    recorded: BTreeMap<String, i64>,
    /// Since when it sees nothing, and whether that was recorded.
    blind: Option<(i64, bool)>,
}

/// What a guard can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It did not look yet.
    Beginning,
    /// It watches, since then; microseconds since 1970.
    Watching(i64),
    /// Another guard watches.
    Waiting,
    /// It sees nothing, and why.
    Blind(Blindness),
    /// It can change nothing, and why.
    Helpless(String),
}

/// Something to tell.
#[derive(Debug, Serialize)]
pub struct Event {
    /// RFC 3339.
    pub at: String,
    /// `killed`, `back`, `held`, `told`, `would`, `found`, `outcome`, `outage`, `over`, `stopped`, `resumed`, `paused`, `pilots`, `note` or `problem`.
    pub event: &'static str,
    /// The flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
    /// For people.
    pub text: String,
    /// The numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
}

impl Watcher {
    /// For the store in `directory`, with counters in `memory`. A dry one changes nothing.
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
            lock: None,
            pending: None,
            said: BTreeSet::new(),
            last: Memory::default(),
            resumed: false,
            orders: Orders::default(),
            pause_over: true,
            state: State::Beginning,
            began: 0,
            starts: Vec::new(),
            kept: (0, Vec::new()),
            recorded: BTreeMap::new(),
            blind: None,
        }
    }

    /// The same, within the daemon that moves plans.
    pub fn beside_plans(self) -> Self {
        Self { beside_plans: true, ..self }
    }

    /// What it can do, as of the last look.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Writes down that it was told to end. Best effort: without it, plans wait for the next guard.
    pub fn end(&mut self, now: i64) {
        if let Some(lock) = &self.lock {
            let memory = Memory { ended: true, at: now, ..self.last.clone() };
            let _ = lock.keep(&memory);
        }
    }

    /// One look: what there is to tell.
    pub fn look(&mut self, now: i64) -> Vec<Event> {
        let mut events = Vec::new();
        let mut problems = BTreeSet::new();
        if let Err(problem) = self.round(now, &mut events, &mut problems) {
            problems.insert(problem);
        }
        for problem in problems.difference(&self.said) {
            events.push(event(now, "problem", None, problem.clone()));
        }
        self.said = problems;
        events
    }

    fn round(
        &mut self,
        now: i64,
        events: &mut Vec<Event>,
        problems: &mut BTreeSet<String>,
    ) -> Result<(), String> {
        let failed = |error: StoreError| error.to_string();
        let store = match identity::open(&self.directory) {
            Ok(store) => store.with_patience(PATIENCE),
            // The daemon's plans complain of it.
            Err(_) if self.beside_plans => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        if !self.dry {
            if let Err(error) = store.can_change() {
                self.state = State::Helpless(error.to_string());
                self.began = 0;
                problems.insert(format!("{error}; the guard can take nothing back"));
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
                    // Two that act do no harm: the second finds it done.
                    Err(error) => _ = problems.insert(format!("{error}; watching without the guard's lock")),
                }
            }
        }
        if !self.resumed {
            self.resumed = true;
            match store.guards_memory() {
                Ok(memory) => {
                    let memory = memory.unwrap_or_default();
                    let before = if memory.ended { &[][..] } else { &memory.starts };
                    self.starts = started(before, now, self.lock.is_some());
                    self.guard = Guard::resumed(memory);
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
            Ok(orders) => self.obey(orders, now, events),
            Err(error) => _ = problems.insert(error.to_string()),
        }
        self.flags.refresh(&store, now).map_err(failed)?;
        let believed = store.believed().map_err(failed)?;
        let counts = believed_counts(&store, &believed, &self.memory, now);
        let (counts, blindness) = match counts {
            Ok(counts) => {
                let blindness = self.sight.look(&counts, now);
                (counts, blindness)
            }
            Err(error) => (Counts::default(), Some(Blindness::Unreadable(error.to_string()))),
        };
        match (&blindness, &self.state) {
            (_, State::Helpless(_)) => {}
            (Some(blindness), _) => {
                self.state = State::Blind(blindness.clone());
                self.began = 0;
                problems.insert(match blindness {
                    Blindness::Full(_) => format!("not everything is watched: {blindness}"),
                    _ => format!("nothing is watched: {blindness}"),
                });
            }
            (None, State::Watching(_)) => {}
            (None, _) => {
                self.began = now;
                self.state = State::Watching(now);
            }
        }
        self.record_blindness(&store, blindness.as_ref(), now, problems);
        if matches!(blindness, Some(Blindness::Unreadable(_))) {
            self.sources.lost();
            self.keep(&Counts::default(), 0, now, problems);
            return Ok(());
        }
        let epoch = self.sources.epoch(&counts);
        for source in &counts.sources {
            if let Some(why) = &source.left_out {
                problems.insert(format!("{} is left out: {why}", source.path.display()));
            }
        }
        let decision = {
            let samples = samples(&self.flags, &counts, epoch, now);
            self.guard.watch(now, &samples, Some(&counts.total()))
        };
        for notice in decision.notices {
            let mut told = noticed(now, &notice);
            if let Notice::Outage { since, .. } = notice {
                told.text.push_str(&suspects(&store, since));
            }
            self.record(&store, kind(&notice), (told.flag.as_deref(), None), &told.text, problems);
            events.push(told);
        }
        for (finding, held) in decision.held {
            let told = found(now, &finding, &held);
            match (held, finding.action) {
                // A plan that it held, or what it told, is in the trail already.
                (Held::Cooldown(until), Action::Rollback) => {
                    self.record_cooling(&store, finding, until, problems);
                }
                (Held::Unwatched | Held::Together(_) | Held::Stopped(_), _) => {
                    let of = (Some(finding.flag.as_str()), Some(&finding));
                    let again = self.recorded.get(&finding.flag).is_none_or(|until| *until <= now);
                    if again && self.record(&store, NoticeKind::LeftOn, of, &told.text, problems) {
                        self.recorded.insert(finding.flag.clone(), now + LEFT_ON_AGAIN);
                    }
                }
                _ => {}
            }
            events.push(told);
        }
        if let Some(finding) = decision.act {
            self.pending = Some(finding);
        }
        let acts = self.pending.is_some();
        let acted = match self.pending.take() {
            Some(finding) => self.act(&store, finding, now, events),
            None => Ok(()),
        };
        if acts {
            // The cooldown is not to be forgotten.
            self.kept.0 = 0;
        }
        self.keep(&counts, epoch, now, problems);
        acted
    }

    /// Does what people told the guard.
    fn obey(&mut self, orders: Orders, now: i64, events: &mut Vec<Event>) {
        let before = std::mem::replace(&mut self.orders, orders);
        if orders == before {
            if orders.paused_until != 0 && orders.paused_until <= now && !self.pause_over {
                self.pause_over = true;
                events.push(event(now, "resumed", None, "the pause is over: the guard goes on".to_owned()));
            }
            return;
        }
        self.pause_over = orders.paused_until <= now;
        self.guard.pause((orders.paused_until > now).then_some(orders.paused_until));
        if orders.paused_until > now {
            let text =
                format!("paused until {}: nothing is done, and plans wait", words::at(orders.paused_until));
            events.push(event(now, "paused", None, text));
        } else if before.paused_until > now {
            events.push(event(
                now,
                "resumed",
                None,
                "a person ended the pause: the guard goes on".to_owned(),
            ));
        }
        // What was stopped before the order is meant; a guard that starts reads older orders as well.
        if self.guard.stopped().is_some_and(|since| since <= orders.resumed_at) {
            self.guard.resume();
            events.push(event(now, "resumed", None, "acts on limits go on".to_owned()));
        }
    }

    /// Writes down now and then what the next guard is to know, and at once what plans are to be told.
    fn keep(&mut self, counts: &Counts, epoch: u64, now: i64, problems: &mut BTreeSet<String>) {
        let Some(lock) = &self.lock else { return };
        let samples = samples(&self.flags, counts, epoch, now);
        let told = samples.iter().map(|sample| {
            let verdict = self.guard.verdict(sample.flag, sample.policy);
            (sample.flag.to_owned(), discriminant(&verdict), sample.reading.changed_at)
        });
        let told: Vec<_> = told.collect();
        let blindness = match &self.state {
            State::Blind(blindness) => Some(blindness.clone()),
            _ => None,
        };
        let changed = blindness != self.last.blindness
            || self.began != self.last.began
            || self.orders.paused_until != self.last.paused_until
            || self.guard.stopped() != self.last.stopped;
        let pause = if told == self.kept.1 { KEEP } else { KEEP_SOON };
        if !changed && now.abs_diff(self.kept.0) < pause {
            return;
        }
        let off = self.flags.all().filter(|(_, flag)| flag.policy.is_none());
        let memory = Memory {
            unwatched: off.map(|(key, _)| key.to_owned()).collect(),
            blindness,
            began: self.began,
            starts: self.starts.clone(),
            paused_until: self.orders.paused_until,
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

    /// Writes what there is to tell into the trail, from where webhooks have it. False: nothing was written.
    fn record(
        &self,
        store: &Store,
        kind: NoticeKind,
        (flag, finding): (Option<&str>, Option<&Finding>),
        text: &str,
        problems: &mut BTreeSet<String>,
    ) -> bool {
        if self.dry {
            return false;
        }
        let reason = Some(text.to_owned());
        let change = Change { actor: Actor::named(Some("guard")), reason, base: None };
        let written = store.guard_notice(kind, flag, finding, &change);
        if let Err(error) = &written {
            problems.insert(format!("what the guard tells could not be recorded: {error}"));
        }
        written.is_ok()
    }

    /// Records that the guard sees nothing, once that has lasted, and that it sees again.
    fn record_blindness(
        &mut self,
        store: &Store,
        blindness: Option<&Blindness>,
        now: i64,
        problems: &mut BTreeSet<String>,
    ) {
        match (blindness, self.blind) {
            (Some(_), None) => self.blind = Some((now, false)),
            (Some(why), Some((since, false))) if now - since >= BLIND_FOR => {
                let text = format!("the guard sees nothing since {}: {why}", words::at(since));
                let recorded = self.record(store, NoticeKind::Blind, (None, None), &text, problems);
                self.blind = Some((since, recorded));
            }
            (None, Some((since, recorded))) => {
                self.blind = None;
                if recorded {
                    let text = format!("the guard sees again what it did not since {}", words::at(since));
                    self.record(store, NoticeKind::Sees, (None, None), &text, problems);
                }
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// Writes harm that a cooldown leaves alone into the trail, from where webhooks have it; once in each.
    fn record_cooling(
        &mut self,
        store: &Store,
        finding: Finding,
        until: i64,
        problems: &mut BTreeSet<String>,
    ) {
        if self.dry || self.recorded.insert(finding.flag.clone(), until) == Some(until) {
            return;
        }
        let change = Change { actor: Actor::named(Some("guard")), reason: None, base: None };
        let told = Finding { action: Action::Notify, ..finding };
        if let Err(error) = store.guard(&told, &change) {
            self.recorded.remove(&told.flag);
            problems.insert(format!("{} does harm, and that could not be recorded: {error}", told.flag));
        }
    }

    fn act(
        &mut self,
        store: &Store,
        finding: Finding,
        now: i64,
        events: &mut Vec<Event>,
    ) -> Result<(), String> {
        let flag = finding.flag.clone();
        let name = words::plain(&flag).into_owned();
        let same = self.flags.last_change(&flag, now).is_some_and(|change| change.at == finding.changed_at);
        if !same {
            self.guard.not_done(&flag);
            let text = format!("{name} was changed meanwhile; it is looked at afresh: {finding}");
            events.push(Event { finding: Some(finding), ..event(now, "note", Some(flag), text) });
            return Ok(());
        }
        if self.dry {
            let would = match finding.action {
                Action::Rollback => "would be taken back",
                Action::Hold => "its plan would be held",
                Action::Notify => "would be told of",
            };
            let text = format!("{name}: {would}, nothing was changed: {finding}");
            events.push(Event { finding: Some(finding), ..event(now, "would", Some(flag), text) });
            return Ok(());
        }
        let change =
            Change { actor: Actor::named(Some("guard")), reason: None, base: Some(self.flags.generation()) };
        match store.guard(&finding, &change) {
            Ok(acted) => {
                if matches!(acted.took, Took::Back(_)) {
                    // The stage before may be as bad: it is watched on.
                    self.guard.not_done(&flag);
                }
                events.extend(done(now, &name, &finding, &acted));
                Ok(())
            }
            // The next look sees what was published.
            Err(StoreError::Stale { .. }) => {
                self.pending = Some(finding);
                Ok(())
            }
            Err(error) => {
                self.pending = Some(finding);
                Err(format!("{name} does harm, and nothing could be done: {error}; tried again each second"))
            }
        }
    }
}

/// The starts of guards that still count, this one's among them where it watches.
fn started(before: &[i64], now: i64, watches: bool) -> Vec<i64> {
    let recent = before.iter().copied().filter(|at| (0..RESTART_WINDOW).contains(&now.saturating_sub(*at)));
    let mut starts: Vec<i64> = recent.collect();
    starts.extend(watches.then_some(now));
    starts.drain(..starts.len().saturating_sub(KEPT_STARTS));
    starts
}

/// What is watched, and its counters.
fn samples<'a>(flags: &'a Flags, counts: &'a Counts, epoch: u64, now: i64) -> Vec<Sample<'a>> {
    static NOTHING: std::sync::LazyLock<Exposure> = std::sync::LazyLock::new(Exposure::default);
    let sample = |(key, flag): (&'a str, &'a flags::Watch)| {
        let policy = flag.policy.as_ref()?;
        let exposure = counts.flag(key).map_or(&*NOTHING, |counted| &counted.exposure);
        let change = flags.last_change(key, now)?;
        let reading = Reading { chosen: flag.chosen, ..Reading::new(now, epoch, change.at, exposure) };
        let (stage, essential, through) = (flag.stage, flag.essential, change.through);
        Some(Sample { stage, essential, through, ..Sample::new(key, reading, policy) })
    };
    flags.all().filter_map(sample).collect()
}

fn done(now: i64, name: &str, finding: &Finding, acted: &Acted) -> Vec<Event> {
    let (kind, what) = match acted.took {
        Took::Killed => ("killed", format!("{name} is killed, until `flagstone revive {name}`")),
        Took::Nothing => ("note", format!("{name} was killed already")),
        Took::Back(stage) => ("back", format!("{name} is back in stage {stage} of its plan, which is held")),
        Took::Held => ("held", format!("the plan of {name} is held")),
        Took::Told => ("told", format!("{name} does harm")),
    };
    let of = |text| {
        let flag = Some(finding.flag.clone());
        Event { finding: Some(finding.clone()), ..event(now, kind, flag, text) }
    };
    let mut events = vec![of(format!("{what}: {finding}"))];
    let more = acted.instead.iter().map(|why| format!("killed, since its plan could not go back: {why}"));
    for text in more.chain(acted.audit_warning.clone()) {
        events.push(event(now, "problem", Some(finding.flag.clone()), text));
    }
    events
}

fn found(now: i64, finding: &Finding, held: &Held) -> Event {
    let why = match held {
        Held::Later(other) => format!("{} was changed later and comes first", words::plain(other)),
        Held::Cooldown(until) => {
            format!("it was acted on lately, and is left alone until {}", words::at(*until))
        }
        Held::Unwatched => "it was not changed for long, so that it is not suspected".to_owned(),
        Held::Everywhere => {
            "requests that did not ask it are as badly off, or are too few to tell".to_owned()
        }
        Held::Together(others) => format!(
            "one publish changed it and {}, and the requests do not tell them apart; `flagstone history` names the publish, \
             `flagstone rollback --to GENERATION` takes it back",
            words::some(others.iter(), 3)
        ),
        Held::After(flag) => {
            format!("it is looked at first whether turning {} off helped", words::plain(flag))
        }
        Held::Stopped(since) => format!(
            "acts on limits have stopped since {}, because the last did not help; `flagstone guard resume` lets them go on",
            words::at(*since)
        ),
        Held::Paused(until) => format!("the guard is paused until {}", words::at(*until)),
    };
    let text = format!("{}: {finding}; nothing is done: {why}", words::plain(&finding.flag));
    Event { finding: Some(finding.clone()), ..event(now, "found", Some(finding.flag.clone()), text) }
}

/// What was changed in the hour before an outage, the newest first, with the time between.
fn suspects(store: &Store, since: i64) -> String {
    const HOUR: i64 = 3_600_000_000;
    let changes = store.changes_since(since.saturating_sub(HOUR)).unwrap_or_default();
    let before = |(at, text): &(i64, String)| {
        let seconds = since.saturating_sub(*at) / 1_000_000;
        match seconds {
            0.. => format!("{} {seconds} s before", words::plain(text)),
            _ => format!("{} {} s after it began", words::plain(text), -seconds),
        }
    };
    match changes.is_empty() {
        true => ". Nothing was changed here in the hour before".to_owned(),
        false => format!(". Changed in the hour before: {}", words::some(changes.iter().map(before), 5)),
    }
}

/// What a notice is, for the trail.
fn kind(notice: &Notice) -> NoticeKind {
    match notice {
        Notice::Outcome { outcome: Outcome::Helped, .. } => NoticeKind::Helped,
        Notice::Outcome { outcome: Outcome::Worse, .. } => NoticeKind::Worse,
        Notice::Outcome { outcome: Outcome::NotYet, .. } => NoticeKind::NotYet,
        Notice::Outcome { outcome: Outcome::CannotTell, .. } => NoticeKind::CannotTell,
        Notice::Stopped => NoticeKind::Stopped,
        Notice::Rearmed => NoticeKind::Resumed,
        Notice::Outage { .. } => NoticeKind::Outage,
        Notice::OutageOver { .. } => NoticeKind::OutageOver,
        Notice::Pilots { .. } => NoticeKind::Pilots,
    }
}

/// What a notice says.
fn noticed(now: i64, notice: &Notice) -> Event {
    let (kind, flag, text) = match notice {
        Notice::Outcome { flag, outcome } => {
            let name = words::plain(flag);
            let text = match outcome {
                Outcome::Helped => format!("turning {name} off helped: its requests fail no more, or half as often; an outage of its pages alone that ended just then looks the same"),
                Outcome::Worse => format!(
                    "`flagstone revive {name}`: turning {name} off made it worse, twice as many of its requests fail"
                ),
                Outcome::NotYet => {
                    format!("turning {name} off has not helped within five minutes")
                }
                Outcome::CannotTell => {
                    format!("whether turning {name} off helped cannot be told: there was nothing to compare with")
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
        Notice::Outage { trouble, since } => {
            let what = trouble.map_or_else(
                || "requests fail or are slow".to_owned(),
                |trouble| {
                    let verb = if trouble.harm == Harm::Errors { "failed" } else { "were slow" };
                    format!("{:.1} % of {} requests {verb}", trouble.all.rate() * 100.0, trouble.all.requests)
                },
            );
            let text = format!("{what} since {}, and no flag is to blame that can be told: nothing was turned off", words::at(*since));
            ("outage", None, text)
        }
        Notice::OutageOver { since, until } => {
            let minutes = until.saturating_sub(*since) / 60_000_000;
            let text = format!(
                "requests are well again: the outage lasted from {} to {}, {}",
                words::at(*since),
                words::at(*until),
                words::counted(minutes.unsigned_abs(), "minute")
            );
            ("over", None, text)
        }
        Notice::Pilots { flag, why } => ("pilots", Some(flag), format!("{}: {why}", words::plain(flag))),
    };
    event(now, kind, flag.cloned(), text)
}

fn event(now: i64, event: &'static str, flag: Option<String>, text: String) -> Event {
    Event { at: words::at(now), event, flag, text, finding: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    /// A store where only this user can put one, removed when dropped.
    struct TestStore(PathBuf);

    impl TestStore {
        fn make() -> TestStore {
            let home = std::env::var_os("HOME").map(PathBuf::from);
            let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
            let places = [home, Some("/var/lib".into()), Some(built)];
            let name = format!("flagstone-guarding-{}", std::process::id());
            let made = places.into_iter().flatten().find_map(|place| {
                let directory = place.join(&name);
                Store::init(&directory, "testing", None).is_ok().then_some(directory)
            });
            TestStore(made.expect("a trusted directory"))
        }

        /// What the guard wrote into the trail.
        fn told(&self) -> Vec<(NoticeKind, String)> {
            let mut told = Vec::new();
            let read = Store::open(&self.0).unwrap().read_audit(|record| {
                told.extend(record.notice.map(|notice| (notice, record.reason.unwrap_or_default())));
            });
            read.unwrap();
            told
        }
    }

    impl Drop for TestStore {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_guard_that_sees_nothing_for_two_minutes_is_told_of_once() {
        let store = TestStore::make();
        let memory = store.0.join("memory");
        let mut dry = Watcher::new(&store.0, &memory, true);
        let mut guard = Watcher::new(&store.0, &memory, false);
        let begin = words::now();
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
        assert!(why.starts_with(&format!("the guard sees nothing since {}: ", words::at(begin))), "{why}");
    }
}
