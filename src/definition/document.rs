//! A file of definitions: read once, resolved for any number of environments.

use super::clip::clip;
use super::json::{Id, Kind, ROOT, Tree};
use super::merge::{self, Patched, ReplacedList, View};
use super::model::Definitions;
use super::report::{Findings, Problem, Report, Severity};
use super::{decode, file, limits, place, reader, record};
use crate::time;

/// Maximum number of environments listed in a message.
const MAX_SHOWN_ENVIRONMENTS: usize = 10;

/// A file that is sound JSON; its meaning is not checked yet.
#[derive(Debug, Clone)]
pub struct Document {
    pub(super) file: String,
    pub(super) tree: Tree,
    /// Problems that did not stop the reader.
    pub(super) noted: Findings,
    environments: Vec<(String, Id)>,
}

/// Definitions without errors, and the warnings on them.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The definitions of one environment.
    pub definitions: Definitions,
    /// Warnings without errors.
    pub warnings: Report,
}

/// Reads the text of a file; `file` is its name in messages.
///
/// Stops with one problem at a breach of JSON's grammar, at text that is not UTF-8, and past a limit. Duplicate keys, numbers that do
/// not fit and a byte order mark are reported by [`Document::resolve`] with everything else.
///
/// # Errors
///
/// The single problem that stopped it.
pub fn parse(file: &str, text: &[u8]) -> Result<Document, Report> {
    if text.len() > limits::FILE_SIZE {
        return Err(file::too_large(file, &text.len().to_string()));
    }
    let fatal = |text: &str, offset: usize, pointer: String, message: String, hint: Option<String>| {
        let (line, column) = place::Lines::new(text).place(offset);
        let (file, severity) = (file.to_owned(), Severity::Error);
        Report::of(Problem { severity, file, line, column, pointer, message, hint, environments: Vec::new() })
    };
    let (text, marked) = match text.strip_prefix(b"\xEF\xBB\xBF") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let text = std::str::from_utf8(text).map_err(|error| {
        let (sound, rest) = text.split_at(error.valid_up_to());
        let byte = rest.first().copied().unwrap_or_default();
        let wide = sound.is_empty() && matches!(rest, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]);
        let message = match wide {
            true => "found UTF-16, expected UTF-8".to_owned(),
            false => format!("found the byte 0x{byte:02X} where it is not UTF-8, expected UTF-8"),
        };
        let sound = std::str::from_utf8(sound).unwrap_or_default();
        fatal(sound, sound.len(), String::new(), message, Some("save the file as UTF-8".to_owned()))
    })?;
    let (tree, mut noted) = reader::read(text.to_owned())
        .map_err(|(found, text)| fatal(&text, found.offset, found.pointer, found.message, found.hint))?;
    if marked {
        let advice = "save the file as UTF-8 without it".to_owned();
        noted.error_with(ROOT, "found a byte order mark before the document, expected none", advice);
    }
    let environments = tree.member(ROOT, "environments").map_or_else(Vec::new, |all| {
        let named = tree.members(all).filter(|&(key, _)| tree.raw(key) != decode::COMMENT);
        named.map(|(key, overlay)| (tree.string(key).into_owned(), overlay)).collect()
    });
    Ok(Document { file: file.to_owned(), tree, noted, environments })
}

/// Calls [`parse`], then [`Document::resolve`].
///
/// # Errors
///
/// Every problem, if one of them is an error.
pub fn load(file: &str, text: &[u8], environment: Option<&str>, today: &str) -> Result<Checked, Report> {
    let (definitions, warnings) = parse(file, text)?.resolve(environment, today)?;
    Ok(Checked { definitions, warnings })
}

impl Definitions {
    /// Checks definitions that were not read from a text, and returns the warnings. State that a store keeps with them is left aside.
    ///
    /// `file` is their name in messages, whose places are those of the canonical text; `today` is the day as `YYYY-MM-DD`.
    ///
    /// # Errors
    ///
    /// Every problem, warnings included, if one of them is an error.
    pub fn check(&self, file: &str, today: &str) -> Result<Report, Report> {
        let text = record::without_state(self);
        parse(file, &text)?.resolve(None, today).map(|(_, warnings)| warnings)
    }
}

