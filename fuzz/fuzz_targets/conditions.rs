//! Any condition and any context: compiled and asked without a fault, and laws of logic that hold whatever is missing or
//! cannot be compared. A condition and its negation are never both true; negating twice changes nothing; De Morgan's laws.
#![no_main]

use flagstone::definition::Definitions;
use flagstone::{Attribute, Key, Question, Snapshot, Switches, compile, enabled, evaluate};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 6] = ["plan", "seats", "v", "at", "company", "now"];
const TEXTS: [&str; 10] = [
    "",
    "pro",
    "free",
    "prö",
    "1.2.3",
    "1.2.3-rc.1",
    "2026-12-01T08:00:00Z",
    "42",
    "042",
    "2026-12-01T08:00:00.5+01:00",
];
const INTS: [i64; 8] = [0, 1, -1, 5, 42, i64::MAX, i64::MIN, 1_796_112_000];
const FLOATS: [f64; 8] = [0.0, -0.0, 0.5, 5.0, 42.0, f64::NAN, f64::INFINITY, 9.3e18];
/// Deepest nesting, and most parts of one condition.
const DEPTH: u32 = 6;
const PARTS: u8 = 4;

/// Choices, byte by byte; zeros once there are no more.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn next(&mut self, below: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % below
    }

    fn text(&mut self) -> &'static str {
        TEXTS[self.next(TEXTS.len())]
    }

    fn scalar(&mut self) -> String {
        match self.next(4) {
            0 => format!("{:?}", self.text()),
            1 => INTS[self.next(INTS.len())].to_string(),
            2 => format!("{:?}", [0.5, 5.25, -1e300][self.next(3)]),
            _ => (self.next(2) == 1).to_string(),
        }
    }

    fn condition(&mut self, depth: u32) -> String {
        match self.next(if depth == 0 { 1 } else { 6 }) {
            0..=2 => self.test(),
            3 => format!("{{\"not\":{}}}", self.condition(depth - 1)),
            kind => {
                let count = 1 + self.next(usize::from(PARTS));
                let parts: Vec<String> = (0..count).map(|_| self.condition(depth - 1)).collect();
                format!("{{\"{}\":[{}]}}", if kind == 4 { "all" } else { "any" }, parts.join(","))
            }
        }
    }

    fn test(&mut self) -> String {
        let attribute = NAMES[self.next(NAMES.len())];
        let (operator, operand) = match self.next(18) {
            operator @ (0 | 1) => {
                let count = 1 + self.next(usize::from(PARTS));
                let items: Vec<String> = (0..count).map(|_| self.scalar()).collect();
                (["in", "not_in"][operator], format!("[{}]", items.join(",")))
            }
            operator @ 2..=7 => (["eq", "ne", "lt", "lte", "gt", "gte"][operator - 2], self.scalar()),
            operator @ 8..=10 => {
                (["starts_with", "ends_with", "contains"][operator - 8], format!("{:?}", self.text()))
            }
            11 => ("exists", (self.next(2) == 1).to_string()),
            operator @ (12 | 13) => {
                (["before", "after"][operator - 12], "\"2026-12-01T08:00:00Z\"".to_owned())
            }
            operator => {
                let version = ["1.2.3", "1.2.3-rc.1", "2.0.0"][self.next(3)];
                let operators = ["semver_eq", "semver_lt", "semver_gte", "semver_gt"];
                (operators[operator - 14], format!("{version:?}"))
            }
        };
        format!("{{\"attribute\":{attribute:?},\"{operator}\":{operand}}}")
    }

    fn value(&mut self) -> Attribute<'static> {
        match self.next(5) {
            0 => Attribute::Missing,
            1 => Attribute::Int(INTS[self.next(INTS.len())]),
            2 => Attribute::Float(FLOATS[self.next(FLOATS.len())]),
            3 => Attribute::Text(self.text().as_bytes()),
            _ => Attribute::Bool(self.next(2) == 1),
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices(bytes);
    let (first, second) = (choices.condition(DEPTH), choices.condition(2));
    let not = |condition: &str| format!("{{\"not\":{condition}}}");
    let pair = |word: &str, a: &str, b: &str| format!("{{\"{word}\":[{a},{b}]}}");
    let conditions = [
        ("a", first.clone()),
        ("a_not", not(&first)),
        ("a_not_not", not(&not(&first))),
        ("all_not", not(&pair("all", &first, &second))),
        ("any", pair("any", &first, &second)),
        ("any_not", not(&pair("any", &first, &second))),
        ("de_morgan_all", pair("all", &not(&first), &not(&second))),
        ("de_morgan_any", pair("any", &not(&first), &not(&second))),
    ];
    let flags: Vec<String> = conditions
        .iter()
        .map(|(name, when)| {
            format!("{name:?}:{{\"enabled\":true,\"rollout\":{{\"percentage\":0}},\"rules\":[{{\"when\":{when}}}]}}")
        })
        .collect();
    let text = format!("{{\"flags\":{{{}}}}}", flags.join(","));
    let definitions = Definitions::from_canonical_json(text.as_bytes()).expect("definitions");
    // A condition that is too long is refused.
    let Ok(compiled) = compile(&definitions, "t") else { return };
    let snapshot = Snapshot::from_bytes(&compiled).expect("a compiled snapshot opens");
    for _ in 0..4 {
        let context: Vec<(&str, Attribute<'_>)> =
            NAMES[..4].iter().map(|name| (*name, choices.value())).collect();
        let company = [None, Some(Key::Int(42)), Some(Key::Text(b"042"))][choices.next(3)];
        let question = Question { company, context: context.as_slice(), now: INTS[choices.next(INTS.len())] };
        let on = |name: &str| {
            let flag = snapshot.find(name.as_bytes()).expect("the flag");
            let answer = evaluate(&snapshot, &Switches::none(), flag, &question).on;
            assert_eq!(answer, enabled(&snapshot, &Switches::none(), flag, &question), "{name}");
            answer
        };
        assert!(!(on("a") && on("a_not")), "{first}: it and its negation hold");
        assert_eq!(on("a"), on("a_not_not"), "{first}: negated twice");
        assert!(!on("a") || on("any"), "{first} holds, and {second} takes it away");
        assert_eq!(on("any_not"), on("de_morgan_all"), "{first}, {second}");
        assert_eq!(on("all_not"), on("de_morgan_any"), "{first}, {second}");
    }
});
