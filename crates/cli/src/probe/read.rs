//! A file of probes: JSON, described by `schema/probes.schema.json`. All problems are reported at once, each with its place.

use super::{Expect, Probe, run};
use crate::display;
use flagstone::definition::{self, Document, Problem, Report, Severity, nearest};
use serde_json::{Map, Value};
use std::time::Duration;

/// The default timeout, in milliseconds.
const TIMEOUT: u64 = 10_000;
/// Bounds of times, in milliseconds.
const TIMES: std::ops::RangeInclusive<u64> = 1..=600_000;
const REDIRECTS: u64 = 20;
const PROBES: usize = 10_000;

const TOP: [&str; 7] = ["$schema", "$comment", "base_url", "headers", "timeout_ms", "companies", "probes"];
const COMPANY: [&str; 3] = ["$comment", "headers", "cookies"];
const PROBE: [&str; 11] = [
    "$comment",
    "name",
    "url",
    "method",
    "company",
    "headers",
    "cookies",
    "body",
    "redirects",
    "timeout_ms",
    "expect",
];
const EXPECT: [&str; 6] = ["$comment", "status", "contains", "lacks", "headers", "max_ms"];

/// Looks up a variable.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The probes of a file, each with the company's headers and cookies, and with `${NAME}` filled in.
///
/// # Errors
///
/// All problems of the file.
pub fn read(
    file: &str,
    text: &[u8],
    base: Option<&str>,
    variables: Variables<'_>,
) -> Result<Vec<Probe>, Report> {
    let document = definition::parse(file, text)?;
    let noted = document.noted();
    if noted.errors() > 0 {
        return Err(noted);
    }
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let value: Value = serde_json::from_slice(text).unwrap_or_default();
    let mut reader = Reader { file, document: &document, variables, problems: Vec::new() };
    let probes = reader.top(&value, base);
    match reader.problems.is_empty() {
        true => Ok(probes),
        false => {
            reader.problems.sort_by_key(|problem| (problem.line, problem.column));
            Err(Report { problems: reader.problems, omitted: 0 })
        }
    }
}

/// Headers and cookies of a company or a probe.
#[derive(Debug, Clone, Default)]
struct Identity {
    headers: Vec<(String, String)>,
    cookies: Vec<(String, String)>,
}

