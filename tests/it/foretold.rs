//! What an explanation says is what then happens: in the simulated world, under the shipped rules of hours, with caps, a guard
//! against repeats and recipients who prefer a time zone, random messages are explained, sent, and followed to the instant
//! they leave.

use crate::rig::{Answer, answer, request};
use proptest::prop_assert;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use relais::app::gateway::{Gateway, Opened};
use relais::base::{Secret, Time};
use relais::config::{self, KeyHash, MapSecrets};
use relais::engine::reader::Calls;
use relais::lab::personality::Personality;
use relais::lab::{Options, SimWorld, Smsc};
use relais::storage::memory::Memory;
use relais::telemetry::Metrics;
use relais::world::World;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// How much later than it may a message leaves, when its carriers are idle: ticks, commits, the network.
const SOON_MS: i64 = 5_000;

/// A message, from random numbers.
fn random(n: usize, pick: [u8; 6], length: u16) -> Value {
    let to = ["+33612345", "+262692123", "+4915123456", "+12125552", "+390612345", "0612345", "+81901234", "+9991234"];
    let from = ["SHOP", "36123", "Acme Shop", "+33948123456"][usize::from(pick[1]) % 4];
    let class = ["marketing", "marketing", "service", "transactional", "otp"][usize::from(pick[2]) % 5];
    let text = ["a", "é", "ł", "€"][usize::from(pick[1] / 4) % 4].repeat(usize::from(length) + 1);
    let mut message = json!({
        "to": format!("{}{:03}", to[usize::from(pick[0]) % to.len()], n),
        "from": from,
        "text": text,
        "class": class,
        "max_segments": 5,
    });
    match pick[3] % 8 {
        0 => message["send_after"] = json!("PT45M"),
        1 => message["send_after"] = json!("P1DT11H"),
        2 => message["send_after"] = json!("PT14H"),
        3 => message["send_at"] = json!("2026-12-26T10:00:00+01:00"),
        4 => message["send_at"] = json!("2020-01-01T00:00:00Z"),
        _ => {}
    }
    match pick[4] % 6 {
        0 => message["expires_in"] = json!(3_600),
        1 => message["expires_in"] = json!(7 * 86_400),
        2 => message["time_zone"] = json!("America/New_York"),
        3 => message["time_zone"] = json!("Europe/Nowhere"),
        _ => {}
    }
    if pick[5].is_multiple_of(4) {
        message["country"] = json!("FR");
    }
    message
}

/// What the recipient of a message was sent before: the same text, another, or nothing.
fn before(message: &Value, pick: [u8; 6]) -> Option<Value> {
    let text = match pick[5] / 4 % 8 {
        0 | 1 => message["text"].clone(),
        2..4 => json!("what was sent before"),
        _ => return None,
    };
    let mut before = json!({ "to": message["to"], "from": "SHOP", "text": text, "class": "service", "max_segments": 5 });
    if let Some(country) = message.get("country") {
        before["country"] = country.clone();
    }
    Some(before)
}

async fn call(world: &World, gateway: &Gateway, method: &str, path: &str, body: &str) -> Answer {
    let mut stream = world.net.dial(gateway.http).await.expect("it listens");
    let kind = if method == "PUT" { "application/json" } else { "application/x-ndjson" };
    let headers = [("authorization", "Bearer k.secret"), ("content-type", kind)];
    stream.write_all(&request(method, path, &headers, body.as_bytes())).await.expect("written");
    answer(&mut stream).await
}

fn instant(value: &Value) -> i64 {
    Time::parse_rfc3339(value.as_str().unwrap_or_default()).unwrap_or_else(|| panic!("no instant: {value}")).0
}

/// How often something was seen: each verdict, and each reason or code.
#[derive(Default)]
struct Seen {
    verdicts: Cell<[u32; 4]>,
    words: RefCell<BTreeMap<String, u32>>,
}

