//! What may not go now: parked with its frame, or held by itself when it was leased before. Held messages cost no attempt,
//! are judged anew when their instant comes, and can be canceled or moved meanwhile.

use super::Desk;
use super::effects::Now;
use super::law::{Asked, Revival, Ruling, UNKNOWN};
use crate::base::{MessageId, MessageRef, Span, Time};
use crate::config::limits::RESCHEDULED_MAX;
use crate::message::event::{Moved, Parts};
use crate::message::outcome::{Reason, Status};
use crate::message::{Class, Event};
use crate::pipeline::schedule::clock::Clock;

/// Messages that were leased before wait on the monotonic clock; they are judged at least so often, as the wall may jump.
const LOOK_AGAIN: Span = Span::secs(60);

/// So often when nobody knows until when.
const LOOK_AGAIN_SOON: Span = Span::secs(1);

/// Most frames let go in one turn, so that no turn blocks its shard for more than 500 µs.
const LET_GO_MAX: usize = 1_000;

/// Most messages judged and left behind in one turn, for the same reason.
pub(super) const LEFT_BEHIND_MAX: u32 = 2_048;

impl Desk {
    /// Frames whose instant has come enter their lanes.
    pub(super) fn let_go(&mut self, now: Now) {
        for _ in 0..LET_GO_MAX {
            let Some((first, standing)) = self.frames.unpark(now.wall) else { return };
            let frame = self.frames.get(first).expect("it was parked");
            let class = Class::from_priority(frame.head.lane.priority);
            self.lanes.push(&frame.head.lane.account, class, frame.weight, first);
            self.shift_waiting(first, standing, Status::Accepted);
        }
    }

    /// Parks the frames whose lanes have passed over them and left messages behind.
    pub(super) fn park_passed(&mut self, now: Now) {
        if !self.frames.has_passed() {
            return;
        }
        let law = self.law.jury.stamp();
        while let Some(first) = self.frames.take_passed() {
            let Some(parking) = self.frames.park_behind(first) else { continue };
            self.parked(first, parking.until, parking.why, parking.held, now);
            let standing = Status::waiting(parking.why);
            let Some(frame) = self.frames.get(first) else { continue };
            for (ordinal, until, why) in parking.others {
                if frame.is_waiting(ordinal) && Status::waiting(why) == standing {
                    let at = MessageRef { frame: first, ordinal };
                    self.effects.events.push(Event::Held { at, until, why, law, when: now.wall });
                }
            }
        }
    }

    /// Takes note that a frame was parked, in the counters and in the journal.
    pub(super) fn parked(&mut self, first: MessageId, until: Time, why: Reason, held: u32, now: Now) {
        self.shift_waiting(first, Status::Accepted, Status::waiting(why));
        self.counts.held += u64::from(held);
        self.effects.touch(first);
        self.effects.events.push(Event::Parked { frame: first, until, why, held, law: self.law.jury.stamp(), when: now.wall });
    }

    /// Moves the counters for all messages of a frame that were never taken.
    fn shift_waiting(&mut self, first: MessageId, from: Status, to: Status) {
        let Some(frame) = self.frames.get_mut(first) else { return };
        let count = frame.waiting();
        frame.tally.shift_many(from, to, count);
        if let Some(batch) = frame.head.batch {
            self.effects.shift_many(batch, from, to, count);
        }
    }

    /// A message that was leased before waits by itself.
    pub(super) fn hold(&mut self, at: MessageRef, parts: Parts, until: Time, why: Reason, now: Now) {
        let Some(open) = self.open.get(&at) else { return };
        if open.life.waits != Some((until, why)) {
            self.counts.held += 1;
            self.emit(Event::Held { at, until, why, law: self.law.jury.stamp(), when: now.wall });
        }
        let wait = if until == UNKNOWN { LOOK_AGAIN_SOON } else { until.since(now.wall).clamp(Span::millis(10), LOOK_AGAIN) };
        self.queue_again(at, parts, Some(now.mono + wait));
    }

    /// How a message stands that was leased before: whether some of it, beside `pending`, may be at the carrier.
    pub(super) fn asked(&self, at: MessageRef, pending: Parts) -> Asked {
        let begun = self.open.get(&at).is_some_and(|open| {
            let life = &open.life;
            life.submitted | life.doubted | (life.leased & !pending) != 0
        });
        if begun { Asked::Begun } else { Asked::Again }
    }

