//! The parameters of a request, and the arguments that they are.

use super::routes::{LIST, PAGING, Route, Source, command, option_name};
use crate::inputs::{STDIN, Texts};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

/// The longest path of a request, in segments.
const MAX_SEGMENTS: usize = 8;

/// The value of a parameter.
enum Given {
    /// In the path or the query.
    Text(String),
    /// In the body.
    Json(Box<RawValue>),
}

/// The header that asks for the lines that the command prints to a person, with the value `text`.
pub const OUTPUT: &str = "flagstone-output";

/// The parameters of a request by their names.
#[derive(Default)]
pub struct Parameters(BTreeMap<String, Given>);

/// A request that cannot be understood: what was found, and what is expected.
pub type Misunderstood = String;

/// The segments of a path.
pub fn segments(path: &str) -> Result<Vec<String>, Misunderstood> {
    let parts: Vec<&str> = path.split('/').skip(1).take(MAX_SEGMENTS + 1).collect();
    match parts.len() {
        1..=MAX_SEGMENTS => parts.into_iter().map(|part| decoded(part, false)).collect(),
        _ => Err(format!("expected a path of at most {MAX_SEGMENTS} parts")),
    }
}

/// A text without its percent signs. The crate `percent-encoding` leaves malformed ones as they are; here they are refused, since they can
/// be read in two ways.
fn decoded(text: &str, is_query: bool) -> Result<String, Misunderstood> {
    let wrong = || format!("found {text:?}, expected text in UTF-8 with percent signs before two hex digits");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
                (high * 16 + low) as u8
            }
            b'+' if is_query => b' ',
            byte => byte,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    without_controls(text)
}

/// Refuses a zero byte, which no argument has.
fn without_controls(text: String) -> Result<String, Misunderstood> {
    match text.contains('\0') {
        true => Err("found a zero byte, expected text without".to_owned()),
        false => Ok(text),
    }
}

/// The members of a JSON object, none of them twice.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        struct Of;
        impl<'de> Visitor<'de> for Of {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    members.push(entry);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Of)
    }
}

impl Parameters {
    /// Adds the parameters of the path.
    pub fn add_path(&mut self, found: Vec<(&'static str, String)>) {
        self.0.extend(found.into_iter().map(|(name, value)| (name.to_owned(), Given::Text(value))));
    }

    /// Adds the parameters of the query.
    pub fn add_query(&mut self, query: &str) -> Result<(), Misunderstood> {
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, "true"));
            let value = decoded(value, true)?;
            self.add(decoded(name, true)?, Given::Text(value))?;
        }
        Ok(())
    }

    /// Adds the members of the body.
    pub fn add_body(&mut self, body: &[u8]) -> Result<(), Misunderstood> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let members: Members = serde_json::from_slice(body)
            .map_err(|error| format!("the body: {error}; expected a JSON object"))?;
        members.0.into_iter().try_for_each(|(name, value)| self.add(name, Given::Json(value)))
    }

    fn add(&mut self, name: String, value: Given) -> Result<(), Misunderstood> {
        match self.0.insert(name.clone(), value) {
            None => Ok(()),
            Some(_) => Err(format!("found {name:?} twice, expected it once")),
        }
    }

    /// Takes a text or a number.
    pub fn take(&mut self, name: &str) -> Result<Option<String>, Misunderstood> {
        let Some(given) = self.0.remove(name) else { return Ok(None) };
        let json = match given {
            Given::Text(text) => return Ok(Some(text)),
            Given::Json(json) => json,
        };
        match json.get() {
            "null" => Ok(None),
            text if text.starts_with('"') => {
                let text = serde_json::from_str(text).map_err(|error| format!("{name}: {error}"))?;
                without_controls(text).map(Some)
            }
            text if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => Ok(Some(text.to_owned())),
            text => Err(format!("{name}: found {}, expected text or a number", kind(text))),
        }
    }

    /// Takes a list of texts or numbers, or one alone.
    fn take_list(&mut self, name: &str) -> Result<Vec<String>, Misunderstood> {
        match self.0.get(name) {
            Some(Given::Json(json)) if json.get().starts_with('[') => {
                let values: Vec<Box<RawValue>> =
                    serde_json::from_str(json.get()).map_err(|error| format!("{name}: {error}"))?;
                self.0.remove(name);
                let mut one = |value| {
                    self.0.insert(name.to_owned(), Given::Json(value));
                    self.take(name)?.ok_or_else(|| format!("{name}: found null, expected text or a number"))
                };
                values.into_iter().map(&mut one).collect()
            }
            _ => Ok(self.take(name)?.into_iter().collect()),
        }
    }

    /// Takes true or false.
    fn take_switch(&mut self, name: &str) -> Result<bool, Misunderstood> {
        let text = match self.0.remove(name) {
            None => return Ok(false),
            Some(Given::Text(text)) => text,
            Some(Given::Json(json)) => json.get().to_owned(),
        };
        match text.as_str() {
            "true" => Ok(true),
            "false" | "null" => Ok(false),
            text => Err(format!("{name}: found {}, expected true or false", kind(text))),
        }
    }

    /// Takes a text of its own: a string's, or that of an object or a list as it is written.
    fn take_text(&mut self, name: &str) -> Result<Option<Vec<u8>>, Misunderstood> {
        match self.0.get(name) {
            Some(Given::Json(json)) if json.get().starts_with(['{', '[']) => {
                let text = json.get().as_bytes().to_vec();
                self.0.remove(name);
                Ok(Some(text))
            }
            _ => Ok(self.take(name)?.map(String::into_bytes)),
        }
    }
}

