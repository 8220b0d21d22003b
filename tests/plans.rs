//! Plans as pure functions: what a tick decides, what people's commands do, and that no sequence of either skips a stage or repeats one.

use flagstone::definition::{
    Companies, CompanyId, Definitions, Flag, Percentage, Plan, PlanHold, Rollout, Soak, Stage,
};
use flagstone::plan::{
    Idle, PlanDecision, PlanError, SwitchState, Verdict, Wait, abort, advance, decide, hold, hold_all,
    progress, resume, settle, start, step,
};
use proptest::prelude::*;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;
/// 2026-11-21T08:00:00Z.
const NOW: i64 = 1_795_248_000 * SECOND;
const NONE: SwitchState = SwitchState { killed: None, revived: None, stopped: None, made: None };

fn percent(percent: u32) -> Percentage {
    Percentage::from_thousandths(percent * 1_000).unwrap()
}

fn ids(ids: &[i64]) -> Vec<CompanyId> {
    ids.iter().map(|id| CompanyId::Int(*id)).collect()
}

fn stage(companies: &[i64], percentage: Option<u32>, soak: Option<&str>) -> Stage {
    Stage {
        companies: ids(companies),
        percentage: percentage.map(percent),
        soak: soak.map(|soak| Soak::from_text(soak).unwrap()),
    }
}

/// Pilots for a week, 10 % for a day, 50 % for a day, everybody.
fn plan() -> Plan {
    Plan {
        stages: vec![
            stage(&[15, 42], None, Some("7d")),
            stage(&[], Some(10), Some("1d")),
            stage(&[], Some(50), Some("1d")),
            stage(&[], Some(100), None),
        ],
    }
}

fn flag() -> Flag {
    let rollout = Rollout { percentage: Percentage::NONE, ..Rollout::everybody() };
    Flag { rollout: Some(rollout), plan: Some(plan()), ..Flag::new(false) }
}

fn started() -> Flag {
    start("search", &flag(), NOW, NONE).unwrap().flag
}

fn held(at: i64) -> PlanHold {
    PlanHold { reason: "errors".to_owned(), by: "alice@web-1".to_owned(), at }
}

/// One tick, as a store does it.
fn tick(flag: &Flag, now: i64) -> (PlanDecision, Flag) {
    let decided = decide(flag, now, NONE, &Verdict::Go);
    let after = step(flag, &decided, &held(now)).map_or_else(|| flag.clone(), |moved| moved.flag);
    (decided, after)
}

fn on_for(flag: &Flag) -> (bool, u32, usize) {
    let percentage = flag.rollout.as_ref().unwrap().percentage.thousandths() / 1_000;
    (flag.enabled, percentage, flag.companies.allow.len())
}

fn at(flag: &Flag) -> usize {
    flag.state.plan.as_ref().unwrap().stage()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, PlanError>, with: &str) {
    let error = result.unwrap_err().to_string();
    assert!(error.contains(with), "{with:?} in {error}");
}

#[test]
fn a_plan_goes_stage_by_stage_each_after_the_soak_of_the_one_before() {
    let flag = started();
    assert_eq!(on_for(&flag), (true, 0, 2));
    let (decided, flag) = tick(&flag, NOW + 7 * DAY - 1);
    assert_eq!(decided, PlanDecision::Wait(Wait::Soak(NOW + 7 * DAY)));
    let (decided, flag) = tick(&flag, NOW + 7 * DAY);
    assert_eq!((decided, on_for(&flag)), (PlanDecision::Enter(1), (true, 10, 2)));
    let (decided, flag) = tick(&flag, NOW + 7 * DAY);
    assert_eq!(decided, PlanDecision::Wait(Wait::Soak(NOW + 8 * DAY)));
    let (_, flag) = tick(&flag, NOW + 8 * DAY);
    let (decided, flag) = tick(&flag, NOW + 9 * DAY);
    assert_eq!((decided, on_for(&flag)), (PlanDecision::Enter(3), (true, 100, 2)));
    let state = flag.state.plan.as_ref().unwrap();
    assert_eq!((state.done, &state.before), (Some(NOW + 9 * DAY), &None));
    assert_eq!(tick(&flag, NOW + 99 * DAY).0, PlanDecision::Idle(Idle::Done));
}

