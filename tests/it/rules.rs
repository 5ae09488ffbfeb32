//! The send windows of a running gateway: shown, replaced from a directory, refused when damaged.

use crate::rig::{KEY, OTHER, Rig, Setup, auth, hash};
use serde_json::{Value, json};

const ADMIN: &str = "boss.fifth-secret";

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// A rule file for France with these hours of every day.
fn write(dir: &std::path::Path, hours: &str) {
    let text = format!(
        "dated = \"2026-01-01\"\ncountry = \"FR\"\n[[rule]]\nid = \"FR-own\"\nchannels = [\"sms\"]\nclass = \"marketing\"\n\
         windows = {{ mon-sun = [\"{hours}\"] }}\noperator_windows = {{ mon-sun = [\"00:00-24:00\"] }}\nholidays = \"ignore\"\n\
         basis = \"law\"\nconfidence = \"high\"\nsources = [\"a test\"]\n"
    );
    std::fs::write(dir.join("FR.toml"), text).expect("a file");
}

async fn closes(rig: &Rig) -> Value {
    rig.get("/v1/next-opening?to=%2B33612345678&at=2026-07-13T12:00:00Z").await.json()["closes_at"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_read_again_from_their_directory_whole_or_not_at_all() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "08:00-20:00");
    let account = format!(
        "margin = \"0ms\"\n[[accounts.override]]\nrule = \"FR-own\"\nto = \"operator_hours\"\nby = \"legal\"\nwhy = \"over\"\n\
         until = \"2020-01-01T00:00:00Z\"\n[[accounts.keys]]\nid = \"boss\"\nhash = \"{}\"\nscopes = [\"admin\"]\n",
        hash(ADMIN)
    );
    let sections = format!("[rules]\ndir = {:?}\n", dir.path());
    let rig = Rig::start(Setup { account: leaked(account), sections: leaked(sections), ..Setup::default() }).await;
    assert_eq!(closes(&rig).await, "2026-07-13T18:00:00.000Z");
    let before = rig.get("/v1/rules").await.json();
    assert!(before["rules"].as_str().is_some_and(|version| version.starts_with("2026-01-01+")), "{before}");
    assert_eq!(before["overrides"][0]["by"], "legal");
    assert_eq!(before["overrides"][0]["is_over"], true);
    let of_others = rig.call("GET", "/v1/rules", &[auth(OTHER)], b"").await.json();
    assert_eq!(of_others["overrides"], json!([]));

    let reload = async |key: &str| rig.call("POST", "/v1/rules/reload", &[auth(key)], b"").await;
    assert_eq!(reload(KEY).await.status, 403);
    assert_eq!(reload(ADMIN).await.json()["is_new"], false);
    // A slip: the hours in use stay, and the answer names the file, the rule and the key.
    write(dir.path(), "20:00-08:00");
    let refused = reload(ADMIN).await;
    assert_eq!(refused.status, 422);
    let refused = refused.json();
    assert_eq!(refused["code"], "rules_refused");
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("FR.toml: FR-own: windows")), "{refused}");
    assert_eq!(rig.get("/v1/rules").await.json(), before);
    assert_eq!(closes(&rig).await, "2026-07-13T18:00:00.000Z");
    // Put right, and narrower: in force at once, with what it replaced beside it.
    write(dir.path(), "08:00-19:00");
    let taken = reload(ADMIN).await.json();
    assert_eq!(taken["is_new"], true);
    assert_eq!(taken["must_also_allow"].as_array().map(Vec::len), Some(1));
    assert_ne!(taken["rules"], before["rules"]);
    assert_eq!(closes(&rig).await, "2026-07-13T17:00:00.000Z");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_reload_replaced_must_still_allow_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "08:00-19:00");
    let account = format!("margin = \"0ms\"\n[[accounts.keys]]\nid = \"boss\"\nhash = \"{}\"\nscopes = [\"admin\"]\n", hash(ADMIN));
    let sections = format!("[rules]\ndir = {:?}\n", dir.path());
    let rig = Rig::start(Setup { account: leaked(account), sections: leaked(sections), ..Setup::default() }).await;
    let first = rig.get("/v1/rules").await.json();
    assert_eq!(first["must_also_allow"], json!([]));
    write(dir.path(), "10:00-21:00");
    let taken = rig.call("POST", "/v1/rules/reload", &[auth(ADMIN)], b"").await.json();
    let also = taken["must_also_allow"].clone();
    let version = first["rules"].as_str().expect("a version");
    assert!(also[0]["version"].as_str().is_some_and(|also| also.contains(version)), "{also}");
    assert_eq!(closes(&rig).await, "2026-07-13T17:00:00.000Z");

    let rig = rig.restart().await;
    let after = rig.get("/v1/rules").await.json();
    assert_eq!((&after["must_also_allow"], &after["rules"], &after["unsure_until"]), (&also, &taken["rules"], &Value::Null));
    assert_eq!(closes(&rig).await, "2026-07-13T17:00:00.000Z");
    // Other files at a start are a reload, too: what was in use before it must allow.
    write(dir.path(), "08:00-12:00");
    let rig = rig.restart().await;
    let again = rig.get("/v1/rules").await.json();
    assert_eq!(again["must_also_allow"].as_array().map(Vec::len), Some(2), "{again}");
    let opens = rig.get("/v1/next-opening?to=%2B33612345678&at=2026-07-13T06:30:00Z").await.json();
    assert_eq!((&opens["next_open_at"], &opens["allowed"]), (&json!("2026-07-13T08:00:00.000Z"), &json!(false)), "{opens}");
    assert!(rig.get("/v1/next-opening?to=%2B33612345678&at=2026-07-13T09:30:00Z").await.json()["allowed"].as_bool().is_some_and(|is| is));
}
