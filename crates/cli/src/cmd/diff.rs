//! `diff`: shows the differences between two generations or files.

use super::{change, check};
use crate::args::{Arguments, Diff};
use crate::output::{Exit, Failure, Outcome, Output};
use crate::progress::Progress;
use crate::{display, store_view};
use flagstone::Snapshot;
use flagstone::audit::diff;
use flagstone::definition::{self, Definitions};
use serde_json::json;
use std::path::Path;

/// The first bytes of a snapshot's file.
const SNAPSHOT: &[u8] = b"\x89FSNAP\r\n";

pub fn run(arguments: &Arguments, command: &Diff, output: &mut Output) -> Outcome {
    let progress = Progress::begin("comparing".to_owned());
    let (a, b) =
        (side(arguments, command, &command.a, output)?, side(arguments, command, &command.b, output)?);
    let differences = diff(&a, &b);
    drop(progress);
    let (from, to) = (display::plain(&command.a), display::plain(&command.b));
    match differences.is_empty() {
        true => output.line(format!("{from} and {to} say the same")),
        false => output.line(format!("from {from} to {to}: {}", change::counted(&differences))),
    }
    change::differences(&differences, output);
    output.json(&json!({ "a": command.a, "b": command.b, "differences": differences }));
    Ok(Exit::Yes)
}

fn side(
    arguments: &Arguments,
    command: &Diff,
    name: &str,
    output: &mut Output,
) -> Result<Definitions, Failure> {
    if let Ok(generation) = name.parse::<u64>() {
        return store_view::store(arguments)?.definitions(generation).map_err(Failure::asking);
    }
    let path = Path::new(name);
    let bytes = store_view::read_by_start(path, |start| match start.starts_with(SNAPSHOT) {
        true => u64::from(u32::MAX),
        false => check::MAX_FILE_BYTES,
    })?;
    let file = store_view::file_name(path);
    if bytes.starts_with(SNAPSHOT) {
        let snapshot =
            Snapshot::from_bytes(&bytes).map_err(|error| Failure::Unknown(format!("{file}: {error}")))?;
        return store_view::definitions(&snapshot);
    }
    let environment = match (&command.environment, store_view::directory(arguments)) {
        (Some(environment), _) => Some(environment.clone()),
        (None, Ok(_)) => Some(store_view::store(arguments)?.environment().to_owned()),
        (None, Err(_)) => None,
    };
    match definition::load(&file, &bytes, environment.as_deref(), &display::today()) {
        Ok(checked) => Ok(checked.definitions),
        Err(report) => Err(check::unusable(&file, &report, "cannot be compared", output)),
    }
}
