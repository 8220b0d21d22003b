//! The JSON Schema agrees with the parser on the structure of documents.
//!
//! What a schema cannot say is the parser's alone: that names are defined, lists do not contradict each other, weights add
//! up, a day exists in that year, a percentage has at most three decimals (`multipleOf` counts in floats and refuses 0.07 in
//! common validators), and how a number is spelt (`15.0` is an integer to a schema and no company's id).

use flagstone::definition::{self, Severity};
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../schema/flags.schema.json")).unwrap();
    assert!(jsonschema::meta::is_valid(&schema), "the schema is none");
    jsonschema::validator_for(&schema).unwrap()
});

/// What errors say that are not of structure.
const MEANING: [&str; 12] = [
    "unknown flag",
    "unknown segment",
    " itself: ",
    "both allowed and denied",
    "found weights of",
    "at one instant",
    "more than 64 flags through others",
    "comparisons with their segments",
    "is false in the document",
    "deletes the list of companies",
    "a stage has to raise the percentage",
    "at least a minute and at most",
];

/// Errors of structure that the parser finds, in the document as it is and in each environment.
fn structural_errors(document: &Value) -> Vec<String> {
    let report = match definition::parse("flags.json", document.to_string().as_bytes()) {
        Ok(document) => document.check("2026-11-21"),
        Err(report) => report,
    };
    let errors = report.problems.iter().filter(|problem| problem.severity == Severity::Error);
    errors
        .filter(|problem| !MEANING.iter().any(|text| problem.message.contains(text)))
        .map(ToString::to_string)
        .collect()
}

#[track_caller]
fn both_accept(document: &Value) {
    let errors: Vec<_> =
        SCHEMA.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(errors, [""; 0], "schema: {document}");
    assert_eq!(structural_errors(document), [""; 0], "parser: {document}");
}

#[track_caller]
fn both_refuse(document: &Value) {
    assert!(!SCHEMA.is_valid(document), "the schema accepts {document}");
    assert_ne!(structural_errors(document), [""; 0], "the parser accepts {document}");
}

fn flag(fields: Value) -> Value {
    json!({ "flags": { "a": fields } })
}

fn when(condition: Value) -> Value {
    json!({ "flags": { "a": { "rollout": { "percentage": 0 }, "rules": [{ "when": condition }] } }, "segments": { "s": { "all": [] } } })
}

fn patch(overlay: Value) -> Value {
    json!({
        "flags": { "a": { "rollout": { "percentage": 5, "by": "user" }, "rules": [{ "when": { "segment": "s" } }] } },
        "segments": { "s": { "attribute": "plan", "eq": "pro" } },
        "environments": { "staging": overlay }
    })
}

#[test]
fn the_example_is_valid() {
    both_accept(&serde_json::from_str(include_str!("../examples/flags.json")).unwrap());
}

