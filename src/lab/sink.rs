//! A webhook sink: an HTTP/1.1 server on a port of the world that checks signatures, counts the events it is
//! told and, on request, misbehaves. Bodies are one event object or an array of them.

use super::signature::{Disbelief, Key};
use crate::base::Span;
use crate::world::{BoxListener, BoxStream, World};
use bytes::Bytes;
use futures_util::stream;
use hashbrown::{HashMap, HashSet};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{HeaderMap, LOCATION};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hash::BuildHasher;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

/// The longest body taken.
const BODY_MAX: usize = 32 * 1024 * 1024;

/// How the sink answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkMode {
    /// 200 to what verifies.
    Ok,
    /// This status to everything; nothing is counted as told.
    Status(u16),
    /// Never answers.
    Hang,
    /// 200, then a body of one octet at a time, this far apart, without end.
    Drip(Span),
    /// Closes the connection without an answer.
    Close,
    /// 307 to this address.
    Redirect(String),
}

impl std::str::FromStr for SinkMode {
    type Err = &'static str;
    /// `ok`, a status, `hang`, `drip:<milliseconds>`, `close` or `redirect:<address>`.
    fn from_str(text: &str) -> Result<SinkMode, &'static str> {
        match text.split_once(':').unwrap_or((text, "")) {
            ("ok", "") => Ok(SinkMode::Ok),
            ("hang", "") => Ok(SinkMode::Hang),
            ("close", "") => Ok(SinkMode::Close),
            ("drip", ms) => ms.parse().map(|ms| SinkMode::Drip(Span::millis(ms))).map_err(|_| "drip needs milliseconds"),
            ("redirect", to) if !to.is_empty() => Ok(SinkMode::Redirect(to.into())),
            (status, "") => match status.parse() {
                Ok(status @ 200..=599) => Ok(SinkMode::Status(status)),
                _ => Err("a mode is ok, a status from 200 to 599, hang, drip:MS, close or redirect:URL"),
            },
            _ => Err("a mode is ok, a status from 200 to 599, hang, drip:MS, close or redirect:URL"),
        }
    }
}

/// Told of an event as it is taken.
pub type Watch = Arc<dyn Fn(&Event) + Send + Sync>;

/// How a sink begins.
pub struct SinkOptions {
    /// `whsec_…`; without one, signatures are not looked at.
    pub secret: Option<String>,
    /// How it answers.
    pub mode: SinkMode,
    /// The first so many requests are answered 500.
    pub fail_first: u64,
    /// Where a JSON line of each event goes; should be buffered.
    pub log: Option<Box<dyn io::Write + Send>>,
    /// How much is kept of each event.
    pub keep: KeepEvents,
    /// Told of each event as it is taken.
    pub watch: Option<Watch>,
}

/// How much is kept of each event in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepEvents {
    /// Counters of requests alone: `watch` sees the events.
    Nothing,
    /// Counters and which ids were seen: about 30 octets an event.
    Ids,
    /// And the events. For tests.
    Events,
}

impl Default for SinkOptions {
    fn default() -> SinkOptions {
        SinkOptions { secret: None, mode: SinkMode::Ok, fail_first: 0, log: None, keep: KeepEvents::Ids, watch: None }
    }
}

/// Counters of a sink.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SinkCounts {
    /// Requests received.
    pub requests: u64,
    /// Refused for their signature: missing or wrong.
    pub bad_signatures: u64,
    /// Refused for their timestamp.
    pub old_signatures: u64,
    /// Refused because the body is not events.
    pub malformed: u64,
    /// Failed on purpose, by the mode or the first so many.
    pub failed: u64,
    /// Events of requests that were accepted.
    pub events: u64,
    /// Different event ids among them.
    pub unique: u64,
    /// Events told again: same id.
    pub repeated: u64,
    /// Different messages told final.
    pub finals: u64,
    /// Messages told final again, by another event.
    pub finals_repeated: u64,
    /// Events by type.
    pub by_type: BTreeMap<String, u64>,
    /// Events by status.
    pub by_status: BTreeMap<String, u64>,
}

/// An event, as kept and logged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When it came, in milliseconds of wall time.
    pub at_ms: i64,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its place in the order of events.
    pub seq: Option<u64>,
    /// The message's id.
    pub message: Option<String>,
    /// The sender's reference.
    pub client_ref: Option<String>,
    /// The status.
    pub status: Option<String>,
    /// Whether the status is final.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Whether the recipient may have it twice.
    pub possible_duplicate: bool,
    /// When it happened, as told.
    pub happened: Option<String>,
    /// The text of a subscriber's message.
    pub text: Option<String>,
}

#[derive(Deserialize)]
struct EventView<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(default)]
    seq: Option<u64>,
    #[serde(borrow, default)]
    message: Option<MessageView<'a>>,
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
    #[serde(default, rename = "final")]
    is_final: bool,
    #[serde(default)]
    possible_duplicate: bool,
    #[serde(borrow, default)]
    at: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct MessageView<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    client_ref: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

