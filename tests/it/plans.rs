//! Schedules, chains, national numbers; what explains them, and what calls them back.

use crate::rig::{JSON, KEY, READER, Rig, Setup, auth, until};
use serde_json::{Value, json};

/// Milliseconds that an instant of an answer lies after another.
fn after(at: &Value, from: i64) -> i64 {
    relais::base::Time::parse_rfc3339(at.as_str().expect("an instant")).expect("an instant").0 - from
}

async fn explain(rig: &Rig, body: &Value) -> Value {
    let answer = rig.call("POST", "/v1/explain", &[auth(READER), ("content-type", JSON)], body.to_string().as_bytes()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduled_message_says_until_when_it_waits_and_shows_all_it_was_given() {
    let rig = Rig::start(Setup { account: "default_region = \"FR\"\n", ..Setup::default() }).await;
    let now = rig.world.now().0;
    let body = json!({
        "to": "06 12 34 56 78", "from": "SHOP", "text": "hi", "send_after": "P100D", "cancel_key": "cart:8812", "campaign": "xmas",
        "consent_ref": "c_77", "time_zone": "Indian/Reunion", "client_ref": "A-1",
    });
    let headers = [auth(KEY), ("content-type", JSON), ("idempotency-key", "k-1")];
    let answer = rig.call("POST", "/v1/messages", &headers, body.to_string().as_bytes()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let given = answer.json();
    assert_eq!((&given["status"], given.get("reason")), (&json!("scheduled"), None));
    let waits = after(&given["until"], now);
    assert!((8_640_000_000..8_640_060_000).contains(&waits), "{waits}");
    // The same answer under the same key.
    let again = rig.call("POST", "/v1/messages", &headers, body.to_string().as_bytes()).await;
    assert_eq!((again.header("idempotency-replayed"), again.json()), (Some("true"), given.clone()));
    let view = rig.get(&format!("/v1/messages/{}", given["id"].as_str().expect("an id"))).await.json();
    for (field, expected) in [
        ("to", "+33612345678"),
        ("cancel_key", "cart:8812"),
        ("campaign", "xmas"),
        ("consent_ref", "c_77"),
        ("time_zone", "Indian/Reunion"),
        ("client_ref", "A-1"),
    ] {
        assert_eq!(view[field], expected, "{view:#}");
    }
    assert_eq!(view["send_at"], given["until"]);
    // A day of lifetime, counted from the instant it is scheduled for (and from the commit, a moment later).
    assert!((86_400_000..86_460_000).contains(&(after(&view["expires_at"], now) - waits)), "{view:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_line_of_a_bulk_waits_for_its_own_instant_and_the_summary_counts_them() {
    let rig = Rig::start(Setup::default()).await;
    let now = rig.world.now().0;
    let rows = "to,send_after,send_at,country\n+33612345601,,,\n+33612345602,PT1H,,\n0612345603,P2D,,FR\n0612345604,,,\n+33612345605,,2020-01-01T00:00:00Z,\n";
    let headers = [auth(KEY), ("content-type", "text/csv"), ("idempotency-key", "k-2")];
    let path = "/v1/batches?from=SHOP&text=hi&campaign=xmas";
    let answer = rig.call("POST", path, &headers, rows.as_bytes()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let given = answer.json();
    assert_eq!((&given["accepted"], &given["scheduled"], &given["held"]), (&json!(3), &json!(2), &json!(0)));
    assert_eq!(given["refused_by"], json!({"invalid_number": 1, "schedule_out_of_range": 1}));
    let lines = given["results"].as_array().expect("lines");
    assert_eq!(lines[0].get("status"), None);
    assert_eq!((&lines[1]["status"], &lines[2]["status"]), (&json!("scheduled"), &json!("scheduled")));
    assert!((3_600_000..3_660_000).contains(&after(&lines[1]["until"], now)));
    assert_eq!(lines[2]["until"], given["until"]);
    assert_eq!(lines[4]["error"]["pointer"], "/send_at");
    let again = rig.call("POST", path, &headers, rows.as_bytes()).await;
    assert_eq!((again.header("idempotency-replayed"), again.json()), (Some("true"), given));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_contradicts_itself_or_is_unknown_is_refused_with_its_place() {
    let rig = Rig::start(Setup::default()).await;
    for (rest, code, pointer) in [
        (r#""send_at":"2099-01-01T00:00:00Z""#, "schedule_out_of_range", "/send_at"),
        (r#""send_after":"PT1H","send_at":"2026-12-01T09:00:00Z""#, "conflicting_fields", "/send_at"),
        (r#""send_after":"P1M""#, "invalid_value", "/send_after"),
        (r#""send_after":"P2D","expires_at":"2027-01-01T00:00:00Z""#, "lifetime_out_of_range", "/expires_at"),
        (r#""time_zone":"Europe/Nowhere""#, "unknown_time_zone", "/time_zone"),
        (r#""channel":"mms""#, "unsupported_channel", "/channel"),
        (r#""campain":"x""#, "unknown_field", "/campain"),
        (r#""country":"QQ""#, "invalid_value", "/country"),
    ] {
        let answer = rig.send(&format!(r#"{{"to":"+33612345678","from":"SHOP","text":"hi",{rest}}}"#)).await;
        assert_eq!((answer.code().as_str(), &answer.json()["errors"][0]["pointer"]), (code, &json!(pointer)), "{rest}");
    }
    assert_eq!(rig.journal.commits().iter().map(|commit| commit.frames).sum::<usize>(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explanation_says_when_by_whom_and_for_how_much_and_stores_nothing() {
    let rig = Rig::start(Setup { sections: "price = \"0.045 EUR\"\n", ..Setup::default() }).await;
    let one = explain(&rig, &json!({"to": "0033612345678", "from": "36123", "text": "ł".repeat(71), "send_after": "PT2H"})).await;
    for (field, expected) in [
        ("line", json!(0)),
        ("verdict", json!("scheduled")),
        ("to", json!("+33612345678")),
        ("class", json!("transactional")),
        ("carrier", json!("one")),
        ("encoding", json!("UCS-2")),
        ("units", json!(71)),
        ("segments", json!(2)),
        ("price", json!("0.09 EUR")),
    ] {
        assert_eq!(one[field], expected, "{one:#}");
    }
    assert_eq!((&one["sender"]["text"], &one["sender"]["form"]), (&json!("36123"), &json!("short_code")));
    // Nothing limits it, and that is said; what costs is named, in the words of a preview.
    assert_eq!((&one["hours"]["allowed"], &one["hours"]["rules"]), (&json!(true), &json!([])), "{one:#}");
    let dear = json!({"to": "+33612345678", "from": "SHOP", "text": "Zo{{a}} l\u{2019}été", "params": {"a": "é"}});
    let told = explain(&rig, &dear).await["preview"].clone();
    assert_eq!(told["forced_by"], json!({"character": "\u{2019}", "at": 5}), "{told:#}");
    assert_eq!((&told["with_substitution"]["encoding"], &told["units_left"]), (&json!("GSM-7"), &json!(61)));
    let headers = [auth(READER), ("content-type", JSON)];
    assert_eq!(rig.call("POST", "/v1/preview", &headers, dear.to_string().as_bytes()).await.json(), told);
    let recipients: Vec<Value> = (0..1_200).map(|n| json!({"to": format!("+336{n:08}"), "params": {"n": "a".repeat(n / 4)}})).collect();
    let bulk = json!({"defaults": {"from": "SHOP", "text": "-{{n}}", "send_after": "P1D"}, "recipients": recipients});
    let all = explain(&rig, &bulk).await;
    assert_eq!((&all["received"], &all["accepted"], &all["scheduled"]), (&json!(1_200), &json!(1_200), &json!(1_200)));
    assert_eq!(all["segments"], json!({"total": 1_760, "histogram": {"1": 640, "2": 560}}));
    assert_eq!((&all["price"], &all["unpriced"]), (&json!(["79.20 EUR"]), &json!(0)));
    let lines = all["lines"].as_array().expect("lines");
    for line in lines {
        let preview = &line["preview"];
        for same in ["segments", "encoding", "units"] {
            assert_eq!(line[same], preview[same], "{line:#}");
        }
    }
    assert_eq!((&all["lines_left_off"], all["lines"].as_array().map(Vec::len)), (&json!(200), Some(1_000)));
    assert_eq!(all["carriers"], json!({"one": {"messages": 1_200, "segments": 1_760}}));
    assert!(after(&all["earliest"], 0) <= after(&all["latest"], 0));
    // Refused alike, and with the same words.
    let wrong = r#"{"to":"0612345678","from":"SHOP","text":"hi"}"#;
    let told = rig.call("POST", "/v1/explain", &[auth(READER), ("content-type", JSON)], wrong.as_bytes()).await;
    assert_eq!(told.json(), rig.send(wrong).await.json());
    // Nothing was stored, and nothing counted.
    assert!(rig.live("shop").is_empty() && rig.batches("shop").is_empty());
    let metrics = String::from_utf8(rig.get("/metrics").await.body).expect("UTF-8");
    assert!(!metrics.contains("relais_accepted_total{account=\"shop\"} 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_may_cost_what_its_sender_allows_and_not_more() {
    let rig = Rig::start(Setup { sections: "price = \"0.045 EUR\"\n", ..Setup::default() }).await;
    let body = |most: &str, length: usize| {
        format!(r#"{{"to":"+33612345678","from":"SHOP","text":"{}","max_price":"{most}"}}"#, "a".repeat(length))
    };
    for (most, length, detail) in [
        ("0.08 EUR", 161, Some("it costs 0.09 EUR")),
        ("0.09 EUR", 161, None),
        ("0.044999 EUR", 1, Some("it costs 0.045 EUR")),
        ("1 USD", 1, Some("it costs 0.045 EUR")),
    ] {
        let answer = rig.send(&body(most, length)).await;
        let Some(detail) = detail else {
            assert_eq!(answer.status, 202, "{most}");
            continue;
        };
        assert_eq!((answer.code().as_str(), &answer.json()["detail"]), ("price_exceeded", &json!(detail)), "{most}");
    }
    // A default of a list is a bound for each line; an explanation says it as sending does.
    let list = json!({"defaults": {"from": "SHOP", "text": "{{x}}", "max_price": "0.05 EUR"}, "recipients": [
        {"to": "+33612345678", "params": {"x": "a"}}, {"to": "+33612345679", "params": {"x": "ł".repeat(71)}},
    ]});
    assert_eq!(explain(&rig, &list).await["refused_by"], json!({"price_exceeded": 1}));
    let sent = rig.post("/v1/batches", JSON, list.to_string().as_bytes()).await.json();
    assert_eq!((&sent["accepted"], &sent["refused_by"]), (&json!(1), &json!({"price_exceeded": 1})));
    let unpriced = Rig::start(Setup::default()).await;
    assert_eq!(unpriced.send(&body("9 EUR", 1)).await.json()["detail"], "its route has no price");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_uses_no_key_and_leaves_it_for_the_real_request() {
    let rig = Rig::start(Setup::default()).await;
    let body = br#"{"to":"+33612345678","from":"SHOP","text":"hi"}"#;
    let headers = [auth(KEY), ("content-type", JSON), ("idempotency-key", "k-3")];
    let dry = rig.call("POST", "/v1/messages?dry_run=true", &headers, body).await;
    assert_eq!((dry.status, &dry.json()["verdict"]), (200, &json!("send")), "{dry:?}");
    let real = rig.call("POST", "/v1/messages?dry_run=false", &headers, body).await;
    assert_eq!((real.status, real.header("idempotency-replayed")), (202, None), "{real:?}");
    let list = rig
        .call("POST", "/v1/batches?dry_run=true&from=SHOP&text=hi", &[auth(KEY), ("content-type", "text/csv")], b"to\n+33612345678\n12\n")
        .await;
    assert_eq!((&list.json()["accepted"], &list.json()["refused_by"]), (&json!(1), &json!({"invalid_number": 1})), "{list:?}");
    assert_eq!(list.json()["lines"][1]["error"]["pointer"], "/to");
    for path in ["/v1/messages?dry_run=1", "/v1/messages?from=A", "/v1/batches?dry_run=true&dry_run=true"] {
        assert_eq!(rig.call("POST", path, &headers, body).await.code(), "bad_query", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_is_called_back_by_its_key_and_the_counts_are_exact() {
    // A carrier that lets nobody in: what waits goes on waiting.
    let habits = r#"{"refuse_binds": 1000000}"#;
    let rig = Rig::start(Setup { http: "cancel_messages_max = 100\n", habits, ..Setup::default() }).await;
    let send = async |rest: &str| {
        let answer = rig.send(&format!(r#"{{"from":"SHOP","text":"hi","send_after":"P1D",{rest}}}"#)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json()["id"].as_str().expect("an id").to_owned()
    };
    let first = send(r#""to":"+33612345678","cancel_key":"cart:1","campaign":"a""#).await;
    send(r#""to":"+33612345678","cancel_key":"cart:1","campaign":"b""#).await;
    send(r#""to":"+33612345678","cancel_key":"cart:2","client_ref":"r-1""#).await;
    send(r#""to":"+33612345679","client_ref":"r-1""#).await;
    let cancel = async |body: &str| rig.post("/v1/cancel", JSON, body.as_bytes()).await;
    let counts = |found, canceled, already, late| json!({"found": found, "canceled": canceled, "already_canceled": already, "too_late": late, "more": false});
    assert_eq!(cancel(r#"{"cancel_key":"cart:1","campaign":"a"}"#).await.json(), counts(1, 1, 0, 0));
    assert_eq!(rig.get(&format!("/v1/messages/{first}")).await.json()["status"], "canceled");
    assert_eq!(cancel(r#"{"cancel_key":"cart:1"}"#).await.json(), counts(2, 1, 1, 0));
    assert_eq!(cancel(r#"{"client_ref":"r-1","to":"+33 6 12 34 56 79"}"#).await.json(), counts(1, 1, 0, 0));
    assert_eq!(cancel(r#"{"to":"+33612345678"}"#).await.json(), counts(3, 1, 2, 0));
    assert_eq!(cancel(r#"{"to":"+33612345678"}"#).await.json(), counts(3, 0, 3, 0));
    assert_eq!(cancel(r#"{"cancel_key":"cart:9"}"#).await.json(), counts(0, 0, 0, 0));
    // Another account's messages are not found.
    let other = [auth(crate::rig::OTHER), ("content-type", JSON)];
    assert_eq!(rig.call("POST", "/v1/cancel", &other, br#"{"cancel_key":"cart:2"}"#).await.json(), counts(0, 0, 0, 0));
    for (body, code) in [
        (r#"{"cursor":"BAAAAAAAAAAAAAAAAA"}"#, "missing_selector"),
        (r#"{"campaign":"a","cursor":"x"}"#, "invalid_value"),
        ("{}", "missing_selector"),
        (r#"{"to":"0612345678"}"#, "invalid_number"),
        (r#"{"cancel_key":1}"#, "wrong_type"),
        (r#"{"cancel_key":""}"#, "out_of_range"),
        (r#"{"id":"x"}"#, "unknown_field"),
        ("[]", "malformed_json"),
    ] {
        assert_eq!(cancel(body).await.code(), code, "{body}");
    }
    // More than one call looks at: it says so, and the next goes on.
    let rows: String = (0..150).map(|_| "+33612345680\n").collect();
    let path = "/v1/batches?from=SHOP&text=hi&send_after=P1D&cancel_key=many";
    assert_eq!(rig.post(path, "text/csv", format!("to\n{rows}").as_bytes()).await.json()["scheduled"], 150);
    let bounded = cancel(r#"{"cancel_key":"many"}"#).await.json();
    assert_eq!((&bounded["found"], &bounded["canceled"], &bounded["more"]), (&json!(100), &json!(100), &json!(true)));
    let rest = json!({"cancel_key": "many", "cursor": bounded["next"]});
    assert_eq!(cancel(&rest.to_string()).await.json(), counts(50, 50, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_is_listed_and_called_back_by_its_name_alone_also_after_a_restart() {
    let habits = r#"{"refuse_binds": 1000000}"#;
    let rig = Rig::start(Setup { http: "cancel_messages_max = 100\n", habits, ..Setup::default() }).await;
    let rows: String = (0..130).map(|n| format!("+336{n:08},{}\n", ["xmas", "", "lent"][n % 3])).collect();
    let sent = rig.post("/v1/batches?from=SHOP&text=hi&send_after=P1D", "text/csv", format!("to,campaign\n{rows}").as_bytes()).await.json();
    assert_eq!(sent["scheduled"], 130, "{sent:#}");
    for campaign in ["xmas", "xmas", "easter"] {
        let body = format!(r#"{{"to":"+33612345678","from":"SHOP","text":"hi","send_after":"P1D","campaign":"{campaign}"}}"#);
        assert_eq!(rig.send(&body).await.status, 202);
    }
    let rig = rig.restart().await;
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = rig.get(&format!("/v1/messages?campaign=xmas&limit=17{cursor}")).await.json();
        for message in page["messages"].as_array().expect("messages") {
            assert_eq!(message["campaign"], "xmas", "{message:#}");
            ids.push(message["id"].as_str().expect("an id").to_owned());
        }
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(ids.len(), 44 + 2);
    assert!(ids.is_sorted_by(|a, b| a > b), "newest first, each once");
    let none = rig.call("GET", "/v1/messages?campaign=xmas", &[auth(crate::rig::OTHER)], b"").await.json();
    assert_eq!(none["messages"], json!([]), "another account has none");
    let cancel = async |body: Value| rig.post("/v1/cancel", JSON, body.to_string().as_bytes()).await.json();
    let counts =
        |found, canceled, already| json!({"found": found, "canceled": canceled, "already_canceled": already, "too_late": 0, "more": false});
    assert_eq!(cancel(json!({"campaign": "xmas", "to": "+33612345678"})).await, counts(2, 2, 0));
    assert_eq!(cancel(json!({"campaign": "xmas"})).await, counts(46, 44, 2));
    assert_eq!(cancel(json!({"campaign": "easter"})).await, counts(1, 1, 0));
    assert_eq!(cancel(json!({"campaign": "summer"})).await, counts(0, 0, 0));
    let left = rig.get("/v1/messages?campaign=lent&limit=100").await.json();
    let is_waiting = |message: &Value| message["status"] == "scheduled";
    assert_eq!(left["messages"].as_array().map(|all| all.iter().filter(|one| is_waiting(one)).count()), Some(43));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_moved_until_it_leaves_and_within_its_lifetime_or_with_another() {
    let rig = Rig::start(Setup::default()).await;
    let body = r##"{"to":"+33612345678","from":"SHOP","text":"#m#","send_after":"P3D","expires_in":86400}"##;
    let id = rig.send(body).await.json()["id"].as_str().expect("an id").to_owned();
    let patch = async |body: &str| {
        let headers = [auth(KEY), ("content-type", JSON)];
        rig.call("PATCH", &format!("/v1/messages/{id}"), &headers, body.as_bytes()).await
    };
    let now = rig.world.now().0;
    let moved = patch(r#"{"send_after":"P1D"}"#).await;
    assert_eq!((moved.status, &moved.json()["status"]), (200, &json!("scheduled")), "{moved:?}");
    assert!((86_400_000..86_460_000).contains(&after(&moved.json()["until"], now)));
    let view = rig.get(&format!("/v1/messages/{id}")).await.json();
    assert_eq!((&view["status"], &view["send_at"]), (&json!("scheduled"), &moved.json()["until"]));
    assert_eq!(rig.record.unique(), 0);
    for (body, code) in [
        (r#"{"send_after":"P5D"}"#, "lifetime_out_of_range"),
        (r#"{"send_after":"P801D"}"#, "schedule_out_of_range"),
        (r#"{"text":"x"}"#, "unsupported_field"),
        ("{}", "missing_schedule"),
    ] {
        assert_eq!(patch(body).await.code(), code, "{body}");
    }
    // Beyond its lifetime only with another one, which holds after a restart.
    let moved = patch(r#"{"send_after":"P5D","expires_in":7200}"#).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    assert!((439_200_000..439_260_000).contains(&after(&moved.json()["expires_at"], now)), "{moved:?}");
    assert_eq!(patch(r#"{"expires_in":1209601}"#).await.code(), "lifetime_out_of_range");
    assert_eq!(patch(r#"{"expires_in":3600}"#).await.status, 200);
    let view = rig.get(&format!("/v1/messages/{id}")).await.json();
    assert_eq!((&view["send_at"], &view["status"]), (&moved.json()["until"], &json!("scheduled")), "{view:#}");
    assert!((435_600_000..435_660_000).contains(&after(&view["expires_at"], now)), "{view:#}");
    assert_eq!(
        view["timeline"].as_array().map(|story| story.last().map(|entry| entry["expires_at"] == view["expires_at"])),
        Some(Some(true))
    );
    let rig = rig.restart().await;
    let patch = async |body: &str| {
        let headers = [auth(KEY), ("content-type", JSON)];
        rig.call("PATCH", &format!("/v1/messages/{id}"), &headers, body.as_bytes()).await
    };
    assert_eq!(rig.get(&format!("/v1/messages/{id}")).await.json()["expires_at"], view["expires_at"]);
    // At once.
    let moved = patch(r#"{"send_after":"PT0S"}"#).await;
    assert_eq!((moved.status, &moved.json()["status"]), (200, &json!("accepted")), "{moved:?}");
    until("sent", async || (rig.record.times("m") == 1).then_some(())).await;
    assert_eq!(patch(r#"{"send_after":"PT1H"}"#).await.code(), "too_late");
    let gone = rig.call("PATCH", "/v1/messages/msg_0000000000001", &[auth(KEY), ("content-type", JSON)], br#"{"send_after":"PT1H"}"#).await;
    assert_eq!(gone.code(), "not_found");
}
