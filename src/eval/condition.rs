//! Rules' conditions: programs of comparisons whose jumps only go forward.

use super::context::{Attribute, Context, compare_numbers};
use super::{Key, Question, semver, time};
use crate::snapshot::Snapshot;
use crate::snapshot::format::{
    ATTRIBUTE_COMPANY, ATTRIBUTE_NOW, CellRecord, JUMP_HOLDS, RuleRecord, TestRecord, op, operand, tag,
};
use std::cmp::Ordering;

/// Whether the rule's condition holds. At most as many steps as the rule has tests.
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
    // Forward jumps end by themselves; the bound holds for bytes that changed under a shared mapping.
    for _ in 0..count {
        let Some(test) = tests.get(at as usize) else { break };
        at = if matches(snapshot, test, question) { test.on_match.get() } else { test.on_mismatch.get() };
    }
    at == JUMP_HOLDS
}

fn matches<C: Context + ?Sized>(snapshot: &Snapshot, test: &TestRecord, question: &Question<'_, C>) -> bool {
    let value = match test.operation {
        op::NEVER => return false,
        op::ALWAYS => return true,
        _ => read(snapshot, test.attribute.get(), question),
    };
    if test.operation == op::EXISTS {
        return (value != Attribute::Missing) == (test.a.get() != 0);
    }
    if value == Attribute::Missing {
        return false;
    }
    match test.operation {
        op::IN => in_set(snapshot, test, value) == Some(true),
        op::NOT_IN => in_set(snapshot, test, value) == Some(false),
        op::EQ => compare(value, operand(snapshot, test)) == Some(Ordering::Equal),
        op::NE => compare(value, operand(snapshot, test)).is_some_and(|ordering| ordering != Ordering::Equal),
        op::LT | op::LTE | op::GT | op::GTE => {
            !matches!(value, Attribute::Bool(_))
                && compare(value, operand(snapshot, test))
                    .is_some_and(|ordering| satisfies(test.operation, ordering))
        }
        op::STARTS_WITH => {
            texts(value, operand(snapshot, test)).is_some_and(|(text, part)| text.starts_with(part))
        }
        op::ENDS_WITH => {
            texts(value, operand(snapshot, test)).is_some_and(|(text, part)| text.ends_with(part))
        }
        op::CONTAINS => {
            texts(value, operand(snapshot, test)).is_some_and(|(text, part)| contains(text, part))
        }
        op::BEFORE => instant(test, value).is_some_and(|instant| instant < test.a.get() as i64),
        op::AFTER => instant(test, value).is_some_and(|instant| instant > test.a.get() as i64),
        op::SEMVER_EQ..=op::SEMVER_GTE => texts(value, operand(snapshot, test))
            .and_then(|(text, other)| semver::compare(text, other))
            .is_some_and(|ordering| satisfies(test.operation, ordering)),
        _ => false,
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

/// Whether the set holds the value; none if the set has nothing of its kind to compare with, or it is NaN.
fn in_set(snapshot: &Snapshot, test: &TestRecord, value: Attribute<'_>) -> Option<bool> {
    let (a, b) = (test.a.get(), test.b.get());
    let (first, numbers, texts, bools) =
        (a as u32 as usize, (a >> 32) as usize, b as u32 as usize, (b >> 32) as u32);
    match value {
        Attribute::Missing => None,
        Attribute::Bool(value) => (bools != 0).then_some(bools & (1 << u32::from(value)) != 0),
        Attribute::Text(value) if texts > 0 => {
            let cells = snapshot.cells.slice(first.checked_add(numbers)?, texts)?;
            Some(cells.binary_search_by(|cell| cell_text(snapshot, cell).cmp(value)).is_ok())
        }
        Attribute::Text(_) => None,
        Attribute::Float(value) if value.is_nan() => None,
        number if numbers > 0 => {
            let cells = snapshot.cells.slice(first, numbers)?;
            let order =
                |cell: &CellRecord| compare_numbers(cell_number(cell), number).unwrap_or(Ordering::Less);
            Some(cells.binary_search_by(order).is_ok())
        }
        _ => None,
    }
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

/// An attribute's value as microseconds since 1970: `now` is that already; else RFC 3339, or Unix seconds.
fn instant(test: &TestRecord, value: Attribute<'_>) -> Option<i64> {
    match value {
        Attribute::Int(micros) if test.attribute.get() == ATTRIBUTE_NOW => Some(micros),
        Attribute::Int(seconds) => Some(seconds.saturating_mul(1_000_000)),
        // Beyond the range it stays there: `as` saturates.
        Attribute::Float(seconds) if !seconds.is_nan() => Some((seconds * 1e6).floor() as i64),
        Attribute::Text(text) => time::parse_rfc3339(text),
        _ => None,
    }
}
