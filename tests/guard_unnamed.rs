//! Flags that are asked without a company: what the guard makes of them, by counters that real recorders write.

mod support;

use flagstone::guard::{Finding, Guard, Policy, Reading, Sample};
use flagstone::telemetry::{AnsweredQuestion, Ending, Recorder, Status, read};
use flagstone::{Attribute, Key, Question, Snapshot, Switches, compile, evaluate};
use std::path::Path;
use support::{stores::definitions, trusted_dir};

const SECOND: i64 = 1_000_000;
/// 2026-11-21T12:00:00Z.
const NOON: i64 = 1_795_262_400 * SECOND;
/// One that is there: memory of stores that are gone is swept away.
const STORE: &str = "/usr";
const SECONDS: i64 = 360;

/// Plays 40 requests a second for six minutes, half of which ask no flag. From the second minute on requests of visitors fail where
/// `fails` says so of the visitor, the request's number and the answer. What was found first, companies that were counted, and bad responses.
fn play(flags: &str, visitors: u64, fails: impl Fn(u64, u64, bool) -> bool) -> (Option<Finding>, f64, u64) {
    play_with(flags, visitors, |_| false, fails)
}

/// The same, where some requests name a company.
fn play_with(
    flags: &str,
    visitors: u64,
    names: impl Fn(u64) -> bool,
    fails: impl Fn(u64, u64, bool) -> bool,
) -> (Option<Finding>, f64, u64) {
    let bytes = compile(&definitions(flags), "testing").expect("compiles");
    let (directory, snapshot) = (trusted_dir(), Snapshot::from_bytes(&bytes).expect("opens"));
    let mut workers: Vec<Recorder> = (0..4)
        .map(|_| Recorder::open(directory.path(), Path::new(STORE), &snapshot, NOON).expect("one"))
        .collect();
    let (mut guard, mut random, mut number, mut bad) = (Guard::new(), 7_u64, 0_u64, 0);
    let mut companies = 0.0;
    for second in 1..SECONDS {
        let now = NOON + second * SECOND;
        for request in 0..40_u64 {
            number += 1;
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let worker = &mut workers[(random >> 40) as usize % 4];
            let clock = second as u64 * 1_000_000_000 + request * 25_000_000 + (random >> 50);
            worker.begin_awaited(clock);
            let mut status = Status::Http(200);
            if request % 2 == 0 {
                let visitor = (random >> 33) % visitors;
                let flag = snapshot.find(b"checkout").expect("a flag");
                let context = [("user", Attribute::Int(visitor as i64))];
                let company = names(number).then_some(Key::Int((random >> 20) as i64 % 500));
                let question = Question { company, context: &context, now };
                let answer = evaluate(&snapshot, &Switches::none(), flag, &question);
                let (on, reason, bucket) = (answer.on, answer.reason, answer.bucket);
                worker.answered(&snapshot, &AnsweredQuestion { flag, on, reason, company, bucket }, true);
                if second > 60 && fails(visitor, number, on) {
                    (status, bad) = (Status::Http(500), bad + 1);
                }
            }
            worker.end(&Ending { status, clock: clock + 20_000_000, now });
        }
        let counts = read(directory.path(), Path::new(STORE), now, |_| true).expect("counts");
        let counted = counts.flag("checkout").expect("asked");
        companies = counted.companies;
        let unnamed = counted.unnamed_share();
        let reading = Reading { unnamed, ..Reading::new(now, 1, NOON - 60 * SECOND, &counted.exposure) };
        let policy = Policy::default();
        let sample = Sample::new("checkout", reading, &policy);
        if let Some(found) = guard.watch(now, &[sample], Some((&counts.total(), 1))).act {
            return (Some(found), companies, bad);
        }
    }
    (None, companies, bad)
}

const FULL: &str = r#"{"checkout": {"enabled": true}}"#;
const BY_USER: &str = r#"{"checkout": {"enabled": true, "rollout": {"percentage": 30, "by": "user"}}}"#;

/// Half of the visitors have it, by a rule: neither a company nor a bucket tells them apart.
const RULE: &str = r#"{"checkout": {"enabled": true, "rollout": {"percentage": 0}, "rules": [{"when": {"attribute": "user", "lt": 30}}]}}"#;

/// All of them were one group of companies, so that the guard never took the flag back.
#[test]
fn harm_of_a_flag_that_is_asked_without_a_company_is_taken_back() {
    for (flags, name) in [(FULL, "on for everybody"), (BY_USER, "by user")] {
        let (found, companies, bad) = play(flags, 300, |_, number, on| on && number % 10 < 3);
        println!("{name}: {bad} bad responses: {found:?}");
        assert!(found.is_some(), "{name}: {bad} bad responses");
        assert_eq!(companies, 0.0, "they are no companies");
    }
}

#[test]
fn one_visitor_with_a_broken_browser_convicts_no_flag() {
    // One of 40 visitors: more than two requests of a hundred.
    for flags in [FULL, BY_USER] {
        for visitor in [0, 7, 13] {
            let (found, _, bad) = play(flags, 40, |who, _, _| who == visitor);
            assert!(bad > 20 && found.is_none(), "{flags} {visitor}: {bad} {found:?}");
        }
    }
    // By user, one is told from many whatever the share.
    let on = |_: u64, _: u64, on: bool| on;
    let (found, _, _) = play(BY_USER, 3, on);
    assert!(found.is_none(), "{found:?}");
}

/// A flag that one question of hundreds named a company for counted as one whose callers are all named: one visitor was many companies.
#[test]
fn one_visitor_with_a_broken_browser_convicts_no_flag_that_some_name_a_company_for() {
    for each in [20, 300] {
        let (found, companies, bad) =
            play_with(RULE, 60, |number| number % each == 1, |who, _, on| on && who == 7);
        assert!(bad > 60 && companies >= 1.0 && found.is_none(), "{each}: {bad} {companies} {found:?}");
        // Harm is found as before.
        let (found, _, bad) =
            play_with(RULE, 60, |number| number % each == 1, |_, number, on| on && number % 10 < 3);
        assert!(found.is_some(), "{each}: {bad} bad responses");
    }
}
