//! Who may do what: keys, scopes, accounts, rates.

use crate::rig::{Answer, JSON, KEY, OTHER, READER, Rig, SENDER, Setup, auth};
use serde_json::json;

const SEND: [(&str, &str); 6] = [
    ("PATCH", "/v1/messages/msg_0000000000001"),
    ("POST", "/v1/cancel"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/batches"),
    ("POST", "/v1/messages/msg_0000000000001/cancel"),
    ("POST", "/v1/batches/bat_0000000000001/cancel"),
];
const READ: [(&str, &str); 6] = [
    ("GET", "/v1/messages"),
    ("GET", "/v1/messages/msg_0000000000001"),
    ("GET", "/v1/batches"),
    ("GET", "/v1/batches/bat_0000000000001"),
    ("GET", "/v1/carriers"),
    ("GET", "/v1/webhooks/dead"),
];
const OPEN: [(&str, &str); 4] = [("GET", "/livez"), ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/openapi.json")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_address_asks_for_a_key_and_its_scope() {
    let rig = Rig::start(Setup::default()).await;
    let shown = |key: &str| vec![("authorization".to_owned(), format!("Bearer {key}"))];
    let wrong = [
        vec![],
        shown("shop"),
        shown("shop."),
        shown("shop.wrong"),
        shown("nobody.first-secret"),
        shown("look.first-secret"),
        vec![("authorization".to_owned(), format!("Basic {KEY}"))],
        [shown(KEY), shown(KEY)].concat(),
    ];
    for (method, path) in SEND.into_iter().chain(READ) {
        for headers in &wrong {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
            let answer = rig.call(method, path, &headers, b"").await;
            assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{method} {path} {headers:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"relais\""));
            assert!(!String::from_utf8_lossy(&answer.body).contains("secret"));
        }
    }
    for (method, path) in SEND {
        assert_eq!(rig.call(method, path, &[auth(READER)], b"").await.code(), "forbidden", "{path}");
        assert!(![401, 403].contains(&rig.call(method, path, &[("x-api-key", SENDER)], b"").await.status), "{path}");
    }
    for (method, path) in READ {
        assert_eq!(rig.call(method, path, &[auth(SENDER)], b"").await.code(), "forbidden", "{path}");
        assert!([200, 404].contains(&rig.call(method, path, &[("x-api-key", READER)], b"").await.status), "{path}");
    }
    for (method, path) in OPEN {
        assert_eq!(rig.call(method, path, &[], b"").await.status, 200, "{path}");
    }
}

/// All of an answer but its date.
fn same(answer: &Answer) -> (u16, Vec<(String, String)>, Vec<u8>) {
    (answer.status, answer.headers.iter().filter(|(name, _)| name != "date").cloned().collect(), answer.body.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_another_accounts_does_not_exist() {
    let rig = Rig::start(Setup::default()).await;
    let message = rig.send(r#"{"to":"+33612345678","from":"SHOP","text":"x","client_ref":"r"}"#).await.json()["id"].clone();
    let batch = rig.post("/v1/batches", "text/csv", b"to,from,text\n+33612345678,SHOP,x\n").await.json()["batch"].clone();
    let (message, batch) = (message.as_str().expect("an id"), batch.as_str().expect("an id"));
    for (method, path, unknown) in [
        ("GET", format!("/v1/messages/{message}"), "/v1/messages/msg_0000000000001"),
        ("POST", format!("/v1/messages/{message}/cancel"), "/v1/messages/msg_0000000000001/cancel"),
        ("GET", format!("/v1/batches/{batch}"), "/v1/batches/bat_0000000000001"),
        ("POST", format!("/v1/batches/{batch}/cancel"), "/v1/batches/bat_0000000000001/cancel"),
        ("GET", format!("/v1/messages?batch={batch}"), "/v1/messages?batch=bat_0000000000001"),
    ] {
        let mine = rig.call(method, &path, &[auth(KEY)], b"").await;
        assert_ne!(mine.status, 404, "{path}");
        let foreign = rig.call(method, &path, &[auth(OTHER)], b"").await;
        assert_eq!((foreign.status, foreign.code().as_str()), (404, "not_found"), "{path}");
        assert_eq!(same(&foreign), same(&rig.call(method, unknown, &[auth(OTHER)], b"").await), "{path}");
    }
    for list in ["/v1/messages", "/v1/messages?client_ref=r", "/v1/messages?to=%2B33612345678"] {
        assert_eq!(rig.call("GET", list, &[auth(OTHER)], b"").await.json(), json!({"messages": []}), "{list}");
        assert_ne!(rig.get(list).await.json(), json!({"messages": []}), "{list}");
    }
    assert_eq!(rig.call("GET", "/v1/batches", &[auth(OTHER)], b"").await.json(), json!({"batches": []}));
    // A key of idempotency is the account's own.
    let body = br#"{"to":"+33612345678","from":"SHOP","text":"y"}"#;
    let once = |key| [auth(key), ("content-type", JSON), ("idempotency-key", "k")];
    let (mine, theirs) =
        (rig.call("POST", "/v1/messages", &once(KEY), body).await, rig.call("POST", "/v1/messages", &once(OTHER), body).await);
    assert_eq!((mine.status, theirs.status), (202, 202));
    assert_ne!(mine.json()["id"], theirs.json()["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_over_its_rates_is_told_when_to_come_again() {
    let rig = Rig::start(Setup { account: "messages_per_second = 3", ..Setup::default() }).await;
    let lines = "+33612345678,SHOP,x\n".repeat(30);
    let bulk = format!("to,from,text\n{lines}");
    assert_eq!(rig.post("/v1/batches", "text/csv", bulk.as_bytes()).await.status, 202);
    // Thirty at three a second are paid off in nine seconds and a bit.
    for answer in
        [rig.send(r#"{"to":"+33612345678","from":"SHOP","text":"x"}"#).await, rig.post("/v1/batches", "text/csv", bulk.as_bytes()).await]
    {
        assert_eq!((answer.status, answer.code().as_str()), (429, "too_many_requests"));
        let wait: u64 = answer.header("retry-after").expect("when").parse().expect("seconds");
        assert!((5..=10).contains(&wait), "{wait}");
    }
    assert_eq!(rig.get("/v1/batches").await.status, 200, "looking is no message");

    let rig = Rig::start(Setup { account: "requests_per_second = 2", ..Setup::default() }).await;
    let mut refused = 0;
    for _ in 0..20 {
        let answer = rig.get("/v1/batches").await;
        refused += u32::from(answer.status == 429 && answer.header("retry-after") == Some("1"));
    }
    assert!(refused > 0);
    assert_eq!(rig.call("GET", "/v1/batches", &[auth(OTHER)], b"").await.status, 200, "each account has its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_of_the_account_is_taken_when_there_is_only_one_and_no_other_is_allowed() {
    let rig = Rig::start(Setup { account: "senders = [\"SHOP\"]", ..Setup::default() }).await;
    assert_eq!(rig.send(r#"{"to":"+33612345678","text":"x"}"#).await.status, 202);
    let answer = rig.send(r#"{"to":"+33612345678","from":"BANK","text":"x"}"#).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "sender_not_allowed"));
    assert_eq!(rig.get("/v1/messages").await.json()["messages"][0]["from"], "SHOP");
}