#[test]
fn both_accept_every_form_that_is_documented() {
    both_accept(&json!({ "flags": {} }));
    both_accept(
        &json!({ "$schema": "x", "$comment": ["any", 1], "flags": { "$comment": 1 }, "segments": { "$comment": {} }, "environments": { "$comment": null } }),
    );
    for key in ["a", "0", "App\\Features\\New", "a.b:c-d_e", &"x".repeat(191)] {
        both_accept(&json!({ "flags": { key: true } }));
    }
    for fields in [
        json!(true),
        json!(false),
        json!({}),
        json!({ "$comment": 1, "enabled": false, "description": "", "owner": "x" }),
        json!({ "rollout": { "percentage": 0.001, "by": "company", "salt": "s", "bucketing": "crc32", "$comment": 0 } }),
        json!({ "rollout": { "percentage": 100.0, "by": "user.id", "bucketing": "xxh3" } }),
        json!({ "rollout": { "percentage": 0 }, "companies": { "allow": [1, -1, "1", "x", i64::MAX, i64::MIN], "deny": [2] } }),
        json!({ "companies": { "allow": [], "deny": ["x"] }, "rules": [], "schedule": [], "requires": [] }),
        json!({ "rollout": { "percentage": 1 }, "schedule": [{ "at": "2026-02-28T23:59:59.123456789+23:59", "percentage": 5, "$comment": 1 }] }),
        json!({ "variants": { "x": { "weight": 100, "value": null }, "$comment": 1 } }),
        json!({ "variants": { "x": { "weight": 33.333 }, "y": { "weight": 66.667, "value": [1, { "$comment": {} }] } } }),
        json!({ "emergency": "keep", "expires": "2028-02-29" }),
        json!({ "emergency": "off", "managed": "git" }),
        json!({ "managed": "operations" }),
        json!({ "was": "old.key" }),
        json!({ "guard": false }),
        json!({ "guard": true }),
        json!({ "guard": { "$comment": 1, "error_rate": 1, "p95_ms": 60000, "relative": { "errors": 100, "p95": 1.01, "$comment": 1 }, "min_requests": 1, "min_companies": 16, "window": "1d", "cooldown": "30d", "watch": "8d", "action": "notify", "baseline": "past" } }),
        json!({ "rollout": { "percentage": 0 }, "plan": { "$comment": 1, "stages": [{ "companies": [15, "x"], "soak": "7d", "$comment": 1 }, { "percentage": 10, "soak": "90m" }, { "percentage": 100 }] } }),
    ] {
        both_accept(&flag(fields));
    }
    for condition in [
        json!({ "all": [] }),
        json!({ "any": [{ "not": { "segment": "s", "$comment": 1 } }], "$comment": 1 }),
        json!({ "attribute": "plan", "in": ["a", 1, 1.5, true] }),
        json!({ "attribute": "plan", "not_in": [] }),
        json!({ "attribute": "_x.y-z", "eq": "" }),
        json!({ "attribute": "x", "ne": false }),
        json!({ "attribute": "x", "lt": 1 }),
        json!({ "attribute": "x", "lte": 1.5 }),
        json!({ "attribute": "x", "gt": "m" }),
        json!({ "attribute": "x", "gte": -1 }),
        json!({ "attribute": "x", "starts_with": "" }),
        json!({ "attribute": "x", "ends_with": "é" }),
        json!({ "attribute": "x", "contains": "x", "$comment": 1 }),
        json!({ "attribute": "x", "exists": false }),
        json!({ "attribute": "x", "before": "2026-12-01T08:00:00Z" }),
        json!({ "attribute": "now", "after": "2026-12-01t08:00:00z" }),
        json!({ "attribute": "x", "semver_eq": "1.0.0-rc.1+b.01" }),
        json!({ "attribute": "x", "semver_lt": "0.0.0" }),
        json!({ "attribute": "x", "semver_lte": "1.2.3-0a" }),
        json!({ "attribute": "x", "semver_gt": "10.20.30" }),
        json!({ "attribute": "company", "semver_gte": "1.0.0---" }),
    ] {
        both_accept(&when(condition));
    }
    for overlay in [
        json!({}),
        json!({ "$comment": 1, "flags": { "$comment": 1, "a": null, "b": true } }),
        json!({ "flags": { "a": { "rollout": { "percentage": 7, "by": null }, "rules": null } } }),
        json!({ "flags": { "a": { "enabled": false, "companies": { "allow": [1], "deny": null }, "variants": { "x": { "weight": 100 } } } } }),
        json!({ "segments": { "s": { "eq": null, "in": ["pro"] } } }),
        json!({ "segments": null, "flags": { "a": { "rules": null } } }),
        json!({ "flags": { "no flag's key": null, "a": { "nothing": null } } }),
        json!({ "flags": { "a": { "managed": null, "plan": { "stages": [{ "percentage": 7 }] } } } }),
        json!({ "flags": { "a": { "managed": "git", "plan": null } } }),
        json!({ "flags": { "a": { "was": null }, "b": { "was": "c" } } }),
        json!({ "guard": { "error_rate": null, "relative": { "errors": null, "p95": 2 } } }),
        json!({ "guard": null, "flags": { "a": { "guard": { "action": "hold" } } } }),
    ] {
        both_accept(&patch(overlay));
    }
}

