//! Long texts from handsets over real sockets and the embedded store: parts on different sessions and in different
//! lives of the engine become one message, told once.

// The far side is a bare socket, so that not a line of the lab stands between.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::bench;
use crate::journeys::store;
use relais::base::Msisdn;
use relais::directory::judge::{Judge, Question, Verdict};
use relais::engine::reader::Calls;
use relais::message::content::Channel;
use relais::message::event::{InboundPart, Piece};
use relais::message::outcome::Reason;
use relais::message::{Class, Event, log};
use relais::storage::{Group, Journal as _};
use relais::wire::smpp::pdu::{BindKind, Sm, esm};
use relais::wire::smpp::{Address, Status, command, write};
use relais::world::World;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(20);

/// The next PDU: its command and its sequence number.
async fn next(stream: &mut TcpStream) -> (u32, u32) {
    let mut head = [0; 16];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut head)).await.expect("in time").expect("a PDU");
    let word = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().expect("four octets"));
    let mut body = vec![0; word(0) as usize - 16];
    stream.read_exact(&mut body).await.expect("its body");
    (word(4), word(12))
}

async fn bound(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = tokio::time::timeout(PATIENCE, listener.accept()).await.expect("in time").expect("a connection");
    let (command, sequence) = next(&mut stream).await;
    assert_eq!(command, command::BIND_TRANSCEIVER);
    let mut resp = Vec::new();
    write::bind_resp(&mut resp, Status::ROK, sequence, BindKind::Transceiver, b"raw", Some(0x34)).expect("writable");
    stream.write_all(&resp).await.expect("open");
    stream
}

/// Delivers a part and waits until it is acknowledged.
async fn deliver(stream: &mut TcpStream, sequence: u32, total: u8, place: u8, text: &[u8]) {
    let address = |digits| Address { ton: 1, npi: 1, digits };
    let short = [&[5, 0, 3, 9, total, place][..], text].concat();
    let sm = Sm {
        source: address(b"33612345678"),
        destination: address(b"36111"),
        esm_class: esm::UDHI,
        short_message: &short,
        ..Sm::default()
    };
    let mut pdu = Vec::new();
    write::deliver_sm(&mut pdu, sequence, &sm, &[]).expect("writable");
    stream.write_all(&pdu).await.expect("open");
    while next(stream).await != (command::DELIVER_SM_RESP, sequence) {}
}

/// The messages from handsets in the journal: text, parts, whether some are missing.
fn told(engine: &relais::engine::Engine) -> Vec<(String, u8, bool)> {
    let rows = engine.archive.log_from(1, 1 << 20).expect("readable");
    let events = rows.iter().flat_map(|row| log::read_events(&row.log).expect("events"));
    let inbound = |event| match event {
        Event::Inbound { text, parts, is_incomplete, .. } => Some((text.to_string(), parts, is_incomplete)),
        _ => None,
    };
    events.filter_map(inbound).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_parts_survive_the_process_and_the_text_is_told_once() {
    let (world, dir) = (World::real(), tempfile::tempdir().expect("a directory"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("bound");
    let start = || bench::engine(&world, bench::config(at, "binds = 2", ""), store(dir.path()), Calls::Threads);

    let running = start().await;
    let (mut one, mut two) = (bound(&listener).await, bound(&listener).await);
    deliver(&mut one, 1, 3, 3, b"three").await;
    deliver(&mut two, 1, 3, 1, b"one ").await;
    deliver(&mut two, 2, 3, 1, b"one ").await;
    assert_eq!(told(&running.engine), []);
    drop((one, two));
    bench::stop(running).await;

    // Another life: nothing of the parts is in memory, and no message keeps the log from being skipped.
    let running = start().await;
    let (mut one, two) = (bound(&listener).await, bound(&listener).await);
    deliver(&mut one, 1, 3, 2, b"two ").await;
    let whole = [("one two three".to_owned(), 3, false)];
    assert_eq!(told(&running.engine), whole);
    // The carrier has not seen the acknowledgement.
    deliver(&mut one, 2, 3, 2, b"two ").await;
    assert_eq!(told(&running.engine), whole);
    drop((one, two));
    bench::stop(running).await;

    // A third: the whole text is remembered, and a part that comes again is known.
    let running = start().await;
    let (mut one, two) = (bound(&listener).await, bound(&listener).await);
    for (sequence, place, text) in [(1, 1, &b"one "[..]), (2, 2, b"two "), (3, 3, b"three")] {
        deliver(&mut one, sequence, 3, place, text).await;
    }
    assert_eq!(told(&running.engine), whole);
    drop((one, two));
    bench::stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_whose_parts_do_not_come_is_told_with_its_holes() {
    let (world, dir) = (World::real(), tempfile::tempdir().expect("a directory"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("bound");
    let config = bench::config(at, "", "[engine]\ninbound_wait = \"1s\"");
    let running = bench::engine(&world, config, store(dir.path()), Calls::Threads).await;
    let mut one = bound(&listener).await;
    deliver(&mut one, 1, 3, 2, b"two ").await;
    let began = std::time::Instant::now();
    while told(&running.engine).is_empty() && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(told(&running.engine), [("\u{2026}two ".to_owned(), 3, true)]);
    drop(one);
    bench::stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_whose_parts_were_journaled_and_not_told_before_a_crash_is_heard_at_the_start() {
    let (world, dir) = (World::real(), tempfile::tempdir().expect("a directory"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let config = bench::config(listener.local_addr().expect("bound"), "", "");
    let part = |place: u8, text: &[u8]| {
        let piece = Piece {
            from: "33612345678".into(),
            to: "36111".into(),
            is_wide: false,
            reference: 9,
            total: 2,
            place,
            coding: 0,
            octets: text.into(),
        };
        Event::InboundPart(Box::new(InboundPart { id: u64::from(place), carrier: "one".into(), piece, when: world.now() }))
    };
    let mut journal = store(dir.path());
    let seq = journal.recover().expect("a new journal").last_seq + 1;
    let mut group = Group { seq, at: world.now(), ..Group::default() };
    log::write_events(&[part(1, b"ST"), part(2, b"OP")], &mut group.log);
    group.notes = vec![("inbound-parts/one".into(), Some(seq.to_le_bytes().to_vec()))];
    journal.commit(&group).expect("durable");
    drop(journal);

    let running = bench::engine(&world, config, store(dir.path()), Calls::Threads).await;
    // Before anything could be leased.
    let question = Question {
        account: "shop",
        to: Msisdn::from_u64(33_612_345_678).expect("a number"),
        from: "36111",
        class: Class::Service,
        channel: Channel::Sms,
        campaign: "",
        zone: "",
        region: "",
        content: 0,
    };
    let verdict = Judge::new(running.engine.rules.law.clone()).judge(&question, world.now());
    assert_eq!(verdict, Verdict::Refuse { why: Reason::OptedOut });
    let began = std::time::Instant::now();
    while told(&running.engine).is_empty() && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(told(&running.engine), [("STOP".to_owned(), 2, false)]);
    // In the commit of the text, so that the next start knows it.
    let rows = || running.engine.archive.suppressions(None, 10).expect("readable");
    // The file of people follows the journal.
    while rows().is_empty() && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rows = rows();
    assert_eq!(rows.iter().map(|row| row.key.number).collect::<Vec<_>>(), [33_612_345_678]);
    bench::stop(running).await;
}
