//! Values of variants, read in place.

use super::format::{CellRecord, tag};
use super::{Snapshot, VALUE_DEPTH};

/// Position of a value in its snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueRef {
    pub(crate) cell: u32,
    pub(crate) depth: u32,
}

/// The variant drawn for a question.
#[derive(Debug, Clone, Copy)]
pub struct VariantRef<'a> {
    /// The variant's name.
    pub name: &'a str,
    /// The variant's value, if the definitions give one.
    pub value: Option<ValueRef>,
}

/// A value, read in place: nothing is copied.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// JSON's null; also replaces values that cannot be read.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// A finite number that is no integer, or does not fit one.
    Float(f64),
    /// A string, borrowed from the snapshot.
    Text(&'a str),
    /// A list, in order.
    List(ValueList<'a>),
    /// An object, sorted by key.
    Map(ValueMap<'a>),
}

/// Items of a list.
#[derive(Debug, Clone)]
pub struct ValueList<'a> {
    snapshot: &'a Snapshot,
    next: u32,
    left: u32,
    depth: u32,
}

/// Entries of an object.
#[derive(Debug, Clone)]
pub struct ValueMap<'a>(ValueList<'a>);

impl ValueRef {
    pub(crate) fn root(cell: u32) -> ValueRef {
        ValueRef { cell, depth: 0 }
    }
}

impl Snapshot {
    /// The value at `at`; null if there is none, or if it nests deeper than the format allows.
    pub fn value(&self, at: ValueRef) -> Value<'_> {
        let Some(cell) = self.cells.get(at.cell as usize) else { return Value::Null };
        let bits = cell.payload.get();
        match cell.tag.get() {
            tag::BOOL => Value::Bool(bits != 0),
            tag::INT => Value::Int(bits as i64),
            tag::FLOAT => Value::Float(f64::from_bits(bits)),
            tag::TEXT => Value::Text(self.cell_text(cell)),
            tag::LIST if at.depth < VALUE_DEPTH => Value::List(self.children(cell, 1, at.depth)),
            tag::MAP if at.depth < VALUE_DEPTH => Value::Map(ValueMap(self.children(cell, 2, at.depth))),
            _ => Value::Null,
        }
    }

    /// Maximum number of parts of all values together. Opening proves that no part is in two places, but the bytes of a shared mapping
    /// can change after that, and lists that hold each other's items would be read forever: readers of a value stop after this number.
    pub fn value_parts(&self) -> u32 {
        // `sections` bounds the entries of every table by `u32`.
        self.cells.len() as u32
    }

    fn cell_text(&self, cell: &CellRecord) -> &str {
        u32::try_from(cell.payload.get()).map_or("", |offset| self.text(offset, cell.count.get()))
    }

    /// At most the cells from the first child on: a count can change under a shared mapping.
    fn children(&self, cell: &CellRecord, cells_each: u32, depth: u32) -> ValueList<'_> {
        let next = u32::try_from(cell.payload.get()).unwrap_or(u32::MAX);
        let there = (self.cells.len() as u64).saturating_sub(u64::from(next));
        let count = u64::from(cell.count.get()).min(there / u64::from(cells_each));
        // At most the number of cells, which is a `u32`.
        let left = u32::try_from(count * u64::from(cells_each)).unwrap_or(u32::MAX);
        ValueList { snapshot: self, next, left, depth: depth + 1 }
    }
}

impl ValueList<'_> {
    /// Number of items left.
    pub fn len(&self) -> usize {
        self.left as usize
    }

    /// True if no items are left.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }
}

impl ValueMap<'_> {
    /// Number of entries left.
    pub fn len(&self) -> usize {
        self.0.len() / 2
    }

    /// True if no entries are left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Iterator for ValueList<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.left = self.left.checked_sub(1)?;
        let value = self.snapshot.value(ValueRef { cell: self.next, depth: self.depth });
        self.next = self.next.saturating_add(1);
        Some(value)
    }
}

impl<'a> Iterator for ValueMap<'a> {
    type Item = (&'a str, Value<'a>);

    fn next(&mut self) -> Option<(&'a str, Value<'a>)> {
        let key = match self.0.next()? {
            Value::Text(key) => key,
            _ => "",
        };
        Some((key, self.0.next()?))
    }
}
