//! Links that are slow, that lose packets, that flap, and carriers that let nobody in: timers longer than the way there and back
//! bring no doubt, a link that comes and goes loses nothing, and nobody's door is hammered at.

use crate::far::Proxy;
use crate::load::{Acknowledged, bulk};
use crate::rig::{LINKS, Rig, WINDOW, Wanted, install, shell};
use crate::{Given, Outcome};
use relais::lab::Chance;
use serde_json::{Map, Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// How a link is: milliseconds each way from and to, octets a second (0: any), share of packets lost.
#[derive(Clone, Copy)]
struct Way {
    from_ms: u64,
    to_ms: u64,
    octets_per_s: u64,
    lost_percent: u64,
}

const WAYS: [(&str, Way); 6] = [
    ("100 ms", Way { from_ms: 100, to_ms: 100, octets_per_s: 0, lost_percent: 0 }),
    ("0 to 2 s", Way { from_ms: 0, to_ms: 2_000, octets_per_s: 0, lost_percent: 0 }),
    ("4 to 5 s", Way { from_ms: 4_000, to_ms: 5_000, octets_per_s: 0, lost_percent: 0 }),
    ("10 kbit/s", Way { from_ms: 20, to_ms: 20, octets_per_s: 1_250, lost_percent: 0 }),
    ("10 % lost", Way { from_ms: 0, to_ms: 0, octets_per_s: 0, lost_percent: 10 }),
    ("30 % lost", Way { from_ms: 0, to_ms: 0, octets_per_s: 0, lost_percent: 30 }),
];
/// Messages over each: at 5 s each way a window of 40 has one turn in ten seconds.
const MESSAGES: usize = 60;

/// F20: the timers are longer than the way, so nothing is in doubt; throughput is the window over the way there and back.
pub(crate) fn ways(given: Given) -> Outcome {
    let mut lines = Map::new();
    for (index, (name, way)) in WAYS.into_iter().enumerate() {
        let mut rig = Rig::new("chaos-ways", given.seed, &Wanted::default());
        let port = slow_way(given.seed + index as u64, rig.smsc_port(), way);
        let carrier = "bind_timeout = \"60s\"\nresponse_timeout = \"60s\"\n".into();
        rig.configure(&Wanted { carrier, by_port: Some(port), ..Wanted::default() });
        let _lossy = match Lossy::new(port, way.lost_percent) {
            Ok(lossy) => lossy,
            Err(why) => {
                lines.insert(name.into(), json!(why));
                continue;
            }
        };
        rig.up();
        let began = Instant::now();
        let (_, ids) = rig.gateway().api().take(&bulk(0..MESSAGES));
        rig.others.extend(ids.into_iter().enumerate().map(|(number, id)| Acknowledged { id, number }));
        let settled = rig.settle();
        let doubt = (settled.sum.doubled, settled.sum.labelled, settled.sum.unseen);
        assert_eq!(doubt, (0, 0, 0), "F20: {name} brought doubt, with timers of a minute");
        lines.insert(name.into(), settled.figures(json!({ "all_told_after_ms": began.elapsed().as_millis() as u64 })));
    }
    Outcome::Held(Value::Object(lines))
}

/// Loses packets to and from a port of this machine for as long as it lives.
struct Lossy(Option<String>);

impl Lossy {
    fn new(port: u16, percent: u64) -> Result<Lossy, String> {
        if percent == 0 {
            return Ok(Lossy(None));
        }
        if !install("nft", "nftables") {
            return Err("not run: nft is not here and cannot be installed".into());
        }
        let table = format!("relais_chaos_{}_{port}", std::process::id());
        let lossy = Lossy(Some(table.clone()));
        shell(&format!(
            "nft add table inet {table} && nft add chain inet {table} input '{{ type filter hook input priority 0; }}' && \
             nft add rule inet {table} input tcp dport {port} numgen random mod 100 '<' {percent} drop && \
             nft add rule inet {table} input tcp sport {port} numgen random mod 100 '<' {percent} drop"
        ))?;
        Ok(lossy)
    }
}

impl Drop for Lossy {
    fn drop(&mut self) {
        if let Some(table) = &self.0 {
            let _ = shell(&format!("nft delete table inet {table}"));
        }
    }
}

/// A proxy that takes its time, in order. Its port.
fn slow_way(seed: u64, to: u16, way: Way) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for (index, near) in listener.incoming().flatten().enumerate() {
            let Ok(far) = TcpStream::connect(("127.0.0.1", to)) else { continue };
            let (near_read, far_read) = (near.try_clone().expect("ours"), far.try_clone().expect("ours"));
            for (side, (from, to)) in [(near_read, far), (far_read, near)].into_iter().enumerate() {
                let chance = Chance::new(seed ^ (index as u64) << 8 ^ side as u64);
                std::thread::spawn(move || delayed(from, to, way, chance));
            }
        }
    });
    port
}

