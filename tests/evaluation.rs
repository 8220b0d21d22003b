//! The order in which things decide, reason by reason, on compiled snapshots.

use flagstone::definition::Definitions;
use flagstone::eval::{bucket, crc32_bucket, seed};
use flagstone::{
    Answer, Attribute, Context, Key, Question, Reason, Snapshot, Switches, Value, compile, enabled, evaluate,
    possible, rule_name, variant,
};
use serde_json::{Value as Json, json};

/// 2026-11-21T12:00:00Z.
const NOW: i64 = 1_795_262_400_000_000;

fn snapshot(definitions: Json) -> Snapshot {
    let definitions =
        Definitions::from_canonical_json(definitions.to_string().as_bytes()).expect("definitions");
    let bytes = compile(&definitions, "testing").expect("compiles");
    let snapshot = Snapshot::from_bytes(&bytes).expect("opens");
    snapshot.verify().expect("verifies");
    snapshot
}

/// Asks by every way that there is, which must agree.
fn ask<C: Context + ?Sized>(
    snapshot: &Snapshot,
    switches: &Switches,
    flag: &str,
    company: Option<Key<'_>>,
    context: &C,
) -> Answer {
    let Some(id) = snapshot.find(flag.as_bytes()) else { return Answer::off(Reason::UnknownFlag) };
    let question = Question { company, context, now: NOW };
    let answer = evaluate(snapshot, switches, id, &question);
    assert_eq!(answer.on, enabled(snapshot, switches, id, &question), "the short way differs for {flag}");
    assert!(!answer.on || possible(snapshot, switches, id, NOW), "{flag} is on but not possible");
    answer
}

fn reason(snapshot: &Snapshot, flag: &str, company: Option<Key<'_>>) -> (bool, Reason) {
    let answer = ask(snapshot, &Switches::none(), flag, company, &());
    (answer.on, answer.reason)
}

fn int(company: i64) -> Option<Key<'static>> {
    Some(Key::Int(company))
}

fn text(company: &str) -> Option<Key<'_>> {
    Key::from_bytes(company.as_bytes())
}

#[test]
fn every_published_bucket_is_reproduced() {
    let vectors: Vec<Json> = serde_json::from_str(include_str!("vectors/buckets.json")).expect("vectors");
    assert!(vectors.len() > 20);
    for vector in vectors {
        let salt = vector["salt"].as_str().expect("salt");
        let key = match &vector["key"] {
            Json::Number(number) => Key::Int(number.as_i64().expect("an int")),
            other => Key::from_bytes(other.as_str().expect("a string").as_bytes()).expect("a key"),
        };
        assert_eq!(
            Some(u64::from(bucket(key, seed(salt.as_bytes())))),
            vector["bucket"].as_u64(),
            "{vector}"
        );
        assert_eq!(Some(u64::from(crc32_bucket(key)) / 1000), vector["crc32_percent"].as_u64(), "{vector}");
    }
}

#[test]
fn an_unknown_flag_is_off() {
    let snapshot = snapshot(json!({"flags": {"a": {"enabled": true}}}));
    assert_eq!(reason(&snapshot, "A", int(1)), (false, Reason::UnknownFlag));
    assert_eq!(reason(&snapshot, "", int(1)), (false, Reason::UnknownFlag));
}

#[test]
fn a_killed_flag_is_off_before_anything_else_is_asked() {
    let snapshot = snapshot(json!({"flags": {
        "a": {"enabled": true}, "b": {"enabled": false}, "c": {"enabled": true, "requires": ["a"]}
    }}));
    let switches = Switches::new(&snapshot, [b"a".as_slice(), b"b", b"gone"].into_iter(), true);
    for flag in ["a", "b"] {
        assert_eq!(ask(&snapshot, &switches, flag, int(1), &()).reason, Reason::Killed);
    }
    let kills = Switches::new(&snapshot, [b"a".as_slice()].into_iter(), false);
    let answer = ask(&snapshot, &kills, "c", int(1), &());
    assert_eq!(
        (answer.on, answer.reason, answer.blocker),
        (false, Reason::Prerequisite, snapshot.find(b"a"))
    );
}

#[test]
fn a_stop_turns_everything_off_but_what_keeps_through_it() {
    let snapshot = snapshot(json!({"flags": {
        "a": {"enabled": true}, "b": {"enabled": true, "emergency": "keep"},
        "c": {"enabled": true, "emergency": "keep", "requires": ["a"]}
    }}));
    let stop = Switches::new(&snapshot, std::iter::empty(), true);
    assert_eq!(ask(&snapshot, &stop, "a", int(1), &()).reason, Reason::EmergencyStop);
    assert_eq!(ask(&snapshot, &stop, "b", int(1), &()).reason, Reason::Full);
    assert_eq!(ask(&snapshot, &stop, "c", int(1), &()).reason, Reason::Prerequisite);
}

