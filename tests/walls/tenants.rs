//! What the contract says can be asked is asked by everybody it is not meant for: whose key is missing, whose scope is
//! another, who belongs to another account. Made from `proto/openapi.json`, so that a new address is tested by being
//! there; one whose ids are of an unknown kind fails until it is said here what they are.

use crate::rig::{Answer, KEY, OTHER, READER, Rig, SENDER, Setup, auth};
use relais::base::Secret;
use relais::config::KeyHash;
use serde_json::Value;

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
    let sent = rig.send(r#"{"to":"+33612345678","from":"SHOP","text":"x","client_ref":"mine"}"#).await.json();
    let bulk = rig.post("/v1/batches", "text/csv", b"to,from,text,client_ref\n+33612345678,SHOP,x,mine\n").await.json();
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
            let (mine, unknown) = match parameter.as_str() {
                "batch" => (batch, "bat_0000000000001"),
                "client_ref" => ("mine", "nobodys"),
                "to" => ("%2B33612345678", "%2B33612345679"),
                "cursor" => (cursor.as_str(), cursor.as_str()),
                _ => continue,
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
