//! Instants at their edges: years ahead, an hour after, an end before the opening; and what is wrong with a text or its
//! values, told so that it can be mended.

use crate::rig::{Answer, JSON, Rig, Setup, answer, request};
use relais::app::gateway::{Gateway, Opened};
use relais::base::{Secret, Span, Time};
use relais::config::{self, KeyHash, MapSecrets};
use relais::engine::reader::Calls;
use relais::lab::personality::Personality;
use relais::lab::{Options, SimWorld, Smsc};
use relais::storage::memory::Memory;
use relais::telemetry::Metrics;
use relais::world::World;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn instant(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap_or_else(|| panic!("no instant: {text}"))
}

async fn call(world: &World, gateway: &Gateway, method: &str, path: &str, body: &Value) -> Answer {
    let mut stream = world.net.dial(gateway.http).await.expect("it listens");
    let headers = [("authorization", "Bearer k.secret"), ("content-type", JSON)];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    stream.write_all(&request(method, path, &headers, body.as_bytes())).await.expect("written");
    answer(&mut stream).await
}

async fn serve(world: &World, memory: &Memory) -> Gateway {
    let hash = KeyHash::of(&Secret::new("0123456789abcdef"), b"secret").to_hex();
    let text = format!(
        "[secrets]\npepper = \"0123456789abcdef\"\n[http]\nlisten = \"127.0.0.1:8080\"\n[[accounts]]\nname = \"shop\"\n\
         default_region = \"US\"\n[[accounts.keys]]\nid = \"k\"\nhash = \"{hash}\"\n[[carriers]]\nname = \"one\"\nhost = \"10.0.0.1\"\n\
         system_id = \"s\"\npassword = \"p\"\nenquire_link = \"10m\"\n[[routes]]\nprefix = \"\"\ncarrier = \"one\"\n"
    );
    let config = config::load(&text, &MapSecrets::default()).unwrap_or_else(|mistakes| panic!("{}", config::report("test", &mistakes)));
    let opened = Opened { journal: Box::new(memory.clone()), checkpoint: None };
    Gateway::on(world.clone(), config, opened, Metrics::new(), Calls::Direct).await.expect("it starts")
}

/// Runs a story in a simulated world in which it is `wall`.
fn story<F: Future<Output = ()> + 'static>(wall: &str, tell: impl FnOnce(SimWorld) -> F + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let wall = instant(wall);
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let sim = SimWorld::new(3);
        sim.set_wall(wall);
        let habits: Personality = serde_json::from_str("{}").expect("habits");
        let smsc = Smsc::listen(&sim.world(), "10.0.0.1:2775".parse().expect("an address"), habits, Options::default()).await;
        let smsc = smsc.expect("it listens");
        tell(sim).await;
        smsc.stop().await;
    });
}

async fn sleep_until(world: &World, at: Time) {
    tokio::time::sleep(Duration::from_millis(at.since(world.now()).as_millis())).await;
}

/// When a message was leased, if it was.
fn left(view: &Value) -> Option<Time> {
    let story = view["timeline"].as_array().unwrap_or_else(|| panic!("no story: {view:#}"));
    let leased = story.iter().find(|entry| entry["event"] == "leased")?;
    Some(instant(leased["at"].as_str().expect("an instant")))
}

