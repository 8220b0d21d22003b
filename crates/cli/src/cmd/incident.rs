//! `incident`: one page for the person on call: failures, flags that are off, the guard's notices, and the changes before it began.

use super::change::{is_state, values};
use super::history::{ALREADY, WRONG_CLOCK, second};
use super::stop::{also_off, also_off_text};
use crate::args::{Arguments, Incident};
use crate::counters::quietly;
use crate::guard::GuardReport;
use crate::output::{BAD, BOLD, DIM, Exit, Failure, GOOD, Outcome as Ran, Output, WARN};
use crate::switches::{RESUME, Switch, Switches, revive};
use crate::{display, store_view};
use flagstone::answer_history;
use flagstone::audit::{Action, Actor, Difference, Outcome, Record};
use flagstone::definition::Definitions;
use flagstone::guard::{KeptOutage, NoticeKind};
use flagstone::publish::{Store, dependents_text};
use flagstone::telemetry::{Cohort, Counts, duration};
use flagstone::time::parse_rfc3339;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// The most changes that are printed.
const CHANGES: usize = 8;
/// The most notices of the guard that are printed.
const NOTICES: usize = 5;
/// The most failing flags, and held plans, that are printed.
const MAX_SHOWN_FLAGS: usize = 3;
/// The fewest requests for a rate.
const MIN_REQUESTS: u64 = 10;
/// The time in which requests are counted for the rates.
const COUNTED_FOR: Duration = Duration::from_secs(1);

