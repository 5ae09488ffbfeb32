//! One PDU, two readers: what ours and `rusmpp` both take, they read alike, field by field.

use super::wire::head_of;
use bytes::BytesMut;
use relais::wire::smpp::{Framed, Limits, Pdu, Status, Trailing, command, decode, frame, pdu};
use rusmpp::tokio_codec::CommandCodec;
use tokio_util::codec::Decoder as _;

/// submit_sm and deliver_sm have the same fields, and to `rusmpp` no type in common.
macro_rules! same {
    ($ours:expr, $theirs:expr) => {{
        let numbers = [
            u8::from($theirs.source_addr_ton),
            u8::from($theirs.source_addr_npi),
            u8::from($theirs.dest_addr_ton),
            u8::from($theirs.dest_addr_npi),
            u8::from($theirs.esm_class),
            $theirs.protocol_id,
            u8::from($theirs.registered_delivery),
            u8::from($theirs.data_coding),
            $theirs.sm_default_msg_id,
        ];
        let words = [
            $theirs.source_addr.as_str(),
            $theirs.destination_addr.as_str(),
            $theirs.schedule_delivery_time.as_str(),
            $theirs.validity_period.as_str(),
        ];
        same($ours, numbers, words, $theirs.short_message().as_ref());
        assert_eq!($ours.tlvs.iter().count(), $theirs.tlvs().len());
    }};
}

/// Two octets steer, the rest is the body of a PDU both know.
pub(super) fn smpp_both(data: &[u8]) {
    let Some((head, body)) = data.split_at_checked(2) else { return };
    let ids = [4, 5, 9, 0x15, 6, 4 | command::RESPONSE, 9 | command::RESPONSE, 0x15 | command::RESPONSE, command::RESPONSE];
    let octets = [&head_of(16 + body.len(), ids[usize::from(head[0]) % ids.len()], Status(0), u32::from(head[1])), body].concat();
    let Framed::Pdu(header, whole) = frame::read(&octets, frame::LIMIT_BOUND) else { return };
    let limits = Limits { trailing: Trailing::Refuse, ..Limits::default() };
    let (Ok(ours), Ok(Some(theirs))) = (decode(&header, whole, &limits), CommandCodec::new().decode(&mut BytesMut::from(&octets[..])))
    else {
        return;
    };
    assert_eq!(header.sequence, theirs.sequence_number());
    assert_eq!(header.command, u32::from(theirs.id()));
    match (&ours, theirs.pdu()) {
        (Pdu::SubmitSm(ours), Some(rusmpp::Pdu::SubmitSm(theirs))) => same!(ours, theirs),
        (Pdu::DeliverSm(ours), Some(rusmpp::Pdu::DeliverSm(theirs))) => same!(ours, theirs),
        (Pdu::SubmitSmResp(ours), Some(rusmpp::Pdu::SubmitSmResp(theirs))) => {
            assert_eq!(ours.message_id.unwrap_or_default(), theirs.message_id().as_str().as_bytes());
        }
        (Pdu::BindResp(_, ours), Some(rusmpp::Pdu::BindTransceiverResp(theirs))) => {
            assert_eq!(ours.system_id.unwrap_or_default(), theirs.system_id.as_str().as_bytes());
        }
        (Pdu::EnquireLinkResp, Some(rusmpp::Pdu::EnquireLinkResp))
        | (Pdu::UnbindResp, Some(rusmpp::Pdu::UnbindResp))
        | (Pdu::GenericNack, Some(rusmpp::Pdu::GenericNack)) => {}
        // A body where there is to be none, and the other way round: theirs keeps it as it is.
        (_, Some(rusmpp::Pdu::Other { .. })) | (_, None) => {}
        (Pdu::EnquireLink | Pdu::Unbind | Pdu::Bind(..), _) => {}
        (ours, theirs) => panic!("{ours:?} {theirs:?}"),
    }
}

/// What submit_sm and deliver_sm have in common.
fn same(ours: &pdu::Sm<'_>, numbers: [u8; 9], words: [&str; 4], short_message: &[u8]) {
    let (source, destination) = (&ours.source, &ours.destination);
    let read = [
        source.ton,
        source.npi,
        destination.ton,
        destination.npi,
        ours.esm_class,
        ours.protocol_id,
        ours.registered_delivery,
        ours.data_coding,
        ours.sm_default_msg_id,
    ];
    assert_eq!(read, numbers);
    assert_eq!([source.digits, destination.digits, ours.schedule_delivery_time, ours.validity_period], words.map(str::as_bytes));
    assert_eq!(ours.short_message, short_message);
}