#[test]
fn a_disabled_flag_is_off_for_allowed_companies_too() {
    let snapshot = snapshot(json!({"flags": {
        "a": {"enabled": false, "rollout": {"percentage": 100}, "companies": {"allow": [15]}}
    }}));
    assert_eq!(reason(&snapshot, "a", int(15)), (false, Reason::Disabled));
}

#[test]
fn prerequisites_hold_for_the_same_question_through_any_depth() {
    let snapshot = snapshot(json!({"flags": {
        "top": {"enabled": true, "requires": ["left", "right"]},
        "left": {"enabled": true, "requires": ["base"]},
        "right": {"enabled": true, "requires": ["base"]},
        "base": {"enabled": true, "rollout": {"percentage": 0}, "companies": {"allow": [15]}}
    }}));
    assert_eq!(reason(&snapshot, "top", int(15)), (true, Reason::Full));
    let answer = ask(&snapshot, &Switches::none(), "top", int(42), &());
    assert_eq!((answer.reason, answer.blocker), (Reason::Prerequisite, snapshot.find(b"base")));
}

#[test]
fn deny_wins_over_rules_and_allow_over_the_rollout() {
    let snapshot = snapshot(json!({"flags": {"a": {
        "enabled": true, "rollout": {"percentage": 0},
        "companies": {"allow": [15, "acme"], "deny": [42, "042"]},
        "rules": [{"when": {"attribute": "plan", "eq": "pro"}}]
    }}}));
    let context = [("plan", Attribute::Text(b"pro"))];
    let answer = |company| ask(&snapshot, &Switches::none(), "a", company, &context).reason;
    assert_eq!(answer(int(42)), Reason::Denied);
    assert_eq!(answer(text("042")), Reason::Denied);
    assert_eq!(answer(text("42")), Reason::Denied);
    assert_eq!(answer(text("acme")), Reason::Allowed);
    assert_eq!(answer(text("15")), Reason::Allowed);
    assert_eq!(answer(text("015")), Reason::Rule);
}

#[test]
fn the_first_rule_that_holds_decides_by_its_percentage() {
    let snapshot = snapshot(json!({"flags": {"a": {
        "enabled": true, "rollout": {"percentage": 100},
        "rules": [
            {"name": "none", "when": {"attribute": "plan", "eq": "free"}, "percentage": 0},
            {"name": "some", "when": {"attribute": "plan", "in": ["pro"]}, "percentage": 50},
            {"when": {"attribute": "plan", "eq": "pro"}, "percentage": 0}
        ]
    }}}));
    let id = snapshot.find(b"a").expect("a");
    let ask = |plan: &[u8], company| {
        ask(&snapshot, &Switches::none(), "a", company, &[("plan", Attribute::Text(plan))])
    };
    let free = ask(b"free", int(1));
    assert_eq!((free.on, free.reason, free.rule, free.percentage), (false, Reason::Rule, Some(0), Some(0)));
    let pro = ask(b"pro", int(1));
    assert_eq!((pro.reason, pro.rule, rule_name(&snapshot, id, 1)), (Reason::Rule, Some(1), Some("some")));
    assert_eq!(pro.on, pro.bucket.expect("a bucket") < 50_000);
    assert_eq!(ask(b"pro", None).reason, Reason::NoCompany);
    assert_eq!(ask(b"other", None).reason, Reason::Full);
    assert_eq!(rule_name(&snapshot, id, 2), None);
}

#[test]
fn a_rollout_needs_its_key_unless_everybody_is_in() {
    let snapshot = snapshot(json!({"flags": {
        "half": {"enabled": true, "rollout": {"percentage": 50}},
        "all": {"enabled": true, "rollout": {"percentage": 100}},
        "user": {"enabled": true, "rollout": {"percentage": 99.999, "by": "user"}}
    }}));
    assert_eq!(reason(&snapshot, "half", None), (false, Reason::NoCompany));
    assert_eq!(reason(&snapshot, "all", None), (true, Reason::Full));
    assert_eq!(reason(&snapshot, "user", int(1)), (false, Reason::NoKey));
    let by_user = |user| ask(&snapshot, &Switches::none(), "user", None, &[("user", user)]).reason;
    assert_eq!(by_user(Attribute::Int(7)), Reason::RolloutIn);
    assert_eq!(by_user(Attribute::Text(b"7")), Reason::RolloutIn);
    assert_eq!(by_user(Attribute::Text(b"")), Reason::NoKey);
    assert_eq!(by_user(Attribute::Float(7.0)), Reason::NoKey);
    assert_eq!(by_user(Attribute::Bool(true)), Reason::NoKey);
}

