//! The hot path of the lab's SMPP: framing, the fields of submit_sm that the SMSC needs, submit_sm_resp and
//! deliver_sm. Written apart from the gateway's codec and held against `rusmpp` by the tests below. Bounded, and
//! never panics on what it reads. Everything else of SMPP goes through `rusmpp` (`decode`, `encode`).

use bytes::BytesMut;
use rusmpp::tokio_codec::CommandCodec;
use rusmpp::{Command, CommandStatus, Pdu};
use tokio_util::codec::{Decoder, Encoder};

/// The length of a header.
pub(super) const HEADER: usize = 16;
/// The longest PDU read; a longer one ends the session.
pub(super) const LONGEST: usize = 68 * 1024;

/// The command ids the hot path tells apart.
pub(super) mod id {
    pub(crate) const GENERIC_NACK: u32 = 0x8000_0000;
    pub(crate) const SUBMIT_SM: u32 = 0x0000_0004;
    pub(crate) const SUBMIT_SM_RESP: u32 = 0x8000_0004;
    pub(crate) const DELIVER_SM: u32 = 0x0000_0005;
    pub(crate) const DELIVER_SM_RESP: u32 = 0x8000_0005;
    pub(crate) const ENQUIRE_LINK_RESP: u32 = 0x8000_0015;
    pub(crate) const RESPONSE: u32 = 0x8000_0000;
}

/// What the front of a buffer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// Not yet a whole PDU.
    Part,
    /// A whole PDU of this length.
    Whole(usize),
    /// A length that cannot be.
    Torn,
}

/// A header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// command_id.
    pub id: u32,
    /// command_status.
    pub status: u32,
    /// sequence_number.
    pub sequence: u32,
}

/// Looks at the front of a buffer.
pub(super) fn front(buffer: &[u8]) -> Front {
    let Some(length) = buffer.first_chunk::<4>() else { return Front::Part };
    let length = u32::from_be_bytes(*length) as usize;
    match length {
        0..HEADER => Front::Torn,
        _ if length > LONGEST => Front::Torn,
        _ if length > buffer.len() => Front::Part,
        _ => Front::Whole(length),
    }
}

/// The header of a whole PDU.
pub(super) fn header(pdu: &[u8]) -> Header {
    let word = |at: usize| u32::from_be_bytes([pdu[at], pdu[at + 1], pdu[at + 2], pdu[at + 3]]);
    Header { id: word(4), status: word(8), sequence: word(12) }
}

/// Decodes a whole PDU with rusmpp; `None` when it refuses.
pub(super) fn decode(pdu: &[u8]) -> Option<Command> {
    let mut copy = BytesMut::from(pdu);
    CommandCodec::new().with_max_length(LONGEST).decode(&mut copy).ok().flatten()
}

/// Encodes with rusmpp.
pub(super) fn encode(status: u32, sequence: u32, pdu: impl Into<Pdu>, out: &mut Vec<u8>) {
    let mut buffer = BytesMut::new();
    let command = Command::new(CommandStatus::from(status), sequence, pdu);
    CommandCodec::new().encode(&command, &mut buffer).expect("encoding into memory cannot fail");
    out.extend_from_slice(&buffer);
}

/// Writes a PDU of a header alone, as error responses are.
pub(super) fn put_header(out: &mut Vec<u8>, id: u32, status: u32, sequence: u32) {
    put_head(out, HEADER, id, status, sequence);
}

fn put_head(out: &mut Vec<u8>, length: usize, id: u32, status: u32, sequence: u32) {
    for word in [length as u32, id, status, sequence] {
        out.extend_from_slice(&word.to_be_bytes());
    }
}

/// Writes a submit_sm_resp with a message id of at most 64 octets.
pub(super) fn put_submit_resp(out: &mut Vec<u8>, status: u32, sequence: u32, message_id: &[u8]) {
    put_head(out, HEADER + message_id.len() + 1, id::SUBMIT_SM_RESP, status, sequence);
    out.extend_from_slice(message_id);
    out.push(0);
}

/// An address: type of number, numbering plan and at most 20 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Address {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan.
    pub npi: u8,
    length: u8,
    octets: [u8; 20],
}

