//! The session against a peer made of PDUs.

use super::*;
use crate::base::{Msisdn, Span, Time};
use crate::config::{self, MapSecrets};
use crate::message::composed::Composed;
use crate::message::event::{PartState, Piece};
use crate::message::record::MessageRecord;
use crate::message::{Class, DoubtPolicy, Encoding, Reference, record};
use crate::wire::smpp::pdu::Sm;
use crate::wire::smpp::{Tlv, frame as wire_frame};

const NOW: Mono = Mono(1_000_000);

fn profile(more: &str) -> Arc<Profile> {
    let text = format!(
        "[[carriers]]\nname = \"one\"\nhost = \"127.0.0.1\"\nsystem_id = \"relais\"\npassword = \"secret\"\nresponse_timeout = \"5s\"\n{more}\n"
    );
    let config = config::load(&text, &MapSecrets::default()).unwrap_or_else(|mistakes| panic!("{}", config::report("test", &mistakes)));
    Arc::new(Profile::new(&config.carriers[0], 1))
}

/// What was heard, in words that can be compared.
#[derive(Debug, PartialEq, Eq, Clone)]
enum Word {
    Up,
    Accepted(u32, String),
    Refused(u32, &'static str),
    Receipt(u32, String, PartState),
    Inbound(u32, Inbound),
    Piece(u32, Piece),
    Note(Note),
}

fn hear(session: &mut Session, octets: &[u8]) -> (Vec<Word>, Result<(), Over>) {
    let mut words = Vec::new();
    let over = session.read(octets, NOW, &mut |heard| {
        words.push(match heard {
            Heard::Up => Word::Up,
            Heard::Answer { sequence, answer: Answer::Accepted(id), .. } => Word::Accepted(sequence, id.to_owned()),
            Heard::Answer { sequence, answer, .. } => Word::Refused(
                sequence,
                match answer {
                    Answer::Throttled { .. } => "throttled",
                    Answer::Later { .. } => "later",
                    Answer::WrongSession { .. } => "wrong session",
                    Answer::Refused { .. } | Answer::Accepted(_) => "refused",
                },
            ),
            Heard::Receipt { sequence, receipt } => Word::Receipt(sequence, receipt.carrier_id.to_owned(), receipt.state),
            Heard::Inbound { sequence, message } => Word::Inbound(sequence, message),
            Heard::InboundPart { sequence, piece } => Word::Piece(sequence, piece),
            Heard::Note(note) => Word::Note(note),
        });
    });
    (words, over)
}

/// What the session has written: headers, in order.
fn written(session: &mut Session) -> Vec<Header> {
    let mut out = Vec::new();
    session.swap_output(&mut out);
    let (mut rest, mut headers) = (&out[..], Vec::new());
    while let Framed::Pdu(header, pdu) = wire_frame::read(rest, wire_frame::LIMIT_BOUND) {
        headers.push(header);
        rest = &rest[pdu.len()..];
    }
    assert!(rest.is_empty(), "whole PDUs only");
    headers
}

fn bound(more: &str, version: Option<u8>) -> Session {
    let mut session = Session::new(profile(more), BindKind::Transceiver, NOW);
    let bind = written(&mut session)[0];
    let mut resp = Vec::new();
    write::bind_resp(&mut resp, Status::ROK, bind.sequence, BindKind::Transceiver, b"smsc", version).expect("writable");
    assert_eq!(hear(&mut session, &resp), (vec![Word::Up], Ok(())));
    session
}

fn message(parts: u32) -> MessageRecord {
    let mut body = Vec::new();
    record::write(
        &Composed {
            to: Msisdn::parse("+33612345678").expect("a number"),
            from: "SHOP",
            client_ref: "",
            encoding: Encoding::Gsm7,
            octets: &vec![b'a'; parts as usize * 153],
            ends: &(1..=parts).map(|part| part * 153).collect::<Vec<_>>(),
            reference: Reference::Narrow,
            class: Class::Transactional,
            doubt: DoubtPolicy::ResendOnce,
            lifetime: Span::secs(60),
            line: 0,
            extras: crate::message::Extras::default(),
        },
        &mut body,
    );
    let mut bytes = bytes::Bytes::from(body);
    prost::decode_length_delimiter(&mut bytes).expect("a length");
    MessageRecord::read(bytes).expect("a record")
}

fn deliver(sequence: u32, esm_class: u8, text: &[u8], tlvs: &[Tlv<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let address = |digits| Address { ton: 1, npi: 1, digits };
    let sm = Sm { source: address(b"33612345678"), destination: address(b"36111"), esm_class, short_message: text, ..Sm::default() };
    write::deliver_sm(&mut out, sequence, &sm, tlvs).expect("writable");
    out
}

#[test]
fn a_refused_bind_says_why_and_a_silent_one_times_out() {
    let mut session = Session::new(profile(""), BindKind::Transceiver, NOW);
    let bind = written(&mut session)[0];
    assert_eq!(bind.command, command::BIND_TRANSCEIVER);
    let mut resp = Vec::new();
    write::bind_resp(&mut resp, Status::RINVPASWD, bind.sequence, BindKind::Transceiver, b"", None).expect("writable");
    assert_eq!(hear(&mut session, &resp), (vec![], Err(Over::BindRefused(Status::RINVPASWD.0))));
    let mut session = Session::new(profile(""), BindKind::Transceiver, NOW);
    assert_eq!(session.tick(NOW + Span::millis(9_999)), Ok(()));
    assert_eq!(session.tick(session.deadline()), Err(Over::BindTimeout));
}

#[test]
fn nothing_is_submitted_before_the_bind_or_on_a_receiver() {
    let mut session = Session::new(profile(""), BindKind::Receiver, NOW);
    assert_eq!(session.submit(&message(1), 0, 1, 1, Time(0), NOW), None);
    let bind = written(&mut session)[0];
    let mut resp = Vec::new();
    write::bind_resp(&mut resp, Status::ROK, bind.sequence, BindKind::Receiver, b"smsc", None).expect("writable");
    assert_eq!(hear(&mut session, &resp).0, [Word::Up]);
    assert_eq!(session.submit(&message(1), 0, 1, 1, Time(0), NOW), None);
}

#[test]
fn a_submit_has_its_header_validity_and_reference_and_tlvs_only_for_who_takes_them() {
    for (version, reference) in [(Some(0x34), Some(0xBEEF)), (None, None), (Some(0x33), None)] {
        let mut session = bound("", version);
        let record = message(2);
        for part in 0..2 {
            session.submit(&record, part, 0x42, 0xBEEF, Time(1_800_000_000_000), NOW).expect("bound");
        }
        let mut out = Vec::new();
        session.swap_output(&mut out);
        let mut rest = &out[..];
        for part in 1..=2u8 {
            let Framed::Pdu(header, pdu) = wire_frame::read(rest, wire_frame::LIMIT_BOUND) else { panic!("a whole PDU") };
            let Ok(Pdu::SubmitSm(sm)) = decode(&header, pdu, &Limits::default()) else { panic!("a submit_sm") };
            assert_eq!((sm.source.ton, sm.source.npi, sm.source.digits), (5, 0, &b"SHOP"[..]));
            assert_eq!((sm.destination.digits, sm.registered_delivery, sm.data_coding), (&b"33612345678"[..], 1, 0));
            assert_eq!((sm.esm_class, &sm.short_message[..6]), (esm::UDHI, &[5, 0, 3, 0x42, 2, part][..]));
            assert_eq!((sm.short_message.len(), sm.validity_period), (159, &b"270115080000000+"[..]));
            assert_eq!(sm.tlvs.number(tag::USER_MESSAGE_REFERENCE), reference);
            rest = &rest[pdu.len()..];
        }
    }
}

#[test]
fn sequence_numbers_wrap_to_one() {
    let mut session = bound("sequence_start = 2147483646", Some(0x34));
    let numbers: Vec<u32> = (0..3).filter_map(|_| session.submit(&message(1), 0, 0, 0, Time(0), NOW)).collect();
    assert_eq!(numbers, [0x7FFF_FFFF, 1, 2]);
}

#[test]
fn answers_are_classed_by_the_table_and_the_carriers_own_words() {
    let mut session = bound("[carriers.status]\n\"0x00000045\" = \"permanent\"", Some(0x34));
    let mut octets = Vec::new();
    write::submit_sm_resp(&mut octets, Status::ROK, 2, Some(b"0A1B")).expect("writable");
    for (sequence, status) in [(3, 0x58), (4, 0x14), (5, 0x08), (6, 0x0B), (7, 0x04), (8, 0x45), (9, 0x4FF)] {
        write::header(&mut octets, command::SUBMIT_SM_RESP, Status(status), sequence);
    }
    write::generic_nack(&mut octets, Status::RTHROTTLED, 10);
    let words = [
        Word::Accepted(2, "0A1B".into()),
        Word::Refused(3, "throttled"),
        Word::Refused(4, "throttled"),
        Word::Refused(5, "later"),
        Word::Refused(6, "refused"),
        Word::Refused(7, "wrong session"),
        Word::Refused(8, "refused"),
        Word::Refused(9, "later"),
        Word::Refused(10, "throttled"),
    ];
    for cut in 1..octets.len() {
        let mut session = bound("[carriers.status]\n\"0x00000045\" = \"permanent\"", Some(0x34));
        let (mut first, _) = hear(&mut session, &octets[..cut]);
        first.extend(hear(&mut session, &octets[cut..]).0);
        assert_eq!(first, words, "cut at {cut}");
    }
    assert_eq!(hear(&mut session, &octets).0, words);
}

#[test]
fn a_receipt_is_acknowledged_when_told_to_and_not_before() {
    let mut session = bound("", Some(0x34));
    let text = b"id:77 sub:001 dlvrd:001 submit date:2611220900 done date:2611220901 stat:DELIVRD err:000 text:x";
    let mut octets = deliver(9, esm::RECEIPT, text, &[]);
    octets.extend(deliver(10, esm::INTERMEDIATE, b"id:77 stat:ENROUTE err:000", &[]));
    let heard = hear(&mut session, &octets).0;
    assert_eq!(heard, [Word::Receipt(9, "77".into(), PartState::Delivered), Word::Receipt(10, "77".into(), PartState::Enroute)]);
    assert!(!session.has_output());
    session.acknowledge(9);
    assert_eq!(
        written(&mut session).iter().map(|h| (h.command, h.status, h.sequence)).collect::<Vec<_>>(),
        [(command::DELIVER_SM_RESP, 0, 9)]
    );
}

#[test]
fn a_message_from_a_handset_is_heard_as_text() {
    let mut session = bound("", Some(0x34));
    let message = Inbound { from: "33612345678".into(), to: "36111".into(), text: "STOP".into(), port: 0 };
    assert_eq!(hear(&mut session, &deliver(5, 0, b"STOP", &[])).0, [Word::Inbound(5, message)]);
}

#[test]
fn malformed_and_unknown_pdus_are_answered_and_the_session_survives_until_ten_are_too_many() {
    let mut session = bound("", Some(0x34));
    // A deliver_sm cut inside its source address, then a submit_sm, which no SMSC may send us.
    let whole = deliver(7, 0, b"hello", &[]);
    let mut cut = whole[..24].to_vec();
    cut[3] = 24;
    assert_eq!(hear(&mut session, &cut), (vec![Word::Note(Note::Malformed(Fault::Field))], Ok(())));
    let mut submit = whole.clone();
    submit[7] = 4;
    assert_eq!(hear(&mut session, &submit), (vec![Word::Note(Note::Malformed(Fault::Place))], Ok(())));
    let answers = written(&mut session);
    assert_eq!((answers[0].command, answers[0].status, answers[0].sequence), (command::DELIVER_SM_RESP, Status::RINVMSGLEN.0, 7));
    assert_eq!((answers[1].command, answers[1].status), (command::SUBMIT_SM_RESP, Status::RINVBNDSTS.0));
    let mut unknown = Vec::new();
    write::header(&mut unknown, 0x999, Status::ROK, 0);
    for _ in 1..NACKS_MAX {
        assert_eq!(hear(&mut session, &unknown), (vec![Word::Note(Note::Malformed(Fault::Command))], Ok(())));
    }
    let nacks = written(&mut session);
    assert!(nacks.iter().all(|h| (h.command, h.status, h.sequence) == (command::GENERIC_NACK, Status::RINVCMDID.0, 0)));
    assert_eq!(hear(&mut session, &unknown).1, Err(Over::Garbled));
}

#[test]
fn a_length_that_cannot_be_is_nacked_and_ends_the_session() {
    for octets in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 0, 0, 15, 0, 0, 0, 4], &[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 4]] {
        let mut session = bound("", Some(0x34));
        assert_eq!(hear(&mut session, octets).1, Err(Over::Garbled));
        assert_eq!(written(&mut session).last().map(|h| (h.command, h.status)), Some((command::GENERIC_NACK, Status::RINVCMDLEN.0)));
    }
}

