//! From the queues to the wire: plan leases, take them back when they are durable, write what window and rate
//! admit.

use super::effects::{After, Now, Ready};
use super::hold::LEFT_BEHIND_MAX;
use super::law::{Asked, Ruling};
use super::{Desk, Open};
use crate::base::{MessageRef, Span};
use crate::message::event::{LeasedMessage, Parts, all_parts};
use crate::message::outcome::{Reason, Status};
use crate::message::record::MessageRecord;
use crate::message::{Event, Life};
use crate::pipeline::schedule::Again;
use crate::pipeline::schedule::clock::Clock;
use crate::pipeline::submit::InFlight;

/// Leases are taken this far ahead of the rate, so that a commit never leaves the carrier idle; more would only
/// put more messages in doubt after a crash.
const AHEAD: Span = Span::millis(10);

/// Most messages in one lease entry: bounds what one turn can put before the journal.
const LEASE_MAX: usize = 512;

impl Desk {
    /// A link can take submits.
    pub fn link_up(&mut self, link: usize) {
        self.links[link].is_up = true;
        if crate::base::planted::is("rate-forgotten-at-reconnect") {
            self.bucket = crate::base::Bucket::new(self.rules.rate, self.rules.burst);
        }
    }

    /// A link is gone. What was written and unanswered is in doubt; what was leased and never written is not.
    pub fn link_down(&mut self, link: usize, now: Now) {
        self.links[link].is_up = false;
        let lost = self.links[link].window.abandon();
        let mut at = 0;
        while at < lost.len() {
            let (message, written) = (lost[at].at, lost[at].written);
            let mut parts: Parts = 0;
            while at < lost.len() && lost[at].at == message {
                parts |= 1 << lost[at].part;
                at += 1;
            }
            self.doubt(message, parts, Reason::SessionLost, Some(written), now);
        }
        lost.iter().for_each(|lost| self.rematch(lost.at, now));
        self.links[link].ready_parts = 0;
        for ready in std::mem::take(&mut self.links[link].ready) {
            self.put_back(ready.at, ready.parts, Reason::NotWritten, now);
        }
    }

    /// Back to the head of the queue, at no cost.
    pub(super) fn put_back(&mut self, at: MessageRef, parts: Parts, reason: Reason, now: Now) {
        let is_lossy = crate::base::planted::is("part-lost-on-requeue") && parts.count_ones() > 1;
        let parts = if is_lossy { parts & (parts - 1) } else { parts };
        if self.open.contains_key(&at) {
            self.emit(Event::Requeued { at, parts, reason, due: now.wall, when: now.wall });
            self.queue_again(at, parts, None);
        }
    }

    /// Leases what the links can take soon. The leases are effects; `leased` brings them back when durable.
    pub fn plan(&mut self, now: Now) {
        self.left_behind = 0;
        self.late.begin();
        if self.is_draining || self.links.iter().all(|link| !link.is_up) {
            return;
        }
        let pending: u32 = self.links.iter().map(|link| link.ready_parts + link.leasing_parts).sum();
        let mut allowance = self.bucket.allowance(now.mono + AHEAD, u32::MAX).saturating_sub(pending);
        let count = self.links.len();
        let is_empty = self.lanes.is_empty() && self.retries.is_empty();
        for step in 0..if is_empty { 0 } else { count } {
            let index = (self.next_link + step) % count;
            let link = &self.links[index];
            // As much again as the window: it is leased while the window's answers are on their way.
            let room = (2 * link.window.size()).saturating_sub(link.window.used() + link.ready_parts + link.leasing_parts);
            if !link.is_up || room == 0 || allowance == 0 || self.open.len() >= self.rules.open_max {
                continue;
            }
            let taken = self.lease_for(index, room.min(allowance), now);
            allowance = allowance.saturating_sub(taken);
        }
        self.next_link = (self.next_link + 1) % count.max(1);
        self.park_passed(now);
    }

    /// Leases up to about `room` parts to a link; how many it was.
    fn lease_for(&mut self, link: usize, room: u32, now: Now) -> u32 {
        let (mut parts, mut ready, mut leases) = (0, Vec::new(), Vec::new());
        while parts < room && ready.len() < LEASE_MAX {
            let Some((next, lease)) = self.next_message(now) else { break };
            parts += lease.parts.count_ones();
            ready.push(next);
            leases.push(lease);
        }
        if leases.is_empty() {
            return 0;
        }
        for lease in &leases {
            let open = self.open.get_mut(&lease.at).expect("next_message opened it");
            let before = open.life.status;
            if open.life.doubted & lease.parts != 0 {
                self.counts.resent += 1;
            }
            open.life.lease(lease);
            let after = open.life.status;
            self.shift(lease.at, before, after);
        }
        self.counts.leased += leases.len() as u64;
        self.links[link].leasing_parts += parts;
        let carrier = self.rules.carrier.clone();
        if !crate::base::planted::is("lease-not-journaled") {
            let law = self.law.jury.stamp();
            self.effects.events.push(Event::Leased { carrier, bind: link as u16, when: now.wall, messages: leases, law });
        }
        if crate::base::planted::is("written-before-lease") {
            self.leased(link, ready, now);
            return parts;
        }
        self.effects.after.push(After::Leased { link, ready });
        parts
    }

