//! Texts on their whole way: a request's octets, believed, composed for a route, written as records, read back, and
//! written by a session as submit_sm, against the vectors, byte for byte; and back through another session.

use crate::base::{Mono, Time};
use crate::channel::session::{Heard, Inbound};
use crate::channel::sms::{Profile, Session};
use crate::channel::{RouteText, preview};
use crate::config::{self, MapSecrets};
use crate::message::record::{self, MessageRecord};
use crate::pipeline::accept::{AccountRules, Defaults, MessageReader, check};
use crate::pipeline::compose::{Composing, wanted};
use crate::wire::smpp::pdu::BindKind;
use crate::wire::smpp::tlv::tag;
use crate::wire::smpp::{Framed, Limits, Pdu, Status, decode, frame, write};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

const NOW: Mono = Mono(1_000_000);
const CONCAT: config::Concat = config::Concat::EightBit;

/// A carrier and a route with these keys.
struct Way {
    route: RouteText,
    profile: Arc<Profile>,
}

fn way(carrier: &str, route: &str) -> Way {
    let text = format!(
        "[[carriers]]\nname = \"one\"\nhost = \"127.0.0.1\"\nsystem_id = \"relais\"\npassword = \"secret\"\n{carrier}\n\
         [[routes]]\nprefix = \"\"\ncarrier = \"one\"\n{route}\n"
    );
    let config = config::load(&text, &MapSecrets::default()).unwrap_or_else(|mistakes| panic!("{}", config::report("test", &mistakes)));
    let (carrier, route) = (&config.carriers[0], &config.routes[0]);
    Way { route: RouteText::new(route, carrier), profile: Arc::new(Profile::new(carrier, 1)) }
}

fn session(profile: &Arc<Profile>) -> Session {
    let mut session = Session::new(profile.clone(), BindKind::Transceiver, NOW);
    session.swap_output(&mut Vec::new());
    let mut resp = Vec::new();
    write::bind_resp(&mut resp, Status::ROK, 1, BindKind::Transceiver, b"smsc", Some(0x34)).expect("writable");
    session.read(&resp, NOW, &mut |_| {}).expect("bound");
    session
}

/// A submit_sm as it is on the wire.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Sent {
    esm_class: u8,
    data_coding: u8,
    protocol_id: u8,
    short: Vec<u8>,
    payload: Option<Vec<u8>>,
    sar: Option<(u16, u8, u8)>,
    subunit: Option<u32>,
}

/// The segments the API tells, and what is written.
fn sent_under(way: &Way, rules: &AccountRules, body: &Value) -> (usize, Vec<Sent>) {
    let mut body = body.clone();
    for (name, value) in [("to", "+33612345678"), ("from", "SHOP")] {
        body[name] = value.into();
    }
    let body = body.to_string();
    let (mut reader, defaults) = (MessageReader::default(), Defaults::default());
    let draft = reader.read(body.as_bytes(), &defaults, 1 << 20).expect("a draft");
    let accepted = check(&draft, rules, Time(0)).expect("believed");
    let (mut composing, mut written) = (Composing::default(), Vec::new());
    let segments = {
        let composed = composing.compose(&accepted, CONCAT, &way.route).expect("composed");
        record::write(&composed, &mut written);
        composed.ends.len()
    };
    assert_eq!(composing.preview(&accepted, CONCAT, &way.route).expect("previewed").segments, segments, "{body}");
    if let Some(text) = accepted.words.text {
        assert_eq!(preview::preview(text, &wanted(&accepted, CONCAT), &way.route).segments, segments, "{body}");
    }
    let mut bytes = bytes::Bytes::from(written);
    let _ = prost::decode_length_delimiter(&mut bytes).expect("a length");
    let record = MessageRecord::read(bytes).expect("a record");
    assert_eq!(usize::from(record.segments()), segments, "{body}");
    (segments, on_the_wire(way, &record))
}

