//! A request with an idempotency key is carried out once, whatever becomes of its connection or of the process.

use crate::rig::{Answer, JSON, KEY, Rig, Setup, answer, auth, request, until};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

const BODY: &[u8] = br##"{"to":"+33612345678","from":"SHOP","text":"#once#","client_ref":"c"}"##;
const BULK: &[u8] =
    b"to,from,text,client_ref\n+33612345678,SHOP,#b0#,r0\n0612,SHOP,#b1#,r1\n+33612345679,SHOP,\xc5\x82 #b2#,r2\n+33612345670,SHOP,,\n";

async fn with_key(rig: &Rig, path: &str, kind: &str, key: &str, body: &[u8]) -> Answer {
    rig.call("POST", path, &[auth(KEY), ("content-type", kind), ("idempotency-key", key)], body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_has_the_same_answer_again_also_after_a_restart() {
    let mut rig = Rig::start(Setup::default()).await;
    let first = with_key(&rig, "/v1/messages", JSON, "k1", BODY).await;
    let bulk = with_key(&rig, "/v1/batches", "text/csv", "k2", BULK).await;
    assert_eq!((first.status, bulk.status), (202, 202), "{first:?} {bulk:?}");
    assert_eq!((&bulk.json()["accepted"], &bulk.json()["refused"]), (&json!(2), &json!(2)), "{bulk:?}");
    assert_eq!((first.header("idempotency-replayed"), bulk.header("idempotency-replayed")), (None, None));
    for is_restarted in [false, true] {
        if is_restarted {
            rig = rig.restart().await;
        }
        let again = with_key(&rig, "/v1/messages", JSON, "k1", BODY).await;
        assert_eq!((again.status, &again.body), (202, &first.body), "{is_restarted}");
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        let again = with_key(&rig, "/v1/batches", "text/csv", "k2", BULK).await;
        assert_eq!((again.status, String::from_utf8_lossy(&again.body)), (202, String::from_utf8_lossy(&bulk.body)), "{is_restarted}");
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
    }
    until("all are sent", async || (rig.record.unique() == 3).then_some(())).await;
    rig.gateway.stop().await;
    assert_eq!((rig.record.times("once"), rig.record.times("b0"), rig.record.times("b1"), rig.record.times("b2")), (1, 1, 0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_request_under_the_same_key_is_refused() {
    let rig = Rig::start(Setup::default()).await;
    assert_eq!(with_key(&rig, "/v1/messages", JSON, "k1", BODY).await.status, 202);
    let other = br#"{"to":"+33612345678","from":"SHOP","text":"another","client_ref":"c"}"#;
    for answer in [
        with_key(&rig, "/v1/messages", JSON, "k1", other).await,
        with_key(&rig, "/v1/batches", "text/csv", "k1", BULK).await,
        with_key(&rig, "/v1/messages", JSON, "k1", b"").await,
    ] {
        assert_eq!((answer.status, answer.code().as_str()), (422, "idempotency_mismatch"), "{answer:?}");
    }
    assert_eq!(rig.live("shop").len(), 1);
    // A request that was refused used up nothing.
    assert_eq!(with_key(&rig, "/v1/messages", JSON, "k2", b"{}").await.status, 422);
    assert_eq!(with_key(&rig, "/v1/messages", JSON, "k2", BODY).await.status, 202);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_first_is_being_served_the_second_is_told_to_wait() {
    let rig = Rig::start(Setup::default()).await;
    let octets = request("POST", "/v1/messages", &[auth(KEY), ("content-type", JSON), ("idempotency-key", "k")], BODY);
    let mut first = rig.dial().await;
    let (head, tail) = octets.split_at(octets.len() - 5);
    first.write_all(head).await.expect("written");
    until("the first holds the key", async || {
        let second = with_key(&rig, "/v1/messages", JSON, "k", b"{}").await;
        (second.status == 409).then(|| {
            assert_eq!((second.code().as_str(), second.header("retry-after")), ("idempotency_in_progress", Some("1")));
        })
    })
    .await;
    first.write_all(tail).await.expect("written");
    let first = answer(&mut first).await;
    assert_eq!(first.status, 202);
    assert_eq!(with_key(&rig, "/v1/messages", JSON, "k", BODY).await.body, first.body);
}

/// The caller goes while its messages are on their way to the disk: until they are there, nobody may try again.
async fn cut_before_the_answer(path: &str, kind: &str, body: &[u8], messages: usize) {
    let rig = Rig::start(Setup::default()).await;
    rig.journal.shut(true);
    let mut cut = rig.dial().await;
    cut.write_all(&request("POST", path, &[auth(KEY), ("content-type", kind), ("idempotency-key", "k")], body)).await.expect("written");
    until("the request holds its key", async || (with_key(&rig, path, kind, "k", body).await.status == 409).then_some(())).await;
    drop(cut);
    // A connection that is gone is noticed at once; the key is still held.
    for _ in 0..20 {
        assert_eq!(with_key(&rig, path, kind, "k", body).await.status, 409);
    }
    rig.journal.shut(false);
    let again = until("an answer", async || {
        let again = with_key(&rig, path, kind, "k", body).await;
        (again.status != 409).then_some(again)
    })
    .await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (202, Some("true")), "{again:?}");
    assert_eq!(rig.live("shop").len(), messages);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_whose_caller_has_gone_is_not_made_twice() {
    cut_before_the_answer("/v1/messages", JSON, BODY, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_whose_caller_has_gone_is_not_made_twice() {
    cut_before_the_answer("/v1/batches", "text/csv", BULK, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_anywhere_and_tried_again_it_is_made_once() {
    let rig = Rig::start(Setup::default()).await;
    let mut made = 0;
    for (path, kind, body, messages) in [("/v1/messages", JSON, BODY, 1), ("/v1/batches", "text/csv", BULK, 2)] {
        let whole = request("POST", path, &[auth(KEY), ("content-type", kind), ("idempotency-key", "XX")], body);
        for cut in (1..whole.len()).step_by(23).chain([whole.len()]) {
            let key = format!("{}-{cut}", messages);
            let octets = request("POST", path, &[auth(KEY), ("content-type", kind), ("idempotency-key", &key)], body);
            let mut stream = rig.dial().await;
            stream.write_all(&octets[..cut.min(octets.len())]).await.expect("written");
            drop(stream);
            let again = until("an answer", async || {
                let again = with_key(&rig, path, kind, &key, body).await;
                (again.status != 409).then_some(again)
            })
            .await;
            assert_eq!(again.status, 202, "{again:?}");
            assert_eq!(with_key(&rig, path, kind, &key, body).await.body, again.body);
            made += messages;
            assert_eq!(rig.live("shop").len(), made, "cut at {cut} of {path}");
        }
    }
}