    /// The next message to send, opened; messages whose time is over end on the way.
    fn next_message(&mut self, now: Now) -> Option<(Ready, LeasedMessage)> {
        while self.late.has_room()
            && let Some(again) = self.retries.pick(now.mono)
        {
            if let Some(found) = self.reopen(again, now) {
                return Some(found);
            }
        }
        let law = self.law.jury.version();
        while self.left_behind < LEFT_BEHIND_MAX && self.late.has_room() {
            let picked = self.lanes.pick(&mut self.frames);
            self.park_passed(now);
            let picked = picked?;
            let frame = self.frames.get_mut(picked.at.frame).expect("picked from it");
            let (is_last, mut record) = (frame.next >= frame.head.count, frame.read(picked.at.ordinal).expect("its body is in memory"));
            record.iter_mut().for_each(|record| self.law.amend(picked.at, frame.head.accepted, record));
            let ruling = match &mut record {
                Ok(record) if !record.late.is_empty() => self.late.first(&mut self.law, picked.at, record, &frame.head, now.wall),
                Ok(record) => self.law.rule(picked.at, record, &frame.head, Asked::First, now.wall),
                Err(_) if frame.is_blank(picked.at.ordinal) => Ruling::Over { status: Status::Refused, reason: Reason::Erased },
                // Behind a good checksum: written by a newer version. It cannot be sent; it must not be lost in silence.
                Err(_) => Ruling::Over { status: Status::Unknown, reason: Reason::NotWritten },
            };
            let accepted = frame.head.accepted;
            if let Ruling::Hold { until, why } = ruling {
                self.left_behind += 1;
                frame.leave_behind(picked.at.ordinal, until, why);
            }
            if is_last {
                self.frames.all_taken(picked.at.frame);
            }
            let (closes, record) = match (ruling, record) {
                (Ruling::Go { closes }, Ok(record)) => (closes, record),
                (Ruling::Over { status, reason }, _) => {
                    self.end(picked.at, status, reason, 0, now);
                    continue;
                }
                _ => continue,
            };
            let (expires, count) = (record.expires(accepted), record.count());
            self.lanes.charge(picked, u32::from(record.segments()));
            let reference = if count > 1 { self.references.next(&record.from, record.to, now.wall) } else { 0 };
            let life = Life::new();
            let (to, policy) = (record.to, record.policy());
            self.open.insert(picked.at, Open { life, to, expires, policy, attempt: 1, named: now.mono, queued: 0 });
            self.tell_rendered(picked.at);
            let parts = all_parts(count);
            let lease = LeasedMessage { at: picked.at, attempt: 1, count, parts, reference };
            return Some((Ready { at: picked.at, parts, record, expires, closes, law, reference }, lease));
        }
        None
    }

    /// A retry, if it still makes sense.
    fn reopen(&mut self, again: Again, now: Now) -> Option<(Ready, LeasedMessage)> {
        let frame = self.frames.get_mut(again.at.frame)?;
        let Some(open) = self.open.get_mut(&again.at) else {
            frame.retries -= 1;
            return None;
        };
        let parts = again.parts & !open.life.submitted & !open.life.leased;
        let (attempt, expires) = (open.attempt, open.expires);
        let leased_as = open.life.reference;
        let is_expired = expires <= now.wall && self.law.clock == Clock::Sure && !crate::base::planted::is("expiry-ignored");
        let is_over = parts == 0 || is_expired;
        let mut record = if is_over { None } else { frame.read(again.at.ordinal) };
        record.iter_mut().flatten().for_each(|record| self.law.amend(again.at, frame.head.accepted, record));
        if !is_over && record.is_none() {
            self.frames.want(again.at.frame);
            self.blocked.push(again);
            return None;
        }
        open.queued &= !again.parts;
        frame.retries -= 1;
        let is_blank = frame.is_blank(again.at.ordinal);
        self.frames.drop_body(again.at.frame);
        match record {
            None if parts == 0 => None,
            None => {
                self.give_up(again.at, parts, Status::Expired, Reason::LifetimeOver, now);
                None
            }
            Some(Err(_)) if is_blank => {
                self.give_up(again.at, parts, Status::Refused, Reason::Erased, now);
                None
            }
            Some(Err(_)) => {
                self.end(again.at, Status::Unknown, Reason::NotWritten, 0, now);
                None
            }
            Some(Ok(record)) => {
                let asked = self.asked(again.at, parts);
                let head = &self.frames.get(again.at.frame).expect("its record was read").head;
                match self.law.rule(again.at, &record, head, asked, now.wall) {
                    Ruling::Go { closes } => {
                        let record = self.same_text(again.at, parts, record, now)?;
                        let count = record.count();
                        // A resend is the same text to the handset. What an older version leased has no reference.
                        let reference = match leased_as {
                            0 if count > 1 => self.references.next(&record.from, record.to, now.wall),
                            reference => reference,
                        };
                        let lease = LeasedMessage { at: again.at, attempt, count, parts, reference };
                        let law = self.law.jury.version();
                        Some((Ready { at: again.at, parts, record, expires, closes, law, reference }, lease))
                    }
                    Ruling::Hold { until, why } => {
                        self.hold(again.at, parts, until, why, now);
                        None
                    }
                    Ruling::Over { status, reason } => {
                        self.give_up(again.at, parts, status, reason, now);
                        None
                    }
                }
            }
        }
    }

