//! `incident`: one page for whoever was woken: what fails, what is off, what the guard says, and what changed before it began.

use super::change::values;
use super::second;
use crate::args::{Arguments, Incident};
use crate::counted::quietly;
use crate::guarding::GuardReport;
use crate::output::{BAD, BOLD, DIM, Exit, Failure, GOOD, Outcome as Ran, Output, WARN};
use crate::switches::{RESUME, Switch, Switches, revive};
use crate::{place, words};
use flagstone::definition::Definitions;
use flagstone::eval::time::parse_rfc3339;
use flagstone::guard::NoticeKind;
use flagstone::store::{Action, Actor, Outcome, Record, Store};
use flagstone::telemetry::{Cohort, Counts};
use flagstone::why;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// Changes shown.
const CHANGES: usize = 8;
/// Notices of the guard that are shown.
const NOTICES: usize = 5;
/// Flags shown that fail, and plans that are held.
const FLAGS: usize = 3;
/// Requests that a rate is made of at least.
const ENOUGH: u64 = 10;
/// How long requests are counted for the rates.
const COUNTED_FOR: Duration = Duration::from_secs(1);

pub fn run(arguments: &Arguments, word: &Incident, output: &mut Output) -> Ran {
    let store = place::store(arguments)?;
    let (rates, uncounted) = match Rates::measure(&store, word) {
        Ok(rates) => (Some(rates), None),
        Err(Failure::Refused(error) | Failure::Unknown(error)) => (None, Some(error)),
    };
    let now = words::now();
    let since = word.since.unwrap_or(now - 3_600_000_000);
    let guard = GuardReport::of(&store, now);
    let switches = Switches::of(&store);
    let status = store.status().map_err(Failure::asking)?;
    let held = held(&store);
    // An emergency is no time for a trail that cannot be read.
    let (changes, notices, untold) = match Trail::read(&store, since, now) {
        Ok(Trail { changes, notices }) => (changes, notices, None),
        Err(error) => (Vec::new(), Vec::new(), Some(error)),
    };
    let harm = notices.iter().filter_map(Notice::began).min();

    let title = format!("{} on {}", store.environment(), words::plain(&Actor::current().host));
    output.line(format!("{}, {} to {}", output.paint(BOLD, title), words::at(since), words::at(now)));
    let say = |name: &str, text: String, output: &mut Output| output.line(format!("  {name:<8} {text}"));
    let state = match (guard.state, &guard.problem) {
        (_, Some(problem)) => output.paint(WARN, words::plain(problem)),
        ("none", None) => output.paint(WARN, "nobody watches this store"),
        (state, None) => watch(state, &guard, now),
    };
    say("guard", state, output);
    let text = match &rates {
        Some(rates) => rates.text(output),
        None => output.paint(WARN, words::plain(uncounted.as_deref().unwrap_or_default())),
    };
    say("requests", text, output);
    let stop = switches.as_ref().and_then(Switches::stop);
    match (&stop, status.killed.is_empty()) {
        (None, true) => say("off", "nothing is killed or stopped".to_owned(), output),
        _ => {
            if let Some(stop) = &stop {
                let text = format!("{} {}; `{RESUME}`", output.paint(BAD, "everything"), stop.text());
                say("off", text, output);
            }
            for killed in &status.killed {
                let kill = switches.as_ref().and_then(|switches| switches.kill(&killed.flag));
                let text = kill.as_ref().map_or(String::new(), |kill| match kill.is_recorded() {
                    true => kill.text(),
                    false => format!("{}, which is not in the audit trail", kill.text()),
                });
                let flag = output.paint(BAD, words::plain(&killed.flag));
                say("off", format!("{flag} {text}; `{}`", revive(&killed.flag)), output);
            }
        }
    }
    for (flag, why) in held.iter().take(FLAGS) {
        say("held", format!("the plan of {}: {}", words::plain(flag), words::plain(why)), output);
    }
    for notice in notices.iter().take(NOTICES) {
        say("notice", format!("{} {}", second(&notice.record.at), notice.text()), output);
    }
    output.line("");
    match (&untold, changes.len()) {
        (Some(error), _) => output.line(output.paint(WARN, words::plain(error))),
        (None, 0) => output.line("nothing was changed in that time"),
        (None, count) => output.line(format!(
            "{}, the newest first{}:",
            words::counted(count as u64, "change"),
            harm.map_or(String::new(), |at| format!("; harm began at {}", words::at(at)))
        )),
    }
    for change in changes.iter().take(CHANGES) {
        output.line(format!("  {}  {}", second(&change.record.at), change.text(harm, now)));
        if let Some(back) = change.back() {
            output.line(output.paint(DIM, format!("                        `{back}`")));
        }
    }
    if changes.len() > CHANGES {
        output.line(format!("  … and {} more: `flagstone history`", changes.len() - CHANGES));
    }
    output.json(&json!({
        "environment": store.environment(),
        "machine": Actor::current().host,
        "since": words::at(since),
        "at": words::at(now),
        "guard": { "state": guard.state, "since": guard.since.map(words::at), "problem": guard.problem },
        "requests": rates.as_ref().map(Rates::json),
        "telemetry_error": uncounted,
        "stop": stop.as_ref().map(Switch::json),
        "killed": status.killed.iter().map(|killed| json!({
            "flag": killed.flag,
            "kill": switches.as_ref().and_then(|switches| switches.kill(&killed.flag)).as_ref().map(Switch::json),
            "back": revive(&killed.flag),
        })).collect::<Vec<_>>(),
        "held": held.iter().map(|(flag, why)| json!({ "flag": flag, "why": why })).collect::<Vec<_>>(),
        "harm_began": harm.map(words::at),
        "notices": notices.iter().map(Notice::json).collect::<Vec<_>>(),
        "changes": changes.iter().map(|change| change.json(harm)).collect::<Vec<_>>(),
        "audit_error": untold,
    }));
    Ok(Exit::Yes)
}

