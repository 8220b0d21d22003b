//! `scan`: lists the places where PHP sources ask for flags.

use crate::args::Scan;
use crate::output::{BOLD, Cell, DIM, Exit, Failure, Outcome, Output, WARN};
use crate::progress::Progress;
use crate::scan::{self, Untold, Use};
use crate::{display, store_view};
use serde_json::json;

/// The most unread or unparsed files that are named.
const FILES: usize = 5;

pub fn run(command: &Scan, output: &mut Output) -> Outcome {
    let directory = store_view::file_name(&command.directory);
    let progress = Progress::begin(format!("scanning {directory}"));
    let found = scan::scan(&command.directory, command.all)
        .map_err(|error| Failure::Unknown(format!("cannot read {directory}: {error}")))?;
    drop(progress);
    let rows: Vec<Vec<Cell>> = found.uses.iter().map(row).collect();
    if !rows.is_empty() {
        output.table(&["PLACE", "FLAG", "HOW"], &rows);
    }
    if !found.untold.is_empty() {
        output.line("");
        output.line(output.paint(BOLD, "Cannot tell: the flag is only known when this runs"));
        let rows: Vec<Vec<Cell>> = found.untold.iter().map(untold).collect();
        output.table(&["PLACE", "TEXT", "HOW"], &rows);
    }
    let counted = |files: &[String]| display::counted(files.len() as u64, "file");
    for (files, what) in [(&found.unread, "not read"), (&found.unparsed, "not understood in all parts")] {
        if !files.is_empty() {
            let named = display::some(files.iter(), FILES);
            output.line(output.paint(WARN, format!("{} {what}: {named}", counted(files))));
        }
    }
    output.line(output.paint(
        DIM,
        format!(
            "{} at {}, {} that cannot be told, in {} of PHP, {:.2} s",
            display::counted(found.flags().len() as u64, "flag"),
            display::counted(found.uses.len() as u64, "place"),
            display::thousands(found.untold.len() as u64),
            display::counted(found.files as u64, "file"),
            found.took.as_secs_f64()
        ),
    ));
    output.json(&json!({
        "directory": directory,
        "files": found.files,
        "seconds": found.took.as_secs_f64(),
        "flags": found.flags(),
        "found": found.uses,
        "cannot_tell": found.untold,
        "unread": found.unread,
        "unparsed": found.unparsed,
    }));
    Ok(Exit::Yes)
}

fn row(found: &Use) -> Vec<Cell> {
    vec![
        Cell::of(format!("{}:{}", found.file, found.line)),
        Cell::of(display::plain(&found.flag)),
        Cell::of(display::plain(&found.how)),
    ]
}

fn untold(found: &Untold) -> Vec<Cell> {
    vec![
        Cell::of(format!("{}:{}", found.file, found.line)),
        Cell::of(found.text.clone()),
        Cell::of(display::plain(&found.how)),
    ]
}
