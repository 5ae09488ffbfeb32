//! Thousands of connections that say next to nothing (INV-34): they are held by the bound of connections, each costs little
//! memory, and whoever asks something is served as if they were not there.

use crate::common::Bench;
use crate::common::gateway::{Gateway, Settings, key};
use crate::common::http::Client;
use crate::common::peers::Peer;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

const LONG: Duration = Duration::from_secs(60);
const ATTACKERS: usize = 5_000;
/// A tenth of those that attack.
const PLACES: f64 = 500.0;
/// A fresh connection may be sent away before it could say anything, when the machine is busy elsewhere; never so often.
const TRIES: usize = 50;

/// Sockets for the attackers, as far as the system lets us have them.
fn attackers() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let allowed = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    let count = ATTACKERS.min(allowed.saturating_sub(1_000));
    assert!(count > 1_000, "the tests may open {allowed} files: too few to attack with");
    count
}

/// A client like any other, from an address of its own: the ports of one are not enough.
async fn dial(at: SocketAddr, n: usize) -> std::io::Result<tokio::net::TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1 + (n % 16) as u8)), 0))?;
    socket.connect(at).await
}

/// Begins a request, goes on with an octet a second, and comes again when it is sent away.
async fn drip(at: SocketAddr, n: usize, head: Arc<str>, open: Arc<AtomicUsize>) {
    loop {
        if let Ok(mut stream) = dial(at, n).await
            && stream.write_all(head.as_bytes()).await.is_ok()
        {
            open.fetch_add(1, Ordering::Relaxed);
            let (mut reading, mut writing) = stream.split();
            let mut said = [0; 64];
            tokio::select! {
                _ = reading.read(&mut said) => {}
                () = async {
                    while writing.write_all(b"x").await.is_ok() {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                } => {}
            }
            open.fetch_sub(1, Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// All of them, on threads of their own; gone with the runtime.
fn attack(at: SocketAddr, head: &str) -> (tokio::runtime::Runtime, Arc<AtomicUsize>, usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    let (open, head, count) = (Arc::<AtomicUsize>::default(), Arc::<str>::from(head), attackers());
    for n in 0..count {
        runtime.spawn(drip(at, n, head.clone(), open.clone()));
    }
    (runtime, open, count)
}

fn message(n: usize) -> serde_json::Value {
    let to = serde_json::json!([{"to": format!("+33612{n:06}"), "client_ref": format!("{n}")}]);
    serde_json::json!({"defaults": {"from": "SHOP", "text": "x", "class": "service"}, "recipients": to})
}

#[test]
fn whoever_asks_is_served_while_thousands_keep_a_tenth_of_them_in_places_waiting() {
    let bench = Bench::new("slow");
    let smsc = Peer::smsc(bench.path(), &[]);
    let settings = Settings { smsc: smsc.port(), ..Settings::default() };
    let file = settings.write(bench.path());
    let text = std::fs::read_to_string(&file).expect("it was written");
    // None of them is over its time within the test: what makes room is their number.
    let http = format!("[http]\nconnections_max = {PLACES}\nheader_timeout = \"1m\"\n");
    std::fs::write(&file, text.replacen("[http]\n", &http, 1)).expect("it is ours");
    let gateway = Gateway::start(bench.path());
    let mut kept = gateway.api();
    let (runtime, ..) = attack(gateway.at(), "GET /livez HTTP/1.1\r\nHost: t\r\nx: ");
    crate::common::until("the flood is there", LONG, || {
        (kept.metric("relais_http_sent_away_total", &[]) >= PLACES && kept.metric("relais_http_connections", &[]) >= PLACES).then_some(())
    });
    let (mut batches, mut tries) = (Vec::new(), 0);
    for n in 0..50 {
        // On a connection that is known: at the first try, always.
        batches.push(kept.take(&message(n)).0);
        let open = kept.metric("relais_http_connections", &[]);
        assert!(open <= PLACES, "{open} connections");
        // And on one that nobody knows yet.
        let fresh = (1..=TRIES)
            .find(|_| Client::new(gateway.at(), &key()).call("GET", "/v1/batches", &[], b"").is_ok_and(|answer| answer.status == 200));
        tries += fresh.unwrap_or_else(|| panic!("not served in {TRIES} tries"));
    }
    for batch in batches {
        assert_eq!(kept.final_batch(&batch, LONG)["counts"]["delivered"], 1);
    }
    assert!(tries < 50 * 5, "{tries} tries for 50 fresh connections");
    assert_eq!(kept.metric("relais_panics_total", &[]), 0.0);
    drop(runtime);
    assert!(gateway.stop().success());
}

/// Octets of memory in use.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is listed");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

#[test]
fn a_connection_costs_at_most_64_kib_before_it_is_known() {
    let bench = Bench::new("memory");
    for (what, head) in [
        ("an empty one", String::new()),
        ("a head of nearly 16 KiB", format!("GET /livez HTTP/1.1\r\nHost: t\r\nx: {}", "y".repeat(15_000))),
    ] {
        let settings = Settings { smsc: 1, ..Settings::default() };
        let file = settings.write(bench.path());
        let text = std::fs::read_to_string(&file).expect("it was written");
        std::fs::write(&file, text.replacen("[http]\n", "[http]\nconnections_max = 8192\nheader_timeout = \"1m\"\n", 1))
            .expect("it is ours");
        let gateway = Gateway::start(bench.path());
        let mut api = gateway.api();
        let before = resident(gateway.pid());
        let (runtime, _, count) = attack(gateway.at(), &head);
        crate::common::until("they are all there", LONG, || {
            (api.metric("relais_http_connections", &[]) >= count as f64 + 1.0).then_some(())
        });
        // Heads are read when there is time: until memory grows no more.
        let mut last = 0;
        crate::common::until("all heads are read", LONG, || {
            std::thread::sleep(Duration::from_millis(500));
            let now = resident(gateway.pid());
            (now <= std::mem::replace(&mut last, now)).then_some(())
        });
        let each = (last.saturating_sub(before)) / count as u64;
        assert!(each <= 64 << 10, "{what} costs {each} octets");
        assert!(head.is_empty() || each >= 4_096, "{what} costs {each} octets: nothing was held");
        eprintln!("{what}: {each} octets each of {count}");
        drop(runtime);
        assert!(gateway.stop().success());
    }
}
