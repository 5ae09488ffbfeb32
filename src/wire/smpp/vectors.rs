//! The 226 PDUs of `pdus.json` against this codec, and this codec against rusmpp.
//!
//! Tests only.

use bytes::BytesMut;
use serde_json::{Value, json};
use tokio_util::codec::Decoder;

use super::command;
use super::decode::{Limits, Trailing, decode};
use super::frame::{self, Framed, Header, LIMIT_BOUND};
use super::pdu::{Address, Destination, Pdu, Sm};
use super::status::Status;
use super::tlv::{self, Tlvs};
use super::write;

/// What rusmpp makes of a PDU.
pub(super) fn rusmpp(octets: &[u8]) -> Option<rusmpp::Command> {
    let mut codec = rusmpp::tokio_codec::CommandCodec::new().without_max_length();
    codec.decode(&mut BytesMut::from(octets)).ok().flatten()
}

pub(super) fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/pdus.json")).unwrap()
}

pub(super) fn octets_of(case: &Value) -> Vec<u8> {
    hex::decode(case["hex"].as_str().unwrap()).unwrap()
}

pub(super) fn framed(octets: &[u8]) -> Header {
    match frame::read(octets, LIMIT_BOUND) {
        Framed::Pdu(header, whole) => {
            assert_eq!(whole, octets);
            header
        }
        other => panic!("{other:?}"),
    }
}

fn text(octets: &[u8]) -> Value {
    std::str::from_utf8(octets).unwrap().into()
}

fn put_address(fields: &mut Value, prefix: [&str; 2], address: &Address<'_>) {
    fields[format!("{}_ton", prefix[0])] = address.ton.into();
    fields[format!("{}_npi", prefix[0])] = address.npi.into();
    fields[prefix[1]] = text(address.digits);
}

const SOURCE: [&str; 2] = ["source_addr", "source_addr"];
const DEST: [&str; 2] = ["dest_addr", "destination_addr"];

fn put_sm(fields: &mut Value, sm: &Sm<'_>) {
    fields["service_type"] = text(sm.service_type);
    put_address(fields, SOURCE, &sm.source);
    fields["esm_class"] = sm.esm_class.into();
    fields["protocol_id"] = sm.protocol_id.into();
    fields["priority_flag"] = sm.priority.into();
    fields["schedule_delivery_time"] = text(sm.schedule_delivery_time);
    fields["validity_period"] = text(sm.validity_period);
    fields["registered_delivery"] = sm.registered_delivery.into();
    fields["replace_if_present_flag"] = sm.replace_if_present.into();
    fields["data_coding"] = sm.data_coding.into();
    fields["sm_default_msg_id"] = sm.sm_default_msg_id.into();
    put_short_message(fields, sm.short_message);
}

fn put_short_message(fields: &mut Value, message: &[u8]) {
    fields["sm_length"] = message.len().into();
    fields["short_message_hex"] = hex::encode(message).into();
}

