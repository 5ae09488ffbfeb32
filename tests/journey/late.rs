//! Texts made when they are sent, over HTTP to the carrier and back, in the simulated world.

use relais::app::gateway::{Gateway, Opened};
use relais::base::{Secret, Time};
use relais::config::{self, KeyHash, MapSecrets};
use relais::engine::reader::Calls;
use relais::lab::net::Death;
use relais::lab::personality::Personality;
use relais::lab::record::{Keep, Recorder};
use relais::lab::world::Process;
use relais::lab::{Options, RecordOptions, SimWorld, Smsc, SmscHandle, TokenRule};
use relais::storage::memory::Memory;
use relais::telemetry::Metrics;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const AT: &str = "10.0.0.1:2775";

/// A carrier, a disk, and what the carrier saw.
struct House {
    sim: SimWorld,
    memory: Memory,
    record: Arc<Recorder>,
    smsc: SmscHandle,
}

/// A gateway that may be killed.
struct Live {
    process: Process,
    gateway: Gateway,
}

impl House {
    /// `habits` are the carrier's, as JSON.
    async fn new(begin: &str, habits: &str) -> House {
        let sim = SimWorld::new(5);
        sim.set_wall(Time::parse_rfc3339(begin).expect("an instant"));
        let record = Arc::new(Recorder::new(RecordOptions { token: TokenRule::Hashes, keep: Keep::Submits, ..RecordOptions::default() }));
        let options = Options { record: record.clone(), ..Options::default() };
        let habits: Personality = serde_json::from_str(habits).expect("habits");
        let smsc = Smsc::listen(&sim.world(), AT.parse().expect("an address"), habits, options).await.expect("it listens");
        House { sim, memory: Memory::new(), record, smsc }
    }

    /// Starts a gateway on the disk; `carrier` is added to its carrier's section.
    async fn open(&self, carrier: &str) -> Live {
        let text = format!(
            "[secrets]\npepper = \"0123456789abcdef\"\n[http]\nlisten = \"127.0.0.1:8080\"\n[[accounts]]\nname = \"shop\"\n\
             time_zone = \"Asia/Tokyo\"\n[[accounts.keys]]\nid = \"k\"\nhash = \"{}\"\n[[carriers]]\nname = \"one\"\nhost = \"10.0.0.1\"\n\
             port = 2775\nsystem_id = \"s\"\npassword = \"p\"\nreconnect_min = \"100ms\"\nreconnect_max = \"1s\"\nresponse_timeout = \"10s\"\n\
             ambiguity_hold = \"1s\"\n{carrier}\n[[routes]]\nprefix = \"\"\ncarrier = \"one\"\n",
            KeyHash::of(&Secret::new("0123456789abcdef"), b"secret").to_hex()
        );
        let config = config::load(&text, &MapSecrets::default()).unwrap_or_else(|mistakes| panic!("{}", config::report("test", &mistakes)));
        let process = self.sim.process();
        let opened = Opened { journal: Box::new(self.memory.reopen()), checkpoint: None };
        let gateway = Gateway::on(process.world(), config, opened, Metrics::new(), Calls::Direct).await.expect("it starts");
        Live { process, gateway }
    }

    async fn call(&self, live: &Live, method: &str, path: &str, body: &str) -> Value {
        let mut stream = self.sim.world().net.dial(live.gateway.http).await.expect("it listens");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\nauthorization: Bearer k.secret\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 20"), "{answer}");
        serde_json::from_str(body).expect("JSON")
    }

    /// Sends one message; its id.
    async fn send(&self, live: &Live, body: &Value) -> String {
        self.call(live, "POST", "/v1/messages", &body.to_string()).await["id"].as_str().expect("an id").to_owned()
    }

    async fn see(&self, live: &Live, id: &str) -> Value {
        self.call(live, "GET", &format!("/v1/messages/{id}"), "").await
    }

