//! What is fuzzed: one function for each reader of other people's octets. Each may be given anything; it must not panic,
//! hang or take memory by a length that was only announced, and it checks what must hold for any input.
//!
//! The same functions run under libFuzzer (`fuzz/`, see `docs/security.md`) and, with the corpus and a small mutator of
//! our own, in `cargo test` (`tests/walls/fuzz.rs`).

#[path = "both.rs"]
mod both;
#[path = "wire.rs"]
mod wire;

use both::smpp_both;
use bytes::Bytes;
use relais::base::{BatchId, MessageId, Msisdn, Time};
use relais::config::{self, MapSecrets};
use relais::directory::hours::{Pack, Zones};
use relais::directory::keywords::Keywords;
use relais::directory::number::{Numbers, Senders};
use relais::message::event::Keyword;
use relais::message::late::{LateText, Moment};
use relais::message::log::{read_events, write_events};
use relais::message::record::MessageRecord;
use relais::pipeline::accept::inflate::After;
use relais::pipeline::accept::{BulkLimits, BulkReader, Coding, Defaults, Format, Inflate, InflateLimits, Item, MessageReader};
use relais::pipeline::compose::late::Renderer;
use relais::pipeline::compose::template::{RENDERED_MAX, Template};
use relais::pipeline::compose::values::{Clock, Given, Values};
use relais::pipeline::webhook::body::{Received, Scribe};
use relais::pipeline::webhook::{Rules, Target, check_url, is_allowed};
use relais::storage::{Frame, FrameHead, Lane};
use relais::wire::http::Boundaries;
use std::fmt::Write as _;
use std::sync::OnceLock;
use wire::{gsm_header, gsm_text, smpp_frame, smpp_pdu, smpp_receipt, smpp_session, smpp_tlv, smpp_words};

/// A target.
pub(crate) type Run = fn(&[u8]);

/// All of them, by name; the corpus of each is in the directory of its name.
pub(crate) const TARGETS: [(&str, Run); 23] = [
    ("smpp_frame", smpp_frame),
    ("smpp_pdu", smpp_pdu),
    ("smpp_both", smpp_both),
    ("smpp_session", smpp_session),
    ("smpp_tlv", smpp_tlv),
    ("smpp_receipt", smpp_receipt),
    ("smpp_words", smpp_words),
    ("gsm_text", gsm_text),
    ("gsm_header", gsm_header),
    ("journal_record", journal_record),
    ("journal_frame", journal_frame),
    ("bulk_json", bulk_json),
    ("bulk_ndjson", bulk_ndjson),
    ("bulk_csv", bulk_csv),
    ("single_json", single_json),
    ("inflate", inflate),
    ("http_boundaries", http_boundaries),
    ("config_file", config_file),
    ("phone_number", phone_number),
    ("webhook_url", webhook_url),
    ("webhook_body", webhook_body),
    ("rule_files", rule_files),
    ("template", template),
];

/// The target of a name.
pub(crate) fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    target(data);
}

