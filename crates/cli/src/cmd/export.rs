//! `export`, `import` and `key`: flags from one machine to another, in a file that is signed against changes on the way.

use super::change;
use super::promote::{bundle, dry, import_bundle, named, skipping};
use crate::args::{Arguments, Export, Import, Key, KeySubcommand, ReasonAndActor};
use crate::output::{Exit, Failure, GOOD, Outcome, Output};
use crate::{display, store_view};
use flagstone::audit::Actor;
use flagstone::publish::Change;
use flagstone::transfer::{Sealed, Trusted, open, seal, without_companies};
use serde_json::json;

/// The largest export, in bytes.
const MAX_EXPORT_BYTES: u64 = 256 << 20;

pub fn export(arguments: &Arguments, command: &Export, output: &mut Output) -> Outcome {
    let store = store_view::store(arguments)?;
    let Some(key) = store.export_key().map_err(Failure::changing)? else {
        return Err(Failure::Refused(
            "this store has no key to sign with; make one with `flagstone key make`, and trust it where the export arrives".to_owned(),
        ));
    };
    let actor = arguments.actor(command.actor.as_deref());
    let origin = store.export_origin(&actor).map_err(Failure::asking)?;
    let bundle = bundle(&store, &origin, &command.what.flags)?;
    let bundle = if command.with_companies { bundle } else { without_companies(bundle) };
    let sealed = Sealed { version: 1, origin, bundle };
    let text = seal(&sealed, &key).map_err(|error| Failure::Unknown(error.to_string()))?;
    output.bytes(text.as_bytes());
    Ok(Exit::Yes)
}

pub fn import(arguments: &Arguments, command: &Import, output: &mut Output) -> Outcome {
    let name = store_view::file_name(&command.file);
    let store = store_view::store(arguments)?;
    let bytes = store_view::read(&command.file, MAX_EXPORT_BYTES)?;
    let trusted = store.trusted_keys().map_err(Failure::changing)?;
    let (sealed, key) = open(&bytes, &trusted).map_err(|error| {
        Failure::Refused(format!("{name}: {}; nothing was changed", display::plain(&error.to_string())))
    })?;
    let origin = &sealed.origin;
    let bundle = skipping(&sealed.bundle, &command.how)?;
    let asked: Vec<String> = bundle.asked.iter().cloned().collect();
    let what = format!(
        "import {} from {} on {}, generation {}, signed by {key}{}",
        named(&asked),
        origin.environment,
        origin.machine,
        origin.generation,
        dry(&command.how)
    );
    let begun =
        change::begin(arguments, &command.how.terms.by, &what, command.how.terms.reason.as_deref(), output)?;
    begun.store.not_again(origin).map_err(Failure::changing)?;
    let landed = import_bundle(&begun, &command.how, &bundle, origin, output)?;
    let mut answer = landed.answer;
    answer["key"] = key.into();
    let mut exit = if landed.refused { Exit::No } else { Exit::Yes };
    if !landed.unchanged {
        let mut again = vec!["import".to_owned(), "-".to_owned(), "--yes".to_owned()];
        again.extend(command.how.keep_state.then(|| "--keep-state".to_owned()));
        again.extend(command.how.with_companies.then(|| "--with-companies".to_owned()));
        again.extend(command.how.skip.iter().map(|flag| format!("--skip={flag}")));
        let arrived = begun.send(again, Some(bytes)).tell(None, output);
        answer["machines"] = arrived.json();
        exit = arrived.exit();
    }
    output.json(&answer);
    Ok(exit)
}

fn change_of(told: &ReasonAndActor) -> Change {
    let reason = told.reason.clone().filter(|reason| !reason.trim().is_empty());
    Change { actor: Actor::named(told.actor.as_deref()), reason, base: None }
}

pub fn key(arguments: &Arguments, command: &Key, output: &mut Output) -> Outcome {
    let store = store_view::store(arguments)?;
    let mut warning = None;
    match &command.command {
        None => {}
        Some(KeySubcommand::Make) => {
            store.make_export_key().map_err(Failure::changing)?;
        }
        Some(KeySubcommand::Trust { name, key, told }) => {
            let Some(trusted) = Trusted::new(name, key) else {
                return Err(Failure::Unknown(
                    "expected a key as `flagstone key` prints it where the export comes from: flagstone-ed25519: and 64 hex digits".to_owned(),
                ));
            };
            let recorded = store.trust_key(name, Some(trusted), &change_of(told));
            warning = recorded.map_err(Failure::changing)?.audit_warning;
        }
        Some(KeySubcommand::Forget { name, told }) => {
            let forgotten = store.trust_key(name, None, &change_of(told)).map_err(Failure::changing)?;
            let unknown = || {
                Failure::Refused(format!(
                    "no key is trusted as {}; nothing was changed",
                    display::plain(name)
                ))
            };
            forgotten.changed.then_some(()).ok_or_else(unknown)?;
            warning = forgotten.audit_warning;
        }
    }
    change::warn(warning.as_deref(), output);
    let own = store.export_key().map_err(Failure::asking)?.map(|key| key.public());
    let trusted = store.trusted_keys().map_err(Failure::asking)?;
    match &own {
        Some(key) => output.line(format!("signs with {}", output.paint(GOOD, key))),
        None => output.line("has no key to sign with; `flagstone key make` makes it"),
    }
    match trusted.as_slice() {
        [] => output.line("trusts no key: nothing can be imported"),
        trusted => {
            trusted.iter().for_each(|key| output.line(format!("trusts {} as {}", key.public(), key.name)))
        }
    }
    let trusted: Vec<_> =
        trusted.iter().map(|key| json!({ "name": key.name, "key": key.public() })).collect();
    output.json(
        &json!({ "environment": store.environment(), "key": own, "trusted": trusted, "warning": warning }),
    );
    Ok(Exit::Yes)
}
