//! Explains changes of a company's answers: every flag that answered otherwise, with time and cause.
//!
//! [`trace`] goes back from the definitions served now through the audit trail: each change is undone by the differences in its record, or
//! if they are incomplete, by the snapshot before it if that is kept. The evaluator answers on both sides of each change, and of each
//! step of a schedule. Gaps are reported, with the moment after which answers are known. Pure: snapshots come from the caller.

mod answers;
mod state;
mod undo;

use crate::audit::{Action, Actor, Record, SettledChange};
use crate::definition::{CompanyId, Definitions};
use crate::time::{format_rfc3339, parse_rfc3339};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

pub use answers::PastAnswer;
pub use state::HistoryQuery;
use state::{State, Unknown};

/// The definitions served now, and their history.
#[derive(Debug, Clone)]
pub struct History {
    /// The store's environment.
    pub environment: String,
    /// The definitions served now.
    pub definitions: Definitions,
    /// The current generation; 0 if nothing was published.
    pub generation: u64,
    /// Killed flags, with the time of the kill in microseconds since 1970.
    pub killed: Vec<(String, i64)>,
    /// Time of the stop of everything, in microseconds since 1970.
    pub stopped: Option<i64>,
    /// The changes made, the oldest first; at least all of the requested time and after it.
    pub changes: Vec<SettledChange>,
    /// True if the trail begins before the requested time, or with the store.
    pub whole: bool,
    /// The reader's clock, in microseconds since 1970.
    pub now: i64,
    /// Gaps in the trail: the first missing record, the one after the last, and the time of that one.
    pub missing: Vec<(u64, u64, String)>,
}

/// A change of one flag's answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerChange {
    /// The flag's key.
    pub flag: String,
    /// Time as RFC 3339.
    pub at: String,
    /// The answer before.
    pub before: PastAnswer,
    /// The answer after.
    pub after: PastAnswer,
    /// The event that changed the answer.
    pub cause: Cause,
}

/// Cause of a changed answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// A change in the store.
    Change {
        /// Number of the audit record; none for a kill or a stop that only the head knows.
        seq: Option<u64>,
        /// The kind of change.
        action: Action,
        /// The flag killed, revived, or changed by a command.
        #[serde(skip_serializing_if = "Option::is_none")]
        flag: Option<String>,
        /// The author, if known.
        actor: Option<Actor>,
        /// The stated reason.
        reason: Option<String>,
        /// The generation after the change.
        generation: u64,
    },
    /// A step of a schedule came, or a time that a rule compares with.
    Time,
    /// Generations missing in the trail.
    Untold {
        /// The generation before the gap.
        from: u64,
        /// The generation after the gap.
        to: u64,
    },
}

/// Answers that cannot be reconstructed, and the end of that time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gap {
    /// The flags; `None` for all.
    pub flags: Option<Vec<String>>,
    /// Their answers are known from this moment on. RFC 3339.
    pub before: String,
    /// The reason for the gap.
    pub why: String,
}

/// Changes of a company's answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerHistory {
    /// The company's id.
    pub company: CompanyId,
    /// Start of the requested time. RFC 3339.
    pub from: String,
    /// End of the requested time. RFC 3339.
    pub to: String,
    /// Changed answers, the newest first.
    pub turns: Vec<AnswerChange>,
    /// Answers that cannot be reconstructed; empty if the list is complete.
    pub untold: Vec<Gap>,
    /// Flags whose events left the answer as it was, with the attributes that they read and the question lacks: with those the answer
    /// may have changed.
    pub lacking: BTreeMap<String, Vec<String>>,
    /// Renamed flags, the newest first.
    pub renamed: Vec<KeyChange>,
    /// Records whose dates do not fit the order of the trail, which is what counts.
    pub wrong_clocks: Vec<WrongClock>,
    /// Number of changes in that time, whether or not they affect the company.
    pub changes: u64,
}

/// A flag that gets another key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyChange {
    /// The present key.
    pub flag: String,
    /// The former key.
    pub was: String,
    /// Time as RFC 3339.
    pub at: String,
}

/// A record written by a wrong clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WrongClock {
    /// Number of the record.
    pub seq: u64,
    /// The record's own date. RFC 3339.
    pub dated: String,
    /// Latest possible time of the record: the date of the next record that fits, or now.
    pub taken_for: String,
}

