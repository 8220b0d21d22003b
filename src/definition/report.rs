//! Problems of a document, with their places.

use super::clip::clip;
use super::limits;
use super::names::nearest;
use serde::Serialize;
use std::collections::HashSet;
use std::fmt;

/// Severity of a problem: errors stop the definitions from being published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Stops the publish.
    Error,
    /// Allows the publish, but is probably a mistake.
    Warning,
}

/// A problem at one place of the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Problem {
    /// Errors stop a publish; warnings do not.
    pub severity: Severity,
    /// The file's name as given to [`parse`](super::parse).
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// The JSON pointer (RFC 6901) of the value in the file.
    pub pointer: String,
    /// The value found and the one expected.
    pub message: String,
    /// The way out, or the nearest known name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The environments that have it, if the document without an environment does not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
}

/// All problems of a document, in the order of its text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// At most 1,000 of each severity.
    pub problems: Vec<Problem>,
    /// Number of further problems, which are not kept.
    #[serde(skip_serializing_if = "is_zero")]
    pub omitted: usize,
}

/// Maximum number of problems in the text of a report.
const MAX_SHOWN_PROBLEMS: usize = 100;

impl Report {
    /// A report that holds one error.
    pub(super) fn of(problem: Problem) -> Self {
        Self { problems: vec![problem], omitted: 0 }
    }

    /// True if there are no problems.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty() && self.omitted == 0
    }

    /// True if a problem stops a publish.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// Number of errors in the report.
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    /// Number of warnings in the report.
    pub fn warnings(&self) -> usize {
        self.problems.len() - self.errors()
    }

    /// Adds the problems of another report on the same file; duplicates are dropped.
    pub fn merge(&mut self, other: Report) {
        let known: HashSet<_> = self.problems.iter().map(identity).collect();
        self.problems
            .extend(other.problems.into_iter().filter(|problem| !known.contains(&identity(problem))));
        self.problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        self.omitted = self.omitted.max(other.omitted);
    }

    /// Merges like [`merge`](Self::merge), and adds the environment to the problems that are new, or were new with another environment.
    pub(super) fn merge_environment(&mut self, mut other: Report, environment: &str) {
        for problem in &mut other.problems {
            problem.environments = vec![clip(environment).into_owned()];
        }
        let found: HashSet<_> = other.problems.iter().map(identity).collect();
        for problem in self.problems.iter_mut().filter(|problem| !problem.environments.is_empty()) {
            if found.contains(&identity(problem)) {
                problem.environments.push(clip(environment).into_owned());
            }
        }
        self.merge(other);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for problem in self.problems.iter().take(MAX_SHOWN_PROBLEMS) {
            writeln!(f, "{problem}")?;
        }
        match self.problems.len().saturating_sub(MAX_SHOWN_PROBLEMS) + self.omitted {
            0 => Ok(()),
            more => writeln!(f, "… and {more} more"),
        }
    }
}

impl std::error::Error for Report {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.pointer.is_empty() {
            write!(f, "{}: ", self.pointer)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(question) if question.ends_with('?') => write!(f, " ({question})")?,
            Some(advice) => write!(f, ": {advice}")?,
            None => {}
        }
        // The pointer already names the environment within its own text.
        if !self.environments.is_empty() && !self.pointer.starts_with("/environments/") {
            write!(f, " [in {}]", self.environments.join(", "))?;
        }
        Ok(())
    }
}

/// The parts by which equal problems are recognized.
fn identity(problem: &Problem) -> (Severity, String, usize, usize, String) {
    (problem.severity, problem.file.clone(), problem.line, problem.column, problem.message.clone())
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A problem at a value whose place is still its number.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub at: u32,
    pub severity: Severity,
    pub message: String,
    pub hint: Option<String>,
}

/// Problems found so far. Memory stays bounded whatever the document.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings {
    pub list: Vec<Finding>,
    errors: usize,
    warnings: usize,
    /// Names compared so far in search of near ones.
    compared: usize,
}

/// Maximum number of names compared, in all, in search of near ones: about a second.
const MAX_COMPARED_NAMES: usize = 500_000;

impl Findings {
    pub fn error(&mut self, at: u32, message: impl Into<String>) {
        self.add(Severity::Error, at, message.into(), None);
    }

    pub fn error_with(&mut self, at: u32, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.add(Severity::Error, at, message.into(), hint.into());
    }

    pub fn warning(&mut self, at: u32, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.add(Severity::Warning, at, message.into(), hint.into());
    }

    fn add(&mut self, severity: Severity, at: u32, message: String, hint: Option<String>) {
        let count = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count <= limits::PROBLEMS {
            self.list.push(Finding { at, severity, message, hint });
        }
    }

    /// Number of errors, kept or only counted.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// The nearest of the known names, as a question; none once `MAX_COMPARED_NAMES` is used up.
    pub fn suggestion<'a>(
        &mut self,
        name: &str,
        known: impl ExactSizeIterator<Item = &'a str>,
    ) -> Option<String> {
        self.compared = self.compared.saturating_add(known.len());
        if self.compared > MAX_COMPARED_NAMES {
            return None;
        }
        nearest(name, known).map(|near| format!("did you mean \"{near}\"?"))
    }

    /// True if further errors are only counted; costly messages are then not needed.
    pub fn is_full(&self) -> bool {
        self.errors >= limits::PROBLEMS
    }

    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    pub fn omitted(&self) -> usize {
        self.errors + self.warnings - self.list.len()
    }
}