/// A PDU in the words of the vectors: its fields and its parameters; `None` for what this codec does not decode.
fn described<'a>(pdu: &Pdu<'a>) -> Option<(Value, Tlvs<'a>)> {
    let mut f = json!({});
    let mut tlvs = Tlvs::EMPTY;
    match pdu {
        Pdu::Bind(_, bind) => {
            f["system_id"] = text(bind.system_id);
            f["password"] = text(bind.password);
            f["system_type"] = text(bind.system_type);
            f["interface_version"] = bind.interface_version.into();
            put_address(&mut f, ["addr", "address_range"], &bind.range);
            tlvs = bind.tlvs;
        }
        Pdu::BindResp(_, resp) => {
            if let Some(id) = resp.system_id {
                f["system_id"] = text(id);
            }
            tlvs = resp.tlvs;
        }
        Pdu::Outbind(outbind) => {
            f["system_id"] = text(outbind.system_id);
            f["password"] = text(outbind.password);
        }
        Pdu::SubmitSm(sm) | Pdu::DeliverSm(sm) => {
            put_sm(&mut f, sm);
            put_address(&mut f, DEST, &sm.destination);
            tlvs = sm.tlvs;
        }
        Pdu::SubmitSmResp(resp) | Pdu::DeliverSmResp(resp) | Pdu::DataSmResp(resp) => {
            if let Some(id) = resp.message_id {
                f["message_id"] = text(id);
            }
            tlvs = resp.tlvs;
        }
        Pdu::DataSm(data) => {
            f["service_type"] = text(data.service_type);
            put_address(&mut f, SOURCE, &data.source);
            put_address(&mut f, DEST, &data.destination);
            f["esm_class"] = data.esm_class.into();
            f["registered_delivery"] = data.registered_delivery.into();
            f["data_coding"] = data.data_coding.into();
            tlvs = data.tlvs;
        }
        Pdu::SubmitMulti(multi) => {
            put_sm(&mut f, &multi.sm);
            let one = |destination: Destination<'_>| match destination {
                Destination::Address(address) => {
                    let mut f = json!({});
                    put_address(&mut f, DEST, &address);
                    f
                }
                Destination::List(name) => json!({"dl_name": text(name)}),
            };
            let all: Vec<Value> = multi.destinations.iter().map(one).collect();
            assert_eq!(all.len(), usize::from(multi.destinations.count()));
            f["dest_address"] = all.into();
            tlvs = multi.sm.tlvs;
        }
        Pdu::SubmitMultiResp(resp) => {
            if let Some(id) = resp.message_id {
                f["message_id"] = text(id);
                let one = |(address, status): (Address<'_>, Status)| {
                    let mut f = json!({"error_status_code": status.0});
                    put_address(&mut f, DEST, &address);
                    f
                };
                f["unsuccess_sme"] = resp.refused().map(one).collect();
            }
            tlvs = resp.tlvs;
        }
        Pdu::QuerySm(query) => {
            f["message_id"] = text(query.message_id);
            put_address(&mut f, SOURCE, &query.source);
        }
        Pdu::QuerySmResp(resp) => {
            if let Some(resp) = resp {
                f["message_id"] = text(resp.message_id);
                f["final_date"] = text(resp.final_date);
                f["message_state"] = resp.message_state.into();
                f["error_code"] = resp.error_code.into();
                tlvs = resp.tlvs;
            }
        }
        Pdu::CancelSm(cancel) => {
            f["service_type"] = text(cancel.service_type);
            f["message_id"] = text(cancel.message_id);
            put_address(&mut f, SOURCE, &cancel.source);
            put_address(&mut f, DEST, &cancel.destination);
        }
        Pdu::ReplaceSm(replace) => {
            f["message_id"] = text(replace.message_id);
            put_address(&mut f, SOURCE, &replace.source);
            f["schedule_delivery_time"] = text(replace.schedule_delivery_time);
            f["validity_period"] = text(replace.validity_period);
            f["registered_delivery"] = replace.registered_delivery.into();
            f["sm_default_msg_id"] = replace.sm_default_msg_id.into();
            put_short_message(&mut f, replace.short_message);
            tlvs = replace.tlvs;
        }
        Pdu::AlertNotification(alert) => {
            put_address(&mut f, SOURCE, &alert.source);
            put_address(&mut f, ["esme_addr", "esme_addr"], &alert.esme);
            tlvs = alert.tlvs;
        }
        Pdu::Unbind
        | Pdu::UnbindResp
        | Pdu::EnquireLink
        | Pdu::EnquireLinkResp
        | Pdu::GenericNack
        | Pdu::CancelSmResp
        | Pdu::ReplaceSmResp => {}
        Pdu::Unknown(..) => return None,
    }
    Some((f, tlvs))
}

