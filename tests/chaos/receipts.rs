//! Carriers that misbehave, and a webhook that fails: receipts early, twice, elsewhere, late, for nobody; answers that
//! never come; refusals; connections cut. Each over the real binary.

use crate::common::api::Api;
use crate::common::gateway::{Gateway, Settings};
use crate::common::peers::{Event, Peer, Submit};
use crate::common::{Bench, until};
use crate::ledger::{Ledger, Sum};
use crate::load::{Acknowledged, bulk, parts};
use serde_json::Value;
use std::collections::HashSet;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const CALM: &str = "binds = 2\nwindow = 10\nsegments_per_second = 0\nresponse_timeout = \"20s\"\nreconnect_min = \"50ms\"\n";

/// A gateway, its carrier and its customer's webhook.
struct Scene {
    bench: Bench,
    smsc: Peer,
    sink: Peer,
    gateway: Option<Gateway>,
    sent: Vec<Acknowledged>,
    /// What sinks before this one were told.
    earlier: Vec<Event>,
}

impl Scene {
    fn new(name: &str, habits: &[&str], carrier: &str, sink: &[&str]) -> Scene {
        let bench = Bench::new(name);
        let (smsc, sink) = (Peer::smsc(bench.path(), habits), Peer::sink(bench.path(), sink));
        let settings = Settings { smsc: smsc.port(), sink: Some(sink.port()), carrier: carrier.into(), more: String::new() };
        settings.write(bench.path());
        let gateway = Some(Gateway::start(bench.path()));
        Scene { bench, smsc, sink, gateway, sent: Vec::new(), earlier: Vec::new() }
    }

    fn api(&self) -> Api {
        self.gateway.as_ref().expect("it runs").api()
    }

    /// So many messages, in one bulk.
    fn send(&mut self, count: usize) {
        let ids = self.api().take(&bulk(0..count)).1;
        self.sent = ids.into_iter().zip(0..).map(|(id, number)| Acknowledged { id, number }).collect();
    }

    fn segments(&self) -> u64 {
        self.sent.iter().map(|one| u64::from(parts(one.number))).sum()
    }

    fn ids(&self) -> Vec<String> {
        self.sent.iter().map(|one| one.id.clone()).collect()
    }

    fn smsc_count(&self, name: &str) -> u64 {
        self.smsc.counts()["smsc"][name].as_u64().unwrap_or(0)
    }

    fn die(&mut self) {
        self.gateway.take().expect("it runs").kill9();
        self.gateway = Some(Gateway::start(self.bench.path()));
    }

    fn finals(&self) -> Vec<Value> {
        self.api().finals(&self.ids(), PATIENCE)
    }

    /// Waits until all is final and told, ends everything, and checks what holds for every run.
    fn judge(mut self) -> Sum {
        let messages = self.finals();
        let earlier: HashSet<_> = self.earlier.iter().map(|event| event.message.clone()).collect();
        let missing = (self.sent.len() - earlier.len()) as u64;
        until("all are told", PATIENCE, || (self.sink.counts()["sink"]["finals"].as_u64()? >= missing).then_some(()));
        assert_eq!(self.api().metric("relais_panics_total", &[]), 0.0);
        assert_eq!(self.gateway.take().expect("it runs").stop().code(), Some(0));
        let (submits, mut events): (Vec<Submit>, Vec<Event>) = (self.smsc.stop(), self.sink.stop());
        events.append(&mut self.earlier);
        let sum = Ledger { acknowledged: &self.sent, messages: &messages, submits: &submits, events: &events, unsent: &[] }.check();
        println!("{sum:?}");
        sum
    }

    /// As `judge`, of a run in which nothing may be doubled and all is delivered.
    fn judge_perfect(self) {
        let count = self.sent.len();
        let sum = self.judge();
        assert_eq!((sum.doubled, sum.labelled, sum.unseen, sum.finals.get("delivered")), (0, 0, 0, Some(&count)), "{sum:?}");
    }
}

#[test]
fn receipts_before_their_responses_are_matched() {
    let mut scene = Scene::new("early", &["receipt_early=1", "response_ms=[5,30]"], CALM, &[]);
    scene.send(300);
    scene.finals();
    assert!(scene.api().metric("relais_receipts_total", &["kind=\"adopted\""]) > 0.0, "some came before their response");
    until("none is left over", PATIENCE, || (scene.api().metric("relais_orphans", &[]) == 0.0).then_some(()));
    scene.judge_perfect();
}

#[test]
fn receipts_that_come_twice_change_nothing_the_second_time() {
    let mut scene = Scene::new("twice", &["receipt_twice=1"], CALM, &[]);
    scene.send(300);
    until("all are acknowledged", PATIENCE, || (scene.smsc_count("receipts_acked") == 2 * scene.segments()).then_some(()));
    scene.judge_perfect();
}

