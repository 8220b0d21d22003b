//! Conditions on what is missing or cannot be compared, against Kleene's three-valued logic written down a second time.

mod support;

use flagstone::definition::{Condition, Definitions, Scalar, Test};
use flagstone::{Attribute, Key, Question, Reason, Snapshot, Switches, compile, evaluate, unknown};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// 2026-11-21T12:00:00Z.
const NOW: i64 = 1_795_262_400_000_000;
const NAMES: [&str; 3] = ["x", "y", "z"];

/// The condition as Kleene's logic has it: none is unknown.
fn model(condition: &Condition, context: &[(&str, Attribute<'_>)]) -> Option<bool> {
    match condition {
        Condition::All { all } => {
            let parts: Vec<_> = all.iter().map(|part| model(part, context)).collect();
            if parts.contains(&Some(false)) {
                Some(false)
            } else {
                parts.iter().all(|part| *part == Some(true)).then_some(true)
            }
        }
        Condition::Any { any } => {
            let parts: Vec<_> = any.iter().map(|part| model(part, context)).collect();
            if parts.contains(&Some(true)) {
                Some(true)
            } else if parts.iter().all(|part| *part == Some(false)) {
                Some(false)
            } else {
                None
            }
        }
        Condition::Not { not } => model(not, context).map(|holds| !holds),
        Condition::Segment { .. } => unreachable!("the generator makes none"),
        Condition::Test { attribute, test } => {
            let value = context.iter().find(|(name, _)| name == attribute).map(|(_, value)| *value);
            compares(test, value.unwrap_or(Attribute::Missing))
        }
    }
}

fn compares(test: &Test, value: Attribute<'_>) -> Option<bool> {
    let there = match value {
        Attribute::Incomparable => return None,
        Attribute::Float(value) if value.is_nan() => return None,
        Attribute::Missing => false,
        _ => true,
    };
    if let Test::Exists(exists) = test {
        return Some(there == *exists);
    }
    if !there {
        return None;
    }
    // Operands are small, so that a float holds every number exactly.
    let equal = |scalar: &Scalar| match (value, scalar) {
        (Attribute::Bool(a), Scalar::Bool(b)) => Some(a == *b),
        (Attribute::Text(a), Scalar::Text(b)) => Some(a == b.as_bytes()),
        (Attribute::Int(a), Scalar::Int(b)) => Some(a == *b),
        (Attribute::Int(a), Scalar::Float(b)) => Some(a as f64 == *b),
        (Attribute::Float(a), Scalar::Int(b)) => Some(a == *b as f64),
        (Attribute::Float(a), Scalar::Float(b)) => Some(a == *b),
        _ => None,
    };
    let listed = |scalars: &[Scalar]| {
        if scalars.iter().any(|scalar| equal(scalar) == Some(true)) {
            return Some(true);
        }
        // Nothing compares with an empty list.
        (!scalars.is_empty() && scalars.iter().all(|scalar| equal(scalar).is_some())).then_some(false)
    };
    match test {
        Test::Eq(scalar) => equal(scalar),
        Test::Ne(scalar) => equal(scalar).map(|equal| !equal),
        Test::In(scalars) => listed(scalars),
        Test::NotIn(scalars) => listed(scalars).map(|listed| !listed),
        Test::Lt(scalar) => match (value, scalar) {
            (Attribute::Int(a), Scalar::Int(b)) => Some(a < *b),
            (Attribute::Float(a), Scalar::Int(b)) => Some(a < *b as f64),
            (Attribute::Text(a), Scalar::Text(b)) => Some(a < b.as_bytes()),
            _ => None,
        },
        Test::StartsWith(part) => match value {
            Attribute::Text(text) => Some(text.starts_with(part.as_bytes())),
            _ => None,
        },
        other => unreachable!("the generator makes no {other:?}"),
    }
}

fn attribute() -> impl Strategy<Value = Attribute<'static>> {
    prop_oneof![
        2 => Just(Attribute::Missing),
        2 => Just(Attribute::Incomparable),
        1 => Just(Attribute::Float(f64::NAN)),
        2 => (0..3_i64).prop_map(Attribute::Int),
        1 => prop_oneof![Just(1.0), Just(1.5)].prop_map(Attribute::Float),
        1 => any::<bool>().prop_map(Attribute::Bool),
        3 => prop_oneof![Just("a"), Just("ab"), Just("1")].prop_map(|text| Attribute::Text(text.as_bytes())),
    ]
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        (0..3_i64).prop_map(|int| json!(int)),
        prop_oneof![Just("a"), Just("ab"), Just("1")].prop_map(|text| json!(text)),
        any::<bool>().prop_map(|bool| json!(bool)),
        Just(json!(1.5)),
    ]
}

