//! The loss table of the trade: the same customers, the same SMSC and the same kills for Relais, for Debian's Kannel with
//! its spool store and, where it installs, for Jasmin: how many messages that were answered for never reached the carrier, and
//! how many reached it twice, per hundred kill -9 and after an outage of the carrier.
//!
//! What a gateway answers for is what it says 2xx to. Kannel and Jasmin have no idempotency key, so none is used with Relais
//! either, and a request without an answer is not repeated: nothing is laid to a gateway's charge that the client did. Each
//! message goes on a connection of its own. Receipts are asked for, and taken at once by a listener that never fails.

use crate::common::Bench;
use crate::common::peers::{Peer, Submit};
use crate::gateways::{Jasmin, Kannel, Relais};
use relais::lab::Chance;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Customers of each gateway.
const CUSTOMERS: usize = 4;
/// The carrier's counters come so often.
const EVERY_MS: u64 = 50;
/// How long a customer waits for its answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a gateway may take from its start until the carrier has a message of it again.
const START: Duration = Duration::from_secs(120);
/// How long the carrier is away.
const AWAY: Duration = Duration::from_secs(20);

/// What is asked of the table.
pub(crate) struct Wish {
    /// kill -9 of each gateway, at most.
    pub(crate) kills: usize,
    /// The kills of a gateway take at most so long.
    pub(crate) within: Duration,
    /// The gateways, all when empty.
    pub(crate) only: Vec<String>,
}

/// The table, a line a gateway and a fault.
pub(crate) fn table(seed: u64, wish: &Wish) -> Vec<Value> {
    let mut lines = Vec::new();
    both::<Relais>(seed, wish, &mut lines);
    both::<Kannel>(seed, wish, &mut lines);
    both::<Jasmin>(seed, wish, &mut lines);
    let names = ["answered", "kills", "lost", "told_lost", "doubled", "labelled", "silent"];
    println!("| gateway | fault | {} |", names.join(" | "));
    println!("| --- | --- |{}", " ---: |".repeat(names.len()));
    for one in &lines {
        let figures = &one["figures"];
        let cells = names.map(|name| figures[name].as_u64().map_or("-".to_owned(), |number| number.to_string()));
        let why = figures.as_str().map_or(String::new(), |why| format!(" {why} |"));
        let word = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        println!("| {} | {} | {} |{why}", word("gateway"), word("fault"), cells.join(" | "));
    }
    lines
}

fn both<G: Gateway>(seed: u64, wish: &Wish, lines: &mut Vec<Value>) {
    if !wish.only.is_empty() && !wish.only.iter().any(|name| G::NAME.to_lowercase().starts_with(&name.to_lowercase())) {
        return;
    }
    for (name, fault) in [("kill -9", Fault::Kill(wish.kills, wish.within)), ("carrier away for 20 s", Fault::Outage)] {
        let line = match run::<G>(seed, fault) {
            Ok(figures) => json!({ "gateway": G::NAME, "fault": name, "verdict": "measured", "figures": figures }),
            Err(why) => json!({ "gateway": G::NAME, "fault": name, "verdict": "skipped", "figures": why }),
        };
        // The whole takes long: each line is told as it comes.
        println!("{line}");
        lines.push(line);
    }
}

#[derive(Clone, Copy)]
enum Fault {
    /// So many, and for how long at most.
    Kill(usize, Duration),
    Outage,
}

/// A gateway as its operator and its customers know it.
pub(crate) trait Gateway: Sized {
    /// As the table calls it.
    const NAME: &'static str;
    /// The longest it lets a message rest by its own settings, and some: when nothing has moved at the carrier for so long,
    /// what is missing does not come.
    const QUIET: Duration;
    /// How long each customer rests between two messages: what they send together is less than the gateway passes on, for a
    /// queue that only grows says nothing.
    const REST: Duration = Duration::from_millis(10);
    /// Installs it and writes its configuration.
    fn prepare(dir: &Path, smsc: u16, receipts: u16) -> Result<Self, String>;
    /// Starts all of it that does not run.
    fn start(&mut self) -> Result<(), String>;
    /// kill -9 of all of it, and first of the process that holds the messages.
    fn kill9(&mut self);
    /// Where messages are sent to.
    fn at(&self) -> SocketAddr;
    /// The request of a message, to be used by many threads; it ends the connection.
    fn request(number: usize, receipts: u16) -> String;
    /// What the gateway itself says of a message in the end, where it can be asked.
    fn message(&mut self, _number: usize) -> Value {
        Value::Null
    }
    /// Ends it.
    fn end(&mut self);
}

/// Customers who send single messages and note which were answered for.
struct Customers {
    is_over: Arc<AtomicBool>,
    at: Arc<Mutex<Option<SocketAddr>>>,
    answered: Arc<Mutex<Vec<usize>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Customers {
    fn start<G: Gateway>(receipts: u16) -> Customers {
        let (is_over, next) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (at, answered) = (Arc::<Mutex<Option<SocketAddr>>>::default(), Arc::<Mutex<Vec<usize>>>::default());
        let threads = (0..CUSTOMERS).map(|_| {
            let (is_over, at, next, answered) = (is_over.clone(), at.clone(), next.clone(), answered.clone());
            std::thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    std::thread::sleep(G::REST);
                    let Some(at) = *at.lock().expect("no panic") else { continue };
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if ask(at, &G::request(number, receipts)).is_some_and(|status| (200..300).contains(&status)) {
                        answered.lock().expect("no panic").push(number);
                    }
                }
            })
        });
        Customers { threads: threads.collect(), is_over, at, answered }
    }

    fn gateway_at(&self, at: Option<SocketAddr>) {
        *self.at.lock().expect("no panic") = at;
    }

    fn stop(self) -> Vec<usize> {
        self.is_over.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().expect("customers do not panic"));
        std::mem::take(&mut *self.answered.lock().expect("no panic"))
    }
}