#[test]
fn what_is_planned_for_two_years_hence_goes_then_although_the_gateway_was_started_anew() {
    story("2026-12-01T09:00:00Z", |sim| async move {
        let (world, memory) = (sim.world(), Memory::new());
        let gateway = serve(&world, &memory).await;
        let due = instant("2028-11-30T15:00:00Z");
        let message = |rest: Value| {
            let mut message = json!({"to": "+33612345678", "from": "SHOP", "text": "hi"});
            message.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
            message
        };
        let planned = call(&world, &gateway, "POST", "/v1/messages", &message(json!({"send_at": "2028-11-30T16:00:00+01:00"}))).await;
        assert_eq!((planned.status, &planned.json()["status"]), (202, &json!("scheduled")), "{planned:?}");
        assert_eq!(planned.json()["until"], due.rfc3339());
        let far = call(&world, &gateway, "POST", "/v1/messages", &message(json!({"send_after": "P801D"}))).await;
        assert_eq!(far.code(), "schedule_out_of_range");
        // An hour after: not a moment before, and soon then.
        let began = world.now();
        let soon = call(&world, &gateway, "POST", "/v1/messages", &message(json!({"send_after": "PT1H"}))).await.json();
        tokio::time::sleep(Duration::from_millis(HOUR_MS as u64 + 10_000)).await;
        let view = call(&world, &gateway, "GET", &format!("/v1/messages/{}", soon["id"].as_str().expect("an id")), &Value::Null).await;
        let late = left(&view.json()).expect("it has left").0 - began.0 - HOUR_MS;
        assert!((0..5_000).contains(&late), "{late} ms late");
        gateway.stop().await;

        // Nobody is there for two years.
        sim.set_wall(Time(due.0 - 2 * HOUR_MS));
        let gateway = serve(&world, &memory.reopen()).await;
        let path = format!("/v1/messages/{}", planned.json()["id"].as_str().expect("an id"));
        sleep_until(&world, Time(due.0 - 1_000)).await;
        let view = call(&world, &gateway, "GET", &path, &Value::Null).await.json();
        assert_eq!((&view["status"], left(&view)), (&json!("scheduled"), None), "{view:#}");
        // A lifetime counts from the instant it is scheduled for.
        let lives = instant(view["expires_at"].as_str().expect("an instant")).0 - due.0;
        assert!((DAY_MS..DAY_MS + 1_000).contains(&lives), "{view:#}");
        sleep_until(&world, Time(due.0 + 60_000)).await;
        let view = call(&world, &gateway, "GET", &path, &Value::Null).await.json();
        let late = left(&view).unwrap_or_else(|| panic!("it has not left: {view:#}")).0 - due.0;
        assert!((0..5_000).contains(&late), "{late} ms late");
        assert_eq!(view["status"], "delivered", "{view:#}");
        gateway.stop().await;
    });
}