struct Reader<'a> {
    file: &'a str,
    document: &'a Document,
    variables: Variables<'a>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, pointer: &str, message: impl Into<String>, hint: Option<String>) {
        let (line, column) = self.document.locate(pointer);
        self.problems.push(Problem {
            severity: Severity::Error,
            file: self.file.to_owned(),
            line,
            column,
            pointer: pointer.to_owned(),
            message: message.into(),
            hint,
            environments: Vec::new(),
        });
    }

    fn expected(&mut self, pointer: &str, found: &Value, expected: &str) {
        self.problem(pointer, format!("found {}, expected {expected}", display::short(found, 40)), None);
    }

    /// Reads an object with no other than these keys.
    fn object<'v>(
        &mut self,
        pointer: &str,
        value: &'v Value,
        known: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let Value::Object(members) = value else {
            self.expected(pointer, value, "an object");
            return None;
        };
        for key in members.keys().filter(|key| !known.contains(&key.as_str())) {
            let near = nearest(key, known.iter().copied());
            let hint = match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("known are {}", known.join(", ")),
            };
            self.problem(
                &format!("{pointer}/{}", segment(key)),
                format!("unknown key {}", display::quoted(key)),
                Some(hint),
            );
        }
        Some(members)
    }

    fn top(&mut self, value: &Value, base: Option<&str>) -> Vec<Probe> {
        let Some(members) = self.object("", value, &TOP) else { return Vec::new() };
        let written = members.get("base_url").and_then(|value| self.text("/base_url", value));
        let base = base.map(str::to_owned).or_else(|| {
            let base = written?;
            (self.filled("/base_url", &base)).inspect(|base| {
                if !absolute(base) {
                    self.problem(
                        "/base_url",
                        "expected an address that begins with http:// or https://",
                        None,
                    );
                }
            })
        });
        let headers = self.pairs("/headers", members.get("headers"));
        let timeout = members
            .get("timeout_ms")
            .and_then(|value| self.number("/timeout_ms", value, TIMES, "milliseconds"));
        let companies = self.companies(members.get("companies"));
        let Some(Value::Array(list)) = members.get("probes") else {
            let found = members.get("probes").unwrap_or(&Value::Null);
            self.expected("/probes", found, "a list of probes");
            return Vec::new();
        };
        if list.is_empty() || list.len() > PROBES {
            let found = display::counted(list.len() as u64, "probe");
            self.problem(
                "/probes",
                format!("found {found}, expected 1 to {}", display::thousands(PROBES as u64)),
                None,
            );
        }
        let common = Common { base, headers, timeout: timeout.unwrap_or(TIMEOUT), companies };
        let each = list.iter().enumerate().take(PROBES);
        each.flat_map(|(number, value)| self.probe(&format!("/probes/{number}"), value, &common)).collect()
    }

    fn companies(&mut self, value: Option<&Value>) -> Vec<(String, Identity)> {
        let members = match value {
            None => return Vec::new(),
            Some(Value::Object(members)) => members,
            Some(value) => {
                self.expected("/companies", value, "an object: companies by name");
                return Vec::new();
            }
        };
        let mut companies = Vec::new();
        for (name, value) in members.iter().filter(|(name, _)| *name != "$comment") {
            let pointer = format!("/companies/{}", segment(name));
            if let Some(members) = self.object(&pointer, value, &COMPANY) {
                let identity = self.identity(&pointer, members);
                companies.push((name.clone(), identity));
            }
        }
        companies
    }

    fn identity(&mut self, pointer: &str, members: &Map<String, Value>) -> Identity {
        let headers = self.pairs(&format!("{pointer}/headers"), members.get("headers"));
        let cookies = self.pairs(&format!("{pointer}/cookies"), members.get("cookies"));
        for (name, value) in &cookies {
            if !name.bytes().all(token) || value.contains([';', ',', ' ', '"', '\\']) {
                self.problem(&format!("{pointer}/cookies/{}", segment(name)), "not to be sent as a cookie: expected a name of letters and digits, and a value without spaces, \";\", \",\", quotes and backslashes", None);
            }
        }
        Identity { headers, cookies }
    }

    /// Reads a probe, once for each company that it names.
    fn probe(&mut self, pointer: &str, value: &Value, common: &Common) -> Vec<Probe> {
        let Some(members) = self.object(pointer, value, &PROBE) else { return Vec::new() };
        let at = |name: &str| format!("{pointer}/{name}");
        let own = self.identity(pointer, members);
        let method =
            members.get("method").map_or(Some("GET".to_owned()), |value| self.text(&at("method"), value));
        let method = method.unwrap_or_default();
        if !run::method(&method) || method.bytes().any(|byte| byte.is_ascii_lowercase()) {
            self.problem(
                &at("method"),
                format!("found {}, expected a method such as \"GET\" or \"POST\"", display::quoted(&method)),
                None,
            );
        }
        let url = self.url(&at("url"), members.get("url"), common.base.as_deref());
        let body = members.get("body").and_then(|value| {
            let text = self.text(&at("body"), value)?;
            self.filled(&at("body"), &text)
        });
        let redirects = members.get("redirects");
        let redirects =
            redirects.and_then(|value| self.number(&at("redirects"), value, 0..=REDIRECTS, "redirects"));
        let timeout = members.get("timeout_ms");
        let timeout = timeout.and_then(|value| self.number(&at("timeout_ms"), value, TIMES, "milliseconds"));
        let expect = self.expect(&at("expect"), members.get("expect"));
        let name = members.get("name").and_then(|value| self.text(&at("name"), value));
        let companies = self.of(&at("company"), members.get("company"), common);
        let Some((shown, url)) = url else { return Vec::new() };
        let each = companies.into_iter().map(|company| {
            let (company, theirs) =
                company.map_or((None, Identity::default()), |(name, identity)| (Some(name), identity));
            Probe {
                name: name.clone().unwrap_or_default(),
                method: method.clone(),
                url: url.clone(),
                shown: shown.clone(),
                headers: headers(
                    &[&common.headers, &theirs.headers, &own.headers],
                    &[&theirs.cookies, &own.cookies],
                ),
                company,
                body: body.clone(),
                redirects: redirects.and_then(|number| u32::try_from(number).ok()).unwrap_or(0),
                timeout: Duration::from_millis(timeout.unwrap_or(common.timeout)),
                expect: expect.clone(),
            }
        });
        each.collect()
    }

    /// Reads the company of a probe: none, one, or several.
    fn of(
        &mut self,
        pointer: &str,
        value: Option<&Value>,
        common: &Common,
    ) -> Vec<Option<(String, Identity)>> {
        let names = match value {
            None => return vec![None],
            Some(Value::String(name)) => vec![(pointer.to_owned(), name.clone())],
            Some(Value::Array(names)) if !names.is_empty() && names.iter().all(Value::is_string) => {
                let names = names.iter().filter_map(Value::as_str).enumerate();
                names.map(|(number, name)| (format!("{pointer}/{number}"), name.to_owned())).collect()
            }
            Some(value) => {
                self.expected(pointer, value, "a name of \"companies\", or a list of them");
                return Vec::new();
            }
        };
        let mut found = Vec::new();
        for (pointer, name) in names {
            match common.companies.iter().find(|(known, _)| *known == name) {
                Some(company) => found.push(Some(company.clone())),
                None => {
                    let near = nearest(&name, common.companies.iter().map(|(known, _)| known.as_str()));
                    let hint = near.map_or("write it under \"companies\"".to_owned(), |near| {
                        format!("did you mean \"{near}\"?")
                    });
                    self.problem(&pointer, format!("unknown company {}", display::quoted(&name)), Some(hint));
                }
            }
        }
        found
    }

    /// The address as written, and as sent.
    fn url(&mut self, pointer: &str, value: Option<&Value>, base: Option<&str>) -> Option<(String, String)> {
        let Some(value) = value else {
            self.expected(pointer, &Value::Null, "an address, such as \"/portal\"");
            return None;
        };
        let written = self.text(pointer, value)?;
        let filled = self.filled(pointer, &written)?;
        let url = match (absolute(&filled), filled.starts_with('/'), base) {
            (true, _, _) => filled,
            (false, true, Some(base)) => format!("{}{filled}", base.trim_end_matches('/')),
            (false, true, None) => {
                let hint = Some("write \"base_url\" in the file, or give --base-url".to_owned());
                self.problem(pointer, "nothing tells on which host", hint);
                return None;
            }
            (false, false, _) => {
                self.expected(
                    pointer,
                    value,
                    "a path that begins with \"/\", or an address with http:// or https://",
                );
                return None;
            }
        };
        if url.parse::<ureq::http::Uri>().is_err() {
            self.problem(pointer, "is no address: spaces and the like are to be written as %20", None);
        }
        Some((written, url))
    }

    fn expect(&mut self, pointer: &str, value: Option<&Value>) -> Expect {
        let Some(members) = self.object(pointer, value.unwrap_or(&Value::Null), &EXPECT) else {
            return Expect::default();
        };
        let at = |name: &str| format!("{pointer}/{name}");
        let status = self.status(&at("status"), members.get("status"));
        let contains = self.texts(&at("contains"), members.get("contains"));
        let lacks = self.texts(&at("lacks"), members.get("lacks"));
        let headers = self.pairs(&at("headers"), members.get("headers"));
        let headers = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        let most = members.get("max_ms");
        let most = most.and_then(|value| self.number(&at("max_ms"), value, TIMES, "milliseconds"));
        Expect { status, contains, lacks, headers, max_time: most.map(Duration::from_millis) }
    }

    fn status(&mut self, pointer: &str, value: Option<&Value>) -> Vec<u16> {
        let value = value.unwrap_or(&Value::Null);
        let list = match value {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let code = |value: &Value| {
            value.as_u64().and_then(|code| u16::try_from(code).ok()).filter(|code| (100..=599).contains(code))
        };
        let codes: Option<Vec<u16>> = list.iter().map(code).collect();
        match codes.filter(|codes| !codes.is_empty()) {
            Some(codes) => codes,
            None => {
                self.expected(pointer, value, "a status from 100 to 599, or a list of them");
                Vec::new()
            }
        }
    }

    fn texts(&mut self, pointer: &str, value: Option<&Value>) -> Vec<String> {
        match value {
            None => Vec::new(),
            Some(Value::String(text)) if !text.is_empty() => vec![text.clone()],
            Some(Value::Array(list))
                if list.iter().all(|text| text.as_str().is_some_and(|text| !text.is_empty())) =>
            {
                list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            Some(value) => {
                self.expected(pointer, value, "a text that is not empty, or a list of them");
                Vec::new()
            }
        }
    }

    /// Names and texts, with variables filled in.
    fn pairs(&mut self, pointer: &str, value: Option<&Value>) -> Vec<(String, String)> {
        let members = match value {
            None => return Vec::new(),
            Some(Value::Object(members)) => members,
            Some(value) => {
                self.expected(pointer, value, "an object of names and texts");
                return Vec::new();
            }
        };
        let mut pairs = Vec::new();
        for (name, value) in members.iter().filter(|(name, _)| *name != "$comment") {
            let pointer = format!("{pointer}/{}", segment(name));
            let Some(text) = self.text(&pointer, value) else { continue };
            let Some(text) = self.filled(&pointer, &text) else { continue };
            if name.is_empty() || !name.bytes().all(token) {
                self.problem(
                    &pointer,
                    "not to be sent: expected a name of letters, digits and hyphens",
                    None,
                );
            } else if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
                self.problem(&pointer, "not to be sent: expected a value without control characters", None);
            } else {
                pairs.push((name.clone(), text));
            }
        }
        pairs
    }

    fn text(&mut self, pointer: &str, value: &Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            value => {
                self.expected(pointer, value, "a text");
                None
            }
        }
    }

    fn number(
        &mut self,
        pointer: &str,
        value: &Value,
        range: std::ops::RangeInclusive<u64>,
        unit: &str,
    ) -> Option<u64> {
        let number = value.as_u64().filter(|number| range.contains(number));
        if number.is_none() {
            self.expected(
                pointer,
                value,
                &format!("{unit} from {} to {}", range.start(), display::thousands(*range.end())),
            );
        }
        number
    }

    /// Replaces `${NAME}` by the environment's value, and `$${` by `${`.
    fn filled(&mut self, pointer: &str, text: &str) -> Option<String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                filled.push_str(before);
                filled.push_str("${");
                rest = after;
                continue;
            }
            filled.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                self.problem(
                    pointer,
                    "found \"${\" without its \"}\"",
                    Some("write \"$${\" for these two characters".to_owned()),
                );
                return None;
            };
            match (self.variables)(name).filter(|value| !value.is_empty()) {
                Some(value) => filled.push_str(&value),
                None => {
                    let name = display::plain(name);
                    self.problem(
                        pointer,
                        format!("the environment has no {name}"),
                        Some(format!("set it: export {name}=…")),
                    );
                    return None;
                }
            }
            rest = after;
        }
        filled.push_str(rest);
        Some(filled)
    }
}

/// Settings that all probes of a file share.
struct Common {
    base: Option<String>,
    headers: Vec<(String, String)>,
    timeout: u64,
    companies: Vec<(String, Identity)>,
}

/// Joins headers: later ones replace earlier ones of the same name; cookies become one header.
fn headers(lists: &[&Vec<(String, String)>], cookies: &[&Vec<(String, String)>]) -> Vec<(String, String)> {
    let mut all = merged(lists, |a, b| a.eq_ignore_ascii_case(b));
    let cookies = merged(cookies, |a, b| a == b);
    if !cookies.is_empty() {
        let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        all.push(("cookie".to_owned(), pairs.join("; ")));
    }
    all
}

fn merged(lists: &[&Vec<(String, String)>], same: impl Fn(&str, &str) -> bool) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for (name, value) in lists.iter().copied().flatten() {
        all.retain(|(known, _)| !same(known, name));
        all.push((name.clone(), value.clone()));
    }
    all
}

/// True if an address has a scheme and a host.
pub fn absolute(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

/// True for a character of a header's or a cookie's name (RFC 9110, token).
fn token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Escapes a key for a JSON pointer.
fn segment(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