/// One request on its own connection, never repeated; the status, if there was an answer.
fn ask(at: SocketAddr, request: &str) -> Option<u16> {
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // What came before a fault counts: an answer that was given was given.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).lines().next()?.split(' ').nth(1)?.parse().ok()
}

/// Takes every call about a receipt, and says so as each of the gateways wants to hear it.
fn take_receipts() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(PATIENCE));
                let (mut seen, mut buffer) = (Vec::new(), [0; 16_384]);
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    seen.extend_from_slice(&buffer[..count]);
                    let Some(head) = seen.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
                    let text = String::from_utf8_lossy(&seen[..head]).to_lowercase();
                    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
                    if seen.len() >= head + 4 + length.unwrap_or(0) {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\nACK/Jasmin");
                        return;
                    }
                }
            });
        }
    });
    port
}

/// Waits until the carrier has more messages than before.
fn moves(smsc: &Peer, before: u64) -> Result<(), String> {
    let began = Instant::now();
    while submits(smsc) <= before {
        if began.elapsed() > START {
            return Err(format!("nothing reached the carrier for {} s after a start", START.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn submits(smsc: &Peer) -> u64 {
    smsc.counts()["smsc"]["submits"].as_u64().unwrap_or(0)
}

fn run<G: Gateway>(seed: u64, fault: Fault) -> Result<Value, String> {
    let (bench, mut chance) = (Bench::new("loss"), Chance::new(seed));
    let habits = ["response_ms=[5,60]", "receipt_ms=[20,300]", "check=fast"];
    let (mut smsc, receipts) = (Peer::smsc_telling(bench.path(), 0, "submits-1.ndjson", &habits, EVERY_MS), take_receipts());
    let (port, mut earlier) = (smsc.port(), Vec::<Submit>::new());
    let mut gateway = G::prepare(bench.path(), port, receipts)?;
    gateway.start()?;
    let customers = Customers::start::<G>(receipts);
    customers.gateway_at(Some(gateway.at()));
    moves(&smsc, 0)?;
    let (mut kills, began) = (0, Instant::now());
    match fault {
        Fault::Kill(most, within) => {
            while kills < most && began.elapsed() < within {
                std::thread::sleep(Duration::from_millis(chance.between(300, 1_500)));
                gateway.kill9();
                customers.gateway_at(None);
                kills += 1;
                // What the carrier is still at is in its counters by then.
                std::thread::sleep(Duration::from_millis(3 * EVERY_MS));
                let before = submits(&smsc);
                gateway.start().map_err(|why| format!("after {kills} kills: {why}"))?;
                customers.gateway_at(Some(gateway.at()));
                moves(&smsc, before).map_err(|why| format!("after {kills} kills: {why}"))?;
            }
        }
        Fault::Outage => {
            std::thread::sleep(Duration::from_secs(3));
            earlier.extend(smsc.stop::<Submit>());
            std::thread::sleep(AWAY);
            // The ids it gave are not given again.
            let habits = [habits[0], habits[1], habits[2], "id_base=1000000000"];
            smsc = Peer::smsc_telling(bench.path(), port, "submits-2.ndjson", &habits, EVERY_MS);
            moves(&smsc, 0)?;
            std::thread::sleep(Duration::from_secs(3));
        }
    }
    let (took, answered) = (began.elapsed(), customers.stop());
    let (mut last, mut moved) = (0, Instant::now());
    while moved.elapsed() < G::QUIET {
        let now = submits(&smsc);
        if now != last {
            (last, moved) = (now, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    earlier.extend(smsc.stop::<Submit>());
    let mut figures = judged(&mut gateway, &answered, &earlier);
    gateway.end();
    figures["took_s"] = json!(took.as_secs());
    if matches!(fault, Fault::Kill(..)) {
        figures["kills"] = json!(kills);
    }
    Ok(figures)
}

/// What was answered for beside what the carrier took.
fn judged(gateway: &mut impl Gateway, answered: &[usize], submits: &[Submit]) -> Value {
    let mut seen: HashMap<usize, usize> = HashMap::new();
    for submit in submits.iter().filter(|submit| submit.status == 0) {
        let number = submit.token.as_ref().and_then(|token| token.parse().ok()).expect("customers send nothing else");
        *seen.entry(number).or_default() += 1;
    }
    let lost: Vec<usize> = answered.iter().copied().filter(|number| !seen.contains_key(number)).collect();
    let told_lost = lost.iter().filter(|number| gateway.message(**number)["status"] == "unknown").count();
    // Also those that were not answered for: their customers have asked once.
    let twice: Vec<usize> = seen.iter().filter(|(_, copies)| **copies > 1).map(|(number, _)| *number).collect();
    let labelled = twice.iter().filter(|number| gateway.message(**number)["possible_duplicate"] == true).count();
    let copies: usize = twice.iter().map(|number| seen[number] - 1).sum();
    json!({
        "answered": answered.len(), "reached": seen.len(), "lost": lost.len(), "told_lost": told_lost,
        "doubled": twice.len(), "copies_too_many": copies, "labelled": labelled, "silent": twice.len() - labelled,
    })
}