fn on_the_wire(way: &Way, record: &MessageRecord) -> Vec<Sent> {
    let mut session = session(&way.profile);
    for part in 0..record.count() {
        session.submit(record, part, 0x42, 7, Time(1_800_000_000_000), NOW).expect("it has a form");
    }
    let mut out = Vec::new();
    session.swap_output(&mut out);
    let (mut rest, mut sent) = (&out[..], Vec::new());
    while let Framed::Pdu(header, octets) = frame::read(rest, frame::LIMIT_BOUND) {
        let Ok(Pdu::SubmitSm(sm)) = decode(&header, octets, &Limits::default()) else { panic!("not a submit_sm: {header:?}") };
        let number = |tag| sm.tlvs.number(tag);
        sent.push(Sent {
            esm_class: sm.esm_class,
            data_coding: sm.data_coding,
            protocol_id: sm.protocol_id,
            short: sm.short_message.to_vec(),
            payload: sm.tlvs.get(tag::MESSAGE_PAYLOAD).map(<[u8]>::to_vec),
            sar: number(tag::SAR_MSG_REF_NUM).map(|reference| {
                let octet = |tag| number(tag).expect("all three") as u8;
                (reference as u16, octet(tag::SAR_TOTAL_SEGMENTS), octet(tag::SAR_SEGMENT_SEQNUM))
            }),
            subunit: number(tag::DEST_ADDR_SUBUNIT),
        });
        rest = &rest[octets.len()..];
    }
    assert!(rest.is_empty(), "whole PDUs only");
    sent
}

fn sent(way: &Way, body: Value) -> (usize, Vec<Sent>) {
    sent_under(way, &AccountRules { max_segments: 64, ..AccountRules::default() }, &body)
}

fn plain(data_coding: u8, short: &[u8]) -> Sent {
    Sent { esm_class: 0, data_coding, protocol_id: 0, short: short.to_vec(), payload: None, sar: None, subunit: None }
}

fn vectors(text: &str) -> Vec<Value> {
    let Value::Array(cases) = serde_json::from_str::<Value>(text).expect("JSON")["cases"].take() else { panic!("no cases") };
    cases
}

