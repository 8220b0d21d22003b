//! Probes over HTTP, several at a time.

use super::judge::judge;
use super::{HttpAnswer, Probe, read};
use crate::{display, http};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;
use std::time::{Duration, Instant};
use ureq::http::uri::Authority;
use ureq::http::{HeaderValue, Method, Request, Response, Uri};
use ureq::{Agent, AsSendBody, Body, Error};

/// The longest body that is read, in bytes.
const MAX_BODY_BYTES: u64 = 8 << 20;

/// The result of one request.
#[derive(Debug, Clone)]
pub struct ProbeResult {
    /// Index of the probe in the list.
    pub probe: usize,
    /// The status; none if no answer came.
    pub status: Option<u16>,
    pub took: Duration,
    /// The problem; none if all is as expected.
    pub wrong: Option<String>,
}

/// Sends each probe `repeat` times, with at most `parallel` requests at a time. Every probe is sent once before any is sent again.
pub fn all(probes: &[Probe], repeat: usize, parallel: usize) -> Vec<ProbeResult> {
    let (next, total) = (AtomicUsize::new(0), probes.len() * repeat);
    let done = Mutex::new(Vec::with_capacity(total));
    let send = || {
        let agent = http::agent();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= total {
                return;
            }
            let ran = one(&agent, number % probes.len(), &probes[number % probes.len()]);
            if let Ok(mut done) = done.lock() {
                done.push(ran);
            }
        }
    };
    std::thread::scope(|scope| {
        // One thread sends them all if no more can be started.
        let threads = 0..parallel.min(total);
        let refused = threads.filter_map(|_| Builder::new().spawn_scoped(scope, send).err());
        let refused: Vec<_> = refused.collect();
        if let Some(error) = refused.first().filter(|_| refused.len() == parallel.min(total)) {
            let wrong = Some(format!("no thread can be started to send it: {error}"));
            let took = Duration::ZERO;
            let unsent = (0..probes.len()).map(|probe| ProbeResult {
                probe,
                status: None,
                took,
                wrong: wrong.clone(),
            });
            if let Ok(mut done) = done.lock() {
                done.extend(unsent);
            }
        }
    });
    done.into_inner().unwrap_or_default()
}

fn one(agent: &Agent, number: usize, probe: &Probe) -> ProbeResult {
    let began = Instant::now();
    let answer = send(agent, probe, began);
    let took = began.elapsed();
    match answer {
        Ok(answer) => ProbeResult {
            probe: number,
            status: Some(answer.status),
            took,
            wrong: judge(&probe.expect, &answer),
        },
        Err(error) => ProbeResult { probe: number, status: None, took, wrong: Some(error) },
    }
}

/// Sends a probe, and follows its redirects up to the limit.
fn send(agent: &Agent, probe: &Probe, began: Instant) -> Result<HttpAnswer, String> {
    let mut hop = Hop::first(probe);
    for left in (0..=probe.redirects).rev() {
        let answer = exchange(agent, &hop, began)?;
        let location = answer.headers.iter().find(|(name, _)| name == "location").map(|(_, to)| to.clone());
        match (location.filter(|_| probe.redirects > 0 && (300..400).contains(&answer.status)), left) {
            (None, _) => return Ok(answer),
            (Some(_), 0) => break,
            (Some(to), _) => hop.follow(answer.status, &to)?,
        }
    }
    Err(format!("more redirects than {}", probe.redirects))
}

fn exchange(agent: &Agent, hop: &Hop<'_>, began: Instant) -> Result<HttpAnswer, String> {
    let timeout = hop.probe.timeout;
    let mut request = Request::builder().method(hop.method).uri(&hop.url);
    for (name, value) in hop.headers {
        request = request.header(name, value);
    }
    let no_request = |_| "cannot be sent: the address is none".to_owned();
    let left = timeout.saturating_sub(began.elapsed()).max(Duration::from_millis(1));
    let mut response = match hop.body {
        Some(body) => run(agent, left, request.body(body).map_err(no_request)?),
        None => run(agent, left, request.body(()).map_err(no_request)?),
    }
    .map_err(|error| describe_error(&error, timeout))?;
    let status = response.status().as_u16();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers =
        response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let read = response.body_mut().with_config().limit(MAX_BODY_BYTES).read_to_vec();
    let body = read.map_err(|error| format!("status {status}, then {}", describe_error(&error, timeout)))?;
    Ok(HttpAnswer { status, headers, body, took: began.elapsed() })
}

fn run(agent: &Agent, left: Duration, request: Request<impl AsSendBody>) -> Result<Response<Body>, Error> {
    agent.run(agent.configure_request(request).timeout_global(Some(left)).build())
}

/// One request of a probe: its own, or one after a redirect.
struct Hop<'a> {
    probe: &'a Probe,
    method: &'a str,
    url: String,
    headers: &'a [(String, String)],
    body: Option<&'a str>,
}

impl<'a> Hop<'a> {
    fn first(probe: &'a Probe) -> Hop<'a> {
        let Probe { method, url, headers, body, .. } = probe;
        Hop { probe, method, url: url.clone(), headers, body: body.as_deref() }
    }

    /// Follows a redirect: on the same host with the company's headers, elsewhere without. A body goes to no other host: it may be a
    /// login.
    fn follow(&mut self, status: u16, to: &str) -> Result<(), String> {
        let from =
            self.url.parse::<Uri>().map_err(|_| "cannot be followed: the address is none".to_owned())?;
        let to = to.split('#').next().unwrap_or("");
        let path = || from.path().rsplit_once('/').map_or("", |(above, _)| above);
        let (scheme, host) =
            (from.scheme_str().unwrap_or("http"), from.authority().map_or("", Authority::as_str));
        self.url = match () {
            () if read::absolute(to) => to.to_owned(),
            () if to.starts_with("//") => format!("{scheme}:{to}"),
            () if to.starts_with('/') => format!("{scheme}://{host}{to}"),
            () if to.starts_with('?') => format!("{scheme}://{host}{}{to}", from.path()),
            () => format!("{scheme}://{host}{}/{to}", path()),
        };
        let next = self.url.parse::<Uri>().map_err(|_| "redirects to what is no address".to_owned())?;
        // The same as browsers do.
        if status == 303 || matches!(status, 301 | 302) && self.method == "POST" {
            (self.method, self.body) = ("GET", None);
        }
        if (next.scheme_str(), next.authority()) != (from.scheme_str(), from.authority()) {
            self.headers = &[];
            if self.body.is_some() {
                return Err(format!("status {status} redirects to another host, where its body is not sent"));
            }
        }
        Ok(())
    }
}

/// An error without the address, which may hold values from the environment.
fn describe_error(error: &Error, timeout: Duration) -> String {
    match error {
        Error::Timeout(_) => format!("no whole answer within {} ms", timeout.as_millis()),
        Error::Io(error) => format!("no answer: {error}"),
        Error::HostNotFound => "no answer: there is no such host".to_owned(),
        Error::BodyExceedsLimit(_) => format!("a body of more than {} MiB", MAX_BODY_BYTES >> 20),
        Error::BadUri(_) | Error::Http(_) => "cannot be sent: the address is none".to_owned(),
        error => format!("no answer: {}", display::plain(&error.to_string())),
    }
}

/// True if HTTP allows the letters of this method.
pub fn method(name: &str) -> bool {
    Method::from_bytes(name.as_bytes()).is_ok()
}
