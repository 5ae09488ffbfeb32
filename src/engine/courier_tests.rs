//! Couriers against real HTTP servers on loopback, and against networks made by hand where the instant or the
//! address matters. Nothing here waits for a span of time: every wait is for an event.

use super::*;
use crate::base::{MessageId, MessageRef, Msisdn, Secret, Time};
use crate::engine::reader::{Calls, Shelf};
use crate::message::composed::Composed;
use crate::message::content::{Class, DoubtPolicy, Encoding};
use crate::message::outcome::{Reason, Status};
use crate::message::record::{write, write_events};
use crate::pipeline::webhook::{Backoff, DeadLetter};
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
use tokio::sync::Notify;

// ---- a journal

#[derive(Default)]
struct Stored {
    frames: BTreeMap<u64, Arc<Frame>>,
    rows: Vec<LogRow>,
    notes: BTreeMap<String, Vec<u8>>,
}

struct Store {
    stored: Mutex<Stored>,
    noted: Notify,
    shelf: Arc<Shelf>,
    tail: Arc<Tail>,
}

impl Store {
    fn new(tail_rows: usize) -> Arc<Store> {
        let (shelf, tail) = (Arc::new(Shelf::new(1 << 20)), Arc::new(Tail::new(0, tail_rows, usize::MAX)));
        Arc::new(Store { stored: Mutex::default(), noted: Notify::new(), shelf, tail })
    }

