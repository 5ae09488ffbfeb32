//! The acts in which a process dies at every point: what is asked of the gateway, in which order, and what must be true
//! at the end. Between them: accepting bulks and single messages, waiting for an instant, holding and releasing, cancelling
//! and moving, leases, submits, refusals of every kind, silence and doubt, receipts early, twice and of strangers, final
//! states, webhooks, messages from handsets, opt-outs, revival, expiry, erasure, and the removal of slices.

use crate::common::api::ids;
use crate::common::peers::{Event, Submit};
use crate::ledger::{Ledger, Sum};
use crate::load::{Acknowledged, bulk, recipient};
use crate::stage::{Set, Stage, copy};
use relais::base::Time;
use relais::world::World;
use serde_json::{Value, json};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// See above.
pub(crate) struct Act {
    pub(crate) name: &'static str,
    /// Its stage.
    pub(crate) set: fn(&Stores) -> Set,
    /// From the start to the verdict.
    pub(crate) play: fn(&mut Stage, &Stores) -> Sum,
}

/// All of them.
pub(crate) const ACTS: [Act; 3] = [
    Act { name: "traffic", set: |_| traffic_set(), play: |stage, _| traffic(stage).judged(stage) },
    Act { name: "return", set: |stores| return_set(stores), play: returned },
    Act { name: "sweep", set: |stores| sweep_set(stores), play: swept },
];

/// Stores that acts begin with, made by gateways that nothing happened to.
pub(crate) struct Stores {
    /// Full of what waits: for an instant, for the law, for a carrier that is away.
    left: PathBuf,
    waiting: Vec<Acknowledged>,
    /// Of these the far future ones, canceled in the second act, and those whose time runs out.
    far: String,
    /// Everything final.
    over: PathBuf,
    all: Vec<Acknowledged>,
}

/// What was asked for and answered.
#[derive(Default)]
pub(crate) struct Took {
    pub(crate) acknowledged: Vec<Acknowledged>,
    /// Canceled, or out of time: never to be seen by a carrier.
    pub(crate) unsent: Vec<usize>,
}

impl Took {
    /// A bulk with further defaults; its id and the ids of its messages.
    pub(crate) fn bulk(&mut self, stage: &mut Stage, numbers: Range<usize>, defaults: &Value) -> (String, Vec<String>) {
        let mut body = bulk(numbers.clone());
        let all = body["defaults"].as_object_mut().expect("as load.rs makes it");
        all.extend(defaults.as_object().expect("fields").clone());
        let answer = stage.ask("POST", "/v1/batches", Some(&format!("bulk-{}", numbers.start)), Some(&body));
        assert_eq!(answer.status, 202, "{}", answer.text());
        let (batch, ids) = ids(&answer);
        assert_eq!(ids.len(), numbers.len(), "{}", answer.text());
        self.acknowledged.extend(ids.iter().cloned().zip(numbers).map(|(id, number)| Acknowledged { id, number }));
        (batch, ids)
    }

    /// A message by itself.
    fn single(&mut self, stage: &mut Stage, number: usize) {
        let answer = stage.ask("POST", "/v1/messages", Some(&format!("single-{number}")), Some(&message(number)));
        assert_eq!(answer.status, 202, "{}", answer.text());
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        self.acknowledged.push(Acknowledged { id, number });
    }

    /// Waits until all of it is final and told, ends the gateway, and judges.
    pub(crate) fn judged(self, stage: &mut Stage) -> Sum {
        let finals = |stage: &mut Stage| self.acknowledged.iter().map(|one| stage.last(&one.id)).collect::<Vec<Value>>();
        let messages = finals(stage);
        stage.wait("all are told", |stage| {
            // A gateway that dies now must be there to tell the rest.
            let _ = stage.see("/v1/batches");
            self.acknowledged.iter().all(|one| stage.is_told(one.number)).then_some(())
        });
        if stage.stop() {
            stage.up();
            assert_eq!(finals(stage), messages, "INV-23: what is final stays");
            stage.stop();
        }
        self.verdict(&messages, &stage.submits(), &stage.events())
    }

    fn verdict(&self, messages: &[Value], submits: &[Submit], events: &[Event]) -> Sum {
        Ledger { acknowledged: &self.acknowledged, messages, submits, events, unsent: &self.unsent }.check()
    }
}

/// The message of a number, as `bulk` writes it.
fn message(number: usize) -> Value {
    let mut message = bulk(number..number + 1)["recipients"][0].take();
    message["from"] = json!("SHOP");
    message
}

/// A carrier that does what carriers do.
pub(crate) fn habits(id_base: u64) -> Option<Value> {
    Some(json!({
        "id_base": id_base, "response_ms": [1, 15], "receipt_ms": [5, 60], "missing": 0.04,
        "statuses": [{"status": "0x58", "rate": 0.08}, {"status": "0x08", "rate": 0.05}],
        "receipt_early": 0.2, "receipt_twice": 0.2, "receipt_unknown": 0.1, "receipt_enroute": 0.2,
        "states": {"delivered": 8.0, "undeliverable": 1.0, "expired": 1.0},
    }))
}

