//! The sender of notifications: it sends each endpoint its outstanding events in order, until one is not acknowledged.
//!
//! Every endpoint has a thread of its own, so that a hanging one delays no other; a change does not wait for any of them.

use crate::{display, http};
use flagstone::audit::SettledChange;
use flagstone::guard::NoticeKind;
use flagstone::notify::{Cursor, Endpoint, Event, Format, signature};
use flagstone::publish::{NamedFile, Store};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use ureq::Agent;

/// Timeout for an endpoint's answer; the event is tried again later.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most time that one round spends on one endpoint; the rest is sent in the next.
const ROUND_LIMIT: Duration = Duration::from_secs(20);

/// The result of one round for one endpoint.
pub struct RoundResult {
    pub endpoint: String,
    /// The number of acknowledged events.
    pub sent: u64,
    /// The number of events given up.
    pub dead: u64,
    /// The reason that the next event is not acknowledged.
    pub problem: Option<String>,
}

/// Sends what is due at `now`, in microseconds since 1970, to all endpoints. Takes at most 30 seconds, whatever they do.
///
/// # Errors
///
/// When the config cannot be read. A problem of one endpoint is in its result.
pub fn deliver_due(store: &Store, now: i64) -> Result<Vec<RoundResult>, String> {
    let config = store.config().map_err(|error| error.to_string())?;
    if let Some(ignored) = config.ignored {
        return Err(ignored);
    }
    Ok(thread::scope(|scope| {
        let threads: Vec<_> = config
            .notify
            .iter()
            .map(|(name, endpoint)| {
                let send = move || deliver(store, name.as_str(), endpoint, now);
                (name, thread::Builder::new().spawn_scoped(scope, send))
            })
            .collect();
        let ended = threads.into_iter().map(|(name, thread)| {
            let told = match thread {
                Ok(thread) => thread.join().map_err(|_| "the sender failed".to_owned()),
                Err(error) => Err(format!("no thread can be started to send: {error}")),
            };
            told.unwrap_or_else(|problem| RoundResult {
                endpoint: name.as_str().to_owned(),
                sent: 0,
                dead: 0,
                problem: Some(problem),
            })
        });
        ended.collect()
    }))
}

fn deliver(store: &Store, name: &str, endpoint: &Endpoint, now: i64) -> RoundResult {
    let mut told = RoundResult { endpoint: name.to_owned(), sent: 0, dead: 0, problem: None };
    if let Err(problem) = round(store, endpoint, now, &mut told) {
        told.problem = Some(problem);
    }
    told
}

fn round(store: &Store, endpoint: &Endpoint, now: i64, told: &mut RoundResult) -> Result<(), String> {
    let failed = |error: flagstone::StoreError| error.to_string();
    let Some(sender) = store.sender(&told.endpoint).map_err(failed)? else { return Ok(()) };
    let unsent = store.unsent(sender.cursor.as_ref()).map_err(failed)?;
    let Some(mut cursor) = sender.cursor.clone() else {
        // A new endpoint gets the events from now on.
        let (seq, at) = unsent.last.unwrap_or_default();
        return sender.save(&Cursor { seq, at, ..Cursor::default() }).map_err(failed);
    };
    if !cursor.due(now) {
        told.problem = cursor.pending.map(|pending| pending.problem);
        return Ok(());
    }
    let began = Instant::now();
    let before = cursor.clone();
    let mut way = None;
    for change in &unsent.changes {
        let record = &change.record;
        if endpoint.takes(change) {
            if began.elapsed() > ROUND_LIMIT {
                break;
            }
            let event = Event::new(&store.id(), change);
            let way = match &way {
                Some(way) => way,
                None => way.insert(Way::find(store, endpoint)?),
            };
            match way.send(&event, endpoint.format) {
                Ok(()) => told.sent += 1,
                Err(refused) => {
                    let now = now.saturating_add(i64::try_from(began.elapsed().as_micros()).unwrap_or(0));
                    if !cursor.failed(event.seq, refused.problem.clone(), refused.never, now, jitter()) {
                        if let Some(pause) = refused.wait {
                            cursor.wait(pause, now);
                        }
                        told.problem = Some(refused.problem);
                        return sender.save(&cursor).map_err(failed);
                    }
                    told.dead += 1;
                }
            }
            cursor.pending = None;
            cursor.seen = 0;
            cursor.pass(record.seq, &record.at, unsent.open);
            sender.save(&cursor).map_err(failed)?;
        } else {
            cursor.pass(record.seq, &record.at, unsent.open);
        }
    }
    if began.elapsed() <= ROUND_LIMIT {
        cursor.seen = unsent.audited;
    }
    match cursor == before {
        true => Ok(()),
        false => sender.save(&cursor).map_err(failed),
    }
}

