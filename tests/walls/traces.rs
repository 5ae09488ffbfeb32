//! A person asks to be forgotten: everything that could name them goes through the built program at its most talkative, is
//! erased by number, and is then looked for, octet by octet, in every file of the data directory (pages that are not used
//! any more and logs included), in what is unpacked, and in all the program said. A number can be found again from its
//! search key and from the key of a send that counted for caps, by trying or by computing: these are looked for, too.

use crate::common::gateway::{Gateway, Settings, key};
use crate::common::http::{Answer, Client};
use crate::common::{Bench, until};
use relais::base::{MessageId, Msisdn, Time};
use relais::directory::caps::rows_of;
use relais::lab::personality::Personality;
use relais::lab::{Options, Smsc, SmscHandle};
use relais::storage::Journal;
use relais::storage::port::{SearchKind, search_key};
use relais::storage::sqlite::{self, Sqlite};
use relais::world::World;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

const NUMBER: &str = "33698765432";
const TEXT: &str = "cAnTextZqx";
const REFERENCE: &str = "cAnRefZqx";
const LONG: Duration = Duration::from_secs(60);

/// What may be left nowhere, with what it is.
fn needles() -> Vec<(&'static str, Vec<u8>)> {
    let number: u64 = NUMBER.parse().expect("digits");
    let mut varint = Vec::new();
    prost::encoding::encode_varint(number, &mut varint);
    let words = |octets: u64| [octets.to_le_bytes().to_vec(), octets.to_be_bytes().to_vec()];
    let to = Msisdn::parse(&format!("+{NUMBER}")).expect("valid");
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    let mut all = vec![
        ("the number", NUMBER.into()),
        ("the number as a varint", varint),
        ("the number as a row of people", number.to_be_bytes()[3..].into()),
        ("the number as an integer", number.to_le_bytes()[..5].into()),
        ("the text", TEXT.into()),
        ("the text in UTF-16", wide(TEXT)),
        ("the reference", REFERENCE.into()),
    ];
    for (what, key) in [
        ("the number's search key", search_key(SearchKind::Recipient, "shop", NUMBER)),
        ("the reference's search key", search_key(SearchKind::Reference, "shop", REFERENCE)),
        ("the key of sends that count", rows_of("shop", to)[0].row.key),
    ] {
        all.extend(words(key).map(|octets| (what, octets)));
    }
    all
}

fn found(place: &str, octets: &[u8]) -> Vec<String> {
    let is_in = |needle: &[u8]| memchr::memmem::find(octets, needle).is_some();
    needles().iter().filter(|(_, needle)| is_in(needle)).map(|(what, _)| format!("{what} in {place}")).collect()
}

/// In every file there is.
fn in_files(data: &Path) -> Vec<String> {
    let files = std::fs::read_dir(data).expect("readable").flatten();
    let each = files.flat_map(|file| found(&file.file_name().to_string_lossy(), &std::fs::read(file.path()).unwrap_or_default()));
    each.collect()
}

/// And in what is compressed there.
fn in_store(data: &Path) -> Vec<String> {
    let mut journal = Sqlite::open(sqlite::Options { reserve_bytes: 0, ..sqlite::Options::new(data) }).expect("nobody has it");
    journal.recover().expect("readable");
    let archive = journal.archive();
    let (mut frames, mut rest) = (Vec::new(), Vec::new());
    archive.frames_from(MessageId(0), 1_000).expect("readable").frames.iter().for_each(|frame| frames.extend_from_slice(&frame.body));
    archive.log_from(0, usize::MAX).expect("readable").iter().for_each(|row| rest.extend_from_slice(&row.log));
    archive.notes("").expect("readable").iter().for_each(|(name, note)| rest.extend([name.as_bytes(), note].concat()));
    archive.spent(Time(i64::MIN), &mut |row| rest.extend(row.key.to_le_bytes())).expect("readable");
    [found("frames", &frames), found("log, notes, sends", &rest)].concat()
}

