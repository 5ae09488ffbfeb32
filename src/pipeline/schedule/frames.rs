//! The frames of one carrier that still hold unfinished messages: 200 octets each while nothing of them is in
//! memory, whatever the backlog.

use crate::base::{MessageId, MessageRef, Time};
use crate::message::outcome::Tally;
use crate::message::{Status, record::MessageRecord};
use crate::storage::{Closed, Frame, FrameHead};
use hashbrown::HashMap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A frame with unfinished messages.
#[derive(Debug)]
pub struct OpenFrame {
    /// What it is.
    pub head: FrameHead,
    /// Its messages, while some of them are about to be sent.
    pub body: Option<Arc<Frame>>,
    /// The first ordinal not yet taken for sending.
    pub next: u32,
    /// How many messages are not final.
    pub left: u32,
    /// Ordinals at or after `next` that must not be taken: ended while they waited, or taken before a restart.
    skip: Vec<u64>,
    /// How many entries of the retries are about it: its body is kept until they have been served.
    pub retries: u32,
    /// Where its messages stand.
    pub tally: Tally,
}

impl OpenFrame {
    /// A frame none of whose messages has moved.
    #[must_use]
    pub fn new(head: FrameHead, body: Option<Arc<Frame>>) -> OpenFrame {
        let mut tally = Tally::default();
        tally.0[Status::Accepted as usize] = head.count;
        OpenFrame { left: head.count, head, body, next: 0, skip: Vec::new(), retries: 0, tally }
    }

    /// Marks a waiting message as not to be taken.
    pub fn skip(&mut self, ordinal: u32) {
        let word = ordinal as usize / 64;
        if self.skip.len() <= word {
            self.skip.resize(word + 1, 0);
        }
        self.skip[word] |= 1 << (ordinal % 64);
    }

    /// Whether a message must not be taken.
    #[must_use]
    pub fn is_skipped(&self, ordinal: u32) -> bool {
        self.skip.get(ordinal as usize / 64).is_some_and(|word| word & (1 << (ordinal % 64)) != 0)
    }

    /// Whether a message still waits to be taken for the first time.
    #[must_use]
    pub fn is_waiting(&self, ordinal: u32) -> bool {
        ordinal >= self.next && ordinal < self.head.count && !self.is_skipped(ordinal)
    }

    /// Moves `next` past what must not be taken; false when nothing is left to take.
    pub fn advance(&mut self) -> bool {
        while self.next < self.head.count && self.is_skipped(self.next) {
            self.next += 1;
        }
        self.next < self.head.count
    }

    /// Reads one message, if the body is in memory.
    #[must_use]
    pub fn read(&self, ordinal: u32) -> Option<Result<MessageRecord, crate::message::record::Unreadable>> {
        let bytes = self.body.as_ref()?.record(ordinal)?;
        Some(MessageRecord::read(bytes))
    }
}

/// All open frames of a carrier.
#[derive(Debug, Default)]
pub struct Frames {
    map: HashMap<MessageId, OpenFrame, foldhash::fast::FixedState>,
    /// Frames with messages that were never taken, by the earliest expiry in them.
    waiting: BTreeSet<(Time, MessageId)>,
    /// Octets of bodies in memory.
    bytes: usize,
    /// Bodies asked for and not yet come.
    asked: BTreeSet<MessageId>,
    /// To be asked for.
    wanted: Vec<MessageId>,
}

impl Frames {
    /// Adds a frame.
    pub fn insert(&mut self, frame: OpenFrame) {
        self.bytes += frame.body.as_ref().map_or(0, |body| body.body.len());
        if frame.next < frame.head.count {
            self.waiting.insert((frame.head.expires, frame.head.first));
        }
        self.map.insert(frame.head.first, frame);
    }
    /// A frame.
    #[must_use]
    pub fn get(&self, first: MessageId) -> Option<&OpenFrame> {
        self.map.get(&first)
    }
    /// A frame, to change.
    pub fn get_mut(&mut self, first: MessageId) -> Option<&mut OpenFrame> {
        self.map.get_mut(&first)
    }
    /// The frame that holds a message, by its id alone. Slow (looks at all frames): only for what a person asks.
    #[must_use]
    pub fn find(&self, id: MessageId) -> Option<MessageRef> {
        self.map.values().find_map(|frame| {
            let ordinal = id.0.checked_sub(frame.head.first.0)?;
            (ordinal < u64::from(frame.head.count)).then_some(MessageRef { frame: frame.head.first, ordinal: ordinal as u32 })
        })
    }
    /// All frames.
    pub fn iter(&self) -> impl Iterator<Item = &OpenFrame> {
        self.map.values()
    }
    /// How many frames are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }
    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
    /// Octets of bodies in memory.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Asks for a body, once.
    pub fn want(&mut self, first: MessageId) {
        if self.asked.insert(first) {
            self.wanted.push(first);
        }
    }
    /// What was asked for since the last call.
    pub fn take_wanted(&mut self) -> Vec<MessageId> {
        std::mem::take(&mut self.wanted)
    }
    /// A body has come. Ignored when the frame is over meanwhile.
    pub fn fetched(&mut self, body: Arc<Frame>) {
        self.asked.remove(&body.head.first);
        if let Some(frame) = self.map.get_mut(&body.head.first)
            && frame.body.is_none()
        {
            self.bytes += body.body.len();
            frame.body = Some(body);
        }
    }
    /// A body could not be read: it may be asked for again.
    pub fn not_fetched(&mut self, first: MessageId) {
        self.asked.remove(&first);
    }
    /// Lets a body go when nothing waits in it; it can be asked for again.
    pub fn drop_body(&mut self, first: MessageId) {
        let is_needed = |frame: &OpenFrame| frame.retries > 0 || frame.next < frame.head.count;
        if self.map.get(&first).is_some_and(is_needed) {
            return;
        }
        if let Some(body) = self.map.get_mut(&first).and_then(|frame| frame.body.take()) {
            self.bytes -= body.body.len();
        }
    }

