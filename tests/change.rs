//! Changes by a word: what they decide, and that the text says just that afterwards.

use flagstone::definition::{self, CompanyId, Definitions, Flag, Percentage};
use flagstone::flag_change::{ChangeError, Edit, FlagChange, Target, change, change_published};
use proptest::prelude::*;

/// 2026-11-21.
const NOW: i64 = 1_795_219_200_000_000;
const TODAY: &str = "2026-11-21";

const FLAGS: &str = r#"{
  "$schema": "flags.schema.json",
  "flags": {
    "portal": {
      "$comment": "ask Ada",
      "enabled": true,
      "rollout": { "percentage": 10, "salt": "p" },
      "companies": { "allow": [15, 42],   "deny": ["acme-eu"] },
      "schedule": [ { "at": "2030-01-01T00:00:00Z", "percentage": 50 } ]
    },
    "dark_mode": true,
    "beta": false,
    "ruled": { "enabled": false, "rollout": { "percentage": 30 }, "requires": ["beta"],
               "rules": [ { "name": "pro", "when": { "attribute": "plan", "eq": "pro" }, "percentage": 5 } ] }
  },
  "environments": {
    "staging": { "flags": { "portal": { "rollout": { "percentage": 100 }, "companies": { "allow": [7] } } } },
    "empty": {}
  }
}
"#;

fn target<'a>(text: &'a str, environment: Option<&'a str>) -> Target<'a> {
    Target { file: "flags.json", text, environment, now: NOW }
}

#[track_caller]
fn done(environment: Option<&str>, key: &str, edit: Edit) -> FlagChange {
    change(target(FLAGS, environment), key, &edit).unwrap_or_else(|error| panic!("{error}"))
}

fn flag(changed: &FlagChange, key: &str) -> Flag {
    changed.definitions.flags[key].clone()
}

fn companies(ids: &[i64]) -> Vec<CompanyId> {
    ids.iter().copied().map(CompanyId::from).collect()
}

fn percent(thousandths: u32) -> Percentage {
    Percentage::from_thousandths(thousandths).unwrap()
}

fn on(percentage: Option<u32>, ids: &[i64]) -> Edit {
    let percentage = percentage.or(ids.is_empty().then_some(100_000));
    Edit::Enable { percentage: percentage.map(percent), companies: companies(ids) }
}

#[test]
fn a_hundred_percent_is_on_for_all_but_those_who_are_denied() {
    let changed = done(None, "portal", on(None, &[]));
    let portal = flag(&changed, "portal");
    assert_eq!(portal.rollout.as_ref().unwrap().percentage, Percentage::FULL);
    assert_eq!(portal.rollout.unwrap().salt.as_deref(), Some("p"), "the cohorts stay for the way back");
    assert!(portal.schedule.is_empty());
    assert_eq!(changed.summary, "portal: 10 % + 2 companies, 1 denied → on, 1 denied");
    assert_eq!(
        changed.notes,
        [
            "its schedule ends with this: 50 % from 2030-01-01T00:00:00Z",
            "denied, and off all the same: acme-eu",
            "staging says rollout, companies for itself, and keeps that"
        ]
    );
}

#[test]
fn the_text_changes_in_the_place_of_the_change_only() {
    let changed = done(None, "portal", Edit::Rollout(percent(25_500)));
    let expected = FLAGS
        .replace("\"percentage\": 10,", "\"percentage\": 25.5,")
        .replace(",\n      \"schedule\": [ { \"at\": \"2030-01-01T00:00:00Z\", \"percentage\": 50 } ]", "");
    assert_eq!(changed.text, expected);
    assert_eq!(
        done(None, "portal", Edit::Allow(companies(&[7]))).text,
        FLAGS.replace("[15, 42],", "[15, 42, 7],")
    );
    assert_eq!(done(None, "portal", Edit::Forget(companies(&[15]))).text, FLAGS.replace("[15, 42]", "[42]"));
    assert_eq!(done(None, "beta", Edit::Restore).text, FLAGS.replace("\"beta\": false", "\"beta\": true"));
    assert_eq!(
        done(None, "dark_mode", Edit::Disable).text,
        FLAGS.replace("\"dark_mode\": true", "\"dark_mode\": false")
    );
}

