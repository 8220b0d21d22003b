//! HTTP/1.1 on the socket.
//!
//! One thread reads and writes all connections and waits for none of them. Commands run in threads of their own, a few at a time; a kill
//! waits for no other command.

use super::answer::{self, Reply};
use super::limits::{Connection, Limits, MAX_READS, MAX_RUNNING_CHANGES, Standing};
use super::peer;
use super::request::{Misunderstood, OUTPUT, Parameters, Typed, segments};
use super::routes::{Holder, Method, Route, Source, Work, of_path};
use super::socket::Socket;
use crate::output::Output;
use crate::{display, identity};
use flagstone::audit::Actor;
use flagstone::publish::{AgentConfig, AgentCounts, Asker, Policy, Readers, Right};
use flagstone::store::{Reader, ReaderOptions, View};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use std::convert::Infallible;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::UnixStream;
use tokio::sync::{AcquireError, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout, timeout_at};

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 16 << 10;
/// The most headers of a request.
const MAX_HEADERS: usize = 64;
/// The longest body, in bytes.
const MAX_BODY: usize = 1 << 20;
/// The longest body with a text of its own, in bytes: definitions, or a list of companies.
pub const MAX_TEXT_BODY: usize = 16 << 20;
/// Timeout for a request's head, and again for its body.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout for other requests that run.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);
/// The time after which a connection takes no further request, and then the time that its last answer may take.
const CONNECTION_AGE: Duration = Duration::from_secs(300);
const LAST_ANSWER: Duration = Duration::from_secs(30);
/// The age at which the policy is read again.
const POLICY_AGE: Duration = Duration::from_secs(1);
/// Timeout for the policy, whose names a directory of users may have to tell.
const POLICY_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause between two attempts to make the socket and between two looks at its path, and that after a connection that could not be taken.
const RETRY: Duration = Duration::from_secs(5);
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// The header that names the person who asks, as a claim.
const PERSON: &str = "flagstone-person";
/// The header with the command's exit code.
pub const EXIT: &str = "flagstone-exit";

/// The agent, as all its connections share it.
pub struct Agent {
    directory: PathBuf,
    memory: PathBuf,
    log: Mutex<Output>,
    policy: Mutex<ReadPolicy>,
    /// Held by the request that reads the policy.
    reading: Arc<tokio::sync::Mutex<()>>,
    reader: Mutex<Option<Arc<Reader>>>,
    limits: Arc<Limits>,
    reads: Arc<Semaphore>,
    changes: Arc<Semaphore>,
    /// The number of changes that run.
    changing: AtomicUsize,
    counts: Mutex<AgentCounts>,
}

/// The policy, and when its reading began.
#[derive(Default)]
struct ReadPolicy {
    policy: Arc<Policy>,
    owner: Option<u32>,
    read: Option<Instant>,
    problem: Option<String>,
}

/// The user at the other end of a connection, which counts until all that was asked on it has ended.
struct Client {
    asker: Asker,
    _counted: Connection,
}

type Answer = Response<Full<Bytes>>;

