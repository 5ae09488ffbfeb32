//! Lists: every format and coding, a long one in bounded pieces, and where their messages stand.

use crate::rig::{JSON, KEY, Rig, Setup, answer, auth, until};
use relais::lab::Workload;
use serde_json::{Value, json};
use std::io::Write as _;
use tokio::io::AsyncWriteExt as _;

const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv; charset=utf-8";

/// The same 40 messages in every format; the query of those without defaults.
fn forms() -> Vec<(&'static str, String, Vec<u8>)> {
    let workload = Workload::new(5);
    let (mut json, mut ndjson, mut csv) = (Vec::new(), Vec::new(), Vec::new());
    workload.json(0..40, &mut json);
    workload.ndjson(0..40, &mut ndjson);
    workload.csv(0..40, &mut csv);
    let whole: Vec<Value> = ndjson.split(|octet| *octet == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let messages = serde_json::to_vec(&json!({ "messages": whole })).expect("JSON");
    let text: String = workload.template().bytes().map(|octet| format!("%{octet:02x}")).collect();
    vec![
        (JSON, String::new(), json),
        (JSON, String::new(), messages),
        (NDJSON, String::new(), ndjson),
        (CSV, format!("?from=SHOP&text={text}"), csv),
    ]
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    coder.write_all(body).expect("written");
    coder.finish().expect("finished")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_format_in_every_coding_is_the_same_list() {
    // All routes lead to the one carrier: the workload has five countries.
    let rig = Rig::start(Setup { sections: "[[routes]]\nprefix = \"\"\ncarrier = \"one\"", ..Setup::default() }).await;
    let workload = Workload::new(5);
    let mut done = 0;
    for (kind, query, body) in forms() {
        for (coding, body) in [("identity", body.clone()), ("gzip", gzip(&body)), ("zstd", zstd::encode_all(&*body, 3).expect("packed"))] {
            let headers = [auth(KEY), ("content-type", kind), ("content-encoding", coding)];
            let answer = rig.call("POST", &format!("/v1/batches{query}"), &headers, &body).await;
            assert_eq!(answer.status, 202, "{kind} {coding} {answer:?}");
            let answer = answer.json();
            let of = |field: &str| answer[field].as_u64();
            assert_eq!((of("received"), of("accepted"), of("refused")), (Some(40), Some(40), Some(0)), "{kind} {coding} {answer:#}");
            let results = answer["results"].as_array().expect("results");
            let lines: Vec<u64> = results.iter().filter_map(|result| result["line"].as_u64()).collect();
            assert_eq!(lines, (0..40).collect::<Vec<_>>());
            done += 1;
            let times = |n| rig.record.times(&workload.token(n));
            until("the carrier has them", async || (0..40).all(|n| times(n) == done).then_some(())).await;
        }
    }
    assert_eq!(done, 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_line_is_accepted_or_refused_by_itself() {
    let rig = Rig::start(Setup::default()).await;
    let body = r##"{"defaults":{"from":"SHOP","text":"Hi {{name}} #x#"},"recipients":[
        {"to":"+33612345678","params":{"name":"Zoe"}},
        {"to":"0612345678","params":{"name":"Zoe"}},
        {"to":"+33612345678"},
        {"to":"+4915112345678","params":{"name":"Zoe"}},
        {"to":"+33612345678","params":{"name":"Zoe"},"frm":"A"},
        {"to":"+33612345678","params":{"name":"ł"}},
        7,
        {"to":"+33612345678","params":{"name":"Zoe"},"max_segments":1,"text":"TEXT"}
    ]}"##;
    let body = body.replace("TEXT", &"long ".repeat(40));
    let answer = rig.post("/v1/batches", JSON, body.as_bytes()).await;
    let answer = answer.json();
    let brief: Vec<(u64, String, String)> = answer["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|result| match result["error"].as_object() {
            None => (result["line"].as_u64().expect("a line"), result["encoding"].to_string(), result["segments"].to_string()),
            Some(error) => (result["line"].as_u64().expect("a line"), error["code"].to_string(), error["pointer"].to_string()),
        })
        .map(|(line, a, b)| (line, a.trim_matches('"').to_owned(), b.trim_matches('"').to_owned()))
        .collect();
    let brief: Vec<(u64, &str, &str)> = brief.iter().map(|(line, a, b)| (*line, &**a, &**b)).collect();
    assert_eq!(
        brief,
        [
            (0, "GSM-7", "1"),
            (1, "invalid_number", "/recipients/1/to"),
            (2, "missing_param", "/recipients/2/params"),
            (3, "no_route", "/recipients/3/to"),
            (4, "unknown_field", "/recipients/4/frm"),
            (5, "UCS-2", "1"),
            (6, "wrong_type", "/recipients/6"),
            (7, "too_many_segments", "/recipients/7/text"),
        ]
    );
    let by = json!({"invalid_number": 1, "missing_param": 1, "no_route": 1, "unknown_field": 1, "wrong_type": 1, "too_many_segments": 1});
    assert_eq!(answer["refused_by"], by);
    let batch = answer["batch"].as_str().expect("an id");
    assert_eq!(answer["results_url"], format!("/v1/messages?batch={batch}"));
    let view = rig.get(&format!("/v1/batches/{batch}")).await.json();
    assert_eq!((&view["received"], &view["accepted"], &view["refused"], &view["refused_by"]), (&json!(8), &json!(2), &json!(6), &by));
    let metrics = String::from_utf8(rig.get("/metrics").await.body).expect("UTF-8");
    for line in [
        "relais_accepted_total{account=\"shop\"} 2",
        "relais_refused_total{account=\"shop\",code=\"no_route\"} 1",
        "relais_bulk_lines_total 8",
        "relais_segments_accepted_total{account=\"shop\"} 2",
        "relais_http_requests_total{route=\"POST /v1/batches\",status=\"202\"} 1",
        "relais_accept_to_commit_seconds_count 2",
    ] {
        assert!(metrics.lines().any(|one| one == line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_without_a_single_message_is_answered_all_the_same() {
    let rig = Rig::start(Setup::default()).await;
    let answer = rig.post("/v1/batches", CSV, b"to,from,text\n12,SHOP,x\n\n13,SHOP,x\n").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let batch = answer.json()["batch"].as_str().expect("an id").to_owned();
    let view = rig.get(&format!("/v1/batches/{batch}")).await.json();
    assert_eq!((&view["received"], &view["accepted"], &view["final"]), (&json!(2), &json!(0), &json!(true)), "{view:#}");
    assert_eq!(rig.get(&format!("/v1/messages?batch={batch}")).await.json(), json!({"messages": []}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_list_goes_to_disk_in_bounded_pieces_and_lives_with_the_last() {
    const LINES: u64 = 50_000;
    let habits = r#"{"receipts":"never"}"#;
    let sections = "[[routes]]\nprefix = \"\"\ncarrier = \"one\"\n[journal]\nframe_messages_max = 256";
    let rig = Rig::start(Setup { sections, habits, carrier: "segments_per_second = 1.0", ..Setup::default() }).await;
    let mut body = Vec::new();
    Workload::new(9).ndjson(0..LINES, &mut body);
    let mut stream = rig.dial().await;
    let head = format!(
        "POST /v1/batches HTTP/1.1\r\nhost: t\r\nconnection: close\r\nauthorization: Bearer {KEY}\r\ncontent-type: {NDJSON}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    let chunk = async |stream: &mut relais::world::BoxStream, octets: &[u8]| {
        stream.write_all(format!("{:x}\r\n", octets.len()).as_bytes()).await.expect("written");
        stream.write_all(octets).await.expect("written");
        stream.write_all(b"\r\n").await.expect("written");
    };
    let (almost, rest) = body.split_at(body.len() - 40);
    for octets in almost.chunks(70_001) {
        chunk(&mut stream, octets).await;
    }
    // Most of it is on the disk while the last octets are still to come, and nothing of it can be seen.
    let staged = until("staged pieces", async || {
        let commits = rig.journal.commits();
        (commits.iter().map(|commit| commit.frames).sum::<usize>() >= 160).then_some(commits)
    })
    .await;
    assert!(staged.iter().all(|commit| commit.batches == 0) && rig.live("shop").is_empty() && rig.batches("shop").is_empty());
    // A piece is eight frames of 256 messages; a commit holds the few that were under way.
    assert!(staged.iter().all(|commit| commit.frames <= 5 * 9 && commit.bytes <= 5 << 20), "{staged:?}");
    assert!(staged.len() >= 5, "{staged:?}");
    chunk(&mut stream, rest).await;
    stream.write_all(b"0\r\n\r\n").await.expect("written");
    let answer = answer(&mut stream).await;
    assert_eq!(answer.status, 202);
    let json = answer.json();
    assert_eq!((json["received"].as_u64(), json["accepted"].as_u64()), (Some(LINES), Some(LINES)));
    let results = json["results"].as_array().expect("results");
    let ids: std::collections::HashSet<&str> = results.iter().filter_map(|result| result["id"].as_str()).collect();
    assert_eq!(ids.len() as u64, LINES);
    let live: std::collections::HashSet<String> = rig.live("shop").iter().map(ToString::to_string).collect();
    assert!(live.len() as u64 == LINES && ids.iter().all(|id| live.contains(*id)));
    // The line of an answer is the line of the message.
    for line in [0, 1, 255, 256, 2_047, 2_048, 25_000, 49_999] {
        let view = rig.get(&format!("/v1/messages/{}", results[line]["id"].as_str().expect("an id"))).await.json();
        assert_eq!((&view["line"], &view["client_ref"]), (&json!(line), &json!(Workload::new(9).token(line as u64))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_add_up_at_every_moment() {
    let habits = r#"{"response_ms":[1,10],"receipt_ms":[1,50],"states":{"delivered":0.7,"undeliverable":0.2,"expired":0.1}}"#;
    let sections = "[journal]\nframe_messages_max = 100";
    let rig = Rig::start(Setup { habits, sections, ..Setup::default() }).await;
    let rows: String = (0..3_000).map(|n| format!("+336{n:08},SHOP,#{n}#\n")).collect();
    let body = format!("to,from,text\n{rows}12,SHOP,x\n");
    let answer = rig.post("/v1/batches", CSV, body.as_bytes()).await.json();
    let batch = answer["batch"].as_str().expect("an id").to_owned();
    let (mut looks, mut middles) = (0, 0);
    let last = until("all are final", async || {
        let view = rig.get(&format!("/v1/batches/{batch}")).await.json();
        let counts = view["counts"].as_object().expect("counts");
        let sum: u64 = counts.values().filter_map(Value::as_u64).sum();
        assert_eq!((sum, view["accepted"].as_u64(), view["received"].as_u64()), (3_000, Some(3_000), Some(3_001)), "{view:#}");
        looks += 1;
        middles += u32::from(counts["accepted"] != 3_000 && view["final"] == false);
        (view["final"] == true).then_some(view)
    })
    .await;
    assert!(looks > 2 && middles > 0, "{looks} looks, {middles} of them in the middle");
    assert!(last["counts"]["delivered"].as_u64() > Some(1_500), "{last:#}");
    let list = rig.get("/v1/batches").await.json();
    assert_eq!(list["batches"], json!([last]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_not_left_of_a_list_is_called_back() {
    let rig = Rig::start(Setup { carrier: "segments_per_second = 0.1\nburst = 3", ..Setup::default() }).await;
    let rows: String = (0..100).map(|n| format!("+336{n:08},SHOP,#{n}#\n")).collect();
    let answer = rig.post("/v1/batches", CSV, format!("to,from,text\n{rows}").as_bytes()).await.json();
    let batch = answer["batch"].as_str().expect("an id").to_owned();
    until("three have left", async || (rig.record.unique() == 3).then_some(())).await;
    let answer = rig.post(&format!("/v1/batches/{batch}/cancel"), JSON, b"").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!((&answer.json()["canceled"], &answer.json()["counts"]["canceled"]), (&json!(97), &json!(97)), "{answer:?}");
    let again = rig.post(&format!("/v1/batches/{batch}/cancel"), JSON, b"").await.json();
    assert_eq!((&again["canceled"], &again["counts"]["canceled"]), (&json!(0), &json!(97)));
    let view = until("the others end", async || {
        let view = rig.get(&format!("/v1/batches/{batch}")).await.json();
        (view["final"] == true).then_some(view)
    })
    .await;
    assert_eq!((&view["counts"]["canceled"], &view["counts"]["delivered"]), (&json!(97), &json!(3)), "{view:#}");
    assert_eq!(rig.record.unique(), 3);
}
