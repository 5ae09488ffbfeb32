//! A table of bad input, each over a real socket as octets: every one has a definite answer with code, place and advice,
//! none is sent, none is repeated back, and the process lives on.

use crate::rig::{Answer, JSON, KEY, NoAnswer, OTHER, Rig, SENDER, Setup, auth, request};
use std::io::Write as _;
use tokio::io::AsyncWriteExt as _;

/// In every text, number and key of the table; in no answer.
const CANARY: &str = "cAnArY";
const NUMBER: &str = "+33698765432";

const HTTP: &str = "body_bytes_max = \"16KiB\"\nbulk_bytes_max = \"64KiB\"\nbulk_lines_max = 50\nline_bytes_max = \"1KiB\"\n\
                    header_bytes_max = \"8KiB\"\nbody_idle_timeout = \"300ms\"\ncompression_ratio_max = 20";

/// One bad request and its answer: status, code, and where.
struct Bad {
    what: &'static str,
    octets: Vec<u8>,
    status: u16,
    code: &'static str,
    place: &'static str,
}

fn bad(what: &'static str, octets: Vec<u8>, status: u16, code: &'static str, place: &'static str) -> Bad {
    Bad { what, octets, status, code, place }
}

fn post(path: &str, kind: &str, more: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let headers = [&[auth(KEY), ("content-type", kind)], more].concat();
    request("POST", path, &headers, body)
}

fn get(path: &str) -> Vec<u8> {
    request("GET", path, &[auth(KEY)], b"")
}

/// A single message.
fn one(body: impl AsRef<[u8]>) -> Vec<u8> {
    post("/v1/messages", JSON, &[], body.as_ref())
}

