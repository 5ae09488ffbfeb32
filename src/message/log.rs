//! The journal's events: protobuf as in `proto/relais/v1/journal.proto`, which a test in `record` compares with this
//! file. Rows of events are written and read here; what cannot be read is `Unreadable`.

use crate::base::{MessageId, MessageRef, Time};
use crate::message::content::Encoding;
use crate::message::event::{Event, InboundPart, Keyword, LeasedMessage, Moved, NamedIn, PartState, Piece};
use crate::message::late::{Moment, Rendering};
use crate::message::outcome::{Reason, Status};
use crate::message::record::Unreadable;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

#[derive(Clone, PartialEq, Message)]
struct Log {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(oneof = "entry::Event", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15")]
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
        #[prost(message, tag = "11")]
        Parked(super::Parked),
        #[prost(message, tag = "12")]
        Held(super::Held),
        #[prost(message, tag = "13")]
        Rescheduled(super::Rescheduled),
        #[prost(message, tag = "14")]
        InboundPart(super::InboundPartRecord),
        #[prost(message, tag = "15")]
        Rendered(super::Rendered),
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
    messages: message(repeated) = "4" as Vec<LeasedMessageRecord>,
    law: fixed32 = "5" as u32
});
record!(LeasedMessageRecord {
    frame: uint64 = "1" as u64,
    ordinal: uint32 = "2" as u32,
    attempt: uint32 = "3" as u32,
    count: uint32 = "4" as u32,
    parts: uint64 = "5" as u64,
    reference: uint32 = "6" as u32
});
record!(Submitted {
    frame: uint64 = "1" as u64,
    ordinal: uint32 = "2" as u32,
    part: uint32 = "3" as u32,
    carrier_id: string = "4" as String,
    when: int64 = "5" as i64,
    by_receipt: bool = "6" as bool
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
    number: uint64 = "7" as u64,
    reference: uint32 = "8" as u32,
    submit_date: int64 = "9" as i64
});
record!(OrphanGone { carrier: string = "1" as String, carrier_id: string = "2" as String, when: int64 = "3" as i64 });
record!(Inbound {
    id: uint64 = "1" as u64,
    carrier: string = "2" as String,
    account: string = "3" as String,
    from: string = "4" as String,
    to: string = "5" as String,
    text: string = "6" as String,
    when: int64 = "7" as i64,
    parts: uint32 = "8" as u32,
    is_incomplete: bool = "9" as bool,
    port: uint32 = "10" as u32,
    of: fixed64(repeated) = "11" as Vec<u64>,
    keyword: uint32 = "12" as u32
});
record!(InboundPartRecord {
    id: uint64 = "1" as u64,
    carrier: string = "2" as String,
    from: string = "3" as String,
    to: string = "4" as String,
    wide: bool = "5" as bool,
    reference: uint32 = "6" as u32,
    total: uint32 = "7" as u32,
    place: uint32 = "8" as u32,
    coding: uint32 = "9" as u32,
    octets: bytes = "10" as Vec<u8>,
    when: int64 = "11" as i64
});
record!(Parked {
    frame: uint64 = "1" as u64,
    until: int64 = "2" as i64,
    why: uint32 = "3" as u32,
    held: uint32 = "4" as u32,
    when: int64 = "5" as i64,
    law: fixed32 = "6" as u32
});
record!(Held {
    frame: uint64 = "1" as u64,
    ordinal: uint32 = "2" as u32,
    until: int64 = "3" as i64,
    why: uint32 = "4" as u32,
    when: int64 = "5" as i64,
    law: fixed32 = "6" as u32
});
record!(Rescheduled {
    frame: uint64 = "1" as u64,
    ordinal: uint32 = "2" as u32,
    due: int64 = "3" as i64,
    when: int64 = "4" as i64,
    expires: int64 = "5" as i64
});

impl Rescheduled {
    fn of(at: MessageRef, moved: Moved, when: Time) -> Rescheduled {
        let instant = |at: Option<Time>| at.map_or(0, |at| at.0);
        let (due, expires) = (instant(moved.due), instant(moved.expires));
        Rescheduled { frame: at.frame.0, ordinal: at.ordinal, due, when: when.0, expires }
    }

