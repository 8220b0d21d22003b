//! `config`: shows and sets how changes of this store are made, in `config.json` beside its head.

use crate::args::{self, Arguments};
use crate::output::{Exit, Failure, GOOD, Outcome, Output};
use crate::{display, store_view};
use flagstone::publish::{Config, Store};
use serde_json::{Map, Value, json};
use std::path::absolute;

pub fn run(arguments: &Arguments, command: &args::Config, output: &mut Output) -> Outcome {
    let store = store_view::store(arguments)?;
    if let Some((former, current)) =
        command.key.as_deref().and_then(|key| Some((key, Config::current_key(key)?)))
    {
        return Err(Failure::Refused(format!("{former} is named {current} now")));
    }
    match (&command.key, &command.value) {
        (Some(key), Some(value)) => set(&store, key, Some(value), output),
        (Some(key), None) if command.unset => set(&store, key, None, output),
        (key, _) => show(&store, key.as_deref(), output),
    }
}

/// Prints the whole config, or the value of one key.
fn show(store: &Store, key: Option<&str>, output: &mut Output) -> Outcome {
    let config = store.config().map_err(Failure::asking)?;
    if let Some(ignored) = &config.ignored {
        output.warn(display::plain(ignored));
    }
    let mut all = serde_json::to_value(&config).unwrap_or_default();
    all["confirm_above"] = json!(config.confirm_above());
    for name in ["companies", "machines", "telemetry"] {
        if all.get(name).is_none() {
            all[name] = Value::Null;
        }
    }
    let Some(key) = key else {
        for (name, value) in all.as_object().into_iter().flatten() {
            output.line(format!("{name:<10} {}", shown(value)));
        }
        output.json(&all);
        return Ok(Exit::Yes);
    };
    let value = key.split('.').try_fold(&all, |value, part| value.get(part)).filter(|value| !value.is_null());
    let Some(value) = value else {
        return Err(Failure::Refused(format!(
            "{} is not set; `flagstone config` shows what is",
            display::quoted(key)
        )));
    };
    output.line(shown(value));
    output.json(value);
    Ok(Exit::Yes)
}

/// A value on one line, as it is typed.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        Value::String(text) => display::plain(text).into_owned(),
        value => display::visible_json(&value.to_string()).into_owned(),
    }
}

/// Sets a key, or removes it.
fn set(store: &Store, key: &str, value: Option<&str>, output: &mut Output) -> Outcome {
    let before = store.config_text().map_err(Failure::changing)?;
    let mut all = match &before {
        None => Value::Object(Map::new()),
        // A config written by hand is checked first, to name the place of its error.
        Some(text) => {
            let config = Config::parse("config.json", text)
                .map_err(|problem| Failure::Refused(display::plain(&problem).into_owned()))?;
            let mut all: Map<String, Value> =
                serde_json::from_slice(text).map_err(|error| Failure::Refused(error.to_string()))?;
            for (former, current) in config.former_keys {
                let value = all.remove(former).unwrap_or_default();
                all.insert(current.to_owned(), value);
            }
            Value::Object(all)
        }
    };
    let value = value.map(|text| typed(key, text)).transpose()?;
    let told = value.as_ref().map_or("not set".to_owned(), shown);
    put(&mut all, &key.split('.').collect::<Vec<_>>(), value)?;
    let mut text = serde_json::to_vec_pretty(&all).unwrap_or_default();
    text.push(b'\n');
    // A line number would mean nothing here: this text was never shown.
    if let Err(problem) = Config::parse("", &text) {
        let problem = problem.splitn(4, ':').last().unwrap_or_default();
        return Err(Failure::Refused(format!("{}; nothing was changed", display::plain(problem.trim()))));
    }
    store.write_config(before.as_deref(), &text).map_err(Failure::changing)?;
    output.line(format!("{} {}: {told}", output.paint(GOOD, "set"), display::plain(key)));
    if key.starts_with("telemetry") {
        crate::counters::warn_of_unknown_users(store, output)?;
    }
    output.json(&all);
    Ok(Exit::Yes)
}

/// A typed value: JSON, or text. A machine's command alone stands for the machine.
fn typed(key: &str, text: &str) -> Result<Value, Failure> {
    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    match (key.split_once('.'), value) {
        (Some(("machines", _)), Value::Array(run)) => Ok(json!({ "run": run })),
        (Some(("machines", _)), Value::String(text)) => {
            let words = json!(text.split_whitespace().collect::<Vec<_>>()).to_string();
            Err(Failure::Refused(format!(
                "found text, expected a machine's command as a JSON array; nothing was changed. Type: flagstone config {} {}",
                display::plain(key),
                display::shell(&words.replace("\",\"", "\", \""))
            )))
        }
        (None, Value::String(path)) if key == "companies" => {
            let path = absolute(&path).map_err(|error| Failure::Unknown(error.to_string()))?;
            Ok(path.to_string_lossy().into_owned().into())
        }
        (_, value) => Ok(value),
    }
}

fn put(into: &mut Value, path: &[&str], value: Option<Value>) -> Result<(), Failure> {
    let no_object = || Failure::Refused("that key holds nothing further; nothing was changed".to_owned());
    let Some((name, rest)) = path.split_first() else { return Ok(()) };
    let members = into.as_object_mut().ok_or_else(no_object)?;
    match (rest, value) {
        ([], None) => {
            members.remove(*name);
        }
        ([], Some(value)) => {
            members.insert((*name).to_owned(), value);
        }
        (rest, value) => {
            put(members.entry(*name).or_insert_with(|| Value::Object(Map::new())), rest, value)?;
        }
    }
    Ok(())
}
