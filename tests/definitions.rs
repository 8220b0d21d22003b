//! Definitions as people write them: what they come to, and what is said of what cannot be.

use flagstone::definition::{
    self, Before, CompanyId, Condition, Definitions, Emergency, FileState, Flag, FlagState, GuardRule,
    KeptConflict, ListChange, Managed, Percentage, PlanHold, PlanState, Report, Scalar, Soak, Test,
};
use flagstone::guard::Policy;
use serde_json::json;

const TODAY: &str = "2026-11-21";

#[track_caller]
fn sound(text: &str) -> Definitions {
    let checked = definition::load("flags.json", text.as_bytes(), None, TODAY);
    checked.unwrap_or_else(|report| panic!("{report}")).definitions
}

/// The report of all problems, warnings included, without the file's name.
fn problems(text: &str) -> Vec<String> {
    in_environment(text, None)
}

fn in_environment(text: &str, environment: Option<&str>) -> Vec<String> {
    let report = match definition::load("f", text.as_bytes(), environment, TODAY) {
        Ok(checked) => checked.warnings,
        Err(report) => report,
    };
    lines(&report)
}

fn lines(report: &Report) -> Vec<String> {
    report.to_string().lines().map(|line| line.trim_start_matches("f:").to_owned()).collect()
}

#[track_caller]
fn only_problem(text: &str, expected: &str) {
    assert_eq!(problems(text), [expected]);
}

#[test]
fn the_example_checks_clean_in_every_environment() {
    let document = definition::parse("flags.json", include_bytes!("../examples/flags.json")).unwrap();
    assert_eq!(document.environments(), ["staging", "production"]);
    assert_eq!(document.check(TODAY), Report::default(), "{}", document.check(TODAY));
    for environment in [None, Some("staging"), Some("production")] {
        let (definitions, warnings) = document.resolve(environment, TODAY).unwrap();
        assert!(warnings.is_empty(), "{warnings}");
        flagstone::compile(&definitions, environment.unwrap_or("production")).unwrap();
    }
}

#[test]
fn what_people_write_comes_to_its_canonical_form() {
    let definitions = sound(
        r#"{
          "flags": {
            "b": { "enabled": true, "rollout": { "percentage": 0.125, "by": "user", "bucketing": "crc32" },
                   "companies": { "allow": ["b", "042", "42", 42, -1, "a", "b", "9223372036854775808"] },
                   "schedule": [ { "at": "2027-01-01T00:00:00Z", "percentage": 1e1 },
                                 { "at": "2026-12-31T23:00:00-00:30", "percentage": 5 } ],
                   "variants": { "v": { "weight": 33.333, "value": { "z": 1.5, "a": [null, true, 7] } }, "u": { "weight": 66.667, "value": null } },
                   "requires": ["a", "a"], "emergency": "keep", "expires": "2027-01-01" },
            "a": true, "off": false
          },
          "segments": { "s": { "attribute": "plan", "in": ["pro", 7, 1.5, true] } }
        }"#,
    );
    let canonical = String::from_utf8(definitions.to_canonical_json()).unwrap();
    assert_eq!(
        canonical,
        concat!(
            r#"{"flags":{"a":{"enabled":true},"#,
            r#""b":{"enabled":true,"rollout":{"percentage":0.125,"by":"user","bucketing":"crc32"},"#,
            r#""companies":{"allow":[-1,42,"042","9223372036854775808","a","b"]},"requires":["a"],"#,
            r#""schedule":[{"at":"2026-12-31T23:00:00-00:30","percentage":5},{"at":"2027-01-01T00:00:00Z","percentage":10}],"#,
            r#""variants":{"u":{"weight":66.667,"value":null},"v":{"weight":33.333,"value":{"a":[null,true,7],"z":1.5}}},"#,
            r#""emergency":"keep","expires":"2027-01-01"},"#,
            r#""off":{"enabled":false}},"#,
            r#""segments":{"s":{"attribute":"plan","in":["pro",7,1.5,true]}}}"#,
        )
    );
    assert_eq!(Definitions::from_canonical_json(canonical.as_bytes()).unwrap(), definitions);
    assert_eq!(sound(&canonical), definitions, "the canonical form is a document too");
    let flag = &definitions.flags["b"];
    assert_eq!(flag.rollout.as_ref().unwrap().percentage, Percentage::from_thousandths(125).unwrap());
    assert_eq!(flag.companies.allow[1], CompanyId::Int(42));
    assert_eq!(flag.emergency, Emergency::Keep);
    let test =
        Test::In(vec![Scalar::Text("pro".into()), Scalar::Int(7), Scalar::Float(1.5), Scalar::Bool(true)]);
    assert_eq!(definitions.segments["s"], Condition::Test { attribute: "plan".into(), test });
}

