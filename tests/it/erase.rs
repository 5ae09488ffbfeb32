//! Erasing by number over HTTP, on the embedded store: nothing of the number is left in the answers and the files.

use crate::rig::{KEY, OTHER, READER, SENDER, answer, auth, hash, request, until};
use relais::app::gateway::{Ended, Gateway};
use relais::base::MessageId;
use relais::config::{self, MapSecrets};
use relais::engine::reader::Calls;
use relais::lab::personality::Personality;
use relais::lab::{Options, Smsc, SmscHandle};
use relais::telemetry::Metrics;
use relais::world::World;
use serde_json::{Value, json};
use std::path::Path;
use tokio::io::AsyncWriteExt as _;

const ADMIN: &str = "boss.fifth-secret";
const JSON: (&str, &str) = ("content-type", "application/json");
const NEEDLES: [&str; 4] = ["33612345678", "zebra canary", "order-canary", "mule canary"];

struct Bench {
    home: tempfile::TempDir,
    world: World,
    smsc: SmscHandle,
    gateway: Gateway,
}

async fn serve(world: &World, smsc: &SmscHandle, home: &Path) -> Gateway {
    let key = |key: &str, scopes: &str| {
        format!("[[accounts.keys]]\nid = \"{}\"\nhash = \"{}\"\nscopes = [{scopes}]\n", key.split_once('.').expect("a key").0, hash(key))
    };
    let at = smsc.local_addr();
    let text = format!(
        "data_dir = {home:?}\n[secrets]\npepper = \"0123456789abcdef\"\n[http]\nlisten = \"127.0.0.1:0\"\n[journal]\nreserve_bytes = \"0B\"\n\
         [[accounts]]\nname = \"shop\"\n{}{}{}[[accounts]]\nname = \"other\"\n{}[[accounts]]\nname = \"boss\"\n{}\
         [[carriers]]\nname = \"one\"\nhost = \"{}\"\nport = {}\nsystem_id = \"relais\"\npassword = \"secret\"\ninbound_account = \"shop\"\n\
         reconnect_min = \"100ms\"\nreconnect_max = \"1s\"\n[[routes]]\nprefix = \"33\"\ncarrier = \"one\"\n\
         [[carriers]]\nname = \"down\"\nhost = \"127.0.0.1\"\nport = 1\nsystem_id = \"relais\"\npassword = \"secret\"\n\
         [[routes]]\nprefix = \"44\"\ncarrier = \"down\"\n",
        key(KEY, "\"send\", \"read\""),
        key(READER, "\"read\""),
        key(SENDER, "\"send\""),
        key(OTHER, "\"send\", \"read\""),
        key(ADMIN, "\"admin\""),
        at.ip(),
        at.port(),
    );
    let config = config::load(&text, &MapSecrets::default()).unwrap_or_else(|mistakes| panic!("{}", config::report("test", &mistakes)));
    Gateway::start(world.clone(), config, Metrics::new(), Calls::Threads).await.expect("it starts")
}

impl Bench {
    async fn start() -> Bench {
        let (home, world) = (tempfile::tempdir().expect("a directory"), World::real());
        let habits: Personality = serde_json::from_str("{}").expect("habits");
        let smsc = Smsc::listen(&world, "127.0.0.1:0".parse().expect("an address"), habits, Options::default()).await.expect("it listens");
        let gateway = serve(&world, &smsc, home.path()).await;
        Bench { home, world, smsc, gateway }
    }

    async fn restart(self) -> Bench {
        let Bench { home, world, smsc, gateway } = self;
        assert_eq!(gateway.stop().await, Ended::Clean);
        let gateway = serve(&world, &smsc, home.path()).await;
        Bench { home, world, smsc, gateway }
    }

    async fn call(&self, key: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = self.world.net.dial(self.gateway.http).await.expect("it listens");
        stream.write_all(&request(method, path, &[auth(key), JSON], body.as_bytes())).await.expect("written");
        let answer = answer(&mut stream).await;
        (answer.status, answer.json())
    }