#[test]
fn both_refuse_every_breach_of_structure() {
    for document in [
        json!(null),
        json!([]),
        json!({}),
        json!({ "flags": [] }),
        json!({ "flags": null }),
        json!({ "flags": {}, "flag": {} }),
        json!({ "flags": {}, "$schema": 1 }),
        json!({ "flags": {}, "segments": [] }),
        json!({ "flags": {}, "segments": { "": { "all": [] } } }),
        json!({ "flags": {}, "segments": { "x": true } }),
        json!({ "flags": {}, "environments": [] }),
        json!({ "flags": {}, "environments": { "Staging": {} } }),
        json!({ "flags": {}, "environments": { "x": [] } }),
        json!({ "flags": {}, "environments": { "x": null } }),
        json!({ "flags": {}, "environments": { "x": { "environments": {} } } }),
        json!({ "flags": {}, "environments": { "x": { "$schema": "y" } } }),
        json!({ "flags": {}, "environments": { "x": { "flags": null } } }),
        json!({ "flags": { "": true } }),
        json!({ "flags": { "-a": true } }),
        json!({ "flags": { "a b": true } }),
        json!({ "flags": { "é": true } }),
        json!({ "flags": { "x".repeat(192): true } }),
    ] {
        both_refuse(&document);
    }
    for fields in [
        json!(null),
        json!(1),
        json!("on"),
        json!([]),
        json!({ "enable": true }),
        json!({ "guard": "off" }),
        json!({ "guard": { "error_rate": 0 } }),
        json!({ "guard": { "error_rate": 1.01 } }),
        json!({ "guard": { "p95_ms": 60001 } }),
        json!({ "guard": { "relative": { "errors": 1 } } }),
        json!({ "guard": { "relative": { "error": 2 } } }),
        json!({ "guard": { "min_requests": 0 } }),
        json!({ "guard": { "min_companies": 17 } }),
        json!({ "guard": { "window": "5" } }),
        json!({ "guard": { "action": "kill" } }),
        json!({ "guard": { "baseline": "on" } }),
        json!({ "enabled": 1 }),
        json!({ "enabled": null }),
        json!({ "description": 1 }),
        json!({ "owner": ["x"] }),
        json!({ "rollout": 10 }),
        json!({ "rollout": {} }),
        json!({ "rollout": { "percentage": "10" } }),
        json!({ "rollout": { "percentage": 100.001 } }),
        json!({ "rollout": { "percentage": -1 } }),
        json!({ "rollout": { "percentage": 1, "by": "now" } }),
        json!({ "rollout": { "percentage": 1, "by": "" } }),
        json!({ "rollout": { "percentage": 1, "by": "1x" } }),
        json!({ "rollout": { "percentage": 1, "by": "x".repeat(65) } }),
        json!({ "rollout": { "percentage": 1, "salt": "" } }),
        json!({ "rollout": { "percentage": 1, "salt": "x".repeat(1025) } }),
        json!({ "rollout": { "percentage": 1, "bucketing": "md5" } }),
        json!({ "rollout": { "percentage": 1, "percent": 1 } }),
        json!({ "companies": { "deny": [""] } }),
        json!({ "companies": { "deny": [1.5] } }),
        json!({ "companies": { "deny": [true] } }),
        json!({ "companies": { "deny": [null] } }),
        json!({ "companies": { "deny": ["x".repeat(1025)] } }),
        json!({ "companies": { "deny": 1 } }),
        json!({ "companies": { "allowed": [] } }),
        json!({ "companies": { "allow": [1] } }),
        json!({ "rules": [{ "when": { "all": [] } }] }),
        json!({ "schedule": [{ "at": "2026-12-01T08:00:00Z", "percentage": 1 }] }),
        json!({ "requires": "b" }),
        json!({ "requires": [1] }),
        json!({ "rollout": { "percentage": 1 }, "rules": [{}] }),
        json!({ "rollout": { "percentage": 1 }, "rules": [{ "when": { "all": [] }, "name": "" }] }),
        json!({ "rollout": { "percentage": 1 }, "rules": [{ "when": { "all": [] }, "percentage": 101 }] }),
        json!({ "rollout": { "percentage": 1 }, "rules": vec![json!({ "when": { "all": [] } }); 1001] }),
        json!({ "rollout": { "percentage": 1 }, "schedule": [{ "at": "2026-12-01T08:00:00Z" }] }),
        json!({ "rollout": { "percentage": 1 }, "schedule": [{ "percentage": 1 }] }),
        json!({ "rollout": { "percentage": 1 }, "schedule": [{ "at": "2026-12-01", "percentage": 1 }] }),
        json!({ "rollout": { "percentage": 1 }, "schedule": [{ "at": "2026-04-31T08:00:00Z", "percentage": 1 }] }),
        json!({ "rollout": { "percentage": 1 }, "schedule": [{ "at": "2026-12-01T08:00:60Z", "percentage": 1 }] }),
        json!({ "rollout": { "percentage": 1 }, "schedule": [{ "at": "2026-12-01T08:00:00", "percentage": 1 }] }),
        json!({ "variants": { "": { "weight": 100 } } }),
        json!({ "variants": { "x": {} } }),
        json!({ "variants": { "x": 100 } }),
        json!({ "variants": [] }),
        json!({ "emergency": "on" }),
        json!({ "emergency": true }),
        json!({ "expires": "2026-02-30" }),
        json!({ "expires": "soon" }),
        json!({ "managed": "hand" }),
        json!({ "managed": true }),
        json!({ "was": "" }),
        json!({ "was": ["a", "b"] }),
        json!({ "was": "two words" }),
        json!({ "state": {} }),
        json!({ "plan": { "stages": [{ "percentage": 1 }] } }),
        json!({ "rollout": { "percentage": 0 }, "plan": [] }),
        json!({ "rollout": { "percentage": 0 }, "plan": {} }),
        json!({ "rollout": { "percentage": 0 }, "plan": { "stages": [] } }),
        json!({ "rollout": { "percentage": 0 }, "plan": { "stages": vec![json!({ "companies": [1] }); 101] } }),
        json!({ "rollout": { "percentage": 0 }, "plan": { "stages": [{}] } }),
        json!({ "rollout": { "percentage": 0 }, "plan": { "stages": [{ "soak": "7d" }] } }),
        json!({ "rollout": { "percentage": 0 }, "plan": { "stages": [{ "companies": [] }] } }),
        json!({ "rollout": { "percentage": 0 }, "plan": { "stages": [{ "percentage": 1, "soak": "7" }] } }),
        json!({ "rollout": { "percentage": 0 }, "plan": { "stages": [{ "percentage": 1, "soak": 7 }] } }),
        json!({ "rollout": { "percentage": 0 }, "plan": { "stages": [{ "percentage": 1, "soaks": "7d" }] } }),
    ] {
        both_refuse(&flag(fields));
    }
    for condition in [
        json!(true),
        json!({}),
        json!([]),
        json!({ "all": {} }),
        json!({ "all": [], "any": [] }),
        json!({ "not": [] }),
        json!({ "segment": "" }),
        json!({ "segment": 1 }),
        json!({ "attribute": "x" }),
        json!({ "in": [1] }),
        json!({ "attribute": "x", "eq": 1, "ne": 2 }),
        json!({ "attribute": "x", "eq": 1, "all": [] }),
        json!({ "attribute": "", "eq": 1 }),
        json!({ "attribute": "x y", "eq": 1 }),
        json!({ "attribute": "now", "eq": 1 }),
        json!({ "attribute": "x", "equals": 1 }),
        json!({ "attribute": "x", "in": 1 }),
        json!({ "attribute": "x", "in": [null] }),
        json!({ "attribute": "x", "in": [["x"]] }),
        json!({ "attribute": "x", "eq": null }),
        json!({ "attribute": "x", "eq": "x".repeat(1025) }),
        json!({ "attribute": "x", "lt": true }),
        json!({ "attribute": "x", "contains": 1 }),
        json!({ "attribute": "x", "exists": 1 }),
        json!({ "attribute": "x", "before": 1 }),
        json!({ "attribute": "x", "before": "2026-12-01 08:00:00Z" }),
        json!({ "attribute": "x", "after": "2026-12-01T08:00:00.1234567890Z" }),
        json!({ "attribute": "x", "semver_eq": "v1.0.0" }),
        json!({ "attribute": "x", "semver_lt": "1.0" }),
        json!({ "attribute": "x", "semver_gt": "1.0.0-01" }),
    ] {
        both_refuse(&when(condition));
    }
    for overlay in [
        json!({ "flags": { "a": 1 } }),
        json!({ "flags": { "a b": true } }),
        json!({ "flags": { "a": { "enable": true } } }),
        json!({ "flags": { "a": { "enabled": null } } }),
        json!({ "flags": { "a": { "rollout": { "percentage": 101 } } } }),
        json!({ "flags": { "a": { "rollout": 5 } } }),
        json!({ "flags": { "a": { "rules": [{ "when": {} }] } } }),
        json!({ "flags": { "a": { "variants": { "x": { "weight": true } } } } }),
        json!({ "segments": { "s": { "eq": [] } } }),
        json!({ "segments": 1 }),
        json!({ "unknown": {} }),
    ] {
        both_refuse(&patch(overlay));
    }
}

