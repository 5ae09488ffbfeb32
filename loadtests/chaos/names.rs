//! The names of carriers and webhooks: a server that says nothing, knows nothing, fails, gives a thousand addresses, or those of
//! somewhere else. Sessions that live go on, those that are to be made anew wait, and requests are answered all the while.

use crate::common::gateway::Gateway;
use crate::common::until;
use crate::far::Proxy;
use crate::load::{Acknowledged, bulk};
use crate::rig::{LINKS, Rig, WINDOW, Wanted, shell};
use crate::{Given, Outcome};
use serde_json::{Map, Value, json};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// Where our server of names listens: an address of loopback that nobody else has.
const AT: (Ipv4Addr, u16) = (Ipv4Addr::new(127, 0, 54, 1), 53);

/// The first of the messages that are sent while names are wrong.
const SINGLES: usize = 70_000_000;

/// What it does.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Mode {
    /// 127.0.0.1.
    Right,
    Silent,
    /// NXDOMAIN.
    Unknown,
    /// SERVFAIL.
    Fails,
    /// A thousand addresses, of which one is right.
    Many,
    /// The address of somewhere else, where nobody may be sent to by a webhook, and no carrier answers.
    Elsewhere,
}

const MODES: [(&str, Mode); 5] = [
    ("silent", Mode::Silent),
    ("NXDOMAIN", Mode::Unknown),
    ("SERVFAIL", Mode::Fails),
    ("a thousand addresses", Mode::Many),
    ("addresses of somewhere else", Mode::Elsewhere),
];

/// F30.
pub(crate) fn names(given: Given) -> Outcome {
    let mode = Arc::new(AtomicU8::new(Mode::Right as u8));
    if let Err(why) = serve(&mode) {
        return Outcome::Skipped(format!("no server of names can listen here: {why}"));
    }
    let mut rig = Rig::new("chaos-names", given.seed, &Wanted::default());
    let proxy = Proxy::new(given.seed, rig.smsc_port());
    proxy.calm.store(true, Ordering::Relaxed);
    let carrier = "bind_timeout = \"2s\"\nresponse_timeout = \"5s\"\nenquire_link = \"1s\"\n".into();
    rig.configure(&Wanted { carrier, webhook: "timeout = \"2s\"\n".into(), by_port: Some(proxy.port), ..Wanted::default() });
    let config = rig.path().join("relais.toml");
    let text = std::fs::read_to_string(&config).expect("written");
    let text = text.replacen("host = \"127.0.0.1\"", "host = \"carrier.example\"", 1).replacen(
        "url = \"http://127.0.0.1:",
        "url = \"http://webhook.example:",
        1,
    );
    assert!(text.contains("carrier.example") && text.contains("webhook.example"), "both have names");
    std::fs::write(&config, text).expect("ours");
    let resolver = rig.path().join("resolv.conf");
    std::fs::write(&resolver, format!("nameserver {}\noptions timeout:1 attempts:1\n", AT.0)).expect("ours");
    let join = format!("mount --bind {} /etc/resolv.conf && exec \"$@\"", resolver.display());
    if let Err(why) = shell(&format!("unshare -m sh -c '{}' sh true", join.replace('\'', ""))) {
        return Outcome::Skipped(format!("no file system view of its own can be given to a process: {why}"));
    }
    rig.customers(4, Duration::from_millis(100));
    let process = Gateway::spawn_by(rig.path(), &["unshare", "-m", "sh", "-c", &join, "sh"]);
    rig.up_with(process).expect("it starts");
    let bound = |rig: &Rig| rig.gateway().api().metric("relais_links_bound", &[]);
    let made_anew = |rig: &Rig| rig.gateway().api().metric("relais_reconnects_total", &[]);
    let rest = (given.until.saturating_duration_since(Instant::now()) / (3 * MODES.len() as u32))
        .clamp(Duration::from_secs(2), Duration::from_secs(10));
    let mut lines = Map::new();
    for (name, wrong) in MODES {
        until("all links are bound", Duration::from_secs(30), || (bound(&rig) == LINKS as f64).then_some(()));
        let before = made_anew(&rig);
        mode.store(wrong as u8, Ordering::Relaxed);
        std::thread::sleep(rest);
        assert_eq!((bound(&rig), made_anew(&rig)), (LINKS as f64, before), "F30: {name}: sessions that live go on");
        proxy.cut_the_rest();
        std::thread::sleep(rest);
        let while_wrong = bound(&rig);
        let number = SINGLES + lines.len();
        let (_, ids) = rig.gateway().api().take(&bulk(number..number + 1));
        rig.others.extend(ids.into_iter().map(|id| Acknowledged { id, number }));
        mode.store(Mode::Right as u8, Ordering::Relaxed);
        let began = Instant::now();
        until("all links are bound again", Duration::from_secs(30), || (bound(&rig) == LINKS as f64).then_some(()));
        lines.insert(name.into(), json!({ "bound_meanwhile": while_wrong, "bound_after_ms": began.elapsed().as_millis() as u64 }));
    }
    let settled = rig.settle();
    let most = MODES.len() * WINDOW * LINKS;
    assert!(settled.sum.doubled <= most, "INV-10: {} for {} cuts", settled.sum.doubled, MODES.len());
    Outcome::Held(settled.figures(Value::Object(lines)))
}

