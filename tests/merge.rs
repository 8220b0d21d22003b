//! A file merged into what runs: which side counts, and what holds whatever they say.

use flagstone::definition::{self, CompanyId, Definitions, FieldSet, Flag, Percentage, PlanState};
use flagstone::flag_change::{Edit, Target, change_published};
use flagstone::merge::{
    FIELDS, Field, MergeError, Merged, Options, all_choice, field_choice, keep_base, merge, open_conflicts,
    pull,
};
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
    Options { now: NOW, lossy: true, ..Options::default() }
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

/// What runs once a file was published for the first time.
#[track_caller]
fn published(flags: &str) -> Definitions {
    merge(None, &file(flags), &options()).unwrap().definitions
}

#[track_caller]
fn edited(running: &Definitions, flag: &str, edit: &Edit) -> Definitions {
    change_published("running", running, flag, edit, NOW)
        .unwrap_or_else(|error| panic!("{error}"))
        .definitions
}

fn percent(percentage: u32) -> Percentage {
    Percentage::from_thousandths(percentage * 1000).unwrap()
}

fn rollout(percentage: u32) -> Edit {
    Edit::Rollout(percent(percentage))
}

fn flag_at(percentage: u32) -> Definitions {
    file(&format!(r#""a": {{"enabled": true, "rollout": {{"percentage": {percentage}}}}}"#))
}

#[track_caller]
fn share(definitions: &Definitions) -> Percentage {
    definitions.flags["a"].rollout.as_ref().map_or(Percentage::FULL, |rollout| rollout.percentage)
}

/// The definitions as the next command reads them from a snapshot.
#[track_caller]
fn stored(definitions: &Definitions) -> Definitions {
    let read = Definitions::from_canonical_json(&definitions.to_canonical_json()).unwrap();
    assert_eq!(&read, definitions);
    read
}

#[test]
fn the_first_publish_of_a_flag_takes_what_the_file_says() {
    let file = file(
        r#""a": {"enabled": false, "rollout": {"percentage": 7}, "companies": {"allow": [1]}, "emergency": "keep"}"#,
    );
    let first = merge(None, &file, &options()).unwrap();
    assert_eq!(first.definitions.without_state(), file);
    assert_eq!(first.definitions.flags["a"].state.base(), Some(&file.flags["a"]));
    assert_eq!(first, Merged { definitions: first.definitions.clone(), ..Merged::default() });
    let beside = merged(
        &published(r#""b": true, "c": true"#),
        &text(
            r#"{"flags": {"a": {"enabled": false, "rollout": {"percentage": 7}, "companies": {"allow": [1]}, "emergency": "keep"}, "b": true, "c": true}}"#,
            None,
        ),
        &options(),
    );
    assert_eq!(beside.definitions.flags["a"], first.definitions.flags["a"]);
}

#[test]
fn an_edit_takes_effect_a_turn_stays_and_both_are_a_conflict() {
    let first = merge(None, &flag_at(10), &options()).unwrap().definitions;
    let edit = merged(&first, &flag_at(25), &options());
    assert_eq!((share(&edit.definitions), edit.drift.len(), edit.conflicts.len()), (percent(25), 0, 0));

    let turned = stored(&edited(&first, "a", &rollout(5)));
    let same = merged(&turned, &flag_at(10), &options());
    assert_eq!((&same.definitions, same.conflicts.len()), (&turned, 0));
    assert_eq!(same.drift[0].to_string(), "a: percentage is 5 %, the file says 10 %");

    let both = merged(&turned, &flag_at(5), &options());
    assert_eq!((share(&both.definitions), both.drift.len(), both.conflicts.len()), (percent(5), 0, 0));

    let conflict = merged(&turned, &flag_at(50), &options());
    assert_eq!(share(&conflict.definitions), percent(5));
    let told: Vec<_> = conflict.conflicts.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["a: percentage is 5 %, the file says 50 % and said 10 %"]);
    // Its base does not move: the next publish has the same conflict.
    let again = merged(&stored(&conflict.definitions), &flag_at(50), &options());
    assert_eq!((&again.definitions, &again.conflicts), (&conflict.definitions, &conflict.conflicts));
    let open = open_conflicts(&again.definitions);
    assert_eq!((open.len(), open[0].to_string()), (1, told[0].clone()));
    assert!(open_conflicts(&edited(&again.definitions, "a", &rollout(50))).is_empty());

    // The ways out.
    let reset = merged(&turned, &flag_at(50), &reset("a.percentage"));
    assert_eq!((share(&reset.definitions), reset.conflicts.len()), (percent(50), 0));
    let settled = Options { settle: vec!["a.percentage".to_owned()], ..options() };
    let settled = merged(&turned, &flag_at(50), &settled);
    assert_eq!(
        (share(&settled.definitions), settled.conflicts.len(), settled.drift.len()),
        (percent(5), 0, 1)
    );
    let after = merged(&settled.definitions, &flag_at(50), &options());
    assert_eq!((after.conflicts.len(), &after.definitions), (0, &settled.definitions));
}

#[test]
fn every_field_merges_by_the_same_rule() {
    // The field, and three ways to write it.
    let fields = [
        ("enabled", [r#""enabled": true"#, r#""enabled": false"#, r#""enabled": true"#]),
        ("emergency", [r#""emergency": "off""#, r#""emergency": "keep""#, r#""emergency": "off""#]),
        ("requires", [r#""requires": []"#, r#""requires": ["b"]"#, r#""requires": ["c"]"#]),
        (
            "rules",
            [
                r#""rules": []"#,
                r#""rules": [{"when": {"attribute": "x", "eq": 1}}]"#,
                r#""rules": [{"when": {"attribute": "x", "eq": 2}}]"#,
            ],
        ),
        (
            "variants",
            [
                r#""variants": {"v": {"weight": 100}}"#,
                r#""variants": {"w": {"weight": 100}}"#,
                r#""variants": {"u": {"weight": 100}}"#,
            ],
        ),
        (
            "plan",
            [
                r#""plan": {"stages": [{"percentage": 10}]}"#,
                r#""plan": {"stages": [{"percentage": 20}]}"#,
                r#""plan": {"stages": [{"percentage": 30}]}"#,
            ],
        ),
        (
            "guard",
            [r#""guard": false"#, r#""guard": {"min_requests": 7}"#, r#""guard": {"min_requests": 9}"#],
        ),
        (
            "expires",
            [r#""expires": "2099-01-01""#, r#""expires": "2099-01-02""#, r#""expires": "2099-01-03""#],
        ),
        ("description", [r#""description": "x""#, r#""description": "y""#, r#""description": "z""#]),
        ("owner", [r#""owner": "x""#, r#""owner": "y""#, r#""owner": "z""#]),
    ];
    let rollouts = [
        ("by", ["company", "user", "team"].map(|by| format!(r#""rollout": {{"percentage": 9, "by": "{by}"}}"#))),
        ("salt", ["s", "t", "u"].map(|salt| format!(r#""rollout": {{"percentage": 9, "salt": "{salt}"}}"#))),
        // With a salt, for a flag that gets another former key keeps its companies.
        ("was", ["x", "y", "z"].map(|was| format!(r#""rollout": {{"percentage": 9, "salt": "s"}}, "was": "{was}""#))),
        ("bucketing", ["xxh3", "crc32", "xxh3"].map(|name| format!(r#""rollout": {{"percentage": 9, "bucketing": "{name}"}}"#))),
        ("percentage", ["1", "2", "3"].map(|share| format!(r#""rollout": {{"percentage": {share}}}"#))),
        ("percentage", ["2030", "2031", "2032"].map(|year| {
            format!(r#""rollout": {{"percentage": 9}}, "schedule": [{{"at": "{year}-01-01T00:00:00Z", "percentage": 5}}]"#)
        })),
    ];
    let fields = fields.map(|(name, written)| (name, written.map(str::to_owned)));
    let mut seen = std::collections::BTreeSet::from(["companies", "managed"]);
    for (name, written) in fields.into_iter().chain(rollouts) {
        seen.insert(name);
        let rest = if written[0].contains("rollout") { "" } else { r#""rollout": {"percentage": 9}, "# };
        let of = |written: &str| file(&format!(r#""a": {{{rest}{written}}}, "b": true, "c": true"#));
        let [x, y, z] = [of(&written[0]), of(&written[1]), of(&written[2])];
        let field = Field::named(name).unwrap();
        let three = [&x, &y, &z];
        for (base, says, is) in (0..27).map(|n| (three[n % 3], three[n / 3 % 3], three[n / 9])) {
            let mut running = merge(None, base, &options()).unwrap().definitions;
            let state = running.flags["a"].state.clone();
            running.flags.insert("a".to_owned(), Flag { state, ..is.flags["a"].clone() });
            let running = stored(&running);
            let after = merge(Some(&running), says, &options()).unwrap();
            let (base, says, is) = (&base.flags["a"], &says.flags["a"], &is.flags["a"]);
            let conflict = says != base && is != base && says != is;
            let expected = if says != base && is == base { says } else { is };
            assert_eq!(&after.definitions.without_state().flags["a"], expected, "{name}");
            assert_eq!(after.conflicts.len(), usize::from(conflict), "{name}");
            let drifts = !conflict && expected != says;
            assert_eq!(
                after.drift.iter().filter(|drift| drift.field == name).count(),
                usize::from(drifts),
                "{name}"
            );
            if conflict {
                assert_eq!(after.conflicts[0].field, field.name);
            }
            let again = merge(Some(&stored(&after.definitions)), &text_of(says, &x), &options()).unwrap();
            assert_eq!(
                (&again.definitions, &again.drift, &again.conflicts),
                (&after.definitions, &after.drift, &after.conflicts)
            );
        }
    }
    let all: std::collections::BTreeSet<_> = FIELDS.iter().map(|field| field.name).collect();
    assert_eq!(seen, all);
}

/// The flag `a` in a file with the flags that it may require.
fn text_of(flag: &Flag, beside: &Definitions) -> Definitions {
    let mut file = beside.clone();
    file.flags.insert("a".to_owned(), flag.clone());
    file
}

#[test]
fn companies_merge_one_by_one() {
    let list = |listing: usize| {
        ["", r#""allow": [1]"#, r#""deny": [1]"#].map(|list| {
            // Company 9 keeps both lists written.
            let list = match list {
                "" => r#""allow": [8], "deny": [9]"#.to_owned(),
                r#""allow": [1]"# => r#""allow": [1, 8], "deny": [9]"#.to_owned(),
                _ => r#""allow": [8], "deny": [1, 9]"#.to_owned(),
            };
            file(&format!(r#""a": {{"rollout": {{"percentage": 0}}, "companies": {{{list}}}}}"#))
        })[listing]
            .clone()
    };
    for (base, says, is) in (0..27).map(|n| (n % 3, n / 3 % 3, n / 9)) {
        let mut running = merge(None, &list(base), &options()).unwrap().definitions;
        running.flags.get_mut("a").unwrap().companies = list(is).flags["a"].companies.clone();
        let after = merged(&stored(&running), &list(says), &options());
        let conflict = says != base && is != base && says != is;
        let expected = if says != base && is == base { says } else { is };
        assert_eq!(
            after.definitions.flags["a"].companies,
            list(expected).flags["a"].companies,
            "{base} {says} {is}"
        );
        assert_eq!(after.conflicts.len(), usize::from(conflict), "{base} {says} {is}");
        if conflict {
            let [found] = &after.conflicts[0].companies[..] else { panic!() };
            assert_eq!(found.company, CompanyId::Int(1));
            assert_eq!(open_conflicts(&after.definitions).len(), 1);
        }
    }
    // Two people add two companies, and a third is in conflict: only that waits.
    let running = published(r#""a": {"rollout": {"percentage": 0}, "companies": {"allow": [1]}}"#);
    let running = edited(&running, "a", &Edit::Allow(vec![CompanyId::Int(2)]));
    let running = edited(&running, "a", &Edit::Deny(vec![CompanyId::Text("acme".to_owned())]));
    let says = file(r#""a": {"rollout": {"percentage": 0}, "companies": {"allow": [3, "acme"]}}"#);
    let after = merged(&running, &says, &options());
    let companies = &after.definitions.flags["a"].companies;
    assert_eq!(companies.allow, [CompanyId::Int(2), CompanyId::Int(3)]);
    assert_eq!(companies.deny, [CompanyId::Text("acme".to_owned())]);
    assert_eq!(after.conflicts[0].to_string(), "a: companies acme is in deny, the file says allow");
}

#[test]
fn a_field_that_the_file_no_longer_says_keeps_what_runs() {
    let first = published(
        r#""a": {"enabled": true, "rollout": {"percentage": 10}, "companies": {"allow": [1]}, "emergency": "keep", "owner": "x"}"#,
    );
    let silent = file(r#""a": {"enabled": true}"#);
    let after = merged(&first, &silent, &options());
    assert_eq!(after.definitions, first);
    let unsaid: Vec<_> = after.unsaid.iter().map(|drift| drift.field).collect();
    assert_eq!((unsaid, after.drift.len()), (vec!["percentage", "companies", "emergency", "owner"], 0));
    // Nobody turned it meanwhile, so that an edit takes effect.
    assert_eq!(share(&merged(&after.definitions, &flag_at(25), &options()).definitions), percent(25));
    // Without it on purpose.
    let reset = merged(&first, &silent, &reset("a.owner"));
    assert_eq!((&reset.definitions.flags["a"].owner, share(&reset.definitions)), (&None, percent(10)));
}

// "does not say companies" of a file that says one of the lists, and "denied only by the file" of a company that it denies no longer.
#[test]
fn a_list_that_the_file_no_longer_says_is_named() {
    let first = published(
        r#""a": {"enabled": true, "rollout": {"percentage": 0}, "companies": {"allow": [1], "deny": [3]}}"#,
    );
    let without = |companies: &str, running: &Definitions| {
        let flag =
            format!(r#""a": {{"enabled": true, "rollout": {{"percentage": 0}}, "companies": {companies}}}"#);
        let after = merged(running, &file(&flag), &options());
        let unsaid: Vec<_> = after.unsaid.iter().map(|unsaid| unsaid.field).collect();
        (unsaid, after.drift.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(without(r#"{"deny": [3]}"#, &first), (vec!["companies.allow"], vec![]));
    assert_eq!(without(r#"{"allow": [1]}"#, &first), (vec!["companies.deny"], vec![]));
    assert_eq!(without("{}", &first), (vec!["companies"], vec![]));
    let allowed = edited(&first, "a", &Edit::Allow(vec![CompanyId::Int(3)]));
    let drift = "a: companies allowed besides the file's: 3".to_owned();
    assert_eq!(without(r#"{"allow": [1]}"#, &allowed), (vec![], vec![drift]));
}

// A field that the file said, that was taken back where the flag runs and out of the file, and then written again, was no edit: the file
// said it once, and nothing was applied.
#[test]
fn what_file_and_store_both_took_back_is_an_edit_when_it_is_written_again() {
    let base = r#""b": true, "a": {"enabled": true, "rollout": {"percentage": 100}"#;
    let fields = [
        r#""requires": ["b"]"#,
        r#""rules": [{"when": {"attribute": "plan", "in": ["pro"]}}]"#,
        r#""companies": {"deny": [7]}"#,
        r#""companies": {"allow": [7]}"#,
        r#""emergency": "keep""#,
        r#""guard": false"#,
        r#""owner": "x""#,
    ];
    for field in fields {
        let (without, with) = (format!("{base}}}"), format!("{base}, {field}}}"));
        let first = published(&without);
        let written = merged(&first, &file(&with), &options()).definitions;
        // As a rollback, or the commands for companies, leave it.
        let mut back = first.clone();
        back.flags.get_mut("a").unwrap().state = written.flags["a"].state.clone();
        let silent = merged(&back, &file(&without), &options());
        assert_eq!((silent.unsaid.len(), silent.drift.len(), silent.conflicts.len()), (0, 0, 0), "{field}");
        let again = merged(&stored(&silent.definitions), &file(&with), &options()).definitions;
        assert_eq!(again.flags["a"], written.flags["a"], "{field}");
    }
}

#[test]
fn a_new_flag_says_for_whom_it_is() {
    let error = merge(None, &file(r#""a": {}, "b": {"owner": "x"}, "c": true"#), &options()).unwrap_err();
    assert!(
        error.to_string().starts_with("a, b: new, and says neither \"enabled\" nor whom it is for"),
        "{error}"
    );
    let running = published(r#""a": {"enabled": false}"#);
    assert_eq!(merged(&running, &file(r#""a": {}"#), &options()).definitions, running);
}

#[test]
fn a_file_that_lacks_more_than_half_of_the_flags_is_refused() {
    let running = published(r#""a": true, "b": true, "c": true, "d": true"#);
    let half = file(r#""a": true, "b": true"#);
    let options = || Options { lossy: false, ..options() };
    let kept = merged(&running, &half, &options());
    assert_eq!(kept.orphaned, ["c", "d"]);
    let error = merge(Some(&running), &file(r#""a": true"#), &options()).unwrap_err();
    assert!(
        error.to_string().contains("lacks 3 of the 4 flags that run; if that is meant, say --yes"),
        "{error}"
    );
    assert!(merge(Some(&running), &file(r#""a": true"#), &Options { lossy: true, ..options() }).is_ok());
    // What it lacked before is left aside.
    assert!(merge(Some(&kept.definitions), &file(r#""a": true"#), &options()).is_ok());
}

#[test]
fn where_no_base_is_known_the_file_at_hand_is_taken_for_it_and_turns_nothing() {
    let running = file(
        r#""a": {"enabled": true, "rollout": {"percentage": 5}, "companies": {"allow": [1]}, "owner": "x"}"#,
    );
    let stale = file(r#""a": {"enabled": false, "rollout": {"percentage": 0}, "owner": "y"}"#);
    let after = merged(&running, &stale, &options());
    assert_eq!(after.definitions.without_state(), running);
    let told: Vec<_> = after.drift.iter().map(|drift| drift.field).collect();
    assert_eq!((told, &after.unknown), (vec!["enabled", "percentage", "owner"], &vec!["a".to_owned()]));
    let next = merged(&stored(&after.definitions), &stale, &options());
    assert_eq!((&next.definitions, next.unknown.len()), (&after.definitions, 0));
    let edit = file(r#""a": {"enabled": true, "rollout": {"percentage": 0}, "owner": "z"}"#);
    let conflict = merged(&after.definitions, &edit, &options());
    // `enabled` runs so already.
    assert_eq!(
        conflict.conflicts.iter().map(|conflict| conflict.field.as_str()).collect::<Vec<_>>(),
        ["owner"]
    );
}

#[test]
fn what_is_managed_in_git_is_as_the_file_says_and_cannot_be_turned() {
    let says = |percentage: u32| {
        file(&format!(
            r#""a": {{"managed": "git", "enabled": true, "rollout": {{"percentage": {percentage}}}}}"#
        ))
    };
    let running = merge(None, &says(10), &options()).unwrap().definitions;
    let error = change_published("running", &running, "a", &rollout(5), NOW).unwrap_err();
    assert!(
        error.to_string().starts_with("a is managed in git: change it in its file")
            && error.to_string().contains("flagstone kill a"),
        "{error}"
    );
    let mut turned = running.clone();
    turned.flags.get_mut("a").unwrap().rollout.as_mut().unwrap().percentage = percent(5);
    for percentage in [10, 20] {
        let after = merged(&turned, &says(percentage), &options());
        assert_eq!((share(&after.definitions), after.conflicts.len()), (percent(percentage), 0));
    }
}

#[test]
fn a_flag_that_comes_back_is_on_for_no_more_than_its_file_and_what_ran() {
    let runs = |flag: &str| {
        let running = published(&format!(r#""a": {flag}, "b": true"#));
        merged(&running, &file(r#""b": true"#), &options()).definitions
    };
    let back = |running: &Definitions, flag: &str| {
        let after = merged(running, &file(&format!(r#""a": {flag}, "b": true"#)), &options());
        assert_eq!((&after.returned, after.conflicts.len()), (&vec!["a".to_owned()], 0));
        after.definitions
    };
    let at = |percentage: u32| format!(r#"{{"enabled": true, "rollout": {{"percentage": {percentage}}}}}"#);
    for (ran, says, least) in [(100, 0, 0), (0, 100, 0), (40, 60, 40), (60, 40, 40)] {
        assert_eq!(share(&back(&runs(&at(ran)), &at(says))), percent(least), "{ran} {says}");
    }
    let turned = edited(&runs(&at(0)), "a", &rollout(100));
    assert_eq!(share(&back(&turned, &at(0))), Percentage::NONE);
    let other = back(&runs(&at(10)), r#"{"enabled": true, "rollout": {"percentage": 10, "salt": "other"}}"#);
    assert!(!other.flags["a"].enabled, "another salt draws other companies");
    let lists = back(
        &runs(r#"{"rollout": {"percentage": 0}, "companies": {"allow": [1, 2], "deny": [3]}}"#),
        r#"{"rollout": {"percentage": 0}, "companies": {"allow": [2, 3], "deny": [4]}}"#,
    );
    assert_eq!(lists.flags["a"].companies.allow, [CompanyId::Int(2)]);
    assert_eq!(lists.flags["a"].companies.deny, [CompanyId::Int(3), CompanyId::Int(4)]);
}

#[test]
fn an_older_release_turns_nothing() {
    let running = edited(
        &published(r#""a": {"enabled": true, "rollout": {"percentage": 10}, "owner": "x"}"#),
        "a",
        &rollout(5),
    );
    let older = file(
        r#""a": {"enabled": false, "managed": "git", "rollout": {"percentage": 10, "salt": "s"}, "owner": "y"}, "new": true"#,
    );
    let after = merged(&running, &older, &Options { older: Some("9".to_owned()), ..options() });
    assert_eq!(after.definitions.flags["a"], running.flags["a"]);
    assert_eq!((after.definitions.flags["new"].enabled, &after.disabled), (false, &vec!["new".to_owned()]));
    assert_eq!(after.definitions.flags["new"].state.base(), None);
}

#[test]
fn segments_merge_by_name_and_what_a_rollback_took_back_stays_back() {
    let of = |segment: u32, more: &str| {
        text(
            &format!(
                r#"{{"flags": {{"a": {{"rollout": {{"percentage": 0}}, "rules": [{{"when": {{"segment": "s"}}}}]}}, "b": true{more}}},
            "segments": {{"s": {{"attribute": "x", "eq": {segment}}}}}}}"#
            ),
            None,
        )
    };
    let first = merge(None, &of(1, ""), &options()).unwrap().definitions;
    let second = merged(&first, &of(2, r#", "c": true"#), &options()).definitions;
    assert_eq!((second.segments.clone(), second.segments_base.clone()), (of(2, "").segments, None));
    // A rollback to the first: what ran then, with what the file said last.
    let mut back = first.clone();
    keep_base(&second, &mut back, TODAY);
    let back = stored(&back);
    assert_eq!((&back.segments, back.segments_base.as_ref()), (&first.segments, Some(&second.segments)));
    assert!(!back.flags["c"].enabled, "a flag of the generation that was left stays off");
    let again = merged(&back, &of(2, r#", "c": true"#), &options());
    assert_eq!((&again.definitions, again.conflicts.len()), (&back, 0));
    let edit = merged(&back, &of(3, r#", "c": true"#), &options());
    assert_eq!((edit.conflicts.len(), edit.conflicts[0].field.as_str()), (1, "s"));
    let reset = merged(&back, &of(3, r#", "c": true"#), &reset("all")).definitions;
    assert_eq!((reset.segments, reset.segments_base), (of(3, "").segments, None));
}

#[test]
fn a_flag_that_says_nothing_of_its_rollout_is_on_for_all_and_differs_from_none_that_says_so() {
    let (short, long) = (r#""a": true"#, r#""a": {"rollout": {"percentage": 100}}"#);
    for (running, says) in [(short, long), (long, short)] {
        let merged = merged(&published(running), &file(says), &options());
        assert_eq!((merged.definitions.without_state(), merged.drift.len()), (file(running), 0));
    }
    // Rules need a percentage to be written.
    let ruled = file(
        r#""a": {"rollout": {"percentage": 5, "salt": "s"}, "rules": [{"when": {"attribute": "x", "eq": 1}}]}"#,
    );
    let merged = merged(&published(short), &ruled, &options());
    let rollout = merged.definitions.flags["a"].rollout.clone().unwrap();
    assert_eq!((rollout.percentage, rollout.salt.as_deref()), (percent(5), Some("s")));
}

#[test]
fn drift_is_told_field_by_field() {
    let base = r#""a": {"rollout": {"percentage": 10}, "companies": {"allow": ["2", 3]}, "schedule": [{"at": "2030-01-01T00:00:00Z", "percentage": 50}]}"#;
    let mut running = published(base);
    let turned = file(
        r#""a": {"enabled": false, "rollout": {"percentage": 0.5}, "companies": {"allow": [1, 2, "x"], "deny": [9]}, "emergency": "keep"}"#,
    );
    let state = running.flags["a"].state.clone();
    running.flags.insert("a".to_owned(), Flag { state, ..turned.flags["a"].clone() });
    let file = file(base);
    let told: Vec<_> = merged(&running, &file, &options()).drift.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "a: enabled is false, the file says true",
            "a: percentage is 0.5 %, the file says 10 %, 50 % from 2030-01-01T00:00:00Z",
            "a: companies allowed besides the file's: 1, x; allowed only by the file: 3; denied besides the file's: 9",
            r#"a: emergency is "keep", the file says "off""#,
        ]
    );
    for (number, field) in ["enabled", "percentage", "companies", "emergency"].iter().enumerate() {
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
fn one_instant_written_in_two_ways_is_no_edit() {
    let schedule = |at: &str| {
        format!(r#""a": {{"rollout": {{"percentage": 0}}, "schedule": [{{"at": "{at}", "percentage": 5}}]}}"#)
    };
    let (running, file) =
        (published(&schedule("2030-01-01T00:00:00Z")), file(&schedule("2030-01-01T01:00:00+01:00")));
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
    assert_eq!(on("a.enabled/"), ["a.enabled"]);
    assert_eq!(on("a/enabled"), ["a"]);
    assert_eq!(on("a.enabled.enabled"), ["a.enabled"]);
    assert_eq!(on("a"), ["a"]);
    assert_eq!(on("b.c.d"), ["b.c.d"]);
    assert_eq!(on("b.c.d.enabled"), ["b.c.d"]);
    assert_eq!(on("*"), ["a", "a.enabled", "b.c.d"]);
    assert_eq!(field_choice(&file, "a", "enabled"), "a/enabled");
    assert_eq!(field_choice(&file, "a.enabled", "enabled"), "a.enabled.enabled");
    // It was taken for the flag, whose line named the field of another.
    let ambiguous = merge(Some(&running), &file, &reset("a.enabled")).unwrap_err().to_string();
    for meant in ["the flag a.enabled (a.enabled/)", "the field enabled of a (a/enabled)"] {
        assert!(ambiguous.contains(meant), "{ambiguous}");
    }
}

#[test]
fn a_flag_called_all_can_be_named_alone() {
    let running = file(r#""all": false, "a": false"#);
    let file = file(r#""all": true, "a": true"#);
    let ambiguous = merge(Some(&running), &file, &reset("all")).unwrap_err().to_string();
    assert!(ambiguous.contains("everything ('*') and the flag all (all/)"), "{ambiguous}");
    let alone = merged(&running, &file, &reset("all/")).definitions;
    assert!(alone.flags["all"].enabled && !alone.flags["a"].enabled);
    assert!(merged(&running, &file, &reset("*")).definitions.flags["a"].enabled);
    assert_eq!((all_choice(&file), all_choice(&flag_at(10))), ("'*'", "all"));
    for what in ["b/", "a/nothing", "/", "/enabled"] {
        merge(Some(&running), &file, &reset(what)).unwrap_err();
    }
}

/// An edit was taken although it was to be answered by what runs; and a flag was reset that was to be settled.
#[test]
fn what_is_settled_keeps_what_runs_whatever_else_is_reset() {
    let both = |reset: &str, settle: &str| {
        let of = |what: &str| what.split(' ').filter(|what| !what.is_empty()).map(str::to_owned).collect();
        Options { reset: of(reset), settle: of(settle), ..options() }
    };
    let runs = |percentage: u32, rest: &str| {
        file(&format!(r#""a": {{"enabled": true, "rollout": {{"percentage": {percentage}}}{rest}}}"#))
    };
    let first = merged(&Definitions::default(), &runs(50, ""), &options()).definitions;
    let edited = runs(60, r#", "companies": {"allow": [7]}, "requires": []"#);
    for settle in ["a.percentage", "a", "all"] {
        for reset in ["", "all", "a"] {
            let options = both(reset, settle);
            let named = |what: &str| what == settle;
            if named(reset) || (settle == "all" && reset == "a") {
                continue;
            }
            let settled = merged(&first, &edited, &options);
            assert_eq!(share(&settled.definitions), percent(50), "{reset} {settle}");
            // The edit is answered: the same file turns nothing later.
            let again = merged(&settled.definitions, &edited, &Options::default());
            assert_eq!((share(&again.definitions), again.conflicts.len()), (percent(50), 0));
            let companies = &settled.definitions.flags["a"].companies.allow;
            assert_eq!(companies.is_empty(), settle != "a.percentage", "{reset} {settle}");
        }
    }
    let narrower = merged(&first, &edited, &both("a.percentage", "a")).definitions;
    assert_eq!((share(&narrower), narrower.flags["a"].companies.allow.len()), (percent(60), 0));
    for (reset, settle) in [("all", "all"), ("a", "a"), ("a.percentage", "a/percentage a")] {
        let refused = merge(Some(&first), &edited, &both(reset, settle)).unwrap_err().to_string();
        assert!(refused.contains("--reset and --settle both name"), "{refused}");
    }
    let git = file(r#""a": {"enabled": true, "managed": "git", "rollout": {"percentage": 60}}"#);
    let refused = merge(Some(&first), &git, &both("", "a")).unwrap_err().to_string();
    assert!(refused.contains("managed by git"), "{refused}");
}

#[test]
fn an_orphan_keeps_the_segments_that_it_uses() {
    let first = text(
        r#"{"flags": {"a": {"rollout": {"percentage": 0}, "rules": [{"when": {"not": {"segment": "s"}}}]}, "b": true},
            "segments": {"s": {"any": [{"segment": "t"}]}, "t": {"attribute": "x", "eq": 1}, "unused": {"all": []}}}"#,
        None,
    );
    let running = merge(None, &first, &options()).unwrap().definitions;
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
    let running = published(&format!(r#"{}, "orphan": {{"requires": ["f1"]}}"#, chain(1, 3)));
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
    let mut running = merge(None, &file, &options()).unwrap().definitions;
    running.flags.get_mut("a").unwrap().rollout.as_mut().unwrap().percentage = percent(10);
    under_way(running.flags.get_mut("a").unwrap());
    let conflict = merged(&running, &file_of(30, PLAN), &options());
    assert!(conflict.conflicts[0].planned && conflict.conflicts.len() == 1);
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

/// What runs after a file was published and commands changed flags.
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
            true => Options { older: Some("9".to_owned()), ..options() },
            false => Options { reset, prune, ..options() },
        }
    })
}

/// A sorted list of companies the other way round, as a text may have it.
fn shuffled(file: &str) -> String {
    file.replace(r#"1,"2""#, r#"2,"1""#).replace("5,6", "6,5,6")
}

/// A field, for a model of the rule that is independent of the code: what a flag says of it, and whether a text writes it.
type ModelField = (&'static str, fn(&Flag) -> serde_json::Value, fn(&serde_json::Value) -> bool);

fn model() -> Vec<ModelField> {
    fn json(value: impl serde::Serialize) -> serde_json::Value {
        serde_json::to_value(value).unwrap()
    }
    fn rollout(flag: &Flag) -> definition::Rollout {
        flag.rollout.clone().unwrap_or_else(definition::Rollout::everybody)
    }
    vec![
        ("enabled", |flag| json(flag.enabled), |text| text.is_boolean() || text.get("enabled").is_some()),
        (
            "percentage",
            |flag| json((rollout(flag).percentage, &flag.schedule)),
            |text| *text == true || text.get("rollout").is_some() || text.get("schedule").is_some(),
        ),
        ("emergency", |flag| json(flag.emergency), |text| text.get("emergency").is_some()),
        ("by", |flag| json(rollout(flag).by), |text| text["rollout"].get("by").is_some()),
        ("salt", |flag| json(rollout(flag).salt), |text| text["rollout"].get("salt").is_some()),
        (
            "bucketing",
            |flag| json(rollout(flag).bucketing),
            |text| text["rollout"].get("bucketing").is_some(),
        ),
        ("requires", |flag| json(&flag.requires), |text| text.get("requires").is_some()),
        ("rules", |flag| json(&flag.rules), |text| text.get("rules").is_some()),
        ("variants", |flag| json(&flag.variants), |text| text.get("variants").is_some()),
        ("plan", |flag| json(&flag.plan), |text| text.get("plan").is_some()),
        ("managed", |flag| json(flag.managed), |text| text.get("managed").is_some()),
        ("expires", |flag| json(&flag.expires), |text| text.get("expires").is_some()),
        ("description", |flag| json(&flag.description), |text| text.get("description").is_some()),
        ("owner", |flag| json(&flag.owner), |text| text.get("owner").is_some()),
    ]
}

/// What flags say of a company.
fn listing(flag: &Flag, company: &CompanyId) -> u8 {
    u8::from(flag.companies.allow.contains(company)) + 2 * u8::from(flag.companies.deny.contains(company))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn whatever_runs_and_whatever_the_file_says(first in files(), edits in edits(), file in files(), options in any_options()) {
        let (is, base, says) = (running(&first, &edits), text(&first, None), text(&file, None));
        let known = |what: &String| what == "all" || says.flags.keys().any(|key| what.starts_with(key.as_str()));
        prop_assume!(options.reset.iter().all(known));
        let once = merge(Some(&stored(&is)), &says, &options);
        let once = match once {
            // What stays and what is edited may contradict each other, which is told.
            Err(MergeError::Result(_)) => return Ok(()),
            once => once.unwrap(),
        };

        // Publishing twice is publishing once, and tells the same.
        let later = Options { now: NOW + 1, ..options.clone() };
        let twice = merge(Some(&stored(&once.definitions)), &says, &later).unwrap();
        prop_assert_eq!(&twice.definitions, &once.definitions);
        prop_assert_eq!(&twice.conflicts, &once.conflicts);
        prop_assert_eq!(&twice.drift, &once.drift);
        prop_assert!(twice.orphaned.is_empty() && twice.returned.is_empty() && twice.held.is_empty());

        // What comes out passes a check, and compiles.
        prop_assert!(once.definitions.check("merged", TODAY).is_ok());
        prop_assert!(flagstone::compile(&once.definitions, "test").is_ok());

        // The order of lists means nothing.
        prop_assert_eq!(&merge(Some(&is), &text(&shuffled(&file), None), &options).unwrap(), &once);

        let written: serde_json::Value = serde_json::from_str(&file).unwrap();
        let mut conflicts = Vec::new();
        for (key, after) in &once.definitions.flags {
            let (before, file) = match (is.flags.get(key), says.flags.get(key)) {
                (Some(before), Some(file)) => (before, file),
                (Some(before), None) => {
                    prop_assert_eq!(switches(before), switches(after), "an orphan stays as it is");
                    continue;
                }
                (None, Some(file)) => {
                    prop_assert_eq!(&Flag { enabled: file.enabled, state: Default::default(), ..after.clone() }, file);
                    continue;
                }
                (None, None) => panic!("{key} comes from nowhere"),
            };
            if options.older.is_some() {
                prop_assert_eq!(before, after, "an older release turns nothing");
                continue;
            }
            let base = base.flags.get(key).unwrap();
            let written = &written["flags"][key.as_str()];
            let reset = |field: &str| options.reset.iter().any(|what| {
                what == "all" || what == key || *what == format!("{key}.{field}")
            });
            let git = match written.get("managed") {
                Some(managed) => managed == "git",
                None => before.managed == definition::Managed::Git,
            };
            for (field, value, is_written) in model() {
                let (was, says, ran) = (value(base), value(file), value(before));
                let is_written = is_written(written);
                let expected = match () {
                    () if reset(field) || (git && is_written) => says.clone(),
                    () if is_written && says != was && ran == was => says.clone(),
                    () => ran.clone(),
                };
                prop_assert_eq!(value(after), expected, "{} {}", key, field);
                if is_written && !git && !reset(field) && says != was && ran != was && says != ran {
                    conflicts.push((key.clone(), field.to_owned()));
                }
            }
            let mut open = false;
            for company in [1, 2, 3, 5, 6, 7].map(CompanyId::Int).into_iter().chain(["x", "y"].map(|id| CompanyId::Text(id.to_owned()))) {
                let (was, said, ran) = (listing(base, &company), listing(file, &company), listing(before, &company));
                let list = |list: &str| written["companies"].get(list).is_some();
                let said = match (said, was) {
                    (0, 1) if !list("allow") => was,
                    (0, 2) if !list("deny") => was,
                    (said, _) => said,
                };
                let expected = match () {
                    () if reset("companies") => listing(file, &company),
                    () if git => said,
                    () if said != was && ran == was => said,
                    () => ran,
                };
                prop_assert_eq!(listing(after, &company), expected, "{} {}", key, company);
                open |= !git && !reset("companies") && said != was && ran != was && said != ran;
            }
            conflicts.extend(open.then(|| (key.clone(), "companies".to_owned())));
        }
        conflicts.sort();
        let mut told: Vec<_> = once.conflicts.iter().map(|conflict| (conflict.flag.clone(), conflict.field.clone())).collect();
        told.sort();
        prop_assert_eq!(told, conflicts, "a conflict is told exactly where both sides changed one field to different values");
        for key in is.flags.keys().filter(|key| !once.definitions.flags.contains_key(*key)) {
            prop_assert!(options.prune && once.pruned.contains(key), "{} is gone", key);
        }
    }

    #[test]
    fn the_same_file_changes_nothing_whatever_was_done_in_between(
        first in files(), second in files(), edits in edits(), back in any::<bool>(), more in edits(),
    ) {
        let before = running(&first, &edits);
        let says = text(&second, None);
        let Ok(published) = merge(Some(&before), &says, &options()) else { return Ok(()) };
        let mut runs = published.definitions.clone();
        if back {
            let mut older = before.clone();
            keep_base(&runs, &mut older, TODAY);
            runs = stored(&older);
        }
        for (flag, edit) in &more {
            if let Ok(changed) = change_published("running", &runs, FLAGS[*flag], edit, NOW) {
                runs = changed.definitions;
            }
        }
        let Ok(again) = merge(Some(&stored(&runs)), &says, &options()) else { return Ok(()) };
        let git = |key: &String| runs.flags.get(key).is_some_and(|flag| flag.managed == definition::Managed::Git)
            || says.flags.get(key).is_some_and(|flag| flag.managed == definition::Managed::Git);
        for (key, flag) in again.definitions.without_state().flags {
            // One that comes back into the file is on for no more than the file says.
            // An edit that a conflict held back takes effect once what runs is as the file said before.
            let waits = published.conflicts.iter().any(|conflict| conflict.flag == key);
            if git(&key) || waits || again.returned.contains(&key) {
                continue;
            }
            let mut ran = runs.flags.get(&key).cloned();
            if let Some(ran) = &mut ran {
                ran.state = Default::default();
            }
            prop_assert_eq!(Some(flag), ran, "{}", key);
        }
    }

    #[test]
    fn edits_of_different_fields_commute(percentage in 0..100u32, company in 1..9i64, enabled in any::<bool>(), turn_enabled in any::<bool>()) {
        let of = |percentage: u32, enabled: bool, more: &str| file(&format!(
            r#""a": {{"enabled": {enabled}, "rollout": {{"percentage": {percentage}}}, "companies": {{"allow": [20{more}]}}}}"#
        ));
        let first = merge(None, &of(100, true, ""), &options()).unwrap().definitions;
        // The file edits one switch and a company, people turn another switch and another company.
        let says = match turn_enabled {
            true => of(percentage, true, ", 21"),
            false => of(100, enabled, ", 21"),
        };
        let edit = match (turn_enabled, enabled) {
            (false, _) => rollout(percentage),
            (true, false) => Edit::Disable,
            (true, true) => Edit::Restore,
        };
        let words = |definitions: &Definitions| {
            let definitions = match change_published("running", definitions, "a", &edit, NOW) {
                Ok(changed) => changed.definitions,
                // Turning on a flag that is on for nobody is refused, in either order.
                Err(_) => definitions.clone(),
            };
            edited(&definitions, "a", &Edit::Deny(vec![CompanyId::Int(company)]))
        };
        let one = words(&merged(&first, &says, &options()).definitions);
        let other = merged(&words(&first), &says, &options());
        prop_assert_eq!(one, other.definitions);
        prop_assert!(other.conflicts.is_empty());
    }

    #[test]
    fn a_file_that_says_what_runs_changes_nothing(first in files(), edits in edits()) {
        let is = running(&first, &edits);
        let mut says = is.without_state();
        says.flags.values_mut().for_each(|flag| flag.written = FieldSet::ALL);
        for options in [options(), reset("all")] {
            let once = merge(Some(&is), &says, &options).unwrap();
            prop_assert_eq!(&once.definitions.without_state(), &is.without_state());
            prop_assert!(once.drift.is_empty() && once.conflicts.is_empty());
        }
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
        file in files(), edits in edits(), other in prop::option::of(files()), overlays in prop::sample::select(vec!["", "both", "empty"]),
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
        // Rules, a salt, an owner may run otherwise as well, after a rollback.
        if let Some(other) = other.filter(|other| definition::load("f", other.as_bytes(), None, TODAY).is_ok()) {
            for (key, flag) in text(&other, None).flags {
                let same_rollout = |running: &Flag| running.rollout.is_some() == flag.rollout.is_some();
                if let Some(running) = is.flags.get_mut(&key).filter(|running| same_rollout(running)) {
                    *running = Flag { state: running.state.clone(), requires: running.requires.clone(), ..flag };
                }
            }
        }
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
