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
    for (wrong, status) in [
        (json!([]), 400),
        (json!({}), 422),
        (json!({ "text": 1 }), 400),
        (json!({ "text": "a", "split": "word" }), 422),
        (json!({ "txt": "a" }), 400),
        (json!({ "text": "a", "recipients": 1 }), 400),
        (json!({ "text": "{{a}}" }), 422),
        (json!({ "encoding": "binary", "data": "xyz" }), 422),
    ] {
        assert_eq!(preview(wrong.clone()).await.status, status, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_knows_all_that_sending_does() {
    let rig = Rig::start(Setup::default()).await;
    let preview = async |body: Value| {
        let headers = [auth(KEY), ("content-type", "application/json")];
        rig.call("POST", "/v1/preview", &headers, body.to_string().as_bytes()).await.json()
    };
    let spelt = preview(json!({ "text": "l\u{2019}garçon", "substitute": "smart", "transliterate": "fr" })).await;
    has(
        &spelt,
        json!({ "encoding": "GSM-7", "spelling": "transliterated", "text": "l'garcon", "changed_characters": 2, "forced_by": null }),
    );
    has(&spelt["with_substitution"], json!({ "encoding": "UCS-2", "replaced": [{ "from": "\u{2019}", "to": "'", "count": 1 }] }));
    let binary = preview(json!({ "encoding": "binary", "data": "00".repeat(141), "ports": { "to": 2948, "from": 9200 } })).await;
    has(&binary, json!({ "encoding": "binary", "unit": "octet", "segments": 2, "per_segment_units": [128, 13], "units_left": 115 }));
    let params = preview(json!({ "text": "Hi {{name}}", "params": { "name": "Łukasz" } })).await;
    has(&params, json!({ "encoding": "UCS-2", "forced_by": { "character": "Ł", "at": 3 } }));
    let list = preview(json!({ "text": format!("{{{{name}}}}{}", "a".repeat(155)), "params": { "name": "Bob" }, "recipients": [
        { "to": "+33612345678" },
        { "params": { "name": "Maximilian" } },
        { "params": { "name": "Zoë" } },
        { "to": "+33612345679", "params": { "name": "Al" } },
        { "to": "12" },
        "+33612345670",
    ] }))
    .await;
    has(&list, json!({ "recipients": 6, "refused": 1, "segments_total": 8, "histogram": { "1": 3, "2": 1, "3": 1 } }));
    has(&list, json!({ "encodings": { "GSM-7": 4, "UCS-2": 1 }, "refusals": [{ "line": 4, "code": "invalid_number", "pointer": "/to" }] }));
    has(&list["worst"], json!({ "line": 2, "segments": 3, "forced_by": { "character": "ë", "at": 2 } }));
    has(&list, json!({ "forced_by": [{ "character": "ë", "messages": 1 }], "forced_by_others": 0 }));
    let dear = "l\u{2019}été".repeat(20);
    let list = preview(json!({ "text": "{{a}}", "recipients": [
        { "params": { "a": dear } },
        { "params": { "a": dear } },
        { "params": { "a": "ł" } },
        { "params": { "a": "a" } },
    ] }))
    .await;
    has(&list, json!({ "segments_total": 6, "with_substitution": { "segments_total": 4, "saved": 2 } }));
    has(&list, json!({ "forced_by": [{ "character": "\u{2019}", "messages": 2 }, { "character": "ł", "messages": 1 }] }));
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
    // Sunday, half past ten in New York; in Texas from noon on.
    let address = opening("to=%2B12124937205&at=2026-07-12T14:30:00Z&region=US-TX").await;
    has(&address, json!({ "allowed": false, "region": "US-TX" }));
    has(&opening("to=%2B12124937205&at=2026-07-12T14:30:00Z").await, json!({ "allowed": true, "region": null }));
    // The zone a recipient prefers is his own, unless the question names one: in Tokyo it is Friday evening, and Saturday a French holiday.
    let tokyo = br#"{"time_zone":"Asia/Tokyo"}"#;
    assert_eq!(
        rig.call("PUT", "/v1/preferences/+33612345678", &[auth(KEY), ("content-type", "application/json")], tokyo).await.status,
        200
    );
    let noon = "to=%2B33612345678&class=marketing&at=2026-08-14T12:30:00Z";
    has(&opening(noon).await, json!({ "allowed": false, "zones": ["Asia/Tokyo"], "next_open_at": "2026-08-16T23:00:00.000Z" }));
    has(&opening(&format!("{noon}&zone=Europe/Paris")).await, json!({ "allowed": true, "zones": ["Europe/Paris"] }));
    let wrong = rig.get("/v1/next-opening?to=%2B12124937205&zone=Mars/Base").await.json();
    assert!(wrong["detail"].as_str().is_some_and(|detail| detail.contains("Mars/Base")), "{wrong}");
    for wrong in [
        "to=%2B12124937205&region=TX",
        "rule=FR-sms&zone=Europe/Paris&region=FR-57",
        "",
        "to=12x",
        "rule=XX&zone=Europe/Paris",
        "rule=FR-sms&zone=Mars/Base",
        "to=%2B33612345678&at=soon",
        "when=now",
    ] {
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
