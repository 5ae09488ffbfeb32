//! What the couriers' tests run against: a journal in memory, an HTTP receiver that does as it is told, and a
//! network and a clock made by hand.
#![allow(clippy::disallowed_methods)] // tokio's own clock, which a test pauses, is read here

use super::*;
use crate::base::{MessageId, MessageRef, Msisdn, Time};
use crate::engine::reader::Shelf;
use crate::message::composed::Composed;
use crate::message::content::{Class, DoubtPolicy, Encoding, Reference};
use crate::message::log::write_events;
use crate::message::outcome::{Reason, Status};
use crate::message::record::write;
use crate::storage::{Answer, Archive, BatchRow, Closed, Frame, FrameHead, Lane, LogRow};
use crate::world::{BoxListener, BoxStream, Clock, Net};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use tokio::sync::Notify;

// ---- a journal

#[derive(Default)]
pub(super) struct Stored {
    pub(super) frames: BTreeMap<u64, Arc<Frame>>,
    pub(super) rows: Vec<LogRow>,
    pub(super) notes: BTreeMap<String, Vec<u8>>,
}

pub(super) struct Store {
    pub(super) stored: Mutex<Stored>,
    pub(super) noted: Notify,
    pub(super) shelf: Arc<Shelf>,
    pub(super) tail: Arc<Tail>,
}

impl Store {
    pub(super) fn new(tail_rows: usize) -> Arc<Store> {
        let (shelf, tail) = (Arc::new(Shelf::new(1 << 20)), Arc::new(Tail::new(0, tail_rows, usize::MAX)));
        Arc::new(Store { stored: Mutex::default(), noted: Notify::new(), shelf, tail })
    }

    /// A frame of messages of one part; their references are `r0`, `r1`, …
    pub(super) fn accept(&self, first: u64, account: &str, count: u32) {
        let mut body = Vec::new();
        for n in 0..count {
            let composed = Composed {
                to: Msisdn::parse("+33612345678").expect("a number"),
                from: "SHOP",
                client_ref: &format!("r{n}"),
                encoding: Encoding::Gsm7,
                octets: b"hi",
                ends: &[2],
                class: Class::Transactional,
                reference: Reference::Narrow,
                doubt: DoubtPolicy::ResendOnce,
                lifetime: Span::secs(60),
                line: n,
                extras: crate::message::Extras::default(),
            };
            write(&composed, &mut body);
        }
        let lane = Lane { carrier: "one".into(), account: account.into(), priority: 1 };
        let head = FrameHead {
            first: MessageId(first),
            count,
            seq: self.tail.head() + 1,
            lane,
            batch: None,
            accepted: Time(0),
            expires: Time(0),
            due: Time(0),
            why: 0,
        };
        let frame = Arc::new(Frame::new(head, body.into()).expect("records"));
        self.stored.lock().expect("no panic").frames.insert(first, frame);
        self.commit(vec![]);
    }

    /// Commits events and publishes them.
    pub(super) fn commit(&self, events: Vec<Event>) {
        let seq = self.tail.head() + 1;
        if !events.is_empty() {
            let mut log = Vec::new();
            write_events(&events, &mut log);
            self.stored.lock().expect("no panic").rows.push(LogRow { seq, log: log.into() });
        }
        self.tail.publish(seq, Arc::new(events));
    }

    pub(super) fn end(&self, first: u64, ordinals: std::ops::Range<u32>, when: Time) {
        self.commit(ordinals.map(|ordinal| ended(first, ordinal, when)).collect());
    }

    pub(super) fn keys(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let stored = self.stored.lock().expect("no panic");
        stored
            .notes
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }

    pub(super) fn cursor(&self, endpoint: &str) -> Option<u64> {
        let stored = self.stored.lock().expect("no panic");
        Some(u64::from_le_bytes(stored.notes.get(&notes::cursor_key(endpoint))?[..].try_into().expect("eight")))
    }

    /// Waits until the notes are so.
    pub(super) async fn until(&self, mut holds: impl FnMut(&Store) -> bool) {
        loop {
            let mut noted = std::pin::pin!(self.noted.notified());
            noted.as_mut().enable();
            if holds(self) {
                return;
            }
            noted.await;
        }
    }
}

