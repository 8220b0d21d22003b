//! `metrics`: prints the workers' counters, and what they answer from, as OpenMetrics text for Prometheus and its kin.

use crate::args::{Arguments, Memory};
use crate::counters::{CLASSES, Seen, counts, shut_out};
use crate::guard::GuardReport;
use crate::openmetrics::{Kind, Text};
use crate::output::{Exit, Outcome, Output};
use crate::{identity, store_view};
use flagstone::publish::Store;
use flagstone::telemetry::{Cohort, Counts, FlagCounts, duration};
use std::fmt::Display;

/// Ends of a histogram's buckets, as powers of two in microseconds: 512 µs to 67 s.
const ENDS: std::ops::RangeInclusive<u32> = 9..=26;

pub fn run(arguments: &Arguments, command: &Memory, output: &mut Output) -> Outcome {
    let store = store_view::store(arguments)?;
    let seen = Seen::of(&store)?;
    let counts = counts(&store, &command.memory, output)?;
    let mut text = Text::default();
    of_store(&seen, &counts, &mut text);
    let shut_out = shut_out(&store, &command.memory).len();
    gauge(&mut text, "flagstone_users_shut_out", "Users who counted, and cannot read the store", shut_out);
    of_kills(&store, &mut text);
    of_memory(&counts, &mut text);
    of_guard(&store, &mut text);
    of_plans(&store, &mut text);
    of_conflicts(&store, &mut text);
    of_agent(&store, &mut text);
    of_trail(&store, &mut text);
    let known: Vec<_> = seen.view.snapshot.iter().flat_map(|snapshot| counts.of(snapshot)).collect();
    of_answers(&known, &mut text);
    of_requests(&known, &mut text);
    output.bytes(text.finish().as_bytes());
    Ok(Exit::Yes)
}

fn of_store(seen: &Seen, counts: &Counts, text: &mut Text) {
    let status = &seen.status;
    text.family("flagstone_store_info", Kind::Gauge, "The store, and where its answers come from");
    let labels = [
        ("environment", status.environment.as_str()),
        ("version", env!("CARGO_PKG_VERSION")),
        ("source", status.source.as_str()),
    ];
    text.sample("", &labels, 1);
    gauge(text, "flagstone_generation", "Generation that answers", status.generation);
    gauge(text, "flagstone_head_generation", "Generation that is published", status.head_generation);
    let degraded = u8::from(!seen.is_current());
    gauge(text, "flagstone_degraded", "1 where the newest definitions do not answer", degraded);
    gauge(text, "flagstone_stopped", "1 while everything is stopped", u8::from(status.stopped));
    gauge(text, "flagstone_flags_killed", "Flags that are killed", status.killed.len());
    let workers = "Threads that count in cells of their own, and live";
    gauge(text, "flagstone_workers", workers, counts.workers.len());
    let behind =
        "Of these, those that answered from another generation 10 seconds after this one was published";
    gauge(text, "flagstone_workers_behind", behind, seen.behind(counts));
    if let Some(age) = seen.age() {
        text.family(
            "flagstone_snapshot_age_seconds",
            Kind::GaugeOf("seconds"),
            "Since that generation was published",
        );
        text.sample("", &[], age);
    }
    if let Some(error) = &status.last_error {
        text.family("flagstone_last_error_info", Kind::Gauge, "Why the newest definitions do not answer");
        text.sample("", &[("error", error)], 1);
    }
}

/// Killed flags, and the ability to kill more.
fn of_kills(store: &Store, text: &mut Text) {
    if identity::may_change(store) {
        let writable = u8::from(!store.is_read_only() && store.can_change().is_ok());
        gauge(text, "flagstone_store_writable", "1 where kill, stop-all and the guard can act", writable);
    }
    let Ok(killed) = store.killed_since() else { return };
    let help = "Since when a flag has been killed";
    text.family("flagstone_killed_since_timestamp_seconds", Kind::GaugeOf("seconds"), help);
    for (flag, since) in &killed {
        text.sample("", &[("flag", flag.as_str())], since / 1_000_000);
    }
}

/// Microseconds of silence after which a daemon is down: it says that it runs once a minute.
const DAEMON_SILENCE: u64 = 180_000_000;

/// The values of the label `state` of `flagstone_guard_state`.
const STATES: [&str; 9] =
    ["none", "watching", "paused", "stopped", "blind", "helpless", "silent", "restarting", "ended"];