#[derive(Default)]
struct Kept {
    counts: SinkCounts,
    seen: HashSet<u64, foldhash::fast::FixedState>,
    /// Messages told final, to the id of the event that told it.
    finals: HashMap<u64, u64, foldhash::fast::FixedState>,
    refs: HashMap<u64, u32, foldhash::fast::FixedState>,
    events: Vec<Event>,
    log: Option<Box<dyn io::Write + Send>>,
}

struct Shared {
    world: World,
    key: Option<Key>,
    keep: KeepEvents,
    logs: bool,
    watch: Option<Watch>,
    hasher: foldhash::fast::FixedState,
    mode: Mutex<(SinkMode, u64)>,
    kept: Mutex<Kept>,
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // Counters and sets: valid at every step, whoever panicked.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts sinks.
pub struct Sink;

/// A running sink. Dropping it leaves it running; `stop` ends it.
pub struct SinkHandle {
    at: SocketAddr,
    shared: Arc<Shared>,
    stop: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Sink {
    /// Opens the port and serves it. Errors: a port that cannot be opened, a secret that is none.
    pub async fn listen(world: &World, at: SocketAddr, options: SinkOptions) -> io::Result<SinkHandle> {
        let key = match options.secret.as_deref() {
            None => None,
            Some(text) => Some(Key::parse(text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a webhook secret"))?),
        };
        let listener = world.net.listen(at).await?;
        let at = listener.local_addr();
        let shared = Arc::new(Shared {
            world: world.clone(),
            key,
            keep: options.keep,
            logs: options.log.is_some(),
            watch: options.watch,
            hasher: foldhash::fast::FixedState::default(),
            mode: Mutex::new((options.mode, options.fail_first)),
            kept: Mutex::new(Kept { log: options.log, ..Kept::default() }),
        });
        let stop = Arc::new(Notify::new());
        let task = tokio::spawn(accept(listener, shared.clone(), stop.clone()));
        Ok(SinkHandle { at, shared, stop, task })
    }
}

async fn accept(mut listener: BoxListener, shared: Arc<Shared>, stop: Arc<Notify>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.notified() => break,
            Some(_) = connections.join_next() => {}
            call = listener.accept() => match call {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, shared.clone()));
                }
                Err(_) => tokio::time::sleep(Span::millis(100).std()).await,
            },
        }
    }
    connections.shutdown().await;
}

async fn serve(stream: BoxStream, shared: Arc<Shared>) {
    let service = hyper::service::service_fn(move |request| {
        let shared = shared.clone();
        async move { shared.answer(request).await }
    });
    // How a connection ends is the peer's affair, or the mode's.
    let _ = hyper::server::conn::http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(1024 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

fn status(code: StatusCode, body: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(body.as_bytes())).boxed_unsync());
    *answer.status_mut() = code;
    answer
}

impl Kept {
    /// Counts an event, by what was seen of others.
    fn note(&mut self, event: &EventView<'_>, hasher: &foldhash::fast::FixedState) {
        let id = hasher.hash_one(event.id.as_bytes());
        self.counts.events += 1;
        bump(&mut self.counts.by_type, &event.kind);
        if let Some(status) = &event.status {
            bump(&mut self.counts.by_status, status);
        }
        match self.seen.insert(id) {
            true => self.counts.unique += 1,
            false => self.counts.repeated += 1,
        }
        let message = event.message.as_ref();
        if event.is_final
            && let Some(message_id) = message.and_then(|message| message.id.as_deref())
        {
            let first = *self.finals.entry(hasher.hash_one(message_id.as_bytes())).or_insert_with(|| {
                self.counts.finals += 1;
                if let Some(client_ref) = message.and_then(|message| message.client_ref.as_deref()) {
                    *self.refs.entry(hasher.hash_one(client_ref.as_bytes())).or_default() += 1;
                }
                id
            });
            // The same event told again is a retry; another event is a second end of one message.
            self.counts.finals_repeated += u64::from(first != id);
        }
    }
}