/// Times in the order of the trail, which no clock can disturb, and true for each that fits. A time that does not fit becomes the next
/// one that does, or `now`. As few as possible are taken not to fit.
pub fn in_order(times: &[i64], now: i64) -> Vec<(i64, bool)> {
    // The longest run, from the newest back, that never rises. For each length: the place of the run's last member.
    let mut ends: Vec<usize> = Vec::new();
    let mut newer = vec![None; times.len()];
    for (place, at) in times.iter().enumerate().rev().filter(|(_, at)| **at <= now) {
        let length = ends.partition_point(|end| times.get(*end).is_some_and(|end| end >= at));
        if let Some(link) = newer.get_mut(place) {
            *link = length.checked_sub(1).and_then(|before| ends.get(before).copied());
        }
        match ends.get_mut(length) {
            Some(end) => *end = place,
            None => ends.push(place),
        }
    }
    let mut fits = vec![false; times.len()];
    let mut found = ends.last().copied();
    while let Some(place) = found {
        if let Some(fits) = fits.get_mut(place) {
            *fits = true;
        }
        found = newer.get(place).copied().flatten();
    }
    let mut latest = now;
    let mut ordered: Vec<(i64, bool)> = times
        .iter()
        .zip(fits)
        .rev()
        .map(|(at, fits)| {
            latest = if fits { *at } else { latest };
            (latest, fits)
        })
        .collect();
    ordered.reverse();
    ordered
}

/// Dates the changes by [`in_order`].
fn order(changes: &mut [SettledChange], now: i64) -> Vec<WrongClock> {
    let times: Vec<i64> = changes.iter().map(|change| change.at).collect();
    let mut wrong = Vec::new();
    for (change, (at, fits)) in changes.iter_mut().zip(in_order(&times, now)) {
        change.at = at;
        if !fits {
            let (seq, dated) = (change.record.seq, change.record.at.clone());
            wrong.push(WrongClock { seq, dated, taken_for: format_rfc3339(at) });
        }
    }
    wrong
}

/// Goes back from the current definitions to `asked.from`. `load` returns the definitions of a generation whose snapshot is kept.
pub fn trace(
    mut past: History,
    asked: HistoryQuery,
    load: &mut dyn FnMut(u64) -> Option<Definitions>,
) -> AnswerHistory {
    let to = asked.to.unwrap_or(past.now);
    let mut wrong_clocks = order(&mut past.changes, past.now);
    wrong_clocks.retain(|wrong| parse_rfc3339(wrong.taken_for.as_bytes()).is_none_or(|at| at > asked.from));
    let mut walk = Walk {
        asked,
        environment: past.environment,
        state: State {
            definitions: reduced(past.definitions, asked.company),
            generation: past.generation,
            unknown: Unknown::default(),
            killed: past.killed.iter().map(|(flag, _)| flag.clone()).collect(),
            stopped: past.stopped.is_some(),
        },
        to,
        until: to,
        turns: Vec::new(),
        untold: Vec::new(),
        lacking: BTreeMap::new(),
        renamed: Vec::new(),
        changes: 0,
    };
    for (first, next, at) in &past.missing {
        let why = format!("the audit trail lacks its records from {first} to {}", next - 1);
        walk.untell(None, parse_rfc3339(at.as_bytes()).unwrap_or(to), why);
    }
    walk.back(events(&past.changes, &past.killed, past.stopped, past.now), past.whole, load);
    walk.turns.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.flag.cmp(&y.flag)));
    walk.lacking.retain(|_, names| !names.is_empty());
    AnswerHistory {
        company: asked.company.clone(),
        from: format_rfc3339(asked.from),
        to: format_rfc3339(to),
        turns: walk.turns.into_iter().map(|(_, turn)| turn).collect(),
        untold: walk.untold,
        renamed: walk.renamed,
        wrong_clocks,
        lacking: walk.lacking.into_iter().map(|(flag, names)| (flag, names.into_iter().collect())).collect(),
        changes: walk.changes,
    }
}