/// Answers by both transports for as long as the program runs.
fn serve(mode: &Arc<AtomicU8>) -> std::io::Result<()> {
    let (datagrams, streams) = (UdpSocket::bind(AT)?, TcpListener::bind(AT)?);
    let now = mode.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 1_024];
        while let Ok((count, from)) = datagrams.recv_from(&mut buffer) {
            if let Some(answer) = answer(&buffer[..count], now.load(Ordering::Relaxed), 512) {
                let _ = datagrams.send_to(&answer, from);
            }
        }
    });
    let now = mode.clone();
    std::thread::spawn(move || {
        for mut stream in streams.incoming().flatten() {
            let now = now.clone();
            std::thread::spawn(move || {
                let mut length = [0; 2];
                while stream.read_exact(&mut length).is_ok() {
                    let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
                    if stream.read_exact(&mut question).is_err() {
                        break;
                    }
                    let Some(answer) = answer(&question, now.load(Ordering::Relaxed), 65_000) else { break };
                    let length = (answer.len() as u16).to_be_bytes();
                    if stream.write_all(&[&length, &answer[..]].concat()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    Ok(())
}

/// The answer to a question (RFC 1035, 4.1), cut to what fits; `None`: there is none.
fn answer(question: &[u8], mode: u8, most: usize) -> Option<Vec<u8>> {
    let end = question.get(12..)?.iter().position(|&octet| octet == 0)? + 12 + 5;
    let asks_for_four = question.get(end - 4..end - 2)? == [0, 1];
    let (code, addresses): (u8, Vec<Ipv4Addr>) = match mode {
        mode if mode == Mode::Silent as u8 => return None,
        mode if mode == Mode::Unknown as u8 => (3, Vec::new()),
        mode if mode == Mode::Fails as u8 => (2, Vec::new()),
        mode if mode == Mode::Many as u8 => {
            let others = (1..1_000_u16).map(|number| Ipv4Addr::new(127, 9, (number >> 8) as u8, number as u8));
            (0, others.chain([Ipv4Addr::LOCALHOST]).collect())
        }
        mode if mode == Mode::Elsewhere as u8 => (0, vec![Ipv4Addr::new(127, 8, 8, 8)]),
        _ => (0, vec![Ipv4Addr::LOCALHOST]),
    };
    let addresses = if asks_for_four { addresses } else { Vec::new() };
    let is_cut = end + addresses.len() * 16 > most;
    let many = if is_cut { 0 } else { addresses.len() as u16 };
    let mut out = question[..2].to_vec();
    out.extend([0x84 | u8::from(is_cut) << 1 | (question[2] & 1), code]);
    out.extend([0, 1]);
    out.extend(many.to_be_bytes());
    out.extend([0; 4]);
    out.extend(&question[12..end]);
    for address in addresses.iter().take(usize::from(many)) {
        out.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        out.extend(address.octets());
    }
    Some(out)
}