fn delayed(mut from: TcpStream, mut to: TcpStream, way: Way, mut chance: Chance) {
    let (pass, take) = mpsc::sync_channel::<(Instant, Vec<u8>)>(1_024);
    let writer = std::thread::spawn(move || {
        while let Ok((due, octets)) = take.recv() {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&octets).is_err() {
                break;
            }
            if let Some(ms) = (octets.len() as u64 * 1_000).checked_div(way.octets_per_s) {
                std::thread::sleep(Duration::from_millis(ms));
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut buffer = [0; 1_024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let due = Instant::now() + Duration::from_millis(chance.between(way.from_ms, way.to_ms));
        if pass.send((due, buffer[..count].to_vec())).is_err() {
            break;
        }
    }
    drop(pass);
    let _ = writer.join();
    let _ = from.shutdown(Shutdown::Both);
}

/// F21: every link of the one carrier is cut every one to three seconds.
pub(crate) fn flapping(given: Given) -> Outcome {
    let mut rig = Rig::new("chaos-flapping", given.seed, &Wanted::default());
    let proxy = Proxy::new(given.seed, rig.smsc_port());
    proxy.calm.store(true, Ordering::Relaxed);
    let carrier = "reconnect_min = \"100ms\"\nreconnect_max = \"1s\"\nresponse_timeout = \"5s\"\n".into();
    rig.configure(&Wanted { carrier, by_port: Some(proxy.port), ..Wanted::default() });
    rig.customers(4, Duration::from_millis(120));
    rig.up();
    let mut rounds = 0_usize;
    while rounds < 4 || (given.goes_on() && rounds < 400) {
        rig.rest(1_000, 3_000);
        proxy.cut_the_rest();
        rounds += 1;
    }
    let memory = rig.memory();
    let settled = rig.settle();
    assert!(settled.sum.doubled <= rounds * WINDOW * LINKS, "INV-10: {} for {rounds} cuts of all links", settled.sum.doubled);
    let ended: usize = ["expired", "refused"].iter().filter_map(|status| settled.sum.finals.get(*status)).sum();
    assert_eq!(ended, 0, "F21: nothing is given up before its time");
    Outcome::Held(settled.figures(json!({ "cuts_of_all_links": rounds, "memory_peak_mib": memory >> 20 })))
}

/// What a doorman does with whoever comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    /// bind_resp with this status.
    Refuses(u32),
    /// Not a word.
    Silent,
    /// Lets in, and says nothing after that.
    SilentInside,
    /// Lets in, and asks to leave at once.
    Unbinds,
    /// Says outbind, which nobody asked for, and nothing else.
    Outbinds,
    /// Hangs up.
    Closes,
}

/// Their names; the first pause of the gateway.
const DOORS: [(&str, Door, &str); 8] = [
    ("ESME_RBINDFAIL", Door::Refuses(0x0D), "1s"),
    ("ESME_RINVPASWD, told to hurry", Door::Refuses(0x0E), "10ms"),
    ("ESME_RALYBND", Door::Refuses(0x05), "1s"),
    ("silent", Door::Silent, "1s"),
    ("silent after the bind", Door::SilentInside, "1s"),
    ("unbind after the bind", Door::Unbinds, "1s"),
    ("outbind", Door::Outbinds, "1s"),
    ("hangs up", Door::Closes, "1s"),
];

/// F24: at most about one bind a second and link, however it is refused; then all goes as if nothing had been.
pub(crate) fn doors(given: Given) -> Outcome {
    let span = (given.until.saturating_duration_since(Instant::now()) / (2 * DOORS.len() as u32))
        .clamp(Duration::from_secs(4), Duration::from_secs(20));
    // Side by side: each of them mostly waits.
    let lines: Vec<(&str, Value)> = std::thread::scope(|scope| {
        let one = |(index, (name, door, pause)): (usize, (&'static str, Door, &'static str))| {
            let seed = given.seed + index as u64;
            scope.spawn(move || (name, knock(seed, name, door, pause, span)))
        };
        let hands: Vec<_> = DOORS.into_iter().enumerate().map(one).collect();
        hands.into_iter().map(|hand| hand.join().unwrap_or_else(|why| std::panic::resume_unwind(why))).collect()
    });
    Outcome::Held(Value::Object(lines.into_iter().map(|(name, line)| (name.to_owned(), line)).collect()))
}

fn knock(seed: u64, name: &str, door: Door, pause: &str, span: Duration) -> Value {
    let mut rig = Rig::new("chaos-doors", seed, &Wanted::default());
    let (comes, since) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let port = doorman(door, rig.smsc_port(), since + span, comes.clone());
    let carrier = format!(
        "reconnect_min = \"{pause}\"\nreconnect_max = \"4s\"\nbind_timeout = \"500ms\"\nenquire_link = \"300ms\"\nresponse_timeout = \"300ms\"\n"
    );
    rig.configure(&Wanted { carrier, by_port: Some(port), ..Wanted::default() });
    let process = crate::common::gateway::Gateway::spawn(rig.path());
    let gateway = rig.up_with(process);
    assert!(gateway.is_some(), "F24: a carrier that lets nobody in keeps nobody from starting");
    let (_, ids) = rig.gateway().api().take(&bulk(0..20));
    rig.others.extend(ids.into_iter().enumerate().map(|(number, id)| Acknowledged { id, number }));
    std::thread::sleep((since + span).saturating_duration_since(Instant::now()));
    let seconds = since.elapsed().as_secs_f64();
    let per_link = comes.load(Ordering::Relaxed) as f64 / LINKS as f64;
    // Told to hurry, it may try a refusal again after half a second at the least.
    let most = if pause == "1s" { 1.0 + seconds } else { 1.0 + 2.0 * seconds };
    assert!(per_link <= most, "F24: {name}: {per_link} binds of each link in {seconds} s");
    let carriers = rig.gateway().api().see("/v1/carriers");
    let settled = rig.settle();
    settled.figures(json!({
        "binds_a_minute_and_link": (per_link * 60.0 / seconds) as u64, "shown": carriers["carriers"][0]["links"][0],
    }))
}

/// Stands at a port and does with the gateway what it is told, until the instant from which on it leads to the carrier.
fn doorman(door: Door, to: u16, until: Instant, comes: Arc<AtomicU64>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            if Instant::now() >= until {
                let Ok(far) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let (near_read, far_read) = (near.try_clone().expect("ours"), far.try_clone().expect("ours"));
                for (from, to) in [(near_read, far), (far_read, near)] {
                    let way = Way { from_ms: 0, to_ms: 0, octets_per_s: 0, lost_percent: 0 };
                    std::thread::spawn(move || delayed(from, to, way, Chance::new(1)));
                }
                continue;
            }
            comes.fetch_add(1, Ordering::Relaxed);
            std::thread::spawn(move || receive(near, door));
        }
    });
    port
}