/// A change, or a kill or stop that only the head knows.
enum HistoryEvent<'a> {
    Told(&'a SettledChange),
    Killed(&'a str, i64),
    Stopped(i64),
}

impl HistoryEvent<'_> {
    fn at(&self) -> i64 {
        match self {
            HistoryEvent::Told(settled) => settled.at,
            HistoryEvent::Killed(_, at) | HistoryEvent::Stopped(at) => *at,
        }
    }
}

/// The changes, and the kills and stops that only the head knows: a kill works even if the trail cannot be written.
fn events<'a>(
    changes: &'a [SettledChange],
    killed: &'a [(String, i64)],
    stopped: Option<i64>,
    now: i64,
) -> Vec<HistoryEvent<'a>> {
    let mut events: Vec<HistoryEvent> = changes.iter().map(HistoryEvent::Told).collect();
    let mut untold = |told: bool, event: HistoryEvent<'a>| {
        if !told {
            let place = events.iter().position(|other| other.at() > event.at()).unwrap_or(events.len());
            events.insert(place, event);
        }
    };
    // Compares the dates that both were given, right or wrong.
    let near = |change: &SettledChange, since: i64| {
        parse_rfc3339(change.record.at.as_bytes()).is_some_and(|at| at.abs_diff(since) < 1_000_000)
    };
    for (flag, since) in killed {
        let told = |change: &SettledChange| {
            change.record.action == Action::Kill
                && change.record.flag.as_deref() == Some(flag)
                && near(change, *since)
        };
        untold(changes.iter().any(told), HistoryEvent::Killed(flag, (*since).min(now)));
    }
    if let Some(since) = stopped {
        let told = |change: &SettledChange| change.record.action == Action::StopAll && near(change, since);
        untold(changes.iter().any(told), HistoryEvent::Stopped(since.min(now)));
    }
    events
}

struct Walk<'a> {
    asked: HistoryQuery<'a>,
    /// The end of the time asked about.
    to: i64,
    environment: String,
    state: State,
    /// End of the time for which the state holds.
    until: i64,
    turns: Vec<(i64, AnswerChange)>,
    untold: Vec<Gap>,
    lacking: BTreeMap<String, BTreeSet<String>>,
    renamed: Vec<KeyChange>,
    changes: u64,
}