#[test]
fn receipts_on_another_bind_are_matched() {
    let mut scene = Scene::new("another", &["receipt_bind=another", "receipt_ms=20"], CALM, &[]);
    scene.send(300);
    scene.judge_perfect();
}

#[test]
fn receipts_after_a_kill_and_a_restart_are_matched() {
    let mut scene = Scene::new("restart", &["receipt_ms=4000"], CALM, &[]);
    scene.send(300);
    let mut api = scene.api();
    for id in scene.ids() {
        until("it is sent", PATIENCE, || (api.message(&id)["status"] == "sent").then_some(()));
    }
    scene.die();
    scene.judge_perfect();
}

#[test]
fn receipts_for_nobody_are_acknowledged_kept_and_counted() {
    let mut scene = Scene::new("unknown", &["receipt_unknown=1"], CALM, &[]);
    scene.send(200);
    scene.finals();
    let strangers = scene.segments();
    until("all are acknowledged", PATIENCE, || (scene.smsc_count("receipts_acked") == 2 * strangers).then_some(()));
    until("they are counted", PATIENCE, || (scene.api().metric("relais_orphans", &[]) == strangers as f64).then_some(()));
    scene.judge_perfect();
}

#[test]
fn answers_that_never_come_put_messages_in_doubt_and_copies_are_labelled() {
    // Without receipts, so that nothing settles a doubt but the policy.
    let carrier = "window = 10\nsegments_per_second = 0\nresponse_timeout = \"500ms\"\nambiguity_hold = \"200ms\"\nreceipts = \"none\"\n";
    let mut scene = Scene::new("missing", &["missing=0.2"], carrier, &[]);
    scene.send(200);
    let sum = scene.judge();
    assert!(sum.doubled > 0 && sum.labelled > 0 && sum.unseen == 0, "{sum:?}");
}

#[test]
fn throttling_costs_no_attempt_and_doubles_nothing() {
    let carrier = format!("{CALM}attempts_max = 1\nthrottle_pause = \"100ms\"\n");
    let mut scene = Scene::new("throttled", &["throttle_per_s=60"], &carrier, &[]);
    scene.send(150);
    scene.finals();
    until("it was throttled", PATIENCE, || (scene.smsc_count("throttled") > 0).then_some(()));
    scene.judge_perfect();
}

#[test]
fn a_connection_that_is_cut_again_and_again_loses_nothing() {
    let carrier = "window = 5\nsegments_per_second = 0\nreconnect_min = \"20ms\"\nreconnect_max = \"50ms\"\nambiguity_hold = \"200ms\"\n";
    let mut scene = Scene::new("cut", &["disconnect_every=25", "response_ms=[1,10]"], carrier, &[]);
    scene.send(400);
    scene.finals();
    until("the counters are fresh", PATIENCE, || (scene.smsc_count("disconnects") >= 10).then_some(()));
    let cuts = scene.smsc_count("disconnects") as usize;
    let sum = scene.judge();
    assert!(sum.doubled <= 5 * (cuts + 1), "INV-10: {cuts} cuts, {sum:?}");
}

#[test]
fn a_webhook_that_fails_and_recovers_is_told_everything_also_after_a_kill() {
    let mut scene = Scene::new("webhook", &[], CALM, &["--fail-first", "6"]);
    scene.send(400);
    scene.finals();
    assert_ne!(scene.sink.counts()["sink"]["finals"], 400, "it fails at first");
    scene.die();
    scene.judge_perfect();
}

#[test]
fn a_webhook_that_is_down_for_a_while_is_told_everything_when_it_is_back() {
    let mut scene = Scene::new("down", &["receipt_ms=[0,1500]"], CALM, &[]);
    scene.send(400);
    until("some are told", PATIENCE, || (scene.sink.counts()["sink"]["finals"].as_u64()? > 0).then_some(()));
    let (port, dir) = (scene.sink.port(), scene.bench.path().to_owned());
    // Another sink takes its place only when the first is gone and messages have ended meanwhile.
    let silent = Peer::sink_at(&dir, 0, "silent.ndjson", &[]);
    scene.earlier = std::mem::replace(&mut scene.sink, silent).stop();
    scene.finals();
    assert!(scene.earlier.len() < scene.sent.len(), "all were told before the sink went down");
    until("its calls fail", PATIENCE, || (scene.api().metric("relais_webhook_failures_total", &[]) > 0.0).then_some(()));
    scene.sink = Peer::sink_at(&dir, port, "later.ndjson", &[]);
    until("it has caught up", PATIENCE, || (scene.api().metric("relais_webhook_lag", &[]) == 0.0).then_some(()));
    scene.judge_perfect();
}
