//! Two readers of one PDU: what our writers write is what `rusmpp` reads, and what `rusmpp` writes is what ours reads,
//! field by field, for anything that can be said.

use bytes::BytesMut;
use proptest::prelude::*;
use relais::wire::smpp::template::Place;
use relais::wire::smpp::{Address, Framed, Limits, Pdu, Segment, Status, SubmitOptions, SubmitTemplate, Tlvs, decode, frame, pdu, write};
use rusmpp::pdus::{DeliverSm, SubmitSm, SubmitSmResp};
use rusmpp::tokio_codec::CommandCodec;
use rusmpp::types::{COctetString, OctetString};
use rusmpp::values::{DataCoding, EsmClass, Npi, RegisteredDelivery, Ton};
use rusmpp::{Command, CommandStatus};
use std::str::FromStr as _;
use tokio_util::codec::{Decoder as _, Encoder as _};

fn theirs(octets: &[u8]) -> Option<Command> {
    CommandCodec::new().decode(&mut BytesMut::from(octets)).ok().flatten()
}

fn written(sequence: u32, pdu: impl Into<rusmpp::Pdu>) -> Vec<u8> {
    let mut out = BytesMut::new();
    let command = Command::builder().status(CommandStatus::EsmeRok).sequence_number(sequence).pdu(pdu);
    CommandCodec::new().encode(command, &mut out).expect("it can be written");
    out.to_vec()
}

fn submit(octets: &[u8]) -> SubmitSm {
    match theirs(octets).expect("it reads what we write").pdu() {
        Some(rusmpp::Pdu::SubmitSm(sm)) => sm.clone(),
        other => panic!("{other:?}"),
    }
}

