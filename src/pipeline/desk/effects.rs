//! What a turn of the desk gives: events for the journal, and what may be done once they are durable.

use crate::base::{BatchId, MessageId, MessageRef, Mono, Time};
use crate::message::Event;
use crate::message::event::Parts;
use crate::message::outcome::Status;
use crate::message::record::MessageRecord;
use crate::storage::{Closed, Spent};
use std::collections::BTreeMap;

/// Both clocks, read once per turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// Decides what is legal and expired.
    pub wall: Time,
    /// Decides timers.
    pub mono: Mono,
}

/// A leased message, to be written.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Which.
    pub at: MessageRef,
    /// The parts still to be written, in order.
    pub parts: Parts,
    /// The message; its octets are shared with the frame.
    pub record: MessageRecord,
    /// The last instant at which it may be sent.
    pub expires: Time,
    /// The first instant at which it may not go any more, as far as hours are concerned.
    pub closes: Time,
    /// The version of the law by which it may go.
    pub law: u64,
    /// What joins its parts on the handset; 0 with one part.
    pub reference: u32,
}

impl Ready {
    /// Until when the carrier may deliver it.
    #[must_use]
    pub fn valid(&self) -> Time {
        self.expires.min(self.closes)
    }

    /// The same, as the carrier is told.
    #[must_use]
    pub fn validity(&self) -> Time {
        match () {
            () if crate::base::planted::is("validity-beyond-expiry") => self.expires.after(crate::base::Span::secs(3_600)),
            () if crate::base::planted::is("validity-beyond-hours") => self.expires,
            () => self.valid(),
        }
    }
}

/// What waits for the commit.
#[derive(Debug)]
pub enum After {
    /// Outcomes are durable: these slots of a link are free.
    Free { link: usize, slots: u32 },
    /// A receipt is durable: answer the deliver_sm with this sequence number. `era` names the session.
    Acknowledge { link: usize, era: u32, sequence: u32 },
    /// A lease is durable: these may be written.
    Leased { link: usize, ready: Vec<Ready> },
}

/// The outcome of a turn.
#[derive(Debug, Default)]
pub struct Effects {
    /// In the order in which they happened.
    pub events: Vec<Event>,
    /// Frames the events are about, unordered, possibly repeated.
    touched: Vec<MessageId>,
    /// What its leases count for caps.
    pub spent: Vec<Spent>,
    /// Frames that are over.
    pub closed: Vec<Closed>,
    /// For after the commit.
    pub after: Vec<After>,
    /// How long parts waited for their final receipt.
    pub waited: Vec<crate::base::Span>,
    /// How the bulks' counters moved.
    shifts: BTreeMap<BatchId, [i64; Status::ALL.len()]>,
}

impl Effects {
    /// Whether there is nothing for the journal.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.after.is_empty()
    }
    pub(super) fn touch(&mut self, frame: MessageId) {
        if self.touched.last() != Some(&frame) {
            self.touched.push(frame);
        }
    }
    pub(super) fn shift(&mut self, batch: BatchId, before: Status, after: Status) {
        let moved = self.shifts.entry(batch).or_default();
        moved[before as usize] -= 1;
        moved[after as usize] += 1;
    }
    pub(super) fn shift_many(&mut self, batch: BatchId, before: Status, after: Status, count: u32) {
        let moved = self.shifts.entry(batch).or_default();
        moved[before as usize] -= i64::from(count);
        moved[after as usize] += i64::from(count);
    }
    /// The frames the events are about, ascending, without repetition.
    pub fn take_touched(&mut self) -> Vec<MessageId> {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        touched
    }
    /// How the bulks' counters moved since the last call.
    pub fn take_shifts(&mut self) -> BTreeMap<BatchId, [i64; Status::ALL.len()]> {
        std::mem::take(&mut self.shifts)
    }
    /// One freed slot more for a link.
    pub(super) fn free(&mut self, link: usize) {
        if let Some(After::Free { slots, .. }) =
            self.after.iter_mut().rev().take(8).find(|after| matches!(after, After::Free { link: other, .. } if *other == link))
        {
            *slots += 1;
        } else {
            self.after.push(After::Free { link, slots: 1 });
        }
    }
}

/// Running totals, never reset: the shard publishes the differences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages loaded.
    pub loaded: u64,
    /// Messages leased, repeats included.
    pub leased: u64,
    /// submit_sm written.
    pub written: u64,
    /// Answers: taken.
    pub taken: u64,
    /// Answers: throttled or queue full.
    pub throttled: u64,
    /// Answers: try later.
    pub later: u64,
    /// Answers: refused for good.
    pub refused: u64,
    /// Answers to nothing that is outstanding.
    pub unexpected: u64,
    /// Parts that fell in doubt.
    pub doubted: u64,
    /// Messages sent again after a doubt.
    pub resent: u64,
    /// Late answers or receipts that settled a doubt.
    pub undoubted: u64,
    /// Receipts that settled a part.
    pub receipts: u64,
    /// Receipts that were not final.
    pub intermediate: u64,
    /// Receipts for a part that had its own.
    pub repeated: u64,
    /// Receipts that matched nothing.
    pub orphaned: u64,
    /// Receipts, among them, that may be about a message in doubt and may be about another.
    pub ambiguous: u64,
    /// Orphans that found their message.
    pub adopted: u64,
    /// Orphans whose time or room was over.
    pub orphans_dropped: u64,
    /// Times a message was held back: its frame was parked, or it was leased before and may not go.
    pub held: u64,
    /// Messages ended, by status.
    pub ended: [u64; Status::ALL.len()],
}

/// What stands now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Window slots taken.
    pub in_flight: u64,
    /// Window slots of the links that are up.
    pub window: u64,
    /// Messages between lease and outcome.
    pub open: u64,
    /// Messages held in doubt.
    pub in_doubt: u64,
    /// Receipts without message.
    pub orphans: u64,
    /// Messages to be sent again.
    pub retries: u64,
    /// Names waiting for receipts.
    pub awaited: u64,
    /// Frames with unfinished messages.
    pub frames: u64,
    /// Octets of frame bodies in memory.
    pub body_bytes: u64,
    /// Messages that wait for an instant.
    pub held: u64,
}