/// One who has come.
fn receive(mut near: TcpStream, door: Door) {
    let header = |command: u32, status: u32, sequence: u32, body: &[u8]| {
        let words = [16 + body.len() as u32, command, status, sequence];
        let mut octets: Vec<u8> = words.into_iter().flat_map(u32::to_be_bytes).collect();
        octets.extend(body);
        octets
    };
    match door {
        Door::Closes => return,
        Door::Outbinds => _ = near.write_all(&header(0x0B, 0, 1, b"carrier\0secret\0")),
        _ => {}
    }
    let mut pdu = [0; 4_096];
    let Ok(16..) = near.read(&mut pdu) else { return };
    let sequence = u32::from_be_bytes(pdu[12..16].try_into().expect("four octets"));
    let answer = 0x8000_0000 | u32::from_be_bytes(pdu[4..8].try_into().expect("four octets"));
    match door {
        Door::Refuses(status) => _ = near.write_all(&header(answer, status, sequence, b"")),
        Door::SilentInside => _ = near.write_all(&header(answer, 0, sequence, b"carrier\0")),
        Door::Unbinds => {
            let _ = near.write_all(&header(answer, 0, sequence, b"carrier\0"));
            let _ = near.write_all(&header(0x06, 0, 1, b""));
        }
        Door::Silent | Door::Outbinds | Door::Closes => {}
    }

    while let Ok(1..) = near.read(&mut pdu) {}
}
