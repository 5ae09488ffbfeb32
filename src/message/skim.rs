//! Reading of a log row what is about one frame or one message, without the rest of it.

use crate::base::MessageId;
use crate::message::event::Event;
use crate::message::log::read_entry;
use crate::message::record::Unreadable;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// The events of a row that are about a frame, or about one message of it and what it shares with others (leases, parking),
/// in their order. Everything else is passed over undecoded: a row tells of thousands of messages, a look-up asks for one.
///
/// # Errors
/// What is no row of events.
pub fn read_events_about(log: &[u8], frame: MessageId, ordinal: Option<u32>) -> Result<Vec<Event>, Unreadable> {
    let mut events = Vec::new();
    let (mut rest, mut is_sound) = (log, true);
    while let Some((_, body)) = next_field(&mut rest, &mut is_sound) {
        let (mut inside, mut whole) = (body, true);
        let Some((kind, of_event)) = next_field(&mut inside, &mut whole) else { continue };
        let is_wanted = match kind {
            LEASED => true,
            PARKED => named(of_event).0 == frame.0,
            kind if OF_NO_MESSAGE.contains(&kind) => false,
            _ => named(of_event).0 == frame.0 && ordinal.is_none_or(|ordinal| named(of_event).1 == ordinal),
        };
        if !is_wanted {
            continue;
        }
        let event = read_entry(body)?;
        events.extend(event.filter(|event| match event {
            Event::Leased { messages, .. } => messages.iter().any(|message| message.at.frame == frame),
            _ => true,
        }));
    }
    if is_sound { Ok(events) } else { Err(Unreadable) }
}

/// The events of a row that are about one of the frames `is_wanted` says, or about no message, in their order. Everything
/// else is passed over undecoded: a start reads days of rows for the few frames that are open.
///
/// # Errors
/// What is no row of events.
pub fn read_events_of(log: &[u8], is_wanted: &dyn Fn(MessageId) -> bool) -> Result<Vec<Event>, Unreadable> {
    let mut events = Vec::new();
    let (mut rest, mut is_sound) = (log, true);
    while let Some((_, body)) = next_field(&mut rest, &mut is_sound) {
        let (mut inside, mut whole) = (body, true);
        let Some((kind, of_event)) = next_field(&mut inside, &mut whole) else { continue };
        let is_read = match kind {
            LEASED => leases_any(of_event, is_wanted),
            kind if OF_NO_MESSAGE.contains(&kind) => true,
            _ => is_wanted(MessageId(named(of_event).0)),
        };
        if is_read {
            events.extend(read_entry(body)?);
        }
    }
    if is_sound { Ok(events) } else { Err(Unreadable) }
}

/// Whether a lease names a message of a wanted frame. What cannot be read is read whole, and refused there.
fn leases_any(mut leased: &[u8], is_wanted: &dyn Fn(MessageId) -> bool) -> bool {
    let mut is_sound = true;
    while let Some((tag, message)) = next_field(&mut leased, &mut is_sound) {
        if tag == LEASED_MESSAGES && is_wanted(MessageId(named(message).0)) {
            return true;
        }
    }
    !is_sound
}

/// The tag in `Leased` of its messages.
const LEASED_MESSAGES: u32 = 4;

/// Tags in `Entry` of what names many messages, and of what names none.
const LEASED: u32 = 1;
const PARKED: u32 = 11;
const OF_NO_MESSAGE: [u32; 4] = [8, 9, 10, 14];

/// The next field that has octets, and its tag; others are passed over. None at the end, or, unsoundly, where it cannot be read.
fn next_field<'a>(rest: &mut &'a [u8], is_sound: &mut bool) -> Option<(u32, &'a [u8])> {
    while !rest.is_empty() {
        let field = decode_key(rest).and_then(|(tag, kind)| match kind {
            WireType::LengthDelimited => decode_varint(rest).map(|length| Some((tag, length))),
            kind => skip_field(kind, tag, rest, DecodeContext::default()).map(|()| None),
        });
        match field {
            Ok(None) => {}
            Ok(Some((tag, length))) => {
                let split = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
                *is_sound &= split.is_some();
                let (body, after) = split?;
                *rest = after;
                return Some((tag, body));
            }
            Err(_) => {
                *is_sound = false;
                return None;
            }
        }
    }
    None
}

