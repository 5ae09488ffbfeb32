//! Customers whose connections end at any octet of a request, and of its answer, who crawl, and who ask under one key from
//! many sides at once: each key is one set of messages, whatever they heard of it.

use crate::common::api::ids;
use crate::common::gateway::key;
use crate::common::http::Client;
use crate::load::{Acknowledged, bulk};
use crate::rig::{Rig, Wanted};
use crate::{Given, Outcome};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Messages of a request.
const FEW: usize = 2;
/// Who ask under one key at once, and how often.
const SIDES: usize = 8;
const CHORUSES: usize = 10;

/// F27, INV-8.
pub(crate) fn clients(given: Given) -> Outcome {
    let mut rig = Rig::new("chaos-clients", given.seed, &Wanted::default());
    rig.up();
    let at = rig.gateway().at();
    let (mut next, mut all) = (0_usize, Vec::new());
    let mut turn = || {
        next += FEW;
        next - FEW
    };
    // In one piece first, for its length and its answer's.
    let first = turn();
    let length = request(at, first).len();
    all.extend(whole(at, first));
    let heard = ask(at, first, usize::MAX).len();
    let (mut cut_requests, mut cut_answers) = (0, 0);
    for cut in 0..=length {
        let first = turn();
        drop(hold(at, first, cut));
        all.extend(whole(at, first));
        cut_requests += 1;
    }
    for cut in (0..heard).step_by(if given.goes_on() { 3 } else { 29 }) {
        let first = turn();
        let _ = ask(at, first, cut);
        all.extend(whole(at, first));
        cut_answers += 1;
    }
    // An octet at a time, to the end.
    let first = turn();
    let mut slow = TcpStream::connect(at).expect("it listens");
    slow.set_nodelay(true).expect("ours");
    for octet in request(at, first) {
        slow.write_all(&[octet]).expect("it waits");
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut said = [0; 12];
    slow.read_exact(&mut said).expect("an answer");
    assert_eq!(&said[9..12], b"202", "a slow customer is served all the same");
    all.extend(whole(at, first));
    // From many sides at once.
    for _ in 0..CHORUSES {
        let first = turn();
        let answers: Vec<Vec<Acknowledged>> = std::thread::scope(|scope| {
            let hands: Vec<_> = (0..SIDES).map(|_| scope.spawn(move || whole(at, first))).collect();
            hands.into_iter().map(|hand| hand.join().expect("a definite answer")).collect()
        });
        let ids = |one: &[Acknowledged]| one.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
        assert!(answers.iter().all(|one| ids(one) == ids(&answers[0])), "INV-8: one key, one answer");
        all.extend(answers.into_iter().flatten().take(FEW));
    }
    rig.others = all;
    let settled = rig.settle();
    assert_eq!((settled.sum.doubled, settled.sum.labelled, settled.sum.unseen), (0, 0, 0), "INV-8, INV-9");
    Outcome::Held(settled.figures(json!({
        "octets_of_the_request": length, "cut_requests": cut_requests, "cut_answers": cut_answers, "at_once": SIDES * CHORUSES,
    })))
}

/// The octets of a request for these messages, under a key of their own.
fn request(at: SocketAddr, first: usize) -> Vec<u8> {
    let body = serde_json::to_vec(&bulk(first..first + FEW)).expect("plain values");
    // Of the same length each time.
    let name = format!("cut-{first:08}");
    let head = format!(
        "POST /v1/batches HTTP/1.1\r\nhost: {at}\r\nauthorization: Bearer {}\r\nidempotency-key: {name}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        key(),
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

/// A connection on which so many octets of the request were sent.
fn hold(at: SocketAddr, first: usize, octets: usize) -> TcpStream {
    let mut stream = TcpStream::connect(at).expect("it listens");
    let request = request(at, first);
    stream.write_all(&request[..octets.min(request.len())]).expect("the beginning is taken");
    stream
}

/// Sends the request and reads so many octets of the answer, then hangs up.
fn ask(at: SocketAddr, first: usize, octets: usize) -> Vec<u8> {
    let mut stream = hold(at, first, usize::MAX);
    stream.set_read_timeout(Some(Duration::from_millis(300))).expect("ours");
    let (mut heard, mut buffer) = (Vec::new(), [0; 512]);
    while heard.len() < octets {
        let room = buffer.len().min(octets - heard.len());
        match stream.read(&mut buffer[..room]) {
            Ok(count @ 1..) => heard.extend(&buffer[..count]),
            _ => break,
        }
    }
    heard
}

/// The same request by a customer who comes back, until there is a definite answer.
fn whole(at: SocketAddr, first: usize) -> Vec<Acknowledged> {
    let body = serde_json::to_vec(&bulk(first..first + FEW)).expect("plain values");
    let name = format!("cut-{first:08}");
    let headers = [("content-type", "application/json"), ("idempotency-key", name.as_str())];
    let mut client = Client::new(at, &key());
    for _ in 0..1_000 {
        let answer = client.call("POST", "/v1/batches", &headers, &body).expect("it runs");
        if matches!(answer.status, 409 | 503) {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        assert_eq!(answer.status, 202, "{}", answer.text());
        return ids(&answer).1.into_iter().zip(first..).map(|(id, number)| Acknowledged { id, number }).collect();
    }
    panic!("{name} has no definite answer");
}
