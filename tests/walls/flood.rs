//! A carrier that complains, or gives cause for complaint, as fast as it can: the log says it a few times and counts the rest, and
//! the metrics count all of it, by what is wrong.

use crate::common::gateway::{Gateway, Settings};
use crate::common::{Bench, until};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const TIMES: u32 = 20_000;
const LONG: Duration = Duration::from_secs(60);
/// `limits::COMPLAINTS_MAX`, and its interval in seconds.
const SAID_MAX: u64 = 20;
const EVERY: u64 = 60;

fn pdu(command: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).expect("short");
    let head = [length, command, 0, sequence].iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    [&head[..], body].concat()
}

fn receipt(n: u32, state: &str) -> Vec<u8> {
    let text = format!("id:{n} submit date:2601010000 done date:2601010000 stat:{state} err:000");
    let text_length = u8::try_from(text.len()).expect("short");
    let head = [&b"\0\x01\x0133612345678\0\x05\0SHOP\0\x04\0\0\0\0\0\0\0\0"[..], &[text_length]].concat();
    pdu(5, n, &[&head[..], text.as_bytes()].concat())
}

/// Takes the bind, says everything, and reads whatever is answered.
fn carrier(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().expect("the gateway binds");
    let mut head = [0; 16];
    stream.read_exact(&mut head).expect("a bind");
    let word = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().expect("four"));
    let mut body = vec![0; word(0) as usize - 16];
    stream.read_exact(&mut body).expect("a bind");
    stream.write_all(&pdu(word(4) | 1 << 31, word(12), b"x\0")).expect("written");
    let mut reader = stream.try_clone().expect("a socket");
    std::thread::spawn(move || while reader.read(&mut [0; 4_096]).is_ok_and(|read| read > 0) {});
    stream
}

#[test]
fn what_a_carrier_gives_cause_for_is_said_a_few_times_and_counted_always() {
    let (bench, began) = (Bench::new("flood"), Instant::now());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let carrier_lines = "reconnect_min = \"10ms\"\nreconnect_max = \"10ms\"\norphan_ttl = \"2s\"";
    let settings = Settings {
        smsc: listener.local_addr().expect("a port").port(),
        carrier: carrier_lines.into(),
        more: "[log]\nlevel = \"trace\"".into(),
        ..Settings::default()
    };
    settings.write(bench.path());
    let process = Gateway::spawn(bench.path());
    let mut stream = carrier(&listener);
    let gateway = Gateway::ready(process).expect("it starts");
    let mut api = gateway.api();
    for n in 0..TIMES {
        stream.write_all(&receipt(n + 1, &format!("X{n}"))).expect("written");
    }
    // A deliver_sm cut short, one with a parameter over its end, an answer that is none, a request of an ESME, and nine commands that are none.
    let whole = receipt(7, "DELIVRD");
    let cut = pdu(5, 8, &whole[16..24]);
    let over = pdu(5, 9, &[&whole[16..], &b"\x14\x00\xff\xff"[..]].concat());
    let answer = [&pdu(0x8000_0004, 10, &[b'x'; 70])[..]].concat();
    stream.write_all(&[cut, over.clone(), over, answer, pdu(4, 11, b"")].concat()).expect("written");
    stream.write_all(&pdu(0x7777, 12, b"").repeat(9)).expect("written");
    let expected = [("state", f64::from(TIMES)), ("field", 2.0), ("parameter", 2.0), ("command", 9.0), ("response", 1.0)];
    until("all of it is counted", LONG, || {
        let mut count = |fault: &str| api.metric("relais_malformed_total", &["carrier=\"main\"", &format!("fault=\"{fault}\"")]);
        let counts: Vec<f64> = expected.iter().map(|(fault, _)| count(fault)).collect();
        (counts == expected.map(|(_, times)| times)).then_some(())
    });
    // Sessions that end at once, again and again; the last octets cannot be followed.
    stream.write_all(&[0; 16]).expect("written");
    for _ in 0..60 {
        // Its reader holds the socket, too.
        carrier(&listener).shutdown(std::net::Shutdown::Both).expect("a socket");
    }
    until("the sessions were ended", LONG, || (api.metric("relais_reconnects_total", &["carrier=\"main\""]) >= 60.0).then_some(()));
    assert_eq!(api.metric("relais_malformed_total", &["carrier=\"main\"", "fault=\"length\""]), 1.0);
    assert!(gateway.stop().success());
    let log = std::fs::read_to_string(bench.path().join("relais.log")).expect("a log");
    let intervals = began.elapsed().as_secs() / EVERY + 1;
    for words in ["has a state word", "session over"] {
        let said = log.lines().filter(|line| line.contains(words)).count() as u64;
        assert!((1..=SAID_MAX * intervals).contains(&said), "{words}: {said} times in {intervals} intervals");
    }
    let lines = log.lines().count() as u64;
    assert!(lines < 200 * intervals, "{lines} lines:\n{}", &log[..log.len().min(4_000)]);
}
