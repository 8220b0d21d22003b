//! Rules' conditions: programs of comparisons whose jumps only go forward.

use super::Question;
use super::context::{Attribute, Context, compare_numbers};
use crate::key::Key;
use crate::snapshot::Snapshot;
use crate::snapshot::format::{
    ATTRIBUTE_COMPANY, ATTRIBUTE_NOW, CellRecord, JUMP_HOLDS, MAX_TESTS, RuleRecord, TestRecord, op, operand,
    tag,
};
use crate::{semver, time};
use std::cmp::Ordering;

/// True if the rule's condition holds. Takes at most as many comparisons as the rule has tests.
pub(super) fn holds<C: Context + ?Sized>(
    snapshot: &Snapshot,
    rule: &RuleRecord,
    question: &Question<'_, C>,
) -> bool {
    let count = rule.tests_count.get();
    if count == 0 {
        return true;
    }
    let Some(tests) = snapshot.tests.slice(rule.tests.get() as usize, count as usize) else { return false };
    let mut at = 0;
    // Forward jumps terminate; the bound is for bytes that changed under a shared mapping.
    for _ in 0..count {
        let Some(test) = tests.get(at as usize) else { break };
        at = match outcome(snapshot, test, question) {
            Some(true) => test.on_match.get(),
            Some(false) => test.on_mismatch.get(),
            None => return holds_either_way(snapshot, tests, at as usize, question),
        };
    }
    at == JUMP_HOLDS
}

/// Words for the tests of the longest rule, a bit each.
const REACHABLE_WORDS: usize = (MAX_TESTS as usize).div_ceil(64);

/// Evaluates the rest of a rule from an unknown comparison on: true if the condition holds whichever way each unknown comparison goes.
/// Each comparison occurs once in its program, so this is exactly Kleene's logic.
#[cold]
#[inline(never)]
fn holds_either_way<C: Context + ?Sized>(
    snapshot: &Snapshot,
    tests: &[TestRecord],
    start: usize,
    question: &Question<'_, C>,
) -> bool {
    walk(snapshot, tests, start, question, |_, jumps| jumps.iter().all(Jump::may_hold))
}

/// Calls `found` with the tests that are unknown although their attribute is present; returns true if the condition holds.
pub(super) fn unknown<C: Context + ?Sized>(
    snapshot: &Snapshot,
    rule: &RuleRecord,
    question: &Question<'_, C>,
    mut found: impl FnMut(&TestRecord),
) -> bool {
    let (first, count) = (rule.tests.get() as usize, rule.tests_count.get() as usize);
    let Some(tests) = snapshot.tests.slice(first, count) else { return false };
    let mut holds = true;
    walk(snapshot, tests, 0, question, |test, jumps| {
        if let [_, _] = jumps
            && read(snapshot, test.attribute.get(), question) != Attribute::Missing
        {
            found(test);
        }
        holds &= jumps.iter().all(Jump::may_hold);
        true
    });
    holds
}

/// Target of a comparison.
#[derive(Clone, Copy)]
enum Jump {
    Holds,
    Fails,
    To(usize),
}

impl Jump {
    /// Reads `jump` of the test at `position`. A jump that is not forward, possible only if bytes of a shared mapping changed, fails.
    fn new(jump: u32, position: usize, count: usize) -> Jump {
        match jump {
            JUMP_HOLDS => Jump::Holds,
            to if to as usize > position && (to as usize) < count => Jump::To(to as usize),
            _ => Jump::Fails,
        }
    }

    fn may_hold(&self) -> bool {
        !matches!(self, Jump::Fails)
    }
}

/// The tests that a walk reaches, a bit each.
struct Reached([u64; REACHABLE_WORDS]);