#[test]
fn a_machine_that_slept_for_a_year_enters_one_stage_and_soaks_it_whole() {
    let woken = NOW + 365 * DAY;
    let (decided, flag) = tick(&started(), woken);
    assert_eq!((decided, at(&flag)), (PlanDecision::Enter(1), 1));
    assert_eq!(tick(&flag, woken + DAY - 1).0, PlanDecision::Wait(Wait::Soak(woken + DAY)));
}

#[test]
fn a_clock_that_went_back_moves_nothing_and_takes_no_soak_away() {
    let (_, flag) = tick(&started(), NOW + 7 * DAY);
    let entered = NOW + 7 * DAY;
    for back in [1, HOUR, 300 * DAY] {
        assert_eq!(tick(&flag, entered - back).0, PlanDecision::Wait(Wait::Clock(entered)));
    }
    let flag = hold("search", &flag, &held(entered + HOUR)).unwrap().flag;
    let flag = resume("search", &flag, None, NOW, NONE).unwrap().flag;
    assert_eq!(tick(&flag, NOW).0, PlanDecision::Wait(Wait::Soak(NOW + 23 * HOUR)), "an hour had soaked");
}

#[test]
fn a_stage_without_soak_waits_for_a_person_and_the_last_one_ends_the_plan() {
    let mut flag = flag();
    flag.plan = Some(Plan { stages: vec![stage(&[15], None, None), stage(&[], Some(100), Some("1d"))] });
    let flag = start("search", &flag, NOW, NONE).unwrap().flag;
    assert_eq!(tick(&flag, NOW + 999 * DAY).0, PlanDecision::Wait(Wait::Person));
    refused(advance("search", &flag, Some(2), NOW + DAY, NONE), "so that the next is 2, not 3");
    let flag = advance("search", &flag, Some(1), NOW + DAY, NONE).unwrap().flag;
    assert_eq!(on_for(&flag), (true, 100, 1));
    assert_eq!(tick(&flag, NOW + DAY).0, PlanDecision::Wait(Wait::Soak(NOW + 2 * DAY)));
    let (decided, flag) = tick(&flag, NOW + 2 * DAY);
    assert_eq!(decided, PlanDecision::Finish);
    assert_eq!(tick(&flag, NOW + 3 * DAY).0, PlanDecision::Idle(Idle::Done));
}

#[test]
fn only_time_in_which_the_plan_runs_counts_as_soak() {
    let flag = hold("search", &started(), &held(NOW + 2 * DAY)).unwrap().flag;
    assert_eq!(on_for(&flag), (true, 0, 2), "what is on stays on");
    assert_eq!(tick(&flag, NOW + 99 * DAY).0, PlanDecision::Idle(Idle::Held));
    refused(hold("search", &flag, &held(NOW + 3 * DAY)), "held in stage 1 of 4: errors");
    refused(advance("search", &flag, None, NOW + 3 * DAY, NONE), "held in stage 1 of 4: errors");
    let flag = resume("search", &flag, None, NOW + 30 * DAY, NONE).unwrap().flag;
    assert_eq!(
        tick(&flag, NOW + 30 * DAY).0,
        PlanDecision::Wait(Wait::Soak(NOW + 35 * DAY)),
        "five days are left"
    );
}