/// Frame and ordinal of an event that names one message: its fields 1 and 2, which are written first.
fn named(mut event: &[u8]) -> (u64, u32) {
    let mut place = (0, 0);
    while let Ok((tag, WireType::Varint)) = decode_key(&mut event) {
        let Ok(number) = decode_varint(&mut event) else { break };
        match tag {
            1 => place.0 = number,
            2 => place.1 = number as u32,
            _ => break,
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{MessageRef, Time};
    use crate::message::event::{LeasedMessage, NamedIn};
    use crate::message::log::{read_events, write_events};
    use crate::message::outcome::Reason;

    #[test]
    fn what_is_read_of_some_frames_is_what_a_whole_reading_says_of_them_and_of_no_message() {
        let mut events = Vec::new();
        for frame in [MessageId(1 << 40), MessageId(2 << 40), MessageId(3)] {
            let at = MessageRef { frame, ordinal: 300 };
            let lease = |at| LeasedMessage { at, attempt: 1, count: 2, parts: 3, reference: 0 };
            let messages = vec![lease(MessageRef { frame: MessageId(7), ordinal: 0 }), lease(at)];
            events.push(Event::Leased { carrier: "one".into(), bind: 2, when: Time(1), messages, law: 3 });
            events.push(Event::Submitted { at, part: 0, carrier_id: "0A1B".into(), named_in: NamedIn::Answer, when: Time(2) });
            events.push(Event::OrphanGone { carrier: "one".into(), carrier_id: "ff".into(), when: Time(8) });
            events.push(Event::Parked { frame, until: Time(9), why: Reason::Revival, held: 7, law: 3, when: Time(8) });
        }
        let mut log = Vec::new();
        write_events(&events, &mut log);
        let of = |wanted: u64| read_events_of(&log, &|frame| frame.0 == wanted).expect("sound");
        assert_eq!(of(2 << 40), [&events[2..3], &events[4..8], &events[10..11]].concat());
        assert_eq!(of(7), [&events[..1], &events[2..3], &events[4..5], &events[6..7], &events[8..9], &events[10..11]].concat());
        assert_eq!(of(8), [&events[2..3], &events[6..7], &events[10..11]].concat());
        for cut in 0..log.len() {
            assert_eq!(read_events_of(&log[..cut], &|_| true).is_err(), read_events(&log[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn what_is_read_about_a_message_is_what_a_whole_reading_says_of_it() {
        let mut events = Vec::new();
        for (frame, ordinal) in [(1 << 40, 0), (1 << 40, 300), (2 << 40, 300)] {
            let at = MessageRef { frame: MessageId(frame), ordinal };
            let messages = vec![LeasedMessage { at, attempt: 1, count: 2, parts: 3, reference: 0 }];
            events.push(Event::Leased { carrier: "one".into(), bind: 2, when: Time(1), messages, law: 3 });
            events.push(Event::Submitted { at, part: 0, carrier_id: "0A1B".into(), named_in: NamedIn::Answer, when: Time(2) });
            events.push(Event::OrphanGone { carrier: "one".into(), carrier_id: "ff".into(), when: Time(8) });
            events.push(Event::Parked { frame: at.frame, until: Time(9), why: Reason::Revival, held: 7, law: 3, when: Time(8) });
        }
        let mut log = Vec::new();
        write_events(&events, &mut log);
        let frame = MessageId(1 << 40);
        let of_frame = read_events_about(&log, frame, None).expect("sound");
        assert_eq!(of_frame, [&events[..2], &events[3..6], &events[7..8]].concat());
        let of_one = read_events_about(&log, frame, Some(300)).expect("sound");
        assert_eq!(of_one, [&events[..1], &events[3..6], &events[7..8]].concat());
        for cut in 0..log.len() {
            assert_eq!(read_events_about(&log[..cut], frame, None).is_err(), read_events(&log[..cut]).is_err(), "{cut}");
        }
    }
}