    /// Every message of the frame has been taken once.
    pub fn all_taken(&mut self, first: MessageId) {
        if let Some(frame) = self.map.get(&first) {
            self.waiting.remove(&(frame.head.expires, first));
        }
        self.drop_body(first);
    }
    /// The waiting frame with the earliest expiry at or before `now`.
    #[must_use]
    pub fn expiring(&self, now: Time) -> Option<MessageId> {
        self.waiting.first().filter(|(expires, _)| *expires <= now).map(|(_, first)| *first)
    }
    /// The earliest expiry of any waiting frame.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Time> {
        self.waiting.first().map(|(expires, _)| *expires)
    }
    /// Sets a frame's earliest expiry anew, after its expired messages were ended.
    pub fn set_expiry(&mut self, first: MessageId, expires: Time) {
        if let Some(frame) = self.map.get_mut(&first)
            && self.waiting.remove(&(frame.head.expires, first))
        {
            frame.head.expires = expires;
            self.waiting.insert((expires, first));
        }
    }

    /// Notes that a message moved from one status to another; the row to journal when it was the frame's last.
    pub fn shift(&mut self, at: MessageRef, from: Status, to: Status) -> Option<Closed> {
        let frame = self.map.get_mut(&at.frame)?;
        frame.tally.shift(from, to);
        if !to.is_final() || from.is_final() {
            return None;
        }
        frame.left -= 1;
        if frame.left > 0 {
            return None;
        }
        let closed = Closed { frame: at.frame, batch: frame.head.batch, tally: frame.tally.to_bytes() };
        self.waiting.remove(&(frame.head.expires, at.frame));
        self.bytes -= frame.body.as_ref().map_or(0, |body| body.body.len());
        self.map.remove(&at.frame);
        Some(closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Lane;

    fn head(first: u64, count: u32, expires: i64) -> FrameHead {
        let lane = Lane { carrier: "c".into(), account: "a".into(), priority: 1 };
        FrameHead { first: MessageId(first), count, seq: 1, lane, batch: None, accepted: Time(0), expires: Time(expires) }
    }

    #[test]
    fn a_frame_closes_with_its_last_message_and_not_before() {
        let mut frames = Frames::default();
        frames.insert(OpenFrame::new(head(64, 2, 10), None));
        let at = |ordinal| MessageRef { frame: MessageId(64), ordinal };
        assert_eq!(frames.shift(at(0), Status::Accepted, Status::Expired), None);
        assert_eq!(frames.shift(at(1), Status::Accepted, Status::Sending), None);
        let closed = frames.shift(at(1), Status::Sending, Status::Delivered).expect("the last one");
        assert_eq!(Tally::from_bytes(&closed.tally).total(), 2);
        assert!(frames.is_empty() && frames.next_expiry().is_none());
    }

    #[test]
    fn skipped_messages_are_passed_over() {
        let mut frame = OpenFrame::new(head(64, 130, 10), None);
        for ordinal in [0, 1, 64, 129] {
            frame.skip(ordinal);
        }
        assert!(frame.advance());
        assert_eq!(frame.next, 2);
        assert!(!frame.is_waiting(64) && frame.is_waiting(65) && !frame.is_waiting(130));
        frame.next = 129;
        assert!(!frame.advance());
    }

    #[test]
    fn a_body_is_asked_for_once_until_it_comes() {
        let mut frames = Frames::default();
        frames.insert(OpenFrame::new(head(64, 1, 10), None));
        frames.want(MessageId(64));
        frames.want(MessageId(64));
        assert_eq!(frames.take_wanted(), vec![MessageId(64)]);
        let body = Arc::new(Frame::new(head(64, 1, 10), bytes::Bytes::from_static(b"\x01a")).expect("one record"));
        frames.fetched(body);
        assert_eq!(frames.bytes(), 2);
        frames.drop_body(MessageId(64));
        assert_eq!(frames.bytes(), 2, "a message waits in it");
        frames.get_mut(MessageId(64)).expect("open").next = 1;
        frames.all_taken(MessageId(64));
        assert_eq!(frames.bytes(), 0);
    }
}
