//! A file merged into what runs: whose word counts, and what holds whatever they say.

use flagstone::change::{Edit, Target, change_published};
use flagstone::definition::{self, CompanyId, Definitions, Flag, Percentage, PlanState};
use flagstone::merge::{FIELDS, MergeError, Merged, Options, merge, pull};
use proptest::prelude::*;

/// 2026-11-21.
const NOW: i64 = 1_795_219_200_000_000;
const TODAY: &str = "2026-11-21";

#[track_caller]
fn file(flags: &str) -> Definitions {
    text(&format!(r#"{{"flags": {{{flags}}}}}"#), None)
}

#[track_caller]
fn text(text: &str, environment: Option<&str>) -> Definitions {
    let checked = definition::load("f", text.as_bytes(), environment, TODAY);
    checked.unwrap_or_else(|report| panic!("{report}{text}")).definitions
}

fn options() -> Options {
    Options { now: NOW, ..Options::default() }
}

fn reset(what: &str) -> Options {
    Options { reset: vec![what.to_owned()], ..options() }
}

#[track_caller]
fn merged(running: &Definitions, file: &Definitions, options: &Options) -> Merged {
    merge(Some(running), file, options).unwrap_or_else(|error| panic!("{error}"))
}

/// The plan of the flag as it is under way.
fn under_way(flag: &mut Flag) {
    let stages = flag.plan.clone().unwrap().stages;
    let plan = PlanState {
        stages,
        entered: vec![Some(NOW - 100)],
        since: NOW - 100,
        soaked: 0,
        held: None,
        done: None,
        left: "0".repeat(16),
        before: None,
    };
    flag.state.plan = Some(plan);
}

#[test]
fn the_first_publish_of_a_flag_takes_what_the_file_says() {
    let file = file(
        r#""a": {"enabled": false, "rollout": {"percentage": 7}, "companies": {"allow": [1]}, "emergency": "keep"}"#,
    );
    let first = merge(None, &file, &options()).unwrap();
    assert_eq!(first, Merged { definitions: file.clone(), ..Merged::default() });
    let beside = merged(&self::file(r#""b": true"#), &file, &options());
    assert_eq!(beside.definitions.flags["a"], file.flags["a"]);
}

#[test]
fn a_flag_that_says_nothing_of_its_rollout_is_on_for_all_and_differs_from_none_that_says_so() {
    let (short, long) = (file(r#""a": true"#), file(r#""a": {"rollout": {"percentage": 100}}"#));
    for (running, file) in [(&short, &long), (&long, &short)] {
        let merged = merged(running, file, &options());
        assert_eq!((&merged.definitions, merged.drift.len()), (running, 0));
    }
    // Rules need a percentage to be written: the one that ran.
    let ruled = file(
        r#""a": {"rollout": {"percentage": 5, "salt": "s"}, "rules": [{"when": {"attribute": "x", "eq": 1}}]}"#,
    );
    let merged = merged(&short, &ruled, &options());
    let rollout = merged.definitions.flags["a"].rollout.clone().unwrap();
    assert_eq!((rollout.percentage, rollout.salt.as_deref()), (Percentage::FULL, Some("s")));
    assert_eq!(merged.drift[0].to_string(), "a: percentage is 100 %, the file says 5 %");
}

#[test]
fn drift_is_told_field_by_field() {
    let running = file(
        r#""a": {"enabled": false, "rollout": {"percentage": 0.5}, "companies": {"allow": [1, 2, "x"], "deny": [9]}, "emergency": "keep"}"#,
    );
    let file = file(
        r#""a": {"rollout": {"percentage": 10}, "companies": {"allow": ["2", 3]}, "schedule": [{"at": "2030-01-01T00:00:00Z", "percentage": 50}]}"#,
    );
    let told: Vec<_> = merged(&running, &file, &options()).drift.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "a: enabled is false, the file says true",
            "a: percentage is 0.5 %, the file says 10 %",
            r#"a: schedule is empty, the file says [{"at":"2030-01-01T00:00:00Z","percentage":50}]"#,
            "a: companies allowed besides the file's: 1, x; allowed only by the file: 3; denied besides the file's: 9",
            r#"a: emergency is "keep", the file says "off""#,
        ]
    );
    for (number, field) in ["enabled", "percentage", "schedule", "companies", "emergency"].iter().enumerate()
    {
        let after = merged(&running, &file, &reset(&format!("a.{field}")));
        let left: Vec<_> = after.drift.iter().map(ToString::to_string).collect();
        let mut expected = told.clone();
        expected.remove(number);
        assert_eq!(left, expected, "{field}");
    }
    assert_eq!(
        merged(&running, &file, &reset("a")).definitions,
        merged(&running, &file, &reset("all")).definitions
    );
}

#[test]
fn one_instant_written_in_two_ways_is_no_drift() {
    let schedule = |at: &str| {
        file(&format!(
            r#""a": {{"rollout": {{"percentage": 0}}, "schedule": [{{"at": "{at}", "percentage": 5}}]}}"#
        ))
    };
    let (running, file) = (schedule("2030-01-01T00:00:00Z"), schedule("2030-01-01T01:00:00+01:00"));
    assert_eq!(merged(&running, &file, &options()).definitions, running);
    assert!(merged(&running, &file, &options()).drift.is_empty());
}

#[test]
fn a_key_with_dots_is_reset_by_its_whole_name() {
    let running = file(r#""a.enabled": false, "a": false, "b.c.d": false"#);
    let file = file(r#""a.enabled": true, "a": true, "b.c.d": true"#);
    let on = |what: &str| {
        let merged = merged(&running, &file, &reset(what));
        merged
            .definitions
            .flags
            .into_iter()
            .filter(|(_, flag)| flag.enabled)
            .map(|(key, _)| key)
            .collect::<Vec<_>>()
    };
    assert_eq!(on("a.enabled"), ["a.enabled"]);
    assert_eq!(on("a.enabled.enabled"), ["a.enabled"]);
    assert_eq!(on("a"), ["a"]);
    assert_eq!(on("b.c.d.enabled"), ["b.c.d"]);
}

#[test]
fn an_orphan_keeps_the_segments_that_it_uses() {
    let running = text(
        r#"{"flags": {"a": {"rollout": {"percentage": 0}, "rules": [{"when": {"not": {"segment": "s"}}}]}, "b": true},
            "segments": {"s": {"any": [{"segment": "t"}]}, "t": {"attribute": "x", "eq": 1}, "unused": {"all": []}}}"#,
        None,
    );
    let file = text(r#"{"flags": {"b": true}, "segments": {"t": {"attribute": "x", "eq": 2}}}"#, None);
    let merged = merged(&running, &file, &options());
    assert_eq!(merged.definitions.segments.keys().collect::<Vec<_>>(), ["s", "t"]);
    assert_eq!(merged.definitions.segments["t"], file.segments["t"]);
    assert_eq!((&merged.orphaned, &merged.orphans), (&vec!["a".to_owned()], &vec!["a".to_owned()]));
    assert_eq!(merged.definitions.flags["a"].state.orphaned, Some(NOW));
    let later = Options { now: NOW + 1, ..options() };
    let again = self::merged(&merged.definitions, &file, &later);
    assert_eq!((again.definitions, again.orphaned.len()), (merged.definitions, 0));
}

#[test]
fn only_orphans_that_are_off_for_everybody_are_pruned() {
    let running = file(
        r#""off": false, "nobody": {"rollout": {"percentage": 0}}, "some": {"rollout": {"percentage": 0.001}},
           "pilot": {"rollout": {"percentage": 0}, "companies": {"allow": [1]}},
           "later": {"rollout": {"percentage": 0}, "schedule": [{"at": "2030-01-01T00:00:00Z", "percentage": 5}]},
           "ended": {"rollout": {"percentage": 50}, "schedule": [{"at": "2020-01-01T00:00:00Z", "percentage": 0}]},
           "needs_off": {"requires": ["needs_too"]}, "needs_too": {"requires": ["kept_off"]}, "kept_off": false, "kept": true,
           "planned": {"rollout": {"percentage": 0}, "plan": {"stages": [{"percentage": 5}]}}"#,
    );
    let mut running = running;
    under_way(running.flags.get_mut("planned").unwrap());
    let file = file(r#""kept": true, "kept_off": false"#);
    let merged = merged(&running, &file, &Options { prune: true, ..options() });
    assert_eq!(merged.pruned, ["ended", "needs_off", "needs_too", "nobody", "off"]);
    assert_eq!(merged.orphans, ["later", "pilot", "planned", "some"]);
    assert_eq!(self::merged(&running, &file, &options()).pruned, [""; 0]);
}

#[test]
fn an_orphan_that_no_longer_goes_with_the_file_is_told_with_the_way_out() {
    let chain = |from: usize, to: usize| -> String {
        let flag = |n: usize| format!(r#""f{n}": {{"requires": ["f{}"]}}"#, n + 1);
        (from..to).map(flag).chain([format!(r#""f{to}": true"#)]).collect::<Vec<_>>().join(", ")
    };
    let running = file(&format!(r#"{}, "orphan": {{"requires": ["f1"]}}"#, chain(1, 3)));
    let file = file(&chain(1, 65));
    let error = merge(Some(&running), &file, &options()).unwrap_err();
    assert!(matches!(error, MergeError::Result(_)), "{error}");
    assert!(error.to_string().contains("orphan requires more than 64 flags"), "{error}");
    assert!(error.to_string().contains("--prune"), "{error}");
}

#[test]
fn a_plan_under_way_is_no_drift_and_a_publish_that_turns_its_switches_is_told() {
    const PLAN: &str = r#""plan": {"stages": [{"percentage": 10, "soak": "7d"}, {"percentage": 100}]}"#;
    let file_of = |percentage: u32, plan: &str| {
        file(&format!(r#""a": {{"rollout": {{"percentage": {percentage}}}, {plan}}}"#))
    };
    let file = file_of(0, PLAN);
    let mut running = file_of(10, PLAN);
    under_way(running.flags.get_mut("a").unwrap());
    let kept = merged(&running, &file, &options());
    assert_eq!((&kept.definitions, kept.drift.len(), &kept.planned), (&running, 0, &vec!["a".to_owned()]));
    let held = merged(&running, &file, &reset("a.percentage"));
    assert_eq!((&held.held, held.drift.len()), (&vec!["a".to_owned()], 0));
    assert_eq!(held.definitions.flags["a"].rollout, file.flags["a"].rollout);
    let other = merged(&running, &file_of(0, &PLAN.replace("7d", "8d")), &options());
    assert_eq!((other.held.len(), other.drift.len()), (0, 0));
    assert_ne!(other.definitions.flags["a"].plan, running.flags["a"].plan);
}

/// What operations own of a flag.
fn switches(flag: &Flag) -> impl PartialEq + std::fmt::Debug + use<> {
    let percentage = flag.rollout.as_ref().map_or(Percentage::FULL, |rollout| rollout.percentage);
    (flag.enabled, percentage, flag.schedule.clone(), flag.companies.clone(), flag.emergency)
}

const FLAGS: [&str; 4] = ["a", "b", "c", "d.percentage"];

fn percentage() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("0".to_owned()),
        Just("100".to_owned()),
        (1..100u32).prop_map(|n| n.to_string()),
        Just("0.5".to_owned())
    ]
}

fn companies() -> impl Strategy<Value = String> {
    // Allowed below 5, denied from there on, so that nobody is both.
    (
        prop::sample::subsequence(vec!["1", "\"2\"", "3", "\"x\""], 0..4).prop_shuffle(),
        prop::sample::subsequence(vec!["5", "6", "\"y\""], 0..3).prop_shuffle(),
    )
        .prop_map(|(allow, deny)| {
            format!(r#"{{"allow": [{}], "deny": [{}]}}"#, allow.join(","), deny.join(","))
        })
}

/// A flag; it may require those named after it.
fn flag(number: usize) -> impl Strategy<Value = String> {
    let requires = prop::sample::subsequence(FLAGS[number + 1..].to_vec(), 0..=FLAGS.len() - number - 1);
    let or = |texts: &'static [&'static str]| prop::sample::select(texts);
    let full = (
        (any::<bool>(), percentage(), or(&["", r#", "salt": "s""#, r#", "by": "user""#, r#", "bucketing": "crc32""#]), companies()),
        (
            or(&["", r#""schedule": [{"at": "2030-01-01T00:00:00Z", "percentage": 5}],"#, r#""schedule": [{"at": "2020-01-01T00:00:00+01:00", "percentage": 0}],"#]),
            or(&["", r#""emergency": "keep","#]),
            or(&["", "", "", r#""managed": "git","#]),
            or(&["", r#""rules": [{"when": {"segment": "s"}}],"#, r#""rules": [{"when": {"segment": "t"}, "percentage": 3}],"#]),
        ),
        (
            or(&["", r#""plan": {"stages": [{"percentage": 10}]},"#, r#""plan": {"stages": [{"companies": [1]}, {"percentage": 10}]},"#]),
            or(&["", r#""owner": "x","#, r#""description": "y", "expires": "2099-01-01","#, r#""variants": {"v": {"weight": 100}},"#]),
            requires,
        ),
    )
        .prop_map(|((enabled, percentage, more, companies), (schedule, emergency, managed, rules), (plan, code, requires))| {
            let requires = serde_json::to_string(&requires).unwrap();
            format!(
                r#"{{"enabled": {enabled}, "rollout": {{"percentage": {percentage}{more}}}, "companies": {companies},
                    {schedule}{emergency}{managed}{rules}{plan}{code} "requires": {requires}}}"#
            )
        });
    prop_oneof![1 => Just("true".to_owned()), 1 => Just("false".to_owned()), 6 => full]
}

/// A file's text with some of the flags, and those that they require.
fn files() -> impl Strategy<Value = String> {
    let flags = (flag(0), flag(1), flag(2), flag(3));
    (flags, 0..FLAGS.len(), any::<bool>(), 0..3_usize).prop_map(|((a, b, c, d), first, other, segment)| {
        let flags = [a, b, c, d];
        let shown = flags.iter().zip(FLAGS).skip(first);
        let mut members: Vec<String> = shown.map(|(flag, key)| format!("\"{key}\": {flag}")).collect();
        if other {
            members.push(r#""$comment": "kept", "e": {"rules": [{"when": {"segment": "t"}}], "rollout": {"percentage": 2}}"#.to_owned());
        }
        let segments = [r#""s": {"segment": "t"}, "t": {"all": []}"#, r#""t": {"any": []}, "s": {"any": []}, "u": {"all": []}"#, r#""t": {"not": {"segment": "s"}}, "s": {"attribute": "x", "eq": 1}"#];
        format!(r#"{{"flags": {{{}}}, "segments": {{{}}}}}"#, members.join(",\n"), segments[segment])
    })
}

fn edits() -> impl Strategy<Value = Vec<(usize, Edit)>> {
    let ids = || prop::collection::vec((1..8i64).prop_map(CompanyId::Int), 1..3);
    let thousandths = prop_oneof![Just(0u32), Just(500), Just(100_000)];
    let edit = prop_oneof![
        Just(Edit::Disable),
        Just(Edit::Restore),
        thousandths.prop_map(|n| Edit::Rollout(Percentage::from_thousandths(n).unwrap())),
        ids().prop_map(Edit::Allow),
        ids().prop_map(Edit::Deny),
        ids().prop_map(Edit::Forget),
        ids().prop_map(|companies| Edit::Enable { percentage: None, companies }),
    ];
    prop::collection::vec((0..FLAGS.len(), edit), 0..6)
}

/// What runs after a file was published and words were said.
fn running(file: &str, edits: &[(usize, Edit)]) -> Definitions {
    let mut running = merge(None, &text(file, None), &options()).unwrap().definitions;
    for (flag, edit) in edits {
        if let Ok(changed) = change_published("running", &running, FLAGS[*flag], edit, NOW) {
            running = changed.definitions;
        }
    }
    running
}

fn any_options() -> impl Strategy<Value = Options> {
    let resets = prop::collection::vec(
        prop::sample::select(vec![
            "all",
            "a",
            "a.percentage",
            "b.companies",
            "d.percentage",
            "d.percentage.enabled",
        ]),
        0..2,
    );
    (resets, any::<bool>(), any::<bool>()).prop_map(|(reset, prune, older)| {
        let reset: Vec<String> = reset.into_iter().map(str::to_owned).collect();
        match older {
            true => Options { older: Some(9), ..options() },
            false => Options { reset, prune, ..options() },
        }
    })
}

/// A sorted list of companies the other way round, as a text may have it.
fn shuffled(file: &str) -> String {
    file.replace(r#"1,"2""#, r#"2,"1""#).replace("5,6", "6,5,6")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_runs_and_whatever_the_file_says(first in files(), edits in edits(), file in files(), options in any_options()) {
        let (is, says) = (running(&first, &edits), text(&file, None));
        let known = |what: &String| what == "all" || says.flags.keys().any(|key| what.starts_with(key.as_str()));
        prop_assume!(options.reset.iter().all(known));
        let once = merge(Some(&is), &says, &options).unwrap();

        // Publishing twice is publishing once, and tells of the same drift.
        let later = Options { now: NOW + 1, ..options.clone() };
        let twice = merge(Some(&once.definitions), &says, &later).unwrap();
        prop_assert_eq!(&twice.definitions, &once.definitions);
        prop_assert_eq!(&twice.drift, &once.drift);
        prop_assert!(twice.orphaned.is_empty() && twice.returned.is_empty() && twice.held.is_empty());

        // What comes out passes a check, and compiles.
        prop_assert!(once.definitions.check("merged", TODAY).is_ok());
        prop_assert!(flagstone::compile(&once.definitions, "test").is_ok());

        // The order of lists means nothing.
        prop_assert_eq!(&merge(Some(&is), &text(&shuffled(&file), None), &options).unwrap(), &once);

        for (key, after) in &once.definitions.flags {
            match (is.flags.get(key), says.flags.get(key)) {
                (Some(before), Some(file)) => {
                    let decides = options.older.is_none() && (file.managed == definition::Managed::Git
                        || options.reset.iter().any(|what| what == "all" || what.starts_with(key.as_str())));
                    if !decides {
                        prop_assert_eq!(switches(before), switches(after), "no switch is turned unasked");
                    }
                    prop_assert_eq!(&after.rules, &file.rules);
                    prop_assert_eq!((&after.requires, &after.plan, &after.owner, after.managed), (&file.requires, &file.plan, &file.owner, file.managed));
                    let rollout = |flag: &Flag| flag.rollout.as_ref().map_or(("company".to_owned(), None), |rollout| (rollout.by.clone(), rollout.salt.clone()));
                    prop_assert_eq!(rollout(after), rollout(file));
                }
                (Some(before), None) => prop_assert_eq!(switches(before), switches(after), "an orphan stays as it is"),
                (None, Some(file)) => prop_assert_eq!(&Flag { enabled: file.enabled, ..after.clone() }, file),
                (None, None) => prop_assert!(false, "{} comes from nowhere", key),
            }
        }
        for key in is.flags.keys().filter(|key| !once.definitions.flags.contains_key(*key)) {
            prop_assert!(options.prune && once.pruned.contains(key), "{} is gone", key);
        }
    }

    #[test]
    fn a_file_that_says_what_runs_changes_nothing(first in files(), edits in edits()) {
        let is = running(&first, &edits);
        let once = merge(Some(&is), &is.without_state(), &options()).unwrap();
        prop_assert_eq!(&once.definitions, &is);
        prop_assert!(once.drift.is_empty());
        let all = merge(Some(&is), &is.without_state(), &reset("all")).unwrap();
        prop_assert_eq!(&all.definitions, &is);
    }

    #[test]
    fn with_everything_reset_the_file_is_what_runs(first in files(), edits in edits(), file in files()) {
        let (is, says) = (running(&first, &edits), text(&file, None));
        let merged = merge(Some(&is), &says, &reset("all")).unwrap();
        prop_assert!(merged.drift.is_empty());
        // Every field, however it is written: a reader of the snapshot cannot tell them apart.
        let bytes = |definitions: &Definitions| {
            let mut only = definitions.without_state();
            only.flags.retain(|key, _| says.flags.contains_key(key));
            only.segments.clone_from(&says.segments);
            for flag in only.flags.values_mut() {
                flag.rollout.get_or_insert_with(definition::Rollout::everybody);
            }
            flagstone::compile(&only, "test").unwrap()
        };
        prop_assert_eq!(bytes(&merged.definitions), bytes(&says));
        prop_assert_eq!(FIELDS.len(), 17);
    }

    #[test]
    fn what_is_pulled_is_no_drift_and_nobody_else_s_answers_change(
        file in files(), edits in edits(), overlays in prop::sample::select(vec!["", "both", "empty"]),
    ) {
        let part = r#"{"flags": {"d.percentage": {"enabled": true, "rollout": {"percentage": 33}, "companies": {"allow": [4]}, "schedule": null}}}"#;
        let overlays = match overlays {
            "" => String::new(),
            "both" => format!(r#", "environments": {{"other": {part}, "test": {part}}}"#),
            _ => format!(r#", "environments": {{"other": {part}, "test": {{}}}}"#),
        };
        let file = format!("{}{overlays}}}", file.strip_suffix('}').unwrap());
        prop_assume!(definition::load("f", file.as_bytes(), Some("test"), TODAY).is_ok());
        prop_assume!(definition::load("f", file.as_bytes(), Some("other"), TODAY).is_ok());
        let mut is = merge(None, &text(&file, Some("test")), &options()).unwrap().definitions;
        for (flag, edit) in &edits {
            if let Ok(changed) = change_published("running", &is, FLAGS[*flag], edit, NOW) {
                is = changed.definitions;
            }
        }
        let target = Target { file: "f", text: &file, environment: Some("test"), now: NOW };
        let pulled = pull(target, &is).unwrap_or_else(|error| panic!("{error}\n{file}"));
        let says = text(&pulled.text, Some("test"));
        let merged = merge(Some(&is), &says, &options()).unwrap();
        prop_assert!(merged.drift.is_empty(), "{:?}\n{}", merged.drift, pulled.text);
        if !overlays.is_empty() {
            prop_assert_eq!(text(&pulled.text, Some("other")), text(&file, Some("other")));
            prop_assert_eq!(text(&pulled.text, None), text(&file, None));
        }
        prop_assert_eq!(pulled.text.matches("kept").count(), file.matches("kept").count());
        let again = pull(Target { text: &pulled.text, ..target }, &is).unwrap();
        prop_assert_eq!(again.text, pulled.text);
    }
}