impl Walk<'_> {
    fn back(
        &mut self,
        events: Vec<HistoryEvent>,
        whole: bool,
        load: &mut dyn FnMut(u64) -> Option<Definitions>,
    ) {
        for event in events.into_iter().rev() {
            let at = event.at();
            self.steps(at.max(self.asked.from));
            if at <= self.asked.from {
                return;
            }
            if matches!(event, HistoryEvent::Told(settled) if settled.record.unchanged) {
                continue;
            }
            self.changes += u64::from(at <= self.to);
            match event {
                HistoryEvent::Killed(flag, _) => self.switched(&event, Action::Kill, Some(flag)),
                HistoryEvent::Stopped(_) => self.switched(&event, Action::StopAll, None),
                HistoryEvent::Told(SettledChange { record, .. }) if record.action == Action::Init => return,
                HistoryEvent::Told(SettledChange { record, .. }) if record.action.publishes() => {
                    if record.to != self.state.generation {
                        self.gap(at, record.to, load);
                    }
                    self.published(&event, record, load);
                }
                HistoryEvent::Told(SettledChange { record, .. }) => {
                    self.switched(&event, record.action, record.flag.as_deref());
                }
            }
            self.until = self.until.min(at);
        }
        match whole {
            true => self.steps(self.asked.from),
            false => {
                self.untell(None, self.until, "the audit trail does not tell of what was before".to_owned())
            }
        }
    }

    /// Notes changes by time alone between `from` and `until`: steps of schedules, and rules that compare the time.
    fn steps(&mut self, from: i64) {
        let mut due: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
        for (key, flag) in &self.state.definitions.flags {
            for at in answers::instants(flag, &self.state.definitions) {
                if from < at && at <= self.until {
                    due.entry(at).or_default().insert(key.clone());
                }
            }
        }
        for (at, flags) in due {
            let flags = answers::affected([&self.state.definitions; 2], flags, &BTreeSet::new());
            let (before, after) = (self.ask(at - 1, &flags), self.ask(at, &flags));
            self.note(at, before, after, &Cause::Time);
        }
    }

    fn switched(&mut self, event: &HistoryEvent, action: Action, flag: Option<&str>) {
        let flags = match (action, flag) {
            (Action::Kill | Action::Revive, Some(flag)) => BTreeSet::from([flag.to_owned()]),
            (Action::StopAll | Action::ResumeAll, _) => {
                self.state.definitions.flags.keys().cloned().collect()
            }
            _ => return,
        };
        let flags = answers::affected([&self.state.definitions; 2], flags, &BTreeSet::new());
        let at = event.at();
        let is = match flag {
            Some(flag) => self.state.killed.contains(flag),
            None => self.state.stopped,
        };
        if is != matches!(action, Action::Kill | Action::StopAll) {
            let why = format!(
                "the audit trail does not tell what undid the {} of {}",
                action.name(),
                format_rfc3339(at)
            );
            self.untell(flag.map(|flag| vec![flag.to_owned()]), self.until, why);
        }
        self.switch(action, flag, true);
        let after = self.ask(at, &flags);
        self.switch(action, flag, false);
        let before = self.ask(at, &flags);
        self.note(at, before, after, &cause(event, self.state.generation));
    }

    /// Sets the switch as it was after the action, or before it.
    fn switch(&mut self, action: Action, flag: Option<&str>, after: bool) {
        let on = matches!(action, Action::Kill | Action::StopAll) == after;
        match flag.filter(|_| matches!(action, Action::Kill | Action::Revive)) {
            Some(flag) if on => _ = self.state.killed.insert(flag.to_owned()),
            Some(flag) => _ = self.state.killed.remove(flag),
            None => self.state.stopped = on,
        }
    }

    fn published(
        &mut self,
        event: &HistoryEvent,
        record: &Record,
        load: &mut dyn FnMut(u64) -> Option<Definitions>,
    ) {
        let undone = undo::undo(&self.state.definitions, &self.state.unknown, record, self.asked.company);
        let (before, unknown) = match undone {
            Some((before, unknown)) if unknown == self.state.unknown && !unknown.all => (before, unknown),
            _ if record.from == 0 => Default::default(),
            undone => match load(record.from) {
                Some(kept) => (reduced(kept, self.asked.company), Unknown::default()),
                None => self.half_known(event.at(), record, undone),
            },
        };
        self.replaced(event.at(), before, unknown, &cause(event, record.to));
        self.state.generation = record.from;
    }

    /// The generation before as far as the trail shows it.
    fn half_known(
        &mut self,
        at: i64,
        record: &Record,
        undone: Option<(Definitions, Unknown)>,
    ) -> (Definitions, Unknown) {
        if self.state.unknown.all {
            return (Definitions::default(), self.state.unknown.clone());
        }
        let why = format!(
            "the snapshot of generation {} is not kept, and record {} of the audit trail does not have all that changed after it",
            record.from, record.seq
        );
        match undone {
            Some((before, unknown)) => {
                let flags = unknown.flags.difference(&self.state.unknown.flags).cloned();
                let segments = &unknown.segments;
                let using = before.flags.iter().filter(|(_, flag)| {
                    answers::segments(flag, &before).iter().any(|name| segments.contains(*name))
                });
                let mut flags: Vec<String> = flags.chain(using.map(|(key, _)| key.clone())).collect();
                flags.sort_unstable();
                flags.dedup();
                self.untell(Some(flags), at, why);
                (before, unknown)
            }
            None => {
                self.untell(None, at, why);
                (Definitions::default(), Unknown { all: true, ..Unknown::default() })
            }
        }
    }

    /// Crosses generations that are missing in the trail.
    fn gap(&mut self, at: i64, generation: u64, load: &mut dyn FnMut(u64) -> Option<Definitions>) {
        let cause = Cause::Untold { from: generation, to: self.state.generation };
        let (definitions, unknown) = match load(generation) {
            Some(kept) => (reduced(kept, self.asked.company), Unknown::default()),
            None => {
                let why = format!(
                    "the audit trail does not tell how generation {} came after {generation}, and the snapshot of {generation} is not kept",
                    self.state.generation
                );
                self.untell(None, self.until, why);
                (Definitions::default(), Unknown { all: true, ..Unknown::default() })
            }
        };
        self.replaced(at, definitions, unknown, &cause);
        self.state.generation = generation;
    }

    /// Goes on with other definitions, and notes the answers that this changes.
    fn replaced(&mut self, at: i64, definitions: Definitions, unknown: Unknown, cause: &Cause) {
        let (flags, segments) = differing(&definitions, &self.state.definitions);
        let flags = answers::affected([&definitions, &self.state.definitions], flags, &segments);
        let after = self.ask(at, &flags);
        let renamed = renamed(&definitions, &self.state.definitions);
        self.state.definitions = definitions;
        self.state.unknown = unknown;
        let mut before = self.ask(at, &flags);
        for (flag, was) in renamed {
            // Compared with itself under its former key, which answers alike from now on.
            before.remove(&flag);
            let said = before.remove(&was);
            before.extend(said.map(|said| (flag.clone(), said)));
            if self.asked.from < at && at <= self.to {
                self.renamed.push(KeyChange { flag, was, at: format_rfc3339(at) });
            }
        }
        self.note(at, before, after, cause);
    }

    fn ask(&self, now: i64, flags: &BTreeSet<String>) -> BTreeMap<String, PastAnswer> {
        answers::answers(&self.environment, &self.state, flags, &self.asked, now)
    }

    fn note(
        &mut self,
        at: i64,
        before: BTreeMap<String, PastAnswer>,
        mut after: BTreeMap<String, PastAnswer>,
        cause: &Cause,
    ) {
        if at <= self.asked.from || at > self.to {
            return;
        }
        for (flag, before) in before {
            let Some(after) = after.remove(&flag) else { continue };
            if before.same_answer(&after) {
                let lacking: BTreeSet<&String> = before.lacking.iter().chain(&after.lacking).collect();
                let known = self.lacking.entry(flag).or_default();
                known.extend(lacking.into_iter().cloned());
                continue;
            }
            let turn = AnswerChange { flag, at: format_rfc3339(at), before, after, cause: cause.clone() };
            self.turns.push((at, turn));
        }
    }

    fn untell(&mut self, flags: Option<Vec<String>>, at: i64, why: String) {
        if at > self.asked.from {
            self.untold.push(Gap { flags, before: format_rfc3339(at), why });
        }
    }
}