/// The guard's state, for an alert "the guard is dead": `flagstone_guard_watching == 0`.
fn of_guard(store: &Store, text: &mut Text) {
    let report = GuardReport::of(store, flagstone::time::now());
    let watching = matches!(report.state, "watching" | "stopped");
    gauge(text, "flagstone_guard_watching", "1 while a guard sees requests and may act", u8::from(watching));
    let meant = "1 where a guard watches, or watched within a day without being told to end";
    gauge(text, "flagstone_guard_expected", meant, u8::from(report.is_meant()));
    text.family("flagstone_guard_state", Kind::Gauge, "1 for the state that the guard is in");
    for state in STATES {
        text.sample("", &[("state", state)], u8::from(state == report.state));
    }
    let Some(memory) = &report.memory else { return };
    text.family(
        "flagstone_guard_said_timestamp_seconds",
        Kind::GaugeOf("seconds"),
        "When the guard last wrote down what it knows",
    );
    text.sample("", &[], memory.at / 1_000_000);
    gauge(text, "flagstone_guard_flags", "Flags that the guard watches", memory.flags.len());
    text.family("flagstone_guard_evidence", Kind::Gauge, "How far evidence against a flag has come, 0 to 1");
    for (flag, kept) in &memory.flags {
        text.sample("", &[("flag", flag)], kept.evidence);
    }
}

fn of_conflicts(store: &Store, text: &mut Text) {
    let Ok(conflicts) = store.open_conflicts() else { return };
    let help = "Fields that a file and somebody where the flag runs changed differently, and nobody settled";
    gauge(text, "flagstone_conflicts", help, conflicts.len());
}

/// What the agent answered until it said so last, at most a minute ago while it runs.
fn of_agent(store: &Store, text: &mut Text) {
    let Ok(Some(counts)) = store.agent_counts() else { return };
    text.family(
        "flagstone_agent_requests",
        Kind::Counter,
        "Requests by the right that they need, and status",
    );
    for (right, answers) in &counts.answers {
        for (status, count) in answers {
            text.sample("_total", &[("right", right), ("status", &status.to_string())], count);
        }
    }
    let help = "Connections to the agent, and those that were one too many";
    text.family("flagstone_agent_connections", Kind::Counter, help);
    text.sample("_total", &[("served", "yes")], counts.connections);
    text.sample("_total", &[("served", "no")], counts.refused_connections);
}

fn of_plans(store: &Store, text: &mut Text) {
    let definitions = store.generation().ok().filter(|generation| *generation > 0);
    let definitions =
        definitions.and_then(|generation| store.definitions(generation).ok()).unwrap_or_default();
    let plans =
        || definitions.flags.iter().filter_map(|(key, flag)| Some((key.as_str(), flag.state.plan.as_ref()?)));
    text.family("flagstone_plan_stage", Kind::Gauge, "Stage that a flag's plan is in, counted from 1");
    for (flag, plan) in plans() {
        text.sample("", &[("flag", flag)], plan.stage() + 1);
    }
    text.family("flagstone_plan_held", Kind::Gauge, "1 where a flag's plan is held");
    for (flag, plan) in plans() {
        text.sample("", &[("flag", flag)], u8::from(plan.held.is_some()));
    }
}

/// Acts of the guard by the trail, and whether that can be read; the daemon; and changes that endpoints wait for.
fn of_trail(store: &Store, text: &mut Text) {
    let acts = store.guard_acts();
    text.family("flagstone_guard_acts", Kind::Counter, "What the guard did, by the audit trail's action");
    for (action, count) in acts.as_ref().into_iter().flatten() {
        text.sample("_total", &[("action", action.name())], count);
    }
    gauge(text, "flagstone_audit_readable", "1 where the audit trail can be read", u8::from(acts.is_ok()));
    let ran = store.daemon_ran().ok().flatten();
    let up = ran.is_some_and(|at| flagstone::time::now().abs_diff(at) < DAEMON_SILENCE);
    gauge(
        text,
        "flagstone_daemon_up",
        "1 where a daemon moved plans within the last three minutes",
        u8::from(up),
    );
    let Ok(config) = store.config() else { return };
    text.family("flagstone_notify_waiting", Kind::Gauge, "Changes that an endpoint was not told of yet");
    for endpoint in config.notify.keys() {
        let endpoint = endpoint.as_str();
        let waiting = store.cursor(endpoint).and_then(|cursor| store.unsent(cursor.as_ref()));
        if let Ok(waiting) = waiting {
            text.sample("", &[("endpoint", endpoint)], waiting.changes.len());
        }
    }
}