impl Shared {
    /// An error closes the connection.
    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, io::Error> {
        let (head, body) = request.into_parts();
        let body = match Limited::new(body, BODY_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return Err(io::Error::from(io::ErrorKind::InvalidData)),
        };
        lock(&self.kept).counts.requests += 1;
        let mode = {
            let mut mode = lock(&self.mode);
            match mode.1 {
                0 => mode.0.clone(),
                left => {
                    mode.1 = left - 1;
                    SinkMode::Status(500)
                }
            }
        };
        match mode {
            SinkMode::Ok => return Ok(self.told(&head.headers, &body)),
            SinkMode::Drip(every) => {
                let answer = self.told(&head.headers, &body);
                return Ok(if answer.status() == StatusCode::OK { dripping(every) } else { answer });
            }
            _ => lock(&self.kept).counts.failed += 1,
        }
        match mode {
            SinkMode::Status(code) => Ok(status(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), "on purpose")),
            SinkMode::Redirect(to) => {
                let mut answer = status(StatusCode::TEMPORARY_REDIRECT, "");
                answer.headers_mut().insert(LOCATION, to.parse().map_err(|_| io::ErrorKind::InvalidInput)?);
                Ok(answer)
            }
            SinkMode::Close => Err(io::ErrorKind::ConnectionAborted.into()),
            SinkMode::Hang | SinkMode::Ok | SinkMode::Drip(_) => std::future::pending().await,
        }
    }

    /// Checks and counts a request.
    fn told(&self, headers: &HeaderMap, body: &[u8]) -> Answer {
        let now = self.world.now();
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(key) = &self.key {
            let (id, timestamp, signature) = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
            if let Err(why) = key.verify(id, timestamp, signature, body, now.0.div_euclid(1_000)) {
                let counts = &mut lock(&self.kept).counts;
                match why {
                    Disbelief::Old => counts.old_signatures += 1,
                    Disbelief::Missing | Disbelief::Wrong => counts.bad_signatures += 1,
                }
                return status(StatusCode::UNAUTHORIZED, "signature");
            }
        }
        let events = match body.iter().find(|octet| !octet.is_ascii_whitespace()) {
            Some(b'[') => serde_json::from_slice::<Vec<EventView<'_>>>(body),
            _ => serde_json::from_slice::<EventView<'_>>(body).map(|event| vec![event]),
        };
        let Ok(events) = events else {
            lock(&self.kept).counts.malformed += 1;
            return status(StatusCode::BAD_REQUEST, "not events");
        };
        self.count(&events, now.0);
        let mut answer = Response::new(Empty::new().boxed_unsync());
        *answer.status_mut() = StatusCode::OK;
        answer
    }

    fn count(&self, events: &[EventView<'_>], at_ms: i64) {
        let mut lines = Vec::new();
        let mut kept = lock(&self.kept);
        let kept = &mut *kept;
        for event in events {
            if self.keep != KeepEvents::Nothing {
                kept.note(event, &self.hasher);
            }
            if self.logs || self.keep == KeepEvents::Events || self.watch.is_some() {
                let event = owned(event, at_ms);
                if let Some(watch) = &self.watch {
                    watch(&event);
                }
                if self.logs {
                    serde_json::to_writer(&mut lines, &event).expect("plain fields into memory");
                    lines.push(b'\n');
                }
                if self.keep == KeepEvents::Events {
                    kept.events.push(event);
                }
            }
        }
        if let Some(log) = &mut kept.log
            && let Err(fault) = log.write_all(&lines)
        {
            tracing::error!(%fault, "the record of events cannot be written and ends here");
            kept.log = None;
        }
    }
}

/// Counts without allocating for names already known; at most 1,000 names.
fn bump(counts: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else if counts.len() < 1_000 {
        counts.insert(name.into(), 1);
    }
}

fn owned(event: &EventView<'_>, at_ms: i64) -> Event {
    let message = event.message.as_ref();
    Event {
        at_ms,
        kind: event.kind.clone().into_owned(),
        id: event.id.clone().into_owned(),
        seq: event.seq,
        message: message.and_then(|message| message.id.clone()).map(Cow::into_owned),
        client_ref: message.and_then(|message| message.client_ref.clone()).map(Cow::into_owned),
        status: event.status.clone().map(Cow::into_owned),
        is_final: event.is_final,
        possible_duplicate: event.possible_duplicate,
        happened: event.at.clone().map(Cow::into_owned),
        text: message.and_then(|message| message.text.clone()).map(Cow::into_owned),
    }
}

fn dripping(every: Span) -> Answer {
    let drops = stream::unfold((), move |()| async move {
        tokio::time::sleep(every.std()).await;
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"."))), ()))
    });
    Response::new(StreamBody::new(drops).boxed_unsync())
}

impl SinkHandle {
    /// The port, the real one when 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.at
    }

    /// The counters.
    #[must_use]
    pub fn counts(&self) -> SinkCounts {
        lock(&self.shared.kept).counts.clone()
    }

    /// How many different messages with this client_ref were told final.
    #[must_use]
    pub fn finals_of(&self, client_ref: &str) -> u32 {
        let key = self.shared.hasher.hash_one(client_ref.as_bytes());
        lock(&self.shared.kept).refs.get(&key).copied().unwrap_or(0)
    }

    /// The events, when they are kept.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        lock(&self.shared.kept).events.clone()
    }

    /// Answers otherwise from now on.
    pub fn set_mode(&self, mode: SinkMode) {
        lock(&self.shared.mode).0 = mode;
    }

    /// Writes out what the log has buffered.
    pub fn flush(&self) -> io::Result<()> {
        lock(&self.shared.kept).log.as_mut().map_or(Ok(()), |log| log.flush())
    }

    /// Closes the port and all connections.
    pub async fn stop(self) {
        self.stop.notify_one();
        // A panic of the accepting task has failed louder elsewhere.
        let _ = self.task.await;
    }
}
