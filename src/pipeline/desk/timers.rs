//! What time does: answers that do not come, doubts whose hold is over, lifetimes, receipts that never come.

use super::Desk;
use super::effects::Now;
use super::hold::LEFT_BEHIND_MAX;
use crate::base::{MessageRef, Mono, Time};
use crate::message::Event;
use crate::message::outcome::{Reason, Status};
use crate::pipeline::schedule::clock::Clock;
use crate::pipeline::submit::{Resolution, doubt::resolve};

/// Most timers served in one turn, so that no turn blocks its shard for more than 500 µs.
const TURN_MAX: usize = 2_000;

impl Desk {
    /// Serves every timer that is due, up to a bound; call again while `deadline` is not after `now`.
    pub fn tick(&mut self, now: Now) {
        self.response_timeouts(now);
        self.resolve_doubts(now);
        self.look_again(now);
        self.end_unreceipted(now);
        self.let_go(now);
        let is_sure = self.law.clock == Clock::Sure || crate::base::planted::is("expired-by-unsure-clock");
        if is_sure && !crate::base::planted::is("expiry-ignored") {
            self.end_expired(now);
        }
        while let Some(orphan) = self.orphans.expired(now.mono) {
            self.drop_orphan(orphan, now);
        }
        if self.awaiting.len() > 1_024 + 2 * (self.open.len() * 2 + self.rules.retired_max) {
            let open = &self.open;
            self.awaiting.sweep(|at| open.contains_key(&at));
        }
    }

    fn response_timeouts(&mut self, now: Now) {
        let mut lost = Vec::new();
        for link in 0..self.links.len() {
            while let Some(submit) = self.links[link].window.timed_out(now.mono, self.rules.response_timeout) {
                if !crate::base::planted::is("slot-lost-on-timeout") {
                    self.effects.free(link);
                }
                self.doubt(submit.at, 1 << submit.part, Reason::ResponseTimeout, Some(submit.written), now);
                lost.push(submit.at);
            }
        }
        lost.into_iter().for_each(|at| self.rematch(at, now));
    }

    fn resolve_doubts(&mut self, now: Now) {
        for _ in 0..TURN_MAX {
            let Some(at) = self.doubts.due(now.mono) else { return };
            self.learning.stir();
            // Who stood beside it may have been named meanwhile.
            self.rematch(at, now);
            let Some(open) = self.open.get_mut(&at) else { continue };
            match resolve(&open.life, open.policy) {
                Resolution::Settled => {}
                Resolution::GiveUp => self.end(at, Status::Unknown, Reason::InDoubt, 0, now),
                Resolution::Resend => {
                    let parts = open.life.doubted & !open.queued;
                    if parts == 0 {
                        continue;
                    }
                    open.attempt = open.attempt.saturating_add(1);
                    self.emit(Event::Requeued { at, parts, reason: Reason::InDoubt, due: now.wall, when: now.wall });
                    self.queue_again(at, parts, None);
                }
            }
        }
    }

    fn end_unreceipted(&mut self, now: Now) {
        for _ in 0..TURN_MAX {
            let Some((until, at)) = self.unreceipted.front().copied() else { return };
            // Messages that have their outcome are passed over, however long their wait would still be.
            let waits = self.open.get(&at).is_some_and(|open| open.life.status == Status::Sent);
            let waits = waits || crate::base::planted::is("ended-again-without-receipt");
            if waits && until > now.mono {
                return;
            }
            self.unreceipted.pop_front();
            if waits {
                let partly = self.open.get(&at).is_some_and(|open| open.life.delivered != 0);
                let status = if partly { Status::PartiallyDelivered } else { Status::Unknown };
                self.end(at, status, Reason::NoReceipt, 0, now);
            }
        }
    }

    /// Ends messages whose lifetime was over while they waited, also when no link is up.
    fn end_expired(&mut self, now: Now) {
        for _ in 0..16 {
            let Some(first) = self.frames.expiring(now.wall) else { return };
            let Some(frame) = self.frames.get(first) else { return };
            if frame.body.is_none() {
                self.frames.want(first);
                return;
            }
            let (accepted, count) = (frame.head.accepted, frame.head.count);
            let (mut over, mut earliest) = (Vec::new(), Time(i64::MAX));
            for ordinal in 0..count {
                if !frame.is_waiting(ordinal) {
                    continue;
                }
                let mut record = frame.read(ordinal);
                let at = MessageRef { frame: first, ordinal };
                record.iter_mut().flatten().for_each(|record| self.law.amend(at, accepted, record));
                match record {
                    Some(Ok(record)) if record.expires(accepted) > now.wall => earliest = earliest.min(record.expires(accepted)),
                    _ => over.push(ordinal),
                }
            }
            self.frames.set_expiry(first, earliest);
            for ordinal in over {
                let at = MessageRef { frame: first, ordinal };
                self.end(at, Status::Expired, Reason::LifetimeOver, 0, now);
            }
            // It was read for this only.
            if self.frames.get(first).is_some_and(|frame| frame.parked().is_some()) {
                self.frames.drop_body(first);
            }
        }
    }

    /// When `tick`, `plan` or `write` next have something to do, as far as the desk knows.
    pub fn deadline(&mut self, now: Now) -> Option<Mono> {
        let mut next: Option<Mono> = None;
        let mut consider = |at: Option<Mono>| {
            if let Some(at) = at {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        };
        for link in &mut self.links {
            consider(link.window.oldest().map(|written| written + self.rules.response_timeout));
        }
        consider(self.doubts.next_due());
        consider(self.learning.next_due(now.mono));
        consider(self.unreceipted.front().map(|(until, _)| *until));
        // Wall-clock lifetimes are looked at on the monotonic clock, at least once a minute (the wall may jump) and
        // never in a spin while a body is on its way.
        let (soon, late) = (crate::base::Span::millis(10), crate::base::Span::secs(60));
        consider(self.frames.next_expiry().map(|expires| now.mono + expires.since(now.wall).clamp(soon, late)));
        consider(self.frames.next_parked().map(|until| now.mono + until.since(now.wall).min(late)));
        if self.left_behind >= LEFT_BEHIND_MAX {
            consider(Some(now.mono));
        }
        // What could go now has gone in this turn, or waits for a slot, a commit or a body, which wake the shard.
        let ahead = |at: Mono| (at > now.mono).then_some(at);
        consider(self.retries.next_due().and_then(ahead));
        let waits = self.links.iter().any(|link| !link.ready.is_empty()) || !self.lanes.is_empty() || !self.retries.is_empty();
        if waits && self.links.iter().any(|link| link.is_up) {
            consider(ahead(self.bucket.ready_at(now.mono)));
        }
        next
    }
}
