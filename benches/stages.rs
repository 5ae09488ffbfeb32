//! The lines of the budget (`docs/performance.md`) that have no bench of their own: number, template with segments,
//! scheduler and maps, webhooks, metrics, sockets. JSON is in `bulk`, frames and index in `frame`, SMPP in `smpp`, the
//! whole in `journey`. Times are for as many messages as each line says.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use relais::base::{MessageId, MessageRef, Mono, Msisdn, Secret, Span, Time};
use relais::channel::RouteText;
use relais::channel::session::{Answer, Keys, Receipt};
use relais::config;
use relais::directory::judge::Judge;
use relais::lab::Workload;
use relais::message::event::PartState;
use relais::message::outcome::{Reason, Status};
use relais::message::record::MessageRecord;
use relais::pipeline::accept::{AccountRules, BulkLimits, BulkReader, Defaults, Format, Item, check};
use relais::pipeline::compose::Composing;
use relais::pipeline::desk::{After, Desk, Now, Receipts, Rules};
use relais::pipeline::journal::{Acceptance, Drafts, Grouping, Start};
use relais::pipeline::submit::settle::Limits;
use relais::pipeline::webhook::body::{End, Scribe, array};
use relais::pipeline::webhook::{sign, signature};
use relais::storage::Frame;
use relais::telemetry::Metrics;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

const NOW: Now = Now { wall: Time(1_800_000_000_000), mono: Mono(1_000_000) };
const COUNT: u64 = 1_000;

/// Calls `each` with the believed lines of a bulk.
fn lines(workload: &Workload, mut each: impl FnMut(&relais::pipeline::accept::Accepted<'_>)) {
    let (mut body, rules) = (Vec::new(), AccountRules::default());
    workload.json(0..COUNT, &mut body);
    let mut reader = BulkReader::new(Format::Json, Defaults::default(), BulkLimits::default());
    let mut take = |item: Item<'_>| {
        let Item::Draft(draft) = item else { panic!("all are right") };
        each(&check(&draft, &rules, NOW.wall).expect("right"));
    };
    reader.feed(&body, &mut take).expect("right");
    reader.finish(&mut take).expect("right");
}

/// A frame of full messages, as the journal gives it.
fn frame() -> Arc<Frame> {
    let (mut drafts, mut composing) = (Drafts::new("shop", None, &["one".to_owned()], 2_048), Composing::default());
    lines(&Workload::full(1), |accepted| {
        drafts.push(&composing.compose(accepted, config::Concat::EightBit, &RouteText::default()).expect("right"), 0, Start::NOW);
    });
    let acceptance = Acceptance { frames: drafts.take(), ..Acceptance::default() };
    let prepared = Grouping::new(0, 0, None, 2_048).prepare(vec![acceptance], Vec::new(), Vec::new(), NOW.wall);
    prepared.live[0].clone()
}

fn number(c: &mut Criterion) {
    let numbers: Vec<String> = (0..COUNT).map(|n| Workload::full(1).recipient(n)).collect();
    let mut group = c.benchmark_group("stages");
    group.throughput(Throughput::Elements(COUNT));
    group.bench_function("number, a thousand", |b| {
        b.iter(|| numbers.iter().filter_map(|number| Msisdn::parse(number).ok()).fold(0, |sum, number| sum ^ number.as_u64()))
    });
    for (name, workload) in [("template and segments, a thousand", Workload::full(1)), ("the same in three segments", Workload::long(1))] {
        // What reading costs is measured beside it and to be taken off.
        group.bench_function(format!("{name}, read alone"), |b| b.iter(|| lines(&workload, |accepted| _ = black_box(accepted.to))));
        let mut composing = Composing::default();
        group.bench_function(format!("{name}, read and composed"), |b| {
            b.iter(|| {
                lines(&workload, |accepted| {
                    black_box(composing.compose(accepted, config::Concat::EightBit, &RouteText::default()).expect("right").octets.len());
                });
            });
        });
    }
    group.finish();
}

fn rules() -> Rules {
    Rules {
        carrier: "one".into(),
        window: 1_000,
        rate: 0.0,
        burst: 1,
        response_timeout: Span::secs(30),
        ambiguity_hold: Span::secs(60),
        throttle_pause: Span::secs(1),
        receipt_wait: Span::secs(3_600),
        receipts: Receipts::Final,
        limits: Limits { attempts_max: 3, retry_min: Span::secs(5), retry_max: Span::secs(60) },
        form: Some(0),
        unnamed: relais::pipeline::desk::Unnamed::ByReference,
        orphans_max: 100,
        orphan_ttl: Span::secs(3_600),
        retired_max: 10_000,
        bodies_bytes_max: 128 << 20,
        open_max: 1_000_000,
    }
}