#[test]
fn a_kill_holds_a_stop_waits_and_the_guard_does_either() {
    let flag = started();
    let later = NOW + 8 * DAY;
    let killed = SwitchState { killed: Some(NOW), ..NONE };
    let PlanDecision::Hold(why) = decide(&flag, NOW, killed, &Verdict::Go) else { panic!("not held") };
    assert_eq!(why, "the flag was killed at 2026-11-21T08:00:00Z");
    // No tick came between the kill and the revive, and the next one entered a stage.
    let revived = SwitchState { revived: Some(later - 1), ..NONE };
    let PlanDecision::Hold(why) = decide(&flag, later, revived, &Verdict::Go) else { panic!("not held") };
    assert!(why.contains("and revived: resume the plan"), "{why}");
    let before = SwitchState { revived: Some(NOW), ..NONE };
    assert!(
        !matches!(decide(&flag, later, before, &Verdict::Go), PlanDecision::Hold(_)),
        "a kill before the stage"
    );
    let stopped = SwitchState { killed: Some(NOW), stopped: Some(NOW), ..NONE };
    assert_eq!(decide(&flag, later, stopped, &Verdict::Go), PlanDecision::Wait(Wait::Stopped));
    let wait = Verdict::Wait("too few requests".to_owned());
    assert_eq!(
        decide(&flag, later, NONE, &wait),
        PlanDecision::Wait(Wait::Guard("too few requests".to_owned()))
    );
    let trip = Verdict::Trip("errors went up".to_owned());
    assert_eq!(decide(&flag, NOW, NONE, &trip), PlanDecision::Hold("the guard: errors went up".to_owned()));
    refused(start("search", &self::flag(), NOW, killed), "search is killed");
    refused(advance("search", &flag, None, NOW, killed), "search is killed");
    refused(
        advance("search", &flag, None, NOW, SwitchState { stopped: Some(NOW), ..NONE }),
        "everything is stopped",
    );
}

// After a restore the soak of the time before it counted: a plan that a person had aborted since entered its next stage.
#[test]
fn a_plan_that_is_older_than_the_head_is_held_until_a_person_resumes_it() {
    let at = |made: i64| SwitchState { made: Some(made), ..NONE };
    let later = NOW + 8 * DAY;
    let decided = |flag: &Flag, switched| decide(flag, later, switched, &Verdict::Go);
    assert_eq!(decided(&started(), at(NOW - DAY)), PlanDecision::Enter(1));
    let PlanDecision::Hold(why) = decided(&started(), at(NOW + DAY)) else { panic!("it goes on") };
    assert!(why.ends_with("the stage's soak is of another time"), "{why}");
    assert_eq!(decided(&started(), at(later + DAY)), PlanDecision::Enter(1), "a clock that was ahead");
    let held = step(&started(), &PlanDecision::Hold(why), &held(later)).unwrap().flag;
    let resumed = resume("search", &held, None, later + 1, NONE).unwrap().flag;
    assert_eq!(decide(&resumed, later + 1, at(NOW + DAY), &Verdict::Go), PlanDecision::Enter(1));
}

#[test]
fn a_plan_is_started_only_where_it_takes_the_feature_from_nobody() {
    refused(start("search", &started(), NOW, NONE), "running already, in stage 1 of 4");
    let mut on = flag();
    on.enabled = true;
    on.rollout.as_mut().unwrap().percentage = percent(20);
    refused(start("search", &on, NOW, NONE), "search is on at 20 %, and stage 2 says 10 %");
    on.rollout.as_mut().unwrap().percentage = percent(100);
    refused(start("search", &on, NOW, NONE), "on for everybody already");
    on.rollout.as_mut().unwrap().percentage = percent(5);
    assert_eq!(on_for(&start("search", &on, NOW, NONE).unwrap().flag), (true, 5, 2));
    let mut once_full = flag();
    once_full.rollout.as_mut().unwrap().percentage = percent(100);
    assert_eq!(
        on_for(&start("search", &once_full, NOW, NONE).unwrap().flag),
        (true, 0, 2),
        "off: nobody had it"
    );
    refused(start("search", &Flag::new(false), NOW, NONE), "search has no plan");
}

#[test]
fn a_stage_lets_nobody_in_whom_a_person_denied() {
    let mut flag = flag();
    flag.companies.deny = ids(&[42]);
    let moved = start("search", &flag, NOW, NONE).unwrap();
    assert_eq!(moved.notes, ["denied, and left so: 42"]);
    assert_eq!(moved.flag.companies, Companies { allow: ids(&[15]), deny: ids(&[42]) });
}