fn of_memory(counts: &Counts, text: &mut Text) {
    for (name, help, value) in [
        ("flagstone_unknown_flag_questions", "Questions for flags that there are not", counts.unknown),
        ("flagstone_answers_without_room", "Answers of flags that there was no room for", counts.others),
        ("flagstone_flags_without_room", "How often a thread met such a flag", counts.dropped_flags),
        (
            "flagstone_exposures_dropped",
            "Flags of one request beyond those that are followed",
            counts.dropped_exposures,
        ),
        ("flagstone_events_dropped", "Events and variants that there was no room for", counts.dropped_events),
    ] {
        text.family(name, Kind::Counter, help);
        text.sample("_total", &[], value);
    }
    let left_out = counts.sources.iter().filter(|source| source.left_out.is_some()).count();
    gauge(text, "flagstone_telemetry_files_left_out", "Files of counters that are not believed", left_out);
}

fn gauge(text: &mut Text, name: &str, help: &str, value: impl Display) {
    text.family(name, Kind::Gauge, help);
    text.sample("", &[], value);
}

fn of_answers(known: &[(&str, &FlagCounts)], text: &mut Text) {
    text.family("flagstone_answers", Kind::Counter, "Answers by flag, on and off, and reason");
    for (key, flag) in known {
        for (answer, reason, count) in flag.reasons() {
            let labels = [("flag", *key), ("answer", answer), ("reason", reason.as_str())];
            text.sample("_total", &labels, count);
        }
    }
    text.family(
        "flagstone_companies",
        Kind::Gauge,
        "Distinct companies asked about in the last day, estimated",
    );
    for (key, flag) in known {
        text.sample("", &[("flag", key)], flag.companies.round());
    }
}

fn of_requests(known: &[(&str, &FlagCounts)], text: &mut Text) {
    text.family("flagstone_requests", Kind::Counter, "Requests by flag, cohort and class of status");
    for (key, flag) in known {
        for (cohort, classes) in ["on", "off"].into_iter().zip(&flag.classes) {
            for (class, count) in CLASSES.into_iter().zip(classes).filter(|(_, count)| **count > 0) {
                text.sample("_total", &[("flag", key), ("cohort", cohort), ("status", class)], count);
            }
        }
    }
    text.family("flagstone_gated_requests", Kind::Counter, "Requests that the flag itself ended");
    for (key, flag) in known {
        text.sample("_total", &[("flag", key)], flag.exposure.gated);
    }
    let mixed = "Requests in which the flag was on for one company and off for another";
    text.family("flagstone_mixed_requests", Kind::Counter, mixed);
    for (key, flag) in known {
        text.sample("_total", &[("flag", key)], flag.exposure.mixed);
    }
    let help = "How long requests took, by flag and cohort";
    text.family("flagstone_request_duration_seconds", Kind::HistogramOf("seconds"), help);
    for (key, flag) in known {
        for (name, cohort) in [("on", &flag.exposure.on), ("off", &flag.exposure.off)] {
            histogram(&[("flag", key), ("cohort", name)], cohort, text);
        }
    }
}

/// Durations are whole microseconds, and a bucket's end is the next one's start: `le` is off by one microsecond.
fn histogram(labels: &[(&str, &str)], cohort: &Cohort, text: &mut Text) {
    let all = duration::all(&cohort.durations);
    if all == 0 {
        return;
    }
    let with = |le: &str, count: u64, text: &mut Text| {
        let labels: Vec<(&str, &str)> = labels.iter().copied().chain([("le", le)]).collect();
        text.sample("_bucket", &labels, count);
    };
    for power in ENDS {
        let end = 1_u64 << power;
        let longer = duration::above(&cohort.durations, duration::bucket(end - 1));
        with(&format!("{}", end as f64 / 1e6), all.saturating_sub(longer), text);
    }
    with("+Inf", all, text);
    let time = cohort.groups.iter().fold(0_u64, |sum, group| sum.saturating_add(group.time));
    text.sample("_sum", labels, time as f64 / 1e6);
    text.sample("_count", labels, all);
}
