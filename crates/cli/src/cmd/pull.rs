//! `pull`: writes what runs back into the file.

use super::{change, check};
use crate::args::{Arguments, Pull};
use crate::entry::ReplaceResult;
use crate::output::{BOLD, DIM, Exit, Failure, GOOD, Outcome, Output};
use crate::{display, privileged, store_view};
use flagstone::audit::Actor;
use flagstone::flag_change::Target;
use flagstone::merge::{PullResult, pull};
use flagstone::publish::Change;
use serde_json::json;
use std::io;
use std::path::Path;

/// The most differences that are listed.
const MAX_SHOWN_DIFFERENCES: usize = 100;

pub fn run(arguments: &Arguments, command: &Pull, output: &mut Output) -> Outcome {
    let store = store_view::store(arguments)?;
    if command.file == Path::new("-") {
        return Err(Failure::Unknown("pull takes a file that can be written, not standard input".to_owned()));
    }
    let name = store_view::file_name(&command.file);
    let host = Actor::current().host;
    output.line_now(format!(
        "{name} from {} on {}: pull{}",
        output.paint(BOLD, store.environment()),
        display::plain(&host),
        if command.dry_run { " (dry run)" } else { "" }
    ));
    let generation = store.generation().map_err(Failure::asking)?;
    if generation == 0 {
        return Err(Failure::Unknown("nothing is published yet, so there is nothing to pull".to_owned()));
    }
    let running = store.definitions(generation).map_err(Failure::asking)?;
    let bytes = check::read(&command.file)?;
    let text = String::from_utf8_lossy(&bytes);
    let environment = Some(store.environment());
    let target = Target { file: &name, text: &text, environment, now: flagstone::time::now() };
    let pulled = pull(target, &running).map_err(super::edit::failure)?;
    print_pull(&pulled, store.environment(), &name, output);
    let changed = !pulled.drift.is_empty() && !command.dry_run;
    let mut warning = None;
    if changed {
        let failed =
            |error: io::Error| Failure::Unknown(format!("cannot write {name}: {error}; nothing was changed"));
        let written = privileged::write(&command.file, &bytes, pulled.text.as_bytes()).map_err(failed)?;
        if let ReplaceResult::Changed = written {
            return Err(Failure::Refused(format!(
                "{name} was changed by somebody else just now; nothing was changed"
            )));
        }
        // The note tells a later publish that the file records what ran.
        warning = match store.note_pulled(&pulled, &Change::by_me(None)) {
            Ok(recorded) => recorded.audit_warning,
            Err(error) if error.is_denied() => None,
            Err(error) => Some(error.to_string()),
        };
        change::warn(warning.as_deref(), output);
        output.line(format!("{} {name}; commit it", output.paint(GOOD, "changed")));
    } else if command.dry_run {
        output.line("nothing was changed");
    }
    output.json(&json!({
        "file": name,
        "environment": store.environment(),
        "machine": host,
        "generation": generation,
        "changed": changed,
        "dry_run": command.dry_run,
        "overlay": pulled.overlay,
        "pulled": pulled.drift,
        "unsaid": pulled.unsaid,
        "planned": pulled.planned,
        "orphans": pulled.orphans,
        "warning": warning,
    }));
    Ok(Exit::Yes)
}

fn print_pull(pulled: &PullResult, environment: &str, name: &str, output: &mut Output) {
    match pulled.drift.len() {
        0 if pulled.unsaid.is_empty() => output.line(format!("{name} says what runs already")),
        0 => output.line(format!("{name} says what runs already, but for what it does not say any more")),
        count => {
            let what = display::counted(count as u64, "field");
            let into =
                if pulled.overlay { format!(" into what it says for {environment}") } else { String::new() };
            output.line(format!("{what}{into}:"));
        }
    }
    for drift in pulled.drift.iter().take(MAX_SHOWN_DIFFERENCES) {
        output.line(format!("  {}", display::plain(&drift.to_string())));
    }
    if pulled.drift.len() > MAX_SHOWN_DIFFERENCES {
        output.line(format!(
            "  … and {} more",
            display::thousands((pulled.drift.len() - MAX_SHOWN_DIFFERENCES) as u64)
        ));
    }
    let unsaid: Vec<String> =
        pulled.unsaid.iter().map(|unsaid| format!("{}: {}", unsaid.flag, unsaid.field)).collect();
    for (flags, what) in [
        (&unsaid, "not in the file any more, runs on, and not added (publish --reset takes it off)"),
        (&pulled.planned, "left: moved by a plan just now"),
        (&pulled.orphans, "not in the file, and not added"),
    ] {
        if !flags.is_empty() {
            output.line(output.paint(DIM, format!("{}: {what}", display::some(flags.iter(), 20))));
        }
    }
}