#[test]
fn comments_are_allowed_in_every_object_and_kept_in_values() {
    let definitions = sound(
        r#"{ "$comment": 1, "flags": { "$comment": 1, "a": { "$comment": 1, "enabled": true,
            "rollout": { "$comment": 1, "percentage": 1 }, "companies": { "$comment": 1 },
            "rules": [ { "$comment": 1, "when": { "$comment": 1, "attribute": "x", "eq": 1 } } ],
            "schedule": [ { "$comment": 1, "at": "2027-01-01T00:00:00Z", "percentage": 1 } ],
            "variants": { "$comment": 1, "x": { "$comment": 1, "weight": 100, "value": { "$comment": 1 } } } } },
           "segments": { "$comment": 1 }, "environments": { "$comment": 1, "e": { "$comment": 1 } } }"#,
    );
    let canonical = String::from_utf8(definitions.to_canonical_json()).unwrap();
    assert_eq!(canonical.matches("$comment").count(), 1, "{canonical}");
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_text() {
    let text = "{ \"flags\": {\n  \"a\": { \"rollout\": { \"percentage\": 150 },\n         \"emergency\": \"Keep\" },\n  \"é\": 1, \"b\": { \"requires\": [\"aa\"] }\n},\n\"segmnts\": {} }";
    assert_eq!(
        problems(text),
        [
            "2:37: /flags/a/rollout/percentage: found 150, expected a number from 0 to 100 with up to three decimals",
            "3:23: /flags/a/emergency: found \"Keep\", expected \"off\" or \"keep\" (did you mean \"keep\"?)",
            "4:3: /flags/é: found the flag key \"é\", expected 1 to 191 letters, digits, or _ . : \\ - after the first",
            "4:8: /flags/é: found 1, expected a flag: true, false or an object",
            "4:31: /flags/b/requires/0: unknown flag \"aa\" (did you mean \"a\"?)",
            "6:1: /segmnts: found the unknown key \"segmnts\", expected one of flags, segments, guard, environments, $schema (did you mean \"segments\"?)",
        ]
    );
}

#[test]
fn a_flag_that_singles_some_out_must_say_what_the_others_get() {
    let flag =
        |fields: &str| format!(r#"{{ "flags": {{ "customer_portal": {{ "enabled": true, {fields} }} }} }}"#);
    let add = r#"add "rollout": {"percentage": 0} for a pilot, or 100"#;
    for (fields, says) in [
        (
            r#""companies": { "allow": [15, 42, 103] }"#,
            "allows 3 companies but does not say what the others get",
        ),
        (r#""companies": { "allow": [15, "15"] }"#, "allows 1 company but does not say what the others get"),
        (
            r#""rules": [{ "when": { "attribute": "plan", "exists": true } }]"#,
            "has 1 rule but does not say what the others get",
        ),
        (
            r#""schedule": [{ "at": "2027-01-01T00:00:00Z", "percentage": 1 }]"#,
            "has a schedule but does not say what holds before it",
        ),
        (
            r#""companies": { "allow": [1] }, "rules": [{ "when": { "attribute": "plan", "exists": true } }]"#,
            "allows 1 company and has 1 rule but does not say what the others get",
        ),
    ] {
        only_problem(&flag(fields), &format!("1:33: /flags/customer_portal: customer_portal {says}: {add}"));
    }
    assert!(problems(&flag(r#""companies": { "allow": [], "deny": [1] }, "rules": []"#)).is_empty());
}

#[test]
fn a_fourth_decimal_is_refused_by_the_text_of_the_number() {
    let flag = |literal: &str| {
        format!(r#"{{ "flags": {{ "a": {{ "rollout": {{ "percentage": {literal} }} }} }} }}"#)
    };
    for literal in ["0.1", "0.07", "33.333", "100", "1e2", "99.9990"] {
        assert!(problems(&flag(literal)).is_empty(), "{literal}");
    }
    for literal in
        ["0.0001", "99.9999", "100.0000000000000000001", "33.33300000000000000001", "-1", "1e3", "1e-4"]
    {
        only_problem(
            &flag(literal),
            &format!(
                "1:48: /flags/a/rollout/percentage: found {literal}, expected a number from 0 to 100 with up to three decimals"
            ),
        );
    }
}

#[test]
fn a_company_cannot_be_both_allowed_and_denied_however_it_is_written() {
    only_problem(
        r#"{ "flags": { "a": { "rollout": { "percentage": 1 }, "companies": { "allow": [7, 42], "deny": [8, "42", 42] } } } }"#,
        "1:98: /flags/a/companies/deny/1: company 42 is both allowed and denied: keep it in one of the two lists",
    );
}

#[test]
fn weights_add_up_to_a_hundred_exactly() {
    let flag = |a: &str, b: &str| {
        format!(
            r#"{{ "flags": {{ "a": {{ "enabled": true, "variants": {{ "x": {{ "weight": {a} }}, "y": {{ "weight": {b} }} }} }} }} }}"#
        )
    };
    assert!(problems(&flag("33.333", "66.667")).is_empty());
    let said = "found weights of 33.333 + 66.666 = 99.999, expected them to add up to 100";
    only_problem(&flag("33.333", "66.666"), &format!("1:50: /flags/a/variants: {said}"));
}

#[test]
fn a_schedule_is_sorted_and_has_no_two_steps_at_one_instant() {
    only_problem(
        r#"{ "flags": { "a": { "rollout": { "percentage": 0 }, "schedule": [
            { "at": "2027-01-01T01:00:00+01:00", "percentage": 1 }, { "at": "2027-01-01T00:00:00Z", "percentage": 2 } ] } } }"#,
        "2:77: /flags/a/schedule/1/at: found a second step at one instant, \"2027-01-01T00:00:00Z\" and \"2027-01-01T01:00:00+01:00\"",
    );
}

#[test]
fn cycles_are_told_with_the_way_round() {
    assert_eq!(
        problems(
            r#"{ "flags": { "a": { "requires": ["b"], "enabled": true }, "b": { "requires": ["c"], "enabled": true }, "c": { "requires": ["a", "c"], "enabled": true } } }"#
        ),
        [
            "1:124: /flags/c/requires/0: a requires itself: a → b → c → a",
            "1:129: /flags/c/requires/1: c requires itself: c → c",
        ]
    );
    assert_eq!(
        problems(
            r#"{ "flags": {}, "segments": { "x": { "not": { "segment": "y" } }, "y": { "any": [{ "segment": "x" }] } } }"#
        ),
        ["1:94: /segments/y/any/0/segment: x uses itself: x → y → x"]
    );
}

#[test]
fn unknown_names_come_with_the_nearest_known_one() {
    assert_eq!(
        problems(
            r#"{ "flags": { "beta": { "enabled": true, "requires": ["bata", "zzzzz"], "rollout": { "percentage": 1, "slat": "x" },
  "rules": [{ "when": { "segment": "beta-usres" } }, { "when": { "attribute": "x", "starts_wth": "y" } }] } },
  "segments": { "beta-users": { "attribute": "plan", "exists": true } } }"#
        )
        .into_iter()
        .map(|line| line.split_once(": ").unwrap().1.to_owned())
        .collect::<Vec<_>>(),
        [
            "/flags/beta/requires/0: unknown flag \"bata\" (did you mean \"beta\"?)".to_owned(),
            "/flags/beta/requires/1: unknown flag \"zzzzz\"".to_owned(),
            "/flags/beta/rollout/slat: found the unknown key \"slat\", expected one of percentage, by, salt, bucketing (did you mean \"salt\"?)".to_owned(),
            "/flags/beta/rules/0/when/segment: unknown segment \"beta-usres\" (did you mean \"beta-users\"?)".to_owned(),
            format!("/flags/beta/rules/1/when: found no comparison, expected one of {}", Test::NAMES.join(", ")),
            format!(
                "/flags/beta/rules/1/when/starts_wth: found the unknown key \"starts_wth\", expected one of all, any, not, segment, attribute, {} (did you mean \"starts_with\"?)",
                Test::NAMES.join(", ")
            ),
        ]
    );
}