/// `watches since …, last word 12 s ago: 4 flags, 1 under suspicion`.
fn watch(state: &str, guard: &GuardReport, now: i64) -> String {
    let Some(memory) = &guard.memory else { return state.to_owned() };
    let suspects = memory.flags.values().filter(|kept| kept.evidence > 0.3).count();
    format!(
        "watches since {}, last word {} s ago: {}, {suspects} under suspicion",
        words::at(memory.began),
        now.saturating_sub(memory.at).max(0) / 1_000_000,
        words::counted(memory.flags.len() as u64, "flag")
    )
}

/// Plans that are held, and why.
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

/// What requests came to while they were counted.
struct Rates {
    all: (u64, u64),
    /// Each flag that fails more often where it is on: requests and errors, on and off.
    flags: Vec<(String, [u64; 4])>,
}

impl Rates {
    fn measure(store: &Store, word: &Incident) -> Result<Rates, Failure> {
        let before = quietly(store, &word.memory.memory)?;
        std::thread::sleep(COUNTED_FOR);
        let after = quietly(store, &word.memory.memory)?;
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
            let share = |(requests, errors): (u64, u64)| errors as f64 / requests.max(1) as f64;
            if on.0 >= ENOUGH && on.1 > 0 && share(on) > 1.5 * share(off) {
                flags.push((key.clone(), [on.0, on.1, off.0, off.1]));
            }
        }
        flags.sort_by_key(|(_, [requests, errors, ..])| std::cmp::Reverse(errors * 10_000 / requests));
        Ok(Rates { all: since(&after.total(), &before.total()), flags })
    }

    fn text(&self, output: &Output) -> String {
        let percent = |errors: u64, requests: u64| errors as f64 / requests.max(1) as f64 * 100.0;
        let (requests, errors) = self.all;
        if requests == 0 {
            return output.paint(WARN, "none ended in the last second");
        }
        let all = format!("{:.1} % of {requests} failed in the last second", percent(errors, requests));
        let flags = self.flags.iter().take(FLAGS).map(|(flag, [on, failed, off, of_off])| {
            let (failed, of_off) = (percent(*failed, *on), percent(*of_off, *off));
            format!("; {}: {failed:.1} % on, {of_off:.1} % off", words::plain(flag))
        });
        let style = if percent(errors, requests) > 5.0 { BAD } else { GOOD };
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
            "flags": flags.collect::<Vec<_>>(),
        })
    }
}

/// What the trail has of that time, the newest first.
struct Trail {
    changes: Vec<Change>,
    notices: Vec<Notice>,
}

/// A change.
struct Change {
    record: Record,
    /// By the order of the trail, where a clock was wrong.
    at: i64,
}

/// A record of the guard: an act or a notice.
struct Notice {
    record: Record,
    at: i64,
}