#[test]
fn a_quiet_link_is_asked_and_two_silences_end_it() {
    let mut session = bound("enquire_link = \"30s\"", Some(0x34));
    assert_eq!(session.tick(NOW + Span::secs(29)), Ok(()));
    assert!(!session.has_output());
    assert_eq!(session.tick(NOW + Span::secs(30)), Ok(()));
    let enquiry = written(&mut session)[0];
    assert_eq!(enquiry.command, command::ENQUIRE_LINK);
    assert_eq!(session.tick(NOW + Span::secs(35)), Ok(()));
    assert_eq!(written(&mut session)[0].command, command::ENQUIRE_LINK);
    assert_eq!(session.tick(NOW + Span::secs(40)), Err(Over::Silent));
}

#[test]
fn the_peers_enquiries_are_answered_and_its_unbind_agreed_to() {
    let mut session = bound("", Some(0x34));
    let mut octets = Vec::new();
    write::enquire_link(&mut octets, 0xFFFF_FFFF);
    write::unbind(&mut octets, 0);
    assert_eq!(hear(&mut session, &octets).1, Err(Over::PeerUnbound));
    let answers: Vec<(u32, u32)> = written(&mut session).iter().map(|h| (h.command, h.sequence)).collect();
    assert_eq!(answers, [(command::ENQUIRE_LINK_RESP, 0xFFFF_FFFF), (command::UNBIND_RESP, 0)]);
}

