//! `check`: reports every problem of a file of definitions, without a store.

use crate::args::{Arguments, Check};
use crate::output::{BAD, Exit, Failure, GOOD, Outcome, Output, WARN};
use crate::progress::Progress;
use crate::{display, inputs, store_view};
use flagstone::definition::{self, Problem, ReadError, Report, Severity};
use flagstone::merge::{Renaming, lookalikes};
use serde_json::json;
use std::path::Path;

/// The most that is read from standard input or a file, in bytes.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// The most problems that are printed.
const PROBLEMS: usize = 100;
/// The most warnings that are printed beside something more important.
const WARNINGS: usize = 5;

pub fn run(arguments: &Arguments, command: &Check, output: &mut Output) -> Outcome {
    let name = store_view::file_name(&command.file);
    let bytes = read(&command.file)?;
    let (mut report, flags, environments) = check(&name, &bytes, command.environment.as_deref());
    if !report.has_errors() {
        report.problems.extend(renamed(arguments, command, &name, &bytes));
    }
    let (errors, warnings) = (report.errors() as u64, report.warnings() as u64);
    problems(&report, output);
    let among = match (&command.environment, environments.as_slice()) {
        (Some(environment), _) => format!(" for {}", display::plain(environment)),
        (None, []) => String::new(),
        (None, names) => format!(" as it is and for {}", display::plain(&names.join(", "))),
    };
    let warned =
        if warnings > 0 { format!(", {}", display::counted(warnings, "warning")) } else { String::new() };
    match errors {
        0 => {
            let well = output.paint(GOOD, "fine");
            output.line(format!("{name}: {well}, {}{among}{warned}", display::counted(flags, "flag")));
        }
        _ => {
            let bad = output.paint(BAD, display::counted(errors, "error"));
            output.line(format!("{name}: {bad}{warned}{among}: not to be published"));
        }
    }
    output.json(&json!({
        "file": name,
        "ok": errors == 0,
        "flags": flags,
        "environments": environments,
        "errors": errors,
        "warnings": warnings,
        "problems": report.problems,
        "omitted": report.omitted,
    }));
    Ok(if errors == 0 { Exit::Yes } else { Exit::No })
}

/// Reads a file of definitions.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        return store_view::read(path, MAX_FILE_BYTES);
    }
    let name = path.display().to_string();
    let opened = inputs::open(path).map_err(|source| ReadError::Io { path: name.clone(), source });
    opened.and_then(|file| definition::read_opened(file, &name)).map_err(|error| match error {
        ReadError::Io { .. } => {
            Failure::Unknown(format!("cannot read {}", display::plain(&error.to_string())))
        }
        ReadError::TooLarge(report) => {
            Failure::Refused(display::plain(report.to_string().trim_end()).into_owned())
        }
    })
}

/// Checks a file: all problems, the number of flags, and the environments checked.
fn check(name: &str, bytes: &[u8], environment: Option<&str>) -> (Report, u64, Vec<String>) {
    let _progress = Progress::begin(format!("checking {name}"));
    let today = display::today();
    let document = match definition::parse(name, bytes) {
        Ok(document) => document,
        Err(report) => return (report, 0, Vec::new()),
    };
    let resolved = document.resolve(environment, &today);
    let flags = resolved.as_ref().map_or(0, |(definitions, _)| definitions.flags.len() as u64);
    match environment {
        Some(environment) => {
            let report = resolved.map_or_else(|report| report, |(_, warnings)| warnings);
            (report, flags, vec![environment.to_owned()])
        }
        None => {
            let environments = document.environments().into_iter().map(str::to_owned).collect();
            (document.check(&today), flags, environments)
        }
    }
}

/// Probable renames without `"was"`, if a store is named that runs an earlier file.
fn renamed(arguments: &Arguments, command: &Check, name: &str, bytes: &[u8]) -> Vec<Problem> {
    let found = || -> Option<Vec<Problem>> {
        store_view::directory(arguments).ok()?;
        let store = store_view::store(arguments).ok()?;
        let environment = command.environment.as_deref().unwrap_or(store.environment());
        if environment != store.environment() {
            return None;
        }
        let document = definition::parse(name, bytes).ok()?;
        let (file, _) = document.resolve(Some(environment), &display::today()).ok()?;
        let running = store.definitions(store.generation().ok()?).ok()?;
        let problem = |renaming: Renaming| {
            let pointer = format!("/flags/{}", renaming.to);
            let (line, column) = document.locate(&pointer);
            let Renaming { from, to } = renaming;
            Problem {
                severity: Severity::Warning,
                file: name.to_owned(),
                line,
                column,
                pointer,
                message: format!(
                    "{to} is new and says all that {from} said, which runs and which the file has no more"
                ),
                hint: Some(format!("write \"was\": \"{from}\" into {to} if it was renamed")),
                environments: Vec::new(),
            }
        };
        Some(lookalikes(&running, &file).into_iter().map(problem).collect())
    };
    found().unwrap_or_default()
}

/// Prints a few warnings, and the number of the others.
pub fn warnings(file: &Path, report: &Report, output: &mut Output) {
    let few = report.problems.iter().take(WARNINGS).cloned().collect();
    problems(&Report { problems: few, omitted: 0 }, output);
    let more = report.problems.len().saturating_sub(WARNINGS) + report.omitted;
    if more > 0 {
        output.line(format!(
            "… and {}: `flagstone check {}` shows them",
            display::counted(more as u64, "more warning"),
            display::plain(&file.to_string_lossy())
        ));
    }
}

/// The failure of a file, after its problems were printed, each with its place; also with `--json`.
pub fn unusable(name: &str, report: &Report, then: &str, output: &mut Output) -> Failure {
    problems(report, output);
    output.detail("file", name);
    output.detail("problems", &report.problems);
    let errors = display::counted(report.errors() as u64, "error");
    Failure::Unknown(format!("{name}: {errors}: {then}"))
}

/// Prints one problem a line.
pub fn problems(report: &Report, output: &mut Output) {
    for problem in report.problems.iter().take(PROBLEMS) {
        let style = if problem.severity == Severity::Error { BAD } else { WARN };
        let text = display::plain(&problem.to_string()).into_owned();
        // Only the place is emphasized.
        match text.strip_prefix(&problem.file) {
            Some(rest) => {
                let end = rest.match_indices(": ").next().map_or(0, |(at, _)| at);
                let place = output.paint(style, format!("{}{}", problem.file, &rest[..end]));
                output.line(format!("{place}{}", &rest[end..]));
            }
            None => output.line(text),
        }
    }
    let more = report.problems.len().saturating_sub(PROBLEMS) + report.omitted;
    if more > 0 {
        output.line(format!("… and {} more", display::thousands(more as u64)));
    }
}