pub(super) fn ended(first: u64, ordinal: u32, when: Time) -> Event {
    Event::Ended {
        at: MessageRef { frame: MessageId(first), ordinal },
        status: Status::Delivered,
        reason: Reason::Receipt,
        command_status: 0,
        possible_duplicate: false,
        when,
    }
}

impl Notes for Store {
    fn put(&self, notes: Vec<Note>) -> BoxFuture<'_, Result<(), StoreFault>> {
        for (key, value) in notes {
            let stored = &mut self.stored.lock().expect("no panic").notes;
            match value {
                Some(value) => stored.insert(key, value),
                None => stored.remove(&key),
            };
        }
        // As the journal does: a commit of notes alone is a row without events.
        self.commit(vec![]);
        self.noted.notify_waiters();
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Archive for Store {
    fn frame(&self, first: MessageId) -> Result<Option<Arc<Frame>>, StoreFault> {
        Ok(self.stored.lock().expect("no panic").frames.get(&first.0).cloned())
    }
    fn touches(&self, _: MessageId) -> Result<Vec<LogRow>, StoreFault> {
        Ok(self.stored.lock().expect("no panic").rows.clone())
    }
    fn log_from(&self, seq: u64, _: usize) -> Result<Vec<LogRow>, StoreFault> {
        // Two rows at a time, so that catching up takes several reads.
        Ok(self.stored.lock().expect("no panic").rows.iter().filter(|row| row.seq >= seq).take(2).cloned().collect())
    }
    fn notes(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreFault> {
        Ok(self.keys(prefix))
    }
    fn frame_of(&self, _: MessageId) -> Result<Option<Arc<Frame>>, StoreFault> {
        unreachable!()
    }
    fn answer(&self, _: &str, _: &str) -> Result<Option<Answer>, StoreFault> {
        unreachable!()
    }
    fn batch(&self, _: crate::base::BatchId) -> Result<Option<BatchRow>, StoreFault> {
        unreachable!()
    }
    fn batches(&self, _: &str, _: Option<crate::base::BatchId>, _: usize) -> Result<Vec<BatchRow>, StoreFault> {
        unreachable!()
    }
    fn frames_of_batch(&self, _: crate::base::BatchId, _: Option<MessageId>, _: usize) -> Result<Vec<FrameHead>, StoreFault> {
        unreachable!()
    }
    fn closed_of_batch(&self, _: crate::base::BatchId) -> Result<Vec<Closed>, StoreFault> {
        unreachable!()
    }
    fn search(&self, _: u64, _: Option<MessageId>, _: usize) -> Result<Vec<MessageId>, StoreFault> {
        unreachable!()
    }
    fn frames_of_account(&self, _: &str, _: Option<MessageId>, _: usize) -> Result<Vec<FrameHead>, StoreFault> {
        unreachable!()
    }
    fn frames_from(&self, _: MessageId, _: usize) -> Result<crate::storage::FramePage, StoreFault> {
        unreachable!()
    }
    fn answers_about(&self, _: &std::collections::HashSet<u64>) -> Result<Vec<Answer>, StoreFault> {
        unreachable!()
    }
    fn scrub(&self, _: &crate::storage::Person) -> Result<crate::storage::Scrubbed, StoreFault> {
        unreachable!()
    }
    fn suppressions(&self, _: Option<&crate::storage::SuppressionKey>, _: usize) -> Result<Vec<crate::storage::Suppression>, StoreFault> {
        unreachable!()
    }
    fn spent(&self, _: Time, _: &mut dyn FnMut(crate::storage::Spent)) -> Result<(), StoreFault> {
        unreachable!()
    }
    fn preferences(&self, _: Option<(&str, u64)>, _: usize) -> Result<Vec<crate::storage::Preference>, StoreFault> {
        unreachable!()
    }
}

// ---- a receiver

pub(super) struct Got {
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Got {
    /// The references of the messages told.
    pub(super) fn references(&self) -> Vec<String> {
        let events: Vec<serde_json::Value> = serde_json::from_slice(&self.body).expect("an array");
        events.iter().map(|event| event["message"]["client_ref"].as_str().expect("a reference").to_owned()).collect()
    }
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("text")
    }
}

/// What the receiver does with the n-th request (from 0).
pub(super) type Judge = Arc<dyn Fn(usize, &Got) -> Reply + Send + Sync>;

pub(super) enum Reply {
    Status(u16),
    Hang,
    Redirect(String),
    Flood,
}

pub(super) struct Sink {
    pub(super) at: SocketAddr,
    pub(super) got: Arc<Mutex<Vec<Got>>>,
    pub(super) came: Arc<Notify>,
    pub(super) connections: Arc<AtomicU64>,
}

impl Sink {
    pub(super) async fn new(judge: impl Fn(usize, &Got) -> Reply + Send + Sync + 'static) -> Sink {
        let judge: Judge = Arc::new(judge);
        let mut listener = World::real().net.listen("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
        let (got, came, connections) = (Arc::<Mutex<Vec<Got>>>::default(), Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
        let sink = Sink { at: listener.local_addr(), got: got.clone(), came: came.clone(), connections: connections.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Relaxed);
                let (judge, got, came) = (judge.clone(), got.clone(), came.clone());
                let serve = service_fn(move |request| answer(request, judge.clone(), got.clone(), came.clone()));
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), serve));
            }
        });
        sink
    }

    pub(super) async fn until(&self, requests: usize) {
        loop {
            let mut came = std::pin::pin!(self.came.notified());
            came.as_mut().enable();
            if self.got.lock().expect("no panic").len() >= requests {
                return;
            }
            came.await;
        }
    }

    pub(super) fn references(&self) -> Vec<Vec<String>> {
        self.got.lock().expect("no panic").iter().map(Got::references).collect()
    }
}

