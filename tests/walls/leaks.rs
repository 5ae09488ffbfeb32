//! Canaries: a number, a text, a sender, a reference, a password, keys and secrets that occur nowhere else go through the
//! built program at its most talkative, along with everything that makes it complain. Afterwards they are looked for, also
//! as hexadecimal and base64, in all it said: its log, its output, its metrics, its refusals, the heads of its webhooks.
//! They may be in the store and on the wire, and nowhere else (INV-36).

use crate::common::api::Api;
use crate::common::gateway::Gateway;
use crate::common::http::Client;
use crate::common::peers::Peer;
use crate::common::{Bench, until};
use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NUMBER: &str = "698765432";
const TEXT: &str = "cAnTextZqx";
const SENDER: &str = "cAnSenderZq";
const REFERENCE: &str = "cAnRefZqx";
const CAMPAIGN: &str = "cAnCampaignZqx";
const REASON: &str = "cAnReasonZqx";
const CHAIN: &str = "cAnChainZqx";
const PASSWORD: &str = "cAnPwZqx";
const SECRET: &str = "cAnKeySecretZqxcAnKeySecretZqx";
const PEPPER: &str = "cAnPepperZqxcAnPepperZqx";
/// `whsec_` and the base64 of `cAnHookZqxcAnHookZqxcAnHookZqx!!`.
const HOOK: &str = "Y0FuSG9va1pxeGNBbkhvb2tacXhjQW5Ib29rWnF4ISE=";
const LONG: Duration = Duration::from_secs(60);

/// Each canary in the forms in which something might say it.
fn canaries() -> Vec<(String, String)> {
    let plain = [NUMBER, TEXT, SENDER, REFERENCE, CAMPAIGN, REASON, CHAIN, PASSWORD, SECRET, PEPPER, HOOK, "cAnHookZqx", "cAnGarbageZqx"];
    let forms = |canary: &str| {
        let hex: String = canary.bytes().map(|octet| format!("{octet:02x}")).collect();
        let wide: String = canary.bytes().map(|octet| format!("00{octet:02x}")).collect();
        // Without the ends, which depend on what stands beside it.
        let base64 = base64::engine::general_purpose::STANDARD.encode(canary);
        let base64 = base64[4..base64.len() - 4].to_owned();
        let debug = format!("{:?}", canary.as_bytes()).trim_matches(['[', ']']).to_owned();
        [canary.to_owned(), hex.to_uppercase(), hex, wide, base64, debug]
    };
    plain.iter().flat_map(|canary| forms(canary).map(|form| ((*canary).to_owned(), form))).filter(|(_, form)| form.len() >= 6).collect()
}

/// A webhook's receiver that keeps heads, refuses the first calls and hangs up on one.
fn receiver() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (port, heads) = (listener.local_addr().expect("a port").port(), Arc::<Mutex<Vec<String>>>::default());
    let kept = heads.clone();
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().flatten().enumerate() {
            let (mut stream, mut head) = (stream, Vec::new());
            let mut octet = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut octet).is_ok_and(|read| read == 1) {
                head.push(octet[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            let _ = stream.read_exact(&mut body);
            assert!(!head.is_empty());
            kept.lock().expect("no panic").push(head);
            let _ = match n {
                0 => stream.write_all(b"HTTP/1.1 500 cAnGarbageZqx\r\nConnection: close\r\n\r\ncAnGarbageZqx"),
                1 => stream.write_all(b"cAnGarbageZqx\r\n\r\n"),
                2 => Ok(()),
                _ => stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
            };
        }
    });
    (port, heads)
}

