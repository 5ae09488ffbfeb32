//! The carrier's answers, and silence.

use super::Desk;
use super::effects::Now;
use crate::base::{MessageRef, Mono};
use crate::channel::session::{Answer, Keys};
use crate::message::Event;
use crate::message::event::{NamedIn, Parts};
use crate::message::outcome::{Reason, Status};
use crate::pipeline::desk::Receipts;
use crate::pipeline::submit::{Doubtful, Settled, settle};
use crate::pipeline::track::Awaited;

/// When a submit that was answered had been written: for the latency histograms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answered {
    /// When it was written.
    pub written: Mono,
}

impl Desk {
    /// An answer on a link. `keys` are those of the name in an acceptance. `None` when nothing was outstanding
    /// under this number: the answer then changes nothing (INV-14), unless it comes late for a message in doubt.
    pub fn answered(&mut self, link: usize, sequence: u32, answer: Answer<'_>, keys: &Keys, now: Now) -> Option<Answered> {
        let Some(submit) = self.links[link].window.answer(sequence) else {
            self.late(link, sequence, answer, keys, now);
            return None;
        };
        if crate::base::planted::is("slot-freed-early") {
            self.links[link].window.release(1);
        } else {
            self.effects.free(link);
        }
        let written = submit.written;
        self.learning.stir();
        if self.open.contains_key(&submit.at) {
            self.settle(submit.at, submit.part, answer, keys, Some(submit.written), now);
        } else if let Answer::Throttled { .. } = answer {
            // Its message is over, by another part's answer: the carrier wants to be left alone all the same.
            self.throttled(now);
        }
        Some(Answered { written })
    }

    fn late(&mut self, link: usize, sequence: u32, answer: Answer<'_>, keys: &Keys, now: Now) {
        self.counts.unexpected += 1;
        let Some(submit) = self.links[link].window.late_answer(sequence) else { return };
        let doubted = self.open.get(&submit.at).is_some_and(|open| open.life.doubted & (1 << submit.part) != 0);
        if doubted && let Answer::Accepted(_) = answer {
            self.counts.undoubted += 1;
            self.settle(submit.at, submit.part, answer, keys, Some(submit.written), now);
        }
    }

    fn settle(&mut self, at: MessageRef, part: u8, answer: Answer<'_>, keys: &Keys, written: Option<Mono>, now: Now) {
        let attempt = self.open.get(&at).map_or(1, |open| open.attempt);
        let jitter = self.jitter();
        let settled = settle(answer, attempt, &self.rules.limits, jitter);
        let command_status = match answer {
            Answer::Accepted(carrier_id) => {
                self.counts.taken += 1;
                return self.named(at, part, (carrier_id, NamedIn::Answer), keys, written, now);
            }
            Answer::Throttled { command_status } => {
                self.throttled(now);
                command_status
            }
            Answer::WrongSession { command_status } => command_status,
            Answer::Later { command_status } => {
                self.counts.later += 1;
                command_status
            }
            Answer::Refused { command_status } => {
                self.counts.refused += 1;
                command_status
            }
        };
        self.emit(Event::Refused { at, part, command_status, when: now.wall });
        match settled {
            Settled::Taken => {}
            Settled::PutBack(reason) => self.put_back(at, 1 << part, reason, now),
            Settled::Again { reason, after } => {
                let due = now.wall.after(after);
                self.emit(Event::Requeued { at, parts: 1 << part, reason, due, when: now.wall });
                if let Some(open) = self.open.get_mut(&at) {
                    open.attempt = open.attempt.saturating_add(1);
                }
                self.queue_again(at, 1 << part, Some(now.mono + after));
            }
            Settled::Over(status, reason) => self.end(at, status, reason, command_status, now),
        }
    }

    fn throttled(&mut self, now: Now) {
        self.counts.throttled += 1;
        if !crate::base::planted::is("throttle-ignored") {
            self.bucket.pause(now.mono + self.rules.throttle_pause);
        }
    }

    /// The carrier has taken a part and named it. `written`: when it was, if this process did that.
    pub(super) fn named(&mut self, at: MessageRef, part: u8, name: (&str, NamedIn), keys: &Keys, written: Option<Mono>, now: Now) {
        let (carrier_id, named_in) = name;
        self.emit(Event::Submitted { at, part, carrier_id: carrier_id.into(), named_in, when: now.wall });
        let Some(open) = self.open.get_mut(&at) else { return };
        open.named = now.mono;
        let (to, is_all_submitted) = (open.to, open.life.is_all_submitted());
        if self.rules.receipts == Receipts::None {
            if is_all_submitted {
                self.end(at, Status::Unknown, Reason::NoReceiptAsked, 0, now);
            }
            return;
        }
        self.awaiting.insert(keys, Awaited { at, part });
        if is_all_submitted {
            self.unreceipted.push_back((now.mono + self.rules.receipt_wait, at));
        }
        let Some(form) = self.awaiting.chosen() else {
            self.named_while_learning(keys, Awaited { at, part }, to, written, now);
            return self.conclude(at, now);
        };
        for orphan in self.orphans.claim(keys, form, written) {
            self.counts.adopted += 1;
            let carrier = self.rules.carrier.clone();
            self.emit(Event::OrphanGone { carrier, carrier_id: orphan.carrier_id, when: now.wall });
            self.reported(Awaited { at, part }, keys, orphan.state, &orphan.error, now);
        }
        self.conclude(at, now);
    }

    /// Written and unanswered: holds the message in doubt. `written`: when it was, if this process did that. To be followed by
    /// `rematch`, when all that fell in doubt with it have.
    pub(super) fn doubt(&mut self, at: MessageRef, parts: Parts, reason: Reason, written: Option<Mono>, now: Now) {
        let Some(to) = self.open.get(&at).map(|open| open.to) else { return };
        self.counts.doubted += u64::from(parts.count_ones());
        self.emit(Event::Doubted { at, parts, reason, when: now.wall });
        self.doubts.hold(at, now.mono, self.rules.ambiguity_hold);
        self.note_nameless(at, to, written);
    }
    /// A receipt may be about it whose name is not known.
    pub(super) fn note_nameless(&mut self, at: MessageRef, to: u64, written: Option<Mono>) {
        let open = &self.open;
        if to != 0 {
            let is_doubtful = |at| open.get(&at).is_some_and(|open| open.life.doubted != 0 || open.life.possible_duplicate);
            self.nameless.doubted(to, Doubtful { at, written }, is_doubtful);
        }
    }
}
