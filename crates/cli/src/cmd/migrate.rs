//! `migrate`: turns a store that a group publishes into one that its owner publishes.

use crate::args::{Arguments, Migrate};
use crate::output::{Exit, Failure, GOOD, Outcome, Output};
use crate::{display, identity, store_view};
use flagstone::audit::Actor;
use flagstone::publish::Change;
use serde_json::json;

pub fn run(arguments: &Arguments, command: &Migrate, output: &mut Output) -> Outcome {
    let store = identity::open(&store_view::directory(arguments)?).map_err(Failure::changing)?;
    let change = Change { actor: Actor::named(command.actor.as_deref()), reason: None, base: None };
    let generation = store.generation().map_err(Failure::changing)?;
    super::change::announce(&store, &change, generation, "migrate", output);
    let had_publishers = store.publishers().map_err(Failure::changing)?.is_some();
    let has_key = store.export_key().ok().flatten().is_some();
    let migrated = store.migrate(command.readers.as_deref(), &change).map_err(Failure::changing)?;
    let readers = match &command.readers {
        Some(group) => format!("the members of {} read", display::plain(group)),
        None => "every user of this machine reads".to_owned(),
    };
    let files = display::counted(migrated.files, "file");
    output.line(format!(
        "{}: the owner alone publishes, {readers}; {files} changed",
        output.paint(GOOD, "migrated")
    ));
    let mut notes = migrated.notes;
    if had_publishers && has_key {
        notes.push("members of the group could read the key for exports: remove keys/signing, type flagstone key make, and trust the new one where the old one was".to_owned());
    }
    for note in &notes {
        output.warn(display::plain(note));
    }
    output.json(&json!({
        "environment": store.environment(),
        "directory": store.directory(),
        "readers": command.readers,
        "files": migrated.files,
        "notes": notes,
    }));
    Ok(Exit::Yes)
}
