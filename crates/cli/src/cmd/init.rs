//! `init`: makes an empty store for one environment.

use super::change;
use crate::args::{Arguments, Init};
use crate::output::{Exit, Failure, Outcome, Output};
use crate::{confirm, display, store_view};
use flagstone::publish::{Change, Store};
use flagstone::telemetry;
use serde_json::json;
use std::path::Path;

pub fn run(arguments: &Arguments, command: &Init, output: &mut Output) -> Outcome {
    let directory = match (&command.directory, &arguments.store) {
        (Some(here), Some(there)) if here != there => {
            return Err(Failure::Refused(format!(
                "two directories are named, {} and {}; nothing was changed. Name one",
                display::plain(&here.to_string_lossy()),
                display::plain(&there.to_string_lossy())
            )));
        }
        (Some(directory), _) => directory.clone(),
        (None, _) => store_view::directory(arguments)?,
    };
    let default = store_view::may_name_default();
    if let Some(problem) = default.as_ref().err().filter(|_| command.default_store) {
        return Err(Failure::Refused(format!("{problem}; nothing was changed")));
    }
    let workers = workers(&directory, &command.memory.memory);
    if workers > 0 && !command.yes {
        let path = display::plain(&directory.to_string_lossy()).into_owned();
        let counting = if workers == 1 { "worker counts" } else { "workers count" };
        let found = format!(
            "{workers} {counting} for a store at {path}, so there was one: put it back or restore it (docs/runbooks/restore.md). A new one knows \
             none of its definitions, kills and plans"
        );
        output.warn(found);
        if !confirm::confirmed("Make a new store there?", output) {
            return Err(Failure::Refused(
                "nothing was changed. With --yes a new store is made all the same".to_owned(),
            ));
        }
    }
    let store = Store::init(&directory, &command.environment, command.readers.as_deref())
        .map_err(Failure::changing)?;
    let change = Change::by_me(None);
    let directory = store.directory().to_string_lossy();
    let (path, typed) = (display::plain(&directory), display::argument(&directory));
    change::announce(&store, &change, 0, &format!("init {typed}"), output);
    let readers = match (store.only_for_its_owner().map_err(Failure::changing)?, &command.readers) {
        (Some(public), _) => {
            let public = display::plain(&public.to_string_lossy()).into_owned();
            format!(
                "only its owner's processes read it: everybody can write {public}, and there others believe root's files and their own"
            )
        }
        (None, Some(group)) => format!("the members of {} read it", display::plain(group)),
        (None, None) => "every user of this machine reads it".to_owned(),
    };
    output.line(format!("made an empty store; {readers}"));
    output.line(format!("publish with: flagstone publish --store {typed} FILE"));
    output.line(format!("read it from PHP with: flagstone.store = {path}"));
    let named = default.is_ok() && (command.default_store || asked(output));
    if named {
        let failed = |error| {
            Failure::Unknown(format!(
                "the store is made, and cannot be named in {}: {error}",
                store_view::DEFAULT_STORE
            ))
        };
        store_view::name_default(store.directory()).map_err(failed)?;
        output.line(format!(
            "named it in {}: it is this machine's store where none is named",
            store_view::DEFAULT_STORE
        ));
    }
    if let Some(line) = store_view::naming_default(store.directory()).filter(|_| !named) {
        output.line(format!("name it as this machine's store, for commands that name none, with: {line}"));
    }
    output.json(&json!({
        "environment": store.environment(),
        "machine": change.actor.host,
        "directory": store.directory(),
        "readers": command.readers,
        "default_store": named,
    }));
    Ok(Exit::Yes)
}

/// The number of threads that count for a store at this path, which may be missing.
fn workers(directory: &Path, memory: &Path) -> usize {
    let made = directory.canonicalize().ok();
    let parent = || match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.canonicalize().ok(),
        _ => std::env::current_dir().ok(),
    };
    let path = made.or_else(|| Some(parent()?.join(directory.file_name()?)));
    // Living threads alone are asked for here, whoever they belong to.
    let counts = path.and_then(|path| telemetry::read(memory, &path, flagstone::time::now(), |_| true).ok());
    counts.map_or(0, |counts| counts.workers.len())
}

/// True if a person at a terminal makes this the default store.
fn asked(output: &mut Output) -> bool {
    confirm::confirmed(&format!("Name it as this machine's store in {}?", store_view::DEFAULT_STORE), output)
}