/// A few names, so that references meet.
fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[a-d]", Just("App\\Flag".to_owned())]
}

fn percentage() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..=100).prop_map(Value::from),
        (0..=100_000_u32).prop_map(|n| Value::from(f64::from(n) / 1000.0))
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from)
    ]
}

fn time() -> impl Strategy<Value = Value> {
    (2000..2100, 1..=12, 1..=28, 0..24, 0..60).prop_map(|(year, month, day, hour, minute)| {
        Value::from(format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:00Z"))
    })
}

fn condition() -> impl Strategy<Value = Value> {
    let version = "[0-9]\\.[1-9][0-9]\\.0(-rc\\.[1-9])?".prop_map(Value::from);
    let test = prop_oneof![
        (prop_oneof![Just("eq"), Just("ne")], scalar()),
        (
            prop_oneof![Just("in"), Just("not_in")],
            prop::collection::vec(scalar(), 0..4).prop_map(Value::from)
        ),
        (prop_oneof![Just("lt"), Just("lte"), Just("gt"), Just("gte")], any::<i32>().prop_map(Value::from)),
        (
            prop_oneof![Just("starts_with"), Just("ends_with"), Just("contains")],
            ".{0,5}".prop_map(Value::from)
        ),
        (Just("exists"), any::<bool>().prop_map(Value::from)),
        (prop_oneof![Just("before"), Just("after")], time()),
        (prop_oneof![Just("semver_eq"), Just("semver_lt"), Just("semver_gte")], version),
    ];
    let leaf = prop_oneof![
        ("[a-z_]{1,6}", test).prop_map(
            |(attribute, (operator, operand))| json!({ "attribute": attribute, operator: operand })
        ),
        key().prop_map(|segment| json!({ "segment": segment })),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|all| json!({ "all": all })),
            prop::collection::vec(inner.clone(), 0..3).prop_map(|any| json!({ "any": any })),
            inner.prop_map(|not| json!({ "not": not })),
        ]
    })
}