    fn event(&self) -> Event {
        let instant = |at: i64| (at != 0).then_some(Time(at));
        let moved = Moved { due: instant(self.due), expires: instant(self.expires) };
        Event::Rescheduled { at: place(self.frame, self.ordinal), moved, when: Time(self.when) }
    }
}

record!(Rendered {
    frame: uint64 = "1" as u64,
    ordinal: uint32 = "2" as u32,
    at: int64 = "3" as i64,
    offset: sint32 = "4" as i32,
    encoding: uint32 = "5" as u32,
    count: uint32 = "6" as u32,
    segments: uint32 = "7" as u32,
    check: fixed32 = "8" as u32
});

fn to_entry(event: &Event) -> entry::Event {
    match event {
        Event::Leased { carrier, bind, when, messages, law } => entry::Event::Leased(Leased {
            law: *law,
            carrier: carrier.to_string(),
            bind: u32::from(*bind),
            when: when.0,
            messages: messages.iter().map(leased_record).collect(),
        }),
        Event::Submitted { at, part, carrier_id, named_in, when } => entry::Event::Submitted(Submitted {
            frame: at.frame.0,
            ordinal: at.ordinal,
            part: u32::from(*part),
            carrier_id: carrier_id.to_string(),
            when: when.0,
            by_receipt: *named_in == NamedIn::Receipt,
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
        Event::Orphaned { .. } => entry::Event::Orphaned(orphan_record(event)),
        Event::OrphanGone { carrier, carrier_id, when } => {
            entry::Event::OrphanGone(OrphanGone { carrier: carrier.to_string(), carrier_id: carrier_id.to_string(), when: when.0 })
        }
        Event::Parked { frame, until, why, held, law, when } => {
            let why = *why as u32;
            entry::Event::Parked(Parked { frame: frame.0, until: until.0, why, held: *held, when: when.0, law: *law })
        }
        Event::Held { at, until, why, law, when } => {
            let (frame, why) = (at.frame.0, *why as u32);
            entry::Event::Held(Held { frame, ordinal: at.ordinal, until: until.0, why, when: when.0, law: *law })
        }
        Event::Rescheduled { at, moved, when } => entry::Event::Rescheduled(Rescheduled::of(*at, *moved, *when)),
        Event::Inbound { id, carrier, account, from, to, text, keyword, when, parts, is_incomplete, port, of } => {
            entry::Event::Inbound(Inbound {
                id: *id,
                carrier: carrier.to_string(),
                account: account.to_string(),
                from: from.to_string(),
                to: to.to_string(),
                text: text.to_string(),
                keyword: *keyword as u32,
                when: when.0,
                parts: u32::from(*parts),
                is_incomplete: *is_incomplete,
                port: u32::from(*port),
                of: of.to_vec(),
            })
        }
        Event::InboundPart(part) => entry::Event::InboundPart(part_record(part)),
        Event::Rendered { at, rendering } => entry::Event::Rendered(rendered_record(*at, rendering)),
    }
}

fn orphan_record(event: &Event) -> Orphaned {
    let Event::Orphaned { carrier, carrier_id, other_id, number, reference, submit_date, state, error, when } = event else {
        unreachable!("it is asked about orphans only");
    };
    Orphaned {
        reference: reference.map_or(0, |reference| u32::from(reference) + 1),
        submit_date: *submit_date,
        other_id: other_id.to_string(),
        number: *number,
        carrier: carrier.to_string(),
        carrier_id: carrier_id.to_string(),
        state: *state as u32,
        error: error.to_string(),
        when: when.0,
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

fn echo(number: u32) -> Result<Option<u16>, Unreadable> {
    number.checked_sub(1).map(u16::try_from).transpose().map_err(|_| Unreadable)
}

fn parked(e: &Parked, why: Reason) -> Event {
    Event::Parked { frame: MessageId(e.frame), until: Time(e.until), why, held: e.held, law: e.law, when: Time(e.when) }
}

fn from_entry(event: entry::Event) -> Result<Event, Unreadable> {
    let reason = |number| Reason::from_number(number).ok_or(Unreadable);
    Ok(match event {
        entry::Event::Leased(e) => Event::Leased {
            law: e.law,
            carrier: e.carrier.into(),
            bind: u16::try_from(e.bind).map_err(|_| Unreadable)?,
            when: Time(e.when),
            messages: e
                .messages
                .iter()
                .map(|m| LeasedMessage {
                    at: place(m.frame, m.ordinal),
                    attempt: m.attempt as u8,
                    count: m.count as u8,
                    parts: m.parts,
                    reference: m.reference,
                })
                .collect(),
        },
        entry::Event::Submitted(e) => {
            let named_in = if e.by_receipt { NamedIn::Receipt } else { NamedIn::Answer };
            let (at, part) = (place(e.frame, e.ordinal), part(e.part)?);
            Event::Submitted { at, part, carrier_id: e.carrier_id.into(), named_in, when: Time(e.when) }
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
        entry::Event::Orphaned(e) => orphaned(e)?,
        entry::Event::OrphanGone(e) => Event::OrphanGone { carrier: e.carrier.into(), carrier_id: e.carrier_id.into(), when: Time(e.when) },
        entry::Event::Parked(e) => parked(&e, reason(e.why)?),
        entry::Event::Held(e) => {
            Event::Held { at: place(e.frame, e.ordinal), until: Time(e.until), why: reason(e.why)?, law: e.law, when: Time(e.when) }
        }
        entry::Event::Rescheduled(e) => e.event(),
        entry::Event::Inbound(e) => inbound(e)?,
        entry::Event::InboundPart(e) => Event::InboundPart(Box::new(inbound_part(e)?)),
        entry::Event::Rendered(e) => Event::Rendered { at: place(e.frame, e.ordinal), rendering: rendering(&e)? },
    })
}

fn orphaned(e: Orphaned) -> Result<Event, Unreadable> {
    Ok(Event::Orphaned {
        reference: echo(e.reference)?,
        submit_date: e.submit_date,
        other_id: e.other_id.into(),
        number: e.number,
        carrier: e.carrier.into(),
        carrier_id: e.carrier_id.into(),
        state: state(e.state)?,
        error: e.error.into(),
        when: Time(e.when),
    })
}

fn inbound(e: Inbound) -> Result<Event, Unreadable> {
    Ok(Event::Inbound {
        id: e.id,
        carrier: e.carrier.into(),
        account: e.account.into(),
        from: e.from.into(),
        to: e.to.into(),
        text: e.text.into(),
        keyword: *Keyword::ALL.get(e.keyword as usize).ok_or(Unreadable)?,
        when: Time(e.when),
        parts: u8::try_from(e.parts.max(1)).map_err(|_| Unreadable)?,
        is_incomplete: e.is_incomplete,
        port: u16::try_from(e.port).map_err(|_| Unreadable)?,
        of: e.of.into(),
    })
}

fn rendered_record(at: MessageRef, rendering: &Rendering) -> Rendered {
    let Rendering { moment, encoding, count, segments, check } = *rendering;
    Rendered {
        frame: at.frame.0,
        ordinal: at.ordinal,
        at: moment.at.0,
        offset: moment.offset,
        encoding: encoding.number(),
        count: u32::from(count),
        segments: u32::from(segments),
        check,
    }
}

fn rendering(e: &Rendered) -> Result<Rendering, Unreadable> {
    let counted = |number| u8::try_from(number).ok().filter(|count| (1..=64).contains(count)).ok_or(Unreadable);
    Ok(Rendering {
        moment: Moment { at: Time(e.at), offset: e.offset },
        encoding: Encoding::from_number(e.encoding).ok_or(Unreadable)?,
        count: counted(e.count)?,
        segments: counted(e.segments)?,
        check: e.check,
    })
}

fn leased_record(m: &LeasedMessage) -> LeasedMessageRecord {
    LeasedMessageRecord {
        frame: m.at.frame.0,
        ordinal: m.at.ordinal,
        attempt: u32::from(m.attempt),
        count: u32::from(m.count),
        parts: m.parts,
        reference: m.reference,
    }
}

fn part_record(part: &InboundPart) -> InboundPartRecord {
    let piece = &part.piece;
    InboundPartRecord {
        id: part.id,
        carrier: part.carrier.to_string(),
        from: piece.from.to_string(),
        to: piece.to.to_string(),
        wide: piece.is_wide,
        reference: u32::from(piece.reference),
        total: u32::from(piece.total),
        place: u32::from(piece.place),
        coding: piece.coding,
        octets: piece.octets.to_vec(),
        when: part.when.0,
    }
}

fn inbound_part(e: InboundPartRecord) -> Result<InboundPart, Unreadable> {
    let piece = Piece {
        from: e.from.into(),
        to: e.to.into(),
        is_wide: e.wide,
        reference: u16::try_from(e.reference).map_err(|_| Unreadable)?,
        total: u8::try_from(e.total).map_err(|_| Unreadable)?,
        place: u8::try_from(e.place).map_err(|_| Unreadable)?,
        coding: e.coding,
        octets: e.octets.into(),
    };
    Ok(InboundPart { id: e.id, carrier: e.carrier.into(), piece, when: Time(e.when) })
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

/// An entry's event.
pub(super) fn read_entry(entry: &[u8]) -> Result<Option<Event>, Unreadable> {
    Entry::decode(entry).map_err(|_| Unreadable)?.event.map(from_entry).transpose()
}

/// Reads a log row. An entry of a kind this version does not know is passed over.
pub fn read_events(log: &[u8]) -> Result<Vec<Event>, Unreadable> {
    let log = Log::decode(log).map_err(|_| Unreadable)?;
    log.entries.into_iter().filter_map(|entry| entry.event).map(from_entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_the_journal_in_order() {
        let at = place(1 << 40, 17);
        let events = vec![
            Event::Leased {
                law: 0xFFEE_0011,
                carrier: "one".into(),
                bind: 2,
                when: Time(1),
                messages: vec![LeasedMessage { at, attempt: 1, count: 2, parts: 3, reference: 77 }],
            },
            Event::Submitted { at, part: 0, carrier_id: "0A1B".into(), named_in: NamedIn::Answer, when: Time(2) },
            Event::Submitted { at, part: 1, carrier_id: "2587".into(), named_in: NamedIn::Receipt, when: Time(2) },
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
                reference: Some(0xBEEF),
                submit_date: 1_790_000_000,
                state: PartState::Expired,
                error: "".into(),
                when: Time(7),
            },
            Event::OrphanGone { carrier: "one".into(), carrier_id: "ff".into(), when: Time(8) },
            Event::Parked { frame: at.frame, until: Time(i64::MAX), why: Reason::Revival, held: 7, law: 8, when: Time(8) },
            Event::Held { at, until: Time(90), why: Reason::WindowClosed, law: u32::MAX, when: Time(8) },
            Event::Rescheduled { at, moved: Moved { due: Some(Time(95)), expires: None }, when: Time(8) },
            Event::Rescheduled { at, moved: Moved { due: None, expires: Some(Time(96)) }, when: Time(8) },
            Event::Rendered {
                at,
                rendering: Rendering {
                    moment: Moment { at: Time(8), offset: -34_200 },
                    encoding: Encoding::Ucs2,
                    count: 1,
                    segments: 3,
                    check: u32::MAX,
                },
            },
            Event::Inbound {
                id: 5,
                carrier: "one".into(),
                account: "shop".into(),
                from: "33612345678".into(),
                to: "36111".into(),
                text: "STOP".into(),
                keyword: Keyword::Stop,
                when: Time(9),
                parts: 3,
                is_incomplete: true,
                port: 9200,
                of: [11, 12].into(),
            },
            Event::InboundPart(Box::new(InboundPart {
                id: 11,
                carrier: "one".into(),
                piece: Piece {
                    from: "33612345678".into(),
                    to: "36111".into(),
                    is_wide: true,
                    reference: 0xBEEF,
                    total: 3,
                    place: 2,
                    coding: 8,
                    octets: [0, 65].into(),
                },
                when: Time(8),
            })),
        ];
        let mut log = Vec::new();
        write_events(&events[..4], &mut log);
        write_events(&events[4..], &mut log);
        assert_eq!(read_events(&log), Ok(events));
        assert!(read_events(&log[..log.len() - 1]).is_err());
    }
}
