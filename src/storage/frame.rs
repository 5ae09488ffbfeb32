//! A frame: messages of one lane, accepted in one commit. In memory the body is plain; in the store it is
//! compressed and checksummed.

use crate::base::{BatchId, MessageId, Time};
use bytes::Bytes;

/// The queue a frame's messages wait in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lane {
    /// The carrier's name.
    pub carrier: String,
    /// The account's name.
    pub account: String,
    /// `message::Class` as a number: 0 is the most urgent.
    pub priority: u8,
}

/// What is known of a frame without its messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrameHead {
    /// The id of its first message, which names the frame.
    pub first: MessageId,
    /// How many messages: 1 to `config::limits::FRAME_MESSAGES_MAX`.
    pub count: u32,
    /// The commit that holds it.
    pub seq: u64,
    /// Where its messages wait.
    pub lane: Lane,
    /// Its bulk, if any.
    pub batch: Option<BatchId>,
    /// When its messages were accepted.
    pub accepted: Time,
    /// The earliest instant at which one of its messages may no longer be sent.
    pub expires: Time,
    /// No message of it may go before; `Time(0)` when it may go at once.
    pub due: Time,
    /// Why not before, as a number (`message::outcome::Reason`, which this folder cannot name); 0 when it may go at once.
    pub why: u8,
}

/// A frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// What it is.
    pub head: FrameHead,
    /// Records, each preceded by its length as a varint.
    pub body: Bytes,
    /// Where each record begins in `body` (after its length), and past the last, one end: `count` pairs.
    pub places: Box<[(u32, u32)]>,
}

impl Frame {
    /// Finds the records of a body. `None` when it does not hold exactly `head.count` of them.
    #[must_use]
    pub fn new(head: FrameHead, body: Bytes) -> Option<Frame> {
        let mut places = Vec::with_capacity(head.count.min(65_536) as usize);
        let mut at = 0usize;
        while at < body.len() {
            let (mut length, mut shift) = (0u64, 0);
            loop {
                let byte = *body.get(at)?;
                at += 1;
                length |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
                if shift > 28 {
                    return None;
                }
            }
            let end = at.checked_add(usize::try_from(length).ok()?)?;
            if end > body.len() {
                return None;
            }
            places.push((u32::try_from(at).ok()?, u32::try_from(end).ok()?));
            at = end;
        }
        (places.len() == head.count as usize).then(|| Frame { head, body, places: places.into() })
    }

    /// Whether a message was erased: nothing is left of it but its place.
    #[must_use]
    pub fn is_blank(&self, ordinal: u32) -> bool {
        self.places.get(ordinal as usize).is_some_and(|(from, to)| from == to)
    }

    /// One message's record; empty when it was erased.
    #[must_use]
    pub fn record(&self, ordinal: u32) -> Option<Bytes> {
        self.places.get(ordinal as usize).map(|(from, to)| self.body.slice(*from as usize..*to as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(count: u32) -> FrameHead {
        let lane = Lane { carrier: "c".into(), account: "a".into(), priority: 1 };
        FrameHead { first: MessageId(9), count, seq: 1, lane, batch: None, accepted: Time(0), expires: Time(1), due: Time(0), why: 0 }
    }

    #[test]
    fn records_are_found_by_ordinal_and_a_body_that_lies_is_refused() {
        let body = Bytes::from_static(b"\x02ab\x00\x01c");
        let frame = Frame::new(head(3), body.clone()).expect("three records");
        assert_eq!(
            (frame.record(0), frame.record(1), frame.record(2), frame.record(3)),
            (Some("ab".into()), Some("".into()), Some("c".into()), None)
        );
        assert!(Frame::new(head(2), body).is_none());
        assert!(Frame::new(head(1), Bytes::from_static(b"\x05ab")).is_none());
        assert!(Frame::new(head(1), Bytes::from_static(b"\xff\xff\xff\xff\xff\xff")).is_none());
    }
}