fn test() -> impl Strategy<Value = Json> {
    let comparison = prop_oneof![
        scalar().prop_map(|scalar| json!({ "eq": scalar })),
        scalar().prop_map(|scalar| json!({ "ne": scalar })),
        proptest::collection::vec(scalar(), 0..4).prop_map(|scalars| json!({ "in": scalars })),
        proptest::collection::vec(scalar(), 0..4).prop_map(|scalars| json!({ "not_in": scalars })),
        prop_oneof![Just(json!({"lt": 1})), Just(json!({"lt": "ab"})), Just(json!({"starts_with": "a"}))],
        any::<bool>().prop_map(|exists| json!({ "exists": exists })),
    ];
    (0..NAMES.len(), comparison).prop_map(|(name, mut test)| {
        test["attribute"] = json!(NAMES[name]);
        test
    })
}

/// Conditions in which the same attribute may be compared several times, and some parts are always true or false.
fn condition() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![8 => test(), 1 => Just(json!({"all": []})), 1 => Just(json!({"any": []}))];
    leaf.prop_recursive(5, 40, 4, |part| {
        prop_oneof![
            proptest::collection::vec(part.clone(), 0..4).prop_map(|parts| json!({ "all": parts })),
            proptest::collection::vec(part.clone(), 0..4).prop_map(|parts| json!({ "any": parts })),
            part.prop_map(|part| json!({ "not": part })),
        ]
    })
}

fn snapshot(definitions: &Json) -> Snapshot {
    let definitions =
        Definitions::from_canonical_json(definitions.to_string().as_bytes()).expect("definitions");
    Snapshot::from_bytes(&compile(&definitions, "testing").expect("compiles")).expect("opens")
}