pub fn run(arguments: &Arguments, command: &Incident, output: &mut Output) -> Ran {
    let store = store_view::store(arguments)?;
    let now = flagstone::time::now();
    let guard = GuardReport::of(&store, now);
    // It may be older than the time shown, or than the notices shown.
    let outage = guard.memory.as_ref().and_then(|memory| memory.outage.as_ref());
    let (rates, uncounted) = match Rates::measure(&store, command, outage) {
        Ok(rates) => (Some(rates), None),
        Err(failure) => (None, Some(failure.text().to_owned())),
    };
    let now = flagstone::time::now();
    let since = command.since.unwrap_or(now - 3_600_000_000);
    let switches = Switches::of(&store);
    let status = store.status().map_err(Failure::asking)?;
    let held = held(&store);
    // An unreadable trail must not stop this page in an emergency.
    let (mut changes, notices, untold) = match Trail::read(&store, since, now) {
        Ok(Trail { changes, notices }) => (changes, notices, None),
        Err(error) => (Vec::new(), Vec::new(), Some(error)),
    };
    changes.extend(steps(&store, since, now));
    changes.sort_by_key(|change| std::cmp::Reverse(change.at));
    let killed: BTreeSet<&str> = status.killed.iter().map(|killed| killed.flag.as_str()).collect();
    // The newest notice counts: harm that ended earlier is not the present one.
    let harm = notices.iter().find_map(Notice::began);

    let title = format!("{} on {}", store.environment(), display::plain(&Actor::current().host));
    output.line(format!("{}, {} to {}", output.paint(BOLD, title), display::at(since), display::at(now)));
    let say = |name: &str, text: String, output: &mut Output| output.line(format!("  {name:<8} {text}"));
    let state = match (guard.state, &guard.problem) {
        (_, Some(problem)) => output.paint(WARN, display::plain(problem)),
        ("none", None) => output.paint(WARN, "nobody watches this store"),
        (state, None) => watch(state, &guard, now),
    };
    say("guard", state, output);
    let text = match &rates {
        Some(rates) => rates.text(outage.is_some(), output),
        None => output.paint(WARN, display::plain(uncounted.as_deref().unwrap_or_default())),
    };
    say("requests", text, output);
    let stop = switches.as_ref().and_then(Switches::stop);
    let also_off = stop.as_ref().map_or_else(Vec::new, |_| also_off(&store));
    match (&stop, status.killed.is_empty()) {
        (None, true) if status.kills_unknown.is_none() => {
            say("off", "nothing is killed or stopped".to_owned(), output);
        }
        _ => {
            if let Some(unknown) = &status.kills_unknown {
                say("off", output.paint(BAD, display::plain(unknown)), output);
            }
            if let Some(stop) = &stop {
                let text = format!("{} {}; `{RESUME}`", output.paint(BAD, "everything"), stop.text());
                say("off", text, output);
            }
            if let Some(text) = also_off_text(&also_off) {
                say("", output.paint(BAD, text), output);
            }
            for killed in &status.killed {
                let kill = switches.as_ref().and_then(|switches| switches.kill(&killed.flag));
                let text = kill.as_ref().map_or(String::new(), |kill| match kill.is_recorded() {
                    true => kill.text(),
                    false => format!("{}, which is not in the audit trail", kill.text()),
                });
                let flag = output.paint(BAD, display::plain(&killed.flag));
                say("off", format!("{flag} {text}; `{}`", revive(&killed.flag)), output);
                if let Some(text) = dependents_text(&killed.dependents) {
                    say("", text, output);
                }
            }
        }
    }
    for (flag, why) in held.iter().take(MAX_SHOWN_FLAGS) {
        say("held", format!("the plan of {}: {}", display::plain(flag), display::plain(why)), output);
    }
    if let Some(outage) = outage {
        let text = format!(
            "of all requests since {}, and not over by {}",
            display::at(outage.since),
            display::at(outage.until)
        );
        say("outage", output.paint(BAD, text), output);
    }
    for notice in notices.iter().take(NOTICES) {
        say("notice", format!("{} {}", dated(&notice.record, notice.misdated), notice.text()), output);
    }
    if notices.len() > NOTICES {
        say(
            "",
            format!(
                "… and {} more: `flagstone audit`",
                display::counted((notices.len() - NOTICES) as u64, "notice")
            ),
            output,
        );
    }
    output.line("");
    match (&untold, changes.len()) {
        (Some(error), _) => output.line(output.paint(WARN, display::plain(error))),
        (None, 0) => output.line("nothing was changed in that time"),
        (None, count) => output.line(format!(
            "{}, the newest first{}:",
            display::counted(count as u64, "change"),
            harm.map_or(String::new(), |at| format!("; harm began at {}", display::at(at)))
        )),
    }
    for change in changes.iter().take(CHANGES) {
        output.line(format!("  {}  {}", dated(&change.record, change.misdated), change.text(harm, now)));
        if let Some(back) = change.back(&killed, status.generation) {
            output.line(output.paint(DIM, format!("                        `{back}`")));
        }
    }
    if changes.len() > CHANGES {
        output.line(format!("  … and {} more: `flagstone history`", changes.len() - CHANGES));
    }
    output.json(&json!({
        "environment": store.environment(),
        "machine": Actor::current().host,
        "since": display::at(since),
        "at": display::at(now),
        "guard": { "state": guard.state, "since": guard.since.map(display::at), "problem": guard.problem },
        "requests": rates.as_ref().map(Rates::json),
        "telemetry_error": uncounted,
        "stop": stop.as_ref().map(|stop| {
            let mut told = stop.json();
            told["dependents"] = json!(also_off);
            told
        }),
        "killed": status.killed.iter().map(|killed| json!({
            "flag": killed.flag,
            "dependents": killed.dependents,
            "kill": switches.as_ref().and_then(|switches| switches.kill(&killed.flag)).as_ref().map(Switch::json),
            "back": revive(&killed.flag),
        })).collect::<Vec<_>>(),
        "held": held.iter().map(|(flag, why)| json!({ "flag": flag, "why": why })).collect::<Vec<_>>(),
        "outage_since": outage.map(|outage| display::at(outage.since)),
        "harm_began": harm.map(display::at),
        "notices": notices.iter().map(Notice::json).collect::<Vec<_>>(),
        "changes": changes.iter().map(|change| change.json(harm, &killed, status.generation)).collect::<Vec<_>>(),
        "audit_error": untold,
    }));
    Ok(Exit::Yes)
}