/// Cases of each property: 2,000 in the usual run, `RELAIS_FUZZ_ROUNDS` for a longer one.
fn cases() -> u32 {
    std::env::var("RELAIS_FUZZ_ROUNDS").ok().map_or(2_000, |rounds| rounds.parse().expect("a number"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn the_template_writes_what_another_reader_reads(
        source in "[ -~]{0,20}", dest in "[0-9]{1,20}", service in "[A-Z]{0,5}",
        numbers in any::<[u8; 7]>(), esm_bits in any::<u8>(), sequence in 1u32..0x7FFF_FFFF,
        udh in prop::collection::vec(any::<u8>(), 0..7), payload in prop::collection::vec(any::<u8>(), 0..134),
        dated in any::<bool>(), reference in any::<Option<u16>>(),
    ) {
        let [ton, npi, dest_ton, dest_npi, registered, coding, protocol] = numbers;
        let (ton, npi, dest_ton, dest_npi) = (ton % 7, npi % 2, dest_ton % 7, dest_npi % 2);
        let options = SubmitOptions {
            service_type: service.as_bytes(),
            source: Address { ton, npi, digits: source.as_bytes() },
            dest_ton, dest_npi, protocol_id: protocol, registered_delivery: registered, data_coding: coding,
            place: Place::ShortMessage,
            ..SubmitOptions::default()
        };
        let template = SubmitTemplate::new(&options).expect("it fits");
        let user_reference = reference.map(|reference| [2, 4, 0, 2, (reference >> 8) as u8, reference as u8]);
        let tlvs = user_reference.as_ref().map_or(Tlvs::EMPTY, |octets| Tlvs::from_octets(octets).expect("one"));
        let validity: &[u8] = if dated { b"270115080000000+" } else { b"" };
        let segment = Segment { udh: &udh, payload: &payload, validity, esm_bits: esm_bits & 0xC3, tlvs };
        let mut out = Vec::new();
        template.write(&mut out, sequence, dest.as_bytes(), &segment).expect("it fits");
        let command = theirs(&out).expect("it reads what we write");
        prop_assert_eq!(command.sequence_number(), sequence);
        let sm = submit(&out);
        prop_assert_eq!(sm.source_addr.as_str(), source.as_str());
        prop_assert_eq!(sm.destination_addr.as_str(), dest.as_str());
        prop_assert_eq!((u8::from(sm.source_addr_ton), u8::from(sm.source_addr_npi)), (ton, npi));
        prop_assert_eq!((u8::from(sm.dest_addr_ton), u8::from(sm.dest_addr_npi)), (dest_ton, dest_npi));
        prop_assert_eq!((u8::from(sm.registered_delivery), u8::from(sm.data_coding), sm.protocol_id), (registered, coding, protocol));
        prop_assert_eq!(sm.validity_period.as_str().as_bytes(), validity);
        prop_assert_eq!(sm.short_message().as_ref() as &[u8], [&udh[..], &payload].concat());
        prop_assert_eq!(u8::from(sm.esm_class) & 0x40 != 0, esm_bits & 0x40 != 0 || !udh.is_empty());
        prop_assert_eq!(sm.tlvs().len(), usize::from(reference.is_some()));
        // And ours reads the same again.
        let Framed::Pdu(header, whole) = frame::read(&out, frame::LIMIT_BOUND) else { panic!("a whole PDU") };
        let Ok(Pdu::SubmitSm(ours)) = decode(&header, whole, &Limits::default()) else { panic!("a submit_sm") };
        prop_assert_eq!((ours.source.digits, ours.destination.digits), (source.as_bytes(), dest.as_bytes()));
        prop_assert_eq!(ours.short_message, [&udh[..], &payload].concat());
        prop_assert_eq!(ours.tlvs.number(0x0204), reference.map(u32::from));
    }

    #[test]
    fn what_another_writer_writes_is_read_field_by_field(
        source in "[ -~]{0,20}", dest in "[ -~]{0,20}", sequence in any::<u32>(),
        esm in any::<u8>(), coding in any::<u8>(), text in prop::collection::vec(any::<u8>(), 0..255), id in "[ -~]{0,64}",
    ) {
        let sm = DeliverSm::builder()
            .source_addr_ton(Ton::from(1)).source_addr_npi(Npi::from(1)).source_addr(COctetString::from_str(&source).expect("short"))
            .dest_addr_ton(Ton::from(5)).dest_addr_npi(Npi::from(0)).destination_addr(COctetString::from_str(&dest).expect("short"))
            .esm_class(EsmClass::from(esm)).data_coding(DataCoding::from(coding)).registered_delivery(RegisteredDelivery::from(0))
            .short_message(OctetString::from_slice(&text).expect("short"))
            .build();
        let octets = written(sequence, sm.clone());
        let Framed::Pdu(header, whole) = frame::read(&octets, frame::LIMIT_BOUND) else { panic!("a whole PDU") };
        let decoded = decode(&header, whole, &Limits::default());
        let Ok(Pdu::DeliverSm(ours)) = &decoded else { panic!("{decoded:?}") };
        prop_assert_eq!(header.sequence, sequence);
        prop_assert_eq!((ours.source.digits, ours.destination.digits), (source.as_bytes(), dest.as_bytes()));
        prop_assert_eq!((ours.source.ton, ours.destination.ton, ours.short_message), (1, 5, &text[..]));
        prop_assert_eq!((ours.esm_class, ours.data_coding), (u8::from(sm.esm_class), u8::from(sm.data_coding)));
        let response = SubmitSmResp::builder().message_id(COctetString::from_str(&id).expect("short")).build();
        let octets = written(sequence, response);
        let Framed::Pdu(header, whole) = frame::read(&octets, frame::LIMIT_BOUND) else { panic!("a whole PDU") };
        let Ok(Pdu::SubmitSmResp(ours)) = decode(&header, whole, &Limits::default()) else { panic!("a response") };
        prop_assert_eq!(ours.message_id.unwrap_or_default(), id.as_bytes());
    }

    #[test]
    fn what_both_readers_take_they_read_alike(
        at in 16usize..80, to in any::<u8>(), cut in 0usize..20, text in prop::collection::vec(any::<u8>(), 0..30),
    ) {
        let mut octets = Vec::new();
        let address = |digits| Address { ton: 1, npi: 1, digits };
        let sm = pdu::Sm { source: address(b"SHOP"), destination: address(b"33612345678"), short_message: &text, ..pdu::Sm::default() };
        write::submit_sm(&mut octets, 7, &sm, &[]).expect("it fits");
        // One octet changed, the end cut off: damage both may take or refuse.
        octets.truncate(octets.len().saturating_sub(cut).max(16));
        if let Some(octet) = octets.get_mut(at) {
            *octet = to;
        }
        let length = octets.len() as u32;
        octets[..4].copy_from_slice(&length.to_be_bytes());
        let Framed::Pdu(header, whole) = frame::read(&octets, frame::LIMIT_BOUND) else { panic!("a whole PDU") };
        let ours = decode(&header, whole, &Limits::default());
        if let (Ok(Pdu::SubmitSm(ours)), Some(command)) = (&ours, theirs(&octets))
            && let Some(rusmpp::Pdu::SubmitSm(theirs)) = command.pdu()
        {
            prop_assert_eq!(ours.source.digits, theirs.source_addr.as_str().as_bytes());
            prop_assert_eq!(ours.destination.digits, theirs.destination_addr.as_str().as_bytes());
            prop_assert_eq!(ours.short_message, theirs.short_message().as_ref() as &[u8]);
        }
    }
}

#[test]
fn the_statuses_are_the_same_numbers() {
    for (ours, theirs) in [
        (Status::ROK, CommandStatus::EsmeRok),
        (Status::RINVMSGLEN, CommandStatus::EsmeRinvmsglen),
        (Status::RTHROTTLED, CommandStatus::EsmeRthrottled),
    ] {
        assert_eq!(ours.0, u32::from(theirs));
    }
}
