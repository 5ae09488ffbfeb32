//! Opt-outs and preferences over HTTP, and what a handset's STOP does to them.

use crate::rig::{KEY, OTHER, READER, Rig, SENDER, Setup, auth};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn listed(rig: &Rig, query: &str) -> Vec<Value> {
    let page = rig.get(&format!("/v1/suppressions{query}")).await.json();
    page["suppressions"].as_array().unwrap_or_else(|| panic!("{page:#}")).clone()
}

async fn delete(rig: &Rig, path: &str) -> Value {
    rig.call("DELETE", path, &[auth(KEY)], b"").await.json()
}

/// Waits until the list has so many.
async fn until_listed(rig: &Rig, count: usize) -> Vec<Value> {
    loop {
        let rows = listed(rig, "").await;
        if rows.len() == count {
            return rows;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opt_out_is_taken_shown_and_taken_back_and_belongs_to_its_account() {
    let rig = Rig::start(Setup::default()).await;
    let one = br#"{"number":"+33 6 12 34 56 78","scope":"class:marketing","reason":"letter of 3 May","since":"2026-05-03T10:00:00Z"}"#;
    assert_eq!(rig.post("/v1/suppressions", "application/json", one).await.json(), json!({"added": 1}));
    let many = br#"{"suppressions":[{"number":"+33612345678"},{"number":"+33612345679","source":"shop floor"}]}"#;
    assert_eq!(rig.post("/v1/suppressions", "application/json", many).await.json(), json!({"added": 2}));
    let first = json!({
        "number": "+33612345678", "scope": "class:marketing", "origin": "customer", "classes": ["marketing"], "source": "api",
        "reason": "letter of 3 May", "since": "2026-05-03T10:00:00.000Z",
    });
    let rows = listed(&rig, "?number=%2B33612345678").await;
    assert_eq!((rows.len(), &rows[1]), (2, &first));
    assert_eq!(rows[0]["classes"], json!(["otp", "transactional", "service", "marketing"]));
    assert_eq!(listed(&rig, "?scope=class:marketing").await, [first]);
    // Pages of one.
    let (mut numbers, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = rig.get(&format!("/v1/suppressions?limit=1{cursor}")).await.json();
        numbers.extend(page["suppressions"].as_array().expect("a page").iter().map(|row| row["number"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(numbers, ["+33612345678", "+33612345678", "+33612345679"]);
    // Another account sees nothing of it and takes nothing back; scopes of keys hold.
    let other = rig.call("GET", "/v1/suppressions", &[auth(OTHER)], b"").await.json();
    assert_eq!(other, json!({"suppressions": []}));
    let gone = rig.call("DELETE", "/v1/suppressions?number=%2B33612345678", &[auth(OTHER)], b"").await.json();
    assert_eq!(gone, json!({"removed": 0}));
    assert_eq!(rig.call("POST", "/v1/suppressions", &[auth(READER), JSON], one).await.status, 403);
    assert_eq!(rig.call("GET", "/v1/suppressions/export", &[auth(SENDER)], b"").await.status, 403);
    assert_eq!(delete(&rig, "/v1/suppressions?number=%2B33612345678&scope=class:marketing").await, json!({"removed": 1}));
    assert_eq!(delete(&rig, "/v1/suppressions?number=%2B33612345678").await, json!({"removed": 1}));
    assert_eq!(listed(&rig, "").await.len(), 1);
    // All or nothing, and told where.
    let wrong = br#"{"suppressions":[{"number":"+33612345670"},{"number":"0612345678"}]}"#;
    let answer = rig.post("/v1/suppressions", "application/json", wrong).await;
    assert_eq!((answer.status, answer.json()["errors"][0]["pointer"].clone()), (422, json!("/suppressions/1/number")));
    assert_eq!(delete(&rig, "/v1/suppressions").await["code"], "bad_query");
    let rig = rig.restart().await;
    assert_eq!(listed(&rig, "").await[0]["source"], "shop floor");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_imported_line_by_line_and_exported_whole() {
    let rig = Rig::start(Setup::default()).await;
    let rows: String = (0..3_000).map(|n| format!("+336{n:08},channel:sms,\"asked, by letter\"\n")).collect();
    let body = format!("number,scope,reason\n{rows}0612345678,all,x\n+33612345678,planet:mars,x\n+33612345678,all\n");
    let answer = rig.post("/v1/suppressions/import", "text/csv", body.as_bytes()).await.json();
    assert_eq!((&answer["received"], &answer["added"], &answer["refused"]), (&json!(3_003), &json!(3_000), &json!(3)));
    assert_eq!(answer["refused_by"], json!({"invalid_number": 1, "invalid_value": 1, "column_count": 1}));
    let lines: Vec<&Value> = answer["errors"].as_array().expect("errors").iter().map(|error| &error["line"]).collect();
    assert_eq!(lines, [3_002, 3_003, 3_004]);
    let ndjson = b"{\"number\":\"+33700000001\"}\n\n{\"number\":\"+33700000002\",\"who\":\"me\"}\n{\"number\":\"+33700000003\"}";
    let answer = rig.post("/v1/suppressions/import", "application/x-ndjson", ndjson).await.json();
    assert_eq!((&answer["received"], &answer["added"], &answer["errors"][0]["line"]), (&json!(3), &json!(2), &json!(3)));
    let export = rig.get("/v1/suppressions/export").await;
    let lines: Vec<Value> = export
        .body
        .split(|octet| *octet == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("JSON"))
        .collect();
    assert_eq!((lines.len(), &lines[0]["number"], &lines[0]["reason"]), (3_002, &json!("+33600000000"), &json!("asked, by letter")));
    assert_eq!(lines[3_001]["number"], "+33700000003");
    let wrong = rig.post("/v1/suppressions/import", "text/csv", b"number,number\n").await;
    assert_eq!(wrong.json()["code"], "bad_csv_header");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_opt_outs_than_the_operator_allows_are_refused() {
    let rig = Rig::start(Setup { sections: "[consent]\nsuppressions_max = 1", ..Setup::default() }).await;
    let one = |number: &str| format!(r#"{{"number":"{number}"}}"#);
    assert_eq!(rig.post("/v1/suppressions", "application/json", one("+33612345678").as_bytes()).await.status, 200);
    let answer = rig.post("/v1/suppressions", "application/json", one("+33612345679").as_bytes()).await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (503, json!("store_full")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preferences_are_kept_until_they_are_forgotten() {
    let rig = Rig::start(Setup::default()).await;
    let (path, body) =
        ("/v1/preferences/+33612345678", br#"{"cap":{"count":2,"period_seconds":86400},"time_zone":"Europe/Paris","locale":"fr-FR"}"#);
    assert_eq!(rig.get(path).await.status, 404);
    let shown = rig.call("PUT", path, &[auth(KEY), JSON], body).await.json();
    assert_eq!(
        (&shown["number"], &shown["cap"]["count"], &shown["time_zone"]),
        (&json!("+33612345678"), &json!(2), &json!("Europe/Paris"))
    );
    let rig = rig.restart().await;
    assert_eq!(rig.get("/v1/preferences/%2B33612345678").await.json(), shown);
    assert_eq!(rig.call("GET", path, &[auth(OTHER)], b"").await.status, 404);
    for wrong in
        [&br#"{"time_zone":"Mars/Olympus"}"#[..], br#"{"cap":{"count":0,"period_seconds":1}}"#, br#"{"locale":"f r"}"#, br#"{"color":1}"#]
    {
        assert_eq!(rig.call("PUT", path, &[auth(KEY), JSON], wrong).await.status, 422, "{}", String::from_utf8_lossy(wrong));
    }
    assert_eq!(delete(&rig, path).await, json!({"removed": 1}));
    assert_eq!(rig.get(path).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_from_a_handset_is_kept_over_a_restart_answered_once_and_taken_back_by_a_start() {
    let sections = "[[consent.replies]]\ncountries = [\"US\"]\nstop = \"You are out.\"\nhelp = \"Help is near.\"";
    let rig = Rig::start(Setup { sections, ..Setup::default() }).await;
    rig.smsc.inject_mo("12025550123", "36111", "Stop!");
    let rows = until_listed(&rig, 1).await;
    assert_eq!((&rows[0]["number"], &rows[0]["origin"], &rows[0]["reason"]), (&json!("+12025550123"), &json!("recipient"), &json!("STOP")));
    assert_eq!(
        (&rows[0]["classes"], &rows[0]["scope"], &rows[0]["source"]),
        (&json!(["service", "marketing"]), &json!("all"), &json!("sms"))
    );
    // The confirmation is a message of the account, from the number that was written to.
    let mine = rig.get("/v1/messages?to=%2B12025550123").await.json();
    let answer = &mine["messages"][0];
    assert_eq!(
        (mine["messages"].as_array().map(Vec::len), &answer["from"], &answer["class"]),
        (Some(1), &json!("36111"), &json!("service"))
    );
    let rig = rig.restart().await;
    assert_eq!(listed(&rig, "").await, rows);
    assert_eq!(rig.gateway.engine.consent.entries(), 1, "it holds before anything can be leased");
    // A second stop says nothing new; what the customer takes back is not the recipient's.
    rig.smsc.inject_mo("12025550123", "36111", "STOP");
    rig.smsc.inject_mo("447700900123", "36111", "STOP");
    assert_eq!(until_listed(&rig, 2).await[0], rows[0]);
    let mine = rig.get("/v1/messages?to=%2B12025550123").await.json();
    assert_eq!(mine["messages"].as_array().map(Vec::len), Some(1));
    assert_eq!(delete(&rig, "/v1/suppressions?number=%2B12025550123").await, json!({"removed": 0}));
    rig.smsc.inject_mo("12025550123", "36111", "start");
    assert_eq!(until_listed(&rig, 1).await[0]["number"], "+447700900123");
    assert_eq!(delete(&rig, "/v1/suppressions?number=%2B447700900123&origin=recipient").await, json!({"removed": 1}));
    assert_eq!(rig.gateway.engine.consent.entries(), 0);
}

/// The messages to a number, once all of them are final.
async fn ended(rig: &Rig, number: &str, count: usize) -> Vec<(String, String)> {
    loop {
        let page = rig.get(&format!("/v1/messages?to=%2B{number}&limit=100")).await.json();
        let messages = page["messages"].as_array().unwrap_or_else(|| panic!("{page:#}"));
        assert_eq!(messages.len(), count);
        if messages.iter().all(|message| message["final"] == true) {
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            return messages.iter().map(|message| (word(&message["status"]), word(&message["reason"]["code"]))).collect();
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_stop_nothing_that_waits_is_sent_not_over_a_restart_either_and_codes_go_on() {
    let rig = Rig::start(Setup { carrier: "segments_per_second = 100\nburst = 1", ..Setup::default() }).await;
    let others: String = (0..150).map(|n| format!("+337{n:08},SHOP,#f{n}#\n")).collect();
    let theirs: String = (0..5).map(|n| format!("+33612345678,SHOP,#q{n}#\n")).collect();
    let body = format!("to,from,text\n{others}{theirs}");
    assert_eq!(rig.post("/v1/batches?class=service", "text/csv", body.as_bytes()).await.status, 202);
    rig.smsc.inject_mo("33612345678", "36111", "STOP");
    until_listed(&rig, 1).await;
    let rig = rig.restart().await;
    let refused = ("refused".to_owned(), "opted_out".to_owned());
    assert_eq!(ended(&rig, "33612345678", 5).await, vec![refused.clone(); 5]);
    for (text, class) in [("#m#", "marketing"), ("#s#", "service"), ("#o#", "otp")] {
        let message = json!({"to": "+33612345678", "from": "SHOP", "text": text, "class": class});
        let _ = rig.send(&message.to_string()).await;
    }
    while rig.record.times("o") == 0 {
        tokio::task::yield_now().await;
    }
    for token in ["q0", "q1", "q2", "q3", "q4", "m", "s"] {
        assert_eq!(rig.record.times(token), 0, "{token}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_scheduled_for_a_suppressed_recipient_ends_before_its_time() {
    let rig = Rig::start(Setup::default()).await;
    let send = async |to: &str, class: &str| {
        let body = json!({"to": to, "from": "SHOP", "text": "hi", "class": class, "send_after": "P1D"});
        rig.send(&body.to_string()).await.json()["id"].as_str().expect("an id").to_owned()
    };
    let (news, code) = (send("+33612345678", "service").await, send("+33612345678", "otp").await);
    let other = send("+33612345679", "service").await;
    let status = async |id: &str| rig.get(&format!("/v1/messages/{id}")).await.json();
    assert_eq!(status(&news).await["status"], "scheduled");
    let numbers: Vec<Value> = (0..500).map(|n| json!({"number": format!("+336{n:08}")})).collect();
    let many = json!({"suppressions": numbers});
    assert_eq!(rig.post("/v1/suppressions", "application/json", many.to_string().as_bytes()).await.json(), json!({"added": 500}));
    let one = br#"{"number":"+33612345678","scope":"class:service"}"#;
    assert_eq!(rig.post("/v1/suppressions", "application/json", one).await.json(), json!({"added": 1}));
    let ended = crate::rig::until("the end", async || Some(status(&news).await).filter(|it| it["status"] == "refused")).await;
    assert_eq!(ended["reason"]["code"], "opted_out", "{ended}");
    for id in [code, other] {
        assert_eq!(status(&id).await["status"], "scheduled");
    }
}

/// The encoding and the segments of a message tell which of its texts was taken; the text itself is never shown.
async fn taken(rig: &Rig, rest: &str) -> Value {
    let answer = rig.send(&format!(r#"{{"to":"+33612345678","from":"SHOP",{rest}}}"#)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    json!([answer.json()["encoding"], answer.json()["segments"]])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_language_a_recipient_prefers_chooses_the_text_unless_the_message_names_one() {
    let rig = Rig::start(Setup::default()).await;
    let long = "x".repeat(200);
    let texts = format!(r#""texts":{{"fr":"Bonjour","el":"Καλημέρα σας","pt":"{long}"}},"text":"Ł""#);
    let (french, greek, portuguese, all) = (json!(["GSM-7", 1]), json!(["UCS-2", 1]), json!(["GSM-7", 2]), json!(["UCS-2", 1]));
    let all_long = format!(r#""texts":{{"fr":"Bonjour"}},"text":"{}""#, "x".repeat(400));
    assert_eq!(taken(&rig, &all_long).await, json!(["GSM-7", 3]), "nobody has said anything");
    let prefer = async |locale: &str| {
        let body = format!(r#"{{"locale":"{locale}"}}"#);
        let answer = rig.call("PUT", "/v1/preferences/+33612345678", &[auth(KEY), JSON], body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    prefer("fr-CA").await;
    assert_eq!(taken(&rig, &all_long).await, french, "the language of the locale");
    assert_eq!(taken(&rig, &texts).await, french);
    assert_eq!(taken(&rig, &format!(r#"{texts},"locale":"pt-BR""#)).await, portuguese, "the message's own wins");
    let preview = format!(r#"{{"to":"+33612345678",{texts}}}"#);
    let preview = rig.post("/v1/preview", "application/json", preview.as_bytes()).await.json();
    assert_eq!((&preview["encoding"], &preview["units"]), (&json!("GSM-7"), &json!("Bonjour".len())), "{preview:#}");
    prefer("el").await;
    assert_eq!(taken(&rig, &texts).await, greek);
    prefer("de").await;
    assert_eq!(taken(&rig, &texts).await, all, "no text for it: the one for all others");
    assert_eq!(taken(&rig, &all_long).await, json!(["GSM-7", 3]));
    // In a bulk the defaults' locale is for those who prefer nothing, or something there is no text for.
    let bulk = |own: &str| {
        let messages = format!(r#"[{{"to":"+33612345678"{own}}},{{"to":"+33612345679"}}]"#);
        format!(r#"{{"defaults":{{"from":"SHOP",{texts},"locale":"pt"}},"messages":{messages}}}"#)
    };
    for (locale, own, segments) in [("de", "", [2, 2]), ("fr", "", [1, 2]), ("fr", r#","locale":"pt""#, [2, 2])] {
        prefer(locale).await;
        let answer = rig.post("/v1/batches", "application/json", bulk(own).as_bytes()).await.json();
        let counts: Vec<&Value> =
            answer["results"].as_array().unwrap_or_else(|| panic!("{answer:#}")).iter().map(|one| &one["segments"]).collect();
        assert_eq!(counts, segments, "{locale} {own}");
    }
}