#[test]
fn a_flag_that_would_be_on_for_nobody_is_not_turned_on_as_it_was() {
    let text =
        FLAGS.replace("\"beta\": false", r#""beta": { "enabled": false, "rollout": { "percentage": 0 } }"#);
    let error = change(target(&text, None), "beta", &Edit::Restore).unwrap_err().to_string();
    assert!(error.contains("on for nobody; nothing was changed. For everybody type"), "{error}");
    for line in ["`flagstone enable beta --percentage 100`", "`flagstone enable beta --company ID`"] {
        assert!(error.contains(line), "{error}");
    }
    let published = change_published("generation 1", &definitions(&text, None), "beta", &Edit::Restore, NOW);
    assert!(matches!(published, Err(ChangeError::Nobody { .. })));
}

#[test]
fn a_company_on_a_flag_that_is_off_makes_a_pilot() {
    let changed = done(None, "ruled", on(None, &[15]));
    let ruled = flag(&changed, "ruled");
    assert!(ruled.enabled);
    assert_eq!(ruled.rollout.unwrap().percentage, Percentage::NONE);
    assert_eq!(ruled.companies.allow, companies(&[15]));
    assert_eq!(
        changed.notes,
        [
            "a pilot: on for 15, and 0 % of the others",
            "it requires beta, which is off: so is this one",
            "rule 1 \"pro\" decides where it holds: 5 %"
        ]
    );
    let beta = done(None, "beta", on(None, &[15]));
    assert!(
        beta.text.contains(
            r#""beta": { "enabled": true, "rollout": { "percentage": 0 }, "companies": { "allow": [15] } }"#
        ),
        "{}",
        beta.text
    );
}

#[test]
fn a_company_on_a_flag_that_is_on_comes_in_besides() {
    let portal = flag(&done(None, "portal", on(None, &[7])), "portal");
    assert_eq!(portal.rollout.unwrap().percentage, percent(10_000));
    assert_eq!(portal.companies.allow, companies(&[7, 15, 42]));
    assert_eq!(portal.schedule.len(), 1, "a company does not end the schedule");
    let dark = flag(&done(None, "dark_mode", Edit::Allow(companies(&[7]))), "dark_mode");
    assert_eq!(dark.rollout.unwrap().percentage, Percentage::FULL, "the others had it, and keep it");
}

#[test]
fn a_company_is_never_in_both_lists() {
    let changed = done(None, "portal", Edit::Deny(companies(&[15])));
    assert_eq!(flag(&changed, "portal").companies.allow, companies(&[42]));
    assert_eq!(flag(&changed, "portal").companies.deny[0], CompanyId::Int(15));
    assert!(changed.notes.contains(&"allowed before: 15".to_owned()), "{:?}", changed.notes);
    let back = change(target(&changed.text, None), "portal", &Edit::Allow(companies(&[15]))).unwrap();
    assert_eq!(flag(&back, "portal").companies.allow, companies(&[15, 42]));
    assert!(back.notes.contains(&"denied before: 15".to_owned()), "{:?}", back.notes);
}

#[test]
fn what_an_overlay_does_not_say_is_written_into_it_whole() {
    let changed = done(Some("empty"), "portal", Edit::Allow(companies(&[1])));
    assert!(
        changed.text.contains(r#""empty": {"#) && changed.text.contains(r#""allow": [1, 15, 42]"#),
        "{}",
        changed.text
    );
    let staging = done(Some("staging"), "portal", Edit::Allow(companies(&[1])));
    assert_eq!(staging.text, FLAGS.replace("\"allow\": [7]", "\"allow\": [7, 1]"));
    let deleted = done(Some("staging"), "portal", Edit::Rollout(percent(5_000)));
    assert!(deleted.text.contains(r#""schedule": null"#), "{}", deleted.text);
}

#[test]
fn a_short_flag_in_an_overlay_says_whether_it_is_on() {
    let changed = done(Some("empty"), "beta", Edit::Rollout(percent(5_000)));
    assert!(
        changed.text.contains(r#""beta": { "enabled": false, "rollout": { "percentage": 5 } }"#),
        "{}",
        changed.text
    );
    assert!(changed.notes.iter().any(|note| note.contains("it is off")), "{:?}", changed.notes);
}

#[test]
fn an_unknown_flag_is_refused_with_the_nearest() {
    let error = change(target(FLAGS, None), "protal", &Edit::Disable).unwrap_err();
    assert_eq!(
        error.to_string(),
        "flags.json: there is no flag \"protal\" (did you mean \"portal\"?); nothing was changed"
    );
}

#[test]
fn a_slip_in_an_environments_name_makes_no_new_one() {
    let error = change(target(FLAGS, Some("stagign")), "portal", &Edit::Disable).unwrap_err();
    let expected = "found the environment \"stagign\", expected one that the document names: staging, empty (did you mean \"staging\"?)";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn the_first_environment_of_a_document_is_said_to_be_new() {
    let changed =
        change(target(r#"{"flags": {"a": true}}"#, Some("production")), "a", &Edit::Disable).unwrap();
    assert_eq!(changed.notes, ["flags.json named no environment production until now"]);
}

#[test]
fn a_flag_is_added_once_and_off() {
    let add = Edit::Add {
        description: None,
        owner: Some("search-team".to_owned()),
        expires: Some("2027-03-31".to_owned()),
    };
    let changed = done(None, "new_search", add.clone());
    assert!(
        changed.text.contains(
            "\n    \"new_search\": { \"enabled\": false, \"owner\": \"search-team\", \"expires\": \"2027-03-31\" }\n  },"
        ),
        "{}",
        changed.text
    );
    assert_eq!(changed.summary, "new_search: new, off");
    let again = change(target(&changed.text, None), "new_search", &add);
    assert!(matches!(again, Err(ChangeError::Known { .. })), "{again:?}");
    let bad = change(target(FLAGS, None), "new search", &add);
    assert!(matches!(bad, Err(ChangeError::Key { .. })), "{bad:?}");
    let day = Edit::Add { description: None, owner: None, expires: Some("soon".to_owned()) };
    assert!(matches!(
        change(target(FLAGS, None), "x", &day),
        Err(ChangeError::Definitions { before: false, .. })
    ));
}

#[test]
fn a_flag_that_an_environment_patches_is_not_written_as_a_bare_false() {
    let text = FLAGS
        .replace("\"flags\": { \"portal\"", "\"flags\": { \"dark_mode\": { \"owner\": \"x\" }, \"portal\"");
    let changed = change(target(&text, None), "dark_mode", &Edit::Disable).unwrap();
    assert!(changed.text.contains(r#""dark_mode": { "enabled": false },"#), "{}", changed.text);
    assert!(!definitions(&changed.text, Some("staging")).flags["dark_mode"].enabled);
}

#[test]
fn what_contradicts_an_environment_is_refused() {
    // staging allows 7.
    let error = change(target(FLAGS, None), "portal", &Edit::Deny(companies(&[7]))).unwrap_err();
    assert!(error.to_string().contains("company 7 is both allowed and denied"), "{error}");
}

#[test]
fn definitions_with_errors_are_not_touched() {
    let text = FLAGS.replace("[\"beta\"]", "[\"bta\"]");
    let error = change(target(&text, None), "portal", &Edit::Disable).unwrap_err();
    assert!(matches!(&error, ChangeError::Definitions { before: true, .. }), "{error}");
}

#[test]
fn what_is_so_already_changes_nothing() {
    let changed = done(None, "dark_mode", Edit::Restore);
    assert!(!changed.changed);
    assert_eq!(changed.text, FLAGS);
}

/// Flags in all the forms that people write, in the document and in an overlay.
fn written(overlay: bool) -> impl Strategy<Value = String> {
    let short = prop_oneof![Just("true".to_owned()), Just("false".to_owned())];
    let enabled = if overlay { "true|false" } else { "|true|false" };
    let enabled: Vec<&str> = enabled.split('|').collect();
    let list = |of: &'static [&str]| proptest::sample::subsequence(of, 0..=of.len());
    let long = (
        proptest::sample::select(enabled),
        prop_oneof![Just(-1), Just(0), Just(10), Just(100)],
        list(&["1", "2", "\"x\""]),
        list(&["3", "\"4\"", "\"y\""]),
        any::<[bool; 3]>(),
    );
    let long = long.prop_map(move |(enabled, percentage, allow, deny, [lines, schedule, salt])| {
        let mut fields = vec!["\"$comment\": \"kept\"".to_owned()];
        if !enabled.is_empty() {
            fields.push(format!("\"enabled\": {enabled}"));
        }
        let percentage = if percentage < 0 && (!allow.is_empty() || schedule) { 20 } else { percentage };
        if percentage >= 0 {
            let salt = if salt { ", \"salt\": \"s\"" } else { "" };
            fields.push(format!("\"rollout\": {{ \"percentage\": {percentage}{salt} }}"));
        }
        if !allow.is_empty() || !deny.is_empty() {
            fields.push(format!(
                "\"companies\": {{ \"allow\": [{}], \"deny\": [{}] }}",
                allow.join(", "),
                deny.join(",")
            ));
        }
        if schedule {
            fields
                .push("\"schedule\": [{ \"at\": \"2026-01-01T00:00:00Z\", \"percentage\": 30 }]".to_owned());
        }
        match lines {
            true => format!("{{\n      {}\n    }}", fields.join(",\n      ")),
            false => format!("{{{}}}", fields.join(", ")),
        }
    });
    prop_oneof![1 => short, 4 => long]
}

fn edits() -> impl Strategy<Value = Edit> {
    let ids = || {
        let all = ["1", "2", "3", "4", "x", "y", "5", "z"].map(|id| CompanyId::from_text(id).unwrap());
        proptest::sample::subsequence(all.to_vec(), 1..=3)
    };
    let percentage = || (0..=100_000_u32).prop_map(percent);
    prop_oneof![
        Just(on(None, &[])),
        percentage()
            .prop_map(|percentage| Edit::Enable { percentage: Some(percentage), companies: Vec::new() }),
        (proptest::option::of(percentage()), ids())
            .prop_map(|(percentage, companies)| Edit::Enable { percentage, companies }),
        Just(Edit::Restore),
        Just(Edit::Disable),
        percentage().prop_map(Edit::Rollout),
        ids().prop_map(Edit::Allow),
        ids().prop_map(Edit::Deny),
        ids().prop_map(Edit::Forget),
    ]
}

fn definitions(text: &str, environment: Option<&str>) -> Definitions {
    definition::load("flags.json", text.as_bytes(), environment, TODAY).unwrap().definitions
}

/// The same document, with these spaces in turn around everything that is not within a string.
fn respaced(text: &str, spaces: &[&str]) -> String {
    let mut spaces = spaces.iter().cycle();
    let (mut spaced, mut inside, mut escaped) = (String::new(), false, false);
    for c in text.chars() {
        if inside {
            spaced.push(c);
            inside = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c.is_whitespace() {
            continue;
        } else {
            let around = matches!(c, '{' | '}' | '[' | ']' | ':' | ',');
            let mut space = || if around { *spaces.next().unwrap() } else { "" };
            spaced.push_str(space());
            spaced.push(c);
            spaced.push_str(space());
            inside = c == '"';
        }
    }
    spaced
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn how_a_document_is_set_out_changes_nothing_about_what_a_change_does(
        base in written(false),
        overlay in written(true),
        in_overlay in any::<bool>(),
        edit in edits(),
        spaces in proptest::collection::vec(proptest::sample::select(vec!["", " ", "\n", "\n  ", "\t", "\r\n    "]), 1..40),
    ) {
        let text = format!(
            r#"{{"flags": {{"$comment": "ä, {{ \" [", "f": {base}}},
                "environments": {{"test": {{"flags": {{"f": {overlay}}}}}}}}}"#
        );
        let environment = in_overlay.then_some("test");
        prop_assume!(definition::load("f", text.as_bytes(), environment, TODAY).is_ok());
        let spaced = respaced(&text, &spaces);
        let (plain, spaced) = (change(target(&text, environment), "f", &edit), change(target(&spaced, environment), "f", &edit));
        match (plain, spaced) {
            (Ok(plain), Ok(spaced)) => {
                prop_assert_eq!(plain.definitions, spaced.definitions);
                prop_assert_eq!(plain.summary, spaced.summary);
                let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
                prop_assert_eq!(value(&plain.text), value(&spaced.text));
            }
            (Err(plain), Err(spaced)) => prop_assert_eq!(
                std::mem::discriminant(&plain), std::mem::discriminant(&spaced), "{} {}", plain, spaced
            ),
            (plain, spaced) => panic!("{plain:?} {spaced:?}"),
        }
    }

    #[test]
    fn the_changed_text_says_what_was_decided_and_nothing_else(
        base in written(false),
        overlay in proptest::option::of(written(true)),
        in_overlay in any::<bool>(),
        edit in edits(),
    ) {
        let overlay = overlay.map_or("{}".to_owned(), |flag| format!("{{ \"flags\": {{ \"f\": {flag} }} }}"));
        let text = format!(
            "{{\n  \"flags\": {{\n    \"f\": {base},\n    \"other\": true\n  }},\n  \"environments\": {{\n    \
             \"test\": {overlay}\n  }}\n}}\n"
        );
        let environment = in_overlay.then_some("test");
        prop_assume!(definition::load("f", text.as_bytes(), environment, TODAY).is_ok());
        let changed = match change(target(&text, environment), "f", &edit) {
            Ok(changed) => changed,
            // Only what an environment adds may contradict a change of the document.
            Err(ChangeError::Definitions { before, report }) if !in_overlay => {
                let twice = report.problems.iter().all(|problem| problem.message.contains("both allowed and denied")
                    || problem.message.contains("does not say what the others get"));
                prop_assert!(before || twice, "{report}");
                return Ok(());
            }
            Err(ChangeError::Nobody { .. }) if edit == Edit::Restore => {
                let flag = &definitions(&text, environment).flags["f"];
                prop_assert!(flag.companies.allow.is_empty() && flag.percentage_at(NOW).0 == Percentage::NONE);
                return Ok(());
            }
            Err(error) => panic!("{error}\n{text}\n{edit:?}"),
        };
        prop_assert_eq!(&definitions(&changed.text, environment), &changed.definitions);
        let (was, is) = (&definitions(&text, environment).flags["f"], &changed.definitions.flags["f"]);
        prop_assert_eq!(changed.changed, was != is);
        prop_assert_eq!(&changed.definitions.flags["other"], &definitions(&text, None).flags["other"]);
        if in_overlay {
            prop_assert_eq!(definitions(&text, None), definitions(&changed.text, None));
        }
        let kept = |text: &str| text.matches("kept").count();
        prop_assert!(kept(&changed.text) + usize::from(in_overlay) >= kept(&text), "{}", changed.text);

        match &edit {
            Edit::Enable { percentage, companies } => {
                prop_assert!(is.enabled);
                prop_assert!(companies.iter().all(|company| is.companies.allow.contains(company)));
                if let Some(percentage) = percentage {
                    prop_assert_eq!(is.percentage_at(NOW).0, *percentage);
                } else if companies.is_empty() {
                    prop_assert_eq!(is, &Flag { enabled: true, ..was.clone() });
                } else if !was.enabled {
                    prop_assert_eq!(is.percentage_at(NOW).0, Percentage::NONE);
                } else {
                    prop_assert_eq!(is.percentage_at(NOW).0, was.percentage_at(NOW).0);
                }
            }
            Edit::Restore => prop_assert_eq!(is, &Flag { enabled: true, ..was.clone() }),
            Edit::Disable => prop_assert_eq!(is, &Flag { enabled: false, ..was.clone() }),
            Edit::Rollout(percentage) => {
                prop_assert_eq!(is.percentage_at(NOW).0, *percentage);
                prop_assert_eq!(is.enabled, was.enabled);
                prop_assert_eq!(&is.companies, &was.companies);
            }
            Edit::Allow(companies) => {
                prop_assert!(companies.iter().all(|company| is.companies.allow.contains(company)));
                prop_assert_eq!(is.percentage_at(NOW).0, was.percentage_at(NOW).0);
            }
            Edit::Deny(companies) => {
                prop_assert!(companies.iter().all(|company| is.companies.deny.contains(company)));
                prop_assert_eq!(&is.rollout, &was.rollout);
            }
            Edit::Forget(companies) => {
                let all = || is.companies.allow.iter().chain(&is.companies.deny);
                prop_assert!(companies.iter().all(|company| !all().any(|other| other == company)));
                prop_assert_eq!(&is.rollout, &was.rollout);
            }
            Edit::Delete | Edit::Add { .. } => unreachable!(),
        }

        let again = change(target(&changed.text, environment), "f", &edit).unwrap();
        prop_assert!(!again.changed, "a word twice is the word once");
    }
}

#[test]
fn what_is_published_changes_as_a_text_does_and_keeps_what_the_store_keeps() {
    let mut published = definitions(FLAGS, None);
    published.flags.get_mut("portal").unwrap().state.orphaned = Some(7);
    for edit in
        [on(None, &[7]), on(Some(50_000), &[]), Edit::Restore, Edit::Disable, Edit::Rollout(percent(3))]
    {
        let changed = change_published("generation 1", &published, "portal", &edit, NOW).unwrap();
        let mut expected = done(None, "portal", edit);
        expected.definitions.flags.get_mut("portal").unwrap().state.orphaned = Some(7);
        assert_eq!(changed.definitions, expected.definitions);
        assert_eq!((changed.changed, &changed.summary), (expected.changed, &expected.summary));
        assert_eq!(changed.before, published);
    }
    let error = change_published("generation 1", &published, "portl", &Edit::Disable, NOW).unwrap_err();
    assert_eq!(
        error.to_string(),
        "generation 1: there is no flag \"portl\" (did you mean \"portal\"?); nothing was changed"
    );
    published.flags.get_mut("beta").unwrap().rollout = None;
    published.flags.get_mut("ruled").unwrap().requires.push("gone".to_owned());
    let error = change_published("generation 1", &published, "beta", &Edit::Restore, NOW).unwrap_err();
    assert!(matches!(error, ChangeError::Definitions { before: true, .. }), "{error}");
    assert!(error.to_string().contains("unknown flag \"gone\""), "{error}");
}