impl Reached {
    fn add(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    fn has(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }
}

/// Visits every test reachable from `start` in one pass, with the one jump it takes or both if it is unknown. Ends when `visit` returns
/// false; returns true if it never did.
fn walk<C: Context + ?Sized>(
    snapshot: &Snapshot,
    tests: &[TestRecord],
    start: usize,
    question: &Question<'_, C>,
    mut visit: impl FnMut(&TestRecord, &[Jump]) -> bool,
) -> bool {
    // Longer only if bytes of a shared mapping changed; jumps past the end fail.
    let tests = tests.get(..MAX_TESTS as usize).unwrap_or(tests);
    if start >= tests.len() {
        return false;
    }
    let mut reached = Reached([0; REACHABLE_WORDS]);
    reached.add(start);
    for (at, test) in tests.iter().enumerate().skip(start) {
        if !reached.has(at) {
            continue;
        }
        let jump = |jump: u32| Jump::new(jump, at, tests.len());
        let (matches, fails) = (jump(test.on_match.get()), jump(test.on_mismatch.get()));
        let both = [matches, fails];
        let jumps = match outcome(snapshot, test, question) {
            Some(true) => &both[..1],
            Some(false) => &both[1..],
            None => &both[..],
        };
        for jump in jumps {
            if let Jump::To(next) = jump {
                reached.add(*next);
            }
        }
        if !visit(test, jumps) {
            return false;
        }
    }
    true
}

/// The kind of value that the test needs: "a number".
pub(super) fn expected(test: &TestRecord) -> &'static str {
    match (test.operation, test.operand) {
        (op::BEFORE | op::AFTER, _) => "a time",
        (op::SEMVER_EQ..=op::SEMVER_GTE, _) => "a version",
        (op::IN | op::NOT_IN, _) => {
            let (a, b) = (test.a.get(), test.b.get());
            match (a >> 32 != 0, b as u32 != 0, b >> 32 != 0) {
                (true, false, false) => "a number",
                (false, true, false) => "a string",
                (false, false, true) => "a bool",
                (false, false, false) => "a number, a string or a bool",
                _ => "a value of the list, which mixes kinds",
            }
        }
        (_, operand::INT | operand::FLOAT) => "a number",
        (_, operand::TEXT) => "a string",
        (op::EQ | op::NE, operand::BOOL) => "a bool",
        _ => "a number, a string or a bool",
    }
}

/// The test's result for the question; `None` if unknown: the attribute is missing, or does not compare with the operand.
#[inline(always)]
fn outcome<C: Context + ?Sized>(
    snapshot: &Snapshot,
    test: &TestRecord,
    question: &Question<'_, C>,
) -> Option<bool> {
    let value = match test.operation {
        op::NEVER => return Some(false),
        op::ALWAYS => return Some(true),
        _ => read(snapshot, test.attribute.get(), question),
    };
    match value {
        Attribute::Missing if test.operation == op::EXISTS => return Some(test.a.get() == 0),
        Attribute::Missing | Attribute::Incomparable => return None,
        _ => {}
    }
    match test.operation {
        op::EXISTS => match value {
            Attribute::Float(value) if value.is_nan() => None,
            _ => Some(test.a.get() != 0),
        },
        op::IN => in_set(snapshot, test, value),
        op::NOT_IN => in_set(snapshot, test, value).map(|listed| !listed),
        op::EQ => compare(value, operand(snapshot, test)).map(Ordering::is_eq),
        op::NE => compare(value, operand(snapshot, test)).map(Ordering::is_ne),
        op::LT | op::LTE | op::GT | op::GTE => match value {
            Attribute::Bool(_) => None,
            _ => compare(value, operand(snapshot, test)).map(|order| satisfies(test.operation, order)),
        },
        op::STARTS_WITH => texts(value, operand(snapshot, test)).map(|(text, part)| text.starts_with(part)),
        op::ENDS_WITH => texts(value, operand(snapshot, test)).map(|(text, part)| text.ends_with(part)),
        op::CONTAINS => texts(value, operand(snapshot, test)).map(|(text, part)| contains(text, part)),
        op::BEFORE => instant(test, value).map(|instant| instant < test.a.get() as i64),
        op::AFTER => instant(test, value).map(|instant| instant > test.a.get() as i64),
        op::SEMVER_EQ..=op::SEMVER_GTE => texts(value, operand(snapshot, test))
            .and_then(|(text, other)| semver::compare(text, other))
            .map(|order| satisfies(test.operation, order)),
        _ => None,
    }
}

fn satisfies(operation: u8, ordering: Ordering) -> bool {
    match operation {
        op::SEMVER_EQ => ordering == Ordering::Equal,
        op::LT | op::SEMVER_LT => ordering == Ordering::Less,
        op::LTE | op::SEMVER_LTE => ordering != Ordering::Greater,
        op::GT | op::SEMVER_GT => ordering == Ordering::Greater,
        op::GTE | op::SEMVER_GTE => ordering != Ordering::Less,
        _ => false,
    }
}