/// The kind of a JSON value, for messages.
fn kind(text: &str) -> &str {
    match text.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "text",
        _ if text.len() > 40 => "something else",
        _ => text,
    }
}

/// A request as its command would be typed.
pub struct Typed {
    pub arguments: Vec<OsString>,
    /// The texts that the command reads.
    pub texts: Texts,
    /// The part of the answer that is asked for.
    pub part: Part,
    /// The flag that it names.
    pub flag: Option<String>,
    /// True if it has `force`.
    pub is_forced: bool,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub limit: usize,
    pub offset: usize,
    pub q: Option<String>,
}

impl Part {
    /// The items of a page, unless the request names a number.
    const DEFAULT_LIMIT: usize = 100;
    const MAX_LIMIT: usize = 1_000;

    fn take(parameters: &mut Parameters) -> Result<Part, Misunderstood> {
        let mut number = |name: &str, default: usize, most: usize| match parameters.take(name)? {
            None => Ok(default),
            Some(text) => match text.parse().ok().filter(|number| *number <= most) {
                Some(number) => Ok(number),
                None => Err(format!("{name}: found {text:?}, expected a whole number up to {most}")),
            },
        };
        let limit = number("limit", Part::DEFAULT_LIMIT, Part::MAX_LIMIT)?;
        let offset = number("offset", 0, usize::MAX)?;
        Ok(Part { limit, offset, q: parameters.take("q")? })
    }
}

