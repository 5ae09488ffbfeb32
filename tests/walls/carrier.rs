//! A carrier that means harm: what it sends before and after the bind ends its own session or is answered and forgotten;
//! the process, the other carrier and the messages of others notice nothing.

use crate::rig::{Rig, Setup, until};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What must become of the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    /// The gateway ends it.
    Ends,
    /// The gateway says that the length cannot be, and ends it: at once, and not when some timer says so.
    Nacked,
    /// It lives: an enquiry is answered.
    Lives,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum When {
    Unbound,
    Bound,
}

struct Attack {
    what: String,
    when: When,
    octets: Vec<u8>,
    then: Then,
}

const ENQUIRE_LINK: u32 = 0x15;
const DELIVER_SM: u32 = 0x05;
const DATA_SM: u32 = 0x103;
const RESPONSE: u32 = 0x8000_0000;
/// ESME_RINVCMDLEN.
const INVALID_LENGTH: u32 = 2;
const BIND_RESP: u32 = 0x8000_0009;

fn words(words: [u32; 4]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn pdu(command: u32, status: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).expect("short");
    [&words([length, command, status, sequence])[..], body].concat()
}

/// A deliver_sm of these fields, each as it is, with its NUL or without.
#[allow(clippy::too_many_arguments)]
fn deliver(service: &[u8], source: &[u8], dest: &[u8], esm: u8, times: &[u8], coding: u8, text: &[u8], rest: &[u8]) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("short");
    let parts: [&[u8]; 10] = [service, &[1, 1], source, &[1, 1], dest, &[esm, 0, 0], times, &[0, 0, coding, 0, length], text, rest];
    pdu(DELIVER_SM, 0, 9, &parts.concat())
}

fn tlv(tag: u16, length: u16, value: &[u8]) -> Vec<u8> {
    [&tag.to_be_bytes()[..], &length.to_be_bytes(), value].concat()
}

/// A message of a handset with these TLVs.
fn with(rest: &[u8]) -> Vec<u8> {
    deliver(b"\0", b"4915\0", b"36111\0", 0, b"\0\0", 0, b"x", rest)
}

