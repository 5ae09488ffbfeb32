//! What the far side does: a proxy that cuts, stalls and crawls, carriers that misbehave, webhooks that hang and refuse.

use crate::rig::{LINKS, Rig, WINDOW, Wanted};
use crate::{Given, Outcome};
use relais::lab::Chance;
use serde_json::{Map, Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a proxied connection suffers.
#[derive(Clone, Copy)]
enum Fate {
    /// Nothing.
    Well,
    /// Cut after so many octets from the gateway, wherever in a PDU that is.
    CutOut(u64),
    /// Cut after so many octets to the gateway.
    CutIn(u64),
    /// After so many octets nothing passes any more, and nobody is told.
    Hole(u64),
    /// Octets by threes, with pauses.
    Crawl,
}

/// A proxy between the gateway and its carrier.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    cuts: Arc<AtomicU64>,
    pub(crate) calm: Arc<AtomicBool>,
    /// Connections that nothing has happened to yet.
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    pub(crate) fn new(seed: u64, to: u16) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (cuts, calm) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let open = Arc::<Mutex<Vec<TcpStream>>>::default();
        let (count, is_calm, all) = (cuts.clone(), calm.clone(), open.clone());
        let chance = Mutex::new(Chance::new(seed));
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let fate = if is_calm.load(Ordering::Relaxed) { Fate::Well } else { fate(&mut chance.lock().expect("no panic")) };
                count.fetch_add(u64::from(!matches!(fate, Fate::Well)), Ordering::Relaxed);
                let (near_read, far_read) = (near.try_clone().expect("ours"), far.try_clone().expect("ours"));
                all.lock().expect("no panic").push(near.try_clone().expect("ours"));
                std::thread::spawn(move || pass(near_read, far, fate, true));
                std::thread::spawn(move || pass(far_read, near, fate, false));
            }
        });
        Proxy { port, cuts, calm, open }
    }

    /// Cuts what lives on: connections that were to be well, slow, or whose octet is far away. Without it two of them in a row
    /// would be the last of the run.
    pub(crate) fn cut_the_rest(&self) {
        for stream in self.open.lock().expect("no panic").drain(..) {
            if stream.peer_addr().is_ok() && stream.shutdown(Shutdown::Both).is_ok() {
                self.cuts.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Every place of the first PDUs, and places far behind.
fn fate(chance: &mut Chance) -> Fate {
    let place = if chance.hit(0.5) { chance.below(400) } else { chance.below(60_000) };
    match chance.below(10) {
        0..=3 => Fate::CutOut(place),
        4..=6 => Fate::CutIn(place),
        7 => Fate::Hole(place),
        8 => Fate::Crawl,
        _ => Fate::Well,
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, fate: Fate, is_out: bool) {
    let (mut passed, mut buffer) = (0_u64, [0; 4_096]);
    loop {
        let room = if matches!(fate, Fate::Crawl) { 3 } else { buffer.len() };
        let count = match from.read(&mut buffer[..room]) {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        let left = match fate {
            Fate::CutOut(at) if is_out => Some(at),
            Fate::CutIn(at) if !is_out => Some(at),
            _ => None,
        };
        let allowed = left.map_or(count, |at| count.min(at.saturating_sub(passed) as usize));
        if matches!(fate, Fate::Hole(at) if passed >= at) {
            // Read and dropped: the sender sees an open connection.
            continue;
        }
        passed += count as u64;
        if to.write_all(&buffer[..allowed]).is_err() || allowed < count {
            break;
        }
        if matches!(fate, Fate::Crawl) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// F18 to F21.
pub(crate) fn cuts(given: Given) -> Outcome {
    let mut rig = Rig::new("chaos-cuts", given.seed, &Wanted::default());
    let proxy = Proxy::new(given.seed, rig.smsc_port());
    let carrier = "response_timeout = \"2s\"\nenquire_link = \"1s\"\nbind_timeout = \"2s\"\n".to_owned();
    rig.configure(&Wanted { carrier, by_port: Some(proxy.port), ..Wanted::default() });
    rig.customers(4, Duration::from_millis(200));
    rig.up();
    let mut looks = 0;
    while proxy.cuts.load(Ordering::Relaxed) < 10 || given.goes_on() {
        std::thread::sleep(Duration::from_millis(200));
        looks += 1;
        if looks % 10 == 0 {
            proxy.cut_the_rest();
        }
    }
    proxy.calm.store(true, Ordering::Relaxed);
    let cuts = proxy.cuts.load(Ordering::Relaxed);
    let settled = rig.settle();
    assert!(
        settled.sum.doubled as u64 <= cuts * WINDOW as u64 + (WINDOW * LINKS) as u64,
        "INV-10: {} for {cuts} cuts",
        settled.sum.doubled
    );
    Outcome::Held(settled.figures(json!({ "unwell_connections": cuts })))
}

/// What a carrier may bring about, beside delay.
#[derive(Clone, Copy, PartialEq, Eq)]
enum May {
    /// Nothing: each message is sent once.
    Nothing,
    /// Doubt, and so a second copy, or none under at_most_once.
    Doubt,
    /// An end without being sent: it refuses for good. A generic_nack says that it does not know the command (0x03), which is
    /// permanent by the table of statuses.
    Refusal,
}

/// A carrier of the matrix: what it is called, its habits, what it may bring about.
const CARRIERS: [(&str, &[&str], May); 18] = [
    ("never answers some", &["missing=0.05"], May::Doubt),
    ("answers out of order", &["disorder=0.3"], May::Nothing),
    ("answers too late", &["late=0.05", "late_ms=[2500,4000]"], May::Doubt),
    ("nacks some", &["generic_nack=0.1"], May::Refusal),
    ("sends garbage", &["garbage=0.02"], May::Doubt),
    ("throttles", &["throttle_per_s=200"], May::Nothing),
    ("queue full", &["throttle_per_s=200", "throttle_status=0x14"], May::Nothing),
    ("system errors", &["statuses=[{\"status\":\"0x08\",\"rate\":0.1}]"], May::Nothing),
    ("cuts every 50", &["disconnect_every=50"], May::Doubt),
    ("cuts after half a second", &["disconnect_after_ms=500"], May::Doubt),
    ("refuses binds", &["refuse_binds=6"], May::Nothing),
    ("receipts first", &["receipt_early=0.5"], May::Nothing),
    ("receipts twice", &["receipt_twice=0.5"], May::Nothing),
    ("receipts of strangers", &["receipt_unknown=0.3"], May::Nothing),
    ("receipts on another bind", &["receipt_bind=another"], May::Nothing),
    ("hex and decimal", &["response_id=hex", "receipt_id=decimal"], May::Nothing),
    ("receipts in TLVs alone", &["dialect=tlv_only"], May::Nothing),
    ("on its way first", &["receipt_enroute=0.5"], May::Nothing),
];

/// F22 to F26, one carrier after the other.
pub(crate) fn carriers(given: Given) -> Outcome {
    let mut lines = Map::new();
    let share = given.until.saturating_duration_since(std::time::Instant::now()) / CARRIERS.len() as u32;
    for (index, (name, habits, may)) in CARRIERS.into_iter().enumerate() {
        let wanted = Wanted {
            habits: habits.iter().map(|&habit| habit.to_owned()).collect(),
            carrier:
                "response_timeout = \"2s\"\nretry_min = \"100ms\"\nretry_max = \"1s\"\nattempts_max = 30\nthrottle_pause = \"200ms\"\n"
                    .into(),
            ..Wanted::default()
        };
        let mut rig = Rig::new("chaos-carriers", given.seed + index as u64, &wanted);
        rig.customers(4, Duration::from_millis(80));
        rig.up();
        std::thread::sleep(share.clamp(Duration::from_secs(1), Duration::from_secs(30)) / 2);
        let settled = rig.settle();
        if may != May::Doubt {
            assert_eq!((settled.sum.doubled, settled.sum.labelled), (0, 0), "INV-9: {name}");
            let refused = settled.sum.finals.get("rejected").copied().unwrap_or(0);
            assert_eq!(settled.sum.unseen, if may == May::Refusal { refused } else { 0 }, "INV-13: {name}");
        }
        lines.insert(name.into(), settled.figures(json!({})));
    }
    Outcome::Held(Value::Object(lines))
}

/// F29: the endpoint misbehaves, then mends; nothing is lost, nothing is told otherwise than before.
pub(crate) fn sinks(given: Given) -> Outcome {
    let mut lines = Map::new();
    let modes = ["500", "hang", "close", "drip:400", "redirect:http://127.0.0.1:1/"];
    let share = given.until.saturating_duration_since(std::time::Instant::now()) / modes.len() as u32;
    for (index, mode) in modes.into_iter().enumerate() {
        let mut rig = Rig::new("chaos-sinks", given.seed + index as u64, &Wanted::default());
        rig.sink_becomes(&["--mode", mode]);
        rig.customers(3, Duration::from_millis(100));
        rig.up();
        std::thread::sleep(share.clamp(Duration::from_secs(1), Duration::from_secs(20)) / 2);
        rig.sink_becomes(&[]);
        lines.insert(mode.into(), rig.settle().figures(json!({})));
    }
    Outcome::Held(Value::Object(lines))
}