/// Rules of our own: a country where advertising may go at all hours, so that no test depends on the day it runs.
const RULES: &str = "dated = \"2026-01-01\"\ncountry = \"*\"\n\n[[rule]]\nid = \"DEFAULT\"\nchannels = [\"sms\", \"mms\", \"voice\"]\n\
    class = \"marketing\"\nwindows = { mon-sun = [\"00:00-24:00\"] }\nholidays = \"ignore\"\nbasis = \"default\"\nconfidence = \"low\"\n\
    sources = [\"the tests\"]\n";

pub(crate) fn rules() -> String {
    static MADE: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    let dir = MADE.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chaos-rules");
        std::fs::create_dir_all(&dir).expect("the tests' directory");
        std::fs::write(dir.join("default.toml"), RULES).expect("the tests' directory");
        dir
    });
    format!("[rules]\ndir = {dir:?}\n")
}

/// Advertising is closed for hours to come, whatever hour it is.
pub(crate) fn quiet() -> String {
    let hour = |add: i64| (World::real().now().0 / 3_600_000 + add).rem_euclid(24);
    format!("quiet_hours = \"{:02}:00-{:02}:00\"\nmargin = \"0ms\"\n", hour(22), hour(6))
}

fn traffic_set() -> Set {
    let more = format!("[journal]\nslice = \"1s\"\n{}", rules());
    Set { account: quiet(), more, habits: habits(1), ..Set::default() }
}

/// The first act: whatever customers, handsets and the carrier do on a day.
fn traffic(stage: &mut Stage) -> Took {
    let mut took = Took::default();
    stage.up();
    took.bulk(stage, 0..10, &json!({}));
    (10..13).for_each(|number| took.single(stage, number));
    let soon = Time(World::real().now().0 + 300);
    let soon = took.bulk(stage, 20..24, &json!({"send_at": soon.rfc3339()})).1;
    let (far, moved) = took.bulk(stage, 30..34, &json!({"send_after": "PT2H"}));
    let _ = took.bulk(stage, 40..43, &json!({"send_after": "PT1H", "cancel_key": "chain"}));
    let held = took.bulk(stage, 50..53, &json!({"class": "marketing", "expires_in": 1_000_000, "time_zone": "Etc/UTC"})).1;
    // Nothing is sent to who has opted out, by the customer's word or by their own.
    let answer = stage.ask("POST", "/v1/suppressions", None, Some(&json!({"number": format!("+{}", recipient(60))})));
    assert_eq!(answer.status, 200, "{}", answer.text());
    stage.smsc().inject_mo(&recipient(61), "36111", "STOP");
    for number in [60, 61] {
        stage.wait("it is opted out", |stage| is_out(stage, number).then_some(()));
        let mut message = message(number);
        message["class"] = json!("service");
        let answer = stage.ask("POST", "/v1/messages", Some(&format!("out-{number}")), Some(&message));
        assert!(answer.text().contains("opted_out"), "{number}: {}", answer.text());
    }
    // Called back: one, a bulk, a chain, and what the law holds.
    let path = format!("/v1/messages/{}", moved[0]);
    let other = Time(World::real().now().0 + 300);
    let answer = stage.ask("PATCH", &path, None, Some(&json!({"send_at": other.rfc3339()})));
    // Asked again after a death, when it has gone already.
    assert!(answer.status == 200 || answer.text().contains("too_late"), "{}", answer.text());
    let mut call_back = |stage: &mut Stage, path: &str, body: &Value, numbers: &[usize]| {
        let answer = stage.ask("POST", path, None, Some(body));
        let (status, text) = (answer.status, answer.text());
        assert!(status == 200 || (status == 409 && text.contains("too_late")), "{path}: {status} {text}");
        if status == 200 {
            took.unsent.extend(numbers);
        }
    };
    call_back(stage, &format!("/v1/messages/{}/cancel", soon[0]), &json!({}), &[20]);
    call_back(stage, &format!("/v1/messages/{}/cancel", moved[1]), &json!({}), &[31]);
    call_back(stage, &format!("/v1/batches/{far}/cancel"), &json!({}), &[32, 33]);
    call_back(stage, "/v1/cancel", &json!({"cancel_key": "chain"}), &[40, 41, 42]);
    for (id, number) in held.iter().zip(50..) {
        let held = stage.see(&format!("/v1/messages/{id}"));
        assert!(["held", "canceled"].contains(&held["status"].as_str().unwrap_or_default()), "{held:#}");
        call_back(stage, &format!("/v1/messages/{id}/cancel"), &json!({}), &[number]);
    }
    // The bulk's own cancel may have found the moved message waiting still.
    if stage.last(&moved[0])["status"] == "canceled" {
        took.unsent.push(30);
    }
    stage.wait("the message from the handset is told", |stage| {
        let _ = stage.see("/v1/batches");
        stage.events().iter().any(|event| event.kind == "message.inbound").then_some(())
    });
    for number in [60, 61] {
        assert!(is_out(stage, number), "INV-19");
    }
    took
}