impl Typed {
    /// The command of a route with these parameters, for that store and those counters.
    ///
    /// # Errors
    ///
    /// A parameter that is unknown, or no value of its kind. What it says is judged by the command's own parser.
    pub fn of(
        route: &Route,
        mut parameters: Parameters,
        store: &Path,
        memory: &Path,
    ) -> Result<Typed, Misunderstood> {
        let mut arguments: Vec<OsString> = vec!["flagstone".into(), "--json".into()];
        let with_path = |option: &str, path: &Path| {
            let mut argument = OsString::from(option);
            argument.push(path);
            argument
        };
        arguments.push(with_path("--store=", store));
        let part = match route.page {
            None => Part { limit: usize::MAX, offset: 0, q: None },
            Some(_) => Part::take(&mut parameters)?,
        };
        let mut texts = Texts::new();
        let mut positionals: Vec<OsString> = Vec::new();
        if let Some(input) = route.text {
            let text = parameters
                .take_text(input.member)?
                .ok_or_else(|| format!("expected {}, in the body", input.member))?;
            texts.insert(STDIN, text);
            positionals.extend(input.argument.filter(|argument| *argument == "-").map(OsString::from));
        }
        let names = match route.source {
            Source::Command(names) => names,
            // The same argument, judged alike.
            Source::Buckets => &["show"],
            Source::Token => &[],
        };
        let command = command(names).ok_or("the route's command is not known")?;
        let known = |long: &str| command.get_arguments().find(|known| known.get_long() == Some(long));
        let (mut flag, mut is_forced) = (None, false);
        for (name, argument) in route.positionals.iter().zip(command.get_positionals()) {
            let values = match argument.get_action() {
                clap::ArgAction::Append => parameters.take_list(name)?,
                _ => parameters.take(name)?.into_iter().collect(),
            };
            if *name == "flag" {
                flag = values.first().cloned();
            }
            positionals.extend(values.into_iter().map(OsString::from));
        }
        arguments.extend(names.iter().map(OsString::from));
        for name in route.options {
            let long = option_name(name);
            match known(&long).is_none_or(|known| known.get_action().takes_values()) {
                true => {
                    let values = parameters.take_list(name)?;
                    arguments.extend(values.iter().map(|value| format!("--{long}={value}").into()));
                }
                false if parameters.take_switch(name)? => {
                    is_forced |= *name == "force";
                    arguments.push(format!("--{long}").into());
                }
                false => {}
            }
        }
        if known("memory").is_some() {
            arguments.push(with_path("--memory=", memory));
        }
        if route.page.is_some() && known("limit").is_some() {
            arguments.push(format!("--limit={}", part.offset.saturating_add(part.limit)).into());
        }
        if route.takes_list()
            && let Some(list) = parameters.take_text(LIST)?
        {
            texts.insert(LIST, list);
            arguments.push(format!("--{}={LIST}", option_name(LIST)).into());
        }
        let option = route.text.and_then(|input| input.argument).filter(|argument| *argument != "-");
        arguments.extend(option.map(OsString::from));
        arguments.push("--".into());
        arguments.extend(positionals);
        for name in route.ignored {
            parameters.0.remove(*name);
        }
        match parameters.0.keys().next() {
            None => Ok(Typed { arguments, texts, part, flag, is_forced }),
            Some(unknown) => {
                let mut known = Vec::from(route.positionals);
                known.extend(route.options);
                known.extend(route.text.map(|input| input.member));
                known.extend(route.takes_list().then_some(LIST));
                known.extend(route.page.iter().flat_map(|_| PAGING));
                let near = flagstone::definition::did_you_mean(flagstone::definition::nearest(
                    unknown,
                    known.iter().copied(),
                ));
                let expected = match known.is_empty() {
                    true => "none".to_owned(),
                    false => format!("one of {}{near}", known.join(", ")),
                };
                Err(format!("found the parameter {unknown:?}, expected {expected}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::routes::of_path;
    use super::*;

    fn typed(method: &str, path: &str, query: &str, body: &str) -> Result<String, Misunderstood> {
        let found = of_path(&segments(path)?);
        let (route, path) = found.into_iter().find(|(route, _)| route.method.as_str() == method).unwrap();
        let mut parameters = Parameters::default();
        parameters.add_path(path);
        parameters.add_query(query)?;
        parameters.add_body(body.as_bytes())?;
        let typed = Typed::of(route, parameters, Path::new("/s"), Path::new("/m"))?;
        let arguments: Vec<_> =
            typed.arguments.iter().map(|text| text.to_string_lossy().into_owned()).collect();
        let text: Vec<u8> = typed.texts.into_values().flatten().collect();
        let text = String::from_utf8(text).unwrap();
        Ok(format!("{} < {text}", arguments.join(" ")).replacen("flagstone --json --store=/s ", "", 1))
    }

    #[test]
    fn a_request_is_its_command_as_it_would_be_typed() {
        for (method, path, query, body, expected) in [
            ("GET", "/v1/flags", "limit=5&q=a", "", "list -- < "),
            ("GET", "/v1/flags/App%5CNew", "", "", "show -- App\\New < "),
            (
                "GET",
                "/v1/flags/a/explain",
                "company=acme+eu&literal=true&literals",
                "",
                "found the parameter \"literals\"",
            ),
            ("GET", "/v1/flags/a/explain", "company=%34&literal=false", "", "explain --company=4 -- a < "),
            ("GET", "/v1/stats", "hours=3", "", "stats --hours=3 --memory=/m -- < "),
            (
                "POST",
                "/v1/flags/a/rollout",
                "",
                r#"{"percentage": 12.50, "yes": true, "reason": "more\n"}"#,
                "rollout --reason=more\n --yes -- a 12.50 < ",
            ),
            (
                "POST",
                "/v1/flags/a/enable",
                "",
                r#"{"companies": [15, "042"]}"#,
                "enable --company=15 --company=042 -- a < ",
            ),
            (
                "POST",
                "/v1/flags/a/allow",
                "",
                r#"{"companies": [15, "042"]}"#,
                "allow --from-file=- -- a < [15, \"042\"]",
            ),
            ("POST", "/v1/publish", "", r#"{"definitions": {"flags":{}}}"#, "publish -- - < {\"flags\":{}}"),
            ("POST", "/v1/publish", "", r#"{"definitions": "{\n}"}"#, "publish -- - < {\n}"),
            (
                "POST",
                "/v1/publish",
                "",
                r#"{"definitions": {}, "count_for": [1, "x"]}"#,
                "publish --count-for=count_for -- - < {}[1, \"x\"]",
            ),
            (
                "POST",
                "/v1/flags/--store=x/kill",
                "",
                r#"{"reason": "--store=y", "yes": true}"#,
                "kill --reason=--store=y -- --store=x < ",
            ),
        ] {
            let found = typed(method, path, query, body).unwrap_or_else(|problem| problem);
            assert!(found.contains(expected), "{path}: {found}");
        }
    }

    #[test]
    fn a_request_that_can_be_read_in_two_ways_is_refused() {
        for (path, query, body, expected) in [
            ("/v1/flags/a/kill", "", r#"{"reason": "a", "reason": "b"}"#, "\"reason\" twice"),
            ("/v1/flags/a/kill", "", r#"{"flag": "b", "reason": "b"}"#, "\"flag\" twice"),
            ("/v1/flags/a/kill", "reason=a", r#"{"reason": "b"}"#, "\"reason\" twice"),
            (
                "/v1/flags/a/kill",
                "",
                r#"{"reason": "b", "dry_run": true}"#,
                "found the parameter \"dry_run\"",
            ),
            ("/v1/flags/a/kill", "", r#"["b"]"#, "expected a JSON object"),
            ("/v1/flags/a/kill", "", r#"{"reason": {}}"#, "found an object, expected text or a number"),
            ("/v1/flags/a/kill", "", r#"{"reason": "a\u0000"}"#, "zero byte"),
            ("/v1/flags/a%00/kill", "", "", "zero byte"),
            ("/v1/flags/a%/kill", "", "", "two hex digits"),
            ("/v1/flags/%ff/kill", "", "", "UTF-8"),
            ("/v1/flags/a/rollout", "", r#"{"yes": 1}"#, "expected true or false"),
            ("/v1/flags/a/allow", "", r#"{}"#, "expected companies, in the body"),
            ("/v1/flags/a/allow", "", r#"{"companies": [1], "from_file": "/etc/passwd"}"#, "\"from_file\""),
            ("/v1/publish", "", r#"{"file": "/etc/passwd", "definitions": {}}"#, "\"file\""),
            ("/v1/1/2/3/4/5/6/7/8", "", "", "at most 8 parts"),
        ] {
            let found = typed("POST", path, query, body).unwrap_err();
            assert!(found.contains(expected), "{path} {body}: {found}");
        }
    }
}
