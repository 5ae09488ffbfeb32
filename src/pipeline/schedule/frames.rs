//! The frames of one carrier that still hold unfinished messages: 300 octets each while nothing of them is in
//! memory, whatever the backlog.
//!
//! A frame whose messages may not go yet is *parked*: it is in no lane and its body is not in memory. When a frame goes
//! through its lane, messages that may not go are left *behind*, a bit each; when the lane has passed over the frame it
//! is parked again for those. So messages that wait, however many and for whatever, cost a bit each beside their frame.

use crate::base::{MessageId, MessageRef, Span, Time};
use crate::message::Status;
use crate::message::outcome::Reason;
use crate::pipeline::schedule::open::OpenFrame;
use crate::storage::{Closed, Frame};
use hashbrown::HashMap;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;

/// A frame is not parked again before so long after it was let go.
const REST: Span = Span::secs(1);

/// What a frame is parked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parking {
    /// The frame.
    pub frame: MessageId,
    /// Until when at least; `Time(i64::MAX)`: until somebody lets it go.
    pub until: Time,
    /// Why.
    pub why: Reason,
    /// How many messages wait in it.
    pub held: u32,
    /// Those of them of which more exact things are known.
    pub others: Vec<(u32, Time, Reason)>,
}

/// Whether a body on its way is the one to be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    /// It is.
    Current,
    /// The frame was replaced since: it may have been read before that.
    Outdated,
}

/// Sums over all frames.
#[derive(Clone, Copy, Default, Debug)]
pub struct Totals {
    /// Messages without a final status.
    pub left: u64,
    /// Messages that may not go yet.
    pub held: u64,
}

/// All open frames of a carrier.
#[derive(Debug, Default)]
pub struct Frames {
    map: HashMap<MessageId, OpenFrame, foldhash::fast::FixedState>,
    /// Frames with messages that were never taken, by the earliest expiry in them.
    waiting: BTreeSet<(Time, MessageId)>,
    /// Frames that are in no lane, by the instant at which they enter it.
    parked: BTreeSet<(Time, MessageId)>,
    /// Frames the lanes have passed over that have left messages behind.
    passed: Vec<MessageId>,
    /// Octets of bodies in memory.
    bytes: usize,
    /// The sums of `totals`, while nothing has changed since they were made.
    totals: Cell<Option<Totals>>,
    /// Bodies asked for and not yet come.
    asked: BTreeMap<MessageId, Asked>,
    /// To be asked for.
    wanted: Vec<MessageId>,
}