struct Shop {
    client: Client,
    said: String,
}

impl Shop {
    fn call(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let headers = [headers, &[("content-type", "application/json")]].concat();
        self.client.call(method, path, &headers, body.as_bytes()).unwrap_or_else(|fault| panic!("{method} {path}: {fault}"))
    }

    /// A call after the erasure: what it says is looked through.
    fn ask(&mut self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let answer = self.call(method, path, &[], body);
        self.said += &format!("{:?} {}\n", answer.headers, answer.text());
        answer
    }

    fn is_delivered(&mut self, id: &str) {
        let path = format!("/v1/messages/{id}");
        until("it is delivered", LONG, || (self.call("GET", &path, &[], None).json()["status"] == "delivered").then_some(()));
    }
}

/// Everything that knows the person: messages of every kind, what they wrote, what is kept of them, what is told of it.
fn lived(shop: &mut Shop, smsc: &SmscHandle, data: &Path) {
    let to = format!("+{NUMBER}");
    let message = |more: Value| {
        let mut body = json!({"to": to, "from": "SHOP", "text": format!("{TEXT} 1"), "client_ref": REFERENCE, "class": "service"});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    for (n, more) in [
        json!({}),
        json!({"text": "{{a}} {{now|date('%H:%M')}}", "render": "send", "params": {"a": TEXT}}),
        json!({"text": format!("é€漢 {TEXT}"), "campaign": "spring"}),
        json!({"text": format!("later {TEXT}"), "send_after": "P30D", "cancel_key": format!("{REFERENCE}-{NUMBER}")}),
    ]
    .into_iter()
    .enumerate()
    {
        let named = format!("{NUMBER}-{n}");
        let answer = shop.call("POST", "/v1/messages", &[("idempotency-key", &named)], Some(message(more)));
        assert_eq!(answer.status, 202, "{}", answer.text());
        if n < 3 {
            shop.is_delivered(answer.json()["id"].as_str().expect("an id"));
        }
    }
    let lines = json!([{"to": to, "text": format!("{TEXT} 2"), "client_ref": REFERENCE}, {"to": "+33611111111"}]);
    let bulk = json!({"defaults": {"from": "SHOP", "text": "to somebody else"}, "recipients": lines});
    let answer = shop.call("POST", "/v1/batches", &[], Some(bulk)).json();
    answer["results"].as_array().expect("lines").iter().for_each(|line| shop.is_delivered(line["id"].as_str().expect("an id")));
    smsc.inject_mo(NUMBER, "36111", &format!("{TEXT} from me"));
    let preferences = json!({"locale": "fr-FR", "cap": {"count": 90, "period_seconds": 86400}});
    for (method, path, body) in [
        ("PUT", format!("/v1/preferences/+{NUMBER}"), Some(preferences.clone())),
        ("DELETE", format!("/v1/preferences/+{NUMBER}"), None),
        ("PUT", format!("/v1/preferences/+{NUMBER}"), Some(preferences)),
        ("POST", "/v1/suppressions".to_owned(), Some(json!({"number": to, "reason": TEXT, "scope": "class:marketing"}))),
        ("DELETE", format!("/v1/suppressions?number=%2B{NUMBER}&scope=class:marketing"), None),
        ("POST", "/v1/suppressions".to_owned(), Some(json!({"number": to, "reason": TEXT}))),
    ] {
        let answer = shop.call(method, &path, &[], body);
        assert!(answer.status < 300, "{method} {path}: {}", answer.text());
    }
    // The message from the handset is the last to come.
    let log = || in_files(data).iter().filter(|what| what.contains("the number")).count();
    until("it is all stored", LONG, || (log() >= 3).then_some(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_named_an_erased_person_is_in_no_file_and_in_nothing_that_is_said() {
    let bench = Bench::new("traces");
    let habits: Personality = serde_json::from_str("{}").expect("habits");
    let smsc =
        Smsc::listen(&World::real(), "127.0.0.1:0".parse().expect("an address"), habits, Options::default()).await.expect("it listens");
    // Nobody listens there: events are kept for another try.
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("a port").port();
    let carrier = "inbound_account = \"shop\"".to_owned();
    let settings = Settings { smsc: smsc.local_addr().port(), sink: Some(gone), carrier, more: "[log]\nlevel = \"trace\"".into() };
    let file = settings.write(bench.path());
    let caps = "name = \"shop\"\nrepeat_guard = \"1h\"\n[[accounts.caps]]\ncount = 900\nclasses = [\"service\"]\n";
    let text = std::fs::read_to_string(&file).expect("it was written").replacen("name = \"shop\"\n", caps, 1);
    std::fs::write(&file, text).expect("it is ours");
    let data = bench.path().join("data");
    tokio::task::block_in_place(|| {
        let gateway = Gateway::start(bench.path());
        let mut shop = Shop { client: Client::new(gateway.at(), &key()), said: String::new() };
        lived(&mut shop, &smsc, &data);
        let before = in_files(&data);
        for what in ["the number as a row", "the text", "the reference", "the key of sends", "the number's search key"] {
            assert!(before.iter().any(|found| found.starts_with(what)), "{what} would be found: {before:#?}");
        }
        let path = format!("/v1/numbers/+{NUMBER}");
        let asked = shop.call("DELETE", &format!("{path}?forget_opt_out=true"), &[], None);
        assert_eq!(asked.status, 202, "{}", asked.text());
        until("it is over", LONG, || (shop.call("GET", &format!("{path}/erasure"), &[], None).json()["state"] == "done").then_some(()));
        // As it runs: nothing waits for a restart to go.
        assert_eq!(in_files(&data), [""; 0], "after the erasure");
        for (method, path, body, status) in [
            ("GET", "/v1/messages".to_owned(), None, 200),
            ("GET", "/v1/batches".to_owned(), None, 200),
            ("GET", "/v1/webhooks/dead".to_owned(), None, 200),
            ("GET", "/v1/suppressions".to_owned(), None, 200),
            ("GET", "/v1/suppressions/export".to_owned(), None, 200),
            ("GET", "/v1/carriers".to_owned(), None, 200),
            ("GET", "/metrics".to_owned(), None, 200),
            ("POST", "/v1/cancel".to_owned(), Some(json!({"campaign": "spring"})), 200),
            ("GET", format!("/v1/messages?to=%2B{NUMBER}"), None, 200),
            ("GET", format!("/v1/messages?client_ref={REFERENCE}"), None, 200),
            ("GET", format!("/v1/preferences/+{NUMBER}"), None, 404),
            ("GET", format!("/v1/numbers/+{NUMBER}/erasure"), None, 200),
            ("POST", "/v1/cancel".to_owned(), Some(json!({"to": format!("+{NUMBER}")})), 200),
            ("POST", "/v1/cancel".to_owned(), Some(json!({"client_ref": REFERENCE})), 200),
        ] {
            let answer = shop.ask(method, &path, body);
            assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        }
        assert!(gateway.stop().success());
        let log = std::fs::read_to_string(bench.path().join("relais.log")).expect("a log");
        assert!(log.contains("an erasure by number is over"), "it is told that one was, and of whom not");
        let said = [found("the log", log.as_bytes()), found("answers", shop.said.as_bytes())].concat();
        assert_eq!(said, [""; 0]);
        assert_eq!([in_files(&data), in_store(&data)].concat(), [""; 0], "after the end");
        // And after another process was at the files.
        let again = Gateway::start(bench.path());
        assert_eq!(in_files(&data), [""; 0], "after a start");
        again.kill9();
        assert_eq!([in_files(&data), in_store(&data)].concat(), [""; 0], "after a kill");
    });
}
