//! `inspect`: verifies a snapshot, and prints it field by field.

use crate::args::{Arguments, Inspect};
use crate::output::{BOLD, Cell, Exit, Failure, GOOD, Outcome, Output};
use crate::progress::Progress;
use crate::{display, inputs, store_view};
use flagstone::{FlagFields, MapMode, Snapshot, SnapshotError};
use serde_json::{Value, json};
use std::path::Path;

pub fn run(arguments: &Arguments, command: &Inspect, output: &mut Output) -> Outcome {
    let progress = Progress::begin("verifying".to_owned());
    let snapshot = match &command.file {
        Some(file) => open(file)?,
        None => {
            let store = store_view::store(arguments)?;
            let generation = match command.generation {
                Some(generation) => generation,
                None => store.generation().map_err(Failure::asking)?,
            };
            if generation == 0 {
                return Err(Failure::Unknown("nothing is published yet".to_owned()));
            }
            store.snapshot(generation).map_err(Failure::asking)?
        }
    };
    drop(progress);
    if command.definitions {
        return definitions(&snapshot, command.state, output);
    }
    show(&snapshot, output)
}

fn open(path: &Path) -> Result<Snapshot, Failure> {
    let name = store_view::file_name(path);
    let file =
        inputs::open(path).map_err(|error| Failure::Unknown(format!("cannot read {name}: {error}")))?;
    let snapshot = Snapshot::open(&file, MapMode::Private, u64::MAX);
    let verified = snapshot.and_then(|snapshot| snapshot.verify().map(|()| snapshot));
    verified.map_err(|error| match error {
        SnapshotError::Io(_) | SnapshotError::NotAFile => Failure::Unknown(format!("{name}: {error}")),
        error => Failure::Refused(format!("{name}: {error}")),
    })
}

/// Prints the definitions as `publish` takes them; with `state`, also what the store keeps with each flag.
fn definitions(snapshot: &Snapshot, state: bool, output: &mut Output) -> Outcome {
    let definitions = store_view::definitions(snapshot)?;
    let definitions = if state { definitions } else { definitions.without_state() };
    let value: Value =
        serde_json::to_value(definitions).map_err(|error| Failure::Unknown(error.to_string()))?;
    match output.is_json() {
        true => output.json(&value),
        false => output.json_pretty(&value),
    }
    Ok(Exit::Yes)
}

fn show(snapshot: &Snapshot, output: &mut Output) -> Outcome {
    let layout = snapshot.layout().map_err(|error| Failure::Refused(error.to_string()))?;
    let flags: Vec<FlagFields> = snapshot.flag_ids().filter_map(|flag| snapshot.flag_fields(flag)).collect();
    let features = |bits: u64| if bits == 0 { "none".to_owned() } else { format!("{bits:#x}") };
    output.line(format!("{} {}", output.paint(BOLD, "snapshot"), snapshot.content_id()));
    for (name, value) in [
        ("environment", snapshot.environment().to_owned()),
        ("format", format!("{}.{}", layout.major, layout.minor)),
        ("size", format!("{} bytes", display::thousands(layout.file_size))),
        ("checksums", format!("{}, header {}", output.paint(GOOD, "all match"), layout.checksum)),
        (
            "features",
            format!(
                "required {}, optional {}",
                features(layout.required_features),
                features(layout.optional_features)
            ),
        ),
        (
            "audit",
            layout.audit.as_ref().map_or("no record, as it was not published".to_owned(), |audit| {
                format!("record {}, {}", display::thousands(audit.record), audit.hash)
            }),
        ),
        ("flags", display::thousands(layout.flags.into())),
        ("index", format!("longest probe {}", layout.index_probe)),
    ] {
        output.line(format!("  {name:<12} {value}"));
    }
    output.line("");
    let rows: Vec<Vec<Cell>> = layout
        .sections
        .iter()
        .map(|section| {
            let numbers = [section.offset, section.size, section.entries]
                .map(|n| Cell::of(format!("{:>13}", display::thousands(n))));
            std::iter::once(Cell::of(section.name))
                .chain(numbers)
                .chain([Cell::of(section.checksum.clone())])
                .collect()
        })
        .collect();
    output.table(&["SECTION", "       OFFSET", "        BYTES", "      ENTRIES", "CHECKSUM"], &rows);
    for flag in &flags {
        record(flag, output);
    }
    output.json(&json!({
        "content_id": snapshot.content_id().to_string(),
        "environment": snapshot.environment(),
        "layout": layout,
        "flags": flags,
    }));
    Ok(Exit::Yes)
}

/// Prints a flag's record.
fn record(flag: &FlagFields, output: &mut Output) {
    output.line(format!("\n{}  {}", output.paint(BOLD, &flag.flag), flag.shape));
    let mut say = |name: &str, value: String| output.line(format!("  {name:<12} {value}"));
    if let Some(current) = &flag.renamed_to {
        say("renamed to", current.clone());
    }
    say("hash", flag.hash.clone());
    say("bits", flag.bits.join(", "));
    say("seed", format!("{} (variants {})", flag.seed, flag.variant_seed));
    say("threshold", format!("{} by {}", display::thousands(flag.threshold.into()), flag.by));
    for (name, names) in [("requires", &flag.requires), ("needs", &flag.needs)] {
        if !names.is_empty() {
            say(name, names.join(", "));
        }
    }
    for (name, list) in [("deny", &flag.deny), ("allow", &flag.allow)] {
        if let Some(list) = list {
            say(
                name,
                format!(
                    "ints: {} of {} ({} wide, longest probe {}); strings: {} ({} slots, longest probe {})",
                    list.ints,
                    display::thousands(list.ints_count),
                    display::thousands(list.ints_size),
                    list.ints_probe,
                    display::thousands(list.texts_count.into()),
                    display::thousands(list.texts_slots),
                    list.texts_probe
                ),
            );
        }
    }
    for (number, rule) in flag.rules.iter().enumerate() {
        let name =
            if rule.name.is_empty() { String::new() } else { format!(" {}", display::quoted(&rule.name)) };
        say("rule", format!("{number}{name}: threshold {}", display::thousands(rule.threshold.into())));
        for (number, test) in rule.tests.iter().enumerate() {
            say(
                "",
                format!(
                    "  {number}: {} {} {} {}; match {}, mismatch {}",
                    test.attribute,
                    test.operation,
                    test.operand,
                    display::plain(&test.a),
                    test.on_match,
                    test.on_mismatch
                ),
            );
        }
    }
    for (at, threshold) in &flag.steps {
        say("step", format!("{}: threshold {}", display::at(*at), display::thousands((*threshold).into())));
    }
    for (name, upper, value) in &flag.variants {
        let value = if *value { ", with a value" } else { "" };
        say(
            "variant",
            format!("{}: below {}{value}", display::plain(name), display::thousands((*upper).into())),
        );
    }
}