impl Frames {
    /// Adds a frame.
    pub fn insert(&mut self, frame: OpenFrame) {
        self.totals.set(None);
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
        self.totals.set(None);
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
    /// Sums over all frames: made anew only when one of them may have changed, since thousands that wait for their hour are asked
    /// for several times a second.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals.get().unwrap_or_else(|| {
            let held = |frame: &OpenFrame| u64::from(frame.tally.of(Status::Held) + frame.tally.of(Status::Scheduled));
            let add = |sum: Totals, frame: &OpenFrame| Totals { left: sum.left + u64::from(frame.left), held: sum.held + held(frame) };
            let totals = self.map.values().fold(Totals::default(), add);
            self.totals.set(Some(totals));
            totals
        })
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

    /// Puts a body in the place of the one in memory, if there is one, and of one that is on its way.
    pub fn replace(&mut self, body: &Arc<Frame>) {
        if let Some(asked) = self.asked.get_mut(&body.head.first) {
            *asked = Asked::Outdated;
        }
        let Some(former) = self.map.get_mut(&body.head.first).and_then(|frame| frame.body.as_mut()) else { return };
        self.bytes = self.bytes + body.body.len() - former.body.len();
        *former = body.clone();
    }

    /// Asks for a body, once.
    pub fn want(&mut self, first: MessageId) {
        if let Entry::Vacant(place) = self.asked.entry(first) {
            place.insert(Asked::Current);
            self.wanted.push(first);
        }
    }
    /// What was asked for since the last call.
    pub fn take_wanted(&mut self) -> Vec<MessageId> {
        std::mem::take(&mut self.wanted)
    }
    /// A body has come. Ignored when the frame is over meanwhile, and when it was replaced meanwhile: who needs it asks again.
    pub fn fetched(&mut self, body: Arc<Frame>) {
        if self.asked.remove(&body.head.first) == Some(Asked::Outdated) {
            return;
        }
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
        let is_needed = |frame: &OpenFrame| frame.retries > 0 || (frame.next < frame.head.count && frame.parked.is_none());
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
            if frame.parked.is_some() {
                return;
            }
            if frame.has_behind() {
                if self.passed.last() != Some(&first) {
                    self.passed.push(first);
                }
                return;
            }
            self.waiting.remove(&(frame.head.expires, first));
        }
        self.drop_body(first);
    }

    /// Whether `take_passed` has one.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        !self.passed.is_empty()
    }
    /// A frame the lanes have passed over, with messages left behind: to be parked.
    pub fn take_passed(&mut self) -> Option<MessageId> {
        self.passed.pop()
    }

    /// Parks a frame that has left messages behind until the least instant one of them waits for, but no sooner than a
    /// second after it was last let go: each time is a pass over the frame. `None` when nothing waits in it after all.
    pub fn park_behind(&mut self, first: MessageId) -> Option<Parking> {
        let frame = self.map.get_mut(&first)?;
        let behind = frame.gather()?;
        if !frame.advance() {
            self.all_taken(first);
            return None;
        }
        let (until, why) = behind.until.expect("it was set with the first left behind");
        let until = if frame.since == Time(i64::MIN) { until } else { until.max(frame.since.after(REST)) };
        let held = self.park(first, until, why);
        Some(Parking { frame: first, until, why, held, others: behind.others })
    }

    /// Takes a frame out of its lane (which drops it when it is its turn); how many messages wait in it.
    pub fn park(&mut self, first: MessageId, until: Time, why: Reason) -> u32 {
        let Some(frame) = self.map.get_mut(&first) else { return 0 };
        if let Some((before, _)) = frame.parked.replace((until, why)) {
            self.parked.remove(&(before, first));
        }
        let held = frame.waiting();
        self.parked.insert((until, first));
        self.drop_body(first);
        held
    }

    /// The parked frame whose time came first, let go: it, and how its messages stood. `None` when none has come.
    pub fn unpark(&mut self, now: Time) -> Option<(MessageId, Status)> {
        let (until, first) = self.parked.first().copied().filter(|(until, _)| *until <= now)?;
        self.parked.remove(&(until, first));
        let frame = self.map.get_mut(&first).expect("what is over is not parked");
        let standing = frame.standing();
        (frame.parked, frame.since) = (None, now);
        Some((first, standing))
    }

    /// Lets a parked frame go earlier; it keeps its reason.
    pub fn hasten(&mut self, first: MessageId, until: Time) {
        if let Some(frame) = self.map.get_mut(&first)
            && let Some((before, why)) = frame.parked
            && until < before
        {
            frame.parked = Some((until, why));
            self.parked.remove(&(before, first));
            self.parked.insert((until, first));
        }
    }

    /// When the next parked frame is due; `None` when none is, or all wait for somebody.
    #[must_use]
    pub fn next_parked(&self) -> Option<Time> {
        self.parked.first().map(|(until, _)| *until).filter(|until| *until != Time(i64::MAX))
    }

    /// Parked frames that wait for one of these reasons.
    #[must_use]
    pub fn parked_for(&self, reasons: &[Reason]) -> Vec<MessageId> {
        let waits = |first: &MessageId| self.map.get(first).and_then(OpenFrame::parked).is_some_and(|(_, why)| reasons.contains(&why));
        self.parked.iter().map(|(_, first)| *first).filter(waits).collect()
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
        self.totals.set(None);
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
        if let Some((until, _)) = frame.parked {
            self.parked.remove(&(until, at.frame));
        }
        self.bytes -= frame.body.as_ref().map_or(0, |body| body.body.len());
        self.map.remove(&at.frame);
        Some(closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::outcome::Tally;
    use crate::storage::{FrameHead, Lane};

    fn head(first: u64, count: u32, expires: i64) -> FrameHead {
        let lane = Lane { carrier: "c".into(), account: "a".into(), priority: 1 };
        FrameHead {
            first: MessageId(first),
            count,
            seq: 1,
            lane,
            batch: None,
            accepted: Time(0),
            expires: Time(expires),
            due: Time(0),
            why: 0,
        }
    }

    #[test]
    fn a_frame_closes_with_its_last_message_and_not_before() {
        let mut frames = Frames::default();
        frames.insert(OpenFrame::new(head(64, 2, 10), None, 1));
        let at = |ordinal| MessageRef { frame: MessageId(64), ordinal };
        assert_eq!(frames.shift(at(0), Status::Accepted, Status::Expired), None);
        assert_eq!(frames.shift(at(1), Status::Accepted, Status::Sending), None);
        let closed = frames.shift(at(1), Status::Sending, Status::Delivered).expect("the last one");
        assert_eq!(Tally::from_bytes(&closed.tally).total(), 2);
        assert!(frames.is_empty() && frames.next_expiry().is_none());
    }

    #[test]
    fn skipped_messages_are_passed_over() {
        let mut frame = OpenFrame::new(head(64, 130, 10), None, 1);
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
        frames.insert(OpenFrame::new(head(64, 1, 10), None, 1));
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

    #[test]
    fn what_is_left_behind_is_parked_for_until_the_least_instant_and_taken_in_order_again() {
        let mut frames = Frames::default();
        frames.insert(OpenFrame::new(head(64, 5, 10), None, 1));
        let first = MessageId(64);
        let frame = frames.get_mut(first).expect("open");
        frame.next = 5;
        frame.leave_behind(1, Time(900), Reason::WindowClosed);
        frame.leave_behind(2, Time(900), Reason::WindowClosed);
        frame.leave_behind(4, Time(500), Reason::FrequencyCap);
        assert!(frame.is_waiting(1) && !frame.is_waiting(0) && frame.waiting() == 3);
        frame.skip(2);
        assert!(!frame.is_waiting(2) && frame.waiting() == 2);
        frames.all_taken(first);
        assert_eq!(frames.take_passed(), Some(first));
        let parking = frames.park_behind(first).expect("two wait");
        let others = vec![(4, Time(500), Reason::FrequencyCap)];
        assert_eq!(parking, Parking { frame: first, until: Time(500), why: Reason::FrequencyCap, held: 2, others });
        assert_eq!((frames.next_parked(), frames.unpark(Time(499))), (Some(Time(500)), None));
        assert_eq!(frames.get(first).map(OpenFrame::standing), Some(Status::Held));
        assert_eq!(frames.unpark(Time(500)), Some((first, Status::Held)));
        let frame = frames.get_mut(first).expect("open");
        assert!(frame.advance() && frame.next == 1);
        frame.next = 2;
        assert!(frame.advance() && frame.next == 4);
        frame.next = 5;
        frame.leave_behind(4, Time(501), Reason::FrequencyCap);
        frames.all_taken(first);
        assert_eq!(frames.take_passed().and_then(|first| frames.park_behind(first)).map(|parking| parking.until), Some(Time(1_500)));
        assert!(frames.get(first).is_some_and(|frame| frame.is_waiting(4) && !frame.is_waiting(1)));
    }
}
