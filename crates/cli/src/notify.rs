//! The sender of notifications: what each endpoint was not told yet, in order, until it does not answer.
//!
//! Every endpoint has a thread of its own, so that one that hangs delays no other; a change does not wait for any of them.

use crate::{http, words};
use flagstone::notify::{Cursor, Endpoint, Event, Format, signature};
use flagstone::store::{NamedFile, Store};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use ureq::Agent;

/// An endpoint that has not answered by then is tried again later.
const TIMEOUT: Duration = Duration::from_secs(10);
/// One round sends no longer to one endpoint; the rest is sent in the next.
const ROUND: Duration = Duration::from_secs(20);

/// What one round did for one endpoint.
pub struct Told {
    pub endpoint: String,
    /// Events acknowledged.
    pub sent: u64,
    /// Events given up.
    pub dead: u64,
    /// Why the next one is not acknowledged.
    pub problem: Option<String>,
}

/// Sends what is due at `now`, in microseconds since 1970, to all endpoints. Takes at most 30 seconds, whatever they do.
///
/// # Errors
///
/// When the config cannot be read. What is wrong with one endpoint is told of that one.
pub fn deliver_due(store: &Store, now: i64) -> Result<Vec<Told>, String> {
    let config = store.config().map_err(|error| error.to_string())?;
    if let Some(ignored) = config.ignored {
        return Err(ignored);
    }
    Ok(thread::scope(|scope| {
        let threads: Vec<_> = config
            .notify
            .iter()
            .map(|(name, endpoint)| (name, scope.spawn(move || deliver(store, name.as_str(), endpoint, now))))
            .collect();
        let ended = threads.into_iter().map(|(name, thread)| {
            thread.join().unwrap_or_else(|_| Told {
                endpoint: name.as_str().to_owned(),
                sent: 0,
                dead: 0,
                problem: Some("the sender failed".to_owned()),
            })
        });
        ended.collect()
    }))
}

fn deliver(store: &Store, name: &str, endpoint: &Endpoint, now: i64) -> Told {
    let mut told = Told { endpoint: name.to_owned(), sent: 0, dead: 0, problem: None };
    if let Err(problem) = round(store, endpoint, now, &mut told) {
        told.problem = Some(problem);
    }
    told
}

fn round(store: &Store, endpoint: &Endpoint, now: i64, told: &mut Told) -> Result<(), String> {
    let failed = |error: flagstone::store::StoreError| error.to_string();
    let Some(sender) = store.sender(&told.endpoint).map_err(failed)? else { return Ok(()) };
    let unsent = store.unsent(sender.cursor.as_ref()).map_err(failed)?;
    let Some(mut cursor) = sender.cursor.clone() else {
        // It hears of what happens from now on.
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
        if endpoint.takes(record) {
            if began.elapsed() > ROUND {
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
    if began.elapsed() <= ROUND {
        cursor.seen = unsent.audited;
    }
    match cursor == before {
        true => Ok(()),
        false => sender.save(&cursor).map_err(failed),
    }
}

/// From 0 to 1, another in each process and at each moment.
fn jitter() -> f64 {
    let mixed =
        words::now().unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(std::process::id());
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

/// How to reach an endpoint.
struct Way {
    agent: Agent,
    url: String,
    secret: Option<Vec<u8>>,
}

/// Why an event was not acknowledged.
struct Refused {
    problem: String,
    /// It never will be.
    never: bool,
    /// The endpoint asks not to be tried for so long, in microseconds.
    wait: Option<i64>,
}

impl Refused {
    /// Tried again later.
    fn for_now(problem: impl Into<String>) -> Refused {
        Refused { problem: problem.into(), never: false, wait: None }
    }
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
            let seconds = words::now().div_euclid(1_000_000);
            request = request.header("X-Flagstone-Signature", signature(secret, seconds, &body));
        }
        // The address may be a secret, so no message has it.
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

/// Microseconds of a `Retry-After` in seconds. One that is a date is left to the usual pauses.
fn retry_after(value: &str) -> Option<i64> {
    value.trim().parse::<u32>().ok().map(|seconds| i64::from(seconds) * 1_000_000)
}

/// The first line of a file that not everybody reads.
fn secret(store: &Store, path: &Path) -> Result<Vec<u8>, String> {
    let text = store.read_named(path, NamedFile::Secret);
    let text = text.map_err(|error| words::plain(&error.to_string()).into_owned())?;
    match text.trim_ascii() {
        [] => Err(format!("{} is empty, expected one line", words::plain(&path.to_string_lossy()))),
        line => Ok(line.to_vec()),
    }
}
