//! The journal's messages: protobuf as in `proto/relais/v1/journal.proto`, which a test compares with this file.
//! A message is written from borrowed fields (`write`) and read with its octets shared with the frame (`read`).

use crate::base::{Msisdn, Price, Span, Time};
use crate::message::composed::{Composed, Extras};
use crate::message::content::{Channel, Class, DoubtPolicy, Encoding, Reference, Spelling};
use bytes::Bytes;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

/// What cannot be read: written by a newer version, or damaged beyond what the frame's checksum told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a journal record cannot be read")]
pub struct Unreadable;

/// A message as it lies in a frame.
#[derive(Clone, PartialEq, Message)]
pub struct MessageRecord {
    #[prost(uint64, tag = "1")]
    pub to: u64,
    #[prost(bytes = "bytes", tag = "2")]
    pub from: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub client_ref: Bytes,
    #[prost(bytes = "bytes", tag = "4")]
    pub octets: Bytes,
    #[prost(uint32, repeated, tag = "5")]
    pub ends: Vec<u32>,
    #[prost(uint32, tag = "6")]
    pub encoding: u32,
    #[prost(uint32, tag = "7")]
    pub class: u32,
    #[prost(uint32, tag = "8")]
    pub doubt: u32,
    #[prost(uint64, tag = "9")]
    pub lifetime_ms: u64,
    #[prost(uint32, tag = "10")]
    pub line: u32,
    #[prost(uint32, tag = "11")]
    pub wide: u32,
    #[prost(int64, tag = "12")]
    pub not_before: i64,
    #[prost(bytes = "bytes", tag = "13")]
    pub cancel_key: Bytes,
    #[prost(bytes = "bytes", tag = "14")]
    pub campaign: Bytes,
    #[prost(bytes = "bytes", tag = "15")]
    pub consent_ref: Bytes,
    #[prost(bytes = "bytes", tag = "16")]
    pub zone: Bytes,
    #[prost(uint32, tag = "17")]
    pub message_class: u32,
    #[prost(bytes = "bytes", tag = "18")]
    pub header: Bytes,
    #[prost(uint32, tag = "19")]
    pub shift: u32,
    #[prost(bytes = "bytes", tag = "20")]
    pub late: Bytes,
    #[prost(fixed64, tag = "21")]
    pub content: u64,
    #[prost(uint32, tag = "22")]
    pub at_once: u32,
    #[prost(uint32, tag = "23")]
    pub protocol: u32,
    #[prost(uint32, tag = "24")]
    pub spelling: u32,
    #[prost(uint32, tag = "25")]
    pub changed: u32,
    #[prost(bytes = "bytes", tag = "26")]
    pub region: Bytes,
    #[prost(uint64, tag = "27")]
    pub price: u64,
    #[prost(bytes = "bytes", tag = "28")]
    pub currency: Bytes,
}

fn uint(tag: u32, value: u64, out: &mut Vec<u8>) {
    if value != 0 {
        encode_key(tag, WireType::Varint, out);
        encode_varint(value, out);
    }
}

fn uint_len(value: u64) -> usize {
    if value == 0 { 0 } else { 1 + encoded_len_varint(value) }
}

fn octets(tag: u32, value: &[u8], out: &mut Vec<u8>) {
    if !value.is_empty() {
        encode_key(tag, WireType::LengthDelimited, out);
        encode_varint(value.len() as u64, out);
        out.extend_from_slice(value);
    }
}

fn octets_len(len: usize) -> usize {
    if len == 0 { 0 } else { 1 + encoded_len_varint(len as u64) + len }
}

/// Octets of what most messages do without; 0 for those.
fn extras_len(extras: &Extras<'_>) -> usize {
    uint_len(extras.not_before.map_or(0, |at| at.0 as u64))
        + octets_len(extras.cancel_key.len())
        + octets_len(extras.campaign.len())
        + octets_len(extras.consent_ref.len())
        + widened(octets_len(extras.zone.len()))
        + widened(uint_len(extras.message_class.into()))
        + widened(octets_len(extras.header.len()))
        + widened(uint_len(extras.shift.into()))
        + widened(octets_len(extras.late.len()))
        + if extras.content == 0 { 0 } else { 10 }
        + widened(uint_len(extras.at_once.into()))
        + widened(uint_len(extras.protocol.into()))
        + widened(uint_len(extras.spelling as u64))
        + widened(uint_len(extras.changed.into()))
        + widened(octets_len(extras.region.len()))
        + extras.price.map_or(0, |price| widened(uint_len(price.micros)) + widened(octets_len(price.currency.len())))
}