/// The socket, or why there is none; no reason where the store cannot be opened, which the plans report.
pub type MadeSocket = Result<Socket, Option<String>>;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Agent {
    pub fn new(directory: PathBuf, memory: PathBuf, log: Output) -> Agent {
        Agent {
            directory,
            memory,
            log: Mutex::new(log),
            policy: Mutex::default(),
            reading: Arc::default(),
            reader: Mutex::default(),
            limits: Arc::default(),
            reads: Arc::new(Semaphore::new(MAX_READS)),
            changes: Arc::new(Semaphore::new(MAX_RUNNING_CHANGES)),
            changing: AtomicUsize::new(0),
            counts: Mutex::default(),
        }
    }

    /// True while a change runs, which should end before the process does.
    pub fn is_changing(&self) -> bool {
        self.changing.load(Ordering::SeqCst) > 0
    }

    /// What was counted since the agent began.
    pub fn counts(&self) -> AgentCounts {
        locked(&self.counts).clone()
    }

    /// Makes the socket, once that can be done, and serves it for as long as the process lives; makes it again where its path is lost.
    pub async fn serve(self: Arc<Agent>, mut made: MadeSocket) {
        let (mut told, mut is_first) = (None, true);
        loop {
            match made {
                Ok(socket) => {
                    let path = display::plain(&socket.path.to_string_lossy()).into_owned();
                    // The daemon's first line tells of one that was made at once.
                    if !is_first {
                        locked(&self.log).line(format!("requests are taken at {path}"));
                    }
                    self.take_all(socket).await;
                    self.warn(&format!(
                        "{path} leads to another file or none by now: the socket is made again"
                    ));
                    told = None;
                }
                Err(problem) => {
                    if let Some(why) = problem.as_deref().filter(|_| told != problem) {
                        self.warn(&format!("no requests are taken: {why}; tried again until it works"));
                        told = problem;
                    }
                    sleep(RETRY).await;
                }
            }
            is_first = false;
            let agent = Arc::clone(&self);
            made = spawn_blocking(move || agent.listen()).await.unwrap_or(Err(None));
        }
    }

    /// Takes the connections of a socket, until it is lost.
    async fn take_all(self: &Arc<Agent>, socket: Socket) {
        let listener = socket.listener.try_clone().and_then(tokio::net::UnixListener::from_std);
        let (Ok(listener), socket) = (listener, Arc::new(socket)) else { return sleep(RETRY).await };
        loop {
            let until = tokio::time::Instant::now() + RETRY;
            while let Ok(accepted) = timeout_at(until, listener.accept()).await {
                match accepted {
                    Ok((stream, _)) => self.take(stream),
                    // Without a free descriptor, the connection stays in the kernel's queue.
                    Err(_) => sleep(ACCEPT_RETRY).await,
                }
            }
            let looked_at = Arc::clone(&socket);
            if spawn_blocking(move || looked_at.is_lost()).await.unwrap_or(false) {
                return;
            }
        }
    }

    /// Makes the socket; `handed` is the one that the service manager made.
    pub fn begin(&self, handed: Option<UnixListener>) -> MadeSocket {
        match handed.map(Socket::handed) {
            None => self.listen(),
            Some(socket) => {
                self.read_policy();
                socket.map_err(Some)
            }
        }
    }

    fn listen(&self) -> MadeSocket {
        let store = identity::open(&self.directory).map_err(|_| None)?;
        let config = store.config().map(|config| config.agent).unwrap_or_default();
        self.read_policy();
        Socket::listen(&store, &config).map_err(Some)
    }

    fn warn(&self, text: &str) {
        locked(&self.log).warn(format!("agent: {text}"));
    }

    /// Serves a connection, unless there are too many.
    fn take(self: &Arc<Agent>, stream: UnixStream) {
        let Ok(asker) = peer::asker(&stream) else { return };
        let policy = Arc::clone(&locked(&self.policy).policy);
        let standing = match policy.is_owner(&asker) {
            true => Standing::Owner,
            false if policy.names(&asker) => Standing::Named,
            false => Standing::Other,
        };
        match self.limits.connect(asker.uid, standing, Instant::now()) {
            Some(counted) => {
                locked(&self.counts).connections += 1;
                let client = Arc::new(Client { asker, _counted: counted });
                tokio::spawn(Arc::clone(self).connection(stream, client));
            }
            None => {
                locked(&self.counts).refused_connections += 1;
                // Best effort: it fits into the socket's buffer.
                let _ = stream.try_write(
                    b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\n\
                      content-length: 33\r\n\r\n{\"error\":\"too many connections\"}\n",
                );
            }
        }
    }

    async fn connection(self: Arc<Agent>, stream: UnixStream, client: Arc<Client>) {
        let agent = &self;
        let service = service_fn(move |request| {
            let (agent, client) = (Arc::clone(agent), Arc::clone(&client));
            async move { Ok::<_, Infallible>(agent.answer(&client, request).await) }
        });
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(READ_TIMEOUT)
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEAD)
            .max_buf_size(MAX_HEAD)
            .half_close(true);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        // A client that reads nothing ends with the second timeout.
        if timeout(CONNECTION_AGE, connection.as_mut()).await.is_err() {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(LAST_ANSWER, connection).await;
        }
    }

    async fn answer(self: &Arc<Agent>, client: &Arc<Client>, request: Request<Incoming>) -> Answer {
        let mut holder = None;
        let answer = self.answer_by_route(client, request, &mut holder).await;
        let right = match holder {
            Some(Holder::Of(right)) => right.to_string(),
            Some(Holder::Owner) => "owner".to_owned(),
            None => "none".to_owned(),
        };
        *locked(&self.counts)
            .answers
            .entry(right)
            .or_default()
            .entry(answer.status().as_u16())
            .or_default() += 1;
        answer
    }

    /// Answers, and says who may ask for the route, if there is one.
    async fn answer_by_route(
        self: &Arc<Agent>,
        client: &Arc<Client>,
        request: Request<Incoming>,
        holder: &mut Option<Holder>,
    ) -> Answer {
        let (token, asker) = (|| self.token(), &client.asker);
        let path = match segments(request.uri().path()) {
            Ok(path) => path,
            Err(problem) => return respond(Reply::refusal(400, problem), token()),
        };
        let found = of_path(&path);
        let named = |method: &Method| method.as_str() == request.method().as_str();
        let Some((route, parameters)) = found.iter().find(|(route, _)| named(&route.method)) else {
            if found.is_empty() {
                return respond(
                    Reply::refusal(404, "there is no such route; docs/api.md lists them"),
                    token(),
                );
            }
            let methods: Vec<_> = found.iter().map(|(route, _)| route.method.as_str()).collect();
            let methods = methods.join(", ");
            let problem = format!("found the method {}, expected {methods}", request.method());
            let mut answer = respond(Reply::refusal(405, problem), token());
            answer.headers_mut().extend(HeaderValue::from_str(&methods).map(|value| (ALLOW, value)));
            return answer;
        };
        *holder = Some(route.holder);
        let Some(policy) = self.policy(asker).await else {
            let problem = "who may do that cannot be read in time; try again. Nothing was changed";
            return respond(Reply::refusal(503, problem), token());
        };
        if let Some(refused) = refused(&policy, asker, route.holder).await {
            return respond(refused, token());
        }
        if route.source == Source::Token {
            let headers = request.headers().clone();
            return match self.read(asker, route, parameters.clone(), request).await {
                Ok(_) => self.answer_token(&headers),
                Err(refused) => respond(refused, token()),
            };
        }
        if let Err(wait) = self.limits.request(asker.uid, route.work(), Instant::now()) {
            let seconds = wait.as_secs() + 1;
            let problem = format!("too many changes within a minute; the next is taken in {seconds} s");
            let mut answer = respond(Reply::refusal(429, problem), token());
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            return answer;
        }
        let reply = async {
            let understood = self.read(asker, route, parameters.clone(), request).await?;
            // A kill of any other key takes a place that the kills of flags need.
            if understood.typed.is_forced
                && route.work() == Work::Emergency
                && !self.has_flag(&understood.typed)
            {
                refused(&policy, asker, Holder::Of(Right::Change)).await.map_or(Ok(()), Err)?;
            }
            Ok(self.run(client, route, understood).await)
        };
        respond(reply.await.unwrap_or_else(|refused| refused), token())
    }

    /// Reads the rest of a request.
    async fn read(
        &self,
        asker: &Asker,
        route: &Route,
        path: Vec<(&'static str, String)>,
        request: Request<Incoming>,
    ) -> Result<Understood, Reply> {
        let wrong = |problem: Misunderstood| Reply::refusal(422, problem);
        let mut parameters = Parameters::default();
        parameters.add_path(path);
        let header = request.headers().get(PERSON);
        let mut person = header.map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
        let is_text = request.headers().get(OUTPUT).is_some_and(|value| value == "text");
        let mut counted = None;
        match route.method {
            Method::Get => parameters.add_query(request.uri().query().unwrap_or_default()).map_err(wrong)?,
            Method::Post if request.uri().query().is_some() => {
                return Err(wrong("found a query, expected the parameters in the body, as JSON".to_owned()));
            }
            Method::Post => {
                let limit = if route.text.is_some() || route.takes_list() { MAX_TEXT_BODY } else { MAX_BODY };
                let (body, bytes) = self.body(asker, request.into_body(), limit).await?;
                counted = Some(bytes);
                parameters.add_body(&body).map_err(wrong)?;
                person = parameters.take("person").map_err(wrong)?.or(person);
            }
        }
        let typed = Typed::of(route, parameters, &self.directory, &self.memory).map_err(wrong)?;
        Ok(Understood { typed, person, is_text, counted })
    }

    async fn body(
        &self,
        asker: &Asker,
        body: Incoming,
        limit: usize,
    ) -> Result<(Bytes, super::limits::Body), Reply> {
        let too_large = || {
            Reply::refusal(
                413,
                format!("found a body of more than {} MiB, expected at most that", limit >> 20),
            )
        };
        let announced = body.size_hint();
        if announced.lower() > limit as u64 {
            return Err(too_large());
        }
        let most = announced.upper().map_or(limit, |upper| limit.min(upper as usize));
        let counted = self.limits.body(asker.uid, most);
        let counted = counted.ok_or_else(|| Reply::refusal(429, "too many large requests at a time"))?;
        match timeout(READ_TIMEOUT, Limited::new(body, limit).collect()).await {
            Err(_) => Err(Reply::refusal(408, "the body did not come within 10 s")),
            Ok(Ok(body)) => Ok((body.to_bytes(), counted)),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(error)) => Err(Reply::refusal(400, format!("the body cannot be read: {error}"))),
        }
    }

    /// Runs the command when its turn has come.
    async fn run(
        self: &Arc<Agent>,
        client: &Arc<Client>,
        route: &'static Route,
        understood: Understood,
    ) -> Reply {
        let uid = client.asker.uid;
        let queue = match route.work() {
            Work::Read => Some(&self.reads),
            Work::Change => Some(&self.changes),
            // It may wait long for other machines, and nobody's kill waits for that: its connection bounds it.
            Work::Emergency => None,
        };
        let turn = async {
            let (Some(own), Some(queue)) = (self.limits.places(uid, route.work()), queue) else {
                return Ok(None);
            };
            let own = own.acquire_owned().await?;
            Ok::<_, AcquireError>(Some((own, Arc::clone(queue).acquire_owned().await?)))
        };
        let Ok(Ok(turn)) = timeout(QUEUE_TIMEOUT, turn).await else {
            return Reply::refusal(503, "other requests take too long; try again. Nothing was changed");
        };
        let (agent, client) = (Arc::clone(self), Arc::clone(client));
        let ran = spawn_blocking(move || {
            let Understood { typed, person, is_text, counted } = understood;
            // A client that went away leaves its command to its end, and its place and its connection taken until then.
            let _until_done = (turn, counted, client);
            let _changing = (route.work() != Work::Read).then(|| Changing::begin(&agent));
            let actor = Actor::asking(uid, person.as_deref());
            let view = agent.view();
            let by = actor.to_string();
            let what = route.path.replace("{flag}", typed.flag.as_deref().unwrap_or_default());
            let reply = answer::run(route, typed, actor, view.as_deref(), is_text);
            if route.needs_owner() {
                let (what, by) = (display::plain(&what), display::plain(&by));
                locked(&agent.log).line(format!("{what} by {by}: {}", reply.status));
            }
            reply
        });
        ran.await.unwrap_or_else(|_| {
            Reply::refusal(500, "the request ended by a fault of the agent; look whether it was done")
        })
    }

    /// The head's generation and epoch, from mapped memory; none without a store or its head.
    fn token(&self) -> Option<(u64, u64)> {
        let reader = self.reader()?;
        let now = flagstone::time::now() / 1_000;
        if reader.check_replaced(now.unsigned_abs()) {
            let _ = reader.view();
        }
        // Zeros are a store without a generation, or a head that was cut.
        Some(reader.head_token()).filter(|token| *token != (0, 0) || reader.status().last_error.is_none())
    }

    fn view(&self) -> Option<Arc<View>> {
        Some(self.reader()?.view())
    }

    /// True if the served snapshot has the flag, or there is none.
    fn has_flag(&self, typed: &Typed) -> bool {
        let (Some(view), Some(flag)) = (self.view(), &typed.flag) else { return true };
        !answer::is_unknown(&view, flag)
    }

    /// The store as a worker reads it, opened at the first request.
    fn reader(&self) -> Option<Arc<Reader>> {
        let mut reader = locked(&self.reader);
        if reader.is_none() {
            identity::admit(&self.directory).ok()?;
            *reader = Reader::open(&self.directory, ReaderOptions::default()).ok().map(Arc::new);
        }
        reader.clone()
    }

    fn answer_token(&self, headers: &HeaderMap) -> Answer {
        let Some((generation, epoch)) = self.token() else {
            return respond(Reply::refusal(503, "the store cannot be read"), None);
        };
        let token = format!("{generation}-{epoch}");
        let tag = format!("\"{token}\"");
        let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let is_known =
            known.flat_map(|value| value.split(',')).any(|value| [tag.as_str(), "*"].contains(&value.trim()));
        let reply = Reply::of(200, &json!({ "token": token }), 0);
        let mut answer = respond(reply, Some((generation, epoch)));
        if is_known {
            *answer.status_mut() = hyper::StatusCode::NOT_MODIFIED;
            *answer.body_mut() = Full::default();
            answer.headers_mut().remove(CONTENT_TYPE);
        }
        answer.headers_mut().extend(HeaderValue::from_str(&tag).map(|value| (ETAG, value)));
        answer
    }

    /// The policy, at most a second old where its file can be read; none where that takes too long. Root and the owner need none.
    async fn policy(self: &Arc<Agent>, asker: &Asker) -> Option<Arc<Policy>> {
        let asked = Instant::now();
        let kept = || {
            let kept = locked(&self.policy);
            let is_recent = kept.read.is_some_and(|read| read + POLICY_AGE >= asked);
            (is_recent || kept.policy.is_owner(asker)).then(|| Arc::clone(&kept.policy))
        };
        if let Some(policy) = kept() {
            return Some(policy);
        }
        let read = async {
            let reading = Arc::clone(&self.reading).lock_owned().await;
            if kept().is_none() {
                let agent = Arc::clone(self);
                let _ = spawn_blocking(move || {
                    // Held to its end, also where this request does not wait for it.
                    let _reading = reading;
                    agent.read_policy();
                })
                .await;
            }
        };
        let _ = timeout(POLICY_TIMEOUT, read).await;
        kept()
    }

    /// Reads the policy now. Where the file cannot be read or is not to be trusted, the policy before holds: none but root and the owner
    /// gain by damage.
    pub fn read_policy(&self) {
        let began = Instant::now();
        let read = identity::open(&self.directory).map(|store| {
            let owner = store.judged_owner();
            let readers = readers(store.directory());
            let config = store.config().map_err(|error| error.to_string());
            let agent = config.and_then(|config| config.ignored.map_or(Ok(config.agent), Err));
            (owner, agent.map(|agent| agent.policy(owner, readers)))
        });
        let mut kept = locked(&self.policy);
        // Another reading may have begun later, and ended first.
        if kept.read.is_some_and(|read| read > began) {
            return;
        }
        kept.read = Some(began);
        let problem = match read {
            Ok((owner, Ok(policy))) => {
                (kept.owner, kept.policy, kept.problem) = (Some(owner), Arc::new(policy), None);
                return;
            }
            Ok((owner, Err(problem))) => {
                if kept.owner.is_none() {
                    let policy = AgentConfig::default().policy(owner, readers(&self.directory));
                    (kept.owner, kept.policy) = (Some(owner), Arc::new(policy));
                }
                problem
            }
            Err(error) => error.to_string(),
        };
        if kept.problem.as_ref() != Some(&problem) {
            kept.problem = Some(problem.clone());
            drop(kept);
            self.warn(&format!("the policy before holds: {}", display::plain(&problem)));
        }
    }
}