/// As a publish does it that did not come from the plan.
fn by_hand(before: &Flag, change: impl FnOnce(&mut Flag)) -> Flag {
    let mut after = before.clone();
    change(&mut after);
    settle(before, &mut after, &held(NOW + DAY));
    after
}

#[test]
fn whatever_a_person_changes_holds_the_plan() {
    let changes: [fn(&mut Flag); 5] = [
        |flag| flag.enabled = false,
        |flag| flag.rollout.as_mut().unwrap().percentage = percent(75),
        |flag| flag.companies.allow.push(CompanyId::Int(99)),
        |flag| flag.companies.deny = ids(&[7]),
        |flag| flag.companies.allow.clear(),
    ];
    for change in changes {
        let flag = by_hand(&started(), change);
        let state = flag.state.plan.as_ref().unwrap();
        assert_eq!((state.held.as_ref(), state.soaked), (Some(&held(NOW + DAY)), DAY));
        // And where nobody noted it, the next tick sees it.
        let mut flag = started();
        change(&mut flag);
        let PlanDecision::Hold(why) = tick(&flag, NOW).0 else { panic!("not held") };
        assert!(why.contains("changed otherwise"), "{why}");
    }
    let described = by_hand(&started(), |flag| flag.description = Some("New search".to_owned()));
    assert!(described.state.plan.unwrap().is_running());
    let mut definitions = Definitions::default();
    definitions.flags.insert("search".to_owned(), started());
    definitions.flags.insert("other".to_owned(), flag());
    assert_eq!(hold_all(&mut definitions, &held(NOW)), ["search"]);
    assert!(!definitions.flags["search"].state.plan.as_ref().unwrap().is_running());
}

#[test]
fn resume_goes_on_from_what_is_on_now() {
    let (_, flag) = tick(&started(), NOW + 7 * DAY);
    let (_, flag) = tick(&flag, NOW + 8 * DAY);
    assert_eq!(at(&flag), 2);
    let later = NOW + 20 * DAY;
    let resumed = |flag: &Flag| resume("search", flag, None, later, NONE).unwrap();

    let raised = resumed(&by_hand(&flag, |flag| flag.rollout.as_mut().unwrap().percentage = percent(60)));
    assert_eq!(
        (at(&raised.flag), on_for(&raised.flag)),
        (2, (true, 60, 2)),
        "60 % is not the next stage yet"
    );

    let lowered = resumed(&by_hand(&flag, |flag| flag.rollout.as_mut().unwrap().percentage = percent(20)));
    assert_eq!((at(&lowered.flag), on_for(&lowered.flag)), (2, (true, 50, 2)));
    assert_eq!(lowered.notes, ["it was lowered by hand: stage 3 is entered again"]);
    let off = resumed(&by_hand(&flag, |flag| flag.enabled = false));
    assert_eq!((at(&off.flag), on_for(&off.flag)), (0, (true, 0, 2)));

    let (_, early) = tick(&started(), NOW + 7 * DAY);
    let raised = resumed(&by_hand(&early, |flag| flag.rollout.as_mut().unwrap().percentage = percent(60)));
    assert_eq!((at(&raised.flag), on_for(&raised.flag)), (2, (true, 60, 2)));
    assert_eq!(raised.notes, ["it was raised by hand: it goes on after stage 3, which is on by now"]);
    assert_eq!(tick(&raised.flag, later).0, PlanDecision::Wait(Wait::Soak(later + DAY)), "it soaks whole");
    let full = resumed(&by_hand(&early, |flag| flag.rollout.as_mut().unwrap().percentage = percent(100)));
    assert_eq!(full.flag.state.plan.unwrap().done, Some(later));
}