/// Whether a rule with that condition decides.
fn holds(when: &Json, context: &[(&str, Attribute<'_>)]) -> bool {
    let snapshot = snapshot(&json!({"flags": {"a": {
        "enabled": true, "rollout": {"percentage": 0}, "rules": [{"when": when}]
    }}}));
    let id = snapshot.find(b"a").expect("a");
    let question = Question { company: Some(Key::Int(1)), context, now: NOW };
    evaluate(&snapshot, &Switches::none(), id, &question).reason == Reason::Rule
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_rule_holds_exactly_where_kleenes_logic_says_true(
        when in condition(),
        values in proptest::array::uniform3(attribute()),
    ) {
        let context: Vec<_> = NAMES.into_iter().zip(values).collect();
        let parsed: Condition = serde_json::from_value(when.clone()).expect("a condition");
        prop_assert_eq!(holds(&when, &context), model(&parsed, &context) == Some(true), "{} for {:?}", when, context);
        let not = json!({ "not": when });
        prop_assert_eq!(holds(&not, &context), model(&parsed, &context) == Some(false), "{} for {:?}", not, context);
    }
}

#[test]
fn a_rule_that_keeps_free_customers_out_holds_for_known_plans_only() {
    let when = json!({"not": {"attribute": "plan", "eq": "free"}});
    for (plan, expected) in [
        (Attribute::Text(b"free"), false),
        (Attribute::Text(b"pro"), true),
        (Attribute::Missing, false),
        (Attribute::Incomparable, false),
        (Attribute::Int(1), false),
        (Attribute::Float(f64::NAN), false),
    ] {
        assert_eq!(holds(&when, &[("plan", plan)]), expected, "{plan:?}");
    }
}

/// A value that a list of several kinds does not have was taken for one that is not in it, though some values do not compare with it.
#[test]
fn a_value_that_a_list_of_several_kinds_lacks_is_unknown() {
    let text = |text: &'static str| Attribute::Text(text.as_bytes());
    for (list, value, listed) in [
        (json!([1, 2, "legacy"]), text("1"), None),
        (json!([1, 2, "legacy"]), Attribute::Int(3), None),
        (json!([1, 2, "legacy"]), Attribute::Float(2.0), Some(true)),
        (json!([1, 2, "legacy"]), text("legacy"), Some(true)),
        (json!([1, true]), Attribute::Bool(false), None),
        (json!([1, true]), Attribute::Int(2), None),
        (json!(["a", false]), text("b"), None),
        (json!(["a", false]), Attribute::Bool(false), Some(true)),
        (json!([1, 2.5]), Attribute::Int(2), Some(false)),
        (json!([true]), Attribute::Bool(false), Some(false)),
        (json!(["a"]), Attribute::Int(1), None),
        (json!([]), Attribute::Int(1), None),
        (json!([]), Attribute::Missing, None),
        (json!([]), Attribute::Float(f64::NAN), None),
    ] {
        for (operator, expected) in [("in", Some(true)), ("not_in", Some(false))] {
            let when = json!({"attribute": "plan", operator: list});
            assert_eq!(holds(&when, &[("plan", value)]), listed == expected, "{when} for {value:?}");
            let not = json!({"not": when});
            assert_eq!(
                holds(&not, &[("plan", value)]),
                listed == expected.map(|is| !is),
                "{not} for {value:?}"
            );
        }
    }
}

#[test]
fn existence_is_unknown_only_for_a_value_that_cannot_be_compared() {
    for (value, there, missing) in [
        (Attribute::Missing, false, true),
        (Attribute::Incomparable, false, false),
        (Attribute::Float(f64::NAN), false, false),
        (Attribute::Bool(false), true, false),
        (Attribute::Text(b""), true, false),
    ] {
        let context = [("x", value)];
        assert_eq!(holds(&json!({"attribute": "x", "exists": true}), &context), there, "{value:?}");
        assert_eq!(holds(&json!({"attribute": "x", "exists": false}), &context), missing, "{value:?}");
        assert_eq!(
            holds(&json!({"not": {"attribute": "x", "exists": true}}), &context),
            missing,
            "{value:?}"
        );
    }
}

#[test]
fn a_company_that_is_missing_is_unknown_too() {
    let ask = |company, list: Json| {
        let snapshot =
            snapshot(&json!({"flags": {"a": {"enabled": true, "rollout": {"percentage": 0}, "rules": [
                {"when": {"not": {"attribute": "company", "in": list}}}
            ]}}}));
        let id = snapshot.find(b"a").expect("a");
        let question = Question { company, context: &(), now: NOW };
        evaluate(&snapshot, &Switches::none(), id, &question).reason
    };
    assert_eq!(ask(Some(Key::Int(16)), json!([15])), Reason::Rule);
    assert_eq!(ask(Some(Key::Int(15)), json!([15])), Reason::RolloutOut);
    assert_eq!(ask(Some(Key::Text(b"acme")), json!([15])), Reason::RolloutOut);
    assert_eq!(ask(None, json!([15])), Reason::NoCompany);
    // A company's key has one kind: a list that has both names each company as it is.
    for (company, expected) in [
        (Key::Int(15), Reason::RolloutOut),
        (Key::Int(16), Reason::Rule),
        (Key::Text(b"acme"), Reason::RolloutOut),
        (Key::Text(b"other"), Reason::Rule),
    ] {
        assert_eq!(ask(Some(company), json!([15, "acme"])), expected, "{company:?}");
    }
}

#[test]
fn the_longest_rules_take_one_pass_where_everything_is_unknown() {
    // Each of the pairs can be left in two ways, so that paths double with each.
    for pairs in [1_000, 5_000] {
        let pair =
            |n: usize| json!({"any": [{"attribute": format!("a{n}"), "eq": 1}, {"attribute": "b", "eq": 1}]});
        let pairs: Vec<Json> = (0..pairs).map(pair).collect();
        let began = support::worked();
        assert!(!holds(&json!({"all": pairs}), &[("b", Attribute::Incomparable)]));
        assert!(!holds(&json!({"not": {"all": pairs}}), &[("b", Attribute::Incomparable)]));
        assert!(holds(&json!({"all": pairs}), &[("b", Attribute::Int(1))]));
        let took = support::worked() - began;
        assert!(took.as_secs() < 60, "{took:?}");
    }
}

/// Attributes that could not be compared, with what they have to be, on the way to the answer.
fn unknowns(definitions: &Json, context: &[(&str, Attribute<'_>)]) -> Vec<(String, &'static str)> {
    let snapshot = snapshot(definitions);
    let question = Question { company: Some(Key::Int(1)), context, now: NOW };
    let mut found = Vec::new();
    let flag = snapshot.find(b"a").expect("a");
    unknown(&snapshot, &Switches::none(), flag, &question, |unknown| {
        found.push((unknown.attribute.to_owned(), unknown.expected));
    });
    found
}

#[test]
fn what_could_not_be_compared_is_named_as_far_as_the_answer_depends_on_it() {
    let definitions = json!({"flags": {
        "a": {"enabled": true, "requires": ["b"], "rollout": {"percentage": 50, "by": "team"}, "rules": [
            {"when": {"all": [{"attribute": "gone", "eq": 1}, {"attribute": "seats", "gt": 10}, {"attribute": "at", "before": "2026-12-01T08:00:00Z"}]}},
            {"when": {"any": [{"attribute": "plan", "eq": "pro"}, {"attribute": "version", "semver_gte": "1.0.0"}, {"attribute": "plan", "exists": true}]}},
            {"when": {"attribute": "company", "starts_with": "x"}},
            {"when": {"attribute": "id", "in": [1, 2.5]}, "percentage": 100},
            {"when": {"attribute": "id", "not_in": [4, "b"]}},
            {"when": {"attribute": "later", "eq": true}}
        ]},
        "b": {"enabled": true, "rollout": {"percentage": 0}, "rules": [{"when": {"attribute": "plan", "exists": false}}, {"when": {"all": []}}]}
    }});
    let context = |id| {
        [
            ("seats", Attribute::Text(b"25.00")),
            ("plan", Attribute::Incomparable),
            ("at", Attribute::Text(b"tomorrow")),
            ("version", Attribute::Text(b"dev-main")),
            ("team", Attribute::Float(7.0)),
            ("later", Attribute::Int(1)),
            ("id", id),
        ]
    };
    let named = |names: &[(&str, &'static str)]| -> Vec<(String, &'static str)> {
        names.iter().map(|(name, expected)| ((*name).to_owned(), *expected)).collect()
    };
    let mut expected = named(&[
        ("plan", "a number, a string or a bool"),
        ("seats", "a number"),
        ("at", "a time"),
        ("plan", "a string"),
        ("version", "a version"),
        ("plan", "a number, a string or a bool"),
        ("company", "a string"),
    ]);
    assert_eq!(unknowns(&definitions, &context(Attribute::Int(1))), expected);
    expected.extend(named(&[
        ("id", "a number"),
        ("id", "a value of the list, which mixes kinds"),
        ("later", "a bool"),
        ("team", "an int or a string"),
    ]));
    assert_eq!(unknowns(&definitions, &context(Attribute::Incomparable)), expected);
    let off = json!({"flags": {"a": {"enabled": false, "rollout": {"percentage": 5, "by": "team"}}}});
    assert_eq!(unknowns(&off, &context(Attribute::Int(1))), []);
}
