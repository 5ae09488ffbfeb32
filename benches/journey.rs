//! The whole journey of messages in memory, without sockets, threads or a disk: a bulk's octets are read, believed,
//! composed, put into frames and committed to a journal in memory; a desk leases them, a session writes submit_sm, a
//! carrier made of octets answers and sends receipts; every outcome is committed, every receipt acknowledged.
//!
//! A time is for `MESSAGES` messages: the rate is Criterion's elements a second, and 1 / rate is CPU-seconds a message,
//! since one thread does it all.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use relais::base::{BatchId, Mono, Span, Time};
use relais::channel::RouteText;
use relais::channel::session::Heard;
use relais::channel::sms::{Profile, Session};
use relais::config::{self, Config, MapSecrets};
use relais::directory::judge::Judge;
use relais::lab::Workload;
use relais::message::log;
use relais::pipeline::accept::{AccountRules, BulkLimits, BulkReader, Defaults, Format, Item, check};
use relais::pipeline::compose::Composing;
use relais::pipeline::desk::{After, Desk, Now, Receipts, Rules, reference_of};
use relais::pipeline::journal::{Acceptance, Drafts, Grouping, Start, Turn};
use relais::pipeline::submit::settle::Limits;
use relais::storage::memory::Memory;
use relais::storage::{BatchRow, Journal};
use relais::wire::smpp::pdu::BindKind;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const MESSAGES: u64 = 20_000;
/// What one read of a socket brings.
const SLICE: usize = 64 << 10;
const NOW: Now = Now { wall: Time(1_800_000_000_000), mono: Mono(1_000_000) };

fn config() -> Config {
    let text = format!(
        "[secrets]\npepper = \"0123456789abcdef\"\n[[accounts]]\nname = \"shop\"\n[[accounts.keys]]\nid = \"k\"\nhash = \"{}\"\n\
         [[carriers]]\nname = \"one\"\nhost = \"127.0.0.1\"\nsystem_id = \"relais\"\npassword = \"secret\"\nwindow = 500\n\
         id_base = \"as_is\"\n[[routes]]\nprefix = \"\"\ncarrier = \"one\"\n",
        "00".repeat(32)
    );
    config::load(&text, &MapSecrets::default()).unwrap_or_else(|mistakes| panic!("{}", config::report("bench", &mistakes)))
}

fn rules() -> Rules {
    Rules {
        carrier: "one".into(),
        window: 500,
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
        retired_max: 100_000,
        bodies_bytes_max: 128 << 20,
        open_max: 1_000_000,
    }
}

/// A gateway without edges.
struct House {
    grouping: Grouping,
    journal: Memory,
    desk: Desk,
    session: Session,
    /// From the session to the carrier and back.
    out: Vec<u8>,
    back: Vec<u8>,
    next_name: u64,
    ended: u64,
}

fn put(out: &mut Vec<u8>, command: u32, sequence: u32, body: &[u8]) {
    for word in [16 + body.len() as u32, command, 0, sequence] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    out.extend_from_slice(body);
}

impl House {
    fn new(config: &Config) -> House {
        let profile = Arc::new(Profile::new(&config.carriers[0], 1));
        let mut house = House {
            grouping: Grouping::new(0, 0, None, 2_048),
            journal: Memory::new(),
            desk: Desk::new(rules(), 1, 1, Box::new(Judge::new(Arc::default()))),
            session: Session::new(profile, BindKind::Transceiver, NOW.mono),
            out: Vec::new(),
            back: Vec::new(),
            next_name: 1,
            ended: 0,
        };
        house.carrier();
        house.hear();
        assert!(house.session.is_bound());
        house
    }

    /// Answers everything the session has written: responses, then receipts.
    fn carrier(&mut self) {
        self.session.swap_output(&mut self.out);
        let mut rest = &self.out[..];
        while rest.len() >= 16 {
            let word = |at: usize| u32::from_be_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
            let (length, command, sequence) = (word(0) as usize, word(4), word(12));
            match command {
                0x09 => put(&mut self.back, 0x8000_0009, sequence, b"lab\0"),
                0x04 => {
                    let name = format!("{:010}", self.next_name);
                    self.next_name += 1;
                    put(&mut self.back, 0x8000_0004, sequence, format!("{name}\0").as_bytes());
                    let text =
                        format!("id:{name} sub:001 dlvrd:001 submit date:2701150800 done date:2701150800 stat:DELIVRD err:000 text:");
                    // service_type, source, destination, esm_class 4, and the rest of the fixed fields (3.4 §4.6.1).
                    let mut deliver = b"\0\x01\x0133612345678\0\x05\0SHOP\0\x04\0\0\0\0\0\0\0\0".to_vec();
                    deliver.push(text.len() as u8);
                    deliver.extend_from_slice(text.as_bytes());
                    put(&mut self.back, 0x05, sequence, &deliver);
                }
                _ => {}
            }
            rest = &rest[length..];
        }
        self.out.clear();
    }

