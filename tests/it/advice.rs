//! Advice without sending: the answers of the shipped tables over the interface.

use crate::rig::{KEY, Rig, Setup, auth};
use serde_json::{Value, json};

fn has(found: &Value, expected: Value) {
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&found[name], value, "{name} of {found}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_tells_what_a_text_costs_and_why() {
    let rig = Rig::start(Setup::default()).await;
    let preview = async |body: Value| {
        let headers = [auth(KEY), ("content-type", "application/json")];
        rig.call("POST", "/v1/preview", &headers, body.to_string().as_bytes()).await
    };
    let plain = preview(json!({ "text": "a".repeat(161) })).await.json();
    has(&plain, json!({ "encoding": "GSM-7", "units": 161, "segments": 2, "per_segment_units": [153, 8], "forced_by": null }));
    let dear = preview(json!({ "text": "l\u{2019}été" })).await.json();
    has(&dear, json!({ "encoding": "UCS-2", "segments": 1, "units_left": 65, "forced_by": { "character": "\u{2019}", "at": 1 } }));
    has(&dear["with_substitution"], json!({ "encoding": "GSM-7", "segments": 1 }));
    for wrong in [json!({}), json!({ "text": 1 }), json!({ "text": "a", "split": "word" }), json!({ "txt": "a" })] {
        assert_eq!(preview(wrong).await.status, 400);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lookup_tells_region_type_and_zones() {
    let rig = Rig::start(Setup::default()).await;
    let lookup = async |path: &str| rig.get(&format!("/v1/lookup/{path}")).await.json();
    let paris = json!({ "valid": true, "e164": "+33612345678", "region": "FR", "type": "MOBILE", "time_zones": ["Europe/Paris"] });
    has(&lookup("+33612345678").await, paris.clone());
    has(&lookup("%2B33612345678").await, paris.clone());
    has(&lookup("0612345678?region=FR").await, paris);
    has(&lookup("0692123456?region=FR").await, json!({ "valid": true, "e164": "+262692123456", "region": "RE" }));
    has(&lookup("12").await, json!({ "valid": false, "time_zones": [] }));
    assert_eq!(rig.call("GET", "/v1/lookup/0612345678?region=XX", &[auth(KEY)], b"").await.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_opening_knows_sundays_holidays_and_zones() {
    let rig = Rig::start(Setup::default()).await;
    let opening = async |query: &str| rig.get(&format!("/v1/next-opening?{query}")).await.json();
    // 15 August 2026 is a Saturday and Assumption; the 16th a Sunday; SMS opens on Monday at 8 in Paris.
    let closed = opening("to=%2B33612345678&channel=sms&class=marketing&at=2026-08-15T10:00:00%2B02:00").await;
    has(&closed, json!({ "allowed": false, "next_open_at": "2026-08-17T06:00:00.000Z", "zones": ["Europe/Paris"], "rules": ["FR-sms"] }));
    let free = opening("to=%2B33612345678&class=otp&at=2026-08-16T03:00:00Z").await;
    has(&free, json!({ "allowed": true, "rules": [] }));
    let named = opening("rule=FR-sms&zone=Europe/Paris&calendar=FR-57&at=2026-12-26T10:00:00Z").await;
    has(&named, json!({ "allowed": false, "next_open_at": "2026-12-28T07:00:00.000Z" }));
    for wrong in ["", "to=12x", "rule=XX&zone=Europe/Paris", "rule=FR-sms&zone=Mars/Base", "to=%2B33612345678&at=soon", "when=now"] {
        assert_eq!(rig.call("GET", &format!("/v1/next-opening?{wrong}"), &[auth(KEY)], b"").await.status, 400, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_are_classified_by_country() {
    let rig = Rig::start(Setup::default()).await;
    let class = async |query: &str| rig.get(&format!("/v1/keywords/classify?{query}")).await.json()["class"].clone();
    assert_eq!(class("text=stop&country=FR").await, "stop");
    assert_eq!(class("text=ARR%C3%8AT&country=CA").await, "stop");
    assert_eq!(class("text=START&country=US").await, "start");
    assert_eq!(class("text=bonjour&country=FR").await, "none");
    assert_eq!(rig.call("GET", "/v1/keywords/classify?country=FR", &[auth(KEY)], b"").await.status, 400);
}