    /// Ends a message that will not be sent any further. What may be at the carrier already is not called expired or
    /// refused.
    pub(super) fn give_up(&mut self, at: MessageRef, pending: Parts, status: Status, reason: Reason, now: Now) {
        let status = match self.asked(at, pending) {
            Asked::Begun if self.open.get(&at).is_some_and(|open| open.life.delivered != 0) => Status::PartiallyDelivered,
            Asked::Begun => Status::Unknown,
            _ => status,
        };
        self.end(at, status, reason, 0, now);
    }

    /// The message at the front of a link's leases, judged again before it is written: `false` when it may not go now and
    /// was taken away.
    pub(super) fn still_goes(&mut self, link: usize, now: Now) -> bool {
        let ready = self.links[link].ready.front().expect("the caller looked at it");
        let (at, parts) = (ready.at, ready.parts);
        let asked = self.asked(at, parts);
        let ruling = match self.frames.get(at.frame) {
            Some(frame) => self.law.rule(at, &ready.record, &frame.head, asked, now.wall),
            None => Ruling::Over { status: Status::Unknown, reason: Reason::NotWritten },
        };
        if let Ruling::Go { closes } = ruling {
            let law = self.law.jury.version();
            let ready = self.links[link].ready.front_mut().expect("it is at the front");
            (ready.closes, ready.law) = (closes, law);
            return true;
        }
        self.links[link].ready.pop_front();
        self.links[link].ready_parts -= parts.count_ones();
        match ruling {
            Ruling::Go { .. } => {}
            Ruling::Hold { until, why } => {
                let due = if until == UNKNOWN { now.wall } else { until };
                self.emit(Event::Requeued { at, parts, reason: why, due, when: now.wall });
                self.hold(at, parts, until, why, now);
            }
            Ruling::Over { status, reason } => self.give_up(at, parts, status, reason, now),
        }
        false
    }

    /// Gives a message that waits another instant before which it will not go, or another until which it lives: `false` when
    /// it has left, or when too many have been moved.
    pub fn reschedule(&mut self, at: MessageRef, moved: Moved, now: Now) -> bool {
        let has_room = self.law.moved.len() < RESCHEDULED_MAX || self.law.moved.contains_key(&at);
        if !has_room || !self.is_untouched(at) {
            return false;
        }
        let standing = self.law.moved.entry(at).or_default();
        *standing = standing.then(moved);
        self.emit(Event::Rescheduled { at, moved, when: now.wall });
        match self.open.get_mut(&at) {
            Some(open) => open.expires = moved.expires.unwrap_or(open.expires),
            None => {
                moved.due.into_iter().for_each(|due| self.frames.hasten(at.frame, due));
                // A frame is looked at when the first of its messages may be over, and then told when the next one is.
                let least = self.frames.get(at.frame).map(|frame| frame.head.expires);
                if let Some(expires) = moved.expires.filter(|expires| least.is_some_and(|least| *expires < least)) {
                    self.frames.set_expiry(at.frame, expires);
                }
            }
        }
        true
    }

    /// Advertising waits for a person from now on: the gateway was away for long. To be called before `restore`.
    pub fn hold_advertising(&mut self) {
        self.law.revival = Revival::Held;
    }

    /// A person has let advertising go; how many messages waited for it.
    pub fn release(&mut self) -> u32 {
        self.law.revival = Revival::Over;
        self.hasten_all(&[Reason::Revival])
    }

    /// Whether the wall clock can be believed has changed. When it can again, everything that waits for an hour is judged
    /// anew: it may have been parked by a wrong one.
    pub fn clock(&mut self, clock: Clock) {
        if self.law.clock == Clock::Unsure && clock == Clock::Sure {
            let of_the_clock = Reason::ALL.into_iter().filter(|why| !matches!(why, Reason::Scheduled | Reason::Revival));
            self.hasten_all(&of_the_clock.collect::<Vec<_>>());
        }
        self.law.clock = clock;
    }

    fn hasten_all(&mut self, reasons: &[Reason]) -> u32 {
        let mut messages = 0;
        for first in self.frames.parked_for(reasons) {
            messages += self.frames.get(first).map_or(0, |frame| frame.waiting());
            self.frames.hasten(first, Time(i64::MIN));
        }
        messages
    }
}
