//! The store's own settings, if there are any: can changes use them.

use super::{CONFIG, Report};
use crate::companies::Companies;
use crate::{display, identity};
use flagstone::publish::{NamedFile, Store};
use std::path::Path;

pub fn checks(store: &Store, report: &mut Report) {
    let path = store.directory().join("config.json");
    let path_text = path.to_string_lossy();
    let (named, typed) = (display::plain(&path_text), display::argument(&path_text));
    let config = match store.config() {
        Ok(config) => config,
        Err(error) => {
            let mend = format!(
                "mend it at that place, or set it anew with flagstone config; ls -l {typed} shows who may read it"
            );
            return report.failed(CONFIG, display::plain(&error.to_string()), mend);
        }
    };
    if !path.exists() {
        return report.passed(CONFIG, "none: all defaults");
    }
    if let Some(ignored) = &config.ignored {
        let (problem, remedy) = ignored.split_once(". ").unwrap_or((ignored, ""));
        let remedy = remedy.strip_prefix("Type: ").unwrap_or(remedy);
        if !identity::may_change(store) {
            return report.not_asked(CONFIG, display::plain(ignored));
        }
        return report.failed(CONFIG, display::plain(problem), display::plain(remedy));
    }
    match config.companies.as_deref().map(|path| companies(store, path)) {
        Some(Err(error)) => report.failed(
            CONFIG,
            format!("{named} names a list of companies that cannot be used: {error}"),
            "write that list, or name another: flagstone config companies FILE",
        ),
        Some(Ok(count)) => report.passed(
            CONFIG,
            format!("{named} is valid, and so is its list of {}", display::counted(count, "company")),
        ),
        None => report.passed(CONFIG, format!("{named} is valid")),
    }
}

fn companies(store: &Store, path: &Path) -> Result<u64, String> {
    let named = display::plain(&path.to_string_lossy()).into_owned();
    let bytes = store.read_named(path, NamedFile::List);
    let bytes = bytes.map_err(|error| display::plain(&error.to_string()).into_owned())?;
    match Companies::read(&named, &bytes) {
        Ok(companies) => Ok(companies.keys().len() as u64),
        Err(failure) => Err(failure.text().to_owned()),
    }
}
