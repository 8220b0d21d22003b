//! `trace` against asking every generation at every moment.

use flagstone::answer_history::{AnswerHistory, History, HistoryQuery, in_order, trace};
use flagstone::audit::{Action, Actor, Outcome, Record, SettledChange, diff, settle};
use flagstone::definition::{CompanyId, Definitions};
use flagstone::time::{format_rfc3339, parse_rfc3339};
use flagstone::{Key, Question, Snapshot, Switches, compile, definition, enabled};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const START: &str = "2026-11-21T00:00:00Z";
const SECOND: i64 = 1_000_000;
const FLAGS: [&str; 4] = ["a", "b", "c", "d"];

/// What happens to a store, a minute apart.
#[derive(Debug, Clone)]
enum Happening {
    Publish(Value),
    Kill(usize),
    Revive(usize),
    Stop,
    Resume,
    Nothing,
}

fn definitions(json: &Value) -> Definitions {
    let text = json.to_string();
    definition::load("test", text.as_bytes(), None, "2026-11-21")
        .unwrap_or_else(|report| panic!("{report}"))
        .definitions
}

fn start() -> i64 {
    parse_rfc3339(START.as_bytes()).unwrap()
}

fn record(seq: u64, at: i64, action: Action, flag: Option<&str>, (from, to): (u64, u64)) -> Record {
    let actor = Actor {
        user: "deploy".to_owned(),
        account: None,
        uid: 1_000,
        host: "web-1".to_owned(),
        claimed: false,
    };
    let record = Record::new(at, actor, "test", action, Outcome::Done);
    Record { seq, flag: flag.map(str::to_owned), from, to, ..record }
}

/// A store after all that, and what a company was answered before and after each moment.
struct Story {
    records: Vec<Record>,
    generations: Vec<Definitions>,
    killed: BTreeSet<String>,
    stopped: bool,
    /// When, which flag, and the answer before and after.
    turns: BTreeSet<(String, String, bool, bool)>,
}

fn answers(
    definitions: &Definitions,
    killed: &BTreeSet<String>,
    stopped: bool,
    company: i64,
    now: i64,
) -> [bool; 4] {
    let bytes = compile(definitions, "test").unwrap();
    let snapshot = Snapshot::from_bytes(&bytes).unwrap();
    let switches = Switches::new(&snapshot, killed.iter().map(String::as_bytes), stopped);
    let question = Question { company: Some(Key::Int(company)), context: &(), now };
    FLAGS.map(|flag| {
        snapshot.find(flag.as_bytes()).is_some_and(|id| enabled(&snapshot, &switches, id, &question))
    })
}

fn told(happenings: &[Happening], company: i64) -> Story {
    let mut story = Story {
        records: vec![record(1, start(), Action::Init, None, (0, 0))],
        generations: vec![Definitions::default()],
        killed: BTreeSet::new(),
        stopped: false,
        turns: BTreeSet::new(),
    };
    // Quiet minutes follow.
    let quiet = std::iter::repeat_n(&Happening::Nothing, 6);
    for (number, happening) in happenings.iter().chain(quiet).enumerate() {
        let at = start() + (number as i64 + 1) * 60 * SECOND;
        let seq = number as u64 + 2;
        let generation = story.generations.len() as u64 - 1;
        let now = |story: &Story, at| {
            answers(story.generations.last().unwrap(), &story.killed, story.stopped, company, at)
        };
        let turn = |story: &mut Story, at, before: [bool; 4], after: [bool; 4]| {
            for (number, flag) in
                FLAGS.iter().enumerate().filter(|(number, _)| before[*number] != after[*number])
            {
                story.turns.insert((format_rfc3339(at), (*flag).to_owned(), before[number], after[number]));
            }
        };
        // Steps of schedules stand half a minute before a change, and what is after one begins a microsecond later.
        let step = at - 30 * SECOND;
        for at in [step, step + 1] {
            let (before, after) = (now(&story, at - 1), now(&story, at));
            turn(&mut story, at, before, after);
        }
        let before = now(&story, at);
        let flag = |flag: &usize| FLAGS[*flag].to_owned();
        match happening {
            Happening::Publish(json) => {
                let next = definitions(json);
                let mut record = record(seq, at, Action::Publish, None, (generation, generation + 1));
                record.differences = diff(story.generations.last().unwrap(), &next);
                if record.differences.is_empty() {
                    continue;
                }
                story.records.push(record);
                story.generations.push(next);
            }
            Happening::Kill(number) if story.killed.insert(flag(number)) => {
                story.records.push(record(
                    seq,
                    at,
                    Action::Kill,
                    Some(FLAGS[*number]),
                    (generation, generation),
                ));
            }
            Happening::Revive(number) if story.killed.remove(&flag(number)) => {
                story.records.push(record(
                    seq,
                    at,
                    Action::Revive,
                    Some(FLAGS[*number]),
                    (generation, generation),
                ));
            }
            Happening::Stop | Happening::Resume if story.stopped != matches!(happening, Happening::Stop) => {
                story.stopped = matches!(happening, Happening::Stop);
                let action = if story.stopped { Action::StopAll } else { Action::ResumeAll };
                story.records.push(record(seq, at, action, None, (generation, generation)));
            }
            _ => continue,
        }
        let after = now(&story, at);
        turn(&mut story, at, before, after);
    }
    story
}

