//! Characters that would begin a line, a header, a colour or another direction of writing: from callers and from handsets,
//! in every field that is kept or passed on. None becomes part of a head, and every body says them as JSON does.

use crate::rig::{Answer, JSON, KEY, Rig, Setup, auth, until};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Line ends, terminal escapes, marks of direction, markup, an end of JSON, a formula.
const NASTY: [&str; 12] = [
    "a\r\nSet-Cookie: x=1",
    "a\nX-Injected: 1",
    "a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "a\u{0}b",
    "a\u{1b}[2J\u{1b}]0;title\u{7}",
    "a\u{202e}gnp.exe\u{202c}",
    "a\u{2028}b\u{2029}c\u{85}d",
    "\u{feff}a\u{200f}",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\"},{\"to\":\"+33600000000\"",
    "=cmd|' /C calc'!A0",
    "${jndi:ldap://x}%n%s{{7*7}}../../etc/passwd",
];

fn clean(answer: &Answer, what: &str) {
    let names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    const USUAL: [&str; 10] = [
        "content-type",
        "content-length",
        "date",
        "cache-control",
        "x-content-type-options",
        "connection",
        "retry-after",
        "transfer-encoding",
        "www-authenticate",
        "idempotency-replayed",
    ];
    assert!(names.iter().all(|name| USUAL.contains(name) || *name == "allow"), "{what}: {names:?}");
    for (name, value) in &answer.headers {
        assert!(value.bytes().all(|octet| (0x20..0x7f).contains(&octet)) && !value.contains("script"), "{what}: {name}: {value}");
    }
    let kind = answer.header("content-type").unwrap_or_default();
    assert!(kind == JSON || kind == "application/problem+json", "{what}: {kind}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
    let _: Value = answer.json();
    assert!(answer.body.iter().all(|octet| *octet >= 0x20), "{what}: {answer:?}");
    harmless(answer, what);
}

/// Shown as it comes, on a page or a terminal, it is text and nothing else.
fn harmless(answer: &Answer, what: &str) {
    let text = String::from_utf8(answer.body.clone()).expect("UTF-8");
    let acts =
        |c: &char| matches!(c, '<' | '>' | '&' | '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}');
    assert_eq!(text.chars().find(acts), None, "{what}: {answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_callers_put_into_any_field_stays_within_json_and_out_of_every_head() {
    let rig = Rig::start(Setup::default()).await;
    for nasty in NASTY {
        let right = json!({"to": "+33612345678", "from": "SHOP", "text": "x"});
        let with = |field: &str, value: Value| {
            let mut body = right.clone();
            body[field] = value;
            body.to_string()
        };
        let fields = [
            "to",
            "from",
            "text",
            "client_ref",
            "class",
            "encoding",
            "split",
            "expires_at",
            "expires_in",
            "doubt",
            "channel",
            "max_segments",
            "params",
            "campaign",
            "consent_ref",
            "cancel_key",
            "locale",
            "time_zone",
            "country",
            "region",
            "send_at",
            "send_after",
            "render",
            "variants",
            "texts",
            "data",
            "udh",
            "ports",
            "message_class",
            "protocol_id",
            "max_price",
            "data_coding",
            "flash",
        ];
        let mut bodies: Vec<String> = fields.iter().map(|field| with(field, nasty.into())).collect();
        bodies.extend([
            with(nasty, "x".into()),
            with("params", json!({"a": nasty})),
            with("params", json!({nasty: "a"})),
            with("text", json!(["{{a}}", nasty])),
            with("variants", json!([nasty])),
            with("texts", json!({nasty: nasty})),
            with("ports", json!({nasty: 1})),
        ]);
        for body in &bodies {
            let answer = rig.send(body).await;
            clean(&answer, body);
            clean(&rig.post("/v1/preview", JSON, body.as_bytes()).await, body);
            clean(&rig.post("/v1/batches", "application/x-ndjson", body.as_bytes()).await, body);
            clean(&rig.post("/v1/explain", JSON, body.as_bytes()).await, body);
            if let Some(id) = answer.json()["id"].as_str() {
                let shown = rig.get(&format!("/v1/messages/{id}")).await;
                clean(&shown, body);
                assert!(shown.json().get("text").is_none(), "the text is never shown");
            }
        }
        // What is kept of people, and what is looked for.
        for (method, path, body) in [
            ("POST", "/v1/suppressions", json!({"number": "+33612345678", "reason": nasty})),
            ("POST", "/v1/suppressions", json!({"number": "+33612345678", "scope": nasty})),
            ("POST", "/v1/suppressions", json!({"number": "+33612345678", nasty: 1})),
            ("POST", "/v1/suppressions", json!({"number": nasty})),
            ("PUT", "/v1/preferences/+33612345678", json!({"locale": nasty})),
            ("PUT", "/v1/preferences/+33612345678", json!({"time_zone": nasty, nasty: 1})),
            ("POST", "/v1/cancel", json!({"campaign": nasty})),
            ("POST", "/v1/cancel", json!({"client_ref": nasty})),
            ("POST", "/v1/cancel", json!({"campaign": "x", "cursor": nasty, nasty: "x"})),
        ] {
            let headers = [auth(KEY), ("content-type", JSON)];
            clean(&rig.call(method, path, &headers, body.to_string().as_bytes()).await, path);
        }
        clean(&rig.get("/v1/suppressions").await, "the list of opt-outs");
        harmless(&rig.get("/v1/suppressions/export").await, "the export of opt-outs");
        let escaped: String = nasty.bytes().map(|octet| format!("%{octet:02x}")).collect();
        for path in [
            "/v1/messages?client_ref=",
            "/v1/messages?to=",
            "/v1/messages?cursor=",
            "/v1/messages?campaign=",
            "/v1/messages?batch=",
            "/v1/preferences/",
            "/v1/numbers/",
            "/v1/suppressions?number=",
            "/v1/suppressions?scope=",
            "/v1/messages/",
            "/v1/batches/",
            "/v1/lookup/",
            "/v1/keywords/classify?text=",
            "/v1/next-opening?zone=",
            "/v1/next-opening?to=",
            "/",
            "/v1/webhooks/dead?cursor=",
            "/v1/batches?",
        ] {
            clean(&rig.get(&format!("{path}{escaped}")).await, path);
        }
        // Where octets may stand as they are.
        let printable: String = nasty.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).collect();
        for header in ["idempotency-key", "content-encoding", "x-api-key", "accept", "origin"] {
            let headers = [auth(KEY), ("content-type", JSON), (header, printable.as_str())];
            clean(&rig.call("POST", "/v1/messages", &headers, right.to_string().as_bytes()).await, header);
        }
        let csv = format!("to,from,text,client_ref\n+33612345678,SHOP,\"{0}\",\"{0}\"\n", nasty.replace('"', "\"\""));
        clean(&rig.post("/v1/batches", "text/csv", csv.as_bytes()).await, "csv");
    }
    clean(&rig.get("/v1/messages?limit=100").await, "the list");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_handsets_write_reaches_a_webhook_as_one_json_string_and_no_head() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("a port").port();
    let calls = Arc::<Mutex<Vec<(String, Vec<u8>)>>>::default();
    let kept = calls.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut octets, mut piece) = (Vec::new(), vec![0; 64 << 10]);
            loop {
                let read = stream.read(&mut piece).await.unwrap_or(0);
                octets.extend_from_slice(&piece[..read]);
                let Some(end) = octets.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
                let head = String::from_utf8(octets[..end].to_vec()).expect("heads are text");
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok()).expect("a length");
                if octets.len() >= end + 4 + length {
                    kept.lock().expect("no panic").push((head, octets[end + 4..].to_vec()));
                    break;
                }
            }
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
        }
    });
    let sections: &'static str = Box::leak(
        format!(
            "[webhook_rules]\nallow_loopback = true\nallow_http = true\nports = [{port}]\n[[webhooks]]\nname = \"crm\"\naccount = \"shop\"\n\
             url = \"http://127.0.0.1:{port}/\"\nsecret = \"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\""
        )
        .into_boxed_str(),
    );
    let rig = Rig::start(Setup { sections, carrier: "inbound_account = \"shop\"", ..Setup::default() }).await;
    // Once the carrier is bound, what handsets write is passed on.
    until("the carrier is up", async || (rig.get("/v1/carriers").await.json()["carriers"][0]["state"] == "up").then_some(())).await;
    for (n, nasty) in NASTY.iter().enumerate() {
        rig.smsc.inject_mo(&format!("336123456{n:02}"), "36111", nasty);
        rig.smsc.inject_mo("A<b>&\"'", "x\u{7f}", nasty);
    }
    let told = || -> Vec<Value> {
        let calls = calls.lock().expect("no panic");
        calls.iter().flat_map(|(_, body)| serde_json::from_slice::<Vec<Value>>(body).expect("an array")).collect()
    };
    until("all are told", async || (told().len() >= 2 * NASTY.len()).then_some(())).await;
    for (head, body) in calls.lock().expect("no panic").iter() {
        let mut names: Vec<&str> = head.lines().skip(1).map(|line| line.split(':').next().expect("a name")).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "content-type", "host", "user-agent", "webhook-id", "webhook-signature", "webhook-timestamp"]);
        assert!(body.iter().all(|octet| *octet >= 0x20), "{:?}", String::from_utf8_lossy(body));
    }
    let texts: Vec<String> = told().iter().map(|event| event["message"]["text"].as_str().expect("a text").to_owned()).collect();
    for nasty in NASTY {
        // What the GSM alphabet writes in another way arrives as that; the rest as it was written.
        assert!(nasty.contains(|c| "\0\u{1b}[]{}|$".contains(c)) || texts.iter().any(|text| text == nasty), "{nasty:?} in {texts:?}");
    }
}
