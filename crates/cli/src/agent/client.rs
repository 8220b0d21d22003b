//! The other end of the socket: the command of a user who may not write the store is asked of the store's agent, and prints what it
//! prints.

use super::request::OUTPUT;
use super::routes::{LIST, ROUTES, Route, Source, Work, command, option_name};
use super::server::{EXIT, MAX_TEXT_BODY};
use super::{peer, socket};
use crate::args::{self, Arguments, Command};
use crate::cmd::edit;
use crate::cmd::kill::nothing_stopped;
use crate::output::{Exit, Failure, Outcome, Output};
use crate::{cmd, display, identity, store_view};
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches};
use flagstone::audit::Actor;
use flagstone::files::Account;
use flagstone::publish::{AgentConfig, Readers, Right, Store};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

/// The longest wait for an answer: the agent serves no connection for longer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(330);

/// Runs the command, or has the store's agent run it where this user may not.
pub fn ask_or_change(arguments: &Arguments, output: &mut Output) -> Outcome {
    match asked(arguments, output) {
        None => cmd::ask_or_change(arguments, output),
        Some(outcome) => outcome.map_err(|failure| nothing_stopped(&arguments.command, failure)),
    }
}

/// Asks the agent; none where this user runs the command, or no agent takes requests.
fn asked(arguments: &Arguments, output: &mut Output) -> Option<Outcome> {
    let store = identity::open(&identity::store(arguments)?).ok()?;
    if arguments.relayed.is_some() || identity::may_change(&store) {
        return None;
    }
    let typed = args::matches()?;
    let (route, matches) = route_of(&typed)?;
    let stream = socket::connect(&store)?;
    let outcome = request(&store, arguments, route, matches, output)
        .and_then(|request| exchange(&store, stream, request))
        .and_then(|(head, body)| show(route, &head, &body, output));
    Some(outcome)
}

/// The route of a command that only those run who may write the store. What a dry run shows, everybody may see who reads the store.
fn route_of(typed: &ArgMatches) -> Option<(&'static Route, &ArgMatches)> {
    let (mut names, mut matches) = (Vec::new(), typed);
    while let Some((name, nested)) = matches.subcommand() {
        names.push(name);
        matches = nested;
    }
    let is_of = |route: &&Route| matches!(route.source, Source::Command(of) if *of == names[..]);
    let route = ROUTES.iter().find(|route| route.needs_owner() && is_of(route))?;
    let only_asks = |name| matches!(matches.try_get_one(name), Ok(Some(true)));
    (!["dry_run", "check_drift"].into_iter().any(only_asks)).then_some((route, matches))
}

/// The request that runs what was typed.
fn request(
    store: &Store,
    arguments: &Arguments,
    route: &Route,
    matches: &ArgMatches,
    output: &mut Output,
) -> Result<Request<Full<Bytes>>, Failure> {
    let mut members = Map::new();
    let mut path = route.path.to_owned();
    let text = text(&arguments.command)?;
    let command = match route.source {
        Source::Command(names) => command(names),
        _ => None,
    };
    for argument in command.into_iter().flat_map(|command| command.get_arguments()) {
        let id = argument.get_id().as_str();
        let is_text = text.is_some() && ["file", "companies", "from_file"].contains(&id);
        if matches.value_source(id) != Some(ValueSource::CommandLine) || id == "actor" || is_text {
            continue;
        }
        if id == "list" && route.work() == Work::Emergency {
            output.warn("the agent counts for its own list of companies, not for --count-for");
            continue;
        }
        let place = command.and_then(|command| command.get_positionals().position(|known| known == argument));
        let name = match place {
            Some(place) => route.positionals.get(place),
            None if id == "list" => Some(&LIST),
            None => route.options.iter().find(|name| argument.get_long() == Some(&option_name(name))),
        };
        let Some(name) = name else {
            let owner = Account::of(store.judged_owner()).name;
            return Err(Failure::Refused(format!(
                "this user may not write the store, and its agent takes no --{} in a request; nothing was changed. Leave it out, or type \
                 the line as {}",
                argument.get_long().unwrap_or(id),
                display::plain(&owner)
            )));
        };
        let mut values = Vec::new();
        for value in matches.get_raw(id).into_iter().flatten() {
            values.push(value.to_str().ok_or_else(|| {
                Failure::Unknown(format!("{name}: expected text in UTF-8; nothing was changed"))
            })?);
        }
        let part = format!("{{{name}}}");
        let value = match (argument.get_action(), &values[..]) {
            (_, [list]) if *name == LIST => file(Path::new(list))?,
            (ArgAction::Append, values) => json!(values),
            (action, [value]) if action.takes_values() => {
                if path.contains(&part) {
                    let bytes: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
                    path = path.replace(&part, &bytes);
                    continue;
                }
                json!(value)
            }
            _ => json!(true),
        };
        members.insert((*name).to_owned(), value);
    }
    if let (Some(text), Some(input)) = (text, route.text) {
        members.insert(input.member.to_owned(), text);
    }
    let named = matches.try_get_one::<String>("actor").ok().flatten();
    let actor = Actor::named(named.map(String::as_str));
    if actor.account.is_some() {
        members.insert("person".to_owned(), actor.user.into());
    }
    let mut request = Request::post(path).header("host", "flagstone");
    if !arguments.json {
        request = request.header(OUTPUT, "text");
    }
    let body = Full::new(Bytes::from(Value::Object(members).to_string()));
    request.body(body).map_err(|error| Failure::Unknown(error.to_string()))
}

