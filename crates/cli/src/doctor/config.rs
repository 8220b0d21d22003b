//! The store's own settings, where there are any.

use super::{CONFIG, Report};
use crate::words;
use serde_json::Value;
use std::io::ErrorKind;
use std::path::Path;

pub fn checks(directory: &Path, report: &mut Report) {
    let path = directory.join("config.json");
    let named = words::plain(&path.to_string_lossy()).into_owned();
    match std::fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => report.passed(CONFIG, "none: all defaults"),
        Err(error) => report.unknown(
            CONFIG,
            format!("cannot read {named}: {error}"),
            Some(format!("run doctor as somebody who may read it: ls -l {named}")),
        ),
        Ok(bytes) => match serde_json::from_slice::<Value>(&bytes) {
            Ok(Value::Object(_)) => report.passed(CONFIG, format!("{named} is valid")),
            Ok(_) => {
                report.failed(CONFIG, format!("{named}: expected an object"), "write it anew, or remove it")
            }
            Err(error) => {
                report.failed(CONFIG, format!("{named}: {error}"), "mend it at that place, or remove it")
            }
        },
    }
}
