//! Texts made when they are sent: what acceptance says of them, and what is shown.

use crate::rig::{Rig, Setup, until};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_made_when_sent_is_checked_and_estimated_at_acceptance_and_shown_as_it_was_sent() {
    let rig = Rig::start(Setup::default()).await;
    let body = |rest: &str| format!(r#"{{"to":"+33612345678","from":"SHOP","render":"send",{rest}}}"#);
    for (rest, status, code, pointer) in [
        (r#""text":"{{who}}""#, 422, "missing_param", "/params"),
        (r#""text":"{{now|shout}}""#, 422, "template_error", "/text"),
        (r#""encoding":"binary","data":"00""#, 400, "conflicting_fields", "/render"),
    ] {
        let answer = rig.send(&body(rest)).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{answer:?}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer);
    }
    let answer = rig.send(r#"{"to":"+33612345678","from":"SHOP","text":"x","render":"later"}"#).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "invalid_value"));
    // Without it the clock's names are the customer's alone.
    let answer = rig.send(r#"{"to":"+33612345678","from":"SHOP","text":"{{now}}"}"#).await;
    assert_eq!(answer.code(), "missing_param");

    let text = r#""text":"Until {{ now|date('%H:%M') }}, {{who}}","params":{"who":"Zoé"}"#;
    let dry = rig.post("/v1/messages?dry_run=true", "application/json", body(text).as_bytes()).await.json();
    assert_eq!((&dry["render"], &dry["segments"]), (&json!("send"), &json!(1)), "{dry:#}");
    let preview = rig.post("/v1/preview", "application/json", body(text).as_bytes()).await.json();
    assert_eq!(preview["units"], "Until 00:00, Zoé".chars().count(), "{preview:#}");
    let answer = rig.send(&body(text)).await;
    assert_eq!((answer.status, answer.json()["segments"].clone()), (202, json!(1)), "{answer:?}");
    let path = format!("/v1/messages/{}", answer.json()["id"].as_str().expect("an id"));
    let view = until("it is delivered", async || Some(rig.get(&path).await.json()).filter(|view| view["status"] == "delivered")).await;
    assert_eq!((&view["render"], &view["segments"], &view["encoding"]), (&json!("send"), &json!(1), &json!("GSM-7")));
    let events: Vec<&str> = view["timeline"].as_array().expect("a story").iter().filter_map(|entry| entry["event"].as_str()).collect();
    assert_eq!(events, ["accepted", "rendered", "leased", "submitted", "receipt", "ended"]);

    // In a bulk a line may say otherwise than the defaults.
    let bulk = r##"{"defaults":{"from":"SHOP","text":"#{{n}}# {{today}}","render":"send"},"messages":[
        {"to":"+33612345678","params":{"n":"7"}},{"to":"+33612345679","params":{"n":"8"},"text":"#{{n}}#","render":"accept"},
        {"to":"+33612345670"}]}"##;
    let answer = rig.post("/v1/batches", "application/json", bulk.as_bytes()).await.json();
    assert_eq!((&answer["accepted"], &answer["refused_by"]), (&json!(2), &json!({"missing_param": 1})), "{answer:#}");
    let path = answer["results_url"].as_str().expect("a list").to_owned();
    let list = until("both are delivered", async || {
        let list = rig.get(&path).await.json();
        list["messages"].as_array().expect("a list").iter().all(|one| one["status"] == "delivered").then_some(list)
    })
    .await;
    let shown: Vec<_> = list["messages"].as_array().expect("a list").iter().map(|one| one["render"].clone()).collect();
    assert_eq!(shown.iter().filter(|one| **one == "send").count(), 1, "{list:#}");
    assert_eq!((rig.record.times("7"), rig.record.times("8")), (1, 1));
}