/// The first octet steers, the rest is input.
fn steered(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

fn lossy(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

/// A record and an event log as the disk may give them back.
fn journal_record(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(record) = MessageRecord::read(bytes) {
        let _ = (record.recipient(), record.sender().len(), record.reference().len(), record.encoded(), record.joined_by());
        let _ = (record.class_of(), record.policy(), record.expires(Time(0)));
        for part in 0..record.count() {
            let _ = record.part(part);
        }
    }
    if let Ok(events) = read_events(data) {
        let mut log = Vec::new();
        write_events(&events, &mut log);
        assert_eq!(read_events(&log).expect("we wrote it"), events);
    }
}

fn journal_frame(data: &[u8]) {
    let (count, body) = steered(data);
    let lane = Lane { carrier: "one".into(), account: "shop".into(), priority: 1 };
    let batch = Some(BatchId(7));
    let head = FrameHead {
        first: MessageId(1),
        count: count.into(),
        seq: 1,
        lane,
        batch,
        accepted: Time(0),
        expires: Time(1),
        due: Time(0),
        why: 0,
    };
    let Some(frame) = Frame::new(head, Bytes::copy_from_slice(body)) else { return };
    for ordinal in 0..=u32::from(count) {
        assert_eq!(frame.record(ordinal).is_some(), ordinal < u32::from(count));
        if let Some(record) = frame.record(ordinal) {
            let _ = MessageRecord::read(record);
        }
    }
}

/// A body of a bulk gives the same entries and the same end however it is cut.
fn bulk(format: Format, data: &[u8]) {
    let (cut, body) = steered(data);
    let limits = BulkLimits { body_bytes_max: 60_000, line_bytes_max: 400, lines_max: 40 };
    let read = |cut: usize| {
        let mut shown = String::new();
        let mut reader = BulkReader::new(format, Defaults::default(), limits);
        let mut sink = |item: Item<'_>| {
            let _ = match item {
                Item::Draft(draft) => writeln!(shown, "{} {:?} {:?} {:?}", draft.line, draft.to, draft.from, draft.words.text),
                Item::Refused { line, refusal, .. } => writeln!(shown, "{line} {refusal:?}"),
            };
        };
        let mut end = Ok(());
        for piece in body.chunks(cut.max(1)) {
            end = end.and_then(|()| reader.feed(piece, &mut sink));
        }
        end = end.and_then(|()| reader.finish(&mut sink));
        let end = end.map_err(|fault| (fault.code, fault.pointer.into_owned()));
        (shown, end)
    };
    assert_eq!(read(body.len()), read(usize::from(cut % 16)));
}

fn bulk_json(data: &[u8]) {
    bulk(Format::Json, data);
}

fn bulk_ndjson(data: &[u8]) {
    bulk(Format::Ndjson, data);
}

fn bulk_csv(data: &[u8]) {
    bulk(Format::Csv, data);
}

/// What is believed of one message agrees with another reader of JSON.
fn single_json(data: &[u8]) {
    let (mut reader, defaults) = (MessageReader::default(), Defaults::default());
    let read = reader.read(data, &defaults, 10_000);
    if let Ok(draft) = read {
        let body = data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data);
        let theirs: serde_json::Value = serde_json::from_slice(body).expect("what we take is JSON");
        for (name, ours) in [("to", draft.to), ("from", draft.from), ("text", draft.words.text), ("client_ref", draft.client_ref)] {
            let theirs = theirs[name].as_str();
            assert_eq!(ours.filter(|text| !text.is_empty()), theirs.filter(|text| !text.is_empty()), "{name}");
        }
    }
}

/// Never more than the limits allow, and never more steps than that explains.
fn inflate(data: &[u8]) {
    let (steer, body) = steered(data);
    let coding = [Coding::Gzip, Coding::Zstd, Coding::Identity][usize::from(steer) % 3];
    let limits = InflateLimits { body_bytes_max: 200_000, ratio_max: 20 };
    let Ok(mut inflate) = Inflate::new(coding, limits) else { return };
    let (mut given, mut steps) = (0, 0);
    for piece in body.chunks(usize::from(steer / 3).max(1)) {
        let mut rest = piece;
        loop {
            let mut out = Vec::new();
            let Ok(progress) = inflate.feed(rest, &mut out, 4_096) else { return };
            assert!(out.len() <= 4_096);
            given += out.len();
            steps += 1;
            assert!(given as u64 <= limits.body_bytes_max && steps <= 1_000 + 2 * body.len(), "{given} {steps}");
            rest = &rest[progress.taken..];
            if progress.after == After::Done {
                break;
            }
        }
    }
    let _ = inflate.finish();
}

fn http_boundaries(data: &[u8]) {
    let (cut, stream) = steered(data);
    let judged = |cut: usize| {
        let mut reader = Boundaries::new(300);
        stream.chunks(cut.max(1)).all(|piece| reader.feed(piece).is_ok())
    };
    // Lines over the limit are the parser's to refuse: cut differently, they are kept differently.
    if stream.split(|octet| *octet == b'\n').all(|line| line.len() < 250) {
        assert_eq!(judged(stream.len()), judged(cut.into()));
    }
}

fn config_file(data: &[u8]) {
    let text = lossy(data);
    match config::load(&text, &MapSecrets::default().with_env("PEPPER", "0123456789abcdef")) {
        Ok(config) => drop(config.accounts.len()),
        Err(mistakes) => {
            assert!(!mistakes.is_empty() && mistakes.len() <= config::limits::MISTAKES_MAX + 1);
            let _ = config::report("x", &mistakes);
        }
    }
}

fn phone_number(data: &[u8]) {
    static BOTH: OnceLock<(Numbers, Senders)> = OnceLock::new();
    let (numbers, senders) = BOTH.get_or_init(|| (Numbers::new(), Senders::new()));
    let (steer, rest) = steered(data);
    let text = lossy(rest);
    if let Ok(number) = Msisdn::parse(&text) {
        assert_eq!(Msisdn::parse(&number.e164()), Ok(number));
        assert_eq!(Msisdn::from_u64(number.as_u64()), Some(number));
        assert!(!format!("{number:?}").contains(number.e164().trim_start_matches('+')));
    }
    let region = [None, Some("FR"), Some("US"), Some("zz"), Some("")][usize::from(steer) % 5];
    if let Ok(number) = numbers.parse(&text, region) {
        // A number of no country (+800) has no zone.
        let _ = (numbers.zones(&number).len(), number.written(), number.national(), numbers.state(&number), number.e164());
    }
    let _ = senders.check(["FR", "GB", "US", "??"][usize::from(steer >> 4) % 4], &text);
}