/// The state of the guard: `watches since …, last word 12 s ago: 4 flags, 1 under suspicion`.
fn watch(state: &str, guard: &GuardReport, now: i64) -> String {
    let Some(memory) = &guard.memory else { return state.to_owned() };
    let suspects = memory.flags.values().filter(|kept| kept.is_suspected()).count();
    format!(
        "{}, last word {} s ago: {}, {suspects} under suspicion",
        guard
            .since
            .map_or("does not watch yet".to_owned(), |since| format!("watches since {}", display::at(since))),
        now.saturating_sub(memory.at).max(0) / 1_000_000,
        display::counted(memory.flags.len() as u64, "flag")
    )
}

/// Held plans, each with the reason.
fn held(store: &Store) -> Vec<(String, String)> {
    let definitions = match store.generation() {
        Ok(generation) if generation > 0 => store.definitions(generation).unwrap_or_default(),
        _ => Definitions::default(),
    };
    let why = |(key, flag): (String, flagstone::definition::Flag)| {
        let held = flag.state.plan.as_ref()?.held.as_ref()?;
        Some((key, held.reason.clone()))
    };
    definitions.flags.into_iter().filter_map(why).collect()
}

/// Steps of schedules in that time, as changes without an author.
fn steps(store: &Store, since: i64, now: i64) -> Vec<Change> {
    let definitions = match store.generation() {
        Ok(generation) if generation > 0 => store.definitions(generation).unwrap_or_default(),
        _ => Definitions::default(),
    };
    let mut changes = Vec::new();
    for (key, flag) in definitions.flags.iter().filter(|(_, flag)| flag.enabled) {
        let mut before = flag.rollout.as_ref().map(|rollout| rollout.percentage);
        for step in &flag.schedule {
            let was = before.replace(step.percentage);
            let at = parse_rfc3339(step.at.as_bytes()).filter(|at| (since..=now).contains(at));
            let (Some(at), true) = (at, was != before) else { continue };
            let actor = Actor { user: "schedule".to_owned(), account: None, ..Actor::current() };
            let difference = Difference {
                flag: Some(key.clone()),
                pointer: format!("/flags/{key}/rollout/percentage"),
                before: was.map(|was| json!(was)),
                after: Some(json!(step.percentage)),
                list: None,
            };
            let record = Record::new(at, actor, store.environment(), Action::Rollout, Outcome::Done);
            let record = Record { flag: Some(key.clone()), differences: vec![difference], ..record };
            changes.push(Change { record, at, misdated: false });
        }
    }
    changes
}

/// Requests and errors while they were counted.
struct Rates {
    all: (u64, u64),
    /// Each flag that fails more often when on: requests and errors on, then off.
    flags: Vec<(String, [u64; 4])>,
    /// In an outage of slow requests: the length that those exceed, in microseconds, and their number.
    slow: Option<(u64, u64)>,
}

/// True if requests fail more often where the flag is on, given requests and errors. Without requests that have it off there is nothing
/// to compare with.
fn fails_more(on: (u64, u64), off: (u64, u64)) -> bool {
    let share = |(requests, errors): (u64, u64)| errors as f64 / requests as f64;
    on.0.min(off.0) >= MIN_REQUESTS && on.1 > 0 && share(on) > 1.5 * share(off)
}

