//! Couriers against real HTTP servers on loopback, and against networks made by hand where the instant or the
//! address matters. Nothing here waits for a span of time: every wait is for an event.

use super::rig::*;
use super::*;
use crate::base::{Secret, Time};
use crate::config;
use crate::engine::hook::SettingsFault;
use crate::engine::reader::Calls;
use crate::pipeline::webhook::{Backoff, DeadLetter, Key, KeyFault, Kinds, Policy, Rules, Target, UrlFault};
use std::net::SocketAddr;
use std::sync::Arc;

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