/// A single message with these fields beside a right recipient, sender and text.
fn with(fields: &str) -> Vec<u8> {
    one(format!(r#"{{"to":"{NUMBER}","from":"SHOP","text":"{CANARY}",{fields}}}"#))
}

fn list(body: impl AsRef<[u8]>) -> Vec<u8> {
    post("/v1/batches", JSON, &[], body.as_ref())
}

fn lines(body: impl AsRef<[u8]>) -> Vec<u8> {
    post("/v1/batches", "application/x-ndjson", &[], body.as_ref())
}

fn rows(body: impl AsRef<[u8]>) -> Vec<u8> {
    post("/v1/batches", "text/csv", &[], body.as_ref())
}

fn packed(coding: &'static str, body: &[u8]) -> Vec<u8> {
    post("/v1/batches", "application/x-ndjson", &[("content-encoding", coding)], body)
}

fn line() -> String {
    format!(r#"{{"to":"{NUMBER}","from":"SHOP","text":"{CANARY}"}}"#) + "\n"
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    coder.write_all(body).expect("written");
    coder.finish().expect("finished")
}

fn flipped(mut octets: Vec<u8>, at: usize) -> Vec<u8> {
    octets[at] ^= 0x5a;
    octets
}

fn single_messages() -> Vec<Bad> {
    let text = |text: &str| one(format!(r#"{{"to":"{NUMBER}","from":"SHOP","text":"{text}"}}"#));
    let to = |to: &str| one(format!(r#"{{"to":{to},"from":"SHOP","text":"{CANARY}"}}"#));
    let from = |from: &str| one(format!(r#"{{"to":"{NUMBER}","from":{from},"text":"{CANARY}"}}"#));
    vec![
        bad("empty body", one(""), 400, "malformed_json", ""),
        bad("white space alone", one(" \n\t "), 400, "malformed_json", ""),
        bad("not JSON", one(CANARY), 400, "malformed_json", ""),
        bad("half an object", one(format!(r#"{{"to":"{NUMBER}""#)), 400, "malformed_json", ""),
        bad("an endless string", one(format!(r#"{{"to":"{NUMBER}"#)), 400, "malformed_json", ""),
        bad("a list", one("[]"), 400, "wrong_type", ""),
        bad("a number", one("7"), 400, "wrong_type", ""),
        bad("null", one("null"), 400, "wrong_type", ""),
        bad("two objects", one(format!("{0}{0}", line().trim())), 400, "malformed_json", ""),
        bad("a comma too much", one(format!(r#"{{"to":"{NUMBER}",}}"#)), 400, "malformed_json", ""),
        bad("single quotes", one(format!("{{'to':'{NUMBER}'}}")), 400, "malformed_json", ""),
        bad("a comment", one(format!("{{/* {CANARY} */}}")), 400, "malformed_json", ""),
        bad("NaN", with(r#""max_segments":NaN"#), 400, "malformed_json", ""),
        bad("not UTF-8", one([br#"{"to":""#, &b"\xff\xfe"[..], br#""}"#].concat()), 400, "invalid_utf8", ""),
        bad("half a surrogate pair", text("\\ud83d"), 400, "invalid_unicode", "/text"),
        bad("halves the wrong way round", text("\\udc00\\ud83d"), 400, "invalid_unicode", "/text"),
        bad("a bare control character", text("a\u{1}b"), 400, "malformed_json", ""),
        bad("an escape that is none", text("\\x41"), 400, "malformed_json", ""),
        bad("deep lists", with(&format!(r#""params":{}"#, "[".repeat(2_000))), 400, "wrong_type", "/params"),
        bad("deep objects", with(&format!(r#""params":{}"#, r#"{"a":"#.repeat(2_000))), 400, "wrong_type", "/params/a"),
        bad("an unknown field", with(r#""frm":"x""#), 400, "unknown_field", "/frm"),
        bad("a field of later", with(r#""template":"cart""#), 400, "unsupported_field", "/template"),
        bad("a field twice", with(r#""text":"again""#), 400, "duplicate_field", "/text"),
        bad("two lifetimes", with(r#""expires_in":60,"expires_at":"2030-01-01T00:00:00Z""#), 400, "conflicting_fields", "/expires_at"),
        bad("no recipient", one(format!(r#"{{"from":"SHOP","text":"{CANARY}"}}"#)), 422, "missing_to", "/to"),
        bad("an empty recipient", to(r#""""#), 422, "missing_to", "/to"),
        bad("a recipient of the wrong type", to("33698765432"), 400, "wrong_type", "/to"),
        bad("recipients as a list", to(&format!(r#"["{NUMBER}"]"#)), 400, "wrong_type", "/to"),
        bad("a national number", to(r#""0698765432""#), 422, "invalid_number", "/to"),
        bad("a short number", to(r#""+336987""#), 422, "invalid_number", "/to"),
        bad("a long number", to(r#""+3369876543212345""#), 422, "invalid_number", "/to"),
        bad("letters in a number", to(r#""+336cAnArY""#), 422, "invalid_number", "/to"),
        bad("a number of a spreadsheet", to(r#""3.36988E+10""#), 422, "invalid_number", "/to"),
        bad("a NUL in a number", to(r#""+3369876\u00005432""#), 422, "control_character", "/to"),
        bad("an endless number", to(&format!(r#""+{}""#, "9".repeat(5_000))), 422, "invalid_number", "/to"),
        bad("a number without route", to(r#""+4915123456789""#), 422, "no_route", "/to"),
        bad("no sender", one(format!(r#"{{"to":"{NUMBER}","text":"{CANARY}"}}"#)), 422, "missing_sender", "/from"),
        bad("a long sender", from(r#""TWELVE CHARS""#), 422, "invalid_sender", "/from"),
        bad("a sender in another script", from(r#""ΒΑΝΚ""#), 422, "invalid_sender", "/from"),
        bad("a line end in a sender", from(r#""A\r\nB""#), 422, "control_character", "/from"),
        bad("a sender of the wrong type", from("36123"), 400, "wrong_type", "/from"),
        bad("no text", one(format!(r#"{{"to":"{NUMBER}","from":"SHOP"}}"#)), 422, "missing_text", "/text"),
        bad("an empty text", text(""), 422, "empty_text", "/text"),
        bad("a text of the wrong type", one(format!(r#"{{"to":"{NUMBER}","from":"SHOP","text":{{}}}}"#)), 400, "wrong_type", "/text"),
        bad("too many segments", text(&"a".repeat(1_531)), 422, "too_many_segments", "/text"),
        bad(
            "more segments than asked for",
            with(r#""max_segments":1,"encoding":"ucs2","client_ref":"x","params":{"a":"b"}"#).replace_text(71),
            422,
            "too_many_segments",
            "/text",
        ),
        bad("a parameter without value", text("Hi {{name}}"), 422, "missing_param", "/params"),
        bad("a hole that is not closed", text("Hi {{name"), 422, "template_error", "/text"),
        bad("a hole without name", text("Hi {{}}"), 422, "template_error", "/text"),
        bad(
            "nothing once it is filled",
            one(format!(r#"{{"to":"{NUMBER}","from":"SHOP","text":"{{{{a}}}}","params":{{"a":""}}}}"#)),
            422,
            "empty_text",
            "/text",
        ),
        bad("a parameter that is a list", with(r#""params":{"a":[1]}"#), 400, "wrong_type", "/params/a"),
        bad("parameters that are a list", with(r#""params":[]"#), 400, "wrong_type", "/params"),
        bad("a parameter with a bad name", with(r#""params":{"a b":"x"}"#), 400, "invalid_param_name", "/params"),
        bad(
            "too many parameters",
            with(&format!(r#""params":{{{}}}"#, (0..65).map(|n| format!(r#""p{n}":"x""#)).collect::<Vec<_>>().join(","))),
            400,
            "too_many_keys",
            "/params",
        ),
        bad("not in the alphabet", with(r#""encoding":"gsm7""#).replace_text_with("cAnArY ł"), 422, "not_gsm7", "/text"),
        bad("an unknown encoding", with(r#""encoding":"latin1""#), 422, "invalid_value", "/encoding"),
        bad("an unknown class", with(r#""class":"spam""#), 422, "invalid_value", "/class"),
        bad("an unknown policy", with(r#""doubt":"maybe""#), 422, "invalid_value", "/doubt"),
        bad("an unknown split", with(r#""split":"word""#), 422, "invalid_value", "/split"),
        bad("another channel", with(r#""channel":"mms""#), 422, "unsupported_channel", "/channel"),
        bad("no segments", with(r#""max_segments":0"#), 422, "out_of_range", "/max_segments"),
        bad("65 segments", with(r#""max_segments":65"#), 422, "out_of_range", "/max_segments"),
        bad("half a segment", with(r#""max_segments":1.5"#), 400, "wrong_type", "/max_segments"),
        bad("a huge number", with(&format!(r#""max_segments":{}"#, "9".repeat(400))), 422, "out_of_range", "/max_segments"),
        bad("a number as text", with(r#""max_segments":"2""#), 400, "wrong_type", "/max_segments"),
        bad("no lifetime", with(r#""expires_in":0"#), 422, "lifetime_out_of_range", "/expires_in"),
        bad("a lifetime of years", with(r#""expires_in":99999999"#), 422, "lifetime_out_of_range", "/expires_in"),
        bad("an expiry that is over", with(r#""expires_at":"2020-01-01T00:00:00Z""#), 422, "lifetime_out_of_range", "/expires_at"),
        bad("an expiry without zone", with(r#""expires_at":"2030-01-01 00:00""#), 422, "invalid_value", "/expires_at"),
        bad("a long reference", with(&format!(r#""client_ref":"{}""#, "c".repeat(65))), 422, "too_long", "/client_ref"),
        bad("a line end in a reference", with(r#""client_ref":"a\nb""#), 422, "control_character", "/client_ref"),
        bad("a body over the limit", one(vec![b' '; 16 * 1_024 + 1]), 413, "payload_too_large", ""),
    ]
}

/// Small changes to a request made by `with`.
trait Replace {
    fn replace_text(self, characters: usize) -> Vec<u8>;
    fn replace_text_with(self, text: &str) -> Vec<u8>;
}

impl Replace for Vec<u8> {
    fn replace_text(self, characters: usize) -> Vec<u8> {
        self.replace_text_with(&"z".repeat(characters))
    }
    fn replace_text_with(self, text: &str) -> Vec<u8> {
        let whole = String::from_utf8(self).expect("UTF-8");
        let (_, body) = whole.split_once("\r\n\r\n").expect("a body");
        one(body.replace(CANARY, text))
    }
}

fn lists() -> Vec<Bad> {
    let right = line();
    let to = |n: usize| right.repeat(n);
    let gz = gzip(to(20).as_bytes());
    let zst = zstd::encode_all(to(20).as_bytes(), 3).expect("packed");
    let bomb = vec![b' '; 4 << 20];
    let recipients = |rest: &str| list(format!(r#"{{"recipients":[{}{rest}"#, right.trim()));
    vec![
        bad("an empty list", list(""), 400, "truncated_body", ""),
        bad("not an object", list("[]"), 400, "wrong_type", ""),
        bad("no recipients", list("{}"), 400, "missing_recipients", ""),
        bad("recipients of the wrong type", list(r#"{"recipients":{}}"#), 400, "wrong_type", "/recipients"),
        bad("an empty list of recipients", list(r#"{"recipients":[]}"#), 400, "empty_batch", ""),
        bad("an unknown field beside them", recipients(r#"],"x":1}"#), 400, "unknown_field", "/x"),
        bad("defaults too late", recipients(r#"],"defaults":{"text":"x"}}"#), 400, "defaults_after_recipients", "/defaults"),
        bad("a recipient in the defaults", list(r#"{"defaults":{"to":"x"},"recipients":[]}"#), 400, "unsupported_field", "/defaults/to"),
        bad("a wrong default", list(r#"{"defaults":{"class":"spam"},"recipients":[]}"#), 422, "invalid_value", "/defaults/class"),
        bad("a list that ends early", recipients(""), 400, "truncated_body", ""),
        bad("something after the list", recipients("]}x"), 400, "malformed_json", ""),
        bad("garbage in the list", recipients(",}]}"), 400, "malformed_json", "/recipients/1"),
        bad("deep garbage in the list", recipients(&format!(",{}", "[".repeat(900))), 400, "too_deep", "/recipients/1"),
        bad("no lines", lines(""), 400, "empty_batch", ""),
        bad("empty lines alone", lines("\n\n\r\n"), 400, "empty_batch", ""),
        bad("too many lines", lines(to(51)), 413, "too_many_lines", ""),
        bad("an endless line", lines(vec![b'x'; 65 * 1_024]), 413, "payload_too_large", ""),
        bad("a list over the limit", lines("\n".repeat(64 * 1_024 + 1)), 413, "payload_too_large", ""),
        bad(
            "a default in the query that is none",
            post("/v1/batches?to=x", "application/x-ndjson", &[], right.as_bytes()),
            400,
            "unsupported_field",
            "/to",
        ),
        bad("an unknown default in the query", post("/v1/batches?txt=x", "text/csv", &[], b"to\n1\n"), 400, "unknown_field", "/txt"),
        bad("a wrong escape in the query", post("/v1/batches?from=%zz", "text/csv", &[], b"to\n1\n"), 400, "bad_query", "?"),
        bad("an empty table", rows(""), 400, "bad_csv_header", ""),
        bad("a header alone", rows("to,from,text\n"), 400, "empty_batch", ""),
        bad("a header without recipient", rows(format!("from,text\nSHOP,{CANARY}\n")), 400, "bad_csv_header", ""),
        bad("a column twice", rows(format!("to,to,from,text\n{NUMBER},{NUMBER},SHOP,x\n")), 400, "bad_csv_header", ""),
        bad("a nameless column", rows(format!("to,,from,text\n{NUMBER},,SHOP,x\n")), 400, "bad_csv_header", ""),
        bad(
            "too many columns",
            rows(format!("to,{}\n", (0..70).map(|n| format!("c{n}")).collect::<Vec<_>>().join(","))),
            400,
            "bad_csv_header",
            "",
        ),
        bad("a quote that is not closed", rows(format!("to,from,text\n{NUMBER},SHOP,\"{CANARY}\n")), 400, "truncated_body", ""),
        bad("truncated gzip", packed("gzip", &gz[..gz.len() / 2]), 400, "truncated_body", ""),
        bad("gzip without its checksum", packed("gzip", &gz[..gz.len() - 4]), 400, "truncated_body", ""),
        bad("damaged gzip", packed("gzip", &flipped(gz.clone(), gz.len() - 6)), 400, "bad_compression", ""),
        bad("gzip that is none", packed("gzip", to(2).as_bytes()), 400, "bad_compression", ""),
        bad("gzip with garbage behind", packed("gzip", &[&gz[..], b"garbage"].concat()), 400, "bad_compression", ""),
        bad("an empty gzip body", packed("gzip", b""), 400, "truncated_body", ""),
        bad("truncated zstd", packed("zstd", &zst[..zst.len() - 3]), 400, "truncated_body", ""),
        bad("zstd that is none", packed("zstd", to(2).as_bytes()), 400, "bad_compression", ""),
        bad("a bomb of gzip", packed("gzip", &gzip(&bomb)), 413, "payload_too_large", ""),
        bad("a bomb of zstd", packed("zstd", &zstd::encode_all(&*bomb, 19).expect("packed")), 413, "payload_too_large", ""),
        bad("two layers", packed("gzip, gzip", &gzip(&gz)), 415, "unsupported_encoding", "Content-Encoding"),
        bad("an unknown coding", packed("br", &gz), 415, "unsupported_encoding", "Content-Encoding"),
    ]
}

fn requests() -> Vec<Bad> {
    let right = line();
    let headers = |more: &[(&str, &str)]| request("POST", "/v1/messages", more, right.as_bytes());
    let with_key = |key: &str| headers(&[auth(KEY), ("content-type", JSON), ("idempotency-key", key)]);
    let announced = |length: &str| {
        format!(
            "POST /v1/batches HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {KEY}\r\ncontent-type: text/csv\r\nconnection: close\r\n{length}\r\n"
        )
    };
    let endless = announced("transfer-encoding: chunked\r\n").into_bytes();
    let endless = [endless, b"1000\r\n".to_vec(), vec![b'x'; 0x1000], b"\r\n".to_vec()].concat();
    vec![
        bad("no key", headers(&[("content-type", JSON)]), 401, "unauthorized", "Authorization"),
        bad(
            "a wrong key",
            headers(&[("authorization", "Bearer shop.cAnArY"), ("content-type", JSON)]),
            401,
            "unauthorized",
            "Authorization",
        ),
        bad("an unknown key", headers(&[("x-api-key", "cAnArY.cAnArY")]), 401, "unauthorized", "Authorization"),
        bad("a key in the query", request("GET", &format!("/v1/messages?key={KEY}"), &[], b""), 401, "unauthorized", "Authorization"),
        bad("a key that may not read", request("GET", "/v1/messages", &[auth(SENDER)], b""), 403, "forbidden", "Authorization"),
        bad("no content type", headers(&[auth(KEY)]), 415, "unsupported_media_type", "Content-Type"),
        bad(
            "a form",
            headers(&[auth(KEY), ("content-type", "application/x-www-form-urlencoded")]),
            415,
            "unsupported_media_type",
            "Content-Type",
        ),
        bad(
            "another charset",
            headers(&[auth(KEY), ("content-type", "application/json; charset=utf-16")]),
            415,
            "unsupported_media_type",
            "Content-Type",
        ),
        bad("a list for one", headers(&[auth(KEY), ("content-type", "text/csv")]), 415, "unsupported_media_type", "Content-Type"),
        bad("an empty idempotency key", with_key(""), 400, "bad_idempotency_key", "Idempotency-Key"),
        bad("spaces in an idempotency key", with_key("a cAnArY"), 400, "bad_idempotency_key", "Idempotency-Key"),
        bad("a long idempotency key", with_key(&"k".repeat(256)), 400, "bad_idempotency_key", "Idempotency-Key"),
        bad(
            "two idempotency keys",
            headers(&[auth(KEY), ("content-type", JSON), ("idempotency-key", "a"), ("idempotency-key", "b")]),
            400,
            "bad_idempotency_key",
            "Idempotency-Key",
        ),
        bad("a parameter where there is none", post("/v1/messages?from=SHOP", JSON, &[], right.as_bytes()), 400, "bad_query", "?"),
        bad("an unknown address", get("/v2/messages"), 404, "not_found", ""),
        bad("an address with a slash too much", get("/v1/messages/"), 404, "not_found", ""),
        bad("an escaped address", get("/v1%2Fmessages"), 404, "not_found", ""),
        bad("a way out of the address", get("/v1/../../etc/passwd"), 404, "not_found", ""),
        bad("an id that is none", get("/v1/messages/cAnArY"), 404, "not_found", ""),
        bad("an escaped id", get("/v1/messages/msg_%00000000000001"), 404, "not_found", ""),
        bad("an unknown id", get("/v1/messages/msg_0000000000001"), 404, "not_found", ""),
        bad("an id of another kind", get("/v1/messages/bat_0000000000001"), 404, "not_found", ""),
        bad("an id beyond all", get("/v1/batches/bat_ZZZZZZZZZZZZZ"), 404, "not_found", ""),
        bad("an unknown bulk to cancel", post("/v1/batches/bat_0000000000001/cancel", JSON, &[], b""), 404, "not_found", ""),
        bad("a method there is not", request("DELETE", "/v1/messages", &[auth(KEY)], b""), 405, "method_not_allowed", ""),
        bad("a method nobody knows", request("CANARY", "/livez", &[], b""), 405, "method_not_allowed", ""),
        bad("a limit that is none", get("/v1/messages?limit=0"), 400, "bad_query", "?limit"),
        bad("a limit too large", get("/v1/batches?limit=101"), 400, "bad_query", "?limit"),
        bad("a cursor of our own making", get("/v1/messages?cursor=AAAA"), 400, "bad_query", "?cursor"),
        bad("two filters", get("/v1/messages?to=%2B33698765432&client_ref=cAnArY"), 400, "bad_query", "?"),
        bad("a filter that is no number", get("/v1/messages?to=cAnArY"), 400, "bad_query", "?to"),
        bad("an unknown filter", get("/v1/messages?text=cAnArY"), 400, "bad_query", "?"),
        bad(
            "an announced length beyond all",
            announced("content-length: 18000000000000000000\r\n").into_bytes(),
            413,
            "payload_too_large",
            "",
        ),
        bad(
            "an announced length over the limit",
            announced("content-length: 65537\r\nexpect: 100-continue\r\n").into_bytes(),
            413,
            "payload_too_large",
            "",
        ),
        bad("an endless body", [endless.clone(), vec![b'\n'; 10]].concat().repeat(1), 400, "truncated_body", ""),
        bad("a body that stops coming", endless, 408, "request_timeout", ""),
        bad(
            "a chunk without length",
            [announced("transfer-encoding: chunked\r\n").into_bytes(), b"zz\r\nx".to_vec()].concat(),
            400,
            "truncated_body",
            "",
        ),
    ]
}

/// What is wrong before there is a request: the parser of HTTP answers by itself and closes.
fn not_http() -> Vec<(&'static str, Vec<u8>, u16)> {
    let head = |more: &str| format!("GET /livez HTTP/1.1\r\nhost: t\r\n{more}\r\n").into_bytes();
    vec![
        ("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), 400),
        ("no version", b"GET /livez\r\n\r\n".to_vec(), 400),
        ("a header without colon", head("cAnArY\r\n"), 400),
        ("a space before the colon", head("x : y\r\n"), 400),
        ("a folded header", head("x: a\r\n b\r\n"), 400),
        ("a NUL in a header", head("x: a\0b\r\n"), 400),
        ("two lengths", head("content-length: 1\r\ncontent-length: 2\r\n"), 400),
        ("a length that is none", head("content-length: -1\r\n"), 400),
        ("an unknown transfer coding", head("transfer-encoding: gzip\r\n"), 400),
        ("chunks of HTTP/1.0", b"POST /v1/messages HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(), 400),
        ("too many headers", head(&"x: y\r\n".repeat(100)), 431),
        ("a head over the limit", head(&format!("x: {}\r\n", "y".repeat(9_000))), 431),
        ("an endless address", format!("GET /{} HTTP/1.1\r\n", "a".repeat(70_000)).into_bytes(), 431),
    ]
}

async fn check(rig: &Rig, bad: &Bad) {
    let answer = rig.raw(&bad.octets).await;
    let what = format!("{}: {answer:?}", bad.what);
    assert_eq!((answer.status, answer.code().as_str()), (bad.status, bad.code), "{what}");
    let problem = answer.json();
    assert_eq!(problem["status"], bad.status, "{what}");
    for field in ["type", "title", "detail", "advice", "docs"] {
        assert!(problem[field].as_str().is_some_and(|text| text.len() > 3), "{field} of {what}");
    }
    let error = &problem["errors"][0];
    let place = match (error["pointer"].as_str(), error["parameter"].as_str(), error["header"].as_str()) {
        (Some(pointer), None, None) => pointer.to_owned(),
        (None, Some(parameter), None) => format!("?{parameter}"),
        (None, None, Some(header)) => header.to_owned(),
        _ => panic!("{what}"),
    };
    assert_eq!(place, bad.place, "{what}");
    quiet(&answer, &what);
    assert_eq!(answer.status == 405, answer.header("allow").is_some(), "{what}");
    assert_eq!(answer.status == 401, answer.header("www-authenticate").is_some(), "{what}");
}

/// INV-36.
fn quiet(answer: &Answer, what: &str) {
    let head: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    let all = head + &String::from_utf8_lossy(&answer.body);
    for canary in [CANARY, &NUMBER[1..], "first-secret", "0698765432", "BANK"] {
        assert!(!all.contains(canary), "{canary} in {what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_request_has_a_definite_answer_and_the_process_lives_on() {
    let rig = Rig::start(Setup { http: HTTP, ..Setup::default() }).await;
    let table = [single_messages(), lists(), requests()].concat_all();
    assert!(table.len() >= 130, "{}", table.len());
    for bad in &table {
        check(&rig, bad).await;
    }
    for (what, octets, status) in not_http() {
        let answer = rig.raw(&octets).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        quiet(&answer, what);
    }
    let mut stream = rig.dial().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("written");
    assert!(matches!(rig.ended(&mut stream).await, NoAnswer), "HTTP/2 is not spoken");
    assert!(rig.live("shop").is_empty() && rig.batches("shop").is_empty());
    let answer = rig.send(&format!(r##"{{"to":"{NUMBER}","from":"SHOP","text":"#alive#"}}"##)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    crate::rig::until("it is sent", async || (rig.record.times("alive") == 1).then_some(())).await;
    assert_eq!(rig.record.unique(), 1);
    // What belongs to another is answered like what does not exist.
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    check(&rig, &bad("a foreign id", request("GET", &format!("/v1/messages/{id}"), &[auth(OTHER)], b""), 404, "not_found", "")).await;
    let metrics = rig.get("/metrics").await;
    quiet(&metrics, "metrics");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_line_is_refused_by_itself() {
    let rig = Rig::start(Setup { http: HTTP, ..Setup::default() }).await;
    let right = line();
    for (octets, code, pointer) in [
        (lines(format!("{right}{{oops}}\n{right}")), "malformed_json", ""),
        (lines([right.as_bytes(), b"{\"to\":\"\xff\"}\n", right.as_bytes()].concat()), "invalid_utf8", ""),
        (lines(format!("{right}{{\"to\":\"{}\"}}\n{right}", "9".repeat(2_000))), "line_too_long", ""),
        (lines(format!("{right}{{\"to\":{{}}}}\n{right}")), "wrong_type", "/to"),
        (lines(format!("{right}{{}}\n{right}")), "missing_to", "/to"),
        (list(format!("{{\"messages\":[{0},{{\"to\":1}},{0}]}}", right.trim())), "wrong_type", "/messages/1/to"),
        (rows(format!("to,from,text\n{NUMBER},SHOP,x\n{NUMBER},SHOP\n{NUMBER},SHOP,x\n")), "column_count", ""),
        (rows(format!("to,from,text\n{NUMBER},SHOP,x\n=1+1,SHOP,x\n{NUMBER},SHOP,x\n")), "invalid_number", "/to"),
        (
            rows(format!("to,from,text,max_segments\n{NUMBER},SHOP,x,1\n{NUMBER},SHOP,x,many\n{NUMBER},SHOP,x,1\n")),
            "wrong_type",
            "/max_segments",
        ),
    ] {
        let answer = rig.raw(&octets).await;
        assert_eq!(answer.status, 202, "{code}: {answer:?}");
        let json = answer.json();
        assert_eq!((json["accepted"].as_u64(), json["refused"].as_u64()), (Some(2), Some(1)), "{code}: {json:#}");
        let refused = json["results"].as_array().expect("results").iter().find(|result| result.get("error").is_some()).expect("one");
        assert_eq!((refused["line"].as_u64(), refused["error"]["code"].as_str()), (Some(1), Some(code)), "{json:#}");
        assert_eq!(refused["error"]["pointer"].as_str(), Some(pointer), "{json:#}");
        assert!(refused["error"]["detail"].as_str().is_some_and(|detail| detail.len() > 3), "{json:#}");
        quiet(&answer, code);
    }
}

/// Vectors of what cannot be copied, end to end.
trait ConcatAll {
    fn concat_all(self) -> Vec<Bad>;
}

impl<const N: usize> ConcatAll for [Vec<Bad>; N] {
    fn concat_all(self) -> Vec<Bad> {
        self.into_iter().flatten().collect()
    }
}
