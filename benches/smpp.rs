//! The SMPP codec's part of a message: write a submit_sm, read its response, read and parse its receipt.
//!
//! Budget: 0.5 CPU-seconds per million messages for all of SMPP.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use relais::base::{Span, Time};
use relais::wire::smpp::decode::{Limits, decode};
use relais::wire::smpp::frame::{self, Framed, LIMIT_BOUND};
use relais::wire::smpp::ids::{IdBase, IdSeed, key_of_receipt, key_of_response};
use relais::wire::smpp::pdu::{Address, Pdu, Sm};
use relais::wire::smpp::template::{Segment, SubmitOptions, SubmitTemplate};
use relais::wire::smpp::tlv::{Tlv, tag};
use relais::wire::smpp::{Recognise, Status, receipt, time, write};

const TEXT: &[u8] = &[b'x'; 157];
const RECEIPT: &[u8] = b"id:0123456789 sub:001 dlvrd:001 submit date:2601021200 done date:2601021201 stat:DELIVRD err:000 text:Hello World";
const UUID: &str = "4a38dc46-5125-4969-90be-72104c340d5c";
const SEED: IdSeed = IdSeed(42);

fn deliver_sm() -> Vec<u8> {
    let sm = Sm {
        source: Address { ton: 1, npi: 1, digits: b"33612345678" },
        destination: Address { ton: 3, npi: 0, digits: b"36111" },
        esm_class: 4,
        short_message: RECEIPT,
        ..Sm::default()
    };
    let more = [Tlv { tag: tag::RECEIPTED_MESSAGE_ID, value: b"0123456789\0" }, Tlv { tag: tag::MESSAGE_STATE, value: &[2] }];
    let mut out = Vec::new();
    write::deliver_sm(&mut out, 1, &sm, &more).expect("a receipt fits");
    out
}

fn framed(octets: &[u8]) -> (frame::Header, &[u8]) {
    match frame::read(octets, LIMIT_BOUND) {
        Framed::Pdu(header, pdu) => (header, pdu),
        other => panic!("{other:?}"),
    }
}

fn submit(c: &mut Criterion) {
    let options = SubmitOptions {
        source: Address { ton: 5, npi: 0, digits: b"MYBRAND" },
        dest_ton: 1,
        dest_npi: 1,
        registered_delivery: 1,
        ..SubmitOptions::default()
    };
    let template = SubmitTemplate::new(&options).expect("options that fit");
    let mut out = Vec::with_capacity(65_536);
    let validity = time::relative(Span::secs(86_400));
    for (name, payload, validity) in [("157_octets", TEXT, &[][..]), ("validity", TEXT, &validity)] {
        let segment = Segment { payload, validity, ..Segment::default() };
        c.bench_function(&format!("submit_sm/template/{name}"), |b| {
            b.iter(|| {
                out.clear();
                template.write(&mut out, black_box(7), black_box(b"33612345678"), black_box(&segment)).expect("fits");
                black_box(out.len())
            })
        });
    }
    let sm = Sm {
        source: options.source,
        destination: Address { ton: 1, npi: 1, digits: b"33612345678" },
        registered_delivery: 1,
        short_message: TEXT,
        ..Sm::default()
    };
    c.bench_function("submit_sm/general_encoder", |b| {
        b.iter(|| {
            out.clear();
            write::submit_sm(&mut out, black_box(7), black_box(&sm), &[]).expect("fits");
            black_box(out.len())
        })
    });
    c.bench_function("time/absolute", |b| b.iter(|| time::absolute(black_box(Time(1_764_576_000_123)))));
}

fn read(c: &mut Criterion) {
    let limits = Limits::default();
    let mut resp = Vec::new();
    write::submit_sm_resp(&mut resp, Status::ROK, 7, Some(b"0A1B2C3D4E5F")).expect("fits");
    let deliver = deliver_sm();

    // A burst, since the reading of one PDU alone would be moved out of the loop.
    let burst = resp.repeat(1_000);
    c.bench_function("frame/read_burst_of_1000", |b| {
        b.iter(|| {
            let (mut at, mut sum) = (0, 0u64);
            while let Framed::Pdu(header, pdu) = frame::read(&black_box(&burst)[at..], LIMIT_BOUND) {
                at += pdu.len();
                sum += u64::from(header.sequence);
            }
            sum
        })
    });
    c.bench_function("submit_sm_resp/decode", |b| {
        let (header, pdu) = framed(&resp);
        b.iter(|| match decode(black_box(&header), black_box(pdu), &limits) {
            Ok(Pdu::SubmitSmResp(resp)) => resp.id().map(<[u8]>::len),
            _ => None,
        })
    });
    c.bench_function("submit_sm_resp/frame_decode_key", |b| {
        b.iter(|| {
            let (header, pdu) = framed(black_box(&resp));
            match decode(&header, pdu, &limits) {
                Ok(Pdu::SubmitSmResp(resp)) => key_of_response(IdBase::RespHexReceiptDec, SEED, resp.id()?),
                _ => None,
            }
        })
    });
    c.bench_function("deliver_sm/decode", |b| {
        let (header, pdu) = framed(&deliver);
        b.iter(|| match decode(black_box(&header), black_box(pdu), &limits) {
            Ok(Pdu::DeliverSm(sm)) => sm.short_message.len(),
            _ => 0,
        })
    });
    c.bench_function("deliver_sm/frame_decode_parse_key", |b| {
        b.iter(|| {
            let (header, pdu) = framed(black_box(&deliver));
            let Ok(Pdu::DeliverSm(sm)) = decode(&header, pdu, &limits) else { return None };
            let content = receipt::content(sm.esm_class, sm.short_message, &sm.tlvs);
            if !receipt::is_receipt(sm.esm_class, &sm.tlvs, content, Recognise::Marked) {
                return None;
            }
            let receipt = receipt::parse(sm.esm_class, content, &sm.tlvs);
            key_of_receipt(IdBase::RespHexReceiptDec, SEED, receipt.tlv_id?).map(|key| (key, receipt.state))
        })
    });
    let no_tlvs = relais::wire::smpp::Tlvs::EMPTY;
    c.bench_function("receipt/parse", |b| b.iter(|| receipt::parse(4, black_box(RECEIPT), &no_tlvs)));
    c.bench_function("ids/decimal_20", |b| b.iter(|| key_of_receipt(IdBase::RespHexReceiptDec, SEED, black_box("64567564356765435676"))));
    c.bench_function("ids/uuid", |b| b.iter(|| key_of_receipt(IdBase::AsIs, SEED, black_box(UUID))));
}

criterion_group!(benches, submit, read);
criterion_main!(benches);