    async fn send(&self, key: &str, body: Value) -> String {
        let (status, answer) = self.call(key, "POST", "/v1/messages", &body.to_string()).await;
        assert_eq!(status, 202, "{answer:#}");
        answer["id"].as_str().expect("an id").to_owned()
    }

    async fn status(&self, key: &str, id: &str) -> Option<String> {
        let (_, answer) = self.call(key, "GET", &format!("/v1/messages/{id}"), "").await;
        answer["status"].as_str().map(str::to_owned).filter(|_| answer["id"] == id)
    }

    async fn until_done(&self, key: &str) -> Value {
        let path = "/v1/numbers/+33612345678/erasure";
        until("the erasure is over", async || Some(self.call(key, "GET", path, "").await.1).filter(|view| view["state"] == "done")).await
    }

    /// How often a needle is found in what is stored, unpacked.
    fn stored(&self) -> usize {
        let archive = &self.gateway.engine.archive;
        let mut octets = Vec::new();
        archive.frames_from(MessageId(0), 1_000).expect("readable").frames.iter().for_each(|frame| octets.extend_from_slice(&frame.body));
        archive.log_from(0, usize::MAX).expect("readable").iter().for_each(|row| octets.extend_from_slice(&row.log));
        archive.notes("").expect("readable").iter().for_each(|(_, value)| octets.extend_from_slice(value));
        count(&octets)
    }

    /// And in the files as they are.
    fn raw(&self) -> usize {
        let files = std::fs::read_dir(self.home.path()).expect("readable");
        files.map(|entry| std::fs::read(entry.expect("an entry").path()).map_or(0, |octets| count(&octets))).sum()
    }
}