    /// A frame of messages of one part; their references are `r0`, `r1`, …
    fn accept(&self, first: u64, account: &str, count: u32) {
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
                doubt: DoubtPolicy::ResendOnce,
                lifetime: Span::secs(60),
                line: n,
            };
            write(&composed, &mut body);
        }
        let lane = Lane { carrier: "one".into(), account: account.into(), priority: 1 };
        let head =
            FrameHead { first: MessageId(first), count, seq: self.tail.head() + 1, lane, batch: None, accepted: Time(0), expires: Time(0) };
        let frame = Arc::new(Frame::new(head, body.into()).expect("records"));
        self.stored.lock().expect("no panic").frames.insert(first, frame);
        self.commit(vec![]);
    }

    /// Commits events and publishes them.
    fn commit(&self, events: Vec<Event>) {
        let seq = self.tail.head() + 1;
        if !events.is_empty() {
            let mut log = Vec::new();
            write_events(&events, &mut log);
            self.stored.lock().expect("no panic").rows.push(LogRow { seq, log: log.into() });
        }
        self.tail.publish(seq, Arc::new(events));
    }

    fn end(&self, first: u64, ordinals: std::ops::Range<u32>, when: Time) {
        self.commit(ordinals.map(|ordinal| ended(first, ordinal, when)).collect());
    }

    fn keys(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let stored = self.stored.lock().expect("no panic");
        stored
            .notes
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }

    fn cursor(&self, endpoint: &str) -> Option<u64> {
        let stored = self.stored.lock().expect("no panic");
        Some(u64::from_le_bytes(stored.notes.get(&notes::cursor_key(endpoint))?[..].try_into().expect("eight")))
    }

    /// Waits until the notes are so.
    async fn until(&self, mut holds: impl FnMut(&Store) -> bool) {
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

fn ended(first: u64, ordinal: u32, when: Time) -> Event {
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
}

// ---- a receiver

struct Got {
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Got {
    /// The references of the messages told.
    fn references(&self) -> Vec<String> {
        let events: Vec<serde_json::Value> = serde_json::from_slice(&self.body).expect("an array");
        events.iter().map(|event| event["message"]["client_ref"].as_str().expect("a reference").to_owned()).collect()
    }
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("text")
    }
}

/// What the receiver does with the n-th request (from 0).
type Judge = Arc<dyn Fn(usize, &Got) -> Reply + Send + Sync>;

enum Reply {
    Status(u16),
    Hang,
    Redirect(String),
    Flood,
}

struct Sink {
    at: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    came: Arc<Notify>,
    connections: Arc<AtomicU64>,
}

impl Sink {
    async fn new(judge: impl Fn(usize, &Got) -> Reply + Send + Sync + 'static) -> Sink {
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

    async fn until(&self, requests: usize) {
        loop {
            let mut came = std::pin::pin!(self.came.notified());
            came.as_mut().enable();
            if self.got.lock().expect("no panic").len() >= requests {
                return;
            }
            came.await;
        }
    }

    fn references(&self) -> Vec<Vec<String>> {
        self.got.lock().expect("no panic").iter().map(Got::references).collect()
    }
}

async fn answer(
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

// ---- couriers

const OLD: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7";

fn settings(name: &str, url: &str) -> Settings {
    let target = Target::parse(url).expect("a URL");
    let rules = Rules { allow_loopback: true, allow_private: false, allow_http: true, ports: vec![target.port] };
    Settings {
        name: name.into(),
        account: "shop".into(),
        target,
        rules,
        keys: [NEW, OLD].iter().map(|text| Key::parse(&Secret::new(*text)).expect("a key")).collect(),
        kinds: Kinds::ALL,
        policy: Policy { backoff: Backoff { first: Span::millis(1), cap: Span::millis(4) }, ..Policy::default() },
        timeout: Span::secs(10),
    }
}

fn hook(name: &str, at: SocketAddr) -> Settings {
    settings(name, &format!("http://{at}/in"))
}

struct Running {
    stop: CancellationToken,
    stats: Arc<CourierStats>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn stop(self) -> Arc<CourierStats> {
        self.stop.cancel();
        self.task.await.expect("ends without a panic");
        self.stats
    }
}

fn start_in(world: World, settings: Settings, store: &Arc<Store>) -> Running {
    let (stop, stats) = (CancellationToken::new(), Arc::new(CourierStats::default()));
    let tls = tls::Client::new(None).expect("roots");
    let reader = Reader::new(store.clone(), store.shelf.clone(), Calls::Direct);
    let courier = Courier::new(settings, world, tls, reader, store.tail.clone(), store.clone(), stats.clone());
    Running { task: tokio::spawn(courier.run(stop.clone())), stop, stats }
}

/// Starts a courier and waits until it has its place in the journal.
async fn start(settings: Settings, store: &Arc<Store>) -> Running {
    let name = settings.name.clone();
    let running = start_in(World::real(), settings, store);
    store.until(|store| store.cursor(&name).is_some()).await;
    running
}

/// HMAC-SHA256 from its definition (RFC 2104), independent of the library that signs.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let pad = |with: u8| (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect::<Vec<u8>>();
    let inner = Sha256::digest([&pad(0x36), text].concat());
    Sha256::digest([&pad(0x5c)[..], &inner].concat()).to_vec()
}

#[tokio::test]
async fn events_arrive_signed_in_order_over_one_connection() {
    let (store, sink) = (Store::new(100), Sink::new(|_, _| Reply::Status(204)).await);
    let running = start(hook("crm", sink.at), &store).await;
    store.accept(64, "shop", 10);
    store.accept(128, "bank", 10);
    for n in 0..5 {
        store.end(128, n..n + 1, Time(1));
        store.end(64, n..n + 1, Time(1));
        sink.until(n as usize + 1).await;
    }
    let head = store.tail.head();
    store.until(|store| store.cursor("crm").is_some_and(|cursor| cursor >= head)).await;
    assert_eq!(sink.references().concat(), ["r0", "r1", "r2", "r3", "r4"]);
    assert_eq!(sink.connections.load(Relaxed), 1, "kept alive");
    for got in sink.got.lock().expect("no panic").iter() {
        use base64::Engine;
        let (id, at) = (got.header("webhook-id"), got.header("webhook-timestamp"));
        assert!((World::real().now().0 / 1_000).abs_diff(at.parse().expect("seconds")) < 60);
        let signed = [id.as_bytes(), b".", at.as_bytes(), b".", &got.body].concat();
        let by = |key: Vec<u8>| format!("v1,{}", base64::engine::general_purpose::STANDARD.encode(hmac(&key, &signed)));
        assert_eq!(got.header("webhook-signature"), format!("{} {}", by((100..124).collect()), by((0..32).collect())));
        assert_eq!((got.header("content-type"), got.header("host")), ("application/json", sink.at.to_string().as_str()));
    }
    let stats = running.stop().await;
    assert_eq!((stats.delivered.load(Relaxed), stats.failed.load(Relaxed), stats.state()), (5, 0, State::Working));
}

#[tokio::test]
async fn what_waits_goes_in_batches_and_a_failed_batch_comes_again_under_its_id() {
    let store = Store::new(100);
    let sink = Sink::new(|nth, _| Reply::Status([503, 500, 302, 200][nth.min(3)])).await;
    let running = start(hook("crm", sink.at), &store).await;
    store.accept(64, "shop", 250);
    store.end(64, 0..250, Time(1));
    let head = store.tail.head();
    store.until(|store| store.cursor("crm").is_some_and(|cursor| cursor >= head)).await;
    let sizes: Vec<usize> = sink.references().iter().map(Vec::len).collect();
    assert_eq!(sizes, [100, 100, 100, 100, 100, 50]);
    {
        let got = sink.got.lock().expect("no panic");
        let ids: Vec<&str> = got.iter().map(|got| got.header("webhook-id")).collect();
        assert!(ids[..4].iter().all(|id| *id == ids[0]) && ids[4] != ids[0] && ids[5] != ids[4]);
    }
    let stats = running.stop().await;
    assert_eq!((stats.delivered.load(Relaxed), stats.failed.load(Relaxed), stats.posts.load(Relaxed)), (250, 3, 6));
}

#[tokio::test]
async fn an_endpoint_that_hangs_delays_no_other_and_stops_promptly() {
    let store = Store::new(100);
    let (dead, good) = (Sink::new(|_, _| Reply::Hang).await, Sink::new(|_, _| Reply::Status(200)).await);
    let hanging = start(hook("dead", dead.at), &store).await;
    let working = start(hook("good", good.at), &store).await;
    store.accept(64, "shop", 50);
    store.end(64, 0..1, Time(1));
    dead.until(1).await;
    for n in 1..50 {
        store.end(64, n..n + 1, Time(1));
        good.until(1).await;
    }
    let head = store.tail.head();
    store.until(|store| store.cursor("good").is_some_and(|cursor| cursor >= head)).await;
    assert_eq!((good.references().concat().len(), dead.references().concat().len()), (50, 1));
    assert!(store.cursor("dead") < Some(head));
    let began = World::real().mono();
    hanging.stop().await;
    assert!(World::real().mono().since(began) < Span::secs(8));
    working.stop().await;
}

#[tokio::test]
async fn after_a_restart_events_go_on_from_the_cursor_read_from_the_archive() {
    let (store, sink) = (Store::new(1), Sink::new(|_, _| Reply::Status(200)).await);
    let running = start(hook("crm", sink.at), &store).await;
    store.accept(64, "shop", 20);
    store.end(64, 0..3, Time(1));
    store.until(|store| store.cursor("crm").is_some_and(|cursor| cursor >= 3)).await;
    running.stop().await;
    let told = sink.references().concat();
    assert_eq!(told, ["r0", "r1", "r2"]);
    // More than the tail holds, in more rows than one read gives.
    for n in 3..12 {
        store.end(64, n..n + 1, Time(1));
    }
    let running = start(hook("crm", sink.at), &store).await;
    let head = store.tail.head();
    store.until(|store| store.cursor("crm").is_some_and(|cursor| cursor >= head)).await;
    let told = sink.references().concat();
    assert_eq!(told, (0..12).map(|n| format!("r{n}")).collect::<Vec<_>>());
    running.stop().await;
}

#[tokio::test]
async fn a_poison_event_is_set_aside_and_the_others_are_told() {
    let store = Store::new(100);
    let sink = Sink::new(|_, got| Reply::Status(if got.references().contains(&"r5".to_owned()) { 422 } else { 200 })).await;
    let mut settings = hook("crm", sink.at);
    settings.policy.retry_for = Span::millis(200);
    let running = start(settings, &store).await;
    store.accept(64, "shop", 16);
    store.end(64, 0..16, World::real().now());
    store.until(|store| !store.keys("webhook/crm/dead/").is_empty()).await;
    let (key, value) = store.keys("webhook/crm/dead/").remove(0);
    let letter = DeadLetter::read("crm", &key, &value).expect("a dead letter");
    assert!(letter.event.contains("\"client_ref\":\"r5\"") && letter.why == "answered 422");
    assert!(store.keys("webhook/crm/parked/").is_empty());
    let stats = running.stop().await;
    assert_eq!((stats.delivered.load(Relaxed), stats.dead.load(Relaxed), stats.parked.load(Relaxed)), (15, 1, 0));
}

#[tokio::test]
async fn gone_ends_the_deliveries_and_frees_the_log() {
    let (store, sink) = (Store::new(100), Sink::new(|_, _| Reply::Status(410)).await);
    let running = start(hook("crm", sink.at), &store).await;
    store.accept(64, "shop", 2);
    store.end(64, 0..1, Time(1));
    sink.until(1).await;
    store.end(64, 1..2, Time(1));
    let stats = running.stop().await;
    assert_eq!((sink.references().len(), stats.state(), stats.told()), (1, State::Gone, u64::MAX));
}

#[tokio::test]
async fn redirects_are_not_followed_and_a_flood_is_taken_for_its_status() {
    let trap = Sink::new(|_, _| Reply::Status(200)).await;
    let (store, to) = (Store::new(100), format!("http://{}/in", trap.at));
    let sink = Sink::new(move |nth, _| if nth == 0 { Reply::Redirect(to.clone()) } else { Reply::Flood }).await;
    let running = start(hook("crm", sink.at), &store).await;
    store.accept(64, "shop", 2);
    for n in 0..2 {
        store.end(64, n..n + 1, Time(1));
        let head = store.tail.head();
        store.until(|store| store.cursor("crm").is_some_and(|cursor| cursor >= head)).await;
    }
    assert_eq!((sink.references().len(), trap.references().len()), (3, 0));
    assert_eq!(sink.connections.load(Relaxed), 2, "a flooded connection is closed, a redirecting one is kept");
    running.stop().await;
}

// ---- worlds made by hand

/// A clock that follows tokio's, which a test pauses.
struct Paused(tokio::time::Instant);

impl Clock for Paused {
    fn wall(&self) -> Time {
        Time(1_764_576_000_000 + self.0.elapsed().as_millis() as i64)
    }
    fn mono(&self) -> Mono {
        Mono(self.0.elapsed().as_micros() as u64)
    }
}

/// A network where nothing can be reached and names lead where the test says, one answer after the other.
struct Nowhere {
    answers: Mutex<VecDeque<Vec<&'static str>>>,
    dialled: Mutex<Vec<SocketAddr>>,
    resolved: Notify,
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

fn nowhere(answers: &[&[&'static str]]) -> (World, Arc<Nowhere>) {
    let answers = Mutex::new(answers.iter().map(|answer| answer.to_vec()).collect());
    let net = Arc::new(Nowhere { answers, dialled: Mutex::default(), resolved: Notify::new() });
    let clock = Arc::new(Paused(tokio::time::Instant::now()));
    (World { clock, net: net.clone(), ..World::real() }, net)
}

#[tokio::test(start_paused = true)]
async fn what_nobody_takes_for_a_day_is_a_dead_letter_and_the_queue_goes_on() {
    let store = Store::new(100);
    let (world, net) = nowhere(&[]);
    let mut settings = settings("crm", "http://127.0.0.1:9/in");
    settings.policy = Policy::default();
    let running = start_in(world.clone(), settings, &store);
    store.until(|store| store.cursor("crm").is_some()).await;
    store.accept(64, "shop", 3);
    store.end(64, 0..2, world.now());
    store.until(|store| store.keys("webhook/crm/dead/").len() == 2).await;
    let lived = world.now().0 - 1_764_576_000_000;
    assert!((24 * 3_600_000..25 * 3_600_000 + 1_000).contains(&lived), "{lived} ms");
    let attempts = net.dialled.lock().expect("no panic").len();
    assert!((24..80).contains(&attempts), "backoff to an hour: {attempts}");
    store.until(|store| store.cursor("crm").is_some_and(|cursor| cursor >= 4)).await;
    store.end(64, 2..3, world.now());
    store.until(|store| store.keys("webhook/crm/dead/").len() == 3).await;
    let stats = running.stop().await;
    assert_eq!((stats.dead.load(Relaxed), stats.delivered.load(Relaxed), stats.state()), (3, 0, State::Failing));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_changes_its_address_leads_nowhere_forbidden() {
    let store = Store::new(100);
    let answers: [&[&'static str]; 8] = [
        &["93.184.215.14"],
        &["127.0.0.1"],
        &["93.184.215.14", "10.0.0.1"],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["169.254.169.254"],
        &["64:ff9b::a00:1"],
        &[],
    ];
    let (world, net) = nowhere(&answers);
    let mut settings = settings("crm", "http://hooks.example.com/in");
    settings.rules.allow_loopback = false;
    let running = start_in(world.clone(), settings, &store);
    store.until(|store| store.cursor("crm").is_some()).await;
    store.accept(64, "shop", 1);
    store.end(64, 0..1, world.now());
    loop {
        let resolved = net.resolved.notified();
        if net.answers.lock().expect("no panic").is_empty() {
            break;
        }
        resolved.await;
    }
    running.stop().await;
    assert_eq!(*net.dialled.lock().expect("no panic"), ["93.184.215.14:80".parse().expect("an address")]);
}

#[test]
fn settings_are_made_of_the_configuration_and_refuse_what_it_must_not_hold() {
    let hook = config::Webhook {
        name: "crm".into(),
        account: "shop".into(),
        url: "https://hooks.example.com/in".into(),
        secret: Secret::new(NEW),
        previous_secret: Some(Secret::new(OLD)),
        events: vec![config::HookEvent::Final],
        max_batch: 7,
        timeout: Span::secs(3),
        retry_for: Span::secs(60),
    };
    let rules = config::WebhookRules { allow_loopback: false, allow_private: false, allow_http: false, ports: vec![443] };
    let settings = Settings::new(&hook, &rules).expect("sound");
    assert_eq!((settings.keys.len(), settings.policy.max_batch, settings.kinds.sent, settings.kinds.ended), (2, 7, false, true));
    let refused = |url: &str| Settings::new(&config::Webhook { url: url.into(), ..hook.clone() }, &rules).err();
    assert_eq!(refused("https://169.254.169.254/"), Some(SettingsFault::Url(UrlFault::Address)));
    let keyless = config::Webhook { secret: Secret::new("whsec_"), ..hook.clone() };
    assert_eq!(Settings::new(&keyless, &rules).err(), Some(SettingsFault::Key(KeyFault::Length)));
}