#[test]
fn all_226_pdus_are_read_field_by_field_and_written_back_octet_by_octet() {
    let (mut known, mut unknown) = (0, 0);
    for case in vectors()["cases"].as_array().unwrap() {
        let octets = octets_of(case);
        let header = framed(&octets);
        let number = |name: &str| case[name].as_u64().unwrap() as u32;
        assert_eq!(header.length, number("command_length"));
        assert_eq!(header.command, number("command_id"));
        assert_eq!(header.status, number("command_status"));
        assert_eq!(header.sequence, number("sequence_number"));

        let strict = Limits { trailing: Trailing::Refuse, ..Limits::default() };
        let pdu = decode(&header, &octets, &strict).unwrap();
        assert_eq!(pdu.command(), header.command, "{case}");
        match described(&pdu) {
            Some((fields, tlvs)) => {
                known += 1;
                assert_eq!(command::name(header.command), case["command"].as_str().unwrap());
                assert_eq!(fields, case["fields"], "{}", case["id"]);
                check_tlvs(tlvs, case);
            }
            None => {
                unknown += 1;
                assert!(case["command"].as_str().unwrap().contains("broadcast"), "{}", case["id"]);
            }
        }
        let mut written = vec![1];
        write::pdu(&mut written, Status(header.status), header.sequence, &pdu).unwrap();
        assert_eq!(hex::encode(&written[1..]), case["hex"].as_str().unwrap(), "{}", case["id"]);
    }
    assert_eq!((known, unknown), (209, 17));
}

fn check_tlvs(tlvs: Tlvs<'_>, case: &Value) {
    let theirs = case["tlvs"].as_array().unwrap();
    assert_eq!(tlvs.iter().count(), theirs.len(), "{}", case["id"]);
    for (ours, theirs) in tlvs.iter().zip(theirs) {
        assert_eq!(u64::from(ours.tag), theirs["tag"].as_u64().unwrap());
        assert_eq!(hex::encode(ours.value), theirs["value_hex"].as_str().unwrap());
        assert_eq!(ours.value.len() as u64, theirs["length"].as_u64().unwrap());
        if let Some(name) = theirs["name"].as_str() {
            assert_eq!(tlv::name(ours.tag), Some(name));
        }
        match &theirs["value"] {
            Value::Number(number) => assert_eq!(tlvs.number(ours.tag).map(u64::from), number.as_u64()),
            Value::String(string) => assert_eq!(tlvs.string(ours.tag), Some(string.as_bytes())),
            _ => {}
        }
    }
}

#[test]
fn rusmpp_reads_the_same_out_of_every_pdu_it_can_read() {
    let mut compared = 0;
    for case in vectors()["cases"].as_array().unwrap() {
        let agrees = case["verified_by"].as_array().unwrap().iter().any(|by| by.as_str().unwrap().starts_with("rusmpp"));
        if !agrees {
            continue;
        }
        let octets = octets_of(case);
        let header = framed(&octets);
        let ours = decode(&header, &octets, &Limits::default()).unwrap();
        let theirs = rusmpp(&octets).unwrap_or_else(|| panic!("{}", case["id"]));
        assert_eq!(u32::from(theirs.id()), header.command);
        assert_eq!(u32::from(theirs.status), header.status);
        assert_eq!(theirs.sequence_number, header.sequence);
        compared += u32::from(same_as_rusmpp(&ours, theirs.pdu()));
    }
    // All messages, binds and their responses; of the others, the header.
    assert_eq!(compared, 178);
}