fn configure(bench: &Bench, smsc: u16, hook: u16) {
    let dir = bench.path();
    let mut mac = Hmac::<Sha256>::new_from_slice(PEPPER.as_bytes()).expect("any length");
    mac.update(SECRET.as_bytes());
    let hash = hex::encode(mac.finalize().into_bytes());
    for (name, secret) in [("pepper", PEPPER.to_owned()), ("password", PASSWORD.to_owned()), ("hook", format!("whsec_{HOOK}"))] {
        std::fs::write(dir.join(name), secret).expect("a directory of ours");
    }
    let file = |name: &str| format!("{{ file = {:?} }}", dir.join(name));
    let (data, pepper, password, secret) = (dir.join("data"), file("pepper"), file("password"), file("hook"));
    let text = format!(
        "data_dir = {data:?}\n[secrets]\npepper = {pepper}\n[log]\nlevel = \"trace\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\nheader_timeout = \"500ms\"\n\
         [[accounts]]\nname = \"shop\"\n[[accounts.keys]]\nid = \"tests\"\nhash = \"{hash}\"\n\
         [[carriers]]\nname = \"main\"\nhost = \"127.0.0.1\"\nport = {smsc}\nsystem_id = \"relais\"\npassword = {password}\nwindow = 10\n\
         reconnect_min = \"50ms\"\nreconnect_max = \"200ms\"\nthrottle_pause = \"20ms\"\nretry_min = \"20ms\"\nretry_max = \"50ms\"\n\
         attempts_max = 3\nreceipt_wait = \"1m\"\nvalidity = \"1m\"\norphan_ttl = \"2s\"\nresponse_timeout = \"2s\"\nambiguity_hold = \"1s\"\n\
         inbound_account = \"shop\"\n[[routes]]\nprefix = \"\"\ncarrier = \"main\"\n\
         [[webhooks]]\nname = \"hook\"\naccount = \"shop\"\nurl = \"http://127.0.0.1:{hook}/\"\nsecret = {secret}\n\
         events = [\"final\", \"inbound\", \"sent\"]\n\
         [webhook_rules]\nallow_loopback = true\nallow_http = true\nports = [{hook}]\n"
    );
    std::fs::write(dir.join("relais.toml"), text).expect("a directory of ours");
}

