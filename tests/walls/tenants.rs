//! What the contract says can be asked is asked by everybody it is not meant for: whose key is missing, whose scope is
//! another, who belongs to another account. Made from `proto/openapi.json`, so that a new address is tested by being
//! there; one whose ids are of an unknown kind fails until it is said here what they are.

use crate::rig::{Answer, JSON, KEY, OTHER, READER, Rig, SENDER, Setup, auth, until};
use relais::base::Secret;
use relais::config::KeyHash;
use serde_json::{Value, json};

/// May only do what an operator does.
const BOSS: &str = "boss.fifth-secret";

struct Call {
    method: String,
    path: String,
    /// Names of the parameters in the query.
    query: Vec<String>,
    /// `send`, `read`, `admin`, each of which will do; none for everybody.
    scopes: Vec<String>,
    /// The media type of its body.
    kind: Option<String>,
}

fn calls() -> Vec<Call> {
    let contract: Value = serde_json::from_str(include_str!("../../proto/openapi.json")).expect("JSON");
    let mut calls = Vec::new();
    for (path, methods) in contract["paths"].as_object().expect("paths") {
        for (method, call) in methods.as_object().expect("methods") {
            let parameters = call["parameters"].as_array().cloned().unwrap_or_default();
            let resolved = parameters.iter().map(|parameter| match parameter["$ref"].as_str() {
                Some(reference) => contract.pointer(&reference[1..]).expect("it leads somewhere").clone(),
                None => parameter.clone(),
            });
            let query = resolved.filter(|it| it["in"] == "query").map(|it| it["name"].as_str().expect("a name").to_owned()).collect();
            let ways = call["security"].as_array().cloned().unwrap_or_default();
            let scopes = ways.iter().filter_map(|way| way["bearer"][0].as_str().map(str::to_owned)).collect();
            let kind = call["requestBody"]["content"].as_object().and_then(|kinds| kinds.keys().next().cloned());
            calls.push(Call { method: method.to_uppercase(), path: path.clone(), query, scopes, kind });
        }
    }
    assert!(calls.len() >= 18);
    calls
}

/// All of an answer but its date.
fn same(answer: &Answer) -> (u16, Vec<(String, String)>, Vec<u8>) {
    (answer.status, answer.headers.iter().filter(|(name, _)| name != "date").cloned().collect(), answer.body.clone())
}