#[test]
fn raising_a_percentage_only_adds_companies() {
    let at = |percentage: f64| {
        snapshot(json!({"flags": {"a": {"enabled": true, "rollout": {"percentage": percentage}}}}))
    };
    let steps: Vec<Snapshot> = [0.0, 0.001, 1.0, 10.0, 33.333, 50.0, 99.999, 100.0].map(at).into();
    for company in 0..20_000 {
        let on = steps.iter().map(|snapshot| reason(snapshot, "a", int(company)).0);
        assert!(on.is_sorted(), "company {company} left as the percentage rose");
    }
}

#[test]
fn a_share_of_companies_is_as_large_as_it_says() {
    let snapshot = snapshot(json!({"flags": {"a": {"enabled": true, "rollout": {"percentage": 10}}}}));
    let on = (0..200_000).filter(|company| reason(&snapshot, "a", int(*company)).0).count();
    assert!((19_400..20_600).contains(&on), "{on} of 200,000 at 10 %");
}

#[test]
fn crc32_bucketing_keeps_the_cohorts_of_a_home_grown_rollout() {
    let snapshot = snapshot(json!({"flags": {
        "a": {"enabled": true, "rollout": {"percentage": 37, "bucketing": "crc32"}}
    }}));
    for company in -500i64..500 {
        let expected = crc32fast::hash(company.to_string().as_bytes()) % 100 < 37;
        assert_eq!(reason(&snapshot, "a", int(company)).0, expected, "company {company}");
    }
    assert_eq!(reason(&snapshot, "a", text("acme-eu")).0, crc32fast::hash(b"acme-eu") % 100 < 37);
}

#[test]
fn the_last_step_that_has_come_gives_the_percentage() {
    let snapshot = snapshot(json!({"flags": {"a": {
        "enabled": true, "rollout": {"percentage": 0},
        "schedule": [
            {"at": "2026-11-01T00:00:00Z", "percentage": 5},
            {"at": "2026-11-21T12:00:00Z", "percentage": 50},
            {"at": "2026-11-21T12:00:00.000001Z", "percentage": 100}
        ]
    }}}));
    let id = snapshot.find(b"a").expect("a");
    let at = |now| {
        let question = Question { company: int(1), context: &(), now };
        evaluate(&snapshot, &Switches::none(), id, &question).percentage
    };
    assert_eq!(at(0), Some(0));
    assert_eq!(at(NOW - 1), Some(5_000));
    assert_eq!(at(NOW), Some(50_000));
    assert_eq!(at(NOW + 1), Some(100_000));
    assert!(!possible(&snapshot, &Switches::none(), id, 0));
    assert!(possible(&snapshot, &Switches::none(), id, NOW));
}

#[test]
fn variants_draw_by_weight_from_a_bucket_of_their_own() {
    let snapshot = snapshot(json!({"flags": {"a": {
        "enabled": true,
        "variants": {
            "classic": {"weight": 25},
            "compact": {"weight": 75, "value": {"columns": 2, "tags": ["x", null, true, 1.5], "empty": {}}}
        }
    }}}));
    let id = snapshot.find(b"a").expect("a");
    let draw = |company| variant(&snapshot, id, &Question { company, context: &(), now: NOW });
    let compact =
        (0..20_000).filter(|company| draw(int(*company)).is_some_and(|v| v.name == "compact")).count();
    assert!((14_700..15_300).contains(&compact), "{compact} of 20,000 at weight 75");
    assert!(draw(None).is_none());
    let value = (0..).find_map(|company| draw(int(company))?.value).expect("a value");
    assert_eq!(
        json_of(&snapshot.value(value)),
        json!({"columns": 2, "tags": ["x", null, true, 1.5], "empty": {}})
    );
}

fn json_of(value: &Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(bool) => json!(bool),
        Value::Int(int) => json!(int),
        Value::Float(float) => json!(float),
        Value::Text(text) => json!(text),
        Value::List(items) => items.clone().map(|item| json_of(&item)).collect(),
        Value::Map(entries) => {
            Json::Object(entries.clone().map(|(key, value)| (key.to_owned(), json_of(&value))).collect())
        }
    }
}

