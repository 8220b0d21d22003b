//! Differences between two sets of definitions, field by field.
//!
//! The last values of the file, which a store keeps with each flag, are no difference.
//!
//! Canonical JSON of equal things is equal, byte for byte: unchanged parts are skipped as text, without being parsed. Long lists are
//! compared in one pass over both, and reported as numbers and the first few.

pub use crate::definition::ListDifference;
use crate::definition::{Companies, CompanyId, Definitions, is_answering};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Longest list that is shown whole.
const MAX_SHORT_LIST: usize = 20;
/// Additions and removals shown of a list.
pub(crate) const MAX_SHOWN_COMPANIES: usize = 10;

/// Field with the state that a store keeps with a flag.
const STATE: &str = "state";

type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The flag it belongs to; none for a segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
    /// Place in the definitions, as a JSON pointer.
    pub pointer: String,
    /// None: it did not exist. A list of more than 20 companies is shown as `{"count": N}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// None: it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Additions and removals, for a list without order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<ListDifference>,
}

impl Difference {
    /// True if answers of its flag depend on this field.
    pub(crate) fn is_answering(&self) -> bool {
        self.flag.is_some() && is_answering(self.pointer.split('/').nth(3).unwrap_or(""))
    }

    /// Replaces values of more than `limit` bytes of JSON by a remark.
    pub(crate) fn shorten(&mut self, limit: usize) {
        for value in [&mut self.before, &mut self.after].into_iter().flatten() {
            let length = value.to_string().len();
            if length > limit {
                *value = Value::String(format!("({length} bytes of JSON)"));
            }
        }
        if let Some(list) = &mut self.list {
            for company in list.first_added.iter_mut().chain(&mut list.first_removed) {
                if let CompanyId::Text(text) = company {
                    cut(text, limit);
                }
            }
        }
    }
}

/// Cuts a text off after at most `limit` bytes, between two characters.
pub(crate) fn cut(text: &mut String, limit: usize) {
    if text.len() > limit {
        let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
    }
}

/// Differences from `a` to `b`, sorted by flag; segments last.
pub fn diff(a: &Definitions, b: &Definitions) -> Vec<Difference> {
    diff_canonical(&a.to_canonical_json(), &b.to_canonical_json(), MAX_SHOWN_COMPANIES).unwrap_or_default()
}

/// Like [`diff`] for two canonical texts, with the `first` additions and removals of each list.
pub(crate) fn diff_canonical(a: &[u8], b: &[u8], first: usize) -> Result<Vec<Difference>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Document<'a> {
        #[serde(borrow)]
        flags: Fields<'a>,
        #[serde(borrow, default)]
        segments: Fields<'a>,
    }
    let (mut a, b) = (serde_json::from_slice::<Document>(a)?, serde_json::from_slice::<Document>(b)?);
    renamed(&mut a.flags, &b.flags)?;
    let mut found = Vec::new();
    for (key, before, after) in changed(&a.flags, &b.flags) {
        let pointer = format!("/flags/{}", escaped(key));
        let mut walk = Walk { flag: Some(key), first, found: &mut found };
        match (before, after) {
            (Some(before), Some(after)) => walk.flags(&pointer, before, after)?,
            (before, after) => walk.push(pointer, summary(before)?, summary(after)?),
        }
    }
    for (name, before, after) in changed(&a.segments, &b.segments) {
        let mut walk = Walk { flag: None, first, found: &mut found };
        walk.raw(format!("/segments/{}", escaped(name)), before, after)?;
    }
    Ok(found)
}

/// Renames the flags in `before` to their later keys.
fn renamed<'a>(before: &mut Fields<'a>, after: &Fields<'_>) -> Result<(), serde_json::Error> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(default)]
        was: Option<String>,
    }
    for (key, flag) in after {
        // Most have none, and parsing them is slow.
        if before.contains_key(key) || !flag.get().contains("\"was\":") {
            continue;
        }
        let Some(was) = serde_json::from_str::<Named>(flag.get())?.was else { continue };
        if after.contains_key(&was) {
            continue;
        }
        if let Some(flag) = before.remove(&was) {
            before.insert(key.clone(), flag);
        }
    }
    Ok(())
}

/// The flags that differ only in the file's last values.
pub(crate) fn moved_bases(a: &[u8], b: &[u8]) -> Result<Vec<Difference>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Document<'a> {
        #[serde(borrow)]
        flags: Fields<'a>,
    }
    let (a, b) = (serde_json::from_slice::<Document>(a)?, serde_json::from_slice::<Document>(b)?);
    let moved = |(key, ..): (&str, _, _)| Difference {
        flag: Some(key.to_owned()),
        pointer: format!("/flags/{}/{STATE}/file", escaped(key)),
        before: None,
        after: None,
        list: None,
    };
    Ok(changed(&a.flags, &b.flags).map(moved).collect())
}

/// Names whose texts differ, in order.
fn changed<'a>(
    a: &'a Fields<'_>,
    b: &'a Fields<'_>,
) -> impl Iterator<Item = (&'a str, Option<&'a RawValue>, Option<&'a RawValue>)> {
    let mut names: Vec<&str> = a.keys().map(String::as_str).collect();
    names.extend(b.keys().filter(|name| !a.contains_key(*name)).map(String::as_str));
    names.sort_unstable();
    names.into_iter().filter_map(|name| {
        let (before, after) = (a.get(name).copied(), b.get(name).copied());
        (before.map(RawValue::get) != after.map(RawValue::get)).then_some((name, before, after))
    })
}

struct Walk<'a> {
    flag: Option<&'a str>,
    first: usize,
    found: &'a mut Vec<Difference>,
}