/// A field whose tag is above 15 has a key of two octets.
const fn widened(len: usize) -> usize {
    if len == 0 { 0 } else { len + 1 }
}

fn write_extras(extras: &Extras<'_>, body: &mut Vec<u8>) {
    uint(12, extras.not_before.map_or(0, |at| at.0 as u64), body);
    octets(13, extras.cancel_key.as_bytes(), body);
    octets(14, extras.campaign.as_bytes(), body);
    octets(15, extras.consent_ref.as_bytes(), body);
    octets(16, extras.zone.as_bytes(), body);
    uint(17, extras.message_class.into(), body);
    octets(18, extras.header, body);
    uint(19, extras.shift.into(), body);
    octets(20, extras.late, body);
    if extras.content != 0 {
        encode_key(21, WireType::SixtyFourBit, body);
        body.extend_from_slice(&extras.content.to_le_bytes());
    }
    uint(22, extras.at_once.into(), body);
    uint(23, extras.protocol.into(), body);
    uint(24, extras.spelling as u64, body);
    uint(25, extras.changed.into(), body);
    octets(26, extras.region.as_bytes(), body);
    if let Some(Price { micros, currency }) = extras.price {
        uint(27, micros, body);
        octets(28, &currency, body);
    }
}

/// Appends a message, with its length before it, to a frame's body.
pub fn write(message: &Composed<'_>, body: &mut Vec<u8>) {
    let lifetime = message.lifetime.as_millis();
    // Where segments end is the carrier's affair when it cuts them itself.
    let several = message.ends.len() > 1 && message.extras.at_once == 0;
    let ends_len: usize = if several { message.ends.iter().map(|end| encoded_len_varint(u64::from(*end))).sum() } else { 0 };
    let encoding = u64::from(message.encoding.number());
    let wide = u64::from(message.reference == Reference::Wide);
    let class = u64::from(message.class.priority());
    let doubt = u64::from(message.doubt == DoubtPolicy::AtMostOnce);
    let length = uint_len(message.to.as_u64())
        + octets_len(message.from.len())
        + octets_len(message.client_ref.len())
        + octets_len(message.octets.len())
        + octets_len(ends_len)
        + uint_len(encoding)
        + uint_len(class)
        + uint_len(doubt)
        + uint_len(lifetime)
        + uint_len(u64::from(message.line))
        + uint_len(wide)
        + extras_len(&message.extras);
    encode_varint(length as u64, body);
    uint(1, message.to.as_u64(), body);
    octets(2, message.from.as_bytes(), body);
    octets(3, message.client_ref.as_bytes(), body);
    octets(4, message.octets, body);
    if several {
        encode_key(5, WireType::LengthDelimited, body);
        encode_varint(ends_len as u64, body);
        for end in message.ends {
            encode_varint(u64::from(*end), body);
        }
    }
    uint(6, encoding, body);
    uint(7, class, body);
    uint(8, doubt, body);
    uint(9, lifetime, body);
    uint(10, u64::from(message.line), body);
    uint(11, wide, body);
    write_extras(&message.extras, body);
}