/// Lanes, leases, window, in-flight and receipt maps: from a frame to outcomes, without a protocol or a journal.
fn desk(c: &mut Criterion) {
    let frame = frame();
    let commit = |desk: &mut Desk| {
        for after in desk.take_effects().after {
            match after {
                After::Free { link, slots } => desk.free(link, slots),
                After::Leased { link, ready } => desk.leased(link, ready, NOW),
                After::Acknowledge { .. } => {}
            }
        }
    };
    let mut group = c.benchmark_group("stages");
    group.throughput(Throughput::Elements(COUNT));
    group.bench_function("scheduler and maps, a thousand", |b| {
        b.iter(|| {
            let mut desk = Desk::new(rules(), 1, 1, Box::new(Judge::new(Arc::default())));
            desk.link_up(0);
            desk.load(frame.head.clone(), Some(frame.clone()), 1);
            let mut sequence = 0;
            while desk.counts().receipts < COUNT {
                desk.plan(NOW);
                commit(&mut desk);
                let from = sequence;
                let mut to = Vec::new();
                desk.write(NOW, |_, ready, _| {
                    sequence += 1;
                    to.push(ready.record.to);
                    Some(sequence)
                });
                for (n, number) in (from + 1..=sequence).zip(to) {
                    let keys = Keys([Some(u128::from(n)), None, None, None]);
                    let _ = desk.answered(0, n, Answer::Accepted(""), &keys, NOW);
                    let (state, keys) = (PartState::Delivered, [keys, Keys::default()]);
                    let receipt =
                        Receipt { carrier_id: "", other_id: "", keys, number, reference: None, submit_date: 0, state, error: "000" };
                    desk.receipt(0, 0, n, &receipt, NOW);
                }
                commit(&mut desk);
            }
            black_box(desk.counts().receipts)
        });
    });
    group.finish();
}

fn webhook(c: &mut Criterion) {
    let frame = frame();
    let records: Vec<MessageRecord> =
        (0..COUNT as u32).map(|n| MessageRecord::read(frame.record(n).expect("there")).expect("sound")).collect();
    let keys = [signature::Key::parse(&Secret::new("whsec_c3RhbmQtaW4tc3RhbmQtaW4tc3RhbmQtaW4tc3RhbmQtaW4=")).expect("a secret")];
    let end = End { status: Status::Delivered, reason: Reason::Receipt, command_status: 0, possible_duplicate: false };
    let mut group = c.benchmark_group("stages");
    group.throughput(Throughput::Elements(COUNT));
    group.bench_function("webhook, a signed call of a thousand events", |b| {
        b.iter(|| {
            let mut scribe = Scribe::default();
            let events: Vec<Vec<u8>> = records
                .iter()
                .zip(0..)
                .map(|(record, ordinal)| {
                    let mut out = Vec::with_capacity(400);
                    scribe.ended(MessageRef { frame: MessageId(1 << 40), ordinal }, NOW.wall, end, &frame.head, record, &mut out);
                    out
                })
                .collect();
            let body = array(events.iter().map(Vec::as_slice), events.iter().map(|event| event.len() + 1).sum());
            black_box(sign(&keys, "hook_1", 1_800_000_000, &body))
        });
    });
    group.finish();
}

fn metrics(c: &mut Criterion) {
    let metrics = Metrics::new();
    let carrier = metrics.carrier("one");
    let mut group = c.benchmark_group("stages");
    group.throughput(Throughput::Elements(COUNT));
    group.bench_function("metrics, three latencies and a counter, a thousand", |b| {
        b.iter(|| {
            for n in 0..COUNT {
                carrier.commit_to_submit.observe(Span::micros(n));
                carrier.submit_to_response.observe(Span::micros(n * 3));
                carrier.response_to_receipt.observe(Span::micros(n * 7));
                carrier.submits.inc();
            }
        });
    });
    group.finish();
}

/// What the kernel takes for the octets of a thousand messages over loopback, both ends: a bulk in, its answer out,
/// submit_sm, responses, receipts and their answers, and the webhook.
fn sockets(c: &mut Criterion) {
    const OCTETS: usize = 1_000 * (150 + 70 + 230 + 33 + 200 + 17 + 330);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut out = std::net::TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
    let (mut from, _) = listener.accept().expect("loopback");
    let (burst, mut buffer) = (vec![7; 32 << 10], vec![0; 64 << 10]);
    let mut group = c.benchmark_group("stages");
    group.throughput(Throughput::Elements(COUNT));
    group.bench_function("sockets, all octets of a thousand, both ends", |b| {
        b.iter(|| {
            let mut left = OCTETS;
            while left > 0 {
                let size = left.min(burst.len());
                out.write_all(&burst[..size]).expect("loopback");
                let mut read = 0;
                while read < size {
                    read += from.read(&mut buffer).expect("loopback");
                }
                left -= size;
            }
        });
    });
    group.finish();
}

criterion_group!(benches, number, desk, webhook, metrics, sockets);
criterion_main!(benches);