    /// The text of the message that was opened just now is made durable with its lease.
    fn tell_rendered(&mut self, at: MessageRef) {
        if let Some(rendering) = self.late.take_fresh() {
            self.emit(Event::Rendered { at, rendering });
        }
    }

    /// The record of a message that was leased before, with its text; a message that has another text now ends.
    fn same_text(&mut self, at: MessageRef, parts: Parts, record: MessageRecord, now: Now) -> Option<MessageRecord> {
        match self.late.again(at, record) {
            Ok(record) => Some(record),
            Err(reason) => {
                self.give_up(at, parts, Status::Refused, reason, now);
                None
            }
        }
    }

    /// A lease is durable.
    pub fn leased(&mut self, link: usize, ready: Vec<Ready>, now: Now) {
        let parts: u32 = ready.iter().map(|ready| ready.parts.count_ones()).sum();
        let state = &mut self.links[link];
        state.leasing_parts -= parts;
        if state.is_up {
            state.ready_parts += parts;
            state.ready.extend(ready);
        } else {
            for ready in ready {
                self.put_back(ready.at, ready.parts, Reason::NotWritten, now);
            }
        }
    }

    /// Slots whose outcomes are durable.
    pub fn free(&mut self, link: usize, slots: u32) {
        self.links[link].window.release(slots);
    }

    /// Whether `write` has anything to look at.
    #[must_use]
    pub fn has_ready(&self) -> bool {
        self.links.iter().any(|link| !link.ready.is_empty())
    }

    /// Writes what window and rate admit now. `submit` puts one part on a link's wire and gives its sequence
    /// number; `None` when the link cannot take it after all.
    /// What may not go at `now`, which must have been read just before, goes back.
    pub fn write(&mut self, now: Now, mut submit: impl FnMut(usize, &Ready, u8) -> Option<u32>) {
        let count = self.links.len();
        let (law, is_sure) = (self.law.jury.version(), self.law.clock == Clock::Sure);
        for step in 0..count {
            let index = (self.next_link + step) % count;
            while let Some(ready) = self.links[index].ready.front() {
                let at = ready.at;
                let valid = if crate::base::planted::is("hours-not-judged-at-write") { ready.expires } else { ready.valid() };
                let is_doubtful = valid <= now.wall || ready.law != law || !is_sure;
                if self.open.get(&at).is_none_or(|open| open.life.status.is_final()) {
                    let ready = self.links[index].ready.pop_front().expect("it is at the front");
                    self.links[index].ready_parts -= ready.parts.count_ones();
                    continue;
                }
                if is_doubtful && !self.still_goes(index, now) {
                    continue;
                }
                if self.links[index].window.free() == 0 || self.bucket.allowance(now.mono, 1) == 0 {
                    break;
                }
                let Some(ready) = self.links[index].ready.front() else { break };
                let is_last_first = crate::base::planted::is("parts-out-of-order");
                let part = if is_last_first { ready.parts.ilog2() } else { ready.parts.trailing_zeros() } as u8;
                let Some(sequence) = submit(index, ready, part) else { break };
                let claimed = self.links[index].window.claim(sequence, InFlight { at, part, written: now.mono });
                assert!(claimed.is_ok(), "a slot was free and the session gave a fresh number");
                let link = &mut self.links[index];
                let ready = link.ready.front_mut().expect("it is at the front");
                // The rate counts segments, also those the carrier cuts itself.
                self.bucket.take(now.mono, u32::from(ready.record.segments_of_a_part()));
                self.counts.written += 1;
                link.ready_parts -= 1;
                ready.parts &= !(1 << part);
                if ready.parts == 0 {
                    link.ready.pop_front();
                }
            }
        }
    }
}