fn count(octets: &[u8]) -> usize {
    // The number as a record has it, and as a row of people.
    let number = 33_612_345_678u64;
    let varint = [0xce, 0xe2, 0xce, 0x9b, 0x7d];
    assert_eq!(varint.iter().rev().fold(0u64, |sum, octet| sum << 7 | u64::from(octet & 0x7f)), number);
    let also: [&[u8]; 2] = [&varint, &number.to_be_bytes()[2..]];
    NEEDLES
        .iter()
        .map(|needle| needle.as_bytes())
        .chain(also)
        .map(|needle| octets.windows(needle.len()).filter(|at| *at == needle).count())
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_an_erased_number_is_left_and_everything_else_is() {
    let bench = Bench::start().await;
    let sent = bench.send(KEY, json!({"to": "+33612345678", "from": "SHOP", "text": "zebra canary", "client_ref": "order-canary"})).await;
    let theirs = bench.send(OTHER, json!({"to": "+33612345678", "from": "ELSE", "text": "mule canary"})).await;
    let beside = bench.send(KEY, json!({"to": "+33612345679", "from": "SHOP", "text": "stays"})).await;
    for (key, id) in [(KEY, &sent), (OTHER, &theirs), (KEY, &beside)] {
        until("delivered", async || bench.status(key, id).await.filter(|status| status == "delivered")).await;
    }
    bench.smsc.inject_mo("33612345678", "36111", "zebra canary");
    let opt_out = r#"{"number":"+33612345678","reason":"zebra canary"}"#;
    assert_eq!(bench.call(KEY, "POST", "/v1/suppressions", opt_out).await.0, 200);
    assert_eq!(bench.call(KEY, "PUT", "/v1/preferences/+33612345678", r#"{"locale":"fr-FR"}"#).await.0, 200);
    // The two sent messages and, when it is in, the inbound one.
    until("the inbound message is stored", async || (bench.stored() >= 7).then_some(())).await;
    assert!(bench.raw() > 0);

    // Who may not, may not.
    assert_eq!(bench.call(READER, "DELETE", "/v1/numbers/+33612345678", "").await.0, 403);
    assert_eq!(bench.call(KEY, "GET", "/v1/numbers/+33612345678/erasure", "").await.0, 404);
    // An account's own.
    let (status, view) = bench.call(SENDER, "DELETE", "/v1/numbers/+33612345678", "").await;
    assert_eq!((status, &view["state"], &view["accounts"]), (202, &json!("pending"), &json!("own")));
    assert_eq!(bench.status(KEY, &sent).await, None, "at once");
    let view = bench.until_done(READER).await;
    assert_eq!(view["unreadable"], 0);
    assert_eq!(bench.status(KEY, &sent).await, None);
    let (_, page) = bench.call(KEY, "GET", "/v1/messages?to=%2B33612345678", "").await;
    assert_eq!(page["messages"], json!([]));
    assert_eq!(bench.status(KEY, &beside).await.as_deref(), Some("delivered"));
    assert_eq!(bench.status(OTHER, &theirs).await.as_deref(), Some("delivered"), "another account's");
    assert_eq!(bench.call(KEY, "GET", "/v1/preferences/+33612345678", "").await.0, 404);
    let (_, kept) = bench.call(KEY, "GET", "/v1/suppressions?number=%2B33612345678", "").await;
    assert_eq!(kept["suppressions"].as_array().map(Vec::len), Some(1), "an opt-out stays unless it is said");
    assert!(bench.stored() > 0);

    // Everybody's, also the opt-out; the process ends meanwhile and the next goes on.
    let (status, view) = bench.call(ADMIN, "DELETE", "/v1/numbers/+33612345678?forget_opt_out=true", "").await;
    assert_eq!((status, &view["accounts"]), (202, &json!("all")));
    let bench = bench.restart().await;
    bench.until_done(ADMIN).await;
    assert_eq!(bench.status(OTHER, &theirs).await, None);
    assert_eq!((bench.stored(), bench.raw()), (0, 0));
    let (_, gone) = bench.call(KEY, "GET", "/v1/suppressions?number=%2B33612345678", "").await;
    assert_eq!(gone["suppressions"], json!([]));
    let bench = bench.restart().await;
    assert_eq!((bench.stored(), bench.raw()), (0, 0));
    assert_eq!(bench.status(KEY, &beside).await.as_deref(), Some("delivered"));
    // What comes afterwards is new.
    let again = bench.send(KEY, json!({"to": "+33612345678", "from": "SHOP", "text": "hello again"})).await;
    until("delivered", async || bench.status(KEY, &again).await.filter(|status| status == "delivered")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_an_erased_number_ends_and_is_never_sent() {
    let bench = Bench::start().await;
    let waiting = async || {
        let views = bench.gateway.engine.carriers().await;
        views.iter().find(|view| view.carrier == "down").map_or(0, |view| view.waiting)
    };
    let line = |to: &str| json!({"to": to, "from": "SHOP", "text": "waits"}).to_string() + "\n";
    let lines: String = ["+447700900123", "+447700900124", "+447700900123"].map(line).concat();
    let mut stream = bench.world.net.dial(bench.gateway.http).await.expect("it listens");
    let headers = [auth(KEY), ("content-type", "application/x-ndjson")];
    stream.write_all(&request("POST", "/v1/batches", &headers, lines.as_bytes())).await.expect("written");
    let batch = answer(&mut stream).await.json()["batch"].as_str().expect("a bulk").to_owned();
    until("all wait", async || (waiting().await == 3).then_some(())).await;
    assert_eq!(bench.call(KEY, "DELETE", "/v1/numbers/+447700900123", "").await.0, 202);
    until("two have ended", async || (waiting().await == 1).then_some(())).await;
    let counts = until("they are counted", async || {
        let (_, view) = bench.call(KEY, "GET", &format!("/v1/batches/{batch}"), "").await;
        (view["counts"]["refused"] == 2).then(|| view["counts"].clone())
    });
    assert_eq!(counts.await["accepted"], 1, "the bulk's counters add up");
    until("over", async || {
        Some(bench.call(KEY, "GET", "/v1/numbers/+447700900123/erasure", "").await.1).filter(|view| view["state"] == "done")
    })
    .await;
    let bench = bench.restart().await;
    let (_, view) = bench.call(KEY, "GET", &format!("/v1/batches/{batch}"), "").await;
    assert_eq!((&view["counts"]["refused"], &view["counts"]["accepted"]), (&json!(2), &json!(1)));
}
