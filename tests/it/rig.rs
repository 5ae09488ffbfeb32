//! A whole gateway over loopback: its HTTP interface, the lab's carrier behind it, and a store in memory whose commits
//! can be watched and held back. And a client that writes octets as it is told.

use relais::app::gateway::{Gateway, Opened};
use relais::base::{BatchId, MessageId, Secret, Time};
use relais::config::{self, KeyHash, MapSecrets};
use relais::engine::reader::Calls;
use relais::lab::personality::Personality;
use relais::lab::record::Recorder;
use relais::lab::{Options, RecordOptions, Smsc, SmscHandle, TokenRule};
use relais::storage::memory::{Memory, SimulatedFault};
use relais::storage::{Archive, Group, Journal, Recovered, Rewrite, Scrubbed, StoreFault};
use relais::telemetry::Metrics;
use relais::world::{BoxStream, World};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// May send and read.
pub(crate) const KEY: &str = "shop.first-secret";
/// May only read, only send.
pub(crate) const READER: &str = "look.second-secret";
pub(crate) const SENDER: &str = "post.third-secret";
/// Another account's.
pub(crate) const OTHER: &str = "else.fourth-secret";
const PEPPER: &str = "0123456789abcdef";
/// Nothing here takes so long unless it never ends.
const LONG: Duration = Duration::from_secs(60);

/// What a commit held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Commit {
    pub frames: usize,
    pub bytes: usize,
    pub batches: usize,
}

/// A journal in memory that can be held shut.
#[derive(Clone)]
pub(crate) struct Gated {
    memory: Memory,
    is_shut: Arc<(Mutex<bool>, Condvar)>,
    commits: Arc<Mutex<Vec<Commit>>>,
}

impl Gated {
    pub(crate) fn new(memory: Memory) -> Gated {
        Gated { memory, is_shut: Arc::default(), commits: Arc::default() }
    }

    /// Commits wait from now on, or go on.
    pub(crate) fn shut(&self, is_shut: bool) {
        *self.is_shut.0.lock().expect("nobody panicked") = is_shut;
        self.is_shut.1.notify_all();
    }

    pub(crate) fn commits(&self) -> Vec<Commit> {
        self.commits.lock().expect("nobody panicked").clone()
    }
}

impl Journal for Gated {
    fn recover(&mut self) -> Result<Recovered, StoreFault> {
        self.memory.recover()
    }
    fn commit(&mut self, group: &Group) -> Result<(), StoreFault> {
        let mut is_shut = self.is_shut.0.lock().expect("nobody panicked");
        while *is_shut {
            is_shut = self.is_shut.1.wait(is_shut).expect("nobody panicked");
        }
        let commit = Commit { frames: group.frames.len(), bytes: group.bytes(), batches: group.batches.len() };
        self.commits.lock().expect("nobody panicked").push(commit);
        self.memory.commit(group)
    }
    fn release_reserve(&mut self) -> bool {
        self.memory.release_reserve()
    }
    fn restore_reserve(&mut self) {
        self.memory.restore_reserve();
    }
    fn upkeep(&mut self, before: Time, told: u64) -> Result<usize, StoreFault> {
        self.memory.upkeep(before, told)
    }
    fn rewrite(&mut self, rewrite: &Rewrite) -> Result<(), StoreFault> {
        self.memory.rewrite(rewrite)
    }
    fn seclude(&mut self) -> Result<Scrubbed, StoreFault> {
        self.memory.seclude()
    }
    fn archive(&self) -> Arc<dyn Archive> {
        self.memory.archive()
    }
}

/// What is different from the usual.
#[derive(Clone, Default)]
pub(crate) struct Setup {
    /// Lines of `[http]`, of the first account, of the carrier, and whole sections.
    pub http: &'static str,
    pub account: &'static str,
    pub carrier: &'static str,
    pub sections: &'static str,
    /// The carrier's habits, as JSON.
    pub habits: &'static str,
}

/// A gateway and its carrier.
pub(crate) struct Rig {
    pub world: World,
    pub gateway: Gateway,
    pub smsc: SmscHandle,
    pub record: Arc<Recorder>,
    pub journal: Gated,
    setup: Setup,
}

impl Rig {
    pub(crate) async fn start(setup: Setup) -> Rig {
        Rig::start_in(World::real(), setup).await
    }

    pub(crate) async fn start_in(world: World, setup: Setup) -> Rig {
        let habits = if setup.habits.is_empty() { "{}" } else { setup.habits };
        let personality: Personality = serde_json::from_str(habits).expect("habits");
        let record = Arc::new(Recorder::new(RecordOptions { token: TokenRule::Hashes, ..RecordOptions::default() }));
        let options = Options { record: record.clone(), ..Options::default() };
        let smsc = Smsc::listen(&world, "127.0.0.1:0".parse().expect("an address"), personality, options).await.expect("it listens");
        let journal = Gated::new(Memory::new());
        let gateway = serve(&world, &setup, smsc.local_addr(), &journal).await;
        let rig = Rig { world, gateway, smsc, record, journal, setup };
        // What a start writes itself is out of the way of faults that a test plants.
        let archive = &rig.gateway.engine.archive;
        until("the rules are noted", async || (!archive.notes("rules.list").ok()?.is_empty()).then_some(())).await;
        rig
    }

    /// Ends the gateway as SIGTERM does and starts another on the same disk.
    pub(crate) async fn restart(self) -> Rig {
        let Rig { world, gateway, smsc, record, journal, setup } = self;
        journal.shut(false);
        gateway.stop().await;
        let journal = Gated::new(journal.memory.reopen());
        let gateway = serve(&world, &setup, smsc.local_addr(), &journal).await;
        Rig { world, gateway, smsc, record, journal, setup }
    }