impl Rates {
    fn measure(store: &Store, command: &Incident, outage: Option<&KeptOutage>) -> Result<Rates, Failure> {
        let before = quietly(store, &command.memory.memory)?;
        std::thread::sleep(COUNTED_FOR);
        let after = quietly(store, &command.memory.memory)?;
        let since = |after: &Cohort, before: &Cohort| {
            let requests = after.requests.saturating_sub(before.requests);
            (requests, after.errors.saturating_sub(before.errors).min(requests))
        };
        let definitions = match store.generation().map_err(Failure::asking)? {
            0 => Definitions::default(),
            generation => store.definitions(generation).map_err(Failure::asking)?,
        };
        let none = Cohort::default();
        let of = |counts: &Counts, key: &str, on: bool| {
            let counted = counts.flag(key).map(|flag| &flag.exposure);
            counted.map_or_else(|| none.clone(), |all| if on { all.on.clone() } else { all.off.clone() })
        };
        let mut flags: Vec<(String, [u64; 4])> = Vec::new();
        for key in definitions.flags.keys() {
            let on = since(&of(&after, key, true), &of(&before, key, true));
            let off = since(&of(&after, key, false), &of(&before, key, false));
            if fails_more(on, off) {
                flags.push((key.clone(), [on.0, on.1, off.0, off.1]));
            }
        }
        flags.sort_by_key(|(_, [requests, errors, ..])| std::cmp::Reverse(errors * 10_000 / requests));
        let (after, before) = (after.total(), before.total());
        let slow = outage.and_then(|outage| outage.slow).map(|bucket| {
            let above = |cohort: &Cohort| duration::above(&cohort.durations, bucket);
            (duration::upper(bucket), above(&after).saturating_sub(above(&before)))
        });
        Ok(Rates { all: since(&after, &before), flags, slow })
    }

    fn text(&self, in_outage: bool, output: &Output) -> String {
        let percent = |errors: u64, requests: u64| errors as f64 / requests.max(1) as f64 * 100.0;
        let (requests, errors) = self.all;
        if requests == 0 {
            return output.paint(WARN, "none ended in the last second");
        }
        let slow = self.slow.map_or_else(String::new, |(limit, slow)| {
            let length = display::thousands(limit.div_ceil(1_000));
            format!(", {:.1} % took longer than {length} ms", percent(slow.min(requests), requests))
        });
        let all = format!("{:.1} % of {requests} failed in the last second{slow}", percent(errors, requests));
        let flags = self.flags.iter().take(MAX_SHOWN_FLAGS).map(|(flag, [on, failed, off, of_off])| {
            let (failed, of_off) = (percent(*failed, *on), percent(*of_off, *off));
            format!("; {}: {failed:.1} % on, {of_off:.1} % off", display::plain(flag))
        });
        let style = if in_outage || percent(errors, requests) > 5.0 { BAD } else { GOOD };
        output.paint(style, format!("{all}{}", flags.collect::<String>()))
    }

    fn json(&self) -> Value {
        let rate = |requests: u64, errors: u64| json!({ "requests": requests, "errors": errors });
        let flags = self.flags.iter().map(|(flag, [on, failed, off, of_off])| {
            json!({ "flag": flag, "on": rate(*on, *failed), "off": rate(*off, *of_off) })
        });
        json!({
            "seconds": COUNTED_FOR.as_secs(),
            "requests": self.all.0,
            "errors": self.all.1,
            "slow": self.slow.map(|(limit, slow)| json!({ "longer_than_ms": limit.div_ceil(1_000), "requests": slow })),
            "flags": flags.collect::<Vec<_>>(),
        })
    }
}

/// The trail's records of that time, the newest first.
struct Trail {
    changes: Vec<Change>,
    notices: Vec<Notice>,
}

struct Change {
    record: Record,
    /// The time by the order of the trail, if a clock was wrong.
    at: i64,
    /// True if a wrong clock dated the record.
    misdated: bool,
}

/// A record of the guard: an act or a notice.
struct Notice {
    record: Record,
    misdated: bool,
}

