//! Requests that are made to be read in two ways, that never end, or that grow. Each has a definite answer, the connection
//! ends with it where the stream cannot be trusted, and what came behind it is never served.

use crate::rig::{Answer, JSON, KEY, Rig, Setup, auth, request, until};
use std::io::Write as _;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A request hidden behind another: would send a message if anybody served it.
fn hidden() -> String {
    let body = r##"{"to":"+33612345678","from":"SHOP","text":"#smuggled#"}"##;
    format!(
        "POST /v1/messages HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {KEY}\r\nContent-Type: {JSON}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The beginning of a request of a caller who may send; the framing is the attack's.
fn opening() -> String {
    format!("POST /v1/messages HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {KEY}\r\nContent-Type: {JSON}\r\n")
}

/// Everything until the connection ends.
async fn said(rig: &Rig, octets: &[u8]) -> String {
    let mut stream = rig.dial().await;
    let _ = stream.write_all(octets).await;
    let mut said = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut said)).await.expect("the connection is closed");
    String::from_utf8_lossy(&said).into_owned()
}

fn statuses(said: &str) -> Vec<&str> {
    said.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect()
}

/// Heads that a proxy and a server may cut in two ways.
fn heads() -> Vec<String> {
    let length = hidden().len();
    let chunk = format!("{:x}\r\n{}\r\n0\r\n\r\n", length, hidden());
    [
        // A length and a coding: CL.TE, TE.CL, TE.TE.
        format!("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n{chunk}"),
        format!("Content-Length: 4\r\ntransfer-encoding:\tchunked\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("Transfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("Transfer-Encoding\r\n: chunked\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{}", hidden()),
        format!(" Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("X: y\0Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}", hidden()),
        // Lengths.
        format!("Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{}", hidden()),
        format!("Content-Length: {length}\r\nContent-Length: {length}\r\n\r\n{}", hidden()),
        format!("Content-Length: 0, {length}\r\n\r\n{}", hidden()),
        format!("Content-Length: +0\r\n\r\n{}", hidden()),
        format!("Content-Length: -0\r\n\r\n{}", hidden()),
        format!("Content-Length: 0x0\r\n\r\n{}", hidden()),
        format!("Content-Length: 0 \x0b\r\n\r\n{}", hidden()),
        format!("Content-Length: 0_0\r\n\r\n{}", hidden()),
        format!("Content-Length:\r\n 0\r\n\r\n{}", hidden()),
        format!("Content-Length:\r\n\r\n{}", hidden()),
        format!("Content-Length : 0\r\n\r\n{}", hidden()),
        format!("Content-Length: 18446744073709551616\r\n\r\n{}", hidden()),
        // Line ends.
        format!("Content-Length: 0\n\n{}", hidden()),
        format!("Content-Length: 0\r\n\n{}", hidden()),
        format!("Content-Length: 0\n\r\n{}", hidden()),
        format!("Content-Length: 0\r\r\n\r\n{}", hidden()),
        format!("X: folded\r\n\tand: on\r\nContent-Length: 0\r\n\r\n{}", hidden()),
        // Hosts.
        format!("Host: other\r\nContent-Length: 0\r\n\r\n{}", hidden()),
    ]
    .map(|rest| opening() + &rest)
    .into_iter()
    .chain([
        format!("GET /livez HTTP/1.1\r\n\r\n{}", hidden()),
        format!("GET /livez HTTP/1.1\n\n{}", hidden()),
        format!("GET /livez HTTP/1.1\nHost: t\r\n\r\n{}", hidden()),
        format!("\nGET /livez HTTP/1.1\r\nHost: t\r\n\r\n{}", hidden()),
        format!("GET /livez HTTP/1.1 \r\nHost: t\r\n\r\n{}", hidden()),
        format!("GET /livez\r\nHost: t\r\n\r\n{}", hidden()),
        format!("GET /livez HTTP/1.2\r\nHost: t\r\n\r\n{}", hidden()),
        format!("GET /livez HTTP/01.1\r\nHost: t\r\n\r\n{}", hidden()),
        format!("GET /livez http/1.1\r\nHost: t\r\n\r\n{}", hidden()),
        format!("POST /livez HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}", hidden()),
        format!("GET /li\0vez HTTP/1.1\r\nHost: t\r\n\r\n{}", hidden()),
    ])
    .collect()
}

/// Bodies in chunks that a proxy and a server may cut in two ways.
fn chunks() -> Vec<String> {
    let length = hidden().len();
    [
        format!("2\n{{}}\r\n0\r\n\r\n{}", hidden()),
        format!("2\r{{}}\r\n0\r\n\r\n{}", hidden()),
        format!("2 \r\n{{}}\r\n0\r\n\r\n{}", hidden()),
        format!("0x2\r\n{{}}\r\n0\r\n\r\n{}", hidden()),
        format!("+2\r\n{{}}\r\n0\r\n\r\n{}", hidden()),
        format!("-2\r\n{{}}\r\n0\r\n\r\n{}", hidden()),
        format!("2;a\nb\r\n{{}}\r\n0\r\n\r\n{}", hidden()),
        format!("2;a\rb\r\n{{}}\r\n0\r\n\r\n{}", hidden()),
        format!("2\r\n{{}}\n0\r\n\r\n{}", hidden()),
        format!("2\r\n{{}}x\r\n0\r\n\r\n{}", hidden()),
        format!("2\r\n{{}}\r\n0\n\n{}", hidden()),
        format!("2\r\n{{}}\r\n0\r\nx: y\n\r\n{}", hidden()),
        format!("2\r\n{{}}\r\n0\r\n folded\r\n\r\n{}", hidden()),
        format!("2\r\n{{}}\r\n0\r\nContent-Length: {length}\r\n\r\n{}", hidden()),
        format!("100000000000000002\r\n{{}}\r\n0\r\n\r\n{}", hidden()),
        format!("ffffffffffffffff\r\n{{}}\r\n0\r\n\r\n{}", hidden()),
        format!("\r\n{{}}\r\n0\r\n\r\n{}", hidden()),
        format!("2;{}\r\n{{}}\r\n0\r\n\r\n{}", "x".repeat(20_000), hidden()),
    ]
    .map(|body| format!("{}Transfer-Encoding: chunked\r\n\r\n{body}", opening()))
    .into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_proxy_might_cut_differently_is_answered_400_and_nothing_behind_it_is_served() {
    let rig = Rig::start(Setup::default()).await;
    let (heads, chunks) = (heads(), chunks());
    assert!(heads.len() + chunks.len() >= 60);
    for attack in heads.iter().chain(&chunks) {
        let said = said(&rig, attack.as_bytes()).await;
        assert_eq!(statuses(&said), ["400"], "{attack:?}\n{said}");
    }
    // The same in two writes, cut at each octet of the place that matters.
    let attack = format!("{}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}", opening(), hidden());
    let end = attack.find("\r\n\r\n").expect("a head") + 4;
    for cut in end - 50..end {
        let mut stream = rig.dial().await;
        stream.write_all(&attack.as_bytes()[..cut]).await.expect("written");
        stream.flush().await.expect("written");
        tokio::task::yield_now().await;
        let _ = stream.write_all(&attack.as_bytes()[cut..]).await;
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        assert_eq!(statuses(&String::from_utf8_lossy(&said)), ["400"], "{cut}");
    }
    assert!(rig.live("shop").is_empty(), "nothing was smuggled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_plain_is_served_in_its_order_whatever_the_body_looks_like() {
    let rig = Rig::start(Setup::default()).await;
    let body = |text: &str| format!(r##"{{"to":"+33612345678","from":"SHOP","text":"{text}"}}"##);
    let inner = body("GET / HTTP/1.1\\nTransfer-Encoding: chunked\\nContent-Length: 1");
    let (whole, cut) = (body("#whole#"), body("#chunks#"));
    let octets = format!(
        "\r\n{0}Content-Length: {1}\r\n\r\n{inner}{0}Transfer-Encoding: chunked\r\n\r\n{2:x};x=\"y\"\r\n{3}\r\n{4:X}\r\n{5}\r\n0\r\nx-sum: 1\r\n\r\n\
         {0}content-length:{6}\r\nConnection: close\r\n\r\n{whole}",
        opening(),
        inner.len(),
        10,
        &cut[..10],
        cut.len() - 10,
        &cut[10..],
        whole.len()
    );
    let said = said(&rig, octets.as_bytes()).await;
    assert_eq!(statuses(&said), ["202", "202", "202"], "{said}");
    until("the last is sent", async || (rig.record.times("whole") == 1 && rig.record.times("chunks") == 1).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_are_bounded_in_number_size_and_time() {
    let rig = Rig::start(Setup { http: "header_bytes_max = \"8KiB\"\nheader_timeout = \"300ms\"", ..Setup::default() }).await;
    let head = |more: &str| format!("GET /livez HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{more}\r\n");
    for (what, octets, status) in [
        ("62 headers", head(&"x: y\r\n".repeat(62)), "200"),
        ("65 headers", head(&"x: y\r\n".repeat(63)), "431"),
        ("10,000 headers", head(&"x: y\r\n".repeat(10_000)), "431"),
        ("a long value", head(&format!("x: {}\r\n", "y".repeat(9_000))), "431"),
        ("a long name", head(&format!("{}: y\r\n", "x".repeat(9_000))), "431"),
        ("an endless value", format!("GET /livez HTTP/1.1\r\nHost: t\r\nx: {}", "y".repeat(100_000)), "431"),
        ("an endless method", "G".repeat(100_000), "4"),
    ] {
        let said = said(&rig, octets.as_bytes()).await;
        assert!(statuses(&said).len() == 1 && statuses(&said)[0].starts_with(status), "{what}: {said}");
    }
    // An octet now and then does not keep a head open.
    let mut stream = rig.dial().await;
    let began = rig.world.mono();
    let drip = async {
        for octet in head("").bytes().cycle() {
            if stream.write_all(&[octet.max(b'a')]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), drip).await.expect("the server ends it");
    assert!(rig.world.mono().since(began) < relais::base::Span::secs(15));
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    coder.write_all(body).expect("written");
    coder.finish().expect("finished")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_are_stopped_by_the_size_of_what_comes_out_and_truncated_ones_are_refused() {
    let rig = Rig::start(Setup { http: "bulk_bytes_max = \"64MiB\"", ..Setup::default() }).await;
    let zeros = vec![b' '; 200 << 20];
    let (gz, zst) = (gzip(&zeros), zstd::encode_all(&*zeros, 19).expect("packed"));
    let nested = gzip(&gz);
    for (coding, bomb) in [("gzip", &gz), ("zstd", &zst), ("gzip", &nested)] {
        for (path, kind) in
            [("/v1/batches", "application/x-ndjson"), ("/v1/batches", JSON), ("/v1/batches", "text/csv"), ("/v1/messages", JSON)]
        {
            let headers = [auth(KEY), ("content-type", kind), ("content-encoding", coding)];
            let answer = rig.call("POST", path, &headers, bomb).await;
            // Of two layers one is taken off; what is left is a line or two of garbage.
            let is_garbage = bomb.len() == nested.len() && answer.status == 202 && answer.json()["accepted"] == 0;
            assert!(is_garbage || [400, 413].contains(&answer.status), "{coding} {path} {kind}: {answer:?}");
            assert!(bomb.len() < 1 << 20, "a bomb is small");
            let answer = rig.call("POST", path, &headers, &bomb[..bomb.len() / 2]).await;
            assert!([400, 413].contains(&answer.status), "{coding} {path} {kind}: {answer:?}");
        }
    }
    assert_eq!(rig.call("GET", "/livez", &[], b"").await.status, 200);
}

/// JSON that costs its reader more than its writer.
fn json_bombs() -> Vec<(&'static str, String)> {
    let with = |fields: &str| format!(r#"{{"to":"+33612345678","from":"SHOP","text":"x",{fields}}}"#);
    vec![
        ("lists 100,000 deep", "[".repeat(100_000)),
        ("objects 100,000 deep", r#"{"params":"#.repeat(100_000)),
        ("deep within a field", with(&format!(r#""params":{{"a":{}1{}}}"#, "[".repeat(50_000), "]".repeat(50_000)))),
        ("100,000 keys", with(&(0..100_000).map(|n| format!(r#""k{n}":1"#)).collect::<Vec<_>>().join(","))),
        (
            "100,000 parameters",
            with(&format!(r#""params":{{{}}}"#, (0..100_000).map(|n| format!(r#""k{n}":"v""#)).collect::<Vec<_>>().join(","))),
        ),
        ("one key 100,000 times", with(&vec![r#""text":"x""#; 100_000].join(","))),
        ("a number of a million digits", with(&format!(r#""max_segments":{}"#, "9".repeat(1_000_000)))),
        ("an exponent without end", with(r#""max_segments":1e999999999"#)),
        ("a fraction without end", with(&format!(r#""expires_in":0.{}1"#, "0".repeat(1_000_000)))),
        ("not a number", with(r#""max_segments":NaN"#)),
        ("infinity", with(r#""max_segments":-Infinity"#)),
        ("half a pair", with(r#""client_ref":"\ud83d""#)),
        ("halves the wrong way round", with(r#""client_ref":"\udc00\ud83d""#)),
        ("a million escapes", with(&format!(r#""client_ref":"{}""#, "\\u0041".repeat(300_000)))),
        ("a text of a million", format!(r#"{{"to":"+33612345678","from":"SHOP","text":"{}"}}"#, "é".repeat(900_000))),
        ("a million holes", format!(r#"{{"to":"+33612345678","from":"SHOP","text":"{}","params":{{"a":"b"}}}}"#, "{{a}}".repeat(300_000))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_that_costs_more_to_read_than_to_write_is_refused() {
    let rig = Rig::start(Setup::default()).await;
    for (what, body) in json_bombs() {
        let answer = rig.post("/v1/messages", JSON, body.as_bytes()).await;
        assert!([400, 413, 422].contains(&answer.status), "{what}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
        // A preview reads a document first, in which the last of equal keys counts: bounded, and nothing is stored.
        let answer = rig.post("/v1/preview", JSON, body.as_bytes()).await;
        assert!([200, 400, 413, 422].contains(&answer.status), "{what} to preview: {answer:?}");
        // In a list it is refused by itself where its end can be told, else the list is.
        let line = format!("{body}\n{}\n", r#"{"to":"+33612345678","from":"SHOP","text":"y"}"#);
        let answer = rig.post("/v1/batches", "application/x-ndjson", line.as_bytes()).await;
        assert!(answer.status == 202 && answer.json()["accepted"] == 1, "{what} as a line: {answer:?}");
        let list = format!(r#"{{"recipients":[{body}]}}"#);
        let answer: Answer = rig.post("/v1/batches", JSON, list.as_bytes()).await;
        let is_refused = answer.status == 202 && answer.json()["accepted"] == 0;
        assert!(is_refused || [400, 413].contains(&answer.status), "{what} in a list: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_values_is_never_taken_for_an_object_with_fields() {
    let rig = Rig::start(Setup::default()).await;
    let (to, message) = ("/v1/preferences/+33612345678", r#"["+33612345678","SHOP","x"]"#);
    for (method, path, body) in [
        ("PUT", to, "[null,null]"),
        ("PUT", to, r#"[null,null,"fr-FR"]"#),
        ("PUT", to, r#"{"cap":[1,60]}"#),
        ("POST", "/v1/suppressions", r#"["+33612345678"]"#),
        ("POST", "/v1/suppressions", r#"["+33612345678",null,null,null,null]"#),
        ("POST", "/v1/suppressions", r#"{"suppressions":[["+33612345678",null,null,null,null]]}"#),
        ("POST", "/v1/suppressions", r#"[[{"number":"+33612345678"}]]"#),
        ("POST", "/v1/messages", message),
        ("POST", "/v1/preview", message),
        ("POST", "/v1/cancel", r#"["chain"]"#),
        ("PATCH", "/v1/messages/none", r#"["PT1H"]"#),
    ] {
        let answer = rig.call(method, path, &[auth(KEY), ("content-type", JSON)], body.as_bytes()).await;
        assert!([400, 404, 422].contains(&answer.status), "{method} {path} {body}: {answer:?}");
    }
    let line = [auth(KEY), ("content-type", "application/x-ndjson")];
    let answer = rig.call("POST", "/v1/suppressions/import", &line, b"[\"+33612345678\",null,null,null,null]\n").await;
    assert!(answer.json()["added"].as_u64().is_none_or(|added| added == 0), "{answer:?}");
    assert_eq!(rig.call("GET", to, &[auth(KEY)], b"").await.status, 404);
    assert_eq!(rig.call("GET", "/v1/suppressions", &[auth(KEY)], b"").await.json()["suppressions"].as_array().map(Vec::len), Some(0));
    assert!(rig.live("shop").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_and_lines_without_end_are_cut_off_at_their_limit() {
    let rig =
        Rig::start(Setup { http: "body_bytes_max = \"64KiB\"\nbulk_bytes_max = \"1MiB\"\nbulk_lines_max = 1000", ..Setup::default() })
            .await;
    for (kind, piece) in [
        ("application/x-ndjson", "x".repeat(1 << 16)),
        ("application/x-ndjson", "\n".repeat(1 << 16)),
        ("application/x-ndjson", "{}\n".repeat(20_000)),
        ("text/csv", format!("to\n{}", "1,".repeat(30_000))),
        ("text/csv", format!("to,text\n\"{}", "x".repeat(1 << 16))),
        (JSON, format!("{{\"recipients\":[{}", " ".repeat(1 << 16))),
        (JSON, format!("{{\"{}", "k".repeat(1 << 16))),
    ] {
        let head = request("POST", "/v1/batches", &[auth(KEY), ("content-type", kind), ("transfer-encoding", "chunked")], b"");
        let head = String::from_utf8(head).expect("ASCII").replace("content-length: 0\r\n", "");
        let mut stream = rig.dial().await;
        stream.write_all(head.as_bytes()).await.expect("written");
        let (mut reading, mut writing) = tokio::io::split(stream);
        let endless = async {
            let rest = "y".repeat(piece.len());
            let mut piece = &piece;
            while writing.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await.is_ok() {
                if kind == JSON || kind == "text/csv" {
                    piece = &rest;
                }
            }
            std::future::pending::<()>().await;
        };
        let mut said = [0; 12];
        let read = tokio::select! {
            read = tokio::time::timeout(Duration::from_secs(30), reading.read_exact(&mut said)) => read.expect("an answer in time"),
            () = endless => unreachable!(),
        };
        read.expect("an answer");
        assert!([&b"400"[..], b"413"].contains(&&said[9..12]), "{kind}: {:?}", String::from_utf8_lossy(&said));
    }
    assert!(rig.live("shop").is_empty());
}