fn companies() -> impl Strategy<Value = Value> {
    let company = prop_oneof![any::<i64>().prop_map(Value::from), "[a-z0-9]{1,4}".prop_map(Value::from)];
    prop::collection::vec(company, 0..4).prop_map(Value::from)
}

/// An object of some of the fields; the rollout is always there.
fn flags_value() -> impl Strategy<Value = Value> {
    let rule =
        (condition(), prop::option::of(percentage())).prop_map(|(when, percentage)| match percentage {
            Some(percentage) => json!({ "when": when, "percentage": percentage }),
            None => json!({ "when": when, "name": "n" }),
        });
    let step =
        (time(), percentage()).prop_map(|(at, percentage)| json!({ "at": at, "percentage": percentage }));
    let optional = (
        prop::option::of(companies()),
        prop::option::of(companies()),
        prop::option::of(prop::collection::vec(rule, 0..3)),
        prop::option::of(prop::collection::vec(step, 0..3)),
        prop::option::of(prop::collection::vec(key(), 0..2)),
        prop::option::of(scalar()),
        any::<bool>(),
    );
    let full = (percentage(), optional).prop_map(|(percentage, (allow, deny, rules, schedule, requires, value, keep))| {
        let mut flag = json!({ "enabled": keep, "rollout": { "percentage": percentage, "by": "user" }, "companies": {} });
        for (field, value) in [("allow", allow), ("deny", deny)] {
            if let Some(value) = value {
                flag["companies"][field] = value;
            }
        }
        for (field, value) in [("rules", rules), ("schedule", schedule)] {
            if let Some(value) = value {
                flag[field] = value.into();
            }
        }
        if let Some(requires) = requires {
            flag["requires"] = requires.into();
        }
        if let Some(value) = value {
            flag["variants"] = json!({ "x": { "weight": 100, "value": value } });
        }
        flag["emergency"] = Value::from(if keep { "keep" } else { "off" });
        flag
    });
    prop_oneof![1 => any::<bool>().prop_map(Value::from), 6 => full]
}