impl Trail {
    fn read(store: &Store, since: i64, now: i64) -> Result<Trail, String> {
        let (mut records, mut times) = (Vec::<Record>::new(), Vec::new());
        let mut intended = HashMap::<u64, usize>::new();
        let read = store.read_audit(|record: Record| {
            match record.intention.and_then(|seq| intended.get(&seq).copied()) {
                Some(at) => {
                    // The outcome of an earlier record, which has the differences.
                    if let Some(before) = records.get_mut(at) {
                        before.outcome = record.outcome;
                        before.error = record.error;
                    }
                }
                None => {
                    intended.insert(record.seq, records.len());
                    times.push(parse_rfc3339(record.at.as_bytes()).unwrap_or_default());
                    records.push(record);
                }
            }
        });
        read.map_err(|error| error.to_string())?;
        let ordered = answer_history::in_order(&times, now);
        let (mut changes, mut notices) = (Vec::new(), Vec::new());
        for (record, (at, fits)) in records.into_iter().zip(ordered).rev() {
            if at < since {
                continue;
            }
            if record.guard.is_some() || record.notice.is_some() {
                notices.push(Notice { record: record.clone(), misdated: !fits });
            }
            if record.action != Action::Guard {
                changes.push(Change { record, at, misdated: !fits });
            }
        }
        Ok(Trail { changes, notices })
    }
}

impl Notice {
    /// The start of the harm in the notice, in microseconds since 1970.
    fn began(&self) -> Option<i64> {
        let since = || parse_rfc3339(self.record.since.as_deref()?.as_bytes());
        self.record.guard.as_ref().map(|finding| finding.since).or_else(since)
    }

    fn text(&self) -> String {
        let flag =
            self.record.flag.as_deref().map_or(String::new(), |flag| format!(" {}", display::plain(flag)));
        let what = self.record.notice.map_or(self.record.action.name(), NoticeKind::as_str);
        let what = what.trim_end_matches(':');
        let why =
            self.record.reason.as_deref().map_or(String::new(), |why| format!(": {}", display::plain(why)));
        format!("{what}{flag}{why}")
    }

    fn json(&self) -> Value {
        json!({
            "seq": self.record.seq,
            "at": self.record.at,
            "wrong_clock": self.misdated,
            "action": self.record.action,
            "notice": self.record.notice,
            "flag": self.record.flag,
            "text": self.record.reason,
            "finding": self.record.guard,
        })
    }
}

impl Change {
    /// The change as text: `4 s before harm  rollout checkout, rollout.percentage 10 → 50, by ann@web-1: "wider"`.
    fn text(&self, harm: Option<i64>, now: i64) -> String {
        let record = &self.record;
        let when = match self.before_harm(harm) {
            Some(0) => "about when it began".to_owned(),
            Some(seconds @ 1..) => format!("{} before harm", span(seconds)),
            Some(seconds) => format!("{} after it began", span(-seconds)),
            None => format!("{} ago", span(now.saturating_sub(self.at) / 1_000_000)),
        };
        let of = match (&record.flag, record.action.publishes()) {
            (Some(flag), _) => format!(" {}", display::plain(flag)),
            (None, true) => format!(" {}", record.to),
            (None, false) => String::new(),
        };
        let all = record.differences.len() as u64 + record.more_differences;
        let shown = record.differences.iter().find(|difference| !is_state(difference));
        let fields = match shown {
            None if all == 0 => String::new(),
            None => format!(", {}", display::counted(all, "field")),
            Some(first) => {
                let field = first.pointer.rsplit('/').next().unwrap_or("");
                let of = first.flag.as_deref().filter(|flag| record.flag.as_deref() != Some(*flag));
                let is_whole = first.pointer.split('/').count() == 3;
                let first = match (is_whole, &first.before, of) {
                    (true, None, _) => format!("{} new", display::plain(field)),
                    (true, Some(_), _) => format!("{} removed", display::plain(field)),
                    (false, _, Some(flag)) => {
                        format!("{}.{} {}", display::plain(flag), display::plain(field), values(first))
                    }
                    (false, _, None) => format!("{} {}", display::plain(field), values(first)),
                };
                let more = if all > 1 {
                    format!(" and {} more", display::counted(all - 1, "field"))
                } else {
                    String::new()
                };
                format!(", {first}{more}")
            }
        };
        let outcome = match record.outcome {
            Outcome::Done if record.unchanged => ALREADY,
            Outcome::Done => "",
            Outcome::Failed => " FAILED",
            Outcome::Intended => ", begun only",
        };
        let why = record.reason.as_deref().map_or(String::new(), |why| format!(": {}", display::quoted(why)));
        let who = display::plain(&record.actor.to_string()).into_owned();
        format!("{when}  {}{of}{fields}{outcome}, by {who}{why}", record.action.name())
    }