impl Document {
    /// The environments that the document names, in the order of its text.
    pub fn environments(&self) -> Vec<&str> {
        self.environments.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The definitions of one environment, or of the document as it is, with the warnings on them.
    ///
    /// Merges the environment's overlay, checks everything, and reports all problems at once. A document that names no environment holds
    /// for every one; if it names some, any other is an error. `today` is the day as `YYYY-MM-DD`; a flag that expired before it gets a
    /// warning.
    ///
    /// # Errors
    ///
    /// Every problem, warnings included, if one of them is an error.
    pub fn resolve(&self, environment: Option<&str>, today: &str) -> Result<(Definitions, Report), Report> {
        let mut findings = self.noted.clone();
        let today = time::parse_day(today.as_bytes()).unwrap_or_else(|| {
            findings.error(ROOT, format!("found \"{today}\" as today's day, expected YYYY-MM-DD"));
            0
        });
        let merged = environment.and_then(|name| self.overlay(name, &mut findings));
        let view = merged.as_ref().map_or(View::Raw(ROOT), Patched::view);
        let (definitions, findings) = decode::document(&self.tree, view, &self.environments, today, findings);
        let has_errors = findings.has_errors();
        let report = place::report(&self.file, &self.tree, findings);
        if has_errors { Err(report) } else { Ok((definitions, report)) }
    }

    /// Every problem of the document as it is and of each environment that it names. A problem of several environments is listed once,
    /// with their names unless the document as it is has it too.
    pub fn check(&self, today: &str) -> Report {
        let problems = |environment| match self.resolve(environment, today) {
            Ok((_, warnings)) => warnings,
            Err(report) => report,
        };
        let mut report = problems(None);
        for environment in self.environments().into_iter().take(limits::ENVIRONMENTS) {
            report.merge_environment(problems(Some(environment)), environment);
        }
        report
    }

    /// Describes a requested environment that is missing among others: a mistake that would leave an overlay out.
    fn unknown_environment(&self, environment: &str, findings: &mut Findings) -> (String, String) {
        let known = self.environments.iter().map(|(name, _)| name.as_str());
        let near = findings.suggestion(environment, known.clone());
        let named: Vec<_> = known.take(MAX_SHOWN_ENVIRONMENTS).map(clip).collect();
        let more = if self.environments.len() > MAX_SHOWN_ENVIRONMENTS { " …" } else { "" };
        let name = clip(environment).escape_debug().to_string();
        let message = format!(
            "found the environment \"{name}\", expected one that the document names: {}{more}",
            named.join(", ")
        );
        let hint = near.unwrap_or_else(|| {
            format!("add \"{name}\": {{}} to \"environments\" if it gets the document as it is")
        });
        (message, hint)
    }

    /// The overlay of an environment, if it is an object.
    pub(super) fn patch(&self, environment: &str) -> Option<Id> {
        let (_, patch) = self.environments.iter().find(|(name, _)| name == environment)?;
        (self.tree.kind(*patch) == Kind::Object).then_some(*patch)
    }

    /// The document with an environment's overlay, if it has one.
    fn overlay(&self, environment: &str, findings: &mut Findings) -> Option<Patched> {
        let Some((_, patch)) = self.environments.iter().find(|(name, _)| name == environment) else {
            if !self.environments.is_empty() {
                let (message, hint) = self.unknown_environment(environment, findings);
                findings.error_with(ROOT, message, hint);
            }
            return None;
        };
        // A value that is no object is reported with the structure of the document.
        if self.tree.kind(*patch) != Kind::Object {
            return None;
        }
        let (idle, mut known) = (merge::idle_deletions(&self.tree, *patch), (Id::MAX, Vec::new()));
        for idle in idle.into_iter().take(limits::PROBLEMS) {
            // Deletions from one object follow each other.
            if known.0 != idle.target {
                known = (
                    idle.target,
                    self.tree.members(idle.target).map(|(key, _)| self.tree.string(key)).collect(),
                );
            }
            let name = self.tree.string(idle.key);
            let hint = findings.suggestion(&name, known.1.iter().map(AsRef::as_ref));
            findings.warning(idle.key, format!("null deletes \"{}\", which is not there", clip(&name)), hint);
        }
        for list in merge::replaced_lists(&self.tree, *patch).into_iter().take(limits::PROBLEMS) {
            let ReplacedList { patch, shared, missing } = list;
            let message = format!(
                "this list replaces the document's, and lacks {missing} of its {shared}; lists are replaced, not joined"
            );
            let advice = "write them here as well if this environment is to have them".to_owned();
            findings.warning(patch, message, Some(advice));
        }
        Some(merge::merge(&self.tree, *patch))
    }
}