#[test]
fn a_flag_on_for_nobody_and_an_expired_one_are_warnings() {
    let flag =
        |fields: &str| format!(r#"{{ "flags": {{ "a": {{ "enabled": true, {fields} }}, "off": false }} }}"#);
    let nobody = [
        "1:14: warning: /flags/a: a is enabled, but on for nobody: raise its percentage, allow a company, or disable it",
    ];
    assert_eq!(problems(&flag(r#""rollout": { "percentage": 0 }"#)), nobody);
    assert_eq!(
        problems(&flag(
            r#""rollout": { "percentage": 0 }, "rules": [{ "when": { "attribute": "plan", "exists": true }, "percentage": 0 }]"#
        )),
        nobody
    );
    let past =
        r#""rollout": { "percentage": 50 }, "schedule": [{ "at": "2026-11-20T00:00:00Z", "percentage": 0 }]"#;
    assert_eq!(problems(&flag(past)), nobody, "the last step that has come counts");
    for somebody in [
        r#""rollout": { "percentage": 0.001 }"#,
        r#""rollout": { "percentage": 0 }, "companies": { "allow": [1] }"#,
        r#""rollout": { "percentage": 0 }, "rules": [{ "when": { "attribute": "plan", "exists": true } }]"#,
        r#""rollout": { "percentage": 0 }, "schedule": [{ "at": "2026-11-22T00:00:00Z", "percentage": 1 }]"#,
    ] {
        assert!(problems(&flag(somebody)).is_empty(), "{somebody}");
    }
    assert_eq!(
        problems(&flag(r#""requires": ["off"]"#)),
        [
            "1:14: warning: /flags/a: a is enabled, but on for nobody: it requires off, which is off for everybody"
        ]
    );
    assert_eq!(
        problems(&flag(r#""expires": "2026-11-20""#)),
        [
            "1:49: warning: /flags/a/expires: a expired on 2026-11-20: remove the flag and the code that asks for it, or give it more time"
        ]
    );
    assert!(problems(&flag(r#""expires": "2026-11-21""#)).is_empty(), "it still lives on its last day");
}

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    only_problem(
        r#"{ "flags": { "a": { "description": "x" } } }"#,
        "1:14: warning: /flags/a: a says neither \"enabled\" nor \"rollout\", so it is on for everybody: write \"enabled\": true if that is meant",
    );
    // A file written from an empty query; with one company it is an error.
    only_problem(
        r#"{ "flags": { "a": { "enabled": true, "companies": { "allow": [] } } } }"#,
        "1:14: warning: /flags/a: a allows no company and does not say what the others get, so it is on for everybody: add \"rollout\": {\"percentage\": 0} for a pilot, or remove the list",
    );
    only_problem(
        r#"{ "flags": { "a": { "enabled": true, "rules": [] } } }"#,
        "1:14: warning: /flags/a: a has no rule and does not say what the others get, so it is on for everybody: add \"rollout\": {\"percentage\": 0} for a pilot, or remove the list",
    );
}

/// They passed without a word: an empty operand is mostly what a template or an empty query left.
#[test]
fn comparisons_that_hold_for_all_or_for_none_are_warned_of() {
    let said = |test: &str| {
        let condition = format!(r#"{{ "attribute": "plan", {test} }}"#);
        problems(&format!(r#"{{ "flags": {{}}, "segments": {{ "s": {condition} }} }}"#))
    };
    let all = "an empty text, so it holds for every text: write \"exists\": true if that is meant";
    for (operator, operand, column, found) in [
        ("contains", "\"\"", 70, all),
        ("starts_with", "\"\"", 73, all),
        ("ends_with", "\"\"", 71, all),
        ("gte", "\"\"", 65, all),
        ("lt", "\"\"", 64, "an empty text, so it holds for no text: write what it is to be compared with"),
        ("in", "[]", 64, "an empty list, so it holds for nobody: list a value, or remove the condition"),
        (
            "not_in",
            "[]",
            68,
            "an empty list, which compares with nothing, so it holds for nobody: write \"exists\": true if that is meant",
        ),
        (
            "in",
            r#"[""]"#,
            64,
            "a list of an empty text, so it holds for an empty text alone: list a value, or write \"eq\": \"\" if that is meant",
        ),
        (
            "not_in",
            r#"[""]"#,
            68,
            "a list of an empty text, so it holds for every other text: list a value, or write \"ne\": \"\" if that is meant",
        ),
        (
            "in",
            r#"[1, 2.5, "legacy"]"#,
            64,
            "a list that mixes kinds, so it is unknown for what is not listed: list values of one kind",
        ),
        (
            "not_in",
            "[true, 1]",
            68,
            "a list that mixes kinds, so it holds for nobody: list values of one kind",
        ),
        ("gt", r#""10""#, 64, "a text, which compares with texts alone, by their bytes: write 10"),
        ("lte", r#""-1.5""#, 65, "a text, which compares with texts alone, by their bytes: write -1.5"),
    ] {
        assert_eq!(
            said(&format!(r#""{operator}": {operand}"#)),
            [format!("1:{column}: warning: /segments/s/{operator}: found {operator} with {found}")]
        );
    }
    for useful in [
        r#""gt": """#,
        r#""lte": """#,
        r#""eq": """#,
        r#""in": [1, 2.5]"#,
        r#""gte": 0"#,
        r#""lt": "1.0.x""#,
        r#""eq": "10""#,
    ] {
        assert!(said(useful).is_empty(), "{useful}");
    }
    // A company's id is a number or a string.
    let of_companies =
        r#"{ "flags": {}, "segments": { "s": { "attribute": "company", "not_in": [15, "acme"] } } }"#;
    assert_eq!(problems(of_companies), [""; 0]);
}

#[test]
fn conditions_say_what_they_lack() {
    let said = |condition: &str| {
        let text = format!(r#"{{ "flags": {{}}, "segments": {{ "s": {condition} }} }}"#);
        let all = problems(&text);
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].split_once(": ").unwrap().1.to_owned()
    };
    for (condition, message) in [
        (
            r#"{ "attribute": "x", "gt": 1, "lt": 5 }"#,
            r#"/segments/s: found attribute, lt, gt, expected one comparison: several conditions are written { "all": [ … ] }"#,
        ),
        (
            r#"{ "all": [], "segment": "s" }"#,
            r#"/segments/s: found all, segment, expected one of them: several conditions are written { "all": [ … ] }"#,
        ),
        (r#"{ "eq": 1 }"#, r#"/segments/s: found no "attribute", expected the attribute that is compared"#),
        (
            r#"{ "attribute": "now", "gt": 1 }"#,
            r#"/segments/s/gt: found gt on "now", expected before or after"#,
        ),
        (
            r#"{ "attribute": "v", "semver_gte": "v1.2.0" }"#,
            r#"/segments/s/semver_gte: found "v1.2.0", expected a version (SemVer 2.0.0), such as "2.1.0" (did you mean "1.2.0"?)"#,
        ),
        (
            r#"{ "attribute": "x", "before": "2026-02-30T00:00:00Z" }"#,
            r#"/segments/s/before: found "2026-02-30T00:00:00Z", expected a time with an offset (RFC 3339), such as "2026-12-01T08:00:00Z""#,
        ),
    ] {
        assert_eq!(said(condition), message);
    }
}

#[test]
fn segments_and_prerequisites_cannot_grow_without_bound() {
    // Thirty segments that each name the one before twice: a billion comparisons.
    let mut segments = vec![r#""s0": { "attribute": "x", "eq": 1 }"#.to_owned()];
    segments.extend((1..30).map(|n| {
        format!(r#""s{n}": {{ "any": [{{ "segment": "s{0}" }}, {{ "segment": "s{0}" }}] }}"#, n - 1)
    }));
    let text = format!(
        r#"{{ "flags": {{ "a": {{ "rollout": {{ "percentage": 0 }}, "rules": [{{ "when": {{ "segment": "s29" }} }}] }} }}, "segments": {{ {} }} }}"#,
        segments.join(", ")
    );
    assert_eq!(
        problems(&text),
        [
            "1:14: /flags/a: the rules of a make 536870912 comparisons with their segments, expected at most 10000: use one \"in\" with a list instead of many comparisons"
        ]
    );
    // A chain of twenty thousand segments, and one of as many flags.
    let chain = |last: &str, link: &dyn Fn(usize) -> String| {
        let links: Vec<String> = (1..20_000).map(|n| format!(r#""n{n}": {}"#, link(n - 1))).collect();
        format!(r#""n0": {last}, {}"#, links.join(", "))
    };
    let segments =
        chain(r#"{ "attribute": "plan", "exists": true }"#, &|n| format!(r#"{{ "segment": "n{n}" }}"#));
    let text = format!(
        r#"{{ "flags": {{ "a": {{ "rollout": {{ "percentage": 0 }}, "rules": [{{ "when": {{ "segment": "n19999" }} }}] }} }}, "segments": {{ {segments} }} }}"#
    );
    assert_eq!(
        problems(&text),
        ["1:14: /flags/a: the conditions of a nest 20001 deep with their segments, expected at most 128"]
    );
    let flags = chain("true", &|n| format!(r#"{{ "enabled": true, "requires": ["n{n}"] }}"#));
    let report = problems(&format!(r#"{{ "flags": {{ {flags} }} }}"#));
    assert!(
        report[0]
            .ends_with("/flags/n100: n100 requires more than 64 flags through others, expected at most 64"),
        "{}",
        report[0]
    );
    assert_eq!(report[100], "… and 19835 more");
}

#[test]
fn an_overlay_is_a_merge_patch_and_its_problems_stand_where_it_is_written() {
    let text = r#"{ "flags": { "a": { "enabled": true, "rollout": { "percentage": 10, "by": "user" }, "requires": ["b"] }, "b": true },
"environments": { "staging": { "flags": { "a": { "rollout": { "percentage": 100, "by": null }, "requires": null },
                                          "c": { "enabled": false, "description": null } } },
                  "broken": { "flags": { "a": { "rollout": { "percentage": 101 }, "requires": ["bb"] } } } } }"#;
    let document = definition::parse("f", text.as_bytes()).unwrap();
    let (staging, warnings) = document.resolve(Some("staging"), TODAY).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(
        String::from_utf8(staging.to_canonical_json()).unwrap(),
        r#"{"flags":{"a":{"enabled":true,"rollout":{"percentage":100}},"b":{"enabled":true},"c":{"enabled":false}}}"#
    );
    let said = [
        "4:76: /environments/broken/flags/a/rollout/percentage: found 101, expected a number from 0 to 100 with up to three decimals",
        "4:95: warning: /environments/broken/flags/a/requires: this list replaces the document's, and lacks 1 of its 1; lists are replaced, not joined: write them here as well if this environment is to have them",
        "4:96: /environments/broken/flags/a/requires/0: unknown flag \"bb\" (did you mean \"b\"?)",
    ];
    assert_eq!(lines(&document.resolve(Some("broken"), TODAY).unwrap_err()), said);
    assert_eq!(lines(&document.check(TODAY)), said);
}

#[test]
fn a_problem_of_several_environments_is_told_once_and_says_of_which() {
    let text = r#"{ "flags": { "a": { "enabled": true, "companies": { "allow": [1] }, "rollout": { "percentage": 1 } }, "b": { "owner": 1 } },
"environments": { "x": { "flags": { "a": { "rollout": null } } }, "y": { "flags": { "a": { "rollout": null } } }, "z": {} } }"#;
    assert_eq!(
        lines(&definition::parse("f", text.as_bytes()).unwrap().check(TODAY)),
        [
            "1:19: /flags/a: a allows 1 company but does not say what the others get: add \"rollout\": {\"percentage\": 0} for a pilot, or 100 [in x, y]",
            "1:119: /flags/b/owner: found 1, expected a string",
        ]
    );
}

// The patch deleted what kept a flag off, and `check` said nothing.
#[test]
fn a_null_in_an_overlay_does_not_turn_a_flag_on() {
    let text = r#"{ "flags": {
  "off": { "enabled": false, "rollout": { "percentage": 50 } }, "denies": { "enabled": true, "companies": { "deny": [7] } }, "free": true },
"environments": { "a": { "flags": { "off": { "enabled": null }, "new": { "enabled": null }, "denies": { "companies": null } } },
  "b": { "flags": { "denies": { "companies": { "deny": null } } } },
  "c": { "flags": { "denies": { "companies": { "deny": [] } }, "off": null, "free": { "enabled": false, "owner": "x" } } } } }"#;
    assert_eq!(
        problems(text),
        [
            "3:57: /environments/a/flags/off/enabled: found null, expected true or false: without it the flag is enabled",
            "3:85: /environments/a/flags/new/enabled: found null, expected true or false: without it the flag is enabled",
            "3:118: /environments/a/flags/denies/companies: found null, which deletes the list of companies that denies denies: write \"deny\": [] if that is meant",
            "4:56: /environments/b/flags/denies/companies/deny: found null, which deletes the list of companies that denies denies: write \"deny\": [] if that is meant",
        ]
    );
    assert!(
        in_environment(
            &text.replace("\"enabled\": null", "\"enabled\": false").replace("null", "{}"),
            Some("c")
        )
        .is_empty()
    );
}

#[test]
fn an_overlay_changes_flags_and_segments_and_nothing_else() {
    let text = r#"{ "flags": { "off": false, "portal": true }, "environments": {
  "One": {}, "two": 7, "three": { "environments": {}, "$schema": "x", "flag": {} },
  "four": { "flags": { "off": { "rollout": { "percentage": 5 } } } },
  "five": { "flags": { "off": { "rollout": { "percentage": 5 }, "enabled": true }, "prtal": null } } } }"#;
    assert_eq!(
        problems(text),
        [
            "2:3: /environments/One: found the environment \"One\", expected 1 to 64 lower-case letters, digits, _ or -, a letter first",
            "2:21: /environments/two: found 7, expected an object: a merge patch (RFC 7386) on the document",
            "2:35: /environments/three/environments: an environment cannot patch \"environments\"",
            "2:55: /environments/three/$schema: found the unknown key \"$schema\", expected one of flags, segments, guard",
            "2:71: /environments/three/flag: found the unknown key \"flag\", expected one of flags, segments, guard (did you mean \"flags\"?)",
            "3:24: /environments/four/flags/off: off is false in the document, and the patch does not say \"enabled\": add \"enabled\": true or false",
        ]
    );
    assert_eq!(
        in_environment(
            r#"{ "flags": { "portal": true }, "environments": { "five": { "flags": { "prtal": null } } } }"#,
            Some("five")
        ),
        [
            "1:71: warning: /environments/five/flags/prtal: null deletes \"prtal\", which is not there (did you mean \"portal\"?)"
        ]
    );
    assert_eq!(
        in_environment(r#"{ "flags": {}, "environments": { "production": {} } }"#, Some("prodction")),
        [
            "1:1: found the environment \"prodction\", expected one that the document names: production (did you mean \"production\"?)"
        ]
    );
    let of_two = r#"{ "flags": {}, "environments": { "production": {}, "staging": {} } }"#;
    assert_eq!(
        in_environment(of_two, Some("test")),
        [
            "1:1: found the environment \"test\", expected one that the document names: production, staging: add \"test\": {} to \"environments\" if it gets the document as it is"
        ]
    );
    assert!(in_environment(r#"{ "flags": {} }"#, Some("test")).is_empty());
}

#[test]
fn a_list_of_an_overlay_that_leaves_out_shared_values_is_warned_of() {
    let found = |shared: &str, overlay: &str| {
        let text = format!(
            r#"{{"flags": {{"b": true, "c": true, "a": {{"enabled": true, "rollout": {{"percentage": 5}}, {shared}}}}},
            "environments": {{"production": {{"flags": {{"a": {{{overlay}}}}}}}}}}}"#
        );
        let problems = lines(&definition::parse("f", text.as_bytes()).unwrap().check(TODAY));
        problems.into_iter().map(|line| line.split_once(": ").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let allow = |list: &str| format!(r#""companies": {{"allow": {list}}}"#);
    assert_eq!(
        found(&allow("[15, 42, 7]"), &allow("[15]")),
        [
            "warning: /environments/production/flags/a/companies/allow: this list replaces the document's, and lacks 2 of its 3; lists are replaced, not joined: write them here as well if this environment is to have them"
        ]
    );
    for (shared, overlay) in [
        (r#""companies": {"deny": [15, 42]}"#, r#""companies": {"deny": [15]}"#),
        (r#""requires": ["b"]"#, r#""requires": ["c"]"#),
        (
            r#""rules": [{"when": {"attribute": "plan", "eq": "pro"}}]"#,
            r#""rules": [{"when": {"attribute": "plan", "eq": "max"}}]"#,
        ),
    ] {
        let found = found(shared, overlay);
        assert!(found.len() == 1 && found[0].contains("lacks 1 of its"), "{overlay}: {found:?}");
    }
    // Nobody is left out, or on purpose: the same in another order, more, none, nothing at all, steps in time.
    for (shared, overlay) in [
        (allow("[15, 42]"), allow(r#"[42, "15", 7]"#)),
        (allow("[15, 42]"), allow("[]")),
        (allow("[15, 42]"), r#""companies": null"#.to_owned()),
        (
            r#""schedule": [{"at": "2026-12-01T08:00:00Z", "percentage": 50}]"#.to_owned(),
            r#""schedule": [{"at": "2026-12-02T08:00:00Z", "percentage": 50}]"#.to_owned(),
        ),
    ] {
        assert_eq!(found(&shared, &overlay), [""; 0], "{overlay}");
    }
}

#[test]
fn a_report_serialises_for_other_programs() {
    let report = definition::load("f", br#"{ "flags": { "a": 1, "b": { "enabld": true } } }"#, None, TODAY)
        .unwrap_err();
    assert_eq!(
        serde_json::to_value(&report).unwrap(),
        serde_json::json!({ "problems": [
            { "severity": "error", "file": "f", "line": 1, "column": 19, "pointer": "/flags/a",
              "message": "found 1, expected a flag: true, false or an object" },
            { "severity": "error", "file": "f", "line": 1, "column": 29, "pointer": "/flags/b/enabld",
              "message": "found the unknown key \"enabld\", expected one of description, owner, enabled, rollout, companies, requires, rules, schedule, variants, emergency, expires, plan, guard, managed, was",
              "hint": "did you mean \"enabled\"?" },
        ] })
    );
}

#[test]
fn a_flag_is_held_to_its_own_limits_then_to_the_documents_then_to_the_guards() {
    let text = r#"{"guard": {"error_rate": 0.1, "relative": {"p95": 3}, "action": "hold", "$comment": 1}, "flags": {
        "a": {"guard": {"error_rate": 1, "relative": {"errors": 1.5}, "cooldown": "90m"}},
        "b": true, "c": {"guard": false}, "d": {"guard": true}},
        "environments": {"quiet": {"guard": false, "flags": {"a": {"guard": {"p95_ms": 900}}}}}}"#;
    let flags = definition::load("f", text.as_bytes(), None, TODAY).unwrap().definitions.flags;
    let says = |flag: &str| serde_json::to_value(&flags[flag].guard).unwrap();
    let document = json!({"error_rate": 0.1, "relative": {"p95": 3.0}, "action": "hold"});
    assert_eq!(
        says("a"),
        json!({"error_rate": 1.0, "relative": {"errors": 1.5, "p95": 3.0}, "cooldown": "90m", "action": "hold"})
    );
    assert_eq!((says("b"), says("c"), says("d")), (document.clone(), json!(false), document));
    let policy = Policy::of(flags["a"].guard.as_ref()).unwrap();
    assert_eq!((policy.error_rate, policy.cooldown, policy.min_requests), (1.0, 5_400_000_000, 200));
    assert_eq!(Policy::of(flags["c"].guard.as_ref()), None);
    let quiet = definition::load("f", text.as_bytes(), Some("quiet"), TODAY).unwrap().definitions;
    assert_eq!(quiet.flags["b"].guard, Some(GuardRule::Off));
    assert_eq!(quiet.flags["d"].guard, None, "true is the guard's own limits where the document says none");
    assert_eq!(Policy::of(None), Some(Policy::default()));
    let again = Definitions::from_canonical_json(&quiet.to_canonical_json()).unwrap();
    assert_eq!(again, quiet);
    assert!(quiet.check("f", TODAY).is_ok());
}

#[test]
fn a_limit_of_the_guard_is_a_number_that_can_be_one() {
    for (limits, pointer, expected) in [
        ("1", "", "found 1, expected true, false or an object of limits"),
        (
            r#"{"error_rte": 0.1}"#,
            "/error_rte",
            "found the unknown key \"error_rte\", expected one of error_rate, p95_ms, relative, min_requests, min_companies, window, \
             cooldown, watch, action, baseline (did you mean \"error_rate\"?)",
        ),
        (
            r#"{"error_rate": 5}"#,
            "/error_rate",
            "found 5, expected a share of the requests, above 0 and at most 1, such as 0.05",
        ),
        (r#"{"p95_ms": 2.5}"#, "/p95_ms", "found 2.5, expected an integer from 1 to 60000"),
        (r#"{"relative": 2}"#, "/relative", "found 2, expected an object with \"errors\" or \"p95\""),
        (
            r#"{"relative": {"p95": 1}}"#,
            "/relative/p95",
            "found 1, expected a number above 1 and at most 100",
        ),
        (r#"{"min_companies": 17}"#, "/min_companies", "found 17, expected an integer from 1 to 16"),
        (r#"{"min_requests": 0}"#, "/min_requests", "found 0, expected an integer from 1 to 1000000000"),
        (r#"{"window": "30s"}"#, "/window", "found \"30s\", expected at least a minute and at most a day"),
        (
            r#"{"cooldown": "5w"}"#,
            "/cooldown",
            "found \"5w\", expected at least a minute and at most 30 days",
        ),
        (
            r#"{"cooldown": "soon"}"#,
            "/cooldown",
            "found \"soon\", expected a length of time such as \"5m\" or \"1h\": a number and s, m, h, d or w",
        ),
        (
            r#"{"action": "roll-back"}"#,
            "/action",
            "found \"roll-back\", expected \"rollback\" or \"hold\" or \"notify\" (did you mean \"rollback\"?)",
        ),
    ] {
        for (text, at) in [
            (format!(r#"{{"flags": {{"a": {{"guard": {limits}}}}}}}"#), "/flags/a/guard"),
            (format!(r#"{{"flags": {{}}, "guard": {limits}}}"#), "/guard"),
        ] {
            let report = definition::load("f", text.as_bytes(), None, TODAY).unwrap_err().to_string();
            assert!(report.trim_end().ends_with(&format!(": {at}{pointer}: {expected}")), "{report}");
        }
    }
}

#[test]
fn a_plan_raises_the_percentage_stage_by_stage() {
    let definitions = sound(
        r#"{"flags": {"a": {"rollout": {"percentage": 0}, "managed": "git", "plan": {"stages": [
            {"companies": [42, 15, "15"], "soak": "7d"}, {"percentage": 10, "soak": "36h"}, {"companies": ["x"]}, {"percentage": 100}]}}}}"#,
    );
    let flag = &definitions.flags["a"];
    let plan = flag.plan.as_ref().unwrap();
    assert_eq!(plan.stages[0].companies, [CompanyId::Int(15), CompanyId::Int(42)]);
    assert_eq!(plan.stages[1].soak.map(Soak::micros), Some(36 * 3_600_000_000));
    assert_eq!((plan.stages[2].percentage, plan.stages[2].soak), (None, None));
    assert_eq!(flag.managed, Managed::Git);
    let json = definitions.to_canonical_json();
    assert_eq!(Definitions::from_canonical_json(&json).unwrap(), definitions);
    assert_eq!(sound(std::str::from_utf8(&json).unwrap()), definitions);
    for (stages, expected) in [
        (
            r#"[{"percentage": 10}, {"companies": [1]}, {"percentage": 10}]"#,
            "1:123: /flags/a/plan/stages/2/percentage: found 10 after 10: a stage has to raise the percentage",
        ),
        ("[]", "1:67: /flags/a/plan/stages: found 0 stages, expected 1 to 100"),
        (
            r#"[{"soak": "7d"}]"#,
            "1:68: /flags/a/plan/stages/0: found neither, expected a stage, an object with \"companies\" or \"percentage\"",
        ),
        (
            r#"[{"companies": [], "soak": "7d"}]"#,
            "1:82: /flags/a/plan/stages/0/companies: found an empty list, expected companies to let in, one or more",
        ),
        (
            r#"[{"percentage": 1, "soak": "a week"}]"#,
            "1:94: /flags/a/plan/stages/0/soak: found \"a week\", expected a length of time such as \"12h\" or \"7d\": a number and s, m, h, d or w",
        ),
    ] {
        only_problem(
            &format!(
                r#"{{"flags": {{"a": {{"rollout": {{"percentage": 0}}, "plan": {{"stages": {stages}}}}}}}}}"#
            ),
            expected,
        );
    }
}

#[test]
fn what_a_store_keeps_with_a_flag_is_refused_in_a_file() {
    only_problem(
        r#"{"flags": {"a": {"enabled": true, "state": {"orphaned": 1}}}}"#,
        "1:35: /flags/a/state: found \"state\" in a, which only a store keeps: leave it out; `flagstone pull FILE` brings what runs into the file",
    );
}

#[test]
fn what_a_store_keeps_survives_the_canonical_form_and_is_left_out_of_a_check() {
    let mut definitions = sound(
        r#"{"flags": {"a": {"rollout": {"percentage": 7}, "plan": {"stages": [{"percentage": 100}]}}}}"#,
    );
    let plain = definitions.clone();
    let flag = definitions.flags.get_mut("a").unwrap();
    let state = PlanState {
        stages: flag.plan.as_ref().unwrap().stages.clone(),
        entered: vec![None, Some(5_000)],
        since: 5_000,
        soaked: 10,
        held: Some(PlanHold { reason: "errors".to_owned(), by: "alice@web-1".to_owned(), at: 7_000 }),
        done: None,
        left: "0123456789abcdef".to_owned(),
        before: Some(Before {
            enabled: false,
            percentage: Some(Percentage::NONE),
            schedule: Vec::new(),
            allow: ListChange { added: vec![15.into()], removed: Vec::new() },
            deny: ListChange::default(),
            emergency: Emergency::Keep,
        }),
    };
    let base = Flag { owner: Some("x".to_owned()), ..Flag::new(false) };
    let kept = KeptConflict { field: "percentage".to_owned(), file: 5.into(), since: 9_000 };
    let file = std::sync::Arc::new(FileState {
        base,
        conflicts: vec![kept],
        shared: [("enabled".to_owned(), "0123456789abcdef".to_owned())].into(),
    });
    flag.state = FlagState { orphaned: Some(1), plan: Some(state), file: Some(file) };
    let json = definitions.to_canonical_json();
    assert_eq!(Definitions::from_canonical_json(&json).unwrap(), definitions);
    assert_eq!(definitions.without_state(), plain);
    assert_eq!(definitions.check("f", TODAY), Ok(Report::default()));
    let (one, other) = [&definitions, &plain].map(|it| flagstone::compile(it, "test").unwrap()).into();
    let answers = |bytes: &[u8]| flagstone::Snapshot::from_bytes(bytes).unwrap().layout().unwrap();
    let (one, other) = (answers(&one), answers(&other));
    for (with, without) in one.sections.iter().zip(&other.sections) {
        assert_eq!(with.checksum == without.checksum, with.name != "definitions", "{}", with.name);
    }
}

#[test]
fn a_plan_that_probably_means_something_else_is_warned_of() {
    let flag = |fields: &str| {
        format!(r#"{{"flags": {{"a": {{"enabled": true, "rollout": {{"percentage": 0}}, {fields}}}}}}}"#)
    };
    for (fields, expected) in [
        (r#""plan": {"stages": [{"percentage": 10, "soak": "1d"}, {"percentage": 100}]}"#, &[][..]),
        (
            r#""plan": {"stages": [{"percentage": 50}]}"#,
            &["the plan of a ends at 50 %: end it with a stage of 100 if everybody is to get the flag"],
        ),
        (
            r#""plan": {"stages": [{"companies": [7]}]}"#,
            &["the plan of a ends at companies: end it with a stage of 100 if everybody is to get the flag"],
        ),
        (
            r#""companies": {"deny": [7]}, "plan": {"stages": [{"companies": [7]}, {"percentage": 100}]}"#,
            &["stage 1 of a lets company 7 in, which the flag denies: it stays out"],
        ),
        (
            r#""schedule": [{"at": "2027-01-01T00:00:00Z", "percentage": 1}], "plan": {"stages": [{"percentage": 100}]}"#,
            &[
                "a has a plan and a schedule: the schedule ends when the plan is started: write the one or the other",
            ],
        ),
        (
            r#""managed": "git", "plan": {"stages": [{"percentage": 100}]}"#,
            &["a is managed by git, so that its plan cannot be started: leave out \"plan\", or \"managed\""],
        ),
    ] {
        let found = problems(&flag(fields));
        let said: Vec<_> =
            found.iter().map(|problem| problem.split_once("warning: /flags/a/plan: ")).collect();
        let said: Vec<_> = said.into_iter().flatten().map(|(_, said)| said).collect();
        assert_eq!((said.as_slice(), found.len()), (expected, expected.len()), "{found:#?}");
    }
}

/// A pilot's segment emptied by a patch was on for everybody, and a deny list with "acme " denied nobody, without a word.
#[test]
fn conditions_of_nothing_and_ids_that_look_like_others_are_warned_of() {
    let text = r#"{ "flags": { "a": { "enabled": true, "companies": { "deny": ["acme ", "+42", "42.0", "acme\u200b", "2.5", "42", "Acme Ltd.", "15,42,103", "15;16", "NULL"] } } },
        "segments": { "s": { "all": [] }, "t": { "not": { "any": [] } } } }"#;
    let found = problems(text).join("\n");
    for expected in [
        "deny/0: found \"acme \", expected an id without brackets, quotes, bullets and spaces: acme",
        "deny/1: found \"+42\", a number as a spreadsheet writes it; write 42 if that is the company",
        "deny/2: found \"42.0\", a number as a spreadsheet writes it; write 42 if that is the company",
        "deny/3: found \"acme\\u{200b}\", with the invisible character U+200B, expected an id without it: acme",
        "deny/4: found \"2.5\", a number as a spreadsheet writes it, and no company's",
        "deny/7: found \"15,42,103\", several ids, expected one company's id, and each of its own: 15 42 103",
        "deny/8: found \"15;16\", several ids, expected one company's id, and each of its own: 15 16",
        "deny/9: found \"NULL\", a missing value, expected a company's id",
        "/segments/s/all: found all with an empty list, so it holds for everybody: list a condition",
        "/segments/t/not/any: found any with an empty list, so it holds for nobody: list a condition",
    ] {
        assert!(found.contains(expected), "{expected}\n{found}");
    }
    assert_eq!(found.lines().count(), 10, "{found}");
}
