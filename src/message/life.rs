//! The fold: what is true of a message after its events. Small enough to keep for each message between lease
//! and outcome.

use crate::base::Time;
use crate::message::event::{Event, LeasedMessage, PartState, Parts, all_parts};
use crate::message::outcome::{Reason, Status};

/// Where a message stands. A message without events is `Life::new`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life {
    /// As the API shows it.
    pub status: Status,
    /// How many times it was leased for an attempt that counts.
    pub attempt: u8,
    /// How many parts it has; 0 until known (the first lease tells).
    pub count: u8,
    /// How many times it was in doubt. More than 0 shows as `possible_duplicate` once resent.
    pub doubts: u8,
    /// Whether it was written again after a doubt.
    pub possible_duplicate: bool,
    /// Leased and without outcome: after a crash these are in doubt.
    pub leased: Parts,
    /// In doubt.
    pub doubted: Parts,
    /// Named by the carrier.
    pub submitted: Parts,
    /// Settled by a receipt as delivered.
    pub delivered: Parts,
    /// Settled by a receipt as anything else.
    pub failed: Parts,
    /// What the first failed part said.
    pub failure: Option<PartState>,
    /// Until when it waits at least, and why, while its status is `Held` or `Scheduled`.
    pub waits: Option<(Time, Reason)>,
    /// Which long text to its recipient it is; 0 until leased, and for one part. A resend has the same.
    pub reference: u32,
}

impl Life {
    /// A message just accepted.
    #[must_use]
    pub const fn new() -> Life {
        Life {
            status: Status::Accepted,
            attempt: 0,
            count: 0,
            doubts: 0,
            possible_duplicate: false,
            leased: 0,
            doubted: 0,
            submitted: 0,
            delivered: 0,
            failed: 0,
            failure: None,
            waits: None,
            reference: 0,
        }
    }

    /// A lease of this message.
    pub fn lease(&mut self, lease: &LeasedMessage) {
        if self.status.is_final() {
            return;
        }
        self.count = lease.count;
        self.attempt = lease.attempt;
        self.reference = lease.reference;
        self.leased |= lease.parts;
        if self.doubted & lease.parts != 0 {
            self.possible_duplicate = true;
            self.doubted &= !lease.parts;
        }
        self.status = Status::Sending;
        self.waits = None;
    }

    /// It may not go before `until`.
    fn hold(&mut self, until: Time, why: Reason) {
        if !self.status.is_final() {
            self.status = Status::waiting(why);
            self.waits = Some((until, why));
        }
    }

    /// Its frame was parked, which is about the messages of it that were never leased.
    pub fn park(&mut self, until: Time, why: Reason) {
        if self.count == 0 {
            self.hold(until, why);
        }
    }

    /// How it stands at an instant, with the reason and the instant it waits for: what waited for one that has come
    /// only waits for its turn.
    #[must_use]
    pub fn at(&self, now: Time) -> (Status, Option<(Time, Reason)>) {
        match self.waits {
            Some((until, _)) if until <= now => (Status::Accepted, None),
            waits => (self.status, waits),
        }
    }

    /// Any other event of this message. A final status is never left; late receipts still count per part.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Submitted { part, .. } => {
                let bit = 1 << part;
                self.leased &= !bit;
                self.doubted &= !bit;
                self.submitted |= bit;
                if !self.status.is_final() && self.is_all_submitted() {
                    self.status = Status::Sent;
                }
            }
            Event::Refused { part, .. } => self.leased &= !(1 << part),
            Event::Doubted { parts, .. } => {
                self.leased &= !parts;
                self.doubted |= parts;
                self.doubts = self.doubts.saturating_add(1);
            }
            Event::Requeued { parts, .. } => {
                self.leased &= !parts;
                if !self.status.is_final() {
                    self.status = Status::Accepted;
                    self.waits = None;
                }
            }
            Event::Receipt { part, state, .. } => self.receipt(1 << part, *state),
            Event::Ended { status, .. } => {
                if !self.status.is_final() {
                    self.status = *status;
                    self.leased = 0;
                    self.doubted = 0;
                    self.waits = None;
                }
            }
            Event::Held { until, why, .. } => self.hold(*until, *why),
            Event::Rescheduled { moved, .. } => moved.due.into_iter().for_each(|due| self.hold(due, Reason::Scheduled)),
            Event::Parked { until, why, .. } => self.park(*until, *why),
            Event::Leased { .. } | Event::Rendered { .. } => {}
            Event::Orphaned { .. } | Event::OrphanGone { .. } | Event::Inbound { .. } | Event::InboundPart(_) => {}
        }
    }

    fn receipt(&mut self, bit: Parts, state: PartState) {
        // The first final receipt of a part wins.
        if (self.delivered | self.failed) & bit != 0 || !state.is_final() {
            return;
        }
        if state == PartState::Delivered {
            self.delivered |= bit;
        } else {
            self.failed |= bit;
            self.failure.get_or_insert(state);
        }
    }

    /// Whether the carrier has named every part.
    #[must_use]
    pub const fn is_all_submitted(&self) -> bool {
        self.count > 0 && self.submitted == all_parts(self.count)
    }

    /// The final status the receipts so far amount to, once every part has one.
    #[must_use]
    pub fn verdict(&self) -> Option<Status> {
        let settled = self.delivered | self.failed;
        let is_whole = settled == all_parts(self.count) || (crate::base::planted::is("first-part-decides") && settled != 0);
        if self.count == 0 || !is_whole {
            return None;
        }
        Some(match (self.delivered, self.failure) {
            (_, None) => Status::Delivered,
            (1.., _) if crate::base::planted::is("failed-part-ignored") => Status::Delivered,
            (0, Some(state)) => state.status(),
            (_, Some(_)) => Status::PartiallyDelivered,
        })
    }
}