fn is_out(stage: &mut Stage, number: usize) -> bool {
    let page = stage.see(&format!("/v1/suppressions?number=%2B{}", recipient(number)));
    page["suppressions"].as_array().is_some_and(|rows| !rows.is_empty())
}

impl Stores {
    /// Makes them.
    pub(crate) fn prepare(shim: &Path) -> Stores {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-stores-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&home);
        std::fs::create_dir_all(&home).expect("the tests' directory");
        let mut stage = Stage::new(shim, &traffic_set(), &[]);
        let today = traffic(&mut stage);
        for one in &today.acknowledged {
            stage.last(&one.id);
        }
        stage.carrier_leaves();
        let mut took = Took::default();
        took.bulk(&mut stage, 100..110, &json!({"expires_in": 172_800}));
        took.bulk(&mut stage, 110..113, &json!({"class": "marketing", "expires_in": 1_000_000, "time_zone": "Etc/UTC"}));
        took.bulk(&mut stage, 120..123, &json!({"send_after": "PT1H", "expires_in": 172_800}));
        let (far, _) = took.bulk(&mut stage, 130..133, &json!({"send_after": "P3D"}));
        took.bulk(&mut stage, 140..143, &json!({"expires_in": 60}));
        stage.kill9();
        let left = home.join("left");
        copy(&stage.data(), &left);
        stage.close();
        let mut stores = Stores { left, waiting: took.acknowledged, far, over: home.join("over"), all: today.acknowledged };
        let mut stage = Stage::new(shim, &return_set(&stores), &[]);
        returned(&mut stage, &stores);
        copy(&stage.data(), &stores.over);
        stage.close();
        stores.all.extend(stores.waiting.iter().cloned());
        stores
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        let _ = self.left.parent().map(std::fs::remove_dir_all);
    }
}

/// Nine hours later, when nothing is quiet any more.
fn return_set(stores: &Stores) -> Set {
    let more = format!("[engine]\nrevival_hold = \"1h\"\n[journal]\nslice = \"1s\"\n{}", rules());
    Set {
        data: Some(stores.left.clone()),
        account: "margin = \"0ms\"\n".into(),
        more,
        habits: habits(1_000_000),
        ahead: 32_400,
        ..Set::default()
    }
}

/// The second act: a store full of what waits is found after hours.
fn returned(stage: &mut Stage, stores: &Stores) -> Sum {
    stage.up();
    let mut took = Took { acknowledged: stores.waiting.clone(), unsent: (140..143).collect() };
    let advertising = took.acknowledged.iter().find(|one| one.number == 110).expect("it waits").id.clone();
    awaits_a_word(stage, &advertising);
    let answer = stage.ask("POST", "/v1/release", None, None);
    assert!((200..300).contains(&answer.status), "{} {}", answer.status, answer.text());
    let answer = stage.ask("POST", &format!("/v1/batches/{}/cancel", stores.far), None, Some(&json!({})));
    assert_eq!(answer.status, 200, "{}", answer.text());
    took.unsent.extend(130..133);
    took.judged(stage)
}

/// Waits until a message is held for a person's word.
pub(crate) fn awaits_a_word(stage: &mut Stage, id: &str) {
    let path = format!("/v1/messages/{id}");
    stage.wait("advertising is held", |stage| {
        let view = stage.see(&path);
        assert_eq!(view["final"], json!(false), "INV-15: {view:#}");
        (view["status"] == "held" && view["reason"]["code"] == "revival").then_some(())
    });
}

/// Nine hours later again, and almost nothing is kept.
fn sweep_set(stores: &Stores) -> Set {
    let more =
        format!("[engine]\nrevival_hold = \"0ms\"\n[journal]\nslice = \"1s\"\nretention = \"1m\"\nidempotency_for = \"1m\"\n{}", rules());
    let carrier = "validity = \"1m\"\nreceipt_wait = \"1m\"\norphan_ttl = \"1m\"\n".into();
    let webhook = "retry_for = \"1m\"\n".into();
    Set { data: Some(stores.over.clone()), carrier, webhook, more, habits: habits(2_000_000), ahead: 64_800, ..Set::default() }
}

/// The third act: a number is erased, what is over is removed, and new messages go on.
fn swept(stage: &mut Stage, stores: &Stores) -> Sum {
    stage.up();
    let path = format!("/v1/numbers/+{}", recipient(0));
    let answer = stage.ask("DELETE", &path, None, None);
    assert_eq!(answer.status, 202, "{}", answer.text());
    let mut took = Took::default();
    took.bulk(stage, 200..206, &json!({}));
    stage.wait("the number is erased", |stage| {
        let answer = stage.ask("GET", &format!("{path}/erasure"), None, None);
        assert_eq!(answer.status, 200, "the erasure that was promised is known: {}", answer.text());
        (answer.json()["state"] == "done").then_some(())
    });
    for one in &stores.all {
        let path = format!("/v1/messages/{}", one.id);
        stage.wait("what is over is removed", |stage| (stage.ask("GET", &path, None, None).status == 404).then_some(()));
    }
    for number in [60, 61] {
        assert!(is_out(stage, number), "INV-19: opt-outs outlive everything");
    }
    took.judged(stage)
}