#[test]
fn stages_changed_in_the_file_hold_the_plan_and_say_which() {
    let (_, flag) = tick(&started(), NOW + 7 * DAY);
    let with = |change: fn(&mut Vec<Stage>)| {
        let mut flag = flag.clone();
        change(&mut flag.plan.as_mut().unwrap().stages);
        flag
    };
    let why = |flag: &Flag| match tick(flag, NOW + 7 * DAY).0 {
        PlanDecision::Hold(why) => why,
        other => panic!("{other:?}"),
    };
    let inserted = with(|stages| stages.insert(2, stage(&[], Some(25), Some("1d"))));
    assert_eq!(why(&inserted), "the plan was changed in the file: stage 3 was 50 %, and is 25 %");
    let longer = with(|stages| stages.push(stage(&[1], None, None)));
    assert!(why(&longer).contains("5 stages instead of 4"), "{}", why(&longer));
    let moved = with(|stages| stages.swap(0, 1));
    assert!(why(&moved).contains("stage 1 was companies 15, 42, and is 10 %"), "{}", why(&moved));
    let slower = with(|stages| stages[1].soak = Soak::from_text("3d"));
    assert_eq!(
        tick(&slower, NOW + 8 * DAY).0,
        PlanDecision::Wait(Wait::Soak(NOW + 10 * DAY)),
        "a soak is followed"
    );
    let gone = Flag { plan: None, ..flag.clone() };
    assert!(why(&gone).contains("taken out of the file"));

    // Where it is still known how far it came, resume follows the file; elsewhere a person says it.
    let hold = |flag: &Flag| tick(flag, NOW + 7 * DAY).1;
    let resumed = resume("search", &hold(&inserted), None, NOW + 9 * DAY, NONE).unwrap().flag;
    assert_eq!(at(&resumed), 1);
    let (decided, resumed) = tick(&resumed, NOW + 11 * DAY);
    assert_eq!((decided, on_for(&resumed)), (PlanDecision::Enter(2), (true, 25, 2)));
    refused(resume("search", &hold(&moved), None, NOW, NONE), "resume search --stage N");
    let chosen = resume("search", &hold(&moved), Some(2), NOW, NONE).unwrap().flag;
    assert_eq!((at(&chosen), on_for(&chosen)), (2, (true, 50, 2)));
    refused(resume("search", &hold(&moved), Some(4), NOW, NONE), "no stage 5");
    refused(resume("search", &hold(&gone), None, NOW, NONE), "search has no plan");
    let lower = by_hand(&flag, |flag| flag.rollout.as_mut().unwrap().percentage = percent(60));
    refused(resume("search", &lower, Some(1), NOW, NONE), "takes it from anybody");
}

#[test]
fn abort_returns_to_just_what_was_before_start() {
    let mut original = flag();
    original.companies = Companies { allow: ids(&[1, 42]), deny: ids(&[7]) };
    original.schedule = vec![flagstone::definition::ScheduleStep {
        at: "2027-01-01T00:00:00Z".to_owned(),
        percentage: percent(30),
    }];
    let flag = start("search", &original, NOW, NONE).unwrap().flag;
    let (_, flag) = tick(&flag, NOW + 7 * DAY);
    assert_eq!(abort("search", &flag).unwrap().flag, original);
    let flag = by_hand(&flag, |flag| {
        flag.companies.deny = ids(&[1]);
        flag.companies.allow = ids(&[15, 99]);
    });
    let aborted = abort("search", &flag).unwrap();
    assert_eq!(aborted.flag, original);
    assert_eq!(
        aborted.notes,
        [
            "allowed by hand since `start`, and taken back: 99",
            "denied by hand since `start`, and taken back: 1",
            "forgotten by hand since `start`, and taken back: 42, 7",
        ]
    );
    refused(abort("search", &original), "not started");
}

#[test]
fn progress_tells_past_dates_as_they_were_and_those_to_come_as_the_plan_has_them() {
    assert_eq!(progress(&Flag::new(true), NOW), None);
    let shown = progress(&flag(), NOW).unwrap();
    assert_eq!((shown.state, shown.ends), ("not started", None));
    let (_, flag) = tick(&started(), NOW + 8 * DAY);
    let shown = progress(&flag, NOW + 8 * DAY + HOUR).unwrap();
    let dates: Vec<_> =
        shown.stages.iter().map(|mark| (mark.state, mark.at.map(|at| (at - NOW) / DAY))).collect();
    assert_eq!(
        dates,
        [("passed", Some(0)), ("present", Some(8)), ("to come", Some(9)), ("to come", Some(10))]
    );
    assert_eq!((shown.ends, shown.stages[1].soaked), (Some(NOW + 10 * DAY), Some(HOUR)));
    let shown = progress(&hold("search", &flag, &held(NOW + 9 * DAY)).unwrap().flag, NOW + 30 * DAY).unwrap();
    assert_eq!((shown.state, shown.ends, shown.stages[2].at), ("held", None, None));
}

