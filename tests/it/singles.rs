//! One message: accepted, sent, shown, called back.

use crate::rig::{JSON, KEY, Rig, Setup, auth, until};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_accepted_sent_and_its_story_told() {
    let rig = Rig::start(Setup::default()).await;
    let answer = rig
        .send(r##"{"to":"+33 6 12 34 56 78","from":"SHOP","text":"Hi {{first}} #a#","params":{"first":"Zoé"},"client_ref":"A-991"}"##)
        .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(
        String::from_utf8_lossy(&answer.body),
        format!(r#"{{"id":"{id}","status":"accepted","segments":1,"encoding":"GSM-7","client_ref":"A-991"}}"#)
    );
    assert_eq!((answer.header("x-content-type-options"), answer.header("cache-control")), (Some("nosniff"), Some("no-store")));
    let view = until("delivered", async || {
        let view = rig.get(&format!("/v1/messages/{id}")).await.json();
        (view["final"] == true).then_some(view)
    })
    .await;
    for (field, expected) in [
        ("id", json!(id)),
        ("status", json!("delivered")),
        ("to", json!("+33612345678")),
        ("from", json!("SHOP")),
        ("channel", json!("sms")),
        ("class", json!("transactional")),
        ("segments", json!(1)),
        ("encoding", json!("GSM-7")),
        ("client_ref", json!("A-991")),
        ("carrier", json!("one")),
        ("possible_duplicate", json!(false)),
        ("reason", json!({"code": "receipt", "permanent": false})),
    ] {
        assert_eq!(view[field], expected, "{field} of {view:#}");
    }
    let leased = view["timeline"].as_array().expect("a story").iter().find(|entry| entry["event"] == "leased").expect("it left");
    assert!(leased["rules"].is_string(), "{leased:#}");
    assert_eq!(leased["rules"], rig.get("/v1/rules").await.json()["stamp"], "by which rules it left");
    let story: Vec<&str> = view["timeline"].as_array().expect("a story").iter().filter_map(|entry| entry["event"].as_str()).collect();
    assert_eq!(story, ["accepted", "leased", "submitted", "receipt", "ended"]);
    let part = &view["parts"][0];
    assert_eq!((&part["part"], &part["status"]), (&json!(1), &json!("delivered")));
    assert!(part["carrier_id"].as_str().is_some_and(|id| !id.is_empty()));
    assert_eq!(rig.record.times("a"), 1);
    // The text was not asked for, and is not told.
    assert!(view.get("text").is_none() && !view.to_string().contains("Hi Zo"));
    assert!(view.get("batch").is_none() && view.get("line").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_goes_spelt_otherwise_says_so_and_in_how_many_characters() {
    let rig = Rig::start(Setup::default()).await;
    for (text, wish, spelling, changed) in [
        ("l\u{2019}\u{e9}t\u{e9}\u{2026}", r#""substitute":"smart""#, json!("substituted"), json!(2)),
        ("l\u{2019}\u{e9}t\u{e9} \u{e7}a", r#""substitute":"smart","transliterate":"fr""#, json!("transliterated"), json!(2)),
        ("l'\u{e9}t\u{e9}", r#""substitute":"smart","transliterate":"fr""#, json!(null), json!(null)),
        ("l\u{2019}\u{e9}t\u{e9}", r#""substitute":"off""#, json!(null), json!(null)),
    ] {
        let body = format!(r#"{{"to":"+33612345678","from":"SHOP","text":"{text}",{wish}}}"#);
        let id = rig.send(&body).await.json()["id"].as_str().expect("an id").to_owned();
        let view = rig.get(&format!("/v1/messages/{id}")).await.json();
        assert_eq!((&view["spelling"], &view["changed_characters"]), (&spelling, &changed), "{text} {view:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_are_told_apart_and_a_failure_says_why() {
    let habits = r#"{"states":{"delivered":0.0,"undeliverable":1.0}}"#;
    let rig = Rig::start(Setup { habits, ..Setup::default() }).await;
    let text = "ł".repeat(100);
    let answer = rig.send(&format!(r#"{{"to":"+33612345678","from":"SHOP","text":"{text}"}}"#)).await;
    assert_eq!((&answer.json()["segments"], &answer.json()["encoding"]), (&json!(2), &json!("UCS-2")), "{answer:?}");
    assert!(answer.json().get("client_ref").is_none());
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    let view = until("final", async || {
        let view = rig.get(&format!("/v1/messages/{id}")).await.json();
        (view["final"] == true).then_some(view)
    })
    .await;
    assert_eq!(view["status"], "undelivered", "{view:#}");
    let parts: Vec<_> = view["parts"].as_array().expect("parts").iter().map(|part| (&part["part"], &part["status"])).collect();
    assert_eq!(parts, [(&json!(1), &json!("undelivered")), (&json!(2), &json!("undelivered"))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_called_back_until_it_has_left() {
    // The carrier takes one message in ten seconds: the second waits.
    let rig = Rig::start(Setup { carrier: "segments_per_second = 0.1\nburst = 1", ..Setup::default() }).await;
    let send = async |token: &str| {
        let answer = rig.send(&format!(r##"{{"to":"+33612345678","from":"SHOP","text":"#{token}#"}}"##)).await;
        answer.json()["id"].as_str().expect("an id").to_owned()
    };
    let first = send("first").await;
    until("the first has left", async || (rig.record.times("first") == 1).then_some(())).await;
    let second = send("second").await;
    for _ in 0..2 {
        let answer = rig.post(&format!("/v1/messages/{second}/cancel"), JSON, b"").await;
        assert_eq!((answer.status, answer.json()), (200, json!({"id": second, "status": "canceled", "final": true})));
    }
    let view = rig.get(&format!("/v1/messages/{second}")).await.json();
    assert_eq!((&view["status"], &view["reason"]["code"]), (&json!("canceled"), &json!("canceled")), "{view:#}");
    let answer = rig.call("POST", &format!("/v1/messages/{first}/cancel"), &[auth(KEY)], b"").await;
    assert_eq!((answer.status, answer.code().as_str()), (409, "too_late"));
    assert!(answer.header("retry-after").is_none());
    rig.gateway.stop().await;
    assert_eq!(rig.record.times("second"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_2xx_comes_before_the_commit() {
    let rig = Rig::start(Setup::default()).await;
    rig.journal.shut(true);
    let mut stream = rig.dial().await;
    let body = br#"{"to":"+33612345678","from":"SHOP","text":"x"}"#;
    let request = crate::rig::request("POST", "/v1/messages", &[auth(KEY), ("content-type", JSON)], body);
    tokio::io::AsyncWriteExt::write_all(&mut stream, &request).await.expect("written");
    let mut answer = std::pin::pin!(crate::rig::answer(&mut stream));
    let early = tokio::time::timeout(std::time::Duration::from_millis(300), &mut answer).await;
    assert!(early.is_err(), "answered before the commit: {early:?}");
    assert!(rig.live("shop").is_empty());
    rig.journal.shut(false);
    assert_eq!(answer.await.status, 202);
    assert_eq!(rig.live("shop").len(), 1);
}