/// The text that the request brings: definitions, or companies, read with this user's rights.
fn text(command: &Command) -> Result<Option<Value>, Failure> {
    Ok(match command {
        Command::Publish(command) => Some(file(&command.file)?),
        Command::Allow(command) | Command::Deny(command) | Command::Forget(command) => {
            Some(json!(edit::named(command)?))
        }
        _ => None,
    })
}

fn file(path: &Path) -> Result<Value, Failure> {
    String::from_utf8(store_view::read(path, MAX_TEXT_BODY as u64)?).map(Value::from).map_err(|_| {
        let name = store_view::file_name(path);
        Failure::Refused(format!("{name}: expected text in UTF-8; nothing was changed"))
    })
}

/// Sends a request to the agent, once it is known to be the store's, and reads the answer.
fn exchange(
    store: &Store,
    stream: UnixStream,
    request: Request<Full<Bytes>>,
) -> Result<(HeaderMap, Bytes), Failure> {
    let not_sent = |error: io::Error| {
        Failure::Unknown(format!("the store's agent cannot be asked: {error}; nothing was changed"))
    };
    let lost = |problem: &str| {
        Failure::Partial(format!(
            "the store's agent did not answer: {problem}; look whether it was done, with `flagstone history`"
        ))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(not_sent)?;
    runtime.block_on(async {
        stream.set_nonblocking(true).map_err(not_sent)?;
        let stream = tokio::net::UnixStream::from_std(stream).map_err(not_sent)?;
        let (owner, found) = (store.judged_owner(), peer::asker(&stream).map_err(not_sent)?);
        if !AgentConfig::default().policy(owner, Readers::Owner).is_owner(&found) {
            return Err(Failure::Refused(format!(
                "the socket of the store's agent is served by user {}, expected root or user {owner}, who owns the store; nothing was sent, \
                 and nothing was changed",
                found.uid
            )));
        }
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| not_sent(io::Error::other(error)))?;
        tokio::spawn(connection);
        let answered = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            Ok::<_, hyper::Error>((head.headers, body.collect().await?.to_bytes()))
        };
        match timeout(ANSWER_TIMEOUT, answered).await {
            Ok(answer) => answer.map_err(|error| lost(&error.to_string())),
            Err(_) => Err(lost("it takes too long")),
        }
    })
}

/// Prints an answer as its command prints it.
fn show(route: &Route, head: &HeaderMap, body: &[u8], output: &mut Output) -> Outcome {
    let code = head.get(EXIT).and_then(|code| code.to_str().ok());
    if route.holder == super::routes::Holder::Of(Right::Export) && code == Some("0") {
        output.bytes(body);
        return Ok(Exit::Yes);
    }
    let mut document: Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
        Failure::Partial(format!("the answer of the store's agent cannot be read: {error}"))
    })?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for warning in document.remove("warnings").iter().filter_map(Value::as_array).flatten() {
        output.warn(text(warning));
    }
    if !output.is_json() {
        document.get("text").map(text).unwrap_or_default().lines().for_each(|line| output.line(line));
    }
    if let Some(error) = document.remove("error") {
        document.iter().for_each(|(name, value)| output.detail(name, value));
        return Err(match code {
            Some("1") => Failure::Refused(text(&error)),
            _ => Failure::Unknown(text(&error)),
        });
    }
    output.json(&document);
    Ok(match code {
        Some("0") => Exit::Yes,
        Some("1") => Exit::No,
        Some("3") => Exit::Elsewhere,
        _ => Exit::Unknown,
    })
}