    /// The next commit fails so.
    pub(crate) fn fail_next_commit(&self, fault: SimulatedFault) {
        self.journal.memory.fail_next_commit(fault);
    }

    /// Every message in the store that is live, by id.
    pub(crate) fn live(&self, account: &str) -> Vec<MessageId> {
        let heads = self.journal.memory.archive().frames_of_account(account, None, usize::MAX >> 1).expect("memory reads");
        heads.iter().flat_map(|head| (0..u64::from(head.count)).map(|n| MessageId(head.first.0 + n))).collect()
    }

    pub(crate) fn batches(&self, account: &str) -> Vec<BatchId> {
        let rows = self.journal.memory.archive().batches(account, None, usize::MAX >> 1).expect("memory reads");
        rows.iter().map(|row| row.id).collect()
    }

    pub(crate) async fn dial(&self) -> BoxStream {
        self.world.net.dial(self.gateway.http).await.expect("it listens")
    }

    /// One request on a connection of its own.
    pub(crate) async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.raw(&request(method, path, headers, body)).await
    }

    /// As the first account.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[auth(KEY)], b"").await
    }

    pub(crate) async fn post(&self, path: &str, kind: &str, body: &[u8]) -> Answer {
        self.call("POST", path, &[auth(KEY), ("content-type", kind)], body).await
    }

    /// A message, as JSON.
    pub(crate) async fn send(&self, body: &str) -> Answer {
        self.post("/v1/messages", JSON, body.as_bytes()).await
    }

    /// Octets as they are; the answer is read to the end of the connection.
    pub(crate) async fn raw(&self, octets: &[u8]) -> Answer {
        let mut stream = self.dial().await;
        // A server that has answered early may not take everything.
        let _ = stream.write_all(octets).await;
        answer(&mut stream).await
    }
}

pub(crate) const JSON: &str = "application/json";

/// `Authorization` of a key.
pub(crate) fn auth(key: &str) -> (&'static str, &'static str) {
    // Four keys in all: they may live as long as the tests.
    ("authorization", Box::leak(format!("Bearer {key}").into_boxed_str()))
}

/// The octets of a request that closes its connection.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() || method == "POST" {
        head += &format!("content-length: {}\r\n", body.len());
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// Reads an answer to the end of the connection.
pub(crate) async fn answer(stream: &mut BoxStream) -> Answer {
    let mut octets = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut octets)).await.expect("an answer in time");
    let answer = Answer::parse(&octets);
    assert!(read.is_ok() || answer.is_some(), "{read:?}");
    answer.unwrap_or_else(|| panic!("no answer in {:?}", String::from_utf8_lossy(&octets)))
}

/// An answer.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    fn parse(octets: &[u8]) -> Option<Answer> {
        let end = octets.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&octets[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> =
            lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let mut body = octets[end + 4..].to_vec();
        if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
            body = relais::lab::sim::wire::unchunk(&body)?;
        }
        Some(Answer { status, headers, body })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| &**value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The code of a problem.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        self.json()["code"].as_str().expect("a code").to_owned()
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(2_000)]);
        write!(f, "{} {:?} {body}", self.status, self.headers)
    }
}

/// Asks until the answer is as wanted.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, asking).await.unwrap_or_else(|_| panic!("never came: {what}"))
}

/// What the configuration holds of a key.
pub(crate) fn hash(key: &str) -> String {
    KeyHash::of(&Secret::new(PEPPER), key.split_once('.').expect("a key").1.as_bytes()).to_hex()
}

async fn serve(world: &World, setup: &Setup, smsc: SocketAddr, journal: &Gated) -> Gateway {
    let key = |key: &str, scopes: &str| {
        format!("[[accounts.keys]]\nid = \"{}\"\nhash = \"{}\"\nscopes = [{scopes}]\n", key.split_once('.').expect("a key").0, hash(key))
    };
    let text = format!(
        "[secrets]\npepper = \"{PEPPER}\"\n[http]\nlisten = \"127.0.0.1:0\"\n{}\n[[accounts]]\nname = \"shop\"\n{}\n{}{}{}\
         [[accounts]]\nname = \"other\"\n{}\
         [[carriers]]\nname = \"one\"\nhost = \"{}\"\nport = {}\nsystem_id = \"relais\"\npassword = \"secret\"\nwindow = 100\n\
         reconnect_min = \"100ms\"\nreconnect_max = \"1s\"\n{}\n\
         [[routes]]\nprefix = \"33\"\ncarrier = \"one\"\n{}\n",
        setup.http,
        setup.account,
        key(KEY, "\"send\", \"read\""),
        key(READER, "\"read\""),
        key(SENDER, "\"send\""),
        key(OTHER, "\"send\", \"read\""),
        smsc.ip(),
        smsc.port(),
        setup.carrier,
        setup.sections,
    );
    let config = config::load(&text, &MapSecrets::default()).unwrap_or_else(|mistakes| panic!("{}", config::report("test", &mistakes)));
    let opened = Opened { journal: Box::new(journal.clone()), checkpoint: None };
    Gateway::on(world.clone(), config, opened, Metrics::new(), Calls::Threads).await.expect("it starts")
}

/// A connection that ended without an answer.
pub(crate) struct NoAnswer;

impl Rig {
    /// Waits for the end of a connection on which no answer may come.
    pub(crate) async fn ended(&self, stream: &mut BoxStream) -> NoAnswer {
        let mut octets = Vec::new();
        let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut octets)).await.expect("an end in time");
        assert!(Answer::parse(&octets).is_none(), "{:?}", String::from_utf8_lossy(&octets));
        NoAnswer
    }
}