    fn hear(&mut self) {
        let House { session, desk, back, .. } = self;
        session
            .read(back, NOW.mono, &mut |heard| match heard {
                Heard::Up => desk.link_up(0),
                Heard::Answer { sequence, answer, keys } => drop(desk.answered(0, sequence, answer, &keys, NOW)),
                Heard::Receipt { sequence, receipt } => desk.receipt(0, 0, sequence, &receipt, NOW),
                Heard::Inbound { .. } | Heard::InboundPart { .. } | Heard::Note(_) => {}
            })
            .expect("the carrier speaks SMPP");
        back.clear();
    }

    /// Commits what the desk has done, then lets it happen.
    fn commit(&mut self) {
        let mut effects = self.desk.take_effects();
        let mut turn = Turn { touched: effects.take_touched(), closed: effects.closed, events: effects.events, ..Turn::default() };
        self.ended +=
            turn.closed.iter().map(|closed| relais::message::outcome::Tally::from_bytes(&closed.tally).total() as u64).sum::<u64>();
        log::write_events(&turn.events, &mut turn.log);
        let prepared = self.grouping.prepare(Vec::new(), vec![turn], Vec::new(), NOW.wall);
        if prepared.group.is_empty() {
            self.grouping.undo(&prepared);
        } else {
            self.journal.commit(&prepared.group).expect("memory takes all");
        }
        for after in effects.after {
            match after {
                After::Free { link, slots } => self.desk.free(link, slots),
                After::Leased { link, ready } => self.desk.leased(link, ready, NOW),
                After::Acknowledge { sequence, .. } => self.session.acknowledge(sequence),
            }
        }
    }

    /// Octets of a bulk become durable messages in the desk's lanes.
    fn accept(&mut self, body: &[u8], account: &AccountRules) {
        let batch = BatchId(1);
        let mut drafts = Drafts::new("shop", Some(batch), &["one".to_owned()], 2_048);
        let mut composing = Composing::default();
        let mut reader = BulkReader::new(Format::Json, Defaults::default(), BulkLimits::default());
        let mut count = 0;
        let mut each = |item: Item<'_>| {
            let Item::Draft(draft) = item else { panic!("all are right") };
            let accepted = check(&draft, account, NOW.wall).expect("right");
            drafts.push(&composing.compose(&accepted, config::Concat::EightBit, &RouteText::default()).expect("right"), 0, Start::NOW);
            count += 1;
        };
        for slice in body.chunks(SLICE) {
            reader.feed(slice, &mut each).expect("right");
        }
        reader.finish(&mut each).expect("right");
        let row = BatchRow { id: batch, account: "shop".into(), at: NOW.wall, received: count, accepted: count, detail: vec![] };
        let acceptance = Acceptance { frames: drafts.take(), seal: Some(row), ..Acceptance::default() };
        let prepared = self.grouping.prepare(vec![acceptance], Vec::new(), Vec::new(), NOW.wall);
        self.journal.commit(&prepared.group).expect("memory takes all");
        for frame in &prepared.live {
            self.desk.load(frame.head.clone(), Some(frame.clone()), 1);
        }
    }

    fn turn(&mut self) {
        self.desk.plan(NOW);
        self.commit();
        let House { desk, session, .. } = self;
        desk.write(NOW, |_, ready, part| {
            session.submit(&ready.record, part, ready.reference as u16, reference_of(ready.at, part), ready.expires, NOW.mono)
        });
        self.carrier();
        self.hear();
        self.commit();
    }
}

fn journey(c: &mut Criterion) {
    let (config, account) = (config(), AccountRules::default());
    let mut group = c.benchmark_group("journey");
    group.throughput(Throughput::Elements(MESSAGES)).sample_size(10).measurement_time(Duration::from_secs(5));
    for (name, workload) in [("160 characters", Workload::full(1)), ("three segments", Workload::long(1))] {
        let mut body = Vec::new();
        workload.json(0..MESSAGES, &mut body);
        group.bench_function(format!("{name}, accept alone"), |b| {
            b.iter(|| {
                let mut house = House::new(&config);
                house.accept(&body, &account);
                black_box(house.desk.waiting())
            });
        });
        group.bench_function(format!("{name}, accept to final"), |b| {
            b.iter(|| {
                let mut house = House::new(&config);
                house.accept(&body, &account);
                while house.ended < MESSAGES {
                    house.turn();
                }
                assert_eq!(house.desk.counts().receipts, house.desk.counts().written);
                black_box(house.next_name)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, journey);
criterion_main!(benches);
