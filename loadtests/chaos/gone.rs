//! F19: the far sides vanish without FIN or RST. What the carrier had open is found dead by enquire_link and response
//! timers; what the webhook had open, by its own; half requests of customers end by their timeouts and count for nothing.

use crate::common::api::{Api, ids};
use crate::common::gateway::key;
use crate::common::until;
use crate::load::{Acknowledged, BULK, bulk};
use crate::rig::{LINKS, Rig, WINDOW, Wanted};
use crate::{Given, Outcome};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Numbers of customers who vanish; the load's begin at 0.
const GHOSTS: usize = 50_000_000;

/// A proxy behind which connections can vanish: octets of both directions are swallowed from then on, and nobody is told.
struct Veil {
    port: u16,
    era: Arc<AtomicU64>,
}

impl Veil {
    fn new(to: u16) -> Veil {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let era = Arc::<AtomicU64>::default();
        let now = era.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let born = now.load(Ordering::Relaxed);
                let (near_read, far_read) = (near.try_clone().expect("ours"), far.try_clone().expect("ours"));
                for (from, to) in [(near_read, far), (far_read, near)] {
                    let now = now.clone();
                    std::thread::spawn(move || pass(from, to, born, &now));
                }
            }
        });
        Veil { port, era }
    }

    /// What is open is gone; what comes anew is well.
    fn vanish(&self) {
        self.era.fetch_add(1, Ordering::Relaxed);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, born: u64, now: &AtomicU64) {
    let mut buffer = [0; 4_096];
    while let Ok(count) = from.read(&mut buffer) {
        let is_gone = now.load(Ordering::Relaxed) != born;
        if is_gone && count > 0 {
            continue;
        }
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // Whoever vanished says nothing; whoever ends a connection has found out.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// The carrier, the webhook and customers vanish, again and again.
pub(crate) fn half_open(given: Given) -> Outcome {
    let mut rig = Rig::new("chaos-half-open", given.seed, &Wanted::default());
    let (carrier, sink) = (Veil::new(rig.smsc_port()), Veil::new(rig.sink_port()));
    rig.configure(&Wanted {
        carrier: "response_timeout = \"2s\"\nenquire_link = \"1s\"\nbind_timeout = \"2s\"\n".into(),
        webhook: "timeout = \"1s\"\n".into(),
        http: "body_idle_timeout = \"1s\"\nheader_timeout = \"1s\"\nkeep_alive = \"2s\"\n".into(),
        by_port: Some(carrier.port),
        sink_by_port: Some(sink.port),
        ..Wanted::default()
    });
    rig.customers(6, Duration::from_millis(60));
    rig.up();
    let bound = |rig: &Rig| rig.gateway().api().metric("relais_links_bound", &[]);
    let (mut rounds, mut found_ms, mut ghosts) = (0_usize, Vec::new(), 0_usize);
    let open_before = open(&rig);
    while rounds < 2 || (given.goes_on() && rounds < 40) {
        rig.rest(300, 1_200);
        until("all links are bound", Duration::from_secs(30), || (bound(&rig) == LINKS as f64).then_some(()));
        let reconnects = rig.gateway().api().metric("relais_reconnects_total", &[]);
        carrier.vanish();
        let began = Instant::now();
        if rounds.is_multiple_of(2) {
            sink.vanish();
        }
        let held = vanishing_customers(rig.gateway().at(), ghosts);
        until("the dead links are found and bound anew", Duration::from_secs(30), || {
            let now = rig.gateway().api().metric("relais_reconnects_total", &[]);
            (now >= reconnects + LINKS as f64 && bound(&rig) == LINKS as f64).then_some(())
        });
        found_ms.push(began.elapsed().as_millis() as u64);
        rig.others.extend(whole_ones(rig.gateway().at(), ghosts));
        ghosts += 3;
        // The gateway gives up on half requests although their senders hold on to them.
        until("half requests are ended", Duration::from_secs(30), || held.iter().all(is_ended).then_some(()));
        rounds += 1;
    }
    let open_after = open(&rig);
    assert!(open_after <= open_before + 40, "descriptors leak: {open_before} before, {open_after} after {rounds} rounds");
    let settled = rig.settle();
    let most = rounds * WINDOW * LINKS;
    assert!(settled.sum.doubled <= most, "INV-10: {} for {rounds} losses of {LINKS} links", settled.sum.doubled);
    let longest = found_ms.iter().max().copied().unwrap_or(0);
    Outcome::Held(settled.figures(json!({ "rounds": rounds, "rebound_after_ms_at_most": longest, "half_requests": rounds * 3 })))
}

fn open(rig: &Rig) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", rig.gateway().pid())).map_or(0, Iterator::count)
}

fn request(ghost: usize) -> (String, serde_json::Value) {
    let first = GHOSTS + ghost * BULK;
    (format!("ghost-{ghost}"), bulk(first..first + BULK))
}

/// Half a head, half a body, and a body whose answer nobody reads; the connections stay open on our side. Those that are to
/// be ended by the gateway.
fn vanishing_customers(at: SocketAddr, ghost: usize) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for (index, share) in [0.05, 0.6, 1.0].into_iter().enumerate() {
        let (name, body) = request(ghost + index);
        let body = serde_json::to_vec(&body).expect("plain values");
        let mut octets = format!(
            "POST /v1/batches HTTP/1.1\r\nhost: {at}\r\nauthorization: Bearer {}\r\nidempotency-key: {name}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            key(),
            body.len()
        )
        .into_bytes();
        octets.extend(body);
        octets.truncate((octets.len() as f64 * share) as usize);
        let mut stream = TcpStream::connect(at).expect("it listens");
        stream.set_nonblocking(false).and_then(|()| stream.write_all(&octets)).expect("the beginning is taken");
        held.push(stream);
    }
    held
}

/// The same requests by customers who come back: what each is answered for.
fn whole_ones(at: SocketAddr, ghost: usize) -> Vec<Acknowledged> {
    let mut api = Api::new(at, &key());
    let mut all = Vec::new();
    for ghost in ghost..ghost + 3 {
        let (name, body) = request(ghost);
        let answer = until("a definite answer", Duration::from_secs(30), || {
            api.post(Some(&name), &body).ok().filter(|answer| !matches!(answer.status, 409 | 429 | 503))
        });
        assert_eq!(answer.status, 202, "{}", answer.text());
        let ids = ids(&answer).1;
        assert_eq!(ids.len(), BULK);
        all.extend(ids.into_iter().zip(GHOSTS + ghost * BULK..).map(|(id, number)| Acknowledged { id, number }));
    }
    all
}

/// Whether the other side has ended the connection; what it said before is passed over.
fn is_ended(stream: &TcpStream) -> bool {
    let mut stream = stream;
    if stream.set_read_timeout(Some(Duration::from_millis(1))).is_err() {
        return true;
    }
    loop {
        match stream.read(&mut [0; 1_024]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(fault) => return !matches!(fault.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
        }
    }
}
