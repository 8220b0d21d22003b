//! Answers as PHP values.

use crate::memory::MemoryWatch;
use engine::{Key, Snapshot, Value, ValueRef};
use ext_php_rs::boxed::ZBox;
use ext_php_rs::ffi::zend_hash_str_update;
use ext_php_rs::types::{ZendHashTable, ZendStr, Zval};

/// Bytes as a PHP string.
pub(crate) fn string(bytes: &[u8]) -> Zval {
    let mut value = Zval::new();
    value.set_zend_string(ZendStr::new(bytes, false));
    value
}

pub(crate) fn long(number: i64) -> Zval {
    let mut value = Zval::new();
    value.set_long(number);
    value
}

pub(crate) fn boolean(on: bool) -> Zval {
    let mut value = Zval::new();
    value.set_bool(on);
    value
}

pub(crate) fn double(number: f64) -> Zval {
    let mut value = Zval::new();
    value.set_double(number);
    value
}

pub(crate) fn null() -> Zval {
    Zval::null()
}

pub(crate) fn or_null<T>(value: Option<T>, convert: impl FnOnce(T) -> Zval) -> Zval {
    value.map_or_else(null, convert)
}

pub(crate) fn array(table: ZBox<ZendHashTable>) -> Zval {
    let mut value = Zval::new();
    value.set_hashtable(table);
    value
}

pub(crate) fn strings<'a>(items: impl Iterator<Item = &'a str>) -> Zval {
    let (mut table, mut memory) = (ZendHashTable::new(), MemoryWatch::start());
    for (at, item) in items.enumerate() {
        insert(&mut table, Key::Int(at as i64), string(item.as_bytes()));
        if memory.exceeded(item.len()) {
            break;
        }
    }
    array(table)
}

/// Sets an entry under a key as PHP's arrays store it: `"42"` is 42.
pub(crate) fn insert(table: &mut ZendHashTable, key: Key<'_>, mut value: Zval) {
    match key {
        Key::Int(index) => {
            // The table is new and unshared, so setting an entry cannot fail.
            let _ = table.insert_at_index(index, value);
        }
        Key::Text(name) => {
            // SAFETY: a live, unshared table, a name of that length, and a value whose ownership passes to the table.
            unsafe { zend_hash_str_update(table, name.as_ptr().cast(), name.len(), &raw mut value) };
            std::mem::forget(value);
        }
    }
}

/// Sets an entry under a name that is no integer.
pub(crate) fn put_name(table: &mut ZendHashTable, name: &str, value: Zval) {
    insert(table, Key::Text(name.as_bytes()), value);
}

/// Entries of an array, whose keys may be any bytes: the iterator of ext-php-rs panics at a key that is not UTF-8.
pub(crate) fn entries(table: &ZendHashTable) -> impl Iterator<Item = (Zval, &Zval)> {
    let mut entries = table.iter();
    std::iter::from_fn(move || entries.next_zval())
}

/// Key of an entry, as arrays store it.
pub(crate) fn entry_key(key: &Zval) -> Key<'_> {
    match key.zend_str() {
        Some(name) => Key::Text(name.as_bytes()),
        None => Key::Int(key.long().unwrap_or(0)),
    }
}

/// Converts a variant's value.
pub(crate) fn of(snapshot: &Snapshot, at: ValueRef) -> Zval {
    convert(snapshot.value(at), &mut Room { parts: snapshot.value_parts(), memory: None })
}

/// Room for the parts of a value.
struct Room {
    /// The number still allowed; parts past it are null.
    parts: u32,
    /// Started by the first list or map.
    memory: Option<MemoryWatch>,
}

impl Room {
    /// True if nothing more is to be built, the part `key` with `value` included.
    fn is_full(&mut self, key: &str, value: &Value<'_>) -> bool {
        let text = if let Value::Text(text) = value { text.len() } else { 0 };
        if self.memory.get_or_insert_with(MemoryWatch::start).exceeded(key.len() + text) {
            self.parts = 0;
        }
        self.parts == 0
    }
}

/// Recurses as deep as the engine lets values nest, 32.
fn convert(value: Value<'_>, room: &mut Room) -> Zval {
    let Some(left) = room.parts.checked_sub(1) else { return null() };
    room.parts = left;
    match value {
        Value::Null => null(),
        Value::Bool(on) => boolean(on),
        Value::Int(number) => long(number),
        Value::Float(number) => double(number),
        Value::Text(text) => string(text.as_bytes()),
        Value::List(items) => {
            let mut table = ZendHashTable::new();
            for (at, item) in items.enumerate() {
                if room.is_full("", &item) {
                    break;
                }
                insert(&mut table, Key::Int(at as i64), convert(item, room));
            }
            array(table)
        }
        Value::Map(entries) => {
            let mut table = ZendHashTable::new();
            for (key, value) in entries {
                if room.is_full(key, &value) {
                    break;
                }
                // Even an empty or overlong key is a key of an array.
                let key = Key::from_bytes(key.as_bytes()).unwrap_or(Key::Text(key.as_bytes()));
                insert(&mut table, key, convert(value, room));
            }
            array(table)
        }
    }
}