/// What is let through is written so that every reader of it goes to the same place.
fn webhook_url(data: &[u8]) {
    let (steer, rest) = steered(data);
    let text = lossy(rest);
    let flag = |bit: u8| steer & bit != 0;
    let rules = Rules { allow_loopback: flag(1), allow_private: flag(2), allow_http: flag(4), ports: vec![443, 80, 8443] };
    let Ok(target) = check_url(&text, &rules) else { return };
    assert!(rules.ports.contains(&target.port) && (target.tls || rules.allow_http));
    if let Some(address) = target.literal() {
        assert!(is_allowed(address, &rules));
    }
    let written = format!("{}://{}{}", if target.tls { "https" } else { "http" }, target.authority(), target.path);
    assert!(written.bytes().all(|octet| octet.is_ascii_graphic()), "{written:?}");
    assert_eq!(Target::parse(&written), Ok(target), "{written}");
}

/// Whatever a handset writes, the event is JSON that says just that.
fn webhook_body(data: &[u8]) {
    let (steer, rest) = steered(data);
    let (from, rest) = rest.split_at(rest.len().min(usize::from(steer)));
    let (from, text) = (lossy(from), lossy(rest));
    let mut out = Vec::new();
    let received = Received {
        id: 7,
        carrier: "one",
        account: "shop",
        from: &from,
        to: "36111",
        text: &text,
        parts: 1,
        is_incomplete: false,
        port: 0,
        keyword: Keyword::None,
    };
    Scribe::default().inbound(Time(0), &received, &mut out);
    let event: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
    assert_eq!(event["message"]["text"], text.as_str());
    assert_eq!(event["message"]["from"].as_str().map(|shown| shown.trim_start_matches('+')), Some(from.trim_start_matches('+')));
    assert!(out.iter().all(|octet| *octet >= 0x20), "no control character, so no line of its own");
}

fn rule_files(data: &[u8]) {
    let (steer, rest) = steered(data);
    let text = lossy(rest);
    match steer % 4 {
        0 => drop(Pack::parse(&[("FR.toml", text.as_str())])),
        1 => drop(Zones::parse("2026a", &[("Europe/Paris", rest)])),
        2 => drop(Keywords::parse(&text)),
        _ => {
            let found = Keywords::builtin().classify(&text, Some("FR"));
            assert!(found.word.is_none_or(|word| !word.is_empty()));
        }
    }
}

/// A stranger's text with holes, filters and conditions, and a recipient's values: bounded whatever it says.
fn template(data: &[u8]) {
    let (steer, rest) = steered(data);
    let (source, value) = rest.split_at(rest.len().min(usize::from(steer)));
    let (source, value) = (lossy(source), lossy(value));
    let Ok(template) = Template::compile(&source, "/text") else { return };
    let body = serde_json::to_vec(&serde_json::json!({"params": {"a": value, "b": "12", "name": "Zoé", "vip": ""}})).expect("JSON");
    let (mut reader, defaults) = (MessageReader::default(), Defaults::default());
    let Ok(draft) = reader.read(&body, &defaults, 100_000) else { return };
    let mut out = String::new();
    let moment = Moment { at: Time(i64::from(steer) << 40), offset: i32::from(steer) * 300 };
    let clock = Clock::at(moment);
    let values = Values { given: Given::Params(draft.params), clock: Some(&clock) };
    if template.render(&values, &mut out).is_ok() {
        assert!(out.len() <= RENDERED_MAX);
    }
    // The same as a record keeps it: made twice, it is the same.
    let form = Bytes::copy_from_slice(&[1, steer % 4, steer % 3, steer / 3 % 3, steer % 7, steer, 0]);
    let text = LateText { texts: vec![source], params: vec!["a".into(), value], max_segments: 64, form, ..LateText::default() };
    let (mut renderer, record) = (Renderer::default(), MessageRecord::default());
    if let Ok((made, rendering)) = renderer.render(&record, &text, moment) {
        assert_eq!(renderer.again(&record, &text, rendering), Ok(made));
    }
    let _ = LateText::read(rest);
}
