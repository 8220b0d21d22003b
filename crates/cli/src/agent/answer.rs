//! The answer to a request: its command is run as if it had been typed, and its JSON is the body.

use super::request::{Part, Typed};
use super::routes::{Method, Page, Route, Source};
use crate::args::{Arguments, Command, Show};
use crate::companies::Companies;
use crate::output::{Collected, Exit, Failure, Outcome, Output};
use crate::{args, cmd, display, inputs, store_view};
use flagstone::Key;
use flagstone::audit::Actor;
use flagstone::definition::Bucketing;
use flagstone::eval::{BUCKETS, bucket, crc32_bucket, seed};
use flagstone::store::View;
use serde_json::{Value, json};

/// An answer.
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    /// The exit code that the command would have.
    pub code: u8,
}

impl Reply {
    /// A refusal that no command made.
    pub fn refusal(status: u16, message: impl Into<String>) -> Reply {
        Reply::of(status, &json!({ "error": message.into() }), 2)
    }

    /// A document.
    pub fn of(status: u16, document: &Value, code: u8) -> Reply {
        let text = match document {
            Value::Null => String::new(),
            document => format!("{}\n", display::visible_json(&document.to_string())),
        };
        Reply { status, body: text.into_bytes(), code }
    }
}

/// Runs the command of a route. `view` is what workers see of the store.
pub fn run(route: &Route, typed: Typed, asking: Actor, view: Option<&View>, is_text: bool) -> Reply {
    let Typed { arguments, mut texts, part, flag, is_forced } = typed;
    let arguments = match args::of_request(arguments, asking) {
        Ok(arguments) => Arguments { json: !is_text, ..arguments },
        Err(problem) => return Reply::refusal(422, problem),
    };
    let mut output = Output::collecting(!is_text);
    let outcome = match route.source {
        Source::Buckets => buckets(&arguments, &texts.remove(inputs::STDIN).unwrap_or_default(), &mut output),
        _ => inputs::with_texts(texts, || cmd::ask_or_change(&arguments, &mut output)),
    };
    let collected = output.collected(outcome);
    let is_unknown = !is_forced && flag.is_some_and(|flag| view.is_some_and(|view| is_unknown(view, &flag)));
    let status = status(route, &collected, is_unknown);
    let Collected { mut document, verbatim, code, .. } = collected;
    if let Some(body) = verbatim {
        return Reply { status, body, code };
    }
    if let Some(page) = route.page.filter(|_| status == 200) {
        take_part(&mut document, page, &part);
    }
    Reply::of(status, &document, code)
}

/// True if a snapshot is served and has no such flag.
pub fn is_unknown(view: &View, flag: &str) -> bool {
    view.snapshot.as_ref().is_some_and(|snapshot| snapshot.find(flag.as_bytes()).is_none())
}

/// The status for an exit code. A question is answered by yes and by no; a change that was not made is a conflict.
fn status(route: &Route, collected: &Collected, is_unknown: bool) -> u16 {
    let is_health = route.source == Source::Command(&["health"]);
    match collected.code {
        0 | 3 => 200,
        1 if is_health => 503,
        1 if route.method == Method::Get && !collected.is_failure => 200,
        _ if is_unknown => 404,
        1 => 409,
        _ => 503,
    }
}

/// Leaves a part of a list, and says which.
fn take_part(document: &mut Value, page: Page, part: &Part) {
    // A command that leaves out what no page up to this one has says how many there are.
    let total = document["total"].as_u64();
    let Some(items) = document.get_mut(page.member).and_then(Value::as_array_mut) else { return };
    let mut found = std::mem::take(items);
    if let (Some(member), Some(q)) = (page.searched, &part.q) {
        let q = q.to_lowercase();
        found.retain(|item| item[member].as_str().is_some_and(|text| text.to_lowercase().contains(&q)));
    }
    if page.newest_first {
        found.reverse();
    }
    let total = total.unwrap_or(found.len() as u64);
    items.extend(found.into_iter().skip(part.offset).take(part.limit));
    document["page"] = json!({ "total": total, "offset": part.offset, "limit": part.limit });
}

/// Prints the bucket of each company of a list: it is in at every percentage above that, unless a list or a rule says otherwise.
fn buckets(arguments: &Arguments, list: &[u8], output: &mut Output) -> Outcome {
    let Command::Show(Show { flag: key }) = &arguments.command else {
        unreachable!("the route's command is show")
    };
    let served = store_view::served(arguments, output)?;
    served.flag(key)?;
    let (key, definitions) = (served.current_key(key), served.definitions()?);
    let Some(flag) = definitions.flags.get(key) else {
        return Err(Failure::Unknown("the snapshot's definitions do not hold the flag".to_owned()));
    };
    let rollout = flag.rollout.as_ref();
    if let Some(rollout) = rollout.filter(|rollout| rollout.by != "company") {
        return Err(Failure::Refused(format!(
            "{} is rolled out by {}, and companies have no buckets in it",
            display::plain(key),
            display::plain(&rollout.by)
        )));
    }
    let (seed, is_crc32) = (
        seed(flag.salt(key).as_bytes()),
        rollout.is_some_and(|rollout| rollout.bucketing == Bucketing::Crc32),
    );
    let companies = Companies::read("companies", list)?;
    let one = |company: Key<'_>| {
        let bucket = if is_crc32 { crc32_bucket(company) } else { bucket(company, seed) };
        json!({ "company": display::key_json(company), "bucket": bucket })
    };
    output.json(&json!({
        "flag": key,
        "of": BUCKETS,
        "buckets": companies.keys().into_iter().map(one).collect::<Vec<_>>(),
        "environment": served.environment,
        "generation": served.view.generation,
    }));
    Ok(Exit::Yes)
}