/// Anything that happens to a plan.
#[derive(Debug, Clone)]
enum Event {
    Tick,
    Hold,
    Resume,
    Advance,
    Rollout(u32),
    Allow(i64),
    Deny(i64),
    Forget(i64),
    Disable,
    Enable,
    Stop,
    Kill,
    Wait,
    Trip,
}

fn events(by_people: bool) -> impl Strategy<Value = Event> {
    let company = 10..45_i64;
    let all = prop_oneof![
        6 => Just(Event::Tick),
        1 => Just(Event::Stop),
        1 => Just(Event::Wait),
        1 => Just(Event::Hold),
        2 => Just(Event::Resume),
        1 => Just(Event::Advance),
        1 => (0..=100_u32).prop_map(Event::Rollout),
        1 => company.clone().prop_map(Event::Allow),
        1 => company.clone().prop_map(Event::Deny),
        1 => company.prop_map(Event::Forget),
        1 => Just(Event::Disable),
        1 => Just(Event::Enable),
        1 => Just(Event::Kill),
        1 => Just(Event::Trip),
    ];
    let time = prop_oneof![Just(Event::Tick), Just(Event::Tick), Just(Event::Stop), Just(Event::Wait)];
    if by_people { all.boxed() } else { time.boxed() }
}

/// How a clock moves between two events: on, far on, or back.
fn clock() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 0..2 * DAY, 1 => 0..400 * DAY, 1 => -400 * DAY..0, 1 => Just(0_i64)]
}

fn plans() -> impl Strategy<Value = Plan> {
    let soaks = prop::sample::select(vec!["1s", "1h", "1d", "7d"]);
    let stages = prop::collection::btree_map(1..=100_u32, (soaks, prop::option::of(10..45_i64)), 1..6);
    stages.prop_map(|stages| Plan {
        stages: stages
            .into_iter()
            .map(|(percentage, (soak, company))| stage(company.as_slice(), Some(percentage), Some(soak)))
            .collect(),
    })
}

fn remove(flag: &mut Flag, company: i64) {
    let company = CompanyId::Int(company);
    flag.companies.allow.retain(|id| *id != company);
    flag.companies.deny.retain(|id| *id != company);
}

fn insert(list: &mut Vec<CompanyId>, company: i64) {
    list.push(CompanyId::Int(company));
    list.sort();
}