#[test]
fn what_ends_before_its_hours_open_is_refused_with_the_rules_and_the_opening() {
    // A Sunday in Paris; advertising may go on Monday at 8.
    story("2026-12-06T10:00:00Z", |sim| async move {
        let (world, memory) = (sim.world(), Memory::new());
        let gateway = serve(&world, &memory).await;
        let opens = "2026-12-07T07:00:00.000Z";
        let body = |rest: &str| -> Value {
            let body = format!(r#"{{"to":"+33612345678","from":"SHOP","text":"hi","class":"marketing"{rest}}}"#);
            serde_json::from_str(&body).expect("JSON")
        };
        for rest in [
            r#","expires_in":3600"#,
            r#","expires_at":"2026-12-07T08:00:00+01:00""#,
            r#","send_at":"2026-12-06T20:00:00+01:00","expires_in":60"#,
        ] {
            for path in ["/v1/messages", "/v1/explain"] {
                let refused = call(&world, &gateway, "POST", path, &body(rest)).await;
                let told = (refused.code(), refused.json());
                assert_eq!((told.0.as_str(), refused.status), ("no_opening", 422), "{rest}");
                let detail = told.1["detail"].as_str().expect("a detail");
                assert!(detail.contains("FR-sms") && detail.contains(opens), "{detail}");
            }
        }
        let held = call(&world, &gateway, "POST", "/v1/messages", &body(r#","expires_at":"2026-12-07T08:00:01+01:00""#)).await.json();
        assert_eq!((&held["status"], &held["reason"], &held["until"]), (&json!("held"), &json!("window_closed"), &json!(opens)));
        // The explanation names what closed the hours, also when it is not closed at the instant it is wanted for.
        let told = call(&world, &gateway, "POST", "/v1/explain", &body("")).await.json();
        assert_eq!((&told["hours"]["allowed"], &told["hours"]["rules"]), (&json!(false), &json!(["FR-sms"])), "{told:#}");
        assert_eq!(told["at"], opens);
        // To move it beyond its end is another matter than to close it in.
        let path = format!("/v1/messages/{}", held["id"].as_str().expect("an id"));
        let moved = call(&world, &gateway, "PATCH", &path, &json!({"expires_at": "2026-12-07T08:00:00+01:00"})).await;
        assert_eq!(moved.code(), "no_opening");
        let moved = call(&world, &gateway, "PATCH", &path, &json!({"expires_at": "2026-12-09T08:00:00+01:00"})).await;
        assert_eq!((moved.status, &moved.json()["status"], &moved.json()["until"]), (200, &json!("held"), &json!(opens)), "{moved:?}");
        let view = call(&world, &gateway, "GET", &path, &Value::Null).await.json();
        assert_eq!((&view["status"], &view["expires_at"]), (&json!("held"), &json!("2026-12-09T07:00:00.000Z")), "{view:#}");
        sleep_until(&world, instant(opens).after(Span::secs(60))).await;
        let view = call(&world, &gateway, "GET", &path, &Value::Null).await.json();
        let late = left(&view).unwrap_or_else(|| panic!("it has not left: {view:#}")).0 - instant(opens).0;
        assert!((0..5_000).contains(&late), "{late} ms late");
        // What could be two numbers: Corpus Christi, or Budapest with its country code.
        let two = call(&world, &gateway, "POST", "/v1/messages", &json!({"to": "3612345678", "from": "36123", "text": "hi"})).await;
        assert_eq!(two.code(), "invalid_number");
        assert!(two.json()["detail"].as_str().is_some_and(|detail| detail.contains("another country code")), "{two:?}");
        gateway.stop().await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_text_or_its_values_is_told_with_its_place() {
    let rig = Rig::start(Setup::default()).await;
    let many: Value = (0..65).map(|n| (format!("p{n}"), json!("x"))).collect::<serde_json::Map<_, _>>().into();
    let grows = format!("{{{{ a{} }}}}", "|replace(\"x\", b)".repeat(3));
    let deep = format!("{}x{}", "{% if a %}".repeat(200), "{% endif %}".repeat(200));
    for (rest, code, pointer, detail) in [
        (json!({"text": "Hi\nyou {{ a|shout }}"}), "template_error", "/text", "line 2, column 10"),
        (json!({"text": "Hi {{first"}), "template_error", "/text", "line 1, column 4"),
        (json!({"text": "a\n{% for x in y %}{% endfor %}"}), "template_error", "/text", "line 2, column 3"),
        (json!({"text": "Hi {{first}}"}), "missing_param", "/params", "first"),
        (json!({"text": "{{a}}", "params": many}), "too_many_keys", "/params", "64"),
        (json!({"text": "{{a}}", "params": {"a": {"b": 1}}}), "wrong_type", "/params/a", ""),
        (json!({"text": "{{a}}", "params": {"a b": "c"}}), "invalid_param_name", "/params", ""),
        (json!({"text": "{{a}}", "params": {"a": "x".repeat(60_000)}}), "too_many_segments", "/text", ""),
        (json!({"text": grows, "params": {"a": "x".repeat(500), "b": "x".repeat(500)}}), "template_error", "/text", "too long"),
        (json!({"text": deep, "params": {"a": "1"}}), "template_error", "/text", "line 1"),
        (json!({"text": "hi", "time_zone": "Europe/Nowhere"}), "unknown_time_zone", "/time_zone", "Europe/Paris"),
    ] {
        let mut message = json!({"to": "+33612345678", "from": "SHOP"});
        message.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
        let answer = rig.send(&message.to_string()).await;
        let (told, shown) = (answer.json(), rest.to_string().chars().take(80).collect::<String>());
        assert_eq!((answer.code().as_str(), &told["errors"][0]["pointer"]), (code, &json!(pointer)), "{shown}: {told:#}");
        assert!(told["detail"].as_str().is_some_and(|told| told.contains(detail)), "{shown}: {told:#}");
    }
    assert_eq!(rig.journal.commits().iter().map(|commit| commit.frames).sum::<usize>(), 0);
}