fn encodings() -> Vec<Value> {
    let cases = vectors(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/encodings.json")));
    // Not sendable through this interface: nothing, U+0000, and more than 64 segments.
    cases
        .into_iter()
        .filter(|case| {
            let text = case["text"].as_str().expect("text");
            !text.is_empty() && !text.contains('\0') && !text.contains("{{") && case["segments"].as_u64().is_some_and(|count| count <= 64)
        })
        .collect()
}

#[test]
fn every_vector_goes_out_with_its_octets_unpacked_and_packed() {
    let (unpacked, packed) = (way("", ""), way("alphabet = \"gsm7_packed\"", ""));
    let (mut singles, mut parts) = (0, 0);
    for case in encodings() {
        let (id, body) = (&case["id"], json!({ "text": case["text"] }));
        let (segments, plainly) = sent(&unpacked, body.clone());
        let (_, in_seven_bits) = sent(&packed, body);
        assert_eq!(case["segments"], segments, "{id}");
        assert_eq!((plainly.len(), in_seven_bits.len()), (segments, segments), "{id}");
        assert_eq!(plainly[0].data_coding, if case["encoding"] == "GSM-7" { 0 } else { 8 }, "{id}");
        for (form, expected) in case["hex"].as_object().into_iter().flatten() {
            let seen = if form == "gsm_packed" { &in_seven_bits } else { &plainly };
            assert_eq!(*expected, hex::encode(&seen[0].short), "{id} {form}");
            singles += 1;
        }
        for (index, expected) in case["hex_segments"].as_array().into_iter().flatten().enumerate() {
            let header = [5, 0, 3, 0x42, segments as u8, index as u8 + 1];
            assert_eq!(plainly[index].esm_class, 0x40, "{id}");
            assert_eq!(plainly[index].short[..6], header, "{id}");
            assert_eq!(expected["gsm_unpacked"], hex::encode(&plainly[index].short[6..]), "{id}");
            assert_eq!(expected["tpdu_ud_with_udh_ref_0x42"], hex::encode(&in_seven_bits[index].short), "{id}");
            parts += 1;
        }
    }
    assert!(singles > 300 && parts > 50, "{singles} {parts}");
}

#[test]
fn every_national_vector_goes_out_with_its_header_and_its_septets() {
    let languages = ["tr", "es", "pt", "bn", "gu", "hi", "kn", "ml", "or", "pa", "ta", "te", "ur"];
    let mut with_tables = 0;
    for case in vectors(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/national_shift.json"))) {
        let (id, language) = (&case["id"], languages[case["language_id"].as_u64().expect("an id") as usize - 1]);
        let (segments, sent) =
            sent(&way("", &format!("national = [\"{language}\"]\nnational_first = true")), json!({ "text": case["text"] }));
        let modes = case["modes"].as_object().expect("modes");
        let counts = modes.values().filter_map(|mode| mode["segments"].as_u64());
        let least = counts.chain(case["ucs2_segments"].as_u64()).min().expect("UCS-2 at least");
        // A text the default alphabet holds needs no tables, which no vector counts.
        assert!(segments as u64 <= least, "{id}: {segments} of {least}");
        if sent[0].data_coding != 0 || sent[0].esm_class == 0 || segments > 1 {
            continue;
        }
        let as_one = modes.values().any(|mode| {
            let (Some(header), Some(text)) = (mode["udh_hex"].as_str(), mode["gsm_unpacked_hex"].as_str()) else { return false };
            hex::encode(&sent[0].short) == format!("{header}{text}")
        });
        assert!(as_one, "{id}: {}", hex::encode(&sent[0].short));
        with_tables += 1;
    }
    assert!(with_tables > 30, "{with_tables}");
    let long = "ığşçİĞ ".repeat(60);
    let (segments, parts) = sent(&way("", "national = [\"tr\"]"), json!({ "text": long }));
    assert_eq!((segments, parts.len(), &parts[0].short[..9]), (3, 3, &[8, 0, 3, 0x42, 3, 1, 0x25, 1, 1][..]));
    assert_eq!(sent(&way("", ""), json!({ "text": long })).0, 7, "UCS-2 where no table is allowed");
}

#[test]
fn smart_substitution_gives_the_alphabet_the_vectors_say() {
    let way = way("", "");
    let mut cheaper = 0;
    for case in encodings() {
        let (before, after) = (&case["oracles"]["twilio"], &case["oracles"]["twilio_smart_encoding"]);
        let (segments, sent) = sent(&way, json!({ "text": case["text"], "substitute": "smart" }));
        if before["encoding"] == "UCS-2" && after["encoding"] == "GSM-7" && after["segments"].as_u64() <= case["segments"].as_u64() {
            assert_eq!((sent[0].data_coding, segments as u64), (0, after["segments"].as_u64().expect("a count")), "{}", case["id"]);
            cheaper += 1;
        } else {
            assert!(segments as u64 <= case["segments"].as_u64().expect("a count"), "{}", case["id"]);
        }
    }
    assert!(cheaper > 10, "{cheaper}");
    let map: Value =
        serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/smart_substitution.json"))).expect("JSON");
    for row in map["map"].as_array().expect("a list") {
        let (code, c, to) = (&row["from"], row["char"].as_str().expect("a character"), row["to"].as_str().expect("a text"));
        // U+0000 is refused at the door.
        if c == "\0" {
            continue;
        }
        let (_, seen) = sent(&way, json!({ "text": format!("a{c}b"), "substitute": "smart" }));
        let (_, expected) = sent(&way, json!({ "text": format!("a{to}b") }));
        assert_eq!(seen, expected, "{code}");
    }
}

#[test]
fn every_cell_of_the_default_tables_goes_out_as_its_septets() {
    let all: Value =
        serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/gsm_tables.json"))).expect("JSON");
    let way = way("", "");
    for (kind, escape) in [("locking", ""), ("single_shift", "1b")] {
        for (code, c) in all["tables"]["default"][kind].as_object().expect("a table") {
            let (_, seen) = sent(&way, json!({ "text": c }));
            assert_eq!((seen[0].data_coding, hex::encode(&seen[0].short)), (0, format!("{escape}{}", code.to_lowercase())), "{c}");
        }
    }
}

#[test]
fn a_latin_1_carrier_gets_latin_1_and_what_it_lacks_as_ucs2() {
    let latin1 = way("alphabet = \"latin1\"", "");
    assert_eq!(sent(&latin1, json!({ "text": "é@[{ñ" })), (1, vec![plain(0, b"\xe9@[{\xf1")]));
    assert_eq!(sent(&latin1, json!({ "text": "5€" })), (1, vec![plain(8, b"\0\x35\x20\xac")]));
    assert_eq!(sent(&latin1, json!({ "text": "ça" })), (1, vec![plain(8, b"\0\xe7\0a")]), "the handset has no ç in seven bits");
    // 160 septets are one segment, whatever the octets on this link; a Greek capital makes all of it UCS-2, and it is counted so.
    assert_eq!(sent(&latin1, json!({ "text": "[".repeat(80) })), (1, vec![plain(0, &b"[".repeat(80))]));
    assert_eq!(sent(&latin1, json!({ "text": format!("Ω{}", "a".repeat(99)) })).0, 2);
    let (segments, parts) = sent(&latin1, json!({ "text": "é".repeat(200) }));
    assert_eq!((segments, parts[0].short.len(), parts[0].esm_class), (2, 6 + 153, 0x40));
    assert_eq!(sent(&latin1, json!({ "text": "€", "message_class": "flash" })), (1, vec![plain(0x10, b"\x1be")]), "0x10 says GSM");
}

#[test]
fn an_ascii_carrier_gets_ascii_and_what_it_lacks_as_ucs2() {
    let ascii = way("alphabet = \"ascii\"", "");
    assert_eq!(sent(&ascii, json!({ "text": "a@[$_" })), (1, vec![plain(0, b"a@[$_")]));
    assert_eq!(sent(&ascii, json!({ "text": "é" })), (1, vec![plain(8, b"\0\xe9")]));
}

#[test]
fn sar_parameters_join_without_a_header_and_never_beside_one() {
    let sar = way("joining = \"sar\"", "national = [\"tr\"]");
    let (segments, parts) = sent(&sar, json!({ "text": "a".repeat(161) }));
    let expected = |place, count: usize| Sent { sar: Some((0x42, 2, place)), ..plain(0, &b"a".repeat(count)) };
    assert_eq!((segments, parts), (2, vec![expected(1, 153), expected(2, 8)]));
    assert_eq!(sent(&sar, json!({ "text": "a" })), (1, vec![plain(0, b"a")]));
    let (_, tables) = sent(&sar, json!({ "text": "ığşçİĞ ".repeat(60) }));
    assert!(tables.iter().all(|part| part.sar.is_none() && part.esm_class == 0x40));
    let (_, ports) = sent(&sar, json!({ "encoding": "binary", "data": "00".repeat(200), "ports": { "to": 2948, "from": 9200 } }));
    assert!(ports.iter().all(|part| part.sar.is_none() && part.short[0] == 11));
}

#[test]
fn a_carrier_that_cuts_gets_the_whole_text_once_and_its_segments_are_counted() {
    let payload = way("joining = \"payload\"", "national = [\"tr\"]");
    let (segments, parts) = sent(&payload, json!({ "text": "a".repeat(400) }));
    assert_eq!((segments, parts), (3, vec![Sent { payload: Some(b"a".repeat(400)), ..plain(0, b"") }]));
    assert_eq!(sent(&payload, json!({ "text": "a".repeat(160) })), (1, vec![plain(0, &b"a".repeat(160))]));
    let (segments, parts) = sent(&payload, json!({ "text": "ığşçİĞ ".repeat(60) }));
    assert_eq!((segments, parts.len(), parts[0].data_coding, parts[0].payload.as_ref().map(Vec::len)), (7, 1, 8, Some(840)));
    let (segments, parts) = sent(&payload, json!({ "encoding": "binary", "data": "00".repeat(200) }));
    assert_eq!((segments, parts.len()), (2, 2), "octets with headers are ours to cut");
}

#[test]
fn classes_and_protocol_identifiers_are_told_as_the_carrier_wants_them() {
    let rules = AccountRules {
        protocol_ids: vec![config::ProtocolId::Replace, config::ProtocolId::Silent],
        max_segments: 64,
        ..AccountRules::default()
    };
    let coding = |carrier: &str, body: Value| {
        let (_, parts) = sent_under(&way(carrier, ""), &rules, &body);
        (parts[0].data_coding, parts[0].subunit)
    };
    let bodies = |class: &str| {
        [
            json!({ "text": "a", "message_class": class }),
            json!({ "text": "ж", "message_class": class }),
            json!({ "encoding": "binary", "data": "01", "message_class": class }),
        ]
    };
    for (carrier, class, expected) in [
        ("", "flash", [(0x10, None), (0x18, None), (0x14, None)]),
        ("", "sim", [(0x12, None), (0x1A, None), (0x16, None)]),
        ("message_class_as = \"group\"", "flash", [(0xF0, None), (0x18, None), (0xF4, None)]),
        ("message_class_as = \"group\"", "handset", [(0xF1, None), (0x19, None), (0xF5, None)]),
        ("message_class_as = \"subunit\"", "flash", [(0, Some(1)), (8, Some(1)), (4, Some(1))]),
        ("message_class_as = \"subunit\"\nbinary_as = \"0xF5\"", "terminal", [(0, Some(4)), (8, Some(4)), (0xF5, Some(4))]),
    ] {
        for (body, expected) in bodies(class).into_iter().zip(expected) {
            assert_eq!(coding(carrier, body.clone()), expected, "{carrier} {body}");
        }
    }
    assert_eq!(coding("binary_as = \"0xF5\"", json!({ "encoding": "binary", "data": "01" })), (0xF5, None));
    for (word, expected) in [("silent", 0x40), ("replace_1", 0x41), ("replace_7", 0x47)] {
        let (_, parts) = sent_under(&way("", ""), &rules, &json!({ "text": "a", "protocol_id": word }));
        assert_eq!(parts[0].protocol_id, expected);
    }
}

#[test]
fn octets_are_cut_behind_headers_of_both_kinds() {
    let way = way("", "");
    let data = |count: usize| "ab".repeat(count);
    let (segments, parts) = sent(&way, json!({ "encoding": "binary", "data": data(140) }));
    assert_eq!((segments, parts), (1, vec![plain(4, &[0xAB; 140])]));
    let (segments, parts) = sent(&way, json!({ "encoding": "binary", "data": data(141) }));
    assert_eq!((segments, parts[0].short.len(), parts[1].short.len()), (2, 140, 6 + 7));
    let with_ports = |count| json!({ "encoding": "binary", "data": data(count), "ports": { "to": 2948, "from": 9200 } });
    let (segments, parts) = sent(&way, with_ports(133));
    assert_eq!((segments, &parts[0].short[..7], parts[0].esm_class), (1, &[6, 5, 4, 0x0B, 0x84, 0x23, 0xF0][..], 0x40));
    let (segments, parts) = sent(&way, with_ports(134));
    // 128 octets behind both elements (3GPP TS 23.040 clause 9.2.3.24).
    assert_eq!((segments, parts[0].short.len()), (2, 12 + 128));
    assert_eq!(parts[1].short[..12], [11, 0, 3, 0x42, 2, 2, 5, 4, 0x0B, 0x84, 0x23, 0xF0]);
}

#[test]
fn what_a_carrier_would_spoil_and_what_the_law_wants_is_counted() {
    assert_eq!(sent(&way("ucs2_bmp_only = true", ""), json!({ "text": "a🐍" })), (1, vec![plain(8, b"\0a\xff\xfd")]));
    let rules = AccountRules { stop_mention: "STOP au 36111".into(), ..AccountRules::default() };
    let sent = |text: &str, class: &str| sent_under(&way("", ""), &rules, &json!({ "text": text, "class": class }));
    assert_eq!(sent("Soldes", "marketing"), (1, vec![plain(0, b"Soldes STOP au 36111")]));
    assert_eq!(sent("Soldes, stop: 36111", "marketing"), (1, vec![plain(0, b"Soldes, stop: 36111")]));
    assert_eq!(sent("Soldes", "otp"), (1, vec![plain(0, b"Soldes")]));
    assert_eq!(sent(&"a".repeat(146), "marketing").0, 1);
    assert_eq!(sent(&"a".repeat(147), "marketing").0, 2, "the mention is counted before the text is cut");
}

#[test]
fn letters_are_respelt_only_where_it_saves_something() {
    let way = way("", "");
    let sent = |text: &str| sent(&way, json!({ "text": text, "substitute": "smart", "transliterate": "fr" }));
    assert_eq!(
        sent("l\u{2019}garçon à https://x.fr/ça"),
        (1, vec![plain(8, &"l\u{2019}garçon à https://x.fr/ça".encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>())]),
        "the address costs UCS-2 anyway"
    );
    assert_eq!(sent("l\u{2019}garçon"), (1, vec![plain(0, b"l'garcon")]));
    assert_eq!(sent("Élan 🐍 ç"), (1, vec![plain(8, &"Élan 🐍 ç".encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>())]));
}

/// What a handset's network would send for what we sent, heard by a session of the same carrier.
fn heard(way: &Way, sent: &[Sent]) -> Vec<Inbound> {
    let mut session = session(&way.profile);
    let mut joiner = crate::channel::sms::Joiner::new(way.profile.alphabet, crate::base::Span::secs(600), 100, 1 << 20);
    let mut heard_all = Vec::new();
    // In the worst order: the last part first.
    for (sequence, part) in sent.iter().enumerate().rev() {
        let mut tlvs = Vec::new();
        let mut put = |tag: u16, value: &[u8]| {
            tlvs.extend(tag.to_be_bytes());
            tlvs.extend((value.len() as u16).to_be_bytes());
            tlvs.extend_from_slice(value);
        };
        if let Some((reference, total, place)) = part.sar {
            put(tag::SAR_MSG_REF_NUM, &reference.to_be_bytes());
            put(tag::SAR_TOTAL_SEGMENTS, &[total]);
            put(tag::SAR_SEGMENT_SEQNUM, &[place]);
        }
        if let Some(payload) = &part.payload {
            put(tag::MESSAGE_PAYLOAD, payload);
        }
        let address = |digits| crate::wire::smpp::Address { ton: 1, npi: 1, digits };
        let sm = crate::wire::smpp::pdu::Sm {
            source: address(b"33612345678"),
            destination: address(b"36111"),
            esm_class: part.esm_class,
            data_coding: part.data_coding,
            short_message: &part.short,
            tlvs: crate::wire::smpp::Tlvs::from_octets(&tlvs).expect("parameters"),
            ..Default::default()
        };
        let mut pdu = Vec::new();
        write::deliver_sm(&mut pdu, sequence as u32 + 1, &sm, &[]).expect("writable");
        session
            .read(&pdu, NOW, &mut |heard| match heard {
                Heard::Inbound { message, .. } => heard_all.push(message),
                Heard::InboundPart { piece, .. } => {
                    heard_all.extend(joiner.part(&piece, sequence as u64 + 1, NOW).joined.map(|joined| joined.message));
                }
                other => panic!("{other:?}"),
            })
            .expect("bound");
    }
    heard_all
}

fn any_way() -> impl Strategy<Value = (&'static str, &'static str)> {
    let carriers = prop::sample::select(vec![
        "",
        "alphabet = \"latin1\"",
        "alphabet = \"ascii\"",
        "joining = \"sar\"",
        "joining = \"payload\"",
        "joining = \"sar\"\nalphabet = \"latin1\"",
        "joining = \"payload\"\nalphabet = \"ascii\"",
    ]);
    (carriers, prop::sample::select(vec!["", "national = [\"tr\", \"pt\", \"hi\"]"]))
}

proptest! {
    /// What the API counts is what is on the wire, and what is on the wire is the text.
    #[test]
    fn the_segments_told_are_the_parts_written_and_read_back(
        (carrier, route) in any_way(),
        text in "([a-z \\[é€]{1,120}|[a-zğşıİçã ]{1,90}|\\PC|नमस्ते|🇫🇷|[ж]{1,40}){1,8}",
        class in prop::sample::select(vec![None, Some("flash"), Some("sim")]),
    ) {
        prop_assume!(!["{{", "{%", "{#"].iter().any(|sign| text.contains(sign)));
        let way = way(carrier, route);
        let mut body = json!({ "text": text });
        if let Some(class) = class {
            body["message_class"] = class.into();
        }
        let (segments, sent) = sent(&way, body);
        if way.profile.joining == config::Joining::Payload {
            prop_assert_eq!(sent.len(), 1);
        } else {
            prop_assert_eq!(sent.len(), segments);
            for part in &sent {
                // 140 octets of user data, or as many septets as they hold.
                let units = part.short.len();
                prop_assert!(units <= if part.data_coding & 0x0C == 8 { 140 } else { 160 }, "{units}");
            }
        }
        let heard = heard(&way, &sent);
        prop_assert_eq!(heard.len(), 1);
        prop_assert_eq!(&heard[0].text, &text);
    }
}
