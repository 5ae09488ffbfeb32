//! A receipt that came before its answer, and neither the answer nor the process came any further: the next process knows by
//! the receipt that the message is with the carrier.

#![allow(clippy::disallowed_types)]

use crate::common::gateway::{Gateway, Settings};
use crate::common::{Bench, until};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);
const BIND: u32 = 9;
const SUBMIT: u32 = 4;
const DELIVER: u32 = 5;
const RESPONSE: u32 = 1 << 31;

fn pdu(command: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).expect("short");
    let head = [length, command, 0, sequence].iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    [&head[..], body].concat()
}

/// The next PDU: command, sequence, body. `None` at the end of the connection.
fn next(stream: &mut TcpStream) -> Option<(u32, u32, Vec<u8>)> {
    let mut head = [0; 16];
    stream.read_exact(&mut head).ok()?;
    let word = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().expect("four"));
    let mut body = vec![0; word(0) as usize - 16];
    stream.read_exact(&mut body).ok()?;
    Some((word(4), word(12), body))
}

/// A session of a carrier that takes TLVs, and so is sent our reference.
fn bound(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().expect("the gateway calls");
    stream.set_read_timeout(Some(LONG)).expect("a socket");
    let (command, sequence, _) = next(&mut stream).expect("a bind");
    assert_eq!(command, BIND);
    stream.write_all(&pdu(BIND | RESPONSE, sequence, b"x\0\x02\x10\x00\x01\x34")).expect("written");
    stream
}

#[test]
fn a_receipt_that_outlived_the_process_tells_the_next_one_that_the_message_was_delivered() {
    let bench = Bench::new("orphans");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    Settings { smsc: listener.local_addr().expect("a port").port(), ..Settings::default() }.write(bench.path());
    let process = Gateway::spawn(bench.path());
    let mut carrier = bound(&listener);
    let gateway = Gateway::ready(process).expect("it starts");
    let list = json!({
        "defaults": {"from": "SHOP", "text": "x", "class": "transactional", "doubt": "at_most_once"},
        "recipients": [{"to": "+33612345678"}]
    });
    let (_, ids) = gateway.api().take(&list);
    let (command, _, body) = next(&mut carrier).expect("the submit");
    assert_eq!(command, SUBMIT);
    let at = body.windows(4).rposition(|tag| tag == [2, 4, 0, 2]).expect("our reference");
    let text = b"id:777 stat:DELIVRD err:000";
    let sm = [&b"\0\x01\x0133612345678\0\x05\0SHOP\0\x04\0\0\0\0\0\0\0\0"[..], &[text.len() as u8], text, &body[at..at + 6]].concat();
    carrier.write_all(&pdu(DELIVER, 1, &sm)).expect("written");
    let (command, sequence, _) = next(&mut carrier).expect("an acknowledgement");
    assert_eq!((command, sequence), (DELIVER | RESPONSE, 1), "the receipt is on its disk");
    // The submit is never answered.
    gateway.kill9();
    drop(carrier);
    let process = Gateway::spawn(bench.path());
    let mut carrier = bound(&listener);
    let gateway = Gateway::ready(process).expect("it starts again");
    let mut api = gateway.api();
    until("it is known to be delivered", LONG, || (api.message(&ids[0])["status"] == "delivered").then_some(()));
    assert_eq!(api.metric("relais_orphans", &["carrier=\"main\""]), 0.0);
    let stopping = std::thread::spawn(move || gateway.stop());
    while let Some((command, sequence, _)) = next(&mut carrier) {
        assert_ne!(command, SUBMIT, "it is not sent again");
        if command & RESPONSE == 0 {
            carrier.write_all(&pdu(command | RESPONSE, sequence, b"")).expect("written");
        }
    }
    assert!(stopping.join().expect("no panic").success());
}