impl Trail {
    fn read(store: &Store, since: i64, now: i64) -> Result<Trail, String> {
        let (mut records, mut times) = (Vec::<Record>::new(), Vec::new());
        let mut intended = HashMap::<u64, usize>::new();
        let read = store.read_audit(|record: Record| {
            match record.intention.and_then(|seq| intended.get(&seq).copied()) {
                Some(at) => {
                    // The outcome of what is there already, whose differences it does not repeat.
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
        let ordered = why::in_order(&times, now);
        let (mut changes, mut notices) = (Vec::new(), Vec::new());
        for (record, (at, _)) in records.into_iter().zip(ordered).rev() {
            if at < since {
                continue;
            }
            if record.guard.is_some() || record.notice.is_some() {
                notices.push(Notice { record: record.clone(), at });
            }
            if record.action != Action::Guard {
                changes.push(Change { record, at });
            }
        }
        Ok(Trail { changes, notices })
    }
}

impl Notice {
    /// When the harm began that it tells of; microseconds since 1970.
    fn began(&self) -> Option<i64> {
        let outage = self.record.notice == Some(NoticeKind::Outage);
        self.record.guard.as_ref().map(|finding| finding.since).or(outage.then_some(self.at))
    }

    fn text(&self) -> String {
        let flag =
            self.record.flag.as_deref().map_or(String::new(), |flag| format!(" {}", words::plain(flag)));
        let what = self.record.notice.map_or(self.record.action.word(), NoticeKind::as_str);
        let what = what.trim_end_matches(':');
        let why =
            self.record.reason.as_deref().map_or(String::new(), |why| format!(": {}", words::plain(why)));
        format!("{what}{flag}{why}")
    }

    fn json(&self) -> Value {
        json!({
            "seq": self.record.seq,
            "at": self.record.at,
            "action": self.record.action,
            "notice": self.record.notice,
            "flag": self.record.flag,
            "text": self.record.reason,
            "finding": self.record.guard,
        })
    }
}

impl Change {
    /// `4 s before harm  rollout checkout, rollout.percentage 10 → 50, by ann@web-1: "wider"`.
    fn text(&self, harm: Option<i64>, now: i64) -> String {
        let record = &self.record;
        let when = match self.before_harm(harm) {
            Some(seconds @ 0..) => format!("{} before harm", span(seconds)),
            Some(seconds) => format!("{} after it began", span(-seconds)),
            None => format!("{} ago", span(now.saturating_sub(self.at) / 1_000_000)),
        };
        let of = match (&record.flag, record.action.publishes()) {
            (Some(flag), _) => format!(" {}", words::plain(flag)),
            (None, true) => format!(" {}", record.to),
            (None, false) => String::new(),
        };
        let all = record.differences.len() as u64 + record.more_differences;
        let fields = match record.differences.as_slice() {
            [] => String::new(),
            [first, ..] => {
                let field = first.pointer.rsplit('/').next().unwrap_or("");
                let of = first.flag.as_deref().filter(|flag| record.flag.as_deref() != Some(*flag));
                let is_whole = first.pointer.split('/').count() == 3;
                let first = match (is_whole, &first.before, of) {
                    (true, None, _) => format!("{} new", words::plain(field)),
                    (true, Some(_), _) => format!("{} removed", words::plain(field)),
                    (false, _, Some(flag)) => {
                        format!("{}.{} {}", words::plain(flag), words::plain(field), values(first))
                    }
                    (false, _, None) => format!("{} {}", words::plain(field), values(first)),
                };
                let more = if all > 1 {
                    format!(" and {} more", words::counted(all - 1, "field"))
                } else {
                    String::new()
                };
                format!(", {first}{more}")
            }
        };
        let outcome = match record.outcome {
            Outcome::Done => "",
            Outcome::Failed => " FAILED",
            Outcome::Intended => ", begun only",
        };
        let why = record.reason.as_deref().map_or(String::new(), |why| format!(": {}", words::quoted(why)));
        let who = words::plain(&record.actor.to_string()).into_owned();
        format!("{when}  {}{of}{fields}{outcome}, by {who}{why}", record.action.word())
    }

    /// Seconds from it to the harm.
    fn before_harm(&self, harm: Option<i64>) -> Option<i64> {
        harm.map(|harm| (harm - self.at) / 1_000_000)
    }

    /// What to type to take it back, if one command does.
    fn back(&self) -> Option<String> {
        let record = &self.record;
        if record.outcome != Outcome::Done {
            return None;
        }
        let flag = record.flag.as_deref().map(words::plain);
        match (record.action, flag) {
            (Action::Kill, Some(flag)) => Some(revive(&flag)),
            (Action::StopAll, _) => Some(RESUME.to_owned()),
            (Action::ResumeAll, _) => Some("flagstone stop-all --reason WHY".to_owned()),
            (Action::PlanHold | Action::PlanBack | Action::Disable | Action::Deny, _) => None,
            (Action::GuardPause, _) => Some("flagstone guard resume".to_owned()),
            (_, Some(flag)) => Some(format!("flagstone kill {flag} --reason WHY")),
            (action, None) if action.publishes() && record.from > 0 => {
                Some(format!("flagstone rollback --to {} --reason WHY", record.from))
            }
            _ => None,
        }
    }

    fn json(&self, harm: Option<i64>) -> Value {
        let record = &self.record;
        json!({
            "seq": record.seq,
            "at": record.at,
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
            "back": self.back(),
        })
    }
}

/// `12 s`, `3 min`, `2 h`.
fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}