/// Sends a notice that is in no trail, since the store cannot be written, to the endpoints that take it and that `to` accepts. Returns
/// those reached.
pub fn send_unrecorded(
    store: &Store,
    notice: NoticeKind,
    text: &str,
    now: i64,
    to: impl Fn(&str) -> bool,
) -> Vec<String> {
    let settled = SettledChange::unrecorded(notice, store.environment(), text.to_owned(), now);
    let event = Event::new(&store.id(), &settled);
    let config = store.config().unwrap_or_default();
    let endpoints = config.notify.iter().map(|(name, endpoint)| (name.as_str(), endpoint));
    let takes = |(name, endpoint): &(&str, &Endpoint)| endpoint.takes(&settled) && to(name);
    let reached = endpoints.filter(takes).filter(|(_, endpoint)| {
        Way::find(store, endpoint).is_ok_and(|way| way.send(&event, endpoint.format).is_ok())
    });
    reached.map(|(name, _)| name.to_owned()).collect()
}

/// A number from 0 to 1, different in each process and at each moment.
fn jitter() -> f64 {
    let mixed = flagstone::time::now().unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ u64::from(std::process::id());
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

/// The connection to an endpoint.
struct Way {
    agent: Agent,
    url: String,
    secret: Option<Vec<u8>>,
}

/// The reason that an event was not acknowledged.
struct Refused {
    problem: String,
    /// True if it never will be.
    never: bool,
    /// The pause that the endpoint asks for, in microseconds.
    wait: Option<i64>,
}

impl Refused {
    /// A refusal of an event that is tried again later.
    fn for_now(problem: impl Into<String>) -> Refused {
        Refused { problem: problem.into(), never: false, wait: None }
    }
}

/// The reason that nothing can be sent to that endpoint, as far as its files tell.
pub fn problem(store: &Store, endpoint: &Endpoint) -> Option<String> {
    Way::find(store, endpoint).err()
}

impl Way {
    fn find(store: &Store, endpoint: &Endpoint) -> Result<Way, String> {
        let url = match (&endpoint.url, &endpoint.url_file) {
            (Some(url), _) => url.clone(),
            (None, Some(file)) => String::from_utf8_lossy(&secret(store, file)?).into_owned(),
            (None, None) => return Err("it has no address".to_owned()),
        };
        let secret = endpoint.secret_file.as_deref().map(|file| secret(store, file)).transpose()?;
        Ok(Way { agent: http::agent(), url, secret })
    }

    fn send(&self, event: &Event, format: Format) -> Result<(), Refused> {
        let body = event.body(format);
        let mut request = self
            .agent
            .post(&self.url)
            .config()
            .timeout_global(Some(TIMEOUT))
            .build()
            .header("Content-Type", "application/json")
            .header("X-Flagstone-Event", &event.id);
        if let Some(secret) = &self.secret {
            let seconds = flagstone::time::now().div_euclid(1_000_000);
            request = request.header("X-Flagstone-Signature", signature(secret, seconds, &body));
        }
        // The address may be a secret, so no message includes it.
        let (status, wait) = match request.send(body.as_str()) {
            Ok(answer) => {
                let wait =
                    answer.headers().get("retry-after").and_then(|value| retry_after(value.to_str().ok()?));
                (answer.status().as_u16(), wait)
            }
            Err(ureq::Error::Timeout(_)) => {
                return Err(Refused::for_now(format!("no answer within {} s", TIMEOUT.as_secs())));
            }
            Err(ureq::Error::Io(error)) => {
                return Err(Refused::for_now(format!("no answer: {}", error.kind())));
            }
            Err(ureq::Error::HostNotFound) => {
                return Err(Refused::for_now("there is no such host"));
            }
            Err(_) => {
                return Err(Refused::for_now("it cannot be reached by HTTP"));
            }
        };
        match status {
            200..=299 => Ok(()),
            _ => {
                let never = matches!(status, 400 | 410 | 413 | 422);
                Err(Refused { problem: format!("it answered with status {status}"), never, wait })
            }
        }
    }
}

/// Microseconds of a `Retry-After` in seconds. A date is left to the usual pauses.
fn retry_after(value: &str) -> Option<i64> {
    value.trim().parse::<u32>().ok().map(|seconds| i64::from(seconds) * 1_000_000)
}

/// The first line of a file that must not be readable by every user.
fn secret(store: &Store, path: &Path) -> Result<Vec<u8>, String> {
    let text = store.read_named(path, NamedFile::Secret);
    let text = text.map_err(|error| display::plain(&error.to_string()).into_owned())?;
    match text.trim_ascii() {
        [] => Err(format!("{} is empty, expected one line", display::plain(&path.to_string_lossy()))),
        line => Ok(line.to_vec()),
    }
}