/// Those who can read a store, by its directory's mode; nobody else where that is not known.
fn readers(directory: &Path) -> Readers {
    match directory.metadata() {
        Ok(found) if found.mode() & 0o005 == 0o005 => Readers::Everybody,
        Ok(found) if found.mode() & 0o050 == 0o050 => Readers::Group(found.gid()),
        _ => Readers::Owner,
    }
}

/// A request, read to its end.
struct Understood {
    typed: Typed,
    /// The person that it names.
    person: Option<String>,
    /// True if lines of text are asked for.
    is_text: bool,
    counted: Option<super::limits::Body>,
}

/// Counts a change for as long as it runs.
struct Changing<'a>(&'a AtomicUsize);

impl Changing<'_> {
    fn begin(agent: &Agent) -> Changing<'_> {
        agent.changing.fetch_add(1, Ordering::SeqCst);
        Changing(&agent.changing)
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The refusal of a user who is no such holder; none if the user is.
async fn refused(policy: &Policy, asker: &Asker, holder: Holder) -> Option<Reply> {
    let (holds, right) = match holder {
        Holder::Of(right) => (policy.allows(asker, right), Some(right)),
        Holder::Owner => (policy.is_owner(asker), None),
    };
    if holds {
        return None;
    }
    let uid = asker.uid;
    // A directory of users may be slow.
    let user =
        spawn_blocking(move || Actor::asking(uid, None).user).await.unwrap_or_else(|_| uid.to_string());
    let problem = match right {
        Some(right) => {
            format!("user {user} may not do that: the store's policy gives {user} no right to {right}")
        }
        None => format!("user {user} may not do that: it is for root and the store's owner alone"),
    };
    let right = right.as_ref().map(Right::to_string);
    let document = json!({ "error": problem, "user": user, "uid": uid, "right": right });
    Some(Reply::of(403, &document, 1))
}

fn respond(reply: Reply, token: Option<(u64, u64)>) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(reply.body)));
    *answer.status_mut() =
        hyper::StatusCode::from_u16(reply.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("flagstone-version", HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    headers.insert(EXIT, HeaderValue::from(u16::from(reply.code)));
    if let Some((generation, _)) = token {
        headers.insert("flagstone-generation", HeaderValue::from(generation));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    // The policy before held for as long as the reading of the next one took.
    #[test]
    fn while_a_policy_cannot_be_read_only_root_and_the_owner_are_answered() {
        let agent = Arc::new(Agent::new("no-store".into(), "no-memory".into(), Output::collecting(true)));
        let asker = |uid| Asker { uid, groups: Vec::new() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let hanging = Arc::clone(&agent.reading).lock_owned().await;
            assert!(agent.policy(&asker(33)).await.is_none());
            assert!(agent.policy(&asker(0)).await.is_some_and(|policy| policy.is_owner(&asker(0))));
            drop(hanging);
            assert!(agent.policy(&asker(33)).await.is_some());
        });
    }
}