/// Sends what came before, then explains and sends these messages at an instant of the wall clock, and follows each until it has left.
async fn foretold(wall: Time, messages: &[Value], former: &[Value], seen: &Seen) -> Result<(), TestCaseError> {
    let sim = SimWorld::new(7);
    sim.set_wall(wall);
    let world = sim.world();
    let habits: Personality = serde_json::from_str("{}").expect("habits");
    let mut carriers = String::new();
    let mut peers = Vec::new();
    for (name, address) in [("one", "10.0.0.1"), ("two", "10.0.0.2")] {
        let at = format!("{address}:2775").parse().expect("an address");
        peers.push(Smsc::listen(&world, at, habits.clone(), Options::default()).await.expect("it listens"));
        carriers += &format!(
            "[[carriers]]\nname = \"{name}\"\nhost = \"{address}\"\nsystem_id = \"s\"\npassword = \"p\"\nwindow = 100\nenquire_link = \"10m\"\n"
        );
    }
    let hash = KeyHash::of(&Secret::new("0123456789abcdef"), b"secret").to_hex();
    let text = format!(
        "[secrets]\npepper = \"0123456789abcdef\"\n[http]\nlisten = \"127.0.0.1:8080\"\n[[accounts]]\nname = \"shop\"\n\
         sender_check = \"refuse\"\nrepeat_guard = \"2h\"\n\
         caps = [{{ count = 1, period = \"8h\", classes = [\"marketing\", \"service\"] }}]\n[[accounts.keys]]\nid = \"k\"\nhash = \"{hash}\"\n{carriers}[[routes]]\nprefix = \"33\"\n\
         carrier = \"one\"\nprice = \"0.045 EUR\"\n[[routes]]\nprefix = \"999\"\ncarrier = \"one\"\n[[routes]]\nprefix = \"\"\ncarrier = \"two\"\n"
    );
    let config = config::load(&text, &MapSecrets::default()).unwrap_or_else(|mistakes| panic!("{}", config::report("test", &mistakes)));
    let opened = Opened { journal: Box::new(Memory::new()), checkpoint: None };
    let gateway = Gateway::on(world.clone(), config, opened, Metrics::new(), Calls::Direct).await.expect("it starts");
    let zone = async |number: &str| call(&world, &gateway, "PUT", number, "{\"time_zone\":\"Asia/Tokyo\"}").await;
    for message in messages.iter().step_by(3) {
        let to = message["to"].as_str().expect("a number");
        if to.starts_with("+33") {
            assert_eq!(zone(&format!("/v1/preferences/{to}")).await.status, 200);
        }
    }
    if !former.is_empty() {
        let body: String = former.iter().map(|message| format!("{message}\n")).collect();
        assert_eq!(call(&world, &gateway, "POST", "/v1/batches", &body).await.status, 202);
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    let body: String = messages.iter().map(|message| format!("{message}\n")).collect();
    let told = call(&world, &gateway, "POST", "/v1/explain", &body).await.json();
    let done = call(&world, &gateway, "POST", "/v1/batches", &body).await.json();
    for count in ["received", "accepted", "refused", "refused_by", "scheduled", "held"] {
        assert_eq!(told[count], done[count], "{count}");
    }
    let lines = told["lines"].as_array().expect("lines").iter().zip(done["results"].as_array().expect("lines"));
    let latest = told["latest"].as_str().map_or(wall.0, |latest| Time::parse_rfc3339(latest).expect("an instant").0);
    // The clock runs to the last of them: nothing but timers happens meanwhile.
    tokio::time::sleep(Duration::from_millis((latest - world.now().0 + SOON_MS).max(0) as u64)).await;
    let mut segments = 0;
    for ((told, done), message) in lines.zip(messages) {
        assert_eq!(told["line"], done["line"]);
        let mut counts = seen.verdicts.get();
        let verdict = ["send", "scheduled", "held", "refused"].iter().position(|word| told["verdict"] == *word).expect("a verdict");
        counts[verdict] += 1;
        seen.verdicts.set(counts);
        if let Some(word) = told["reason"].as_str().or(told["error"]["code"].as_str()) {
            *seen.words.borrow_mut().entry(format!("{} {word}", told["verdict"])).or_default() += 1;
        }
        if told["verdict"] == "refused" {
            // The detail may name an instant that is counted from acceptance.
            assert_eq!(
                (&told["error"]["code"], &told["error"]["pointer"]),
                (&done["error"]["code"], &done["error"]["pointer"]),
                "{message}"
            );
            continue;
        }
        assert_eq!((&told["segments"], &told["encoding"]), (&done["segments"], &done["encoding"]), "{message}");
        let verdict = if told["verdict"] == "send" { Value::Null } else { told["verdict"].clone() };
        assert_eq!((&verdict, &told["reason"]), (&done["status"], &done["reason"]), "{message}");
        let at = instant(&told["at"]);
        // Rules and zones that are told are those by which it was decided.
        if message["class"] == "marketing" {
            let is_closed = told["reason"] == "window_closed";
            prop_assert!(!is_closed || told["hours"]["allowed"] == false, "{}", told);
            prop_assert!(told["verdict"] != "send" || told["hours"]["allowed"] == true, "{}", told);
        }
        if told["verdict"] == "held" {
            assert_eq!(told["at"], done["until"], "{message}");
        }
        let view = call(&world, &gateway, "GET", &format!("/v1/messages/{}", done["id"].as_str().expect("an id")), "").await.json();
        assert_eq!((&view["carrier"], &view["segments"], &view["to"]), (&told["carrier"], &told["segments"], &told["to"]), "{message}");
        let story = view["timeline"].as_array().expect("a story");
        let left = story.iter().find(|entry| entry["event"] == "leased").unwrap_or_else(|| panic!("never left: {told} {view:#}"));
        let late = instant(&left["at"]) - at;
        assert!((0..SOON_MS).contains(&late), "{late} ms late: {told} {view:#}");
        segments += told["segments"].as_u64().expect("a number");
    }
    assert_eq!(told["segments"]["total"], segments);
    gateway.stop().await;
    for peer in peers {
        peer.stop().await;
    }
    Ok(())
}

#[test]
fn what_an_explanation_says_is_what_then_happens() {
    use proptest::prelude::*;
    let one = (any::<[u8; 6]>(), 0u16..400);
    // Any minute of the days around Christmas.
    let strategy = (0i64..4 * 1_440, proptest::collection::vec(one, 1..40));
    let mut runner = TestRunner::new(Config { cases: 6, failure_persistence: None, ..Config::default() });
    let seen = Seen::default();
    let follow = |minute: i64, messages: &[Value], former: &[Value]| {
        let wall = Time(1_798_070_400_000 + minute * 60_000 + 17_123);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, foretold(wall, messages, former, &seen))
    };
    // At night: two over the cap, one of which lives long enough; one that repeats, one that will not then; one that
    // advertises, and one that is over the cap when its hours open.
    let message =
        |n: u32, class: &str, text: &str| json!({ "to": format!("+33612345{n:03}"), "from": "SHOP", "text": text, "class": class });
    let given = |mut message: Value, key: &str, value: Value| {
        message[key] = value;
        message
    };
    let fixed = [
        message(1, "service", "more"),
        given(message(2, "service", "more"), "expires_in", json!(3_600)),
        message(4, "transactional", "once"),
        given(message(5, "transactional", "once"), "send_after", json!("PT3H")),
        message(7, "marketing", "news"),
        given(message(8, "marketing", "news"), "send_after", json!("PT7H30M")),
    ];
    let former = [1, 2, 4, 5, 8].map(|n| message(n, "service", "once"));
    follow(0, &fixed, &former).unwrap_or_else(|fault| panic!("{fault}"));
    let words: Vec<String> = seen.words.borrow().keys().cloned().collect();
    let expected = ["\"held\" frequency_cap", "\"held\" window_closed", "\"refused\" duplicate_content", "\"refused\" frequency_cap"];
    assert_eq!(words, expected);
    let run = |(minute, picks): (i64, Vec<([u8; 6], u16)>)| {
        let messages: Vec<Value> = picks.iter().enumerate().map(|(n, (pick, length))| random(n, *pick, *length)).collect();
        let former: Vec<Value> = messages.iter().zip(&picks).filter_map(|(message, (pick, _))| before(message, *pick)).collect();
        follow(minute, &messages, &former)
    };
    runner.run(&strategy, run).unwrap_or_else(|fault| panic!("{fault}"));
    let verdicts = seen.verdicts.get();
    assert!(verdicts.iter().all(|count| *count > 3), "each verdict was seen: {verdicts:?}");
}