pub(super) async fn answer(
    request: Request<Incoming>,
    judge: Judge,
    got: Arc<Mutex<Vec<Got>>>,
    came: Arc<Notify>,
) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    assert_eq!((head.method.as_str(), head.uri.path()), ("POST", "/in"));
    let request = Got { headers: head.headers, body: body.collect().await.map_err(io::Error::other)?.to_bytes().to_vec() };
    let reply = {
        let mut got = got.lock().expect("no panic");
        let reply = judge(got.len(), &request);
        got.push(request);
        reply
    };
    came.notify_waiters();
    let response = Response::builder();
    let response = match reply {
        Reply::Hang => std::future::pending().await,
        Reply::Status(status) => response.status(status).body(Full::default()),
        Reply::Redirect(to) => response.status(302).header("location", to).body(Full::default()),
        Reply::Flood => response.status(200).body(Full::new(vec![b'x'; 1 << 20].into())),
    };
    Ok(response.expect("a response"))
}

// ---- worlds made by hand

/// A clock that follows tokio's, which a test pauses.
pub(super) struct Paused(tokio::time::Instant);

impl Clock for Paused {
    fn wall(&self) -> Time {
        Time(1_764_576_000_000 + self.0.elapsed().as_millis() as i64)
    }
    fn mono(&self) -> Mono {
        Mono(self.0.elapsed().as_micros() as u64)
    }
}

/// A network where nothing can be reached and names lead where the test says, one answer after the other.
pub(super) struct Nowhere {
    pub(super) answers: Mutex<VecDeque<Vec<&'static str>>>,
    pub(super) dialled: Mutex<Vec<SocketAddr>>,
    pub(super) resolved: Notify,
}

impl Net for Nowhere {
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        self.dialled.lock().expect("no panic").push(to);
        Box::pin(std::future::ready(Err(io::ErrorKind::ConnectionRefused.into())))
    }
    fn listen(&self, _: SocketAddr) -> BoxFuture<'_, io::Result<BoxListener>> {
        Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
    }
    fn resolve<'a>(&'a self, _: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let answer = self.answers.lock().expect("no panic").pop_front().unwrap_or_default();
        self.resolved.notify_waiters();
        let addresses = answer.iter().map(|ip| SocketAddr::new(ip.parse().expect("an address"), port)).collect();
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

pub(super) fn nowhere(answers: &[&[&'static str]]) -> (World, Arc<Nowhere>) {
    let answers = Mutex::new(answers.iter().map(|answer| answer.to_vec()).collect());
    let net = Arc::new(Nowhere { answers, dialled: Mutex::default(), resolved: Notify::new() });
    let clock = Arc::new(Paused(tokio::time::Instant::now()));
    (World { clock, net: net.clone(), ..World::real() }, net)
}