/// Whether the condition holds for a context of one attribute, `x`.
fn condition(when: Json, x: Attribute<'_>) -> bool {
    let snapshot = snapshot(json!({
        "flags": {"a": {"enabled": true, "rollout": {"percentage": 0}, "rules": [{"when": when}]}},
        "segments": {"s": {"attribute": "x", "eq": "s"}}
    }));
    ask(&snapshot, &Switches::none(), "a", int(42), &[("x", x)]).on
}

#[test]
fn comparisons_are_strict_about_types() {
    let text = |text: &'static str| Attribute::Text(text.as_bytes());
    for (test, holds, fails) in [
        (
            json!({"eq": 1}),
            vec![Attribute::Int(1), Attribute::Float(1.0)],
            vec![text("1"), Attribute::Bool(true)],
        ),
        (
            json!({"ne": 1}),
            vec![Attribute::Int(2)],
            vec![text("2"), Attribute::Missing, Attribute::Float(f64::NAN)],
        ),
        (
            json!({"in": [1, "b", true]}),
            vec![Attribute::Float(1.0), text("b"), Attribute::Bool(true)],
            vec![text("1"), Attribute::Bool(false), Attribute::Missing],
        ),
        (json!({"not_in": ["b"]}), vec![text("c")], vec![text("b"), Attribute::Int(1), Attribute::Missing]),
        (
            json!({"lt": 10}),
            vec![Attribute::Int(9), Attribute::Float(9.99)],
            vec![Attribute::Int(10), text("9")],
        ),
        (json!({"gte": "b"}), vec![text("b"), text("c")], vec![text("a"), Attribute::Int(1)]),
        (json!({"starts_with": "ab"}), vec![text("abc")], vec![text("a"), Attribute::Int(1)]),
        (json!({"ends_with": "bc"}), vec![text("abc")], vec![text("bcd")]),
        (json!({"contains": "b"}), vec![text("abc")], vec![text("ac")]),
        (json!({"exists": true}), vec![text(""), Attribute::Bool(false)], vec![Attribute::Missing]),
        (json!({"exists": false}), vec![Attribute::Missing], vec![text("")]),
        (
            json!({"before": "2026-01-01T00:00:00Z"}),
            vec![text("2025-12-31T23:59:59Z"), Attribute::Int(0)],
            vec![text("2026-01-01T00:00:00Z"), text("yesterday"), Attribute::Int(1_767_225_600)],
        ),
        (
            json!({"after": "2026-01-01T00:00:00Z"}),
            vec![Attribute::Float(1_767_225_600.5)],
            vec![Attribute::Bool(true)],
        ),
        (
            json!({"semver_gte": "1.10.0"}),
            vec![text("1.10.0"), text("2.0.0-rc.1")],
            vec![text("1.9.9"), text("1.10.0-rc.1"), text("v2")],
        ),
    ] {
        let mut when = test.clone();
        when["attribute"] = json!("x");
        for value in holds {
            assert!(condition(when.clone(), value), "{test} should hold for {value:?}");
        }
        for value in fails {
            assert!(!condition(when.clone(), value), "{test} should not hold for {value:?}");
        }
    }
}

/// Milliseconds, as JavaScript has them, were seconds of the year 57886, and an infinite number was after every time.
#[test]
fn a_number_beyond_the_years_0000_to_9999_is_no_time() {
    let holds =
        |operator: &str, value| condition(json!({"attribute": "x", operator: "2026-01-01T00:00:00Z"}), value);
    for outside in [
        Attribute::Int(1_764_500_000_000),
        Attribute::Int(253_402_300_800),
        Attribute::Int(-62_167_219_201),
        Attribute::Int(i64::MAX),
        Attribute::Float(253_402_300_800.0),
        Attribute::Float(-62_167_219_200.5),
        Attribute::Float(1e300),
        Attribute::Float(f64::INFINITY),
        Attribute::Float(f64::NEG_INFINITY),
    ] {
        assert!(!holds("before", outside) && !holds("after", outside), "{outside:?}");
    }
    for (first, last) in [
        (Attribute::Int(-62_167_219_200), Attribute::Int(253_402_300_799)),
        (Attribute::Float(-62_167_219_200.0), Attribute::Float(253_402_300_799.5)),
    ] {
        assert!(holds("before", first) && holds("after", last), "{first:?} and {last:?}");
    }
}