/// Compares the fields of the commands that carry messages; false for the others, of which the header is enough.
fn same_as_rusmpp(ours: &Pdu<'_>, theirs: Option<&rusmpp::Pdu>) -> bool {
    use rusmpp::Pdu as Their;
    macro_rules! bind {
        ($b:expr, $t:expr) => {{
            assert_eq!($t.system_id.as_str().as_bytes(), $b.system_id);
            assert_eq!($t.password.as_str().as_bytes(), $b.password);
            assert_eq!($t.system_type.as_str().as_bytes(), $b.system_type);
            assert_eq!(u8::from($t.interface_version), $b.interface_version);
            assert_eq!((u8::from($t.addr_ton), u8::from($t.addr_npi)), ($b.range.ton, $b.range.npi));
            assert_eq!($t.address_range.as_str().as_bytes(), $b.range.digits);
        }};
    }
    macro_rules! sm {
        ($s:expr, $t:expr) => {{
            assert_eq!($t.service_type.value().as_str().as_bytes(), $s.service_type);
            let source = (u8::from($t.source_addr_ton), u8::from($t.source_addr_npi), $t.source_addr.as_str().as_bytes());
            assert_eq!(source, ($s.source.ton, $s.source.npi, $s.source.digits));
            let dest = (u8::from($t.dest_addr_ton), u8::from($t.dest_addr_npi), $t.destination_addr.as_str().as_bytes());
            assert_eq!(dest, ($s.destination.ton, $s.destination.npi, $s.destination.digits));
            assert_eq!(u8::from($t.esm_class), $s.esm_class);
            assert_eq!(u8::from($t.registered_delivery), $s.registered_delivery);
            assert_eq!(u8::from($t.data_coding), $s.data_coding);
            let tags: Vec<u16> = $t.tlvs().iter().map(|t| u16::from(t.tag())).collect();
            assert_eq!(tags, $s.tlvs.iter().map(|t| t.tag).collect::<Vec<_>>());
        }};
    }
    macro_rules! whole {
        ($s:expr, $t:expr) => {{
            sm!($s, $t);
            assert_eq!($t.protocol_id, $s.protocol_id);
            assert_eq!(u8::from($t.priority_flag), $s.priority);
            assert_eq!($t.schedule_delivery_time.as_str().as_bytes(), $s.schedule_delivery_time);
            assert_eq!($t.validity_period.as_str().as_bytes(), $s.validity_period);
            assert_eq!(u8::from($t.replace_if_present_flag), $s.replace_if_present);
            assert_eq!($t.sm_default_msg_id, $s.sm_default_msg_id);
            assert_eq!($t.short_message().as_ref(), $s.short_message);
        }};
    }
    match (ours, theirs) {
        (Pdu::Bind(_, b), Some(Their::BindTransmitter(t))) => bind!(b, t),
        (Pdu::Bind(_, b), Some(Their::BindReceiver(t))) => bind!(b, t),
        (Pdu::Bind(_, b), Some(Their::BindTransceiver(t))) => bind!(b, t),
        (Pdu::SubmitSm(s), Some(Their::SubmitSm(t))) => whole!(s, t),
        (Pdu::DeliverSm(s), Some(Their::DeliverSm(t))) => whole!(s, t),
        (Pdu::DataSm(s), Some(Their::DataSm(t))) => sm!(s, t),
        (Pdu::SubmitSmResp(r), Some(Their::SubmitSmResp(t))) => {
            assert_eq!(t.message_id().as_str().as_bytes(), r.message_id.unwrap());
        }
        (Pdu::DeliverSmResp(r), Some(Their::DeliverSmResp(t))) => {
            assert_eq!(t.message_id().as_str().as_bytes(), r.message_id.unwrap());
        }
        (Pdu::DataSmResp(r), Some(Their::DataSmResp(t))) => {
            assert_eq!(t.message_id().as_str().as_bytes(), r.message_id.unwrap());
        }
        (Pdu::BindResp(_, r), Some(Their::BindTransmitterResp(t))) => assert_eq!(t.system_id.as_str().as_bytes(), r.system_id.unwrap()),
        (Pdu::BindResp(_, r), Some(Their::BindReceiverResp(t))) => assert_eq!(t.system_id.as_str().as_bytes(), r.system_id.unwrap()),
        (Pdu::BindResp(_, r), Some(Their::BindTransceiverResp(t))) => assert_eq!(t.system_id.as_str().as_bytes(), r.system_id.unwrap()),
        // A header alone is no PDU for rusmpp.
        (Pdu::SubmitSmResp(r), None) => assert_eq!(r.message_id, None),
        (Pdu::BindResp(_, r), None) => assert_eq!(r.system_id, None),
        _ => return false,
    }
    true
}