impl Address {
    /// Longer addresses are cut at 20 octets.
    pub fn new(ton: u8, npi: u8, text: &[u8]) -> Address {
        let mut address = Address { ton, npi, length: text.len().min(20) as u8, octets: [0; 20] };
        address.octets[..text.len().min(20)].copy_from_slice(&text[..text.len().min(20)]);
        address
    }
    /// Guesses type and plan: letters are 5/0, short digits 3/0, others 1/1 without their plus.
    pub fn guess(text: &str) -> Address {
        let digits = text.strip_prefix('+').unwrap_or(text);
        match digits.bytes().all(|b| b.is_ascii_digit()) {
            true if digits.len() > 6 => Address::new(1, 1, digits.as_bytes()),
            true => Address::new(3, 0, digits.as_bytes()),
            false => Address::new(5, 0, text.as_bytes()),
        }
    }
    /// The octets without NUL.
    pub fn text(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.ton, self.npi]);
        out.extend_from_slice(self.text());
        out.push(0);
    }
}

/// The fields of a deliver_sm that differ from one to the next.
pub(super) struct Deliver<'a> {
    /// source_addr.
    pub from: &'a Address,
    /// destination_addr.
    pub to: &'a Address,
    /// esm_class.
    pub esm_class: u8,
    /// data_coding.
    pub coding: u8,
    /// short_message, cut at 254 octets.
    pub text: &'a [u8],
    /// TLVs already encoded.
    pub tlvs: &'a [u8],
}

/// Writes a deliver_sm.
pub(super) fn put_deliver(out: &mut Vec<u8>, sequence: u32, deliver: &Deliver<'_>) {
    let Deliver { from, to, esm_class, coding, text, tlvs } = *deliver;
    let text = &text[..text.len().min(254)];
    let start = out.len();
    put_head(out, 0, id::DELIVER_SM, 0, sequence);
    out.push(0); // service_type
    from.put(out);
    to.put(out);
    // esm_class, protocol_id, priority_flag, schedule_delivery_time, validity_period, registered_delivery,
    // replace_if_present_flag, data_coding, sm_default_msg_id, sm_length
    out.extend_from_slice(&[esm_class, 0, 0, 0, 0, 0, 0, coding, 0, text.len() as u8]);
    out.extend_from_slice(text);
    out.extend_from_slice(tlvs);
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// Writes one TLV.
pub(super) fn put_tlv(out: &mut Vec<u8>, tag: u16, value: &[u8]) {
    out.extend_from_slice(&tag.to_be_bytes());
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value);
}

/// Where a segment stands in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The concatenation reference.
    pub reference: u16,
    /// How many parts.
    pub total: u8,
    /// Which one, from 1.
    pub number: u8,
}

/// The fields of a submit_sm that the SMSC needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitView<'a> {
    /// The sender.
    pub source: Address,
    /// The recipient.
    pub dest: Address,
    /// esm_class.
    pub esm_class: u8,
    /// validity_period, as it is written.
    pub validity: &'a [u8],
    /// registered_delivery.
    pub registered: u8,
    /// data_coding.
    pub coding: u8,
    /// short_message or message_payload, with its UDH.
    pub octets: &'a [u8],
    /// The concatenation, of the UDH or the sar TLVs.
    pub part: Option<Part>,
}

/// Reads from the front of a slice.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
    /// A C-octet string of at most `most` octets with its NUL; without it here.
    fn c_string(&mut self, most: usize) -> Option<&'a [u8]> {
        let length = self.0.iter().take(most).position(|octet| *octet == 0)?;
        let text = self.take(length)?;
        self.octet()?;
        Some(text)
    }
    fn address(&mut self) -> Option<Address> {
        let (ton, npi) = (self.octet()?, self.octet()?);
        Some(Address::new(ton, npi, self.c_string(21)?))
    }
}