/// Octets as they are; what comes back.
fn raw(at: SocketAddr, octets: &[u8]) -> String {
    let mut stream = TcpStream::connect(at).expect("it listens");
    stream.set_read_timeout(Some(LONG)).expect("a socket");
    let _ = stream.write_all(octets);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

/// Requests that are refused, each with canaries where a refusal might repeat them.
fn refusals(at: SocketAddr) -> String {
    let key = format!("tests.{SECRET}");
    let post = |path: &str, kind: &str, body: String| {
        raw(
            at,
            format!(
                "POST {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\nauthorization: Bearer {key}\r\ncontent-type: {kind}\r\n\
                         idempotency-key: {REFERENCE} {TEXT}\r\nx-{TEXT}: {TEXT}\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        ) + &raw(
            at,
            format!(
                "POST {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\nauthorization: Bearer {key}\r\ncontent-type: {kind}\r\n\
                         content-length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        )
    };
    let mut said = String::new();
    for body in [
        TEXT.to_owned(),
        format!("{{\"{NUMBER}\":1,\"33{NUMBER}\":2}}"),
        format!("{{\"{TEXT} {REFERENCE}\":1}}"),
        format!("{{\"to\":\"0{NUMBER}\",\"from\":\"{SENDER}\",\"text\":\"{TEXT}\"}}"),
        format!("{{\"to\":\"+33{NUMBER}\",\"from\":\"{SENDER}{SENDER}\",\"text\":\"{TEXT}\"}}"),
        format!("{{\"to\":\"+33{NUMBER}\",\"from\":\"{SENDER}\",\"text\":\"{TEXT} {{{{nAmE}}}}\"}}"),
        format!("{{\"to\":\"+33{NUMBER}\",\"from\":\"{SENDER}\",\"text\":\"{TEXT}\",\"class\":\"{TEXT}\"}}"),
        format!("{{\"to\":\"+33{NUMBER}\",\"from\":\"{SENDER}\",\"text\":\"{TEXT}\",\"params\":{{\"{TEXT} {NUMBER}\":\"{TEXT}\"}}}}"),
        format!("{{\"to\":\"+33{NUMBER}\",\"from\":\"{SENDER}\",\"text\":\"{TEXT}\",\"expires_at\":\"{TEXT}\"}}"),
        format!("{{\"to\":\"+33{NUMBER}\",\"to\":\"+33{NUMBER}\",\"text\":\"{TEXT}"),
        format!("{{\"to\":\"+33{NUMBER}\",\"text\":\"{TEXT}\\u001b[31m\\r\\n\",\"client_ref\":\"{REFERENCE}\\n\"}}"),
    ] {
        said += &post("/v1/messages", "application/json", body.clone());
        said += &post("/v1/preview", "application/json", body.clone());
        said += &post("/v1/batches", "application/json", format!("{{\"recipients\":[{body}]}}"));
        said += &post("/v1/batches", "text/csv", format!("to,{TEXT},{TEXT}\n{body}"));
        said += &post(&format!("/v1/batches?{TEXT}+x={TEXT}&from={SENDER}"), "application/x-ndjson", body.clone());
        said += &post("/v1/messages", &format!("application/{TEXT}"), body);
    }
    for path in [
        format!("/v1/messages/{TEXT}"),
        format!("/{TEXT}"),
        format!("/v1/messages?to={NUMBER}"),
        format!("/v1/messages?{TEXT}=%zz"),
        format!("/v1/messages?cursor={TEXT}"),
        format!("/v1/lookup/{TEXT}"),
        format!("/v1/next-opening?to={TEXT}&class={TEXT}"),
        format!("/v1/batches?key={SECRET}"),
    ] {
        for method in ["GET", "POST", TEXT] {
            said += &raw(
                at,
                format!("{method} {path} HTTP/1.1\r\nhost: {TEXT}\r\nconnection: close\r\nauthorization: Bearer {key}\r\n\r\n").as_bytes(),
            );
            said += &raw(
                at,
                format!("{method} {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\nx-api-key: {SECRET}.{TEXT}\r\n\r\n").as_bytes(),
            );
        }
    }
    for garbage in [
        format!("{TEXT} {NUMBER}\r\n\r\n"),
        format!("\x16\x03\x01{TEXT}"),
        format!("GET / HTTP/1.1\r\n{TEXT}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: t\r\nx: {TEXT}\0\r\n\r\n"),
        format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{TEXT}"),
        format!("POST /v1/messages HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\nx: {TEXT}\r\n\r\n{TEXT}"),
        format!(
            "POST /v1/batches HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {key}\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n{TEXT}\r\n"
        ),
    ] {
        said += &raw(at, garbage.as_bytes());
    }
    assert!(said.matches("HTTP/1.1 4").count() > 150, "they are refused");
    said
}

/// Everything else a customer may ask or say: chains, campaigns, plans, texts made when sent, explanations, advice, opt-outs,
/// preferences, erasing. What all of it answers, with the heads.
fn asked(at: SocketAddr, id: &str) -> String {
    let key = format!("tests.{SECRET}");
    let mut client = Client::new(at, &key);
    let message = serde_json::json!({
        "to": format!("+33{NUMBER}"), "from": SENDER, "text": format!("{TEXT} {{{{a}}}} {{{{now}}}}"), "params": {"a": TEXT}, "render": "send",
        "client_ref": REFERENCE, "campaign": CAMPAIGN, "consent_ref": CAMPAIGN, "cancel_key": CHAIN, "class": "service",
    });
    let with = |more: serde_json::Value| {
        let mut all = message.clone();
        all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        all.to_string()
    };
    let (plain, none, later) = (with(serde_json::json!({})), String::new(), with(serde_json::json!({"send_after": "P2D"})));
    let lines = format!("{{\"defaults\":{{\"campaign\":\"{CAMPAIGN}\"}},\"messages\":[{plain},{later}]}}");
    let number = format!("%2B33{NUMBER}");
    let json = |value: serde_json::Value| value.to_string();
    let mut said = String::new();
    for (method, path, kind, body, status) in [
        ("POST", "/v1/messages".to_owned(), "application/json", &plain, 202),
        ("POST", "/v1/messages".to_owned(), "application/json", &later, 202),
        ("POST", "/v1/messages?dry_run=true".to_owned(), "application/json", &plain, 200),
        ("POST", "/v1/batches?dry_run=true".to_owned(), "application/json", &lines, 200),
        ("POST", "/v1/batches".to_owned(), "application/json", &lines, 202),
        ("POST", "/v1/explain".to_owned(), "application/json", &plain, 200),
        ("GET", format!("/v1/messages?campaign={CAMPAIGN}"), "", &none, 200),
        ("GET", format!("/v1/messages?to={number}"), "", &none, 200),
        ("GET", format!("/v1/messages?client_ref={REFERENCE}"), "", &none, 200),
        ("GET", format!("/v1/messages/{id}"), "", &none, 200),
        ("PATCH", format!("/v1/messages/{id}"), "application/json", &json(serde_json::json!({"send_after": "PT1H"})), 409),
        ("GET", format!("/v1/lookup/{number}"), "", &none, 200),
        ("GET", format!("/v1/next-opening?to={number}&class=service"), "", &none, 200),
        ("GET", format!("/v1/keywords/classify?text={TEXT}&to={number}"), "", &none, 0),
        ("GET", "/v1/rules".to_owned(), "", &none, 200),
        ("POST", "/v1/rules/reload".to_owned(), "", &none, 403),
        ("GET", "/v1/carriers".to_owned(), "", &none, 200),
        ("GET", "/v1/webhooks/dead".to_owned(), "", &none, 200),
        ("PUT", format!("/v1/preferences/{number}"), "application/json", &json(serde_json::json!({"locale": "fr-FR"})), 200),
        ("GET", format!("/v1/preferences/{number}"), "", &none, 200),
        (
            "POST",
            "/v1/suppressions".to_owned(),
            "application/json",
            &json(serde_json::json!({"number": format!("+33{NUMBER}"), "reason": REASON})),
            200,
        ),
        ("GET", format!("/v1/suppressions?number={number}"), "", &none, 200),
        ("GET", "/v1/suppressions/export".to_owned(), "", &none, 200),
        ("POST", "/v1/suppressions/import".to_owned(), "text/csv", &format!("number,reason\n+33{NUMBER},{REASON}\n{TEXT},{REASON}\n"), 0),
        ("POST", "/v1/messages".to_owned(), "application/json", &plain, 422),
        ("POST", "/v1/cancel".to_owned(), "application/json", &json(serde_json::json!({"cancel_key": CHAIN})), 200),
        ("POST", "/v1/cancel".to_owned(), "application/json", &json(serde_json::json!({"campaign": CAMPAIGN})), 200),
        ("DELETE", format!("/v1/suppressions?number={number}"), "", &none, 0),
        ("DELETE", format!("/v1/numbers/{number}?forget_opt_out=true"), "", &none, 202),
        ("GET", format!("/v1/numbers/{number}/erasure"), "", &none, 200),
        ("GET", format!("/v1/messages/{id}"), "", &none, 0),
    ] {
        let kind = [("content-type", kind)];
        let answer = client.call(method, &path, if kind[0].1.is_empty() { &[] } else { &kind }, body.as_bytes()).expect("an answer");
        assert!(answer.status == status || (status == 0 && answer.status < 500), "{method} {path}: {} {}", answer.status, answer.text());
        said += &format!("{method} {path}: {:?} {}\n", answer.headers, answer.text());
    }
    said
}

/// What of `said` a canary is in, with a little of what stands round it.
fn leaks(place: &str, said: &str) -> Vec<String> {
    let found = canaries().into_iter().filter_map(|(canary, form)| {
        let at = said.find(&form)?;
        let from = said[..at].char_indices().rev().nth(120).map_or(0, |(at, _)| at);
        Some(format!("{canary} in {place}: …{}…", &said[from..at + form.len()]))
    });
    found.collect()
}

#[test]
fn numbers_texts_and_secrets_are_in_the_store_and_on_the_wire_and_nowhere_else() {
    let bench = Bench::new("leaks");
    let smsc = Peer::smsc(
        bench.path(),
        &[
            &format!("accounts={{\"relais\":\"{PASSWORD}\"}}"),
            "statuses=[{\"status\":11,\"rate\":0.1},{\"status\":8,\"rate\":0.1},{\"status\":88,\"rate\":0.1},{\"status\":1025,\"rate\":0.1}]",
            "receipt_unknown=0.2",
            "generic_nack=0.05",
            "disconnect_every=40",
            "garbage=0.02",
        ],
    );
    let (hook, heads) = receiver();
    configure(&bench, smsc.port(), hook);
    let process = Gateway::spawn(bench.path());
    let line = process
        .line(LONG, |line| line.starts_with("listening on "))
        .unwrap_or_else(|| panic!("{}", std::fs::read_to_string(bench.path().join("relais.log")).unwrap_or_default()));
    let at: SocketAddr = line.rsplit_once("//").expect("an address").1.trim_end_matches('/').parse().expect("an address");
    let mut api = Api::new(at, &format!("tests.{SECRET}"));
    let list = |count: usize| {
        let entry = serde_json::json!({"to": format!("+33{NUMBER}"), "client_ref": REFERENCE, "params": {"a": TEXT}});
        serde_json::json!({"defaults": {"from": SENDER, "text": format!("{TEXT} {{{{a}}}} é")}, "recipients": vec![entry; count]})
    };
    let (batch, ids) = api.take(&list(150));
    let refused = refusals(at);
    // Some lose their receipt in a session that is cut; the rest is enough.
    until("most are final", LONG, || {
        let view = api.see(&format!("/v1/batches/{batch}"));
        let sum: u64 =
            ["delivered", "undelivered", "rejected", "expired"].iter().filter_map(|status| view["counts"][status].as_u64()).sum();
        (sum >= 100).then_some(())
    });
    let shown = api.get(&format!("/v1/messages/{}", ids[0])).expect("an answer").text();
    assert!(shown.contains(NUMBER) && !shown.contains(TEXT), "its owner sees the number, and nobody the text: {shown}");
    until("webhooks are told after all", LONG, || (heads.lock().expect("no panic").len() > 5).then_some(()));
    // All the rest a customer may ask: of texts and secrets nothing comes back, to nobody. (The number is in addresses, too.)
    let asked = asked(at, &ids[1]);
    let own = [NUMBER, SENDER, REFERENCE, CAMPAIGN, REASON, CHAIN];
    let answers = asked.lines().map(|line| line.split_once(": ").map_or(line, |(_, answer)| answer));
    let shown: Vec<String> =
        answers.flat_map(|answer| leaks("an answer", answer)).filter(|leak| !own.iter().any(|one| leak.starts_with(one))).collect();
    assert!(shown.is_empty(), "{shown:#?}");
    assert!(asked.contains(CAMPAIGN) && asked.contains(REASON), "its own, they are shown: {asked}");
    // The carrier goes away in the middle, for good.
    drop(smsc);
    api.take(&list(20));
    let metrics = api.get("/metrics").expect("an answer").text();
    let commands = std::fs::read(format!("/proc/{}/cmdline", process.id())).expect("it runs");
    let environment = std::fs::read(format!("/proc/{}/environ", process.id())).expect("it runs");
    until("the loss of the carrier is said", LONG, || {
        let log = std::fs::read_to_string(bench.path().join("relais.log")).ok()?;
        log.contains("cannot be reached").then_some(())
    });
    process.term();
    let mut process = process;
    process.end(LONG);
    let log = std::fs::read_to_string(bench.path().join("relais.log")).expect("a log");
    assert!(log.lines().count() > 5 && log.contains("session over"), "it has complained: {log}");
    for line in log.lines() {
        let parsed: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault}: {line}"));
        assert!(parsed["timestamp"].is_string() && parsed["message"].is_string(), "{line}");
        assert!(line.chars().all(|c| !c.is_control()), "{line:?}");
    }
    let heads = heads.lock().expect("no panic").join("\n");
    let output = process.line(Duration::ZERO, |line| !leaks("the output", line).is_empty());
    let mut found = [("the log", &log), ("metrics", &metrics), ("refusals", &refused), ("heads of webhooks", &heads)]
        .iter()
        .flat_map(|(place, said)| leaks(place, said))
        .collect::<Vec<_>>();
    found.extend(leaks("the command line", &String::from_utf8_lossy(&commands)));
    found.extend(leaks("the environment", &String::from_utf8_lossy(&environment)));
    assert!(found.is_empty() && output.is_none(), "{found:#?} {output:?}");
    // And the search finds what is there.
    assert!(!leaks("this", &format!("x{TEXT}")).is_empty() && !leaks("this", &hex::encode(NUMBER)).is_empty());
}