fn lengths() -> Vec<Attack> {
    let attack = |what: String, when, octets: Vec<u8>| Attack { what, when, octets, then: Then::Nacked };
    let ends = |what: String, when, octets: Vec<u8>| Attack { then: Then::Ends, ..attack(what, when, octets) };
    let mut all = Vec::new();
    for when in [When::Unbound, When::Bound] {
        let limit = if when == When::Bound { 70_000 } else { 1_024 };
        for length in (0..16).chain([limit + 1, 1_213_486_160, 1 << 31, u32::MAX - 15, u32::MAX]) {
            all.push(attack(format!("length {length}, {when:?}"), when, words([length, ENQUIRE_LINK, 0, 1])));
            all.push(attack(format!("length {length} alone, {when:?}"), when, length.to_be_bytes().into()));
        }
        all.push(attack(format!("HTTP, {when:?}"), when, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".into()));
        all.push(attack(format!("an answer of HTTP, {when:?}"), when, b"HTTP/1.1 400 Bad Request\r\n\r\n".into()));
        all.push(attack(format!("TLS, {when:?}"), when, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaaaaa".into()));
        all.push(attack(format!("SSH, {when:?}"), when, b"SSH-2.0-OpenSSH_9.7\r\n".into()));
        all.push(ends(format!("ten unknown commands, {when:?}"), when, pdu(0x7777, 0, 5, b"").repeat(10)));
    }
    all.push(ends("unbind".into(), When::Bound, pdu(6, 0, 5, b"")));
    all
}

fn harmless() -> Vec<Attack> {
    let mut all = Vec::new();
    let mut lives = |what: &str, octets: Vec<u8>| all.push(Attack { what: what.into(), when: When::Bound, octets, then: Then::Lives });
    lives("nine unknown commands", pdu(0x7777, 0, 5, b"").repeat(9));
    lives("unknown responses", pdu(RESPONSE | 0x7777, 0, 5, b"").repeat(500));
    lives("answers to nothing", pdu(RESPONSE | 4, 0, 77, b"id\0").repeat(500));
    lives("refusals of nothing", pdu(RESPONSE | 4, 0x58, 0, b"").repeat(500));
    lives("nacks of nothing", pdu(RESPONSE, 3, 0xFFFF_FFFF, b"").repeat(500));
    lives("another answer to the bind", pdu(BIND_RESP, 0, 1, b"x\0"));
    lives("a refusal of a bind long done", pdu(BIND_RESP, 0x0E, 1, b""));
    lives("requests only an ESME makes", [pdu(4, 0, 1, b""), pdu(9, 0, 2, b"a\0b\0c\0\x34\0\0\0"), pdu(3, 0, 3, b"id\0\0\0\0")].concat());
    lives("an outbind", pdu(0x0B, 0, 4, b"a\0b\0"));
    lives("odd sequences", [pdu(ENQUIRE_LINK, 0, 0, b""), pdu(ENQUIRE_LINK, 0, u32::MAX, b"")].concat());
    lives("a thousand enquiries", pdu(ENQUIRE_LINK, 0, 7, b"").repeat(1_000));
    lives("an enquiry with a body", pdu(ENQUIRE_LINK, 0, 7, &[7; 900]));
    lives("an alert", pdu(0x102, 0, 7, b"\x01\x011\0\x01\x012\0"));
    // Bodies: each field at its limit, over it, without its end; each cut.
    let max = [b'9'; 65];
    for size in [0, 1, 5, 6, 20, 21, 64, 65] {
        let nul = |octets: &[u8]| [octets, b"\0"].concat();
        lives(&format!("a service type of {size}"), deliver(&nul(&max[..size]), b"1\0", b"2\0", 0, b"\0\0", 0, b"x", b""));
        lives(&format!("a source of {size}"), deliver(b"\0", &nul(&max[..size]), b"2\0", 0, b"\0\0", 0, b"x", b""));
        lives(&format!("a destination of {size}"), deliver(b"\0", b"1\0", &nul(&max[..size]), 0, b"\0\0", 0, b"x", b""));
        lives(&format!("a source of {size} without end"), deliver(b"\0", &max[..size], &[b'1'; 200], 0, &[b'1'; 200], 1, b"x", &[b'2'; 9]));
        lives(&format!("times of {size}"), deliver(b"\0", b"1\0", b"2\0", 0, &nul(&max[..size]).repeat(2), 0, b"x", b""));
    }
    let whole = deliver(
        b"CMT\0",
        b"33612345678\0",
        b"36111\0",
        0x44,
        b"\0\0",
        8,
        b"\x05\x00\x03\x01\x02\x01hello",
        &tlv(0x1403, 3, b"\x02\x00\x01"),
    );
    for size in 16..whole.len() {
        lives(&format!("cut at {size}"), pdu(DELIVER_SM, 0, 9, &whole[16..size]));
    }
    for (what, length) in [("a text longer than the PDU", 255), ("a text shorter than the rest", 0)] {
        let mut lies = whole.clone();
        let at = lies.len() - 7 - 11 - 1;
        lies[at] = length;
        lives(what, lies);
    }
    // Parameters.
    lives("10,000 parameters", with(&tlv(0x1400, 0, b"").repeat(10_000)));
    lives("64 parameters", with(&tlv(0x1400, 0, b"").repeat(64)));
    lives("65 parameters", with(&tlv(0x1400, 0, b"").repeat(65)));
    lives("a parameter over the end", with(&tlv(0x1400, 65_535, b"x")));
    lives("half a parameter", with(b"\x14\x00\x00"));
    lives("one parameter 60 times", with(&tlv(0x001E, 3, b"id\0").repeat(60)));
    lives("fixed parameters of other sizes", with(&[tlv(0x0427, 0, b""), tlv(0x0204, 9, b"123456789"), tlv(0x020C, 1, b"\x01")].concat()));
    lives("a parameter that looks like a PDU", with(&tlv(0x1400, 16, &words([16, ENQUIRE_LINK, 0, 3]))));
    lives("a text and a payload", with(&tlv(0x0424, 5, b"hello")));
    lives("a payload of 64 KB", deliver(b"\0", b"4915\0", b"36111\0", 0, b"\0\0", 8, b"", &tlv(0x0424, 65_000, &vec![0xD8; 65_000])));
    lives(
        "data of 64 KB",
        pdu(DATA_SM, 0, 9, &[&b"\0\x01\x0149\0\x01\x0136\0\0\0\0"[..], &tlv(0x0424, 65_000, &vec![b'x'; 65_000])].concat()),
    );
    // Text that is none, receipts that are none.
    for coding in 0..=255 {
        lives(
            &format!("coding {coding}"),
            deliver(b"\0", b"4915\0", b"36111\0", 0x40, b"\0\0", coding, b"\x05\x00\x03\x01\xff\x07\x1b\xd8\x3d", b""),
        );
    }
    for header in [&b"\xff\x00"[..], b"\x00", b"\x05\x00\x03\x01\x02\x03", b"\x03\x00\x01\x00", b"\x06\x08\x04\x00\x00\x00\x00", b""] {
        lives("a header that lies", deliver(b"\0", b"4915\0", b"36111\0", 0x40, b"\0\0", 8, header, b""));
    }
    let long = format!("id:{} stat:DELIVRD err:{}", "9".repeat(100), "8".repeat(100));
    for text in
        ["id: stat: err:", "id:\u{0} stat:XXXXXXX err:\u{1b}[2J", "stat:DELIVRD", "id:1 id:2 stat:DELIVRD stat:EXPIRED err:-1", &long]
    {
        lives(&format!("the receipt {text:?}"), deliver(b"\0", b"33612345678\0", b"SHOP\0", 4, b"\0\0", 0, text.as_bytes(), b""));
    }
    let id = [&tlv(0x001E, 60_000, &vec![b'i'; 60_000])[..], &tlv(0x0427, 1, b"\x02")].concat();
    lives("an id of 60,000", deliver(b"\0", b"33612345678\0", b"SHOP\0", 4, b"\0\0", 0, b"", &id));
    all.extend([
        Attack {
            what: "a message before the bind".into(),
            when: When::Unbound,
            octets: [with(b""), pdu(ENQUIRE_LINK, 0, 1, b"")].concat(),
            then: Then::Lives,
        },
        Attack {
            what: "answers to no bind".into(),
            when: When::Unbound,
            octets: pdu(BIND_RESP, 0, 999_999, b"x\0").repeat(40),
            then: Then::Lives,
        },
    ]);
    all
}

/// Reads a PDU; `None` at the end of the connection.
async fn read(stream: &mut TcpStream) -> Option<(u32, u32, u32)> {
    let mut head = [0; 16];
    stream.read_exact(&mut head).await.ok()?;
    let word = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().expect("four"));
    let mut body = vec![0; word(0) as usize - 16];
    stream.read_exact(&mut body).await.ok()?;
    Some((word(4), word(8), word(12)))
}

/// One session of the hostile carrier.
async fn attack(mut stream: TcpStream, attack: &Attack, piece: usize) {
    stream.set_nodelay(true).expect("a socket");
    let what = &attack.what;
    let (command, _, sequence) = read(&mut stream).await.expect("a bind");
    assert_eq!(command, 9, "{what}");
    let bind = pdu(BIND_RESP, 0, sequence, b"x\0");
    if attack.when == When::Bound {
        stream.write_all(&bind).await.expect("written");
    }
    for piece in attack.octets.chunks(piece) {
        // A peer that has gone in the middle of an attack is what some attacks are for.
        let _ = stream.write_all(piece).await;
    }
    if attack.then == Then::Lives {
        if attack.when == When::Unbound {
            stream.write_all(&bind).await.expect("written");
        }
        stream.write_all(&pdu(ENQUIRE_LINK, 0, 0x1234_5678, b"")).await.expect("written");
    }
    let (mut is_alive, mut is_nacked) = (false, false);
    while let Some((command, status, sequence)) = read(&mut stream).await {
        is_nacked |= (command, status) == (RESPONSE, INVALID_LENGTH);
        is_alive |= (command, sequence) == (RESPONSE | ENQUIRE_LINK, 0x1234_5678);
        if is_alive {
            break;
        }
    }
    assert_eq!(is_alive, attack.then == Then::Lives, "{what}");
    // An answer may be lost to a peer that still writes when the connection is closed.
    assert!(is_nacked == (attack.then == Then::Nacked) || piece == 1, "{what}");
}

async fn withstands(attacks: Vec<Attack>, piece: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let sections: &'static str = Box::leak(
        format!(
            "[[carriers]]\nname = \"bad\"\nhost = \"127.0.0.1\"\nport = {}\nsystem_id = \"relais\"\npassword = \"secret\"\n\
             inbound_account = \"shop\"\nbind_timeout = \"60s\"\nreconnect_min = \"10ms\"\nreconnect_max = \"10ms\"\n[[routes]]\nprefix = \"49\"\ncarrier = \"bad\"",
            listener.local_addr().expect("a port").port()
        )
        .into_boxed_str(),
    );
    let rig = Rig::start(Setup { sections, ..Setup::default() }).await;
    for (n, one) in attacks.iter().enumerate() {
        let session = async {
            let (stream, _) = listener.accept().await.expect("a connection");
            attack(stream, one, piece).await;
        };
        tokio::time::timeout(Duration::from_secs(60), session).await.unwrap_or_else(|_| panic!("hangs: {}", one.what));
        if n % 16 == 0 {
            let answer = rig.send(&format!(r##"{{"to":"+33612345678","from":"SHOP","text":"#{n}#"}}"##)).await;
            assert_eq!(answer.status, 202, "after {}", one.what);
            until("the other carrier has it", async || (rig.record.times(&n.to_string()) == 1).then_some(())).await;
        }
    }
    let metrics = String::from_utf8(rig.get("/metrics").await.body).expect("UTF-8");
    assert!(metrics.contains("relais_panics_total 0"), "no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_carrier_whose_octets_cannot_be_followed_is_left_and_called_again() {
    withstands(lengths(), usize::MAX).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_within_a_pdu_is_answered_and_the_session_lives() {
    let attacks = harmless();
    assert!(attacks.len() > 350, "{}", attacks.len());
    withstands(attacks, usize::MAX).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_the_same_octet_by_octet() {
    let short = harmless().into_iter().filter(|attack| attack.octets.len() < 300).step_by(8);
    withstands(lengths().into_iter().step_by(3).chain(short).collect(), 1).await;
}