fn map_of(
    keys: impl Strategy<Value = String>,
    values: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Value> {
    prop::collection::btree_map(keys, values, 0..4).prop_map(|map| Value::Object(Map::from_iter(map)))
}

fn documents() -> impl Strategy<Value = Value> {
    (map_of(key(), flags_value()), map_of(key(), condition()))
        .prop_map(|(flags, segments)| json!({ "flags": flags, "segments": segments }))
}

/// Breaks, or does not break, one value somewhere.
fn mutate(value: &mut Value, target: &mut usize, change: &Change) -> bool {
    if *target == 0 {
        match (change, &mut *value) {
            (Change::Replace(new), value) => *value = new.clone(),
            (Change::Add(key, new), Value::Object(map)) => _ = map.insert(key.clone(), new.clone()),
            (Change::Add(_, new), Value::Array(list)) => list.push(new.clone()),
            (Change::Drop(index), Value::Object(map)) => {
                if let Some(key) = map.keys().nth(index % map.len().max(1)).cloned() {
                    map.remove(&key);
                }
            }
            (Change::Drop(_), Value::Array(list)) => _ = list.pop(),
            _ => {}
        }
        return true;
    }
    *target -= 1;
    match value {
        Value::Array(list) => list.iter_mut().any(|item| mutate(item, target, change)),
        Value::Object(map) => map.values_mut().any(|item| mutate(item, target, change)),
        _ => false,
    }
}

#[derive(Debug, Clone)]
enum Change {
    Replace(Value),
    Add(String, Value),
    Drop(usize),
}

fn changes() -> impl Strategy<Value = (usize, Change)> {
    let any_value = prop_oneof![
        Just(Value::Null),
        scalar().prop_filter("decimals are the parser's", |value| !value.is_f64()),
        Just(json!([])),
        Just(json!({})),
        Just(json!(101)),
        Just(json!("2026-12-01T08:00:00Z")),
        condition(),
        flags_value(),
    ];
    let names = prop_oneof![
        prop::sample::select(vec![
            "enabled",
            "rollout",
            "percentage",
            "by",
            "salt",
            "companies",
            "allow",
            "rules",
            "when",
            "all",
            "not",
            "segment",
            "attribute",
            "in",
            "eq",
            "exists",
            "weight",
            "value",
            "at",
            "emergency",
            "$comment",
            "environments",
            "requires",
        ])
        .prop_map(str::to_owned),
        "[a-z ]{0,3}"
    ];
    let change = prop_oneof![
        any_value.clone().prop_map(Change::Replace),
        (names, any_value).prop_map(|(name, value)| Change::Add(name, value)),
        (0..8_usize).prop_map(Change::Drop),
    ];
    (0..60_usize, change)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn both_accept_documents_that_are_built_to_be_valid(document in documents()) {
        prop_assert!(SCHEMA.is_valid(&document), "{document}");
        prop_assert_eq!(structural_errors(&document), [""; 0], "{}", document);
    }

    #[test]
    fn both_judge_a_changed_document_alike(mut document in documents(), changes in prop::collection::vec(changes(), 1..3)) {
        for (target, change) in changes {
            mutate(&mut document, &mut target.clone(), &change);
        }
        // Overlays are judged one way only, below.
        if document.get("environments").is_none() {
            prop_assert_eq!(SCHEMA.is_valid(&document), structural_errors(&document).is_empty(), "{}", document);
        }
    }

    #[test]
    fn what_the_parser_accepts_with_an_environment_the_schema_accepts(
        mut document in documents(),
        mut overlay in documents(),
        changes in prop::collection::vec(changes(), 0..3),
    ) {
        for (target, change) in changes {
            mutate(&mut overlay, &mut target.clone(), &change);
        }
        document["environments"] = json!({ "staging": overlay });
        if structural_errors(&document).is_empty() {
            prop_assert!(SCHEMA.is_valid(&document), "{document}");
        }
    }
}
