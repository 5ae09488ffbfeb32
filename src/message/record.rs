//! The journal's records: protobuf as in `proto/relais/v1/journal.proto`, which a test compares with this file.
//! A message is written from borrowed fields (`write`) and read with its octets shared with the frame (`read`).

use crate::base::{MessageId, MessageRef, Msisdn, Span, Time};
use crate::message::composed::Composed;
use crate::message::content::{Class, DoubtPolicy, Encoding, Reference};
use crate::message::event::{Event, LeasedMessage, PartState};
use crate::message::outcome::{Reason, Status};
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

/// Appends a message, with its length before it, to a frame's body.
pub fn write(message: &Composed<'_>, body: &mut Vec<u8>) {
    let lifetime = message.lifetime.as_millis();
    let several = message.ends.len() > 1;
    let ends_len: usize = if several { message.ends.iter().map(|end| encoded_len_varint(u64::from(*end))).sum() } else { 0 };
    let encoding = u64::from(message.encoding == Encoding::Ucs2);
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
        + uint_len(wide);
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
}

impl MessageRecord {
    /// Reads one record (without its length); octets are shared with `bytes`, not copied.
    pub fn read(bytes: Bytes) -> Result<MessageRecord, Unreadable> {
        let record = <MessageRecord as Message>::decode(bytes).map_err(|_| Unreadable)?;
        let sound = Msisdn::from_u64(record.to).is_some()
            && std::str::from_utf8(&record.from).is_ok()
            && std::str::from_utf8(&record.client_ref).is_ok()
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
    /// How many segments: 1 to 64.
    #[must_use]
    pub fn count(&self) -> u8 {
        self.ends.len().max(1) as u8
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
        if self.encoding == 1 { Encoding::Ucs2 } else { Encoding::Gsm7 }
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

#[derive(Clone, PartialEq, Message)]
struct Log {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(oneof = "entry::Event", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10")]
    event: Option<entry::Event>,
}

mod entry {
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(super) enum Event {
        #[prost(message, tag = "1")]
        Leased(super::Leased),
        #[prost(message, tag = "2")]
        Submitted(super::Submitted),
        #[prost(message, tag = "3")]
        Refused(super::Refused),
        #[prost(message, tag = "4")]
        Doubted(super::Doubted),
        #[prost(message, tag = "5")]
        Requeued(super::Requeued),
        #[prost(message, tag = "6")]
        Receipt(super::Receipt),
        #[prost(message, tag = "7")]
        Ended(super::Ended),
        #[prost(message, tag = "8")]
        Orphaned(super::Orphaned),
        #[prost(message, tag = "9")]
        OrphanGone(super::OrphanGone),
        #[prost(message, tag = "10")]
        Inbound(super::Inbound),
    }
}

macro_rules! record {
    ($name:ident { $($field:ident : $kind:ident $(($label:ident))? = $tag:literal as $type:ty),* $(,)? }) => {
        #[derive(Clone, PartialEq, Message)]
        struct $name { $(#[prost($kind $(, $label)?, tag = $tag)] $field: $type),* }
    };
}

record!(Leased {
    carrier: string = "1" as String,
    bind: uint32 = "2" as u32,
    when: int64 = "3" as i64,
    messages: message(repeated) = "4" as Vec<LeasedMessageRecord>
});
record!(LeasedMessageRecord {
    frame: uint64 = "1" as u64,
    ordinal: uint32 = "2" as u32,
    attempt: uint32 = "3" as u32,
    count: uint32 = "4" as u32,
    parts: uint64 = "5" as u64
});
record!(Submitted {
    frame: uint64 = "1" as u64,
    ordinal: uint32 = "2" as u32,
    part: uint32 = "3" as u32,
    carrier_id: string = "4" as String,
    when: int64 = "5" as i64
});
record!(Refused {
    frame: uint64 = "1" as u64,
    ordinal: uint32 = "2" as u32,
    part: uint32 = "3" as u32,
    command_status: uint32 = "4" as u32,
    when: int64 = "5" as i64
});
record!(Doubted {
    frame: uint64 = "1" as u64,
    ordinal: uint32 = "2" as u32,
    parts: uint64 = "3" as u64,
    reason: uint32 = "4" as u32,
    when: int64 = "5" as i64
});
record!(Requeued {
    frame: uint64 = "1" as u64,
    ordinal: uint32 = "2" as u32,
    parts: uint64 = "3" as u64,
    reason: uint32 = "4" as u32,
    due: int64 = "5" as i64,
    when: int64 = "6" as i64
});
record!(Receipt {
    frame: uint64 = "1" as u64,
    ordinal: uint32 = "2" as u32,
    part: uint32 = "3" as u32,
    state: uint32 = "4" as u32,
    error: string = "5" as String,
    when: int64 = "6" as i64
});
record!(Ended {
    frame: uint64 = "1" as u64,
    ordinal: uint32 = "2" as u32,
    status: uint32 = "3" as u32,
    reason: uint32 = "4" as u32,
    command_status: uint32 = "5" as u32,
    when: int64 = "6" as i64,
    possible_duplicate: bool = "7" as bool
});
record!(Orphaned {
    carrier: string = "1" as String,
    carrier_id: string = "2" as String,
    state: uint32 = "3" as u32,
    error: string = "4" as String,
    when: int64 = "5" as i64,
    other_id: string = "6" as String,
    number: uint64 = "7" as u64
});
record!(OrphanGone { carrier: string = "1" as String, carrier_id: string = "2" as String, when: int64 = "3" as i64 });
record!(Inbound {
    id: uint64 = "1" as u64,
    carrier: string = "2" as String,
    account: string = "3" as String,
    from: string = "4" as String,
    to: string = "5" as String,
    text: string = "6" as String,
    when: int64 = "7" as i64
});

fn to_entry(event: &Event) -> entry::Event {
    match event {
        Event::Leased { carrier, bind, when, messages } => entry::Event::Leased(Leased {
            carrier: carrier.to_string(),
            bind: u32::from(*bind),
            when: when.0,
            messages: messages
                .iter()
                .map(|m| LeasedMessageRecord {
                    frame: m.at.frame.0,
                    ordinal: m.at.ordinal,
                    attempt: u32::from(m.attempt),
                    count: u32::from(m.count),
                    parts: m.parts,
                })
                .collect(),
        }),
        Event::Submitted { at, part, carrier_id, when } => entry::Event::Submitted(Submitted {
            frame: at.frame.0,
            ordinal: at.ordinal,
            part: u32::from(*part),
            carrier_id: carrier_id.to_string(),
            when: when.0,
        }),
        Event::Refused { at, part, command_status, when } => entry::Event::Refused(Refused {
            frame: at.frame.0,
            ordinal: at.ordinal,
            part: u32::from(*part),
            command_status: *command_status,
            when: when.0,
        }),
        Event::Doubted { at, parts, reason, when } => {
            entry::Event::Doubted(Doubted { frame: at.frame.0, ordinal: at.ordinal, parts: *parts, reason: *reason as u32, when: when.0 })
        }
        Event::Requeued { at, parts, reason, due, when } => entry::Event::Requeued(Requeued {
            frame: at.frame.0,
            ordinal: at.ordinal,
            parts: *parts,
            reason: *reason as u32,
            due: due.0,
            when: when.0,
        }),
        Event::Receipt { at, part, state, error, when } => entry::Event::Receipt(Receipt {
            frame: at.frame.0,
            ordinal: at.ordinal,
            part: u32::from(*part),
            state: *state as u32,
            error: error.to_string(),
            when: when.0,
        }),
        Event::Ended { at, status, reason, command_status, possible_duplicate, when } => entry::Event::Ended(Ended {
            possible_duplicate: *possible_duplicate,
            frame: at.frame.0,
            ordinal: at.ordinal,
            status: *status as u32,
            reason: *reason as u32,
            command_status: *command_status,
            when: when.0,
        }),
        Event::Orphaned { carrier, carrier_id, other_id, number, state, error, when } => entry::Event::Orphaned(Orphaned {
            other_id: other_id.to_string(),
            number: *number,
            carrier: carrier.to_string(),
            carrier_id: carrier_id.to_string(),
            state: *state as u32,
            error: error.to_string(),
            when: when.0,
        }),
        Event::OrphanGone { carrier, carrier_id, when } => {
            entry::Event::OrphanGone(OrphanGone { carrier: carrier.to_string(), carrier_id: carrier_id.to_string(), when: when.0 })
        }
        Event::Inbound { id, carrier, account, from, to, text, when } => entry::Event::Inbound(Inbound {
            id: *id,
            carrier: carrier.to_string(),
            account: account.to_string(),
            from: from.to_string(),
            to: to.to_string(),
            text: text.to_string(),
            when: when.0,
        }),
    }
}

fn place(frame: u64, ordinal: u32) -> MessageRef {
    MessageRef { frame: MessageId(frame), ordinal }
}

fn part(number: u32) -> Result<u8, Unreadable> {
    u8::try_from(number).ok().filter(|part| *part < 64).ok_or(Unreadable)
}

fn state(number: u32) -> Result<PartState, Unreadable> {
    PartState::ALL.get(number as usize).copied().ok_or(Unreadable)
}

fn from_entry(event: entry::Event) -> Result<Event, Unreadable> {
    let reason = |number| Reason::from_number(number).ok_or(Unreadable);
    Ok(match event {
        entry::Event::Leased(e) => Event::Leased {
            carrier: e.carrier.into(),
            bind: u16::try_from(e.bind).map_err(|_| Unreadable)?,
            when: Time(e.when),
            messages: e
                .messages
                .iter()
                .map(|m| LeasedMessage { at: place(m.frame, m.ordinal), attempt: m.attempt as u8, count: m.count as u8, parts: m.parts })
                .collect(),
        },
        entry::Event::Submitted(e) => {
            Event::Submitted { at: place(e.frame, e.ordinal), part: part(e.part)?, carrier_id: e.carrier_id.into(), when: Time(e.when) }
        }
        entry::Event::Refused(e) => {
            Event::Refused { at: place(e.frame, e.ordinal), part: part(e.part)?, command_status: e.command_status, when: Time(e.when) }
        }
        entry::Event::Doubted(e) => {
            Event::Doubted { at: place(e.frame, e.ordinal), parts: e.parts, reason: reason(e.reason)?, when: Time(e.when) }
        }
        entry::Event::Requeued(e) => Event::Requeued {
            at: place(e.frame, e.ordinal),
            parts: e.parts,
            reason: reason(e.reason)?,
            due: Time(e.due),
            when: Time(e.when),
        },
        entry::Event::Receipt(e) => Event::Receipt {
            at: place(e.frame, e.ordinal),
            part: part(e.part)?,
            state: state(e.state)?,
            error: e.error.into(),
            when: Time(e.when),
        },
        entry::Event::Ended(e) => Event::Ended {
            at: place(e.frame, e.ordinal),
            status: Status::from_number(e.status).ok_or(Unreadable)?,
            reason: reason(e.reason)?,
            command_status: e.command_status,
            possible_duplicate: e.possible_duplicate,
            when: Time(e.when),
        },
        entry::Event::Orphaned(e) => Event::Orphaned {
            other_id: e.other_id.into(),
            number: e.number,
            carrier: e.carrier.into(),
            carrier_id: e.carrier_id.into(),
            state: state(e.state)?,
            error: e.error.into(),
            when: Time(e.when),
        },
        entry::Event::OrphanGone(e) => Event::OrphanGone { carrier: e.carrier.into(), carrier_id: e.carrier_id.into(), when: Time(e.when) },
        entry::Event::Inbound(e) => Event::Inbound {
            id: e.id,
            carrier: e.carrier.into(),
            account: e.account.into(),
            from: e.from.into(),
            to: e.to.into(),
            text: e.text.into(),
            when: Time(e.when),
        },
    })
}

/// Appends events to a log row. Rows may be joined end to end: protobuf's repeated fields concatenate.
pub fn write_events<'a>(events: impl IntoIterator<Item = &'a Event>, log: &mut Vec<u8>) {
    for event in events {
        let entry = Entry { event: Some(to_entry(event)) };
        encode_key(1, WireType::LengthDelimited, log);
        encode_varint(entry.encoded_len() as u64, log);
        entry.encode_raw(log);
    }
}

/// Reads a log row. An entry of a kind this version does not know is passed over.
pub fn read_events(log: &[u8]) -> Result<Vec<Event>, Unreadable> {
    let log = Log::decode(log).map_err(|_| Unreadable)?;
    log.entries.into_iter().filter_map(|entry| entry.event).map(from_entry).collect()
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
    }

    #[test]
    fn a_record_whose_ends_do_not_fit_is_refused() {
        let bad = MessageRecord { to: 33_612_345_678, octets: Bytes::from_static(b"abc"), ends: vec![2, 9], ..Default::default() };
        assert_eq!(MessageRecord::read(bad.encode_to_vec().into()), Err(Unreadable));
    }

    #[test]
    fn events_survive_the_journal_in_order() {
        let at = place(1 << 40, 17);
        let events = vec![
            Event::Leased {
                carrier: "one".into(),
                bind: 2,
                when: Time(1),
                messages: vec![LeasedMessage { at, attempt: 1, count: 2, parts: 3 }],
            },
            Event::Submitted { at, part: 0, carrier_id: "0A1B".into(), when: Time(2) },
            Event::Refused { at, part: 1, command_status: 0x58, when: Time(3) },
            Event::Requeued { at, parts: 2, reason: Reason::Throttled, due: Time(9), when: Time(3) },
            Event::Doubted { at, parts: 2, reason: Reason::Restart, when: Time(4) },
            Event::Receipt { at, part: 0, state: PartState::Delivered, error: "000".into(), when: Time(5) },
            Event::Ended {
                at,
                status: Status::Delivered,
                reason: Reason::Receipt,
                command_status: 0,
                possible_duplicate: true,
                when: Time(6),
            },
            Event::Orphaned {
                carrier: "one".into(),
                carrier_id: "ff".into(),
                other_id: "255".into(),
                number: 33_612_345_678,
                state: PartState::Expired,
                error: "".into(),
                when: Time(7),
            },
            Event::OrphanGone { carrier: "one".into(), carrier_id: "ff".into(), when: Time(8) },
            Event::Inbound {
                id: 5,
                carrier: "one".into(),
                account: "shop".into(),
                from: "33612345678".into(),
                to: "36111".into(),
                text: "STOP".into(),
                when: Time(9),
            },
        ];
        let mut log = Vec::new();
        write_events(&events[..4], &mut log);
        write_events(&events[4..], &mut log);
        assert_eq!(read_events(&log), Ok(events));
        assert!(read_events(&log[..log.len() - 1]).is_err());
    }

    /// The schema other languages read and the structs here must not part ways.
    #[test]
    fn the_proto_file_and_this_file_have_the_same_fields() {
        let proto = include_str!("../../proto/relais/v1/journal.proto");
        let here = include_str!("record.rs");
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
            let as_variant = format!("#[prost(message, tag = \"{tag}\")]\n        {kind}(super::{kind})");
            let as_entries = format!("#[prost(message, repeated, tag = \"{tag}\")]\n    {name}:");
            let of_struct = |repeated: &str, kind: &str| format!("#[prost({kind}{repeated}, tag = \"{tag}\")]\n    pub {name}:");
            let forms = [
                as_entries,
                as_macro,
                as_list,
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
