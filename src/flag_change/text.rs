//! Writes the difference between two flags into the text.
//!
//! Nothing is decided here. The result is checked afterwards against the flag that was decided on.

use super::target::Target;
use crate::definition::edit::{Editor, Found, Json};
use crate::definition::{CompanyId, Emergency, Flag, Percentage};
use serde_json::Value;

/// Candidate texts, the one that changes least first.
pub(crate) fn texts(target: Target, key: &str, before: Option<&Flag>, after: &Flag) -> Option<Vec<String>> {
    let editor = || Editor::new(target.text.to_owned());
    let Some(environment) = target.environment else {
        let path = ["flags", key];
        return Some(vec![flag(editor()?, &path, None, before, after)]);
    };
    let path = ["environments", environment, "flags", key];
    let base = base(&editor()?, key);
    let small = flag(editor()?, &path, base.as_ref(), before, after);
    let mut whole = editor()?;
    let wanted = serde_json::to_value(after).ok()?;
    whole.set(&path, patch(base.as_ref(), &wanted), path.len());
    Some(vec![small, whole.into_text()])
}

/// Notes on environments that override the flag, if the document is changed.
pub(super) fn overlays(target: Target, key: &str) -> Vec<String> {
    let Some(editor) = Editor::new(target.text.to_owned()).filter(|_| target.environment.is_none()) else {
        return Vec::new();
    };
    let mut notes = Vec::new();
    for environment in editor.keys(&["environments"]) {
        let path = ["environments", &environment, "flags", key];
        let said = match editor.find(&path) {
            Found::Bool(_) => vec!["enabled".to_owned()],
            _ => editor.keys(&path),
        };
        if !said.is_empty() {
            notes.push(format!("{environment} says {} for itself, and keeps that", said.join(", ")));
        }
    }
    notes
}

/// The flag in the document itself, without overlays.
fn base(editor: &Editor, key: &str) -> Option<Value> {
    serde_json::from_str(editor.text(&["flags", key])?).ok()
}

/// Writes just the fields that differ into the flag at `path`. `base` is the document's flag below an overlay.
fn flag(
    mut editor: Editor,
    path: &[&str],
    base: Option<&Value>,
    before: Option<&Flag>,
    after: &Flag,
) -> String {
    let blocks = path.len();
    let at = |fields: &[&'static str]| -> Vec<String> {
        path.iter()
            .map(|key| (*key).to_owned())
            .chain(fields.iter().map(|field| (*field).to_owned()))
            .collect()
    };
    let Some(before) = before else {
        editor.set(path, added(after), blocks);
        return editor.into_text();
    };
    // A short form that stays one, or that expresses nothing else.
    let short = match editor.find(path) {
        Found::Bool(_) => true,
        Found::Nothing => base.is_some_and(Value::is_boolean),
        _ => false,
    };
    if short {
        let overlaid = overlaid(&editor, path);
        let rest_is_default = Flag { enabled: before.enabled, ..after.clone() } == *before;
        let value = match rest_is_default && (after.enabled || !overlaid) {
            true => Json::bool(after.enabled),
            false => Json::Object(vec![("enabled".to_owned(), Json::bool(after.enabled))]),
        };
        editor.set(path, value, blocks);
    } else if before.enabled != after.enabled {
        set(&mut editor, &at(&["enabled"]), Json::bool(after.enabled), blocks);
    }
    let percentage = |flag: &Flag| flag.rollout.as_ref().map(|rollout| rollout.percentage);
    if let Some(wanted) = percentage(after).filter(|wanted| percentage(before) != Some(*wanted)) {
        set(&mut editor, &at(&["rollout", "percentage"]), number(wanted), blocks);
    }
    for (list, was, is) in [
        ("deny", &before.companies.deny, &after.companies.deny),
        ("allow", &before.companies.allow, &after.companies.allow),
    ] {
        if was != is {
            companies(&mut editor, &at(&["companies", list]), was, is, blocks);
        }
    }
    if before.schedule != after.schedule {
        let path = at(&["schedule"]);
        match base.and_then(|base| base.get("schedule")) {
            _ if !after.schedule.is_empty() => {
                let steps = serde_json::to_value(&after.schedule).unwrap_or_default();
                set(&mut editor, &path, (&steps).into(), blocks);
            }
            Some(_) => set(&mut editor, &path, Json::null(), blocks),
            None => editor.remove(&strings(&path)),
        }
    }
    if before.emergency != after.emergency {
        let word = if after.emergency == Emergency::Keep { "keep" } else { "off" };
        set(&mut editor, &at(&["emergency"]), Json::text(word), blocks);
    }
    others(&mut editor, path, base, [before, after]);
    editor.into_text()
}