impl<'a> SubmitView<'a> {
    /// Reads the body (the PDU without its header); `None` when it is malformed.
    pub fn read(body: &'a [u8]) -> Option<SubmitView<'a>> {
        let mut body = Reader(body);
        body.c_string(6)?; // service_type
        let source = body.address()?;
        let dest = body.address()?;
        let esm_class = body.octet()?;
        body.take(2)?; // protocol_id, priority_flag
        body.c_string(17)?; // schedule_delivery_time
        let validity = body.c_string(17)?;
        let registered = body.octet()?;
        body.octet()?; // replace_if_present_flag
        let coding = body.octet()?;
        body.octet()?; // sm_default_msg_id
        let length = body.octet()?;
        let mut octets = body.take(usize::from(length))?;
        let (mut reference, mut total, mut number) = (None, None, None);
        while !body.0.is_empty() {
            let head = body.take(4)?;
            let value = body.take(usize::from(u16::from_be_bytes([head[2], head[3]])))?;
            match (u16::from_be_bytes([head[0], head[1]]), value) {
                (0x020C, [high, low]) => reference = Some(u16::from_be_bytes([*high, *low])),
                (0x020E, [n]) => total = Some(*n),
                (0x020F, [n]) => number = Some(*n),
                (0x0424, payload) if length == 0 => octets = payload,
                _ => {}
            }
        }
        let sar = reference.zip(total).zip(number).map(|((reference, total), number)| Part { reference, total, number });
        let part = if esm_class & 0x40 != 0 { concatenation(octets) } else { sar };
        Some(SubmitView { source, dest, esm_class, validity, registered, coding, octets, part })
    }

    /// The text's octets without a UDH.
    pub fn text(&self) -> &'a [u8] {
        match self.octets.split_first() {
            Some((length, rest)) if self.esm_class & 0x40 != 0 => rest.get(usize::from(*length)..).unwrap_or(&[]),
            _ => self.octets,
        }
    }
}