    /// Seconds from the change to the harm.
    fn before_harm(&self, harm: Option<i64>) -> Option<i64> {
        // An act of the guard came after the harm.
        harm.map(|harm| match &self.record.guard {
            Some(_) => (harm - self.at) / 1_000_000,
            None => display::seconds_to_harm(self.at, harm),
        })
    }

    /// The command that takes the change back and nothing else, if one does; `killed`: the flags that are killed now, and the current
    /// generation.
    fn back(&self, killed: &BTreeSet<&str>, current: u64) -> Option<String> {
        let record = &self.record;
        if record.outcome != Outcome::Done || record.unchanged {
            return None;
        }
        let flag = record.flag.as_deref();
        let is_killed = record.flag.as_deref().is_some_and(|flag| killed.contains(flag));
        match (record.action, flag) {
            // A flag that the guard killed did harm; its line among the flags that are off has the way back.
            (Action::Kill, Some(flag)) => (is_killed && record.guard.is_none()).then(|| revive(flag)),
            (Action::StopAll, _) => Some(RESUME.to_owned()),
            (Action::ResumeAll, _) => Some("flagstone stop-all --reason WHY".to_owned()),
            (Action::GuardPause, _) => Some("flagstone guard resume".to_owned()),
            (_, Some(_)) if is_killed => None,
            (Action::Rollout, Some(flag)) => self.former_percentage().map_or_else(
                || Some(kill(flag)),
                |before| Some(format!("flagstone rollout {} {before} --reason WHY", display::argument(flag))),
            ),
            (
                Action::Enable
                | Action::Revive
                | Action::Allow
                | Action::PlanStart
                | Action::PlanStage
                | Action::PlanResume
                | Action::PlanAdvance,
                Some(flag),
            ) => Some(kill(flag)),
            (action, None) if action.publishes() && record.from > 0 && record.to == current => {
                Some(format!("flagstone rollback --to {} --reason WHY", record.from))
            }
            _ => None,
        }
    }

    /// The former percentage, if no other field that affects answers was changed.
    fn former_percentage(&self) -> Option<String> {
        let mut others = self.record.differences.iter().filter(|difference| !is_state(difference));
        let (first, none) = (others.next()?, others.next().is_none());
        let is_percentage = first.pointer.ends_with("/rollout/percentage") && none;
        first.before.as_ref().filter(|_| is_percentage)?.as_f64().map(|before| before.to_string())
    }

    fn json(&self, harm: Option<i64>, killed: &BTreeSet<&str>, current: u64) -> Value {
        let record = &self.record;
        json!({
            "seq": record.seq,
            "at": record.at,
            "wrong_clock": self.misdated,
            "action": record.action,
            "outcome": record.outcome,
            "flag": record.flag,
            "from": record.from,
            "generation": record.to,
            "actor": record.actor,
            "reason": record.reason,
            "differences": record.differences,
            "more_differences": record.more_differences,
            "seconds_before_harm": self.before_harm(harm),
            "back": self.back(killed, current),
        })
    }
}

/// The record's own date, and whether it is known to be wrong.
fn dated(record: &Record, misdated: bool) -> String {
    format!("{}{}", second(&record.at), if misdated { WRONG_CLOCK } else { "" })
}

/// The command that kills the flag.
fn kill(flag: &str) -> String {
    format!("flagstone kill {} --reason WHY", display::argument(flag))
}

