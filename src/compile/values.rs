//! Compiles values of variants, and operands of `in`, to cells.

use super::strings::Strings;
use crate::definition::Scalar;
use crate::eval::{Attribute, compare_numbers};
use crate::snapshot::format::{CellRecord, tag};
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::VecDeque;

/// Appends `value` and returns its cell. Breadth first, so that containers come in the order of their children.
pub(super) fn add<'a>(cells: &mut Vec<CellRecord>, strings: &mut Strings<'a>, value: &'a Value) -> u32 {
    let root = reserve(cells, 1);
    let mut open = VecDeque::from([(root, value)]);
    while let Some((at, value)) = open.pop_front() {
        cells[at as usize] = match value {
            Value::Null => cell(tag::NULL, 0, 0),
            Value::Bool(bool) => cell(tag::BOOL, 0, u64::from(*bool)),
            Value::Number(number) => match number.as_i64() {
                Some(int) => cell(tag::INT, 0, int as u64),
                None => cell(tag::FLOAT, 0, number.as_f64().unwrap_or(0.0).to_bits()),
            },
            Value::String(text) => text_cell(strings, text),
            Value::Array(items) => {
                let first = reserve(cells, items.len());
                open.extend((first..).zip(items));
                container(tag::LIST, items.len(), first)
            }
            Value::Object(entries) => {
                let first = reserve(cells, entries.len() * 2);
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                let count = entries.len();
                for (at, (key, value)) in (first..).step_by(2).zip(entries) {
                    cells[at as usize] = text_cell(strings, key);
                    open.push_back((at + 1, value));
                }
                container(tag::MAP, count, first)
            }
        };
    }
    root
}

/// Appends the operands of `in`; returns a test's operands a and b. `int` is the int that a text stands for.
pub(super) fn add_set<'a>(
    cells: &mut Vec<CellRecord>,
    strings: &mut Strings<'a>,
    scalars: &'a [Scalar],
    int: impl Fn(&str) -> Option<i64>,
) -> (u64, u64) {
    let (mut numbers, mut texts, mut bools) = (Vec::new(), Vec::new(), 0u64);
    for scalar in scalars {
        match scalar {
            Scalar::Bool(bool) => bools |= 1 << u64::from(*bool),
            Scalar::Int(int) => numbers.push(Attribute::Int(*int)),
            Scalar::Float(float) => numbers.push(Attribute::Float(*float)),
            Scalar::Text(text) => match int(text) {
                Some(int) => numbers.push(Attribute::Int(int)),
                None => texts.push(text.as_str()),
            },
        }
    }
    let order = |a: &Attribute<'_>, b: &Attribute<'_>| compare_numbers(*a, *b).unwrap_or(Ordering::Equal);
    numbers.sort_by(order);
    numbers.dedup_by(|a, b| order(a, b) == Ordering::Equal);
    texts.sort_unstable();
    texts.dedup();
    let first = cells.len() as u64;
    cells.extend(numbers.iter().map(|number| match number {
        Attribute::Int(int) => cell(tag::INT, 0, *int as u64),
        Attribute::Float(float) => cell(tag::FLOAT, 0, float.to_bits()),
        _ => cell(tag::NULL, 0, 0),
    }));
    cells.extend(texts.iter().map(|text| text_cell(strings, text)));
    (first | (numbers.len() as u64) << 32, texts.len() as u64 | bools << 32)
}

fn cell(tag: u32, count: u32, payload: u64) -> CellRecord {
    CellRecord { tag: tag.into(), count: count.into(), payload: payload.into() }
}

fn text_cell<'a>(strings: &mut Strings<'a>, text: &'a str) -> CellRecord {
    let (offset, length) = strings.add(text);
    cell(tag::TEXT, length, u64::from(offset))
}

fn container(tag: u32, count: usize, first: u32) -> CellRecord {
    cell(tag, count as u32, if count == 0 { 0 } else { u64::from(first) })
}

fn reserve(cells: &mut Vec<CellRecord>, count: usize) -> u32 {
    let first = cells.len() as u32;
    cells.resize(cells.len() + count, cell(tag::NULL, 0, 0));
    first
}