#[test]
fn an_unbind_of_ours_ends_with_its_answer_or_in_time() {
    let mut session = bound("", Some(0x34));
    session.unbind(NOW);
    let unbind = written(&mut session)[0];
    assert_eq!(session.submit(&message(1), 0, 0, 0, Time(0), NOW), None);
    let mut resp = Vec::new();
    write::unbind_resp(&mut resp, unbind.sequence);
    assert_eq!(hear(&mut session, &resp).1, Err(Over::Unbound));
    let mut session = bound("", Some(0x34));
    session.unbind(NOW);
    assert_eq!(session.tick(NOW + Span::secs(5)), Err(Over::Unbound));
}

#[test]
fn a_pdu_that_comes_octet_by_octet_is_taken_in_ten_seconds_or_ends_the_session() {
    let octets = deliver(7, 0, b"hello", &[]);
    let drip = |session: &mut Session, step: Span| {
        let (mut now, mut heard) = (NOW, 0);
        for octet in &octets {
            now = now + step;
            session.read(&[*octet], now, &mut |_| heard += 1)?;
            if now >= session.deadline() {
                session.tick(now)?;
            }
        }
        Ok(heard)
    };
    assert_eq!(drip(&mut bound("enquire_link = \"10m\"", Some(0x34)), Span::millis(100)), Ok(1));
    assert_eq!(drip(&mut bound("", Some(0x34)), Span::secs(1)), Err(Over::Garbled));
    // What is whole leaves nothing behind that could be late.
    let mut session = bound("", Some(0x34));
    assert_eq!(hear(&mut session, &octets[..20]), (vec![], Ok(())));
    assert_eq!(session.deadline(), NOW + PARTIAL);
    assert_eq!(hear(&mut session, &octets[20..]).0.len(), 1);
    assert_eq!(session.tick(NOW + PARTIAL), Ok(()));
}

#[test]
fn a_peer_that_asks_and_does_not_read_is_left() {
    let mut session = bound("", Some(0x34));
    let mut enquiries = Vec::new();
    (0..1_000).for_each(|n| write::enquire_link(&mut enquiries, n));
    let rounds = (0..1_000).take_while(|_| hear(&mut session, &enquiries).1.is_ok()).count();
    assert_eq!(rounds, OUT_BYTES_MAX / enquiries.len());
    assert_eq!(hear(&mut session, &enquiries).1, Err(Over::Silent));
    assert!(session.out.len() <= OUT_BYTES_MAX + 16);
}

proptest::proptest! {
    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
        let mut session = bound("", Some(0x34));
        let _ = hear(&mut session, &octets);
    }
}
