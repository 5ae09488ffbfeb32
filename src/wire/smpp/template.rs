//! submit_sm, written once for a sender and its options and patched per segment.
//!
//! Only the sequence, the recipient, the validity and the content differ between the segments of a campaign; the rest
//! is checked and laid out in [`SubmitTemplate::new`]. [`SubmitTemplate::write`] copies and does not allocate beyond
//! the buffer it is given.

use super::command;
use super::decode::SHORT_MESSAGE_MAX;
use super::frame::HEADER;
use super::pdu::{Address, esm};
use super::status::Status;
use super::tlv::{Tlvs, tag};
use super::write::{Unwritable, check_string, head};

/// What all submit_sm of a template share.
#[derive(Clone, Copy, Debug, Default)]
pub struct SubmitOptions<'a> {
    /// Up to 5 octets.
    pub service_type: &'a [u8],
    /// The sender.
    pub source: Address<'a>,
    /// Type of number of every recipient.
    pub dest_ton: u8,
    /// Numbering plan of every recipient.
    pub dest_npi: u8,
    /// Mode and features; UDHI is set by [`SubmitTemplate::write`] where there is a header.
    pub esm_class: u8,
    /// TP-PID.
    pub protocol_id: u8,
    /// 0 to 3.
    pub priority: u8,
    /// Which receipts are asked for.
    pub registered_delivery: u8,
    /// Non-zero to replace a message still at the SMSC.
    pub replace_if_present: u8,
    /// The alphabet and class.
    pub data_coding: u8,
    /// A canned message.
    pub sm_default_msg_id: u8,
    /// Where the content goes.
    pub place: Place,
    /// Parameters of every segment.
    pub tlvs: Tlvs<'a>,
}

/// Where the content goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Place {
    /// short_message, up to 254 octets.
    #[default]
    ShortMessage,
    /// The message_payload parameter, up to 64,000 octets, for carriers that split themselves.
    Payload,
}

/// What one segment adds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Segment<'a> {
    /// The user data header with its length octet, or nothing.
    pub udh: &'a [u8],
    /// The octets after the header.
    pub payload: &'a [u8],
    /// Empty, or 16 characters from [`time`](super::time).
    pub validity: &'a [u8],
    /// Bits set in esm_class besides the template's; UDHI need not be among them.
    pub esm_bits: u8,
    /// Parameters of this segment alone (sar_* for carriers that want no user data header).
    pub tlvs: Tlvs<'a>,
}

/// Header, service_type, source, and the recipient's ton and npi.
const FRONT_MAX: usize = HEADER + 6 + 2 + 21 + 2;

/// See the module.
#[derive(Clone, Debug)]
pub struct SubmitTemplate {
    front: [u8; FRONT_MAX],
    front_len: usize,
    esm_class: u8,
    /// The NUL of the recipient, esm_class, protocol_id, priority, an empty schedule_delivery_time.
    middle: [u8; 5],
    /// The NUL of the validity, registered_delivery, replace_if_present, data_coding, sm_default_msg_id, sm_length.
    back: [u8; 6],
    place: Place,
    tlvs: Box<[u8]>,
}

impl SubmitTemplate {
    /// # Errors
    /// [`Unwritable`] when the sender or the service type has no form on the wire.
    pub fn new(options: &SubmitOptions<'_>) -> Result<SubmitTemplate, Unwritable> {
        check_string(options.service_type, 6)?;
        check_string(options.source.digits, 21)?;
        let mut front = Vec::with_capacity(FRONT_MAX);
        front.extend_from_slice(&head(0, command::SUBMIT_SM, Status::ROK, 0));
        front.extend_from_slice(options.service_type);
        front.extend_from_slice(&[0, options.source.ton, options.source.npi]);
        front.extend_from_slice(options.source.digits);
        front.extend_from_slice(&[0, options.dest_ton, options.dest_npi]);
        let front_len = front.len();
        front.resize(FRONT_MAX, 0);
        Ok(SubmitTemplate {
            front: front.try_into().expect("resized to its length above"),
            front_len,
            esm_class: options.esm_class,
            middle: [0, options.esm_class, options.protocol_id, options.priority, 0],
            back: [0, options.registered_delivery, options.replace_if_present, options.data_coding, options.sm_default_msg_id, 0],
            place: options.place,
            tlvs: options.tlvs.octets().into(),
        })
    }

