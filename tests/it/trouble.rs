//! When something goes wrong in the middle: callers that go away, disks that are full or fail, a gateway that stops, and
//! connections that only waste time. A definite refusal means never sent (INV-7).

use crate::rig::{JSON, KEY, NoAnswer, Rig, Setup, answer, auth, request, until};
use relais::lab::Workload;
use relais::storage::memory::SimulatedFault;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Pieces of eight messages: even a short list is staged.
const SMALL: &str = "[journal]\nframe_messages_max = 1\n[[routes]]\nprefix = \"\"\ncarrier = \"one\"";
const ONE: &str = r##"{"to":"+33612345678","from":"SHOP","text":"#one#"}"##;

fn list(lines: u64) -> Vec<u8> {
    let mut body = Vec::new();
    Workload::new(3).ndjson(0..lines, &mut body);
    body
}

fn bulk(body: &[u8]) -> Vec<u8> {
    request("POST", "/v1/batches", &[auth(KEY), ("content-type", "application/x-ndjson")], body)
}

/// Nothing of a list was, is or will be.
async fn never_was(rig: Rig) {
    assert!(rig.live("shop").is_empty() && rig.batches("shop").is_empty());
    // What is sent now is sent after whatever was taken before.
    assert_eq!(rig.send(ONE).await.status, 202);
    until("the carrier has the last", async || (rig.record.times("one") == 1).then_some(())).await;
    assert_eq!(rig.record.unique(), 1);
    let rig = rig.restart().await;
    assert_eq!(rig.live("shop").len(), 1);
    assert_eq!(rig.record.unique(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_cut_in_the_middle_is_never_sent() {
    let rig = Rig::start(Setup { sections: SMALL, ..Setup::default() }).await;
    let octets = bulk(&list(200));
    let mut stream = rig.dial().await;
    stream.write_all(&octets[..octets.len() - 30]).await.expect("written");
    until("pieces are staged", async || (rig.journal.commits().iter().map(|commit| commit.frames).sum::<usize>() > 100).then_some(()))
        .await;
    drop(stream);
    never_was(rig).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_turns_out_to_be_broken_is_refused_and_never_sent() {
    let rig = Rig::start(Setup { sections: SMALL, ..Setup::default() }).await;
    let mut body = b"{\"recipients\":[".to_vec();
    for n in 0..200 {
        body.extend_from_slice(format!(r##"{{"to":"+336{n:08}","from":"SHOP","text":"#{n}#"}},"##).as_bytes());
    }
    body.extend_from_slice(b"] oops");
    let answer = rig.post("/v1/batches", JSON, &body).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "malformed_json"), "{answer:?}");
    never_was(rig).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_pauses_is_refused_and_never_sent() {
    let rig = Rig::start(Setup { sections: SMALL, http: "body_idle_timeout = \"200ms\"", ..Setup::default() }).await;
    let octets = bulk(&list(200));
    let mut stream = rig.dial().await;
    stream.write_all(&octets[..octets.len() - 30]).await.expect("written");
    let answer = answer(&mut stream).await;
    assert_eq!((answer.status, answer.code().as_str(), answer.header("connection")), (408, "request_timeout", Some("close")));
    never_was(rig).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_drips_is_refused() {
    let rig = Rig::start(Setup { http: "body_idle_timeout = \"300ms\"", ..Setup::default() }).await;
    let octets = bulk(&list(200));
    let mut stream = rig.dial().await;
    let (head, octets) = octets.split_at(300);
    stream.write_all(head).await.expect("written");
    let began = rig.world.mono();
    // One octet every few milliseconds: never a pause, and never an end.
    let drip = async {
        for octet in octets {
            if stream.write_all(&[*octet]).await.is_err() || stream.flush().await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(10), drip).await;
    let answer = answer(&mut stream).await;
    assert_eq!(answer.code(), "request_timeout");
    assert!(rig.world.mono().since(began) < relais::base::Span::secs(20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_new_messages_are_refused_and_never_sent() {
    let rig = Rig::start(Setup { sections: SMALL, ..Setup::default() }).await;
    rig.fail_next_commit(SimulatedFault::Full);
    let refused = rig.send(r##"{"to":"+33612345678","from":"SHOP","text":"#full#"}"##).await;
    assert_eq!((refused.status, refused.code().as_str(), refused.header("retry-after")), (503, "store_full", Some("5")));
    for (method, path) in [("POST", "/v1/messages"), ("POST", "/v1/batches"), ("GET", "/readyz")] {
        let answer = rig.call(method, path, &[auth(KEY)], b"").await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "store_full"), "{path}");
    }
    assert_eq!(rig.get("/v1/messages").await.status, 200, "looking needs no room");
    rig.gateway.engine.upkeep(relais::base::Time(0), 0);
    until("there is room", async || (rig.get("/readyz").await.status == 200).then_some(())).await;
    never_was(rig).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_under_a_list_takes_none_of_it() {
    for staged in [8, 100, 199] {
        let rig = Rig::start(Setup { sections: SMALL, ..Setup::default() }).await;
        let octets = bulk(&list(200));
        let mut stream = rig.dial().await;
        let cut = octets.len() - 3_000;
        stream.write_all(&octets[..cut * staged / 200]).await.expect("written");
        until("some are staged", async || (!rig.journal.commits().is_empty() || staged == 8).then_some(())).await;
        rig.fail_next_commit(SimulatedFault::Full);
        let _ = stream.write_all(&octets[cut * staged / 200..]).await;
        let answer = answer(&mut stream).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "store_full"), "{staged}: {answer:?}");
        rig.gateway.engine.upkeep(relais::base::Time(0), 0);
        until("there is room", async || (rig.get("/readyz").await.status == 200).then_some(())).await;
        never_was(rig).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_sync_nothing_is_acknowledged_nor_promised_unsent() {
    for (fault, kept) in [(SimulatedFault::Broken, 0), (SimulatedFault::BrokenButWritten, 1)] {
        let rig = Rig::start(Setup::default()).await;
        rig.fail_next_commit(fault);
        let answer = rig.send(ONE).await;
        // Neither a 2xx nor a definite refusal: it may be on the disk.
        assert_eq!((answer.status, answer.code().as_str()), (500, "internal"), "{answer:?}");
        let answer = rig.send(ONE).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "shutting_down"), "{answer:?}");
        let rig = rig.restart().await;
        assert_eq!(rig.live("shop").len(), kept, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_too_much_waits_for_the_disk_new_messages_are_told_to_come_again() {
    let rig = Rig::start(Setup { http: "body_bytes_max = \"1MiB\"\njournal_queue_bytes_max = \"1MiB\"", ..Setup::default() }).await;
    rig.journal.shut(true);
    // A list whose only piece fills the queue.
    let text = "x".repeat(1_000);
    let rows: String = (0..900).map(|n| format!("+336{n:08},SHOP,{text}\n")).collect();
    let list = request("POST", "/v1/batches", &[auth(KEY), ("content-type", "text/csv")], format!("to,from,text\n{rows}").as_bytes());
    let mut streams = Vec::new();
    let refused = until("the queue is full", async || {
        let mut stream = rig.dial().await;
        stream.write_all(&list).await.expect("written");
        streams.push(stream);
        let mut stream = rig.dial().await;
        stream.write_all(&request("POST", "/v1/messages", &[auth(KEY), ("content-type", JSON)], ONE.as_bytes())).await.expect("written");
        tokio::time::timeout(Duration::from_millis(50), answer(&mut stream)).await.ok()
    })
    .await;
    assert_eq!((refused.status, refused.code().as_str(), refused.header("retry-after")), (503, "overloaded", Some("1")));
    rig.journal.shut(false);
    until("there is room", async || (rig.send(ONE).await.status == 202).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_stops_finishes_what_it_has_and_refuses_the_rest() {
    let rig = Rig::start(Setup::default()).await;
    // One request is under way, one connection is idle.
    let octets = request("POST", "/v1/messages", &[auth(KEY), ("content-type", JSON)], ONE.as_bytes());
    let (head, tail) = octets.split_at(octets.len() - 5);
    let (mut busy, mut idle) = (rig.dial().await, rig.dial().await);
    busy.write_all(head).await.expect("written");
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: t\r\n\r\n").await.expect("written");
    let mut buffer = [0; 1_024];
    assert!(idle.read(&mut buffer).await.expect("an answer") > 0);
    until("both are there", async || {
        let metrics = String::from_utf8(rig.get("/metrics").await.body).expect("UTF-8");
        metrics.contains("relais_http_connections 3\n").then_some(())
    })
    .await;
    rig.gateway.engine.drain();
    for (method, path) in [("POST", "/v1/messages"), ("POST", "/v1/batches"), ("GET", "/readyz")] {
        let answer = rig.call(method, path, &[auth(KEY)], b"").await;
        assert_eq!((answer.status, answer.code().as_str(), answer.header("retry-after")), (503, "shutting_down", Some("5")), "{path}");
    }
    assert_eq!((rig.get("/livez").await.status, rig.get("/v1/messages").await.status), (200, 200));
    let stop = tokio::spawn(rig.gateway.stop());
    assert_eq!(idle.read(&mut buffer).await.expect("a polite end"), 0);
    busy.write_all(tail).await.expect("written");
    let answer = answer(&mut busy).await;
    // It came before the stop, but nothing is taken any more.
    assert_eq!((answer.status, answer.code().as_str(), answer.header("connection")), (503, "shutting_down", Some("close")));
    assert_eq!(stop.await.expect("no panic"), relais::app::gateway::Ended::Clean);
    assert_eq!(rig.record.unique(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing_or_dawdle_are_closed() {
    let http = "header_timeout = \"200ms\"\nkeep_alive = \"1s\"";
    let rig = Rig::start(Setup { http, ..Setup::default() }).await;
    for beginning in ["", "GET /livez HT", "GET /livez HTTP/1.1\r\nhost: t\r\n"] {
        let mut stream = rig.dial().await;
        stream.write_all(beginning.as_bytes()).await.expect("written");
        assert!(matches!(rig.ended(&mut stream).await, NoAnswer), "{beginning}");
    }
    // Between requests there is more time than for a head.
    let mut stream = rig.dial().await;
    let began = rig.world.mono();
    let mut buffer = [0; 1_024];
    for _ in 0..2 {
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: t\r\n\r\n").await.expect("written");
        assert!(stream.read(&mut buffer).await.expect("an answer") > 0);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(stream.read(&mut buffer).await.expect("a polite end"), 0);
    let lived = rig.world.mono().since(began);
    assert!(lived >= relais::base::Span::millis(1_400) && lived < relais::base::Span::secs(5), "{lived:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn above_the_bound_of_connections_those_who_say_nothing_make_room_and_those_who_are_served_do_not() {
    let rig = Rig::start(Setup { http: "connections_max = 2", ..Setup::default() }).await;
    let open = || rig.gateway.engine.metrics.http_connections.get();
    let post = |body: &str| {
        let head = format!("POST /v1/messages HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {KEY}\r\ncontent-type: {JSON}\r\n");
        format!("{head}content-length: {}\r\n\r\n", body.len())
    };
    let bodies = ["#first#", "#second#"].map(|text| format!(r##"{{"to":"+33612345678","from":"SHOP","text":"{text}"}}"##));
    let (mut silent, mut first) = (rig.dial().await, rig.dial().await);
    first.write_all(post(&bodies[0]).as_bytes()).await.expect("written");
    until("two are there", async || (open() == 2).then_some(())).await;
    // Both who are there now are in the middle of a request; the one who said nothing has gone.
    let mut second = rig.dial().await;
    second.write_all(post(&bodies[1]).as_bytes()).await.expect("written");
    assert_eq!(silent.read(&mut [0; 64]).await.expect("a polite end"), 0);
    until("it has a place", async || (open() == 2).then_some(())).await;
    let mut third = rig.dial().await;
    third.write_all(&request("GET", "/livez", &[], b"")).await.expect("written");
    for (stream, body) in [(&mut first, &bodies[0]), (&mut second, &bodies[1])] {
        assert_eq!(open(), 2, "the third waits");
        stream.write_all(body.as_bytes()).await.expect("written");
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.expect("an answer");
        assert_eq!(&status, b"HTTP/1.1 202");
    }
    // The customers rest now: one of them makes room, too.
    assert_eq!(answer(&mut third).await.status, 200);
    assert_eq!(rig.gateway.engine.metrics.http_sent_away.get(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_one_behind_the_other_are_answered_in_their_order() {
    let rig = Rig::start(Setup::default()).await;
    let mut stream = rig.dial().await;
    let mut octets = Vec::new();
    for n in 0..20 {
        let body = format!(r##"{{"to":"+33612345678","from":"SHOP","text":"#{n}#","client_ref":"p{n}"}}"##);
        octets.extend_from_slice(
            format!(
                "POST /v1/messages HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {KEY}\r\ncontent-type: {JSON}\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        );
    }
    octets.extend_from_slice(&request("GET", "/livez", &[], b""));
    stream.write_all(&octets).await.expect("written");
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.expect("to the end");
    let all = String::from_utf8(all).expect("UTF-8");
    let places: Vec<Option<usize>> = (0..20).map(|n| all.find(&format!("\"p{n}\""))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{all}");
    assert_eq!(all.matches("HTTP/1.1 202").count(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_certificate_only_tls_is_spoken() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let dir = tempfile::tempdir().expect("a directory");
    let (chain, key) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let sections = format!("[http.tls]\ncertificate = {chain:?}\nkey = {key:?}");
    let rig = Rig::start(Setup { sections: sections.leak(), ..Setup::default() }).await;
    let client = relais::world::tls::Client::new(Some(made.cert.pem().as_bytes())).expect("trusted");
    let mut stream = client.connect("localhost", rig.dial().await).await.expect("hands are shaken");
    stream.write_all(&request("POST", "/v1/messages", &[auth(KEY), ("content-type", JSON)], ONE.as_bytes())).await.expect("written");
    assert_eq!(answer(&mut stream).await.status, 202);
    let mut plain = rig.dial().await;
    plain.write_all(&request("GET", "/livez", &[], b"")).await.expect("written");
    assert!(matches!(rig.ended(&mut plain).await, NoAnswer));
}