/// The flag after an event, and the stage that a tick entered.
fn after(flag: &Flag, event: &Event, now: i64) -> (Flag, Option<usize>) {
    let hand = |change: &dyn Fn(&mut Flag)| {
        let mut after = flag.clone();
        change(&mut after);
        settle(flag, &mut after, &held(now));
        (after, None)
    };
    let state = |result: Result<flagstone::plan::PlanMove, PlanError>| {
        (result.map_or_else(|_| flag.clone(), |moved| moved.flag), None)
    };
    let tick = |switched, verdict| {
        let decided = decide(flag, now, switched, &verdict);
        let entered = if let PlanDecision::Enter(stage) = decided { Some(stage) } else { None };
        (step(flag, &decided, &held(now)).map_or_else(|| flag.clone(), |moved| moved.flag), entered)
    };
    match event {
        Event::Tick => tick(NONE, Verdict::Go),
        Event::Stop => tick(SwitchState { stopped: Some(now), ..NONE }, Verdict::Go),
        Event::Kill => tick(SwitchState { killed: Some(now), ..NONE }, Verdict::Go),
        Event::Wait => tick(NONE, Verdict::Wait(String::new())),
        Event::Trip => tick(NONE, Verdict::Trip(String::new())),
        Event::Hold => state(hold("f", flag, &held(now))),
        Event::Resume => state(resume("f", flag, None, now, NONE)),
        Event::Advance => state(advance("f", flag, None, now, NONE)),
        Event::Rollout(to) => hand(&|flag| flag.rollout.as_mut().unwrap().percentage = percent(*to)),
        Event::Allow(company) => hand(&|flag| {
            remove(flag, *company);
            insert(&mut flag.companies.allow, *company);
        }),
        Event::Deny(company) => hand(&|flag| {
            remove(flag, *company);
            insert(&mut flag.companies.deny, *company);
        }),
        Event::Forget(company) => hand(&|flag| remove(flag, *company)),
        Event::Disable => hand(&|flag| flag.enabled = false),
        Event::Enable => hand(&|flag| flag.enabled = true),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ticks_enter_every_stage_once_in_order_whatever_the_clock_does(
        plan in plans(),
        ticks in prop::collection::vec((clock(), events(false)), 0..60),
    ) {
        let soaks: Vec<i64> = plan.stages.iter().map(|stage| stage.soak.unwrap().micros()).collect();
        let mut flag = Flag { plan: Some(plan), ..flag() };
        flag = start("f", &flag, NOW, NONE).unwrap().flag;
        let (mut now, mut entered, mut since) = (NOW, vec![0], NOW);
        for (moved, event) in ticks {
            now += moved;
            let before = flag.clone();
            let (next, stage) = after(&flag, &event, now);
            flag = next;
            if let Some(stage) = stage {
                prop_assert!(matches!(event, Event::Tick));
                prop_assert_eq!(stage, entered.len(), "after {:?}", entered);
                prop_assert!(now - since >= soaks[stage - 1], "stage {} did not soak", stage);
                entered.push(stage);
                since = now;
                // A second look at the same instant does nothing.
                prop_assert!(matches!(tick(&flag, now).0, PlanDecision::Wait(_)));
            }
            let percentage = |flag: &Flag| flag.rollout.as_ref().unwrap().percentage;
            prop_assert!(percentage(&flag) >= percentage(&before));
        }
    }

    #[test]
    fn whatever_people_do_in_between_no_tick_lowers_or_skips_and_abort_returns_to_the_start(
        plan in plans(),
        allow in prop::collection::btree_set(10..45_i64, 0..4),
        deny in prop::collection::btree_set(10..45_i64, 0..4),
        doings in prop::collection::vec((clock(), events(true)), 0..60),
    ) {
        let mut original = Flag { plan: Some(plan), ..flag() };
        original.companies.deny = deny.iter().copied().map(CompanyId::Int).collect();
        original.companies.allow = allow.difference(&deny).copied().map(CompanyId::Int).collect();
        let mut flag = start("f", &original, NOW, NONE).unwrap().flag;
        let mut now = NOW;
        for (moved, event) in doings {
            now += moved;
            let before = flag.clone();
            let was = at(&before);
            let (next, stage) = after(&flag, &event, now);
            flag = next;
            let ticked = matches!(event, Event::Tick | Event::Stop | Event::Kill | Event::Wait | Event::Trip);
            if let Some(stage) = stage {
                prop_assert_eq!(stage, was + 1);
            } else if ticked {
                prop_assert_eq!(at(&flag), was);
            }
            if ticked || matches!(event, Event::Resume | Event::Advance) {
                let on = |flag: &Flag| if flag.enabled { flag.rollout.as_ref().unwrap().percentage } else { Percentage::NONE };
                prop_assert!(on(&flag) >= on(&before), "{:?} lowered it", event);
                prop_assert!(before.companies.allow.iter().all(|id| flag.companies.allow.contains(id)));
                prop_assert_eq!(&flag.companies.deny, &before.companies.deny);
            }
            let state = flag.state.plan.as_ref().unwrap();
            let json = serde_json::to_string(&flag).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Flag>(&json).unwrap(), &flag);
            if state.done.is_none() {
                let Ok(aborted) = abort("f", &flag) else { panic!("no abort") };
                prop_assert_eq!(aborted.flag, original.clone());
            }
        }
    }
}