/// Fields that no command changes: written whole if they differ, and removed if the flag has none.
fn others(editor: &mut Editor, path: &[&str], base: Option<&Value>, flags: [&Flag; 2]) {
    const FIELDS: [&[&str]; 13] = [
        &["description"],
        &["owner"],
        &["rollout", "by"],
        &["rollout", "salt"],
        &["rollout", "bucketing"],
        &["requires"],
        &["rules"],
        &["variants"],
        &["expires"],
        &["plan"],
        &["guard"],
        &["managed"],
        &["was"],
    ];
    let [Ok(before), Ok(after)] = flags.map(serde_json::to_value) else { return };
    let of = |flag: &Value, field: &[&str]| field.iter().try_fold(flag, |flag, name| flag.get(name)).cloned();
    for field in FIELDS {
        let wanted = of(&after, field);
        if wanted == of(&before, field) {
            continue;
        }
        let place: Vec<&str> = path.iter().chain(field).copied().collect();
        match (wanted, base.and_then(|base| of(base, field))) {
            (Some(wanted), _) => editor.set(&place, (&wanted).into(), path.len()),
            // An overlay removes a field of the document by a null.
            (None, Some(_)) => editor.set(&place, Json::null(), path.len()),
            (None, None) => editor.remove(&place),
        }
    }
}

/// True if an environment patches the flag: it would lose fields that a bare `false` does not have.
fn overlaid(editor: &Editor, path: &[&str]) -> bool {
    let ["flags", key] = path else { return false };
    let environments = editor.keys(&["environments"]);
    environments.iter().any(|name| editor.find(&["environments", name, "flags", key]) == Found::Object)
}

/// Edits a list in place; writes it whole if it is missing, since an overlay's list replaces the document's.
fn companies(editor: &mut Editor, path: &[String], was: &[CompanyId], is: &[CompanyId], blocks: usize) {
    if editor.find(&strings(path)) != Found::List {
        let list = Json::List(is.iter().map(company).collect());
        return set(editor, path, list, blocks);
    }
    let gone = |text: &str| {
        CompanyId::from_text(text)
            .is_some_and(|id| was.binary_search(&id).is_ok() && is.binary_search(&id).is_err())
    };
    if was.iter().any(|id| is.binary_search(id).is_err()) {
        editor.take(&strings(path), gone);
    }
    let new: Vec<Json> = is.iter().filter(|id| was.binary_search(id).is_err()).map(company).collect();
    if !new.is_empty() {
        editor.push(&strings(path), &new);
    }
}

/// The RFC 7386 patch from `base` to `wanted`.
fn patch(base: Option<&Value>, wanted: &Value) -> Json {
    let (Some(Value::Object(base)), Value::Object(wanted)) = (base, wanted) else { return wanted.into() };
    let gone = base.iter().filter(|(key, _)| *key != "$comment" && !wanted.contains_key(*key));
    let mut members: Vec<(String, Json)> = gone.map(|(key, was)| (key.clone(), removed(key, was))).collect();
    for (key, value) in wanted {
        if base.get(key) != Some(value) {
            members.push((key.clone(), patch(base.get(key), value)));
        }
    }
    Json::Object(members)
}

/// What removes a field of the document: a null, but of a list of denied companies, for which the definitions take an empty one alone.
fn removed(key: &str, was: &Value) -> Json {
    let denies = |list: &Value| list.as_array().is_some_and(|list| !list.is_empty());
    match was {
        Value::Object(was) if key == "companies" && was.get("deny").is_some_and(denies) => {
            Json::Object(was.iter().map(|(key, was)| (key.clone(), removed(key, was))).collect())
        }
        was if key == "deny" && denies(was) => Json::List(Vec::new()),
        _ => Json::null(),
    }
}

fn added(flag: &Flag) -> Json {
    let mut members = vec![("enabled".to_owned(), Json::bool(flag.enabled))];
    for (name, text) in
        [("description", &flag.description), ("owner", &flag.owner), ("expires", &flag.expires)]
    {
        if let Some(text) = text {
            members.push((name.to_owned(), Json::text(text)));
        }
    }
    Json::Object(members)
}

fn set(editor: &mut Editor, path: &[String], value: Json, blocks: usize) {
    editor.set(&strings(path), value, blocks);
}

fn strings(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

fn number(percentage: Percentage) -> Json {
    Json::Raw(serde_json::to_string(&percentage).unwrap_or_default())
}

fn company(company: &CompanyId) -> Json {
    match company {
        CompanyId::Int(id) => Json::Raw(id.to_string()),
        CompanyId::Text(text) => Json::text(text),
    }
}