impl Call {
    async fn made(&self, rig: &Rig, path: &str, headers: &[(&str, &str)]) -> Answer {
        let kind = self.kind.as_deref().map(|kind| ("content-type", kind));
        let headers: Vec<_> = headers.iter().copied().chain(kind).collect();
        rig.call(&self.method, path, &headers, if self.kind.is_some() { b"{}" } else { b"" }).await
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

fn filled(path: &str, id: &str) -> String {
    path.replace("{id}", id).replace("{number}", "+33612345678")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_address_of_the_contract_asks_for_a_key_and_for_its_scope() {
    let hash = KeyHash::of(&Secret::new("0123456789abcdef"), b"fifth-secret").to_hex();
    let boss = format!("[[accounts.keys]]\nid = \"boss\"\nhash = \"{hash}\"\nscopes = [\"admin\"]");
    let rig = Rig::start(Setup { account: Box::leak(boss.into_boxed_str()), ..Setup::default() }).await;
    for call in calls() {
        let path = filled(&call.path, "msg_0000000000001");
        let open = call.made(&rig, &path, &[]).await;
        if call.scopes.is_empty() {
            assert_eq!(open.status, 200, "{}", call.name());
            continue;
        }
        let holders = [("send", SENDER), ("read", READER), ("admin", BOSS)];
        assert!(call.scopes.iter().all(|scope| holders.iter().any(|(held, _)| held == scope)), "{}: who has its scope?", call.name());
        let (right, wrong): (Vec<_>, Vec<_>) = holders.iter().partition(|(scope, _)| call.scopes.iter().any(|it| it == scope));
        let both_but_admin = (call.scopes == ["admin"]).then_some(("", KEY));
        for headers in
            [vec![], vec![auth("shop.wrong")], vec![auth("nobody.wrong")], vec![("x-api-key", "shop")], vec![("cookie", "key=x")]]
        {
            let answer = call.made(&rig, &path, &headers).await;
            assert_eq!(answer.status, 401, "{} {headers:?}", call.name());
            assert_eq!(same(&answer), same(&open), "{}: why a key is none is not told", call.name());
        }
        for (_, wrong) in wrong.into_iter().chain(both_but_admin) {
            assert_eq!(call.made(&rig, &path, &[auth(wrong)]).await.status, 403, "{}", call.name());
        }
        for (_, right) in right {
            assert!(![401, 403].contains(&call.made(&rig, &path, &[auth(right)]).await.status), "{}", call.name());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_address_of_the_contract_answers_a_foreign_id_like_one_that_does_not_exist() {
    let rig = Rig::start(Setup { carrier: "segments_per_second = 0.01\nburst = 1", ..Setup::default() }).await;
    let sent = rig.send(r#"{"to":"+33612345678","from":"SHOP","text":"x","client_ref":"mine","campaign":"mine"}"#).await.json();
    let bulk = b"to,from,text,client_ref,campaign\n+33612345678,SHOP,x,mine,mine\n";
    let bulk = rig.post("/v1/batches", "text/csv", bulk).await.json();
    let (message, batch) = (sent["id"].as_str().expect("an id"), bulk["batch"].as_str().expect("an id"));
    let cursor = rig.get("/v1/messages?limit=1").await.json()["next"].as_str().expect("a second page").to_owned();
    let mut asked = 0;
    for call in calls() {
        if call.scopes.is_empty() {
            continue;
        }
        // Ids in the path.
        if call.path.contains("{id}") {
            let (mine, unknown) = match call.path.split('/').nth(2) {
                Some("messages") => (message, "msg_0000000000001"),
                Some("batches") => (batch, "bat_0000000000001"),
                _ => panic!("{}: of what kind is its id? Say it here", call.name()),
            };
            let foreign = call.made(&rig, &filled(&call.path, mine), &[auth(OTHER)]).await;
            let none = call.made(&rig, &filled(&call.path, unknown), &[auth(OTHER)]).await;
            // What is wrong with the request itself is told before anybody looks whether there is such a thing.
            let is_hidden = matches!((foreign.status, foreign.code().as_str()), (404, "not_found") | (422, "missing_schedule"));
            assert!(is_hidden, "{}: {foreign:?}", call.name());
            assert_eq!(same(&foreign), same(&none), "{}", call.name());
            asked += 1;
            continue;
        }
        // Names of things in the query: whatever comes back is not the other's.
        for parameter in &call.query {
            let (mine, unknown) = match (call.method.as_str(), parameter.as_str()) {
                // What a bulk's lines share: said, and not looked for.
                ("POST", _) => continue,
                (_, "batch") => (batch, "bat_0000000000001"),
                (_, "client_ref" | "campaign") => ("mine", "nobodys"),
                (_, "to" | "number") => ("%2B33612345678", "%2B33612345679"),
                (_, "cursor") => (cursor.as_str(), cursor.as_str()),
                (_, "limit" | "dry_run" | "region" | "channel" | "class" | "at" | "rule" | "zone" | "calendar") => continue,
                (_, "text" | "country" | "scope" | "origin" | "forget_opt_out") => continue,
                (_, other) => panic!("{}: does `{other}` name something that is somebody's? Say it here", call.name()),
            };
            let ask = |value: &str| format!("{}?{parameter}={value}", call.path);
            let foreign = call.made(&rig, &ask(mine), &[auth(OTHER)]).await;
            let text = String::from_utf8_lossy(&foreign.body).into_owned();
            for id in [message, batch] {
                assert!(!text.contains(id), "{} shows {id}: {text}", call.name());
            }
            if call.path != "/v1/next-opening" {
                assert_eq!(same(&foreign), same(&call.made(&rig, &ask(unknown), &[auth(OTHER)]).await), "{} {parameter}", call.name());
            }
            asked += 1;
        }
        if call.method == "GET" && !call.path.contains('{') {
            let answer = call.made(&rig, &call.path, &[auth(OTHER)]).await;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(!text.contains(message) && !text.contains(batch) && !text.contains("mine"), "{}: {text}", call.name());
        }
    }
    assert!(asked >= 9, "{asked}");
    // And it was all there, for its owner.
    assert_eq!(rig.get(&format!("/v1/messages/{message}")).await.status, 200);
    assert_eq!(rig.get(&format!("/v1/batches/{batch}")).await.json()["counts"]["canceled"], 0, "nobody else cancels");
}

/// The body in which an address is asked for things by name, once for the owner's and once for nobody's; none where a body only
/// says something of the caller's own.
fn selectors(call: &Call, cursor: &str) -> Vec<(Value, Value)> {
    match (call.method.as_str(), call.path.as_str()) {
        ("POST", "/v1/cancel") => {
            let pair = |field: &str, mine: &str, unknown: &str| (json!({field: mine}), json!({field: unknown}));
            let mut all: Vec<_> = ["client_ref", "cancel_key", "campaign"].iter().map(|field| pair(field, "mine", "nobodys")).collect();
            all.push(pair("to", MINE, NOBODYS));
            all.push((json!({"campaign": "mine", "cursor": cursor}), json!({"campaign": "nobodys", "cursor": cursor})));
            all
        }
        // A number that is opted out, capped or known for somebody else is like any other.
        ("POST", "/v1/explain" | "/v1/messages" | "/v1/preview") => {
            let body = |to: &str| json!({"to": to, "from": "ELSE", "text": "x", "class": "service"});
            vec![(body(MINE), body(NOBODYS))]
        }
        ("POST", "/v1/batches") => {
            let body = |to: &str| json!({"defaults": {"from": "ELSE", "text": "x"}, "recipients": [to]});
            vec![(body(MINE), body(NOBODYS))]
        }
        ("PUT", "/v1/preferences/{number}") => vec![(json!({"locale": "de"}), json!({"locale": "de"}))],
        ("POST", "/v1/suppressions") => vec![(json!({"number": MINE}), json!({"number": NOBODYS}))],
        // Lists are streamed in other forms; a message that is moved is named by its id, above.
        ("POST", "/v1/suppressions/import") | ("PATCH", "/v1/messages/{id}") => Vec::new(),
        (method, path) => panic!("{method} {path}: does its body name something that is somebody's? Say it here"),
    }
}

const MINE: &str = "+33612345678";
const NOBODYS: &str = "+33612345679";

/// All of an answer but its date, and but what is anybody's own: the number that was asked for, ids and instants.
fn alike(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let (status, headers, body) = same(answer);
    let body = String::from_utf8(body).expect("UTF-8").replace(&MINE[1..], "N").replace(&NOBODYS[1..], "N");
    let Ok(mut value) = serde_json::from_str::<Value>(&body) else { return (status, headers, body) };
    fn blank(value: &mut Value) {
        match value {
            Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| match name.as_str() {
                "id" | "batch" | "results_url" => *value = Value::Null,
                name if name.ends_with("_at") || ["at", "since", "until", "earliest", "latest"].contains(&name) => *value = Value::Null,
                _ => blank(value),
            }),
            Value::Array(values) => values.iter_mut().for_each(blank),
            _ => {}
        }
    }
    blank(&mut value);
    let headers = headers.into_iter().filter(|(name, _)| name != "content-length").collect();
    (status, headers, value.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_account_keeps_of_a_recipient_is_neither_seen_nor_changed_by_another() {
    let rig =
        Rig::start(Setup { http: "cancel_messages_max = 1", carrier: "segments_per_second = 0.01\nburst = 1", ..Setup::default() }).await;
    let message =
        r#"{"to":"+33612345678","from":"SHOP","text":"x","client_ref":"mine","campaign":"mine","cancel_key":"mine","send_after":"PT9H"}"#;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let headers = [auth(KEY), ("content-type", JSON)];
        kept.push(rig.call("POST", "/v1/messages", &headers, message.as_bytes()).await.json()["id"].as_str().expect("an id").to_owned());
    }
    // What an erasure of another number leaves behind is its owner's, too.
    assert_eq!(rig.call("DELETE", "/v1/numbers/+33612345670", &[auth(KEY)], b"").await.status, 202);
    let preference = br#"{"locale":"fr-FR","cap":{"count":1,"period_seconds":600}}"#;
    let headers = [auth(KEY), ("content-type", JSON)];
    assert_eq!(rig.call("PUT", "/v1/preferences/+33612345678", &headers, preference).await.status, 200);
    assert_eq!(
        rig.post("/v1/suppressions", JSON, br#"{"number":"+33612345678","scope":"class:service","reason":"mine"}"#).await.status,
        200
    );
    for _ in 0..2 {
        rig.send(&message.replace("mine", "over")).await;
    }
    let cursor = rig.post("/v1/cancel", JSON, br#"{"campaign":"over"}"#).await.json()["next"].as_str().expect("more").to_owned();
    let theirs = async || {
        let mut all = Vec::new();
        for id in &kept {
            all.push(rig.get(&format!("/v1/messages/{id}")).await.body);
        }
        for path in ["/v1/preferences/+33612345678", "/v1/suppressions", "/v1/suppressions/export"] {
            all.push(rig.get(path).await.body);
        }
        all
    };
    let (before, mut asked) = (theirs().await, 0);
    let foreign = rig.call("GET", "/v1/numbers/+33612345670/erasure", &[auth(OTHER)], b"").await;
    assert_eq!((foreign.status, foreign.code().as_str()), (404, "not_found"));
    for call in calls() {
        if call.scopes.is_empty() || call.scopes == ["admin"] || call.path.contains("{id}") {
            continue;
        }
        let headers: Vec<_> = [auth(OTHER)].into_iter().chain(call.kind.as_deref().map(|_| ("content-type", JSON))).collect();
        let mut pairs = if call.kind.is_some() { selectors(&call, &cursor) } else { vec![(Value::Null, Value::Null)] };
        // Computed from the number alone.
        pairs.retain(|_| call.path != "/v1/lookup/{number}");
        for (mine, unknown) in pairs {
            let octets = |body: &Value| if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
            let ask = async |number: &str, body: &Value| {
                let path = call.path.replace("{number}", number);
                // How far its own erasures have come is chance: asked when they are over.
                until("its erasures are over", async || {
                    let answer = rig.call(&call.method, &path, &headers, &octets(body)).await;
                    (!path.ends_with("/erasure") || answer.status != 200 || answer.json()["state"] == "done").then_some(answer)
                })
                .await
            };
            let (foreign, none) = (ask(MINE, &mine).await, ask(NOBODYS, &unknown).await);
            assert_eq!(alike(&foreign), alike(&none), "{} {mine}", call.name());
            assert!(foreign.status < 500 && (mine.is_null() || foreign.status < 300), "{} {mine}: {foreign:?}", call.name());
            let text = String::from_utf8_lossy(&foreign.body).into_owned();
            assert!(!kept.iter().any(|id| text.contains(id)) && !text.contains("mine"), "{}: {text}", call.name());
            assert_eq!(theirs().await, before, "{} {mine} changes nothing of another's", call.name());
            asked += 1;
        }
    }
    assert!(asked >= 20, "{asked}");
    // A key for repetitions is an account's own, and so is an erasure.
    let repeated = message.replace("5678", "5671");
    let once = async |key: &'static str| {
        let headers = [auth(key), ("content-type", JSON), ("idempotency-key", "k")];
        rig.call("POST", "/v1/messages", &headers, repeated.as_bytes()).await
    };
    let (mine, theirs_too) = (once(KEY).await, once(OTHER).await);
    assert_eq!((mine.status, theirs_too.status, theirs_too.header("idempotency-replayed")), (202, 202, None));
    assert_ne!(mine.json()["id"], theirs_too.json()["id"]);
    until("the other's erasure is over", async || {
        let view = rig.call("GET", "/v1/numbers/+33612345678/erasure", &[auth(OTHER)], b"").await.json();
        (view["state"] == "done").then_some(())
    })
    .await;
    assert_eq!(theirs().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_its_type_and_no_browser_guesses_another() {
    let rig = Rig::start(Setup::default()).await;
    for call in calls() {
        for headers in [vec![], vec![auth(KEY)], vec![auth(OTHER), ("accept", "text/html"), ("origin", "https://evil.example")]] {
            let answer = call.made(&rig, &filled(&call.path, "msg_0000000000001"), &headers).await;
            let kind = answer.header("content-type").unwrap_or_default();
            let is_right = ["application/json", "application/problem+json", "application/x-ndjson"].contains(&kind)
                || call.path == "/metrics" && !kind.contains("html");
            assert!(is_right, "{}: {kind}", call.name());
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{}", call.name());
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", call.name());
            for never in ["access-control-allow-origin", "set-cookie", "server", "x-powered-by", "location"] {
                assert_eq!(answer.header(never), None, "{}", call.name());
            }
        }
    }
}
