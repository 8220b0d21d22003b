//! Values as they are typed.

use super::Target;
use crate::display;
use crate::probe::read;
use clap::builder::{OsStringValueParser, TypedValueParser};
use flagstone::definition::{CompanyId, Percentage};
use flagstone::publish::MachineName;
use flagstone::time;

pub(super) fn instant(text: &str) -> Result<i64, String> {
    time::parse_rfc3339(text.as_bytes())
        .ok_or_else(|| "expected a date and time with an offset, such as 2026-12-01T08:00:00Z".to_owned())
}

/// A time, a day's beginning in UTC, or so many minutes, hours, days or weeks back.
pub(super) fn since(text: &str) -> Result<i64, String> {
    let back = || {
        let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return None,
        };
        let count = count.bytes().all(|byte| byte.is_ascii_digit()).then(|| count.parse::<i64>().ok())??;
        Some(time::now().saturating_sub(count.checked_mul(seconds)?.checked_mul(1_000_000)?))
    };
    back()
        .or_else(|| time::parse_rfc3339(text.as_bytes()))
        .or_else(|| time::parse_rfc3339(format!("{text}T00:00:00Z").as_bytes()))
        .ok_or_else(|| {
            "expected a time (2026-11-20T08:00:00Z), a day (2026-11-20), or 30m, 24h, 7d or 2w back"
                .to_owned()
        })
}

pub(super) fn target(text: &str) -> Result<Target, String> {
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(Target::Content(text.to_ascii_lowercase()));
    }
    text.parse()
        .map(Target::Generation)
        .map_err(|_| "expected a generation's number, or its content's 32 hex digits".to_owned())
}

/// A flag's key. A chat client's text has a word joiner before `_`, which no key has and nobody sees.
pub(super) fn flag_key(text: &str) -> Result<String, String> {
    Ok(text.replace('\u{2060}', ""))
}

/// A text for people. Bytes that are not UTF-8, as a terminal in Latin-1 sends, are replaced: a kill is not refused for its reason.
pub(super) fn text() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().map(|text| text.to_string_lossy().into_owned())
}

pub(super) fn name() -> impl TypedValueParser<Value = String> {
    text_or("expected a person's name")
}

/// A release as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// Its number, or its time in seconds since 1970.
    Number(u64),
    /// The id of its commit, or the beginning of it.
    Commit(String),
    /// Digits that may be either: the beginning of a commit where git knows it, else a number.
    Digits(String, u64),
}

/// The fewest digits that git shortens a commit to.
const SHORTEST_COMMIT: usize = 7;

/// A release: its commit, its number, or its time.
pub(super) fn release(text: &str) -> Result<Named, String> {
    let seconds = || time::parse_rfc3339(text.as_bytes()).map(|micros| micros.div_euclid(time::SECOND));
    let number = text.parse().ok().or_else(|| u64::try_from(seconds()?).ok());
    let commit =
        (SHORTEST_COMMIT..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(number) = number.filter(|number| *number > 0) {
        return Ok(match commit {
            true => Named::Digits(text.to_owned(), number),
            false => Named::Number(number),
        });
    }
    match commit {
        true => Ok(Named::Commit(text.to_ascii_lowercase())),
        false => Err("expected a commit, such as `git rev-parse HEAD` prints, a whole number above 0 that grows from release to \
                      release, or a time such as 2026-12-01T08:00:00Z"
            .to_owned()),
    }
}

pub(super) fn percentage(text: &str) -> Result<Percentage, String> {
    display::parse_percentage(text)
        .ok_or_else(|| "expected a number from 0 to 100 with up to three decimals".to_owned())
}

pub(super) fn company(text: &str) -> Result<CompanyId, String> {
    CompanyId::from_text(text).ok_or_else(|| "expected a company's id of 1 to 1,024 bytes".to_owned())
}

pub(super) fn base_url(text: &str) -> Result<String, String> {
    let url = text.parse::<ureq::http::Uri>().ok().filter(|url| url.host().is_some());
    match url.is_some() && read::absolute(text) {
        true => Ok(text.to_owned()),
        false => Err("expected an address such as https://shop.example".to_owned()),
    }
}

pub(super) fn between<const MOST: usize>(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
    number.ok_or_else(|| format!("expected a number from 1 to {}", display::thousands(MOST as u64)))
}

pub(super) fn key_name(text: &str) -> Result<String, String> {
    match MachineName::try_from(text.to_owned()) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected 1 to 64 letters, digits, . _ and -".to_owned()),
    }
}

pub(super) fn reason() -> impl TypedValueParser<Value = String> {
    text_or("expected a reason; whoever finds the flag off will read it")
}

/// A text without the blanks around it; one of blanks alone is refused.
fn text_or(refusal: &'static str) -> impl TypedValueParser<Value = String> {
    text().try_map(move |text| match text.trim() {
        "" => Err(refusal),
        text => Ok(text.to_owned()),
    })
}

pub(super) fn hours(text: &str) -> Result<usize, String> {
    let hours = text.parse().ok().filter(|hours| (1..=24).contains(hours));
    hours.ok_or_else(|| format!("found \"{text}\", expected hours from 1 to 24"))
}