fn asked(story: &Story, company: i64, keep: bool) -> AnswerHistory {
    let generation = story.generations.len() as u64 - 1;
    let past = History {
        environment: "test".to_owned(),
        definitions: story.generations.last().unwrap().clone(),
        generation,
        killed: story.killed.iter().map(|flag| (flag.clone(), 0)).collect(),
        stopped: None,
        changes: settle(story.records.clone(), generation).0,
        whole: true,
        now: i64::MAX,
        missing: Vec::new(),
    };
    // The head knows of every kill here; those are told.
    let told = |flag: &str| {
        past.changes
            .iter()
            .rev()
            .find(|change| change.record.flag.as_deref() == Some(flag))
            .map_or(0, |change| change.at)
    };
    let killed = past.killed.iter().map(|(flag, _)| (flag.clone(), told(flag))).collect();
    let stopped = story.stopped.then(|| {
        past.changes
            .iter()
            .rev()
            .find(|change| change.record.action == Action::StopAll)
            .map_or(0, |change| change.at)
    });
    let company = CompanyId::Int(company);
    let asked =
        HistoryQuery { company: &company, context: &(), from: start(), to: Some(start() + 86_400 * SECOND) };
    trace(History { killed, stopped, ..past }, asked, &mut |generation| {
        keep.then(|| story.generations[generation as usize].clone())
    })
}

fn turns(why: &AnswerHistory) -> BTreeSet<(String, String, bool, bool)> {
    why.turns.iter().map(|turn| (turn.at.clone(), turn.flag.clone(), turn.before.on, turn.after.on)).collect()
}

fn flag(requires: Vec<&'static str>) -> impl Strategy<Value = Value> {
    let ids = prop::collection::btree_set(1i64..40, 0..25);
    let condition = prop_oneof![
        Just(json!({ "segment": "s" })),
        Just(json!({ "attribute": "company", "in": [3, 4] })),
        Just(json!({ "attribute": "now", "after": "2026-11-21T00:03:30Z" })),
    ];
    let step = (1i64..6, 0u32..=100).prop_map(|(minute, percentage)| {
        json!([{ "at": format_rfc3339(start() + (minute * 60 - 30) * SECOND), "percentage": percentage }])
    });
    (any::<bool>(), 0u32..=100, ids, 0usize..3, prop::option::of(condition), prop::option::of(step)).prop_map(
        move |(enabled, percentage, ids, split, condition, schedule)| {
            let (allow, deny): (Vec<i64>, Vec<i64>) =
                ids.iter().partition(|id| split == 0 || **id % 3 != split as i64);
            let mut flag = json!({
                "enabled": enabled,
                "rollout": { "percentage": percentage },
                "companies": { "allow": allow, "deny": deny },
                "requires": requires,
            });
            if let Some(condition) = condition {
                flag["rules"] = json!([{ "when": condition, "percentage": percentage }]);
            }
            if let Some(schedule) = schedule {
                flag["schedule"] = schedule;
            }
            flag
        },
    )
}