/// A length of time: `12 s`, `3 min`, `2 h`.
fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_store::TestStore;

    fn change(action: Action, differences: Value) -> Change {
        let record = Record::new(0, Actor::named(Some("ann")), "production", action, Outcome::Done);
        let differences = serde_json::from_value(differences).unwrap();
        Change {
            record: Record { flag: Some("search".to_owned()), differences, ..record },
            at: 0,
            misdated: false,
        }
    }

    /// It was `kill` for nearly everything, including an abort of a plan and a smaller rollout.
    #[test]
    fn the_line_that_takes_a_change_back_is_its_reverse_or_none() {
        let raised = json!([{ "flag": "search", "pointer": "/flags/search/rollout/percentage", "before": 10, "after": 20 }]);
        let nothing = BTreeSet::new();
        let back = |action, differences: &Value| change(action, differences.clone()).back(&nothing, 1);
        assert_eq!(
            back(Action::Rollout, &raised).as_deref(),
            Some("flagstone rollout search 10 --reason WHY")
        );
        assert_eq!(
            back(Action::PlanStage, &raised).as_deref(),
            Some("flagstone kill search --reason WHY"),
            "a plan's stage is more than its percentage"
        );
        for action in [Action::PlanAbort, Action::PlanHold, Action::PlanDone, Action::Disable, Action::Note] {
            assert_eq!(back(action, &json!([])), None, "{action:?}");
        }
        let killed = BTreeSet::from(["search"]);
        let kill = change(Action::Kill, json!([]));
        assert_eq!(kill.back(&killed, 1).as_deref(), Some("flagstone revive search --reason WHY"));
        assert_eq!(kill.back(&nothing, 1), None, "it was revived since");
        let mut publish = change(Action::Publish, json!([]));
        (publish.record.flag, publish.record.from, publish.record.to) = (None, 2, 3);
        assert_eq!(publish.back(&nothing, 3).as_deref(), Some("flagstone rollback --to 2 --reason WHY"));
        assert_eq!(publish.back(&nothing, 4), None, "it would revert what came after");
        assert_eq!(change(Action::Rollout, raised).back(&killed, 1), None);
    }

    /// In an outage each flag that is on for everybody was said to fail, "63.9 % on, 0.0 % off".
    #[test]
    fn a_flag_that_no_request_had_off_is_not_said_to_fail_more_often_when_on() {
        assert!(!fails_more((200, 128), (0, 0)));
        assert!(!fails_more((200, 128), (200, 120)));
        assert!(fails_more((200, 128), (200, 2)));
    }

    /// A step of a schedule was the cause, and the page said that nothing was changed.
    #[test]
    fn steps_of_schedules_are_changes() {
        let test = TestStore::make("steps");
        let (store, now) = (test.open(), flagstone::time::now());
        let minute = 60_000_000;
        let definitions = json!({ "flags": {
            "search": { "enabled": true, "rollout": { "percentage": 0 }, "schedule": [
                { "at": display::at(now - 3 * minute), "percentage": 10 }, { "at": display::at(now - minute), "percentage": 100 },
                { "at": display::at(now + minute), "percentage": 50 },
            ] },
            "off": { "enabled": false, "schedule": [{ "at": display::at(now - minute), "percentage": 100 }] },
        } });
        let by = flagstone::publish::Change { actor: Actor::named(Some("ann")), reason: None, base: None };
        store.publish(&serde_json::from_value(definitions).unwrap(), by).unwrap();
        let found = steps(&store, now - 2 * minute, now);
        let [step] = found.as_slice() else { panic!("{} steps", found.len()) };
        let text = step.text(None, now);
        assert!(text.contains("rollout search, percentage 10 → 100, by schedule@"), "{text}");
        assert_eq!(
            step.back(&BTreeSet::new(), 1).as_deref(),
            Some("flagstone rollout search 10 --reason WHY")
        );
    }
}