/// The attribute's value in the question.
pub(super) fn read<'a, C: Context + ?Sized>(
    snapshot: &'a Snapshot,
    attribute: u32,
    question: &'a Question<'_, C>,
) -> Attribute<'a> {
    match attribute {
        ATTRIBUTE_COMPANY => match question.company {
            Some(Key::Int(int)) => Attribute::Int(int),
            Some(Key::Text(text)) => Attribute::Text(text),
            None => Attribute::Missing,
        },
        ATTRIBUTE_NOW => Attribute::Int(question.now),
        number => match snapshot.attributes.get(number as usize) {
            Some(attribute) => {
                let name = snapshot.string(attribute.name_offset.get(), attribute.name_length.get());
                question.context.attribute(name, attribute.hash.get())
            }
            None => Attribute::Missing,
        },
    }
}

fn operand<'a>(snapshot: &'a Snapshot, test: &TestRecord) -> Attribute<'a> {
    let bits = test.a.get();
    match test.operand {
        operand::INT => Attribute::Int(bits as i64),
        operand::FLOAT => Attribute::Float(f64::from_bits(bits)),
        operand::TEXT => Attribute::Text(snapshot.string(bits as u32, (bits >> 32) as u32)),
        operand::BOOL => Attribute::Bool(bits != 0),
        _ => Attribute::Missing,
    }
}

fn compare(value: Attribute<'_>, other: Attribute<'_>) -> Option<Ordering> {
    match (value, other) {
        (Attribute::Text(a), Attribute::Text(b)) => Some(a.cmp(b)),
        (Attribute::Bool(a), Attribute::Bool(b)) => Some(a.cmp(&b)),
        (a, b) => compare_numbers(a, b),
    }
}

/// True if the set holds the value, false if the value compares with all of the set and equals none; else `None`, as for an empty set:
/// no empty value turns a feature on. A company's key has one kind, so in a set with keys of its kind those of the other are not it.
fn in_set(snapshot: &Snapshot, test: &TestRecord, value: Attribute<'_>) -> Option<bool> {
    let (a, b) = (test.a.get(), test.b.get());
    let (first, numbers, texts, bools) =
        (a as u32 as usize, (a >> 32) as usize, b as u32 as usize, (b >> 32) as u32);
    let (listed, of_its_kind, of_others) = match value {
        Attribute::Missing | Attribute::Incomparable => return None,
        Attribute::Bool(value) => (bools & (1 << u32::from(value)) != 0, bools as usize, numbers | texts),
        Attribute::Text(value) => {
            let cells = snapshot.cells.slice(first.checked_add(numbers)?, texts)?;
            let listed = cells.binary_search_by(|cell| cell_text(snapshot, cell).cmp(value)).is_ok();
            (listed, texts, numbers | bools as usize)
        }
        Attribute::Float(value) if value.is_nan() => return None,
        number => {
            let cells = snapshot.cells.slice(first, numbers)?;
            let order =
                |cell: &CellRecord| compare_numbers(cell_number(cell), number).unwrap_or(Ordering::Less);
            (cells.binary_search_by(order).is_ok(), numbers, texts | bools as usize)
        }
    };
    let has_one_kind = of_others == 0 || test.attribute.get() == ATTRIBUTE_COMPANY;
    (listed || has_one_kind && of_its_kind != 0).then_some(listed)
}

fn cell_number(cell: &CellRecord) -> Attribute<'static> {
    match cell.tag.get() {
        tag::INT => Attribute::Int(cell.payload.get() as i64),
        tag::FLOAT => Attribute::Float(f64::from_bits(cell.payload.get())),
        _ => Attribute::Missing,
    }
}

fn cell_text<'a>(snapshot: &'a Snapshot, cell: &CellRecord) -> &'a [u8] {
    u32::try_from(cell.payload.get()).map_or(&[], |offset| snapshot.string(offset, cell.count.get()))
}

fn texts<'a>(value: Attribute<'a>, other: Attribute<'a>) -> Option<(&'a [u8], &'a [u8])> {
    match (value, other) {
        (Attribute::Text(a), Attribute::Text(b)) => Some((a, b)),
        _ => None,
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

/// An attribute's value as microseconds since 1970, the unit of `now`; others are RFC 3339, or Unix seconds of the years 0000 to 9999.
fn instant(test: &TestRecord, value: Attribute<'_>) -> Option<i64> {
    let micros = match value {
        Attribute::Int(micros) if test.attribute.get() == ATTRIBUTE_NOW => return Some(micros),
        Attribute::Int(seconds) => seconds.saturating_mul(time::SECOND),
        // Saturates beyond the range, by `as`.
        Attribute::Float(seconds) if !seconds.is_nan() => (seconds * 1e6).floor() as i64,
        Attribute::Text(text) => return time::parse_rfc3339(text),
        _ => return None,
    };
    time::FOUR_DIGIT_YEARS.contains(&micros).then_some(micros)
}
