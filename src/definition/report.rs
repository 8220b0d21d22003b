//! What is wrong with a document, and where.

use super::limits;
use super::names::nearest;
use super::reader::clip;
use serde::Serialize;
use std::collections::HashSet;
use std::fmt;

/// Whether a problem stops the definitions from being published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It does.
    Error,
    /// It does not, but it is probably not meant.
    Warning,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// The file, as it was named to [`parse`](super::parse).
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The JSON pointer (RFC 6901) of the value in the file.
    pub pointer: String,
    /// What was found and what was expected.
    pub message: String,
    /// What to do about it, or the nearest name that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The environments in which it shows, where it does not show in the document without any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
}

/// All problems of a document, in the order of its text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// At most 1,000 of each severity.
    pub problems: Vec<Problem>,
    /// Further problems, counted only.
    #[serde(skip_serializing_if = "is_zero")]
    pub omitted: usize,
}

/// How many problems the text of a report shows.
const SHOWN: usize = 100;

impl Report {
    /// A report of one error.
    pub(super) fn of(problem: Problem) -> Self {
        Self { problems: vec![problem], omitted: 0 }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty() && self.omitted == 0
    }

    /// Whether any problem stops a publish.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// How many errors the report holds.
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    /// How many warnings the report holds.
    pub fn warnings(&self) -> usize {
        self.problems.len() - self.errors()
    }

    /// Adds the problems of another report on the same file; one that is here already is not shown twice.
    pub fn merge(&mut self, other: Report) {
        let known: HashSet<_> = self.problems.iter().map(identity).collect();
        self.problems
            .extend(other.problems.into_iter().filter(|problem| !known.contains(&identity(problem))));
        self.problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        self.omitted = self.omitted.max(other.omitted);
    }

    /// As [`merge`](Self::merge), and says of the problems that are new, or were new with another environment, that they
    /// show in this one.
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
        for problem in self.problems.iter().take(SHOWN) {
            writeln!(f, "{problem}")?;
        }
        match self.problems.len().saturating_sub(SHOWN) + self.omitted {
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
        // Within an environment's own text the pointer says it already.
        if !self.environments.is_empty() && !self.pointer.starts_with("/environments/") {
            write!(f, " [in {}]", self.environments.join(", "))?;
        }
        Ok(())
    }
}

/// By which a problem is known again.
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

/// Problems as they are found. Memory stays bounded whatever the document.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings {
    pub list: Vec<Finding>,
    errors: usize,
    warnings: usize,
    /// Names that were looked at for one that is near.
    compared: usize,
}

/// How many names are looked at, in all, for one that is near. It takes a second or so.
const PATIENCE: usize = 500_000;

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

    /// How many errors there are, kept or only counted.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// The nearest of the known names, as a question; none once the search has taken too long.
    pub fn suggestion<'a>(
        &mut self,
        name: &str,
        known: impl ExactSizeIterator<Item = &'a str>,
    ) -> Option<String> {
        self.compared = self.compared.saturating_add(known.len());
        if self.compared > PATIENCE {
            return None;
        }
        nearest(name, known).map(|near| format!("did you mean \"{near}\"?"))
    }

    /// Whether so many errors are known that a further one is only counted. What is costly to say need not be said.
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