fn happening() -> impl Strategy<Value = Happening> {
    let segment = (1i64..10).prop_map(|company| json!({ "attribute": "company", "lt": company }));
    let publish = (
        flag(vec![]),
        flag(vec!["a"]),
        prop::option::of(flag(vec!["b"])),
        prop::option::of(flag(vec![])),
        segment,
    );
    let publish = publish.prop_map(|(a, b, c, d, segment)| {
        let mut json = json!({ "flags": { "a": a, "b": b }, "segments": { "s": segment } });
        for (key, flag) in [("c", c), ("d", d)] {
            if let Some(flag) = flag {
                json["flags"][key] = flag;
            }
        }
        Happening::Publish(json)
    });
    prop_oneof![
        6 => publish,
        1 => (0usize..4).prop_map(Happening::Kill),
        1 => (0usize..4).prop_map(Happening::Revive),
        1 => Just(Happening::Stop),
        1 => Just(Happening::Resume),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_tells_just_the_answers_that_changed(happenings in prop::collection::vec(happening(), 1..6), company in 1i64..40) {
        let story = told(&happenings, company);
        let why = asked(&story, company, true);
        prop_assert_eq!(turns(&why), story.turns);
        prop_assert_eq!(&why.untold, &[]);
    }

    #[test]
    fn without_the_snapshots_it_tells_nothing_wrong_and_says_what_is_missing(
        happenings in prop::collection::vec(happening(), 1..6),
        company in 1i64..40,
    ) {
        let story = told(&happenings, company);
        let why = asked(&story, company, false);
        let (told, real) = (turns(&why), &story.turns);
        prop_assert!(told.is_subset(real), "{:?}", told.difference(real));
        for (at, flag, ..) in real.difference(&told) {
            // A flag that requires one that cannot be told cannot be told either.
            let of: BTreeSet<&str> = match flag.as_str() {
                "a" => BTreeSet::from(["a"]),
                "b" => BTreeSet::from(["a", "b"]),
                "c" => BTreeSet::from(["a", "b", "c"]),
                _ => BTreeSet::from(["d"]),
            };
            let said = |flags: &Option<Vec<String>>| flags.as_ref().is_none_or(|flags| flags.iter().any(|flag| of.contains(flag.as_str())));
            prop_assert!(
                why.untold.iter().any(|untold| *at <= untold.before && said(&untold.flags)),
                "{flag} at {at} is missing, and it says only {:?}", why.untold
            );
        }
    }
}

fn changes(flags: &[Value]) -> Story {
    let publish = flags.iter().map(|flag| Happening::Publish(json!({ "flags": flag })));
    told(&publish.collect::<Vec<_>>(), 7)
}

#[test]
fn a_publish_whose_publisher_died_after_the_head_moved_is_told() {
    let mut story = changes(&[json!({ "a": true }), json!({ "a": false })]);
    let last = story.records.last_mut().unwrap();
    last.outcome = Outcome::Intended;
    let why = asked(&story, 7, false);
    assert!(!why.turns[0].after.on);
    assert_eq!(why.turns.len(), 2);
}

#[test]
fn a_publish_that_failed_is_none() {
    let mut story = changes(&[json!({ "a": true })]);
    let mut begun = record(3, start() + 90 * SECOND, Action::Publish, None, (1, 2));
    begun.outcome = Outcome::Intended;
    let failed = Record { seq: 4, outcome: Outcome::Failed, intention: Some(3), to: 1, ..begun.clone() };
    story.records.extend([begun, failed]);
    let why = asked(&story, 7, false);
    assert_eq!((why.turns.len(), why.changes), (1, 1));
}

#[test]
fn a_change_that_may_be_under_way_is_left_open() {
    let mut begun = record(2, start(), Action::Publish, None, (0, 1));
    begun.outcome = Outcome::Intended;
    let records = vec![record(1, start(), Action::Init, None, (0, 0)), begun];
    let (made, open): (Vec<SettledChange>, _) = settle(records.clone(), 0);
    assert_eq!((made.len(), open), (1, Some(2)));
    let (made, open) = settle(records, 1);
    assert_eq!((made.len(), open), (2, None));
}

#[test]
fn a_publish_of_more_than_the_trail_holds_is_told_from_the_snapshot_before_it_or_not_at_all() {
    let mut story = changes(&[
        json!({ "a": true, "b": true }),
        json!({ "a": false, "b": true }),
        json!({ "a": false, "b": false }),
    ]);
    story.records[2].more_differences = 1;
    let whole = asked(&story, 7, true);
    assert_eq!((whole.turns.len(), whole.untold.len()), (4, 0));
    let cut = asked(&story, 7, false);
    assert_eq!(cut.turns.len(), 1);
    assert_eq!(cut.turns[0].flag, "b");
    assert_eq!(cut.untold.len(), 1);
    assert_eq!((cut.untold[0].flags.as_ref(), cut.untold[0].before.as_str()), (None, "2026-11-21T00:02:00Z"));
}

#[test]
fn a_kill_that_only_the_head_knows_is_told() {
    let story = changes(&[json!({ "a": true })]);
    let generation = 1;
    let past = History {
        environment: "test".to_owned(),
        definitions: story.generations[1].clone(),
        generation,
        killed: vec![("a".to_owned(), start() + 300 * SECOND)],
        stopped: None,
        changes: settle(story.records, generation).0,
        whole: true,
        now: i64::MAX,
        missing: vec![(3, 4, "2026-11-21T00:10:00Z".to_owned())],
    };
    let company = CompanyId::Int(7);
    let asked =
        HistoryQuery { company: &company, context: &(), from: start(), to: Some(start() + 86_400 * SECOND) };
    let why = trace(past, asked, &mut |_| None);
    assert_eq!(why.turns[0].at, "2026-11-21T00:05:00Z");
    assert!(!why.turns[0].after.on);
    assert_eq!(why.untold[0].why, "the audit trail lacks its records from 3 to 3");
}

#[test]
fn a_kill_of_a_clock_that_ran_ahead_is_told_with_the_time_that_it_can_have_had() {
    // It was dated later than now, and left out without a word.
    let mut story = changes(&[json!({ "a": true })]);
    let now = start() + 300 * SECOND;
    let ahead = now + 120 * SECOND;
    story.records.push(record(9, ahead, Action::Kill, Some("a"), (1, 1)));
    let past = History {
        environment: "test".to_owned(),
        definitions: story.generations[1].clone(),
        generation: 1,
        killed: vec![("a".to_owned(), ahead)],
        stopped: None,
        changes: settle(story.records, 1).0,
        whole: true,
        now,
        missing: Vec::new(),
    };
    let company = CompanyId::Int(7);
    let asked = HistoryQuery { company: &company, context: &(), from: now - 86_400 * SECOND, to: None };
    let why = trace(past, asked, &mut |_| None);
    assert_eq!((why.turns[0].at.as_str(), why.turns[0].after.on), ("2026-11-21T00:05:00Z", false));
    assert_eq!(why.wrong_clocks.len(), 1);
    assert_eq!((why.wrong_clocks[0].seq, why.wrong_clocks[0].dated.as_str()), (9, "2026-11-21T00:07:00Z"));
}

#[test]
fn times_are_ordered_by_the_trail_and_the_fewest_are_taken_for_wrong() {
    let ordered = |times: &[i64], now| in_order(times, now);
    assert_eq!(ordered(&[1, 2, 2, 5], 9), [(1, true), (2, true), (2, true), (5, true)]);
    // A clock that ran ahead: the kill is dated later than now, and was once not told of at all.
    assert_eq!(ordered(&[1, 99, 3], 9), [(1, true), (3, false), (3, true)]);
    assert_eq!(ordered(&[1, 2, 99], 9), [(1, true), (2, true), (9, false)]);
    // A clock of 1960 in the middle, which once ended the answer there.
    assert_eq!(ordered(&[5, 6, -300, 7], 9), [(5, true), (6, true), (7, false), (7, true)]);
    assert_eq!(ordered(&[5, -300], 9), [(5, true), (9, false)]);
    // Dated later than what followed, but not than now.
    assert_eq!(ordered(&[1, 8, 3, 4], 9), [(1, true), (3, false), (3, true), (4, true)]);
    assert_eq!(ordered(&[], 9), []);
}

proptest! {
    #[test]
    fn ordered_times_never_fall_and_are_never_later_than_now(times in prop::collection::vec(-50_i64..50, 0..30)) {
        let ordered = in_order(&times, 30);
        prop_assert_eq!(ordered.len(), times.len());
        prop_assert!(ordered.is_sorted_by_key(|(at, _)| *at));
        prop_assert!(ordered.iter().all(|(at, _)| *at <= 30));
        prop_assert!(ordered.iter().zip(&times).all(|((at, fits), time)| !fits || at == time));
        let sorted = { let mut sorted = times.clone(); sorted.sort_unstable(); sorted };
        prop_assert!(in_order(&sorted, 50).iter().all(|(_, fits)| *fits));
    }
}