#[test]
fn conditions_combine_as_logic_says() {
    let (yes, no) = (json!({"all": []}), json!({"any": []}));
    let x = json!({"attribute": "x", "eq": "s"});
    let s = Attribute::Text(b"s");
    for (when, expected) in [
        (yes.clone(), true),
        (no.clone(), false),
        (json!({"not": no}), true),
        (json!({"all": [yes, x, {"segment": "s"}]}), true),
        (json!({"all": [x, no]}), false),
        (json!({"any": [{"all": [no, x]}, x]}), true),
        (json!({"any": [{"all": [x, no]}, {"not": x}]}), false),
        (json!({"not": {"any": [{"not": x}, {"not": {"segment": "s"}}]}}), true),
        (json!({"attribute": "company", "in": [42]}), true),
        (json!({"attribute": "company", "eq": "42"}), true),
        (json!({"attribute": "company", "eq": "042"}), false),
        (json!({"attribute": "company", "ne": "42"}), false),
        (json!({"attribute": "company", "in": ["42", "acme"]}), true),
        (json!({"attribute": "company", "not_in": ["41", "acme"]}), true),
        (json!({"attribute": "company", "lt": "43"}), false),
        (json!({"attribute": "now", "after": "2026-11-21T11:59:59Z"}), true),
        (json!({"attribute": "now", "before": "2026-11-21T12:00:00Z"}), false),
    ] {
        assert_eq!(condition(when.clone(), s), expected, "{when}");
    }
}

#[test]
fn a_rule_keeps_out_a_company_whose_id_is_written_as_a_string() {
    // The string equaled no company, so the rule let it in.
    let not_in = json!({"attribute": "company", "not_in": ["1", 2, "acme"]});
    let snapshot = snapshot(json!({
        "flags": {"a": {"enabled": true, "rollout": {"percentage": 0}, "rules": [{"when": not_in}]}},
    }));
    for (company, expected) in
        [(int(1), false), (text("1"), false), (int(2), false), (text("acme"), false), (int(3), true)]
    {
        assert_eq!(reason(&snapshot, "a", company).0, expected, "{company:?}");
    }
}

#[test]
fn a_flag_needs_what_it_or_its_prerequisites_read() {
    let snapshot = snapshot(json!({
        "flags": {
            "a": {"enabled": true, "rollout": {"percentage": 5, "by": "user"}, "requires": ["b"]},
            "b": {"enabled": true, "rollout": {"percentage": 0}, "rules": [{"when": {"segment": "s"}}]},
            "c": {"enabled": true}
        },
        "segments": {"s": {"all": [{"attribute": "plan", "eq": "x"}, {"attribute": "company", "eq": 1}]}}
    }));
    let needs = |flag: &[u8]| snapshot.needs(snapshot.find(flag).expect("flag")).collect::<Vec<_>>();
    assert_eq!(needs(b"a"), ["plan", "user"]);
    assert_eq!(needs(b"b"), ["plan"]);
    assert_eq!(needs(b"c"), [""; 0]);
}

#[test]
fn a_million_companies_are_listed_exactly() {
    let dense: Vec<i64> = (0..400_000).map(|n| n * 3).collect();
    let sparse: Vec<i64> =
        (0..300_000i64).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64)).collect();
    let texts: Vec<String> = (0..300_000).map(|n| format!("tenant-{n}")).collect();
    let mut deny: Vec<Json> = sparse.iter().map(|n| json!(n)).collect();
    deny.extend(texts.iter().map(|text| json!(text)));
    let listed: std::collections::HashSet<i64> = sparse.iter().copied().collect();
    let snapshot = snapshot(json!({"flags": {
        "dense": {"enabled": true, "rollout": {"percentage": 0}, "companies": {"allow": dense}},
        "mixed": {"enabled": true, "companies": {"deny": deny}}
    }}));
    for company in -10..1_200_010 {
        let expected = (0..1_200_000).contains(&company) && company % 3 == 0;
        assert_eq!(reason(&snapshot, "dense", int(company)).0, expected, "{company}");
    }
    for company in &sparse {
        assert_eq!(reason(&snapshot, "mixed", int(*company)).1, Reason::Denied);
        let near = company.wrapping_add(1);
        assert_eq!(reason(&snapshot, "mixed", int(near)).1 == Reason::Denied, listed.contains(&near));
    }
    for company in &texts {
        assert_eq!(reason(&snapshot, "mixed", text(company)).1, Reason::Denied);
        assert_eq!(reason(&snapshot, "mixed", text(&format!("{company}x"))).1, Reason::Full);
    }
    snapshot.verify().unwrap();
    assert_eq!(reason(&snapshot, "mixed", text("tenant-300000")).1, Reason::Full);
    assert_eq!(reason(&snapshot, "mixed", int(i64::MIN)).1, Reason::Full);
}