    /// Appends one submit_sm. `dest` is the recipient's digits, up to 20.
    ///
    /// # Errors
    /// [`Unwritable`] when the recipient, the validity or the content does not fit; nothing has been appended then.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>, sequence: u32, dest: &[u8], segment: &Segment<'_>) -> Result<(), Unwritable> {
        check_string(dest, 21)?;
        if !matches!(segment.validity.len(), 0 | 16) {
            return Err(Unwritable::Time);
        }
        let content = segment.udh.len() + segment.payload.len();
        let (in_short_message, max) = match self.place {
            Place::ShortMessage => (content, SHORT_MESSAGE_MAX),
            // The whole PDU has to stay within the 70,000 octets a bound peer accepts.
            Place::Payload => (0, 64_000),
        };
        if content > max {
            return Err(Unwritable::Size);
        }
        let start = out.len();
        let fixed = self.front_len + dest.len() + self.middle.len() + segment.validity.len() + self.back.len();
        let length = fixed + if self.place == Place::Payload { 4 } else { 0 } + content + self.tlvs.len() + segment.tlvs.octets().len();
        out.reserve(length);

        out.extend_from_slice(&self.front[..self.front_len]);
        let header: &mut [u8; HEADER] = out[start..].first_chunk_mut().expect("the front begins with a header");
        header[0..4].copy_from_slice(&(length as u32).to_be_bytes());
        header[12..16].copy_from_slice(&sequence.to_be_bytes());

        let mut middle = self.middle;
        middle[1] = self.esm_class | segment.esm_bits | if segment.udh.is_empty() { 0 } else { esm::UDHI };
        let mut back = self.back;
        back[5] = in_short_message as u8;
        out.extend_from_slice(dest);
        out.extend_from_slice(&middle);
        out.extend_from_slice(segment.validity);
        out.extend_from_slice(&back);
        if self.place == Place::Payload {
            let [high, low] = (content as u16).to_be_bytes();
            let [tag_high, tag_low] = tag::MESSAGE_PAYLOAD.to_be_bytes();
            out.extend_from_slice(&[tag_high, tag_low, high, low]);
        }
        out.extend_from_slice(segment.udh);
        out.extend_from_slice(segment.payload);
        out.extend_from_slice(&self.tlvs);
        out.extend_from_slice(segment.tlvs.octets());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::pdu::Sm;
    use super::super::tlv::Tlv;
    use super::super::write;
    use super::*;
    use proptest::prelude::*;

    fn text(max: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(1u8..128, 0..=max)
    }