fn cause(event: &HistoryEvent, generation: u64) -> Cause {
    match event {
        HistoryEvent::Told(SettledChange { record, .. }) => Cause::Change {
            seq: Some(record.seq),
            action: record.action,
            flag: record.flag.clone(),
            actor: Some(record.actor.clone()),
            reason: record.reason.clone(),
            generation,
        },
        HistoryEvent::Killed(flag, _) => untold_switch(Action::Kill, Some(flag), generation),
        HistoryEvent::Stopped(_) => untold_switch(Action::StopAll, None, generation),
    }
}

fn untold_switch(action: Action, flag: Option<&str>, generation: u64) -> Cause {
    let flag = flag.map(str::to_owned);
    Cause::Change { seq: None, action, flag, actor: None, reason: None, generation }
}

/// Removes all listed companies but the one asked about.
fn reduced(mut definitions: Definitions, company: &CompanyId) -> Definitions {
    for flag in definitions.flags.values_mut() {
        for list in [&mut flag.companies.allow, &mut flag.companies.deny] {
            list.retain(|listed| listed == company);
        }
    }
    definitions
}

/// Renamed flags: the key after and the key before.
fn renamed(before: &Definitions, after: &Definitions) -> Vec<(String, String)> {
    let is_renamed = |(was, key): &(&str, &str)| {
        before.flags.contains_key(*was) && !before.flags.contains_key(*key) && !after.flags.contains_key(*was)
    };
    let pairs = after.former_keys().filter(is_renamed);
    pairs.map(|(was, key)| (key.to_owned(), was.to_owned())).collect()
}

/// Flags and segments that differ.
fn differing(a: &Definitions, b: &Definitions) -> (BTreeSet<String>, BTreeSet<String>) {
    (unlike(&a.flags, &b.flags), unlike(&a.segments, &b.segments))
}

fn unlike<V: PartialEq>(a: &BTreeMap<String, V>, b: &BTreeMap<String, V>) -> BTreeSet<String> {
    let changed = a.iter().filter(|(name, value)| b.get(*name) != Some(*value));
    let gone = b.iter().filter(|(name, _)| !a.contains_key(*name));
    changed.chain(gone).map(|(name, _)| name.clone()).collect()
}