impl Default for Life {
    fn default() -> Life {
        Life::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{MessageId, MessageRef, Time};
    use crate::message::event::{Moved, NamedIn};
    use crate::message::outcome::Reason;

    const AT: MessageRef = MessageRef { frame: MessageId(64), ordinal: 3 };

    fn lease(attempt: u8, count: u8, parts: Parts) -> LeasedMessage {
        LeasedMessage { at: AT, attempt, count, parts, reference: 0 }
    }
    fn submitted(part: u8) -> Event {
        Event::Submitted { at: AT, part, carrier_id: "x".into(), named_in: NamedIn::Answer, when: Time(0) }
    }
    fn receipt(part: u8, state: PartState) -> Event {
        Event::Receipt { at: AT, part, state, error: "".into(), when: Time(0) }
    }

    #[test]
    fn parts_fold_into_one_verdict_in_any_order() {
        let mut life = Life::new();
        life.lease(&lease(1, 2, 3));
        assert_eq!(life.status, Status::Sending);
        life.apply(&receipt(1, PartState::Delivered));
        life.apply(&submitted(1));
        assert_eq!((life.status, life.verdict()), (Status::Sending, None));
        life.apply(&submitted(0));
        assert_eq!(life.status, Status::Sent);
        life.apply(&receipt(0, PartState::Undeliverable));
        assert_eq!(life.verdict(), Some(Status::PartiallyDelivered));
    }

    #[test]
    fn the_first_final_receipt_of_a_part_wins() {
        let mut life = Life::new();
        life.lease(&lease(1, 1, 1));
        life.apply(&submitted(0));
        life.apply(&receipt(0, PartState::Enroute));
        assert_eq!(life.verdict(), None);
        life.apply(&receipt(0, PartState::Expired));
        life.apply(&receipt(0, PartState::Delivered));
        assert_eq!(life.verdict(), Some(Status::Expired));
    }

    #[test]
    fn a_resend_after_doubt_is_labelled_and_a_requeue_without_doubt_is_not() {
        let mut life = Life::new();
        life.lease(&lease(1, 1, 1));
        life.apply(&Event::Requeued { at: AT, parts: 1, reason: Reason::Throttled, due: Time(0), when: Time(0) });
        life.lease(&lease(1, 1, 1));
        assert!(!life.possible_duplicate);
        life.apply(&Event::Doubted { at: AT, parts: 1, reason: Reason::SessionLost, when: Time(0) });
        life.apply(&Event::Requeued { at: AT, parts: 1, reason: Reason::SessionLost, due: Time(0), when: Time(0) });
        life.lease(&lease(2, 1, 1));
        assert!(life.possible_duplicate);
    }

    #[test]
    fn what_waits_shows_why_and_until_when_and_only_its_turn_once_that_has_come() {
        let mut life = Life::new();
        life.park(Time(50), Reason::WindowClosed);
        assert_eq!(life.at(Time(49)), (Status::Held, Some((Time(50), Reason::WindowClosed))));
        assert_eq!(life.at(Time(50)), (Status::Accepted, None));
        life.apply(&Event::Rescheduled { at: AT, moved: Moved { due: Some(Time(90)), expires: None }, when: Time(40) });
        life.apply(&Event::Rescheduled { at: AT, moved: Moved { due: None, expires: Some(Time(95)) }, when: Time(41) });
        assert_eq!(life.at(Time(50)), (Status::Scheduled, Some((Time(90), Reason::Scheduled))));
        life.lease(&lease(1, 2, 3));
        assert_eq!(life.at(Time(50)), (Status::Sending, None));
        life.park(Time(99), Reason::WindowClosed);
        assert_eq!(life.status, Status::Sending, "it is not one of those that wait in the frame");
        life.apply(&Event::Requeued { at: AT, parts: 2, reason: Reason::WindowClosed, due: Time(99), when: Time(60) });
        life.apply(&Event::Held { at: AT, until: Time(99), why: Reason::WindowClosed, law: 0, when: Time(60) });
        assert_eq!(life.at(Time(60)), (Status::Held, Some((Time(99), Reason::WindowClosed))));
    }

    #[test]
    fn a_final_status_is_never_left() {
        let mut life = Life::new();
        life.lease(&lease(1, 1, 1));
        life.apply(&Event::Ended {
            at: AT,
            status: Status::Expired,
            reason: Reason::LifetimeOver,
            command_status: 0,
            possible_duplicate: false,
            when: Time(0),
        });
        life.apply(&submitted(0));
        life.lease(&lease(2, 1, 1));
        assert_eq!(life.status, Status::Expired);
    }
}