    proptest! {
        #[test]
        fn a_template_writes_what_the_general_encoder_writes_and_rusmpp_reads(
            (service_type, source, dest) in (text(5), text(20), text(20)),
            (udh, payload) in (prop::collection::vec(any::<u8>(), 0..20), prop::collection::vec(any::<u8>(), 0..=230)),
            numbers in any::<[u8; 8]>(),
            esm in (any::<u8>(), any::<u8>()),
            timed in any::<bool>(),
            sequence in any::<u32>(),
            place in prop_oneof![Just(Place::ShortMessage), Just(Place::Payload)],
        ) {
            let tlv = [0x14, 0, 0, 2, 7, 7];
            let sar = [0x02, 0x0C, 0, 2, 0, 9];
            let validity: &[u8] = if timed { b"000001000000000R" } else { b"" };
            let options = SubmitOptions {
                service_type: &service_type,
                source: Address { ton: numbers[0], npi: numbers[1], digits: &source },
                dest_ton: numbers[2],
                dest_npi: numbers[3],
                esm_class: esm.0,
                protocol_id: numbers[4],
                priority: numbers[5],
                registered_delivery: numbers[6],
                replace_if_present: 0,
                data_coding: numbers[7],
                sm_default_msg_id: 0,
                place,
                tlvs: Tlvs::from_octets(&tlv).unwrap(),
            };
            let segment = Segment {
                udh: &udh, payload: &payload, validity, esm_bits: esm.1, tlvs: Tlvs::from_octets(&sar).unwrap(),
            };
            let mut by_template = vec![9, 9];
            SubmitTemplate::new(&options).unwrap().write(&mut by_template, sequence, &dest, &segment).unwrap();

            let content = [udh.as_slice(), &payload].concat();
            let esm_class = esm.0 | esm.1 | if udh.is_empty() { 0 } else { 0x40 };
            let sm = Sm {
                service_type: &service_type,
                source: options.source,
                destination: Address { ton: numbers[2], npi: numbers[3], digits: &dest },
                esm_class,
                protocol_id: numbers[4],
                priority: numbers[5],
                validity_period: validity,
                registered_delivery: numbers[6],
                data_coding: numbers[7],
                short_message: if place == Place::ShortMessage { &content } else { &[] },
                ..Sm::default()
            };
            let mut more = vec![Tlv { tag: 0x1400, value: &[7, 7] }, Tlv { tag: 0x020C, value: &[0, 9] }];
            if place == Place::Payload {
                more.insert(0, Tlv { tag: tag::MESSAGE_PAYLOAD, value: &content });
            }
            let mut by_encoder = vec![9, 9];
            write::submit_sm(&mut by_encoder, sequence, &sm, &more).unwrap();
            prop_assert_eq!(&by_template, &by_encoder);

            // rusmpp keeps esm_class and the like in enums that know every octet.
            let command = super::super::vectors::rusmpp(&by_template[2..]).unwrap();
            prop_assert_eq!(command.sequence_number, sequence);
            let Some(rusmpp::Pdu::SubmitSm(theirs)) = command.pdu() else { panic!("a submit_sm") };
            prop_assert_eq!(theirs.source_addr.as_str().as_bytes(), &source[..]);
            prop_assert_eq!(theirs.destination_addr.as_str().as_bytes(), &dest[..]);
            prop_assert_eq!(u8::from(theirs.esm_class), esm_class);
            prop_assert_eq!(u8::from(theirs.data_coding), numbers[7]);
            prop_assert_eq!(u8::from(theirs.registered_delivery), numbers[6]);
            prop_assert_eq!(theirs.validity_period.as_str().as_bytes(), validity);
            prop_assert_eq!(theirs.short_message().as_ref(), sm.short_message);
            prop_assert_eq!(theirs.tlvs().len(), more.len());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_nothing_is_appended() {
        let template = SubmitTemplate::new(&SubmitOptions::default()).unwrap();
        let mut out = Vec::new();
        let payload = [0; 255];
        let long = Segment { payload: &payload, ..Segment::default() };
        assert_eq!(template.write(&mut out, 1, b"33612345678", &long), Err(Unwritable::Size));
        assert_eq!(template.write(&mut out, 1, b"336123456783361234567", &Segment::default()), Err(Unwritable::TooLong));
        assert_eq!(template.write(&mut out, 1, b"33\x006", &Segment::default()), Err(Unwritable::Nul));
        let time = Segment { validity: b"1 day", ..Segment::default() };
        assert_eq!(template.write(&mut out, 1, b"33612345678", &time), Err(Unwritable::Time));
        assert!(out.is_empty());
        let source = Address { ton: 5, npi: 0, digits: &[b'A'; 21] };
        assert!(SubmitTemplate::new(&SubmitOptions { source, ..SubmitOptions::default() }).is_err());
    }
}