impl Walk<'_> {
    fn push(&mut self, pointer: String, before: Option<Value>, after: Option<Value>) {
        let flag = self.flag.map(str::to_owned);
        self.found.push(Difference { flag, pointer, before, after, list: None });
    }

    fn flags(&mut self, pointer: &str, before: &RawValue, after: &RawValue) -> Result<(), serde_json::Error> {
        let (before, after) = (parts(before)?, parts(after)?);
        for (list, before, after) in [
            ("allow", &before.companies.allow, &after.companies.allow),
            ("deny", &before.companies.deny, &after.companies.deny),
        ] {
            if before != after {
                self.companies(format!("{pointer}/companies/{list}"), before, after)?;
            }
        }
        for (field, before, after) in changed(&before.others, &after.others) {
            let pointer = format!("{pointer}/{field}");
            match field {
                STATE => self.values(pointer, before.and_then(state), after.and_then(state)),
                _ => self.raw(pointer, before, after)?,
            }
        }
        Ok(())
    }

    fn raw(
        &mut self,
        pointer: String,
        before: Option<&RawValue>,
        after: Option<&RawValue>,
    ) -> Result<(), serde_json::Error> {
        let (before, after) = (before.map(value).transpose()?, after.map(value).transpose()?);
        self.values(pointer, before, after);
        Ok(())
    }

    fn values(&mut self, pointer: String, before: Option<Value>, after: Option<Value>) {
        match (before, after) {
            (before, after) if before == after => {}
            (Some(Value::Object(mut before)), Some(Value::Object(mut after))) => {
                let mut names: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
                names.sort_unstable();
                names.dedup();
                for name in names {
                    let pointer = format!("{pointer}/{}", escaped(&name));
                    self.values(pointer, before.remove(&name), after.remove(&name));
                }
            }
            (Some(Value::Array(before)), Some(Value::Array(after)))
                if before.len() == after.len() && before.len() <= MAX_SHORT_LIST =>
            {
                for (number, (before, after)) in before.into_iter().zip(after).enumerate() {
                    self.values(format!("{pointer}/{number}"), Some(before), Some(after));
                }
            }
            (before, after) => self.push(pointer, before, after),
        }
    }

    fn companies(
        &mut self,
        pointer: String,
        before: &[CompanyId],
        after: &[CompanyId],
    ) -> Result<(), serde_json::Error> {
        let shown = |list: &[CompanyId]| match list {
            [] => Ok(None),
            short if short.len() <= MAX_SHORT_LIST => serde_json::to_value(short).map(Some),
            long => Ok(Some(counted(long.len()))),
        };
        self.found.push(Difference {
            flag: self.flag.map(str::to_owned),
            pointer,
            before: shown(before)?,
            after: shown(after)?,
            list: Some(ListDifference::between(before, after, self.first)),
        });
        Ok(())
    }
}

/// A flag with its companies parsed and its other fields as text.
struct Parts<'a> {
    companies: Companies,
    others: Fields<'a>,
}

fn parts(raw: &RawValue) -> Result<Parts<'_>, serde_json::Error> {
    struct Visit;
    impl<'de> Visitor<'de> for Visit {
        type Value = Parts<'de>;

        fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
            f.write_str("a flag")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parts<'de>, A::Error> {
            let mut parts = Parts { companies: Companies::default(), others: Fields::new() };
            while let Some(name) = map.next_key::<String>()? {
                if name == "companies" {
                    parts.companies = map.next_value()?;
                } else {
                    parts.others.insert(name, map.next_value()?);
                }
            }
            Ok(parts)
        }
    }
    let mut parts = serde_json::Deserializer::from_str(raw.get()).deserialize_map(Visit)?;
    // Definitions that went through `check` are sorted already.
    parts.companies.allow.sort();
    parts.companies.deny.sort();
    Ok(parts)
}

/// The state of a flag without the file's last values: those are in the file's own history, and change no answer.
fn state(raw: &RawValue) -> Option<Value> {
    let mut state = value(raw).ok()?;
    let members = state.as_object_mut()?;
    members.remove("file");
    (!members.is_empty()).then_some(state)
}

/// A whole flag, with long lists of companies as numbers.
fn summary(raw: Option<&RawValue>) -> Result<Option<Value>, serde_json::Error> {
    let Some(raw) = raw else { return Ok(None) };
    // The usual flag: a text this short holds no long list.
    if raw.get().len() <= 2 * MAX_SHORT_LIST && !raw.get().contains(STATE) {
        return value(raw).map(Some);
    }
    let parts = parts(raw)?;
    let mut flag = serde_json::Map::new();
    for (name, field) in &parts.others {
        match name.as_str() {
            STATE => flag.extend(state(field).map(|state| (name.clone(), state))),
            _ => flag.extend([(name.clone(), value(field)?)]),
        }
    }
    let mut companies = serde_json::Map::new();
    for (name, list) in [("allow", &parts.companies.allow), ("deny", &parts.companies.deny)] {
        match list.len() {
            0 => {}
            1..=MAX_SHORT_LIST => _ = companies.insert(name.to_owned(), serde_json::to_value(list)?),
            long => _ = companies.insert(name.to_owned(), counted(long)),
        }
    }
    if !companies.is_empty() {
        flag.insert("companies".to_owned(), Value::Object(companies));
    }
    Ok(Some(Value::Object(flag)))
}

fn counted(count: usize) -> Value {
    serde_json::json!({ "count": count })
}

fn value(raw: &RawValue) -> Result<Value, serde_json::Error> {
    serde_json::from_str(raw.get())
}

/// A name as a part of a JSON pointer.
fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        let _ = match c {
            '~' => escaped.write_str("~0"),
            '/' => escaped.write_str("~1"),
            c => escaped.write_char(c),
        };
    }
    escaped
}