/// The concatenation element of a UDH (3GPP TS 23.040 §9.2.3.24.1 and .8).
fn concatenation(octets: &[u8]) -> Option<Part> {
    let (length, rest) = octets.split_first()?;
    let mut elements = Reader(rest.get(..usize::from(*length))?);
    while let Some(head) = elements.take(2) {
        match (head[0], elements.take(usize::from(head[1]))?) {
            (0x00, [reference, total, number]) => return Some(Part { reference: u16::from(*reference), total: *total, number: *number }),
            (0x08, [high, low, total, number]) => {
                return Some(Part { reference: u16::from_be_bytes([*high, *low]), total: *total, number: *number });
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rusmpp::pdus::{DeliverSm, SubmitSm, SubmitSmResp};
    use rusmpp::tlvs::{MessageDeliveryRequestTlvValue, MessageSubmissionRequestTlvValue as Tlv};
    use rusmpp::types::{AnyOctetString, COctetString, OctetString};
    use rusmpp::values::{DataCoding, EsmClass, MessagePayload, Npi, RegisteredDelivery, Ton};
    use std::str::FromStr;

    fn encoded(status: u32, sequence: u32, pdu: impl Into<Pdu>) -> Vec<u8> {
        let mut out = Vec::new();
        encode(status, sequence, pdu, &mut out);
        out
    }

    fn submit(source: &str, dest: &str, esm: u8, registered: u8, coding: u8, text: &[u8], tlvs: Vec<Tlv>) -> Vec<u8> {
        let pdu = SubmitSm::builder()
            .source_addr_ton(Ton::from(5))
            .source_addr_npi(Npi::from(0))
            .source_addr(COctetString::from_str(source).expect("short"))
            .dest_addr_ton(Ton::from(1))
            .dest_addr_npi(Npi::from(1))
            .destination_addr(COctetString::from_str(dest).expect("short"))
            .esm_class(EsmClass::from(esm))
            .registered_delivery(RegisteredDelivery::from(registered))
            .data_coding(DataCoding::from(coding))
            .short_message(OctetString::from_slice(text).expect("short"))
            .tlvs(tlvs)
            .build();
        encoded(0, 9, pdu)
    }

    proptest! {
        #[test]
        fn the_submit_view_reads_what_rusmpp_writes(
            source in "[A-Z]{0,11}", dest in "[1-9][0-9]{6,14}", esm in 0u8..4, registered in 0u8..4, coding in 0u8..16,
            text in prop::collection::vec(any::<u8>(), 0..255), sar in any::<Option<(u16, u8, u8)>>(), payload in any::<bool>(),
        ) {
            let mut tlvs = Vec::new();
            if let Some((reference, total, number)) = sar {
                tlvs.extend([Tlv::SarMsgRefNum(reference), Tlv::SarTotalSegments(total), Tlv::SarSegmentSeqnum(number)]);
            }
            let short = if payload {
                tlvs.push(Tlv::MessagePayload(MessagePayload::new(AnyOctetString::from_slice(&text))));
                &[][..]
            } else {
                &text[..]
            };
            let pdu = submit(&source, &dest, esm, registered, coding, short, tlvs);
            prop_assert_eq!(front(&pdu), Front::Whole(pdu.len()));
            prop_assert_eq!(header(&pdu), Header { id: id::SUBMIT_SM, status: 0, sequence: 9 });
            let view = SubmitView::read(&pdu[HEADER..]).expect("well formed");
            prop_assert_eq!(view.source, Address::new(5, 0, source.as_bytes()));
            prop_assert_eq!(view.dest, Address::new(1, 1, dest.as_bytes()));
            prop_assert_eq!((view.esm_class, view.registered, view.coding), (esm, registered, coding));
            prop_assert_eq!(view.text(), &text[..]);
            prop_assert_eq!(view.part, sar.map(|(reference, total, number)| Part { reference, total, number }));
        }

        #[test]
        fn reading_hostile_octets_never_panics(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = front(&octets);
            if let Some(view) = SubmitView::read(&octets) {
                let _ = view.text();
            }
            let _ = concatenation(&octets);
        }

        #[test]
        fn deliver_and_response_are_written_octet_for_octet_as_rusmpp_does(
            sequence in 1u32..0x7FFF_FFFF, from in "[0-9]{0,20}", to in "[A-Za-z]{0,11}", esm in any::<u8>(), coding in 0u8..12,
            text in prop::collection::vec(any::<u8>(), 0..=254), message_id in "[0-9a-f-]{1,64}", tlv in any::<bool>(),
        ) {
            let mut pdu = DeliverSm::builder()
                .source_addr_ton(Ton::from(1)).source_addr_npi(Npi::from(1))
                .source_addr(COctetString::from_str(&from).expect("short"))
                .dest_addr_ton(Ton::from(5)).dest_addr_npi(Npi::from(0))
                .destination_addr(COctetString::from_str(&to).expect("short"))
                .esm_class(EsmClass::from(esm))
                .data_coding(DataCoding::from(coding))
                .short_message(OctetString::from_slice(&text).expect("short"))
                .build();
            let mut tlvs = Vec::new();
            if tlv {
                pdu.push_tlv(MessageDeliveryRequestTlvValue::ReceiptedMessageId(COctetString::from_str(&message_id).expect("short")));
                let mut value = message_id.clone().into_bytes();
                value.push(0);
                put_tlv(&mut tlvs, 0x001E, &value);
            }
            let mut ours = Vec::new();
            let (from, to) = (Address::new(1, 1, from.as_bytes()), Address::new(5, 0, to.as_bytes()));
            let deliver = Deliver { from: &from, to: &to, esm_class: esm, coding, text: &text, tlvs: &tlvs };
            put_deliver(&mut ours, sequence, &deliver);
            prop_assert_eq!(ours, encoded(0, sequence, pdu));

            let mut ours = Vec::new();
            put_submit_resp(&mut ours, 0, sequence, message_id.as_bytes());
            let resp = SubmitSmResp::builder().message_id(COctetString::from_str(&message_id).expect("short")).build();
            prop_assert_eq!(ours, encoded(0, sequence, resp));
        }
    }

    #[test]
    fn a_user_data_header_gives_the_part_and_is_not_text() {
        let short = submit("A", "33612345678", 0x40, 0, 0, b"\x05\x00\x03\x42\x02\x01hello", Vec::new());
        let view = SubmitView::read(&short[HEADER..]).expect("well formed");
        assert_eq!(view.part, Some(Part { reference: 0x42, total: 2, number: 1 }));
        assert_eq!(view.text(), b"hello");
        let long = submit("A", "33612345678", 0x40, 0, 0, b"\x0A\x05\x04\x0B\x84\x23\xF0\x08\x04\x12\x34\x03\x02x", Vec::new());
        let view = SubmitView::read(&long[HEADER..]).expect("well formed");
        assert_eq!(view.part, None, "the length of the second element runs over the header");
        let long = submit("A", "33612345678", 0x40, 0, 0, b"\x0C\x05\x04\x0B\x84\x23\xF0\x08\x04\x12\x34\x03\x02x", Vec::new());
        let view = SubmitView::read(&long[HEADER..]).expect("well formed");
        assert_eq!(view.part, Some(Part { reference: 0x1234, total: 3, number: 2 }));
        assert_eq!(view.text(), b"x");
    }

    #[test]
    fn lengths_that_cannot_be_are_torn() {
        assert_eq!(front(&[0, 0, 0]), Front::Part);
        assert_eq!(front(&[0, 0, 0, 15, 1]), Front::Torn);
        assert_eq!(front(&[0x7F, 0, 0, 0]), Front::Torn);
        assert_eq!(front(&[0, 0, 0, 16, 1]), Front::Part);
    }
}