    /// Lets time pass until a message is final.
    async fn over(&self, live: &Live, id: &str) -> Value {
        for _ in 0..100_000 {
            let view = self.see(live, id).await;
            if view["final"] == true {
                return view;
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        panic!("never over: {:#}", self.see(live, id).await)
    }

    /// What the carrier was given for a number, in order: when, and the token in the text.
    fn given(&self, to: &str) -> Vec<(Time, String)> {
        let submits = self.record.submits().into_iter().filter(|submit| submit.dest == to);
        submits.map(|submit| (Time(submit.at_ms), submit.token.unwrap_or_default())).collect()
    }

    async fn end(self, live: Live) {
        live.gateway.stop().await;
        self.smsc.stop().await;
    }
}

fn story<F: Future<Output = ()>>(tell: impl FnOnce() -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async move { tell().await });
}

#[test]
fn a_message_for_later_says_the_hour_at_which_it_goes_by_its_recipients_clock() {
    story(|| async {
        let house = House::new("2026-12-01T08:00:00Z", "{}").await;
        let live = house.open("").await;
        house.call(&live, "PUT", "/v1/preferences/+33612345679", r#"{"time_zone":"America/Cayenne"}"#).await;
        // Paris by its number; by a preference; by its own field; a mobile of one of Russia's many zones: the account's.
        let recipients = [
            ("33612345678", json!({}), "+01:00"),
            ("33612345679", json!({}), "-03:00"),
            ("33612345680", json!({"time_zone": "Indian/Reunion"}), "+04:00"),
            ("79161234567", json!({}), "+09:00"),
        ];
        let mut ids = Vec::new();
        for (to, rest, _) in &recipients {
            let mut body = json!({
                "to": format!("+{to}"), "from": "SHOP", "class": "service", "render": "send", "send_at": "2026-12-01T19:30:00Z",
                "text": "It is {{ now|date(\"%H:%M\") }} on {{ today|date(\"%d/%m\") }} #{{ now }}#",
            });
            body.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
            ids.push(house.send(&live, &body).await);
        }
        for (id, (to, _, offset)) in ids.iter().zip(&recipients) {
            let view = house.over(&live, id).await;
            assert_eq!((&view["status"], &view["render"]), (&json!("delivered"), &json!("send")), "{view:#}");
            let [(at, said)] = &house.given(to)[..] else { panic!("{:?}", house.given(to)) };
            assert!(said.ends_with(offset), "{said}");
            let said = Time::parse_rfc3339(said).expect("an instant");
            assert!(said <= *at && at.0 - said.0 < 2_000 && *at >= Time::parse_rfc3339("2026-12-01T19:30:00Z").expect("an instant"));
        }
        house.end(live).await;
    });
}

#[test]
fn killed_between_lease_and_answer_the_very_same_text_is_sent_again_whatever_has_changed() {
    story(|| async {
        let house = House::new("2026-12-01T08:00:00Z", r#"{"missing":1.0}"#).await;
        let live = house.open("").await;
        let body = json!({
            "to": "+33612345678", "from": "SHOP", "render": "send", "doubt": "resend_once",
            "text": "#{{ now }}# é {{ \"x\"|replace(\"x\", name) }}", "params": {"name": "Zoé"},
        });
        let id = house.send(&live, &body).await;
        while house.record.submits().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        live.process.die(Death::Closed);
        drop(live);
        tokio::time::sleep(Duration::from_secs(7_200)).await;
        house.smsc.set_personality(Personality::default()).expect("habits");
        // Another alphabet, and another place for the recipient: neither is asked again.
        let live = house.open("alphabet = \"ascii\"").await;
        house.call(&live, "PUT", "/v1/preferences/+33612345678", r#"{"time_zone":"America/Cayenne"}"#).await;
        let view = house.over(&live, &id).await;
        assert_eq!((&view["status"], &view["possible_duplicate"], &view["encoding"]), (&json!("delivered"), &json!(true), &json!("GSM-7")));
        let given = house.given("33612345678");
        let [(first, said), (second, again)] = &given[..] else { panic!("{given:?}") };
        assert_eq!(said, again);
        assert!(second.0 - first.0 > 7_000_000, "{given:?}");
        let rendered = view["timeline"].as_array().expect("a story").iter().filter(|entry| entry["event"] == "rendered").count();
        assert_eq!(rendered, 1, "{view:#}");
        house.end(live).await;
    });
}

#[test]
fn a_text_that_outgrows_its_segments_is_refused_with_a_reason_and_one_that_may_grow_has_the_parts_it_was_sent_in() {
    story(|| async {
        let house = House::new("2026-12-01T08:00:00Z", "{}").await;
        let live = house.open("").await;
        let body = |to: &str, most: u8, rest: &str| {
            json!({
                "to": to, "from": "SHOP", "class": "service", "render": "send", "send_after": "P1D", "max_segments": most,
                "text": format!("#{to}# {{% if today == \"2026-12-01\" %}}short{{% else %}}{{{{ long{rest} }}}}{{% endif %}}"),
                "params": {"long": "y".repeat(200)},
            })
        };
        let over = house.send(&live, &body("+33612345678", 1, "")).await;
        let wrong = house.send(&live, &body("+33612345679", 2, "|int")).await;
        let grown = house.send(&live, &body("+33612345680", 2, "")).await;
        let before = house.see(&live, &grown).await;
        assert_eq!(
            (&before["status"], &before["segments"], before["parts"].as_array().map(Vec::len)),
            (&json!("scheduled"), &json!(1), Some(1))
        );
        for (id, reason) in [(&over, "too_many_segments"), (&wrong, "not_rendered")] {
            let view = house.over(&live, id).await;
            assert_eq!((&view["status"], &view["reason"]["code"]), (&json!("refused"), &json!(reason)), "{view:#}");
        }
        let after = house.over(&live, &grown).await;
        assert_eq!(
            (&after["status"], &after["segments"], after["parts"].as_array().map(Vec::len)),
            (&json!("delivered"), &json!(2), Some(2))
        );
        let story = after["timeline"].as_array().expect("a story");
        assert_eq!(story.iter().find(|entry| entry["event"] == "rendered").map(|entry| entry["segments"].clone()), Some(json!(2)));
        let listed = house.call(&live, "GET", "/v1/messages?to=%2B33612345680", "").await;
        assert_eq!(listed["messages"][0]["segments"], 2, "{listed:#}");
        let numbers: Vec<usize> = ["33612345678", "33612345679", "33612345680"].map(|to| house.given(to).len()).to_vec();
        assert_eq!(numbers, [0, 0, 2], "nothing of a text that does not fit is sent");
        house.end(live).await;
    });
}