impl MessageRecord {
    /// Reads one record (without its length); octets are shared with `bytes`, not copied.
    pub fn read(bytes: Bytes) -> Result<MessageRecord, Unreadable> {
        let record = <MessageRecord as Message>::decode(bytes).map_err(|_| Unreadable)?;
        let sound = Msisdn::from_u64(record.to).is_some()
            && std::str::from_utf8(&record.from).is_ok()
            && [&record.client_ref, &record.cancel_key, &record.campaign, &record.consent_ref, &record.zone, &record.region]
                .into_iter()
                .all(|text| std::str::from_utf8(text).is_ok())
            && Encoding::from_number(record.encoding).is_some()
            && record.header.len() <= 140
            && record.at_once <= 64
            && record.protocol <= 0xFF
            && (record.currency.is_empty() || record.currency.len() == 3 && record.currency.iter().all(u8::is_ascii_uppercase))
            && record.ends.len() <= 64
            && record.ends.is_sorted()
            && record.ends.last().is_none_or(|end| *end as usize == record.octets.len());
        if sound { Ok(record) } else { Err(Unreadable) }
    }
    /// The recipient.
    #[must_use]
    pub fn recipient(&self) -> Msisdn {
        Msisdn::from_u64(self.to).expect("read checked it")
    }
    /// The sender.
    #[must_use]
    pub fn sender(&self) -> &str {
        std::str::from_utf8(&self.from).expect("read checked it")
    }
    /// The customer's reference; empty when none.
    #[must_use]
    pub fn reference(&self) -> &str {
        std::str::from_utf8(&self.client_ref).expect("read checked it")
    }
    /// How many parts are sent, each with an answer and a receipt of its own: 1 to 64.
    #[must_use]
    pub fn count(&self) -> u8 {
        self.ends.len().max(1) as u8
    }
    /// How many segments the network carries, which is what is priced and paced: 1 to 64.
    #[must_use]
    pub fn segments(&self) -> u8 {
        self.count().max(self.at_once as u8)
    }
    /// How many segments one of its parts stands for: all of them when the carrier cuts, else 1.
    #[must_use]
    pub fn segments_of_a_part(&self) -> u8 {
        (self.at_once as u8).max(1)
    }
    /// One segment's octets, without header.
    #[must_use]
    pub fn part(&self, part: u8) -> &[u8] {
        let part = usize::from(part);
        match self.ends.get(part) {
            None => &self.octets,
            Some(end) => &self.octets[if part == 0 { 0 } else { self.ends[part - 1] as usize }..*end as usize],
        }
    }
    /// How the octets were made.
    #[must_use]
    pub fn encoded(&self) -> Encoding {
        Encoding::from_number(self.encoding).expect("read checked it")
    }
    /// How the text differs from the one that was written, as far as this version knows.
    #[must_use]
    pub fn spelling(&self) -> Spelling {
        Spelling::from_number(self.spelling).unwrap_or_default()
    }
    /// What all its segments cost, by the route's price when it was accepted.
    #[must_use]
    pub fn cost(&self) -> Option<Price> {
        let currency: [u8; 3] = self.currency.as_ref().try_into().ok()?;
        Some(Price { micros: self.price, currency }.times(self.segments().into()))
    }
    /// How it travels.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.encoded().channel()
    }
    /// The instant before which the customer does not want it to go.
    #[must_use]
    pub fn not_before(&self) -> Option<Time> {
        (self.not_before != 0).then_some(Time(self.not_before))
    }
    /// The key under which the messages of a chain are cancelled together; empty when none.
    #[must_use]
    pub fn cancel_key(&self) -> &str {
        std::str::from_utf8(&self.cancel_key).expect("read checked it")
    }
    /// The campaign; empty when none.
    #[must_use]
    pub fn campaign(&self) -> &str {
        std::str::from_utf8(&self.campaign).expect("read checked it")
    }
    /// The customer's name of the consent it goes by; empty when none.
    #[must_use]
    pub fn consent_ref(&self) -> &str {
        std::str::from_utf8(&self.consent_ref).expect("read checked it")
    }
    /// The recipient's own time zone, if the customer gave it; else empty.
    #[must_use]
    pub fn zone(&self) -> &str {
        std::str::from_utf8(&self.zone).expect("read checked it")
    }
    /// The state or province of the recipient's address, if the customer gave it; else empty.
    #[must_use]
    pub fn region(&self) -> &str {
        std::str::from_utf8(&self.region).expect("read checked it")
    }
    /// How the segments are joined.
    #[must_use]
    pub fn joined_by(&self) -> Reference {
        if self.wide == 1 { Reference::Wide } else { Reference::Narrow }
    }
    /// What the message is for.
    #[must_use]
    pub fn class_of(&self) -> Class {
        Class::from_priority(self.class as u8)
    }
    /// What to do in doubt.
    #[must_use]
    pub fn policy(&self) -> DoubtPolicy {
        if self.doubt == 1 { DoubtPolicy::AtMostOnce } else { DoubtPolicy::ResendOnce }
    }
    /// The last instant at which it may be sent.
    #[must_use]
    pub const fn expires(&self, accepted: Time) -> Time {
        accepted.after(Span::millis(self.lifetime_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Composed<'static> {
        Composed {
            to: Msisdn::parse("+33612345678").expect("valid"),
            from: "SHOP",
            client_ref: "A-991",
            encoding: Encoding::Gsm7,
            octets: b"hello world",
            ends: &[5, 11],
            reference: Reference::Wide,
            class: Class::Marketing,
            doubt: DoubtPolicy::AtMostOnce,
            lifetime: Span::secs(3_600),
            line: 7,
            extras: Extras {
                not_before: Some(Time(1_764_576_000_000)),
                cancel_key: "cart:8812",
                campaign: "xmas",
                consent_ref: "c_77",
                zone: "Europe/Paris",
                region: "FR-57",
                message_class: 1,
                header: &[5, 4, 0x0b, 0x84, 0x23, 0xf0],
                shift: 0x0301,
                protocol: 0x41,
                at_once: 0,
                late: b"{}",
                content: 0x1234_5678_9abc_def0,
                spelling: Spelling::Transliterated,
                changed: 300,
                price: Price::parse("0.045 EUR"),
            },
        }
    }

    #[test]
    fn what_is_written_by_hand_is_read_by_the_library() {
        let mut body = Vec::new();
        write(&sample(), &mut body);
        let mut bytes = Bytes::from(body);
        let length = prost::decode_length_delimiter(&mut bytes).expect("a length");
        assert_eq!(length, bytes.len());
        let record = MessageRecord::read(bytes.clone()).expect("a record");
        assert_eq!(record.encode_to_vec(), bytes);
        assert_eq!((record.sender(), record.reference(), record.count()), ("SHOP", "A-991", 2));
        assert_eq!((record.part(0), record.part(1)), (&b"hello"[..], &b" world"[..]));
        assert_eq!((record.class_of(), record.policy(), record.line), (Class::Marketing, DoubtPolicy::AtMostOnce, 7));
        assert_eq!(record.joined_by(), Reference::Wide);
        assert_eq!(record.expires(Time(1_000)), Time(3_601_000));
        assert_eq!((record.not_before(), record.cancel_key()), (Some(Time(1_764_576_000_000)), "cart:8812"));
        assert_eq!((record.campaign(), record.consent_ref(), record.zone()), ("xmas", "c_77", "Europe/Paris"));
        assert_eq!(record.region(), "FR-57");
        assert_eq!((record.message_class, &record.header[..2], record.shift), (1, &[5, 4][..], 0x0301));
        assert_eq!((&record.late[..], record.content), (&b"{}"[..], 0x1234_5678_9abc_def0));
        assert_eq!((record.spelling(), record.changed), (Spelling::Transliterated, 300));
        assert_eq!(record.cost().map(|cost| cost.to_string()).as_deref(), Some("0.09 EUR"));
        assert_eq!((record.protocol, record.segments(), record.segments_of_a_part()), (0x41, 2, 1));
    }

    #[test]
    fn segments_that_the_carrier_cuts_are_one_part_and_still_counted() {
        let mut composed = sample();
        composed.extras.at_once = 2;
        let mut body = Vec::new();
        write(&composed, &mut body);
        let mut bytes = Bytes::from(body);
        let length = prost::decode_length_delimiter(&mut bytes).expect("a length");
        assert_eq!(length, bytes.len());
        let record = MessageRecord::read(bytes).expect("a record");
        assert_eq!((record.count(), record.segments(), record.segments_of_a_part()), (1, 2, 2));
        assert_eq!(record.part(0), b"hello world");
    }

    #[test]
    fn a_record_whose_ends_do_not_fit_is_refused() {
        let bad = MessageRecord { to: 33_612_345_678, octets: Bytes::from_static(b"abc"), ends: vec![2, 9], ..Default::default() };
        assert_eq!(MessageRecord::read(bad.encode_to_vec().into()), Err(Unreadable));
    }

    /// The schema other languages read and the structs here must not part ways.
    #[test]
    fn the_proto_file_and_this_file_have_the_same_fields() {
        let proto = include_str!("../../proto/relais/v1/journal.proto");
        let here = concat!(include_str!("record.rs"), include_str!("late.rs"), include_str!("log.rs"));
        let (mut message, mut checked) = (String::new(), 0);
        for line in proto.lines().map(|line| line.split("//").next().unwrap_or("").trim()) {
            if let Some(name) = line.strip_prefix("message ") {
                message = name.trim_end_matches(" {").to_owned();
            }
            let Some((declared, tag)) = line.strip_suffix(';').and_then(|line| line.split_once(" = ")) else { continue };
            if declared == "syntax" {
                continue;
            }
            let words: Vec<&str> = declared.split(' ').collect();
            let (name, kind) = (words[words.len() - 1], words[words.len() - 2]);
            let as_macro = format!("{name}: {kind} = \"{tag}\" as");
            let as_list = format!("{name}: message(repeated) = \"{tag}\" as");
            let as_numbers = format!("{name}: {kind}(repeated) = \"{tag}\" as");
            let as_variant = format!("#[prost(message, tag = \"{tag}\")]\n        {kind}(super::{kind}");
            let as_entries = format!("#[prost(message, repeated, tag = \"{tag}\")]\n    {name}:");
            let of_struct = |repeated: &str, kind: &str| format!("#[prost({kind}{repeated}, tag = \"{tag}\")]\n    pub {name}:");
            let forms = [
                as_entries,
                as_macro,
                as_list,
                as_numbers,
                as_variant,
                of_struct("", kind),
                of_struct(", repeated", kind),
                of_struct("", "bytes = \"bytes\""),
            ];
            assert!(forms.iter().any(|form| here.contains(form)), "{message}.{name} = {tag}");
            checked += 1;
        }
        assert!(checked > 50, "only {checked} fields were compared");
    }
}
